# SPDX-License-Identifier: GPL-3.0-or-later
"""The cpio writer, read back by cpio(1) where it is installed, and the choice of modules."""

from __future__ import annotations

import lzma
import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest
from builder import cpio, initramfs, modules
from builder.modules import Index
from builder.process import BuildError

DATE = 1_700_000_000


def test_cpio_header_field_by_field() -> None:
    data = cpio.write([cpio.Entry("f", 0o640, b"hello")], DATE)
    fields = [int(data[6 + 8 * n:14 + 8 * n], 16) for n in range(13)]
    assert data[:6] == b"070701"
    assert fields == [1, stat.S_IFREG | 0o640, 0, 0, 1, DATE, 5, 0, 0, 0, 0, 2, 0]
    assert data[110:112] == b"f\0" and data[112:117] == b"hello"
    assert len(data) % 4 == 0 and b"TRAILER!!!\0" in data


@pytest.mark.parametrize("paths", [["a", "a"], ["/a"], ["a/b"], ["a/b", "a"]])
def test_cpio_refuses_a_wrong_order(paths: list[str]) -> None:
    with pytest.raises(ValueError):
        cpio.write([cpio.Entry(path, 0o755) for path in paths], DATE)


@pytest.mark.skipif(shutil.which("cpio") is None, reason="cpio is not installed")
def test_cpio_is_what_cpio_reads(tmp_path: Path) -> None:
    entries = [cpio.Entry("d", 0o755), cpio.Entry("d/odd", 0o755, b"123"),
               cpio.Entry("d/empty", 0o644, b""), cpio.Entry("d/big", 0o600, os.urandom(70001))]
    subprocess.run(["cpio", "-id", "--quiet", "--no-absolute-filenames"], cwd=tmp_path, check=True,
                   input=cpio.write(entries, DATE))
    for entry in entries:
        path = tmp_path / entry.path
        assert stat.S_IMODE(path.stat().st_mode) == entry.mode
        if entry.data is not None:
            assert path.read_bytes() == entry.data


def index() -> Index:
    found = Index()
    modules.read_dep("kernel/drivers/scsi/sd_mod.ko: kernel/drivers/scsi/scsi_mod.ko "
                     "kernel/lib/common.ko\n"
                     "kernel/drivers/scsi/scsi_mod.ko: kernel/lib/common.ko\n"
                     "kernel/lib/common.ko:\n"
                     "kernel/drivers/md/dm-verity.ko.xz: kernel/lib/common.ko\n"
                     "kernel/crypto/sum-fast.ko:\nkernel/crypto/sum-slow.ko:\n"
                     "kernel/drivers/usb/stick.ko:\n"
                     "kernel/drivers/net/card.ko:\n", found)
    modules.read_alias("alias scsi:t-0x00* sd_mod\nalias block-major-8-* sd_mod\n"
                       "alias usb:v1234p5678d* stick\nalias usb:v*p*ic08* stick\n"
                       "alias crypto-sum sum_fast\nalias crypto-sum sum-slow\n"
                       "alias pci:v1* card\n# comment\n", found)
    modules.read_softdep("softdep dm_verity pre: crypto-sum post: sd_mod\n", found)
    found.builtin = {"i8042"}
    return found


def chosen(wishes: str) -> list[modules.Module]:
    return modules.choose(modules.parse_wishes(wishes), index())


def test_needs_come_first_and_at_once_before_on_demand() -> None:
    found = chosen("alias sd_mod\nalways dm_verity\n")
    names = [module.name for module in found]
    assert names.index("common") < names.index("dm_verity") < names.index("sd_mod")
    assert names.index("common") < names.index("scsi_mod") < names.index("sd_mod")
    assert {module.name: module.when for module in found} == {
        "common": "dep", "sum_fast": "dep", "sum_slow": "dep", "dm_verity": "always",
        "scsi_mod": "dep", "sd_mod": "alias"}


def test_softdeps_by_what_they_offer() -> None:
    (verity,) = (module for module in chosen("always dm-verity") if module.when == "always")
    assert set(verity.needs) == {"common", "sum_fast", "sum_slow"}
    assert verity.file == "dm-verity.ko"


