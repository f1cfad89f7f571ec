# SPDX-License-Identifier: GPL-3.0-or-later
"""A machine with which all is well, made once and started again from there; what its status says."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from labkit.lab import Lab

from . import boot, evidence, guest_state, session, snapshot
from .guest import Guest
from .machine import Machine
from .spec import Spec

PARTS = ("Medium", "Filter", "Proof", "Guard", "Watch", "Tor", "Links")


@dataclass(frozen=True)
class Status:
    """What was seen once."""

    code: int
    text: str

    def part(self, title: str) -> str:
        return guest_state.part(self.text, title)

    def assert_good_but(self, *titles: str) -> None:
        """No other part is worse for what one of them has."""
        for title in PARTS:
            if title not in titles:
                assert self.part(title).startswith("good: "), self.text


def ask(machine: Machine) -> Status:
    return Status(*boot.command(machine, guest_state.STATUS))


@dataclass(frozen=True)
class Well:
    """A machine with Tor connected, saved; and what it said."""

    spec: Spec
    state: Path
    status: Status


@contextmanager
def made(lab: Lab, iso: Path) -> Iterator[Well]:
    """The state stays for the block; the lab's port is free again in it."""
    with evidence.shared("well") as directory:
        with lab.vm_port() as port:
            computer = session.Computer(medium="usb")
            spec = session.spec_in_lab(lab, iso, computer, directory, port.device)
            with evidence.watched(Machine(spec, directory / "vm")) as machine:
                boot.accept_laboratory(machine)
                boot.wait_prompt(machine)
                with Guest(machine) as guest:
                    guest.wait_tor_connected()
                status = ask(machine)
                snapshot.save(machine, directory / "state")
        yield Well(spec, directory / "state", status)
