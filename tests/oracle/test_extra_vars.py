"""`-e` sets the variables that it sets in ansible-core."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from scimconf import vault
from scimconf.secret import Secret
from tests.oracle import by_hand
from tests.oracle.agreement import check
from tests.oracle.client import PASSWORD, Oracle
from tests.oracle.ours import Ours

pytestmark = pytest.mark.needs_ansible

INVENTORY = """
# file hosts.yml
all: {vars: {v: all, n: 1, w: "{{ v }}!"}, hosts: {a: {v: host}, b: }}
# file host_vars/b.yml
v: file
"""
GIVEN = {
    "a word": ["v=x"],
    "two words": ["v=x w=y"],
    "every value is text": ["v=5 w=yes x=[1] y={} z=~"],
    "quotes": ["v='two words' w=\"it's\" x='a \"b\" c' y=''"],
    "quotes inside": ["v=a'b c'd w='a'b"],
    "an equals sign in the value": ["v=a=b w==x"],
    "an escaped equals sign": [r"a\=b=c v=1"],
    "spaces and line breaks": ["  v=x\n w=y\t x=z  "],
    "a template": ["v={{ n }} w={{ n + 1 }} x='{{ n }} y' y={% if n == 1 %}one{% endif %}"],
    "a comment": ["v={# a b #}x"],
    "escapes": [r'v=a\tb w="a\nb" x=\x41 y=\u00e9 z=a\\b'],
    "an escaped quote": [r'v="a \"b\" c" w=1'],
    "a dollar sign": ['test_var="abc$def" v=$x'],  # ansible#65562
    "a file, and words": ["@vars.yml", "@vault.yml", "x=baz"],  # ansible#6585
    "the later wins": ["v=1", "v=2 w=3", "w=4"],
    "an empty text": ["", "v=x"],
    "JSON": ['{"v": 5, "w": [1, null, true, "{{ v }}"], "x": {"k": 1.5}}'],
    "YAML": ["{v: 5, w: no, x: 0022, y: '{{ n }}'}"],
    "a file": ["@vars.yml"],
    "a JSON file": ["@vars.json"],
    "an encrypted file": ["@vault.yml", "w=plain"],
    "a connection": ["ansible_host=192.0.2.1 ansible_port=2222 ansible_user=ops"],
    "over host_vars": ["v=x n=2"],
    "a path after @": ["@./vars.yml", "v=x"],
}
WRONG = {
    "a word without =": "v",  # Ansible stores it as _raw_params
    "a file without @": "./vars.yml",
    "a list": "[1, 2]",
    "a missing file": "@nosuch.yml",
    "an open quote": "v='x",
    "an open template": "v={{ n",
    "a file that is a list": "@list.yml",
    "an empty file": "@empty.yml",
}


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """An inventory, and files for -e in the working folder of both programs."""
    texts = {
        "vars.yml": "v: 5\nw: '{{ n }}'\nx: [a, yes]\n",
        "vars.json": '{"v": 5, "w": {"k": null}}',
        "vault.yml": vault.encrypt(Secret("v: geheim\nw: x\nn: 7\n"), Secret(PASSWORD)),
        "list.yml": "- a\n",
        "empty.yml": "",
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    return by_hand.lay_out(INVENTORY, tmp_path)


def _absolute(text: str, folder: Path) -> str:
    return f"@{folder / text[1:]}" if text.startswith("@") else text


@pytest.mark.parametrize("name", GIVEN)
def test_the_same_variables(name: str, oracle: Oracle, sources: list[Path], tmp_path: Path) -> None:
    check(oracle, sources, extra=[_absolute(each, tmp_path) for each in GIVEN[name]])


@pytest.mark.parametrize("name", WRONG)
def test_both_refuse(name: str, oracle: Oracle, sources: list[Path], tmp_path: Path) -> None:
    text = _absolute(WRONG[name], tmp_path)
    asked = oracle.inventory(sources, ["v"], extra=[text])
    assert Ours.read(sources, extra=[text]).errors
    assert "failed" in asked or name == "a word without ="


PIECE = st.sampled_from(
    ["v=", "w=", "x", "1", " ", "  ", "'", '"', "{{ n }}", "{% if n %}y{% endif %}", "=", "\\", "é"]
)


@given(st.lists(PIECE, max_size=9).map("".join))
@settings(
    max_examples=150,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_generated_words(
    oracle: Oracle, tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    folder = tmp_path_factory.mktemp("inventory")
    sources = by_hand.lay_out(INVENTORY, folder)
    ours = Ours.read(sources, extra=[text])
    if ours.errors:  # scimconf refuses words without =, and unusual names of variables
        return
    theirs = oracle.inventory(sources, ours.names(), extra=[text])["answer"]
    for host in ("a", "b"):
        assert ours.variables(host, ours.names()) == theirs["hosts"][host]["variables"], text
