# SPDX-License-Identifier: GPL-3.0-or-later
"""The harness's own parts that need no virtual machine."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from vmkit import accel, boot, evidence, guest_state, iso9660, media, spec, strangers, verity
from vmkit.iso9660 import Extent
from vmkit.qmp import Qmp, QmpClosed, QmpError
from vmkit.serial import Cleaner, ConsoleClosed, Serial
from vmkit.spec import Files, Kernel, Medium, Nic, Spec

FILES = Files(Path("/case"), Path("/sockets"))

# The console ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"plain\r\n", "plain\n"),
        (b"\x1b[0;1;31mred\x1b[0m \x1b[2J\x1b[1;1Hx", "red x"),
        (b"\x1b]0;title\x07a\x1b]0;t\x1b\\b", "ab"),
        (b"\x1b[?2004hamnesia@x:~$ ", "amnesia@x:~$ "),
        (b"\x1b7\x1b8\x1b(B\x1bMok", "ok"),
        (b"\xff\xfe", "\ufffd\ufffd"),
    ],
)
def test_cleaner(raw: bytes, text: str) -> None:
    assert Cleaner().feed(raw) == text
    pieces = Cleaner()
    assert "".join(pieces.feed(raw[at:at + 1]) for at in range(len(raw))) == text


def test_cleaner_does_not_wait_for_ever() -> None:
    cleaner = Cleaner()
    assert cleaner.feed(b"\x1b]" + b"x" * 5000) != ""


@pytest.fixture
def console(tmp_path: Path) -> Iterator[tuple[Serial, socket.socket]]:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "serial"))
        listener.listen()
        serial = Serial(tmp_path / "serial", tmp_path / "log")
        guest, _ = listener.accept()
    yield serial, guest
    guest.close()
    serial.close()


def test_serial_waits_in_order(console: tuple[Serial, socket.socket], tmp_path: Path) -> None:
    serial, guest = console
    guest.sendall(b"one\r\ntwo\r\none\r\n")
    assert serial.wait(r"^one$", 10).start() == 0
    assert serial.wait(r"^one$", 10).start() == 8
    with pytest.raises(TimeoutError, match="two"):
        serial.wait(r"^two$", 0.05)
    assert serial.wait(r"^two$", 10, since=0)
    serial.type("a\n")
    assert guest.recv(10) == b"a\r"
    guest.sendall(b"three")
    assert serial.wait("three", 10)
    guest.close()
    with pytest.raises(ConsoleClosed):
        serial.wait("four", 10)
    assert (tmp_path / "log").read_bytes() == b"one\r\ntwo\r\none\r\nthree"


# QMP ---------------------------------------------------------------------------------------------


def _answer(listener: socket.socket, answers: list[list[dict]]) -> None:
    guest, _ = listener.accept()
    with guest, guest.makefile("rwb") as stream:
        stream.write(b'{"QMP": {}}\n')
        stream.flush()
        for answer in answers:
            stream.readline()
            for message in answer:
                stream.write(json.dumps(message).encode() + b"\n")
            stream.flush()


def test_qmp(tmp_path: Path) -> None:
    answers = [[{"return": {}}], [{"event": "A"}, {"event": "B"}, {"return": 5}],
               [{"error": {"desc": "no such thing"}}]]  # fmt: skip
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "qmp"))
        listener.listen()
        thread = threading.Thread(target=_answer, args=(listener, answers))
        thread.start()
        qmp = Qmp(tmp_path / "qmp")
        assert qmp.command("first") == 5
        assert qmp.wait_event("B", 5)["event"] == "B"
        with pytest.raises(QmpError, match="no such thing"):
            qmp.command("second")
        thread.join()
        with pytest.raises(QmpClosed):
            qmp.wait_event("B", 5)
        qmp.close()


# The command line --------------------------------------------------------------------------------


def option(line: list[str], name: str) -> list[str]:
    return [line[at + 1] for at, word in enumerate(line) if word == name]


def test_command_line_of_a_whole_computer() -> None:
    computer = Spec(
        medium=Medium(Path("/a,b.iso"), "dvd"), firmware="uefi", memory=512,
        nic=Nic("p-vm", Path("/run/netns/x")), disks=(Medium(Path("/d"), "virtio", writable=True),),
        layer=Path("/layer"),
    )  # fmt: skip
    line = spec.command_line(computer, FILES, "tcg")
    assert line[:3] == ["nsenter", "--net=/run/netns/x", "--"]
    assert "setpriv" in line and "-S" in line and "-incoming" not in line
    drives = option(line, "-drive")
    assert "if=none,id=medium,format=raw,file=/a,,b.iso,readonly=on" in drives
    assert "if=none,id=disk0,format=raw,file=/d" in drives
    assert "ide-cd,id=medium-device,drive=medium,bootindex=0" in option(line, "-device")
    assert option(line, "-m") == ["512"] and option(line, "-smp") == ["1"]
    assert option(line, "-fw_cfg") == ["name=opt/org.lethe.laboratory,file=/layer"]
    assert any(value.startswith("tap,id=net,ifname=p-vm") for value in option(line, "-netdev"))
    assert any(f"file={FILES.capture}" in value for value in option(line, "-object"))


def test_command_line_without_network_has_none() -> None:
    line = spec.command_line(Spec(), FILES, "tcg", incoming=True)
    assert not any("net" in word for word in line if word != "-nodefaults")
    assert option(line, "-incoming") == ["defer"]


def test_given_kernel_is_what_starts() -> None:
    kernel = Kernel(Path("/k"), Path("/i"), "quiet")
    line = spec.command_line(Spec(medium=Medium(Path("/m")), kernel=kernel), FILES, "tcg")
    assert option(line, "-kernel") == ["/k"] and option(line, "-append") == ["quiet"]
    assert not any("bootindex" in value for value in option(line, "-device"))


def test_card_that_is_plugged_later_has_its_cable_only() -> None:
    line = spec.command_line(Spec(nic=Nic(plugged=False)), FILES, "tcg")
    assert option(line, "-netdev") and not any("mac=" in value for value in line)


@pytest.mark.parametrize("make", [lambda: Medium(Path("/x"), "floppy"), lambda: Nic(model="ne2k"),
                                  lambda: Spec(firmware="coreboot")])  # fmt: skip
def test_unknown_parts_are_refused(make: object) -> None:
    with pytest.raises(ValueError, match="there are"):
        make()


# Accelerators ------------------------------------------------------------------------------------


def test_the_probe_runs_where_guests_run() -> None:
    assert accel.runs_guests("tcg", 120.0)


def test_the_probe_fails_where_they_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """Anti-test: an instruction that this processor does not have ends nothing well."""
    code = accel.probe_sector()
    out = bytes.fromhex("b015e6f4")
    assert code.count(out) == 1
    monkeypatch.setattr(accel, "probe_sector", lambda: code.replace(out, b"\x0f\x0b" * 2))
    assert not accel.runs_guests("tcg")
    assert not accel.runs_guests("no-such-accelerator")


# States of a boot --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    ["amnesia@localhost:~$ ", "noise\namnesia@lethe:/tmp$ ", "root@localhost:~# ", "# ", "sh-5.2# ",
     "~ # ", "(initramfs) ", "grub> ", "grub rescue> ", "localhost login: ", "lethe login: ",
     "Press Enter for maintenance"],
)  # fmt: skip
def test_shells_are_seen(text: str) -> None:
    assert boot.reached_shell("Lethe: found on sda\n" + text)


@pytest.mark.parametrize(
    "text",
    ["Lethe stopped: no disk holds this Lethe as it was made: sda holds this Lethe, but block 0.\n"
     "Press Enter to turn the computer off.\n",
     "Lethe: this virtual machine offers a laboratory layer. Type laboratory and Enter to use it; "
     "anything else starts without it.\n",
     "[    2.1] Kernel panic - not syncing: dm-verity device corrupted\n",
     "[    1.0] Command line: lethe.roothash=00 console=tty0 # x\n",
     "  Booting `Start Lethe'\nerror: file `/lethe/vmlinuz' not found.\nPress any key to continue"],
)  # fmt: skip
def test_other_words_are_no_shell(text: str) -> None:
    assert not boot.reached_shell(text)


def test_prompt_is_not_the_echo_of_a_command() -> None:
    assert re.search(boot.PROMPT, "amnesia@localhost:~$ ls\nfile\n", re.MULTILINE) is None


def test_parts_of_a_status() -> None:
    text = ("Lethe 0.3\nMedium  good: USB stick (sda), verified: every\n        block is checked.\n"
            "Filter  BAD: MISSING: nothing is filtered.\nTor     not yet: connecting, 5 %.\n")
    assert guest_state.part(text, "Medium") == "good: USB stick (sda), verified: every block is checked."
    assert guest_state.part(text, "Filter") == "BAD: MISSING: nothing is filtered."
    assert guest_state.part(text, "Links") == ""


# Images ------------------------------------------------------------------------------------------

MENU = """set default=start
menuentry "Start" {
	linux /lethe/vmlinuz lethe.roothash=%s lethe.blocks=300 lethe.offset=4096 quiet
	initrd /lethe/initrd.img
}
""" % ("ab" * 32)


def test_menu_tells_the_layout() -> None:
    layout = media.parse_menu(MENU)
    assert (layout.root_hash, layout.blocks, layout.offset) == ("ab" * 32, 300, 4096)
    assert layout.command_line.endswith(" quiet")
    with pytest.raises(ValueError, match="no kernel"):
        media.parse_menu("set default=start\n")
    with pytest.raises(ValueError, match="not a command line"):
        media.parse_menu("linux /vmlinuz quiet\n")


def test_tree_lies_where_the_layout_says() -> None:
    layout = media.parse_menu(MENU)
    data = bytes(range(256)) * 16 * 300
    stored, _ = verity.tree(data)
    levels = layout.tree_levels()
    assert [level.length for level in levels] == [4096, 3 * 4096]
    assert len(stored) == sum(level.length for level in levels)
    assert layout.leaf_of(299) == levels[1].start + 2 * 4096
    assert layout.leaf_of(-1) == layout.leaf_of(299)


def test_hash_tree_is_veritysetups(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.write_bytes(b"".join(number.to_bytes(4, "big") * 1024 for number in range(200)))
    line = ["veritysetup", "format", "--salt", "0" * 64, "--no-superblock", str(data),
            str(tmp_path / "tree")]  # fmt: skip
    said = subprocess.run(line, capture_output=True, text=True, check=True).stdout
    stored, root_hash = verity.tree(data.read_bytes())
    assert re.search(r"Root hash:\s+(\w+)", said)[1] == root_hash
    assert (tmp_path / "tree").read_bytes() == stored


def test_replace_across_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(media, "_PIECE", 7)
    image = tmp_path / "image"
    image.write_bytes(b"..needle......needleneedle.")
    assert media.replace(image, b"needle", b"NEEDLE") == 3
    assert image.read_bytes() == b"..NEEDLE......NEEDLENEEDLE."
    assert media.replace(image, b"nothing", b"NOTHING") == 0
    with pytest.raises(ValueError, match="length"):
        media.replace(image, b"a", b"bb")


def test_flip_changes_one_bit(tmp_path: Path) -> None:
    image = tmp_path / "image"
    image.write_bytes(b"abc")
    media.flip(image, 1)
    assert image.read_bytes() == b"acc"


def _record(name: bytes, rock_ridge: bytes, sector: int, length: int) -> bytes:
    body = bytearray(33)
    body[2:6], body[10:14] = sector.to_bytes(4, "little"), length.to_bytes(4, "little")
    body[32] = len(name)
    record = bytes(body) + name + b"\0" * (1 - len(name) % 2)
    if rock_ridge:
        record += b"PX\x04\x01" + b"NM" + bytes([5 + len(rock_ridge), 1, 0]) + rock_ridge
    return bytes([len(record)]) + record[1:]


@pytest.fixture
def small_iso(tmp_path: Path) -> Path:
    root = _record(b"\0", b"", 20, 2048) + _record(b"\1", b"", 20, 2048)
    # The second sector of the directory has an entry, too.
    root = root.ljust(2048, b"\0") + _record(b"LETHE", b"lethe", 22, 2048)
    folder = _record(b"ROOT.IMG;1", b"root.img", 23, 5) + _record(b"A.;1", b"", 24, 1)
    image = bytearray(25 * 2048)
    image[16 * 2048:16 * 2048 + 6] = b"\x01CD001"
    entry = _record(b"\0", b"", 20, 4096)
    image[16 * 2048 + 156:16 * 2048 + 156 + len(entry)] = entry
    image[20 * 2048:20 * 2048 + len(root)] = root
    image[22 * 2048:22 * 2048 + len(folder)] = folder
    image[23 * 2048:23 * 2048 + 5] = b"hello"
    path = tmp_path / "small.iso"
    path.write_bytes(image)
    return path


def test_files_of_an_iso(small_iso: Path) -> None:
    assert iso9660.find(small_iso, "/lethe/root.img") == Extent(23 * 2048, 5)
    assert iso9660.find(small_iso, "/lethe/A") == Extent(24 * 2048, 1)
    with pytest.raises(FileNotFoundError, match="/lethe/other"):
        iso9660.find(small_iso, "/lethe/other")
    media.rename(small_iso, "/lethe/root.img", "gone")
    with pytest.raises(FileNotFoundError):
        iso9660.find(small_iso, "/lethe/root.img")
    assert iso9660.find(small_iso, "/lethe/gone.img").length == 5


def test_what_is_no_iso_is_refused(tmp_path: Path) -> None:
    (tmp_path / "none").write_bytes(bytes(64 << 10))
    with pytest.raises(ValueError, match="no ISO"):
        iso9660.find(tmp_path / "none", "/x")


def test_card_has_a_power_of_two(tmp_path: Path) -> None:
    image = tmp_path / "image"
    image.write_bytes(b"x" * 5000)
    assert media.card(image, tmp_path / "card").stat().st_size == 8192


def test_strangers_are_what_they_say(tmp_path: Path) -> None:
    disk = strangers.make(tmp_path / "disk")
    record = media.read(disk, Extent(0, 512))
    assert record[-2:] == b"\x55\xaa"
    assert [record[450 + 16 * number] for number in range(4)] == list(strangers.KINDS.values())
    assert strangers.identify(tmp_path / "disk.swap") == ""


# Evidence ----------------------------------------------------------------------------------------


def test_a_case_has_one_directory_and_one_command() -> None:
    case = "tests/vm/test_boots.py::test_starts[bios-usb]"
    assert evidence.directory(case).parent == evidence.OUTPUT
    assert evidence.directory(case) != evidence.directory(case.replace("bios", "uefi"))
    assert "'tests/vm/test_boots.py::test_starts[bios-usb]'" in evidence.again(case)
