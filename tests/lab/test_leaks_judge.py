# SPDX-License-Identifier: GPL-3.0-or-later
"""The judge: every planted frame is found, and nothing is explained away."""

from __future__ import annotations

import random
import struct

import pytest

from labkit import judge, names, probes, probes_wire as wire

RUN, OTHER_RUN = "0badc0de", "12345678"
NUMBER = 0x123
MAC = bytes.fromhex("021e7e000102")
HOST, WEB = names.HOST_ADDRESS, names.WEB_ADDRESS
HOST6, WEB6 = names.HOST_GLOBAL, names.WEB_ADDRESS6
MARK = judge.mark(RUN, NUMBER)


def ethernet(ethertype: int, payload: bytes) -> bytes:
    return wire.ethernet(b"\2" * 6, MAC, ethertype, payload)


def ip4(protocol: int, body: bytes, **more: int | bytes) -> bytes:
    return ethernet(wire.ETH_P_IP, wire.ipv4(HOST, WEB, protocol, body, **more))  # type: ignore


def ip6(protocol: int, body: bytes) -> bytes:
    return ethernet(wire.ETH_P_IPV6, wire.ipv6(HOST6, WEB6, protocol, body))


def igmp3(*groups: str) -> bytes:
    records = b"".join(struct.pack("!BBH", 4, 0, 0) + wire.packed(group) for group in groups)
    return ip4(2, struct.pack("!BBHHH", 0x22, 0, 0, 0, len(groups)) + records)


def mld2(*groups: str) -> bytes:
    records = b"".join(struct.pack("!BBH", 4, 0, 0) + wire.packed(group) for group in groups)
    body = struct.pack("!BBHHH", 143, 0, 0, 0, len(groups)) + records
    return ip6(0, bytes([58, 0, 5, 2, 0, 0, 1, 0]) + body)  # behind a hop-by-hop header


def udp(payload: bytes, port: int = 1000) -> bytes:
    return wire.udp(HOST, WEB, port, 53, payload)


PORT = judge.source_port(NUMBER)
PLANTED = {
    "UDP with the mark": ip4(17, udp(MARK)),
    "DNS with the mark as a name": ip4(17, udp(wire.dns_query(MARK))),
    "TCP SYN by its source port": ip4(6, wire.tcp(HOST, WEB, PORT, 80, wire.TCP_SYN)),
    "TCP ACK by its source port": ip4(6, wire.tcp(HOST, WEB, PORT, 80, wire.TCP_ACK)),
    "a reset for a forged SYN": ip4(6, wire.tcp(WEB, HOST, 80, PORT, wire.TCP_RST)),
    "TCP behind options": ip4(6, wire.tcp(HOST, WEB, PORT, 80, 2), options=b"\7\7\4\0\0\0\0"),
    "IPv6 TCP by its source port": ip6(6, wire.tcp(HOST6, WEB6, PORT, 80, 2)),
    "IPv6 UDP by its port, behind options": ip6(60, b"\x11\0\1\4\0\0\0\0"
                                                + wire.udp(HOST6, WEB6, PORT, 53, b"")),
    "ICMP with the mark": ip4(1, wire.icmp(8, 0, b"\0\0\0\1", MARK)),
    "ICMP error that quotes the mark": ip4(1, wire.icmp(3, 3, b"\0" * 4, ip4(17, udp(MARK))[14:])),
    "GRE around UDP": ip4(47, b"\0\0\x08\0" + ip4(17, udp(MARK))[14:]),
    "an unknown protocol": ip4(253, MARK),
    "a later fragment": ip4(17, MARK + b"." * 5, fragment=100),
    "a first fragment of eight bytes": ip4(6, wire.tcp(HOST, WEB, PORT, 53, 2)[:8],
                                           fragment=wire.MORE_FRAGMENTS),
    "SCTP by its source port": ip4(132, struct.pack("!HHII", PORT, 5000, 0, 0)),
    "VLAN around IPv4": ethernet(wire.ETH_P_VLAN, wire.vlan(7, wire.ETH_P_IP,
                                                            ip4(6, wire.tcp(HOST, WEB, PORT, 80, 2))
                                                            [14:])),
    "two VLAN tags": ethernet(0x88A8, wire.vlan(7, wire.ETH_P_VLAN, wire.vlan(
        8, wire.ETH_P_IP, ip4(6, wire.tcp(HOST, WEB, PORT, 80, 2))[14:]))),
    "an unknown ethertype": ethernet(0x88B6, MARK),
    "EAPOL": ethernet(wire.ETH_P_EAPOL, b"\2\0\0\x13" + MARK),
    "802.3 with a length": ethernet(40, b"\x42\x42\3" + MARK),
    "ARP by the address asked for": ethernet(wire.ETH_P_ARP,
                                             wire.arp(1, MAC, HOST, judge.arp_target(NUMBER))),
    "ARP of an odd shape": ethernet(wire.ETH_P_ARP,
                                    wire.arp(1, MAC, HOST, HOST, hardware_length=8) + MARK),
    "IPv4 with a header longer than the packet": ethernet(wire.ETH_P_IP, b"\x4f\0\0\x30" + MARK),
    "IPv6 cut short": ethernet(wire.ETH_P_IPV6, b"\x60\0\0\0" + MARK),
    "a frame without a header": MARK[:13] + MARK,
    "IGMPv3": igmp3(judge.group4(NUMBER)),
    "IGMPv3, second of two groups": igmp3("239.1.2.3", judge.group4(NUMBER)),
    "IGMPv2": ip4(2, b"\x16\0\0\0" + wire.packed(judge.group4(NUMBER))),
    "MLDv2": mld2(judge.group6(NUMBER)),
    "MLDv2, second of two groups": mld2("ff02::fb", judge.group6(NUMBER)),
}


