# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys of onion services that clients of lethe-gate gave to Tor: they go with whoever gave them, however
that one goes. Before a real Tor, and before one that answers when it is told to."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import struct
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from labkit import gate, names
from labkit.gate import Gate
from labkit.lab import Lab
from labkit.wait import wait_for

SECONDS = gate.SECONDS
KEY = "x25519:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="
ONION = "6cztpym2a4gwfchapnmhlxy3hqjuzeitjd5bn2cjtervfhv4rdk2oaid"
ADD = f"ONION_CLIENT_AUTH_ADD {ONION} {KEY}"
REMOVE = f"ONION_CLIENT_AUTH_REMOVE {ONION}"
GRANTS = "getinfo version\nonion-clients"


# A real Tor ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tor_folder(lab: Lab) -> Iterator[Path]:
    with gate.open_to_group(lab) as folder:
        yield folder


def wait_until_gone(lab: Lab) -> None:
    with lab.tor.control() as control:
        wait_for(lambda: KEY not in "".join(control.command("ONION_CLIENT_AUTH_VIEW")), SECONDS,
                 "the key to go with its connection")  # fmt: skip


@pytest.mark.parametrize("way", ["unix", "tcp"])
def test_keys_go_with_who_hangs_up(lab: Lab, tor_folder: Path, way: str) -> None:
    """In the middle of what it asked, and with nothing read of what it was told."""
    with Gate(tor_folder, GRANTS, lab) as running:
        talk = (running.connect if way == "unix" else running.connect_tcp)(names.AMNESIA).login()
        assert talk.ask(ADD).startswith("25")
        talk.send(b"GETINFO version\r\n" * 50)
        if way == "tcp":
            talk.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        talk.socket.close()
        wait_until_gone(lab)


CLIENT = f"""
import socket, sys
connection = socket.socket(socket.AF_UNIX)
connection.connect(sys.argv[1])
lines = connection.makefile("rwb", buffering=0)
for command in ("AUTHENTICATE", "{ADD}"):
    lines.write(command.encode() + b"\\r\\n")
    assert lines.readline().startswith(b"25")
lines.write(b"GETINFO version\\r\\n" * 50)
print("given", flush=True)
while True:
    lines.write(b"GETINFO version\\r\\n")
"""


def test_keys_go_with_who_is_killed(lab: Lab, tor_folder: Path) -> None:
    with Gate(tor_folder, GRANTS, lab) as running:
        argv = ["/usr/bin/python3", "-c", CLIENT, str(running.socket)]
        with subprocess.Popen(argv, stdout=subprocess.PIPE) as client:
            assert client.stdout
            assert client.stdout.readline() == b"given\n"
            with lab.tor.control() as control:
                assert KEY in "".join(control.command("ONION_CLIENT_AUTH_VIEW"))
            client.send_signal(signal.SIGKILL)
        wait_until_gone(lab)


def test_a_service_goes_with_who_does_not_wait_for_it(lab: Lab, tor_folder: Path) -> None:
    """Tor ends it by itself, also when nobody is there any more to hear that it was made."""
    with Gate(tor_folder, "onions to 17600-17650", lab) as running:
        with running.connect(names.AMNESIA).login() as talk:
            made = talk.command("ADD_ONION NEW:BEST Port=80,17600")
            onion, key = (line.partition("=")[2] for line in made[:2])
            assert talk.ask(f"DEL_ONION {onion}") == "250 OK"
        for _ in range(5):
            with running.connect(names.AMNESIA).login() as hasty:
                hasty.send(f"ADD_ONION {key} Port=80,17600\r\n".encode())
        wait_for(lambda: running.guests() == [], SECONDS, "all guests to be gone")
        with lab.tor.control() as control:
            wait_for(lambda: onion not in _services(control), SECONDS, "the service to be gone")


def _services(control: gate.torcontrol.Control) -> str:
    return "".join(control.command("GETINFO onions/current onions/detached"))


# A Tor that answers when it is told to -------------------------------------------------------------


