# SPDX-License-Identifier: GPL-3.0-or-later
"""`lethe status` and lethe-tor-status as people and the status doors meet them: what is said in each
state, with which exit status, and that neither hostile answers nor missing ones are taken for good.

The doors are sockets in a temporary folder; the links are devices in a network namespace that each
run of the command gets for itself. Tor is the laboratory's real client, or a liar.
"""

from __future__ import annotations

import json
import os
import pty
import re
import select
import shutil
import socket
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from labkit import names, rules
from labkit.lab import Lab
from labkit.wait import wait_for

GOOD, BAD, USAGE, WAITING = 0, 1, 2, 3
SECONDS = 120.0
BUILD = rules.wall().parent.parent
LETHE = BUILD / "lethe" / "lethe"
TOR_STATUS = BUILD / "tor-status" / "lethe-tor-status"
DOORS = ("wall", "tor", "medium")

WALL = {"version": 1, "state": "enforced", "rules": "policy", "policy": "/etc/lethe/policy.conf",
        "policy_good": True, "difference": "", "binding": "names", "uncovered": [],
        "settings_good": True, "settings": "", "other_tables": ""}  # fmt: skip
TOR = {"running": True, "version": "0.4.8.16", "network": "enabled", "liveness": "up",
       "dormant": False, "progress": 100, "phase": "done", "summary": "Done", "circuit": True,
       "warning": None, "reason": None}  # fmt: skip
MEDIUM = {"medium": {"device": "sda", "bus": "usb", "model": "SanDisk Ultra", "present": True},
          "mode": "medium", "verified": True, "root_hash": "00" * 32, "laboratory": False,
          "reason": None}  # fmt: skip
BOOT = {"version": 1, "root_hash": "00" * 32, "laboratory": False}

# What serves a connection to a door. None instead: there is no such door.
Server = Callable[[socket.socket], None]


def says(answer: object) -> Server:
    data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    return lambda connection: connection.sendall(data)


def is_silent(connection: socket.socket) -> None:
    connection.recv(1)  # nobody writes to a door, so this is the end of the connection


def is_endless(connection: socket.socket) -> None:
    while True:
        connection.sendall(b"{" * 4096)


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


@contextmanager
def all_doors(**servers: Server | None) -> Iterator[Path]:
    """The doors of a system where all is well, but for those named."""
    doors = Doors()
    well = {"wall": says(WALL), "tor": says(TOR), "medium": says(MEDIUM)}
    try:
        for name, server in (well | servers).items():
            if server:
                doors.open(name, server)
        yield doors.folder
    finally:
        doors.close()


# Two ends of one cable, one of them with an address.
LINKED = ["ip link add enp0s2 type veth peer name other0", "ip link set enp0s2 up",
          "ip link set other0 up", "ip addr add 192.0.2.7/24 dev enp0s2"]  # fmt: skip
UNPLUGGED = ["ip link add enp0s2 type veth peer name other0", "ip link set enp0s2 up"]
NO_ADDRESS = LINKED[:3] + ["ip addr add 169.254.3.4/16 dev enp0s2"]


