# SPDX-License-Identifier: GPL-3.0-or-later
"""The guided tour: claim by claim, what is tried, what happened, and what was on the wire.

The last is what counts. Each step captures at the router what the host under test sent while it
ran, and knows where that may have gone: to Tor's relays, to the one place that the step is about,
or nowhere. One frame to anywhere else and the step has failed, whatever the program was told.

The host under test is the laboratory's own, or another one on its LAN: see Subject.
"""

from __future__ import annotations

import argparse
import errno
import ipaddress
import json
import os
import socket
import sys
import textwrap
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from . import client, judge, names, rules
from .capture import Capture, Frame
from .host import CLEARNET_NAMESPACE, HOST_NAMESPACE
from .lab import Lab, LabError
from .pair import Pair, pair

_QUICK = 3.0  # for what is dropped in silence
_RELAYS = {ipaddress.ip_address(names.PUBLIC_NODES[node]).packed for node in names.TOR_NODES}
_UNTORIFIED = f"seen from {names.ROUTER_PUBLIC}"  # what a server says of a direct connection


class Subject(Protocol):
    """A host under test, as the tour needs it."""

    device: str  # its network card
    address: str  # that card's IPv4 address
    second_address: str  # another one of its own
    link: str  # the router's end of its link, where is captured what it sends
    asks_dhcp: bool  # may it ask for an address while the tour goes on?

    def call(self, function: Callable[..., Any], *arguments: Any, user: str = names.ROOT,
             namespace: str = HOST_NAMESPACE) -> Any:
        """Call a function there, as that user."""

    def settle(self) -> None:
        """Return when everything that was sent there has come out of its link."""

    def prove(self) -> dict[str, Any]:
        """What `lethe-proof --json check` says there."""

    def flush(self) -> str | None:
        """Try to take its filter away as any root process may; what is said of that there afterwards.
        None: nothing there keeps it."""

    def refused(self) -> list[dict[str, Any]] | None:
        """The rows of `lethe-watch --json`. None: nothing there watches."""

    def open_filter(self) -> None:
        """Take its filter away."""

    def apply_filter(self) -> None:
        """Put Lethe's policy in place."""


class LabHost:
    """The laboratory's own host under test."""

    device = names.LAN_DEVICE
    address = names.HOST_ADDRESS
    second_address = names.HOST_ADDRESS_SECOND
    link = names.HOST_LINK
    asks_dhcp = False

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self.call = lab.host.call

    def settle(self) -> None:
        """The capture's own barrier is enough for a virtual link."""

    def prove(self) -> dict[str, Any]:
        return json.loads(self._lab.host.run(rules.proof_command()).stdout)

    def flush(self) -> None:
        """The laboratory's host has no guard."""

    def refused(self) -> None:
        """... nor a watch."""

    def open_filter(self) -> None:
        rules.clear(self._lab)

    def apply_filter(self) -> None:
        rules.apply_lethe(self._lab)


@dataclass(frozen=True)
class Attempt:
    """What the watch is to tell of: who, and where to. @port 0: there are none."""

    user: str
    address: str
    port: int = 0

    def is_row(self, row: dict[str, Any], uids: dict[str, int]) -> bool:
        """With its program named, beyond doubt."""
        return (row.get("uid") == uids[self.user] and row.get("port", 0) == self.port
                and row.get("destination") == self.address and row.get("attribution") == "certain"
                and str(row.get("program", "")).startswith("/"))


@dataclass
class Step:
    claim: str
    title: str
    tried: str  # what a person would type or say
    action: Callable[[], str]  # returns what happened in words; OSError: refused
    works: bool  # does the policy grant it?
    may_reach: tuple[str, ...] = ()  # besides Tor's relays, if it works
    must_contain: str = ""
    must_not_contain: str = ""
    at_once: bool = False  # a refusal that the program is told of, not a time-out
    unrouted: bool = False  # or there is not even a route, which it is told at once as well
    refused: Attempt | None = None  # what the filter refuses, where it is the filter that does


@dataclass
class Outcome:
    happened: str
    good: bool
    wire: str
    strays: Counter[str] = field(default_factory=Counter)


def _send_udp(address: str, port: int) -> str:
    answer = client.udp_exchange(address, port, b"lethe tour", timeout=_QUICK)
    return f"answered: {len(answer)} bytes"


def _look_up(server: str) -> str:
    addresses = client.resolve(names.WEB_NAME, server=server, timeout=_QUICK)
    return f"answered: {', '.join(addresses)}"


def _tcp(address: str, port: int, timeout: float = client.SECONDS) -> str:
    with socket.create_connection((address, port), timeout=timeout):
        return "connected"


