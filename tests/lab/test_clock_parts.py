# SPDX-License-Identifier: GPL-3.0-or-later
"""The network clock's parts: who asks, liars in the fetcher's and in Tor's place, what each process can
do, the shipped setter where it cannot set, and the command."""

from __future__ import annotations

import json
import os
import queue
import re
import socket
import struct
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from clock_fixtures import NEAR, YEAR, all_servers, clock, quiet, servers  # noqa: F401

from labkit import names, timeservers
from labkit.clockwork import BUILT, SECONDS, Clock, Server, now
from labkit.lab import Lab
from labkit.timeservers import DAY, TimeServers
from labkit.wait import wait_for


# Who asks ---------------------------------------------------------------------------------------


def test_two_at_once_make_one_question(quiet: Lab, servers: TimeServers) -> None:
    servers.reset(3600)
    with clock(quiet, servers) as judged:
        with ThreadPoolExecutor(4) as threads:
            answers = list(threads.map(judged.ask, ["network"] * 4))
        assert sorted(answer["reason"] for answer in answers) == ["known"] * 3 + ["network"]
        assert judged.status()["queries"] == 1
    assert len(servers.seen.requests) == 3


def test_who_says_nothing_holds_nobody_up(quiet: Lab, servers: TimeServers) -> None:
    with clock(quiet, servers) as judged:
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as silent:
            silent.connect(str(judged.folder / "ask"))
            assert judged.ask("network")["outcome"] == "right"


def question(judged: Clock) -> socket.socket:
    """Asked, and the answer is still to come."""
    door = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    door.connect(str(judged.folder / "ask"))
    door.send(b'{"mode":"network"}')
    return door


def test_who_asked_has_gone(quiet: Lab, servers: TimeServers) -> None:
    """Before it was its turn: nobody is asked, for nobody wants to know."""
    with clock(quiet, servers) as judged:
        question(judged).close()
        assert judged.ask("consensus")["outcome"] == "kept"
        assert judged.fetchers == []
        status = judged.status()
        assert (status["requests"], status["queries"]) == (2, 0)
        assert judged.ask("network")["reason"] == "network"
        assert len(judged.fetchers) == 1


def test_who_waits_behind_another_has_gone(quiet: Lab, servers: TimeServers) -> None:
    servers.all(timeservers.is_silent)
    with clock(quiet, servers, host_seconds=60) as judged:
        with question(judged):
            hold(judged)
            question(judged).close()
        assert judged.ask("consensus")["outcome"] == "kept"
        assert judged.status()["queries"] == 1 and len(judged.fetchers) == 1


def test_who_asked_goes_before_the_clock_is_set(quiet: Lab, servers: TimeServers) -> None:
    """While the network is asked: what it says after that sets nothing."""
    asked: queue.Queue[socket.socket] = queue.Queue()
    gone = threading.Event()

    def serve(connection: socket.socket) -> None:
        connection.send(record(BEGIN, 3))
        asked.put(connection)
        gone.wait(SECONDS)
        fetcher(fresh=True)(connection)

    with clock(quiet, servers, fetch=serve) as judged:
        with question(judged):
            asked.get(timeout=SECONDS)
        gone.set()
        assert judged.ask("consensus")["outcome"] == "kept"
        assert judged.messages == []


# Liars in the fetcher's place -------------------------------------------------------------------

RECORD = struct.Struct("=IBBBBqqqqq32x")
RECORD_MAGIC = 0x6B636F6C
BEGIN, ANSWER, END = 1, 2, 4


def record(kind: int, pool: int = 0, host: int = 0, result: int = 0, *times: int) -> bytes:
    return RECORD.pack(RECORD_MAGIC, kind, pool, host, result, *(times or (0,) * 5))


def dated(pool: int, host: int = 0, date: float | None = None, back: int = 0) -> bytes:
    clock, boot = now()
    seconds = int(clock / 1e9 + 3600 if date is None else date)
    return record(ANSWER, pool, host, 1, boot - back, boot, seconds, 0, 1 << 40)


