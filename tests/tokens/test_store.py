from __future__ import annotations

import os
import re
import threading
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scimconf import files, vault
from scimconf.errors import InventoryError, UsageError
from scimconf.model import VaultValue
from scimconf.secret import Secret
from scimconf.tokens.entries import Record, Removed, bound, entries_of
from scimconf.tokens.fingerprint import matches
from scimconf.tokens.generate import generate
from scimconf.tokens.layout import edit
from scimconf.tokens.rotation import activated, staged, stamp, without_expired
from scimconf.tokens.store import Entry, TokenFile, new_entry, place
from scimconf.yamlfile import parse
from tests import matrix
from tests.factories import FINGERPRINT

PASSWORD = Secret("correct horse")
PASSWORDS = {"default": PASSWORD}
ACME = ("chat1", "acme")
TOKEN = Secret("gR7bQ2mXv9LkPz4TnW8s")
OTHER = Secret("hS8cR3nYw1MmQa5UoX9t")


def _entry(number: int = 0, *, kept: bool = True) -> Entry:
    """Return an entry with a ciphertext that cannot be decrypted. `number` makes it unique."""
    cipher = f"$ANSIBLE_VAULT;1.1;AES256\n{number:080d}\n6162\n" if kept else None
    return Entry(FINGERPRINT, f"2026-06-{number % 28 + 1:02d}T10:00:00Z", cipher)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tokens.yaml"


# --- one file ---------------------------------------------------------------------------------


def test_a_missing_file_has_no_entries(path: Path) -> None:
    file = TokenFile.load(path)
    assert file.entries == {}
    assert file.fingerprint("chat1", "acme") is None
    assert file.entry("chat1", "acme") is None
    assert file.token("chat1", "acme", {}) is None
    assert not path.exists()


def test_a_token_is_decrypted_only_with_the_password(path: Path) -> None:
    saved = TokenFile.load(path).save({ACME: new_entry(ACME, TOKEN, PASSWORD)})
    for file in (saved, TokenFile.load(path)):
        assert file.token("chat1", "acme", PASSWORDS) == TOKEN
    assert TOKEN.reveal() not in path.read_text()
    with pytest.raises(UsageError, match=r"tokens\.yaml:11:7: wrong vault password") as error:
        saved.token("chat1", "acme", {"default": Secret("wrong")})
    assert error.value.hint


def test_fingerprints_are_read_without_a_password(path: Path) -> None:
    entries = {
        ACME: new_entry(ACME, TOKEN, PASSWORD),
        ("chat1", ""): new_entry(("chat1", ""), OTHER),
    }
    file = TokenFile.load(path).save(entries)
    for key, entry in entries.items():
        known = file.fingerprint(*key)
        assert known == bound(key, entry)
        assert matches(TOKEN if key == ACME else OTHER, known)


def test_a_token_kept_elsewhere_has_a_fingerprint_and_no_ciphertext(path: Path) -> None:
    file = TokenFile.load(path).save({ACME: new_entry(ACME, TOKEN)})
    assert file.token("chat1", "acme", PASSWORDS) is None
    assert "!vault" not in path.read_text()


def test_a_weak_token_gets_no_fingerprint() -> None:
    with pytest.raises(UsageError, match="bits"):
        new_entry(ACME, Secret("hunter2"), PASSWORD)


def test_a_ciphertext_of_another_token_is_refused(path: Path) -> None:
    swapped = Entry(FINGERPRINT, "2026-06-01T10:00:00Z", vault.encrypt(TOKEN, PASSWORD))
    file = TokenFile.load(path).save({("chat1", "acme"): swapped})
    with pytest.raises(UsageError, match=r":11:7: this token does not belong here"):
        file.token("chat1", "acme", PASSWORDS)


