# SPDX-License-Identifier: GPL-3.0-or-later
"""Labs come and go completely, whatever happened in between, and touch nothing else."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import lab_name
from labkit import client, names, netns, processes
from labkit.lab import Lab, LabError, existing
from labkit.wait import wait_for

COMMAND = str(names.LAB_DIRECTORY / "lab")


@pytest.fixture
def small() -> Iterator[Lab]:
    """A lab without Tor."""
    laboratory = Lab(lab_name("-life"))
    laboratory.up(tor=False)
    yield laboratory
    laboratory.down()


def _remains(name: str) -> list[str]:
    """Whatever there still is of a lab: namespaces, mounts, processes, files."""
    found = netns.names(f"{names.NAMESPACE_PREFIX}{name}-")
    found += [line for line in Path("/proc/self/mountinfo").read_text().splitlines()
              if f"/{name}/" in line or f"/{name} " in line or f"-{name}-" in line]  # fmt: skip
    marker = f"{names.MARKER_VARIABLE}={name}".encode()
    for process in Path("/proc").iterdir():
        if process.name.isdigit() and process.name != str(os.getpid()):
            try:
                if marker in (process / "environ").read_bytes().split(b"\0"):
                    found.append((process / "cmdline").read_text())
            except OSError:
                continue  # it has ended
    if (names.RUN_DIRECTORY / name).exists():
        found.append(str(names.RUN_DIRECTORY / name))
    return found


def test_down_leaves_nothing(small: Lab) -> None:
    child = small.host.popen(["sleep", "infinity"], user=names.AMNESIA)
    hidden = small.host.popen(["unshare", "--net", "sleep", "infinity"])
    small.host.start_clearnet()
    assert len(_remains(small.name)) > len(names.NODES)  # the detector sees them
    small.down()
    assert _remains(small.name) == []
    assert small.name not in existing()
    assert child.wait() == hidden.wait() == -signal.SIGKILL


def test_down_leaves_nothing_of_tor() -> None:
    laboratory = Lab(lab_name("-tor"))
    laboratory.up()
    running = laboratory.registry.all()
    assert len(running) == len(names.TOR_NODES) + 2
    laboratory.down()
    assert _remains(laboratory.name) == []
    assert not any(processes.is_running(process) for process in running)


def test_down_after_a_crash() -> None:
    """Killed while it builds: what there is by then is removed by the next command."""
    name = lab_name("-crash")
    builder = subprocess.Popen([COMMAND, "up", "--name", name], stderr=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL)  # fmt: skip
    wait_for(lambda: (names.RUN_DIRECTORY / name / "processes" / "tor-da2").exists(), 120,
             "half a lab")  # fmt: skip
    builder.kill()
    builder.wait()
    assert _remains(name)
    said = subprocess.run([COMMAND, "list"], capture_output=True, text=True, check=True).stdout
    assert f"{name}: incomplete" in said
    subprocess.run([COMMAND, "down", "--name", name], check=True, capture_output=True)
    assert _remains(name) == []


def test_namespaces_alone_are_found_and_removed() -> None:
    name = lab_name("-half")
    netns.ip_batch([f"netns add {names.NAMESPACE_PREFIX}{name}-{names.CORE}"])
    assert name in existing()
    Lab(name).down()
    assert _remains(name) == []


def test_down_ends_no_stranger(small: Lab) -> None:
    """A record whose process id belongs to somebody else by now."""
    stranger = subprocess.Popen(["sleep", "infinity"])
    try:
        true_start = processes.start_time(stranger.pid)
        assert true_start is not None
        small.registry.record(processes.Process("old", stranger.pid, true_start - 1))
        small.down()
        assert stranger.poll() is None
        # The anti-test: with the true start time it would have been ended.
        processes.end([processes.Process("old", stranger.pid, true_start)])
        assert stranger.wait() == -signal.SIGTERM
    finally:
        stranger.kill()
        stranger.wait()


def test_a_failed_start_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: Lab, hostile: bool) -> None:
        raise OSError("planted")

    monkeypatch.setattr(Lab, "start_services", fail)
    laboratory = Lab(lab_name("-fail"))
    with pytest.raises(LabError, match="planted"):
        laboratory.up(tor=False)
    assert _remains(laboratory.name) == []


def test_servers_that_cannot_start_are_reported(small: Lab) -> None:
    old = small.registry.find("services")
    assert old
    small.registry.stop([old])
    blocker = netns.run_in(small.ns(names.ONION), _occupy, names.ONION_BACKEND_PORT)
    with blocker, pytest.raises(LabError, match="(?s)ended at once.*[Aa]ddress already in use"):
        small.start_services(hostile=False)


def _occupy(port: int) -> socket.socket:
    return socket.create_server(("127.0.0.1", port))


def test_labs_do_not_meet(small: Lab, lab: Lab) -> None:
    lab.host.run(["ip", "addr", "add", "192.168.1.77/32", "dev", "eth0"], check=True)
    assert "192.168.1.77" not in small.host.run(["ip", "addr"], check=True).stdout
    lab.host.run(["ip", "addr", "del", "192.168.1.77/32", "dev", "eth0"], check=True)
    assert small.host.call(client.http_get, names.WEB_ADDRESS)


def test_a_lab_exists_once(small: Lab) -> None:
    with pytest.raises(LabError, match="exists already"):
        Lab(small.name).up(tor=False)
    assert small.host.call(client.http_get, names.WEB_ADDRESS)  # and was not harmed


@pytest.mark.parametrize("name", ["", "A", "a b", "../x", "a" * 25, "-a"])
def test_bad_names_are_refused(name: str) -> None:
    with pytest.raises(LabError, match="a lab's name is"):
        Lab(name)


def test_nothing_of_the_machine_is_changed(small: Lab) -> None:
    """The caller's own namespace, its devices and its forwarding are as they were."""
    own = subprocess.run(["ip", "-br", "link"], capture_output=True, text=True, check=True).stdout
    assert not any(word in own for word in ("p-host", "v-web", "mark0", "br0"))
    assert os.stat("/proc/self/ns/net").st_ino != os.stat(netns.path(small.ns(names.HOST))).st_ino


