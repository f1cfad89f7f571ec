# SPDX-License-Identifier: GPL-3.0-or-later
"""lethe-connectd and lethe-connect with real Tor: it connects when somebody has chosen how, in that way
alone, finds another where it may, says in plain words what is wrong, and comes back from whatever ends."""

from __future__ import annotations

import json
import os
import pty
import select
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from labkit import client, connecting, names, netns
from labkit.connecting import Moat, Rig, blocked, sent
from labkit.deaf import deaf
from labkit.lab import Lab
from labkit.toldtor import ESTABLISHED, ToldTor
from labkit.wait import wait_for

SECONDS = connecting.SECONDS
BRIDGE = names.PUBLIC_NODES[names.BRIDGE]
RELAYS = {names.PUBLIC_NODES[node] for node in names.AUTHORITIES + names.RELAYS}


@pytest.fixture
def rig(lab: Lab) -> Iterator[Rig]:
    with connecting.rig(lab) as made:
        yield made


@pytest.fixture
def bridge(lab: Lab) -> str:
    return wait_for(lab.tor._try_bridge_line, SECONDS, "the bridge's line")


def begin(rig: Rig, **options: str) -> connecting.Daemon:
    rig.tor.start()
    daemon = rig.daemon(**options)
    daemon.await_state("asked")
    return daemon


def fetches(rig: Rig) -> bool:
    body = netns.run_in(rig.guest, client.socks_get, names.WEB_NAME)
    return body.startswith(names.WEB_BODY_START)


# Before anything is chosen ------------------------------------------------------------------------


def test_nothing_leaves_before_a_choice(rig: Rig, bridge: str) -> None:
    with rig.wire() as wire:
        daemon = begin(rig, bridges=bridge)
        daemon.run("retry", "--no-wait")
        # Whatever comes and goes: Tor, the daemon, the network.
        rig.tor.kill()
        rig.tor.start()
        daemon.await_state("asked")
        netns.ip_batch(["link set eth0 down"], rig.guest)
        daemon.await_state("offline")
        netns.ip_batch(["link set eth0 up", f"route add default via {names.ROUTER_ADDRESS}"],
                       rig.guest)  # fmt: skip
        daemon.await_state("asked")
        daemon.kill()
        again = rig.daemon(bridges=bridge)
        again.await_state("asked")
        assert again.run("offline").returncode == 0
        again.await_state("offline")
        assert not rig.tor.networked
        assert sent(wire.stop()) == set()
    assert rig.clock.asked == [] and rig.obfs4.begun == 0


def test_the_wire_shows_a_tor_that_does_not_wait(rig: Rig) -> None:
    """The anti-test of the one above."""
    with rig.wire() as wire:
        rig.tor.start("DisableNetwork 0")
        wait_for(lambda: sent(wire.take()) & RELAYS, SECONDS, "a packet to a relay")


def test_a_tor_that_somebody_else_has_opened_is_shut(rig: Rig) -> None:
    rig.tor.start("DisableNetwork 0")
    daemon = rig.daemon()
    # One that was connected before it came would be taken over; this one is caught on the way.
    if daemon.await_state(daemon.state)["state"] == "asked":
        assert not rig.tor.networked


# Automatically ------------------------------------------------------------------------------------


def test_automatically(rig: Rig) -> None:
    daemon = begin(rig)
    with rig.wire() as wire:
        result = daemon.run("auto")
        assert result.returncode == 0, result.stdout + result.stderr
        assert result.stdout.splitlines()[-1] == "connected to Tor"
        assert fetches(rig)
        assert sent(wire.stop()) <= RELAYS
    status = daemon.status()
    assert (status["state"], status["mode"], status["progress"]) == ("connected", "automatic", 100)
    assert status["reason"] is None and status["bridges"] == 0
    wait_for(lambda: rig.clock.asked, SECONDS, "the question about the consensus")
    assert rig.clock.asked == ["consensus"]
    # It goes as it came.
    assert daemon.run("offline").returncode == 0
    assert daemon.state == "offline" and not rig.tor.networked


def test_progress_is_told(rig: Rig) -> None:
    daemon = begin(rig)
    argv = daemon.command("status", "--json", "--follow")
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as follow:
        told = [json.loads(follow.stdout.readline())]
        daemon.run("auto", "--no-wait")
        while told[-1]["state"] != "connected":
            told.append(json.loads(follow.stdout.readline()))
        follow.kill()
    assert told[0]["state"] == "asked"
    progress = [status["progress"] for status in told if status["state"] == "connecting"]
    assert len(set(progress)) > 3 and progress == sorted(progress)
    assert all(status["phase-text"] for status in told if status["state"] == "connecting")


