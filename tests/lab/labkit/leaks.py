# SPDX-License-Identifier: GPL-3.0-or-later
"""`lab leaks RULESET`: the leak matrix on any ruleset, ours or a stranger's."""

from __future__ import annotations

import argparse
import json
import os
import sys
from typing import Any

from . import local_matrix, matrix, names, rules
from .lab import Lab, LabError

NONE = "none"
EXIT_KEPT, EXIT_BROKEN, EXIT_WRONG_USE = 0, 1, 2

_HELP = "RULESET is one of\n" + rules.HELP + "\nUsers are meant by number in such a file:\n    " + (
    ", ".join(f"{user.name} {user.uid}" for user in names.USERS.values()))


def measure(lab: Lab, ruleset: str) -> tuple[matrix.Matrix, local_matrix.Local]:
    """Both matrices. The ruleset must be loaded already."""
    refusals = ruleset != NONE
    return matrix.run(lab, judge_refusals=refusals), local_matrix.run(lab)


def kept(leaks: matrix.Matrix, local: local_matrix.Local) -> bool:
    return leaks.kept and not local.bad


def render(leaks: matrix.Matrix, local: local_matrix.Local, colour: bool) -> str:
    return "\n".join([
        "What leaves: seen by the router", "", matrix.render(leaks, colour), "",
        "What is reached on this computer, and what comes in", "",
        local_matrix.render(local, colour)])


def to_json(ruleset: str, leaks: matrix.Matrix, local: local_matrix.Local) -> dict[str, Any]:
    return {"ruleset": ruleset, "kept": kept(leaks, local), "matrix": matrix.to_json(leaks),
            "local": local_matrix.to_json(local)}


def _lab_of(name: str) -> tuple[Lab, bool]:
    """The lab of that name if it is up, otherwise a new one; and whether it is ours to end."""
    lab = Lab(name)
    if lab.is_up():
        return lab, False
    return Lab(f"leaks-{os.getpid()}"), True


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="lab leaks", description="Try every way out, as every user, against a ruleset.",
        epilog=_HELP, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ruleset", metavar="RULESET", nargs="?", default="lethe",
                        help="see below (default: %(default)s)")
    parser.add_argument("--name", default=names.DEFAULT_LAB,
                        help="the lab to use if it is up; it keeps the ruleset afterwards. "
                        "Otherwise one without Tor is made and ended (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print JSON in place of tables")
    parser.add_argument("--loaded", action="store_true",
                        help="judge what that lab has loaded already; RULESET is only its title")
    return parser


def main(argv: list[str]) -> int:
    options = _parser().parse_args([word for word in argv if word != "--"])
    try:
        return _measure_and_print(options)
    except (rules.RulesError, LabError) as error:
        print(f"lab leaks: {error}", file=sys.stderr)
        return EXIT_WRONG_USE


def _measure_and_print(options: argparse.Namespace) -> int:
    lab, own = _lab_of(options.name)
    if own and options.loaded:
        raise LabError(f"the lab {options.name!r} is not up, and a new one has no ruleset to judge")
    try:
        if own:
            lab.up(tor=False)
        if not options.loaded:
            rules.apply(lab, options.ruleset)
        leaks, local = measure(lab, options.ruleset)
    finally:
        if own:
            lab.down()
    if options.json:
        print(json.dumps(to_json(options.ruleset, leaks, local), indent=1))
    else:
        print(render(leaks, local, sys.stdout.isatty() and "NO_COLOR" not in os.environ))
    return EXIT_KEPT if kept(leaks, local) else EXIT_BROKEN


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
