"""Compare our filters and tests with those of ansible-core, by hand and with hypothesis."""
# ruff: noqa: E501  (lines of a table)

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from scimconf.errors import UsageError
from scimconf.template import expand
from scimconf.template.filters import FILTERS
from tests import matrix
from tests.oracle.client import Answer, Oracle
from tests.oracle.ours import encoded

pytestmark = pytest.mark.needs_ansible

VARIABLES: dict[str, object] = {
    "n": 5,
    "t": "Ab.c",
    "host": "chat1.example.com",
    "l": [3, 1, 2],
    "m": {"b": 1, "a": [1]},
    "e": "",
    "z": None,
    "yes": True,
    "s": [{"k": 1, "v": "x"}, {"k": 2, "v": "y"}],
}
TEXTS = r"""
{{ n }}! | {{ n }}{{ n }} | {{ l }} x | {{ m }} x | {{ z }} x | {{ yes }} x | {{ [z, yes, 1.5, 'x'] }} x
{{ '5' }} | {{ '[1]' }} | {{ n ~ n }} | {{ (1, 2) }} | {{ {'a': (1,)} }} | {{ m.items() | sort }} x
{{ t.split('.') }} | {{ t[0] }}{{ t[-1:] }} | {{ l[0] }}{{ m.b }}{{ m['b'] }} | {{ m.nosuch | d('d') }}
{{ 7 / 2 }} | {{ 7 // 2 }} | {{ -7 % 3 }} | {{ n if n > 3 }} | {{ n if n > 9 }} | x{{ n if n > 9 }}
{{ 'a' in l }} | {{ 3 in l }} | {{ nosuch is defined }} | {{ nosuch }} | {{ z is none }} | {{ not n }}
{{ t is match('A') }} | {{ t is match('b') }} | {{ t is search('B', ignorecase=true) }} | {{ t is regex('c$') }}
{{ l is contains(3) }}
{{ 'a' is truthy }} | {{ '' is falsy }} | {{ 3 is odd }} | {{ l is iterable }} | {{ m is mapping }} | {{ t is string }}
{{ 'a' | default('x') }}{{ e | default('x') }}{{ e | default('x', true) }}{{ q2 | default('y') }}{{ z | d('w', true) }}
{{ 'aBc dE' | capitalize }} | {{ 'ab cd-ef' | title }} | {{ n | lower }} | {{ yes | upper }} | {{ ' x ' | trim }} | {{ 'xxaxx' | trim('x') }}
{{ t | replace('b', 'X') }} | {{ 'aaa' | replace('a', 'b', 2) }} | {{ n | replace('5', '6') }}
{{ host | regex_replace('^(.*)\.example\.com$', '\1') }} | {{ host | regex_replace('^(?P<h>[a-z]+)([0-9])', '\g<h>-\2') }}
{{ 'ABC' | regex_replace('b', 'x', ignorecase=true) }} | {{ 'aaa' | regex_replace('a', 'b', count=2) }} | {{ 'a' | regex_replace('x') }}
{{ host | regex_search('[0-9]') }} | {{ host | regex_search('x$') }} | x{{ host | regex_search('x$') }}
{{ host | regex_search('(c)(h)', '\1', '\2') }} | {{ host | regex_search('(?P<k>[0-9])', '\g<k>') }} | {{ host | regex_search('(Z)', '\1') }}
{{ l | join }} | {{ l | join(', ') }} | {{ 'abc' | join('-') }} | {{ s | join(',', attribute='v') }} | {{ m | join(',') }}
{{ yes | ternary('a', 'b') }} | {{ z | ternary('a', 'b') }} | {{ z | ternary('a', 'b', 'c') }} | {{ e | ternary(1, 2) }} | {{ 'no' | ternary(1, 2) }}
{{ 'yes' | bool }} | {{ 'No' | bool }} | {{ 'y' | bool }} | {{ 'on' | bool }} | {{ '1' | bool }} | {{ 1 | bool }} | {{ 0 | bool }} | {{ 2 | bool }} | {{ z | bool }} | {{ 'TRUE' | bool }} | {{ 'maybe' | bool }} | {{ 1.0 | bool }} | {{ '1.0' | bool }}
{{ '7' | int }} | {{ 'x' | int(3) }} | {{ '0x1f' | int(base=16) }} | {{ 3.9 | int }} | {{ '3.9' | int }} | {{ z | int }} | {{ '1.5' | float }}
{{ t | list }} | {{ m | list }} | {{ l | first }} | {{ [] | first }} | {{ l | last }} | {{ l | max }} | {{ l | min }} | {{ m | count }} | {{ l | length }}
{{ [3, 1, 3, 'a', 'A', 'a'] | unique }} | {{ ['b', 'A', 'a'] | unique(case_sensitive=true) }} | {{ 'abca' | unique }}
{{ ['b', 'A', 'c'] | sort }} | {{ ['b', 'A', 'c'] | sort(case_sensitive=true) }} | {{ s | sort(attribute='v', reverse=true) }} | {{ [1, 'a'] | sort }}
{{ 'a,b,c' | split(',') }} | {{ 'a b  c' | split }} | {{ 'a,b,c' | split(',', 1) }} | {{ e | split(',') }} | {{ l | reverse | list }}
{{ m | combine({'x': 1}, {'x': 2}) }} | {{ {'a': 1, 'b': {'c': 2}} | combine({'b': {'d': 3}}) }} | {{ {'b': {'c': 2, 'e': {}}} | combine({'b': {'d': 3, 'e': 1}}, recursive=true) }} | {{ 1 | combine({}) }}
{{ m | dict2items }} | {{ m | dict2items(key_name='k', value_name='v') }}
{{ s | map(attribute='v') | list }} | {{ s | map(attribute='q', default='z') | list }} | {{ l | map('string') }} | {{ l | map('string') }} x | {{ l | map('regex_replace', '^', 'x') | list }}
{{ s | selectattr('k', 'equalto', 1) | list }} | {{ s | selectattr('k', '==', 1) | map(attribute='v') | first }} | {{ s | rejectattr('k', 'gt', 1) | list }}
{{ l | select('gt', 1) | list }} | {{ l | reject('odd') | list }} | {{ ['a', 'b1'] | select('match', 'b') | list }} | {{ ['ab', 'b1'] | select('search', 'b1') | list }}
{{ l | union([9, 1]) | sort }} | {{ [1, 1, 2] | difference([2]) | sort }} | {{ [7, 1, 7] | intersect([1, 7]) | sort }}
{{ '/a/b.c' | basename }} | {{ '/a/b.c' | dirname }}
{{ n | mandatory }} | {{ q2 | mandatory }} | {{ 7.126 | round(2) }} | {{ -3 | abs }}
{{ m | dictsort }} | {{ m | items | list }} | {{ m.values() | list }} | {{ m.keys() }} | {{ n | string }} | {{ z | string }} | {{ yes | string }}
{% if n > 3 %}big{% else %}small{% endif %} | {% for i in l %}{{ loop.index }}{{ i }}{% if not loop.last %},{% endif %}{% endfor %} | {%- if true -%} x {%- endif -%}
{% raw %}{{ n }}{% endraw %} | {# nothing #}x | {{n}}{# c #} | {{ "a\tb" }} | {{ 'a\\b' }} | {{ true and false }} | {{ none or 'x' }} | {{ 'a' 'b' }} | {{ range(3) }} | {{ range(3) | list }}
"""
SPACED = (
    " {{ n }}",
    "{{ n }} ",
    "{{ n }}\n",
    "{{ t }}\n",
    "{{ n }}\n\n",
    "\n{{ n }}",
    "x\n{{ n }}\n",
)


