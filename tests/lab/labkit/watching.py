# SPDX-License-Identifier: GPL-3.0-or-later
"""lethe-watchd on a message bus of its own, and a network namespace in which everything is refused.

Programs to be named are copies of the interpreter, each a file of its own, so that no two of them
can be taken for each other.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from . import names, netns, rules
from .figures import ATTRIBUTION
from .wait import wait_for

SECONDS = 120.0
INTERPRETER = Path("/usr/bin/python3").resolve()
Row = dict[str, Any]

# Refused by a reset (80), dropped in the IP stack, or passed there and dropped at the device (7777).
RULES = """
table inet refuse {
 chain output {
  type filter hook output priority 0; policy drop;
  oifname "lo" accept
  tcp flags & (rst | syn) == rst accept
  tcp dport 80 reject with tcp reset
  tcp dport 7777 accept
 }
}
table netdev refuse {
 chain egress {
  type filter hook egress device "eth0" priority 0; policy drop;
 }
}
"""
ADDRESS, GATEWAY = "192.0.2.2", "192.0.2.1"
TARGET, TARGET6 = "198.51.100.9", "2001:db8:f::9"
LINKS = [
    "link set lo up",
    "link add eth0 type veth peer name peer0",
    "link set eth0 addrgenmode none up",
    "link set peer0 addrgenmode none up",
    f"address add {ADDRESS}/24 dev eth0",
    "address add 2001:db8:f::2/64 dev eth0 nodad",
    f"neigh replace {GATEWAY} lladdr 02:1e:7e:00:00:01 dev eth0 nud permanent",
    f"neigh replace {TARGET6} lladdr 02:1e:7e:00:00:01 dev eth0 nud permanent",
    f"route add default via {GATEWAY} dev eth0",
]

BUS = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:path={socket}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/>
    <allow send_type="signal"/>
    <allow send_requested_reply="true" send_type="method_return"/>
    <allow send_requested_reply="true" send_type="error"/>
    <allow receive_type="method_call"/>
    <allow receive_type="method_return"/>
    <allow receive_type="error"/>
    <allow receive_type="signal"/>
    <allow send_destination="org.freedesktop.DBus"/>
    {more}
  </policy>
  {policies}
</busconfig>
"""
OPEN_TO_ALL = '<allow own="*"/><allow send_destination="*"/><allow eavesdrop="true"/>'


def program(name: str) -> Path:
    return rules.wall().parents[1] / "watch" / name


def faulty() -> Path:
    """The daemon with a fault that was planted: it takes an interrupt for the running process."""
    return rules.wall().parents[2] / "tests" / "lab" / "lethe-watchd-fault"


class Bus:
    def __init__(self, folder: Path, policies: str = "", more: str = OPEN_TO_ALL) -> None:
        self._socket = folder / "bus"
        settings = folder / "bus.conf"
        settings.write_text(BUS.format(socket=self._socket, policies=policies, more=more))
        self._process = subprocess.Popen(
            ["dbus-daemon", f"--config-file={settings}", "--nofork", "--nopidfile"],
            stderr=subprocess.DEVNULL)  # fmt: skip
        wait_for(self._socket.exists, SECONDS, "the message bus")
        os.chmod(folder, 0o755)

    @property
    def address(self) -> str:
        return f"unix:path={self._socket}"

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(SECONDS)


