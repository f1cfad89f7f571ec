# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests ask of the machine besides labkit's own functions. Runs inside it."""

from __future__ import annotations

import fcntl
import os
import socket
import struct
import subprocess
from pathlib import Path

from . import place

_SIOCGIFADDR, _SIOCSIFADDR, _SIOCSIFNETMASK = 0x8915, 0x8916, 0x891C


def run(
    argv: list[str],
    text: str | None,
    extra: dict[str, str] | None,
    timeout: float,
    directory: str,
) -> subprocess.CompletedProcess[str]:
    """As subprocess.run. The environment is that of the user it runs as."""
    return subprocess.run(
        argv,
        input=text or "",
        env=dict(os.environ) | (extra or {}),
        capture_output=True,
        text=True,
        errors="replace",
        timeout=timeout,
        cwd=directory,
        check=False,
    )


def start_clearnet() -> None:
    place.start_clearnet()


def stop_clearnet() -> None:
    place.stop_clearnet()


def devices() -> list[str]:
    """Network devices without the loopback, in the order of their numbers."""
    return [name for _, name in sorted(socket.if_nameindex()) if name != "lo"]


def address_of(device: str) -> str:
    """Its IPv4 address, or "" as long as it has none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        try:
            answer = fcntl.ioctl(any_socket, _SIOCGIFADDR, struct.pack("16s24x", device.encode()))
        except OSError:
            return ""
    return socket.inet_ntoa(answer[20:24])


def add_own_address(address: str) -> None:
    """One more address of this machine, which no link has: on an alias of the loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        # The mask too: by default it would be that of a network, which would then be here.
        for request, value in (_SIOCSIFADDR, address), (_SIOCSIFNETMASK, "255.255.255.255"):
            packed = struct.pack("16sHH4s16x", b"lo:1", socket.AF_INET, 0, socket.inet_aton(value))
            fcntl.ioctl(any_socket, request, packed)


def read_text(path: str) -> str:
    return Path(path).read_text(encoding="utf-8", errors="replace")


def write_text(path: str, text: str) -> None:
    Path(path).write_text(text, encoding="utf-8")
