# SPDX-License-Identifier: GPL-3.0-or-later
"""Roundabout ways to the wire, for root: devices made for it, other namespaces, tunnels, routing.

Each takes down what it put up. They run after all other probes, because the link is changed under
them.
"""

from __future__ import annotations

import errno
import fcntl
import os
import select
import socket
import struct
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from . import kernel, names, probes_packet as packet, probes_wire as wire
from .probes import ROOT_ONLY, SINK_MAC, Context, ProbeClass, Unsupported
from .promise import NOBODYS, Traffic

NEW, PEER, BRIDGE = "probe0", "probe1", "probe2"
ETH_P_ALL = 3
TUNSETIFF = 0x400454CA
IFF_TUN, IFF_NO_PI = 0x0001, 0x1000
TUNNEL_SOURCE = "10.99.0.2"
OTHER_ADDRESS = "192.168.1.77"
ARRIVAL_SECONDS = 2.0


def ip(*words: str) -> None:
    result = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
    if result.returncode != 0:
        message = result.stderr.strip()
        if "Unknown device type" in message or "not supported" in message:
            raise Unsupported(f"ip {' '.join(words)}: {message}")
        raise OSError(errno.EIO, f"ip {' '.join(words)}: {message}")


def quiet(device: str) -> None:
    """Up, without the packets that IPv6 sends when a device comes up."""
    Path(f"/proc/sys/net/ipv6/conf/{device}/disable_ipv6").write_text("1", encoding="ascii")
    ip("link", "set", device, "up")


@contextmanager
def link(*words: str) -> Iterator[None]:
    ip("link", "add", *words)
    try:
        yield
    finally:
        subprocess.run(["ip", "link", "del", NEW], capture_output=True, check=False)


class Namespace:
    """A new network namespace that lives as long as this object is open."""

    def __init__(self) -> None:
        self._back = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        kernel.unshare(kernel.CLONE_NEWNET)
        self._inside = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        kernel.setns(self._back, kernel.CLONE_NEWNET)

    @property
    def path(self) -> str:
        return f"/proc/{os.getpid()}/fd/{self._inside}"

    @contextmanager
    def entered(self) -> Iterator[None]:
        kernel.setns(self._inside, kernel.CLONE_NEWNET)
        try:
            yield
        finally:
            kernel.setns(self._back, kernel.CLONE_NEWNET)

    def close(self) -> None:
        os.close(self._inside)
        os.close(self._back)


@contextmanager
def new_namespace() -> Iterator[Namespace]:
    space = Namespace()
    try:
        yield space
    finally:
        space.close()


@contextmanager
def forwarding() -> Iterator[None]:
    """Root turns routing on, as container programs do."""
    setting = Path("/proc/sys/net/ipv4/ip_forward")
    before = setting.read_text(encoding="ascii")
    setting.write_text("1", encoding="ascii")
    try:
        yield
    finally:
        setting.write_text(before, encoding="ascii")


def frame_to(context: Context, device: str, build: packet.Build, mac: bytes = b"") -> None:
    payload, ethertype, destination = build(context)
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as sock:
        sock.bind((device, 0))
        sock.send(wire.ethernet(mac or destination, context.mac, ethertype, payload))


UDP = packet.ipv4_udp(names.ECHO_ADDRESS, 31337)
SYN = packet.ipv4_tcp(names.WEB_ADDRESS, 80, wire.TCP_SYN)
ACK = packet.ipv4_tcp(names.WEB_ADDRESS, 80, wire.TCP_ACK)


def macvlan(build: packet.Build) -> Callable[[Context], None]:
    def send(context: Context) -> None:
        with link(NEW, "link", context.device, "type", "macvlan", "mode", "bridge"):
            quiet(NEW)
            frame_to(context, NEW, build)

    return send


def macvlan_elsewhere(build: packet.Build) -> Callable[[Context], None]:
    """From another namespace: the filter's owner match sees no owner."""
    def send(context: Context) -> None:
        with new_namespace() as space:
            with link(NEW, "link", context.device, "type", "macvlan", "mode", "bridge"):
                ip("link", "set", NEW, "netns", space.path)
                with space.entered():
                    quiet(NEW)
                    frame_to(context, NEW, build)
                    ip("link", "del", NEW)

    return send


def macvlan_stack(context: Context) -> None:
    """The same, through that namespace's own IP stack, so that the packet has a route."""
    with new_namespace() as space:
        with link(NEW, "link", context.device, "type", "macvlan", "mode", "bridge"):
            ip("link", "set", NEW, "netns", space.path)
            with space.entered():
                quiet(NEW)
                ip("addr", "add", f"{OTHER_ADDRESS}/24", "dev", NEW)
                mac = ":".join(f"{byte:02x}" for byte in SINK_MAC)
                ip("neigh", "add", names.ROUTER_ADDRESS, "lladdr", mac, "dev", NEW)
                ip("route", "add", "default", "via", names.ROUTER_ADDRESS)
                body = wire.tcp(OTHER_ADDRESS, names.WEB_ADDRESS, context.port, 80, wire.TCP_ACK,
                                context.mark())
                with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP) as sock:
                    sock.sendto(body, (names.WEB_ADDRESS, 0))
                ip("link", "del", NEW)


def bridged(build: packet.Build) -> Callable[[Context], None]:
    return lambda context: _bridged(context, build)


