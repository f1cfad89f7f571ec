# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules of the shapes that others use (fixtures/peers): the proof refutes each with a packet, and
this very packet is sent and seen to escape. So is the hole that each fixture is about, while a
packet beside it is stopped. Under Lethe's own rules, which are proved, none of all these escapes.
"""

from __future__ import annotations

import ctypes
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from labkit import frames, names, netns
from labkit.capture import Capture
from labkit.pair import Answer, Pair, Sight, Spec, pair

PEERS = names.FIXTURES / "peers"
TOR, AMNESIA, CLEARNET = (names.user(name).uid for name in ("debian-tor", "amnesia", "clearnet"))
HOST, WEB, WEB6 = names.HOST_ADDRESS, names.WEB_ADDRESS, names.WEB_ADDRESS6

UDP, TCP, SCTP, GRE = 17, 6, 132, 47
TOKEN = b"lethe: an error that quotes Tor"


def out(owner: int, protocol: int, destination: str = WEB, port: int = 443, flags: int = 2,
        path: str = "output,routed") -> Spec:  # fmt: skip
    """A packet of @owner's to @destination; one that opens a connection, if it is TCP."""
    six = ":" in destination
    ports = f"sport=40000,dport={port}," if protocol in (TCP, UDP, SCTP) else ""
    kind = f"flags={flags}," if protocol == TCP else ""
    return Spec(f"{path},owner={owner},ether={'0x86dd' if six else '0x800'},proto={protocol},"
                f"{ports}{kind}src={names.HOST_ULA if six else HOST},dst={destination}")  # fmt: skip


OPENER = out(TOR, TCP)
WITHIN = out(AMNESIA, TCP, flags=0x10)  # a segment of somebody else's, within Tor's connection


def local(owner: int, address: str, port: int) -> Spec:
    return out(owner, TCP, address, port, path="output,lo,routed").but(src=address)


def talk(wire: Pair) -> None:
    wire.converse(OPENER)


def quoting(wire: Pair) -> bool:
    """Does an ICMP error of amnesia's leave that tells of a packet of Tor's connection?"""
    inner = frames.ipv4(WEB, HOST, TCP, struct.pack("!HHII", 443, 40000, 1, 1) + bytes(8) + TOKEN)
    body = bytes([3, 3, 0, 0, 0, 0, 0, 0]) + inner
    error = body[:2] + struct.pack("!H", frames.checksum(body)) + body[4:]

    def send() -> None:
        ctypes.CDLL(None).setfsuid(AMNESIA)  # of this thread, which ends
        with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:
            raw.sendto(frames.ipv4(HOST, WEB, 1, error), (WEB, 0))

    with Capture(wire, ns=wire.peer, device="peer0") as tap:
        try:
            netns.run_in(wire.host, send)
        except PermissionError:
            pass  # what the rules say is seen at the neighbour
        return any(TOKEN in frame.data for frame in tap.sync())


@dataclass(frozen=True)
class Hole:
    claims: tuple[str, ...]  # of the specification's sentences, those that it breaks
    packets: tuple[Spec, ...]  # that escape
    stopped: tuple[Spec, ...]  # beside it
    before: Callable[[Pair], None] | None = None  # without it they are stopped, too
    own: Callable[[Pair], bool] | None = None  # another packet, and whether it escaped


HOLES = {
    "own-address": Hole(
        ("F3.1", "F6.4"),
        (local(CLEARNET, HOST, 9062), local(AMNESIA, HOST, 9062)),
        (local(CLEARNET, "127.0.0.1", 9062), local(AMNESIA, "127.0.0.1", 9062)),
    ),
    "half-reject": Hole(
        ("F8.1", "F8.2"),
        (out(AMNESIA, UDP, WEB6), out(AMNESIA, UDP, WEB6, 53), out(AMNESIA, GRE, WEB6)),
        (out(AMNESIA, UDP), out(AMNESIA, UDP, port=53), out(AMNESIA, GRE)),
    ),
    "nat-only": Hole(
        ("F1.11", "F1.12", "F8.2", "F8.3"),
        (out(AMNESIA, UDP), out(AMNESIA, SCTP), out(AMNESIA, GRE), out(AMNESIA, TCP, WEB6)),
        (out(AMNESIA, TCP), out(AMNESIA, UDP, port=53)),
    ),
    "established": Hole(("F1.1", "F4.3", "F9.1"), (WITHIN,), (out(AMNESIA, TCP, port=444),), talk),
    "no-egress": Hole(
        ("F1.1", "F1.5", "F1.6", "F1.7"),
        (
            out(0, UDP, path="frame"),
            out(AMNESIA, TCP, WEB6, path="frame"),
            Spec("frame,owner=0,ether=0x0842"),
            Spec("frame,owner=0,ether=0x806,arp=1"),
        ),
        (out(0, UDP), out(AMNESIA, TCP, WEB6)),
    ),
    "lan-resolver": Hole(
        ("F5.1",),
        (
            out(AMNESIA, UDP, names.LAN_RESOLVER, 53),
            out(AMNESIA, TCP, names.LAN_RESOLVER, 53),
            out(AMNESIA, UDP, names.ROUTER_ADDRESS, names.NATPMP_PORT),
        ),
        (out(AMNESIA, UDP, port=53), out(AMNESIA, UDP, names.CGNAT_RESOLVER, 53)),
    ),
    "tor-datagrams": Hole(
        ("F2.1", "F8.2"),
        (out(TOR, UDP, port=53), out(TOR, UDP, names.PUBLIC_RESOLVERS[0], 53)),
        (out(AMNESIA, UDP, port=53), out(TOR, UDP)),
    ),
    "no-ipv6": Hole(
        ("F8.1",),
        (out(AMNESIA, TCP, WEB6), out(AMNESIA, UDP, WEB6, 53), out(AMNESIA, SCTP, WEB6)),
        (out(AMNESIA, TCP), out(AMNESIA, UDP, port=53), out(AMNESIA, SCTP)),
    ),
    "listed-rejects": Hole(
        ("F1.1", "F4.3", "F8.3"),
        (out(AMNESIA, TCP, port=8080), out(AMNESIA, UDP, port=3478), out(AMNESIA, SCTP)),
        (out(AMNESIA, TCP), out(AMNESIA, UDP)),
    ),
    "related": Hole(("F8.2", "F9.1", "F9.2"), (), (WITHIN, out(AMNESIA, TCP)), talk, quoting),
}  # fmt: skip


