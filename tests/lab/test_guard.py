# SPDX-License-Identifier: GPL-3.0-or-later
"""P2: the filter cannot be taken away unseen. Another root process tampers with it in every way there
is, while forbidden packets are sent without a pause.

The anti-tests come first: without a guard the same tampering lets packets out. Where the guard owns
the tables none escapes. Where it can only watch (kernels before 6.9; here with --no-own) what escaped
until it was put right is printed, with the time that took.

The figures are gathered in one table, which ends the run; ./test guard runs this alone.

Nothing here lists rules with nft: older ones do not come back from that; see lethe-wall(8).
"""

from __future__ import annotations

import errno
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from conftest import lab_name
from labkit import features, memory, names, netns, requests
from labkit import guard as gd
from labkit import transitions as tr
from labkit.figures import TAMPERING
from labkit.guard import Guard, Tampering
from labkit.lab import Lab
from labkit.wait import wait_for

SECONDS = 120.0
FLOOD = 20  # tables, in one go
CHURN = 60  # transactions
RESTARTS = 20
STOPPED_PACKETS = 50_000
IDLE_PACKETS = 200_000
IDLE_TICKS = 2
WAITING = 9  # connections that the kernel keeps for a guard that takes none: its backlog, and one
LITTLE_MEMORY = 8 << 20
MANY_ELEMENTS = 30_000
SO_PEERCRED_REFUSED = {errno.EACCES, errno.EPERM}
POLICIES = {"policy": names.DEFAULT_POLICY}

Say = Callable[[object], None]


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    laboratory = Lab(lab_name("-guard"))
    laboratory.up(tor=False)
    TAMPERING.note("ms: until it was put right, counted from the notice that the guard got of it. owned: "
                   "from Linux 6.9 on; watched: before.\n* rewritten until then, and judged as what they "
                   "had become: they went where their user may send anyway. A legacy table stays.")  # fmt: skip
    yield laboratory
    laboratory.down()


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Say:
    """Print what is never held back: the figures that a claim rests on."""

    def speak(text: object) -> None:
        with capsys.disabled():
            print(f"\n    {text}", end="", flush=True)

    return speak


@pytest.fixture(autouse=True)
def enforced(lab: Lab) -> Iterator[None]:
    """The policy is enforced at the beginning, without a guard, and nothing at the end."""
    put(lab)
    yield
    with ExitStack() as stack:
        stack.callback(_clear, lab)


def _clear(lab: Lab) -> None:
    assert tr.wall(lab, "open", "--yes").returncode == 0
    assert tr.run(lab, ["nft", "flush", "ruleset"]).returncode == 0
    # What was opened while there were no rules would say goodbye in the next case: of a connection
    # that has no owner any more, all but the opening may pass (F2).
    assert tr.run(lab, ["ss", "--kill", "--tcp", "--all"]).returncode == 0


def put(lab: Lab) -> None:
    result = tr.wall(lab, "apply", str(names.DEFAULT_POLICY))
    assert result.returncode == 0, result.stderr


def state(lab: Lab) -> str:
    return tr.state(lab, POLICIES)


def others(lab: Lab) -> str:
    return tr.status(lab, names.DEFAULT_POLICY)["other_tables"]


def sends(blast: tr.Blast) -> None:
    """Until packets of each kind were judged since."""
    before = blast.tried()
    wait_for(lambda: all(blast.tried()[kind] > before[kind] + 50 for kind in ("udp", "tcp", "frame")),
             SECONDS, "packets of each kind")  # fmt: skip


def until_escaped(blast: tr.Blast) -> tr.Tally:
    return wait_for(lambda: tally if (tally := blast.tally()).escapes else None, SECONDS,
                    "packets that escape")  # fmt: skip


def nothing_more_escapes(blast: tr.Blast) -> None:
    before = blast.tally()
    sends(blast)
    after = blast.tally()
    assert after.escapes == before.escapes, str(after)
    assert after.drops == 0


def healed(tampering: Tampering, group: str, outcome: str, blast: tr.Blast,
           found: dict[str, Any]) -> None:  # fmt: skip
    tally = blast.tally()
    TAMPERING.add(str(tampering), group, outcome, tally.total, tally.escapes,
                  found["last"]["healed_us"] / 1000)  # fmt: skip


# ---- the anti-tests: nobody guards --------------------------------------------------------------


