from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timezone
from functools import partial
from pathlib import Path

import pytest

from scimconf import vault
from scimconf.errors import UsageError
from scimconf.model import Places, Reference, Server, VaultValue
from scimconf.secret import Secret
from scimconf.tokens import rotation
from scimconf.tokens.entries import Entry, Record, Removed
from scimconf.tokens.fingerprint import matches
from scimconf.tokens.generate import generate
from scimconf.tokens.keyring import Keyring
from scimconf.tokens.rotation import activated, rolled_back
from scimconf.tokens.store import TokenFile, new_entry
from tests.factories import realm, server

PASSWORD = {"default": Secret("correct horse")}
ACME = ("chat1", "acme")


def _no_password() -> Mapping[str, Secret]:
    raise UsageError("a vault password is needed")


def _keyring(path: Path, *, locked: bool = False) -> Keyring:
    return Keyring(TokenFile.load(path), _no_password if locked else lambda: PASSWORD)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tokens.yaml"


@pytest.fixture
def plain() -> Server:
    return server(realm(), realm(""))


def test_a_new_token_is_saved_and_known_by_its_fingerprint(path: Path, plain: Server) -> None:
    made = _keyring(path)
    assert made.desired(plain).fingerprints == {}
    made.make([plain])
    tokens = made.tokens([plain])["chat1"]
    again = _keyring(path)
    assert again.tokens([plain])["chat1"] == tokens
    known = again.desired(plain).fingerprints
    assert {name for name, print_ in known.items() if matches(tokens[name], print_)} == {"acme", ""}


def test_a_delivery_that_has_not_ended_is_known_without_deliver_in_the_inventory(
    path: Path, plain: Server
) -> None:
    keyring = _keyring(path)
    keyring.make([plain])
    keyring.note({ACME: partial(rotation.begun, now=datetime.now(timezone.utc), was_paused=False)})
    assert list(_keyring(path, locked=True).desired(plain).delivering) == ["acme"]
    # A rotation finishes it.
    turned = keyring.staged([ACME]).turned([ACME], activated)
    assert turned.desired(plain).delivering == {}


def test_making_tokens_twice_changes_nothing(path: Path, plain: Server) -> None:
    _keyring(path).make([plain])
    before = path.read_bytes()
    _keyring(path, locked=True).make([plain])
    assert path.read_bytes() == before


def test_a_mistyped_vault_password_is_refused_before_it_encrypts_a_token(
    path: Path, plain: Server
) -> None:
    _keyring(path).make([plain])
    before = path.read_bytes()
    mistyped = Keyring(TokenFile.load(path), lambda: {"default": Secret("correct hrose")})
    with pytest.raises(UsageError, match=r"tokens\.yaml:\d+:\d+: wrong vault password"):
        mistyped.make([server(realm("new"))])
    assert path.read_bytes() == before


def test_tokens_under_two_passwords_of_one_id_are_refused(path: Path, plain: Server) -> None:
    """A merge request adds a token that is encrypted with a password of its author."""
    _keyring(path).make([plain])
    strange = new_entry(("aaa", "x"), generate(), Secret("evil"), "default")
    file = TokenFile.load(path).save({("aaa", "x"): strange})
    for password in "evil", "correct horse":
        keyring = Keyring(file, lambda password=password: {"default": Secret(password)})  # type: ignore[misc]
        with pytest.raises(UsageError, match="different passwords of the vault id 'default'"):
            keyring.make([server(realm("new"))])
    assert file.is_opened_by(Secret("evil")) is False
    assert TokenFile.load(path).records == file.records


@pytest.mark.parametrize("where", ["next", "previous", "removed", "other id"])
def test_a_password_must_open_every_token_of_the_file(path: Path, where: str) -> None:
    """Whoever adds a token can also change the vault ids of the others, or stage them."""

    def entry(password: str, id_: str = "default") -> Entry:
        return new_entry(("a", "x"), generate(), Secret(password), id_)

    record: Record = entry("evil")
    if where == "other id":
        record = entry("right", "team")
    elif where == "removed":
        record = Removed("2026-01-01T00:00:00Z", entry("right"))
    else:
        record = replace(entry("evil"), **{where: entry("right")})
    file = TokenFile(path, {("a", "x"): record, ("b", "x"): entry("evil")}, "")
    assert file.is_opened_by(Secret("evil")) is False


