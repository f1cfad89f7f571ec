# SPDX-License-Identifier: GPL-3.0-or-later
"""The root image: the tree as a squashfs, and behind it the dm-verity hash tree by which the kernel
verifies every block of it. The root hash names the image."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path

from .process import BuildError
from .toolchain import Toolchain

BLOCK = 4096
SALT = "0" * 64  # of no use here: the root hash is public, and equal trees shall have equal hashes
# Level 15 takes ten times the processor time of level 9, and saves 6 %.
COMPRESSION = ("-comp", "zstd", "-Xcompression-level", "9", "-b", "256K")


@dataclass(frozen=True)
class RootImage:
    root_hash: str
    data_blocks: int
    squashfs_bytes: int
    bytes: int

    @property
    def uuid(self) -> str:
        return uuid_of(self.root_hash)


def uuid_of(root_hash: str) -> str:
    """The superblock's UUID: the first half of the root hash, so that a medium can be told from its
    first bytes. What it claims is verified afterwards."""
    part = root_hash[:32]
    return "-".join((part[:8], part[8:12], part[12:16], part[16:20], part[20:]))


def pad(path: Path) -> int:
    """Fill up to whole blocks; returns how many they are."""
    blocks = -(-path.stat().st_size // BLOCK)
    with path.open("r+b") as file:
        file.truncate(blocks * BLOCK)
    return blocks


def format_verity(path: Path, blocks: int, uuid: str, toolchain: Toolchain) -> str:
    name = toolchain.inside(path)
    said = toolchain.output(
        ["veritysetup", "format", "--format=1", "--hash=sha256", f"--data-block-size={BLOCK}",
         f"--hash-block-size={BLOCK}", f"--data-blocks={blocks}", f"--hash-offset={blocks * BLOCK}",
         f"--salt={SALT}", f"--uuid={uuid}", name, name], what="making the hash tree")
    match = re.search(r"^Root hash:\s+([0-9a-f]{64})$", said, re.MULTILINE)
    if not match:
        raise BuildError(f"veritysetup named no root hash:\n{said}")
    return match[1]


def make(tree: Path, target: Path, date: int, order: Path, toolchain: Toolchain) -> RootImage:
    """`order` may hold mksquashfs's sort file: what is read at boot lies together."""
    inside = toolchain.inside
    sort = ["-sort", inside(order)] if order.is_file() else []
    toolchain.run(
        ["mksquashfs", inside(tree), inside(target), "-noappend", "-no-progress", "-no-recovery",
         *COMPRESSION, "-all-time", str(date), "-mkfs-time", str(date), *sort],
        what="making the file system")
    squashfs_bytes = target.stat().st_size
    blocks = pad(target)
    # The hash does not depend on the UUID, but the UUID on the hash: so twice.
    root_hash = format_verity(target, blocks, uuid_of("0" * 64), toolchain)
    if format_verity(target, blocks, uuid_of(root_hash), toolchain) != root_hash:
        raise BuildError("the root hash changed with the superblock's UUID")
    return RootImage(root_hash, blocks, squashfs_bytes, target.stat().st_size)


def keep(image: RootImage, path: Path) -> None:
    path.write_text(json.dumps(asdict(image)) + "\n")


def kept(path: Path) -> RootImage:
    return RootImage(**json.loads(path.read_text()))


def verify(path: Path, image: RootImage, toolchain: Toolchain) -> None:
    """Every block against the root hash, by the program that is not the kernel."""
    name = toolchain.inside(path)
    toolchain.run(["veritysetup", "verify", f"--hash-offset={image.data_blocks * BLOCK}",
                   name, name, image.root_hash], what="verifying the root image")
