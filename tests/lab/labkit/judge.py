# SPDX-License-Identifier: GPL-3.0-or-later
"""Which probes were seen on the wire, and what else was. Pure: bytes in, findings out.

Every probe carries something that nothing else carries. A *mark* names run, probe and part as text
and is looked for in every byte of a frame, so that it is found inside any protocol, tunnel or
fragment without understanding one. Packets that the kernel makes itself cannot carry a mark: those
are known by a source port, a group address, or the address an ARP request asks for.
"""

from __future__ import annotations

import re
import struct
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

PORT_BASE = 20480  # source ports of probes: PORT_BASE + number
NUMBER_MAX = 4095
_MARK = re.compile(rb"lethe([0-9a-f]{8})([0-9a-f]{4})([0-9a-f]{2})")
_GROUP4 = b"\xef\x4c\x50"  # 239.76.80+high.low
_GROUP6 = bytes.fromhex("ff150000000000000000004c4550")  # and two bytes of the number
_ARP_TARGET = b"\x0a\x4c"  # 10.76.high.low

_PORTED = frozenset({6, 17, 33, 132, 136})
_SKIPPED_EXTENSIONS = frozenset({0, 43, 60, 135, 139, 140})
_EXTENSIONS_MAX = 16


def mark(run: str, number: int, part: int = 0) -> bytes:
    """@run is eight hexadecimal digits."""
    return f"lethe{run}{number:04x}{part:02x}".encode("ascii")


def source_port(number: int) -> int:
    return PORT_BASE + number


def group4(number: int) -> str:
    return f"239.76.{80 + (number >> 8)}.{number & 255}"


def group6(number: int) -> str:
    return f"ff15::4c:4550:{number:x}"


def arp_target(number: int) -> str:
    return f"10.76.{number >> 8}.{number & 255}"


@dataclass
class Packet:
    """What could be read of a frame; a field that could not be read is None."""

    ethertype: int | None = None
    protocol: int | None = None
    source: bytes = b""
    destination: bytes = b""
    source_port: int | None = None
    destination_port: int | None = None
    body: bytes = b""  # from the transport header on, or the ARP packet
    malformed: bool = False


def parse(frame: bytes) -> Packet:
    """Never raises, whatever the bytes."""
    packet = Packet()
    if len(frame) < 14:
        packet.malformed = True
        return packet
    offset, kind = 14, struct.unpack_from("!H", frame, 12)[0]
    while kind in (0x8100, 0x88A8) and len(frame) >= offset + 4:
        kind = struct.unpack_from("!H", frame, offset + 2)[0]
        offset += 4
    packet.ethertype = kind
    body = frame[offset:]
    if kind == 0x0800:
        _parse_ipv4(body, packet)
    elif kind == 0x86DD:
        _parse_ipv6(body, packet)
    else:
        packet.body = body
    return packet


def _parse_ipv4(body: bytes, packet: Packet) -> None:
    words = body[0] & 15 if body else 0
    if len(body) < 20 or words < 5 or len(body) < words * 4:
        packet.malformed = True
        return
    packet.protocol = body[9]
    packet.source, packet.destination = body[12:16], body[16:20]
    packet.body = body[words * 4:]
    if struct.unpack_from("!H", body, 6)[0] & 0x1FFF == 0:
        _parse_ports(packet)


def _parse_ipv6(body: bytes, packet: Packet) -> None:
    if len(body) < 40:
        packet.malformed = True
        return
    packet.source, packet.destination = body[8:24], body[24:40]
    protocol, offset, later_fragment = body[6], 40, False
    for _ in range(_EXTENSIONS_MAX):
        if protocol in _SKIPPED_EXTENSIONS and len(body) >= offset + 8:
            protocol, offset = body[offset], offset + 8 + body[offset + 1] * 8
        elif protocol == 44 and len(body) >= offset + 8:
            later_fragment = bool(struct.unpack_from("!H", body, offset + 2)[0] & 0xFFF8)
            protocol, offset = body[offset], offset + 8
        else:
            break
    packet.protocol, packet.body = protocol, body[offset:]
    if not later_fragment:
        _parse_ports(packet)


def _parse_ports(packet: Packet) -> None:
    if packet.protocol in _PORTED and len(packet.body) >= 4:
        packet.source_port, packet.destination_port = struct.unpack_from("!HH", packet.body)


