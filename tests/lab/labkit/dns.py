# SPDX-License-Identifier: GPL-3.0-or-later
"""A name server that has one answer, and the questions that tests ask it."""

from __future__ import annotations

import secrets
import socket
import struct

TYPE_A, TYPE_AAAA = 1, 28
_NOERROR, _NXDOMAIN, _FORMERR = 0, 3, 1
_RESPONSE = 0x8400  # an authoritative answer


def query(name: str, kind: int = TYPE_A, identity: int | None = None) -> bytes:
    if identity is None:
        identity = secrets.randbelow(1 << 16)
    labels = b"".join(bytes([len(part)]) + part.encode("ascii") for part in name.split("."))
    head = struct.pack("!6H", identity, 0x0100, 1, 0, 0, 0)
    return head + labels + struct.pack("!BHH", 0, kind, 1)


def addresses(response: bytes) -> list[str]:
    """The A and AAAA records of an answer."""
    count = struct.unpack_from("!H", response, 6)[0]
    offset = _skip_name(response, 12) + 4
    found = []
    for _ in range(count):
        offset = _skip_name(response, offset)
        kind, _, _, size = struct.unpack_from("!HHIH", response, offset)
        data = response[offset + 10 : offset + 10 + size]
        if kind == TYPE_A and size == 4:
            found.append(socket.inet_ntop(socket.AF_INET, data))
        elif kind == TYPE_AAAA and size == 16:
            found.append(socket.inet_ntop(socket.AF_INET6, data))
        offset += 10 + size
    return found


def asked_name(question: bytes) -> str:
    """The name that a question is about, as text; of a question that has been answered."""
    end = _skip_name(question, 12)
    labels, at = [], 12
    while at < end - 1:
        labels.append(question[at + 1 : at + 1 + question[at]].decode("ascii", errors="replace"))
        at += 1 + question[at]
    return ".".join(labels)


def answer(question: bytes, address: str, address6: str) -> bytes | None:
    """The answer to one question; None for what is none. Every name exists but onion names."""
    if len(question) < 17 or question[2] & 0x80:
        return None
    identity, _, count = struct.unpack_from("!3H", question)
    try:
        end = _skip_name(question, 12) + 4
        kind = struct.unpack_from("!H", question, end - 4)[0]
    except (IndexError, struct.error):
        return struct.pack("!6H", identity, _RESPONSE | _FORMERR, 0, 0, 0, 0)
    asked = question[12:end]
    if count != 1:
        return struct.pack("!6H", identity, _RESPONSE | _FORMERR, 0, 0, 0, 0)
    if b"\x05onion\x00" in asked.lower():
        return struct.pack("!6H", identity, _RESPONSE | _NXDOMAIN, 1, 0, 0, 0) + asked
    data = {
        TYPE_A: socket.inet_pton(socket.AF_INET, address),
        TYPE_AAAA: socket.inet_pton(socket.AF_INET6, address6),
    }.get(kind)
    record = b""
    if data:
        record = struct.pack("!HHHIH", 0xC00C, kind, 1, 60, len(data)) + data
    counts = (1, 1 if data else 0, 0, 0)
    return struct.pack("!6H", identity, _RESPONSE | _NOERROR, *counts) + asked + record


def _skip_name(message: bytes, offset: int) -> int:
    while True:
        size = message[offset]
        if size & 0xC0 == 0xC0:
            return offset + 2
        if size == 0:
            return offset + 1
        offset += 1 + size
