# SPDX-License-Identifier: GPL-3.0-or-later
"""Every constant of the laboratory: nodes, addresses, ports, users, places.

The public addresses are from the documentation ranges, which Tor takes for public ones. The fake
Internet answers on every public address, so that whatever escapes would really arrive somewhere
and be answered.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

LAB_DIRECTORY = Path(__file__).resolve().parent.parent
SOURCE_ROOT = LAB_DIRECTORY.parent.parent
FIXTURES = LAB_DIRECTORY / "fixtures"
SHIPPED_KEYS = LAB_DIRECTORY / "tor-keys"
PASSWD = SOURCE_ROOT / "tests" / "support" / "passwd"
GROUP = SOURCE_ROOT / "tests" / "support" / "group"
DEFAULT_POLICY = SOURCE_ROOT / "data" / "policy.conf"

RUN_DIRECTORY = Path("/run/lethe-lab")
CACHE_DIRECTORY = Path(os.environ.get("LETHE_LAB_CACHE", "/var/cache/lethe-lab"))
NAMESPACE_PREFIX = "lethe-"
DEFAULT_LAB = "default"
MARKER_VARIABLE = "LETHE_LAB"  # in the environment of everything that runs in a lab: its name

# Nodes ------------------------------------------------------------------------------------------

CORE = "core"  # the router between all public nodes
WEB = "web"  # the fake Internet: web, name, time and echo servers
ROUTER = "router"  # the LAN's router
PRINTER = "printer"
GUEST = "guest"  # an unprotected neighbour on the LAN
HOST = "host"  # the host under test
VM = "vm"  # a virtual machine on the LAN: a port of the router's bridge, no namespace

AUTHORITIES = ("da1", "da2", "da3")
RELAYS = ("r1", "r2", "r3", "r4")
EXITS = ("r3", "r4")
BRIDGE = "bridge"
ONION = "onion"
TOR_NODES = AUTHORITIES + RELAYS + (BRIDGE, ONION)

# Nodes with one public address each, on a link of their own to the core.
PUBLIC_NODES = {
    "da1": "203.0.113.11",
    "da2": "198.51.100.12",
    "da3": "192.0.2.13",
    "r1": "203.0.113.21",
    "r2": "198.51.100.22",
    "r3": "192.0.2.23",
    "r4": "203.0.113.24",
    BRIDGE: "198.51.100.31",
    ONION: "192.0.2.41",
    WEB: "198.51.100.80",
}
LAN_NODES = (HOST, PRINTER, GUEST)
NODES = (CORE, ROUTER) + tuple(PUBLIC_NODES) + LAN_NODES

# The fake Internet ------------------------------------------------------------------------------

CORE_ADDRESS = "100.127.0.1"  # never told to Tor, and not used twice
CORE_ADDRESS6 = "fe80::1"
WEB_ADDRESS = PUBLIC_NODES[WEB]
TIME_ADDRESS = "198.51.100.81"
ECHO_ADDRESS = "198.51.100.82"
ROGUE_ADDRESS = "198.51.100.66"  # what the hostile router's name server answers
CGNAT_RESOLVER = "100.64.0.53"
PUBLIC_RESOLVERS = ("198.51.100.53", "1.1.1.1", "8.8.8.8", "9.9.9.9")
# Configured on the web node, so that they answer pings too; every other public address answers
# TCP and UDP.
WEB_ADDRESSES = (
    WEB_ADDRESS,
    TIME_ADDRESS,
    ECHO_ADDRESS,
    ROGUE_ADDRESS,
    CGNAT_RESOLVER,
) + PUBLIC_RESOLVERS

WEB_ADDRESS6 = "2001:db8:80::80"
TIME_ADDRESS6 = "2001:db8:80::81"
ECHO_ADDRESS6 = "2001:db8:80::82"
RESOLVER6 = "2001:db8:80::53"
PUBLIC_RESOLVER6 = "2606:4700:4700::1111"
WEB_ADDRESSES6 = (WEB_ADDRESS6, TIME_ADDRESS6, ECHO_ADDRESS6, RESOLVER6, PUBLIC_RESOLVER6)

WEB_BODY_START = "lethe lab: web server, seen from "  # then the client's address and a newline
ONION_BODY_START = "lethe lab: onion service"
PRINTER_BODY_START = "lethe lab: printer, seen from "
WEB_NAME = "www.lab.example"  # every name has the web server's address; this one is for people
AUTOMAPPED_NAME = "www.lab.test"  # Tor maps it to an address of AUTOMAP_PREFIX
HTTP_PORT = 80
HTTPS_PORT = 443  # plain HTTP too: who listens is what matters here
ECHO_PORT = 7  # where the web node sends every other port
DNS_PORT = 53
TIME_PORT = 123
ONION_BACKEND_PORT = 8080  # on the onion node's loopback

# The LAN ----------------------------------------------------------------------------------------

LAN_PREFIX = "192.168.1.0/24"
ROUTER_ADDRESS = "192.168.1.1"
ROUTER_PUBLIC = "198.51.100.77"
HOST_ADDRESS = "192.168.1.2"
HOST_ADDRESS_SECOND = "192.168.1.3"
PRINTER_ADDRESS = "192.168.1.50"
GUEST_ADDRESS = "192.168.1.60"
VM_ADDRESS = "192.168.1.70"
LAN_RESOLVER = ROUTER_ADDRESS
LINK_LOCAL_RESOLVER = "169.254.1.53"  # on the router

LAN_ULA_PREFIX = "fd00:1::/64"
LAN_GLOBAL_PREFIX = "2001:db8:1::/64"
ROUTER_ULA = "fd00:1::1"
ROUTER_GLOBAL = "2001:db8:1::1"
HOST_ULA = "fd00:1::2"
HOST_GLOBAL = "2001:db8:1::2"
HOST_GLOBAL_SECOND = "2001:db8:1::3"
PRINTER_ULA = "fd00:1::50"
PRINTER_GLOBAL = "2001:db8:1::50"
GUEST_ULA = "fd00:1::60"
GUEST_GLOBAL = "2001:db8:1::60"

LAN_ADDRESSES = {HOST: HOST_ADDRESS, PRINTER: PRINTER_ADDRESS, GUEST: GUEST_ADDRESS}
LAN_ADDRESSES6 = {
    HOST: (HOST_ULA, HOST_GLOBAL),
    PRINTER: (PRINTER_ULA, PRINTER_GLOBAL),
    GUEST: (GUEST_ULA, GUEST_GLOBAL),
}

PRINTER_TCP_PORTS = (631, 9100)  # 631 speaks HTTP, 9100 echoes
PRINTER_UDP_PORT = 7  # echoes
NATPMP_PORT = 5351
SSDP_PORT = 1900
SSDP_GROUP = "239.255.255.250"

# The hostile router.
HOSTILE_GATEWAY = "192.168.1.66"  # nobody's: where redirects and option 121 would send traffic
HOSTILE_PREFIX = "2001:db8:bad::/64"
HOSTILE_RESOLVER6 = "2001:db8:bad::53"
HOSTILE_WPAD = "http://192.168.1.66/wpad.dat"
HOSTILE_PORTAL = "http://192.168.1.66/portal"
HOSTILE_ROUTE = "203.0.113.0/24"  # by option 121, past the default route
DHCP_LEASES = {
    HOST: HOST_ADDRESS,
    PRINTER: PRINTER_ADDRESS,
    GUEST: GUEST_ADDRESS,
    VM: VM_ADDRESS,
}
DHCP_OTHER_LEASE = "192.168.1.99"
ROGUE_LEASE = "192.168.1.150"  # of the second DHCP server, for computers it does not know

# Devices ----------------------------------------------------------------------------------------

LAN_DEVICE = "eth0"  # in every leaf
ROUTER_BRIDGE = "br0"
ROUTER_WAN = "wan"
HOST_LINK = "p-host"  # the router's end of the host's link: what the host sends comes in here
VM_PORT = "p-vm"  # a tap device that QEMU opens
MARKER_DEVICES = ("mark0", "mark1")  # a pair inside the router, for the capture's barrier
HOST_MAC = "02:1e:7e:00:01:02"
ROUTER_MAC = "02:1e:7e:00:01:01"
PRINTER_MAC = "02:1e:7e:00:01:50"
GUEST_MAC = "02:1e:7e:00:01:60"
VM_MAC = "52:54:00:6c:65:74"
VM_MAC_SECOND = "52:54:00:6c:65:75"  # its lease is DHCP_OTHER_LEASE
MACS = {HOST: HOST_MAC, PRINTER: PRINTER_MAC, GUEST: GUEST_MAC, VM: VM_MAC}

# Tor on the host under test ---------------------------------------------------------------------

TOR_SOCKS_PORT = 9050
TOR_SOCKS_SYSTEM_PORT = 9062
TOR_SOCKS_DOWNLOAD_PORT = 9063
TOR_SOCKS_BROWSER_PORT = 9150
TOR_TRANS_PORT = 9040
AUTOMAP_PREFIX = "127.192.0.0/10"
# Where Tor connects to a transport (lethe-transport).
TRANSPORT_OBFS4_PORT = 9055
TRANSPORT_MEEK_LITE_PORT = 9056
TRANSPORT_SNOWFLAKE_PORT = 9057
TRANSPORT_PORTS = (TRANSPORT_OBFS4_PORT, TRANSPORT_MEEK_LITE_PORT, TRANSPORT_SNOWFLAKE_PORT)
AUTHORITY_OR_PORT = 5000
AUTHORITY_DIR_PORT = 7000
RELAY_OR_PORT = 5001
BRIDGE_OBFS4_PORT = 443

# Users ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class User:
    name: str
    uid: int
    gid: int
    home: str
    shell: str


def read_users(path: Path = PASSWD) -> dict[str, User]:
    """The users of a passwd(5) file, by name."""
    users = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        fields = line.split(":")
        if len(fields) == 7:
            name, _, uid, gid, _, home, shell = fields
            users[name] = User(name, int(uid), int(gid), home, shell)
    return users


USERS = read_users()
# The users of the leak matrix.
ROOT = "root"
APT = "_apt"
NOBODY = "nobody"
DEBIAN_TOR = "debian-tor"
AMNESIA = "amnesia"
CLEARNET = "clearnet"
CLEARNET_NET = "clearnet-net"
BRIDGES_NET = "bridges-net"
FRONTS_NET = "fronts-net"
TRANSPORT = "lethe-transport"
# The Tor network's own processes; nobody else has this id.
TOR_NETWORK_UID = 64010


def user(name: str) -> User:
    try:
        return USERS[name]
    except KeyError:
        known = ", ".join(USERS)
        raise KeyError(f"no user {name!r} on the host under test; it has: {known}") from None
