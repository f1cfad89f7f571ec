# SPDX-License-Identifier: GPL-3.0-or-later
"""On the wire, from power-on to power-off: no frame but what is allowed.

Every case judges what its machine sent (vmkit/wire.py). Cases that break the system first show that
the same recording sees a frame that does leave.
"""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from labkit import client, dhcp, names, netns, prying
from labkit.capture import Capture
from labkit.lab import Lab
from labkit.wait import wait_for
from vmkit import boot, layer, leaker, pcap, session, snapshot, wire, wire_rules
from vmkit.guest import Guest, calls
from vmkit.machine import Machine
from vmkit.spec import Nic, Spec
from vmkit.wire import Allowed, Recording, judge


DEADLINE = 300.0  # s, for anything in a machine that is emulated
ROUNDS = 3  # how often a hostile network says everything before a case ends
HELD = Allowed(held=frozenset({names.VM_ADDRESS}))
HOSTILE = Allowed(hostile=True)
# No request for the router's address: the kernel may have learnt it from what the router sent.
LINKS = ("dhcp discover", "dhcp request", "arp probe", "arp announcement", "tcp")
COMPUTER = session.Computer(medium="usb")
RELAY = names.PUBLIC_NODES["r1"]
Starter = Callable[..., Machine]


@dataclass
class Wired:
    """A machine in the laboratory, its agent connected."""

    lab: Lab
    machine: Machine
    guest: Guest
    case: str

    @property
    def recording(self) -> Recording:
        return Recording.of(self.machine)

    def off(self) -> None:
        """Ask the system to power off, and wait for the very end."""
        self.guest.close()
        self.machine.power_button()
        self.machine.wait_end(DEADLINE)

    def judge(self, allowed: Allowed | None = None) -> wire.Result:
        return self.recording.judge(allowed, self.case)

    def sent_bytes(self) -> int:
        return self.recording.sent.stat().st_size

    def tor_fails(self) -> bool:
        """Whether a page through Tor does not come."""
        try:
            self.guest.call(client.socks_get, names.WEB_NAME, user=names.AMNESIA, timeout=20)
        except OSError:
            return True
        return False


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    def say(text: str) -> None:
        print(f"lab: {text}", file=sys.stderr, flush=True)

    laboratory = Lab(f"wire{os.getpid()}", progress=say)
    laboratory.up()
    yield laboratory
    laboratory.down()


@pytest.fixture
def lan(lab: Lab) -> Iterator[Lab]:
    """The laboratory for cases that make its LAN a worse place; it is honest again afterwards."""
    yield lab
    lab.start_services(hostile=False)


@pytest.fixture
def port(lab: Lab) -> Iterator[str]:
    """The machine's port. (Asked for before `start`, so that it outlives the machine.)"""
    with lab.vm_port() as plugged:
        yield plugged.device


@dataclass
class Bench:
    """Machines for one case."""

    lab: Lab
    iso: Path
    place: Path
    port: str
    start: Starter
    case: str
    stack: ExitStack

    def spec(self, extra: layer.Files | None = None) -> Spec:
        files = leaker.program() | dict(extra or {})
        return session.spec_in_lab(self.lab, self.iso, COMPUTER, self.place, self.port, files)

    def boot(self, spec: Spec) -> Wired:
        """From power-on to the prompt, with the laboratory layer accepted."""
        machine = self.start(spec)
        boot.accept_laboratory(machine, DEADLINE)
        boot.wait_prompt(machine, DEADLINE)
        return self._wired(machine)

    def restore(self, spec: Spec, state: Path) -> Wired:
        return self._wired(self.start(spec, saved=state))

    def _wired(self, machine: Machine) -> Wired:
        guest = self.stack.enter_context(Guest(machine))
        return Wired(self.lab, machine, guest, self.case)


@pytest.fixture
def bench(
    lab: Lab, iso: Path, place: Path, port: str, start: Starter, request: pytest.FixtureRequest
) -> Iterator[Bench]:
    with ExitStack() as stack:
        yield Bench(lab, iso, place, port, start, request.node.name, stack)


