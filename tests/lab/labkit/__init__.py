# SPDX-License-Identifier: GPL-3.0-or-later
"""The laboratory: network namespaces, a private Tor network, and a host under test.

Everything that the laboratory sends stays inside network namespaces of its own.
"""
