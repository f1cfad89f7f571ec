# SPDX-License-Identifier: GPL-3.0-or-later
"""A pluggable transport on the host under test, beside Tor and not below it.

Tor's own sandbox allows no program that Tor would manage, and the policy does not let Tor's user
speak to whatever port of loopback such a program chooses. So it runs by itself, and both are told:

    with Transport(lab) as obfs4:
        rules.apply_lethe(lab, obfs4.policy(tmp_path))
        ClientTor(lab, obfs4.lines(bridge_line))
"""

from __future__ import annotations

import os
import select
import shutil
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from . import names

if TYPE_CHECKING:
    from .lab import Lab

SECONDS = 60.0
_PROGRAM = "/usr/bin/obfs4proxy"


class Transport:
    """obfs4, run by Tor's user: what it sends is in the policy what Tor sends. @port: of its SOCKS
    listener on loopback."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._folder = Path(tempfile.mkdtemp(prefix="transport-", dir=lab.state))
        self.port = 0

    def __enter__(self) -> Transport:
        account = names.user(names.DEBIAN_TOR)
        os.chown(self._folder, account.uid, account.gid)
        env = {"TOR_PT_MANAGED_TRANSPORT_VER": "1", "TOR_PT_CLIENT_TRANSPORTS": "obfs4",
               "TOR_PT_STATE_LOCATION": str(self._folder),
               "TOR_PT_EXIT_ON_STDIN_CLOSE": "1"}  # fmt: skip
        self._process = self._lab.host.popen([_PROGRAM], user=names.DEBIAN_TOR, env=env, bufsize=0,
                                             stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            self.port = self._read_port()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.communicate()
        shutil.rmtree(self._folder)

    def lines(self, *bridges: str) -> list[str]:
        """For torrc: these bridges and nothing else."""
        return ["UseBridges 1", f"ClientTransportPlugin obfs4 socks5 127.0.0.1:{self.port}",
                *(f"Bridge {bridge}" for bridge in bridges)]  # fmt: skip

    def policy(self, folder: Path) -> Path:
        """The default policy, and that Tor may speak to this transport."""
        text = names.DEFAULT_POLICY.read_text(encoding="utf-8")
        path = folder / "policy.conf"
        grant = f"service transport tcp {self.port} for {names.DEBIAN_TOR}\n"
        path.write_text(text + grant, encoding="utf-8")
        return path

    def _read_port(self) -> int:
        assert self._process.stdout
        said = []
        while select.select([self._process.stdout], [], [], SECONDS)[0]:
            line = self._process.stdout.readline().decode()  # unbuffered
            said.append(line)
            words = line.split()
            if words[:3] == ["CMETHOD", "obfs4", "socks5"]:
                return int(words[3].rpartition(":")[2])
            if not line or words[0].endswith("ERROR"):
                break
        raise RuntimeError(f"the transport did not begin: {''.join(said)}")