@pytest.fixture(scope="session")
def connected(
    lab: Lab, iso: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Spec, Path]]:
    """A machine whose Tor is connected, saved."""
    directory = tmp_path_factory.mktemp("connected")
    state = directory / "state"
    with lab.vm_port() as port:
        spec = session.spec_in_lab(lab, iso, COMPUTER, directory, port.device, leaker.program())
        with Machine(spec, directory) as machine:
            boot.accept_laboratory(machine, DEADLINE)
            boot.wait_prompt(machine, DEADLINE)
            with Guest(machine) as guest:
                guest.wait_tor_connected(DEADLINE)
            snapshot.save(machine, state)
            Recording.of(machine).judge(case="until the snapshot").require(*LINKS)
    yield spec, state
    state.unlink()


@pytest.fixture
def running(bench: Bench, connected: tuple[Spec, Path]) -> Wired:
    """A machine from the snapshot. What its Tor had open is gone; it begins anew."""
    return bench.restore(*connected)


# From power-on ------------------------------------------------------------------------------------


def test_plugged_from_the_start(bench: Bench) -> None:
    """To the very end; and a second witness, the router's end of the cable, saw the same frames."""
    with Capture(bench.lab, device=bench.port) as tap:
        wired = bench.boot(bench.spec())
        wired.guest.wait_tor_connected(DEADLINE)
        wired.off()
    wired.judge().require(*LINKS)
    witness = Counter(frame.data for frame in tap.stop() if frame.incoming)
    assert witness == Counter(record.data for record in pcap.read(wired.recording.sent))


def test_plugged_late(bench: Bench) -> None:
    spec = bench.spec()
    assert spec.nic
    wired = bench.boot(dataclasses.replace(spec, nic=dataclasses.replace(spec.nic, link=False)))
    assert wired.judge().judged == 0, "frames through a cable that is not plugged"
    wired.machine.link(True)
    wired.guest.wait_tor_connected(DEADLINE)
    wired.off()
    wired.judge().require(*LINKS)


def test_two_cards(bench: Bench) -> None:
    """On one LAN: each is judged by its own address, hardware address and lease."""
    second = Recording.in_directory(bench.place, "net2")
    card = f"virtio-net-pci,netdev=net2,mac={names.VM_MAC_SECOND},romfile="
    with bench.lab.vm_port("p-vm2") as port, ExitStack() as stack:
        spec = bench.spec()
        more = (*second.arguments("net2", port.device), "-device", card)
        wired = bench.boot(dataclasses.replace(spec, more=spec.more + more))
        stack.callback(wired.machine.end)  # it must let go of the port
        wired.guest.wait_tor_connected(DEADLINE)
        wait_for(lambda: len(_links_up(wired.guest)) == 2, DEADLINE, "both cards being up")
        wired.off()
    wired.judge().require("dhcp request", "arp announcement")
    other = second.judge(Allowed(mac=names.VM_MAC_SECOND), f"{bench.case}, the second")
    other.require("dhcp request", "arp announcement")


def _links_up(guest: Guest) -> list[str]:
    """Devices with a carrier that are up, but lo."""
    said = guest.run(["sh", "-c", "grep -Hs . /sys/class/net/*/carrier"]).stdout
    up = [line.split("/")[4] for line in said.split() if line.endswith(":1")]
    return [device for device in up if device != "lo"]


def test_a_hostile_lan_from_the_start(bench: Bench, lan: Lab) -> None:
    """Everything at once: poisoned and doubled DHCP, router advertisements, redirects, false names,
    a neighbour that asks for all that a computer may answer."""
    lan.start_services(hostile=True)
    wired = bench.boot(bench.spec())
    wired.guest.wait_address(DEADLINE)
    _hear_everything(wired)
    wired.off()
    wired.judge(HOSTILE).require("dhcp request", "arp announcement", "arp reply")


def _hear_everything(wired: Wired) -> None:
    """Wait until the machine was asked everything, some times more than now."""
    wanted = set(prying.provocations(names.VM_ADDRESS, names.VM_MAC).values())
    before = _heard(wired.recording, wanted)

    def again() -> bool:
        now = _heard(wired.recording, wanted)
        return all(now[frame] >= before[frame] + ROUNDS for frame in wanted if _repeats(frame))

    wait_for(again, DEADLINE, "the neighbour asking everything")