# The command ------------------------------------------------------------------------------------


def _lab(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, COMMAND, *words], capture_output=True, text=True,
                          check=False)  # fmt: skip


def test_command_up_status_exec_down() -> None:
    name = lab_name("-cli")
    try:
        assert "is up after" in _lab("up", "--no-tor", "--name", name).stdout
        assert f"{name}: without Tor" in _lab("list").stdout
        status = _lab("status", "--name", name)
        assert status.returncode == 0 and "services" in status.stdout
        run = _lab("exec", "--name", name, "clearnet", "--", "sh", "-c", "id -un; exit 9")
        assert (run.returncode, run.stdout) == (9, "clearnet\n")
        assert "exists already" in _lab("up", "--no-tor", "--name", name).stderr
        services = Lab(name).registry.find("services")
        assert services
        processes.end([services])
        status = _lab("status", "--name", name)
        assert status.returncode == 1 and "ENDED" in status.stdout
    finally:
        assert "is gone" in _lab("down", "--name", name).stdout
    assert _remains(name) == []
    assert "nothing to do" in _lab("down", "--name", name).stdout


def test_shell_says_where_one_is_and_hands_on_the_status(small: Lab) -> None:
    result = subprocess.run([COMMAND, "shell", "--name", small.name, "amnesia"], text=True,
                            input="id -un; pwd; exit 5\n", capture_output=True,
                            check=False)  # fmt: skip
    assert result.returncode == 5
    assert "You are amnesia on the host under test" in result.stdout
    assert f"amnesia\n{small.host.home('amnesia')}\n" in result.stdout


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("exec", "--name", "none-such", "root", "--", "id"), "is not up"),
        (("shell", "--name", "none-such"), "is not up"),
        (("apply", "--name", "none-such", "none"), "is not up"),
        (("up", "--name", "Bad Name"), "a lab's name is"),
    ],
)
def test_command_complains_in_one_line(words: tuple[str, ...], complaint: str) -> None:
    result = _lab(*words)
    assert result.returncode == 1
    assert complaint in result.stderr and "Traceback" not in result.stderr


def test_command_needs_root() -> None:
    result = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
                             sys.executable, COMMAND, "list"],
                            capture_output=True, text=True, check=False)  # fmt: skip
    assert result.returncode == 1
    assert "run this command as root" in result.stderr
