# SPDX-License-Identifier: GPL-3.0-or-later
"""The agent's program: answers requests on the virtio port, each in a process of its own.

A line is a message, in both directions: JSON, so that whoever comes in the middle finds the next
one. The tests name a session when they connect, and every answer repeats it: what belongs to an
earlier connection, or to the time before a snapshot was taken, is recognised and passed over.

    {"session": S, "kind": "hello"}                             {"session": S, "kind": "ready"}
    {"session": S, "kind": "call", "id": N, "user": "amnesia",
     "namespace": "host", "timeout": 60, "pickle": "..."}       {"session": S, "id": N, "answer": A}

A request is a pickled function and its arguments: the tests are trusted, this machine is not. So
an answer A is {"ok": VALUE} or {"error": ERROR}, as values.py writes them.

Everything that may be asked for is imported before the first request: forking is then all that a
request costs, which counts where every instruction is emulated.
"""

from __future__ import annotations

import base64
import json
import os
import pickle
import select
import signal
import struct
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from labkit import client, names, probes_run, tour  # noqa: F401  (imported for the requests)

from . import calls, place, values  # noqa: F401

PORT_NAME = "org.lethe.agent"
PORT_SECONDS = 120.0
LINE_BYTES = 32 << 20
ANSWER_BYTES = 8 << 20
_RETRY_SECONDS = 0.2
_HEADER = struct.Struct("Q")
_TOO_LONG = {"error": {"type": "ValueError", "text": "the answer is longer than the agent sends"}}


@dataclass
class Worker:
    """A process that works on a request, and what it has answered so far."""

    pid: int
    pipe: int
    request: int
    seconds: float
    deadline: float
    data: bytearray = field(default_factory=bytearray)

    def answer(self) -> bytes | None:
        if len(self.data) < _HEADER.size:
            return None
        size = _HEADER.unpack_from(self.data)[0]
        whole = len(self.data) >= _HEADER.size + size
        return bytes(self.data[_HEADER.size : _HEADER.size + size]) if whole else None


