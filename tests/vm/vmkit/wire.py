# SPDX-License-Identifier: GPL-3.0-or-later
"""A virtual machine's frames: how they are recorded, and that they are judged.

QEMU records what passes between the emulated card and its network back end, with one recorder for
each direction. Its words are the back end's: "rx" is what the back end gets, which the guest sent;
"tx" is what it delivers to the guest. (Tried with QEMU 7.2: frames in the "rx" file were, byte for
byte, those that a tap in the router's namespace saw coming out of the device.) A frame is recorded
only while the emulated cable is plugged in, before the host's kernel gets to see it, and is in
the file at once: nothing is buffered.

Two things must be so on QEMU's command line, or the record is not what is on the wire:
- vhost stays off, for else frames go past QEMU;
- the back end has vnet_hdr=off, for else each record begins with a header of virtio's, several
  segments are recorded as one and checksums are left for later.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from . import pcap, wire_rules
from .wire_judge import Frame, Result, judge
from .wire_rules import Allowed

if TYPE_CHECKING:
    from labkit.capture import Frame as LabFrame

    from .machine import Machine

__all__ = ["Allowed", "Recording", "Result", "judge", "of_capture"]


@dataclass(frozen=True)
class Recording:
    """Of one network card, from the start of QEMU to its end: two files."""

    sent: Path
    received: Path

    @classmethod
    def of(cls, machine: Machine) -> Recording:
        """Of the machine's first card."""
        return cls(machine.files.sent, machine.files.received)

    @classmethod
    def in_directory(cls, directory: Path, netdev: str) -> Recording:
        """Of a card that arguments() adds."""
        return cls(directory / f"{netdev}-sent.pcap", directory / f"{netdev}-received.pcap")

    def arguments(self, netdev: str, device: str) -> list[str]:
        """For QEMU: a back end of that name on that tap device, and the two recorders."""
        recorders = []
        for queue, path in ("rx", self.sent), ("tx", self.received):
            value = f"filter-dump,id={netdev}-{queue},netdev={netdev},queue={queue},file={path}"
            recorders += ["-object", value]
        backend = f"tap,id={netdev},ifname={device},script=no,downscript=no"
        return ["-netdev", f"{backend},vhost=off,vnet_hdr=off", *recorders]

    def frames(self) -> list[Frame]:
        """Everything until now. CaptureError if a file is missing or cut."""
        sent = [Frame(r.time_ns, r.data, True) for r in pcap.read(self.sent)]
        received = [Frame(r.time_ns, r.data, False) for r in pcap.read(self.received)]
        return sent + received

    def judge(self, allowed: Allowed | None = None, case: str = "") -> Result:
        """Judge everything until now, by the laboratory's rules and what the case allows, and
        print one line of what was judged."""
        result = judge(self.frames(), wire_rules.of_lab(allowed))
        print(f"wire: {case or self.sent}: {result.summary()}", file=sys.stderr, flush=True)
        return result


def of_capture(frames: Iterable[LabFrame]) -> list[Frame]:
    """Frames that the laboratory captured on a router's port: incoming is from the node."""
    return [Frame(f.time_ns, f.data, f.incoming) for f in frames]
