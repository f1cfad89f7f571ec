# SPDX-License-Identifier: GPL-3.0-or-later
"""One try of Tor to come up in some trouble: what it told, and what was on the wire meanwhile."""

from __future__ import annotations

import base64
import os
import re
import secrets
import select
import socket
import threading
from collections import Counter
from collections.abc import Iterable
from types import TracebackType

from . import judge, names, netns
from .capture import Frame
from .told import Event, Told

Door = tuple[str, int]  # address and TCP port

DIRECTORIES: frozenset[Door] = frozenset(
    (names.PUBLIC_NODES[node], port) for node in names.AUTHORITIES
    for port in (names.AUTHORITY_OR_PORT, names.AUTHORITY_DIR_PORT))  # fmt: skip
RELAYS: frozenset[Door] = frozenset(
    (names.PUBLIC_NODES[node], names.RELAY_OR_PORT) for node in names.RELAYS)
PUBLIC: frozenset[Door] = DIRECTORIES | RELAYS
BRIDGE: Door = (names.PUBLIC_NODES[names.BRIDGE], names.BRIDGE_OBFS4_PORT)
# A node of the Tor network at whose port 443 nobody is, unless a liar is put there.
LIAR: Door = (names.PUBLIC_NODES[names.ONION], 443)
# Of log lines: what differs each time, and what the lab's own configuration causes.
_NUMBERS = re.compile(r"\$?[0-9A-F]{40}|\d+(\.\d+)*(:\d+)?")
_USUAL = ("TestingTorNetwork", "You have used", "Problem bootstrapping")


def unexpected(frames: Iterable[Frame], doors: Iterable[Door]) -> Counter[str]:
    """What the host sent that is neither TCP to one of @doors nor plain address resolution, by
    what it is and where to."""
    expected = {(socket.inet_aton(address), port) for address, port in doors}
    found: Counter[str] = Counter()
    for frame in frames:
        if not frame.incoming or judge.is_plain_arp(frame.data):
            continue
        packet = judge.parse(frame.data)
        to = (packet.destination, packet.destination_port)
        if packet.ethertype == 0x0800 and packet.protocol == 6 and to in expected:
            continue
        found[judge.describe(frame.data)] += 1
    return found


def reached(frames: Iterable[Frame]) -> set[Door]:
    """To which doors the host sent TCP."""
    packets = (judge.parse(frame.data) for frame in frames if frame.incoming)
    return {(socket.inet_ntoa(packet.destination), packet.destination_port) for packet in packets
            if packet.ethertype == 0x0800 and packet.protocol == 6
            and packet.destination_port is not None}  # fmt: skip


def brief(events: Iterable[Event]) -> str:
    """Warnings as the assistant must know them: what, why, how often. Each kind once."""
    kinds: Counter[str] = Counter()
    for event in events:
        action = next((word for word in event.words if word not in ("WARN", "ERR")), "?")
        # Of a mistake that Tor finds in itself, REASON is a line of its log.
        keys = () if action == "BUG" else ("REASON", "TAG")
        detail = [event.pairs[key] for key in keys if key in event.pairs]
        if "SOURCE" in event.pairs:
            detail.append("from " + event.pairs["SOURCE"].partition(":")[0])
        if "RECOMMENDATION" in event.pairs:
            detail.append(event.pairs["RECOMMENDATION"])
        kinds[" ".join([action, *detail])] += 1
    return "; ".join(f"{kind} x{count}" for kind, count in kinds.items()) or "nothing"


def sources(told: Told) -> str:
    """From whom Tor says that it knows the clock to be wrong, and by how much."""
    events = told.of("STATUS_GENERAL", "CLOCK_SKEW")
    found = {event.pairs["SOURCE"].partition(":")[0]: event.pairs["SKEW"] for event in events}
    return ", ".join(f"{source} {skew}" for source, skew in found.items()) or "none"


def warnings(told: Told) -> str:
    """The beginnings of the other warnings in Tor's log, each once. (WARN events are log lines:
    words for people, which no program should rely on.)"""
    texts = (event.text.removeprefix("WARN ") for event in told.of("WARN"))
    kept = (_NUMBERS.sub("N", text)[:70] for text in texts if not text.startswith(_USUAL))
    return " | ".join(dict.fromkeys(kept)) or "none"


def first_report(told: Told, since: float) -> float | None:
    """Seconds from @since to the first warning about the state, or None."""
    later = [event.seconds for event in told.troubles() if event.seconds >= since]
    return min(later) - since if later else None


# Bridges that are not what they say -------------------------------------------------------------


def at_liar(line: str) -> str:
    """The line of a bridge, with the liar's address."""
    words = line.split()
    words[1] = f"{LIAR[0]}:{LIAR[1]}"
    return " ".join(words)


def wrong_fingerprint(line: str) -> str:
    words = line.split()
    words[2] = secrets.token_hex(20).upper()
    return " ".join(words)


def wrong_certificate(line: str) -> str:
    """A node identity and a key that are another's."""
    own = base64.b64encode(secrets.token_bytes(52)).decode().rstrip("=")
    return " ".join(f"cert={own}" if word.startswith("cert=") else word for word in line.split())


class Garbage:
    """Listens at the liar's door, and to whoever comes sends random bytes without end."""

    def __init__(self, ns: str) -> None:
        self._listener = netns.run_in(ns, socket.create_server, LIAR)
        self._wake_read, self._wake_write = os.pipe2(os.O_CLOEXEC)
        self._thread = threading.Thread(target=self._serve, name="garbage", daemon=True)

    def __enter__(self) -> Garbage:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.close(self._wake_write)
        self._thread.join()
        self._listener.close()
        os.close(self._wake_read)

    def _serve(self) -> None:
        flows: list[socket.socket] = []
        while True:
            ready, able, _ = select.select([self._wake_read, self._listener], flows, [])
            if self._wake_read in ready:
                break
            if self._listener in ready:
                flow = self._listener.accept()[0]
                flow.setblocking(False)
                flows.append(flow)
            for flow in able:
                try:
                    flow.send(secrets.token_bytes(1024))
                except OSError:
                    flows.remove(flow)
                    flow.close()
        for flow in flows:
            flow.close()
