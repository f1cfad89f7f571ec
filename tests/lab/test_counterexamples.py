# SPDX-License-Identifier: GPL-3.0-or-later
"""Lethe's own rules with one mistake, as a hand or a program could make it. The proof must find each,
and its packet must do in the kernel what the proof says of it: what is let pass is seen where it
should never come, what is blocked is not seen where it should, what is refused otherwise is answered
otherwise. Under Lethe's rules the same packet does the contrary.

Output and egress each judge what leaves. A mistake in one of them lets nothing out, but is found: to
see it, the other is opened for the one packet, by a mark. So is output for a packet that input judges.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import pytest

from labkit import names, netns
from labkit.pair import ICMP, TCP, Answer, Pair, Sight, Spec, pair

TOR, AMNESIA, CLEARNET, NAMESPACE, NOBODY = (
    names.user(name).uid
    for name in ("debian-tor", "amnesia", "clearnet", "clearnet-net", "nobody")
)
WAY = 0x4C45  # the mark for which a hook is opened
IP_TRANSPARENT = 19
OTHER_PORT = 9041


def both(text: str) -> str:
    """In the tables of both hooks by which packets leave."""
    return "\n".join(text.format(table) for table in ("inet lethe", "netdev lethe"))


def instead(name: str, old: str, new: str) -> str:
    """Of a set, in the place of an element: what is sure to be no larger has no room for more."""
    return (f"delete element {{0}} {name} {{{{ {old} }}}}\n"
            f"add element {{0}} {name} {{{{ {new} }}}}")  # fmt: skip


def into(chain: str, rule: str, frames: str = "") -> str:
    """@rule before all others of a chain; with @frames, of a chain at the devices, too."""
    text = f"insert rule inet lethe {chain} {rule}"
    return f"{text}\ninsert rule netdev lethe {frames} {rule}" if frames else text


def replaced(chain: str, old: str, new: str) -> Callable[[Pair], str]:
    """In the place of a rule of the table inet, found by a part of its text, another one at the
    chain's beginning; "": none. (nft's own replacement: see Wire.nft.)"""

    def commands(wire: Pair) -> str:
        listing = wire.listing("chain", "inet", "lethe", chain)
        found = re.findall(rf"^.*{re.escape(old)}.* # handle (\d+)$", listing, re.MULTILINE)
        assert len(found) == 1, f"{old!r} is not one rule of\n{listing}"
        gone = f"delete rule inet lethe {chain} handle {found[0]}"
        return f"{gone}\ninsert rule inet lethe {chain} {new}" if new else gone

    return commands


def opened_forward(wire: Pair) -> str:
    gone = replaced("forward", "drop", "")(wire)
    return f"{gone}\nadd chain inet lethe forward {{ policy accept; }}"


@dataclass(frozen=True)
class Mutant:
    fault: str  # the worst, as lethe-proof names it; "": it must say that it proves nothing
    commands: str | Callable[[Pair], str]


MUTANTS = {
    "a user's packets are accepted": Mutant(
        "leak", into("output", f"meta skuid {AMNESIA} accept", "ipv4_frames")),
    "the same in the output hook alone": Mutant(
        "leak", into("output", f"meta skuid {AMNESIA} accept")),
    "the same at the devices alone": Mutant(
        "leak", f"insert rule netdev lethe ipv4_frames meta skuid {AMNESIA} accept"),
    "nothing at the devices": Mutant("leak", "delete table netdev lethe"),
    "one network too many in the LAN": Mutant(
        "leak", both("add element {} net_private {{ 11.0.0.0/8 }}")),
    "a port of name lookups is open in the LAN": Mutant(
        "leak", both("add element {} lan_udp {{ 53 }}")),
    "a user has the place of another": Mutant(
        "leak", both(instead("remote_users", f"{NAMESPACE} : goto user_{NAMESPACE}",
                             f"{NOBODY} : goto user_{NAMESPACE}"))),
    "a mark opens everything": Mutant("leak", into("output", "meta mark 0x51 accept", "egress")),
    "packets of connections are accepted": Mutant(
        "leak", into("output", "ct state established accept")),
    "another user has a local service": Mutant(
        "leak", instead("services", f"{AMNESIA} . udp . 53 : accept",
                        f"{CLEARNET} . tcp . 9062 : accept").format("inet lethe")),
    "another ICMP type on loopback": Mutant(
        "leak", instead("icmp_errors", "parameter-problem", "echo-request").format("inet lethe")),
    "a port is open to the outside": Mutant("leak", into("input", "tcp dport 22 accept")),
    "every segment belongs to a connection": Mutant(
        "leak", replaced("input", "belongs to a connection",
                         "iif != lo tcp flags & (fin | syn | rst | ack) != syn accept")),
    "a comparison is negated": Mutant(
        "leak", replaced("output", "F8: IPv6 is blocked", "oif != lo meta nfproto ipv4 goto refuse")),
    "packets are forwarded": Mutant("leak", opened_forward),
    "frames on loopback past the IP stack": Mutant("leak", "insert rule netdev lethe loopback accept"),
    "frames of any other kind": Mutant(
        "leak", "insert rule netdev lethe egress meta protocol 0x0842 accept"),
    "a stranger's table translates addresses": Mutant(
        "rewrites", "table ip stranger { chain output { type nat hook output priority -100; "
        f"meta skuid {TOR} tcp dport 443 dnat to {names.ROUTER_ADDRESS}; }}; }}"),
    "a stranger's table sets the destination": Mutant(
        "rewrites", "table ip stranger { chain output { type filter hook output priority 5; "
        f"meta skuid {TOR} ip daddr set {names.ROUTER_ADDRESS}; }}; }}"),
    "a stranger's table drops": Mutant(
        "blocks", "table inet stranger { chain output { type filter hook output priority 5; "
        f"meta skuid {TOR} drop; }}; }}"),
    "one network too few of the Internet": Mutant(
        "blocks", "delete element inet lethe net_internet { 192.169.0.0-223.255.255.255 }"),
    "a user's grants are forgotten": Mutant(
        "blocks", f"delete element inet lethe remote_users {{ {CLEARNET} : goto user_{CLEARNET} }}"),
    "a user's local service is forgotten": Mutant(
        "blocks", "delete element inet lethe services { 0 . tcp . 9062 : accept }"),
    "answers are not let in": Mutant("blocks", replaced("input", "answers what this host", "")),
    "refused in silence": Mutant("manner", into("refuse", "drop")),
    "refused by an ICMP error": Mutant(
        "manner", replaced("refuse", "tcp reset", "meta l4proto tcp reject")),
    "refused in silence on loopback": Mutant("manner", into("refuse_local", "drop")),
    "another port of the proxy": Mutant(
        "proxies", replaced("prerouting", "tproxy", 'iif "lo" meta l4proto tcp ip daddr '
                            f"{names.AUTOMAP_PREFIX} tproxy ip to 127.0.0.1:{OTHER_PORT} accept")),
    "a user's protocol is negated": Mutant(
        "leak", into("user_64000", "meta l4proto != tcp accept", "user_64000")),
    "one packet in a second passes": Mutant("leak", into("output", "limit rate 1/second accept")),
    "an answer is expected for an hour": Mutant(
        "", "add element inet lethe answers "
        f"{{ {names.WEB_ADDRESS} . 443 . 40000 timeout 1h }}"),
    "a part of the packet that nobody knows decides": Mutant(
        "", into("output", "tcp option maxseg size 1000 accept")),
}  # fmt: skip


def ask(wire: Pair, spec: Spec) -> None:
    """Send what @spec would be the answer to, so that it is expected."""
    swapped = {"src": spec["dst"], "dst": spec["src"], "sport": spec.get("dport"),
               "dport": spec.get("sport"), "expected": None, "socket": None,
               "owner": str(CLEARNET), "routed": ""}  # fmt: skip
    question = spec.but(**swapped)
    question.path = "output"
    if spec.number("proto") == ICMP:
        question["type"] = "8"
    assert wire.send(question).escaped


@contextmanager
def transparent(wire: Pair, spec: Spec) -> Iterator[None]:
    """Somebody listens where the mutant's transparent proxy should."""
    with ExitStack() as stack:
        if spec.get("socket") == "transparent":
            proxy = stack.enter_context(netns.run_in(wire.host, socket.socket))
            proxy.setsockopt(socket.IPPROTO_IP, IP_TRANSPARENT, 1)
            proxy.bind(("127.0.0.1", OTHER_PORT))
            proxy.listen()
        yield


