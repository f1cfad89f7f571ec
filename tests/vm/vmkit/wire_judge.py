# SPDX-License-Identifier: GPL-3.0-or-later
"""The strict oracle: every frame that a guest sent is one that the rules name, or it is a leak.

Nothing is skipped and nothing is exempt: a frame is judged from its first byte to its last, by
protocol and port, addresses and hardware addresses, lifetime, options, padding and checksums. What
this file does not know is a leak.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from . import wire_dhcp, wire_ip
from . import wire_parse as parse
from .wire_rules import Rules

_SMALLEST, _LARGEST = 60, 1514  # of an Ethernet frame without its checksum
_BROADCAST, _NO_MAC, _NOBODY = "ff:ff:ff:ff:ff:ff", "00:00:00:00:00:00", "0.0.0.0"
_ASKS, _ANSWERS = 1, 2

# The two directions are recorded in two files, whose clocks may begin a second apart: QEMU counts
# from the full second at which each recorder was made. So what came to the guest is taken to have
# come up to a second earlier than it says. It can only make a lease known sooner.
_SKEW_NS = 10**9


@dataclass(frozen=True)
class Frame:
    time_ns: int
    data: bytes
    from_guest: bool


@dataclass(frozen=True)
class Leak:
    number: int  # of the frame among those that the guest sent, from 1
    seconds: float  # since the first frame of the recording
    reasons: tuple[str, ...]
    data: bytes
    asked: tuple[str, ...] = ()  # names that were looked up

    def __str__(self) -> str:
        text = f"frame {self.number} at {self.seconds:.3f} s: {'; '.join(self.reasons)}"
        if self.asked:
            text += f"; asks for {', '.join(self.asked)}"
        return f"{text}\n{hexdump(self.data)}"


@dataclass
class Result:
    """What was judged. An oracle that saw nothing has not shown anything: see require()."""

    counts: Counter[str] = field(default_factory=Counter)  # frames from the guest, by kind
    heard: int = 0  # frames to the guest
    leaks: list[Leak] = field(default_factory=list)

    @property
    def judged(self) -> int:
        return self.counts.total()

    @property
    def names(self) -> list[str]:
        return [name for leak in self.leaks for name in leak.asked]

    def summary(self) -> str:
        """For people: one line, and one more block for each leak."""
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(self.counts.items()))
        text = f"{self.judged} frames judged ({kinds or 'none'}), {self.heard} heard, "
        text += f"{len(self.leaks)} leaks"
        return "\n".join([text, *map(str, self.leaks)])

    def require(self, *kinds: str) -> Result:
        """AssertionError unless there is no leak and each of the kinds was seen at least once.
        With "tcp" one means connections to what the rules name."""
        if not kinds:
            raise ValueError("say which kinds of frames must have been seen, or require_silence()")
        missing = [kind for kind in kinds if not self.counts[kind]]
        if self.leaks or missing or not self.heard:
            wanted = f"expected but never seen: {', '.join(missing)}\n" if missing else ""
            raise AssertionError(f"{wanted}{self.summary()}")
        return self

    def require_silence(self) -> Result:
        """AssertionError unless the guest sent nothing at all while others did speak to it."""
        if self.judged or not self.heard:
            raise AssertionError(f"silence was expected on a live wire\n{self.summary()}")
        return self


def judge(frames: Iterable[Frame], rules: Rules) -> Result:
    """@frames are of one network card, both directions, from power-on to power-off."""
    ordered = sorted(frames, key=lambda f: (f.time_ns - (0 if f.from_guest else _SKEW_NS)))
    start = min((frame.time_ns for frame in ordered), default=0)
    result, leases = Result(), wire_dhcp.Leases(rules)
    number = 0
    for frame in ordered:
        if not frame.from_guest:
            result.heard += 1
            leases.hear(frame.data)
            continue
        number += 1
        verdict = _judge_frame(frame.data, rules, leases)
        result.counts["leak" if verdict.reasons else verdict.kind] += 1
        if verdict.reasons:
            seconds = (frame.time_ns - start) / 10**9
            result.leaks.append(
                Leak(number, seconds, tuple(verdict.reasons), frame.data, tuple(verdict.asked))
            )
    return result


def _judge_frame(data: bytes, rules: Rules, leases: wire_dhcp.Leases) -> wire_ip.Verdict:
    verdict = wire_ip.Verdict()
    try:
        frame = parse.ethernet(data)
        verdict.reasons += _judge_ethernet(data, frame, rules)
        if frame.kind == parse.ARP:
            packet = parse.arp(frame.payload)
            verdict.reasons += _judge_arp(frame, packet, rules, leases)
            verdict.kind = _kind_of_arp(packet)
            verdict.reasons += _judge_padding(data, packet.padding)
        elif frame.kind == parse.IPV4:
            packet = parse.ipv4(frame.payload)
            wire_ip.judge(frame, packet, rules, leases, verdict)
            verdict.reasons += _judge_padding(data, packet.padding)
        else:
            wire_ip.describe(frame, verdict)
    except parse.Malformed as error:
        verdict.reasons.append(f"malformed: {error}")
    return verdict


def _judge_ethernet(data: bytes, frame: parse.Ethernet, rules: Rules) -> Iterator[str]:
    if len(data) > _LARGEST:
        yield f"{len(data)} bytes are more than an Ethernet frame has"
    if frame.source != rules.mac:
        yield f"sent with the hardware address {frame.source}, the card has {rules.mac}"


def _judge_padding(data: bytes, padding: bytes) -> Iterator[str]:
    """Short frames are filled up with zeros; anything else would be bytes of something else."""
    if any(padding):
        yield f"padding that is not zero: {padding.hex()}"
    if padding and len(data) > _SMALLEST:
        yield f"{len(padding)} bytes of padding in a frame of {len(data)}"


def _kind_of_arp(packet: parse.Arp) -> str:
    if packet.operation == _ANSWERS:
        return "arp reply"
    if packet.sender == _NOBODY:
        return "arp probe"
    return "arp announcement" if packet.sender == packet.target else "arp request"


def _judge_arp(
    frame: parse.Ethernet, packet: parse.Arp, rules: Rules, leases: wire_dhcp.Leases
) -> Iterator[str]:
    if (packet.hardware, packet.protocol, packet.sizes) != (1, parse.IPV4, (6, 4)):
        yield "ARP for something else than IPv4 on Ethernet"
    if packet.operation not in (_ASKS, _ANSWERS):
        yield f"ARP operation {packet.operation}"
    if packet.sender_mac != rules.mac:
        yield f"ARP tells of the hardware address {packet.sender_mac}"
    own = leases.given & rules.leases
    if packet.operation == _ANSWERS:
        yield from _judge_arp_answer(frame, packet, rules, own)
        return
    if packet.target_mac not in (_NO_MAC, _BROADCAST):
        yield f"an ARP question with the target's hardware address {packet.target_mac}"
    if frame.destination != _BROADCAST and frame.destination != rules.neighbours.get(packet.target):
        yield f"an ARP question about {packet.target} to {frame.destination}"
    if packet.sender == _NOBODY:
        if packet.target not in leases.offered & rules.leases:
            yield f"ARP probes {packet.target}, which was not offered"
    elif packet.sender not in own:
        yield f"ARP announces {packet.sender}, which is no lease of this card"
    elif packet.target != packet.sender and packet.target not in rules.resolvable():
        yield f"ARP asks for {packet.target}, which nothing allowed needs"


def _judge_arp_answer(
    frame: parse.Ethernet, packet: parse.Arp, rules: Rules, own: set[str]
) -> Iterator[str]:
    if packet.sender not in own:
        yield f"ARP answers for {packet.sender}, which is no lease of this card"
    if not rules.in_lan(packet.target):
        yield f"ARP answers {packet.target}, which is not on the LAN"
    if frame.destination != packet.target_mac:
        yield f"an ARP answer for {packet.target_mac} sent to {frame.destination}"
    elif packet.target_mac not in rules.neighbours.values():
        yield f"an ARP answer to {packet.target_mac}, whom nobody knows"


def hexdump(data: bytes) -> str:
    lines = []
    for at in range(0, len(data), 16):
        piece = data[at : at + 16]
        text = "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in piece)
        lines.append(f"  {at:04x}  {piece.hex(' '):47}  {text}")
    return "\n".join(lines)
