# SPDX-License-Identifier: GPL-3.0-or-later
"""The network clock against real servers: what it makes of them. The machine's clock is never set: it is
the world that is wrong, and the setter is told and tells."""

from __future__ import annotations

import gzip

import pytest
from clock_fixtures import NEAR, YEAR, all_servers, clock, quiet, servers  # noqa: F401

from labkit import timeservers
from labkit.clockwork import SECONDS
from labkit.lab import Lab
from labkit.timeservers import DAY, HOSTS, POOL_OF, PORTAL, TimeServers, says

NETWORK = {"reason": "network", "captive": False}


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
        print(judged.log.read_text(encoding="utf-8"))  # why, if what follows is not as expected
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