Sighting = tuple[int, int]  # number and part


def sightings(frame: bytes, run: str) -> set[Sighting]:
    """Every probe of this run that the frame shows."""
    found = {(int(number, 16), int(part, 16))
             for tag, number, part in _MARK.findall(frame) if tag == run.encode("ascii")}
    packet = parse(frame)
    # The destination's port too: an answer to a forged packet goes to where it claims to be from.
    for port in (packet.source_port, packet.destination_port):
        if port is not None and 0 <= port - PORT_BASE <= NUMBER_MAX:
            found.add((port - PORT_BASE, 0))
    if packet.ethertype == 0x0806 and packet.body[24:26] == _ARP_TARGET and len(packet.body) >= 28:
        found.add((struct.unpack_from("!H", packet.body, 26)[0], 0))
    found |= _groups(packet)
    return found


def _groups(packet: Packet) -> set[Sighting]:
    """Group addresses in reports that a host makes when it joins: IGMP and MLD, any version."""
    if packet.protocol == 2 and packet.ethertype == 0x0800:
        places = (packet.body[i + 2:i + 4] for i in range(len(packet.body) - 3)
                  if packet.body[i:i + 2] == _GROUP4[:2])
        numbers = (((place[0] - 80) << 8) | place[1] for place in places if place[0] >= 80)
        return {(number, 0) for number in numbers if number <= NUMBER_MAX}
    if packet.protocol == 58 and packet.ethertype == 0x86DD:
        found, at = set(), packet.body.find(_GROUP6)
        while at >= 0 and len(packet.body) >= at + 16:
            found.add((struct.unpack_from("!H", packet.body, at + 14)[0], 0))
            at = packet.body.find(_GROUP6, at + 1)
        return found
    return set()


def is_plain_arp(frame: bytes) -> bool:
    """The kernel's own address resolution: Ethernet and IPv4, asking or answering."""
    packet = parse(frame)
    return (packet.ethertype == 0x0806 and frame[12:14] == b"\x08\x06"
            and packet.body[:6] == b"\0\1\x08\0\6\4" and packet.body[6:8] in (b"\0\1", b"\0\2"))


def is_tor(frame: bytes, relays: Iterable[bytes]) -> bool:
    """A TCP segment to one of the Tor network's own addresses (packed)."""
    packet = parse(frame)
    return (packet.ethertype == 0x0800 and packet.protocol == 6
            and packet.source_port is not None and packet.destination in relays)


def describe(frame: bytes) -> str:
    """One line about a frame that nothing explains."""
    packet = parse(frame)
    if packet.malformed:
        return f"malformed frame of {len(frame)} bytes"
    if packet.protocol is None:
        return f"ethertype 0x{packet.ethertype or 0:04x}"
    what = f"IPv{4 if packet.ethertype == 0x0800 else 6} protocol {packet.protocol}"
    if packet.protocol in (1, 58) and packet.body:
        what += f" type {packet.body[0]}"
    if packet.destination_port is not None:
        what += f" port {packet.destination_port}"
    return f"{what} to {_address(packet.destination)}"


def _address(raw: bytes) -> str:
    if len(raw) == 4:
        return ".".join(map(str, raw))
    return ":".join(raw[i:i + 2].hex() for i in range(0, len(raw), 2))


@dataclass
class Findings:
    seen: dict[int, set[int]] = field(default_factory=dict)  # parts seen, by probe number
    background: int = 0  # frames that every computer on a link sends
    strays: Counter[str] = field(default_factory=Counter)  # what nothing explains


def judge(frames: Iterable[bytes], run: str, numbers: Iterable[int],
          relays: Iterable[bytes] = ()) -> Findings:
    """@frames are those that came from the host under test, @numbers the probes that were sent."""
    known, tor = frozenset(numbers), frozenset(relays)
    findings = Findings()
    for frame in frames:
        found = {sighting for sighting in sightings(frame, run) if sighting[0] in known}
        for number, part in found:
            findings.seen.setdefault(number, set()).add(part)
        if found:
            continue
        if is_plain_arp(frame) or is_tor(frame, tor):
            findings.background += 1
        else:
            findings.strays[describe(frame)] += 1
    return findings
