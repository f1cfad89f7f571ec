# SPDX-License-Identifier: GPL-3.0-or-later
"""A packet for every class of a policy, sent for real: a small laboratory of two network namespaces
without any program in it, in which lethe-classes sends and sees what the kernel does.

The host has `eth0`, on whose other end the peer sees all that leaves and sends what arrives;
`transit`, from which what the peer sends is forwarded; and `copy0` with `copy1`, a pair that leads
nowhere, of which fixtures/witness.nft makes packets that nobody owns. Only a packet's headers are
judged, so these say what its class says, and where it goes is settled apart from them: by the
address that the system call names, by a mark, by the device on which it arrives.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import names, netns, rules
from .transitions import tool

SECONDS = 600.0
PEER_MAC, PEER_TRANSIT_MAC = "02:1e:7e:00:01:01", "02:1e:7e:00:03:01"
HOST_MAC, HOST_TRANSIT_MAC = "02:1e:7e:00:01:02", "02:1e:7e:00:03:02"
WITNESS = names.FIXTURES / "witness.nft"

# Of the host: what comes is taken in whatever addresses it has, every answer is given, and what
# answers a packet has its mark, so that on loopback it stays there.
_SYSCTLS = {
    "ipv4/ip_forward": "1",
    "ipv6/conf/all/forwarding": "1",
    "ipv4/fwmark_reflect": "1",
    "ipv6/fwmark_reflect": "1",
    "ipv4/icmp_echo_ignore_all": "1",
    "ipv6/icmp/echo_ignore_all": "1",
    "ipv4/icmp_ratelimit": "0",
    "ipv4/icmp_ratemask": "0",
    "ipv6/icmp/ratelimit": "0",
    "ipv4/conf/all/rp_filter": "0",
    "ipv4/conf/default/rp_filter": "0",
    "ipv4/conf/all/accept_local": "1",
    "ipv4/conf/all/route_localnet": "1",
    "ipv4/conf/all/log_martians": "0",
    "ipv4/conf/eth0/rp_filter": "0",
    "ipv4/conf/transit/rp_filter": "0",
    "ipv6/conf/eth0/accept_ra": "0",
    "ipv6/conf/transit/accept_ra": "0",
}

_HOST = [
    "link set lo up",
    f"link set eth0 address {HOST_MAC} addrgenmode none up",
    f"link set transit address {HOST_TRANSIT_MAC} addrgenmode none up",
    "link set copy0 addrgenmode none up",
    "link set copy1 addrgenmode none up",
    f"address add {names.HOST_ADDRESS}/24 dev eth0",
    f"address add {names.HOST_ULA}/64 dev eth0 nodad",
    f"neigh replace {names.ROUTER_ADDRESS} lladdr {PEER_MAC} dev eth0 nud permanent",
    f"neigh replace {names.ROUTER_ULA} lladdr {PEER_MAC} dev eth0 nud permanent",
]


def _routes(gateway: str, own: list[str]) -> list[str]:
    """Of one family. In table 100 everything is this host, in table 200 nothing is. So it is in the
    table `local`, too, which is not asked for routes here, but for what may be a source."""
    return [
        f"route add default via {gateway} dev eth0",
        f"route add default via {gateway} dev eth0 table 200",
        "route add local default dev lo table 100",
        "route add local default dev lo table local",
        "rule add pref 10 fwmark 8 lookup 100",
        "rule add pref 11 fwmark 9 lookup 100",
        "rule add pref 12 iif eth0 lookup 100",
        "rule add pref 13 iif transit lookup 200",
        # Or it could not be the source of an answer.
        *(["route del broadcast 127.255.255.255 dev lo table local"] if "." in gateway else []),
        *(f"rule add pref 14 to {address} lookup 100" for address in own),
        "rule del pref 0",
    ]


_PEER = [
    f"link set peer0 address {PEER_MAC} addrgenmode none arp off up",
    f"address add {names.WEB_ADDRESS}/32 dev peer0",
    f"neigh replace {names.HOST_ADDRESS} lladdr {HOST_MAC} dev peer0 nud permanent",
    "route add default dev peer0",
    f"link set peer1 address {PEER_TRANSIT_MAC} addrgenmode none arp off up",
]


@dataclass(frozen=True)
class Result:
    """What lethe-classes found."""

    exit: int  # 0: all agree; 1: they do not; other: it could not say
    told: dict[str, Any]
    said: str  # for people: each disagreement

    def disagreements(self, kind: str) -> int:
        return int(self.told["disagreements"][kind])


class Classes:
    """The two namespaces."""

    def __init__(self, name: str) -> None:
        self.host = f"{names.NAMESPACE_PREFIX}{name}-host"
        self.peer = f"{names.NAMESPACE_PREFIX}{name}-peer"

    def up(self) -> Classes:
        netns.ip_batch([f"netns add {self.host}", f"netns add {self.peer}"])
        netns.ip_batch(
            [f"link add eth0 type veth peer name peer0 netns {self.peer}",
             f"link add transit type veth peer name peer1 netns {self.peer}",
             "link add copy0 type veth peer name copy1"],
            ns=self.host,
        )  # fmt: skip
        netns.write_sysctls(self.peer, {"ipv6/conf/all/disable_ipv6": "1"})
        netns.ip_batch(_PEER, ns=self.peer)
        netns.ip_batch(_HOST, ns=self.host)
        netns.ip_batch(_routes(names.ROUTER_ADDRESS, ["127.0.0.0/8", names.HOST_ADDRESS]),
                       ns=self.host, family="-4")
        netns.ip_batch(_routes(names.ROUTER_ULA, ["::1", names.HOST_ULA]),
                       ns=self.host, family="-6")  # fmt: skip
        netns.nft(self.host, WITNESS.read_text(encoding="utf-8"))
        return self

    def down(self) -> None:
        for ns in (self.host, self.peer):
            if netns.exists(ns):
                netns.ip_batch([f"netns del {ns}"])

    def apply(self, policy: Path) -> None:
        """Have lethe-wall enforce this policy. It closes what the kernel would forward or take in
        past the rules; what the rules do with it is to be seen, so that is opened again."""
        argv = [str(rules.wall()), "apply", "--passwd", str(names.PASSWD), "--policy", str(policy)]
        result = self.run(argv)
        assert result.returncode == 0, result.stderr
        netns.write_sysctls(self.host, _SYSCTLS)

    def nft(self, commands: str) -> None:
        netns.nft(self.host, commands)

    def run(self, argv: list[str]) -> subprocess.CompletedProcess[str]:
        return netns.run_in(
            self.host,
            lambda: subprocess.run(argv, capture_output=True, text=True, timeout=SECONDS,
                                   stdin=subprocess.DEVNULL, check=False),
        )  # fmt: skip

    def send(self, policy: Path, *words: str) -> Result:
        """A packet for every class of this policy. It spends the rules that are loaded."""
        argv = [tool("lethe-classes"), "--policy", str(policy), "--passwd", str(names.PASSWD),
                "--peer", str(netns.path(self.peer)), *words]  # fmt: skip
        result = self.run(argv)
        if result.returncode not in (0, 1):
            raise RuntimeError(f"lethe-classes: exit {result.returncode}: {result.stderr}")
        return Result(result.returncode, json.loads(result.stdout), result.stderr)


@contextmanager
def classes(name: str, policy: Path) -> Iterator[Classes]:
    """The namespaces, with @policy enforced."""
    made = Classes(name)
    try:
        made.up()
        made.apply(policy)
        yield made
    finally:
        made.down()
