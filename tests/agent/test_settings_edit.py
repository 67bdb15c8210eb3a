"""The editor of settings.py: what it changes, what it keeps, and what it refuses."""

from __future__ import annotations

import ast

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from scimconf.agent import settings_edit
from scimconf.agent.errors import Refusal
from scimconf.agent.settings_edit import edit
from scimconf.agent.settings_file import BEGIN, END, IMPORT, Settings, read

ZULIP = b"""\
# Settings, in Zulip's manner.
from .config import get_secret

EXTERNAL_HOST = "chat.example.com"
REALM_HOSTS = {"acme": "chat.acme.example"}
ALLOWED_HOSTS = [EXTERNAL_HOST]
import ldap

AUTH_LDAP_BIND_PASSWORD = get_secret("auth_ldap_bind_password")
"""


def entry(realm: str, token: str = '"t0ken"', client: str = "okta") -> str:
    return (
        f'"{realm}": {{\n'
        f'        "bearer_token": {token},\n'
        f'        "scim_client_name": "{client}",\n'
        f'        "name_formatted_included": False,\n'
        f"    }}"
    )


ACME = entry("acme")
BETA = entry("beta")
SECRET = entry("acme", token='get_secret("scim_bearer_token_acme")')


def config(data: bytes) -> object:
    """Run a settings file and return its SCIM_CONFIG, which proves what Python sees."""
    source = data.replace(b"from .config import", b"from zproject.config import")
    tree = ast.parse(source)
    kept = [node for node in tree.body if not isinstance(node, (ast.Import, ast.ImportFrom))]
    values = {"get_secret": lambda name: f"secret {name}"}
    exec(compile(ast.Module(kept, []), "settings", "exec"), values)
    return values.get("SCIM_CONFIG")


# --- a file without a block -------------------------------------------------------------------


def test_a_new_block_looks_as_in_zulips_documentation() -> None:
    assert edit(ZULIP, {"acme": ACME, "beta": BETA}).decode() == (
        ZULIP.decode()
        + f"""
{BEGIN}
SCIM_CONFIG = {{
    "acme": {{
        "bearer_token": "t0ken",
        "scim_client_name": "okta",
        "name_formatted_included": False,
    }},
    "beta": {{
        "bearer_token": "t0ken",
        "scim_client_name": "okta",
        "name_formatted_included": False,
    }}
}}
{END}
"""
    )


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n",
        b"\r\n",
        b"\n\n",
        b"X = 1",
        b"X = 1\n",
        b"X = 1\n\n",
        b"X = 1\r\n",
        b"X = 1\r",
        b"X = 1\nY = 2\r",
        b"X = 1\rY = 2\n",
        b"# comment",
        b"\xef\xbb\xbfX = 1\n",
        b"\xef\xbb\xbf",
        b"# -*- coding: latin-1 -*-\nNAME = '\xe9\xe8'\n",
        b"# x\r# coding: latin-1\rY = '\xe9'\r",
        b"X = 1\n\x0c\nY = 2\n",
        b"X = 1\n    ",
        b"if X:\n    Y = 1",
        "X = '\u2028\x85\x1c'\n".encode(),
        ZULIP,
    ],
)
def test_removing_what_was_added_restores_the_file(data: bytes) -> None:
    once = edit(data, {"acme": ACME})
    twice = edit(once, {"beta": BETA, "": entry("")})
    assert list(read(twice).entries) == ["acme", "beta", ""]
    assert once.startswith(data)
    assert once.endswith((b"\r", b"\n")) == (
        not read(data).source.text or data.endswith((b"\r", b"\n"))
    )
    assert edit(twice, {"beta": None, "": None}) == once
    assert edit(once, {"acme": None}) == data


def test_the_line_breaks_of_the_file_are_used() -> None:
    assert b"\n" not in edit(b"X = 1\rY = 2\r", {"acme": ACME})
    made = edit(b"X = 1\r\n", {"acme": ACME, "beta": BETA})
    assert made.count(b"\n") == made.count(b"\r\n") == made.count(b"\r")


def test_an_added_block_is_removed_with_its_last_realm() -> None:
    data = edit(ZULIP, {"acme": ACME}) + b"LATER = 1\n"
    assert edit(data, {"acme": None}) == ZULIP + b"LATER = 1\n"