def test_the_layout_of_a_new_file(path: Path) -> None:
    TokenFile.load(path).save({("chat1", "acme"): _entry(1), ("chat1", ""): _entry(2, kept=False)})
    head, _, body = path.read_text().partition("scimconf_tokens:\n")
    *comments, version = head.splitlines()
    assert all(line.startswith("# ") for line in comments)
    assert version == "version: 2"
    assert body == (
        '  "chat1":\n'
        '    "":\n'
        f'      fingerprint: "{FINGERPRINT}"\n'
        '      created: "2026-06-03T10:00:00Z"\n'
        '    "acme":\n'
        f'      fingerprint: "{FINGERPRINT}"\n'
        '      created: "2026-06-02T10:00:00Z"\n'
        "      token: !vault |\n"
        "        $ANSIBLE_VAULT;1.1;AES256\n"
        f"        {1:080d}\n"
        "        6162\n"
        "...\n"
    )


def test_the_file_is_private_and_no_temporary_file_is_left(path: Path) -> None:
    file = TokenFile.load(path).save({("chat1", "acme"): _entry()})
    path.chmod(0o644)
    file.save({("chat1", "beta"): _entry()})
    assert path.stat().st_mode & 0o777 == 0o600
    assert sorted(os.listdir(path.parent)) == [".tokens.yaml.lock", "tokens.yaml"]


