# SPDX-License-Identifier: GPL-3.0-or-later
"""The oracle sees what it must. Each rule has its anti-test: the good session with one frame that
breaks this rule and no other, which must be found alone, and for its own reason."""

from __future__ import annotations

import dataclasses
import os
import random
import re
import socket
import struct
from pathlib import Path

import pytest

import made_frames as made
from labkit import names
from made_frames import (
    ACK, ALL, FIN, GATEWAY, GUEST, LEASE, NOBODY, PSH, RELAY, RELAY_PORT, ROUTER, SYN, SYN_OPTIONS,
    arp, dhcp, ethernet, options_of, tcp, udp,
)  # fmt: skip
from vmkit import pcap, wire_rules
from vmkit.wire import Recording, of_capture
from vmkit.wire_judge import Frame, Leak, Result, judge
from vmkit.wire_rules import Allowed

RULES = wire_rules.of_lab()
PRINTER, PRINTER_MAC = names.PRINTER_ADDRESS, names.PRINTER_MAC
WEB = names.WEB_ADDRESS
OTHER_MAC = "52:54:00:00:00:01"
ICMP_ECHO = b"\x08\x00\xf7\xfe\x00\x01\x00\x00"


def _ip(protocol: int, payload: bytes, destination: str = WEB, **fields) -> bytes:
    return ethernet(made.Ip(protocol, destination, **fields).around(payload))


def _other_source(frame: bytes, mac: str = OTHER_MAC) -> bytes:
    return frame[:6] + made.raw_mac(mac) + frame[12:]


def _asks(*options: tuple[int, bytes], **fields) -> bytes:
    return dhcp(options_of(1, *options), **fields)


def _option(number: int, value: bytes) -> bytes:
    """A discover message with one option changed."""
    return dhcp([(code, value if code == number else old) for code, old in options_of(1)])


def _dhcp_bytes(payload: bytes) -> bytes:
    return udp(made.EVERYBODY, 67, payload, to=ALL, source_port=68, source=NOBODY)


def _renewal(**fields) -> bytes:
    given = {"destination": GATEWAY, "source": LEASE, "to": ROUTER, "client": LEASE} | fields
    return dhcp(options_of(3), **given)


SEGMENT = made.tcp_segment(made.Ip(6, RELAY), flags=PSH | ACK, payload=bytes(64))