def test_other_text_between_the_comment_lines_keeps_the_block() -> None:
    data = edit(ZULIP, {"acme": ACME}).replace(b"SCIM_CONFIG =", b"PASSWORD = 'x'\nSCIM_CONFIG =")
    found = read(data)
    assert found.block is not None
    assert not found.block.ours
    assert "PASSWORD" not in (found.block_text or "")
    assert edit(data, {"acme": None}).endswith(b"SCIM_CONFIG = {}\n" + END.encode() + b"\n")


def test_nothing_to_do_returns_the_same_bytes() -> None:
    assert edit(ZULIP, {"acme": None}) == ZULIP
    once = edit(ZULIP, {"acme": ACME})
    assert edit(once, {"acme": ACME}) == once


# --- an admin's own block ---------------------------------------------------------------------

STYLES = [
    "SCIM_CONFIG = {}",
    "SCIM_CONFIG = { }",
    "SCIM_CONFIG = {\n}",
    "SCIM_CONFIG = {\n    # none yet\n}",
    "SCIM_CONFIG = {\n    # none yet\n    }",
    "SCIM_CONFIG: dict = {}",
    "SCIM_CONFIG = ({})",
    "X = 1; SCIM_CONFIG = {}; Y = 2",
    'SCIM_CONFIG = {"a": {}}',
    'SCIM_CONFIG = {"a": {},}',
    'SCIM_CONFIG = { "a": {} }',
    'SCIM_CONFIG = {"a": {}, "b": {}}',
    'SCIM_CONFIG = {"a": {} , "b": {} , }',
    'SCIM_CONFIG = {\n    "a": {},\n    "b": {},\n}',
    'SCIM_CONFIG = {\n    "a": {},\n    "b": {}\n}',
    'SCIM_CONFIG = {\n    "a": {}, "b": {}\n}',
    'SCIM_CONFIG = {\n    "a": {},  # Anna\n    "b": {}  # Bob, {"c": 1},\n}',
    'SCIM_CONFIG = {\n    "a": {},  # Anna\n    "b": {},  # Bob\n    # the end\n}',
    'SCIM_CONFIG = {\n    "a": {}  # Anna\n    ,\n    "b": {}\n    ,\n}',
    'SCIM_CONFIG = {\n    "a": {}\n  , "b": {}\n}',
    'SCIM_CONFIG = {\n    "a": {},\n    "b": {}}',
    'SCIM_CONFIG = {\n    ("a"): ({}),\n    ("b"): (({})),\n}',
    'SCIM_CONFIG = {\n    "a"\n    "b": {"x": lambda a, b: (a, b)},\n    "c": f("}", [1, 2]),\n}',
    "SCIM_CONFIG = {\n\t'a': {},   \n\t'b': {}   \n\t}",
    'SCIM_CONFIG = {\\\n    "a": {}, \\\n    "b": {} \\\n}',
    'SCIM_CONFIG = {  # SCIM_CONFIG\n    "a": {},\n}  # end',
    'SCIM_CONFIG = {"é": {}, "b": {"x": "ß"}}',
    'SCIM_CONFIG = {\x0c"a": {},\x0c"b": {}\x0c}',
]


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("style", STYLES)
def test_insert_and_remove_restores_every_style(style: str, newline: str) -> None:
    text = f"# Anna's\nA = 1\n{style}\nZ = 9\n"
    data = text.replace("\n", newline).encode()
    before = read(data)
    after = edit(data, {"acme": ACME, "beta": BETA})
    found = read(after)
    assert list(found.entries) == [*before.entries, "acme", "beta"]
    for realm, old in before.entries.items():
        assert found.entries[realm].text == old.text
    assert edit(after, {"acme": None, "beta": None}) == data
    assert edit(edit(after, {"beta": None}), {"acme": None}) == data
    assert edit(edit(after, {"acme": None}), {"beta": None}) == data


@pytest.mark.parametrize("style", [style for style in STYLES if '"b": {}' in style])
@pytest.mark.parametrize("realm", ["a", "b"])
def test_each_of_two_realms_can_be_removed(style: str, realm: str) -> None:
    data = f"A = 1\n{style}\nZ = 9\n".encode()
    after = edit(data, {realm: None})
    assert config(after) == {"a" if realm == "b" else "b": {}}
    assert config(edit(after, {"a": None, "b": None})) == {}


def test_the_comment_after_an_entry_is_removed_with_it() -> None:
    data = b'SCIM_CONFIG = {\n    "a": {},  # Anna\n    # about b\n    "b": {},  # Bob\n}\n'
    assert edit(data, {"b": None}) == (b'SCIM_CONFIG = {\n    "a": {},  # Anna\n    # about b\n}\n')


