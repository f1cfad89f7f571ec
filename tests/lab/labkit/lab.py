# SPDX-License-Identifier: GPL-3.0-or-later
"""A whole laboratory: up, down, and what is inside.

Several can exist at once; each has a name, a state directory and namespaces of its own. Its
directory under /run is made first and removed last, so that what a crash leaves behind is found.
"""

from __future__ import annotations

import functools
import json
import os
import re
import shutil
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from pathlib import Path

from . import dhcp, kernel, mounts, names, netns, processes, vmport
from .host import NAMESPACE_HANDLES, Host
from .topology import Topology
from .tor import TorNetwork
from .wait import wait_for

SERVICES_SECONDS = 30.0
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,23}")


class LabError(RuntimeError):
    """Something about the lab went wrong; the text says what was attempted."""


def silent(_: str) -> None:
    """Progress for nobody."""


class Lab:
    def __init__(
        self, name: str = names.DEFAULT_LAB, progress: Callable[[str], None] = silent
    ) -> None:
        if not _NAME.fullmatch(name):
            raise LabError(f"a lab's name is lower-case letters, digits and '-': not {name!r}")
        self.name = name
        self.progress = progress
        self.state = names.RUN_DIRECTORY / name
        self.logs = self.state / "logs"
        self.registry = processes.Registry(self.state / "processes")
        self.topology = Topology(name)
        self.host = Host(self)

    @functools.cached_property
    def tor(self) -> TorNetwork:
        return TorNetwork(self)

    def ns(self, node: str) -> str:
        return self.topology.ns(node)

    def vm_port(self, device: str = names.VM_PORT) -> AbstractContextManager[vmport.VmPort]:
        """A port of the LAN's bridge for a virtual machine; it is there while the context is."""
        return vmport.plugged(self.ns(names.ROUTER), device)

    def is_up(self) -> bool:
        return (self.state / "lab.json").exists()

    def settings(self) -> dict:
        return json.loads((self.state / "lab.json").read_text(encoding="utf-8"))

    def up(self, tor: bool = True, hostile: bool = False) -> Lab:
        """Build everything and return when it works. On failure nothing remains."""
        if os.geteuid() != 0:
            raise LabError("the lab makes network namespaces: it must be run as root")
        names.RUN_DIRECTORY.mkdir(parents=True, exist_ok=True)
        try:
            self.state.mkdir()
        except FileExistsError:
            raise LabError(
                f"the lab {self.name!r} exists already; `lab down --name {self.name}` ends it"
            ) from None
        try:
            self._build(tor, hostile)
        except BaseException as error:
            kept = self._keep_logs()
            self.down(keep_template=False)
            if not isinstance(error, Exception):
                raise
            raise LabError(f"{error}\n(the logs of this attempt are in {kept})") from error
        return self

    def down(self, keep_template: bool = True) -> None:
        """End what was started and remove what was made, whatever state it is in."""
        running = [p for p in self.registry.all() if processes.is_running(p)]
        self.registry.stop(running)
        processes.end(self._inmates(), ask=False)
        if keep_template and self.is_up() and self.settings()["tor"]:
            self.tor.save_template()
        self._remove_mounts()
        self.topology.remove()
        if self.state.exists():
            shutil.rmtree(self.state)

    def _build(self, tor: bool, hostile: bool) -> None:
        started = time.monotonic()
        mounts.make_private(self.state)
        self.state.chmod(0o755)
        self.logs.mkdir()
        self.progress("building the network")
        self.topology.build()
        self.start_services(hostile)
        self.host.prepare()
        if tor:
            self.tor.start()
        settings = {"tor": tor, "hostile": hostile, "seconds": time.monotonic() - started}
        (self.state / "lab.json").write_text(json.dumps(settings) + "\n", encoding="utf-8")

    def start_services(self, hostile: bool, poisons: Iterable[str] | None = None) -> None:
        """Start the servers of all nodes, in place of those that run. @poisons: what is wrong with
        DHCP (dhcp.POISONS, dhcp.SECOND_SERVER); if not given, all of it when the router is hostile.
        """
        words = dhcp.HOSTILE if hostile and poisons is None else tuple(poisons or ())
        old = self.registry.find("services")
        if old:
            self.registry.stop([old])
        self.progress("starting the servers" + (" and the hostile router" if hostile else ""))
        read, write = os.pipe()
        argv = [sys.executable, "-m", "labkit.services", self.name, str(write)]
        env = dict(os.environ) | {
            "PYTHONPATH": str(names.LAB_DIRECTORY),
            "PYTHONDONTWRITEBYTECODE": "1",
            names.MARKER_VARIABLE: self.name,
        }
        argv += ["--dhcp", ",".join(words), *(["--hostile"] if hostile else [])]
        log = self.logs / "services"
        process = self.registry.start("services", argv, log, env=env, pass_fds=(write,))
        os.close(write)
        os.set_blocking(read, False)
        try:
            wait_for(lambda: _is_ready(read, process), SERVICES_SECONDS, "the servers")
        except (RuntimeError, TimeoutError) as error:
            raise LabError(f"{error}\n{_tail(log)}") from None
        finally:
            os.close(read)

    def _keep_logs(self) -> Path:
        """Of the last attempt that failed; a lab that is gone cannot be asked."""
        kept = names.CACHE_DIRECTORY / "failed-logs"
        shutil.rmtree(kept, ignore_errors=True)
        if self.logs.is_dir():
            shutil.copytree(self.logs, kept)
        return kept

    def _inmates(self) -> list[processes.Process]:
        """Whatever else still lives in the lab, ourselves and our callers excepted: processes in
        its namespaces, and those that were started there and have gone into one of their own."""
        handles = [netns.path(name) for name in self.topology.remaining()]
        handles += [self.state / f for f in ("host.mnt", *NAMESPACE_HANDLES)]
        inodes = {os.stat(handle).st_ino for handle in handles if os.path.ismount(handle)}
        marker = f"{names.MARKER_VARIABLE}={self.name}"
        family = _ancestry()
        found = processes.inhabitants(inodes, marker)
        return [process for process in found if process.pid not in family]

    def _remove_mounts(self) -> None:
        """Every mount in and on the state directory, the newest first."""
        with open("/proc/self/mountinfo", encoding="utf-8") as lines:
            targets = [line.split()[4] for line in lines]
        own = str(self.state)
        for target in reversed(targets):
            if target == own or target.startswith(own + "/"):
                kernel.umount(target)


def existing() -> list[str]:
    """The names of all labs of which something exists, half-built and half-removed ones too."""
    found = set()
    if names.RUN_DIRECTORY.is_dir():
        found |= {entry.name for entry in names.RUN_DIRECTORY.iterdir() if entry.is_dir()}
    for namespace in netns.names(names.NAMESPACE_PREFIX):
        lab, _, node = namespace.removeprefix(names.NAMESPACE_PREFIX).rpartition("-")
        if lab and node in names.NODES:
            found.add(lab)
    return sorted(found)


def _is_ready(descriptor: int, process: processes.Process) -> bool:
    try:
        if os.read(descriptor, 1):
            return True
    except BlockingIOError:
        pass
    if not processes.is_running(process):
        raise RuntimeError("the servers of the lab ended at once:")
    return False


def _tail(log: Path, size: int = 2000) -> str:
    return log.read_text(encoding="utf-8", errors="replace")[-size:]


def _ancestry() -> set[int]:
    """This process and those that it descends from."""
    found, pid = set(), os.getpid()
    while pid > 0 and pid not in found:
        found.add(pid)
        text = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
        pid = int(text.rpartition(")")[2].split()[1])
    return found
