# SPDX-License-Identifier: GPL-3.0-or-later
"""The laboratory layer: what is in it, and that the same input gives the same bits."""

from __future__ import annotations

import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest

from labkit import torkeys
from vmkit import layer

LAB = SimpleNamespace()  # only whether there is one counts


def _unpack(image: Path, destination: Path) -> Path:
    subprocess.run(["unsquashfs", "-quiet", "-no-progress", "-dest", str(destination), str(image)],
                   check=True, capture_output=True)
    return destination


def test_the_same_input_gives_the_same_bits(tmp_path: Path):
    extra = layer.unit("x.service", "[Service]\n", wanted_by="multi-user.target")
    before = os.umask(0o077)
    try:
        first = layer.build(tmp_path / "first", LAB, extra)
        os.umask(0)
        second = layer.build(tmp_path / "second", LAB, dict(reversed(extra.items())))
    finally:
        os.umask(before)
    assert first.read_bytes() == second.read_bytes()
    third = layer.build(tmp_path / "third", LAB)
    assert third.read_bytes() != first.read_bytes()


def test_it_brings_the_labs_authorities_and_nothing_without_a_lab(tmp_path: Path):
    with_lab = _unpack(layer.build(tmp_path / "a", LAB), tmp_path / "with")
    torrc = (with_lab / "etc/tor/torrc.d/laboratory.conf").read_text()
    for authority in torkeys.authorities(torkeys.directory()):
        assert authority.line() in torrc
    assert "TestingTorNetwork 1" in torrc
    without = _unpack(layer.build(tmp_path / "b"), tmp_path / "without")
    assert not (without / "etc/tor").exists()


def test_what_a_test_adds_is_there_as_it_said(tmp_path: Path):
    extra: dict = {"/etc/lethe/policy.conf": "lethe-policy 1\n",
                   "/usr/lib/own/program": layer.File("#!/bin/sh\n", 0o755),
                   "/etc/systemd/system/lethe-laboratory-agent.service": layer.File("mine"),
                   } | layer.mask("lethe-wall.service")  # fmt: skip
    tree = _unpack(layer.build(tmp_path / "a", None, extra), tmp_path / "tree")
    assert (tree / "etc/lethe/policy.conf").read_text() == "lethe-policy 1\n"
    assert (tree / "etc/lethe/policy.conf").stat().st_mode & 0o777 == 0o644
    assert (tree / "usr/lib/own/program").stat().st_mode & 0o777 == 0o755
    assert os.readlink(tree / "etc/systemd/system/lethe-wall.service") == "/dev/null"
    assert (tree / "etc/systemd/system/lethe-laboratory-agent.service").read_text() == "mine"
    # These are laid over the image's own directories, whose mode would otherwise change.
    for name in ("etc", "etc/systemd/system", "usr/lib", "opt/lethe-laboratory"):
        assert (tree / name).stat().st_mode & 0o7777 == 0o755
    assert all((path.lstat().st_uid, path.lstat().st_gid) == (0, 0) for path in tree.rglob("*"))


@pytest.mark.parametrize("path", ["etc/passwd", "/etc/../../outside", "../x"])
def test_a_path_that_leads_out_is_refused(tmp_path: Path, path: str):
    with pytest.raises(layer.LayerError, match="absolute path"):
        layer.build(tmp_path / "a", None, {path: "x"})


def test_a_layer_that_would_take_too_long_is_refused(tmp_path: Path):
    noise = os.urandom(layer.LAYER_BYTES).hex()
    with pytest.raises(layer.LayerError, match="bytes"):
        layer.build(tmp_path / "a", None, {"/large": noise})


def test_no_toolchain_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("LETHE_TOOLCHAIN", raising=False)
    monkeypatch.setattr(layer, "IMAGE_CACHE", tmp_path)
    with pytest.raises(layer.LayerError, match="image/build"):
        layer.tools()


def test_the_tools_are_built_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(layer, "CACHE_DIRECTORY", tmp_path / "one")
    # By two that want them at one moment, as two workers of the tests do at their beginning.
    with ThreadPoolExecutor(2) as pool:
        first, other = (made.result() for made in [pool.submit(layer.tools) for _ in range(2)])
    assert other == first
    made = first.stat().st_mtime_ns
    assert layer.tools() == first and first.stat().st_mtime_ns == made
    monkeypatch.setattr(layer, "CACHE_DIRECTORY", tmp_path / "two")
    again = layer.tools()
    assert (again.name, again.read_bytes()) == (first.name, first.read_bytes())
    tree = _unpack(first, tmp_path / "tree")
    for name in ("bin/python3.13", "lib/python3.13/os.py", "lib/libffi.so.8",
                 "tests/lab/labkit/__pycache__/client.cpython-313.pyc", "tests/support/passwd",
                 "tests/vm/agent/labagent/serve.py"):  # fmt: skip
        assert (tree / name).exists(), name
    assert os.access(tree / "tests/vm/agent/agent", os.X_OK)
