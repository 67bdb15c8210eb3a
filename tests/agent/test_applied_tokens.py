"""The server's record of the tokens that scimconf has put in force."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from passlib.hash import pbkdf2_sha256  # type: ignore[import-untyped]

from scimconf.agent import applied_tokens, durable, observe


def _record(token: str, number: int = 1) -> dict[str, str]:
    place = f"place {number}"
    hashed = pbkdf2_sha256.using(rounds=1).hash(f"{token}\n{place}")
    return {"hash": hashed, "place": place, "created": f"2026-06-0{number}T10:00:00Z"}


@pytest.fixture
def folder(tmp_path: Path) -> str:
    durable.make_private(str(tmp_path / "state"))
    return str(tmp_path / "state")


def test_a_token_is_found_by_its_fingerprint(folder: str) -> None:
    assert applied_tokens.read(folder) == {}
    applied_tokens.add(folder, {"acme": _record("one"), "": _record("root")})
    applied_tokens.add(folder, {"acme": _record("two", 2)})
    found = applied_tokens.read(folder)
    for token, created in (("two", "2026-06-02T10:00:00Z"), ("one", "2026-06-01T10:00:00Z")):
        record = applied_tokens.find(found["acme"], token)
        assert record
        assert record["created"] == created
    assert applied_tokens.find(found["acme"], "root") is None
    assert applied_tokens.find(found[""], "root")


def test_only_the_newest_records_are_kept_without_duplicates(folder: str) -> None:
    records = [_record(f"token {number}", number) for number in range(1, 7)]
    for record in (*records, records[-1]):
        applied_tokens.add(folder, {"acme": record})
    assert applied_tokens.read(folder)["acme"] == records[:2:-1]


@pytest.mark.parametrize("text", ["", "[]", '{"acme": 3}', '{"acme": [{"hash": "x"}]}', "\x00"])
def test_a_broken_file_counts_as_empty(folder: str, text: str) -> None:
    Path(folder, "applied.json").write_text(text)
    assert applied_tokens.read(folder) == {}
    applied_tokens.add(folder, {"acme": _record("one")})
    assert applied_tokens.find(applied_tokens.read(folder)["acme"], "one")


def test_a_malformed_fingerprint_matches_nothing() -> None:
    assert applied_tokens.find([{"hash": "x", "place": "", "created": ""}], "token") is None


def test_the_file_is_private_and_has_no_token(folder: str) -> None:
    applied_tokens.add(folder, {"acme": _record("hunter2hunter2")})
    path = Path(folder, "applied.json")
    assert path.stat().st_mode & 0o777 == 0o600
    assert "hunter2" not in path.read_text()


def test_observe_recognizes_a_staged_token_and_dates_another() -> None:
    wanted, staged = _record("one"), _record("two", 2)
    asked = {"fingerprint": wanted, "others": [staged]}
    token = observe._token("two", asked, [])
    assert (token["matches"], token["other"], token["created"]) == (False, 0, "")
    token = observe._token("three", asked, [_record("three", 3)])
    assert (token["other"], token["created"]) == (None, "2026-06-03T10:00:00Z")
    token = observe._token("one", asked, [wanted])
    assert (token["matches"], token["other"], token["created"]) == (True, None, "")
    assert "two" not in json.dumps(token)
