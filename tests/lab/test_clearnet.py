# SPDX-License-Identifier: GPL-3.0-or-later
"""The clearnet namespace: what programs inside reach and what they do not, and who gets in. How it lives is
in test_clearnet_life.py, the door that starts programs there in test_clearnet_door.py."""

from __future__ import annotations

import ctypes
import fcntl
import os
import select
import socket
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from labkit import client, clearnet, kernel, names, netns, rules
from labkit.capture import Capture
from labkit.inside import (BAIT_PORT, INSIDE, OUTSIDE, OWN4, OWN6, SECONDS, SERVICES, as_errno, attempts,
                           bait, inhabitant, reached)
from labkit.lab import Lab
from labkit.wait import wait_for

CLONE_NEWUSER = 0x10000000
PTRACE_ATTACH = 16

# What is reached ----------------------------------------------------------------------------------


def test_the_network_is_reached(joined: Lab) -> None:
    assert reached(joined, OUTSIDE) == set(OUTSIDE)
    body = joined.host.call(client.http_get, names.WEB_ADDRESS, user=names.AMNESIA, namespace=INSIDE)
    assert body == f"{names.WEB_BODY_START}{names.ROUTER_PUBLIC}\n"
    address = joined.host.call(client.resolve, names.WEB_NAME, names.LAN_RESOLVER, user=names.AMNESIA,
                               namespace=INSIDE)
    assert names.WEB_ADDRESS in address
    # From the host the same user has none of this but the LAN's services.
    assert ("tcp", names.WEB_ADDRESS, names.HTTP_PORT) not in reached(joined, OUTSIDE, namespace="host")


@pytest.mark.parametrize("ruleset", ("none", "lethe"))
def test_no_service_of_the_host_is_reached(joined: Lab, ruleset: str) -> None:
    """With the filter and without: the namespace alone leads to none of them."""
    rules.apply(joined, ruleset)
    with bait(joined) as came:
        assert reached(joined, SERVICES) == set()
        assert came.read_text() == ""


def test_the_services_are_there(bare: Lab) -> None:
    """The anti-test: from the host itself, without rules, the same attempts reach them."""
    with bait(bare) as came:
        found = reached(bare, SERVICES, namespace="host", user=names.ROOT)
        for address in ("127.0.0.1", names.HOST_ADDRESS, *OWN6[:1]):
            assert {("tcp", address, BAIT_PORT), ("udp", address, BAIT_PORT)} <= found
        # (A datagram to the second address is answered from the first.)
        assert ("tcp", names.HOST_ADDRESS_SECOND, BAIT_PORT) in found
        for port in (names.TOR_SOCKS_PORT, names.TOR_TRANS_PORT):
            assert ("tcp", "127.0.0.1", port) in found
        assert ("udp", "127.0.0.1", names.DNS_PORT) in found
        assert "SOCK_STREAM" in came.read_text() and "SOCK_DGRAM" in came.read_text()


def _forget_routes(lab: Lab) -> None:
    """Take the first wall away: what root can do inside, and nobody else."""
    text = subprocess.run(["nsenter", f"--net={lab.host.clearnet.net}", "ip", "route"],
                          capture_output=True, text=True, check=True).stdout
    hidden = [line for line in text.splitlines() if line.startswith("unreachable")]
    assert len(hidden) >= 2, text
    for line in hidden:
        subprocess.run(["nsenter", f"--net={lab.host.clearnet.net}", "ip", "route", "del",
                        "unreachable", line.split()[1]], check=True)  # fmt: skip


@pytest.mark.parametrize("ruleset", ("none", "lethe"))
def test_each_wall_holds_alone(joined: Lab, ruleset: str) -> None:
    """Without the routes that hide the host's addresses, the filter lets nobody through; without both,
    the host is reached: so the routes are a wall, too, and the test sees a hole."""
    rules.apply(joined, ruleset)
    _forget_routes(joined)
    own = [(protocol, address, BAIT_PORT) for protocol in ("tcp", "udp")
           for address in (names.HOST_ADDRESS, names.HOST_ADDRESS_SECOND)]
    with bait(joined) as came:
        # pasta answers for a connection before it knows; what counts is who came.
        attempts(joined, own)
        if ruleset == "none":
            wait_for(lambda: "SOCK_STREAM" in came.read_text() and "SOCK_DGRAM" in came.read_text(),
                     SECONDS, "somebody to come")
        else:
            assert came.read_text() == ""


