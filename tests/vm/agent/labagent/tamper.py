# SPDX-License-Identifier: GPL-3.0-or-later
"""Root takes the filter away while a user sends what is forbidden. Runs inside the machine."""

from __future__ import annotations

import os
import pwd
import signal
import socket
import subprocess
import time

_PACE = 0.001  # s between two datagrams: each is a frame in a recording, if it leaves


def _send_forever(user: str, target: tuple[str, int], report: int) -> None:
    """Until SIGTERM; then how many were tried."""
    entry, tried, ends = pwd.getpwnam(user), 0, []
    signal.signal(signal.SIGTERM, lambda *_: ends.append(True))
    os.setresgid(entry.pw_gid, entry.pw_gid, entry.pw_gid)
    os.setresuid(entry.pw_uid, entry.pw_uid, entry.pw_uid)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as wire:
        while not ends:
            tried += 1
            try:
                wire.sendto(b"lethe blaster", target)
            except OSError:
                pass  # refused
            if tried == 1:
                os.write(report, b"begun\n")
            time.sleep(_PACE)
    os.write(report, b"%d\n" % tried)


def tables_while_sending(
    command: list[str], rounds: int, user: str, target: tuple[str, int]
) -> tuple[list[str], int]:
    """Root runs @command, so often, while @user sends datagrams to @target. Each different list of
    tables that was seen after one of them; how many datagrams were tried."""
    here, there = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(here)
            _send_forever(user, target, there)
        finally:
            os._exit(0)
    os.close(there)
    with os.fdopen(here) as report:
        assert report.readline() == "begun\n"
        tables = []
        for _ in range(rounds):
            # Refused or not: what is there afterwards counts.
            subprocess.run(command, check=False, capture_output=True, timeout=60)
            listed = subprocess.run(["nft", "list", "tables"], check=False, text=True,
                                    capture_output=True, timeout=60).stdout
            if listed not in tables:
                tables.append(listed)
        os.kill(child, signal.SIGTERM)
        os.waitpid(child, 0)
        return tables, int(report.readline())