def test_the_list_that_init_reads() -> None:
    text = modules.list_text(chosen("alias sd_mod"))
    assert text == ("common.ko\tdep\t-\n"
                    "scsi_mod.ko\tdep\tcommon.ko\n"
                    "sd_mod.ko\talias\tcommon.ko,scsi_mod.ko\tscsi:t-0x00*\n")


def test_aliases_are_of_devices_and_by_class() -> None:
    assert modules.device_aliases(["usb:v1p2d*", "usb:v*p*ic08*", "block-major-8-*", "fs-x"]) == [
        "usb:v*p*ic08*"]
    assert modules.device_aliases(["usb:v1p2d*", "pci:v1*"]) == ["pci:v1*", "usb:v1p2d*"]


def test_built_in_needs_no_file() -> None:
    assert chosen("alias i8042") == []


def test_no_network_driver_ever() -> None:
    with pytest.raises(BuildError, match="network"):
        chosen("alias card")


def test_a_module_that_is_not_there() -> None:
    with pytest.raises(BuildError, match="no module ghost"):
        chosen("always ghost")


def test_a_module_that_no_device_asks_for() -> None:
    with pytest.raises(BuildError, match="no device ever asks for common"):
        chosen("alias common")


def test_modules_that_need_each_other() -> None:
    found = Index(path={"a": "k/a.ko", "b": "k/b.ko"}, needs={"a": ["b"], "b": ["a"]})
    with pytest.raises(BuildError, match="need each other"):
        modules.choose([("always", "a")], found)


@pytest.mark.parametrize("line", ["dm-mod", "sometimes dm-mod", "always a b"])
def test_bad_wishes(line: str) -> None:
    with pytest.raises(BuildError, match="line 2"):
        modules.parse_wishes(f"# comment\n{line}\n")


def make_tree(root: Path) -> Path:
    kernel = root / "usr/lib/modules/6.1"
    (kernel / "kernel").mkdir(parents=True)
    (kernel / "kernel/a.ko").write_bytes(b"plain")
    (kernel / "kernel/b.ko.xz").write_bytes(lzma.compress(b"packed"))
    (kernel / "modules.dep").write_text("kernel/a.ko: kernel/b.ko.xz\nkernel/b.ko.xz:\n")
    for name in ("alias", "softdep", "builtin"):
        (kernel / f"modules.{name}").write_text("")
    programs = root / "usr/lib/lethe/initramfs"
    programs.mkdir(parents=True)
    for name in ("init", "lethe-wall"):
        (programs / name).write_bytes(name.encode())
    return root


def test_what_the_first_file_system_holds(tmp_path: Path) -> None:
    entries = initramfs.entries(make_tree(tmp_path), "6.1", "always a\n")
    files = {entry.path: entry.data for entry in entries if entry.data is not None}
    assert files == {
        "init": b"init", "sbin/lethe-wall": b"lethe-wall",
        "lib/lethe/modules/a.ko": b"plain", "lib/lethe/modules/b.ko": b"packed",
        "lib/lethe/modules.list": b"b.ko\tdep\t-\na.ko\talways\tb.ko\n"}
    assert {entry.path for entry in entries if entry.data is None} >= {"proc", "newroot", "dev"}
    assert cpio.write(entries, DATE) == cpio.write(entries, DATE)


def test_a_tree_without_init(tmp_path: Path) -> None:
    tree = make_tree(tmp_path)
    (tree / "usr/lib/lethe/initramfs/init").unlink()
    with pytest.raises(BuildError, match="lethe-live"):
        initramfs.entries(tree, "6.1", "always a\n")


def test_the_wishes_of_this_tree() -> None:
    file = Path(__file__).resolve().parent / "initramfs/modules"
    wishes = modules.parse_wishes(file.read_text())
    always = [name for when, name in wishes if when == "always"]
    assert {"dm_verity", "squashfs", "overlay", "nf_tables", "loop"} <= set(always)
    assert len(wishes) == len(set(wishes))
