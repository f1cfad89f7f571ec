# SPDX-License-Identifier: GPL-3.0-or-later
"""What several runs keep for each other is made and taken by one of them at a time."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Wait until no other process is in here with @directory, which is made if need be. The kernel
    lets go of it however the process ends. Not to be entered twice by one process."""
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
