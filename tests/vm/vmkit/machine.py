# SPDX-License-Identifier: GPL-3.0-or-later
"""One QEMU process, and what a person could do to the computer that it plays."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any

from . import spec as specs
from .accel import accelerator
from .qmp import Qmp, QmpClosed, QmpError
from .serial import Serial
from .spec import Files, Kernel, Medium, Nic, Spec

__all__ = ["Files", "Kernel", "Machine", "Medium", "Nic", "Spec"]

START_DEADLINE = 60.0  # s, for QEMU itself
POLL_INTERVAL = 0.02
PRESS_AGAIN = 15.0  # s


class Machine:
    """A context manager: inside it runs, afterwards it has ended."""

    def __init__(self, spec: Spec, directory: Path, incoming: bool = False) -> None:
        """@directory is made and used for the machine's files; what an earlier machine left there
        is replaced. @incoming: it starts from a saved state (snapshot.py)."""
        self.spec = spec
        sockets = Path(tempfile.gettempdir(), f"lethe-vm-{os.getpid()}-{secrets.token_hex(4)}")
        self.files = Files(directory.resolve(), sockets)
        self.line = specs.command_line(spec, self.files, accelerator(), incoming)
        self._process: subprocess.Popen[bytes] | None = None
        self._qmp: Qmp | None = None
        self._serial: Serial | None = None

    def __enter__(self) -> Machine:
        if self._process is None:
            self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.end()

    @property
    def qmp(self) -> Qmp:
        assert self._qmp, "the machine was not started"
        return self._qmp

    @property
    def serial(self) -> Serial:
        assert self._serial, "the machine was not started"
        return self._serial

    @property
    def capture(self) -> Path:
        """Every frame of the network card, both directions, from power-on (pcap)."""
        return self.files.capture

    @property
    def agent_socket(self) -> Path:
        """The host's end of the virtio-serial port of the test agent."""
        return self.files.agent

    @property
    def pid(self) -> int:
        assert self._process, "the machine was not started"
        return self._process.pid

    def start(self, run: bool = True) -> None:
        """Switch on. With @run False it stays paused (for a saved state, or preparations)."""
        self._prepare()
        with self.files.qemu_log.open("wb") as log:
            self._process = subprocess.Popen(self.line, stdin=subprocess.DEVNULL, stdout=log,
                                             stderr=subprocess.STDOUT)
        try:
            self._qmp = self._connect_qmp()
            self._serial = Serial(self.files.serial, self.files.serial_log)
            if self.spec.nic and not self.spec.nic.link and self.spec.nic.plugged:
                self.link(False)
            if run:
                self.resume()
        except BaseException:
            self.end()
            raise

    def resume(self) -> None:
        self.qmp.command("cont")

    def pause(self) -> None:
        self.qmp.command("stop")

    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def link(self, up: bool) -> None:
        """Plug the network cable in, or pull it."""
        self.qmp.command("set_link", name="nic", up=up)

    def plug_nic(self) -> None:
        """Put in the card of a Spec whose Nic says plugged=False."""
        assert self.spec.nic, "the machine has no network card"
        self.qmp.execute({"execute": "device_add", "arguments": specs.nic_device(self.spec.nic)})

    def unplug_nic(self) -> None:
        """Pull the card; returns when the guest has let go of it."""
        self._remove("nic")

    def plug_medium(self, medium: Medium, name: str) -> None:
        """Plug in a USB stick or another medium; @name is for unplug()."""
        # The monitor, because blockdev-add has neither throttling nor removal with the device.
        answer = self.qmp.monitor(f"drive_add 0 {specs.medium_backend(medium, name)}")
        if answer.strip() != "OK":
            raise QmpError(f"drive_add {name}: {answer.strip()}")
        device = specs.medium_device(medium, name)
        if medium.bus in ("virtio", "nvme"):
            device["bus"] = "port2"
        self.qmp.execute({"execute": "device_add", "arguments": device})

    def unplug(self, name: str = "medium") -> None:
        """Pull a medium without asking: the one the machine was started with, "disk0", ..., or
        one that was plugged in."""
        self._remove(f"{name}-device")

    def press(self, *keys: str) -> None:
        """Keys of the keyboard one after the other, by QEMU's names: "down", "ret", "a"."""
        for key in keys:
            self.qmp.command("send-key", keys=[{"type": "qcode", "data": key}])

    def screenshot(self, path: Path) -> None:
        """The screen as PNG."""
        self.qmp.command("screendump", filename=str(path), format="png")

    def save_memory(self, path: Path, start: int = 0, size: int | None = None) -> None:
        """Physical memory, as it is, into a file."""
        length = self.spec.memory << 20 if size is None else size
        self.qmp.command("pmemsave", val=start, size=length, filename=str(path))

    def power_button(self) -> None:
        self.qmp.command("system_powerdown")

    def power_off(self, timeout: float) -> None:
        """Press the power button until the computer is off: a press is lost while the system that
        starts does not listen yet, and a person presses again."""
        end = time.monotonic() + timeout
        while True:
            try:
                self.power_button()
            except QmpClosed:
                pass  # off at last
            left = end - time.monotonic()
            try:
                return self.wait_end(max(0.0, min(left, PRESS_AGAIN)))
            except TimeoutError:
                if left <= PRESS_AGAIN:
                    raise

    def wait_end(self, timeout: float) -> None:
        """Wait until the computer is off (or would restart: QEMU ends then, too)."""
        assert self._process, "the machine was not started"
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            tail = "\n".join(self.serial.text().splitlines()[-15:])
            raise TimeoutError(
                f"the machine is not off after {timeout:g} s; its console's last lines:\n{tail}"
            ) from None

    def end(self) -> None:
        """Pull the power cord. Safe to call at any time, and again."""
        if self._qmp and self.running():
            try:
                self._qmp.command("quit", timeout=10)
            except (QmpClosed, QmpError, TimeoutError):
                pass  # it is killed below
        if self._process:
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        if self._serial:
            self._serial.close()
        if self._qmp:
            self._qmp.close()
        shutil.rmtree(self.files.sockets, ignore_errors=True)

    def _prepare(self) -> None:
        self.files.directory.mkdir(parents=True, exist_ok=True)
        self.files.sockets.mkdir(mode=0o700)
        self.files.capture.unlink(missing_ok=True)
        if self.spec.firmware == "uefi":
            shutil.copyfile(specs.OVMF_VARS, self.files.variables)
        self.files.command.write_text(specs.shown(self.line) + "\n", encoding="utf-8")

    def _connect_qmp(self) -> Qmp:
        assert self._process
        end = time.monotonic() + START_DEADLINE
        while True:
            try:
                return Qmp(self.files.qmp)
            except (FileNotFoundError, ConnectionRefusedError):
                ended = self._process.poll() is not None
            except QmpClosed:  # it refuses a part of its command line only now
                ended = True
            if ended or time.monotonic() > end:
                said = self.files.qemu_log.read_text(errors="replace").strip()
                raise RuntimeError(f"QEMU did not start: {said}\n{specs.shown(self.line)}")
            time.sleep(POLL_INTERVAL)

    def _remove(self, device: str) -> None:
        self.qmp.command("device_del", id=device)
        end = time.monotonic() + START_DEADLINE
        while time.monotonic() < end:
            event: dict[str, Any] = self.qmp.wait_event("DEVICE_DELETED", end - time.monotonic())
            if event["data"].get("device") == device:
                return
        raise TimeoutError(f"the guest does not let go of {device}")
