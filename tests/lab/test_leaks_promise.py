# SPDX-License-Identifier: GPL-3.0-or-later
"""The promises that the matrix is judged by, sentence by sentence of the specification."""

from __future__ import annotations

import pytest

from labkit import names, probes
from labkit.promise import (BLOCKED, NOBODYS, OUT, SILENT, USERS, Traffic, automap_promise,
                            local_promise, promise)

A, C, N, T, R, Y, P = (names.AMNESIA, names.CLEARNET, names.CLEARNET_NET, names.DEBIAN_TOR,
                       names.ROOT, names.NOBODY, names.APT)
B, F, L = names.BRIDGES_NET, names.FRONTS_NET, names.TRANSPORT
ALL = {A, C, N, T, R, Y, P, B, F, L}
CLEAR = {C, N, F}
TORS = {T, B}  # TCP to the Internet, and nothing else


def traffic(protocol: str, destination: str, port: int = 0, **more: object) -> Traffic:
    return Traffic(protocol=protocol, destination=destination, port=port, **more)  # type: ignore


# What is sent, and who may.
SENTENCES = [
    ("Tor may open TCP connections to the Internet", traffic("tcp", "203.0.113.5", 443),
     CLEAR | TORS),
    ("whatever the port", traffic("tcp", "203.0.113.5", 53), CLEAR | TORS),
    ("Tor sends no UDP", traffic("udp", "203.0.113.5", 53), CLEAR),
    ("clearnet resolves names", traffic("udp", "192.168.1.1", 53), CLEAR),
    ("wherever the resolver is", traffic("udp", "100.64.0.53", 53), CLEAR),
    ("or on the link", traffic("udp", "169.254.1.53", 53), CLEAR),
    ("the provider's addresses are not Tor's Internet", traffic("tcp", "100.64.0.53", 53), CLEAR),
    ("ICMP to the Internet is dropped", traffic("icmp", "203.0.113.5"), set()),
    ("so are other protocols", traffic("sctp", "203.0.113.5", 80), set()),
    ("the LAN is open by TCP", traffic("tcp", "192.168.1.50", 9100), ALL),
    ("by UDP", traffic("udp", "10.255.255.255", 5000), ALL),
    ("by ICMP", traffic("icmp", "172.31.255.255"), ALL),
    ("the LAN ends where RFC 1918 says", traffic("tcp", "172.32.0.1", 80), CLEAR | TORS),
    ("and begins there", traffic("udp", "172.15.255.255", 80), CLEAR),
    ("open means the protocols that a policy can name", traffic("gre", "192.168.1.50"), set()),
    ("LAN DNS is forbidden", traffic("udp", "192.168.1.1", 53), CLEAR),
    ("by TCP too", traffic("tcp", "192.168.1.1", 53), CLEAR),
    ("DNS over TLS", traffic("tcp", "192.168.1.1", 853), CLEAR),
    ("NetBIOS", traffic("udp", "192.168.1.255", 137), CLEAR),
    ("mDNS", traffic("udp", "192.168.1.50", 5353), CLEAR),
    ("LLMNR", traffic("udp", "192.168.1.50", 5355), CLEAR),
    ("NAT-PMP", traffic("udp", "192.168.1.1", 5351), CLEAR),
    ("SSDP", traffic("udp", "192.168.1.1", 1900), CLEAR),
    ("groups are not hosts", traffic("udp", "224.0.0.251", 5353), set()),
    ("nor is everybody", traffic("udp", "255.255.255.255", 5000), set()),
    ("DHCP by root alone", traffic("udp", "255.255.255.255", 67, source_port=68), {R}),
    ("in its exact shape", traffic("udp", "255.255.255.255", 67, source_port=1068), set()),
    ("and no other", traffic("udp", "255.255.255.255", 68, source_port=67), set()),
    ("ARP by root", Traffic("arp"), {R}),
    ("in its one shape", Traffic("arp", plain=False), set()),
    ("and by the kernel", Traffic("arp", owner=NOBODYS), ALL),
    ("EAPOL by root", Traffic("eapol"), {R}),
    ("no other frame", Traffic("other"), set()),
    ("IPv6 is blocked", Traffic("ipv6", "tcp", "2001:db8::1", 80), set()),
    ("on the LAN too", Traffic("ipv6", "udp", "fd00::1", 80), set()),
    ("what has no owner is blocked", traffic("tcp", "203.0.113.5", 80, owner=NOBODYS), set()),
    ("who made a socket counts", traffic("tcp", "203.0.113.5", 80, owner=T), ALL),
    ("not who uses it", traffic("tcp", "203.0.113.5", 80, owner=R), set()),
    ("a later fragment has no port to forbid", traffic("udp", "192.168.1.1", 53, fragment=True),
     ALL),
]


@pytest.mark.parametrize("sentence", SENTENCES, ids=[entry[0] for entry in SENTENCES])
def test_sentence(sentence: tuple[str, Traffic, set[str]]) -> None:
    _, what, allowed = sentence
    assert {user for user in USERS if promise(what, user) == OUT} == allowed
    assert {user for user in USERS if promise(what, user) == BLOCKED} == ALL - allowed


def test_a_stop_on_the_way_grants_nothing_at_the_end() -> None:
    routed = traffic("udp", "192.168.1.1", 9, final="203.0.113.5", odd=True)
    assert {user: promise(routed, user) for user in USERS} == {
        user: SILENT if user in CLEAR else BLOCKED for user in USERS}


LOCAL = [
    ("tcp", 9050, {A, Y, P}),
    ("tcp", 9062, {R}),
    ("tcp", 9063, set()),
    ("tcp", 9055, {T}),
    ("tcp", 9056, {T}),
    ("tcp", 9057, {T}),
    ("tcp", 9040, {A}),
    ("tcp", 631, {A}),
    ("tcp", 20000, {A}),
    ("tcp", 53, {A}),
    ("udp", 53, {A, R}),
    ("udp", 5353, set()),
]


@pytest.mark.parametrize("protocol,port,allowed", LOCAL)
def test_local_service(protocol: str, port: int, allowed: set[str]) -> None:
    assert {user for user in USERS if local_promise(protocol, port, user)} == allowed


def test_automap_is_amnesias() -> None:
    assert {user for user in USERS if automap_promise(user)} == {A}


def test_the_table_is_as_large_as_promised() -> None:
    """At least sixty classes, of every claim that the wire can show."""
    classes = probes.table()
    assert len([entry for entry in classes if not entry.users]) >= 60
    assert {entry.claim for entry in classes} >= {"F1", "F5", "F8"}
    blocked = [entry for entry in classes if not entry.users
               and all(promise(entry.traffic, user) == BLOCKED for user in USERS)]
    granted = [entry for entry in classes
               if any(promise(entry.traffic, user) == OUT for user in USERS)]
    assert len(blocked) >= 60
    assert len(granted) >= 40


def test_few_cells_are_left_open() -> None:
    """SILENT is for what no program needs; it must not become a way to pass."""
    silent = [entry.name for entry in probes.table()
              if any(promise(entry.traffic, user) == SILENT for user in USERS)]
    assert all(name.startswith(("frag-", "packet-fragment")) or "-options-" in name
               or name in ("raw-udp-route", "raw-udp-alert") for name in silent)
    assert not any(promise(entry.traffic, names.AMNESIA) == SILENT for entry in probes.table())
