# SPDX-License-Identifier: GPL-3.0-or-later
"""The image starts on every kind of computer, from every kind of medium, and touches no disk."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from labagent import mapper
from vmkit import boot, guest_state, layer, media, strangers
from vmkit.guest import Guest
from vmkit.machine import Machine, Medium, Nic, Spec

Starter = Callable[..., Machine]


def assert_verified(machine: Machine) -> dict:
    """At the prompt: the system is the verified one, by its own word and by init's report."""
    medium = guest_state.known_part(machine, "Medium")
    assert medium.startswith("good: "), medium
    assert "verified" in medium
    report = guest_state.boot_report(machine)
    assert report["laboratory"] is False
    return report


@pytest.mark.parametrize("bus", ["dvd", "usb"])
@pytest.mark.parametrize("firmware", ["bios", "uefi"])
def test_starts(start: Starter, iso: Path, layout: media.Layout, firmware: str, bus: str) -> None:
    machine = start(Spec(medium=Medium(iso, bus), firmware=firmware, nic=Nic()))
    greeting = boot.wait_prompt(machine)
    # A machine that is too slow to answer at once says so, and is not asked for more here.
    assert "Medium " in greeting or "cannot be told in time" in greeting, greeting
    report = assert_verified(machine)
    assert report["root_hash"] == layout.root_hash
    assert report["medium"]["bus"] == ("usb" if bus == "usb" else "ata")
    assert report["mode"] == "medium"


@pytest.mark.parametrize("bus", ["virtio", "nvme", "sd", "sata"])
def test_starts_from_other_disks(start: Starter, iso: Path, place: Path, bus: str) -> None:
    image = media.card(iso, place / "card.img") if bus == "sd" else iso
    machine = start(Spec(medium=Medium(image, bus)))
    boot.wait_prompt(machine)
    report = assert_verified(machine)
    assert report["medium"]["bus"] == {"sd": "mmc", "sata": "ata"}.get(bus, bus)


def test_starts_with_512_mib(start: Starter, iso: Path) -> None:
    machine = start(Spec(medium=Medium(iso, "usb"), memory=512, nic=Nic()))
    boot.wait_prompt(machine)
    assert_verified(machine)


def test_stick_is_not_written(start: Starter, iso: Path, place: Path) -> None:
    stick = media.copy(iso, place / "stick.img")
    before = media.sha256(stick)
    machine = start(Spec(medium=Medium(stick, "usb", writable=True)))
    boot.wait_prompt(machine)
    assert_verified(machine)
    machine.power_off(boot.DEADLINE)
    assert media.sha256(stick) == before


# Two media ---------------------------------------------------------------------------------------


def test_second_stick_with_the_same_bits(start: Starter, iso: Path) -> None:
    machine = start(Spec(medium=Medium(iso, "usb"), disks=(Medium(iso, "usb"),)))
    boot.wait_prompt(machine)
    assert_verified(machine)


# A virtio disk is there at once and is looked at first; a second stick comes before or after.
OTHER_BUSES = ["virtio", "usb"]


@pytest.mark.parametrize("bus", OTHER_BUSES)
def test_second_medium_with_an_older_lethe(
    start: Starter, iso: Path, layout: media.Layout, place: Path, bus: str
) -> None:
    older = media.copy(iso, place / "older.img")
    media.make_older(older)
    machine = start(Spec(medium=Medium(iso, "usb"), disks=(Medium(older, bus),)))
    text = boot.wait_prompt(machine)
    report = assert_verified(machine)
    assert report["root_hash"] == layout.root_hash
    assert report["medium"]["bus"] == "usb"
    if bus == "virtio":
        assert "Lethe: vda (virtio) holds another image than the one that was started" in text


@pytest.mark.parametrize("bus", OTHER_BUSES)
def test_damaged_twin_is_passed_over(
    start: Starter, iso: Path, layout: media.Layout, place: Path, bus: str
) -> None:
    damaged = media.copy(iso, place / "damaged.img")
    media.flip(damaged, layout.data_block(0) + 100)
    machine = start(Spec(medium=Medium(iso, "usb"), disks=(Medium(damaged, bus),)))
    text = boot.wait_prompt(machine)
    report = assert_verified(machine)
    assert report["medium"]["bus"] == "usb"
    if bus == "virtio":
        assert re.search(r"^Lethe: vda .* is not used: block 0 of ", text, re.MULTILINE), text


