# SPDX-License-Identifier: GPL-3.0-or-later
"""Frames that never touch the IP stack: AF_PACKET in its four ways, and AF_XDP."""

from __future__ import annotations

import ctypes
import errno
import functools
import mmap
import os
import socket
import struct
import time
from collections.abc import Callable

from . import judge, names, probes_wire as wire
from .probes import SINK_MAC, Context, ProbeClass, open_socket
from .promise import Traffic

SOL_PACKET = 263
PACKET_TX_RING = 13
PACKET_VERSION = 10
PACKET_QDISC_BYPASS = 20
TPACKET_V2 = 1
TP_STATUS_SEND_REQUEST = 1
TPACKET2_HEADER = 32  # where the frame starts: the aligned header less the link-layer address
RING_BLOCK = 4096

WEB, WEB6, ECHO = names.WEB_ADDRESS, names.WEB_ADDRESS6, names.ECHO_ADDRESS
PRINTER, RESOLVER = names.PRINTER_ADDRESS, names.LAN_RESOLVER
HOST, HOST6 = names.HOST_ADDRESS, names.HOST_GLOBAL

# The payload of the frame, its ethertype and the destination's address.
Frame = tuple[bytes, int, bytes]
Build = Callable[[Context], Frame]


def whole(context: Context, frame: Frame) -> bytes:
    payload, ethertype, destination = frame
    return wire.ethernet(destination, context.mac, ethertype, payload)


def send_raw(context: Context, build: Build, *, bypass: bool = False) -> None:
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as sock:
        if bypass:
            sock.setsockopt(SOL_PACKET, PACKET_QDISC_BYPASS, 1)
        sock.bind((context.device, 0))
        sock.send(whole(context, build(context)))


def send_cooked(context: Context, build: Build) -> None:
    """The kernel makes the Ethernet header."""
    payload, ethertype, destination = build(context)
    with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0) as sock:
        sock.sendto(payload, (context.device, ethertype, 0, 0, destination))


def send_ring(context: Context, build: Build) -> None:
    """Through a ring of memory shared with the kernel: one block, one frame."""
    frame = whole(context, build(context))
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as sock:
        sock.setsockopt(SOL_PACKET, PACKET_VERSION, TPACKET_V2)
        sock.setsockopt(SOL_PACKET, PACKET_TX_RING,
                        struct.pack("IIII", RING_BLOCK, 1, RING_BLOCK, 1))
        sock.bind((context.device, 0))
        with mmap.mmap(sock.fileno(), RING_BLOCK) as ring:
            ring[TPACKET2_HEADER:TPACKET2_HEADER + len(frame)] = frame
            ring[4:8] = struct.pack("I", len(frame))
            ring[0:4] = struct.pack("I", TP_STATUS_SEND_REQUEST)
            sock.send(b"")


# ---- AF_XDP -------------------------------------------------------------------------------------

AF_XDP = 44
SOL_XDP = 283
XDP_MMAP_OFFSETS, XDP_TX_RING, XDP_UMEM_REG = 1, 3, 4
XDP_UMEM_FILL_RING, XDP_UMEM_COMPLETION_RING = 5, 6
XDP_PGOFF_TX_RING = 0x80000000
XDP_COPY = 1 << 1
CHUNK, CHUNKS, ENTRIES, XDP_DESCRIPTOR = 4096, 4, 4, 16
XDP_BUSY_SECONDS = 5.0
_libc = ctypes.CDLL(None, use_errno=True)
_libc.mmap.restype = ctypes.c_void_p
_libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int,
                       ctypes.c_long]


def send_xdp(context: Context, build: Build) -> None:
    """Through AF_XDP in copy mode, which any device supports."""
    frame = whole(context, build(context))
    memory = mmap.mmap(-1, CHUNK * CHUNKS)
    memory[:len(frame)] = frame
    context.keep.append(memory)  # the kernel may still read it
    deadline = time.monotonic() + XDP_BUSY_SECONDS
    while True:
        try:
            _send_umem(context.device_index, memory, len(frame))
            return
        except OSError as error:
            # The queue is given back some time after the socket before was closed.
            if error.errno != errno.EBUSY or time.monotonic() >= deadline:
                raise
            time.sleep(0.01)