def test_the_only_entry_after_a_line_continuation_is_removed() -> None:
    data = b'SCIM_CONFIG = { \\\n    "a": {}\n}\nZ = 9\n'
    assert edit(data, {"a": None}) == b"SCIM_CONFIG = { \\\n}\nZ = 9\n"


def test_an_admins_block_stays_when_empty() -> None:
    data = b'SCIM_CONFIG = {\n    "a": {},\n}\nZ = 9\n'
    assert edit(data, {"a": None}) == b"SCIM_CONFIG = {}\nZ = 9\n"
    data = b'SCIM_CONFIG = {\n    # why\n    "a": {},\n}\nZ = 9\n'
    assert edit(data, {"a": None}) == b"SCIM_CONFIG = {\n    # why\n}\nZ = 9\n"


def test_replace_leaves_everything_around_it() -> None:
    data = b'SCIM_CONFIG = {\n    # c\n    "acme": {}, # d\n    "b": f(1), }\n'
    expected = b'SCIM_CONFIG = {\n    # c\n    %s, # d\n    "b": f(1), }\n' % ACME.encode()
    assert edit(data, {"acme": ACME}) == expected


ADMINS = """\
SCIM_CONFIG = {
    # Anna's
    'acme': {  # since May
        'scim_client_name': 'okta', 'bearer_token': 'old',  # from the vault

        # Okta sends two names
        'name_formatted_included': (False),
        'custom_profile_field_map': {
            'dept': 'department',  # HR's
            "gone": "x",
        }
    },  # end of acme
}
"""


def test_a_new_token_changes_nothing_else() -> None:
    wanted = entry("acme", '"new"').replace(
        "    }", '        "custom_profile_field_map": {"gone": "x", "dept": "department"},\n    }'
    )
    after = edit(ADMINS.encode(), {"acme": wanted})
    assert after.decode() == ADMINS.replace("'old'", '"new"')


def test_values_and_keys_change_in_their_places() -> None:
    wanted = entry("acme", 'get_secret("scim")').replace(
        "    }",
        '        "create_guests_without_streams": True,\n'
        '        "custom_profile_field_map": {"dept": "unit", "cost": "y"},\n    }',
    )
    wanted = wanted.replace('        "scim_client_name": "okta",\n', "")
    data = b"from .config import get_secret\n" + ADMINS.encode()
    assert edit(data, {"acme": wanted}).decode() == "from .config import get_secret\n" + (
        ADMINS.replace(
            "'scim_client_name': 'okta', 'bearer_token': 'old'",
            """'bearer_token': get_secret("scim")""",
        )
        .replace("'department'", '"unit"')
        .replace('            "gone": "x",\n', '            "cost": "y",\n')
        .replace("        }\n", '        },\n        "create_guests_without_streams": True\n')
    )


def test_the_same_data_in_another_layout_is_left_unchanged() -> None:
    data = b"SCIM_CONFIG = {'acme': {'name_formatted_included': False,\r\n'scim_client_name': "
    data += b"'ok' 'ta', 'bearer_token': \"t0ken\"}}"
    assert edit(data, {"acme": ACME}) == data


def test_the_same_entry_with_other_line_breaks_is_left_unchanged() -> None:
    data = b"A = 1\r\nSCIM_CONFIG = {%s\n}\n" % ACME.replace("\n", "\r\n").encode()
    assert edit(data, {"acme": ACME}) == data
    odd = b"SCIM_CONFIG = {'acme': f(\r\n1)}\r\n"
    assert edit(odd, {"acme": "'acme': f(\n1)"}) == odd


def test_replacing_the_only_realm_keeps_the_block_in_its_place() -> None:
    data = edit(ZULIP, {"acme": ACME}) + b"LATER = 1\n"
    assert edit(data, {"acme": None, "beta": BETA}) == data.replace(ACME.encode(), BETA.encode())


@pytest.mark.parametrize(
    "text",
    [
        '"acme": {}, "other": {}',
        '"other": {}',
        '"acme": {}}; import os; {',
        '"acme": {',
        "",
        '"acme": {}  # comment',
        '**{"acme": {}}',
    ],
)
def test_text_that_is_not_one_entry_is_refused(text: str) -> None:
    for data in (ZULIP, b'SCIM_CONFIG = {"b": {}}\n', b'SCIM_CONFIG = {"acme": {1: 2}}\n'):
        with pytest.raises(Refusal):
            edit(data, {"acme": text})


