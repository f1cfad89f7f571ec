# SPDX-License-Identifier: GPL-3.0-or-later
"""lethe-gate against clients that mean harm, in front of a real Tor without any network: nothing is set,
no line is smuggled in, nobody is kept waiting or out, and what the gate holds stays small."""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from labkit import gate, names
from labkit.gate import Closed, Gate, PrivateTor
from labkit.wait import wait_for

SECONDS = gate.SECONDS
STRANGER = names.CLEARNET
MEGABYTE = 1 << 20
KILOBYTES = 40_000  # more than all processes of a gate with full buffers
# What a connection assistant may, and what a program without any harm may.
SETTING = ("getinfo version, uptime\ngetconf UseBridges, Bridge\nsetconf UseBridges, Bridge, "
           "ClientTransportPlugin\ntransport obfs4 9055\nevents CONF_CHANGED, BW")  # fmt: skip


@pytest.fixture(scope="module")
def tor() -> Iterator[PrivateTor]:
    with PrivateTor() as running:
        yield running


@pytest.fixture
def shipped(tor: PrivateTor) -> Iterator[Gate]:
    with Gate(tor.folder) as running:
        yield running


def works(running: Gate, user: str = names.AMNESIA) -> None:
    """A program that means no harm is served."""
    with running.connect(user).login() as talk:
        assert talk.ask("GETINFO version").startswith("250-version=")


def everything(tor: PrivateTor) -> str:
    """All of Tor's settings that are not the default."""
    with tor.control() as control:
        return control.info("config-text")


# Settings -----------------------------------------------------------------------------------------

ATTEMPTS = [
    "SETCONF SocksPort=9999",
    "SETCONF UseBridges=1 SocksPort=9999",
    "SETCONF UseBridges=2",
    "SETCONF Bridge=\"192.0.2.1:443\\r\\nSETCONF SocksPort=9999\"",
    "SETCONF Bridge=\"192.0.2.1:443\\nSocksPort 9999\"",
    "SETCONF Bridge=\"192.0.2.1:443\\015\\012SocksPort 9999\"",
    "SETCONF Bridge=\"192.0.2.1:443\" SocksPort=\"9999\"",
    "SETCONF Bridge=\"192.0.2.1:443\"SocksPort=9999",
    "SETCONF Bridge=192.0.2.1:443\\ SocksPort=9999",
    "SETCONF ClientTransportPlugin=\"obfs4 exec /bin/sh\"",
    "SETCONF ClientTransportPlugin=\"obfs4 socks5 192.0.2.1:9055\"",
    "SETCONF __OwningControllerProcess=1",
    "RESETCONF Log",
    "RESETCONF UseBridges Log",
    "+LOADCONF\r\nSocksPort 9999\r\n.",
    "+SETCONF UseBridges=1\r\nSocksPort 9999\r\n.",
    "LOADCONF SocksPort 9999",
    "SAVECONF",
    "MAPADDRESS 192.0.2.1=192.0.2.2",
    "SIGNAL HALT",
    "SIGNAL RELOAD",
    "TAKEOWNERSHIP",
    "USEFEATURE VERBOSE_NAMES",
    "getinfo config-text",
    "GETINFO version config-text",
    "GETCONF UseBridges SocksPort",
    "SETEVENTS INFO",
    "EXTENDCIRCUIT 0",
    "HSFETCH 6cztpym2a4gwfchapnmhlxy3hqjuzeitjd5bn2cjtervfhv4rdk2oaid",
]


def test_nothing_is_set_that_is_not_granted(tor: PrivateTor) -> None:
    before = everything(tor)
    with Gate(tor.folder, SETTING) as running, running.connect(STRANGER).login() as talk:
        for attempt in ATTEMPTS:
            assert talk.ask(attempt)[0] == "5", attempt
            assert everything(tor) == before, attempt
        # All of them at once, and none of the answers is missing.
        talk.send("".join(f"{attempt}\r\n" for attempt in ATTEMPTS).encode())
        assert [talk.reply()[0][0] for _ in ATTEMPTS] == ["5"] * len(ATTEMPTS)
        assert everything(tor) == before


