# SPDX-License-Identifier: GPL-3.0-or-later
"""How the clearnet namespace lives: what of it is seen on the wire, that nothing is forwarded at any time, what
happens when the network changes and when its processes end."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from labkit import clearnet, local_clients, names, netns, processes, rules, topology
from labkit.capture import Capture
from labkit.inside import (BAIT_PORT, INSIDE, OUTSIDE, SECONDS, attempts, bait, inhabitant, reached,
                           works)
from labkit.lab import Lab
from labkit.wait import wait_for


# Forwarding ---------------------------------------------------------------------------------------


def _forwarding() -> dict[str, str]:
    """Of this namespace: what is not off."""
    found = {}
    for version in ("ipv4", "ipv6"):
        for path in Path(f"/proc/sys/net/{version}/conf").glob("*/forwarding"):
            found[str(path)] = path.read_text().strip()
    found["ip_forward"] = Path("/proc/sys/net/ipv4/ip_forward").read_text().strip()
    return {name: value for name, value in found.items() if value != "0"}


class Forwarding(threading.Thread):
    """Looks all the time, until it is asked what was on."""

    def __init__(self, lab: Lab) -> None:
        super().__init__(daemon=True)
        self._lab, self._done = lab, threading.Event()
        self.looks, self.seen = 0, {}
        self.start()

    def run(self) -> None:
        while not self._done.is_set():
            self.seen |= netns.run_in(self._lab.ns(names.HOST), _forwarding)
            if self._lab.host.clearnet.net.exists():
                try:
                    self.seen |= netns.run_in(str(self._lab.host.clearnet.net), _forwarding)
                except OSError:
                    pass  # it is being made
            self.looks += 1

    def stop(self) -> dict[str, str]:
        self._done.set()
        self.join()
        assert self.looks > 0
        return self.seen


def test_nothing_is_forwarded_at_any_time(bare: Lab) -> None:
    rules.apply_lethe(bare)
    look = Forwarding(bare)
    bare.host.clearnet.stop()
    bare.host.clearnet.start()
    assert reached(bare, OUTSIDE) == set(OUTSIDE)
    pasta = bare.host.clearnet.pasta()
    assert pasta
    processes.end([pasta], ask=False)
    bare.host.clearnet.wait_joined()
    bare.host.clearnet.stop()
    assert look.stop() == {}


def test_forwarding_would_be_seen(bare: Lab) -> None:
    look = Forwarding(bare)
    path = f"/proc/sys/net/ipv4/conf/{names.LAN_DEVICE}/forwarding"
    try:
        bare.host.call(Path(path).write_text, "1")
        wait_for(lambda: look.seen, SECONDS, "forwarding to be seen")
    finally:
        bare.host.call(Path(path).write_text, "0")
    assert path in look.stop()


# On the wire --------------------------------------------------------------------------------------


def _shape(frame: bytes) -> dict[str, Any] | None:
    """What tells hosts apart in a connection's opening or a datagram; None for anything else."""
    if frame[12:14] != b"\x08\x00":
        return None
    ip = frame[14:]
    common = {"ttl": ip[8], "tos": ip[1], "fragment": ip[6:8].hex(), "header": ip[0]}
    if ip[9] == 17:
        return common | {"protocol": "udp", "checksum": ip[26:28] != b"\0\0"}
    if ip[9] != 6 or ip[33] != 0x02:
        return None
    offset = (ip[32] >> 4) * 4
    options, kinds = ip[40 : 20 + offset], []
    while options:
        kind = options[0]
        length = 1 if kind < 2 else options[1]
        # Of the timestamp only that it is there: it counts from a random time for each connection.
        kinds.append((kind, b"" if kind == 8 else options[2:length]))
        options = options[length:]
    return common | {"protocol": "tcp", "window": int.from_bytes(ip[34:36], "big"),
                     "urgent": ip[38:40].hex(), "options": kinds}


def _shapes(lab: Lab, user: str, namespace: str) -> list[dict[str, Any]]:
    with Capture(lab) as capture:
        assert reached(lab, [("tcp", names.WEB_ADDRESS, names.HTTP_PORT)], user=user,
                        namespace=namespace)
        assert reached(lab, [("udp", names.ECHO_ADDRESS, 7)], user=user, namespace=namespace)
    own = socket.inet_aton(names.HOST_ADDRESS)
    found = [_shape(frame.data) for frame in capture.stop() if frame.data[26:30] == own]
    return [shape for shape in found if shape]


