"""The tools that are compared, and the measurements that several lines use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path

from bench.measure import Failed, Measured, Program, alternating
from bench.operator import WANTED, Operator
from bench.peers import Peers
from bench.targets import Targets

HOSTS, FORKS = 100, 20
QUIET = ("-q",)


class Bench:
    """The targets and the measurements. Each part is created at its first use."""

    def __init__(self, targets: Targets, environments: Path, runs: int) -> None:
        self.targets = targets
        self.runs = runs
        self._environments = environments
        self.state = 0
        """The state of all servers: an index of WANTED."""
        self.notes: list[str] = []
        """Notes about tools that could not run."""

    @cached_property
    def operator(self) -> Operator:
        """Return the operator of the hundred servers, which are in state 0."""
        made = Operator(self.targets, "hundred", self.targets.at(HOSTS))
        made.apply(0, "--create-tokens", *QUIET).run()
        return made

    @cached_property
    def one(self) -> Operator:
        """Return the operator of one other server."""
        made = Operator(self.targets, "one", self.targets.at(HOSTS + 1)[HOSTS:])
        made.apply(0, "--create-tokens", *QUIET).run()
        return made

    @cached_property
    def peers(self) -> Peers:
        """Return the other tools, which know both states."""
        made = Peers(self.operator, self._environments, FORKS)
        made.mark()
        for state in range(len(WANTED)):
            self.operator.apply(state, *QUIET).run()
            made.learn()
        self.state = len(WANTED) - 1
        return made

    @cached_property
    def plans(self) -> Mapping[str, list[Measured]]:
        """Measure all tools when there is nothing to change."""
        peers, operator, state = self.peers, self.operator, self.state
        ansible, mitogen = peers.ansible(mitogen=False), peers.ansible(mitogen=True)
        ansible.play(state).run()  # warm up: its connections stay open
        sides = {
            "floor": operator.floor(state, FORKS),
            "scimconf": operator.scimconf("plan", state, *QUIET),
            "scimconf, one server": self.one.scimconf("plan", 0, *QUIET),
            "ansible": ansible.play(state),
            "mitogen": mitogen.play(state),
            "pyinfra": peers.pyinfra().play(state),
            "pyinfra, one server": peers.pyinfra().play(state, "--limit", "h0"),
        }
        try:  # mitogen needs certain versions of Ansible; no limit depends on it
            sides["mitogen"].run()
        except Failed as failed:
            del sides["mitogen"]
            self.notes.append(f"mitogen does not run here: {failed}")
        try:
            return self.measure({name: side.run for name, side in sides.items()})
        finally:
            ansible.hang_up()

    @cached_property
    def applies(self) -> Mapping[str, list[Measured]]:
        """Measure all tools when every server must change. Check each change."""
        peers, operator = self.peers, self.operator
        ansible = peers.ansible(mitogen=False)
        ansible.play(self.state).run()
        sides = {
            "scimconf plan": lambda: operator.scimconf("plan", self.state, *QUIET).run(),
            "scimconf": self.changing(
                lambda state: operator.apply(state, *QUIET, "--format", "json"),
            ),
            "ansible": self.changing(ansible.play),
            "pyinfra": self.changing(peers.pyinfra().play),
        }
        try:
            return self.measure(sides)
        finally:
            ansible.hang_up()

    def changing(self, side: Callable[[int], Program]) -> Callable[[], Measured]:
        """Return a function that changes all servers to the other state, and checks that."""

        def change() -> Measured:
            self.state = 1 - self.state
            done = side(self.state).run()
            if not self.peers.stand_at(self.state):
                raise Failed(f"not every server was changed: {done.out[-1500:]}")
            return done

        return change

    def measure(self, sides: Mapping[str, Callable[[], Measured]]) -> dict[str, list[Measured]]:
        """Run all sides in turn, and count the CPU time of the servers apart."""
        return alternating(sides, self.runs, self.targets.cpu)
