# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands behind a front: a web server whose name is in no request's address.

A meek server (https://www.bamsoftware.com/papers/fronting/, section 5), which hands what is posted
to it to a bridge, and a Snowflake broker that has no volunteer. Both answer by plain HTTP at the web
node: who sees the wire is the lab, and TLS would only hide from it what it looks for.
"""

from __future__ import annotations

import http.server
import json
import select
import socket
import threading
from types import TracebackType
from typing import TYPE_CHECKING

from . import names, netns

if TYPE_CHECKING:
    from .lab import Lab

PORT = 8008  # of the web node; taken out of what its echo server answers
FRONT = f"{names.WEB_NAME}:{PORT}"  # what is connected to
MEEK_HOST = "meek.hidden.example"  # what is asked for there
BROKER_HOST = "broker.hidden.example"
BYTES_MAX = 65536  # of one answer
TURN_SECONDS = 0.2  # how long an answer waits for the bridge
SESSIONS_MAX = 64


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Front

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        host = self.headers.get("Host", "").partition(":")[0]
        self.server.asked.append((host, self.path))
        if host == MEEK_HOST:
            answer = self.server.exchange(self.headers["X-Session-Id"], body)
        elif host == BROKER_HOST:
            answer = json.dumps({"error": "no snowflake proxies currently available"}).encode()
        else:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        """Nothing: the tests look at what was asked."""


class Front(http.server.ThreadingHTTPServer):
    """A context manager."""

    daemon_threads = True

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self.asked: list[tuple[str, str]] = []  # host and path of each request
        self._sessions: dict[str, socket.socket] = {}
        self._lock = threading.Lock()
        netns.nft(lab.ns(names.WEB), f"insert rule inet lab pre tcp dport {PORT} accept")
        super().__init__(("", 0), _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = netns.run_in(lab.ns(names.WEB), socket.create_server,
                                   (names.WEB_ADDRESS, PORT))
        self._thread = threading.Thread(target=self.serve_forever)

    def __enter__(self) -> Front:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()
        for connection in self._sessions.values():
            connection.close()

    def exchange(self, session: str, body: bytes) -> bytes:
        """Hand the bytes to the bridge's own port, and back what it has said meanwhile."""
        with self._lock:
            bridge = self._sessions.get(session)
            if bridge is None:
                assert len(self._sessions) < SESSIONS_MAX
                address = (names.PUBLIC_NODES[names.BRIDGE], names.RELAY_OR_PORT)
                bridge = netns.run_in(self._lab.ns(names.WEB), socket.create_connection, address)
                self._sessions[session] = bridge
        if body:
            bridge.sendall(body)
        if not select.select([bridge], [], [], TURN_SECONDS)[0]:
            return b""
        return bridge.recv(BYTES_MAX)

    def handle_error(self, *_: object) -> None:
        """A client that went away is no fault of the server's."""


def meek_line(fingerprint: str) -> str:
    """The address is nobody's: meek does not use it."""
    return f"meek_lite 192.0.2.18:80 {fingerprint} url=http://{MEEK_HOST}:{PORT}/ front={FRONT}"


def snowflake_line(fingerprint: str) -> str:
    return (f"snowflake 192.0.2.3:80 {fingerprint} fingerprint={fingerprint} "
            f"url=http://{BROKER_HOST}:{PORT}/ front={FRONT} ice=stun:stun.lab.example:3478")