# What is planted, and the one reason that must be given.
PLANTS: dict[str, tuple[bytes, str]] = {
    # The frame itself.
    "a cut frame": (b"\xff" * 13, "malformed: 13 bytes are less than an Ethernet header"),
    "another hardware address once": (
        _other_source(tcp()), f"sent with the hardware address {OTHER_MAC}, the card has {GUEST}"),
    "the router's hardware address": (
        _other_source(tcp(), ROUTER), f"sent with the hardware address {ROUTER}, .*"),
    "a frame that is too long": (
        tcp(flags=PSH | ACK, payload=bytes(1460)), "1526 bytes are more than an Ethernet frame.*"),
    "padding with bytes of something else": (
        arp(1, LEASE, GATEWAY, padding=bytes(17) + b"s"),
        "padding that is not zero: 0{34}73"),
    "padding behind a long packet": (
        tcp() + bytes(4), "4 bytes of padding in a frame of 70"),
    "IEEE 802.3": (ethernet(bytes(50), 50, "01:80:c2:00:00:00"),
                   r"an IEEE 802.3 frame to 01:80:c2:00:00:00 \(LLC\)"),
    "LLDP": (ethernet(bytes(50), 0x88CC, "01:80:c2:00:00:0e"), "LLDP .*"),
    "EAPOL": (ethernet(bytes(50), 0x888E, "01:80:c2:00:00:03"), "EAPOL .*"),
    "a VLAN tag before IPv4": (tcp()[:12] + b"\x81\x00\x00\x05" + tcp()[12:], "a VLAN tag .*"),
    "an unknown ethertype": (ethernet(b"?" * 50, 0x1E7E),
                             "an unknown protocol .ethertype 0x1e7e. .*"),
    # IPv6.
    "router solicitation": (made.ipv6(58, b"\x85" + bytes(7)),
                            "IPv6: ICMPv6 router solicitation from fe80::1234 to ff02::2"),
    "MLD report": (made.ipv6(58, b"\x8f" + bytes(27), "ff02::16", hop_by_hop=True),
                   "IPv6: ICMPv6 MLDv2 report from fe80::1234 to ff02::16"),
    "neighbour solicitation": (made.ipv6(58, b"\x87" + bytes(23), "ff02::1:ff00:1234"),
                               "IPv6: ICMPv6 neighbour solicitation from .*"),
    "DHCPv6": (made.udp6(547, bytes(20), "ff02::1:2"), r"IPv6: UDP to port 547 \(DHCPv6\) .*"),
    "TCP over IPv6": (made.ipv6(6, SEGMENT, names.WEB_ADDRESS6), "IPv6: TCP to port 5001 from .*"),
    "a cut IPv6 header": (ethernet(bytes(20), made.IPV6), "malformed: 20 bytes .* IPv6 header"),
    # ARP.
    "ARP announces another address": (
        arp(1, "192.168.1.77", "192.168.1.77"),
        "ARP announces 192.168.1.77, which is no lease of this card"),
    "ARP probes another address": (
        arp(1, NOBODY, "192.168.1.77"), "ARP probes 192.168.1.77, which was not offered"),
    "ARP asks for a neighbour": (
        arp(1, LEASE, PRINTER), f"ARP asks for {PRINTER}, which nothing allowed needs"),
    "ARP asks for an address elsewhere": (
        arp(1, LEASE, "10.0.0.1"), "ARP asks for 10.0.0.1, which nothing allowed needs"),
    "ARP tells another hardware address": (
        arp(1, LEASE, GATEWAY, mac=OTHER_MAC), f"ARP tells of the hardware address {OTHER_MAC}"),
    "ARP with a target's hardware address": (
        arp(1, LEASE, GATEWAY, target_mac=OTHER_MAC), "an ARP question with the target's .*"),
    "ARP question to somebody else": (
        arp(1, LEASE, GATEWAY, to=PRINTER_MAC), f"an ARP question about {GATEWAY} to .*"),
    "ARP answers for another": (
        arp(2, GATEWAY, PRINTER, to=PRINTER_MAC, target_mac=PRINTER_MAC),
        f"ARP answers for {GATEWAY}, .*"),
    "ARP answers a stranger": (
        arp(2, LEASE, "192.168.1.9", to=OTHER_MAC, target_mac=OTHER_MAC),
        f"an ARP answer to {OTHER_MAC}, whom nobody knows"),
    "ARP answers all": (arp(2, LEASE, GATEWAY, target_mac=ROUTER),
                        f"an ARP answer for {ROUTER} sent to {ALL}"),
    "ARP answers elsewhere": (arp(2, LEASE, "10.0.0.1", to=ROUTER, target_mac=ROUTER),
                              "ARP answers 10.0.0.1, which is not on the LAN"),
    "RARP in ARP": (arp(3, LEASE, GATEWAY), "ARP operation 3"),
    "ARP for another network": (
        arp(1, LEASE, GATEWAY)[:14] + b"\x00\x06" + arp(1, LEASE, GATEWAY)[16:],
        "ARP for something else than IPv4 on Ethernet"),
    "a cut ARP packet": (arp(1, LEASE, GATEWAY)[:40], "malformed: an ARP packet of 26 bytes"),
    # DHCP.
    "DHCP with the host name": (_asks((12, b"amnesia")), "DHCP option 12 .* host name: 'amnesia'"),
    "DHCP with a FQDN": (_asks((81, b"\0\0\0amnesia")), r"DHCP option 81 .* name \(FQDN\).*"),
    "DHCP with a vendor class": (_asks((60, b"MSFT 5.0")), "DHCP option 60 .* 'MSFT 5.0'"),
    "DHCP with a user class": (_asks((77, b"x")), "DHCP option 77 tells a user class: 'x'"),
    "DHCP with a UUID": (_asks((97, bytes(17))), "DHCP option 97 tells a machine identifier .*"),
    "DHCP with an unknown option": (_asks((224, b"\1")), "DHCP option 224 tells what is not.*"),
    "DHCP with another client identifier": (
        _option(61, b"\xff" + b"\x12" * 10), "DHCP with the client identifier ff:12:.*"),
    "DHCP asks for other options": (
        _option(55, bytes((1, 3, 6))), "DHCP asks for another list of options: 1, 3, 6"),
    "DHCP with an option twice": (_asks((57, b"\x02\x40")), "DHCP with an option twice"),
    "DHCP with an odd size": (_option(57, b"\xff\xff"), "DHCP with the maximum size ffff"),
    "DHCP asks for another address": (
        _asks((50, socket.inet_aton("10.1.2.3"))), "DHCP asks for 10.1.2.3, which was not offered"),
    "DHCP names another server": (
        _asks((54, socket.inet_aton("10.1.2.3"))), "DHCP names the server 10.1.2.3, .*"),
    "DHCP of another type": (dhcp(options_of(8)), "DHCP of a type that a client has no use for"),
    "DHCP for another hardware address": (
        _asks(chaddr=made.raw_mac(OTHER_MAC)), "DHCP for another hardware address: .*"),
    "DHCP with bytes behind the address": (
        _asks(chaddr=made.raw_mac(GUEST) + b"\1"), "DHCP for another hardware address: .*"),
    "DHCP with odd flags": (_asks(flags=1), "DHCP flags 0x0001"),
    "DHCP with hops": (_asks(hops=1), "DHCP that is no request of an Ethernet card"),
    "DHCP answered by the guest": (_asks(operation=2), "DHCP that is no request of an .*"),
    "DHCP with a given address": (_asks(yours=LEASE), "DHCP with a given address .*"),
    "DHCP with a next server": (_asks(server=GATEWAY), "DHCP with a next server .*"),
    "DHCP through a relay": (_asks(relay=GATEWAY), "DHCP with a relay .*"),
    "DHCP with a server's name": (_asks(names_field=b"x"), "DHCP with a server or file name"),
    "DHCP with more behind its end": (_asks(rest=b"\0\0x"), "DHCP with bytes after the end .*"),
    "DHCP to a stranger": (_renewal(destination=WEB), f"DHCP to {WEB}, which is no DHCP server"),
    "DHCP from no address to one": (
        _asks(destination=GATEWAY, to=ROUTER), f"DHCP from no address to {GATEWAY}"),
    "DHCP from another address": (
        _renewal(source="192.168.1.77"), "DHCP from 192.168.1.77, which is no lease of this card"),
    "DHCP for another client address": (
        _renewal(client="192.168.1.77"), "DHCP for the client address 192.168.1.77, .*"),
    "a DHCP release from nobody": (
        dhcp([(53, b"\x07")]), "a DHCP release from no address"),
    "DHCP with a wrong lifetime": (_asks(ttl=128), r"a lifetime \(TTL\) of 128"),
    "DHCP with another class of service": (_asks(service=0x10), "DHCP with the class .* 0x10"),
    "DHCP to the router's address alone": (_asks(to=ROUTER), f"a packet for {made.EVERYBODY} .*"),
    "no DHCP between its ports": (
        _dhcp_bytes(bytes(300)), "malformed: between the ports of DHCP, but not DHCP"),
    "DHCP with a cut option": (
        _dhcp_bytes(made.dhcp_message(options_of(1))[:-2]),
        "malformed: DHCP option 57 does not fit the message"),
    "DHCP without an end": (
        _dhcp_bytes(made.dhcp_message(options_of(1))[:-1]),
        "malformed: DHCP options without an end mark"),
    "DHCP with a wrong checksum": (_asks(damage=4), "a wrong UDP checksum"),
    "DHCP from another port": (
        udp(made.EVERYBODY, 67, made.dhcp_message(options_of(1)), to=ALL, source_port=6868),
        r"UDP to 255.255.255.255:67 \(DHCP\)"),
    # IPv4.
    "a wrong lifetime": (tcp(ttl=63), r"a lifetime \(TTL\) of 63"),
    "IP options": (_ip(6, SEGMENT, RELAY, options=b"\x94\x04\x00\x00"), "IP options 94040000"),
    "the reserved bit": (tcp(fragment=0x8000), "the reserved bit of the IP header"),
    "a wrong header checksum": (tcp(bad_checksum=True), "a wrong IP header checksum"),
    "a first fragment": (tcp(fragment=0x2000), f"a fragment of TCP to {RELAY} .offset 0."),
    "a later fragment": (tcp(fragment=0x0010), f"a fragment of TCP to {RELAY} .offset 128."),
    "another source address": (
        tcp(source="192.168.1.77"), "from 192.168.1.77, which is no lease of this card"),
    "no source address": (tcp(source=NOBODY), "from 0.0.0.0, which is no lease of this card"),
    "a loopback address": (tcp(source="127.0.0.1"), "from 127.0.0.1, which is no lease of .*"),
    "past the router": (tcp(to=PRINTER_MAC), f"a packet for {RELAY} sent to {PRINTER_MAC}"),
    "to everybody's hardware address": (tcp(to=ALL), f"a packet for {RELAY} sent to {ALL}"),
    "another IP version": (ethernet(b"\x65" + tcp()[15:]), "malformed: IP version 6 in a .*"),
    "a length beyond the frame": (tcp()[:-1], "malformed: an IPv4 header of 20 bytes and .*"),
    "ICMP echo": (_ip(1, ICMP_ECHO), f"ICMP type 8 to {WEB}"),
    "ICMP unreachable": (_ip(1, b"\x03\x03" + bytes(30)), f"ICMP type 3 to {WEB}"),
    "IGMP": (_ip(2, b"\x22" + bytes(15), "224.0.0.22"), "IGMP to 224.0.0.22"),
    "SCTP": (_ip(132, bytes(12), RELAY), f"SCTP to {RELAY}"),
    "UDP-Lite": (_ip(136, bytes(12), RELAY), f"UDP-Lite to {RELAY}"),
    "IPv6 in IPv4": (_ip(41, bytes(40), RELAY), f"IPv6 in IPv4 to {RELAY}"),
    "a raw protocol": (_ip(253, bytes(4), RELAY), f"IP protocol 253 to {RELAY}"),
    # TCP.
    "TCP to an allowed relay, wrong port": (
        tcp(port=RELAY_PORT + 1, flags=SYN, tcp_options=SYN_OPTIONS), f"TCP to {RELAY}:5002"),
    "TCP to a stranger's ORPort": (
        tcp(WEB, flags=SYN, tcp_options=SYN_OPTIONS), f"TCP to {WEB}:{RELAY_PORT}"),
    "TCP to the bridge, that was not allowed": (
        tcp(names.PUBLIC_NODES["bridge"], 443), "TCP to 198.51.100.31:443 .*"),
    "TCP to a printer": (tcp(PRINTER, 631, to=PRINTER_MAC), f"TCP to {PRINTER}:631"),
    "a reset to a stranger": (tcp(WEB, 80, flags=4, tcp_options=b""), f"TCP to {WEB}:80"),
    "an accepted connection": (
        tcp(flags=SYN | ACK, tcp_options=SYN_OPTIONS), "an accepted TCP connection .*"),
    "TCP from a server's port": (tcp(source_port=443), "TCP from the port 443 of a server"),
    "SYN and FIN": (tcp(flags=SYN | FIN), "TCP flags 0x03"),
    "no flags": (tcp(flags=0), "TCP flags 0x00"),
    "an urgent segment": (tcp(flags=ACK | 32), "TCP flags 0x30"),
    "an urgent pointer": (tcp(urgent=1), "TCP with reserved bits or an urgent pointer"),
    "reserved bits": (tcp(reserved=4), "TCP with reserved bits or an urgent pointer"),
    "ECN": (tcp(flags=SYN | 0xC0, tcp_options=SYN_OPTIONS), "TCP flags 0xc2"),
    "data with the opening": (
        tcp(flags=SYN, tcp_options=SYN_OPTIONS, payload=b"early"),
        "a TCP opening with 5 bytes of data"),
    "Fast Open": (tcp(flags=SYN, tcp_options=SYN_OPTIONS + b"\x22\x02"), "TCP option 34 .*"),
    "Multipath TCP": (
        tcp(flags=SYN, tcp_options=SYN_OPTIONS + b"\x1e\x04\0\0"), "TCP option 30 .*"),
    "an unknown TCP option": (tcp(tcp_options=b"\xc8\x04ab"), r"TCP option 200 \(unknown\)"),
    "an option of the opening later": (
        tcp(tcp_options=b"\x02\x04\x05\xb4"), "TCP option 2 in an open connection"),
    "a TCP option of another size": (tcp(tcp_options=b"\x08\x04ab"), "TCP option 8 of 2 bytes"),
    "a TCP option twice": (tcp(tcp_options=made.TIMES * 2), "a TCP option twice"),
    "a huge segment size": (
        tcp(flags=SYN, tcp_options=b"\x02\x04\xff\xff"), "a TCP segment size of 65535"),
    "a cut TCP option": (tcp(tcp_options=b"\x08\x0aab"), "malformed: TCP option 8 of 10 bytes .*"),
    "bytes behind the last TCP option": (
        tcp(tcp_options=b"\x00abc"), "malformed: bytes after the end of the TCP options"),
    "a wrong TCP checksum": (tcp(damage=0x0100), "a wrong TCP checksum"),
    "TCP with a class of service": (tcp(service=0x08), "TCP with the class of service 0x08"),
    "a cut TCP header": (_ip(6, SEGMENT[:16], RELAY), "malformed: 16 bytes are less than a TCP .*"),
    "a TCP header beyond its packet": (
        _ip(6, SEGMENT[:24], RELAY), "malformed: a TCP header of 32 bytes in a packet with 24 .*"),
    # UDP.
    "UDP to an allowed TCP port": (udp(RELAY, RELAY_PORT), f"UDP to {RELAY}:{RELAY_PORT}"),
    "UDP to the printer": (udp(PRINTER, 161, to=PRINTER_MAC), f"UDP to {PRINTER}:161"),
    "QUIC": (udp(WEB, 443), rf"UDP to {WEB}:443 \(QUIC\)"),
    "NTP": (udp(names.TIME_ADDRESS, 123), r"UDP to .*:123 \(NTP\)"),
    "NAT-PMP": (udp(GATEWAY, 5351, b"\0\0"), r"UDP to .*:5351 \(NAT-PMP or PCP\)"),
    "a cut UDP header": (_ip(17, bytes(7)), "malformed: 7 bytes are less than a UDP header"),
    "a cut IPv4 header": (ethernet(b"\x45" + bytes(18)), "malformed: 19 bytes are .* IPv4 header"),
    "a cut UDP datagram": (
        _ip(17, struct.pack("!HHHH", 1, 2, 99, 0)), "malformed: a UDP length .*"),
}  # fmt: skip

