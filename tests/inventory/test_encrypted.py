"""Encrypted files and values: what is opened, what is refused, and what is shown."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

import pytest

from scimconf import inventory, vault
from scimconf.errors import InventoryError, UsageError
from scimconf.inventory import Inventory, as_listing
from scimconf.model import Reference, Server, VaultValue
from scimconf.run.binding import way
from scimconf.secret import MASK, Sealed, Secret
from scimconf.tokens.generate import generate
from scimconf.tokens.store import TokenFile, new_entry

from .conftest import Write, of_one_host, short

PASSWORD = Secret("correct horse")
HOST = "chat.example.com"
Opened = Callable[..., Inventory]


def sealed(text: str, vault_id: str | None = None) -> str:
    """Return the text of an encrypted file, or of a `!vault` value."""
    return vault.encrypt(Secret(text), PASSWORD, vault_id)


def value(text: str) -> str:
    """Return a `!vault` value on one line of YAML."""
    return f"!vault {json.dumps(sealed(text))}"


def passwords() -> Mapping[str, Secret]:
    return {"default": PASSWORD}


@pytest.fixture
def opened(write: Write) -> Opened:
    """Read hosts.yaml with the vault password. Fail if the host has errors."""

    def _opened(text: str, **settings: object) -> Inventory:
        source = write(text)
        given = {"passwords": passwords, **settings}
        found = inventory.read([source], **given)  # type: ignore[arg-type]
        found.check_all()
        return found

    return _opened


@pytest.fixture
def errors(opened: Opened) -> Callable[..., list[str]]:
    def _errors(text: str, **settings: object) -> list[str]:
        with pytest.raises(InventoryError) as caught:
            opened(text, **settings)
        return [short(problem) for problem in caught.value.problems]

    return _errors


def only(found: Inventory) -> Server:
    (server,) = found.servers.values()
    return server


# --- files that are encrypted as a whole ----------------------------------------------------------


def test_an_encrypted_inventory_is_read(opened: Opened) -> None:
    text = "all: {hosts: {chat1.test: {scim_realms: {acme: {idp: okta, token: 'env:ACME'}}}}}\n"
    server = only(opened(sealed(text)))
    (realm,) = server.realms
    assert (server.name, realm.string_id, realm.idp) == ("chat1.test", "acme", "okta")
    assert realm.token == Reference("env", ("ACME",), ".")


def test_an_encrypted_ini_inventory_is_read(write: Write) -> None:
    """ansible#10408 asks for it with an INI inventory."""
    text = sealed("[web]\na ansible_host=192.0.2.1 scim_realms='{\"acme\": {}}'\n[db]\nb\n")
    source = write(text, "hosts.ini")
    with pytest.raises(InventoryError, match="is read only with --allow-exec=inventory"):
        inventory.read([source], passwords=passwords)
    found = inventory.read([source], passwords=passwords, allow_exec=True)
    (server,) = inventory.select(found, ["web"])
    assert server.connection.host == "192.0.2.1"
    assert "ansible_host" in server.connection.encrypted
    with pytest.raises(InventoryError, match="encrypted as a whole"):
        inventory.read([write(text, "hosts.ini")])


@pytest.mark.parametrize("content", ["text: x", "- a", "just text", "a: b: c", "é: [", "\tx"])
def test_an_encrypted_inventory_is_closed_without_a_password(write: Write, content: str) -> None:
    source = write(sealed(content))
    with pytest.raises(InventoryError) as caught:
        inventory.read([source])
    (problem,) = map(short, caught.value.problems)
    assert problem == (
        "hosts.yaml:1:1: this file is encrypted as a whole and was not read, because no vault "
        "password was given; its hosts are not known (use --vault-password-file FILE or "
        "--ask-vault-pass)"
    )


def test_a_closed_file_is_named_beside_the_errors_that_follow(write: Write) -> None:
    source = write(of_one_host("x: 1"))
    write(sealed("vault_password: x\n"), "group_vars/all/vault.yml")
    write("ansible_become_password: '{{ vault_password }}'\n", "group_vars/all/vars.yml")
    found = inventory.read([source])
    (warning,) = map(short, found.warnings)
    (error,) = map(short, found.unknown_of([HOST]))
    assert warning.startswith("group_vars/all/vault.yml:1:1: this file is encrypted as a whole")
    assert "its variables are not known (use --vault-password-file" in warning
    assert error == (
        "group_vars/all/vars.yml:1:1: ansible_become_password: the template fails: "
        "'vault_password' is undefined; group_vars/all/vault.yml, which may set it, is encrypted "
        "and was not read (use --vault-password-file FILE or --ask-vault-pass)"
    )


