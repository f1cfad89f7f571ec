# SPDX-License-Identifier: GPL-3.0-or-later
"""Pluggable transports: the real lethe-transport, obfs4proxy and snowflake-client, between the Tor
that the image ships and the lab's bridge, under the policy that is shipped."""

from __future__ import annotations

import ipaddress
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import lab_name, say
from labkit import client, fronts, judge, kernel, local_clients, names, netns, rules, torcontrol
from labkit.capture import Capture
from labkit.lab import Lab
from labkit.promise import USERS
from labkit.transport import Lease, Tor, Unit, has_ended, refused
from labkit.wait import wait_for

SECONDS = 120.0
BRIDGE = names.PUBLIC_NODES[names.BRIDGE]
EXIT_BODIES = {f"{names.WEB_BODY_START}{names.PUBLIC_NODES[node]}\n" for node in names.EXITS}
TCP, UDP = 6, 17


@pytest.fixture(scope="module")
def house() -> Iterator[Lab]:
    """A laboratory whose host has no Tor of the lab's: the ports are for the one of the image."""
    laboratory = Lab(lab_name("-transport"), progress=say)
    laboratory.up()
    try:
        own = laboratory.registry.find("tor-host")
        assert own
        laboratory.registry.stop([own])
        yield laboratory
    finally:
        laboratory.down()


@pytest.fixture
def home(house: Lab) -> Iterator[Lab]:
    """Under the shipped policy, with the namespaces of both kinds of transports."""
    rules.apply(house, "lethe")
    house.host.start_namespace("bridges")
    house.host.start_namespace("fronts")
    yield house
    rules.clear(house)


@pytest.fixture
def tor(home: Lab) -> Iterator[Tor]:
    shipped = Tor(home)
    shipped.start()
    yield shipped
    shipped.stop()


@pytest.fixture
def obfs4(home: Lab) -> Iterator[Unit]:
    with Unit(home, "obfs4") as unit:
        yield unit


def reached(home: Lab, port: int, user: str, namespace: str = "host") -> bool:
    """Does somebody listen there for this user?"""
    found = home.host.call(local_clients.try_all, [("tcp", "127.0.0.1", port)], user=user,
                           namespace=namespace)
    return found[0][3] == local_clients.REACHED


def sent(capture: Capture) -> set[tuple[int, str, int]]:
    """What the host sent by IP: protocol, address, port."""
    found = set()
    for frame in capture.stop():
        packet = judge.parse(frame.data)
        if frame.incoming and packet.ethertype == 0x0800:
            found.add((packet.protocol, str(ipaddress.ip_address(packet.destination)),
                       packet.destination_port))
    return found


def owners(home: Lab, address: str) -> set[str]:
    """Whose sockets on the host are connected there."""
    said = home.host.run(["ss", "-Htne", "state", "established", "dst", address], check=True).stdout
    ids = {word.removeprefix("uid:") for word in said.split() if word.startswith("uid:")}
    known = {str(names.user(user).uid): user for user in names.USERS}
    return {known.get(uid, uid) for uid in ids}


def bridge_line(home: Lab) -> str:
    return wait_for(home.tor._try_bridge_line, SECONDS, "the bridge's line")


def fingerprint(home: Lab) -> str:
    return bridge_line(home).split()[2]


# ---- Tor as it is shipped ------------------------------------------------------------------------


def listeners(tor: Tor, kind: str) -> str:
    with tor.control() as control:
        return control.info(f"net/listeners/{kind}")


def test_tor_connects_to_nobody_until_it_is_told_to(home: Lab, tor: Tor) -> None:
    with Capture(home) as capture:
        assert tor.command("GETCONF DisableNetwork") == ["DisableNetwork=1"]
        assert listeners(tor, "socks") == listeners(tor, "dns") == listeners(tor, "trans") == ""
        assert not reached(home, names.TOR_SOCKS_PORT, names.AMNESIA)
        assert sent(capture) == set()