def try_it(wire: Pair, answer: Answer, opened: str = "") -> Sight:
    """Send the proof's packet, with what else must hold for it. @opened: the hook that is not to
    judge it."""
    spec, needs = answer.spec, answer.needs
    mark = needs.mark or (WAY if opened else 0)
    if needs.established:
        opener = spec.but(owner=str(TOR))
        wire.converse(opener.but(flags="0x2") if spec.number("proto") == TCP else opener)
    if opened == "output":
        wire.nft(f"insert rule inet lethe output meta mark {mark} accept")
    if opened == "egress" and spec.path == "forward":  # a mark does not come over the wire
        wire.nft(f"insert rule netdev lethe egress ip saddr {spec['src']} accept")
    elif opened == "egress":
        wire.nft(f"insert rule netdev lethe egress meta mark {mark} accept")
    if "expected" in spec:
        ask(wire, spec)
    with transparent(wire, spec):
        if spec.get("socket") == "transparent":
            spec = spec.but(socket=None)
        return wire.send(spec, mark, needs.octets)


def other_hook(spec: Spec) -> str:
    """What judges the packet beside the hook that its example speaks of."""
    if spec.path == "input" and spec.local:
        return "output"
    if spec.path == "frame" and "routed" in spec:
        return "output"
    return "egress" if spec.path in ("output", "forward") and not spec.local else ""


