"""A share of the fleet."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scimconf.errors import UsageError
from scimconf.run.shard import Shard, parse

names = st.text(min_size=1, max_size=20)
counts = st.integers(1, 50)


@pytest.mark.parametrize(
    ("text", "environment", "shard"),
    [
        ("1/1", {}, Shard(1, 1)),
        ("3/10", {}, Shard(3, 10)),
        ("auto", {"CI_NODE_INDEX": "2", "CI_NODE_TOTAL": "5"}, Shard(2, 5)),
        ("auto/4", {"JOB_COMPLETION_INDEX": "0"}, Shard(1, 4)),
        ("auto/4", {"JOB_COMPLETION_INDEX": "3"}, Shard(4, 4)),
    ],
)
def test_forms(text: str, environment: dict[str, str], shard: Shard) -> None:
    assert parse(text, environment) == shard


@pytest.mark.parametrize(
    ("text", "environment"),
    [
        ("", {}),
        ("3", {}),
        ("0/3", {}),
        ("4/3", {}),
        ("1/0", {}),
        ("-1/3", {}),
        ("1/3/5", {}),
        ("1.0/3", {}),
        ("\u0661/3", {}),
        ("1/99999", {}),
        ("auto", {}),
        ("auto", {"CI_NODE_INDEX": "1"}),
        ("auto", {"CI_NODE_INDEX": "0", "CI_NODE_TOTAL": "5"}),
        ("auto/4", {}),
        ("auto/4", {"JOB_COMPLETION_INDEX": "4"}),
        ("auto/4", {"JOB_COMPLETION_INDEX": "-1"}),
        ("auto/", {"JOB_COMPLETION_INDEX": "0"}),
    ],
)
def test_refused_forms(text: str, environment: dict[str, str]) -> None:
    with pytest.raises(UsageError):
        parse(text, environment)


def test_the_error_names_what_was_typed_and_the_variable_that_is_missing() -> None:
    for text, environment, said in (
        ("0/2", {}, "--shard '0/2' is not a share of the fleet"),
        ("3/2", {}, "--shard '3/2': there is no shard 3 of 2"),
        ("auto/2", {}, "--shard auto/2 needs the variable JOB_COMPLETION_INDEX, which is not set"),
    ):
        with pytest.raises(UsageError) as error:
            parse(text, environment)
        assert error.value.message == said
        assert "in GitLab with parallel: auto" in error.value.hint


@given(names, counts)
def test_a_deployment_belongs_to_exactly_one_shard(name: str, count: int) -> None:
    assert [Shard(n, count).holds(name) for n in range(1, count + 1)].count(True) == 1


def test_the_shard_of_a_name_is_the_same_in_every_process() -> None:
    program = (
        "from scimconf.run.shard import Shard\n"
        "print([n for n in range(1, 8) if Shard(n, 7).holds('chat1.example.com')])"
    )
    seen = {
        subprocess.check_output(
            [sys.executable, "-c", program], env={"PYTHONHASHSEED": seed}, text=True
        )
        for seed in ("1", "2")
    }
    assert seen == {"[3]\n"}


def test_shards_of_a_large_fleet_have_about_the_same_size() -> None:
    sizes = [
        sum(Shard(n, 10).holds(f"chat{i}.example.com") for i in range(10_000)) for n in range(1, 11)
    ]
    assert sum(sizes) == 10_000
    assert min(sizes) > 850
