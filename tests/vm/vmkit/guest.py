# SPDX-License-Identifier: GPL-3.0-or-later
"""The machine as a host under test: runs things in it, as any of its users.

The same calls as labkit's Host, so that what was written for the one runs on the other. They go to
the agent that came with the laboratory layer. What the machine answers is not trusted: see
labagent/values.py.
"""

from __future__ import annotations

import base64
import json
import pickle
import queue
import secrets
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from labkit import client, names

_AGENT = Path(__file__).resolve().parent.parent / "agent"
if str(_AGENT) not in sys.path:
    sys.path.append(str(_AGENT))

from labagent import calls, values  # noqa: E402

from . import guest_state  # noqa: E402

if TYPE_CHECKING:
    from .machine import Machine

T = TypeVar("T")

HOST_NAMESPACE, CLEARNET_NAMESPACE = "host", "clearnet"
SECOND_ADDRESS = "192.168.1.98"  # given to the machine as one more of its own; no link has it
READY_SECONDS = 600.0
TOR_SECONDS = 600.0
# The machine ends a call that takes too long; this is how much later the tests give up on it.
GRACE_SECONDS = 60.0
LINE_BYTES = 16 << 20
_POLL_SECONDS = 0.5


class GuestGone(RuntimeError):
    """The machine, or its agent's line, ended while an answer was awaited."""


class Line:
    """The connection to the agent. Several threads may ask at the same time."""

    def __init__(self, path: Path) -> None:
        self._session = secrets.token_hex(8)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.connect(str(path))
        self._lock = threading.Lock()
        self._number = 0
        self._waiting: dict[int, queue.SimpleQueue[Any]] = {}
        self._ready = threading.Event()
        self._closed = False
        self._thread = threading.Thread(target=self._read, name="agent", daemon=True)
        self._thread.start()

    def greet(self, seconds: float) -> None:
        """Return when the agent answers. TimeoutError: there is none, or it did not start."""
        # A newline first: it ends what another connection may have begun.
        self._send({"kind": "hello"}, before=b"\n")
        if not self._ready.wait(seconds):
            raise TimeoutError(f"the machine's agent did not answer within {seconds:g} s: was the "
                               "laboratory layer accepted, and does its unit run?")
        if self._closed:
            raise GuestGone("the machine ended before its agent answered")

    def ask(self, request: dict[str, Any], seconds: float) -> Any:
        """The answer's value. Raises the exception that it is, GuestGone, or TimeoutError when
        not even the agent answered."""
        answers: queue.SimpleQueue[Any] = queue.SimpleQueue()
        with self._lock:
            self._number += 1
            number = self._number
            self._waiting[number] = answers
        try:
            self._send({"kind": "call", "id": number, **request})
            if self._closed:
                answers.put(None)
            answer = answers.get(timeout=seconds)
        except queue.Empty:
            raise TimeoutError(f"the machine's agent did not answer within {seconds:g} s") from None
        finally:
            with self._lock:
                del self._waiting[number]
        if answer is None:
            raise GuestGone("the machine ended while it was asked something")
        if "ok" in answer:
            return values.decode(answer["ok"])
        raise values.exception(answer.get("error"))

    def close(self) -> None:
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # QEMU has ended
        self._thread.join()
        self._socket.close()

    def _send(self, message: dict[str, Any], before: bytes = b"") -> None:
        line = json.dumps({"session": self._session, **message}).encode("ascii")
        with self._lock:
            try:
                self._socket.sendall(before + line + b"\n")
            except OSError as error:
                raise GuestGone(f"the machine's agent cannot be reached: {error}") from error

    def _read(self) -> None:
        rest = bytearray()
        while True:
            try:
                data = self._socket.recv(1 << 16)
            except OSError:
                data = b""
            if not data:
                break
            rest += data
            *lines, rest = rest.split(b"\n")
            if len(rest) > LINE_BYTES:
                break
            for line in lines:
                self._hear(bytes(line))
        with self._lock:
            self._closed = True
            for answers in self._waiting.values():
                answers.put(None)
        self._ready.set()

    def _hear(self, line: bytes) -> None:
        try:
            message = json.loads(line)
            session = message["session"]
        except (ValueError, TypeError, KeyError, RecursionError):
            return  # the rest of an answer to somebody else
        if session != self._session:
            return
        if message.get("kind") == "ready":
            self._ready.set()
        answer, number = message.get("answer"), message.get("id")
        with self._lock:
            waiting = self._waiting.get(number) if isinstance(number, int) else None
        if waiting and isinstance(answer, dict):
            waiting.put(answer)