@pytest.mark.parametrize("tampering", [t for t in gd.OWN + gd.FOREIGN if t.opens], ids=str)
def test_without_a_guard_it_escapes(lab: Lab, tampering: Tampering, say: Say) -> None:
    with tr.Blast(lab, tampering.user) as blast:
        sends(blast)
        assert blast.tally().escapes == 0
        result = gd.tamper(lab, tampering)
        assert result.returncode == 0, result.stderr
        tally = until_escaped(blast)
        say(f"{tampering}, unguarded: {tally}")
        TAMPERING.add(str(tampering), "nobody guards", tally.total, tally.escapes)


# ---- owned --------------------------------------------------------------------------------------


@pytest.fixture
def ownable() -> None:
    """For what only kernels with `persist` can do."""
    if not features.persists():
        pytest.skip("this kernel cannot: it refuses tables that have an owner and outlive it (`persist`)")


def test_what_this_kernel_cannot_is_said(lab: Lab, tmp_path: Path) -> None:
    with Guard(lab, tmp_path) as guard:
        found = guard.status()
        assert found["persists"] is found["owned"] is features.persists()
        assert found["binding"] == ("prefix" if features.binds_by_prefix() else "names")
        assert ("cannot keep others off" in guard.said()) is not features.persists(), guard.said()


@pytest.mark.usefixtures("ownable")
@pytest.mark.parametrize("tampering", gd.OWN, ids=str)
def test_owned_tables_are_nobody_elses(lab: Lab, tmp_path: Path, tampering: Tampering,
                                       say: Say) -> None:  # fmt: skip
    with Guard(lab, tmp_path) as guard, tr.Blast(lab, tampering.user) as blast:
        assert guard.status()["owned"] is True
        before = tr.generation(lab)
        result = gd.tamper(lab, tampering)
        # `flush ruleset` passes over what others own, and says nothing of it.
        assert (result.returncode != 0) is (tampering.name != "flush ruleset"), result.stderr
        assert tr.generation(lab) == before
        sends(blast)
        tally = blast.tally()
        assert tally.escapes == 0 and tally.drops == 0, str(tally)
        assert state(lab) == "policy"
        say(f"{tampering}, owned: {tally}")
        TAMPERING.add(str(tampering), "owned", "refused" if result.returncode else "passed over",
                      tally.total, tally.escapes, None)


@pytest.mark.parametrize("tampering", gd.FOREIGN, ids=str)
def test_tables_that_rewrite_are_removed(lab: Lab, tmp_path: Path, tampering: Tampering,
                                         say: Say) -> None:  # fmt: skip
    """No ownership keeps them off. Until they are removed packets are changed, and then judged: they
    go where their user may send anyway."""
    with Guard(lab, tmp_path) as guard, tr.Blast(lab, tampering.user) as blast:
        assert gd.tamper(lab, tampering).returncode == 0
        found = guard.until("the table to be removed", healed=1)
        assert others(lab) == ""
        assert found["last"]["comm"] == "nft" and found["last"]["pid"] > 0
        assert "other" in found["last"]["what"] and found["last"]["healed_us"] >= 0
        assert found["state"] == "holding", found
        nothing_more_escapes(blast)
        assert tampering.opens or blast.tally().escapes == 0
        say(f"{tampering}, owned: rewritten and then judged {blast.tally().escapes} packets, removed "
            f"{found['last']['healed_us']} us after the notice")  # fmt: skip
        healed(tampering, "owned", "removed *", blast, found)
        assert state(lab) == "policy"


def test_what_was_there_before_it_began(lab: Lab, tmp_path: Path) -> None:
    """As containers have it: a table that rewrites, and one that filters. Who misses the first finds
    its name."""
    rewrites = ("table ip containers {\n chain c {\n type nat hook postrouting priority 100;\n"
                "ip saddr 172.17.0.0/16 masquerade\n}\n}")  # fmt: skip
    filters = ("table ip local {\n chain c {\n type filter hook input priority 0;\n"
               "tcp dport 12345 drop\n}\n}")  # fmt: skip
    assert gd.tamper(lab, Tampering("", f"{rewrites}\n{filters}", True)).returncode == 0
    with Guard(lab, tmp_path) as guard:
        assert others(lab) == "local"
        assert ("removed the table ip containers of another program: it has a chain that is for "
                "rewriting packets") in guard.said()  # fmt: skip
        assert guard.status()["state"] == "holding"


