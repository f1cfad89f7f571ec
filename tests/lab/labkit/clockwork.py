# SPDX-License-Identifier: GPL-3.0-or-later
"""The network clock on the host under test, as systemd would start it: lethe-clockd behind its door, a
lethe-clock-fetch for each question, and a setter that notes what it is told and sets nothing."""

from __future__ import annotations

import json
import os
import shutil
import socket
import struct
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import names, rules
from .timeservers import RESOLVER, pools_text

if TYPE_CHECKING:
    from .lab import Lab

SECONDS = 240.0
BUILT = rules.wall().parents[1] / "clock"
USER = "lethe-clock"
MESSAGE = struct.Struct("=IIqq")
MESSAGE_MAGIC, ANSWER_MAGIC = 0x31746573, 0x31656E64
# What serves one connection to a door.
Server = Callable[[socket.socket], None]


def now() -> tuple[int, int]:
    """CLOCK_REALTIME and CLOCK_BOOTTIME in ns."""
    return time.time_ns(), time.clock_gettime_ns(time.CLOCK_BOOTTIME)


class Clock:
    """@fetch and @tor: who is at those doors, if not the real ones. @build: the build date, in
    seconds from now."""

    def __init__(self, lab: Lab, ca: Path | None = None, fetch: Server | None = None,
                 tor: Server | None = None, build: float = -30 * 86400, refuses: int = 0,
                 host_seconds: int = 10) -> None:  # fmt: skip
        self._lab, self._refuses = lab, refuses
        self._host_seconds = host_seconds
        self.folder = Path(tempfile.mkdtemp(prefix="lethe-clock-"))
        self.folder.chmod(0o755)
        # Here, because the user clearnet must read it: pytest closes its own folders to others again,
        # whenever somebody on this machine begins another run.
        self._ca = self.folder / "authority.pem"
        self._ca.write_bytes(ca.read_bytes() if ca else b"")
        account = names.user(USER)
        self.status_folder = self.folder / "status"
        self.status_folder.mkdir(mode=0o755)
        os.chown(self.status_folder, account.uid, account.gid)
        self.build = self.folder / "build-date"
        self.build.write_text(f"{int(time.time() + build)}\n", encoding="ascii")
        (self.folder / "pools.conf").write_text(pools_text(), encoding="ascii")
        (self.folder / "resolv.conf").write_text(f"nameserver {RESOLVER}\n", encoding="ascii")
        self.messages: list[tuple[int, int]] = []  # real, boot: what the setter was told
        self.fetchers: list[subprocess.Popen] = []
        self._listeners: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._door("fetch", fetch or self._fetch)
        self._door("set", self._set)
        self._door("tor", tor or (lambda connection: None), socket.SOCK_STREAM)
        self.log = self.folder / "log"
        self._ask = self._listen("ask", socket.SOCK_SEQPACKET)
        argv = [str(BUILT / "lethe-clockd"), f"--status={self.status_folder}",
                f"--build={self.build}",
                *(f"--{name}={self.folder / name}" for name in ("fetch", "set", "tor"))]  # fmt: skip
        with self.log.open("wb") as output:
            self.judge = lab.host.popen(argv, user=USER, stdin=self._ask, stderr=output)

    def __enter__(self) -> Clock:
        return self

    def __exit__(self, *_: object) -> None:
        self.judge.kill()
        self.judge.wait(SECONDS)
        for listener in self._listeners:
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        for fetcher in self.fetchers:
            fetcher.kill()
            fetcher.wait(SECONDS)
        for thread in self._threads:
            thread.join(SECONDS)
        shutil.rmtree(self.folder)

    def ask(self, mode: str) -> dict[str, Any]:
        answer = json.loads(self.say(json.dumps({"mode": mode}).encode()))
        if answer["outcome"] == "kept":
            print(answer, self.log.read_text(encoding="utf-8"))  # seen where a test fails
        return answer

    def say(self, message: bytes) -> bytes:
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as door:
            door.settimeout(SECONDS)
            door.connect(str(self.folder / "ask"))
            door.send(message)
            return door.recv(4096)

    def status(self) -> dict[str, Any]:
        return json.loads((self.status_folder / "status.json").read_text(encoding="ascii"))

    def told(self) -> float:
        """By how many seconds the one message to the setter moves the clock."""
        (real, boot), = self.messages
        clock, boottime = now()
        return (real - (clock - (boottime - boot))) / 1e9

    def _listen(self, name: str, kind: int) -> socket.socket:
        account = names.user(USER)
        listener = socket.socket(socket.AF_UNIX, kind)
        listener.bind(str(self.folder / name))
        os.chown(self.folder / name, account.uid, account.gid)
        listener.listen(4)
        self._listeners.append(listener)
        return listener

    def _door(self, name: str, server: Server, kind: int = socket.SOCK_SEQPACKET) -> None:
        listener = self._listen(name, kind)
        self._start(lambda: self._accept(listener, server))

    def _start(self, body: Callable[[], None]) -> None:
        thread = threading.Thread(target=body, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self, listener: socket.socket, server: Server) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            self._start(lambda connection=connection: _serve(connection, server))

    def _fetch(self, connection: socket.socket) -> None:
        """As the unit does: the network's resolver in the place of /etc/resolv.conf, and the user
        clearnet, whom the policy grants the network."""
        account = names.user(names.CLEARNET)
        program = [str(BUILT / "lethe-clock-fetch"), f"--pools={self.folder / 'pools.conf'}",
                   f"--ca={self._ca}", f"--host-seconds={self._host_seconds}"]  # fmt: skip
        script = ('mount --bind "$1" /etc/resolv.conf && shift && exec setpriv '
                  f'--reuid={account.uid} --regid={account.gid} --clear-groups -- "$@"')
        argv = ["unshare", "--mount", "--", "sh", "-c", script, "sh",
                str(self.folder / "resolv.conf"), *program]  # fmt: skip
        process = self._lab.host.popen(argv, stdin=connection)
        self.fetchers.append(process)
        connection.close()
        process.wait(SECONDS)

    def _set(self, connection: socket.socket) -> None:
        message = connection.recv(64)
        if len(message) != MESSAGE.size:
            return  # the judge has been ended, or never was there
        magic, zero, real, boot = MESSAGE.unpack(message)
        assert (magic, zero) == (MESSAGE_MAGIC, 0)
        self.messages.append((real, boot))
        connection.send(struct.pack("=Ii", ANSWER_MAGIC, -self._refuses))


def _serve(connection: socket.socket, server: Server) -> None:
    with connection:
        try:
            server(connection)
        except OSError:
            pass  # the other has gone
