# SPDX-License-Identifier: GPL-3.0-or-later
"""lethe-watchd on this kernel: each refused packet has the name of who sent it, or is marked as
one whose sender is not known. Nothing but a packet that really was dropped comes here."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from labkit import names, netns, watching
from labkit.wait import wait_for
from labkit.watching import TARGET, TARGET6, Bus, Place, Row, Watch

SECONDS = watching.SECONDS
BURST = 20_000
AMNESIA = names.user(names.AMNESIA).uid


@pytest.fixture(scope="module")
def bus() -> Iterator[Bus]:
    with watching.bus() as made:
        yield made


@pytest.fixture(scope="module")
def watch(bus: Bus) -> Iterator[Watch]:
    running = Watch(bus)
    yield running
    said = running.close()
    assert said == ""  # nothing of what was tried comes to where output is kept


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    with watching.place("") as made:
        yield made


def wait_refused(connection: str) -> str:
    """Code that tries, and is refused or gets nowhere."""
    return f"import socket\ntry:\n {connection}\nexcept OSError:\n pass\n"


def sends(family: str, kind: str, payload: str, where: str, protocol: str = "0") -> str:
    return wait_refused(f"socket.socket(socket.{family}, socket.{kind}, {protocol})"
                        f".sendto({payload}, {where})")  # fmt: skip


CONNECTS = "s = socket.socket(socket.{family}); s.setblocking(False); s.connect({where})"
FRAME = ("s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW); s.bind(('eth0', 0)); "
         "s.send(bytes(12) + b'\\x08\\x06' + bytes(28))")  # fmt: skip

# What is sent, and what must be said of it.
WAYS: dict[str, tuple[str, Row]] = {
    "tcp-reset": (
        wait_refused(CONNECTS.format(family="AF_INET", where=(TARGET, 80))),
        {"protocol": "tcp", "destination": TARGET, "port": 80, "way": "ip"}),
    "tcp-dropped": (
        wait_refused(CONNECTS.format(family="AF_INET", where=(TARGET, 81))),
        {"protocol": "tcp", "destination": TARGET, "port": 81, "way": "ip"}),
    "tcp-device": (
        wait_refused(CONNECTS.format(family="AF_INET", where=(TARGET, 7777))),
        {"protocol": "tcp", "destination": TARGET, "port": 7777, "way": "device"}),
    "udp": (
        sends("AF_INET", "SOCK_DGRAM", "b'x'", f"('{TARGET}', 53)"),
        {"protocol": "udp", "destination": TARGET, "port": 53, "way": "ip"}),
    "icmp": (
        sends("AF_INET", "SOCK_RAW", "b'\\x08' + bytes(7)", f"('{TARGET}', 0)", "1"),
        {"protocol": "icmp", "destination": TARGET, "icmp-type": 8, "way": "ip"}),
    "raw": (
        sends("AF_INET", "SOCK_RAW", "bytes(8)", f"('{TARGET}', 0)", "47"),
        {"protocol": "gre", "destination": TARGET, "way": "ip"}),
    "packet": (
        wait_refused(FRAME), {"way": "packet-socket", "ethertype": 0x0806}),
    "udp6": (
        sends("AF_INET6", "SOCK_DGRAM", "b'x'", f"('{TARGET6}', 53)"),
        {"protocol": "udp", "destination": TARGET6, "port": 53, "way": "ip"}),
    "tcp6": (
        wait_refused(CONNECTS.format(family="AF_INET6", where=(TARGET6, 81))),
        {"protocol": "tcp", "destination": TARGET6, "port": 81, "way": "ip"}),
    "icmp6": (
        sends("AF_INET6", "SOCK_RAW", "b'\\x80' + bytes(7)", f"('{TARGET6}', 0)", "58"),
        {"protocol": "icmpv6", "destination": TARGET6, "icmp-type": 128, "way": "ip"}),
}  # fmt: skip


def misnamed(row: Row, binary: Path, uid: int) -> list[str]:
    """What of a row is not as it is known to be."""
    status = binary.stat()
    truth = {
        "attribution": "certain", "program": str(binary), "path-known": True, "deleted": False,
        "inode": status.st_ino, "device": f"{os.major(status.st_dev)}:{os.minor(status.st_dev)}",
        "uid": uid,
    }  # fmt: skip
    return [f"{name}: {row.get(name)} is not {value}" for name, value in truth.items()
            if row.get(name) != value]  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
def test_every_way_out_has_a_name(watch: Watch, place: Place, way: str) -> None:
    code, expected = WAYS[way]
    binary = place.run(f"try-{way}", code)
    row = watch.row(way, program=str(binary))
    assert misnamed(row, binary, 0) == []
    assert {name: row.get(name) for name in expected} == expected
    assert row["network-namespace"] == place.number and not row["own-namespace"]
    assert row["owner-uid"] == 0 and row["attempts"] == 1
    # It has ended: the name came with the packet, not from looking afterwards.
    assert not Path(f"/proc/{row['pid']}").exists()


def test_another_user(watch: Watch, place: Place) -> None:
    binary = place.run("as-user", WAYS["udp"][0], AMNESIA)
    row = watch.row("a user", program=str(binary))
    assert misnamed(row, binary, AMNESIA) == [] and row["owner-uid"] == AMNESIA


def test_a_thread(watch: Watch, place: Place) -> None:
    code = "import threading\ndef body():\n " + WAYS["udp"][0].replace("\n", "\n ").rstrip() + \
           "\n print(threading.get_native_id())\nt = threading.Thread(target=body)\nt.start()\nt.join()"  # fmt: skip
    binary = place.copy("thread")
    result = subprocess.run(place.argv(binary, code), check=True, capture_output=True, text=True,
                            timeout=SECONDS)  # fmt: skip
    row = watch.row("a thread", program=str(binary))
    assert misnamed(row, binary, 0) == []
    assert row["tid"] == int(result.stdout) and row["tid"] != row["pid"]


def test_a_user_changed_after_the_socket_was_made(watch: Watch, place: Place) -> None:
    """The filter judges by who made the socket; both users are told."""
    code = ("import os, socket\ns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
            f"os.setuid({AMNESIA})\n" + wait_refused(f"s.sendto(b'x', ('{TARGET}', 53))"))
    binary = place.run("setuid", code)
    row = watch.row("the socket", program=str(binary))
    assert misnamed(row, binary, AMNESIA) == [] and row["owner-uid"] == 0


HAND_ON = ("import os, socket, sys\na = socket.socket(fileno=int(sys.argv[1]))\n"
           "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
           "socket.send_fds(a, [b'x'], [s.fileno()])\n")  # fmt: skip
USE = ("import socket, sys\na = socket.socket(fileno=int(sys.argv[1]))\n"
       "s = socket.socket(fileno=socket.recv_fds(a, 1, 1)[1][0])\n")  # fmt: skip


def test_a_descriptor_that_was_handed_on(watch: Watch, place: Place) -> None:
    """Who sends is named, and who made the socket as well: either may be the one to blame."""
    import socket

    maker, user = place.copy("maker"), place.copy("user")
    ours, theirs = socket.socketpair()
    with ours, theirs:
        for end in (ours, theirs):
            end.set_inheritable(True)
        made = subprocess.run([*place.argv(maker, HAND_ON), str(ours.fileno())], check=True,
                              pass_fds=[ours.fileno()], timeout=SECONDS)  # fmt: skip
        assert made.returncode == 0
        code = USE + wait_refused(f"s.sendto(b'x', ('{TARGET}', 53))")
        subprocess.run([*place.argv(user, code), str(theirs.fileno())], check=True,
                       pass_fds=[theirs.fileno()], timeout=SECONDS)  # fmt: skip
    row = watch.row("the socket", program=str(user))
    assert misnamed(row, user, 0) == []
    assert row["socket-made-by"] == "maker" and row["on-behalf"] == "socket"
    assert row["socket-made-by-inode"] == maker.stat().st_ino
    assert watch.rows(program=str(maker)) == []


# A unit of which the file is in systemd's own package, and a name that no unit has.
SERVICES = {"systemd-logind.service": "org.freedesktop.login1", "lethe-nowhere.service": None,
            "dbus-:1.2-org.example.Name@0.service": "org.example.Name"}  # fmt: skip


@pytest.mark.parametrize("unit", SERVICES)
def test_a_service_of_the_bus_may_act_for_others(watch: Watch, place: Place, unit: str) -> None:
    """It is said with the name that others call it by, and never for whom it acted."""
    binary = place.copy(f"in-{unit}")
    with watching.control_group(f"lethe-{os.getpid()}.slice", unit) as group:
        enter = ["sh", "-c", 'echo $$ > "$0" && exec "$@"', str(group / "cgroup.procs")]
        subprocess.run([*enter, *place.argv(binary, WAYS["udp"][0])], check=True, timeout=SECONDS)
    row = watch.row("the refusal", program=str(binary))
    text = watch.client().stdout
    assert row["unit"] == unit and row["attribution"] == "certain"
    assert row.get("bus-name") == SERVICES[unit]
    assert row.get("on-behalf") == ("dbus" if SERVICES[unit] else None)
    if SERVICES[unit]:
        assert f"asked it over the message bus ({SERVICES[unit]})" in text


def test_another_mount_namespace(watch: Watch, place: Place, tmp_path: Path) -> None:
    """The path is that of the program's own view, and the namespace is told with it."""
    binary = place.copy("contained")
    inside = tmp_path / "inside"
    inside.mkdir()
    script = f"mount --bind {place.folder} {inside} && exec {inside}/contained -Ic \"$1\""
    argv = ["nsenter", f"--net={netns.path(place.ns)}", "unshare", "--mount", "sh", "-c", script,
            "sh", WAYS["udp"][0]]  # fmt: skip
    subprocess.run(argv, check=True, timeout=SECONDS)
    row = watch.row("a container's program", inode=binary.stat().st_ino)
    assert row["program"] == str(inside / "contained") and row["attribution"] == "certain"
    assert row["mount-namespace"] != Path("/proc/self/ns/mnt").stat().st_ino


