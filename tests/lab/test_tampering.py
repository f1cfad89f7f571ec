# SPDX-License-Identifier: GPL-3.0-or-later
"""Who tried to change the filter. Where lethe-guard owns the tables the kernel refuses it, in silence if
all are flushed at once, and tells nobody; lethe-watchd sees it nevertheless, and `lethe status` names
who it was.

Rules that are changed through iptables' old interface (IPT_SO_SET_REPLACE) are not nf_tables', and are
not seen here.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from labkit import names, netns, watching
from labkit.wait import wait_for
from labkit.watching import Guarded, Place, Watch

SECONDS = watching.SECONDS
NFT = Path("/usr/sbin/nft")
AMNESIA = names.user(names.AMNESIA).uid


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    with watching.place("-tamper") as made:
        yield made


@pytest.fixture(scope="module")
def guard(place: Place) -> Iterator[Guarded]:
    with watching.guarded(place) as made:
        yield made


def inside(place: Place) -> tuple[str, ...]:
    return ("nsenter", f"--net={netns.path(place.ns)}")


@pytest.fixture
def watch(place: Place, guard: Guarded) -> Iterator[Watch]:
    with watching.bus() as bus:
        running = Watch(bus, *watching.KEEPERS, prefix=inside(place))
        yield running
        assert running.close() == ""


def copied(place: Place, name: str) -> Path:
    """nft, as a program of its own."""
    path = place.folder / name
    shutil.copy(NFT, path)
    return path


def run(argv: list[str], **options: Any) -> tuple[int, int]:
    """To its end. Its number, and its exit status."""
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                          text=True, **options) as process:  # fmt: skip
        try:
            process.communicate(timeout=SECONDS)
        finally:
            process.kill()
        return process.pid, process.returncode


def latest(watch: Watch, count: int = 1) -> dict[str, Any]:
    """The last that was told of, when so many were."""
    told = wait_for(lambda: watch.tampering()["count"] >= count and watch.tampering(), SECONDS,
                    "somebody to be named")  # fmt: skip
    assert told["count"] == count and told["lost"] == 0
    return told["latest"][0]


COMMANDS = {
    "flush": ("flush ruleset", "flush of all tables"),
    "flush-family": ("flush ruleset inet", "flush of all inet tables"),
    "delete-inet": ("delete table inet lethe", "delete table inet lethe"),
    "delete-netdev": ("delete table netdev lethe", "delete table netdev lethe"),
    "delete-chain": ("delete chain inet lethe output", "delete chain of table inet lethe"),
    "flush-chain": ("flush chain inet lethe output", "delete rule of table inet lethe"),
    "accept-earlier": ("insert rule inet lethe output accept", "add rule of table inet lethe"),
    "element": ("delete element inet lethe remote_users { 0 }",
                "delete element of table inet lethe"),
    "set-type": ("add set inet lethe mine { type ipv4_addr; }", "add set of table inet lethe"),
    "dormant": ("add table inet lethe { flags dormant; }", "add table inet lethe"),
    "behind-others": ("add table ip mine\nadd chain ip mine c\ndelete table inet lethe",
                      "delete table inet lethe, and 2 more changes"),
}  # fmt: skip


@pytest.mark.parametrize("name", COMMANDS)
def test_who_uses_nft_is_named(watch: Watch, place: Place, guard: Guarded, name: str) -> None:
    commands, what = COMMANDS[name]
    binary = copied(place, f"nft-{name}")
    with subprocess.Popen([*inside(place), str(binary), "-f", "-"], stdin=subprocess.PIPE,
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                          text=True) as process:  # fmt: skip
        try:
            process.communicate(commands + "\n", timeout=SECONDS)
        finally:
            process.kill()
    told = latest(watch)
    assert (told["exe"], told["pid"], told["uid"]) == (str(binary), process.pid, 0)
    assert told["what"] == what and told["times"] == 1
    # The kernel has refused it, and to the guard nothing happened.
    assert guard.status()["changes"] == 0 and guard.holds()


# DELTABLE without a name, in a batch: NFNL_MSG_BATCH_BEGIN is 0x10, NFNL_SUBSYS_NFTABLES 10.
SENDS = """
import os, socket, struct
def message(kind, flags, family, resource):
    return struct.pack("=LHHLLBBH", 20, kind, flags, 0, 0, family, 0, socket.htons(resource))