def test_a_link_stays_a_link(path: Path, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    path.symlink_to(tmp_path / "real/tokens.yaml")
    TokenFile.load(path).save({("chat1", "acme"): _entry()})
    assert path.is_symlink()
    assert (tmp_path / "real/tokens.yaml").is_file()


def test_saving_no_changes_writes_nothing(path: Path) -> None:
    file = TokenFile.load(path).save({("chat1", "acme"): _entry()})
    before = path.stat()
    assert file.save({("chat1", "acme"): _entry()}).entries == file.entries
    assert file.save({}).entries == file.entries
    after = path.stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


# --- two runs ---------------------------------------------------------------------------------


def test_two_runs_do_not_lose_each_others_tokens(path: Path) -> None:
    one, two = TokenFile.load(path), TokenFile.load(path)
    one.save({("chat1", "acme"): _entry(1)})
    after = two.save({("chat2", "acme"): _entry(2)})
    assert set(after.entries) == {("chat1", "acme"), ("chat2", "acme")}


def test_two_runs_do_not_make_one_token_twice(path: Path) -> None:
    one, two = TokenFile.load(path), TokenFile.load(path)
    one.save({("chat1", "acme"): _entry(1)})
    with pytest.raises(
        UsageError, match="another run has changed the token of realm acme of chat1"
    ):
        two.save({("chat1", "acme"): _entry(2), ("chat1", "beta"): _entry(2)})
    assert TokenFile.load(path).entries == {("chat1", "acme"): _entry(1)}


def test_many_runs_save_at_the_same_time(path: Path) -> None:
    def run(number: int) -> None:
        TokenFile.load(path).save({(f"chat{number}", "acme"): _entry(number)})

    threads = [threading.Thread(target=run, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(TokenFile.load(path).entries) == 12


def test_a_lock_that_is_never_released_is_an_error(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "_LOCK_TIMEOUT", 0.1)
    file = TokenFile.load(path)
    with files.locked(path), pytest.raises(UsageError, match="another scimconf"):
        file.save({("chat1", "acme"): _entry()})
    file.save({("chat1", "acme"): _entry()})


# --- files that scimconf must not write -------------------------------------------------------

WHOLE = "version: 2\n...\n"
"""The version, and the end mark that shows that the file is complete."""
ONE = f"scimconf_tokens:\n  c:\n    a: {{fingerprint: '{FINGERPRINT}', "


@pytest.mark.parametrize(
    ("text", "where", "words"),
    [
        ("<<<<<<< HEAD\nscimconf_tokens:\n", ":1:1", "merge conflict"),
        ("- a\n", ":1:1", "mapping"),
        ("text\n", ":1:1", "mapping"),
        ("all:\n  hosts: {}\n", ":1:1", "not a token file"),
        ("", ":1:1", "cut short"),
        ("# ours\n", ":1:1", "cut short"),
        ("version: 2\n", ":1:1", "cut short"),
        ("version: 2\nscimconf_tokens:\n  c: {}\n", ":3:1", "cut short"),
        ("version: 2\nscimconf_tokens:\n  c: {\n", ":3:1", "cut short"),
        ("version: 2\nscimconf_tokens:\n...\n# more\n", ":4:1", "after its end"),
        ("version: 3\nscimconf_tokens:\n...\n", ":1:1", "newer scimconf"),
        ("scimconf_tokens: {}\n", ":1:1", "scimconf token migrate"),
        ("scimconf_tokens:\n  chat1: 3\n" + WHOLE, ":2:3", "mapping"),
        ("scimconf_tokens:\n  1:\n    acme: {}\n" + WHOLE, ":2:3", "not text"),
        ("scimconf_tokens:\n  chat1:\n    no: {}\n" + WHOLE, ":3:5", "not text"),
        ("scimconf_tokens:\n  chat1:\n    acme: {}\n" + WHOLE, ":3:5", "fingerprint is missing"),
        (
            "scimconf_tokens:\n  chat1:\n    acme: {fingerprint: x, created: 'y'}\n" + WHOLE,
            ":3:12",
            "expected",
        ),
        (
            f"{ONE}created: 2026-01-01}}\n" + WHOLE,
            ":3:",
            "created is not text",
        ),
        (
            f"{ONE}created: '', x: 1}}\n" + WHOLE,
            ":3:",
            "does not know",
        ),
        (f"{ONE}created: '', retired: ''}}\n" + WHOLE, ":3:", "does not know"),
        (f"{ONE}created: '', next: 3}}\n" + WHOLE, ":3:", "mapping"),
        (f"{ONE}created: '', next: {{created: ''}}}}\n" + WHOLE, ":3:", "fingerprint is missing"),
        (f"{ONE}created: '', next: {{fingerprint: x, created: ''}}}}\n" + WHOLE, ":3:", "expected"),
        (f"{ONE}created: '', next: {{removed: ''}}}}\n" + WHOLE, ":3:", "does not know"),
        (f"{ONE}created: '', next: {{token: in clear}}}}\n" + WHOLE, ":3:", "not a !vault value"),
        (f"{ONE}created: '', previous: {{token: t}}}}\n" + WHOLE, ":3:", "not a !vault value"),
        (f"{ONE}created: '', previous: {{retired: 3}}}}\n" + WHOLE, ":3:", "retired is not text"),
        (f"{ONE}created: '', previous: {{next: {{}}}}}}\n" + WHOLE, ":3:", "does not know"),
        (f"{ONE}removed: ''}}\n" + WHOLE, ":3:", "created is missing"),
        (
            "scimconf_tokens:\n  c:\n    a: {removed: '', removed: ''}\n" + WHOLE,
            ":3:",
            "duplicate key",
        ),
        (
            "scimconf_tokens:\n  c:\n    a: {removed: 2026-01-01}\n" + WHOLE,
            ":3:",
            "removed is not text",
        ),
        (
            f"{ONE}created: '', token: t}}\n" + WHOLE,
            ":3:",
            "not a !vault value",
        ),
        ("scimconf_tokens:\n  c:\n    a: {}\n    a: {}\n" + WHOLE, ":4:5", "duplicate key"),
        ("scimconf_tokens: {\n", ":", "bracket"),
        ("\x00", ":1:1", "not allowed"),
        ("$ANSIBLE_VAULT;1.1;AES256\n6162\n", ":1:1", "ansible-vault decrypt"),
    ],
)
def test_an_invalid_file_is_named_with_its_line_and_never_written(
    path: Path, text: str, where: str, words: str
) -> None:
    fresh = TokenFile.load(path)
    path.write_text(text)
    for use in (lambda: TokenFile.load(path), lambda: fresh.save({("chat1", "acme"): _entry()})):
        with pytest.raises(InventoryError, match=words) as error:
            use()
        assert f"tokens.yaml{where}" in str(error.value)
    assert path.read_text() == text


@pytest.mark.parametrize(
    "text",
    [
        "scimconf_tokens: {}\n" + WHOLE,
        f'scimconf_tokens: {{"chat1": {{"b": {{fingerprint: "{FINGERPRINT}", created: ""}}}}}}\n'
        + WHOLE,
        f'scimconf_tokens:\n  "chat1": {{"b": {{fingerprint: "{FINGERPRINT}", created: ""}}}}\n'
        + WHOLE,
        f'scimconf_tokens:\n  chat0: &x\n    b: {{fingerprint: "{FINGERPRINT}", created: ""}}\n'
        "  chat1: *x\n" + WHOLE,
    ],
)
def test_a_layout_that_cannot_be_edited_is_not_changed(path: Path, text: str) -> None:
    path.write_text(text)
    file = TokenFile.load(path)
    with pytest.raises(UsageError, match="cannot edit the layout"):
        file.save({("chat1", "acme"): _entry()})
    assert path.read_text() == text


def test_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot write beside"):
        TokenFile.load(tmp_path / "no/tokens.yaml").save({("chat1", "acme"): _entry()})


def test_a_full_disk_leaves_the_old_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = TokenFile.load(path).save({("chat1", "acme"): _entry()})
    before = path.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UsageError, match="No space left"):
        file.save({("chat1", "beta"): _entry()})
    assert path.read_bytes() == before
    assert sorted(os.listdir(path.parent)) == [".tokens.yaml.lock", "tokens.yaml"]


def test_the_temporary_file_of_a_killed_run_is_removed(path: Path) -> None:
    """It contains tokens, although encrypted, and `git add` would add it."""
    file = TokenFile.load(path).save({("chat1", "acme"): _entry()})
    left, mine = path.with_name(f".{path.name}.0123456789abcdef.new"), path.with_name("x.new")
    for each in (left, mine):
        each.write_text(path.read_text())
    file.save({("chat1", "beta"): _entry()})
    assert (left.exists(), mine.exists()) == (False, True)


# --- a token stays in its place ---------------------------------------------------------------


def _lines_of(text: str, realm: str) -> str:
    """Return the lines of a realm's entry, without the realm's name."""
    found = re.search(rf'    "{realm}":\n((?:      .*\n)+)', text)
    assert found
    return found[1]


@pytest.fixture
def two(path: Path) -> str:
    """A file with the tokens of two realms; one of them has a previous token."""
    first = new_entry(ACME, TOKEN, PASSWORD)
    after = activated(staged(first, new_entry(ACME, generate(), PASSWORD), _NOW), _NOW)
    other = new_entry(("chat1", "beta"), OTHER, PASSWORD)
    TokenFile.load(path).save({ACME: after, ("chat1", "beta"): other})
    return path.read_text()


_NOW = datetime.now(timezone.utc)


def test_a_copied_token_is_refused_with_both_places(path: Path, two: str) -> None:
    """This needs no password. Otherwise the operator of one server could get another's token."""
    acme, beta = _lines_of(two, "acme"), _lines_of(two, "beta")
    shouted = re.sub(r"(?m)^( +)([0-9a-f]{80})$", lambda m: m[1] + m[2].upper(), beta)
    reflowed = re.sub(r"(?m)^( +)([0-9a-f]{40})([0-9a-f]{40})$", r"\1\2\n\1\3", beta)
    other_id = beta.replace("1.1;AES256", "1.2;AES256;prod")
    for copy in (beta, shouted, reflowed, other_id):
        path.write_text(two.replace(acme, copy))
        with pytest.raises(InventoryError, match=r"token is at .*tokens\.yaml:\d+:\d+") as error:
            TokenFile.load(path)
        assert re.match(r".*tokens\.yaml:\d+:\d+: ", str(error.value))


def test_a_moved_token_is_refused_when_it_is_decrypted(path: Path, two: str) -> None:
    acme, beta = _lines_of(two, "acme"), _lines_of(two, "beta")
    swapped = two.replace(acme, "@").replace(beta, acme).replace("@", beta)
    renamed = two.replace('    "beta":', '    "brand-new":').replace('"chat1"', '"chat2"')
    redated = re.sub(r'created: "\d{4}', 'created: "2031', two)
    previous = re.search(r"        token: !vault \|\n((?:          .*\n)+)", two)
    assert previous
    older = two.replace(
        _ciphertext(acme), "".join(line[2:] for line in previous[1].splitlines(True))
    ).replace(previous[0], "")
    for text, deployment, realm in (
        (swapped, "chat1", "acme"),
        (swapped, "chat1", "beta"),
        (renamed, "chat2", "brand-new"),
        (redated, "chat1", "beta"),
        (older, "chat1", "acme"),
    ):
        path.write_text(text)
        file = TokenFile.load(path)
        with pytest.raises(UsageError, match=r"tokens\.yaml:\d+:7: this token does not belong"):
            file.token(deployment, realm, PASSWORDS)


def _ciphertext(lines: str) -> str:
    found = re.search(r"      token: !vault \|\n((?:        .*\n)+)", lines)
    assert found
    return found[1]


def test_a_token_of_the_file_is_refused_elsewhere(path: Path, two: str) -> None:
    file = TokenFile.load(path)
    acme = file.entry(*ACME)
    assert acme
    assert acme.previous
    for entry in (acme, acme.previous):
        assert entry.ciphertext
        header, *body = entry.ciphertext.splitlines()
        disguised = "\n".join([f"{header.replace('1.1', '1.2')};ssh", "".join(body).upper()])
        with pytest.raises(UsageError, match=r"is the token of realm acme of chat1"):
            file.refuse(VaultValue(disguised))
    file.refuse(VaultValue(vault.encrypt(TOKEN, PASSWORD)))
    file.refuse(VaultValue("$ANSIBLE_VAULT;1.1;AES256\nnot hex\n"))


def test_a_truncated_file_is_refused(path: Path, two: str) -> None:
    whole = TokenFile.load(path).records
    many = range(len(two)) if matrix.ALL else [*range(0, len(two), 9), *range(len(two))[-20:]]
    for length in many:
        path.write_text(two[:length])
        if two[:length].rstrip() == two.rstrip():
            assert TokenFile.load(path).records == whole
            continue
        with pytest.raises(InventoryError) as error:
            TokenFile.load(path)
        assert "tokens.yaml:" in str(error.value)


# --- edits that keep all other lines ----------------------------------------------------------

BY_HAND = f"""\
# ours, do not lose it
version: 2
scimconf_tokens:    # the only key
    chat1.example.com:   # the first
        # acme's people are at +49 30 123
        acme:
            # from the audit
            created: "2026-01-01T00:00:00Z"   # a Thursday
            fingerprint: '{FINGERPRINT}'
        # last year's
        zeta:
            fingerprint: '{FINGERPRINT}'
            created: "2025-01-01T00:00:00Z"

    # the second
    chat3.example.com:
        acme: {{fingerprint: '{FINGERPRINT}', created: ""}}
# the end
..."""


def test_adding_entries_changes_no_other_line(path: Path) -> None:
    path.write_text(BY_HAND)
    file = TokenFile.load(path).save(
        {
            ("chat1.example.com", "beta"): _entry(1),
            ("chat2.example.com", "acme"): _entry(2),
            ("chat0.example.com", ""): _entry(3),
        }
    )
    lines = path.read_text().splitlines()
    rest = iter(lines)
    assert all(line in rest for line in BY_HAND.splitlines()), "all lines, in their order"
    order = [line.strip().split(":")[0] for line in lines if line[:5] in ("    c", '    "')]
    assert [name.strip('"') for name in order] == [f"chat{n}.example.com" for n in range(4)]
    assert lines.index('        "beta":') < lines.index("        # last year's")
    assert len(file.entries) == 6


def test_an_entry_changes_field_by_field(path: Path) -> None:
    path.write_text(BY_HAND)
    TokenFile.load(path).save({("chat1.example.com", "acme"): _entry(4)})
    text = path.read_text()
    assert "# from the audit" in text
    changed = text.replace(
        '            created: "2026-06-05T10:00:00Z"\n',
        '            created: "2026-01-01T00:00:00Z"   # a Thursday\n',
    )
    assert "            token: !vault |\n" in changed
    kept = [line for line in BY_HAND.splitlines() if "fingerprint" not in line]
    assert all(line in changed.splitlines() for line in kept)


def test_a_token_that_is_now_kept_elsewhere_loses_its_ciphertext(path: Path) -> None:
    file = TokenFile.load(path).save({("c", "a"): _entry(1), ("c", "b"): _entry(2)})
    before = path.read_text()
    file = file.save({("c", "a"): _entry(1, kept=False)})
    assert file.entry("c", "a") == _entry(1, kept=False)
    file.save({("c", "a"): _entry(1)})
    assert path.read_text() == before


def test_a_removed_realm_leaves_a_date_and_can_be_added_again(path: Path) -> None:
    file = TokenFile.load(path).save({("c", "a"): _entry(1), ("c", "b"): _entry(2)})
    before = path.read_text()
    file = file.save({("c", "a"): Removed("2026-07-01T10:00:00Z")})
    assert file.entry("c", "a") is None
    assert set(file.entries) == {("c", "b")}
    assert '    "a":\n      removed: "2026-07-01T10:00:00Z"\n    "b":' in path.read_text()
    file.save({("c", "a"): _entry(1)})
    assert path.read_text() == before


def _aged(days: float, number: int) -> Entry:
    retired = stamp(datetime.now(timezone.utc) - timedelta(days=days))
    return replace(_entry(number), previous=replace(_entry(number + 1), retired=retired))


def test_a_previous_token_is_deleted_when_its_entry_is_written_a_week_later(path: Path) -> None:
    aged = {("c", "a"): _aged(7.01, 1), ("c", "b"): _aged(6.99, 3), ("c", "d"): _aged(7.01, 5)}
    path.write_text(edit(parse("", "tokens.yaml"), aged))
    file = TokenFile.load(path)
    assert file.save(aged).entries == aged, "nothing is written for it"
    staged = {
        key: replace(entry, next=_entry(9 + n)) for n, (key, entry) in enumerate(aged.items())
    }
    del staged["c", "d"]

    after = file.save(staged)
    assert after.entries == {
        ("c", "a"): replace(staged["c", "a"], previous=None),
        ("c", "b"): staged["c", "b"],
        ("c", "d"): aged["c", "d"],
    }, "the entry of no other realm is touched"
    assert TokenFile.load(path).entries == after.entries


def test_a_removed_token_is_kept_for_a_week(path: Path) -> None:
    now = datetime.now(timezone.utc)
    for days, kept in ((6.99, True), (7.01, False)):
        removed = Removed(stamp(now - timedelta(days=days)), _entry(1))
        assert without_expired(removed, now) == (removed if kept else replace(removed, entry=None))
    file = TokenFile.load(path).save({("c", "a"): Removed(stamp(now), _entry(1))})
    assert file.entry("c", "a") is None
    assert TokenFile.load(path).records == {("c", "a"): Removed(stamp(now), _entry(1))}


def test_windows_line_endings_are_kept() -> None:
    text = BY_HAND.replace("\n", "\r\n")
    after = edit(parse(text, "t"), {("chat1.example.com", "beta"): _entry()})
    assert "\n" not in after.replace("\r\n", "")
    assert after.replace("\r\n", "\n").startswith(BY_HAND[:60])


NAMES = st.text(
    st.characters(codec="utf-8").filter(str.isprintable), min_size=1, max_size=20
) | st.sampled_from(
    ["no", "1", "~", "<<", "=", "!vault", "# x", "a: b", "'", '"', "\\", "*x", "&x", "{}"]
)
KEYS = st.tuples(NAMES, NAMES | st.just(""))
ALONE = st.builds(_entry, st.integers(0, 99), kept=st.booleans())
RETIRED = st.builds(replace, ALONE, retired=st.just("2026-06-01T10:00:00Z"))
GAVE_WAY = st.recursive(RETIRED, lambda inner: st.builds(replace, RETIRED, previous=inner))
STAGED = st.builds(replace, ALONE, previous=st.none() | GAVE_WAY)
IN_FORCE = st.builds(replace, ALONE, next=st.none() | STAGED, previous=st.none() | RETIRED)
RECORDS = IN_FORCE | st.builds(Removed, st.just("2026-07-01T10:00:00Z"), st.none() | IN_FORCE)
ENTRIES = st.dictionaries(KEYS, RECORDS, min_size=1, max_size=6)


@settings(max_examples=60, deadline=None)
@given(rounds=st.lists(ENTRIES, min_size=1, max_size=4))
def test_every_saved_entry_is_read_back(rounds: list[dict[tuple[str, str], Record]]) -> None:
    text, expected = "# mine\nversion: 2\nscimconf_tokens:\n...\n", {}
    for entries in rounds:
        text = edit(parse(text, "t"), entries)
        expected.update(entries)
        assert entries_of(parse(text, "t")) == expected
    assert text.startswith("# mine\n")


@settings(max_examples=40, deadline=None)
@given(entries=ENTRIES)
def test_the_order_of_additions_does_not_change_the_file(
    entries: dict[tuple[str, str], Record],
) -> None:
    one_by_one = ""
    for key in reversed(list(entries)):
        one_by_one = edit(parse(one_by_one, "t"), {key: entries[key]})
    assert one_by_one == edit(parse("", "t"), entries)


@pytest.mark.parametrize("name", ["a\nb", "a\x00b", "\u2028"])
def test_names_with_control_characters_are_refused(path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="control characters"):
        TokenFile.load(path).save({(name, "acme"): _entry()})
    assert not path.exists()


# --- the place of the file --------------------------------------------------------------------


def test_the_default_place_is_beside_the_first_inventory(tmp_path: Path) -> None:
    folder = tmp_path / "inventory"
    folder.mkdir()
    file = tmp_path / "inventory.yaml"
    assert place(None, [file, Path("/elsewhere/x.yaml")]) == tmp_path / "tokens.yaml"
    assert place(None, [folder]) == tmp_path / "tokens.yaml"
    assert place(Path("/a/t.yaml"), [folder]) == Path("/a/t.yaml")


def test_a_place_where_ansible_would_read_the_file_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "inventory"
    (folder / "sub").mkdir(parents=True)
    (tmp_path / "link").symlink_to(folder)
    for inside in ("inventory", "inventory/sub", "link"):
        with pytest.raises(UsageError, match="inside the inventory folder"):
            place(tmp_path / inside / "tokens.yaml", [folder])
    for variables in ("group_vars", "host_vars/chat1"):
        with pytest.raises(UsageError, match="as variables"):
            place(tmp_path / variables / "tokens.yaml", [tmp_path / "inventory.yaml"])


# --- output files -----------------------------------------------------------------------------


def test_an_output_file_is_always_a_new_file(tmp_path: Path) -> None:
    file = tmp_path / "file"
    other = tmp_path / "other"
    for text in ("one", "two"):
        files.write_output(file, text)
        assert file.read_text() == text
        assert file.stat().st_mode & 0o777 == 0o600
        file.chmod(0o644)
        if not other.exists():
            os.link(file, other)
    assert other.read_text() == "one"


@pytest.mark.parametrize("what", ["link", "dangling link", "pipe", "device", "folder"])
def test_an_output_file_never_replaces_a_link_pipe_device_or_folder(
    tmp_path: Path, what: str
) -> None:
    place = tmp_path / "place"
    target = tmp_path / "target"
    match what:
        case "link":
            target.write_text("mine")
            place.symlink_to(target)
        case "dangling link":
            place.symlink_to(target)
        case "pipe":
            os.mkfifo(place)
        case "device":
            place = Path("/dev/full")
        case "folder":
            place.mkdir()
    words = what.removeprefix("dangling ").replace("device", "not a regular file")
    with pytest.raises(UsageError, match=f"is not written: it is (a )?{words}") as caught:
        files.write_output(place, "text")
    if "link" in what:
        assert str(target) in caught.value.hint
        assert place.is_symlink()
    assert target.exists() is (what == "link")
    assert not target.exists() or target.read_text() == "mine"
    assert not [each for each in tmp_path.iterdir() if each.name.endswith(".new")]


def test_an_open_descriptor_can_be_written_to(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    files.write_output(Path(f"/dev/fd/{writing}"), "text")
    assert os.read(reading, 100) == b"text"
    os.close(reading)
    os.close(writing)
    with pytest.raises(UsageError, match="cannot write"):
        files.write_output(Path(f"/dev/fd/{writing}"), "text")
    files.write_output(Path("/dev/null"), "text")


def test_notes_about_deliveries_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "tokens.yaml"
    entry = replace(new_entry(ACME, TOKEN, PASSWORD), delivered="d", delivering="b paused before")
    saved = TokenFile.load(path).save({ACME: entry})
    assert TokenFile.load(path).entry(*ACME) == entry
    saved.save({ACME: replace(entry, delivering="")})
    assert "delivering" not in path.read_text()
    assert 'delivered: "d"' in path.read_text()