def _ping(address: str) -> str:
    client.ping(address, timeout=_QUICK)
    return "answered"


def _frame(device: str, source: str) -> str:
    """An IPv4 UDP datagram to the Internet in a raw frame, past the IP stack."""
    payload = b"lethe tour"
    udp = (40000).to_bytes(2, "big") + (53).to_bytes(2, "big")
    udp += (8 + len(payload)).to_bytes(2, "big") + b"\0\0" + payload
    header = bytearray(20)
    header[0], header[8], header[9] = 0x45, 64, socket.IPPROTO_UDP
    header[2:4] = (20 + len(udp)).to_bytes(2, "big")
    header[12:16] = socket.inet_aton(source)
    header[16:20] = socket.inet_aton(names.ECHO_ADDRESS)
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0800)) as raw:
        raw.bind((device, 0x0800))
        raw.send(b"\xff" * 6 + b"\x02\0\0\0\0\1" + b"\x08\x00" + bytes(header) + udp)
    return "sent"


class Tour:
    def __init__(self, lab: Lab, subject: Subject | None = None) -> None:
        self.lab = lab
        self.subject = subject or LabHost(lab)
        self.onion = lab.tor.onion_name()

    def _as(self, user: str, function: Callable[..., str], *arguments,
            namespace: str = HOST_NAMESPACE) -> Callable[[], str]:
        return lambda: self.subject.call(function, *arguments, user=user, namespace=namespace)

    def _through_tor(self) -> list[Step]:
        web, own, onion = names.WEB_NAME, names.WEB_BODY_START, self.onion
        return [
            Step("F2", "A page, through Tor's SOCKS port",
                 f"amnesia: curl --socks5-hostname 127.0.0.1:9050 http://{web}/",
                 self._as("amnesia", client.socks_get, web), True,
                 must_contain=own, must_not_contain=_UNTORIFIED),
            Step("F2", "An onion service",
                 f"amnesia: curl --socks5-hostname 127.0.0.1:9050 http://{onion}/",
                 self._as("amnesia", client.socks_get, onion), True,
                 must_contain=names.ONION_BODY_START),
            Step("F7", "A program that knows nothing of Tor: the name gets an automapped address",
                 f"amnesia: curl http://{names.AUTOMAPPED_NAME}/",
                 self._as("amnesia", self._fetch_mapped), True,
                 must_contain=own, must_not_contain=_UNTORIFIED),
            Step("F7", "The same by another user",
                 f"nobody: connect to {self._mapped()}:80",
                 self._as("nobody", _tcp, self._mapped(), 80), False, at_once=True,
                 refused=Attempt("nobody", self._mapped(), 80)),
        ]

    def _mapped(self) -> str:
        addresses = self.subject.call(client.resolve, names.AUTOMAPPED_NAME, user="amnesia")
        return addresses[0]

    @staticmethod
    def _fetch_mapped() -> str:
        address = client.resolve(names.AUTOMAPPED_NAME)[0]
        return f"at {address}: " + client.http_get(address)

    def _exceptions(self) -> list[Step]:
        web, own, lan = names.WEB_ADDRESS, names.WEB_BODY_START, names.LAN_RESOLVER
        inside, second = CLEARNET_NAMESPACE, self.subject.second_address
        return [
            Step("F2", "Tor's user connects to the Internet",
                 f"debian-tor: curl http://{web}/",
                 self._as("debian-tor", client.http_get, web), True, (web,), _UNTORIFIED),
            Step("F2", "... by TCP alone", f"debian-tor: a datagram to {names.ECHO_ADDRESS}:7",
                 self._as("debian-tor", _send_udp, names.ECHO_ADDRESS, 7), False,
                 refused=Attempt("debian-tor", names.ECHO_ADDRESS, 7)),
            Step("F3", "The clearnet user has the network", f"clearnet: curl http://{web}/",
                 self._as("clearnet", client.http_get, web), True, (web,), own),
            Step("F3", "... and may look up names", f"clearnet: dig @{lan} {names.WEB_NAME}",
                 self._as("clearnet", _look_up, lan), True, (lan,)),
            Step("F3", "... but has no loopback", "clearnet: connect to 127.0.0.1:9050",
                 self._as("clearnet", _tcp, "127.0.0.1", 9050), False, at_once=True,
                 refused=Attempt("clearnet", "127.0.0.1", 9050)),
            Step("F4", "In the clearnet namespace amnesia has the network",
                 f"amnesia, in clearnet: curl http://{web}/",
                 self._as("amnesia", client.http_get, web, namespace=inside), True, (web,), own),
            Step("F4", "... but none of the host's services",
                 "amnesia, in clearnet: connect to 127.0.0.1:9050",
                 self._as("amnesia", _tcp, "127.0.0.1", 9050, namespace=inside), False),
            Step("F4", "... not by its own addresses either",
                 f"amnesia, in clearnet: connect to {second}:9050",
                 self._as("amnesia", _tcp, second, 9050, _QUICK, namespace=inside), False),
        ]

    def _local(self) -> list[Step]:
        printer, lan, own = names.PRINTER_ADDRESS, names.LAN_RESOLVER, self.subject.address
        return [
            Step("F5", "A printer on the LAN", f"amnesia: curl http://{printer}:631/",
                 self._as("amnesia", client.http_get, printer, 631), True, (printer,),
                 names.PRINTER_BODY_START),
            Step("F5", "But no name lookup there", f"amnesia: dig @{lan} {names.WEB_NAME}",
                 self._as("amnesia", _look_up, lan), False, refused=Attempt("amnesia", lan, 53)),
            Step("F5", "... nor over TCP", f"amnesia: connect to {lan}:53",
                 self._as("amnesia", _tcp, lan, 53), False, at_once=True,
                 refused=Attempt("amnesia", lan, 53)),
            Step("F5", "... nor asking the router for the public address",
                 f"root: NAT-PMP to {lan}:{names.NATPMP_PORT}",
                 self._as("root", _send_udp, lan, names.NATPMP_PORT), False,
                 refused=Attempt("root", lan, names.NATPMP_PORT)),
            Step("F6", "A local service of others", "amnesia: connect to 127.0.0.1:9062",
                 self._as("amnesia", _tcp, "127.0.0.1", 9062), False, at_once=True,
                 refused=Attempt("amnesia", "127.0.0.1", 9062)),
            Step("F6", "... by the host's own LAN address",
                 f"nobody: connect to {own}:9062",
                 self._as("nobody", _tcp, own, 9062), False, at_once=True,
                 refused=Attempt("nobody", own, 9062)),
            Step("F9", "A refused local connection fails at once, over IPv6 too",
                 "nobody: connect to [::1]:9062",
                 self._as("nobody", _tcp, "::1", 9062), False, at_once=True,
                 refused=Attempt("nobody", "::1", 9062)),
        ]

    def _direct(self) -> list[Step]:
        web, echo = names.WEB_ADDRESS, names.ECHO_ADDRESS
        resolver = names.PUBLIC_RESOLVERS[2]
        return [
            Step("F1", "A direct TCP connection", f"amnesia: curl http://{web}/",
                 self._as("amnesia", client.http_get, web), False, at_once=True,
                 refused=Attempt("amnesia", web, 80)),
            Step("F1", "... by root", f"root: curl http://{web}/",
                 self._as("root", client.http_get, web), False, at_once=True,
                 refused=Attempt("root", web, 80)),
            Step("F8", "UDP", f"amnesia: a datagram to {echo}:7",
                 self._as("amnesia", _send_udp, echo, 7), False,
                 refused=Attempt("amnesia", echo, 7)),
            Step("F8", "DNS", f"amnesia: dig @{resolver} {names.WEB_NAME}",
                 self._as("amnesia", _look_up, resolver), False,
                 refused=Attempt("amnesia", resolver, 53)),
            Step("F8", "IPv6", f"amnesia: curl http://[{names.WEB_ADDRESS6}]/",
                 self._as("amnesia", client.http_get, names.WEB_ADDRESS6), False, at_once=True,
                 unrouted=True),
            Step("F8", "ICMP", f"root: ping {echo}",
                 self._as("root", _ping, echo), False, refused=Attempt("root", echo)),
            Step("F1", "A raw frame, past the IP stack (AF_PACKET)",
                 f"root: a UDP datagram to {echo} in an Ethernet frame",
                 self._as("root", _frame, self.subject.device, self.subject.address), False,
                 refused=Attempt("root", echo, 53)),
        ]

    def capture(self) -> Capture:
        return Capture(self.lab, device=self.subject.link)

    def run(self, show: Callable[[str], None]) -> bool:
        """All steps. Returns whether each came out as promised."""
        good = True
        with self.capture() as capture:
            steps = self._through_tor() + self._exceptions() + self._local() + self._direct()
            for step in steps:
                good &= self._one(step, capture, show)
            good &= self._named(steps, show)
            good &= self._kept(capture, show)
            good &= self._proved(show)
            good &= self._detector(capture, show)
        return good & _refuted(show)

    def _named(self, steps: list[Step], show: Callable[[str], None]) -> bool:
        """What the filter refused of all that, by program."""
        rows = self.subject.refused()
        if rows is None:
            return True
        wanted = [step.refused for step in steps if step.refused]
        uids = {user: self.subject.call(os.getuid, user=user) for user in {a.user for a in wanted}}
        found = {attempt: next((row for row in rows if attempt.is_row(row, uids)), None)
                 for attempt in wanted}
        unnamed = [attempt for attempt, row in found.items() if not row]
        lines = [f"{attempt.user}, {row['program']} -> {attempt.address}:{attempt.port}"
                 for attempt, row in found.items() if row]
        happened = f"{len(lines)} of {len(found)} that differ were named, such as\n" + "\n".join(
            f"                    {line}" for line in lines[:4])
        if unnamed:
            happened += f"\n                    NOT NAMED: {unnamed} in {rows}"
        good = bool(lines) and not unnamed
        show(f"{'ok  ' if good else 'FAIL'} P3  Each refused attempt has the name of its program\n"
             "         tried:     amnesia: lethe-watch --follow\n"
             f"         happened:  {happened}\n"
             "         the wire:  nothing is sent for it\n")
        return good

    def _kept(self, capture: Capture, show: Callable[[str], None]) -> bool:
        """Root, who may do anything, tries to take the filter away; then a datagram."""
        self._sent(capture)
        said = self.subject.flush()
        if said is None:
            return True
        step = Step("", "", "", self._as("amnesia", _send_udp, names.ECHO_ADDRESS, 7), False)
        outcome = self.attempt(step, capture)
        good = outcome.good and "nft" in said
        show(f"{'ok  ' if good else 'FAIL'} P2  Root cannot take the filter away, and who tried is told\n"
             f"         tried:     root: nft flush ruleset; amnesia: a datagram to {names.ECHO_ADDRESS}:7\n"
             f"         happened:  the datagram was {outcome.happened}\n"
             f"                    lethe status: {said}\n"
             f"         the wire:  {outcome.wire}\n")
        return good

    def _proved(self, show: Callable[[str], None]) -> bool:
        """What was tried so far are examples; this is every packet."""
        told = self.subject.prove()
        good = told["answer"] == "proved"
        devices = "every device" if told.get("future_devices") else "the devices that are there"
        happened = (f"proved, for {devices}: {told['classes']:,} classes of packets in "
                    f"{told['proof_us'] // 1000} ms" if good else json.dumps(told))
        show(f"{'ok  ' if good else 'FAIL'} P1  To every packet the kernel does what the policy says\n"
             "         tried:     root: lethe-proof check\n"
             f"         happened:  {happened}\n"
             "         the wire:  nothing is sent for it\n")
        return good

    def _one(self, step: Step, capture: Capture, show: Callable[[str], None]) -> bool:
        outcome = self.attempt(step, capture)
        show(f"{'ok  ' if outcome.good else 'FAIL'} {step.claim}  {step.title}\n"
             f"         tried:     {step.tried}\n"
             f"         happened:  {outcome.happened}\n"
             f"         the wire:  {outcome.wire}\n")
        return outcome.good

    def attempt(self, step: Step, capture: Capture) -> Outcome:
        self._sent(capture)
        said, refusal = "", None
        try:
            said = step.action()
        except OSError as error:
            refusal = error
        reached = {ipaddress.ip_address(a).packed for a in step.may_reach} if step.works else set()
        outcome = judge_frames(self._sent(capture), reached, self.subject.asks_dhcp)
        if refusal:
            outcome.happened = f"refused: {refusal.strerror or refusal}"
        else:
            outcome.happened = said.strip().splitlines()[0] if said.strip() else "done"
        outcome.good &= self._as_promised(step, said, refusal)
        return outcome

    def _sent(self, capture: Capture) -> list[Frame]:
        self.subject.settle()
        return capture.take()

    @staticmethod
    def _as_promised(step: Step, said: str, refusal: OSError | None) -> bool:
        if not step.works:
            telling = {errno.ECONNREFUSED} | ({errno.ENETUNREACH} if step.unrouted else set())
            told = refusal is not None and refusal.errno in telling
            return refusal is not None and (told or not step.at_once)
        wrong = step.must_not_contain and step.must_not_contain in said
        return refusal is None and step.must_contain in said and not wrong

    def _detector(self, capture: Capture, show: Callable[[str], None]) -> bool:
        """A detector that never fires shows nothing: open the filter, and see the same datagram."""
        self.subject.open_filter()
        try:
            step = Step("", "", "", self._as("amnesia", _send_udp, names.ECHO_ADDRESS, 7), False)
            outcome = self.attempt(step, capture)
        finally:
            self.subject.apply_filter()
        seen = bool(outcome.strays)
        show(f"{'ok  ' if seen else 'FAIL'} --  Would a leak have been seen? The filter is opened "
             "for a moment\n"
             f"         tried:     amnesia: a datagram to {names.ECHO_ADDRESS}:7\n"
             f"         happened:  {outcome.happened}\n"
             f"         the wire:  {outcome.wire}; then the filter was applied again\n")
        return seen


