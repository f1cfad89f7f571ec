# SPDX-License-Identifier: GPL-3.0-or-later
"""The laboratory's tests of the guard and the watch, under kernels that this computer does not run."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
