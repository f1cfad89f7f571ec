# SPDX-License-Identifier: GPL-3.0-or-later
"""What the specification says about a piece of traffic, written by hand from its text.

Nothing here reads a policy file, a ruleset or the code of either: this is the witness that they are
measured against. Where a sentence below and the policy differ, one of the two has to be changed by
a person.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from . import names

OUT = "out"
BLOCKED = "blocked"
SILENT = "silent"  # the specification does not say: either is right

# The columns of the matrix, in the order in which people read them.
USERS = (names.AMNESIA, names.CLEARNET, names.CLEARNET_NET, names.DEBIAN_TOR, names.BRIDGES_NET,
         names.FRONTS_NET, names.TRANSPORT, names.ROOT, names.NOBODY, names.APT)

NOBODYS = "(no owner)"  # sent by the kernel for no socket, or on behalf of another namespace

# "LAN name lookups are not [open] (53, 853, 137, 5353, 5355, TCP and UDP), and neither is asking
# the router for the public address (NAT-PMP/PCP 5351, SSDP 1900)." (F5)
LAN_FORBIDDEN_PORTS = frozenset({53, 853, 137, 5353, 5355, 5351, 1900})
RFC1918 = tuple(map(ipaddress.ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")))


@dataclass(frozen=True)
class Traffic:
    """What is sent, in the words of the specification."""

    layer: str = "ipv4"  # ipv4, ipv6, arp, eapol, or other
    protocol: str = ""  # tcp, udp, icmp, or any other name
    destination: str = ""
    port: int = 0
    source_port: int = 0
    owner: str = ""  # who called socket(); empty: the user of the column
    plain: bool = True  # ARP: the one shape that IPv4 over Ethernet uses
    # The final destination, where options of the packet make the first one only a stop on the way.
    final: str = ""
    # Ports cannot be read: a later fragment.
    fragment: bool = False
    # Whether it leaves is nobody's promise even where its owner has the network: a lone fragment
    # (a filter may wait for the rest), or options that no program needs.
    odd: bool = False


def zone(address: str) -> str:
    parsed = ipaddress.ip_address(address)
    if parsed.is_multicast:
        return "multicast"
    if address == "255.255.255.255":
        return "broadcast"
    if any(parsed in network for network in RFC1918):
        return "lan"
    if parsed in ipaddress.ip_network("169.254.0.0/16"):
        return "link-local"
    if parsed in ipaddress.ip_network("100.64.0.0/10"):
        return "shared"  # the provider's side of its address translation: not the Internet
    return "internet"


def _is_dhcp(traffic: Traffic) -> bool:
    """The exact shape in which a client without an address asks for one."""
    return (traffic.protocol == "udp" and traffic.destination == "255.255.255.255"
            and traffic.source_port == 68 and traffic.port == 67 and not traffic.fragment)


def _lan_is_open_to(traffic: Traffic) -> bool:
    """F5, for every user alike. Open means TCP, UDP and ICMP: those are what the policy language
    can name, and F1 drops what nothing names."""
    if traffic.protocol in ("tcp", "udp"):
        return traffic.fragment or traffic.port not in LAN_FORBIDDEN_PORTS
    return traffic.protocol == "icmp"


def _ipv4(traffic: Traffic, owner: str) -> bool:
    where = zone(traffic.destination)
    if owner in (names.CLEARNET, names.CLEARNET_NET, names.FRONTS_NET):
        # F2, F3, F4: "has the network, TCP and UDP": every address of a host, of whatever network.
        # Groups and broadcasts are not hosts.
        if traffic.protocol in ("tcp", "udp") and where not in ("multicast", "broadcast"):
            return True
    if (owner in (names.DEBIAN_TOR, names.BRIDGES_NET) and traffic.protocol == "tcp"
            and where == "internet"):
        return True  # F2
    if owner == names.ROOT and _is_dhcp(traffic):
        return True  # F1: what a link needs to come up
    return where == "lan" and _lan_is_open_to(traffic)


def promise(traffic: Traffic, user: str) -> str:
    """OUT, BLOCKED or SILENT for what @user sends."""
    owner = traffic.owner or user
    if owner == NOBODYS and traffic.layer != "arp":
        return BLOCKED
    if traffic.layer == "arp":
        return OUT if traffic.plain and owner in (names.ROOT, NOBODYS) else BLOCKED
    if traffic.layer == "eapol":
        return OUT if owner == names.ROOT else BLOCKED
    if traffic.layer != "ipv4":
        return BLOCKED  # F8 for IPv6, F1 for the rest
    allowed = _ipv4(traffic, owner)
    if allowed and traffic.final:
        # A stop on the way grants nothing at the end of the way.
        final = Traffic(protocol=traffic.protocol, destination=traffic.final, port=traffic.port)
        allowed = _ipv4(final, owner)
    if not allowed:
        return BLOCKED
    return SILENT if traffic.odd else OUT


# ---- local services: F3, F6, F7 -----------------------------------------------------------------

AMNESIA_TCP_BLOCKLIST = frozenset({names.TOR_SOCKS_SYSTEM_PORT, names.TOR_SOCKS_DOWNLOAD_PORT,
                                   *names.TRANSPORT_PORTS})
LOCAL_TCP = {
    names.TOR_SOCKS_PORT: frozenset({names.APT, names.NOBODY}),
    names.TOR_SOCKS_SYSTEM_PORT: frozenset({names.ROOT}),
    **dict.fromkeys(names.TRANSPORT_PORTS, frozenset({names.DEBIAN_TOR})),
}
LOCAL_UDP = {names.DNS_PORT: frozenset({names.AMNESIA, names.ROOT})}


def local_promise(protocol: str, port: int, user: str) -> bool:
    """May @user reach this port on this computer, whatever address of it is used?"""
    if protocol == "tcp" and user == names.AMNESIA:
        return port not in AMNESIA_TCP_BLOCKLIST
    table = LOCAL_TCP if protocol == "tcp" else LOCAL_UDP
    return user in table.get(port, frozenset())


def automap_promise(user: str) -> bool:
    return user == names.AMNESIA
