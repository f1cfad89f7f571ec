# SPDX-License-Identifier: GPL-3.0-or-later
"""The clearnet namespace: what programs inside reach and what they do not, who gets in, and what is seen of
it on the wire. The door that starts programs there is tried in test_clearnet_door.py."""

from __future__ import annotations

import ctypes
import errno
import os
import select
import signal
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from labkit import client, clearnet, kernel, local_clients, names, netns, processes, rules
from labkit.capture import Capture
from labkit.lab import Lab
from labkit.wait import wait_for

SECONDS = 60.0
BAIT_PORT = 20002
INSIDE = "clearnet"
CLONE_NEWUSER = 0x10000000
PTRACE_ATTACH = 16
HOST_LINES = ("ipv4/ip_forward", "ipv6/conf/all/forwarding")

# Every address of the host under test, what stands for it inside, and what its Tor maps names to.
OWN4 = ("127.0.0.1", "127.1.2.3", "0.0.0.0", names.HOST_ADDRESS, names.HOST_ADDRESS_SECOND,
        clearnet.INSIDE_ADDRESS, "127.192.5.7", "127.255.255.254")
OWN6 = ("::1", names.HOST_ULA, names.HOST_GLOBAL)
TCP_PORTS = (names.TOR_SOCKS_PORT, names.TOR_SOCKS_SYSTEM_PORT, names.TOR_SOCKS_DOWNLOAD_PORT,
             names.TOR_SOCKS_BROWSER_PORT, names.TOR_TRANS_PORT, 9051, 9052, BAIT_PORT)
UDP_PORTS = (names.DNS_PORT, BAIT_PORT)
SERVICES = [(protocol, address, port) for address in OWN4 + OWN6
            for protocol, ports in (("tcp", TCP_PORTS), ("udp", UDP_PORTS)) for port in ports]
OUTSIDE = [("tcp", names.WEB_ADDRESS, names.HTTP_PORT), ("tcp", names.PRINTER_ADDRESS, 9100),
           ("tcp", names.WEB_ADDRESS, 12345), ("udp", names.PUBLIC_RESOLVERS[0], names.DNS_PORT),
           ("udp", names.LAN_RESOLVER, names.DNS_PORT), ("udp", names.ECHO_ADDRESS, 7)]


# What programs do ---------------------------------------------------------------------------------


def _bait(log: int) -> None:
    """A service on every address of the host, TCP and UDP. Who comes is written to @log."""
    servers = []
    for family, address in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            server = socket.socket(family, kind)
            if family == socket.AF_INET6:
                server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            server.bind((address, BAIT_PORT))
            if kind == socket.SOCK_STREAM:
                server.listen(64)
            servers.append(server)
    os.write(log, b"ready\n")
    while True:
        for server in select.select(servers, [], [])[0]:
            if server.type == socket.SOCK_STREAM:
                connection, peer = server.accept()
                connection.close()
            else:
                peer = server.recvfrom(2048)[1]
                server.sendto(b"bait", peer)
            os.write(log, f"{server.type.name} {peer[0]}\n".encode())


@contextmanager
def bait(lab: Lab) -> Iterator[Path]:
    """The file of who came to it."""
    path = lab.logs / "bait"
    path.write_bytes(b"")
    log = os.open(path, os.O_WRONLY | os.O_APPEND)
    pid = os.fork()
    if pid == 0:
        try:
            handle = os.open(netns.path(lab.ns(names.HOST)), os.O_RDONLY)
            kernel.setns(handle, kernel.CLONE_NEWNET)
            _bait(log)
        finally:
            os._exit(1)
    os.close(log)
    try:
        wait_for(lambda: b"ready" in path.read_bytes(), SECONDS, "the bait")
        path.write_bytes(b"")
        yield path
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def _attempts(lab: Lab, targets: list[tuple[str, str, int]],
              namespace: str = INSIDE, user: str = names.AMNESIA) -> dict[tuple, str]:
    found = lab.host.call(local_clients.try_all, targets, user=user, namespace=namespace)
    return {tuple(entry[:3]): entry[3] for entry in found}


def _reached(lab: Lab, targets: list[tuple[str, str, int]], **where: Any) -> set[tuple]:
    outcomes = _attempts(lab, targets, **where)
    assert len(outcomes) == len(targets)
    return {target for target, outcome in outcomes.items() if outcome == local_clients.REACHED}


def _as_errno(function, *arguments) -> str:
    """How it fails; "" if it does not."""
    try:
        function(*arguments)
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, str(error))
    return ""


@pytest.fixture
def joined(bare: Lab) -> Iterator[Lab]:
    """The laboratory with Lethe's rules and a namespace that has just been made."""
    rules.apply_lethe(bare)
    bare.host.clearnet.stop()
    bare.host.clearnet.start()
    yield bare
    bare.host.clearnet.stop()


