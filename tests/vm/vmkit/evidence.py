# SPDX-License-Identifier: GPL-3.0-or-later
"""What is kept of a case that failed: console, picture, frames, and how to see it again."""

from __future__ import annotations

import os
import re
import shlex
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .machine import Machine
from .qmp import QmpClosed, QmpError

ROOT = Path(__file__).resolve().parents[3]
OUTPUT = ROOT / "out" / "test" / "vm"


def directory(case: str) -> Path:
    """Where the case with this pytest id has its files."""
    return OUTPUT / re.sub(r"[^\w.=-]+", "-", case.removeprefix("tests/vm/")).strip("-")


def again(case: str) -> str:
    """The one command that repeats a case."""
    return f"sudo /usr/bin/python3 -m pytest {shlex.quote(case)}"


def take(machine: Machine) -> None:
    """Before a machine of a failed case is switched off: what its screen shows. The rest is in
    its directory already."""
    if not machine.running():
        return
    try:
        machine.screenshot(machine.files.directory / "screen.png")
    except (QmpClosed, QmpError, TimeoutError, OSError) as error:
        (machine.files.directory / "screen.txt").write_text(f"no picture: {error}\n")


def keep(case: str, report: str) -> Path:
    """Write down what failed and how to repeat it; returns where everything is."""
    place = directory(case)
    place.mkdir(parents=True, exist_ok=True)
    (place / "report.txt").write_text(report, encoding="utf-8")
    (place / "again").write_text(again(case) + "\n", encoding="utf-8")
    return place


def drop(case: str) -> None:
    """A case that passed leaves nothing."""
    shutil.rmtree(directory(case), ignore_errors=True)


@contextmanager
def shared(name: str) -> Iterator[Path]:
    """A directory for a machine that several cases start from. What it holds stays only if making
    or using that machine failed."""
    place = OUTPUT / f"shared-{name}-{os.getpid()}"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    yield place
    shutil.rmtree(place, ignore_errors=True)


@contextmanager
def watched(machine: Machine) -> Iterator[Machine]:
    """@machine, started, and ended afterwards; with a picture of its screen if the block fails."""
    with machine:
        try:
            yield machine
        except BaseException:
            take(machine)
            raise
