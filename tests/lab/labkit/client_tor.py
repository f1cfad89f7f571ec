# SPDX-License-Identifier: GPL-3.0-or-later
"""A Tor of a test's own on the host under test, with the live system's torrc, in place of the lab's.

    with instead(lab):                          # the lab's own Tor is stopped, and started afterwards
        with ClientTor(lab, off=3 * 86400) as tor:
            tor.enable()                        # DisableNetwork 0; nothing is sent before
            tor.told.wait(lambda told: told.progress == 100, SECONDS, "Tor at 100 %")
            tor.kill()                          # SIGKILL
            tor.start()                         # again, with what it has kept

Each has a data directory of its own, empty at first: it knows nothing of the network.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from . import names, processes, rules, torcontrol
from .told import Told
from .tor import TRIAL
from .wait import wait_for

if TYPE_CHECKING:
    from .lab import Lab

LIVE_TORRC = names.SOURCE_ROOT / "data" / "tor" / "torrc"
SECONDS = 120.0
# A Tor that begins with DisableNetwork 1 opens its ports later, when it is nobody special any more:
# as root with "User debian-tor" it could then bind neither port 53 nor a transparent one, and would
# not even open its control socket. So it begins as debian-tor, with the rights for these ports.
_RIGHTS = "+net_bind_service,+net_raw"
# Where this Tor keeps its things, and what the test decides.
_OURS = frozenset({
    "user", "datadirectory", "log", "controlsocket", "cookieauthentication", "cookieauthfile",
    "cookieauthfilegroupreadable", "geoipfile", "geoipv6file", "disablenetwork", "%include",
})  # fmt: skip


def live_lines(path: Path = LIVE_TORRC) -> list[str]:
    """The lines of the live system's torrc that say what Tor does, and not where things are."""
    lines = (line.strip() for line in path.read_text(encoding="utf-8").splitlines())
    words = ((line, line.split()[0].lower()) for line in lines if line and line[0] != "#")
    return [line for line, key in words if key not in _OURS]


@contextmanager
def instead(lab: Lab) -> Iterator[None]:
    """The lab's own client is away while this lasts, and at 100 % again afterwards."""
    lab.tor.stop_client()
    try:
        yield
    finally:
        lab.tor.start_client()


class ClientTor:
    """@extra: lines of torrc that come last. @off: by how many seconds its clock is wrong, ahead
    if positive. @drop: live lines to leave out, by their beginning.
    """

    def __init__(self, lab: Lab, extra: list[str] | None = None, off: int = 0,
                 drop: tuple[str, ...] = ()) -> None:  # fmt: skip
        self._lab = lab
        self._off = off
        self._lines = [line for line in live_lines() if not line.startswith(drop or ("\0",))]
        self._lines += ["DisableNetwork 1", *(extra or [])]
        self.places = lab.tor.places(TRIAL)
        self.told = Told()

    def __enter__(self) -> ClientTor:
        self.remove()
        self.places.data.mkdir()
        self._lab.tor.prepare_trial(TRIAL, self._lines)
        try:
            self.start()
        except BaseException:
            self.remove()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.remove()

    def start(self) -> None:
        """Returns when it can be asked; it is not connected."""
        tor = names.user(names.DEBIAN_TOR)
        argv = ["setpriv", f"--reuid={tor.uid}", f"--regid={tor.gid}", "--clear-groups",
                f"--inh-caps=-all,{_RIGHTS}", f"--ambient-caps=-all,{_RIGHTS}",
                f"--bounding-set=-all,{_RIGHTS}", "--", "env", *self._clock_words(), "tor",
                "--defaults-torrc", "/dev/null", "-f", str(self.places.torrc)]  # fmt: skip
        env = self._lab.host.environment(names.ROOT) | {"HOME": "/nonexistent"}
        (self.places.control / "cookie").unlink(missing_ok=True)
        log = self._lab.logs / f"tor-{TRIAL}.out"
        self._process = self._lab.registry.start(f"tor-{TRIAL}", self._lab.host.command(argv), log,
                                                 env=env)  # fmt: skip
        self.told.listen(wait_for(self._try_control, SECONDS, "the control socket of a new Tor"))

    def _clock_words(self) -> list[str]:
        """For Tor alone. (libfaketime would not do: its own wrapping of waits keeps Tor's threads from
        beginning.) What a test's Tor starts keeps the true time if it is written in Go."""
        if not self._off:
            return []
        library = rules.wall().parents[2] / "tests" / "lab" / "lethe-clock-off.so"
        if not library.exists():
            raise RuntimeError(f"{library} is not there: build first")
        return [f"LD_PRELOAD={library}", f"LETHE_CLOCK_OFF={self._off}"]

    def _try_control(self) -> torcontrol.Control | None:
        if not processes.is_running(self._process):
            raise RuntimeError(f"a new Tor ended: {self.log()[-1500:]}")
        try:
            return self.control()
        except (OSError, torcontrol.ControlError):
            return None

    def control(self) -> torcontrol.Control:
        return torcontrol.Control(self.places.socket)

    def enable(self) -> None:
        """From now on it may use the network."""
        self.set("DisableNetwork=0")

    def set(self, *settings: str) -> None:
        with self.control() as control:
            control.command("SETCONF " + " ".join(settings))

    def kill(self) -> None:
        """At once, with no time to write anything."""
        processes.end([self._process], ask=False)
        self.told.close()

    def running(self) -> bool:
        return processes.is_running(self._process)

    def pid(self) -> int:
        return self._process.pid

    def log(self) -> str:
        text = ""
        for path in (self._lab.logs / f"tor-{TRIAL}.out", self.places.log):
            if path.exists():
                text += path.read_text(encoding="utf-8", errors="replace")
        return text

    def remove(self) -> None:
        process = self._lab.registry.find(f"tor-{TRIAL}")
        if process:
            self._lab.registry.stop([process])
        self.told.close()
        for path in (self.places.data, self.places.control):
            shutil.rmtree(path, ignore_errors=True)
        for path in (self.places.torrc, self.places.log, self._lab.logs / f"tor-{TRIAL}.out"):
            path.unlink(missing_ok=True)
