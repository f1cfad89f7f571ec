# SPDX-License-Identifier: GPL-3.0-or-later
"""The running system is as its configuration promises: kernel, settings, users, what runs, what
listens, what is mounted, what a network may say. Seen from inside, as root and as `amnesia`."""

from __future__ import annotations

import errno
import os
import re
import socket
from collections.abc import Iterator

import pytest

from labagent import calls, doors
from labkit import names
from labkit.lab import Lab
from labkit.wait import wait_for
from vmkit import guest_state, promised
from vmkit.guest import Guest
from vmkit.machine import Machine

pytestmark = pytest.mark.xdist_group("status")

DEADLINE = 240.0  # s, for anything in a machine that is emulated
REFUSED = {errno.EKEYREJECTED, errno.ENOKEY, errno.EPERM}
HARMLESS = "dummy"  # a module that anybody's device could need, and that nothing uses
UNITS_OF_THE_LABORATORY = {
    "lethe-laboratory-agent.service", "opt-lethe\\x2dlaboratory.mount",
    "run-lethe-laboratory.mount", "run-lethe-laboratory\\x2dlayer.mount",
}  # fmt: skip
SERVICES = {
    "dbus-broker.service", "kmod-static-nodes.service", "lethe-console@tty1.service",
    "lethe-console@ttyS0.service", "lethe-guard.service", "lethe-proof.service",
    "lethe-wall.service", "lethe-watch.service",
    "NetworkManager.service",
    "systemd-journald.service", "systemd-logind.service", "systemd-sysctl.service",
    "systemd-tmpfiles-setup-dev-early.service", "systemd-tmpfiles-setup-dev.service",
    "systemd-tmpfiles-setup.service", "systemd-udev-trigger.service", "systemd-udevd.service",
    "tor.service", "tor@default.service",
}  # fmt: skip
SOCKETS = {
    "dbus.socket", "systemd-journald-dev-log.socket", "systemd-journald.socket",
    "systemd-udevd-control.socket", "systemd-udevd-kernel.socket",
}  # fmt: skip
MOUNT_UNITS = {
    "-.mount", "dev-mqueue.mount", "run-lethe-overlay.mount", "run-lethe-root.mount",
    "run-lock.mount", "tmp.mount",
}  # fmt: skip
# Processes by user and program. What answers at a door comes and goes.
PROCESSES = {
    ("root", "systemd"), ("root", "systemd-journald"), ("root", "udevadm"),
    ("root", "systemd-logind"), ("root", "NetworkManager"), ("root", "lethe-guard"),
    ("amnesia", "bash"),
    ("messagebus", "dbus-broker-launch"), ("messagebus", "dbus-broker"), ("debian-tor", "tor"),
    ("lethe-watch", "lethe-watchd"),
}  # fmt: skip
LISTENING = {
    ("udp", "127.0.0.1:53"),
    *(("tcp", f"127.0.0.1:{port}") for port in (9040, 9050, 9062, 9063, 9150)),
}  # fmt: skip
MOUNTS = {
    ("/proc", "proc"), ("/sys", "sysfs"), ("/dev", "devtmpfs"), ("/run", "tmpfs"),
    ("/run/lethe/root", "squashfs"), ("/run/lethe/overlay", "tmpfs"), ("/", "overlay"),
    ("/sys/kernel/security", "securityfs"), ("/dev/shm", "tmpfs"), ("/dev/pts", "devpts"),
    ("/sys/fs/cgroup", "cgroup2"), ("/sys/fs/pstore", "pstore"), ("/sys/fs/bpf", "bpf"),
    ("/dev/mqueue", "mqueue"), ("/run/lock", "tmpfs"), ("/tmp", "tmpfs"),
    ("/run/credentials/systemd-journald.service", "tmpfs"),
}  # fmt: skip
MOUNTS_OF_THE_LABORATORY = {
    ("/run/lethe/laboratory-layer", "tmpfs"), ("/run/lethe/laboratory", "squashfs"),
    ("/opt/lethe-laboratory", "squashfs"),
}  # fmt: skip
IDS = {
    names.AMNESIA: (1000, 1000), "debian-tor": (900, 900), "clearnet": (901, 901),
    "clearnet-net": (902, 902), "lethe-watch": (903, 903), "nobody": (65534, 65534), "_apt": (42, 65534),
}  # fmt: skip
# Families of sockets that a program without rights gets; of others it is not even the loading of a
# module. AF_NETLINK only asks the kernel.
FAMILIES = {int(socket.AF_UNIX), int(socket.AF_INET), int(socket.AF_INET6), int(socket.AF_NETLINK)}
FAMILY_COUNT = 64
# Family, kind, protocol: each would load a module of its own in a system that lets it.
PROTOCOLS = {
    "sctp": (2, 1, 132), "dccp": (2, 6, 33), "l2tp": (2, 2, 115), "rds": (21, 5, 0),
    "tipc": (30, 4, 0), "rxrpc": (33, 2, 2), "af_alg": (38, 5, 0), "smc": (43, 1, 0),
    "kcm": (41, 5, 0), "vsock": (40, 1, 0), "can": (29, 3, 1), "ax25": (3, 2, 0),
    "appletalk": (5, 2, 0), "netrom": (6, 5, 0), "atm": (8, 2, 0), "x25": (9, 5, 0),
    "rose": (11, 5, 0), "af_key": (15, 3, 2), "llc2": (26, 2, 0), "bluetooth": (31, 3, 1),
    "phonet": (35, 2, 0), "ieee802154": (36, 2, 0), "caif": (37, 5, 0), "nfc": (39, 5, 0),
    "pppox": (24, 1, 0),
    "qrtr": (42, 2, 0),
}  # fmt: skip
NOT_THERE = {errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT, errno.ESOCKTNOSUPPORT, errno.EPERM}


