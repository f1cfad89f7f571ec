# SPDX-License-Identifier: GPL-3.0-or-later
"""Two builds of one tree under different circumstances: they must be the same bits. Toolchain and
downloads are shared; everything else is made twice. The first may be there already."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from . import archive, compare, mirrors, options, sources, toolchain
from .cache import Cache, hash_of_file
from .process import ENVIRONMENT, BuildError, Runner

EPILOG = """\
The second build runs in another directory, under another hostname, umask, time zone and language,
and later. Exit status: 0 identical; 1 different, or a build failed; 2 wrong usage.
"""


@dataclass(frozen=True)
class Circumstances:
    name: str
    umask: int
    host: str
    environment: dict[str, str]


FIRST = Circumstances("first", 0o022, "lethe-one", {"TZ": "UTC", "LC_ALL": "C.UTF-8"})
SECOND = Circumstances("second", 0o077, "a-quite-different-name",
                       {"TZ": "Pacific/Kiritimati", "LC_ALL": "C", "LANG": "tr_TR.UTF-8",
                        "LANGUAGE": "tr", "TMPDIR": "/var/tmp", "USER": "nobody", "COLUMNS": "40"})


def build_command(source: Path, out: Path, cache: Path, share: Path, host: str,
                  passed: Sequence[str]) -> list[str]:
    """image/build of a copy of the tree, in a namespace with a hostname of its own."""
    return ["unshare", "--uts", "--", "sh", "-c", 'hostname "$0" && exec "$@"', host,
            str(source / "image/build"), "--offline", "--out", str(out), "--cache", str(cache),
            "--share", str(share), *passed]


def copy_tree(root: Path, target: Path, umask: int) -> None:
    """A copy as `git clone` under this umask would make it: modes by umask, dates of now."""
    names = sources.in_git(root)
    for name in sorted(names if names is not None else sources.by_walking(root)):
        source, place = root / name, target / name
        if source.is_symlink():
            place.parent.mkdir(parents=True, exist_ok=True)
            place.symlink_to(os.readlink(source))
        elif source.is_file():
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, place)
            place.chmod((0o777 if sources.mode_of(source) == 0o755 else 0o666) & ~umask)


def tree_of(how: Circumstances, folder: Path) -> Path:
    return folder / f"tree-of-{how.name}"


def build(root: Path, how: Circumstances, folder: Path, share: Path, passed: Sequence[str]) -> Path:
    """One build of a copy of the tree; returns its ISO."""
    source = tree_of(how, folder)
    copy_tree(root, source, how.umask)
    out = folder / f"out-{how.name}"
    print(f"the {how.name} build, in {source}:", flush=True)
    done = subprocess.run(
        build_command(source, out, folder / f"cache-{how.name}", share, how.host, passed),
        env={**ENVIRONMENT, **how.environment}, stdin=subprocess.DEVNULL, cwd=source, check=False,
        preexec_fn=lambda: os.umask(how.umask) and None)
    if done.returncode != 0:
        raise BuildError(f"the {how.name} build failed")
    return out / "lethe-core.iso"


def explain(isos: tuple[Path, Path], folder: Path, share: Path) -> list[str]:
    """Which files differ, with the newest toolchain's programs."""
    runner = Runner(folder / "compare.log", lambda line: None)
    chroots = sorted((share / "toolchain").iterdir(), key=lambda path: path.stat().st_mtime)
    tools = toolchain.Toolchain(chroots[-1], "", Cache(folder, share), runner, folder)
    tools.enter()
    (folder / "compare").mkdir()
    return compare.explain(isos, folder / "compare", tools)


def main(root: Path, arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="image/reproduce", epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Build the core image twice and compare the bits. Needs root and mmdebstrap.")
    parser.add_argument("--share", type=Path, default=options.CACHE, metavar="DIR",
                        help=f"cache with toolchain and downloads (default: {options.CACHE})")
    parser.add_argument("--with", type=Path, metavar="ISO", dest="first",
                        help="make only the second, and compare with this: what image/build made of "
                             "the same tree, with the same package lists")
    parser.add_argument("--keep", action="store_true", help="keep what is built, and say where")
    parser.add_argument("--locked", action="store_true", help="build from the packages of the lock")
    given = parser.parse_args(arguments)
    if os.geteuid() != 0:
        print("image/reproduce: needs root, as image/build does", file=sys.stderr)
        return 1
    toolchain.enter_namespace()
    os.umask(0o022)
    share = given.share.resolve()
    folder = share / "reproduce"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        passed = ["--locked"] if given.locked else []
        if given.first:
            return compare_with(given.first.resolve(strict=True), root, folder, share, passed)
        return compare_builds(root, folder, share, passed)
    except (BuildError, OSError) as error:
        print(f"image/reproduce: {error}", file=sys.stderr)
        return 1
    finally:
        if given.keep:
            print(f"what was built is in {folder}")
        elif not (folder / "view").exists():
            shutil.rmtree(folder, ignore_errors=True)


def compare_builds(root: Path, folder: Path, share: Path, passed: Sequence[str]) -> int:
    # One look at the archive for both, else a package that moves meanwhile would be the difference.
    runner = Runner(folder / "archive.log", lambda line: None)
    where = mirrors.choose(mirrors.sources_of_host())
    print(archive.Archive(runner, share / "apt", share / "pool", where).update(False), flush=True)
    # The second tree is copied from the first copy: who works in the checkout meanwhile does not
    # make a difference.
    return compare_isos((build(root, FIRST, folder, share, passed),
                         build(tree_of(FIRST, folder), SECOND, folder, share, passed)), folder, share)


def compare_with(iso: Path, root: Path, folder: Path, share: Path, passed: Sequence[str]) -> int:
    return compare_isos((iso, build(root, SECOND, folder, share, passed)), folder, share)


def compare_isos(isos: tuple[Path, Path], folder: Path, share: Path) -> int:
    hashes = [hash_of_file(iso) for iso in isos]
    print(f"{hashes[0]}  first\n{hashes[1]}  second")
    if hashes[0] == hashes[1]:
        print("identical")
        return 0
    print("different:")
    lines = explain(isos, folder, share)
    for line in lines[:compare.LIMIT]:
        print(f"  {line}")
    if not lines:
        print("  no file differs; the ISO's own structures do")
    return 1