def test_ports_open_and_close_as_often_as_it_is_told(home: Lab, tor: Tor) -> None:
    """A low one and a transparent one, too: it runs as debian-tor from the start, and keeps what it
    needs for that."""
    for _ in range(2):
        tor.command("SETCONF DisableNetwork=0")
        assert listeners(tor, "dns") == f'"127.0.0.1:{names.DNS_PORT}"'
        assert listeners(tor, "trans") == f'"127.0.0.1:{names.TOR_TRANS_PORT}"'
        assert listeners(tor, "socks").count('"') == 8
        assert reached(home, names.TOR_SOCKS_PORT, names.AMNESIA)
        tor.command("SETCONF DisableNetwork=1")
        assert listeners(tor, "dns") == ""
    status = Path(f"/proc/{tor.process.pid}/status").read_text(encoding="ascii")
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert fields["Name"] == "tor" and fields["Seccomp"] == "2"
    assert fields["Uid"].split() == [str(names.user(names.DEBIAN_TOR).uid)] * 4
    assert int(fields["CapEff"], 16) == int(fields["CapBnd"], 16) == 1 << 10 | 1 << 13


def test_what_tors_own_sandbox_lets_be_set(home: Lab, tor: Tor) -> None:
    bridge = bridge_line(home)
    plugin = f'ClientTransportPlugin="obfs4 socks5 127.0.0.1:{names.TRANSPORT_OBFS4_PORT}"'
    proxy = f"Socks5Proxy={names.PRINTER_ADDRESS}:1080"
    tor.command(f'SETCONF {plugin} Bridge="{bridge}" UseBridges=1')
    assert tor.command("GETCONF Bridge") == [f"Bridge={bridge}"]
    # Not both: that is why torrc names no transport.
    with pytest.raises(torcontrol.ControlError, match="513"):
        tor.command(f"SETCONF {proxy}")
    tor.command("RESETCONF Bridge UseBridges ClientTransportPlugin")
    tor.command(f"SETCONF {proxy}")
    tor.command("RESETCONF Socks5Proxy")
    # And Tor starts no program.
    with pytest.raises(torcontrol.ControlError, match="513"):
        tor.command('SETCONF ClientTransportPlugin="obfs4 exec /usr/bin/obfs4proxy"')


# ---- obfs4 ---------------------------------------------------------------------------------------


def test_obfs4_connects_and_the_wire_shows_the_bridge_alone(home: Lab, tor: Tor,
                                                            obfs4: Unit) -> None:
    with Capture(home) as capture:
        lease = obfs4.borrow()
        tor.use_bridge(bridge_line(home))
        tor.await_bootstrap()
        body = home.host.call(client.socks_get, names.WEB_NAME, user=names.AMNESIA, timeout=SECONDS)
        assert body in EXIT_BODIES
        assert owners(home, BRIDGE) == {names.BRIDGES_NET}
        assert sent(capture) == {(TCP, BRIDGE, names.BRIDGE_OBFS4_PORT)}
    lease.close()
    assert obfs4.ended() == 0


def test_without_a_bridge_the_wire_shows_relays(home: Lab, tor: Tor) -> None:
    """The anti-test of the capture, and of whose sockets they are."""
    with Capture(home) as capture:
        tor.command("SETCONF DisableNetwork=0")
        tor.await_bootstrap()
        abroad = {address for _, address, _ in sent(capture)}
    assert abroad and BRIDGE not in abroad
    assert set().union(*(owners(home, address) for address in abroad)) == {names.DEBIAN_TOR}


def own_port(unit: Unit) -> int:
    """Where the transport itself listens, in its namespace."""
    pid = unit.transport_id()
    said = subprocess.run(["nsenter", f"--net=/proc/{pid}/ns/net", "ss", "-Htln"],
                          capture_output=True, text=True, check=True).stdout
    ports = {int(line.split()[3].rpartition(":")[2]) for line in said.splitlines()}
    assert len(ports) == 1, said
    return ports.pop()


def reaching(home: Lab, unit: Unit) -> set[str]:
    return {user for user in USERS if reached(home, unit.port, user)}


