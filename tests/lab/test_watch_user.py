# SPDX-License-Identifier: GPL-3.0-or-later
"""lethe-watchd where the kernel cannot name programs: the filter's own rules tell of each refusal,
its user is known, and nothing more is claimed. The kernel of the laboratory could name programs: so
the right to is taken away, or the daemon told not to."""

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
from labkit.watching import TARGET, TARGET6, Place, Row, Watch

SECONDS = watching.SECONDS
BURST = 20_000
AMNESIA = names.user(names.AMNESIA).uid
NOBODY = 65534
GROUP = 7806


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    with watching.filtered("-user") as made:
        yield made


@pytest.fixture(scope="module")
def watch(place: Place) -> Iterator[Watch]:
    with watching.bus() as bus:
        running = Watch(bus, "--by-user", prefix=watching.inside(place))
        yield running
        assert running.close() == ""


def tries(code: str) -> str:
    return f"import socket\ntry:\n {code}\nexcept OSError:\n pass\n"


def datagram(where: tuple[str, int], family: str = "AF_INET") -> str:
    return tries(f"socket.socket(socket.{family}, socket.SOCK_DGRAM).sendto(b'x', {where})")


CONNECT = "s = socket.socket(); s.setblocking(False); s.connect({where})"
ICMP = "socket.socket(socket.AF_INET, socket.SOCK_RAW, 1).sendto(b'\\x08' + bytes(7), ('{target}', 0))"
FRAME = ("s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW); s.bind(('eth0', 0)); "
         "s.send(bytes(12) + b'\\x88\\xb5' + bytes(46))")  # fmt: skip

# What is sent, by whom, and what must be known of it.
WAYS: dict[str, tuple[str, int, Row]] = {
    "udp": (datagram((TARGET, 5300)), AMNESIA,
            {"protocol": "udp", "destination": TARGET, "port": 5300, "way": "ip"}),
    "tcp": (tries(CONNECT.format(where=(TARGET, 81))), AMNESIA,
            {"protocol": "tcp", "destination": TARGET, "port": 81, "way": "ip"}),
    "icmp": (tries(ICMP.format(target=TARGET)), 0,
             {"protocol": "icmp", "destination": TARGET, "icmp-type": 8, "way": "ip"}),
    "local": (tries(CONNECT.format(where=("127.0.0.1", 9051))), NOBODY,
              {"protocol": "tcp", "destination": "127.0.0.1", "port": 9051, "loopback": True}),
    "udp6": (datagram((TARGET6, 53), "AF_INET6"), AMNESIA,
             {"protocol": "udp", "destination": TARGET6, "port": 53, "way": "ip"}),
    "frame": (tries(FRAME), 0, {"way": "device", "ethertype": 0x88B5}),
}  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
def test_each_refusal_has_its_user_and_no_program(watch: Watch, place: Place, way: str) -> None:
    code, uid, expected = WAYS[way]
    place.run(f"try-{way}", code, uid)
    row = watch.row(way, **expected)
    assert (row["attribution"], row["owner-uid"], row["attempts"]) == ("user", uid, 1)
    assert not {"program", "pid", "uid", "comm", "unit", "on-behalf"} & set(row)
    assert row["own-namespace"]


def test_it_says_so(watch: Watch, place: Place) -> None:
    place.run("says", datagram((TARGET, 5301)), AMNESIA)
    watch.row("the refusal", port=5301)
    state, text, summary = watch.state(), watch.client().stdout, watch.client("summary").stdout
    assert state["Source"] == "nflog" and "--by-user" in state["SourceReason"]
    assert not state["MissedKnown"]
    assert "BY USER ONLY, no program is known: cannot name programs" in text
    assert f"socket of user {AMNESIA}\n    udp {TARGET}:5301" in text
    assert "by user only: this computer's kernel names no program" in text
    assert "BY USER ONLY" in summary and f"programs that are not known, user {AMNESIA}: " in summary


def test_the_kernels_own_packets_are_nobodys(watch: Watch, place: Place) -> None:
    netns.ip_batch(["link add own0 type veth peer name own1", "link set own0 up",
                    "link set own1 up"], place.ns)  # fmt: skip
    rows = wait_for(lambda: watch.rows(attribution="kernel"), SECONDS, "the kernel's own packets")
    assert not any("owner-uid" in row for row in rows)


def test_a_missing_grant_is_told_here_too(watch: Watch, place: Place) -> None:
    place.run("grant", datagram((TARGET, 5302)), AMNESIA)
    row = watch.row("the refusal", port=5302)
    assert row["line"] == f"allow amnesia to {TARGET} over udp 5302"


BURSTS = ("import socket\ns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
          "for i in range({count}):\n try:\n  s.sendto(b'x', ('{target}', {port}))\n"
          " except OSError:\n  pass\n")  # fmt: skip


def counted(watch: Watch, port: int) -> int:
    return sum(row["attempts"] for row in watch.rows(port=port))


