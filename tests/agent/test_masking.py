"""The masked block that leaves the server for a plan has no secret."""

from __future__ import annotations

import pytest

from scimconf.agent import masking
from scimconf.agent.settings_edit import edit
from scimconf.agent.settings_file import BEGIN, END, read

SECRET = "hunter2hunter2"


def masked(text: str, **masks: str) -> str:
    shown = masking.block(read(text.encode()), masks)
    assert shown is not None
    return shown


def test_a_token_is_masked_and_the_rest_of_the_block_stays() -> None:
    text = (
        f'PASSWORD = "other"\n\n{BEGIN}\nSCIM_CONFIG = {{\n    "acme": {{\n'
        f'        "bearer_token": "{SECRET}",\n        "scim_client_name": "okta",\n'
        '        "custom_profile_field_map": {"a": "b"},\n'
        f'        "name_formatted_included": False,\n    }}\n}}\n{END}\nOTHER = 1\n'
    )
    mask = masking.token_mask("acme", 14, "fingerprint ab12...")
    assert mask == "<token acme, 14 characters, fingerprint ab12...>"
    begin, end = text.index(BEGIN), text.index("\nOTHER")
    assert masked(text, acme=mask) == text[begin:end].replace(SECRET, mask) + "\n"


def test_without_a_block_there_is_nothing_to_mask() -> None:
    assert masking.block(read(b"A = 1\n"), {}) is None


@pytest.mark.parametrize(
    "inside",
    [
        f'"a": {{"bearer_token": "{SECRET}"}}',
        '"a": {"bearer_token": "hunter2" "hunter2"}',
        f'"a": {{"bearer_token": get_secret("{SECRET}", "{SECRET}")}}',
        f'"a": {{"bearer_token": f("{SECRET}")}}',
        f'"a": {{"bearer_token": get_secret("{SECRET}", "{SECRET}") + "{SECRET}"}}',
        f'"a": {{"bearer_token": b"{SECRET}"}}',
        f'"a": {{"bearer-token": "{SECRET}"}}',
        f'"a": {{"token": ["{SECRET}"]}}',
        f'"a": {{"scim_client_name": f("{SECRET}")}}',
        f'"a": {{"bearer_token": "{SECRET}", "scim_client_name": "{SECRET}"}}',
        f'"a": {{"custom_profile_field_map": {{"x": f("{SECRET}")}}}}',
        f'"a": "{SECRET}"',
        f'"a": f("{SECRET}")',
        f'"a": {{f("{SECRET}"): 1}}',
        f'"a": {{**f("{SECRET}")}}',
        f'"a": {{"bearer_token": f(  # why\n    "{SECRET}",\n)}}',
        f'"a": {{"bearer_token": (  "hunter2"  # why\n    "{SECRET}"\n)}}',
        f'"a": f([  # why\n    "{SECRET}",  # "{SECRET}"\n    "{SECRET}"])',
        f'"a": {{"bearer_token": "{SECRET}", "{SECRET}": 1}}',
        f'"a": {{"bearer_token": "{SECRET}", "custom_profile_field_map": {{"x": "a{SECRET}b"}}}}',
        f'"a": {{}},  # {SECRET}',
        f'"a": {{}},  # "bearer_token": "{SECRET}"',
        f'"a": {{}},\n    # was {SECRET}\n',
        f'# "é" {SECRET}\n    "é": {{}}, # \'{SECRET}',
        '"a": {"bearer_token": 4711471147114711}'.replace("4711471147114711", "47" * 8),
    ],
)
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_no_secret_is_shown_and_the_result_can_be_edited(inside: str, newline: str) -> None:
    text = f"# é {SECRET}\nA = 1; SCIM_CONFIG = {{\n    {inside}\n}}  # {SECRET}\n"
    shown = masked(text.replace("\n", newline), a='"\\ odd mask')
    assert SECRET not in shown
    assert "hunter2" not in shown
    assert "4747" not in shown
    assert "\r" not in shown
    before = read(shown.encode())
    assert list(before.entries) == list(read(text.encode()).entries)
    once = edit(shown.encode(), {"new": '"new": {}'})
    assert edit(once, {"new": None}) == shown.encode()


@pytest.mark.parametrize("comment", ["#" * 40, "#" + "-" * 40, f"#{SECRET}", f"#'{SECRET}'", "#"])
def test_a_masked_comment_is_still_a_comment(comment: str) -> None:
    shown = masked(f"SCIM_CONFIG = {{\n    {comment}\n    'a': {{}},\n}}\n")
    assert list(read(shown.encode()).entries) == ["a"]
    assert SECRET not in shown


@pytest.mark.parametrize(
    "token", ["bearer_token", "SCIM_CONFIG = {", "acme-corp", '": {"bear', "get_secret"]
)
def test_masking_a_token_that_looks_like_the_block_gives_valid_python(token: str) -> None:
    block = "SCIM_CONFIG = {'acme-corp': {'bearer_token': %s}}\n"
    assert masked(block % repr(token), **{"acme-corp": "<token>"}) == block % '"<token>"'


def test_parts_that_cannot_be_secret_are_shown() -> None:
    text = (
        'SCIM_CONFIG = {\n    # ask Bob\n    "a": {\n        "bearer_token": get_secret("n"),\n'
        '        "odd": True,\n        "number": 3,\n    }\n}'
    )
    assert masked(text) == text + "\n"


def test_values_of_unknown_keys_are_masked() -> None:
    assert masking.value("scim_client_name", "okta") == "okta"
    assert masking.value("bearer-token", SECRET) == "<masked>"
    assert masking.value("nested", [SECRET]) == "<masked>"
    assert masking.value("flag", True) is True
