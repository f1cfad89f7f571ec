# SPDX-License-Identifier: GPL-3.0-or-later
"""The authorities' keys: shipped, or made anew when the shipped ones are not valid today.

They protect nothing: the network that they found exists in namespaces only.
Run as `python3 -m labkit.torkeys DIRECTORY` to make a set for shipping.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path

from . import names
from .locked import locked

MONTHS_VALID = 24
_MARGIN = timedelta(days=1)
_CERTIFICATE = "authority_certificate"
# Tor makes the other keys anew; the identity key would only be needed to renew the certificate.
_KEPT = (_CERTIFICATE, "authority_signing_key", "secret_id_key", "ed25519_master_id_secret_key",
         "ed25519_master_id_public_key")  # fmt: skip


@dataclass(frozen=True)
class Authority:
    name: str
    v3_identity: str
    fingerprint: str

    def line(self) -> str:
        """For every torrc."""
        address = names.PUBLIC_NODES[self.name]
        return (
            f"DirAuthority {self.name} orport={names.AUTHORITY_OR_PORT} no-v2 "
            f"v3ident={self.v3_identity} {address}:{names.AUTHORITY_DIR_PORT} {self.fingerprint}"
        )


def directory() -> Path:
    """A directory with keys that are valid now: the shipped one or, made if needed, the cache's."""
    if is_valid(names.SHIPPED_KEYS):
        return names.SHIPPED_KEYS
    cached = names.CACHE_DIRECTORY / "tor-keys"
    with locked(names.CACHE_DIRECTORY):
        if not is_valid(cached):
            if cached.exists():
                shutil.rmtree(cached)
            generate(cached)
    return cached


def is_valid(keys: Path) -> bool:
    """Are all there, and inside the life time that the certificates state?"""
    now = datetime.now(timezone.utc)
    for name in names.AUTHORITIES:
        certificate = keys / name / _CERTIFICATE
        if not all((keys / name / part).exists() for part in (*_KEPT, "fingerprint")):
            return False
        published = _time(certificate, "dir-key-published")
        expires = _time(certificate, "dir-key-expires")
        if not published <= now <= expires - _MARGIN:
            return False
    return True


def authorities(keys: Path) -> list[Authority]:
    found = []
    for name in names.AUTHORITIES:
        identity = _field(keys / name / _CERTIFICATE, "fingerprint")
        fingerprint = (keys / name / "fingerprint").read_text(encoding="ascii").strip()
        found.append(Authority(name, identity, fingerprint))
    return found


def install(keys: Path, name: str, data_directory: Path) -> None:
    """Put one authority's keys where its Tor looks for them."""
    target = data_directory / "keys"
    target.mkdir(mode=0o700)
    for part in _KEPT:
        shutil.copyfile(keys / name / part, target / part)
        (target / part).chmod(0o600)


def generate(keys: Path) -> None:
    """Make a set. Takes some seconds."""
    keys = keys.absolute()
    scratch = keys.with_name(keys.name + f".{os.getpid()}")
    scratch.mkdir(parents=True, mode=0o700)
    try:
        for name in names.AUTHORITIES:
            _generate_one(scratch / name, name)
        scratch.rename(keys)
    finally:
        if scratch.exists():
            shutil.rmtree(scratch)


def _generate_one(target: Path, name: str) -> None:
    work = target / "work"
    keys = work / "keys"
    keys.mkdir(parents=True, mode=0o700)
    work.chmod(0o700)
    address = f"{names.PUBLIC_NODES[name]}:{names.AUTHORITY_DIR_PORT}"
    passphrase_read, passphrase_write = os.pipe()
    os.write(passphrase_write, b"lab\n")
    os.close(passphrase_write)
    _run(
        ["tor-gencert", "--create-identity-key", "-m", str(MONTHS_VALID), "-a", address,
         "--passphrase-fd", str(passphrase_read)], keys, (passphrase_read,),
    )  # fmt: skip
    os.close(passphrase_read)
    identity = _field(keys / _CERTIFICATE, "fingerprint")
    torrc = work / "torrc"
    torrc.write_text(
        f"DataDirectory {work}\nNickname {name}\nORPort {names.AUTHORITY_OR_PORT}\nSocksPort 0\n"
        # Some authority must be named before Tor will tell its fingerprint.
        f"DirAuthority x orport=5000 no-v2 v3ident={identity} 127.0.0.1:7000 {'F' * 40}\n",
        encoding="ascii",
    )
    _run(["tor", "--defaults-torrc", "/dev/null", "-f", str(torrc), "--list-fingerprint",
          "--hush"], work)  # fmt: skip
    fingerprint = (work / "fingerprint").read_text(encoding="ascii").split(" ", 1)[1]
    (target / "fingerprint").write_text(fingerprint.replace(" ", ""), encoding="ascii")
    for part in _KEPT:
        shutil.copyfile(keys / part, target / part)
    shutil.rmtree(work)


def _run(argv: list[str], cwd: Path, pass_fds: tuple[int, ...] = ()) -> None:
    env = {"PATH": os.environ.get("PATH", "") + ":/usr/sbin:/sbin", "HOME": str(cwd)}
    result = subprocess.run(
        argv, cwd=cwd, env=env, pass_fds=pass_fds, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    if result.returncode != 0:
        raise RuntimeError(f"{' '.join(argv)}: exit {result.returncode}\n"
                           f"{result.stdout}{result.stderr}")  # fmt: skip


def _field(path: Path, name: str) -> str:
    for line in path.read_text(encoding="ascii").splitlines():
        if line.startswith(name + " "):
            return line.removeprefix(name + " ")
    raise ValueError(f"{path}: no line {name!r}")


def _time(path: Path, name: str) -> datetime:
    stated = datetime.strptime(_field(path, name), "%Y-%m-%d %H:%M:%S")
    return stated.replace(tzinfo=timezone.utc)


if __name__ == "__main__":
    started = time.monotonic()
    generate(Path(sys.argv[1]))
    print(f"made keys for {', '.join(names.AUTHORITIES)} in {time.monotonic() - started:.1f} s")
