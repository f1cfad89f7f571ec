# SPDX-License-Identifier: GPL-3.0-or-later
"""What a prying neighbour sends to a computer, so that it betrays itself by an answer.

Each of these makes an unprotected computer send something that nobody on it asked for. All are sent
with the router's hardware address, so that answers find their way. An ARP question for its address
must be answered by everybody; it is here so that silence is not taken for a missing link.
"""

from __future__ import annotations

import socket
import struct

from . import dns, names
from .frames import checksum, ethernet, ipv4, ipv6_icmp, mac_bytes

_BROADCAST = "ff:ff:ff:ff:ff:ff"
_CLOSED_PORT = 40999
_SOURCE_PORT = 7 << 8
_SEQUENCE = 0x1E7E
_MDNS, _LLMNR = ("224.0.0.251", 5353), ("224.0.0.252", 5355)
_LINK_LOCAL = "fe80::bad:1"
_ROUTER_ALERT = bytes([0, 0, 5, 2, 0, 0, 1, 0])  # a hop-by-hop header, its first byte still open
TCP_PORTS = (22, 80, 631, names.TOR_SOCKS_PORT)


def provocations(address: str, mac: str) -> dict[str, bytes]:
    """Frames by name, for one computer of the LAN."""
    found = {"arp": _arp(address, mac)} | _internet(address, mac)
    return found | _names(mac) | _ipv6(mac) | _link(mac)


def _internet(address: str, mac: str) -> dict[str, bytes]:
    router = names.ROUTER_ADDRESS

    def packet(protocol: int, payload: bytes, to: str = address) -> bytes:
        return ethernet(mac, 0x0800) + ipv4(router, to, protocol, payload)

    closed = struct.pack("!HHHH", _SOURCE_PORT, _CLOSED_PORT, 12, 0) + b"pry?"
    found = {
        "echo": packet(1, _summed(struct.pack("!BBHHH", 8, 0, 0, 1, 1) + b"pry?", 2)),
        "timestamp": packet(1, _summed(struct.pack("!BBHHHIII", 13, 0, 0, 1, 1, 0, 0, 0), 2)),
        "closed udp": packet(17, closed),
        "igmp query": packet(2, _summed(b"\x11\x01\x00\x00" + bytes(4), 2), "224.0.0.1"),
        "unknown protocol": packet(253, b"pry?"),
        "lone fragment": _fragment(packet(17, closed)),
    }
    for port in TCP_PORTS:
        found[f"tcp {port}"] = packet(6, _syn(router, address, port))
    return found


def _names(mac: str) -> dict[str, bytes]:
    found = {}
    for name, (group, port), question in (
        ("mdns", _MDNS, dns.query("_services._dns-sd._udp.local", 12)),
        ("llmnr", _LLMNR, dns.query("amnesia")),
    ):
        head = struct.pack("!HHHH", port, port, 8 + len(question), 0)
        payload = ipv4(names.ROUTER_ADDRESS, group, 17, head + question)
        found[name] = ethernet(mac, 0x0800) + payload
    return found


def _ipv6(mac: str) -> dict[str, bytes]:
    """To all nodes, and to the address that a card makes of its hardware address."""
    raw = bytearray(mac_bytes(mac))
    raw[0] ^= 2
    own = b"\xfe\x80" + bytes(6) + bytes(raw[:3]) + b"\xff\xfe" + bytes(raw[3:])
    target = socket.inet_ntop(socket.AF_INET6, own)
    head = ethernet(mac, 0x86DD)
    bodies = {
        "echo6": struct.pack("!BBHHH", 128, 0, 0, 1, 1),
        "mld query": struct.pack("!BBHHH16s", 130, 0, 0, 1, 0, bytes(16)),
        "neighbour solicitation": struct.pack("!BBHI", 135, 0, 0, 0) + own
        + b"\x01\x01" + mac_bytes(names.ROUTER_MAC),
    }  # fmt: skip
    ends = {"neighbour solicitation": target}
    packets = {
        name: ipv6_icmp(_LINK_LOCAL, ends.get(name, "ff02::1"), body)
        for name, body in bodies.items()
    }
    packets["mld query"] = _for_routers(packets["mld query"])
    return {name: head + packet for name, packet in packets.items()}


def _for_routers(packet: bytes) -> bytes:
    """MLD is listened to only on the link itself, with a router alert in a header of its own."""
    size = int.from_bytes(packet[4:6], "big") + len(_ROUTER_ALERT)
    head = packet[:4] + struct.pack("!HBB", size, 0, 1) + packet[8:40]
    return head + bytes([packet[6]]) + _ROUTER_ALERT[1:] + packet[40:]


def _link(mac: str) -> dict[str, bytes]:
    """Protocols of the link itself."""
    identity = bytes([1, 0, 0, 5, 1, 1, 0, 5, 1])  # EAPOL: an EAP request, who are you?
    lldp = b"\x02\x07\x04" + mac_bytes(names.ROUTER_MAC) + b"\x04\x02\x07p\x06\x02\x00\x78\x00\x00"
    return {
        "eapol": (ethernet(mac, 0x888E) + identity).ljust(60, b"\0"),
        "lldp": (ethernet("01:80:c2:00:00:0e", 0x88CC) + lldp).ljust(60, b"\0"),
    }


def _arp(address: str, mac: str) -> bytes:
    ends = mac_bytes(names.ROUTER_MAC) + socket.inet_aton(names.ROUTER_ADDRESS)
    body = struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1) + ends + bytes(6) + socket.inet_aton(address)
    return ethernet(_BROADCAST, 0x0806) + body


def _syn(source: str, destination: str, port: int) -> bytes:
    body = struct.pack("!HHIIBBHHH", _SOURCE_PORT, port, _SEQUENCE, 0, 5 << 4, 2, 64240, 0, 0)
    ends = socket.inet_aton(source) + socket.inet_aton(destination)
    value = checksum(ends + struct.pack("!BBH", 0, 6, len(body)) + body)
    return body[:16] + struct.pack("!H", value) + body[18:]


def _fragment(frame: bytes) -> bytes:
    """The same as a first fragment whose rest never comes: some answer after half a minute."""
    head = frame[14:20] + b"\x20\x00" + frame[22:24] + b"\0\0" + frame[26:34]
    return frame[:14] + head[:10] + struct.pack("!H", checksum(head)) + head[12:] + frame[34:]


def _summed(body: bytes, at: int) -> bytes:
    return body[:at] + struct.pack("!H", checksum(body)) + body[at + 2 :]
