"""Move entries to other places of the token file."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from scimconf.errors import UsageError
from scimconf.secret import Secret
from scimconf.tokens.entries import Entry, Key, Removed
from scimconf.tokens.fingerprint import is_of_generated
from scimconf.tokens.generate import generate
from scimconf.tokens.moving import move
from scimconf.tokens.rotation import activated, staged, stamp
from scimconf.tokens.store import TokenFile, new_entry
from scimconf.tokens.unlock import tokens_of, unlock

PASSWORD = Secret("correct horse")
PASSWORDS = {"default": PASSWORD}
OLD, NEW = ("chat1", "acme"), ("chat2", "acme")
NOW = datetime.now(timezone.utc)


def _entry(key: Key, token: Secret | None = None, *, generated: bool = True) -> Entry:
    return new_entry(key, token or generate(), PASSWORD, generated=generated)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tokens.yaml"


def _tokens(file: TokenFile, key: Key) -> list[Secret]:
    """Decrypt every token of a record; each must match the fingerprint of its place."""
    return [
        unlock(key, entry, PASSWORDS, file.document.position(way))
        for way, entry in tokens_of(key, file.records[key])
    ]


def test_all_tokens_of_an_entry_move_and_stay_the_same(path: Path) -> None:
    entry = staged(activated(staged(_entry(OLD), _entry(OLD), NOW), NOW), _entry(OLD), NOW)
    before = TokenFile.load(path).save({OLD: entry})
    tokens = _tokens(before, OLD)
    assert len(tokens) == 3
    moved = move(path, {OLD: NEW}, PASSWORDS)
    after = TokenFile.load(path)
    assert after.records == moved.file.records
    assert (after.entry(*OLD), moved.left_out) == (None, ())
    assert _tokens(after, NEW) == tokens
    entry = after.entries[NEW]
    assert is_of_generated(entry.fingerprint), "or a plan of many realms would be slow"
    assert [each.created for each in entry.tokens()] == [
        each.created for each in before.entries[OLD].tokens()
    ]
    assert "chat1" not in path.read_text()


def test_other_lines_of_the_file_stay(path: Path) -> None:
    TokenFile.load(path).save({OLD: _entry(OLD), ("chat1", "wiki"): _entry(("chat1", "wiki"))})
    text = path.read_text().replace('    "wiki":\n', '    # the wiki team\n    "wiki":  # theirs\n')
    path.write_text(text)
    move(path, {OLD: ("chat1", "zeta")}, PASSWORDS)
    after = path.read_text()
    assert '    # the wiki team\n    "wiki":  # theirs\n' in after
    assert [name for _, name in TokenFile.load(path).records] == ["wiki", "zeta"]


def test_a_removed_realm_moves_with_the_token_that_an_undo_brings_back(path: Path) -> None:
    removed = Removed(stamp(NOW), _entry(OLD))
    tokens = _tokens(TokenFile.load(path).save({OLD: removed}), OLD)
    move(path, {OLD: NEW}, PASSWORDS)
    after = TokenFile.load(path)
    assert isinstance(after.records[NEW], Removed)
    assert _tokens(after, NEW) == tokens


def test_a_token_that_is_kept_elsewhere_is_recorded_again_later(path: Path) -> None:
    """Its fingerprint can only be computed from the token."""
    elsewhere = replace(_entry(OLD), ciphertext=None)
    wiki, docs = ("chat1", "wiki"), ("chat1", "docs")
    before = replace(_entry(wiki), retired=stamp(NOW))
    TokenFile.load(path).save({OLD: elsewhere, wiki: replace(elsewhere, previous=before)})
    moved = move(path, {OLD: NEW, wiki: docs}, PASSWORDS)
    assert moved.left_out == (NEW,)
    (record,) = TokenFile.load(path).records.values()
    assert isinstance(record, Removed), "a server may still have the token before it"
    assert len(_tokens(moved.file, docs)) == 1


def test_nothing_is_written_if_one_move_is_refused(path: Path) -> None:
    TokenFile.load(path).save({OLD: _entry(OLD), NEW: _entry(NEW)})
    before = path.read_bytes()
    free = ("chat3", "acme")
    for moves, words in (
        ({OLD: NEW}, r"tokens\.yaml:\d+:\d+: realm acme of chat2 has a token already"),
        ({("chat9", ""): free}, r"no token of realm \(root\) of chat9"),
        ({OLD: free, ("chat1", "x"): NEW}, "no token of realm x of chat1"),
    ):
        with pytest.raises(UsageError, match=words):
            move(path, moves, PASSWORDS)
    with pytest.raises(UsageError, match=r"tokens\.yaml:\d+:\d+: no vault password decrypts"):
        move(path, {OLD: free}, {"default": Secret("wrong")})
    assert path.read_bytes() == before


def test_an_entry_that_was_moved_by_hand_is_not_moved_on(path: Path) -> None:
    """Otherwise a move would make a forged entry valid."""
    TokenFile.load(path).save({OLD: _entry(OLD)})
    path.write_text(path.read_text().replace('"chat1"', '"chat9"'))
    before = path.read_bytes()
    with pytest.raises(UsageError, match="does not belong here"):
        move(path, {("chat9", "acme"): NEW}, PASSWORDS)
    assert path.read_bytes() == before


def test_the_token_of_a_removed_realm_is_not_overwritten_for_a_week(path: Path) -> None:
    TokenFile.load(path).save({OLD: _entry(OLD), NEW: Removed(stamp(NOW), _entry(NEW))})
    with pytest.raises(UsageError, match="is kept for 7 days"):
        move(path, {OLD: NEW}, PASSWORDS)
    long_ago = stamp(NOW - timedelta(days=8))
    text = path.read_text()
    path.write_text(text.replace(f'removed: "{stamp(NOW)}"', f'removed: "{long_ago}"'))
    move(path, {OLD: NEW}, PASSWORDS)
    assert isinstance(TokenFile.load(path).records[NEW], Entry)


def test_a_weak_token_keeps_its_many_rounds(path: Path) -> None:
    weak = new_entry(OLD, Secret("letmein-letmein"), PASSWORD, weak=True)
    TokenFile.load(path).save({OLD: weak})
    moved = move(path, {OLD: NEW}, PASSWORDS).file.entries[NEW]
    assert not is_of_generated(moved.fingerprint)
