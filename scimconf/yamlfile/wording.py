"""Translate the errors of ruamel.yaml into problems with a position, without quoting a value."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.reader import ReaderError

from scimconf.model import Problem
from scimconf.yamlfile.document import Document

_TAB = "YAML does not allow a tab for indentation"
_ESCAPE = "this backslash escape is not valid in double quotes"
_QUOTE_IT = "check the indentation; quote a value that contains a colon"

# What ruamel.yaml says (scanner.py, parser.py), what we say, and the hint.
_WORDING = (
    ("could not find expected ':'", "a colon is missing: this line is not `key: value`", ""),
    ("mapping values are not allowed", "a colon is not allowed here", _QUOTE_IT),
    ("sequence entries are not allowed", "a list item is not allowed here", _QUOTE_IT),
    ("mapping keys are not allowed", "a key is not allowed here", _QUOTE_IT),
    ("unexpected end of stream", "this quote is never closed", ""),
    ("unexpected document separator", "this quote is never closed", ""),
    ("expected ',' or ']'", "this [ is not closed, or a comma is missing", ""),
    ("expected ',' or '}'", "this { is not closed, or a comma is missing", ""),
    ("<block end>", "the indentation does not match the lines above", ""),
    ("more indented", "this line is indented less than the empty lines above", ""),
    ("expected the node content", "a value is missing here", ""),
    ("unknown escape character", _ESCAPE, "use single quotes, or double the backslash"),
    ("hexadecimal", _ESCAPE, "use single quotes, or double the backslash"),
    ("alphabetic or numeric character", "a name is missing after & or *", "quote the value"),
    ("block scalar", "this text is not allowed after | or >", "start it on the next line"),
    ("directive", "this directive is not valid", "quote a value that starts with %"),
    ("tag", "this tag is not valid", "quote a value that starts with !"),
    ("<document start>", "this text does not belong to the YAML above", _QUOTE_IT),
    ("after document end", "this text does not belong to the YAML above", _QUOTE_IT),
)
_AT_CONTEXT = re.compile(r"end of stream|document separator|expected ',' or|expected ':'")
"""Errors where the start (the quote, bracket or key) is the useful position, not the end."""
_CONFLICT = re.compile(r"^(?:<{7}|={7}|>{7})(?: .*)?$", re.MULTILINE)


def problem(error: YAMLError, document: Document, brackets: Sequence[int]) -> Problem:
    """Return the problem for an exception of ruamel.yaml's own parser.

    `brackets` are the offsets of the brackets that are open at the error, the innermost last.
    """
    if isinstance(error, ReaderError):
        where = document.at(error.position)
        return Problem(f"the character U+{error.character:04X} is not allowed in YAML", where)
    if conflict := _CONFLICT.search(document.text):
        message = "the file has an unresolved git merge conflict"
        return Problem(message, document.at(conflict.start()))
    if not isinstance(error, MarkedYAMLError):
        return Problem("this is not valid YAML", document.at(0))
    found = f"{error.context or ''}: {error.problem or ''}"
    mark = (_AT_CONTEXT.search(found) and error.context_mark) or error.problem_mark
    offset = (mark or error.context_mark).index
    if "node content" in found and "<stream end>" in found and brackets:
        return Problem("this bracket is not closed", document.at(brackets[-1]))
    where = document.at(offset)
    line = document.text.splitlines()[where.line - 1 : where.line]
    if line and re.match(r" *\t", line[0]):
        return Problem(_TAB, where, hint="use spaces")
    if "cannot start any token" in found:
        character = document.text[offset : offset + 1]
        return Problem(f"a value cannot start with {character}", where, hint="quote it")
    for part, message, hint in _WORDING:
        if part in found:
            return Problem(message, where, hint=hint)
    return Problem("this is not valid YAML", where)
