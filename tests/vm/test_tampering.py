# SPDX-License-Identifier: GPL-3.0-or-later
"""An image that was changed never reaches a shell, wherever the change is."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from vmkit import boot, guest_state, layer, media, verity
from vmkit.iso9660 import Extent, find
from vmkit.machine import Machine, Medium, Spec
from vmkit.media import BLOCK, Layout

Starter = Callable[..., Machine]
# The squashfs superblock's time of making: nothing that mounts it looks at this byte, so that only
# verification can object.
HARMLESS = 8
_INODE_TABLE_FIELD = 64  # in the squashfs superblock: where the inodes start


@dataclass(frozen=True)
class Damage:
    """What is done to a copy, and what stops it: an Outcome's kind, and words it says."""

    do: Callable[[Path, Layout], None]
    kinds: tuple[str, ...]
    says: str


def inode_table(image: Path, where: Layout) -> int:
    field = media.read(image, Extent(where.offset + _INODE_TABLE_FIELD, 8))
    return where.offset + int.from_bytes(field, "little")


def other_hash(image: Path, where: Layout) -> None:
    """Another root hash everywhere on the medium, the superblock included."""
    media.make_older(image, "f" * 64)


STOPPED = ("stopped",)
# Read by init or by the system, as it comes: the one says a sentence, the other stops the kernel.
EITHER = ("stopped", "panic", "ended")
DAMAGE = {
    "first-block": Damage(lambda image, where: media.flip(image, where.data_block(0) + HARMLESS),
                          STOPPED, r"block 0 of \d+ cannot be verified"),
    "last-block": Damage(lambda image, where: media.flip(image, where.data_block(-1) + BLOCK - 1),
                         STOPPED, r"block \d+ of \d+ cannot be verified"),
    "inodes": Damage(lambda image, where: media.flip(image, inode_table(image, where) + 20),
                     EITHER, ""),
    "top-of-tree": Damage(lambda image, where: media.flip(image, where.tree), STOPPED,
                          r"block 0 of \d+ cannot be verified"),
    "leaf-of-tree": Damage(lambda image, where: media.flip(image, where.leaf_of(0) + 5), STOPPED,
                           r"block 0 of \d+ cannot be verified"),
    "last-leaf-of-tree": Damage(lambda image, where: media.flip(image, where.leaf_of(-1)), STOPPED,
                                r"block \d+ of \d+ cannot be verified"),
    "blank-root": Damage(lambda image, where: media.blank(image, Extent(where.offset, 1 << 20)),
                         STOPPED, r"block 0 of \d+ cannot be verified"),
    "other-root-hash": Damage(other_hash, STOPPED, r"block 0 of \d+ cannot be verified"),
    "truncated": Damage(lambda image, where: media.truncate(image, where.tree + 3 * BLOCK),
                        ("grub",), "error: "),
    "no-kernel": Damage(lambda image, where: media.rename(image, media.KERNEL, "gone"), ("grub",),
                        "not found"),
    "no-initrd": Damage(lambda image, where: media.rename(image, media.INITRD, "gone"), ("grub",),
                        "not found"),
    "blank-kernel": Damage(lambda image, where: media.blank(image, find(image, media.KERNEL)),
                           ("grub",), ""),
    "blank-initrd": Damage(lambda image, where: media.blank(image, find(image, media.INITRD)),
                           ("panic", "ended"), ""),
}  # fmt: skip


@pytest.mark.parametrize("name", DAMAGE)
def test_damaged_image_never_reaches_a_shell(
    start: Starter, iso: Path, layout: Layout, place: Path, name: str
) -> None:
    damage = DAMAGE[name]
    image = media.copy(iso, place / "damaged.img")
    damage.do(image, layout)
    machine = start(Spec(medium=Medium(image, "usb")))
    outcome = boot.outcome(machine)
    assert outcome.kind in damage.kinds, outcome
    assert_no_shell(machine)
    said = machine.serial.text()
    assert boot.wait_said(machine, damage.says), said[-2000:]


def assert_no_shell(machine: Machine) -> None:
    assert not boot.reached_shell(machine.serial.text())


# Media that are no longer taken for this Lethe: init waits for the right one. ---------------------

UNKNOWN = {
    "root-hash-of-the-menu": lambda image, where: media.replace_in_menu(
        image, where.root_hash, "e" * 64),
    "no-superblock": lambda image, where: media.blank(image, Extent(where.superblock, BLOCK)),
}  # fmt: skip


@pytest.mark.parametrize("name", UNKNOWN)
def test_unknown_image_is_not_used(
    start: Starter, iso: Path, layout: Layout, place: Path, name: str
) -> None:
    image = media.copy(iso, place / "damaged.img")
    UNKNOWN[name](image, layout)
    machine = start(Spec(medium=Medium(image, "usb")))
    boot.wait_text(machine, r"Lethe: still waiting for the medium")
    assert_no_shell(machine)
    if name == "root-hash-of-the-menu":
        assert "holds another image than the one that was started" in machine.serial.text()


def test_truncated_image_is_not_used(
    start: Starter, iso: Path, layout: Layout, place: Path
) -> None:
    """As above, but the kernel could be loaded: init itself finds that the image is not whole."""
    image = media.copy(iso, place / "damaged.img")
    media.truncate(image, layout.tree + 3 * BLOCK)
    machine = start(Spec(medium=Medium(image, "usb"), kernel=media.kernel(iso, layout, place)))
    outcome = boot.outcome(machine)
    assert outcome.kind == "stopped", outcome
    assert "it ends before the image does" in outcome.text
    assert_no_shell(machine)


