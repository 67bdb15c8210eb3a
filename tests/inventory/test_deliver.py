"""`deliver` of a realm: what the inventory may say, and the place of each mistake."""

from __future__ import annotations

from pathlib import Path

import pytest

from scimconf import inventory
from scimconf.errors import InventoryError
from scimconf.idp.kinds import KINDS, credentials, destination
from scimconf.model import Deliver, Reference

ENTRA = "tenant: contoso.onmicrosoft.com, client_id: c1, service_principal: p1"


def _deliver(tmp_path: Path, text: str) -> Deliver | None:
    """Return `deliver` of the only realm. The value begins in line 5, column 26."""
    file = tmp_path / "inventory.yaml"
    lines = "all:", "  hosts:", "    chat.example.com:", "      scim_realms:"
    file.write_text("\n".join((*lines, f"        acme: {{deliver: {text}}}\n")))
    loaded = inventory.read((file,))
    loaded.check(["chat.example.com"], connects=False)
    (realm,) = loaded.servers["chat.example.com"].realms
    return realm.deliver


def test_entra(tmp_path: Path) -> None:
    deliver = _deliver(tmp_path, f"{{entra: {{{ENTRA}}}}}")
    assert deliver
    assert deliver.settings == {
        "tenant": "contoso.onmicrosoft.com",
        "client_id": "c1",
        "service_principal": "p1",
    }
    assert destination(deliver).host == "graph.microsoft.com/contoso.onmicrosoft.com"
    assert "service principal p1" in destination(deliver).text
    (credential,) = credentials(deliver)
    assert credential.words == ("SCIMCONF_IDP_ENTRA",)


def test_authentik(tmp_path: Path) -> None:
    text = '{authentik: {url: "https://SSO.example.com", provider: 12, ca: ca.pem, credential: "file:key"}}'  # noqa: E501
    deliver = _deliver(tmp_path, text)
    assert deliver
    assert deliver.settings["url"] == "https://sso.example.com"
    assert deliver.settings["ca"] == str(tmp_path / "ca.pem")
    assert deliver.settings["credential"] == Reference("file", ("key",), str(tmp_path))
    assert destination(deliver).text == "authentik at sso.example.com: provider 12"


def test_okta(tmp_path: Path) -> None:
    deliver = _deliver(tmp_path, '{okta: {url: "https://contoso.okta.com", app: 0oa1example}}')
    assert deliver
    assert deliver.settings == {"url": "https://contoso.okta.com", "app": "0oa1example"}
    assert destination(deliver).host == "contoso.okta.com"
    assert destination(deliver).text == "Okta at contoso.okta.com: app 0oa1example"
    (credential,) = credentials(deliver)
    assert credential.words == ("SCIMCONF_IDP_OKTA",)


@pytest.mark.parametrize("text", ["{command: ./hook 'a b'}", "{command: [./hook, a b]}"])
def test_command(tmp_path: Path, text: str) -> None:
    deliver = _deliver(tmp_path, text)
    assert deliver
    assert deliver == Deliver("command", {"words": ("./hook", "a b")}, str(tmp_path))
    assert destination(deliver).host == ""
    assert credentials(deliver) == []


@pytest.mark.parametrize(
    ("text", "at", "words"),
    [
        ("{okta: {}}", "okta", "url is missing"),
        ("{okta: {url: 'https://a', app: 0oa/x}}", "app", "expected an id"),
        ("{oktaa: {}}", "oktaa", "unknown key, expected one of: entra, authentik, okta, command"),
        ("{}", "deliver", "expected exactly one of entra, authentik, okta and command"),
        ("{command: a, authentik: {url: 'https://a', provider: 1}}", "deliver", "exactly one of"),
        ("{command: [1]}", "command", "expected a command"),
        (f"{{entra: {{{ENTRA}, claud: us}}}}", "claud", "expected one of: tenant,"),
        (f"{{entra: {{{ENTRA}, cloud: uss}}}}", "cloud", "expected global, us, us-dod or china"),
        ("{entra: {tenant: a, client_id: b}}", "entra", "service_principal is missing"),
        (f"{{entra: {{{ENTRA}, job: ../x}}}}", "job", "expected an id"),
        (f"{{entra: {{{ENTRA}, credential: s3cret}}}}", "credential", "never written into it"),
        (f"{{entra: {{{ENTRA}, credential: 'env:HOME'}}}}", "credential", "SCIMCONF_IDP_"),
        (f"{{entra: {{{ENTRA}, credential: 'env:SCIMCONF_IDP_HOST'}}}}", "cred", "must begin with"),
        (
            f"{{entra: {{{ENTRA}, credential: 'file:a', certificate: 'file:b'}}}}",
            "entra",
            "credential and certificate exclude each other",
        ),
        ("{authentik: {url: 'http://localhost', provider: 1}}", "url", "expected https://"),
        ("{authentik: {url: 'https://a/x', provider: 1}}", "url", "and nothing else"),
        ("{authentik: {url: 'https://a', provider: x}}", "provider", "expected a number"),
    ],
)
def test_a_mistake_is_reported_at_its_place(tmp_path: Path, text: str, at: str, words: str) -> None:
    with pytest.raises(InventoryError) as error:
        _deliver(tmp_path, text)
    (problem,) = [each for each in error.value.problems if words in each.message]
    line = (tmp_path / "inventory.yaml").read_text().splitlines()[4]
    assert problem.position
    assert (problem.position.line, problem.position.column) == (5, line.index(at) + 1)
    assert "s3cret" not in error.value.text


@pytest.mark.parametrize("token", ["'env:SCIMCONF_IDP_ENTRA'", "{env: SCIMCONF_IDP_ENTRA}"])
def test_a_credential_is_no_token(tmp_path: Path, token: str) -> None:
    """Whoever may write the inventory could otherwise have it sent to a server of their own."""
    with pytest.raises(InventoryError, match="never sent to a server as a token"):
        _deliver(tmp_path, f"{{command: a}}, token: {token}")


def test_every_kind_has_a_title_and_described_settings() -> None:
    for kind in KINDS.values():
        assert kind.title
        assert all(each.meaning and not each.meaning.endswith(".") for each in kind.settings)