def test_a_closed_file_does_not_concern_the_hosts_of_another_group(write: Write) -> None:
    source = write("web: {hosts: {a: {scim_realms: {x: }}}}\ndb: {hosts: {b: }}")
    write(sealed("v: 1\n"), "group_vars/db.yml")
    found = inventory.read([source])
    assert set(found.closed) == {"b"}
    assert found.warnings_of(["a"]) == ()
    assert len(found.warnings_of(["b"])) == len(found.warnings) == 1
    assert [each.name for each in inventory.select(found, ["web"])] == ["a"]


@pytest.mark.parametrize("given", [{"default": Secret("wrong")}, {"default": PASSWORD}])
def test_a_wrong_password_is_an_error_of_the_hosts_of_the_file(
    write: Write, given: dict[str, Secret]
) -> None:
    source = write(of_one_host("") + "    other: \n")
    write("$ANSIBLE_VAULT;1.1;AES256\n6666\n", "host_vars/other.yml")
    write(sealed("v: 1\n"), f"host_vars/{HOST}.yml")
    found = inventory.read([source], passwords=lambda: given)
    inventory.select(found, [HOST]) if given["default"] == PASSWORD else None
    for name in {"other"} if given["default"] == PASSWORD else {"other", HOST}:
        with pytest.raises(InventoryError, match=r"no vault password decrypts|is damaged"):
            inventory.select(found, [name])


def test_a_password_of_another_vault_id_leaves_the_file_closed(write: Write) -> None:
    """A pipeline that plans has only the password of the login passwords."""
    source = write(of_one_host(""))
    write(sealed("v: 1\n", "prod"), "group_vars/all.yml")
    found = inventory.read([source], passwords=lambda: {"login": Secret("wrong")})
    assert not found.problems
    (warning,) = map(short, found.warnings)
    assert "vault id is prod; tried: login" in warning
    assert "--vault-id prod@FILE" in warning


def test_a_password_is_asked_for_only_if_a_file_or_value_is_opened(write: Write) -> None:
    def fail() -> Mapping[str, Secret]:
        raise AssertionError("asked")

    token = f"scim_realms: {{a: {{token: {value('x' * 30)}}}}}"
    source = write(of_one_host(f"{token}\nansible_password: {value('p')}\nw: {value('unused')}"))
    assert only(inventory.read([source], passwords=fail)).name == HOST


def test_a_password_that_cannot_be_read_is_the_error(write: Write) -> None:
    def fail() -> Mapping[str, Secret]:
        raise UsageError("cannot read the vault password file x")

    source = write(of_one_host(""))
    write(sealed("v: 1\n"), "group_vars/all.yml")
    with pytest.raises(UsageError, match="cannot read the vault password file"):
        inventory.read([source], passwords=fail)


def test_problems_in_an_encrypted_file_have_the_lines_of_its_text_and_quote_nothing(
    opened: Opened, write: Write, errors: Callable[..., list[str]]
) -> None:
    write(sealed("scim_idp: hunter2\nscim_ipd: okta\n"), "group_vars/all.yml")
    assert errors(of_one_host("")) == [
        "group_vars/all.yml:1:1: scim_idp: unknown identity provider, expected one of: authentik, "
        "entra, jumpcloud, keycloak, okta, onelogin, other (the line is that of the decrypted "
        "text)",
        "group_vars/all.yml:2:1: scim_ipd: unknown variable (the line is that of the decrypted "
        "text) (did you mean scim_idp?)",
    ]
    for text in ("hunter2\n", "- hunter2\n", "a: hunter2: x\n", "[hunter2", "a: 'hunter2\n"):
        write(sealed(text), "group_vars/all.yml")
        (problem,) = errors(of_one_host(""))
        assert problem.startswith("group_vars/all.yml:")
        assert "decrypted text" in problem
        assert "hunter2" not in problem


