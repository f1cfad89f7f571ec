# SPDX-License-Identifier: GPL-3.0-or-later
"""A little memory for some processes, and the kernel's out-of-memory killer for them: a control group,
as a unit's MemoryMax= makes one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .wait import wait_for

_ROOT = Path("/sys/fs/cgroup")
_SECONDS = 30.0


class Group:
    def __init__(self, path: Path, limit: str, events: str) -> None:
        self._path, self._limit, self._events = path, limit, events

    def limit(self, size: int | None) -> None:
        """In bytes, of what its processes take from now on."""
        everything = "max" if self._limit == "memory.max" else "-1"
        (self._path / self._limit).write_text(everything if size is None else str(size))

    def add(self, pid: int) -> None:
        """@pid, and what it will start."""
        (self._path / "cgroup.procs").write_text(str(pid))

    def kills(self) -> int:
        lines = (self._path / self._events).read_text(encoding="ascii").splitlines()
        return next(int(count) for key, count in map(str.split, lines) if key == "oom_kill")


def _controller() -> tuple[Path, str, str] | None:
    """Where groups are made, and the names of their files; of the newer kind, or of the older."""
    try:
        if "memory" in (_ROOT / "cgroup.subtree_control").read_text(encoding="ascii").split():
            return _ROOT, "memory.max", "memory.events"
    except OSError:
        pass
    older = _ROOT / "memory"
    if (older / "memory.limit_in_bytes").exists():
        return older, "memory.limit_in_bytes", "memory.oom_control"
    return None


@contextmanager
def group(name: str) -> Iterator[Group | None]:
    """None where this system has none that can be used."""
    found = _controller()
    path = found[0] / name if found else None
    try:
        if path:
            path.mkdir()
    except OSError:
        path = None
    if not found or not path:
        yield None
        return
    try:
        yield Group(path, found[1], found[2])
    finally:
        wait_for(lambda: not (path / "cgroup.procs").read_text(encoding="ascii"), _SECONDS,
                 "its processes to end")  # fmt: skip
        os.rmdir(path)
