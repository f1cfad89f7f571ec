# SPDX-License-Identifier: GPL-3.0-or-later
"""lethe-connectd with a message bus, a Tor and doors of its own, on the guest of the laboratory.

The guest is a computer that no rule concerns: what it sends is what Tor and its transports send. The
doors of the other services are served by this process: a transport is the real obfs4proxy.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from . import capture, names, netns, rules, torcontrol, torkeys
from .lab import Lab
from .wait import wait_for
from .watching import Bus

SECONDS = 180.0
STALL = 8  # s, as lethe-connectd is told
DEVICE = f"p-{names.GUEST}"  # the router's end of the guest's link
PORTS = {"obfs4": 9055, "meek_lite": 9056, "snowflake": 9057}
# Users that every system knows, which the message bus wants: who runs Tor and lethe-connectd, who sits
# at the computer, and somebody else.
TOR_USER, PERSON, STRANGER = 1, 2, 65534
AS_TOR_USER = ["setpriv", f"--reuid={TOR_USER}", f"--regid={TOR_USER}", "--clear-groups", "--"]


def program(name: str) -> Path:
    return rules.wall().parents[1] / "connect" / name


class Transport:
    """The lease of one transport: obfs4proxy runs while somebody holds it, behind a relay."""

    def __init__(self, ns: str, run: Path, name: str = "obfs4") -> None:
        self._ns, self._name = ns, name
        self.works = True
        self.held = 0
        self.begun = 0
        self._folder = run / "transport"
        self._folder.mkdir(exist_ok=True)
        self._door = socket.socket(socket.AF_UNIX)
        self._door.bind(str(self._folder / name))
        os.chmod(self._folder / name, 0o666)
        self._door.listen()
        self._port = 0
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        _end(self._door)

    def _serve(self) -> None:
        while True:
            try:
                lease = self._door.accept()[0]
            except OSError:
                return
            threading.Thread(target=self._lease, args=(lease,), daemon=True).start()

    def _lease(self, lease: socket.socket) -> None:
        self.begun += 1
        self.held += 1
        try:
            with lease:
                lease.sendall(b'{"state":"starting"}\n')
                if not self.works:
                    lease.sendall(b'{"state":"failed","reason":"it is told to"}\n')
                    return
                with self._proxy() as port, self._relay(port):
                    lease.sendall(b'{"state":"ready"}\n')
                    while lease.recv(4096):
                        pass
        except OSError:
            pass
        finally:
            self.held -= 1

    @contextmanager
    def _proxy(self) -> Iterator[int]:
        state = tempfile.mkdtemp(prefix="lethe-transport-")
        env = {"TOR_PT_MANAGED_TRANSPORT_VER": "1", "TOR_PT_CLIENT_TRANSPORTS": self._name,
               "TOR_PT_STATE_LOCATION": state, "TOR_PT_EXIT_ON_STDIN_CLOSE": "1"}  # fmt: skip
        argv = ["nsenter", f"--net={netns.path(self._ns)}", "/usr/bin/obfs4proxy"]
        with subprocess.Popen(argv, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              text=True) as process:  # fmt: skip
            try:
                for line in process.stdout:
                    words = line.split()
                    if words[0] == "CMETHOD":
                        yield int(words[3].rpartition(":")[2])
                        break
            finally:
                process.kill()
                shutil.rmtree(state, ignore_errors=True)

    @contextmanager
    def _relay(self, port: int) -> Iterator[None]:
        listener = netns.run_in(self._ns, _listen, PORTS[self._name])
        try:
            threading.Thread(target=self._accept, args=(listener, port), daemon=True).start()
            yield
        finally:
            _end(listener)

    def _accept(self, listener: socket.socket, port: int) -> None:
        while True:
            try:
                near = listener.accept()[0]
                far = netns.run_in(self._ns, socket.create_connection, ("127.0.0.1", port))
            except OSError:
                return
            threading.Thread(target=_pump, args=(near, far), daemon=True).start()


def _end(listener: socket.socket) -> None:
    """Also of a thread that waits at it."""
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()


def _listen(port: int) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen()
    return listener


def _pump(near: socket.socket, far: socket.socket) -> None:
    with near, far:
        other = {near: far, far: near}
        while True:
            for ready in select.select([near, far], [], [])[0]:
                try:
                    data = ready.recv(65536)
                    other[ready].sendall(data)
                except OSError:
                    return
                if not data:
                    return


class Clock:
    """The clock's door: what it was asked, and what it answers."""

    def __init__(self, run: Path) -> None:
        (run / "clock").mkdir()
        self.asked: list[str] = []
        self.answer: dict[str, Any] = {"outcome": "right", "captive": False, "difference": 0}
        self._door = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._door.bind(str(run / "clock" / "ask"))
        os.chmod(run / "clock" / "ask", 0o666)
        self._door.listen()
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        _end(self._door)

    def _serve(self) -> None:
        while True:
            try:
                connection = self._door.accept()[0]
                with connection:
                    self.asked.append(json.loads(connection.recv(4096))["mode"])
                    connection.sendall(json.dumps(self.answer).encode())
            except OSError:
                return


