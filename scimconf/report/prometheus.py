"""Report outcomes as metrics in the Prometheus text format, for node_exporter's textfile collector.

The format is that of Prometheus' page "Exposition formats", version 0.0.4. The metrics
are times, not ages, because an alert can compute the age: `time() - metric`. Each sample has the
label `report`, the file's name: node_exporter accepts no sample twice, and it reads all files of a
folder together.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime

from scimconf.activity import Activity, State
from scimconf.errors import ExitCode
from scimconf.model import Outcome, Status, TokenDate
from scimconf.sanitize import visible

LARGEST = 16 << 20
"""The largest earlier file that is read, in bytes."""

_IN_STEP = (Status.OK, Status.CHANGED)
_PENDING = (Status.PENDING, Status.ATTENTION, Status.SKIPPED)

_LAST_SUCCESS = "scimconf_last_success_timestamp_seconds"
_SERVER_SUCCESS = "scimconf_server_last_success_timestamp_seconds"

_HELP = {
    "scimconf_run_timestamp_seconds": "When this run ended.",
    "scimconf_run_exit_code": "The exit code of this run.",
    _LAST_SUCCESS: "When a run last ended with exit code 0.",
    "scimconf_server_in_step": "1 if the server is as the inventory says.",
    "scimconf_server_pending": "1 if the server was skipped, or has changes to make or an "
    "unmanaged realm.",
    "scimconf_server_failed": "1 if the server failed, is unreachable or is busy.",
    "scimconf_server_silenced_warnings": "Warnings that scim_silence hides.",
    _SERVER_SUCCESS: "When the server was last as the inventory says.",
    "scimconf_token_created_timestamp_seconds": "When the token of a realm was created.",
    "scimconf_provider_failing": "1 if requests of the realm's identity provider fail.",
    "scimconf_provider_last_accepted_timestamp_seconds": "When the realm's identity provider last "
    "got in.",
    "scimconf_provider_requests_last_hour": "Requests of the realm's identity provider in the last "
    "hour, by HTTP status.",
    "scimconf_provider_requests_last_day": "Requests of the realm's identity provider in the last "
    "day, by HTTP status.",
}
"""The metrics, all of them gauges. node_exporter wants the same text for a metric in all files."""

_NO_SERVER = ""
"""Stands for the whole run among the times of the last success."""

Successes = Mapping[str, float]
"""Server name, or _NO_SERVER, -> when it was last in step, in seconds since 1970."""


def metrics(
    verb: str,
    outcomes: Sequence[Outcome],
    code: ExitCode,
    when: datetime,
    *,
    report: str,
    tokens: Sequence[TokenDate] = (),
    earlier: Successes,
) -> str:
    """Return the text of the file. `when`: the end of the run; `report`: the label of all samples.

    `earlier`: the times of the last success before this run.
    """
    samples: dict[str, list[str]] = {name: [] for name in _HELP}

    def add(name: str, value: float, **labels: str) -> None:
        samples[name].append(_sample(name, {"report": _name(report), **labels}, value))

    now = when.timestamp()
    add("scimconf_run_timestamp_seconds", now, verb=verb)
    add("scimconf_run_exit_code", int(code), verb=verb)
    if (moment := now if code is ExitCode.OK else earlier.get(_NO_SERVER)) is not None:
        add(_LAST_SUCCESS, moment)
    for name, outcome in {_name(each.server): each for each in outcomes}.items():
        state = _state(outcome)
        for each in ("in_step", "pending", "failed"):
            add(f"scimconf_server_{each}", state == each, server=name)
        add("scimconf_server_silenced_warnings", len(outcome.silenced), server=name)
        if (moment := now if state == "in_step" else earlier.get(name)) is not None:
            add(_SERVER_SUCCESS, moment, server=name)
        for activity in outcome.activity:
            _add_activity(add, name, activity)
    for token in tokens:
        if (created := _moment(token.created)) is not None:
            labels = {"deployment": _name(token.deployment), "realm": _name(token.realm)}
            add("scimconf_token_created_timestamp_seconds", created, **labels)
    return "".join(_family(name, lines) for name, lines in samples.items() if lines)


def _add_activity(add: Callable[..., None], server: str, activity: Activity) -> None:
    seen, labels = activity.seen, {"server": server, "realm": _name(activity.realm)}
    add("scimconf_provider_failing", activity.state is State.FAILING, **labels)
    if seen.accepted:
        last = "scimconf_provider_last_accepted_timestamp_seconds"
        add(last, seen.accepted.at, **labels)
    for period, counts in (("hour", seen.hour), ("day", seen.day)):
        for status, number in counts.items():
            name = f"scimconf_provider_requests_last_{period}"
            add(name, number, **labels, status=str(status))


def successes(earlier: bytes, now: datetime) -> Successes:
    """Read the times of the last success from an earlier file.

    The file is data: a line of another form, and a time that is not in the past, are ignored.
    """
    found: dict[str, float] = {}
    for line in earlier[:LARGEST].decode("utf-8", "replace").splitlines():
        if match := _SUCCESS.fullmatch(line):
            moment = float(match["value"])
            if 0 < moment <= now.timestamp():
                found[_unescaped(match["server"] or _NO_SERVER)] = moment
    return found


_TEXT = r'(?:[^"\\\n]|\\.){0,2000}'
_SUCCESS = re.compile(
    rf'(?:{_LAST_SUCCESS}|{_SERVER_SUCCESS})\{{report="{_TEXT}"(?:,server="(?P<server>{_TEXT})")?\}}'
    r" (?P<value>[0-9]{1,12}(?:\.[0-9]{1,9})?)",
    re.ASCII,
)
"""A sample as `metrics` writes it."""


def _state(outcome: Outcome) -> str:
    """Return the server's state; each server has exactly one."""
    unmanaged = outcome.plan is not None and bool(outcome.plan.unmanaged)
    if outcome.status in _IN_STEP:
        return "pending" if unmanaged else "in_step"
    return "pending" if outcome.status in _PENDING else "failed"


def _name(text: str) -> str:
    return visible(text, 1000)


def _moment(created: str) -> float | None:
    try:
        return datetime.strptime(created, "%Y-%m-%dT%H:%M:%S%z").timestamp()
    except ValueError:
        return None


def _family(name: str, lines: Sequence[str]) -> str:
    return f"# HELP {name} {_HELP[name]}\n# TYPE {name} gauge\n" + "".join(lines)


def _sample(name: str, labels: Mapping[str, str], value: float) -> str:
    written = ",".join(_labels(labels))
    return f"{name}{{{written}}} {float(value):.15g}\n"


def _labels(labels: Mapping[str, str]) -> Iterator[str]:
    for name, value in labels.items():
        escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        yield f'{name}="{escaped}"'


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", lambda found: "\n" if found[1] == "n" else found[1], text)