class Server:
    def __init__(self, port: int) -> None:
        self._port = port
        self._session = ""
        self._in = bytearray()
        self._out = bytearray()
        self._workers: dict[int, Worker] = {}  # by pipe
        self._ended: set[int] = set()  # processes that are over, to be waited for

    def run(self) -> NoReturn:
        while True:
            poll = select.poll()
            poll.register(self._port, select.POLLIN | (select.POLLOUT if self._out else 0))
            for pipe in self._workers:
                poll.register(pipe, select.POLLIN)
            events = dict(poll.poll(self._wait_ms()))
            state = events.pop(self._port, 0)
            for pipe in events:
                self._hear(self._workers[pipe])
            self._end_late()
            self._reap()
            if state & select.POLLOUT:
                self._write()
            if state & (select.POLLIN | select.POLLHUP) and not self._read():
                self._forget()
                # A port that nobody is at is always ready: without this the loop would spin.
                time.sleep(_RETRY_SECONDS)

    def _wait_ms(self) -> int:
        if not self._workers:
            return 1000
        nearest = min(worker.deadline for worker in self._workers.values())
        return max(0, min(1000, int((nearest - time.monotonic()) * 1000) + 1))

    def _read(self) -> bool:
        """False: there is nobody at the other end."""
        try:
            data = os.read(self._port, 1 << 16)
        except BlockingIOError:
            return True
        except OSError:
            return False
        if not data:
            return False
        self._in += data
        *lines, rest = self._in.split(b"\n")
        self._in = rest if len(rest) <= LINE_BYTES else bytearray()
        for line in lines:
            if line:
                self._obey(line)
        return True

    def _write(self) -> None:
        try:
            count = os.write(self._port, self._out[: 1 << 15])
        except OSError:
            return
        del self._out[:count]

    def _obey(self, line: bytes) -> None:
        try:
            message = json.loads(line)
            kind, session = message["kind"], str(message["session"])
        except (ValueError, TypeError, KeyError):
            return  # the end of what another connection had begun
        if kind == "hello":
            self._forget()
            self._session = session
            # First the end of a line: half of an old answer may have gone out.
            self._out += b"\n"
            self._send({"session": session, "kind": "ready"})
        elif kind == "call" and session == self._session:
            self._start(message)

    def _send(self, message: dict[str, Any]) -> None:
        self._out += json.dumps(message).encode("ascii") + b"\n"

    def _start(self, message: dict[str, Any]) -> None:
        read, write = os.pipe()
        pid = os.fork()
        if pid == 0:
            self._leave_to_child()
            os.close(read)
            _work(message, write)
        os.close(write)
        seconds = float(message["timeout"])
        self._workers[read] = Worker(pid, read, int(message["id"]), seconds,
                                     time.monotonic() + seconds)  # fmt: skip

    def _leave_to_child(self) -> None:
        os.setsid()
        os.close(self._port)
        for pipe in self._workers:
            os.close(pipe)

    def _hear(self, worker: Worker) -> None:
        piece = os.read(worker.pipe, 1 << 16)
        worker.data += piece
        answer = worker.answer()
        if answer is not None:
            self._finish(worker, answer)
        elif not piece:
            text = "a call in the machine ended without an answer"
            self._fail(worker, RuntimeError(text))

    def _end_late(self) -> None:
        now = time.monotonic()
        for worker in [w for w in self._workers.values() if w.deadline <= now]:
            self._fail(worker, TimeoutError(
                f"a call in the machine took more than {worker.seconds:g} s"))

    def _fail(self, worker: Worker, error: Exception) -> None:
        text = json.dumps({"error": values.encode_exception(error)})
        self._finish(worker, text.encode("ascii"))

    def _finish(self, worker: Worker, answer: bytes) -> None:
        self._drop(worker)
        head = json.dumps({"session": self._session, "id": worker.request}).encode("ascii")
        self._out += head[:-1] + b', "answer": ' + answer + b"}\n"

    def _drop(self, worker: Worker) -> None:
        """It has answered, or never will. Only now it may be waited for: until then its number
        is its own."""
        os.close(worker.pipe)
        del self._workers[worker.pipe]
        self._ended.add(worker.pid)
        try:
            os.killpg(worker.pid, signal.SIGKILL)
        except ProcessLookupError:
            os.kill(worker.pid, signal.SIGKILL)  # it has not come to setsid() yet

    def _reap(self) -> None:
        self._ended = {pid for pid in self._ended if os.waitpid(pid, os.WNOHANG)[0] == 0}

    def _forget(self) -> None:
        """What an earlier connection asked for."""
        for worker in list(self._workers.values()):
            self._drop(worker)
        self._in.clear()
        self._out.clear()
        self._session = ""


def _work(message: dict[str, Any], pipe: int) -> NoReturn:
    """In the child: do it, answer, and never return into the loop."""
    try:
        answer: dict[str, Any]
        try:
            # Before it becomes somebody else: the modules are looked for with root's rights.
            function, arguments = pickle.loads(base64.b64decode(message["pickle"]))
            place.enter(message["user"], message["namespace"])
            answer = {"ok": values.encode(function(*arguments))}
        except BaseException as error:  # handed on to the tests
            answer = {"error": values.encode_exception(error)}
        data = json.dumps(answer).encode("ascii")
        if len(data) > ANSWER_BYTES:
            data = json.dumps(_TOO_LONG).encode("ascii")
        with os.fdopen(pipe, "wb") as output:
            output.write(_HEADER.pack(len(data)) + data)
    finally:
        os._exit(0)


def open_port(name: str = PORT_NAME, seconds: float = PORT_SECONDS) -> int:
    """The port of that name: its device is there before udev has given it a link."""
    deadline = time.monotonic() + seconds
    while True:
        for entry in Path("/sys/class/virtio-ports").glob("*/name"):
            if entry.read_text(encoding="ascii").strip() == name:
                return os.open(f"/dev/{entry.parent.name}", os.O_RDWR | os.O_NONBLOCK)
        if time.monotonic() > deadline:
            raise TimeoutError(f"no virtio port is called {name}: QEMU was started without it")
        time.sleep(_RETRY_SECONDS)


def main() -> int:
    try:
        port = open_port()
    except TimeoutError as error:
        print(f"agent: {error}", file=sys.stderr)
        return 1
    Server(port).run()
