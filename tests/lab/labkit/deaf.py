# SPDX-License-Identifier: GPL-3.0-or-later
"""A process whose rtnetlink sockets hear nothing for a while: the kernel's answers, or what it tells of
changes, are dropped on their way to it."""

from __future__ import annotations

import ctypes
import os
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager

_PIDFD_GETFD = 438  # on all of Linux' architectures
_RETURN_NOTHING = struct.pack("=HBBI", 0x06, 0, 0, 0)  # a filter that lets no byte pass
_SO_ATTACH_FILTER, _SO_DETACH_FILTER = 26, 27


def _take(pid: int, number: int) -> int:
    process = os.pidfd_open(pid)
    try:
        taken = ctypes.CDLL(None, use_errno=True).syscall(_PIDFD_GETFD, process, number, 0)
    finally:
        os.close(process)
    if taken < 0:
        raise OSError(ctypes.get_errno(), "pidfd_getfd")
    return taken


def _netlink(pid: int, listens: bool) -> socket.socket:
    """The one that is told of changes, or the one that asks."""
    for name in os.listdir(f"/proc/{pid}/fd"):
        if not os.readlink(f"/proc/{pid}/fd/{name}").startswith("socket:"):
            continue
        found = socket.socket(fileno=_take(pid, int(name)))
        if found.family == socket.AF_NETLINK and (found.getsockname()[1] != 0) == listens:
            return found
        found.close()
    raise LookupError(f"process {pid} has no such socket")


@contextmanager
def deaf(pid: int, listens: bool) -> Iterator[None]:
    with _netlink(pid, listens) as taken:
        program = ctypes.create_string_buffer(_RETURN_NOTHING, len(_RETURN_NOTHING))
        taken.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER,
                         struct.pack("HP", 1, ctypes.addressof(program)))  # fmt: skip
        try:
            yield
        finally:
            taken.setsockopt(socket.SOL_SOCKET, _SO_DETACH_FILTER, 0)
