"""Show how two versions of settings.py or zulip-secrets.conf differ, with all secrets masked.

For settings.py, only the SCIM block is shown. For the lines around it, only the numbers are shown.
"""

from __future__ import annotations

import difflib
from typing import Dict, Iterator, List, Mapping, Optional, Tuple

from scimconf.agent import applied_tokens, fingerprint, masking, secrets_file, settings_file
from scimconf.agent.errors import Refusal
from scimconf.agent.settings_file import Settings

_PREFIX = "scim_bearer_token"


Records = Mapping[str, List[Dict[str, str]]]
"""The fingerprints of the tokens that scimconf has installed on this server, by realm
(`applied_tokens`)."""
_NO_RECORDS: Records = {}


def of_settings(path: str, before: bytes, after: bytes, records: Records = _NO_RECORDS) -> str:
    """Return a masked unified diff of two versions of settings.py, "" if they are equal.

    A token that `records` know has the same mask as in a plan, with its fingerprint.
    """
    if before == after:
        return ""
    try:
        old, new = settings_file.read(before), settings_file.read(after)
    except Refusal as refusal:
        return f"@@ {refusal.at(path)} @@\n"
    tokens = old.tokens({})
    before_ = _block(old, tokens, {}, records)
    blocks = before_, _block(new, new.tokens({}), tokens, records)
    return "".join((*_unified(path, *blocks), *_around(path, old, new)))


def of_secrets(path: str, before: bytes, after: bytes, records: Records = _NO_RECORDS) -> str:
    """Return a masked unified diff of two versions of zulip-secrets.conf, "" if they are equal.

    `records` as for `of_settings`.
    """
    if before == after:
        return ""
    try:
        old, new = secrets_file.read(before), secrets_file.read(after)
    except Refusal as refusal:
        return f"@@ {refusal.at(path)} @@\n"
    changed = [name for name in sorted({*old, *new}) if old.get(name) != new.get(name)]
    if not changed:
        return f"@@ {path}: only comments or spaces differ @@\n"
    by_name = {realm.replace("-", "_"): each for realm, each in records.items()}
    lines = list(_lines(old, changed, {}, by_name)), list(_lines(new, changed, old, by_name))
    return "".join(_unified(path, *lines))


def _unified(path: str, before: List[str], after: List[str]) -> Iterator[str]:
    return difflib.unified_diff(before, after, path, path)


def _block(
    settings: Settings, tokens: Mapping[str, str], before: Mapping[str, str], records: Records
) -> List[str]:
    masks = {
        realm: _mask(realm, token, before.get(realm), records) for realm, token in tokens.items()
    }
    return (masking.block(settings, masks) or "").splitlines(keepends=True)


def _mask(realm: str, token: str, before: Optional[str], records: Records) -> str:
    """Return the mask of a token. For an unknown token, it shows no hash, only if it changed."""
    known = applied_tokens.find(records.get(realm, []), token)
    if known:
        return masking.token_mask(realm, len(token), f"fingerprint {fingerprint.short(known)}...")
    other = before is not None and before != token
    return masking.token_mask(realm, len(token), "another value" if other else "")


def _realm_of(name: str) -> str:
    """Return the realm in the name of a secret, with `_` for its hyphens."""
    return name[len(_PREFIX) :].lstrip("_")


def _lines(
    secrets: Dict[str, str], names: List[str], before: Mapping[str, str], records: Records
) -> Iterator[str]:
    for name in names:
        if name in secrets:
            if name.startswith(_PREFIX):
                shown = _mask(_realm_of(name), secrets[name], before.get(name), records)
            else:
                shown = "<masked, another value>" if name in before else masking.MASK
            yield f"{name} = {shown}\n"


def _around(path: str, old: Settings, new: Settings) -> Iterator[str]:
    """Yield a line with the numbers of the lines around the block that differ, if any do."""
    before, after = _numbered(old), _numbered(new)
    matcher = difflib.SequenceMatcher(
        None, [line for _, line in before], [line for _, line in after], autojunk=False
    )
    added, removed = [], 0
    for what, first, last, start, end in matcher.get_opcodes():
        if what != "equal":
            added += [str(number) for number, line in after[start:end] if line.strip()]
            removed += sum(1 for _, line in before[first:last] if line.strip())
    parts = [f"new or changed: line {', '.join(added)}"] if added else []
    parts += [f"lines removed or changed: {removed}"] if removed else []
    if parts:
        yield f"@@ {path}, around SCIM_CONFIG (not shown): {'; '.join(parts)} @@\n"


def _numbered(settings: Settings) -> List[Tuple[int, str]]:
    """Return the lines around the block with their numbers."""
    src, block = settings.source, settings.block
    ends = [*src.starts[1:], len(src.text)]
    return [
        (number, src.text[start:end])
        for number, (start, end) in enumerate(zip(src.starts, ends), 1)
        if not (block and start < block.end and end > block.start)
    ]