def _refuted(show: Callable[[str], None]) -> bool:
    """One small fault, in namespaces made for it alone: it is refuted, by a packet that escapes. In
    both tables, because what one lets through the other would still stop."""
    fault = f"ip daddr {names.WEB_ADDRESS} tcp dport 443 accept"
    with pair("lethe") as thrown_away:
        before = thrown_away.prove()
        thrown_away.nft("".join(f"insert rule {family} lethe anyone {fault}\n"
                                for family in ("inet", "netdev")))  # fmt: skip
        answer = thrown_away.prove()
        good = before.answer == "proved" and answer.answer == "refuted" and answer.fault == "leak"
        happened, wire = f"{answer.answer}; {answer.why}", "not tried"
        if good:
            happened, wire, good = _show_example(thrown_away, answer.told["example"])
    show(f"{'ok  ' if good else 'FAIL'} P1  ... and would one wrong rule be found? In a throw-away "
         "namespace\n"
         f"         tried:     root: nft insert rule inet (and netdev) lethe anyone {fault}; "
         "lethe-proof check\n"
         f"         happened:  {happened}\n"
         f"         the wire:  {wire}\n")
    return good


def _show_example(thrown_away: Pair, example: dict[str, str]) -> tuple[str, str, bool]:
    sight = thrown_away.send(example["spec"])
    happened = (f"refuted: {example['packet']}\n"
                f"                    the policy says: {example['policy']}, {example['policy_reason']}\n"
                f"                    the kernel: {example['kernel']} by {example['kernel_rule']}")
    return happened, f"the packet was sent: {sight}", sight.escaped


