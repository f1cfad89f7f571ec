# SPDX-License-Identifier: GPL-3.0-or-later
"""`lethe poweroff` and `lethe restart` at their doors: each connects to its own and to no other, sends
nothing, and says what happens; and what to do where nothing does."""

from __future__ import annotations

import queue
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from labkit import names, rules
from labkit.doors import SECONDS, Doors, Server, is_silent, says

DONE, BAD, USAGE = 0, 1, 2
LETHE = rules.wall().parent.parent / "lethe" / "lethe"
VERBS = {"poweroff": ("off", "The computer turns off now.\n"),
         "restart": ("restart", "The computer restarts now.\n")}  # fmt: skip


@pytest.fixture
def doors() -> Iterator[Doors]:
    opened = Doors()
    yield opened
    opened.close()


def run(folder: Path, *words: str, user: str = names.AMNESIA) -> subprocess.CompletedProcess[str]:
    uid = str(names.user(user).uid)
    return subprocess.run(["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", "--",
                           str(LETHE), f"--doors={folder}", *words],
                          capture_output=True, text=True, timeout=SECONDS, check=False,
                          stdin=subprocess.DEVNULL,
                          env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"})  # fmt: skip


@pytest.mark.parametrize("verb", VERBS)
def test_to_connect_is_the_request(doors: Doors, verb: str) -> None:
    asked: queue.SimpleQueue[str] = queue.SimpleQueue()

    def notes(name: str) -> Server:
        def serve(connection: socket.socket) -> None:
            connection.setblocking(False)
            try:
                asked.put(f"{name} read {connection.recv(1)!r}")
            except BlockingIOError:
                asked.put(name)

        return serve

    for name, _ in VERBS.values():
        doors.open(name, notes(name))
    result = run(doors.folder, "--wait=60", verb)
    assert (result.returncode, result.stderr) == (DONE, "")
    name, sentence = VERBS[verb]
    assert result.stdout == sentence
    assert asked.get(timeout=SECONDS) == name
    assert asked.empty()


@pytest.mark.parametrize("verb", VERBS)
def test_refusal_is_told(doors: Doors, verb: str) -> None:
    doors.open(VERBS[verb][0], says(b"Failed to start \x1b[2Jit\nmore\n"))
    result = run(doors.folder, "--wait=60", verb)
    assert result.returncode == BAD
    assert "Failed to start ?[2Jit. Press the power button" in result.stderr


def test_no_answer_is_not_a_yes(doors: Doors) -> None:
    doors.open("off", is_silent)
    result = run(doors.folder, "--wait=1", "poweroff")
    assert result.returncode == BAD and "no answer in time" in result.stderr


@pytest.mark.parametrize("verb", VERBS)
def test_no_door(doors: Doors, verb: str) -> None:
    """As on a system that is not the live one."""
    result = run(doors.folder, verb)
    assert (result.returncode, result.stdout) == (USAGE, "")
    assert "there is no door" in result.stderr and "use: systemctl" in result.stderr


@pytest.mark.parametrize("verb", VERBS)
def test_door_is_for_another_user(doors: Doors, verb: str) -> None:
    doors.open(VERBS[verb][0], says(b"")).chmod(0o600)
    result = run(doors.folder, verb)
    assert (result.returncode, result.stdout) == (USAGE, "")
    assert "only the user of the console may" in result.stderr


def test_nobody_at_the_door(doors: Doors) -> None:
    """What a door leaves when its unit was stopped without removing it."""
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(doors.folder / "off"))
    (doors.folder / "off").chmod(0o666)
    assert run(doors.folder, "poweroff").returncode == USAGE


def test_takes_no_words(doors: Doors) -> None:
    assert run(doors.folder, "poweroff", "now").returncode == USAGE