def test_without_a_vault_password_nothing_is_written(path: Path, plain: Server) -> None:
    with pytest.raises(UsageError, match="vault password"):
        _keyring(path, locked=True).make([plain])
    assert not path.exists()


# --- renames --------------------------------------------------------------------------------------


def _renamed(path: Path, *, locked: bool = False) -> Keyring:
    """A keyring for realm new of chat1, which was realm acme of chat0; each name may come first."""
    new, olds = ("chat1", "new"), (("chat1", "acme"), ("chat0", "acme"), ("chat0", "new"))
    places = Places(frozenset({new}), {new: olds})
    passwords = _no_password if locked else lambda: PASSWORD
    return Keyring(TokenFile.load(path), passwords, places=places)


@pytest.mark.parametrize("old", [("chat1", "acme"), ("chat0", "acme"), ("chat0", "new")])
def test_a_renamed_realm_gets_its_moved_token(path: Path, old: tuple[str, str]) -> None:
    """One of the two names may have been moved before: see terraform#32595."""
    new = server(realm("new"))
    _keyring(path).make([server(realm(old[1]), deployment=old[0])])
    token = TokenFile.load(path).token(*old, PASSWORD)
    wanted = _renamed(path, locked=True).desired(new)
    assert wanted.moved == {"new": old}
    assert token
    assert matches(token, wanted.fingerprints["new"]), "known without the password"
    keyring = _renamed(path)
    keyring.make([new])
    assert keyring.tokens([new])["chat1"] == {"new": token}
    assert list(keyring.file.records) == [("chat1", "new")]
    assert keyring.desired(new).moved == {}
    before = path.read_bytes()
    _renamed(path, locked=True).make([new])
    assert path.read_bytes() == before


def test_nothing_moves_to_a_place_with_a_token_or_elsewhere(path: Path) -> None:
    """The new place may have a token after `import` or `token move`: see terraform#29637."""
    _keyring(path).make([server(realm()), server(realm("new"))])
    assert _renamed(path).desired(server(realm("new"))).moved == {}
    elsewhere = realm("other", token=Reference("env", ("TOKEN",), "/"))
    places = Places(frozenset(), {("chat1", "other"): (ACME,)})
    keyring = Keyring(TokenFile.load(path), _no_password, places=places)
    assert keyring.desired(server(elsewhere)).moved == {}
    gone = server(realm("other", present=False))
    assert keyring.desired(gone).moved == {}


def test_tokens_of_places_that_the_inventory_lost_are_compared(path: Path) -> None:
    """A realm without a token may be a renamed one."""
    for deployment, name in (("chat0", "acme"), ("chat0", "wiki"), ("chat1", "docs"), ACME):
        _keyring(path).make([server(realm(name), deployment=deployment)])
    places = Places(frozenset({ACME, ("chat1", "new"), ("chat2", "wiki")}))
    keyring = Keyring(TokenFile.load(path), _no_password, places=places)

    def strays(*, deployment: str, name: str) -> list[str]:
        found = keyring.desired(server(realm(name), deployment=deployment)).strays
        return [each.place for each in found.get(name, ())]

    assert strays(deployment="chat1", name="acme") == [], "it has a token"
    (docs,) = strays(deployment="chat1", name="new")
    assert '"chat1", "docs"' in docs, "the realm was renamed"
    (wiki,) = strays(deployment="chat2", name="wiki")
    assert '"chat0", "wiki"' in wiki, "the server was renamed"
    assert _keyring(path).desired(server(realm("new"))).strays == {}, "the inventory is not known"


def test_fingerprints_need_no_vault_password(path: Path, plain: Server) -> None:
    _keyring(path).make([plain])
    assert len(_keyring(path, locked=True).desired(plain).fingerprints) == 2


