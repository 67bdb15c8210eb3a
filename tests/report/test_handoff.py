from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scimconf.report.handoff import Form, handoff
from scimconf.report.sheet import sheet
from scimconf.secret import Secret
from scimconf.zulip.presets import PRESETS
from tests.factories import realm, server

TOKEN = Secret("gR7bQ2mXv9LkPz4TnW8s")
FORMS: tuple[Form, ...] = ("text", "markdown", "html")


def _sheet(
    idp: str,
    token: Secret | None = TOKEN,
    form: Form = "text",
    staged: bool = False,
    **changes: object,
) -> str:
    formatted = PRESETS[idp].name_formatted_included
    wanted = realm("acme", **{"idp": idp, "name_formatted_included": formatted} | changes)
    return handoff([sheet(server(wanted), wanted, token, staged=staged)], form)


def _field(said: str, name: str) -> str:
    found = re.search(rf"^ +{re.escape(name)} {{2,}}(.+)$", said, re.MULTILINE)
    assert found, f"no {name} in:\n{said}"
    return found[1]


def _words(said: str, form: Form) -> str:
    """Return what a reader sees, without markup and layout."""
    if form == "html":
        seen: list[str] = []
        parser = HTMLParser()
        parser.handle_data = seen.append  # type: ignore[method-assign]
        parser.feed(said.partition("<main>")[2])
        said = " ".join(seen)
    return " ".join(re.sub(r"[`#]|\[ \]", " ", said).split())


def test_the_token_for_okta_starts_with_bearer() -> None:
    said = _sheet("okta")
    assert _field(said, "Base URL") == "https://acme.chat.example.com/scim/v2"
    assert _field(said, "API token") == f"Bearer {TOKEN.reveal()}"
    for fact in (
        "SCIM 2.0 Test App (Header Auth)",
        "Email",
        "Create and update",
        "Deactivate Users",
    ):
        assert fact in said
    assert "userName, givenName and familyName" in said


def test_the_sheet_for_entra_has_the_plain_token_and_its_url_flag() -> None:
    said = _sheet("entra")
    assert _field(said, "Tenant URL") == "https://acme.chat.example.com/scim/v2/?aadOptscim062020"
    assert _field(said, "Secret Token") == TOKEN.reveal()
    assert _field(said, "userName").startswith("mail")
    assert _field(said, "name.formatted") == "keep"


@pytest.mark.parametrize("idp", [name for name, preset in PRESETS.items() if not preset.documented])
def test_sheets_for_undocumented_providers_name_the_assumption(idp: str) -> None:
    said = _sheet(idp)
    assert _field(said, "Bearer token") == TOKEN.reveal()
    assert "userName must be the user's email address" in said
    assert ("Send name.formatted" in said) is PRESETS[idp].name_formatted_included
    assert (PRESETS[idp].assumption or "missing") in " ".join(said.split())


def test_an_assumption_that_the_inventory_confirms_is_left_out() -> None:
    said = _sheet("keycloak", name_formatted_included=True)
    assert "Send name.formatted" in said
    assert "To check" not in said


def test_a_realm_that_differs_from_its_preset_is_pointed_out() -> None:
    assert "unusual for Okta" in _sheet("okta", name_formatted_included=True)
    assert "unusual" not in _sheet("okta")


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("idp", PRESETS)
def test_the_token_is_masked_unless_it_is_given(idp: str, form: Form) -> None:
    masked, clear = _sheet(idp, None, form), _sheet(idp, form=form)
    assert ("&lt;token acme&gt;" if form == "html" else "<token acme>") in masked
    assert "scimconf handoff --show-tokens --realm acme chat1" in masked
    assert "--show-tokens" not in clear
    assert TOKEN.reveal() in clear
    assert ("contains the token" in clear, "contains the token" in masked) == (True, False)


