"""The files that a run writes besides what it prints; one that cannot be written is a failure."""

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
from scimconf.report.junit import junit
from scimconf.report.markdown import markdown

_FAILED = (
    Status.UNREACHABLE,
    Status.BUSY,
    Status.FAILED,
    Status.ROLLED_BACK,
    Status.ROLL_BACK_FAILED,
    Status.SKIPPED,
)


_HEAD = "# Written by scimconf --failed-hosts; for --limit @FILE."


def write(
    verb: str,
    outcomes: Sequence[Outcome],
    code: ExitCode,
    now: datetime,
    output: OutputOptions,
    *,
    diff: bool,
) -> ExitCode:
    """Write all that the options want, and GitHub's step summary for its format.

    Gives FAILED where one of them cannot be written, and has said so then.
    """
    codes = [_report(file, verb, outcomes, code, now, diff=diff) for file in output.report]
    if output.failed_hosts:
        codes.append(_note_failed(output.failed_hosts, outcomes))
    if output.format == "github" and (summary := os.environ.get("GITHUB_STEP_SUMMARY")):
        codes.append(_append(Path(summary), markdown(verb, outcomes, code, diff=diff)))
    return worst(codes)


def _report(
    file: Path,
    verb: str,
    outcomes: Sequence[Outcome],
    code: ExitCode,
    now: datetime,
    *,
    diff: bool,
) -> ExitCode:
    """Write what the name of the file asks for."""
    if file.suffix == ".md":
        text = markdown(verb, outcomes, code, diff=diff)
    elif file.suffix == ".xml":
        text = junit(verb, outcomes, now)
    else:
        from scimconf.report.html import page

        text = page(verb, outcomes, code, now)
    try:
        files.write_output(file, text)
    except UsageError as error:
        err(f"error: {error.message}")
        return ExitCode.FAILED
    return ExitCode.OK


def _append(file: Path, text: str) -> ExitCode:
    """Add to the summary of this step of a job: earlier commands of it may have written there."""
    try:
        with file.open("a", encoding="utf-8") as summary:
            summary.write(f"{text}\n")
    except OSError as error:
        err(f"error: cannot write {file}: {error.strerror}")
        return ExitCode.FAILED
    return ExitCode.OK


def _note_failed(file: Path, outcomes: Sequence[Outcome]) -> ExitCode:
    """Write the servers that a next run has to deal with, one a line; no file where there are none.

    An empty one would be no limit at all to a `--limit @FILE`. One that is somebody else's stays.
    """
    names = [outcome.server for outcome in outcomes if outcome.status in _FAILED]
    try:
        if file.is_file() and not _is_ours(file):
            raise UsageError(f"{file} was not written by --failed-hosts: it stays as it is")
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