def test_censored_then_by_the_systems_bridges(rig: Rig, bridge: str) -> None:
    daemon = begin(rig, bridges=bridge)
    with blocked(rig.lab, lambda node: node == names.BRIDGE):
        result = daemon.run("auto")
        assert result.returncode == 0, result.stdout + result.stderr
        assert fetches(rig)
        status = daemon.status()
    assert status["mode"] == "automatic" and status["bridges"] == 1
    assert rig.clock.asked[0] == "network"  # a login page would look the same


def test_censored_without_a_way(rig: Rig) -> None:
    daemon = begin(rig)
    with blocked(rig.lab, lambda node: False):
        result = daemon.run("auto")
    assert result.returncode == 4
    status = daemon.status()
    assert status["reason"] == "censored" and "lethe-connect hide" in status["advice"]
    assert "may block Tor" in result.stdout and not rig.tor.networked


def test_relays_refuse(rig: Rig) -> None:
    daemon = begin(rig)
    with blocked(rig.lab, lambda node: False, "reject with tcp reset"):
        daemon.run("auto")
    assert daemon.status()["reason"] == "censored"


def test_a_captive_portal(rig: Rig) -> None:
    rig.clock.answer = {"outcome": "kept", "captive": True, "reason": "a login page"}
    daemon = begin(rig)
    with blocked(rig.lab, lambda node: False):
        assert daemon.run("auto").returncode == 4
        assert daemon.status()["reason"] == "captive-portal"
    rig.clock.answer = {"outcome": "right"}
    assert daemon.run("retry").returncode == 0


# Hiding -------------------------------------------------------------------------------------------


def test_hiding(rig: Rig, bridge: str) -> None:
    """By the pasted line, the wire has the bridge's address and no other."""
    daemon = begin(rig)
    with rig.wire() as wire:
        result = daemon.run("hide", f"--bridge=Bridge {bridge}")
        assert result.returncode == 0, result.stdout + result.stderr
        assert fetches(rig)
        assert sent(wire.stop()) == {BRIDGE}
    status = daemon.status()
    assert (status["mode"], status["bridges"]) == ("hide", 1)
    assert "network" not in rig.clock.asked
    # What is told to everybody has nothing of the bridge.
    assert BRIDGE not in json.dumps(status)


def test_from_automatic_to_hiding_and_back(rig: Rig, bridge: str) -> None:
    daemon = begin(rig)
    assert daemon.run("auto").returncode == 0
    assert daemon.run("hide", f"--bridge={bridge}").returncode == 0
    with rig.wire() as wire:
        assert fetches(rig)
        assert sent(wire.stop()) == {BRIDGE}
    assert daemon.run("auto").returncode == 0
    assert fetches(rig)
    wait_for(lambda: rig.obfs4.held == 0, SECONDS, "the end of the transport's lease")
    assert rig.tor.conf("UseBridges") == ["0"]


def test_hiding_does_not_fall_back(rig: Rig, bridge: str) -> None:
    """Neither to relays nor to the system's own bridges."""
    daemon = begin(rig, bridges=bridge)
    line = bridge.replace(BRIDGE, names.WEB_ADDRESS)
    with rig.wire() as wire:
        result = daemon.run("hide", f"--bridge={line}")
        assert result.returncode == 4
        assert sent(wire.stop()) <= {names.WEB_ADDRESS}
    assert daemon.status()["reason"] in ("bridge-silent", "bridge-refused")
    assert "network" not in rig.clock.asked and not rig.tor.networked


def wrong_identity(line: str) -> str:
    words = line.split()
    words[2] = "A" * 40
    return " ".join(words)


def wrong_port(line: str) -> str:
    return line.replace(f":{names.BRIDGE_OBFS4_PORT}", ":4444")


@pytest.mark.parametrize(
    ("damage", "reasons"),
    [(wrong_port, {"bridge-refused", "bridge-silent"}), (wrong_identity, {"bridge-lies"})])  # fmt: skip