def test_what_can_only_forbid_more_is_left_alone(lab: Lab, tmp_path: Path) -> None:
    with Guard(lab, tmp_path) as guard:
        gd.tamper(lab, Tampering("", "table inet other {\n chain c {\n"
                                 "type filter hook output priority -500; policy accept;\n"
                                 "tcp dport 12345 drop\nip daddr 198.51.100.0/24 accept\n}\n}",
                                 False))  # fmt: skip
        found = guard.until("the change", changes=1)
        assert found["last"]["harmless"] is True and found["healed"] == 0
        found = guard.until("the proof", judgement="stricter")
        assert found["state"] == "holding", found
        assert others(lab) == "other"


# ---- watched only -------------------------------------------------------------------------------


@pytest.mark.parametrize("tampering", gd.OWN + gd.FOREIGN, ids=str)
def test_watched_tables_are_put_right(lab: Lab, tmp_path: Path, tampering: Tampering,
                                      say: Say) -> None:  # fmt: skip
    with Guard(lab, tmp_path, "--no-own") as guard, tr.Blast(lab, tampering.user) as blast:
        assert guard.status()["owned"] is False
        result = gd.tamper(lab, tampering)
        found = guard.until("it to be put right", healed=lambda count: count >= 1)
        # A second transaction may find what the first had changed put right already.
        assert result.returncode == 0 or "# then" in tampering.commands, result.stderr
        assert found["last"]["comm"] == "nft" and found["last"]["pid"] > 0
        assert found["state"] == "holding", found
        assert state(lab) == "policy" and others(lab) == ""
        nothing_more_escapes(blast)
        say(f"{tampering}, watched: escaped {blast.tally().escapes}, put right "
            f"{found['last']['healed_us']} us after the notice")  # fmt: skip
        healed(tampering, "watched", "removed *" if tampering.foreign else "put right", blast, found)


def test_one_who_cannot_be_driven_out_shuts_all(lab: Lab, tmp_path: Path) -> None:
    """A program that owns a table of our name: nothing can be put right, so no link stays up, until a
    person acts; and then not before that program has gone."""
    with Guard(lab, tmp_path, "--no-own") as guard, tr.Blast(lab, "nobody") as blast:
        with _owning(lab, "flush ruleset; add table inet lethe { flags owner; }"):
            found = guard.until("everything to be shut", state="shut")
            assert found["shut"]
            assert _up(lab) == []
            assert tr.run(lab, ["ip", "link", "set", names.LAN_DEVICE, "up"]).returncode == 0
            wait_for(lambda: _up(lab) == [], SECONDS, "the link to be down again")
            assert tr.wall(lab, "apply", str(names.DEFAULT_POLICY)).returncode == 3
            assert guard.status()["state"] == "shut"
        put(lab)
        assert guard.status()["state"] == "holding" and guard.status()["shut"] == ""
        assert tr.run(lab, ["ip", "link", "set", names.LAN_DEVICE, "up"]).returncode == 0
        blast.tally()
    _links_again(lab)
    assert state(lab) == "policy"


