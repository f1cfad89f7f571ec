# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures that tests gather while they run, as one table for people. Nothing here judges them."""

from __future__ import annotations

from dataclasses import dataclass, field

_NONE = "-"


@dataclass
class Figures:
    """A row for each thing that was tried, a group of columns for each circumstance.

    A cell that no test filled stays empty: what was not run looks like nothing else.
    """

    title: str
    first: str  # the heading of the first column
    groups: dict[str, tuple[str, ...]]  # circumstance: its columns
    _cells: dict[str, dict[str, tuple[str, ...]]] = field(default_factory=dict)
    _notes: list[str] = field(default_factory=list)

    def add(self, row: str, group: str, *values: int | float | str | None) -> None:
        """Numbers are shown with separators, None as a dash."""
        assert len(values) == len(self.groups[group]), f"{group} has {self.groups[group]}"
        self._cells.setdefault(row, {})[group] = tuple(map(_shown, values))

    def note(self, text: str) -> None:
        """A figure that fits no column, below the table."""
        self._notes.append(text)

    def text(self) -> str:
        """The table, or "" if no test has added anything."""
        if not self._cells and not self._notes:
            return ""
        header = [self.first, *(column for columns in self.groups.values() for column in columns)]
        rows = [[name, *self._values(cells)] for name, cells in self._cells.items()]
        widths = [max(len(line[at]) for line in (header, *rows)) for at in range(len(header))]
        bars = self._bars()
        above = self._above(widths)
        lines = [self.title, "", above, _line(header, widths, bars)]
        lines.append("-" * len(lines[-1]))
        lines += [_line(row, widths, bars) for row in rows]
        lines += ["", *self._notes] if self._notes else []
        return "\n".join(line.rstrip() for line in lines)

    def _values(self, cells: dict[str, tuple[str, ...]]) -> list[str]:
        empty = {group: ("",) * len(columns) for group, columns in self.groups.items()}
        return [value for group in self.groups for value in cells.get(group, empty[group])]

    def _bars(self) -> set[int]:
        """The columns that begin a group."""
        bars, at = set(), 1
        for columns in self.groups.values():
            bars.add(at)
            at += len(columns)
        return bars

    def _above(self, widths: list[int]) -> str:
        """The names of the groups, each above its columns."""
        text, at = " " * widths[0], 1
        for group, columns in self.groups.items():
            width = sum(widths[at : at + len(columns)]) + 2 * (len(columns) - 1)
            text += " | " + group.ljust(width)
            at += len(columns)
        return text


def _shown(value: int | float | str | None) -> str:
    if value is None:
        return _NONE
    if isinstance(value, str):
        return value
    return f"{value:,}" if isinstance(value, int) else f"{value:,.1f}"


def _line(cells: list[str], widths: list[int], bars: set[int]) -> str:
    """Words to the left, numbers to the right."""
    text = ""
    for at, (cell, width) in enumerate(zip(cells, widths, strict=True)):
        number = cell.replace(",", "").replace(".", "").isdigit() or cell == _NONE
        text += ("" if at == 0 else " | " if at in bars else "  ")
        text += cell.rjust(width) if number else cell.ljust(width)
    return text


# What tests/lab/test_guard.py fills, and the end of a run prints.
TAMPERING = Figures(
    "What became of tampering with the filter, while forbidden packets were sent without a pause",
    "tampering",
    {
        "nobody guards": ("sent", "escaped"),
        "owned": ("outcome", "sent", "escaped", "ms"),
        "watched": ("outcome", "sent", "escaped", "ms"),
    },
)
# What the tests of the watch fill: each row that they asked for.
ATTRIBUTION = Figures(
    "Whom the watch named for refused attempts",
    "attempt",
    {
        "by program": ("program", "how sure", "attempts", "repeats"),
        "by user only": ("user", "attempts"),
    },
)
# What tests/lab/test_bootstrap.py fills.
BOOTSTRAP = Figures(
    "How far Tor came, what its status events warned of, seconds to the first warning, and frames",
    "case",
    {
        "Tor": ("reached", "warnings", "s", "guard down", "log"),
        "on the wire": ("sent", "unexpected"),
    },
)
SKEWS = Figures(
    "What Tor says when the clock is wrong",
    "clock",
    {"Tor": ("comes up", "CLOCK_SKEW from, seconds", "log")},
)
# What tests/lab/test_isolation.py fills: what the client's Tor says, and what ends at the far end
# when circuits are closed one by one.
ISOLATION = Figures(
    "Streams that differ in one thing, and those of them that share a circuit",
    "what differs",
    {
        "streams": ("number", "exits"),
        "circuits": ("by events", "by fate"),
        "pairs that share": ("by events", "by fate"),
    },
)
# What tests/lab/test_dns.py fills.
NAMES = Figures(
    "Who resolves names in which way, what comes of it, and what of it was seen on the wire",
    "way",
    {user: ("outcome", "frames") for user in ("amnesia", "root", "nobody", "debian-tor", "clearnet")},
)
ALL = (TAMPERING, ATTRIBUTION, BOOTSTRAP, SKEWS, ISOLATION, NAMES)