def test_nobody_but_tor_reaches_a_transport(home: Lab, obfs4: Unit) -> None:
    lease = obfs4.borrow()
    assert reaching(home, obfs4) == {names.DEBIAN_TOR}
    # Its own port is in another network, for which the host's loopback has no door.
    port = own_port(obfs4)
    assert not any(reached(home, port, user) for user in (names.DEBIAN_TOR, names.AMNESIA, names.ROOT))
    assert reached(home, port, names.TRANSPORT, "bridges")  # where it is
    with pytest.raises(PermissionError):
        home.host.call(_enter, f"/proc/{obfs4.transport_id()}/ns/net", user=names.AMNESIA)
    lease.close()
    assert obfs4.ended() == 0


def _enter(path: str) -> None:
    kernel.setns(os.open(path, os.O_RDONLY), kernel.CLONE_NEWNET)


def test_without_the_filter_everybody_reaches_it(home: Lab, obfs4: Unit) -> None:
    lease = obfs4.borrow()
    rules.clear(home)
    assert reaching(home, obfs4) == set(USERS)
    lease.close()
    assert obfs4.ended() == 0


def test_a_transport_reaches_no_service_of_the_host(home: Lab, tor: Tor) -> None:
    tor.command("SETCONF DisableNetwork=0")
    assert reached(home, names.TOR_SOCKS_PORT, names.AMNESIA)
    for namespace in ("bridges", "fronts"):
        for port in (names.TOR_SOCKS_PORT, names.TRANSPORT_OBFS4_PORT):
            assert not reached(home, port, names.TRANSPORT, namespace)


def test_it_refuses_the_network_of_its_port(home: Lab, obfs4: Unit) -> None:
    """There its own port would be open to everybody."""
    lease = obfs4.lease()
    obfs4.start(namespace="host")
    assert obfs4.ended() == 3
    log = (home.logs / "transport-obfs4").read_text(encoding="utf-8")
    assert "must not run in the network namespace" in log
    lease.close()


# ---- leases --------------------------------------------------------------------------------------


def gone(home: Lab, unit: Unit, pid: int) -> bool:
    return has_ended(pid) and not reached(home, unit.port, names.DEBIAN_TOR)


def test_a_killed_transport_is_told_and_comes_with_the_next_lease(home: Lab, obfs4: Unit) -> None:
    lease = obfs4.borrow()
    pid = obfs4.transport_id()
    os.kill(pid, 9)
    assert lease.rest() == [{"state": "failed", "reason": "ended"}]
    assert obfs4.ended() == 1
    assert gone(home, obfs4, pid)
    again = obfs4.borrow()
    assert obfs4.transport_id() != pid
    assert reached(home, obfs4.port, names.DEBIAN_TOR)
    again.close()
    assert obfs4.ended() == 0


def test_the_end_of_the_lease_is_the_end_of_all(home: Lab, obfs4: Unit) -> None:
    lease = obfs4.borrow()
    pid = obfs4.transport_id()
    assert not gone(home, obfs4, pid)
    lease.close()
    assert obfs4.ended() == 0
    assert gone(home, obfs4, pid)


def test_a_killed_relay_takes_the_transport_with_it(home: Lab, obfs4: Unit) -> None:
    lease = obfs4.borrow()
    pid = obfs4.transport_id()
    obfs4.kill()
    assert lease.rest() == []
    wait_for(lambda: gone(home, obfs4, pid), SECONDS, "the end of the transport")


def test_who_asks_meanwhile_is_served_next(home: Lab, obfs4: Unit) -> None:
    first = obfs4.borrow()
    second = obfs4.lease()
    first.close()
    assert obfs4.ended() == 0
    obfs4.start()
    assert [second.line(), second.line()] == [{"state": "starting"}, {"state": "ready"}]
    second.close()
    assert obfs4.ended() == 0