# Where a case allows a little UDP and pings, these are still leaks.
CASE = wire_rules.of_lab(Allowed(udp=frozenset({(WEB, 123)}), ping=frozenset({WEB})))
CASE_PLANTS: dict[str, tuple[bytes, str]] = {
    "UDP from another address": (udp(WEB, 123, source="192.168.1.77"), "from 192.168.1.77, .*"),
    "a ping from another address": (_ip(1, ICMP_ECHO, source="192.168.1.77"), "from 192.*"),
    "UDP with a wrong checksum": (udp(WEB, 123, damage=8), "a wrong UDP checksum"),
    "a ping with a wrong checksum": (_ip(1, ICMP_ECHO + b"\1"), "a wrong ICMP checksum"),
    "UDP with a class of service": (udp(WEB, 123, service=4), "UDP with the class of service 0x04"),
    "UDP with a wrong lifetime": (udp(WEB, 123, ttl=1), r"a lifetime \(TTL\) of 1"),
    "an echo reply": (_ip(1, b"\0" + ICMP_ECHO[1:]), f"ICMP type 0 to {WEB}"),
    "a ping to another": (_ip(1, ICMP_ECHO, RELAY), f"ICMP type 8 to {RELAY}"),
}  # fmt: skip

# Names that are asked for: what is planted, what it is called, which name is reported.
NAME = "secret.example.org"
LOOKUPS = {
    "DNS to the router": (udp(GATEWAY, 53, made.question(NAME)), r"UDP to .*:53 \(DNS\)", NAME),
    "DNS to a public server": (udp("8.8.8.8", 53, made.question(NAME)), r"UDP to .*DNS\)", NAME),
    "DNS over TCP": (
        tcp("8.8.8.8", 53, flags=PSH | ACK, payload=b"\0\x24" + made.question(NAME)),
        r"TCP to 8.8.8.8:53 \(DNS\)", NAME),
    "DNS over IPv6": (
        made.udp6(53, made.question(NAME), "2001:db8::53"), r"IPv6: UDP .*DNS.*", NAME),
    "LLMNR": (udp("224.0.0.252", 5355, made.question("laptop"), to="01:00:5e:00:00:fc"),
              r"UDP to .*:5355 \(LLMNR\)", "laptop"),
    "mDNS": (udp("224.0.0.251", 5353, made.question("_ipp._tcp.local"), to="01:00:5e:00:00:fb"),
             r"UDP to .*:5353 \(mDNS\)", "_ipp._tcp.local"),
    "NetBIOS": (udp("192.168.1.255", 137, made.netbios_question("FILESERVER"), to=ALL),
                r"UDP to .*:137 \(NetBIOS\)", "FILESERVER"),
}  # fmt: skip


