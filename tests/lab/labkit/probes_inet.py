# SPDX-License-Identifier: GPL-3.0-or-later
"""Probes that any program can send: ordinary sockets of the IP stack."""

from __future__ import annotations

import errno
import functools
import socket
import struct
from collections.abc import Callable

from . import names, probes_wire as wire
from .probes import (FAR_10, FAR_172, SINK_LINK_LOCAL, SINK_ULA, Context, ProbeClass, open_socket)
from .promise import NOBODYS, Traffic, zone

IPPROTO_MPTCP = 262
IP_TRANSPARENT = 19
IPV6_TRANSPARENT = 75
MSG_FASTOPEN = 0x20000000
FOREIGN_SOURCE = "203.0.113.99"
FRAGMENTED_MARKS = 210  # as many as make a datagram that needs three frames

Setup = Callable[[socket.socket], None]
WEB, ECHO = names.WEB_ADDRESS, names.ECHO_ADDRESS
PRINTER, ROUTER = names.PRINTER_ADDRESS, names.ROUTER_ADDRESS
RESOLVER = names.PUBLIC_RESOLVERS[0]
ALL_HOSTS, MDNS_GROUP, LLMNR_GROUP, OTHER_GROUP = (
    "224.0.0.1", "224.0.0.251", "224.0.0.252", "239.1.2.3")


def family_of(address: str) -> int:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def destination(context: Context, address: str, port: int) -> tuple[object, ...]:
    if ":" not in address:
        return address, port
    scoped = address.startswith(("fe80:", "ff"))
    return address, port, 0, context.device_index if scoped else 0


def bind_port(sock: socket.socket, port: int, address: str = "") -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((address, port))


# ---- TCP ----------------------------------------------------------------------------------------


def tcp_socket(context: Context, family: int, protocol: int = 0) -> socket.socket:
    sock = open_socket(family, socket.SOCK_STREAM, protocol)
    sock.setblocking(False)
    # Closing resets, so that no port stays in TIME_WAIT for the next run.
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    context.keep.append(sock)
    return sock


def start_connecting(context: Context, sock: socket.socket, target: tuple[object, ...]) -> None:
    result = sock.connect_ex(target)
    if result not in (0, errno.EINPROGRESS):
        raise OSError(result, "connect")
    context.watch = sock


def tcp(context: Context, address: str, port: int, *, socket_protocol: int = 0,
        setup: Setup | None = None) -> None:
    sock = tcp_socket(context, family_of(address), socket_protocol)
    bind_port(sock, context.port)
    if setup:
        setup(sock)
    start_connecting(context, sock, destination(context, address, port))


def tcp_mapped(context: Context, address: str, port: int) -> None:
    """IPv4 through an IPv6 socket: filters that look at the socket's family miss it."""
    sock = tcp_socket(context, socket.AF_INET6)
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    bind_port(sock, context.port)
    start_connecting(context, sock, ("::ffff:" + address, port, 0, 0))


def tcp_fast_open(context: Context, address: str, port: int) -> None:
    sock = tcp_socket(context, socket.AF_INET)
    bind_port(sock, context.port)
    try:
        sock.sendto(context.mark(), MSG_FASTOPEN, (address, port))
    except BlockingIOError:
        pass  # in progress
    context.watch = sock


# ---- UDP ----------------------------------------------------------------------------------------


def udp_socket(context: Context, family: int) -> socket.socket:
    sock = open_socket(family, socket.SOCK_DGRAM)
    sock.setblocking(False)
    context.keep.append(sock)
    return sock


def udp(context: Context, address: str, port: int, *, source_port: int | None = None,
        setup: Setup | None = None, connected: bool = False, payload: bytes | None = None) -> None:
    sock = udp_socket(context, family_of(address))
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    if setup:
        setup(sock)
    bind_port(sock, context.port if source_port is None else source_port)
    if ":" in address:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, context.device_index)
    else:
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF,
                        struct.pack("4s4si", b"\0" * 4, b"\0" * 4, context.device_index))
    target = destination(context, address, port)
    data = context.mark() if payload is None else payload
    if connected:
        sock.connect(target)
        sock.send(data)
    else:
        sock.sendto(data, target)


def dns(context: Context, address: str) -> None:
    udp(context, address, 53, payload=wire.dns_query(context.mark()))


def udp_mapped(context: Context, address: str, port: int) -> None:
    sock = udp_socket(context, socket.AF_INET6)
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    bind_port(sock, context.port)
    sock.sendto(context.mark(), ("::ffff:" + address, port, 0, 0))


