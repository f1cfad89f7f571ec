# SPDX-License-Identifier: GPL-3.0-or-later
"""What a DHCP client may say: each field and each option, by value.

DHCP is the one conversation in which a computer introduces itself to the network it joins; every
option that is not needed tells it apart from others.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator

from . import wire_parse as parse
from .wire_rules import Rules

CLIENT_PORT, SERVER_PORT = 68, 67
_REQUEST, _REPLY = 1, 2
DISCOVER, OFFER, REQUEST, DECLINE, ACK, RELEASE = 1, 2, 3, 4, 5, 7
KINDS = {
    DISCOVER: "dhcp discover",
    REQUEST: "dhcp request",
    DECLINE: "dhcp decline",
    RELEASE: "dhcp release",
}
_BROADCAST_FLAG = 0x8000
_ADDRESS, _TYPE, _SERVER, _PARAMETERS, _SIZE, _CLIENT_ID = 50, 53, 54, 55, 57, 61
_NOBODY = "0.0.0.0"
# Named, because each tells something of its own.
_TELLING = {
    12: "the host name",
    15: "a domain name",
    60: "a vendor class",
    77: "a user class",
    81: "a host name (FQDN)",
    82: "relay information",
    93: "the client's architecture",
    94: "a network interface's version",
    97: "a machine identifier (UUID)",
    116: "an autoconfiguration wish",
    124: "a vendor class",
    125: "vendor information",
    145: "a wish for forced renewal",
}


class Leases:
    """Which addresses the servers have offered to the card and given it, so far."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self.offered: set[str] = set(rules.held)
        self.given: set[str] = set(rules.held)

    def hear(self, data: bytes) -> None:
        """A frame that came to the guest. What is no answer of a DHCP server changes nothing."""
        try:
            frame = parse.ethernet(data)
            packet = parse.ipv4(frame.payload) if frame.kind == parse.IPV4 else None
            if not packet or packet.protocol != parse.UDP:
                return
            datagram = parse.udp(packet.payload)
            if (datagram.source_port, datagram.destination_port) != (SERVER_PORT, CLIENT_PORT):
                return
            answer = parse.dhcp(datagram.payload)
        except parse.Malformed:
            return
        if parse.mac(answer.client_hardware[:6]) != self._rules.mac:
            return
        kind = dict(answer.options).get(_TYPE)
        if answer.operation == _REPLY and kind in (bytes([OFFER]), bytes([ACK])):
            self.offered.add(answer.yours)
            if kind == bytes([ACK]):
                self.given.add(answer.yours)


def kind_of(message: parse.Dhcp) -> str:
    value = dict(message.options).get(_TYPE, b"")
    return KINDS.get(value[0], "") if len(value) == 1 else ""


def judge(message: parse.Dhcp, packet: parse.Ipv4, rules: Rules, leases: Leases) -> Iterator[str]:
    """Everything that a client must not say, in words."""
    if not kind_of(message):
        yield "DHCP of a type that a client has no use for"
    yield from _judge_ends(message, packet, rules, leases)
    yield from _judge_head(message, rules, leases)
    yield from _judge_options(message, rules, leases)


def _judge_ends(
    message: parse.Dhcp, packet: parse.Ipv4, rules: Rules, leases: Leases
) -> Iterator[str]:
    kind = kind_of(message)
    if packet.source == _NOBODY:
        if packet.destination != "255.255.255.255":
            yield f"DHCP from no address to {packet.destination}"
        if kind == "dhcp release":
            yield "a DHCP release from no address"
    elif packet.source not in leases.given & rules.leases:
        yield f"DHCP from {packet.source}, which is no lease of this card"
    elif packet.destination not in rules.dhcp_servers | {"255.255.255.255"}:
        yield f"DHCP to {packet.destination}, which is no DHCP server"


def _judge_head(message: parse.Dhcp, rules: Rules, leases: Leases) -> Iterator[str]:
    if message.operation != _REQUEST or message.hardware != (1, 6, 0):
        yield "DHCP that is no request of an Ethernet card"
    if message.flags not in (0, _BROADCAST_FLAG):
        yield f"DHCP flags 0x{message.flags:04x}"
    if message.client not in {_NOBODY} | (leases.given & rules.leases):
        yield f"DHCP for the client address {message.client}, which is no lease of this card"
    for what, address in (
        ("a given address", message.yours),
        ("a next server", message.server),
        ("a relay", message.relay),
    ):
        if address != _NOBODY:
            yield f"DHCP with {what} ({address}) in a request"
    if message.client_hardware != bytes.fromhex(rules.mac.replace(":", "")) + bytes(10):
        yield f"DHCP for another hardware address: {message.client_hardware.hex(':')}"
    if any(message.names):
        yield "DHCP with a server or file name"
    if any(message.rest):
        yield "DHCP with bytes after the end of its options"


def _judge_options(message: parse.Dhcp, rules: Rules, leases: Leases) -> Iterator[str]:
    codes = [code for code, _ in message.options]
    if len(set(codes)) != len(codes):
        yield "DHCP with an option twice"
    for code, value in message.options:
        if code == _TYPE:
            continue  # judged by kind_of()
        yield from _judge_option(code, value, rules, leases)


def _judge_option(code: int, value: bytes, rules: Rules, leases: Leases) -> Iterator[str]:
    if code == _CLIENT_ID:
        own = b"\x01" + bytes.fromhex(rules.mac.replace(":", ""))
        if not rules.dhcp_client_id or value != own:
            yield f"DHCP with the client identifier {value.hex(':')}"
    elif code == _ADDRESS:
        address = _address(value)
        if address not in leases.offered & rules.leases:
            yield f"DHCP asks for {address}, which was not offered"
    elif code == _SERVER:
        if _address(value) not in rules.dhcp_servers:
            yield f"DHCP names the server {_address(value)}, which is none"
    elif code == _SIZE:
        if not 576 <= int.from_bytes(value, "big") <= 1500 or len(value) != 2:
            yield f"DHCP with the maximum size {value.hex()}"
    elif code == _PARAMETERS:
        if tuple(value) != rules.dhcp_parameters:
            yield f"DHCP asks for another list of options: {', '.join(map(str, value))}"
    else:
        what = _TELLING.get(code, "what is not needed")
        yield f"DHCP option {code} tells {what}: {_readable(value)}"


def _address(value: bytes) -> str:
    return socket.inet_ntoa(value) if len(value) == 4 else f"0x{value.hex()}"


def _readable(value: bytes) -> str:
    if value and all(0x20 <= byte < 0x7F for byte in value):
        return repr(value.decode("ascii"))
    return f"0x{value.hex()}"
