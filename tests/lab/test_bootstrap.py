# SPDX-License-Identifier: GPL-3.0-or-later
"""Tor comes up, or says why not, in every trouble; and whatever happens, nothing but Tor's own
connections is on the wire. What Tor reports in each case is a table at the end: the figures in it
are for people, and no time is judged."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from labkit import client, figures, names, netns, rules, told, topology, trial
from labkit.capture import Capture
from labkit.censor import Censor, Dns, Line, Portal
from labkit.client_tor import ClientTor, instead
from labkit.flows import Server
from labkit.lab import Lab
from labkit.told import Told
from labkit.standin import Transport
from labkit.trial import BRIDGE, LIAR, PUBLIC, Door
from labkit.wait import wait_for

SECONDS = 400.0
# Until a Tor that gets nowhere is left alone. What it has not reported by then stands as nothing.
PATIENCE_SECONDS = 10.0
MINUTE, HOUR, DAY, YEAR = 60, 3600, 86400, 365 * 86400
DONE = 100
_LOG_SHOWN = 100  # characters: what it is, not all of it
# As Tor names its phases (control-spec), in their order.
DIRECT_PHASES = ("conn", "conn_done", "handshake", "handshake_done", "onehop_create",
                 "requesting_status", "loading_status", "loading_keys", "requesting_descriptors",
                 "loading_descriptors", "enough_dirinfo", "ap_conn", "ap_conn_done", "ap_handshake",
                 "ap_handshake_done", "circuit_create", "done")  # fmt: skip


@pytest.fixture(scope="module")
def place(lab: Lab) -> Iterator[Lab]:
    """The laboratory, its host under the default policy, and without the lab's own client."""
    with instead(lab):
        rules.apply_lethe(lab)
        yield lab
        rules.clear(lab)


@pytest.fixture
def censor(place: Lab) -> Iterator[Censor]:
    with Censor(place) as made:
        yield made
    _end_flows(place)


@pytest.fixture
def obfs4(place: Lab, tmp_path: Path) -> Iterator[Transport]:
    with Transport(place) as running:
        rules.apply_lethe(place, running.policy(tmp_path))
        yield running
    _end_flows(place)
    rules.apply_lethe(place)


def _end_flows(place: Lab) -> None:
    """What an ended program has still under way, so that it is not in the next case's capture."""
    where = ["nsenter", f"--net={netns.path(place.ns(names.HOST))}", "ss", "-Htn"]
    subprocess.run([*where, "-K", "dst", "0.0.0.0/0"], stdout=subprocess.DEVNULL, check=True)

    def left() -> str:
        said = subprocess.run([*where, "state", "connected"], capture_output=True, text=True,
                              check=True).stdout  # fmt: skip
        return "".join(line for line in said.splitlines() if "time-wait" not in line.lower())

    wait_for(lambda: not left(), SECONDS, "the end of all connections")


def _end_at_bridge(place: Lab) -> None:
    """What the bridge believes to be under way: the rules let no reset out by which the host would
    tell it that a program was ended, and without them its next word would be answered by one."""
    where = ["nsenter", f"--net={netns.path(place.ns(names.BRIDGE))}", "ss", "-Htn", "-K"]
    for port in (names.RELAY_OR_PORT, names.BRIDGE_OBFS4_PORT):
        subprocess.run([*where, f"sport = :{port}"], stdout=subprocess.DEVNULL, check=True)


class Case:
    """One try: a Tor that is told to begin, what it tells, and the capture that judges it."""

    def __init__(
        self, place: Lab, name: str, doors: Iterable[Door] = PUBLIC, extra: Iterable[str] = (),
        off: int = 0,
    ) -> None:  # fmt: skip
        self._place, self._name, self._doors = place, name, doors
        self._tap = Capture(place)
        self.tor = ClientTor(place, list(extra), off)
        self.told: Told = self.tor.told
        self._stack = ExitStack()

    def __enter__(self) -> Case:
        _end_flows(self._place)
        self._stack.enter_context(self._tap)
        self._stack.enter_context(self.tor)
        self.began = self.told.now()
        self.tor.enable()
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def reaches(self, what: int = DONE) -> None:
        self.told.wait(lambda said: said.progress >= what, SECONDS, f"Tor at {what} %")

    def gets_nowhere(self) -> None:
        """Patience ends, and Tor has not come up; what it says of it goes into the table."""
        try:
            self.told.wait(lambda said: said.progress == DONE, PATIENCE_SECONDS, "what must not be")
        except TimeoutError:
            return
        pytest.fail(f"{self._name}: Tor came up")

    def complains(self) -> None:
        """Tor has not come up, and has reported something."""
        self.told.wait(lambda said: bool(said.troubles()), SECONDS, "a warning of Tor's")
        assert self.told.progress < DONE

    def judge(self, reached: set[Door] | None = None) -> None:
        """Nothing went elsewhere. The row of this case is filled whatever comes out."""
        frames = self._tap.sync()
        strays = trial.unexpected(frames, self._doors)
        said = self.told
        report = trial.first_report(said, self.began)
        tag = said.tags[-1] if said.tags else "none"
        figures.BOOTSTRAP.add(self._name, "Tor", f"{max(said.progress, 0)} % {tag}",
                              trial.brief(said.troubles()), report, said.guards_down(),
                              trial.warnings(said)[:_LOG_SHOWN])  # fmt: skip
        figures.BOOTSTRAP.add(self._name, "on the wire", sum(1 for f in frames if f.incoming),
                              sum(strays.values()))  # fmt: skip
        assert not strays, f"{self._name}: {dict(strays)}"
        if reached is not None:
            assert trial.reached(frames) == reached


