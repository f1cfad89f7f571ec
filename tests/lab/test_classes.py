# SPDX-License-Identifier: GPL-3.0-or-later
"""A real packet for every class of a policy. The policy's evaluator, the model of the rules that
were read back, and the kernel say the same of each: of every user's and of nobody's, of segments
with every combination of flags, on the way out, to a device, in, through, to the transparent proxy;
and so of what the kernel makes by itself.

The detectors come last: where the rules are not the policy's, where the model is not the kernel's,
and where what is seen in two places does not fit together, that is found.
"""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from labkit import names
from labkit.classes import Classes, Result, classes

PATHS = ("output", "frame", "input", "forward")
NFT = ["timeout", "60", "nft"]
UNREACHED = "the kernel drops it before the hook"

# What cannot be sent, because it cannot be; tests/lab/classes.h says why.
NEVER = {
    "a label of 0 is replaced by the header's",
    "no socket has port 0",
    "no IPv6 socket has an address of IPv4",
    "no TCP socket has the address of a group",
    "nobody may ask for this answer",
}

# What the kernel makes by itself, and what becomes of it where the LAN and the Internet are reached.
MADE = {
    "tcp none,ack unowned, output: passed",  # of a closed socket: what was queued
    "tcp fin,ack unowned, output: passed",
    "tcp rst unowned, output: blocked",  # data for a connection that was closed
    "tcp rst,ack owned, output: passed",  # closed without having read all
    "tcp syn,ack owned, output on lo: passed",  # by the listener
    "tcp rst,ack unowned, output on lo: passed",
    "icmp type 3 unowned, output on lo: passed",
    "igmp unowned, output: blocked",
    "icmpv6 type 143 unowned, output: blocked",
    "arp 1 unowned, frame: passed",
}

_numbers = itertools.count()

Policies = dict[str, Path]


@pytest.fixture(scope="module")
def policies(tmp_path_factory: pytest.TempPathFactory) -> Policies:
    """The shipped policy; its strict variant; and one that grants nothing but to some."""
    folder = tmp_path_factory.mktemp("policies")
    shipped = names.DEFAULT_POLICY.read_text(encoding="utf-8")
    strict = shipped
    for line, other in (("lan private open", "lan private closed"),
                        ("allow amnesia to loopback", "# nothing for amnesia")):  # fmt: skip
        assert strict.count(f"\n{line}") == 1
        strict = strict.replace(f"\n{line}", f"\n{other}")
    strict += ("network printer = 192.168.1.50\nallow amnesia to printer over tcp 631 9100\n"
               "allow amnesia to service socks\nservice onionshare tcp 17600-17650 for amnesia\n"
               "allow root to private over icmp\n")  # fmt: skip
    bare = "lethe-policy 1\ndefault drop\nipv6 blocked\n"
    for name, content in (("shipped", shipped), ("strict", strict), ("bare", bare)):
        (folder / name).write_text(content, encoding="utf-8")
    return {name: folder / name for name in ("shipped", "strict", "bare")}


@pytest.fixture
def enforced(policies: Policies) -> Iterator[Callable[[str], Classes]]:
    """Namespaces in which a policy is enforced, and packets can be sent once."""
    made = []

    def enforce(name: str) -> Classes:
        made.append(classes(f"classes{os.getpid()}-{next(_numbers)}", policies[name]))
        return made[-1].__enter__()

    yield enforce
    for one in made:
        one.__exit__(None, None, None)