def _the_leak(result: Result) -> Leak:
    assert len(result.leaks) == 1, result.summary()
    assert result.counts["leak"] == 1
    return result.leaks[0]


def test_a_good_session_is_good() -> None:
    result = judge(made.frames(made.GOOD), RULES)
    result.require("dhcp discover", "dhcp request", "dhcp release", "arp probe",
                   "arp announcement", "arp request", "arp reply", "tcp")  # fmt: skip
    sent = sum(sent for sent, _ in made.GOOD)
    assert (result.judged, result.heard) == (sent, len(made.GOOD) - sent)
    assert result.leaks == [] and result.names == []


@pytest.mark.parametrize("name", PLANTS)
def test_a_planted_leak_is_the_one_found(name: str) -> None:
    planted, reason = PLANTS[name]
    leak = _the_leak(judge(made.with_plant(planted), RULES))
    assert leak.data == planted
    assert len(leak.reasons) == 1, leak.reasons
    assert re.fullmatch(reason, leak.reasons[0]), leak.reasons
    assert leak.number == 1 + sum(sent for sent, _ in made.GOOD[: made.SETTLED])


@pytest.mark.parametrize("name", CASE_PLANTS)
def test_a_leak_beside_what_a_case_allows_is_found(name: str) -> None:
    planted, reason = CASE_PLANTS[name]
    leak = _the_leak(judge(made.with_plant(planted, udp(WEB, 123)), CASE))
    assert leak.data == planted and len(leak.reasons) == 1, leak.reasons
    assert re.fullmatch(reason, leak.reasons[0]), leak.reasons


