# SPDX-License-Identifier: GPL-3.0-or-later
"""The medium: one ISO that starts as DVD and as USB or SD disk, from BIOS and from UEFI. GRUB finds
the files by the name of this very image, so that a second medium with Lethe confuses nothing."""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from . import cmdline
from .process import BuildError
from .root import BLOCK, RootImage
from .toolchain import Toolchain

VOLUME = "LETHE"
ESP_BYTES = 2 << 20
ESP_TYPE = "C12A7328-F81F-11D2-BA4B-00A0C93EC93B"
GRUB = "/usr/lib/grub"
MODULES = ("part_gpt", "part_msdos", "iso9660", "search", "search_fs_file", "normal", "configfile",
           "linux", "echo", "test", "regexp", "serial", "terminal", "minicmd", "sleep", "halt")
BIOS_MODULES = ("biosdisk",)
EFI_MODULES = ("fat", "efi_gop", "efi_uga")
# Run by GRUB's core, which knows commands but no "if". `cmdpath` is where GRUB came from: that disk
# is looked at first. If the menu cannot be had, there is a sentence and no prompt.
EARLY = """regexp --set=1:disk ^.([^,)]+) $cmdpath
search --no-floppy --file --set=root --hint=$disk /lethe/{uuid}
set prefix=($root)/boot/grub
configfile ($root)/boot/grub/grub.cfg
echo "Lethe stopped: the start menu could not be read from this medium. Write the medium anew."
sleep 30
halt
"""


@dataclass(frozen=True)
class Parts:
    """What the ISO is made of."""
    vmlinuz: Path
    initrd: Path
    root_file: Path
    root: RootImage
    boot: Path  # the folder image/boot
    date: int


def guid(root: RootImage, what: str) -> str:
    """A GUID that follows from the content."""
    digest = hashlib.sha256(f"{what} {root.root_hash}".encode()).hexdigest()
    return f"{digest[:8]}-{digest[8:12]}-4{digest[13:16]}-8{digest[17:20]}-{digest[20:32]}".upper()


def fat_serial(root: RootImage) -> str:
    return root.root_hash[:8].upper()


def menu(parts: Parts, offset: int) -> str:
    words = cmdline.parse((parts.boot / "cmdline").read_text())
    return cmdline.fill((parts.boot / "grub.cfg.in").read_text(), {
        f"LINE_{entry.upper()}": cmdline.line(words, entry, parts.root, offset)
        for entry in cmdline.ENTRIES})


def set_dates(folder: Path, date: int) -> None:
    """One date for all but the root image, which is a link to the cached file."""
    for path in [folder, *folder.rglob("*")]:
        os.utime(path, (date, date), follow_symlinks=False)


