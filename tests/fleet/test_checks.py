"""How the answers of the public URL change the outcome of a server."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from scimconf.fleet.checks import ask, with_checks
from scimconf.model import Outcome, Status
from scimconf.report.words import phrase, totals
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
