# SPDX-License-Identifier: GPL-3.0-or-later
"""A namespace of the host under test that lethe-namespace makes and keeps joined to its network."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from . import kernel, mounts, names, netns, processes
from .wait import wait_for

if TYPE_CHECKING:
    from .lab import Lab

INSIDE_ADDRESS = "192.0.0.2"  # of every such namespace
INSIDE_GATEWAY = "192.0.0.1"
DEVICE = "uplink"
_SECONDS = 20.0


def program() -> Path:
    """The lethe-namespace to use; LETHE_BUILD names another build directory than ./build."""
    build = Path(os.environ.get("LETHE_BUILD", names.SOURCE_ROOT / "build"))
    return (build / "src" / "clearnet" / "lethe-namespace").absolute()


def other_pasta() -> Path | None:
    """LETHE_PASTA names another pasta than the system's, as that of another release."""
    name = os.environ.get("LETHE_PASTA")
    return Path(name).absolute() if name else None


class Namespace:
    """Its packets are those of the user NAME-net."""

    def __init__(self, lab: Lab, name: str, tcp_only: bool = False) -> None:
        self._lab = lab
        self._tcp_only = tcp_only
        self.name = name
        self.user = f"{name}-net"
        self.net = lab.state / f"{name}.net"
        self.mount = lab.state / f"{name}.mnt"
        self.path = Path("/run/lethe/netns", name)  # on the host under test
        self.log = lab.logs / name

    def start(self, *words: str, pasta: Path | None = None, joined: bool = True) -> None:
        """Start it if it is not there. @words: further options of lethe-namespace. @joined: wait until
        programs inside have a network."""
        if self.keeper():
            return
        host = self._lab.host
        self._unpin()
        host.run([str(program()), "make", self.name], check=True)
        self._pin()
        pasta = pasta or other_pasta()
        options = [*words, *([f"--pasta={pasta}"] if pasta else [])]
        options += ["--tcp-only"] if self._tcp_only and "--tcp-only" not in words else []
        argv = host.command([str(program()), *options, "keep", self.name], user=self.user)
        self._lab.registry.start(self.name, argv, self.log, env=host.environment(self.user))
        if joined:
            self.wait_joined()

    def stop(self) -> None:
        keeper = self.keeper()
        if keeper:
            self._lab.registry.stop([keeper])
        self._unpin()
        self._lab.host.run([str(program()), "remove", self.name], check=True)

    def keeper(self) -> processes.Process | None:
        process = self._lab.registry.find(self.name)
        return process if process and processes.is_running(process) else None

    def pasta(self) -> processes.Process | None:
        """The process that joins it, if it runs now."""
        keeper = self.keeper()
        if not keeper:
            return None
        text = Path(f"/proc/{keeper.pid}/task/{keeper.pid}/children").read_text(encoding="ascii")
        for word in text.split():
            found = processes.identify(int(word))
            # Children that only follow addresses are copies of the keeper.
            if found and _program(found.pid) != _program(keeper.pid):
                return found
        return None

    def joined(self) -> bool:
        """Has it a device with its address?"""
        return INSIDE_ADDRESS in netns.run_in(str(self.net), _fib)

    def wait_joined(self) -> processes.Process:
        """pasta, once programs inside have a network."""

        def state() -> processes.Process | None:
            if not self.keeper():
                text = self.log.read_text(errors="replace").strip()[-800:]
                raise RuntimeError(f"lethe-namespace ended: {text}")
            return self.pasta() if self.joined() else None

        found = wait_for(state, _SECONDS, f"the namespace {self.name} (see {self.log})")
        assert found
        return found

    def _pin(self) -> None:
        """Keep handles that processes outside of the host's mounts can open, too."""
        mounts.pin_file(self.net, self._lab.host.mount_handle, self.path)
        mounts.pin_clearnet(self.mount, self._lab.host.mount_handle, names.LAN_RESOLVER)

    def _unpin(self) -> None:
        for handle in (self.net, self.mount):
            if handle.exists():
                if os.path.ismount(handle):
                    kernel.umount(str(handle))
                handle.unlink()


def _program(pid: int) -> str:
    try:
        return os.readlink(f"/proc/{pid}/exe")
    except OSError:
        return ""


def _fib() -> str:
    return Path("/proc/thread-self/net/fib_trie").read_text(encoding="ascii")
