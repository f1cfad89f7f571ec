# SPDX-License-Identifier: GPL-3.0-or-later
"""What a Tor tells by control events, gathered in a thread while a test does something else."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from . import torcontrol

KINDS = ("STATUS_CLIENT", "STATUS_GENERAL", "NETWORK_LIVENESS", "ORCONN", "GUARD", "CIRC", "STREAM",
         "WARN", "ERR")  # fmt: skip
_PAIR = re.compile(r'([A-Z0-9_]+)=("(?:\\.|[^"\\])*"|\S*)')


@dataclass(frozen=True)
class Event:
    """One event. @words: without its pairs KEY=VALUE; @seconds: since the thread began."""

    kind: str
    words: tuple[str, ...]
    pairs: dict[str, str]
    text: str
    seconds: float


def parse(text: str, seconds: float = 0.0) -> Event:
    """A line without its code, "STATUS_CLIENT NOTICE BOOTSTRAP PROGRESS=10 ...". Pure."""
    pairs = {key: value.strip('"') for key, value in _PAIR.findall(text)}
    words = _PAIR.sub("", text).split()
    return Event(words[0] if words else "", tuple(words[1:]), pairs, text, seconds)


class Told:
    """All events of one Tor, of each of its lives if it is started again."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._changed = threading.Condition()
        self._control: torcontrol.Control | None = None
        self._thread: threading.Thread | None = None
        self.events: list[Event] = []

    def listen(self, control: torcontrol.Control, kinds: Iterable[str] = KINDS) -> None:
        """From now on; the connection is this object's. An earlier one has been closed."""
        control.command("USEFEATURE EXTENDED_EVENTS VERBOSE_NAMES")
        control.subscribe(" ".join(kinds))
        self._control = control
        self._thread = threading.Thread(target=self._read, args=(control,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        if self._control and self._thread:
            self._control.shut()
            self._thread.join()
            self._control.__exit__(None, None, None)
        self._control = self._thread = None

    def _read(self, control: torcontrol.Control) -> None:
        while (line := control.event_line()) is not None:
            with self._changed:
                self.events.append(parse(line, time.monotonic() - self._began))
                self._changed.notify_all()
        with self._changed:
            self._changed.notify_all()

    def wait(self, state: Callable[[Told], bool], seconds: float, what: str) -> None:
        """Until @state is true of what was told; TimeoutError with the last events if not."""
        with self._changed:
            if not self._changed.wait_for(lambda: state(self), seconds):
                last = "\n".join(event.text for event in self.events[-12:])
                raise TimeoutError(f"waited {seconds:g} s for {what}; Tor told last:\n{last}")

    def now(self) -> float:
        return time.monotonic() - self._began

    # Questions to what was told ---------------------------------------------------------------

    def of(self, kind: str, action: str = "") -> list[Event]:
        """The events of a kind; of a status kind, those with this action."""
        with self._changed:
            return [event for event in self.events if event.kind == kind
                    and (not action or action in event.words[:2])]  # fmt: skip

    @property
    def progress(self) -> int:
        """Of the last bootstrap event, in per cent; -1 if there is none yet."""
        found = self.of("STATUS_CLIENT", "BOOTSTRAP")
        return int(found[-1].pairs["PROGRESS"]) if found else -1

    @property
    def tags(self) -> list[str]:
        """The phases that were told, in their order, each once."""
        seen = (event.pairs["TAG"] for event in self.of("STATUS_CLIENT", "BOOTSTRAP"))
        return list(dict.fromkeys(seen))

    def guards_down(self) -> int:
        """How often Tor gave up an entry: for a bridge that its transport does not reach, that is
        all that it tells by events."""
        return sum(1 for event in self.of("GUARD") if event.words[2:3] == ("DOWN",))

    def troubles(self) -> list[Event]:
        """Warnings about the state of Tor or of its connection: everything of status events that
        is no notice."""
        return [event for event in self.of("STATUS_CLIENT") + self.of("STATUS_GENERAL")
                if event.words[:1] in (("WARN",), ("ERR",))]  # fmt: skip