batch = message(0x10, 1, 0, 10) + message(10 << 8 | 2, 5, 0, 0) + message(0x11, 1, 0, 10)
s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12)
"""
SENDS_NOW = SENDS + "s.send(batch)\n"
SENDS_IN_A_CHILD = SENDS + "if os.fork() == 0:\n s.send(batch)\n os._exit(0)\nprint(os.wait()[0])\n"
SENDS_IN_PIECES = SENDS + "s.sendmsg([batch[:7], batch[7:30], batch[30:]])\n"


# GETTABLE, of all.
ASKS = SENDS + "s.send(message(10 << 8 | 1, 0x301, 0, 0))\ns.recv(65536)\n"


@pytest.mark.parametrize(("name", "uid"), [("raw", 0), ("raw-user", AMNESIA), ("pieces", 0)])
def test_who_speaks_netlink_is_named(watch: Watch, place: Place, guard: Guarded, name: str,
                                     uid: int) -> None:  # fmt: skip
    binary = place.copy(name)
    code = SENDS_IN_PIECES if name == "pieces" else SENDS_NOW
    pid, status = run(place.argv(binary, code, uid))
    assert status == 0
    told = latest(watch)
    assert (told["exe"], told["pid"], told["uid"]) == (str(binary), pid, uid)
    assert told["what"] == "flush of all tables"
    assert guard.holds()


def test_who_has_ended_is_named(watch: Watch, place: Place) -> None:
    """A child that lives for as long as it takes to send."""
    binary = place.copy("short-lived")
    result = subprocess.run(place.argv(binary, SENDS_IN_A_CHILD), check=True, capture_output=True,
                            text=True, timeout=SECONDS)  # fmt: skip
    told = latest(watch)
    assert (told["exe"], told["pid"]) == (str(binary), int(result.stdout))
    assert told["what"] == "flush of all tables"


def test_the_same_again_is_counted(watch: Watch, place: Place) -> None:
    binary = place.copy("again")
    run(place.argv(binary, SENDS + "for i in range(100):\n s.send(batch)\n"))
    told = latest(watch, 100)
    assert told["times"] == 100 and len(watch.tampering()["latest"]) == 1


def test_what_is_remembered_is_bounded(watch: Watch, place: Place) -> None:
    for _ in range(12):
        run(place.argv(place.copy("many"), SENDS_NOW))
    latest(watch, 12)
    assert len(watch.tampering()["latest"]) == 8


def test_those_whose_work_it_is_are_not_named(watch: Watch, place: Place, guard: Guarded) -> None:
    """The guard, for lethe-wall and by itself; who only asks; whose tables are others; elsewhere."""
    assert guard.wall("apply", str(names.DEFAULT_POLICY)).returncode == 0
    assert guard.holds()
    netns.ip_batch(["link add more0 type veth peer name more1",
                    "link set more0 up"], place.ns)
    assert guard.wall("cover").returncode == 0
    run(place.argv(place.copy("asks"), ASKS))
    with watching.place("-elsewhere") as other:
        run([*inside(other), str(NFT), "flush", "ruleset"])
    run([*inside(place), str(NFT), "add", "table", "ip", "theirs"])
    wait_for(lambda: watch.tampering()["others"] == 1, SECONDS, "another's table")
    assert watch.tampering()["count"] == 0


def test_a_borrowed_name_is_not_enough(watch: Watch, place: Place) -> None:
    """Who only has the guard's path, in a mount namespace of its own, is not the guard."""
    binary = copied(place, "borrowed")
    script = f"mount --bind {binary} {watching.GUARD} && exec {watching.GUARD} flush ruleset"
    pid, status = run([*inside(place), "unshare", "--mount", "sh", "-c", script])
    told = latest(watch)
    assert (told["exe"], told["pid"]) == (str(watching.GUARD), pid)


def test_without_the_program_nobody_is_named(place: Place, guard: Guarded) -> None:
    """The anti-test: names come from the program in the kernel, and that it lacks is said."""
    some = "+bpf,+net_admin"
    prefix = (*inside(place), "setpriv", f"--inh-caps=-all,{some}", f"--bounding-set=-all,{some}")
    with watching.bus() as bus:
        blind = Watch(bus, *watching.KEEPERS, prefix=prefix)
        run(place.argv(place.copy("unseen"), SENDS_NOW))
        run([*inside(place), str(NFT), "flush", "ruleset"])
        told = blind.tampering()
        said = blind.close()
    assert told["count"] == 0 and not told["watched"] and "load" in told["why"]
    assert "Nobody sees who would change the filter" in said


def test_without_a_guard_it_is_named_too(place: Place) -> None:
    """And was done: the kernel does not refuse it. Nothing here claims that it did."""
    with watching.place("-open") as other, watching.bus() as bus:
        watch = Watch(bus, *watching.KEEPERS, prefix=inside(other))
        netns.nft(other.ns, "add table inet lethe\n")
        pid, status = run([*inside(other), str(copied(other, "deletes")), "delete", "table", "inet",
                           "lethe"])  # fmt: skip
        told = latest(watch, 2)
        watch.close()
    assert status == 0 and told["pid"] == pid and told["what"] == "delete table inet lethe"
