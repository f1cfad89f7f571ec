# SPDX-License-Identifier: GPL-3.0-or-later
"""The virtual machine's tests: the image, machines that start from it, evidence of failures."""

from __future__ import annotations

import fcntl
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE / "agent"), str(HERE.parent / "lab")]

from labkit.lab import Lab  # noqa: E402
from vmkit import boot, evidence, media, snapshot  # noqa: E402
from vmkit import well as wells  # noqa: E402
from vmkit.guest import Guest  # noqa: E402
from vmkit.machine import Machine, Medium, Spec  # noqa: E402

ISO = evidence.ROOT / "out" / "image" / "lethe-core.iso"
BUILD_DEADLINE = 3600.0  # s; the first build downloads a Debian
_FAILED = pytest.StashKey[bool]()

Starter = Callable[..., Machine]


def pytest_configure(config: pytest.Config) -> None:
    # pytest-xdist's; the tests run without it, too.
    config.addinivalue_line("markers", "xdist_group(name): tests that one worker runs")
    config.addinivalue_line("markers", "long: left out by ./test, run by ./test vm and ./test full")


# Each of these takes a machine for minutes, and has a sister that every run of ./test keeps.
_LONG = re.compile(
    r"test_starts_from_other_disks|test_slow_medium|test_output_entry|\[usb\]$|test_poisoned_dhcp|"
    r"test_starts\[bios-dvd\]|test_without_the_filters_unit_.*\[(killed|failing|masked)\]|"
    r"test_to_the_very_end\[(reboot|halt)\]|test_unknown_image_is_not_used\[no-superblock\]|"
    r"test_damaged_image_never_reaches_a_shell\[(inodes|.*leaf-of-tree|last-block|blank-.*|no-initrd)\]|"
    r"test_automatic_with_a_clock_a_year_off\[behind|"
    r"test_two_cards|test_plugged_late|test_a_flapping_cable|"
    r"test_without_the_filters_unit_.*\[bad policy\]|"
    r"test_starts\[uefi-usb\]|test_damaged_twin_is_passed_over|"
    r"test_one_at_a_time|test_it_ends_with_the_daemon_and_with_the_namespace|"
    r"test_second_medium_with_an_older_lethe|test_check_this_medium|test_late_medium|"
    r"test_person_at_the_console_turns_it_off\[restart|"
    r"test_damaged_image_never_reaches_a_shell\[(first-block|truncated)\]|"
    r"test_check_names_the_damaged_block\[tree\]|"
    r"test_starts\[bios-usb\]|test_starts_with_512_mib|test_second_stick_with_the_same_bits|"
    r"test_waiting_takes_the_right_medium|test_plugged_from_the_start|"
    r"test_no_destination_is_written_in_an_hour|test_laboratory_layer_needs_its_word\[(nothing|other-words)\]")


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The cases on the wire are the longest: first, and in two groups that run side by side, those
    that start a machine and those that go on from one that was saved."""
    wire = [item for item in items if item.path.name == "test_wire.py"]
    for item in wire:
        saved = "running" in getattr(item, "fixturenames", ())
        item.add_marker(pytest.mark.xdist_group("wire-saved" if saved else "wire-start"))
    for item in items:
        if _LONG.search(item.name):
            item.add_marker(pytest.mark.long)
    items[:] = wire + [item for item in items if item not in wire]


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo) -> Iterator[None]:
    report = (yield).get_result()
    if report.failed:
        item.stash[_FAILED] = True
        place = evidence.keep(item.nodeid, report.longreprtext)
        report.sections.append(("evidence", f"{place}\nagain: {evidence.again(item.nodeid)}"))
    elif report.when == "teardown" and not item.stash.get(_FAILED, False):
        evidence.drop(item.nodeid)


@pytest.fixture(scope="session")
def iso() -> Path:
    """The release image, built from this tree if need be. LETHE_VM_ISO names another one."""
    given = os.environ.get("LETHE_VM_ISO")
    if given:
        return Path(given).resolve()
    evidence.OUTPUT.mkdir(parents=True, exist_ok=True)
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid()))
    with (evidence.OUTPUT / "built-by").open("a+") as stamp:
        fcntl.flock(stamp, fcntl.LOCK_EX)  # of several workers one builds
        stamp.seek(0)
        if stamp.read() != run or not ISO.exists():
            # What is up to date costs it seconds, and it alone knows what is.
            result = subprocess.run([str(evidence.ROOT / "image" / "build")], text=True,
                                    capture_output=True, timeout=BUILD_DEADLINE, check=False)
            if result.returncode != 0:
                pytest.fail(f"image/build: exit {result.returncode}\n{result.stdout[-2000:]}"
                            f"{result.stderr[-2000:]}", pytrace=False)
            stamp.truncate(0)
            stamp.write(run)
    return ISO


@pytest.fixture(scope="session")
def layout(iso: Path) -> media.Layout:
    """Where the image has what."""
    return media.layout(iso)


@pytest.fixture
def place(request: pytest.FixtureRequest) -> Path:
    """The case's own directory, for its machines' files and its images. Kept if it fails."""
    directory = evidence.directory(request.node.nodeid)
    evidence.drop(request.node.nodeid)
    directory.mkdir(parents=True)
    return directory


@pytest.fixture
def start(request: pytest.FixtureRequest, place: Path) -> Iterator[Starter]:
    """start(spec, name="vm", saved=None): a running machine, ended after the case; @saved: from
    that state (snapshot.save)."""
    machines: list[Machine] = []

    def starter(spec: Spec, name: str = "vm", saved: Path | None = None) -> Machine:
        if saved:
            machine = snapshot.restore(spec, saved, place / name)
        else:
            machine = Machine(spec, place / name)
            machine.start()
        machines.append(machine)
        return machine

    yield starter
    for machine in machines:
        if request.node.stash.get(_FAILED, False):
            evidence.take(machine)
        machine.end()


@pytest.fixture(scope="session")
def prompt_spec(iso: Path) -> Spec:
    """A plain computer without a network card, started from a stick."""
    return Spec(medium=Medium(iso, "usb"))


@pytest.fixture(scope="session")
def prompt_state(prompt_spec: Spec) -> Iterator[Path]:
    """The saved state of prompt_spec at the prompt, for start(prompt_spec, saved=...)."""
    with evidence.shared("prompt") as directory:
        state = directory / "state"
        with evidence.watched(Machine(prompt_spec, directory)) as machine:
            boot.wait_prompt(machine)
            snapshot.save(machine, state)
        yield state


@pytest.fixture
def at_prompt(start: Starter, prompt_spec: Spec, prompt_state: Path) -> Machine:
    """A machine of prompt_spec at the prompt, fresh for each case."""
    return start(prompt_spec, saved=prompt_state)


# In the laboratory -------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """A laboratory with Tor, of this run alone. A machine's place in it is lab.vm_port()."""
    laboratory = Lab(f"vm{os.getpid()}", progress=lambda text: print(f"lab: {text}", file=sys.stderr))
    laboratory.up()
    yield laboratory
    laboratory.down()


@pytest.fixture(scope="session")
def well(lab: Lab, iso: Path) -> Iterator[wells.Well]:
    """The saved state of a machine with which all is well. Who uses it is of the group "status"."""
    with wells.made(lab, iso) as made:
        yield made


@pytest.fixture
def well_port(lab: Lab) -> Iterator[None]:
    """The port that `well` was saved with. (Asked for before `start`: it outlives the machine.)"""
    with lab.vm_port():
        yield


@pytest.fixture
def machine(well_port: None, start: Starter, well: wells.Well) -> Machine:
    """All is well with it, and nobody has touched it yet."""
    return start(well.spec, saved=well.state)


@pytest.fixture
def guest(machine: Machine) -> Iterator[Guest]:
    with Guest(machine) as connected:
        yield connected
