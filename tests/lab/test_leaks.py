# SPDX-License-Identifier: GPL-3.0-or-later
"""The leak matrix on rules with known holes: each hole shows in exactly the cells that it opens.

So the matrix neither misses a leak nor blames what is tight. What Lethe itself does is judged in
test_leaks_wall.py.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from labkit import leaks, local_matrix, matrix, names, probes, rules
from labkit.lab import Lab
from labkit.local_clients import HANGS as LOCAL_HANGS, REACHED, REFUSED
from labkit.matrix import HANGS, LEAK, LOST, PAST
from labkit.promise import BLOCKED, OUT, USERS, promise, zone
from labkit.probes import ProbeClass

BASE = names.FIXTURES / "stateless.nft"
# Known of the rules in BASE: they name their device.
KNOWN = {("device-plugged", names.ROOT): LEAK, ("device-plugged-syn", names.ROOT): LEAK}

Bad = dict[tuple[str, str], str]
# Is this cell expected to turn bad, and how?
Expect = Callable[[ProbeClass, str, matrix.Matrix], str | None]


@pytest.fixture(scope="module")
def plain() -> Iterator[Lab]:
    """A lab without Tor: nothing but the probes is on the wire."""
    lab = Lab(f"leaks{os.getpid()}")
    lab.up(tor=False)
    yield lab
    lab.down()


def load(lab: Lab, tmp_path: Path, edits: list[tuple[str, str]]) -> None:
    """BASE with every occurrence of some text replaced. An edit that changes nothing is a mistake
    of the test."""
    text = BASE.read_text(encoding="utf-8")
    for old, new in edits:
        assert old in text, f"{BASE.name} does not say {old!r}"
        text = text.replace(old, new)
    path = tmp_path / "edited.nft"
    path.write_text(text, encoding="utf-8")
    rules.apply(lab, str(path))


def bad_cells(result: matrix.Matrix) -> Bad:
    return {(cell.probe, cell.user): cell.status for cell in result.bad}


def is_blocked(entry: ProbeClass, user: str) -> bool:
    return promise(entry.traffic, user) == BLOCKED


def is_frame(entry: ProbeClass) -> bool:
    return entry.name.startswith("packet-")


def has_options(entry: ProbeClass) -> bool:
    return "-options-" in entry.name or entry.name in ("raw-udp-route", "raw-udp-alert")


# ---- no ruleset ---------------------------------------------------------------------------------


def test_without_rules_every_probe_is_seen(plain: Lab) -> None:
    rules.apply(plain, "none")
    result = matrix.run(plain, judge_refusals=False)
    unseen = [cell for cell in result.cells.values() if not cell.seen]
    assert not unseen
    assert not result.unsupported
    expected = sum(len(entry.users or USERS) for entry in probes.table())
    assert len(result.cells) == expected
    statuses = {cell.status for cell in result.cells.values() if cell.promise == BLOCKED}
    assert statuses == {LEAK, PAST}
    assert all(cell.status == matrix.PASSED for cell in result.cells.values()
               if cell.promise == OUT)
    assert not result.kept


def test_without_rules_every_local_service_is_reached(plain: Lab) -> None:
    rules.apply(plain, "none")
    local = local_matrix.run(plain)
    automap = [check for check in local.checks if check.row.startswith("automap")]
    assert {check.got for check in local.checks if check not in automap} == {REACHED}
    # Nothing diverts to the transparent proxy: nobody listens there, or somebody else does.
    assert {check.row: check.got for check in automap} == {
        "automap 127.192.5.7:80": REFUSED, "automap 127.255.255.254:443": REFUSED,
        "automap 127.200.1.1:20000": "another listener"}


# ---- rules that hold ----------------------------------------------------------------------------


def test_the_handwritten_rules_hold_but_for_what_is_known(plain: Lab, tmp_path: Path) -> None:
    load(plain, tmp_path, [])
    result = matrix.run(plain)
    assert bad_cells(result) == KNOWN
    assert not result.strays
    local = local_matrix.run(plain)
    assert not local.bad


# ---- holes in what leaves -----------------------------------------------------------------------


def _lan_dns(entry: ProbeClass, user: str, _: matrix.Matrix) -> str | None:
    traffic = entry.traffic
    opened = (traffic.layer == "ipv4" and traffic.protocol in ("tcp", "udp") and traffic.port == 53
              and zone(traffic.destination) == "lan" and not has_options(entry))
    return LEAK if opened and is_blocked(entry, user) else None


def _frames(entry: ProbeClass, user: str, _: matrix.Matrix) -> str | None:
    # The kernel's own tunnel sends through the IP stack.
    opened = is_frame(entry) or (entry.name.startswith("device-") and entry.name != "device-vxlan"
                                 and not entry.beyond)
    return LEAK if opened and is_blocked(entry, user) else None


def _ipv6(entry: ProbeClass, user: str, _: matrix.Matrix) -> str | None:
    return LEAK if entry.traffic.layer == "ipv6" else None


def _udp(entry: ProbeClass, user: str, _: matrix.Matrix) -> str | None:
    traffic = entry.traffic
    opened = (traffic.layer == "ipv4" and traffic.protocol == "udp" and not has_options(entry)
              and traffic.owner != "(no owner)" and not entry.beyond)
    return LEAK if opened and is_blocked(entry, user) else None


_NOT_OPENING = {"raw-tcp-ack", "raw-tcp-rst", "raw-tcp-fin", "raw-tcp-synack", "raw-tcp-null",
                "raw-tcp-xmas", "raw-tcp-synfin", "raw-tcp-ack-lan-53", "packet-tcp-ack"}


def _not_opening(entry: ProbeClass, user: str, _: matrix.Matrix) -> str | None:
    # Frames too that no namespace's owner match can see.
    opened = entry.name in _NOT_OPENING or entry.name in ("device-macvlan-ns-ack",
                                                          "device-bridge-ack")
    return LEAK if opened and is_blocked(entry, user) else None


def _nobody(entry: ProbeClass, user: str, result: matrix.Matrix) -> str | None:
    """The user gets what clearnet gets."""
    if user != names.NOBODY or entry.traffic.owner or entry.beyond or not is_blocked(entry, user):
        return None
    return LEAK if result.cells[entry.name, names.CLEARNET].seen else None


def _tor(entry: ProbeClass, user: str, _: matrix.Matrix) -> str | None:
    traffic = entry.traffic
    own = (traffic.owner or user) == names.DEBIAN_TOR and traffic.protocol == "tcp"
    lost = own and promise(traffic, user) == OUT and zone(traffic.destination) == "internet"
    return LOST if lost and not entry.beyond else None


def _silent(entry: ProbeClass, user: str, _: matrix.Matrix) -> str | None:
    silent = entry.refused_at_once and entry.traffic.layer == "ipv4"
    return HANGS if silent and is_blocked(entry, user) else None


def _arp(entry: ProbeClass, user: str, _: matrix.Matrix) -> str | None:
    return LEAK if entry.name == "packet-arp" and is_blocked(entry, user) else None


def _resets(entry: ProbeClass, user: str, _: matrix.Matrix) -> str | None:
    return LEAK if entry.name == "raw-tcp-forged" and is_blocked(entry, user) else None


def _groups(entry: ProbeClass, user: str, _: matrix.Matrix) -> str | None:
    return LEAK if entry.name in ("igmp-join", "igmp-raw") else None


# The kernel reads ports and flags of later fragments too, where they have neither.
_FLAGS = "ip frag-off & 0x1fff == 0 tcp flags & (fin | syn | rst | ack) != syn accept"
HOLES: dict[str, tuple[list[tuple[str, str]], Expect]] = {
    "LAN DNS is open": ([("{ 53, 853,", "{ 853,")], _lan_dns),
    "no egress chain": ([('device "eth0" priority filter; policy drop;',
                          'device "eth0" priority filter; policy drop; accept')], _frames),
    "IPv6 is forgotten": ([("meta nfproto ipv6 meta l4proto tcp reject with tcp reset",
                            "meta nfproto ipv6 accept"),
                           ("ether type ip goto ipv4", "ether type ip6 accept\n"
                                                       "ether type ip goto ipv4")], _ipv6),
    "UDP is open": ([("ip hdrlength > 5 goto refuse",
                      "ip hdrlength > 5 goto refuse\nmeta l4proto udp accept"),
                     ("ip hdrlength > 5 drop", "ip hdrlength > 5 drop\nmeta l4proto udp accept")],
                    _udp),
    "what opens nothing passes": ([("meta skuid >= 0 goto owned", f"{_FLAGS}\n"
                                    "meta skuid >= 0 goto owned")], _not_opening),
    "one user too many": ([("{ 64002, 64003, 64008 }", "{ 64002, 64003, 64008, 65534 }")], _nobody),
    "Tor's grant is missing": ([("meta skuid 64000 meta l4proto tcp ip daddr",
                                 "meta skuid 65000 meta l4proto tcp ip daddr")], _tor),
    "refused in silence": ([("meta l4proto tcp fib saddr type local reject with tcp reset",
                             "drop")], _silent),
    "ARP by anybody": ([("\t\tmeta skuid 0 accept\n\t\tdrop", "\t\taccept")], _arp),
    "resets to anybody": ([("fib saddr type local reject", "reject")], _resets),
    "IGMP passes": ([("meta skuid >= 0 goto owned\n\t\ttcp",
                      "meta l4proto igmp accept\nmeta skuid >= 0 goto owned\n\t\ttcp"),
                     ("meta skuid >= 0 goto owned\n\t\tmeta",
                      "meta l4proto igmp accept\nmeta skuid >= 0 goto owned\n\t\tmeta")], _groups),
}


@pytest.mark.parametrize("hole", HOLES)
def test_a_hole_shows_where_it_is_and_nowhere_else(plain: Lab, tmp_path: Path, hole: str) -> None:
    edits, expect = HOLES[hole]
    load(plain, tmp_path, edits)
    result = matrix.run(plain)
    expected = dict(KNOWN)
    for entry in result.classes:
        for user in USERS:
            status = expect(entry, user, result) if (entry.name, user) in result.cells else None
            if status:
                expected[entry.name, user] = status
    assert len(expected) > len(KNOWN), "the hole opens nothing"
    assert bad_cells(result) == expected
    assert not result.kept


# ---- holes in what is reached -------------------------------------------------------------------


def _own(check: local_matrix.Check) -> str | None:
    if check.row in ("udp printer", "ping printer"):
        return REFUSED  # the hole comes before answers are noted as expected
    if check.promised != REFUSED or " at 192.168.1." not in check.row or check.user == names.GUEST:
        return None
    # Let out by the hole, and still not let in.
    return LOCAL_HANGS if check.row.startswith("udp 5353") else REACHED


def _inbound(check: local_matrix.Check) -> str | None:
    return REACHED if check.user == names.GUEST or check.row.startswith("packet to") else None


def _automap(check: local_matrix.Check) -> str | None:
    return REACHED if check.row.startswith("automap") and check.promised == REFUSED else None


def _service(check: local_matrix.Check) -> str | None:
    wrong = check.user == names.CLEARNET and check.row.startswith("tcp 9050")
    return REACHED if wrong else None


def _no_answers(check: local_matrix.Check) -> str | None:
    return REFUSED if check.row in ("udp printer", "dns public") else None


def _no_pong(check: local_matrix.Check) -> str | None:
    return REFUSED if check.row == "ping printer" else None


def _local_silence(check: local_matrix.Check) -> str | None:
    local = check.row.startswith(("tcp ", "automap")) and check.user != names.GUEST
    return LOCAL_HANGS if local and check.promised == REFUSED else None


def _no_proxy(check: local_matrix.Check) -> str | None:
    if check.user != names.AMNESIA or not check.row.startswith("automap"):
        return None
    return "another listener" if check.row.endswith(":20000") else REFUSED


LOCAL_HOLES: dict[str, tuple[list[tuple[str, str]],
                             Callable[[local_matrix.Check], str | None]]] = {
    "own addresses are taken for the LAN": (
        [('oifname "lo" goto output_local', 'ip daddr @lan accept\noifname "lo" goto output_local')],
        _own),
    "input accepts": ([("hook input priority filter; policy drop;",
                        "hook input priority filter; policy accept;")], _inbound),
    "automap for everybody": ([("tcp dport 0-65535 meta skuid 64001 accept",
                                "tcp dport 0-65535 accept")], _automap),
    "one user too many for a service": ([("42 . 9050 : accept,",
                                          "42 . 9050 : accept, 64002 . 9050 : accept,")], _service),
    "answers are not expected": ([("ip saddr . udp dport @asked accept", "")], _no_answers),
    "echo replies are not expected": ([("icmp type echo-reply ip saddr . icmp id @pinged accept",
                                        "")], _no_pong),
    "refused in silence": ([("\t\tmeta l4proto tcp reject with tcp reset\n\t\tmeta nfproto ipv4",
                             "\t\tmeta l4proto tcp drop\n\t\tmeta nfproto ipv4")], _local_silence),
    "no transparent proxy": ([("tproxy ip to 127.0.0.1:9040 accept", "accept")], _no_proxy),
}


@pytest.mark.parametrize("hole", LOCAL_HOLES)
def test_a_local_hole_shows_where_it_is_and_nowhere_else(plain: Lab, tmp_path: Path,
                                                         hole: str) -> None:
    edits, expect = LOCAL_HOLES[hole]
    load(plain, tmp_path, edits)
    local = local_matrix.run(plain)
    expected = {(check.row, check.user): got for check in local.checks
                if (got := expect(check))}
    assert expected, "the hole opens nothing"
    assert {(check.row, check.user): check.got for check in local.bad} == expected


# ---- the command --------------------------------------------------------------------------------


def test_the_command_fails_without_rules_and_says_why(plain: Lab,
                                                      capsys: pytest.CaptureFixture[str]) -> None:
    assert leaks.main(["--name", plain.name, "none"]) == leaks.EXIT_BROKEN
    output = capsys.readouterr().out
    assert "LEAK" in output
    assert "\x1b[" not in output  # colour is for terminals
    assert "AF_XDP hands frames" in output


def test_the_command_loads_a_program(plain: Lab, tmp_path: Path,
                                     capsys: pytest.CaptureFixture[str]) -> None:
    program = tmp_path / "firewall"
    program.write_text(f"#!/bin/sh\nexec nft -f {BASE}\n", encoding="utf-8")
    program.chmod(0o755)
    assert leaks.main(["--name", plain.name, "--json", str(program)]) == leaks.EXIT_BROKEN
    import json

    answer = json.loads(capsys.readouterr().out)
    bad = {(cell["class"], cell["user"]) for cell in answer["matrix"]["cells"]
           if cell["status"] in matrix.BAD}
    assert bad == set(KNOWN)
    assert answer["local"]["kept"] is True


@pytest.mark.parametrize("ruleset", ("no-such-file", "lethe:no-such-file"))
def test_a_ruleset_that_is_not_there_is_wrong_use(plain: Lab, ruleset: str,
                                                  capsys: pytest.CaptureFixture[str]) -> None:
    assert leaks.main(["--name", plain.name, ruleset]) == leaks.EXIT_WRONG_USE
    assert "no-such-file" in capsys.readouterr().err


def test_a_ruleset_that_does_not_load_is_wrong_use(plain: Lab, tmp_path: Path,
                                                   capsys: pytest.CaptureFixture[str]) -> None:
    broken = tmp_path / "broken.nft"
    broken.write_text("table inet {", encoding="utf-8")
    assert leaks.main(["--name", plain.name, str(broken)]) == leaks.EXIT_WRONG_USE
    assert "broken.nft" in capsys.readouterr().err