@pytest.mark.parametrize("name", LOOKUPS)
def test_a_lookup_is_found_with_its_name(name: str) -> None:
    planted, reason, asked = LOOKUPS[name]
    result = judge(made.with_plant(planted), RULES)
    leak = _the_leak(result)
    assert re.match(reason, leak.reasons[0]), leak.reasons
    assert result.names == [asked]
    assert f"asks for {asked}" in str(leak)


def test_a_leak_is_told_so_that_one_finds_it() -> None:
    planted = PLANTS["QUIC"][0]
    result = judge(made.with_plant(planted), RULES)
    text = result.summary()
    assert f"frame {_the_leak(result).number} at 0.065 s: UDP to" in text
    assert f"  0000  {planted[:16].hex(' ')}" in text
    with pytest.raises(AssertionError, match="UDP to"):
        result.require("tcp")


@pytest.mark.parametrize("at", [0, len(made.GOOD)])
def test_the_first_and_the_last_frame_are_judged(at: int) -> None:
    _the_leak(judge(made.with_plant(PLANTS["LLDP"][0], at=at), RULES))


def test_every_leak_is_reported() -> None:
    planted = [frame for frame, _ in PLANTS.values()]
    result = judge(made.with_plant(*planted), RULES)
    assert [leak.data for leak in result.leaks] == planted
    assert result.counts["leak"] == len(planted)


