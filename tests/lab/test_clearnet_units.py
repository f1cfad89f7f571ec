# SPDX-License-Identifier: GPL-3.0-or-later
"""What the units around the namespaces must say, of which the booted image shows the effect only in a failure
or to an attacker. What they do is tried in tests/vm/test_clearnet.py."""

from __future__ import annotations

from pathlib import Path

from labkit import names

UNITS = names.SOURCE_ROOT / "data" / "systemd"


def said(file: Path, key: str) -> list[str]:
    """All words that the unit, or the part of one, says for @key."""
    return [word for line in file.read_text().splitlines() if line.startswith(f"{key}=")
            for word in line.partition("=")[2].split()]


def test_who_may_open_the_door_is_nobody_else() -> None:
    """A program of the same user could connect to the daemon's sockets, or get at its memory."""
    owners = {word for socket in UNITS.glob("lethe-clearnet-*.socket") for word in said(socket, "SocketUser")}
    assert owners == {"lethe-clearnet"}
    assert [unit.name for unit in UNITS.glob("*.service*") if owners & set(said(unit, "User"))] == [
        "lethe-clearnet.service"]
    resolver = UNITS / "lethe-resolver.service"
    assert said(resolver, "User") == said(resolver, "Group") == ["lethe-resolver"]
    assert said(resolver, "InaccessiblePaths") == ["-/run/lethe"]
    # The mounted file outlives the process that writes it, and somebody always will.
    assert said(resolver, "RuntimeDirectoryPreserve") == ["restart"]
    assert said(resolver, "StartLimitIntervalSec") == ["0"]
    users = (UNITS.parent / "sysusers" / "lethe-live.conf").read_text().splitlines()
    assert len({line.split()[2] for line in users if line.startswith("u ")}) == sum(
        line.startswith("u ") for line in users)
    assert any(line.split()[1:3] == ["lethe-resolver", "911:911"] for line in users)


def test_what_is_in_a_namespace_ends_with_it() -> None:
    """Also where the namespace's unit fails by itself, which Requires= does not hear of."""
    inside = [unit for unit in UNITS.iterdir() if said(unit, "NetworkNamespacePath")]
    assert len(inside) >= 4
    for unit in inside:
        (path,) = said(unit, "NetworkNamespacePath")
        namespace = f"lethe-namespace@{Path(path).name}.service"
        assert namespace in said(unit, "BindsTo") and namespace in said(unit, "After"), unit.name


def test_nothing_of_a_users_is_mounted_by_root() -> None:
    """In the folders that a user owns, a path leads where the user wants it to."""
    for unit in UNITS.iterdir():
        for key in ("BindPaths", "BindReadOnlyPaths"):
            for pair in said(unit, key):
                assert not pair.lstrip("-").startswith(("/run/user/", "/home/", "/tmp/")), unit.name
