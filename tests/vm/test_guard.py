# SPDX-License-Identifier: GPL-3.0-or-later
"""The guard in the booted image (P2): root cannot take the filter away, and who tried is told."""

from __future__ import annotations

import json

import pytest

from labagent import tamper
from labkit import names
from labkit.wait import wait_for
from vmkit.guest import Guest
from vmkit.machine import Machine
from vmkit.well import ask
from vmkit.wire import Allowed, Recording

pytestmark = pytest.mark.xdist_group("status")

GOOD = 0  # lethe(1), exit status
FLUSH, FLUSHES = ["nft", "flush", "ruleset"], 20
KILL, KILLS = ["systemctl", "kill", "--signal=KILL", "lethe-guard.service"], 5
TABLES = "table inet lethe\ntable netdev lethe\n"
TARGET = (names.ECHO_ADDRESS, 9)
LEAK = f"UDP to {TARGET[0]}:{TARGET[1]}"
HELD = Allowed(held=frozenset({names.VM_ADDRESS}))
SECONDS = 300.0


def guard_says(guest: Guest) -> dict[str, object]:
    return json.loads(guest.text(["cat", "/run/lethe/guard.json"]))


def tampered(
    guest: Guest, machine: Machine, case: str, command: list[str], rounds: int
) -> tuple[list[str], int]:
    """The tables that were there after one of the commands, and how many datagrams escaped."""
    guest.wait_address()
    tables, tried = guest.call(tamper.tables_while_sending, command, rounds, names.AMNESIA, TARGET,
                               timeout=SECONDS)  # fmt: skip
    guest.settle()
    result = Recording.of(machine).judge(HELD, case)
    escaped = sum(LEAK in leak.reasons for leak in result.leaks)
    assert tried > rounds
    print(f"{case}: {rounds} times, while amnesia sent {tried} datagrams: {escaped} escaped")
    assert len(result.leaks) == escaped, result.summary()
    return tables, escaped


def test_flushing_the_ruleset_changes_nothing_and_is_told(machine: Machine, guest: Guest) -> None:
    told = guard_says(guest)
    assert told["state"] == "holding" and told["owned"] is True, told
    assert told["judgement"] == "proved" and told["outside"] == "", told
    before = guest.text(["nft", "list", "ruleset"])
    tables, escaped = tampered(guest, machine, "flush, guarded", FLUSH, FLUSHES)
    assert tables == [TABLES]
    assert escaped == 0
    assert guest.text(["nft", "list", "ruleset"]) == before
    status = ask(machine)
    assert status.code == GOOD, status.text
    watch = status.part("Watch")
    assert "nft" in watch and "flush" in watch and str(FLUSHES) in watch, status.text


def test_flushing_without_the_guard_opens(machine: Machine, guest: Guest) -> None:
    """The anti-test: it is the guard that keeps it."""
    guest.text(["systemctl", "stop", "lethe-guard.service"])
    tables, escaped = tampered(guest, machine, "flush, guard stopped", FLUSH, FLUSHES)
    assert "" in tables
    assert escaped > 0


def test_a_killed_guard_comes_again_and_nothing_escapes(machine: Machine, guest: Guest) -> None:
    first = guard_says(guest)["pid"]
    tables, escaped = tampered(guest, machine, "guard killed", KILL, KILLS)
    assert tables == [TABLES]
    assert escaped == 0

    def holding() -> dict[str, object] | None:
        told = guard_says(guest)
        return told if told["pid"] != first and told["state"] == "holding" else None

    assert wait_for(holding, SECONDS, "the next guard")["owned"] is True
    tables, escaped = tampered(guest, machine, "flush, next guard", FLUSH, FLUSHES)
    assert tables == [TABLES]
    assert escaped == 0