# --- get_secret -------------------------------------------------------------------------------


def test_a_missing_import_is_added_and_removed_again() -> None:
    data = b"EXTERNAL_HOST = 'a'\n"
    once = edit(data, {"acme": SECRET})
    assert f"{BEGIN}\n{IMPORT}\nSCIM_CONFIG = {{\n".encode() in once
    found = read(once)
    assert found.block is not None
    assert found.block.ours
    assert found.entries["acme"].secret_name == "scim_bearer_token_acme"
    assert edit(once, {"acme": None}) == data
    assert IMPORT.encode() not in edit(once, {"acme": ACME})


def test_the_import_for_an_admins_block_is_removed_again() -> None:
    data = b"A = 1\r\nSCIM_CONFIG = {}\r\n"
    once = edit(data, {"acme": SECRET})
    assert IMPORT.encode() + b"\r\nSCIM_CONFIG" in once
    assert edit(once, {"acme": None}) == data
    assert edit(once + b"B = get_secret('x')\r\n", {"acme": None}).count(IMPORT.encode()) == 1


def test_no_import_is_added_for_a_token_that_looks_like_get_secret() -> None:
    assert IMPORT.encode() not in edit(b"", {"acme": entry("acme", '"get_secret(1)"')})


@pytest.mark.parametrize(
    "data",
    [
        "SCIM_CONFIG = {}\nfrom .config import get_secret\nX = get_secret('x')\n",
        "def f():\n    return get_secret('x')\nSCIM_CONFIG = {}\nfrom .config import get_secret\n",
        "if A:\n    from .config import get_secret\nX = get_secret('x')\nSCIM_CONFIG = {}\n",
        "if A:\n    from .config import get_secret\nSCIM_CONFIG = {}\nX = get_secret('x')\n",
    ],
)
def test_the_added_import_is_removed_if_the_file_has_its_own(data: str) -> None:
    once = edit(data.encode(), {"acme": SECRET})
    assert IMPORT.encode() in once
    assert edit(once, {"acme": None}) == data.encode()


def test_an_import_that_continues_the_line_above_stays() -> None:
    data = f"if A: \\\n{IMPORT}\nSCIM_CONFIG = {{'acme': {{}}}}\n".encode()
    assert edit(data, {"acme": None}) == data.replace(b"'acme': {}", b"")


@pytest.mark.parametrize(
    "use",
    [
        "X = get_secret('x')\nfrom .config import get_secret\n",
        "def f():\n    return get_secret('x')\n",
        "class A:\n    x = get_secret('x')\n",
    ],
)
def test_the_import_stays_if_another_line_needs_it(use: str) -> None:
    once = edit(b"SCIM_CONFIG = {}\n", {"acme": SECRET}) + use.encode()
    assert IMPORT.encode() in edit(once, {"acme": None})


def test_a_later_import_star_may_bind_another_get_secret() -> None:
    own, star = "from .config import get_secret\n", "from x import *\n"
    used = "SCIM_CONFIG = {'b': {'bearer_token': get_secret('n')}}\n"
    assert read((star + own + used).encode()).entries["b"].secret_name == "n"
    assert read((own + star + used).encode()).entries["b"].unreadable
    free = (own + star + "SCIM_CONFIG = {}\n").encode()
    assert not read(free).imports_get_secret
    for data in ((own + star + used).encode(), (star + used).encode(), free):
        with pytest.raises(Refusal, match="may define get_secret") as caught:
            edit(data, {"acme": SECRET})
        assert caught.value.line == 1 + data.startswith(b"from .")
    assert IMPORT.encode() in edit(f"{star}SCIM_CONFIG = {{}}\n".encode(), {"acme": SECRET})
    assert IMPORT.encode() not in edit((star + own + used).encode(), {"acme": SECRET})


def test_zulips_own_import_is_enough() -> None:
    assert IMPORT.encode() not in edit(ZULIP, {"acme": SECRET})


@pytest.mark.parametrize(
    ("data", "above"),
    [
        (ZULIP, True),
        (b"", False),
        (edit(ZULIP, {"acme": SECRET}), True),
        (edit(b"", {"acme": SECRET}), False),
        (edit(b"SCIM_CONFIG = {}\n", {"acme": SECRET}), True),
        (b"SCIM_CONFIG = {}\nfrom .config import get_secret\n", False),
        (b"try:\n    from .config import get_secret\nfinally:\n    pass\n", False),
    ],
)
def test_whether_an_edit_of_the_block_alone_needs_the_import(data: bytes, above: bool) -> None:
    assert read(data).imports_get_secret is above


