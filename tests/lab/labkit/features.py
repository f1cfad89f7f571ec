# SPDX-License-Identifier: GPL-3.0-or-later
"""What the running kernel's nftables can do. Each is tried, in a network namespace of its own, by
messages that are made here: a witness beside what Lethe finds out for itself."""

from __future__ import annotations

import errno
import functools
import os
import socket
import struct
from collections.abc import Iterable

from . import names, netns

NETLINK_NETFILTER = 12
NLMSG_ERROR = 2
NLM_F_REQUEST, NLM_F_ACK, NLM_F_CREATE = 1, 4, 0x400
BATCH_BEGIN, BATCH_END = 0x10, 0x11
NFNL_SUBSYS_NFTABLES = 10
NEW_TABLE, NEW_CHAIN = NFNL_SUBSYS_NFTABLES << 8, NFNL_SUBSYS_NFTABLES << 8 | 3
NFPROTO_INET, NFPROTO_NETDEV = 1, 5
OWNER, PERSIST = 2, 4  # flags of a table
EGRESS = 1
NESTED = 0x8000

Message = tuple[int, int, bytes]  # kind, family, attributes


def _attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def _number(kind: int, value: int) -> bytes:
    return _attribute(kind, struct.pack("!I", value))


def _text(kind: int, value: str) -> bytes:
    return _attribute(kind, value.encode() + b"\0")


def _message(kind: int, family: int, attributes: bytes, resource: int = 0, flags: int = 0) -> bytes:
    body = struct.pack("!BBH", family, 0, resource) + attributes
    return struct.pack("=IHHII", 16 + len(body), kind, NLM_F_REQUEST | flags, 1, 0) + body


def _transact(messages: Iterable[Message]) -> int:
    """One transaction; 0, or the number of the error for which it was refused."""
    batch = _message(BATCH_BEGIN, 0, b"", NFNL_SUBSYS_NFTABLES)
    count = 0
    for kind, family, attributes in messages:
        batch += _message(kind, family, attributes, flags=NLM_F_ACK | NLM_F_CREATE)
        count += 1
    batch += _message(BATCH_END, 0, b"", NFNL_SUBSYS_NFTABLES)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC,
                       NETLINK_NETFILTER) as netlink:  # fmt: skip
        netlink.settimeout(60.0)
        netlink.sendto(batch, (0, 0))
        for _ in range(count):
            answer = netlink.recv(65536)
            kind, error = struct.unpack_from("=H", answer, 4)[0], struct.unpack_from("=i", answer, 16)[0]
            assert kind == NLMSG_ERROR, answer.hex()
            if error:
                return -error
    return 0


def _tried(*messages: Message) -> int:
    ns = f"{names.NAMESPACE_PREFIX}feature-{os.getpid()}"
    netns.ip_batch([f"netns add {ns}"])
    try:
        return netns.run_in(ns, _transact, messages)
    finally:
        netns.ip_batch([f"netns del {ns}"])


def _table(family: int, *more: bytes) -> Message:
    return NEW_TABLE, family, _text(1, "feature") + b"".join(more)


def _is_there(error: int, without: set[int]) -> bool:
    if error and error not in without:
        raise OSError(error, f"the kernel's nftables: {os.strerror(error)}")
    return error == 0


@functools.cache
def persists() -> bool:
    """Can a table have an owner and outlive it (in Linux since 6.9)?"""
    error = _tried(_table(NFPROTO_INET, _number(2, OWNER | PERSIST)))
    return _is_there(error, {errno.EOPNOTSUPP, errno.EINVAL})


@functools.cache
def binds_by_prefix() -> bool:
    """Are devices that appear later given the chains that are there (in Linux since 6.18)?"""
    devices = _attribute(4 | NESTED, _text(2, ""))
    hook = _attribute(4 | NESTED, _number(1, EGRESS) + _number(2, 0) + devices)
    chain = _text(1, "feature") + _text(3, "chain") + hook + _text(7, "filter")
    error = _tried(_table(NFPROTO_NETDEV), (NEW_CHAIN, NFPROTO_NETDEV, chain))
    return _is_there(error, {errno.EINVAL, errno.EOPNOTSUPP})
