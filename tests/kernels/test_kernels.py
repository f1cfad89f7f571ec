# SPDX-License-Identifier: GPL-3.0-or-later
"""The guard and the watch under the kernels of Debian 12 and Debian 13.

What is run there are the laboratory's own tests, unchanged. What a kernel cannot, they find out by
trying it (labkit/features.py), and skip with that reason; it is printed here.
"""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import kernels
import pytest

KERNELS = {"debian-12": "6.1", "debian-13": "6.12"}
DEADLINE = 5400.0  # s, for all of one kernel's, emulated on a busy computer
OUTPUT = kernels.ROOT / "out" / "test" / "kernels"
IDLE_SECONDS = 60

_GUARD = "tests/lab/test_guard.py::test_"
GUARD = [_GUARD + name for name in (
    # The anti-tests: without a guard packets escape.
    "without_a_guard_it_escapes[flush ruleset]",
    "without_a_guard_it_escapes[accept earlier]",
    "without_a_guard_it_escapes[foreign nat]",
    "what_this_kernel_cannot_is_said",
    "owned_tables_are_nobody_elses[flush ruleset]",
    "owned_tables_are_nobody_elses[delete both tables]",
    "owned_tables_are_nobody_elses[accept earlier]",
    "tables_that_rewrite_are_removed[foreign nat]",
    "watched_tables_are_put_right[flush ruleset]",
    "watched_tables_are_put_right[delete both tables]",
    "watched_tables_are_put_right[accept earlier]",
    "watched_tables_are_put_right[foreign nat]",
    "devices_and_namespaces[owned]",
    "devices_and_namespaces[watched]",
    "killed_and_taken_over_again",
    "what_happened_while_it_was_dead[flush ruleset]",
)]  # fmt: skip
WATCH = ["tests/lab/test_watch.py"]

Say = Callable[[object], None]


@dataclass(frozen=True)
class Case:
    name: str
    outcome: str  # passed, failed or skipped
    reason: str


@dataclass(frozen=True)
class Ran:
    """What one kernel's machine left."""

    kernel: kernels.Kernel
    results: Path
    ended: dict[str, int]

    def output(self, name: str) -> str:
        return (self.results / f"{name}.output").read_text(encoding="utf-8", errors="replace")

    def cases(self, name: str) -> list[Case]:
        path = self.results / f"{name}.xml"
        assert path.exists(), self.output(name)[-4000:]
        return [_case(element) for element in ElementTree.parse(path).iter("testcase")]


def _case(element: ElementTree.Element) -> Case:
    for child in element:
        if child.tag in ("failure", "error"):
            return Case(element.get("name", ""), "failed", child.get("message", ""))
        if child.tag == "skipped":
            return Case(element.get("name", ""), "skipped", child.get("message", ""))
    return Case(element.get("name", ""), "passed", "")


def _pytest(name: str, tests: list[str]) -> list[str]:
    return ["python3", "-m", "pytest", "-p", "no:cacheprovider", "-o", "junit_family=xunit1",
            "-v", "-rs", "--tb", "short", "--junitxml", f"/mnt/{name}.xml", *tests]  # fmt: skip


@pytest.fixture(scope="module", params=KERNELS)
def ran(request: pytest.FixtureRequest) -> Iterator[Ran]:
    """All of one kernel's cases, in one machine: its start takes longer than most of them."""
    try:
        kernel = kernels.find(KERNELS[request.param])
    except kernels.NotAvailable as error:
        pytest.skip(str(error))
    place = OUTPUT / request.param
    commands = {"idle": [str(kernels.HERE / "idle"), str(IDLE_SECONDS)],
                "guard": _pytest("guard", GUARD), "watch": _pytest("watch", WATCH)}  # fmt: skip
    ended = kernels.run(kernel, commands, place, DEADLINE)
    yield Ran(kernel, place / "results", ended)


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Say:
    """Print what is never held back: the figures that a claim rests on."""

    def speak(text: object) -> None:
        with capsys.disabled():
            print(f"\n{text}", end="", flush=True)

    return speak


def judge(ran: Ran, name: str, say: Say) -> None:
    """Print each case, and what it printed; none may have failed, and some must have passed."""
    cases = ran.cases(name)
    say(f"    {name} under {ran.kernel.release}:")
    for case in cases:
        say(f"      {case.outcome}  {case.name}{f': {case.reason}' if case.reason else ''}")
    for line in ran.output(name).splitlines():
        if line.startswith("    ") and "packets" in line or "put right" in line:
            say(f"      {line.strip()}")
    failed = [case.name for case in cases if case.outcome == "failed"]
    assert failed == [] and ran.ended[name] == 0, ran.output(name)[-8000:]
    assert any(case.outcome == "passed" for case in cases)


def test_guard(ran: Ran, say: Say) -> None:
    judge(ran, "guard", say)


def test_watch(ran: Ran, say: Say) -> None:
    judge(ran, "watch", say)


def test_idle(ran: Ran, say: Say) -> None:
    """What it costs while nothing happens. Only that both ran is judged."""
    assert ran.ended["idle"] == 0, ran.output("idle")
    figures = json.loads(ran.output("idle").splitlines()[-1])
    say(f"    idle under {ran.kernel.release}: {json.dumps(figures)}")
    assert figures["kernel"] == ran.kernel.release
    assert figures["watch"]["Source"] == "tracepoint", figures
    assert figures["guard"]["persists"] == figures["guard"]["owned"]