# Ways in ----------------------------------------------------------------------------------------


def test_direct(place: Lab) -> None:
    with Case(place, "direct") as case:
        case.reaches()
        assert case.told.tags[-1] == "done" and not case.told.troubles()
        body = place.host.call(client.socks_get, names.WEB_NAME, user=names.AMNESIA)
        assert body.startswith(names.WEB_BODY_START)
        case.judge()


def test_by_a_bridge(place: Lab, obfs4: Transport) -> None:
    with Case(place, "obfs4", {BRIDGE}, obfs4.lines(place.tor.bridge_line())) as case:
        case.reaches()
        case.judge({BRIDGE})


def test_by_a_bridge_without_a_transport(place: Lab) -> None:
    fingerprint = place.tor.bridge_line().split()[2]
    door = (BRIDGE[0], names.RELAY_OR_PORT)
    lines = ["UseBridges 1", f"Bridge {door[0]}:{door[1]} {fingerprint}"]
    with Case(place, "bridge, no transport", {door}, lines) as case:
        case.reaches()
        case.judge({door})


def test_disabled_it_sends_nothing(place: Lab) -> None:
    """As the live system begins: until somebody allows it, not one frame."""
    with Capture(place) as tap, ClientTor(place) as tor:
        with tor.control() as control:
            assert control.bootstrap()[0] == 0
        assert trial.reached(tap.sync()) == set()
        tor.enable()
        tor.told.wait(lambda said: said.progress == DONE, SECONDS, "Tor at 100 %")
        assert trial.reached(tap.sync()) <= PUBLIC


# A censor ---------------------------------------------------------------------------------------

REGIMES = {
    "authorities dropped": {"blocked": Censor.directories()},
    "authorities reset": {"blocked": Censor.directories(), "reset": True},
    "all relays reset": {"blocked": Censor.public_tor(), "reset": True},
    "only port 443": {"only_ports": frozenset({443})},
    "no names": {"dns": Dns.BLOCKED, "blocked": Censor.directories()},
    "names lied about": {"dns": Dns.LYING, "blocked": Censor.directories(), "reset": True},
}


@pytest.mark.parametrize("regime", REGIMES)
def test_a_censor_stops_the_direct_way(place: Lab, censor: Censor, regime: str) -> None:
    censor.impose(**REGIMES[regime])
    with Case(place, f"{regime}, direct") as case:
        case.gets_nowhere()
        case.judge()
    # The anti-test: what stopped it was the censor.
    censor.lift()
    with Case(place, f"{regime}, lifted") as case:
        case.reaches()
        case.judge()


@pytest.mark.parametrize("regime", REGIMES)
def test_a_bridge_is_a_way_past_it(
    place: Lab, censor: Censor, obfs4: Transport, regime: str
) -> None:
    censor.impose(**REGIMES[regime])
    lines = obfs4.lines(place.tor.bridge_line())
    with Case(place, f"{regime}, obfs4", {BRIDGE}, lines) as case:
        case.reaches()
        case.judge({BRIDGE})


@pytest.mark.parametrize("own", [False, True])
def test_a_portal(place: Lab, censor: Censor, own: bool) -> None:
    censor.impose(portal=Portal(own_certificate=own, dns=own))
    name = "portal" + (", own certificate and names" if own else "")
    with Case(place, f"{name}, not logged in") as case:
        case.gets_nowhere()
        case.judge()
    page = (names.ROUTER_ADDRESS, 80)
    with Case(place, f"{name}, logged in meanwhile", PUBLIC | {page}) as case:
        case.told.wait(lambda said: said.progress >= 5, SECONDS, "Tor's first connection")
        # Whoever logs in does so in the clear, as the user who is for this.
        place.host.call(client.http_get, *page, "/login", user=names.CLEARNET)
        case.reaches()
        case.judge()
    assert censor.portal and [visit.path for visit in censor.portal.visits] == ["/login"]


