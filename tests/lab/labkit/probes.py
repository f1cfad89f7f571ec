# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of probe classes: what is tried, as whom, and what the specification says of it.

The functions that send are in probes_inet (ordinary sockets), probes_raw (packets made by hand
through the IP stack), probes_packet (frames that never touch it) and probes_device (new devices).
Each needs only to run inside the right network namespace, with the user's id.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable
from dataclasses import dataclass, field

from . import judge, names
from .promise import Traffic

# The columns that only root can fill: devices and routes are changed for them.
ROOT_ONLY = (names.ROOT,)

# Nobody's Ethernet address: frames to it reach every port of the LAN's bridge, so the router too.
SINK_MAC = bytes.fromhex("024c45540001")
SINK_ULA = "fd00:1::4c45"
SINK_LINK_LOCAL = "fe80::4c45"
FAR_10 = "10.20.30.40"
FAR_172 = "172.20.1.1"


class Unsupported(Exception):
    """This kernel cannot send that at all."""


@dataclass
class Context:
    """What a probe may know, and what it leaves behind."""

    run: str
    number: int
    user: str
    uid: int
    device: str
    device_index: int
    mac: bytes
    keep: list[object] = field(default_factory=list)  # open until every probe has been sent
    elsewhere: list[bytes] = field(default_factory=list)  # frames seen on other links
    watch: socket.socket | None = None  # a connection whose refusal is waited for
    handed: dict[str, socket.socket] = field(default_factory=dict)  # made before, by others

    def mark(self, part: int = 0) -> bytes:
        return judge.mark(self.run, self.number, part)

    @property
    def port(self) -> int:
        return judge.source_port(self.number)


@dataclass(frozen=True)
class ProbeClass:
    name: str  # short, unique: the row's name
    title: str
    claim: str
    traffic: Traffic
    send: Callable[[Context], None]
    parts: int = 1  # how many marks have to be seen before all of it has gone out
    users: tuple[str, ...] = ()  # empty: every column
    refused_at_once: bool = False  # a blocked one ends the call: ECONNREFUSED, not a time-out
    late: bool = False  # changes devices: sent after all the others
    # Why no ruleset can stop it. It is tried and told all the same, and not held against one.
    beyond: str = ""


def open_socket(family: int, kind: int, protocol: int = 0) -> socket.socket:
    """A socket, or Unsupported where the kernel has no such thing."""
    try:
        return socket.socket(family, kind | socket.SOCK_CLOEXEC, protocol)
    except OSError as error:
        if error.errno in (errno.EPROTONOSUPPORT, errno.EAFNOSUPPORT, errno.ESOCKTNOSUPPORT,
                           errno.ENOPROTOOPT):
            raise Unsupported(f"no socket of family {family}, protocol {protocol}") from None
        raise


def table() -> tuple[ProbeClass, ...]:
    """Every class, in the order of the rows. The position is part of a probe's number."""
    from . import probes_device, probes_inet, probes_packet, probes_raw

    classes = (probes_inet.CLASSES + probes_raw.CLASSES + probes_packet.CLASSES
               + probes_device.CLASSES)
    assert len({entry.name for entry in classes}) == len(classes), "a class name is used twice"
    return classes


# A probe's number is made of its class and its column, so that both can be read from the wire.
COLUMNS_MAX = 16


def number(class_index: int, column: int) -> int:
    assert 0 <= column < COLUMNS_MAX
    result = class_index * COLUMNS_MAX + column
    assert result <= judge.NUMBER_MAX
    return result
