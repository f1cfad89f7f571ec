# SPDX-License-Identifier: GPL-3.0-or-later
"""Each file with texts to translate is listed, and the listing's own command takes them out."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MARKED = re.compile(r"(?<![A-Za-z0-9_])(?:N?_|n?gettext)\(\s*\"")


def listed(text: str) -> list[str]:
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def command(text: str) -> list[str]:
    """The words of the command in the file's comment."""
    comment = " ".join(line.lstrip("# ").rstrip("\\") for line in text.splitlines()
                       if line.startswith("#"))  # fmt: skip
    found = re.search(r"(xgettext .*--output=)lethe\.pot", comment)
    assert found
    return [*f"{found[1]}-".split()]


def unlisted(root: Path, text: str) -> list[str]:
    known = set(listed(text))
    return [name for path in sorted(root.glob("src/**/*.c"))
            if not path.name.startswith("test_") and MARKED.search(path.read_text())
            and (name := str(path.relative_to(root))) not in known]  # fmt: skip


def test_all_are_listed() -> None:
    text = (ROOT / "po" / "POTFILES").read_text()
    assert unlisted(ROOT, text) == []
    assert [name for name in listed(text) if not (ROOT / name).is_file()] == []


def test_one_that_is_not_listed_is_found(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "a.c").write_text('puts(_("listed"));\n')
    (tmp_path / "src" / "b.c").write_text('puts(N_("not listed"));\n')
    (tmp_path / "src" / "c.c").write_text('print_(""); is_("x");\n')
    assert unlisted(tmp_path, "# src/b.c\nsrc/a.c\n") == ["src/b.c"]


def test_what_people_see_is_taken_out() -> None:
    """From each corner: the command, the watch, its notices, the policy's reasons, a plural."""
    text = (ROOT / "po" / "POTFILES").read_text()
    made = subprocess.run(command(text), cwd=ROOT, check=True, capture_output=True, text=True).stdout
    wanted = ["What leaves this computer now", "a program that is not known",
              "%s tried to reach %s directly and was refused", "Nothing has to be done.",
              "nothing grants this", "the LAN is closed and no grant opens this"]  # fmt: skip
    assert [message for message in wanted if f'msgid "{message}"' not in made] == []
    assert re.search(r'msgid_plural "%<PRIu64> times"', made)
