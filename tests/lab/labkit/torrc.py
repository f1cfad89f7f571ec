# SPDX-License-Identifier: GPL-3.0-or-later
"""The configuration of every Tor process of the lab."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from . import names

# Until there is a consensus, votes are this many seconds apart, counted from a time of our choice:
# the first is when all relays have introduced themselves. A vote ends in a consensus this many
# seconds (both delays, no less is possible) after it begins.
FIRST_INTERVAL, FIRST_DELAYS = 30, 2 + 2
# Later ones must not come too often, because onion services' time periods are counted in voting
# intervals. The delays together must stay under half of the interval.
_INTERVAL, _DELAY = 300, 20


@dataclass(frozen=True)
class Places:
    """Where one Tor process keeps what."""

    torrc: Path
    data: Path
    control: Path  # the directory of the control socket
    log: Path

    @property
    def socket(self) -> Path:
        return self.control / "control"


def voting_offset(first_consensus: float) -> str:
    """For the authorities: so that the first consensus comes at that time (seconds since 1970)."""
    return f"TestingV3AuthVotingStartOffset {round(first_consensus) % FIRST_INTERVAL}"


def write(node: str, places: Places, authority_lines: list[str], extra: list[str]) -> None:
    lines = [
        "TestingTorNetwork 1",
        *authority_lines,
        f"DataDirectory {places.data}",
        f"Log notice file {places.log}",
        f"ControlSocket unix:{places.socket}",
        "CookieAuthentication 1",
        f"CookieAuthFile {places.control}/cookie",
        "ShutdownWaitLength 0",
        # Reading the lists of countries would be most of the work of starting.
        "GeoIPFile /dev/null",
        "GeoIPv6File /dev/null",
        *_of_node(node),
        *extra,
    ]
    places.torrc.write_text("\n".join(lines) + "\n", encoding="ascii")


def _of_node(node: str) -> list[str]:
    if node in names.AUTHORITIES:
        return _authority(node)
    if node in names.RELAYS:
        return _relay(node)
    if node == names.BRIDGE:
        return _bridge()
    if node == names.ONION:
        return ["SocksPort 0"]
    if node == "trial":
        return []
    return _CLIENT if node == names.HOST else _BRIDGE_CLIENT


def _authority(node: str) -> list[str]:
    address = names.PUBLIC_NODES[node]
    return [
        "AuthoritativeDirectory 1",
        "V3AuthoritativeDirectory 1",
        f"Nickname {node}",
        f"Address {address}",
        f"ORPort {address}:{names.AUTHORITY_OR_PORT}",
        f"DirPort {address}:{names.AUTHORITY_DIR_PORT}",
        "ContactInfo lab@invalid",
        "ExitPolicy reject *:*",
        "AssumeReachable 1",
        f"TestingV3AuthInitialVotingInterval {FIRST_INTERVAL}",
        f"TestingV3AuthInitialVoteDelay {FIRST_DELAYS // 2}",
        f"TestingV3AuthInitialDistDelay {FIRST_DELAYS // 2}",
        f"V3AuthVotingInterval {_INTERVAL}",
        f"V3AuthVoteDelay {_DELAY}",
        f"V3AuthDistDelay {_DELAY}",
        "TestingDirAuthVoteExit *",
        "TestingDirAuthVoteHSDir *",
        "TestingDirAuthVoteGuard *",
        "TestingMinExitFlagThreshold 0",
        "TestingMinFastFlagThreshold 0",
        "MinUptimeHidServDirectoryV2 0",
        "AuthDirMaxServersPerAddr 0",
        "SocksPort 0",
    ]


def _relay(node: str) -> list[str]:
    address = names.PUBLIC_NODES[node]
    lines = [
        f"Nickname {node}",
        f"Address {address}",
        f"ORPort {address}:{names.RELAY_OR_PORT}",
        "ContactInfo lab@invalid",
        "AssumeReachable 1",
        "SocksPort 0",
        "PathsNeededToBuildCircuits 0.67",
    ]
    if node not in names.EXITS:
        return lines + ["ExitRelay 0", "ExitPolicy reject *:*"]
    return lines + [
        "ExitRelay 1",
        "ExitPolicy accept *:*",
        "IPv6Exit 0",
        # The lab's name server gives the same answer for every name: no hijacking.
        "ServerDNSDetectHijacking 0",
        "ServerDNSTestAddresses",
    ]


def _bridge() -> list[str]:
    address = names.PUBLIC_NODES[names.BRIDGE]
    return [
        f"Nickname {names.BRIDGE}",
        f"Address {address}",
        "BridgeRelay 1",
        "PublishServerDescriptor 0",
        "BridgeDistribution none",
        f"ORPort {address}:{names.RELAY_OR_PORT}",
        "ExtORPort auto",
        "ContactInfo lab@invalid",
        "AssumeReachable 1",
        "SocksPort 0",
        "ExitPolicy reject *:*",
        "ServerTransportPlugin obfs4 exec /usr/bin/obfs4proxy",
        f"ServerTransportListenAddr obfs4 {address}:{names.BRIDGE_OBFS4_PORT}",
    ]


# The host under test: started as root, opens its ports, then becomes debian-tor.
_CLIENT = [
    f"User {names.DEBIAN_TOR}",
    # By its session group lethe-gate knows to which port a stream came.
    *(f"SocksPort 127.0.0.1:{port} SessionGroup={port} IsolateDestAddr IsolateDestPort"
      for port in (names.TOR_SOCKS_PORT, names.TOR_SOCKS_SYSTEM_PORT,
                   names.TOR_SOCKS_DOWNLOAD_PORT)),
    f"SocksPort 127.0.0.1:{names.TOR_SOCKS_BROWSER_PORT} "
    f"SessionGroup={names.TOR_SOCKS_BROWSER_PORT} IsolateSOCKSAuth KeepAliveIsolateSOCKSAuth",
    f"TransPort 127.0.0.1:{names.TOR_TRANS_PORT} SessionGroup={names.TOR_TRANS_PORT}",
    "TransProxyType TPROXY",
    f"DNSPort 127.0.0.1:{names.DNS_PORT}",
    "AutomapHostsOnResolve 1",
    "AutomapHostsSuffixes .onion,.exit,.test",
    f"VirtualAddrNetworkIPv4 {names.AUTOMAP_PREFIX}",
]
_BRIDGE_CLIENT = [
    f"SocksPort 127.0.0.1:{names.TOR_SOCKS_PORT}",
    "UseBridges 1",
    "ClientTransportPlugin obfs4 exec /usr/bin/obfs4proxy",
]