@contextmanager
def _owning(lab: Lab, commands: str) -> Iterator[None]:
    """As nft's own interactive mode does it: it stays, and what it owns does."""
    process = netns.run_in(lab.ns(names.HOST), lambda: subprocess.Popen(
        ["nft", "-i"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True))
    assert process.stdin
    try:
        process.stdin.write(commands + "\n")
        process.stdin.flush()
        yield
    finally:
        process.stdin.close()
        process.wait(SECONDS)


def _up(lab: Lab) -> list[str]:
    said = tr.run(lab, ["ip", "-o", "link", "show", "up"], check=True).stdout.splitlines()
    return [name for name in (line.split(": ")[1].split("@")[0] for line in said) if name != "lo"]


def _links_again(lab: Lab) -> None:
    """A link that was down has lost its routes."""
    netns.ip_batch([f"link set {names.LAN_DEVICE} up"], ns=lab.ns(names.HOST))
    netns.ip_batch([f"route replace default via {names.ROUTER_ADDRESS}"], ns=lab.ns(names.HOST))


# ---- through the guard --------------------------------------------------------------------------


@pytest.mark.usefixtures("ownable")
def test_lethe_wall_goes_through_the_guard(lab: Lab, tmp_path: Path) -> None:
    with Guard(lab, tmp_path) as guard, tr.Blast(lab, "root") as blast:
        for verb in (["seal"], ["apply", str(names.DEFAULT_POLICY)], ["cover"]) * 5:
            result = tr.wall(lab, *verb)
            assert result.returncode == 0, result.stderr
            assert state(lab) == (tr.SEALED if verb == ["seal"] else "policy")
            assert guard.status()["owned"] is True
        assert blast.tally().escapes == 0
        assert tr.wall(lab, "open", "--yes").returncode == 0
        assert state(lab) == tr.OPEN and guard.status()["state"] == "idle"
        until_escaped(blast)
        put(lab)
        assert guard.status()["state"] == "holding"
        nothing_more_escapes(blast)
        assert guard.status()["changes"] == 0


@pytest.mark.usefixtures("ownable")
def test_a_stored_batch_goes_through_the_guard(lab: Lab, tmp_path: Path) -> None:
    batch = tmp_path / "batch"
    assert tr.wall(lab, "compile", "--batch", str(batch), str(names.DEFAULT_POLICY)).returncode == 0
    with Guard(lab, tmp_path) as guard:
        assert tr.wall(lab, "seal").returncode == 0
        assert tr.wall(lab, "apply", "--batch", str(batch)).returncode == 0
        assert state(lab) == "policy" and guard.status()["owned"] is True
    # What a guard left behind is replaced without one as well.
    assert tr.wall(lab, "seal").returncode == 0
    assert state(lab) == tr.SEALED


@pytest.mark.usefixtures("ownable")
def test_a_guard_that_does_not_answer(lab: Lab, tmp_path: Path) -> None:
    """Stopped: what is asked fails and says why, nothing opens, and nothing is done afterwards."""
    with Guard(lab, tmp_path) as guard, tr.Blast(lab, "nobody") as blast:
        guard.signal(signal.SIGSTOP)
        for asked in [tr.start(lab, "open", "--yes"), tr.start(lab, "seal")]:
            complaint = asked.communicate(timeout=SECONDS)[1]
            assert asked.returncode == 3
            assert "does not answer" in complaint and "what was enforced still is" in complaint
        assert gd.tamper(lab, gd.OWN[0]).returncode == 0
        wait_for(lambda: blast.tally().total > STOPPED_PACKETS, SECONDS, "many packets")
        tally = blast.tally()
        assert tally.escapes == 0
        guard.signal(signal.SIGCONT)
        assert tr.wall(lab, "cover").returncode == 0
        put(lab)
        assert state(lab) == "policy"
        assert "root asked" not in guard.said().replace("was replaced, as root asked", "", 1)
        assert blast.tally().escapes == 0
        TAMPERING.add("guard stopped (SIGSTOP)", "owned", "kept", tally.total, tally.escapes, None)


def test_a_guard_whose_queue_is_full(lab: Lab, tmp_path: Path) -> None:
    """Not even a connection: the same."""
    with Guard(lab, tmp_path) as guard, ExitStack() as stack:
        guard.signal(signal.SIGSTOP)
        for _ in range(WAITING):
            client = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET))
            client.connect(str(requests.socket_of(lab)))
        result = tr.wall(lab, "open", "--yes")
        assert result.returncode == 3
        assert "nothing was changed" in result.stderr
        assert state(lab) == "policy"
        stack.close()
        guard.signal(signal.SIGCONT)
        put(lab)


def test_nobody_but_root_may_ask(lab: Lab, tmp_path: Path) -> None:
    with Guard(lab, tmp_path):
        path = requests.socket_of(lab)
        assert path.stat().st_mode & 0o777 == 0o600
        assert requests.ask_as(path, 65534) in SO_PEERCRED_REFUSED
        # And should the file's mode have been changed, the guard looks by itself.
        path.chmod(0o666)
        assert requests.ask_as(path, 65534) in (errno.ECONNRESET, errno.EPIPE)
        assert state(lab) == "policy"


@pytest.mark.parametrize("request_bytes", [b"", b"1DGL", b"1DGL\x09\x00\x00\x00", b"x" * 8,
                                           b"1DGL\x01\x00\x00\x00", b"1DGL\x03\x00\x00\x00" * 2])
def test_what_is_no_request_is_none(lab: Lab, tmp_path: Path, request_bytes: bytes) -> None:
    with Guard(lab, tmp_path) as guard:
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as client:
            client.settimeout(SECONDS)
            client.connect(str(requests.socket_of(lab)))
            if request_bytes:
                client.send(request_bytes)
                assert client.recv(4096) == b""
        put(lab)  # the guard serves on
        assert guard.running() and state(lab) == "policy"


