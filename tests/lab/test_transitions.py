# SPDX-License-Identifier: GPL-3.0-or-later
"""F10: no window. Forbidden packets are sent without a pause while the filter is changed, while it
fails to change in every way there is, and while devices come and go: none escapes, and afterwards
the kernel holds exactly the old policy, the new one, or the seal.

The detectors come first: where the filter is open, or is replaced in two steps, the same packets
are seen to escape.
"""

from __future__ import annotations

import errno
import itertools
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from conftest import lab_name
from labkit import names, netns
from labkit import transitions as tr
from labkit.lab import Lab
from labkit.wait import wait_for

RELOADS = 1000
PACKETS = 10**6
SECONDS = 120.0
CONCURRENT = 25
PLUGGINGS = 12
BAD_POLICIES = names.SOURCE_ROOT / "tests" / "bad" / "policy"

_TALLIES: list[tr.Tally] = []  # of all tests that were to let nothing out

Say = Callable[[object], None]
Policies = dict[str, Path]


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """Without Tor: what is sent here has nobody to talk to."""
    laboratory = Lab(lab_name("-moves"))
    laboratory.up(tor=False)
    yield laboratory
    laboratory.down()


@pytest.fixture(scope="module")
def policies(tmp_path_factory: pytest.TempPathFactory) -> Policies:
    """The shipped policy and a strict one, which share no verdict map."""
    folder = tmp_path_factory.mktemp("policies")
    text = names.DEFAULT_POLICY.read_text(encoding="utf-8")
    strict = text
    for line, other in (("lan private open", "lan private closed"),
                        ("allow amnesia to loopback", "# nothing for amnesia")):  # fmt: skip
        assert strict.count(f"\n{line}") == 1
        strict = strict.replace(f"\n{line}", f"\n{other}")
    strict += "allow amnesia to 192.168.1.50 over tcp 631 9100\nallow amnesia to service socks\n"
    for name, content in (("old", text), ("new", strict)):
        (folder / name).write_text(content, encoding="utf-8")
    return {name: folder / name for name in ("old", "new")}


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Say:
    """Print what is never held back: the figures that a claim rests on."""

    def speak(text: object) -> None:
        with capsys.disabled():
            print(f"\n    {text}", end="", flush=True)

    return speak


def put(lab: Lab, policies: Policies, wanted: str) -> None:
    """Have exactly this enforced."""
    words = ["seal"] if wanted == tr.SEALED else ["apply", str(policies[wanted])]
    result = tr.wall(lab, *words)
    assert result.returncode == 0, result.stderr
    assert tr.state(lab, policies) == wanted


def verb(policies: Policies, wanted: str) -> list[str]:
    return ["seal"] if wanted == tr.SEALED else ["apply", str(policies[wanted])]


def nothing_escaped(tally: tr.Tally) -> None:
    _TALLIES.append(tally)
    assert tally.escapes == 0, str(tally)
    assert tally.drops == 0
    assert all(tally.tried[kind] > 0 for kind in tr.KINDS if kind != "plug"), str(tally)


# ---- the detectors ------------------------------------------------------------------------------


def test_without_rules_every_kind_of_packet_is_seen(lab: Lab, policies: Policies, say: Say) -> None:
    put(lab, policies, "old")
    with tr.trap(lab) as trap:
        tr.plug(lab, trap, "plug0")
        with tr.Blast(lab, "amnesia", trap) as blast:
            assert tr.wall(lab, "open", "--yes").returncode == 0
            tally = wait_for(lambda: _if_all_escaped(blast.tally()), SECONDS, "every kind")
            say(tally)
        tr.unplug(lab, "plug0")


def _if_all_escaped(tally: tr.Tally) -> tr.Tally | None:
    return tally if all(tally.escaped[kind] for kind in tr.KINDS) else None


def test_delete_then_load_is_seen_to_leak(lab: Lab, policies: Policies, say: Say) -> None:
    """The mistake that one transaction avoids, made on purpose."""
    put(lab, policies, "old")
    with tr.Blast(lab, "amnesia") as blast:
        for rounds in range(1, RELOADS + 1):
            assert tr.wall(lab, "open", "--yes").returncode == 0
            assert tr.wall(lab, "apply", str(policies["old"])).returncode == 0
            tally = blast.tally()
            if tally.escapes:
                break
        say(f"two transactions, {rounds} times: {tally}")
        assert tally.escapes > 0


# ---- reloads ------------------------------------------------------------------------------------