def test_a_new_address_of_the_host_is_hidden(joined: Lab) -> None:
    fresh = "192.168.1.77"
    rules.clear(joined)
    device = ["dev", names.LAN_DEVICE]
    hides = lambda: fresh in subprocess.run(  # noqa: E731
        ["nsenter", f"--net={joined.host.clearnet.net}", "ip", "route"],
        capture_output=True, text=True, check=True).stdout  # fmt: skip
    assert not hides()
    joined.host.run(["ip", "address", "add", f"{fresh}/24", *device], check=True)
    try:
        wait_for(hides, SECONDS, "the new address to be hidden")
        with bait(joined) as came:
            assert reached(joined, [("tcp", fresh, BAIT_PORT), ("udp", fresh, BAIT_PORT)]) == set()
            assert came.read_text() == ""
    finally:
        joined.host.run(["ip", "address", "del", f"{fresh}/24", *device], check=True)
    # It may be another host's now.
    wait_for(lambda: not hides(), SECONDS, "the address to be ordinary again")


@pytest.fixture
def other(joined: Lab) -> Iterator[clearnet.Namespace]:
    """A second namespace, of another user."""
    user = names.User("other-net", 64050, 64050, "/nonexistent", "/usr/sbin/nologin")
    line = f"{user.name}:x:{user.uid}:{user.gid}::{user.home}:{user.shell}"
    names.USERS[user.name] = user
    joined.host.run(["sh", "-c", f"echo '{line}' >> /etc/passwd"], check=True)
    joined.host.home(user.name).mkdir(exist_ok=True)
    made = clearnet.Namespace(joined, "other")
    made.start()
    yield made
    made.stop()
    joined.host.run(["sed", "-i", f"/^{user.name}:/d", "/etc/passwd"], check=True)
    del names.USERS[user.name]


def test_no_other_namespace_is_reached(joined: Lab, other: clearnet.Namespace) -> None:
    """Both have the same address inside, and each is only itself."""
    rules.clear(joined)
    with netns.run_in(str(other.net), socket.create_server, ("0.0.0.0", BAIT_PORT)) as server:
        targets = [("tcp", address, BAIT_PORT) for address in OWN4]
        assert reached(joined, targets) == set()
        assert select.select([server], [], [], 0)[0] == []
        # There it is.
        netns.run_in(str(other.net), socket.create_connection, ("127.0.0.1", BAIT_PORT), 5).close()
    identity = {os.stat(place).st_ino for place in (other.net, joined.host.clearnet.net)}
    assert len(identity) == 2


# Protocols ----------------------------------------------------------------------------------------


def _ping() -> None:
    client.ping(names.WEB_ADDRESS, 3.0)


def _raw() -> None:
    socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP).close()


def _packet() -> None:
    socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0).close()


def _connect6() -> None:
    socket.create_connection((names.WEB_ADDRESS6, 80), 5).close()


def _device() -> None:
    descriptor = os.open("/dev/net/tun", os.O_RDWR)
    try:
        fcntl.ioctl(descriptor, 0x400454CA, struct.pack("16sH14x", b"mine", 0x1001))
    finally:
        os.close(descriptor)


def test_neither_icmp_nor_ipv6_nor_frames(joined: Lab) -> None:
    """As the policy grants it to the namespace's user: TCP and UDP. Even without the filter."""
    rules.clear(joined)
    with Capture(joined) as capture:
        for attempt, expected in ((_ping, {"EACCES", "EPERM"}), (_raw, {"EPERM"}),
                                  (_packet, {"EPERM"}), (_device, {"EPERM"}),
                                  (_connect6, {"ENETUNREACH", "EADDRNOTAVAIL"})):
            said = joined.host.call(as_errno, attempt, user=names.AMNESIA, namespace=INSIDE)
            assert said in expected, attempt.__name__
    assert [frame.data for frame in capture.stop() if _is_other(frame.data)] == []
    # The anti-test: root's ping and IPv6 from the host are seen.
    with Capture(joined) as capture:
        joined.host.call(client.ping, names.WEB_ADDRESS)
        joined.host.call(_connect6)
    kinds = {_kind(frame.data) for frame in capture.stop() if _is_other(frame.data)}
    assert {"icmp", "ipv6"} <= kinds


def _kind(frame: bytes) -> str:
    ethertype = int.from_bytes(frame[12:14], "big")
    if ethertype == 0x0800:
        return {1: "icmp", 6: "tcp", 17: "udp"}.get(frame[23], "other")
    return {0x86DD: "ipv6", 0x0806: "arp"}.get(ethertype, "other")


