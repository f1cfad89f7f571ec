# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTPS servers that tell the time, right or wrong, on nodes of the fake Internet; a page that is
always the same, by HTTP; and a name server that knows them. The machine's clock is never changed:
a clock that is wrong by a year is a world that is right by a year."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from email.utils import formatdate
from pathlib import Path
from typing import TYPE_CHECKING

from . import dns, names, netns
from .certificates import Authority

if TYPE_CHECKING:
    from .lab import Lab

# A pool's hosts, by the node that each is on.
POOLS = {"one": ("da1", "da2", "da3"), "two": ("r1", "r2", "r3"), "three": ("r4", "bridge", "onion")}
HOSTS = {f"{node}.{pool}.example": node for pool, nodes in POOLS.items() for node in nodes}
POOL_OF = {name: name.split(".")[1] for name in HOSTS}
PORTAL, PORTAL_NODE = "portal.example", "da1"
PORTAL_PATH, PORTAL_TEXT = "/check", "All is well"
RESOLVER = names.GUEST_ADDRESS
DAY = 86400

# What a server does with a connection on which a whole request has come.
Answer = Callable[[socket.socket, "TimeServers", str], None]


def pools_text() -> str:
    lines = []
    for pool, nodes in POOLS.items():
        lines += [f"pool {pool}", *(f"host {node}.{pool}.example" for node in nodes)]
    return "\n".join([*lines, f"portal {PORTAL} {PORTAL_PATH} {PORTAL_TEXT}", ""])


def date(seconds: float) -> bytes:
    return formatdate(seconds, usegmt=True).encode("ascii")


def says(offset: float = 0, status: str = "200 OK", more: bytes = b"", body: bytes = b"") -> Answer:
    """The time of the servers' world, and @offset seconds."""

    def answer(connection: socket.socket, servers: TimeServers, _: str) -> None:
        connection.sendall(b"HTTP/1.1 %s\r\nDate: %s\r\n%s\r\n%s" % (
            status.encode(), date(time.time() + servers.shift + offset), more, body))

    return answer


def sends(data: bytes) -> Answer:
    return lambda connection, servers, host: connection.sendall(data)


def is_silent(connection: socket.socket, servers: TimeServers, host: str) -> None:
    connection.recv(1)  # until the other gives up


def drips(connection: socket.socket, servers: TimeServers, host: str) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    while not servers.ended.wait(0.05):
        connection.sendall(b"a")


def is_endless(line: bytes, begin: bytes = b"HTTP/1.1 200 OK\r\n") -> Answer:
    def answer(connection: socket.socket, servers: TimeServers, host: str) -> None:
        connection.sendall(begin)
        while not servers.ended.is_set():
            connection.sendall(line)

    return answer


def portal_page(status: str = "200 OK", text: str = PORTAL_TEXT, more: str = "") -> Answer:
    body = text + "\n"
    return sends(f"HTTP/1.1 {status}\r\n{more}Content-Length: {len(body)}\r\n\r\n{body}".encode())


@dataclass
class Seen:
    """What came to the servers."""

    names: list[tuple[str, int]] = field(default_factory=list)  # looked up: name, kind
    requests: list[tuple[str, bytes]] = field(default_factory=list)  # by host, in the clear


