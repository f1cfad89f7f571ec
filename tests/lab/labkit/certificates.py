# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates of the laboratory's own authority, valid when a test wants it, by openssl(1)."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path

_CONFIG = """[ca]
default_ca = lab
[lab]
new_certs_dir = {folder}/issued
database = {folder}/index
serial = {folder}/serial
default_md = sha256
policy = names
unique_subject = no
[names]
commonName = supplied
[req]
distinguished_name = nothing
[nothing]
[authority]
basicConstraints = critical, CA:true
keyUsage = critical, keyCertSign
[server]
basicConstraints = critical, CA:false
subjectAltName = {names}
"""
_ALWAYS = (datetime(2000, 1, 1, tzinfo=timezone.utc), datetime(2099, 12, 31, tzinfo=timezone.utc))


class Authority:
    """One that signs whatever it is asked to."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        (folder / "issued").mkdir(parents=True)
        (folder / "index").touch()
        (folder / "serial").write_text("01\n", encoding="ascii")
        self._issue("authority", "authority", ["unused.example"], *_ALWAYS, "-selfsign",
                    "-keyfile", str(folder / "authority.key"))  # fmt: skip
        self.certificate = folder / "authority.pem"

    def server(self, label: str, names: Sequence[str], start: datetime,
               end: datetime) -> tuple[Path, Path]:  # fmt: skip
        """A server's certificate for @names, and its key."""
        self._issue(label, "server", names, start, end, "-cert", str(self.certificate),
                    "-keyfile", str(self._folder / "authority.key"))  # fmt: skip
        return self._folder / f"{label}.pem", self._folder / f"{label}.key"

    def _issue(self, label: str, kind: str, names: Sequence[str], start: datetime, end: datetime,
               *more: str) -> None:  # fmt: skip
        place = self._folder / label
        config = place.with_suffix(".conf")
        config.write_text(_CONFIG.format(
            folder=self._folder, names=",".join(f"DNS:{name}" for name in names)), encoding="ascii")
        _openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                 "-config", str(config), "-subj", f"/CN={label}", "-keyout",
                 str(place.with_suffix(".key")), "-out", str(place.with_suffix(".csr")))  # fmt: skip
        _openssl("ca", "-batch", "-notext", "-config", str(config), "-in",
                 str(place.with_suffix(".csr")), "-out", str(place.with_suffix(".pem")),
                 "-startdate", _text(start), "-enddate", _text(end), "-extensions", kind,
                 *more)  # fmt: skip


def _text(time: datetime) -> str:
    return time.strftime("%Y%m%d%H%M%SZ")


def _openssl(*words: str) -> None:
    result = subprocess.run(["openssl", *words], capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise RuntimeError(f"openssl {words[0]}: {result.stderr.strip()}")