def _is_other(frame: bytes) -> bool:
    """Of the host, and neither TCP nor UDP nor address resolution."""
    own = frame[6:12] == bytes.fromhex(names.HOST_MAC.replace(":", ""))
    return own and _kind(frame) not in ("tcp", "udp", "arp")


def test_without_udp(joined: Lab) -> None:
    """For namespaces whose user has no grant of it: it is not even asked for."""
    joined.host.clearnet.stop()
    joined.host.clearnet.start("--tcp-only")
    assert reached(joined, OUTSIDE) == {target for target in OUTSIDE if target[0] == "tcp"}


# Getting in ---------------------------------------------------------------------------------------


def _enter_by(path: str, kind: int) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    kernel.setns(descriptor, kind)


def _enter_with_rights_of_ones_own(path: str) -> None:
    """As root of a user namespace of one's own, which everybody can be."""
    descriptor = os.open(path, os.O_RDONLY)
    kernel.unshare(CLONE_NEWUSER)
    kernel.setns(descriptor, kernel.CLONE_NEWNET)


def _trace(pid: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.ptrace(PTRACE_ATTACH, pid, None, None) != 0:
        raise OSError(ctypes.get_errno(), "ptrace")


def _take_socket(pid: int) -> None:
    """Descriptors of that process, one after the other."""
    for number in range(64):
        try:
            os.close(kernel.copy_descriptor(pid, number))
            return
        except OSError as error:
            last = error
    raise last


def _ways_in(lab: Lab, inside: int) -> dict[str, tuple]:
    keeper, pasta = lab.host.clearnet.keeper(), lab.host.clearnet.pasta()
    assert keeper and pasta
    path = str(lab.host.clearnet.path)
    ways: dict[str, tuple] = {
        "the mounted name": (_enter_by, path, kernel.CLONE_NEWNET),
        "the mounted name, with rights of one's own": (_enter_with_rights_of_ones_own, path),
        "a program inside": (_enter_by, f"/proc/{inside}/ns/net", kernel.CLONE_NEWNET),
        "a program inside, with rights of one's own":
            (_enter_with_rights_of_ones_own, f"/proc/{inside}/ns/net"),
        "pasta's user namespace": (_enter_by, f"/proc/{pasta.pid}/ns/user", CLONE_NEWUSER),
        "the user namespace, of the keeper":
            (_enter_by, f"/proc/{keeper.pid}/fd/{_user_descriptor(keeper.pid)}", CLONE_NEWUSER),
        "tracing pasta": (_trace, pasta.pid),
        "tracing the keeper": (_trace, keeper.pid),
        "pasta's sockets": (_take_socket, pasta.pid),
    }
    return ways


def _user_descriptor(pid: int) -> int:
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        if os.readlink(entry).startswith("user:"):
            return int(entry.name)
    raise AssertionError("the keeper holds no user namespace")


def test_malware_of_the_session_does_not_get_in(joined: Lab) -> None:
    with inhabitant(joined) as inside:
        for name, (function, *arguments) in _ways_in(joined, inside).items():
            said = joined.host.call(as_errno, function, *arguments, user=names.AMNESIA)
            assert said in ("EPERM", "EACCES"), f"by {name}: {said or 'it got in'}"


def test_root_would_get_in(joined: Lab) -> None:
    """The anti-test: the ways lead there, for whoever has the right."""
    with inhabitant(joined) as inside:
        for name, (function, *arguments) in _ways_in(joined, inside).items():
            if "of one's own" in name or "trac" in name:
                continue  # rights of one's own are no rights there; a traced pasta would stand still
            assert joined.host.call(as_errno, function, *arguments) == "", name


def _sockets_of(lab: Lab, uid: int) -> list[str]:
    """Ports that anybody on the host could connect to."""
    found = []
    for kind, state in (("tcp", "0A"), ("tcp6", "0A"), ("udp", "07"), ("udp6", "07")):
        text = netns.run_in(lab.ns(names.HOST), Path(f"/proc/thread-self/net/{kind}").read_text)
        for line in text.splitlines()[1:]:
            words = line.split()
            if words[3] == state and int(words[7]) == uid:
                found.append(f"{kind} {words[1]}")
    return found


def test_pasta_listens_nowhere(joined: Lab) -> None:
    """So there is no port of it that leads in. (Its datagrams' sockets are connected.)"""
    uid = names.user(names.CLEARNET_NET).uid
    reached(joined, OUTSIDE)
    assert [port for port in _sockets_of(joined, uid) if port.startswith("tcp")] == []
    with joined.host.popen(["/usr/bin/python3", "-c", "import socket, time\n"
                            "s = socket.create_server(('127.0.0.1', 20009))\n"
                            "print('ready', flush=True)\ntime.sleep(1000)"],
                           user=names.CLEARNET_NET, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout and process.stdout.readline() == b"ready\n"
            assert _sockets_of(joined, uid) != []  # the anti-test
        finally:
            process.kill()
    # Inside, a program listens; from the host nobody comes.
    rules.clear(joined)
    path = str(joined.host.clearnet.net)
    with netns.run_in(path, socket.create_server, ("0.0.0.0", BAIT_PORT)):
        # Its address is nobody's here: the way there leads to the Internet.
        targets = [("tcp", address, BAIT_PORT) for address in OWN4
                   if address != clearnet.INSIDE_ADDRESS]
        assert reached(joined, targets, namespace="host") == set()


def _connect_abstract(name: str) -> None:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(f"\0{name}")


def test_abstract_sockets_end_at_the_namespace(joined: Lab) -> None:
    for here, there in (("host", INSIDE), (INSIDE, "host")):
        place = joined.ns(names.HOST) if here == "host" else str(joined.host.clearnet.net)
        with netns.run_in(place, socket.socket, socket.AF_UNIX) as server:
            server.bind("\0lethe-test-session")
            server.listen()
            said = {space: joined.host.call(as_errno, _connect_abstract, "lethe-test-session",
                                            user=names.AMNESIA, namespace=space)
                    for space in (here, there)}
            assert said == {here: "", there: "ECONNREFUSED"}


# Rights -------------------------------------------------------------------------------------------


def _status(pid: int) -> dict[str, str]:
    text = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)


def test_nobody_has_a_right_on_the_host(joined: Lab) -> None:
    keeper, pasta = joined.host.clearnet.keeper(), joined.host.clearnet.pasta()
    assert keeper and pasta
    uid = str(names.user(names.CLEARNET_NET).uid)
    for process in (keeper, pasta):
        assert set(_status(process.pid)["Uid"].split()) == {uid}
        assert _status(process.pid)["NoNewPrivs"] == "1"
    for kind in ("CapPrm", "CapEff", "CapInh", "CapAmb"):
        assert int(_status(keeper.pid)[kind], 16) == 0, kind
    # pasta's are of the namespace's own user namespace: on the host they are none.
    ours, theirs = (os.stat(f"/proc/{pid}/ns/user").st_ino for pid in ("self", pasta.pid))
    assert ours != theirs
    # It brings its device first and shuts itself in then: our filter, and its own.
    wait_for(lambda: _status(pasta.pid)["Seccomp_filters"] == "2", SECONDS, "pasta's own filter")


def test_programs_inside_have_no_right_over_it(joined: Lab) -> None:
    for words in (["ip", "link", "set", "lo", "down"], ["ip", "route", "del", "default"],
                  ["ip", "route", "add", names.HOST_ADDRESS, "via", clearnet.INSIDE_GATEWAY],
                  ["sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"], ["nft", "list", "ruleset"]):
        said = joined.host.run(words, user=names.AMNESIA, namespace=INSIDE)
        assert said.returncode != 0, words
    state = joined.host.run(["ip", "-brief", "link"], user=names.AMNESIA, namespace=INSIDE).stdout
    assert sorted(line.split()[0] for line in state.splitlines()) == ["lo", clearnet.DEVICE]


def test_the_keeper_does_not_run_as_root(joined: Lab) -> None:
    said = joined.host.run([str(clearnet.program()), "keep", "clearnet"])
    assert said.returncode == 3 and "not as root" in said.stderr


@pytest.mark.parametrize("user", (names.AMNESIA, names.CLEARNET, names.CLEARNET_NET))
def test_only_root_makes_and_removes(joined: Lab, user: str) -> None:
    said = joined.host.run([str(clearnet.program()), "remove", "clearnet"], user=user)
    assert said.returncode == 3, said.stderr
    joined.host.run(["sh", "-c", "echo 'fresh-net:x:64051:64051::/:/bin/false' >> /etc/passwd"],
                    check=True)
    try:
        said = joined.host.run([str(clearnet.program()), "make", "fresh"], user=user)
        assert said.returncode == 3, said.stderr
    finally:
        joined.host.run(["sed", "-i", "/^fresh-net:/d", "/etc/passwd"], check=True)
    assert joined.host.clearnet.joined()


def test_another_users_namespace_is_not_taken(joined: Lab) -> None:
    said = joined.host.run([str(clearnet.program()), "keep", "clearnet"], user=names.CLEARNET)
    assert said.returncode == 3 and "Operation not permitted" in said.stderr
