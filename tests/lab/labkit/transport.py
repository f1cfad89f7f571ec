# SPDX-License-Identifier: GPL-3.0-or-later
"""lethe-transport as its units run it: sockets of the host, a process in a namespace of its own.

What systemd does in the image, this does here: it listens for the lease and for Tor, starts the
program when somebody asks for a lease, with both sockets, and stops listening for Tor afterwards.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import names, netns, rules, torcontrol, torkeys
from .wait import wait_for

if TYPE_CHECKING:
    from .lab import Lab

SECONDS = 120.0
NAMESPACES = {"obfs4": "bridges", "meek_lite": "fronts", "snowflake": "fronts"}
PORTS = {
    "obfs4": names.TRANSPORT_OBFS4_PORT,
    "meek_lite": names.TRANSPORT_MEEK_LITE_PORT,
    "snowflake": names.TRANSPORT_SNOWFLAKE_PORT,
}
# Descriptors 3 and 4 are what sd_listen_fds(3) hands over; the process is the shell's.
_HAND_OVER = 'exec 3<&{0} 4<&{1} {0}<&- {1}<&-; LISTEN_PID=$$ LISTEN_FDS=2 LISTEN_FDNAMES=lease:port exec "$@"'


def program() -> Path:
    return rules.wall().parents[1] / "transport" / "lethe-transport"


def _with_capabilities(argv: list[str], words: str) -> list[str]:
    """@argv, of Host.command(), with these and no others to be had."""
    where = argv.index("setpriv") + 1
    sets = [f"--{kind}={words}" for kind in ("inh-caps", "ambient-caps", "bounding-set")]
    return argv[:where] + sets + argv[where:]


def _high(sock: socket.socket) -> int:
    """A copy of its descriptor far from those that have a meaning."""
    return fcntl.fcntl(sock, fcntl.F_DUPFD, 100)


class Lease:
    """Of one transport: what it says, line by line, and its end."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(SECONDS)
        self._socket.connect(str(path))
        self._data = b""

    def line(self) -> dict[str, Any] | None:
        """The next line; None at the end."""
        while b"\n" not in self._data:
            piece = self._socket.recv(4096)
            if not piece:
                assert not self._data, self._data
                return None
            self._data += piece
        line, _, self._data = self._data.partition(b"\n")
        return json.loads(line)

    def rest(self) -> list[dict[str, Any]]:
        lines = []
        while (line := self.line()) is not None:
            lines.append(line)
        return lines

    def close(self) -> None:
        self._socket.close()


class Unit:
    """One transport and its sockets. A context manager; nothing of it remains."""

    def __init__(self, lab: Lab, name: str) -> None:
        self._lab, self.name, self.port = lab, name, PORTS[name]
        self._folder = lab.state / f"transport-{name}"
        self.process: subprocess.Popen | None = None
        self._listener: socket.socket | None = None

    def __enter__(self) -> Unit:
        user = names.user(names.TRANSPORT)
        self._folder.mkdir()
        self._state = self._folder / "state"
        self._state.mkdir(mode=0o700)
        os.chown(self._state, user.uid, user.gid)
        # Where every user may run it, wherever the build folder is.
        self._program = self._folder / "lethe-transport"
        shutil.copy(program(), self._program)
        self._lessor = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._lessor.bind(str(self._folder / "lease"))
        self._lessor.listen(8)
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        self._lessor.close()
        shutil.rmtree(self._folder)

    def lease(self) -> Lease:
        return Lease(self._folder / "lease")

    def start(self, *options: str, namespace: str = "", transport: str = "") -> None:
        """As the lease's socket unit does when somebody has connected. @transport: a program in
        Python, in place of the real one."""
        assert self.process is None
        self._listener = netns.run_in(self._lab.ns(names.HOST), socket.create_server,
                                      ("127.0.0.1", self.port))
        words = [str(self._program), f"--state={self._state}", *options, self.name]
        if transport:
            fake = self._folder / "fake"
            fake.write_text("#!/usr/bin/python3\n" + transport, encoding="utf-8")
            fake.chmod(0o755)
            words.insert(1, f"--program={fake}")
        handed = (_high(self._lessor), _high(self._listener))
        shell = ["bash", "-c", _HAND_OVER.format(*handed), "bash", *words]
        self._log = open(self._lab.logs / f"transport-{self.name}", "ab")
        argv = self._lab.host.command(shell, names.TRANSPORT, namespace or NAMESPACES[self.name])
        self.process = subprocess.Popen(
            _with_capabilities(argv, "-all"), env=self._lab.host.environment(names.TRANSPORT),
            pass_fds=handed, stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log)
        for descriptor in handed:
            os.close(descriptor)

    def borrow(self, *options: str, transport: str = "") -> Lease:
        """Ask for it, and be there when it is ready."""
        lease = self.lease()
        self.start(*options, transport=transport)
        lines = [lease.line(), lease.line()]
        assert lines == [{"state": "starting"}, {"state": "ready"}], lines
        return lease

    def ended(self) -> int:
        """Wait until it has ended by itself; its exit status. Then nobody listens for Tor."""
        assert self.process and self._listener
        status = self.process.wait(SECONDS)
        self._close()
        return status

    def kill(self) -> None:
        if self.process:
            self.process.kill()
            self.process.wait()
            self._close()

    def _close(self) -> None:
        assert self._listener
        self._listener.close()
        self._log.close()
        self.process = self._listener = None

    def transport_id(self) -> int:
        """The process of the transport itself."""
        assert self.process
        path = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return int(wait_for(lambda: path.read_text(encoding="ascii"), SECONDS, "the transport"))


