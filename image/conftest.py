# SPDX-License-Identifier: GPL-3.0-or-later
"""The tests here import the builder as image/build does."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
