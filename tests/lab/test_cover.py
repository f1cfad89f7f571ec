# SPDX-License-Identifier: GPL-3.0-or-later
"""Devices that come after the filter, where the kernel binds chains by the names of devices (before
6.18): what they let out until `lethe-wall cover`, that nothing leaves by them afterwards, and what
happens to a device that cannot be covered.

On newer kernels the first batch, which asks for every device, is made to fail with the answer that
an older kernel gives. What follows is then the same.
"""

from __future__ import annotations

import errno
import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from conftest import lab_name
from labkit import names, netns
from labkit import transitions as tr
from labkit.lab import Lab
from labkit.wait import wait_for

SECONDS = 120.0
RELOADS = 40
AT_ONCE = 6
POLICY = str(names.DEFAULT_POLICY)
REFUSE_PREFIX = f"error:{errno.EINVAL}"
NFT = ["timeout", "60", "nft"]
PLUGGED = "plug0"


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    laboratory = Lab(lab_name("-cover"))
    laboratory.up(tor=False)
    yield laboratory
    laboratory.down()


@pytest.fixture(autouse=True)
def begin_open(lab: Lab) -> Iterator[None]:
    assert tr.wall(lab, "open", "--yes").returncode == 0
    yield
    assert tr.wall(lab, "open", "--yes").returncode == 0


@pytest.fixture
def trap(lab: Lab) -> Iterator[str]:
    with tr.trap(lab) as ns:
        yield ns


def by_names(lab: Lab, *words: str) -> None:
    """lethe-wall as on a kernel that does not know the prefix."""
    fault = tr.inject(lab, REFUSE_PREFIX, list(words), "batch")
    assert fault.exit == 0, fault
    assert fault.calls in (0, 2), fault


def status(lab: Lab) -> dict[str, Any]:
    return tr.status(lab, Path(POLICY))


def put(lab: Lab, verb: str) -> None:
    """Enforce it for the devices of now."""
    by_names(lab, *([verb, POLICY] if verb == "apply" else [verb]))
    found = status(lab)
    assert (found["binding"], found["uncovered"]) == ("names", [])
    assert found["state"] == {"apply": "enforced", "seal": "sealed"}[verb]


@contextmanager
def plugged(lab: Lab, trap: str) -> Iterator[None]:
    tr.plug(lab, trap, PLUGGED)
    try:
        yield
    finally:
        if PLUGGED in devices(lab):
            tr.unplug(lab, PLUGGED)


def devices(lab: Lab) -> dict[str, list[str]]:
    """Their flags by their names."""
    result = tr.run(lab, ["ip", "-json", "link", "show"], check=True)
    return {link["ifname"]: link["flags"] for link in json.loads(result.stdout)}


def sends_on_it(blast: tr.Blast) -> None:
    before = blast.tried()["plug"]
    wait_for(lambda: blast.tried()["plug"] > before + 100, SECONDS, "frames on the new device")


def escapes_by_it(blast: tr.Blast) -> None:
    before = blast.tally().escaped["plug"]
    wait_for(lambda: blast.tally().escaped["plug"] > before, SECONDS, "frames that escape")


def nothing_more_escapes(blast: tr.Blast) -> None:
    before = blast.tally()
    sends_on_it(blast)
    after = blast.tally()
    assert after.escapes == before.escapes, str(after)
    assert after.drops == 0


# ---- frames -------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["apply", "seal"])
def test_a_device_that_comes_later(lab: Lab, trap: str, verb: str) -> None:
    """First the anti-test: without `cover` frames do leave by it."""
    put(lab, verb)
    rules = status(lab)["rules"]
    with plugged(lab, trap), tr.Blast(lab, "root", trap) as blast:
        found = status(lab)
        assert (found["state"], found["uncovered"]) == ("uncovered", [PLUGGED])
        assert found["rules"] == rules
        escapes_by_it(blast)
        by_names(lab, "cover", PLUGGED)
        nothing_more_escapes(blast)
        found = status(lab)
        assert (found["rules"], found["binding"], found["uncovered"]) == (rules, "names", [])
        escaped = blast.tally().escaped
        assert sum(escaped.values()) == escaped["plug"], str(escaped)


def status_is_true(lab: Lab, blast: tr.Blast, name: str) -> None:
    """Whether frames leave by the device is what `status` says. A name that is bound outlives its
    device in kernels from 6.16 on; in older ones a device that is bound keeps that under any name."""
    if name in status(lab)["uncovered"]:
        escapes_by_it(blast)
    else:
        nothing_more_escapes(blast)


