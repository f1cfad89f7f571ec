# SPDX-License-Identifier: GPL-3.0-or-later
"""A program that must not get anything out: what the wire cases plant in the machine.

It runs inside the machine as root, from the laboratory layer, and tries on every network device,
again and again: a UDP datagram, a frame of IPv6, and one of no protocol at all, the last two past
the IP stack. What became of its tries it writes to a file, so that silence can be told from a
leaker that did not run.
"""

from __future__ import annotations

from . import layer

TARGET = ("198.51.100.80", 9)
TRIES = "/run/lethe-leaker"
REASONS = {
    "udp": "UDP to 198.51.100.80:9",
    "ipv6": "IPv6: UDP to port 9 from fe80::1 to ff02::1",
    "frame": "an experiment (ethertype 0x88b5) to ff:ff:ff:ff:ff:ff",
}
_PROGRAM = "/usr/lib/lethe-laboratory/leaker"
_UNIT = "lethe-leaker.service"
_PYTHON = "/opt/lethe-laboratory/bin/python3"
_LIBRARIES = "/opt/lethe-laboratory/lib"

_SOURCE = f'''\
"""Usage: leaker ROUNDS (0: without end)."""
import json, os, socket, struct, sys, time

TARGET, TRIES = {TARGET!r}, {TRIES!r}
MARK = b"lethe leaker"


def own_mac(device):
    with open(f"/sys/class/net/{{device}}/address") as text:
        return bytes.fromhex(text.read().strip().replace(":", ""))


def raw(device, destination, kind, payload):
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as wire:
        wire.bind((device, 0))
        wire.send(destination + own_mac(device) + struct.pack("!H", kind) + payload)


def udp(device):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as wire:
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode())
        wire.sendto(MARK, TARGET)


def ipv6(device):
    body = struct.pack("!HHHH", 40000, 9, 8 + len(MARK), 0) + MARK
    head = struct.pack("!IHBB", 6 << 28, len(body), 17, 64)
    for end in "fe80::1", "ff02::1":
        head += socket.inet_pton(socket.AF_INET6, end)
    raw(device, b"\\x33\\x33\\0\\0\\0\\1", 0x86DD, head + body)


def frame(device):
    raw(device, b"\\xff" * 6, 0x88B5, MARK.ljust(46, b"."))


tries = {{}}
rounds = int(sys.argv[1])
number = 0
while rounds == 0 or number < rounds:
    number += 1
    for _, device in socket.if_nameindex():
        if device == "lo":
            continue
        for way in (udp, ipv6, frame):
            try:
                way(device)
                outcome = "sent"
            except OSError as error:
                outcome = os.strerror(error.errno)
            of_way = tries.setdefault(way.__name__, {{}})
            of_way[outcome] = of_way.get(outcome, 0) + 1
    with open(TRIES + ".new", "w") as output:
        json.dump(tries, output)
    os.rename(TRIES + ".new", TRIES)
    time.sleep(0.25)
'''

_SERVICE = f"""\
[Unit]
Description=A leaker that tests planted
DefaultDependencies=no
After=lethe-laboratory-agent.service
Wants=lethe-laboratory-agent.service

[Service]
Environment=LD_LIBRARY_PATH={_LIBRARIES}
ExecStart={_PYTHON} -S -E {_PROGRAM} 0
"""


def program() -> dict[str, layer.File | layer.Link]:
    """The program alone, for once()."""
    return {_PROGRAM: layer.File(_SOURCE)}


def planted() -> dict[str, layer.File | layer.Link]:
    """Files of the layer: the leaker runs from early in the boot."""
    return program() | layer.unit(_UNIT, _SERVICE, "sysinit.target")


def once(rounds: int = 3) -> list[str]:
    """A command that tries now, so often."""
    return ["env", f"LD_LIBRARY_PATH={_LIBRARIES}", _PYTHON, "-S", "-E", _PROGRAM, str(rounds)]
