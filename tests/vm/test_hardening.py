# SPDX-License-Identifier: GPL-3.0-or-later
"""The running system holds what its configuration promises when it is tried: kernel, settings, rights,
devices that come later, what a network may say. What only has to be looked at is in test_settled.py."""

from __future__ import annotations

import errno
import json
import re
from collections.abc import Iterator

import pytest

from labagent import calls, doors
from labkit import names
from labkit.lab import Lab
from labkit.wait import wait_for
from vmkit import promised
from vmkit.guest import Guest

pytestmark = pytest.mark.xdist_group("status")

DEADLINE = 240.0  # s, for anything in a machine that is emulated
REFUSED = {errno.EKEYREJECTED, errno.ENOKEY, errno.EPERM}
TOR = "tor@default.service"
HARMLESS = "dummy"  # a module that anybody's device could need, and that nothing uses


# Kernel -------------------------------------------------------------------------------------------


def test_kernel_is_locked_down(guest: Guest) -> None:
    assert "[integrity]" in guest.read("/sys/kernel/security/lockdown").split()
    assert guest.read("/sys/module/module/parameters/sig_enforce") == "Y"
    # What it keeps even root from: the computer's memory, and the developers' file system.
    assert guest.run(["head", "-c", "1", "/dev/mem"]).returncode != 0
    assert guest.run(["mount", "-t", "tmpfs", "none", "/mnt"]).returncode == 0
    assert guest.run(["mount", "-t", "debugfs", "none", "/mnt"]).returncode != 0


def test_only_untouched_modules_of_the_kernel_load(guest: Guest) -> None:
    path = guest.text(["modprobe", "--show-depends", HARMLESS]).splitlines()[-1].split()[1]
    module = guest.call(doors.read_bytes, path)
    assert guest.call(doors.load, promised.without_signature(module)) in REFUSED
    assert guest.call(doors.load, promised.with_other_code(module)) in REFUSED
    assert HARMLESS not in guest.modules()
    # It was for the change that they were refused.
    assert guest.call(doors.load, module) == 0
    assert HARMLESS in guest.modules()


def _try_modules(guest: Guest, modules: list[str]) -> list[str]:
    """Which of them root's modprobe loads."""
    script = 'for name; do modprobe "$name" 2>/dev/null && echo "$name"; done; true'
    return guest.text(["sh", "-c", script, "sh", *modules], timeout=DEADLINE).split()


def test_refused_modules_cannot_be_loaded(guest: Guest) -> None:
    modules = promised.refused_modules()
    assert len(modules) > 100 and "nf_conntrack" in modules and "sctp" in modules
    # The last one is not refused: the way to try them works.
    assert _try_modules(guest, [*modules, HARMLESS]) == [HARMLESS]
    assert {name.replace("-", "_") for name in modules} & guest.modules() == set()


def test_no_connection_tracking(guest: Guest) -> None:
    """Not by a rule of root's, either, which loads what it needs."""
    assert "nf_conntrack" not in guest.modules()
    guest.text(["nft", "add table inet probe; add chain inet probe one"])
    guest.text(["nft", "add rule inet probe one meta mark 1 drop"])
    refused = guest.run(["nft", "add rule inet probe one ct state new drop"])
    assert refused.returncode != 0, refused.stdout
    assert "nf_conntrack" not in guest.modules()


def test_no_ipv6_but_on_loopback(guest: Guest) -> None:
    guest.text(["ip", "link", "add", "probe0", "type", "dummy"])  # one that comes later, too
    guest.text(["ip", "link", "set", "probe0", "up"])
    devices = [*guest.call(calls.devices), "all", "default"]
    assert "probe0" in devices and len(devices) > 3
    paths = {name: f"/proc/sys/net/ipv6/conf/{name}/disable_ipv6" for name in devices}
    assert {name: guest.read(path) for name, path in paths.items()} == dict.fromkeys(paths, "1")
    addresses = guest.read("/proc/net/if_inet6").splitlines()
    assert [line.split()[-1] for line in addresses] == ["lo"]


# Settings -----------------------------------------------------------------------------------------


def _wrong_sysctls(guest: Guest) -> list[str]:
    wanted = promised.sysctls()
    paths = {key: f"/proc/sys/{key.replace('.', '/')}" for key in wanted}
    found = guest.call(doors.read_values, list(paths.values()))
    return [f"{key}: {found[path]!r}, not {wanted[key]!r}" for key, path in paths.items()
            if found[path] != wanted[key]]


def test_sysctls_hold(guest: Guest) -> None:
    """All of them exist in this kernel and have their value at the end of the start."""
    assert len(promised.sysctls()) > 20
    assert _wrong_sysctls(guest) == []
    guest.call(calls.write_text, "/proc/sys/net/ipv4/tcp_rfc1337", "0")
    assert _wrong_sysctls(guest) == ["net.ipv4.tcp_rfc1337: '0', not '1'"]


def _wrong_settings(guest: Guest) -> list[str]:
    devices = ["all", "default", "lo", *guest.call(calls.devices)]
    paths = {f"/proc/sys/{setting.path.replace('%s', device)}": setting
             for setting in promised.settings() for device in devices}
    found = guest.call(doors.read_values, list(paths))
    return [f"{path}: {found[path]}, not {setting.value}" for path, setting in paths.items()
            if found[path] != setting.value and not (setting.optional and found[path] is None)]


def test_settings_of_the_filter_hold(guest: Guest) -> None:
    guest.wait_address()
    assert _wrong_settings(guest) == []
    path = f"/proc/sys/net/ipv4/conf/{guest.device}/accept_redirects"
    guest.call(calls.write_text, path, "1")
    assert _wrong_settings(guest) == [f"{path}: 1, not 0"]


