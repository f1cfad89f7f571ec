# SPDX-License-Identifier: GPL-3.0-or-later
"""Two network namespaces, a host and its neighbour, for as long as one question takes: what becomes
of one packet under some rules?

What is asked for is sent by lethe-send, with a number in its last bytes, and looked for in every
place that it can come to: at the neighbour, on loopback, at a socket of the host. No Tor runs, and
nothing is reached but the neighbour.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import re
import secrets
import socket
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import names, netns, rules
from .capture import Capture, Frame
from .transitions import tool

SECONDS = 120.0
PEER_MAC, PEER_TRANSIT_MAC = names.ROUTER_MAC, "02:1e:7e:00:03:01"
HOST_MAC, HOST_TRANSIT_MAC = names.HOST_MAC, "02:1e:7e:00:03:02"
# Behind the router, so that the kernel asks for no neighbour's address but the router's, which it
# knows, whatever the packet's own destination is.
VIA = ("203.0.113.1", "2001:db8:f::1")
MAGIC = bytes.fromhex("00ffd1c7")  # before the number: tests/lab/classes_build.c
MARK_COPY = 7
WITNESS = names.FIXTURES / "witness.nft"

ETH_P_IP, ETH_P_IPV6 = 0x0800, 0x86DD
TCP, UDP, ICMP, ICMPV6 = 6, 17, 1, 58
ESTABLISHED, CLOSED, OPENING = 0x10, 0x04, 0x02
_OWN_ICMP = 16  # a message of lethe-send's own, from the ICMP header on

_HOST = [
    "link set lo up",
    f"link set eth0 address {HOST_MAC} addrgenmode none up",
    f"address add {names.HOST_ADDRESS}/24 dev eth0",
    f"address add {names.HOST_ULA}/64 dev eth0 nodad",
    f"address add {names.HOST_GLOBAL}/64 dev eth0 nodad",
    f"neigh replace {names.ROUTER_ADDRESS} lladdr {PEER_MAC} dev eth0 nud permanent",
    f"neigh replace {names.ROUTER_ULA} lladdr {PEER_MAC} dev eth0 nud permanent",
    f"route add default via {names.ROUTER_ADDRESS} dev eth0",
    f"route add default via {names.ROUTER_ULA} dev eth0",
]
_PEER = [
    f"link set peer0 address {PEER_MAC} addrgenmode none arp off up",
    f"link set {names.MARKER_DEVICES[0]} addrgenmode none up",
    f"link set {names.MARKER_DEVICES[1]} addrgenmode none up",
]

# Sequence numbers of lethe-send's are its packets' own; connection tracking is not to mind.
_LIBERAL = Path("/proc/sys/net/netfilter/nf_conntrack_tcp_be_liberal")

_names = itertools.count()


class Spec(dict[str, str]):
    """The text of a packet, by fields; words that stand for true have the value ""."""

    def __init__(self, text: str) -> None:
        path, *fields = text.split(",")
        super().__init__(part.partition("=")[::2] for part in fields)
        self.path = path

    def __str__(self) -> str:
        return ",".join([self.path, *(f"{k}={v}" if v else k for k, v in self.items())])

    def number(self, name: str) -> int:
        return int(self.get(name) or "0", 0)

    @property
    def local(self) -> bool:
        return "lo" in self

    @property
    def owned(self) -> bool:
        return "owner" in self

    @property
    def leaves(self) -> bool:
        return self.path in ("output", "frame")

    def but(self, **fields: str | None) -> Spec:
        """The same packet with other fields; None takes one away."""
        copy = Spec(str(self))
        for name, value in fields.items():
            if value is None:
                copy.pop(name, None)
            else:
                copy[name] = value
        return copy


@dataclass
class Sight:
    """What was seen of a packet."""

    spec: Spec
    status: int  # of lethe-send: 0 the kernel took it, 1 refused it, 2 it could not be sent
    said: str
    outside: list[Frame] = field(default_factory=list)  # it came to the neighbour
    loopback: list[Frame] = field(default_factory=list)  # it went over lo
    taken_in: int = 0  # how often a socket of the host was given it
    answer: str = ""  # what came back: "reset", "error"
    words: list[str] = field(default_factory=list)  # of the frames that were seen

    @property
    def escaped(self) -> bool:
        """Did it come to where rules would have stopped it: for a packet that leaves, to the
        neighbour or over lo; for one that comes, to a socket; for one that is forwarded, beyond?"""
        if self.spec.path == "input":
            return self.taken_in > 0
        return bool(self.loopback if self.spec.local else self.outside)

    @property
    def passed_output(self) -> bool:
        """The IP stack's hook let it through, whoever stopped it behind: the system call tells
        EPERM of that hook, and ENOBUFS of the device's."""
        behind = self.status == 1 and "No buffer space" in self.said
        return self.escaped or (behind and self.spec.owned)

    def __str__(self) -> str:
        if self.escaped:
            where = "given to a socket" if self.spec.path == "input" else "seen"
            return f"{where}: {self.words[0] if self.words else self.said}"
        return f"not seen; {self.said.rpartition(': ')[2]}" + (
            f", answered by {self.answer}" if self.answer else "")  # fmt: skip


