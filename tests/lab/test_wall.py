# SPDX-License-Identifier: GPL-3.0-or-later
"""lethe-wall as a person or a script meets it: verbs, exit statuses, JSON, what is enforced after
each, what ends with a tightened policy, and what the program itself may do."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from conftest import lab_name
from labkit import flows, names, netns
from labkit import transitions as tr
from labkit.lab import Lab
from labkit.wait import wait_for

DEFAULT = names.DEFAULT_POLICY
SECONDS = 120.0
OK, NO, BAD, FAILED = 0, 1, 2, 3
BAD_POLICIES = names.SOURCE_ROOT / "tests" / "bad" / "policy"
NFT = ["timeout", "60", "nft"]

TIGHT = """lethe-policy 1
default drop
ipv6 blocked
link arp for kernel
network private = 192.168.0.0/16
lan private closed
allow amnesia to 192.168.1.60 over tcp 7001
service socks tcp 9050 for amnesia
"""
LOOSE = TIGHT.replace("closed", "open").replace(
    "allow amnesia to 192.168.1.60 over tcp 7001\n", "allow amnesia to loopback over tcp\n"
).replace("service socks tcp 9050 for amnesia\n", "")


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    laboratory = Lab(lab_name("-wall"))
    laboratory.up(tor=False)
    yield laboratory
    laboratory.down()


@pytest.fixture(autouse=True)
def begin_open(lab: Lab) -> Iterator[None]:
    """Each test begins with nothing enforced, and leaves nothing."""
    assert tr.wall(lab, "open", "--yes").returncode == OK
    yield
    run(lab, [*NFT, "flush", "ruleset"])


@pytest.fixture
def policy(tmp_path: Path) -> Any:
    def write(text: str, name: str = "policy.conf") -> str:
        (tmp_path / name).write_text(text, encoding="utf-8")
        return str(tmp_path / name)

    return write


def run(lab: Lab, argv: list[str]) -> str:
    result = tr.run(lab, argv)
    assert result.returncode == 0, f"{argv}: {result.stderr}"
    return result.stdout


def asked(lab: Lab, *words: str, status: int = OK) -> dict[str, Any]:
    """The verb with --json: its exit status must be @status, and its output one JSON object."""
    result = tr.wall(lab, "--json", *words)
    assert result.returncode == status, f"{words}: {result.stdout}{result.stderr}"
    return json.loads(result.stdout)


def apply(lab: Lab, path: str | Path = DEFAULT) -> dict[str, Any]:
    return asked(lab, "apply", str(path))


def state(lab: Lab, path: str | Path = DEFAULT) -> str:
    return tr.status(lab, Path(path))["state"]


# ---- verbs --------------------------------------------------------------------------------------


def test_every_verb_answers_in_json(lab: Lab, tmp_path: Path) -> None:
    path, batch = str(DEFAULT), str(tmp_path / "batch")
    assert asked(lab, "check", path)["good"] is True
    assert "table inet lethe {" in asked(lab, "compile", path)["listing"]
    assert asked(lab, "compile", "--batch", batch, path)["bytes"] == Path(batch).stat().st_size
    assert asked(lab, "apply", path) == {"state": "enforced", "policy": path, "complete": True,
                                         "flows_ended": 0}
    assert asked(lab, "status", path) == {
        "version": 1, "state": "enforced", "rules": "policy", "policy": path, "policy_good": True,
        "difference": "", "binding": "prefix" if tr.binds_by_prefix() else "names",
        "uncovered": [], "settings_good": True, "settings": "", "other_tables": "",
    }  # fmt: skip
    assert asked(lab, "-p", path, "explain", "amnesia", "127.0.0.1:9050")["allowed"] is True
    assert asked(lab, "diff", path, path)["same"] is True
    assert asked(lab, "cover") == {"state": "covered", "sealed": False}
    assert asked(lab, "seal") == {"state": "sealed"}
    assert asked(lab, "status", path, status=NO)["state"] == "sealed"
    assert asked(lab, "open", "--yes") == {"state": "open"}
    assert asked(lab, "status", path, status=NO)["state"] == "open"


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("frobnicate",),
        ("check", "one", "two"),
        ("explain", "amnesia"),
        ("diff", "one"),
        ("open",),
        ("check", "/none/such"),
        ("diff", str(DEFAULT), "/none/such"),
        ("apply", "--batch", "/none/such"),
        ("apply", "--batch", "/dev/zero"),
        ("--source-port", "70000", "explain", "amnesia", "127.0.0.1:1"),
        ("--policy", str(DEFAULT), "explain", "nosuchuser", "127.0.0.1:1"),
        ("--policy", str(DEFAULT), "explain", "amnesia", "localhost:1"),
        ("--policy", str(DEFAULT), "explain", "amnesia", "127.0.0.1:1", "--proto", "tpc"),
    ],
)
def test_wrong_words_are_refused_and_change_nothing(lab: Lab, words: tuple[str, ...]) -> None:
    before = tr.generation(lab)
    error = asked(lab, *words, status=BAD)["error"]
    assert error["message"]
    plain = tr.wall(lab, *words)
    assert (plain.returncode, plain.stdout) == (BAD, "")
    assert plain.stderr.strip()
    assert tr.generation(lab) == before


def test_quiet_says_nothing(lab: Lab, tmp_path: Path) -> None:
    for words in (["check", str(DEFAULT)], ["apply", str(DEFAULT)], ["seal"], ["open", "--yes"],
                  ["compile", "--batch", str(tmp_path / "batch"), str(DEFAULT)]):  # fmt: skip
        result = tr.wall(lab, "--quiet", *words)
        assert (result.returncode, result.stdout, result.stderr) == (OK, "", "")


def test_bad_policies_leave_the_kernel_untouched(lab: Lab) -> None:
    apply(lab)
    before = tr.generation(lab)
    for path in sorted(BAD_POLICIES.glob("*.conf"))[::7]:
        for verb in ("check", "apply", "compile"):
            error = asked(lab, verb, str(path), status=BAD)["error"]
            assert error["message"] and Path(error["file"]).name, path
            assert error["line"] >= 0 and error["column"] >= 0
    assert tr.generation(lab) == before
    assert state(lab) == "enforced"


def test_a_mistake_is_told_with_its_place(lab: Lab, policy: Any) -> None:
    path = policy(TIGHT + "service web tcp 8080 for amnezia\n")
    result = tr.wall(lab, "check", path)
    assert result.returncode == BAD
    assert result.stderr.startswith(f"{path}:9:26: ")
    assert "amnezia" in result.stderr and "amnesia" in result.stderr
    error = asked(lab, "check", path, status=BAD)["error"]
    assert (error["file"], error["line"], error["column"]) == (path, 9, 26)


def test_without_the_right_nothing_changes(lab: Lab) -> None:
    apply(lab)
    before = tr.generation(lab)
    for words in (["apply", str(DEFAULT)], ["seal"], ["open", "--yes"]):
        result = lab.host.run(tr.wall_words(*words), user=names.NOBODY)
        assert result.returncode == FAILED, words
        assert result.stderr
    assert tr.generation(lab) == before


# ---- open ---------------------------------------------------------------------------------------


def test_open_does_nothing_unasked(lab: Lab) -> None:
    apply(lab)
    result = tr.wall(lab, "open", input="open\n")
    assert result.returncode == BAD
    assert "--yes" in result.stderr
    assert state(lab) == "enforced"


@pytest.mark.parametrize(
    ("answer", "status", "after"),
    [(b"open\n", OK, "open"), (b"yes\n", BAD, "enforced"), (b"\n", BAD, "enforced"),
     (b"\x04", BAD, "enforced")],  # the last: the end of the input
)
def test_open_asks_at_a_terminal(lab: Lab, answer: bytes, status: int, after: str) -> None:
    apply(lab)
    ours, theirs = pty.openpty()
    process = netns.run_in(
        lab.ns(names.HOST),
        lambda: subprocess.Popen(tr.wall_words("open"), stdin=theirs, stdout=subprocess.DEVNULL,
                                 stderr=theirs),
    )  # fmt: skip
    os.close(theirs)
    try:
        said = b""
        while b"Type 'open'" not in said:
            assert select.select([ours], [], [], SECONDS)[0], said
            said += os.read(ours, 4096)
        os.write(ours, answer)
        assert process.wait(SECONDS) == status
    finally:
        process.kill()
        process.wait()
        os.close(ours)
    assert state(lab) == after


# ---- what holds after each ----------------------------------------------------------------------


def test_seal_drops_loopback_too(lab: Lab) -> None:
    local = ("127.0.0.1", names.DNS_PORT)
    for enforce, sends in ((lambda: None, True), (lambda: apply(lab), True),
                           (lambda: asked(lab, "seal"), False), (lambda: apply(lab), True)):
        enforce()
        for user in (names.AMNESIA, names.ROOT):
            assert lab.host.call(flows.sends, *local, user=user) is sends


def test_applying_twice_is_applying_once(lab: Lab) -> None:
    listings = []
    for _ in range(2):
        apply(lab)
        assert state(lab) == "enforced"
        listings.append(run(lab, [*NFT, "--stateless", "list", "table", "inet", "lethe"]))
    assert listings[0] == listings[1]
    assert listings[0].count("chain ") > 10


STRANGE = "{ chain c { type nat hook postrouting priority 100; masquerade; }; }"
HARMLESS = "{ chain c { type filter hook input priority 100; }; }"


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        ("add element inet lethe net_private { 11.0.0.0/8 }", "net_private"),
        ("delete element inet lethe services { 0 . tcp . 9062 }", "services"),
        ("add rule inet lethe output accept", "output"),
        ("insert rule inet lethe refuse accept", "refuse"),
        ("flush chain inet lethe refuse", "refuse"),
        ("add chain inet lethe output { policy accept; }", "output"),
        ("add chain inet lethe more", "more"),
        ("delete table netdev lethe", "missing"),
        ("delete table inet lethe", "missing"),
    ],
)
def test_status_sees_what_was_changed(lab: Lab, change: str, difference: str) -> None:
    apply(lab)
    run(lab, [*NFT, change])
    found = asked(lab, "status", str(DEFAULT), status=NO)
    assert found["state"] == "different"
    assert difference in found["difference"]
    text = tr.wall(lab, "status", str(DEFAULT))
    assert text.returncode == NO and text.stdout.startswith("Different: ")
    apply(lab)
    assert state(lab) == "enforced"


def test_status_sees_a_deleted_rule(lab: Lab) -> None:
    apply(lab)
    listing = run(lab, [*NFT, "--handle", "list", "chain", "inet", "lethe", "output"])
    handle = re.search(r"IPv6 is blocked.*# handle (\d+)", listing)
    assert handle
    run(lab, [*NFT, f"delete rule inet lethe output handle {handle[1]}"])
    found = asked(lab, "status", str(DEFAULT), status=NO)
    assert found["state"] == "different" and "output" in found["difference"]


def test_status_names_tables_of_others(lab: Lab) -> None:
    run(lab, [*NFT, f"add table ip strange {STRANGE}"])
    run(lab, [*NFT, f"add table ip6 harmless {HARMLESS}"])
    assert asked(lab, "status", str(DEFAULT), status=NO)["state"] == "open"
    apply(lab)
    found = asked(lab, "status", str(DEFAULT))
    assert found["state"] == "enforced"
    assert sorted(found["other_tables"].split(", ")) == ["harmless", "strange (rewrites packets)"]


def test_status_hides_nothing_behind_a_bad_policy(lab: Lab, policy: Any) -> None:
    assert asked(lab, "seal")
    found = asked(lab, "status", policy("nonsense\n"), status=NO)
    assert (found["state"], found["policy_good"]) == ("sealed", False)
    apply(lab)
    found = asked(lab, "status", policy("nonsense\n"), status=NO)
    assert (found["state"], found["policy_good"]) == ("different", False)


def test_settings_are_set_and_checked(lab: Lab) -> None:
    wanted = {"ipv4/tcp_mtu_probing": "1", "ipv4/ip_forward": "0"}
    for device in ("all", "default", names.LAN_DEVICE):
        wanted |= {f"ipv4/conf/{device}/{name}": value for name, value in
                   (("accept_redirects", "0"), ("send_redirects", "0"), ("route_localnet", "0"),
                    ("accept_source_route", "0"), ("arp_ignore", "1"), ("arp_announce", "2"))}
        wanted |= {f"ipv6/conf/{device}/accept_ra": "0"}  # fmt: skip
    other = {name: "1" if value != "1" else "0" for name, value in wanted.items()}
    netns.write_sysctls(lab.ns(names.HOST), other)
    apply(lab)
    assert netns.run_in(lab.ns(names.HOST), _read_settings, list(wanted)) == wanted
    for name, value in other.items():
        netns.write_sysctls(lab.ns(names.HOST), {name: value})
        found = asked(lab, "status", str(DEFAULT), status=NO)
        assert found["state"] == "enforced" and found["settings_good"] is False
        assert f"net/{name} is {value}, not " in found["settings"]
        apply(lab)


def _read_settings(wanted: list[str]) -> dict[str, str]:
    return {name: Path("/proc/sys/net", name).read_text().strip() for name in wanted}


def test_settings_that_cannot_be_set_are_told(lab: Lab) -> None:
    """The filter is in force all the same, and the exit status says that something is not."""
    netns.write_sysctls(lab.ns(names.HOST), {"ipv4/tcp_mtu_probing": "0"})
    script = 'mount --make-rprivate / && mount -o bind,ro /proc/sys /proc/sys && exec "$@"'
    result = tr.run(lab, ["unshare", "--mount", "sh", "-c", script, "sh",
                          *tr.wall_words("apply", "--json", str(DEFAULT))])  # fmt: skip
    assert result.returncode == FAILED
    told = json.loads(result.stdout)
    assert (told["state"], told["complete"]) == ("enforced", False)
    assert "tcp_mtu_probing" in result.stderr
    assert state(lab) == "enforced"


# ---- explain and diff ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("user", "destination", "options", "allowed", "statement"),
    [
        ("amnesia", "127.0.0.1:9050", (), True, "allow amnesia to loopback"),
        ("amnesia", names.HOST_ADDRESS + ":631", (), True, "allow amnesia to loopback"),
        ("nobody", names.HOST_ADDRESS_SECOND + ":631", (), False, "default drop"),
        ("amnesia", names.PRINTER_ADDRESS + ":631", (), True, "lan private open"),
        ("amnesia", names.ROUTER_ADDRESS + ":53", ("--proto", "udp"), False, "lan private open"),
        ("amnesia", names.WEB_ADDRESS + ":80", (), False, "default drop"),
        ("debian-tor", names.WEB_ADDRESS + ":443", (), True, "allow debian-tor to internet"),
        ("debian-tor", f"[{names.WEB_ADDRESS6}]:443", (), False, "ipv6 blocked"),
        ("amnesia@clearnet", names.WEB_ADDRESS + ":53", ("--proto", "udp"), True,
         "allow clearnet-net to anywhere"),
        ("65000", names.WEB_ADDRESS + ":80", (), False, "default drop"),
        ("root", "255.255.255.255:67", ("--proto", "udp", "--source-port", "68"), True,
         "link dhcp"),
    ],
)  # fmt: skip
def test_explain(lab: Lab, user: str, destination: str, options: tuple[str, ...], allowed: bool,
                 statement: str) -> None:  # fmt: skip
    words = ("--policy", str(DEFAULT), *options, "explain", user, destination)
    found = asked(lab, *words, status=OK if allowed else NO)
    assert found["allowed"] is allowed
    assert Path(found["file"]) == DEFAULT
    line = DEFAULT.read_text(encoding="utf-8").splitlines()[found["line"] - 1]
    assert line.startswith(statement), line
    text = tr.wall(lab, *words).stdout
    assert text.startswith("allowed" if allowed else ("refused", "dropped"))
    assert f"{DEFAULT}:{found['line']}" in text


def test_explain_tells_where_a_packet_is_redirected(lab: Lab) -> None:
    words = ("--policy", str(DEFAULT), "explain", "amnesia", "127.192.0.9:80")
    assert asked(lab, *words)["redirected_to_port"] == names.TOR_TRANS_PORT
    assert f"127.0.0.1:{names.TOR_TRANS_PORT}" in tr.wall(lab, *words).stdout


def test_diff_tells_each_way_by_example(lab: Lab, policy: Any) -> None:
    old = policy(TIGHT, "old.conf")
    new = policy(TIGHT.replace("for amnesia", "for nobody"), "new.conf")
    found = asked(lab, "diff", old, new, status=NO)
    assert found["same"] is False
    allowed, denied = found["newly_allowed"], found["newly_denied"]
    assert {entry["user"] for entry in allowed} == {"nobody"}
    assert {entry["user"] for entry in denied} == {"amnesia"}
    for entry, path in ((allowed[0], new), (denied[0], old)):
        assert "9050" in entry["example"] and entry["classes"] > 0
        assert (entry["file"], entry["line"]) == (path, 8)
    text = tr.wall(lab, "diff", old, new).stdout
    assert text.index("Newly allowed:") < text.index("Newly denied:")
    # The other way round everything is the other way round.
    back = asked(lab, "diff", new, old, status=NO)
    assert [e["user"] for e in back["newly_allowed"]] == [e["user"] for e in denied]


# ---- the precompiled batch ----------------------------------------------------------------------


@pytest.fixture
def batch(lab: Lab, tmp_path: Path) -> Path:
    path = tmp_path / "batch"
    assert tr.wall(lab, "compile", "--batch", str(path), str(DEFAULT)).returncode == OK
    return path


def test_a_batch_is_the_policy(lab: Lab, batch: Path) -> None:
    result = tr.wall(lab, "apply", "--batch", str(batch))
    if not tr.binds_by_prefix():
        assert result.returncode == FAILED
        assert state(lab) == "open"
        return
    assert result.returncode == OK, result.stderr
    assert state(lab) == "enforced"
    # Again, over what is there, and over a seal.
    assert tr.wall(lab, "apply", "--batch", str(batch)).returncode == OK
    assert tr.wall(lab, "seal").returncode == OK
    assert tr.wall(lab, "apply", "--batch", str(batch)).returncode == OK
    assert state(lab) == "enforced"


def test_damaged_batches_are_refused(lab: Lab, batch: Path) -> None:
    good = batch.read_bytes()
    damaged = {
        "empty": b"",
        "cut at a message": good[: int.from_bytes(good[:4], "little")],
        "cut short": good[:-1],
        "cut in the middle": good[: len(good) // 2],
        "more behind": good + good,
        "padded": good + bytes(4),
        "one length wrong": good[:20] + b"\xff\xff\xff\x7f" + good[24:],
        "another table": good.replace(b"lethe\0", b"other\0"),
        "one other table": good.replace(b"lethe\0", b"other\0", 1),
        "text": b"table inet lethe { }\n",
    }
    assert tr.wall(lab, "seal").returncode == OK
    before = tr.generation(lab)
    for what, data in damaged.items():
        assert data != good
        batch.write_bytes(data)
        result = tr.wall(lab, "apply", "--batch", str(batch))
        assert result.returncode == BAD, f"{what}: {result.stdout}{result.stderr}"
    assert tr.generation(lab) == before
    assert state(lab) == "sealed"


def test_a_batch_is_not_written_through_a_link(lab: Lab, tmp_path: Path) -> None:
    target = tmp_path / "precious"
    target.write_text("precious")
    (tmp_path / "link").symlink_to(target)
    words = ("compile", "--batch", str(tmp_path / "link"), str(DEFAULT))
    assert tr.wall(lab, *words).returncode == FAILED
    assert target.read_text() == "precious"


# ---- flows --------------------------------------------------------------------------------------


def test_tightening_ends_flows(lab: Lab, policy: Any) -> None:
    loose, tight = policy(LOOSE, "loose.conf"), policy(TIGHT, "tight.conf")
    host, guest = lab.ns(names.HOST), lab.ns(names.GUEST)
    forbidden = [("127.0.0.1", 20001), (names.HOST_ADDRESS, 20002), (names.GUEST_ADDRESS, 7002)]
    granted = [("127.0.0.1", 9050), (names.GUEST_ADDRESS, 7001)]
    apply(lab, loose)
    with (
        flows.Server(host, "127.0.0.1", 20001), flows.Server(host, "0.0.0.0", 20002),
        flows.Server(host, "127.0.0.1", 9050), flows.Server(guest, "0.0.0.0", 7001),
        flows.Server(guest, "0.0.0.0", 7002),
        flows.Client(lab, names.AMNESIA, forbidden + granted) as client,
    ):  # fmt: skip
        assert {client.ask(target) for target in forbidden + granted} == {"alive"}
        assert apply(lab, loose)["flows_ended"] == 0
        assert {client.ask(target) for target in forbidden + granted} == {"alive"}
        # Not all of them, always: one that had still to acknowledge was reset by the new rules.
        assert apply(lab, tight)["flows_ended"] > 0
        for target in forbidden:
            assert client.ask(target) not in ("alive", ""), target
        for target in granted:
            assert client.ask(target) == "alive", target
        assert apply(lab, tight)["flows_ended"] == 0


def test_tightening_ends_what_a_closed_socket_still_sends(lab: Lab, policy: Any) -> None:
    """Nobody owns it, so it may finish only where somebody may still connect."""
    loose, tight = policy(LOOSE, "loose.conf"), policy(TIGHT, "tight.conf")
    guest = lab.ns(names.GUEST)
    forbidden, granted = (names.GUEST_ADDRESS, 7002), (names.GUEST_ADDRESS, 7001)
    apply(lab, loose)
    with flows.Server(guest, "0.0.0.0", 7001, mute=True), flows.Server(guest, "0.0.0.0", 7002,
                                                                       mute=True):
        for target in (forbidden, granted):
            flows.leave_orphan(lab, names.AMNESIA, *target)
        assert flows.orphans(lab) == {forbidden, granted}
        apply(lab, loose)
        assert flows.orphans(lab) == {forbidden, granted}
        assert apply(lab, tight)["flows_ended"] == 1
        assert flows.orphans(lab) == {granted}


# ---- a stranger's drop-in -----------------------------------------------------------------------

AMELIE = 64020
DROP_IN = """# The notes program listens at 127.0.0.1:8765,
# and is for amelie alone.
service notes tcp 8765 for amelie
"""


def test_a_drop_in_grants_what_it_says(lab: Lab) -> None:
    """As the manual page says: a file, then check, apply, explain, without any option."""
    host, wall = lab.host, tr.wall_words()[0]
    script = f"""
        mkdir -p /etc/lethe/policy.d
        cp {DEFAULT} /etc/lethe/policy.conf
        chmod -R go-w /etc/lethe
        echo amelie:x:{AMELIE}:{AMELIE}::/nonexistent:/bin/false >>/etc/passwd
    """
    host.run(["sh", "-euc", script], check=True)
    host.run([wall, "apply"], check=True)
    targets = [("127.0.0.1", port) for port in (8765, 8766, 9050, 9062)]
    targets.append((names.HOST_ADDRESS, 8766))
    servers = [flows.Server(lab.ns(names.HOST), "0.0.0.0", port) for _, port in targets[:4]]
    for server in servers:
        server.__enter__()
    try:
        before = _who_reaches(lab, targets)
        assert before[AMELIE] == set()
        host.run(["cp", "/etc/lethe/policy.conf", "/etc/lethe/before.conf"], check=True)
        host.run(["tee", "/etc/lethe/policy.d/50-notes.conf"], input=DROP_IN, check=True)
        host.run([wall, "check"], check=True)
        host.run([wall, "apply"], check=True)
        host.run([wall, "status"], check=True)
        host.run([wall, "explain", "amelie", "127.0.0.1:8765"], check=True)
        after = _who_reaches(lab, targets)
    finally:
        for server in servers:
            server.__exit__(None, None, None)
        host.run(["rm", "-r", "/etc/lethe"], check=True)
    assert after.pop(AMELIE) == {("127.0.0.1", 8765)}
    del before[AMELIE]
    assert after == before


def _who_reaches(lab: Lab, targets: list[flows.Target]) -> dict[int, set[flows.Target]]:
    users = [AMELIE, *(names.user(name).uid for name in
                       (names.NOBODY, names.CLEARNET, names.APT, names.DEBIAN_TOR))]
    return {uid: {target for target in targets
                  if lab.host.call(flows.connect_as, uid, *target)} for uid in users}  # fmt: skip


# ---- what the program itself may do -------------------------------------------------------------


def test_it_keeps_one_right_and_few_system_calls(lab: Lab) -> None:
    """Looked at while it waits for its turn, which comes after it has read the policy."""
    lock = netns.run_in(lab.ns(names.HOST), os.open, "/proc/thread-self/ns/net",
                        os.O_RDONLY | os.O_CLOEXEC)  # fmt: skip
    fcntl.flock(lock, fcntl.LOCK_EX)
    process = tr.start(lab, "apply", str(DEFAULT))
    try:
        wait_for(lambda: _waits_for_lock(process.pid), SECONDS, "lethe-wall to wait")
        text = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
        status = dict(line.split(":\t", 1) for line in text.splitlines())
        assert process.poll() is None
        assert state(lab) == "open"
    finally:
        os.close(lock)
    _, said = process.communicate(timeout=SECONDS)
    assert process.returncode == OK, said
    net_admin = 1 << 12
    for kind in ("CapPrm", "CapEff", "CapBnd"):
        assert int(status[kind], 16) == net_admin, kind
    for kind in ("CapInh", "CapAmb"):
        assert int(status[kind], 16) == 0, kind
    assert (status["Seccomp"], status["NoNewPrivs"]) == ("2", "1")
    assert state(lab) == "enforced"


def _waits_for_lock(pid: int) -> bool:
    locks = Path("/proc/locks").read_text(encoding="ascii")
    return re.search(rf"-> FLOCK .* {pid} ", locks) is not None
