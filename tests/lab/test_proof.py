# SPDX-License-Identifier: GPL-3.0-or-later
"""lethe-proof as a person runs it: what it says, its exit status, and what it does not overlook."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from labkit import names, netns, rules
from labkit.pair import Pair, pair

PROVED, REFUTED, UNKNOWN, USAGE = 0, 1, 2, 2
PROGRAM = str(rules.wall().parents[1] / "proof" / "lethe-proof")


@pytest.fixture
def host() -> Iterator[Pair]:
    with pair("lethe") as made:
        yield made


def proof(host: Pair, *words: str) -> subprocess.CompletedProcess[str]:
    return host.run([PROGRAM, "--only-here", "--passwd", str(names.PASSWD), "--policy",
                     str(names.DEFAULT_POLICY), *words])  # fmt: skip


def test_the_shipped_policy_is_proved(host: Pair):
    result = proof(host, "check")
    assert result.returncode == PROVED, result.stdout + result.stderr
    assert result.stdout.startswith("Proved: ")
    told = json.loads(proof(host, "--json", "check").stdout)
    assert told["answer"] == "proved" and told["outside"] == [] and told["classes"] > 0
    assert proof(host, "--quiet", "check").stdout == ""


def test_the_claims_are_proved(host: Pair):
    result = proof(host, "claims")
    assert result.returncode == PROVED, result.stdout
    assert " 0 refuted, 0 not proved" in result.stdout


def test_a_leak_is_told_in_full(host: Pair):
    host.nft(f"insert rule inet lethe anyone ip daddr {names.WEB_ADDRESS} tcp dport 443 accept\n")
    result = proof(host, "check")
    assert result.returncode == REFUTED
    for part in ("Refuted: the kernel lets pass", "packet:", "policy:  refuse, by a reset",
                 "kernel:  accepted; table inet lethe, chain anyone, rule 1",
                 "sudo tests/lab/lab send output,"):  # fmt: skip
        assert part in result.stdout, result.stdout
    assert proof(host, "claims").returncode == REFUTED


def test_no_rules_are_refuted():
    with pair() as open_host:
        assert proof(open_host, "check").returncode == REFUTED
        assert proof(open_host, "claims").returncode == REFUTED


@pytest.mark.parametrize(("plant", "words"), [
    (["sysctl", "-qw", "net.ipv4.ip_forward=1"], "net/ipv4/ip_forward"),
    (["sysctl", "-qw", "net.ipv4.conf.eth0.route_localnet=1"], "route_localnet"),
    (["ip", "rule", "add", "fwmark", "1", "lookup", "100"], "rout"),
    (["ip", "link", "add", "br0", "type", "bridge"], "bridge"),
])  # fmt: skip
def test_what_lies_outside_the_rules_is_named(host: Pair, plant: list[str], words: str):
    assert host.run(plant).returncode == 0
    result = proof(host, "check")
    assert result.returncode == UNKNOWN, result.stdout
    assert words in result.stdout


def test_an_expression_that_is_not_known_is_named(host: Pair):
    """numgen in a map of verdicts is; a hash of the address is not."""
    host.nft("table inet stranger {\n chain out {\n type filter hook output priority 5;\n"
             " jhash ip saddr mod 2 seed 0x1 0 drop\n }\n}\n")  # fmt: skip
    result = proof(host, "check")
    assert result.returncode == UNKNOWN, result.stdout
    assert "'hash'" in result.stdout and "stranger" in result.stdout


def test_strangers_that_only_look_on_do_not_matter(host: Pair):
    host.nft("table inet stranger {\n chain out {\n type filter hook output priority 5;\n"
             " counter\n }\n}\n")  # fmt: skip
    assert proof(host, "check").returncode == PROVED


def test_a_device_where_nothing_is_enforced_is_named(host: Pair):
    """Another namespace with a name, and a device in it that is not ours to judge. What names there
    are is seen in a mount namespace of the test's own."""
    other = f"{names.NAMESPACE_PREFIX}proof-other"
    script = (f"mount -t tmpfs tmpfs /run/netns && ip netns add {other} && "
              f"ip -n {other} link add wg0 type ifb && exec \"$@\"")
    argv = ["unshare", "--mount", "--propagation", "private", "sh", "-euc", script, "sh", PROGRAM,
            "--passwd", str(names.PASSWD), "--policy", str(names.DEFAULT_POLICY), "check"]
    result = host.run(argv)
    assert result.returncode == UNKNOWN, result.stdout + result.stderr
    assert other in result.stdout and "not enforced" in result.stdout


def test_what_if_says_it_in_a_few_lines(host: Pair, tmp_path: Path):
    new = tmp_path / "new.conf"
    text = names.DEFAULT_POLICY.read_text(encoding="utf-8")
    new.write_text(text + "\nallow amnesia to 198.51.100.7 over tcp 443\n", encoding="utf-8")
    for old in ([], [str(names.DEFAULT_POLICY)]):
        result = proof(host, "what-if", str(new), *old)
        assert result.returncode == REFUTED, result.stdout + result.stderr
        assert "newly allowed: amnesia to 198.51.100.7" in result.stdout, result.stdout
    same = proof(host, "what-if", str(names.DEFAULT_POLICY), str(names.DEFAULT_POLICY))
    assert same.returncode == PROVED and "Nothing changes." in same.stdout


@pytest.mark.parametrize("words", [[], ["prove"], ["check", "a", "b"], ["what-if"], ["--never"]])
def test_wrong_usage(host: Pair, words: list[str]):
    assert proof(host, *words).returncode == USAGE


def test_a_wrong_policy_proves_nothing(host: Pair, tmp_path: Path):
    wrong = tmp_path / "wrong.conf"
    wrong.write_text("lethe-policy 1\nallow everybody\n", encoding="utf-8")
    result = proof(host, "check", str(wrong))
    assert result.returncode == UNKNOWN and "wrong.conf:2" in result.stderr


def test_without_rights_nothing_is_proved(host: Pair):
    assert netns.exists(host.host)
    result = host.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", PROGRAM,
                       "--only-here", "--policy", str(names.DEFAULT_POLICY), "check"])  # fmt: skip
    assert result.returncode == UNKNOWN, result.stdout + result.stderr
    assert "Proved" not in result.stdout
