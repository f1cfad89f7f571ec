# SPDX-License-Identifier: GPL-3.0-or-later
"""device-mapper by hand, for tests that change under a live system what it runs from. There is no
dmsetup in the image. Runs inside the machine, as root."""

from __future__ import annotations

import fcntl
import struct

_CONTROL = "/dev/mapper/control"
_CREATE, _SUSPEND, _TABLE_LOAD, _TABLE_STATUS = 3, 6, 9, 12
_READ_ONLY, _STATUS_TABLE = 1 << 0, 1 << 4
_HEADER = struct.Struct("=3I I I I i I I I Q 128s 129s 7x")
_TARGET = struct.Struct("=Q Q i I 16s")
_BUFFER = 16384


def table(name: str) -> tuple[int, str, str]:
    """Sectors, type and parameters of the one target of the live table of @name."""
    answer = _ask(_TABLE_STATUS, name, _STATUS_TABLE)
    start = _HEADER.unpack_from(answer)[4]
    _, sectors, _, _, kind = _TARGET.unpack_from(answer, start)
    text = answer[start + _TARGET.size:].split(b"\0")[0]
    return sectors, kind.rstrip(b"\0").decode(), text.decode()


def create(name: str, sectors: int, kind: str, parameters: str) -> None:
    """A new mapping with one target, in use at once."""
    _ask(_CREATE, name, 0)
    replace(name, sectors, kind, parameters)


def replace(name: str, sectors: int, kind: str, parameters: str) -> None:
    """Put another table in place. OSError: the kernel refused it."""
    text = parameters.encode() + b"\0"
    text += bytes(-len(text) % 8)
    target = _TARGET.pack(0, sectors, 0, _TARGET.size + len(text), kind.encode())
    _ask(_TABLE_LOAD, name, _READ_ONLY, target + text)
    _ask(_SUSPEND, name, _READ_ONLY)  # without the flag "suspend": resume, with the new table


def _ask(command: int, name: str, flags: int, target: bytes = b"") -> bytes:
    header = _HEADER.pack(4, 0, 0, _BUFFER, _HEADER.size, 1 if target else 0, 0, flags, 0, 0, 0,
                          name.encode(), b"")
    buffer = bytearray((header + target).ljust(_BUFFER, b"\0"))
    request = 3 << 30 | _HEADER.size << 16 | 0xFD << 8 | command
    with open(_CONTROL, "r+b", buffering=0) as control:
        fcntl.ioctl(control, request, buffer)
    return bytes(buffer)