def test_an_import_that_may_not_run_is_not_enough() -> None:
    data = b"try:\n    from .config import get_secret\nexcept ImportError:\n    pass\n"
    assert IMPORT.encode() in edit(data, {"acme": SECRET})


@pytest.mark.parametrize(
    ("data", "line", "column"),
    [
        (b"def get_secret(name):\n    return 'x'\n", 1, 1),
        (b"A = 1\nget_secret = print\n", 2, 1),
        (b"from vault import get_secret\n", 1, 1),
        (b"A = 1; SCIM_CONFIG = {}\n", 1, 8),
    ],
)
def test_another_get_secret_is_refused(data: bytes, line: int, column: int) -> None:
    with pytest.raises(Refusal) as caught:
        edit(data, {"acme": SECRET})
    assert caught.value.line == line
    if b"import" not in data:  # an alias has its own position from Python 3.10 on
        assert caught.value.column == column


# --- what it reads ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "column"),
    [
        ("f(1)", 11),
        ('{"bearer_token": open("x")}', 28),
        ('{"bearer_token": get_secret(NAME)}', 28),
        ('{"bearer_token": get_secret("a", "b")}', 28),
        ('{"bearer_token": 12}', 28),
        ('{"bearer_token": b"x"}', 28),
        ('{"x": (1, 2)}', 17),
        ('{"x": {1: 2}}', 17),
        ('{"x": "a" + "b"}', 17),
        ('{"x": f"{A}"}', 17),
        ('{**BASE, "x": 1}', 14),
        ("{A: 1}", 12),
        ('{"x": 1, "x": 2}', 20),
    ],
)
def test_an_entry_that_is_not_data_blocks_no_other_realm(value: str, column: int) -> None:
    lines = 'from .config import get_secret\nSCIM_CONFIG = {\n    "odd": %s,\n}\n'
    data = (lines % value).encode()
    odd = read(data).entries["odd"]
    assert odd.unreadable
    assert (odd.line, odd.column) == (3, column + 1)
    after = edit(data, {"acme": ACME})
    assert read(after).entries["odd"].text == odd.text
    assert edit(after, {"acme": None}) == data


@pytest.mark.parametrize(
    ("value", "column"),
    [
        ("f(1)", 25),
        ("{'bearer_token': (T := 't')}", 43),
        ("{'x': [1, {'y': A}]}", 41),
        ("{**BASE}", 28),
        ("{'x': f'{A}'}", 31),
    ],
)
def test_an_entry_with_an_expression_is_not_replaced(value: str, column: int) -> None:
    data = f"SCIM_CONFIG = {{'acme': {value}}}\nX = T\n".encode()
    for text in (None, ACME):
        with pytest.raises(Refusal, match="computed") as caught:
            edit(data, {"acme": text})
        assert (caught.value.line, caught.value.column) == (1, column - 1)
    assert edit(data, {"acme": f"'acme': {value}"}) == data
    assert list(read(edit(data, {"beta": BETA})).entries) == ["acme", "beta"]


@pytest.mark.parametrize("value", ["{'x': (1, {2})}", "None", "{'bearer_token': get_secret('n')}"])
def test_an_unusual_literal_entry_is_replaced(value: str) -> None:
    data = f"SCIM_CONFIG = {{'acme': {value}}}\n".encode()
    assert config(edit(data, {"acme": ACME})) == config(edit(b"", {"acme": ACME}))


# --- what it refuses --------------------------------------------------------------------------

