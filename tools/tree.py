# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of this tree, for the checkers; without git, because a checkout may belong to anyone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

# Made by builds and runs, never part of the tree; see .gitignore.
MADE_FOLDERS = {".git", "__pycache__", "out", "build", ".pytest_cache"}
MADE_PREFIX = "build-"


def is_made(name: str) -> bool:
    return name in MADE_FOLDERS or name.startswith(MADE_PREFIX)


def walk(root: Path) -> Iterator[Path]:
    """Every file, sorted, as a path relative to @root. Symbolic links are not followed."""
    pending = [root]
    while pending:
        folder = pending.pop()
        for path in sorted(folder.iterdir(), reverse=True):
            if path.is_symlink():
                continue
            if path.is_dir():
                if not is_made(path.name):
                    pending.append(path)
            elif path.is_file() and not path.name.endswith(".pyc"):
                yield path.relative_to(root)


def read_text(path: Path) -> str | None:
    """The text of a file, or None if it is not text (test data may be anything)."""
    data = path.read_bytes()
    if b"\0" in data:
        return None
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return None
