# SPDX-License-Identifier: GPL-3.0-or-later
"""Local services by every user (F3, F6, F7, F9), what comes in from the LAN, and round trips.

What a program reaches on its own computer never leaves it, so listeners judge instead of a capture.
Everything below `measure` runs in the host under test's namespaces.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import struct
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from . import judge, kernel, names, probes_run, probes_wire as wire
from .local_clients import (REACHED, REFUSED, SECONDS, as_user, in_child, reaches, send_bait,
                            try_automap, try_services)
from .local_listeners import BAIT_PORT, TCP_PORTS, Listeners, answer_udp, drain
from .promise import USERS, automap_promise, local_promise

if TYPE_CHECKING:
    from .lab import Lab


@dataclass
class Check:
    """One cell: what was tried, what had to happen, and what did."""

    row: str
    title: str
    user: str
    promised: str
    got: str

    @property
    def kept(self) -> bool:
        return self.promised == self.got


@dataclass
class Local:
    checks: list[Check] = field(default_factory=list)

    @property
    def bad(self) -> list[Check]:
        return [check for check in self.checks if not check.kept]

    def add(self, row: str, title: str, user: str, promised: str, got: str) -> None:
        self.checks.append(Check(row, title, user, promised, got))


def run(lab: Lab, users: tuple[str, ...] = USERS) -> Local:
    """Everything in this file, on a lab whose ruleset is loaded."""
    from .capture import Capture

    local = Local()
    guest = os.open(f"/run/netns/{lab.ns(names.GUEST)}", os.O_RDONLY | os.O_CLOEXEC)
    tag = f"{int.from_bytes(os.urandom(4), 'big'):08x}"
    try:
        with Capture(lab) as capture:
            answer = lab.host.call(measure, users, tag, guest, timeout=120.0)
            frames = [frame.data for frame in capture.stop() if frame.incoming]
    finally:
        os.close(guest)
    _judge_services(local, users, answer)
    _judge_inbound(local, answer, frames)
    _judge_round_trips(local, answer)
    return local


# ---- judging ------------------------------------------------------------------------------------


def _judge_services(local: Local, users: Iterable[str], answer: dict[str, Any]) -> None:
    for user in users:
        for protocol, address, port, got in answer["services"][user]:
            promised = REACHED if local_promise(protocol, port, user) else REFUSED
            local.add(f"{protocol} {port} at {address}", "local service (F6)", user, promised, got)
        for address, port, got in answer["automap"][user]:
            promised = REACHED if automap_promise(user) else REFUSED
            local.add(f"automap {address}:{port}", "Tor's transparent port (F7)", user, promised,
                      got)
        for name, arrived in answer["bait"][user].items():
            local.add(name, "must not arrive (F6)", user, REFUSED,
                      REACHED if arrived else REFUSED)


def _judge_inbound(local: Local, answer: dict[str, Any], frames: list[bytes]) -> None:
    """Answered: the router saw a SYN with ACK, which only a listener sends."""
    answered = set()
    for frame in frames:
        packet = judge.parse(frame)
        if packet.protocol == 6 and packet.destination_port is not None and len(packet.body) > 13:
            if packet.body[13] & (wire.TCP_SYN | wire.TCP_ACK) == wire.TCP_SYN | wire.TCP_ACK:
                answered.add(packet.destination_port)
    for address, port, own_port in answer["inbound"]["tcp"]:
        local.add(f"inbound tcp {port} at {address}", "from the LAN", names.GUEST, REFUSED,
                  REACHED if own_port in answered else REFUSED)
    for address, arrived in answer["inbound"]["udp"]:
        local.add(f"inbound udp at {address}", "that nobody asked for", names.GUEST, REFUSED,
                  REACHED if arrived else REFUSED)


def _judge_round_trips(local: Local, answer: dict[str, Any]) -> None:
    for name, user, arrived in answer["round trips"]:
        local.add(name, "the answer comes in", user, REACHED, REACHED if arrived else REFUSED)


# ---- inside: from the LAN, and round trips ----------------------------------------------------


def _from_lan(guest: int, tag: str) -> dict[str, Any]:
    """In the guest's namespace: connections and datagrams to the host under test."""
    kernel.setns(guest, kernel.CLONE_NEWNET)
    connections, found = [], []
    for address in (names.HOST_ADDRESS, names.HOST_ADDRESS_SECOND):
        for port in TCP_PORTS:
            sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            sock.setblocking(False)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            sock.connect_ex((address, port))
            connections.append(sock)
            found.append([address, port, sock.getsockname()[1]])
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(f"{tag} {address}".encode(), (address, BAIT_PORT))
    deadline, pending = time.monotonic() + 1.0, list(connections)
    while pending and (left := deadline - time.monotonic()) > 0:
        done = select.select([], pending, [], left)[1]
        pending = [sock for sock in pending if sock not in done]
    return {"tcp": found}


