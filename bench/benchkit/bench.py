# SPDX-License-Identifier: GPL-3.0-or-later
"""What is measured, between whom, and the rows that come of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from . import rulesets
from .figures import Budget, Row, Samples, figure, paired, read_samples
from .namespaces import DEVICE, PEER_ADDRESS, Pair, inside, run

CONNECTION = Budget("<= 1.06", most=1.06)
SAME = Budget("0.98 - 1.02", 0.98, 1.02)
THROUGHPUT = Budget(">= 0.95", least=0.95)
IN_PROCESS = Budget("<= 1 ms", most=1.0)
AS_COMMAND = Budget("<= 5 ms", most=5.0)
PROOF = Budget("<= 200 ms", most=200.0)
PROOF_LARGE = Budget("<= 2 s", most=2000.0)

LOOPBACK = "127.0.0.1"
REMOTE_PORT = 443
CLOSED_PORT = 9062  # closed to amnesia by policy, and closed anyway where there is none


@dataclass(frozen=True)
class Effort:
    rounds: int
    slice: int  # connections
    services: tuple[int, ...]
    linear: tuple[int, ...]
    stream_rounds: int
    stream_bytes: int
    applies: int
    applies_large: int  # above 1,000 services
    proofs: int
    users: tuple[int, ...]
    networks: tuple[int, ...]


FULL = Effort(300, 300, (10, 100, 1000, 10000), (10, 100, 1000, 5000), 200, 1_000_000, 200, 40, 9,
              (10, 100, 900), (10, 100, 1000))
SHORT = Effort(5, 60, (10, 1000), (10, 1000), 5, 200_000, 5, 3, 1, (10,), (10,))


@dataclass(frozen=True)
class Contestant:
    """One ruleset, in a pair of namespaces of its own."""

    name: str  # also the benchmark programs' name for it
    says: str
    services: int = 0
    lethe: bool = False
    peer: str = ""  # file in bench/rules


def contestants(effort: Effort) -> list[Contestant]:
    found = [Contestant("none", "no rules"), Contestant("again", "no rules, once more (control)"),
             Contestant("lethe", "lethe, shipped policy", lethe=True)]
    found += [Contestant(f"lethe{n}", f"lethe, {n} services", n, lethe=True)
              for n in effort.services]
    found += [Contestant("empty", "empty chains at Lethe's hooks", peer="empty"),
              Contestant("track", "connection tracking alone", peer="conntrack"),
              Contestant("owners", "tracking, owner rules, NAT", peer="owners")]
    found += [Contestant(f"linear{n}", f"the same, {n} services in a list", n, peer="owners")
              for n in effort.linear]
    return found


class Bench:
    def __init__(self, build: Path, effort: Effort, seed: int, folder: Path) -> None:
        self.build, self.effort, self.seed, self.folder = build, effort, seed, folder
        self.contestants = contestants(effort)
        self.small = [c for c in self.contestants if not c.services]
        self.pairs = {contestant.name: Pair(contestant.name) for contestant in self.contestants}
        self.users = rulesets.users()

    def program(self, name: str) -> str:
        return str(self.build / ("src/wall" if name == "lethe-wall" else "bench") / name)

    # ---- preparation ----

    def wall(self, *words: str) -> list[str]:
        return [self.program("lethe-wall"), "--quiet", "--passwd", str(rulesets.PASSWD), *words]

    def policy_path(self, services: int) -> Path:
        path = self.folder / f"policy-{services}.conf"
        if not path.exists():
            path.write_text(rulesets.policy(services), encoding="utf-8")
        return path

    def prepare(self, contestant: Contestant) -> None:
        pair = self.pairs[contestant.name]
        pair.make()
        # Everywhere, so that all have the same kernel settings and differ in rules alone.
        policy = self.policy_path(contestant.services if contestant.lethe else 0)
        run(inside(pair.client, self.wall("apply", str(policy))))
        if not contestant.lethe:
            run(inside(pair.client, self.wall("--yes", "open")))
        if contestant.peer:
            rules = rulesets.peer(contestant.peer, contestant.services)
            run(inside(pair.client, ["nft", "-f", "-"]), rules)

    def remove(self) -> None:
        for pair in self.pairs.values():
            pair.remove()

    # ---- connections ----

    def word(self, contestant: Contestant, kind: str, local: bool, user: str, port: int) -> str:
        pair = self.pairs[contestant.name]
        return ",".join((contestant.name, kind, pair.client, pair.client if local else pair.peer,
                         str(self.users[user]), LOOPBACK if local else PEER_ADDRESS, str(port)))

    def connect(self, words: list[str]) -> str:
        return run([self.program("bench-connect"), str(self.effort.rounds), str(self.effort.slice),
                    str(self.seed), *words])

    def connections(self, local: bool) -> list[Row]:
        title = "local connection, amnesia" if local else "outbound connection, debian-tor"
        words = [self.word(contestant, "open", local, "amnesia" if local else "debian-tor",
                           rulesets.middle_port(contestant.services) if local else REMOTE_PORT)
                 for contestant in self.contestants]
        samples = read_samples(self.connect(words))
        rows = [Row(title, contestant.says,
                    figure(v / 1000 for v in samples[contestant.name].values()), "us",
                    paired(samples, contestant.name, "none"),
                    CONNECTION if contestant.lethe else None) for contestant in self.contestants]
        rows += [Row(title, f"{contestant.says}, over the shipped policy",
                     ratio=paired(samples, contestant.name, "lethe"), budget=SAME)
                 for contestant in self.contestants if contestant.lethe and contestant.services]
        return rows

    def refusals(self, local: bool) -> list[Row]:
        title = ("blocked local connection, amnesia (over a port that is closed)" if local
                 else "blocked connection to the Internet, amnesia (over a port that is closed)")
        compared = [c for c in self.small if c.peer in ("", "owners")]
        samples = read_samples(self.connect([
            self.word(contestant, "refused", local, "amnesia", CLOSED_PORT)
            for contestant in compared]))
        return [Row(title, contestant.says,
                    figure(v / 1000 for v in samples[contestant.name].values()), "us",
                    paired(samples, contestant.name, "none")) for contestant in compared]

    # ---- throughput ----

    def throughput(self, direction: str, plain: bool) -> list[Row]:
        kind = f"plain-{direction}" if plain else direction
        text = run([self.program("bench-throughput"), str(self.effort.stream_rounds),
                    str(self.effort.stream_bytes), str(self.seed),
                    *(self.word(contestant, kind, False, "debian-tor", REMOTE_PORT)
                      for contestant in self.small)])
        samples = read_samples(text)
        bits = self.effort.stream_bytes * 8
        title = f"throughput {direction} of one processor, {'without' if plain else 'with'} offload"
        # Time the other way round is speed.
        return [Row(title, contestant.says,
                    figure(bits / v for v in samples[contestant.name].values()), "Gbit/s",
                    paired(samples, "none", contestant.name),
                    THROUGHPUT if contestant.lethe and plain else None)
                for contestant in self.small]

    # ---- applying ----

    def nft_rules(self, services: int) -> tuple[Path, str]:
        """A file that nft can load, and what is in it."""
        path = self.folder / f"rules-{services}.nft"
        listing = run([self.program("lethe-wall"), "--passwd", str(rulesets.PASSWD), "compile",
                       str(self.policy_path(services))])
        path.write_text(rulesets.for_nft(listing, ["lo", DEVICE]), encoding="utf-8")
        try:
            run(inside(self.pairs["lethe"].client, ["nft", "--check", "-f", str(path)]))
            return path, "the same rules"
        except RuntimeError:
            # An nft that lacks words for the device table.
            path.write_text(rulesets.for_nft(rulesets.only_inet(listing), []), encoding="utf-8")
            return path, "the inet table alone"

    def commands(self, services: int, rules: Path) -> dict[str, list[str]]:
        policy = str(self.policy_path(services))
        batch = self.folder / f"batch-{services}"
        run(inside(self.pairs["lethe"].client, self.wall(f"--batch={batch}", "compile", policy)))
        return {
            "start": [self.program("lethe-wall"), "--version"],
            "check": self.wall("check", policy),
            "apply": [word for word in self.wall("apply", policy) if word != "--quiet"],
            "apply-batch": self.wall(f"--batch={batch}", "apply"),
            "nft": ["nft", "-f", str(rules)],
        }

    def applying(self, services: int) -> list[Row]:
        runs = self.effort.applies if services <= 1000 else self.effort.applies_large
        rules, says = self.nft_rules(services)
        words = [word for name, command in self.commands(services, rules).items()
                 for word in (name, " ".join(command))]
        text = run(inside(self.pairs["lethe"].client,
                          [self.program("bench-apply"), str(runs), str(self.policy_path(services)),
                           str(rulesets.PASSWD), *words]))
        clock, processor = read_samples(text), read_samples(text, 3)
        title = f"applying {f'{services} services' if services else 'the shipped policy'}"

        def row(case: str, what: str, budget: Budget | None = None, busy: bool = False) -> Row:
            samples = processor if busy else clock
            return Row(title, what, figure(v / 1e6 for v in samples[case].values()), "ms",
                       budget=budget if services == 0 else None)

        return [
            row("build+send", "in process: build the batch, send it, committed", IN_PROCESS),
            row("send", "  of which the kernel's answer to the batch"),
            row("read-back", "in process: read back and compare"),
            row("install", "in process: both, as lethe-wall does"),
            row("load", "in process: read and resolve the policy"),
            row("compile", "in process: compile it"),
            row("settings", "in process: kernel settings"),
            row("flows", "in process: end forbidden flows"),
            row("apply-said", "command: lethe-wall apply, until it says that it is enforced"),
            row("apply", "command: lethe-wall apply, until it has ended", AS_COMMAND),
            row("apply", "  its processor time", busy=True),
            row("apply-batch", "command: lethe-wall apply --batch"),
            row("check", "command: lethe-wall check (asks the kernel nothing)"),
            row("start", "command: lethe-wall --version (does nothing)"),
            row("nft", f"command: nft -f, {says}"),
            row("nft", "  its processor time", busy=True),
            Row(title, "lethe-wall apply over nft -f", ratio=paired(clock, "apply", "nft")),
            Row(title, "  of processor time", ratio=paired(processor, "apply", "nft")),
        ]

    # ---- the proof ----

    def proof(self, what: str, text: str, budget: Budget | None) -> list[Row]:
        path = self.folder / "proved.conf"
        path.write_text(text, encoding="utf-8")
        pair = Pair("proof")
        pair.make()
        try:
            said = run(inside(pair.client, [self.program("bench-proof"), str(self.effort.proofs),
                                            str(path), str(rulesets.PASSWD)]))  # fmt: skip
        finally:
            pair.remove()
        clock, processor = read_samples(said), read_samples(said, 3)
        rules, nodes = (int(next(iter(clock[name].values()))) for name in ("rules", "nodes"))
        title = f"proof of {what}: {rules} rules and elements"

        def row(name: str, says: str, samples: Samples, unit: str, by: float,
                budget: Budget | None = None) -> Row:  # fmt: skip
            return Row(title, says, figure(v / by for v in samples[name].values()), unit,
                       budget=budget)

        return [row("prove", "proved", clock, "ms", 1e6, budget),
                row("prove", "  its processor time", processor, "ms", 1e6),
                row("read", "read back", clock, "ms", 1e6),
                Row(title, "nodes of decision diagrams", figure([nodes / 1000]), "thousand"),
                row("memory", "memory of the process at its peak", clock, "MiB", 1024)]

    def proofs(self) -> list[Row]:
        rows = self.proof("the shipped policy", rulesets.policy(0), PROOF)
        for services in self.effort.services:
            budget = PROOF_LARGE if services == 10000 else None
            rows += self.proof(f"{services} services", rulesets.policy(services), budget)
        for users in self.effort.users:
            rows += self.proof(f"{users} users with a grant", rulesets.users_policy(users), None)
        for networks in self.effort.networks:
            rows += self.proof(f"grants to {networks} intervals",
                               rulesets.networks_policy(networks), None)
        return rows

    def everything(self) -> list[Row]:
        for contestant in self.contestants:
            self.prepare(contestant)
        rows = self.connections(local=False) + self.connections(local=True)
        rows += self.refusals(local=True) + self.refusals(local=False)
        rows += self.throughput("up", plain=False) + self.throughput("down", plain=False)
        for contestant in self.small:
            self.pairs[contestant.name].one_packet_per_segment()
        rows += self.throughput("up", plain=True) + self.throughput("down", plain=True)
        for services in (0, *self.effort.services):
            rows += self.applying(services)
        return rows + self.proofs()
