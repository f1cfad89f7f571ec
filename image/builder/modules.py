# SPDX-License-Identifier: GPL-3.0-or-later
"""Which kernel modules the first file system carries, and the list from which init loads them. Reads
the indexes that depmod wrote: modules.dep, modules.alias, modules.softdep, modules.builtin."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from .process import BuildError

WHEN = ("always", "alias", "dep")
# A module is named by a device, or by what it offers to other modules. These prefixes are of devices.
DEVICE_BUSES = ("acpi", "hid", "mmc", "of", "pci", "platform", "scsi", "serio", "usb", "virtio",
                "vmbus")


def plain(name: str) -> str:
    """`-` and `_` are one letter to the kernel."""
    return name.replace("-", "_")


def module_name(path: str) -> str:
    return plain(PurePosixPath(path).name.split(".ko")[0])


@dataclass
class Index:
    """What a kernel release offers. Paths are relative to its folder, names have `_` only."""
    path: dict[str, str] = field(default_factory=dict)
    needs: dict[str, list[str]] = field(default_factory=dict)     # what modules.dep says
    first: dict[str, list[str]] = field(default_factory=dict)     # softdep ... pre: ...
    aliases: dict[str, list[str]] = field(default_factory=dict)   # of a module
    offers: dict[str, list[str]] = field(default_factory=dict)    # alias -> modules
    builtin: set[str] = field(default_factory=set)


def read_dep(text: str, index: Index) -> None:
    for line in text.splitlines():
        path, _, needs = line.partition(":")
        index.path[module_name(path)] = path
        index.needs[module_name(path)] = [module_name(need) for need in needs.split()]


def read_alias(text: str, index: Index) -> None:
    for line in text.splitlines():
        words = line.split()
        if len(words) == 3 and words[0] == "alias":
            name = plain(words[2])
            index.aliases.setdefault(name, []).append(words[1])
            index.offers.setdefault(words[1], []).append(name)


def read_softdep(text: str, index: Index) -> None:
    """Only `pre:`, what must be there before; `post:` is no condition."""
    for line in text.splitlines():
        words = line.split()
        if len(words) > 2 and words[0] == "softdep":
            kind = ""
            for word in words[2:]:
                if word.endswith(":"):
                    kind = word
                elif kind == "pre:":
                    index.first.setdefault(plain(words[1]), []).append(word)


def read_index(folder: Path) -> Index:
    index = Index()
    read_dep((folder / "modules.dep").read_text(), index)
    read_alias((folder / "modules.alias").read_text(), index)
    read_softdep((folder / "modules.softdep").read_text(), index)
    index.builtin = {module_name(line) for line in
                     (folder / "modules.builtin").read_text().splitlines()}
    return index


def parse_wishes(text: str) -> list[tuple[str, str]]:
    """The lines of image/initramfs/modules: WHEN and name."""
    wishes = []
    for number, line in enumerate(text.splitlines(), 1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        if len(words) != 2 or words[0] not in ("always", "alias"):
            raise BuildError(f"initramfs/modules, line {number}: "
                             "'always NAME' or 'alias NAME' is expected")
        wishes.append((words[0], plain(words[1])))
    return wishes


@dataclass
class Module:
    name: str
    path: str
    when: str
    needs: list[str]
    aliases: list[str]

    @property
    def file(self) -> str:
        """In the first file system: uncompressed."""
        return PurePosixPath(self.path).name.split(".ko")[0] + ".ko"


def device_aliases(aliases: list[str]) -> list[str]:
    """Those by which a device asks. Where a USB driver takes a whole class of devices, only that: what
    is plugged in as storage says so by its class, and vendors' exceptions are hundreds."""
    found = sorted({alias for alias in aliases if alias.startswith(DEVICE_BUSES)})
    by_class = any(alias.startswith("usb:v*") for alias in found)
    return [alias for alias in found
            if not by_class or alias.startswith("usb:v*") or not alias.startswith("usb:")]


def _soft_needs(name: str, index: Index) -> list[str]:
    """What is loaded before by softdep, under its own name or that of what it offers."""
    needs = []
    for wanted in index.first.get(name, []):
        if plain(wanted) in index.path:
            needs.append(plain(wanted))
        needs += index.offers.get(wanted, [])
    return [need for need in dict.fromkeys(needs) if need in index.path]


def choose(wishes: list[tuple[str, str]], index: Index) -> list[Module]:
    """Modules in an order in which each comes after what it needs; those loaded at once come first.
    BuildError for a module that the kernel has neither as a file nor built in."""
    chosen: dict[str, Module] = {}

    def direct(name: str) -> list[str]:
        return list(dict.fromkeys([*reversed(index.needs[name]), *_soft_needs(name, index)]))

    def add(name: str, when: str) -> None:
        # Depth first, the way from `name` down in a list; a name is placed when all it needs are.
        # A module that needs itself by a detour is placed all the same; check() refuses it.
        way = [name]
        while way:
            missing = [need for need in direct(way[-1]) if need not in chosen and need not in way]
            if missing:
                way.append(missing[0])
                continue
            top = way.pop()
            if top not in chosen:
                chosen[top] = Module(top, index.path[top], "dep", direct(top), [])
        module = chosen[name]
        if module.when == "dep":
            module.when = when
            module.aliases = device_aliases(index.aliases.get(name, [])) if when == "alias" else []

    for when in ("always", "alias"):
        for wish, name in wishes:
            if wish == when and name not in index.builtin:
                if name not in index.path:
                    raise BuildError(f"initramfs/modules: this kernel has no module {name}")
                add(name, when)
    check(list(chosen.values()))
    return list(chosen.values())


def check(modules: list[Module]) -> None:
    """Nothing for the network's hardware, order right, and every module reachable."""
    seen: set[str] = set()
    for module in modules:
        if module.path.startswith("kernel/drivers/net/") or "/wireless/" in module.path:
            raise BuildError(f"initramfs/modules: {module.name} drives a network device; the network "
                             "waits for the filter")
        if not set(module.needs) <= seen:
            raise BuildError(f"initramfs/modules: {module.name} and {module.needs} need each other")
        if module.when == "alias" and not module.aliases:
            raise BuildError(f"initramfs/modules: no device ever asks for {module.name}; "
                             "should it be 'always'?")
        seen.add(module.name)


def list_text(modules: list[Module]) -> str:
    """The list as init reads it: FILE, WHEN, what it needs or `-`, then its aliases."""
    file = {module.name: module.file for module in modules}
    return "".join(
        "\t".join([module.file, module.when, ",".join(file[need] for need in module.needs) or "-",
                   *module.aliases]) + "\n"
        for module in modules)
