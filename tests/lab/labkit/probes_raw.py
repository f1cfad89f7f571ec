# SPDX-License-Identifier: GPL-3.0-or-later
"""Packets made by hand and sent through the IP stack: raw sockets, of every protocol."""

from __future__ import annotations

import functools
import socket
import struct
from collections.abc import Callable

from . import names, probes_wire as wire
from .probes import FAR_10, SINK_ULA, Context, ProbeClass
from .promise import Traffic

IP_NODEFRAG = 22
WEB, WEB6, ECHO = names.WEB_ADDRESS, names.WEB_ADDRESS6, names.ECHO_ADDRESS
PRINTER, RESOLVER = names.PRINTER_ADDRESS, names.LAN_RESOLVER
HOST, HOST6 = names.HOST_ADDRESS, names.HOST_GLOBAL
FORGED, FORGED_LOOPBACK = "203.0.113.99", "127.0.0.1"

Build = Callable[[Context], bytes]


def send_whole(context: Context, build: Build) -> None:
    """A packet with its IP header; IP_NODEFRAG, so that a filter sees fragments as they are."""
    packet = build(context)
    destination = socket.inet_ntoa(packet[16:20])
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as sock:
        sock.setsockopt(socket.IPPROTO_IP, IP_NODEFRAG, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        sock.sendto(packet, (destination, 0))


def send_body(context: Context, address: str, protocol: int, build: Build) -> None:
    """A body for which the kernel makes the IP header."""
    six = ":" in address
    family = socket.AF_INET6 if six else socket.AF_INET
    with socket.socket(family, socket.SOCK_RAW, protocol) as sock:
        if six:
            sock.sendto(build(context), (address, 0, 0, context.device_index))
        else:
            sock.sendto(build(context), (address, 0))


def _whole(name: str, title: str, claim: str, traffic: Traffic, build: Build) -> ProbeClass:
    return ProbeClass(name, title, claim, traffic, functools.partial(send_whole, build=build))


def _body(name: str, title: str, protocol: tuple[str, int], address: str,
          build: Build) -> ProbeClass:
    layer, claim = ("ipv6", "F8") if ":" in address else ("ipv4", "F8")
    return ProbeClass(name, title, claim,
                      Traffic(layer=layer, protocol=protocol[0], destination=address),
                      functools.partial(send_body, address=address, protocol=protocol[1],
                                        build=build))


# ---- TCP ----------------------------------------------------------------------------------------


def _segment(context: Context, destination: str, port: int, flags: int, *, source: str = HOST,
             source_port: int | None = None, ttl: int = 64) -> bytes:
    """Only a bare SYN must be without data; the others carry the mark."""
    data = context.mark()
    body = wire.tcp(source, destination, context.port if source_port is None else source_port,
                    port, flags, data)
    return wire.ipv4(source, destination, 6, body, ttl=ttl)


def _tcp(name: str, title: str, flags: int, destination: str = WEB, port: int = 80,
         claim: str = "F1", **more: object) -> ProbeClass:
    def build(context: Context) -> bytes:
        return _segment(context, destination, port, flags, **more)  # type: ignore[arg-type]

    source_port = more.get("source_port", 0)
    return _whole(name, title, claim,
                  Traffic(protocol="tcp", destination=destination, port=port,
                          source_port=source_port),  # type: ignore[arg-type]
                  build)


S, A, R, F, P, U = (wire.TCP_SYN, wire.TCP_ACK, wire.TCP_RST, wire.TCP_FIN, wire.TCP_PSH,
                    wire.TCP_URG)

TCP_CLASSES = (
    _tcp("raw-tcp-syn", "raw TCP: SYN", S),
    _tcp("raw-tcp-ack", "raw TCP: ACK", A),
    _tcp("raw-tcp-rst", "raw TCP: RST", R),
    _tcp("raw-tcp-fin", "raw TCP: FIN and ACK", F | A),
    _tcp("raw-tcp-synack", "raw TCP: SYN and ACK", S | A),
    _tcp("raw-tcp-null", "raw TCP: no flag", 0),
    _tcp("raw-tcp-xmas", "raw TCP: FIN, PSH and URG", F | P | U),
    _tcp("raw-tcp-synfin", "raw TCP: SYN and FIN", S | F),
    _tcp("raw-tcp-source-53", "raw TCP: SYN from port 53", S, source_port=53),
    _tcp("raw-tcp-ack-lan", "raw TCP: ACK to the printer", A, PRINTER, 9100, "F5"),
    _tcp("raw-tcp-ack-lan-53", "raw TCP: ACK to the LAN's resolver", A, RESOLVER, 53, "F5"),
    _tcp("raw-tcp-forged", "raw TCP: SYN from a foreign address", S, source=FORGED),
)


# ---- UDP, fragments, forgeries ------------------------------------------------------------------


def _datagram(context: Context, destination: str, port: int, source: str = HOST) -> bytes:
    return wire.udp(source, destination, context.port, port, context.mark())


def _udp(name: str, title: str, destination: str, port: int, *, source: str = HOST,
         ttl: int = 64, options: bytes = b"", final: str = "", claim: str = "F8") -> ProbeClass:
    def build(context: Context) -> bytes:
        return wire.ipv4(source, destination, 17, _datagram(context, destination, port, source),
                         ttl=ttl, options=options)

    return _whole(name, title, claim,
                  Traffic(protocol="udp", destination=destination, port=port, final=final,
                          odd=bool(options)), build)


def _fragment(name: str, title: str, protocol: tuple[str, int], destination: str, port: int,
              build_body: Build, *, later: bool) -> ProbeClass:
    """One fragment without its companions: the first, with the ports, or a later one."""
    field = 100 if later else wire.MORE_FRAGMENTS

    def build(context: Context) -> bytes:
        body = build_body(context)
        body += b"." * (-len(body) % 8)
        return wire.ipv4(HOST, destination, protocol[1], body, fragment=field,
                         identifier=context.number)

    claim = "F5" if destination.startswith("192.168.") else "F8"
    return _whole(name, title, claim,
                  Traffic(protocol=protocol[0], destination=destination, port=port,
                          fragment=later, odd=True), build)


def _marked(context: Context) -> bytes:
    return context.mark() + b"." * 45


def _udp_first(destination: str, port: int) -> Build:
    return lambda context: _datagram(context, destination, port)


def _tcp_first(destination: str, port: int) -> Build:
    return lambda context: wire.tcp(HOST, destination, context.port, port, S, context.mark())


def _echo(context: Context) -> bytes:
    return wire.icmp(8, 0, struct.pack("!HH", context.number, 1), context.mark())


def _tiny(context: Context) -> bytes:
    """The first eight bytes of a SYN: ports, but no flags that a filter could look at."""
    return wire.tcp(HOST, RESOLVER, context.port, 53, S)[:8]


UDP_CLASSES = (
    _udp("raw-udp", "raw UDP to the Internet", ECHO, 31337),
    _udp("raw-udp-dns", "raw UDP to port 53", names.PUBLIC_RESOLVERS[0], 53),
    _udp("raw-udp-dns-lan", "raw UDP to the LAN's resolver", RESOLVER, 53, claim="F5"),
    _udp("raw-udp-forged", "raw UDP from a foreign address", ECHO, 31337, source=FORGED),
    _udp("raw-udp-forged-lo", "raw UDP from 127.0.0.1", ECHO, 31337, source=FORGED_LOOPBACK),
    _udp("raw-udp-ttl-1", "raw UDP that lives for one hop", ECHO, 33434, ttl=1),
    _udp("raw-udp-route", "raw UDP by loose source route, over the LAN", names.ROUTER_ADDRESS,
         31337, options=wire.source_route(WEB), final=WEB),
    _udp("raw-udp-alert", "raw UDP with the router alert option", ECHO, 31337,
         options=b"\x94\x04\0\0"),
    _fragment("frag-udp-first", "UDP: a first fragment alone", ("udp", 17), ECHO, 31337,
              _udp_first(ECHO, 31337), later=False),
    _fragment("frag-udp-later", "UDP: a later fragment alone", ("udp", 17), ECHO, 0,
              _marked, later=True),
    _fragment("frag-tcp-first", "TCP: a first fragment alone", ("tcp", 6), WEB, 80,
              _tcp_first(WEB, 80), later=False),
    _fragment("frag-tcp-later", "TCP: a later fragment alone", ("tcp", 6), WEB, 0,
              _marked, later=True),
    _fragment("frag-tcp-tiny-53", "TCP to the LAN's resolver: eight bytes of it", ("tcp", 6),
              RESOLVER, 53, _tiny, later=False),
    _fragment("frag-icmp-first", "ICMP: a first fragment alone", ("icmp", 1), WEB, 0, _echo,
              later=False),
    _fragment("frag-icmp-later", "ICMP: a later fragment alone", ("icmp", 1), WEB, 0, _marked,
              later=True),
    _fragment("frag-udp-first-53", "DNS to the LAN: a first fragment alone", ("udp", 17), RESOLVER,
              53, _udp_first(RESOLVER, 53), later=False),
)


# ---- ICMP ---------------------------------------------------------------------------------------


def _icmp(kind: int, code: int, rest: bytes = b"\0\0\0\1") -> Build:
    return lambda context: wire.icmp(kind, code, rest, context.mark())


def _icmp_error(context: Context) -> bytes:
    """An ICMP error may quote anything: here, the mark inside a datagram never received."""
    quoted = wire.ipv4(WEB, HOST, 17, wire.udp(WEB, HOST, 53, 40000, context.mark()))
    return wire.icmp(3, 3, b"\0" * 4, quoted)


def _icmp6(kind: int, destination: str, rest: bytes = b"\0\0\0\1") -> Build:
    return lambda context: wire.icmpv6(HOST6, destination, kind, rest, context.mark())


def _ports(context: Context) -> bytes:
    """The start of every transport protocol that has ports."""
    return struct.pack("!HHHH", context.port, 5000, 40, 0) + context.mark() + b"." * 13


def _gre(context: Context) -> bytes:
    inner = wire.ipv4(HOST, WEB, 17, _datagram(context, WEB, 31337))
    return struct.pack("!HH", 0, wire.ETH_P_IP) + inner


def _inner(context: Context) -> bytes:
    return wire.ipv4(HOST, WEB, 17, _datagram(context, WEB, 31337))


def _inner6(context: Context) -> bytes:
    body = wire.udp(HOST6, WEB6, context.port, 31337, context.mark())
    return wire.ipv6(HOST6, WEB6, 17, body)


def _options_then_udp(context: Context) -> bytes:
    """A destination options header in front of UDP: next header, length, six bytes of padding."""
    return bytes([17, 0, 1, 4, 0, 0, 0, 0]) + wire.udp(HOST6, WEB6, context.port, 31337,
                                                       context.mark())


ICMP, ICMP6 = ("icmp", 1), ("icmpv6", 58)

OTHER_CLASSES = (
    _body("icmp-public", "raw ping, Internet", ICMP, WEB, _icmp(8, 0)),
    _body("icmp-lan", "raw ping, printer", ICMP, PRINTER, _icmp(8, 0)),
    _body("icmp-lan-10", "raw ping, 10/8", ICMP, FAR_10, _icmp(8, 0)),
    _body("icmp-reply", "echo reply that nobody asked for", ICMP, WEB, _icmp(0, 0)),
    _body("icmp-redirect", "ICMP redirect", ICMP, WEB, _icmp(5, 1, bytes([192, 168, 1, 66]))),
    _body("icmp-timestamp", "ICMP timestamp request", ICMP, WEB, _icmp(13, 0)),
    _body("icmp-error", "ICMP error, with anything inside", ICMP, WEB, _icmp_error),
    _body("icmp-error-lan", "ICMP error to the printer", ICMP, PRINTER, _icmp_error),
    _body("igmp-raw", "IGMP, made by hand", ("igmp", 2), "224.0.0.22",
          lambda context: b"\x16\0\0\0\xef\1\2\3" + context.mark()),
    _body("sctp-public", "SCTP", ("sctp", 132), WEB, _ports),
    _body("sctp-lan", "SCTP to the printer", ("sctp", 132), PRINTER, _ports),
    _body("dccp-public", "DCCP", ("dccp", 33), WEB, _ports),
    _body("udplite-public", "UDP-Lite", ("udp-lite", 136), WEB, _ports),
    _body("gre-public", "GRE", ("gre", 47), WEB, _gre),
    _body("gre-lan", "GRE to the LAN", ("gre", 47), PRINTER, _gre),
    _body("esp-public", "ESP", ("esp", 50), WEB, _marked),
    _body("ah-public", "AH", ("ah", 51), WEB, _marked),
    _body("ipip-public", "IPv4 in IPv4", ("ipip", 4), WEB, _inner),
    _body("sit-public", "IPv6 in IPv4", ("sit", 41), WEB, _inner6),
    _body("experiment-public", "protocol 253", ("253", 253), WEB, _marked),
    _body("experiment-lan", "protocol 253 to the LAN", ("253", 253), PRINTER, _marked),
    _body("icmp6-public", "raw ping, IPv6 Internet", ICMP6, WEB6, _icmp6(128, WEB6)),
    _body("icmp6-ula", "raw ping, IPv6 LAN", ICMP6, SINK_ULA, _icmp6(128, SINK_ULA)),
    _body("icmp6-all-nodes", "raw ping, all IPv6 nodes", ICMP6, "ff02::1", _icmp6(128, "ff02::1")),
    _body("icmp6-solicit", "router solicitation", ICMP6, "ff02::2", _icmp6(133, "ff02::2")),
    _body("icmp6-advertise", "router advertisement", ICMP6, "ff02::1", _icmp6(134, "ff02::1")),
    _body("icmp6-neighbour", "neighbour solicitation", ICMP6, "ff02::1", _icmp6(135, "ff02::1")),
    _body("icmp6-mld", "MLD report, made by hand", ICMP6, "ff02::16", _icmp6(143, "ff02::16")),
    _body("sctp6-public", "SCTP over IPv6", ("sctp", 132), WEB6, _ports),
    _body("experiment6-public", "protocol 253 over IPv6", ("253", 253), WEB6, _marked),
    _body("options6-public", "IPv6 UDP behind a header of options", ("options", 60), WEB6,
          _options_then_udp),
)

CLASSES = TCP_CLASSES + UDP_CLASSES + OTHER_CLASSES
