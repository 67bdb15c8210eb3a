"""Every fault at every step: a sample, or the whole table with `make faults`."""

from __future__ import annotations

import pytest

from scimconf.agent.steps import STEPS
from tests.conftest import PARTS
from tests.faults import matrix
from tests.faults.faults import FAULTS, Cell


def _param(cell: Cell) -> object:
    marks = [pytest.mark.needs_root] if cell.fault.needs_root else []
    return pytest.param(cell, id=str(cell), marks=marks)


@pytest.mark.parametrize(
    "cell", [_param(cell) for cell in (matrix.CELLS if matrix.ALL else matrix.SAMPLE)]
)
def test_fault(cell: Cell) -> None:
    matrix.run(cell)


def test_every_step_has_a_fault() -> None:
    """Each step has a column. Faults of one step name that step."""
    assert {step.name for step in STEPS} < set(matrix.FORWARD)
    anywhere = [fault for fault in FAULTS if not fault.at]
    struck = {(cell.fault.name, cell.stop[0]) for cell in matrix.CELLS}
    for point in matrix.POINTS:
        assert {(fault.name, point) for fault in anywhere} <= struck
    named = {point for fault in FAULTS for point in fault.at}
    assert named <= set(matrix.POINTS), "a fault names a step that is none"
    assert "needs_root" in PARTS


def test_the_sample_has_every_step() -> None:
    assert {cell.stop[0] for cell in matrix.SAMPLE} == set(matrix.POINTS)
