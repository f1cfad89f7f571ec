# SPDX-License-Identifier: GPL-3.0-or-later
"""Images of media: where Lethe's parts are on one, copies of it, and damage done to a copy."""

from __future__ import annotations

import hashlib
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from .iso9660 import Extent, find
from .spec import Kernel

BLOCK = 4096
HASHES_PER_BLOCK = BLOCK // 32
VERITY_SIGNATURE = b"verity\0\0"
KERNEL, INITRD, ROOT = "/lethe/vmlinuz", "/lethe/initrd.img", "/lethe/root.img"
MENU = "/boot/grub/grub.cfg"
_UUID_OFFSET = 16  # in the verity superblock
_PIECE = 4 << 20


@dataclass(frozen=True)
class Layout:
    """What the kernel command line says of an image."""

    command_line: str
    root_hash: str
    blocks: int
    offset: int

    @property
    def superblock(self) -> int:
        return self.offset + self.blocks * BLOCK

    @property
    def tree(self) -> int:
        return self.superblock + BLOCK

    def data_block(self, number: int) -> int:
        """Where data block @number is in the image; -1 is the last."""
        return self.offset + number % self.blocks * BLOCK

    def tree_levels(self) -> list[Extent]:
        """The hash tree from its top (one block) down to the hashes of the data."""
        sizes = []
        below = self.blocks
        while below > 1:
            below = -(-below // HASHES_PER_BLOCK)
            sizes.append(below)
        levels, start = [], self.tree
        for size in reversed(sizes):
            levels.append(Extent(start, size * BLOCK))
            start += size * BLOCK
        return levels

    def leaf_of(self, number: int) -> int:
        """Where the hash block is that has the hash of data block @number."""
        return self.tree_levels()[-1].start + number % self.blocks // HASHES_PER_BLOCK * BLOCK


def parse_menu(text: str) -> Layout:
    """The layout that GRUB's menu gives the first entry's kernel. ValueError if it is unclear."""
    lines = re.findall(r"^\s*linux\S*\s+\S+\s+(.*)$", text, re.MULTILINE)
    if not lines:
        raise ValueError("the menu starts no kernel")
    words = dict(re.findall(r"\blethe\.(roothash|blocks|offset)=(\w+)", lines[0]))
    if set(words) != {"roothash", "blocks", "offset"}:
        raise ValueError(f"not a command line of Lethe's: {lines[0]}")
    return Layout(lines[0].strip(), words["roothash"], int(words["blocks"]), int(words["offset"]))


def layout(image: Path) -> Layout:
    return parse_menu(read(image, find(image, MENU)).decode("utf-8"))


def read(image: Path, extent: Extent) -> bytes:
    with image.open("rb") as file:
        file.seek(extent.start)
        return file.read(extent.length)


def write(image: Path, start: int, data: bytes) -> None:
    with image.open("r+b") as file:
        file.seek(start)
        file.write(data)


def extract(image: Path, path: str, to: Path) -> Path:
    """Copy the file @path of the image to @to."""
    to.write_bytes(read(image, find(image, path)))
    return to


def kernel(image: Path, where: Layout, to: Path) -> Kernel:
    """The image's own kernel, first file system and command line, in the directory @to, for a
    machine that starts without a boot loader."""
    return Kernel(extract(image, KERNEL, to / "vmlinuz"), extract(image, INITRD, to / "initrd.img"),
                  where.command_line)


def copy(image: Path, to: Path) -> Path:
    """A copy that may be changed; shares its blocks with @image where the file system can."""
    subprocess.run(["cp", "--reflink=auto", "--sparse=auto", str(image), str(to)], check=True)
    to.chmod(0o600)
    return to


def flip(image: Path, *positions: int) -> None:
    """Invert the lowest bit of each of these bytes."""
    with image.open("r+b") as file:
        for position in positions:
            file.seek(position)
            byte = file.read(1)
            file.seek(position)
            file.write(bytes([byte[0] ^ 1]))


def blank(image: Path, extent: Extent) -> None:
    write(image, extent.start, bytes(extent.length))


def replace(image: Path, old: bytes, new: bytes) -> int:
    """Replace every @old by @new, as long; returns how many there were."""
    if len(old) != len(new):
        raise ValueError("what is replaced must keep its length")
    places = []
    with image.open("rb") as file:
        base, window = 0, b""
        while piece := file.read(_PIECE):
            window += piece
            found = window.find(old)
            while found >= 0:
                places.append(base + found)
                found = window.find(old, found + len(old))
            cut = max(0, len(window) - len(old) + 1)
            base, window = base + cut, window[cut:]
    # A place that was found with the old window's end is not found again in the next one.
    for place in sorted(set(places)):
        write(image, place, new)
    return len(set(places))


def replace_in_menu(image: Path, old: str, new: str) -> None:
    """Replace @old by @new, as long, in GRUB's menu alone."""
    menu = find(image, MENU)
    text = read(image, menu)
    if len(old) != len(new) or old.encode() not in text:
        raise ValueError(f"the menu has no {old!r}, or {new!r} is not as long")
    write(image, menu.start, text.replace(old.encode(), new.encode()))


def rename(image: Path, path: str, start: str) -> None:
    """Let the name of the file @path start with other letters: it is not found any more."""
    name = path.rsplit("/", 1)[1].encode()
    new = start.encode() + name[len(start):]
    folder = find(image, path.rsplit("/", 1)[0])
    data = read(image, folder)
    if data.count(name) != 1 or new == name:
        raise ValueError(f"{image}: the name of {path} is not to be found")
    write(image, folder.start, data.replace(name, new))


def truncate(image: Path, length: int) -> None:
    with image.open("r+b") as file:
        file.truncate(length)


def superblock_uuid(root_hash: str) -> bytes:
    """What the verity superblock of an image with this root hash has as UUID."""
    return bytes.fromhex(root_hash)[:16]


def make_older(image: Path, root_hash: str = "0badc0de" * 8) -> None:
    """Make the copy @image another Lethe: its superblock and its menu tell of @root_hash."""
    where = layout(image)
    start = where.superblock
    if read(image, Extent(start, 8)) != VERITY_SIGNATURE:
        raise ValueError(f"{image}: no verity superblock at {start}")
    write(image, start + _UUID_OFFSET, superblock_uuid(root_hash))
    if replace(image, where.root_hash.encode(), root_hash.encode()) == 0:
        raise ValueError(f"{image}: its root hash is nowhere on it")


def card(image: Path, to: Path) -> Path:
    """A copy that fits a memory card: QEMU wants a power of two."""
    copy(image, to)
    truncate(to, 1 << (image.stat().st_size - 1).bit_length())
    return to


def sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            digest.update(piece)
    return digest.hexdigest()