def udp_large(context: Context, address: str, port: int) -> None:
    """One datagram in three frames: the later ones have no ports. Each shows the mark."""
    udp(context, address, port, payload=context.mark() * FRAGMENTED_MARKS + context.mark(1))


def udp_from(context: Context, address: str, port: int, source: str) -> None:
    """From an address that is not this host's."""
    sock = udp_socket(context, family_of(address))
    if ":" in address:
        sock.setsockopt(socket.IPPROTO_IPV6, IPV6_TRANSPARENT, 1)
    else:
        sock.setsockopt(socket.IPPROTO_IP, IP_TRANSPARENT, 1)
    bind_port(sock, context.port, source)
    sock.sendto(context.mark(), destination(context, address, port))


def option(level: int, name: int, value: int | bytes) -> Setup:
    return lambda sock: sock.setsockopt(level, name, value)


def to_device(context: Context, address: str, port: int) -> None:
    udp(context, address, port, setup=option(socket.SOL_SOCKET, socket.SO_BINDTODEVICE,
                                             context.device.encode()))


def tcp_to_device(context: Context, address: str, port: int) -> None:
    tcp(context, address, port, setup=option(socket.SOL_SOCKET, socket.SO_BINDTODEVICE,
                                             context.device.encode()))


def ping_socket(context: Context, address: str) -> None:
    """The echo request that needs no right: a datagram socket of protocol ICMP."""
    six = ":" in address
    sock = open_socket(family_of(address), socket.SOCK_DGRAM,
                       socket.IPPROTO_ICMPV6 if six else socket.IPPROTO_ICMP)
    context.keep.append(sock)
    request = struct.pack("!BBHHH", 128 if six else 8, 0, 0, 0, 1) + context.mark()
    sock.sendto(request, destination(context, address, 0))


# ---- groups: the kernel speaks ------------------------------------------------------------------


def join4(context: Context) -> None:
    from .judge import group4

    sock = udp_socket(context, socket.AF_INET)
    member = struct.pack("4s4si", socket.inet_aton(group4(context.number)), b"\0" * 4,
                         context.device_index)
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, member)


def join6(context: Context) -> None:
    from .judge import group6

    sock = udp_socket(context, socket.AF_INET6)
    member = socket.inet_pton(socket.AF_INET6, group6(context.number)) + struct.pack(
        "@i", context.device_index)
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, member)


# ---- sockets made by one user and used by another -----------------------------------------------


def udp_handed(context: Context, address: str, port: int, maker: str) -> None:
    sock = context.handed[maker + " udp"]
    sock.sendto(context.mark(), (address, port))


def tcp_handed(context: Context, address: str, port: int, maker: str) -> None:
    sock = context.handed[maker + " tcp"]
    sock.setblocking(False)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    bind_port(sock, context.port)
    start_connecting(context, sock, (address, port))


# ---- the table ----------------------------------------------------------------------------------


def _layer(address: str) -> str:
    return "ipv6" if ":" in address else "ipv4"


def _claim(address: str, protocol: str) -> str:
    if ":" in address:
        return "F8"
    if zone(address) == "lan":
        return "F5"
    return "F1" if protocol == "tcp" else "F8"


def _class(name: str, title: str, protocol: str, address: str, port: int,
           send: Callable[..., None], *, parts: int = 1, refused: bool | None = None,
           **traffic: object) -> ProbeClass:
    described = Traffic(**{"layer": _layer(address), "protocol": protocol, "destination": address,
                           "port": port, **traffic})  # type: ignore[arg-type]
    return ProbeClass(name, title, _claim(address, protocol), described, send, parts=parts,
                      refused_at_once=protocol == "tcp" if refused is None else refused)


def _tcp(name: str, title: str, address: str, port: int, **more: object) -> ProbeClass:
    return _class(name, title, "tcp", address, port,
                  functools.partial(tcp, address=address, port=port, **more))


def _udp(name: str, title: str, address: str, port: int, **more: object) -> ProbeClass:
    send = functools.partial(udp, address=address, port=port, **more)
    source = more.get("source_port", 0)
    return _class(name, title, "udp", address, port, send, source_port=source)


def _dns(name: str, title: str, address: str) -> ProbeClass:
    return _class(name, title, "udp", address, 53, functools.partial(dns, address=address))


def _with(name: str, title: str, protocol: str, address: str, port: int,
          send: Callable[..., None], *, parts: int = 1, refused: bool | None = None,
          traffic: dict[str, object] | None = None, **more: object) -> ProbeClass:
    bound = functools.partial(send, address=address, port=port, **more)
    return _class(name, title, protocol, address, port, bound, parts=parts, refused=refused,
                  **(traffic or {}))