@dataclass(frozen=True)
class Needs:
    """What lib/packet/spec.h has no word for."""

    mark: int
    octets: dict[int, int]  # of the network header, by their places
    established: bool  # the packet is one of a connection that connection tracking knows


# What holds of every first packet, and of the first one in a while.
_ORDINARY = ("opening a connection", "by connection tracking", "a limit is not reached: yes")


@dataclass(frozen=True)
class Answer:
    """What lethe-proof said."""

    answer: str  # "proved", "refuted", "not proved"
    fault: str
    told: dict[str, Any]

    @property
    def spec(self) -> Spec:
        return Spec(self.told["example"]["spec"])

    @property
    def needs(self) -> Needs:
        """What else must hold for its packet. ValueError: that cannot be arranged here."""
        mark, octets, established = 0, {}, False
        for words in filter(None, self.told["example"]["if"].split(", ")):
            if words.startswith("mark "):
                mark = int(words.removeprefix("mark "))
            elif match := re.fullmatch(r"byte (\d+) of the header is (0x[0-9a-f]+)", words):
                octets[int(match[1])] = int(match[2], 16)
            elif words == "of an established connection":
                established = True
            elif words not in _ORDINARY:
                raise ValueError(f"a packet for which must hold: {words}")
        return Needs(mark, octets, established)

    @property
    def why(self) -> str:
        return self.told["reason"] or "; ".join(self.told["outside"])