def test_waiting_takes_the_right_medium(
    start: Starter, iso: Path, layout: Layout, place: Path
) -> None:
    """The anti-test of the case above: only the medium was wrong."""
    image = media.copy(iso, place / "damaged.img")
    media.blank(image, Extent(layout.superblock, BLOCK))
    machine = start(Spec(medium=Medium(image, "usb")))
    boot.wait_text(machine, r"Lethe: waiting for the medium")
    machine.plug_medium(Medium(iso, "usb"), "good")
    boot.wait_prompt(machine)


# A damage that the start does not meet -----------------------------------------------------------


@pytest.mark.parametrize("where_in", ["data", "tree"])
def test_check_names_the_damaged_block(
    start: Starter, iso: Path, layout: Layout, place: Path, where_in: str
) -> None:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    block = random.Random(seed).randrange(layout.blocks // 4, layout.blocks)
    image = media.copy(iso, place / "damaged.img")
    if where_in == "data":
        media.flip(image, layout.data_block(block) + 1000)
    else:  # the hash of that block alone
        media.flip(image, layout.leaf_of(block) + block % media.HASHES_PER_BLOCK * 32)
        block -= block % media.HASHES_PER_BLOCK  # its neighbours cannot be verified either
    machine = start(Spec(medium=Medium(image, "usb")))
    boot.choose(machine, "check")
    outcome = boot.outcome(machine)
    assert outcome.kind == "stopped", outcome
    assert f"block {block} of {layout.blocks} cannot be verified" in outcome.text
    assert_no_shell(machine)


# A large program that no boot has a use for: nothing of it is in memory.
VICTIM = "/usr/bin/perl"


@pytest.mark.xdist_group("prompt")
def test_block_that_changes_later_stops_the_machine(
    start: Starter, iso: Path, layout: Layout, place: Path, prompt_spec: Spec, prompt_state: Path
) -> None:
    """Bytes of a program that nothing has read yet: it does not run, everything stops."""
    image = media.copy(iso, place / "changing.img")
    machine = start(replace(prompt_spec, medium=Medium(image, "usb")), saved=prompt_state)
    media.flip(image, *(layout.data_block(block) + 2000 for block in range(1, layout.blocks)))
    machine.serial.type(f"{VICTIM} -e 'print 6 * 7, chr 10'\n")
    outcome = boot.wait_stop(machine)
    assert outcome.kind in ("panic", "ended"), outcome
    assert not machine.serial.seen(r"^42$")


@pytest.mark.xdist_group("prompt")
def test_block_that_does_not_change_runs(at_prompt: Machine) -> None:
    """The anti-test of the case above."""
    assert guest_state.output(at_prompt, f"{VICTIM} -e 'print 6 * 7, chr 10'") == "42\n"


# The laboratory layer ----------------------------------------------------------------------------


@pytest.mark.parametrize("answer", [None, "no\n", "laboratory please\n"],
                         ids=["nothing", "no", "other-words"])
def test_laboratory_layer_needs_its_word(
    start: Starter, iso: Path, place: Path, answer: str | None
) -> None:
    offered = layer.build(place / "layer.squashfs",
                          extra={"/etc/profile.d/planted.sh": "echo PLAN''TED\n"})
    machine = start(Spec(medium=Medium(iso, "usb"), layer=offered))
    boot.wait_text(machine, boot.OFFER)
    if answer:
        machine.serial.type(answer)
    boot.wait_text(machine, r"Lethe: starting without the laboratory layer")
    boot.wait_prompt(machine)
    assert guest_state.boot_report(machine)["laboratory"] is False
    assert "LABORATORY" not in guest_state.status_text(machine)
    assert "PLANTED" not in machine.serial.text()


def test_laboratory_layer_with_its_word(start: Starter, iso: Path, place: Path) -> None:
    """The anti-test: the same layer is used, and seen, once the word was typed."""
    offered = layer.build(place / "layer.squashfs",
                          extra={"/etc/profile.d/planted.sh": "echo PLAN''TED\n"})
    machine = start(Spec(medium=Medium(iso, "usb"), layer=offered))
    boot.accept_laboratory(machine)
    greeting = boot.wait_prompt(machine)
    assert "LABORATORY" in greeting and "PLANTED" in greeting
    assert guest_state.boot_report(machine)["laboratory"] is True


# The detectors -----------------------------------------------------------------------------------


def test_detector_sees_a_shell(start: Starter, iso: Path) -> None:
    machine = start(Spec(medium=Medium(iso, "usb")))
    assert boot.outcome(machine).kind == "shell"
    assert boot.reached_shell(machine.serial.text())


def test_hash_tree_by_hand(iso: Path, layout: Layout) -> None:
    """Harness and builder agree on what is verified."""
    stored, root_hash = verity.tree(verity.data_of(iso, layout))
    assert root_hash == layout.root_hash
    assert media.read(iso, Extent(layout.tree, len(stored))) == stored


def test_tampered_image_with_its_own_hash_boots(
    start: Starter, iso: Path, layout: Layout, place: Path
) -> None:
    """The change of "first-block" is not what stops that image; that it was seen is."""
    image = media.copy(iso, place / "hashed.img")
    media.flip(image, layout.data_block(0) + HARMLESS)
    root_hash = verity.hash_anew(image)
    machine = start(Spec(medium=Medium(image, "usb")))
    boot.wait_prompt(machine)
    assert guest_state.boot_report(machine)["root_hash"] == root_hash