def test_on_the_wire_it_is_the_host(joined: Lab) -> None:
    """Time to live, window, options and their order, and the flags of fragments: of the host's own."""
    inside = _shapes(joined, names.AMNESIA, INSIDE)
    host = _shapes(joined, names.CLEARNET, "host")
    assert {shape["protocol"] for shape in host} == {"tcp", "udp"}
    assert inside == host
    assert all(shape["ttl"] == 64 for shape in inside)


@pytest.mark.parametrize("setting,value", [("ipv4/tcp_window_scaling", "0"), ("ipv4/tcp_sack", "0"),
                                           ("ipv4/ip_default_ttl", "63"), ("ipv4/tcp_timestamps", "0")])
def test_a_difference_on_the_wire_is_seen(joined: Lab, setting: str, value: str) -> None:
    """The anti-test, and that the shape is the host's: it changes with the host's settings alone."""
    before = _shapes(joined, names.AMNESIA, INSIDE)
    path = Path("/proc/sys/net", setting)
    usual = netns.run_in(joined.ns(names.HOST), path.read_text)
    netns.run_in(joined.ns(names.HOST), path.write_text, value)
    try:
        if setting == "ipv4/ip_default_ttl":  # it is the host's of when the namespace is made
            joined.host.clearnet.stop()
            joined.host.clearnet.start()
        after = _shapes(joined, names.AMNESIA, INSIDE)
        assert after != before
        assert after == _shapes(joined, names.CLEARNET, "host")
    finally:
        netns.run_in(joined.ns(names.HOST), path.write_text, usual)
    if setting == "ipv4/ip_default_ttl":
        return
    netns.run_in(str(joined.host.clearnet.net), path.write_text, value)
    assert _shapes(joined, names.AMNESIA, INSIDE) == before


# Changes ------------------------------------------------------------------------------------------


def _ip(lab: Lab, *lines: str) -> None:
    for line in lines:
        lab.host.run(["ip", *line.split()], check=True)


@contextmanager
def network_restored(lab: Lab) -> Iterator[None]:
    try:
        yield
    finally:
        topology.restore_lan(lab.ns(names.HOST), names.HOST)
        lab.tor.restart_client()


def test_a_changed_address(joined: Lab) -> None:
    device = names.LAN_DEVICE
    with network_restored(joined):
        assert works(joined)
        _ip(joined, f"-4 address flush dev {device}", f"address add 192.168.1.99/24 dev {device}",
            f"route replace default via {names.ROUTER_ADDRESS} dev {device}")  # fmt: skip
        wait_for(lambda: works(joined), SECONDS, "the network from another address")
        with bait(joined) as came:
            assert reached(joined, [("tcp", "192.168.1.99", BAIT_PORT)]) == set()
            assert came.read_text() == ""
    wait_for(lambda: works(joined), SECONDS, "the network from the first address again")


def test_a_link_that_goes_and_comes(joined: Lab) -> None:
    device = names.LAN_DEVICE
    with network_restored(joined):
        _ip(joined, f"link set {device} down")
        assert not works(joined)
        _ip(joined, f"link set {device} up",
            f"route replace default via {names.ROUTER_ADDRESS} dev {device}")  # fmt: skip
        wait_for(lambda: works(joined), SECONDS, "the network after the link came back")


def test_another_gateway(joined: Lab) -> None:
    """The neighbour that carries it is another; the guest carries nothing, so nothing comes back."""
    with network_restored(joined):
        _ip(joined, f"route replace default via {names.GUEST_ADDRESS} dev {names.LAN_DEVICE}")
        assert not works(joined)
        _ip(joined, f"route replace default via {names.ROUTER_ADDRESS} dev {names.LAN_DEVICE}")
        wait_for(lambda: works(joined), SECONDS, "the network by the first gateway")


def test_started_without_a_network(bare: Lab) -> None:
    rules.apply_lethe(bare)
    bare.host.clearnet.stop()
    with network_restored(bare):
        _ip(bare, "route del default")
        bare.host.clearnet.start(joined=False)
        wait_for(lambda: bare.host.clearnet.keeper() is not None, SECONDS, "the keeper")
        assert bare.host.clearnet.pasta() is None
        _ip(bare, f"route add default via {names.ROUTER_ADDRESS} dev {names.LAN_DEVICE}")
        bare.host.clearnet.wait_joined()
        wait_for(lambda: works(bare), SECONDS, "the network that came later")
    bare.host.clearnet.stop()


# Ends ---------------------------------------------------------------------------------------------


