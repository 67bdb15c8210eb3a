"""The trouble of one host stops only a run that selects the host."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from scimconf import inventory
from scimconf.errors import InventoryError, UsageError
from scimconf.inventory import Inventory
from scimconf.model import Server
from scimconf.run.apply import _of_selected_deployments
from scimconf.run.which_tokens import check_whole
from scimconf.tokens.generate import generate

from .conftest import Write, short

WRONG = {
    "a lookup": "ansible_user: \"{{ lookup('env', 'USER') }}\"",
    "an unknown filter": "scim_idp: \"{{ 'okta' | to_json }}\"",
    "a name that is not set": "ansible_host: '{{ nosuch }}'",
    "a wrong value": "scim_verify: maybe",
    "an unknown variable": "scim_ipd: okta",
    "a misspelt scim_realms": "scim_realm: {acme: {}}",
    "a wrong realm": "scim_realms: {acme: {idp: okat}}",
    "an encrypted value that is damaged": "ansible_host: !vault x",
    "a special variable": "ansible_user: '{{ playbook_dir }}'",
    "a special variable with a default": "ansible_user: \"{{ ansible_version | default('x') }}\"",
    "a fact": "ansible_host: '{{ ansible_default_ipv4.address }}'",
    "a role": "ansible_user: '{{ role_name }}'",
    "trouble of another host": "ansible_user: \"{{ hostvars['c'].broken }}\"",
}
TEXT = """\
all:
  children:
    good: {hosts: {a: {scim_realms: {acme: }}, b: {scim_realms: {acme: }}}}
    other: {hosts: {c: {broken: "{{ nosuch }}"}, d: }}
    empty: {vars: {unused: "{{ nosuch }}"}}
"""

Read = Callable[..., Inventory]


@pytest.fixture
def read(write: Write) -> Read:
    def _read(own: str, name: str = "bad", text: str = TEXT) -> Inventory:
        source = write(text + f"    trouble: {{hosts: {{{name}: }}}}\n")
        realms = "" if "scim_realm" in own else "scim_realms: {acme: {}}\n"
        write(f"{realms}{own}\n", f"host_vars/{name}.yml")
        return inventory.read([source])

    return _read


def names(servers: tuple[Server, ...]) -> list[str]:
    return [server.name for server in servers]


@pytest.mark.parametrize("what", WRONG)
def test_only_a_run_that_selects_the_host_is_stopped(what: str, read: Read) -> None:
    found = read(WRONG[what])
    for pattern, limit in ((["good"], []), ([], ["good"]), (["all:!trouble"], []), ([], ["!bad"])):
        assert names(inventory.select(found, pattern, limit)) == ["a", "b"]
    for pattern, limit in (([], []), (["bad"], []), (["all"], ["bad,a"]), (["good", "b*"], [])):
        with pytest.raises(InventoryError) as caught:
            inventory.select(found, pattern, limit)
        (problem,) = caught.value.problems
        assert "host_vars/bad.yml:" in str(problem)
    with pytest.raises(InventoryError, match=r"host_vars/bad\.yml:"):
        found.check_all()
    assert "bad" not in found.servers


def test_the_messages_of_special_variables(read: Read) -> None:
    def said(what: str) -> str:
        (problem,) = read(WRONG[what]).problems["bad"]
        return short(problem).partition(": ")[2]

    assert said("a special variable") == (
        "ansible_user: playbook_dir is not supported: Ansible itself sets it while it runs "
        "(write the value itself)"
    )
    assert said("a fact") == (
        "ansible_host: the template fails: ansible_default_ipv4 is a fact that Ansible gathers "
        "from the server; scimconf gathers none"
    )
    assert "role_name exists only in a role of a playbook" in said("a role")
    assert said("trouble of another host") == (
        "ansible_user: hostvars['c'].broken: the template fails: 'nosuch' is undefined"
    )


@pytest.mark.parametrize(
    "text",
    ["all: [x", "all: {hosts: {a: {x: 1, x: 2}}}", "all: {hosts: 5}", ""],
)
def test_a_broken_file_stops_every_run(text: str, write: Write) -> None:
    """Nobody knows which hosts it would have named."""
    good = write(TEXT)
    with pytest.raises(InventoryError):
        inventory.read([good, write(text, "broken.yaml")])


def test_a_problem_of_a_group_is_that_of_its_hosts(write: Write) -> None:
    found = inventory.read([write(TEXT + "  vars: {scim_idp: okta}\n")])
    assert not found.problems
    write("scim_vrify: no\n", "group_vars/good.yml")
    found = inventory.read([Path("hosts.yaml")])
    assert set(found.problems) == {"a", "b"}
    assert len({each for of in found.problems.values() for each in of}) == 1


def test_a_problem_of_no_host_is_only_reported_by_check(write: Write) -> None:
    found = inventory.read([write(TEXT + "    unused: {vars: {scim_ipd: x}}\n")])
    assert names(inventory.select(found, [])) == ["a", "b"]
    with pytest.raises(InventoryError, match="scim_ipd"):
        found.check_all()


def test_two_servers_with_one_url_are_both_stopped(write: Write) -> None:
    same = "{scim_realms: {acme: {url: 'https://chat.test'}}}"
    found = inventory.read(
        [write(f"all: {{hosts: {{a: {same}, b: {same}, c: {{scim_realms: {{x: }}}}}}}}")]
    )
    assert names(inventory.select(found, ["c"])) == ["c"]
    for name in ("a", "b"):
        with pytest.raises(InventoryError, match="is already the URL"):
            inventory.select(found, [name])


def test_a_warning_about_a_host_is_printed_only_if_it_is_selected(write: Write) -> None:
    text = "all: {hosts: {a: {scim_realms: {x: }}, b: {scim_realms: {x: {token: '%s'}}}}}"
    found = inventory.read([write(text % generate().reveal())])
    assert not found.warnings_of(["a"])
    assert "plain text" in str(found.warnings_of(["b"]))
    assert found.warnings == found.warnings_of(["a", "b"])


# --- a deployment of which one server has errors --------------------------------------------------

DEPLOYMENT = """\
all:
  children:
    cluster:
      vars: {scim_deployment: cluster, zulip_external_host: chat.test, scim_realms: {acme: }}
      hosts: {a: , b: }
    single: {hosts: {s: {scim_realms: {acme: }}}}
