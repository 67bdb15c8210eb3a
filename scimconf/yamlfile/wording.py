"""What the YAML parser stumbled over, in words; they never quote a value."""

from __future__ import annotations

import re

from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.reader import ReaderError

from scimconf.model import Problem
from scimconf.yamlfile.document import Document

_TAB = "a tab stands where YAML allows only blanks"
_WORDING = (
    ("found character '\\t'", _TAB, ""),
    ("could not find expected ':'", "this line is no `key: value`, the colon is missing", ""),
    (
        "mapping values are not allowed here",
        "a colon stands where none can be",
        "is a line indented wrongly, or does a value with a colon need quotes?",
    ),
    ("<block end>", "the indentation does not fit the lines above", ""),
    ("unexpected end of stream", "a quote is opened here and never closed", ""),
    ("<stream end>", "a bracket is opened here and never closed", ""),
)
_CONFLICT = re.compile(r"^(?:<{7}|={7}|>{7})(?: .*)?$", re.MULTILINE)


def problem(error: YAMLError, places: Document) -> Problem:
    """Give the problem, with its place, that stands for an exception of ruamel.yaml."""
    if isinstance(error, ReaderError):
        where = places.at(error.position)
        return Problem(f"the character U+{error.character:04X} is not allowed in YAML", where)
    assert isinstance(error, MarkedYAMLError)
    if conflict := _CONFLICT.search(places.text):
        message = "a merge conflict of git has not been resolved"
        return Problem(message, places.at(conflict.start()))
    found = str(error.problem or error.context)
    unclosed = "end of stream" in found or "<stream end>" in found
    mark = (unclosed and error.context_mark) or error.problem_mark or error.context_mark
    where = places.at(mark.index)
    line = places.text.splitlines()[where.line - 1 : where.line]
    if line and re.match(r" *\t", line[0]):
        return Problem(_TAB, where)
    for part, words, hint in _WORDING:
        if part in found:
            return Problem(words, where, hint=hint)
    return Problem(f"this is not YAML: {found}", where)
