# SPDX-License-Identifier: GPL-3.0-or-later
"""What a booted Lethe says of itself on its console, read as `amnesia`."""

from __future__ import annotations

import json
import time
from typing import Any

from . import boot
from .machine import Machine

# What Lethe itself mounts from block devices, by device-mapper name or file system.
OWN_MAPPINGS = {"lethe-medium", "lethe-root"}
# An emulated machine with much else to do may take long to answer; none of this is about time.
STATUS = "lethe status --wait=60"


def boot_report(machine: Machine) -> dict[str, Any]:
    """Init's report of the start."""
    return json.loads(output(machine, "cat /run/lethe/boot.json"))


def status_text(machine: Machine) -> str:
    """What `lethe status` shows; its exit status says whether all is well, and is not judged."""
    return boot.command(machine, STATUS)[1]


def known_part(machine: Machine, title: str, deadline: float = boot.DEADLINE) -> str:
    """That part of the status once somebody could say: right after the start of a busy machine it is
    truly UNKNOWN for a moment. Whatever it still is after @deadline."""
    end = time.monotonic() + deadline
    while True:
        found = part(status_text(machine), title)
        if not found.startswith("UNKNOWN") or time.monotonic() > end:
            return found


def part(status: str, title: str) -> str:
    """One part of that text, its lines joined: "good: USB stick ... verified: ..."."""
    found: list[str] = []
    for line in status.splitlines():
        if line.startswith(title + " "):
            found = [line.removeprefix(title).strip()]
        elif found and line.startswith(" "):
            found.append(line.strip())
        elif found:
            break
    return " ".join(found)


def output(machine: Machine, line: str, timeout: float = boot.COMMAND_DEADLINE) -> str:
    """What a command prints. Its failure is a RuntimeError."""
    status, text = boot.command(machine, line, timeout)
    if status != 0:
        raise RuntimeError(f"{line}: exit {status}\n{text}")
    return text


def foreign_use(machine: Machine) -> list[str]:
    """Everything in use that is of no medium of Lethe's: swap, mappings, RAID, mounted disks."""
    found = [f"swap: {line.split()[0]}" for line in output(machine, "cat /proc/swaps").splitlines()[1:]]
    mappings = output(machine, "cat /sys/block/dm-*/dm/name").split()
    found += [f"mapping: {name}" for name in mappings if name not in OWN_MAPPINGS]
    found += [f"RAID: {name}" for name in output(machine, "ls /sys/block").split()
              if name.startswith("md")]
    for line in output(machine, "cat /proc/mounts").splitlines():
        device, where = line.split()[:2]
        # /dev/dm-N is the verified root: other mappings were found above.
        if device.startswith("/dev/") and not device.startswith(("/dev/dm-", "/dev/mapper/lethe-")):
            found.append(f"mount: {device} on {where}")
    return found
