# SPDX-License-Identifier: GPL-3.0-or-later
"""What a guest may send: values, no judgement. Nothing is allowed but what stands here."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field

from labkit import names

Endpoint = tuple[str, int]  # address and port

# What the DHCP client of the image asks for, in its order: every computer with this system asks
# for exactly this, so that the list tells nobody apart.
DHCP_PARAMETERS = (1, 2, 6, 12, 15, 26, 28, 121, 3, 33, 40, 41, 42, 119, 249, 252, 17)


@dataclass(frozen=True)
class Rules:
    """One network card's. Addresses as text; hardware addresses in lower case with colons."""

    mac: str
    lan: str
    # Who there is on the LAN, and at which hardware address.
    neighbours: dict[str, str]
    # Whose hardware address packets for other networks may carry.
    gateways: frozenset[str]
    dhcp_servers: frozenset[str]
    # What these servers give this card.
    leases: frozenset[str]
    # Where TCP may go; a whole packet to anywhere else is a leak.
    tcp: frozenset[Endpoint]
    udp: frozenset[Endpoint] = frozenset()
    ping: frozenset[str] = frozenset()
    # Leases that the card has when the recording begins: of a machine restored from a snapshot.
    held: frozenset[str] = frozenset()
    dhcp_parameters: tuple[int, ...] = DHCP_PARAMETERS
    # May a client identifier be sent that repeats the hardware address? Nothing else ever may.
    dhcp_client_id: bool = True

    def in_lan(self, address: str) -> bool:
        return ipaddress.ip_address(address) in ipaddress.ip_network(self.lan)

    def resolvable(self) -> frozenset[str]:
        """For whose hardware address may be asked."""
        asked = {address for address, _ in self.tcp | self.udp} | self.ping
        return self.gateways | self.dhcp_servers | {a for a in asked if self.in_lan(a)}


def tor_endpoints(bridge: bool = False) -> frozenset[Endpoint]:
    """Where a Tor client of the laboratory connects to: relays and authorities, or the bridge."""
    if bridge:
        return frozenset({(names.PUBLIC_NODES[names.BRIDGE], names.BRIDGE_OBFS4_PORT)})
    found = {(names.PUBLIC_NODES[node], names.RELAY_OR_PORT) for node in names.RELAYS}
    for node in names.AUTHORITIES:
        address = names.PUBLIC_NODES[node]
        found |= {(address, names.AUTHORITY_OR_PORT), (address, names.AUTHORITY_DIR_PORT)}
    return frozenset(found)


@dataclass(frozen=True)
class Allowed:
    """What a case adds to "Tor and what a link needs", by name."""

    tcp: frozenset[Endpoint] = frozenset()
    udp: frozenset[Endpoint] = frozenset()
    ping: frozenset[str] = frozenset()
    held: frozenset[str] = frozenset()
    bridge: bool = False
    tor: bool = True
    hostile: bool = False
    mac: str = names.VM_MAC
    extra: dict[str, object] = field(default_factory=dict)  # fields of Rules, as they are


def of_lab(allowed: Allowed | None = None) -> Rules:
    """The rules for a guest in the laboratory.

    A hostile router also is the gateway that its DHCP options name, and a second DHCP server
    there gives another lease. Both belong to the link; where packets may go stays the same.
    """
    case = allowed or Allowed()
    neighbours = {
        names.ROUTER_ADDRESS: names.ROUTER_MAC,
        names.PRINTER_ADDRESS: names.PRINTER_MAC,
        names.GUEST_ADDRESS: names.GUEST_MAC,
        names.HOST_ADDRESS: names.HOST_MAC,
        names.HOST_ADDRESS_SECOND: names.HOST_MAC,
    }
    lease = names.VM_ADDRESS if case.mac == names.VM_MAC else names.DHCP_OTHER_LEASE
    gateways, servers, leases = {names.ROUTER_ADDRESS}, {names.ROUTER_ADDRESS}, {lease}
    if case.hostile:
        neighbours[names.HOSTILE_GATEWAY] = names.ROUTER_MAC
        gateways.add(names.HOSTILE_GATEWAY)
        servers.add(names.GUEST_ADDRESS)
        leases.add(names.ROGUE_LEASE)
    fields: dict[str, object] = {
        "mac": case.mac,
        "lan": names.LAN_PREFIX,
        "neighbours": neighbours,
        "gateways": frozenset(gateways),
        "dhcp_servers": frozenset(servers),
        "leases": frozenset(leases),
        "tcp": case.tcp | (tor_endpoints(case.bridge) if case.tor else frozenset()),
        "udp": case.udp,
        "ping": case.ping,
        "held": case.held,
    }
    return Rules(**(fields | case.extra))  # type: ignore[arg-type]