# Foreign disks -----------------------------------------------------------------------------------


def test_disks_are_untouched(start: Starter, iso: Path, place: Path) -> None:
    foreign = strangers.make(place / "foreign.img")
    older = media.copy(iso, place / "older.img")
    media.make_older(older)
    before = media.sha256(foreign), media.sha256(older)
    disks = Medium(foreign, "sata", writable=True), Medium(older, "virtio", writable=True)
    machine = start(Spec(medium=Medium(iso, "usb"), disks=disks))
    boot.wait_prompt(machine)
    assert_verified(machine)
    partitions = guest_state.output(machine, "ls /sys/class/block").split()
    assert "sda4" in partitions or "sdb4" in partitions, "the guest does not see the disk"
    assert guest_state.foreign_use(machine) == []
    machine.power_off(boot.DEADLINE)
    assert (media.sha256(foreign), media.sha256(older)) == before


def test_use_of_a_disk_is_seen(start: Starter, iso: Path, place: Path) -> None:
    """The anti-test: root turns on the swap that is there, maps a volume, and writes."""
    foreign = strangers.make(place / "foreign.img")
    before = media.sha256(foreign)
    spec = Spec(medium=Medium(iso, "usb"), disks=(Medium(foreign, "sata", writable=True),),
                layer=layer.build(place / "layer.squashfs"),
                more=layer.tools_arguments(layer.tools()))
    machine = start(spec)
    boot.accept_laboratory(machine)
    boot.wait_prompt(machine)
    clean = guest_state.foreign_use(machine)
    # The layer itself, and the disk with its tools.
    assert {use.split(" on ")[-1] for use in clean} == {"/run/lethe/laboratory",
                                                        "/opt/lethe-laboratory"}
    with Guest(machine) as guest:
        disk = f"/dev/{guest_state.output(machine, 'ls -d /sys/block/*/*4').split('/')[3]}"
        guest.text(["swapon", f"{disk}1"])
        guest.call(mapper.create, "old-home", 8192, "linear", f"{disk}2 2048")
        # Behind the partition table, before the first partition.
        guest.text(["dd", "if=/dev/urandom", f"of={disk}", "bs=512", "seek=64", "count=1",
                    "conv=fsync"])
    found = guest_state.foreign_use(machine)
    assert set(found) - set(clean) == {f"swap: {disk}1", "mapping: old-home"}
    machine.power_off(boot.DEADLINE)
    assert media.sha256(foreign) != before


# Late, slow, away --------------------------------------------------------------------------------


def test_late_medium(start: Starter, iso: Path, layout: media.Layout, place: Path) -> None:
    """The kernel is there long before the stick is."""
    machine = start(Spec(kernel=media.kernel(iso, layout, place)))
    boot.wait_text(machine, r"Lethe: waiting for the medium")
    # A minute later it says what to do. It does not give up.
    boot.wait_text(machine, r"Lethe: still waiting for the medium")
    assert not boot.reached_shell(machine.serial.text())
    machine.plug_medium(Medium(iso, "usb"), "late")
    boot.wait_prompt(machine)
    assert_verified(machine)


def test_slow_medium(start: Starter, iso: Path) -> None:
    machine = start(Spec(medium=Medium(iso, "usb", bytes_per_second=3 << 20)))
    boot.wait_prompt(machine, 2 * boot.DEADLINE)
    assert_verified(machine)


def test_from_ram_with_the_stick_pulled(start: Starter, iso: Path) -> None:
    machine = start(Spec(medium=Medium(iso, "usb")))
    boot.choose(machine, "ram")
    boot.wait_prompt(machine)
    assert assert_verified(machine)["mode"] == "ram"
    machine.unplug()
    guest_state.output(machine, "while [ -e /sys/block/sda ]; do :; done")
    # Every file of the image can still be read.
    guest_state.output(machine, "find /usr -xdev -type f -readable -exec cat {} + >/dev/null",
                       boot.DEADLINE)
    medium = guest_state.part(guest_state.status_text(machine), "Medium")
    assert medium.startswith("good: ") and "taken out" in medium, medium


def test_check_this_medium(start: Starter, iso: Path) -> None:
    machine = start(Spec(medium=Medium(iso, "usb")))
    boot.choose(machine, "check")
    text = boot.wait_prompt(machine)
    assert "Lethe: every block of the medium is as it was made" in text
    assert assert_verified(machine)["checked"] is True


