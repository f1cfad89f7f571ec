# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting for a state, never for a time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

POLL_INTERVAL = 0.02


def wait_for(
    state: Callable[[], T],
    deadline: float,
    what: str,
    progress: Callable[[T], None] | None = None,
) -> T:
    """Ask @state until it answers something true, and return that.

    After @deadline seconds: TimeoutError, which names @what and the last answer. @progress sees
    every answer, for showing it to people.
    """
    end = time.monotonic() + deadline
    while True:
        answer = state()
        if progress:
            progress(answer)
        if answer:
            return answer
        if time.monotonic() >= end:
            raise TimeoutError(f"waited {deadline:g} s for {what}; last answer: {answer!r}")
        time.sleep(POLL_INTERVAL)
