# SPDX-License-Identifier: GPL-3.0-or-later
"""What computer a test wants, and the QEMU command line for it. Nothing here touches the world."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

QEMU = "qemu-system-x86_64"
FIRMWARES = ("bios", "uefi")
BUSES = ("dvd", "usb", "sata", "virtio", "nvme", "sd")
OVMF_CODE = Path("/usr/share/OVMF/OVMF_CODE_4M.fd")
OVMF_VARS = Path("/usr/share/OVMF/OVMF_VARS_4M.fd")
LAYER_NAME = "opt/org.lethe.laboratory"
AGENT_PORT = "org.lethe.agent"
MAC = "52:54:00:6c:65:74"
NIC_MODELS = ("virtio-net-pci", "e1000e", "usb-net")


@dataclass(frozen=True)
class Medium:
    """An image and how the computer sees it. @writable: the guest could change the file itself.
    @bytes_per_second: how quickly it may be read; 0: no limit."""

    path: Path
    bus: str = "usb"
    writable: bool = False
    bytes_per_second: int = 0
    image_format: str = "raw"
    removable: bool = True
    port: int = 0  # of the USB controller, from 1; 0: the next free one

    def __post_init__(self) -> None:
        if self.bus not in BUSES:
            raise ValueError(f"no bus {self.bus!r}; there are: {', '.join(BUSES)}")


@dataclass(frozen=True)
class Nic:
    """A network card on the tap device @tap of the network namespace @netns (a path; None: the
    caller's). Without @tap the card is there and its cable ends nowhere. @plugged False: the
    computer starts without the card, and Machine.plug_nic() puts it in."""

    tap: str | None = None
    netns: Path | None = None
    model: str = "virtio-net-pci"
    mac: str = MAC
    plugged: bool = True
    link: bool = True

    def __post_init__(self) -> None:
        if self.model not in NIC_MODELS:
            raise ValueError(f"no network card {self.model!r}; there are: {', '.join(NIC_MODELS)}")


@dataclass(frozen=True)
class Kernel:
    """A kernel that is started without a boot loader."""

    image: Path
    initrd: Path
    command_line: str


@dataclass(frozen=True)
class Spec:
    """A computer. @medium is what it starts from; @disks are also there. @layer is offered as the
    laboratory layer. @user_network puts the card on the caller's own network through QEMU's
    user-mode stack instead of a tap. @display is QEMU's: none, gtk, sdl ..."""

    medium: Medium | None = None
    firmware: str = "bios"
    memory: int = 1024  # MiB
    cpus: int = 0  # 0: as many as are sound, see sound_cpus()
    nic: Nic | None = None
    user_network: bool = False
    disks: tuple[Medium, ...] = ()
    layer: Path | None = None
    kernel: Kernel | None = None
    display: str = "none"
    clock: str = "utc"  # what its hardware clock says: the right time, or 2027-01-31T12:00:00
    more: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.firmware not in FIRMWARES:
            raise ValueError(f"no firmware {self.firmware!r}; there are: {', '.join(FIRMWARES)}")


@dataclass(frozen=True)
class Files:
    """Where a machine's files and sockets are. The path of a socket is short by force, so these
    have a directory of their own."""

    directory: Path
    sockets: Path

    @property
    def qmp(self) -> Path:
        return self.sockets / "qmp"

    @property
    def serial(self) -> Path:
        return self.sockets / "serial"

    @property
    def agent(self) -> Path:
        return self.sockets / "agent"

    @property
    def capture(self) -> Path:
        return self.directory / "frames.pcap"

    @property
    def sent(self) -> Path:
        """What the guest sent; see wire.py."""
        return self.directory / "sent.pcap"

    @property
    def received(self) -> Path:
        return self.directory / "received.pcap"

    @property
    def variables(self) -> Path:
        return self.directory / "VARS.fd"

    @property
    def serial_log(self) -> Path:
        return self.directory / "serial.log"

    @property
    def qemu_log(self) -> Path:
        return self.directory / "qemu.log"

    @property
    def command(self) -> Path:
        return self.directory / "command"


def command_line(spec: Spec, files: Files, accelerator: str, incoming: bool = False) -> list[str]:
    """The whole command, ready to execute. The machine starts paused, so that whoever started it
    has its console before the first byte. @incoming: it waits for a saved state."""
    line = _inside_namespace(spec.nic) + [QEMU, "-name", "lethe", "-nodefaults", "-no-user-config"]
    line += ["-machine", "q35", "-accel", accelerator, "-cpu", "max"]
    line += ["-smp", str(spec.cpus or sound_cpus(accelerator)), "-m", str(spec.memory)]
    line += ["-S", "-no-reboot"]
    line += ["-display", spec.display, "-device", "VGA", "-rtc", f"base={spec.clock}"]
    line += ["-qmp", f"unix:{_path(files.qmp)},server=on,wait=off"]
    line += _firmware(spec, files) + _ports(files) + _buses() + _media(spec) + _network(spec, files)
    if spec.layer:
        line += ["-fw_cfg", f"name={LAYER_NAME},file={_path(spec.layer)}"]
    if spec.kernel:
        line += ["-kernel", str(spec.kernel.image), "-initrd", str(spec.kernel.initrd)]
        line += ["-append", spec.kernel.command_line]
    if incoming:
        line += ["-incoming", "defer"]
    return line + list(spec.more)


def sound_cpus(accelerator: str) -> int:
    """How many processors a machine gets. Where they are emulated, one of them can run an old copy
    of code that another has just patched; Linux patches itself all the time, and on a busy computer
    about one start in thirty ended in `Oops: int3`. One emulated processor cannot."""
    return 2 if accelerator.startswith("kvm") else 1


def medium_backend(medium: Medium, name: str) -> str:
    """The value of -drive for @medium, its node named @name."""
    value = f"if=none,id={name},format={medium.image_format},file={_path(medium.path)}"
    if not medium.writable:
        # Some devices cannot be read-only: what they write is thrown away.
        value += ",snapshot=on" if medium.bus in ("sd", "sata", "nvme") else ",readonly=on"
    if medium.bytes_per_second:
        value += f",throttling.bps-read={medium.bytes_per_second}"
    return value


def medium_device(medium: Medium, name: str) -> dict[str, object]:
    """The device that shows the node @name on the medium's bus, as device_add wants it."""
    device: dict[str, object] = {"id": f"{name}-device", "drive": name}
    if medium.bus == "dvd":
        return device | {"driver": "ide-cd"}
    if medium.bus == "usb":
        device |= {"driver": "usb-storage", "bus": "usb.0", "removable": medium.removable}
        return device | ({"port": str(medium.port)} if medium.port else {})
    if medium.bus == "sata":
        return device | {"driver": "ide-hd"}
    if medium.bus == "nvme":
        return device | {"driver": "nvme", "serial": name}
    if medium.bus == "sd":
        return device | {"driver": "sd-card", "bus": "sd-bus"}
    return device | {"driver": "virtio-blk-pci"}


def shown(line: list[str]) -> str:
    """A command as a person would type it."""
    return shlex.join(line)


def _inside_namespace(nic: Nic | None) -> list[str]:
    # Killed with whoever started it: nothing is left over when a test run is interrupted.
    line = ["setpriv", "--pdeathsig", "KILL", "--"]
    return ["nsenter", f"--net={nic.netns}", "--", *line] if nic and nic.netns else line


def _path(path: Path) -> str:
    # A comma ends a value in QEMU's options; doubled it is a comma.
    return str(path).replace(",", ",,")


def _firmware(spec: Spec, files: Files) -> list[str]:
    if spec.firmware == "bios":
        return []
    code = f"if=pflash,format=raw,unit=0,readonly=on,file={OVMF_CODE}"
    variables = f"if=pflash,format=raw,unit=1,file={_path(files.variables)}"
    return ["-drive", code, "-drive", variables]


def _ports(files: Files) -> list[str]:
    serial = f"socket,id=serial,path={_path(files.serial)},server=on,wait=off"
    agent = f"socket,id=agent,path={_path(files.agent)},server=on,wait=off"
    return [
        "-chardev", serial, "-serial", "chardev:serial", "-device", "virtio-rng-pci",
        "-device", "virtio-serial-pci", "-chardev", agent,
        "-device", f"virtserialport,chardev=agent,name={AGENT_PORT}",
    ]  # fmt: skip


def _buses() -> list[str]:
    """What is plugged later needs a free root port, or the USB controller."""
    return [
        "-device", "qemu-xhci,id=usb",
        "-device", "pcie-root-port,id=port1,chassis=1,slot=1",
        "-device", "pcie-root-port,id=port2,chassis=2,slot=2",
    ]  # fmt: skip


def _media(spec: Spec) -> list[str]:
    line: list[str] = []
    every = [("medium", spec.medium)] if spec.medium else []
    every += [(f"disk{number}", disk) for number, disk in enumerate(spec.disks)]
    if any(medium.bus == "sd" for _, medium in every):
        line += ["-device", "sdhci-pci"]
    for name, medium in every:
        device = medium_device(medium, name)
        # A card has no index and is tried anyway; a kernel that is given is index 0 itself.
        if name == "medium" and medium.bus != "sd" and not spec.kernel:
            device["bootindex"] = 0
        line += ["-drive", medium_backend(medium, name), "-device", device_option(device)]
    return line


def device_option(device: dict[str, object]) -> str:
    """A device as the value of -device."""
    words = [str(device["driver"])]
    for key, value in device.items():
        if key != "driver":
            shown_value = ("on" if value else "off") if isinstance(value, bool) else str(value)
            words.append(f"{key}={shown_value}")
    return ",".join(words)


def nic_device(nic: Nic) -> dict[str, object]:
    device: dict[str, object] = {"driver": nic.model, "id": "nic", "netdev": "net", "mac": nic.mac}
    if nic.model == "usb-net":
        return device | {"bus": "usb.0"}
    # No boot ROM: the firmware must send nothing by itself.
    return device | {"bus": "port1", "romfile": ""}


def _network(spec: Spec, files: Files) -> list[str]:
    nic = spec.nic
    if not nic:
        return []
    if spec.user_network:
        backend = "user,id=net"
    elif nic.tap:
        # The record is to be what is on the wire: see wire.py.
        backend = f"tap,id=net,ifname={nic.tap},script=no,downscript=no,vhost=off,vnet_hdr=off"
    else:
        # Every frame is lost there. A hub without another port would stop the card instead.
        here, nowhere = _path(files.sockets / "cable"), _path(files.sockets / "nowhere")
        backend = (f"dgram,id=net,local.type=unix,local.path={here},"
                   f"remote.type=unix,remote.path={nowhere}")
    record = f"filter-dump,id=record,netdev=net,file={_path(files.capture)}"
    line = ["-netdev", backend, "-object", record]
    # One for each direction: what the back end gets, the guest sent.
    for queue, path in ("rx", files.sent), ("tx", files.received):
        option = f"filter-dump,id=record-{queue},netdev=net,queue={queue},file={_path(path)}"
        line += ["-object", option]
    return line + (["-device", device_option(nic_device(nic))] if nic.plugged else [])
