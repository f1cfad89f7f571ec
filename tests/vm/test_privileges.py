# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/privileges.md says what every process may: it is compared with the running system, row by row.
The cases look, and change nothing that stays."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from labagent import doors
from labkit.lab import Lab
from vmkit import evidence, privileges, snapshot
from vmkit.guest import Guest
from vmkit.well import Well

pytestmark = pytest.mark.xdist_group("status")

LABORATORY = {"python3.13"}  # the agent, which asks
DEADLINE = 240.0  # s, for anything in a machine that is emulated


@pytest.fixture(scope="module")
def guest(lab: Lab, well: Well) -> Iterator[Guest]:
    with (evidence.shared("privileges") as directory, lab.vm_port(),
          evidence.watched(snapshot.restore(well.spec, well.state, directory / "vm")) as restored,
          Guest(restored) as connected):
        yield connected


def _running(guest: Guest) -> list[dict[str, str]]:
    found = guest.call(doors.privileges, timeout=DEADLINE)
    on_demand = {row["unit"] for row in privileges.on_demand()}
    return [row for row in found if row["program"] not in LABORATORY
            and privileges.template(row["unit"]) not in on_demand]


def test_what_stays_may_what_is_written(guest: Guest) -> None:
    assert privileges.differences(privileges.staying(), _running(guest)) == []


def test_what_comes_on_demand_may_what_is_written(guest: Guest) -> None:
    written = privileges.on_demand()
    said = guest.text(["systemctl", "show", "-p", ",".join(privileges.PROPERTIES),
                       *(privileges.instance(row["unit"]) for row in written)], timeout=DEADLINE)
    assert privileges.units_differ(written, said) == []


def test_each_of_our_services_is_written(guest: Guest) -> None:
    said = guest.text(["systemctl", "list-unit-files", "--plain", "--no-legend", "lethe-*.service"])
    files = {line.split()[0] for line in said.splitlines()}
    known = {privileges.template(row["unit"])
             for row in [*privileges.staying(), *privileges.on_demand()]}
    laboratory = {name for name in files if name.startswith("lethe-laboratory")}
    assert sorted(files - laboratory - known) == []


def test_more_than_is_written_is_seen(guest: Guest) -> None:
    """A process with another user's, a capability's or a filter's difference."""
    running = _running(guest)
    for key, value in (("user", "root"), ("effective", "0000000000002000"), ("seccomp", "0"),
                       ("groups", "root")):
        changed = [dict(row) for row in running]
        victim = next(row for row in changed if row["program"] == "lethe-watchd")
        victim[key] = value
        assert len(privileges.differences(privileges.staying(), changed)) == 2, key
    guest.text(["systemd-run", "--unit=probe", "sleep", "infinity"])
    more = privileges.differences(privileges.staying(), _running(guest))
    guest.text(["systemctl", "stop", "probe.service"])
    assert len(more) == 1 and "probe.service" in more[0], more