def test_a_program_without_a_name(watch: Watch, place: Place) -> None:
    """Its file was deleted while it ran."""
    binary = place.copy("deleted")
    with place.running("deleted", "input()\n" + WAYS["udp"][0]) as process:
        wait_for(lambda: os.readlink(f"/proc/{process.pid}/exe") == str(binary), SECONDS,
                 "the program to run")  # fmt: skip
        binary.unlink()
        process.communicate("\n", timeout=SECONDS)
    row = watch.row("the program", program=str(binary))
    assert row["deleted"] and row["attribution"] == "certain"


def test_the_kernel_is_not_taken_for_a_program(watch: Watch) -> None:
    """A device that comes up asks for neighbours and joins groups by itself."""
    with watching.place("-kernel") as other:
        netns.ip_batch(["link add dev0 type veth peer name dev1", "link set dev0 up", "link set dev1 up"], other.ns)
        rows = wait_for(lambda: watch.rows(network_namespace=other.number), SECONDS,
                        "the kernel's own packets")  # fmt: skip
    assert {row["attribution"] for row in rows} == {"kernel"}
    assert not any("program" in row or "owner-uid" in row for row in rows)


HOG = "print(flush=True)\nwhile True:\n pass\n"
REPEATS = CONNECTS.format(family="AF_INET", where=(TARGET, 81))
REPEATING = f"import socket\nprint(flush=True)\n{wait_refused(REPEATS)}input()\n"


