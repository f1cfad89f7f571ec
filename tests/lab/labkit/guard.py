# SPDX-License-Identifier: GPL-3.0-or-later
"""lethe-guard on the host under test, and the ways in which another root process tampers with what it
keeps."""

from __future__ import annotations

import json
import os
import resource
import signal
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from . import kernel, names, netns, rules
from . import transitions as tr
from .wait import wait_for

if TYPE_CHECKING:
    from .lab import Lab

SECONDS = 60.0
NICE = -10  # as its unit says
FOLDER = Path("/run/lethe")  # where lethe-wall looks for its socket


class Guard:
    """A running one. A context manager; whatever ended it meanwhile, afterwards it has ended.

    @limit: of its address space, in bytes.
    """

    def __init__(self, lab: Lab, place: Path, *options: str, limit: int | None = None) -> None:
        self._lab = lab
        self._status = place / "guard.json"
        self._journal = place / "guard.log"
        program = rules.wall().parents[1] / "guard" / "lethe-guard"
        self._argv = [str(program), f"--status={self._status}", f"--policy={names.DEFAULT_POLICY}",
                      f"--passwd={names.PASSWD}", *options]  # fmt: skip
        if limit is not None:
            self._argv = ["prlimit", f"--as={limit}", *self._argv]
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Guard:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.running():
            self.signal(signal.SIGCONT)
            self.end(signal.SIGTERM)

    def start(self, ready: bool = True) -> None:
        FOLDER.mkdir(mode=0o755, exist_ok=True)
        self._status.unlink(missing_ok=True)
        with open(self._journal, "ab") as journal:
            self._process = netns.run_in(
                self._lab.ns(names.HOST),
                lambda: subprocess.Popen(self._argv, stdin=subprocess.DEVNULL, stderr=journal),
            )
        os.setpriority(os.PRIO_PROCESS, self._process.pid, NICE)
        if ready:
            wait_for(lambda: self._status.exists() or not self.running(), SECONDS, "the guard")
            assert self.running(), self.said()

    @property
    def pid(self) -> int:
        assert self._process
        return self._process.pid

    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def end(self, number: int) -> int:
        """Have it end by a signal, and wait. Its exit status as subprocess tells it."""
        assert self._process
        self.signal(number)
        return self._process.wait(SECONDS)

    def wait(self) -> int:
        assert self._process
        return self._process.wait(SECONDS)

    def status(self) -> dict[str, Any]:
        return json.loads(self._status.read_text(encoding="utf-8"))

    def said(self) -> str:
        return self._journal.read_text(encoding="utf-8", errors="replace")

    def until(self, what: str, **wanted: Any) -> dict[str, Any]:
        """Wait for a state: each word is what the status has there, or a function of that."""

        def reached() -> dict[str, Any] | None:
            found = self.status()
            for key, value in wanted.items():
                if not (value(found[key]) if callable(value) else found[key] == value):
                    return None
            return found

        try:
            return wait_for(reached, SECONDS, what)
        except TimeoutError as error:
            raise TimeoutError(f"{error}; its status: {self.status()}; it said:\n{self.said()}") from None

    def ticks(self) -> int:
        """Of the processor's time that it has used; there are a hundred in a second."""
        fields = Path(f"/proc/{self.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return int(fields[11]) + int(fields[12])

    def limit_memory(self, more: int | None) -> None:
        """It may have @more bytes of address space than it has now; None: as much as it wants."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text(encoding="ascii").split()[0])
        limit = (resource.RLIM_INFINITY if more is None
                 else pages * resource.getpagesize() + more)  # fmt: skip
        resource.prlimit(self.pid, resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))

    def shorten_queue(self) -> None:
        """Of its notices: the least that the kernel gives."""
        inode = next(fields[9] for fields in self._listening())
        for entry in Path(f"/proc/{self.pid}/fd").iterdir():
            if os.readlink(entry) == f"socket:[{inode}]":
                with socket.socket(fileno=kernel.copy_descriptor(self.pid, int(entry.name))) as copy:
                    copy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)

    def has_lost_notices(self) -> bool:
        """Has its queue overflowed? The kernel counts."""
        return any(int(fields[8]) > 0 for fields in self._listening())

    def _listening(self) -> list[list[str]]:
        """The lines of netlink(7)'s list for sockets that hear of nftables' changes."""

        def body() -> list[list[str]]:
            lines = Path("/proc/thread-self/net/netlink").read_text(encoding="ascii").splitlines()[1:]
            return [fields for fields in map(str.split, lines)
                    if fields[1] == str(tr.NETLINK_NETFILTER) and int(fields[3], 16)]  # fmt: skip

        return netns.run_in(self._lab.ns(names.HOST), body)


@dataclass(frozen=True)
class Tampering:
    """What a root process does to the rules with nft."""

    name: str
    commands: str
    opens: bool  # without a guard packets escape
    foreign: bool = False  # by a table of its own, which nobody's ownership keeps off
    user: str = "nobody"  # whose packets escape

    def __str__(self) -> str:
        return self.name


# What is rewritten goes to a neighbour in the LAN.
_REWRITTEN = names.PRINTER_ADDRESS
_NOBODY = names.user("nobody").uid
_THEN = "\n# then\n"  # between transactions
_BOTH = (("inet", "output"), ("netdev", "egress"))


def _both(text: str) -> str:
    return "\n".join(text.format(family=family, chain=chain) for family, chain in _BOTH)


OWN = (
    Tampering("flush ruleset", "flush ruleset", True),
    Tampering("delete both tables", _both("delete table {family} lethe"), True),
    Tampering("delete table inet", "delete table inet lethe", False),
    Tampering("delete table netdev", "delete table netdev lethe", True, user="root"),
    Tampering("delete chains", _both("flush chain {family} lethe {chain}\n"
                                     "delete chain {family} lethe {chain}"), True),  # fmt: skip
    Tampering("delete rules", _both("flush chain {family} lethe {chain}"), False),
    Tampering("change policies", _both("flush chain {family} lethe {chain}\n"
                                       "add chain {family} lethe {chain} {{ policy accept; }}"),
              True),  # fmt: skip
    Tampering("accept earlier", _both("insert rule {family} lethe {chain} accept"), True),
    # The maps are of the size that they need: room comes first.
    Tampering("add element",
              _both("delete element {family} lethe remote_users {{ 0 }}") + _THEN
              + _both(f"add element {{family}} lethe remote_users {{{{ {_NOBODY} : accept }}}}"),
              True),  # fmt: skip
    Tampering("delete element", _both("delete element {family} lethe remote_users {{ 0 }}"), False),
    Tampering("dormant", _both("add table {family} lethe {{ flags dormant; }}"), True),
)
FOREIGN = (
    Tampering("foreign nat", "table ip other {\n chain c {\n type nat hook output priority -100;\n"
              f"ip daddr != 192.168.0.0/16 ip daddr != 127.0.0.0/8 dnat to {_REWRITTEN}\n}}\n}}",
              True, True, names.AMNESIA),  # fmt: skip
    Tampering("foreign dnat, inet", "table inet other {\n chain c {\n"
              "type nat hook output priority -150;\n"
              f"ip daddr != 192.168.0.0/16 ip daddr != 127.0.0.0/8 dnat ip to {_REWRITTEN}\n}}\n}}",
              True, True, names.AMNESIA),  # fmt: skip
    Tampering("foreign mangle", "table ip other {\n chain c {\n"
              "type route hook output priority -150;\n"
              f"ip daddr != 192.168.0.0/16 ip daddr != 127.0.0.0/8 ip daddr set {_REWRITTEN}\n}}\n}}",
              True, True, names.AMNESIA),  # fmt: skip
)

# Rewritten to where the user may not send either, it is dropped by the judgement that follows.
FOREIGN += (
    Tampering("foreign nat, to the Internet", FOREIGN[0].commands.replace(_REWRITTEN, "198.51.100.80"),
              False, True),  # fmt: skip
)


def tamper(lab: Lab, tampering: Tampering) -> subprocess.CompletedProcess[str]:
    """The last of its transactions, or the first that is refused."""
    for commands in tampering.commands.split(_THEN):
        result = tr.run(lab, ["timeout", "60", "nft", "-f", "-"], input=commands + "\n")
        if result.returncode != 0:
            break
    return result