def fetcher(*records: bytes, fresh: bool = False) -> Server:
    def serve(connection: socket.socket) -> None:
        for data in records:
            connection.send(data)
        if fresh:  # made only now, after the question
            for pool in range(3):
                connection.send(dated(pool))
            connection.send(record(END))

    return serve


BAD_FETCHERS: dict[str, Server] = {
    "nothing": fetcher(),
    "garbage": fetcher(os.urandom(80)),
    "too short": fetcher(record(BEGIN, 3)[:-1], fresh=True),
    "too long": fetcher(record(BEGIN, 3) + b"\0", fresh=True),
    "no beginning": fetcher(fresh=True),
    "two pools": fetcher(record(BEGIN, 2), fresh=True),
    "two beginnings": fetcher(record(BEGIN, 3), record(BEGIN, 3), fresh=True),
    "answers from before the question": fetcher(record(BEGIN, 3), dated(0), fresh=True),
    "a pool that is not there": fetcher(record(BEGIN, 3), record(ANSWER, 3, 0, 4), fresh=True),
    "a host twice": fetcher(record(BEGIN, 3), *[record(ANSWER, 0, 5, 4)] * 2, fresh=True),
    "without end": fetcher(record(BEGIN, 3), *(record(ANSWER, 0, host, 4) for host in range(64)),
                           *(record(ANSWER, 1, host, 4) for host in range(64))),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_FETCHERS)
def test_a_fetcher_that_lies(quiet: Lab, servers: TimeServers, name: str) -> None:
    with clock(quiet, servers, fetch=BAD_FETCHERS[name]) as judged:
        answer = judged.ask("network")
        assert (answer["outcome"], answer["reason"]) == ("kept", "fetch-failed")
        assert judged.messages == []


def test_a_fetcher_that_does_as_it_should(quiet: Lab, servers: TimeServers) -> None:
    """So that those above fail for what they do."""
    with clock(quiet, servers, fetch=fetcher(record(BEGIN, 3), fresh=True)) as judged:
        assert judged.ask("network")["outcome"] == "set"
        assert abs(judged.told() - 3600) <= NEAR


# Tor's consensus --------------------------------------------------------------------------------


def gate(lab: Lab) -> Server:
    """What the gate does, for these questions: its client needs no cookie, and asks Tor's times."""

    def serve(connection: socket.socket) -> None:
        control = lab.tor.control_socket()
        cookie = (control.parent / "cookie").read_bytes().hex()
        with socket.socket(socket.AF_UNIX) as tor:
            tor.connect(str(control))
            answers = tor.makefile("rb")
            tor.sendall(f"AUTHENTICATE {cookie}\r\n".encode())
            assert answers.readline() == b"250 OK\r\n"
            for line in connection.makefile("rb"):
                if line == b"AUTHENTICATE\r\n":
                    connection.sendall(b"250 OK\r\n")
                    continue
                assert re.fullmatch(rb"GETINFO consensus/[a-z-]+\r\n", line), line
                tor.sendall(line)
                while True:
                    reply = answers.readline()
                    connection.sendall(reply)
                    if reply[3:4] == b" ":
                        break

    return serve


def test_a_real_tors_consensus(lab: Lab) -> None:
    """The laboratory's authorities have voted: the machine's clock is inside."""
    with Clock(lab, tor=gate(lab)) as judged:
        answer = judged.ask("consensus")
        assert answer == {"outcome": "right", "reason": "consensus", "captive": False,
                          "difference": 0}
        assert judged.messages == [] and judged.status()["mode"] == "consensus"


def iso(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(seconds))


def says_consensus(begin: float, fresh: float = 3600, end: float = 3 * 3600,
                   **replies: bytes) -> Server:  # fmt: skip
    """A gate that tells of a consensus that began @begin seconds from now."""

    def serve(connection: socket.socket) -> None:
        times = {"valid-after": begin, "fresh-until": begin + fresh, "valid-until": begin + end}
        for line in connection.makefile("rb"):
            word = line.decode().split()[-1]
            key = word.removeprefix("consensus/")
            if key.replace("-", "_") in replies:
                connection.sendall(replies[key.replace("-", "_")])
            elif word == "AUTHENTICATE":
                connection.sendall(b"250 OK\r\n")
            else:
                text = f"250-{word}={iso(time.time() + times[key])}\r\n250 OK\r\n"
                connection.sendall(text.encode())

    return serve


