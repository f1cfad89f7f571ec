# SPDX-License-Identifier: GPL-3.0-or-later
"""What others than lethe-wall may say to lethe-guard's socket."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
from pathlib import Path

from . import names, netns
from .guard import FOLDER, SECONDS
from .lab import Lab


def socket_of(lab: Lab) -> Path:
    number = os.stat(netns.path(lab.ns(names.HOST))).st_ino
    return FOLDER / f"guard-{number}.socket"


def ask_as(path: Path, uid: int) -> int:
    """Asks to open. 0, or the error of what failed."""
    pid = os.fork()
    if pid == 0:
        try:
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
            with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as client:
                client.settimeout(SECONDS)
                client.connect(str(path))
                client.send(b"1DGL\x03\x00\x00\x00")
                os._exit(0 if client.recv(4096) else errno.ECONNRESET)
        except OSError as error:
            os._exit(error.errno or 255)
        finally:
            os._exit(255)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def only_removal(batch: bytes) -> bytes:
    """The head of a batch (begin; create, remove) and its end: it would leave nothing."""
    messages, at = [], 0
    while at < len(batch):
        length = int.from_bytes(batch[at : at + 4], "little")
        messages.append(bytearray(batch[at : at + (length + 3 & ~3)]))
        at += length + 3 & ~3
    head = messages[:3]
    head[2][6] |= 4  # acknowledged
    return b"".join([*head, messages[-1]])


def hand_over(path: Path, content: bytes, sealed: bool) -> bytes:
    memory = os.memfd_create("batch", os.MFD_ALLOW_SEALING)
    try:
        os.write(memory, content)
        if sealed:
            fcntl.fcntl(memory, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK
                        | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE)  # fmt: skip
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as client:
            client.settimeout(SECONDS)
            client.connect(str(path))
            socket.send_fds(client, [b"1DGL\x01\x00\x00\x00"], [memory])
            return client.recv(4096)
    finally:
        os.close(memory)
