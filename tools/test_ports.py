# SPDX-License-Identifier: GPL-3.0-or-later
"""tor-ports must find each place that says another port, or another user, than the table."""

from __future__ import annotations

from pathlib import Path

import pytest

from conftest import TOOLS, Plant, Tool

TABLE = """
[[port]]
name = "socks"
kind = "socks"
port = 9050
isolates = ["IsolateDestAddr"]
users = ["_apt"]
amnesia = true
policy = "For those who download."
torrc = "for programs."
lab = "TOR_SOCKS_PORT"

[[port]]
name = "socks-system"
kind = "socks"
port = 9062
users = ["root"]
amnesia = false
torrc = "for the system."
lab = "TOR_SOCKS_SYSTEM_PORT"

[[port]]
name = "transport-obfs4"
kind = "transport"
port = 9055
users = ["debian-tor"]
amnesia = false
lab = "TRANSPORT_OBFS4_PORT"

[[port]]
name = "dns"
kind = "dns"
port = 53
by = ["root", "debian-tor"]
users = ["root"]
amnesia = true
torrc = "names."
lab = "DNS_PORT"

[[port]]
name = "trans"
kind = "trans"
port = 9040
network = "127.192.0.0/10"
users = []
amnesia = true
torrc = "mapped addresses."
lab = "TOR_TRANS_PORT"
lab_network = "AUTOMAP_PREFIX"
"""
MARKS = "".join(f"#     [{name}: written by tools/tor-ports --fix]\n#     [end of {name}]\n"
                for name in ("services", "amnesia", "dns", "automap"))
NAMES = """TOR_SOCKS_PORT = 9050
TOR_SOCKS_SYSTEM_PORT = 9062
TRANSPORT_OBFS4_PORT = 9055
DNS_PORT = 53
TOR_TRANS_PORT = 9040
AUTOMAP_PREFIX = "127.192.0.0/10"
"""
POLICY, TORRC = "data/policy.conf", "data/tor/torrc"
UNIT = "data/systemd/lethe-transport-port@obfs4.socket.conf"


@pytest.fixture
def good(tool: Tool, plant: Plant) -> Path:
    root = plant({
        "data/tor/ports": TABLE,
        POLICY: "default drop\nlan private open except tcp 53 137\n" + MARKS + "# or 9051\n",
        TORRC: "ClientOnly 1\n# [ports: written by tools/tor-ports --fix]\n# [end of ports]\n",
        "data/systemd/other.socket": "[Socket]\n",
        "tests/lab/labkit/names.py": NAMES,
    })
    fixed = tool("tor-ports", "--root", root, "--fix")
    assert fixed.returncode == 0, fixed.stdout
    return root


def test_what_is_written_is_what_the_table_says(tool: Tool, good: Path) -> None:
    result = tool("tor-ports", "--root", good)
    assert result.returncode == 0, result.stdout
    policy = (good / POLICY).read_text()
    for line in ("#     For those who download.\nservice socks tcp 9050 for _apt\n",
                 "service socks-system tcp 9062 for root\n",
                 "service transport-obfs4 tcp 9055 for debian-tor\n",
                 "\nallow amnesia to loopback over tcp except 9055 9062\n",
                 "\nservice dns udp 53 by root, debian-tor for root, amnesia\n",
                 "\nautomap 127.192.0.0/10 to 9040 for amnesia\n"):
        assert line in policy, line
    torrc = (good / TORRC).read_text()
    for line in ("# 9050: for programs.\nSocksPort 127.0.0.1:9050 SessionGroup=9050 IsolateDestAddr\n",
                 "SocksPort 127.0.0.1:9062 SessionGroup=9062\n", "DNSPort 127.0.0.1:53\n",
                 "TransPort 127.0.0.1:9040 SessionGroup=9040\nTransProxyType TPROXY\n",
                 "VirtualAddrNetworkIPv4 127.192.0.0/10\n"):
        assert line in torrc, line
    assert "9055" not in torrc
    assert "ListenStream=127.0.0.1:9055\n" in (good / UNIT).read_text()
    assert tool("tor-ports", "--root", good, "--fix").returncode == 0
    assert (good / POLICY).read_text() == policy  # once more changes nothing


