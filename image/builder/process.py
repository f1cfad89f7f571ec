# SPDX-License-Identifier: GPL-3.0-or-later
"""Running programs: their output goes to a log and, line by line, to whoever shows progress. A
program that fails ends the build with the last lines of what it said."""

from __future__ import annotations

import subprocess
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

# What every program gets, whatever the caller's shell had: the same build for everyone.
ENVIRONMENT = {
    "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
    "LC_ALL": "C.UTF-8",
    "TZ": "UTC",
    "HOME": "/nonexistent",
    "DEBIAN_FRONTEND": "noninteractive",
}
LAST_LINES = 25
LAST_COLUMNS = 240


class BuildError(Exception):
    """The build cannot go on; the text says what was attempted and why it failed."""


class Runner:
    """Runs programs with one log and one place that shows what they are doing."""

    def __init__(self, log: Path, detail: Callable[[str], None]) -> None:
        self.log = log
        self.detail = detail
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text("")

    def run(self, argv: Sequence[str], *, environment: Mapping[str, str] | None = None,
            cwd: Path | None = None, what: str = "") -> None:
        """Run to the end. BuildError if it cannot start or its status is not 0."""
        self._finish(argv, environment, cwd, what, None)

    def output(self, argv: Sequence[str], *, environment: Mapping[str, str] | None = None,
               what: str = "") -> str:
        """The same, returning its standard output and errors."""
        lines: list[str] = []
        self._finish(argv, environment, None, what, lines)
        return "".join(lines)

    def _finish(self, argv: Sequence[str], environment: Mapping[str, str] | None, cwd: Path | None,
                what: str, keep: list[str] | None) -> None:
        last: deque[str] = deque(maxlen=LAST_LINES)
        with self.log.open("a", encoding="utf-8", errors="replace") as log:
            log.write(f"\n$ {' '.join(argv)}\n")
            log.flush()
            try:
                process = subprocess.Popen(
                    argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT, cwd=cwd, text=True, encoding="utf-8",
                    errors="replace", env={**ENVIRONMENT, **(environment or {})})
            except OSError as error:
                raise BuildError(f"cannot start {argv[0]}: {error.strerror}") from error
            with process:
                assert process.stdout is not None
                try:
                    for line in process.stdout:
                        log.write(line)
                        last.append(line)
                        self.detail(line.strip())
                        if keep is not None:
                            keep.append(line)
                except BaseException:
                    process.kill()
                    raise
        if process.returncode != 0:
            raise BuildError(f"{what or argv[0]}: failed (exit status {process.returncode})\n"
                             + "".join(f"  {line.rstrip()[:LAST_COLUMNS]}\n" for line in last)
                             + f"The whole output is in {self.log}")
