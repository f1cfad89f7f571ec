# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's long-running processes: started, recorded, and ended exactly.

A record is a file named by label, with the process id and the start time. A process id that was
used again has another start time, so a stranger's process is never ended.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

END_SECONDS = 8.0

# Our own children, kept so that they can be reaped.
_children: dict[int, subprocess.Popen] = {}


@dataclass(frozen=True)
class Process:
    label: str
    pid: int
    start_time: int


def start_time(pid: int) -> int | None:
    """Clock ticks from boot to the start of @pid, or None if it has ended."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()
    return None if fields[0] in ("Z", "X") else int(fields[19])


class Registry:
    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def start(
        self,
        label: str,
        argv: list[str],
        log: Path,
        env: dict[str, str] | None = None,
        pass_fds: tuple[int, ...] = (),
        cwd: str = "/",
    ) -> Process:
        """Start a process of its own session, its output in @log."""
        self._directory.mkdir(parents=True, exist_ok=True)
        with open(log, "ab") as output:
            child = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=env,
                cwd=cwd,
                pass_fds=pass_fds,
                start_new_session=True,
            )
        _children[child.pid] = child
        process = Process(label, child.pid, start_time(child.pid) or 0)
        self.record(process)
        return process

    def record(self, process: Process) -> None:
        """A record is there whole or not at all, even if we are killed meanwhile."""
        scratch = self._directory / f".{process.label}"
        scratch.write_text(f"{process.pid} {process.start_time}\n", encoding="ascii")
        scratch.rename(self._directory / process.label)

    def all(self) -> list[Process]:
        if not self._directory.is_dir():
            return []
        found = []
        for path in sorted(self._directory.glob("[!.]*")):
            pid, started = path.read_text(encoding="ascii").split()
            found.append(Process(path.name, int(pid), int(started)))
        return found

    def find(self, label: str) -> Process | None:
        return next((p for p in self.all() if p.label == label), None)

    def stop(self, processes: list[Process]) -> None:
        end(processes)
        for process in processes:
            (self._directory / process.label).unlink(missing_ok=True)


def is_running(process: Process) -> bool:
    child = _children.get(process.pid)
    if child and child.poll() is not None:
        del _children[process.pid]
        return False
    return start_time(process.pid) == process.start_time


def identify(pid: int) -> Process | None:
    """A process that is known by its id only, as of now."""
    started = start_time(pid)
    return None if started is None else Process(str(pid), pid, started)


def inhabitants(inodes: set[int], marker: str) -> list[Process]:
    """The processes in one of these namespaces or with @marker in their environment."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and _belongs(entry, inodes, marker.encode()):
            process = identify(int(entry.name))
            if process:
                found.append(process)
    return found


def _belongs(entry: Path, inodes: set[int], marker: bytes) -> bool:
    try:
        if any((entry / "ns" / kind).stat().st_ino in inodes for kind in ("net", "mnt")):
            return True
        return marker in (entry / "environ").read_bytes().split(b"\0")
    except OSError:  # it has ended
        return False


def end(processes: list[Process], ask: bool = True) -> None:
    """Ask all to end, wait, then force those that remain; returns when all are gone. Without
    @ask they are forced at once."""
    remaining = {}
    for process in processes:
        descriptor = _open(process)
        if descriptor is not None:
            remaining[descriptor] = process
    for number in (signal.SIGTERM, signal.SIGKILL) if ask else (signal.SIGKILL,):
        for descriptor in remaining:
            _send(descriptor, number)
        remaining = _await_end(remaining, END_SECONDS)
        if not remaining:
            return
    labels = ", ".join(f"{p.label} ({p.pid})" for p in remaining.values())
    for descriptor in remaining:
        os.close(descriptor)
    raise RuntimeError(f"could not end these processes: {labels}")


def _open(process: Process) -> int | None:
    """A descriptor for exactly this process, or None if it has ended."""
    try:
        descriptor = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return None
    # The id is now held by the descriptor; only now does the comparison mean anything.
    if is_running(process):
        return descriptor
    os.close(descriptor)
    return None


def _send(descriptor: int, number: signal.Signals) -> None:
    try:
        signal.pidfd_send_signal(descriptor, number)
    except ProcessLookupError:
        pass


def _await_end(remaining: dict[int, Process], seconds: float) -> dict[int, Process]:
    deadline = time.monotonic() + seconds
    poll = select.poll()
    for descriptor in remaining:
        poll.register(descriptor, select.POLLIN)
    while remaining:
        left = deadline - time.monotonic()
        if left <= 0:
            break
        for descriptor, _ in poll.poll(left * 1000):
            poll.unregister(descriptor)
            process = remaining.pop(descriptor)
            os.close(descriptor)
            child = _children.pop(process.pid, None)
            if child:
                child.wait()
    return remaining
