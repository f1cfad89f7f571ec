# SPDX-License-Identifier: GPL-3.0-or-later
"""The network clock against real servers: what it makes of them, and what it sends. The machine's clock
is never set: it is the world that is wrong, and the setter is told and tells."""

from __future__ import annotations

import gzip
import ipaddress
import json
import os
import re
import socket
import struct
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from conftest import lab_name, say

from labkit import client, dns, judge, names, rules, timeservers
from labkit.capture import Capture
from labkit.clockwork import BUILT, SECONDS, Clock, Server, now
from labkit.lab import Lab
from labkit.timeservers import DAY, HOSTS, POOL_OF, PORTAL, TimeServers, says
from labkit.wait import wait_for

NEAR = 12.0  # s, what the judge takes for agreement
YEAR = 365 * DAY
NETWORK = {"reason": "network", "captive": False}


@pytest.fixture(scope="module")
def quiet() -> Iterator[Lab]:
    """A laboratory without Tor, whose nodes serve the time; with the default policy in force."""
    laboratory = Lab(lab_name("-clock"), progress=say)
    laboratory.up(tor=False)
    rules.apply(laboratory, "lethe")
    yield laboratory
    laboratory.down()


@pytest.fixture(scope="module")
def all_servers(quiet: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TimeServers]:
    made = TimeServers(quiet, tmp_path_factory.mktemp("timeservers"))
    yield made
    made.close()


@pytest.fixture
def servers(all_servers: TimeServers) -> TimeServers:
    all_servers.reset()
    return all_servers


def clock(lab: Lab, servers: TimeServers, **options: object) -> Clock:
    ca = servers.authority.root
    for folder in (ca.parent, *ca.parents[:4]):
        folder.chmod(folder.stat().st_mode | 0o055)  # the user clearnet reads it
    return Clock(lab, ca=ca, **options)  # type: ignore[arg-type]


# The right time ---------------------------------------------------------------------------------


@pytest.mark.parametrize("shift", [300, 3 * 3600, 2 * DAY, 400 * DAY, 9 * YEAR,
                                   -300, -3 * 3600, -2 * DAY, -400 * DAY])  # fmt: skip
def test_a_clock_that_is_wrong_is_put_right(quiet: Lab, servers: TimeServers, shift: int) -> None:
    servers.reset(shift)
    with clock(quiet, servers, build=min(shift, 0) - 30 * DAY) as judged:
        answer = judged.ask("network")
        assert answer["outcome"] == "set" and NETWORK.items() <= answer.items(), answer
        assert abs(answer["difference"] - shift) <= NEAR
        assert abs(judged.told() - shift) <= NEAR
        assert judged.status()["outcome"] == "set" and judged.status()["dated"] == 3


def test_a_clock_that_is_right_is_left_alone(quiet: Lab, servers: TimeServers) -> None:
    with clock(quiet, servers) as judged:
        answer = judged.ask("network")
        assert answer["outcome"] == "right" and NETWORK.items() <= answer.items(), answer
        assert judged.messages == []


@pytest.mark.parametrize("offset", [0, -5000])
def test_a_caches_answer_is_not_believed(quiet: Lab, servers: TimeServers, offset: int) -> None:
    """Some write a new date on what they have kept, some do not; the other pools are enough."""
    servers.reset(3600)
    servers.pool("two", says(offset, more=b"Age: 5000\r\n"))
    with clock(quiet, servers) as judged:
        assert judged.ask("network")["outcome"] == "set"
        assert abs(judged.told() - 3600) <= NEAR
        assert judged.status()["dated"] == 2


def test_whatever_the_status_is(quiet: Lab, servers: TimeServers) -> None:
    """A host that refuses, or sends elsewhere, has told the time; nobody follows."""
    servers.reset(3600)
    servers.pool("one", says(status="403 Forbidden"))
    servers.pool("two", says(status="301 Moved Permanently",
                             more=b"Location: https://elsewhere.example/\r\n"))
    servers.pool("three", says(status="503 Service Unavailable"))
    with clock(quiet, servers) as judged:
        assert judged.ask("network")["outcome"] == "set"
        assert abs(judged.told() - 3600) <= NEAR
    assert len(servers.seen.requests) == 3
    assert {name for name, _ in servers.seen.names} <= set(HOSTS)


def test_the_next_host_of_a_pool(quiet: Lab, servers: TimeServers) -> None:
    """Of each pool one host is dead, whichever is drawn: the next one is asked, and that is all."""
    servers.reset(3600)
    servers.dead = {"da1.one.example", "r2.two.example"}
    servers.unknown = {"onion.three.example"}
    with clock(quiet, servers) as judged:
        assert judged.ask("network")["outcome"] == "set"
        assert abs(judged.told() - 3600) <= NEAR
    assert len(servers.seen.requests) == 3


# Liars and failures -----------------------------------------------------------------------------


