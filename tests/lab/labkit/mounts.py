# SPDX-License-Identifier: GPL-3.0-or-later
"""The host under test has files of its own where programs look for users, names and state.

A private mount namespace, kept alive by a bind mount of its handle: an overlay over /etc and a
fresh /run and /sys. Nothing that is written there reaches the machine that runs the lab.
"""

from __future__ import annotations

import os
import signal
import socket
import stat
from collections.abc import Callable
from pathlib import Path

from . import kernel, names

_NSSWITCH = """passwd: files
group: files
shadow: files
hosts: files dns
networks: files
protocols: files
services: files
"""
_HOSTS = "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n"


def make_private(directory: Path) -> None:
    """Make @directory a mount of its own that shares with nobody: handles may be bound inside."""
    kernel.mount(str(directory), str(directory), "", kernel.MS_BIND)
    kernel.mount("", str(directory), "", kernel.MS_PRIVATE)


def pin_host(handle: Path, netns: Path, state: Path) -> None:
    """Make the host's mount namespace and bind it to @handle."""

    def arrange() -> None:
        _enter(netns, kernel.CLONE_NEWNET)  # so that /sys shows the host's devices
        kernel.unshare(kernel.CLONE_NEWNS)
        _arrange_host(state)

    _pin(handle, arrange)


def pin_clearnet(handle: Path, host: Path, resolver: str) -> None:
    """The same files as the host's namespace @host, but names are asked at @resolver."""

    def arrange() -> None:
        _enter(host, kernel.CLONE_NEWNS)
        kernel.unshare(kernel.CLONE_NEWNS)
        kernel.mount("", "/", "", kernel.MS_REC | kernel.MS_PRIVATE)
        source = Path("/run/lab/clearnet-resolv.conf")
        source.write_text(f"nameserver {resolver}\n", encoding="ascii")
        kernel.mount(str(source), "/etc/resolv.conf", "", kernel.MS_BIND)

    _pin(handle, arrange)


def pin_file(handle: Path, host: Path, path: Path) -> None:
    """Bind @path, as processes in the mount namespace @host see it, to @handle."""
    descriptor = _open_elsewhere(host, path)
    try:
        handle.touch()
        kernel.mount(f"/proc/self/fd/{descriptor}", str(handle), "", kernel.MS_BIND)
    finally:
        os.close(descriptor)


def _open_elsewhere(mount: Path, path: Path) -> int:
    """A descriptor of @path as processes in the mount namespace @mount see it."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    pid = os.fork()
    if pid == 0:
        try:
            handle = os.open(mount, os.O_RDONLY | os.O_CLOEXEC)
            kernel.setns(handle, kernel.CLONE_NEWNS)
            socket.send_fds(theirs, [b"x"], [os.open(path, os.O_RDONLY | os.O_CLOEXEC)])
        finally:
            os._exit(0)
    theirs.close()
    with ours:
        _, descriptors, _, _ = socket.recv_fds(ours, 1, 1)
    os.waitpid(pid, 0)
    if not descriptors:
        raise FileNotFoundError(f"{path} on the host under test")
    return descriptors[0]


def _enter(path: Path, kind: int) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    kernel.setns(descriptor, kind)
    os.close(descriptor)


def _pin(handle: Path, arrange: Callable[[], None]) -> None:
    """Run @arrange in a child, and keep the mount namespace that it ends up in."""
    handle.touch()
    done_read, done_write = os.pipe()
    pid = os.fork()
    if pid == 0:
        _child(arrange, done_write)
    os.close(done_write)
    try:
        with os.fdopen(done_read, "rb") as done:
            report = done.read(4096)
        if report != b"ok":
            raise RuntimeError(f"mount namespace: {report.decode(errors='replace') or 'died'}")
        kernel.mount(f"/proc/{pid}/ns/mnt", str(handle), "", kernel.MS_BIND)
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def _child(arrange: Callable[[], None], done: int) -> None:
    try:
        arrange()
        os.write(done, b"ok")
        os.close(done)
        signal.pause()  # until the parent has the handle
    except BaseException as error:  # told to the parent, which raises
        os.write(done, f"{type(error).__name__}: {error}".encode()[:4096])
    finally:
        os._exit(1)


def _arrange_host(state: Path) -> None:
    kernel.mount("", "/", "", kernel.MS_REC | kernel.MS_PRIVATE)
    state_handle = os.open(state, os.O_PATH | os.O_CLOEXEC)
    _hide_namespaces()
    kernel.mount("tmpfs", "/run", "tmpfs", kernel.MS_NOSUID, "mode=755")
    state.mkdir(parents=True)
    kernel.mount(f"/proc/self/fd/{state_handle}", str(state), "", kernel.MS_BIND)
    os.close(state_handle)
    os.mkdir("/run/lock")
    os.chmod("/run/lock", 0o1777)
    _overlay_etc()
    _fresh_sys()
    _tun_for_everyone()


def _hide_namespaces() -> None:
    """The handles of other namespaces are not for the host under test."""
    if os.path.ismount("/run/netns"):
        kernel.umount("/run/netns")


def _overlay_etc() -> None:
    upper, work = Path("/run/lab/etc"), Path("/run/lab/work")
    upper.mkdir(parents=True)
    work.mkdir()
    files = {
        "passwd": names.PASSWD.read_text(encoding="utf-8"),
        "group": names.GROUP.read_text(encoding="utf-8"),
        "resolv.conf": "nameserver 127.0.0.1\n",
        "nsswitch.conf": _NSSWITCH,
        "hosts": _HOSTS,
        "hostname": "lethe\n",
    }
    for name, text in files.items():
        (upper / name).write_text(text, encoding="utf-8")
    options = f"lowerdir=/etc,upperdir={upper},workdir={work}"
    kernel.mount("overlay", "/etc", "overlay", 0, options)


def _fresh_sys() -> None:
    """/sys as the host's network namespace sees it, with the control groups as they were."""
    groups = "/sys/fs/cgroup"
    handle = os.open(groups, os.O_PATH | os.O_CLOEXEC) if os.path.ismount(groups) else None
    flags = kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOEXEC
    kernel.mount("sysfs", "/sys", "sysfs", flags)
    if handle is not None:
        source = f"/proc/self/fd/{handle}"
        kernel.mount(source, groups, "", kernel.MS_BIND | kernel.MS_REC)
        os.close(handle)


def _tun_for_everyone() -> None:
    """The clearnet namespace needs it; udev sets this mode, but not every machine runs udev."""
    target = Path("/dev/net/tun")
    if target.exists():
        source = Path("/run/lab/tun")
        os.mknod(source, 0o600 | stat.S_IFCHR, target.stat().st_rdev)
        source.chmod(0o666)
        kernel.mount(str(source), str(target), "", kernel.MS_BIND)
