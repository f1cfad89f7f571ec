# SPDX-License-Identifier: GPL-3.0-or-later
"""The door to the clearnet namespace in the booted image (F4): the units, what systemd shuts a program into,
and that nobody gets past lethe-clearnetd. What needs no systemd is in tests/lab/test_clearnet*.py."""

from __future__ import annotations

import errno
import json
from typing import Any

import pytest

from labagent import doors
from labkit import names
from labkit.wait import wait_for
from vmkit.guest import Guest
from vmkit.guest_state import output
from vmkit.machine import Machine

pytestmark = pytest.mark.xdist_group("status")

SECONDS = 300.0
FOLDER = "/usr/share/lethe/clearnet.d"
DAEMON, NAMESPACE = "lethe-clearnet.service", "lethe-namespace@clearnet.service"
RESOLVER = "lethe-resolver.service"
PATH = "/run/lethe/netns/clearnet"
FETCH = (f"exec 3<>/dev/tcp/{names.WEB_ADDRESS}/80; "
         r"printf 'GET / HTTP/1.0\r\n\r\n' >&3; cat <&3")
NOBODY_ELSE = ("/run/dbus/system_bus_socket", "/run/user/1000/bus", "/run/systemd/private",
               "/run/lethe/clearnet/console", "/run/lethe/status/wall", "/run/tor/control")


def allow(guest: Guest, name: str, script: str) -> None:
    text = f"program = /usr/bin/bash\nargument = -c\nargument = {script}\n"
    guest.run(["sh", "-c", f"mkdir -p {FOLDER} && cat > {FOLDER}/{name}.conf"], input=text, check=True)


def ask(guest: Guest, *words: str, user: str = names.AMNESIA) -> tuple[int, str]:
    said = guest.run(["lethe-clearnet", *words], user=user, timeout=SECONDS)
    return said.returncode, said.stdout + said.stderr


def status(guest: Guest) -> dict[str, Any]:
    return json.loads(ask(guest, "status", "--json")[1])


def told(guest: Guest, script: str) -> str:
    """What a program inside finds out."""
    allow(guest, "tell", script)
    code, text = ask(guest, "start", "tell")
    assert code == 0, text
    return text


def begin(guest: Guest, name: str) -> None:
    """Ask as amnesia, by a process of its own: one that a call of the agent's starts ends with it."""
    guest.text(["systemd-run", "--quiet", "--collect", "--uid=amnesia", "lethe-clearnet", "start", name])


def pids(guest: Guest, name: str) -> list[str]:
    """Of amnesia's processes with that name, as it is kept: 15 bytes of it."""
    return guest.run(["pgrep", "-x", "-u", "amnesia", name]).stdout.split()


def idle(guest: Guest) -> None:
    wait_for(lambda: not status(guest)["running"], SECONDS, "the program to be over")


def test_the_person_at_the_console_starts_one(machine: Machine, guest: Guest) -> None:
    guest.wait_address()
    allow(guest, "fetch", FETCH)
    assert names.WEB_BODY_START in output(machine, "lethe-clearnet start fetch")
    assert "no program uses the network" in output(machine, "lethe-clearnet status")
    # Directly, the same user does not get there.
    assert names.WEB_BODY_START not in guest.run(["bash", "-c", FETCH], user=names.AMNESIA).stdout


def test_its_resolver_is_the_networks(guest: Guest) -> None:
    guest.wait_address()
    wanted = f"nameserver {names.LAN_RESOLVER}"
    wait_for(lambda: guest.read("/run/lethe/resolv.conf") == wanted, SECONDS, "the network's resolver")
    assert told(guest, "cat /etc/resolv.conf").strip() == wanted
    # The system's own stays Tor, and the file is nobody's but the service's.
    assert "127.0.0.1" in guest.read("/etc/resolv.conf")
    for user in (names.AMNESIA, names.CLEARNET, names.CLEARNET_NET):
        assert guest.run(["sh", "-c", "echo > /run/lethe/resolv.conf"], user=user).returncode != 0
    guest.text(["ip", "link", "set", guest.device, "down"])
    wait_for(lambda: guest.read("/run/lethe/resolv.conf") == "", SECONDS, "nobody to be asked")


