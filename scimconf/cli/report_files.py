"""Write the report files of a run. If one cannot be written, the run has failed."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from scimconf import files
from scimconf.cli.options import OutputOptions
from scimconf.cli.streams import err
from scimconf.errors import ExitCode, UsageError, worst
from scimconf.model import Outcome, Status
from scimconf.report import prometheus
from scimconf.report.html import page
from scimconf.report.junit import junit
from scimconf.report.markdown import markdown
from scimconf.run.result import Result

_FAILED = (
    Status.UNREACHABLE,
    Status.BUSY,
    Status.FAILED,
    Status.ROLLED_BACK,
    Status.ROLL_BACK_FAILED,
    Status.SPLIT,
    Status.SKIPPED,
)


_HEAD = "# Written by scimconf --failed-hosts; for --limit @FILE."


def write(result: Result, now: datetime, output: OutputOptions, *, diff: bool) -> ExitCode:
    """Write the files that the options name, and GitHub's step summary for `--format github`.

    Returns FAILED, after an error message, if a file cannot be written.
    """
    codes = [_write_report(file, result, now, diff=diff) for file in output.report]
    if output.failed_hosts:
        codes.append(_write_failed_hosts(output.failed_hosts, result.outcomes))
    if output.format == "github" and (summary := os.environ.get("GITHUB_STEP_SUMMARY")):
        codes.append(_append(Path(summary), _markdown(result, diff=diff)))
    return worst(codes)


def _write_report(file: Path, result: Result, now: datetime, *, diff: bool) -> ExitCode:
    """Write the report in the format that the file name ends with."""
    mode = 0o600
    if file.suffix == ".md":
        text = _markdown(result, diff=diff)
    elif file.suffix == ".xml":
        text = junit(result.verb, result.outcomes, now)
    elif file.suffix == ".prom":
        text, mode = _metrics(file, result, now), 0o644  # for node_exporter's user
    else:
        text = page(result.verb, result.outcomes, result.exit_code, now, result.notes)
    try:
        files.write_output(file, text, mode=mode)
    except UsageError as error:
        err(f"error: {error.message}")
        return ExitCode.FAILED
    return ExitCode.OK


def _markdown(result: Result, *, diff: bool) -> str:
    notes = result.notes
    return markdown(result.verb, result.outcomes, result.exit_code, diff=diff, notes=notes)


def _metrics(file: Path, result: Result, now: datetime) -> str:
    """Return the metrics. The times of the last success come from the file of an earlier run."""
    try:
        earlier = files.read(str(file), prometheus.LARGEST)
    except OSError:
        earlier = b""
    return prometheus.metrics(
        result.verb,
        result.outcomes,
        result.exit_code,
        now,
        report=file.stem,
        tokens=result.tokens,
        earlier=prometheus.successes(earlier, now),
    )


def _append(file: Path, text: str) -> ExitCode:
    """Append to the step summary, because earlier commands may have written to it."""
    try:
        with file.open("a", encoding="utf-8") as summary:
            summary.write(f"{text}\n")
    except OSError as error:
        err(f"error: cannot write {file}: {error.strerror}")
        return ExitCode.FAILED
    return ExitCode.OK


def _write_failed_hosts(file: Path, outcomes: Sequence[Outcome]) -> ExitCode:
    """Write the failed and skipped servers, one per line. If there are none, remove the file.

    With an empty file, `--limit @FILE` would select all servers. A file that --failed-hosts did not
    write is left unchanged, and is an error.
    """
    names = [outcome.server for outcome in outcomes if outcome.status in _FAILED]
    try:
        if file.is_file() and not _is_ours(file):
            raise UsageError(f"{file} was not written by --failed-hosts; it is left unchanged")
        if names:
            files.write_output(file, "".join(f"{line}\n" for line in (_HEAD, *names)))
        elif file.is_file():
            file.unlink()
    except UsageError as error:
        problem = error.message
    except OSError as error:
        problem = f"cannot remove {file}: {error.strerror}"
    else:
        return ExitCode.OK
    err(f"error: {problem}")
    return ExitCode.FAILED


def _is_ours(file: Path) -> bool:
    with file.open("rb") as stream:
        return stream.read(len(_HEAD)) in (b"", _HEAD.encode())
