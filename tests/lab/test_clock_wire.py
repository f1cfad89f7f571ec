# SPDX-License-Identifier: GPL-3.0-or-later
"""What the network clock sends, seen at the router: exactly the questions that are granted, and nothing
when nobody asks."""

from __future__ import annotations

import ipaddress
import socket
from pathlib import Path

from clock_fixtures import all_servers, clock, quiet, servers  # noqa: F401

from labkit import client, dns, judge, names, rules, timeservers
from labkit.capture import Capture
from labkit.clockwork import SECONDS
from labkit.lab import Lab
from labkit.timeservers import HOSTS, POOL_OF, PORTAL, TimeServers
from labkit.wait import wait_for


def openings(frames: list) -> tuple[set[tuple[str, int]], set[str], list[str]]:
    """Of what the host sent: TCP connections opened, names looked up at the resolver, and the rest."""
    opened, looked_up, rest = set(), set(), []
    for frame in frames:
        if not frame.incoming or judge.is_plain_arp(frame.data):
            continue
        packet = judge.parse(frame.data)
        where = str(ipaddress.ip_address(packet.destination)) if packet.destination else ""
        if packet.protocol == 17 and (where, packet.destination_port) == (timeservers.RESOLVER, 53):
            message = packet.body[8:]
            name, kind = timeservers.question_of(message)
            assert kind == dns.TYPE_A
            looked_up.add(name)
        elif packet.protocol == 6 and packet.ethertype == 0x0800:
            if packet.body[13] & 0x12 == 0x02:
                opened.add((where, packet.destination_port))
        else:
            rest.append(judge.describe(frame.data))
    return opened, looked_up, rest


def test_exactly_what_is_granted_is_sent(quiet: Lab, servers: TimeServers) -> None:
    servers.reset(3600)
    with clock(quiet, servers) as judged:
        with Capture(quiet) as tap:
            assert judged.ask("network")["outcome"] == "set"
        opened, looked_up, rest = openings(tap.stop())
        assert rest == []
        assert sorted(POOL_OF[name] for name in looked_up) == ["one", "three", "two"]
        assert opened == {(names.PUBLIC_NODES[HOSTS[name]], 443) for name in looked_up}
        # In what is sealed there is nothing of ours; each host has one request, like any curl's.
        assert sorted(servers.seen.requests) == sorted(
            (name, b"HEAD / HTTP/1.1\r\nHost: %s\r\nAccept: */*\r\n\r\n" % name.encode())
            for name in looked_up)
        assert not any(b"lethe" in frame.data.lower() for frame in tap.stop() if frame.incoming)
        # It is known now, and nobody is asked again, whatever the clock says.
        with Capture(quiet) as tap:
            assert judged.ask("network")["reason"] == "known"
        assert openings(tap.stop()) == (set(), set(), [])
        assert judged.status()["queries"] == 1 and judged.status()["requests"] == 2


def test_one_frame_too_many_is_seen(quiet: Lab, servers: TimeServers) -> None:
    """What the test above looks at would show another name, another connection and another protocol."""
    rules.clear(quiet)
    try:
        with clock(quiet, servers) as judged, Capture(quiet) as tap:
            judged.ask("network")
            quiet.host.call(client.udp_exchange, timeservers.RESOLVER, 53,
                            dns.query("planted.example"), user=names.AMNESIA)
            quiet.host.call(client.tcp_exchange, names.WEB_ADDRESS, names.ECHO_PORT, b"x",
                            user=names.AMNESIA)
            quiet.host.call(client.udp_exchange, names.WEB_ADDRESS, names.ECHO_PORT, b"x",
                            user=names.AMNESIA)
    finally:
        rules.apply(quiet, "lethe")
    opened, looked_up, rest = openings(tap.stop())
    assert "planted.example" in looked_up and len(looked_up) == 4
    assert (names.WEB_ADDRESS, names.ECHO_PORT) in opened and len(opened) == 4
    assert rest == [f"IPv4 protocol 17 port {names.ECHO_PORT} to {names.WEB_ADDRESS}"]


def test_the_portal_is_asked_as_networkmanager_does(quiet: Lab, servers: TimeServers) -> None:
    servers.unknown = set(HOSTS)
    with clock(quiet, servers) as judged, Capture(quiet) as tap:
        judged.ask("network")
    opened, looked_up, rest = openings(tap.stop())
    assert rest == [] and opened == {(names.PUBLIC_NODES[timeservers.PORTAL_NODE], 80)}
    # Half of each pool, and then the page.
    assert sorted(POOL_OF[name] for name in looked_up - {PORTAL}) == [
        "one", "one", "three", "three", "two", "two"]
    assert servers.seen.requests == [(PORTAL, b"GET /check HTTP/1.1\r\nHost: portal.example\r\n"
                                              b"Accept: */*\r\nConnection: close\r\n\r\n")]


def test_a_question_that_is_dropped_ends_on_the_wire(quiet: Lab, servers: TimeServers) -> None:
    """Connecting automatically, with servers that do not answer; then the person hides, and what asked
    has gone. No other host is looked up or asked, nor the page of a portal."""
    servers.all(timeservers.is_silent)
    with clock(quiet, servers) as judged, Capture(quiet) as tap:
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as door:
            door.connect(str(judged.folder / "ask"))
            door.send(b'{"mode":"network"}')
            wait_for(lambda: len(openings(tap.sync())[0]) == 3, SECONDS, "a connection to each pool")
        fetcher = wait_for(lambda: judged.fetchers, SECONDS, "the fetcher")[0]
        assert fetcher.wait(SECONDS) != 0
        opened, looked_up, rest = openings(tap.stop())
        assert rest == [] and len(opened) == 3
        assert sorted(POOL_OF[name] for name in looked_up) == ["one", "three", "two"]
        # The next question is another's: the judge waits for it.
        assert judged.ask("consensus")["outcome"] == "kept"
        assert judged.messages == []


def test_nothing_is_sent_when_nobody_asks(quiet: Lab, servers: TimeServers) -> None:
    """Not by being there, not by a question about the consensus, not by one that is none."""
    with Capture(quiet) as tap, clock(quiet, servers) as judged:
        assert judged.ask("consensus")["reason"] == "no-consensus"
        for nonsense in (b"", b"{}", b'{"mode":"hide"}', b'{"mode":"network"', b"x" * 4096):
            assert judged.say(nonsense) == b""
        assert judged.ask("consensus")["outcome"] == "kept"
        assert judged.fetchers == []
    assert openings(tap.stop()) == (set(), set(), [])


def test_without_the_policy_grant_nothing_is_sent(quiet: Lab, servers: TimeServers,
                                                  tmp_path: Path) -> None:  # fmt: skip
    """It is the user clearnet whose grant is used, and no other."""
    text = names.DEFAULT_POLICY.read_text(encoding="utf-8")
    policy = tmp_path / "policy.conf"
    policy.write_text(text.replace("allow clearnet to anywhere over tcp, udp\n", ""),
                      encoding="utf-8")  # fmt: skip
    rules.apply(quiet, f"lethe:{policy}")
    try:
        with clock(quiet, servers, host_seconds=2) as judged, Capture(quiet) as tap:
            assert judged.ask("network")["reason"] == "no-network"
        assert openings(tap.stop()) == (set(), set(), [])
    finally:
        rules.apply(quiet, "lethe")
