# SPDX-License-Identifier: GPL-3.0-or-later
"""The system's files. First the base: Debian's packages as mmdebstrap installs them, and the kernel.
Then the tree: the base with our packages installed, and without whatever differs between two
builds or belongs to one machine."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from . import bootstrap
from .archive import Archive, Deb
from .cache import Cache, hash_of, hash_of_recipe
from .clean import clean
from .packages import OwnPackages
from .process import BuildError
from .toolchain import Toolchain

SECONDS_PER_DAY = 86400


def read_words(path: Path) -> list[str]:
    """One word a line; `#` begins a comment."""
    lines = (line.partition("#")[0].strip() for line in path.read_text().splitlines())
    return [line for line in lines if line]


def kernel_of(debs: Sequence[Deb]) -> Deb:
    """The kernel itself among the packages that the metapackage comes to."""
    kernels = [deb for deb in debs if re.match(r"linux-image-\d", deb.name)]
    if len(kernels) != 1:
        raise BuildError("one kernel is needed, but the package list comes to "
                         + (", ".join(deb.name for deb in kernels) or "none"))
    return kernels[0]


def release_of(kernel: Deb) -> str:
    return kernel.name.removeprefix("linux-image-")


def sysusers_lines(toolchain: Toolchain, own: Sequence[Path]) -> str:
    """What our packages say about users. They must exist before Debian's packages are set up: those
    take a user of their name as it is, else they make one with a number of their own choice."""
    text = ""
    for path in own:
        listing = toolchain.output(["dpkg-deb", "--contents", toolchain.inside(path)])
        for name in re.findall(r" \./(usr/lib/sysusers\.d/\S+\.conf)$", listing, re.MULTILINE):
            text += toolchain.output(
                ["sh", "-c", 'dpkg-deb --fsys-tarfile "$1" | tar -xO "./$2"', "sh",
                 toolchain.inside(path), name])
    return text


class Base:
    """Debian's part. Kept as a tar file beside the kernel's files."""

    def __init__(self, place: Path, key: str, release: str, cached: bool) -> None:
        self.place = place
        self.key = key
        self.release = release
        self.cached = cached

    @property
    def tar(self) -> Path:
        return self.place / "base.tar"

    @property
    def vmlinuz(self) -> Path:
        return self.place / "vmlinuz"


def make_base(debs: Sequence[Deb], own: OwnPackages, chosen: Sequence[Path], archive: Archive,
              toolchain: Toolchain, cache: Cache, data: Path) -> Base:
    """`debs` with the kernel among them; `data` is the folder with excludes and kernel-excludes."""
    users = sysusers_lines(toolchain, chosen)
    kernel = kernel_of(debs)
    config, excludes = data / "excludes", data / "kernel-excludes"
    key = hash_of([toolchain.key, hash_of_recipe(["bootstrap", "tree"]), users, str(own.date),
                   config.read_bytes(), excludes.read_bytes(), *(deb.line for deb in debs)])
    place = cache.find("base", key)
    if place is not None:
        return Base(place, key, release_of(kernel), True)
    work = cache.begin("base-tree")
    (cache.work / "users.conf").write_text(users)
    system = [deb for deb in debs if not deb.name.startswith("linux-image-")]
    bootstrap.make_archive(cache.work / "base-archive", archive.pool, system)
    inside = toolchain.inside
    toolchain.run(
        bootstrap.command(Path(inside(cache.work / "base-archive")), Path(inside(work)), system, [
            f"--dpkgopt={inside(config)}",
            f'--essential-hook=systemd-sysusers --root="$1" {inside(cache.work / "users.conf")}']),
        environment={"SOURCE_DATE_EPOCH": str(own.date)}, what="installing Debian's packages")
    result = cache.begin("base")
    add_kernel(kernel, archive.pool, work, result, excludes, toolchain)
    toolchain.run(["tar", "--sort=name", "--numeric-owner", "--xattrs", "-C", inside(work),
                   "-cf", inside(result / "base.tar"), "."], what="keeping the base")
    return Base(cache.finish(result, "base", key), key, release_of(kernel), False)


def add_kernel(kernel: Deb, pool: Path, tree: Path, result: Path, excludes: Path,
               toolchain: Toolchain) -> None:
    """The kernel's modules go into the tree, the kernel itself beside it: its package is taken apart,
    not installed, as it would ask for a program that makes initramfs images. Modules are kept
    uncompressed: the file system compresses, and one decompression at boot is enough."""
    inside, release = toolchain.inside, release_of(kernel)
    (tree.parent / "kernel").mkdir()
    unpacked = tree.parent / "kernel"
    toolchain.run(["dpkg-deb", "-x", inside(pool / kernel.file), inside(unpacked)])
    shutil.move(unpacked / f"boot/vmlinuz-{release}", result / "vmlinuz")
    modules = unpacked / "usr/lib/modules" / release
    for pattern in read_words(excludes):
        found = list(modules.glob(f"kernel/{pattern}"))
        if not found:
            raise BuildError(f"{excludes.name}: the kernel has no {pattern}; is the line still right?")
        for path in found:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    toolchain.run(["sh", "-c", 'find "$1" -name "*.ko.xz" -print0 | xargs -0 -r -P "$(nproc)" '
                   '-n 64 xz -d', "sh", inside(modules)], what="unpacking the kernel's modules")
    copyright_file = unpacked / "usr/share/doc" / kernel.name / "copyright"
    (tree / "usr/share/doc" / kernel.name).mkdir(parents=True, exist_ok=True)
    shutil.copyfile(copyright_file, tree / "usr/share/doc" / kernel.name / "copyright")
    (tree / "usr/lib/modules").mkdir(exist_ok=True)
    shutil.move(modules, tree / "usr/lib/modules" / release)
    toolchain.run(["depmod", "-b", inside(tree), release], what="indexing the kernel's modules")


def install_own(chosen: Sequence[Path], tree: Path, toolchain: Toolchain, date: int) -> None:
    """Our packages, with dpkg in the tree. No service starts: policy-rc.d says no while it runs."""
    inside = toolchain.inside
    guard = tree / "usr/sbin/policy-rc.d"
    guard.write_text("#!/bin/sh\nexit 101\n")
    guard.chmod(0o755)
    folder = tree / "var/cache/lethe-packages"
    folder.mkdir()
    for path in chosen:
        shutil.copyfile(path, folder / path.name)
    toolchain.run(["chroot", inside(tree), "dpkg", "--install",
                   *(f"/var/cache/lethe-packages/{path.name}" for path in chosen)],
                  environment={"SOURCE_DATE_EPOCH": str(date)}, what="installing our packages")
    shutil.rmtree(folder)
    guard.unlink()


def write_build_date(tree: Path, date: int) -> None:
    """The floor of the clock: before this it cannot be (lethe-clock(8)). One line, in seconds."""
    path = tree / "usr/lib/lethe/build-date"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{date}\n")
    path.chmod(0o644)


def make_tree(base: Base, own: OwnPackages, chosen: Sequence[Path], toolchain: Toolchain,
              cache: Cache) -> Path:
    """The final tree, in the scratch folder."""
    tree = cache.begin("tree")
    inside = toolchain.inside
    toolchain.run(["tar", "--numeric-owner", "--xattrs", "--xattrs-include=*", "-C", inside(tree),
                   "-xpf", inside(base.tar)], what="unpacking the base")
    if chosen:
        install_own(chosen, tree, toolchain, own.date)
    write_build_date(tree, own.date)
    if any((tree / "usr/lib/systemd/system-preset").glob("*lethe*.preset")):
        toolchain.run(["chroot", inside(tree), "systemctl", "preset-all"],
                      what="enabling what the presets say")
    clean(tree, own.date // SECONDS_PER_DAY)
    return tree