@pytest.mark.parametrize("idp", PRESETS)
def test_text_fits_into_100_columns_and_ends_with_verify(idp: str) -> None:
    said = _sheet(idp, custom_profile_field_map={"phoneNumber": "phone"})
    assert said.endswith("\nWhen it is done: scimconf verify chat1\n")
    assert _field(said, "phoneNumber") == "phone"
    assert all(len(line) <= 100 and line == line.rstrip() for line in said.splitlines())
    assert "\n\n\n" not in said
    assert said.startswith(f"{PRESETS[idp].title} -> https://acme.chat.example.com (realm acme")


@pytest.mark.parametrize("idp", PRESETS)
def test_every_format_has_the_same_content_in_the_same_order(idp: str) -> None:
    wanted = realm("acme", idp=idp, custom_profile_field_map={"phoneNumber": "phone"})
    this = sheet(server(wanted), wanted, TOKEN)
    parts = [this.place]
    for step in this.steps:
        parts += [step.text, *(part for field in step.fields for part in field), step.after]
    parts += [*this.remarks, "scimconf verify chat1"]
    for form in FORMS:
        said, at = _words(handoff([this], form), form), 0
        for part in parts:
            at = said.find(" ".join(part.split()), at)
            assert at >= 0, f"{form} lacks, or has too early: {part}"


def test_each_step_and_the_final_check_have_a_check_box() -> None:
    wanted = realm("acme")
    this = sheet(server(wanted), wanted, None)
    assert handoff([this], "markdown").count("[ ]") == len(this.steps) + 1
    assert handoff([this], "html").count('<input type="checkbox">') == len(this.steps) + 1


@pytest.mark.parametrize("form", FORMS)
def test_the_sheet_of_a_staged_token_says_when_it_is_valid(form: Form) -> None:
    said = _sheet("okta", None, form, staged=True)
    assert "from the cut-over on" in said
    assert "scimconf handoff --next --show-tokens --realm acme chat1" in said


@pytest.mark.parametrize("idp", PRESETS)
@pytest.mark.parametrize("form", FORMS)
def test_the_sheet_of_a_staged_token_only_replaces_it(form: Form, idp: str) -> None:
    """The connection exists: its reader must not make it again, nor enter the token too early."""
    said = _words(_sheet(idp, TOKEN, form, staged=True), form)
    assert "Wait for the cut-over. Until then, Zulip refuses this token" in said
    assert "replace the token in the SCIM connection, which exists already." in said
    assert PRESETS[idp].token_field(TOKEN.reveal()) in said
    first_time = ("URL", "New application", "App Catalog", "Assignments", "Create")
    assert not [each for each in first_time if each in said.partition("This sheet")[0]]


def test_several_sheets_are_one_document() -> None:
    realms = realm("acme"), realm("", idp="entra")
    sheets = [sheet(server(*realms), each, None) for each in realms]
    assert handoff(sheets).count("When it is done") == 2
    assert handoff(sheets, "markdown").count("\n# ") == 1
    page = handoff(sheets, "html")
    assert page.count("<article") == 2
    assert page.count("<html") == 1


@given(st.text())
def test_backticks_in_a_value_do_not_end_its_code_span(value: str) -> None:
    """CommonMark 6.1: a run of backticks ends a span only if it is as long as the one before it."""
    said = _sheet("okta", None, "markdown", url=f"https://{value}")
    (line,) = (each for each in said.split("\n") if "- `Base URL`: " in each)
    span = line.partition("- `Base URL`: ")[2]
    fence = re.match("`+", span)
    assert fence
    inside = span[len(fence[0]) : -len(fence[0])]
    assert fence[0] not in re.findall("`+", inside)
    assert " ".join(inside.split()) == " ".join(f"https://{value}/scim/v2".split())


@given(st.text())
def test_a_value_cannot_add_html(value: str) -> None:
    plain = _tags(_sheet("okta", None, "html"))
    assert _tags(_sheet("okta", None, "html", url=f"{value}<script><img onerror='x'>")) == plain


def _tags(page: str) -> list[object]:
    seen: list[object] = []
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, attributes: seen.append((tag, attributes))  # type: ignore[method-assign]
    parser.feed(page)
    return seen
