# SPDX-License-Identifier: GPL-3.0-or-later
"""Capture files: read to the last byte or not at all.

A capture that was cut proves nothing about what would have come after the cut, so anything but
whole frames from the first byte of the file to the last is an error.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

HEADER_BYTES, _RECORD_BYTES = 24, 16
_LINK_ETHERNET = 1
_MICROSECONDS, _NANOSECONDS = 0xA1B2C3D4, 0xA1B23C4D
_SNAP_BYTES = 262144


class CaptureError(RuntimeError):
    """A capture that cannot be judged: missing, of another kind, or cut."""


@dataclass(frozen=True)
class Record:
    time_ns: int
    data: bytes


def read(path: Path) -> list[Record]:
    """Every frame of the file. CaptureError if it is not a whole capture of Ethernet frames."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise CaptureError(f"cannot read the capture {path}: {error.strerror}") from None
    order, unit = _header(path, content)
    records, offset = [], HEADER_BYTES
    while offset < len(content):
        if len(content) - offset < _RECORD_BYTES:
            raise _cut(path, len(records))
        fields = struct.unpack_from(f"{order}IIII", content, offset)
        seconds, fraction, kept, length = fields
        offset += _RECORD_BYTES
        if kept != length:
            raise CaptureError(
                f"{path}: frame {len(records) + 1} had {length} bytes, {kept} were recorded"
            )
        if len(content) - offset < kept:
            raise _cut(path, len(records))
        records.append(Record(seconds * 10**9 + fraction * unit, content[offset : offset + kept]))
        offset += kept
    return records


def write(path: Path, records: Iterable[Record]) -> None:
    """A capture file with nanoseconds."""
    with open(path, "wb") as output:
        output.write(
            struct.pack("<IHHiIII", _NANOSECONDS, 2, 4, 0, 0, _SNAP_BYTES, _LINK_ETHERNET)
        )
        for record in records:
            seconds, fraction = divmod(record.time_ns, 10**9)
            size = len(record.data)
            output.write(struct.pack("<IIII", seconds, fraction, size, size) + record.data)


def _header(path: Path, content: bytes) -> tuple[str, int]:
    """The byte order and the unit of the fraction of a second, in nanoseconds."""
    if len(content) < HEADER_BYTES:
        raise CaptureError(f"{path}: {len(content)} bytes are no capture, not even its header")
    for order in "<", ">":
        magic, major = struct.unpack_from(f"{order}IH", content)
        if magic in (_MICROSECONDS, _NANOSECONDS):
            link = struct.unpack_from(f"{order}I", content, 20)[0]
            if major != 2 or link != _LINK_ETHERNET:
                raise CaptureError(f"{path}: version {major}, link type {link}: not Ethernet")
            return order, 1000 if magic == _MICROSECONDS else 1
    raise CaptureError(f"{path}: not a capture file")


def _cut(path: Path, whole: int) -> CaptureError:
    return CaptureError(f"{path}: the file ends within frame {whole + 1}: it was cut")