def test_servers_of_one_deployment_share_their_tokens(path: Path) -> None:
    two = [server(realm(), name=name, deployment="main") for name in ("app1", "app2")]
    keys = _keyring(path)
    keys.make(two)
    tokens = keys.tokens(two)
    assert tokens["app1"] == tokens["app2"]


def test_an_absent_realm_gets_no_token(path: Path) -> None:
    keys = _keyring(path)
    gone = server(realm(present=False))
    keys.make([gone])
    assert keys.tokens([gone]) == {"chat1": {}}
    assert not path.exists()


def test_the_token_of_a_reference_is_recorded_only_by_settle(path: Path, tmp_path: Path) -> None:
    token = generate()
    (tmp_path / "token").write_text(f"{token.reveal()}\n")
    (tmp_path / "token").chmod(0o600)
    elsewhere = server(realm(token=Reference("file", ("token",), str(tmp_path))))
    keys = _keyring(path, locked=True)
    assert keys.desired(elsewhere).fingerprints == {}
    keys.fetch([elsewhere])
    assert keys.tokens([elsewhere])["chat1"]["acme"] == token
    desired = keys.desired(elsewhere)
    assert matches(token, desired.fingerprints["acme"])
    assert desired.unrecorded == {"acme": ""}
    assert keys.desired(elsewhere) == desired, "each salt is drawn once"
    assert not path.exists()
    keys.settle([elsewhere], [elsewhere])
    assert token.reveal() not in path.read_text()
    again = _keyring(path, locked=True).desired(elsewhere)
    assert again.fingerprints == desired.fingerprints
    assert again.unrecorded == {}


