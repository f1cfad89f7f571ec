# SPDX-License-Identifier: GPL-3.0-or-later
"""lethe-gate in front of the laboratory's real Tor: the programs' own commands work; who has no grant
learns nothing of others and changes nothing. With a grant that is too wide, the same looks see the leak."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from labkit import client, gate, names
from labkit.gate import Gate, Talk
from labkit.lab import Lab
from labkit.wait import wait_for

SECONDS = gate.SECONDS
STRANGER = names.CLEARNET  # a user for whom there is only what everybody may ask
WIDE = "see all\nreveal SOCKS_USERNAME\nevents STREAM, CIRC\ngetinfo circuit-status, stream-status"
OWN, OTHERS = names.TOR_SOCKS_BROWSER_PORT, names.TOR_SOCKS_SYSTEM_PORT


@pytest.fixture(scope="module")
def tor_folder(lab: Lab) -> Iterator[Path]:
    with gate.open_to_group(lab) as folder:
        yield folder


@pytest.fixture
def shipped(lab: Lab, tor_folder: Path) -> Iterator[Gate]:
    with Gate(tor_folder, lab=lab) as running:
        yield running


# The programs -------------------------------------------------------------------------------------


@pytest.mark.parametrize("program", ["browser", "nyx", "onioncircuits", "onionshare"])
@pytest.mark.parametrize("way", ["unix", "tcp"])
def test_what_programs_say_works(lab: Lab, shipped: Gate, program: str, way: str) -> None:
    """Each command that they sent to a real Tor is answered, or refused where the program does without."""
    connect = shipped.connect if way == "unix" else shipped.connect_tcp
    with lab.tor.control() as control:
        relay = re.search(r"\$([0-9A-F]{40})", control.info("circuit-status"))
    assert relay
    placed = {"relay": relay[1], "address": names.PUBLIC_NODES["r1"]}
    with connect(names.AMNESIA) as talk:
        for granted, command in gate.record(program):
            answer = talk.command(command.format(**placed))
            assert (answer[-1].startswith("250") or answer[-1].startswith("251")) == granted, (
                command, answer)  # fmt: skip
            if not granted:
                assert answer[0].startswith(("552 Not granted", "510 Not granted"))
            for line in answer:
                if line.startswith("250-ServiceID="):
                    placed["onion"] = line.partition("=")[2]


def test_a_service_is_its_connections_alone(lab: Lab, tor_folder: Path) -> None:
    with Gate(tor_folder, "onions to 17600-17650\nevents HS_DESC", lab) as running:
        with running.connect(names.AMNESIA).login() as talk:
            assert talk.ask("SETEVENTS HS_DESC") == "250 OK"
            made = talk.command("ADD_ONION NEW:BEST Port=80,17600")
            onion, key = (line.partition("=")[2] for line in made[:2])
            while (event := talk.event().split())[2] != "UPLOADED":
                assert event[1] == "HS_DESC" and event[3] == onion
            with running.connect(names.AMNESIA).login() as other:
                assert other.ask(f"DEL_ONION {onion}").startswith("552 Unknown Onion Service")
                # It is there still: Tor has no second one with its key.
                assert other.ask(f"ADD_ONION {key} Port=80,17600").startswith("550")
        with running.connect(names.AMNESIA).login() as later:
            wait_for(lambda: later.ask(f"ADD_ONION {key} Port=80,17600").startswith("250"), SECONDS,
                     "the onion service to go with its connection")  # fmt: skip


# Others' streams and circuits ---------------------------------------------------------------------


@contextlib.contextmanager
def stream(lab: Lab, port: int, credentials: tuple[str, str]) -> Iterator[None]:
    """A program's stream through one of Tor's ports, for as long as the context lasts."""
    with gate.connect_as(lab, names.AMNESIA, port) as connection:
        client.socks_connect(connection, names.WEB_NAME, names.ECHO_PORT, credentials)
        yield


def looks(talk: Talk) -> str:
    """Everything that a client can be told of streams and circuits."""
    told = talk.ask("GETINFO stream-status") + talk.ask("GETINFO circuit-status")
    return told + "\n".join(talk.events)


def test_only_streams_of_ones_own_ports_are_seen(lab: Lab, tor_folder: Path) -> None:
    statements = (f"see {OWN}\nreveal SOCKS_USERNAME\nevents STREAM, CIRC\n"
                  "getinfo circuit-status, stream-status")  # fmt: skip
    with Gate(tor_folder, statements, lab) as running:
        with running.connect(names.AMNESIA).login() as talk:
            assert talk.ask("SETEVENTS STREAM CIRC") == "250 OK"
            with stream(lab, OTHERS, ("victim.example", "x")), stream(lab, OWN, ("own.example", "y")):
                text = wait_for(lambda: _if_in("own.example", looks(talk)), SECONDS, "the own stream")
                assert "victim.example" not in text
                streams = talk.command("GETINFO stream-status")
                circuits = talk.command("GETINFO circuit-status")
                with lab.tor.control() as control:
                    # Tor has streams of its own at times, to a relay's directory.
                    all_streams = [line for line in control.info("stream-status").splitlines()
                                   if ".exit:" not in line]
                    all_circuits = control.info("circuit-status").splitlines()
                assert len(all_streams) == 2 and len(all_circuits) > 1
                assert streams[0].startswith("250-stream-status=") and len(streams) == 2
                assert circuits[0].startswith("250-circuit-status=") and len(circuits) == 2


def _if_in(word: str, text: str) -> str:
    return text if word in text else ""


def test_a_grant_that_is_too_wide_shows_all(lab: Lab, tor_folder: Path) -> None:
    """The anti-test: the looks above do see a leak where there is one."""
    with Gate(tor_folder, WIDE, lab) as running, running.connect(STRANGER).login() as talk:
        assert talk.ask("SETEVENTS STREAM CIRC") == "250 OK"
        with stream(lab, OTHERS, ("victim.example", "x")), stream(lab, OWN, ("own.example", "y")):
            text = wait_for(lambda: _if_in("own.example", looks(talk)), SECONDS, "the own stream")
            assert "victim.example" in text
            assert len(talk.command("GETINFO stream-status")) > 2


def test_a_stranger_sees_nobody(lab: Lab, shipped: Gate) -> None:
    with shipped.connect(STRANGER).login() as talk, stream(lab, OWN, ("own.example", "y")):
        for question in ("circuit-status", "stream-status", "ns/all", "entry-guards", "address",
                         "orconn-status", "config-text", "onions/detached", "address-mappings/all",
                         "version circuit-status"):  # fmt: skip
            assert talk.ask(f"GETINFO {question}").startswith("552 Not granted"), question
        for event in ("STREAM", "CIRC", "HS_DESC", "NOTICE", "DEBUG", "ADDRMAP", "ORCONN", "GUARD"):
            assert talk.ask(f"SETEVENTS {event}").startswith("552 Not granted"), event
        assert talk.events == []
        assert talk.ask("GETINFO status/bootstrap-phase").startswith("250-")


def test_the_port_knows_whose_a_connection_is(shipped: Gate) -> None:
    """Only the kernel is asked: nothing that the client sends makes it somebody else."""
    with shipped.connect_tcp(names.AMNESIA).login() as talk:
        assert talk.ask("GETINFO circuit-status").startswith("250-")
    with shipped.connect_tcp(STRANGER) as talk:
        assert talk.command('AUTHENTICATE "amnesia"') == ["250 OK"]
        assert talk.ask("GETINFO circuit-status").startswith("552 Not granted")


ALL_SET = "setconf Bridge"
SETTING = "Bridge 192.0.2.1:443"


def come_and_close(lab: Lab, running: Gate) -> str:
    """Two of amnesia's come while the gate is busy: one says something and is gone when the gate asks
    whose it was; the other has ended what it says, and is told what this returns."""
    os.kill(running.process.pid, signal.SIGSTOP)
    try:
        with gate.connect_as(lab, names.AMNESIA, gate.PORT) as gone:
            gone.sendall(b'AUTHENTICATE\r\nSETCONF Bridge="192.0.2.1:443"\r\n')
        ended = gate.connect_as(lab, names.AMNESIA, gate.PORT)
        ended.sendall(b"AUTHENTICATE\r\n")
        ended.shutdown(socket.SHUT_WR)
    finally:
        os.kill(running.process.pid, signal.SIGCONT)
    with Talk(ended) as talk:
        words = talk.last_words()
    wait_for(lambda: running.guests() == [], SECONDS, "both to be gone")
    return words


def test_whose_socket_is_closed_is_nobody(lab: Lab, tor_folder: Path) -> None:
    """Not root, as kernels say of it, and not who it was."""
    with Gate(tor_folder, ALL_SET, lab) as running, lab.tor.control() as control:
        assert come_and_close(lab, running) == "510 Not granted: it cannot be told who asks"
        assert SETTING not in control.info("config-text")


def test_who_believes_of_a_closed_socket_what_the_kernel_says(lab: Lab, tor_folder: Path) -> None:
    """The anti-test: it would have been seen."""
    with (
        Gate(tor_folder, ALL_SET, lab, program=gate.FAULT) as running,
        lab.tor.control() as control,
    ):
        try:
            assert come_and_close(lab, running) == "250 OK"
            assert SETTING in control.info("config-text")
        finally:
            control.command("RESETCONF Bridge")


# Keys of onion services ---------------------------------------------------------------------------

KEY = "x25519:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="
OTHER_KEY = "x25519:BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBA="


def test_keys_are_of_who_gave_them(lab: Lab, shipped: Gate) -> None:
    onion = lab.tor.onion_name().removesuffix(".onion")
    with shipped.connect(names.AMNESIA).login() as owner:
        assert owner.ask(f"ONION_CLIENT_AUTH_ADD {onion} {KEY}").startswith("25")
        assert KEY in owner.ask("ONION_CLIENT_AUTH_VIEW")
        with shipped.connect(names.AMNESIA).login() as other:
            assert "x25519" not in other.ask("ONION_CLIENT_AUTH_VIEW")
            assert "x25519" not in other.ask(f"ONION_CLIENT_AUTH_VIEW {onion}")
            assert other.ask(f"ONION_CLIENT_AUTH_REMOVE {onion}").startswith("251")
            assert other.ask(f"ONION_CLIENT_AUTH_ADD {onion} {OTHER_KEY}").startswith("551")
            with shipped.connect(STRANGER).login() as stranger:
                assert stranger.ask("ONION_CLIENT_AUTH_VIEW").startswith("510 Not granted")
        assert KEY in owner.ask("ONION_CLIENT_AUTH_VIEW")
    with lab.tor.control() as control:
        wait_for(lambda: KEY not in "".join(control.command("ONION_CLIENT_AUTH_VIEW")), SECONDS,
                 "the key to go with its connection")


# The processes ------------------------------------------------------------------------------------


def _status(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}


def test_who_reads_clients_bytes_has_nothing(shipped: Gate) -> None:
    """A process for each client: no right, no cookie, no way to open anything, none to other clients."""
    with shipped.connect(names.AMNESIA).login(), shipped.connect(names.AMNESIA).login():
        guests = shipped.guests()
        assert len(guests) == 2
        for pid in (shipped.process.pid, *guests):
            status = _status(pid)
            assert status["Seccomp"] == "2" and status["NoNewPrivs"] == "1"
            assert {status[f"Cap{kind}"].strip("0") for kind in ("Inh", "Prm", "Eff", "Amb")} == {""}
        for pid in guests:
            assert _status(pid)["Seccomp_filters"] == "2"
            kinds = [os.readlink(entry) for entry in Path(f"/proc/{pid}/fd").iterdir()
                     if int(entry.name) > 2]  # fmt: skip
            # The client, Tor, and what tells it to end.
            assert sorted(kind.partition(":")[0] for kind in kinds) == [
                "anon_inode", "socket", "socket"], kinds  # fmt: skip
