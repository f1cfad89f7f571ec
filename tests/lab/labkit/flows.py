# SPDX-License-Identifier: GPL-3.0-or-later
"""TCP connections of the host under test that a test can hold, ask and watch end."""

from __future__ import annotations

import os
import select
import socket
import subprocess
import threading
from types import TracebackType
from typing import TYPE_CHECKING

from . import netns

if TYPE_CHECKING:
    from .lab import Lab

SECONDS = 60.0
Target = tuple[str, int]

# Connects to ADDRESS:PORT..., then for each number on standard input tells whether that connection
# still carries a byte there and back.
_CLIENT = """
import socket, sys
flows = []
for word in sys.argv[1:]:
    address, port = word.rsplit(":", 1)
    flows.append(socket.create_connection((address, int(port)), 30))
print("ready", flush=True)
for line in sys.stdin:
    flow = flows[int(line)]
    try:
        flow.sendall(b"x")
        print("alive" if flow.recv(1) == b"x" else "end", flush=True)
    except OSError as error:
        print(type(error).__name__, flush=True)
"""

# Connects, sends until nothing more fits, and ends without waiting for any of it to arrive.
_ORPHAN = """
import socket, sys
flow = socket.create_connection((sys.argv[1], int(sys.argv[2])), 30)
flow.setblocking(False)
try:
    while True:
        flow.send(bytes(65536))
except BlockingIOError:
    pass
"""


class Server:
    """Listens in a namespace and sends back what it gets; or, if @mute, takes nothing."""

    def __init__(self, ns: str, address: str, port: int, mute: bool = False) -> None:
        self._mute = mute
        self._listener = netns.run_in(ns, _listen, address, port)
        self._wake_read, self._wake_write = os.pipe2(os.O_CLOEXEC)
        self._thread = threading.Thread(target=self._serve, name=f"server-{port}", daemon=True)

    def __enter__(self) -> Server:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.close(self._wake_write)
        self._thread.join()
        self._listener.close()
        os.close(self._wake_read)

    def _serve(self) -> None:
        flows: list[socket.socket] = []
        while True:
            watched = [self._wake_read, self._listener, *([] if self._mute else flows)]
            ready = select.select(watched, [], [])[0]
            if self._wake_read in ready:
                break
            for one in ready:
                if one is self._listener:
                    flows.append(self._listener.accept()[0])
                elif not _echo(one):
                    flows.remove(one)
                    one.close()
        for flow in flows:
            flow.close()


def _listen(address: str, port: int) -> socket.socket:
    return socket.create_server((address, port), backlog=64)


def _echo(flow: socket.socket) -> bool:
    try:
        data = flow.recv(4096)
        flow.sendall(data)
        return bool(data)
    except OSError:
        return False


class Client:
    """Connections of a user, made when the context begins."""

    def __init__(self, lab: Lab, user: str, targets: list[Target]) -> None:
        self._targets = targets
        argv = ["/usr/bin/python3", "-c", _CLIENT, *(f"{a}:{p}" for a, p in targets)]
        self._process = lab.host.popen(argv, user=user, stdin=subprocess.PIPE,
                                       stdout=subprocess.PIPE, text=True)  # fmt: skip

    def __enter__(self) -> Client:
        answer = self._answer()
        if answer != "ready":
            self.__exit__(None, None, None)
            raise RuntimeError(f"could not connect to all of {self._targets}")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.communicate()

    def ask(self, target: Target) -> str:
        """"alive", or how the connection ended."""
        assert self._process.stdin
        self._process.stdin.write(f"{self._targets.index(target)}\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> str:
        assert self._process.stdout
        if not select.select([self._process.stdout], [], [], SECONDS)[0]:
            raise TimeoutError(f"a client does not answer: {self._targets}")
        return self._process.stdout.readline().strip()


def leave_orphan(lab: Lab, user: str, address: str, port: int) -> None:
    """A connection whose program has ended with data unsent."""
    lab.host.run(["/usr/bin/python3", "-c", _ORPHAN, address, str(port)], user=user, check=True)


def orphans(lab: Lab) -> set[Target]:
    """Where closed sockets of the host under test still have data to send."""
    said = lab.host.run(["ss", "-Htn", "state", "fin-wait-1"], check=True).stdout
    found = set()
    for line in said.splitlines():
        address, port = line.split()[3].rsplit(":", 1)
        found.add((address, int(port)))
    return found


def connect_as(uid: int, address: str, port: int) -> bool:
    """For lab.host.call() as root: does a user whom the lab does not know get a connection?"""
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    try:
        socket.create_connection((address, port), SECONDS).close()
    except OSError:
        return False
    return True


def sends(address: str, port: int) -> bool:
    """Is a datagram let out? Whether anybody takes it is another matter."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        try:
            sender.sendto(b"?", (address, port))
        except PermissionError:
            return False
    return True
