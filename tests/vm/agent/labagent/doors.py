# SPDX-License-Identifier: GPL-3.0-or-later
"""The kernel's and the file system's doors, tried from inside: modules, sockets, rights of files.
Runs inside the machine."""

from __future__ import annotations

import ctypes
import errno
import grp
import os
import pwd
import socket
import stat
import struct
from collections.abc import Callable
from pathlib import Path

_SYS_INIT_MODULE, _SYS_DELETE_MODULE = 175, 176  # amd64
_TCP_LISTEN, _UNCONNECTED = "0A", "07"
_DHCP_CLIENT = 68
_libc = ctypes.CDLL(None, use_errno=True)


def read_bytes(path: str) -> bytes:
    return Path(path).read_bytes()


def load(module: bytes) -> int:
    """Give @module, uncompressed, to the kernel; 0 or the error's number."""
    result = _libc.syscall(_SYS_INIT_MODULE, module, ctypes.c_ulong(len(module)), b"")
    return 0 if result == 0 else ctypes.get_errno()


def unload(name: str) -> int:
    """0 or the error's number."""
    result = _libc.syscall(_SYS_DELETE_MODULE, name.encode(), os.O_NONBLOCK)
    return 0 if result == 0 else ctypes.get_errno()


def open_socket(family: int, kind: int, protocol: int) -> int:
    """0 if the kernel makes such a socket, or the error's number."""
    try:
        socket.socket(family, kind, protocol).close()
    except OSError as error:
        return error.errno or errno.EIO
    return 0


def families(count: int) -> list[int]:
    """The families below @count of which the asking user gets a socket of some kind."""
    return [family for family in range(count)
            if any(open_socket(family, kind, 0) == 0 for kind in range(1, 7))]


def connect(path: str) -> int:
    """0 if the asking user can connect there, or the error's number."""
    with socket.socket(socket.AF_UNIX) as line:
        return line.connect_ex(path)


def listening() -> list[tuple[str, str, str]]:
    """Protocol, address and user of the IP sockets that wait for anybody; NetworkManager's DHCP
    client aside. Raw sockets are among them: "raw". The user is that of the process that has it: the
    kernel names who made it, and Tor was root then."""
    found = []
    owners = _owners()
    for kind in ("tcp", "udp", "raw"):
        for version, family in (("", socket.AF_INET), ("6", socket.AF_INET6)):
            lines = Path(f"/proc/net/{kind}{version}").read_text().splitlines()[1:]
            for fields in (line.split() for line in lines):
                if fields[3] not in (_TCP_LISTEN, _UNCONNECTED) and kind != "raw":
                    continue
                host, port = fields[1].split(":")
                if (kind, int(port, 16), fields[7]) == ("udp", _DHCP_CLIENT, "0"):
                    continue
                words = [int(host[at:at + 8], 16) for at in range(0, len(host), 8)]
                address = socket.inet_ntop(family, struct.pack(f"={len(words)}I", *words))
                user = owners.get(f"socket:[{fields[9]}]", "nobody's")
                found.append((kind, f"{address}:{int(port, 16)}", user))
    return found


def _owners() -> dict[str, str]:
    """Users of the processes by what their descriptors are."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            found[os.readlink(path)] = pwd.getpwuid(path.parent.parent.stat().st_uid).pw_name
        except FileNotFoundError:
            pass  # it has ended
    return found


def listening_with_one_more(port: int) -> list[tuple[str, str, str]]:
    """The same, while the asker itself waits at @port, by TCP and by UDP."""
    with socket.create_server(("0.0.0.0", port)), socket.socket(type=socket.SOCK_DGRAM) as more:
        more.bind(("0.0.0.0", port))
        return listening()


def processes() -> list[tuple[str, str]]:
    """User and program of every process that is not the kernel's."""
    found = set()
    for path in Path("/proc").glob("[0-9]*"):
        try:
            program = os.readlink(path / "exe")
            found.add((pwd.getpwuid(path.stat().st_uid).pw_name, os.path.basename(program)))
        except FileNotFoundError:
            pass  # a thread of the kernel, or it has ended
    return sorted(found)


def privileges() -> list[dict[str, str]]:
    """What every process that is not the kernel's may: its unit and program, user and groups,
    capabilities in effect and those it could ever get (hexadecimal), whether it can gain rights and
    whether system calls are filtered (the numbers of /proc/PID/status), and which namespaces it has
    that the first process has not."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            program = os.path.basename(os.readlink(path / "exe"))
            found.append({"program": program, **_privileges(path)})
        except (FileNotFoundError, ProcessLookupError):
            pass  # a thread of the kernel, or it has ended
    return found


def _privileges(path: Path) -> dict[str, str]:
    lines = (line.partition(":") for line in (path / "status").read_text().splitlines())
    status = {key: value.strip() for key, _, value in lines}
    groups = {int(word) for word in f"{status['Gid']} {status['Groups']}".split()}
    own = [kind for kind in ("net", "mnt", "pid", "user", "ipc", "uts")
           if os.readlink(path / "ns" / kind) != os.readlink(f"/proc/1/ns/{kind}")]
    return {
        "unit": (path / "cgroup").read_text().strip().rpartition("/")[2],
        "user": _names_of(status["Uid"], lambda number: pwd.getpwuid(number).pw_name),
        "groups": " ".join(sorted(grp.getgrgid(number).gr_name for number in groups)),
        "effective": status["CapEff"], "bounding": status["CapBnd"],
        "no new privileges": status["NoNewPrivs"], "seccomp": status["Seccomp"],
        "own namespaces": " ".join(own),
    }


def _names_of(numbers: str, name: Callable[[int], str]) -> str:
    """One name, or several if real, effective, saved and file system's user differ."""
    return " ".join(sorted({name(int(number)) for number in numbers.split()}))


def read_values(paths: list[str]) -> dict[str, str | None]:
    """What is in these files, white space as one blank; None: there is no such file."""
    found: dict[str, str | None] = {}
    for path in paths:
        try:
            found[path] = " ".join(Path(path).read_text().split())
        except FileNotFoundError:
            found[path] = None
    return found


def rights_of_files(top: str) -> list[str]:
    """Files below @top, on its file system alone, that give whoever runs them more rights:
    "setuid PATH", "setgid PATH", "capability PATH"."""
    found = []
    device = os.lstat(top).st_dev
    for folder, folders, names in os.walk(top):
        folders[:] = [name for name in folders
                      if os.lstat(os.path.join(folder, name)).st_dev == device]
        for name in names:
            path = os.path.join(folder, name)
            found += [f"{right} {path}" for right in _rights(path)]
    return sorted(found)


def _rights(path: str) -> list[str]:
    mode = os.lstat(path).st_mode
    if not stat.S_ISREG(mode):
        return []
    found = []
    if mode & stat.S_ISUID:
        found.append("setuid")
    if mode & stat.S_ISGID:
        found.append("setgid")
    try:
        os.getxattr(path, "security.capability", follow_symlinks=False)
        found.append("capability")
    except OSError as error:
        if error.errno not in (errno.ENODATA, errno.EOPNOTSUPP):
            raise
    return found


def writable_by(top: str) -> list[str]:
    """Files and folders below @top, on its file system alone, that the asking user may write."""
    found = []
    device = os.lstat(top).st_dev
    for folder, folders, names in os.walk(top):
        folders[:] = [name for name in folders
                      if os.lstat(os.path.join(folder, name)).st_dev == device]
        paths = [folder, *(os.path.join(folder, name) for name in names)]
        found += [path for path in paths
                  if not os.path.islink(path) and os.access(path, os.W_OK)]
    return sorted(found)