def _udp_round_trip(address: str, port: int, data: bytes) -> bool:
    """From a socket that is not connected: its answer can only be recognised by what was asked."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            sock.sendto(data, (address, port))
        except OSError:
            return False
        return bool(select.select([sock], [], [], SECONDS)[0])


def _ping_round_trip(address: str) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP) as sock:
        try:
            sock.sendto(struct.pack("!BBHHH", 8, 0, 0, 0, 1) + b"lethe", (address, 0))
        except OSError:
            return False
        return bool(select.select([sock], [], [], SECONDS)[0])


def _round_trips() -> list[list[Any]]:
    printer, web = names.PRINTER_ADDRESS, names.WEB_ADDRESS
    resolver, question = names.PUBLIC_RESOLVERS[0], wire.dns_query(b"local")
    tries: list[tuple[str, str, Callable[[], bool]]] = [
        ("tcp printer", names.AMNESIA, lambda: reaches("tcp", printer, 9100)),
        ("udp printer", names.AMNESIA,
         lambda: _udp_round_trip(printer, names.PRINTER_UDP_PORT, b"lethe")),
        ("ping printer", names.AMNESIA, lambda: _ping_round_trip(printer)),
        ("tcp web", names.CLEARNET, lambda: reaches("tcp", web, 80)),
        ("dns public", names.CLEARNET, lambda: _udp_round_trip(resolver, 53, question)),
        ("tcp web", names.CLEARNET_NET, lambda: reaches("tcp", web, 80)),
        ("dns public", names.CLEARNET_NET, lambda: _udp_round_trip(resolver, 53, question)),
        ("tcp web", names.DEBIAN_TOR, lambda: reaches("tcp", web, 80)),
        ("tcp web", names.BRIDGES_NET, lambda: reaches("tcp", web, 80)),
        ("tcp web", names.FRONTS_NET, lambda: reaches("tcp", web, 80)),
        ("dns public", names.FRONTS_NET, lambda: _udp_round_trip(resolver, 53, question)),
    ]
    return [[name, user, as_user(user, function)] for name, user, function in tries]


# ---- inside: all of it --------------------------------------------------------------------------


def measure(users: tuple[str, ...], tag: str, guest: int) -> dict[str, Any]:
    probes_run.allow_ping_sockets()
    listeners = Listeners()
    answering = os.fork()
    if answering == 0:
        try:
            answer_udp(listeners.dns)
        finally:
            os._exit(1)
    try:
        return _measure(users, tag, guest, listeners)
    finally:
        os.kill(answering, signal.SIGKILL)
        os.waitpid(answering, 0)
        listeners.close()


def _measure(users: tuple[str, ...], tag: str, guest: int, listeners: Listeners) -> dict[str, Any]:
    answer: dict[str, Any] = {"services": {}, "automap": {}, "bait": {}}
    for user in users:
        services = as_user(user, try_services)
        accepted = listeners.accepted() | listeners.proxied()
        answer["services"][user] = [
            [protocol, address, port,
             _confirm(protocol, (address, port), got, own, accepted, listeners)]
            for protocol, address, port, got, own in services]
        automap = as_user(user, try_automap)
        proxied = listeners.proxied()
        answer["automap"][user] = [
            [address, port, _transparent(got, (own, address, port), proxied, listeners)]
            for _, address, port, got, own in automap]
        as_user(user, lambda: send_bait(tag))
        bait = drain(listeners.bait)
        answer["bait"][user] = {f"{name} to udp {BAIT_PORT}": f"{tag} {name}" in bait
                                for name in ("raw", "packet")}
    answer["inbound"] = in_child(lambda: _from_lan(guest, tag))
    bait = drain(listeners.bait)
    answer["inbound"]["udp"] = [[address, f"{tag} {address}" in bait] for address in
                                (names.HOST_ADDRESS, names.HOST_ADDRESS_SECOND)]
    answer["round trips"] = _round_trips()
    return answer


def _confirm(protocol: str, where: tuple[str, int], got: str, own_port: int,
             accepted: set[tuple[int, str, int]], listeners: Listeners) -> str:
    """The listener has the last word, where it is ours. A datagram's answer is its own proof."""
    where = where[0].removeprefix("::ffff:"), where[1]
    if protocol == "udp" or where in listeners.foreign:
        return got
    if (own_port, *where) in accepted:
        return REACHED
    return got if got != REACHED else "connected, but to nobody"


def _transparent(got: str, expected: tuple[int, str, int], proxied: set[tuple[int, str, int]],
                 listeners: Listeners) -> str:
    """Reached means: at the transparent proxy, with the address that was asked for."""
    if expected in proxied:
        return REACHED
    if got != REACHED or listeners.proxy is None:  # then it is Tor's own, which keeps it to itself
        return got
    return "another listener"


# ---- for people ---------------------------------------------------------------------------------


def render(local: Local, colour: bool) -> str:
    """'.' refused as promised, 'o' reached as promised, and the surprise in words otherwise."""
    from .matrix import HELD, LEAK, LOST, PASSED, rows

    def status(check: Check) -> str:
        if check.kept:
            return PASSED if check.got == REACHED else HELD
        if check.promised == REFUSED:
            return LEAK if check.got == REACHED else check.got
        return LOST

    table: dict[str, tuple[str, dict[str, str]]] = {}
    for check in local.checks:
        table.setdefault(check.row, (check.title, {}))[1][check.user] = status(check)
    users = list(dict.fromkeys(check.user for check in local.checks))
    lines = rows([(row, title, cells) for row, (title, cells) in table.items()], users, colour)
    lines += ["", ". refused as promised   o reached as promised   LEAK reached without a grant   "
              "lost granted, not reached", "",
              f"{len(local.checks)} tries, {len(local.bad)} not as promised"]
    return "\n".join(lines)


def to_json(local: Local) -> dict[str, Any]:
    return {"kept": not local.bad,
            "checks": [{"row": check.row, "title": check.title, "user": check.user,
                        "promised": check.promised, "got": check.got} for check in local.checks]}
