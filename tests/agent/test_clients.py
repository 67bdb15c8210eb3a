"""The calls of manage.py, and the checks of their output."""

from __future__ import annotations

import pytest

from scimconf.agent import clients, shell
from scimconf.agent.errors import AgentError
from tests.agent.fake import Zulip


def test_listed_added_and_removed(old_zulip: Zulip) -> None:
    folder = str(old_zulip.deployment)
    assert clients.listed(folder) == []
    clients.add(folder, [("acme", "okta"), ("", "okta")])
    clients.add(folder, [("acme", "okta")])  # a duplicate key, and the list shows the client
    assert sorted(clients.listed(folder)) == [("", "okta"), ("acme", "okta")]
    clients.remove(folder, [("acme", "okta"), ("beta", "okta")])
    assert clients.listed(folder) == [("", "okta")]


def test_an_error_other_than_a_duplicate_is_raised(old_zulip: Zulip) -> None:
    manage = old_zulip.deployment / "manage.py"
    text = manage.read_text()
    manage.write_text(text.replace("    _, name, _, number = sys.argv[1:]", "    sys.exit(1)"))
    with pytest.raises(AgentError, match="add_scim_client exited with status 1"):
        clients.add(str(old_zulip.deployment), [("acme", "okta")])


def test_no_answer_and_a_timeout(old_zulip: Zulip, monkeypatch: pytest.MonkeyPatch) -> None:
    manage = old_zulip.deployment / "manage.py"
    manage.write_text("print('noise')\n")
    with pytest.raises(AgentError, match="no answer: noise"):
        clients.listed(str(old_zulip.deployment))
    manage.write_text("import time\ntime.sleep(600)\n")
    monkeypatch.setattr(shell, "SECONDS", 0.2)
    with pytest.raises(AgentError, match=r"shell did not end within 0\.2 seconds"):
        clients.listed(str(old_zulip.deployment))