def _ping(name: str, title: str, address: str) -> ProbeClass:
    protocol = "icmpv6" if ":" in address else "icmp"
    return _class(name, title, protocol, address, 0,
                  functools.partial(ping_socket, address=address))


def _options(value: bytes) -> Setup:
    return option(socket.IPPROTO_IP, socket.IP_OPTIONS, value)


# The kernel sends to the hop and puts the socket's destination into the option.
_ROUTED_BY_LAN = _options(wire.source_route(ROUTER))
_ROUTED_TRAFFIC = {"destination": ROUTER, "final": WEB, "odd": True}
_RECORD = _options(wire.record_route())

TCP_CLASSES = (
    _tcp("tcp-public-80", "TCP to a web server", WEB, 80),
    _tcp("tcp-public-443", "TCP to a web server, port 443", WEB, 443),
    _tcp("tcp-public-any", "TCP to the Internet, any port", ECHO, 31337),
    _tcp("tcp-public-53", "DNS over TCP to a public resolver", RESOLVER, 53),
    _tcp("tcp-public-853", "DNS over TLS to a public resolver", RESOLVER, 853),
    _tcp("tcp-lan-printer", "TCP to the printer", PRINTER, 9100),
    _tcp("tcp-lan-router", "TCP to the router's web page", ROUTER, 80),
    _tcp("tcp-lan-10", "TCP to 10/8, beyond the router", FAR_10, 8080),
    _tcp("tcp-lan-172", "TCP to 172.16/12, beyond the router", FAR_172, 8080),
    _tcp("tcp-lan-53", "DNS over TCP to the LAN's resolver", names.LAN_RESOLVER, 53),
    _tcp("tcp-lan-853", "DNS over TLS to the LAN's resolver", names.LAN_RESOLVER, 853),
    _tcp("tcp-lan-137", "NetBIOS names over TCP", PRINTER, 137),
    _tcp("tcp-lan-5353", "mDNS over TCP", PRINTER, 5353),
    _tcp("tcp-lan-5355", "LLMNR over TCP", PRINTER, 5355),
    _tcp("tcp-lan-5351", "PCP over TCP", ROUTER, 5351),
    _tcp("tcp-lan-1900", "UPnP over TCP 1900", ROUTER, 1900),
    _tcp("tcp-cgnat-53", "DNS over TCP to the provider's resolver", names.CGNAT_RESOLVER, 53),
    _tcp("tcp-linklocal-53", "DNS over TCP to a link-local resolver",
         names.LINK_LOCAL_RESOLVER, 53),
    _with("tcp-mptcp", "Multipath TCP", "tcp", WEB, 80, tcp, socket_protocol=IPPROTO_MPTCP),
    _with("tcp-mptcp-lan-53", "Multipath TCP to the LAN's resolver", "tcp", names.LAN_RESOLVER, 53,
          tcp, socket_protocol=IPPROTO_MPTCP),
    _with("tcp-mapped", "TCP through an IPv6 socket", "tcp", WEB, 80, tcp_mapped),
    _with("tcp-mapped-lan", "TCP to the LAN through an IPv6 socket", "tcp", PRINTER, 9100,
          tcp_mapped),
    _with("tcp-mapped-lan-53", "DNS to the LAN through an IPv6 socket", "tcp", names.LAN_RESOLVER,
          53, tcp_mapped),
    _with("tcp-fast-open", "TCP fast open, data asked to go at once", "tcp", WEB, 443,
          tcp_fast_open),
    _with("tcp-bindtodevice", "TCP bound to the device", "tcp", WEB, 80, tcp_to_device),
    _tcp("tcp-mark", "TCP with a firewall mark", WEB, 80,
         setup=option(socket.SOL_SOCKET, socket.SO_MARK, 0x1)),
    _with("tcp-options-route", "TCP by loose source route, over the LAN", "tcp", WEB, 80, tcp,
          setup=_ROUTED_BY_LAN, refused=False, traffic=_ROUTED_TRAFFIC),
    _with("tcp-options-record", "TCP with the record route option", "tcp", WEB, 80, tcp,
          setup=_RECORD, refused=False, traffic={"odd": True}),
)