def repetitions(watch: Watch, place: Place, name: str) -> tuple[list[Row], Path, int]:
    """Have a program try to connect where nothing answers, while every processor is busy with
    another one, until the kernel has repeated it. Returns all rows of this namespace's port."""
    with place.running(f"{name}-hog", HOG) as hog, place.running(f"{name}-hog", HOG) as second:
        for process in (hog, second):
            assert process.stdout and process.stdout.readline()
        with place.running(name, REPEATING) as process:

            def all_rows() -> list[Row]:
                rows = watch.rows(network_namespace=place.number, port=81, destination=TARGET)
                sent = sum(row["attempts"] + row["repeats"] for row in rows
                           if "try-" not in row.get("program", ""))  # fmt: skip
                return rows if sent >= 2 else []

            rows = wait_for(all_rows, SECONDS, "a repetition")
            return rows, place.copy(name), process.pid


def wrongly_repeated(rows: list[Row], binary: Path) -> list[Row]:
    """Rows whose program did not send what they say."""
    return [row for row in rows if row.get("program") != str(binary)
            and not row.get("program", "").startswith(str(binary.parent / "try-"))]  # fmt: skip


def test_repetitions_from_an_interrupt_are_the_sockets(watch: Watch) -> None:
    with watching.place("-repeat") as other:
        rows, binary, pid = repetitions(watch, other, "repeating")
        assert wrongly_repeated(rows, binary) == []
        assert len(rows) == 1 and rows[0]["attempts"] == 1 and rows[0]["repeats"] >= 1
        assert misnamed(rows[0], binary, 0) == [] and rows[0]["pid"] == pid


