"""Files that an attacker wrote: an inventory, a vault value, a known_hosts.

The tests of ordinary mistakes are with the tests of each module.
"""

from __future__ import annotations

import base64
import subprocess
import sys
from pathlib import Path

import pytest

from scimconf import cli, vault
from scimconf.errors import UsageError
from scimconf.secret import Secret
from scimconf.ssh import known_hosts
from scimconf.template import expand

VARIABLES: dict[str, object] = {
    "name": "chat",
    "items_": [1, "a"],
    "deep": {"a": {"b": 1}},
    "secret": Secret("hunter2hunter2"),
}
FACTS: dict[str, object] = {"inventory_hostname": "chat1", "groups": {"all": ["a"]}}

ESCAPES = [
    # classes, their subclasses and globals
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ [].__class__.__base__.__subclasses__()[40]('/etc/passwd').read() }}",
    "{{ ''['__cl' ~ 'ass__'] }}",
    "{{ ''['\\x5f\\x5fclass\\x5f\\x5f'] }}",
    "{{ ''.__ｃlass__ }}",
    "{{ name.__init__.__globals__ }}",
    "{{ lipsum.__globals__['os'].popen('id').read() }}",
    "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
    "{{ joiner.__init__.__globals__.os }}",
    "{{ namespace.__init__.__globals__.os }}",
    "{{ dict.__base__ }}",
    "{{ range.__class__ }}",
    "{{ range(3).__iter__ }}",
    "{{ self.__init__.__globals__ }}",
    "{{ self._TemplateReference__context.environment }}",
    "{{ self['_TemplateReference__context'] }}",
    "{{ config.items() }}",
    "{{ request.application.__globals__ }}",
    "{{ url_for.__globals__ }}",
    "{{ get_flashed_messages.__globals__ }}",
    "{{ environment }}",
    "{{ undefined_name.__class__ }}",
    "{{ (undefined_name | default('')).__class__ }}",
    "{% for x in [1] %}{{ loop.__class__ }}{% endfor %}",
    "{% for x in [1] %}{{ loop._iterable }}{% endfor %}",
    "{% for x in [1] %}{{ loop.changed.__globals__ }}{% endfor %}",
    # around the check of attributes, by filters
    "{{ name | attr('__class__') }}",
    "{{ name | attr('for' ~ 'mat') }}",  # CVE-2025-27516
    "{{ [name] | map(attribute='__class__') | list }}",
    "{{ [name] | map('attr', '__class__') | list }}",
    "{{ [name] | groupby('__class__') }}",
    "{{ [name] | selectattr('__class__') | list }}",
    "{{ [name] | sort(attribute='__class__.__name__.format') }}",
    "{{ [name] | unique(attribute='__class__') | list | first }}",
    "{{ [deep] | map(attribute='a.__class__') | list }}",
    # str.format: CVE-2016-10745, CVE-2019-10906, CVE-2024-56326
    "{{ '{0.__class__}'.format(name) }}",
    "{{ '{0.__class__}'.format_map({'0': name}) }}",
    "{{ ('{0.__class__}' | string).format }}",
    "{{ ['{0.__class__}'.format] | map('list') | list }}",
    "{{ '%s' | format(name) }}",
    "{{ '{0.__class__}' | format }}",
    # code and files: CVE-2024-56201 and everyday ones
    "{% include '/etc/passwd' %}",
    "{% import 'os' as os %}{{ os }}",
    "{% from 'os' import system %}",
    "{% extends '/etc/passwd' %}",
    "{% block a %}{{ self.a.__globals__ }}{% endblock %}",
    "{% set x = ''.__class__ %}{{ x }}",
    "{% set ns = namespace(x=1) %}{{ ns }}",
    "{% macro m() %}{% endmacro %}{{ m.__globals__ }}",
    "{% call name() %}{% endcall %}",
    "{% filter upper %}{{ ''.__class__ }}{% endfilter %}",
    "{% with x = ''.__class__ %}{{ x }}{% endwith %}",
    "{% do items_.append(1) %}",
    "{% debug %}",
    "{% raw %}{{ x }}{% endraw %}{{ ''.__class__ }}",
    "{{ lookup('pipe', 'id') }}",
    "{{ query('file', '/etc/passwd') }}",
    "{{ 'id' | pipe }}",
    "{{ '/etc/passwd' | fileglob }}",
    "{{ name | from_yaml }}",
    "{{ name | vault }}",
    # to change values that others use
    "{{ items_.append(1) }}",
    "{{ items_.clear() }}",
    "{{ deep.update({}) }}",
    "{{ deep.pop('a') }}",
    "{{ deep.__setitem__('a', 1) }}",
    "{{ groups.setdefault('x', 1) }}",
    # to read a secret
    "{{ secret.reveal() }}",
    "{{ secret._Secret__text }}",
    "{{ secret | string }}",
    "{{ [secret] | join }}",
    "{{ secret ~ '' }}",
    "{{ secret == 'hunter2hunter2' }}",
    "{{ 'h' in secret }}",
    "{{ secret | length }}",
    "{{ {secret: 1} }}",
]
"""The published sandbox escapes of Jinja2, and similar ones."""