def _send_umem(device_index: int, memory: mmap.mmap, size: int) -> None:
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    with open_socket(AF_XDP, socket.SOCK_RAW) as sock:
        sock.setsockopt(SOL_XDP, XDP_UMEM_REG,
                        struct.pack("QQIIII", address, CHUNK * CHUNKS, CHUNK, 0, 0, 0))
        for ring in (XDP_UMEM_FILL_RING, XDP_UMEM_COMPLETION_RING, XDP_TX_RING):
            sock.setsockopt(SOL_XDP, ring, struct.pack("I", ENTRIES))
        # Offsets of the four rings: rx, tx, fill, completion, of four numbers each.
        offsets = struct.unpack("16Q", sock.getsockopt(SOL_XDP, XDP_MMAP_OFFSETS, 128))
        producer, _, descriptors, _ = offsets[4:8]
        _bind_xdp(sock, device_index)
        length = descriptors + XDP_DESCRIPTOR * ENTRIES
        ring_address = _checked(_libc.mmap(None, length, mmap.PROT_READ | mmap.PROT_WRITE,
                                           mmap.MAP_SHARED, sock.fileno(), XDP_PGOFF_TX_RING))
        try:
            ctypes.memmove(ring_address + descriptors, struct.pack("QII", 0, size, 0),
                           XDP_DESCRIPTOR)
            ctypes.memmove(ring_address + producer, struct.pack("I", 1), 4)
            _checked(_libc.sendto(sock.fileno(), None, 0, socket.MSG_DONTWAIT, None, 0))
        finally:
            _libc.munmap(ctypes.c_void_p(ring_address), ctypes.c_size_t(length))


def _checked(result: int) -> int:
    if result in (-1, ctypes.c_void_p(-1).value):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def _bind_xdp(sock: socket.socket, device_index: int) -> None:
    address = struct.pack("HHIII", AF_XDP, XDP_COPY, device_index, 0, 0)
    _checked(_libc.bind(sock.fileno(), address, len(address)))


# ---- what is in the frames ----------------------------------------------------------------------


def ipv4_udp(destination: str, port: int, *, source: str = HOST, source_port: int = 0,
             mac: bytes = SINK_MAC) -> Build:
    def build(context: Context) -> Frame:
        body = wire.udp(source, destination, source_port or context.port, port, context.mark())
        return wire.ipv4(source, destination, 17, body), wire.ETH_P_IP, mac

    return build


def ipv4_tcp(destination: str, port: int, flags: int) -> Build:
    def build(context: Context) -> Frame:
        body = wire.tcp(HOST, destination, context.port, port, flags, context.mark())
        return wire.ipv4(HOST, destination, 6, body), wire.ETH_P_IP, SINK_MAC

    return build


def ipv4_icmp(context: Context) -> Frame:
    body = wire.icmp(8, 0, struct.pack("!HH", context.number, 1), context.mark())
    return wire.ipv4(HOST, WEB, 1, body), wire.ETH_P_IP, SINK_MAC


def ipv4_later_fragment(context: Context) -> Frame:
    body = context.mark() + b"." * 45
    return wire.ipv4(HOST, ECHO, 17, body, fragment=100), wire.ETH_P_IP, SINK_MAC


def dhcp_later_fragment(context: Context) -> Frame:
    """No ports, but at their place in the packet two numbers that look like DHCP's."""
    body = struct.pack("!HHHH", 68, 67, 64, 0) + context.mark() + b"." * 37
    return (wire.ipv4("0.0.0.0", "255.255.255.255", 17, body, fragment=100), wire.ETH_P_IP,
            wire.BROADCAST_MAC)


def ipv6_udp(context: Context) -> Frame:
    body = wire.udp(HOST6, WEB6, context.port, 31337, context.mark())
    return wire.ipv6(HOST6, WEB6, 17, body), wire.ETH_P_IPV6, SINK_MAC


