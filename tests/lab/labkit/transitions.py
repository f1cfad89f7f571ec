# SPDX-License-Identifier: GPL-3.0-or-later
"""Changing the filter while forbidden packets are sent without a pause, and counting what escapes.

The blaster runs on the host under test and sends by every way there is; a counter at the other end
of the host's link tells its packets from all others. Faults are put into lethe-wall by lethe-inject,
one system call at a time.
"""

from __future__ import annotations

import errno
import json
import os
import secrets
import select
import socket
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from . import features, names, netns, rules
from .capture import Barrier
from .wait import wait_for

if TYPE_CHECKING:
    from .lab import Lab

ANSWER_SECONDS = 60.0
COMMAND_SECONDS = 120.0
KINDS = ("udp", "udp6", "tcp", "raw", "frame", "bypass", "plug")
PLUG_INDEX = 7777  # of the device that comes and goes

SEALED = "sealed"
OPEN = "open"
NEITHER = "different"

NETLINK_NETFILTER = 12
NFNL_SUBSYS_NFTABLES = 10
NFT_MSG_NEWGEN, NFT_MSG_GETGEN = 15, 16
NFTA_GEN_ID = 1
NLM_F_REQUEST = 1


def tool(name: str) -> str:
    """A program that was built from tests/lab."""
    return str(rules.wall().parents[2] / "tests" / "lab" / name)