@pytest.mark.parametrize("template", ESCAPES)
def test_no_template_escapes_from_the_sandbox(template: str) -> None:
    with pytest.raises(UsageError) as caught:
        expand(template, VARIABLES, FACTS)
    assert "hunter2" not in str(caught.value)
    assert VARIABLES["items_"] == [1, "a"]
    assert FACTS["groups"] == {"all": ["a"]}


HARM = "\\e]0;owned\\a\\e[2J\\x9b\\u202e"
TERMINAL = [
    f'all: {{hosts: {{"chat1{HARM}": {{scim_realms: {{}}}}}}}}',
    f'all: {{children: {{"web{HARM}": {{hosts: {{chat1.example.com: }}}}}}}}',
    f'all: {{hosts: {{chat1.example.com: {{"scim_{HARM}": 1, scim_realms: {{}}}}}}}}',
    f'all: {{hosts: {{chat1.example.com: {{scim_realms: {{"{HARM}": {{}}}}}}}}}}',
    f'all: {{hosts: {{chat1.example.com: {{scim_realms: {{a: {{url: "https://{HARM}"}}}}}}}}}}',
    f'all: {{hosts: {{chat1.example.com: {{scim_realms: {{a: {{client: "{HARM}"}}}}}}}}}}',
    f'all: {{hosts: {{chat1.example.com: {{scim_idp: "{HARM}", scim_realms: {{a: }}}}}}}}',
    f'all: {{hosts: {{chat1.example.com: {{ansible_host: "{HARM}", scim_realms: {{a: }}}}}}}}',
    f'all: {{hosts: {{chat1.example.com: {{scim_realms: {{a: {{token: "env:{HARM}"}}}}}}}}}}',
    f'all: {{hosts: {{chat1.example.com: {{scim_realms: "{{{{ x{HARM} }}}}"}}}}}}',
    f'all: {{hosts: {{chat1.example.com: {{scim_realms: {{a: {{token: "x{HARM}"}}}}}}}}}}',
    f'all: {{"{HARM}": 1, hosts: {{chat1.example.com: {{scim_realms: {{a: }}}}}}}}',
    f'all: {{vars: {{plain: "{HARM}"}}, hosts: {{chat1.example.com: {{scim_realms: {{a: }}}}}}}}',
]


VERBS = (
    ("inventory", "check"),
    ("inventory", "graph"),
    ("inventory", "list"),
    ("handoff",),
    ("render", "chat1.example.com"),
)


@pytest.mark.parametrize("text", TERMINAL, ids=range(len(TERMINAL)))
def test_text_of_an_inventory_contains_no_escape_codes(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "inventory.yaml").write_text(text)
    for verb in VERBS:
        cli.run(verb)
        shown = "".join(capsys.readouterr())
        assert shown
        assert all(letter.isprintable() or letter in "\n\t" for letter in shown), shown


_BOMB = """
import sys
from pathlib import Path
from scimconf import inventory
from scimconf.errors import InventoryError
from scimconf.tokens.store import TokenFile
from tests.memory import most_megabytes
text = {bomb}
for read in (lambda path: inventory.load([path]), TokenFile.load):
    path = Path(sys.argv[1])
    path.write_text(text)
    try:
        read(path)
    except InventoryError:
        pass
    else:
        sys.exit("taken for good")
print(most_megabytes())
"""
_LEVELS = (
    "''.join('a%d: &a%d {level}\\n' % (n, n, ', '.join(['*a%d' % (n - 1)] * 9)) "
    "for n in range(1, 20))"
)
BOMBS = {
    "laughs": "'a0: &a0 [x, x]\\n' + " + _LEVELS.format(level="[%s]"),
    "merges": "'a0: &a0 {x: 1}\\n' + " + _LEVELS.format(level="{<<: [%s]}"),
    "deep": "'[' * 100_000",
    "long": "'x: ' + 'y' * 9_000_000",
    "tags": "'!!python/object/apply:os.system [id]'",
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_yaml_bomb_is_an_error_and_needs_little_memory(bomb: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _BOMB.format(bomb=BOMBS[bomb]), tmp_path / "file.yaml"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 400


@pytest.mark.parametrize(
    "body",
    ["", "66" * 1_000_000, "zz" * 100, ("66" * 32 + "0a") * 3, "3" * 99, "\x1b[2J", "٣" * 80],
)
def test_an_invalid_vault_value_is_an_error(body: str) -> None:
    with pytest.raises(UsageError) as caught:
        vault.decrypt(f"$ANSIBLE_VAULT;1.1;AES256\n{body}\n", {"default": Secret("correct horse")})
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    "line",
    [
        "*" * 6_000 + "x ssh-ed25519 AAAA",
        "*a" * 3_000 + " ssh-ed25519 AAAA",
        "?" * 10_000 + " ssh-ed25519 AAAA",
        "!" * 10_000 + " ssh-ed25519 AAAA",
        "|1|" + "A" * 1_000_000 + "| ssh-ed25519 AAAA",
        "@cert-authority " * 20_000,
        "[" * 100_000 + " ssh-ed25519 AAAA",
    ],
)
def test_a_hostile_known_hosts_line_takes_no_time(line: str) -> None:
    key = base64.b64encode(b"\0\0\0\x0bssh-ed25519\0\0\0\x20" + b"k" * 32).decode()
    good = f"chat.example.com ssh-ed25519 {key}"
    found = known_hosts.search_text(f"{line}\n{good}", "chat.example.com", "known_hosts")
    assert [each.place for each in found] == ["known_hosts:2"]
