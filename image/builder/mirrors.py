# SPDX-License-Identifier: GPL-3.0-or-later
"""Where packages come from: the archives that this machine's own apt uses, unless told otherwise.
Knows apt's two ways of writing sources (sources.list(5)) as far as Debian's archives are written."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .process import BuildError

SUITE = "trixie"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
MAIN_SUITES = {"stable", "oldstable", "testing", "bookworm", "trixie", "forky"}
SECURITY_SUITES = {f"{suite}-security" for suite in MAIN_SUITES}


@dataclass(frozen=True)
class Mirrors:
    main: str
    security: str


@dataclass(frozen=True)
class Source:
    uri: str
    suite: str


def parse_one_line(text: str) -> Iterator[Source]:
    """`deb [options] URI SUITE COMPONENT...`, one a line."""
    for line in text.splitlines():
        match = re.match(r"deb\s+(?:\[[^\]]*\]\s+)?(\S+)\s+(\S+)(\s|$)", line.strip())
        if match:
            yield Source(match[1], match[2])


def parse_deb822(text: str) -> Iterator[Source]:
    """Stanzas of `Field: value`; a comment may stand between fields."""
    kept = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    for stanza in re.split(r"\n\s*\n", kept):
        fields = {name.lower(): value.split() for name, value in
                  re.findall(r"^([A-Za-z-]+):((?:.*)(?:\n[ \t].*)*)", stanza, re.MULTILINE)}
        if "deb" in fields.get("types", []) and fields.get("enabled", ["yes"]) != ["no"]:
            for uri in fields.get("uris", []):
                for suite in fields.get("suites", []):
                    yield Source(uri, suite)


def sources_of_host(folder: Path = Path("/etc/apt")) -> list[Source]:
    found: list[Source] = []
    files = [folder / "sources.list", *sorted((folder / "sources.list.d").glob("*"))]
    for file in files:
        if file.is_file() and file.suffix in (".list", ".sources"):
            text = file.read_text(encoding="utf-8", errors="replace")
            found += parse_deb822(text) if file.suffix == ".sources" else parse_one_line(text)
    return found


def choose(sources: list[Source], main: str = "", security: str = "") -> Mirrors:
    """What was asked for, else the host's. BuildError if neither names an archive."""
    for source in sources:
        if not main and source.suite in MAIN_SUITES:
            main = source.uri
        if not security and source.suite in SECURITY_SUITES:
            security = source.uri
    if not main or not security:
        missing = "--mirror" if not main else "--security-mirror"
        raise BuildError("the apt sources of this machine name no Debian archive of that kind: "
                         f"say where packages come from with {missing} URL")
    return Mirrors(main.rstrip("/"), security.rstrip("/"))


def suites(mirrors: Mirrors) -> list[Source]:
    return [Source(mirrors.main, SUITE), Source(mirrors.main, f"{SUITE}-updates"),
            Source(mirrors.security, f"{SUITE}-security")]