def _bridged(context: Context, build: packet.Build) -> None:
    """The device becomes a port of a bridge, and the frame comes in by another port."""
    ip("link", "add", BRIDGE, "type", "bridge")
    try:
        with link(NEW, "type", "veth", "peer", "name", PEER):
            for device in (BRIDGE, NEW, PEER):
                quiet(device)
            ip("link", "set", NEW, "master", BRIDGE)
            ip("link", "set", context.device, "master", BRIDGE)
            try:
                frame_to(context, PEER, build)
            finally:
                ip("link", "set", context.device, "nomaster")
    finally:
        ip("link", "del", BRIDGE)


def routed(context: Context) -> None:
    """From a veth pair, through the IP stack's forwarding."""
    with forwarding(), link(NEW, "type", "veth", "peer", "name", PEER):
        for device in (NEW, PEER):
            quiet(device)
        ip("addr", "add", "10.99.0.1/30", "dev", NEW)
        mac = Path(f"/sys/class/net/{NEW}/address").read_text(encoding="ascii").strip()
        build = packet.ipv4_udp(names.ECHO_ADDRESS, 31337, source=TUNNEL_SOURCE)
        frame_to(context, PEER, build, bytes.fromhex(mac.replace(":", "")))


def tunnel(context: Context) -> None:
    """A packet written to a TUN device comes in there, and is forwarded."""
    descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.ioctl(descriptor, TUNSETIFF,
                    struct.pack("16sH22x", NEW.encode(), IFF_TUN | IFF_NO_PI))
        with forwarding():
            quiet(NEW)
            ip("addr", "add", "10.99.0.1/30", "dev", NEW)
            body = wire.udp(TUNNEL_SOURCE, names.ECHO_ADDRESS, context.port, 31337, context.mark())
            os.write(descriptor, wire.ipv4(TUNNEL_SOURCE, names.ECHO_ADDRESS, 17, body))
    finally:
        os.close(descriptor)


def vxlan(context: Context) -> None:
    with link(NEW, "type", "vxlan", "id", "7", "remote", names.ECHO_ADDRESS, "dstport", "4789",
              "dev", context.device):
        quiet(NEW)
        frame_to(context, NEW, UDP)


def plugged(build: packet.Build) -> Callable[[Context], None]:
    """A device that was not there when the rules were loaded. Its other end is watched here."""
    def send(context: Context) -> None:
        with new_namespace() as space, link(NEW, "type", "veth", "peer", "name", PEER):
            ip("link", "set", PEER, "netns", space.path)
            with space.entered():
                quiet(PEER)
                tap = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
            with tap:
                quiet(NEW)
                _send_and_collect(context, build, tap)

    return send


def _send_and_collect(context: Context, build: packet.Build, tap: socket.socket) -> None:
    """What the other end got: a link of this computer hands a frame over before send() returns,
    or soon after; a frame that the filter stopped is an error of send() itself."""
    frame_to(context, NEW, build)
    if select.select([tap], [], [], ARRIVAL_SECONDS)[0]:
        context.elsewhere.append(tap.recv(2048))


def _class(name: str, title: str, send: Callable[[Context], None], *, protocol: str = "udp",
           port: int = 31337, owner: str = NOBODYS, beyond: str = "") -> ProbeClass:
    address = names.WEB_ADDRESS if protocol == "tcp" else names.ECHO_ADDRESS
    return ProbeClass(name, title, "F1",
                      Traffic(protocol=protocol, destination=address, port=port, owner=owner),
                      send, users=ROOT_ONLY, late=True, beyond=beyond)


_STACKED_BEYOND = ("a device stacked on ours from another namespace carries that namespace's own "
                   "segments, and only those that open nothing look like the rest of a connection "
                   "of this host; what keeps it shut is that stacking it needs CAP_NET_ADMIN here")


CLASSES = (
    _class("device-macvlan", "a macvlan on the device", macvlan(UDP), owner=names.ROOT),
    _class("device-macvlan-ns", "a macvlan in another namespace: UDP", macvlan_elsewhere(UDP)),
    _class("device-macvlan-ns-syn", "a macvlan in another namespace: TCP SYN",
           macvlan_elsewhere(SYN), protocol="tcp", port=80),
    _class("device-macvlan-ns-ack", "a macvlan in another namespace: TCP ACK",
           macvlan_elsewhere(ACK), protocol="tcp", port=80),
    _class("device-macvlan-ns-stack", "a macvlan in another namespace: its IP stack's ACK",
           macvlan_stack, protocol="tcp", port=80, beyond=_STACKED_BEYOND),
    _class("device-bridge", "a bridge over the device: UDP", bridged(UDP)),
    _class("device-bridge-ack", "a bridge over the device: TCP ACK", bridged(ACK), protocol="tcp",
           port=80),
    _class("device-routed", "a veth pair, forwarded", routed),
    _class("device-tun", "a TUN device, forwarded", tunnel),
    _class("device-vxlan", "a VXLAN tunnel to the Internet", vxlan, port=4789, owner=names.ROOT),
    _class("device-plugged", "a device plugged later: UDP", plugged(UDP), owner=names.ROOT),
    _class("device-plugged-syn", "a device plugged later: TCP SYN", plugged(SYN), protocol="tcp",
           port=80, owner=names.ROOT),
)