class SlowTor:
    """It listens as root, who owns the cookie. Questions for keys and ONION_CLIENT_AUTH_ADD it answers when
    it is told to, and GETINFO with more than the connection to a client holds."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="lethe-slow-tor-")
        self.folder = Path(self._folder.name)
        group = names.user(names.DEBIAN_TOR).gid
        (self.folder / "cookie").write_bytes(bytes(32))
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self.folder / "control"))
        self._listener.listen()
        for path, mode in ((self.folder, 0o750), (self.folder / "cookie", 0o640),
                           (self.folder / "control", 0o660)):  # fmt: skip
            os.chown(path, 0, group)
            path.chmod(mode)
        self.heard: list[str] = []
        self.viewed, self.asked, self.left, self.may_show, self._may_answer = (
            threading.Event() for _ in range(5))  # fmt: skip
        self.may_show.set()
        self._answer = b""
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def answer(self, text: bytes) -> None:
        self._answer = text
        self._may_answer.set()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:  # nobody comes any more
                return
            self._threads.append(threading.Thread(target=self._serve, args=(connection,)))
            self._threads[-1].start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError), connection.makefile("rb") as lines:
            for line in lines:
                self._take(connection, line.decode().rstrip("\r\n"))
        if self.asked.is_set():
            self.left.set()

    def _take(self, connection: socket.socket, line: str) -> None:
        self.heard.append(line)
        text = b"250 OK\r\n"
        if line.startswith("ONION_CLIENT_AUTH_ADD"):
            self.asked.set()
            assert self._may_answer.wait(SECONDS)
            text = self._answer
        elif line.startswith("ONION_CLIENT_AUTH_VIEW"):
            self.viewed.set()
            assert self.may_show.wait(SECONDS)
        elif line.startswith("PROTOCOLINFO"):
            text = b"250-PROTOCOLINFO 1\r\n250-AUTH METHODS=COOKIE\r\n250 OK\r\n"
        elif line.startswith("GETINFO"):
            text = b"250+version=\r\n" + b"much\r\n" * 40_000 + b".\r\n250 OK\r\n"
        connection.sendall(text)

    def close(self) -> None:
        self.may_show.set()
        self._may_answer.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        self._listener.close()
        self._folder.cleanup()


@pytest.fixture
def slow() -> Iterator[SlowTor]:
    tor = SlowTor()
    yield tor
    tor.close()


@pytest.mark.parametrize("answer, taken_back", [
    (b"250 OK\r\n", True),
    (b"252 Registered client and decrypted desc\r\n", True),
    (b"512 Failed to decode x25519 private key\r\n", False),
], ids=["taken", "used", "refused"])  # fmt: skip
def test_a_key_on_its_way_is_taken_back(slow: SlowTor, answer: bytes, taken_back: bool) -> None:
    """The client leaves while Tor has not answered yet."""
    with Gate(slow.folder, GRANTS) as running:
        talk = running.connect(names.AMNESIA).login()
        talk.send(f"{ADD}\r\n".encode())
        assert slow.asked.wait(SECONDS)
        talk.socket.close()
        # The guest is told to end as well, so that it is certain that it knows.
        for guest in running.guests():
            os.kill(guest, signal.SIGTERM)
        slow.answer(answer)
        assert slow.left.wait(SECONDS)
    assert (slow.heard[-1] == REMOVE) == taken_back, slow.heard


def test_keys_go_with_who_does_not_read(slow: SlowTor) -> None:
    """While the gate has words for the client that the client will never take."""
    with Gate(slow.folder, GRANTS) as running, running.connect(names.AMNESIA).login() as talk:
        slow.answer(b"250 OK\r\n")
        assert talk.ask(ADD) == "250 OK"
        talk.send(b"GETINFO version\r\n")
        assert talk.socket.recv(1)
        talk.socket.close()
        assert slow.left.wait(SECONDS)
    assert slow.heard[-1] == REMOVE


# Two at once --------------------------------------------------------------------------------------


def test_two_do_not_give_a_key_at_once(slow: SlowTor) -> None:
    """Each would be told that there is none, and the second one's would replace the first one's."""
    slow.may_show.clear()
    slow.answer(b"250 OK\r\n")
    with (
        Gate(slow.folder, GRANTS) as running,
        running.connect(names.AMNESIA).login() as one,
        running.connect(names.AMNESIA).login() as other,
    ):
        one.send(f"{ADD}\r\n".encode())
        assert slow.viewed.wait(SECONDS)
        assert other.ask(ADD).startswith("551 Somebody else is giving a key")
        slow.may_show.set()
        assert one.reply() == ["250 OK"]
        # It is the other's turn.
        assert other.ask(ADD) == "250 OK"


def test_who_is_killed_holds_up_nobody(slow: SlowTor) -> None:
    slow.may_show.clear()
    slow.answer(b"250 OK\r\n")
    with Gate(slow.folder, GRANTS) as running:
        with running.connect(names.AMNESIA).login() as one:
            (guest,) = running.guests()
            one.send(f"{ADD}\r\n".encode())
            assert slow.viewed.wait(SECONDS)
            os.kill(guest, signal.SIGKILL)
            wait_for(lambda: running.guests() == [], SECONDS, "the guest to be gone")
        slow.may_show.set()
        with running.connect(names.AMNESIA).login() as next_one:
            assert next_one.ask(ADD) == "250 OK"


def test_a_key_that_replaced_anothers_does_not_stay(slow: SlowTor) -> None:
    """Of somebody who is past the gate: that one's is lost, and this client is told so."""
    slow.answer(b"251 Client for onion existed and replaced\r\n")
    with Gate(slow.folder, GRANTS) as running, running.connect(names.AMNESIA).login() as talk:
        assert talk.ask(ADD).startswith("551 Another key for this onion service came")
        assert slow.heard[-1] == REMOVE