class Wire:
    """A host, and a neighbour by whose device @device everything comes that leaves it."""

    def __init__(self, host: str, peer: str, device: str) -> None:
        self.host, self.peer, self.device = host, peer, device

    def ns(self, node: str) -> str:
        """As a lab's: for what looks at a laboratory's wires."""
        return self.peer if node == names.ROUTER else self.host

    def nft(self, commands: str) -> None:
        """An nft that is older than the kernel does not come back from what needs all rules, such
        as a rule's replacement: where Lethe's are loaded, chains at devices are among them."""
        result = self.run(["timeout", "20", "nft", "-f", "-"], input=commands)
        if result.returncode != 0:
            raise rules.RulesError(f"nft: exit {result.returncode}: {result.stderr}{commands}")

    def run(self, argv: list[str], ns: str | None = None,
            input: str = "") -> subprocess.CompletedProcess[str]:  # fmt: skip
        return netns.run_in(
            ns or self.host,
            lambda: subprocess.run(argv, capture_output=True, text=True, timeout=SECONDS,
                                   input=input, check=False),
        )  # fmt: skip

    # ---- packets ----

    def send(self, spec: Spec | str, mark: int = 0, octets: dict[int, int] | None = None) -> Sight:
        """Send one packet, and look for it everywhere. Nothing else may be on its way. @octets: of
        its network header, by their places, what @spec has no word for."""
        spec = Spec(str(spec))
        number = secrets.randbits(31)
        with contextlib.ExitStack() as stack:
            copied = spec.leaves and not spec.owned
            if copied:
                stack.enter_context(self._copies())
            if spec.path == "forward":
                stack.enter_context(self._transit())
            inside = stack.enter_context(_sockets(self.host, spec))
            peer = stack.enter_context(Capture(self, ns=self.peer, device=self.device))
            lo = stack.enter_context(Capture(self, ns=self.host, device="lo"))
            argv = [tool("lethe-send"), "--mark", str(mark), "--number", str(number)]
            argv += ["--copied"] if copied else []
            argv += [f"--byte={at}={value}" for at, value in (octets or {}).items()]
            result = self.run([*argv, *self._way(spec), str(spec)],
                              ns=self.peer if self._from_outside(spec) else self.host)  # fmt: skip
            outside = [frame for frame in peer.sync() if frame.incoming]
            local = [frame for frame in lo.sync() if frame.incoming]
            taken = sum(_is_it(data, number) for data in inside())
        if result.returncode not in (0, 1, 2):
            raise RuntimeError(f"lethe-send: exit {result.returncode}: {result.stderr}")
        sight = Sight(spec, result.returncode, (result.stdout + result.stderr).strip())
        sight.outside = [frame for frame in outside if _is_it(frame.data, number)]
        sight.loopback = [frame for frame in local if _is_it(frame.data, number)]
        sight.taken_in = taken
        sight.answer = _answer(outside + local, spec, number)
        sight.words = self.tell(sight.loopback if spec.local else sight.outside)
        return sight

    def converse(self, opener: Spec) -> None:
        """Have @opener answered by the neighbour, so that whoever tracks connections takes it and
        what follows for one. Whether it leaves is up to the rules."""
        if netns.run_in(self.host, _LIBERAL.exists):
            netns.write_sysctls(self.host, {str(_LIBERAL.relative_to("/proc/sys/net")): "1"})
        self.send(opener)
        back = {"src": opener["dst"], "dst": opener["src"], "owner": None, "routed": None,
                "sport": opener.get("dport"), "dport": opener.get("sport")}  # fmt: skip
        answer = opener.but(**back)
        answer.path = "input"
        self.send(answer.but(flags="0x12") if opener.number("proto") == TCP else answer)

    def tell(self, frames: list[Frame]) -> list[str]:
        text = "".join(frame.data.hex() + "\n" for frame in frames)
        lines = self.run([tool("lethe-send"), "--tell"], input=text).stdout.splitlines()
        return [line.removesuffix(", input") for line in lines]

    @staticmethod
    def _from_outside(spec: Spec) -> bool:
        return spec.path == "forward" or (spec.path == "input" and not spec.local)

    def _way(self, spec: Spec) -> list[str]:
        if spec.path == "forward":
            return ["--device", "peer1", "--to", HOST_TRANSIT_MAC]
        if self._from_outside(spec):
            return ["--device", self.device, "--to", HOST_MAC]
        return ["--device", "eth0", "--to", PEER_MAC, "--via", VIA[0], "--via", VIA[1]]

    @contextmanager
    def _copies(self) -> Iterator[None]:
        """Rules that replace a marked packet by a copy that no socket owns, and the devices that
        they need. They judge nothing, but are not there when rules are proved."""
        netns.ip_batch(["link add copy0 type veth peer name copy1",
                        "link set copy0 addrgenmode none up",
                        "link set copy1 addrgenmode none up"], ns=self.host)  # fmt: skip
        text = WITNESS.read_text(encoding="utf-8")
        tables = [part for part in text.split("\ntable ") if part.split()[1] == "copy"]
        self.nft("".join(f"table {table}\n" for table in tables))
        try:
            yield
        finally:
            for table in tables:
                self.nft(f"delete table {' '.join(table.split()[:2])}")
            netns.ip_batch(["link del copy0"], ns=self.host)

    @contextmanager
    def _transit(self) -> Iterator[None]:
        """A second link, from which the host would forward."""
        netns.ip_batch([f"link add transit type veth peer name peer1 netns {self.peer}",
                        f"link set transit address {HOST_TRANSIT_MAC} addrgenmode none up"],
                       ns=self.host)  # fmt: skip
        netns.ip_batch([f"link set peer1 address {PEER_TRANSIT_MAC} addrgenmode none arp off up"],
                       ns=self.peer)  # fmt: skip
        netns.write_sysctls(self.host, {
            "ipv4/ip_forward": "1", "ipv6/conf/all/forwarding": "1",
            "ipv4/conf/all/rp_filter": "0", "ipv4/conf/transit/rp_filter": "0",
            "ipv4/conf/all/accept_local": "1"})  # fmt: skip
        try:
            yield
        finally:
            netns.ip_batch(["link del transit"], ns=self.host)

