# SPDX-License-Identifier: GPL-3.0-or-later
"""The private Tor network does what the real one does for a client."""

from __future__ import annotations

import ipaddress
import shutil
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from conftest import lab_name
from labkit import client, names, netns, processes, rules, torcontrol, torkeys
from labkit.lab import Lab, LabError
from labkit.wait import wait_for

AMNESIA = names.AMNESIA
SOCKS_PORTS = (
    names.TOR_SOCKS_PORT,
    names.TOR_SOCKS_SYSTEM_PORT,
    names.TOR_SOCKS_DOWNLOAD_PORT,
    names.TOR_SOCKS_BROWSER_PORT,
)
EXIT_BODIES = {f"{names.WEB_BODY_START}{names.PUBLIC_NODES[node]}\n" for node in names.EXITS}


def test_bootstrapped(lab: Lab) -> None:
    with lab.tor.control() as control:
        assert control.bootstrap() == (100, "done")
        assert control.info("status/circuit-established") == "1"
        with pytest.raises(torcontrol.ControlError, match="55"):
            control.info("no/such/key")


def test_all_relays_are_in_the_consensus(lab: Lab) -> None:
    with lab.tor.control() as control:
        lines = control.info("ns/all").splitlines()
    listed = {line.split()[1] for line in lines if line.startswith("r ")}
    assert listed == {*names.AUTHORITIES, *names.RELAYS}


@pytest.mark.parametrize("port", SOCKS_PORTS)
def test_socks_fetch_comes_from_an_exit(bare: Lab, port: int) -> None:
    body = bare.host.call(client.socks_get, names.WEB_NAME, 80, "/", port, user=AMNESIA)
    assert body in EXIT_BODIES


def test_onion_service(bare: Lab) -> None:
    body = bare.host.call(client.socks_get, bare.tor.onion_name(), user=AMNESIA)
    assert body.startswith(names.ONION_BODY_START)


def test_dns_port_resolves_through_tor(bare: Lab) -> None:
    assert bare.host.call(client.resolve, names.WEB_NAME, user=AMNESIA) == [names.WEB_ADDRESS]
    said = bare.host.run(["getent", "ahostsv4", names.WEB_NAME], user=AMNESIA).stdout
    assert said.startswith(names.WEB_ADDRESS)


def test_automap_by_tproxy(bare: Lab) -> None:
    onion = bare.tor.onion_name()
    network = ipaddress.ip_network(names.AUTOMAP_PREFIX)
    mapped = {name: bare.host.call(client.resolve, name, user=AMNESIA)[0]
              for name in (names.AUTOMAPPED_NAME, onion)}  # fmt: skip
    assert all(ipaddress.ip_address(address) in network for address in mapped.values())
    with pytest.raises(ConnectionRefusedError):  # nothing hands it to Tor yet
        bare.host.call(client.http_get, mapped[onion], user=AMNESIA)
    rules.apply(bare, str(names.FIXTURES / "tproxy.nft"))
    body = bare.host.call(client.http_get, mapped[names.AUTOMAPPED_NAME], user=AMNESIA)
    assert body in EXIT_BODIES
    body = bare.host.call(client.http_get, mapped[onion], user=AMNESIA)
    assert body.startswith(names.ONION_BODY_START)


def test_the_clients_tor_has_given_up_its_rights(lab: Lab) -> None:
    process = lab.registry.find("tor-host")
    assert process
    status = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert fields["Name"] == "tor"
    assert fields["Uid"].split() == [str(names.user(names.DEBIAN_TOR).uid)] * 4
    assert fields["CapEff"] == fields["CapPrm"] == "0000000000000000"


def test_obfs4_bridge(lab: Lab) -> None:
    """A client that knows the bridge only; on the guest, which no rule of the host's concerns."""
    lab.tor.start_bridge_client()
    try:
        guest = lab.ns(names.GUEST)
        assert netns.run_in(guest, client.socks_get, names.WEB_NAME) in EXIT_BODIES
        bridge = f"{names.PUBLIC_NODES[names.BRIDGE]}:{names.BRIDGE_OBFS4_PORT}"
        seen = subprocess.run(["ip", "netns", "exec", guest, "ss", "-Htn", "state", "established"],
                              capture_output=True, text=True, check=True).stdout  # fmt: skip
        abroad = {line.split()[3] for line in seen.splitlines()} - {""}
        assert {peer for peer in abroad if not peer.startswith("127.")} == {bridge}
    finally:
        lab.tor.stop_bridge_client()


