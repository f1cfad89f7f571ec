# SPDX-License-Identifier: GPL-3.0-or-later
"""QEMU's control socket: commands and events, for one machine."""

from __future__ import annotations

import json
import socket
import threading
import time
from pathlib import Path
from typing import Any

COMMAND_DEADLINE = 120.0  # s; saving a picture of a busy machine has taken many


class QmpError(RuntimeError):
    """QEMU refused a command; the text is its own."""


class QmpClosed(RuntimeError):
    """QEMU has ended."""


class Qmp:
    """Safe to use from several threads; each command waits for its own answer."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.connect(str(path))
        self._buffer = bytearray()
        self._lock = threading.RLock()
        self.events: list[dict[str, Any]] = []
        self._message(time.monotonic() + COMMAND_DEADLINE)  # the greeting
        self.command("qmp_capabilities")

    def command(self, name: str, /, timeout: float = COMMAND_DEADLINE, **arguments: Any) -> Any:
        """Execute @name and return its answer. Words are written with _ for - in @arguments.

        QmpError when it is refused, QmpClosed when QEMU has ended, TimeoutError."""
        request: dict[str, Any] = {"execute": name}
        if arguments:
            request["arguments"] = {key.replace("_", "-"): arguments[key] for key in arguments}
        return self.execute(request, timeout)

    def execute(self, request: dict[str, Any], timeout: float = COMMAND_DEADLINE) -> Any:
        """As command(), for arguments whose names have a _ of their own."""
        with self._lock:
            end = time.monotonic() + timeout
            try:
                self._socket.sendall(json.dumps(request).encode() + b"\n")
            except OSError as error:
                raise QmpClosed(f"{request['execute']}: QEMU has ended ({error})") from error
            while True:
                message = self._message(end)
                if "event" in message:
                    self.events.append(message)
                elif "error" in message:
                    raise QmpError(f"{request['execute']}: {message['error'].get('desc')}")
                else:
                    return message["return"]

    def monitor(self, line: str) -> str:
        """A command of QEMU's monitor for people; its answer as text."""
        return self.command("human-monitor-command", command_line=line)

    def wait_event(self, name: str, timeout: float) -> dict[str, Any]:
        """The oldest event @name that was not yet asked for."""
        with self._lock:
            end = time.monotonic() + timeout
            while True:
                for event in self.events:
                    if event["event"] == name:
                        self.events.remove(event)
                        return event
                message = self._message(end)
                if "event" in message:
                    self.events.append(message)

    def close(self) -> None:
        self._socket.close()

    def _message(self, end: float) -> dict[str, Any]:
        while b"\n" not in self._buffer:
            left = end - time.monotonic()
            if left <= 0:
                raise TimeoutError("QEMU does not answer on its control socket")
            self._socket.settimeout(left)
            try:
                data = self._socket.recv(1 << 16)
            except TimeoutError:
                continue
            except OSError as error:
                raise QmpClosed(f"QEMU has ended ({error})") from error
            if not data:
                raise QmpClosed("QEMU has ended")
            self._buffer += data
        line, _, rest = self._buffer.partition(b"\n")
        self._buffer = bytearray(rest)
        return json.loads(line)