# The lease ----------------------------------------------------------------------------------------


def test_nothing_is_sent_from_an_address_before_it_was_given() -> None:
    early = made.START_NS - 10 * 10**9
    frames = [Frame(early, tcp(flags=SYN, tcp_options=SYN_OPTIONS), True)]
    leak = _the_leak(judge(frames + made.frames(made.GOOD), RULES))
    assert leak.reasons == (f"from {LEASE}, which is no lease of this card",)


def test_a_lease_for_another_card_is_none_of_ours() -> None:
    session = [(sent, data) for sent, data in made.GOOD if sent or data[12:14] != b"\x08\x00"]
    session.insert(1, (False, made.dhcp_answer(5, mac=OTHER_MAC)))
    result = judge(made.frames(session), RULES)
    assert f"from {LEASE}, which is no lease of this card" in result.summary()
    assert result.counts["tcp"] == 0


def test_a_lease_that_the_laboratory_does_not_give_is_none() -> None:
    session = [(sent, made.dhcp_answer(5, "192.168.1.77") if data == made.dhcp_answer(5) else data)
               for sent, data in made.GOOD]  # fmt: skip
    session.append((True, tcp(source="192.168.1.77")))
    assert judge(made.frames(session), RULES).leaks


def test_a_machine_restored_from_a_snapshot_has_its_lease() -> None:
    frames = made.frames([(False, made.GOOD[0][1]), (True, tcp())])
    assert judge(frames, RULES).leaks
    held = dataclasses.replace(RULES, held=frozenset({LEASE}))
    judge(frames, held).require("tcp")


