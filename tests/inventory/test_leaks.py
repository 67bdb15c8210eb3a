from __future__ import annotations

from typing import Any

import pytest

from scimconf.errors import InventoryError
from scimconf.inventory.leaks import leaks
from scimconf.report.handoff import handoff
from scimconf.report.sheet import sheet
from scimconf.secret import Secret
from scimconf.tokens.references import SOURCES, Source
from scimconf.zulip.presets import PRESETS
from tests.factories import realm, server

TOKEN = "q7ZkW2mB9xTfR4vYc1LsD8hNpJ3gKaEu5oQiXwMtVbr"
INVENTORY = "all:\n  hosts:\n    chat1:\n      scim_realms:\n        acme:\n"


def _places(text: str, file: str = "f.yaml") -> list[tuple[int, int]]:
    found = leaks(text, file)
    assert TOKEN not in str(found)
    return [(each.position.line, each.position.column) for each in found if each.position]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (f"{INVENTORY}          token: {TOKEN}\n", (6, 18)),
        (f"{INVENTORY}          token: '{TOKEN}'\n", (6, 18)),
        (f"{INVENTORY}          token: 12345678901234567890123456789012345678901\n", (6, 18)),
        (f"x: {{scim_realms: {{acme: {{idp: okta, token: {TOKEN}}}}}}}\n", (1, 44)),
        (f'{{"scim_realms": {{"": {{"token": "{TOKEN}"}}}}}}\n', (1, 32)),
        (f"scimconf_tokens:\n  chat1:\n    acme:\n      token: {TOKEN}\n", (4, 14)),
        (
            f"scimconf_tokens:\n  chat1:\n    acme:\n      previous:\n        token: {TOKEN}\n",
            (5, 16),
        ),
        (f'SCIM_CONFIG = {{\n    "acme": {{\n        "bearer_token": "{TOKEN}",\n', (3, 26)),
        (f"[secrets]\nscim_bearer_token_acme = {TOKEN}\n", (2, 26)),
        (f"environment:\n  SECRETS_scim_bearer_token: {TOKEN}\n", (2, 30)),
        (f"SECRETS_scim_bearer_token_acme={TOKEN}", (1, 32)),
        (f"bearer_token={TOKEN}", (1, 14)),
        (f"scim_token_of_acme={TOKEN}", (1, 20)),
        (f'curl -H "Authorization: Bearer {TOKEN}" https://x\n', (1, 32)),
    ],
)
def test_a_plaintext_token_is_found_with_its_position(text: str, place: tuple[int, int]) -> None:
    assert _places(text) == [place]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not: [an, inventory\n",
        f"{INVENTORY}          token: env:SCIM_TOKEN_OF_ACME_IN_PRODUCTION\n",
        f"{INVENTORY}          token: file:/run/secrets/token\n",
        f"{INVENTORY}          token: 'command: op read op://ops/zulip/wiki'\n",
        f"{INVENTORY}          token: {{command: [op, read, op://ops/zulip/wiki]}}\n",
        f"{INVENTORY}          token: '{{{{ the_token_of_acme_from_elsewhere }}}}'\n",
        f"{INVENTORY}          token: !vault |\n            $ANSIBLE_VAULT;1.1;AES256\n",
        f"{INVENTORY}          idp: okta\n      token: {TOKEN}\n",
        f"github:\n  token: {TOKEN}\n",
        '"bearer_token": get_secret("scim_bearer_token_acme"),\n',
        '"bearer_token": os.environ["SCIM_BEARER_TOKEN_ACME"],\n',
        '"bearer_token": "<token acme>",\n',
        '"bearer_token": "<token ab12..., 43 characters>",\n',
        "scim_bearer_token: ${{ secrets.SCIM_BEARER_TOKEN }}\n",
        "scim_bearer_token: '{{ lookup_of_a_bearer_token }}'\n",
        "name_of_the_bearer_token: short\n",
        'The word "Bearer" and one blank. Bearer authentication-as-in-RFC, API token:\n',
        "API token: https://example.com/where-it-is-kept-1\n",
    ],
)
def test_texts_without_a_plaintext_token(text: str) -> None:
    assert _places(text) == []


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (f"[w:vars]\nscim_realms={{'acme': {{'token': '{TOKEN}'}}}}\n", (2, 13)),
        (f"a scim_realms=\"{{'acme': {{'token': '{TOKEN}'}}}}\"\n", (1, 15)),
        (f"a x=1 scim_realms={{acme: {{token: {TOKEN}}}}}\n", None),
        (f"[w:vars]\nscim_realms={{acme: {{token: {TOKEN}}}}}\n", (2, 13)),
        (f'[w:vars]\nscim_realms={{"acme": {{"token": "{TOKEN}", "x": null}}}}\n', (2, 13)),
        (f"[w:vars]\ntoken={TOKEN}\nscim_realms={{'': {{'token': '{{{{ token }}}}'}}}}\n", (2, 7)),
        (f"a token={TOKEN} scim_realms={{}}\n", (1, 9)),
    ],
)
def test_a_token_in_an_ini_inventory_is_found(text: str, place: tuple[int, int] | None) -> None:
    for name in ("hosts", "hosts.ini"):
        if place:
            assert _places(f"[w]\n{text}", name) == [(place[0] + 1, place[1])]
        else:
            with pytest.raises(InventoryError):
                leaks(text, name)


