"""Read zulip-secrets.conf as Zulip does: with RawConfigParser (zproject/config.py)."""

from __future__ import annotations

import configparser
import io
from configparser import RawConfigParser
from typing import Dict

from scimconf.agent.errors import Refusal

SECTION = "secrets"


def read(data: bytes) -> Dict[str, str]:
    """Return the secrets by name. Raises Refusal if Zulip's own parser would fail."""
    return parse(data).get(SECTION, {})


def decode(data: bytes) -> str:
    """Return the text of the file. Raises Refusal."""
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise Refusal("it is not UTF-8", line, 1) from None


def parse(data: bytes) -> Dict[str, Dict[str, str]]:
    """Return all sections. Raises Refusal if Zulip's own parser would fail."""
    parser = RawConfigParser()
    try:
        parser.read_file(io.StringIO(decode(data), newline=None))
    except configparser.DuplicateOptionError as error:
        raise Refusal("a name appears twice, so Zulip fails", error.lineno or 0, 1) from None
    except configparser.DuplicateSectionError as error:
        raise Refusal("a section appears twice, so Zulip fails", error.lineno or 0, 1) from None
    except configparser.MissingSectionHeaderError as error:
        raise Refusal("there is a line before the first section", error.lineno, 1) from None
    except configparser.ParsingError as error:
        line = error.errors[0][0] if error.errors else 0
        raise Refusal("a line is neither `name = value` nor a section", line, 1) from None
    return {name: dict(parser.items(name)) for name in parser.sections()}
