# SPDX-License-Identifier: GPL-3.0-or-later
"""What was really on the wire: a capture that begins and ends exactly, and misses nothing.

The tap sits on the router's end of the host's link, so it sees what left the host, not what the
host says of itself. A frame that was sent before stop() or sync() is called is in the result: see
Barrier. If the kernel had to drop a frame for want of memory, that is an error, not a figure.
"""

from __future__ import annotations

import errno
import os
import secrets
import select
import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from . import names, netns

if TYPE_CHECKING:
    from .lab import Lab

ETH_P_ALL = 0x0003
ETH_P_MARKER = 0x88B5  # IEEE: for local experiments
SOL_PACKET = 263
PACKET_STATISTICS = 6
PACKET_AUXDATA = 8
SO_RCVBUFFORCE = 33
SO_TIMESTAMPNS = 35
TP_STATUS_VLAN_VALID = 0x10
TP_STATUS_VLAN_TPID_VALID = 0x40
ETH_P_8021Q = 0x8100

BUFFER_BYTES = 256 << 20
FRAME_BYTES = 1 << 17
BARRIER_SECONDS = 30.0


@dataclass(frozen=True)
class Frame:
    """One frame. @incoming: it came in over the link, so the node at the other end sent it."""

    time_ns: int
    data: bytes
    incoming: bool

    @property
    def ethertype(self) -> int:
        return int.from_bytes(self.data[12:14], "big")


class CaptureLoss(RuntimeError):
    """The kernel dropped frames before they could be read: the capture proves nothing."""


class Barrier:
    """Returns when every frame that was sent before has been through the receiving side.

    A virtual link hands a frame to the queue of the processor that sent it, and each such queue
    is worked off in order, whatever namespace a frame belongs to. So a marker is sent from every
    processor through a link that is there for nothing else; once all have come out, so has
    everything that was in front of them.
    """

    def __init__(self, ns: str) -> None:
        first, second = names.MARKER_DEVICES
        self._sender = netns.run_in(ns, _packet_socket, first, 0)
        self._receiver = netns.run_in(ns, _packet_socket, second, ETH_P_MARKER)
        self._lock = threading.Lock()

    def close(self) -> None:
        self._sender.close()
        self._receiver.close()

    def wait(self) -> None:
        with self._lock:
            expected = self._send_markers()
            deadline = time.monotonic() + BARRIER_SECONDS
            while expected:
                left = deadline - time.monotonic()
                if left <= 0:
                    raise TimeoutError("the capture's marker frames did not come back")
                if select.select([self._receiver], [], [], left)[0]:
                    expected.discard(self._receiver.recv(64)[14:30])

    def _send_markers(self) -> set[bytes]:
        before = os.sched_getaffinity(0)  # of this thread
        expected = set()
        try:
            for processor in _processors():
                if not _move_to(processor):
                    continue
                token = secrets.token_bytes(16)
                expected.add(token)
                self._sender.send(b"\x02" * 12 + struct.pack("!H", ETH_P_MARKER) + token)
        finally:
            os.sched_setaffinity(0, before)
        if not expected:
            raise RuntimeError("no processor could send a marker frame")
        return expected