class Moat:
    """The service that gives bridges, behind something that stands for the transport meek_lite: its
    lease, its SOCKS port on the guest, and the door of lethe-connect-moat."""

    HOST = "moat.lab.example"

    def __init__(self, ns: str, run: Path) -> None:
        self._ns = ns
        self.place = run / "moat.conf"
        self.answers: dict[str, object] = {}
        self.asked: list[tuple[str, object]] = []  # which question, and its body
        self.arguments = b""  # as a transport gets them
        certificate, key = run / "moat.pem", run / "moat.key"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                        "-subj", f"/CN={self.HOST}", "-addext", f"subjectAltName=DNS:{self.HOST}",
                        "-keyout", str(key), "-out", str(certificate)],
                       check=True, capture_output=True)  # fmt: skip
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(certificate, key)
        self.place.write_text(f"service https://{self.HOST}/moat\n"
                              f"meek_lite url=https://front.example/ front=cdn.example\n"
                              f"ca {certificate}\n")  # fmt: skip
        (run / "transport").mkdir(exist_ok=True)
        (run / "connect").mkdir()
        self._lease = self._listen_at(run / "transport" / "meek_lite", self._hold)
        self._door = self._listen_at(run / "connect" / "moat", self._program)
        self._socks = netns.run_in(ns, _listen, PORTS["meek_lite"])
        threading.Thread(target=_accept_all, args=(self._socks, self._serve), daemon=True).start()

    def close(self) -> None:
        for listener in (self._lease, self._door, self._socks):
            _end(listener)

    def _listen_at(self, path: Path, serve: Callable[[socket.socket], None]) -> socket.socket:
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(path))
        os.chmod(path, 0o666)
        listener.listen()
        threading.Thread(target=_accept_all, args=(listener, serve), daemon=True).start()
        return listener

    def _hold(self, lease: socket.socket) -> None:
        lease.sendall(b'{"state":"ready"}\n')
        while lease.recv(4096):
            pass

    def _program(self, connection: socket.socket) -> None:
        argv = ["nsenter", f"--net={netns.path(self._ns)}", "--", *AS_TOR_USER,
                str(program("lethe-connect-moat")), f"--place={self.place}"]  # fmt: skip
        subprocess.run(argv, stdin=connection, stdout=connection, check=False, timeout=SECONDS)

    def _serve(self, connection: socket.socket) -> None:
        """SOCKS (RFC 1928, 1929), then TLS, then one question."""
        take = connection.makefile("rb")
        take.read(take.read(2)[1])
        connection.sendall(b"\x05\x02")
        name = take.read(take.read(2)[1])
        self.arguments = name + take.read(take.read(1)[0])
        connection.sendall(b"\x01\x00")
        take.read(take.read(5)[4] + 2)
        connection.sendall(b"\x05\x00\x00\x01" + bytes(6))
        with self._tls.wrap_socket(connection, server_side=True) as inside:
            lines = inside.makefile("rb")
            path = lines.readline().split()[1].decode()
            length = 0
            while (line := lines.readline().strip()):
                if line.lower().startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
            what = path.rpartition("/")[2]
            self.asked.append((what, json.loads(lines.read(length))))
            answer = self.answers.get(what)
            body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            status = b"404 Not Found" if answer is None else b"200 OK"
            inside.sendall(b"HTTP/1.1 %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s"
                           % (status, len(body), body))  # fmt: skip


