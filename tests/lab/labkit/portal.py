# SPDX-License-Identifier: GPL-3.0-or-later
"""The captive portal's servers: its page, and what it shows at port 443."""

from __future__ import annotations

import shutil
import socket
import ssl
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from . import names
from .certificates import Authority
from .webserver import Request, WebServer, answer, context_of

if TYPE_CHECKING:
    from .lab import Lab

PAGE_PORT, SECRET_PORT = 8880, 8443  # on the router: the censor's rules send connections there
NAME = "portal.lab.example"
PAGE = f"http://{names.ROUTER_ADDRESS}/portal"
LOGIN = f"http://{names.ROUTER_ADDRESS}/login"
PAGE_BODY = "lethe lab: captive portal"
LOGGED_IN_BODY = "lethe lab: logged in"


class PortalServer:
    """@log_in: told the address of whoever filled in the form, that is, asked for /login.

    @visits: what was asked of it, in the order of arrival.
    """

    def __init__(self, lab: Lab, log_in: Callable[[str], None]) -> None:
        self._log_in = log_in
        self._folder = Path(tempfile.mkdtemp(prefix="portal-", dir=lab.state))
        self._context = self._own_context()
        self._ns = lab.ns(names.ROUTER)
        self._servers: list[WebServer] = []
        self.visits: list[Request] = []

    def start(self) -> PortalServer:
        self._servers = [
            WebServer(self._ns, PAGE_PORT, self._page).start(),
            WebServer(self._ns, SECRET_PORT, self._page, lambda _: self._context).start(),
        ]
        return self

    def stop(self) -> None:
        for server in self._servers:
            server.stop()
        shutil.rmtree(self._folder)

    def _own_context(self) -> ssl.SSLContext:
        certificate, key = Authority(self._folder, "Portal").certificate(NAME)
        return context_of(str(certificate), str(key))

    def _page(self, request: Request, flow: socket.socket) -> None:
        self.visits.append(request)
        kind = ["Content-Type: text/plain"]
        if request.name != names.ROUTER_ADDRESS:
            answer(flow, "302 Found", [f"Location: {PAGE}", *kind])
        elif request.path == "/login":
            self._log_in(request.source[0])
            answer(flow, "200 OK", kind, f"{LOGGED_IN_BODY}\n".encode())
        else:
            answer(flow, "200 OK", kind, f"{PAGE_BODY}\n".encode())
