# SPDX-License-Identifier: GPL-3.0-or-later
"""Sources of the host, what apt prints, package lists, and the lock."""

from __future__ import annotations

from pathlib import Path

import pytest
from builder import archive, bootstrap, lock, mirrors
from builder.archive import Deb
from builder.process import BuildError

A, B, C = "a" * 64, "b" * 64, "c" * 64

DEB822 = """Types: deb deb-src
# a comment between fields
URIs: http://mirror.example/debian/
Suites: bookworm
  bookworm-updates
Components: main

Types: deb
URIs: http://mirror.example/off
Suites: trixie-security
Enabled: no

Types: deb
URIs: http://security.example/debian-security
Suites: bookworm-security
"""


def test_deb822_sources() -> None:
    found = list(mirrors.parse_deb822(DEB822))
    assert [(source.uri, source.suite) for source in found] == [
        ("http://mirror.example/debian/", "bookworm"),
        ("http://mirror.example/debian/", "bookworm-updates"),
        ("http://security.example/debian-security", "bookworm-security")]


def test_one_line_sources() -> None:
    found = list(mirrors.parse_one_line(
        "# deb http://no.example trixie main\n"
        "deb [arch=amd64 signed-by=/k] http://one.example/debian trixie main contrib\n"
        "deb-src http://no.example trixie main\ndeb http://two.example/s trixie-security main\n"))
    assert [(source.uri, source.suite) for source in found] == [
        ("http://one.example/debian", "trixie"), ("http://two.example/s", "trixie-security")]


def test_foreign_sources_are_passed_over(tmp_path: Path) -> None:
    folder = tmp_path / "sources.list.d"
    folder.mkdir()
    (folder / "a.list").write_text("deb http://shop.example/apt stuff-bookworm main\n")
    (folder / "b.sources").write_text(DEB822)
    (folder / "c.sources.disabled").write_text("deb http://no.example trixie main\n")
    chosen = mirrors.choose(mirrors.sources_of_host(tmp_path))
    assert chosen == mirrors.Mirrors("http://mirror.example/debian",
                                     "http://security.example/debian-security")


def test_what_was_asked_for_goes_first() -> None:
    found = list(mirrors.parse_deb822(DEB822))
    assert mirrors.choose(found, "http://mine.example/d/").main == "http://mine.example/d"


def test_no_archive_is_an_error() -> None:
    with pytest.raises(BuildError, match="--security-mirror"):
        mirrors.choose([mirrors.Source("http://one.example/debian", "trixie")])


def test_printed_uris() -> None:
    offers = archive.parse_printed(
        f"'http://m.example/p/libx_2%2b1_amd64.deb' libx_1%3a2+1_amd64.deb 10 SHA256:{A}\n"
        f"'file:/build/lethe_1_amd64.deb' lethe_1_amd64.deb 10 SHA256:{B}\n"
        "'http://m.example/y.deb' y_1_all.deb 10 MD5Sum:0123\nnoise\n")
    assert offers == {Deb("libx", "1:2+1", "amd64", A): "http://m.example/p/libx_2%2b1_amd64.deb"}


def test_file_names_keep_the_epoch() -> None:
    assert Deb("libx", "1:2", "amd64", A).file == "libx_1%3a2_amd64.deb"


LIST = f"""Package: libx
Version: 1
Architecture: amd64
Filename: pool/libx_1_amd64.deb
SHA256: {A}

Package: libx-dev
Version: 1
Architecture: amd64
Filename: pool/libx-dev_1_amd64.deb
SHA256: {B}
"""


def test_a_list_offers_only_the_same_bits() -> None:
    same, other = Deb("libx", "1", "amd64", A), Deb("libx-dev", "1", "amd64", C)
    assert archive.find_in_list(LIST, "http://m.example/d", {same, other}) == {
        same: "http://m.example/d/pool/libx_1_amd64.deb"}


def test_names_of_lists() -> None:
    source = mirrors.Source("http://m.example:80/a_b/debian", "trixie")
    assert archive.list_name(source) == \
        "m.example:80_a%5fb_debian_dists_trixie_main_binary-amd64_Packages"


def test_release_names_the_index() -> None:
    assert " 5 main/binary-amd64/Packages\n" in bootstrap.release(b"12345")


LOCK: lock.Lock = {"image": [Deb("bb", "1:1-2", "all", B), Deb("aa", "2~x+b1", "amd64", A)],
                   "toolchain": [Deb("g++-14", "14", "amd64", C)]}


def test_lock_round_trip() -> None:
    text = lock.write(LOCK)
    assert lock.parse(text) == {"image": sorted(LOCK["image"]), "toolchain": LOCK["toolchain"]}
    assert lock.write(lock.parse(text)) == text


@pytest.mark.parametrize("line", [
    "aa 1 amd64", f"aa 1 amd64 {A[1:]}", f"aa 1 arm64 {A}", f"aa 1 amd64 {A} more", "[images]",
    f"../a 1 amd64 {A}", f"aa  1 amd64 {A}", f"a 1 amd64 {A}"])
def test_lock_with_a_bad_line(line: str) -> None:
    with pytest.raises(BuildError, match="line 2"):
        lock.parse(f"[image]\n{line}\n")


def test_lock_without_section() -> None:
    with pytest.raises(BuildError, match="line 1"):
        lock.parse(f"aa 1 amd64 {A}\n")


def test_lock_with_a_package_twice() -> None:
    with pytest.raises(BuildError, match="twice.*: aa"):
        lock.parse(f"[image]\naa 1 amd64 {A}\naa 2 amd64 {A}\n")


def test_changes_against_the_lock() -> None:
    before = [Deb("a", "1", "all", A), Deb("b", "1", "all", A), Deb("c", "1", "all", A),
              Deb("e", "1", "all", A)]
    after = [Deb("a", "2", "all", B), Deb("b", "1", "all", A), Deb("d", "1", "all", A),
             Deb("e", "1", "all", C)]
    assert [str(change) for change in lock.changes(before, after)] == [
        "changed: a 1 -> 2", "gone: c 1", "new: d 1", "other bits: e 1"]
    assert lock.changes(before, list(reversed(before))) == []


def test_the_lock_of_this_tree_is_whole() -> None:
    file = Path(__file__).resolve().parent / "core.lock"
    parsed = lock.parse(file.read_text())
    assert lock.write(parsed) == file.read_text()
    names = {deb.name for deb in parsed["image"]}
    assert {"systemd", "tor", "network-manager"} <= names
    assert sum(name.startswith("linux-image-") for name in names) == 1
    assert {"mmdebstrap", "squashfs-tools", "xorriso"} <= {deb.name for deb in parsed["toolchain"]}
