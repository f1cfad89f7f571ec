# SPDX-License-Identifier: GPL-3.0-or-later
"""Results of stages, kept under the hash of everything that went into them. What is there is whole:
a result is made aside and moved in place when it is done."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import time
from collections.abc import Callable, Iterable
from pathlib import Path

KEEP = 3  # results of each stage; the ones used last stay
POOL_DAYS = 60


def hash_of(parts: Iterable[str | bytes]) -> str:
    """One hash for a list: the length before each part keeps ("ab", "c") and ("a", "bc") apart."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(f"{len(data)}:".encode())
        digest.update(data)
    return digest.hexdigest()


def hash_of_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def hash_of_recipe(names: Iterable[str]) -> str:
    """The builder's own modules belong to what goes in: who changes a step gets its result anew."""
    here = Path(__file__).resolve().parent
    return hash_of((here / f"{name}.py").read_bytes() for name in sorted(names))


class Cache:
    """`root` holds the stages; `shared` holds what two builds may share: toolchain and downloads."""

    def __init__(self, root: Path, shared: Path, use: bool = True) -> None:
        self.root = root
        self.shared = shared
        self.use = use
        for folder in (root, shared):
            folder.mkdir(parents=True, exist_ok=True, mode=0o755)
        self.work = root / "work"
        self._locks = [(folder / "lock").open("w") for folder in sorted({root, shared})]

    def take(self, say: Callable[[str], None]) -> None:
        """One build at a time; the scratch folder of an earlier, interrupted one is removed."""
        for lock in self._locks:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                say(f"another build is using {Path(lock.name).parent}; waiting for it")
                fcntl.flock(lock, fcntl.LOCK_EX)
        if self.work.exists():
            shutil.rmtree(self.work)
        self.work.mkdir()

    def place(self, stage: str, key: str, shared: bool = False) -> Path:
        return (self.shared if shared else self.root) / stage / key[:32]

    def find(self, stage: str, key: str, shared: bool = False) -> Path | None:
        """The finished result, or None."""
        place = self.place(stage, key, shared)
        if not place.is_dir() or not (self.use or shared):
            return None
        os.utime(place)
        return place

    def begin(self, stage: str) -> Path:
        """An empty folder to make a result in."""
        folder = self.work / f"new-{stage}"
        if folder.exists():
            shutil.rmtree(folder)
        folder.mkdir()
        folder.chmod(0o755)
        return folder

    def finish(self, folder: Path, stage: str, key: str, shared: bool = False) -> Path:
        """Move a made result to its place and forget what was used longest ago."""
        place = self.place(stage, key, shared)
        place.parent.mkdir(exist_ok=True)
        if place.exists():
            shutil.rmtree(place)
        shutil.move(folder, place)
        os.utime(place)
        prune(place.parent, KEEP)
        return place

    def close(self) -> None:
        if self.work.exists():
            shutil.rmtree(self.work)
        for lock in self._locks:
            lock.close()


def prune(folder: Path, keep: int) -> None:
    """Remove all but the `keep` entries of a folder that were used last."""
    entries = sorted(folder.iterdir(), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in entries[keep:]:
        shutil.rmtree(path)


def prune_pool(folder: Path, now: float | None = None) -> None:
    """Remove downloads that no build used for a long time."""
    oldest = (time.time() if now is None else now) - POOL_DAYS * 86400
    for path in folder.glob("*.deb"):
        if path.stat().st_mtime < oldest:
            path.unlink()
