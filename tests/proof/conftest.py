# SPDX-License-Identifier: GPL-3.0-or-later
"""What pytest must know of the tests of the proof."""

from __future__ import annotations

import pytest


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "long: left out by ./test, run by ./test proof and ./test full")
