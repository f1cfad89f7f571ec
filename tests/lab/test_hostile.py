# SPDX-License-Identifier: GPL-3.0-or-later
"""The hostile router's attacks are real: they work on an unprotected host."""

from __future__ import annotations

import socket
import struct
import subprocess

import pytest

from labkit import client, dhcp, names, netns
from labkit.capture import Capture, Frame
from labkit.lab import Lab
from labkit.wait import wait_for

SECONDS = 60.0


def _ip(lab: Lab, node: str, *words: str) -> str:
    return subprocess.run(["ip", "-n", lab.ns(node), *words],
                          capture_output=True, text=True, check=True).stdout  # fmt: skip


def _is_advertisement(frame: Frame) -> bool:
    return frame.ethertype == 0x86DD and frame.data[20] == 58 and frame.data[54] == 134


def _is_redirect(frame: Frame) -> bool:
    return frame.ethertype == 0x0800 and frame.data[23] == 1 and frame.data[34] == 5


@pytest.mark.parametrize("attack", [_is_advertisement, _is_redirect])
def test_attacks_reach_the_host(hostile_lab: Lab, attack) -> None:
    with Capture(hostile_lab) as tap:
        wait_for(lambda: any(attack(f) and not f.incoming for f in tap.sync()), SECONDS,
                 "an attack")  # fmt: skip


def test_an_ordinary_router_attacks_nobody(lab: Lab) -> None:
    """The anti-test: the same detectors on a lab whose router is honest, after real traffic."""
    with Capture(lab) as tap:
        lab.host.call(client.http_get, names.WEB_ADDRESS)
        lab.host.call(client.http_get, names.WEB_ADDRESS6)
    assert len(tap.stop()) > 10
    assert not any(_is_advertisement(f) or _is_redirect(f) for f in tap.stop())


@pytest.mark.parametrize("node", [names.HOST, names.GUEST])
def test_advertisements_are_believed(hostile_lab: Lab, node: str) -> None:
    prefix = names.HOSTILE_PREFIX.removesuffix(":/64")
    wait_for(lambda: prefix in _ip(hostile_lab, node, "-6", "addr", "show", "dev", "eth0"), SECONDS,
             "an address of the hostile prefix")  # fmt: skip
    assert "pref high" in _ip(hostile_lab, node, "-6", "route", "show", "default")


@pytest.mark.parametrize("node", [names.HOST, names.GUEST])
def test_redirects_are_believed(hostile_lab: Lab, node: str) -> None:
    def redirected() -> bool:
        # A redirect is for a route in use.
        netns.run_in(hostile_lab.ns(node), client.http_get, names.WEB_ADDRESS)
        route = _ip(hostile_lab, node, "route", "get", names.WEB_ADDRESS)
        return f"via {names.HOSTILE_GATEWAY}" in route

    wait_for(redirected, SECONDS, "a redirected route")


def _answers(frame: Frame) -> str:
    """What an answer to a prying neighbour is, in words; empty: it is none."""
    data = frame.data
    if not frame.incoming:
        return ""
    if frame.ethertype == 0x0806:
        return "arp reply" if data[21] == 2 else ""
    if frame.ethertype == 0x86DD and len(data) > 54:
        at = 62 if data[20] == 0 else 54
        return {129: "echo6 reply", 136: "neighbour", 131: "groups6"}.get(data[at], "")
    if frame.ethertype != 0x0800:
        return ""
    if data[23] == 1:
        return {0: "echo reply", 14: "time", 3: f"unreachable {data[35]}", 11: "too late"}.get(
            data[34], "")  # fmt: skip
    if data[23] == 6 and data[47] & 4:
        return f"reset {int.from_bytes(data[34:36], 'big')}"
    return "groups" if data[23] == 2 else ""


ANSWERS = {"arp reply", "echo reply", "time", "unreachable 3", "unreachable 2", "too late",
           "reset 22", "reset 9050", "echo6 reply", "neighbour", "groups", "groups6"}  # fmt: skip


def test_an_unprotected_neighbour_answers_everything(hostile_lab: Lab) -> None:
    """So silence under a filter means something. (It must be in a group to report groups.)"""
    guest = hostile_lab.ns(names.GUEST)
    pending = set(ANSWERS)
    member = netns.run_in(guest, socket.socket, socket.AF_INET, socket.SOCK_DGRAM)
    with member, Capture(hostile_lab, device=f"p-{names.GUEST}") as tap:
        group = socket.inet_aton("239.1.2.3") + socket.inet_aton(names.GUEST_ADDRESS)
        member.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, group)

        def all_seen() -> bool:
            pending.difference_update(_answers(frame) for frame in tap.take())
            return not pending

        try:
            wait_for(all_seen, SECONDS * 2, "an answer of each kind")
        except TimeoutError:
            pytest.fail(f"never answered: {', '.join(sorted(pending))}")


def test_an_honest_lan_is_not_prying(lab: Lab) -> None:
    """The anti-test: the same detector where nobody pries."""
    with Capture(lab, device=f"p-{names.GUEST}") as tap:
        netns.run_in(lab.ns(names.GUEST), client.http_get, names.WEB_ADDRESS)
    assert len(tap.stop()) > 10
    assert {_answers(frame) for frame in tap.stop()} <= {"", "arp reply", "neighbour"}


def test_names_are_answered_falsely(hostile_lab: Lab, lab: Lab) -> None:
    asked = (client.resolve, names.WEB_NAME, names.LAN_RESOLVER)
    assert hostile_lab.host.call(*asked) == [names.ROGUE_ADDRESS]
    assert lab.host.call(*asked) == [names.WEB_ADDRESS]


def _lease() -> dict[int, bytes]:
    """What a DHCP client on the guest is offered."""
    question = dhcp.discover(names.GUEST_MAC)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as endpoint:
        endpoint.settimeout(client.SECONDS)
        endpoint.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        endpoint.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, names.LAN_DEVICE.encode())
        endpoint.bind(("0.0.0.0", dhcp.CLIENT_PORT))
        endpoint.sendto(question.encode(), ("255.255.255.255", dhcp.SERVER_PORT))
        answer = dhcp.decode(endpoint.recv(4096))
    assert answer and answer.transaction == question.transaction
    assert answer.offered == names.GUEST_ADDRESS
    return answer.options


def test_dhcp_offers_are_poisoned(hostile_lab: Lab) -> None:
    options = netns.run_in(hostile_lab.ns(names.GUEST), _lease)
    gateway = socket.inet_aton(names.HOSTILE_GATEWAY)
    assert options[dhcp.OPTION_CLASSLESS_ROUTES] == (
        b"\x18\xcb\x00\x71" + gateway + b"\x01\x00" + gateway
    )
    assert options[dhcp.OPTION_WPAD] == names.HOSTILE_WPAD.encode()
    assert options[dhcp.OPTION_DNS] == socket.inet_aton(names.ROGUE_ADDRESS)
    assert options[dhcp.OPTION_MTU] == struct.pack("!H", 68)
    assert len(options[dhcp.OPTION_SEARCH]) > 1000


def test_an_ordinary_dhcp_offer_is_honest(lab: Lab) -> None:
    options = netns.run_in(lab.ns(names.GUEST), _lease)
    assert options[dhcp.OPTION_ROUTER] == socket.inet_aton(names.ROUTER_ADDRESS)
    assert options[dhcp.OPTION_DNS] == socket.inet_aton(names.LAN_RESOLVER)
    assert not {dhcp.OPTION_CLASSLESS_ROUTES, dhcp.OPTION_WPAD, dhcp.OPTION_SEARCH} & set(options)
