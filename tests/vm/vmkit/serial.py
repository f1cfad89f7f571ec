# SPDX-License-Identifier: GPL-3.0-or-later
"""The serial console: everything that was said, waiting for words, typing."""

from __future__ import annotations

import re
import socket
import threading
import time
from pathlib import Path

# What a terminal would obey and not show: CSI and OSC sequences, two-byte escapes, and returns.
_CONTROL = re.compile(rb"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|"
                      rb"\x1b[()][0-9A-Za-z]|\x1b[@-Z\\^_=>78]|[\r\x00]")
_UNFINISHED = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*|\][^\x07\x1b]*\x1b?|[()])?\Z")
_UNFINISHED_CAP = 4096


class ConsoleClosed(RuntimeError):
    """The machine ended while something was awaited."""


class Cleaner:
    """Takes the console's bytes in pieces, gives its text."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> str:
        data = self._rest + data
        unfinished = _UNFINISHED.search(data)
        self._rest = b""
        if unfinished and len(data) - unfinished.start() < _UNFINISHED_CAP:
            self._rest = data[unfinished.start():]
            data = data[:unfinished.start()]
        return _CONTROL.sub(b"", data).decode("ascii", "replace")


class Serial:
    """The console of one machine. A thread reads it, so that the guest never waits for us.

    Positions are counted in characters of text(), which has no control sequences. wait() goes on
    where the last wait() ended, so that a test reads a boot from start to end.
    """

    def __init__(self, path: Path, log: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.connect(str(path))
        self._text = ""
        self._closed = False
        self._news = threading.Condition()
        self._log = log.open("wb", buffering=0)
        self.position = 0
        self._thread = threading.Thread(target=self._read, name="serial", daemon=True)
        self._thread.start()

    @property
    def closed(self) -> bool:
        """Whether the machine has ended."""
        return self._closed

    def text(self, since: int = 0) -> str:
        with self._news:
            return self._text[since:]

    def end(self) -> int:
        """The position after everything said up to now."""
        with self._news:
            return len(self._text)

    def wait(self, pattern: str, timeout: float, since: int | None = None) -> re.Match[str]:
        """Wait until @pattern (a regular expression; ^ and $ are a line's) was said, and go on
        after it. TimeoutError, or ConsoleClosed when the machine ended, both with the last lines.
        """
        wanted = re.compile(pattern, re.MULTILINE)
        start = self.position if since is None else since
        end = time.monotonic() + timeout
        with self._news:
            while True:
                match = wanted.search(self._text, start)
                if match:
                    self.position = match.end()
                    return match
                if self._closed:
                    raise ConsoleClosed(f"the machine ended before {pattern!r}{self._tail()}")
                left = end - time.monotonic()
                if left <= 0:
                    raise TimeoutError(f"waited {timeout:g} s for {pattern!r}{self._tail()}")
                self._news.wait(left)

    def seen(self, pattern: str, since: int = 0) -> bool:
        """Whether @pattern was said already."""
        return re.search(pattern, self.text(since), re.MULTILINE) is not None

    def type(self, text: str) -> None:
        """Type; a newline is Enter."""
        self._socket.sendall(text.replace("\n", "\r").encode())

    def wait_closed(self, timeout: float) -> None:
        self._thread.join(timeout)
        if self._thread.is_alive():
            raise TimeoutError(f"the machine did not end in {timeout:g} s{self._tail()}")

    def close(self) -> None:
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # QEMU has ended
        self._thread.join()
        self._socket.close()
        self._log.close()

    def _tail(self) -> str:
        return "; the console's last lines:\n" + "\n".join(self._text.splitlines()[-15:])

    def _read(self) -> None:
        cleaner = Cleaner()
        while True:
            try:
                data = self._socket.recv(1 << 16)
            except OSError:
                data = b""
            if data:
                self._log.write(data)
            with self._news:
                self._text += cleaner.feed(data)
                self._closed = not data
                self._news.notify_all()
            if not data:
                return
