"""Microsoft Entra ID: the calls of Graph, on a miniature of it, with the real msal."""

from __future__ import annotations

import datetime
import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from scimconf.errors import UsageError
from scimconf.idp import credentials
from scimconf.idp.base import IdpError, NotSupportedError
from scimconf.idp.entra import Entra
from scimconf.model import Deliver, Reference
from scimconf.secret import Secret
from tests.idp.conftest import TARGET
from tests.lab.idp import Fault, Graph

Start = Callable[..., Any]
TOKEN = Secret("a-new-token-of-acme-with-43-characters")


def _entra(graph: Graph, **settings: Any) -> Entra:
    known: dict[str, Any] = {**graph.settings()["entra"], **settings}
    deliver = Deliver("entra", known, ".")

    def read(reference: Reference) -> Secret:
        return Secret(graph.secret) if reference.kind == "env" else credentials.read(reference)

    return Entra(deliver, TARGET, read, pause=lambda _: None)


def test_the_token_is_set_and_other_keys_are_kept(start: Start) -> None:
    graph = start(Graph)
    graph.secrets = {"SyncAll": "true", "Password": "***"}
    entra = _entra(graph)
    assert entra.check() is False
    assert entra.set(TOKEN) == "the token is set"
    assert graph.client.token == TOKEN.reveal()
    assert graph.client.base_url == TARGET.base_url
    assert graph.secrets == {"SyncAll": "true"}, "a mask must not be sent back"


def test_a_job_is_paused_and_started(start: Start) -> None:
    graph = start(Graph)
    entra = _entra(graph)
    entra.pause()
    assert graph.client.paused
    assert _entra(graph).check() is True
    entra.resume()
    assert not graph.client.paused


def test_pause_waits_until_the_cycle_has_ended(start: Start) -> None:
    graph = start(Graph)
    waits = []

    def pause(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            graph.client._cycle.release()

    graph.client._cycle.acquire()
    entra = _entra(graph)
    entra._sleep = pause
    assert entra.pause() == "provisioning is paused"
    assert len(waits) == 3


def test_a_token_that_zulip_refuses_fails_the_test(start: Start) -> None:
    graph = start(Graph)
    entra = _entra(graph)
    entra.set(TOKEN)
    with pytest.raises(IdpError, match="CredentialValidationFailure"):
        entra.test()


@pytest.mark.parametrize("fault", [Fault("PUT", loses_answer=True), Fault("PUT", status=429)])
def test_set_is_repeated(start: Start, fault: Fault) -> None:
    graph = start(Graph)
    graph.faults.append(fault)
    _entra(graph).set(TOKEN)
    assert graph.client.token == TOKEN.reveal()
    assert [each[0] for each in graph.asked].count("PUT") == 2


def test_an_app_that_does_not_exist_is_found_before_anything_changes(start: Start) -> None:
    with pytest.raises(IdpError, match="no such object"):
        _entra(start(Graph), service_principal="other").check()


def test_several_jobs_need_a_choice(start: Start) -> None:
    graph = start(Graph)
    with pytest.raises(IdpError, match=r"expected one provisioning job; its jobs: scim\.7d3a\.1"):
        _entra(graph, job="another").check()


def test_a_cloud_without_jobs(start: Start) -> None:
    entra = _entra(start(Graph), cloud="china")
    for step in (entra.pause, entra.test):
        with pytest.raises(NotSupportedError, match=r"cannot .* in this cloud"):
            step()
    assert entra.resume() == "provisioning is running"


# --- sign-in --------------------------------------------------------------------------------------


def test_a_wrong_client_secret(start: Start) -> None:
    graph = start(Graph)
    entra = _entra(graph)
    graph.secret, wrong = "another", graph.secret
    entra._read = lambda _: Secret(wrong)
    with pytest.raises(IdpError, match=r"refused .*AADSTS7000215") as error:
        entra.check()
    assert "credential" in error.value.hint
    assert wrong not in error.value.text


def test_a_certificate(start: Start, tmp_path: Path) -> None:
    graph = start(Graph)
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "scimconf")])
    now = datetime.datetime.now(datetime.timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pem = tmp_path / "entra.pem"
    pem.touch(0o600)
    pem.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    _entra(graph, certificate=Reference("file", (str(pem),), ".")).check()
    (form,) = graph.grants
    (assertion,) = form["client_assertion"]
    said = jwt.decode(
        assertion, key.public_key(), ["PS256"], audience=f"https://{graph.login}/{graph.tenant}/oauth2/v2.0/token"
    )  # fmt: skip
    assert said["iss"] == graph.client_id
    assert "client_secret" not in form


def test_a_token_of_the_pipeline(start: Start, tmp_path: Path) -> None:
    graph = start(Graph)
    file = tmp_path / "oidc"
    file.touch(0o600)
    file.write_text("header.payload.signature\n")
    _entra(graph, federated_token=Reference("file", (str(file),), ".")).check()
    (form,) = graph.grants
    assert form["client_assertion"] == ["header.payload.signature"]
    assert form["scope"] == [f"https://{graph.host}/.default"]


def test_without_msal(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "msal", None)
    with pytest.raises(UsageError, match="needs the package msal") as error:
        _entra(start(Graph)).check()
    assert "scimconf[entra]" in error.value.hint


def test_a_sign_in_that_names_another_host_is_not_followed(start: Start) -> None:
    graph = start(Graph)
    answer = graph._login

    def login(method: str, path: str, body: Any) -> tuple[int, Any]:
        status, found = answer(method, path, body)
        return status, json.loads(json.dumps(found).replace(f"{graph.login}/", "evil.test/"))

    graph._login = login
    with pytest.raises(IdpError):
        _entra(graph).check()
    assert graph.grants == []


def test_no_log_of_msal_has_a_secret(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    graph = start(Graph)
    with caplog.at_level(logging.DEBUG):
        entra = _entra(graph)
        entra.set(TOKEN)
        with pytest.raises(IdpError):
            entra.test()
    for secret in (graph.secret, graph.credential, TOKEN.reveal()):
        assert secret not in caplog.text