class Pair(Wire):
    """A wire of its own, whose host has no rules but those that are loaded."""

    def __init__(self, name: str) -> None:
        prefix = f"{names.NAMESPACE_PREFIX}{name}"
        super().__init__(f"{prefix}-host", f"{prefix}-peer", "peer0")

    def up(self) -> Pair:
        netns.ip_batch([f"netns add {self.host}", f"netns add {self.peer}"])
        netns.ip_batch([f"link add eth0 type veth peer name peer0 netns {self.peer}"], ns=self.host)
        first, second = names.MARKER_DEVICES
        netns.ip_batch([f"link add {first} type veth peer name {second}"], ns=self.peer)
        netns.write_sysctls(self.peer, {"ipv6/conf/all/disable_ipv6": "1"})
        netns.ip_batch(_PEER, ns=self.peer)
        netns.ip_batch(_HOST, ns=self.host)
        return self

    def down(self) -> None:
        for ns in (self.host, self.peer):
            if netns.exists(ns):
                netns.ip_batch([f"netns del {ns}"])

    # ---- rules ----

    def load(self, ruleset: str) -> None:
        """A ruleset as labkit/rules.py names it, over nothing."""
        kind, _, policy = ruleset.partition(":")
        if ruleset == "none":
            return
        if kind == "lethe":
            path = Path(policy) if policy else names.DEFAULT_POLICY
            argv = [str(rules.wall()), "apply", "--passwd", str(names.PASSWD), "--policy", str(path)]
        else:
            argv = rules.stranger(Path(ruleset))
        result = self.run(argv)
        if result.returncode != 0:
            raise rules.RulesError(f"`{' '.join(argv)}` failed: {result.stdout}{result.stderr}")

    def listing(self, *words: str) -> str:
        """As `nft --handle list WORDS`. Not of Lethe's chains at devices: an nft that is older than
        the kernel does not come back from one that is bound to devices by prefix."""
        result = self.run(["timeout", "60", "nft", "--handle", "list", *words])
        if result.returncode != 0:
            raise rules.RulesError(f"nft list {' '.join(words)}: {result.stderr}")
        return result.stdout

    def prove(self, policy: Path = names.DEFAULT_POLICY) -> Answer:
        result = self._proof("check", "--policy", str(policy))
        told = json.loads(result.stdout)
        return Answer(told["answer"], told["fault"], told)

    def claims(self) -> dict[str, str]:
        """The answer to each of the specification's sentences, by its name."""
        told = json.loads(self._proof("claims").stdout)
        return {one["id"]: one["answer"] for one in told["sentences"]}

    def _proof(self, *words: str) -> subprocess.CompletedProcess[str]:
        program = str(rules.wall().parents[1] / "proof" / "lethe-proof")
        result = self.run([program, *words, "--only-here", "--json", "--passwd", str(names.PASSWD)])
        if not result.stdout:
            raise RuntimeError(f"lethe-proof: exit {result.returncode}: {result.stderr}")
        return result


@contextmanager
def pair(ruleset: str = "none") -> Iterator[Pair]:
    """The namespaces, with these rules."""
    made = Pair(f"pair{secrets.token_hex(3)}-{next(_names)}")
    try:
        made.up()
        made.load(ruleset)
        yield made
    finally:
        made.down()


@contextmanager
def _sockets(ns: str, spec: Spec) -> Iterator[Any]:
    """What the packet's class says that the kernel finds for it, and a socket that is given a copy
    of all that was let in. Yields a function that takes what is there."""
    family = socket.AF_INET if spec.number("ether") == ETH_P_IP else socket.AF_INET6
    protocol = spec.number("proto")
    with contextlib.ExitStack() as stack:
        opened = []
        if spec.number("ether") in (ETH_P_IP, ETH_P_IPV6) and protocol not in (0, 255):
            made = netns.run_in(ns, socket.socket, family, socket.SOCK_RAW, protocol)
            made.setblocking(False)
            opened.append(stack.enter_context(made))
        if spec.path == "input" and spec.get("socket", "none") != "none":
            kind = socket.SOCK_STREAM if protocol == TCP else socket.SOCK_DGRAM
            made = netns.run_in(ns, socket.socket, family, kind)
            stack.enter_context(made)
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            wild = "0.0.0.0" if family == socket.AF_INET else "::"
            made.bind((wild if spec["socket"] == "wildcard" else spec["dst"], spec.number("dport")))
            if protocol == TCP:
                made.listen()

        def take() -> Iterator[bytes]:
            for one in opened:
                with contextlib.suppress(BlockingIOError):
                    while True:
                        yield one.recv(1 << 16)

        yield take


def _is_it(data: bytes, number: int) -> bool:
    """Is this the packet itself, and not an error that tells of it?"""
    return data.endswith(MAGIC + struct.pack("!I", number)) and not _is_report(data)


def _transport(data: bytes) -> tuple[int, bytes]:
    """Of a frame: the upper protocol and what follows; (-1, b"") of what is not IP."""
    kind, packet = int.from_bytes(data[12:14], "big"), data[14:]
    if kind == ETH_P_IP and len(packet) >= 20:
        return packet[9], packet[4 * (packet[0] & 15) :]
    if kind == ETH_P_IPV6 and len(packet) >= 40:
        return packet[6], packet[40:]
    return -1, b""


def _is_report(data: bytes) -> bool:
    protocol, rest = _transport(data)
    if protocol == ICMP:
        return len(rest) > _OWN_ICMP and rest[0] in (3, 5, 11, 12)
    return protocol == ICMPV6 and len(rest) > _OWN_ICMP and rest[0] < 128


def _answer(frames: list[Frame], spec: Spec, number: int) -> str:
    ports = struct.pack("!HH", spec.number("dport"), spec.number("sport"))
    for frame in frames:
        protocol, rest = _transport(frame.data)
        if _is_report(frame.data) and struct.pack("!I", number) in rest:
            return "error"
        if protocol == TCP and rest[:4] == ports and rest[13] & CLOSED:
            return "reset"
    return ""
