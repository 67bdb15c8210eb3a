"""Text from a server, made harmless before a person's terminal sees it."""

from __future__ import annotations

import unicodedata


def harmless(text: str, limit: int = 2000) -> str:
    """Give `text` without anything a terminal would obey, and no longer than `limit` characters.

    Control characters (escape sequences begin with one) and the marks that turn the direction of
    writing become `\\x1b`-like escapes; line feeds and tabs stay.
    """
    cut = text if len(text) <= limit else f"{text[:limit]} [...]"
    return "".join(
        character
        if character in "\n\t" or unicodedata.category(character) not in _OBEYED
        else character.encode("unicode_escape", "backslashreplace").decode("ascii")
        for character in cut
    )


# Cc: control characters; Cf: invisible format characters, bidirectional marks among them;
# Cs: half a surrogate pair, which no terminal's encoding can write.
_OBEYED = frozenset({"Cc", "Cf", "Cs"})
