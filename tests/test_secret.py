from __future__ import annotations

import ast
import copy
import gc
import io
import json
import logging
import marshal
import pickle
import pprint
import reprlib
import string
from dataclasses import asdict, dataclass
from pathlib import Path
from traceback import TracebackException

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.pretty import Pretty
from rich.traceback import Traceback

import scimconf
from scimconf.secret import MASK, RedactingFormatter, Secret, redact

TEXT = "gR7bQ2mXv9LkPz4TnW8s"


@dataclass(frozen=True)
class _Holder:
    token: Secret


def test_no_way_of_printing_shows_it() -> None:
    secret = Secret(TEXT)
    shown = [
        str(secret),
        repr(secret),
        f"{secret}",
        f"{secret!r:>40}",
        f"{secret:>40}",
        "%s %r" % (secret, secret),  # noqa: UP031
        repr([secret]),
        repr({"token": secret}),
        repr(_Holder(secret)),
        str(ValueError(secret)),
        "{} {!r:>40}".format(secret, secret),  # noqa: UP032
        "{token}".format_map({"token": secret}),
        string.Template("$token").substitute(token=secret),
        pprint.pformat({"token": [secret]}),
        reprlib.repr(secret),
        ascii(secret),
        json.dumps({"token": secret}, default=str),
        _rich(secret),
        _rich({"token": _Holder(secret)}),
        _traceback(secret),
    ]
    assert all(MASK in text and TEXT not in text for text in shown)
    assert f"{secret:>10}" == f"{MASK:>10}"


def _rich(value: object) -> str:
    console = Console(file=io.StringIO(), width=200)
    console.print(value)
    console.print(Pretty(value))
    return console.file.getvalue()  # type: ignore[attr-defined]


def _traceback(secret: Secret) -> str:
    """Render a traceback with its locals, as a debugger would."""
    try:
        raise KeyError(secret)
    except KeyError as error:
        plain = "".join(TracebackException.from_exception(error, capture_locals=True).format())
        shown = Traceback.from_exception(
            KeyError, error, error.__traceback__, show_locals=True, locals_max_string=None
        )
        return plain + _rich(shown)


def test_it_has_no_dict_and_gives_its_text_to_one_call_only() -> None:
    secret = Secret(TEXT)
    assert secret.reveal() == TEXT
    assert not hasattr(secret, "__dict__")
    with pytest.raises(AttributeError):
        secret.text = ""  # type: ignore[attr-defined]


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_it_is_not_pickled(protocol: int) -> None:
    with pytest.raises(TypeError, match="never pickled") as error:
        pickle.dumps(_Holder(Secret(TEXT)), protocol)
    assert TEXT not in str(error.value)


def test_a_dataclass_that_holds_it_is_not_taken_apart() -> None:
    with pytest.raises(TypeError) as error:
        asdict(_Holder(Secret(TEXT)))
    assert TEXT not in str(error.value)


def test_it_is_not_copied_nor_made_json() -> None:
    for convert in (copy.copy, copy.deepcopy, json.dumps, marshal.dumps, bytes, iter, "".join):
        with pytest.raises((TypeError, ValueError)) as error:
            convert(Secret(TEXT))  # type: ignore[operator]
        assert TEXT not in str(error.value)


@given(st.text(), st.text())
def test_two_are_equal_where_their_texts_are(one: str, other: str) -> None:
    assert Secret(one) == Secret(one)
    assert (Secret(one) == Secret(other)) is (one == other)
    assert Secret(one) != one
    assert len(Secret(one)) == len(one)
    assert bool(Secret(one)) is bool(one)


def test_what_the_environment_gives_can_be_compared() -> None:
    assert Secret("\udcff") == Secret("\udcff")


def test_its_hash_tells_nothing() -> None:
    one, other = Secret(TEXT), Secret(TEXT)
    assert one == other
    assert hash(one) != hash(other)


def _logged(message: str, *arguments: object, error: BaseException | None = None) -> str:
    info = (type(error), error, error.__traceback__) if error else None
    record = logging.LogRecord("scimconf", logging.INFO, "", 1, message, arguments, info)
    return RedactingFormatter("%(levelname)s %(message)s").format(record)


def test_the_log_shows_no_secret_that_is_alive() -> None:
    secret, longer = Secret(TEXT), Secret(f"{TEXT}-and-more")
    assert _logged("got %s", secret) == f"INFO got {MASK}"
    assert _logged("got %s.", TEXT) == f"INFO got {MASK}."
    assert _logged(f"{longer.reveal()} {secret.reveal()}") == f"INFO {MASK} {MASK}"
    assert TEXT not in _logged("bad", error=ValueError(f"no such token: {TEXT}"))


def test_the_log_shows_no_bearer_token_whosever_it_is() -> None:
    assert _logged("Authorization: Bearer abc.def-9") == f"INFO Authorization: Bearer {MASK}"
    assert (
        _logged("{'authorization': 'bearer  abc'}") == f"INFO {{'authorization': 'bearer  {MASK}'}}"
    )


def test_short_secrets_do_not_blacken_the_log() -> None:
    secret = Secret("a")
    assert redact("a plain sentence") == "a plain sentence"
    assert secret


def test_a_secret_that_is_gone_is_forgotten() -> None:
    secret = Secret("forgotten-soon")
    assert redact("forgotten-soon") == MASK
    del secret
    gc.collect()
    assert redact("forgotten-soon") == "forgotten-soon"


MAY_REVEAL = {
    "cli/token.py": "prints the tokens it was asked for",
    "render.py": "writes them into the files it was asked to edit",
    "report/sheet.py": "shows them where --show-tokens asks for it",
    "secret.py": "redacts them",
    "ssh": "logs in, answers sudo, and hands tokens to the agent, through the encrypted channel",
    "tokens": "judges, fingerprints and encrypts them",
    "vault.py": "encrypts them",
    "fleet/verify.py": "sends them to the public URL",
    "zulip/block.py": "writes them into the entry",
}


def _reveals(source: str) -> bool:
    """Whether the name is there at all: as a call, handed on, or asked for as text."""
    names = {"reveal", "_Secret__text"}
    return any(
        (isinstance(node, ast.Attribute) and node.attr in names)
        or (isinstance(node, ast.Constant) and node.value in names)
        for node in ast.walk(ast.parse(source))
    )


@pytest.mark.parametrize(
    "source", ["a.reveal()", "map(Secret.reveal, b)", "getattr(a, 'reveal')", "a._Secret__text"]
)
def test_no_way_to_reveal_a_secret_is_overlooked(source: str) -> None:
    assert _reveals(source)
    assert not _reveals("reveal = 'revealed'")


def test_only_these_rooms_reveal_a_secret() -> None:
    package = Path(scimconf.__file__).parent
    found = {
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        if _reveals(path.read_text(encoding="utf-8"))
    }
    rooms = {next((r for r in MAY_REVEAL if f"{p}/".startswith(f"{r}/")), p) for p in found}
    assert rooms == set(MAY_REVEAL)
