# SPDX-License-Identifier: GPL-3.0-or-later
"""lethe-gate in the laboratory: started in front of a Tor, talked to as any user, and what programs said
to a real Tor, repeated."""

from __future__ import annotations

import ctypes
import os
import re
import shutil
import socket
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from . import names, netns, rules, torcontrol
from .wait import wait_for

if TYPE_CHECKING:
    from .lab import Lab

SECONDS = 120.0
SHIPPED = names.SOURCE_ROOT / "data" / "gate"
RECORDS = names.FIXTURES / "gate"
PROGRAM = rules.wall().parents[1] / "gate" / "lethe-gate"
# With a fault planted (tests/lab/meson.build).
FAULT = rules.wall().parents[2] / "tests" / "lab" / "lethe-gate-fault"
PORT = 9051
UID = 64123  # of the gate: nobody else's
_libc = ctypes.CDLL(None, use_errno=True)


class Closed(RuntimeError):
    """The gate has ended the connection."""


class Talk:
    """A connection to the gate."""

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self.socket.settimeout(SECONDS)
        self.events: list[str] = []
        self._data = b""

    def __enter__(self) -> Talk:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def line(self) -> str:
        """The next line; every line must end in CR LF."""
        while b"\n" not in self._data:
            try:
                piece = self.socket.recv(65536)
            except ConnectionError:
                piece = b""
            if not piece:
                raise Closed(self._data.decode())
            self._data += piece
        line, _, self._data = self._data.partition(b"\n")
        assert line.endswith(b"\r") and b"\0" not in line
        return line[:-1].decode("ascii")

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def reply(self) -> list[str]:
        """The next reply, with its codes; events that come before it are kept."""
        answer: list[str] = []
        while True:
            answer += [line := self.line()]
            if line[3] == "+":
                while (block := self.line()) != ".":
                    answer.append(block)
            if line[3] != " ":
                continue
            if not line.startswith("6"):
                return answer
            self.events += answer
            answer = []

    def command(self, text: str) -> list[str]:
        self.send(text.encode() + b"\r\n")
        return self.reply()

    def login(self) -> Talk:
        assert self.command("AUTHENTICATE") == ["250 OK"]
        return self

    def ask(self, text: str) -> str:
        """One command's answer in one piece of text."""
        return "\n".join(self.command(text))

    def event(self) -> str:
        while not self.events:
            line = self.line()
            assert line.startswith("650"), line
            self.events.append(line)
        return self.events.pop(0)

    def last_words(self) -> str:
        """All that still comes until the gate ends the connection."""
        lines = []
        try:
            while True:
                lines.append(self.line())
        except Closed:
            return "\n".join(lines)


class Gate:
    """A gate in front of the Tor whose control socket is in @tor, which its group may use. @grants: the
    statements of a client that everybody is; if not given, the shipped ones."""

    def __init__(self, tor: Path, grants: str | None = None, lab: Lab | None = None,
                 users: dict[str, int] | None = None, program: Path = PROGRAM) -> None:  # fmt: skip
        self._lab = lab
        self.folder = Path(tempfile.mkdtemp(prefix="lethe-gate-"))
        self.folder.chmod(0o777)
        folder = SHIPPED
        if grants is not None:
            folder = self.folder / "grants"
            folder.mkdir()
            text = f"lethe-gate 1\nclient test\nusers everyone\n{grants}\n"
            (folder / "test.conf").write_text(text, encoding="ascii")
        group = names.user(names.DEBIAN_TOR).gid
        self.socket = self.folder / "control"
        self.words = self.folder / "stderr"
        # @users: that the laboratory does not have.
        accounts = self.folder / "passwd"
        more = "".join(f"{name}:x:{uid}:{uid}::/:/bin/false\n" for name, uid in (users or {}).items())
        accounts.write_text(names.PASSWD.read_text(encoding="ascii") + more, encoding="ascii")
        argv = ["setpriv", f"--reuid={UID}", f"--regid={UID}", f"--groups={group}", "--",
                str(program), f"--grants={folder}", f"--passwd={accounts}", f"--tor={tor}",
                "--cookie=cookie", f"--listen={self.socket}"]  # fmt: skip
        if lab:
            argv = ["nsenter", f"--net={netns.path(lab.ns(names.HOST))}", *argv, f"--port={PORT}"]
        with self.words.open("wb") as output:
            self.process = subprocess.Popen(argv, stderr=output)
        wait_for(self._listens, SECONDS, "the gate to listen")

    def _listens(self) -> bool:
        assert self.process.poll() is None, self.words.read_text()
        try:
            with self.connect(names.ROOT) as talk:
                talk.send(b"QUIT\r\n")
                # It takes connections: all its sockets are there, and this one's guest has gone.
                return bool(talk.last_words())
        except OSError:
            return False

    def __enter__(self) -> Gate:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        assert self.process.wait(SECONDS) == 0, self.words.read_text()
        shutil.rmtree(self.folder)

    def connect(self, user: str | int) -> Talk:
        """By the UNIX socket: the kernel tells the effective user of whoever connects."""
        connection = socket.socket(socket.AF_UNIX)
        os.seteuid(user if isinstance(user, int) else names.user(user).uid)
        try:
            connection.connect(str(self.socket))
        except OSError:
            connection.close()
            raise
        finally:
            os.seteuid(0)
        return Talk(connection)

    def connect_tcp(self, user: str) -> Talk:
        """By the port: the kernel tells who made the socket."""
        assert self._lab
        return Talk(connect_as(self._lab, user, PORT))

    def guests(self) -> list[int]:
        text = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [int(word) for word in text.split()]

    def kilobytes(self) -> int:
        """What the door and its guests have in memory for themselves."""
        return sum(_anonymous(pid) for pid in [self.process.pid, *self.guests()])