def _accept_all(listener: socket.socket, serve: Callable[[socket.socket], None]) -> None:
    def one(connection: socket.socket) -> None:
        with connection:
            try:
                serve(connection)
            except (OSError, IndexError, ValueError):
                pass  # the other side went away, or asked nothing that is understood

    while True:
        try:
            connection = listener.accept()[0]
        except OSError:
            return
        threading.Thread(target=one, args=(connection,), daemon=True).start()


class Tor:
    """A Tor that waits until it is told to connect. Another one can take its place."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        self._lab = lab
        self._folder = folder
        self.control = folder / "tor" / "control"
        self.cookie = folder / "tor" / "cookie"
        self.log = folder / "tor.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *more: str) -> None:
        data = self._folder / "tor-data"
        shutil.rmtree(data, ignore_errors=True)
        shutil.rmtree(self.control.parent, ignore_errors=True)
        for made in (data, self.control.parent):
            made.mkdir(mode=0o700)
            os.chown(made, TOR_USER, TOR_USER)
        lines = ["TestingTorNetwork 1",
                 *(authority.line() for authority in torkeys.authorities(torkeys.directory())),
                 f"DataDirectory {data}", f"ControlSocket unix:{self.control}",
                 "CookieAuthentication 1", f"CookieAuthFile {self.cookie}", "ShutdownWaitLength 0",
                 "GeoIPFile /dev/null", "GeoIPv6File /dev/null", "SocksPort 127.0.0.1:9050",
                 "ClientUseIPv6 0", "Sandbox 1", "DisableNetwork 1", *more]  # fmt: skip
        torrc = self._folder / "torrc"
        torrc.write_text("\n".join(lines) + "\n", encoding="ascii")
        argv = ["nsenter", f"--net={netns.path(self._lab.ns(names.GUEST))}", "--", *AS_TOR_USER,
                "tor", "--defaults-torrc", "/dev/null", "-f", str(torrc)]  # fmt: skip
        with open(self.log, "ab") as log:
            self._process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log,
                                             env={"HOME": "/nonexistent"})  # fmt: skip
        wait_for(lambda: self.cookie.exists() and self.control.exists(), SECONDS, "Tor's cookie")

    def kill(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait(SECONDS)
            self._process = None

    def ask(self, key: str) -> str:
        with torcontrol.Control(self.control) as control:
            return control.info(key)

    def conf(self, option: str) -> list[str]:
        """The values of an option."""
        with torcontrol.Control(self.control) as control:
            return [line.partition("=")[2] for line in control.command(f"GETCONF {option}")]

    @property
    def networked(self) -> bool:
        return self.conf("DisableNetwork") == ["0"]


class Daemon:
    """A running lethe-connectd, and the command that asks it."""

    def __init__(self, lab: Lab, bus: Bus, run: Path, tor: Tor, bridges: str = "",
                 stall: int = STALL) -> None:  # fmt: skip
        self.bus, self.tor = bus, tor
        self._file = run / "bridges.conf"
        self._file.write_text(bridges)
        argv = ["nsenter", f"--net={netns.path(lab.ns(names.GUEST))}", "--", *AS_TOR_USER,
                str(program("lethe-connectd")), f"--bus={bus.address}", f"--run={run}",
                f"--tor-socket={tor.control}", f"--cookie={tor.cookie}", f"--bridges={self._file}",
                f"--stall={stall}"]  # fmt: skip
        self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT)  # fmt: skip
        wait_for(self._answers, SECONDS, "lethe-connectd")

    def _answers(self) -> bool:
        if self.process.poll() is not None:
            raise RuntimeError(f"lethe-connectd has ended: {self.process.stdout.read().decode()}")
        return self.run("status").returncode != 1

    def command(self, *words: str) -> list[str]:
        return [str(program("lethe-connect")), f"--bus={self.bus.address}", *words]

    def run(self, *words: str, **options: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.run(self.command(*words), capture_output=True, text=True, timeout=SECONDS,
                              check=False, stdin=subprocess.DEVNULL, **options)  # fmt: skip

    def status(self) -> dict[str, Any]:
        return json.loads(self.run("status", "--json").stdout)

    @property
    def state(self) -> str:
        return self.status()["state"]

    def await_state(self, state: str, **more: Any) -> dict[str, Any]:
        """Wait until it is so; more of the status may be asked for."""
        def reached() -> dict[str, Any] | None:
            status = self.status()
            wanted = {"state": state} | more
            return status if all(status[key] == value for key, value in wanted.items()) else None

        try:
            return wait_for(reached, SECONDS, f"the state {state} {more}")
        except TimeoutError as error:
            tail = self.tor.log.read_text(errors="replace")[-3000:]
            raise TimeoutError(f"{error}: {self.status()}\n{tail}") from None

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate(timeout=SECONDS)

    def close(self) -> str:
        """End it; what it printed."""
        self.process.terminate()
        said = self.process.communicate(timeout=SECONDS)[0].decode()
        assert self.process.returncode == 0, said
        return said


class Rig:
    """All of it together."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        self.lab = lab
        self.guest = lab.ns(names.GUEST)
        self.folder = folder
        os.chmod(folder, 0o755)
        self.bus = Bus(folder)
        self.tor = Tor(lab, folder)
        self.clock = Clock(folder)
        self.obfs4 = Transport(self.guest, folder)
        self.daemons: list[Daemon] = []

    def daemon(self, **options: Any) -> Daemon:
        made = Daemon(self.lab, self.bus, self.folder, self.tor, **options)
        self.daemons.append(made)
        return made

    def close(self) -> None:
        for daemon in self.daemons:
            if daemon.process.poll() is None:
                daemon.close()
        self.tor.kill()
        self.clock.close()
        self.obfs4.close()
        self.bus.close()

    def wire(self) -> capture.Capture:
        """All that leaves the guest, and what is sent to it, but for its own name resolution of
        neighbours."""
        return capture.Capture(self.lab, device=DEVICE)


