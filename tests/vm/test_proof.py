# SPDX-License-Identifier: GPL-3.0-or-later
"""The proof in the booted image (P1): links wait for it, and a filter that is refuted is sealed."""

from __future__ import annotations

import json

import pytest

from vmkit.guest import Guest
from vmkit.machine import Machine
from vmkit.well import Well, ask

pytestmark = pytest.mark.xdist_group("status")

ACCEPT = "nft insert rule inet lethe anyone ip daddr 198.51.100.80 tcp dport 443 accept"


def proof_at_start(guest: Guest) -> dict[str, object]:
    return json.loads(guest.text(["cat", "/run/lethe/proof.json"]))


def state_of(guest: Guest, unit: str) -> str:
    return guest.text(["systemctl", "show", "--property=ActiveState", "--value", unit]).strip()


def test_the_booted_system_is_proved(well: Well, machine: Machine, guest: Guest) -> None:
    """Before links came up, of all namespaces; and now."""
    at_start = proof_at_start(guest)
    assert at_start["answer"] == "proved", at_start
    assert state_of(guest, "lethe-proof.service") == "active"
    now = json.loads(guest.text(["lethe-proof", "--json", "check"]))
    assert now["answer"] == "proved", now
    assert well.status.part("Proof").startswith("good: proved: "), well.status.text
    claims = json.loads(guest.text(["lethe-proof", "--json", "claims"]))["sentences"]
    assert len(claims) > 30
    assert [c["id"] for c in claims if c["answer"] != "proved"] == []


def test_links_and_tor_wait_for_the_proof(guest: Guest) -> None:
    for unit in ("NetworkManager.service", "tor@default.service"):
        for kind in ("Requires", "After"):
            listed = guest.text(["systemctl", "show", f"--property={kind}", "--value", unit])
            assert "lethe-proof.service" in listed.split(), (unit, kind, listed)


def test_a_refuted_filter_is_sealed_and_no_link_comes_up(machine: Machine, guest: Guest) -> None:
    """The start once more, with a fault planted between the filter and its proof."""
    guest.text(["systemctl", "stop", "NetworkManager.service", "tor@default.service",
                "lethe-proof.service", "lethe-guard.service"])  # fmt: skip
    guest.text(ACCEPT.split())
    started = guest.run(["systemctl", "start", "NetworkManager.service"], timeout=300)
    assert started.returncode != 0
    guest.text(["systemctl", "start", "lethe-seal.service"])  # wait for the one that OnFailure began
    assert state_of(guest, "lethe-proof.service") == "failed"
    assert state_of(guest, "NetworkManager.service") != "active"
    told = json.loads(guest.run(["lethe-wall", "--json", "status"]).stdout)
    assert told["rules"] == "seal", told
    at_start = proof_at_start(guest)
    assert at_start["answer"] == "refuted" and at_start["fault"] == "leak", at_start
    status = ask(machine)
    assert status.code == 1, status.text
    proof = " ".join(status.part("Proof").split())
    assert proof.startswith("BAD: REFUTED: the kernel lets pass"), status.text
    assert "198.51.100.80:443" in proof and "everything was sealed" in proof, status.text


def test_a_changed_policy_is_proved_again(machine: Machine, guest: Guest) -> None:
    """A reload runs the proof; one that something outside the rules refuses, seals."""
    guest.text(["systemctl", "reload", "lethe-wall.service"], timeout=300)
    assert proof_at_start(guest)["answer"] == "proved"
    guest.text(["sh", "-c", "echo 1 >/proc/sys/net/ipv4/conf/all/forwarding"])
    guest.run(["systemctl", "reload", "lethe-wall.service"], timeout=300)
    guest.run(["systemctl", "start", "lethe-seal.service"], timeout=300)
    told = json.loads(guest.run(["lethe-wall", "--json", "status"]).stdout)
    assert told["rules"] == "seal", told
