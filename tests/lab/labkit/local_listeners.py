# SPDX-License-Identifier: GPL-3.0-or-later
"""Listening sockets at every address of the host under test, and what arrived at them."""

from __future__ import annotations

import errno
import os
import select
import socket

from . import names

TCP_PORTS = (names.TOR_SOCKS_PORT, names.TOR_SOCKS_SYSTEM_PORT, names.TOR_SOCKS_DOWNLOAD_PORT,
             names.TOR_TRANS_PORT, *names.TRANSPORT_PORTS, 53, 631, 4101, 17600, 20000)
UDP_PORTS = (53, 5353)
# The first of each family has listeners of its own, the others are the wildcard listener's.
ADDRESSES4 = ("127.0.0.1", names.HOST_ADDRESS, names.HOST_ADDRESS_SECOND, "127.0.0.2")
ADDRESSES6 = ("::1", names.HOST_ULA, names.HOST_GLOBAL)
MAPPED = "::ffff:127.0.0.1"
OWN_LISTENERS = ("127.0.0.1", names.HOST_ADDRESS, "::1")
AUTOMAPPED = (("127.192.5.7", 80), ("127.255.255.254", 443), ("127.200.1.1", 20000))
BAIT_PORT = 20001  # UDP: whatever arrives here should not have
SO_REUSEPORT, IP_TRANSPARENT = 15, 19
ANSWER = b"here"


class Listeners:
    """Listening sockets at every address and port, unless someone listens there already."""

    def __init__(self) -> None:
        self.tcp: list[socket.socket] = []
        self.foreign: set[tuple[str, int]] = set()  # where another server answers
        self.bait = udp_listener("0.0.0.0", BAIT_PORT)
        self.proxy: socket.socket | None = None
        self.dns = [server for address in ADDRESSES4 + ADDRESSES6 for port in UDP_PORTS
                    if (server := self._try_udp(address, port))]
        self._listen_proxy()
        for port in TCP_PORTS:
            self._listen(port)

    def _try_udp(self, address: str, port: int) -> socket.socket | None:
        os.seteuid(names.user(names.DEBIAN_TOR).uid)
        server = socket.socket(family_of(address), socket.SOCK_DGRAM)
        os.seteuid(0)  # to bind a low port; the owner is who called socket()
        try:
            server.bind((address, port))
        except OSError as error:
            server.close()
            if error.errno != errno.EADDRINUSE:
                raise
            self.foreign.add((address, port))
            return None
        return server

    def _listen_proxy(self) -> None:
        """A transparent proxy: it accepts connections to addresses that are not its own."""
        server = _tcp_server(socket.AF_INET)
        server.setsockopt(socket.IPPROTO_IP, IP_TRANSPARENT, 1)
        try:
            server.bind(("127.0.0.1", names.TOR_TRANS_PORT))
            server.listen(64)
        except OSError as error:
            server.close()
            if error.errno != errno.EADDRINUSE:
                raise
            self.foreign.add(("127.0.0.1", names.TOR_TRANS_PORT))
            return
        self.proxy = server

    def _listen(self, port: int) -> None:
        for address in OWN_LISTENERS:
            if port != names.TOR_TRANS_PORT or address != "127.0.0.1":
                self._try(address, port)
        wild = self._try("0.0.0.0", port)
        if not wild:
            for address in set(ADDRESSES4) - set(OWN_LISTENERS):
                self._try(address, port)
        self._try("::", port)

    def _try(self, address: str, port: int) -> bool:
        server = _tcp_server(family_of(address))
        try:
            server.bind((address, port))
            server.listen(64)
        except OSError as error:
            server.close()
            if error.errno != errno.EADDRINUSE:
                raise
            self.foreign.add((address, port))
            return False
        self.tcp.append(server)
        return True

    def accepted(self) -> set[tuple[int, str, int]]:
        """The source port of every connection that came in, and where it thought it went."""
        return {end for server in self.tcp for end in _accept_all(server)}

    def proxied(self) -> set[tuple[int, str, int]]:
        """The same, of the transparent proxy."""
        return _accept_all(self.proxy) if self.proxy else set()

    def close(self) -> None:
        for server in self.tcp + self.dns + [self.bait] + ([self.proxy] if self.proxy else []):
            server.close()


def _accept_all(server: socket.socket) -> set[tuple[int, str, int]]:
    server.setblocking(False)
    found = set()
    while True:
        try:
            connection, peer = server.accept()
        except BlockingIOError:
            return found
        own = connection.getsockname()
        found.add((peer[1], own[0], own[1]))
        connection.close()


def family_of(address: str) -> int:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def _tcp_server(family: int) -> socket.socket:
    server = socket.socket(family, socket.SOCK_STREAM)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.setsockopt(socket.SOL_SOCKET, SO_REUSEPORT, 1)
    if family == socket.AF_INET6:
        server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    return server


def udp_listener(address: str, port: int) -> socket.socket:
    server = socket.socket(family_of(address), socket.SOCK_DGRAM)
    server.bind((address, port))
    server.setblocking(False)
    return server


def answer_udp(servers: list[socket.socket]) -> None:
    """For ever: the process is ended from outside."""
    while True:
        for server in select.select(servers, [], [])[0]:
            _, peer = server.recvfrom(512)
            try:
                server.sendto(ANSWER, peer)
            except OSError:
                pass  # what the ruleset does to answers shows at the client


def drain(server: socket.socket) -> list[str]:
    found = []
    while True:
        try:
            found.append(server.recv(512).decode("ascii", "replace"))
        except BlockingIOError:
            return found
