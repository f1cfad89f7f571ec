# SPDX-License-Identifier: GPL-3.0-or-later
"""Lethe's own rules, with real Tor running on the host under test: F1 to F9 on the wire."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from labkit import local_clients, local_matrix, matrix, names, probes, rules
from labkit.lab import Lab

BAIT_PORT = 20002
_LISTENER = (
    "import socket, sys\n"
    "server = socket.create_server(('0.0.0.0', int(sys.argv[1])))\n"
    "print('ready', flush=True)\n"
    "while True:\n"
    "    server.accept()[0].close()\n"
)


def test_nothing_leaves_but_what_the_policy_grants(bare: Lab) -> None:
    rules.apply(bare, "lethe")
    result = matrix.run(bare)
    print(matrix.render(result, colour=False))
    assert {(cell.probe, cell.user): cell.status for cell in result.bad} == {}
    assert result.strays == {}
    assert result.unsupported == {}


def test_what_is_beyond_the_rules() -> None:
    """What no ruleset can hold is a short list, and each entry needs a right that users lack."""
    assert {entry.name for entry in probes.table() if entry.beyond} == {
        "xdp-udp", "xdp-tcp", "device-macvlan-ns-stack"}


def test_local_services_are_reached_by_those_named(bare: Lab) -> None:
    rules.apply(bare, "lethe")
    local = local_matrix.run(bare)
    print(local_matrix.render(local, colour=False))
    assert {(check.row, check.user): check.got for check in local.bad} == {}


# ---- the clearnet namespace: F4 -----------------------------------------------------------------


@contextmanager
def listener(lab: Lab) -> Iterator[None]:
    """A service of the host under test, on every address of it."""
    argv = ["/usr/bin/python3", "-c", _LISTENER, str(BAIT_PORT)]
    with lab.host.popen(argv, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout and process.stdout.readline() == b"ready\n"
            yield
        finally:
            process.kill()


# What amnesia reaches from inside the namespace: without rules, and with Lethe's. The namespace itself
# leads to no address of the host; test_clearnet.py has what the rules add.
CLEARNET = [
    ("tcp", names.WEB_ADDRESS, 80, True, True),
    ("tcp", names.PRINTER_ADDRESS, 9100, True, True),
    ("udp", names.PUBLIC_RESOLVERS[0], 53, True, True),
    ("tcp", names.HOST_ADDRESS_SECOND, BAIT_PORT, False, False),
    ("tcp", names.HOST_ADDRESS, BAIT_PORT, False, False),
    ("tcp", "127.0.0.1", names.TOR_SOCKS_PORT, False, False),
    ("tcp", "127.192.5.7", 80, False, False),
]


@pytest.mark.parametrize("ruleset", ("none", "lethe"))
def test_the_clearnet_namespace_has_the_network_and_nothing_of_the_host(bare: Lab,
                                                                        ruleset: str) -> None:
    rules.apply(bare, ruleset)
    targets = [target[:3] for target in CLEARNET]
    with listener(bare):
        found = bare.host.call(local_clients.try_all, targets, user=names.AMNESIA,
                               namespace="clearnet")
    reached = {tuple(entry[:3]): entry[3] == local_clients.REACHED for entry in found}
    column = 3 if ruleset == "none" else 4
    assert reached == {target[:3]: target[column] for target in CLEARNET}