def test_no_command_inherits_a_token_from_the_environment(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEW_TOKEN_OF_WIKI", generate().reveal())
    script = tmp_path / "give"
    script.write_text(f"#!/bin/sh\nenv > {tmp_path}/seen\necho {generate().reveal()}\n")
    script.chmod(0o755)
    first = realm("acme", token=Reference("command", (str(script),), str(tmp_path)))
    later = realm("wiki", token=Reference("env", ("NEW_TOKEN_OF_WIKI",), str(tmp_path)))
    _keyring(path).fetch([server(first, later)])
    seen = (tmp_path / "seen").read_text()
    assert "PATH=" in seen
    assert "NEW_TOKEN_OF_WIKI" not in seen


def test_a_token_in_clear_that_has_changed_is_not_recorded_yet(path: Path) -> None:
    keys = _keyring(path, locked=True)
    first = server(realm(token=generate()))
    keys.fetch([first])
    keys.settle([first], [first])
    assert keys.desired(first).unrecorded == {}
    changed = server(realm(token=generate()))
    assert keys.desired(changed).unrecorded == {"acme": ""}


def test_a_vault_value_of_the_inventory_is_decrypted(path: Path) -> None:
    token = generate()
    value = VaultValue(vault.encrypt(token, PASSWORD["default"]))
    keys = _keyring(path)
    closed = server(realm(token=value))
    keys.fetch([closed])
    assert keys.tokens([closed])["chat1"]["acme"] == token


@pytest.mark.parametrize(
    ("source", "why"),
    [
        (Reference("env", ("NOWHERE",), "/"), "the environment variable NOWHERE is not set"),
        (VaultValue("$ANSIBLE_VAULT;1.1;AES256\n61\n"), ""),
    ],
)
def test_a_token_that_cannot_be_fetched_is_reported_with_its_realm(
    path: Path, source: Reference | VaultValue, why: str
) -> None:
    with pytest.raises(UsageError, match=f"^realm acme of chat1: .*{why}"):
        _keyring(path).fetch([server(realm(token=source))])


@pytest.mark.parametrize(
    "text", ["short", "a" * 60, "two\nlines of some text, long enough", "é" * 40]
)
def test_the_message_about_a_vault_value_that_is_no_token_says_nothing_about_it(
    path: Path, text: str
) -> None:
    """A stranger can copy any encrypted value to this place."""
    value = VaultValue(vault.encrypt(Secret(text), PASSWORD["default"]))
    with pytest.raises(UsageError) as caught:
        _keyring(path).fetch([server(realm(token=value))])
    said = "realm acme of chat1: this encrypted value cannot be used as a token"
    assert caught.value.message == said


def test_a_realm_with_a_new_reference_does_not_use_its_old_fingerprint(path: Path) -> None:
    keys = _keyring(path)
    keys.make([server(realm())])
    moved = server(realm(token=Reference("env", ("ANYWHERE",), "/")))
    assert keys.desired(moved).fingerprints == {}


def test_a_realm_whose_reference_was_removed_gets_a_new_token(path: Path) -> None:
    keys = _keyring(path)
    elsewhere = server(realm(token=generate()))
    keys.desired(elsewhere)
    keys.settle([elsewhere], [elsewhere])
    plain = server(realm())
    assert keys.desired(plain).fingerprints == {}
    keys.make([plain])
    assert keys.desired(plain).fingerprints


def test_a_replaced_token_of_the_file_is_kept_as_the_previous_one(path: Path) -> None:
    """A server may still have it: the inventory has another token, but nothing was applied."""
    first = _keyring(path)
    first.make([server(realm())])
    old = first.file.entry(*ACME)
    assert old
    for number in range(2):
        keys = _keyring(path, locked=True)
        elsewhere = server(realm(token=generate()))
        keys.desired(elsewhere)
        keys.settle([elsewhere], [elsewhere])
        entry = TokenFile.load(path).entry(*ACME)
        assert entry
        assert entry.previous, number
        assert (entry.ciphertext, entry.previous.ciphertext) == (None, old.ciphertext)

    again = _keyring(path)
    again.make([server(realm())])
    own = again.file.entry(*ACME)
    assert own
    assert own.previous
    assert own.previous.ciphertext == old.ciphertext
    again.adopt({ACME: generate()})
    imported = TokenFile.load(path).entry(*ACME)
    assert imported
    assert imported.previous
    assert imported.previous.ciphertext == own.ciphertext


# --- rotation and removal ---------------------------------------------------------------------


def test_a_staged_token_is_active_only_after_keep(path: Path, plain: Server) -> None:
    first = _keyring(path)
    first.make([plain])
    old = first.tokens([plain])["chat1"]
    before = path.read_bytes()
    staged = first.staged([ACME])
    assert path.read_bytes() == before, "not yet"
    first.keep(staged, [ACME])
    assert _keyring(path).tokens([plain])["chat1"] == old, "not in force"

    turned = first.turned([ACME], activated)
    new = turned.tokens([plain])["chat1"]
    assert new["acme"] != old["acme"]
    assert new[""] == old[""]
    assert matches(new["acme"], turned.desired(plain).fingerprints["acme"])
    assert _keyring(path).tokens([plain])["chat1"] == old, "not yet"

    first.keep(turned, [ACME])
    assert _keyring(path).tokens([plain])["chat1"] == new
    again = _keyring(path)
    again.keep(again.turned([ACME], rolled_back), [ACME])
    assert _keyring(path).tokens([plain])["chat1"] == old


def test_without_a_password_staging_writes_nothing(path: Path, plain: Server) -> None:
    _keyring(path).make([plain])
    before = path.read_bytes()
    with pytest.raises(UsageError, match="vault password"):
        _keyring(path, locked=True).staged([ACME])
    assert path.read_bytes() == before


def test_a_token_that_is_not_in_the_file_cannot_be_rotated(path: Path, plain: Server) -> None:
    with pytest.raises(UsageError, match=r"has no token for realm acme of chat1") as error:
        _keyring(path).staged([ACME])
    assert "apply" in error.value.hint
    _keyring(path).make([plain])
    with pytest.raises(UsageError, match=r"realm \(root\) of chat1: no token is staged"):
        _keyring(path).turned([("chat1", "")], activated)


def test_realms_that_share_a_token_are_found(path: Path, plain: Server) -> None:
    keyring = _keyring(path)
    keyring.make([plain])
    copy = new_entry(
        ("chat2", "wiki"), keyring.tokens([plain])["chat1"]["acme"], *PASSWORD.values()
    )
    keyring.file = keyring.file.save({("chat2", "wiki"): copy})
    assert _keyring(path).sharing([ACME, ("chat1", "")]) == {
        ACME: (("chat2", "wiki"),),
        ("chat1", ""): (),
    }


GONE = (realm(present=False), realm(""), realm("never", present=False))


def test_a_removed_realm_keeps_its_token_for_some_time(path: Path, plain: Server) -> None:
    keyring = _keyring(path)
    keyring.make([plain])
    entry = keyring.file.entry(*ACME)
    keyring.settle([server(*GONE)], [server(*GONE)])
    records = TokenFile.load(path).records
    assert set(records) == {ACME, ("chat1", "")}
    removed = records[ACME]
    assert isinstance(removed, Removed)
    assert removed.entry == entry
    before = path.read_bytes()
    keyring.settle([server(*GONE)], [server(*GONE)])
    assert path.read_bytes() == before, "the date stays"


def test_a_token_that_was_opened_is_not_used_after_another_run_has_removed_its_realm(
    path: Path, plain: Server
) -> None:
    _keyring(path).make([plain])
    late = _keyring(path)
    late.unlock([plain])
    other = _keyring(path)
    gone = server(realm(present=False), realm(""))
    other.settle([gone], [gone])
    late.make([server(realm("new"))])  # reads the file again
    assert set(late.tokens([plain])["chat1"]) == {""}


def test_a_realm_that_is_added_again_gets_its_old_token(path: Path, plain: Server) -> None:
    """An undo may have restored it on the server, or the removal was a mistake."""
    keyring = _keyring(path)
    keyring.make([plain])
    token = keyring.tokens([plain])["chat1"]["acme"]
    keyring.settle([server(*GONE)], [server(*GONE)])
    again = _keyring(path)
    desired = again.desired(plain)
    assert set(desired.unrecorded) == {"acme"}
    assert desired.unrecorded["acme"].startswith("20")
    assert matches(token, desired.fingerprints["acme"])
    again.make([plain])
    assert _keyring(path).desired(plain).unrecorded == {}
    assert _keyring(path).tokens([plain])["chat1"]["acme"] == token


def test_a_realm_that_is_added_again_late_gets_a_new_token(path: Path, plain: Server) -> None:
    keyring = _keyring(path)
    keyring.make([plain])
    keyring.settle([server(*GONE)], [server(*GONE)])
    text = re.sub(r'removed: "\d{4}', 'removed: "2020', path.read_text())
    path.write_text(text)
    late = _keyring(path)
    late.settle([server(*GONE)], [server(*GONE)])
    assert late.file.records[ACME] == Removed(f"2020{late.file.records[ACME].removed[4:]}")
    assert late.desired(plain).fingerprints.keys() == {""}


def test_a_token_copied_from_the_file_into_the_inventory_is_refused(
    path: Path, plain: Server
) -> None:
    keyring = _keyring(path)
    keyring.make([plain])
    entry = keyring.file.entry(*ACME)
    assert entry
    assert entry.ciphertext
    stolen = server(realm("evil", token=VaultValue(entry.ciphertext)), name="chat9")
    with pytest.raises(UsageError, match="is the token of realm acme of chat1"):
        keyring.fetch([stolen])


def test_other_tokens_of_the_file_are_compared_on_the_server(path: Path, plain: Server) -> None:
    keyring = _keyring(path)
    keyring.make([plain])
    assert keyring.desired(plain).others == {"acme": (), "": ()}
    keyring.keep(keyring.staged([ACME]), [ACME])
    (staged,) = keyring.desired(plain).others["acme"]
    turned = keyring.turned([ACME], activated)
    assert turned.desired(plain).fingerprints["acme"] == staged
    assert turned.desired(plain).turned, "a rotation is no surprise"
    (old,) = turned.desired(plain).others["acme"]
    assert old == keyring.desired(plain).fingerprints["acme"]
