# SPDX-License-Identifier: GPL-3.0-or-later
"""The command `lab`."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time

from . import names, netns, pair, processes, rules, torcontrol
from .lab import Lab, LabError, existing

_EPILOGUE = """\
A laboratory is a set of network namespaces: a fake Internet with a private Tor network of real
Tor processes, a LAN with a router, a printer and a guest, and the host under test. Nothing that
happens inside reaches the machine's own network.

Start with `lab up`, then `lab shell`, and `lab leaks lethe`. `lab down` removes everything.
"""
_BANNER = """\
You are {user} on the host under test of the lab {lab!r}.{tor}
  web server   {web} and every other public address, ports 80 and 443; other ports echo
  onion        {onion}
  printer      {printer}, ports 631 and 9100      LAN resolver   {resolver}
Try: curl http://{web}/ and curl --socks5-hostname 127.0.0.1:9050 http://{name}/
`exit` leaves; the lab stays up."""

_SEND_EPILOGUE = """\
If a lab is up, the packet is sent on its host under test, under the rules that are loaded there.
With --rules, or if none is up, it is sent in two network namespaces that are there for this packet
alone, under RULESET (if it is not given: none).

Exit status: 0 it escaped, which of a packet that arrives means that a socket was given it; 1 it did
not; 2 it could not be sent.

