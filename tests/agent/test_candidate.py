"""The check with Zulip's own Python if it gets no answer. test_transaction has the other cases."""

from __future__ import annotations

import pytest

from scimconf.agent import candidate
from scimconf.agent.errors import AgentError
from tests.agent.fake import SETTINGS, Zulip


def test_settings_that_never_load(zulip: Zulip, monkeypatch: pytest.MonkeyPatch) -> None:
    deployment, path = str(zulip.deployment), str(zulip.settings)
    good = SETTINGS.encode()
    with pytest.raises(
        AgentError, match=r"new settings\.py cannot be loaded: SystemExit in line 2"
    ):
        candidate.check(deployment, path, good, b"import sys\nsys.exit('secret')\n", {})
    with pytest.raises(AgentError, match="before it loaded settings"):
        candidate.check(deployment, path, good, b"import os\nos._exit(0)\n", {})
    monkeypatch.setattr(candidate, "SECONDS", 0.2)
    with pytest.raises(AgentError, match="did not load within"):
        candidate.check(deployment, path, good, b"import time\ntime.sleep(600)\n", {})


def test_settings_that_print_do_not_break_the_answer(zulip: Zulip) -> None:
    noisy = SETTINGS.encode() + b"print('{}')\n"
    candidate.check(str(zulip.deployment), str(zulip.settings), noisy, noisy, {})
    assert not list(zulip.deployment.rglob("*.pyc"))
