# SPDX-License-Identifier: GPL-3.0-or-later
"""Local services by every user (F3, F6, F7, F9), what comes in from the LAN, and round trips.

What a program reaches on its own computer never leaves it, so listeners judge instead of a capture.
Everything below `measure` runs in the host under test's namespaces.
"""

from __future__ import annotations

import errno
import json
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
from .promise import USERS, automap_promise, local_promise

if TYPE_CHECKING:
    from .lab import Lab

TCP_PORTS = (names.TOR_SOCKS_PORT, names.TOR_SOCKS_SYSTEM_PORT, names.TOR_SOCKS_DOWNLOAD_PORT,
             names.TOR_TRANS_PORT, 53, 631, 4101, 17600, 20000)
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
SECONDS = 3.0

REACHED, REFUSED, HANGS = "reached", "refused", "hangs"


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


# ---- judging --------------------------------------------------------------------------------------


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


# ---- inside: listeners ------------------------------------------------------------------------------


class Listeners:
    """Listening sockets at every address and port, unless someone listens there already."""

    def __init__(self) -> None:
        self.tcp: list[socket.socket] = []
        self.foreign: set[tuple[str, int]] = set()  # where another server answers
        self.bait = _udp_listener("0.0.0.0", BAIT_PORT)
        self.proxy: socket.socket | None = None
        self.dns = [server for address in ADDRESSES4 + ADDRESSES6 for port in UDP_PORTS
                    if (server := self._try_udp(address, port))]
        self._listen_proxy()
        for port in TCP_PORTS:
            self._listen(port)

    def _try_udp(self, address: str, port: int) -> socket.socket | None:
        os.seteuid(names.user(names.DEBIAN_TOR).uid)
        server = socket.socket(_family(address), socket.SOCK_DGRAM)
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
        server = _tcp_server(_family(address))
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


def _family(address: str) -> int:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def _tcp_server(family: int) -> socket.socket:
    server = socket.socket(family, socket.SOCK_STREAM)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.setsockopt(socket.SOL_SOCKET, SO_REUSEPORT, 1)
    if family == socket.AF_INET6:
        server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    return server


def _udp_listener(address: str, port: int) -> socket.socket:
    server = socket.socket(_family(address), socket.SOCK_DGRAM)
    server.bind((address, port))
    server.setblocking(False)
    return server


def _answer_udp(servers: list[socket.socket]) -> None:
    """For ever: the process is ended from outside."""
    while True:
        for server in select.select(servers, [], [])[0]:
            _, peer = server.recvfrom(512)
            try:
                server.sendto(ANSWER, peer)
            except OSError:
                pass  # what the ruleset does to answers shows at the client


# ---- inside: clients --------------------------------------------------------------------------------


def _in_child(function: Callable[[], Any]) -> Any:
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


def _as_user(user: str, function: Callable[[], Any]) -> Any:
    account = names.user(user)

    def body() -> Any:
        probes_run.become(account.uid, account.gid)
        return function()

    return _in_child(body)


def _name(code: int) -> str:
    return errno.errorcode.get(code, str(code))


class Attempt:
    """One connection, or one question to a UDP server, begun and not waited for."""

    def __init__(self, protocol: str, address: str, port: int) -> None:
        self.what = (protocol, address, port)
        self.outcome = ""
        self._stream = protocol == "tcp"
        kind = socket.SOCK_STREAM if self._stream else socket.SOCK_DGRAM
        self.socket = socket.socket(_family(address), kind)
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


def _try_services() -> list[list[Any]]:
    targets = [("tcp", address, port) for address in ADDRESSES4 + ADDRESSES6 + (MAPPED,)
               for port in TCP_PORTS if (address, port) != (MAPPED, names.TOR_TRANS_PORT)]
    targets += [("udp", address, port) for address in ADDRESSES4 + ADDRESSES6
                for port in UDP_PORTS]
    return try_all(targets)


def _try_automap() -> list[list[Any]]:
    return try_all(("tcp", address, port) for address, port in AUTOMAPPED)


def _send_bait(tag: str) -> None:
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


def _drain(server: socket.socket) -> list[str]:
    found = []
    while True:
        try:
            found.append(server.recv(512).decode("ascii", "replace"))
        except BlockingIOError:
            return found


# ---- inside: from the LAN, and round trips --------------------------------------------------------------


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
    ]
    return [[name, user, _as_user(user, function)] for name, user, function in tries]


# ---- inside: all of it ---------------------------------------------------------------------------------


def measure(users: tuple[str, ...], tag: str, guest: int) -> dict[str, Any]:
    probes_run.allow_ping_sockets()
    listeners = Listeners()
    answering = os.fork()
    if answering == 0:
        try:
            _answer_udp(listeners.dns)
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
        services = _as_user(user, _try_services)
        accepted = {port for port, _, _ in listeners.accepted() | listeners.proxied()}
        answer["services"][user] = [
            [protocol, address, port,
             _confirm(protocol, (address, port), got, own, accepted, listeners)]
            for protocol, address, port, got, own in services]
        automap = _as_user(user, _try_automap)
        proxied = listeners.proxied()
        answer["automap"][user] = [
            [address, port, _transparent(got, (own, address, port), proxied, listeners)]
            for _, address, port, got, own in automap]
        _as_user(user, lambda: _send_bait(tag))
        bait = _drain(listeners.bait)
        answer["bait"][user] = {f"{name} to udp {BAIT_PORT}": f"{tag} {name}" in bait
                                for name in ("raw", "packet")}
    answer["inbound"] = _in_child(lambda: _from_lan(guest, tag))
    bait = _drain(listeners.bait)
    answer["inbound"]["udp"] = [[address, f"{tag} {address}" in bait] for address in
                                (names.HOST_ADDRESS, names.HOST_ADDRESS_SECOND)]
    answer["round trips"] = _round_trips()
    return answer


def _confirm(protocol: str, where: tuple[str, int], got: str, own_port: int, accepted: set[int],
             listeners: Listeners) -> str:
    """The listener has the last word, where it is ours. A datagram's answer is its own proof."""
    if protocol == "udp" or (where[0].removeprefix("::ffff:"), where[1]) in listeners.foreign:
        return got
    if own_port in accepted:
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


# ---- for people -----------------------------------------------------------------------------------------


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
