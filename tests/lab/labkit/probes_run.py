# SPDX-License-Identifier: GPL-3.0-or-later
"""Sends the probes: inside the host under test, one process for each user.

The users' processes keep the rights to make raw sockets and the like, because it is the user's
number that the filter looks at, and a right gained must not be a way out.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import json
import os
import select
import signal
import socket
import struct
import subprocess
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from . import names, probes
from .promise import BLOCKED, promise

PR_SET_PDEATHSIG, PR_SET_KEEPCAPS = 1, 8
CAP_NET_BIND_SERVICE, CAP_NET_ADMIN, CAP_NET_RAW, CAP_IPC_LOCK = 10, 12, 13, 14
_RIGHTS = sum(1 << bit for bit in (CAP_NET_BIND_SERVICE, CAP_NET_ADMIN, CAP_NET_RAW, CAP_IPC_LOCK))
_CAPABILITY_VERSION_3 = 0x20080522
SIOCGIFHWADDR = 0x8927
REFUSAL_SECONDS = 3.0
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass
class Result:
    """What the program that sent it was told."""

    error: str = ""  # the errno's name, of the call that sent
    refused: str = ""  # for connections: the errno's name that ended it
    unsupported: str = ""  # why this kernel cannot send that


@dataclass
class Sent:
    results: dict[int, Result]
    elsewhere: list[bytes]  # frames that came out at other devices of the host


def send_all(run: str, users: tuple[str, ...], wait_for_refusals: bool,
             device: str = names.LAN_DEVICE) -> Sent:
    """Called as root in the host under test's namespaces. Sends every probe of every column."""
    classes = probes.table()
    allow_ping_sockets()
    sent = Sent({}, [])
    with _sinks(device):
        running = [_start(run, classes, column, user, device, wait_for_refusals)
                   for column, user in enumerate(users)]
        for pid, answer in running:
            _collect(pid, answer, sent)
        if names.ROOT in users:
            _send_late(run, classes, users.index(names.ROOT), device, sent)
    return sent


def allow_ping_sockets() -> None:
    """To every group, as the distributions do."""
    Path("/proc/sys/net/ipv4/ping_group_range").write_text("0 2147483647", encoding="ascii")


class _sinks:
    """Neighbours that need not answer, so that probes to them wait for nobody."""

    def __init__(self, device: str) -> None:
        self._words = [[address, "lladdr", ":".join(f"{byte:02x}" for byte in probes.SINK_MAC),
                        "dev", device, "nud", "permanent"]
                       for address in (probes.SINK_ULA, probes.SINK_LINK_LOCAL)]

    def __enter__(self) -> None:
        for words in self._words:
            subprocess.run(["ip", "neigh", "replace", *words], check=True, capture_output=True)

    def __exit__(self, *_: object) -> None:
        for words in self._words:
            subprocess.run(["ip", "neigh", "del", *words[:5]], check=False, capture_output=True)


# ---- one user -----------------------------------------------------------------------------------


def _start(run: str, classes: tuple[probes.ProbeClass, ...], column: int, user: str, device: str,
           wait_for_refusals: bool) -> tuple[int, int]:
    """The user's process, once it has sent everything: it still waits for refusals meanwhile."""
    answer_read, answer_write = os.pipe2(os.O_CLOEXEC)
    sent_read, sent_write = os.pipe2(os.O_CLOEXEC)
    pid = os.fork()
    if pid == 0:
        try:
            os.close(answer_read)
            os.close(sent_read)
            _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            data = _user(run, classes, column, user, device, wait_for_refusals, sent_write)
        except BaseException as error:  # told to the parent, which fails
            data = json.dumps({"failed": f"{type(error).__name__}: {error}"}).encode()
        finally:
            write_all(answer_write, data)
            os._exit(0)
    os.close(answer_write)
    os.close(sent_write)
    os.read(sent_read, 1)  # a byte, or the end of the process
    os.close(sent_read)
    return pid, answer_read


def write_all(descriptor: int, data: bytes) -> None:
    with os.fdopen(descriptor, "wb") as output:
        output.write(data)


