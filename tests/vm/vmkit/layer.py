# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests bring into the machine from outside: the laboratory layer and its tools.

The layer is a few kilobytes: units, the agent's start, the lab's Tor authorities, and whatever a
test adds. The machine reads it from QEMU's fw_cfg, and that is slow: Linux gives such a file a page
at a time and counts from its beginning for each, so that the time grows with the square of the
size (1 MiB took 7 s under emulation, 64 KiB 0.05 s). So Python, labkit and the agent are on a disk
beside it, which the layer's own unit mounts. Without the layer nothing looks at that disk.

Both are built with the same bits from the same input.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from labkit import names, torkeys
from labkit.locked import locked

if TYPE_CHECKING:
    from labkit.lab import Lab

DISK_SERIAL = "lethe-laboratory"
# Above this the machine would spend more than a second on reading it.
LAYER_BYTES = 256 << 10
CACHE_DIRECTORY = Path(os.environ.get("LETHE_VM_CACHE", "/var/cache/lethe/vm"))
IMAGE_CACHE = Path("/var/cache/lethe/image")
AGENT_DIRECTORY = Path(__file__).resolve().parent.parent / "agent"
SECONDS = 300.0

_PYTHON = "python3.13"
_NOT_NEEDED = ("test", "idlelib", "tkinter", "turtledemo", "ensurepip", "pydoc_data", "turtle.py",
               "__pycache__", "lib2to3", "sitecustomize.py", "EXTERNALLY-MANAGED")  # fmt: skip
_LIBRARIES = ("libexpat.so.1", "libz.so.1", "libffi.so.8")
_SQUASHFS = ("-noappend", "-all-root", "-all-time", "0", "-mkfs-time", "0", "-no-xattrs",
             "-no-exports", "-quiet", "-no-progress", "-processors", "1")  # fmt: skip


class LayerError(RuntimeError):
    """The layer could not be built; the text says what was attempted."""


@dataclass(frozen=True)
class File:
    """A file of the layer, root's."""

    content: str
    mode: int = 0o644


@dataclass(frozen=True)
class Link:
    """A symbolic link of the layer."""

    target: str


Files = Mapping[str, "File | Link | str"]  # by absolute path; a string is a File's content


def unit(name: str, text: str, wanted_by: str = "") -> dict[str, File | Link]:
    """A unit for build(), started with @wanted_by if that is given."""
    files: dict[str, File | Link] = {f"/etc/systemd/system/{name}": File(text)}
    if wanted_by:
        files[f"/etc/systemd/system/{wanted_by}.wants/{name}"] = Link(f"../{name}")
    return files


def mask(name: str) -> dict[str, File | Link]:
    """A unit that is not there."""
    return {f"/etc/systemd/system/{name}": Link("/dev/null")}


def build(destination: Path, lab: Lab | None = None, extra: Files | None = None) -> Path:
    """Write the layer to @destination: what every test needs, and over it @extra. Of @lab come
    the Tor authorities; without one there are none. LayerError if it gets too large."""
    with tempfile.TemporaryDirectory(prefix="lethe-layer-") as name:
        tree = Path(name) / "tree"
        _copy_tree(AGENT_DIRECTORY / "layer", tree)
        files: dict[str, File | Link | str] = {}
        if lab is not None:
            files["/etc/tor/torrc.d/laboratory.conf"] = torrc()
        for path, what in (files | dict(extra or {})).items():
            _put(tree, path, what)
        (tree / "opt" / "lethe-laboratory").mkdir(parents=True)
        _plain_modes(tree)
        _squash(tree, destination, "-comp", "zstd", "-Xcompression-level", "15")
    size = destination.stat().st_size
    if size > LAYER_BYTES:
        raise LayerError(f"the laboratory layer has {size} bytes: more than {LAYER_BYTES} would "
                         "take the machine too long to read; put large files elsewhere")
    return destination


def torrc() -> str:
    """What makes the machine's own Tor a client of the lab's network, and nothing else of it."""
    authorities = [a.line() for a in torkeys.authorities(torkeys.directory())]
    lines = ["TestingTorNetwork 1", *authorities, "AutomapHostsSuffixes .onion,.exit,.test"]
    return "\n".join(lines) + "\n"


def tools_arguments(disk: Path) -> tuple[str, ...]:
    """For Spec.more: what offers the disk of tools() to a machine that is offered a layer."""
    path = str(disk).replace(",", ",,")
    return (
        "-drive", f"if=none,id=lab-tools,format=raw,readonly=on,file={path}",
        "-device", f"virtio-blk-pci,drive=lab-tools,serial={DISK_SERIAL}",
    )  # fmt: skip


def toolchain() -> Path:
    """The trixie system that image/build keeps; LETHE_TOOLCHAIN names another one."""
    chosen = os.environ.get("LETHE_TOOLCHAIN")
    if chosen:
        return Path(chosen)
    found = [path for pattern in ("toolchain/*", "*/toolchain/*")
             for path in IMAGE_CACHE.glob(pattern) if (path / "usr/bin" / _PYTHON).exists()]
    if not found:
        raise LayerError(f"no toolchain with {_PYTHON} in {IMAGE_CACHE}: the machine's tools are "
                         "made with the trixie system that image/build keeps; run it first")
    return max(found, key=lambda path: path.stat().st_mtime)


