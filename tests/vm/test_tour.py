# SPDX-License-Identifier: GPL-3.0-or-later
"""The laboratory's tour in the booted image: as promised; and not, when its filter was opened."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from labkit import client, names
from labkit.lab import Lab
from labkit.tour import Tour
from vmkit import session, snapshot
from vmkit.guest import Guest
from vmkit.machine import Machine
from vmkit.spec import Spec

pytestmark = pytest.mark.xdist_group("tour")

Starter = Callable[..., Machine]


@dataclass(frozen=True)
class Saved:
    """A machine at its prompt, with Tor connected."""

    spec: Spec
    state: Path


@pytest.fixture(scope="module")
def saved(lab: Lab, iso: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Saved]:
    directory = tmp_path_factory.mktemp("tour")
    with lab.vm_port() as port:
        spec = session.spec_in_lab(lab, iso, session.Computer(), directory, port.device)
        with Machine(spec, directory / "vm") as machine:
            session.start(machine, print)
            # The agent is connected when the state is taken: a later connection must work anyway.
            with Guest(machine) as guest:
                guest.wait_tor_connected()
                guest.prepare_tour()
                snapshot.save(machine, directory / "state")
        yield Saved(spec, directory / "state")
    (directory / "state").unlink()


@pytest.fixture
def guest(saved: Saved, start: Starter) -> Iterator[Guest]:
    with Guest(start(saved.spec, saved=saved.state)) as connected:
        connected.prepare_tour()
        yield connected


def test_every_step_comes_out_as_promised(lab: Lab, guest: Guest):
    # The connections that Tor had when the state was taken, its relays may have seen end since.
    guest.run(["systemctl", "restart", "tor@default.service"], check=True, timeout=300)
    guest.wait_tor_connected()
    shown: list[str] = []
    good = Tour(lab, guest).run(shown.append)
    assert good, "".join(text for text in shown if "FAIL" in text)
    assert len(shown) >= 25
    assert guest.address == names.VM_ADDRESS


def test_an_open_machine_fails_the_tour(lab: Lab, guest: Guest):
    """The anti-test: without the filter the refusals do not come, and the tour says so."""
    guest.open_filter()
    guide = Tour(lab, guest)
    # Without IPv6 addresses there is no way out by IPv6, filter or none.
    steps = [step for step in guide._direct() if not step.unrouted]
    with guide.capture() as capture:
        outcomes = [guide.attempt(step, capture) for step in steps]
    assert not any(outcome.good for outcome in outcomes)
    assert all(outcome.strays for outcome in outcomes)


def test_users_and_programs_are_the_images(guest: Guest):
    """What the tour relies on when it says that a user did something."""
    ids = {"amnesia": 1000, "debian-tor": 900, "clearnet": 901, "clearnet-net": 902}
    for user, number in ids.items():
        assert guest.call(os.getresuid, user=user) == (number,) * 3
    assert guest.run(["id", "-un"], user="amnesia").stdout == "amnesia\n"
    assert guest.status()["laboratory"] is True


def test_the_clearnet_namespace_is_one_of_its_own(guest: Guest):
    here = guest.call(os.readlink, "/proc/self/ns/net")
    inside = guest.call(os.readlink, "/proc/self/ns/net", namespace="clearnet", user="amnesia")
    assert inside != here
    answer = guest.call(client.resolve, names.WEB_NAME, names.LAN_RESOLVER, namespace="clearnet",
                        user="amnesia")  # fmt: skip
    assert answer == [names.WEB_ADDRESS]
    resolver = guest.run(["cat", "/etc/resolv.conf"], namespace="clearnet").stdout
    assert resolver == f"nameserver {names.LAN_RESOLVER}\n"
    assert names.LAN_RESOLVER not in guest.run(["cat", "/etc/resolv.conf"]).stdout
