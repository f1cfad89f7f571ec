# SPDX-License-Identifier: GPL-3.0-or-later
"""A small web server inside a namespace of the lab: requests in threads, with or without TLS.

What an answer looks like is wholly the handler's affair, so that it can be wrong in any way.
"""

from __future__ import annotations

import os
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from . import netns

REQUEST_MAX = 16384
SECONDS = 60.0  # how long a client may be silent


@dataclass(frozen=True)
class Request:
    """What was asked, and by whom. @name: by SNI if there was one, else by the Host header."""

    method: str
    path: str
    name: str
    secret: bool  # by TLS
    source: tuple[str, int]
    time: float  # seconds since 1970, by the clock of whoever runs the test


Handler = Callable[[Request, socket.socket], None]
# Given the name that a client asked for ("" if none), the context to answer with; None: no TLS
# answer at all, the connection ends.
Chooser = Callable[[str], ssl.SSLContext | None]


class WebServer:
    """Listens on every address of a namespace. A handler that raises OSError ends its connection;
    anything else that it raises is kept, and raised by stop()."""

    def __init__(
        self, ns: str, port: int, handler: Handler, chooser: Chooser | None = None
    ) -> None:
        self._handler = handler
        self._chooser = chooser
        self._listener = netns.run_in(ns, _listen, port)
        self._wake_read, self._wake_write = os.pipe2(os.O_CLOEXEC)
        self._thread = threading.Thread(target=self._accept, name=f"web-{port}", daemon=True)
        self._flows: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._errors: list[BaseException] = []

    def start(self) -> WebServer:
        self._thread.start()
        return self

    def stop(self) -> None:
        os.close(self._wake_write)
        self._thread.join()
        self._listener.close()
        os.close(self._wake_read)
        with self._lock:
            for flow in self._flows:
                _end(flow)
        if self._errors:
            raise self._errors[0]

    def _accept(self) -> None:
        while self._wake_read not in select.select([self._wake_read, self._listener], [], [])[0]:
            flow, peer = self._listener.accept()
            threading.Thread(target=self._serve, args=(flow, peer[:2]), daemon=True).start()

    def _serve(self, flow: socket.socket, peer: tuple[str, int]) -> None:
        with self._lock:
            self._flows.add(flow)
        try:
            flow.settimeout(SECONDS)
            self._answer(flow, (peer[0].removeprefix("::ffff:"), peer[1]))
        except OSError:
            pass  # the client went away, or did not like what it saw; that is the client's to tell
        except BaseException as error:  # told to whoever stops the server
            self._errors.append(error)
        finally:
            with self._lock:
                self._flows.discard(flow)
            flow.close()

    def _answer(self, flow: socket.socket, source: tuple[str, int]) -> None:
        name = ""
        if self._chooser:
            secret, name = _wrap(flow, self._chooser)
            if secret is None:
                return
            with self._lock:
                self._flows.discard(flow)
                self._flows.add(secret)
            try:
                self._one(secret, name, source)
            finally:
                with self._lock:
                    self._flows.discard(secret)
                secret.close()
            return
        self._one(flow, name, source)

    def _one(self, flow: socket.socket, name: str, source: tuple[str, int]) -> None:
        head = b""
        while b"\r\n\r\n" not in head and len(head) < REQUEST_MAX:
            piece = flow.recv(4096)
            if not piece:
                return
            head += piece
        lines = head.decode("latin-1").split("\r\n")
        words = [*lines[0].split(), "", ""]
        hosts = [line[5:].strip() for line in lines if line.lower().startswith("host:")]
        host = hosts[0].partition(":")[0] if hosts else ""
        request = Request(words[0], words[1], name or host, bool(self._chooser), source,
                          time.time())  # fmt: skip
        self._handler(request, flow)


def _listen(port: int) -> socket.socket:
    return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True,
                                backlog=256)  # fmt: skip


def _wrap(flow: socket.socket, chooser: Chooser) -> tuple[ssl.SSLSocket | None, str]:
    """TLS, with the context for the name that was asked for."""
    seen = [""]

    def choose(endpoint: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> int | None:
        seen[0] = name or ""
        context = chooser(seen[0])
        if context is None:
            return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
        endpoint.context = context
        return None

    first = chooser("")
    context = first or ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.sni_callback = choose
    try:
        return context.wrap_socket(flow, server_side=True), seen[0]
    except ssl.SSLError:
        return None, seen[0]


def _end(flow: socket.socket) -> None:
    try:
        flow.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass


def context_of(certificate: str, key: str) -> ssl.SSLContext:
    result = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    result.load_cert_chain(certificate, key)
    return result


def answer(flow: socket.socket, status: str, headers: list[str], body: bytes = b"") -> None:
    """One whole answer. Only what is in @headers is said, and the length."""
    lines = [f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(body)}", "Connection: close"]
    flow.sendall("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body)