def test_it_gives_the_transport_nothing_of_its_own(home: Lab, obfs4: Unit) -> None:
    lease = obfs4.borrow()
    folder = Path(f"/proc/{obfs4.transport_id()}")
    environment = dict(word.split("=", 1) for word in
                       (folder / "environ").read_text(encoding="utf-8").split("\0") if word)
    assert set(environment) == {"TOR_PT_MANAGED_TRANSPORT_VER", "TOR_PT_CLIENT_TRANSPORTS",
                                "TOR_PT_STATE_LOCATION", "TOR_PT_EXIT_ON_STDIN_CLOSE"}
    assert (folder / "cmdline").read_bytes() == b"/usr/bin/obfs4proxy\0"  # no logging
    assert os.readlink(folder / "fd" / "2") == "/dev/null"
    status = dict(line.split(":\t", 1) for line in
                  (folder / "status").read_text(encoding="ascii").splitlines() if ":\t" in line)
    assert status["Uid"].split() == [str(names.user(names.TRANSPORT).uid)] * 4
    assert status["CapEff"] == status["CapBnd"] == "0" * 16 and status["NoNewPrivs"] == "1"
    # And of the process that hands on: no system call more than it needs, nothing for its twin.
    assert obfs4.process
    relay = Path(f"/proc/{obfs4.process.pid}/status").read_text(encoding="ascii")
    assert "Seccomp:\t2\n" in relay
    assert Path(f"/proc/{obfs4.process.pid}/environ").stat().st_uid == 0  # not dumpable
    lease.close()
    assert obfs4.ended() == 0


# ---- transports that are not well ----------------------------------------------------------------

_READY = """
import socket, sys, threading, time
server = socket.create_server(("127.0.0.1", 0))
port = server.getsockname()[1]
print("VERSION 1", flush=True)
print(f"CMETHOD obfs4 socks5 127.0.0.1:{port}", flush=True)
print("CMETHODS DONE", flush=True)
"""
BAD = {
    "lies about its address": ('print("VERSION 1\\nCMETHOD obfs4 socks5 0.0.0.0:9055\\n'
                               'CMETHODS DONE", flush=True)\nimport sys; sys.stdin.read()', "malformed"),
    "offers another": ('print("VERSION 1\\nCMETHOD obfs3 socks5 127.0.0.1:9\\nCMETHODS DONE", '
                       'flush=True)\nimport sys; sys.stdin.read()', "malformed"),
    "speaks another version": ('print("VERSION 2", flush=True)\nimport sys; sys.stdin.read()',
                               "malformed"),
    "cannot": ('print("VERSION 1\\nCMETHOD-ERROR obfs4 203.0.113.5 is down\\nCMETHODS DONE", '
               'flush=True)\nimport sys; sys.stdin.read()', "refused"),
    "floods": ('while True: print("LOG SEVERITY=debug MESSAGE=x", flush=True)', "too-much"),
    "never ends a line": ('import sys\nwhile True: sys.stdout.write("x" * 4096)', "too-much"),
    "crashes": ("raise SystemExit(1)", "ended"),
    "is silent": ("import sys; sys.stdin.read()", "late"),
}


@pytest.mark.parametrize("what", BAD)
def test_a_transport_that_is_not_well_is_told_and_ended(home: Lab, obfs4: Unit, what: str) -> None:
    program, reason = BAD[what]
    lease = obfs4.lease()
    obfs4.start(*(["--wait=2"] if reason == "late" else []), transport=program)
    said = lease.rest()
    # In words of ours: what it says itself may hold addresses.
    assert said == [{"state": "starting"}, {"state": "failed", "reason": reason}]
    assert obfs4.ended() == 1
    assert not reached(home, obfs4.port, names.DEBIAN_TOR)


def test_a_program_that_is_missing(home: Lab, obfs4: Unit) -> None:
    lease = obfs4.lease()
    obfs4.start("--program=/nonexistent/transport")
    assert lease.rest() == [{"state": "starting"}, {"state": "failed", "reason": "not-started"}]
    assert obfs4.ended() == 1


def test_one_that_floods_when_it_is_ready_hinders_nobody(home: Lab, obfs4: Unit) -> None:
    flood = _READY + """
def flood():
    while True:
        print("STATUS TRANSPORT=obfs4 203.0.113.5", flush=True)
threading.Thread(target=flood, daemon=True).start()
while True:
    connection = server.accept()[0]
    connection.sendall(connection.recv(64))
    connection.close()
"""
    lease = obfs4.borrow(transport=flood)
    for _ in range(3):
        data = home.host.call(client.tcp_exchange, "127.0.0.1", obfs4.port, b"hello",
                              user=names.DEBIAN_TOR)
        assert data == b"hello"
    lease.close()
    assert lease_lines_end(lease) and obfs4.ended() == 0


