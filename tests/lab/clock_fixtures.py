# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of the network clock share: a laboratory without Tor, whose nodes serve the time, with
the default policy in force."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from conftest import lab_name, say

from labkit import rules
from labkit.clockwork import Clock
from labkit.lab import Lab
from labkit.timeservers import TimeServers

NEAR = 12.0  # s, what the judge takes for agreement
YEAR = 365 * 86400


@pytest.fixture(scope="module")
def quiet() -> Iterator[Lab]:
    laboratory = Lab(lab_name("-clock"), progress=say)
    laboratory.up(tor=False)
    rules.apply(laboratory, "lethe")
    yield laboratory
    laboratory.down()


@pytest.fixture(scope="module")
def all_servers(quiet: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TimeServers]:
    made = TimeServers(quiet, tmp_path_factory.mktemp("timeservers"))
    yield made
    made.close()


@pytest.fixture
def servers(all_servers: TimeServers) -> TimeServers:
    """All are honest."""
    all_servers.reset()
    return all_servers


def clock(lab: Lab, servers: TimeServers, **options: object) -> Clock:
    """One that trusts the servers' authority."""
    return Clock(lab, ca=servers.authority.root, **options)  # type: ignore[arg-type]
