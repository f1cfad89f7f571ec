# SPDX-License-Identifier: GPL-3.0-or-later
"""Where in the machine a request runs: its user, and the host's or the clearnet namespace."""

from __future__ import annotations

import ctypes
import os
import pwd
import signal
import subprocess
import time
from pathlib import Path

from labkit import kernel, names

HOST, CLEARNET = "host", "clearnet"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
CLEARNET_UNIT = "lethe-laboratory-clearnet.service"
CLEARNET_SECONDS = 60.0
_CGROUP = Path("/sys/fs/cgroup/system.slice") / CLEARNET_UNIT / "cgroup.procs"
_RESOLVER = Path("/run/lethe-laboratory/clearnet-resolv.conf")
_PR_SET_PDEATHSIG = 1


def environment(user: str) -> dict[str, str]:
    """What a login of @user would have, and nothing of the agent's."""
    account = pwd.getpwnam(user)
    return {
        "PATH": PATH,
        "HOME": account.pw_dir,
        "USER": account.pw_name,
        "LOGNAME": account.pw_name,
        "SHELL": "/bin/bash",
        "LANG": "C.UTF-8",
        "SOCKS_SERVER": f"127.0.0.1:{names.TOR_SOCKS_PORT}",
        "SOCKS5_SERVER": f"127.0.0.1:{names.TOR_SOCKS_PORT}",
        "XDG_RUNTIME_DIR": f"/run/user/{account.pw_uid}",
    }


def enter(user: str, namespace: str) -> None:
    """Become @user there, for good. Unknown names: KeyError."""
    account = pwd.getpwnam(user)
    groups = os.getgrouplist(user, account.pw_gid)
    if namespace == CLEARNET:
        _enter_clearnet()
    elif namespace != HOST:
        raise KeyError(f"no namespace {namespace!r}; there are: {HOST}, {CLEARNET}")
    os.chdir("/")
    os.environ.clear()
    os.environ.update(environment(user))
    os.setgroups([group for group in groups if group != account.pw_gid] if account.pw_uid else [])
    os.setresgid(account.pw_gid, account.pw_gid, account.pw_gid)
    os.setresuid(account.pw_uid, account.pw_uid, account.pw_uid)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def start_clearnet() -> None:
    """Start the namespace if it is not there, and wait until it has an address. Asked as root.

    TimeoutError, with what the unit says, if it does not come up: it needs a link with an address.
    """
    subprocess.run(["systemctl", "start", CLEARNET_UNIT], check=False, timeout=CLEARNET_SECONDS)
    deadline = time.monotonic() + CLEARNET_SECONDS
    while not _inside():
        if time.monotonic() > deadline:
            said = subprocess.run(
                ["systemctl", "status", "--no-pager", "--lines=20", CLEARNET_UNIT],
                capture_output=True, text=True, check=False,
            )  # fmt: skip
            raise TimeoutError(f"the clearnet namespace did not come up:\n{said.stdout}")
        time.sleep(0.1)


def stop_clearnet() -> None:
    subprocess.run(["systemctl", "stop", CLEARNET_UNIT], check=True, timeout=CLEARNET_SECONDS)


def _enter_clearnet() -> None:
    pid = _inside()
    if not pid:
        start_clearnet()
        pid = _inside()
    descriptor = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    kernel.setns(descriptor, kernel.CLONE_NEWNET)
    os.close(descriptor)
    kernel.unshare(kernel.CLONE_NEWNS)
    kernel.mount("", "/", "", kernel.MS_REC | kernel.MS_PRIVATE)
    _RESOLVER.parent.mkdir(exist_ok=True)
    _RESOLVER.write_text(f"nameserver {names.LAN_RESOLVER}\n", encoding="ascii")
    target = os.path.realpath("/etc/resolv.conf")
    if os.path.exists(target):
        kernel.mount(str(_RESOLVER), target, "", kernel.MS_BIND)


def _inside() -> int:
    """The process that pasta started in its namespace, once that has an address; else 0."""
    own = os.stat("/proc/self/ns/net").st_ino
    try:
        pids = [int(word) for word in _CGROUP.read_text(encoding="ascii").split()]
    except OSError:
        return 0
    for pid in pids:
        try:
            elsewhere = os.stat(f"/proc/{pid}/ns/net").st_ino != own
            routes = Path(f"/proc/{pid}/net/route").read_text(encoding="ascii")
        except OSError:
            continue  # it ended meanwhile
        if elsewhere and _has_default(routes):
            return pid
    return 0


def _has_default(routes: str) -> bool:
    return any(line.split()[1:2] == ["00000000"] for line in routes.splitlines()[1:])
