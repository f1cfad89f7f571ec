# SPDX-License-Identifier: GPL-3.0-or-later
"""The network: one namespace a node, veth pairs, addresses, routes.

    authorities, relays, bridge, onion, web --- core --- wan [router] br0 --- host, printer, guest

Each public node has one address on a link of its own to the core, which has a route for each. The
core sends every other public address to the web node, so nothing falls into a hole.
"""

from __future__ import annotations

from . import names, netns

_LEAF_SYSCTLS = {
    # Addresses are usable at once; nobody else could have them.
    "ipv6/conf/all/disable_ipv6": "0",
    "ipv6/conf/default/disable_ipv6": "0",
    "ipv6/conf/default/accept_dad": "0",
    "ipv6/conf/default/router_solicitation_delay": "0",
}
_FORWARDING = {"ipv4/ip_forward": "1", "ipv6/conf/all/forwarding": "1"}
_ANSWER_ALWAYS = {"ipv4/icmp_ratelimit": "0", "ipv6/icmp/ratelimit": "0"}

_ROUTER_RULES = f"""
table inet lab {{
    chain post {{
        type nat hook postrouting priority srcnat;
        oifname "{names.ROUTER_WAN}" ip saddr {names.LAN_PREFIX} masquerade
    }}
}}
"""

# Every port that has no server of its own goes to the echo server, on every address.
_WEB_RULES = f"""
table inet lab {{
    chain pre {{
        type nat hook prerouting priority dstnat;
        iifname != "{names.LAN_DEVICE}" return
        tcp dport {{ {names.HTTP_PORT}, {names.HTTPS_PORT}, {names.DNS_PORT} }} redirect
        udp dport {{ {names.DNS_PORT} }} redirect
        meta l4proto tcp redirect to :{names.ECHO_PORT}
        meta l4proto udp redirect to :{names.ECHO_PORT}
    }}
}}
"""

_PRINTER_RULES = f"""
table inet lab {{
    chain pre {{
        type nat hook prerouting priority dstnat;
        meta pkttype != host return
        meta l4proto udp redirect to :{names.PRINTER_UDP_PORT}
    }}
}}
"""


# The probes of all users are sent before the router's address is known: none of them may be lost for
# want of room, because what is not seen counts as stopped.
_LONG_QUEUES = {f"{family}/neigh/{names.LAN_DEVICE}/unres_qlen_bytes": str(16 << 20)
                for family in ("ipv4", "ipv6")}


class Topology:
    def __init__(self, lab: str) -> None:
        self._prefix = f"{names.NAMESPACE_PREFIX}{lab}-"

    def ns(self, node: str) -> str:
        if node not in names.NODES:
            raise KeyError(f"no node {node!r}; there are: {', '.join(names.NODES)}")
        return self._prefix + node

    def build(self) -> None:
        netns.ip_batch(f"netns add {self.ns(node)}" for node in names.NODES)
        self._set_sysctls()
        netns.ip_batch(self._links())
        for node in names.NODES:
            netns.ip_batch(self._configuration(node), ns=self.ns(node))
        netns.write_sysctls(self.ns(names.HOST), _LONG_QUEUES)
        # A rule's family cannot be told from its text.
        netns.ip_batch([f"rule add iif {names.LAN_DEVICE} lookup 100"],
                       ns=self.ns(names.WEB), family="-6")
        netns.nft(self.ns(names.ROUTER), _ROUTER_RULES)
        netns.nft(self.ns(names.WEB), _WEB_RULES)
        netns.nft(self.ns(names.PRINTER), _PRINTER_RULES)

    def remaining(self) -> list[str]:
        """The lab's namespaces that exist now."""
        return [self.ns(node) for node in names.NODES if netns.exists(self.ns(node))]

    def remove(self) -> None:
        remaining = self.remaining()
        if remaining:
            netns.ip_batch(f"netns del {name}" for name in remaining)

    def _set_sysctls(self) -> None:
        for node in names.NODES:
            settings = dict(_LEAF_SYSCTLS)
            if node != names.HOST:
                settings |= _ANSWER_ALWAYS
            if node in (names.CORE, names.ROUTER):
                settings |= _FORWARDING
            if node == names.ROUTER:
                # The only ICMP redirects are those that the hostile router makes up.
                settings |= {"ipv4/conf/all/send_redirects": "0",
                             "ipv4/conf/default/send_redirects": "0"}
            if node == names.PRINTER:
                settings["ipv6/conf/default/accept_ra"] = "0"  # it believes no hostile router
            if node == names.BRIDGE:
                settings["ipv4/ip_unprivileged_port_start"] = "0"  # obfs4proxy on port 443
            netns.write_sysctls(self.ns(node), settings)

    def _links(self) -> list[str]:
        core, router = self.ns(names.CORE), self.ns(names.ROUTER)
        lines = [
            f"link add name v-{node} netns {core} type veth "
            f"peer name {names.LAN_DEVICE} netns {self.ns(node)}"
            for node in names.PUBLIC_NODES
        ]
        lines.append(f"link add name v-{names.ROUTER} netns {core} type veth "
                     f"peer name {names.ROUTER_WAN} netns {router}")
        for node in names.LAN_NODES:
            lines.append(f"link add name p-{node} netns {router} type veth peer "
                         f"name {names.LAN_DEVICE} netns {self.ns(node)} "
                         f"address {names.MACS[node]}")
        first, second = names.MARKER_DEVICES
        lines.append(f"link add name {first} netns {router} type veth "
                     f"peer name {second} netns {router}")
        return lines

    def _configuration(self, node: str) -> list[str]:
        lines = ["link set lo up"]
        if node == names.CORE:
            return lines + _core_lines()
        if node == names.ROUTER:
            return lines + _router_lines()
        if node in names.LAN_NODES:
            return lines + _lan_lines(node)
        return lines + _public_lines(node)


