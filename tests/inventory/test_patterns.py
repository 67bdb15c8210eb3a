"""Host patterns."""

from __future__ import annotations

from pathlib import Path

import pytest

from scimconf import inventory
from scimconf.errors import UsageError
from scimconf.inventory.patterns import matching

from .conftest import Load

HOSTS = ["web1.x", "web2.x", "db1.x", "2001:db8::1", "p"]
GROUPS = {
    "all": HOSTS,
    "ungrouped": [],
    "web": ["web1.x", "web2.x"],
    "db": ["db1.x"],
    "prod": ["web1.x", "db1.x"],
    "empty": [],
}


@pytest.mark.parametrize(
    ("pattern", "hosts"),
    [
        ("all", HOSTS),
        ("*", HOSTS),
        ("web", ["web1.x", "web2.x"]),
        ("web*", ["web1.x", "web2.x"]),
        ("*.x", ["web1.x", "web2.x", "db1.x"]),
        ("web?.x", ["web1.x", "web2.x"]),
        ("web[2-9].x", ["web2.x"]),
        ("~(web|db)1", ["web1.x", "db1.x"]),
        ("db:web", ["db1.x", "web1.x", "web2.x"]),
        ("db,web", ["db1.x", "web1.x", "web2.x"]),
        ("web:&prod", ["web1.x"]),
        ("all:!web", ["db1.x", "2001:db8::1", "p"]),
        ("!web", ["db1.x", "2001:db8::1", "p"]),
        ("&prod", ["web1.x", "db1.x"]),
        ("!db:prod", ["web1.x"]),
        ("web[0]", ["web1.x"]),
        ("web[-1]", ["web2.x"]),
        ("all[1:2]", ["web2.x", "db1.x"]),
        ("all[1-2]", ["web2.x", "db1.x"]),
        ("all[3:]", ["2001:db8::1", "p"]),
        ("web1.x", ["web1.x"]),
        ("2001:db8::1", ["2001:db8::1"]),
        ("empty", []),
        ("ungrouped", []),
        ("web:empty", ["web1.x", "web2.x"]),
    ],
)
def test_matching(pattern: str, hosts: list[str]) -> None:
    assert matching([pattern], [], GROUPS, HOSTS) == hosts


def test_several_patterns_and_a_limit() -> None:
    assert matching([], [], GROUPS, HOSTS) == HOSTS
    assert matching(["db", "web"], [], GROUPS, HOSTS) == ["db1.x", "web1.x", "web2.x"]
    assert matching(["web", "!prod"], [], GROUPS, HOSTS) == ["web2.x"]
    assert matching(["web"], ["prod"], GROUPS, HOSTS) == ["web1.x"]
    assert matching([], ["!prod"], GROUPS, HOSTS) == ["web2.x", "2001:db8::1", "p"]


def test_patterns_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "failed"
    file.write_text("# the last run\nweb1.x\n\n  db\n")
    assert matching([], [f"@{file}"], GROUPS, HOSTS) == ["web1.x", "db1.x"]
    file.write_text(f"@{file}\n")
    with pytest.raises(UsageError, match="no host or group matches"):
        matching([f"@{file}"], [], GROUPS, HOSTS)
    with pytest.raises(UsageError, match="No such file"):
        matching([f"@{tmp_path}/no"], [], GROUPS, HOSTS)


@pytest.mark.parametrize(
    ("pattern", "expected", "hint"),
    [
        ("wbe", "no host or group matches 'wbe'", "did you mean web?"),
        ("web1.y", "no host or group matches 'web1.y'", "did you mean web1.x?"),
        ("all:!porod", "no host or group matches 'porod'", "did you mean prod?"),
        ("web[7]", "no host or group matches 'web[7]'", "did you mean web?"),
        ("~(", "'~(' is not a regular expression", ""),
        ("q*", "no host or group matches 'q*'", ""),
    ],
)
def test_a_pattern_that_matches_nothing(pattern: str, expected: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        matching([pattern], [], GROUPS, HOSTS)
    assert expected in str(caught.value)
    assert caught.value.hint == hint


def test_select_returns_servers(load: Load) -> None:
    loaded = load("""
        g: {hosts: {a: , b: {scim_realms: {x: }}, c: {scim_realms: {x: }}}}
        """)
    assert [server.name for server in inventory.select(loaded, ())] == ["b", "c"]
    assert [server.name for server in inventory.select(loaded, ["g"], ["!c"])] == ["b"]
    assert inventory.select(loaded, ["a"]) == ()
    with pytest.raises(UsageError):
        inventory.select(loaded, ["d*"])


@pytest.mark.parametrize("empty", ["", " ", ",", ":", "!", "&", ",,"])
def test_an_empty_pattern_does_not_match_all_hosts(empty: str) -> None:
    """`scimconf apply "$HOST"` with HOST unset must not change every server."""
    groups = {"all": ["a", "b"]}
    with pytest.raises(UsageError, match=r"the host pattern .* is empty"):
        matching([empty], [], groups, ["a", "b"])
    with pytest.raises(UsageError, match=r"the host pattern .* is empty"):
        matching([], [empty], groups, ["a", "b"])


@pytest.mark.parametrize("text", ["", "\n\n", "# web1.x\n", "&\n", ",\n"])
def test_a_file_without_patterns_does_not_match_all_hosts(text: str, tmp_path: Path) -> None:
    file = tmp_path / "failed"
    file.write_text(text)
    for pattern, limit in (([f"@{file}"], []), ([], [f"@{file}"])):
        with pytest.raises(UsageError, match="failed has no host pattern"):
            matching(pattern, limit, GROUPS, HOSTS)