@pytest.mark.parametrize(
    "text",
    [
        "a scim_realms=\"{'acme': {'token': 'env:SCIM_TOKEN_OF_ACME'}}\"\n",
        "[w]\n[w:vars]\nscim_realms={'acme': {'token': 'file:/run/secrets/token'}}\n",
        "[w]\n[w:vars]\nscim_realms={'acme': {'token': '{{ the_token_of_acme }}'}}\n",
        f"[github]\ntoken={TOKEN}\n",
        "a scim_token_store=secrets\n",
    ],
)
def test_an_ini_file_without_a_plaintext_token(text: str) -> None:
    assert _places(text, "hosts.ini") == []


def test_an_inventory_that_is_not_yaml_is_refused() -> None:
    with pytest.raises(InventoryError, match=r"f\.yaml:1:"):
        leaks(f"scim_realms: [acme: {{token: {TOKEN}\n", "f.yaml")


@pytest.mark.parametrize("form", ["text", "markdown", "html"])
@pytest.mark.parametrize("idp", sorted(PRESETS))
@pytest.mark.parametrize("token", [TOKEN, "it`s;a<token>of&some0ne_else"])
def test_a_token_in_a_hand_off_sheet_is_found(form: Any, idp: str, token: str) -> None:
    asked = realm(idp=idp)
    shown = handoff([sheet(server(asked), asked, Secret(token))], form)
    found = leaks(shown, f"acme.{form}")
    assert [each.message for each in found] == ["this bearer token is in plain text"]
    place = found[0].position
    assert place
    assert shown.splitlines()[place.line - 1][place.column - 1 :].startswith(token[:2])
    assert leaks(handoff([sheet(server(asked), asked, None)], form), "f.txt") == []


def test_a_page_that_mentions_inventories_need_not_be_yaml() -> None:
    text = "# Realms\n\n`scim_realms: [acme: {`\n"
    assert leaks(text, "README.md") == []
    assert leaks(f"scim_realms: {{acme: {{token: {TOKEN}}}}}\n", "notes.txt")


def test_several_tokens_are_in_the_order_of_the_file() -> None:
    text = (
        f"a_bearer_token: {TOKEN}\nscim_realms: {{b: {{token: {TOKEN}}}}}\nbearer_token: {TOKEN}\n"
    )
    assert _places(text) == [(1, 17), (2, 26), (3, 15)]


@pytest.mark.parametrize("source", SOURCES.values(), ids=lambda source: source.kind)
def test_a_reference_of_any_kind_is_not_a_token(source: Source) -> None:
    inventory = (
        f"all: {{vars: {{scim_realms: {{acme: {{token: '{source.example}-0123456789'}}}}}}}}"
    )
    assert leaks(inventory, "inventory.yaml") == []
    in_clear = inventory.replace(f"{source.kind}:", "")
    assert len(leaks(in_clear, "inventory.yaml")) == 1