"""


@pytest.mark.parametrize(
    ("own", "deployment"),
    [
        ("scim_deployment: cluster\nansible_user: '{{ nosuch }}'", "cluster"),
        ("scim_deployment: cluster\nscim_realms: [x]", "cluster"),
        ("ansible_user: '{{ nosuch }}'", "bad"),
        ("scim_deployment: '{{ nosuch }}'", None),
        ("scim_deployment: [cluster]", None),
    ],
)
def test_a_server_with_errors_may_keep_an_old_token(
    own: str, deployment: str | None, read: Read
) -> None:
    """So its deployment is not rotated, and no old token of it is deleted."""
    found = read(own, text=DEPLOYMENT)
    assert found.broken == {"bad": deployment}
    selected = inventory.select(found, ["cluster"])
    if deployment == "bad":
        check_whole(selected, found)
        assert _of_selected_deployments(selected, selected, found) == list(selected)
        return
    with pytest.raises(UsageError, match=r"bad belongs to .* and its variables have errors"):
        check_whole(selected, found)
    assert _of_selected_deployments(selected, selected, found) == []


def test_the_tokens_of_a_server_with_errors_are_withheld_from_programs(read: Read) -> None:
    found = read("scim_realms: {acme: {token: 'env:ACME_TOKEN'}}\nscim_idp: '{{ nosuch }}'")
    assert found.env_names == {"ACME_TOKEN"}


# --- omit -----------------------------------------------------------------------------------------


def test_an_omitted_variable_counts_as_not_set(write: Write) -> None:
    own = (
        "{scim_realms: {x: {idp: '{{ n | default(omit) }}', token: '{{ n | default(omit) }}'}}, "
        "ansible_become_password: '{{ n | default(omit) }}', scim_idp: '{{ omit }}', "
        "ansible_host: '{{ omit }}', scim_restart: [a, '{{ omit }}']}"
    )
    found = inventory.read(
        [write(f"all: {{hosts: {{a: {own}, b: {{scim_realms: '{{{{ omit }}}}'}}}}}}")]
    )
    (server,) = inventory.select(found, [])
    assert (server.name, server.connection.host) == ("a", "a")
    assert server.connection.become_password is None
    assert server.realms[0].idp == "other"
    assert server.realms[0].token is None
    assert server.restart == ("a",)
    assert "ansible_host" not in server.connection.said


def test_no_token_is_moved_away_from_a_server_with_errors(write: Write) -> None:
    """It may still have the realm under the former name."""
    text = (
        "all: {hosts: {a: {scim_realms: {new: {moved_from: old}}, scim_deployment: d}, "
        "b: {scim_realms: {old: }, %s}}}"
    )
    for own, moved in (("scim_deployment: d, x: 1", False), ("scim_deployment: e", True)):
        found = inventory.read([write(text % f"ansible_user: '{{{{ nosuch }}}}', {own}")])
        assert bool(found.places.renamed) is moved
