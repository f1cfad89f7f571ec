# SPDX-License-Identifier: GPL-3.0-or-later
"""The running system is as its configuration promises: kernel, users, what runs, what listens, what
is mounted. Seen from inside, as root and as `amnesia`. These cases look, and change nothing that
stays: they share one machine. What has to be changed to be seen is in test_hardening.py."""

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
from vmkit import evidence, guest_state, promised, snapshot
from vmkit.guest import Guest
from vmkit.machine import Machine
from vmkit.well import Well

pytestmark = pytest.mark.xdist_group("status")

DEADLINE = 240.0  # s, for anything in a machine that is emulated
UNITS_OF_THE_LABORATORY = {
    "lethe-laboratory-agent.service", "opt-lethe\\x2dlaboratory.mount",
    "run-lethe-laboratory.mount", "run-lethe-laboratory\\x2dlayer.mount",
}  # fmt: skip
SERVICES = {
    "dbus-broker.service", "kmod-static-nodes.service", "lethe-apparmor.service",
    "lethe-console@tty1.service",
    "lethe-console@ttyS0.service", "lethe-guard.service", "lethe-proof.service",
    "lethe-clearnet.service", "lethe-connect.service", "lethe-gate.service", "lethe-resolver.service",
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
    ("lethe-clearnet", "lethe-clearnetd"), ("lethe-resolver", "lethe-resolver"),
    ("lethe-connect", "lethe-connectd"),
    ("lethe-gate", "lethe-gate"), ("lethe-watch", "lethe-watchd"),
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
    "clearnet-net": (902, 902), "lethe-watch": (903, 903), "lethe-gate": (904, 904),
    "lethe-connect": (905, 905), "lethe-clock": (906, 906), "bridges-net": (907, 907),
    "fronts-net": (908, 908), "lethe-transport": (909, 909), "lethe-clearnet": (910, 910),
    "lethe-resolver": (911, 911),
    "nobody": (65534, 65534), "_apt": (42, 65534),
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


@pytest.fixture(scope="module")
def machine(lab: Lab, well: Well) -> Iterator[Machine]:
    with (evidence.shared("settled") as directory, lab.vm_port(),
          evidence.watched(snapshot.restore(well.spec, well.state, directory / "vm")) as restored):
        yield restored


@pytest.fixture(scope="module")
def guest(machine: Machine) -> Iterator[Guest]:
    with Guest(machine) as connected:
        yield connected


# Kernel -------------------------------------------------------------------------------------------


def test_kernel_got_its_command_line(guest: Guest) -> None:
    said = guest.read("/proc/cmdline").split()
    assert [word for word in promised.command_line() if word not in said] == []
    known = {*promised.command_line(), "BOOT_IMAGE=/lethe/vmlinuz"}
    rest = [word for word in said if word not in known]
    assert [word.partition("=")[0] for word in rest] == [
        "lethe.roothash", "lethe.blocks", "lethe.offset"], said


@pytest.mark.parametrize("user", [names.ROOT, names.AMNESIA])
def test_a_socket_loads_no_protocol(guest: Guest, user: str) -> None:
    before = guest.modules()
    results = {name: guest.call(doors.open_socket, *what, user=user)
               for name, what in PROTOCOLS.items()}
    assert {name: errno.errorcode.get(number, "opened") for name, number in results.items()
            if number not in NOT_THERE} == {}
    assert guest.modules() - before == set()
    assert guest.call(doors.open_socket, socket.AF_INET, socket.SOCK_STREAM, 0, user=user) == 0


def test_families_of_sockets(guest: Guest) -> None:
    """The whole list of what a program without rights can begin with."""
    before = guest.modules()
    opened = guest.call(doors.families, FAMILY_COUNT, user=names.AMNESIA, timeout=DEADLINE)
    assert set(opened) == FAMILIES
    assert guest.modules() - before == set()


# Users --------------------------------------------------------------------------------------------


def test_users(guest: Guest) -> None:
    lines = [line.split(":") for line in guest.read("/etc/passwd").splitlines()]
    accounts = {line[0]: line for line in lines}
    assert {name: (int(accounts[name][2]), int(accounts[name][3])) for name in IDS} == IDS
    assert [name for name, line in accounts.items() if line[2] == "0"] == ["root"]
    assert {line[1] for line in lines} == {"x"}
    shells = {name for name, line in accounts.items()
              if not line[6].endswith(("/nologin", "/false"))}
    # Debian's; no program of the image asks for a password, and theirs are locked.
    assert shells == {names.AMNESIA, "root", "sync"}
    # Whoever sits at the computer may read which of its programs were refused.
    assert guest.text(["id", "-Gn", names.AMNESIA]).split() == [names.AMNESIA, "lethe-watch"]


def test_every_account_is_locked(guest: Guest) -> None:
    lines = [line.split(":") for line in guest.read("/etc/shadow").splitlines()]
    assert {names.ROOT, names.AMNESIA, "debian-tor"} <= {line[0] for line in lines}
    assert [line[0] for line in lines if not line[1].startswith(("*", "!"))] == []
    with pytest.raises(PermissionError):
        guest.call(calls.read_text, "/etc/shadow", user=names.AMNESIA)


def test_nothing_of_the_system_is_writable_for_the_user(guest: Guest) -> None:
    for top in ("/etc", "/usr", "/var"):
        found = guest.call(doors.writable_by, top, user=names.AMNESIA, timeout=DEADLINE)
        assert [path for path in found if path != "/var/tmp"] == []
    # The user's own is found.
    assert "/home/amnesia" in guest.call(doors.writable_by, "/home", user=names.AMNESIA)


# What runs ----------------------------------------------------------------------------------------


def _units(guest: Guest, *options: str) -> set[str]:
    said = guest.text(["systemctl", "list-units", "--plain", "--no-legend", "--no-pager", *options])
    # What is there for a question.
    answers = re.compile(r"lethe-status-\w+@.*\.service|lethe-clock\.service")
    found = {line.split()[0] for line in said.splitlines()}
    return {name for name in found if not answers.fullmatch(name)} - UNITS_OF_THE_LABORATORY


def test_units_are_those_and_no_others(guest: Guest) -> None:
    assert _units(guest, "--type=service", "--state=active,activating,reloading") == SERVICES
    assert _units(guest, "--type=socket") == SOCKETS | promised.doors()
    assert _units(guest, "--type=mount") == MOUNT_UNITS
    assert _units(guest, "--type=timer,path,swap,automount") == {"lethe-clock-changed.timer"}
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
    passing = {"python3.13", "lethe-clockd"}  # the laboratory's, and who answers one question
    assert {pair for pair in found if pair[1] not in passing} == PROCESSES


def test_listening_is_tor_and_nothing_else(guest: Guest) -> None:
    guest.wait_address()
    wanted = {(kind, address, "debian-tor") for kind, address in LISTENING}
    wanted |= {("tcp", "127.0.0.1:9051", "lethe-gate")}
    assert set(guest.call(doors.listening)) == wanted
    planted = {("tcp", "0.0.0.0:4444", "root"), ("udp", "0.0.0.0:4444", "root")}
    assert set(guest.call(doors.listening_with_one_more, 4444)) == wanted | planted


def test_mounts_are_those_and_no_others(machine: Machine, guest: Guest) -> None:
    lines = [line.split() for line in guest.read("/proc/mounts").splitlines()]
    found = {(line[1], line[2]) for line in lines}
    assert found - MOUNTS_OF_THE_LABORATORY == MOUNTS
    options = {line[1]: set(line[3].split(",")) for line in lines}
    assert {"ro", "nosuid", "nodev"} <= options["/run/lethe/root"]
    for place in ("/tmp", "/dev/shm", "/run"):
        assert {"nosuid", "nodev"} <= options[place], place
    assert guest.read("/proc/swaps").count("\n") == 0


def test_names_are_everybodys(guest: Guest) -> None:
    assert guest.read("/proc/sys/kernel/hostname") == "localhost"
    assert guest.read("/etc/hostname") == "localhost"
    assert guest.read("/proc/sys/kernel/domainname") in ("(none)", "")


def test_machine_id_is_of_this_start(guest: Guest, at_prompt: Machine) -> None:
    here = guest.read("/etc/machine-id")
    there = guest_state.output(at_prompt, "cat /etc/machine-id").strip()
    assert re.fullmatch(r"[0-9a-f]{32}", here) and re.fullmatch(r"[0-9a-f]{32}", there)
    assert here != there
    assert guest.read("/run/lethe/root/etc/machine-id") == ""


def test_the_journal_is_in_memory(guest: Guest) -> None:
    assert not guest.call(os.path.exists, "/var/log/journal")
    kept = guest.text(["journalctl", "--header", "--no-pager"])
    files = re.findall(r"^File path: (\S+)$", kept, re.MULTILINE)
    assert files and all(path.startswith("/run/log/journal/") for path in files), files


# Tor ----------------------------------------------------------------------------------------------


def test_tor_is_shut_in(guest: Guest) -> None:
    status = guest.main_process("tor@default.service")
    assert status["Name"] == "tor"
    assert set(status["Uid"].split()) == {"900"} and set(status["Gid"].split()) == {"900"}
    assert status["Seccomp"] == "2" and status["NoNewPrivs"] == "1"
    # A low port, and a transparent one, as often as its use of the network is switched on.
    assert int(status["CapEff"], 16) == int(status["CapBnd"], 16) == 1 << 10 | 1 << 13


def test_tors_profile_holds(guest: Guest) -> None:
    pid = guest.main_process("tor@default.service")["Pid"]
    assert guest.read(f"/proc/{pid}/attr/current") == "lethe-tor (enforce)"
    # Another program under it reads what Tor may, and nothing else.
    run = ["systemd-run", "--quiet", "--wait", "--collect"]
    under = [*run, "-p", "AppArmorProfile=lethe-tor"]
    assert guest.run([*run, "/usr/bin/cat", "/etc/lethe/policy.conf"]).returncode == 0
    assert guest.run([*under, "/usr/bin/cat", "/etc/lethe/torrc"]).returncode == 0
    assert guest.run([*under, "/usr/bin/cat", "/etc/lethe/policy.conf"]).returncode != 0


def test_tors_control_is_not_the_users(guest: Guest) -> None:
    for path in ("/run/tor/control.authcookie", "/run/tor"):
        assert guest.call(os.access, path, os.R_OK), path
        assert not guest.call(os.access, path, os.R_OK, user=names.AMNESIA), path
    assert guest.call(doors.connect, "/run/tor/control") == 0
    assert guest.call(doors.connect, "/run/tor/control", user=names.AMNESIA) == errno.EACCES