def test_bridges_that_do_not_work(rig: Rig, bridge: str, damage, reasons: set[str]) -> None:
    daemon = begin(rig)
    result = daemon.run("hide", f"--bridge={damage(bridge)}")
    status = daemon.status()
    assert result.returncode == 4 and status["state"] == "failed"
    assert status["reason"] in reasons and status["advice"]
    assert status["reason-text"] in result.stdout and status["advice"] in result.stdout
    assert not rig.tor.networked and rig.obfs4.held == 0
    # And then the right one.
    assert daemon.run("hide", f"--bridge={bridge}").returncode == 0


def test_a_bridge_that_is_silent(rig: Rig, bridge: str) -> None:
    daemon = begin(rig)
    with blocked(rig.lab, lambda node: node != names.BRIDGE):
        assert daemon.run("hide", f"--bridge={bridge}").returncode == 4
        assert daemon.status()["reason"] == "bridge-silent"
    # It is tried again by itself.
    daemon.await_state("connected")


def test_a_transport_that_does_not_start(rig: Rig, bridge: str) -> None:
    rig.obfs4.works = False
    daemon = begin(rig)
    with rig.wire() as wire:
        assert daemon.run("hide", f"--bridge={bridge}").returncode == 4
        assert sent(wire.stop()) == set()
    assert daemon.status()["reason"] == "transport"
    assert daemon.run("hide", "--bridge=snowflake 192.0.2.3:80 url=https://x/").returncode == 4
    assert daemon.status()["reason"] == "transport"


def test_choices_that_are_refused(rig: Rig, bridge: str) -> None:
    daemon = begin(rig)
    for words, says in {
        ("hide",): "a bridge is needed",
        ("hide", "--bridge=192.0.2.1:443"): "does not hide",
        ("hide", "--bridge=webtunnel 192.0.2.1:443 url=https://x/"): "not available in this version",
        ("hide", "--bridge=obfs4 [2001:db8::1]:443 cert=x"): "IPv6 is blocked",
        ("hide", "--bridge=nonsense"): "not a bridge line",
        ("hide", "--default-bridges"): "no bridges of its own",
        ("hide", f"--bridge={bridge}", "--ask-for-bridges"): "one of these",
        ("hide", "--ask-for-bridges=Germany"): "two small letters",
        ("auto", f"--bridge={bridge}"): "for the verb hide",
        ("nonsense",): "no such verb",
    }.items():
        result = daemon.run(*words)
        assert result.returncode == 2 and says in result.stderr, (words, result)
    assert daemon.state == "asked" and not rig.tor.networked


# Bridges from elsewhere ---------------------------------------------------------------------------


@pytest.fixture
def moat(rig: Rig) -> Iterator[Moat]:
    made = Moat(rig.guest, rig.folder)
    yield made
    made.close()


def recommends(*settings: dict[str, object]) -> dict[str, object]:
    return {"settings": [{"bridges": setting} for setting in settings], "country": "cn"}


def test_bridges_that_are_asked_for(rig: Rig, bridge: str, moat: Moat) -> None:
    moat.answers["settings"] = recommends(
        {"type": "webtunnel", "source": "bridgedb", "bridge_strings": ["webtunnel x"]},
        {"type": "obfs4", "source": "bridgedb", "bridge_strings": [bridge]})  # fmt: skip
    daemon = begin(rig)
    with rig.wire() as wire:
        result = daemon.run("hide", "--ask-for-bridges=cn")
        assert result.returncode == 0, result.stdout + result.stderr
        assert sent(wire.stop()) == {BRIDGE}
    transports = ["obfs4", "meek_lite", "snowflake"]
    assert moat.asked == [("settings", {"country": "cn", "transports": transports})]
    assert moat.arguments == b"url=https://front.example/;front=cdn.example"
    assert daemon.status()["bridges"] == 1


def test_the_systems_bridges_when_the_service_says_so(rig: Rig, bridge: str, moat: Moat) -> None:
    moat.answers["settings"] = {"settings": [], "country": "de"}
    moat.answers["defaults"] = recommends({"type": "obfs4", "source": "builtin"})
    daemon = begin(rig, bridges=bridge)
    assert daemon.run("hide", "--ask-for-bridges").returncode == 0
    assert [what for what, _ in moat.asked] == ["settings", "defaults"]
    assert "country" not in moat.asked[0][1]