def loaded(guest: Guest) -> set[str]:
    return {line.split()[0] for line in guest.call(calls.read_text, "/proc/modules").splitlines()}


def read(guest: Guest, path: str) -> str:
    return guest.call(calls.read_text, path).strip()


# Kernel -------------------------------------------------------------------------------------------


def test_kernel_got_its_command_line(guest: Guest) -> None:
    said = read(guest, "/proc/cmdline").split()
    assert [word for word in promised.command_line() if word not in said] == []
    known = {*promised.command_line(), "BOOT_IMAGE=/lethe/vmlinuz"}
    rest = [word for word in said if word not in known]
    assert [word.partition("=")[0] for word in rest] == [
        "lethe.roothash", "lethe.blocks", "lethe.offset"], said


def test_kernel_is_locked_down(guest: Guest) -> None:
    assert "[integrity]" in read(guest, "/sys/kernel/security/lockdown").split()
    assert read(guest, "/sys/module/module/parameters/sig_enforce") == "Y"
    # What it keeps even root from: the computer's memory, and the developers' file system.
    assert guest.run(["head", "-c", "1", "/dev/mem"]).returncode != 0
    assert guest.run(["mount", "-t", "tmpfs", "none", "/mnt"]).returncode == 0
    assert guest.run(["mount", "-t", "debugfs", "none", "/mnt"]).returncode != 0


def test_only_untouched_modules_of_the_kernel_load(guest: Guest) -> None:
    path = guest.text(["modprobe", "--show-depends", HARMLESS]).splitlines()[-1].split()[1]
    module = guest.call(doors.read_bytes, path)
    assert guest.call(doors.load, promised.without_signature(module)) in REFUSED
    assert guest.call(doors.load, promised.with_other_code(module)) in REFUSED
    assert HARMLESS not in loaded(guest)
    # It was for the change that they were refused.
    assert guest.call(doors.load, module) == 0
    assert HARMLESS in loaded(guest)