def test_reloads(lab: Lab, policies: Policies, say: Say) -> None:
    put(lab, policies, "old")
    turn = itertools.cycle(("new", "old"))
    with tr.Blast(lab, "amnesia") as blast:
        for count in itertools.count(1):
            last = next(turn)
            result = tr.wall(lab, "apply", "--quiet", str(policies[last]))
            assert result.returncode == 0, result.stderr
            if count >= RELOADS and count % 100 == 0 and blast.tally().total >= PACKETS:
                break
        tally = blast.tally()
    say(f"{count:,} reloads: {tally}")
    nothing_escaped(tally)
    assert tally.total >= PACKETS
    assert tr.state(lab, policies) == last


def test_sealing_and_applying(lab: Lab, policies: Policies, say: Say) -> None:
    put(lab, policies, "old")
    with tr.Blast(lab, "root") as blast:
        for wanted in (tr.SEALED, "new", tr.SEALED, "old", tr.SEALED, tr.SEALED, "new") * 4:
            put(lab, policies, wanted)
        tally = blast.tally()
    say(tally)
    nothing_escaped(tally)


def test_two_at_once(lab: Lab, policies: Policies, say: Say) -> None:
    """Each takes its turn; the kernel holds one of them, and nothing of the other."""
    put(lab, policies, "old")
    found = set()
    with tr.Blast(lab, "nobody") as blast:
        for count in range(CONCURRENT):
            wanted = ["old", "new"] + ([tr.SEALED] if count % 3 == 2 else [])
            running = [tr.start(lab, *verb(policies, one)) for one in wanted]
            for process in running:
                _, said = process.communicate(timeout=SECONDS)
                assert process.returncode == 0, said
            found.add(tr.state(lab, policies))
        tally = blast.tally()
    say(f"{CONCURRENT} times at once, last were {sorted(found)}: {tally}")
    nothing_escaped(tally)
    assert found <= {"old", "new", tr.SEALED}


def test_a_bad_policy_changes_nothing(lab: Lab, policies: Policies) -> None:
    put(lab, policies, "old")
    before = tr.generation(lab)
    bad = sorted(BAD_POLICIES.glob("*.conf"))[::6]
    assert len(bad) > 10
    with tr.Blast(lab, "root") as blast:
        for policy in bad:
            result = tr.wall(lab, "apply", str(policy))
            assert result.returncode == 2, f"{policy}: {result.stderr}"
        assert tr.wall(lab, "apply", "/none/such").returncode == 2
        nothing_escaped(blast.tally())
    assert tr.generation(lab) == before
    assert tr.state(lab, policies) == "old"


# ---- killed -------------------------------------------------------------------------------------


# How a program with this fault may end other than by exiting. What glibc sends and receives itself
# it does not bear to be cut, and aborts, for which the sandbox has no system call.
_ENDS = {"kill": {signal.SIGKILL}, "cut:50": {0, signal.SIGSYS}}


class Steps:
    """Runs of a change between two states, each with another fault. The next run begins with
    whatever the last one left, so that changes in both directions are tried."""

    def __init__(self, lab: Lab, policies: Policies, before: str, after: str) -> None:
        self._lab = lab
        self._policies = policies
        self._before = before
        self._after = after
        self.runs = 0
        self.failed = 0
        self.changed = 0
        put(lab, policies, before)
        self._generation = tr.generation(lab)

    def run(self, action: str, calls: str = "any", at: int = 1, on: bool = False) -> tr.Fault:
        fault = tr.inject(self._lab, action, self.words(), calls, at, on)
        self.judge(fault.exit == 0, f"{action} at {calls} {at}: {fault}")
        return fault

    def words(self) -> list[str]:
        return verb(self._policies, self._after)

    def transaction(self) -> int:
        """Which call with a batch is the one that does it: before 6.18 one comes first that the
        kernel refuses."""
        return self.run("nothing", "batch").calls

    def judge(self, succeeded: bool, what: str) -> None:
        """Success must mean the new state. Otherwise it is the old or the new one, or sealed."""
        self.runs += 1
        self.failed += not succeeded
        # While the generation stands still, so does what the kernel holds.
        if not succeeded and tr.generation(self._lab) == self._generation:
            return
        # The likely answer is asked for first.
        names = sorted(self._policies, key=lambda name: name != self._after)
        held = tr.state(self._lab, {name: self._policies[name] for name in names})
        allowed = {self._after} if succeeded else {self._before, self._after, tr.SEALED}
        assert held in allowed, f"{held} after {what}"
        if held == self._after:
            self.changed += 1
            self._before, self._after = self._after, self._before
        elif held != self._before:
            put(self._lab, self._policies, self._before)
        self._generation = tr.generation(self._lab)

    def all(self, action: str, calls: str = "any", twice: bool = False, on: bool = False) -> int:
        """The fault at each call of the class, until there are no more. Returns how many. With
        @twice a change that was made is followed by the way back, with the same fault."""
        for at in itertools.count(1):
            fired = False
            for _ in range(2 if twice else 1):
                changed = self.changed
                fault = self.run(action, calls, at, on)
                fired = fired or fault.fired
                assert fault.exit == 0 or fault.fired, fault
                assert fault.signal in _ENDS.get(action if fault.fired else "", {0}), fault
                if self.changed == changed:
                    break
            if not fired:
                return at - 1
        raise AssertionError  # not reached

    def __str__(self) -> str:
        return f"{self.runs} runs, of which {self.failed} failed and {self.changed} made the change"


