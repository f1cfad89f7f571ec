# SPDX-License-Identifier: GPL-3.0-or-later
"""A machine saved once and started again from there, many times.

Each start is a new QEMU process with the same devices and the saved state, so that no case sees
what another did. The guest's clock goes on from the moment it was saved: set it if that matters.
A machine with an nvme disk or with user_network cannot be saved; QEMU says so.
"""

from __future__ import annotations

import shlex
import time
from pathlib import Path

from .machine import Machine
from .qmp import QmpClosed
from .spec import Spec

DEADLINE = 300.0  # s, for a gigabyte on a busy disk
POLL_INTERVAL = 0.05
# QEMU would send RARP frames for the guest after a migration. They are not the guest's, and the
# capture must have nothing that the guest did not send.
_QUIET = {"announce-rounds": 0, "max-bandwidth": 1 << 40}


def save(machine: Machine, state: Path) -> None:
    """Write the state of @machine to @state. The machine stays paused and is of no more use."""
    machine.pause()
    partial = state.with_suffix(".partial")
    _migrate(machine, "migrate", f"exec:cat > {shlex.quote(str(partial.resolve()))}")
    partial.rename(state)


def restore(spec: Spec, state: Path, directory: Path, run: bool = True) -> Machine:
    """A machine in the saved state, its devices those of @spec (the one it was saved with; paths,
    tap and layer may be others of the same size). Started; the caller ends it. With @run False it
    is paused."""
    machine = Machine(spec, directory, incoming=True)
    machine.start(run=False)
    try:
        source = f"exec:cat {shlex.quote(str(state.resolve()))}"
        _migrate(machine, "migrate-incoming", source)
        if run:
            machine.resume()
    except BaseException:
        machine.end()
        raise
    return machine


def _migrate(machine: Machine, command: str, uri: str) -> None:
    qmp = machine.qmp
    qmp.execute({"execute": "migrate-set-parameters", "arguments": _QUIET})
    qmp.command(command, uri=uri)
    end = time.monotonic() + DEADLINE
    while True:
        try:
            answer = qmp.command("query-migrate")
        except QmpClosed as error:
            answer = {"status": "failed", "error-desc": str(error)}
        if answer.get("status") == "completed":
            return
        if answer.get("status") in ("failed", "cancelled"):
            said = machine.files.qemu_log.read_text(errors="replace").strip()
            raise RuntimeError(f"{command} {uri}: {answer.get('error-desc', '')} {said}")
        if time.monotonic() > end:
            raise TimeoutError(f"{command} {uri}: not done after {DEADLINE:g} s: {answer}")
        time.sleep(POLL_INTERVAL)