def _try_modules(guest: Guest, modules: list[str]) -> list[str]:
    """Which of them root's modprobe loads."""
    script = 'for name; do modprobe "$name" 2>/dev/null && echo "$name"; done; true'
    return guest.text(["sh", "-c", script, "sh", *modules], timeout=DEADLINE).split()


def test_refused_modules_cannot_be_loaded(guest: Guest) -> None:
    modules = promised.refused_modules()
    assert len(modules) > 100 and "nf_conntrack" in modules and "sctp" in modules
    # The last one is not refused: the way to try them works.
    assert _try_modules(guest, [*modules, HARMLESS]) == [HARMLESS]
    assert {name.replace("-", "_") for name in modules} & loaded(guest) == set()


def test_no_connection_tracking(guest: Guest) -> None:
    """Not by a rule of root's, either, which loads what it needs."""
    assert "nf_conntrack" not in loaded(guest)
    guest.text(["nft", "add table inet probe; add chain inet probe one"])
    guest.text(["nft", "add rule inet probe one meta mark 1 drop"])
    refused = guest.run(["nft", "add rule inet probe one ct state new drop"])
    assert refused.returncode != 0, refused.stdout
    assert "nf_conntrack" not in loaded(guest)


@pytest.mark.parametrize("user", [names.ROOT, names.AMNESIA])
def test_a_socket_loads_no_protocol(guest: Guest, user: str) -> None:
    before = loaded(guest)
    results = {name: guest.call(doors.open_socket, *what, user=user)
               for name, what in PROTOCOLS.items()}
    assert {name: errno.errorcode.get(number, "opened") for name, number in results.items()
            if number not in NOT_THERE} == {}
    assert loaded(guest) - before == set()
    assert guest.call(doors.open_socket, socket.AF_INET, socket.SOCK_STREAM, 0, user=user) == 0


def test_families_of_sockets(guest: Guest) -> None:
    """The whole list of what a program without rights can begin with."""
    before = loaded(guest)
    opened = guest.call(doors.families, FAMILY_COUNT, user=names.AMNESIA, timeout=DEADLINE)
    assert set(opened) == FAMILIES
    assert loaded(guest) - before == set()


def test_no_ipv6_but_on_loopback(guest: Guest) -> None:
    guest.text(["ip", "link", "add", "probe0", "type", "dummy"])  # one that comes later, too
    guest.text(["ip", "link", "set", "probe0", "up"])
    devices = [*guest.call(calls.devices), "all", "default"]
    assert "probe0" in devices and len(devices) > 3
    paths = {name: f"/proc/sys/net/ipv6/conf/{name}/disable_ipv6" for name in devices}
    assert {name: read(guest, path) for name, path in paths.items()} == dict.fromkeys(paths, "1")
    addresses = read(guest, "/proc/net/if_inet6").splitlines()
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


def test_users(guest: Guest) -> None:
    lines = [line.split(":") for line in read(guest, "/etc/passwd").splitlines()]
    accounts = {line[0]: line for line in lines}
    assert {name: (int(accounts[name][2]), int(accounts[name][3])) for name in IDS} == IDS
    assert [name for name, line in accounts.items() if line[2] == "0"] == ["root"]
    assert {line[1] for line in lines} == {"x"}
    shells = {name for name, line in accounts.items()
              if not line[6].endswith(("/nologin", "/false"))}
    # Debian's; no program of the image asks for a password, and theirs are locked.
    assert shells == {names.AMNESIA, "root", "sync"}
    assert guest.text(["id", "-Gn", names.AMNESIA]).split() == [names.AMNESIA]


def test_every_account_is_locked(guest: Guest) -> None:
    lines = [line.split(":") for line in read(guest, "/etc/shadow").splitlines()]
    assert {names.ROOT, names.AMNESIA, "debian-tor"} <= {line[0] for line in lines}
    assert [line[0] for line in lines if not line[1].startswith(("*", "!"))] == []
    with pytest.raises(PermissionError):
        guest.call(calls.read_text, "/etc/shadow", user=names.AMNESIA)


