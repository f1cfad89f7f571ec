# SPDX-License-Identifier: GPL-3.0-or-later
"""What differs between two ISOs: which of their files, and if the root image does, which of its."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from .cache import hash_of_file
from .toolchain import Toolchain

LIMIT = 40


def describe(path: Path) -> str:
    """Everything about one file that an image keeps."""
    info = path.lstat()
    text = f"{stat.filemode(info.st_mode)} {info.st_uid}:{info.st_gid} {int(info.st_mtime)}"
    if stat.S_ISLNK(info.st_mode):
        return f"{text} -> {os.readlink(path)}"
    return f"{text} {hash_of_file(path)}" if stat.S_ISREG(info.st_mode) else text


def listing(root: Path) -> dict[str, str]:
    found = {}
    for folder, folders, files in os.walk(root):
        for name in folders + files:
            path = Path(folder) / name
            found[path.relative_to(root).as_posix()] = describe(path)
    return found


def differences(one: dict[str, str], two: dict[str, str]) -> list[str]:
    """One line for each path that is not the same in both."""
    lines = []
    for name in sorted(one.keys() | two.keys()):
        if name not in two:
            lines.append(f"only in the first: {name}")
        elif name not in one:
            lines.append(f"only in the second: {name}")
        elif one[name] != two[name]:
            lines.append(f"{name}\n    {one[name]}\n    {two[name]}")
    return lines


def explain(isos: tuple[Path, Path], work: Path, toolchain: Toolchain) -> list[str]:
    """Take both ISOs apart below `work` and compare. An empty list: the difference is outside of
    files, in the ISO's own structures."""
    trees = []
    for number, iso in enumerate(isos):
        tree = work / f"files-{number}"
        toolchain.run(["xorriso", "-osirrox", "on", "-indev", toolchain.inside(iso), "-extract", "/",
                       toolchain.inside(tree)], what="taking an ISO apart")
        trees.append(tree)
    lines = differences(listing(trees[0]), listing(trees[1]))
    if any(line.startswith("lethe/root.img") for line in lines):
        roots = []
        for number, tree in enumerate(trees):
            root = work / f"root-{number}"
            toolchain.run(["unsquashfs", "-quiet", "-no-progress", "-dest", toolchain.inside(root),
                           toolchain.inside(tree / "lethe/root.img")],
                          what="taking a root image apart")
            roots.append(listing(root))
        lines += [f"in root.img: {line}" for line in differences(roots[0], roots[1])]
    return lines