class TimeServers:
    def __init__(self, lab: Lab, folder: Path) -> None:
        self.shift = 0.0  # of this world's time from the machine's, in seconds
        self.seen = Seen()
        self.ended = threading.Event()
        self.authority = Authority(folder / "authority")
        self._stranger = Authority(folder / "stranger")
        self._listeners: list[socket.socket] = []
        self._live: set[socket.socket] = set()  # what talks with a client
        self._threads: list[threading.Thread] = []
        self._certificates = 0
        self.reset()
        for host, node in HOSTS.items():
            self._listen(lab, node, names.HTTPS_PORT, host, self._serve_tls)
        self._listen(lab, PORTAL_NODE, names.HTTP_PORT, PORTAL, self._serve_plain)
        resolver = netns.run_in(lab.ns(names.GUEST), _datagrams, RESOLVER, names.DNS_PORT)
        self._listeners.append(resolver)
        self._start(lambda: self._resolve(resolver))

    def reset(self, shift: float = 0) -> None:
        """All are honest, in a world that is @shift seconds from the machine's."""
        self.shift = shift
        self.seen = Seen()
        self.answers: dict[str, Answer] = dict.fromkeys(HOSTS, says()) | {PORTAL: portal_page()}
        self.dead: set[str] = set()  # connections to these are reset
        self.unknown: set[str] = set()  # names that are not there
        self.certify()

    def certify(self, start: float = -30 * DAY, end: float = 30 * DAY, stranger: bool = False,
                hosts: list[str] | None = None) -> None:  # fmt: skip
        """New certificates for all hosts: valid from @start to @end around this world's time, of an
        authority that the host under test trusts or not, for them or for @hosts."""
        now = datetime.now(timezone.utc) + timedelta(seconds=self.shift)
        self._certificates += 1
        pair = (self._stranger if stranger else self.authority).dated(
            f"server{self._certificates}", hosts or list(HOSTS), now + timedelta(seconds=start),
            now + timedelta(seconds=end))
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(*pair)

    def pool(self, name: str, answer: Answer) -> None:
        for host in HOSTS:
            if POOL_OF[host] == name:
                self.answers[host] = answer

    def all(self, answer: Answer) -> None:
        for host in HOSTS:
            self.answers[host] = answer

    def close(self) -> None:
        self.ended.set()
        # Connections, too: the host's filter lets no reset out, so that a server does not hear of a
        # client that has gone.
        for endpoint in [*self._listeners, *tuple(self._live)]:
            try:
                endpoint.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # a datagram socket that is not connected wakes all the same
        for listener in self._listeners:
            listener.close()
        for thread in self._threads:
            thread.join(30)
            assert not thread.is_alive(), "a time server does not end"

    def _listen(self, lab: Lab, node: str, port: int, host: str,
                serve: Callable[[socket.socket, str], None]) -> None:  # fmt: skip
        address = names.PUBLIC_NODES[node]
        listener = netns.run_in(lab.ns(node), socket.create_server, (address, port))
        self._listeners.append(listener)
        self._start(lambda: self._accept(listener, host, serve))

    def _start(self, body: Callable[[], None]) -> None:
        thread = threading.Thread(target=body, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self, listener: socket.socket, host: str,
                serve: Callable[[socket.socket, str], None]) -> None:  # fmt: skip
        while not self.ended.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            self._start(lambda connection=connection: self._attend(connection, host, serve))

    def _attend(self, connection: socket.socket, host: str,
                serve: Callable[[socket.socket, str], None]) -> None:  # fmt: skip
        with connection:
            connection.settimeout(30)
            if host in self.dead:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                return
            self._live.add(connection)
            try:
                serve(connection, host)
            except OSError:
                pass  # the other has given up, or does not trust this one
            finally:
                self._live.discard(connection)

    def _serve_tls(self, connection: socket.socket, host: str) -> None:
        with self._context.wrap_socket(connection, server_side=True) as tls:
            self._live.add(tls)  # which has taken the connection's place
            try:
                self._serve_plain(tls, host)
            finally:
                self._live.discard(tls)

    def _serve_plain(self, connection: socket.socket, host: str) -> None:
        request = b""
        while not request.endswith(b"\r\n\r\n") and len(request) < 65536:
            piece = connection.recv(4096)
            if not piece:
                return
            request += piece
        self.seen.requests.append((host, request))
        self.answers[host](connection, self, host)

    def _resolve(self, resolver: socket.socket) -> None:
        while not self.ended.is_set():
            try:
                question, asker = resolver.recvfrom(4096)
            except TimeoutError:
                continue
            except OSError:
                return
            name, kind = question_of(question)
            self.seen.names.append((name, kind))
            node = PORTAL_NODE if name == PORTAL else HOSTS.get(name)
            answer = dns.answer(question, names.PUBLIC_NODES[node] if node else "0.0.0.0", "::")
            if answer and (node is None or name in self.unknown):
                answer = question[:2] + struct.pack("!5H", 0x8403, 1, 0, 0, 0) + question[12:]
            if answer:
                resolver.sendto(answer, asker)


def _datagrams(address: str, port: int) -> socket.socket:
    result = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    result.bind((address, port))
    result.settimeout(0.2)
    return result


def question_of(message: bytes) -> tuple[str, int]:
    """The name that is looked up, and the kind of record."""
    labels, at = [], 12
    while message[at]:
        labels.append(message[at + 1 : at + 1 + message[at]].decode("ascii"))
        at += 1 + message[at]
    return ".".join(labels), struct.unpack_from("!H", message, at + 1)[0]