def test_what_a_program_sees(guest: Guest) -> None:
    guest.wait_address()
    assert told(guest, "id -u; id -g").split() == ["1000", "1000"]
    caps = told(guest, "grep -E '^(Cap|NoNew|Seccomp:)' /proc/self/status")
    assert "NoNewPrivs:\t1" in caps and "Seccomp:\t2" in caps
    assert all(int(line.split()[1], 16) == 0 for line in caps.splitlines() if line.startswith("Cap"))
    # What systemd itself puts there for each of its units is a folder without a door.
    assert set(told(guest, "ls -A /run").split()) <= {"lethe", "systemd"}
    assert told(guest, "find /run -type s 2>/dev/null; true").strip() == ""
    assert told(guest, "ls -A /dev/shm /var/tmp | grep -v : | grep .; true").strip() == ""
    assert told(guest, "ls /home/amnesia /root 2>/dev/null; true").strip() == ""
    processes = told(guest, "ls /proc | grep -c '^[0-9]'").strip()
    assert int(processes) <= 6, processes  # what starts it, a shell, and what the shell has started
    # What started it is of the same user, and not to be seen: see the next case for what it is.
    assert told(guest, "test -e /proc/1 && echo seen; echo $PPID").split() == ["1"]
    devices = told(guest, "cut -d: -f1 /proc/net/dev | tail -n +3").split()
    assert sorted(devices) == ["lo", "uplink"]
    for path in NOBODY_ELSE:
        assert told(guest, f"test -e {path} && echo there; true").strip() == "", path
    assert told(guest, "touch /usr/x /etc/x /var/x 2>/dev/null || echo no").strip() == "no"


def test_the_session_does_not_see_into_it(guest: Guest) -> None:
    """Processes of the same user, which nothing else would keep apart."""
    guest.wait_address()
    allow(guest, "long", "exec sleep 10000")
    begin(guest, "long")
    wait_for(lambda: status(guest)["running"], SECONDS, "the program")
    try:
        # What starts it tells before it has become it.
        pid = wait_for(lambda: pids(guest, "sleep"), SECONDS, "the program's process")[0]
        # How many files it has open is to be counted, and no more.
        for thing in ("root/tmp", "fd/0", "fd/1", "fd/2", "environ", "cwd", "ns/net", "mem", "maps"):
            seen = guest.run(["sh", "-c", f"ls /proc/{pid}/{thing}/ 2>&1; cat /proc/{pid}/{thing}"],
                             user=names.AMNESIA)
            assert seen.returncode != 0 and "denied" in seen.stdout + seen.stderr, thing
        assert guest.run(["ls", f"/proc/{pid}/root/tmp"]).returncode == 0  # root would
        # What started it is the first of its namespace, with which all of it ends.
        first = pids(guest, "lethe-clearnet-")
        assert len(first) == 1
        numbers = guest.text(["grep", "NSpid:", f"/proc/{first[0]}/status"]).split()[1:]
        assert len(numbers) == 2 and numbers[1] == "1"
        entered = guest.run(["nsenter", f"--net={PATH}", "true"], user=names.AMNESIA)
        assert entered.returncode != 0
    finally:
        assert ask(guest, "stop")[0] == 0
    idle(guest)


def test_there_is_no_way_past_the_daemon(guest: Guest) -> None:
    guest.wait_address()
    allow(guest, "fetch", FETCH)
    for user in (names.AMNESIA, names.CLEARNET, names.NOBODY):
        refused = guest.call(doors.connect, "/run/lethe/clearnet/console", user=user)
        assert refused == errno.EACCES, user
        started = guest.run(["systemctl", "--no-ask-password", "start",
                             "lethe-clearnet-console@x.service"], user=user)
        assert started.returncode != 0
    for user in (names.CLEARNET, names.NOBODY, names.CLEARNET_NET):
        assert ask(guest, "start", "fetch", user=user)[0] != 0
    assert not status(guest)["running"]


def test_one_at_a_time(guest: Guest) -> None:
    guest.wait_address()
    allow(guest, "long", "exec sleep 10000")
    allow(guest, "fetch", FETCH)
    begin(guest, "long")
    wait_for(lambda: status(guest)["name"] == "long", SECONDS, "the program")
    code, text = ask(guest, "start", "fetch")
    assert code == 1 and "long runs already" in text
    assert ask(guest, "stop")[0] == 0
    idle(guest)
    assert ask(guest, "start", "fetch")[0] == 0


