# SPDX-License-Identifier: GPL-3.0-or-later
"""Which files of the tree go into our packages, their hash, a copy of them, and the date that the
whole image bears."""

from __future__ import annotations

import email.utils
import os
import re
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from .cache import hash_of
from .process import ENVIRONMENT, BuildError

# No package is made of these: changing them makes no package anew.
NOT_PACKAGED = ("image/", "bench/results/", "tests/vm/", ".ci/", "out/")
NEVER_WALKED = {".git", "out", "__pycache__"}


def in_git(root: Path) -> list[str] | None:
    """Tracked and new files, or None where this is no checkout. The settings keep the repository,
    which may be another user's, from running anything."""
    done = subprocess.run(
        ["git", "-c", f"safe.directory={root}", "-c", "core.fsmonitor=false",
         "-c", "core.hooksPath=/dev/null", "-C", str(root), "ls-files", "-coz",
         "--exclude-standard"],
        env=ENVIRONMENT, capture_output=True, check=False) if (root / ".git").exists() else None
    if done is None or done.returncode != 0:
        return None
    return [name for name in done.stdout.decode().split("\0") if name]


def by_walking(root: Path) -> Iterator[str]:
    for folder, folders, files in os.walk(root):
        here = Path(folder).relative_to(root)
        folders[:] = sorted(name for name in folders if name not in NEVER_WALKED
                            and not (name.startswith("build") and here == Path(".")))
        yield from ((here / name).as_posix() for name in files if not name.endswith(".pyc"))


def files(root: Path) -> list[str]:
    """The files that go into our packages, sorted. What git lists but is gone is left out."""
    listed = in_git(root)
    names = list(by_walking(root)) if listed is None else listed
    return sorted({name for name in names if not name.startswith(NOT_PACKAGED)
                   and (root / name).is_file() and ".." not in PurePosixPath(name).parts})


def mode_of(path: Path) -> int:
    """0755 or 0644, as git knows it; nothing of the umask of who made the checkout."""
    return 0o755 if path.stat().st_mode & stat.S_IXUSR else 0o644


def hash_of_files(root: Path, names: list[str]) -> str:
    def parts() -> Iterator[str | bytes]:
        for name in names:
            path = root / name
            if path.is_symlink():
                yield from (name, "link", os.readlink(path))
            else:
                yield from (name, oct(mode_of(path)), path.read_bytes())
    return hash_of(parts())


def copy(root: Path, names: list[str], target: Path, date: int) -> None:
    """A copy with modes and dates that depend on nothing but the content."""
    for name in names:
        source, place = root / name, target / name
        place.parent.mkdir(parents=True, exist_ok=True)
        if source.is_symlink():
            place.symlink_to(os.readlink(source))
        else:
            place.write_bytes(source.read_bytes())
            place.chmod(mode_of(source))
            os.utime(place, (date, date))
    for folder, _, _ in os.walk(target):
        os.chmod(folder, 0o755)


def changelog_date(text: str) -> int:
    """Seconds since the epoch of the newest entry's trailer line; it is SOURCE_DATE_EPOCH."""
    match = re.search(r"^ -- .*?  (.+)$", text, re.MULTILINE)
    try:
        return int(email.utils.parsedate_to_datetime(match[1] if match else "").timestamp())
    except ValueError as error:
        raise BuildError("debian/changelog: the newest entry has no date") from error


def changelog_version(text: str) -> str:
    match = re.match(r"\S+ \(([^)]+)\)", text)
    if not match:
        raise BuildError("debian/changelog: the first line has no version")
    return match[1]
