# SPDX-License-Identifier: GPL-3.0-or-later
"""Debian's archive through apt: its signed lists, which packages a wish comes to, and the packages
themselves, kept in a pool. Uses lists and settings of its own, nothing of the host's apt but the
keyring and how it reaches the network."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import urllib.parse
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from . import mirrors
from .cache import hash_of_file
from .process import ENVIRONMENT, BuildError, Runner

ARCHITECTURE = "amd64"
ESSENTIAL = f"?narrow(?architecture({ARCHITECTURE}), ?essential)"
# How the host reaches the network, and how strict it is about dates (a dated archive is old).
PASSED_ON = re.compile(r'^(Acquire::(?:http|https|Retries|Check-Valid-Until|Check-Date)\b.*)$',
                       re.MULTILINE)
PRINTED = re.compile(r"^'([^']+)' (\S+_[^_\s]+_[^_\s]+\.deb) (\d+) SHA256:([0-9a-f]{64})$",
                     re.MULTILINE)


@dataclass(frozen=True, order=True)
class Deb:
    """One package file. Two are the same if these four are."""
    name: str
    version: str
    architecture: str
    sha256: str

    @property
    def file(self) -> str:
        """As apt names it: the epoch's colon escaped."""
        return f"{self.name}_{self.version.replace(':', '%3a')}_{self.architecture}.deb"

    @property
    def line(self) -> str:
        return f"{self.name} {self.version} {self.architecture} {self.sha256}"


Offers = dict[Deb, str]  # where each can be fetched


def parse_printed(text: str) -> Offers:
    """What `apt-get --print-uris` said, without packages that are files already."""
    offers: Offers = {}
    for uri, file, _, sha256 in PRINTED.findall(text):
        name, version, architecture = file.removesuffix(".deb").split("_")
        if not uri.startswith("file:"):
            deb = Deb(name, urllib.parse.unquote(version), architecture, sha256)
            offers[deb] = uri
    return offers


def list_name(source: mirrors.Source) -> str:
    """What apt calls the package list of a source."""
    place = source.uri.split("://", 1)[-1].replace("_", "%5f").replace("/", "_")
    return f"{place}_dists_{source.suite}_main_binary-{ARCHITECTURE}_Packages"


def stanzas(text: str) -> Iterator[dict[str, str]]:
    for stanza in text.split("\n\n"):
        fields = dict(re.findall(r"^([A-Za-z0-9-]+): (.*)$", stanza, re.MULTILINE))
        if "Package" in fields:
            yield fields


def find_in_list(text: str, base: str, wanted: set[Deb]) -> Offers:
    """Which of the wanted packages a package list offers. Most stanzas are passed over unread."""
    names = {deb.name for deb in wanted}
    offers: Offers = {}
    for stanza in text.split("\n\n"):
        name = stanza.lstrip("\n").partition("\n")[0].removeprefix("Package: ")
        if name in names:
            fields = next(stanzas(stanza))
            deb = Deb(name, fields["Version"], fields["Architecture"], fields["SHA256"])
            if deb in wanted:
                offers[deb] = f"{base}/{fields['Filename']}"
    return offers


