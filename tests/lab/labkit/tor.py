# SPDX-License-Identifier: GPL-3.0-or-later
"""The private Tor network: authorities, relays, a bridge, an onion service, and the host's client.

A first start makes everything and waits for the authorities to agree on a consensus. What they
have then is kept as a template; a later start from it needs no vote and is ready in seconds. When
the template is too old, or does not work in time, the slow start is taken.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from . import client, names, netns, processes, torcontrol, torkeys, torrc
from .wait import wait_for

if TYPE_CHECKING:
    from .lab import Lab

CONSENSUS_SECONDS = 60.0
WARM_SECONDS = 40.0
COLD_SECONDS = 180.0
ANSWER_WARM_SECONDS = 45.0
ANSWER_COLD_SECONDS = 120.0
BRIDGE_SECONDS = 120.0
COLD_ATTEMPTS = 3
# Tor takes a consensus for a day after its end; keep well inside.
TEMPLATE_SECONDS = 20 * 3600

_VOTERS = names.AUTHORITIES + names.RELAYS
_NOT_KEPT = shutil.ignore_patterns("lock", "*.tmp", "control_auth_cookie", "pt_state.tmp")
_VALID_UNTIL = re.compile(r"^valid-until (.*)$", re.MULTILINE)
_ROUTER = re.compile(r"^r (\S+) ", re.MULTILINE)
BRIDGE_CLIENT = "bridge-client"  # on the guest node


class TorNetwork:
    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._root = lab.state / "tor"

    # Starting ---------------------------------------------------------------------------------

    def start(self) -> None:
        """Return when the client is at 100 % and the onion service answers through it."""
        self._root.mkdir(exist_ok=True)
        self._keys = torkeys.directory()
        template = self._template()
        if _age(template) < TEMPLATE_SECONDS:
            try:
                self._start_warm(template)
                return
            except (TimeoutError, RuntimeError) as error:
                self._lab.progress(f"the warm start did not work ({error}); starting afresh")
                self._stop_all()
                shutil.rmtree(template, ignore_errors=True)
        self._start_cold()

    def _start_warm(self, template: Path) -> None:
        self._lab.progress("starting Tor from the template")
        for node in names.TOR_NODES + (names.HOST,):
            shutil.copytree(template / node, self.places(node).data)
            self._prepare(node)
        for node in names.TOR_NODES + (names.HOST,):
            self._launch(node)
        self._await_client(WARM_SECONDS)
        self._await_answers(ANSWER_WARM_SECONDS)

    def _start_cold(self) -> None:
        self._lab.progress("starting Tor afresh: the authorities vote first")
        for node in names.TOR_NODES + (names.HOST,):
            self.places(node).data.mkdir()
            if node in names.AUTHORITIES:
                torkeys.install(self._keys, node, self.places(node).data)
            self._prepare(node)
        for node in _VOTERS + (names.BRIDGE,):
            self._launch(node)
        self._await_consensus()
        self._launch(names.ONION)
        self._launch(names.HOST)
        self._await_client(COLD_SECONDS)
        self._await_answers(ANSWER_COLD_SECONDS)

    def _await_consensus(self) -> None:
        """A first vote can come before a relay has introduced itself. The next one would be
        minutes away, so the authorities, who know the relay by then, start again."""
        for _ in range(COLD_ATTEMPTS):
            wait_for(lambda: all(self._consensus(node) for node in names.AUTHORITIES),
                     CONSENSUS_SECONDS, f"a consensus (see {self._lab.logs})")
            listed = set(_ROUTER.findall(self._consensus(names.AUTHORITIES[0])))
            if listed >= set(_VOTERS):
                return
            missing = ", ".join(sorted(set(_VOTERS) - listed))
            self._lab.progress(f"the first consensus misses {missing}; voting again")
            running = [p for p in self._lab.registry.all() if p.label in map(_label, names.AUTHORITIES)]
            self._lab.registry.stop(running)
            for node in names.AUTHORITIES:
                for stale in self.places(node).data.glob("*consensus*"):
                    shutil.rmtree(stale) if stale.is_dir() else stale.unlink()
            for node in names.AUTHORITIES:
                self._launch(node)
        raise RuntimeError(f"after {COLD_ATTEMPTS} votes the consensus still misses a relay")

    def _consensus(self, node: str) -> str:
        try:
            text = (self.places(node).data / "cached-consensus").read_text(encoding="utf-8")
        except OSError:
            return ""
        return text

    def _await_client(self, seconds: float) -> None:
        shown = [-1]

        def show(state: tuple[int, str]) -> None:
            if state[0] != shown[0]:
                shown[0] = state[0]
                self._lab.progress(f"Tor {state[0]} % ({state[1]})")

        def done() -> bool:
            self._require_running()
            state = torcontrol.bootstrap(self.control_socket())
            show(state)
            return state[0] == 100

        wait_for(done, seconds, f"Tor at 100 % (see {self.places(names.HOST).log})")

    def _await_answers(self, seconds: float) -> None:
        """A circuit is not yet a way to everywhere: the exits must have found their name server,
        and the onion service must have published where it is."""
        self._lab.progress("waiting for an exit and the onion service")
        wait_for(lambda: self._answers(names.WEB_NAME, names.WEB_BODY_START), seconds,
                 "an answer of the web server through Tor")
        wait_for(lambda: self._answers(self.onion_name(), names.ONION_BODY_START), seconds,
                 "an answer of the onion service")

    def _answers(self, name: str, start: str) -> bool:
        try:
            return self._lab.host.call(client.socks_get, name).startswith(start)
        except OSError:
            return False

    def _require_running(self) -> None:
        """A Tor that ended will not come to 100 %: say so at once, with its own words."""
        for process in self._lab.registry.all():
            if process.label.startswith("tor-") and not processes.is_running(process):
                node = process.label.removeprefix("tor-")
                raise RuntimeError(f"{process.label} ended: {self._last_words(node)}")

    def _last_words(self, node: str) -> str:
        text = ""
        for path in (self.places(node).log, self._lab.logs / f"{_label(node)}.out"):
            if path.exists():
                text += path.read_text(encoding="utf-8", errors="replace")[-600:]
        return text.strip()

    # What tests and people ask ----------------------------------------------------------------

    def places(self, node: str) -> torrc.Places:
        root = self._root
        return torrc.Places(root / f"{node}.torrc", root / node, root / f"{node}.control",
                            self._lab.logs / f"tor-{node}")  # fmt: skip

    def control_socket(self, node: str = names.HOST) -> Path:
        return self.places(node).socket

    def control(self, node: str = names.HOST) -> torcontrol.Control:
        return torcontrol.Control(self.control_socket(node))

    def onion_name(self) -> str:
        """Without a port; raises OSError while the service has not made it yet."""
        path = self.places(names.ONION).data / "service" / "hostname"
        return path.read_text(encoding="ascii").strip()

    def bridge_line(self) -> str:
        """What a user would paste; raises OSError while the bridge has not made it yet."""
        data = self.places(names.BRIDGE).data
        text = (data / "pt_state" / "obfs4_bridgeline.txt").read_text(encoding="ascii")
        line = next(part for part in text.splitlines() if part.startswith("Bridge obfs4"))
        fingerprint = (data / "fingerprint").read_text(encoding="ascii").split()[1]
        address = f"{names.PUBLIC_NODES[names.BRIDGE]}:{names.BRIDGE_OBFS4_PORT}"
        line = line.replace("<IP ADDRESS>:<PORT>", address)
        return line.replace("<FINGERPRINT>", fingerprint).removeprefix("Bridge ")

    def start_bridge_client(self) -> None:
        """On the guest node, a Tor that knows the network by the obfs4 bridge only."""
        self._keys = torkeys.directory()
        line = wait_for(self._try_bridge_line, BRIDGE_SECONDS, "the bridge's line")
        self.places(BRIDGE_CLIENT).data.mkdir()
        self._prepare(BRIDGE_CLIENT, [f"Bridge {line}"])
        self._launch(BRIDGE_CLIENT, names.GUEST)
        socket = self.control_socket(BRIDGE_CLIENT)
        wait_for(lambda: torcontrol.bootstrap(socket)[0] == 100, BRIDGE_SECONDS,
                 f"the bridge's client at 100 % (see {self.places(BRIDGE_CLIENT).log})")

    def stop_bridge_client(self) -> None:
        process = self._lab.registry.find(_label(BRIDGE_CLIENT))
        if process:
            self._lab.registry.stop([process])
        places = self.places(BRIDGE_CLIENT)
        for path in (places.data, places.control):
            shutil.rmtree(path, ignore_errors=True)

    def _try_bridge_line(self) -> str:
        try:
            return self.bridge_line()
        except OSError:
            return ""

    # Processes --------------------------------------------------------------------------------

    def _prepare(self, node: str, extra: list[str] | None = None) -> None:
        places = self.places(node)
        uid = names.user(names.DEBIAN_TOR).uid if node == names.HOST else names.TOR_NETWORK_UID
        places.control.mkdir(mode=0o700)
        lines = list(extra or [])
        if node in names.EXITS:
            resolver = self._root / "resolv.conf"
            resolver.write_text(f"nameserver {names.WEB_ADDRESS}\n", encoding="ascii")
            lines.append(f"ServerDNSResolvConfFile {resolver}")
        if node == names.ONION:
            lines += [f"HiddenServiceDir {places.data}/service",
                      f"HiddenServicePort 80 127.0.0.1:{names.ONION_BACKEND_PORT}"]  # fmt: skip
        authority_lines = [a.line() for a in torkeys.authorities(self._keys)]
        torrc.write(node, places, authority_lines, lines)
        places.log.touch()
        os.chown(places.log, uid, uid)
        for path in (places.control, places.data):
            _give(path, uid)

    def _launch(self, node: str, where: str | None = None) -> None:
        argv = ["tor", "--defaults-torrc", "/dev/null", "-f", str(self.places(node).torrc)]
        if node == names.HOST:
            argv = self._lab.host.command(argv)
        else:
            uid = names.TOR_NETWORK_UID
            argv = ["nsenter", f"--net={netns.path(self._lab.ns(where or node))}", "--",
                    "setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", "--",
                    *argv]  # fmt: skip
        env = self._lab.host.environment(names.ROOT) | {"HOME": "/nonexistent"}
        self._lab.registry.start(_label(node), argv, self._lab.logs / f"{_label(node)}.out", env=env)

    def _stop_all(self) -> None:
        running = [p for p in self._lab.registry.all() if p.label.startswith("tor-")]
        self._lab.registry.stop(running)
        shutil.rmtree(self._root)
        self._root.mkdir()

    # The template -----------------------------------------------------------------------------

    def _template(self) -> Path:
        """One for each state of the keys, the configuration and Tor itself."""
        digest = hashlib.sha256()
        for part in (Path(torrc.__file__), Path(__file__), self._keys / "da1" / "fingerprint"):
            digest.update(part.read_bytes())
        version = subprocess.run(["tor", "--version"], capture_output=True, check=True,
                                 env=self._lab.host.environment(names.ROOT))  # fmt: skip
        digest.update(version.stdout)
        return names.CACHE_DIRECTORY / f"tor-{digest.hexdigest()[:16]}"

    def save_template(self) -> None:
        """Keep the data directories of a network that worked and has been stopped."""
        self._keys = torkeys.directory()
        template = self._template()
        match = _VALID_UNTIL.search(self._consensus(names.AUTHORITIES[0]))
        if not match or any(not self.places(n).data.is_dir() for n in names.TOR_NODES):
            return
        until = datetime.strptime(match[1], "%Y-%m-%d %H:%M:%S").replace(tzinfo=timezone.utc)
        if until.timestamp() <= _valid_until(template):
            return
        scratch = template.with_name(f"{template.name}.{os.getpid()}")
        try:
            for node in names.TOR_NODES + (names.HOST,):
                shutil.copytree(self.places(node).data, scratch / node, ignore=_NOT_KEPT)
            _write_meta(scratch, until.timestamp())
            shutil.rmtree(template, ignore_errors=True)
            scratch.rename(template)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        _forget_old_templates(template)


def _label(node: str) -> str:
    return f"tor-{node}"


def _give(path: Path, uid: int) -> None:
    """To one user alone, with everything below."""
    for root, directories, files in os.walk(path):
        os.chown(root, uid, uid)
        os.chmod(root, 0o700)
        for name in files:
            os.chown(os.path.join(root, name), uid, uid)


def _write_meta(template: Path, until: float) -> None:
    (template / "meta.json").write_text(json.dumps({"valid_until": until}) + "\n", encoding="ascii")


def _valid_until(template: Path) -> float:
    try:
        return json.loads((template / "meta.json").read_text(encoding="ascii"))["valid_until"]
    except (OSError, ValueError, KeyError):
        return 0.0


def _age(template: Path) -> float:
    """Seconds since the consensus of the template ended; negative while it is valid."""
    return time.time() - _valid_until(template)


def _forget_old_templates(current: Path) -> None:
    for path in names.CACHE_DIRECTORY.glob("tor-????????????????"):
        if path != current and _age(path) > TEMPLATE_SECONDS:
            shutil.rmtree(path, ignore_errors=True)
