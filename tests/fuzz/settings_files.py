"""Random settings.py files, with the facts that the generator knows about each."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from random import Random

from tests.fuzz import entries, pieces

MARK = "\ue000"
"""Marks the assignment during the generation. It is removed from the finished file."""

COOKIES = (
    ("utf-8", "é€表😀"),
    ("utf8", "é"),
    ("latin-1", "éß"),
    ("iso-8859-15", "é€"),
    ("cp1252", "é€"),
    ("koi8-r", "ж"),
    ("shift_jis", "表ソ能"),
    ("euc-jp", "表ソ"),
    ("gbk", "表"),
    ("iso2022_jp", "表"),
    ("ascii", "x"),
)
"""Encodings and some of their letters. In shift_jis, the second byte may be a backslash."""

FALSE_COOKIES = (
    "nonsense", "utf-16", "utf-7", "rot13", "hex", "undefined", "unicode_escape", "base64", "zlib",
    "raw_unicode_escape", "punycode", "idna", "charmap", "utf-8-sig", "utf_8", "cp037", "hz",
    "mbcs", "shift_jisx0213", "ascii", "shift_jis",
)  # fmt: skip


@dataclass(frozen=True)
class File:
    """A settings.py. `plain`: the editor must not refuse it."""

    data: bytes
    plain: bool = False
    assignment: str | None = None
    """The text of the only assignment of SCIM_CONFIG, if known."""
    computed: frozenset[str] = frozenset()
    """The realms whose entry contains code."""


class _Maker:
    def __init__(self, random: Random) -> None:
        self.random = random
        self.number = 0
        self.letters = "é"
        self.plain = True
        self.computed: dict[str, bool] = {}

    def chance(self, share: float) -> bool:
        return self.random.random() < share

    def filled(self, piece: str) -> str:
        self.number += 1
        return piece.replace("¤", str(self.number)).replace("§", self.random.choice(self.letters))

    # --- around the block ---

    def around(self, at_most: int) -> list[str]:
        found = []
        for _ in range(self.random.randrange(at_most + 1)):
            found.append(self.piece())
            if self.chance(0.15):
                found.append("")
        return found

    def piece(self) -> str:
        if self.chance(0.05):
            return self.nested(self.piece())
        if self.chance(0.05) and self.letters[0] in "éж":
            text = self.random.choice(pieces.LATIN)
            return self.filled(text if self.letters[0] == "é" else "A¤ = '§'")
        return self.filled(self.random.choice(pieces.ORDINARY))

    def nested(self, piece: str) -> str:
        blanks = self.random.choice(("    ", "\t", " "))
        if not piece.strip() or "\x0c" in piece or piece.lstrip().startswith(("#", "\\")):
            piece = "pass"
        body = "\n".join(blanks + line for line in piece.split("\n"))
        head = self.random.choice(("if True:", "try:", "for _ in [1]:  # §", "with suppress():"))
        tail = "\nfinally: pass" if head == "try:" else ""
        return f"{self.filled(head)}\n{body}{tail}"

    # --- the block ---

    def block(self) -> tuple[str, ...]:
        """Return the pieces with the assignment; () if the file has none."""
        kind = self.random.random()
        if kind < 0.2:
            return ()
        if kind < 0.25:
            self.plain = False
            text = self.filled(self.random.choice(pieces.LATER))
            assigned = self.assignment().replace("\n", "\n    ") if "    %" in text else ""
            return (text.replace("%", assigned or self.assignment()),)
        text = self.assignment()
        if self.chance(0.1):
            text = self.random.choice((f"A0 = 1; {text}", f"{text}; A0 = 1", f"{text} ;"))
            self.plain = False  # an import cannot get its own line
        elif self.chance(0.1):
            text += self.random.choice(("  # SCIM_CONFIG", "\t", "  #}"))
        elif self.chance(0.05):
            text = self.random.choice(("\x0c", "\\\n")) + text
            self.plain = False
        return (text,)

    def assignment(self) -> str:
        name = self.random.choice(
            (
                "SCIM_CONFIG =",
                "SCIM_CONFIG=",
                "SCIM_CONFIG : dict =",
                "SCIM_CONFIG: 'Dict[str, §]' =",
            )
        )
        if self.chance(0.03):
            name = (
                name.replace("G", "Ｇ")
                if self.letters[0] == "é" and len(self.letters) == 4
                else name
            )
        text = self.display()
        if self.chance(0.1):
            text = f"({self.gap()}{text}{self.gap()})"
        return MARK + self.filled(name + self.random.choice((" ", "", "\\\n  "))) + text + MARK

    def display(self) -> str:
        realms = self.random.sample(entries.REALMS, self.random.choice((0, 1, 1, 2, 2, 3)))
        if self.chance(0.4):  # the layout of Zulip's documentation
            items = [f"    {self.key(realm)}: {self.value(realm)}" for realm in realms]
            comma = "," * self.chance(0.8)
            return (
                "{"
                + "".join(["\n" + item + "," for item in items])[: None if comma else -1]
                + "\n}"
                if items
                else "{}"
            )
        text = "{"
        for index, realm in enumerate(realms):
            comma = "," if index + 1 < len(realms) or self.chance(0.5) else ""
            text += (
                self.gap() + self.bracketed(self.key(realm)) + self.gap() + ":" + self.gap()
                + self.bracketed(self.value(realm)) + self.gap() + comma
            )  # fmt: skip
        return text + self.gap() + "}"

    def key(self, realm: str) -> str:
        half = len(realm) // 2
        return self.random.choice(
            (
                f'"{realm}"',
                f'"{realm}"',
                f"'{realm}'",
                f"r'''{realm}'''",
                f"'{realm[:half]}' \\\n'{realm[half:]}'",
            )
        )

    def value(self, realm: str) -> str:
        self.number += 1
        self.computed[realm] = self.chance(0.15)
        kinds = entries.COMPUTED if self.computed[realm] else entries.DATA
        text = self.random.choice(kinds)
        return text.format(token=f"t0ken-{self.number}-of-an-admin", number=self.number)

    def bracketed(self, text: str) -> str:
        return f"({self.gap()}{text}{self.gap()})" if self.chance(0.1) else text

    def gap(self) -> str:
        return self.random.choice(GAPS) if self.chance(0.5) else self.random.choice(("", " "))

    # --- the file ---

    def file(self) -> File:
        cookie, bom = self.encoding()
        parts = [*cookie, *self.around(6), *self.block(), *self.around(4)]
        if self.chance(0.1):
            self.plain = False
            hazard = self.filled(self.random.choice(pieces.HAZARDS))
            parts.insert(self.random.randrange(len(cookie), len(parts) + 1), hazard)
        last = self.random.choice(("\n", "\n", "\n", "", "\n\n", "\n   ", "  # end", "\n\x0c\n"))
        text = self.line_ends("\n".join(parts) + last)
        halves = text.split(MARK)
        data = self.encoded("".join(halves), bom)
        if self.chance(0.04):
            self.plain = False
            data = mutated(self.random, data)
        known = halves[1] if len(halves) == 3 and self.plain else None
        return File(data, self.plain, known, frozenset(r for r, c in self.computed.items() if c))

    def encoding(self) -> tuple[list[str], bool]:
        """Choose the encoding. Return the first lines, and whether there is a byte order mark."""
        self.name = "utf-8"
        self.letters = COOKIES[0][1]
        bom = self.chance(0.1)
        if self.chance(0.6):
            return [], bom
        named = self.name
        if bom:
            named = self.random.choice(("utf-8", "UTF8", "latin-1"))
            self.plain &= named == "utf-8"
        elif self.chance(0.15):
            self.plain = False
            named = self.random.choice(FALSE_COOKIES)
            self.letters = self.random.choice(("éß", "表ソ", "x", "x"))
            self.name = self.random.choice(("utf-8", "shift_jis", "latin-1", named))
        else:
            named, self.letters = self.random.choice(COOKIES)
            self.name = named
        line = self.random.choice(
            (
                "# -*- coding: %s -*-",
                "# vim: set fileencoding=%s :",
                "#coding:%s",
                "\x0c # coding=\t%s §",
            )
        )
        above = self.random.choice(([], [], ["#!/usr/bin/env python3"], [""], ["# §"], ["A0 = 1"]))
        if above == ["A0 = 1"] and self.letters != "x" and named not in ("utf-8", "utf8"):
            self.plain = False
        return [*(self.filled(each) for each in above), self.filled(line % named)], bom

    def line_ends(self, text: str) -> str:
        kind = self.random.random()
        if kind < 0.6:
            return text
        if kind < 0.9:
            return text.replace("\n", "\r\n" if kind < 0.75 else "\r")
        ends = ("\n", "\r\n", "\r")  # a CR before an LF would be one line break
        return re.sub("\n+", lambda run: self.random.choice(ends) * len(run.group()), text)

    def encoded(self, text: str, bom: bool) -> bytes:
        mark = codecs.BOM_UTF8 if bom else b""
        try:
            return mark + text.encode(self.name)
        except (UnicodeError, LookupError):
            self.plain = False
            return mark + text.encode(errors="replace")


GAPS = (
    "\n", "\n    ", "\n\n\t", "\t", "\x0c", " \\\n ", "  # it's {\"x\": 1},\n    ", "\n# §\n    ",
    "#)\n",
    "#-------------------------\n", "\n    # ]}\n\n", "  \n", "#\\\n",
)  # fmt: skip


def settings_file(random: Random) -> File:
    """Return a file, realistic or very unusual."""
    return _Maker(random).file()


def mutated(random: Random, data: bytes) -> bytes:
    """Return the bytes with a few places changed."""
    changed = bytearray(data)
    for _ in range(random.choice((1, 1, 2, 4))):
        at = random.randrange(len(changed) + 1)
        until = min(len(changed), at + random.choice((0, 1, 1, 4, 40)))
        copied = random.randrange(len(changed) + 1)
        changed[at:until] = random.choice(
            (b"", b"\0", b"\xe9", b"\xff", b"\r", b"\n", b"'", b'"', b"{", b"}", b"(", b")", b",",
             b"\\", b"#", b"\t", b":", b"\xef\xbb\xbf", b"\xed\xa0\x80", b";", b"\x0c",
             bytes(changed[copied : copied + 30]))
        )  # fmt: skip
    return bytes(changed)