# Starting ---------------------------------------------------------------------------------------


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache that holds nothing."""
    monkeypatch.setattr(names, "CACHE_DIRECTORY", tmp_path)
    return tmp_path


def _works(laboratory: Lab) -> bool:
    return laboratory.host.call(client.socks_get, names.WEB_NAME, user=AMNESIA) in EXIT_BODIES


def test_cold_then_warm_then_cold_again(cache: Path) -> None:
    said: list[str] = []
    laboratory = Lab(lab_name("-start"), progress=said.append)
    try:
        laboratory.up()
        assert any(line.startswith("starting Tor afresh") for line in said)
        assert _works(laboratory)
        laboratory.down()
        template = next(cache.glob("tor-*"))

        said.clear()
        laboratory.up()
        assert "starting Tor from the template" in said
        assert not any(line.startswith("starting Tor afresh") for line in said)
        assert _works(laboratory)
        laboratory.down()

        # A template that cannot work: the authorities' keys are another set's.
        for node in names.AUTHORITIES:
            (template / node / "keys" / "authority_certificate").write_text("nonsense\n")
        said.clear()
        laboratory.up()
        assert any(line.startswith("the warm start did not work") for line in said)
        assert _works(laboratory)
    finally:
        laboratory.down()


def test_an_old_template_is_not_used(cache: Path, lab: Lab) -> None:
    from labkit import tor

    template = lab.tor._template()
    template.mkdir()
    for age, used in ((0, True), (tor.TEMPLATE_SECONDS + 1, False)):
        tor._write_meta(template, time.time() - age)
        assert (tor._age(template) < tor.TEMPLATE_SECONDS) == used
    shutil.rmtree(template)
    assert tor._age(template) > tor.TEMPLATE_SECONDS


def test_keys_are_made_anew_when_the_shipped_ones_are_not_valid(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(names, "SHIPPED_KEYS", cache / "none")
    with ThreadPoolExecutor(2) as pool:  # two that want them at one moment
        made, other = (one.result() for one in [pool.submit(torkeys.directory) for _ in range(2)])
    assert made == other == cache / "tor-keys" and torkeys.is_valid(made)
    assert torkeys.directory() == made  # kept
    assert len({authority.fingerprint for authority in torkeys.authorities(made)}) == 3

    certificate = made / "da2" / "authority_certificate"
    good = certificate.read_text(encoding="ascii")
    for field, days in (("dir-key-expires", -1), ("dir-key-published", 1)):
        stamp = (datetime.now(timezone.utc) + timedelta(days=days)).strftime("%Y-%m-%d %H:%M:%S")
        lines = [f"{field} {stamp}" if line.startswith(field) else line
                 for line in good.splitlines()]  # fmt: skip
        certificate.write_text("\n".join(lines) + "\n", encoding="ascii")
        assert not torkeys.is_valid(made)


def test_a_tor_that_ends_is_reported_at_once(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from labkit import torrc

    monkeypatch.setattr(torrc, "_CLIENT", [*torrc._CLIENT, "NoSuchOption 1"])
    laboratory = Lab(lab_name("-broken"))
    with pytest.raises(LabError, match="(?s)tor-host ended.*NoSuchOption"):
        laboratory.up()
    assert not laboratory.state.exists()
    assert "NoSuchOption" in (cache / "failed-logs" / "tor-host.out").read_text(encoding="utf-8")


def test_a_dead_tor_shows_in_the_status(lab: Lab) -> None:
    """The anti-test of the status: it does not merely repeat what was recorded."""
    lab.tor.start_bridge_client()
    try:
        process = lab.registry.find("tor-bridge-client")
        assert process and processes.is_running(process)
        processes.end([process])
        wait_for(lambda: not processes.is_running(process), 30, "the end of a Tor")
        assert torcontrol.bootstrap(lab.tor.control_socket("bridge-client"))[0] == 0
    finally:
        lab.tor.stop_bridge_client()
