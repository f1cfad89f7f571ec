# SPDX-License-Identifier: GPL-3.0-or-later
"""A frame's bytes as values. Nothing is judged here, and nothing is guessed: what does not fit its
own lengths is Malformed, with the reason in words."""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass

ETHERNET_BYTES = 14
IPV4, ARP, IPV6 = 0x0800, 0x0806, 0x86DD
ICMP, IGMP, TCP, UDP, ICMPV6 = 1, 2, 6, 17, 58
FIN, SYN, RST, PSH, ACK, URG = 1, 2, 4, 8, 16, 32
_ARP_BYTES, _IPV4_BYTES, _TCP_BYTES, _UDP_BYTES, _IPV6_BYTES = 28, 20, 20, 8, 40
_DHCP = struct.Struct("!4BIHH4s4s4s4s16s64s128s")
_DHCP_COOKIE = b"\x63\x82\x53\x63"
_DHCP_PAD, _DHCP_END = 0, 255
_TCP_END, _TCP_NOP = 0, 1


class Malformed(ValueError):
    """The bytes contradict themselves; the text says how."""


@dataclass(frozen=True)
class Ethernet:
    destination: str
    source: str
    kind: int  # below 0x600 it is a length (IEEE 802.3)
    payload: bytes


@dataclass(frozen=True)
class Arp:
    hardware: int
    protocol: int
    sizes: tuple[int, int]
    operation: int
    sender_mac: str
    sender: str
    target_mac: str
    target: str
    padding: bytes


@dataclass(frozen=True)
class Ipv4:
    service: int  # the byte that was once "type of service"
    reserved: bool
    more_fragments: bool
    fragment_offset: int
    lifetime: int
    protocol: int
    source: str
    destination: str
    options: bytes
    checksum_good: bool
    payload: bytes
    padding: bytes  # what the frame holds beyond the packet


@dataclass(frozen=True)
class Udp:
    source_port: int
    destination_port: int
    checksum: int
    payload: bytes


@dataclass(frozen=True)
class Tcp:
    source_port: int
    destination_port: int
    flags: int
    reserved: int
    urgent: int
    options: tuple[tuple[int, bytes], ...]
    payload: bytes


@dataclass(frozen=True)
class Dhcp:
    operation: int
    hardware: tuple[int, int, int]  # kind, length of an address, hops
    transaction: int
    flags: int
    client: str
    yours: str
    server: str
    relay: str
    client_hardware: bytes  # 16 bytes
    names: bytes  # server and boot file name, 192 bytes
    options: tuple[tuple[int, bytes], ...]  # in their order, without padding
    rest: bytes  # what comes after the end mark


def mac(raw: bytes) -> str:
    return raw.hex(":")


def ethernet(data: bytes) -> Ethernet:
    if len(data) < ETHERNET_BYTES:
        raise Malformed(f"{len(data)} bytes are less than an Ethernet header")
    return Ethernet(
        mac(data[:6]),
        mac(data[6:12]),
        int.from_bytes(data[12:14], "big"),
        data[ETHERNET_BYTES:],
    )


def arp(payload: bytes) -> Arp:
    if len(payload) < _ARP_BYTES:
        raise Malformed(f"an ARP packet of {len(payload)} bytes")
    hardware, protocol, long, short, operation = struct.unpack_from("!HHBBH", payload)
    return Arp(
        hardware,
        protocol,
        (long, short),
        operation,
        mac(payload[8:14]),
        socket.inet_ntoa(payload[14:18]),
        mac(payload[18:24]),
        socket.inet_ntoa(payload[24:28]),
        payload[_ARP_BYTES:],
    )


def ipv4(payload: bytes) -> Ipv4:
    if len(payload) < _IPV4_BYTES:
        raise Malformed(f"{len(payload)} bytes are less than an IPv4 header")
    first, service, total, _, fragment, lifetime, protocol = struct.unpack_from("!BBHHHBB", payload)
    head = (first & 15) * 4
    if first >> 4 != 4:
        raise Malformed(f"IP version {first >> 4} in a frame for IPv4")
    if not _IPV4_BYTES <= head <= total <= len(payload):
        raise Malformed(
            f"an IPv4 header of {head} bytes and a total length of {total} in {len(payload)} bytes"
        )
    return Ipv4(
        service,
        bool(fragment & 0x8000),
        bool(fragment & 0x2000),
        (fragment & 0x1FFF) * 8,
        lifetime,
        protocol,
        socket.inet_ntoa(payload[12:16]),
        socket.inet_ntoa(payload[16:20]),
        payload[_IPV4_BYTES:head],
        checksum(payload[:head]) == 0,
        payload[head:total],
        payload[total:],
    )