def nft(host: Classes, *words: str) -> str:
    result = host.run([*NFT, *words])
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.mark.parametrize("name", ("shipped", "strict", "bare"))
def test_policy_model_and_kernel_agree_on_every_class(
    enforced: Callable[[str], Classes], policies: Policies, name: str,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    result = enforced(name).send(policies[name])
    told = result.told
    with capsys.disabled():
        print(f"\n    {name}: {told['sent']:,} of {told['classes']:,} classes sent: "
              + ", ".join(f"{path} {told['paths'][path]['sent']:,}" for path in PATHS)
              + f"; {told['answered']:,} refusals seen; {told['disagreements']}", end="")  # fmt: skip
    assert set(told["disagreements"].values()) == {0}, result.said
    assert result.exit == 0
    unsent = {reason: count for reason, count in told["unsent"].items() if count}
    assert set(unsent) <= NEVER, unsent
    assert sum(unsent.values()) == told["classes"] - told["sent"]
    assert told["sent"] > told["classes"] * 0.99
    for path in PATHS:
        assert told["paths"][path]["sent"] > 100
        assert told["paths"][path]["passed"] > 0 or path == "forward"
    assert told["paths"]["forward"]["passed"] == 0
    assert told["answered"] > 500
    assert told["proxied"] == (name != "bare")
    assert name == "bare" or MADE <= set(told["made"]), MADE - set(told["made"])


# ---- the detectors ------------------------------------------------------------------------------


def only_the_policy_differs(result: Result) -> None:
    assert result.exit == 1
    assert result.disagreements("policy") > 0
    assert result.disagreements("rules") == 0, result.said
    assert result.disagreements("witnesses") == 0, result.said


def test_an_element_too_many_is_found(enforced: Callable[[str], Classes],
                                      policies: Policies) -> None:  # fmt: skip
    host = enforced("shipped")
    nft(host, "add element inet lethe net_private { 11.0.0.0/8 }")
    result = host.send(policies["shipped"])
    only_the_policy_differs(result)
    assert "-> 11.0.0.0" in result.said


def test_a_rule_too_few_is_found(enforced: Callable[[str], Classes], policies: Policies) -> None:
    host = enforced("shipped")
    listing = nft(host, "--handle", "list", "chain", "inet", "lethe", "input")
    handle = re.search(r"answers this host's echo request.*# handle (\d+)", listing)
    assert handle
    nft(host, f"delete rule inet lethe input handle {handle[1]}")
    result = host.send(policies["shipped"])
    only_the_policy_differs(result)
    assert "expected: accept" in result.said


@pytest.mark.parametrize(
    ("chain", "found"),
    [
        ("netdev lethe loopback", "frame on lo, unrouted: drop"),
        ("netdev lethe ipv4_frames", "frame: drop"),
        ("inet lethe refuse", "output: reset"),
        ("inet lethe input", "input on lo: drop"),
        ("inet lethe forward", "forward: drop"),
    ],
)
def test_another_verdict_is_found(enforced: Callable[[str], Classes], policies: Policies,
                                  chain: str, found: str) -> None:  # fmt: skip
    host = enforced("shipped")
    nft(host, f"insert rule {chain} accept")
    result = host.send(policies["shipped"])
    only_the_policy_differs(result)
    assert found in result.said


def test_a_packet_that_the_kernel_makes_is_found(enforced: Callable[[str], Classes],
                                                 policies: Policies) -> None:  # fmt: skip
    """A rule for an address that no class has, to which the kernel itself sends."""
    host = enforced("shipped")
    nft(host, "insert rule inet lethe output ip daddr 224.0.0.22 accept")
    result = host.send(policies["shipped"])
    only_the_policy_differs(result)
    assert "igmp with IP options 192.168.1.2 -> 224.0.0.22 without owner, output" in result.said


def test_rules_of_another_policy_are_found(enforced: Callable[[str], Classes],
                                           policies: Policies) -> None:  # fmt: skip
    only_the_policy_differs(enforced("shipped").send(policies["strict"]))


@pytest.mark.parametrize("chain", ("user_64000", "refuse_local", "loopback"))
def test_a_wrong_model_is_found(enforced: Callable[[str], Classes], policies: Policies,
                                chain: str) -> None:  # fmt: skip
    result = enforced("shipped").send(policies["shipped"], "--forget", chain)
    assert result.exit == 1
    assert result.disagreements("rules") > 0
    assert result.disagreements("policy") == 0, result.said
    assert result.disagreements("witnesses") == 0, result.said


@pytest.mark.parametrize("hook", ("output", "input"))
def test_a_stranger_who_judges_is_found(enforced: Callable[[str], Classes], policies: Policies,
                                        hook: str) -> None:  # fmt: skip
    """What is in no model of Lethe's rules, and drops what these let through."""
    host = enforced("shipped")
    nft(host, f"table inet stranger {{ chain {hook} {{ type filter hook {hook} priority 5; "
              "policy drop; }; }")  # fmt: skip
    result = host.send(policies["shipped"])
    assert result.exit == 1
    assert result.disagreements("policy") > 0
    assert result.disagreements("rules") > 0


def test_witnesses_who_contradict_each_other_are_found(enforced: Callable[[str], Classes],
                                                       policies: Policies) -> None:  # fmt: skip
    """Lost behind the last hook that is watched: seen there, and not at the other end."""
    host = enforced("shipped")
    nft(host, 'table netdev stranger { chain egress { type filter hook egress device "eth0" '
              "priority 20; policy drop; }; }")  # fmt: skip
    result = host.send(policies["shipped"])
    assert result.exit == 1
    assert result.disagreements("witnesses") > 0
    assert "it did not come out" in result.said
