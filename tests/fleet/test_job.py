"""What a job answers if nobody could do it, or nobody knows how it ended."""

from __future__ import annotations

import pytest

from scimconf.errors import HostError, Unreachable
from scimconf.fleet.job import Apply
from scimconf.fleet.look import Looked
from scimconf.model import Outcome, Status
from tests.factories import desired, realm


@pytest.mark.parametrize(
    ("error", "unknown"), [(HostError("worker", "died"), True), (Unreachable("worker", "-"), False)]
)
def test_the_end_of_a_change_is_unknown_unless_it_did_not_begin(
    error: HostError, unknown: bool
) -> None:
    looked = Looked(desired(realm()), Outcome("chat1", Status.PENDING))
    (outcome,) = Apply((looked,), {}).failed(error).outcomes
    assert outcome.unknown is unknown
