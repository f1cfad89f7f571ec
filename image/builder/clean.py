# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes out of a tree whatever differs between two builds of the same packages, belongs to the
machine that built, or is of no use in an image that forgets."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

# Emptied folders: their own entry stays.
EMPTY = (
    "boot", "dev", "proc", "run", "sys", "tmp", "var/tmp", "var/cache/apt", "var/cache/debconf",
    "var/lib/apt/lists", "etc/ssh", "root",
)
# Folders of programs that expect theirs to be there stay, without files.
WITHOUT_FILES = ("var/log",)
# Backups, logs, locks and databases that programs make anew or do without.
REMOVE = (
    "etc/passwd-", "etc/group-", "etc/shadow-", "etc/gshadow-", "etc/subuid-", "etc/subgid-",
    "etc/.pwd.lock", "etc/apt/sources.list", "var/cache/ldconfig", "var/lib/apt/extended_states",
    "var/lib/dbus/machine-id", "var/lib/dpkg/lock", "var/lib/dpkg/lock-frontend",
    "var/lib/dpkg/triggers/Lock", "var/lib/dpkg/*-old", "var/lib/systemd/catalog/database",
    "var/lib/systemd/random-seed", "var/lib/systemd/credential.secret", "initrd.img*", "vmlinuz*",
    "var/log/journal",
)
# Nothing of the building machine's: no name, no resolver but Tor's, and a machine number that each
# start chooses anew (an empty file; a missing one would make it a "first boot").
WRITE = {
    "etc/hostname": "localhost\n",
    "etc/hosts": "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n",
    "etc/resolv.conf": "nameserver 127.0.0.1\n",
    "etc/machine-id": "",
}


def remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    elif path.exists() or path.is_symlink():
        path.unlink()


def fixed_days(shadow: str, day: int) -> str:
    """/etc/shadow with one day of "last change" for every account."""
    lines = []
    for line in shadow.splitlines():
        fields = line.split(":")
        if len(fields) > 2 and fields[2]:
            fields[2] = str(day)
        lines.append(":".join(fields))
    return "".join(f"{line}\n" for line in lines)


def take_set_id_bits(tree: Path) -> None:
    """No program takes another user's rights: nobody here becomes root by running one."""
    for folder, _, names in os.walk(tree):
        for name in names:
            path = Path(folder, name)
            mode = path.lstat().st_mode
            if stat.S_ISREG(mode) and mode & (stat.S_ISUID | stat.S_ISGID):
                path.chmod(stat.S_IMODE(mode) & ~(stat.S_ISUID | stat.S_ISGID))


def clean(tree: Path, day: int) -> None:
    """`day`: days since the epoch, for /etc/shadow."""
    for name in EMPTY:
        if (tree / name).is_dir():
            for path in (tree / name).iterdir():
                remove(path)
    for name in WITHOUT_FILES:
        for path in (tree / name).rglob("*"):
            if not path.is_dir() or path.is_symlink():
                path.unlink()
    for pattern in REMOVE:
        for path in sorted(tree.glob(pattern)):
            remove(path)
    for name, text in WRITE.items():
        path = tree / name
        remove(path)
        path.write_text(text)
        path.chmod(0o644)
    shadow = tree / "etc/shadow"
    if shadow.is_file():
        mode = shadow.stat()
        shadow.write_text(fixed_days(shadow.read_text(), day))
        shadow.chmod(mode.st_mode & 0o777)
    take_set_id_bits(tree)