def test_a_dead_network_and_a_slow_one(place: Lab, censor: Censor) -> None:
    censor.impose(dead=True)
    with Case(place, "dead network") as case:
        case.gets_nowhere()
        case.judge()
    censor.lift()
    censor.impose(line=Line(kilobits=128))
    with Case(place, "128 kbit/s") as case:
        case.reaches()
        case.judge()


# The clock --------------------------------------------------------------------------------------

# Seconds that the clock is off, and whether Tor comes up all the same.
CLOCKS = {
    "30 min ahead": (30 * MINUTE, True), "30 min behind": (-30 * MINUTE, True),
    "2 h ahead": (2 * HOUR, True), "2 h behind": (-2 * HOUR, True),
    "12 h ahead": (12 * HOUR, True), "12 h behind": (-12 * HOUR, True),
    "3 d ahead": (3 * DAY, False), "3 d behind": (-3 * DAY, False),
    "30 d ahead": (30 * DAY, False), "30 d behind": (-30 * DAY, False),
    "2 y ahead": (2 * YEAR, False), "2 y behind": (-2 * YEAR, False),
    "20 y ahead": (20 * YEAR, False), "20 y behind": (-20 * YEAR, False),
}  # fmt: skip


@pytest.mark.parametrize("name", CLOCKS)
def test_a_wrong_clock(place: Lab, name: str) -> None:
    off, comes_up = CLOCKS[name]
    with Case(place, f"clock {name}", off=off) as case:
        if comes_up:
            case.reaches()
        else:
            case.gets_nowhere()
            assert case.told.of("WARN")
        skews = {event.pairs["SKEW"] for event in case.told.of("STATUS_GENERAL", "CLOCK_SKEW")}
        # What Tor says of the clock has the right sign.
        assert all((int(skew) > 0) == (off > 0) for skew in skews)
        figures.SKEWS.add(name, "Tor", "yes" if comes_up else "no", trial.sources(case.told),
                          trial.warnings(case.told))  # fmt: skip
        case.judge()


# Changes ----------------------------------------------------------------------------------------


def _ip(place: Lab, *lines: str) -> None:
    netns.ip_batch(lines, ns=place.ns(names.HOST))


def _fetches(place: Lab) -> bool:
    try:
        body = place.host.call(client.socks_get, names.WEB_NAME, user=names.AMNESIA)
    except OSError:
        return False
    return body.startswith(names.WEB_BODY_START)