def ipv6_solicit(context: Context) -> Frame:
    body = wire.icmpv6(HOST6, "ff02::2", 133, b"\0" * 4, context.mark())
    return wire.ipv6(HOST6, "ff02::2", 58, body, hops=255), wire.ETH_P_IPV6, b"\x33\x33\0\0\0\2"


def disguised(inner: Build, ethertype: int) -> Build:
    """A payload under an ethertype that is not its own."""
    def build(context: Context) -> Frame:
        payload, _, destination = inner(context)
        return payload, ethertype, destination

    return build


def malformed_ipv4(context: Context) -> Frame:
    """A header that says it is 60 bytes long and is not."""
    return b"\x4f\0\0\x30" + context.mark(), wire.ETH_P_IP, SINK_MAC


def arp_plain(context: Context) -> Frame:
    return (wire.arp(1, context.mac, HOST, judge.arp_target(context.number)), wire.ETH_P_ARP,
            wire.BROADCAST_MAC)


def arp_odd(**change: int) -> Build:
    def build(context: Context) -> Frame:
        operation = change.get("operation", 1)
        rest = {key: value for key, value in change.items() if key != "operation"}
        packet = wire.arp(operation, context.mac, HOST, PRINTER, **rest)
        return packet + context.mark(), wire.ETH_P_ARP, wire.BROADCAST_MAC

    return build


def eapol(context: Context) -> Frame:
    body = context.mark()
    return (struct.pack("!BBH", 2, 0, len(body)) + body, wire.ETH_P_EAPOL,
            bytes.fromhex("0180c2000003"))


def unknown(context: Context) -> Frame:
    return context.mark() + b"." * 30, wire.ETH_P_LOCAL_EXPERIMENT, SINK_MAC


def vlan(inner: Build) -> Build:
    def build(context: Context) -> Frame:
        payload, ethertype, destination = inner(context)
        return wire.vlan(7, ethertype, payload), wire.ETH_P_VLAN, destination

    return build


def length_field(context: Context) -> Frame:
    """IEEE 802.3 with a length where the ethertype would be: spanning tree, LLC."""
    body = b"\x42\x42\x03" + context.mark()
    return body, len(body), bytes.fromhex("0180c2000000")


_XDP_BEYOND = ("AF_XDP hands frames to the device past every hook of nftables and of traffic "
               "control; what keeps it shut is that it needs CAP_NET_RAW")


def _class(name: str, title: str, traffic: Traffic, build: Build,
           send: Callable[..., None] = send_raw, *, beyond: str = "",
           **more: object) -> ProbeClass:
    return ProbeClass(name, title, "F1", traffic, functools.partial(send, build=build, **more),
                      beyond=beyond)


def _ip(protocol: str, destination: str, port: int = 0, **more: object) -> Traffic:
    return Traffic(protocol=protocol, destination=destination, port=port,
                   **more)  # type: ignore[arg-type]


_UDP, _TCP, _LAN = _ip("udp", ECHO, 31337), _ip("tcp", WEB, 80), _ip("udp", PRINTER, 7)
_OTHER, _IPV6, _ARP_ODD = Traffic("other"), Traffic("ipv6"), Traffic("arp", plain=False)
_DHCP = _ip("udp", "255.255.255.255", 67, source_port=68)
_build_udp = ipv4_udp(ECHO, 31337)
_build_dhcp = ipv4_udp("255.255.255.255", 67, source="0.0.0.0", source_port=68,
                       mac=wire.BROADCAST_MAC)

