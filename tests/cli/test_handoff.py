from __future__ import annotations

import re

from tests.cli.conftest import Run

PASSWORD = ("--vault-password-file", "password")


def test_masked_for_every_present_realm(scimconf: Run) -> None:
    done = scimconf("handoff")
    assert (done.returncode, done.stderr) == (0, "")
    assert re.findall(r"^.* -> (https://\S+)", done.stdout, re.M) == [
        "https://acme.chat1.example.com",
        "https://chat2.example.com",
    ]
    assert done.stdout.count("<token ") == 2


def test_only_the_realms_that_are_asked_for(scimconf: Run) -> None:
    assert scimconf("handoff", "--realm", "acme").stdout.count("When it is done") == 1
    assert "realm (root) of chat2" in scimconf("handoff", "--realm", "").stdout
    assert scimconf("handoff", "--realm", "old").returncode == 64


def test_the_tokens_are_shown_where_there_are_any(scimconf: Run) -> None:
    assert "<token acme>" in scimconf("handoff", "--show-tokens").stdout
    made = scimconf("render", "chat1*", "--create-tokens", "--show-tokens", *PASSWORD).stdout
    (token,) = re.findall(r"\b\w{43}\b", made)
    refused = scimconf("handoff", "--show-tokens")
    assert (refused.returncode, refused.stdout) == (64, "")
    assert "--vault-password-file FILE or --ask-vault-pass" in refused.stderr
    assert f"Bearer {token}\n" in scimconf("handoff", "chat1*", "--show-tokens", *PASSWORD).stdout
