# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said about a finished image: beside it as JSON, and in a few lines on the terminal."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from .archive import Deb
from .lock import Change
from .progress import Stage
from .root import RootImage


@dataclass
class Manifest:
    flavour: str
    version: str
    date: int
    iso: Path
    sha256: str
    root: RootImage
    offset: int
    kernel: str
    sizes: dict[str, int]
    command_line: str
    packages: Sequence[Deb]
    own_packages: Sequence[str]
    toolchain: Sequence[Deb]
    changes: Sequence[Change] = ()
    locked: bool = False
    stages: Sequence[Stage] = field(default_factory=list)

    def json(self) -> str:
        return json.dumps({
            "version": 1, "flavour": self.flavour, "lethe": self.version, "date": self.date,
            "iso": self.iso.name, "sha256": self.sha256, "root_hash": self.root.root_hash,
            "uuid": self.root.uuid, "data_blocks": self.root.data_blocks, "offset": self.offset,
            "kernel": self.kernel, "command_line": self.command_line, "sizes": self.sizes,
            "locked": self.locked, "lock_changes": [asdict(change) for change in self.changes],
            "stages": [{"name": stage.name, "seconds": round(stage.seconds, 1),
                        "cached": stage.cached} for stage in self.stages],
            "own_packages": list(self.own_packages),
            "packages": [deb.line for deb in self.packages],
            "toolchain": [deb.line for deb in self.toolchain],
        }, indent=1) + "\n"

    def summary(self) -> str:
        total = sum(stage.seconds for stage in self.stages)
        return (f"{self.iso}: {self.sizes['iso'] / 1e6:.1f} MB in {total:.0f} s\n"
                f"  sha256    {self.sha256}\n  root hash {self.root.root_hash}")


def change_lines(changes: Sequence[Change], section: str) -> list[str]:
    """For a person; many changes are counted, not listed."""
    limit = 12
    lines = [f"  {section}: {change}" for change in changes[:limit]]
    if len(changes) > limit:
        lines.append(f"  {section}: and {len(changes) - limit} more; all are in the JSON file")
    return lines