# What is reached ----------------------------------------------------------------------------------


def test_the_network_is_reached(joined: Lab) -> None:
    assert _reached(joined, OUTSIDE) == set(OUTSIDE)
    body = joined.host.call(client.http_get, names.WEB_ADDRESS, user=names.AMNESIA, namespace=INSIDE)
    assert body == f"{names.WEB_BODY_START}{names.ROUTER_PUBLIC}\n"
    address = joined.host.call(client.resolve, names.WEB_NAME, names.LAN_RESOLVER, user=names.AMNESIA,
                               namespace=INSIDE)
    assert names.WEB_ADDRESS in address
    # From the host the same user has none of this but the LAN's services.
    assert ("tcp", names.WEB_ADDRESS, names.HTTP_PORT) not in _reached(joined, OUTSIDE, namespace="host")


@pytest.mark.parametrize("ruleset", ("none", "lethe"))
def test_no_service_of_the_host_is_reached(joined: Lab, ruleset: str) -> None:
    """With the filter and without: the namespace alone leads to none of them."""
    rules.apply(joined, ruleset)
    with bait(joined) as came:
        assert _reached(joined, SERVICES) == set()
        assert came.read_text() == ""


def test_the_services_are_there(bare: Lab) -> None:
    """The anti-test: from the host itself, without rules, the same attempts reach them."""
    with bait(bare) as came:
        reached = _reached(bare, SERVICES, namespace="host", user=names.ROOT)
        for address in ("127.0.0.1", names.HOST_ADDRESS, *OWN6[:1]):
            assert {("tcp", address, BAIT_PORT), ("udp", address, BAIT_PORT)} <= reached
        # (A datagram to the second address is answered from the first.)
        assert ("tcp", names.HOST_ADDRESS_SECOND, BAIT_PORT) in reached
        for port in (names.TOR_SOCKS_PORT, names.TOR_TRANS_PORT):
            assert ("tcp", "127.0.0.1", port) in reached
        assert ("udp", "127.0.0.1", names.DNS_PORT) in reached
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
        _attempts(joined, own)
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
            assert _reached(joined, [("tcp", fresh, BAIT_PORT), ("udp", fresh, BAIT_PORT)]) == set()
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
        assert _reached(joined, targets) == set()
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
        import fcntl
        fcntl.ioctl(descriptor, 0x400454CA, struct.pack("16sH14x", b"mine", 0x1001))
    finally:
        os.close(descriptor)


def test_neither_icmp_nor_ipv6_nor_frames(joined: Lab) -> None:
    """As the policy grants it to the namespace's user: TCP and UDP. Even without the filter."""
    import fcntl  # noqa: F401 - for _device(): nothing is imported later
    rules.clear(joined)
    with Capture(joined) as capture:
        for attempt, expected in ((_ping, {"EACCES", "EPERM"}), (_raw, {"EPERM"}),
                                  (_packet, {"EPERM"}), (_device, {"EPERM"}),
                                  (_connect6, {"ENETUNREACH", "EADDRNOTAVAIL"})):
            said = joined.host.call(_as_errno, attempt, user=names.AMNESIA, namespace=INSIDE)
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


@contextmanager
def inhabitant(lab: Lab) -> Iterator[int]:
    """A program inside, as the door starts them: by amnesia, without any right."""
    with lab.host.popen(["setpriv", "--no-new-privs", "--", "sleep", "infinity"],
                        user=names.AMNESIA, namespace=INSIDE) as process:
        try:
            wait_for(lambda: b"sleep" in Path(f"/proc/{process.pid}/cmdline").read_bytes()[:5],
                     SECONDS, "a program inside")
            yield process.pid
        finally:
            process.kill()


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
            said = joined.host.call(_as_errno, function, *arguments, user=names.AMNESIA)
            assert said in ("EPERM", "EACCES"), f"by {name}: {said or 'it got in'}"


def test_root_would_get_in(joined: Lab) -> None:
    """The anti-test: the ways lead there, for whoever has the right."""
    with inhabitant(joined) as inside:
        for name, (function, *arguments) in _ways_in(joined, inside).items():
            if "of one's own" in name or "trac" in name:
                continue  # rights of one's own are no rights there; a traced pasta would stand still
            assert joined.host.call(_as_errno, function, *arguments) == "", name


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
    _reached(joined, OUTSIDE)
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
        assert _reached(joined, targets, namespace="host") == set()


def _connect_abstract(name: str) -> None:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(f"\0{name}")