def lease_lines_end(lease: Lease) -> bool:
    """It was told nothing more: a lease that is closed has nothing unread."""
    return lease._data == b""


def test_one_that_does_not_read_makes_nothing_grow(home: Lab, obfs4: Unit) -> None:
    lease = obfs4.borrow(transport=_READY + "kept = server.accept()\nsys.stdin.read()\n")
    assert obfs4.process
    pid = obfs4.process.pid
    before = resident(pid)
    taken = home.host.call(_pour, obfs4.port, user=names.DEBIAN_TOR)
    assert taken > 1 << 16  # the kernel's buffers of two connections, and one of ours
    assert resident(pid) - before < 1 << 20
    lease.close()
    assert obfs4.ended() == 0


def resident(pid: int) -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def _pour(port: int) -> int:
    """Send until nobody takes more for a second; how much it was."""
    total = 0
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.settimeout(1.0)
        try:
            while True:
                total += connection.send(b"x" * 65536)
        except TimeoutError:
            return total


# ---- by way of others ----------------------------------------------------------------------------


def test_meek_connects_and_the_wire_shows_the_front_alone(home: Lab, tor: Tor) -> None:
    with fronts.Front(home) as front, Unit(home, "meek_lite") as unit, Capture(home) as capture:
        lease = unit.borrow()
        tor.use_bridge(fronts.meek_line(fingerprint(home)))
        tor.await_bootstrap()
        body = home.host.call(client.socks_get, names.WEB_NAME, user=names.AMNESIA, timeout=SECONDS)
        assert body in EXIT_BODIES
        assert owners(home, names.WEB_ADDRESS) == {names.FRONTS_NET}
        # The resolver of the network, and the front: neither the bridge nor the hidden name.
        frames = capture.stop()
        assert sent(capture) == {(UDP, names.LAN_RESOLVER, names.DNS_PORT),
                                 (TCP, names.WEB_ADDRESS, fronts.PORT)}
        assert not any(b"\x06hidden\x07example" in frame.data for frame in frames)
        assert {host for host, _ in front.asked} == {fronts.MEEK_HOST}
        lease.close()
        assert unit.ended() == 0


def test_snowflake_asks_the_broker_through_the_front(home: Lab, tor: Tor) -> None:
    """As far as it can be seen here: how a client and a volunteer are brought together. There is no
    server for the rest of the way in Debian."""
    with fronts.Front(home) as front, Unit(home, "snowflake") as unit, Capture(home) as capture:
        lease = unit.borrow()
        tor.use_bridge(fronts.snowflake_line(fingerprint(home)))
        wait_for(lambda: (fronts.BROKER_HOST, "/client") in front.asked, SECONDS,
                 "the broker to be asked")
        found = sent(capture)
        assert (TCP, names.WEB_ADDRESS, fronts.PORT) in found
        assert found <= {(UDP, names.LAN_RESOLVER, names.DNS_PORT),
                         (UDP, names.WEB_ADDRESS, 3478), (TCP, names.WEB_ADDRESS, fronts.PORT)}
        with tor.control() as control:
            assert control.bootstrap()[0] < 100
        lease.close()
        assert unit.ended() == 0


def test_a_front_by_the_other_namespace_is_not_reached(home: Lab) -> None:
    """What is for `bridges` has no resolver: who needs one belongs to `fronts`."""
    answer = ("udp", names.LAN_RESOLVER, names.DNS_PORT)
    for namespace, reaches in (("fronts", True), ("bridges", False)):
        found = home.host.call(_resolves, user=names.TRANSPORT, namespace=namespace)
        assert found == reaches, (namespace, answer)


def _resolves() -> bool:
    try:
        return client.resolve(names.WEB_NAME, names.LAN_RESOLVER, timeout=5.0) != []
    except OSError:
        return False
