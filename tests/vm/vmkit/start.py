# SPDX-License-Identifier: GPL-3.0-or-later
"""The image that was built, started for a person: console in the terminal, or a window as well."""

from __future__ import annotations

import argparse
import contextlib
import os
import subprocess
import sys

from labkit import names
from labkit.lab import LabError

from . import console, session, tour
from .machine import Machine
from .spec import QEMU

_WINDOWS = ("gtk", "sdl")


def main(argv: list[str] | None = None) -> int:
    arguments = parse(argv)
    tour.end_on_signals()
    say = tour.progress()
    try:
        if os.geteuid() != 0:
            raise LabError("the machine is put into a network namespace: this must be run as root")
        if not (os.isatty(0) and os.isatty(1)):
            raise LabError("the console needs a terminal; `tests/vm/tour` needs none")
        display = window() if arguments.window else "none"
        tour.tell_accelerator(say)
        say(f"starting {arguments.iso}; Ctrl-] leaves and switches the machine off")
        run(arguments, display)
    except tour.ERRORS as error:
        print(f"start: {error}", file=sys.stderr)
        return 1
    print("\nThe machine is off.")
    return 0


def parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="start", description="Boot the image in QEMU, its serial console in this terminal. "
        "Ctrl-] leaves; the machine is switched off then.")
    parser.add_argument("--net", choices=("lab", "real"), default="lab",
                        help="its network: a laboratory that is up, or this computer's own, "
                        "through QEMU's user-mode network (default: %(default)s)")
    parser.add_argument("--name", default=names.DEFAULT_LAB, help="the lab (default: %(default)s)")
    parser.add_argument("--window", action="store_true", help="show its screen in a window")
    tour.add_computer(parser)
    return parser.parse_args(argv)


def window() -> str:
    """QEMU's name for a window that can be shown here. LabError: none can."""
    if not os.environ.get("DISPLAY") and not os.environ.get("WAYLAND_DISPLAY"):
        raise LabError("--window: there is no display (neither DISPLAY nor WAYLAND_DISPLAY is "
                       "set); without --window the machine's console is in this terminal")
    listed = subprocess.run([QEMU, "-display", "help"], capture_output=True, text=True,
                            timeout=60, check=False).stdout.split()  # fmt: skip
    for kind in _WINDOWS:
        if kind in listed:
            return kind
    raise LabError("--window: this QEMU cannot open a window; the package qemu-system-gui adds "
                   "that")


def run(arguments: argparse.Namespace, display: str) -> None:
    computer = tour.computer(arguments, display)
    iso = session.existing_iso(arguments.iso)
    in_lab = arguments.net == "lab"
    with contextlib.ExitStack() as stack:
        if in_lab:
            lab = session.existing_lab(arguments.name)
            port = stack.enter_context(lab.vm_port())
            spec = session.spec_in_lab(lab, iso, computer, session.DIRECTORY, port.device)
        else:
            spec = session.spec_on_network(iso, computer)
        console.show(Machine(spec, session.DIRECTORY), 0, 1, in_lab)
