"""Divide a rollout into batches, and decide whether it continues. Pure.

The rules are those of Ansible's playbook keywords `serial` and `max_fail_percentage`
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
"""A deployment: servers that are changed together."""

_SIZE = re.compile(r"(\d{1,9})(%?)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Size:
    """A number of servers, or a percentage of all selected servers."""

    number: int
    per_cent: bool = False

    def of(self, selected: int) -> int:
        """Return the size of a batch; all servers for 0 (ansible/utils/helpers.py, `pct_to_int`).

        As in Ansible, a percentage is computed as a float, rounded down (29% of 100 is 28), and is
        at least 1.
        """
        if not self.per_cent:
            return self.number or selected
        return int((self.number / 100.0) * selected) or 1

    def allows(self, failed: int, selected: int) -> bool:
        """Return True if `failed` servers do not exceed the limit."""
        if self.per_cent:
            return failed * 100 <= self.number * selected
        return failed <= self.number


_ALL = _NONE = Size(0)


def sizes(text: str) -> tuple[Size, ...]:
    """Parse `3`, `30%` or `1,5,50%`. Raises UsageError."""
    return tuple(size(each.strip(), "--serial") for each in text.split(","))


def size(text: str, option: str) -> Size:
    """Parse `3` or `30%`. Raises UsageError."""
    found = _SIZE.fullmatch(text)
    if not found:
        raise UsageError(f"{option} takes numbers or percentages, such as 3 or 30%, not {text!r}")
    return Size(int(found[1]), bool(found[2]))


@dataclass(frozen=True, slots=True)
class Strategy:
    """The sizes of the batches, and how many servers may fail."""

    serial: tuple[Size, ...] = (_ALL,)
    """The sizes of the batches; the last one repeats."""
    max_fail: Size | None = None
    """How many servers may fail. None: a batch always finishes, but the next one starts only if no
    server has failed."""

    def batches(self, deployments: Sequence[Servers], selected: int) -> list[list[Servers]]:
        """Divide the deployments into batches; keep their order.

        A batch contains whole deployments. A deployment that is larger than a batch is a batch of
        its own.
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
        """Return True if the next batch may start after `failed` servers have failed."""
        return (self.max_fail or _NONE).allows(failed, selected)

    def next_deployment_may_begin(self, failed: int, selected: int) -> bool:
        """Return True if another deployment of the batch may start; always without max_fail."""
        return self.max_fail is None or self.max_fail.allows(failed, selected)


def strategy(serial: str | None, canary: int | None, max_fail: str | None) -> Strategy:
    """Build the strategy of the options. A canary of N is a first batch of N. Raises UsageError."""
    first = () if canary is None else (Size(canary),)
    return Strategy(
        (*first, *(sizes(serial) if serial is not None else (_ALL,))),
        None if max_fail is None else size(max_fail, "--max-fail"),
    )
