# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers and exceptions as JSON, from the machine under test to the tests.

What comes from there is not trusted: a machine may be made hostile by what is tried in it. So
nothing is unpickled; only plain values, the data classes of labkit, and exceptions of a fixed list
can come out of decode() and exception().
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import pathlib
import subprocess
import sys
from typing import Any

_PLAIN = (type(None), bool, int, float, str)
_EXCEPTIONS: dict[str, type[Exception]] = {
    kind.__name__: kind
    for kind in (
        AssertionError, BlockingIOError, BrokenPipeError, ChildProcessError, ConnectionAbortedError,
        ConnectionError, ConnectionRefusedError, ConnectionResetError, FileExistsError,
        FileNotFoundError, InterruptedError, IsADirectoryError, KeyError, NotADirectoryError,
        OSError, PermissionError, ProcessLookupError, RuntimeError, TimeoutError, TypeError,
        ValueError,
    )
}  # fmt: skip


class NotPlain(ValueError):
    """A value that cannot be an answer, or bytes that are none."""


def encode(value: Any) -> Any:
    """What json.dumps takes. Raises NotPlain for what decode() could not make again."""
    if isinstance(value, _PLAIN) and not dataclasses.is_dataclass(value):
        return value if type(value) in _PLAIN else encode_plain(value)
    if isinstance(value, (bytes, bytearray)):
        return {"bytes": base64.b64encode(value).decode("ascii")}
    if isinstance(value, list):
        return [encode(item) for item in value]
    if isinstance(value, tuple):
        return {"tuple": [encode(item) for item in value]}
    if isinstance(value, (set, frozenset)):
        return {"set": [encode(item) for item in value]}
    if isinstance(value, dict):
        return {"dict": [[encode(key), encode(item)] for key, item in value.items()]}
    if isinstance(value, pathlib.PurePath):
        return {"path": str(value)}
    if isinstance(value, subprocess.CompletedProcess):
        return {"completed": [encode(value.args), value.returncode,
                              encode(value.stdout), encode(value.stderr)]}  # fmt: skip
    if _is_lab_data(type(value)):
        fields = [[f.name, encode(getattr(value, f.name))] for f in dataclasses.fields(value)]
        return {"data": [type(value).__module__, type(value).__qualname__, fields]}
    raise NotPlain(f"an answer of type {type(value).__name__} cannot leave the machine")


def encode_plain(value: Any) -> Any:
    """A subclass of a plain type (an enumeration's member, say) goes as what it is based on."""
    base = next(kind for kind in (bool, int, float, str) if isinstance(value, kind))
    return base(value)


def decode(value: Any) -> Any:
    """The value again. Raises NotPlain for anything that encode() does not make."""
    if isinstance(value, _PLAIN):
        return value
    if isinstance(value, list):
        return [decode(item) for item in value]
    try:
        ((kind, body),) = value.items()
        return _DECODERS[kind](body)
    except (AttributeError, KeyError, TypeError, ValueError, binascii.Error) as error:
        raise NotPlain(f"not an answer of the agent: {str(value)[:80]!r}") from error


def _decode_bytes(body: str) -> bytes:
    return base64.b64decode(body, validate=True)


def _decode_data(body: list) -> Any:
    module, name, fields = body
    kind = getattr(sys.modules.get(module), name, None)
    if not isinstance(kind, type) or not _is_lab_data(kind):
        raise NotPlain(f"{module}.{name} is no data class of labkit that is known here")
    return kind(**{str(field): decode(item) for field, item in fields})


def _decode_completed(body: list) -> subprocess.CompletedProcess:
    arguments, status, output, errors = body
    return subprocess.CompletedProcess(decode(arguments), int(status), decode(output),
                                       decode(errors))  # fmt: skip


_DECODERS = {
    "bytes": _decode_bytes,
    "tuple": lambda body: tuple(decode(item) for item in body),
    "set": lambda body: {decode(item) for item in body},
    "dict": lambda body: {decode(key): decode(item) for key, item in body},
    "path": lambda body: pathlib.PurePosixPath(body),
    "completed": _decode_completed,
    "data": _decode_data,
}


def _is_lab_data(kind: type) -> bool:
    return kind.__module__.split(".")[0] == "labkit" and dataclasses.is_dataclass(kind)


def encode_exception(error: BaseException) -> dict[str, Any]:
    """For exception(): the nearest type of the list, and what it says."""
    name = next((kind.__name__ for kind in type(error).__mro__
                 if _EXCEPTIONS.get(kind.__name__) is kind), "")  # fmt: skip
    text = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
    if isinstance(error, subprocess.TimeoutExpired):
        return {"type": "TimeoutExpired", "text": str(error.cmd), "seconds": error.timeout}
    if not name:
        text = f"{type(error).__name__}: {text}"
    found: dict[str, Any] = {"type": name or "RuntimeError", "text": text}
    if isinstance(error, OSError) and isinstance(error.errno, int):
        found |= {"errno": error.errno, "text": error.strerror or text}
        if isinstance(error.filename, str):
            found["file"] = error.filename
    return found


def exception(found: Any) -> Exception:
    """What encode_exception() described; whatever else it is, a RuntimeError that says so."""
    if not isinstance(found, dict):
        return RuntimeError(f"not an error of the agent: {str(found)[:80]!r}")
    text, number, kind = str(found.get("text", "")), found.get("errno"), found.get("type")
    if kind == "TimeoutExpired" and isinstance(found.get("seconds"), (int, float)):
        return subprocess.TimeoutExpired(text, found["seconds"])
    if isinstance(number, int):
        file = found.get("file")
        # OSError itself chooses the subclass that belongs to the number.
        return OSError(number, text, file) if isinstance(file, str) else OSError(number, text)
    return _EXCEPTIONS.get(str(kind), RuntimeError)(text)
