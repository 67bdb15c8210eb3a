"""How long a worker may take, and what docs/scale.md says about it."""

from __future__ import annotations

from dataclasses import replace

from scimconf.fleet.job import Apply, Observe, RollBackOne
from scimconf.fleet.look import Looked, planned
from scimconf.fleet.transact import patience
from scimconf.model import Outcome, Status
from scimconf.ssh.session import Options
from scimconf.workers.limits import seconds
from tests.factories import desired, realm
from tests.workers.cluster import PAGE

WANTED = desired(realm())
LOOKED = Looked(WANTED, Outcome("chat1", Status.PENDING))


def test_the_page_names_the_limits() -> None:
    look = seconds(Observe(WANTED, planned), Options())
    change = seconds(Apply((LOOKED,), {}), Options())
    page = PAGE.read_text(encoding="utf-8")
    assert f"{look / 60:.0f} minutes for a look, {change / 60:.0f} minutes for a change" in page


def test_a_change_has_the_time_for_each_transaction() -> None:
    once = patience(WANTED.server, 5)
    one = seconds(Apply((LOOKED,), {}, 5), Options())
    assert once < one < 2 * once
    assert seconds(RollBackOne(LOOKED, "run", 5), Options()) == one
    second = Looked(replace(WANTED, server=replace(WANTED.server, name="chat2")), LOOKED.outcome)
    # Two changes, and the rollback of the first one.
    assert 3 * once < seconds(Apply((LOOKED, second), {}, 5), Options()) < 4 * once
