# SPDX-License-Identifier: GPL-3.0-or-later
"""Named network namespaces: making, entering, ending them."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from . import kernel

T = TypeVar("T")

NETNS_DIRECTORY = Path("/run/netns")


def path(ns: str) -> Path:
    return NETNS_DIRECTORY / ns


def exists(ns: str) -> bool:
    return path(ns).exists()


def names(prefix: str) -> list[str]:
    if not NETNS_DIRECTORY.is_dir():
        return []
    found = (entry.name for entry in NETNS_DIRECTORY.iterdir())
    return sorted(name for name in found if name.startswith(prefix))


@contextmanager
def enter(ns: str) -> Iterator[None]:
    """The calling thread is inside the network namespace @ns; afterwards it is back.

    Only this thread moves. Sockets made inside stay there whoever uses them later.
    """
    back = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        target = os.open(path(ns), os.O_RDONLY | os.O_CLOEXEC)
        try:
            kernel.setns(target, kernel.CLONE_NEWNET)
        finally:
            os.close(target)
        try:
            yield
        finally:
            kernel.setns(back, kernel.CLONE_NEWNET)
    finally:
        os.close(back)


def run_in(ns: str, function: Callable[..., T], *arguments: Any) -> T:
    """Call @function in the namespace, in a thread that ends afterwards, and hand on its answer.

    Unlike enter() this cannot leave the caller in the wrong namespace, whatever happens.
    """
    outcome: list[Any] = []

    def body() -> None:
        try:
            with enter(ns):
                outcome.extend((True, function(*arguments)))
        except BaseException as error:  # handed on to the caller below
            outcome[:] = [False, error]

    thread = threading.Thread(target=body, name=f"netns-{ns}")
    thread.start()
    thread.join()
    succeeded, value = outcome
    if not succeeded:
        raise value
    return value


def ip_batch(lines: Iterable[str], ns: str | None = None, family: str | None = None) -> None:
    """Run lines of ip(8) commands in one process. @family: "-4" or "-6"; else the text tells."""
    text = "\n".join(lines) + "\n"
    command = ["ip"] + ([family] if family else [])
    command += (["-n", ns] if ns else []) + ["-batch", "-"]
    result = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        where = f" in {ns}" if ns else ""
        raise RuntimeError(f"ip -batch{where} failed: {result.stderr.strip()}\n{text}")


def nft(ns: str, rules: str) -> None:
    """Load nftables rules in the namespace."""
    command = ["nsenter", f"--net={path(ns)}", "nft", "-f", "-"]
    result = subprocess.run(command, input=rules, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise RuntimeError(f"nft in {ns} failed: {result.stderr.strip()}")


def write_sysctls(ns: str, settings: dict[str, str]) -> None:
    """Set net.* variables, given as "ipv4/ip_forward"; one that the kernel lacks is an error."""

    def body() -> None:
        for name, value in settings.items():
            Path("/proc/sys/net", name).write_text(value, encoding="ascii")

    run_in(ns, body)