def test_there_is_no_way_to_a_display(guest: Guest) -> None:
    """It comes with the desktop: there is no unit that would mount one for a program."""
    assert guest.text(["ls", "/run/lethe/clearnet"]).split() == ["console"]
    units = guest.text(["systemctl", "list-unit-files", "--plain", "--no-legend", "lethe-clearnet*"])
    assert sorted(line.split()[0] for line in units.splitlines()) == [
        "lethe-clearnet-console.socket", "lethe-clearnet-console@.service", "lethe-clearnet.service"]


def test_it_ends_with_the_daemon_and_with_the_namespace(guest: Guest) -> None:
    guest.wait_address()
    allow(guest, "long", "exec sleep 10000")
    for command in (["systemctl", "kill", "--signal=KILL", DAEMON],
                    ["systemctl", "stop", NAMESPACE]):
        begin(guest, "long")
        wait_for(lambda: status(guest)["running"], SECONDS, "the program")
        guest.text(command)
        wait_for(lambda: not pids(guest, "sleep"), SECONDS, "the program to end")
        wait_for(lambda: ask(guest, "status")[0] == 0, SECONDS, "the daemon to be there again")
        idle(guest)
        # A daemon that has just come knows nothing of the program before it; until that is gone, the
        # service manager takes no other.
        wait_for(lambda: not guest.text(["systemctl", "list-units", "--all", "--plain", "--no-legend",
                                         "lethe-clearnet-console@*"]).strip(), SECONDS, "its unit to go")
    assert guest.run(["test", "-e", PATH]).returncode != 0


def test_rights_of_its_processes(guest: Guest) -> None:
    guest.wait_address()
    guest.text(["systemctl", "start", NAMESPACE], timeout=SECONDS)
    for unit in (DAEMON, NAMESPACE, RESOLVER):
        process = guest.main_process(unit)
        assert process["Uid"].split()[0] != "0", unit
        for kind in ("CapPrm", "CapEff", "CapInh", "CapAmb", "CapBnd"):
            assert int(process[kind], 16) == 0, (unit, kind)
        assert process["NoNewPrivs"] == "1" and process["Seccomp"] == "2", unit
    assert guest.main_process(NAMESPACE)["Uid"].split()[0] == "902"
    assert guest.main_process(DAEMON)["Uid"].split()[0] == "910"
    assert guest.main_process(RESOLVER)["Uid"].split()[0] == "911"  # no way to the daemon's sockets
    pasta = guest.text(["pgrep", "-u", "clearnet-net", "pa[s]"]).split()[0]
    ours, theirs = (guest.text(["readlink", f"/proc/{pid}/ns/user"]) for pid in ("1", pasta))
    assert ours != theirs  # its rights are none on the host


def test_a_killed_pasta_comes_back(guest: Guest) -> None:
    guest.wait_address()
    allow(guest, "fetch", FETCH)
    guest.text(["systemctl", "start", NAMESPACE], timeout=SECONDS)
    place = guest.text(["stat", "-c", "%i", PATH])
    guest.text(["pkill", "-KILL", "-u", "clearnet-net", "pa[s]"])
    wait_for(lambda: names.WEB_BODY_START in ask(guest, "start", "fetch")[1], SECONDS, "the network")
    assert guest.text(["stat", "-c", "%i", PATH]) == place
    for setting in ("ipv4/ip_forward", "ipv4/conf/all/forwarding", "ipv6/conf/all/forwarding"):
        assert guest.read(f"/proc/sys/net/{setting}") == "0"


def test_disabled_at_the_start(guest: Guest) -> None:
    """By the same file that the kernel's command line is read from, which the test puts in its place."""
    guest.wait_address()
    allow(guest, "fetch", FETCH)
    assert status(guest)["enabled"]
    override = "[Service]\nExecStart=\nExecStart=/usr/sbin/lethe-clearnetd --cmdline=/run/cmdline\n"
    guest.run(["sh", "-c", f"echo \"$(cat /proc/cmdline) lethe.clearnet=off\" > /run/cmdline; "
               f"mkdir -p /run/systemd/system/{DAEMON}.d; "
               f"cat > /run/systemd/system/{DAEMON}.d/test.conf"], input=override, check=True)
    guest.text(["systemctl", "daemon-reload"])
    guest.text(["systemctl", "restart", DAEMON])
    assert not status(guest)["enabled"]
    for user in (names.AMNESIA, names.ROOT):
        code, text = ask(guest, "start", "fetch", user=user)
        assert code == 1 and "disabled" in text
