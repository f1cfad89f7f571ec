# SPDX-License-Identifier: GPL-3.0-or-later
"""The stages one after the other, each from its cache or anew."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from . import (archive, cache, cmdline, initramfs, lock, manifest, medium, mirrors, options,
               packages, root, toolchain, tree)
from .process import BuildError, Runner
from .progress import Progress

NO_LOCK: lock.Lock = {section: [] for section in lock.SECTIONS}


class Build:
    """One build: what the stages hand on."""

    def __init__(self, source: Path, wish: options.Options, progress: Progress) -> None:
        self.source = source
        self.image = source / "image"
        self.wish = wish
        self.progress = progress
        self.lock_file = self.image / f"{wish.flavour}.lock"
        self.cache = cache.Cache(wish.cache, wish.share, wish.use_cache)
        self.cache.take(progress.say)
        self.runner = Runner(wish.out / "build.log", progress.detail)
        where = mirrors.choose(mirrors.sources_of_host(), wish.mirror, wish.security_mirror)
        self.archive = archive.Archive(self.runner, wish.share / "apt", wish.share / "pool", where)
        self.lock = lock.parse(self.lock_file.read_text()) if self.lock_file.is_file() else NO_LOCK
        self.changes: dict[str, list[lock.Change]] = {}

    def run(self) -> manifest.Manifest:
        self.stage_archive()
        self.stage_toolchain()
        self.stage_packages()
        self.stage_base()
        self.stage_system()
        offset = self.stage_medium()
        return self.finish(offset)

    def stage_archive(self) -> None:
        with self.progress.stage("archive") as stage:
            stage.says = self.archive.update(self.wish.offline)
            if self.wish.locked:
                self.find_locked()

    def find_locked(self) -> None:
        """Where every package of the lock can be had; BuildError with those that cannot."""
        if self.lock is NO_LOCK:
            raise BuildError(f"{self.lock_file} is missing: --write-lock makes it")
        gone = self.archive.find(deb for debs in self.lock.values() for deb in debs)
        if gone:
            raise BuildError(
                f"the archive no longer has {len(gone)} of the lock's packages:\n"
                + "".join(f"  {deb.name} {deb.version} {deb.architecture}\n" for deb in gone)
                + "Name an archive that has them with --archive (a dated one), or build without "
                "--locked")

    def stage_toolchain(self) -> None:
        with self.progress.stage("toolchain") as stage:
            self.tools = self.lock["toolchain"] if self.wish.locked \
                else self.archive.resolve_on_host(toolchain.PACKAGES)
            self.changes["toolchain"] = lock.changes(self.lock["toolchain"], self.tools)
            fetched = self.archive.fetch(self.tools)
            self.toolchain, stage.cached = toolchain.make(
                self.tools, self.archive, self.cache, self.runner, self.image)
            self.toolchain.enter()
            stage.says = f"{len(self.tools)} packages, {fetched} downloaded"

    def stage_packages(self) -> None:
        with self.progress.stage("packages") as stage:
            self.own = packages.make(self.source, self.toolchain, self.cache)
            self.names = tree.read_words(self.image / self.wish.flavour / "packages")
            self.chosen = packages.wanted(self.names, self.own.folder)
            stage.cached = self.own.cached
            stage.says = ", ".join(path.name.split("_")[0] for path in self.chosen)

    def stage_base(self) -> None:
        with self.progress.stage("base") as stage:
            self.debs = self.choose_packages()
            self.changes["image"] = lock.changes(self.lock["image"], self.debs)
            fetched = self.archive.fetch(self.debs)
            self.base = tree.make_base(self.debs, self.own, self.chosen, self.archive,
                                       self.toolchain, self.cache, self.image / self.wish.flavour)
            stage.cached = self.base.cached
            stage.says = f"{len(self.debs)} packages, {fetched} downloaded"

    def choose_packages(self) -> list[archive.Deb]:
        """Debian's packages that the flavour's list and our own packages come to. The kernel is
        chosen apart, see tree.add_kernel."""
        if self.wish.locked:
            return self.lock["image"]
        ours = {path.name.split("_")[0] for path in self.own.files}
        kernel = [name for name in self.names if name.startswith("linux-image-")]
        others = [name for name in self.names if name not in ours and name not in kernel]
        files = [self.toolchain.inside(path) for path in self.chosen]
        found = self.toolchain.resolve(self.archive, [*others, *files])
        with_kernel = self.toolchain.resolve(self.archive, kernel)
        return sorted(found + [tree.kernel_of(with_kernel)])

    def stage_system(self) -> None:
        """The tree, the root image and the first file system: one result, as they share the tree."""
        order = self.image / "order"
        wishes = self.image / "initramfs/modules"
        self.key = cache.hash_of([
            self.base.key, str(self.own.date), *self.own.hashes, wishes.read_bytes(),
            order.read_bytes() if order.is_file() else b"",
            cache.hash_of_recipe(["tree", "clean", "root", "cpio", "modules", "initramfs"])])
        found = self.cache.find("system", self.key)
        if found is not None:
            for name in ("tree", "root", "initramfs"):
                with self.progress.stage(name) as stage:
                    stage.cached = True
            self.system = found
            self.root = root.kept(found / "root.json")
            return
        place = self.cache.begin("system")
        with self.progress.stage("tree"):
            made = tree.make_tree(self.base, self.own, self.chosen, self.toolchain, self.cache)
        with self.progress.stage("initramfs") as stage:
            initramfs.make(made, self.base.release, wishes, place / "initrd.img", self.own.date,
                           self.toolchain)
            stage.says = f"{(place / 'initrd.img').stat().st_size / 1e6:.1f} MB"
        with self.progress.stage("root") as stage:
            self.root = root.make(made, place / "root.img", self.own.date, order, self.toolchain)
            root.keep(self.root, place / "root.json")
            stage.says = f"{self.root.bytes / 1e6:.1f} MB"
        self.system = self.cache.finish(place, "system", self.key)

    def stage_medium(self) -> int:
        with self.progress.stage("medium") as stage:
            work = self.cache.begin("medium")
            self.parts = medium.Parts(self.base.vmlinuz, self.system / "initrd.img",
                                      self.system / "root.img", self.root, self.image / "boot",
                                      self.own.date)
            offset = medium.make(self.parts, work, self.toolchain, self.progress.detail)
            self.wish.out.mkdir(parents=True, exist_ok=True)
            self.iso = self.wish.out / f"lethe-{self.wish.flavour}.iso"
            # Moved in place when whole: who boots the old one meanwhile keeps it.
            beside = self.iso.with_suffix(".iso.new")
            shutil.copyfile(work / "lethe.iso", beside)
            self.sha256 = cache.hash_of_file(beside)
            os.replace(beside, self.iso)
            stage.says = f"{self.iso.stat().st_size / 1e6:.1f} MB"
        return offset

    def finish(self, offset: int) -> manifest.Manifest:
        if self.wish.write_lock:
            self.lock_file.write_text(lock.write({"image": self.debs, "toolchain": self.tools}))
        words = cmdline.parse((self.image / "boot/cmdline").read_text())
        done = manifest.Manifest(
            flavour=self.wish.flavour, version=self.own.version, date=self.own.date, iso=self.iso,
            sha256=self.sha256, root=self.root, offset=offset, kernel=self.base.release,
            sizes={"iso": self.iso.stat().st_size, "squashfs": self.root.squashfs_bytes,
                   "root": self.root.bytes, "vmlinuz": self.base.vmlinuz.stat().st_size,
                   "initrd": self.parts.initrd.stat().st_size},
            command_line=cmdline.line(words, "start", self.root, offset),
            packages=self.debs, own_packages=self.own.hashes, toolchain=self.tools,
            changes=self.changes["image"], locked=self.wish.locked, stages=self.progress.stages)
        self.iso.with_suffix(".json").write_text(done.json())
        cache.prune_pool(self.archive.pool)
        return done

    def say_changes(self) -> None:
        """What moved since the lock was written: news, not an error."""
        if self.lock is NO_LOCK or self.wish.write_lock:
            return
        for section, changes in self.changes.items():
            if changes:
                self.progress.say(f"Debian's packages changed since {self.lock_file.name} was written:")
                for text in manifest.change_lines(changes, section):
                    self.progress.say(text)


def interrupted(_signal: int, _frame: FrameType | None) -> None:
    """Told to end: as with Ctrl-C, what runs is ended first."""
    raise KeyboardInterrupt


def main(source: Path, arguments: Sequence[str]) -> int:
    wish = options.parse(arguments, source)
    if os.geteuid() != 0:
        print("image/build: needs root: it mounts, and makes file systems with owners",
              file=sys.stderr)
        return 1
    toolchain.enter_namespace()
    os.umask(0o022)
    signal.signal(signal.SIGTERM, interrupted)
    signal.signal(signal.SIGHUP, interrupted)
    progress = Progress()
    try:
        build = Build(source, wish, progress)
        done = build.run()
        build.say_changes()
        print(done.summary())
        build.cache.close()
        return 0
    except (BuildError, OSError) as error:
        print(f"image/build: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
