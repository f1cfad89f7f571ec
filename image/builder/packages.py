# SPDX-License-Identifier: GPL-3.0-or-later
"""Our own .debs, made from the tree in the toolchain; made anew when a source of theirs changed."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from . import sources
from .bootstrap import control_of
from .cache import Cache, hash_of, hash_of_file, hash_of_recipe
from .process import BuildError
from .toolchain import Toolchain


@dataclass(frozen=True)
class OwnPackages:
    folder: Path
    files: list[Path]
    date: int
    version: str
    cached: bool

    @property
    def hashes(self) -> list[str]:
        return [f"{path.name} {hash_of_file(path)}" for path in self.files]


def wanted(listed: list[str], folder: Path) -> list[Path]:
    """Which of our packages the flavour's list names, with those of ours that they depend on."""
    have = {path.name.split("_")[0]: path for path in sorted(folder.glob("*.deb"))}
    chosen: set[str] = set()
    ask = [name for name in listed if name in have]
    while ask:
        name = ask.pop()
        if name not in chosen:
            chosen.add(name)
            depends = [line for line in control_of(have[name]).splitlines()
                       if line.startswith(("Depends:", "Pre-Depends:"))]
            ask += [other for other in have
                    if any(other in line.replace(",", " ").split() for line in depends)]
    return [have[name] for name in sorted(chosen)]


def make(root: Path, toolchain: Toolchain, cache: Cache) -> OwnPackages:
    """Build them. BuildError with the compiler's last lines if it fails."""
    changelog = root / "debian/changelog"
    if not changelog.is_file():
        raise BuildError(f"{root} has no debian/changelog: this is not a whole tree of Lethe")
    text = changelog.read_text(encoding="utf-8")
    date, version = sources.changelog_date(text), sources.changelog_version(text)
    names = sources.files(root)
    key = hash_of([toolchain.key, hash_of_recipe(["packages", "sources"]),
                   sources.hash_of_files(root, names)])
    folder = cache.find("packages", key)
    found = folder is not None
    if folder is None:
        work = cache.begin("packages")
        sources.copy(root, names, work / "source", date)
        toolchain.run(
            ["dpkg-buildpackage", "-b", "-uc", "-us"],
            directory=toolchain.inside(work / "source"), what="building our packages",
            environment={"SOURCE_DATE_EPOCH": str(date),
                         "DEB_BUILD_OPTIONS": f"nocheck noautodbgsym parallel={os.cpu_count()}"})
        result = cache.begin("packages-made")
        for path in sorted(work.glob("*.deb")):
            if path.stat().st_size == 0:
                raise BuildError(f"{path.name} is empty")
            path.rename(result / path.name)
        folder = cache.finish(result, "packages", key)
    return OwnPackages(folder, sorted(folder.glob("*.deb")), date, version, found)
