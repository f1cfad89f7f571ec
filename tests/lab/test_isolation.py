# SPDX-License-Identifier: GPL-3.0-or-later
"""Who shares a circuit with whom: real Tor with the live system's torrc, judged by three witnesses
(labkit/exits.py). Programs, destinations and identities that must be apart are apart; with the
isolation taken from the torrc the same detector finds them together."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest

from labkit import client, dns, figures, names, netns, rules
from labkit.client_tor import ClientTor, instead, live_lines
from labkit.exits import Seat, Sharing, circuit_of, exit_of
from labkit.lab import Lab
from labkit.told import Told

SECONDS = 120.0
TRIES = 10
HERE, THERE = "www.lab.example", "other.lab.example"
FLAGS = re.compile(r"\s(Isolate\w+|KeepAliveIsolateSOCKSAuth|NoIsolate\w+|SessionGroup=\d+)")
SOCKS = (9050, 9062, 9063, 9150)


@dataclass(frozen=True)
class Stream:
    """One connection through Tor: by which port, to what, as whom."""

    word: str
    port: int
    name: str = HERE
    to: int = 4001
    identity: tuple[str, str] | None = None


# What differs, and streams of which no two may share a circuit.
ALONE = {
    "port of Tor": [Stream(f"port-{port}", port) for port in SOCKS],
    "9050: destination": [Stream("d1", 9050), Stream("d2", 9050, THERE)],
    "9050: destination's port": [Stream("p1", 9050), Stream("p2", 9050, HERE, 4002)],
    "9062: destination": [Stream("d3", 9062), Stream("d4", 9062, THERE)],
    "9063: destination": [Stream("d5", 9063), Stream("d6", 9063, THERE)],
    "9150: identity": [Stream("i1", 9150, identity=("one.example", "1")),
                       Stream("i2", 9150, identity=("two.example", "1")),
                       Stream("i3", 9150, identity=("one.example", "2")),
                       Stream("i4", 9150)],
    "TransPort: destination": [Stream("t1", names.TOR_TRANS_PORT, "t1.lab.test"),
                               Stream("t2", names.TOR_TRANS_PORT, "t2.lab.test")],
    "SOCKS and TransPort": [Stream("s1", 9050, "s1.lab.test"),
                            Stream("s2", names.TOR_TRANS_PORT, "s1.lab.test")],
}  # fmt: skip
TOGETHER = {
    "9050: the same destination": [Stream("same1", 9050), Stream("same2", 9050)],
    "9150: one identity, two places": [
        Stream("same3", 9150, identity=("one.example", "1")),
        Stream("same4", 9150, THERE, identity=("one.example", "1"))],
}  # fmt: skip


@pytest.fixture(scope="module")
def place(lab: Lab) -> Iterator[Lab]:
    with instead(lab):
        rules.apply_lethe(lab)
        yield lab
        rules.clear(lab)


@pytest.fixture(scope="module")
def tor(place: Lab) -> Iterator[ClientTor]:
    """As the live system has it, and automap for names that lead to the fake Internet."""
    with ClientTor(place, ["AutomapHostsSuffixes .onion,.exit,.test"]) as running:
        yield _up(running)


def _up(running: ClientTor) -> ClientTor:
    running.enable()
    running.told.wait(lambda said: said.progress == 100, SECONDS, "Tor at 100 %")
    return running


def _open(place: Lab, stream: Stream) -> socket.socket:
    """From the host's namespace, by the test itself, which holds the connection. (It is root, to
    whom the default policy opens one port only: hence open_rules.)"""
    host = place.ns(names.HOST)
    if stream.port == names.TOR_TRANS_PORT:
        address = netns.run_in(host, client.resolve, stream.name)[0]
        flow = netns.run_in(host, socket.create_connection, (address, stream.to), SECONDS)
    else:
        door = ("127.0.0.1", stream.port)
        flow = netns.run_in(host, socket.create_connection, door, SECONDS)
        client.socks_connect(flow, stream.name, stream.to, stream.identity)
    flow.sendall(f"{stream.word}\n".encode())
    assert flow.recv(3) == b"ok\n"
    return flow


@pytest.fixture(scope="module")
def open_rules(place: Lab) -> Iterator[None]:
    """Not the default policy but automap alone, so that the test itself may use every port."""
    rules.apply(place, str(names.FIXTURES / "tproxy.nft"))
    yield
    rules.apply_lethe(place)


def _judge(place: Lab, tor: ClientTor, streams: list[Stream], what: str) -> Sharing:
    """All three witnesses, and that they agree."""
    words = [stream.word for stream in streams]
    with Seat(place) as seat:
        flows = [_open(place, stream) for stream in streams]
        try:
            ports = {s.word: flow.getsockname()[1] for s, flow in zip(streams, flows, strict=True)}
            tor.told.wait(lambda said: all(circuit_of(said, ports[w]) for w in words), SECONDS,
                          "the circuit of every stream")
            circuits = {word: circuit_of(tor.told, ports[word]) for word in words}
            with tor.control() as control:
                exits = {word: exit_of(control, circuits[word]) for word in words}
                assert exits == seat.exits_of(words), "not from the exit of its circuit"
                by_events = Sharing.by_events(circuits)
                by_fate = Sharing.by_fate(control, seat, words)
        finally:
            for flow in flows:
                flow.close()
    _show(what, words, by_events, by_fate, exits)
    assert by_events.pairs() == by_fate.pairs(), "the witnesses do not agree"
    return by_fate


def _show(
    what: str, words: list[str], events: Sharing, fate: Sharing, exits: dict[str, str]
) -> None:
    figures.ISOLATION.add(what, "streams", len(words), len(set(exits.values())))
    figures.ISOLATION.add(what, "circuits", len(events.groups), len(fate.groups))
    figures.ISOLATION.add(what, "pairs that share", len(events.pairs()), len(fate.pairs()))


@pytest.mark.parametrize("what", ALONE)
def test_apart(place: Lab, tor: ClientTor, open_rules: None, what: str) -> None:
    assert _judge(place, tor, ALONE[what], what).pairs() == set()


def _share_once(place: Lab, tor: ClientTor, streams: list[Stream], what: str) -> bool:
    """Every two of them share a circuit, at one of some tries. Tor may put together what need not
    be apart, and mostly does; it need not, when a better circuit has come up in between."""
    every = len(streams) * (len(streams) - 1) // 2
    for number in range(TRIES):
        again = [replace(stream, word=f"{stream.word}-{number}") for stream in streams]
        if len(_judge(place, tor, again, what).pairs()) == every:
            return True
    return False


@pytest.mark.parametrize("what", TOGETHER)
def test_what_belongs_together_shares(
    place: Lab, tor: ClientTor, open_rules: None, what: str
) -> None:
    """Or else every "apart" above would say nothing."""
    assert _share_once(place, tor, TOGETHER[what], what)


def test_names_are_asked_on_circuits_of_their_own(
    place: Lab, tor: ClientTor, open_rules: None
) -> None:
    """A question to the DNSPort shares no circuit with any program's stream."""
    with Seat(place):
        flow = _open(place, Stream("beside", 9050, "beside.lab.example"))
        port = flow.getsockname()[1]
        question = "asked.lab.example"
        netns.run_in(place.ns(names.HOST), client.resolve, question, "127.0.0.1", dns.TYPE_A)
        tor.told.wait(lambda said: _resolved_on(said, question) != "", SECONDS,
                      "the question's circuit")
        own, asked = circuit_of(tor.told, port), _resolved_on(tor.told, question)
        flow.close()
    assert own and asked and own != asked
    figures.ISOLATION.add("SOCKS and a question to the DNSPort", "streams", 2, None)
    figures.ISOLATION.add("SOCKS and a question to the DNSPort", "circuits", 2, None)


