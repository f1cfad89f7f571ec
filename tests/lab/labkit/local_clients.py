# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs that try to reach services: how a connection or a question ends, and how soon."""

from __future__ import annotations

import errno
import json
import os
import select
import socket
import struct
import time
from collections.abc import Callable, Iterable
from typing import Any

from . import names, probes_run, probes_wire as wire
from .local_listeners import (ADDRESSES4, ADDRESSES6, AUTOMAPPED, BAIT_PORT, MAPPED, TCP_PORTS,
                              UDP_PORTS, family_of)

SECONDS = 3.0
REACHED, REFUSED, HANGS = "reached", "refused", "hangs"


def in_child(function: Callable[[], Any]) -> Any:
    """What @function returns, called in a child process; it must be JSON."""
    read, write = os.pipe2(os.O_CLOEXEC)
    pid = os.fork()
    if pid == 0:
        try:
            os.close(read)
            data = json.dumps({"value": function()}).encode()
        except BaseException as error:  # told to the parent, which fails
            data = json.dumps({"failed": f"{type(error).__name__}: {error}"}).encode()
        finally:
            probes_run.write_all(write, data)
            os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as source:
        data = source.read()
    os.waitpid(pid, 0)
    answer = json.loads(data) if data else {"failed": "it ended without an answer"}
    if "failed" in answer:
        raise RuntimeError(f"a local probe failed: {answer['failed']}")
    return answer["value"]


def as_user(user: str, function: Callable[[], Any]) -> Any:
    account = names.user(user)

    def body() -> Any:
        probes_run.become(account.uid, account.gid)
        return function()

    return in_child(body)


def _name(code: int) -> str:
    return errno.errorcode.get(code, str(code))


class Attempt:
    """One connection, or one question to a UDP server, begun and not waited for."""

    def __init__(self, protocol: str, address: str, port: int) -> None:
        self.what = (protocol, address, port)
        self.outcome = ""
        self._stream = protocol == "tcp"
        kind = socket.SOCK_STREAM if self._stream else socket.SOCK_DGRAM
        self.socket = socket.socket(family_of(address), kind)
        self.socket.setblocking(False)
        try:
            self._begin(address, port)
        except OSError as error:
            self._fail(error.errno or 0)
        self.own_port = self.socket.getsockname()[1]

    def _begin(self, address: str, port: int) -> None:
        if self._stream:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            code = self.socket.connect_ex((address, port))
            if code not in (0, errno.EINPROGRESS):
                self._fail(code)
            return
        self.socket.connect((address, port))
        self.socket.send(wire.dns_query(b"local"))

    def _fail(self, code: int) -> None:
        # EPERM is the filter's drop as the sender of a datagram sees it, ECONNREFUSED an error
        # that came back.
        refusals = (errno.ECONNREFUSED,) if self._stream else (errno.ECONNREFUSED, errno.EPERM)
        self.outcome = REFUSED if code in refusals else _name(code)

    @property
    def events(self) -> int:
        return select.POLLOUT if self._stream else select.POLLIN

    def finish(self) -> None:
        """Something happened: see what."""
        if self._stream:
            code = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if code:
                self._fail(code)
            else:
                self.outcome = REACHED
            return
        try:
            self.socket.recv(512)
            self.outcome = REACHED
        except OSError as error:
            self._fail(error.errno or 0)


def try_all(targets: Iterable[tuple[str, str, int]]) -> list[list[Any]]:
    """Protocol, address, port, outcome and own port of each; one deadline for all of them."""
    attempts = [Attempt(*target) for target in targets]
    poll = select.poll()
    pending = {attempt.socket.fileno(): attempt for attempt in attempts if not attempt.outcome}
    for descriptor, attempt in pending.items():
        poll.register(descriptor, attempt.events)
    deadline = time.monotonic() + SECONDS
    while pending and (left := deadline - time.monotonic()) > 0:
        for descriptor, _ in poll.poll(left * 1000):
            poll.unregister(descriptor)
            pending.pop(descriptor).finish()
    for attempt in attempts:
        attempt.socket.close()
    return [[*attempt.what, attempt.outcome or HANGS, attempt.own_port] for attempt in attempts]


def reaches(protocol: str, address: str, port: int) -> bool:
    return try_all([(protocol, address, port)])[0][3] == REACHED


def try_services() -> list[list[Any]]:
    targets = [("tcp", address, port) for address in ADDRESSES4 + ADDRESSES6 + (MAPPED,)
               for port in TCP_PORTS if (address, port) != (MAPPED, names.TOR_TRANS_PORT)]
    targets += [("udp", address, port) for address in ADDRESSES4 + ADDRESSES6
                for port in UDP_PORTS]
    return try_all(targets)


def try_automap() -> list[list[Any]]:
    return try_all(("tcp", address, port) for address, port in AUTOMAPPED)


def send_bait(tag: str) -> None:
    """Datagrams to a local port that are not sent as datagrams usually are."""
    own, other = names.HOST_ADDRESS, names.PRINTER_ADDRESS
    for name, source in (("raw", own), ("packet", other)):
        body = wire.udp(source, own, 1000, BAIT_PORT, f"{tag} {name}".encode())
        packet = wire.ipv4(source, own, 17, body)
        try:
            if name == "raw":
                with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as sock:
                    sock.sendto(packet, (own, 0))
            else:
                with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as sock:
                    sock.bind(("lo", 0))
                    sock.send(wire.ethernet(b"\0" * 6, b"\0" * 6, wire.ETH_P_IP, packet))
        except OSError:
            pass  # refused to the sender's face; what arrived is what counts
