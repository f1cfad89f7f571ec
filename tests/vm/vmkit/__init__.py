# SPDX-License-Identifier: GPL-3.0-or-later
"""The harness: the real image in a virtual machine.

    spec = Spec(medium=Medium(iso, "usb"), nic=Nic(tap="p-vm", netns=Path("/run/netns/...")),
                layer=Path("layer.squashfs"))
    with Machine(spec, Path("out/test/vm/mine")) as vm:     # starts QEMU; on exit it has ended
        vm.serial.wait(r"login:", 300)                      # a regular expression, a deadline in s
        vm.serial.type("lethe status\\n")
        vm.qmp.command("query-status")
        vm.link(False)                                      # the cable of the network card
        vm.plug_medium(Medium(other, "usb"), "late"); vm.unplug("late")
        vm.power_button(); vm.wait_end(60)
    frames = vm.capture                                     # pcap, power-on to power-off

machine.py    Machine: one QEMU process and what a person could do to the computer
spec.py       Spec, Medium, Nic: what computer it is; the command line (pure)
serial.py     Serial: the console: all that was said, waiting for words, typing
qmp.py        Qmp: QEMU's control socket
accel.py      which accelerator really runs guests here
boot.py       known states of a boot: menu, init's sentences, prompt; commands on the console
snapshot.py   a machine saved once and started again from there, many times
media.py      images of disks and sticks: copies, damage, other systems' disks
evidence.py   what is kept of a case that failed
layer.py      the laboratory layer: what comes into the machine from outside
guest.py      Guest: the machine as a host under test; runs things in it through the agent
session.py    the image in a laboratory that is up, from power-on to the prompt
well.py       a machine with which all is well, saved: what most cases inside start from
promised.py   what the tree's configuration promises, as values to compare with
tour.py, start.py, console.py   the programs tests/vm/tour and tests/vm/start

Files in the machine's directory: serial.log (raw), qemu.log, frames.pcap, command, VARS.fd.
vm.agent_socket is the UNIX socket of the virtio-serial port org.lethe.agent; one client at a time.
"""
