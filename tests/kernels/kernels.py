# SPDX-License-Identifier: GPL-3.0-or-later
"""This computer's own files under another kernel.

A machine without a disk and without a network card starts Debian's kernel, straight from its package.
Its root is this computer's, which it cannot change, with memory laid over it (init.c); so what was
built here runs there, unchanged. It runs one command and ends; what that said comes back in a folder.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(HERE.parent / "vm"), str(ROOT / "image")]

from builder import cpio, initramfs, modules  # noqa: E402
from vmkit.machine import Kernel as StartedKernel  # noqa: E402
from vmkit.machine import Machine, Spec  # noqa: E402

CACHE = Path("/var/cache/lethe/kernels")
POOL = Path("/var/cache/lethe/image/pool")  # what the image was made of
PACKAGE = re.compile(r"linux-image-(?P<release>(?P<series>\d+\.\d+)\.[\w.+-]*-amd64)")
# What the machine's own root needs; all else is loaded when it is asked for.
MODULES = ("virtio_pci", "9p", "9pnet_virtio", "overlay")
MEMORY = 3072  # MiB
COMMAND_LINE = "console=ttyS0 quiet loglevel=4 panic=-1 net.ifnames=0"
BUILD = Path(os.environ.get("LETHE_BUILD", ROOT / "build")).resolve()
INIT = BUILD / "tests" / "kernels" / "kernels-init"


class NotAvailable(RuntimeError):
    """There is no such kernel here; the text says where it was looked for."""


@dataclass(frozen=True)
class Kernel:
    """One whose package was unpacked."""

    release: str
    image: Path
    modules: Path  # the folder of this release, with depmod's indexes


def find(series: str) -> Kernel:
    """A kernel of Debian's of that series ("6.1"): from the image's packages, or from APT."""
    package = _in_pool(series) or _in_apt(series)
    if not package:
        raise NotAvailable(f"not available: a kernel {series}: neither among the image's packages "
                           "(image/build) nor offered by this release of Debian")  # fmt: skip
    return _unpack(package)


def _in_pool(series: str) -> Path | None:
    found = [path for path in sorted(POOL.glob("linux-image-*.deb"))
             if (match := PACKAGE.match(path.name)) and match["series"] == series]  # fmt: skip
    return found[-1] if found else None


def _in_apt(series: str) -> Path | None:
    said = subprocess.run(["apt-cache", "depends", "linux-image-amd64"], capture_output=True,
                          text=True, check=False).stdout  # fmt: skip
    names = [match[0] for match in PACKAGE.finditer(said) if match["series"] == series]
    if not names:
        return None
    CACHE.mkdir(parents=True, exist_ok=True)
    # APT sees to it that the file is what the release has signed.
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        subprocess.run(["apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download", names[-1]],
                       cwd=folder, check=True, capture_output=True)  # fmt: skip
        (package,) = Path(folder).glob("*.deb")
        return package.rename(CACHE / package.name)


def _unpack(package: Path) -> Kernel:
    match = PACKAGE.match(package.name)
    assert match
    release, place = match["release"], CACHE / package.stem
    if not place.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as folder:
            work = Path(folder, "package")
            subprocess.run(["dpkg-deb", "-x", str(package), str(work)], check=True)
            if not (work / "lib").exists():
                (work / "lib").symlink_to("usr/lib")
            # The package leaves this to the computer on which it is installed.
            subprocess.run(["depmod", "-b", str(work), release], check=True)
            work.chmod(0o755)
            work.rename(place)
    return Kernel(release, place / "boot" / f"vmlinuz-{release}", place / "lib" / "modules" / release)


def initrd(kernel: Kernel) -> bytes:
    """The first file system: init, the modules in order, and whom to start."""
    wishes = [("always", name) for name in MODULES]
    chosen = modules.choose(wishes, modules.read_index(kernel.modules))
    entries = [cpio.Entry("init", 0o755, INIT.read_bytes()), cpio.Entry("modules", 0o755),
               cpio.Entry("dev", 0o755),
               cpio.Entry("program", 0o644, f"{HERE / 'inside'}\n".encode())]  # fmt: skip
    for module in chosen:
        data = initramfs.module_data(kernel.modules / module.path)
        entries.append(cpio.Entry(f"modules/{module.file}", 0o644, data))
    listed = "".join(f"{module.file}\n" for module in chosen)
    entries.append(cpio.Entry("modules/list", 0o644, listed.encode()))
    return cpio.write(entries, 0)


def _shared(tag: str, folder: Path, writable: bool = False) -> tuple[str, ...]:
    more = "" if writable else ",readonly=on"
    return ("-virtfs", f"local,path={folder},mount_tag={tag},security_model=none,multidevs=remap{more}")


class Ended(RuntimeError):
    """The machine came to another end than the commands; the text is its console's end."""


def run(kernel: Kernel, commands: dict[str, list[str]], place: Path, deadline: float) -> dict[str, int]:
    """Run @commands as root under @kernel, in this tree, one after the other. There, /mnt is
    @place/"results"; what a command printed is its file NAME.output. Returns how each ended.
    TimeoutError after @deadline seconds."""
    results = place / "results"
    shutil.rmtree(results, ignore_errors=True)
    results.mkdir(parents=True)
    job = {"commands": commands, "folder": str(ROOT),
           "environment": {"PYTHONDONTWRITEBYTECODE": "1", "LETHE_BUILD": str(BUILD)}}  # fmt: skip
    (results / "job.json").write_text(json.dumps(job), encoding="utf-8")
    (place / "initrd").write_bytes(initrd(kernel))
    spec = Spec(memory=MEMORY, cpus=1,
                kernel=StartedKernel(kernel.image, place / "initrd", COMMAND_LINE),
                more=(*_shared("root", Path("/")), *_shared("modules", kernel.modules),
                      *_shared("results", results, writable=True)))  # fmt: skip
    with Machine(spec, place) as machine:
        machine.wait_end(deadline)
        machine.serial.wait_closed(60.0)
        console = machine.serial.text()
    ended = results / "ended.json"
    if not ended.exists():
        raise Ended(console[-4000:])
    return json.loads(ended.read_text(encoding="ascii"))
