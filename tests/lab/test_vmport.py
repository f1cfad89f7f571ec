# SPDX-License-Identifier: GPL-3.0-or-later
"""The port for a virtual machine: what is plugged in there is on the LAN, like any neighbour."""

from __future__ import annotations

import fcntl
import os
import select
import socket
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from conftest import lab_name, say
from labkit import dhcp, frames, names, netns
from labkit.capture import Capture
from labkit.lab import Lab
from labkit.vmport import VmPort
from labkit.wait import wait_for

SECONDS = 30.0
_TUNSETIFF = 0x400454CA
_TAP_WITHOUT_HEADER = 0x1002  # IFF_TAP | IFF_NO_PI
_ARP_REPLY = b"\x08\x06\x00\x01\x08\x00\x06\x04\x00\x02"


class Card:
    """What QEMU is for a guest: the other end of the tap device."""

    def __init__(self, port: VmPort, mac: str = names.VM_MAC) -> None:
        self.mac = mac
        self._tap = netns.run_in(port.namespace, _open_tap, port.device)
        # The bridge looks at a new carrier when it gets to it.
        wait_for(lambda: _forwards(port), SECONDS, f"{port.device} being forwarded to")

    def close(self) -> None:
        os.close(self._tap)

    def send(self, frame: bytes) -> None:
        os.write(self._tap, frame)

    def frames(self, seconds: float = SECONDS) -> Iterator[bytes]:
        """What comes in. Ends when nothing has come for so long."""
        while select.select([self._tap], [], [], seconds)[0]:
            yield os.read(self._tap, 65536)

    def ask_arp(self, address: str) -> None:
        ends = frames.mac_bytes(self.mac) + socket.inet_aton(names.VM_ADDRESS)
        body = struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1) + ends + bytes(6)
        self.send(b"\xff" * 6 + frames.mac_bytes(self.mac) + b"\x08\x06" + body
                  + socket.inet_aton(address))  # fmt: skip

    def discover(self) -> int:
        question = dhcp.discover(self.mac)
        payload = question.encode()
        datagram = struct.pack("!HHHH", 68, 67, 8 + len(payload), 0) + payload
        packet = frames.ipv4("0.0.0.0", "255.255.255.255", 17, datagram)
        self.send(b"\xff" * 6 + frames.mac_bytes(self.mac) + b"\x08\x00" + packet)
        return question.transaction

    def offers(self, count: int = 1) -> list[dhcp.Message]:
        """The first answers of DHCP servers to a question of ours."""
        transaction, found = self.discover(), []
        for frame in self.frames():
            if frame[12:14] == b"\x08\x00" and frame[23] == 17 and frame[36:38] == b"\x00\x44":
                answer = dhcp.decode(frame[42:])
                if answer and answer.transaction == transaction:
                    found.append(answer)
            if len(found) == count:
                return found
        raise TimeoutError(f"{len(found)} of {count} DHCP servers answered")


def _open_tap(device: str) -> int:
    descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    request = struct.pack("16sH22x", device.encode(), _TAP_WITHOUT_HEADER)
    fcntl.ioctl(descriptor, _TUNSETIFF, request)
    return descriptor


def _forwards(port: VmPort) -> bool:
    argv = ["ip", "-n", port.namespace, "-d", "link", "show", port.device]
    said = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    return "bridge_slave state forwarding" in said


@contextmanager
def _card(lab: Lab, mac: str = names.VM_MAC) -> Iterator[Card]:
    with lab.vm_port() as port:
        card = Card(port, mac)
        try:
            yield card
        finally:
            card.close()


@pytest.fixture(scope="module")
def small() -> Iterator[Lab]:
    laboratory = Lab(lab_name("-vm"), progress=say)
    laboratory.up(tor=False)
    yield laboratory
    laboratory.down()


def _devices(lab: Lab) -> set[str]:
    return set(netns.run_in(lab.ns(names.ROUTER), lambda: {n for _, n in socket.if_nameindex()}))


def test_the_port_is_there_while_it_is_wanted(small: Lab) -> None:
    with small.vm_port() as port:
        assert port == VmPort(small.ns(names.ROUTER), names.VM_PORT)
        assert names.VM_PORT in _devices(small)
        with small.vm_port("p-vm2"):
            assert "p-vm2" in _devices(small)
        assert "p-vm2" not in _devices(small)
        with pytest.raises(RuntimeError, match="tuntap"):
            small.vm_port().__enter__()
    assert names.VM_PORT not in _devices(small)


def test_the_port_goes_when_its_user_fails(small: Lab) -> None:
    with pytest.raises(KeyError):
        with small.vm_port():
            raise KeyError("of the user")
    assert names.VM_PORT not in _devices(small)