class Asked:
    """A program that answers a line with a line of JSON, and ends with its input."""

    def __init__(self, ns: str, argv: list[str]) -> None:
        self._name = os.path.basename(argv[0])
        self._process = netns.run_in(
            ns, lambda: subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        )
        self.ready = self._read()

    def ask(self) -> dict[str, Any]:
        assert self._process.stdin
        os.write(self._process.stdin.fileno(), b"\n")
        return self._read()

    def close(self) -> None:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.close()
        try:
            self._process.wait(ANSWER_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout
        descriptor, line = self._process.stdout.fileno(), b""
        while not line.endswith(b"\n"):
            if not select.select([descriptor], [], [], ANSWER_SECONDS)[0]:
                self._process.kill()
                raise TimeoutError(f"{self._name} does not answer")
            piece = os.read(descriptor, 65536)
            if not piece:
                raise RuntimeError(f"{self._name} ended with {self._process.wait()}")
            line += piece
        return json.loads(line)


@dataclass(frozen=True)
class Tally:
    """What has happened since the blaster was started."""

    tried: dict[str, int]  # packets that the kernel judged, by kind
    escaped: dict[str, int]  # those that came out of the host
    others: int  # frames that came out, are not the blaster's and not ARP
    shown: str  # the first frame of either kind, in hexadecimal
    drops: int  # frames that the counter could not look at

    @property
    def total(self) -> int:
        return sum(self.tried.values())

    @property
    def escapes(self) -> int:
        return sum(self.escaped.values()) + self.others

    def __str__(self) -> str:
        kinds = [f"{kind} {count:,}" for kind, count in self.tried.items() if count]
        out = {kind: count for kind, count in self.escaped.items() if count}
        return (f"{self.total:,} packets tried ({', '.join(kinds)}); escaped: "
                f"{self.escapes}{f' {out} {self.shown}' if self.escapes else ''}")  # fmt: skip


class Blast:
    """Forbidden packets for as long as the context lasts, and what became of them.

    @trap: one more namespace in which everything that arrives is counted.
    """

    def __init__(self, lab: Lab, user: str, trap: str | None = None) -> None:
        self._lab = lab
        self._user = names.user(user)
        self._trap = trap

    def __enter__(self) -> Blast:
        nonce = secrets.token_hex(8)
        host, router = self._lab.ns(names.HOST), self._lab.ns(names.ROUTER)
        # Nothing that could leave waits for an address to be resolved first.
        netns.ip_batch(
            [f"neigh replace {address} lladdr {names.ROUTER_MAC} dev {names.LAN_DEVICE} "
             "nud permanent" for address in (names.ROUTER_ADDRESS, names.ROUTER_GLOBAL)],
            ns=host,
        )  # fmt: skip
        counter = [tool("lethe-counter"), "--nonce", nonce]
        self._barrier = Barrier(router)
        self._barrier.wait()
        self._counters = [Asked(router, [*counter, "--device", names.HOST_LINK])]
        if self._trap:
            self._counters.append(Asked(self._trap, counter))
        argv = ["nice", "-n", "19", tool("lethe-blaster"), "--nonce", nonce,
                "--uid", str(self._user.uid), "--device", names.LAN_DEVICE,
                "--gateway", names.ROUTER_MAC, "--resolver", names.LAN_RESOLVER]  # fmt: skip
        argv += ["--plug", str(PLUG_INDEX)] if self._trap else []
        self._blaster = Asked(host, argv)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for program in (self._blaster, *self._counters):
            program.close()
        self._barrier.close()

    def tally(self) -> Tally:
        """As of now: every packet that was sent before this call is counted."""
        tried = self._blaster.ask()["tried"]
        self._barrier.wait()
        answers = [counter.ask() for counter in self._counters]
        escaped = {kind: sum(a["escaped"][kind] for a in answers) for kind in KINDS}
        return Tally(tried, escaped, sum(a["others"] for a in answers),
                     next((a[k] for a in answers for k in ("escape", "other") if a[k]), ""),
                     sum(a["drops"] for a in answers))  # fmt: skip

    def tried(self) -> dict[str, int]:
        return self._blaster.ask()["tried"]


def wall(lab: Lab, *words: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """lethe-wall on the host under test; quicker than lab.host.run(), whose other namespaces and
    users it does not need."""
    return run(lab, wall_words(*words), **options)


def wall_words(*words: str) -> list[str]:
    return [str(rules.wall()), "--passwd", str(names.PASSWD), *words]


def run(lab: Lab, argv: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
    settings = {"capture_output": True, "text": True, "stdin": subprocess.DEVNULL,
                "timeout": COMMAND_SECONDS, "check": False} | options  # fmt: skip
    if "input" in settings:
        del settings["stdin"]
    return netns.run_in(lab.ns(names.HOST), lambda: subprocess.run(argv, **settings))


def start(lab: Lab, *words: str) -> subprocess.Popen[str]:
    return netns.run_in(
        lab.ns(names.HOST),
        lambda: subprocess.Popen(wall_words(*words), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE, text=True),
    )  # fmt: skip


def status(lab: Lab, policy: Path) -> dict[str, Any]:
    result = wall(lab, "status", "--json", str(policy))
    if not result.stdout:
        raise RuntimeError(f"status: exit {result.returncode}: {result.stderr}")
    return json.loads(result.stdout)


def state(lab: Lab, policies: dict[str, Path]) -> str:
    """What the kernel holds: the name of one of @policies if it is exactly that, SEALED, OPEN, or
    else why it is none of them."""
    said = ""
    for name, policy in policies.items():
        found = status(lab, policy)
        if found["state"] in (SEALED, OPEN):
            return found["state"]
        if found["state"] == "enforced":
            return name
        said += f"; not {name}: {found['difference']}"
    return NEITHER + said


def generation(lab: Lab) -> int:
    """Grows with every transaction of nftables in the host's namespace."""
    return netns.run_in(lab.ns(names.HOST), _generation)


def _generation() -> int:
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC,
                       NETLINK_NETFILTER) as netlink:  # fmt: skip
        request = struct.pack("=IHHII", 20, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETGEN,
                              NLM_F_REQUEST, 1, 0) + bytes(4)  # fmt: skip
        netlink.sendto(request, (0, 0))
        answer = netlink.recv(65536)
    kind = struct.unpack_from("=H", answer, 4)[0]
    length, attribute = struct.unpack_from("=HH", answer, 20)
    value = struct.unpack_from("!I", answer, 24)[0]
    if kind != (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWGEN) or (length, attribute) != (
        8,
        NFTA_GEN_ID,
    ):
        raise RuntimeError(f"the kernel answers {answer.hex()}")
    return value


@dataclass(frozen=True)
class Fault:
    """What one run with an injected fault was like."""

    fired: bool  # false: the program made fewer calls of the class
    calls: int
    call: int  # the system call's number
    exit: int | None  # None: it was killed
    signal: int
    filled: int
    said: str


def inject(lab: Lab, action: str, words: list[str], calls: str = "any", at: int = 1,
           on: bool = False) -> Fault:  # fmt: skip
    """Run lethe-wall with @words, and let @action befall its system call number @at of a class
    (with @on all that follow too); see lethe-inject --help."""
    argv = [tool("lethe-inject"), "--calls", calls, "--at", str(at), "--do", action]
    argv += ["--on"] if on else []
    result = run(lab, [*argv, *wall_words(*words)])
    if result.returncode != 0:
        raise RuntimeError(f"lethe-inject: {result.stderr}")
    told = json.loads(result.stdout)
    return Fault(told["fired"] > 0, told["calls"], told["call"],
                 told["exit"] if told["exit"] >= 0 else None, told["signal"], told["filled"],
                 result.stderr)  # fmt: skip


class MemoryGroup:
    """A control group with a limit on what its processes, and the kernel for them, may use."""

    def __init__(self, folder: Path, limit_file: str) -> None:
        self.folder = folder
        self._limit_file = limit_file

    def limit(self, size: int) -> None:
        (self.folder / self._limit_file).write_text(str(size), encoding="ascii")

    def enter(self) -> None:
        """Called in a child, which then is in the group."""
        (self.folder / "cgroup.procs").write_text("0", encoding="ascii")


class NoMemoryGroup(RuntimeError):
    """This machine lets no control group be made that limits memory."""


@contextmanager
def memory_group(lab: Lab) -> Iterator[MemoryGroup]:
    """A new one; without it NoMemoryGroup."""
    root, limit_file = Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes"
    if not (root / limit_file).exists():
        root, limit_file = Path("/sys/fs/cgroup"), "memory.max"
    group = MemoryGroup(root / f"lethe-{lab.name}", limit_file)
    try:
        group.folder.mkdir()
    except OSError as error:
        raise NoMemoryGroup(f"{group.folder}: {error.strerror}") from None
    try:
        if not (group.folder / limit_file).exists():
            raise NoMemoryGroup(f"no limit of memory in {root}")
        if (group.folder / "memory.swap.max").exists():
            (group.folder / "memory.swap.max").write_text("0", encoding="ascii")
        yield group
    finally:
        wait_for(lambda: _removed(group.folder), ANSWER_SECONDS, "an empty control group")


def _removed(folder: Path) -> bool:
    try:
        folder.rmdir()
    except OSError as error:
        if error.errno != errno.EBUSY:
            raise
        return False
    return True


@contextmanager
def trap(lab: Lab) -> Iterator[str]:
    """An empty network namespace for the other ends of devices that are plugged in."""
    ns = f"{names.NAMESPACE_PREFIX}{lab.name}-trap"
    netns.ip_batch([f"netns add {ns}"])
    try:
        netns.ip_batch(["link set lo up"], ns=ns)
        yield ns
    finally:
        netns.ip_batch([f"netns del {ns}"])


def plug(lab: Lab, ns: str, name: str) -> None:
    """A new device on the host under test, whose other end is in the trap."""
    netns.ip_batch([f"link add name {name} index {PLUG_INDEX} netns {lab.ns(names.HOST)} "
                    f"type veth peer name other netns {ns}"])
    netns.ip_batch(["link set other up"], ns=ns)
    netns.ip_batch([f"link set {name} up"], ns=lab.ns(names.HOST))


def unplug(lab: Lab, name: str) -> None:
    netns.ip_batch([f"link del {name}"], ns=lab.ns(names.HOST))


def binds_by_prefix() -> bool:
    """Does this kernel give devices that appear later the chains that are there (since 6.18)?"""
    return features.binds_by_prefix()


def is_in(pid: int, inode: int) -> bool:
    """Is the process in the network namespace with this inode?"""
    try:
        return os.stat(f"/proc/{pid}/ns/net").st_ino == inode
    except OSError:  # it has ended
        return False
