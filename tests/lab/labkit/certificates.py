# SPDX-License-Identifier: GPL-3.0-or-later
"""A certificate authority made when it is needed, and certificates for every mistake.

    authority = Authority(folder)
    authority.certificate("www.lab.example")                       # (chain, key), files
    authority.certificate("old.lab.example", Validity.EXPIRED)
    authority.root                                                 # what a client must trust

Nothing of it is kept: its keys exist while the test runs, in the test's own folder.
"""

from __future__ import annotations

import enum
import subprocess
from datetime import datetime, timedelta, timezone
from pathlib import Path

_DAY = timedelta(days=1)
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
        self._sign(folder / "root.csr", self.root, Validity.LONG,
                   ["-selfsign", "-extensions", "root"])

    def certificate(self, name: str, validity: Validity = Validity.NOW) -> tuple[Path, Path]:
        """Certificate and key for one name, signed by this authority; made once."""
        key = (name, validity)
        if key not in self._made:
            stem = self._folder / f"{name}-{validity.name.lower()}"
            paths = stem.with_name(stem.name + ".pem"), stem.with_name(stem.name + ".key")
            request = stem.with_name(stem.name + ".csr")
            _openssl(["req", "-new", *_KEY, "-keyout", str(paths[1]), "-out", str(request), "-subj",
                      f"/CN={name}", "-config", str(self._settings)])  # fmt: skip
            extensions = stem.with_name(stem.name + ".ext")
            extensions.write_text(f"subjectAltName = DNS:{name}\nbasicConstraints = CA:false\n"
                                  "extendedKeyUsage = serverAuth\n", encoding="ascii")  # fmt: skip
            self._sign(request, paths[0], validity, ["-extfile", str(extensions)])
            self._made[key] = paths
        return self._made[key]

    def _sign(self, request: Path, target: Path, validity: Validity, more: list[str]) -> None:
        now = datetime.now(timezone.utc)
        begin, end = (f"{now + days * _DAY:%Y%m%d%H%M%SZ}" for days in validity.value)
        _openssl(["ca", "-batch", "-notext", "-config", str(self._settings), "-in", str(request),
                  "-out", str(target), "-startdate", begin, "-enddate", end,
                  *more])  # fmt: skip


def _openssl(words: list[str]) -> None:
    result = subprocess.run(["openssl", *words], capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise RuntimeError(f"openssl {' '.join(words)}: {result.stderr.strip()[-800:]}")