def outcome(sight: Sight) -> tuple[bool, str, str]:
    """What became of it: everything by which the policy's outcomes differ."""
    destination = sight.words[0].rpartition(" -> ")[2] if sight.words else ""
    return sight.escaped, sight.answer, destination


def seen_with(commands: str, answer: Answer, opened: str = "") -> Sight:
    with pair("lethe") as wire:
        wire.nft(commands)
        sight = try_it(wire, answer, opened)
    assert sight.status in (0, 1), f"{sight.said}: {answer.told}"
    return sight


@pytest.mark.parametrize("name", MUTANTS)
def test_the_counterexample_is_true(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    mutant = MUTANTS[name]
    with pair("lethe") as wire:
        commands = mutant.commands if isinstance(mutant.commands, str) else mutant.commands(wire)
        wire.nft(commands)
        answer = wire.prove()
    assert answer.answer == ("refuted" if mutant.fault else "not proved"), answer.told
    if not mutant.fault:
        with capsys.disabled():
            print(f"\n    {name}: {answer.answer}: {answer.why}", end="")
        return
    opened = ""
    sight, intact = seen_with(commands, answer), seen_with("", answer)
    if not is_true(answer, sight, intact):
        opened = other_hook(answer.spec)
        sight, intact = seen_with(commands, answer, opened), seen_with("", answer, opened)
    with capsys.disabled():
        print(f"\n    {name}: {answer.fault}: {answer.told['example']['packet']}"
              f"\n        {sight}{f' (with {opened} opened)' if opened else ''}"
              f"\n        Lethe: {intact}", end="")  # fmt: skip
    assert answer.fault == mutant.fault, answer.told
    assert is_true(answer, sight, intact), answer.told


def is_true(answer: Answer, sight: Sight, intact: Sight) -> bool:
    """Did the kernel do with the packet what the proof says of the mutant, and of Lethe's rules?"""
    if answer.fault == "leak":
        return sight.escaped and not intact.escaped
    if answer.fault == "blocks":
        return not sight.escaped and intact.escaped
    if answer.fault == "manner":
        return not sight.escaped and not intact.escaped and sight.answer != intact.answer
    return sight.escaped and outcome(sight) != outcome(intact)


def test_the_mutants_are_loaded_over_rules_that_are_proved() -> None:
    """Nothing that a test does beside its mutant is what is refuted."""
    with pair("lethe") as wire:
        assert wire.prove().answer == "proved"
