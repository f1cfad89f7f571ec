# SPDX-License-Identifier: GPL-3.0-or-later
"""The censor, the portal and the bad line do what they say; and without them the same works."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from conftest import lab_name
from labkit import client, names, netns, portal
from labkit.censor import LIE, PORTAL_ADDRESS, Censor, Dns, Line, Portal, Regime, render
from labkit.flows import Server
from labkit.lab import Lab

# For what must not be answered; far more than what is answered needs.
SILENCE_SECONDS = 4.0
DIRECTORY = (names.PUBLIC_NODES["da1"], names.AUTHORITY_OR_PORT)
RELAY = (names.PUBLIC_NODES["r2"], names.RELAY_OR_PORT)
BRIDGE = (names.PUBLIC_NODES[names.BRIDGE], names.BRIDGE_OBFS4_PORT)


@pytest.fixture(scope="module")
def place() -> Iterator[Lab]:
    """A laboratory without Tor; where a relay would listen, somebody answers."""
    laboratory = Lab(lab_name("-censor"))
    laboratory.up(tor=False)
    doors = {"da1": DIRECTORY, "r2": RELAY, names.BRIDGE: BRIDGE}
    servers = [Server(laboratory.ns(node), *address) for node, address in doors.items()]
    for server in servers:
        server.__enter__()
    yield laboratory
    for server in servers:
        server.__exit__(None, None, None)
    laboratory.down()


@pytest.fixture
def censor(place: Lab) -> Iterator[Censor]:
    with Censor(place) as made:
        yield made


Try = tuple[Callable[..., Any], tuple[Any, ...]]


def _tries(place: Lab, *tries: Try) -> list[str]:
    """All at the same time: "works", or in which of the censor's ways it does not."""
    return place.host.call(_all_at_once, tries, user=names.AMNESIA)


def _all_at_once(tries: tuple[Try, ...]) -> list[str]:
    with ThreadPoolExecutor(len(tries)) as pool:
        return list(pool.map(_one, tries))


def _one(what: Try) -> str:
    try:
        said = what[0](*what[1])
    except TimeoutError:
        return "silence"
    except ConnectionError:
        return "reset"
    return ",".join(said) if what[0] is client.resolve else "works"


def _tcp(where: tuple[str, int]) -> Try:
    return client.tcp_exchange, (*where, b"x", SILENCE_SECONDS)


def _udp(where: tuple[str, int]) -> Try:
    return client.udp_exchange, (*where, b"x", SILENCE_SECONDS)


def _http(port: int = 80) -> Try:
    return client.http_get, (names.WEB_ADDRESS, port, "/", SILENCE_SECONDS)


def _name(server: str, tcp: bool = False) -> Try:
    return client.resolve, (names.WEB_NAME, server, 1, tcp, SILENCE_SECONDS)


NAMES = [_name(server, tcp) for server in (names.LAN_RESOLVER, "9.9.9.9") for tcp in (False, True)]
ELSEWHERE = (names.ECHO_ADDRESS, 8000)
EVERYTHING = [_tcp(DIRECTORY), _tcp(RELAY), _tcp(BRIDGE), _http(), _http(443), _tcp(ELSEWHERE),
              _udp(ELSEWHERE)]  # fmt: skip


def _all_works(place: Lab) -> bool:
    return _tries(place, *EVERYTHING, *NAMES) == \
           ["works"] * len(EVERYTHING) + [names.WEB_ADDRESS] * len(NAMES)  # fmt: skip


def test_without_a_censor_all_works(place: Lab) -> None:
    """The anti-test of all below: the same connections, by the same functions."""
    assert _all_works(place)


def test_what_is_lifted_works_again(place: Lab, censor: Censor) -> None:
    censor.impose(dead=True, dns=Dns.LYING, portal=Portal(True, True), line=Line(100))
    censor.lift()
    assert censor.regime == Regime() and _all_works(place)


@pytest.mark.parametrize(("reset", "how"), [(False, "silence"), (True, "reset")])
def test_addresses_are_blocked(place: Lab, censor: Censor, reset: bool, how: str) -> None:
    doors = [_tcp(where) for where in (DIRECTORY, RELAY, BRIDGE)]
    censor.impose(blocked=censor.directories(), reset=reset)
    assert _tries(place, *doors) == [how, "works", "works"]
    censor.impose(blocked=censor.public_tor())
    assert _tries(place, *doors, _http()) == [how, how, "works", "works"]
    assert any(count > 0 for count in censor.dropped().values())


@pytest.mark.parametrize(("reset", "end"), [(False, TimeoutError), (True, ConnectionResetError)])
def test_a_connection_that_exists_is_cut(
    place: Lab, censor: Censor, reset: bool, end: type[OSError]
) -> None:
    host = place.ns(names.HOST)
    blocked, other = (netns.run_in(host, socket.create_connection, where, client.SECONDS)
                      for where in (RELAY, BRIDGE))  # fmt: skip
    with blocked, other:
        for flow in (blocked, other):
            flow.sendall(b"x")
            assert flow.recv(1) == b"x"
        censor.impose(blocked=censor.public_tor(), reset=reset)
        other.sendall(b"x")
        assert other.recv(1) == b"x"
        blocked.settimeout(SILENCE_SECONDS)
        blocked.sendall(b"x")
        with pytest.raises(end):
            blocked.recv(1)


