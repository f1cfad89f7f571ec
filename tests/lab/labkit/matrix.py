# SPDX-License-Identifier: GPL-3.0-or-later
"""The leak matrix: every probe class by every user, judged by what the router saw."""

from __future__ import annotations

import ipaddress
import secrets
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from . import judge, names, probes, probes_run
from .capture import Capture
from .promise import BLOCKED, OUT, USERS, promise

if TYPE_CHECKING:
    from .lab import Lab

HELD = "."  # blocked, as promised
PASSED = "o"  # went out, as promised
EITHER = "~"  # the specification does not say
NONE = " "  # not tried by this user
UNSUPPORTED = "n/a"  # this kernel cannot send it
LEAK = "LEAK"
LOST = "lost"  # granted, but it did not go out, or not all of it
HANGS = "hangs"  # blocked, but the program is left waiting
PAST = "past"  # left without a grant, by a way that no ruleset can close
BAD = (LEAK, LOST, HANGS)

LEGEND = (". blocked as promised   o went out as promised   ~ either is right\n"
          "LEAK left without a grant   lost granted, did not leave   "
          "hangs refused, but not at once\n"
          "past left without a grant, where no ruleset can prevent it: see below")
ARRIVAL_SECONDS = 5.0
POLL_SECONDS = 0.05
# The kernel reports that a group was joined when a timer of two ticks runs out, and tells nobody.
GROUP_TIMER_SECONDS = 0.3


@dataclass
class Cell:
    probe: str
    user: str
    promise: str
    status: str
    seen: bool
    error: str = ""  # what the program was told
    refused: str = ""
    unsupported: str = ""


@dataclass
class Matrix:
    users: tuple[str, ...]
    classes: tuple[probes.ProbeClass, ...]
    cells: dict[tuple[str, str], Cell] = field(default_factory=dict)  # by class and user
    strays: Counter[str] = field(default_factory=Counter)
    frames: int = 0
    seconds: float = 0.0

    @property
    def bad(self) -> list[Cell]:
        return [cell for cell in self.cells.values() if cell.status in BAD]

    @property
    def kept(self) -> bool:
        """All is as the specification says, and nothing else was seen."""
        return not self.bad and not self.strays and not self.unsupported

    @property
    def beyond(self) -> dict[str, str]:
        """Why, by class, for what left where no ruleset can prevent it."""
        past = {cell.probe for cell in self.cells.values() if cell.status == PAST}
        return {entry.name: entry.beyond for entry in self.classes if entry.name in past}

    @property
    def unsupported(self) -> dict[str, str]:
        return {cell.probe: cell.unsupported for cell in self.cells.values() if cell.unsupported}


def run(lab: Lab, users: tuple[str, ...] = USERS, judge_refusals: bool = True) -> Matrix:
    """Send every probe and judge. @judge_refusals: also what the programs were told."""
    started = time.monotonic()
    tag = secrets.token_hex(4)
    matrix = Matrix(users, probes.table())
    with Capture(lab) as capture:
        sent = lab.host.call(probes_run.send_all, tag, users, judge_refusals, timeout=120.0)
        findings = _findings(capture, matrix, tag, sent)
    for index, entry in enumerate(matrix.classes):
        for column, user in enumerate(users):
            number = probes.number(index, column)
            if number in sent.results:
                parts = findings.seen.get(number, set())
                cell = _cell(entry, user, parts, sent.results[number], judge_refusals)
                matrix.cells[entry.name, user] = cell
    matrix.strays = findings.strays
    matrix.frames = len(capture.stop())
    matrix.seconds = time.monotonic() - started
    return matrix


def _findings(capture: Capture, matrix: Matrix, tag: str, sent: probes_run.Sent) -> judge.Findings:
    """What was seen, once everything that has to go out has, or had the time to."""
    deadline = time.monotonic() + ARRIVAL_SECONDS
    groups = time.monotonic() + GROUP_TIMER_SECONDS
    relays = [ipaddress.ip_address(names.PUBLIC_NODES[node]).packed for node in names.TOR_NODES]
    wanted = _wanted(matrix, sent)
    while True:
        frames = [frame.data for frame in capture.sync() if frame.incoming] + sent.elsewhere
        findings = judge.judge(frames, tag, sent.results, relays)
        missing = wanted - findings.seen.keys()
        now = time.monotonic()
        if (not missing and now >= groups) or now >= deadline:
            return findings
        time.sleep(POLL_SECONDS)


