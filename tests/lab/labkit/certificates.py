# SPDX-License-Identifier: GPL-3.0-or-later
"""A certificate authority made when it is needed, and certificates for every mistake.

    authority = Authority(folder)
    authority.certificate("www.lab.example")                       # (chain, key), files
    authority.certificate("old.lab.example", Validity.EXPIRED)
    authority.dated("shop", ["a.example"], begin, end)             # for names, between two times
    authority.root                                                 # what a client must trust

Nothing of it is kept: its keys exist while the test runs, in the test's own folder.
"""

from __future__ import annotations

import enum
import subprocess
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path

_DAY = timedelta(days=1)
# Of the authority itself: whatever time a test lives in.
_ALWAYS = (datetime(2000, 1, 1, tzinfo=timezone.utc), datetime(2099, 12, 31, tzinfo=timezone.utc))
_CONFIGURATION = """[ca]
default_ca = lab
[lab]
database = {folder}/index
new_certs_dir = {folder}
serial = {folder}/serial
certificate = {folder}/root.pem
private_key = {folder}/root.key
default_md = sha256
policy = any
unique_subject = no
email_in_dn = no
[any]
commonName = supplied
[req]
distinguished_name = name
[name]
[root]
basicConstraints = critical,CA:true
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
"""
_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]


class Validity(enum.Enum):
    """When a certificate is valid, in days from now."""

    NOW = (-1, 30)
    EXPIRED = (-60, -30)
    NOT_YET = (30, 60)
    LONG = (-3650, 3650)  # whatever a clock says that is wrong by less than ten years


class Authority:
    """@folder: where its files go; nobody else writes there."""

    def __init__(self, folder: Path, name: str = "Lab root") -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._settings = folder / "openssl.cnf"
        self._settings.write_text(_CONFIGURATION.format(folder=folder), encoding="ascii")
        (folder / "index").touch()
        (folder / "serial").write_text("01\n", encoding="ascii")
        self._made: dict[tuple[str, Validity], tuple[Path, Path]] = {}
        self.root = folder / "root.pem"
        _openssl(["req", "-new", *_KEY, "-keyout", f"{folder}/root.key", "-out",
                  f"{folder}/root.csr", "-subj", f"/CN={name}", "-config",
                  str(self._settings)])  # fmt: skip
        self._sign(folder / "root.csr", self.root, *_ALWAYS, ["-selfsign", "-extensions", "root"])

    def certificate(self, name: str, validity: Validity = Validity.NOW) -> tuple[Path, Path]:
        """Certificate and key for one name, signed by this authority; made once."""
        key = (name, validity)
        if key not in self._made:
            now = datetime.now(timezone.utc)
            begin, end = (now + days * _DAY for days in validity.value)
            self._made[key] = self.dated(f"{name}-{validity.name.lower()}", [name], begin, end)
        return self._made[key]

    def dated(self, label: str, names: Sequence[str], begin: datetime, end: datetime
              ) -> tuple[Path, Path]:
        """Certificate and key for these names; @label names its files, and is used once."""
        stem = self._folder / label
        paths = stem.with_name(stem.name + ".pem"), stem.with_name(stem.name + ".key")
        request = stem.with_name(stem.name + ".csr")
        _openssl(["req", "-new", *_KEY, "-keyout", str(paths[1]), "-out", str(request), "-subj",
                  f"/CN={names[0]}", "-config", str(self._settings)])  # fmt: skip
        extensions = stem.with_name(stem.name + ".ext")
        alternatives = ",".join(f"DNS:{name}" for name in names)
        extensions.write_text(f"subjectAltName = {alternatives}\nbasicConstraints = CA:false\n"
                              "extendedKeyUsage = serverAuth\n", encoding="ascii")  # fmt: skip
        self._sign(request, paths[0], begin, end, ["-extfile", str(extensions)])
        return paths

    def _sign(self, request: Path, target: Path, begin: datetime, end: datetime, more: list[str]
              ) -> None:
        dates = [f"{time:%Y%m%d%H%M%SZ}" for time in (begin, end)]
        _openssl(["ca", "-batch", "-notext", "-config", str(self._settings), "-in", str(request),
                  "-out", str(target), "-startdate", dates[0], "-enddate", dates[1],
                  *more])  # fmt: skip


def _openssl(words: list[str]) -> None:
    result = subprocess.run(["openssl", *words], capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise RuntimeError(f"openssl {' '.join(words)}: {result.stderr.strip()[-800:]}")