class Guest:
    """A context manager: inside it the agent is connected."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._line: Line | None = None
        # As labkit.tour.Subject says; the first two are known after wait_address().
        self.device = ""
        self.address = ""
        self.second_address = SECOND_ADDRESS
        self.link = names.VM_PORT
        self.asks_dhcp = True

    def __enter__(self) -> Guest:
        self.connect()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def connect(self, seconds: float = READY_SECONDS) -> None:
        """Return when the agent answers; again after the machine's state was restored."""
        self.close()
        line = Line(self._machine.agent_socket)
        try:
            line.greet(seconds)
        except BaseException:
            line.close()
            raise
        self._line = line

    def close(self) -> None:
        if self._line:
            self._line.close()
            self._line = None

    def call(
        self,
        function: Callable[..., T],
        *arguments: Any,
        user: str = names.ROOT,
        timeout: float = 60.0,
        namespace: str = HOST_NAMESPACE,
    ) -> T:
        """Call a function of labkit or of Python there, in a process of its own, and hand on its
        answer or exception. The answer must be of plain values or labkit's data classes."""
        if self._line is None:
            raise GuestGone("the machine's agent is not connected")
        packed = base64.b64encode(pickle.dumps((function, arguments))).decode("ascii")
        request = {"user": user, "namespace": namespace, "timeout": timeout, "pickle": packed}
        return self._line.ask(request, timeout + GRACE_SECONDS)

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
        result = self.call(calls.run, argv, input, env, timeout, str(cwd or "/"), user=user,
                           namespace=namespace, timeout=timeout + GRACE_SECONDS)  # fmt: skip
        if check and result.returncode != 0:
            raise RuntimeError(f"{' '.join(argv)} as {user} in the machine: "
                               f"exit {result.returncode}\n{result.stdout}{result.stderr}")
        return result

    def text(self, argv: list[str], user: str = names.ROOT, timeout: float = 60.0) -> str:
        """What a command prints. Its failure is a RuntimeError."""
        return self.run(argv, user, timeout, check=True).stdout

    def read(self, path: str) -> str:
        """A text file of its, without the white space around."""
        return self.call(calls.read_text, path).strip()

    def modules(self) -> set[str]:
        """The kernel's modules that are loaded."""
        return {line.split()[0] for line in self.read("/proc/modules").splitlines()}

    def main_process(self, unit: str) -> dict[str, str]:
        """What /proc says of the status of a unit's main process."""
        pid = self.text(["systemctl", "show", "-P", "MainPID", unit]).strip()
        lines = self.read(f"/proc/{pid}/status").splitlines()
        return {line.partition(":")[0]: line.partition(":")[2].strip() for line in lines}

    def status(self) -> dict[str, Any]:
        """What `lethe status` tells the person at the keyboard."""
        result = self.run(["lethe", "status", "--json"], user=names.AMNESIA)
        try:
            return json.loads(result.stdout)
        except ValueError:
            raise RuntimeError(f"`lethe status --json` gave exit {result.returncode} and no JSON:\n"
                               f"{result.stdout}{result.stderr}") from None

    def wait_address(self, seconds: float = READY_SECONDS) -> str:
        """Wait until a network card has an IPv4 address; it is in `device` and `address` then."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for device in self.call(calls.devices):
                address = self.call(calls.address_of, device)
                if address:
                    self.device, self.address = device, address
                    return address
            time.sleep(_POLL_SECONDS)
        said = self.run(["journalctl", "--no-pager", "-o", "short-monotonic", "-n", "60"]).stdout
        raise TimeoutError(f"no network card of the machine got an address within {seconds:g} s; "
                           f"there are {self.call(calls.devices)}, and the journal says:\n{said}")

    def choose(self, *words: str) -> None:
        """As whoever sits at it: `lethe-connect WORDS`, without waiting for what comes of it."""
        self.run(["lethe-connect", *words, "--no-wait"], user=names.AMNESIA, check=True)

    def connection(self) -> dict[str, Any]:
        """What lethe-connect tells; nothing if lethe-connectd does not run yet."""
        result = self.run(["lethe-connect", "status", "--json"], user=names.AMNESIA)
        return json.loads(result.stdout) if result.stdout.strip() else {}

    def wait_tor_connected(self, seconds: float = TOR_SECONDS) -> None:
        """Wait until a page of the lab's Internet comes through the machine's Tor, which connects
        automatically if nobody has chosen yet."""
        deadline, last = time.monotonic() + seconds, "it was not tried"
        while not (mode := self.connection().get("mode")) and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
        if mode == "none":
            self.choose("auto")
        while time.monotonic() < deadline:
            try:
                page = self.call(client.socks_get, names.WEB_NAME, user=names.AMNESIA,
                                 timeout=client.SECONDS)
                if page.startswith(names.WEB_BODY_START):
                    return
                last = f"an unexpected page: {page[:80]!r}"
            except OSError as error:
                last = str(error)
            time.sleep(_POLL_SECONDS)
        said = self.run(["journalctl", "--no-pager", "-o", "cat", "-n", "25", "-t", "Tor"]).stdout
        raise TimeoutError(f"no page came through Tor within {seconds:g} s; at last: {last}\n"
                           f"Tor's last words:\n{said}")

    # What the tour needs ----------------------------------------------------------------------

    def prepare_tour(self) -> None:
        """An address by DHCP, one more of its own, and the clearnet namespace."""
        self.wait_address()
        self.call(calls.add_own_address, self.second_address)
        self.start_clearnet()

    def start_clearnet(self) -> None:
        self.call(calls.start_clearnet, timeout=180.0)

    def stop_clearnet(self) -> None:
        self.call(calls.stop_clearnet)

    def settle(self) -> None:
        """Return when what the machine sent has come out of QEMU.

        QEMU hands on a frame and answers on its control socket in one loop, one after the other:
        when it answers, what was waiting before has gone out."""
        self._machine.qmp.command("query-status")

    def prove(self) -> dict[str, Any]:
        # Of its own network namespace: the clearnet namespace that the tour makes is not there in
        # the image yet.
        return json.loads(self.run(["lethe-proof", "--json", "--only-here", "check"]).stdout)

    def flush(self) -> str:
        self.run(["nft", "flush", "ruleset"])
        text = self.run(["lethe", "status", "--wait=60"], user=names.AMNESIA, timeout=240.0).stdout
        return guest_state.part(text, "Watch")

    def refused(self) -> list[dict[str, Any]]:
        # It goes on until it is interrupted; what it has told until then are all that there are.
        told = self.run(["timeout", "5", "lethe-watch", "--follow", "--json"], user=names.AMNESIA)
        return [json.loads(line) for line in told.stdout.splitlines()]

    def open_filter(self) -> None:
        """Take the filter away; everything may leave."""
        self.text(["lethe-wall", "open", "--yes"])

    def apply_filter(self) -> None:
        """Put Lethe's policy in place."""
        self.text(["lethe-wall", "apply"])
