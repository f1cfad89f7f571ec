# SPDX-License-Identifier: GPL-3.0-or-later
"""A place on the LAN for a virtual machine: a tap device in the router's namespace.

The virtual machine's program runs in that namespace and opens the device by its name; whatever the
guest sends then comes out on the router's bridge. A cable is pulled and plugged at the emulated
network card (QMP set_link), because only there the guest sees its carrier go and come.

The device may be named otherwise for a second network card. With a port, nothing of the lab's own
changes: the lease of names.VM_MAC is names.VM_ADDRESS, any other card's DHCP_OTHER_LEASE.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from . import names, netns

_DEVICE = re.compile(r"p-[a-z0-9-]{1,13}")  # the kernel takes names of 15 bytes


@dataclass(frozen=True)
class VmPort:
    namespace: str  # of the router, as `ip netns exec` takes it
    device: str


@contextmanager
def plugged(ns: str, device: str) -> Iterator[VmPort]:
    """The device exists, on the bridge, until the context ends. ValueError if the name is none of
    a port's; RuntimeError if it is taken."""
    if not _DEVICE.fullmatch(device):
        raise ValueError(f"a port for a virtual machine is named p-NAME: not {device!r}")
    netns.ip_batch([f"tuntap add dev {device} mode tap"], ns=ns)
    try:
        # The device must not speak for itself: what is seen there is the guest's or for the guest.
        netns.write_sysctls(ns, {f"ipv6/conf/{device}/disable_ipv6": "1"})
        netns.ip_batch([f"link set {device} master {names.ROUTER_BRIDGE}",
                        f"link set {device} up"], ns=ns)  # fmt: skip
        yield VmPort(ns, device)
    finally:
        netns.ip_batch([f"tuntap del dev {device} mode tap"], ns=ns)