UDP_CLASSES = (
    _udp("udp-public", "UDP to the Internet", ECHO, 31337),
    _udp("udp-public-connected", "UDP to the Internet, connected", ECHO, 31337, connected=True),
    _udp("udp-public-443", "QUIC", WEB, 443),
    _udp("udp-public-123", "network time", names.TIME_ADDRESS, 123),
    _udp("udp-public-source-53", "UDP from port 53", ECHO, 31337, source_port=53),
    _udp("udp-public-source-123", "UDP from port 123", ECHO, 31337, source_port=123),
    _udp("udp-public-source-68", "UDP 68 to 67, to the Internet", ECHO, 67, source_port=68),
    _dns("dns-public", "DNS to a public resolver", RESOLVER),
    _dns("dns-cgnat", "DNS to the provider's resolver", names.CGNAT_RESOLVER),
    _dns("dns-linklocal", "DNS to a link-local resolver", names.LINK_LOCAL_RESOLVER),
    _dns("dns-lan", "DNS to the LAN's resolver", names.LAN_RESOLVER),
    _dns("dns-lan-10", "DNS to a resolver in 10/8", FAR_10),
    _dns("dns-broadcast", "DNS to the subnet's broadcast", "192.168.1.255"),
    _udp("udp-public-853", "DNS over QUIC to a public resolver", RESOLVER, 853),
    _udp("udp-lan-853", "DNS over QUIC to the LAN's resolver", names.LAN_RESOLVER, 853),
    _udp("udp-lan", "UDP to the printer", PRINTER, 7),
    _udp("udp-lan-connected", "UDP to the printer, connected", PRINTER, 7, connected=True),
    _udp("udp-lan-10", "UDP to 10/8, beyond the router", FAR_10, 8080),
    _udp("udp-lan-broadcast", "UDP to the subnet's broadcast", "192.168.1.255", 9999),
    _udp("udp-mdns", "mDNS to its group", MDNS_GROUP, 5353),
    _udp("udp-mdns-lan", "mDNS to one host", PRINTER, 5353),
    _udp("udp-llmnr", "LLMNR to its group", LLMNR_GROUP, 5355),
    _udp("udp-llmnr-lan", "LLMNR to one host", PRINTER, 5355),
    _udp("udp-netbios", "NetBIOS names, subnet broadcast", "192.168.1.255", 137),
    _udp("udp-netbios-lan", "NetBIOS names to one host", PRINTER, 137),
    _udp("udp-natpmp", "NAT-PMP and PCP to the router", ROUTER, 5351),
    _udp("udp-ssdp", "SSDP to its group", names.SSDP_GROUP, 1900),
    _udp("udp-ssdp-lan", "SSDP to the router", ROUTER, 1900),
    _udp("udp-multicast", "UDP to a group", OTHER_GROUP, 5000),
    _udp("udp-all-hosts", "UDP to all hosts of the link", ALL_HOSTS, 5000),
    _udp("udp-broadcast", "UDP to 255.255.255.255", "255.255.255.255", 5000),
    _udp("dhcp-request", "DHCP: 68 to 67, broadcast", "255.255.255.255", 67, source_port=68),
    _udp("dhcp-odd-source", "DHCP's port from another one", "255.255.255.255", 67),
    _udp("dhcp-answer", "DHCP answer: 67 to 68, broadcast", "255.255.255.255", 68, source_port=67),
    _udp("dhcp-other-port", "from DHCP's port to another", "255.255.255.255", 5000, source_port=68),
    _with("udp-mapped", "UDP through an IPv6 socket", "udp", ECHO, 31337, udp_mapped),
    _with("udp-mapped-lan", "UDP to the LAN through an IPv6 socket", "udp", PRINTER, 7, udp_mapped),
    _with("udp-mapped-lan-53", "DNS to the LAN through an IPv6 socket", "udp", names.LAN_RESOLVER,
          53, udp_mapped),
    _with("udp-large", "UDP to the Internet in fragments", "udp", ECHO, 31337, udp_large, parts=2),
    _with("udp-large-lan", "UDP to the printer in fragments", "udp", PRINTER, 7, udp_large,
          parts=2),
    _with("udp-large-lan-53", "DNS to the LAN in fragments", "udp", names.LAN_RESOLVER, 53,
          udp_large, parts=2),
    _udp("udp-ttl-1", "UDP that lives for one hop", ECHO, 33434,
         setup=option(socket.IPPROTO_IP, socket.IP_TTL, 1)),
    _with("udp-bindtodevice", "UDP bound to the device", "udp", ECHO, 31337, to_device),
    _udp("udp-mark", "UDP with a firewall mark", ECHO, 31337,
         setup=option(socket.SOL_SOCKET, socket.SO_MARK, 0x1)),
    _udp("udp-dontroute", "UDP sent without routing", PRINTER, 5353,
         setup=option(socket.SOL_SOCKET, socket.SO_DONTROUTE, 1)),
    _with("udp-transparent", "UDP from a foreign address", "udp", ECHO, 31337, udp_from,
          source=FOREIGN_SOURCE),
    _with("udp-options-route", "UDP by loose source route, over the LAN", "udp", WEB, 31337, udp,
          setup=_ROUTED_BY_LAN, traffic=_ROUTED_TRAFFIC),
    _with("udp-options-record", "UDP with the record route option", "udp", ECHO, 31337, udp,
          setup=_RECORD, traffic={"odd": True}),
    ProbeClass("igmp-join", "joining an IPv4 group", "F8",
               Traffic(protocol="igmp", destination="224.0.0.22", owner=NOBODYS), join4),
)

