# SPDX-License-Identifier: GPL-3.0-or-later
"""check-source must find each fault it names."""

from __future__ import annotations

import pytest

from conftest import Plant, Tool

LICENCE = "SPDX-License-Identifier: GPL-3.0-or-later"
C_TOP = f"/* {LICENCE} */\n"
GOOD = {
    "lib/a.c": C_TOP + "int a(void)\n{\n\treturn 0; /* not strcpy(), which has no bound */\n}\n",
    "tools/run": f"#!/bin/bash\n# {LICENCE}\ntrue\n",
    "README.md": "# A page\n",
    "tests/corpus/x/seed.conf": "strange\r\ndata without an end",
}
UNFINISHED = "TO" + "DO"  # put together, because check-source reads this file, too
LINE = "int x;\n"
FAULTS = {
    "no licence": ("lib/b.c", "int b;\n", "SPDX"),
    "licence too far down": ("lib/b.c", "\n" * 9 + C_TOP, "SPDX"),
    "script without licence": ("tools/b", "#!/bin/sh\ntrue\n", "SPDX"),
    "too long": ("lib/b.c", C_TOP + LINE * 800, "801 lines"),
    "strcpy": ("lib/b.c", C_TOP + "void f(void) { strcpy(a, b); }\n", "strcpy()"),
    "system": ("src/b.c", C_TOP + "int r = system (s);\n", "system()"),
    "atoi": ("src/b.h", C_TOP + "#define N(x) atoi(x)\n", "atoi()"),
    "unfinished": ("lib/b.c", C_TOP + f"/* {UNFINISHED}: later */\n", "unfinished"),
    "blanks": ("lib/b.c", C_TOP + "int x; \n", "blanks"),
    "carriage return": ("lib/b.c", C_TOP + "int x;\r\n", "carriage return"),
    "no end": ("lib/b.c", C_TOP + "int x;", "no newline"),
    "a person's path": ("docs/b.md", "see /home/" + "kim/src/lethe\n", "somebody's machine"),
}


def test_a_clean_tree_is_clean(tool: Tool, plant: Plant) -> None:
    result = tool("check-source", "--root", plant(GOOD))
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_found(tool: Tool, plant: Plant, fault: str) -> None:
    path, text, expected = FAULTS[fault]
    result = tool("check-source", "--root", plant(GOOD | {path: text}))
    assert result.returncode == 1
    assert path in result.stdout and expected in result.stdout, result.stdout


def test_the_path_of_the_checkout_is_found(tool: Tool, plant: Plant) -> None:
    root = plant(GOOD)
    (root / "docs").mkdir()
    (root / "docs" / "b.md").write_text(f"run {root}/test\n", encoding="utf-8")
    result = tool("check-source", "--root", root)
    assert result.returncode == 1 and "docs/b.md:1: a path of this machine" in result.stdout


@pytest.mark.parametrize("text", [
    "void f(struct s *s) { s->system(1); }\n", "void my_strcpy(void);\n", 'char *s = "gets()";\n'])
def test_what_only_looks_like_a_fault_is_not_one(tool: Tool, plant: Plant, text: str) -> None:
    result = tool("check-source", "--root", plant(GOOD | {"lib/b.c": C_TOP + text}))
    assert result.returncode == 0, result.stdout


def test_a_long_file_is_warned_of(tool: Tool, plant: Plant) -> None:
    result = tool("check-source", "--root", plant(GOOD | {"lib/b.c": C_TOP + LINE * 700}))
    assert result.returncode == 0 and "warning: lib/b.c: 701 lines" in result.stdout


def test_made_files_are_not_looked_at(tool: Tool, plant: Plant) -> None:
    made = {"build/x.c": "x", "build-asan/x.c": "x", "out/x.py": "x", "tools/__pycache__/x.py": "x"}
    assert tool("check-source", "--root", plant(GOOD | made)).returncode == 0


def test_an_empty_tree_is_not_clean(tool: Tool, plant: Plant) -> None:
    assert tool("check-source", "--root", plant({"README.md": "# A page\n"})).returncode == 1
