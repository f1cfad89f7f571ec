# SPDX-License-Identifier: GPL-3.0-or-later
"""The private Tor network: authorities, relays, a bridge, an onion service, and the host's client.

A first start makes everything and waits for the authorities to agree on a consensus. What they
have then is kept as a template; a later start from it needs no vote and is ready in seconds. When
the template is too old, or does not work in time, the slow start is taken.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import re
import shutil
import socket
import subprocess
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from . import client, names, netns, processes, torcontrol, torkeys, torrc
from .locked import locked
from .wait import wait_for

if TYPE_CHECKING:
    from .lab import Lab

CONSENSUS_SECONDS = 60.0
WARM_SECONDS = 40.0
COLD_SECONDS = 180.0
ANSWER_WARM_SECONDS = 45.0
ANSWER_COLD_SECONDS = 120.0
BRIDGE_SECONDS = 120.0
LISTEN_SECONDS = 60.0
RELAY_SECONDS = 90.0
# From the start of the authorities to the first consensus; the second try has more time.
VOTE_LEADS = (9, 16, 25)
# More than authorities have, for which measurements do not count, but not by much.
RELAY_KILOBYTES = 10
# Tor takes a consensus for a day after its end; keep well inside.
TEMPLATE_SECONDS = 20 * 3600

_VOTERS = names.AUTHORITIES + names.RELAYS
_NOT_KEPT = shutil.ignore_patterns("lock", "*.tmp", "control_auth_cookie", "pt_state.tmp")
_MEASURED = f"\nw Bandwidth={RELAY_KILOBYTES}\n"
_VALID_UNTIL = re.compile(r"^valid-until (.*)$", re.MULTILINE)
_ROUTER = re.compile(r"^r (\S+) ", re.MULTILINE)
BRIDGE_CLIENT = "bridge-client"  # on the guest node
TRIAL = "trial"  # on the host under test, in place of its own: labkit/client_tor.py


class IncompleteConsensus(RuntimeError):
    """The authorities voted before every relay had introduced itself."""


class TorNetwork:
    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._root = lab.state / "tor"

    @functools.cached_property
    def _keys(self) -> Path:
        return torkeys.directory()

    # Starting ---------------------------------------------------------------------------------

    def start(self) -> None:
        """Return when the client is at 100 %, and an exit and the onion service answer."""
        template = self._template()
        if _age(template) < TEMPLATE_SECONDS:
            try:
                self._start_warm(template)
                return
            except (TimeoutError, RuntimeError) as error:
                self._lab.progress(f"the warm start did not work ({error}); starting afresh")
                with locked(names.CACHE_DIRECTORY):
                    shutil.rmtree(template, ignore_errors=True)
        for lead in VOTE_LEADS:
            try:
                self._start_cold(lead)
                return
            except (IncompleteConsensus, TimeoutError) as error:
                self._lab.progress(f"{error}; starting afresh, with more time before the vote")
        raise RuntimeError("Tor did not come up, however much time there was before the vote")

    def _start_warm(self, template: Path) -> None:
        self._lab.progress("starting Tor from the template")
        self._clear()
        with locked(names.CACHE_DIRECTORY):
            if not template.is_dir():
                raise RuntimeError("another run has thrown it away")
            for node in names.TOR_NODES + (names.HOST,):
                shutil.copytree(template / node, self.places(node).data)
        for node in names.TOR_NODES + (names.HOST,):
            self._prepare(node, _vote_in(node, VOTE_LEADS[0]))
        self._write_bandwidths()
        self._launch_onion()
        for node in _VOTERS + (names.BRIDGE, names.HOST):
            self._launch(node)
        self._await_client(WARM_SECONDS)
        self._await_answers(ANSWER_WARM_SECONDS)

    def _start_cold(self, lead: int) -> None:
        self._lab.progress(f"starting Tor afresh: the authorities vote in {lead} s")
        self._clear()
        for node in names.TOR_NODES + (names.HOST,):
            self.places(node).data.mkdir()
            if node in names.AUTHORITIES:
                torkeys.install(self._keys, node, self.places(node).data)
            self._prepare(node, _vote_in(node, lead))
        for node in names.AUTHORITIES:
            self._launch(node)
        # A relay introduces itself once, and does not try again for long if nobody listens.
        wait_for(lambda: all(self._listens(node) for node in names.AUTHORITIES), LISTEN_SECONDS,
                 "the authorities' directory ports")
        for node in names.RELAYS + (names.BRIDGE,):
            self._launch(node)
        wait_for(self._write_bandwidths, LISTEN_SECONDS, "the relays' identities")
        self._await_consensus(lead)
        self._await_relays()
        self._launch_onion()
        self._launch(names.HOST)
        self._await_client(COLD_SECONDS)
        self._await_answers(ANSWER_COLD_SECONDS)

    def _write_bandwidths(self) -> bool:
        """Tell the authorities that all relays are equally fast; False if not all are known yet.

        Without this the vote goes by what little traffic there has been. Then one authority has
        all the weight: clients whose guard it is take it for rendezvous too, on and on, and reach
        no onion service.
        """
        self._require_running()
        lines = [str(int(time.time()))]
        for node in names.RELAYS:
            try:
                text = (self.places(node).data / "fingerprint").read_text(encoding="ascii")
            except OSError:
                return False
            lines.append(f"node_id=${text.split()[1]} bw={RELAY_KILOBYTES} nick={node}")
        scratch = self._root / "bandwidths.new"
        scratch.write_text("\n".join(lines) + "\n", encoding="ascii")
        scratch.rename(self._root / "bandwidths")
        return True

    def _listens(self, node: str) -> bool:
        self._require_running()
        address = (names.PUBLIC_NODES[node], names.AUTHORITY_DIR_PORT)
        try:
            netns.run_in(self._lab.ns(node), socket.create_connection, address).close()
        except OSError:
            return False
        return True

    def _await_consensus(self, lead: int) -> None:
        """If a relay came too late for the first vote, the next one would be minutes away."""

        def agreed() -> bool:
            self._require_running()
            return all(self._consensus(node) for node in names.AUTHORITIES)

        wait_for(agreed, lead + CONSENSUS_SECONDS, "a consensus")
        for node in names.AUTHORITIES:
            consensus = self._consensus(node)
            missing = set(_VOTERS) - set(_ROUTER.findall(consensus))
            if consensus.count(_MEASURED) < len(names.RELAYS):
                missing.add("bandwidths")
            if missing:
                listed = ", ".join(sorted(missing))
                raise IncompleteConsensus(f"the first consensus misses {listed}")

    def _await_relays(self) -> None:
        """Clients ask the relays for what these have from the authorities. Those that asked in
        vain before the vote would ask again after a while; they are told to do so now."""
        for node in names.RELAYS:
            with self.control(node) as control:
                control.command("SIGNAL RELOAD")

        def ready() -> bool:
            self._require_running()
            return all(torcontrol.bootstrap(self.control_socket(n))[0] == 100 for n in _VOTERS)

        wait_for(ready, RELAY_SECONDS, "all relays at 100 %")

    def _launch_onion(self) -> None:
        """Start the onion service, and listen from the start for its descriptor being stored."""
        self._launch(names.ONION)
        control = wait_for(lambda: self._try_control(names.ONION), LISTEN_SECONDS,
                           "the control socket of the onion service")
        control.subscribe("HS_DESC")
        self._onion_events = control

    def _await_published(self, seconds: float) -> None:
        """Every upload of the descriptor that was begun has ended."""
        asked = ended = 0
        with self._onion_events as control:
            while asked == 0 or ended < asked:
                action = control.event(seconds)[1]
                asked += action == "UPLOAD"
                ended += action in ("UPLOADED", "FAILED")

    def _try_control(self, node: str) -> torcontrol.Control | None:
        self._require_running()
        try:
            return self.control(node)
        except (OSError, torcontrol.ControlError):
            return None

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

        wait_for(done, seconds, "Tor at 100 %")

    def _await_answers(self, seconds: float) -> None:
        """A circuit is not yet a way to everywhere: the exits must have found their name server,
        and the onion service must have told where it is."""
        self._lab.progress("waiting for an exit and the onion service")
        self._await_answers_of_web(seconds)
        # Only then is it asked: a client that asks too early goes on to avoid the directories
        # that knew nothing.
        self._await_published(seconds)
        wait_for(lambda: self._answers(self.onion_name(), names.ONION_BODY_START), seconds,
                 "an answer of the onion service")

    def _await_answers_of_web(self, seconds: float) -> None:
        wait_for(lambda: self._answers(names.WEB_NAME, names.WEB_BODY_START), seconds,
                 "an answer of the web server through Tor")

    def _answers(self, name: str, start: str) -> bool:
        try:
            # As somebody who may ask also while Lethe's rules hold.
            return self._lab.host.call(client.socks_get, name, user=names.AMNESIA,
                                       timeout=client.SECONDS).startswith(start)
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
        line = wait_for(self._try_bridge_line, BRIDGE_SECONDS, "the bridge's line")
        self.places(BRIDGE_CLIENT).data.mkdir()
        self._prepare(BRIDGE_CLIENT, [f"Bridge {line}"])
        self._launch(BRIDGE_CLIENT, names.GUEST)
        control = self.control_socket(BRIDGE_CLIENT)
        wait_for(lambda: torcontrol.bootstrap(control)[0] == 100, BRIDGE_SECONDS,
                 f"the bridge's client at 100 % (see {self.places(BRIDGE_CLIENT).log})")

    def stop_bridge_client(self) -> None:
        process = self._lab.registry.find(_label(BRIDGE_CLIENT))
        if process:
            self._lab.registry.stop([process])
        places = self.places(BRIDGE_CLIENT)
        for path in (places.data, places.control):
            shutil.rmtree(path, ignore_errors=True)

    def prepare_trial(self, node: str, lines: list[str]) -> None:
        """The files of a Tor that a test starts by itself on the host under test."""
        self._prepare(node, lines)

    def stop_client(self) -> None:
        """The Tor of the host under test. What it has learned stays."""
        process = self._lab.registry.find(_label(names.HOST))
        if process:
            self._lab.registry.stop([process])

    def start_client(self) -> None:
        """Again; returns when it is at 100 % and an exit answers. If it does not come up, the error
        has Tor's own words."""
        self._launch(names.HOST)
        try:
            self._await_client(COLD_SECONDS)
            self._await_answers_of_web(ANSWER_COLD_SECONDS)
        except TimeoutError as error:
            raise TimeoutError(f"{error}; {self._last_words(names.HOST)}") from None

    def restart_client(self) -> None:
        """After its connections were cut, which it would find out late. Returns as start_client()."""
        self.stop_client()
        self.start_client()

    def _try_bridge_line(self) -> str:
        try:
            return self.bridge_line()
        except OSError:
            return ""

    # Processes --------------------------------------------------------------------------------

    def _prepare(self, node: str, extra: list[str] | None = None) -> None:
        places = self.places(node)
        on_host = node in (names.HOST, TRIAL)
        uid = names.user(names.DEBIAN_TOR).uid if on_host else names.TOR_NETWORK_UID
        places.control.mkdir(mode=0o700)
        lines = list(extra or [])
        if node in names.AUTHORITIES:
            lines.append(f"V3BandwidthsFile {self._root}/bandwidths")
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
        log = self._lab.logs / f"{_label(node)}.out"
        self._lab.registry.start(_label(node), argv, log, env=env)

    def _clear(self) -> None:
        """End whatever an earlier attempt left."""
        self._lab.registry.stop([p for p in self._lab.registry.all() if p.label.startswith("tor-")])
        shutil.rmtree(self._root, ignore_errors=True)
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
            with locked(names.CACHE_DIRECTORY):
                shutil.rmtree(template, ignore_errors=True)
                scratch.rename(template)
                _forget_old_templates(template)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)


def _vote_in(node: str, lead: int) -> list[str]:
    return [torrc.voting_offset(time.time() + lead)] if node in names.AUTHORITIES else []


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
