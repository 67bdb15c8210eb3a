"""Commands in hints have the options of the run, but no secret."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path

import pytest

from scimconf.model import RunWords
from scimconf.plan import commands
from scimconf.run import hint_words
from scimconf.run.options import SourceOptions
from tests.cli.test_connect import PLAIN
from tests.factories import realm, server

SOURCE = SourceOptions((Path("my hosts"),), ("web",), Path("t.yaml"), extra_vars=("zulip_x=b",))
WORDS = hint_words.words(SOURCE, ("--ask-vault-pass",), replace(PLAIN, user="ops"))


def test_a_verb_gets_the_options_that_it_has() -> None:
    files, login = ["-i", "my hosts", "--tokens", "t.yaml"], ["-u", "ops"]
    one = replace(server(realm()), words=WORDS)
    made = commands.for_realm("rotate --activate", one, "acme")
    more = ["-e", "zulip_x=b", "--ask-vault-pass"]
    last = ["--activate", "chat1", "--realm", "acme"]
    assert shlex.split(made) == ["scimconf", "rotate", *files, *more, *login, *last]
    made = commands.command("handoff", ["chat1"], [], WORDS)
    assert shlex.split(made) == ["scimconf", "handoff", *files, *more, "chat1"]
    made = commands.move(("a", ""), ("b", ""), WORDS)
    assert shlex.split(made) == ["scimconf", "token", "move", *files, more[2], "a", "b"]
    assert commands.for_server("plan", server()) == "scimconf plan chat1"


def test_the_next_step_has_the_variables_of_the_command_line() -> None:
    made = commands.as_typed("apply --plan p", ("chat1",), SOURCE.limit, ("",), WORDS)
    assert made == (
        "scimconf apply -i 'my hosts' --tokens t.yaml -e zulip_x=b --ask-vault-pass -u ops "
        "--plan p --limit web chat1 --realm ''"
    )
    made = commands.as_typed("plan", ("-x",), (), ("acme",))
    assert made == "scimconf plan --realm acme -- -x"


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("scim_token_store=secrets", "scim_token_store=secrets"),
        ("ansible_ssh_private_key_file=~/key", "ansible_ssh_private_key_file=~/key"),
        ("@passwords.yaml", "@passwords.yaml"),
        ("ansible_password=hunter2", "ansible_password: ..."),
        ("ansible_become_pass=hunter2", "ansible_become_pass: ..."),
        ("a=b PGPASSWORD=hunter2", "..."),
        ("db_pw=hunter2", "db_pw: ..."),
        ("login_code=hunter2", "login_code: ..."),
        ("scim_realms=hunter2 x=hunter2", "..."),
        ("hunter2", "..."),
        ("my_secret='hunter2 x'", "..."),
        ('{"scim_realms": {"acme": {"token": "hunter2"}}}', "..."),
    ],
)
def test_a_value_that_may_be_a_secret_is_not_printed(given: str, shown: str) -> None:
    """What stands in its place is refused, so that no run goes on without the variable."""
    words = hint_words.words(replace(SOURCE, extra_vars=(given,)), (), None)
    assert words == RunWords(("-i", "my hosts", "--tokens", "t.yaml"), ("-e", shown))