@pytest.mark.parametrize("kind", ["foreign", "unsealed", "garbage", "removal"])
def test_what_is_no_batch_of_ours_is_refused(lab: Lab, tmp_path: Path, kind: str) -> None:
    batch = tmp_path / "batch"
    assert tr.wall(lab, "compile", "--batch", str(batch), str(names.DEFAULT_POLICY)).returncode == 0
    content = batch.read_bytes()
    if kind == "foreign":
        content = content.replace(b"lethe\0", b"other\0")
    elif kind == "garbage":
        content = bytes(len(content))
    elif kind == "removal":
        content = requests.only_removal(content)
    with Guard(lab, tmp_path) as guard:
        before = tr.generation(lab)
        answer = requests.hand_over(requests.socket_of(lab), content, sealed=kind != "unsealed")
        if kind == "unsealed":
            assert answer == b""
        else:
            assert int.from_bytes(answer[4:8], "little", signed=True) == -errno.EBADMSG
        assert tr.generation(lab) == before
        assert guard.running() and state(lab) == "policy"


# ---- ending, and beginning again ----------------------------------------------------------------


def test_killed_and_taken_over_again(lab: Lab, tmp_path: Path, say: Say) -> None:
    guard = Guard(lab, tmp_path)
    with tr.Blast(lab, "root") as blast:
        for _ in range(RESTARTS):
            with guard:
                assert guard.status()["owned"] is features.persists()
                assert guard.end(signal.SIGKILL) == -signal.SIGKILL
            assert state(lab) == "policy"
        with guard:
            found = guard.status()
            assert (found["owned"], found["changes"]) == (features.persists(), 0)
            if features.persists():
                assert gd.tamper(lab, gd.OWN[1]).returncode != 0
        tally = blast.tally()
    say(f"killed {RESTARTS} times: {tally}")
    TAMPERING.add(f"guard killed, {RESTARTS} times", "owned", "kept", tally.total, tally.escapes, None)
    assert tally.escapes == 0 and tally.drops == 0


def test_stopping_it_opens_nothing(lab: Lab, tmp_path: Path) -> None:
    with tr.Blast(lab, "amnesia") as blast:
        with Guard(lab, tmp_path) as guard:
            assert guard.end(signal.SIGTERM) == 0
        sends(blast)
        assert blast.tally().escapes == 0
        assert state(lab) == "policy"
        assert guard.status()["state"] == "stopped"
        assert not requests.socket_of(lab).exists()


@pytest.mark.parametrize("tampering", [t for t in gd.OWN if t.opens][:3], ids=str)
def test_what_happened_while_it_was_dead(lab: Lab, tmp_path: Path, tampering: Tampering,
                                         say: Say) -> None:  # fmt: skip
    """Nobody owns the tables then. The next guard knows what there should be."""
    with tr.Blast(lab, tampering.user) as blast:
        with Guard(lab, tmp_path) as guard:
            guard.end(signal.SIGKILL)
        assert gd.tamper(lab, tampering).returncode == 0
        until_escaped(blast)  # the anti-test
        with Guard(lab, tmp_path) as guard:
            found = guard.status()
            assert (found["owned"], found["changes"], found["healed"]) == (features.persists(), 1, 1), found
            assert "put right" in guard.said()
            assert state(lab) == "policy"
            nothing_more_escapes(blast)
        say(f"{tampering} while no guard was there: {blast.tally().escapes} escaped until the next")


def test_shut_stays_shut_for_the_next_one(lab: Lab, tmp_path: Path) -> None:
    with Guard(lab, tmp_path, "--no-own") as guard:
        with _owning(lab, "flush ruleset; add table inet lethe { flags owner; }"):
            guard.until("everything to be shut", state="shut")
            guard.end(signal.SIGKILL)
    with Guard(lab, tmp_path) as guard:
        assert guard.status()["state"] == "shut"
        assert _up(lab) == []
        put(lab)
        assert guard.status()["state"] == "holding"
    _links_again(lab)


# ---- devices, namespaces, forwarding ------------------------------------------------------------


@pytest.mark.parametrize("options", [[], ["--no-own"]], ids=["owned", "watched"])
def test_devices_and_namespaces(lab: Lab, tmp_path: Path, say: Say, options: list[str]) -> None:
    """Plugged, renamed, moved away and back, and a new namespace at its other end."""
    host = lab.ns(names.HOST)
    with Guard(lab, tmp_path, *options) as guard, tr.trap(lab) as trap:
        guard.until("the new namespace", namespaces=lambda count: count >= 1)
        with tr.Blast(lab, "root", trap) as blast:
            tr.plug(lab, trap, "plug0")
            _sends_on_it(blast)
            netns.ip_batch(["link set plug0 down", "link set plug0 name wlan0", "link set wlan0 up"],
                           ns=host)  # fmt: skip
            _sends_on_it(blast)
            netns.ip_batch([f"link set wlan0 netns {trap}"], ns=host)
            netns.ip_batch([f"link set wlan0 netns {host}"], ns=trap)
            netns.ip_batch(["link set wlan0 up"], ns=host)
            _sends_on_it(blast)
            tally = blast.tally()
            tr.unplug(lab, "wlan0")
        say(f"devices, {options or 'owned'}: {tally}")
        TAMPERING.add("devices plugged, renamed, moved", "watched" if options else "owned", "covered",
                      tally.total, tally.escapes, None)  # fmt: skip
        assert state(lab) == "policy" and guard.status()["state"] == "holding"
        if tr.binds_by_prefix():
            assert tally.escapes == 0


