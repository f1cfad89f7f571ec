# SPDX-License-Identifier: GPL-3.0-or-later
"""A disk as other systems leave it: things that Lethe must not touch, though it could use them."""

from __future__ import annotations

import secrets
import struct
import subprocess
import zlib
from pathlib import Path

from .media import write

SECTOR = 512
_MIB = 1 << 20
_PART = 32 * _MIB
# Partition types of an MBR, and what is in each. 0xfd is what a kernel assembles by itself.
KINDS = {"swap": 0x82, "LVM2_member": 0x8E, "crypto_LUKS": 0x83, "linux_raid_member": 0xFD}


def make(disk: Path) -> Path:
    """Write a disk with swap, LVM, LUKS and RAID to @disk."""
    starts = {kind: _MIB + number * _PART for number, kind in enumerate(KINDS)}
    disk.write_bytes(b"")
    with disk.open("r+b") as file:
        file.truncate(_MIB + len(KINDS) * _PART)
    write(disk, 0, master_boot_record(starts))
    for kind, start in starts.items():
        part = disk.with_name(f"{disk.name}.{kind}")
        part.write_bytes(b"")
        with part.open("r+b") as file:
            file.truncate(_PART)
        _MAKERS[kind](part)
        found = identify(part)
        if found != kind:
            raise RuntimeError(f"a partition made as {kind} looks like {found or 'nothing'}")
        write(disk, start, part.read_bytes())
        part.unlink()
    return disk


def identify(part: Path) -> str:
    """What blkid takes it for; empty: nothing it knows."""
    result = subprocess.run(["blkid", "-p", "-s", "TYPE", "-o", "value", str(part)],
                            capture_output=True, text=True, check=False)
    return result.stdout.strip()


def master_boot_record(starts: dict[str, int]) -> bytes:
    table = b""
    for kind, start in starts.items():
        table += struct.pack("<B3sB3sII", 0, b"\xfe\xff\xff", KINDS[kind], b"\xfe\xff\xff",
                             start // SECTOR, _PART // SECTOR)
    return bytes(446) + table.ljust(64, b"\0") + b"\x55\xaa"


def _make_swap(part: Path) -> None:
    subprocess.run(["mkswap", "-q", str(part)], check=True, capture_output=True)


def _make_luks(part: Path) -> None:
    # The quickest key derivation there is: nobody opens it.
    line = ["cryptsetup", "luksFormat", "--batch-mode", "--type", "luks2", "--pbkdf", "pbkdf2",
            "--pbkdf-force-iterations", "1000", str(part), "-"]  # fmt: skip
    subprocess.run(line, input=b"secret", check=True, capture_output=True)


def lvm_checksum(data: bytes) -> int:
    """LVM's CRC-32: the usual polynomial, a start of its own, no inversion."""
    return zlib.crc32(data, 0xF597A6CF ^ 0xFFFFFFFF) ^ 0xFFFFFFFF


def _make_lvm(part: Path) -> None:
    """A physical volume: label in sector 1, metadata area from 4 KiB to 1 MiB, a group with one
    volume that is to be active."""
    area_start, area_size = 4096, _MIB - 4096
    header = b"P" * 32 + struct.pack("<QQQQQQQQQII", _PART, _MIB, 0, 0, 0, area_start, area_size,
                                     0, 0, 2, 1)  # fmt: skip
    rest = struct.pack("<I8s", 32, b"LVM2 001") + header
    rest = rest.ljust(SECTOR - 20, b"\0")
    label = b"LABELONE" + struct.pack("<QI", 1, lvm_checksum(rest)) + rest
    text = _lvm_metadata().encode() + b"\0"
    location = struct.pack("<QQII", SECTOR, len(text), lvm_checksum(text), 0) + bytes(24)
    area = b" LVM2 x[5A%r0N*>" + struct.pack("<IQQ", 1, area_start, area_size) + location
    area = area.ljust(SECTOR - 4, b"\0")
    write(part, SECTOR, label)
    write(part, area_start, struct.pack("<I", lvm_checksum(area)) + area + text)


def _lvm_metadata() -> str:
    extents = (_PART - _MIB) // SECTOR // 8192
    return f"""old {{
id = "{_lvm_id("V")}"
seqno = 2
format = "lvm2"
status = ["RESIZEABLE", "READ", "WRITE"]
flags = []
extent_size = 8192
max_lv = 0
max_pv = 0
metadata_copies = 0
physical_volumes {{
pv0 {{
id = "{_lvm_id("P")}"
device = "/dev/sda2"
status = ["ALLOCATABLE"]
flags = []
dev_size = {_PART // SECTOR}
pe_start = 2048
pe_count = {extents}
}}
}}
logical_volumes {{
home {{
id = "{_lvm_id("L")}"
status = ["READ", "WRITE", "VISIBLE"]
flags = []
segment_count = 1
segment1 {{
start_extent = 0
extent_count = 2
type = "striped"
stripe_count = 1
stripes = ["pv0", 0]
}}
}}
}}
}}
contents = "Text Format Volume Group"
version = 1
"""


def _lvm_id(letter: str) -> str:
    return "-".join(letter * length for length in (6, 4, 4, 4, 4, 4, 6))


def _make_raid(part: Path) -> None:
    """Version 0.90, the one that a kernel assembles without being asked: a mirror with one half."""
    start = (_PART // 65536 - 1) * 65536
    numbers = [0] * 1024
    numbers[0:4] = [0xA92B4EFC, 0, 90, 0]
    numbers[5] = secrets.randbits(32)  # first quarter of the UUID
    numbers[7:13] = [1, start // 1024, 1, 1, 0, 0]  # level, size in KiB, disks, minor, persistent
    numbers[32:37] = [0, 1, 1, 1, 0]  # changed at, state clean, active, working, failed
    numbers[128:133] = [0, 8, 4, 0, 0b110]  # the first disk: number, major, minor, role, in sync
    numbers[992:997] = numbers[128:133]  # this disk
    numbers[39] = 1  # events, low half
    total = sum(numbers)
    numbers[38] = (total & 0xFFFFFFFF) + (total >> 32) & 0xFFFFFFFF  # checksum without itself
    write(part, start, struct.pack("<1024I", *numbers))


_MAKERS = {
    "swap": _make_swap,
    "LVM2_member": _make_lvm,
    "crypto_LUKS": _make_luks,
    "linux_raid_member": _make_raid,
}
