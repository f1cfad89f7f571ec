# SPDX-License-Identifier: GPL-3.0-or-later
"""What is compared: Lethe's policies of any size, and the peers' shape of rules."""

from __future__ import annotations

import re
from pathlib import Path

SOURCE = Path(__file__).resolve().parent.parent.parent
RULES = SOURCE / "bench" / "rules"
POLICY = SOURCE / "data" / "policy.conf"
PASSWD = SOURCE / "tests" / "support" / "passwd"

# Not next to each other, so that ranges cannot be merged: the worst for a filter.
FIRST_PORT = 10000
PORT_STEP = 5

NFT_USERS = {
    "TOR": "debian-tor",
    "AMNESIA": "amnesia",
    "CLEARNET": "clearnet",
    "APT": "_apt",
    "NOBODY": "nobody",
}

INTERVALS_IN_A_LINE = 40  # a line has at most 1024 bytes


def users() -> dict[str, int]:
    lines = PASSWD.read_text(encoding="utf-8").splitlines()
    return {line.split(":")[0]: int(line.split(":")[2]) for line in lines}


def ports(services: int) -> list[int]:
    """The local ports of a policy with so many services."""
    return [FIRST_PORT + PORT_STEP * i for i in range(services)]


def middle_port(services: int) -> int:
    """A granted port that a list of rules reaches after half of its length."""
    return ports(services)[services // 2] if services else FIRST_PORT


def policy(services: int) -> str:
    """The shipped policy; with services, its strict variant: amnesia has these and no others."""
    text = POLICY.read_text(encoding="utf-8")
    # What packages have added on the machine that measures is not part of the comparison.
    text = re.sub(r"^include .*\n", "", text, flags=re.MULTILINE)
    if services == 0:
        return text
    text, count = re.subn(r"^allow amnesia to loopback .*\n", "", text, flags=re.MULTILINE)
    if count != 1:
        raise ValueError(f"{POLICY}: no line that opens loopback to amnesia")
    lines = [f"service bench-{port} tcp {port} for amnesia" for port in ports(services)]
    return text + "\n".join(lines) + "\n"


def users_policy(count: int) -> str:
    """The shipped policy, and so many users more who may each connect to one port."""
    lines = [f"allow {20000 + i} to internet over tcp {FIRST_PORT + i}" for i in range(count)]
    return policy(0) + "\n".join(lines) + "\n"


def networks_policy(count: int) -> str:
    """The shipped policy, and grants to so many intervals that do not touch."""
    parts = [f"20.{2 * i // 256}.{2 * i % 256}.0/24" for i in range(count)]
    text = policy(0)
    for first in range(0, count, INTERVALS_IN_A_LINE):
        some = ", ".join(parts[first:first + INTERVALS_IN_A_LINE])
        text += f"network many{first} = {some}\nallow amnesia to many{first} over tcp 443\n"
    return text


def peer(name: str, services: int = 0) -> str:
    """The rules in bench/rules/NAME.nft, with a list of allowed local ports."""
    known = users()
    text = (RULES / f"{name}.nft").read_text(encoding="utf-8")
    rules = [f'\t\toif "lo" meta skuid $AMNESIA tcp dport {port} accept\n'
             for port in ports(services)]
    text = re.sub(r"^\t*# services\n", "".join(rules), text, flags=re.MULTILINE)
    return re.sub(r"\$([A-Z]+)", lambda word: str(known[NFT_USERS[word[1]]]), text)


def only_inet(listing: str) -> str:
    return re.sub(r"^table netdev .*?^}\n", "", listing, flags=re.MULTILINE | re.DOTALL)


def for_nft(listing: str, devices: list[str]) -> str:
    """What `lethe-wall compile` prints, as nft can load it again and again.

    nft has no word for "every device": it gets the names of those present, which is what Lethe
    itself does on a kernel that cannot bind by prefix.
    """
    names = ", ".join(devices)
    # An echo's identifier has no type that `type` could name.
    listing = re.sub(r"^(\tset echoes {\n\t\t)type .*$", r"\1typeof ip saddr . icmp id", listing,
                     flags=re.MULTILINE)
    listing = re.sub(r"^\t\t# on every device.*\n(\t\ttype filter hook egress)",
                     rf"\1 devices = {{ {names} }}", listing, flags=re.MULTILINE)
    families = re.findall(r"^table (\w+) (\w+) ", listing, flags=re.MULTILINE)
    replace = "".join(f"table {family} {table}\ndelete table {family} {table}\n"
                      for family, table in families)
    return replace + listing
