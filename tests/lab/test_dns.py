# SPDX-License-Identifier: GPL-3.0-or-later
"""Names: whatever way a program resolves them, it is by Tor or not at all. Each way as each user,
judged by what came of it and by the wire: no frame to the LAN's name server or to any other."""

from __future__ import annotations

import ctypes
import encodings.idna  # noqa: F401  (see Host.call: nothing is imported later)
import ipaddress
import select
import socket
import struct
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

from labkit import client, dns, figures, names, rules, trial
from labkit.capture import Capture
from labkit.lab import Lab

SHORT_SECONDS = 3.0  # for what is not answered
SECONDS = 60.0
USERS = (names.AMNESIA, names.ROOT, names.NOBODY, names.DEBIAN_TOR, names.CLEARNET)
# F7 of the policy: who may ask Tor's DNSPort.
MAY_ASK = frozenset({names.AMNESIA, names.ROOT})
RESOLVERS = {"LAN": names.LAN_RESOLVER, "link": names.LINK_LOCAL_RESOLVER, "public": "9.9.9.9"}
REFUSED = "refused"
_PTR, _SRV, _TXT = 12, 33, 16


def _outcome(function: Callable[..., Any], arguments: tuple[Any, ...]) -> str:
    """On the host: the answer in words, "nothing" for an empty one, "refused" for every failure."""
    try:
        said = function(*arguments)
    except OSError:
        return REFUSED
    return ", ".join(map(str, said)) if said else "nothing"


# The ways ---------------------------------------------------------------------------------------


def nss(name: str, family: socket.AddressFamily) -> list[str]:
    """As nearly every program does."""
    found = socket.getaddrinfo(name, 80, family, socket.SOCK_STREAM)
    return sorted({str(address[4][0]) for address in found})


def nss_reverse(address: str) -> list[str]:
    return [socket.gethostbyaddr(address)[0]]


def raw(name: str, kind: int, server: str, tcp: bool) -> list[str]:
    """As dig does: a question of its own to a server of its choice."""
    question = dns.query(name, kind)
    if not tcp:
        return _records(client.udp_exchange(server, 53, question, SHORT_SECONDS))
    with socket.create_connection((server, 53), SHORT_SECONDS) as flow:
        flow.sendall(struct.pack("!H", len(question)) + question)
        flow.settimeout(SHORT_SECONDS)
        return _records(flow.recv(4096)[2:])


def local(name: str, kind: int) -> list[str]:
    """The same to the server of resolv.conf."""
    with open("/etc/resolv.conf", encoding="ascii") as lines:
        servers = [line.split()[1] for line in lines if line.startswith("nameserver")]
    return _records(client.udp_exchange(servers[0], 53, dns.query(name, kind), SECONDS))


def _records(response: bytes) -> list[str]:
    """Addresses; of other kinds of answer only that there is one; else the answer's code."""
    found = dns.addresses(response)
    code, answers = response[3] & 15, int.from_bytes(response[6:8], "big")
    return found or ([f"{answers} records"] if answers else [f"code {code}"] if code else [])