@pytest.mark.parametrize("name", ["br0", "p-", "p-../x", "p-far-too-long-a-name"])
def test_only_a_ports_name_is_taken(small: Lab, name: str) -> None:
    with pytest.raises(ValueError, match="p-NAME"):
        small.vm_port(name).__enter__()


@pytest.mark.parametrize(
    "address", [names.ROUTER_ADDRESS, names.PRINTER_ADDRESS, names.HOST_ADDRESS]
)
def test_neighbours_answer(small: Lab, address: str) -> None:
    wanted = _ARP_REPLY
    with _card(small) as card:
        card.ask_arp(address)
        assert any(frame[12:22] == wanted and frame[28:32] == socket.inet_aton(address)
                   for frame in card.frames())  # fmt: skip


def test_what_the_machine_sends_is_captured_at_its_port(small: Lab) -> None:
    strange = b"\xff" * 6 + frames.mac_bytes(names.VM_MAC) + b"\x88\xb6" + b"lethe" * 20
    with _card(small) as card, Capture(small, device=names.VM_PORT) as tap:
        card.send(strange)
        card.ask_arp(names.ROUTER_ADDRESS)
        assert next(f for f in card.frames() if f[12:22] == _ARP_REPLY)
        seen = tap.stop()
    assert [f.data for f in seen if f.incoming][0] == strange
    assert any(f.data[12:22] == _ARP_REPLY for f in seen if not f.incoming)


@pytest.mark.parametrize(
    ("mac", "lease"),
    [(names.VM_MAC, names.VM_ADDRESS), (names.VM_MAC_SECOND, names.DHCP_OTHER_LEASE)],
)
def test_each_card_has_its_lease(small: Lab, mac: str, lease: str) -> None:
    with _card(small, mac) as card:
        (offer,) = card.offers()
    assert offer.offered == lease
    assert offer.options[dhcp.OPTION_SERVER] == socket.inet_aton(names.ROUTER_ADDRESS)


def test_a_second_server_answers_strangers(hostile_lab: Lab) -> None:
    with _card(hostile_lab) as card:
        offers = {offer.offered: offer.options for offer in card.offers(2)}
    assert set(offers) == {names.VM_ADDRESS, names.ROGUE_LEASE}
    rogue = offers[names.ROGUE_LEASE]
    assert rogue[dhcp.OPTION_ROUTER] == socket.inet_aton(names.HOSTILE_GATEWAY)
    assert rogue[dhcp.OPTION_SERVER] == socket.inet_aton(names.GUEST_ADDRESS)


@pytest.mark.parametrize(
    ("poison", "option"),
    [("routes", dhcp.OPTION_CLASSLESS_ROUTES), ("servers", dhcp.OPTION_WPAD),
     ("names", dhcp.OPTION_HOSTNAME), ("search", dhcp.OPTION_SEARCH),
     ("huge", dhcp.OPTION_SEARCH), ("mtu", dhcp.OPTION_MTU)],
)  # fmt: skip
def test_each_poison_comes_by_itself(small: Lab, poison: str, option: int) -> None:
    small.start_services(hostile=False, poisons=[poison])
    try:
        with _card(small) as card:
            (offer,) = card.offers()
    finally:
        small.start_services(hostile=False)
    honest = dhcp.Server().reply(dhcp.discover(names.VM_MAC).encode(), ())
    assert honest is not None
    plain = dhcp.decode(honest)
    assert plain is not None
    assert option in offer.options and option not in plain.options
    assert set(offer.options) - set(plain.options) <= set(dhcp.POISONS[poison]())


def test_every_hostile_answer_fits_a_frame() -> None:
    """In fragments it would not be read, and nothing would be tried."""
    poisons = [word for word in dhcp.HOSTILE if word != dhcp.SECOND_SERVER]
    answer = dhcp.Server(poisons).reply(dhcp.discover(names.VM_MAC).encode(), ())
    assert answer and 1000 < len(answer) <= 1472


def test_a_server_is_silent_when_another_was_chosen() -> None:
    question = dhcp.discover(names.VM_MAC)
    question.options[dhcp.OPTION_TYPE] = bytes([dhcp.REQUEST])
    servers = {names.ROUTER_ADDRESS: dhcp.Server(), names.GUEST_ADDRESS: dhcp.RogueServer()}
    for chosen in servers:
        question.options[dhcp.OPTION_SERVER] = socket.inet_aton(chosen)
        for identity, server in servers.items():
            assert (server.reply(question.encode(), ()) is not None) == (identity == chosen)