def test_a_planted_fault_names_the_wrong_program() -> None:
    """The same test sees it, when the daemon takes an interrupt for the process it came over."""
    with watching.bus() as bus, watching.place("-fault") as other:
        watch = Watch(bus, binary=watching.faulty())
        rows, binary, _ = repetitions(watch, other, "innocent")
        watch.close()
    assert wrongly_repeated(rows, binary) != []


def test_a_socket_older_than_the_watch_is_marked() -> None:
    """Nobody knows who repeats it: the user is told, and that the program is not known."""
    with watching.bus() as bus, watching.place("-older") as other:
        with other.running("older", REPEATING, AMNESIA) as process:
            assert process.stdout and process.stdout.readline()
            watch = Watch(bus)
            row = watch.row("a repetition", network_namespace=other.number, port=81)
            watch.close()
    assert row["attribution"] == "unknown" and "program" not in row
    assert row["owner-uid"] == AMNESIA and row["repeats"] >= 1


BURSTS = ("import socket\ns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
          "for i in range({count}):\n try:\n  s.sendto(b'x', ('{target}', 1 + i % {ports}))\n"
          " except OSError:\n  pass\n")  # fmt: skip


def counted(watch: Watch, binary: Path) -> int:
    return sum(row["attempts"] for row in watch.rows(program=str(binary)))


def test_a_burst_is_counted_to_the_last(watch: Watch, place: Place) -> None:
    before = watch.state()
    binary = place.run("burst", BURSTS.format(count=BURST, target=TARGET, ports=10))
    lost = watch.state()["Lost"] - before["Lost"]
    wait_for(lambda: counted(watch, binary) + lost >= BURST, SECONDS, "the burst to be read")
    assert counted(watch, binary) + lost == BURST
    assert watch.state()["Counted"] - before["Counted"] >= BURST
    print(f"\nwatch: {BURST} refused in a burst, {lost} without a name")


def test_what_is_lost_is_shown(place: Place) -> None:
    """While the daemon cannot run there is room for some records only; the rest is counted."""
    many = 4 * BURST
    with watching.bus() as bus:
        watch = Watch(bus)
        watch.process.send_signal(signal.SIGSTOP)
        try:
            binary = place.run("flood", BURSTS.format(count=many, target=TARGET, ports=10))
        finally:
            watch.process.send_signal(signal.SIGCONT)
        wait_for(lambda: counted(watch, binary) + watch.state()["Lost"] >= many, SECONDS,
                 "what was kept to be read")  # fmt: skip
        state = watch.state()
        assert state["Lost"] > 0 and state["Counted"] >= many
        text = watch.client().stdout
        watch.close()
    assert f"LOST: {state['Lost']} of them" in text


def test_memory_is_bounded(place: Place) -> None:
    with watching.bus() as bus:
        watch = Watch(bus, "--rows=16")
        binary = place.run("many", BURSTS.format(count=200, target=TARGET, ports=200))
        state = wait_for(lambda: watch.state()["Counted"] >= 200 and watch.state(), SECONDS,
                         "all to be counted")  # fmt: skip
        wait_for(lambda: watch.state()["RowsEvicted"] >= 184, SECONDS, "older rows to go")
        rows = watch.answer()["refused"]
        watch.close()
    assert state["Rows"] <= 16 and len(rows) == 16
    assert {row["port"] for row in rows if row.get("program") == str(binary)} <= set(range(150, 201))