def test_a_killed_pasta_comes_back_and_nothing_leaks(joined: Lab) -> None:
    """Meanwhile programs inside have no way out at all; they stay where they are."""
    with inhabitant(joined) as inside, Capture(joined) as capture:
        place = os.stat(f"/proc/{inside}/ns/net").st_ino
        first = joined.host.clearnet.pasta()
        assert first
        keeper = joined.host.clearnet.keeper()
        assert keeper
        os.kill(keeper.pid, signal.SIGSTOP)  # so that "meanwhile" lasts as long as it is looked at
        try:
            capture.take()
            processes.end([first], ask=False)
            wait_for(lambda: not joined.host.clearnet.joined(), SECONDS, "the device to go")
            assert set(attempts(joined, OUTSIDE).values()) <= {"ENETUNREACH"}
            own = socket.inet_aton(names.HOST_ADDRESS)
            assert [frame.data for frame in capture.take()
                    if frame.data[26:30] == own and frame.data[23] in (6, 17)
                    and frame.data[47:48] == b"\x02"] == []  # fmt: skip
        finally:
            os.kill(keeper.pid, signal.SIGCONT)
        second = joined.host.clearnet.wait_joined()
        assert second != first
        wait_for(lambda: works(joined), SECONDS, "the network by another pasta")
        assert os.stat(f"/proc/{inside}/ns/net").st_ino == place


def test_a_killed_keeper_takes_pasta_along(joined: Lab) -> None:
    keeper, pasta = joined.host.clearnet.keeper(), joined.host.clearnet.pasta()
    assert keeper and pasta
    processes.end([keeper], ask=False)
    wait_for(lambda: not processes.is_running(pasta), SECONDS, "pasta to end")
    assert set(_attempts_inside(joined)) <= {"ENETUNREACH"}
    # The next one takes the same namespace, with whoever is in it.
    before = os.stat(joined.host.clearnet.net).st_ino
    joined.host.clearnet.start()
    assert os.stat(joined.host.clearnet.net).st_ino == before
    assert works(joined)


def _attempts_inside(lab: Lab) -> list[str]:
    """As attempts(), where asking for the namespace must not start it."""
    account = names.user(names.AMNESIA)

    def body() -> list[str]:
        return [entry[3] for entry in local_clients.try_all(OUTSIDE)]

    assert account.uid
    return netns.run_in(str(lab.host.clearnet.net), body)


def test_a_pasta_that_does_not_start_is_tried_again_and_slower(bare: Lab, tmp_path: Path) -> None:
    """It fails, each time; the keeper does not spin, says so, and ends when it is asked."""
    count = bare.logs / "fails"
    count.write_text("")
    count.chmod(0o666)
    fails = bare.logs / "failing-pasta"
    fails.write_text(f"#!/bin/sh\necho x >> {count}\nexit 1\n")
    fails.chmod(0o755)
    bare.host.clearnet.stop()
    bare.host.clearnet.start(pasta=fails, joined=False)
    wait_for(lambda: count.read_text().count("x") >= 3, SECONDS, "three attempts")
    assert "started anew" in bare.host.clearnet.log.read_text()
    assert not bare.host.clearnet.joined()
    bare.host.clearnet.stop()
    assert count.read_text().count("x") < 20


def test_taken_away_and_made_again(joined: Lab) -> None:
    program = str(clearnet.program())
    assert joined.host.run([program, "make", "clearnet"]).returncode == 0  # it stays
    with open(joined.host.clearnet.net, "rb") as held:  # its number is not used again meanwhile
        joined.host.clearnet.stop()
        assert joined.host.run(["test", "-e", str(joined.host.clearnet.path)]).returncode != 0
        joined.host.clearnet.start()
        assert os.stat(joined.host.clearnet.net).st_ino != os.fstat(held.fileno()).st_ino
    for wrong in ("", "Clearnet", "../x", "a/b", "x" * 28, "1a"):
        assert joined.host.run([program, "make", wrong]).returncode == 2
    said = joined.host.run([program, "make", "nobody-here"])
    assert said.returncode == 3 and "there is no user nobody-here-net" in said.stderr


def test_what_somebody_else_mounted_is_not_taken(joined: Lab) -> None:
    """A namespace at that place that is not clearnet-net's, as the host's own is."""
    path = str(joined.host.clearnet.path)
    joined.host.clearnet.stop()
    joined.host.run(["sh", "-c", f"touch {path} && mount --bind /proc/self/ns/net {path}"], check=True)
    try:
        said = joined.host.run([str(clearnet.program()), "make", "clearnet"])
        assert said.returncode == 3 and "exists" in said.stderr
        kept = joined.host.run([str(clearnet.program()), "keep", "clearnet"], user=names.CLEARNET_NET)
        assert kept.returncode == 3
    finally:
        joined.host.run([str(clearnet.program()), "remove", "clearnet"], check=True)