def _sends_on_it(blast: tr.Blast) -> None:
    before = blast.tried()["plug"]
    wait_for(lambda: blast.tried()["plug"] > before + 100, SECONDS, "frames on the new device")


def test_forwarding_is_told_and_lets_nothing_out(lab: Lab, tmp_path: Path) -> None:
    host = lab.ns(names.HOST)
    with Guard(lab, tmp_path) as guard, tr.Blast(lab, "nobody") as blast:
        netns.write_sysctls(host, {"ipv4/ip_forward": "1"})
        try:
            guard.until("forwarding to be seen", outside=lambda text: "forward" in text)
            sends(blast)
        finally:
            netns.write_sysctls(host, {"ipv4/ip_forward": "0"})
        guard.until("it to be gone", outside="")
        tally = blast.tally()
        assert tally.escapes == 0
        TAMPERING.add("ip_forward", "owned", "told", tally.total, tally.escapes, None)


@pytest.fixture
def legacy(say: Say) -> Iterator[Lab]:
    """A laboratory of its own: what an old table hangs on the host's packets stays."""
    laboratory = Lab(lab_name("-legacy"))
    laboratory.up(tor=False)
    try:
        result = _legacy(laboratory, "-L", "-n")
        if result.returncode != 0:
            why = f"not available here: {result.stderr.strip().splitlines()[0]}"
            TAMPERING.note(f"legacy nat: {why}")
            pytest.skip(f"iptables-legacy is {why}")
        put(laboratory)
        yield laboratory
    finally:
        laboratory.down()


def _legacy(lab: Lab, *words: str) -> subprocess.CompletedProcess[str]:
    try:
        return tr.run(lab, ["iptables-legacy", "-w", "-t", "nat", *words])
    except FileNotFoundError as error:
        return subprocess.CompletedProcess([], 127, "", str(error))


@pytest.mark.parametrize("user, target, name", [("nobody", names.WEB_ADDRESS, "to the Internet"),
                                                (names.AMNESIA, names.PRINTER_ADDRESS, "into the LAN")])
def test_legacy_iptables(legacy: Lab, tmp_path: Path, say: Say, user: str, target: str,
                         name: str) -> None:  # fmt: skip
    """A table of the older kind is no table of nftables: nobody is told of it, nothing removes it. It
    rewrites before the egress chain judges, so that what it makes is judged."""
    with Guard(legacy, tmp_path) as guard, tr.Blast(legacy, user) as blast:
        rule = ["OUTPUT", "!", "-d", "192.168.0.0/16", "-j", "DNAT", "--to-destination", target]
        assert _legacy(legacy, "-A", *rule).returncode == 0
        # Something that a guard hears of, so that it looks.
        netns.write_sysctls(legacy.ns(names.HOST), {"ipv4/ip_forward": "1"})
        netns.write_sysctls(legacy.ns(names.HOST), {"ipv4/ip_forward": "0"})
        guard.until("the old table to be seen", outside=lambda text: "nat of iptables" in text)
        wait_for(lambda: _rewritten(legacy) > 0, SECONDS, "packets that are rewritten")
        sends(blast)
        tally, count = blast.tally(), _rewritten(legacy)
        say(f"legacy nat, {name}: {count} flows rewritten; {tally}")
        TAMPERING.add(f"legacy nat, {name}", "owned", "told *", tally.total, tally.escapes, None)
        assert user == names.AMNESIA or tally.escapes == 0
        assert guard.status()["state"] == "holding"


def _rewritten(lab: Lab) -> int:
    """By the one rule there is."""
    lines = _legacy(lab, "-L", "OUTPUT", "-n", "-v", "-x").stdout.splitlines()
    return int(lines[2].split()[0])


