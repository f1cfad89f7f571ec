# SPDX-License-Identifier: GPL-3.0-or-later
"""Somebody in Tor's place at its control socket, who is told how to connect and never does by himself; and
who can say things late, as Tor may: it queues its events, and answers a command before it sends them."""

from __future__ import annotations

import os
import socket
import threading

from .connecting import TOR_USER, Tor

ESTABLISHED = b"650 STATUS_CLIENT NOTICE CIRCUIT_ESTABLISHED\r\n"


class ToldTor:
    """Like a Tor that was at 100 % before. @networked, @connected: how it is found; @late: events that
    come right after the answer by which it has lost its network."""

    def __init__(self, place: Tor, connected: bool = False, late: bytes = b"") -> None:
        self.networked = self.connected = connected
        self.late = late
        self._cookie = os.urandom(32)
        self._listener = socket.socket(socket.AF_UNIX)
        self._connection: socket.socket | None = None
        place.control.parent.mkdir(mode=0o755)
        place.cookie.write_bytes(self._cookie)
        self._listener.bind(str(place.control))
        os.chown(place.cookie, TOR_USER, TOR_USER)
        os.chown(place.control, TOR_USER, TOR_USER)
        self._listener.listen(1)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def __enter__(self) -> ToldTor:
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        if self._connection:
            self._connection.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()

    def connect(self) -> None:
        """It has a circuit now."""
        self.connected = True
        self._connection.sendall(ESTABLISHED)

    def _serve(self) -> None:
        while True:
            try:
                self._connection, _ = self._listener.accept()
            except OSError:
                return
            with self._connection, self._connection.makefile("rb") as lines:
                for line in lines:
                    self._connection.sendall(self._answer(line.decode().split()))

    def _answer(self, words: list[str]) -> bytes:
        match words:
            case ["PROTOCOLINFO", *_]:
                return b"250-PROTOCOLINFO 1\r\n250-AUTH METHODS=COOKIE\r\n250 OK\r\n"
            case ["GETCONF", "DisableNetwork"]:
                return b"250 DisableNetwork=%d\r\n" % (not self.networked)
            case ["GETCONF", "UseBridges"]:
                return b"250 UseBridges=0\r\n"
            case ["GETCONF", option]:
                return b"250 %s\r\n" % option.encode()
            case ["GETINFO", "status/bootstrap-phase" as key]:
                return self._info(key, 'NOTICE BOOTSTRAP PROGRESS=100 TAG=done SUMMARY="Done"')
            case ["GETINFO", key]:
                return self._info(key, str(int(self.connected)))
            case ["SETCONF", "DisableNetwork=1", *_]:
                self.networked = self.connected = False
                return b"250 OK\r\n" + self.late
            case ["SETCONF", "DisableNetwork=0", *_]:
                self.networked = True
        return b"250 OK\r\n"

    @staticmethod
    def _info(key: str, value: str) -> bytes:
        return f"250-{key}={value}\r\n250 OK\r\n".encode()
