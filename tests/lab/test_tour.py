# SPDX-License-Identifier: GPL-3.0-or-later
"""The tour that ./run shows: every step comes out as promised, and a step that does not is told."""

from __future__ import annotations

import errno
import os

import pytest

from labkit import names, rules, tour
from labkit.capture import Capture, Frame
from labkit.lab import Lab


def _frame(destination: str, protocol: int = 6, incoming: bool = True, port: int = 443) -> Frame:
    header = bytearray(20)
    header[0], header[9] = 0x45, protocol
    header[16:20] = bytes(map(int, destination.split(".")))
    body = (40000).to_bytes(2, "big") + port.to_bytes(2, "big") + bytes(16)
    return Frame(0, bytes(12) + b"\x08\x00" + bytes(header) + body, incoming)


def test_frames_to_relays_are_no_strays():
    outcome = tour.judge_frames([_frame(names.PUBLIC_NODES["r1"])], set())
    assert outcome.good and "1 to Tor's relays" in outcome.wire


@pytest.mark.parametrize("frame", [
    _frame(names.ECHO_ADDRESS, 17, port=53),
    _frame(names.WEB_ADDRESS),
    _frame(names.PUBLIC_NODES["r1"], 17),  # a relay's address makes no datagram Tor's
    Frame(0, bytes(12) + b"\x86\xdd" + bytes(60), True),
    Frame(0, b"short", True),
])  # fmt: skip
def test_anything_else_is_a_stray(frame: Frame):
    outcome = tour.judge_frames([frame], set())
    assert not outcome.good and "ELSEWHERE" in outcome.wire


def test_what_the_step_is_about_may_be_reached_and_answers_do_not_count():
    reached = {bytes(map(int, names.WEB_ADDRESS.split(".")))}
    assert tour.judge_frames([_frame(names.WEB_ADDRESS)], reached).good
    assert tour.judge_frames([_frame(names.ECHO_ADDRESS, incoming=False)], set()).good


def _raise(number: int):
    def action() -> str:
        raise OSError(number, os.strerror(number))

    return action


@pytest.mark.parametrize(("step", "promised"), [
    (tour.Step("", "", "", lambda: "page", True, must_contain="page"), True),
    (tour.Step("", "", "", lambda: "other", True, must_contain="page"), False),
    (tour.Step("", "", "", lambda: "seen from me", True, must_not_contain="from me"), False),
    (tour.Step("", "", "", lambda: "connected", False), False),
    (tour.Step("", "", "", _raise(errno.ECONNREFUSED), False, at_once=True), True),
    (tour.Step("", "", "", _raise(errno.ETIMEDOUT), False, at_once=True), False),
    (tour.Step("", "", "", _raise(errno.ENETUNREACH), False, at_once=True), False),
    (tour.Step("", "", "", _raise(errno.ENETUNREACH), False, at_once=True, unrouted=True), True),
    (tour.Step("", "", "", _raise(errno.ETIMEDOUT), False, at_once=True, unrouted=True), False),
    (tour.Step("", "", "", _raise(errno.EPERM), False), True),
    (tour.Step("", "", "", _raise(errno.ECONNREFUSED), True), False),
])  # fmt: skip
def test_a_step_is_judged_by_what_happened(bare: Lab, step: tour.Step, promised: bool):
    guide = tour.Tour(bare)
    with Capture(bare) as capture:
        assert guide.attempt(step, capture).good == promised


def test_every_step_comes_out_as_promised(bare: Lab):
    rules.apply_lethe(bare)
    bare.host.start_clearnet()
    shown: list[str] = []
    good = tour.Tour(bare).run(shown.append)
    assert good, "".join(text for text in shown if "FAIL" in text)
    assert len(shown) >= 25


def test_an_open_host_fails_the_tour(bare: Lab):
    """The anti-test: without rules the refusals do not come, and the tour says so."""
    bare.host.start_clearnet()
    guide = tour.Tour(bare)
    with Capture(bare) as capture:
        outcomes = [guide.attempt(step, capture) for step in guide._direct()]
    assert not any(outcome.good for outcome in outcomes)
    assert all(outcome.strays for outcome in outcomes)
