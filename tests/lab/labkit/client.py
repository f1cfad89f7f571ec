# SPDX-License-Identifier: GPL-3.0-or-later
"""What a program on the host under test does with the network: for Host.call().

Each function raises OSError when the network refuses, and TimeoutError when nobody answers.
"""

from __future__ import annotations

import encodings.idna  # noqa: F401  (see Host.call: nothing is imported later)
import ipaddress
import socket
import struct

from . import dns, names
from .frames import checksum

SECONDS = 20.0
# Tor itself gives a request up after two minutes and says why (SocksTimeout).
THROUGH_TOR_SECONDS = 150.0
_SOCKS_ERRORS = {
    1: "general failure", 2: "not allowed", 3: "network unreachable", 4: "host unreachable",
    5: "connection refused", 6: "TTL expired", 7: "command not supported",
    8: "address type not supported", 0xF0: "onion descriptor not found",
    0xF1: "onion descriptor invalid", 0xF2: "onion introduction failed",
    0xF3: "onion rendezvous failed", 0xF6: "onion address invalid",
    0xF7: "onion introduction timed out",
}  # fmt: skip


def http_get(address: str, port: int = 80, path: str = "/", timeout: float = SECONDS) -> str:
    """The body, by a direct connection to an address."""
    with socket.create_connection((address, port), timeout=timeout) as connection:
        return _http(connection, address, path)


def socks_get(
    name: str,
    port: int = 80,
    path: str = "/",
    socks_port: int = names.TOR_SOCKS_PORT,
    credentials: tuple[str, str] | None = None,
    timeout: float = THROUGH_TOR_SECONDS,
) -> str:
    """The body, through Tor; the name is resolved there."""
    with socket.create_connection(("127.0.0.1", socks_port), timeout=timeout) as connection:
        socks_connect(connection, name, port, credentials)
        return _http(connection, name, path)


def socks_connect(
    connection: socket.socket, name: str, port: int, credentials: tuple[str, str] | None = None
) -> None:
    """RFC 1928 and 1929."""
    connection.sendall(b"\x05\x01" + (b"\x02" if credentials else b"\x00"))
    if _exactly(connection, 2)[1] == 2 and credentials:
        user, password = (part.encode() for part in credentials)
        connection.sendall(b"\x01" + bytes([len(user)]) + user + bytes([len(password)]) + password)
        if _exactly(connection, 2)[1] != 0:
            raise ConnectionError("SOCKS: the credentials were refused")
    host = name.encode("ascii")
    connection.sendall(b"\x05\x01\x00\x03" + bytes([len(host)]) + host + struct.pack("!H", port))
    code = _exactly(connection, 10)[1]
    if code != 0:
        raise ConnectionError(f"SOCKS: {name}:{port}: {_SOCKS_ERRORS.get(code, code)}")


def tcp_exchange(address: str, port: int, data: bytes, timeout: float = SECONDS) -> bytes:
    """Send and return as many bytes of answer, as an echo server gives them."""
    with socket.create_connection((address, port), timeout=timeout) as connection:
        connection.sendall(data)
        return _exactly(connection, len(data))


def udp_exchange(address: str, port: int, data: bytes, timeout: float = SECONDS) -> bytes:
    """One datagram there and one back."""
    with socket.socket(_family(address), socket.SOCK_DGRAM) as endpoint:
        endpoint.settimeout(timeout)
        endpoint.connect((address, port))
        endpoint.send(data)
        return endpoint.recv(65536)


def resolve(
    name: str,
    server: str = "127.0.0.1",
    kind: int = dns.TYPE_A,
    tcp: bool = False,
    timeout: float = SECONDS,
) -> list[str]:
    """The addresses of a name, asked at one server."""
    question = dns.query(name, kind)
    if not tcp:
        return dns.addresses(udp_exchange(server, names.DNS_PORT, question, timeout))
    with socket.create_connection((server, names.DNS_PORT), timeout=timeout) as connection:
        connection.sendall(struct.pack("!H", len(question)) + question)
        size = struct.unpack("!H", _exactly(connection, 2))[0]
        return dns.addresses(_exactly(connection, size))


def ping(address: str, timeout: float = SECONDS) -> None:
    """One echo request, from a ping socket if the user may have one, else from a raw one."""
    family = _family(address)
    protocol, kind = {
        socket.AF_INET: (socket.IPPROTO_ICMP, 8),
        socket.AF_INET6: (socket.IPPROTO_ICMPV6, 128),
    }[family]
    try:
        endpoint = socket.socket(family, socket.SOCK_DGRAM, protocol)
    except PermissionError:
        endpoint = socket.socket(family, socket.SOCK_RAW, protocol)
    with endpoint:
        endpoint.settimeout(timeout)
        endpoint.connect((address, 0))
        message = struct.pack("!BBHHH", kind, 0, 0, 1, 1)
        endpoint.send(message if family == socket.AF_INET6 else _with_checksum(message))
        endpoint.recv(2048)


def _with_checksum(message: bytes) -> bytes:
    return message[:2] + struct.pack("!H", checksum(message)) + message[4:]


def _http(connection: socket.socket, name: str, path: str) -> str:
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: {name}\r\n\r\n".encode("ascii"))
    data = bytearray()
    while piece := connection.recv(65536):
        data += piece
    head, separator, body = data.partition(b"\r\n\r\n")
    if not separator or not head.startswith(b"HTTP/1.1 200 "):
        raise ConnectionError(f"{name}: not a good HTTP answer: {bytes(head[:80])!r}")
    return body.decode("utf-8", errors="replace")


def _exactly(connection: socket.socket, count: int) -> bytes:
    data = bytearray()
    while len(data) < count:
        piece = connection.recv(count - len(data))
        if not piece:
            raise ConnectionError(f"the connection ended after {len(data)} of {count} bytes")
        data += piece
    return bytes(data)


def _family(address: str) -> socket.AddressFamily:
    version = ipaddress.ip_address(address).version
    return socket.AF_INET6 if version == 6 else socket.AF_INET