def _collect(pid: int, answer: int, sent: Sent) -> None:
    with os.fdopen(answer, "rb") as source:
        data = source.read()
    os.waitpid(pid, 0)
    answers = json.loads(data) if data else {"failed": "it ended without an answer"}
    if "failed" in answers:
        raise RuntimeError(f"a probe process failed: {answers['failed']}")
    for number, result in answers["results"].items():
        sent.results[int(number)] = Result(**result)
    sent.elsewhere += [bytes.fromhex(frame) for frame in answers["elsewhere"]]


def _user(run: str, classes: tuple[probes.ProbeClass, ...], column: int, user: str, device: str,
          wait_for_refusals: bool, sent_write: int) -> bytes:
    uid = names.user(user).uid
    handed = [_make_handed(uid) if entry.name.startswith("handed-") else {} for entry in classes]
    become(uid, names.user(user).gid)
    results: dict[int, Result] = {}
    waiting: dict[int, socket.socket] = {}
    keep: list[object] = []
    for index, entry in enumerate(classes):
        if entry.late or (entry.users and user not in entry.users):
            continue
        context = _context(run, index, column, user, uid, device)
        context.handed = handed[index]
        results[context.number] = _send(entry, context)
        keep += context.keep
        if context.watch and entry.refused_at_once and promise(entry.traffic, user) == BLOCKED:
            waiting[context.number] = context.watch
    os.write(sent_write, b".")
    os.close(sent_write)
    _await_refusals(waiting, results, REFUSAL_SECONDS if wait_for_refusals else 0.0)
    return json.dumps({"results": {number: asdict(result) for number, result in results.items()},
                       "elsewhere": []}).encode()


def _context(run: str, index: int, column: int, user: str, uid: int,
             device: str) -> probes.Context:
    return probes.Context(run, probes.number(index, column), user, uid, device,
                          socket.if_nametoindex(device), _mac_of(device))


def _mac_of(device: str) -> bytes:
    """By a socket: /sys may show another namespace's devices."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        answer = fcntl.ioctl(sock, SIOCGIFHWADDR, struct.pack("16s24x", device.encode()))
    return answer[18:24]


def _send(entry: probes.ProbeClass, context: probes.Context) -> Result:
    try:
        entry.send(context)
    except probes.Unsupported as reason:
        return Result(unsupported=str(reason))
    except OSError as error:
        return Result(error=errno.errorcode.get(error.errno or 0, str(error)))
    return Result()


def _make_handed(uid: int) -> dict[str, socket.socket]:
    """Sockets by other makers, while this process may still be anyone."""
    made: dict[str, socket.socket] = {}
    for maker, maker_uid in (("root", 0), ("tor", names.user(names.DEBIAN_TOR).uid), ("self", uid)):
        os.seteuid(maker_uid)
        try:
            made[maker + " tcp"] = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            made[maker + " udp"] = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        finally:
            os.seteuid(0)
    return made


def become(uid: int, gid: int) -> None:
    """Be the user for good, with the rights above and no others."""
    if uid == 0:
        return
    if _libc.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    data = (ctypes.c_uint32 * 6)(_RIGHTS, _RIGHTS, 0, 0, 0, 0)
    if _libc.capset(header, data) != 0:
        raise OSError(ctypes.get_errno(), "capset")


def _await_refusals(waiting: dict[int, socket.socket], results: dict[int, Result],
                    seconds: float) -> None:
    """Note how each connection ended, as far as it has by the deadline."""
    pending = {sock.fileno(): number for number, sock in waiting.items()}
    poll = select.poll()
    for descriptor in pending:
        poll.register(descriptor, select.POLLOUT)
    deadline = time.monotonic() + seconds
    while pending:
        left = max(0.0, deadline - time.monotonic())
        events = poll.poll(left * 1000)
        for descriptor, _ in events:
            poll.unregister(descriptor)
            number = pending.pop(descriptor)
            code = waiting[number].getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            results[number].refused = errno.errorcode.get(code, str(code)) if code else "connected"
        if not events and left == 0.0:
            return


# ---- what changes devices -----------------------------------------------------------------------


def _send_late(run: str, classes: tuple[probes.ProbeClass, ...], column: int, device: str,
               sent: Sent) -> None:
    for index, entry in enumerate(classes):
        if entry.late:
            context = _context(run, index, column, names.ROOT, 0, device)
            sent.results[context.number] = _send(entry, context)
            sent.elsewhere += context.elsewhere
