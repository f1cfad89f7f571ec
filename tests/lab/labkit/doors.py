# SPDX-License-Identifier: GPL-3.0-or-later
"""UNIX sockets that answer what a test wants: status doors, and somebody at Tor's place."""

from __future__ import annotations

import json
import shutil
import socket
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

SECONDS = 120.0

# What serves a connection to a door.
Server = Callable[[socket.socket], None]


def says(answer: object) -> Server:
    data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    return lambda connection: connection.sendall(data)


def is_silent(connection: socket.socket) -> None:
    connection.recv(1)  # nobody writes to a door, so this is the end of the connection


def is_endless(connection: socket.socket) -> None:
    while True:
        connection.sendall(b"{" * 4096)


def drain(connection: socket.socket) -> None:
    while connection.recv(4096):
        pass


def tells(data: bytes) -> Server:
    """Talk first, and then listen for as long as the other does."""

    def serve(connection: socket.socket) -> None:
        connection.sendall(data)
        drain(connection)

    return serve


class Doors:
    """A folder of sockets, and a thread for each connection."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="lethe-doors-"))
        self.folder.chmod(0o755)
        self._listeners: list[socket.socket] = []
        self._threads: list[threading.Thread] = []

    def open(self, name: str, server: Server) -> Path:
        path = self.folder / name
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(path))
        path.chmod(0o666)
        listener.listen(8)
        self._listeners.append(listener)
        self._start(lambda: self._accept(listener, server))
        return path

    def close(self) -> None:
        for listener in self._listeners:
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        for thread in self._threads:
            thread.join(SECONDS)
            assert not thread.is_alive()
        shutil.rmtree(self.folder)

    def _start(self, body: Callable[[], None]) -> None:
        thread = threading.Thread(target=body, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self, listener: socket.socket, server: Server) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            self._start(lambda connection=connection: self._serve(connection, server))

    @staticmethod
    def _serve(connection: socket.socket, server: Server) -> None:
        with connection:
            try:
                server(connection)
            except OSError:
                pass  # the command went away first
