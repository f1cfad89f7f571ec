# SPDX-License-Identifier: GPL-3.0-or-later
"""Where does an address stand written? Runs inside the machine."""

from __future__ import annotations

import os
import socket
import stat
import subprocess

# Everything that can be written to. The laboratory's own files hold what its tests say.
PLACES = ("/run", "/tmp", "/var", "/home", "/etc", "/root", "/dev/shm", "/dev/mqueue", "/usr/local")
_NOT = ("/run/lethe-laboratory", "/run/lethe/laboratory", "/run/lethe/laboratory-layer",
        "/run/lethe/root", "/opt/lethe-laboratory")  # fmt: skip
_CHUNK = 1 << 20


def _in_file(path: str, patterns: dict[str, bytes]) -> list[str]:
    found, rest, longest = set(), b"", max(len(p) for p in patterns.values())
    with open(path, "rb") as file:
        while data := file.read(_CHUNK):
            rest = rest[-longest:] + data
            found |= {name for name, pattern in patterns.items() if pattern in rest}
    return [f"{path}: {name}" for name in sorted(found)]


def _files(top: str) -> list[str]:
    files = []
    for folder, folders, names in os.walk(top, followlinks=False):
        folders[:] = [name for name in folders if os.path.join(folder, name) not in _NOT]
        files += [os.path.join(folder, name) for name in names]
    return files


def of_addresses(addresses: list[str]) -> list[str]:
    """Files, and the journal's and the kernel's texts, in which one of the addresses is found, as text
    or as it is in a packet."""
    patterns = {address: address.encode() for address in addresses}
    patterns |= {f"{address} (binary)": socket.inet_aton(address) for address in addresses}
    found = []
    for path in sorted({path for top in PLACES for path in _files(top)}):
        try:
            if stat.S_ISREG(os.lstat(path).st_mode):
                found += _in_file(path, patterns)
        except FileNotFoundError:
            continue  # it has gone
    # The journal's files are compressed.
    for command in ["journalctl", "--no-pager", "-a", "-o", "export"], ["dmesg"]:
        text = subprocess.run(command, check=True, capture_output=True, timeout=240).stdout
        found += [f"{command[0]}: {name}" for name, pattern in patterns.items() if pattern in text]
    return found
