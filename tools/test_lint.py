# SPDX-License-Identifier: GPL-3.0-or-later
"""Each analyser of tools/lint must find a fault planted for it, with the settings of this tree."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from conftest import TOOLS

LICENCE = "/* SPDX-License-Identifier: GPL-3.0-or-later */\n"
GOOD = LICENCE + """
int twice(int number);
int twice(int number)
{
	return 2 * number;
}
"""
NULL_USED = LICENCE + """
int first(int wanted);
int first(int wanted)
{
	int *at = 0;

	return wanted ? *at : 0;
}
"""
SAME_TWICE = LICENCE + """
int both(int a, int b);
int both(int a, int b)
{
	return a == 1 && b == 2 && a == 1;
}
"""
TOO_LONG = LICENCE + "int sum(int n);\nint sum(int n)\n{\n" + "\tn++;\n" * 90 + "\treturn n;\n}\n"
PAST_THE_END = LICENCE + """
int past(void);
int past(void)
{
	int room[4] = { 0 };

	return room[4];
}
"""


@pytest.fixture
def lint_tree(tmp_path: Path) -> Path:
    """A tree with this tree's tools and settings, and one C file, lib/base/a.c."""
    shutil.copytree(TOOLS, tmp_path / "tools", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(TOOLS.parent / ".clang-tidy", tmp_path)
    for folder in ("lib/base", "src", "tests", "bench", "build-clang", "data"):
        (tmp_path / folder).mkdir(parents=True)
    for folder in ("src", "tests", "bench"):
        (tmp_path / folder / "empty.c").write_text(LICENCE, encoding="utf-8")
    command = {"directory": str(tmp_path / "build-clang"), "file": "../lib/base/a.c",
               "command": "clang -std=gnu17 -c ../lib/base/a.c"}
    (tmp_path / "build-clang" / "compile_commands.json").write_text(json.dumps([command]))
    return tmp_path


def lint(root: Path, name: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(root / "tools" / "lint"), name], capture_output=True, text=True,
                          check=False)


@pytest.mark.parametrize("name", ["clang-tidy", "cppcheck"])
def test_a_clean_file_is_clean(lint_tree: Path, name: str) -> None:
    (lint_tree / "lib/base/a.c").write_text(GOOD, encoding="utf-8")
    result = lint(lint_tree, name)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(("name", "text", "expected"), [
    ("clang-tidy", NULL_USED, "clang-analyzer-core.NullDereference"),
    ("clang-tidy", SAME_TWICE, "misc-redundant-expression"),
    ("clang-tidy", TOO_LONG, "readability-function-size"),
    ("cppcheck", PAST_THE_END, "arrayIndexOutOfBounds"),
])
def test_a_planted_fault_is_found(lint_tree: Path, name: str, text: str, expected: str) -> None:
    (lint_tree / "lib/base/a.c").write_text(text, encoding="utf-8")
    result = lint(lint_tree, name)
    assert result.returncode != 0
    assert expected in result.stdout + result.stderr


def test_clang_tidy_with_nothing_to_analyse_is_not_clean(lint_tree: Path) -> None:
    (lint_tree / "build-clang/compile_commands.json").write_text("[]", encoding="utf-8")
    assert lint(lint_tree, "clang-tidy").returncode != 0


@pytest.mark.parametrize("name", ["tools/script", "data/completion.bash"])
def test_shellcheck_sees_every_script(lint_tree: Path, name: str) -> None:
    (lint_tree / "lib/base/a.c").write_text(GOOD, encoding="utf-8")
    assert lint(lint_tree, "shellcheck").returncode == 0
    (lint_tree / name).write_text("#!/bin/bash\nrm -rf $1/*\n", encoding="utf-8")
    result = lint(lint_tree, "shellcheck")
    assert result.returncode != 0 and "SC2086" in result.stdout