def _wanted(matrix: Matrix, sent: probes_run.Sent) -> set[int]:
    """Numbers that are to be seen, of those that the sender was not told to have failed."""
    found = set()
    for index, entry in enumerate(matrix.classes):
        for column, user in enumerate(matrix.users):
            number = probes.number(index, column)
            result = sent.results.get(number)
            if result and not result.error and promise(entry.traffic, user) == OUT:
                found.add(number)
    return found


def _cell(entry: probes.ProbeClass, user: str, parts: set[int], result: probes_run.Result,
          judge_refusals: bool) -> Cell:
    promised = promise(entry.traffic, user)
    cell = Cell(entry.name, user, promised, EITHER, bool(parts), result.error, result.refused,
                result.unsupported)
    if result.unsupported:
        cell.status = UNSUPPORTED
    elif promised == OUT:
        cell.status = PASSED if len(parts) >= entry.parts else LOST
    elif promised == BLOCKED:
        refused = "ECONNREFUSED" in (result.error, result.refused)
        waits = judge_refusals and entry.refused_at_once and not refused
        escaped = PAST if entry.beyond else LEAK
        cell.status = escaped if parts else HANGS if waits else HELD
    return cell


# ---- for people ---------------------------------------------------------------------------------

_COLOURS = {LEAK: "1;31", PAST: "1;31", LOST: "1;35", HANGS: "1;33", PASSED: "32", HELD: "2", EITHER: "2"}


def _paint(text: str, status: str, colour: bool) -> str:
    code = _COLOURS.get(status.strip())
    return f"\x1b[{code}m{text}\x1b[0m" if colour and code else text


def rows(names_and_cells: Sequence[tuple[str, str, dict[str, str]]], users: Sequence[str],
         colour: bool) -> list[str]:
    """Lines of a table: name, title, and a status by user."""
    left = max((len(name) for name, _, _ in names_and_cells), default=0)
    widths = [max(len(user), 5) for user in users]
    heads = " ".join(f"{user:<{width}}" for user, width in zip(users, widths))
    lines = [" " * left + "  " + heads]
    for name, title, statuses in names_and_cells:
        cells = [_paint(f"{statuses.get(user, NONE):<{width}}", statuses.get(user, NONE), colour)
                 for user, width in zip(users, widths)]
        lines.append(f"{name:<{left}}  {' '.join(cells)}  {title}")
    return lines


def render(matrix: Matrix, colour: bool) -> str:
    table = [(entry.name, entry.title,
              {user: matrix.cells[entry.name, user].status for user in matrix.users
               if (entry.name, user) in matrix.cells})
             for entry in matrix.classes]
    lines = rows(table, matrix.users, colour) + ["", LEGEND, ""]
    lines += [f"cannot be sent on this kernel: {name}: {why}"
              for name, why in matrix.unsupported.items()]
    lines += [f"past the ruleset: {name}: {why}" for name, why in matrix.beyond.items()]
    lines += [f"seen, and sent by no probe: {count} x {what}"
              for what, count in sorted(matrix.strays.items())]
    totals = Counter(cell.status for cell in matrix.cells.values())
    counted = ", ".join(f"{totals[status]} {word}" for status, word in (
        (HELD, "blocked"), (PASSED, "out"), (EITHER, "either"), (LEAK, "leaked"), (LOST, "lost"),
        (HANGS, "hanging"), (PAST, "past any ruleset")))
    lines.append(f"{len(matrix.classes)} classes, {len(matrix.cells)} probes: {counted}; "
                 f"{matrix.frames} frames captured; {matrix.seconds:.1f} s")
    return "\n".join(lines)


def to_json(matrix: Matrix) -> dict[str, Any]:
    titles = {entry.name: entry for entry in matrix.classes}
    return {
        "kept": matrix.kept,
        "users": list(matrix.users),
        "frames": matrix.frames,
        "seconds": round(matrix.seconds, 3),
        "strays": dict(matrix.strays),
        "beyond": matrix.beyond,
        "cells": [{"class": cell.probe, "title": titles[cell.probe].title,
                   "claim": titles[cell.probe].claim, "user": cell.user,
                   "promised": cell.promise, "seen": cell.seen, "status": cell.status,
                   "error": cell.error, "refused": cell.refused,
                   "unsupported": cell.unsupported} for cell in matrix.cells.values()],
    }
