# SPDX-License-Identifier: GPL-3.0-or-later
"""Known states of a boot, seen on the serial console, and commands typed there."""

from __future__ import annotations

import re
import secrets
import time
from dataclasses import dataclass

from .machine import Machine
from .serial import ConsoleClosed

DEADLINE = 300.0  # s, for a whole boot under emulation while other things run
COMMAND_DEADLINE = 120.0
_HEARD_DEADLINE = 5.0

PROMPT = r"^amnesia@[\w.-]+:[^\n]*\$ ?$"
# Anything that takes commands: a prompt of any user or program, or a login that asks for a name.
SHELL = (rf"{PROMPT}|^\S*@\S+:\S*[#$] |^(?:sh|bash|dash|ash)?(?:-\d\.\d+)?[#$] ?$|^~ # |"
         r"^\(initramfs\)|^grub(?: rescue)?>|login: ?$|^Press Enter for maintenance|Welcome to .*Lethe")  # fmt: skip
# With the line's end: `$` would match in the middle of what is still being said.
STOPPED = r"^Lethe stopped: (?P<sentence>.*)\n"
PANIC = r"Kernel panic - not syncing"
GRUB_ERROR = r"^error: .*\n"
OFFER = r"Type laboratory and Enter"


@dataclass(frozen=True)
class Outcome:
    """How a boot went: "shell", "stopped" (by init, with its sentence), "panic", "grub" (it could
    not load something), or "ended" (the machine is off)."""

    kind: str
    text: str


def outcome(machine: Machine, deadline: float = DEADLINE) -> Outcome:
    """Wait until the boot has come to an end of some kind. TimeoutError if it does not."""
    pattern = f"(?P<shell>{SHELL})|{STOPPED}|(?P<panic>{PANIC}.*)|(?P<grub>{GRUB_ERROR})"
    try:
        match = machine.serial.wait(pattern, deadline)
    except ConsoleClosed:
        return Outcome("ended", machine.serial.text())
    for kind in ("shell", "panic", "grub"):
        if match[kind] is not None:
            return Outcome(kind, match[kind])
    return Outcome("stopped", match["sentence"])


def wait_said(machine: Machine, pattern: str, deadline: float = 10.0) -> bool:
    """Whether @pattern was said anywhere up to now, or is in the next moments."""
    try:
        machine.serial.wait(pattern, deadline, since=0)
    except (TimeoutError, ConsoleClosed):
        return machine.serial.seen(pattern)
    return True


def wait_stop(machine: Machine, deadline: float = COMMAND_DEADLINE) -> Outcome:
    """Wait until a machine that was in use stops by a panic or ends."""
    try:
        match = machine.serial.wait(f"{PANIC}.*", deadline)
    except ConsoleClosed:
        return Outcome("ended", machine.serial.text())
    return Outcome("panic", match[0])


def reached_shell(text: str) -> bool:
    """Whether a console's text shows that something took commands."""
    return re.search(SHELL, text, re.MULTILINE) is not None


def wait_prompt(machine: Machine, deadline: float = DEADLINE) -> str:
    """Wait for the prompt of `amnesia`, and return what was said before it. When the boot ended
    otherwise, RuntimeError says how."""
    start = machine.serial.position
    match = machine.serial.wait(f"(?P<prompt>{PROMPT})|{STOPPED}|{PANIC}", deadline)
    if match["prompt"] is None:
        raise RuntimeError(f"the boot ended otherwise: {match[0]}")
    return machine.serial.text()[start:match.start()]


def accept_laboratory(machine: Machine, deadline: float = DEADLINE) -> None:
    """Wait for init's offer and take it. RuntimeError if the machine goes on without the layer."""
    machine.serial.wait(OFFER, deadline)
    taken, refused = r"^Lethe: LABORATORY:", r"^Lethe: starting without the laboratory layer"
    end = time.monotonic() + deadline
    typed = ""
    while not typed:
        # Init throws away what was typed before it listens, and that is a moment after it asks.
        # What it hears is shown on the console.
        machine.serial.type("laboratory\n")
        try:
            typed = machine.serial.wait(rf"^laboratory$|{taken}|{refused}", _HEARD_DEADLINE)[0]
        except TimeoutError:
            if time.monotonic() > end:
                raise
    if typed == "laboratory":
        typed = machine.serial.wait(f"{taken}|{refused}|{STOPPED}|{PANIC}", deadline)[0]
    if not typed.startswith("Lethe: LABORATORY:"):
        raise RuntimeError(f"the laboratory layer was offered, and then: {typed}")


def command(machine: Machine, line: str, timeout: float = COMMAND_DEADLINE) -> tuple[int, str]:
    """Type @line at the prompt; its exit status and what it printed."""
    mark = secrets.token_hex(4)
    # The console shows what is typed, so the words that are waited for are not in it as such.
    machine.serial.type(f" printf '<%s\\n' {mark}; {line}; printf '%s:%d>\\n' {mark} $?\n")
    match = machine.serial.wait(rf"^<{mark}\n(?P<out>(?:.*\n)*?.*?){mark}:(?P<status>\d+)>$", timeout)
    machine.serial.wait(PROMPT, timeout)
    return int(match["status"]), match["out"]


def wait_text(machine: Machine, pattern: str, deadline: float = DEADLINE) -> str:
    """Wait for a sentence of init's that matches; RuntimeError when the boot stopped before it."""
    match = machine.serial.wait(f"(?P<wanted>{pattern})|{STOPPED}|{PANIC}", deadline)
    if match["wanted"] is None:
        raise RuntimeError(f"the boot ended before {pattern!r}: {match[0]}")
    return match["wanted"]


# The menu --------------------------------------------------------------------------------------

MENU_ENTRIES = {
    "start": r"Start Lethe",
    "output": r"Start Lethe with output",
    "ram": r"Start Lethe from RAM",
    "check": r"Check this medium",
}
_MENU_SHOWN = MENU_ENTRIES["check"]  # the last entry: the whole menu is there


def choose(machine: Machine, entry: str, deadline: float = DEADLINE) -> None:
    """Wait for the menu and start the entry of that name; the menu is on the serial console, too.
    A test that depends on it looks at /proc/cmdline afterwards: keys can get lost."""
    machine.serial.wait(_MENU_SHOWN, deadline)
    machine.press(*["down"] * list(MENU_ENTRIES).index(entry), "ret")