def test_a_missing_grant_is_the_line_that_grants_it(watch: Watch, place: Place) -> None:
    """By the real filter: refused, named with a line; with the line in the policy, it passes."""
    from labkit import rules

    with watching.place("-grant") as other:
        wall = ["nsenter", f"--net={netns.path(other.ns)}", str(rules.wall())]
        options = [f"--passwd={names.PASSWD}"]
        netns.nft(other.ns, "flush ruleset\n")
        policy = other.folder / "policy.conf"
        policy.write_text(re.sub(r"^include .*$", "", names.DEFAULT_POLICY.read_text(), flags=re.M))
        subprocess.run([*wall, *options, "apply", str(policy)], check=True, capture_output=True,
                       timeout=SECONDS)  # fmt: skip
        code = sends("AF_INET", "SOCK_DGRAM", "b'x'", f"('{TARGET}', 9999)")
        binary = other.run("wants-grant", code, AMNESIA)
        row = watch.row("the refusal", program=str(binary))
        assert row["grant"] == "missing"
        assert row["line"] == f"allow amnesia to {TARGET} over udp 9999"
        with policy.open("a") as file:
            file.write(row["line"] + "\n")
        subprocess.run([*wall, *options, "apply", str(policy)], check=True, capture_output=True,
                       timeout=SECONDS)  # fmt: skip
        passes = f"import socket\nsocket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('{TARGET}', 9999))"
        subprocess.run(other.argv(binary, passes, AMNESIA), check=True, timeout=SECONDS)
        assert watch.row("the refusal", program=str(binary))["attempts"] == 1
        subprocess.run([*wall, "open", "--yes"], check=True, capture_output=True, timeout=SECONDS)


def test_a_changed_policy_is_noticed_without_a_word(place: Place) -> None:
    """By the next answer, whichever way its files change; what was told before is told anew."""
    folder = place.folder / "changing.d"
    folder.mkdir()
    policy, dropin, new = (place.folder / "changing.conf", folder / "one.conf", place.folder / "new")
    text = watching.own_policy(place).read_text() + "include changing.d\n"
    line = f"allow amnesia to {TARGET} over udp 9990\n"
    policy.write_text(text)
    with watching.bus() as bus:
        watch = Watch(bus, f"--policy={policy}")
        binary = place.run("changing", sends("AF_INET", "SOCK_DGRAM", "b'x'", f"('{TARGET}', 9990)"),
                           AMNESIA)  # fmt: skip

        def grant() -> str:
            return watch.row("the refusal", program=str(binary))["grant"]

        assert grant() == "missing"
        policy.write_text(text + line)
        assert grant() == "allowed"  # by this policy: here another filter refuses
        new.write_text(text)
        new.rename(policy)
        assert grant() == "missing"
        dropin.write_text(line)
        assert grant() == "allowed"
        dropin.write_text(line.replace("9990", "9991"))
        assert grant() == "missing"
        dropin.write_text("this is no policy\n")
        assert grant() == "unknown" and not watch.state()["PolicyRead"]
        dropin.write_text(line)
        assert grant() == "allowed" and watch.state()["PolicyRead"]
        # Being told so is survived, with a drop-in that must be opened.
        watch.process.send_signal(signal.SIGHUP)
        assert grant() == "allowed"
        dropin.unlink()
        assert grant() == "missing"
        assert watch.close() == ""


# ---- the daemon itself ----


def test_it_has_given_up_its_rights(watch: Watch) -> None:
    status = Path(f"/proc/{watch.process.pid}/status").read_text()
    for kind in ("Inh", "Prm", "Eff", "Bnd", "Amb"):
        assert re.search(rf"^Cap{kind}:\t0+$", status, re.M), status
    assert re.search(r"^Seccomp:\t2$", status, re.M)
    assert re.search(r"^NoNewPrivs:\t1$", status, re.M)


def test_it_holds_no_file(watch: Watch) -> None:
    """Nothing that it learns can come to a disk by a file that it holds."""
    folder = Path(f"/proc/{watch.process.pid}/fd")
    held = {os.readlink(entry) for entry in folder.iterdir()} - {str(watch.folder)}
    assert all(name.startswith(("socket:", "anon_inode:", "pipe:", "/dev/null", "/sys/fs/cgroup"))
               for name in held), held  # fmt: skip


def test_it_needs_three_capabilities_and_no_user(place: Place) -> None:
    """As its unit starts it: not as root. Without one of them it knows users only, or says that it
    cannot tell."""
    needed = ["bpf", "perfmon", "net_admin"]
    for left_out in (None, *needed):
        some = ",".join(f"+{name}" for name in needed if name != left_out)
        prefix = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
                  f"--inh-caps=-all,{some}", f"--ambient-caps=-all,{some}",
                  f"--bounding-set=-all,{some}")  # fmt: skip
        with watching.bus() as bus:
            watch = Watch(bus, prefix=prefix)
            result = watch.client()
            said = watch.close()
        if left_out is None:
            assert result.returncode == 0 and said == ""
        elif left_out != "net_admin":
            assert result.returncode == 0
            assert "BY USER ONLY" in result.stdout and "load the programs" in result.stdout
            assert "cannot load the programs into the kernel" in said
        else:
            assert result.returncode == 1 and "NOT KNOWN who is refused" in result.stdout
            assert "cannot load the programs into the kernel" in said