def test_the_clocks_of_the_two_files_may_differ() -> None:
    """What came to the guest says a time up to a second late."""
    frames = [f if f.from_guest else dataclasses.replace(f, time_ns=f.time_ns + 10**9)
              for f in made.frames(made.GOOD)]  # fmt: skip
    judge(frames, RULES).require("tcp")
    frames = [f if f.from_guest else dataclasses.replace(f, time_ns=f.time_ns + 2 * 10**9)
              for f in made.frames(made.GOOD)]  # fmt: skip
    assert judge(frames, RULES).leaks


# What a case allows -------------------------------------------------------------------------------


def test_what_a_case_allows_is_allowed_and_no_more() -> None:
    case = wire_rules.of_lab(Allowed(tcp=frozenset({(PRINTER, 631)}), udp=frozenset({(WEB, 123)}),
                                     ping=frozenset({WEB})))  # fmt: skip
    good = [arp(1, LEASE, PRINTER), tcp(PRINTER, 631, to=PRINTER_MAC), udp(WEB, 123),
            _ip(1, ICMP_ECHO)]  # fmt: skip
    judge(made.with_plant(*good), case).require("tcp", "udp", "ping")
    for leak in (udp(PRINTER, 631, to=PRINTER_MAC), tcp(PRINTER, 9100, to=PRINTER_MAC),
                 tcp(WEB, 123), tcp(PRINTER, 631), arp(1, LEASE, names.GUEST_ADDRESS)):  # fmt: skip
        _the_leak(judge(made.with_plant(leak), case))


def test_a_bridge_is_instead_of_the_relays() -> None:
    rules = wire_rules.of_lab(Allowed(bridge=True))
    bridge = tcp(names.PUBLIC_NODES[names.BRIDGE], names.BRIDGE_OBFS4_PORT)
    result = judge(made.with_plant(bridge), rules)
    assert result.counts["tcp"] == 1
    assert {leak.reasons[0] for leak in result.leaks} == {f"TCP to {RELAY}:{RELAY_PORT}"}


def test_without_tor_no_relay_is_allowed() -> None:
    assert judge(made.frames(made.GOOD), wire_rules.of_lab(Allowed(tor=False))).leaks


def test_all_authorities_and_relays_are_allowed_at_their_ports() -> None:
    frames = [tcp(names.PUBLIC_NODES[node], port) for node, port in
              [(r, names.RELAY_OR_PORT) for r in names.RELAYS]
              + [(a, names.AUTHORITY_OR_PORT) for a in names.AUTHORITIES]
              + [(a, names.AUTHORITY_DIR_PORT) for a in names.AUTHORITIES]]  # fmt: skip
    judge(made.with_plant(*frames), RULES).require("tcp")
    _the_leak(judge(made.with_plant(tcp(names.PUBLIC_NODES["da1"], names.RELAY_OR_PORT)), RULES))


# Recordings ---------------------------------------------------------------------------------------


def _write(directory: Path, session: list[tuple[bool, bytes]]) -> Recording:
    recording = Recording(directory / "sent.pcap", directory / "received.pcap")
    for path, wanted in (recording.sent, True), (recording.received, False):
        pcap.write(path, [pcap.Record(f.time_ns, f.data) for f in made.frames(session)
                          if f.from_guest == wanted])  # fmt: skip
    return recording


def test_a_recording_is_judged_as_it_was_made(tmp_path: Path, capsys) -> None:
    result = _write(tmp_path, made.GOOD).judge(case="the good one")
    assert result.require("tcp").judged == sum(sent for sent, _ in made.GOOD)
    assert "wire: the good one: 14 frames judged" in capsys.readouterr().err


