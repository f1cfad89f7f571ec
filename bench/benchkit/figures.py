# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures out of samples: medians of paired ratios, their spread, and the table of rows."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable
from dataclasses import dataclass

Samples = dict[str, dict[int, float]]  # case -> round -> value


@dataclass(frozen=True)
class Figure:
    """A median with the bounds within which it lies with 95 % confidence."""

    median: float
    low: float
    high: float
    count: int


def figure(values: Iterable[float]) -> Figure:
    """By the ranks of the ordered values alone: nothing is assumed of their distribution."""
    ordered = sorted(values)
    count = len(ordered)
    if count == 0:
        raise ValueError("no samples")
    reach = 0.98 * math.sqrt(count)
    low = max(0, math.floor(count / 2 - reach))
    high = min(count - 1, math.ceil(count / 2 + reach))
    return Figure(statistics.median(ordered), ordered[low], ordered[high], count)


def paired(samples: Samples, case: str, base: str) -> Figure:
    """The median of @case over @base, each taken from the same round."""
    rounds = samples[case].keys() & samples[base].keys()
    return figure(samples[case][r] / samples[base][r] for r in rounds)


def read_samples(text: str, column: int = 2) -> Samples:
    """Lines "NAME ROUND VALUE..." as the benchmark programs print them."""
    samples: Samples = {}
    for line in text.splitlines():
        words = line.split()
        samples.setdefault(words[0], {})[int(words[1])] = float(words[column])
    return samples


@dataclass(frozen=True)
class Budget:
    """What a figure may be; DESIGN's budgets and nothing else."""

    text: str
    least: float = -math.inf
    most: float = math.inf

    def met(self, value: float) -> bool:
        return self.least <= value <= self.most


@dataclass(frozen=True)
class Row:
    section: str
    what: str
    value: Figure | None = None  # in @unit
    unit: str = ""
    ratio: Figure | None = None
    budget: Budget | None = None  # on the ratio if there is one, else on the value

    def met(self) -> bool | None:
        judged = self.ratio or self.value
        if self.budget is None or judged is None:
            return None
        return self.budget.met(judged.median)

    def as_json(self) -> dict[str, object]:
        return {
            "section": self.section,
            "what": self.what,
            "unit": self.unit,
            "value": vars(self.value) if self.value else None,
            "ratio": vars(self.ratio) if self.ratio else None,
            "budget": self.budget.text if self.budget else None,
            "met": self.met(),
        }


def number(value: float) -> str:
    return f"{value:.1f}" if value >= 100 else f"{value:.2f}"


def cells(row: Row) -> tuple[str, ...]:
    judged = {True: "met", False: "missed", None: ""}[row.met()]
    value = f"{number(row.value.median)} {row.unit}" if row.value else ""
    spread = row.ratio or row.value
    places = 3 if row.ratio else 2
    return (
        row.what,
        value,
        f"{row.ratio.median:.3f}" if row.ratio else "",
        f"{spread.low:.{places}f}-{spread.high:.{places}f}" if spread else "",
        row.budget.text if row.budget else "",
        judged,
    )


HEADINGS = ("figure", "median", "ratio", "95 % of the median", "budget", "")


def table(rows: list[Row]) -> str:
    """One table for people, a line of its own above each section."""
    texts = [cells(row) for row in rows]
    widths = [max(len(line[i]) for line in [HEADINGS, *texts]) for i in range(len(HEADINGS))]

    def line(words: tuple[str, ...]) -> str:
        parts = [words[0].ljust(widths[0])]
        parts += [word.rjust(width) for word, width in zip(words[1:-1], widths[1:-1])]
        return "  ".join([*parts, words[-1]]).rstrip()

    lines = [line(HEADINGS)]
    section = None
    for row, text in zip(rows, texts):
        if row.section != section:
            section = row.section
            lines += ["", section]
        lines.append(line(text))
    return "\n".join(lines)