"""


def main(argv: list[str] | None = None) -> int:
    words = sys.argv[1:] if argv is None else argv
    arguments = _parser().parse_args(words[:1] if words[:1] == ["leaks"] else words)
    try:
        if os.geteuid() != 0:
            raise LabError("the lab makes network namespaces: run this command as root")
        if arguments.command == "leaks":
            from . import leaks  # needed for this command only

            return leaks.main(words[1:])
        return arguments.function(arguments)
    except (LabError, rules.RulesError, TimeoutError, RuntimeError, KeyError, OSError) as error:
        text = error.args[0] if isinstance(error, KeyError) else error
        print(f"lab {arguments.command}: {text}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"lab {arguments.command}: interrupted", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="lab",
        description="A laboratory for network filters, with a private Tor network.",
        epilog=_EPILOGUE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)

    def add(name: str, function, text: str, **options) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=text, description=text, **options)
        command.set_defaults(function=function)
        if name != "list":
            command.add_argument("--name", default=names.DEFAULT_LAB, metavar="LAB",
                                 help="which lab (default: %(default)s)")  # fmt: skip
        return command

    users = ", ".join(names.USERS)
    up = add("up", _up, "build a lab and return when it works")
    up.add_argument("--no-tor", action="store_true", help="only the network; much quicker")
    up.add_argument("--hostile", action="store_true",
                    help="the LAN's router sends router advertisements, ICMP redirects, false "
                    "DHCP options and false DNS answers")  # fmt: skip
    down = add("down", _down, "end a lab and everything in it")
    down.add_argument("--all", action="store_true", help="all labs, also what a crash left behind")
    add("list", _list, "show the labs that exist")
    add("status", _status, "show what runs in a lab, and how far Tor is")
    shell = add("shell", _shell, "open a shell on the host under test")
    shell.add_argument("user", nargs="?", default=names.AMNESIA, metavar="USER",
                       help=f"one of: {users} (default: %(default)s)")  # fmt: skip
    execute = add("exec", _exec, "run a command on the host under test")
    execute.add_argument("user", metavar="USER", help=f"one of: {users}")
    execute.add_argument("argv", nargs="+", metavar="COMMAND",
                         help="put -- in front of it if it has options")  # fmt: skip
    for command in (shell, execute):
        command.add_argument("--clearnet", action="store_true",
                             help="inside the clearnet network namespace")  # fmt: skip
    described = argparse.RawDescriptionHelpFormatter
    apply = add("apply", _apply, "load a ruleset on the host under test",
                epilog=rules.HELP, formatter_class=described)  # fmt: skip
    apply.add_argument("ruleset", metavar="RULESET", help="see below")
    send = add("send", _send, "send one packet, as lethe-proof writes it, and see whether it escapes",
               epilog=_SEND_EPILOGUE + rules.HELP, formatter_class=described)  # fmt: skip
    send.add_argument("spec", metavar="PACKET", help="lib/packet/spec.h says how it is written")
    send.add_argument("--rules", metavar="RULESET", help="send it in a laboratory made for it alone, "
                      "under these rules; see below")  # fmt: skip
    send.add_argument("--byte", type=_byte, action="append", default=[], metavar="AT=VALUE",
                      help="of its network header, where the proof names one")  # fmt: skip
    send.add_argument("--mark", type=int, default=0, metavar="NUMBER", help="the packet's mark")
    # Its options are its own: see main().
    commands.add_parser("leaks", help="try every way out under a ruleset, and judge what was on "
                        "the wire; `lab leaks --help` says more")  # fmt: skip
    return parser


def _existing_lab(arguments: argparse.Namespace) -> Lab:
    lab = Lab(arguments.name, progress=_progress())
    if not lab.is_up():
        known = ", ".join(existing()) or "none"
        raise LabError(f"the lab {lab.name!r} is not up (there are: {known}); "
                       f"`lab up --name {lab.name}` builds it")  # fmt: skip
    return lab


def _progress():
    started = time.monotonic()

    def show(text: str) -> None:
        print(f"[{time.monotonic() - started:6.2f} s] {text}", file=sys.stderr, flush=True)

    return show


def _up(arguments: argparse.Namespace) -> int:
    lab = Lab(arguments.name, progress=_progress())
    lab.up(tor=not arguments.no_tor, hostile=arguments.hostile)
    print(f"the lab {lab.name!r} is up after {lab.settings()['seconds']:.1f} s")
    return 0


def _down(arguments: argparse.Namespace) -> int:
    wanted = existing() if arguments.all else [arguments.name]
    if not arguments.all and arguments.name not in existing():
        print(f"the lab {arguments.name!r} does not exist; nothing to do")
        return 0
    for name in wanted:
        Lab(name).down()
        print(f"the lab {name!r} is gone")
    return 0


def _list(_: argparse.Namespace) -> int:
    for name in existing():
        lab = Lab(name)
        if not lab.is_up():
            print(f"{name}: incomplete; `lab down --name {name}` removes it")
            continue
        settings = lab.settings()
        print(f"{name}: {'with' if settings['tor'] else 'without'} Tor"
              f"{', hostile router' if settings['hostile'] else ''}")  # fmt: skip
    return 0


def _status(arguments: argparse.Namespace) -> int:
    lab = _existing_lab(arguments)
    failed = 0
    for process in lab.registry.all():
        running = processes.is_running(process)
        failed += not running
        print(f"{process.label:16} {process.pid:8}  {'running' if running else 'ENDED'}")
    missing = [node for node in names.NODES if not netns.exists(lab.ns(node))]
    failed += len(missing)
    print(f"namespaces: {len(names.NODES) - len(missing)} of {len(names.NODES)}")
    if lab.settings()["tor"]:
        percent, what = torcontrol.bootstrap(lab.tor.control_socket())
        failed += percent < 100
        print(f"Tor: {percent} % ({what}); onion service http://{lab.tor.onion_name()}/")
    return 1 if failed else 0


def _shell(arguments: argparse.Namespace) -> int:
    lab = _existing_lab(arguments)
    has_tor = lab.settings()["tor"]
    print(_BANNER.format(
        user=names.user(arguments.user).name, lab=lab.name, web=names.WEB_ADDRESS,
        onion=f"http://{lab.tor.onion_name()}/" if has_tor else "none: this lab has no Tor",
        tor="" if has_tor else " There is no Tor.", printer=names.PRINTER_ADDRESS,
        resolver=names.LAN_RESOLVER, name=names.WEB_NAME,
    ))  # fmt: skip
    return lab.host.shell(arguments.user, _namespace(arguments))


def _exec(arguments: argparse.Namespace) -> int:
    lab = _existing_lab(arguments)
    argv = lab.host.command(arguments.argv, arguments.user, _namespace(arguments))
    env = lab.host.environment(arguments.user) | {"TERM": os.environ.get("TERM", "dumb")}
    status = subprocess.run(argv, env=env, check=False).returncode
    return status if status >= 0 else 128 - status


def _namespace(arguments: argparse.Namespace) -> str:
    return "clearnet" if arguments.clearnet else "host"


def _apply(arguments: argparse.Namespace) -> int:
    lab = _existing_lab(arguments)
    print(rules.apply(lab, arguments.ruleset), end="")
    print(f"loaded on the host under test: {arguments.ruleset}")
    return 0


def _send(arguments: argparse.Namespace) -> int:
    lab = Lab(arguments.name)
    try:
        spec, octets = pair.Spec(arguments.spec), dict(arguments.byte)
        if arguments.rules or not lab.is_up():
            ruleset = arguments.rules or "none"
            where = f"under the rules {ruleset!r}"
            with pair.pair(ruleset) as wire:
                sight = wire.send(spec, arguments.mark, octets)
        elif spec.path == "forward":
            raise LabError("a lab's host has one link and forwards nothing: use --rules")
        else:
            where = f"on the host under test of the lab {lab.name!r}"
            wire = pair.Wire(lab.ns(names.HOST), lab.ns(names.ROUTER), names.HOST_LINK)
            sight = wire.send(spec, arguments.mark, octets)
    except (LabError, rules.RulesError, RuntimeError, OSError) as error:
        print(f"lab send: {error}", file=sys.stderr)
        return 2
    print(f"sent {where}:\n  {sight.said}")
    if sight.status == 2:
        return 2
    print(_seen(sight))
    return 0 if sight.escaped else 1


def _byte(text: str) -> tuple[int, int]:
    at, _, value = text.partition("=")
    return int(at), int(value, 0)


def _seen(sight: pair.Sight) -> str:
    spec = sight.spec
    if spec.path == "input":
        return "It was let in: a socket was given it." if sight.escaped else "It was not let in."
    place = "on lo" if spec.local else "at the neighbour"
    if sight.escaped:
        return f"It escaped. Seen {place}:\n" + "\n".join(f"  {words}" for words in sight.words)
    answer = {"reset": " A TCP reset answered it.", "error": " An ICMP error answered it."}
    return f"It did not escape: it was not seen {place}." + answer.get(sight.answer, "")
