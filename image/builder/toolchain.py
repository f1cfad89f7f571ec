# SPDX-License-Identifier: GPL-3.0-or-later
"""The chroot in which everything that makes bits runs, so that the host's versions do not matter.
It is read-only, has no network, and sees the caches under /build. All mounts are made in a mount
namespace of the builder's own and end with it."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from . import bootstrap
from .archive import ESSENTIAL, Archive, Deb
from .cache import Cache, hash_of, hash_of_recipe
from .process import BuildError, Runner

PACKAGES = (
    # our packages
    "build-essential", "debhelper", "lintian", "meson", "ninja-build", "pkgconf", "libc6-dev",
    "libmnl-dev", "libseccomp-dev", "libsystemd-dev", "libcmocka-dev", "libjansson-dev",
    "clang", "bpftool", "libbpf-dev", "apparmor", "libcurl4-openssl-dev", "libssl-dev",
    "libpng-dev", "libjpeg62-turbo-dev", "libzbar-dev",
    # the system
    "mmdebstrap", "systemd-standalone-sysusers", "kmod", "xz-utils",
    # the medium
    "squashfs-tools", "cryptsetup-bin", "zstd", "lz4", "cpio", "grub-common", "grub-pc-bin",
    "grub-efi-amd64-bin", "xorriso", "mtools", "dosfstools",
)
ENTERED = "LETHE_IMAGE_NAMESPACE"


def enter_namespace() -> None:
    """Start this program again in a mount namespace of its own. Nothing that is mounted from here on
    is seen outside, or outlives the builder."""
    if os.environ.get(ENTERED) == str(os.getpid()):
        return
    os.environ[ENTERED] = str(os.getpid())  # exec keeps the number; a child would have another
    os.execvp("unshare", ["unshare", "--mount", "--propagation", "private", "--",
                          sys.executable, *sys.argv])


class Toolchain:
    """A finished toolchain. `enter` mounts it; `run` runs a program in it."""

    def __init__(self, root: Path, key: str, cache: Cache, runner: Runner, image: Path) -> None:
        self.root = root
        self.key = key
        self.cache = cache
        self.runner = runner
        self.image = image
        # Never removed: while it is mounted, what is below it is the machine's own.
        self.view = cache.root / "view"

    def inside(self, path: Path) -> str:
        """What a path in the caches, or in the folder image/, is called in the chroot."""
        for outside, name in ((self.cache.root, "cache"), (self.cache.shared, "shared"),
                              (self.image, "image")):
            if path.is_relative_to(outside):
                return str(Path("/build") / name / path.relative_to(outside))
        raise BuildError(f"{path} cannot be seen in the toolchain")

    def _mount(self, *arguments: str) -> None:
        self.runner.run(["mount", *arguments], what="making the toolchain's mounts")

    def enter(self) -> None:
        view = self.view
        view.mkdir(exist_ok=True)
        self._mount("--bind", str(self.root), str(view))
        self._mount("-o", "remount,bind,ro", str(view))
        for name in ("tmp", "run"):
            self._mount("-t", "tmpfs", "-o", "mode=1777", "tmpfs", str(view / name))
        self._mount("-t", "proc", "proc", str(view / "proc"))
        self._mount("--rbind", "/dev", str(view / "dev"))
        self._mount("--rbind", "/sys", str(view / "sys"))
        self._mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", str(view / "build"))
        for name, path in (("cache", self.cache.root), ("shared", self.cache.shared),
                           ("image", self.image)):
            (view / "build" / name).mkdir()
            self._mount("--bind", str(path), str(view / "build" / name))
        self._mount("-o", "remount,bind,ro", str(view / "build/image"))

    def command(self, argv: Sequence[str], directory: str) -> list[str]:
        """A process namespace, so that what a maintainer script leaves running ends, too."""
        return ["unshare", "--net", "--pid", "--fork", "--kill-child", "--mount",
                f"--mount-proc={self.view}/proc", "--", "chroot", str(self.view),
                "env", "-C", directory, *argv]

    def run(self, argv: Sequence[str], *, directory: str = "/", what: str = "",
            environment: Mapping[str, str] | None = None) -> None:
        self.runner.run(self.command(argv, directory), environment=environment,
                        what=what or argv[0])

    def output(self, argv: Sequence[str], *, directory: str = "/", what: str = "",
               environment: Mapping[str, str] | None = None) -> str:
        return self.runner.output(self.command(argv, directory), environment=environment,
                                  what=what or argv[0])

    def resolve(self, archive: Archive, arguments: Sequence[str]) -> list[Deb]:
        """Choose packages with this apt, from lists the host fetched."""
        settings = archive.write_settings("toolchain", Path(self.inside(archive.folder)),
                                          binaries=False)
        return archive.accept(self.output(
            ["apt-get", "--print-uris", "-qq", "-y", "install", ESSENTIAL, *arguments],
            environment={"APT_CONFIG": self.inside(settings)}, what="choosing packages"))


def key_of(debs: Sequence[Deb]) -> str:
    return hash_of([hash_of_recipe(["bootstrap"]), *(deb.line for deb in debs)])


def make(debs: Sequence[Deb], archive: Archive, cache: Cache, runner: Runner, image: Path,
         ) -> tuple[Toolchain, bool]:
    """The toolchain of these packages, made if it is not there. Second: whether it was."""
    key = key_of(debs)
    root = cache.find("toolchain", key, shared=True)
    found = root is not None
    if root is None:
        folder = cache.begin("toolchain")
        bootstrap.make_archive(cache.work / "toolchain-archive", archive.pool, debs)
        runner.run(bootstrap.command(cache.work / "toolchain-archive", folder, debs,
                                     ["--dpkgopt=path-exclude=/usr/share/man/*",
                                      "--dpkgopt=path-exclude=/usr/share/locale/*"]),
                   what="making the toolchain")
        (folder / "build").mkdir()
        root = cache.finish(folder, "toolchain", key, shared=True)
    return Toolchain(root, key, cache, runner, image), found
