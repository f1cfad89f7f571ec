# SPDX-License-Identifier: GPL-3.0-or-later
"""What programs in the clearnet namespace try, and what is there for them to find."""

from __future__ import annotations

import errno
import os
import select
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import clearnet, kernel, local_clients, names, netns
from .wait import wait_for

if TYPE_CHECKING:
    from .lab import Lab

SECONDS = 60.0
BAIT_PORT = 20002
INSIDE = "clearnet"

# Every address of the host under test, what stands for it inside, and what its Tor maps names to.
OWN4 = ("127.0.0.1", "127.1.2.3", "0.0.0.0", names.HOST_ADDRESS, names.HOST_ADDRESS_SECOND,
        clearnet.INSIDE_ADDRESS, "127.192.5.7", "127.255.255.254")
OWN6 = ("::1", names.HOST_ULA, names.HOST_GLOBAL)
TCP_PORTS = (names.TOR_SOCKS_PORT, names.TOR_SOCKS_SYSTEM_PORT, names.TOR_SOCKS_DOWNLOAD_PORT,
             names.TOR_SOCKS_BROWSER_PORT, names.TOR_TRANS_PORT, 9051, 9052, BAIT_PORT)
UDP_PORTS = (names.DNS_PORT, BAIT_PORT)
SERVICES = [(protocol, address, port) for address in OWN4 + OWN6
            for protocol, ports in (("tcp", TCP_PORTS), ("udp", UDP_PORTS)) for port in ports]
OUTSIDE = [("tcp", names.WEB_ADDRESS, names.HTTP_PORT), ("tcp", names.PRINTER_ADDRESS, 9100),
           ("tcp", names.WEB_ADDRESS, 12345), ("udp", names.PUBLIC_RESOLVERS[0], names.DNS_PORT),
           ("udp", names.LAN_RESOLVER, names.DNS_PORT), ("udp", names.ECHO_ADDRESS, 7)]


def _bait(log: int) -> None:
    """A service on every address of the host, TCP and UDP. Who comes is written to @log."""
    servers = []
    for family, address in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            server = socket.socket(family, kind)
            if family == socket.AF_INET6:
                server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            server.bind((address, BAIT_PORT))
            if kind == socket.SOCK_STREAM:
                server.listen(64)
            servers.append(server)
    os.write(log, b"ready\n")
    while True:
        for server in select.select(servers, [], [])[0]:
            if server.type == socket.SOCK_STREAM:
                connection, peer = server.accept()
                connection.close()
            else:
                peer = server.recvfrom(2048)[1]
                server.sendto(b"bait", peer)
            os.write(log, f"{server.type.name} {peer[0]}\n".encode())


@contextmanager
def bait(lab: Lab) -> Iterator[Path]:
    """The file of who came to it."""
    path = lab.logs / "bait"
    path.write_bytes(b"")
    log = os.open(path, os.O_WRONLY | os.O_APPEND)
    pid = os.fork()
    if pid == 0:
        try:
            handle = os.open(netns.path(lab.ns(names.HOST)), os.O_RDONLY)
            kernel.setns(handle, kernel.CLONE_NEWNET)
            _bait(log)
        finally:
            os._exit(1)
    os.close(log)
    try:
        wait_for(lambda: b"ready" in path.read_bytes(), SECONDS, "the bait")
        path.write_bytes(b"")
        yield path
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def attempts(lab: Lab, targets: list[tuple[str, str, int]],
              namespace: str = INSIDE, user: str = names.AMNESIA) -> dict[tuple, str]:
    found = lab.host.call(local_clients.try_all, targets, user=user, namespace=namespace)
    return {tuple(entry[:3]): entry[3] for entry in found}


def reached(lab: Lab, targets: list[tuple[str, str, int]], **where: Any) -> set[tuple]:
    outcomes = attempts(lab, targets, **where)
    assert len(outcomes) == len(targets)
    return {target for target, outcome in outcomes.items() if outcome == local_clients.REACHED}


def as_errno(function: Callable[..., Any], *arguments: Any) -> str:
    """How it fails; "" if it does not."""
    try:
        function(*arguments)
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, str(error))
    return ""


@contextmanager
def inhabitant(lab: Lab) -> Iterator[int]:
    """A program inside, as the door starts them: by amnesia, without any right."""
    with lab.host.popen(["setpriv", "--no-new-privs", "--", "sleep", "infinity"],
                        user=names.AMNESIA, namespace=INSIDE) as process:
        try:
            wait_for(lambda: b"sleep" in Path(f"/proc/{process.pid}/cmdline").read_bytes()[:5],
                     SECONDS, "a program inside")
            yield process.pid
        finally:
            process.kill()


def works(lab: Lab) -> bool:
    """Do programs inside have the network?"""
    wanted = [("tcp", names.WEB_ADDRESS, names.HTTP_PORT), ("udp", names.ECHO_ADDRESS, 7)]
    return reached(lab, wanted) == set(wanted)
