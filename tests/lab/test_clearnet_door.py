# SPDX-License-Identifier: GPL-3.0-or-later
"""The door to the clearnet namespace: lethe-clearnetd on a message bus of its own, lethe-clearnet, and
lethe-clearnet-run in a namespace that lethe-namespace has made. Of systemd there is a stand-in that does
what two sockets with Accept=yes do; the units themselves are tried in the virtual machine."""

from __future__ import annotations

import errno
import json
import os
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from labkit import clearnet, names, rules, watching
from labkit.lab import Lab
from labkit.wait import wait_for

SECONDS = 60.0
INSIDE = "clearnet"
FETCH = f"import urllib.request as u;print(u.urlopen('http://{names.WEB_ADDRESS}/').read().decode())"
TELL = ("import json,os;print(json.dumps(dict(uid=os.getresuid(),gid=os.getresgid(),"
        "env=dict(os.environ),net=os.stat('/proc/self/ns/net').st_ino,cwd=os.getcwd(),"
        "fds=len(os.listdir('/proc/self/fd')))))")
CAPS = "print(open('/proc/self/status').read())"


def _program(name: str) -> Path:
    return clearnet.program().parent / name


class Manager:
    """Listens as the socket units do, and starts what their services start."""

    def __init__(self, lab: Lab, folder: Path, programs: Path) -> None:
        self._lab, self._programs = lab, programs
        self.started: list[subprocess.Popen] = []
        folder.mkdir()
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._listener.bind(str(folder / "console"))
        os.chmod(folder / "console", 0o666)
        self._listener.listen()
        threading.Thread(target=self._serve, args=(self._listener,), daemon=True).start()

    def _serve(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                self.started.append(self.run(connection))

    def run(self, connection: socket.socket, private_pids: bool = True) -> subprocess.Popen:
        argv = [str(_program("lethe-clearnet-run")), f"--programs={self._programs}",
                f"--cmdline={self._programs.parent / 'cmdline'}"]
        # Its unit makes it the first of a PID namespace.
        first = ["unshare", "--map-current-user", "--pid", "--fork", "--"] if private_pids else []
        return self._lab.host.popen(["setpriv", "--no-new-privs", "--", *first, *argv], user=names.AMNESIA,
                                    namespace=INSIDE, stdin=connection, stdout=subprocess.DEVNULL,
                                    stderr=subprocess.DEVNULL)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for process in self.started:
            process.wait(SECONDS)


class Bus:
    """A message bus that knows the users of the host under test."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        path, settings = folder / "bus", folder / "bus.conf"
        settings.write_text(watching.BUS.format(socket=path, policies="", more=watching.OPEN_TO_ALL))
        self.address = f"unix:path={path}"
        self._process = lab.host.popen(
            ["dbus-daemon", f"--config-file={settings}", "--nofork", "--nopidfile"],
            stderr=subprocess.DEVNULL)  # fmt: skip
        wait_for(path.exists, SECONDS, "the message bus")

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(SECONDS)


class Door:
    def __init__(self, lab: Lab, folder: Path, cmdline: str) -> None:
        self.lab, self.folder = lab, folder
        self.programs = folder / "programs"
        self.programs.mkdir()
        (folder / "cmdline").write_text(cmdline)
        self.bus = Bus(lab, folder)
        self.manager = Manager(lab, folder / "sockets", self.programs)
        self.daemon = self._start()

    def _start(self) -> subprocess.Popen:
        argv = [str(_program("lethe-clearnetd")), f"--bus={self.bus.address}",
                f"--programs={self.programs}", f"--sockets={self.folder / 'sockets'}",
                f"--cmdline={self.folder / 'cmdline'}"]  # fmt: skip
        daemon = self.lab.host.popen(argv, user=names.NOBODY)
        wait_for(lambda: self.ask("status").returncode == 0, SECONDS, "lethe-clearnetd")
        return daemon

    def allow(self, name: str, *arguments: str, program: str = "/usr/bin/python3") -> None:
        lines = [f"program = {program}", *(f"argument = {word}" for word in arguments)]
        (self.programs / f"{name}.conf").write_text("\n".join(lines) + "\n")

    def command(self, *words: str) -> list[str]:
        return [str(_program("lethe-clearnet")), f"--bus={self.bus.address}",
                f"--programs={self.programs}", *words]

    def ask(self, *words: str, user: str = names.AMNESIA) -> subprocess.CompletedProcess[str]:
        return self.lab.host.run(self.command(*words), user=user, timeout=SECONDS)

    def status(self) -> dict[str, Any]:
        return json.loads(self.ask("status", "--json").stdout)

    @contextmanager
    def running(self, name: str) -> Iterator[subprocess.Popen]:
        with self.lab.host.popen(self.command("start", name), user=names.AMNESIA,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE) as client:
            try:
                wait_for(lambda: self.status()["name"] == name, SECONDS, f"{name} to run")
                yield client
            finally:
                client.kill()

    def processes(self) -> list[str]:
        """What runs in the namespace."""
        inode, found = os.stat(self.lab.host.clearnet.net).st_ino, []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    if os.stat(entry / "ns/net").st_ino == inode:
                        found.append((entry / "cmdline").read_text().replace("\0", " "))
                except OSError:
                    continue  # it has ended
        return found

    def wait_idle(self) -> None:
        wait_for(lambda: not self.status()["running"], SECONDS, "the program to be over")
        wait_for(lambda: self.processes() == [], SECONDS, "the namespace to be empty")

    def close(self) -> None:
        self.daemon.terminate()
        assert self.daemon.wait(SECONDS) == 0
        self.manager.close()
        self.bus.close()


@contextmanager
def door(lab: Lab, cmdline: str = "quiet lethe.other=off\n") -> Iterator[Door]:
    with tempfile.TemporaryDirectory(prefix="lethe-clearnet-") as name:
        os.chmod(name, 0o755)
        made = Door(lab, Path(name), cmdline)
        try:
            yield made
        finally:
            made.close()


@pytest.fixture
def house(bare: Lab) -> Iterator[Lab]:
    rules.apply_lethe(bare)
    bare.host.clearnet.stop()
    bare.host.clearnet.start()
    yield bare
    bare.host.clearnet.stop()


# Through it ---------------------------------------------------------------------------------------


def test_an_allowed_program_has_the_network(house: Lab) -> None:
    with door(house) as made:
        made.allow("fetch", "-c", FETCH)
        said = made.ask("start", "fetch")
        assert said.returncode == 0, said.stderr
        assert said.stdout.strip() == names.WEB_BODY_START + names.ROUTER_PUBLIC
        assert made.status() == {"enabled": True, "running": False, "name": None, "exit": 0}
        made.wait_idle()


def test_what_a_program_gets(house: Lab) -> None:
    with door(house) as made:
        made.allow("tell", "-c", TELL)
        made.allow("caps", "-c", CAPS)
        told = json.loads(made.ask("start", "tell").stdout)
        account = names.user(names.AMNESIA)
        assert told["uid"] == [account.uid] * 3 and told["gid"] == [account.gid] * 3
        assert told["net"] == os.stat(house.host.clearnet.net).st_ino
        assert told["cwd"] == told["env"]["HOME"] == "/tmp/home"
        assert told["fds"] == 4  # standard ones, and the folder that it lists
        assert not set(told["env"]) & {"DBUS_SESSION_BUS_ADDRESS", "SOCKS_SERVER", "DISPLAY",
                                         "WAYLAND_DISPLAY"}
        assert told["env"]["XDG_RUNTIME_DIR"] == "/tmp/runtime"
        status = made.ask("start", "caps").stdout
        for kind in ("CapPrm", "CapEff", "CapInh", "CapAmb"):
            assert f"{kind}:\t{0:016x}" in status
        assert "NoNewPrivs:\t1" in status
    house.host.run(["rm", "-rf", "/tmp/home", "/tmp/runtime"], check=True)


# EPERM, or EFAULT where it may be read.
READ_THE_FIRST = """import ctypes
libc, room = ctypes.CDLL(None, use_errno=True), ctypes.create_string_buffer(8)
here, there = (ctypes.c_size_t * 2)(ctypes.addressof(room), 8), (ctypes.c_size_t * 2)(64, 8)
assert libc.process_vm_readv(1, here, 1, there, 1, 0) == -1
print(ctypes.get_errno())
"""


def test_a_program_does_not_get_at_what_started_it(house: Lab) -> None:
    """It is of the same user; whoever wrote into it, or stopped it, would not be ended."""
    with door(house) as made:
        script = made.folder / "read.py"
        script.write_text(READ_THE_FIRST)
        made.allow("read", str(script))
        assert made.ask("start", "read").stdout.strip() == str(errno.EPERM)


def test_how_a_program_ended_is_told(house: Lab) -> None:
    with door(house) as made:
        made.allow("seven", "-c", "import sys;print('out');sys.exit(7)")
        made.allow("killed", "-c", "import os;os.kill(os.getpid(),9)")
        made.allow("none", program="/usr/bin/there-is-none-of-this-name")
        said = made.ask("start", "seven")
        assert (said.returncode, said.stdout) == (4, "out\n") and "status 7" in said.stderr
        assert made.ask("start", "killed").returncode == 4
        assert made.status()["exit"] == 128 + 9
        assert made.ask("start", "none").returncode == 4
        assert made.status()["exit"] == 127


def test_there_is_no_display(house: Lab) -> None:
    """It comes with the desktop. A file that asks for one is not half obeyed."""
    with door(house) as made:
        (made.programs / "window.conf").write_text("program = /usr/bin/python3\ndisplay = yes\n")
        said = made.ask("start", "window")
        assert said.returncode == 1 and "window.conf" in made.ask("list").stderr
        made.allow("console", "-c", "print('shown')")
        os.unlink(made.folder / "sockets" / "console")
        said = made.ask("start", "console")
        assert said.returncode == 3 and "service manager" in said.stderr
        assert made.manager.started == []


# One at a time ------------------------------------------------------------------------------------


def test_one_at_a_time(house: Lab) -> None:
    with door(house) as made:
        made.allow("long", "-c", "import time;time.sleep(10000)")
        made.allow("fetch", "-c", FETCH)
        with made.running("long") as client:
            for name in ("fetch", "long"):
                said = made.ask("start", name)
                assert said.returncode == 1 and "long runs already" in said.stderr
            assert len(made.manager.started) == 1
            assert made.ask("stop").returncode == 0
            assert client.wait(SECONDS) == 4
        made.wait_idle()
        assert made.status()["exit"] == 128 + 15
        assert made.ask("start", "fetch").returncode == 0


def test_two_at_once(house: Lab) -> None:
    """Asked at the same moment, again and again: never do both run."""
    with door(house) as made:
        made.allow("long", "-c", "import time;time.sleep(10000)")
        for _ in range(5):
            clients = [house.host.popen(made.command("start", "long"), user=names.AMNESIA,
                                         stdout=subprocess.PIPE, stderr=subprocess.PIPE)
                       for _ in range(4)]
            refused = wait_for(lambda: [c for c in clients if c.poll() is not None][2:], SECONDS,
                               "all but one to be refused")
            assert refused and sum(client.poll() is None for client in clients) == 1
            assert all(client.poll() in (1, None) for client in clients)
            made.ask("stop")
            for client in clients:
                client.communicate(timeout=SECONDS)
            made.wait_idle()
        assert len(made.manager.started) == 5


# Leases -------------------------------------------------------------------------------------------


# Leaves its own group for that of a child, so that no signal to the group reaches it.
MOVER = """import os, signal, time
signal.signal(15, 1)
ready, told = os.pipe()
child = os.fork()
if child == 0:
    os.setpgid(0, 0)
    os.write(told, b"x")
else:
    os.read(ready, 1)
    os.setpgid(0, child)
    {ready}
time.sleep(10000)
"""
# What it has left behind ends again and again: each time its parent is told.
ORPHANS = """import os, signal, time
signal.signal(15, 1)
{ready}
while True:
    if os.fork() == 0:
        if os.fork() == 0:
            {pause}
        os._exit(0)
    os.wait()
    {pause}
"""
UNWILLING = {"plain": "import time\n{ready}\ntime.sleep(10000)",
             "stubborn": "import signal, time\nsignal.signal(15, 1)\n{ready}\ntime.sleep(10000)",
             "breeder": "import os, time\nos.fork()\nos.fork()\n{ready}\ntime.sleep(10000)",
             "mover": MOVER, "orphans": ORPHANS.replace("{pause}", "time.sleep(0.3)"),
             "storm": ORPHANS.replace("{pause}", "pass")}  # fmt: skip


@pytest.mark.parametrize("what", UNWILLING)
def test_it_ends_with_who_asked_for_it(house: Lab, what: str) -> None:
    with door(house) as made:
        script = made.folder / "unwilling.py"
        script.write_text(UNWILLING[what].replace("{ready}", "print('ready', flush=True)"))
        made.allow("long", str(script))
        with made.running("long") as client:
            assert client.stdout and client.stdout.readline() == b"ready\n"
            client.kill()
        made.wait_idle()


def test_it_ends_with_the_daemon(house: Lab) -> None:
    with door(house) as made:
        made.allow("long", "-c", "import time;time.sleep(10000)")
        with made.running("long"):
            made.daemon.kill()
            made.daemon.wait(SECONDS)
            wait_for(lambda: made.processes() == [], SECONDS, "the namespace to be empty")
        made.daemon = made._start()
        assert not made.status()["running"]


def test_one_that_says_nothing_more_goes_on(house: Lab) -> None:
    """What it writes may end before itself."""
    with door(house) as made:
        made.allow("quiet", "-c", "import os,time;print('x',flush=True);os.close(1);os.close(2);"
                   "time.sleep(1);os._exit(5)")
        said = made.ask("start", "quiet")
        assert (said.returncode, said.stdout) == (4, "x\n") and "status 5" in said.stderr


# Refusals -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("cmdline,enabled", [
    ("quiet\n", True), ("lethe.clearnet=on\n", True), ("a lethe.clearnetx=off\n", True),
    ("quiet lethe.clearnet=off\n", False), ("lethe.clearnet=off lethe.clearnet=on\n", False),
    ("lethe.clearnet\n", False), ("lethe.clearnet=\n", False), ('lethe.clearnet="on"\n', False),
    ("lethe.clearnet=yes\n", False), ("x" * 5000, False)])
def test_the_switch_at_the_start(house: Lab, cmdline: str, enabled: bool) -> None:
    with door(house, cmdline) as made:
        made.allow("tell", "-c", "print('ran')")
        assert made.status()["enabled"] == enabled
        said = made.ask("start", "tell", user=names.ROOT)
        assert (said.returncode, said.stdout) == ((0, "ran\n") if enabled else (1, ""))
        if not enabled:
            assert "disabled" in said.stderr and "disabled" in made.ask("status").stdout
            assert made.manager.started == []


def test_who_may_ask(house: Lab) -> None:
    """Where there is no polkit: root and the user of the session, even where the bus lets others ask."""
    with door(house) as made:
        made.allow("tell", "-c", "print('ran')")
        assert made.ask("start", "tell").returncode == 0
        assert made.ask("start", "tell", user=names.CLEARNET).returncode == 1
        assert made.ask("start", "tell", user=names.ROOT).returncode == 0
        assert len(made.manager.started) == 2


def test_only_what_is_allowed(house: Lab) -> None:
    with door(house) as made:
        made.allow("good", "-c", "print('ran')")
        (made.programs / "bad.conf").write_text("program = /usr/bin/python3\nuser = root\n")
        (made.programs / "outside.conf").write_text("program = /tmp/x\n")
        for name in ("none", "../programs/good", "good.conf", "/etc/passwd", "", "GOOD", "bad",
                     "outside", "x" * 300):
            said = made.ask("start", name)
            assert said.returncode == 1, name
            assert said.stderr.startswith("lethe-clearnet: "), said.stderr
        assert made.manager.started == []
        assert "bad.conf:2:1: keys are" in made.ask("list").stderr
        assert made.ask("list").stdout.split() == ["good"]
        assert json.loads(made.ask("list", "--json").stdout) == [
            {"name": "good", "title": ""}]


def test_without_the_daemon(house: Lab) -> None:
    with door(house) as made:
        made.daemon.terminate()
        made.daemon.wait(SECONDS)
        said = made.ask("status")
        assert said.returncode == 3 and "does not run" in said.stderr
        made.daemon = made._start()


@pytest.mark.parametrize("words", ([], ["start"], ["start", "a", "b"], ["stop", "x"], ["dance"],
                                   ["--what"], ["status", "x"]))
def test_wrong_usage(house: Lab, words: list[str]) -> None:
    with_bus = [str(_program("lethe-clearnet")), "--bus=unix:path=/nowhere", *words]
    assert house.host.run(with_bus, user=names.AMNESIA).returncode == (2 if words else 3)


# What starts them ---------------------------------------------------------------------------------


def _request(made: Door, data: bytes, descriptors: list[int], private_pids: bool = True) -> list[bytes]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        socket.send_fds(ours, [data], descriptors)
        process = made.manager.run(theirs, private_pids)
        theirs.close()
        ours.settimeout(SECONDS)
        answers = []
        while answer := ours.recv(4096):
            answers.append(answer)
        assert process.wait(SECONDS) == (0 if answers[0] == b"started" else 3)
    return answers


def test_what_starts_them_takes_a_pipe_and_a_name(house: Lab) -> None:
    """A socket would be a way to hand descriptors out of the namespace."""
    with door(house) as made:
        made.allow("good", "-c", "print('ran')")
        read, write = os.pipe()
        first, second = socket.socketpair()
        null = os.open("/dev/null", os.O_WRONLY)
        assert _request(made, b"good", [write]) == [b"started", b"exit 0"]
        os.close(write)
        assert os.read(read, 100) == b"ran\n"
        for data, descriptors in ((b"good", []), (b"good", [first.fileno()]), (b"good", [null]),
                                  (b"good", [read]), (b"none", [read]), (b"go\0od", [read]),
                                  (b"x" * 1000, [read]), (b"good", [null, null])):
            answers = _request(made, data, descriptors)
            assert len(answers) == 1 and answers[0].startswith(b"failed "), (data, descriptors)
        for descriptor in (read, null):
            os.close(descriptor)
        first.close()
        second.close()


def test_what_starts_them_is_the_first_of_its_namespace(house: Lab) -> None:
    """Nothing else could end all of what it starts."""
    with door(house) as made:
        made.allow("good", "-c", "print('ran')")
        read, write = os.pipe()
        answers = _request(made, b"good", [write], private_pids=False)
        assert len(answers) == 1 and b"first of a PID namespace" in answers[0]
        os.close(write)
        assert os.read(read, 100) == b""
        os.close(read)


@pytest.mark.parametrize("cmdline", ("lethe.clearnet=off\n", "lethe.clearnet\n", "x" * 5000))
def test_what_starts_them_looks_at_the_switch_itself(house: Lab, cmdline: str) -> None:
    """Where somebody else got at the daemon's socket."""
    with door(house, cmdline) as made:
        made.allow("good", "-c", "print('ran')")
        read, write = os.pipe()
        answers = _request(made, b"good", [write])
        assert len(answers) == 1 and b"disabled" in answers[0]
        os.close(write)
        assert os.read(read, 100) == b""
        os.close(read)
