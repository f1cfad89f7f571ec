# SPDX-License-Identifier: GPL-3.0-or-later
"""The guided tour (labkit/tour.py), its host under test the booted image."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

from labkit import names
from labkit.lab import Lab, LabError
from labkit.tour import Tour

from . import accel, layer, session
from .guest import Guest, GuestGone
from .qmp import QmpClosed, QmpError
from .serial import ConsoleClosed
from .spec import FIRMWARES

ERRORS = (LabError, layer.LayerError, GuestGone, QmpClosed, QmpError, ConsoleClosed, RuntimeError,
          TimeoutError, OSError)  # fmt: skip


def progress() -> Callable[[str], None]:
    started = time.monotonic()

    def say(text: str) -> None:
        print(f"[{time.monotonic() - started:6.1f} s] {text}", flush=True)

    return say


def end_on_signals() -> None:
    """Told to end, end what was started, too: the machine, its port, the terminal's mode."""

    def leave(number: int, _: object) -> None:
        raise SystemExit(128 + number)

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, leave)


def add_computer(parser: argparse.ArgumentParser) -> None:
    """The options about the computer."""
    parser.add_argument("--iso", type=Path, default=session.ISO, metavar="FILE",
                        help="the image (default: %(default)s)")
    parser.add_argument("--firmware", choices=FIRMWARES, default="bios",
                        help="what starts the computer (default: %(default)s)")
    parser.add_argument("--medium", choices=("usb", "dvd"), default="dvd",
                        help="what the image is on (default: %(default)s)")
    parser.add_argument("--memory", type=_memory, default=1024, metavar="MIB",
                        help="how much memory it has (default: %(default)s)")


def _memory(text: str) -> int:
    if not text.isdecimal() or not 256 <= int(text) <= 65536:
        raise argparse.ArgumentTypeError("a number of MiB from 256 to 65536")
    return int(text)


def computer(arguments: argparse.Namespace, display: str = "none") -> session.Computer:
    return session.Computer(arguments.firmware, arguments.medium, arguments.memory, display)


def tell_accelerator(say: Callable[[str], None]) -> None:
    if accel.accelerator().startswith("kvm"):
        say("KVM works here and is used")
    else:
        say("KVM does not work here: the processor is emulated, and everything takes longer")


def lead(lab: Lab, guest: Guest, say: Callable[[str], None], show: Callable[[str], None]) -> bool:
    """The tour through a machine that is at its prompt. Whether every step was as promised."""
    guest.wait_tor_connected()
    say("Tor is connected")
    guest.prepare_tour()
    return Tour(lab, guest).run(show)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="tour", description="Boot the image in a lab that is up, and show Lethe's claims in "
        "it, one by one. Exit status: 0 every step came out as promised, 1 not.")
    parser.add_argument("--name", default=names.DEFAULT_LAB, help="the lab (default: %(default)s)")
    add_computer(parser)
    arguments = parser.parse_args(argv)
    end_on_signals()
    say = progress()
    try:
        if os.geteuid() != 0:
            raise LabError("the tour captures packets: it must be run as root")
        lab = session.existing_lab(arguments.name)
        tell_accelerator(say)
        say(f"starting {arguments.iso}")
        with session.in_lab(lab, computer(arguments), say, arguments.iso) as (_, guest):
            good = lead(lab, guest, say,
                        lambda text: print(textwrap.indent(text, "  "), flush=True))
    except ERRORS as error:
        print(f"tour: {error}", file=sys.stderr)
        return 1
    print("Every step came out as promised." if good else "NOT every step came out as promised.")
    return 0 if good else 1
