# SPDX-License-Identifier: GPL-3.0-or-later
"""The image builder: Debian's packages and ours in, one verified ISO out. image/README.md says how
the stages fit together."""
