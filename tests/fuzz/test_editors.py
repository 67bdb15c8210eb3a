"""A sample of `make fuzz`: the editors on random files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from random import Random

import pytest
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st

from tests.fuzz import __main__ as fuzz
from tests.fuzz import entries, evaluate, invariants, secrets_files, settings_files
from tests.fuzz.settings_files import File

RANDOM = st.randoms(use_true_random=False)


@pytest.mark.parametrize(
    ("check", "files"),
    [(fuzz.settings, 400), (fuzz.secrets, 1000)],
    ids=["settings.py", "zulip-secrets.conf"],
)
def test_a_sample_of_generated_files(check: Callable[[int], str], files: int) -> None:
    counts, failures = fuzz.portion(check, 1, 1 + files)
    assert not failures, f"seed {failures[0][0]}:\n{failures[0][1]}"
    assert counts[invariants.EDITED] > fuzz.FLOOR * files


@limits(max_examples=50, deadline=None)
@given(RANDOM)
def test_any_settings_file(random: Random) -> None:
    """The same with hypothesis, which searches for the smallest failing file."""
    invariants.settings(random, settings_files.settings_file(random), entries.request(random))


@limits(max_examples=50, deadline=None)
@given(RANDOM)
def test_any_secrets_file(random: Random) -> None:
    secrets_files.check(*secrets_files.secrets_file_and_request(random))


def test_the_generator_makes_every_kind_of_file() -> None:
    kinds: Counter[str] = Counter()
    for seed in range(600):
        file = settings_files.settings_file(Random(seed))
        for mark in (b"\r\n", b"\xef\xbb\xbf", b"\x0c", b"\t", b"\\\n", b"shift_jis", b"latin-1",
                     b":=", b"f'", b"; ", b"\0", b".update(", b"globals()", b"async def",
                     b"SCIM_CONFIG = {'", b"if True:"):  # fmt: skip
            kinds[repr(mark)] += mark in file.data
        kinds["CR alone"] += b"\r" in file.data and b"\n" not in file.data
        kinds["no final line end"] += not file.data.endswith((b"\r", b"\n"))
        kinds["runs"] += evaluate.namespace(file.data) is not None
        kinds["plain"] += file.plain
    assert not [kind for kind, count in kinds.items() if not count]
    assert kinds["runs"] > 300
    assert kinds["plain"] > 300


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (lambda data: data + b"# more\n", "below"),
        (lambda data: data.replace(b"A = 1", b"A = 2"), "above"),
        (lambda data: data.replace(b"'x': 1", b"'x': 2"), "a realm that nobody asked about"),
        (lambda data: data.replace(b'"name', b'"Name'), "SCIM_CONFIG is not as wanted"),
        (lambda data: data.replace(b"\n}", b"}"), "something stays"),
    ],
)
def test_a_wrong_edit_is_detected(
    monkeypatch: pytest.MonkeyPatch, wrong: Callable[[bytes], bytes], says: str
) -> None:
    """Every invariant detects a broken editor."""
    edit = invariants.settings_edit.edit
    broken = lambda data, texts: wrong(edit(data, texts)) if data == DATA else edit(data, texts)  # noqa: E731
    monkeypatch.setattr(invariants.settings_edit, "edit", broken)
    wanted = {"acme": entries.wanted(Random(1), "acme")}
    with pytest.raises(AssertionError, match=says):
        invariants.edited(Random(1), File(DATA, True), wanted)


@pytest.mark.parametrize(
    ("wrong", "says", "before"),
    [
        (lambda data: data.replace(b"  # Anna's", b""), "more than the values that differ", "okta"),
        (lambda data: data.replace(b"  # Anna's", b""), "another edit", "okta', 'x': '"),
    ],
)
def test_a_wrong_edit_of_an_existing_entry_is_detected(
    monkeypatch: pytest.MonkeyPatch, wrong: Callable[[bytes], bytes], says: str, before: str
) -> None:
    acme = entries.wanted(Random(1), "acme")
    keys = f"'bearer_token': 'x', 'scim_client_name': '{before}', 'name_formatted_included': 1"
    data = f"SCIM_CONFIG = {{\n    'acme': {{{keys}}},  # Anna's\n}}\n".encode()
    edit = invariants.settings_edit.edit
    broken = lambda given, texts: wrong(edit(given, texts)) if given == data else edit(given, texts)  # noqa: E731
    monkeypatch.setattr(invariants.settings_edit, "edit", broken)
    with pytest.raises(AssertionError, match=says):
        invariants.edited(Random(1), File(data, True), {"acme": acme})


DATA = b"from .config import get_secret\nA = 1\nSCIM_CONFIG = {\n    'b': {'x': 1},\n}\nB = 1\n"
