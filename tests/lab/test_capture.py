# SPDX-License-Identifier: GPL-3.0-or-later
"""The capture misses nothing, and says so when it does."""

from __future__ import annotations

import os
import socket
import struct
from pathlib import Path

import pytest

from labkit import capture, client, names
from labkit.capture import ETH_P_MARKER, Barrier, Capture, CaptureLoss, Frame
from labkit.lab import Lab

COUNT = 10_000
MARK = b"lethe capture test "
TARGET = ("198.51.100.201", 9)


def _numbers(frames: list[Frame]) -> list[int]:
    """The numbers in the datagrams that the host sent."""
    found = []
    for frame in frames:
        at = frame.data.find(MARK)
        # Not the errors and echoes that quote or return one.
        if frame.incoming and frame.data[23:24] == b"\x11" and at >= 0:
            found.append(struct.unpack_from("!I", frame.data, at + len(MARK))[0])
    return found


def _burst(first: int, count: int, processor: int | None = None) -> None:
    if processor is not None:
        os.sched_setaffinity(0, {processor})
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as endpoint:
        for number in range(first, first + count):
            endpoint.sendto(MARK + struct.pack("!I", number), TARGET)


def _frame(data: bytes) -> None:
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as endpoint:
        endpoint.bind((names.LAN_DEVICE, 0))
        endpoint.send(data)


def test_none_of_10000_is_missed(bare: Lab) -> None:
    with Capture(bare) as tap:
        bare.host.call(_burst, 0, COUNT, user=names.AMNESIA)
    assert _numbers(tap.stop()) == list(range(COUNT))
    assert tap.drops == 0


def test_none_is_missed_from_any_processor(bare: Lab) -> None:
    """The barrier must wait for every processor's queue, not only for the one that stops."""
    with Capture(bare) as tap:
        for round_number in range(100):
            for processor in sorted(os.sched_getaffinity(0)):
                number = round_number * 1000 + processor
                bare.host.call(_burst, number, 1, processor)
                assert number in _numbers(tap.take())


def test_start_and_stop_are_exact(bare: Lab) -> None:
    for number in range(0, 300, 3):
        bare.host.call(_burst, number, 1)
        with Capture(bare) as tap:
            bare.host.call(_burst, number + 1, 1)
        bare.host.call(_burst, number + 2, 1)
        assert _numbers(tap.stop()) == [number + 1]


def test_a_lost_frame_is_an_error(bare: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """The anti-test: with hardly any buffer and nobody reading, frames are lost and it is said."""
    monkeypatch.setattr(capture, "BUFFER_BYTES", 4096)
    monkeypatch.setattr(Capture, "_read", lambda self: None)
    tap = Capture(bare)
    tap.start()
    bare.host.call(_burst, 0, 1000)
    with pytest.raises(CaptureLoss, match="dropped [0-9]+ of"):
        tap.stop()
    assert len(_numbers(tap.stop())) < 1000


def test_the_barrier_goes_through_every_processor(bare: Lab) -> None:
    router, device = bare.ns(names.ROUTER), names.MARKER_DEVICES[1]
    processors = len(os.sched_getaffinity(0))
    barrier = Barrier(router)
    with Capture(bare, router, device, lambda frame: frame.ethertype == ETH_P_MARKER) as tap:
        assert len(tap.take()) == processors  # take() has a barrier of its own
        barrier.wait()
        assert len(tap.take()) == 2 * processors
    barrier.close()


def test_a_barrier_that_does_not_come_through_is_an_error(
    bare: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The anti-test: markers that get lost do not count as having arrived."""
    monkeypatch.setattr(capture, "BARRIER_SECONDS", 0.2)
    monkeypatch.setattr(names, "MARKER_DEVICES", (names.MARKER_DEVICES[0], "lo"))
    barrier = Barrier(bare.ns(names.ROUTER))
    with pytest.raises(TimeoutError, match="marker frames"):
        barrier.wait()
    barrier.close()


def test_both_directions_are_told_apart(bare: Lab) -> None:
    with Capture(bare) as tap:
        bare.host.call(client.udp_exchange, names.PRINTER_ADDRESS, 7, MARK, user=names.AMNESIA)
    printer = socket.inet_aton(names.PRINTER_ADDRESS)
    seen = [(f.incoming, f.data[26:30] == printer) for f in tap.stop() if MARK in f.data]
    assert seen == [(True, False), (False, True)]


@pytest.mark.parametrize("kind", [0x88B6, 0x0800, 0x86DD, 0x888E, 0x0806], ids=hex)
def test_raw_frames_are_seen_as_they_were(bare: Lab, kind: int) -> None:
    head = b"\xff" * 6 + b"\x02\x00\x00\x00\x00\x09" + struct.pack("!H", kind)
    data = head + MARK.ljust(60, b".")
    with Capture(bare) as tap:
        bare.host.call(_frame, data)
    assert data in [frame.data for frame in tap.stop() if frame.incoming]


def test_a_vlan_tag_is_not_lost(bare: Lab) -> None:
    inner = struct.pack("!H", 0x88B6) + MARK.ljust(60, b".")
    data = b"\xff" * 6 + b"\x02\x00\x00\x00\x00\x09" + b"\x81\x00\x00\x2a" + inner
    with Capture(bare) as tap:
        bare.host.call(_frame, data)
    assert data in [frame.data for frame in tap.stop()]


def test_only_what_is_wanted_is_kept(bare: Lab) -> None:
    with Capture(bare, keep=lambda frame: MARK in frame.data) as tap:
        bare.host.call(client.http_get, names.WEB_ADDRESS)
        bare.host.call(_burst, 0, 10)
    assert len(tap.stop()) >= 10
    assert all(MARK in frame.data for frame in tap.stop())


def test_other_devices(bare: Lab) -> None:
    with Capture(bare, bare.ns(names.WEB), names.LAN_DEVICE) as tap:
        bare.host.call(_burst, 0, 10)
    assert _numbers(tap.stop()) == list(range(10))


def test_pcap_file(bare: Lab, tmp_path: Path) -> None:
    with Capture(bare, keep=lambda frame: frame.incoming) as tap:
        bare.host.call(_burst, 0, 3)
    path = tmp_path / "frames.pcap"
    tap.write_pcap(path)
    data = path.read_bytes()
    assert struct.unpack_from("<IHH", data) == (0xA1B23C4D, 2, 4)
    offset, frames = 24, []
    while offset < len(data):
        seconds, nanoseconds, size, full = struct.unpack_from("<IIII", data, offset)
        assert size == full and seconds > 0 and nanoseconds < 10**9
        frames.append(data[offset + 16 : offset + 16 + size])
        offset += 16 + size
    assert frames == [frame.data for frame in tap.stop()]