def test_output_entry(start: Starter, iso: Path) -> None:
    machine = start(Spec(medium=Medium(iso, "usb")))
    boot.choose(machine, "output")
    boot.wait_prompt(machine)
    assert_verified(machine)
    assert "lethe.verbose" in guest_state.output(machine, "cat /proc/cmdline").split()


# Who may log in ----------------------------------------------------------------------------------
# These share a saved machine, so one worker runs them.


@pytest.mark.xdist_group("prompt")
def test_amnesia_is_nobody_special(at_prompt: Machine) -> None:
    """No sudo or the like, no group that opens devices or logs."""
    assert guest_state.output(at_prompt, "id -un").strip() == "amnesia"
    assert boot.command(at_prompt, "command -v sudo sudoedit pkexec doas run0")[1].strip() in (
        "", "/usr/bin/run0")  # run0 is systemd's and asks polkit, which is not there
    assert boot.command(at_prompt, "run0 id </dev/null")[0] != 0
    # The group of whom the watch tells which programs were refused; it gives no right.
    assert guest_state.output(at_prompt, "id -nG").split() == ["amnesia", "lethe-watch"]


@pytest.mark.xdist_group("prompt")
@pytest.mark.parametrize("password", ["", "root", "amnesia"])
def test_root_cannot_log_in(at_prompt: Machine, password: str) -> None:
    at_prompt.serial.type("su --login root\n")
    at_prompt.serial.wait("^Password: ", boot.COMMAND_DEADLINE)
    at_prompt.serial.type(f"{password}\n")
    at_prompt.serial.wait("Authentication failure", boot.COMMAND_DEADLINE)
    assert guest_state.output(at_prompt, "id -un").strip() == "amnesia"


@pytest.mark.xdist_group("prompt")
def test_no_other_door_to_root(at_prompt: Machine) -> None:
    """What Debian starts for emergencies is a root shell: it cannot be started."""
    assert boot.command(at_prompt, "cat /etc/shadow")[0] != 0
    # The prompt does not wait for the bus at which systemd answers.
    guest_state.output(at_prompt, "until [ -S /run/dbus/system_bus_socket ]; do true; done",
                       boot.DEADLINE)  # fmt: skip
    for unit in ("emergency", "rescue", "debug-shell"):
        state = boot.command(at_prompt, f"systemctl is-enabled {unit}.service")[1].strip()
        assert state == "masked", f"{unit}.service is {state}"


@pytest.mark.xdist_group("prompt")
def test_no_program_takes_other_rights(at_prompt: Machine) -> None:
    """No set-id file in the image. (The search does find one that is there.)"""
    search = "find /etc /opt /usr /var {} -xdev -type f -perm /6000 2>/dev/null; true"
    assert guest_state.output(at_prompt, search.format("")).strip() == ""
    guest_state.output(at_prompt, "install -m 4755 /dev/null /tmp/planted")
    assert guest_state.output(at_prompt, search.format("/tmp")).strip() == "/tmp/planted"


# Turning it off ----------------------------------------------------------------------------------


@pytest.mark.xdist_group("prompt")
@pytest.mark.parametrize("verb, reason", [("poweroff", "guest-shutdown"), ("restart", "guest-reset")])
def test_person_at_the_console_turns_it_off(at_prompt: Machine, verb: str, reason: str) -> None:
    """Without any right, and without any other service: the connection to the door is enough."""
    at_prompt.serial.type(f"lethe {verb}\n")
    event = at_prompt.qmp.wait_event("SHUTDOWN", boot.DEADLINE)
    assert (event["data"]["guest"], event["data"]["reason"]) == (True, reason)
    # The machine does not restart: QEMU was told so.
    at_prompt.wait_end(boot.DEADLINE)
    assert re.search(r"^The computer (turns off|restarts) now\.$", at_prompt.serial.text(),
                     re.MULTILINE), at_prompt.serial.text()[-1000:]  # fmt: skip


@pytest.mark.xdist_group("prompt")
def test_greeting_says_how_to_turn_it_off(at_prompt: Machine) -> None:
    greeting = guest_state.output(at_prompt, "env -u LETHE_GREETED bash -lic true 2>&1")
    assert greeting.count("Turn off: lethe poweroff\n") == 1, greeting
