# SPDX-License-Identifier: GPL-3.0-or-later
"""Sources, caches, options, the command line, cleaning, comparing, and what a person sees."""

from __future__ import annotations

import fcntl
import io
import json
import os
import subprocess
from pathlib import Path

import pytest
from builder import (cache, clean, cmdline, compare, manifest, medium, options, process, progress,
                     root, sources, tree)
from builder.archive import Deb
from builder.lock import Change
from builder.process import BuildError

IMAGE = Path(__file__).resolve().parent
ROOT = root.RootImage("0123456789abcdef" * 4, 1000, 4_095_000, 4_100_000)
CHANGELOG = """lethe (1.2.3) trixie; urgency=medium

  * Something.

 -- Some One <one@example.org>  Sun, 22 Nov 2026 06:00:00 +0100

lethe (1.2.2) trixie; urgency=medium

 -- Some One <one@example.org>  Sat, 21 Nov 2026 06:00:00 +0000
"""


def test_the_build_date_is_in_the_tree(tmp_path: Path) -> None:
    """The clock's floor: the same for every build of the same sources."""
    tree.write_build_date(tmp_path, sources.changelog_date(CHANGELOG))
    path = tmp_path / "usr/lib/lethe/build-date"
    assert path.read_text() == "1795323600\n" and path.stat().st_mode & 0o777 == 0o644


# ---- sources ----

def test_date_and_version_of_the_newest_entry() -> None:
    assert sources.changelog_date(CHANGELOG) == 1795323600
    assert sources.changelog_version(CHANGELOG) == "1.2.3"


@pytest.mark.parametrize("text", ["", "lethe (1) x\n\n -- A <a@b>  some day\n"])
def test_changelog_without_date(text: str) -> None:
    with pytest.raises(BuildError, match="no date"):
        sources.changelog_date(text)


