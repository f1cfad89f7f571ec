# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the archive format the kernel unpacks its first file system from ("newc"). Everything
belongs to root, bears one date, and stands in the given order: equal input, equal bytes."""

from __future__ import annotations

import stat
from dataclasses import dataclass

TRAILER = "TRAILER!!!"


@dataclass(frozen=True)
class Entry:
    """A folder if `data` is None, else a file. `path` has no leading slash."""
    path: str
    mode: int
    data: bytes | None = None


def _pad(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 4)


def _record(number: int, path: str, mode: int, links: int, date: int, data: bytes) -> bytes:
    name = path.encode() + b"\0"
    fields = (number, mode, 0, 0, links, date, len(data), 0, 0, 0, 0, len(name), 0)
    header = b"070701" + b"".join(b"%08X" % field for field in fields)
    return _pad(header + name) + _pad(data)


def write(entries: list[Entry], date: int) -> bytes:
    """Raises ValueError for a path twice, an absolute one, or a file whose folder comes later."""
    seen: set[str] = set()
    out = []
    for number, entry in enumerate(entries, 1):
        parent = entry.path.rpartition("/")[0]
        if entry.path in seen or entry.path.startswith("/") or (parent and parent not in seen):
            raise ValueError(f"cpio: {entry.path} cannot stand here")
        seen.add(entry.path)
        kind = stat.S_IFDIR if entry.data is None else stat.S_IFREG
        links = 2 if entry.data is None else 1
        out.append(_record(number, entry.path, kind | entry.mode, links, date, entry.data or b""))
    out.append(_record(0, TRAILER, 0, 1, 0, b""))
    return b"".join(out)
