"""How the answers of the public URL change the outcome of a server."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from scimconf.fleet.checks import ask, with_checks
from scimconf.fleet.verify import Hosts
from scimconf.model import Check, Outcome, Realm, Server, Status
from scimconf.report.words import phrase, totals
from scimconf.secret import Secret
from tests.factories import observed, realm, server
from tests.fleet.test_verify import TOKEN, Web
from tests.lab.certificates import Authority


@pytest.mark.parametrize("status", [Status.OK, Status.CHANGED])
@pytest.mark.parametrize("good_first", [True, False])
def test_one_bad_certificate_of_two_fails_the_server(
    tmp_path: Path, status: Status, good_first: bool
) -> None:
    authority = Authority()
    (tmp_path / "ca.pem").write_bytes(authority.pem())
    (tmp_path / "server.pem").write_bytes(authority.issue(["localhost"]))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem")
    web = Web(context)
    try:
        good = realm("acme", url=f"https://localhost:{web.port}")
        bad = realm("wiki", url=f"https://127.0.0.1:{web.port}")
        realms = (good, bad) if good_first else (bad, good)
        checks = tuple(
            ask(
                server(*realms, ca=str(tmp_path / "ca.pem"), external_host="localhost"),
                observed(external_host="localhost", realm_hosts={"wiki": "127.0.0.1"}),
                {"acme": TOKEN, "wiki": TOKEN},
                1,
            )
        )
    finally:
        web.stop()
    assert [check.result for check in checks if check.realm == "acme"] == ["ok", "ok"]
    (check,) = (check for check in checks if check.realm == "wiki")
    assert check.result == "failed"
    assert "names this host" in check.hint
    outcome = with_checks(Outcome("chat1", status), checks)
    assert (outcome.status, outcome.verified) == (Status.FAILED, "no")
    for verb in ("apply", "verify"):
        said = phrase(verb, outcome) + totals(verb, [outcome])
        assert "verified" not in said


@pytest.mark.parametrize(("count", "times"), [(2, 3), (30, 1)])
def test_many_realms_are_asked_once_each_and_in_their_order(
    monkeypatch: pytest.MonkeyPatch, count: int, times: int
) -> None:
    asked: list[tuple[str, int]] = []

    def verify(
        _server: Server, each: Realm, _token: Secret, _hosts: Hosts, answers: int
    ) -> tuple[Check, ...]:
        asked.append((each.string_id, answers))
        return (Check(each.string_id, "right token", "ok", "good"),)

    monkeypatch.setattr("scimconf.fleet.checks.verify", verify)
    names = [f"r{number}" for number in range(count)]
    on_it = server(*(realm(name) for name in names))
    tokens = dict.fromkeys(names, TOKEN)
    checks = ask(on_it, observed(external_host="chat.example.com"), tokens, 3)
    assert [check.realm for check in checks] == names
    assert sorted(asked) == sorted((name, times) for name in names)
