"""Read JSON reports (docs/json.md), which may come from anywhere, and merge those of shards."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from scimconf.activity import Activity, Seen, SeenRequest, State
from scimconf.errors import ExitCode, UsageError, worst
from scimconf.model import (
    UNKNOWN_SCOPE,
    Action,
    ActionKind,
    Check,
    Outcome,
    Plan,
    Position,
    Scope,
    Status,
    Step,
    Unmanaged,
    WayFact,
)
from scimconf.report.document import SCHEMA
from scimconf.server_warning import ServerWarning

T = TypeVar("T")

LARGEST = 64 * 1024 * 1024
"""Bytes of one report: some 20,000 servers."""
VERBS = frozenset(
    ("plan", "apply", "verify", "rotate", "deliver", "undo", "recover", "import", "status")
)
"""The verbs that write reports. Reports repeat no other text as a verb."""
_LONGEST = 10**9
"""Seconds: more than thirty years. The sum of many of them is a finite number, too."""

_NO_NAME = re.compile(r"^$|^[-!&~@#]|[\s\x00-\x20\x7f/\\,;'\"`$|&<>(){}*?\[\]]")
"""Not the name of one server: --failed-hosts writes names into a list of host patterns."""
_STATUS = re.compile(r"[1-5]\d\d", re.ASCII)
_PLACE = re.compile(r"(.*):(\d{1,9}):(\d{1,9})", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Report:
    """A report as data."""

    verb: str
    outcomes: tuple[Outcome, ...]
    exit_code: ExitCode
    notes: tuple[str, ...] = ()
    shard: tuple[int, int] | None = None
    """Index, from 1, and count."""
    scope: Scope = UNKNOWN_SCOPE


class _WrongError(Exception):
    """The data are not those of a report."""


def parse(text: str, file: str) -> Report:
    """Return the report that a JSON text contains; `file` is its name in errors.

    Raises UsageError. No message quotes the text.
    """
    try:
        data = json.loads(text)
        top = _Object(data)
        if top.get("schema", int) != SCHEMA:
            raise _WrongError
        return _report(top)
    except (ValueError, RecursionError, _WrongError):
        raise UsageError(
            f"{file} is not a report of scimconf that this version can read",
            "write each report with --format json, and nothing else into the file",
        ) from None


def merge(reports: Mapping[str, Report]) -> Report:
    """Return one report of the reports of all shards of a run; the keys are their file names.

    Raises UsageError if a shard is missing or there twice, or if the reports are not of one run.
    """
    _check_shards({file: report.shard for file, report in reports.items()})
    verbs = {report.verb: file for file, report in reports.items()}
    if len(verbs) > 1:
        named = ", ".join(f"{file} ({verb})" for verb, file in sorted(verbs.items()))
        raise UsageError(f"the reports are of different verbs: {named}")
    first: dict[str, str] = {}
    for file, report in reports.items():
        for outcome in report.outcomes:
            if (other := first.setdefault(outcome.server, file)) != file:
                raise UsageError(f"{outcome.server} is in {other} and in {file}")
    scopes = {report.scope: file for file, report in reports.items()}
    if len(scopes) > 1:
        raise UsageError(
            f"{' and '.join(sorted(scopes.values())[:2])} are not of one run: the selected servers "
            "or realms differ",
            "run all shards with the same inventory, the same servers and the same --realm",
        )
    return Report(
        next(iter(verbs)),
        tuple(outcome for report in reports.values() for outcome in report.outcomes),
        worst(report.exit_code for report in reports.values()),
        tuple(dict.fromkeys(note for report in reports.values() for note in report.notes)),
        scope=next(iter(scopes)),
    )


def _check_shards(shards: Mapping[str, tuple[int, int] | None]) -> None:
    whole = [file for file, shard in shards.items() if shard is None]
    if whole and len(shards) > 1:
        raise UsageError(
            f"{whole[0]} is not the report of a shard", "give the reports of runs with --shard"
        )
    counts = {shard[1]: file for file, shard in shards.items() if shard}
    if len(counts) > 1:
        named = ", ".join(f"{file} (of {count})" for count, file in sorted(counts.items()))
        raise UsageError(f"the reports are of different numbers of shards: {named}")
    seen: dict[int, str] = {}
    for file, shard in shards.items():
        if shard and (other := seen.setdefault(shard[0], file)) != file:
            raise UsageError(f"shard {shard[0]} is there twice: {other} and {file}")
    for count in counts:
        if missing := [str(each) for each in range(1, count + 1) if each not in seen]:
            raise UsageError(
                f"the report of shard {', '.join(missing[:20])} of {count} is missing",
                "a shard without a report may have failed: look at its log, and run it again",
            )


class _Object:
    """A JSON object. Its methods check types."""

    def __init__(self, data: object) -> None:
        if not isinstance(data, dict):
            raise _WrongError
        self._data: Mapping[str, Any] = data

    def get(self, name: str, kind: type[T]) -> T:
        value = self._data.get(name)
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise _WrongError
        return value

    def maybe(self, name: str, kind: type[T]) -> T | None:
        return None if self._data.get(name) is None else self.get(name, kind)

    def has(self, name: str) -> bool:
        return name in self._data

    def counts(self, name: str) -> Mapping[int, int]:
        found = self.get(name, dict)
        counted = _Object(found)
        if not all(isinstance(key, str) and _STATUS.fullmatch(key) for key in found):
            raise _WrongError
        return {int(key): counted.get(key, int) for key in found}

    def moment(self, name: str) -> float:
        return datetime.strptime(self.get(name, str), "%Y-%m-%dT%H:%M:%S%z").timestamp()

    def seconds(self, name: str) -> float:
        value = self._data.get(name)
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            raise _WrongError
        if not 0 <= value <= _LONGEST:  # false for "not a number", too
            raise _WrongError
        return float(value)

    def texts(self, name: str) -> tuple[str, ...]:
        values = self._data.get(name, [])
        if not isinstance(values, list) or not all(isinstance(each, str) for each in values):
            raise _WrongError
        return tuple(values)

    def objects(self, name: str) -> Sequence[_Object]:
        return [_Object(each) for each in self.get(name, list)]


def _report(top: _Object) -> Report:
    shard, scope = top.maybe("shard", dict), top.maybe("scope", dict)
    if (verb := top.get("verb", str)) not in VERBS:
        raise _WrongError
    return Report(
        verb,
        tuple(map(_outcome, top.objects("servers"))),
        ExitCode(top.get("exit_code", int)),
        top.texts("notes"),
        None if shard is None else _shard(_Object(shard)),
        UNKNOWN_SCOPE if scope is None else _scope(_Object(scope)),
    )


def _shard(shard: _Object) -> tuple[int, int]:
    index, count = shard.get("index", int), shard.get("count", int)
    if not 1 <= index <= count <= 10_000:
        raise _WrongError
    return index, count


def _scope(scope: _Object) -> Scope:
    return Scope(scope.get("fleet", str), scope.texts("realms"))


def _outcome(each: _Object) -> Outcome:
    name = each.get("server", str)
    if name == "all" or _NO_NAME.search(name):
        raise _WrongError
    plan = Plan(
        server=name,
        version=each.maybe("zulip_version", str) or "",
        actions=tuple(map(_action, each.objects("actions"))),
        diff=each.get("diff", str),
        unmanaged=tuple(map(_unmanaged, each.objects("unmanaged"))),
    )
    return Outcome(
        name,
        Status(each.get("status", str)),
        each.get("message", str),
        each.get("hint", str),
        plan=plan,
        steps=tuple(map(_step, each.objects("steps"))),
        warnings=_warnings(each.texts("warnings"), each.texts("warning_ids")),
        checks=tuple(map(_check, each.objects("checks"))),
        seconds=each.seconds("seconds"),
        activity=tuple(map(_activity, each.objects("activity"))) if each.has("activity") else (),
        way=tuple(map(_fact, each.objects("way"))),
        silenced=each.texts("silenced"),
    )


def _warnings(texts: Sequence[str], ids: Sequence[str]) -> tuple[ServerWarning, ...]:
    if len(texts) != len(ids):
        raise _WrongError
    return tuple(ServerWarning(id_, text) for id_, text in zip(ids, texts, strict=True))


def _action(each: _Object) -> Action:
    kind = ActionKind(each.get("kind", str))
    return Action(kind, each.maybe("realm", str), each.get("text", str))


def _unmanaged(each: _Object) -> Unmanaged:
    place = _PLACE.fullmatch(each.get("place", str))
    if place is None:
        raise _WrongError
    return Unmanaged(each.get("realm", str), Position(place[1], int(place[2]), int(place[3])))


def _step(each: _Object) -> Step:
    detail = each.get("detail", str)
    return Step(each.get("name", str), each.get("ok", bool), each.seconds("seconds"), detail)


def _check(each: _Object) -> Check:
    result = each.get("result", str)
    if result not in ("ok", "warning", "failed"):
        raise _WrongError
    return Check(
        each.get("realm", str),
        each.get("name", str),
        result,  # type: ignore[arg-type]
        each.get("message", str),
        _http_status(each.maybe("http_status", int)),
        each.get("hint", str),
    )


def _activity(each: _Object) -> Activity:
    others = _Object(each.get("other_programs", dict))
    since = each.maybe("failing_since", str)
    seen = Seen(
        accepted=_seen_request(each, "last_accepted"),
        refused=_seen_request(each, "last_refused"),
        failing_since=None if since is None else each.moment("failing_since"),
        failing=each.get("failing_requests", int),
        hour=each.counts("hour"),
        day=each.counts("day"),
        stranger=_seen_request(others, "last"),
        strangers_hour=others.get("hour", int),
        strangers_day=others.get("day", int),
    )
    state = State(each.get("state", str))
    words = (each.get("message", str), each.get("hint", str))
    details = each.get("details", str)
    return Activity(each.get("realm", str), state, *words, seen, details, each.moment("now"))


def _seen_request(each: _Object, name: str) -> SeenRequest | None:
    found = each.maybe(name, dict)
    if found is None:
        return None
    one = _Object(found)
    status = _http_status(one.get("http_status", int))
    return SeenRequest(one.moment("at"), status or 0, one.get("request", str))


def _http_status(status: int | None) -> int | None:
    if status is not None and not 0 <= status <= 999:
        raise _WrongError
    return status


def _fact(each: _Object) -> WayFact:
    what, value = each.get("what", str), each.get("value", str)
    return WayFact(what, value, each.get("from", str), each.get("bound", bool))
