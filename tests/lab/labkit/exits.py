# SPDX-License-Identifier: GPL-3.0-or-later
"""Which streams share a circuit: as the client's Tor says, as the exits show, and by what dies with
what.

A Seat is a server of the fake Internet that keeps every connection open and tells them apart by the
word that the client sends first. Three witnesses, none of which is another's word:

- the client's control port: STREAM events name the circuit of each stream, CIRC events its exit;
- the far end: from which exit's address a connection came (exits_of());
- fate: when the client's Tor is told to close one circuit, exactly the connections that were on it
  end at the far end (Sharing.by_fate()). That two come from one exit proves nothing, as there are
  few exits; that two end together, does.
"""

from __future__ import annotations

import os
import re
import select
import socket
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING

from . import names, netns
from .told import Told
from .torcontrol import Control, ControlError
from .wait import wait_for

if TYPE_CHECKING:
    from .lab import Lab

PORTS = (4001, 4002, 4003)  # on the web node, at each of its addresses
SEAT_PORT = 4000
SECONDS = 120.0
TABLE = "seat"
_RULES = f"""table inet {TABLE}
delete table inet {TABLE}
table inet {TABLE} {{
    chain pre {{
        type nat hook prerouting priority dstnat - 20;
        iifname != "{names.LAN_DEVICE}" return
        tcp dport {{ {", ".join(map(str, PORTS))} }} redirect to :{SEAT_PORT}
    }}
}}
"""
_EXIT = re.compile(r"\$([0-9A-F]{40})(?:[~=](\w+))?$")


@dataclass
class Visit:
    """One connection at the far end. @node: the exit it came from, or "" if from elsewhere."""

    word: str
    node: str
    source: tuple[str, int]
    began: float
    ended: bool = False


@dataclass
class Seat:
    """A context manager. Answers each first line with "ok", and then is silent."""

    lab: Lab
    visits: dict[str, Visit] = field(default_factory=dict)

    def __enter__(self) -> Seat:
        self._ns = self.lab.ns(names.WEB)
        self._listener = netns.run_in(self._ns, socket.create_server, ("0.0.0.0", SEAT_PORT))
        netns.nft(self._ns, _RULES)
        self._wake_read, self._wake_write = os.pipe2(os.O_CLOEXEC)
        self._thread = threading.Thread(target=self._serve, name="seat", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        netns.nft(self._ns, f"delete table inet {TABLE}\n")
        os.close(self._wake_write)
        self._thread.join()
        self._listener.close()
        os.close(self._wake_read)

    def exits_of(self, words: Iterable[str]) -> dict[str, str]:
        """From which exit each of these came."""
        return {word: self.visits[word].node for word in words}

    def _serve(self) -> None:
        flows: dict[socket.socket, Visit | None] = {}
        while True:
            ready = select.select([self._wake_read, self._listener, *flows], [], [])[0]
            if self._wake_read in ready:
                break
            for one in ready:
                if one is self._listener:
                    flows[self._listener.accept()[0]] = None
                elif isinstance(one, socket.socket):
                    self._read(one, flows)
        for flow in flows:
            flow.close()

    def _read(self, flow: socket.socket, flows: dict[socket.socket, Visit | None]) -> None:
        try:
            data = flow.recv(256)
            source = flow.getpeername()
        except OSError:
            data = b""
        visit = flows[flow]
        if not data:
            if visit:
                visit.ended = True
            del flows[flow]
            flow.close()
        elif visit is None:
            word = data.decode("ascii").strip()
            flows[flow] = self.visits[word] = Visit(word, _node_of(source[0]), source, time.time())
            flow.sendall(b"ok\n")


def _node_of(address: str) -> str:
    return next((node for node in names.EXITS if names.PUBLIC_NODES[node] == address), "")


# What the client's Tor says ---------------------------------------------------------------------


def circuit_of(told: Told, source_port: int) -> str:
    """The circuit of the stream whose client has this port of loopback, or "". As STREAM events
    tell: the client's address when the stream is new, its circuit each time that it is sent to one.
    For a stream that has been answered that is where it is."""
    stream = circuit = ""
    for event in told.of("STREAM"):
        client = event.pairs.get("SOURCE_ADDR", "")
        if event.words[1] == "NEW" and client.endswith(f":{source_port}"):
            stream, circuit = event.words[0], ""
        elif event.words[0] == stream and event.words[1] == "SENTCONNECT":
            circuit = event.words[2]
    return circuit


def exit_of(control: Control, circuit: str) -> str:
    """The name of a circuit's last relay."""
    for line in control.info("circuit-status").splitlines():
        words = line.split()
        if words[0] == circuit and (match := _EXIT.search(words[2].split(",")[-1])):
            return match[2] or ""
    raise KeyError(f"no circuit {circuit}")


# Judging ----------------------------------------------------------------------------------------


@dataclass
class Sharing:
    """Groups of streams (by their words) of which each shares a circuit."""

    groups: set[frozenset[str]]

    def pairs(self) -> set[frozenset[str]]:
        """Every two that share."""
        return {frozenset((one, other)) for group in self.groups for one in group
                for other in group if one != other}  # fmt: skip

    @classmethod
    def by_events(cls, circuits: dict[str, str]) -> Sharing:
        """@circuits: of each word, as circuit_of() tells."""
        return cls({frozenset(word for word in circuits if circuits[word] == circuit)
                    for circuit in circuits.values()})  # fmt: skip

    @classmethod
    def by_fate(cls, control: Control, seat: Seat, words: Iterable[str]) -> Sharing:
        """Close every circuit that is there, one after another, and see what ends at the far end.
        Nothing of the answer comes from what Tor says of its streams."""
        alive = {word for word in words if not seat.visits[word].ended}
        assert alive == set(words), f"ended before: {set(words) - alive}"
        groups: set[frozenset[str]] = set()
        for circuit in _circuits(control):
            open_before = {word for word in alive if not seat.visits[word].ended}
            try:
                control.command(f"CLOSECIRCUIT {circuit}")
            except ControlError as error:
                if "552 Unknown circuit" not in str(error):
                    raise
                continue  # it ended by itself, as those do that carry nothing
            wait_for(lambda: _settled(control, seat, circuit, open_before), SECONDS,
                     "an end to settle")
            ended = frozenset(word for word in open_before if seat.visits[word].ended)
            if ended:
                groups.add(ended)
        lost = alive - frozenset().union(*groups)
        assert not lost, f"these ended with no circuit that was closed, or not at all: {lost}"
        return cls(groups)


def _circuits(control: Control) -> list[str]:
    lines = (line.split() for line in control.info("circuit-status").splitlines())
    return [words[0] for words in lines if words[1] == "BUILT"]


def _settled(control: Control, seat: Seat, circuit: str, words: set[str]) -> bool:
    """The client has no stream on the closed circuit any more, and as many others as there are
    connections at the far end: what was to end has. (Which ones, only the far end tells.)"""
    lines = [line.split() for line in control.info("stream-status").splitlines() if line]
    ports = tuple(f":{port}" for port in PORTS)
    ours = [line for line in lines if line[3].endswith(ports)]
    at_far_end = sum(1 for word in words if not seat.visits[word].ended)
    return all(line[2] != circuit for line in ours) and len(ours) == at_far_end
