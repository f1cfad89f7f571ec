# SPDX-License-Identifier: GPL-3.0-or-later
"""Who judges the proof: every small fault of a ruleset, and a second algorithm of another kind."""

from __future__ import annotations

import json
import os
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("LETHE_BUILD", ROOT / "build"))
SECONDS = 3000.0


def mutants(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(BUILD / "tests" / "proof" / "lethe-mutants"), *words],
                          capture_output=True, text=True, timeout=SECONDS, check=False)  # fmt: skip


def told(*words: str) -> dict[str, Any]:
    result = mutants("--json", *words)
    assert result.returncode == 0, result.stdout[-4000:] + result.stderr
    return json.loads(result.stdout)


@pytest.mark.parametrize(("words", "least"), [
    pytest.param([], 5000, marks=pytest.mark.long),
    (["--every=13"], 500),  # by this step all kinds of faults are among them
])  # fmt: skip
def test_every_mutant_is_refuted(words: list[str], least: int) -> None:
    """Or not proved; or shown to be the same by the second algorithm, with the reason."""
    figures = told(*words)
    judgements = Counter(one["judgement"] for one in figures["judgements"])
    print({name: value for name, value in figures.items() if isinstance(value, int)})
    assert figures["mutants"] == sum(judgements.values()) > least
    assert judgements["refuted"] > judgements["equivalent"] + judgements["not proved"]
    assert judgements.keys() <= {"refuted", "not proved", "equivalent",
                                  "proved for present devices only"}, judgements


@pytest.mark.parametrize("pairs", [pytest.param(5000, marks=pytest.mark.long), 60])
def test_two_algorithms_agree(pairs: int) -> None:
    result = mutants(f"--random={pairs}")
    print(result.stdout[-2000:])
    assert result.returncode == 0, result.stdout[-4000:] + result.stderr
