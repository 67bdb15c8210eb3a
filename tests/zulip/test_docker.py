"""The environment for docker-zulip, as docker, compose and the image read it."""

from __future__ import annotations

import configparser
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scimconf import render
from scimconf.agent import observe as agent_observe
from scimconf.errors import UsageError
from scimconf.fleet.observe import parse, request
from scimconf.model import Fingerprint, Realm
from scimconf.plan import plan
from scimconf.secret import Secret
from scimconf.tokens.fingerprint import fingerprint
from scimconf.zulip import block, docker
from tests.agent.fake import SETTINGS, Zulip
from tests.factories import desired, realm, server

TOKEN = "Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4Zm9vYmFyYm"
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def _by_docker(text: str) -> dict[str, str]:
    """Read lines without quotes, as `docker run --env-file` does (docker/cli, opts/file.go)."""
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return {name: value for name, _, value in (line.partition("=") for line in lines)}


def _by_compose(text: str) -> dict[str, str]:
    """Read it as compose does: unquoted text can have comments and variables (compose-go)."""
    found = {}
    for name, value in _by_docker(text).items():
        assert not value.startswith(("'", '"'))
        value = value.partition(" #")[0].rstrip()
        found[name] = re.sub(r"\$\{?([A-Za-z0-9_]*)\}?", "", value)
    return found


def _setting(key: str, value: str, tag: str) -> str:
    """Return the line that entrypoint.sh writes into settings.py, as Python code or as a string."""
    from_9_3 = tuple(map(int, re.split(r"[.-]", tag))) >= (9, 3, 0)
    is_python = (from_9_3 and key == "SCIM_CONFIG") or (
        value.lower() in ("true", "false")
        or value in ("none", "None")
        or value.isdigit()
        or (value[:1] in "[(" and value[-1:] in "])")
    )
    return f"{key} = {value}\n" if is_python else f"{key} = '{value}'\n"


def _image(environment: Mapping[str, str], tag: str) -> tuple[str, str]:
    """Return settings.py and zulip-secrets.conf as the image writes them when it starts."""
    settings, secrets = SETTINGS, "[secrets]\nsalt = x\n"
    for name, value in environment.items():
        if not NAME.fullmatch(name):
            continue  # bash does not import such a name
        if name.startswith("SETTING_"):
            settings += _setting(name.removeprefix("SETTING_"), value, tag)
        elif name.startswith("SECRETS_"):
            secrets += f"{name.removeprefix('SECRETS_')} = {value}\n"
    return settings, secrets


def _zulip_sees(settings: str, secrets: str) -> Any:
    parser = configparser.RawConfigParser()
    parser.read_string(secrets)
    scope: dict[str, Any] = {"get_secret": lambda name: parser.get("secrets", name, fallback=None)}
    exec(settings.replace("from .config import get_secret\n", ""), scope)
    return scope["SCIM_CONFIG"]


def _environment(realms: tuple[Realm, ...], version: str | None = None) -> str:
    inside = render.in_container(server(*realms))
    tokens = {each.string_id: Secret(f"{TOKEN}{n}") for n, each in enumerate(realms)}
    return render.clear(inside, tokens, version).environment(masked=False)


def _wanted(realms: tuple[Realm, ...], version: str | None = None) -> dict[str, Any]:
    return {
        each.string_id: block.wanted(each, Secret(f"{TOKEN}{n}"), version)
        | {"bearer_token": f"{TOKEN}{n}"}
        for n, each in enumerate(realms)
        if each.present
    }


REALMS = (
    realm(""),
    realm("acme", idp="entra", name_formatted_included=True),
    realm("a-b", client="Okta @ EMEA"),
    realm("a", custom_profile_field_map={"phone": 'it\'s $HOME # "x" é €\\ 😀', "b": ""}),
    realm("none", custom_profile_field_map={}),
    realm("gone", present=False),
)


@pytest.mark.parametrize("read", [_by_docker, _by_compose])
@pytest.mark.parametrize("tag", ["5.0-0", "6.1-0", "9.2-0", "9.3-0", "11.5-0", "12.1-0"])
def test_every_image_reads_the_environment_as_intended(
    tag: str, read: Callable[[str], dict[str, str]]
) -> None:
    found = read(_environment(REALMS))
    assert _zulip_sees(*_image(found, tag)) == _wanted(REALMS)


def test_without_parentheses_images_before_9_3_read_text() -> None:
    assert isinstance(_zulip_sees(*_image({"SETTING_SCIM_CONFIG": "{}"}, "9.2-0")), str)
    assert _zulip_sees(*_image({"SETTING_SCIM_CONFIG": "{}"}, "9.3-0")) == {}


@given(
    st.dictionaries(
        st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=8),
        st.text(st.characters(exclude_categories=["C", "Zl", "Zp"]), max_size=20),
        max_size=3,
    )
)
def test_any_custom_profile_field_map_is_read_as_intended(fields: dict[str, str]) -> None:
    realms = (realm("acme", custom_profile_field_map=fields),)
    try:
        text = _environment(realms)
    except UsageError:
        return  # settings.py must not get characters that are not printable
    assert text.isascii()
    assert len(text.splitlines()) == 2
    for read in (_by_docker, _by_compose):
        assert _zulip_sees(*_image(read(text), "5.0-0")) == _wanted(realms)


def test_a_plan_for_a_container_with_this_environment_has_nothing_to_do(tmp_path: Path) -> None:
    found = _by_docker(_environment((realm("acme"), realm("a-b"))))
    zulip = Zulip(tmp_path / "zulip", "9.0")
    settings, secrets = _image(found, "9.0-0")
    zulip.settings.write_text(settings)
    zulip.secrets.write_text(secrets)
    known = {
        name: Fingerprint(fingerprint(Secret(f"{TOKEN}{n}"), name), name, "")
        for n, name in enumerate(("acme", "a-b"))
    }
    wanted = desired(
        realm("acme"),
        realm("a-b"),
        fingerprints=known,
        token_store="secrets",
        external_host="chat.test",
        verify=False,
    )
    asked = {**request(wanted), "paths": zulip.paths()}
    made = plan(wanted, parse(agent_observe.observe(asked)))
    assert (made.blocked, made.actions) == (None, ())


@pytest.mark.parametrize("token", ["a$b", "a'b", 'a"b', "a#b", "a~b", "a&b", "a\\b", "a%b", ""])
def test_a_token_with_special_characters_is_refused_and_not_shown(token: str) -> None:
    with pytest.raises(UsageError) as refused:
        docker.secret("scim_bearer_token", f"secret{token}" if token else "")
    assert "scim_bearer_token" in str(refused.value)
    assert "secret" not in str(refused.value)


def test_the_text_of_the_environment() -> None:
    assert _environment((realm("acme"),)) == (
        'SETTING_SCIM_CONFIG=({"acme": {"bearer_token": get_secret("scim_bearer_token_acme"), '
        '"scim_client_name": "okta", "name_formatted_included": False}})\n'
        f"SECRETS_scim_bearer_token_acme={TOKEN}0\n"
    )


def test_the_environment_without_realms() -> None:
    assert _environment((realm("acme", present=False),)) == "SETTING_SCIM_CONFIG=({})\n"