DEVICE = names.LAN_DEVICE
DEFAULT = f"route add default via {names.ROUTER_ADDRESS}"
OTHER = "192.168.1.4"
CHANGES = {
    "link flaps": ([f"link set {DEVICE} down"], [f"link set {DEVICE} up", DEFAULT]),
    "address changes": (
        [f"addr flush dev {DEVICE} scope global"], [f"addr add {OTHER}/24 dev {DEVICE}", DEFAULT]),
    "gateway changes": (
        [f"route replace default via {names.GUEST_ADDRESS}"],
        [f"route replace default via {names.ROUTER_ADDRESS}"]),
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_the_network_changes(place: Lab, change: str) -> None:
    away, back = CHANGES[change]
    with Case(place, f"{change} when up") as case:
        case.reaches()
        assert _fetches(place)
        try:
            _ip(place, *away)
            _ip(place, *back)
            wait_for(lambda: _fetches(place), SECONDS, "an answer after the change")
        finally:
            _restore(place)
        case.judge()


def test_what_hastens_it_after_a_change(place: Lab) -> None:
    """Tor finds out by itself that its connections are dead, but late. It need not be restarted:
    its network is shut and opened, as the assistant can."""
    away, back = CHANGES["address changes"]
    try:
        with Case(place, "address changes, then DisableNetwork 1 and 0") as case:
            case.reaches()
            _ip(place, *away)
            _ip(place, *back)
            case.tor.set("DisableNetwork=1")
            case.tor.enable()
            wait_for(lambda: _fetches(place), SECONDS, "an answer after the change")
            case.judge()
    finally:
        _restore(place)


@pytest.mark.parametrize("change", CHANGES)
def test_the_network_changes_while_tor_comes_up(place: Lab, change: str) -> None:
    away, back = CHANGES[change]
    try:
        with Case(place, f"{change} at the start") as case:
            _ip(place, *away)
            _ip(place, *back)
            case.reaches()
            case.judge()
    finally:
        _restore(place)


def _restore(place: Lab) -> None:
    topology.restore_lan(place.ns(names.HOST), names.HOST)


@pytest.mark.parametrize("phase", DIRECT_PHASES)
def test_killed_at_every_phase(place: Lab, phase: str) -> None:
    """And started again with what it has left: it comes up, and nothing goes elsewhere."""
    with Case(place, f"killed at {phase}") as case:
        # Not every phase is told each time: some are over before Tor comes to tell them.
        case.told.wait(lambda said: phase in said.tags or said.progress == DONE, SECONDS, phase)
        case.tor.kill()
        assert not case.tor.running()
        told_at = case.told.tags[-1]
        figures.BOOTSTRAP.note(f"To be killed at {phase}: the last phase told was {told_at}.")
        seen = len(case.told.events)
        case.tor.start()
        case.tor.enable()
        case.told.wait(lambda said: _done_after(said, seen), SECONDS, "Tor at 100 % again")
        case.judge()


def _done_after(said: Told, seen: int) -> bool:
    return any(event.pairs.get("TAG") == "done" for event in said.events[seen:])


# Bridges that lie -------------------------------------------------------------------------------


def _lies(place: Lab, name: str, transport: Transport, line: str, door: Door = LIAR) -> None:
    with Case(place, f"bridge {name}", {door}, transport.lines(line)) as case:
        case.gets_nowhere()
        case.judge({door})


def test_a_bridge_that_is_silent(place: Lab, obfs4: Transport) -> None:
    with Server(place.ns(names.ONION), *LIAR, mute=True):
        _lies(place, "says nothing", obfs4, trial.at_liar(place.tor.bridge_line()))


def test_a_bridge_that_talks_nonsense(place: Lab, obfs4: Transport) -> None:
    with trial.Garbage(place.ns(names.ONION)):
        _lies(place, "sends garbage", obfs4, trial.at_liar(place.tor.bridge_line()))


def test_a_bridge_that_is_not_there(place: Lab, obfs4: Transport) -> None:
    _lies(place, "refuses", obfs4, trial.at_liar(place.tor.bridge_line()))


def test_a_bridge_that_is_dropped(place: Lab, censor: Censor, obfs4: Transport) -> None:
    censor.impose(blocked=frozenset({LIAR[0]}))
    _lies(place, "is dropped", obfs4, trial.at_liar(place.tor.bridge_line()))


def test_a_bridge_that_is_another(place: Lab, obfs4: Transport) -> None:
    line = trial.wrong_fingerprint(place.tor.bridge_line())
    with Case(place, "bridge has another fingerprint", {BRIDGE}, obfs4.lines(line)) as case:
        case.complains()
        (reason,) = {event.pairs["REASON"] for event in case.told.troubles()}
        assert reason == "IDENTITY"
        case.judge({BRIDGE})


def test_a_bridge_with_another_key(place: Lab, obfs4: Transport) -> None:
    line = trial.wrong_certificate(place.tor.bridge_line())
    _lies(place, "has another obfs4 key", obfs4, line, BRIDGE)


def test_of_a_good_and_a_bad_bridge_the_good_one_is_used(place: Lab, obfs4: Transport) -> None:
    line = place.tor.bridge_line()
    lines = obfs4.lines(trial.at_liar(trial.wrong_fingerprint(line)), line)
    with Case(place, "one bridge refuses, one is good", {BRIDGE, LIAR}, lines) as case:
        case.reaches()
        case.judge()


# The judge --------------------------------------------------------------------------------------


def test_what_goes_elsewhere_is_found(place: Lab) -> None:
    """The anti-test of every row: without rules a program asks the LAN for a name meanwhile."""
    _end_flows(place)
    _end_at_bridge(place)
    rules.clear(place)
    try:
        with Capture(place) as tap, ClientTor(place) as tor:
            tor.enable()
            place.host.call(client.resolve, names.WEB_NAME, names.LAN_RESOLVER, user=names.AMNESIA)
            tor.told.wait(lambda said: said.progress == DONE, SECONDS, "Tor at 100 %")
            strays = trial.unexpected(tap.sync(), PUBLIC)
        assert sum(strays.values()) == 1 and "port 53 to 192.168.1.1" in next(iter(strays)), strays
    finally:
        rules.apply_lethe(place)
    assert trial.unexpected(tap.stop(), {BRIDGE}) != strays  # another door is another case


def test_events_are_read_as_tor_writes_them() -> None:
    event = told.parse('STATUS_CLIENT WARN BOOTSTRAP PROGRESS=14 TAG=handshake '
                       'SUMMARY="Hand \\"x\\" shaking" REASON=IDENTITY COUNT=1')  # fmt: skip
    assert event.words == ("WARN", "BOOTSTRAP")
    assert event.pairs["SUMMARY"] == 'Hand \\"x\\" shaking' and event.pairs["REASON"] == "IDENTITY"
