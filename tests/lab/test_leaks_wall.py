# SPDX-License-Identifier: GPL-3.0-or-later
"""Lethe's own rules, with real Tor running on the host under test: F1 to F9 on the wire."""

from __future__ import annotations

import pytest

from labkit import local_matrix, matrix, probes, rules
from labkit.lab import Lab
from labkit.promise import BLOCKED, USERS, promise

MATRIX_SECONDS_MENTIONED = 60


def test_nothing_leaves_but_what_the_policy_grants(bare: Lab) -> None:
    rules.apply(bare, "lethe")
    result = matrix.run(bare)
    print(matrix.render(result, colour=False))
    assert {(cell.probe, cell.user): cell.status for cell in result.bad} == {}
    assert result.strays == {}
    assert result.unsupported == {}


def test_nothing_but_af_xdp_is_beyond_the_rules(bare: Lab) -> None:
    """What no ruleset can hold is a short list, and each entry needs a right that users lack."""
    assert {entry.name for entry in probes.table() if entry.beyond} == {"xdp-udp", "xdp-tcp"}


def test_local_services_are_reached_by_those_named(bare: Lab) -> None:
    rules.apply(bare, "lethe")
    local = local_matrix.run(bare)
    print(local_matrix.render(local, colour=False))
    assert {(check.row, check.user): check.got for check in local.bad} == {}
