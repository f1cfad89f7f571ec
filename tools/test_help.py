# SPDX-License-Identifier: GPL-3.0-or-later
"""check-help must find each way in which a program and its documents can disagree."""

from __future__ import annotations

from pathlib import Path

import pytest

from conftest import Plant, Tool

HELP = "usage: tool [--json] [--root DIR]\n  --help  this text"
PROGRAM = """#!/bin/bash
help() { printf '%s\\n' "HELP"; }
case $1 in
--help) help; exit 0;;
*) printf 'unknown option %s\\n' "$1" >&2; exit 2;;
esac
"""
PAGE = r""".Dd January 1, 2025
.Dt TOOL 8
.Os
.Sh NAME
.Nm tool
.Nd a tool
.Sh SYNOPSIS
.Nm
.Op Fl -json
.Op Fl -root Ar dir
.Op Fl -help
"""
COMPLETION = "complete -W '--json --root --help' tool\n"


def good_files() -> dict[str, str]:
    return {"tool": PROGRAM.replace("HELP", HELP), "man/tool.8": PAGE,
            "data/completions/tool": COMPLETION}


def check(tool: Tool, plant: Plant, files: dict[str, str]) -> tuple[int, str]:
    root: Path = plant(files)
    (root / "tool").chmod(0o755)
    result = tool("check-help", "--root", root, root / "tool")
    return result.returncode, result.stdout + result.stderr


def test_a_truthful_program_is_accepted(tool: Tool, plant: Plant) -> None:
    status, output = check(tool, plant, good_files())
    assert status == 0, output


@pytest.mark.parametrize(("path", "old", "new", "expected"), [
    ("tool", "help; exit 0", "help; exit 1", "--help leaves with 1"),
    ("tool", "help; exit 0", "help >&2; exit 0", "standard error"),
    ("tool", "help; exit 0", "exit 0", "says nothing"),
    ("tool", "usage:", "x" * 60 + " usage:", "wider than 80"),
    ("tool", "exit 2", "exit 1", "leaves with 1, not 2"),
    ("tool", "exit 2", "exit 0", "leaves with 0, not 2"),
    ("tool", '"$1" >&2', '"$1"', "writes to standard output"),
    ("tool", '"$1" >&2', '"$1" >/dev/null', "not explained"),
    ("tool", "[--json]", "[--json] [--new]", "--new is not in the manual page"),
    ("tool", "[--json]", "[--json] [--new]", "--new is not in the completion"),
    ("tool", "[--json]", "", "--json is in the manual page only"),
    ("tool", "[--json]", "", "--json is in the completion only"),
    ("man/tool.8", ".Op Fl -json\n", "", "--json is not in the manual page"),
    ("man/tool.8", ".Op Fl -json\n", ".Op Fl -jsons\n", "--jsons is in the manual page only"),
    ("data/completions/tool", "--root", "--roof", "--roof is in the completion only"),
])
def test_a_planted_fault_is_found(tool: Tool, plant: Plant, path: str, old: str, new: str,
                                  expected: str) -> None:
    files = good_files()
    assert old in files[path]
    files[path] = files[path].replace(old, new)
    status, output = check(tool, plant, files)
    assert status == 1
    assert expected in output


@pytest.mark.parametrize(("missing", "expected"), [
    ("man/tool.8", "no manual page"), ("data/completions/tool", "no completion")])
def test_a_missing_document_is_found(tool: Tool, plant: Plant, missing: str, expected: str) -> None:
    files = good_files()
    del files[missing]
    status, output = check(tool, plant, files)
    assert status == 1 and expected in output