class Maker:
    def __init__(self, parts: Parts, work: Path, toolchain: Toolchain) -> None:
        self.parts = parts
        self.work = work
        self.toolchain = toolchain
        self.iso = work / "iso"
        self.environment = {"SOURCE_DATE_EPOCH": str(parts.date)}

    def _run(self, *argv: str, what: str) -> None:
        self.toolchain.run(argv, environment=self.environment, what=what)

    def _inside(self, name: str) -> str:
        return self.toolchain.inside(self.work / name)

    def lay_out(self) -> None:
        parts = self.parts
        (self.iso / "lethe").mkdir(parents=True)
        (self.iso / "boot/grub").mkdir(parents=True)
        for source, name in ((parts.vmlinuz, "vmlinuz"), (parts.initrd, "initrd.img"),
                             (parts.root_file, "root.img")):
            os.link(source, self.iso / "lethe" / name)
        (self.iso / "lethe" / parts.root.uuid).write_text("")

    def make_grub(self) -> None:
        (self.work / "early.cfg").write_text(EARLY.format(uuid=self.parts.root.uuid))
        common = ["grub-mkimage", "--config", self._inside("early.cfg"), "--prefix", "/boot/grub"]
        self._run(*common, "-O", "i386-pc", "-o", self._inside("core.img"), *MODULES, *BIOS_MODULES,
                  what="making GRUB for BIOS")
        self._run("sh", "-c", 'cat "$1/i386-pc/cdboot.img" "$2" >"$3"', "sh", GRUB,
                  self._inside("core.img"), self._inside("iso/boot/grub/eltorito.img"),
                  what="making GRUB for BIOS")
        self._run(*common, "-O", "x86_64-efi", "-o", self._inside("BOOTX64.EFI"), *MODULES,
                  *EFI_MODULES, what="making GRUB for UEFI")
        os.utime(self.work / "BOOTX64.EFI", (self.parts.date, self.parts.date))
        esp = self._inside("esp.img")
        with (self.work / "esp.img").open("wb") as file:
            file.truncate(ESP_BYTES)
        self._run("mkfs.vfat", "-i", fat_serial(self.parts.root), "-n", "LETHE-EFI", "--invariant",
                  esp, what="making the UEFI partition")
        self._run("mmd", "-i", esp, "::EFI", "::EFI/BOOT", what="making the UEFI partition")
        self._run("mcopy", "-m", "-i", esp, self._inside("BOOTX64.EFI"), "::EFI/BOOT/BOOTX64.EFI",
                  what="making the UEFI partition")

    def make_iso(self, offset: int) -> None:
        """One pass: the menu says `offset`."""
        date = self.parts.date
        stamp = time.strftime("%Y%m%d%H%M%S00", time.gmtime(date))
        (self.iso / "boot/grub/grub.cfg").write_text(menu(self.parts, offset))
        set_dates(self.iso, date)
        (self.work / "lethe.iso").unlink(missing_ok=True)
        self._run(
            "xorriso", "-as", "mkisofs", "-quiet", "-V", VOLUME, "-r", "-J",
            "--set_all_file_dates", stamp, f"--modification-date={stamp}",
            "--gpt_disk_guid", guid(self.parts.root, "disk"),
            "-b", "boot/grub/eltorito.img", "-no-emul-boot", "-boot-load-size", "4",
            "-boot-info-table", "--grub2-boot-info",
            "--grub2-mbr", f"{GRUB}/i386-pc/boot_hybrid.img",
            "-eltorito-alt-boot", "-e", "--interval:appended_partition_2:all::", "-no-emul-boot",
            "-append_partition", "2", ESP_TYPE, self._inside("esp.img"), "-appended_part_as_gpt",
            "-partition_offset", "16", "-o", self._inside("lethe.iso"), self._inside("iso"),
            what="making the ISO")

    def offset(self) -> int:
        """Where the ISO holds the root image, in bytes."""
        said = self.toolchain.output(
            ["xorriso", "-indev", self._inside("lethe.iso"), "-find", "/lethe/root.img", "-exec",
             "report_lba", "--"], what="looking up the root image")
        match = re.search(r"^File data lba:\s+0\s*,\s*(\d+)\s*,\s*(\d+)\s*,\s*(\d+)\s*,", said,
                          re.MULTILINE)
        if not match or int(match[3]) != self.parts.root.bytes:
            raise BuildError(f"the ISO does not hold the root image in one piece:\n{said}")
        return int(match[1]) * 2048

    def check(self, offset: int) -> None:
        """Init will look there; look first."""
        if not same_bytes(self.work / "lethe.iso", offset, self.parts.root_file):
            raise BuildError(f"the ISO does not hold the root image at byte {offset}")


def same_bytes(whole: Path, offset: int, part: Path) -> bool:
    """Does `whole` hold `part` at `offset`?"""
    with whole.open("rb") as one, part.open("rb") as two:
        one.seek(offset)
        while True:
            data = two.read(256 * BLOCK)
            if not data:
                return True
            if one.read(len(data)) != data:
                return False


def make(parts: Parts, work: Path, toolchain: Toolchain, detail: Callable[[str], None]) -> int:
    """Write `work`/lethe.iso. Where the root image lies is known when the ISO is made, and the menu
    inside must say it: so it is made again until both agree. Returns the offset."""
    maker = Maker(parts, work, toolchain)
    maker.lay_out()
    maker.make_grub()
    offset = 0
    for attempt in range(1, 5):
        detail(f"ISO, pass {attempt}")
        maker.make_iso(offset)
        found = maker.offset()
        if found == offset:
            maker.check(offset)
            return offset
        offset = found
    raise BuildError("the root image moves with each pass of making the ISO")