ANSWERS: dict[str, tuple[object, str]] = {
    "nothing": ({"settings": []}, "settings-none"),
    "no such country": ({"errors": [{"code": 404}]}, "settings-none"),
    "of another kind": (recommends({"type": "webtunnel", "bridge_strings": ["x"]}), "settings-none"),
    "an injection": (recommends({"type": "obfs4", "bridge_strings":
                                 ['obfs4 192.0.2.1:443 cert=x" UseBridges=0']}), "settings-none"),
    "no answer": (None, "settings-unreachable"),
    "a page": (b"<html>", "settings-unreachable"),
    "too much": (b" " * (1 << 20), "settings-unreachable"),
}  # fmt: skip


@pytest.mark.parametrize("name", ANSWERS)
def test_a_service_that_gives_none(rig: Rig, moat: Moat, name: str) -> None:
    answer, reason = ANSWERS[name]
    moat.answers = {"settings": answer, "defaults": answer}
    daemon = begin(rig)
    with rig.wire() as wire:
        assert daemon.run("hide", "--ask-for-bridges").returncode == 4
        assert sent(wire.stop()) == set()
    assert daemon.status()["reason"] == reason


def test_a_service_that_is_somebody_else(rig: Rig, moat: Moat) -> None:
    """Its certificate is for another name."""
    moat.answers["settings"] = {"settings": []}
    moat.place.write_text(moat.place.read_text().replace(moat.HOST, "other.lab.example"))
    daemon = begin(rig)
    assert daemon.run("hide", "--ask-for-bridges").returncode == 4
    assert daemon.status()["reason"] == "settings-unreachable" and moat.asked == []


def test_a_system_that_knows_no_service(rig: Rig, moat: Moat) -> None:
    shipped = names.SOURCE_ROOT / "data" / "connect" / "moat.conf"
    moat.place.write_text(shipped.read_text(encoding="utf-8"))
    daemon = begin(rig)
    assert daemon.run("hide", "--ask-for-bridges").returncode == 4
    assert daemon.status()["reason"] == "settings-unreachable"


def test_a_bridge_out_of_a_picture(rig: Rig, bridge: str) -> None:
    picture = rig.folder / "bridge.png"
    subprocess.run(["qrencode", "-o", str(picture), bridge], check=True)
    daemon = begin(rig)
    assert daemon.run("hide", f"--qr={picture}").returncode == 0
    for content, says in ((b"no picture", "Invalid argument"), (_white(rig), "there is no QR code")):
        picture.write_bytes(content)
        result = daemon.run("hide", f"--qr={picture}")
        assert result.returncode in (2, 3) and says in result.stderr, result


def _white(rig: Rig) -> bytes:
    """The same picture, all of it margin."""
    picture = rig.folder / "white.png"
    subprocess.run(["qrencode", "--foreground=FFFFFF", "-o", str(picture), "x"], check=True)
    return picture.read_bytes()


def test_bridges_out_of_a_file(rig: Rig, bridge: str) -> None:
    file = rig.folder / "bridges.txt"
    file.write_text(f"# what somebody sent\n\nBridge {bridge}\n{bridge}\n")
    daemon = begin(rig)
    assert daemon.run("hide", f"--file={file}").returncode == 0
    assert daemon.status()["bridges"] == 1
    file.write_text(f"{bridge}\nnonsense\n")
    result = daemon.run("hide", f"--file={file}")
    assert result.returncode == 2 and "line 2" in result.stderr
    assert daemon.state == "connected"


# What ends and comes back -------------------------------------------------------------------------


@pytest.mark.parametrize("phase", [0, 10, 25, 45, 75, 100])
def test_tor_killed_at_each_phase(rig: Rig, phase: int) -> None:
    daemon = begin(rig)
    argv = daemon.command("status", "--json", "--follow")
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as follow:
        daemon.run("auto", "--no-wait")
        for line in follow.stdout:
            status = json.loads(line)
            if status["progress"] >= phase and status["state"] in ("connecting", "connected"):
                break
        rig.tor.kill()
        follow.kill()
    daemon.await_state("connecting", phase="waiting-tor")
    rig.tor.start()
    daemon.await_state("connected")
    assert fetches(rig)


def test_tor_killed_while_hiding(rig: Rig, bridge: str) -> None:
    daemon = begin(rig)
    assert daemon.run("hide", f"--bridge={bridge}").returncode == 0
    rig.tor.kill()
    daemon.await_state("connecting")
    with rig.wire() as wire:
        rig.tor.start()
        daemon.await_state("connected")
        assert sent(wire.stop()) == {BRIDGE}


