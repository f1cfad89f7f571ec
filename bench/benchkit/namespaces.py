# SPDX-License-Identifier: GPL-3.0-or-later
"""A pair of network namespaces for each ruleset, joined by a veth pair."""

from __future__ import annotations

import os
import subprocess

PREFIX = "lethe-bench-"
DEVICE = "eth0"  # at both ends
CLIENT_ADDRESS = "203.0.113.2"
PEER_ADDRESS = "203.0.113.1"  # stands for the Internet
SECONDS_MAX = 900  # for one command; only ends a wait for ever


def run(command: list[str], text: str | None = None) -> str:
    result = subprocess.run(command, input=text, capture_output=True, text=True, check=False,
                            timeout=SECONDS_MAX)
    if result.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: exit status {result.returncode}\n"
                           f"{result.stderr.strip()}")
    return result.stdout


def inside(namespace: str, command: list[str]) -> list[str]:
    return ["ip", "netns", "exec", namespace, *command]


class Pair:
    """The client's namespace, where the rules are, and its peer's, where there are none."""

    def __init__(self, name: str) -> None:
        start = f"{PREFIX}{os.getpid()}-{name}"
        self.client, self.peer = f"{start}-c", f"{start}-p"

    def make(self) -> None:
        for namespace in (self.client, self.peer):
            run(["ip", "netns", "add", namespace])
            # No router solicitations or duplicate address detection between two slices.
            run(inside(namespace, ["sysctl", "-q", "net.ipv6.conf.default.disable_ipv6=1"]))
        run(["ip", "-n", self.client, "link", "add", DEVICE, "type", "veth", "peer", "name",
             DEVICE, "netns", self.peer])
        for namespace, address in ((self.client, CLIENT_ADDRESS), (self.peer, PEER_ADDRESS)):
            run(["ip", "-n", namespace, "address", "add", f"{address}/24", "dev", DEVICE])
            for device in ("lo", DEVICE):
                run(["ip", "-n", namespace, "link", "set", device, "up"])

    def one_packet_per_segment(self) -> None:
        """TCP hands down single segments, so that each of them is judged."""
        for namespace in (self.client, self.peer):
            run(["ip", "-n", namespace, "link", "set", DEVICE, "gso_max_segs", "1"])

    def remove(self) -> None:
        for namespace in (self.client, self.peer):
            subprocess.run(["ip", "netns", "delete", namespace], capture_output=True, check=False)