@contextmanager
def rig(lab: Lab) -> Iterator[Rig]:
    with tempfile.TemporaryDirectory(prefix="lethe-connect-") as folder:
        made = Rig(lab, Path(folder))
        try:
            yield made
        finally:
            made.close()


def sent(frames: list[capture.Frame]) -> set[str]:
    """Where IPv4 packets of the guest went."""
    address = socket.inet_aton(names.GUEST_ADDRESS)
    return {socket.inet_ntoa(frame.data[30:34]) for frame in frames
            if frame.incoming and frame.ethertype == 0x0800 and frame.data[26:30] == address}  # fmt: skip


@contextmanager
def blocked(lab: Lab, keep: Callable[[str], bool], how: str = "drop") -> Iterator[None]:
    """The LAN's router lets nothing of the guest's through to these: all public nodes but those that
    @keep names."""
    addresses = ", ".join(address for node, address in names.PUBLIC_NODES.items() if not keep(node))
    ns = lab.ns(names.ROUTER)
    netns.nft(ns, f"table inet censor {{ chain forward {{ type filter hook forward priority -10; "
                  f"ip saddr {names.GUEST_ADDRESS} ip daddr {{ {addresses} }} {how}; }}; }}\n")
    try:
        yield
    finally:
        netns.nft(ns, "delete table inet censor\n")