class Capture:
    """Frames of one device, both directions. A context manager; the frames stay afterwards.

    @keep: which frames to keep (all if not given); it sees each frame once.
    """

    def __init__(
        self,
        lab: Lab,
        ns: str | None = None,
        device: str | None = None,
        keep: Callable[[Frame], bool] | None = None,
    ) -> None:
        self._ns = ns or lab.ns(names.ROUTER)
        self._device = device or names.HOST_LINK
        self._marker_ns = lab.ns(names.ROUTER)
        self._keep = keep
        self._frames: list[Frame] = []
        self._taken = 0
        self._lock = threading.Lock()
        self._buffer = bytearray(FRAME_BYTES)
        self._socket: socket.socket | None = None
        self.seen = 0  # frames that the kernel counted, dropped ones included
        self.drops = 0

    def __enter__(self) -> Capture:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self.stop()
        else:
            self._close()

    def start(self) -> None:
        """When this returns, the next frame sent is captured, and no earlier one is."""
        self._barrier = Barrier(self._marker_ns)
        self._socket = netns.run_in(self._ns, _tap, self._device)
        self._wake_read, self._wake_write = os.pipe2(os.O_CLOEXEC)
        self._reader = threading.Thread(target=self._read, name="capture", daemon=True)
        self._barrier.wait()
        self._drain(discard=True)
        self._reader.start()

    def stop(self) -> list[Frame]:
        """All frames from start() until now. The kernel having lost any: CaptureLoss."""
        if self._socket is None:
            return self._frames
        try:
            return self.sync()
        finally:
            self._close()

    def sync(self) -> list[Frame]:
        """All frames sent until now, without ending the capture. Raises CaptureLoss."""
        self._barrier.wait()
        self._drain()
        if self.drops:
            raise CaptureLoss(
                f"{self._device}: the kernel dropped {self.drops} of {self.seen} frames"
            )
        return list(self._frames)

    def take(self) -> list[Frame]:
        """As sync(), but only those that no earlier take() returned."""
        frames = self.sync()
        fresh = frames[self._taken :]
        self._taken = len(frames)
        return fresh

    def write_pcap(self, path: Path) -> None:
        """Write the frames so far for tcpdump and the like (nanoseconds, Ethernet)."""
        with open(path, "wb") as output:
            output.write(struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 262144, 1))
            for frame in list(self._frames):
                seconds, nanoseconds = divmod(frame.time_ns, 10**9)
                size = len(frame.data)
                output.write(struct.pack("<IIII", seconds, nanoseconds, size, size))
                output.write(frame.data)

    def _close(self) -> None:
        if self._socket is None:
            return
        os.close(self._wake_write)
        self._reader.join()
        os.close(self._wake_read)
        self._socket.close()
        self._socket = None
        self._barrier.close()

    def _read(self) -> None:
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        poll.register(self._wake_read, select.POLLIN | select.POLLHUP)
        while all(descriptor != self._wake_read for descriptor, _ in poll.poll()):
            self._drain()

    def _drain(self, discard: bool = False) -> None:
        with self._lock:
            while True:
                frame = self._receive()
                if frame is None:
                    break
                if not discard and (self._keep is None or self._keep(frame)):
                    self._frames.append(frame)
            seen, drops = struct.unpack(
                "II", self._socket.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8)
            )
            self.seen += seen
            self.drops += drops

    def _receive(self) -> Frame | None:
        try:
            size, ancillary, _, address = self._socket.recvmsg_into(
                [self._buffer], 256, socket.MSG_DONTWAIT
            )
        except BlockingIOError:
            return None
        data, time_ns = bytes(memoryview(self._buffer)[:size]), 0
        for level, kind, value in ancillary:
            if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPNS:
                seconds, nanoseconds = struct.unpack("ll", value[:16])
                time_ns = seconds * 10**9 + nanoseconds
            elif level == SOL_PACKET and kind == PACKET_AUXDATA:
                data = _with_vlan_tag(data, value)
        return Frame(time_ns, data, address[2] != socket.PACKET_OUTGOING)


def _with_vlan_tag(data: bytes, auxiliary: bytes) -> bytes:
    """The kernel takes a VLAN tag off before a tap sees the frame, and tells it aside."""
    status, _, _, _, _, tag, protocol = struct.unpack("IIIHHHH", auxiliary[:20])
    if not status & TP_STATUS_VLAN_VALID:
        return data
    if not status & TP_STATUS_VLAN_TPID_VALID:
        protocol = ETH_P_8021Q
    return data[:12] + struct.pack("!HH", protocol, tag) + data[12:]


def _packet_socket(device: str, protocol: int) -> socket.socket:
    result = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)
    result.bind((device, protocol))
    return result


def _tap(device: str) -> socket.socket:
    result = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)
    result.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER_BYTES)
    result.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    result.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
    result.bind((device, ETH_P_ALL))
    return result


def _processors() -> list[int]:
    """All that are running now, from a list such as "0-3,6"."""
    text = Path("/sys/devices/system/cpu/online").read_text(encoding="ascii").strip()
    found: list[int] = []
    for part in text.split(","):
        low, _, high = part.partition("-")
        found.extend(range(int(low), int(high or low) + 1))
    return found


def _move_to(processor: int) -> bool:
    """Run this thread there, or tell that nothing of ours may run there."""
    try:
        os.sched_setaffinity(0, {processor})
    except OSError as error:
        if error.errno == errno.EINVAL:
            return False
        raise
    return True