REFUSED = [
    ("SCIM_CONFIG = {}\nSCIM_CONFIG = {}\n", 2, 1),
    ("SCIM_CONFIG = {}\nSCIM_CONFIG: dict = {}\n", 2, 1),
    ("if True:\n    SCIM_CONFIG = {}\n", 2, 5),
    ("SCIM_CONFIG = {}\nif True:\n    SCIM_CONFIG = {}\n", 3, 5),
    ("try:\n    SCIM_CONFIG = {}\nexcept E:\n    pass\n", 2, 5),
    ("for SCIM_CONFIG in []:\n    pass\n", 1, 5),
    ("with x() as SCIM_CONFIG:\n    pass\n", 1, 13),
    ("def f():\n    global SCIM_CONFIG\n    SCIM_CONFIG = {}\n", 2, 5),
    ("SCIM_CONFIG = {}\ndef f():\n    SCIM_CONFIG['a'] = 1\n", 3, 5),
    ("class SCIM_CONFIG:\n    pass\n", 1, 1),
    ("def SCIM_CONFIG():\n    pass\n", 1, 1),
    ("try:\n    pass\nexcept E as SCIM_CONFIG:\n    pass\n", 3, 1),
    ("SCIM_CONFIG = dict()\n", 1, 15),
    ("SCIM_CONFIG = json.load(open('x'))\n", 1, 15),
    ("SCIM_CONFIG = {r: {} for r in R}\n", 1, 15),
    ("SCIM_CONFIG = {**BASE}\n", 1, 18),
    ("SCIM_CONFIG = {'a': {}, **BASE}\n", 1, 27),
    ("SCIM_CONFIG = {NAME: {}}\n", 1, 16),
    ("SCIM_CONFIG = {1: {}}\n", 1, 16),
    ("SCIM_CONFIG = {'a' + 'b': {}}\n", 1, 16),
    ("SCIM_CONFIG = {'a': {}, 'a': {}}\n", 1, 25),
    ("SCIM_CONFIG = A = {}\n", 1, 1),
    ("A = SCIM_CONFIG = {}\n", 1, 5),
    ("A, SCIM_CONFIG = 1, {}\n", 1, 4),
    ("SCIM_CONFIG = {} if A else {}\n", 1, 15),
    ("(SCIM_CONFIG) = A\n", 1, 17),
    ("SCIM_CONFIG: dict\n", 1, 1),
    ("print(SCIM_CONFIG := {})\n", 1, 7),
    ("SCIM_CONFIG = {}\nSCIM_CONFIG['a'] = {}\n", 2, 1),
    ("SCIM_CONFIG = {}\nSCIM_CONFIG.update(a={})\n", 2, 1),
    ("SCIM_CONFIG = {}\nSCIM_CONFIG |= {}\n", 2, 1),
    ("SCIM_CONFIG = {}\nA = SCIM_CONFIG\n", 2, 5),
    ("SCIM_CONFIG = {}\ndel SCIM_CONFIG\n", 2, 5),
    ("SCIM_CONFIG = {}\nglobals()['SCIM' + '_CONFIG'] = {}\n", 2, 1),
    ("globals()['SCIM_CONFIG'] = {}\n", 1, 11),
    ("globals().update(SCIM_CONFIG={})\n", 1, 0),
    ("setattr(m, 'SCIM_CONFIG', {})\n", 1, 12),
    ("m.SCIM_CONFIG = {}\n", 1, 1),
    ("SCIM_CONFIG = {}\nfrom x import *\n", 2, 1),
    ("SCIM_CONFIG = {}\nexec(open('x').read())\n", 2, 1),
    ("SCIM_CONFIG = {}\nimport sys\nsys.modules[__name__].X = 1\n", 3, 1),
    ("def f():\n    globals()[A] = 1\nSCIM_CONFIG = {}\nf()\n", 2, 5),
    ("import x as SCIM_CONFIG\n", 1, 0),
    ("from x import SCIM_CONFIG\n", 1, 0),
    ("from x import A as SCIM_CONFIG\n", 1, 0),
    ("X = (\n", 1, 0),
    ("X = 1\n  Y = 2\n", 2, 0),
    ("X = 'a\n", 1, 0),
    ("A = 1\nX = \0\n", 0, 0),
    ("# coding: nonsense\n", 1, 1),
    ("# coding: rot13\n", 0, 0),
    ("[" * 5000, 0, 0),
    ("-" * 200_000 + "1", 0, 0),
    ("from x import *\n", 1, 1),
    ("A = 1\nexec(open('x').read())\n", 2, 1),
    ("globals()['SCIM_' + 'CONFIG'] = {}\n", 1, 1),
    ("eval('globals()')['SCIM_' + 'CONFIG'] = {}\n", 1, 1),
    ("(lambda: 0).__globals__['SCIM_' + 'CONFIG'] = {}\n", 1, 1),
    ("import sys\nsys._getframe().f_globals['SCIM_' + 'CONFIG'] = {}\n", 2, 1),
    ("from x import me\nsetattr(me, 'SCIM_' + 'CONFIG', {})\n", 2, 1),
    ("g = globals()\nSCIM_CONFIG = {}\ng['SCIM_' + 'CONFIG'] = {}\n", 1, 5),
    ("run = exec\nSCIM_CONFIG = {}\nrun(A)\n", 1, 7),
    ("from builtins import exec as run\nSCIM_CONFIG = {}\nrun(A)\n", 1, 1),
]


