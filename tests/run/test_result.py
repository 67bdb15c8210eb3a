from __future__ import annotations

import pytest

from scimconf.errors import ExitCode
from scimconf.model import Outcome, Plan, Position, Status, Unmanaged
from scimconf.run.result import Result


@pytest.mark.parametrize(
    ("statuses", "code"),
    [
        ([], ExitCode.OK),
        ([Status.OK, Status.CHANGED], ExitCode.OK),
        ([Status.PENDING, Status.UNREACHABLE], ExitCode.UNREACHABLE),
        ([Status.UNREACHABLE, Status.SKIPPED], ExitCode.UNREACHABLE),
        ([Status.BUSY, Status.PENDING], ExitCode.UNREACHABLE),
        ([Status.SKIPPED, Status.ROLLED_BACK], ExitCode.ROLLED_BACK),
        ([Status.ROLLED_BACK, Status.FAILED], ExitCode.FAILED),
        ([Status.FAILED, Status.ROLL_BACK_FAILED], ExitCode.ROLL_BACK_FAILED),
    ],
)
def test_the_worst_status_decides_the_exit_code(statuses: list[Status], code: ExitCode) -> None:
    outcomes = [Outcome(str(n), status) for n, status in enumerate(statuses)]
    assert Result("apply", tuple(outcomes)).exit_code is code


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (Status.PENDING, ExitCode.PENDING),
        (Status.CHANGED, ExitCode.PENDING),
        (Status.FAILED, ExitCode.FAILED),
        (Status.BUSY, ExitCode.UNREACHABLE),
    ],
)
def test_an_unmanaged_realm_gives_exit_code_2_unless_something_is_worse(
    status: Status, code: ExitCode
) -> None:
    plan = Plan("a", "9.0", unmanaged=(Unmanaged("wiki", Position("/s.py", 8, 5)),))
    assert Result("plan", (Outcome("a", status, plan=plan),)).exit_code is code


def test_ctrl_c_and_an_unwritten_token_file_change_the_exit_code() -> None:
    changed = (Outcome("a", Status.CHANGED),)
    assert Result("apply", changed, interrupted=True).exit_code is ExitCode.INTERRUPTED
    assert Result("apply", changed, unwritten=True).exit_code is ExitCode.FAILED
    assert Result("apply", changed, True, True).exit_code is ExitCode.FAILED


def test_split_exits_with_5() -> None:
    assert Result("rotate", (Outcome("chat1", Status.SPLIT),)).exit_code == 5