def group(address: str, port: int, name: str) -> list[str]:
    """A question to everybody on the link: mDNS, LLMNR."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.settimeout(SHORT_SECONDS)
        sender.sendto(dns.query(name), (address, port))
        sender.recv(4096)
    return ["answered"]


class CAres:
    """The library that curl, Node and others resolve names with, past NSS."""

    _CALLBACK = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int, ctypes.c_int, ctypes.c_void_p)

    def __init__(self) -> None:
        self._library = ctypes.CDLL("libcares.so.2")
        self._library.ares_library_init(1)

    def __call__(self, name: str, servers: str) -> list[str]:
        """With the servers of resolv.conf, or its own."""
        said: list[int] = []
        channel = ctypes.c_void_p()
        if self._library.ares_init(ctypes.byref(channel)) != 0:
            raise OSError("c-ares did not begin")
        if servers:
            self._library.ares_set_servers_csv(channel, servers.encode())
        address: list[str] = []

        def done(_: int, status: int, _timeouts: int, entry: int) -> None:
            said.append(status)
            if status == 0:
                address.append(_first_address(entry))

        callback = self._CALLBACK(done)
        self._library.ares_gethostbyname(channel, name.encode(), socket.AF_INET, callback, None)
        self._run(channel, said)
        self._library.ares_destroy(channel)
        if said != [0]:
            raise OSError(f"c-ares: {said}")
        return address

    def _run(self, channel: ctypes.c_void_p, said: list[int]) -> None:
        sockets = (ctypes.c_int * 16)()
        while not said:
            mask = self._library.ares_getsock(channel, sockets, 16)
            reading = [sockets[i] for i in range(16) if mask & (1 << i)]
            ready = select.select(reading, [], [], 1.0)[0]
            for descriptor in ready or [-1]:
                self._library.ares_process_fd(channel, descriptor, -1)


class _Hostent(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("aliases", ctypes.c_void_p), ("kind", ctypes.c_int),
                ("length", ctypes.c_int), ("list", ctypes.POINTER(ctypes.c_void_p))]  # fmt: skip


def _first_address(entry: int) -> str:
    found = ctypes.cast(entry, ctypes.POINTER(_Hostent)).contents.list[0]
    return socket.inet_ntoa(ctypes.string_at(found, 4))


CARES = CAres()
REVERSE = ".".join(reversed(names.WEB_ADDRESS.split("."))) + ".in-addr.arpa"
RIGHT = names.WEB_ADDRESS

# A way, how it is done, and what those get who may ask Tor. The others get nothing.
BY_TOR: dict[str, tuple[Callable[..., Any], tuple[Any, ...], str]] = {
    "getaddrinfo, IPv4": (nss, (names.WEB_NAME, socket.AF_INET), RIGHT),
    "getaddrinfo, IPv6": (nss, (names.WEB_NAME, socket.AF_INET6), REFUSED),
    "getaddrinfo, both": (nss, (names.WEB_NAME, socket.AF_UNSPEC), RIGHT),
    "own question, A": (local, (names.WEB_NAME, dns.TYPE_A), RIGHT),
    "c-ares": (CARES, (names.WEB_NAME, ""), RIGHT),
    "own question, .onion": (local, ("a" * 56 + ".onion", dns.TYPE_A), "mapped"),
}  # fmt: skip
# Whatever Tor says to these, it is not by the LAN.
ANY_ANSWER: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {
    "own question, AAAA": (local, (names.WEB_NAME, dns.TYPE_AAAA)),
    "own question, PTR": (local, (REVERSE, _PTR)),
    "gethostbyaddr": (nss_reverse, (names.WEB_ADDRESS,)),
    "own question, TXT": (local, (names.WEB_NAME, _TXT)),
    "own question, SRV": (local, (f"_http._tcp.{names.WEB_NAME}", _SRV)),
    "getaddrinfo, .local": (nss, ("printer.local", socket.AF_UNSPEC)),
    "getaddrinfo, one label": (nss, ("printer", socket.AF_UNSPEC)),
}  # fmt: skip
# What is not for Tor: nobody answers.
PAST_TOR: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {
    **{f"{where} resolver, {'TCP' if tcp else 'UDP'}": (raw, (names.WEB_NAME, 1, server, tcp))
       for where, server in RESOLVERS.items() for tcp in (False, True)},
    "c-ares, LAN resolver": (CARES, (names.WEB_NAME, names.LAN_RESOLVER)),
    "c-ares, public resolver": (CARES, (names.WEB_NAME, "9.9.9.9")),
    "loopback, TCP": (raw, (names.WEB_NAME, 1, "127.0.0.1", True)),
    "mDNS": (group, ("224.0.0.251", 5353, "printer.local")),
    "LLMNR": (group, ("224.0.0.252", 5355, "printer")),
}  # fmt: skip


# Tests ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def place(lab: Lab) -> Iterator[Lab]:
    rules.apply_lethe(lab)
    yield lab
    rules.clear(lab)


def _try(place: Lab, user: str, way: str, function: Callable[..., Any],
         arguments: tuple[Any, ...], doors: Iterable[trial.Door] = ()) -> str:  # fmt: skip
    """What came of it. Nothing but Tor's own connections may be on the wire meanwhile, and what
    @doors allow. The table counts these, too."""
    with Capture(place) as tap:
        said = place.host.call(_outcome, function, arguments, user=user, timeout=SECONDS * 2)
        frames = tap.sync()
    strays = trial.unexpected(frames, trial.PUBLIC)
    figures.NAMES.add(way, user, said, sum(strays.values()))
    strays = trial.unexpected(frames, trial.PUBLIC | set(doors))
    assert not strays, f"{way} as {user}: {dict(strays)}"
    return said


def test_the_name_server_is_on_loopback(place: Lab) -> None:
    said = place.host.run(["cat", "/etc/resolv.conf"], user=names.AMNESIA).stdout
    assert [line for line in said.splitlines() if line.strip()] == ["nameserver 127.0.0.1"]
    said = place.host.run(["grep", "^hosts:", "/etc/nsswitch.conf"]).stdout
    assert said.split() == ["hosts:", "files", "dns"]


@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize("way", BY_TOR)
def test_by_tor(place: Lab, user: str, way: str) -> None:
    function, arguments, right = BY_TOR[way]
    said = _try(place, user, way, function, arguments)
    if user not in MAY_ASK:
        assert said == REFUSED
    elif right == "mapped":
        assert ipaddress.ip_address(said) in ipaddress.ip_network(names.AUTOMAP_PREFIX)
    else:
        assert said == right


@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize("way", ANY_ANSWER)
def test_other_questions(place: Lab, user: str, way: str) -> None:
    said = _try(place, user, way, *ANY_ANSWER[way])
    assert user in MAY_ASK or said == REFUSED


@pytest.mark.parametrize("user", (names.AMNESIA, names.ROOT, names.NOBODY, names.DEBIAN_TOR))
@pytest.mark.parametrize("way", PAST_TOR)
def test_past_tor(place: Lab, user: str, way: str) -> None:
    """The user clearnet is for this (F3), and is not asked here. Tor's own user may make TCP
    connections to the Internet (F2), whatever the port: that one way is open to it, and shows."""
    if (user, way) == (names.DEBIAN_TOR, "public resolver, TCP"):
        assert _try(place, user, way, *PAST_TOR[way], {(RESOLVERS["public"], 53)}) == RIGHT
    else:
        assert _try(place, user, way, *PAST_TOR[way]) == REFUSED


def test_clearnet_asks_the_network(place: Lab) -> None:
    """Who may: the anti-test of the filter's part, by the same functions."""
    function, arguments = PAST_TOR["LAN resolver, UDP"]
    with Capture(place) as tap:
        said = place.host.call(_outcome, function, arguments, user=names.CLEARNET)
        strays = trial.unexpected(tap.sync(), trial.PUBLIC)
    assert said == RIGHT and sum(strays.values()) == 1


@pytest.mark.parametrize("way", [way for way in PAST_TOR if "resolver" in way])
def test_without_the_filter_it_is_seen(place: Lab, way: str) -> None:
    """The anti-test: the same attempt is answered, and is on the wire."""
    rules.clear(place)
    try:
        with Capture(place) as tap:
            said = place.host.call(_outcome, *PAST_TOR[way], user=names.AMNESIA)
            strays = trial.unexpected(tap.sync(), trial.PUBLIC)
        figures.NAMES.add(f"{way}, no filter", names.AMNESIA, said, sum(strays.values()))
        assert said == RIGHT and strays
    finally:
        rules.apply_lethe(place)
