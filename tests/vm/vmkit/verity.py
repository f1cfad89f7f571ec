# SPDX-License-Identifier: GPL-3.0-or-later
"""dm-verity's hash tree, calculated by hand: a witness beside veritysetup and the kernel, and the
way to an image that was changed and hashed anew."""

from __future__ import annotations

import hashlib
from pathlib import Path

from . import media
from .iso9660 import Extent
from .media import BLOCK, Layout

SALT = bytes(32)


def hash_blocks(data: bytes) -> bytes:
    """The hashes of all blocks of @data, one after the other."""
    view = memoryview(data)
    return b"".join(hashlib.sha256(SALT + view[at:at + BLOCK]).digest()
                    for at in range(0, len(data), BLOCK))


def tree(data: bytes) -> tuple[bytes, str]:
    """The hash tree of @data as it is stored (top first), and the root hash."""
    levels: list[bytes] = []
    below = data
    while len(below) > BLOCK:
        hashes = hash_blocks(below)
        below = hashes.ljust(-(-len(hashes) // BLOCK) * BLOCK, b"\0")
        levels.insert(0, below)
    return b"".join(levels), hashlib.sha256(SALT + below).hexdigest()


def data_of(image: Path, where: Layout) -> bytes:
    return media.read(image, Extent(where.offset, where.blocks * BLOCK))


def hash_anew(image: Path) -> str:
    """Make the changed copy @image whole again: tree, superblock and menu are of its present data.
    Returns its root hash."""
    where = media.layout(image)
    stored, root_hash = tree(data_of(image, where))
    media.write(image, where.tree, stored)
    media.make_older(image, root_hash)
    return root_hash