def judge_frames(frames: list[Frame], reached: set[bytes], dhcp: bool = False) -> Outcome:
    """What the host sent: to Tor, to where the step may go, address resolution, or a stray. With
    @dhcp it may renew its lease, too."""
    counts: Counter[str] = Counter()
    strays: Counter[str] = Counter()
    for frame in frames:
        if not frame.incoming:
            continue
        packet = judge.parse(frame.data)
        if judge.is_plain_arp(frame.data):
            continue
        if judge.is_tor(frame.data, _RELAYS):
            counts["to Tor's relays"] += 1
        elif packet.ethertype == 0x0800 and packet.destination in reached:
            counts[f"to {socket.inet_ntoa(packet.destination)}"] += 1
        elif dhcp and _asks_for_address(packet):
            counts["to renew its address"] += 1
        else:
            strays[judge.describe(frame.data)] += 1
    parts = [f"{count} {where}" for where, count in counts.items()]
    parts += [f"ELSEWHERE: {count} × {what}" for what, count in strays.items()]
    return Outcome("", not strays, "; ".join(parts) or "nothing left the host", strays)


def _asks_for_address(packet: judge.Packet) -> bool:
    servers = {socket.inet_aton(names.ROUTER_ADDRESS), b"\xff" * 4}
    return (packet.ethertype == 0x0800 and packet.protocol == socket.IPPROTO_UDP
            and packet.source_port == 68 and packet.destination_port == 67
            and packet.destination in servers)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="tour", description="Show Lethe's claims, one by one, in a lab that is up.")
    parser.add_argument("--name", default=names.DEFAULT_LAB, help="the lab (default: %(default)s)")
    arguments = parser.parse_args(argv)
    try:
        if os.geteuid() != 0:
            raise LabError("the tour captures packets: it must be run as root")
        lab = Lab(arguments.name)
        if not lab.is_up():
            raise LabError(f"no lab {arguments.name!r} is up; `lab up` makes one")
        print(rules.apply_lethe(lab).strip() + "\n")
        lab.host.start_clearnet()
        good = Tour(lab).run(lambda text: print(textwrap.indent(text, "  "), flush=True))
    except (LabError, rules.RulesError, RuntimeError, TimeoutError, OSError) as error:
        print(f"tour: {error}", file=sys.stderr)
        return 1
    print("Every step came out as promised." if good else "NOT every step came out as promised.")
    return 0 if good else 1
