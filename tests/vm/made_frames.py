# SPDX-License-Identifier: GPL-3.0-or-later
"""Frames made by hand, and a good session of them, for the oracle's own tests.

Written apart from the oracle's parsing: what both got wrong in the same way would not be seen.
"""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass

from labkit import names
from vmkit.wire_judge import Frame
from vmkit.wire_rules import DHCP_PARAMETERS

GUEST, ROUTER = names.VM_MAC, names.ROUTER_MAC
ALL = "ff:ff:ff:ff:ff:ff"
LEASE, GATEWAY = names.VM_ADDRESS, names.ROUTER_ADDRESS
NOBODY, EVERYBODY = "0.0.0.0", "255.255.255.255"
RELAY = names.PUBLIC_NODES["r1"]
RELAY_PORT = names.RELAY_OR_PORT
STEP_NS = 5_000_000
START_NS = 1_700_000_000 * 10**9

ARP, IPV4, IPV6 = 0x0806, 0x0800, 0x86DD
SYN, ACK, PSH, FIN, RST = 2, 16, 8, 1, 4
SYN_OPTIONS = bytes.fromhex("020405b4" "0402080a0000000100000000" "01" "030307")
TIMES = bytes.fromhex("0101" "080a0000000200000001")


def raw_mac(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", ""))


def ethernet(payload: bytes, kind: int = IPV4, to: str = ROUTER, source: str = GUEST) -> bytes:
    return raw_mac(to) + raw_mac(source) + struct.pack("!H", kind) + payload


def total(data: bytes) -> int:
    """The Internet checksum."""
    if len(data) % 2:
        data += b"\0"
    value = sum(int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2))
    value = (value & 0xFFFF) + (value >> 16)
    return ~((value & 0xFFFF) + (value >> 16)) & 0xFFFF


@dataclass
class Ip:
    """An IPv4 header; each field can be wrong."""

    protocol: int
    destination: str
    source: str = LEASE
    ttl: int = 64
    fragment: int = 0x4000
    service: int = 0
    options: bytes = b""
    bad_checksum: bool = False

    def around(self, payload: bytes) -> bytes:
        words = 5 + len(self.options) // 4
        head = struct.pack(
            "!BBHHHBBH4s4s", 0x40 | words, self.service, words * 4 + len(payload), 7,
            self.fragment, self.ttl, self.protocol, 0,
            socket.inet_aton(self.source), socket.inet_aton(self.destination),
        ) + self.options  # fmt: skip
        check = total(head) ^ (1 if self.bad_checksum else 0)
        return head[:10] + struct.pack("!H", check) + head[12:] + payload

    def pseudo(self, size: int) -> bytes:
        ends = socket.inet_aton(self.source) + socket.inet_aton(self.destination)
        return ends + struct.pack("!BBH", 0, self.protocol, size)