def test_what_is_granted_is_set(tor: PrivateTor) -> None:
    """The anti-test: a change would have been seen."""
    before = everything(tor)
    with Gate(tor.folder, SETTING) as running, running.connect(STRANGER).login() as talk:
        bridge = "192.0.2.1:443 0123456789ABCDEF0123456789ABCDEF01234567"
        assert talk.ask(f'SETCONF UseBridges=1 Bridge="{bridge}"') == "250 OK"
        assert f"Bridge {bridge}" in everything(tor)
        assert talk.ask("GETCONF Bridge") == f"250 Bridge={bridge}"
        assert talk.ask("RESETCONF UseBridges Bridge") == "250 OK"
        assert everything(tor) == before


def test_the_assistant_alone_sets(tor: PrivateTor) -> None:
    """With the shipped grants: how Tor connects is said by one user, and by no other."""
    users = {name: names.user(name).uid for name in ("lethe-connect", "lethe-clock")}
    before = everything(tor)
    # A proxy and a transport that Tor does not start itself cannot be together, says Tor.
    steps = ["SETCONF Socks5Proxy=\"192.0.2.9:1080\"", "RESETCONF Socks5Proxy",
             "SETCONF UseBridges=1 ClientTransportPlugin=\"obfs4 socks5 127.0.0.1:9055\" "
             "Bridge=\"obfs4 192.0.2.1:443 0123456789ABCDEF0123456789ABCDEF01234567 cert=a\"",
             "SETCONF DisableNetwork=1", "DROPGUARDS",
             "SIGNAL ACTIVE", "SETEVENTS STATUS_CLIENT STATUS_GENERAL NETWORK_LIVENESS ORCONN",
             "GETINFO status/bootstrap-phase", "GETCONF Bridge",
             "RESETCONF UseBridges Bridge ClientTransportPlugin"]  # fmt: skip
    with Gate(tor.folder) as running:
        for user in (names.AMNESIA, STRANGER, users["lethe-clock"]):
            with running.connect(user).login() as talk:
                for step in steps:
                    allowed = step.startswith("GETINFO")
                    assert talk.command(step)[-1].startswith("250") == allowed, step
                assert everything(tor) == before
        with running.connect(users["lethe-connect"]).login() as talk:
            for step in steps:
                assert talk.command(step)[-1].startswith("250"), step
            assert talk.ask("GETINFO circuit-status").startswith("552 Not granted")
        assert everything(tor) == before
        with running.connect(users["lethe-clock"]).login() as talk:
            # This Tor has no consensus: it says so, and not the gate.
            assert "Not granted" not in talk.ask("GETINFO consensus/valid-after")
            assert talk.ask("GETCONF Bridge").startswith("552 Not granted")


# Bytes --------------------------------------------------------------------------------------------

ENDINGS = [b"\0", b"GETINFO version\n", b"GETINFO version\rX", b"GETINFO ver\0sion\r\n",
           b"\r\r\n", b"\n", b"+LOADCONF\r\nX\n.\r\n", b"GETINFO version\nSIGNAL HALT\r\n"]  # fmt: skip


@pytest.mark.parametrize("text", ENDINGS, ids=repr)
def test_bytes_that_no_line_has(shipped: Gate, text: bytes) -> None:
    with shipped.connect(names.AMNESIA).login() as talk:
        talk.send(text)
        assert talk.last_words().startswith("500 Syntax error")
    works(shipped)


def test_byte_by_byte(shipped: Gate) -> None:
    with shipped.connect(names.AMNESIA) as talk:
        for byte in b"authenticate\r\ngetinfo   version\r\n":
            talk.send(bytes([byte]))
        assert talk.reply() == ["250 OK"] and talk.reply()[0].startswith("250-version=")


def test_a_hundred_megabytes_in_one_line(shipped: Gate) -> None:
    with shipped.connect(names.AMNESIA).login() as talk:
        with pytest.raises(OSError):
            for _ in range(100):
                talk.send(b"A" * MEGABYTE)
        assert shipped.kilobytes() < KILOBYTES
    works(shipped)