# ---- Tor, as the image has it --------------------------------------------------------------------

SHIPPED = names.SOURCE_ROOT / "data" / "tor" / "torrc"
LABEL = "tor-shipped"
# What its unit gives it: a low port, and a transparent one.
_CAPABILITIES = "-all,+net_bind_service,+net_raw"


class Tor:
    """The host's Tor with the shipped configuration: only its folders are elsewhere, and it knows
    the lab's authorities. As in the image it connects to nobody until it is told to."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self.folder = lab.state / "shipped-tor"

    def start(self) -> None:
        user = names.user(names.DEBIAN_TOR)
        for path, mode in ((self.folder, 0o700), (self.folder / "data", 0o700),
                           (self.folder / "run", 0o750)):
            path.mkdir(mode=mode)
            os.chown(path, user.uid, user.gid)
        text = SHIPPED.read_text(encoding="utf-8")
        text = text.replace("/var/lib/tor", f"{self.folder}/data")
        text = text.replace("control.authcookie", "cookie").replace("/run/tor/", f"{self.folder}/run/")
        text = text.replace("Log notice syslog", f"Log notice file {self.folder}/log")
        text = re.sub(r"^%include .*\n", "", text, flags=re.MULTILINE)
        lines = ["TestingTorNetwork 1", *(a.line() for a in torkeys.authorities(torkeys.directory()))]
        torrc = self.folder / "torrc"
        torrc.write_text(text + "\n".join(lines) + "\n", encoding="utf-8")
        torrc.chmod(0o644)
        argv = self._lab.host.command(["tor", "--defaults-torrc", "/dev/null", "-f", str(torrc)],
                                      user=names.DEBIAN_TOR)
        argv = _with_capabilities(argv, _CAPABILITIES)
        self.process = self._lab.registry.start(LABEL, argv, self._lab.logs / LABEL,
                                                env={"PATH": "/usr/bin:/usr/sbin:/bin"})
        wait_for(self._answers, SECONDS, f"Tor's control socket (see {self._lab.logs / LABEL})")

    def stop(self) -> None:
        self._lab.registry.stop([self.process])
        shutil.rmtree(self.folder)

    def log(self) -> str:
        return (self.folder / "log").read_text(encoding="utf-8", errors="replace")

    def control(self) -> torcontrol.Control:
        return torcontrol.Control(self.folder / "run" / "control")

    def _answers(self) -> bool:
        try:
            self.control().__exit__(None, None, None)
        except (OSError, torcontrol.ControlError):
            return False
        return True

    def command(self, text: str) -> list[str]:
        with self.control() as control:
            return control.command(text)

    def use_bridge(self, line: str) -> None:
        """As lethe-connect does it: all in one command, so that there is no moment between."""
        name = line.split()[0]
        plugin = f"{name} socks5 127.0.0.1:{PORTS[name]}"
        self.command(f'SETCONF ClientTransportPlugin="{plugin}" Bridge="{line}" UseBridges=1 '
                     "DisableNetwork=0")

    def disconnect(self) -> None:
        self.command("SETCONF DisableNetwork=1")
        self.command("RESETCONF Bridge UseBridges ClientTransportPlugin")
        self.command("DROPGUARDS")

    def await_bootstrap(self, seconds: float = 2 * SECONDS) -> None:
        def done() -> bool:
            with self.control() as control:
                return control.bootstrap()[0] == 100

        wait_for(done, seconds, f"Tor at 100 % (see {self.folder / 'log'})")


def refused(call: Callable[[], object]) -> bool:
    try:
        call()
    except (ConnectionRefusedError, PermissionError):
        return True
    return False


def has_ended(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
    except OSError:
        return True
    return state in "ZX"