def _ours(text: str, variables: dict[str, object]) -> Answer:
    try:
        return {"value": encoded(expand(text, variables))}
    except UsageError as error:
        return {"error": str(error)}


def _agree(oracle: Oracle, texts: list[str], variables: dict[str, object]) -> None:
    for text, theirs in zip(texts, oracle.expand(texts, variables), strict=True):
        ours = _ours(text, variables)
        if "error" in theirs:
            assert "error" in ours, (text, variables, theirs, ours)
        else:
            assert repr(ours) == repr(theirs), (text, variables)


def _single() -> list[str]:
    """Return the texts of the table, which ` | ` outside of braces separates."""
    found = []
    for line in TEXTS.strip().splitlines():
        depth, begun = 0, 0
        for at in range(len(line)):
            depth += line.startswith(("{{", "{%"), at) - line.startswith(("}}", "%}"), at)
            if line.startswith(" | ", at) and depth == 0:
                found.append(line[begun:at])
                begun = at + 3
        found.append(line[begun:])
    return found


def test_by_hand(oracle: Oracle) -> None:
    texts = [*_single(), *SPACED]
    assert len(texts) > 160
    _agree(oracle, texts, VARIABLES)


def test_the_table_covers_every_filter() -> None:
    unused = [name for name in FILTERS if f"| {name}" not in TEXTS]
    assert not unused


