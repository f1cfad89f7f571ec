# SPDX-License-Identifier: GPL-3.0-or-later
"""`lethe status` in the image tells the truth. What it says is what a person sees: its text and its
exit status, asked for by `amnesia` on the console."""

from __future__ import annotations

import pytest

from labagent import mapper
from labkit import names
from vmkit import boot, guest_state
from vmkit.guest import Guest
from vmkit.machine import Machine
from vmkit.well import Well, ask

pytestmark = pytest.mark.xdist_group("status")

GOOD, BAD, WAITING = 0, 1, 3  # lethe(1), exit status


def test_all_is_well(well: Well) -> None:
    assert well.status.code == GOOD, well.status.text
    well.status.assert_good_but()
    assert well.status.text.rstrip().endswith("All is well.")
    assert "USB stick" in well.status.part("Medium") and "verified" in well.status.part("Medium")
    assert "enforced" in well.status.part("Filter")
    assert well.status.part("Proof").startswith("good: proved: "), well.status.text
    assert well.status.part("Tor") == "good: connected."


def test_laboratory_is_told_first(well: Well) -> None:
    assert "LABORATORY" in well.status.text.splitlines()[0]


def test_restored_machine_is_well(machine: Machine) -> None:
    """What the other cases see is theirs."""
    assert ask(machine).code == GOOD


def test_tor_not_yet_connected(machine: Machine, guest: Guest) -> None:
    machine.link(False)
    guest.run(["systemctl", "restart", "tor@default.service"], check=True, timeout=300)
    status = ask(machine)
    assert status.code == WAITING, status.text
    status.assert_good_but("Tor", "Links")
    assert status.part("Tor").startswith("not yet: "), status.text


def test_tor_not_running(machine: Machine, guest: Guest) -> None:
    guest.run(["systemctl", "stop", "tor@default.service"], check=True, timeout=300)
    status = ask(machine)
    assert status.code == BAD, status.text
    status.assert_good_but("Tor")
    assert "not running" in status.part("Tor")


def test_filter_opened(machine: Machine, guest: Guest) -> None:
    guest.open_filter()
    status = ask(machine)
    assert status.code == BAD, status.text
    status.assert_good_but("Filter", "Proof", "Guard")
    assert status.part("Filter").startswith("BAD: MISSING: nothing is filtered."), status.text
    assert status.part("Guard").startswith("BAD: there is no filter to be kept."), status.text
    assert status.part("Proof").startswith("BAD: REFUTED: the kernel lets pass"), status.text


def end_guard(guest: Guest) -> None:
    """From here on root can do what it likes with the filter."""
    guest.text(["systemctl", "stop", "lethe-guard.service"])


def test_guard_ended(machine: Machine, guest: Guest) -> None:
    """That opens nothing, but nobody keeps the filter any more."""
    end_guard(guest)
    status = ask(machine)
    assert status.code == BAD, status.text
    status.assert_good_but("Guard")
    assert status.part("Guard").startswith("BAD: does not run: "), status.text


@pytest.mark.parametrize("family", ["inet", "netdev"])
def test_a_table_of_the_filter_deleted(machine: Machine, guest: Guest, family: str) -> None:
    tables = guest.text(["nft", "list", "tables", family]).split()
    assert "lethe" in tables, tables
    end_guard(guest)
    guest.text(["nft", "delete", "table", family, "lethe"])
    status = ask(machine)
    assert status.code == BAD, status.text
    status.assert_good_but("Filter", "Proof", "Guard")
    assert status.part("Filter").startswith("BAD: "), status.text


def test_a_rule_added_to_the_filter(machine: Machine, guest: Guest) -> None:
    chain = guest.text(["nft", "list", "chains", "inet"])
    assert "chain output" in chain, chain
    end_guard(guest)
    guest.text(["nft", "insert", "rule", "inet", "lethe", "output", "accept"])
    status = ask(machine)
    assert status.code == BAD, status.text
    status.assert_good_but("Filter", "Proof", "Guard")
    assert status.part("Filter").startswith("BAD: "), status.text


