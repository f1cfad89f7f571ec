# SPDX-License-Identifier: GPL-3.0-or-later
"""From a host without rules everything is reachable: only so does silence later mean anything."""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path

import pytest

from labkit import client, dns, names, rules
from labkit.lab import Lab

AMNESIA = names.AMNESIA
ANY_PUBLIC = ("198.51.100.200", "93.184.215.14", "100.64.7.7")
ANY_PUBLIC6 = ("2001:db8:80::80", "2606:2800:220::1")
RESOLVERS = (
    names.LAN_RESOLVER,
    names.LINK_LOCAL_RESOLVER,
    names.CGNAT_RESOLVER,
    *names.PUBLIC_RESOLVERS,
    names.ROUTER_ULA,
    names.ROUTER_GLOBAL,
    names.RESOLVER6,
    names.PUBLIC_RESOLVER6,
)
PINGED = (
    names.ROUTER_ADDRESS,
    names.PRINTER_ADDRESS,
    names.GUEST_ADDRESS,
    names.LINK_LOCAL_RESOLVER,
    names.CGNAT_RESOLVER,
    names.WEB_ADDRESS,
    names.TIME_ADDRESS,
    names.ROUTER_ULA,
    names.PRINTER_ULA,
    names.WEB_ADDRESS6,
    names.PUBLIC_RESOLVER6,
)


@pytest.mark.parametrize("port", [names.HTTP_PORT, names.HTTPS_PORT])
@pytest.mark.parametrize("address", (names.WEB_ADDRESS, *ANY_PUBLIC))
def test_web_sees_the_routers_address(bare: Lab, address: str, port: int) -> None:
    body = bare.host.call(client.http_get, address, port, user=AMNESIA)
    assert body == f"{names.WEB_BODY_START}{names.ROUTER_PUBLIC}\n"


@pytest.mark.parametrize("address", ANY_PUBLIC6)
def test_web_sees_the_hosts_own_ipv6_address(bare: Lab, address: str) -> None:
    body = bare.host.call(client.http_get, address, user=AMNESIA)
    assert body == f"{names.WEB_BODY_START}{names.HOST_GLOBAL}\n"


@pytest.mark.parametrize("address", (names.ECHO_ADDRESS, *ANY_PUBLIC, *ANY_PUBLIC6))
@pytest.mark.parametrize("port", [7, 22, 853, 6881])
def test_every_public_port_echoes(bare: Lab, address: str, port: int) -> None:
    for exchange in (client.tcp_exchange, client.udp_exchange):
        assert bare.host.call(exchange, address, port, b"anyone?", user=AMNESIA) == b"anyone?"


def test_time_server_echoes(bare: Lab) -> None:
    for address in (names.TIME_ADDRESS, names.TIME_ADDRESS6):
        asked = (client.udp_exchange, address, names.TIME_PORT, b"time?")
        assert bare.host.call(*asked, user=AMNESIA) == b"time?"


@pytest.mark.parametrize("tcp", [False, True], ids=["udp", "tcp"])
@pytest.mark.parametrize("server", RESOLVERS)
def test_resolvers_answer(bare: Lab, server: str, tcp: bool) -> None:
    def ask(kind: int) -> list[str]:
        return bare.host.call(client.resolve, names.WEB_NAME, server, kind, tcp, user=AMNESIA)

    assert ask(dns.TYPE_A) == [names.WEB_ADDRESS]
    assert ask(dns.TYPE_AAAA) == [names.WEB_ADDRESS6]


@pytest.mark.parametrize("address", PINGED)
def test_pings_are_answered(bare: Lab, address: str) -> None:
    bare.host.call(client.ping, address)


