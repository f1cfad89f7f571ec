# SPDX-License-Identifier: GPL-3.0-or-later
"""The laboratory's agent: runs what the tests ask for inside the virtual machine.

Its program comes into the machine from outside, with the laboratory layer; the image has none of
it. `values` is used at both ends of the line, the rest inside the machine only.
"""
