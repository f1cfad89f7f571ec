#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""plant-fault.py SOURCE RESULT GOOD BAD: the source with its one place GOOD made BAD."""

from __future__ import annotations

import sys
from pathlib import Path

source, result, good, bad = sys.argv[1:]
text = Path(source).read_text(encoding="utf-8")
if text.count(good) != 1:
    sys.exit(f"{source}: there is not one place to plant the fault in: {good}")
Path(result).write_text(text.replace(good, bad), encoding="utf-8")