@pytest.mark.parametrize("address", [names.PRINTER_ADDRESS, names.PRINTER_ULA])
def test_printer(bare: Lab, address: str) -> None:
    http_port, raw_port = names.PRINTER_TCP_PORTS
    body = bare.host.call(client.http_get, address, http_port, user=AMNESIA)
    assert body.startswith(names.PRINTER_BODY_START)
    assert bare.host.call(client.tcp_exchange, address, raw_port, b"%!PS", user=AMNESIA) == b"%!PS"
    for port in (names.PRINTER_UDP_PORT, 161):
        assert bare.host.call(client.udp_exchange, address, port, b"ink?", user=AMNESIA) == b"ink?"


def test_router_tells_the_public_address(bare: Lab) -> None:
    public = socket.inet_aton(names.ROUTER_PUBLIC)
    answer = bare.host.call(client.udp_exchange, names.ROUTER_ADDRESS, names.NATPMP_PORT, b"\0\0")
    assert answer.endswith(public)
    answer = bare.host.call(_search, names.SSDP_GROUP, user=AMNESIA)
    assert names.ROUTER_PUBLIC.encode() in answer


def _search(group: str) -> bytes:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as endpoint:
        endpoint.settimeout(client.SECONDS)
        endpoint.sendto(b"M-SEARCH * HTTP/1.1\r\n\r\n", (group, names.SSDP_PORT))
        return endpoint.recv(2048)


def test_second_address_is_the_hosts_own(bare: Lab) -> None:
    bare.host.call(_talk_to_oneself, names.HOST_ADDRESS_SECOND, user=AMNESIA)


def _talk_to_oneself(address: str) -> None:
    with socket.create_server((address, 0)) as server:
        with socket.create_connection(server.getsockname(), timeout=client.SECONDS):
            server.accept()[0].close()


@pytest.mark.parametrize("user", names.USERS)
def test_a_command_runs_as_its_user(bare: Lab, user: str) -> None:
    account = names.user(user)
    said = bare.host.run(["sh", "-c", "id -un; id -u; id -g; id -G; echo $HOME; pwd"], user=user)
    uid, gid = str(account.uid), str(account.gid)
    assert said.stdout.split() == [user, uid, gid, gid, str(bare.host.home(user)), "/"]
    assert bare.host.call(os.getresuid, user=user) == (account.uid,) * 3
    assert bare.host.call(os.getgroups, user=user) in ([], [account.gid])


@pytest.mark.parametrize("user", [u for u in names.USERS if u != names.ROOT])
def test_an_ordinary_user_has_no_capability(bare: Lab, user: str) -> None:
    status = bare.host.run(["grep", "CapEff", "/proc/self/status"], user=user).stdout
    assert status.split() == ["CapEff:", "0000000000000000"]


