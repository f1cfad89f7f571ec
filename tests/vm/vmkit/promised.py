# SPDX-License-Identifier: GPL-3.0-or-later
"""What the files of the tree promise of the running system, as values to compare with. Pure but for
reading them."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from pathlib import Path

from .evidence import ROOT

_SETTING = re.compile(r'\{ "(net/[^"]+)", "([^"]+)", (true|false) \}')
_SIGNED = b"~Module signature appended~\n"
_SIGNATURE = struct.Struct(">8xI")  # struct module_signature: the length is its last member
_EXECUTABLE = 4  # SHF_EXECINSTR


@dataclass(frozen=True)
class Setting:
    """A value of /proc/sys that the filter demands; "%s" in its path stands for every device."""

    path: str
    value: str
    optional: bool


def sysctls() -> dict[str, str]:
    """Values by key, of data/sysctl. ValueError for a line that is none, or a key said twice."""
    found: dict[str, str] = {}
    for path in sorted((ROOT / "data" / "sysctl").glob("*.conf")):
        for line in path.read_text(encoding="utf-8").splitlines():
            if not line.strip() or line.lstrip().startswith("#"):
                continue
            key, equals, value = (part.strip() for part in line.partition("="))
            if not equals or not value or key in found:
                raise ValueError(f"{path.name}: {line}")
            found[key] = value
    return found


def settings() -> list[Setting]:
    """What src/wall/settings.c demands. ValueError if it is written otherwise than is known here."""
    text = (ROOT / "src" / "wall" / "settings.c").read_text(encoding="utf-8")
    found = [Setting(path, value, word == "true") for path, value, word in _SETTING.findall(text)]
    if not found or len(found) != text.count('"net/'):
        raise ValueError("src/wall/settings.c: not all settings were found")
    return found


def refused_modules() -> list[str]:
    """Modules that data/modprobe lets nobody load, for no reason."""
    text = (ROOT / "data" / "modprobe" / "lethe-live.conf").read_text(encoding="utf-8")
    return re.findall(r"^install (\S+) /bin/false$", text, re.MULTILINE)


def command_line() -> list[str]:
    """Words of every start, and those of the menu's first entry."""
    words, section = [], ""
    for line in (ROOT / "image/boot/cmdline").read_text(encoding="utf-8").splitlines():
        word = line.partition("#")[0].strip()
        if word.startswith("["):
            section = word
        elif word and section in ("[always]", "[start]"):
            words.append(word)
    return words


def masked(what: str) -> list[str]:
    """The names in data/live/masked-WHAT."""
    text = (ROOT / "data" / "live" / f"masked-{what}").read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def doors() -> set[str]:
    """The sockets that Lethe itself listens at: units by name. Of those that are for transports only
    the leases; a port is there with its transport alone."""
    units = ROOT / "data" / "systemd"
    leases = {f"lethe-transport-lease@{path.name.split('@')[1].split('.')[0]}.socket"
              for path in units.glob("lethe-transport-port@*.socket.conf")}
    return {path.name for path in units.glob("*.socket") if "@." not in path.name} | leases


# Kernel modules --------------------------------------------------------------------------------


def without_signature(module: bytes) -> bytes:
    """ValueError if it has none."""
    if not module.endswith(_SIGNED):
        raise ValueError("the module has no signature")
    end = len(module) - len(_SIGNED)
    size, = _SIGNATURE.unpack_from(module, end - _SIGNATURE.size)
    return module[:end - _SIGNATURE.size - size]


def with_other_code(module: bytes) -> bytes:
    """One bit of its code is another one; the signature stays."""
    start, = struct.unpack_from("<Q", module, 0x28)
    size, count = struct.unpack_from("<HH", module, 0x3A)
    for number in range(count):
        flags, _, offset, length = struct.unpack_from("<QQQQ", module, start + number * size + 8)
        if flags & _EXECUTABLE and length:
            changed = bytearray(module)
            changed[offset + length // 2] ^= 1
            return bytes(changed)
    raise ValueError("the module has no code")
