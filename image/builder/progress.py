# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person sees while it builds: one line a stage with its seconds, and on a terminal the line
that the running program said last."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TextIO

REFRESH_SECONDS = 0.1
NAME_WIDTH = 12


@dataclass
class Stage:
    name: str
    seconds: float = 0.0
    cached: bool = False
    says: str = ""


def fit(text: str, columns: int) -> str:
    """The text without control characters, cut to a width."""
    plain = "".join(letter if letter.isprintable() else " " for letter in text)
    return plain if len(plain) <= columns else plain[:max(columns - 3, 0)] + "..."


def stage_line(stage: Stage) -> str:
    end = " (unchanged)" if stage.cached else ""
    return f"  {stage.name:<{NAME_WIDTH}} {stage.seconds:6.1f} s  {stage.says}{end}".rstrip()


@dataclass
class Progress:
    stream: TextIO = field(default_factory=lambda: sys.stderr)
    stages: list[Stage] = field(default_factory=list)
    _running: Stage | None = None
    _began: float = 0.0
    _shown: float = 0.0

    def _columns(self) -> int:
        try:
            return os.get_terminal_size(self.stream.fileno()).columns
        except (OSError, ValueError):
            return 80

    def _clear(self) -> None:
        if self.stream.isatty():
            self.stream.write("\r\x1b[K")

    def say(self, text: str) -> None:
        """A line that stays."""
        self._clear()
        self.stream.write(text + "\n")
        self.stream.flush()

    def detail(self, text: str) -> None:
        """A line that the next one overwrites; nothing where the output is no terminal."""
        now = time.monotonic()
        if self._running is None or not text or not self.stream.isatty() \
                or now - self._shown < REFRESH_SECONDS:
            return
        self._shown = now
        line = f"  {self._running.name:<{NAME_WIDTH}} {now - self._began:6.1f} s  {text}"
        self._clear()
        self.stream.write(fit(line, self._columns() - 1))
        self.stream.flush()

    @contextmanager
    def stage(self, name: str) -> Iterator[Stage]:
        """Everything inside is one stage; a stage that ends by an error prints no line."""
        stage = Stage(name)
        self._running, self._began, self._shown = stage, time.monotonic(), 0.0
        self.detail("...")
        try:
            yield stage
        except BaseException:
            self._clear()
            raise
        finally:
            self._running = None
        stage.seconds = time.monotonic() - self._began
        self.stages.append(stage)
        self.say(stage_line(stage))
