# SPDX-License-Identifier: GPL-3.0-or-later
"""The host under test: running things on it, as any of its users."""

from __future__ import annotations

import ctypes
import os
import pickle
import select
import signal
import struct
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from . import kernel, mounts, names, netns
from .clearnet import Namespace

if TYPE_CHECKING:
    from .lab import Lab

T = TypeVar("T")

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
HOST_NAMESPACE = "host"
CLEARNET_NAMESPACE = "clearnet"
BRIDGES_NAMESPACE, FRONTS_NAMESPACE = "bridges", "fronts"
NAMESPACES = (CLEARNET_NAMESPACE, BRIDGES_NAMESPACE, FRONTS_NAMESPACE)
NAMESPACE_HANDLES = tuple(f"{name}.{kind}" for name in NAMESPACES for kind in ("net", "mnt"))
_PR_SET_PDEATHSIG = 1


class Host:
    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self.mount_handle = lab.state / "host.mnt"
        # Beside the host's own: what comes out of each is sent by a user of its own.
        self.namespaces = {
            CLEARNET_NAMESPACE: Namespace(lab, CLEARNET_NAMESPACE),
            BRIDGES_NAMESPACE: Namespace(lab, BRIDGES_NAMESPACE, tcp_only=True),
            FRONTS_NAMESPACE: Namespace(lab, FRONTS_NAMESPACE),
        }

    def prepare(self) -> None:
        """Make the mount namespace and the users' homes."""
        homes = self._lab.state / "home"
        homes.mkdir()
        for user in names.USERS.values():
            home = homes / user.name
            home.mkdir(mode=0o700)
            os.chown(home, user.uid, user.gid)
        mounts.pin_host(self.mount_handle, netns.path(self._lab.ns(names.HOST)), self._lab.state)

    def home(self, user: str) -> Path:
        return self._lab.state / "home" / names.user(user).name

    def environment(self, user: str) -> dict[str, str]:
        """A clean one: what a login on Lethe would have, and nothing of the caller's."""
        account = names.user(user)
        return {
            "PATH": PATH,
            "HOME": str(self.home(user)),
            "USER": account.name,
            "LOGNAME": account.name,
            "SHELL": "/bin/bash",
            "LANG": "C.UTF-8",
            "SOCKS_SERVER": f"127.0.0.1:{names.TOR_SOCKS_PORT}",
            "SOCKS5_SERVER": f"127.0.0.1:{names.TOR_SOCKS_PORT}",
            names.MARKER_VARIABLE: self._lab.name,
        }

    def command(
        self,
        argv: list[str],
        user: str = names.ROOT,
        namespace: str = HOST_NAMESPACE,
        cwd: Path | None = None,
    ) -> list[str]:
        """The command line that runs @argv there. It replaces itself: its process is argv's."""
        account = names.user(user)
        net, mount = self._handles(namespace)
        groups = self._groups(account)
        line = ["nsenter", f"--net={net}", f"--mount={mount}", "--"]
        line += ["setpriv", f"--reuid={account.uid}", f"--regid={account.gid}"]
        line += [f"--groups={','.join(map(str, groups))}"] if groups else ["--clear-groups"]
        line += ["--", "env", f"--chdir={cwd or '/'}"]
        return line + argv

    def run(
        self,
        argv: list[str],
        user: str = names.ROOT,
        timeout: float = 60.0,
        namespace: str = HOST_NAMESPACE,
        input: str | None = None,
        env: dict[str, str] | None = None,
        check: bool = False,
        cwd: Path | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run to the end and capture what it prints. Past @timeout: TimeoutExpired, and it is
        killed. With @check a failure raises RuntimeError with what was printed."""
        result = subprocess.run(
            self.command(argv, user, namespace, cwd),
            input="" if input is None else input,
            env=self.environment(user) | (env or {}),
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            check=False,
        )
        if check and result.returncode != 0:
            raise RuntimeError(
                f"{' '.join(argv)} as {user} on the host under test: "
                f"exit {result.returncode}\n{result.stdout}{result.stderr}"
            )
        return result

    def popen(
        self,
        argv: list[str],
        user: str = names.ROOT,
        namespace: str = HOST_NAMESPACE,
        env: dict[str, str] | None = None,
        cwd: Path | None = None,
        **options: Any,
    ) -> subprocess.Popen:
        """As subprocess.Popen, there. The caller ends it; `lab down` would too."""
        return subprocess.Popen(
            self.command(argv, user, namespace, cwd),
            env=self.environment(user) | (env or {}),
            **options,
        )

    def shell(self, user: str = names.AMNESIA, namespace: str = HOST_NAMESPACE) -> int:
        """An interactive shell on the caller's terminal; returns its exit status."""
        prompt = f"{user}@{self._lab.name}" + (":clearnet" if namespace != HOST_NAMESPACE else "")
        env = self.environment(user) | {
            "TERM": os.environ.get("TERM", "dumb"),
            "PS1": rf"\[\e[1m\]{prompt}\[\e[0m\]:\w\$ ",
        }
        argv = self.command(["/bin/bash", "--norc", "--noprofile", "-i"], user, namespace,
                            self.home(user))
        return subprocess.run(argv, env=env, check=False).returncode

    def call(
        self,
        function: Callable[..., T],
        *arguments: Any,
        user: str = names.ROOT,
        timeout: float = 60.0,
        namespace: str = HOST_NAMESPACE,
    ) -> T:
        """Call a Python function there, in a child process, and hand on its answer or exception.

        Quicker than run() for a probe: nothing is executed. The answer must be picklable. What
        the function imports must be imported already: @user may not be able to read the modules.
        """
        account = names.user(user)
        net, mount = self._handles(namespace)
        groups = self._groups(account)

        def body() -> Any:
            _become(net, mount, account, groups)
            return function(*arguments)

        return _call_in_child(body, timeout)

    def start_clearnet(self) -> None:
        """Start the clearnet namespace if it is not there: its packets are clearnet-net's."""
        self.start_namespace(CLEARNET_NAMESPACE)

    def stop_clearnet(self) -> None:
        self.stop_namespace(CLEARNET_NAMESPACE)

    def start_namespace(self, name: str) -> None:
        """Start it if it is not there."""
        self.namespaces[name].start()

    def stop_namespace(self, name: str) -> None:
        self.namespaces[name].stop()

    @property
    def clearnet(self) -> Namespace:
        return self.namespaces[CLEARNET_NAMESPACE]

    def _handles(self, namespace: str) -> tuple[Path, Path]:
        if namespace == HOST_NAMESPACE:
            return netns.path(self._lab.ns(names.HOST)), self.mount_handle
        found = self.namespaces.get(namespace)
        if found is None:
            known = ", ".join((HOST_NAMESPACE, *NAMESPACES))
            raise KeyError(f"no namespace {namespace!r}; there are: {known}")
        found.start()
        return found.net, found.mount

    def _groups(self, account: names.User) -> list[int]:
        found = []
        for line in names.GROUP.read_text(encoding="utf-8").splitlines():
            fields = line.split(":")
            if len(fields) == 4 and account.name in fields[3].split(","):
                found.append(int(fields[2]))
        return found


def _become(net: Path, mount: Path, account: names.User, groups: list[int]) -> None:
    """Move this process there and give up what @account does not have."""
    handles = [(os.open(net, os.O_RDONLY), kernel.CLONE_NEWNET),
               (os.open(mount, os.O_RDONLY), kernel.CLONE_NEWNS)]
    for descriptor, kind in handles:
        kernel.setns(descriptor, kind)
        os.close(descriptor)
    os.chdir("/")
    os.setgroups(groups)
    os.setresgid(account.gid, account.gid, account.gid)
    os.setresuid(account.uid, account.uid, account.uid)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _call_in_child(body: Callable[[], Any], timeout: float) -> Any:
    answer_read, answer_write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(answer_read)
        _answer(body, answer_write)
    os.close(answer_write)
    try:
        data = _read_answer(answer_read, timeout)
    finally:
        os.close(answer_read)
        os.kill(pid, signal.SIGKILL)  # it has answered, or never will
        os.waitpid(pid, 0)
    if data is None:
        raise RuntimeError("a call on the host under test ended without an answer")
    succeeded, value = pickle.loads(data)
    if not succeeded:
        raise value
    return value


def _answer(body: Callable[[], Any], descriptor: int) -> None:
    """In the child: run, answer, and never return into the caller's code."""
    try:
        try:
            data = pickle.dumps((True, body()))
        except BaseException as error:  # handed on to the parent
            data = _pickle_error(error)
        with os.fdopen(descriptor, "wb") as output:
            output.write(struct.pack("Q", len(data)) + data)
    finally:
        os._exit(0)


def _pickle_error(error: BaseException) -> bytes:
    try:
        data = pickle.dumps((False, error))
        pickle.loads(data)
        return data
    except Exception:  # some exceptions cannot be copied; their text can
        return pickle.dumps((False, RuntimeError(f"{type(error).__name__}: {error}")))


def _read_answer(descriptor: int, timeout: float) -> bytes | None:
    """The child's answer, or None if it ended without one."""
    deadline = time.monotonic() + timeout
    data = bytearray()
    # Not until the end of the file: a grandchild may hold the pipe open.
    while len(data) < 8 or len(data) < 8 + struct.unpack("Q", data[:8])[0]:
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([descriptor], [], [], left)[0]:
            raise TimeoutError(f"a call on the host under test took more than {timeout:g} s")
        piece = os.read(descriptor, 1 << 16)
        if not piece:
            return None
        data += piece
    return bytes(data[8:])
