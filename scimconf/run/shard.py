"""A share of the fleet: `--shard I/N` selects the deployments of one of N runs.

Each deployment belongs to exactly one shard, which depends on its name and on N only. So a new
server moves no other server to another shard.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from scimconf.errors import UsageError
from scimconf.model import Server

MOST = 10_000
"""The largest number of shards."""

_NUMBER = re.compile(r"[1-9][0-9]{0,4}")
_FORMS = (
    "write I/N, for example 2/10 (I counts from 1); in GitLab with parallel: auto; in a Kubernetes "
    "Indexed Job: auto/N"
)


@dataclass(frozen=True, slots=True)
class Shard:
    """Shard `index` (from 1) of `count`."""

    index: int
    count: int

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"

    def holds(self, deployment: str) -> bool:
        """Return whether the deployment belongs to this shard."""
        # hash() differs from process to process.
        digest = hashlib.sha256(deployment.encode("utf-8", "surrogateescape")).digest()
        return int.from_bytes(digest[:8], "big") % self.count == self.index - 1

    def share(self, servers: Iterable[Server]) -> tuple[Server, ...]:
        """Return the servers of this shard, in their order. Deployments are never split."""
        return tuple(server for server in servers if self.holds(server.deployment))


def parse(text: str, environment: Mapping[str, str]) -> Shard:
    """Return the shard that `I/N`, `auto` or `auto/N` names.

    `auto` reads CI_NODE_INDEX and CI_NODE_TOTAL, which count from 1 (GitLab's `parallel`). `auto/N`
    reads JOB_COMPLETION_INDEX, which counts from 0 (Kubernetes' Indexed Jobs). Raises UsageError.
    """
    index, slash, count = text.partition("/")
    if text == "auto":
        return _shard(
            _variable("CI_NODE_INDEX", text, environment),
            _variable("CI_NODE_TOTAL", text, environment),
            "CI_NODE_INDEX/CI_NODE_TOTAL",
        )
    if index == "auto" and slash:
        found = _variable("JOB_COMPLETION_INDEX", text, environment)
        if not found.isdecimal() or not found.isascii() or len(found) > 5:
            raise UsageError(f"JOB_COMPLETION_INDEX is {found!a}, not a number", _FORMS)
        return _shard(str(int(found) + 1), count, f"--shard {text}")
    if not slash:
        raise UsageError(f"--shard {text!a} is not a share of the fleet", _FORMS)
    return _shard(index, count, f"--shard {text!a}")


def _variable(name: str, text: str, environment: Mapping[str, str]) -> str:
    value = environment.get(name, "")
    if not value:
        raise UsageError(f"--shard {text} needs the variable {name}, which is not set", _FORMS)
    return value


def _shard(index: str, count: str, source: str) -> Shard:
    if not (_NUMBER.fullmatch(index) and _NUMBER.fullmatch(count)):
        raise UsageError(f"{source} is not a share of the fleet", _FORMS)
    shard = Shard(int(index), int(count))
    if shard.count > MOST:
        raise UsageError(f"{source}: more than {MOST} shards", _FORMS)
    if shard.index > shard.count:
        raise UsageError(f"{source}: there is no shard {shard.index} of {shard.count}", _FORMS)
    return shard
