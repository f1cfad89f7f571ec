# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line of image/build."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

CACHE = Path("/var/cache/lethe/image")
FLAVOURS = ("core",)
EPILOG = """\
Exit status: 0 the image is there; 1 it could not be built; 2 wrong usage.
The result is OUT/lethe-FLAVOUR.iso and OUT/lethe-FLAVOUR.json; image/README.md explains the stages.
"""


@dataclass(frozen=True)
class Options:
    flavour: str
    out: Path
    cache: Path
    share: Path
    use_cache: bool
    offline: bool
    locked: bool
    write_lock: bool
    mirror: str
    security_mirror: str


def split_archive(parser: argparse.ArgumentParser, text: str) -> tuple[str, str]:
    """URL, or URL,URL for the security archive apart."""
    urls = text.split(",")
    if len(urls) > 2 or not all("://" in url for url in urls):
        parser.error("--archive: one URL, or two with a comma: the archive, its security archive")
    return urls[0], urls[-1]


def parse(arguments: Sequence[str], root: Path) -> Options:
    """Ends the program with status 2 on wrong usage."""
    parser = argparse.ArgumentParser(
        prog="image/build", epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Build a live image of Lethe. Needs root and mmdebstrap.")
    add = parser.add_argument
    add("--flavour", choices=FLAVOURS, default="core", help="which image (default: core)")
    add("--out", type=Path, default=root / "out/image", metavar="DIR",
        help="where the result goes (default: out/image)")
    add("--cache", type=Path, default=CACHE, metavar="DIR",
        help=f"where results of stages are kept (default: {CACHE})")
    add("--share", type=Path, metavar="DIR",
        help="take toolchain and downloads from this cache, and only these")
    add("--no-cache", action="store_true", help="make every stage anew, all but the toolchain")
    add("--offline", action="store_true", help="do not ask the archive what is new")
    add("--locked", action="store_true", help="build exactly from the packages in image/FLAVOUR.lock")
    add("--write-lock", action="store_true", help="write image/FLAVOUR.lock anew from this build")
    add("--archive", metavar="URL[,URL]",
        help="the archive to build from, and its security archive: a dated one, with --locked")
    add("--mirror", default="", metavar="URL", help="Debian's archive (default: this machine's)")
    add("--security-mirror", default="", metavar="URL", help="Debian's security archive")
    given = parser.parse_args(arguments)
    mirror, security = given.mirror, given.security_mirror
    if given.archive:
        mirror, security = split_archive(parser, given.archive)
    if given.locked and given.write_lock:
        parser.error("--locked builds from the lock, --write-lock renews it: one of them")
    cache = given.cache.resolve()
    return Options(given.flavour, given.out.resolve(), cache, (given.share or cache).resolve(),
                   not given.no_cache, given.offline, given.locked, given.write_lock, mirror,
                   security)
