# SPDX-License-Identifier: GPL-3.0-or-later
"""check-docs must find each statement that is not true."""

from __future__ import annotations

from pathlib import Path

import pytest

from conftest import Plant, Tool

CLAIMS = [f"F{number}" for number in range(1, 11)]
FLOORS = """
[[room]]
path = "lib/base"
floor = 0
says = "ground"
[[room]]
path = "tests"
floor = 9
says = "tests"
sees_all = true
[data]
paths = []
[include]
roots = ["lib"]
[system]
directories = []
headers = []
"""


def claim(name: str, tests: str = "`base/good`", anti: str = "`tests/test_a.py::test_a`") -> str:
    return f"### {name}. A promise\n\nText.\n\n- Tests: {tests}\n- Anti-tests: {anti}\n\n"


def security(**changed: str) -> str:
    sections = [changed.get(name, claim(name)) for name in CLAIMS]
    return "# Security\n\n## Claims\n\n" + "".join(sections) + "## Other\n\n- Tests: `not/one`\n"


@pytest.fixture
def good(tool: Tool, plant: Plant) -> Path:
    root = plant({
        "SECURITY.md": security(),
        "floors.toml": FLOORS,
        "lib/base/base.h": "\n",
        "lib/base/meson.build": "unit_tests += [['base', files('test_base.c')]]\n"
        "foreach t : ['num', 'buf']\n unit_tests += [['base-' + t, files('test_base.c')]]\n",
        "lib/base/test_base.c": "static void good(void **state)\nstatic void wide(void **state)\n"
        "static void unlisted(void **state)\ncmocka_unit_test(good), TEST(wide)\n",
        "tests/test_a.py": "class TestB:\n    def test_b(self): pass\ndef test_a(): pass\n",
        "docs/architecture.md": "# Rooms\n\n## The floors\n\n"
        "<!-- floors: written by tools/check-docs --fix -->\n<!-- end of floors -->\n"
        "[here](#the-floors) [there](decisions/README.md#index) [net](https://example.org/x)\n",
        "docs/decisions/README.md": "# Index\n\n- [one](0001-one.md)\n",
        "docs/decisions/0001-one.md": "# One\n",
        "data/policy.conf": "# F1\ndefault drop\n",
        "man/tool.8": ".Dd January 1, 2025\n.Dt TOOL 8\n.Os\n.Sh NAME\n.Nm tool\n.Nd a tool\n"
        ".Sh DESCRIPTION\nIt is a tool.\n",
    })
    fixed = tool("check-docs", "--root", root, "--fix")
    assert fixed.returncode == 0, fixed.stdout
    return root


def test_true_documents_are_accepted(tool: Tool, good: Path) -> None:
    result = tool("check-docs", "--root", good)
    assert result.returncode == 0, result.stdout
    assert "| 0 | `lib/base` | ground |" in (good / "docs/architecture.md").read_text()


@pytest.mark.parametrize("name", ["`base/wide`", "`base-num/good`", "`tests/test_a.py::TestB::test_b`",
                                  "`base/good`,\n  `tests/test_a.py::test_a[x-1]`"])
def test_the_forms_of_a_test_name(tool: Tool, good: Path, name: str) -> None:
    (good / "SECURITY.md").write_text(security(F3=claim("F3", tests=name)), encoding="utf-8")
    result = tool("check-docs", "--root", good)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize(("section", "expected"), [
    ("", "claim F3 is missing"),
    (claim("F3") * 2, "claim F3 is stated twice"),
    (claim("F3", tests="none yet"), "claim F3 names no tests"),
    (claim("F3", anti=""), "claim F3 names no anti-tests"),
    (claim("F3", tests="`base/gone`"), "no test base/gone"),
    (claim("F3", tests="`base/goo`"), "no test base/goo"),
    (claim("F3", tests="`base/unlisted`"), "no test base/unlisted"),
    (claim("F3", tests="`base/cmocka_unit_test`"), "no test base/cmocka_unit_test"),
    (claim("F3", tests="`bas/good`"), "no test bas/good"),
    (claim("F3", tests="`base-json/good`"), "no test base-json/good"),
    (claim("F3", tests="`good`"), "no test good"),
    (claim("F3", tests="`tests/test_a.py`"), "no test tests/test_a.py"),
    (claim("F3", tests="`tests/test_a.py::test_c`"), "no test tests/test_a.py::test_c"),
    (claim("F3", tests="`tests/test_a.py::TestC::test_b`"), "no test tests/test_a.py::TestC"),
    (claim("F3", tests="`tests/gone.py::test_a`"), "no test tests/gone.py::test_a"),
    (claim("F3", tests="`base/good`,\n  `base/gone`"), "no test base/gone"),
    (claim("F3", anti="`base/gone`"), "no test base/gone"),
])
def test_a_claim_without_its_test_is_found(tool: Tool, good: Path, section: str,
                                           expected: str) -> None:
    (good / "SECURITY.md").write_text(security(F3=section), encoding="utf-8")
    result = tool("check-docs", "--root", good)
    assert result.returncode == 1 and expected in result.stdout, result.stdout


@pytest.mark.parametrize(("path", "text", "expected"), [
    ("README.md", "[x](docs/gone.md)\n", "no such file"),
    ("README.md", "[x](../outside.md)\n", "no such file"),
    ("README.md", "[x](docs/architecture.md#gone)\n", "no such heading"),
    ("README.md", "[x](#gone)\n", "no such heading"),
    ("docs/decisions/0002-two.md", "# Two\n", "is not in the index"),
    ("docs/decisions/0003-three.md", "# Three\n", "not 1 to 2"),
    ("docs/decisions/notes.md", "# Notes\n", "not named NNNN-title.md"),
    ("data/policy.conf", "# F11\n", "names claim F11"),
    ("docs/architecture.md", "# Rooms\n", "no place for the table"),
    ("lib/os/os.h", "\n", "docs/architecture.md: the table of floors is out of date"),
    ("man/tool.8", ".Dd January 1, 2025\n.Dt TOOL 8\n.Os\n.Sh NAME\n.Nm tool\n.Nd x\n.Bx\n.Xyz\n", "tool.8"),
])
def test_a_planted_fault_is_found(tool: Tool, good: Path, path: str, text: str,
                                  expected: str) -> None:
    (good / path).parent.mkdir(parents=True, exist_ok=True)
    (good / path).write_text(text, encoding="utf-8")
    if path == "lib/os/os.h":
        floors = FLOORS.replace("lib/base", "lib/*")
        (good / "floors.toml").write_text(floors, encoding="utf-8")
    result = tool("check-docs", "--root", good)
    assert result.returncode == 1 and expected in result.stdout, result.stdout


def test_links_inside_code_are_not_links(tool: Tool, good: Path) -> None:
    (good / "README.md").write_text("```\n[x](gone)\n```\n", encoding="utf-8")
    assert tool("check-docs", "--root", good).returncode == 0


def test_without_manual_pages_it_is_not_true(tool: Tool, good: Path) -> None:
    (good / "man/tool.8").unlink()
    assert tool("check-docs", "--root", good).returncode == 1
