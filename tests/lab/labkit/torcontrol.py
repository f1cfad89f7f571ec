# SPDX-License-Identifier: GPL-3.0-or-later
"""As much of Tor's control protocol as the lab asks."""

from __future__ import annotations

import re
import socket
from pathlib import Path
from types import TracebackType

SECONDS = 10.0
_PROGRESS = re.compile(r"PROGRESS=(\d+).* TAG=(\S+)")


class ControlError(RuntimeError):
    """Tor refused a command."""


class Control:
    """A connection to a control socket, authenticated by the cookie beside it."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(SECONDS)
        try:
            self._socket.connect(str(path))
            self._lines = self._socket.makefile("r", encoding="ascii", newline="\r\n")
            self.command(f"AUTHENTICATE {(path.parent / 'cookie').read_bytes().hex()}")
        except BaseException:
            self._socket.close()
            raise

    def __enter__(self) -> Control:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._lines.close()
        self._socket.close()

    def command(self, text: str) -> list[str]:
        """Send a command; the lines of the answer without their codes."""
        self._socket.sendall(text.encode("ascii") + b"\r\n")
        answer: list[str] = []
        while True:
            line = self._lines.readline().rstrip("\r\n")
            if len(line) < 4:
                raise ControlError(f"{text.split()[0]}: the connection ended")
            if not line.startswith("2"):
                raise ControlError(f"{text.split()[0]}: {line}")
            answer.append(line[4:])
            if line[3] == "+":
                answer.extend(self._block())
            elif line[3] == " ":
                return answer

    def info(self, key: str) -> str:
        """GETINFO, for one key."""
        answer = self.command(f"GETINFO {key}")
        return "\n".join([answer[0].partition("=")[2], *answer[1:-1]]).strip("\n")

    def bootstrap(self) -> tuple[int, str]:
        """How far Tor is, in per cent, and what it is doing."""
        match = _PROGRESS.search(self.info("status/bootstrap-phase"))
        return (int(match[1]), match[2]) if match else (0, "unknown")

    def subscribe(self, kind: str) -> None:
        """From now on this connection is for events of that kind, and for nothing else."""
        self.command(f"SETEVENTS {kind}")

    def event(self, seconds: float) -> list[str]:
        """The words of the next event; TimeoutError if there is none in time."""
        self._socket.settimeout(seconds)
        line = self._lines.readline().rstrip("\r\n")
        if not line.startswith("650"):
            raise ControlError("the connection ended")
        return line[4:].split()

    def event_line(self) -> str | None:
        """The next event, whole; waits for it without end. None when the connection has ended, or
        another thread has shut() it."""
        self._socket.settimeout(None)
        try:
            line = self._lines.readline().rstrip("\r\n")
        except (OSError, ValueError):
            return None
        return line[4:] if line.startswith("650") else None

    def shut(self) -> None:
        """End the connection, whoever reads from it."""
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # Tor was quicker

    def _block(self) -> list[str]:
        lines = []
        while (line := self._lines.readline().rstrip("\r\n")) != ".":
            lines.append(line)
        return lines


def bootstrap(path: Path) -> tuple[int, str]:
    """As Control.bootstrap(), of a Tor that may not be listening yet."""
    try:
        with Control(path) as control:
            return control.bootstrap()
    except (OSError, ControlError):
        return 0, "starting"
