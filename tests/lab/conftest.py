# SPDX-License-Identifier: GPL-3.0-or-later
"""The laboratory's own tests: that what it offers is there, and that its witnesses see."""

from __future__ import annotations

import errno
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

from labkit import figures, rules  # noqa: E402
from labkit.lab import Lab  # noqa: E402


# Each takes half a minute or more, and has a sister that every run of ./test keeps.
_LONG = re.compile(
    rf"test_netlink_fails_at_every_call\[(error:{errno.EINTR}|error:{errno.ENOMEM}|lost:.*)\]|"
    rf"test_a_fault_at_every_call_leaves_what_was\[error:{errno.EPERM}\]|"
    r"test_a_guard_whose_queue_is_full|"
    r"test_a_stranger_who_judges_is_found\[output\]|"
    r"test_a_local_hole_shows_.*\[(refused in silence|own addresses are taken for the LAN)\]|"
    # Of Tor's matrices: one row or two of each kind stay.
    r"test_a_censor_stops_the_direct_way\[(?!authorities reset)|"
    r"test_a_bridge_is_a_way_past_it\[(?!only port 443)|"
    r"test_a_portal\[|test_a_dead_network_and_a_slow_one|"
    r"test_a_wrong_clock\[(?!2 h behind)|"
    # Of the connection: the longest that have sisters.
    r"test_without_tor$|test_bridges_that_do_not_work\[wrong_port|test_relays_refuse$|"
    r"test_the_network_changes\w*\[(?!link flaps)|"
    r"test_killed_at_every_phase\[(?!(conn|loading_status|done)\])|"
    r"test_a_bridge_that_(is_silent|talks_nonsense|is_not_there|is_dropped)|"
    r"test_a_bridge_with_another_key|"
    r"test_of_a_good_and_a_bad_bridge|test_what_hastens_it_after_a_change|"
    r"test_(apart|without_isolation_they_share)\[.*TransPort|"
    r"test_without_isolation_they_share\[(?!port of Tor|9050: destination\]|9150)|"
    r"test_past_tor\[.*-root\]|"
    r"test_(by_tor|other_questions|past_tor)\[.*-(nobody|clearnet)\]")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "long: left out by ./test, run by ./test lab and ./test full")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if _LONG.search(item.name):
            item.add_marker(pytest.mark.long)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What was measured, once and together."""
    for table in figures.ALL:
        if text := table.text():
            terminalreporter.write_line(f"\n{text}\n")


def lab_name(suffix: str) -> str:
    """Of this test run alone, so that runs do not meet each other or a person's lab."""
    return f"test{os.getpid()}{suffix}"


def say(text: str) -> None:
    print(f"lab: {text}", file=sys.stderr, flush=True)


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """One laboratory with Tor for all tests. Each leaves its host without rules."""
    laboratory = Lab(lab_name(""), progress=say)
    laboratory.up()
    yield laboratory
    laboratory.down()


@pytest.fixture(scope="session")
def hostile_lab() -> Iterator[Lab]:
    """One with a hostile router and without Tor."""
    laboratory = Lab(lab_name("-hostile"), progress=say)
    laboratory.up(tor=False, hostile=True)
    yield laboratory
    laboratory.down()


@pytest.fixture
def bare(lab: Lab) -> Iterator[Lab]:
    """The laboratory, its host without rules before and after."""
    rules.clear(lab)
    yield lab
    rules.clear(lab)


@pytest.fixture
def joined(bare: Lab) -> Iterator[Lab]:
    """The laboratory with Lethe's rules and a namespace that has just been made."""
    rules.apply_lethe(bare)
    bare.host.clearnet.stop()
    bare.host.clearnet.start()
    yield bare
    bare.host.clearnet.stop()
