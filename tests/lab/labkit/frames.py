# SPDX-License-Identifier: GPL-3.0-or-later
"""Frames of the router's, byte by byte."""

from __future__ import annotations

import socket
import struct

from . import names


def checksum(data: bytes) -> int:
    data += bytes(len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def mac_bytes(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", ""))


def ethernet(destination: str, kind: int) -> bytes:
    return mac_bytes(destination) + mac_bytes(names.ROUTER_MAC) + struct.pack("!H", kind)


def ipv4(source: str, destination: str, protocol: int, payload: bytes) -> bytes:
    ends = socket.inet_aton(source) + socket.inet_aton(destination)
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 0, 0, 64, protocol, 0) + ends
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + payload


def ipv6_icmp(source: str, destination: str, body: bytes) -> bytes:
    ends = b"".join(socket.inet_pton(socket.AF_INET6, end) for end in (source, destination))
    pseudo = ends + struct.pack("!II", len(body), socket.IPPROTO_ICMPV6)
    body = body[:2] + struct.pack("!H", checksum(pseudo + body)) + body[4:]
    # Hop limit 255: the receiver checks that no router was in between.
    return struct.pack("!IHBB", 6 << 28, len(body), socket.IPPROTO_ICMPV6, 255) + ends + body