def udp(payload: bytes) -> Udp:
    if len(payload) < _UDP_BYTES:
        raise Malformed(f"{len(payload)} bytes are less than a UDP header")
    source, destination, size, check = struct.unpack_from("!HHHH", payload)
    if size != len(payload):
        raise Malformed(f"a UDP length of {size} in a packet that has {len(payload)} bytes for it")
    return Udp(source, destination, check, payload[_UDP_BYTES:])


def tcp(payload: bytes) -> Tcp:
    if len(payload) < _TCP_BYTES:
        raise Malformed(f"{len(payload)} bytes are less than a TCP header")
    source, destination = struct.unpack_from("!HH", payload)
    lengths, flags, _, _, urgent = struct.unpack_from("!BBHHH", payload, 12)
    head = (lengths >> 4) * 4
    if not _TCP_BYTES <= head <= len(payload):
        raise Malformed(f"a TCP header of {head} bytes in a packet with {len(payload)} for it")
    options = _tcp_options(payload[_TCP_BYTES:head])
    return Tcp(source, destination, flags, lengths & 15, urgent, options, payload[head:])


def _tcp_options(data: bytes) -> tuple[tuple[int, bytes], ...]:
    found: list[tuple[int, bytes]] = []
    offset = 0
    while offset < len(data):
        kind = data[offset]
        if kind == _TCP_END:
            if any(data[offset:]):
                raise Malformed("bytes after the end of the TCP options")
            break
        if kind == _TCP_NOP:
            offset += 1
            continue
        size = data[offset + 1] if offset + 1 < len(data) else 0
        if size < 2 or offset + size > len(data):
            raise Malformed(f"TCP option {kind} of {size} bytes does not fit the header")
        found.append((kind, data[offset + 2 : offset + size]))
        offset += size
    return tuple(found)


def dhcp(payload: bytes) -> Dhcp:
    start = _DHCP.size + len(_DHCP_COOKIE)
    if len(payload) < start or payload[_DHCP.size : start] != _DHCP_COOKIE:
        raise Malformed("between the ports of DHCP, but not DHCP")
    fields = _DHCP.unpack_from(payload)
    options, rest = _dhcp_options(payload[start:])
    addresses = [socket.inet_ntoa(raw) for raw in fields[7:11]]
    return Dhcp(
        fields[0],
        (fields[1], fields[2], fields[3]),
        fields[4],
        fields[6],
        *addresses,
        fields[11],
        fields[12] + fields[13],
        options,
        rest,
    )


def _dhcp_options(data: bytes) -> tuple[tuple[tuple[int, bytes], ...], bytes]:
    found: list[tuple[int, bytes]] = []
    offset = 0
    while offset < len(data):
        code = data[offset]
        if code == _DHCP_END:
            return tuple(found), data[offset + 1 :]
        if code == _DHCP_PAD:
            offset += 1
            continue
        size = data[offset + 1] if offset + 1 < len(data) else len(data)
        if offset + 2 + size > len(data):
            raise Malformed(f"DHCP option {code} does not fit the message")
        found.append((code, data[offset + 2 : offset + 2 + size]))
        offset += 2 + size
    raise Malformed("DHCP options without an end mark")


@dataclass(frozen=True)
class Ipv6:
    """As far as it can be read. Every frame of it is a leak; this is for saying of which kind."""

    protocol: int
    source: str
    destination: str
    payload: bytes


def ipv6(payload: bytes) -> Ipv6:
    if len(payload) < _IPV6_BYTES:
        raise Malformed(f"{len(payload)} bytes are less than an IPv6 header")
    protocol, rest = payload[6], payload[_IPV6_BYTES:]
    # A report of group memberships comes after a hop-by-hop header.
    while protocol in (0, 43, 60) and len(rest) >= 8 and len(rest) >= 8 + rest[1] * 8:
        protocol, rest = rest[0], rest[8 + rest[1] * 8 :]
    source, destination = (
        socket.inet_ntop(socket.AF_INET6, payload[at : at + 16]) for at in (8, 24)
    )
    return Ipv6(protocol, source, destination, rest)


def checksum(data: bytes) -> int:
    """The Internet checksum; 0 over data that has its own in it."""
    data += bytes(len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def transport_checksum(packet: Ipv4) -> int:
    """Over a whole TCP or UDP packet with its pseudo-header; 0 if it is right."""
    ends = socket.inet_aton(packet.source) + socket.inet_aton(packet.destination)
    pseudo = ends + struct.pack("!BBH", 0, packet.protocol, len(packet.payload))
    return checksum(pseudo + packet.payload)
