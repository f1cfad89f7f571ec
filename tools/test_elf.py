# SPDX-License-Identifier: GPL-3.0-or-later
"""check-elf must find each missing protection by itself, under both compilers."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from conftest import Tool

PROGRAM = r"""
#include <stdio.h>
int main(int argc, char **argv)
{
	char text[64];
	snprintf(text, sizeof(text), "%s %d", argv[0], argc);
	return fprintf(stderr, "%s\n", text) < 0;
}
"""
FLAGS = {
    "optimise": "-O2",
    "position": "-fPIE -pie",
    "protector": "-fstack-protector-strong",
    "fortify": "-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3",
    "relro": "-Wl,-z,relro",
    "now": "-Wl,-z,now",
    "stack": "-Wl,-z,noexecstack",
}
FAULTS = {
    "position": ("-fno-pie -no-pie", "not position-independent"),
    "protector": ("-fno-stack-protector", "no stack protector"),
    "fortify": ("-U_FORTIFY_SOURCE", "not fortified"),
    "relro": ("-Wl,-z,norelro", "no RELRO"),
    "now": ("-Wl,-z,lazy", "no immediate binding"),
    "stack": ("-Wl,-z,execstack", "executable stack"),
    "path": ("-Wl,-rpath,/opt/lib", "search path"),
}


def compile_program(folder: Path, compiler: str, flags: dict[str, str]) -> Path:
    source = folder / "program.c"
    source.write_text(PROGRAM, encoding="utf-8")
    program = folder / "program"
    words = " ".join(flags.values()).split()
    subprocess.run([compiler, *words, "-o", str(program), str(source)], check=True)
    return program


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_a_hardened_program_is_accepted(tool: Tool, tmp_path: Path, compiler: str) -> None:
    result = tool("check-elf", compile_program(tmp_path, compiler, FLAGS))
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
@pytest.mark.parametrize("fault", FAULTS)
def test_one_missing_protection_is_found(tool: Tool, tmp_path: Path, compiler: str,
                                         fault: str) -> None:
    flag, expected = FAULTS[fault]
    result = tool("check-elf", compile_program(tmp_path, compiler, FLAGS | {fault: flag}))
    assert result.returncode == 1
    assert expected in result.stdout


STATIC = FLAGS | {"position": "-fPIE -static-pie"}


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_a_hardened_static_program_is_accepted(tool: Tool, tmp_path: Path, compiler: str) -> None:
    result = tool("check-elf", compile_program(tmp_path, compiler, STATIC))
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize(
    ("fault", "flag", "expected"),
    [
        ("position", "-fno-pie -no-pie -static", "not position-independent"),
        ("relro", "-Wl,-z,norelro", "no RELRO"),
        ("stack", "-Wl,-z,execstack", "executable stack"),
        ("fortify", "-U_FORTIFY_SOURCE", "not fortified"),
        ("strip", "-s", "stripped"),
    ],
)
def test_a_faulty_static_program_is_found(tool: Tool, tmp_path: Path, fault: str, flag: str,
                                          expected: str) -> None:
    result = tool("check-elf", compile_program(tmp_path, "gcc", STATIC | {fault: flag}))
    assert result.returncode == 1
    assert expected in result.stdout


@pytest.mark.parametrize("mode", [0o4755, 0o2755, 0o0757])
def test_dangerous_modes_are_found(tool: Tool, tmp_path: Path, mode: int) -> None:
    program = compile_program(tmp_path, "gcc", FLAGS)
    program.chmod(mode)
    assert tool("check-elf", program).returncode == 1


def test_an_empty_build_is_not_clean(tool: Tool, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "meson.build").write_text("project('empty', 'c')\n", encoding="utf-8")
    build = tmp_path / "build"
    subprocess.run(["meson", "setup", str(build), str(source)], check=True, capture_output=True)
    result = tool("check-elf", build)
    assert result.returncode == 1 and "0 executables" in result.stdout