# Users --------------------------------------------------------------------------------------------


def test_no_program_gives_rights(guest: Guest) -> None:
    script = ("cp /bin/true /usr/local/plain; cp /bin/true /usr/local/root;"
              "cp /bin/true /usr/local/capable; chmod u+s /usr/local/root;"
              "setcap cap_net_raw+ep /usr/local/capable")
    assert guest.call(doors.rights_of_files, "/", timeout=DEADLINE) == []
    guest.text(["sh", "-c", script])
    assert guest.call(doors.rights_of_files, "/usr/local") == [
        "capability /usr/local/capable", "setuid /usr/local/root"]


# Devices that come later --------------------------------------------------------------------------


def _covered(guest: Guest, device: str) -> bool:
    text = guest.text(["nft", "list", "chain", "netdev", "lethe", "egress"])
    return device in re.findall(r"[\w.-]+", text.partition("devices = {")[2].partition("}")[0])


def _is_up(guest: Guest, device: str) -> bool:
    return int(guest.read(f"/sys/class/net/{device}/flags"), 16) & 1 == 1


def _trigger(guest: Guest, device: str) -> str:
    """Let udev see the device anew; what it says of it."""
    guest.text(["udevadm", "trigger", "--settle", "--action=add", f"/sys/class/net/{device}"])
    return guest.text(["udevadm", "info", f"/sys/class/net/{device}"])


def test_a_device_that_comes_later_is_covered(guest: Guest) -> None:
    guest.text(["ip", "link", "add", "probe0", "type", "dummy"])
    guest.text(["udevadm", "settle"])
    assert _covered(guest, "probe0")
    guest.text(["ip", "link", "set", "probe0", "up"])
    assert "NM_UNMANAGED=1" not in _trigger(guest, "probe0")
    assert _is_up(guest, "probe0")


def test_a_device_that_cannot_be_covered_is_down_and_left_alone(guest: Guest) -> None:
    guest.text(["ip", "link", "add", "probe0", "type", "dummy"])
    guest.text(["udevadm", "settle"])
    guest.text(["ip", "link", "set", "probe0", "up"])
    # Nobody is left who could.
    guest.text(["systemctl", "stop", "lethe-guard.service"])
    guest.text(["mount", "--bind", "/bin/false", "/usr/sbin/lethe-wall"])
    said = _trigger(guest, "probe0")
    assert "E: NM_UNMANAGED=1\n" in said and "E: ID_NET_MANAGED_BY=none\n" in said, said
    assert not _is_up(guest, "probe0")
    # And those that are new.
    guest.text(["ip", "link", "add", "probe1", "type", "veth", "peer", "name", "probe2"])
    guest.text(["udevadm", "settle"])
    for device in ("probe1", "probe2"):
        assert not _covered(guest, device) and not _is_up(guest, device), device
        state = guest.text(["nmcli", "-g", "GENERAL.STATE", "device", "show", device])
        assert "unmanaged" in state, state


def test_the_guard_covers_a_device_that_udev_could_not(guest: Guest) -> None:
    """It is left alone by NetworkManager all the same; but whoever sets it up opens nothing."""
    guest.text(["mount", "--bind", "/bin/false", "/usr/sbin/lethe-wall"])
    guest.text(["ip", "link", "add", "probe0", "type", "dummy"])
    guest.text(["udevadm", "settle"])
    wait_for(lambda: _covered(guest, "probe0"), DEADLINE, "the guard")
    assert not _is_up(guest, "probe0")
    assert json.loads(guest.read("/run/lethe/guard.json"))["state"] == "holding"


# What a network says ------------------------------------------------------------------------------


@pytest.fixture
def poisoned(lab: Lab) -> Iterator[None]:
    """The LAN's DHCP server offers names, a domain and other servers; afterwards no longer."""
    lab.start_services(hostile=False, poisons=("search", "servers"))
    yield
    lab.start_services(hostile=False)


def test_no_name_comes_from_dhcp(guest: Guest, poisoned: None) -> None:
    guest.wait_address()
    device = guest.device
    guest.text(["nmcli", "device", "disconnect", device], timeout=DEADLINE)
    guest.text(["nmcli", "device", "connect", device], timeout=DEADLINE)

    def offered() -> str:
        return guest.text(["nmcli", "-f", "DHCP4", "device", "show", device])

    wait_for(lambda: "attacker.invalid" in offered(), DEADLINE, "the offer with a domain")
    assert names.ROGUE_ADDRESS in offered()
    assert guest.read("/etc/resolv.conf") == "nameserver 127.0.0.1"
    assert guest.read("/proc/sys/kernel/hostname") == "localhost"
    assert guest.read("/proc/sys/kernel/domainname") in ("(none)", "")
    assert "attacker" not in guest.read("/etc/hosts")
    found = guest.run(["grep", "-rlF", "-e", "attacker.invalid", "-e", names.ROGUE_ADDRESS, "/etc"])
    assert found.stdout == ""


# Tor ----------------------------------------------------------------------------------------------


def test_tors_own_filter_of_system_calls(guest: Guest) -> None:
    """Beside those of systemd: without it there are fewer."""
    with_it = int(guest.main_process(TOR)["Seccomp_filters"])
    guest.call(calls.write_text, "/etc/tor/torrc.d/probe.conf", "Sandbox 0\n")
    guest.text(["systemctl", "restart", "tor@default.service"], timeout=DEADLINE)
    assert int(guest.main_process(TOR)["Seccomp_filters"]) < with_it