def make_sources(folder: Path) -> Path:
    for name in ("src/a.c", "image/build", "build/x.o", "out/y", "debian/rules", "tests/vm/t.py"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    (folder / "debian/rules").chmod(0o755)
    return folder


def test_files_without_git(tmp_path: Path) -> None:
    assert sources.files(make_sources(tmp_path)) == ["debian/rules", "src/a.c"]


def test_files_with_git(tmp_path: Path) -> None:
    make_sources(tmp_path)
    (tmp_path / ".gitignore").write_text("/build/\n/out/\n")
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    assert sources.files(tmp_path) == [".gitignore", "debian/rules", "src/a.c"]


def test_the_hash_sees_content_and_execution_but_no_umask(tmp_path: Path) -> None:
    names = sources.files(make_sources(tmp_path))
    before = sources.hash_of_files(tmp_path, names)
    (tmp_path / "src/a.c").chmod(0o600)
    os.utime(tmp_path / "src/a.c", (1, 1))
    assert sources.hash_of_files(tmp_path, names) == before
    (tmp_path / "src/a.c").chmod(0o755)
    executable = sources.hash_of_files(tmp_path, names)
    (tmp_path / "src/a.c").write_text("other")
    assert len({before, executable, sources.hash_of_files(tmp_path, names)}) == 3


def test_the_copy_has_fixed_modes_and_dates(tmp_path: Path) -> None:
    one = make_sources(tmp_path / "one")
    (one / "src/a.c").chmod(0o660)
    old = os.umask(0o077)
    try:
        sources.copy(one, sources.files(one), tmp_path / "two", 1000)
    finally:
        os.umask(old)
    info = (tmp_path / "two/src/a.c").stat()
    assert (info.st_mode & 0o777, info.st_mtime) == (0o644, 1000)
    assert (tmp_path / "two/debian/rules").stat().st_mode & 0o777 == 0o755
    assert (tmp_path / "two/src").stat().st_mode & 0o777 == 0o755


# ---- cache ----

def test_the_hash_keeps_parts_apart() -> None:
    assert cache.hash_of(["ab", "c"]) != cache.hash_of(["a", "bc"])
    assert cache.hash_of(["a"]) == cache.hash_of([b"a"])


def test_results_are_found_by_key(tmp_path: Path) -> None:
    store = cache.Cache(tmp_path / "c", tmp_path / "s")
    store.take(lambda text: None)
    assert store.find("base", "k" * 64) is None
    folder = store.begin("base")
    (folder / "file").write_text("made")
    store.finish(folder, "base", "k" * 64)
    found = store.find("base", "k" * 64)
    assert found is not None and (found / "file").read_text() == "made"
    assert store.find("base", "l" * 64) is None


def test_without_cache_only_what_is_shared_is_found(tmp_path: Path) -> None:
    for use in (True, False):
        store = cache.Cache(tmp_path / "c", tmp_path / "s", use)
        store.take(lambda text: None)
        for shared in (False, True):
            if use:
                store.finish(store.begin("x"), "x", "k" * 64, shared)
            else:
                assert (store.find("x", "k" * 64, shared) is not None) is shared
        store.close()


def test_scratch_of_an_interrupted_build_is_gone(tmp_path: Path) -> None:
    store = cache.Cache(tmp_path, tmp_path)
    (tmp_path / "work").mkdir()
    (tmp_path / "work/left").write_text("")
    store.take(lambda text: None)
    assert list(store.work.iterdir()) == []


def test_one_build_at_a_time(tmp_path: Path) -> None:
    """Also where only the downloads are shared."""
    one = cache.Cache(tmp_path / "one", tmp_path / "shared")
    one.take(lambda text: None)
    with (tmp_path / "shared/lock").open() as file:
        with pytest.raises(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        one.close()
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_pruning_keeps_what_was_used_last(tmp_path: Path) -> None:
    for day, name in enumerate("abcd"):
        (tmp_path / name).mkdir()
        os.utime(tmp_path / name, (day, day))
    cache.prune(tmp_path, 2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c", "d"]


def test_pruning_the_pool(tmp_path: Path) -> None:
    for name, date in (("old.deb", 0), ("new.deb", 100 * 86400), ("other", 0)):
        (tmp_path / name).write_text("")
        os.utime(tmp_path / name, (date, date))
    cache.prune_pool(tmp_path, now=101 * 86400)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new.deb", "other"]


# ---- options ----

def test_defaults(tmp_path: Path) -> None:
    wish = options.parse([], tmp_path)
    assert wish.out == tmp_path / "out/image" and wish.use_cache and not wish.locked
    assert wish.share == wish.cache


@pytest.mark.parametrize("archive, expected", [
    ("http://a.example/d", ("http://a.example/d", "http://a.example/d")),
    ("http://a.example/d,http://b.example/s", ("http://a.example/d", "http://b.example/s"))])
def test_archive_option(archive: str, expected: tuple[str, str], tmp_path: Path) -> None:
    wish = options.parse(["--locked", "--archive", archive], tmp_path)
    assert (wish.mirror, wish.security_mirror) == expected


@pytest.mark.parametrize("arguments", [
    ["--flavour", "desk"], ["--archive", "a"], ["--archive", "http://a,http://b,http://c"],
    ["--locked", "--write-lock"], ["more"]])
def test_wrong_usage(arguments: list[str], tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as error:
        options.parse(arguments, tmp_path)
    assert error.value.code == 2


# ---- the command line ----

def test_the_uuid_is_of_the_root_hash() -> None:
    assert ROOT.uuid == "01234567-89ab-cdef-0123-456789abcdef"


def test_entries_of_the_menu() -> None:
    words = cmdline.parse("[always]\na=1  # why\n[start]\nquiet\n[output]\nverbose\n[ram]\nram\n")
    image = f"lethe.roothash={ROOT.root_hash} lethe.blocks=1000 lethe.offset=4096"
    assert cmdline.line(words, "start", ROOT, 4096) == f"{image} a=1 quiet"
    assert cmdline.line(words, "output", ROOT, 4096) == f"{image} a=1 verbose"
    assert cmdline.line(words, "ram", ROOT, 4096) == f"{image} a=1 quiet ram"


@pytest.mark.parametrize("text", [
    "quiet\n", "[always]\ntwo words\n", "[always]\n$x\n", "[always]\na;b\n", "[never]\n",
    "[always]\na\na\n", "[always]\na\n[start]\na\n", "[always]\n'a'\n"])
def test_bad_command_lines(text: str) -> None:
    with pytest.raises(BuildError, match="boot/cmdline, line"):
        cmdline.parse(text)


@pytest.mark.parametrize("template, values", [("@A@", {}), ("", {"A": "1"})])
def test_templates_use_all_values(template: str, values: dict[str, str]) -> None:
    with pytest.raises(BuildError, match="differ: A"):
        cmdline.fill(template, values)


def parts() -> medium.Parts:
    nothing = Path("/nonexistent")
    return medium.Parts(nothing, nothing, nothing, ROOT, IMAGE / "boot", 0)


def test_the_menu_of_this_tree() -> None:
    text = medium.menu(parts(), 2048)
    lines = [line for line in text.splitlines() if "linux /lethe/vmlinuz" in line]
    assert len(lines) == 4 and text.count("--unrestricted") == 4 and "@" not in text
    for line in lines:
        words = line.split()[2:]
        assert len({word.split("=")[0] for word in words if not word.startswith("console=")}) \
            == len(words) - 2, "a word twice; the last one wins, or init stops"
        assert {"lockdown=integrity", "module.sig_enforce=1", "systemd.import_credentials=no",
                "lethe.offset=2048"} <= set(words)
        assert len(line) < 2000, "the kernel takes 2048 bytes"
    assert "superusers=nobody" in text and "password" not in text.replace("without a password", "")


def test_guids_follow_from_the_content() -> None:
    other = root.RootImage("f" * 64, 1, 1, 1)
    assert medium.guid(ROOT, "disk") == medium.guid(ROOT, "disk") != medium.guid(other, "disk")
    assert len(medium.guid(ROOT, "disk")) == 36


def test_same_bytes(tmp_path: Path) -> None:
    data = os.urandom(3_000_000)
    (tmp_path / "part").write_bytes(data)
    (tmp_path / "whole").write_bytes(b"\0" * 2048 + data + b"\0" * 100)
    assert medium.same_bytes(tmp_path / "whole", 2048, tmp_path / "part")
    assert not medium.same_bytes(tmp_path / "whole", 0, tmp_path / "part")
    (tmp_path / "short").write_bytes(b"\0" * 2048 + data[:-1])
    assert not medium.same_bytes(tmp_path / "short", 2048, tmp_path / "part")


def test_padding_to_whole_blocks(tmp_path: Path) -> None:
    for size, blocks in ((1, 1), (4096, 1), (4097, 2)):
        (tmp_path / "f").write_bytes(b"x" * size)
        assert root.pad(tmp_path / "f") == blocks
        assert (tmp_path / "f").stat().st_size == blocks * 4096


# ---- the tree ----

def test_words_of_a_list(tmp_path: Path) -> None:
    (tmp_path / "l").write_text("# head\na\n\n  b # why\n")
    assert tree.read_words(tmp_path / "l") == ["a", "b"]


def test_one_kernel() -> None:
    kernel = Deb("linux-image-6.1-amd64", "1", "amd64", "0" * 64)
    others = [Deb("linux-image-amd64", "1", "amd64", "0" * 64), Deb("tor", "1", "amd64", "0" * 64)]
    assert tree.kernel_of([*others, kernel]) == kernel
    assert tree.release_of(kernel) == "6.1-amd64"
    with pytest.raises(BuildError, match="none"):
        tree.kernel_of(others)


def test_shadow_has_one_day() -> None:
    assert clean.fixed_days("root:*:20000:0:99999:7:::\nx:!::\n", 5) == \
        "root:*:5:0:99999:7:::\nx:!::\n"


def test_cleaning(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "keep").write_text("")
    top = tmp_path / "tree"
    for name in ("etc/passwd-", "var/log/apt/term.log", "var/log/tor/log", "run/x", "root/.bashrc",
                 "var/lib/apt/lists/a_Packages", "etc/ssh/ssh_host_key", "etc/keep",
                 "var/lib/dpkg/status-old", "var/lib/dpkg/status"):
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_text("x")
    (top / "tmp").mkdir()
    (top / "tmp/link").symlink_to(outside)
    (top / "etc/resolv.conf").symlink_to(outside / "keep")
    (top / "etc/shadow").write_text("root:*:20000:\n")
    (top / "etc/shadow").chmod(0o640)
    (top / "etc/keep").chmod(0o6755)
    clean.clean(top, 7)
    assert (top / "etc/keep").stat().st_mode & 0o7777 == 0o755
    files = {path.relative_to(top).as_posix() for path in top.rglob("*") if not path.is_dir()}
    assert files == {"etc/keep", "etc/hostname", "etc/hosts", "etc/machine-id", "etc/resolv.conf",
                     "etc/shadow", "var/lib/dpkg/status"}
    assert (top / "var/log/tor").is_dir() and (outside / "keep").read_text() == ""
    assert (top / "etc/machine-id").read_text() == ""
    assert (top / "etc/shadow").read_text() == "root:*:7:\n"
    assert (top / "etc/shadow").stat().st_mode & 0o777 == 0o640


# ---- comparing ----

def test_differences_of_two_trees(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name / "d").mkdir(parents=True)
        for file in ("same", "content", "mode", "date"):
            (tmp_path / name / file).write_text(file)
            os.utime(tmp_path / name / file, (5, 5))
        os.utime(tmp_path / name / "d", (5, 5))
    (tmp_path / "two/content").write_text("CONTENT")
    os.utime(tmp_path / "two/content", (5, 5))
    (tmp_path / "two/mode").chmod(0o600)
    os.utime(tmp_path / "two/date", (6, 6))
    (tmp_path / "two/new").symlink_to("same")
    lines = compare.differences(*(compare.listing(tmp_path / name) for name in ("one", "two")))
    assert [line.splitlines()[0] for line in lines] == [
        "content", "date", "mode", "only in the second: new"]


# ---- what a person sees ----

def test_progress_says_one_line_a_stage() -> None:
    stream = io.StringIO()
    shown = progress.Progress(stream)
    with shown.stage("base") as stage:
        shown.detail("Unpacking something")
        stage.cached, stage.says = True, "3 packages"
    with pytest.raises(BuildError), shown.stage("tree"):
        raise BuildError("no")
    assert [line.split()[0] for line in stream.getvalue().splitlines()] == ["base"]
    assert stream.getvalue().endswith("s  3 packages (unchanged)\n")
    assert [stage.name for stage in shown.stages] == ["base"]


def test_a_detail_fits_and_controls_nothing() -> None:
    assert progress.fit("a\x1b[2Jb\tc", 20) == "a [2Jb c"
    assert progress.fit("x" * 50, 10) == "xxxxxxx..."


def test_a_failing_program_says_what_it_said(tmp_path: Path) -> None:
    runner = process.Runner(tmp_path / "log", lambda line: None)
    with pytest.raises(BuildError, match="doing it: failed .exit status 3.\n  why"):
        runner.run(["sh", "-c", "echo why; exit 3"], what="doing it")
    with pytest.raises(BuildError, match="cannot start /nonexistent"):
        runner.run(["/nonexistent"])
    assert "why" in (tmp_path / "log").read_text()


def test_programs_see_a_fixed_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANG", "tr_TR.UTF-8")
    monkeypatch.setenv("TMPDIR", "/nonexistent")
    said = process.Runner(tmp_path / "log", lambda line: None).output(["env"])
    assert "LC_ALL=C.UTF-8\n" in said and "tr_TR" not in said and "TMPDIR" not in said


def test_many_changes_are_counted() -> None:
    lines = manifest.change_lines([Change(f"p{n:02}", "1", "2") for n in range(20)], "image")
    assert len(lines) == 13 and lines[0] == "  image: changed: p00 1 -> 2" and "8 more" in lines[12]


def test_the_manifest_is_json() -> None:
    done = manifest.Manifest(
        "core", "1", 0, Path("/x/lethe-core.iso"), "0" * 64, ROOT, 4096, "6.1", {"iso": 2_000_000},
        "a=1", [Deb("tor", "1", "amd64", "0" * 64)], ["lethe_1_amd64.deb 00"], [],
        [Change("tor", "1", "2")], stages=[progress.Stage("base", 1.234, True)])
    read = json.loads(done.json())
    assert read["root_hash"] == ROOT.root_hash and read["offset"] == 4096
    assert read["stages"] == [{"name": "base", "seconds": 1.2, "cached": True}]
    assert read["lock_changes"] == [{"name": "tor", "before": "1", "after": "2"}]
    assert "2.0 MB" in done.summary()
