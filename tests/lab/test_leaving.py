# SPDX-License-Identifier: GPL-3.0-or-later
"""`lethe leaving` with its two doors as they are: real connections by the programs that hold them,
real refusals, and what is said when one of the doors does not know."""

from __future__ import annotations

import json
import pwd
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from labkit import names, netns, watching
from labkit.doors import Doors
from labkit.watching import TARGET, Place, Watch

SECONDS = watching.SECONDS
BUILD = watching.program("lethe-watch").parents[1]
LETHE = BUILD / "lethe" / "lethe"
FLOWS = BUILD / "flows" / "lethe-flows"
AMNESIA = names.user(names.AMNESIA).uid
NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
RIGHTS = "+sys_ptrace,+dac_read_search"
AS_ITS_UNIT = [*NOBODY, f"--inh-caps=-all,{RIGHTS}", f"--ambient-caps=-all,{RIGHTS}",
               f"--bounding-set=-all,{RIGHTS}"]  # fmt: skip

WAITS = "print('ready', flush=True)\ninput()\n"
LISTENS = ("import socket\nl = socket.create_server(('127.0.0.1', 9050))\n" + WAITS)
ASKS_TOR = "import socket\nc = socket.create_connection(('127.0.0.1', 9050))\n" + WAITS
DIRECT = ("import socket\nc = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
          f"c.connect(('{TARGET}', 123))\n" + WAITS)  # fmt: skip
ANYWHERE = ("import socket\nc = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
            "c.bind(('{address}', 0))\n" + WAITS)  # fmt: skip
REFUSED = ("import socket\ntry:\n socket.create_connection(('198.51.100.7', 80))\n"
           "except OSError:\n pass\n")  # fmt: skip


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    with watching.place("-leaving") as made:
        yield made


def flows(place: Place, prefix: list[str], policy: Path = names.DEFAULT_POLICY) -> bytes:
    argv = ["nsenter", f"--net={netns.path(place.ns)}", *prefix, str(FLOWS), "--json",
            f"--policy={policy}", f"--passwd={names.PASSWD}"]  # fmt: skip
    return subprocess.run(argv, check=True, capture_output=True, timeout=SECONDS).stdout


@contextmanager
def programs(place: Place) -> Iterator[None]:
    """One at Tor's place, one that uses it, one that goes past it; all of them have arrived."""
    tor = pwd.getpwnam("debian-tor").pw_uid
    with place.running("tor", LISTENS, tor) as first:
        assert first.stdout and first.stdout.readline()
        with place.running("asks-tor", ASKS_TOR, AMNESIA) as second, \
             place.running("direct", DIRECT, AMNESIA) as third, \
             place.running("anywhere", ANYWHERE.format(address="0.0.0.0"), AMNESIA) as fourth, \
             place.running("local", ANYWHERE.format(address="127.0.0.1"), AMNESIA) as fifth:  # fmt: skip
            for process in (second, third, fourth, fifth):
                assert process.stdout and process.stdout.readline()
            yield


def leaving(doors: Doors, *options: str) -> subprocess.CompletedProcess[str]:
    argv = [*NOBODY, str(LETHE), f"--doors={doors.folder}", *options, "leaving"]
    return subprocess.run(argv, capture_output=True, text=True, timeout=SECONDS, check=False)


def test_each_program_with_its_way(place: Place) -> None:
    def answers_flows(connection: socket.socket) -> None:
        connection.sendall(flows(place, AS_ITS_UNIT))

    with watching.bus() as bus:
        watch = Watch(bus)
        doors = Doors()
        doors.open("flows", answers_flows)
        doors.open("watch", lambda door: door.sendall(watch.client("--json").stdout.encode()))
        try:
            binary = place.run("refused", REFUSED, AMNESIA)
            watch.row("the refusal", program=str(binary))
            with programs(place):
                told, as_json = leaving(doors), leaving(doors, "--json")
        finally:
            doors.close()
            watch.close()
    print("\n" + told.stdout)
    assert (told.returncode, told.stderr) == (0, "")
    parts = dict(part.partition("\n")[::2] for part in told.stdout.split("\n\n")[1:])
    assert "asks-tor" in parts["Through Tor"] and "127.0.0.1:9050" in parts["Through Tor"]
    assert f"udp {TARGET}:123" in parts["To the Internet, NOT through Tor"]
    assert "direct" in parts["To the Internet, NOT through Tor"]
    anywhere = parts["By UDP without a fixed destination: where to is NOT KNOWN"]
    assert "anywhere" in anywhere and "local" not in anywhere
    assert "refused" in parts["Refused: it has not left"]
    assert "tcp 198.51.100.7:80" in parts["Refused: it has not left"]
    answer: dict[str, Any] = json.loads(as_json.stdout)
    assert {(flow["way"], flow["program"].rpartition("/")[2]) for flow in answer["flows"]} == {
        ("tor", "asks-tor"), ("clearnet", "direct"), ("unknown", "anywhere")}  # fmt: skip


CLOSED = "lethe-policy 1\ndefault drop\nipv6 blocked\n"


def test_who_may_not_send_is_not_shown_to_send(place: Place) -> None:
    """By the policy alone: with one that grants nothing the same socket is no way out, and with one
    that cannot be read nobody knows."""
    closed = place.folder / "closed.conf"
    closed.write_text(CLOSED)
    with programs(place):
        answers = [json.loads(flows(place, AS_ITS_UNIT, policy))["sockets"]
                   for policy in (names.DEFAULT_POLICY, closed, place.folder / "absent.conf")]  # fmt: skip
    may = [[flow["may_leave"] for flow in sockets
            if flow.get("unconnected") and str(flow["program"]).endswith("/anywhere")]
           for sockets in answers]  # fmt: skip
    assert may == [[True], [False], [None]]


def test_a_door_that_is_not_there_is_not_nothing(place: Place) -> None:
    doors = Doors()
    try:
        result = leaving(doors)
    finally:
        doors.close()
    assert result.returncode == 1
    assert "UNKNOWN: nobody told which connections there are." in result.stdout
    assert "UNKNOWN: nobody watches what is refused." in result.stdout


def test_without_rights_programs_have_no_name(place: Place) -> None:
    """The anti-test: the names above come from the two rights, and from nothing else."""
    with programs(place):
        with_rights, without = (json.loads(flows(place, prefix))["sockets"]
                                for prefix in (AS_ITS_UNIT, NOBODY))
    assert len(with_rights) == len(without) >= 3
    assert all(flow["program"] for flow in with_rights if flow["remote_port"] and flow["uid"])
    assert [flow for flow in without if flow["program"]] == []