def tcp_segment(
    ip: Ip,
    port: int = RELAY_PORT,
    flags: int = ACK,
    options: bytes = TIMES,
    payload: bytes = b"",
    source_port: int = 40000,
    damage: int = 0,
    reserved: int = 0,
    urgent: int = 0,
) -> bytes:
    options = options.ljust((len(options) + 3) // 4 * 4, b"\0")
    offset = (20 + len(options)) // 4 << 4 | reserved
    body = struct.pack("!HHIIBBHHH", source_port, port, 1, 1, offset, flags, 64240, 0, urgent)
    body += options + payload
    check = total(ip.pseudo(len(body)) + body) ^ damage
    return body[:16] + struct.pack("!H", check) + body[18:]


def tcp(destination: str = RELAY, port: int = RELAY_PORT, *, to: str = ROUTER, **fields) -> bytes:
    """A segment from the guest. Fields of Ip and of tcp_segment()."""
    of_ip = {key: fields.pop(key) for key in list(fields) if key in Ip.__dataclass_fields__}
    if "tcp_options" in fields:
        fields["options"] = fields.pop("tcp_options")
    ip = Ip(6, destination, **of_ip)
    return ethernet(ip.around(tcp_segment(ip, port, **fields)), to=to)


def udp(
    destination: str, port: int, payload: bytes = b"x", *, to: str = ROUTER,
    source_port: int = 40001, mac: str = GUEST, damage: int = 0, **of_ip,
) -> bytes:  # fmt: skip
    ip = Ip(17, destination, **of_ip)
    body = struct.pack("!HHHH", source_port, port, 8 + len(payload), 0) + payload
    check = (total(ip.pseudo(len(body)) + body) or 0xFFFF) ^ damage
    return ethernet(ip.around(body[:6] + struct.pack("!H", check) + body[8:]), to=to, source=mac)


def arp(
    operation: int, sender: str, target: str, *, to: str = ALL, mac: str = GUEST,
    target_mac: str = "00:00:00:00:00:00", source: str = GUEST, padding: bytes = b"",
) -> bytes:  # fmt: skip
    body = struct.pack(
        "!HHBBH6s4s6s4s", 1, 0x0800, 6, 4, operation, raw_mac(mac), socket.inet_aton(sender),
        raw_mac(target_mac), socket.inet_aton(target),
    )  # fmt: skip
    return ethernet(body + padding, ARP, to, source)


CLIENT_ID = b"\x01" + raw_mac(GUEST)


def options_of(kind: int, *more: tuple[int, bytes]) -> list[tuple[int, bytes]]:
    """The options of a good client's message, and what else is given."""
    plain = [(53, bytes([kind])), (61, CLIENT_ID), (55, bytes(DHCP_PARAMETERS)),
             (57, b"\x02\x40")]  # fmt: skip
    return plain + list(more)


def dhcp_message(
    options: list[tuple[int, bytes]], *, operation: int = 1, chaddr: bytes = raw_mac(GUEST),
    flags: int = 0, client: str = NOBODY, yours: str = NOBODY, server: str = NOBODY,
    relay: str = NOBODY, names_field: bytes = b"", rest: bytes = b"", hops: int = 0,
) -> bytes:  # fmt: skip
    data = struct.pack("!4BIHH", operation, 1, 6, hops, 0x1E7E, 0, flags)
    data += b"".join(socket.inet_aton(a) for a in (client, yours, server, relay))
    data += chaddr.ljust(16, b"\0") + names_field.ljust(192, b"\0") + b"\x63\x82\x53\x63"
    for code, value in options:
        data += bytes([code, len(value)]) + value
    return data + b"\xff" + rest


def dhcp(
    options: list[tuple[int, bytes]], destination: str = EVERYBODY, source: str = NOBODY,
    to: str = ALL, ttl: int = 64, service: int = 0xC0, damage: int = 0, **fields,
) -> bytes:  # fmt: skip
    """A client's message."""
    return udp(destination, 67, dhcp_message(options, **fields), to=to, source_port=68,
               source=source, ttl=ttl, service=service, damage=damage)  # fmt: skip


def dhcp_answer(kind: int, lease: str = LEASE, mac: str = GUEST) -> bytes:
    options = [(53, bytes([kind])), (54, socket.inet_aton(GATEWAY))]
    message = dhcp_message(options, operation=2, chaddr=raw_mac(mac), yours=lease)
    return udp(EVERYBODY, 68, message, to=ALL, source_port=67, source=GATEWAY, mac=ROUTER)


def to_guest(frame: bytes) -> bytes:
    """The same from the router to the guest."""
    return raw_mac(GUEST) + raw_mac(ROUTER) + frame[12:]


REQUESTED = (50, socket.inet_aton(LEASE))
SERVER = (54, socket.inet_aton(GATEWAY))

# A session in order: whether the guest sent it, and what.
GOOD: list[tuple[bool, bytes]] = [
    (False, arp(1, GATEWAY, LEASE, mac=ROUTER, source=ROUTER)),
    (True, dhcp(options_of(1))),
    (False, dhcp_answer(2)),
    (True, dhcp(options_of(3, REQUESTED, SERVER))),
    (False, dhcp_answer(5)),
    (True, arp(1, NOBODY, LEASE)),
    (True, arp(1, LEASE, LEASE)),
    (True, arp(1, LEASE, GATEWAY)),
    (False, to_guest(arp(2, GATEWAY, LEASE, mac=ROUTER, target_mac=GUEST))),
    (True, tcp(flags=SYN, tcp_options=SYN_OPTIONS)),
    (False, to_guest(tcp(flags=SYN | ACK, tcp_options=SYN_OPTIONS))),
    (True, tcp()),
    (True, tcp(flags=PSH | ACK, payload=b"hello, relay")),
    (True, arp(2, LEASE, GATEWAY, to=ROUTER, target_mac=ROUTER)),
    (True, arp(1, LEASE, GATEWAY, to=ROUTER)),
    (True, dhcp(options_of(3), GATEWAY, LEASE, ROUTER, client=LEASE)),
    (True, tcp(flags=FIN | ACK)),
    (True, tcp(flags=RST, tcp_options=b"")),
    (True, dhcp([(53, b"\x07"), SERVER, (61, CLIENT_ID)], GATEWAY, LEASE, ROUTER, client=LEASE)),
]
SETTLED = 13  # here the guest has a lease and talks


def frames(session: list[tuple[bool, bytes]]) -> list[Frame]:
    return [Frame(START_NS + n * STEP_NS, data, sent) for n, (sent, data) in enumerate(session)]


def with_plant(*planted: bytes, at: int = SETTLED) -> list[Frame]:
    """The good session with other frames of the guest's in between."""
    return frames(GOOD[:at] + [(True, data) for data in planted] + GOOD[at:])


def udp6(port: int, payload: bytes, destination: str = "ff02::1") -> bytes:
    body = struct.pack("!HHHH", 40002, port, 8 + len(payload), 0) + payload
    return ipv6(17, body, destination)


def ipv6(
    protocol: int, body: bytes, destination: str = "ff02::2", hop_by_hop: bool = False
) -> bytes:
    if hop_by_hop:
        body, protocol = bytes([protocol, 0, 5, 2, 0, 0, 1, 0]) + body, 0
    ends = (socket.inet_pton(socket.AF_INET6, end) for end in ("fe80::1234", destination))
    head = struct.pack("!IHBB", 6 << 28, len(body), protocol, 255) + b"".join(ends)
    return ethernet(head + body, IPV6, "33:33:00:00:00:02")


def question(name: str) -> bytes:
    labels = b"".join(bytes([len(part)]) + part.encode() for part in name.split("."))
    return struct.pack("!6H", 1, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!HH", 1, 1)


def netbios_question(name: str) -> bytes:
    padded = name.encode().ljust(15) + b"\0"
    letters = bytes(0x41 + half for byte in padded for half in (byte >> 4, byte & 15))
    head = struct.pack("!6H", 1, 0x0110, 1, 0, 0, 0)
    return head + b"\x20" + letters + b"\0" + struct.pack("!HH", 0x20, 1)
