# SPDX-License-Identifier: GPL-3.0-or-later
"""The kernel command line: words from image/boot/cmdline, and the three that name the image."""

from __future__ import annotations

import re

from .process import BuildError
from .root import RootImage

SECTIONS = ("always", "start", "output", "ram", "check")
WORD = re.compile(r"[A-Za-z0-9_.,:=/-]+")
# What each entry of the menu adds to `always`.
ENTRIES = {
    "start": ("start",),
    "output": ("output",),
    "ram": ("start", "ram"),
    "check": ("start", "check"),
}


def parse(text: str) -> dict[str, list[str]]:
    """Words by section. BuildError for a word that GRUB would take apart, or that stands twice."""
    words: dict[str, list[str]] = {section: [] for section in SECTIONS}
    section = ""
    for number, line in enumerate(text.splitlines(), 1):
        word = line.partition("#")[0].strip()
        if word.startswith("[") and word.strip("[]") in SECTIONS:
            section = word.strip("[]")
        elif word and (not section or not WORD.fullmatch(word)):
            raise BuildError(f"boot/cmdline, line {number}: not a word of a command line: {word}")
        elif word in words.get(section, []) + words["always"] and word:
            raise BuildError(f"boot/cmdline, line {number}: {word} stands there already")
        elif word:
            words[section].append(word)
    return words


def line(words: dict[str, list[str]], entry: str, root: RootImage, offset: int) -> str:
    """The whole command line of one menu entry."""
    image = [f"lethe.roothash={root.root_hash}", f"lethe.blocks={root.data_blocks}",
             f"lethe.offset={offset}"]
    added = [word for section in ENTRIES[entry] for word in words[section]]
    return " ".join([*image, *words["always"], *added])


def fill(template: str, values: dict[str, str]) -> str:
    """Replace each @NAME@. BuildError if one has no value or is not used."""
    names = set(re.findall(r"@([A-Z_]+)@", template))
    if names != set(values):
        raise BuildError("boot/grub.cfg.in: names and values differ: "
                         + " ".join(sorted(names ^ set(values))))
    return re.sub(r"@([A-Z_]+)@", lambda match: values[match[1]], template)