def _resolved_on(told: Told, name: str) -> str:
    stream = ""
    for event in told.of("STREAM"):
        if event.words[1] in ("NEWRESOLVE", "NEW") and event.words[3].startswith(f"{name}:"):
            stream = event.words[0]
        elif event.words[0] == stream and event.words[1] in ("SENTRESOLVE", "SUCCEEDED"):
            return event.words[2]
    return ""


@pytest.mark.parametrize("what", ALONE)
def test_without_isolation_they_share(
    place: Lab, blind: ClientTor, open_rules: None, what: str
) -> None:
    """The anti-test of each line: the torrc's flags are gone, and all ports are one group."""
    streams = [replace(stream, word="no-" + stream.word) for stream in ALONE[what]]
    assert _share_once(place, blind, streams, f"{what}, flags removed")


@pytest.fixture(scope="module")
def blind(place: Lab) -> Iterator[ClientTor]:
    """After @tor: they have the same ports. No isolation, by nothing."""
    lines = [line for line in live_lines() if _is_port(line)]
    off = "NoIsolateSOCKSAuth NoIsolateClientProtocol NoIsolateClientAddr SessionGroup=1"
    bare = [f"{FLAGS.sub('', line)} {off}" for line in lines]
    drop = ("SocksPort", "TransPort", "DNSPort")
    extra = [*bare, "AutomapHostsSuffixes .onion,.exit,.test"]
    with ClientTor(place, extra, drop=drop) as running:
        yield _up(running)


def _is_port(line: str) -> bool:
    return line.split()[0] in ("SocksPort", "TransPort", "DNSPort")
