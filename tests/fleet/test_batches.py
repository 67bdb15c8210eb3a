"""How servers are divided into batches, and when a rollout stops."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scimconf.errors import UsageError
from scimconf.fleet.batches import Strategy, strategy

# --serial, the number of hosts, and what `_get_serialized_batches` of ansible-core 2.19.14 returns.
ANSIBLE = [
    ("3", 10, [3, 3, 3, 1]),
    ("30%", 10, [3, 3, 3, 1]),
    ("1,5,50%", 20, [1, 5, 10, 4]),
    ("29%", 100, [28, 28, 28, 16]),
    ("57%", 100, [56, 44]),
    ("33%", 10, [3, 3, 3, 1]),
    ("10%", 5, [1, 1, 1, 1, 1]),
    ("1%", 3, [1, 1, 1]),
    ("0", 7, [7]),
    ("1,0", 7, [1, 6]),
    ("2,150%", 5, [2, 3]),
    ("4", 3, [3]),
    ("1,2,3", 12, [1, 2, 3, 3, 3]),
    ("1,25%", 9, [1, 2, 2, 2, 2]),
    ("14%", 50, [7, 7, 7, 7, 7, 7, 7, 1]),
]


def _servers(batches: list[list[list[int]]]) -> list[int]:
    return [sum(map(len, batch)) for batch in batches]


@pytest.mark.parametrize(("serial", "count", "expected"), ANSIBLE)
def test_single_servers_get_the_same_batches_as_in_ansible(
    serial: str, count: int, expected: list[int]
) -> None:
    units = [[number] for number in range(count)]
    batches = strategy(serial, None, None).batches(units, count)
    assert _servers(batches) == expected
    assert [unit for batch in batches for unit in batch] == units


def test_without_options_there_is_one_batch_and_failures_stop_nothing() -> None:
    plain = Strategy()
    assert strategy(None, None, None) == plain
    assert _servers(plain.batches([[1], [2], [3]], 3)) == [3]
    assert plain.next_deployment_may_begin(3, 3)


@pytest.mark.parametrize(
    ("serial", "canary", "expected"),
    [(None, 2, [2, 8]), ("3", 2, [2, 3, 3, 2]), ("1,5", 2, [2, 1, 5, 2]), (None, 20, [10])],
)
def test_a_canary_is_the_first_batch(serial: str | None, canary: int, expected: list[int]) -> None:
    batches = strategy(serial, canary, None).batches([[n] for n in range(10)], 10)
    assert _servers(batches) == expected


@pytest.mark.parametrize(
    ("sizes", "serial", "expected"),
    [
        ([2, 2, 2], "3", [2, 2, 2]),  # a batch is not larger than requested,
        ([1, 3, 1], "2", [1, 3, 1]),  # unless one deployment alone is larger
        ([2, 1, 2], "3", [3, 2]),
        ([3], "1", [3]),
        ([3, 1, 1], "1,2", [3, 2]),
    ],
)
def test_a_deployment_is_never_split(sizes: list[int], serial: str, expected: list[int]) -> None:
    units = [[number] * size for number, size in enumerate(sizes)]
    assert _servers(strategy(serial, None, None).batches(units, sum(sizes))) == expected


SIZE = st.one_of(st.integers(0, 40).map(str), st.integers(0, 200).map(lambda n: f"{n}%"))


@given(
    st.lists(st.integers(1, 5), max_size=40),
    st.lists(SIZE, min_size=1, max_size=4),
    st.integers(0, 30),
)
def test_batches_contain_every_server_once_in_order(
    sizes: list[int], serial: list[str], up_to_date: int
) -> None:
    units = [[number] * size for number, size in enumerate(sizes)]
    selected = sum(sizes) + up_to_date
    how = strategy(",".join(serial), None, None)
    batches = how.batches(units, selected)
    assert [unit for batch in batches for unit in batch] == units
    for number, batch in enumerate(batches):
        most = how.serial[min(number, len(serial) - 1)].of(selected)
        assert batch
        assert sum(map(len, batch)) <= most or len(batch) == 1


@pytest.mark.parametrize(
    ("max_fail", "failed", "batch", "unit"),
    [
        (None, 0, True, True),
        (None, 1, False, True),
        ("0", 0, True, True),
        ("0", 1, False, False),
        ("2", 2, True, True),
        ("2", 3, False, False),
        ("10%", 2, True, True),  # 10% of 20 is 2: more than 2 must fail
        ("10%", 3, False, False),
        ("0%", 1, False, False),
        ("100%", 20, True, True),
    ],
)
def test_max_fail_decides_whether_the_next_batch_starts(
    max_fail: str | None, failed: int, batch: bool, unit: bool
) -> None:
    how = strategy("5", None, max_fail)
    assert how.next_batch_may_begin(failed, 20) is batch
    assert how.next_deployment_may_begin(failed, 20) is unit


@pytest.mark.parametrize("text", ["", "x", "-1", "5,", "5;6", "%", "1.5", "٣", "10 %", "9" * 30])
def test_an_invalid_size_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--serial takes numbers or percentages"):
        strategy(text, None, None)
    with pytest.raises(UsageError, match="--max-fail takes numbers or percentages"):
        strategy(None, None, text)


def test_spaces_between_sizes_are_ignored() -> None:
    assert strategy("1, 5, 50%", None, None) == strategy("1,5,50%", None, None)