@pytest.mark.parametrize(
    ("text", "line", "column"), REFUSED, ids=[text[:40] for text, _, _ in REFUSED]
)
def test_unprovable_settings_are_refused_with_their_position(
    text: str, line: int, column: int
) -> None:
    with pytest.raises(Refusal) as caught:
        edit(text.encode(), {"acme": ACME})
    if line:
        assert caught.value.at("s.py").startswith(f"s.py:{line}:")
    if column:  # 0: it depends on the Python
        assert caught.value.column == column


@pytest.mark.parametrize(
    ("data", "place"),
    [
        (b"A = 1\r\nX = '\xc3\xa9\xe9'\r\n", (2, 7)),
        (b"\xff\xfe", (1, 1)),
        (b"\xef\xbb\xbf# \xff", (1, 3)),
        (b"# coding: utf-8\n# \xe9\n", (2, 3)),
        (b"A = 1\rB = 2 # \xc3\xa9\0", (2, 10)),
        (b"# coding: nonsense\n", (1, 1)),
        (b"# coding: utf-7\nX = '+AGE-'\n", (1, 1)),
        (b"# coding: idna\n\n", (1, 1)),
        (b"# coding: undefined\n", (1, 1)),
        (b"# coding: hex\n", (1, 1)),
        (b"# coding: unicode_escape\nX = '\\d'\n", (1, 1)),
        (b"# coding: unicode_escape\\rSCIM_CONFIG = {}\\r", (1, 1)),
        (b"# coding: punycode\nX = 1 # -", (1, 1)),
        (b"# coding: raw_unicode_escape\nX = '\\ud800'\n", (1, 1)),
        (b"\n" * 5_000_000, (0, 0)),
    ],
)
def test_undecodable_bytes_are_refused_with_their_place(
    data: bytes, place: tuple[int, int]
) -> None:
    with pytest.raises(Refusal) as caught:
        edit(data, {"acme": ACME})
    assert (caught.value.line, caught.value.column) == place


@pytest.mark.parametrize(
    "data",
    [
        b"# \xc4nne, coding: latin-1\nX = '\xe9'\n",
        b"# M\xfcller\r# coding: latin-1\rX = '\xe9'\r",
        b"# \x95\\\n# coding: shift_jis\nX = '\x95\\'\n",
    ],
)
def test_lines_near_a_coding_line_use_its_encoding(data: bytes) -> None:
    after = edit(data, {"acme": ACME})
    assert config(after) == {"acme": ast.literal_eval(f"{{{ACME}}}")["acme"]}
    assert edit(after, {"acme": None}) == data


def test_a_character_that_the_encoding_lacks_is_refused() -> None:
    with pytest.raises(Refusal, match="iso-8859-1"):
        edit(b"# coding: latin-1\n", {"acme": '"acme": {"x": "\u20ac"}'})


@pytest.mark.parametrize(
    "text",
    [
        'HELP = "see SCIM_CONFIG = {} below"\n',
        '"""\nSCIM_CONFIG = {}\n"""\n',
        '"SCIM_CONFIG"\n',
        "# SCIM_CONFIG = {}\n",
        "SCIM_CONFIGS = 1\n",
        "from x import *\nSCIM_CONFIG = {}\nX = 1\n",
        "from x import SCIM_CONFIG as OTHER\n",
        "exec(open('x').read())\nSCIM_CONFIG = {}\n",
        f'X = """\n{BEGIN}\n"""\n',
        f"{BEGIN}\n{END}\n",
        "X = '\\d'\n",
    ],
)
def test_text_that_only_looks_like_scim_config_is_accepted(text: str) -> None:
    data = text.encode()
    after = edit(data, {"acme": ACME})
    assert list(read(after).entries) == ["acme"]
    assert edit(after, {"acme": None}) == data


# --- any file ---------------------------------------------------------------------------------

FRAGMENTS = [
    "A = 1", "B = 'é'", "# comment", "", "\x0c", "def f():\n    return 1", "from x import *",
    'C = """\nSCIM_CONFIG = {}\n"""', "D = [\n    1,\n]", "if A:\n    E = 1",
    "from .config import get_secret",
]  # fmt: skip


