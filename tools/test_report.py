# SPDX-License-Identifier: GPL-3.0-or-later
"""report must never make a failure, a crash or a test that did not run look like success."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import TOOLS

TAP_GOOD = "1..2\nok 1 - one\nok 2 - two\n# ok - group\n"
TAP_BAD = "1..2\nok 1 - one\nnot ok 2 - two\n# 1 != 2\n# a.c:7: error: Failure!\n# not ok - group\n"
TAP_SKIP = "1..2\nok 1 - one\nok 2 - two # SKIP no kernel for it\n"


def report(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items()
             if name not in ("CI", "LETHE_MUST_RUN")}
    return subprocess.run([sys.executable, str(TOOLS / "report"), *map(str, arguments)], text=True,
                          capture_output=True, check=False, env=clean | environment)


def meson_total(folder: Path, entries: list[dict[str, object]], **environment: str) -> tuple[int, str]:
    log = folder / "testlog.json"
    log.write_text("".join(json.dumps(entry) + "\n" for entry in entries), encoding="utf-8")
    assert report("meson", "unit", folder / "tally", "build", log).returncode == 0
    result = report("total", folder / "tally", **environment)
    return result.returncode, result.stdout


def entry(result: str, stdout: str = "") -> dict[str, object]:
    return {"name": "lethe:unit / base", "result": result, "stdout": stdout, "returncode": 0}


@pytest.mark.parametrize(("one", "last", "status"), [
    (entry("OK", TAP_GOOD), "2 passed, 0 failed", 0),
    (entry("OK"), "1 passed, 0 failed", 0),
    (entry("FAIL", TAP_BAD), "1 passed, 1 failed", 1),
    (entry("ERROR", TAP_GOOD), "2 passed, 1 failed", 1),  # crashed after its last test
    (entry("TIMEOUT", "1..2\nok 1 - one\n"), "1 passed, 1 failed", 1),
    (entry("FAIL"), "0 passed, 1 failed", 1),
    (entry("SOMETHING NEW"), "0 passed, 1 failed", 1),
    (entry("SKIP"), "0 passed, 0 failed", 1),  # nothing ran
    (entry("OK", TAP_SKIP), "1 passed, 0 failed", 0),
])
def test_results_of_meson(tmp_path: Path, one: dict[str, object], last: str, status: int) -> None:
    seen, output = meson_total(tmp_path, [one])
    assert (seen, output.splitlines()[-1]) == (status, last)


@pytest.mark.parametrize("variable", [{"LETHE_MUST_RUN": "1"}, {"CI": "true"}])
def test_a_skip_fails_where_all_must_run(tmp_path: Path, variable: dict[str, str]) -> None:
    status, output = meson_total(tmp_path, [entry("OK", TAP_SKIP)], **variable)
    assert (status, output.splitlines()[-1]) == (1, "1 passed, 1 failed")
    assert "no kernel for it" in output


def test_a_failure_tells_what_where_and_how_to_repeat(tmp_path: Path) -> None:
    _, output = meson_total(tmp_path, [entry("FAIL", TAP_BAD)])
    assert "base/two: 1 != 2; a.c:7: error: Failure!" in output
    assert "again: meson test -C build --print-errorlogs 'base'" in output


@pytest.mark.parametrize("log", ["missing", "empty"])
def test_a_run_without_results_is_a_failure(tmp_path: Path, log: str) -> None:
    (tmp_path / "empty").write_text("", encoding="utf-8")
    report("meson", "unit", tmp_path / "tally", "build", tmp_path / log)
    report("pytest", "lab", tmp_path / "tally", tmp_path / log)
    result = report("total", tmp_path / "tally")
    assert (result.returncode, result.stdout.splitlines()[-1]) == (1, "0 passed, 2 failed")


@pytest.mark.parametrize("tally", ["missing", "empty"])
def test_no_test_at_all_is_a_failure(tmp_path: Path, tally: str) -> None:
    (tmp_path / "empty").write_text("", encoding="utf-8")
    result = report("total", tmp_path / tally)
    assert (result.returncode, result.stdout.splitlines()[-1]) == (1, "0 passed, 0 failed")


def test_results_of_pytest(tmp_path: Path) -> None:
    (tmp_path / "test_x.py").write_text(
        "import pytest\nclass TestA:\n def test_b(self): pass\n"
        "def test_c(): assert 1 == 2\n"
        "@pytest.mark.skipif(True, reason='no card')\ndef test_d(): pass\n"
        "@pytest.fixture\ndef broken(): raise OSError('gone')\ndef test_e(broken): pass\n",
        encoding="utf-8")
    junit = tmp_path / "junit.xml"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--junitxml",
               str(junit), "-o", "junit_family=xunit1", "--rootdir", str(tmp_path), "test_x.py"]
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).returncode == 1
    report("pytest", "lab", tmp_path / "tally", junit)
    result = report("total", tmp_path / "tally")
    assert (result.returncode, result.stdout.splitlines()[-1]) == (1, "1 passed, 2 failed")
    assert "again: python3 -m pytest 'test_x.py::test_c'" in result.stdout
    assert "no card" in result.stdout and "gone" in result.stdout
    names = [json.loads(line)["name"] for line in (tmp_path / "tally").read_text().splitlines()]
    assert names[0] == "test_x.py::TestA::test_b"


def test_a_command_counts_by_its_status(tmp_path: Path) -> None:
    report("check", "lint", tmp_path / "tally", "good", "0", "again good")
    report("check", "lint", tmp_path / "tally", "bad", "3", "again bad")
    result = report("total", tmp_path / "tally")
    assert result.stdout.splitlines()[-1] == "1 passed, 1 failed"
    assert "again: again bad" in result.stdout and "exit status 3" in result.stdout