def test_a_device_gets_a_new_name(lab: Lab, trap: str) -> None:
    put(lab, "apply")
    host = lab.ns(names.HOST)
    with plugged(lab, trap), tr.Blast(lab, "root", trap) as blast:
        by_names(lab, "cover", PLUGGED)
        netns.ip_batch([f"link set {PLUGGED} down", f"link set {PLUGGED} name wlan0",
                        "link set wlan0 up"], ns=host)  # fmt: skip
        status_is_true(lab, blast, "wlan0")
        by_names(lab, "cover", "wlan0")
        assert status(lab)["state"] == "enforced"
        nothing_more_escapes(blast)
        netns.ip_batch(["link set wlan0 down", f"link set wlan0 name {PLUGGED}"], ns=host)


def test_a_device_is_moved_away_and_back(lab: Lab, trap: str) -> None:
    put(lab, "apply")
    host = lab.ns(names.HOST)
    with plugged(lab, trap), tr.Blast(lab, "root", trap) as blast:
        by_names(lab, "cover")
        netns.ip_batch([f"link set {PLUGGED} netns {trap}"], ns=host)
        netns.ip_batch([f"link set {PLUGGED} netns {host}"], ns=trap)
        netns.ip_batch([f"link set {PLUGGED} up"], ns=host)
        status_is_true(lab, blast, PLUGGED)
        by_names(lab, "cover")
        assert status(lab)["state"] == "enforced"
        nothing_more_escapes(blast)


def test_covering_lets_nothing_out(lab: Lab, trap: str) -> None:
    """Covered again and again, with another device that comes and goes, under a blast."""
    put(lab, "apply")
    host = lab.ns(names.HOST)
    with plugged(lab, trap):
        by_names(lab, "cover")
        with tr.Blast(lab, "root", trap) as blast:
            for _ in range(RELOADS):
                netns.ip_batch(["link add name more0 type veth peer name more1"], ns=host)
                by_names(lab, "cover", "more0")
                netns.ip_batch(["link del more0"], ns=host)
            tally = blast.tally()
            assert tally.escapes == 0 and tally.drops == 0, str(tally)
            assert tally.tried["plug"] > 0 and tally.tried["frame"] > 0, str(tally)
    assert status(lab)["state"] == "enforced"


# ---- what it does, and what it leaves -----------------------------------------------------------


def test_nothing_to_do_changes_nothing(lab: Lab) -> None:
    for wanted in ("by names", "by prefix"):
        if wanted == "by names":
            put(lab, "apply")
        else:
            assert tr.wall(lab, "apply", POLICY).returncode == 0
        before = tr.generation(lab)
        result = tr.wall(lab, "--json", "cover", names.LAN_DEVICE)
        assert result.returncode == 0
        assert json.loads(result.stdout) == {"state": "covered", "sealed": False}
        assert tr.generation(lab) == before


def test_what_is_in_force_stays_in_force(lab: Lab, trap: str) -> None:
    """Not what a policy file says now: there is none at the place where this looks."""
    put(lab, "apply")
    with plugged(lab, trap):
        by_names(lab, "--policy", "/none/such", "--passwd", "/none/such", "cover")
        assert status(lab)["state"] == "enforced"


@pytest.mark.parametrize("gone", ["inet", "netdev", "both"])
def test_where_nothing_whole_is_in_force_it_seals(lab: Lab, gone: str) -> None:
    put(lab, "apply")
    for family in ("inet", "netdev") if gone == "both" else (gone,):
        assert tr.run(lab, [*NFT, f"delete table {family} lethe"]).returncode == 0
    result = tr.wall(lab, "--json", "cover")
    assert result.returncode == 0
    assert json.loads(result.stdout) == {"state": "covered", "sealed": True}
    assert status(lab)["state"] == "sealed"


def test_without_its_egress_chain_it_seals(lab: Lab) -> None:
    put(lab, "apply")
    assert tr.run(lab, [*NFT, "delete chain netdev lethe egress"]).returncode == 0
    found = status(lab)
    assert (found["state"], found["binding"]) == ("different", "none")
    assert names.LAN_DEVICE in found["uncovered"]
    by_names(lab, "cover")
    assert status(lab)["state"] == "sealed"


def test_all_at_once(lab: Lab, trap: str) -> None:
    """Several events of udev, and an administrator, each with a kernel that knows names only."""
    put(lab, "apply")
    host = lab.ns(names.HOST)
    fresh = [f"new{number}" for number in range(AT_ONCE)]
    netns.ip_batch([f"link add name {name} type veth peer name {name}p netns {trap}"
                    for name in fresh], ns=host)  # fmt: skip
    injected = [tr.tool("lethe-inject"), "--calls", "batch", "--do", REFUSE_PREFIX]
    verbs = [["cover", name] for name in fresh] + [["apply", POLICY]]
    running = [netns.run_in(host, _start, [*injected, *tr.wall_words(*verb)]) for verb in verbs]
    for process in running:
        out, said = process.communicate(timeout=SECONDS)
        assert process.returncode == 0 and json.loads(out)["exit"] == 0, said
    found = status(lab)
    assert (found["state"], found["binding"]) == ("enforced", "names")
    netns.ip_batch([f"link del {name}" for name in fresh], ns=host)
    assert status(lab)["state"] == "enforced"


