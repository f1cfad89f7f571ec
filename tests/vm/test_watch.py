# SPDX-License-Identifier: GPL-3.0-or-later
"""The watch in the booted image (P3): who was refused is told to the person at the console, and
nowhere else is it written where anybody wanted to go."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from typing import Any

import pytest

from labagent import traces
from labkit import client, names
from vmkit.guest import Guest
from vmkit.guest_state import output
from vmkit.machine import Machine

pytestmark = pytest.mark.xdist_group("status")

# Of documentation's addresses, and said nowhere else.
SECRET = ("203.0.113.211", "203.0.113.167", "203.0.113.94")
TCP, UDP, PING = SECRET
SECONDS = 300.0
ROUNDS, HOUR = 3, 3600.0


def attempt(guest: Guest) -> None:
    """One of each kind. That they fail is the point."""
    guest.run(["bash", "-c", f"exec 3<>/dev/tcp/{TCP}/443"], user=names.AMNESIA)
    guest.run(["bash", "-c", f"echo >/dev/udp/{UDP}/5060"], user=names.ROOT)
    with suppress(OSError):
        guest.call(client.ping, PING, 1.0)


def rows(guest: Guest) -> list[dict[str, Any]]:
    return json.loads(guest.text(["lethe-watch", "--json"], user=names.AMNESIA))["refused"]


def row_of(guest: Guest, address: str) -> dict[str, Any]:
    found = [row for row in rows(guest) if row.get("destination") == address]
    assert len(found) == 1, found
    return found[0]


def use(guest: Guest) -> None:
    """What a session does with what the watch knows, and what may befall it."""
    attempt(guest)
    for command in (["lethe-watch"], ["lethe-watch", "summary"], ["lethe", "leaving"],
                    ["lethe", "status", "--wait=60"]):  # fmt: skip
        guest.run(command, user=names.AMNESIA, timeout=SECONDS)
    guest.text(["nft", "flush", "ruleset"])
    guest.text(["lethe-wall", "apply"])
    # It dies, with what it knew in its memory, and the next one knows nothing.
    guest.text(["systemctl", "kill", "--signal=ABRT", "lethe-watch.service"])


def nothing_is_written(guest: Guest) -> None:
    guest.text(["journalctl", "--sync"])
    assert guest.call(traces.of_addresses, list(SECRET), timeout=SECONDS) == []


def test_the_refused_are_named(guest: Guest) -> None:
    guest.wait_address()
    state = json.loads(guest.text(["lethe-watch", "--json"], user=names.AMNESIA))["state"]
    assert state["Source"] == "tracepoint" and state["SocketsNoted"], state
    attempt(guest)
    tcp, udp = row_of(guest, TCP), row_of(guest, UDP)
    assert (tcp["program"], tcp["uid"], tcp["port"]) == ("/usr/bin/bash", 1000, 443), tcp
    assert (udp["program"], udp["uid"], udp["port"]) == ("/usr/bin/bash", 0, 5060), udp
    assert tcp["attribution"] == udp["attribution"] == "certain"
    assert tcp["grant"] == "missing" and tcp["line"], tcp


def test_the_person_at_the_console_sees_it(machine: Machine, guest: Guest) -> None:
    guest.wait_address()
    attempt(guest)
    listed = output(machine, "lethe-watch")
    assert "/usr/bin/bash" in listed and f"{TCP}:443" in listed, listed
    leaving = output(machine, "lethe leaving")
    assert f"{TCP}:443" in leaving.partition("Refused")[2], leaving
    # Others learn nothing.
    for command in ["lethe-watch"], ["lethe-watch", "summary"]:
        asked = guest.run(command, user="nobody")
        assert asked.returncode != 0 and TCP not in asked.stdout + asked.stderr, asked


def test_a_new_watch_knows_nothing(guest: Guest) -> None:
    guest.wait_address()
    attempt(guest)
    assert row_of(guest, TCP)
    guest.text(["systemctl", "restart", "lethe-watch.service"])
    assert [row for row in rows(guest) if row.get("destination") in SECRET] == []


def test_no_destination_is_written_anywhere(guest: Guest) -> None:
    guest.wait_address()
    for _ in range(ROUNDS):
        use(guest)
    nothing_is_written(guest)


def test_no_destination_is_written_in_an_hour(guest: Guest) -> None:
    guest.wait_address()
    end, rounds = time.monotonic() + HOUR, 0
    while time.monotonic() < end:
        use(guest)
        rounds += 1
    print(f"watch: {rounds} rounds of a session of {HOUR:.0f} s")
    nothing_is_written(guest)


@pytest.mark.parametrize("way", ["journal", "file", "binary"])
def test_a_destination_that_was_written_is_found(guest: Guest, way: str) -> None:
    """The anti-test."""
    if way == "journal":
        guest.text(["logger", f"refused: {TCP}:443"])
    elif way == "file":
        guest.text(["sh", "-c", f"echo {TCP} >/home/amnesia/note"], user=names.AMNESIA)
    else:
        guest.text(["sh", "-c", r"printf '\313\000\161\323' >/var/tmp/packet"])
    guest.text(["journalctl", "--sync"])
    found = guest.call(traces.of_addresses, list(SECRET), timeout=SECONDS)
    assert len(found) >= 1, found
    assert all(TCP in line for line in found), found
