# SPDX-License-Identifier: GPL-3.0-or-later
"""Trouble in the network: a censor, a captive portal, a name server that lies, a dead or slow line.

All of it sits on the LAN's router, before the fake Internet, and concerns whatever comes from the
LAN; the relays among themselves are not touched. The rules are one table of the router's own, put
in place at once and whole:

    with Censor(lab) as censor:
        censor.impose(blocked=censor.directories())             # dropped; reset=True: reset
        censor.impose(only_ports=frozenset({443}))              # and this as well
        censor.impose(dns=Dns.BLOCKED)
        censor.lift()                                           # nothing of it any more
        censor.impose(portal=Portal())                          # until somebody logs in

What is imposed stays until it is imposed otherwise. Connections that exist already are cut, too,
but for those that a portal's redirection has taken.
"""

from __future__ import annotations

import enum
import ipaddress
import re
import subprocess
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import TYPE_CHECKING, Any

from . import names, netns
from .portal import PAGE_PORT, SECRET_PORT, PortalServer
from .resolver import PORT as RESOLVER_PORT
from .resolver import Resolver

if TYPE_CHECKING:
    from .lab import Lab

TABLE = "censor"
PORTAL_ADDRESS = names.ROUTER_ADDRESS
# Where a name server that lies sends everybody.
LIE = names.ROGUE_ADDRESS


class Dns(enum.Enum):
    """What becomes of questions to any name server, by UDP and TCP."""

    OPEN = "answered"
    BLOCKED = "dropped"
    LYING = "answered with an address of the censor's"


@dataclass(frozen=True)
class Portal:
    """Every TCP connection to port 80 gets a redirection to the portal's page. Port 443 is refused,
    or with @own_certificate taken by the portal, which shows a certificate of its own. All else is
    dropped, but for questions to name servers, which with @dns are answered with the portal's
    address. Whoever asks for the page's /login is let through everything from then on."""

    own_certificate: bool = False
    dns: bool = False


@dataclass(frozen=True)
class Line:
    """How much comes through, each way; what would wait longer than @wait_ms is lost."""

    kilobits: int
    wait_ms: int = 2000


@dataclass(frozen=True)
class Regime:
    """All that is wrong at one time. Nothing, unless told."""

    blocked: frozenset[str] = field(default_factory=frozenset)
    reset: bool = False  # TCP to what is blocked: refused and not dropped
    only_ports: frozenset[int] | None = None  # of TCP; everything else is dropped
    dns: Dns = Dns.OPEN
    portal: Portal | None = None
    dead: bool = False  # everything is dropped, the router's own services too
    line: Line | None = None


class Censor:
    """A context manager: at its end nothing is imposed any more."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._ns = lab.ns(names.ROUTER)
        self._passed: set[str] = set()
        self.regime = Regime()
        self.portal: PortalServer | None = None
        self.resolver: Resolver | None = None

    def __enter__(self) -> Censor:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.lift()

    # Whom to block ----------------------------------------------------------------------------

    @staticmethod
    def directories() -> frozenset[str]:
        return frozenset(names.PUBLIC_NODES[node] for node in names.AUTHORITIES)

    @staticmethod
    def public_tor() -> frozenset[str]:
        """The authorities and all relays that anybody can look up: every one but the bridge."""
        return frozenset(names.PUBLIC_NODES[node] for node in names.AUTHORITIES + names.RELAYS)

    # Imposing ---------------------------------------------------------------------------------

    def impose(self, **changes: Any) -> None:
        """Change fields of the regime; what is not named stays as it is."""
        self._put(replace(self.regime, **changes))

    def lift(self) -> None:
        """Nothing is wrong any more, and nobody is logged in."""
        self._passed.clear()
        self._put(Regime())
        netns.nft(self._ns, f"table inet {TABLE}\ndelete table inet {TABLE}\n")

    def log_in(self, address: str = names.HOST_ADDRESS) -> None:
        """As if somebody at @address had filled in the portal's form."""
        self._passed.add(str(ipaddress.IPv4Address(address)))
        self._load()

    def log_out(self) -> None:
        """Of everybody: the time that was paid for has run out."""
        self._passed.clear()
        self._load()

    def dropped(self) -> dict[str, int]:
        """Packets that came to each of the table's verdicts, by the comment of its rule."""
        argv = ["nsenter", f"--net={netns.path(self._ns)}", "nft", "list", "table", "inet", TABLE]
        text = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
        return {name: int(count) for count, name
                in re.findall(r'counter packets (\d+) .*comment "([^"]+)"', text)}  # fmt: skip

    def _put(self, regime: Regime) -> None:
        """Servers first, so that nothing is sent to a door where nobody is."""
        lying = regime.dns is Dns.LYING or (regime.portal is not None and regime.portal.dns)
        if self.resolver:
            self.resolver.stop()
            self.resolver = None
        if lying:
            answer = LIE if regime.dns is Dns.LYING else PORTAL_ADDRESS
            self.resolver = Resolver(self._ns, answer).start()
        if regime.portal and self.portal is None:
            self.portal = PortalServer(self._lab, self.log_in).start()
        line_changed = regime.line != self.regime.line
        self.regime = regime
        self._load()
        if line_changed:
            self._set_line(regime.line)
        if not regime.portal and self.portal:
            self.portal.stop()
            self.portal = None

    def _load(self) -> None:
        netns.nft(self._ns, render(self.regime, frozenset(self._passed)))

    def _set_line(self, line: Line | None) -> None:
        for device in (names.ROUTER_WAN, names.HOST_LINK):
            argv = ["tc", "-n", self._ns, "qdisc"]
            if line is None:
                argv += ["del", "dev", device, "root"]
            else:
                argv += ["replace", "dev", device, "root", "tbf", "rate", f"{line.kilobits}kbit",
                         "burst", "4kb", "latency", f"{line.wait_ms}ms"]  # fmt: skip
            result = subprocess.run(argv, capture_output=True, text=True, check=False)
            if result.returncode != 0:
                raise RuntimeError(f"{' '.join(argv)}: {result.stderr.strip()}")


