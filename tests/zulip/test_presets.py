from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest

from scimconf.zulip.presets import PRESETS


def test_okta_and_entra_are_as_zulip_documents_them() -> None:
    okta, entra = PRESETS["okta"], PRESETS["entra"]
    assert (okta.name_formatted_included, okta.bearer_prefix) == (False, True)
    assert (entra.name_formatted_included, entra.bearer_prefix) == (True, False)
    assert okta.token_field("abc") == "Bearer abc"
    assert entra.token_field("abc") == "abc"
    assert entra.base_url_suffix == "/?aadOptscim062020"


def test_okta_tests_with_a_page_and_entra_with_a_filter() -> None:
    assert PRESETS["okta"].connection_test("guid") == "/scim/v2/Users?startIndex=1&count=2"
    question = urlsplit(PRESETS["entra"].connection_test("guid"))
    assert question.path == "/scim/v2/Users"
    assert parse_qs(question.query) == {"filter": ['userName eq "guid"']}


@pytest.mark.parametrize("name", PRESETS)
def test_undocumented_providers_have_an_assumption(name: str) -> None:
    preset = PRESETS[name]
    assert preset.name == name
    assert (preset.assumption is None) is preset.documented
    if not preset.documented:
        other = str(not preset.name_formatted_included).lower()
        assert f"name_formatted_included: {other}" in (preset.assumption or "")
