# SPDX-License-Identifier: GPL-3.0-or-later
"""Loading a ruleset on the host under test: Lethe's, a stranger's, or none.

    none              no rules at all
    lethe             Lethe's default policy, by the lethe-wall that was built here
    lethe:FILE        Lethe with another policy
    FILE              a stranger's: rules for `nft -f`, or a script (it begins with #!)
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from . import names

if TYPE_CHECKING:
    from .lab import Lab

SECONDS = 120.0
HELP = __doc__.split("\n\n", 1)[1] if __doc__ else ""


class RulesError(RuntimeError):
    """The ruleset could not be loaded; the text says what was tried."""


def wall() -> Path:
    """The lethe-wall to use; LETHE_BUILD names another build directory than ./build."""
    build = Path(os.environ.get("LETHE_BUILD", names.SOURCE_ROOT / "build"))
    return (build / "src" / "wall" / "lethe-wall").absolute()


def proof_command(*words: str, policy: Path = names.DEFAULT_POLICY) -> list[str]:
    """The lethe-proof that was built, of this namespace alone and this computer's users."""
    program = wall().parents[1] / "proof" / "lethe-proof"
    return [str(program), "--json", "--only-here", "--passwd", str(names.PASSWD),
            "--policy", str(policy), *(words or ("check",))]  # fmt: skip


def apply(lab: Lab, ruleset: str) -> str:
    """Load @ruleset on the host under test, in place of what is there. Returns what the loader
    printed. A failure is a RulesError, and then the host may be left with any rules: look at
    `lab exec root -- nft list ruleset`."""
    if ruleset == "none":
        return clear(lab)
    kind, _, policy = ruleset.partition(":")
    if kind == "lethe":
        return apply_lethe(lab, Path(policy) if policy else names.DEFAULT_POLICY)
    return apply_file(lab, Path(ruleset))


def clear(lab: Lab) -> str:
    """Remove every rule."""
    said = ""
    if wall().exists():
        # First, and without looking: an nft that is older than the kernel does not come back from
        # reading a chain that is bound to devices by prefix.
        said = _run(lab, [str(wall()), "open", "--yes"])
    said += _run(lab, ["nft", "flush", "ruleset"])
    left = _listing(lab)
    if left:
        raise RulesError(f"after `nft flush ruleset` there are still rules:\n{left}")
    return said


def apply_lethe(lab: Lab, policy: Path = names.DEFAULT_POLICY) -> str:
    if not wall().exists():
        raise RulesError(f"{wall()} is not there: build first (LETHE_BUILD names the directory)")
    if not policy.exists():
        raise RulesError(f"the policy {policy} is not there")
    return _run(lab, [str(wall()), "apply", "--passwd", str(names.PASSWD),
                      "--policy", str(policy.absolute())])  # fmt: skip


def apply_file(lab: Lab, path: Path) -> str:
    """Load a stranger's rules over nothing."""
    argv = stranger(path)
    return clear(lab) + _run(lab, argv)


def stranger(path: Path) -> list[str]:
    """The command that loads a stranger's rules."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            first = file.readline()
    except OSError as error:
        raise RulesError(f"cannot read the ruleset {path}: {error.strerror}; "
                         "rulesets are: none, lethe, lethe:POLICY, FILE") from None  # fmt: skip
    absolute = str(path.absolute())
    if not first.startswith("#!") or "nft" in first:
        return ["nft", "-f", absolute]
    return [*first[2:].split(), absolute]


def _listing(lab: Lab) -> str:
    return _run(lab, ["nft", "list", "tables"]).strip()


def _run(lab: Lab, argv: list[str]) -> str:
    result = lab.host.run(argv, timeout=SECONDS)
    if result.returncode != 0:
        raise RulesError(f"on the host under test, `{' '.join(argv)}` failed with exit "
                         f"{result.returncode}:\n{result.stdout}{result.stderr}")  # fmt: skip
    return result.stdout + result.stderr