CLASSES = (
    _class("packet-udp", "AF_PACKET: UDP to the Internet", _UDP, _build_udp),
    _class("packet-tcp", "AF_PACKET: TCP SYN to the Internet", _TCP, ipv4_tcp(WEB, 80, 2)),
    _class("packet-tcp-ack", "AF_PACKET: TCP ACK to the Internet", _TCP, ipv4_tcp(WEB, 80, 16)),
    _class("packet-icmp", "AF_PACKET: ping to the Internet", _ip("icmp", WEB), ipv4_icmp),
    _class("packet-fragment", "AF_PACKET: a later fragment", _ip("udp", ECHO, fragment=True,
                                                                odd=True), ipv4_later_fragment),
    _class("packet-lan", "AF_PACKET: UDP to the printer", _LAN, ipv4_udp(PRINTER, 7)),
    _class("packet-dns-lan", "AF_PACKET: DNS to the LAN's resolver", _ip("udp", RESOLVER, 53),
           ipv4_udp(RESOLVER, 53)),
    _class("packet-ipv6", "AF_PACKET: IPv6 UDP", _IPV6, ipv6_udp),
    _class("packet-ipv6-solicit", "AF_PACKET: router solicitation", _IPV6, ipv6_solicit),
    _class("packet-malformed", "AF_PACKET: a broken IPv4 header", _OTHER, malformed_ipv4),
    _class("packet-disguised", "AF_PACKET: IPv4 said to be ARP", _ARP_ODD,
           disguised(_build_udp, wire.ETH_P_ARP)),
    _class("packet-arp", "AF_PACKET: an ARP request", Traffic("arp"), arp_plain),
    _class("packet-arp-rarp", "AF_PACKET: ARP, operation 3", _ARP_ODD, arp_odd(operation=3)),
    _class("packet-arp-lengths", "AF_PACKET: ARP of other lengths", _ARP_ODD,
           arp_odd(hardware_length=8, protocol_length=16)),
    _class("packet-arp-type", "AF_PACKET: ARP for another network", _ARP_ODD,
           arp_odd(hardware=6)),
    _class("packet-eapol", "AF_PACKET: EAPOL", Traffic("eapol"), eapol),
    _class("packet-dhcp", "AF_PACKET: DHCP, 68 to 67, broadcast", _DHCP, _build_dhcp),
    _class("packet-dhcp-fragment", "AF_PACKET: a later fragment that looks like DHCP",
           _ip("udp", "255.255.255.255", 67, source_port=68, fragment=True), dhcp_later_fragment),
    _class("packet-dhcp-odd", "AF_PACKET: 68 to 67, to the Internet",
           _ip("udp", ECHO, 67, source_port=68), ipv4_udp(ECHO, 67, source_port=68)),
    _class("packet-unknown", "AF_PACKET: an unknown ethertype", _OTHER, unknown),
    _class("packet-llc", "AF_PACKET: 802.3 with a length", _OTHER, length_field),
    _class("packet-vlan", "AF_PACKET: UDP behind a VLAN tag", _OTHER, vlan(_build_udp)),
    _class("packet-vlan-arp", "AF_PACKET: ARP behind a VLAN tag", _OTHER, vlan(arp_plain)),
    _class("packet-bypass", "AF_PACKET past the queues: UDP", _UDP, _build_udp, bypass=True),
    _class("packet-bypass-tcp", "AF_PACKET past the queues: TCP SYN", _TCP, ipv4_tcp(WEB, 80, 2),
           bypass=True),
    _class("packet-bypass-ipv6", "AF_PACKET past the queues: IPv6", _IPV6, ipv6_udp, bypass=True),
    _class("packet-bypass-unknown", "AF_PACKET past the queues: unknown ethertype", _OTHER,
           unknown, bypass=True),
    _class("packet-cooked", "AF_PACKET, cooked: UDP", _UDP, _build_udp, send_cooked),
    _class("packet-cooked-ipv6", "AF_PACKET, cooked: IPv6", _IPV6, ipv6_udp, send_cooked),
    _class("packet-ring", "AF_PACKET, ring: UDP", _UDP, _build_udp, send_ring),
    _class("packet-ring-tcp", "AF_PACKET, ring: TCP SYN", _TCP, ipv4_tcp(WEB, 80, 2), send_ring),
    _class("xdp-udp", "AF_XDP: UDP", _UDP, _build_udp, send_xdp, beyond=_XDP_BEYOND),
    _class("xdp-tcp", "AF_XDP: TCP SYN", _TCP, ipv4_tcp(WEB, 80, 2), send_xdp,
           beyond=_XDP_BEYOND),
)