WORDS = st.text("aB1.-_ é", max_size=6)
NUMBERS = st.integers(-3, 12)
ITEMS = st.lists(WORDS | NUMBERS, max_size=4)
ARGUMENTS = st.fixed_dictionaries(
    {
        "w": WORDS,
        "x": WORDS,
        "i": NUMBERS,
        "items": st.lists(WORDS, max_size=4),
        "nums": st.lists(NUMBERS, max_size=4),
        "any": WORDS | NUMBERS | st.none() | st.booleans() | ITEMS | st.floats(-9, 9, width=16),
        "map": st.dictionaries(WORDS, WORDS | NUMBERS | st.none(), max_size=3),
        "other": st.dictionaries(WORDS, WORDS, max_size=3),
    }
)
CALLS = [
    "{{ any }}", "{{ any }} {{ any }}", "{{ any | string }}", "{{ any | bool }}",
    "{{ any | int }}", "{{ any | int(7) }}", "{{ any | default('d', true) }}",
    "{{ any | ternary(1, 2, 3) }}", "{{ any | lower }}", "{{ w | upper }}", "{{ w | title }}",
    "{{ w | capitalize }}", "{{ w | trim }}", "{{ w | replace(x, '+') }}",
    "{{ w | split(x or ' ') }}", "{{ w | split }}", "{{ w | unique }}",
    "{{ w | regex_replace('[a-b]', x) }}", "{{ w | regex_search(x) }}", "{{ w | list }}",
    "{{ w[i] }}", "{{ w is match(x) }}", "{{ w is search(x) }}", "{{ w | float }}",
    "{{ items | join(x) }}", "{{ items | sort }}", "{{ items | unique }}", "{{ items | first }}",
    "{{ items | last }}", "{{ items | max }}", "{{ items | union([w]) | sort }}",
    "{{ items[i:] }}", "{{ items | difference([w]) | sort }}",
    "{{ items | intersect([w, x]) | sort }}", "{{ items | map('upper') | list }}",
    "{{ nums | sort(reverse=true) }}", "{{ nums | min }}", "{{ nums | select('gt', i) | list }}",
    "{{ nums is contains(i) }}", "{{ i / 4 }}", "{{ i % 5 }}", "{{ i // 3 }}", "{{ i | abs }}",
    "{{ i | string + w }}", "{{ map | combine(other) }}", "{{ map | dict2items }}",
    "{{ map | length }}", "{{ map[w] | default(x) }}", "{{ map | dictsort }}", "{{ map }}!",
    "{% for k in map %}{{ k }}={{ map[k] }};{% endfor %}", "{{ w ~ i }}",
]  # fmt: skip


@given(ARGUMENTS)
@settings(
    max_examples=400 if matrix.ALL else 40,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_generated_arguments(oracle: Oracle, arguments: dict[str, object]) -> None:
    _agree(oracle, CALLS, arguments)