def reproduce(wire: Pair, answer: Answer) -> Sight:
    """Send the proof's packet, with what else must hold for it."""
    spec, needs = answer.spec, answer.needs
    if needs.established:
        wire.converse(spec.but(flags="0x2") if spec.number("proto") == TCP else spec)
    return wire.send(spec, needs.mark, needs.octets)


def test_every_fixture_has_a_hole() -> None:
    assert {path.stem for path in PEERS.glob("*.nft")} == set(HOLES)


@pytest.mark.parametrize("name", HOLES)
def test_the_packet_that_refutes_it_escapes(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    hole = HOLES[name]
    with pair(str(PEERS / f"{name}.nft")) as wire:
        answer, claims = wire.prove(), wire.claims()
        sight = reproduce(wire, answer)
    with capsys.disabled():
        print(f"\n    {name}: {answer.told['example']['packet']}\n        {sight}", end="")
    assert (answer.answer, answer.fault) == ("refuted", "leak")
    assert answer.told["example"]["policy"] not in ("accept", "hand to the proxy")
    assert answer.told["example"]["kernel"] == "accepted"
    assert sight.status == 0 and sight.escaped, sight.said
    assert {claim: claims[claim] for claim in hole.claims} == dict.fromkeys(hole.claims, "refuted")


@pytest.mark.parametrize("name", HOLES)
def test_its_hole_is_open(name: str) -> None:
    hole = HOLES[name]
    with pair(str(PEERS / f"{name}.nft")) as wire:
        if hole.before:
            for spec in hole.packets:
                assert not wire.send(spec).escaped, f"{spec}: the hole needs nothing first"
            assert not (hole.own and hole.own(wire))
            hole.before(wire)
        for spec in hole.packets:
            sight = wire.send(spec)
            assert sight.escaped, f"{spec}: {sight.said}"
        assert not hole.own or hole.own(wire)
        for spec in hole.stopped:
            sight = wire.send(spec)
            assert not sight.escaped, f"{spec}: {sight}"


def test_a_local_service_is_really_reached() -> None:
    """The own-address hole as a program meets it: connect() by a user who has no right to."""

    def reaches(wire: Pair, address: str) -> bool:
        def connect() -> bool:
            ctypes.CDLL(None).setfsuid(CLEARNET)
            with socket.socket() as client:
                client.settimeout(20)
                return client.connect_ex((address, 9062)) == 0

        with netns.run_in(wire.host, socket.create_server, ("0.0.0.0", 9062)):
            return netns.run_in(wire.host, connect)

    with pair(str(PEERS / "own-address.nft")) as wire:
        assert reaches(wire, HOST)
        assert not reaches(wire, "127.0.0.1")
    with pair("lethe") as wire:
        assert not reaches(wire, HOST)
        assert not reaches(wire, "127.0.0.1")


def test_under_lethe_nothing_of_that_escapes() -> None:
    """Lethe's rules are proved; and each hole's packets, with what is done before them, are stopped.
    A packet that is granted is not, so that this could fail."""
    with pair("lethe") as wire:
        answer = wire.prove()
        assert answer.answer == "proved", answer.why
        assert set(wire.claims().values()) == {"proved"}
        assert wire.send(OPENER).escaped
        for name, hole in HOLES.items():
            if hole.before:
                hole.before(wire)
            for spec in hole.packets:
                sight = wire.send(spec)
                assert sight.status in (0, 1) and not sight.escaped, f"{name}: {spec}: {sight}"
            assert not (hole.own and hole.own(wire)), name


@pytest.mark.parametrize("name", HOLES)
def test_the_packet_that_refutes_it_is_stopped_by_lethe(name: str) -> None:
    with pair(str(PEERS / f"{name}.nft")) as wire:
        answer = wire.prove()
    with pair("lethe") as wire:
        sight = reproduce(wire, answer)
    assert sight.status in (0, 1) and not sight.escaped, sight


def test_without_rules_everything_escapes() -> None:
    """The anti-test of what looks: each packet of each hole is seen where nothing stops it."""
    with pair() as wire:
        for hole in HOLES.values():
            for spec in hole.packets + hole.stopped:
                sight = wire.send(spec)
                assert sight.escaped, f"{spec}: {sight.said}"
        assert quoting(wire)