def test_a_burst_is_counted_to_the_last(watch: Watch, place: Place) -> None:
    before = watch.state()
    place.run("burst", BURSTS.format(count=BURST, target=TARGET, port=6000), AMNESIA)

    def lost() -> int:
        return watch.state()["Lost"] - before["Lost"]

    wait_for(lambda: counted(watch, 6000) + lost() >= BURST, SECONDS, "the burst to be read")
    assert counted(watch, 6000) + lost() == BURST
    print(f"\nwatch by user: {BURST} refused in a burst, {lost()} lost")


def test_what_is_lost_is_shown() -> None:
    """While the daemon cannot run there is room for some only. To the last one, they are those that
    are read or those that are said to be lost."""
    many = 4 * BURST
    with watching.filtered("-lost") as other, watching.bus() as bus:
        watch = Watch(bus, "--by-user", prefix=watching.inside(other))
        watch.process.send_signal(signal.SIGSTOP)
        try:
            other.run("flood", BURSTS.format(count=many, target=TARGET, port=6001), AMNESIA)
        finally:
            watch.process.send_signal(signal.SIGCONT)
        # All that found room comes before this.
        other.run("last", datagram((TARGET, 6002)), AMNESIA)
        wait_for(lambda: counted(watch, 6002), SECONDS, "the one behind the flood")
        state, text = watch.state(), watch.client().stdout
        told = sum(row["attempts"] + row["repeats"] for row in watch.rows())
        flood = counted(watch, 6001)
        watch.close()
    assert state["Lost"] > 0 and flood + state["Lost"] >= many
    assert state["Counted"] == told + state["Lost"]
    assert f"LOST: {state['Lost']} of them" in text


def test_a_filter_that_tells_nothing_is_noticed(place: Place) -> None:
    """The anti-test: without the rule that tells, the same attempt is refused and not seen."""
    with watching.filtered("-mute") as other, watching.bus() as bus:
        watch = Watch(bus, "--by-user", prefix=watching.inside(other))
        netns.nft(other.ns, "flush chain inet lethe refuse\nadd rule inet lethe refuse drop\n")
        other.run("untold", datagram((TARGET, 5303)), AMNESIA)
        other.run("frame", tries(FRAME))
        watch.row("what came later", ethertype=0x88B5)
        rows = watch.rows(port=5303)
        watch.close()
    assert rows == []


# ---- when it is used, and by whom ----


def listeners(place: Place) -> list[str]:
    argv = [*watching.inside(place), "cat", "/proc/net/netfilter/nfnetlink_log"]
    text = subprocess.run(argv, check=True, capture_output=True, text=True, timeout=SECONDS).stdout
    return [line.split()[0] for line in text.splitlines()]


def test_nobody_listens_where_programs_are_named() -> None:
    with watching.filtered("-named") as other, watching.bus() as bus:
        watch = Watch(bus, prefix=watching.inside(other))
        binary = other.run("named", datagram((TARGET, 5304)), AMNESIA)
        row = watch.row("the refusal", program=str(binary))
        silent = listeners(other)
        watch.close()
        watch = Watch(bus, "--by-user", prefix=watching.inside(other))
        heard = listeners(other)
        watch.close()
    assert row["attribution"] == "certain" and row["attempts"] == 1
    assert (silent, heard) == ([], [str(GROUP)])


def unprivileged(*some: str) -> tuple[str, ...]:
    rights = ",".join(f"+{name}" for name in some)
    return ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
            f"--inh-caps=-all,{rights}", f"--ambient-caps=-all,{rights}",
            f"--bounding-set=-all,{rights}")  # fmt: skip


def test_without_the_right_to_bpf_it_goes_on_by_user() -> None:
    with watching.filtered("-nobpf") as other, watching.bus() as bus:
        watch = Watch(bus, prefix=(*watching.inside(other), *unprivileged("net_admin")))
        other.run("nobpf", datagram((TARGET, 5305)), AMNESIA)
        row = watch.row("the refusal", port=5305)
        state, result = watch.state(), watch.client()
        status = Path(f"/proc/{watch.process.pid}/status").read_text()
        said = watch.close()
    assert (row["attribution"], row["owner-uid"]) == ("user", AMNESIA)
    assert state["Source"] == "nflog" and result.returncode == 0
    assert "cannot load the programs into the kernel" in result.stdout
    assert "cannot load the programs into the kernel" in said and TARGET not in said
    for kind in ("Inh", "Prm", "Eff", "Amb"):
        assert re.search(rf"^Cap{kind}:\t0+$", status, re.M), status
    assert re.search(r"^Seccomp:\t2$", status, re.M)


def test_it_holds_no_file(watch: Watch) -> None:
    folder = Path(f"/proc/{watch.process.pid}/fd")
    held = {os.readlink(entry) for entry in folder.iterdir()} - {str(watch.folder)}
    assert all(name.startswith(("socket:", "anon_inode:", "pipe:", "/dev/null"))
               for name in held), held  # fmt: skip


def test_two_cannot_listen(watch: Watch, place: Place) -> None:
    """The second one says that it sees nothing, and not that nothing was refused."""
    with watching.bus() as bus:
        second = Watch(bus, "--by-user", prefix=watching.inside(place))
        result = second.client()
        said = second.close()
    assert result.returncode == 1 and "NOT KNOWN who is refused" in result.stdout
    assert "Refused packets are not seen at all" in said