@st.composite
def files(draw: st.DrawFn) -> bytes:
    newlines = st.sampled_from(["\n", "\r\n", "\r"])
    before = draw(st.lists(st.sampled_from(FRAGMENTS), max_size=5))
    block = draw(st.lists(st.sampled_from([*STYLES, ""]), max_size=1))
    last = draw(st.sampled_from(["", "Z = 1", "# end", "    "]))
    text = "\n".join([*before, *block, *draw(st.sampled_from([[], ["", last]]))])
    mixed = draw(st.booleans())
    newline = draw(newlines)
    text = "".join(
        (draw(newlines) if mixed else newline) if char == "\n" else char for char in text
    )
    encoding = draw(st.sampled_from(["utf-8", "utf-8-sig", "latin-1"]))
    if encoding == "latin-1":
        text = "# coding: latin-1" + newline + text
    return text.encode(encoding)


REALMS = ["acme", "beta", "", "a", "b"]


@settings(max_examples=100, deadline=None)
@given(files(), st.lists(st.tuples(st.sampled_from(REALMS), st.booleans()), max_size=4), st.data())
def test_adding_and_removing_restores_any_file(
    data: bytes, wanted: list[tuple[str, bool]], extra: st.DataObject
) -> None:
    try:
        before = read(data)
    except Refusal:
        assume(False)
    new = {
        realm: entry(realm, 'get_secret("n")' if secret else '"t"')
        for realm, secret in wanted
        if realm not in before.entries
    }
    assume(not (b"1; SCIM_CONFIG" in data and "get_secret" in "".join(new.values())))
    try:
        after = edit(data, new)
    except Refusal as refusal:
        # A file whose get_secret may not be Zulip's is always refused.
        if "get_secret" not in refusal.message:
            raise
        assume(False)
    assert list(read(after).entries) == [*before.entries, *new]
    order = extra.draw(st.permutations(list(new)))
    back = after
    for realm in order:
        back = edit(back, {realm: None})
    assert back == data


def test_an_empty_block_can_stay_without_entries() -> None:
    """Before Zulip 11.0, an undefined SCIM_CONFIG causes a 500 for every request."""
    one = '"acme": {\n        "bearer_token": get_secret("x"),\n    }'
    filled = edit(b"A = 1\n", {"acme": one})
    empty = edit(filled, {"acme": None}, keep_empty=True)
    block = f"{BEGIN}\nSCIM_CONFIG = {{}}\n{END}\n"
    assert empty.decode() == f"A = 1\n\n{block}"
    assert edit(empty, {"acme": one}) == filled
    assert edit(filled, {"acme": None}) == b"A = 1\n"


class TestManyRealms:
    """Hundreds of realms are edited with a few parses of the file, not with one for each realm."""

    STYLES = (
        b"A = 1\n",
        b"SCIM_CONFIG = {}\n",
        b'SCIM_CONFIG = {"x": {"a": 1}}\n',
        b'SCIM_CONFIG = {\n    "x": {"a": 1},  # first\n    "y": {"a": 1}  # last\n}\n',
        b'SCIM_CONFIG = {\r\n    "r0": {"a": 0, "b": 0},\r\n    "x": {"a": 1},\r\n}\r\n',
        b'SCIM_CONFIG = {"r1": {\n    "b": 1}, "r2": {}, "x": [1],\n}\n',
    )

    @staticmethod
    def texts(number: int, value: str) -> dict[str, str | None]:
        return {
            f"r{n}": f'"r{n}": {{\n        "a": {value},\n        "c": {n},\n    }}'
            for n in range(number)
        }

    @pytest.mark.parametrize("data", STYLES)
    def test_the_result_is_that_of_single_edits(self, data: bytes) -> None:
        for entries in (self.texts(4, "1"), self.texts(5, "2"), dict.fromkeys(self.texts(4, ""))):
            together, singly = edit(data, entries), data
            for realm, text in entries.items():
                singly = edit(singly, {realm: text})
            assert together == singly
            data = together

    def test_the_number_of_parses_does_not_grow(self, monkeypatch: pytest.MonkeyPatch) -> None:
        parses: list[int] = []

        def counted(data: bytes) -> Settings:
            parses.append(1)
            return read(data)

        monkeypatch.setattr(settings_edit, "read", counted)
        data, counts = ZULIP, []
        for entries in (
            self.texts(60, "1"),
            self.texts(60, "2"),
            dict.fromkeys(self.texts(59, "")),
        ):
            parses.clear()
            data = edit(data, entries)
            counts.append(len(parses))
        assert max(counts) <= 4