HIDE = ("unshare", "--mount", "sh", "-c", 'mount -t tmpfs none /sys/kernel/btf && exec "$@"', "sh")


def test_a_kernel_that_does_not_describe_itself() -> None:
    """Without BTF no program is named; that is said, by the daemon and to who asks."""
    with watching.bus() as bus:
        watch = Watch(bus, prefix=HIDE)
        result = watch.client()
        mode, said = watch.status()["mode"], watch.close()
    assert result.returncode == 0 and mode == "nflog"
    assert "BY USER ONLY, no program is known" in result.stdout
    assert "the kernel's description of itself (BTF)" in result.stdout
    assert "the kernel's description of itself (BTF)" in said


def test_what_cannot_be_told_anew_is_not_told_at_all(place: Place) -> None:
    """A status that stays as it was would go on saying that all is well."""
    with watching.bus() as bus:
        watch = Watch(bus)
        status, hindrance = watch.folder / "status.json", watch.folder / "status.json.new"
        wait_for(status.exists, SECONDS, "the status")
        hindrance.mkdir()
        place.run("untold", WAYS["udp"][0])
        wait_for(lambda: not status.exists(), SECONDS, "the status to go")
        hindrance.rmdir()
        place.run("told", WAYS["udp"][0])
        wait_for(status.exists, SECONDS, "the status again")
        said = watch.close()
    assert said.count("cannot say in its folder how it is") == 1 and TARGET not in said


def test_others_may_not_make_it_forget(watch: Watch, place: Place) -> None:
    binary = place.run("remembered", WAYS["udp"][0])
    watch.row("the refusal", program=str(binary))
    result = watch.client("forget", user=AMNESIA, group=AMNESIA, extra_groups=[])
    assert result.returncode == 3 and watch.rows(program=str(binary))


def test_root_may_make_it_forget(place: Place) -> None:
    with watching.bus() as bus:
        watch = Watch(bus)
        binary = place.run("forgotten", WAYS["udp"][0])
        watch.row("the refusal", program=str(binary))
        assert watch.client("forget").returncode == 0
        assert watch.rows(program=str(binary)) == []
        watch.close()


def test_nobody_watches(bus: Bus) -> None:
    with watching.bus() as empty:
        argv = [str(watching.program("lethe-watch")), f"--bus={empty.address}"]
        result = subprocess.run(argv, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert result.returncode == 1 and "lethe-watchd does not run" in result.stderr


def test_following_shows_what_is_new(watch: Watch, place: Place) -> None:
    argv = [str(watching.program("lethe-watch")), f"--bus={watch.bus.address}", "--follow", "--json"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as follower:
        assert follower.stdout
        binary = place.run("followed", WAYS["udp"][0])
        for line in follower.stdout:
            if f'"program":"{binary}"' in line:
                break
        else:
            pytest.fail("the end came first")
        follower.kill()


def test_a_notice_is_said_once(place: Place) -> None:
    """A program that tries many addresses is told of once; the others are counted."""
    with watching.bus() as bus:
        watch = Watch(bus)
        monitor = subprocess.Popen(
            ["busctl", f"--address={bus.address}", "--json=short", "monitor",
             "org.lethe.Network1"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)  # fmt: skip
        with monitor:
            assert monitor.stdout and monitor.stderr and monitor.stderr.readline()
            place.run("chatty", BURSTS.format(count=100, target=TARGET, ports=100))
            place.run("last", WAYS["tcp-reset"][0])
            told = []
            for line in monitor.stdout:
                if '"member":"Refused"' in line:
                    told.append(line)
                    if "Last tried" in line:
                        break
            monitor.kill()
        watch.close()
    assert len(told) == 2 and f"Chatty tried to reach {TARGET}:1 by udp directly and was refused" in told[0]
    assert f"Last tried to reach {TARGET}:80 directly and was refused" in told[1]