def _repeats(frame: bytes) -> bool:
    """Whether it is the same each time: name lookups have a new number for each start."""
    return not (frame[12:14] == b"\x08\x00" and frame[23] == 17 and frame[36:38] != b"\xa0\x27")


def _heard(recording: Recording, wanted: set[bytes]) -> Counter[bytes]:
    try:
        return Counter(r.data for r in pcap.read(recording.received) if r.data in wanted)
    except pcap.CaptureError:
        return Counter()  # a frame is being written at this moment


def test_a_boot_rom_is_caught(lab: Lab, port: str, start: Starter, place: Path) -> None:
    """The anti-test for what comes before any system: a card with its ROM, and nothing to boot."""
    recording = Recording.in_directory(place, "rom")
    nowhere = Nic(netns=netns.path(lab.ns(names.ROUTER)))  # for the namespace alone
    card = f"virtio-net-pci,netdev=rom,mac={names.VM_MAC},bootindex=0"
    start(Spec(nic=nowhere, more=(*recording.arguments("rom", port), "-device", card)))

    def seen() -> bool:
        with suppress(pcap.CaptureError):  # a frame is being written at this moment
            return "PXEClient" in judge(recording.frames(), wire_rules.of_lab()).summary()
        return False

    wait_for(seen, DEADLINE, "the ROM asking for something to boot")
    with pytest.raises(AssertionError, match="a vendor class: 'PXEClient"):
        recording.judge(case="the ROM").require_silence()


# A leaker, and the filter -------------------------------------------------------------------------


def _tries(guest: Guest) -> dict[str, Counter[str]]:
    said = guest.run(["cat", leaker.TRIES])
    tries = json.loads(said.stdout) if said.returncode == 0 else {}
    return {way: Counter(tries.get(way, {})) for way in leaker.REASONS}


def test_a_planted_leaker_gets_nothing_out(bench: Bench) -> None:
    wired = bench.boot(bench.spec(leaker.planted()))
    wired.guest.wait_tor_connected(DEADLINE)
    before = _tries(wired.guest)

    def tried() -> bool:
        now = _tries(wired.guest)
        return all((now[way] - before[way]).total() >= 20 for way in now)

    wait_for(tried, DEADLINE, "twenty tries of each kind on a link that is up")
    print(f"wire: the leaker's tries: {_tries(wired.guest)}", file=sys.stderr)
    wired.off()
    wired.judge().require(*LINKS)


def test_a_planted_leaker_is_caught_when_the_filter_is_open(bench: Bench) -> None:
    """The anti-test of the case before, and of the oracle."""
    wired = bench.boot(bench.spec(leaker.planted()))
    wired.guest.wait_address(DEADLINE)
    assert wired.judge().leaks == []
    wired.guest.open_filter()

    def all_sent() -> bool:
        return all(outcomes["sent"] >= 20 for outcomes in _tries(wired.guest).values())

    wait_for(all_sent, DEADLINE, "twenty of each kind sent")
    wired.off()
    result = wired.judge()
    found = {reason for leak in result.leaks for reason in leak.reasons}
    assert set(leaker.REASONS.values()) <= found, result.summary()
    with pytest.raises(AssertionError, match="UDP to 198.51.100.80:9"):
        result.require("dhcp request")


def _drop_in(text: str) -> dict[str, layer.File | layer.Link]:
    return {"/etc/systemd/system/lethe-wall.service.d/broken.conf": layer.File(text)}


BROKEN: dict[str, dict[str, layer.File | layer.Link]] = {
    "failing": _drop_in("[Service]\nExecStartPre=\nExecStart=\nExecStart=/bin/false\n"),
    "masked": layer.mask("lethe-wall.service"),
    "killed": _drop_in("[Service]\nExecStart=\nExecStart=/bin/sh -c 'kill -KILL $$$$'\n"),
    "missing": {"/usr/sbin/lethe-wall": layer.Link("/nonexistent")},
    "bad policy": {"/etc/lethe/policy.conf": layer.File("lethe-policy 1\ndefault drop\nlet all\n")},
}