DRIFT = {
    "a user in the policy": (POLICY, "for root\n", "for root, nobody\n"),
    "a port in the policy": (POLICY, "tcp 9062 for", "tcp 9063 for"),
    "an exception taken away": (POLICY, "except 9055 9062", "except 9062"),
    "a line added among the marked": (POLICY, "#     [end of services]",
                                      "service x tcp 1 for root\n#     [end of services]"),
    "a second line of a port": (POLICY, "default drop\n",
                                "default drop\nservice more tcp 9055 for amnesia\n"),
    "mapped addresses": (POLICY, "127.192.0.0/10 to", "127.192.0.0/11 to"),
    "a flag in torrc": (TORRC, " IsolateDestAddr", ""),
    "a port in torrc": (TORRC, "127.0.0.1:9062", "0.0.0.0:9062"),
    "a port more in torrc": (TORRC, "ClientOnly 1\n", "ClientOnly 1\nSocksPort 9999\n"),
    "a mark that is gone": (TORRC, "# [end of ports]\n", ""),
    "the transport's unit": (UNIT, "9055", "9056"),
    "the laboratory": ("tests/lab/labkit/names.py", "= 9062", "= 9064"),
    "the laboratory's addresses": ("tests/lab/labkit/names.py", "/10", "/11"),
    "nothing in the laboratory": ("tests/lab/labkit/names.py", "DNS_PORT", "DNS"),
}


@pytest.mark.parametrize("what", DRIFT)
def test_drift_is_found(tool: Tool, good: Path, what: str) -> None:
    name, old, new = DRIFT[what]
    path = good / name
    text = path.read_text()
    assert text.count(old) == 1, text
    path.write_text(text.replace(old, new))
    result = tool("tor-ports", "--root", good)
    assert result.returncode == 1
    assert name.rpartition("/")[2] in result.stdout, result.stdout


def test_fixing_takes_drift_back(tool: Tool, good: Path) -> None:
    path = good / POLICY
    text = path.read_text()
    path.write_text(text.replace("tcp 9062 for root", "tcp 9062 for root, nobody"))
    assert tool("tor-ports", "--root", good, "--fix").returncode == 0
    assert path.read_text() == text


def test_a_unit_of_no_transport_is_found(tool: Tool, good: Path) -> None:
    (good / UNIT.replace("obfs4", "obfs3")).write_text("[Socket]\n")
    result = tool("tor-ports", "--root", good, "--fix")
    assert result.returncode == 1 and "obfs3" in result.stdout


WRONG = {
    "a transport for others": ('users = ["debian-tor"]', 'users = ["debian-tor", "nobody"]'),
    "amnesia among the users": ('users = ["_apt"]', 'users = ["_apt", "amnesia"]'),
    "a port twice": ("port = 9062", "port = 9050"),
    "a port that is none": ("port = 9062", "port = 99999"),
    "a kind that is none": ('kind = "dns"', 'kind = "name"'),
    "an unknown word": ("amnesia = true\npolicy", "amnesiac = true\namnesia = true\npolicy"),
    "a missing word": ('lab = "DNS_PORT"\n', ""),
    "no table": ("[[port]]", "[[ports]]"),
    "no TOML": ("port = 9050", "port = nine"),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_table_is_found(tool: Tool, good: Path, what: str) -> None:
    old, new = WRONG[what]
    path = good / "data/tor/ports"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    before = (good / POLICY).read_text()
    result = tool("tor-ports", "--root", good, "--fix")
    assert result.returncode == 1 and "data/tor/ports" in result.stdout, result.stdout
    assert (good / POLICY).read_text() == before


def test_the_shipped_ports_are_the_same_everywhere(tool: Tool) -> None:
    result = tool("tor-ports", "--root", TOOLS.parent)
    assert result.returncode == 0, result.stdout