def test_a_value_of_an_encrypted_file_configures_but_a_reference_to_it_is_not_shown(
    opened: Opened, write: Write, errors: Callable[..., list[str]]
) -> None:
    """An author without the password could make a plan show any value otherwise."""
    text = "name: okta\nscim_idp: '{{ name }}'\nscim_restart_timeout: 7\nscim_verify: no\n"
    write(sealed(text), "group_vars/all.yml")
    server = only(opened(of_one_host("")))
    assert (server.restart_timeout, server.verify, server.realms[0].idp) == (7, False, "okta")
    for other in ("'{{ name }}'", "'x{{ name }}'", "{a: {client: '{{ name }}'}}"):
        (problem,) = errors(of_one_host(f"scim_deployment: {other}"))
        assert "okta" not in problem
    (problem,) = errors(of_one_host("scim_deployment: '{{ name }}'"))
    assert "this value is encrypted, and plans and reports would show it" in problem
    # Through a variable that an encrypted template reads.
    (problem,) = errors(of_one_host("name: '{{ secret }}'\nsecret: " + value("hunter2")))
    assert "plans and reports would show it" in problem
    assert "hunter2" not in problem


@pytest.mark.parametrize(
    "text",
    [
        "{{ secret | upper }}",
        "{{ 'x' ~ secret }}",
        "{{ 'a' if secret == 'b' else 'c' }}",
        "{{ secret[0] }}",
        "{{ secret | default('x', true) }}",
        "{{ [secret] | join }}",
        "{% if secret %}a{% endif %}",
        "{% for x in secret %}{{ x }}{% endfor %}",
        "{{ secret in ['a'] }}",
        "{{ secret | int }}",
        "{{ secret | bool }}",
        "{{ {'a': 1}[secret] | default(2) }}",
        "{{ secret is match('a') }}",
        "{{ secret.split('a') }}",
        "{{ -secret }}",
        "{{ [secret, 'a'] | max }}",
        "{{ secret | ternary(1, 2) }}",
        "{{ secret | length }}",
        "{{ hostvars[inventory_hostname].secret | upper }}",
    ],
)
@pytest.mark.parametrize("how", ["file", "value"])
def test_a_plain_template_can_only_insert_an_encrypted_value(
    text: str, how: str, write: Write, errors: Callable[..., list[str]]
) -> None:
    """A condition would tell something about the value to whoever sees the plan."""
    if how == "file":
        write(sealed("secret: hunter2\n"), "group_vars/all.yml")
    own = f"secret: {value('hunter2')}\n" if how == "value" else ""
    (problem,) = errors(of_one_host(f"{own}ansible_user: {json.dumps(text)}"))
    assert "is encrypted, so a template can only insert it" in problem, problem
    assert "hunter2" not in problem


@pytest.mark.parametrize("text", ["{{ secret | default('x') }}", "{{ secret | mandatory }}"])
def test_filters_that_return_the_value_itself_are_no_problem(text: str, opened: Opened) -> None:
    own = f"secret: {value('ops')}\nansible_user: {json.dumps(text)}"
    assert only(opened(of_one_host(own), allow_exec=True)).connection.user == "ops"


# --- values that are encrypted --------------------------------------------------------------------

VARIABLES = {
    "ansible_host": "192.0.2.1",
    "ansible_port": "2222",
    "ansible_user": "ops",
    "ansible_private_key_file": "/keys/one",
    "ansible_become_user": "zulip2",
    "ansible_ssh_common_args": "-o ProxyJump=bastion",
    "ansible_ssh_timeout": "7",
    "ansible_python_interpreter": "/opt/python",
}


