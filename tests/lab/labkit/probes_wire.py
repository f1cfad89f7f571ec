# SPDX-License-Identifier: GPL-3.0-or-later
"""Packets and frames made by hand: bytes in, bytes out, no sockets."""

from __future__ import annotations

import ipaddress
import struct

ETH_P_IP = 0x0800
ETH_P_ARP = 0x0806
ETH_P_VLAN = 0x8100
ETH_P_IPV6 = 0x86DD
ETH_P_EAPOL = 0x888E
ETH_P_LOCAL_EXPERIMENT = 0x88B6

TCP_FIN, TCP_SYN, TCP_RST, TCP_PSH, TCP_ACK, TCP_URG = 1, 2, 4, 8, 16, 32
MORE_FRAGMENTS = 0x2000

BROADCAST_MAC = b"\xff" * 6


def packed(address: str) -> bytes:
    return ipaddress.ip_address(address).packed


def checksum(data: bytes) -> int:
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def pseudo(source: str, destination: str, protocol: int, length: int) -> bytes:
    """What TCP and UDP add to their own bytes before they sum."""
    a, b = packed(source), packed(destination)
    if len(a) == 4:
        return a + b + struct.pack("!BBH", 0, protocol, length)
    return a + b + struct.pack("!IHBB", length, 0, 0, protocol)


def ipv4(source: str, destination: str, protocol: int, payload: bytes, *, ttl: int = 64,
         identifier: int = 0x4C45, fragment: int = 0, options: bytes = b"") -> bytes:
    """`fragment` is the whole field: flags, and the offset in units of eight bytes."""
    options += b"\0" * (-len(options) % 4)
    words = 5 + len(options) // 4
    head = struct.pack("!BBHHHBBH4s4s", 0x40 | words, 0, words * 4 + len(payload), identifier,
                       fragment, ttl, protocol, 0, packed(source), packed(destination)) + options
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + payload


def ipv6(source: str, destination: str, protocol: int, payload: bytes, *, hops: int = 64) -> bytes:
    return struct.pack("!IHBB16s16s", 6 << 28, len(payload), protocol, hops,
                       packed(source), packed(destination)) + payload


def udp(source: str, destination: str, sport: int, dport: int, payload: bytes) -> bytes:
    length = 8 + len(payload)
    head = struct.pack("!HHHH", sport, dport, length, 0)
    value = checksum(pseudo(source, destination, 17, length) + head + payload) or 0xFFFF
    return head[:6] + struct.pack("!H", value) + payload


def tcp(source: str, destination: str, sport: int, dport: int, flags: int,
        payload: bytes = b"") -> bytes:
    head = struct.pack("!HHIIBBHHH", sport, dport, 0x4C455448, 0, 0x50, flags, 1024, 0, 0)
    length = len(head) + len(payload)
    value = checksum(pseudo(source, destination, 6, length) + head + payload)
    return head[:16] + struct.pack("!H", value) + head[18:] + payload


def icmp(kind: int, code: int, rest: bytes, payload: bytes) -> bytes:
    """`rest` is the second word of the header: identifier and sequence, gateway, and so on."""
    body = struct.pack("!BBH", kind, code, 0) + rest + payload
    return body[:2] + struct.pack("!H", checksum(body)) + body[4:]


def icmpv6(source: str, destination: str, kind: int, rest: bytes, payload: bytes) -> bytes:
    body = struct.pack("!BBH", kind, 0, 0) + rest + payload
    value = checksum(pseudo(source, destination, 58, len(body)) + body)
    return body[:2] + struct.pack("!H", value) + body[4:]


def arp(operation: int, sender_mac: bytes, sender: str, target: str, *, hardware: int = 1,
        protocol: int = ETH_P_IP, hardware_length: int = 6, protocol_length: int = 4) -> bytes:
    return struct.pack("!HHBBH6s4s6s4s", hardware, protocol, hardware_length, protocol_length,
                       operation, sender_mac, packed(sender), b"\0" * 6, packed(target))


def ethernet(destination: bytes, source: bytes, ethertype: int, payload: bytes) -> bytes:
    frame = destination + source + struct.pack("!H", ethertype) + payload
    return frame + b"\0" * max(0, 60 - len(frame))


def vlan(tag: int, ethertype: int, payload: bytes) -> bytes:
    """The payload of a frame with ethertype ETH_P_VLAN."""
    return struct.pack("!HH", tag, ethertype) + payload


def dns_query(label: bytes) -> bytes:
    """A question for the A record of LABEL.probe.test: the label is at most 63 bytes."""
    name = bytes([len(label)]) + label + b"\5probe\4test\0"
    return struct.pack("!HHHHHH", 0x4C45, 0x0100, 1, 0, 0, 0) + name + struct.pack("!HH", 1, 1)


def source_route(*hops: str) -> bytes:
    """The loose source route option (RFC 791) over `hops`, the last of them the destination."""
    addresses = b"".join(packed(hop) for hop in hops)
    return bytes([131, 3 + len(addresses), 4]) + addresses + b"\0"


def record_route(slots: int = 4) -> bytes:
    return bytes([7, 3 + 4 * slots, 4]) + b"\0" * (4 * slots) + b"\0"