@pytest.mark.parametrize("offset", [-400 * DAY, -60, 60, 400 * DAY])
@pytest.mark.parametrize("pool", ["one", "two", "three"])
def test_one_pool_lies(quiet: Lab, servers: TimeServers, pool: str, offset: int) -> None:
    servers.reset(3600)
    servers.certify(-500 * DAY, 500 * DAY)
    servers.pool(pool, says(offset))
    with clock(quiet, servers, build=-450 * DAY) as judged:
        assert judged.ask("network")["outcome"] == "set"
        assert abs(judged.told() - 3600) <= NEAR


def test_two_pools_that_lie_together_win(quiet: Lab, servers: TimeServers) -> None:
    """What a majority says is believed: this is the edge, and the test above could fail."""
    servers.pool("one", says(7200))
    servers.pool("three", says(7200))
    with clock(quiet, servers) as judged:
        assert judged.ask("network")["outcome"] == "set"
        assert abs(judged.told() - 7200) <= NEAR


def kept(lab: Lab, servers: TimeServers, **options: object) -> dict:
    """The answer where the clock must be left alone, and nothing is remembered as known."""
    with clock(lab, servers, **options) as judged:
        answer = judged.ask("network")
        assert answer["outcome"] == "kept", answer
        assert judged.messages == []
        assert judged.status()["reason"] == answer["reason"]
    return answer


def test_all_differ(quiet: Lab, servers: TimeServers) -> None:
    servers.pool("one", says(1000))
    servers.pool("two", says(-1000))
    assert kept(quiet, servers)["reason"] == "disagreement"


def test_two_pools_are_dead(quiet: Lab, servers: TimeServers) -> None:
    servers.dead = {host for host in HOSTS if POOL_OF[host] != "two"}
    answer = kept(quiet, servers)
    assert answer["reason"] == "no-quorum" and not answer["captive"]


def test_no_network_at_all(quiet: Lab, servers: TimeServers) -> None:
    servers.unknown = {*HOSTS, PORTAL}
    assert kept(quiet, servers)["reason"] == "no-network"


def test_before_the_build(quiet: Lab, servers: TimeServers) -> None:
    servers.reset(-400 * DAY)
    assert kept(quiet, servers, build=-30 * DAY)["reason"] == "before-build"


def test_years_ahead(quiet: Lab, servers: TimeServers) -> None:
    servers.reset(11 * YEAR)
    assert kept(quiet, servers, build=-30 * DAY)["reason"] == "too-late"


def test_no_build_date(quiet: Lab, servers: TimeServers) -> None:
    with clock(quiet, servers, build=-2e9) as judged:
        assert judged.ask("network")["reason"] == "no-build-date"
        assert judged.ask("consensus")["reason"] == "no-build-date"
    assert servers.seen.names == []


def test_the_setter_refuses(quiet: Lab, servers: TimeServers) -> None:
    servers.reset(3600)
    with clock(quiet, servers, refuses=34) as judged:
        answer = judged.ask("network")
        assert (answer["outcome"], answer["reason"]) == ("kept", "refused")


FULL = b"HTTP/1.1 200 OK\r\nDate: Fri, 27 Nov 2026 14:00:00 GMT\r\n"
BOMB = gzip.compress(bytes(64 << 20))
BAD_SERVERS: dict[str, timeservers.Answer] = {
    "no date": timeservers.sends(b"HTTP/1.1 200 OK\r\n\r\n"),
    "many dates": says(more=b"Date: Fri, 27 Nov 2026 14:00:00 GMT\r\n" * 5),
    "the same date twice": timeservers.sends(FULL + FULL[17:] + b"\r\n"),
    "another form of date": timeservers.sends(b"HTTP/1.1 200 OK\r\nDate: 27.11.2026 14:00\r\n\r\n"),
    "garbage": timeservers.sends(bytes(range(255, -1, -1)) * 16),
    "hangs up": lambda connection, servers, host: None,
    "other protocol": timeservers.sends(b"SSH-2.0-OpenSSH_9.2\r\n\r\n"),
    "HTTP/0.9": timeservers.sends(b"<html>it is late</html>"),
    "endless headers": timeservers.is_endless(b"X-Filler: " + b"y" * 500 + b"\r\n"),
    "endless line": timeservers.is_endless(b"y" * 65536),
    "endless interim answers": timeservers.is_endless(
        b"HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n", begin=b""),
    "age of a year": says(more=b"Age: 31536000\r\n"),
}
SLOW_SERVERS: dict[str, timeservers.Answer] = {
    "silent": timeservers.is_silent, "drips": timeservers.drips}


@pytest.mark.parametrize("name", [*BAD_SERVERS, *SLOW_SERVERS])
def test_bad_servers(quiet: Lab, servers: TimeServers, name: str) -> None:
    servers.reset(3600)
    servers.all((BAD_SERVERS | SLOW_SERVERS)[name])
    answer = kept(quiet, servers, host_seconds=2 if name in SLOW_SERVERS else 10)
    assert answer["reason"] == "no-quorum" and not answer["captive"]


@pytest.mark.parametrize("name", BAD_SERVERS)
def test_one_pool_of_bad_servers(quiet: Lab, servers: TimeServers, name: str) -> None:
    servers.reset(3600)
    servers.pool("two", BAD_SERVERS[name])
    with clock(quiet, servers) as judged:
        assert judged.ask("network")["outcome"] == "set"
        assert abs(judged.told() - 3600) <= NEAR


