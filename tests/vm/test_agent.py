# SPDX-License-Identifier: GPL-3.0-or-later
"""The agent and its line, without a machine: what goes in comes out, and nothing else does."""

from __future__ import annotations

import base64
import errno
import json
import os
import pathlib
import pickle
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from types import SimpleNamespace

import pytest

from labkit.probes_run import Result, Sent
from vmkit.guest import Guest, GuestGone, Line

from labagent import serve, values  # vmkit.guest says where it is


@dataclass
class Stranger:
    """A data class that is not labkit's."""

    word: str


def _through(value):
    return values.decode(json.loads(json.dumps(values.encode(value))))


@pytest.mark.parametrize("value", [
    None, True, 0, -1, 1 << 80, 0.5, "", "ä\udcff\n", b"", b"\0\xff", [], [1, [2]], (), (1, (2,)),
    {}, {"a": 1, 2: b"b", (3, 4): None}, set(), {1, "a"}, pathlib.PurePosixPath("/a/b"),
    {"bytes": "eA=="}, {"tuple": []},  # values that look like encoded ones
    Result("EPERM", "", ""), Sent({1: Result()}, [b"frame"]),
])  # fmt: skip
def test_a_value_comes_out_as_it_went_in(value):
    answer = _through(value)
    assert answer == value and type(answer) is type(value)


def test_a_finished_command_comes_out_as_it_went_in():
    answer = _through(subprocess.CompletedProcess(["a", "b"], 3, "out", "err"))
    assert (answer.args, answer.returncode) == (["a", "b"], 3)
    assert (answer.stdout, answer.stderr) == ("out", "err")


@pytest.mark.parametrize("value", [object(), len, Stranger("x"), [socket.socket], Stranger])
def test_what_is_not_plain_does_not_leave_the_machine(value):
    with pytest.raises(values.NotPlain):
        values.encode(value)


@pytest.mark.parametrize("sent", [
    {"bytes": "!"}, {"bytes": 1}, {"tuple": 1}, {"set": [[1]]}, {"dict": [[1]]}, {}, {"a": 1},
    {"tuple": [], "set": []}, {"path": None}, {"completed": [1]},
    {"data": ["os", "system", [["command", "id"]]]},
    {"data": ["labkit.probes_run", "send_all", []]},
    {"data": ["labkit.probes_run", "os.system", []]},
    {"data": ["labkit.probes_run", "Path", []]},
    {"data": ["labkit.probes_run", "Result", [["no_such_field", 1]]]},
    {"data": ["subprocess", "Popen", [["args", "id"]]]},
    {"data": ["test_agent", "Stranger", [["word", "x"]]]},
    {"data": [["labkit.probes_run"], "Result", []]},
])  # fmt: skip
def test_a_hostile_machine_gets_nothing_else_made(sent):
    with pytest.raises(values.NotPlain):
        values.decode(sent)


@pytest.mark.parametrize("error", [
    ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused"),
    PermissionError(errno.EPERM, "Operation not permitted"),
    FileNotFoundError(errno.ENOENT, "No such file or directory", "/x"),
    OSError(errno.ENETUNREACH, "Network is unreachable"),
    TimeoutError("timed out"), ConnectionError("SOCKS: refused"), ValueError("bad"),
    KeyError("no such user"), RuntimeError("odd"),
])  # fmt: skip
def test_an_exception_comes_out_as_it_went_in(error):
    again = values.exception(json.loads(json.dumps(values.encode_exception(error))))
    assert type(again) is type(error) and str(again) == str(error)
    if isinstance(error, OSError):
        assert (again.errno, again.strerror) == (error.errno, error.strerror)


@pytest.mark.parametrize("sent", [
    None, [], "text", {}, {"type": "SystemExit", "text": "3"}, {"type": ["OSError"]},
    {"type": "KeyboardInterrupt"}, {"type": "TimeoutExpired", "text": "x", "seconds": "y"},
])  # fmt: skip
def test_an_error_that_is_none_is_told_as_one(sent):
    assert type(values.exception(sent)) is RuntimeError


def test_an_exception_of_another_kind_keeps_its_name():
    described = values.encode_exception(UnicodeDecodeError("ascii", b"\xff", 0, 1, "why"))
    assert described["type"] == "ValueError"  # what it is based on
    assert "ZeroDivisionError" in values.encode_exception(ZeroDivisionError("x"))["text"]


# The agent itself, on a socket in place of the machine's port ------------------------------------


@pytest.fixture
def port(tmp_path: pathlib.Path) -> Iterator[pathlib.Path]:
    """The agent's line: who connects there is answered, as through QEMU."""
    path = tmp_path / "agent"
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(path))
    listener.listen()
    pid = os.fork()
    if pid == 0:
        try:
            connection = listener.accept()[0]
            connection.setblocking(False)
            serve.Server(connection.fileno()).run()
        finally:
            os._exit(1)
    listener.close()
    yield path
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


@pytest.fixture
def guest(port: pathlib.Path) -> Iterator[Guest]:
    with Guest(SimpleNamespace(agent_socket=port)) as connected:
        yield connected


def test_a_call_runs_as_the_user_asked_for(guest: Guest):
    assert guest.call(os.getresuid) == (0, 0, 0)
    assert guest.call(os.getresuid, user="nobody") == (65534,) * 3
    assert guest.call(os.getgroups, user="nobody") == []
    assert guest.call(os.getcwd, user="nobody") == "/"
    with pytest.raises(KeyError):
        guest.call(os.getpid, user="no-such-user")
    with pytest.raises(KeyError):
        guest.call(os.getpid, namespace="nowhere")


