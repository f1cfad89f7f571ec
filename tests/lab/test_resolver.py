# SPDX-License-Identifier: GPL-3.0-or-later
"""lethe-resolver on a message bus of its own, with a stand-in for NetworkManager: what of a network's word
becomes a resolv.conf."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from labkit import clearnet, fakebus, watching
from labkit.wait import wait_for

SECONDS = 60.0
LENGTH = 96  # bytes of the file, if there are any: so that nobody reads the end of one after another
NETWORK = "org.freedesktop.NetworkManager"
ROOT = "/org/freedesktop/NetworkManager"


def lease(servers: Any, kind: str = "s") -> dict[str, Any]:
    """What a DHCP server said, as NetworkManager tells it."""
    options = {"routers": ("s", "192.168.1.1"), "domain_name": ("s", "nameserver 10.6.6.6"),
               "domain_name_servers": (kind, servers), "domain_search": ("s", "lan.example"),
               "expiry": ("s", "1")}  # fmt: skip
    return {f"{NETWORK}.DHCP4Config": {"Options": ("a{sv}", options)}}


def chosen(*servers: str) -> dict[str, Any]:
    """What a person has written into a profile."""
    data = [{"address": ("s", server), "priority": ("u", 50)} for server in servers]
    return {f"{NETWORK}.IP4Config": {
        "Nameservers": ("au", [0x0101A8C0]), "Gateway": ("s", "192.168.1.1"),
        "NameserverData": ("aa{sv}", data), "Searches": ("as", ["x.example"])}}


class Place:
    def __init__(self, folder: Path) -> None:
        self.folder, self.objects = folder, {}
        self.silent = 0  # so many of its first questions fail
        self.bus = watching.Bus(folder)
        self.manager: fakebus.Service | None = None
        self.daemon: subprocess.Popen | None = None

    def manage(self) -> None:
        self.manager = fakebus.Service(self.bus.address.partition("path=")[2], NETWORK,
                                       "GetManagedObjects", "a{oa{sa{sv}}}",
                                       self._answer)

    def _answer(self) -> dict[str, Any] | None:
        if self.silent > 0:
            self.silent -= 1
            return None
        return {f"{ROOT}/{n}": entry for n, entry in self.objects.items()}

    def start(self) -> None:
        (self.folder / "out").mkdir(exist_ok=True)
        self.daemon = subprocess.Popen([str(clearnet.program().parent / "lethe-resolver"),
                                        f"--bus={self.bus.address}", f"--folder={self.folder}/out"])
        wait_for((self.folder / "out" / "resolv.conf").exists, SECONDS, "the file")

    def set(self, **objects: dict[str, Any]) -> None:
        self.objects = objects
        if self.manager:
            self.manager.signal("/org/freedesktop", "org.freedesktop.DBus.ObjectManager",
                                "InterfacesRemoved", "oas", f"{ROOT}/x", [])

    def holds(self, *servers: str) -> bool:
        text = (self.folder / "out" / "resolv.conf").read_text()
        wanted = "".join(f"nameserver {server}\n" for server in servers)
        return text == (wanted.ljust(LENGTH, "\n") if servers else "")

    def expect(self, *servers: str) -> None:
        wait_for(lambda: self.holds(*servers), SECONDS, f"resolvers {servers}")

    def close(self) -> None:
        if self.daemon:
            self.daemon.terminate()
            assert self.daemon.wait(SECONDS) == 0
            assert self.holds()  # nobody would tell when they become wrong
        if self.manager:
            self.manager.close()
        self.bus.close()


@contextmanager
def place() -> Iterator[Place]:
    with tempfile.TemporaryDirectory(prefix="lethe-resolver-") as name:
        made = Place(Path(name))
        try:
            yield made
        finally:
            made.close()


def test_it_follows_the_network() -> None:
    with place() as made:
        made.start()
        assert made.holds()  # nobody to ask, and the file is there
        made.manage()
        made.set(a=lease("192.168.1.1 192.168.1.2"))
        made.expect("192.168.1.1", "192.168.1.2")
        made.set(a=lease("10.0.0.53"), b={f"{NETWORK}.Device": {"State": ("u", 100)}})
        made.expect("10.0.0.53")
        made.set(a=lease("10.0.0.53"), b=chosen("9.9.9.9"))
        made.expect("9.9.9.9", "10.0.0.53")
        made.set()
        made.expect()
        made.set(a=lease("10.0.0.53"))
        made.expect("10.0.0.53")
        assert made.manager
        made.manager.close()  # NetworkManager ends, and with it what it knew
        made.expect()
        made.manage()
        made.set(a=lease("10.0.0.54"))
        made.expect("10.0.0.54")
        mode = os.stat(made.folder / "out" / "resolv.conf").st_mode & 0o777
        assert mode == 0o644 and os.listdir(made.folder / "out") == ["resolv.conf"]


def test_a_question_that_failed_is_asked_again() -> None:
    """Without anything that changes. It asks at the start, when it begins to listen, and when it hears of
    NetworkManager, so that more than these fail."""
    with place() as made:
        made.silent = 5
        made.objects = {"a": lease("192.168.1.1")}
        made.manage()
        made.start()
        made.expect("192.168.1.1")


def test_who_has_it_mounted_sees_the_change() -> None:
    """As the units mount it over /etc/resolv.conf: a file, by its inode."""
    with place() as made:
        made.manage()
        made.objects = {"a": lease("192.168.1.1 192.168.1.2")}
        made.start()
        made.expect("192.168.1.1", "192.168.1.2")
        file = made.folder / "out" / "resolv.conf"
        inside = ["unshare", "--mount", "sh", "-c", 'touch "$0" && mount --bind "$1" "$0" && echo && '
                  'while read -r _; do cat "$0" && echo .; done', str(made.folder / "mounted"), str(file)]
        with subprocess.Popen(inside, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as shell:
            assert shell.stdin and shell.stdout and shell.stdout.readline() == "\n"
            for servers in (("10.0.0.53",), (), ("10.0.0.54", "10.0.0.55", "10.0.0.56")):
                made.set(**({"a": lease(" ".join(servers))} if servers else {}))
                made.expect(*servers)
                print("again", file=shell.stdin, flush=True)
                lines = list(iter(shell.stdout.readline, ".\n"))
                assert [line.split()[1] for line in lines if line != "\n"] == list(servers)
            shell.stdin.close()


def test_what_a_killed_one_left_is_emptied() -> None:
    """Before it can ask: the bus may be gone, too."""
    with place() as made:
        made.manage()
        made.objects = {"a": lease("192.168.1.1")}
        made.start()
        made.expect("192.168.1.1")
        assert made.daemon
        made.daemon.kill()
        made.daemon.wait(SECONDS)
        assert made.holds("192.168.1.1")
        argv = [made.daemon.args[0], "--bus=unix:path=/nowhere", f"--folder={made.folder}/out"]
        made.daemon = None
        assert subprocess.run(argv, timeout=SECONDS, check=False).returncode == 3
        assert made.holds()


def test_a_change_of_a_property_is_heard() -> None:
    with place() as made:
        made.manage()
        made.objects = {"a": lease("192.168.1.1")}
        made.start()
        made.expect("192.168.1.1")
        made.objects = {"a": lease("192.168.1.7")}
        assert made.manager
        made.manager.signal(f"{ROOT}/a", "org.freedesktop.DBus.Properties", "PropertiesChanged",
                            "sa{sv}as", f"{NETWORK}.DHCP4Config", {}, ["Options"])
        made.expect("192.168.1.7")


@pytest.mark.parametrize("entry", [
    lease("127.0.0.1"), lease("127.192.0.1 0.0.0.0 224.0.0.251 255.255.255.255"), lease("::1 fe80::1"),
    lease("1.2.3.4\nsearch bad"), lease("1.2.3.4;options", "s"), lease(7, "u"), lease(["1.2.3.4"], "as"),
    chosen("127.0.0.53", "nobody"), chosen(),
    {f"{NETWORK}.DHCP4Config": {"Options": ("s", "1.2.3.4")}},
    {f"{NETWORK}.IP4Config": {"NameserverData": ("as", ["1.2.3.4"])}},
    {f"{NETWORK}.DHCP6Config": {"Options": ("a{sv}", {"domain_name_servers": ("s", "1.2.3.4")})}},
])
def test_what_no_resolver_is(entry: dict[str, Any]) -> None:
    """It is left out; another network's beside it is not."""
    with place() as made:
        made.manage()
        made.start()
        made.set(a=entry)
        made.set(a=entry, b=lease("192.168.1.53"))
        made.expect("192.168.1.53")


def test_three_at_most_and_none_twice() -> None:
    with place() as made:
        made.manage()
        made.start()
        made.set(a=chosen("9.9.9.9", "1.1.1.1"), b=lease("1.1.1.1 2.2.2.2 3.3.3.3"))
        made.expect("9.9.9.9", "1.1.1.1", "2.2.2.2")


def test_it_ends_when_the_bus_does() -> None:
    """Nobody would tell when they become wrong, so none are left."""
    with place() as made:
        made.manage()
        made.start()
        made.set(a=lease("192.168.1.1"))
        made.expect("192.168.1.1")
        made.bus.close()
        assert made.daemon and made.daemon.wait(SECONDS) == 3
        assert made.holds()
        made.daemon = None
        made.manager = None