class Archive:
    """The archives as apt sees them. `folder` keeps the lists, `pool` the packages."""

    def __init__(self, runner: Runner, folder: Path, pool: Path, where: mirrors.Mirrors) -> None:
        self.runner = runner
        self.folder = folder
        self.pool = pool
        self.sources = mirrors.suites(where)
        self.uris: Offers = {}
        for path in (folder / "lists/partial", folder / "archives/partial", pool):
            path.mkdir(parents=True, exist_ok=True)
        (folder / "status").write_text("")
        (folder / "sources.list").write_text("".join(
            f"deb [signed-by={mirrors.KEYRING}] {source.uri} {source.suite} main\n"
            for source in self.sources))
        self.write_settings("host", folder)

    def write_settings(self, name: str, folder: Path, binaries: bool = True) -> Path:
        """An apt.conf for who sees the archive's folder as `folder`."""
        passed = subprocess.run(["apt-config", "dump"], env=ENVIRONMENT, capture_output=True,
                                text=True, check=False).stdout if binaries else ""
        settings = {
            "APT::Architecture": ARCHITECTURE, "APT::Install-Recommends": "false",
            "APT::Install-Suggests": "false", "APT::Sandbox::User": "root",
            "Acquire::Languages": "none", "Acquire::GzipIndexes": "false",
            "Acquire::ForceHash": "SHA256",
            "Dir::State": folder, "Dir::State::lists": folder / "lists",
            "Dir::State::status": folder / "status", "Dir::Cache": folder / "archives",
            "Dir::Cache::pkgcache": "", "Dir::Cache::srcpkgcache": "",
            "Dir::Etc::main": "/dev/null", "Dir::Etc::parts": "/dev/null",
            "Dir::Etc::sourcelist": folder / "sources.list", "Dir::Etc::sourceparts": "/dev/null",
            "Dir::Etc::preferences": "/dev/null", "Dir::Etc::preferencesparts": "/dev/null",
            "Dir::Etc::trusted": "/dev/null", "Dir::Etc::trustedparts": "/dev/null",
        }
        file = self.folder / f"{name}.conf"
        file.write_text("".join(f"{line}\n" for line in PASSED_ON.findall(passed))
                        + "".join(f'{key} "{value}";\n' for key, value in settings.items())
                        + f'APT::Architectures {{ "{ARCHITECTURE}"; }};\n')
        return file

    def _environment(self) -> dict[str, str]:
        passed = {name: value for name, value in os.environ.items()
                  if name.lower() in ("http_proxy", "https_proxy", "no_proxy")}
        return {**passed, "APT_CONFIG": str(self.folder / "host.conf")}

    def list_files(self) -> list[tuple[mirrors.Source, Path]]:
        return [(source, self.folder / "lists" / list_name(source)) for source in self.sources]

    def update(self, offline: bool) -> str:
        """Renew the lists; if that fails and there are some, go on with these. Says which."""
        have = all(path.is_file() for _, path in self.list_files())
        if offline and have:
            return "package lists as they are"
        try:
            self.runner.run(["apt-get", "-q", "-o", "APT::Update::Error-Mode=any", "update"],
                            environment=self._environment(), what="reading the archive's lists")
        except BuildError:
            if not have:
                raise
            return "the archive did not answer; package lists as they were"
        return "package lists renewed"

    def resolve_on_host(self, names: Iterable[str]) -> list[Deb]:
        """The packages that a system of these needs, with everything essential."""
        return self.accept(self.runner.output(
            ["apt-get", "--print-uris", "-qq", "-y", "install", ESSENTIAL, *names],
            environment=self._environment(), what="choosing packages"))

    def accept(self, printed: str) -> list[Deb]:
        offers = parse_printed(printed)
        self.uris.update(offers)
        return sorted(offers)

    def find(self, wanted: Iterable[Deb]) -> list[Deb]:
        """Remember where the wanted packages are; returns those that neither archive nor pool has."""
        rest = set(wanted)
        for source, path in self.list_files():
            if path.is_file():
                offers = find_in_list(path.read_text(encoding="utf-8"), source.uri, rest)
                self.uris.update(offers)
                rest -= set(offers)
        return sorted(deb for deb in rest if not self._have(deb))

    def _have(self, deb: Deb) -> bool:
        path = self.pool / deb.file
        if not path.is_file():
            return False
        if hash_of_file(path) != deb.sha256:
            path.unlink()
            return False
        os.utime(path)
        return True

    def fetch(self, debs: Iterable[Deb]) -> int:
        """Bring the packages into the pool, each checked against its hash. Returns how many came."""
        missing = [deb for deb in debs if not self._have(deb)]
        folder = self.folder / "archives/partial"
        arguments: list[str] = []
        for deb in missing:
            arguments += [self.uris[deb], str(folder / deb.file), f"SHA256:{deb.sha256}"]
        if missing:
            self.runner.run(["/usr/lib/apt/apt-helper", "download-file", *arguments],
                            environment=self._environment(), what="downloading packages")
        for deb in missing:
            if hash_of_file(folder / deb.file) != deb.sha256:
                raise BuildError(f"{deb.file} is not what the archive's list says")
            shutil.move(folder / deb.file, self.pool / deb.file)
        return len(missing)
