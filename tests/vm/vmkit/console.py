# SPDX-License-Identifier: GPL-3.0-or-later
"""A machine's serial console on the terminal of the person who started it."""

from __future__ import annotations

import os
import queue
import re
import select
import socket
import termios
import threading
import tty
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from . import boot
from .guest import Guest
from .machine import Machine
from .serial import Cleaner

LEAVE = b"\x1d"  # Ctrl-]
_TAIL = 4096
_ANSWER = b"laboratory\r"
_HEARD = r"\nlaboratory\n|LABORATORY: |starting without the laboratory layer"
# Init throws away what was typed before it listens, and that is a moment after it asks; what it
# hears is shown. After this many seconds without that, the answer is typed again.
_AGAIN_SECONDS = 5.0


class RawTerminal:
    """A context manager: every key goes to the machine, Ctrl-C too. Afterwards it is as before."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._before: list = []

    def __enter__(self) -> RawTerminal:
        self._before = termios.tcgetattr(self._descriptor)
        tty.setraw(self._descriptor)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        termios.tcsetattr(self._descriptor, termios.TCSAFLUSH, self._before)


class Notes:
    """Lines from other threads for the person, between what the machine says."""

    def __init__(self) -> None:
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.wake, self._wake_write = os.pipe2(os.O_CLOEXEC)

    def add(self, text: str) -> None:
        self._lines.put(text)
        os.write(self._wake_write, b"!")

    def take(self) -> list[str]:
        return [self._lines.get() for _ in os.read(self.wake, 4096)]


class Console:
    """Between @keys and @screen (descriptors) and the machine, until it ends or Ctrl-] is typed.

    @offered: called once, when the machine offers its laboratory layer, which is accepted then.
    """

    def __init__(self, line: socket.socket, keys: int, screen: int,
                 offered: Callable[[], None] | None = None) -> None:
        self._line = line
        self._keys = keys
        self._screen = screen
        self._offered = offered
        self._answering = False
        self._cleaner = Cleaner()
        self._tail = ""
        self.notes = Notes()

    def run(self) -> bool:
        """False: the machine ended; True: the person left it."""
        watched = [self._line.fileno(), self._keys, self.notes.wake]
        while True:
            ready = select.select(watched, [], [], _AGAIN_SECONDS if self._answering else None)[0]
            if not ready:
                self._line.sendall(_ANSWER)
            if self.notes.wake in ready:
                for text in self.notes.take():
                    self._note(text)
            if self._keys in ready:
                typed = os.read(self._keys, 4096)
                if not typed or LEAVE in typed:
                    return True
                self._line.sendall(typed)
            if self._line.fileno() in ready and not self._hear():
                return False

    def _hear(self) -> bool:
        try:
            data = self._line.recv(1 << 16)
        except OSError:
            data = b""
        if not data:
            return False
        self._write(data)
        if self._offered or self._answering:
            self._tail = (self._tail + self._cleaner.feed(data))[-_TAIL:]
        if self._offered and re.search(boot.OFFER, self._tail):
            self._offered()
            self._offered, self._answering = None, True
            self._line.sendall(_ANSWER)
        if self._answering and re.search(_HEARD, self._tail):
            self._answering = False
        return True

    def _note(self, text: str) -> None:
        self._write(f"\r\n[./run] {text}\r\n".encode())

    def _write(self, data: bytes) -> None:
        while data:
            data = data[os.write(self._screen, data):]


def connect(path: Path) -> socket.socket:
    line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    line.connect(str(path))
    return line


def show(machine: Machine, keys: int, screen: int, in_lab: bool) -> None:
    """Start @machine with its console there, and return when it ended or was left.

    In the laboratory the layer is accepted for the person, who is told so, and told when Tor is
    connected."""
    try:
        machine.start(run=False)
        # It has said nothing yet; from now on its console is the person's.
        machine.serial.close()
        line = connect(machine.files.serial)
        guest = Guest(machine)
        console = Console(line, keys, screen)

        def offered() -> None:
            console.notes.add("the laboratory layer was accepted for you, by typing `laboratory`: "
                              "it brings the laboratory's Tor authorities and the test agent")
            threading.Thread(target=_await_tor, args=(guest, console.notes), daemon=True).start()

        if in_lab:
            console = Console(line, keys, screen, offered)
        with RawTerminal(keys):
            machine.resume()
            console.run()
    finally:
        machine.end()


def _await_tor(guest: Guest, notes: Notes) -> None:
    try:
        guest.connect()
        guest.wait_tor_connected()
        notes.add("Tor is connected, through the laboratory's network. Ctrl-] leaves.")
    except (RuntimeError, OSError) as error:
        notes.add(f"Tor: {error}")