def test_medium_verified_no_longer(machine: Machine, guest: Guest) -> None:
    """Root loads another table: damage would be ignored from now on."""
    sectors, kind, parameters = guest.call(mapper.table, "lethe-root")
    assert kind == "verity"
    assert "panic_on_corruption" in parameters.split()
    guest.call(mapper.replace, "lethe-root", sectors, kind,
               parameters.replace("panic_on_corruption", "ignore_corruption"))
    assert "ignore_corruption" in guest.call(mapper.table, "lethe-root")[2]
    status = ask(machine)
    assert status.code == BAD, status.text
    status.assert_good_but("Medium")
    assert status.part("Medium").startswith("BAD: NOT VERIFIED: "), status.text


def test_plain_mapping_is_refused_or_told(machine: Machine, guest: Guest) -> None:
    """A plain mapping instead of the verified one: the kernel refuses it, or it is told."""
    sectors, _, parameters = guest.call(mapper.table, "lethe-root")
    below = parameters.split()[1]
    try:
        guest.call(mapper.replace, "lethe-root", sectors, "linear", f"{below} 0")
    except OSError:
        assert guest.call(mapper.table, "lethe-root")[1] == "verity"
        assert ask(machine).code == GOOD
        return
    status = ask(machine)
    assert status.code == BAD, status.text
    assert status.part("Medium").startswith("BAD: NOT VERIFIED: "), status.text


def test_medium_taken_out(machine: Machine) -> None:
    machine.unplug()
    status = ask(machine)
    assert status.code == BAD, status.text
    assert "was taken out" in status.part("Medium"), status.text


def test_no_door_no_good_word(machine: Machine, guest: Guest) -> None:
    """What cannot be asked is not called good."""
    for door in ("wall", "proof", "tor", "medium"):
        guest.text(["systemctl", "stop", f"lethe-status-{door}.socket"])
    status = ask(machine)
    assert status.code == BAD, status.text
    for title in ("Medium", "Filter", "Proof", "Tor"):
        assert status.part(title).startswith("UNKNOWN: "), status.text


def test_user_cannot_reach_what_the_doors_use(machine: Machine) -> None:
    """The doors have the rights; who asks at them has none."""
    for line in ("nft list ruleset", "dmsetup table 2>&1 || cat /dev/mapper/control",
                 "cat /run/tor/control.authcookie"):  # fmt: skip
        assert boot.command(machine, f"{line} >/dev/null 2>&1")[0] != 0, line
    assert names.AMNESIA == guest_state.output(machine, "id -un").strip()


def asked_for_power(guest: Guest) -> bool:
    """Whether a door of power was ever connected to."""
    journal = guest.text(["journalctl", "--no-pager", "-o", "cat"])
    return "lethe-power-off@" in journal or "lethe-restart@" in journal


@pytest.mark.parametrize("verb", ["poweroff", "restart"])
def test_only_amnesia_turns_it_off(machine: Machine, guest: Guest, verb: str) -> None:
    result = guest.run(["lethe", verb], user="debian-tor")
    assert result.returncode == 2, result.stderr  # lethe(1): not for this user
    assert "only the user of the console may" in result.stderr
    # Nothing was asked of systemd.
    assert "poweroff.target" not in guest.text(["systemctl", "list-jobs", "--no-pager"])
    assert not asked_for_power(guest)
    assert ask(machine).code == GOOD


def test_refused_power_is_told(machine: Machine, guest: Guest) -> None:
    """And the anti-test of the case before: amnesia's request is seen."""
    guest.text(["systemctl", "mask", "--runtime", "poweroff.target"])
    code, said = boot.command(machine, "lethe poweroff --wait=60")
    assert code == BAD, said
    assert "masked" in said and "Press the power button" in said, said
    assert asked_for_power(guest)