class Command:
    """`lethe status` as amnesia, with what the start of the system left."""

    def __init__(self, folder: Path) -> None:
        folder.chmod(0o755)
        self._boot, self._cmdline = folder / "boot.json", folder / "cmdline"

    def argv(self, doors: Path, *options: str, links: list[str] = LINKED,
             boot: object = BOOT, live: bool = True) -> list[str]:  # fmt: skip
        self._cmdline.write_text("quiet lethe.roothash=00\n" if live else "quiet\n")
        self._boot.unlink(missing_ok=True)
        if boot is not None:
            text = boot if isinstance(boot, str) else json.dumps(boot)
            self._boot.write_text(text, encoding="utf-8")
        uid = str(names.user(names.AMNESIA).uid)
        script = " && ".join([*links, 'exec "$@"'])
        return ["unshare", "--net", "--", "sh", "-c", script, "sh", "setpriv", f"--reuid={uid}",
                f"--regid={uid}", "--clear-groups", "--", str(LETHE), f"--doors={doors}",
                f"--boot={self._boot}", f"--cmdline={self._cmdline}", *options,
                "status"]  # fmt: skip

    def run(self, doors: Path, *options: str, **state: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.run(self.argv(doors, *options, **state), capture_output=True, text=True,
                              timeout=SECONDS, check=False, stdin=subprocess.DEVNULL,
                              env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"})


@pytest.fixture
def command(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Command]:
    folder = Path(tempfile.mkdtemp(prefix="lethe-status-"))
    yield Command(folder)
    shutil.rmtree(folder)


def sentence(text: str) -> str:
    """The text as one line, so that where lines are cut does not matter."""
    return " ".join(text.split())


# ---- what is said in each state ----

STATES: dict[str, tuple[dict[str, Any], dict[str, Any], int, list[str]]] = {
    # doors that are otherwise, the state otherwise, exit status, what is said
    "all well": ({}, {}, GOOD, [
        'Medium good: USB stick "SanDisk Ultra" (sda), verified', "Filter good: enforced",
        "Tor good: connected.", "Links good: enp0s2 connected, with an address", "All is well."]),
    "Tor connecting": (
        {"tor": says(TOR | {"progress": 45, "circuit": False, "summary": "Asking for relays"})}, {},
        WAITING, ["Tor not yet: connecting, 45 %: Asking for relays.", "Not ready yet."]),
    "Tor held up": (
        {"tor": says(TOR | {"progress": 5, "circuit": False, "warning": "No route to host"})}, {},
        WAITING, ["obstacle: No route to host.", "Try another network."]),
    "no cable": (
        {"tor": says(TOR | {"progress": 0, "circuit": False})}, {"links": UNPLUGGED}, WAITING,
        ["Tor not yet: not connected: it waits for a network.",
         "Links not yet: enp0s2 on, not connected; other0 off.", "Plug in a network cable"]),
    "no address": (
        {"tor": says(TOR | {"progress": 0, "circuit": False})}, {"links": NO_ADDRESS}, WAITING,
        ["enp0s2 connected, without an address"]),
    "no device": (
        {"tor": says(TOR | {"progress": 0, "circuit": False})}, {"links": []}, WAITING,
        ["Links not yet: there is no network device."]),
    "Tor not running": (
        {"tor": says({"running": False, "reason": "Tor is not running (x)"})}, {}, BAD,
        ["Tor BAD: not running", "restart the computer", "Something is wrong: see BAD above."]),
    "filter missing": (
        {"wall": says(WALL | {"state": "open", "rules": "none"})}, {}, BAD,
        ["Filter BAD: MISSING: nothing is filtered.", "Disconnect the computer"]),
    "filter sealed": (
        {"wall": says(WALL | {"state": "sealed", "rules": "seal"})}, {}, BAD,
        ["Filter BAD: sealed: nothing can leave"]),
    "filter changed": (
        {"wall": says(WALL | {"state": "different", "difference": "rule 3 differs"})}, {}, BAD,
        ["Filter BAD: CHANGED", "rule 3 differs", "Disconnect the computer"]),
    "device uncovered": (
        {"wall": says(WALL | {"state": "uncovered", "uncovered": ["wlan0"]})}, {}, BAD,
        ["Filter BAD: in force, but not on these devices: wlan0."]),
    "medium not verified": (
        {"medium": says(MEDIUM | {"verified": False, "reason": "the hash is another"})}, {}, BAD,
        ["Medium BAD: NOT VERIFIED", "the hash is another", "Do not use this system."]),
    "medium removed": (
        {"medium": says(MEDIUM | {"medium": MEDIUM["medium"] | {"present": False}})},  # type: ignore[operator]
        {}, BAD, ["Medium BAD:", "was taken out.", "Switch the computer off."]),
    "medium removed, in RAM": (
        {"medium": says(MEDIUM | {"mode": "ram",
                                  "medium": MEDIUM["medium"] | {"present": False}})},  # type: ignore[operator]
        {}, GOOD, ["Medium good: copied to memory", "It was taken out."]),
    "laboratory": (
        {"medium": says(MEDIUM | {"laboratory": True})}, {"boot": BOOT | {"laboratory": True}}, GOOD,
        ["Lethe 0.1.0 LABORATORY"]),
    "laboratory, by the start alone": (
        {}, {"boot": BOOT | {"laboratory": True}}, GOOD, ["Lethe 0.1.0 LABORATORY"]),
    "laboratory, by the door alone": (
        {"medium": says(MEDIUM | {"laboratory": True})}, {}, GOOD, ["Lethe 0.1.0 LABORATORY"]),
    "the start left nothing": ({}, {"boot": None}, BAD, ["UNKNOWN whether a laboratory"]),
    "the start left garbage": ({}, {"boot": "{{{"}, BAD, ["UNKNOWN whether a laboratory"]),
    "installed": (
        {"medium": None}, {"boot": None, "live": False}, GOOD,
        ["Medium none: this system was not started from a medium of Lethe's."]),
}  # fmt: skip


@pytest.mark.parametrize("name", STATES)
def test_state(command: Command, name: str) -> None:
    servers, state, status, expected = STATES[name]
    with all_doors(**servers) as doors:
        result = command.run(doors, **state)
        assert result.stderr == ""
        assert result.returncode == status, result.stdout
        for text in expected:
            assert text in sentence(result.stdout), result.stdout
        lines = result.stdout.splitlines()
        assert max(map(len, lines)) <= 80
        assert lines[0].startswith("Lethe 0.1.0")
        assert ("LABORATORY" in lines[0]) == ("LABORATORY" in " ".join(expected))
        told = command.run(doors, "--json", **state)
    assert told.returncode == status and told.stderr == ""
    answer = json.loads(told.stdout)
    assert answer["level"] in {GOOD: ["good"], WAITING: ["waiting"], BAD: ["bad", "unknown"]}[status]


def test_addresses_are_not_shown(command: Command) -> None:
    with all_doors() as doors:
        for options in ([], ["--json"]):
            assert "192.0.2" not in command.run(doors, *options).stdout


# ---- doors that do not answer as they should ----

UNANSWERED: dict[str, tuple[Server | None, str]] = {
    "there is none": (None, "cannot be asked"),
    "closes at once": (lambda connection: None, "gave no answer"),
    "silent": (is_silent, "did not answer in time"),
    "endless": (is_endless, "not understood"),
    "too long": (says(b'{"a":"' + b"x" * (300 << 10) + b'"}'), "not understood"),
    "too deep": (says(b"[" * 100000), "not understood"),
    "not JSON": (says(b"HTTP/1.1 200 OK\r\n\r\n"), "not understood"),
    "half": (says(b'{"state":"enforced",'), "not understood"),
    "binary": (says(bytes(range(256))), "not understood"),
    "nothing in it": (says({}), "not understood"),
    "wrong types": (says({"state": True, "running": "yes", "verified": 1}), "not understood"),
}


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("name", UNANSWERED)
def test_what_is_not_known_is_not_good(command: Command, door: str, name: str) -> None:
    server, expected = UNANSWERED[name]
    with all_doors(**{door: server}) as doors:
        result = command.run(doors, "--wait=1" if server is is_silent else "--wait=60")
    part = {"wall": "Filter", "tor": "Tor", "medium": "Medium"}[door]
    assert result.returncode == BAD and result.stderr == ""
    assert re.search(rf"{part} UNKNOWN: [a-z ]*{expected}", sentence(result.stdout)), result.stdout
    # The other doors were heard all the same.
    assert result.stdout.count("UNKNOWN:") == 1
    assert "see UNKNOWN above" in result.stdout


def test_the_doors_are_asked_at_once(command: Command) -> None:
    """Each answers only when all have been asked; one after the other would wait for ever."""
    asked = threading.Barrier(len(DOORS))

    def when_all_are_asked(answer: object) -> Server:
        def serve(connection: socket.socket) -> None:
            asked.wait(SECONDS)
            says(answer)(connection)

        return serve

    with all_doors(wall=when_all_are_asked(WALL), tor=when_all_are_asked(TOR),
                   medium=when_all_are_asked(MEDIUM)) as doors:  # fmt: skip
        assert command.run(doors, "--wait=60").returncode == GOOD


def test_control_characters_stay_out(command: Command) -> None:
    evil = "\x1b[2J\x1b]0;t\x07\r\n\x9b31m\u202eabc\x7f"
    answers = {
        "wall": WALL | {"state": "different", "difference": evil},
        "tor": TOR | {"progress": 5, "circuit": False, "summary": evil, "warning": evil},
        "medium": MEDIUM | {"medium": {"device": evil, "bus": evil, "model": evil, "present": True}},
    }
    with all_doors(**{name: says(answer) for name, answer in answers.items()}) as doors:
        shown = command.run(doors).stdout + command.run(doors, "--json").stdout
    assert "abc" in shown
    assert all(character == "\n" or " " <= character <= "~" for character in shown)


# ---- colour, options ----

def on_terminal(argv: list[str], **environment: str) -> str:
    """What the command prints when its output is a terminal."""
    master, slave = pty.openpty()
    with subprocess.Popen(argv, stdout=slave, stderr=slave, stdin=slave,
                          env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", **environment}) as process:
        os.close(slave)
        output = b""
        while select.select([master], [], [], SECONDS)[0]:
            try:
                piece = os.read(master, 4096)
            except OSError:  # the other end is closed
                break
            output += piece
        os.close(master)
        assert process.wait(SECONDS) == GOOD, output
    return output.decode().replace("\r\n", "\n")


def test_colour_only_on_a_terminal_and_only_as_a_repetition(command: Command) -> None:
    with all_doors() as doors:
        piped = command.run(doors).stdout
        coloured = on_terminal(command.argv(doors), TERM="xterm")
        assert "\x1b[" not in piped and "\x1b[32mgood\x1b[0m" in coloured
        assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == piped
        assert on_terminal(command.argv(doors, "--plain"), TERM="xterm") == piped
        assert on_terminal(command.argv(doors), TERM="xterm", NO_COLOR="1") == piped
        assert on_terminal(command.argv(doors), TERM="dumb") == piped
        assert on_terminal(command.argv(doors)) == piped


@pytest.mark.parametrize("words", [[], ["nonsense"], ["status", "more"], ["--wait=0", "status"],
                                   ["--wait=x", "status"], ["--nonsense"]])  # fmt: skip
def test_wrong_usage(words: list[str]) -> None:
    result = subprocess.run([LETHE, *words], capture_output=True, text=True, timeout=SECONDS,
                            check=False)  # fmt: skip
    assert result.returncode == USAGE
    assert result.stdout == "" and result.stderr != ""


def test_output_that_cannot_be_written(command: Command) -> None:
    with all_doors() as doors, open("/dev/full", "w", encoding="ascii") as full:
        result = subprocess.run(command.argv(doors), stdout=full, stderr=subprocess.PIPE, text=True,
                                timeout=SECONDS, check=False)  # fmt: skip
    assert result.returncode == BAD and "cannot write" in result.stderr


# ---- lethe-tor-status ----

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


def test_a_real_tor_at_its_door(lab: Lab, command: Command) -> None:
    """As systemd does it: the answer is written to the connection by the program itself."""
    control, cookie = real(lab)

    def serve(connection: socket.socket) -> None:
        subprocess.run([TOR_STATUS, f"--socket={control}", f"--cookie={cookie}", "--json"],
                       stdin=subprocess.DEVNULL, stdout=connection.fileno(), timeout=SECONDS,
                       check=True)  # fmt: skip

    with all_doors(tor=serve) as doors:
        result = command.run(doors, "--wait=60")
    assert result.returncode == GOOD, result.stdout
    assert "Tor good: connected." in sentence(result.stdout)


def test_a_real_tor_refuses_another_cookie(lab: Lab, tmp_path: Path) -> None:
    other = tmp_path / "cookie"
    other.write_bytes(bytes(32))
    status, answer = tor_status(real(lab)[0], other)
    assert status == 1
    assert answer == {"running": False, "reason": "Tor refused the cookie (while authenticating)"}


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
        self.heard = b""
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
    "silent": (is_silent, "did not answer in time"),
    "drips": (drips, "did not answer in time"),
    "only events": (events, "did not answer in time"),
    "endless line": (is_endless, "does not speak as Tor does"),
    "garbage": (says(bytes(range(255, -1, -1))), "does not speak as Tor does"),
    "a web server": (says(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "does not speak as Tor does"),
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


def test_a_liar_who_tells_the_truth() -> None:
    """So that the lies above fail for what they are."""
    with Liar(answers()) as liar:
        assert tor_status(liar.control, liar.cookie, "--wait=60") == (0, TOR | {"version": "0"})


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