PING_CLASSES = (
    _ping("ping-public", "ping socket, Internet", WEB),
    _ping("ping-lan", "ping socket, printer", PRINTER),
)

HANDED_CLASSES = (
    _with("handed-root-tcp", "root's TCP socket, used by the user", "tcp", WEB, 80, tcp_handed,
          maker="root", traffic={"owner": names.ROOT}),
    _with("handed-root-udp", "root's UDP socket, used by the user", "udp", ECHO, 31337, udp_handed,
          maker="root", traffic={"owner": names.ROOT}),
    _with("handed-tor-tcp", "debian-tor's TCP socket, used by the user", "tcp", WEB, 80, tcp_handed,
          maker="tor", traffic={"owner": names.DEBIAN_TOR}),
    _with("handed-tor-udp", "debian-tor's UDP socket, used by the user", "udp", ECHO, 31337,
          udp_handed, maker="tor", traffic={"owner": names.DEBIAN_TOR}),
    _with("handed-self-tcp", "a TCP socket that root made as the user (seteuid)", "tcp", WEB, 80,
          tcp_handed, maker="self"),
    _with("handed-self-udp", "a UDP socket that root made as the user (seteuid)", "udp", ECHO,
          31337, udp_handed, maker="self"),
)

IPV6_CLASSES = (
    _tcp("tcp6-public", "IPv6 TCP to the Internet", names.WEB_ADDRESS6, 80),
    _udp("udp6-public", "IPv6 UDP to the Internet", names.ECHO_ADDRESS6, 31337),
    _dns("dns6-public", "DNS over IPv6", names.RESOLVER6),
    _tcp("tcp6-853", "DNS over TLS, IPv6", names.RESOLVER6, 853),
    _ping("ping6-public", "ping socket, IPv6 Internet", names.WEB_ADDRESS6),
    _tcp("tcp6-ula", "IPv6 TCP on the LAN", SINK_ULA, 9100),
    _udp("udp6-ula", "IPv6 UDP on the LAN", SINK_ULA, 7),
    _dns("dns6-ula", "DNS over IPv6 on the LAN", SINK_ULA),
    _tcp("tcp6-linklocal", "IPv6 TCP to a link-local address", SINK_LINK_LOCAL, 9100),
    _udp("udp6-linklocal", "IPv6 UDP to a link-local address", SINK_LINK_LOCAL, 7),
    _udp("udp6-all-nodes", "IPv6 UDP to all nodes", "ff02::1", 5000),
    _udp("udp6-mdns", "mDNS over IPv6", "ff02::fb", 5353),
    _udp("udp6-llmnr", "LLMNR over IPv6", "ff02::1:3", 5355),
    _udp("udp6-dhcp", "DHCPv6 request", "ff02::1:2", 547, source_port=546),
    _with("udp6-large", "IPv6 UDP in fragments", "udp", names.ECHO_ADDRESS6, 31337, udp_large,
          parts=2),
    _with("tcp6-mptcp", "Multipath TCP, IPv6", "tcp", names.WEB_ADDRESS6, 80, tcp,
          socket_protocol=IPPROTO_MPTCP),
    _with("udp6-transparent", "IPv6 UDP from a foreign address", "udp", names.ECHO_ADDRESS6, 31337,
          udp_from, source="2001:db8:99::99"),
    ProbeClass("mld-join", "joining an IPv6 group", "F8",
               Traffic(layer="ipv6", protocol="icmpv6", destination="ff02::16", owner=NOBODYS),
               join6),
)

CLASSES = TCP_CLASSES + UDP_CLASSES + PING_CLASSES + HANDED_CLASSES + IPV6_CLASSES