@pytest.mark.parametrize("how", BROKEN)
def test_without_the_filters_unit_no_link_comes_up(bench: Bench, lan: Lab, how: str) -> None:
    """The seal of the initramfs holds, and no link comes up: even for root on a link that is forced
    up. Where the program itself is missing, the guard covers the card."""
    lan.start_services(hostile=True)
    wired = bench.boot(bench.spec(BROKEN[how] | leaker.planted()))
    guest = wired.guest
    # Whatever is going to start has started or failed, and the card is there.
    guest.run(["systemctl", "is-system-running", "--wait"], timeout=DEADLINE)
    wait_for(lambda: guest.call(calls.devices), DEADLINE, "a network card")
    guest.run(["udevadm", "settle"], timeout=DEADLINE)
    device = guest.call(calls.devices)[0]  # under the name that it has from then on
    assert guest.run(["systemctl", "is-active", "NetworkManager"]).stdout != "active\n"
    assert _up_flags(guest) == {}
    guest.run(["ip", "link", "set", device, "up"], check=True)
    tried = sum(outcomes.total() for outcomes in _tries(guest).values())
    wait_for(lambda: sum(o.total() for o in _tries(guest).values()) >= tried + 60, DEADLINE,
             "the leaker's tries")  # fmt: skip
    assert wired.judge().judged == 0, wired.judge().summary()
    _show_that_the_recorder_sees(wired, device, REMOVED if how == "missing" else OPENED)
    wired.off()


OPENED = ["lethe-wall", "open", "--yes"]
REMOVED = ["sh", "-c", "systemctl stop lethe-guard && nft flush ruleset"]


def _show_that_the_recorder_sees(wired: Wired, device: str, opened: list[str]) -> None:
    """The filter opened, the leaker's frames are in this very recording."""
    wired.guest.run(opened, check=True)
    wait_for(lambda: wired.sent_bytes() > pcap.HEADER_BYTES, DEADLINE, f"a frame out of {device}")
    wired.guest.run(leaker.once())
    assert leaker.REASONS["frame"] in wired.judge().summary()


def _up_flags(guest: Guest) -> dict[str, int]:
    """Devices that are administratively up, but lo."""
    flags = {
        device: int(guest.run(["cat", f"/sys/class/net/{device}/flags"], check=True).stdout, 16)
        for device in guest.call(calls.devices)
    }
    return {device: value for device, value in flags.items() if value & 1}


# From the snapshot --------------------------------------------------------------------------------


def test_unplugged_and_plugged_again(running: Wired) -> None:
    running.guest.wait_tor_connected(DEADLINE)
    running.machine.link(False)
    running.guest.settle()
    before = running.sent_bytes()
    assert running.tor_fails()
    assert running.sent_bytes() == before, "frames through a cable that is not plugged"
    running.machine.link(True)
    running.guest.wait_tor_connected(DEADLINE)
    running.off()
    # A short interruption is followed by a request for the address it had, without a probe.
    running.judge(HELD).require("dhcp request", "arp request", "tcp")


def test_a_flapping_cable(running: Wired) -> None:
    device = running.guest.call(calls.devices)[0]

    def carrier(wanted: str) -> bool:
        said = running.guest.run(["cat", f"/sys/class/net/{device}/carrier"])
        return said.stdout.strip() == wanted

    for _ in range(8):
        for up in (False, True):
            running.machine.link(up)
            wait_for(lambda up=up: carrier(str(int(up))), DEADLINE, f"a carrier of {int(up)}")
    for up in [False, True] * 20:  # quicker than anybody can follow
        running.machine.link(up)
    running.guest.wait_tor_connected(DEADLINE)
    running.off()
    # A short interruption is followed by a request for the address it had, without a probe.
    running.judge(HELD).require("dhcp request", "arp request", "tcp")


TOR = "tor@default.service"


