# SPDX-License-Identifier: GPL-3.0-or-later
"""The image that was built, booted in a laboratory that is up: what ./run and the tour need."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from labkit import names, netns
from labkit.lab import Lab, LabError

from . import boot, layer
from .guest import Guest
from .machine import Machine
from .spec import Medium, Nic, Spec

ISO = names.SOURCE_ROOT / "out" / "image" / "lethe-core.iso"
DIRECTORY = names.SOURCE_ROOT / "out" / "vm"


@dataclass(frozen=True)
class Computer:
    """What a person can choose about the computer."""

    firmware: str = "bios"
    medium: str = "dvd"
    memory: int = 1024  # MiB
    display: str = "none"


def existing_lab(name: str) -> Lab:
    lab = Lab(name)
    if not lab.is_up():
        raise LabError(f"no lab {name!r} is up; `tests/lab/lab up --name {name}` makes one")
    return lab


def existing_iso(path: Path = ISO) -> Path:
    if not path.exists():
        raise LabError(f"the image {path} is not there; `image/build` makes it")
    return path


def spec_in_lab(lab: Lab, iso: Path, computer: Computer, directory: Path, device: str,
                extra: layer.Files | None = None) -> Spec:
    """A computer that starts from @iso, on the lab's port @device, and is offered the laboratory
    layer with @extra in it. The layer is written to @directory."""
    directory.mkdir(parents=True, exist_ok=True)
    return Spec(
        medium=Medium(iso, computer.medium),
        firmware=computer.firmware,
        memory=computer.memory,
        display=computer.display,
        nic=Nic(tap=device, netns=netns.path(lab.ns(names.ROUTER))),
        layer=layer.build(directory / "layer.squashfs", lab, extra),
        more=layer.tools_arguments(layer.tools()),
    )


def spec_on_network(iso: Path, computer: Computer) -> Spec:
    """A computer on the network of whoever runs it: no laboratory, no layer."""
    return Spec(medium=Medium(iso, computer.medium), firmware=computer.firmware,
                memory=computer.memory, display=computer.display, nic=Nic(), user_network=True)


@contextmanager
def in_lab(lab: Lab, computer: Computer, say: Callable[[str], None], iso: Path | None = None,
           directory: Path = DIRECTORY, extra: layer.Files | None = None
           ) -> Iterator[tuple[Machine, Guest]]:
    """The machine with its laboratory layer accepted, at its prompt, with the agent connected."""
    with lab.vm_port() as port:
        spec = spec_in_lab(lab, existing_iso(iso or ISO), computer, directory, port.device, extra)
        with Machine(spec, directory) as machine:
            start(machine, say)
            with Guest(machine) as guest:
                yield machine, guest


def start(machine: Machine, say: Callable[[str], None]) -> None:
    """From power-on to the prompt, with the laboratory layer."""
    boot.accept_laboratory(machine)
    say("the laboratory layer was accepted, by typing `laboratory` on the console")
    boot.wait_prompt(machine)
    say("the prompt is there")
