# SPDX-License-Identifier: GPL-3.0-or-later
"""Which names a packet asks for: DNS over UDP and TCP, mDNS, LLMNR, NetBIOS. Never raises: what is
no question asks for nothing."""

from __future__ import annotations

import struct

DNS, DNS_TLS, NETBIOS, MDNS, LLMNR = 53, 853, 137, 5353, 5355
LOOKUP_PORTS = {
    DNS: "DNS",
    DNS_TLS: "DNS over TLS",
    NETBIOS: "NetBIOS",
    MDNS: "mDNS",
    LLMNR: "LLMNR",
}
_HEADER_BYTES = 12
_QUESTIONS_MAX, _NAME_MAX = 8, 255


def asked(port: int, payload: bytes, stream: bool = False) -> list[str]:
    """The names in a message to @port; over a @stream, a length comes first."""
    if stream:
        payload = payload[2:]
    if port not in LOOKUP_PORTS or len(payload) < _HEADER_BYTES:
        return []
    flags, count = struct.unpack_from("!HH", payload, 2)
    if flags & 0x8000:
        return []  # an answer
    names, offset = [], _HEADER_BYTES
    for _ in range(min(count, _QUESTIONS_MAX)):
        name, offset = _name(payload, offset)
        if not offset:
            break
        names.append(_netbios(name) if port == NETBIOS else name)
        offset += 4
    return names


def _name(message: bytes, offset: int) -> tuple[str, int]:
    """A name and where it ends; the end is 0 if there is none. Questions hold no pointers."""
    labels: list[str] = []
    size = 0
    while offset < len(message) and size <= _NAME_MAX:
        length = message[offset]
        if length == 0:
            return ".".join(labels) or ".", offset + 1
        if length > 63 or offset + 1 + length > len(message):
            break
        labels.append(_printable(message[offset + 1 : offset + 1 + length]))
        offset += 1 + length
        size += 1 + length
    return "", 0


def _netbios(name: str) -> str:
    """RFC 1001: each half byte is a letter from A on; the last byte tells the kind of service."""
    label = name.split(".")[0]
    if len(label) != 32 or not all("A" <= letter <= "P" for letter in label):
        return name
    values = [ord(letter) - ord("A") for letter in label]
    raw = bytes(high << 4 | low for high, low in zip(values[::2], values[1::2]))
    return _printable(raw[:15].rstrip(b" \0"))


def _printable(raw: bytes) -> str:
    return "".join(chr(byte) if 0x21 <= byte < 0x7F else f"\\{byte:03d}" for byte in raw)