def test_a_command_runs_with_a_clean_environment(guest: Guest, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OF_THE_TEST", "1")
    result = guest.run(["sh", "-c", "env; cat; echo bad >&2; exit 3"], user="nobody", input="in",
                       env={"MORE": "1"})
    assert result.returncode == 3 and result.stderr == "bad\n"
    lines = result.stdout.splitlines()
    assert "USER=nobody" in lines and "MORE=1" in lines and lines[-1].endswith("in")
    assert not any(line.startswith("OF_THE_TEST") for line in lines)
    with pytest.raises(RuntimeError, match="exit 3"):
        guest.run(["sh", "-c", "exit 3"], check=True)


def test_errors_come_out(guest: Guest):
    with pytest.raises(FileNotFoundError) as caught:
        guest.call(os.stat, "/no/such/file")
    assert caught.value.errno == errno.ENOENT
    with pytest.raises(RuntimeError, match="without an answer"):
        guest.call(os._exit, 1)
    with pytest.raises(TimeoutError, match="0.2 s"):
        guest.call(time.sleep, 600, timeout=0.2)
    with pytest.raises(subprocess.TimeoutExpired):
        guest.run(["sleep", "600"], timeout=0.2)
    with pytest.raises(ValueError, match="longer"):
        guest.call(bytes, serve.ANSWER_BYTES)
    with pytest.raises(ValueError, match="cannot leave"):
        guest.call(os.scandir, "/")
    assert guest.call(abs, -1) == 1  # and it goes on


def test_a_long_answer_and_a_long_request_arrive_whole(guest: Guest):
    data = os.urandom(1 << 20)
    assert guest.call(bytes.__add__, data, b"!") == data + b"!"


def test_a_call_that_is_over_leaves_no_process(guest: Guest):
    with pytest.raises(TimeoutError):
        guest.call(subprocess.call, ["sleep", "4711"], timeout=0.5)

    def is_there() -> bool:
        lines = pathlib.Path("/proc").glob("[0-9]*/cmdline")
        return any(_read(path) == b"sleep\x004711\x00" for path in lines)

    deadline = time.monotonic() + 30
    while is_there() and time.monotonic() < deadline:
        os.sched_yield()
    assert not is_there()


def _read(path: pathlib.Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def test_several_calls_at_the_same_time_are_not_mixed_up(guest: Guest):
    answers: dict[int, int] = {}

    def ask(number: int) -> None:
        answers[number] = guest.call(abs, -number)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == {number: number for number in range(16)}


def _call(session: str, number: int, function, *arguments) -> bytes:
    packed = base64.b64encode(pickle.dumps((function, arguments))).decode()
    return json.dumps({"session": session, "kind": "call", "id": number, "user": "root",
                       "namespace": "host", "timeout": 30, "pickle": packed}).encode() + b"\n"


def test_a_new_session_hears_nothing_of_the_one_before(port: pathlib.Path):
    """As after a snapshot: the machine goes on in the middle of what somebody else had asked."""
    with socket.socket(socket.AF_UNIX) as line:
        line.connect(str(port))
        line.sendall(b'{"session": "old", "kind": "hello"}\n')
        line.sendall(_call("old", 1, time.sleep, 600))
        line.sendall(b'{"session": "old", "kind": "ca')  # in the middle of a request
        line.sendall(b'\n{"session": "new", "kind": "hello"}\n')
        line.sendall(_call("old", 2, abs, -2) + _call("new", 1, abs, -1))
        received = b""
        while b'"id": 1' not in received:
            received += line.recv(4096)
    lines = [json.loads(part) for part in received.splitlines() if part]
    assert lines[-1] == {"session": "new", "id": 1, "answer": {"ok": 1}}
    assert not any("answer" in part and part["session"] == "old" for part in lines)


@pytest.mark.parametrize("noise", [
    b"", b"\0\xff\n", b"[]\n", b"null\n", b"{}\n", b'{"session": 1}\n', b"[" * 100000 + b"\n",
    b'{"session": "SESSION", "id": 1}\n', b'{"session": "SESSION", "id": [1], "answer": {}}\n',
    b'{"session": "SESSION", "id": 7, "answer": {"ok": 1}}\n',
])  # fmt: skip
def test_noise_on_the_line_is_passed_over(tmp_path: pathlib.Path, noise: bytes):
    """A machine that says odd things: the answer is the one that was asked for."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(tmp_path / "agent"))
    listener.listen()

    def play() -> None:
        connection = listener.accept()[0]
        lines = connection.makefile("rb")
        hello = json.loads(next(line for line in lines if line.strip()))
        session = hello["session"]
        connection.sendall(json.dumps({"session": session, "kind": "ready"}).encode() + b"\n")
        number = json.loads(lines.readline())["id"]
        connection.sendall(noise.replace(b"SESSION", session.encode()))
        answer = {"session": session, "id": number, "answer": {"ok": "right"}}
        connection.sendall(json.dumps(answer).encode() + b"\n")

    player = threading.Thread(target=play, daemon=True)
    player.start()
    line = Line(tmp_path / "agent")
    line.greet(30)
    assert line.ask({"user": "root"}, 30) == "right"
    line.close()
    player.join()


def test_a_machine_that_ends_is_told(tmp_path: pathlib.Path):
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(tmp_path / "agent"))
    listener.listen()
    line = Line(tmp_path / "agent")
    listener.accept()[0].close()
    with pytest.raises(GuestGone):
        line.greet(30)
    with pytest.raises(GuestGone):
        line.ask({"user": "root"}, 30)
    line.close()