def connect_as(lab: Lab, user: str, port: int) -> socket.socket:
    """A connection on the host under test that belongs to @user."""

    def connect() -> socket.socket:
        # The owner of a socket is the file system's user of the thread that made it.
        _libc.setfsuid(names.user(user).uid)
        return socket.create_connection(("127.0.0.1", port), timeout=SECONDS)

    return netns.run_in(lab.ns(names.HOST), connect)


def _anonymous(pid: int) -> int:
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except OSError:  # it has ended
        return 0
    match = re.search(r"^RssAnon:\s+(\d+) kB", text, re.MULTILINE)
    return int(match[1]) if match else 0


class PrivateTor:
    """A Tor without any network, as debian-tor, whose control socket its group may use."""

    def __init__(self) -> None:
        account = names.user(names.DEBIAN_TOR)
        self.folder = Path(tempfile.mkdtemp(prefix="lethe-tor-"))
        os.chown(self.folder, account.uid, account.gid)
        self.folder.chmod(0o750)
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> PrivateTor:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        shutil.rmtree(self.folder)

    def start(self) -> None:
        account = names.user(names.DEBIAN_TOR)
        for left in ("cookie", "control"):
            (self.folder / left).unlink(missing_ok=True)
        settings = ["DisableNetwork", "1", "SocksPort", "0", "DataDirectory", f"{self.folder}/data",
                    "ControlSocket", f"unix:{self.folder}/control GroupWritable",
                    "CookieAuthentication", "1", "CookieAuthFile", f"{self.folder}/cookie",
                    "CookieAuthFileGroupReadable", "1", "ShutdownWaitLength", "0",
                    "Log", f"notice file {self.folder}/log",
                    "GeoIPFile", "/dev/null", "GeoIPv6File", "/dev/null"]  # fmt: skip
        argv = ["unshare", "--net", "setpriv", f"--reuid={account.uid}", f"--regid={account.gid}",
                "--clear-groups", "tor", "--defaults-torrc", "/dev/null", "-f", "/dev/null",
                "--ignore-missing-torrc", *settings]  # fmt: skip
        self._process = subprocess.Popen(argv, stdout=subprocess.DEVNULL)
        paths = [self.folder / "cookie", self.folder / "control"]
        wait_for(lambda: all(path.exists() for path in paths), SECONDS, "Tor's cookie")

    def stop(self) -> None:
        if self._process:
            self._process.terminate()
            self._process.wait(SECONDS)
            self._process = None

    def control(self) -> torcontrol.Control:
        """Past the gate."""
        return torcontrol.Control(self.folder / "control")


@contextmanager
def open_to_group(lab: Lab) -> Iterator[Path]:
    """Let the group of the laboratory's Tor use its control socket, as data/tor/torrc does. Afterwards
    it may not: started in a folder that others may enter, this Tor makes no control socket."""
    folder = lab.tor.control_socket().parent
    modes = {folder: 0o750, folder / "control": 0o660, folder / "cookie": 0o640}
    before = {path: stat.S_IMODE(path.stat().st_mode) for path in modes}
    try:
        for path, mode in modes.items():
            path.chmod(mode)
        yield folder
    finally:
        for path, mode in before.items():
            path.chmod(mode)


def record(name: str) -> list[tuple[bool, str]]:
    """What a program said: whether it is answered, and the command."""
    lines = (RECORDS / name).read_text(encoding="ascii").splitlines()
    return [(line.startswith("ok "), line[3:]) for line in lines if not line.startswith("#")]
