# SPDX-License-Identifier: GPL-3.0-or-later
"""The first file system, which the kernel starts in: init, the filter's program, storage modules and
the list of them. No network driver, no shell."""

from __future__ import annotations

import lzma
from pathlib import Path

from . import cpio, modules
from .process import BuildError
from .toolchain import Toolchain

PROGRAMS = {"init": "init", "sbin/lethe-wall": "lethe-wall"}  # there: in usr/lib/lethe/initramfs
FOLDERS = ("dev", "lib", "lib/lethe", "lib/lethe/modules", "newroot", "proc", "run", "sbin", "sys")
COMPRESSION = ("zstd", "-12", "--no-progress", "--quiet", "--single-thread", "--force")


def module_data(path: Path) -> bytes:
    """As the kernel takes it, its signature at the end."""
    data = path.read_bytes()
    return lzma.decompress(data) if path.suffix == ".xz" else data


def entries(tree: Path, release: str, wishes: str) -> list[cpio.Entry]:
    """What goes in. BuildError if a program or a module of it is not in the tree."""
    kernel = tree / "usr/lib/modules" / release
    chosen = modules.choose(modules.parse_wishes(wishes), modules.read_index(kernel))
    found = [cpio.Entry(name, 0o755) for name in FOLDERS]
    for name, source in sorted(PROGRAMS.items()):
        path = tree / "usr/lib/lethe/initramfs" / source
        if not path.is_file():
            raise BuildError(f"the tree has no /{path.relative_to(tree)}: is lethe-live in it?")
        found.append(cpio.Entry(name, 0o755, path.read_bytes()))
    for module in chosen:
        data = module_data(kernel / module.path)
        found.append(cpio.Entry(f"lib/lethe/modules/{module.file}", 0o644, data))
    found.append(cpio.Entry("lib/lethe/modules.list", 0o644, modules.list_text(chosen).encode()))
    return found


def make(tree: Path, release: str, wishes: Path, target: Path, date: int,
         toolchain: Toolchain) -> None:
    plain = target.with_suffix(".cpio")
    plain.write_bytes(cpio.write(entries(tree, release, wishes.read_text()), date))
    toolchain.run([*COMPRESSION, "-o", toolchain.inside(target), toolchain.inside(plain)],
                  what="compressing the first file system")
    plain.unlink()
