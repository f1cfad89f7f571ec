# SPDX-License-Identifier: GPL-3.0-or-later
"""`lethe status` as people meet it: what is said in each state, with which exit status, and that neither
hostile answers nor missing ones are taken for good.

The doors are sockets in a temporary folder; the links are devices in a network namespace that each
run of the command gets for itself.
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
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from labkit import names, rules
from labkit.doors import Doors, Server, is_endless, is_silent, says
from labkit.lab import Lab

GOOD, BAD, USAGE, WAITING = 0, 1, 2, 3
SECONDS = 120.0
BUILD = rules.wall().parent.parent
LETHE = BUILD / "lethe" / "lethe"
TOR_STATUS = BUILD / "tor-status" / "lethe-tor-status"
DOORS = ("wall", "proof", "tor", "medium")

WALL = {"version": 1, "state": "enforced", "rules": "policy", "policy": "/etc/lethe/policy.conf",
        "policy_good": True, "difference": "", "binding": "names", "uncovered": [],
        "settings_good": True, "settings": "", "other_tables": ""}  # fmt: skip
PROOF = {"version": 1, "answer": "proved", "fault": "", "reason": "", "outside": [],
         "future_devices": True}  # fmt: skip
TOR = {"running": True, "version": "0.4.8.16", "network": "enabled", "liveness": "up",
       "dormant": False, "progress": 100, "phase": "done", "summary": "Done", "circuit": True,
       "warning": None, "reason": None}  # fmt: skip
MEDIUM = {"medium": {"device": "sda", "bus": "usb", "model": "SanDisk Ultra", "present": True},
          "mode": "medium", "verified": True, "root_hash": "00" * 32, "laboratory": False,
          "reason": None}  # fmt: skip
REFUTED = PROOF | {"answer": "refuted", "fault": "leak", "example": {
    "packet": "tcp syn a -> b", "policy": "drop", "kernel": "accepted", "kernel_rule": "rule 1"}}
# Without the number of a process, which would have to be a guard's.
GUARD = {"version": 1, "state": "holding", "owned": True, "shut": "", "last": None}
WATCH = {"version": 1, "mode": "kernel", "why": "", "lost": 0,
         "tampering": {"watched": True, "why": "", "count": 0, "latest": []}}  # fmt: skip
TAMPER = {"time": 1795773980, "times": 1, "pid": 7, "uid": 0, "comm": "nft", "exe": "/usr/sbin/nft",
          "unit": "", "what": "flush of all tables"}  # fmt: skip
BOOT = {"version": 1, "root_hash": "00" * 32, "laboratory": False}

@contextmanager
def all_doors(**servers: Server | None) -> Iterator[Path]:
    """The doors of a system where all is well, but for those named."""
    doors = Doors()
    well = {"wall": says(WALL), "proof": says(PROOF), "tor": says(TOR), "medium": says(MEDIUM)}
    try:
        for name, server in (well | servers).items():
            if server:
                doors.open(name, server)
        yield doors.folder
    finally:
        doors.close()


# Two ends of one cable. The kernel tells a moment later that a device is connected.
UNPLUGGED = ["ip link add enp0s2 type veth peer name other0", "ip link set enp0s2 up"]
PLUGGED = [*UNPLUGGED, "ip link set other0 up"] + [
    f"until ip link show {name} | grep -q 'state UP'; do true; done" for name in ("enp0s2", "other0")
]
LINKED = [*PLUGGED, "ip addr add 192.0.2.7/24 dev enp0s2"]
NO_ADDRESS = [*PLUGGED, "ip addr add 169.254.3.4/16 dev enp0s2"]


class Command:
    """`lethe status` as amnesia, with what the start of the system left."""

    def __init__(self, folder: Path) -> None:
        folder.chmod(0o755)
        self._boot, self._cmdline = folder / "boot.json", folder / "cmdline"
        self._proved = folder / "proof.json"
        self._guard = folder / "guard.json"
        self._watch = folder / "watch.json"

    def argv(self, doors: Path, *options: str, links: list[str] = LINKED,
             boot: object = BOOT, live: bool = True, proved: object = PROOF,
             watch: object = WATCH) -> list[str]:  # fmt: skip
        self._cmdline.write_text("quiet lethe.roothash=00\n" if live else "quiet\n")
        self._boot.unlink(missing_ok=True)
        self._proved.write_text(json.dumps(proved), encoding="utf-8")
        self._guard.write_text(json.dumps(GUARD), encoding="utf-8")
        self._watch.write_text(json.dumps(watch), encoding="utf-8")
        if boot is not None:
            text = boot if isinstance(boot, str) else json.dumps(boot)
            self._boot.write_text(text, encoding="utf-8")
        uid = str(names.user(names.AMNESIA).uid)
        script = " && ".join([*links, 'exec "$@"'])
        return ["unshare", "--net", "--", "sh", "-c", script, "sh", "setpriv", f"--reuid={uid}",
                f"--regid={uid}", "--clear-groups", "--", str(LETHE), f"--doors={doors}",
                f"--boot={self._boot}", f"--proved={self._proved}",
                f"--guard={self._guard}", f"--watch={self._watch}",
                f"--cmdline={self._cmdline}", *options,
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
        {"tor": says({"running": False, "starting": False, "reason": "Tor is not running (x)"})}, {}, BAD,
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
    "proved for the devices that are there": (
        {"proof": says(PROOF | {"future_devices": False})}, {}, GOOD,
        ["Proof good: proved: to every packet, on the devices that are there,"]),
    "refuted": (
        {"proof": says(REFUTED)}, {}, BAD,
        ["Proof BAD: REFUTED: the kernel lets pass", "For example tcp syn a -> b: the policy says "
         "drop; in the kernel it is accepted (rule 1).", "Disconnect the computer"]),
    "not proved": (
        {"proof": says(PROOF | {"answer": "not proved", "outside": ["the XDP program on eth0"]})}, {},
        BAD, ["Proof BAD: NOT PROVED: the XDP program on eth0."]),
    "refuted before links came up": (
        {"wall": says(WALL | {"state": "sealed", "rules": "seal"}), "proof": says(REFUTED)},
        {"proved": REFUTED}, BAD, ["For example tcp syn a -> b", "everything was sealed"]),
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
    "somebody tried to change the filter": (
        {}, {"watch": WATCH | {"tampering": WATCH["tampering"] | {"count": 1, "latest": [TAMPER]}}},  # type: ignore[operator]
        GOOD, ["Watch good:", "TRIED TO CHANGE THE FILTER: /usr/sbin/nft (process 7, root) at "
               "2026-11-27 10:06:20 UTC: flush of all tables; the kernel refused it."]),
    "the watch has ended": (
        {}, {"watch": WATCH | {"mode": "stopped"}}, BAD, ["Watch BAD: does not run"]),
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
    part = {"wall": "Filter", "proof": "Proof", "tor": "Tor", "medium": "Medium"}[door]
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

    with all_doors(wall=when_all_are_asked(WALL), proof=when_all_are_asked(PROOF),
                   tor=when_all_are_asked(TOR), medium=when_all_are_asked(MEDIUM)) as doors:  # fmt: skip
        assert command.run(doors, "--wait=60").returncode == GOOD


def test_control_characters_stay_out(command: Command) -> None:
    evil = "\x1b[2J\x1b]0;t\x07\r\n\x9b31m\u202eabc\x7f"
    answers = {
        "wall": WALL | {"state": "different", "difference": evil},
        "proof": PROOF | {"answer": "refuted", "example": {"packet": evil, "policy": evil}},
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


# ---- with a real Tor ----

def test_a_real_tor_at_its_door(lab: Lab, command: Command) -> None:
    """As systemd does it: the answer is written to the connection by the program itself."""
    control = lab.tor.control_socket()
    cookie = control.parent / "cookie"

    def serve(connection: socket.socket) -> None:
        subprocess.run([TOR_STATUS, f"--socket={control}", f"--cookie={cookie}", "--json"],
                       stdin=subprocess.DEVNULL, stdout=connection.fileno(), timeout=SECONDS,
                       check=True)  # fmt: skip

    with all_doors(tor=serve) as doors:
        result = command.run(doors, "--wait=60")
    assert result.returncode == GOOD, result.stdout
    assert "Tor good: connected." in sentence(result.stdout)