# ---- too much -----------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [[], ["--no-own"]], ids=["owned", "watched"])
def test_lost_notices(lab: Lab, tmp_path: Path, say: Say, options: list[str]) -> None:
    """Stopped, while there are more notices than its queue holds; among them, where it is not
    prevented, the end of our tables. Then it looks at everything."""
    many = "".join(f"add table ip t{number}\nadd chain ip t{number} c\ndelete table ip t{number}\n"
                   for number in range(FLOOD))  # fmt: skip
    with Guard(lab, tmp_path, *options) as guard, tr.Blast(lab, "nobody") as blast:
        guard.shorten_queue()
        guard.signal(signal.SIGSTOP)
        while not guard.has_lost_notices():
            assert tr.run(lab, ["timeout", "60", "nft", "-f", "-"], input=many).returncode == 0
        gd.tamper(lab, gd.OWN[0])
        if options:
            until_escaped(blast)
        guard.signal(signal.SIGCONT)
        found = guard.until("notices to be missed", lost=lambda count: count >= 1)
        assert found["state"] == "holding", found
        wait_for(lambda: state(lab) == "policy", SECONDS, "the policy")
        nothing_more_escapes(blast)
        group, tally = "watched" if options else "owned", blast.tally()
        say(f"notices lost, {group}: {tally.escapes} escaped")
        TAMPERING.add("notices lost, while stopped", group, "put right" if options else "kept",
                      tally.total, tally.escapes, None)  # fmt: skip
        assert options or tally.escapes == 0


@pytest.mark.parametrize("options", [[], ["--no-own"]], ids=["owned", "watched"])
def test_changes_without_a_pause(lab: Lab, tmp_path: Path, say: Say, options: list[str]) -> None:
    """Foreign tables come and go as fast as one can, and rewrite."""
    with Guard(lab, tmp_path, *options) as guard, tr.Blast(lab, "nobody") as blast:
        for number in range(CHURN):
            gd.tamper(lab, gd.FOREIGN[number % len(gd.FOREIGN)])
        guard.until("them all", changes=lambda count: count >= CHURN / 2, state="holding")
        wait_for(lambda: state(lab) == "policy" and others(lab) == "", SECONDS, "peace")
        nothing_more_escapes(blast)
        found = guard.status()
        tally = blast.tally()
        say(f"{found['changes']} changes, {found['healed']} put right: {tally}")
        TAMPERING.add(f"{CHURN} tables that rewrite, at once", "watched" if options else "owned",
                      "removed *", tally.total, tally.escapes, None)  # fmt: skip
        assert found["state"] == "holding", found


def test_little_memory(lab: Lab, tmp_path: Path, say: Say) -> None:
    """From too little to begin with up to enough: in each case what was enforced is."""
    began = 0
    with tr.Blast(lab, "root") as blast:
        for megabytes in range(4, 64, 2):
            guard = Guard(lab, tmp_path, limit=megabytes << 20)
            guard.start(ready=False)
            wait_for(lambda: not guard.running() or _is_ready(guard), SECONDS, "an end or a beginning")
            if guard.running():
                began += 1
                result = tr.wall(lab, "apply", str(names.DEFAULT_POLICY))
                guard.signal(signal.SIGKILL)
                guard.wait()
                if result.returncode == 0 and began > 3:
                    break
            assert state(lab) in ("policy", tr.SEALED), guard.said()
        tally = blast.tally()
    say(f"up to {megabytes} MiB: {tally}")
    TAMPERING.add("begun with little memory", "owned", "kept", tally.total, tally.escapes, None)
    assert tally.escapes == 0
    assert began > 0
    _links_again(lab)


def _is_ready(guard: Guard) -> bool:
    try:
        return bool(guard.status())
    except (OSError, ValueError):
        return False


@pytest.mark.parametrize("options", [[], ["--no-own"]], ids=["owned", "watched"])
def test_memory_ends_in_the_middle(lab: Lab, tmp_path: Path, say: Say, options: list[str]) -> None:
    """It cannot even read what somebody has done. What cannot be looked at is not let be: first as
    much as can be is put right, then every link goes down."""
    tampering = gd.OWN[0] if options else gd.FOREIGN[0]
    with Guard(lab, tmp_path, *options) as guard, tr.Blast(lab, tampering.user) as blast:
        guard.until("the proof", judgement="proved")
        guard.limit_memory(0)
        assert gd.tamper(lab, Tampering("", f"{tampering.commands}\n{_large_table()}", True)).returncode == 0
        guard.until("everything to be shut", state="shut")
        assert _up(lab) == []
        before = blast.tally()
        guard.limit_memory(None)
        put(lab)
        assert guard.status()["state"] == "holding" and guard.running()
        assert state(lab) == "policy"
        _links_again(lab)
        nothing_more_escapes(blast)
        say(f"no more memory, {'watched' if options else 'owned'}: {before}")
        TAMPERING.add("memory ends, and tampering", "watched" if options else "owned",
                      "all shut" if options else "all shut *", before.total, before.escapes,
                      None)  # fmt: skip