@pytest.mark.parametrize("how", ["value", "file", "reference"])
def test_encrypted_connection_variables_are_used_and_never_shown(
    how: str, opened: Opened, write: Write
) -> None:
    lines = []
    for number, (name, text) in enumerate(VARIABLES.items()):
        lines.append(
            f"{name}: '{{{{ v{number} }}}}'\nv{number}: {value(text)}"
            if how == "reference"
            else f"{name}: {value(text) if how == 'value' else json.dumps(text)}"
        )
    own = "\n".join(lines)
    if how == "file":
        write(sealed(own), f"host_vars/{HOST}.yml")
    text = of_one_host("" if how == "file" else own)
    if how != "file":  # each could be a copy of a password, but for the address
        with pytest.raises(InventoryError) as caught:
            opened(text)
        assert len(caught.value.problems) == len(VARIABLES) - 1
    found = opened(text, allow_exec=how != "file")
    to = only(found).connection
    assert (to.host, to.port, to.user, to.become_user) == ("192.0.2.1", 2222, "ops", "zulip2")
    assert (to.private_key, to.python, to.timeout) == ("/keys/one", "/opt/python", 7.0)
    assert to.ssh_arguments == ("-o", "ProxyJump=bastion")
    listed = as_listing(found)["_meta"]["hostvars"][HOST]
    shown = json.dumps([listed, [[each.value, each.what] for each in way(only(found))]])
    for text in VARIABLES.values():
        assert f'"{text}"' not in shown
    assert listed["ansible_host"] == listed["ansible_ssh_private_key_file"] == MASK


def test_without_a_password_the_value_is_named_and_the_hint_is_not_to_quote_it(
    write: Write,
) -> None:
    source = write(of_one_host(f"ansible_host: {value('192.0.2.1')}"))
    (problem,) = map(short, inventory.read([source]).unknown_of([HOST]))
    assert problem == (
        f"hosts.yaml:4:7: all.hosts.{HOST}.ansible_host: this value is encrypted, and no vault "
        "password was given (use --vault-password-file FILE or --ask-vault-pass)"
    )


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ("ansible_host: '{{ secret }}.evil.test'", "could be a copy of a password"),
        ("ansible_host: '{{ secret }}'", "could be a copy of a password"),
        ("ansible_ssh_common_args: '-J {{ secret }}.evil.test'", "could be a copy of a password"),
        ("ansible_private_key_file: /tmp/{{ secret }}", "could be a copy of a password"),
        ("ansible_python_interpreter: /tmp/{{ secret }}", "could be a copy of a password"),
        ("scim_realms: {a: {url: 'https://{{ secret }}.evil.test'}}", "would show it"),
        ("scim_restart: [echo, '{{ secret }}']", "would show it"),
        ("scim_probe: 'http://127.0.0.1/{{ secret }}'", "would show it"),
        ("zulip_settings: '/{{ secret }}'", "would show it"),
    ],
)
@pytest.mark.parametrize("how", ["file", "value"])
def test_a_stranger_cannot_send_a_password_to_a_name_server_or_show_it(
    variables: str, words: str, how: str, write: Write, errors: Callable[..., list[str]]
) -> None:
    if how == "file":
        write(sealed("secret: hunter2\n"), "group_vars/all.yml")
    own = f"secret: {value('hunter2')}\n" if how == "value" else ""
    (problem,) = errors(of_one_host(own + variables))
    assert words in problem
    assert "hunter2" not in problem