class Watch:
    """A running daemon. @words are further options of it; @prefix what starts it."""

    def __init__(self, bus: Bus, *words: str, binary: Path | None = None,
                 prefix: tuple[str, ...] = ()) -> None:  # fmt: skip
        self.bus = bus
        self._folder = tempfile.TemporaryDirectory(prefix="lethe-watch-status-")
        self.folder = Path(self._folder.name)
        os.chmod(self.folder, 0o777)  # it may run as anybody
        argv = [*prefix, str(binary or program("lethe-watchd")), f"--bus={bus.address}",
                f"--policy={names.DEFAULT_POLICY}", f"--passwd={names.PASSWD}",
                f"--status={self.folder}", *words]  # fmt: skip
        self.process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        wait_for(self._answers, SECONDS, "lethe-watchd")

    def _answers(self) -> bool:
        if self.process.poll() is not None:
            raise RuntimeError(f"lethe-watchd has ended: {self.process.stdout.read().decode()}")
        return self.client("--json").returncode != 1 or self.said_nothing()

    def said_nothing(self) -> bool:
        """It runs, but cannot tell who is refused."""
        answer = self.client("--json").stdout
        return bool(answer) and json.loads(answer)["state"]["Source"] == "none"

    def client(self, *words: str, **options: Any) -> subprocess.CompletedProcess[str]:
        argv = [str(program("lethe-watch")), f"--bus={self.bus.address}", *words]
        return subprocess.run(argv, capture_output=True, text=True, timeout=SECONDS, check=False,
                              **options)  # fmt: skip

    def answer(self, *words: str) -> dict[str, Any]:
        result = self.client("--json", *words)
        assert result.returncode == 0, result.stderr
        return json.loads(result.stdout)

    def state(self) -> dict[str, Any]:
        return self.answer()["state"]

    def rows(self, **values: Any) -> list[Row]:
        """The rows that have these values; underscores stand for hyphens."""
        wanted = {name.replace("_", "-"): value for name, value in values.items()}
        return [row for row in self.answer()["refused"]
                if all(row.get(name) == value for name, value in wanted.items())]  # fmt: skip

    def row(self, what: str, **values: Any) -> Row:
        """The one row with these values, when it is there."""
        found = wait_for(lambda: self.rows(**values), SECONDS, f"{what} to be named")
        assert len(found) == 1, found
        row = found[0]
        if row["attribution"] == "user":
            ATTRIBUTION.add(what, "by user only", str(row["owner-uid"]), row["attempts"])
        else:
            program = Path(row["program"]).name if "program" in row else "-"
            ATTRIBUTION.add(what, "by program", program, row["attribution"], row["attempts"],
                            row["repeats"])  # fmt: skip
        return row

    def status(self) -> dict[str, Any]:
        """What it says of itself to everybody."""
        return json.loads((self.folder / "status.json").read_text(encoding="utf-8"))

    def tampering(self) -> dict[str, Any]:
        return self.status()["tampering"]

    def close(self) -> str:
        """End it; what it printed."""
        self.process.terminate()
        said = self.process.communicate(timeout=SECONDS)[0].decode()
        assert self.process.returncode == 0, said
        self._folder.cleanup()
        return said


class Place:
    """A network namespace where all is refused, and programs to run there."""

    def __init__(self, ns: str, folder: Path) -> None:
        self.ns, self.folder = ns, folder
        self.number = netns.path(ns).stat().st_ino

    def copy(self, name: str) -> Path:
        """A program of its own."""
        path = self.folder / name
        if not path.exists():
            shutil.copy(INTERPRETER, path)
        return path

    def argv(self, binary: Path, code: str, uid: int = 0) -> list[str]:
        drop = ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups"] if uid else []
        return ["nsenter", f"--net={netns.path(self.ns)}", *drop, str(binary), "-Ic", code]

    def run(self, name: str, code: str, uid: int = 0) -> Path:
        """Run @code as the program @name, to its end. Returns the program."""
        binary = self.copy(name)
        subprocess.run(self.argv(binary, code, uid), check=True, timeout=SECONDS)
        return binary

    @contextmanager
    def running(self, name: str, code: str, uid: int = 0) -> Iterator[subprocess.Popen[str]]:
        """The same, while it runs; its output is read from and its input written to."""
        argv = self.argv(self.copy(name), code, uid)
        with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              text=True) as process:  # fmt: skip
            try:
                yield process
            finally:
                process.kill()


GUARD = program("lethe-watch").parents[1] / "guard" / "lethe-guard"
FOLDER = Path("/run/lethe")  # where lethe-wall looks for the guard's socket
KEEPERS = (f"--keeper={GUARD}", f"--keeper={rules.wall()}")


