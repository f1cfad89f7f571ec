# SPDX-License-Identifier: GPL-3.0-or-later
"""A service on a message bus, byte by byte: as much of the D-Bus protocol as a test needs to stand in for
NetworkManager. It answers one method, and sends signals."""

from __future__ import annotations

import os
import socket
import struct
import threading
from collections.abc import Callable
from typing import Any

from .wait import wait_for

_CALL, _RETURN, _ERROR, _SIGNAL = 1, 2, 3, 4
_PATH, _INTERFACE, _MEMBER, _NAME, _REPLY, _TO, _SENDER, _TYPES = 1, 2, 3, 4, 5, 6, 7, 8
_FAILED = "org.freedesktop.DBus.Error.Failed"
_ALIGN = {"y": 1, "g": 1, "v": 1, "b": 4, "i": 4, "u": 4, "s": 4, "o": 4, "a": 4, "t": 8, "(": 8, "{": 8}


def _split(types: str) -> list[str]:
    """The complete types of a signature."""
    found, at = [], 0
    while at < len(types):
        end = at
        while types[end] == "a":
            end += 1
        if types[end] in "({":
            depth = 0
            while True:
                depth += (types[end] in "({") - (types[end] in ")}")
                if depth == 0:
                    break
                end += 1
        found.append(types[at : end + 1])
        at = end + 1
    return found


def _pad(out: bytearray, size: int) -> None:
    out += bytes(-len(out) % size)


def put(out: bytearray, kind: str, value: Any) -> None:
    """Append @value as the type @kind. A variant is a pair of type and value."""
    _pad(out, _ALIGN[kind[0]])
    if kind in "so":
        data = value.encode()
        out += struct.pack("<I", len(data)) + data + b"\0"
    elif kind == "g":
        out += bytes([len(value)]) + value.encode() + b"\0"
    elif kind in "ybiut":
        out += struct.pack("<" + {"y": "B", "b": "I", "i": "i", "u": "I", "t": "Q"}[kind], value)
    elif kind == "v":
        put(out, "g", value[0])
        put(out, value[0], value[1])
    elif kind[0] == "a":
        inner = bytearray(len(out) + 4)  # so that it is aligned as it will be
        _pad(inner, _ALIGN[kind[1]])
        start = len(inner)
        for entry in value.items() if kind[1] == "{" else value:
            put(inner, kind[1:], entry)
        out += struct.pack("<I", len(inner) - start) + inner[len(out) + 4 :]
    else:
        for part, entry in zip(_split(kind[1:-1]), value, strict=True):
            put(out, part, entry)


def _take(data: bytes, at: int, kind: str) -> tuple[Any, int]:
    """What the header's fields are made of."""
    at += -at % _ALIGN[kind]
    if kind in "so":
        size = struct.unpack_from("<I", data, at)[0]
        return data[at + 4 : at + 4 + size].decode(), at + 5 + size
    if kind == "g":
        return data[at + 1 : at + 1 + data[at]].decode(), at + 2 + data[at]
    if kind == "u":
        return struct.unpack_from("<I", data, at)[0], at + 4
    raise ValueError(f"a header field of type {kind}")


class Service:
    """Owns @name at the bus's socket @path, and answers @method with what @answer returns, or with an error if
    that is None."""

    def __init__(self, path: str, name: str, method: str, types: str,
                 answer: Callable[[], Any]) -> None:
        self._method, self._types, self._answer = method, types, answer
        self._serial, self._lock, self.asked = 0, threading.Lock(), 0
        self._socket = socket.socket(socket.AF_UNIX)
        # The bus has its socket a moment before it listens.
        wait_for(lambda: self._socket.connect_ex(path) == 0, 60.0, "the message bus")
        identity = str(os.getuid()).encode().hex()
        self._socket.sendall(f"\0AUTH EXTERNAL {identity}\r\n".encode())
        assert self._socket.recv(4096).startswith(b"OK")
        self._socket.sendall(b"BEGIN\r\n")
        bus = {_PATH: ("o", "/org/freedesktop/DBus"), _INTERFACE: ("s", "org.freedesktop.DBus"),
               _TO: ("s", "org.freedesktop.DBus")}
        self._send(_CALL, bus | {_MEMBER: ("s", "Hello")}, "", ())
        self._send(_CALL, bus | {_MEMBER: ("s", "RequestName")}, "su", (name, 4))
        threading.Thread(target=self._serve, daemon=True).start()

    def signal(self, path: str, interface: str, member: str, types: str, *values: Any) -> None:
        fields = {_PATH: ("o", path), _INTERFACE: ("s", interface), _MEMBER: ("s", member)}
        self._send(_SIGNAL, fields, types, values)

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _send(self, kind: int, fields: dict[int, Any], types: str, values: tuple) -> None:
        body, head = bytearray(), bytearray()
        for part, value in zip(_split(types), values, strict=True):
            put(body, part, value)
        if types:
            fields = fields | {_TYPES: ("g", types)}
        with self._lock:
            self._serial += 1
            head += struct.pack("<cBBBII", b"l", kind, 0, 1, len(body), self._serial)
            put(head, "a(yv)", list(fields.items()))
            _pad(head, 8)
            self._socket.sendall(head + body)

    def _serve(self) -> None:
        while head := self._exactly(16):
            body_size, _, fields_size = struct.unpack_from("<III", head, 4)
            rest = self._exactly(fields_size + -fields_size % 8 + body_size)
            fields, at = {}, 16
            data = head + rest
            while at < 16 + fields_size:
                at += -at % 8
                number = data[at]
                kind, at = _take(data, at + 1, "g")
                fields[number], at = _take(data, at, kind)
            if head[1] == _CALL and fields.get(_MEMBER) == self._method:
                self.asked += 1
                to = {_REPLY: ("u", struct.unpack_from("<I", head, 8)[0]), _TO: ("s", fields[_SENDER])}
                answer = self._answer()
                if answer is None:
                    self._send(_ERROR, to | {_NAME: ("s", _FAILED)}, "", ())
                else:
                    self._send(_RETURN, to, self._types, (answer,))

    def _exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            try:
                piece = self._socket.recv(size - len(data))
            except OSError:
                return b""
            if not piece:
                return b""
            data += piece
        return data
