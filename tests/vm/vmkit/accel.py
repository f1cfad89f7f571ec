# SPDX-License-Identifier: GPL-3.0-or-later
"""Which accelerator really runs guests here.

That /dev/kvm is there says little: there are machines where it opens, and where the guest then
stops at an instruction or crawls because every one is emulated. So a tiny guest is tried.
"""

from __future__ import annotations

import functools
import os
import subprocess
import tempfile
from pathlib import Path

from .spec import QEMU

# A boot sector. In 16 bits: cli; lgdt; protected mode; far jump. In 32 bits: where cpuid says that
# BMI2 is there, a shlx (what a modern kernel's start executes and emulators lack); 2^26 turns of a
# loop (a fraction of a second on a real processor, a minute where each one is emulated); then
# out 0xf4, which ends QEMU with status 2 * 0x15 + 1.
_CODE = bytes.fromhex(
    "fa" "31c0" "8ed8"              # cli; xor ax,ax; mov ds,ax
    "0f0116" "587c"                 # lgdt [0x7c58]
    "0f20c0" "6683c801" "0f22c0"    # cr0 |= PE
    "ea" "207c" "0800"              # jmp 8:0x7c20
)  # fmt: skip
_PROTECTED = bytes.fromhex(
    "b807000000" "31c9" "0fa2"      # mov eax,7; xor ecx,ecx; cpuid
    "0fbae308" "7305"               # bt ebx,8; jnc +5
    "c4e271f7c0"                    # shlx eax,eax,ecx
    "b900000004" "49" "75fd"        # mov ecx,1<<26; 1: dec ecx; jnz 1b
    "b015" "e6f4" "f4" "ebfd"       # mov al,0x15; out 0xf4,al; hlt; jmp
)  # fmt: skip
_TABLE = bytes.fromhex(
    "0000000000000000" "ffff0000009acf00" "ffff00000092cf00"
)  # fmt: skip
_SUCCESS = 2 * 0x15 + 1
_DEADLINE = 3.0  # s; the guest needs 0.3, and a wrong no costs only speed


def probe_sector() -> bytes:
    assert len(_CODE) <= 0x20
    code = _CODE.ljust(0x20, b"\x90") + _PROTECTED
    assert len(code) <= 0x58
    descriptor = (len(_TABLE) - 1).to_bytes(2, "little") + (0x7C60).to_bytes(4, "little")
    sector = (code.ljust(0x58, b"\x90") + descriptor).ljust(0x60, b"\0") + _TABLE
    return sector.ljust(510, b"\0") + b"\x55\xaa"


def runs_guests(accelerator: str, deadline: float = _DEADLINE) -> bool:
    """Whether QEMU with @accelerator runs the tiny guest to its end in @deadline seconds."""
    with tempfile.TemporaryDirectory() as directory:
        disk = Path(directory, "probe")
        disk.write_bytes(probe_sector().ljust(1 << 20, b"\0"))
        line = [QEMU, "-nodefaults", "-no-user-config", "-machine", "q35", "-accel", accelerator]
        line += ["-cpu", "max", "-smp", "2", "-m", "64", "-display", "none", "-no-reboot"]
        line += ["-device", "isa-debug-exit,iobase=0xf4,iosize=1"]
        line += ["-drive", f"if=none,id=disk,format=raw,file={disk}", "-device", "ide-hd,drive=disk"]
        try:
            result = subprocess.run(line, stdin=subprocess.DEVNULL, capture_output=True,
                                    timeout=deadline, check=False)
        except subprocess.TimeoutExpired:
            return False
        return result.returncode == _SUCCESS


@functools.cache
def accelerator() -> str:
    """`kvm` where it runs guests, else emulation. LETHE_VM_ACCEL chooses without a try."""
    chosen = os.environ.get("LETHE_VM_ACCEL")
    if chosen:
        return chosen
    if os.access("/dev/kvm", os.R_OK | os.W_OK) and runs_guests("kvm"):
        return "kvm"
    return "tcg,thread=multi"