def _public_uplink(device: str, address: str) -> list[str]:
    return [
        f"link set {device} up",
        f"addr add {address}/32 dev {device}",
        f"route add {names.CORE_ADDRESS} dev {device} scope link",
        f"route add default via {names.CORE_ADDRESS} dev {device} src {address}",
        f"route add ::/0 via {names.CORE_ADDRESS6} dev {device}",
    ]


def _core_lines() -> list[str]:
    lines = [f"addr add {names.CORE_ADDRESS}/32 dev lo"]
    neighbours = dict(names.PUBLIC_NODES) | {names.ROUTER: names.ROUTER_PUBLIC}
    for node, address in neighbours.items():
        lines += [
            f"link set v-{node} up",
            f"addr add {names.CORE_ADDRESS6}/64 dev v-{node} nodad",
            f"route add {address}/32 dev v-{node}",
        ]
    lines += [
        f"route add default via {names.WEB_ADDRESS} dev v-{names.WEB} onlink",
        f"route add {names.LAN_GLOBAL_PREFIX} via fe80::77 dev v-{names.ROUTER}",
        # What the hostile router lures to itself comes through as well.
        f"route add {names.HOSTILE_PREFIX} via fe80::77 dev v-{names.ROUTER}",
        f"route add ::/0 via fe80::80 dev v-{names.WEB}",
    ]
    return lines


def _public_lines(node: str) -> list[str]:
    device = names.LAN_DEVICE
    lines = _public_uplink(device, names.PUBLIC_NODES[node])
    if node != names.WEB:
        return lines
    lines += [f"addr add {a}/32 dev lo" for a in names.WEB_ADDRESSES if a != names.WEB_ADDRESS]
    # One only on the link, so that it is what redirected packets go to and come from.
    lines += [f"addr add {a}/128 dev lo nodad" for a in names.WEB_ADDRESSES6[1:]]
    lines += [
        f"addr add {names.WEB_ADDRESS6}/128 dev {device} nodad",
        f"addr add fe80::80/64 dev {device} nodad",
        # Whatever else arrives is for this node too.
        "route add local default dev lo table 100",
        f"rule add iif {device} lookup 100",
        "route add local ::/0 dev lo table 100",
    ]
    return lines


def _router_lines() -> list[str]:
    bridge = names.ROUTER_BRIDGE
    lines = _public_uplink(names.ROUTER_WAN, names.ROUTER_PUBLIC)
    lines += [
        f"addr add fe80::77/64 dev {names.ROUTER_WAN} nodad",
        # Reports of group membership are forwarded like everything else: nothing is held back.
        f"link add {bridge} address {names.ROUTER_MAC} type bridge mcast_snooping 0",
        f"link set {bridge} up",
        f"addr add {names.ROUTER_ADDRESS}/24 dev {bridge}",
        f"addr add {names.LINK_LOCAL_RESOLVER}/32 dev {bridge}",
        f"addr add {names.ROUTER_ULA}/64 dev {bridge} nodad",
        f"addr add {names.ROUTER_GLOBAL}/64 dev {bridge} nodad",
    ]
    for node in names.LAN_NODES:
        lines += [f"link set p-{node} master {bridge}", f"link set p-{node} up"]
    lines += [f"link set {device} up" for device in names.MARKER_DEVICES]
    return lines


def restore_lan(ns: str, node: str) -> None:
    """The addresses and routes of a node on the LAN are as they were made. A link that was down has
    forgotten those of IPv6, and nobody would notice but the next who needs them."""
    made = [line.replace("route add", "route replace") for line in _lan_lines(node)]
    netns.ip_batch([made[0], f"addr flush dev {names.LAN_DEVICE}", *made[1:]], ns=ns)


def _lan_lines(node: str) -> list[str]:
    device = names.LAN_DEVICE
    lines = [f"link set {device} up", f"addr add {names.LAN_ADDRESSES[node]}/24 dev {device}"]
    if node == names.HOST:
        # Of the same kind the first IPv4 address and the last IPv6 address is the usual source.
        lines += [
            f"addr add {names.HOST_ADDRESS_SECOND}/24 dev {device}",
            f"addr add {names.HOST_GLOBAL_SECOND}/64 dev {device} nodad",
        ]
    lines += [f"addr add {address}/64 dev {device} nodad" for address in names.LAN_ADDRESSES6[node]]
    lines += [
        f"route add default via {names.ROUTER_ADDRESS}",
        f"route add ::/0 via {names.ROUTER_GLOBAL} dev {device}",
    ]
    return lines