def tools() -> Path:
    """The disk with Python, labkit and the agent. The Python is that of toolchain(). Kept, and
    made anew when something in it changed; by one of those who want it, and the others wait."""
    with locked(CACHE_DIRECTORY):
        return _tools()


def _tools() -> Path:
    system = toolchain()
    python = _python_tree(system)
    digest = hashlib.sha256(python.name.encode())
    for path, source in _sources():
        digest.update(f"{path}\0".encode() + source.read_bytes())
    disk = CACHE_DIRECTORY / f"tools-{digest.hexdigest()[:16]}.squashfs"
    if not disk.exists():
        with _scratch() as scratch:
            tree = scratch / "tree"
            shutil.copytree(python, tree, symlinks=True)
            for path, source in _sources():
                (tree / path).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(source, tree / path)
            _compile(system, tree, "tests")
            _plain_modes(tree)
            _squash(tree, scratch / "disk", "-comp", "zstd", "-Xcompression-level", "6")
            (scratch / "disk").rename(disk)
        _forget_others("tools-*.squashfs", disk)
    return disk


def _sources() -> list[tuple[str, Path]]:
    """Files of this tree that the machine gets, by their path in it."""
    found = [*(names.LAB_DIRECTORY / "labkit").glob("*.py"),
             *(AGENT_DIRECTORY / "labagent").glob("*.py"),
             AGENT_DIRECTORY / "agent", names.PASSWD, names.GROUP]  # fmt: skip
    return sorted((str(path.relative_to(names.SOURCE_ROOT)), path) for path in found)


def _python_tree(system: Path) -> Path:
    """Python with its library, compiled and kept; named by what it was made of."""
    binary, library = system / "usr/bin" / _PYTHON, system / "usr/lib" / _PYTHON
    digest = hashlib.sha256(binary.read_bytes())
    digest.update(Path(__file__).read_bytes())
    kept = CACHE_DIRECTORY / f"python-{digest.hexdigest()[:16]}"
    if kept.is_dir():
        return kept
    with _scratch() as scratch:
        tree = scratch / "tree"
        shutil.copytree(library, tree / "lib" / _PYTHON, symlinks=False,
                        ignore=shutil.ignore_patterns(*_NOT_NEEDED, "config-*", "*test*.so"),
                        ignore_dangling_symlinks=True)  # fmt: skip
        (tree / "bin").mkdir()
        shutil.copy(binary, tree / "bin" / _PYTHON)
        (tree / "bin" / "python3").symlink_to(_PYTHON)
        for library_name in _LIBRARIES:
            found = system / "usr/lib/x86_64-linux-gnu" / library_name
            shutil.copy(found, tree / "lib" / library_name)
        _compile(system, tree, "lib")
        tree.rename(kept)
    _forget_others("python-*", kept)
    return kept


def _compile(system: Path, tree: Path, below: str) -> None:
    """Byte code that is taken without a look at the source's time, which the disk does not keep."""
    script = ('mount --bind "$1" "$2/mnt" && exec chroot "$2" /usr/bin/env -i LC_ALL=C.UTF-8 '
              f'{_PYTHON} -m compileall -q -f --invalidation-mode unchecked-hash '
              '-s /mnt -p /opt/lethe-laboratory "/mnt/$3"')
    _run(["unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh",
          str(tree), str(system), below], "compiling the machine's Python library")  # fmt: skip


@contextmanager
def _scratch() -> Iterator[Path]:
    CACHE_DIRECTORY.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="scratch-", dir=CACHE_DIRECTORY) as name:
        yield Path(name)


def _copy_tree(source: Path, destination: Path) -> None:
    shutil.copytree(source, destination, symlinks=True)


def _put(tree: Path, path: str, what: File | Link | str) -> None:
    if not path.startswith("/") or ".." in path.split("/"):
        raise LayerError(f"not an absolute path of the machine: {path!r}")
    target = tree / path[1:]
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    if isinstance(what, Link):
        target.symlink_to(what.target)
        return
    file = File(what) if isinstance(what, str) else what
    target.write_text(file.content, encoding="utf-8")
    target.chmod(file.mode)


def _plain_modes(tree: Path) -> None:
    """Nobody's umask counts, nor what modes the sources have: readable by all, root's to write."""
    tree.chmod(0o755)
    for path in tree.rglob("*"):
        if path.is_symlink():
            continue
        runs = path.is_dir() or path.stat().st_mode & 0o100
        path.chmod(0o755 if runs else 0o644)


def _squash(tree: Path, destination: Path, *options: str) -> None:
    destination.unlink(missing_ok=True)
    _run(["mksquashfs", str(tree), str(destination), *_SQUASHFS, *options],
         f"packing {destination}")


def _forget_others(pattern: str, current: Path) -> None:
    """Older ones, but not what another run may have begun to use."""
    found = sorted(CACHE_DIRECTORY.glob(pattern), key=lambda path: path.stat().st_mtime)
    for path in [path for path in found if path != current][:-2]:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _run(argv: list[str], what: str) -> None:
    result = subprocess.run(argv, capture_output=True, text=True, errors="replace",
                            timeout=SECONDS, check=False)  # fmt: skip
    if result.returncode != 0:
        raise LayerError(f"{what} failed: `{' '.join(argv)}` gave exit {result.returncode}:\n"
                         f"{result.stdout}{result.stderr}")