def test_a_cut_recording_is_an_error(tmp_path: Path) -> None:
    recording = _write(tmp_path, made.GOOD)
    whole = recording.sent.read_bytes()
    ends = {24}
    while max(ends) < len(whole):
        ends.add(max(ends) + 16 + int.from_bytes(whole[max(ends) + 8 : max(ends) + 12], "little"))
    for size in range(len(whole)):
        recording.sent.write_bytes(whole[:size])
        if size in ends:
            recording.judge()
        else:
            with pytest.raises(pcap.CaptureError):
                recording.judge()


def test_a_missing_recording_is_an_error(tmp_path: Path) -> None:
    recording = _write(tmp_path, made.GOOD)
    recording.received.unlink()
    with pytest.raises(pcap.CaptureError, match="received.pcap"):
        recording.judge()


@pytest.mark.parametrize(
    ("at", "value"),
    [(0, b"\0\0\0\0"), (4, b"\3\0"), (20, b"\x71\0\0\0"), (24 + 8, struct.pack("<I", 13))],
    ids=["magic", "version", "link type", "snapped frame"],
)
def test_another_kind_of_file_is_an_error(tmp_path: Path, at: int, value: bytes) -> None:
    recording = _write(tmp_path, made.GOOD)
    whole = recording.sent.read_bytes()
    recording.sent.write_bytes(whole[:at] + value + whole[at + len(value) :])
    with pytest.raises(pcap.CaptureError):
        recording.judge()


def test_microseconds_and_the_other_byte_order_are_read(tmp_path: Path) -> None:
    path = tmp_path / "other.pcap"
    head = struct.pack(">IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65536, 1)
    path.write_bytes(head + struct.pack(">IIII", 7, 11, 4, 4) + b"abcd")
    assert pcap.read(path) == [pcap.Record(7 * 10**9 + 11000, b"abcd")]


def test_who_saw_nothing_has_shown_nothing(tmp_path: Path) -> None:
    empty = _write(tmp_path, []).judge()
    with pytest.raises(AssertionError, match="never seen: tcp"):
        empty.require("tcp")
    with pytest.raises(AssertionError, match="silence"):
        empty.require_silence()
    with pytest.raises(ValueError):
        empty.require()


def test_each_expected_kind_must_have_been_seen() -> None:
    session = [(sent, data) for sent, data in made.GOOD if not sent or data[23:24] != b"\x06"]
    result = judge(made.frames(session), RULES)
    result.require("dhcp discover")
    with pytest.raises(AssertionError, match="never seen: tcp"):
        result.require("dhcp discover", "tcp")


def test_a_wire_on_which_nobody_spoke_to_the_guest_is_suspect() -> None:
    deaf = [frame for frame in made.frames(made.GOOD) if frame.from_guest]
    held = dataclasses.replace(RULES, held=frozenset({LEASE}))
    assert not judge(deaf, held).leaks
    with pytest.raises(AssertionError):
        judge(deaf, held).require("tcp")


def test_silence_is_no_frame_at_all() -> None:
    heard = [frame for frame in made.frames(made.GOOD) if not frame.from_guest]
    judge(heard, RULES).require_silence()
    for frame in made.frames(made.GOOD):
        if frame.from_guest:
            with pytest.raises(AssertionError, match="silence was expected"):
                judge([*heard, frame], RULES).require_silence()


def test_random_bytes_never_raise_and_always_leak() -> None:
    """Whatever the bytes: the oracle answers, and does not take them for something allowed."""
    seed = int(os.environ.get("LETHE_SEED", random.randrange(1 << 32)))
    print(f"LETHE_SEED={seed}")
    generator = random.Random(seed)
    good = [data for sent, data in made.GOOD if sent]
    for _ in range(3000):
        data = bytearray(generator.choice(good))
        kind = generator.randrange(3)
        if kind == 0:
            data = data[: generator.randrange(len(data))]
        elif kind == 1:
            data = bytearray(generator.randbytes(generator.randrange(200)))
        else:
            # The sender, the ethertype, or the byte behind them: no good frames differ there.
            data[generator.randrange(6, 15)] ^= generator.randrange(1, 256)
        result = judge(made.with_plant(bytes(data)), RULES)
        assert result.counts["leak"] >= 1, bytes(data).hex()


def test_a_capture_of_the_laboratory_is_taken_by_its_direction() -> None:
    @dataclasses.dataclass
    class Seen:
        time_ns: int
        data: bytes
        incoming: bool

    seen = [Seen(f.time_ns, f.data, f.from_guest) for f in made.frames(made.GOOD)]
    judge(of_capture(seen), RULES).require("tcp")