@pytest.mark.parametrize(
    ("before", "after", "calls"), [("old", "new", "any"), (tr.SEALED, "new", "netlink")]
)
def test_killed_at_every_system_call(lab: Lab, policies: Policies, say: Say, before: str,
                                     after: str, calls: str) -> None:  # fmt: skip
    steps = Steps(lab, policies, before, after)
    with tr.Blast(lab, "root") as blast:
        count = steps.all("kill", calls, twice=tr.SEALED in (before, after))
        tally = blast.tally()
    say(f"{before} and {after}, killed at each of {count} calls: {steps}; {tally}")
    nothing_escaped(tally)
    assert count > 50 and 0 < steps.changed < steps.runs


def test_killed_while_the_kernel_works(lab: Lab, policies: Policies, say: Say) -> None:
    """During the call that carries the transaction, at different times after its beginning."""
    steps = Steps(lab, policies, "old", "new")
    at = steps.transaction()
    with tr.Blast(lab, "amnesia") as blast:
        for nanoseconds in range(0, 3_000_000, 60_000):
            fault = steps.run(f"late:{nanoseconds}", "batch", at)
            assert fault.fired and fault.signal == signal.SIGKILL
        tally = blast.tally()
    say(f"{steps}; {tally}")
    nothing_escaped(tally)


# ---- failing ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "action",
    [
        f"error:{errno.ENOBUFS}",  # the call is not made
        f"error:{errno.ENOMEM}",
        f"error:{errno.EINTR}",
        f"lost:{errno.ENOBUFS}",  # the call is made, and its result is lost
        "cut:50",  # half of what was sent or received
    ],
)
def test_netlink_fails_at_every_call(lab: Lab, policies: Policies, say: Say, action: str) -> None:
    steps = Steps(lab, policies, "old", "new")
    with tr.Blast(lab, "amnesia") as blast:
        count = steps.all(action, "netlink")
        tally = blast.tally()
    say(f"{action} at each of {count} calls: {steps}; {tally}")
    nothing_escaped(tally)
    assert count > 50
    # An interrupted call is made again; any other fault must have been noticed, at some calls.
    assert steps.failed > 0 or action == f"error:{errno.EINTR}"


def test_netlink_fails_for_good(lab: Lab, policies: Policies, say: Say) -> None:
    """From a call on, all fail: also the sealing that a mismatch would ask for."""
    steps = Steps(lab, policies, "old", "new")
    with tr.Blast(lab, "root") as blast:
        for at in itertools.count(1, 5):
            if not steps.run(f"error:{errno.ENOMEM}", "netlink", at, on=True).fired:
                break
        tally = blast.tally()
    say(f"{steps}; {tally}")
    nothing_escaped(tally)


def test_full_receive_queue(lab: Lab, policies: Policies) -> None:
    """The kernel has no room for its answers to the transaction. What it holds then tells more."""
    steps = Steps(lab, policies, "old", "new")
    with tr.Blast(lab, "amnesia") as blast:
        fault = steps.run("full", "batch", steps.transaction())
        nothing_escaped(blast.tally())
    assert fault.fired and fault.filled > 0 and fault.exit == 0, fault


# ---- out of memory ------------------------------------------------------------------------------


def test_memory_ends_at_every_call_for_it(lab: Lab, policies: Policies, say: Say) -> None:
    """From that call on there is none, since the C library has more than one way to ask."""
    steps = Steps(lab, policies, "old", "new")
    with tr.Blast(lab, "amnesia") as blast:
        count = steps.all(f"error:{errno.ENOMEM}", "memory", on=True)
        tally = blast.tally()
    say(f"{count} calls: {steps}; {tally}")
    nothing_escaped(tally)
    assert steps.failed > 0


