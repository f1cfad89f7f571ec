# SPDX-License-Identifier: GPL-3.0-or-later
"""From a list of package files to an installed tree, with mmdebstrap and without the network: the
packages are offered by a small archive that holds exactly them."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

from .archive import ARCHITECTURE, Deb
from .mirrors import SUITE
from .process import ENVIRONMENT, BuildError


def control_of(path: Path) -> str:
    """The control file inside a package."""
    done = subprocess.run(["dpkg-deb", "--field", str(path)], env=ENVIRONMENT, text=True,
                          capture_output=True, check=False)
    if done.returncode != 0:
        raise BuildError(f"cannot read {path}: {done.stderr.strip()}")
    return done.stdout.rstrip("\n")


def index_entry(deb: Deb, control: str, size: int) -> str:
    return (f"{control}\nFilename: pool/{deb.file}\nSize: {size}\nSHA256: {deb.sha256}\n\n")


def release(packages: bytes) -> str:
    """A Release file; unsigned, as the archive is ours and every file in it was checked."""
    path = f"main/binary-{ARCHITECTURE}/Packages"
    return (f"Origin: Lethe\nSuite: {SUITE}\nCodename: {SUITE}\nArchitectures: {ARCHITECTURE} all\n"
            f"Components: main\nSHA256:\n {hashlib.sha256(packages).hexdigest()} {len(packages)} "
            f"{path}\n")


def make_archive(folder: Path, pool: Path, debs: Iterable[Deb]) -> None:
    """An archive of these packages in an empty folder. Hard links: pool and folder are on one file
    system, and apt copies what it installs."""
    (folder / "pool").mkdir(parents=True)
    index = []
    for deb in sorted(debs):
        os.link(pool / deb.file, folder / "pool" / deb.file)
        index.append(index_entry(deb, control_of(pool / deb.file), (pool / deb.file).stat().st_size))
    packages = "".join(index).encode()
    place = folder / f"dists/{SUITE}/main/binary-{ARCHITECTURE}"
    place.mkdir(parents=True)
    (place / "Packages").write_bytes(packages)
    (folder / f"dists/{SUITE}/Release").write_text(release(packages))


def command(archive: Path, target: Path, debs: Iterable[Deb], options: Sequence[str]) -> list[str]:
    """mmdebstrap's arguments. Every package is named, so that all are installed and no choice is
    left."""
    names = ",".join(sorted(deb.name for deb in debs))
    return ["mmdebstrap", "--mode=root", "--variant=minbase", f"--architectures={ARCHITECTURE}",
            f"--include={names}", '--aptopt=APT::Install-Recommends "false"', *options,
            SUITE, str(target), f"deb [trusted=yes] copy:{archive} {SUITE} main"]