def test_environment_is_clean(bare: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_OF_THE_CALLER", "1")
    said = bare.host.run(["env"], user=AMNESIA).stdout
    assert "SECRET_OF_THE_CALLER" not in said
    assert f"SOCKS_SERVER=127.0.0.1:{names.TOR_SOCKS_PORT}\n" in said


def test_the_hosts_files_are_its_own(bare: Lab) -> None:
    before = Path("/etc/passwd").read_bytes()
    bare.host.run(["sh", "-c", "echo new:x:1:1::/:/bin/sh >> /etc/passwd; : > /etc/lethe-lab-test; "
                   ": > /run/lethe-lab-test"], check=True)  # fmt: skip
    assert "new:x:1" in bare.host.run(["cat", "/etc/passwd"]).stdout
    assert Path("/etc/passwd").read_bytes() == before
    assert not Path("/etc/lethe-lab-test").exists()
    assert not Path("/run/lethe-lab-test").exists()
    assert bare.host.run(["cat", "/etc/resolv.conf"]).stdout == "nameserver 127.0.0.1\n"
    bare.host.run(["sed", "-i", "/^new:/d", "/etc/passwd"], check=True)


def test_the_host_sees_only_its_own_devices(bare: Lab) -> None:
    assert set(bare.host.run(["ls", "/sys/class/net"]).stdout.split()) <= {"lo", names.LAN_DEVICE}
    assert not bare.host.run(["sh", "-c", "ls /run/netns 2>&- || :"]).stdout


def test_run_reports_failure_and_ends_what_takes_too_long(bare: Lab) -> None:
    assert bare.host.run(["sh", "-c", "echo out; echo err >&2; exit 7"]).returncode == 7
    with pytest.raises(RuntimeError, match="exit 7\nout\nerr"):
        bare.host.run(["sh", "-c", "echo out; echo err >&2; exit 7"], check=True)
    with pytest.raises(subprocess.TimeoutExpired):
        bare.host.run(["sleep", "infinity"], timeout=0.2)
    with pytest.raises(KeyError, match="no user 'nemo'"):
        bare.host.run(["true"], user="nemo")


def test_call_hands_on_exceptions_and_ends_what_takes_too_long(bare: Lab) -> None:
    with pytest.raises(FileNotFoundError):
        bare.host.call(os.stat, "/no/such/file")
    with pytest.raises(TimeoutError):
        bare.host.call(_for_ever, timeout=0.2)
    with pytest.raises(RuntimeError, match="without an answer"):
        bare.host.call(os._exit, 1)


def _for_ever() -> None:
    subprocess.run(["sleep", "infinity"], check=False)


def test_clearnet_namespace(bare: Lab) -> None:
    """F4's ground: out by TCP and UDP as clearnet-net, no loopback of the host."""
    owner = names.user(names.CLEARNET_NET).uid
    bare.host.run(["nft", "-f", "-"], check=True, input=(
        "table inet t { chain o { type filter hook output priority 0; "
        f'oif "{names.LAN_DEVICE}" meta skuid {owner} counter accept; '
        f'oif "{names.LAN_DEVICE}" meta skuid >= 0 counter drop\n}}\n}}\n'))  # fmt: skip
    inside = {"user": AMNESIA, "namespace": "clearnet"}
    assert names.ROUTER_PUBLIC in bare.host.call(client.http_get, names.WEB_ADDRESS, **inside)
    assert bare.host.call(client.resolve, names.WEB_NAME, names.LAN_RESOLVER, **inside) == [
        names.WEB_ADDRESS
    ]
    resolvers = bare.host.run(["cat", "/etc/resolv.conf"], **inside).stdout
    assert resolvers == f"nameserver {names.LAN_RESOLVER}\n"
    with pytest.raises(ConnectionRefusedError):  # its loopback is its own
        bare.host.call(client.http_get, "127.0.0.1", names.TOR_SOCKS_PORT, **inside)
    with pytest.raises(OSError, match="No route to host"):
        bare.host.call(client.http_get, names.HOST_ADDRESS, names.TOR_SOCKS_PORT, **inside)
    # The rule that lets nobody else out does catch amnesia outside.
    with pytest.raises(PermissionError):
        bare.host.call(client.udp_exchange, names.WEB_ADDRESS, 9, b"x", user=AMNESIA)


def test_rules_are_loaded_replaced_and_removed(bare: Lab, tmp_path: Path) -> None:
    def listing() -> str:
        return bare.host.run(["nft", "list", "ruleset"], check=True).stdout

    tmp_path.chmod(0o755)
    first = tmp_path / "first.nft"
    first.write_text("table inet first { }\n")
    script = tmp_path / "second.sh"
    script.write_text("#!/bin/sh\nset -e\nnft add table inet second\necho done\n")
    rules.apply(bare, str(first))
    assert "table inet first" in listing()
    assert rules.apply(bare, str(script)).endswith("done\n")
    assert "table inet second" in listing() and "first" not in listing()
    rules.apply(bare, "none")
    assert listing() == ""
    first.write_text("table inet first { chain bad\n")
    with pytest.raises(rules.RulesError, match="nft -f"):
        rules.apply(bare, str(first))
    with pytest.raises(rules.RulesError, match="cannot read the ruleset"):
        rules.apply(bare, str(tmp_path / "none.nft"))
