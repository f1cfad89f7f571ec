# SPDX-License-Identifier: GPL-3.0-or-later
"""The command ./run: what it takes and refuses, and what its console does."""

from __future__ import annotations

import os
import pty
import re
import socket
import subprocess
import termios
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from labkit import names
from labkit.lab import LabError
from vmkit import boot, console, serial, start, tour

RUN = names.SOURCE_ROOT / "run"


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(RUN), *arguments], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=60, check=False)  # fmt: skip


@pytest.mark.parametrize("arguments", [
    ("--no-such",), ("extra",), ("--memory",), ("--memory", "lots"), ("--memory", "255"),
    ("--memory", "65537"), ("--memory", "0256"), ("--firmware", "coreboot"), ("--firmware",),
    ("--medium", "floppy"), ("--net", "none"), ("lab", "--window"), ("lab", "--memory", "512"),
    ("lab", "--net", "real"), ("lab", "--firmware", "uefi"),
    ("--net", "real"), ("--window",),  # these two because there is no terminal
])  # fmt: skip
def test_wrong_usage_is_told_before_anything_is_done(arguments: tuple[str, ...]):
    result = _run(*arguments)
    assert result.returncode == 2 and result.stdout == ""
    assert "./run: " in result.stderr and "--help" in result.stderr


def test_help_names_every_option():
    said = _run("--help")
    assert said.returncode == 0
    taken = re.findall(r"^\t(--[a-z]+|[a-z]+)\)", RUN.read_text(), re.MULTILINE)
    assert {"lab", "--keep", "--window", "--net", "--memory"} <= set(taken)
    for option in taken:
        assert re.search(rf"^  {option}\b", said.stdout, re.MULTILINE), option


def test_the_programs_take_what_run_passes_on():
    options = ["--memory", "512", "--firmware", "uefi", "--medium", "usb"]
    parsed = start.parse(["--net", "lab", "--name", "run", "--window", *options])
    assert (parsed.net, parsed.name, parsed.window) == ("lab", "run", True)
    chosen = tour.computer(parsed, "gtk")
    assert (chosen.memory, chosen.firmware, chosen.medium) == (512, "uefi", "usb")
    assert chosen.display == "gtk"


@pytest.mark.parametrize("text", ["255", "65537", "-1", "x", "", "1e3"])
def test_a_memory_that_makes_no_sense_is_refused(text: str):
    with pytest.raises(SystemExit) as caught:
        start.parse(["--memory", text])
    assert caught.value.code == 2


def test_a_window_without_a_display_is_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    with pytest.raises(LabError, match="no display"):
        start.window()


def _read_until(descriptor: int, wanted: bytes) -> bytes:
    data = b""
    while wanted not in data:
        piece = os.read(descriptor, 4096)
        assert piece, f"ended before {wanted!r}: {data!r}"
        data += piece
    return data


def _receive(line: socket.socket, wanted: bytes) -> None:
    data = b""
    while data != wanted:
        assert wanted.startswith(data), data
        data += line.recv(len(wanted) - len(data))


def _receive_last(line: socket.socket, wanted: bytes) -> None:
    """After answers that were on their way already."""
    data = b""
    while not data.endswith(wanted):
        data += line.recv(64)
    assert data.removesuffix(wanted).replace(b"laboratory\r", b"") == b""


def test_the_console_carries_keys_and_words_and_accepts_the_layer(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(console, "_AGAIN_SECONDS", 0.2)
    ours, machine = socket.socketpair()
    person, terminal = pty.openpty()
    before = termios.tcgetattr(terminal)
    told: list[int] = []
    board = console.Console(ours, terminal, terminal, lambda: told.append(1))
    left: list[bool] = []
    raw = threading.Event()

    def attend() -> None:
        with console.RawTerminal(terminal):
            raw.set()
            left.append(board.run())

    thread = threading.Thread(target=attend)
    thread.start()
    assert raw.wait(30)
    machine.sendall(b"Lethe: a laboratory layer. Type labo")
    _read_until(person, b"labo")
    machine.sendall(b"ratory and Enter to use it\r\n")
    _receive(machine, b"laboratory\r" * 2)  # what was not heard is typed again
    machine.sendall(b"laboratory\r\nLethe: LABORATORY: in use\r\n")
    _read_until(person, b"in use\r\n")
    machine.sendall(b"Type laboratory and Enter\r\n")  # said again, it is not answered again
    _read_until(person, b"Enter\r\n")
    os.write(person, b"\x03ls\r")  # Ctrl-C is the machine's
    _receive_last(machine, b"\x03ls\r")
    board.notes.add("Tor is connected")
    _read_until(person, b"Tor is connected")
    os.write(person, console.LEAVE)
    thread.join(30)
    assert left == [True] and told == [1]
    assert termios.tcgetattr(terminal) == before


def test_the_console_ends_with_the_machine():
    ours, machine = socket.socketpair()
    keys, screen = os.pipe()
    board = console.Console(ours, keys, screen)
    machine.close()
    assert board.run() is False


@pytest.mark.parametrize(("deaf", "said", "taken"), [
    (0, "laboratory\r\nLethe: LABORATORY: this system is changed\r\n", True),
    (1, "laboratory\r\nLethe: LABORATORY: this system is changed\r\n", True),
    (0, "Lethe: starting without the laboratory layer\r\n", False),
    (0, "laboratory\r\nLethe stopped: cannot read the laboratory layer\r\n", False),
])  # fmt: skip
def test_the_layer_is_accepted_or_it_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, deaf: int, said: str, taken: bool
):
    """@deaf: so many times init does not hear what is typed."""
    monkeypatch.setattr(boot, "_HEARD_DEADLINE", 0.2)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(tmp_path / "serial"))
    listener.listen()

    def play() -> None:
        connection = listener.accept()[0]
        connection.sendall(b"Lethe: a layer. Type laboratory and Enter to use it.\r\n")
        for _ in range(deaf + 1):
            _receive(connection, b"laboratory\r")
        connection.sendall(said.encode())
        while connection.recv(64):
            pass

    player = threading.Thread(target=play)
    player.start()
    console_line = serial.Serial(tmp_path / "serial", tmp_path / "log")
    machine = SimpleNamespace(serial=console_line)
    try:
        if taken:
            boot.accept_laboratory(machine, 30)
        else:
            with pytest.raises(RuntimeError, match="was offered, and then"):
                boot.accept_laboratory(machine, 30)
    finally:
        console_line.close()
        player.join()


def test_a_signal_leaves_the_programs_in_order():
    """`finally` runs: the machine is ended and its port removed."""
    program = ("import os, signal, sys\n"
               f"sys.path[:0] = [{str(Path(tour.__file__).parents[1])!r}, "
               f"{str(names.LAB_DIRECTORY)!r}]\n"
               "from vmkit import tour\n"
               "tour.end_on_signals()\n"
               "try:\n    os.kill(os.getpid(), signal.SIGTERM)\n    signal.pause()\n"
               "finally:\n    print('in order')\n")
    result = subprocess.run(["/usr/bin/python3", "-c", program], capture_output=True, text=True,
                            timeout=60, check=False)  # fmt: skip
    assert result.returncode == 143 and result.stdout == "in order\n"
