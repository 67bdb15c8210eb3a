"""Expand templates as Ansible does, within limits; render our own templates."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scimconf import template
from scimconf.errors import UsageError
from scimconf.model import Unsafe, VaultValue
from scimconf.secret import Secret
from scimconf.template import Variables, expand, files, render, template_text
from scimconf.template.filters import FILTERS, TESTS

CLOSED = VaultValue("$ANSIBLE_VAULT;1.1;AES256\n66")
VARIABLES: dict[str, object] = {
    "name": "{{ base }}-x",
    "base": "B",
    "number": 5,
    "items_": [1, "{{ base }}"],
    "deep": {"a": {"b": "{{ number }}"}, "closed": CLOSED},
    "ping": "{{ pong }}",
    "pong": "{{ ping }}!",
    "myself": "{{ myself }}",
    "closed": CLOSED,
    "secret": Secret("hunter2hunter2"),
    "through": "{{ closed }}",
    "raw": Unsafe("{{ base }}"),
    "dangling": "{{ nosuch }}",
    "long": "x" * 60_000,
    "off": "no",
}
FACTS: dict[str, object] = {
    "inventory_hostname": "chat1.example.com",
    "groups": {"all": ["a", "b"], "web": ["a"]},
    "group_names": ["web"],
}


def value(source: object) -> object:
    return expand(source, VARIABLES, FACTS)


def refusal(source: object) -> str:
    with pytest.raises(UsageError) as caught:
        value(source)
    return str(caught.value)


@pytest.mark.parametrize(
    ("source", "result"),
    [
        ("plain", "plain"),
        (3, 3),
        (None, None),
        ("{{ number }}", 5),
        (" {{ number }} ", " 5 "),
        ("{{ number }}\n", 5),
        ("{{ base }}\n", "B\n"),
        ("{{ base ~ 'x' }}\n", "Bx\n"),
        ("{{ number }}\n\n", "5\n\n"),
        ("x{{ none }}", "x"),
        ("{% if false %}{% endif %}", None),
        ("{{ items_ | map('string') }}!", "['1', 'B']!"),
        ("{{ number + 1 }}", 6),
        ("{{ number }}!", "5!"),
        ("{{ 5 }}", 5),
        ("{{ true }}", True),
        ("{{ none }}", None),
        ("{{ ['a', 'b'] }}", ["a", "b"]),
        ("{{ {'k': number} }}", {"k": 5}),
        ("{{ name }}", "B-x"),
        ("{{ items_ }}", [1, "B"]),
        ("{{ deep.a.b }}", 5),
        ("{{ deep['a']['b'] + 1 }}", 6),
        (["{{ base }}", {"k": "{{ base }}"}], ["B", {"k": "B"}]),
        ({"{{ base }}": 1}, {"{{ base }}": 1}),
        ("{{ raw }}", "{{ base }}"),
        ("{{ raw }}!", "{{ base }}!"),
        (Unsafe("{{ base }}"), "{{ base }}"),
        ("{{ inventory_hostname.split('.')[0] }}", "chat1"),
        ("{{ groups['web'] }}", ["a"]),
        ("{{ groups.all | length }}", 2),
        ("{{ 'web' in group_names }}", True),
        ("{% if number == 5 %}five{% else %}other{% endif %}", "five"),
        ("{% for x in groups.all %}{{ x }}{{ ',' if not loop.last }}{% endfor %}", "a,b"),
        ("{% for x in range(3) %}{{ x }}{% endfor %}", "012"),
        ("{# nothing #}x", "x"),
        ("{{ nosuch | default('d') }}", "d"),
        ("{{ nosuch.deeper | default('d') if nosuch is defined else 'e' }}", "e"),
        ("{{ '' | d('x', true) }}", "x"),
        ("{{ 'Ab' | lower }}{{ 'Ab' | upper }}", "abAB"),
        ("{{ 'a.b' | replace('.', '-') }}", "a-b"),
        ("{{ 'a.b.c' | replace('.', '-', 1) }}", "a-b.c"),
        (r"{{ inventory_hostname | regex_replace('^(.*)\.example\.com$', '\1') }}", "chat1"),
        (r"{{ inventory_hostname | regex_search('\d+') }}", "1"),
        (r"{{ inventory_hostname | regex_search('chat(\d+)', '\1') }}", ["1"]),
        ("{{ 'a' | regex_search('b') }}", None),
        ("x{{ 'a' | regex_search('b') }}", "x"),
        ("{{ deep.items() | map('first') | list }}", ["a", "closed"]),
        (
            "{{ {'a': {'b': 1}} | combine({'a': {'c': 2}}, recursive=true) }}",
            {"a": {"b": 1, "c": 2}},
        ),
        ("{{ [1, 2] + [3] }}{{ 'a' + 'b' }}{{ 1 + 1 }}", "[1, 2, 3]ab2"),
        ("{{ items_ | join(',') }}", "1,B"),
        ("{{ (number > 3) | ternary('big', 'small') }}", "big"),
        ("{{ none | ternary('a', 'b', 'c') }}", "c"),
        ("{{ 'yes' | bool }}", True),
        ("{{ off | bool }}", False),
        ("{{ 'nonsense' | bool }}", False),
        ("{{ '7' | int }}", 7),
        ("{{ 7 | string }}", "7"),
        ("{{ ' x ' | trim }}", "x"),
        ("{{ 'a,b' | split(',') | last }}", "b"),
        ("{{ 'a b' | split | first }}", "a"),
        ("{{ {'a': 1} | dict2items }}", [{"key": "a", "value": 1}]),
        ("{{ items_ | map('string') | list }}", ["1", "B"]),
        ("{{ items_ | map('string') }}", ["1", "B"]),
        ("{{ range(2) | list }}", [0, 1]),
        ("{{ closed }}", CLOSED),
        ("{{ through }}", CLOSED),
        ("{{ deep.closed }}", CLOSED),
        ("{{ deep }}", {"a": {"b": 5}, "closed": CLOSED}),
        ("{{ 3 * 4 % 5 }}", 2),
    ],
)
def test_expand(source: object, result: object) -> None:
    found = value(source)
    assert found == result
    assert type(found) is type(result) or isinstance(found, (str, int))


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("{{ nosuch }}", "'nosuch' is undefined"),
        ("{{ dangling | default('x') }}", "'nosuch' is undefined"),
        ("{{ base.x.y }}", "has no attribute 'x'"),
        ("{{ ping }}", "the variable depends on itself: ping -> pong -> ping"),
        ("{{ myself }}", "the variable depends on itself: myself -> myself"),
        ("{{ lookup('env', 'HOME') }}", "lookups are not supported"),
        ("{{ query('x') }}", "lookups are not supported"),
        ("{{ hostvars['a'].b }}", "hostvars has no 'a'"),
        ("{{ base | nosuch }}", "No filter named 'nosuch'"),
        ("{{ base is nosuch }}", "No test named 'nosuch'"),
        ("{{", "the template is not valid"),
        ("{% if %}", "the template is not valid"),
        ("x{{ closed }}", "encrypted values are not supported here"),
        ("{{ closed | lower }}", "closed is encrypted"),
        ("{{ [closed] | join }}", "closed is encrypted"),
        ("{{ [closed] }} x", "encrypted values are not supported here"),
        ("{{ deep.closed ~ '' }}", "deep.closed is encrypted"),
        ("{{ secret | upper }}", "secret is encrypted"),
        ("{{ 1 / 0 }}", "the template fails: ZeroDivisionError"),
        ("{{ base + 1 }}", "the template fails: TypeError"),
        ("{{ [1][5] + 1 }}", "has no element 5"),
        # what an expression can reach
        ("{{ ''.__class__ }}", "unsafe"),
        ("{{ number.__class__.__mro__ }}", "unsafe"),
        ("{{ ''['__class__'] }}", "unsafe"),
        ("{{ items_ | map(attribute='__class__') | list }}", "the template fails"),
        ("{{ range.__globals__ }}", "unsafe"),
        ("{{ self._TemplateReference__context }}", "unsafe"),
        ("{{ self }}", "not data"),
        ("{{ range }}", "not data"),
        ("{{ range(2) }}", "not data"),
        ("{{ items_.append(3) }}", "unsafe"),
        ("{{ deep.update({}) }}", "unsafe"),
        ("{{ 'x'.format }}", "unsafe"),
        ("{{ cycler('a') }}", "'cycler' is undefined"),
        ("{% include 'x' %}", "Include is not supported"),
        ("{% import 'x' as y %}", "Import is not supported"),
        ("{% set x = 1 %}", "Assign is not supported"),
        ("{% macro m() %}{% endmacro %}", "Macro is not supported"),
        # limits
        ("{{ 2 ** 9 }}", "Pow is not supported"),
        ("{{ 'x' * 1000000000 }}", "* is supported for numbers only"),
        ("{{ [1] * 1000000000 }}", "* is supported for numbers only"),
        ("{{ '%1000000000d' % 1 }}", "% is supported for numbers only"),
        ("{{ 9999999999 * 9999999999 * 9999999999 }}", "the numbers are too large"),
        ("{{ '{:1000000000}'.format(1) }}", "unsafe"),
        ("{{ 'x'.center(1000000000) }}", "unsafe"),
        ("{{ number.to_bytes(1000000000, 'big') }}", "unsafe"),
        ("{{ range(1000000000) | list }}", "range() has more than 1000 numbers"),
        ("{{ long ~ long }}", "more than 65536 characters"),
        ("{{ (range(1000) | list + [1]) | union([]) }}", "more than 1000 items"),
        ("{{ long + long + long + long + long }}", "too large"),
        ("{{ '[' * 2 }}", "* is supported for numbers only"),
        ("{{ [] + 1 }}", "the template fails: TypeError"),
        ("{{ 1 | combine({}) }}", "the template fails: TypeError"),
        ("{{ nosuch | mandatory }}", "'nosuch' is undefined"),
        ("{{ long }}{{ long }}", "more than 65536 characters"),
        ("{{ [" + "long," * 5 + "] }}", "too large"),
        ("{{ long | replace('x', long) }}", "the result of replace is too long"),
        ("{{ range(1000) | join(long) }}", "the result of join is too long"),
        ("{% for a in range(9) %}{% for b in range(9) %}x{% endfor %}{% endfor %}", "in a `for`"),
        ("{{ 'a' | regex_replace('(a+)+$', '') }}", "a repeated (...)"),
        ("{{ 'a' | regex_replace('a?a?a?a?a?aaaaa', '') }}", "more than 4 of"),
        (r"{{ 'a' | regex_search('\\\\*\\\\*\\\\*\\\\*\\\\*') }}", "more than 4 of"),
        ("{{ '" + "a" * 150 + "' | regex_search('a*a*a*a*b') }}", "too long for 4 of"),
        ("{{ 'a' | regex_replace('(a|a)(a|a)(a|a)(a|a)(a|a)b', '') }}", "more than 4 of"),
        ("{{ long | regex_replace('a', 'b') }}", "too long"),
        ("{{ 'a' | regex_replace('(', 'b') }}", "not valid"),
        ("{{ 'x' | regex_replace('x', '\\1') }}", "the replacement is not valid"),
        ("{{ 'x' | regex_replace('x', '\\q') }}", "the replacement is not valid"),
        ("{{ 'x' | regex_search('x', '\\2') }}", "the regular expression is not valid"),
        ("{{ 1 in 1e400 }}", "the template fails: NameError"),
        ("{{ 0x" + "f" * 4000 + " }}", "the template is not valid: ValueError"),
        ("{% if 1 %}" * 120 + "{% endif %}" * 120, "the template is not valid: IndentationError"),
        ("{{ 1" + " + 1" * 2000 + " }}", "more than 4096 characters"),
        ("{{ " + "(" * 1500 + "1" + ")" * 1500 + " }}", "nested too deeply"),
    ],
)
def test_refusals(source: str, expected: str) -> None:
    assert expected in refusal(source)


VALUES = ("none", "'a('", "-1", "1e400", "[1, 'a']", "{'a': 1}", "nosuch", "range", "")


@pytest.mark.parametrize("name", [*FILTERS, *(f"is {name}" for name in TESTS)])
def test_a_filter_that_fails_is_an_inventory_error(name: str) -> None:
    form = "{{{{ {} {}({}) }}}}" if name.startswith("is ") else "{{{{ {} | {}({}) }}}}"
    for subject in VALUES[:-1]:
        for argument in VALUES:
            with suppress(UsageError):
                value(form.format(subject, name, argument))


def test_doubling_through_variables_is_stopped() -> None:
    chain: dict[str, object] = {f"v{n}": f"{{{{ [v{n + 1}, v{n + 1}] }}}}" for n in range(60)}
    with pytest.raises(UsageError, match="too large"):
        expand("{{ v0 }}", {**chain, "v60": "x"})


def test_a_long_chain_of_variables_is_an_error() -> None:
    chain: dict[str, object] = {f"v{n}": f"{{{{ v{n + 1} ~ '' }}}}" for n in range(2000)}
    with pytest.raises(UsageError, match="nested too deeply"):
        expand("{{ v0 ~ '' }}", {**chain, "v2000": "x"})


def test_a_variable_is_expanded_only_when_it_is_used() -> None:
    variables = Variables(VARIABLES, FACTS)
    assert variables["name"] == "B-x"
    with pytest.raises(UsageError):
        variables["dangling"]
    with pytest.raises(KeyError):
        variables["nosuch"]


def test_facts_cannot_be_overridden() -> None:
    assert expand("{{ groups }}", {"groups": "mine"}, {"groups": {}}) == {}


def test_an_error_never_quotes_a_secret() -> None:
    for source in (
        "{{ secret }}x",
        "{{ secret | int + 1 }}",
        "{{ secret.x.y }}",
        "{{ secret[0] }}",
    ):
        assert "hunter2" not in refusal(source)


@given(st.text("{}%#|.() '[]*+~-_abnumber1", max_size=40))
@settings(max_examples=100)
def test_any_text_gives_data_or_an_error(source: str) -> None:
    try:
        result = value(source)
    except UsageError as error:
        assert str(error)  # noqa: PT017
    else:
        assert result is None or isinstance(result, (str, int, float, list, dict))


# --- our own templates -------------------------------------------------------------------------


@pytest.fixture
def templates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder in the place of the package's templates in a wheel."""
    folder = tmp_path / "templates"
    folder.mkdir()
    monkeypatch.setattr(files.resources, "files", lambda _: tmp_path)
    files._environment.cache_clear()
    return folder


def test_render(templates: Path) -> None:
    (templates / "a.j2").write_text(
        "{% for x in xs %}\n  {{ x }}\n{% endfor %}\n{% include 'b.j2' %}"
    )
    (templates / "b.j2").write_text("<{{ y }}>\n")
    assert render("a.j2", xs=["p", "q"], y="&'\"{{ z }}") == "  p\n  q\n<&'\"{{ z }}>\n"


def test_render_needs_every_value(templates: Path) -> None:
    (templates / "a.j2").write_text("{{ x }}")
    with pytest.raises(Exception, match="'x' is undefined"):
        render("a.j2")


def test_the_checkout_has_the_same_templates() -> None:
    assert "SCIM_CONFIG" in template_text("scim_config.py.j2")


def test_an_unknown_template(templates: Path) -> None:
    with pytest.raises(FileNotFoundError):
        template_text("nosuch.j2")
    with pytest.raises(FileNotFoundError):
        template.render("nosuch.j2")