def render(regime: Regime, passed: frozenset[str] = frozenset()) -> str:
    """The table for one regime, in place of any that is there. Pure."""
    blocks = [
        _chain("look", "filter hook prerouting priority mangle", _look(regime)),
        _chain("steer", "nat hook prerouting priority dstnat", _steer(regime)),
        _chain("pass", "filter hook forward priority filter", _forward(regime)),
    ]
    through = f"elements = {{ {', '.join(sorted(passed))} }}" if passed else ""
    chains = "\n".join(blocks)
    return (f"table inet {TABLE}\ndelete table inet {TABLE}\n"
            f"table inet {TABLE} {{\nset passed {{ type ipv4_addr; {through}\n}}\n{chains}}}\n")


def _chain(name: str, kind: str, rules: list[str]) -> str:
    lines = [f"type {kind};", f'iifname != "{names.ROUTER_BRIDGE}" return', *rules]
    return f"chain {name} {{\n" + "\n".join(lines) + "\n}\n"


def _look(regime: Regime) -> list[str]:
    """Before the router itself or anybody else gets it."""
    rules = []
    if regime.dead:
        rules.append(_drop("", "dead"))
    if regime.dns is Dns.BLOCKED:
        rules.append(_drop("meta l4proto { tcp, udp } th dport 53", "dns"))
    return rules


def _steer(regime: Regime) -> list[str]:
    """To the censor's own servers."""
    rules = []
    ask = "meta l4proto { tcp, udp } th dport 53"
    if regime.dns is Dns.LYING:
        rules.append(f"{ask} redirect to :{RESOLVER_PORT}")
    if regime.portal:
        # The page is there for those who are logged in, too.
        rules.append(f"ip daddr {PORTAL_ADDRESS} tcp dport 80 redirect to :{PAGE_PORT}")
        rules.append("ip saddr @passed return")
        if regime.portal.dns:
            rules.append(f"{ask} redirect to :{RESOLVER_PORT}")
        rules.append(f"tcp dport 80 redirect to :{PAGE_PORT}")
        if regime.portal.own_certificate:
            rules.append(f"tcp dport 443 redirect to :{SECRET_PORT}")
    return rules


def _forward(regime: Regime) -> list[str]:
    rules = []
    if regime.blocked:
        whom = f"ip daddr {{ {', '.join(sorted(regime.blocked))} }}"
        if regime.reset:
            rules.append(_refuse(f"{whom} meta l4proto tcp", "blocked"))
        rules.append(_drop(whom, "blocked"))
    if regime.only_ports is not None:
        ports = ", ".join(map(str, sorted(regime.only_ports)))
        rules.append(_drop(f"tcp dport != {{ {ports} }}", "port"))
        rules.append(_drop("meta l4proto != tcp", "protocol"))
    if regime.portal:
        rules.append("ip saddr @passed accept")
        rules.append(_refuse("tcp dport 443", "portal"))
        rules.append(_drop("", "portal"))
    return rules


def _drop(what: str, why: str) -> str:
    return f'{what} counter drop comment "{why}"'


def _refuse(what: str, why: str) -> str:
    return f'{what} counter reject with tcp reset comment "{why}: reset"'