def test_no_program_gives_rights(guest: Guest) -> None:
    script = ("cp /bin/true /usr/local/plain; cp /bin/true /usr/local/root;"
              "cp /bin/true /usr/local/capable; chmod u+s /usr/local/root;"
              "setcap cap_net_raw+ep /usr/local/capable")
    assert guest.call(doors.rights_of_files, "/", timeout=DEADLINE) == []
    guest.text(["sh", "-c", script])
    assert guest.call(doors.rights_of_files, "/usr/local") == [
        "capability /usr/local/capable", "setuid /usr/local/root"]


def test_nothing_of_the_system_is_writable_for_the_user(guest: Guest) -> None:
    for top in ("/etc", "/usr", "/var"):
        found = guest.call(doors.writable_by, top, user=names.AMNESIA, timeout=DEADLINE)
        assert [path for path in found if path != "/var/tmp"] == []
    # The user's own is found.
    assert "/home/amnesia" in guest.call(doors.writable_by, "/home", user=names.AMNESIA)


# What runs ----------------------------------------------------------------------------------------


def _units(guest: Guest, *options: str) -> set[str]:
    said = guest.text(["systemctl", "list-units", "--plain", "--no-legend", "--no-pager", *options])
    answers = re.compile(r"lethe-status-\w+@.*\.service")  # one for each question
    found = {line.split()[0] for line in said.splitlines()}
    return {name for name in found if not answers.fullmatch(name)} - UNITS_OF_THE_LABORATORY


def test_units_are_those_and_no_others(guest: Guest) -> None:
    assert _units(guest, "--type=service", "--state=active,activating,reloading") == SERVICES
    assert _units(guest, "--type=socket") == SOCKETS | promised.doors()
    assert _units(guest, "--type=mount") == MOUNT_UNITS
    assert _units(guest, "--type=timer,path,swap,automount") == set()
    assert _units(guest, "--state=failed") == set()


def test_what_is_masked_is_not_there(guest: Guest) -> None:
    for name in promised.masked("units"):
        assert guest.call(os.readlink, f"/etc/systemd/system/{name}") == "/dev/null"
    units = [name for name in promised.masked("units") if "@." not in name]
    said = guest.text(["systemctl", "show", "-p", "Id,LoadState", *units], timeout=DEADLINE)
    states = dict(re.findall(r"^Id=(\S+)\nLoadState=(\S+)$", said, re.MULTILINE))
    assert {name: states.get(name) for name in units if states.get(name) != "masked"} == {}
    for name in promised.masked("generators"):
        assert guest.call(os.readlink, f"/etc/systemd/system-generators/{name}") == "/dev/null"
    # What generators made: Tor's instance, and nothing else.
    made = guest.text(["sh", "-c", "find /run/systemd/generator* ! -type d"]).split()
    assert made == ["/run/systemd/generator/tor.service.wants/tor@default.service"]


def test_processes_are_those_and_no_others(guest: Guest) -> None:
    found = guest.call(doors.processes)
    assert {pair for pair in found if pair[1] != "python3.13"} == PROCESSES


def test_listening_is_tor_and_nothing_else(guest: Guest) -> None:
    guest.wait_address()
    wanted = {(kind, address, "debian-tor") for kind, address in LISTENING}
    assert set(guest.call(doors.listening)) == wanted
    planted = {("tcp", "0.0.0.0:4444", "root"), ("udp", "0.0.0.0:4444", "root")}
    assert set(guest.call(doors.listening_with_one_more, 4444)) == wanted | planted


def test_mounts_are_those_and_no_others(machine: Machine, guest: Guest) -> None:
    lines = [line.split() for line in read(guest, "/proc/mounts").splitlines()]
    found = {(line[1], line[2]) for line in lines}
    assert found - MOUNTS_OF_THE_LABORATORY == MOUNTS
    options = {line[1]: set(line[3].split(",")) for line in lines}
    assert {"ro", "nosuid", "nodev"} <= options["/run/lethe/root"]
    for place in ("/tmp", "/dev/shm", "/run"):
        assert {"nosuid", "nodev"} <= options[place], place
    assert read(guest, "/proc/swaps").count("\n") == 0