def test_a_hundred_megabytes_of_data(shipped: Gate) -> None:
    with shipped.connect(names.AMNESIA).login() as talk:
        talk.send(b"+LOADCONF\r\n")
        with pytest.raises(OSError):
            for _ in range(100):
                talk.send(b"SocksPort 1\r\n" * (MEGABYTE // 13))
        assert shipped.kilobytes() < KILOBYTES
    works(shipped)


def test_a_pipeline_keeps_its_order(shipped: Gate) -> None:
    """Answered one after another, those that are refused in their places; and no faster than agreed."""
    questions = ["GETINFO version", "GETINFO config-text", "GETCONF DisableNetwork"] * 60
    with shipped.connect(STRANGER).login() as talk:
        talk.send("".join(f"{question}\r\n" for question in questions).encode())
        for question in questions:
            answer = talk.reply()[0]
            assert answer.startswith({"GETINFO version": "250-version=", "GETINFO config-text": "552",
                                      "GETCONF DisableNetwork": "250 DisableNetwork="}[question])


def test_not_before_authenticate(shipped: Gate) -> None:
    with shipped.connect(names.AMNESIA) as talk:
        talk.send(b"GETINFO version\r\nAUTHENTICATE\r\n")
        assert talk.last_words() == "514 Authentication required"


# Too much -----------------------------------------------------------------------------------------


def test_ten_thousand_connections(shipped: Gate) -> None:
    """Of one user: others are served meanwhile, the gate's processes stay few, and none is left."""
    held, most = [], 0
    with shipped.connect(names.AMNESIA).login() as patient:
        for number in range(10_000):
            with contextlib.suppress(OSError):
                held.append(shipped.connect(STRANGER))
            if len(held) > 200:
                held.pop(0).socket.close()
            if number % 1000 == 0:
                most = max(most, len(shipped.guests()))
                assert patient.ask("GETINFO version").startswith("250-version=")
                works(shipped)
        most = max(most, len(shipped.guests()))
        assert shipped.kilobytes() < KILOBYTES
        for talk in held:
            talk.socket.close()
        # The one that is patient; and 24 of the other user's at most, and one that was just served.
        assert 1 < most <= 26
        wait_for(lambda: len(shipped.guests()) == 1, SECONDS, "all others to be gone")
    wait_for(lambda: _served(shipped), SECONDS, "the one who came too often to be let in again")


def _served(running: Gate) -> bool:
    try:
        works(running, STRANGER)
    except (Closed, OSError, AssertionError):
        return False
    return True


def test_too_many_are_told_so(shipped: Gate) -> None:
    held = [shipped.connect(STRANGER) for _ in range(40)]
    answers = []
    for talk in held:
        with contextlib.suppress(OSError):
            talk.send(b"AUTHENTICATE\r\n")
        with contextlib.suppress(Closed):
            answers.append(talk.reply()[0])
    assert answers.count("250 OK") == 24
    assert answers.count("451 Too many connections") == 16
    works(shipped)
    for talk in held:
        talk.socket.close()


def test_who_does_not_read_is_not_waited_for(shipped: Gate) -> None:
    """It says and says and reads nothing: the gate takes no more of it, and holds little."""
    with shipped.connect(STRANGER).login() as talk:
        talk.socket.setblocking(False)
        sent = 0
        while select.select([], [talk.socket], [], 1.0)[1]:
            sent += talk.socket.send(b"GETINFO version\r\nNONSENSE\r\n" * 1000)
            assert sent < 100 * MEGABYTE
            assert shipped.kilobytes() < KILOBYTES
            works(shipped)


def _poll_timeout(pid: int) -> int | None:
    """For how long the process waits, in poll(2), of which the third argument says it; None if elsewhere."""
    words = Path(f"/proc/{pid}/syscall").read_text(encoding="ascii").split()
    if words[0] != "7":
        return None
    return ctypes.c_int(int(words[3], 16) & 0xFFFFFFFF).value


def test_who_has_read_everything_may_wait_for_ever(shipped: Gate) -> None:
    """Nothing that was answered is taken for something that still waits to be read."""
    with shipped.connect(STRANGER).login() as talk:
        for _ in range(3):
            assert talk.ask("GETINFO version").startswith("250-version=")
        (guest,) = shipped.guests()
        wait_for(lambda: _poll_timeout(guest) == -1, SECONDS, "no end of its waiting")


def test_half_a_line_keeps_nobody_waiting(shipped: Gate) -> None:
    with shipped.connect(names.AMNESIA) as half, shipped.connect(names.AMNESIA).login() as other:
        half.send(b"AUTHENT")
        assert other.ask("GETINFO version").startswith("250-version=")
        half.send(b"ICATE\r\n")
        assert half.reply() == ["250 OK"]


def test_new_identity_not_without_end(tor: PrivateTor) -> None:
    with Gate(tor.folder, "signals NEWNYM") as running, running.connect(STRANGER).login() as talk:
        assert talk.ask("SIGNAL NEWNYM") == "250 OK"
        assert talk.ask("SIGNAL NEWNYM") == "551 NEWNYM was given a moment ago"


# Tor comes and goes -------------------------------------------------------------------------------


def test_tor_ends_and_comes_again() -> None:
    with PrivateTor() as tor, Gate(tor.folder) as running:
        with running.connect(names.AMNESIA).login() as talk:
            tor.stop()
            assert talk.last_words() == "451 Tor has ended the connection"
        with running.connect(names.AMNESIA) as talk:
            assert talk.last_words() == "451 Tor is not running"
        tor.start()
        works(running)


def test_tor_that_is_starting() -> None:
    """It is not there yet; then it listens, and has not written its cookie."""
    starting = "451 Tor is not there yet: it is still starting"
    group = names.user(names.DEBIAN_TOR).gid
    with tempfile.TemporaryDirectory(prefix="lethe-tor-") as folder, socket.socket(
            socket.AF_UNIX) as listener:  # fmt: skip
        path = Path(folder)
        path.chmod(0o755)
        with Gate(path) as running:
            with running.connect(names.AMNESIA) as talk:
                assert talk.last_words() == starting
            listener.bind(str(path / "control"))
            listener.listen()
            os.chown(path / "control", 0, group)
            (path / "control").chmod(0o660)
            with running.connect(names.AMNESIA) as talk:
                assert talk.last_words() == starting


def test_another_at_tors_place_is_shown_no_cookie(tmp_path: Path) -> None:
    """Who listens there must be the owner of the cookie, or root: the gate is neither to a stranger."""
    with PrivateTor() as tor:
        tor.stop()
        cookie = tor.folder / "cookie"
        cookie.write_bytes(bytes(32))
        os.chown(cookie, names.user(names.DEBIAN_TOR).uid, names.user(names.DEBIAN_TOR).gid)
        (tor.folder / "control").unlink(missing_ok=True)
        heard = tmp_path / "heard"
        stranger = names.user(STRANGER).uid
        tor.folder.chmod(0o777)
        program = ("import os, socket, sys\n"
                   "listener = socket.socket(socket.AF_UNIX)\n"
                   f"listener.bind({str(tor.folder / 'control')!r})\n"
                   f"os.chmod({str(tor.folder / 'control')!r}, 0o777)\n"
                   "listener.listen()\n"
                   "while True:\n"
                   "    sys.stdout.write(repr(listener.accept()[0].recv(4096)))\n"
                   "    sys.stdout.flush()\n")  # fmt: skip
        argv = ["setpriv", f"--reuid={stranger}", f"--regid={stranger}", "--clear-groups", "--",
                "/usr/bin/python3", "-c", program]  # fmt: skip
        with heard.open("wb") as output, subprocess.Popen(argv, stdout=output) as listener:
            try:
                wait_for(lambda: (tor.folder / "control").exists(), SECONDS, "the stranger")
                with Gate(tor.folder) as running, running.connect(names.AMNESIA) as talk:
                    assert talk.last_words().startswith("451 Tor cannot be used")
                wait_for(lambda: heard.read_bytes(), SECONDS, "the stranger to have heard")
            finally:
                listener.terminate()
        assert set(heard.read_bytes().split(b"b''")) == {b""}


def test_the_cookie_is_the_gates_alone(tor: PrivateTor) -> None:
    """By Tor's folder nobody reaches what the gate does."""
    for user in (names.AMNESIA, STRANGER, names.NOBODY):
        for name in ("cookie", "control"):
            assert _opens(tor.folder / name, user) is False
    assert _opens(tor.folder / "cookie", names.DEBIAN_TOR)


def _opens(path: Path, user: str) -> bool:
    account = names.user(user)
    argv = ["setpriv", f"--reuid={account.uid}", f"--regid={account.gid}", "--clear-groups", "--",
            "test", "-r", str(path)]  # fmt: skip
    return subprocess.run(argv, check=False).returncode == 0


# The command --------------------------------------------------------------------------------------


def check(folder: Path) -> subprocess.CompletedProcess[str]:
    argv = [str(gate.PROGRAM), "--check", f"--grants={folder}", f"--passwd={names.PASSWD}"]
    return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=SECONDS)


def test_grants_are_checked(tmp_path: Path) -> None:
    good = check(gate.SHIPPED)
    assert good.returncode == 0 and good.stdout.endswith("7 clients, nothing wrong\n")
    (tmp_path / "a.conf").write_text("lethe-gate 1\nclient a\nusers amnesia\ngetinfo versoin\n")
    bad = check(tmp_path)
    assert bad.returncode == 1
    assert bad.stderr == (f"{tmp_path}/a.conf:4:9: GETINFO versoin cannot be granted\n"
                          "  hint: did you mean 'version'?\n")  # fmt: skip
    (tmp_path / "a.conf").unlink()
    assert check(tmp_path).returncode == 1


def test_a_grant_more_takes_nothing_away(tor: PrivateTor) -> None:
    """What several clients have alike is counted once."""
    same = "see 9050, 9150, 9040\nonions to 1, 17600-17650\n"
    more = "".join(f"client more{number}\nusers everyone\n{same}" for number in range(9))
    with Gate(tor.folder, f"getinfo version\n{same}{more}") as running:
        works(running)


def test_more_than_a_user_can_have_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.conf").write_text("lethe-gate 1\nclient a\nusers amnesia\nsee 1, 2, 3, 4, 5\n")
    assert check(tmp_path).returncode == 0
    (tmp_path / "b.conf").write_text("lethe-gate 1\nclient b\nusers amnesia\nsee 6, 7, 8, 9\n")
    bad = check(tmp_path)
    assert bad.returncode == 1 and bad.stdout == ""
    assert bad.stderr == (f"{tmp_path}/b.conf:2:8: with the client 'b' the user amnesia has more than 8 "
                          "ports whose streams are seen\n"
                          "  hint: a user has the sum of what its clients have\n")  # fmt: skip


def test_without_grants_or_sockets_it_does_not_start(tor: PrivateTor, tmp_path: Path) -> None:
    for argv in ([f"--grants={tmp_path}"], [f"--grants={gate.SHIPPED}"]):
        result = subprocess.run(
            [str(gate.PROGRAM), *argv, f"--passwd={names.PASSWD}", f"--tor={tor.folder}"],
            capture_output=True, text=True, check=False, timeout=SECONDS)  # fmt: skip
        assert result.returncode == 1 and result.stderr


def test_sockets_of_the_service_manager(tor: PrivateTor, tmp_path: Path) -> None:
    """Those it was given; and none that listens to the network."""
    for address, taken in (("127.0.0.1", True), ("0.0.0.0", False)):
        with socket.socket() as listener:
            listener.bind((address, 0))
            listener.listen()
            process = _started_with(listener, tor)
            try:
                if not taken:
                    assert process.wait(SECONDS) == 1
                    continue
                # No byte leaves this computer: both ends are here.
                with gate.Talk(socket.create_connection(listener.getsockname())) as talk:
                    assert talk.login().ask("GETINFO version").startswith("250-version=")
            finally:
                process.terminate()
                process.wait(SECONDS)


def _started_with(listener: socket.socket, tor: PrivateTor) -> subprocess.Popen[bytes]:
    group = names.user(names.DEBIAN_TOR).gid
    # A shell keeps its process id when it becomes the gate, and so can tell it.
    script = 'export LISTEN_PID=$$ LISTEN_FDS=1; exec "$@" 3<&"$GIVEN"'
    argv = ["bash", "-c", script, "bash", "setpriv", f"--reuid={gate.UID}", f"--regid={gate.UID}",
            f"--groups={group}", str(gate.PROGRAM), f"--grants={gate.SHIPPED}",
            f"--passwd={names.PASSWD}", f"--tor={tor.folder}", "--cookie=cookie"]  # fmt: skip
    given = listener.fileno()
    return subprocess.Popen(argv, pass_fds=(given,), stderr=subprocess.DEVNULL,
                            env=dict(os.environ) | {"GIVEN": str(given)})  # fmt: skip