def test_abstract_sockets_end_at_the_namespace(joined: Lab) -> None:
    for here, there in (("host", INSIDE), (INSIDE, "host")):
        place = joined.ns(names.HOST) if here == "host" else str(joined.host.clearnet.net)
        with netns.run_in(place, socket.socket, socket.AF_UNIX) as server:
            server.bind("\0lethe-test-session")
            server.listen()
            said = {space: joined.host.call(_as_errno, _connect_abstract, "lethe-test-session",
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
    assert _reached(bare, OUTSIDE) == set(OUTSIDE)
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
        assert _reached(lab, [("tcp", names.WEB_ADDRESS, names.HTTP_PORT)], user=user,
                        namespace=namespace)
        assert _reached(lab, [("udp", names.ECHO_ADDRESS, 7)], user=user, namespace=namespace)
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


def _works(lab: Lab) -> bool:
    wanted = [("tcp", names.WEB_ADDRESS, names.HTTP_PORT), ("udp", names.ECHO_ADDRESS, 7)]
    return _reached(lab, wanted) == set(wanted)


def _ip(lab: Lab, *lines: str) -> None:
    for line in lines:
        lab.host.run(["ip", *line.split()], check=True)


@contextmanager
def network_restored(lab: Lab) -> Iterator[None]:
    saved = lab.host.run(["ip", "-j", "route", "show", "default"], check=True).stdout
    assert names.ROUTER_ADDRESS in saved
    yield
    device = names.LAN_DEVICE
    _ip(lab, f"link set {device} up", f"-4 address flush dev {device}",
        f"address add {names.HOST_ADDRESS}/24 dev {device}",
        f"address add {names.HOST_ADDRESS_SECOND}/24 dev {device}",
        f"route replace default via {names.ROUTER_ADDRESS} dev {device}")  # fmt: skip


def test_a_changed_address(joined: Lab) -> None:
    device = names.LAN_DEVICE
    with network_restored(joined):
        assert _works(joined)
        _ip(joined, f"-4 address flush dev {device}", f"address add 192.168.1.99/24 dev {device}",
            f"route replace default via {names.ROUTER_ADDRESS} dev {device}")  # fmt: skip
        wait_for(lambda: _works(joined), SECONDS, "the network from another address")
        with bait(joined) as came:
            assert _reached(joined, [("tcp", "192.168.1.99", BAIT_PORT)]) == set()
            assert came.read_text() == ""
    wait_for(lambda: _works(joined), SECONDS, "the network from the first address again")


def test_a_link_that_goes_and_comes(joined: Lab) -> None:
    device = names.LAN_DEVICE
    with network_restored(joined):
        _ip(joined, f"link set {device} down")
        assert not _works(joined)
        _ip(joined, f"link set {device} up",
            f"route replace default via {names.ROUTER_ADDRESS} dev {device}")  # fmt: skip
        wait_for(lambda: _works(joined), SECONDS, "the network after the link came back")


def test_another_gateway(joined: Lab) -> None:
    """The neighbour that carries it is another; the guest carries nothing, so nothing comes back."""
    with network_restored(joined):
        _ip(joined, f"route replace default via {names.GUEST_ADDRESS} dev {names.LAN_DEVICE}")
        assert not _works(joined)
        _ip(joined, f"route replace default via {names.ROUTER_ADDRESS} dev {names.LAN_DEVICE}")
        wait_for(lambda: _works(joined), SECONDS, "the network by the first gateway")


def test_started_without_a_network(bare: Lab) -> None:
    rules.apply_lethe(bare)
    bare.host.clearnet.stop()
    with network_restored(bare):
        _ip(bare, "route del default")
        bare.host.clearnet.start(joined=False)
        time.sleep(0)  # the keeper may not have looked yet; what follows waits for a state
        wait_for(lambda: bare.host.clearnet.keeper() is not None, SECONDS, "the keeper")
        assert bare.host.clearnet.pasta() is None
        _ip(bare, f"route add default via {names.ROUTER_ADDRESS} dev {names.LAN_DEVICE}")
        bare.host.clearnet.wait_joined()
        wait_for(lambda: _works(bare), SECONDS, "the network that came later")
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
            assert set(_attempts(joined, OUTSIDE).values()) <= {"ENETUNREACH"}
            own = socket.inet_aton(names.HOST_ADDRESS)
            assert [frame.data for frame in capture.take()
                    if frame.data[26:30] == own and frame.data[23] in (6, 17)
                    and frame.data[47:48] == b"\x02"] == []  # fmt: skip
        finally:
            os.kill(keeper.pid, signal.SIGCONT)
        second = joined.host.clearnet.wait_joined()
        assert second != first
        wait_for(lambda: _works(joined), SECONDS, "the network by another pasta")
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
    assert _works(joined)


def _attempts_inside(lab: Lab) -> list[str]:
    """As _attempts(), where asking for the namespace must not start it."""
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