def _attempts(guest: Guest) -> None:
    """What a careless program and its user would try next."""
    for function, arguments in (
        (client.http_get, (names.WEB_ADDRESS,)),
        (client.udp_exchange, (names.WEB_ADDRESS, 9, b"x")),
        (client.udp_exchange, (RELAY, names.RELAY_OR_PORT, b"x")),
        (client.resolve, (names.WEB_NAME, names.LAN_RESOLVER)),
        (client.resolve, (names.WEB_NAME, "8.8.8.8")),
        (client.http_get, (names.WEB_ADDRESS6,)),
    ):
        for user in (names.AMNESIA, names.ROOT, names.DEBIAN_TOR):
            if user == names.DEBIAN_TOR and function is client.http_get:
                continue  # that one may open TCP connections, and the oracle would say so
            with pytest.raises(OSError):
                guest.call(function, *arguments, user=user, timeout=60)


def test_tor_down_restarted_and_killed(running: Wired) -> None:
    guest = running.guest
    guest.wait_tor_connected(DEADLINE)
    guest.run(["systemctl", "stop", TOR], check=True, timeout=DEADLINE)
    assert running.tor_fails()
    _attempts(guest)
    guest.run(["systemctl", "start", TOR], check=True, timeout=DEADLINE)
    guest.wait_tor_connected(DEADLINE)
    guest.run(["systemctl", "restart", TOR], check=True, timeout=DEADLINE)
    guest.wait_tor_connected(DEADLINE)
    guest.run(["systemctl", "kill", "--signal=KILL", TOR], check=True)
    _attempts(guest)
    guest.run(["systemctl", "start", TOR], check=True, timeout=DEADLINE)
    guest.wait_tor_connected(DEADLINE)
    running.off()
    running.judge(HELD).require("tcp")


@pytest.mark.parametrize("poison", [*dhcp.POISONS, dhcp.SECOND_SERVER])
def test_poisoned_dhcp(running: Wired, lan: Lab, poison: str) -> None:
    """Each by itself, on a link that comes up anew. Routes and routers are taken as they are
    offered: they say which neighbour carries a packet, and the filter which packets there are."""
    elsewhere = poison in ("routes", dhcp.SECOND_SERVER)  # led to a gateway that nobody answers for
    lan.start_services(hostile=False, poisons=[poison])
    running.machine.link(False)
    device = running.guest.call(calls.devices)[0]
    wait_for(lambda: not running.guest.call(calls.address_of, device), DEADLINE, "no address")
    running.machine.link(True)
    running.guest.wait_address(DEADLINE)
    if not elsewhere:
        running.guest.wait_tor_connected(DEADLINE)
    _attempts(running.guest)
    running.off()
    allowed = dataclasses.replace(HELD, hostile=elsewhere)
    running.judge(allowed).require("dhcp request", "arp announcement")


@pytest.mark.parametrize("how", ["reboot", "poweroff", "halt"])
def test_to_the_very_end(running: Wired, how: str) -> None:
    """(QEMU ends where the computer would start again or stand still.)"""
    running.guest.wait_tor_connected(DEADLINE)
    running.guest.run(["systemctl", "--no-block", how], check=True)
    running.machine.wait_end(DEADLINE)
    running.judge(HELD).require("tcp")


def test_an_opened_filter_is_caught(running: Wired) -> None:
    """The anti-test: what leaves then is found, and nothing else."""
    guest = running.guest
    guest.wait_tor_connected(DEADLINE)
    running.judge(HELD).require("tcp")
    guest.open_filter()
    guest.call(client.resolve, names.WEB_NAME, names.LAN_RESOLVER, user=names.AMNESIA)
    guest.call(client.http_get, names.WEB_ADDRESS, user=names.AMNESIA)
    with suppress(OSError):  # nobody answers there
        guest.call(client.udp_exchange, RELAY, names.RELAY_OR_PORT, b"x", 1.0, user=names.AMNESIA)
    guest.run(leaker.once(), check=True)
    guest.settle()
    result = running.judge(HELD)
    found = {reason for leak in result.leaks for reason in leak.reasons}
    expected = {
        f"UDP to {names.LAN_RESOLVER}:53 (DNS)",
        f"TCP to {names.WEB_ADDRESS}:80",
        f"UDP to {RELAY}:{names.RELAY_OR_PORT}",
        *leaker.REASONS.values(),
    }
    assert expected <= found, result.summary()
    assert names.WEB_NAME in result.names