def test_only_port_443(place: Lab, censor: Censor) -> None:
    censor.impose(only_ports=frozenset({443}))
    silent = [_http(), _tcp(RELAY), _tcp(DIRECTORY), _udp((names.ECHO_ADDRESS, 443)),
              _name("9.9.9.9")]  # fmt: skip
    said = _tries(place, _http(443), _tcp(BRIDGE), _name(names.LAN_RESOLVER), *silent)
    assert said == ["works", "works", names.WEB_ADDRESS] + ["silence"] * len(silent)


def test_names_blocked_and_lied_about(place: Lab, censor: Censor) -> None:
    censor.impose(dns=Dns.BLOCKED)
    assert _tries(place, *NAMES, _http()) == ["silence"] * 4 + ["works"]
    censor.impose(dns=Dns.LYING)
    assert _tries(place, *NAMES) == [LIE] * 4
    assert censor.resolver and censor.resolver.asked == [(names.WEB_NAME, names.HOST_ADDRESS)] * 4
    censor.impose(dns=Dns.OPEN)
    assert _tries(place, *NAMES) == [names.WEB_ADDRESS] * 4


def _head(address: str, host: str, path: str = "/") -> str:
    """The head of an HTTP answer, whatever it says."""
    with socket.create_connection((address, 80), timeout=client.SECONDS) as flow:
        flow.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        data = b""
        while piece := flow.recv(4096):
            data += piece
    return data.decode()


def _subject(address: str) -> str:
    """Who signed the certificate that is shown at port 443, found in its bytes."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection((address, 443), timeout=client.SECONDS) as flow:
        with context.wrap_socket(flow, server_hostname=names.WEB_NAME) as secret:
            shown = secret.getpeercert(binary_form=True) or b""
    return "portal" if portal.NAME.encode() in shown else "other"


def test_a_portal_until_somebody_logs_in(place: Lab, censor: Censor) -> None:
    censor.impose(portal=Portal())
    said = place.host.call(_head, names.WEB_ADDRESS, names.WEB_NAME)
    assert said.startswith("HTTP/1.1 302 ") and f"Location: {portal.PAGE}\r\n" in said
    assert portal.PAGE_BODY in place.host.call(client.http_get, PORTAL_ADDRESS, 80, "/portal")
    said = _tries(place, _http(443), _tcp(RELAY), _udp(ELSEWHERE), _name(names.LAN_RESOLVER))
    # The network's own name server answers, so that the page can be found at all.
    assert said == ["reset", "silence", "silence", names.WEB_ADDRESS]

    said = place.host.call(client.http_get, PORTAL_ADDRESS, 80, "/login")
    assert said.strip() == portal.LOGGED_IN_BODY
    assert _all_works(place)
    # Nobody else is let through by that.
    with pytest.raises(ConnectionError):
        netns.run_in(place.ns(names.GUEST), client.http_get, names.WEB_ADDRESS)
    censor.log_out()
    assert _tries(place, _tcp(RELAY)) == ["silence"]
    censor.log_in()
    assert _all_works(place)


def test_a_portal_with_names_and_a_certificate_of_its_own(place: Lab, censor: Censor) -> None:
    censor.impose(portal=Portal(own_certificate=True, dns=True))
    assert _tries(place, *NAMES) == [PORTAL_ADDRESS] * 4
    assert place.host.call(_subject, names.WEB_ADDRESS) == "portal"
    censor.log_in()
    # Nobody of the fake Internet speaks TLS there: it is again who it was.
    assert _all_works(place)


def test_a_dead_network(place: Lab, censor: Censor) -> None:
    censor.impose(dead=True)
    assert set(_tries(place, *EVERYTHING, *NAMES)) == {"silence"}


def test_a_slow_line_carries_no_more_than_it_says(place: Lab, censor: Censor) -> None:
    """Told by what is lost: more than the line holds at once is sent, and less arrives."""
    count, size = 60, 1000

    def arrived() -> int:
        return place.host.call(_count_echoes, names.ECHO_ADDRESS, count, size)

    assert arrived() == count
    censor.impose(line=Line(kilobits=64, wait_ms=500))
    assert 0 < arrived() < count
    assert _tries(place, _http()) == ["works"]
    censor.lift()
    assert arrived() == count


def _count_echoes(address: str, count: int, size: int) -> int:
    """Datagrams that are sent at once, and how many come back before there is silence."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as endpoint:
        endpoint.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 * count * size)
        endpoint.connect((address, 8001))
        for _ in range(count):
            endpoint.send(bytes(size))
        endpoint.settimeout(SILENCE_SECONDS)
        back = 0
        try:
            while back < count:
                endpoint.recv(size)
                back += 1
        except TimeoutError:
            pass
    return back


def test_modes_combine(place: Lab, censor: Censor) -> None:
    censor.impose(blocked=frozenset({BRIDGE[0]}), reset=True, only_ports=frozenset({443, 5001}))
    censor.impose(dns=Dns.LYING)
    said = _tries(place, _tcp(BRIDGE), _tcp(RELAY), _tcp(DIRECTORY), _name("9.9.9.9"))
    assert said == ["reset", "works", "silence", LIE]
    text = render(censor.regime)
    assert BRIDGE[0] in text and "redirect" in text and "5001" in text
