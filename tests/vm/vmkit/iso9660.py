# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the files of an ISO 9660 image are. Reads what our own builder wrote; no more than that."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

SECTOR = 2048
_DESCRIPTOR = 16 * SECTOR
_DIRECTORY_FLAG = 2
_DIRECTORY_CAP = 1 << 20  # bytes; one of ours has a few hundred


@dataclass(frozen=True)
class Extent:
    """A run of bytes of the image."""

    start: int
    length: int

    @property
    def end(self) -> int:
        return self.start + self.length


def find(image: Path, path: str) -> Extent:
    """The bytes of the file @path. FileNotFoundError, or ValueError for what is no ISO image."""
    with image.open("rb") as file:
        entry = _root(file)
        for name in path.strip("/").split("/"):
            entry = _lookup(file, entry, name, path)
    return entry


def _root(file: BinaryIO) -> Extent:
    file.seek(_DESCRIPTOR)
    descriptor = file.read(SECTOR)
    if descriptor[:6] != b"\x01CD001":
        raise ValueError(f"{file.name}: no ISO 9660 image")
    return _extent(descriptor[156:190])


def _lookup(file: BinaryIO, directory: Extent, name: str, path: str) -> Extent:
    for found, extent in _entries(file, directory):
        if found == name:
            return extent
    raise FileNotFoundError(f"{file.name}: has no {path}")


def _entries(file: BinaryIO, directory: Extent) -> Iterator[tuple[str, Extent]]:
    if directory.length > _DIRECTORY_CAP:
        raise ValueError(f"{file.name}: a directory of {directory.length} bytes")
    file.seek(directory.start)
    data = file.read(directory.length)
    position = 0
    while position < len(data):
        length = data[position]
        if length == 0:  # an entry never crosses a sector; the rest of this one is empty
            position = (position // SECTOR + 1) * SECTOR
            continue
        record = data[position:position + length]
        yield _name(record), _extent(record)
        position += length


def _extent(record: bytes) -> Extent:
    return Extent(int.from_bytes(record[2:6], "little") * SECTOR,
                  int.from_bytes(record[10:14], "little"))


def _name(record: bytes) -> str:
    """The Rock Ridge name if there is one, else the ISO name without version."""
    length = record[32]
    plain = record[33:33 + length].decode("ascii", "replace").split(";")[0].rstrip(".")
    area = record[33 + length + (length + 1) % 2:]
    while len(area) >= 4 and area[2] >= 4:
        if area[:2] == b"NM":
            return area[5:area[2]].decode("utf-8", "replace")
        area = area[area[2]:]
    return plain
