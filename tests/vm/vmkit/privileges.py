# SPDX-License-Identifier: GPL-3.0-or-later
"""The tables of docs/privileges.md, as values to compare with what a machine says of itself. Pure but
for reading the page."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from .evidence import ROOT

Row = dict[str, str]

CAPABILITIES = (
    "CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID",
    "SETPCAP", "LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW",
    "IPC_LOCK", "IPC_OWNER", "SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT",
    "SYS_ADMIN", "SYS_BOOT", "SYS_NICE", "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD",
    "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP", "MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG",
    "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ", "PERFMON", "BPF", "CHECKPOINT_RESTORE",
)  # fmt: skip
NONE, ALL = "-", "all"
PROPERTIES = ("Id", "User", "CapabilityBoundingSet", "AmbientCapabilities", "NoNewPrivileges",
              "RestrictAddressFamilies", "PrivateNetwork")  # fmt: skip
_DEMAND_COLUMNS = ("unit", "user", "may get", "network")


def staying() -> list[Row]:
    return _table("Processes that stay")


def on_demand() -> list[Row]:
    return _table("Processes that come and go")


def template(unit: str) -> str:
    """The unit's file: without its instance."""
    return re.sub(r"@.*(?=\.\w+$)", "@", unit)


def instance(unit: str) -> str:
    """A name that systemd can be asked about."""
    return unit.replace("@.", "@bridges." if "namespace" in unit else "@one.")


def differences(written: Iterable[Row], running: Iterable[dict[str, str]]) -> list[str]:
    """Rows that only the page has, and rows that only the machine has. A program that runs more than
    once as the same is one row."""
    wanted = {_shown({key: value for key, value in row.items() if key != "for"}) for row in written}
    found = {_shown(_seen(process)) for process in running}
    return [*(f"not seen: {row}" for row in sorted(wanted - found)),
            *(f"not written: {row}" for row in sorted(found - wanted))]


def units_differ(written: Sequence[Row], said: str) -> list[str]:
    """The same for units, of which `systemctl show` said so."""
    blocks = [dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
              for block in said.strip().split("\n\n")]
    found = {_shown(_of_unit(block)) for block in blocks}
    wanted = {_shown({column: row[column] for column in _DEMAND_COLUMNS}) for row in written}
    return [*(f"not so: {row}" for row in sorted(wanted - found)),
            *(f"but so: {row}" for row in sorted(found - wanted))]


def capability_names(mask: str) -> str:
    """Of a hexadecimal mask."""
    value = int(mask, 16)
    return _listed([name for bit, name in enumerate(CAPABILITIES) if value >> bit & 1])


def _listed(names: Sequence[str]) -> str:
    """All of them, or, where most are there, those that are missing."""
    missing = [name for name in CAPABILITIES if name not in names]
    if not missing:
        return ALL
    if len(missing) < len(CAPABILITIES) // 3:
        return f"{ALL} but {' '.join(missing)}"
    return " ".join(name for name in CAPABILITIES if name in names) or NONE


def _seen(process: dict[str, str]) -> Row:
    bounding = capability_names(process["bounding"])
    return {
        "unit": process["unit"], "program": process["program"], "user": process["user"],
        "groups": process["groups"],
        "capabilities": capability_names(process["effective"]),
        # What it could still get by starting a program; nothing does when rights cannot be gained.
        "may get": NONE if process["no new privileges"] == "1" and process["user"] != "root"
                   else bounding,
        "system calls": {"0": "any", "2": "filtered"}[process["seccomp"]],
        "own namespaces": process["own namespaces"] or NONE,
    }


def _of_unit(block: dict[str, str]) -> Row:
    capabilities = block["CapabilityBoundingSet"].upper().replace("CAP_", "").split()
    families = block["RestrictAddressFamilies"]
    return {
        "unit": template(block["Id"]), "user": block["User"] or "root",
        "may get": _listed(capabilities),
        "network": "one of its own, empty" if block["PrivateNetwork"] == "yes"
                   else families.replace("AF_", "") or "any",
    }


def _shown(row: Row) -> str:
    return " | ".join(row.values())


def _table(heading: str) -> list[Row]:
    """The first table below the heading. ValueError if there is none."""
    text = (ROOT / "docs" / "privileges.md").read_text(encoding="utf-8")
    section = text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    if len(lines) < 3:
        raise ValueError(f"docs/privileges.md: no table below {heading!r}")
    columns = _cells(lines[0])
    return [dict(zip(columns, _cells(line), strict=True)) for line in lines[2:]]


def _cells(line: str) -> list[str]:
    return [cell.strip().strip("`") for cell in line.strip().strip("|").split("|")]