BODIES = {
    "a gzip bomb": says(more=b"Content-Encoding: gzip\r\nContent-Length: %d\r\n" % len(BOMB),
                        body=BOMB),
    "a huge body": says(body=b"x" * (8 << 20)),
    "an endless chunk": says(more=b"Transfer-Encoding: chunked\r\n", body=b"ffffffff\r\n"),
}  # fmt: skip


@pytest.mark.parametrize("name", BODIES)
def test_no_body_is_read(quiet: Lab, servers: TimeServers, name: str) -> None:
    """A head has all that is wanted; what follows it is neither read nor unpacked."""
    servers.reset(3600)
    servers.all(BODIES[name])
    with clock(quiet, servers) as judged:
        assert judged.ask("network")["outcome"] == "set"
        (fetcher,) = judged.fetchers
        assert fetcher.wait(SECONDS) == 0


@pytest.mark.parametrize("name", ["a gzip bomb", "a huge body"])
def test_no_body_of_a_portal_is_read_to_its_end(quiet: Lab, servers: TimeServers,
                                                name: str) -> None:  # fmt: skip
    servers.dead = set(HOSTS)
    servers.answers[PORTAL] = BODIES[name]
    assert kept(quiet, servers)["reason"] == "captive-portal"


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


def test_who_asked_has_gone(quiet: Lab, servers: TimeServers) -> None:
    """The question is answered all the same, for the next."""
    with clock(quiet, servers) as judged:
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as door:
            door.connect(str(judged.folder / "ask"))
            door.send(b'{"mode":"network"}')
        assert judged.ask("network")["reason"] == "known"
        assert len(judged.fetchers) == 1


# Certificates -----------------------------------------------------------------------------------


@pytest.mark.parametrize("start,end", [(DAY, 30 * DAY), (-30 * DAY, -DAY)])
def test_a_certificate_not_of_the_time_that_it_vouches_for(quiet: Lab, servers: TimeServers,
                                                            start: int, end: int) -> None:
    servers.certify(start, end)
    assert kept(quiet, servers)["reason"] == "certificates"


def test_a_certificate_of_a_stranger(quiet: Lab, servers: TimeServers) -> None:
    """It may be a portal's; the page by HTTP says that it is none."""
    servers.certify(stranger=True)
    answer = kept(quiet, servers)
    assert answer["reason"] == "no-quorum" and not answer["captive"]
    assert {host for host, _ in servers.seen.requests} == {PORTAL}


def test_a_certificate_for_somebody_else(quiet: Lab, servers: TimeServers) -> None:
    servers.certify(hosts=["portal.hotel.example"])
    assert kept(quiet, servers)["reason"] == "no-quorum"
    assert {host for host, _ in servers.seen.requests} == {PORTAL}


# Portals ----------------------------------------------------------------------------------------

PORTALS: dict[str, timeservers.Answer] = {
    "redirect": timeservers.portal_page("302 Found", "", "Location: http://192.168.1.1/login\r\n"),
    "redirect without end": timeservers.portal_page(
        "307 Temporary Redirect", "", f"Location: http://{PORTAL}{timeservers.PORTAL_PATH}\r\n"),
    "another page": timeservers.portal_page(text="<html>Welcome to the hotel"),
    "another status": timeservers.portal_page("511 Network Authentication Required", "pay"),
    "an empty page": timeservers.portal_page(text=""),
}


@pytest.mark.parametrize("secure", ["reset", "own certificate"])
@pytest.mark.parametrize("name", PORTALS)
def test_a_portal_is_recognised(quiet: Lab, servers: TimeServers, name: str, secure: str) -> None:
    if secure == "reset":
        servers.dead = set(HOSTS)
    else:
        servers.certify(stranger=True, hosts=["portal.hotel.example"])
    servers.answers[PORTAL] = PORTALS[name]
    answer = kept(quiet, servers)
    assert answer["reason"] == "captive-portal" and answer["captive"]
    # One request by HTTP, and it is not followed anywhere.
    assert [host for host, _ in servers.seen.requests] == [PORTAL]
    assert {name for name, _ in servers.seen.names} <= {*HOSTS, PORTAL}


def test_a_portal_that_only_answers_by_tls(quiet: Lab, servers: TimeServers) -> None:
    servers.certify(stranger=True)
    servers.dead = {PORTAL}
    answer = kept(quiet, servers)
    assert answer["reason"] == "captive-portal" and answer["captive"]


# On the wire ------------------------------------------------------------------------------------


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
            name, kind = timeservers._question(message)
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


@pytest.mark.parametrize("shift", [300, 3 * 3600, 2 * DAY, 400 * DAY, -5 * 3600, -2 * DAY])
def test_the_consensus_puts_the_clock_right(quiet: Lab, shift: int) -> None:
    """Into the middle of the hour in which everybody gets this consensus."""
    with Clock(quiet, tor=says_consensus(shift)) as judged:
        answer = judged.ask("consensus")
        assert (answer["outcome"], answer["reason"]) == ("set", "consensus")
        assert abs(judged.told() - (shift + 1800)) <= NEAR


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
