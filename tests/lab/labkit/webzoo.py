# SPDX-License-Identifier: GPL-3.0-or-later
"""Web servers of the fake Internet that are wrong in ways that a test chooses, one for each name.

All names have the web node's address, so who is meant is told by the name that the client asks for
(SNI, or the Host header):

    with Zoo(lab, folder) as zoo:
        zoo["right.lab.example"] = says_date(0)
        zoo["late.lab.example"] = says_date(-3600)
        zoo["expired.lab.example"] = says_date(0), Validity.EXPIRED
        ...                              # clients trust zoo.authority.root
    zoo.visits                           # who asked for what, when, from where

While it is there it answers ports 80 (HTTP) and 443 (HTTPS) at every public address that the web
node has; names that are not in it get 404, and by HTTPS an end of the connection.
"""

from __future__ import annotations

import email.utils
import gzip
import socket
import ssl
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from . import names, netns
from .certificates import Authority, Validity
from .webserver import Handler, Request, WebServer, answer, context_of

if TYPE_CHECKING:
    from .lab import Lab

HTTP_PORT, HTTPS_PORT = 8080, 8443  # on the web node
TABLE = "zoo"
_RULES = f"""table inet {TABLE}
delete table inet {TABLE}
table inet {TABLE} {{
    chain pre {{
        type nat hook prerouting priority dstnat - 10;
        iifname != "{names.LAN_DEVICE}" return
        tcp dport 80 redirect to :{HTTP_PORT}
        tcp dport 443 redirect to :{HTTPS_PORT}
    }}
}}
"""
BODY = b"lethe lab: zoo\n"
PIECE = bytes(65536)
DRIP_SECONDS = 0.05  # between the bytes of a server that is slow


class Zoo:
    """@folder: for the authority's keys, which are gone with it. Clients must trust the file
    authority.root. Names may be added and changed while it runs."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        self._ns = lab.ns(names.WEB)
        self.authority = Authority(folder)
        self._handlers: dict[str, Handler] = {}
        self._contexts: dict[str, ssl.SSLContext] = {}
        self._servers: list[WebServer] = []
        self.visits: list[Request] = []

    def __setitem__(self, name: str, animal: Handler | tuple[Handler, Validity]) -> None:
        handler, validity = animal if isinstance(animal, tuple) else (animal, Validity.LONG)
        self.show(name, self.authority, validity)
        self._handlers[name] = handler

    def show(self, name: str, authority: Authority, validity: Validity = Validity.LONG,
             certified: str = "") -> None:  # fmt: skip
        """At @name, show a certificate of another authority, or one for another name."""
        certificate, key = authority.certificate(certified or name, validity)
        self._contexts[name] = context_of(str(certificate), str(key))

    def __enter__(self) -> Zoo:
        self._servers = [
            WebServer(self._ns, HTTP_PORT, self._serve).start(),
            WebServer(self._ns, HTTPS_PORT, self._serve, self._contexts.get).start(),
        ]
        netns.nft(self._ns, _RULES)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        netns.nft(self._ns, f"delete table inet {TABLE}\n")
        for server in self._servers:
            server.stop()

    def visits_of(self, name: str) -> list[Request]:
        return [visit for visit in self.visits if visit.name == name]

    def _serve(self, request: Request, flow: socket.socket) -> None:
        self.visits.append(request)
        handler = self._handlers.get(request.name, _unknown)
        handler(request, flow)


def _unknown(_: Request, flow: socket.socket) -> None:
    answer(flow, "404 Not Found", [])


# What can be kept in it -------------------------------------------------------------------------


def date(offset: float, now: Callable[[], float] = time.time) -> str:
    """The time that is @offset seconds from now, as HTTP writes it."""
    return email.utils.formatdate(now() + offset, usegmt=True)


def says_date(offset: float = 0.0) -> Handler:
    """A good answer, whose date is off by so many seconds."""
    return lambda _, flow: answer(flow, "200 OK", [f"Date: {date(offset)}"], BODY)


def says(*headers: str, status: str = "200 OK", body: bytes = BODY) -> Handler:
    """These header lines and no other: no date, garbage for a date, a date twice."""
    return lambda _, flow: answer(flow, status, list(headers), body)


def says_dates(*offsets: float) -> Handler:
    """More than one date."""
    return lambda _, flow: answer(flow, "200 OK", [f"Date: {date(o)}" for o in offsets], BODY)


def sends_raw(data: bytes) -> Handler:
    """Whatever bytes, and then the end."""
    return lambda _, flow: flow.sendall(data)


def redirects_for_ever(offset: float = 0.0) -> Handler:
    """To another page of its own, each time."""

    def handler(request: Request, flow: socket.socket) -> None:
        scheme = "https" if request.secret else "http"
        target = f"{scheme}://{request.name}/{len(request.path)}{request.path[:2000]}"
        answer(flow, "302 Found", [f"Date: {date(offset)}", f"Location: {target}"])

    return handler


def redirects_to(target: str, offset: float = 0.0) -> Handler:
    return says(f"Location: {target}", f"Date: {date(offset)}", status="302 Found", body=b"")


def says_nothing(_: Request, flow: socket.socket) -> None:
    """Takes the request, and is silent until the client goes away."""
    while flow.recv(4096):
        pass


def drips(request: Request, flow: socket.socket) -> None:
    """A good head, one byte at a time, and no end of it."""
    for byte in f"HTTP/1.1 200 OK\r\nDate: {date(0)}\r\nX-Slow: ".encode():
        flow.sendall(bytes([byte]))
        time.sleep(DRIP_SECONDS)
    while True:
        flow.sendall(b"a")
        time.sleep(DRIP_SECONDS)


def floods_body(_: Request, flow: socket.socket) -> None:
    """A good head, and a body without end."""
    flow.sendall(f"HTTP/1.1 200 OK\r\nDate: {date(0)}\r\n\r\n".encode())
    while True:
        flow.sendall(PIECE)


def floods_head(_: Request, flow: socket.socket) -> None:
    """Header lines without end."""
    flow.sendall(b"HTTP/1.1 200 OK\r\n")
    line = b"X-Flood: " + b"a" * 1000 + b"\r\n"
    while True:
        flow.sendall(line * 64)


def gzip_bomb(megabytes: int) -> Handler:
    """A small body that becomes large when it is unpacked."""
    body = gzip.compress(bytes(megabytes << 20))
    return lambda _, flow: answer(
        flow, "200 OK", [f"Date: {date(0)}", "Content-Encoding: gzip"], body)  # fmt: skip