@pytest.mark.parametrize("shift", [300, 3 * 3600, 2 * DAY, 400 * DAY])
def test_the_consensus_puts_the_clock_right(quiet: Lab, shift: int) -> None:
    """Forward, into the middle of the hour in which everybody gets this consensus."""
    with Clock(quiet, tor=says_consensus(shift)) as judged:
        answer = judged.ask("consensus")
        assert (answer["outcome"], answer["reason"]) == ("set", "consensus")
        assert abs(judged.told() - (shift + 1800)) <= NEAR


@pytest.mark.parametrize("begin", [-5 * 3600, -2 * DAY, -25 * DAY])
def test_the_consensus_does_not_put_the_clock_back(quiet: Lab, begin: int) -> None:
    """Who hides and is handed an old one by his bridge has a clock that may well be right."""
    with Clock(quiet, tor=says_consensus(begin)) as judged:
        answer = judged.ask("consensus")
        assert (answer["outcome"], answer["reason"]) == ("kept", "stale-consensus")
        assert judged.messages == []


@pytest.mark.parametrize("begin", [-60, -3600, -2 * 3600])
def test_a_clock_inside_the_consensus_is_right(quiet: Lab, begin: int) -> None:
    with Clock(quiet, tor=says_consensus(begin)) as judged:
        assert judged.ask("consensus")["outcome"] == "right"
        assert judged.messages == []


