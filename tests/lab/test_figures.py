# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of figures says what was put into it, and where nothing was."""

from __future__ import annotations

import pytest

from labkit.figures import Figures


def table() -> Figures:
    return Figures("Figures", "what", {"one": ("sent", "escaped"), "two": ("outcome", "ms")})


def test_nothing_is_no_table() -> None:
    assert table().text() == ""


def test_a_table() -> None:
    figures = table()
    figures.add("flush", "one", 1234567, 0)
    figures.add("flush", "two", "put right", 12.345)
    figures.add("a longer name", "two", "refused", None)
    figures.note("and more")
    assert figures.text().splitlines() == [
        "Figures",
        "",
        "              | one                | two",
        "what          | sent       escaped | outcome    ms",
        "-" * 52,
        "flush         | 1,234,567        0 | put right  12.3",
        "a longer name |                    | refused       -",
        "",
        "and more",
    ]


def test_a_cell_for_each_column() -> None:
    with pytest.raises(AssertionError):
        table().add("flush", "one", 1)