def test_without_tor(rig: Rig) -> None:
    daemon = rig.daemon(stall=1)
    assert daemon.run("auto").returncode == 4
    assert daemon.status()["reason"] == "tor-missing"
    rig.tor.start()
    daemon.await_state("connected")


def test_network_goes_and_comes(rig: Rig) -> None:
    daemon = begin(rig)
    assert daemon.run("auto").returncode == 0
    netns.ip_batch(["link set eth0 down"], rig.guest)
    status = daemon.await_state("failed")
    assert status["reason"] == "no-network" and not rig.tor.networked
    netns.ip_batch(["link set eth0 up", f"route add default via {names.ROUTER_ADDRESS}"],
                   rig.guest)  # fmt: skip
    daemon.await_state("connected")
    assert fetches(rig)


def test_a_kernel_that_does_not_tell_of_routes(rig: Rig) -> None:
    """What cannot be told is taken for no network, is said once, and is asked again by itself: nothing
    changes after that of which the kernel would tell."""
    daemon = begin(rig)
    with deaf(daemon.process.pid, listens=False):
        netns.ip_batch(["address add 192.0.2.77/32 dev lo"], rig.guest)
        daemon.await_state("offline")
        netns.ip_batch(["address del 192.0.2.77/32 dev lo"], rig.guest)
        daemon.run("retry", "--no-wait")
    daemon.await_state("asked")
    assert daemon.close().count("cannot ask whether there is a network") == 1


def test_who_tries_again_has_the_kernel_asked(rig: Rig) -> None:
    """Also when it was not told of a change."""
    daemon = begin(rig)
    with deaf(daemon.process.pid, listens=True):
        netns.ip_batch(["link set eth0 down"], rig.guest)
        daemon.run("retry", "--no-wait")
        assert daemon.state == "offline"
        netns.ip_batch(["link set eth0 up", f"route add default via {names.ROUTER_ADDRESS}"],
                       rig.guest)  # fmt: skip
        daemon.run("retry", "--no-wait")
        assert daemon.state == "asked"


def test_daemon_killed_while_connected(rig: Rig, bridge: str) -> None:
    """The one after it takes over what Tor has, without beginning anew."""
    daemon = begin(rig)
    assert daemon.run("hide", f"--bridge={bridge}").returncode == 0
    daemon.kill()
    wait_for(lambda: rig.obfs4.held == 0, SECONDS, "the end of the lease")
    with rig.wire() as wire:
        again = rig.daemon()
        status = again.await_state("connected")
        assert (status["mode"], status["bridges"]) == ("hide", 1)
        wait_for(lambda: _tries_to_fetch(rig), SECONDS, "a page through the same Tor")
        assert sent(wire.stop()) <= {BRIDGE}


def _tries_to_fetch(rig: Rig) -> bool:
    try:
        return fetches(rig)
    except OSError:
        return False


def test_daemon_killed_on_the_way(rig: Rig) -> None:
    """Nobody has chosen anything for the one after it: what was on its way is shut."""
    daemon = begin(rig)
    with blocked(rig.lab, lambda node: False):
        daemon.run("auto", "--no-wait")
        wait_for(lambda: rig.tor.networked, SECONDS, "Tor on its way")
        daemon.kill()
        assert rig.tor.networked
        again = rig.daemon()
        again.await_state("asked")
        assert not rig.tor.networked


def test_the_daemon_is_locked_in(rig: Rig) -> None:
    """While it waits for a choice it has no way back to what it could open before."""
    daemon = begin(rig)
    status = Path(f"/proc/{daemon.process.pid}/status").read_text(encoding="ascii")
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert (fields["Seccomp"], fields["NoNewPrivs"]) == ("2", "1")
    assert {fields[name] for name in ("CapEff", "CapPrm", "CapBnd")} <= {"0" * 16, fields["CapBnd"]}
    assert fields["CapEff"] == "0" * 16


def test_daemon_told_to_end(rig: Rig) -> None:
    daemon = begin(rig)
    with blocked(rig.lab, lambda node: False):
        daemon.run("auto", "--no-wait")
        wait_for(lambda: rig.tor.networked, SECONDS, "Tor on its way")
        assert daemon.close() == ""
        assert not rig.tor.networked