BAD_GATES: dict[str, tuple[Server, str]] = {
    "nobody": (lambda connection: None, "no-consensus"),
    "refuses": (says_consensus(0, AUTHENTICATE=b"515 Bad\r\n"), "no-consensus"),
    "has none": (says_consensus(0, valid_after=b"250-consensus/valid-after=\r\n250 OK\r\n"),
                 "no-consensus"),
    "says that it has none": (says_consensus(0, valid_after=b"551 Internal error\r\n"),
                              "no-consensus"),
    "garbage": (says_consensus(0, valid_after=b"\x00\xff\r\n"), "bad-consensus"),
    "no date": (says_consensus(0, fresh_until=b"250-consensus/fresh-until=soon\r\n250 OK\r\n"),
                "bad-consensus"),
    "another key": (says_consensus(0, fresh_until=b"250-version=0\r\n250 OK\r\n"),
                    "bad-consensus"),
    "ends before it begins": (says_consensus(0, end=-5), "bad-consensus"),
    "a month long": (says_consensus(0, end=31 * DAY), "bad-consensus"),
    "before the build": (says_consensus(-90 * DAY), "before-build"),
    "years ahead": (says_consensus(11 * YEAR), "too-late"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_GATES)
def test_a_bad_consensus(quiet: Lab, name: str) -> None:
    server, reason = BAD_GATES[name]
    with Clock(quiet, tor=server, build=-30 * DAY) as judged:
        answer = judged.ask("consensus")
        assert (answer["outcome"], answer["reason"]) == ("kept", reason)
        assert judged.messages == []


def test_an_old_consensus_does_not_lead_back(quiet: Lab, servers: TimeServers) -> None:
    with clock(quiet, servers, tor=says_consensus(-20 * 3600)) as judged:
        assert judged.ask("network")["outcome"] == "right"
        answer = judged.ask("consensus")
        assert (answer["outcome"], answer["reason"]) == ("kept", "stale-consensus")
        assert judged.messages == []


@pytest.mark.parametrize("asked", [True, False])
def test_pools_that_lie_do_not_lead_before_what_is_proven(quiet: Lab, servers: TimeServers,
                                                          asked: bool) -> None:  # fmt: skip
    """By a consensus that was asked for before, and by one that only Tor knows of."""
    servers.certify(-30 * DAY, 30 * DAY)
    servers.pool("one", timeservers.says(-2 * DAY))
    servers.pool("three", timeservers.says(-2 * DAY))
    with clock(quiet, servers, tor=says_consensus(-60)) as judged:
        if asked:
            assert judged.ask("consensus")["outcome"] == "right"
        answer = judged.ask("network")
        assert (answer["outcome"], answer["reason"]) == ("kept", "before-proven")
        assert judged.messages == []


def test_a_clock_before_what_is_proven_does_not_stay_so(quiet: Lab, servers: TimeServers) -> None:
    """Liars have set it back by two hours while nothing was proven, and Tor, which has got a consensus
    since, stalls. Whatever the pools say now, it gets a clock that it can work with."""
    with clock(quiet, servers, tor=says_consensus(7200)) as judged:
        answer = judged.ask("network")
        assert (answer["outcome"], answer["reason"]) == ("set", "consensus")
        assert abs(judged.told() - 7200) <= NEAR


# Each with the least ----------------------------------------------------------------------------


def rights(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    return dict(line.split(":\t", 1) for line in lines if ":\t" in line)


NONE = {f"Cap{kind}": "0" * 16 for kind in ("Inh", "Prm", "Eff", "Amb")}
LOCKED_IN = NONE | {"Seccomp": "2", "NoNewPrivs": "1"}


def hold(fetch: Clock) -> int:
    """The fetcher's process, when it is one that has been locked in."""

    def locked() -> int:
        for process in fetch.fetchers:
            state = rights(process.pid)
            if state.get("Name") == "lethe-clock-fet" and state.get("Seccomp") == "2":
                return process.pid
        return 0

    return wait_for(locked, SECONDS, "the fetcher to be locked in")


def test_the_fetcher_is_locked_in_and_nobodys(quiet: Lab, servers: TimeServers) -> None:
    """While it waits for a server: no right, few calls, and closed to others of its own user."""
    servers.all(timeservers.is_silent)
    account = names.user(names.CLEARNET)
    with clock(quiet, servers, host_seconds=60) as judged:
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as door:
            door.connect(str(judged.folder / "ask"))
            door.send(b'{"mode":"network"}')
            pid = hold(judged)
            state = rights(pid)
            assert LOCKED_IN.items() <= state.items()
            assert state["Uid"].split() == [str(account.uid)] * 4
            look = ["head", "-c", "1", f"/proc/{pid}/environ"]
            assert quiet.host.run(look, user=names.CLEARNET).returncode != 0
            assert os.stat(f"/proc/{pid}/mem").st_uid == 0
            # One of the same user that has nothing to hide can be looked into: the attempt works.
            with quiet.host.popen(["sleep", "300"], user=names.CLEARNET) as open_one:
                wait_for(lambda: rights(open_one.pid)["Name"] == "sleep", SECONDS, "sleep")
                look[-1] = f"/proc/{open_one.pid}/environ"
                assert quiet.host.run(look, user=names.CLEARNET).returncode == 0
                open_one.kill()
    # Nobody listens any more: it has ended, and did not wait for the servers.
    assert judged.fetchers[0].wait(SECONDS) is not None


def test_the_judge_is_locked_in(quiet: Lab, servers: TimeServers) -> None:
    with clock(quiet, servers) as judged:
        judged.ask("network")
        state = rights(judged.judge.pid)
        assert LOCKED_IN.items() <= state.items()
        assert state["Uid"].split() == [str(names.user("lethe-clock").uid)] * 4
        assert os.stat(f"/proc/{judged.judge.pid}/mem").st_uid == 0


# The shipped setter, where it cannot set: in a user namespace of its own, CAP_SYS_TIME is none. What it is
# told to set is the time that it is.

SETTER = ('mkdir -p "$1/up/lethe" "$1/work" && cp "$1/build" "$1/up/lethe/build-date" && '
          'mount -t overlay overlay -o "lowerdir=/usr/lib,upperdir=$1/up,workdir=$1/work" /usr/lib && '
          'shift && exec unshare --user --map-root-user -- "$@"')
SET_MAGIC = 0x31746573


def tell_setter(quiet: Lab, folder: Path, message: bytes) -> tuple[int, bytes]:
    """Its exit status, and what it answered."""
    ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    (folder / "build").write_text(f"{int(time.time()) - 30 * DAY}\n", encoding="ascii")
    argv = ["unshare", "--mount", "--", "sh", "-c", SETTER, "sh", str(folder),
            str(BUILT / "lethe-clock-set")]  # fmt: skip
    with ours, quiet.host.popen(argv, stdin=its, stderr=subprocess.PIPE) as process:
        its.close()
        ours.send(message)
        ours.settimeout(SECONDS)
        answer = ours.recv(64)
        process.communicate(timeout=SECONDS)
    return process.returncode, answer


def test_a_clock_that_can_be_right_is_not_put_to_the_floor(quiet: Lab, tmp_path: Path) -> None:
    (tmp_path / "build").write_text(f"{int(time.time()) - 30 * DAY}\n", encoding="ascii")
    argv = ["unshare", "--mount", "--", "sh", "-c", SETTER, "sh", str(tmp_path),
            str(BUILT / "lethe-clock-set"), "--floor"]  # fmt: skip
    result = quiet.host.run(argv)
    assert (result.returncode, result.stderr) == (0, "")
    # Without a build date there is nothing to compare with, and nothing is done.
    result = quiet.host.run([str(BUILT / "lethe-clock-set"), "--floor"])
    assert result.returncode == 1 and "build-date" in result.stderr


def setting(real: int, boot: int) -> bytes:
    return struct.pack("=IIqq", SET_MAGIC, 0, real, boot)


@pytest.mark.parametrize("name,error", [
    ("now", -1), ("before", -34), ("beyond", -34), ("garbage", -74), ("old", -116)])
def test_the_setter_checks_for_itself(quiet: Lab, tmp_path: Path, name: str, error: int) -> None:
    real, boot = now()
    message = {
        "now": setting(real, boot),
        "before": setting(real - 40 * DAY * 10**9, boot),
        "beyond": setting(real + 11 * YEAR * 10**9, boot),
        "garbage": b"x" * 24,
        "old": setting(real, boot - 120 * 10**9),
    }[name]
    # "now" is refused by the kernel alone: it has come to the call that would set.
    status, answer = tell_setter(quiet, tmp_path, message)
    assert (status, answer) == (1, struct.pack("=Ii", 0x31656E64, error))


# The command ------------------------------------------------------------------------------------


def command(judged: Clock, *words: str) -> tuple[int, str, str]:
    argv = [str(BUILT / "lethe-clock"), f"--door={judged.folder / 'ask'}",
            f"--status={judged.status_folder / 'status.json'}", *words]  # fmt: skip
    result = subprocess.run(argv, capture_output=True, text=True, timeout=SECONDS, check=False)
    return result.returncode, result.stdout, result.stderr


def test_the_command(quiet: Lab, servers: TimeServers) -> None:
    servers.reset(3600)
    with clock(quiet, servers) as judged:
        status, out, error = command(judged)
        assert (status, out) == (3, "") and "nobody has asked" in error
        status, out, _ = command(judged, "ask", "network")
        assert status == 0 and re.match(r"The clock was set: it was 36\d\d s behind, by the "
                                        r"network's time\.\n$", out.replace("3599", "3600")), out
        status, out, _ = command(judged, "--json")
        told = json.loads(out)
        assert status == 0 and (told["outcome"], told["mode"]) == ("set", "network")
        assert not re.search(r"example|\d+\.\d+\.\d+\.\d+", out)
        status, out, _ = command(judged, "ask", "consensus")
        assert status == 1 and "left as it is, Tor has no consensus yet" in out
        status, out, _ = command(judged, "status")
        assert status == 1 and "Requests so far: 2; the network was asked 1 times." in out
        assert command(judged, "ask", "somebody")[0] == 2


def test_the_door_is_for_its_owner(quiet: Lab, servers: TimeServers) -> None:
    with clock(quiet, servers) as judged:
        for door in ("ask", "fetch", "set"):
            (judged.folder / door).chmod(0o600)
            argv = ["python3", "-c", "import socket, sys; "
                    "socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET).connect(sys.argv[1])",
                    str(judged.folder / door)]  # fmt: skip
            refused = quiet.host.run(argv, user=names.AMNESIA)
            assert refused.returncode == 1 and "PermissionError" in refused.stderr
        assert quiet.host.run(argv, user="lethe-clock").returncode == 0