class Guarded:
    """A place where lethe-guard owns the tables of the policy."""

    def __init__(self, other: Place) -> None:
        self.file = other.folder / "guard.json"
        self.inside = ["nsenter", f"--net={netns.path(other.ns)}"]

    def wall(self, *words: str) -> subprocess.CompletedProcess[str]:
        argv = [*self.inside, str(rules.wall()), f"--passwd={names.PASSWD}", *words]
        return subprocess.run(argv, capture_output=True, text=True, timeout=SECONDS, check=False)

    def holds(self) -> bool:
        """Is what the policy says in force still?"""
        return self.wall("status", str(names.DEFAULT_POLICY)).returncode == 0

    def status(self) -> dict[str, Any]:
        return json.loads(self.file.read_text(encoding="utf-8"))


@contextmanager
def place(suffix: str) -> Iterator[Place]:
    ns = f"lethe-watch-{os.getpid()}{suffix}"
    with tempfile.TemporaryDirectory(prefix="lethe-watch-") as folder:
        os.chmod(folder, 0o755)
        netns.ip_batch([f"netns add {ns}"])
        try:
            netns.ip_batch(LINKS, ns)
            netns.nft(ns, RULES)
            yield Place(ns, Path(folder))
        finally:
            netns.ip_batch([f"netns delete {ns}"])


@contextmanager
def filtered(suffix: str) -> Iterator[Place]:
    """The same, with the filter of Lethe's own policy in place of the one that refuses all."""
    with place(suffix) as made:
        netns.nft(made.ns, "flush ruleset\n")
        apply_policy(made, own_policy(made))
        yield made


def own_policy(made: Place) -> Path:
    """The policy as it is shipped, in a file that a test may change."""
    policy = made.folder / "policy.conf"
    policy.write_text(re.sub(r"^include .*$", "", names.DEFAULT_POLICY.read_text(), flags=re.M))
    return policy


def apply_policy(made: Place, policy: Path) -> None:
    argv = [*inside(made), str(rules.wall()), f"--passwd={names.PASSWD}", "apply", str(policy)]
    subprocess.run(argv, check=True, capture_output=True, timeout=SECONDS)


def inside(made: Place) -> tuple[str, ...]:
    """What starts a program in its network namespace."""
    return ("nsenter", f"--net={netns.path(made.ns)}")


@contextmanager
def control_group(outer: str, inner: str) -> Iterator[Path]:
    """A control group of version 2 in another one, wherever the host has them."""
    with tempfile.TemporaryDirectory(prefix="lethe-groups-") as mounted:
        subprocess.run(["mount", "-t", "cgroup2", "none", mounted], check=True)
        made = [Path(mounted) / outer, Path(mounted) / outer / inner]
        try:
            for group in made:
                group.mkdir()
            yield made[-1]
        finally:
            for group in reversed(made):
                group.rmdir()
            subprocess.run(["umount", mounted], check=True)


@contextmanager
def guarded(other: Place) -> Iterator[Guarded]:
    """The shipped policy in force there, and owned by lethe-guard."""
    netns.nft(other.ns, "flush ruleset\n")
    made = Guarded(other)
    FOLDER.mkdir(mode=0o755, exist_ok=True)
    assert made.wall("apply", str(names.DEFAULT_POLICY)).returncode == 0
    argv = [*made.inside, str(GUARD), f"--status={made.file}", f"--policy={names.DEFAULT_POLICY}",
            f"--passwd={names.PASSWD}"]  # fmt: skip
    with open(other.folder / "guard.log", "wb") as log, \
         subprocess.Popen(argv, stdin=subprocess.DEVNULL, stderr=log) as process:  # fmt: skip
        try:
            wait_for(lambda: made.file.exists() or process.poll() is not None, SECONDS, "the guard")
            assert made.status()["owned"]
            yield made
            assert made.wall("open", "--yes").returncode == 0
        finally:
            process.terminate()


@contextmanager
def bus(**settings: str) -> Iterator[Bus]:
    with tempfile.TemporaryDirectory(prefix="lethe-bus-") as folder:
        made = Bus(Path(folder), **settings)
        try:
            yield made
        finally:
            made.close()
