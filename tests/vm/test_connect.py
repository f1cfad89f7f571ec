# SPDX-License-Identifier: GPL-3.0-or-later
"""Connecting to Tor in the booted image, as a person at its console does it; judged on the wire from
power-on to power-off."""

from __future__ import annotations

import dataclasses
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from labkit import client, names
from labkit.lab import Lab
from labkit.wait import wait_for
from labkit.webzoo import BODY, Zoo, says_date
from vmkit import boot, layer, session
from vmkit.guest import Guest
from vmkit.machine import Machine
from vmkit.wire import Allowed, Recording

pytestmark = pytest.mark.xdist_group("connect")

DEADLINE = 600.0  # s, for anything in a machine that is emulated
YEAR = timedelta(days=365)
NEAR = 120.0  # s, of a clock that was put right, while everything is slow
TRUSTED = "/etc/ssl/certs/ca-certificates.crt"
POOLS = names.SOURCE_ROOT / "data" / "clock" / "pools.conf"
ASKED = r"How should this computer connect to Tor\?"
# The questions for the time, and the lookups for them.
TIME_TCP = frozenset({(names.WEB_ADDRESS, names.HTTPS_PORT)})
TIME_UDP = frozenset({(names.LAN_RESOLVER, names.DNS_PORT)})


@dataclass
class Booted:
    lab: Lab
    machine: Machine
    guest: Guest

    def say(self, text: str, wanted: str) -> str:
        """Type at the console, and wait for an answer."""
        self.machine.serial.type(text)
        return self.machine.serial.wait(wanted, DEADLINE)[0]

    def fetch(self) -> None:
        """A page and an onion service, as amnesia."""
        page = self.guest.call(client.socks_get, names.WEB_NAME, user=names.AMNESIA, timeout=DEADLINE)
        assert page.startswith((names.WEB_BODY_START, BODY.decode("ascii"))), page[:80]
        wait_for(self._onion, DEADLINE, "the onion service's page")

    def _onion(self) -> bool:
        try:
            page = self.guest.call(client.socks_get, self.lab.tor.onion_name(), user=names.AMNESIA,
                                   timeout=120)
        except OSError:
            return False
        return page.startswith(names.ONION_BODY_START)

    def judge(self, allowed: Allowed, case: str) -> None:
        self.guest.close()
        self.machine.power_button()
        self.machine.wait_end(DEADLINE)
        Recording.of(self.machine).judge(allowed, case).require("dhcp request", "tcp")

    def clock(self) -> float:
        """How far its clock is from the right time, in seconds."""
        return self.guest.call(time.time) - time.time()


@pytest.fixture
def zoo(lab: Lab, tmp_path: Path) -> Iterator[Zoo]:
    """Every host of the shipped pools, with the right time and a certificate of the lab's authority."""
    with Zoo(lab, tmp_path / "authority") as made:
        for line in POOLS.read_text(encoding="utf-8").splitlines():
            if line.startswith("host "):
                made[line.split()[1]] = says_date(0)
        made[names.WEB_NAME] = says_date(0)
        yield made


@pytest.fixture
def booted(lab: Lab, iso: Path, place: Path, zoo: Zoo, request: pytest.FixtureRequest
           ) -> Iterator[Booted]:
    """At the prompt. A case's parameter is what the hardware clock says."""
    clock = getattr(request, "param", "utc")
    trusted = {TRUSTED: layer.File(zoo.authority.root.read_text(encoding="ascii"))}
    with lab.vm_port() as port:
        spec = session.spec_in_lab(lab, iso, session.Computer(medium="usb"), place, port.device,
                                   trusted)  # fmt: skip
        with Machine(dataclasses.replace(spec, clock=clock), place / "vm") as machine:
            session.start(machine, lambda text: print(text, file=sys.stderr))
            with Guest(machine) as guest:
                yield Booted(lab, machine, guest)


def test_nothing_is_sent_before_the_choice_but_for_the_link(booted: Booted) -> None:
    """And then: offline is offline."""
    booted.guest.wait_address()
    wait_for(lambda: booted.guest.connection().get("state") == "asked", DEADLINE, "the question")
    status = booted.guest.run(["lethe", "status"], user=names.AMNESIA).stdout
    assert "lethe-connect" in status, status
    code, _ = boot.command(booted.machine, "lethe-connect offline")
    assert code == 0
    assert booted.guest.connection()["state"] == "offline"
    booted.guest.close()
    booted.machine.power_button()
    booted.machine.wait_end(DEADLINE)
    result = Recording.of(booted.machine).judge(Allowed(tor=False), "before a choice")
    result.require("dhcp request", "arp announcement")


def test_hide_by_a_pasted_bridge(booted: Booted) -> None:
    """Typed at the console: hide, a bridge line, an empty line; 100 %; on the wire the bridge alone."""
    bridge = booted.lab.tor.bridge_line()
    booted.guest.wait_address()
    booted.say("lethe-connect\n", ASKED)
    booted.say("2\n", "^> ")
    booted.say(f"{bridge}\n", "^> ")
    booted.say("\n", r"connected to Tor, by a bridge")
    booted.machine.serial.wait(boot.PROMPT, DEADLINE)
    told = booted.guest.connection()
    assert (told["state"], told["mode"], told["progress"]) == ("connected", "hide", 100), told
    booted.fetch()
    booted.judge(Allowed(bridge=True), "hide")


AHEAD = (datetime.now(timezone.utc) + YEAR).strftime("%Y-%m-%dT%H:%M:%S")
BEHIND = (datetime.now(timezone.utc) - YEAR).strftime("%Y-%m-%dT%H:%M:%S")


@pytest.mark.parametrize("booted", [AHEAD, BEHIND], indirect=True, ids=["ahead", "behind"])
def test_automatic_with_a_clock_a_year_off(booted: Booted, zoo: Zoo) -> None:
    """The clock is put right, Tor connects; on the wire the questions for the time, the lookups for
    them, and Tor. The hardware clock stays as it is."""
    booted.guest.wait_address()
    before = booted.guest.text(["cat", "/sys/class/rtc/rtc0/date"]).strip()
    booted.say("lethe-connect auto\n", r"connected to Tor$")
    booted.machine.serial.wait(boot.PROMPT, DEADLINE)
    assert abs(booted.clock()) < NEAR
    after = booted.guest.text(["cat", "/sys/class/rtc/rtc0/date"]).strip()
    assert after[:4] == before[:4], "the hardware clock was written"
    booted.fetch()
    asked = {visit.name for visit in zoo.visits}
    print(f"asked for the time: {sorted(asked)}", file=sys.stderr)
    booted.judge(Allowed(tcp=TIME_TCP, udp=TIME_UDP), "automatic")