def _start(argv: list[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True)  # fmt: skip


# ---- failing ------------------------------------------------------------------------------------


def test_a_device_that_cannot_be_covered_is_set_down(lab: Lab, trap: str) -> None:
    put(lab, "apply")
    with plugged(lab, trap), tr.Blast(lab, "root", trap) as blast:
        escapes_by_it(blast)
        fault = tr.inject(lab, f"error:{errno.ENOMEM}", ["cover", PLUGGED], "batch")
        assert (fault.fired, fault.exit) == (True, 1), fault
        assert f"{PLUGGED} is not covered" in fault.said and "set down" in fault.said
        assert "UP" not in devices(lab)[PLUGGED]
        before = blast.tally()
        blast.tally()
        assert blast.tally().escapes == before.escapes
        found = status(lab)
        assert (found["state"], found["uncovered"]) == ("uncovered", [PLUGGED])
        assert "UP" in devices(lab)[names.LAN_DEVICE]


def test_without_a_device_to_set_down_it_is_told(lab: Lab, trap: str) -> None:
    put(lab, "apply")
    with plugged(lab, trap):
        fault = tr.inject(lab, f"error:{errno.ENOMEM}", ["cover"], "batch")
        assert (fault.fired, fault.exit) == (True, 3), fault
        assert "UP" in devices(lab)[PLUGGED]
        fault = tr.inject(lab, f"error:{errno.ENOMEM}", ["cover", "gone0"], "batch")
        assert (fault.fired, fault.exit) == (True, 1), fault
        assert "has gone" in fault.said


def test_a_device_that_has_gone(lab: Lab) -> None:
    """Between the event and this program: there is nothing to cover, and the rest is."""
    put(lab, "apply")
    assert tr.wall(lab, "cover", "gone0").returncode == 0
    assert status(lab)["state"] == "enforced"


@pytest.mark.parametrize("action", ["kill", f"error:{errno.ENOBUFS}", f"error:{errno.EPERM}"])
def test_a_fault_at_every_call_leaves_what_was(lab: Lab, trap: str, action: str) -> None:
    """Of netlink: afterwards the policy is in force or the seal, and success means covered."""
    put(lab, "apply")
    with plugged(lab, trap):
        for at in range(1, 1000):
            fault = tr.inject(lab, action, ["cover", PLUGGED], "netlink", at)
            found = status(lab)
            assert found["rules"] in ("policy", "seal"), f"{at}: {found}"
            if fault.exit == 0:
                assert found["uncovered"] == [], f"{at}: {found}"
            elif fault.exit == 1 and "set down" in fault.said:
                assert "UP" not in devices(lab)[PLUGGED], f"{at}: {fault}"
            if not fault.fired:
                break
            put(lab, "apply")
            tr.unplug(lab, PLUGGED)
            tr.plug(lab, trap, PLUGGED)
        assert at > 20


# ---- rights -------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", [["--json", "status", POLICY], ["--json", "cover", PLUGGED]])
def test_one_capability_is_enough(lab: Lab, trap: str, words: list[str]) -> None:
    """For a user who is nobody, as the status door's; and nothing more is left to it then."""
    put(lab, "apply")
    with plugged(lab, trap):
        result = tr.run(lab, ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
                              "--no-new-privs", "--inh-caps=-all,+net_admin",
                              "--ambient-caps=-all,+net_admin", "--bounding-set=-all,+net_admin",
                              *tr.wall_words(*words)])  # fmt: skip
        told = json.loads(result.stdout)
        if "cover" in words:
            assert (result.returncode, told["state"]) == (0, "covered"), result.stderr
            assert status(lab)["state"] == "enforced"
        else:
            assert (result.returncode, told["state"]) == (1, "uncovered"), result.stderr
            assert told["uncovered"] == [PLUGGED] and told["settings_good"] is True


def test_without_the_capability_nothing_is_claimed(lab: Lab) -> None:
    put(lab, "apply")
    for words in (["--json", "status", POLICY], ["--json", "cover", names.LAN_DEVICE]):
        result = tr.run(lab, ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
                              "--inh-caps=-all", "--bounding-set=-all",
                              *tr.wall_words(*words)])  # fmt: skip
        assert result.returncode == 3, result.stdout
        assert "state" not in json.loads(result.stdout)
    assert "UP" in devices(lab)[names.LAN_DEVICE]
