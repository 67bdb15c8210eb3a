"""A rollout in batches: which servers are changed when, and whether it goes on. Pure.

The words are those of Ansible's playbook keywords `serial` and `max_fail_percentage`
(docs/rollouts.md lists the differences).
"""

from __future__ import annotations

import re
from collections.abc import Sequence, Sized
from dataclasses import dataclass
from typing import TypeVar

from scimconf.errors import UsageError

Item = TypeVar("Item")
Servers = TypeVar("Servers", bound=Sized)
"""A deployment: the servers that are changed as one."""

_SIZE = re.compile(r"(\d{1,9})(%?)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Size:
    """A number of servers, or a per cent of all that were selected."""

    number: int
    per_cent: bool = False

    def of(self, selected: int) -> int:
        """Return the size of a batch; all servers for 0 (ansible/utils/helpers.py, `pct_to_int`).

        A per cent is rounded down by way of a float, 29% of 100 is 28, and is at least 1: as
        Ansible does it.
        """
        if not self.per_cent:
            return self.number or selected
        return int((self.number / 100.0) * selected) or 1

    def allows(self, failed: int, selected: int) -> bool:
        """Return True if `failed` servers do not exceed the limit; to reach it is allowed."""
        if self.per_cent:
            return failed * 100 <= self.number * selected
        return failed <= self.number


_ALL = _NONE = Size(0)


def sizes(text: str) -> tuple[Size, ...]:
    """Read `3`, `30%` or `1,5,50%`. Raises UsageError."""
    return tuple(size(each.strip(), "--serial") for each in text.split(","))


def size(text: str, option: str) -> Size:
    """Read `3` or `30%`. Raises UsageError."""
    found = _SIZE.fullmatch(text)
    if not found:
        raise UsageError(f"{option} takes numbers or percentages, such as 3 or 30%, not {text!r}")
    return Size(int(found[1]), bool(found[2]))


@dataclass(frozen=True, slots=True)
class Strategy:
    """How a rollout goes over the servers that it changes."""

    serial: tuple[Size, ...] = (_ALL,)
    """The sizes of the batches; the last one repeats."""
    max_fail: Size | None = None
    """How many may fail. None: any number within a batch, but none before the next batch."""

    def batches(self, deployments: Sequence[Servers], selected: int) -> list[list[Servers]]:
        """Divide the deployments into batches, in their order.

        A batch takes whole deployments as long as they fit; a larger one is a batch of its own.
        With deployments of one server each, these are Ansible's batches
        (executor/playbook_executor.py, `_get_serialized_batches`).
        """
        found: list[list[Servers]] = []
        left = 0
        for servers in deployments:
            if len(servers) > left or not found:
                left = self.serial[min(len(found), len(self.serial) - 1)].of(selected)
                found.append([])
            found[-1].append(servers)
            left -= len(servers)
        return found

    def next_batch_may_begin(self, failed: int, selected: int) -> bool:
        """Return True if the rollout goes on after `failed` servers of its batches have failed."""
        return (self.max_fail or _NONE).allows(failed, selected)

    def next_deployment_may_begin(self, failed: int, selected: int) -> bool:
        """Return True if one more deployment of a batch may start; always without max_fail."""
        return self.max_fail is None or self.max_fail.allows(failed, selected)


def strategy(serial: str | None, canary: int | None, max_fail: str | None) -> Strategy:
    """Return what the options say: a canary of N is a first batch of N. Raises UsageError."""
    first = () if canary is None else (Size(canary),)
    return Strategy(
        (*first, *(sizes(serial) if serial is not None else (_ALL,))),
        None if max_fail is None else size(max_fail, "--max-fail"),
    )
