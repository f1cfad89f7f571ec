# SPDX-License-Identifier: GPL-3.0-or-later
"""The lock: which packages, bit for bit, an image is made of. Sections `[image]` and `[toolchain]`,
one package a line: name, version, architecture, SHA-256. And how two lists of packages differ."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from .archive import Deb
from .process import BuildError

HEADER = """# SPDX-License-Identifier: GPL-3.0-or-later
# The Debian packages of the last release: name, version, architecture, SHA-256 of the file.
# Written by image/build --write-lock; image/build --locked builds exactly from these.
"""
SECTIONS = ("image", "toolchain")
LINE = re.compile(r"([a-z0-9][a-z0-9.+-]+) (\S+) (amd64|all) ([0-9a-f]{64})")

Lock = dict[str, list[Deb]]


@dataclass(frozen=True)
class Change:
    name: str
    before: str  # version, empty if the package is new
    after: str   # version, empty if it is gone

    def __str__(self) -> str:
        if not self.before:
            return f"new: {self.name} {self.after}"
        if not self.after:
            return f"gone: {self.name} {self.before}"
        if self.before == self.after:
            return f"other bits: {self.name} {self.after}"
        return f"changed: {self.name} {self.before} -> {self.after}"


def parse(text: str) -> Lock:
    """BuildError with the line's number if a line is not understood."""
    lock: Lock = {section: [] for section in SECTIONS}
    section = ""
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        match = LINE.fullmatch(line)
        if line.strip("[]") in SECTIONS and line.startswith("["):
            section = line.strip("[]")
        elif match and section:
            lock[section].append(Deb(match[1], match[2], match[3], match[4]))
        elif line and not line.startswith("#"):
            raise BuildError(f"the lock, line {number}: not a package and not a section: {line}")
    for section, debs in lock.items():
        names = [deb.name for deb in debs]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise BuildError(f"the lock names these packages twice in [{section}]: "
                             + " ".join(twice))
    return lock


def write(lock: Lock) -> str:
    text = HEADER
    for section in SECTIONS:
        text += f"\n[{section}]\n" + "".join(f"{deb.line}\n" for deb in sorted(lock[section]))
    return text


def changes(before: Iterable[Deb], after: Iterable[Deb]) -> list[Change]:
    """By name. The same version with other bits is a change, too."""
    old = {deb.name: deb for deb in before}
    new = {deb.name: deb for deb in after}
    found = []
    for name in sorted(old.keys() | new.keys()):
        one, two = old.get(name), new.get(name)
        if one != two:
            found.append(Change(name, one.version if one else "", two.version if two else ""))
    return found