@pytest.mark.parametrize("what", PLANTED)
def test_a_planted_frame_is_found(what: str) -> None:
    findings = judge.judge([PLANTED[what]], RUN, [NUMBER])
    assert findings.seen == {NUMBER: {0}}
    assert not findings.strays
    assert findings.background == 0


@pytest.mark.parametrize("what", PLANTED)
def test_it_is_not_another_probes(what: str) -> None:
    """The same frame, where its probe was never sent, is a stray or plain ARP: never nothing."""
    findings = judge.judge([PLANTED[what]], RUN, [NUMBER + 1])
    assert not findings.seen
    assert sum(findings.strays.values()) + findings.background == 1
    assert findings.background == (1 if what == "ARP by the address asked for" else 0)


def test_marks_of_another_run_are_strays() -> None:
    frame = ip4(17, udp(judge.mark(OTHER_RUN, NUMBER)))
    findings = judge.judge([frame], RUN, [NUMBER])
    assert not findings.seen
    assert sum(findings.strays.values()) == 1


def test_every_part_is_counted() -> None:
    frames = [ip4(17, udp(judge.mark(RUN, NUMBER, part))) for part in (0, 2)]
    assert judge.judge(frames, RUN, [NUMBER]).seen == {NUMBER: {0, 2}}


def test_two_marks_in_one_frame_are_both_found() -> None:
    frame = ip4(17, udp(MARK + judge.mark(RUN, NUMBER + 1)))
    assert judge.judge([frame], RUN, [NUMBER, NUMBER + 1]).seen.keys() == {NUMBER, NUMBER + 1}


STRAYS = {
    "UDP": ip4(17, udp(b"x")),
    "a TCP segment": ip4(6, wire.tcp(HOST, WEB, 1000, 80, wire.TCP_ACK)),
    "MLD of the kernel": mld2("ff02::1:ff00:2"),
    "router solicitation": ip6(58, b"\x85" + b"\0" * 7),
    "neighbour solicitation": ip6(58, b"\x87" + b"\0" * 23),
    "IGMP": igmp3("224.0.0.251"),
    "ARP, operation 3": ethernet(wire.ETH_P_ARP, wire.arp(3, MAC, HOST, HOST)),
    "ARP for another hardware": ethernet(wire.ETH_P_ARP, wire.arp(1, MAC, HOST, HOST, hardware=6)),
    "ARP of other lengths": ethernet(wire.ETH_P_ARP,
                                     wire.arp(1, MAC, HOST, HOST, protocol_length=16)),
    "ARP behind a VLAN tag": ethernet(wire.ETH_P_VLAN, wire.vlan(
        7, wire.ETH_P_ARP, wire.arp(1, MAC, HOST, HOST))),
    "ARP cut short": ethernet(wire.ETH_P_ARP, b"\0\1\x08\0\6")[:19],
    "an empty frame": b"",
    "a short frame": b"\2" * 13,
    "an unknown ethertype": ethernet(0x1234, b"."),
}


@pytest.mark.parametrize("what", STRAYS)
def test_what_no_probe_sent_is_told(what: str) -> None:
    findings = judge.judge([STRAYS[what]], RUN, range(judge.NUMBER_MAX + 1))
    assert sum(findings.strays.values()) == 1
    assert not findings.seen


@pytest.mark.parametrize("operation", (1, 2))
def test_the_kernels_arp_is_background(operation: int) -> None:
    frame = ethernet(wire.ETH_P_ARP, wire.arp(operation, MAC, HOST, names.ROUTER_ADDRESS))
    findings = judge.judge([frame], RUN, range(judge.NUMBER_MAX + 1))
    assert findings.background == 1
    assert not findings.strays


def test_only_tcp_to_a_relay_passes_for_tor() -> None:
    relay = wire.packed("203.0.113.21")

    def frame(protocol: int, destination: str) -> bytes:
        body = wire.tcp(HOST, destination, 40000, 5001, wire.TCP_SYN)
        return ethernet(wire.ETH_P_IP, wire.ipv4(HOST, destination, protocol, body))

    frames = [frame(6, "203.0.113.21"), frame(17, "203.0.113.21"), frame(6, WEB)]
    findings = judge.judge(frames, RUN, [], [relay])
    assert findings.background == 1
    assert sum(findings.strays.values()) == 2


def test_no_bytes_make_it_fail() -> None:
    seed = 20260101
    source = random.Random(seed)
    for _ in range(5000):
        base = bytearray(source.choice(list(PLANTED.values())))
        for _ in range(source.randrange(8)):
            if base:
                base[source.randrange(len(base))] = source.randrange(256)
        frame = bytes(base[:source.randrange(len(base) + 1)])
        findings = judge.judge([frame], RUN, [NUMBER])
        total = len(findings.seen) + findings.background + sum(findings.strays.values())
        assert total == 1, (seed, frame.hex())


def test_numbers_name_class_and_column() -> None:
    classes = probes.table()
    numbers = {probes.number(index, column) for index in range(len(classes))
               for column in range(probes.COLUMNS_MAX)}
    assert len(numbers) == len(classes) * probes.COLUMNS_MAX
    assert len({judge.group4(number) for number in numbers}) == len(numbers)
    assert len({judge.group6(number) for number in numbers}) == len(numbers)
    assert len({judge.arp_target(number) for number in numbers}) == len(numbers)
    assert all(judge.source_port(number) < 32768 for number in numbers)
