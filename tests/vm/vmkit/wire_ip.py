# SPDX-License-Identifier: GPL-3.0-or-later
"""The oracle's part for IP, and the words for what is none of the allowed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from . import wire_dhcp, wire_names
from . import wire_parse as parse
from .wire_rules import Rules

_LIFETIME = 64
_NETWORK_CONTROL = 0xC0  # the class of service that a DHCP client gives its messages
_BROADCAST = "ff:ff:ff:ff:ff:ff"
_FIRST_CLIENT_PORT = 1024
_ECHO_REQUEST = 8

_ETHERTYPES = {
    0x86DD: "IPv6", 0x8100: "a VLAN tag", 0x88A8: "a VLAN tag", 0x88CC: "LLDP",
    0x888E: "EAPOL", 0x8863: "PPPoE", 0x8864: "PPPoE", 0x88B5: "an experiment",
    0x88B6: "an experiment", 0x22F0: "AVTP", 0x8035: "RARP", 0x88F7: "PTP", 0x8847: "MPLS",
}  # fmt: skip
_PROTOCOLS = {
    1: "ICMP", 2: "IGMP", 4: "IP in IP", 6: "TCP", 17: "UDP", 33: "DCCP", 41: "IPv6 in IPv4",
    47: "GRE", 50: "ESP", 51: "AH", 58: "ICMPv6", 103: "PIM", 112: "VRRP", 132: "SCTP",
    136: "UDP-Lite", 255: "raw IP",
}  # fmt: skip
_ICMPV6_TYPES = {
    128: "an echo request", 129: "an echo reply", 130: "MLD query", 131: "MLD report",
    132: "MLD done", 133: "router solicitation", 134: "router advertisement",
    135: "neighbour solicitation", 136: "neighbour advertisement", 137: "redirect",
    143: "MLDv2 report",
}  # fmt: skip
_SERVICES = wire_names.LOOKUP_PORTS | {
    67: "DHCP", 69: "TFTP", 123: "NTP", 138: "NetBIOS", 443: "QUIC", 546: "DHCPv6", 547: "DHCPv6",
    1900: "SSDP", 3702: "WS-Discovery", 5350: "NAT-PMP", 5351: "NAT-PMP or PCP",
}  # fmt: skip

# TCP options that a plain client uses, and how long their values are.
_MSS, _SCALE, _SACK_ALLOWED, _SACK, _TIMES = 2, 3, 4, 5, 8
_OPTION_SIZES = {
    _MSS: {2}, _SCALE: {1}, _SACK_ALLOWED: {0}, _SACK: {8, 16, 24, 32}, _TIMES: {8},
}  # fmt: skip
_OPENING_ONLY = {_MSS, _SCALE, _SACK_ALLOWED}
_TELLING_OPTIONS = {19: "MD5 signature", 30: "Multipath TCP", 34: "Fast Open", 254: "experiment"}
_LARGEST_SEGMENT = 1460


@dataclass
class Verdict:
    kind: str = "other"
    reasons: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)


def judge(
    frame: parse.Ethernet,
    packet: parse.Ipv4,
    rules: Rules,
    leases: wire_dhcp.Leases,
    verdict: Verdict,
) -> None:
    if packet.more_fragments or packet.fragment_offset:
        what = _PROTOCOLS.get(packet.protocol, f"IP protocol {packet.protocol}")
        verdict.reasons.append(
            f"a fragment of {what} to {packet.destination} (offset {packet.fragment_offset})"
        )
        return
    verdict.reasons += _judge_header(packet)
    if packet.protocol == parse.TCP:
        verdict.reasons += _judge_source(packet, rules, leases)
        _judge_tcp(packet, rules, verdict)
    elif packet.protocol == parse.UDP:
        _judge_udp(packet, rules, leases, verdict)
    elif packet.protocol == parse.ICMP:
        verdict.reasons += _judge_source(packet, rules, leases)
        _judge_icmp(packet, rules, verdict)
    else:
        what = _PROTOCOLS.get(packet.protocol, f"IP protocol {packet.protocol}")
        verdict.reasons.append(f"{what} to {packet.destination}")
        return
    verdict.reasons += _judge_next_hop(frame, packet, rules)


def _judge_header(packet: parse.Ipv4) -> Iterator[str]:
    if packet.options:
        yield f"IP options {packet.options.hex()}"
    if packet.lifetime != _LIFETIME:
        yield f"a lifetime (TTL) of {packet.lifetime}"
    if packet.reserved:
        yield "the reserved bit of the IP header"
    if not packet.checksum_good:
        yield "a wrong IP header checksum"


def _judge_source(packet: parse.Ipv4, rules: Rules, leases: wire_dhcp.Leases) -> Iterator[str]:
    if packet.source not in leases.given & rules.leases:
        yield f"from {packet.source}, which is no lease of this card"


def _judge_next_hop(frame: parse.Ethernet, packet: parse.Ipv4, rules: Rules) -> Iterator[str]:
    destination = packet.destination
    if destination == "255.255.255.255":
        expected = {_BROADCAST}
    elif rules.in_lan(destination):
        expected = {rules.neighbours.get(destination, "")}
    else:
        expected = {rules.neighbours[gateway] for gateway in rules.gateways}
    if frame.destination not in expected:
        yield f"a packet for {destination} sent to {frame.destination}"


def _judge_tcp(packet: parse.Ipv4, rules: Rules, verdict: Verdict) -> None:
    verdict.kind = "tcp"
    segment = parse.tcp(packet.payload)
    port = segment.destination_port
    verdict.asked += wire_names.asked(port, segment.payload, stream=True)
    if (packet.destination, port) not in rules.tcp:
        verdict.reasons.append(f"TCP to {packet.destination}:{port}{_service(port)}")
    if parse.transport_checksum(packet):
        verdict.reasons.append("a wrong TCP checksum")
    if packet.service:
        verdict.reasons.append(f"TCP with the class of service 0x{packet.service:02x}")
    verdict.reasons += _judge_segment(segment)
    verdict.reasons += _judge_tcp_options(segment)


def _judge_segment(segment: parse.Tcp) -> Iterator[str]:
    flags = segment.flags
    opens = bool(flags & parse.SYN)
    if segment.source_port < _FIRST_CLIENT_PORT:
        yield f"TCP from the port {segment.source_port} of a server"
    if opens and flags & parse.ACK:
        yield "an accepted TCP connection (SYN and ACK)"
    elif opens and flags != parse.SYN:
        yield f"TCP flags 0x{flags:02x}"
    elif not opens and not flags & (parse.ACK | parse.RST):
        yield f"TCP flags 0x{flags:02x}"
    elif flags & ~(parse.SYN | parse.ACK | parse.FIN | parse.RST | parse.PSH):
        yield f"TCP flags 0x{flags:02x}"
    if segment.reserved or segment.urgent:
        yield "TCP with reserved bits or an urgent pointer"
    if opens and segment.payload:
        yield f"a TCP opening with {len(segment.payload)} bytes of data"


def _judge_tcp_options(segment: parse.Tcp) -> Iterator[str]:
    kinds = [kind for kind, _ in segment.options]
    if len(set(kinds)) != len(kinds):
        yield "a TCP option twice"
    for kind, value in segment.options:
        if kind not in _OPTION_SIZES:
            what = _TELLING_OPTIONS.get(kind, "unknown")
            yield f"TCP option {kind} ({what})"
        elif len(value) not in _OPTION_SIZES[kind]:
            yield f"TCP option {kind} of {len(value)} bytes"
        elif kind in _OPENING_ONLY and not segment.flags & parse.SYN:
            yield f"TCP option {kind} in an open connection"
        elif kind == _MSS and int.from_bytes(value, "big") > _LARGEST_SEGMENT:
            yield f"a TCP segment size of {int.from_bytes(value, 'big')}"


def _judge_udp(
    packet: parse.Ipv4, rules: Rules, leases: wire_dhcp.Leases, verdict: Verdict
) -> None:
    datagram = parse.udp(packet.payload)
    ends = (datagram.source_port, datagram.destination_port)
    if datagram.checksum and parse.transport_checksum(packet):
        verdict.reasons.append("a wrong UDP checksum")
    if ends == (wire_dhcp.CLIENT_PORT, wire_dhcp.SERVER_PORT):
        message = parse.dhcp(datagram.payload)
        verdict.kind = wire_dhcp.kind_of(message) or "dhcp"
        if packet.service not in (0, _NETWORK_CONTROL):
            verdict.reasons.append(f"DHCP with the class of service 0x{packet.service:02x}")
        verdict.reasons += wire_dhcp.judge(message, packet, rules, leases)
        return
    port = datagram.destination_port
    verdict.kind = "udp"
    verdict.asked += wire_names.asked(port, datagram.payload)
    verdict.reasons += _judge_source(packet, rules, leases)
    if packet.service:
        verdict.reasons.append(f"UDP with the class of service 0x{packet.service:02x}")
    if (packet.destination, port) not in rules.udp:
        verdict.reasons.append(f"UDP to {packet.destination}:{port}{_service(port)}")


def _judge_icmp(packet: parse.Ipv4, rules: Rules, verdict: Verdict) -> None:
    verdict.kind = "ping"
    kind = packet.payload[0] if packet.payload else -1
    if kind != _ECHO_REQUEST or packet.destination not in rules.ping:
        verdict.reasons.append(f"ICMP type {kind} to {packet.destination}")
    elif parse.checksum(packet.payload):
        verdict.reasons.append("a wrong ICMP checksum")


def describe(frame: parse.Ethernet, verdict: Verdict) -> None:
    """A frame that is neither ARP nor IPv4: say what it is."""
    if frame.kind < 0x0600:
        verdict.reasons.append(f"an IEEE 802.3 frame to {frame.destination} (LLC)")
        return
    what = _ETHERTYPES.get(frame.kind, "an unknown protocol")
    text = f"{what} (ethertype 0x{frame.kind:04x}) to {frame.destination}"
    if frame.kind == parse.IPV6:
        text = _describe_ipv6(parse.ipv6(frame.payload), verdict)
    verdict.reasons.append(text)


def _describe_ipv6(packet: parse.Ipv6, verdict: Verdict) -> str:
    what = _PROTOCOLS.get(packet.protocol, f"protocol {packet.protocol}")
    if packet.protocol == parse.ICMPV6 and packet.payload:
        kind = packet.payload[0]
        what = f"ICMPv6 {_ICMPV6_TYPES.get(kind, f'type {kind}')}"
    elif packet.protocol in (parse.TCP, parse.UDP) and len(packet.payload) >= 4:
        port = int.from_bytes(packet.payload[2:4], "big")
        what += f" to port {port}{_service(port)}"
        if packet.protocol == parse.UDP:
            verdict.asked += wire_names.asked(port, packet.payload[8:])
    return f"IPv6: {what} from {packet.source} to {packet.destination}"


def _service(port: int) -> str:
    return f" ({_SERVICES[port]})" if port in _SERVICES else ""