def _large_table() -> str:
    """That only forbids, and takes much to be read."""
    elements = ", ".join(f"10.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}" for n in range(MANY_ELEMENTS))
    return ("table ip large {\n set s {\n type ipv4_addr\n"
            f"elements = {{ {elements} }}\n}}\n}}")  # fmt: skip


@pytest.fixture
def group() -> Iterator[memory.Group]:
    with memory.group(lab_name("-guard")) as found:
        if not found:
            why = "not available here: control groups for memory"
            TAMPERING.note(f"out of memory: {why}")
            pytest.skip(why)
        yield found


def test_out_of_memory_the_proof_goes_first(lab: Lab, tmp_path: Path, group: memory.Group) -> None:
    """The kernel ends what proves, and the guard goes on; when there is memory again it is proved."""
    with Guard(lab, tmp_path) as guard, tr.Blast(lab, "nobody") as blast:
        guard.until("the proof", judgement="proved")
        group.limit(LITTLE_MEMORY)
        group.add(guard.pid)
        _only_looks(lab)
        guard.until("the proof to be ended", judgement="none")
        assert group.kills() >= 1 and guard.running()
        assert "the proof ended without an answer" in guard.said()
        assert gd.tamper(lab, gd.OWN[0]).returncode == 0
        nothing_more_escapes(blast)
        assert state(lab) == "policy" and guard.status()["owned"] is True
        group.limit(None)
        _only_looks(lab)
        guard.until("the proof again", judgement="proved")
        tally = blast.tally()
        assert tally.escapes == 0
        TAMPERING.add("proof out of memory", "owned", "kept", tally.total, tally.escapes, None)


def _only_looks(lab: Lab) -> None:
    """A foreign table that changes nothing, and is not there for long: a reason to prove again."""
    gd.tamper(lab, Tampering("", "add table ip looks\ndelete table ip looks", False))


def test_out_of_memory_the_guard_is_killed(lab: Lab, tmp_path: Path, group: memory.Group,
                                           say: Say) -> None:  # fmt: skip
    """In the middle of a request. Started again, as systemd does it, it has what there was."""
    with tr.Blast(lab, "root") as blast:
        with Guard(lab, tmp_path) as guard:
            guard.until("the proof", judgement="proved")
            group.limit(LITTLE_MEMORY)
            group.add(guard.pid)
            assert requests.hand_over(requests.socket_of(lab), bytes(8 * LITTLE_MEMORY), sealed=True) == b""
            assert guard.wait() == -signal.SIGKILL
            assert group.kills() >= 1
        sends(blast)
        with Guard(lab, tmp_path) as guard:
            found = guard.status()
            assert (found["owned"], found["changes"], found["state"]) == (True, 0, "holding")
            assert gd.tamper(lab, gd.OWN[1]).returncode != 0
        tally = blast.tally()
    say(f"killed for want of memory: {tally}")
    TAMPERING.add("guard out of memory", "owned", "kept", tally.total, tally.escapes, None)
    assert tally.escapes == 0 and tally.drops == 0
    assert state(lab) == "policy"


def test_it_does_nothing_when_nothing_happens(lab: Lab, tmp_path: Path, say: Say) -> None:
    """However many packets are refused: that is the kernel's work."""
    with Guard(lab, tmp_path) as guard, tr.Blast(lab, "nobody") as blast:
        guard.until("the proof", judgement="proved")
        before, sent = guard.ticks(), blast.tally().total
        wait_for(lambda: blast.tally().total > sent + IDLE_PACKETS, SECONDS, "many packets")
        ticks, tally = guard.ticks() - before, blast.tally()
        text = f"idle: {ticks} clock ticks while {tally.total - sent:,} packets were refused"
        say(text)
        TAMPERING.note(text)
        assert ticks <= IDLE_TICKS and tally.escapes == 0
        # The anti-test: what it does is seen by this.
        wait_for(lambda: gd.tamper(lab, gd.FOREIGN[0]).returncode == 0
                 and guard.ticks() > before + ticks + IDLE_TICKS, SECONDS, "it to have worked")  # fmt: skip