def test_little_address_space(lab: Lab, policies: Policies, say: Say) -> None:
    steps = Steps(lab, policies, "old", "new")
    with tr.Blast(lab, "root") as blast:
        for kilobytes in range(1024, 1 << 20, 256):
            argv = ["prlimit", f"--as={kilobytes << 10}", *tr.wall_words(*steps.words())]
            succeeded = tr.run(lab, argv).returncode == 0
            steps.judge(succeeded, f"{kilobytes} KiB")
            if succeeded:
                break
        tally = blast.tally()
    say(f"from {kilobytes} KiB on it succeeds: {steps}; {tally}")
    nothing_escaped(tally)
    assert steps.failed > 0 and succeeded


@pytest.fixture
def group(lab: Lab) -> Iterator[tr.MemoryGroup]:
    with ExitStack() as stack:
        try:
            made = stack.enter_context(tr.memory_group(lab))
        except tr.NoMemoryGroup as error:
            pytest.skip(str(error))
        yield made


def test_little_memory_for_process_and_kernel(lab: Lab, policies: Policies, say: Say,
                                              group: tr.MemoryGroup) -> None:  # fmt: skip
    """A control group holds both to a limit: the kernel runs out of memory amid a transaction."""
    steps = Steps(lab, policies, "old", "new")
    with tr.Blast(lab, "amnesia") as blast:
        for kilobytes in range(64, 1 << 16, 32):
            group.limit(kilobytes << 10)
            result = tr.run(lab, tr.wall_words(*steps.words()), preexec_fn=group.enter)
            steps.judge(result.returncode == 0, f"{kilobytes} KiB")
            if result.returncode == 0:
                break
        tally = blast.tally()
    say(f"from {kilobytes} KiB on it succeeds: {steps}; {tally}")
    nothing_escaped(tally)
    assert steps.failed > 0 and result.returncode == 0


# ---- devices ------------------------------------------------------------------------------------


def test_devices_come_and_go(lab: Lab, policies: Policies, say: Say) -> None:
    """Plugged, up, renamed, down and up, moved away and back, unplugged, with the policy loaded
    again and again meanwhile. The kernel gives a new device its chain by itself since 6.18; before,
    frames could be written to it until the next `apply`, and here that window is reported."""
    put(lab, policies, "old")
    host = lab.ns(names.HOST)
    with tr.trap(lab) as trap, tr.Blast(lab, "root", trap) as blast:
        for count in range(PLUGGINGS):
            reload = tr.start(lab, "apply", str(policies["old"]))
            tr.plug(lab, trap, "plug0")
            _sends_on_it(blast)
            netns.ip_batch(["link set plug0 down", "link set plug0 name wlan0",
                            "link set wlan0 up"], ns=host)  # fmt: skip
            _sends_on_it(blast)
            netns.ip_batch([f"link set wlan0 netns {trap}"], ns=host)
            netns.ip_batch([f"link set wlan0 netns {host}"], ns=trap)
            netns.ip_batch(["link set wlan0 up"], ns=host)
            _sends_on_it(blast)
            _, said = reload.communicate(timeout=SECONDS)
            assert reload.returncode == 0 or not tr.binds_by_prefix(), said
            tr.unplug(lab, "wlan0")
        tr.plug(lab, trap, "plug0")
        put(lab, policies, "old")
        settled = blast.tally()
        _sends_on_it(blast)
        tally = blast.tally()
        tr.unplug(lab, "plug0")
    say(f"{PLUGGINGS} times plugged, renamed, moved: {tally}")
    assert tally.escapes == settled.escapes
    if tr.binds_by_prefix():
        nothing_escaped(tally)
    else:
        say(f"this kernel binds chains by name only: {tally.escapes} frames escaped on new devices")


def _sends_on_it(blast: tr.Blast) -> None:
    before = blast.tried()["plug"]
    wait_for(lambda: blast.tried()["plug"] > before + 100, SECONDS, "frames on the new device")


def test_the_sum_and_nothing_left_behind(lab: Lab, say: Say) -> None:
    """The last one here: no process of these tests is left, and no trap."""
    tried, escaped = (sum(getattr(tally, name) for tally in _TALLIES)
                      for name in ("total", "escapes"))  # fmt: skip
    say(f"Escaped packets: {escaped} of {tried:,} tried, in {len(_TALLIES)} tests")
    assert escaped == 0
    assert not netns.names(f"{names.NAMESPACE_PREFIX}{lab.name}-trap")
    here = os.stat(netns.path(lab.ns(names.HOST))).st_ino
    left = subprocess.run(["pgrep", "--full", "lethe-(wall|blaster|inject)"], text=True,
                          capture_output=True, check=False).stdout.split()  # fmt: skip
    assert [pid for pid in left if tr.is_in(int(pid), here)] == []