def test_a_token_of_the_token_file_is_not_opened_for_anything_else(
    write: Write, errors: Callable[..., list[str]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = TokenFile.load(tmp_path_factory.mktemp("tokens") / "tokens.yaml")
    token = Secret("weak.words.of.a.provider.with.dots.in.them")
    key = ("chat1.test", "acme")
    file = file.save({key: new_entry(key, token, PASSWORD)})
    copied = f"!vault {json.dumps(file.records[key].ciphertext)}"  # type: ignore[union-attr]

    def asked() -> Mapping[str, Secret]:
        raise AssertionError("the value was opened")

    for own in (
        f"ansible_host: {copied}",
        f"secret: {copied}\nansible_user: 'x{{{{ secret }}}}'",
        f"secret: {copied}\nansible_user: '{{{{ secret }}}}'",
        f'secret: {copied}\nansible_host: "{{{{ hostvars[inventory_hostname].secret }}}}"',
    ):
        (problem,) = errors(of_one_host(own), passwords=asked, refuse=file.refuse)
        assert "is the token of realm acme of chat1.test" in problem


@pytest.mark.parametrize("how", ["file", "value"])
def test_a_value_that_looks_like_a_token_is_no_address(
    how: str, write: Write, errors: Callable[..., list[str]]
) -> None:
    token = generate().reveal()
    if how == "file":
        write(sealed(f"secret: {token}\n"), "group_vars/all.yml")
    own = f"secret: {value(token)}\n" if how == "value" else ""
    for use in ("ansible_user: '{{ secret }}'", "ansible_user: 'x{{ secret }}'"):
        (problem,) = errors(of_one_host(own + use))
        assert "looks like a SCIM token" in problem
        assert token not in problem


@pytest.mark.parametrize("how", ["file", "value"])
def test_a_token_of_the_inventory_is_used_for_its_realm_only(
    how: str, write: Write, opened: Opened, errors: Callable[..., list[str]]
) -> None:
    token = "a.token.of.somebody.else-1234567890-abcdef"
    if how == "file":
        write(sealed(f"vault_token: {token}\n"), "group_vars/all.yml")
    own = f"vault_token: {value(token)}\n" if how == "value" else ""
    own += "scim_realms: {acme: {token: '{{ vault_token }}'}}\n"
    found = opened(of_one_host(own))
    kind = Sealed if how == "file" else VaultValue
    assert isinstance(only(found).realms[0].token, kind)
    assert not found.warnings, "it is not in clear text"
    for use in ("ansible_host: '{{ vault_token }}'", "ansible_user: '{{ vault_token }}'"):
        (problem,) = errors(of_one_host(own + use), allow_exec=True)
        assert "is a SCIM token, so it must not be used for anything else" in problem
    if how == "file":
        (problem,) = errors(of_one_host(own + "ansible_password: '{{ vault_token }}'"))
        assert "is a SCIM token" in problem


def test_a_weak_token_of_an_encrypted_file_is_refused(
    write: Write, errors: Callable[..., list[str]]
) -> None:
    write(sealed("scim_realms: {acme: {token: short}}\n"), "group_vars/all.yml")
    text = "all: {hosts: {chat.example.com: }}"
    (problem,) = errors(text)
    assert "this token cannot be used" in problem


# --- values that somebody copied into another place -----------------------------------------------

COPIED = ["hunter2", "DB_PASSWORD=hunter2", "hunter2 other", "hunter2:22", "[hunter2]", "- hunter2"]


@pytest.mark.parametrize("text", COPIED)
@pytest.mark.parametrize("name", ["x", "x.ini", "x.yaml"])
def test_a_value_copied_into_a_file_of_its_own_is_no_host(
    text: str, name: str, write: Write
) -> None:
    source = write(sealed(text), name)
    write("ansible_host: '{{ inventory_hostname }}.evil.test'\n", "group_vars/all.yml")
    with pytest.raises(InventoryError) as caught:
        inventory.read([source], passwords=passwords)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("place", ["x", "group_vars/all.yml"])
def test_a_token_copied_into_a_file_of_its_own_is_not_opened(place: str, write: Write) -> None:
    refused: list[VaultValue] = []

    def refuse(given: VaultValue) -> None:
        refused.append(given)
        raise UsageError("this is a token")

    write(of_one_host(""))
    write(sealed("a: b"), place)
    sources = [write(of_one_host("")), *([write(sealed("a: b"), place)] if place == "x" else [])]
    with pytest.raises(UsageError, match="this is a token"):
        inventory.read(sources, passwords=passwords, refuse=refuse)
    assert len(refused) == 1


def test_a_file_that_is_a_generated_token_is_closed(write: Write) -> None:
    source = write(sealed(generate().reveal() + "\n"), "x")
    with pytest.raises(InventoryError, match="looks like a SCIM token"):
        inventory.read([source], passwords=passwords)


@pytest.mark.parametrize("how", ["file", "value"])
@pytest.mark.parametrize(
    "token",
    ["file:{{ secret }}", "env:{{ secret }}", "command:echo {{ secret }}", "{{ secret }}"],
)
def test_an_encrypted_value_is_no_reference_and_is_not_described(
    token: str, how: str, write: Write, opened: Opened
) -> None:
    """A plan shows references, and errors would tell how strong a password is."""
    text = "file:/etc/x" if token == "{{ secret }}" else "hunter2"
    if how == "file":
        write(sealed(f"secret: '{text}'\n"), "group_vars/all.yml")
    own = f"secret: {value(text)}\n" if how == "value" else ""
    variables = f"{own}scim_realms: {{acme: {{token: {json.dumps(token)}}}}}"
    if how == "value" and token == "{{ secret }}":  # it stays encrypted until it is written
        assert isinstance(only(opened(of_one_host(variables))).realms[0].token, VaultValue)
        return
    with pytest.raises(InventoryError, match="encrypted value cannot be used as a token") as error:
        opened(of_one_host(variables))
    assert text not in str(error.value)


# --- the saved plan -------------------------------------------------------------------------------


def _bound(found: Inventory) -> dict[str, str]:
    return {fact.source: fact.value for fact in way(only(found)) if fact.bound}


@pytest.mark.parametrize(
    ("before", "after", "name"),
    [
        ("ansible_host: 192.0.2.1", "ansible_host: 192.0.2.2", "ansible_host"),
        ("ansible_password: one", "ansible_password: two", "ansible_password"),
        (
            "ansible_ssh_common_args: -J a",
            "ansible_ssh_common_args: -J b",
            "ansible_ssh_common_args",
        ),
        ("scim_idp: okta", "scim_idp: entra", "scim_realms.acme"),
    ],
)
def test_a_saved_plan_binds_the_values_of_encrypted_files(
    before: str, after: str, name: str, write: Write, opened: Opened
) -> None:
    text = sealed(before)
    write(text, "group_vars/all.yml")
    one, again = _bound(opened(of_one_host(""))), _bound(opened(of_one_host("")))
    assert one == again
    write(sealed(after), "group_vars/all.yml")
    other = _bound(opened(of_one_host("")))
    assert one[name] != other[name]
    for secret in ("192.0.2", "-J", "two"):
        assert secret not in "".join([*one.values(), *other.values()])


def test_a_saved_plan_binds_which_encrypted_value_is_used(write: Write, opened: Opened) -> None:
    write(sealed("one: 192.0.2.1\ntwo: 192.0.2.2\n"), "group_vars/all.yml")
    trust = {"allow_exec": True}
    hosts = [_bound(opened(of_one_host(f"ansible_host: '{{{{ {n} }}}}'"))) for n in ("one", "two")]
    assert hosts[0]["ansible_host"] != hosts[1]["ansible_host"]
    own = f"secret: {value('x')}"
    users = [
        _bound(opened(of_one_host(f"{own}\nansible_user: '{{{{ secret }}}}{n}'"), **trust))
        for n in ("1", "2")
    ]
    assert users[0]["ansible_user"] != users[1]["ansible_user"]


def test_equal_digests_of_two_templates_tell_nothing_about_a_value(
    write: Write, opened: Opened
) -> None:
    """With the value x, both are xx. A stranger could try values so."""
    write(sealed("secret: x\n"), "group_vars/all.yml")
    one, other = (
        _bound(opened(of_one_host(f"ansible_password: '{text}'")))["ansible_password"]
        for text in ("x{{ secret }}", "{{ secret }}x")
    )
    assert one != other


def test_the_template_of_an_encrypted_file_is_no_reference(
    write: Write, errors: Callable[..., list[str]]
) -> None:
    """A stranger can set a variable that it reads."""
    text = "secret: hunter2hunter2\nscim_realms: {a: {token: '{{ kind }}{{ secret }}'}}\n"
    write(sealed(text), "group_vars/all.yml")
    (problem,) = errors(f"all: {{hosts: {{{HOST}: {{kind: 'file:'}}}}}}")
    assert "this encrypted value cannot be used as a token" in problem


# --- made after public reports --------------------------------------------------------------------


def test_an_encrypted_file_of_a_group_that_is_not_there_is_not_read(write: Write) -> None:
    """ansible#14786: the file of a group of another inventory stopped every run."""
    source = write(of_one_host(""))
    write("$ANSIBLE_VAULT;1.1;AES256\ndamaged\n", "group_vars/App.yml")
    found = inventory.read([source])
    assert not found.problems
    assert not found.warnings


def test_no_password_is_needed_for_what_is_not_used(write: Write) -> None:
    """ansible#43936: "Attempting to decrypt but no vault secrets found"."""
    source = write(of_one_host(f"cli: {{password: {value('x')}}}\nlater: '{{{{ cli }}}}'"))
    assert inventory.select(inventory.read([source]), [])


def test_an_address_in_an_encrypted_variable(opened: Opened) -> None:
    """ansible#31141: a vault value in a YAML inventory, and the address that names it."""
    own = f"first: {value('192.168.100.32')}\nansible_ssh_host: '{{{{ first }}}}'"
    assert only(opened(of_one_host(own))).connection.host == "192.168.100.32"


def test_an_encrypted_number(opened: Opened) -> None:
    """ansible#65859: a vault value is text, also where a number is expected."""
    own = f"ansible_port: {value('2222')}\nansible_timeout: {value('7.5')}"
    to = only(opened(of_one_host(own), allow_exec=True)).connection
    assert (to.port, to.timeout) == (2222, 7.5)


@pytest.mark.parametrize("text", [f"'{sealed('x')}'", '"!vault |\\n  $ANSIBLE_VAULT;1.1;AES256"'])
@pytest.mark.parametrize("name", ["ansible_host", "ansible_password", "scim_idp"])
def test_a_vault_value_without_its_tag_is_named(
    text: str, name: str, errors: Callable[..., list[str]]
) -> None:
    """ansible#79984 and ansible#45156: it would be sent as the password, or resolved as a name."""
    indented = text.replace("\n", "\n        ").rstrip() if "\n" in text else text
    (problem,) = errors(of_one_host("").rstrip() + f"\n      {name}: {indented}\n")
    assert "this is the text of an encrypted value, without its tag (write !vault" in problem


def test_a_token_without_its_tag_is_named(errors: Callable[..., list[str]]) -> None:
    token = json.dumps(sealed("x"))
    (problem,) = errors(of_one_host(f"scim_realms: {{acme: {{token: {token}}}}}"))
    assert "this is the text of an encrypted value, without its tag (write !vault" in problem


def test_a_closed_file_of_another_host_is_named(write: Write) -> None:
    """ansible#6820: a template asks all hosts, and the file of one of them is encrypted."""
    text = """
        web: {hosts: {a: {scim_realms: {x: }, ansible_user: "{{ hostvars.b.name }}"}}}
        db: {hosts: {b: }}
    """
    source = write(text)
    write(sealed("name: ops\n"), "group_vars/db.yml")
    (problem,) = map(short, inventory.read([source]).unknown_of(["a"]))
    assert problem.endswith(
        "hostvars['b'] has no 'name'; group_vars/db.yml, which may set it, is encrypted and was "
        "not read"
    )
    trusted = inventory.read([source], passwords=passwords, allow_exec=True)
    (server,) = trusted.servers.values()
    assert server.connection.user == "ops"


def test_an_omitted_password_leaves_the_place_to_the_prompt(opened: Opened) -> None:
    """ansible#83807: a lookup that finds nothing, `default(omit, true)`, and -K."""
    own = "found: ''\nansible_become_password: '{{ found | default(omit, true) }}'"
    assert only(opened(of_one_host(own))).connection.become_password is None


def test_an_omitted_become_leaves_the_place_to_the_option(write: Write) -> None:
    """ansible#75692"""
    source = write(of_one_host("ansible_become: '{{ omit }}'"))
    (server,) = inventory.read([source], {"ansible_become": True}).servers.values()
    assert server.connection.become


def test_an_encrypted_value_of_another_host(opened: Opened) -> None:
    """ansible#39162: "input is not vault encrypted data" for hostvars of another host."""
    text = f"""
all:
  hosts:
    a: {{scim_realms: {{x: }}, ansible_become_password: "{{{{ hostvars['b']['secret'] }}}}"}}
    b: {{secret: {value("hunter2")}}}
"""
    password = only(opened(text)).connection.become_password
    assert isinstance(password, VaultValue), "it is decrypted when it is used"


def test_the_line_break_of_echo_is_not_part_of_an_encrypted_address(opened: Opened) -> None:
    text = f"""\
all:
  hosts:
    chat1.test:
      ansible_host: {value("192.0.2.1" + chr(10))}
      scim_realms: {{acme: {{}}}}
"""
    assert only(opened(text)).connection.host == "192.0.2.1"


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_a_token_with_a_line_break_is_opened_for_nothing_else(
    errors: Callable[..., list[str]], end: str
) -> None:
    text = f"""\
all:
  hosts:
    chat1.test:
      ansible_user: {value(generate().reveal() + end)}
      scim_realms: {{acme: {{}}}}
"""
    assert any("looks like a SCIM token" in error for error in errors(text))


# --- what a stranger could learn by copying, moving and naming encrypted values -------------------

CONSENT = "an encrypted value is used here that could be a copy of a password"


@pytest.mark.parametrize(
    "text",
    [
        "a: *hunter2",
        "a: !hunter2 x",
        "{a: 1, hunter2: 2, hunter2: 3}",
        "hunter2: [1]",
        "all: {hunter2: 1, hosts: 7}",
        "all: {hosts: {'hunter2[1:': }}",
        "all: {hosts: [hunter2]}",
        "plugin: hunter2",
    ],
)
def test_messages_about_a_decrypted_inventory_quote_nothing(text: str, write: Write) -> None:
    with pytest.raises(InventoryError) as caught:
        inventory.read([write(sealed(text))], passwords=passwords)
    for problem in caught.value.problems:
        assert "hunter2" not in short(problem)
        assert "this line of the encrypted file is not valid (the line is that" in short(problem)


def test_messages_about_a_template_of_an_encrypted_file_quote_nothing(
    write: Write, errors: Callable[..., list[str]]
) -> None:
    text = "ansible_user: '{{ hunter2 }}'\nscim_idp: '{% hunter2 %}'\n"
    write(sealed(text), "group_vars/all.yml")
    found = errors(of_one_host(""))
    assert len(found) == 2
    assert not any("hunter2" in each for each in found)


@pytest.mark.parametrize(
    "text", ["short", "with a space in it, and long enough", "é" * 40, "env:A"]
)
def test_the_message_about_a_value_that_is_no_token_says_nothing_about_it(
    text: str, write: Write, errors: Callable[..., list[str]]
) -> None:
    write(sealed(json.dumps({"secret": text})), "group_vars/all.yml")
    (problem,) = errors(of_one_host("scim_realms: {a: {token: '{{ secret }}'}}"))
    assert ".token: this encrypted value cannot be used as a token (a token has" in problem


@pytest.mark.parametrize("name", VARIABLES)
@pytest.mark.parametrize(
    "text", ["hunter2", "hun.ter2", "hun:ter2", "fe80::1%hunter2", "3405803777"]
)
def test_a_copied_value_needs_consent(
    name: str, text: str, errors: Callable[..., list[str]]
) -> None:
    for own in (f"{name}: {value(text)}", f"s: {value(text)}\n{name}: '{{{{ s }}}}'"):
        (problem,) = errors(of_one_host(own))
        place, _, said = problem.partition(f"{HOST}.{name}: ")
        assert place
        assert said.startswith(
            f"{CONSENT} (write the value in clear, or set this variable in a file"
        )
        assert said.endswith("--allow-exec=inventory)")
        assert text not in said


def test_an_address_with_an_encrypted_part_needs_consent(errors: Callable[..., list[str]]) -> None:
    (problem,) = errors(of_one_host(f"s: {value('7')}\nansible_host: '192.0.2.{{{{ s }}}}'"))
    assert CONSENT in problem


@pytest.mark.parametrize("text", ["192.0.2.1", "2001:db8::1"])
def test_a_whole_address_needs_no_consent(text: str, opened: Opened) -> None:
    assert only(opened(of_one_host(f"ansible_host: {value(text)}"))).connection.host == text


@pytest.mark.parametrize(
    "variable",
    [
        "ansible_ssh_common_args: hunter2",
        'ansible_ssh_common_args: "\'hunter2"',
        "ansible_port: hunter2",
        "ansible_user: -hunter2",
        'ansible_become_flags: "\'hunter2"',
        "ansible_become_method: hunter2",
        "ansible_timeout: hunter2",
    ],
)
def test_messages_about_encrypted_connection_variables_say_nothing(
    variable: str, write: Write, errors: Callable[..., list[str]]
) -> None:
    write(sealed(variable), "group_vars/all.yml")
    (problem,) = errors(of_one_host(""))
    assert "this encrypted value is not valid here (the line" in problem
    assert "hunter2" not in problem


@pytest.mark.parametrize("text", ["{{ [[secret]] | string }}", "{{ hostvars[secret] }}"])
def test_an_encrypted_value_has_no_text_in_a_template(
    text: str, errors: Callable[..., list[str]]
) -> None:
    own = f"secret: {value('hunter2')}\nansible_user: {json.dumps(text)}"
    (problem,) = errors(of_one_host(own))
    assert "0x" not in problem
    assert "is encrypted, so a template can only insert it" in problem