def test_names_are_everybodys(guest: Guest) -> None:
    assert read(guest, "/proc/sys/kernel/hostname") == "localhost"
    assert read(guest, "/etc/hostname") == "localhost"
    assert read(guest, "/proc/sys/kernel/domainname") in ("(none)", "")


def test_machine_id_is_of_this_start(guest: Guest, at_prompt: Machine) -> None:
    here = read(guest, "/etc/machine-id")
    there = guest_state.output(at_prompt, "cat /etc/machine-id").strip()
    assert re.fullmatch(r"[0-9a-f]{32}", here) and re.fullmatch(r"[0-9a-f]{32}", there)
    assert here != there
    assert read(guest, "/run/lethe/root/etc/machine-id") == ""


def test_the_journal_is_in_memory(guest: Guest) -> None:
    assert not guest.call(os.path.exists, "/var/log/journal")
    kept = guest.text(["journalctl", "--header", "--no-pager"])
    files = re.findall(r"^File path: (\S+)$", kept, re.MULTILINE)
    assert files and all(path.startswith("/run/log/journal/") for path in files), files


# Devices that come later --------------------------------------------------------------------------


def _covered(guest: Guest, device: str) -> bool:
    text = guest.text(["nft", "list", "chain", "netdev", "lethe", "egress"])
    return device in re.findall(r"[\w.-]+", text.partition("devices = {")[2].partition("}")[0])


def _is_up(guest: Guest, device: str) -> bool:
    return int(read(guest, f"/sys/class/net/{device}/flags"), 16) & 1 == 1


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
    assert read(guest, "/etc/resolv.conf") == "nameserver 127.0.0.1"
    assert read(guest, "/proc/sys/kernel/hostname") == "localhost"
    assert read(guest, "/proc/sys/kernel/domainname") in ("(none)", "")
    assert "attacker" not in read(guest, "/etc/hosts")
    found = guest.run(["grep", "-rlF", "-e", "attacker.invalid", "-e", names.ROGUE_ADDRESS, "/etc"])
    assert found.stdout == ""


# Tor ----------------------------------------------------------------------------------------------


def _tor_status(guest: Guest) -> dict[str, str]:
    pid = guest.text(["systemctl", "show", "-P", "MainPID", "tor@default.service"]).strip()
    lines = read(guest, f"/proc/{pid}/status").splitlines()
    return {line.partition(":")[0]: line.partition(":")[2].strip() for line in lines}


def test_tor_is_shut_in(guest: Guest) -> None:
    status = _tor_status(guest)
    assert status["Name"] == "tor"
    assert set(status["Uid"].split()) == {"900"} and set(status["Gid"].split()) == {"900"}
    assert status["Seccomp"] == "2" and status["NoNewPrivs"] == "1"
    assert int(status["CapEff"], 16) == 0


def test_tors_own_filter_of_system_calls(guest: Guest) -> None:
    """Beside those of systemd: without it there are fewer."""
    with_it = int(_tor_status(guest)["Seccomp_filters"])
    guest.call(calls.write_text, "/etc/tor/torrc.d/probe.conf", "Sandbox 0\n")
    guest.text(["systemctl", "restart", "tor@default.service"], timeout=DEADLINE)
    assert int(_tor_status(guest)["Seccomp_filters"]) < with_it


def test_tors_control_is_not_the_users(guest: Guest) -> None:
    for path in ("/run/tor/control.authcookie", "/run/tor"):
        assert guest.call(os.access, path, os.R_OK), path
        assert not guest.call(os.access, path, os.R_OK, user=names.AMNESIA), path
    assert guest.call(doors.connect, "/run/tor/control") == 0
    assert guest.call(doors.connect, "/run/tor/control", user=names.AMNESIA) == errno.EACCES
