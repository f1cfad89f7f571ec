# SPDX-License-Identifier: GPL-3.0-or-later
"""lethe-tor-status, against the laboratory's real Tor and against liars: what it answers, to whom it
shows Tor's cookie, and that it is locked in before it reads the first byte."""

from __future__ import annotations

import json
import os
import re
import select
import socket
import subprocess
import tempfile
import threading
from pathlib import Path
from typing import Any

import pytest

from labkit import gate, names, rules
from labkit.doors import Doors, Server, drain, is_endless, tells
from labkit.lab import Lab
from labkit.wait import wait_for

SECONDS = 120.0
TOR_STATUS = rules.wall().parent.parent / "tor-status" / "lethe-tor-status"


def tor_status(control: Path, cookie: Path, *options: str,
               uid: int | None = None) -> tuple[int, dict[str, Any]]:  # fmt: skip
    argv = [str(TOR_STATUS), f"--socket={control}", f"--cookie={cookie}", *options]
    if uid is not None:
        argv = ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", "--", *argv]
    result = subprocess.run(argv, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert result.stderr == "" and result.stdout.endswith("}\n")
    return result.returncode, json.loads(result.stdout)


def real(lab: Lab) -> tuple[Path, Path]:
    control = lab.tor.control_socket()
    return control, control.parent / "cookie"


def test_a_real_tor(lab: Lab) -> None:
    status, answer = tor_status(*real(lab), uid=names.user(names.DEBIAN_TOR).uid)
    assert status == 0
    version = subprocess.run(["tor", "--version"], capture_output=True, text=True, check=True)
    assert answer["version"] in version.stdout
    assert answer["running"] and answer["circuit"] and answer["progress"] == 100
    assert answer["network"] == "enabled" and answer["phase"] == "done" and not answer["dormant"]


def test_a_real_tor_refuses_another_cookie(lab: Lab, tmp_path: Path) -> None:
    other = tmp_path / "cookie"
    other.write_bytes(bytes(32))
    tor = names.user(names.DEBIAN_TOR)
    os.chown(other, tor.uid, tor.gid)
    status, answer = tor_status(real(lab)[0], other)
    assert status == 1
    assert answer == {"running": False, "starting": False,
                      "reason": "Tor refused the cookie (while authenticating)"}  # fmt: skip


def test_a_real_tor_without_network() -> None:
    with tempfile.TemporaryDirectory(prefix="lethe-tor-") as folder:
        control, cookie = Path(folder) / "control", Path(folder) / "cookie"
        settings = ["DisableNetwork", "1", "SocksPort", "0", "DataDirectory", f"{folder}/data",
                    "ControlSocket", str(control), "CookieAuthentication", "1", "CookieAuthFile",
                    str(cookie), "GeoIPFile", "/dev/null", "GeoIPv6File", "/dev/null"]  # fmt: skip
        argv = ["unshare", "--net", "tor", "--defaults-torrc", "/dev/null", "-f", "/dev/null",
                "--ignore-missing-torrc", *settings]  # fmt: skip
        with subprocess.Popen(argv, stdout=subprocess.DEVNULL) as tor:
            try:
                wait_for(lambda: cookie.exists() and control.exists(), SECONDS, "Tor's cookie")
                status, answer = tor_status(control, cookie, "--wait=60")
            finally:
                tor.terminate()
    assert status == 0
    assert answer["network"] == "disabled" and answer["progress"] == 0 and not answer["circuit"]


class Liar:
    """Somebody at Tor's place, and a cookie that is his."""

    def __init__(self, server: Server) -> None:
        self._doors = Doors()
        self.control = self._doors.open("control", server)
        self.cookie = self._doors.folder / "cookie"
        self.cookie.write_bytes(b"a" * 32)

    def __enter__(self) -> Liar:
        return self

    def __exit__(self, *_: object) -> None:
        self._doors.close()


def drips(connection: socket.socket) -> None:
    """An answer that never ends, but is never silent for long either."""
    connection.sendall(b"250-PROTOCOLINFO 1\r\n250-AUTH METHODS=")
    while not select.select([connection], [], [], 0.05)[0] or connection.recv(4096):
        connection.sendall(b"A")


def events(connection: socket.socket) -> None:
    while True:
        connection.sendall(b"650 CIRC 1 BUILT\r\n" * 100)


def answers(**replies: bytes) -> Server:
    """A Tor that authenticates everybody, and answers as told."""
    usual = {
        "PROTOCOLINFO": b"250-PROTOCOLINFO 1\r\n250-AUTH METHODS=COOKIE\r\n250 OK\r\n",
        "AUTHENTICATE": b"250 OK\r\n",
        "version": b"250-version=0\r\n250 OK\r\n",
        "status/bootstrap-phase": b"250-status/bootstrap-phase=NOTICE BOOTSTRAP PROGRESS=100 "
                                  b'TAG=done SUMMARY="Done"\r\n250 OK\r\n',
        "status/circuit-established": b"250-status/circuit-established=1\r\n250 OK\r\n",
        "network-liveness": b"250-network-liveness=up\r\n250 OK\r\n",
        "dormant": b"250-dormant=0\r\n250 OK\r\n",
        "DisableNetwork": b"250 DisableNetwork=0\r\n",
    } | {name.replace("__", "/").replace("_", "-"): text for name, text in replies.items()}  # fmt: skip

    def serve(connection: socket.socket) -> None:
        with connection.makefile("rb") as lines:
            for line in lines:
                words = line.decode().split()
                named = words[1] if words[0].startswith("GET") else words[0]
                connection.sendall(usual[named])

    return serve


LIES: dict[str, tuple[Server, str]] = {
    "silent": (drain, "did not answer in time"),
    "drips": (drips, "did not answer in time"),
    "only events": (events, "did not answer in time"),
    "endless line": (is_endless, "does not speak as Tor does"),
    "garbage": (tells(bytes(range(255, -1, -1))), "does not speak as Tor does"),
    "a web server": (tells(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "does not speak as Tor does"),
    "hangs up": (lambda connection: None, "ended the connection"),
    "no cookie wanted": (
        answers(PROTOCOLINFO=b"250-AUTH METHODS=NULL\r\n250 OK\r\n"), "does not take a cookie"),
    "refuses": (answers(AUTHENTICATE=b"515 Bad\r\n"), "refused the cookie"),
    "another key": (
        answers(version=b"250-dormant=0\r\n250 OK\r\n"), "does not speak as Tor does"),
    "101 per cent": (
        answers(status__bootstrap_phase=b"250-status/bootstrap-phase=NOTICE BOOTSTRAP "
                                        b"PROGRESS=101\r\n250 OK\r\n"),
        "does not speak as Tor does"),
    "neither yes nor no": (
        answers(status__circuit_established=b"250-status/circuit-established=2\r\n250 OK\r\n"),
        "does not speak as Tor does"),
}  # fmt: skip
DEADLINES = {"silent", "drips", "only events"}


@pytest.mark.parametrize("name", LIES)
def test_a_liar(name: str) -> None:
    server, expected = LIES[name]
    with Liar(server) as liar:
        status, answer = tor_status(liar.control, liar.cookie,
                                    "--wait=1" if name in DEADLINES else "--wait=60")  # fmt: skip
    assert status == 1
    assert answer["running"] is False and expected in answer["reason"]


TRUTH = {"running": True, "version": "0", "network": "enabled", "liveness": "up", "dormant": False,
         "progress": 100, "phase": "done", "summary": "Done", "circuit": True, "warning": None,
         "reason": None}  # fmt: skip


def test_a_liar_who_tells_the_truth() -> None:
    """So that the lies above fail for what they are."""
    with Liar(answers()) as liar:
        assert tor_status(liar.control, liar.cookie, "--wait=60") == (0, TRUTH)


def test_through_the_gate() -> None:
    """As it is asked in the live system: without a cookie, by a user to whom nothing else is granted."""
    with gate.PrivateTor() as tor, gate.Gate(tor.folder) as running:
        argv = ["setpriv", "--reuid=64999", "--regid=64999", "--clear-groups", "--", str(TOR_STATUS),
                f"--socket={running.socket}"]  # fmt: skip
        there = subprocess.run(argv, capture_output=True, text=True, timeout=SECONDS, check=False)
        tor.stop()
        gone = subprocess.run(argv, capture_output=True, text=True, timeout=SECONDS, check=False)
    answer = json.loads(there.stdout)
    assert there.returncode == 0 and answer["running"] and answer["network"] == "disabled"
    assert answer["progress"] == 0 and not answer["circuit"]
    assert gone.returncode == 1
    assert json.loads(gone.stdout) == {
        "running": False, "starting": False, "reason": "Tor is not running (says lethe-gate)"}  # fmt: skip


def at_the_gate(path: Path) -> dict[str, Any]:
    argv = [str(TOR_STATUS), f"--socket={path}"]
    result = subprocess.run(argv, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert result.returncode == 1 and result.stderr == ""
    answer = json.loads(result.stdout)
    assert isinstance(answer, dict)
    return answer


def test_starting_is_not_stopped() -> None:
    """Before Tor has been there; when it has been; and when there is no gate."""
    tor = gate.PrivateTor()
    with gate.Gate(tor.folder) as running:
        assert at_the_gate(running.socket) == {
            "running": False, "starting": True, "reason": "Tor is still starting (says lethe-gate)"}  # fmt: skip
        with tor:
            argv = [str(TOR_STATUS), f"--socket={running.socket}", "--wait=60"]
            assert subprocess.run(argv, capture_output=True, check=False).returncode == 0
            tor.stop()
            stopped = at_the_gate(running.socket)
        nobody = running.socket
    assert not stopped["starting"] and stopped["reason"].startswith("Tor is not running")
    none = at_the_gate(nobody)
    assert not none["starting"] and none["reason"].startswith("lethe-gate, which would ask Tor,")


GREETINGS = {
    b"451 Too many connections\r\n": "lethe-gate has too much to do",
    b"451 Tor did not answer\r\n": "Tor did not answer in time",
    b"451 Tor cannot be used: the gate could not authenticate itself\r\n":
        "lethe-gate could not authenticate itself",
    b"451 Tor cannot be used\r\n": "lethe-gate has too much to do, or cannot ask Tor",
    b"510 Not granted: nothing is, to this user\r\n": "lethe-gate does not let this program in",
}  # fmt: skip


@pytest.mark.parametrize("greeting", GREETINGS, ids=lambda text: text.decode().strip())
def test_what_keeps_the_gate_is_told(greeting: bytes) -> None:
    """None of it says that Tor does not run."""
    with Liar(answers(AUTHENTICATE=greeting)) as liar:
        answer = at_the_gate(liar.control)
    assert not answer["starting"] and GREETINGS[greeting] in answer["reason"]


def test_nobody_there(tmp_path: Path) -> None:
    status, answer = tor_status(tmp_path / "control", tmp_path / "cookie")
    assert status == 1 and "Tor is not running" in answer["reason"]


def test_no_cookie_yet() -> None:
    with Liar(answers()) as liar:
        liar.cookie.unlink()
        status, answer = tor_status(liar.control, liar.cookie)
    assert status == 1 and "still starting" in answer["reason"]


def test_the_cookie_is_for_its_owner_alone(tmp_path: Path) -> None:
    """Who listens as another user is told nothing: not even a question goes out."""
    heard = tmp_path / "heard"
    stranger = names.user(names.CLEARNET).uid
    with tempfile.TemporaryDirectory(prefix="lethe-stranger-") as folder:
        os.chmod(folder, 0o777)
        control, cookie = Path(folder) / "control", Path(folder) / "cookie"
        cookie.write_bytes(b"a" * 32)
        program = ("import socket, sys\n"
                   "listener = socket.socket(socket.AF_UNIX)\n"
                   f"listener.bind({str(control)!r})\n"
                   "listener.listen()\n"
                   "sys.stdout.write(repr(listener.accept()[0].recv(4096)))\n")  # fmt: skip
        argv = ["setpriv", f"--reuid={stranger}", f"--regid={stranger}", "--clear-groups", "--",
                "/usr/bin/python3", "-c", program]  # fmt: skip
        with heard.open("wb") as output, subprocess.Popen(argv, stdout=output) as listener:
            wait_for(lambda: _listens(control), SECONDS, "the stranger to listen")
            status, answer = tor_status(control, cookie)
            assert listener.wait(SECONDS) == 0
    assert status == 1 and "neither root nor the owner" in answer["reason"]
    assert heard.read_bytes() == b"b''"


def _listens(path: Path) -> bool:
    with open("/proc/net/unix", encoding="ascii") as sockets:
        # The flag of a socket that accepts connections.
        return any(str(path) in line and line.split()[3] == "00010000" for line in sockets)


def test_who_talks_to_tor_is_locked_in() -> None:
    """While it waits for the first answer it has no way back to what it could open before."""
    asked = threading.Event()

    def serve(connection: socket.socket) -> None:
        assert connection.recv(4096)
        asked.set()
        connection.recv(1)

    with Liar(serve) as liar:
        argv = [TOR_STATUS, f"--socket={liar.control}", f"--cookie={liar.cookie}", "--wait=60"]
        with subprocess.Popen(argv, stdout=subprocess.DEVNULL) as process:
            assert asked.wait(SECONDS)
            state = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
            process.kill()
    assert re.search(r"^Seccomp:\t2$", state, re.MULTILINE)
    assert re.search(r"^NoNewPrivs:\t1$", state, re.MULTILINE)