# What Tor said of another connection ---------------------------------------------------------------


def connects_by_itself_alone(daemon: connecting.Daemon, tor: ToldTor) -> None:
    wait_for(lambda: tor.networked, SECONDS, "Tor's network")
    assert daemon.status()["state"] == "connecting"
    tor.connect()
    daemon.await_state("connected")


def test_a_tor_that_comes_connected_in_another_way(rig: Rig) -> None:
    """It is set anew, and has no circuit after that, whatever it said when it was met."""
    daemon = rig.daemon()
    daemon.await_state("asked")
    daemon.run("auto", "--no-wait")
    daemon.await_state("connecting", phase="waiting-tor")
    # Before its socket is seen, so that it has its network when it is met.
    with ToldTor(rig.tor, connected=True) as tor:
        wait_for(lambda: not tor.connected, SECONDS, "that Tor is set anew")
        connects_by_itself_alone(daemon, tor)


def test_a_circuit_that_tor_tells_of_too_late(rig: Rig) -> None:
    """One that it had before it lost its network: told after the answer to that."""
    with ToldTor(rig.tor, late=ESTABLISHED) as tor:
        daemon = rig.daemon()
        daemon.await_state("asked")
        daemon.run("auto", "--no-wait")
        connects_by_itself_alone(daemon, tor)


# At the console -----------------------------------------------------------------------------------


class Console:
    """The command at a terminal, and somebody who types."""

    def __init__(self, daemon: connecting.Daemon) -> None:
        ours, theirs = pty.openpty()
        self._terminal = ours
        self._process = subprocess.Popen(daemon.command(), stdin=theirs, stdout=theirs, stderr=theirs)
        os.close(theirs)
        self.text = ""

    def read_until(self, text: str) -> str:
        while text not in self.text:
            assert select.select([self._terminal], [], [], SECONDS)[0], self.text
            try:
                self.text += os.read(self._terminal, 4096).decode()
            except OSError:
                raise AssertionError(f"it ended without {text!r}: {self.text}") from None
        before, _, self.text = self.text.partition(text)
        return before

    def type(self, text: str) -> None:
        os.write(self._terminal, text.encode())

    def end(self) -> int:
        code = self._process.wait(SECONDS)
        os.close(self._terminal)
        return code


def test_the_question_at_a_console(rig: Rig, bridge: str) -> None:
    daemon = begin(rig)
    console = Console(daemon)
    console.read_until("Enter 1, 2 or 3: ")
    console.type("7\n")
    console.read_until("Enter 1, 2 or 3: ")
    console.type("2\n")
    console.read_until("> ")
    console.type("\n")
    console.read_until("Enter 1, 2 or 3: ")
    console.type("2\n")
    console.read_until("> ")
    console.type("obfs4 [2001:db8::1]:443 cert=x\n")
    console.read_until("IPv6 is blocked")
    console.read_until("> ")
    console.type(f"{bridge}\n")
    console.read_until("> ")
    console.type("\n")
    console.read_until(" % ")  # the bar
    console.read_until("connected to Tor, by a bridge")
    assert console.end() == 0
    assert daemon.status()["mode"] == "hide"


def test_nobody_else_may_choose(lab: Lab) -> None:
    """By the bus's own policy, as it is shipped."""
    source = names.SOURCE_ROOT / "data" / "dbus" / "org.lethe.Connect1.conf"
    users = {"amnesia": connecting.PERSON, "lethe-connect": connecting.TOR_USER}
    text = source.read_text(encoding="utf-8")
    policies = text[text.index("<policy"):text.rindex("</busconfig>")]
    for name, uid in users.items():
        policies = policies.replace(f'user="{name}"', f'user="{uid}"')
    with connecting.rig(lab) as made:
        made.bus.close()
        strict = made.folder / "strict"
        strict.mkdir()
        made.bus = connecting.Bus(strict, policies=policies, more="")
        made.tor.start()
        daemon = made.daemon()
        daemon.await_state("asked")
        for uid, allowed in ((connecting.PERSON, True), (connecting.STRANGER, False)):
            become = ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", "--"]
            for verb in ("status", "offline"):
                result = subprocess.run([*become, *daemon.command(verb)], capture_output=True,
                                        text=True, timeout=SECONDS, check=False)  # fmt: skip
                assert (result.returncode in (0, 4)) == allowed, (uid, result)
