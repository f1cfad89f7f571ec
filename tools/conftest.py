# SPDX-License-Identifier: GPL-3.0-or-later
"""Helpers of the checkers' own tests: small trees with a fault planted in them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

TOOLS = Path(__file__).resolve().parent
Tool = Callable[..., subprocess.CompletedProcess[str]]
Plant = Callable[[dict[str, str]], Path]


@pytest.fixture
def tool() -> Tool:
    """Runs a checker of this folder."""
    def run(name: str, *arguments: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(TOOLS / name), *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    return run


@pytest.fixture
def plant(tmp_path: Path) -> Plant:
    """Writes files into a tree of its own and returns its root."""
    def write(files: dict[str, str]) -> Path:
        root = tmp_path / "planted"
        for name, text in files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return root
    return write
