from __future__ import annotations

import ast
import base64
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
from collections.abc import Callable
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
from scimconf.secret import MASK, RedactingFormatter, Secret, hides_secret, redact

TEXT = "gR7bQ2mXv9LkPz4TnW8s"


@dataclass(frozen=True)
class _Holder:
    token: Secret


def test_no_way_of_printing_shows_a_secret() -> None:
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
    """Render a traceback with local variables, as a debugger does."""
    try:
        raise KeyError(secret)
    except KeyError as error:
        plain = "".join(TracebackException.from_exception(error, capture_locals=True).format())
        shown = Traceback.from_exception(
            KeyError, error, error.__traceback__, show_locals=True, locals_max_string=None
        )
        return plain + _rich(shown)


def test_only_reveal_returns_the_text() -> None:
    secret = Secret(TEXT)
    assert secret.reveal() == TEXT
    assert not hasattr(secret, "__dict__")
    with pytest.raises(AttributeError):
        secret.text = ""  # type: ignore[attr-defined]


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_secret_cannot_be_pickled(protocol: int) -> None:
    with pytest.raises(TypeError, match="never pickled") as error:
        pickle.dumps(_Holder(Secret(TEXT)), protocol)
    assert TEXT not in str(error.value)


def test_asdict_refuses_a_dataclass_with_a_secret() -> None:
    with pytest.raises(TypeError) as error:
        asdict(_Holder(Secret(TEXT)))
    assert TEXT not in str(error.value)


def test_a_secret_cannot_be_copied_or_converted() -> None:
    for convert in (copy.copy, copy.deepcopy, json.dumps, marshal.dumps, bytes, iter, "".join):
        with pytest.raises((TypeError, ValueError)) as error:
            convert(Secret(TEXT))  # type: ignore[operator]
        assert TEXT not in str(error.value)


@given(st.text(), st.text())
def test_secrets_are_equal_if_their_texts_are_equal(one: str, other: str) -> None:
    assert Secret(one) == Secret(one)
    assert (Secret(one) == Secret(other)) is (one == other)
    assert Secret(one) != one
    assert len(Secret(one)) == len(one)
    assert bool(Secret(one)) is bool(one)


def test_a_secret_with_a_surrogate_can_be_compared() -> None:
    assert Secret("\udcff") == Secret("\udcff")


def test_equal_secrets_have_different_hashes() -> None:
    one, other = Secret(TEXT), Secret(TEXT)
    assert one == other
    assert hash(one) != hash(other)


def _logged(message: str, *arguments: object, error: BaseException | None = None) -> str:
    info = (type(error), error, error.__traceback__) if error else None
    record = logging.LogRecord("scimconf", logging.INFO, "", 1, message, arguments, info)
    return RedactingFormatter("%(levelname)s %(message)s").format(record)


def test_the_log_redacts_every_live_secret() -> None:
    secret, longer = Secret(TEXT), Secret(f"{TEXT}-and-more")
    assert _logged("got %s", secret) == f"INFO got {MASK}"
    assert _logged("got %s.", TEXT) == f"INFO got {MASK}."
    assert _logged(f"{longer.reveal()} {secret.reveal()}") == f"INFO {MASK} {MASK}"
    assert TEXT not in _logged("bad", error=ValueError(f"no such token: {TEXT}"))


def test_the_log_redacts_every_bearer_token() -> None:
    assert _logged("Authorization: Bearer abc.def-9") == f"INFO Authorization: Bearer {MASK}"
    assert (
        _logged("{'authorization': 'bearer  abc'}") == f"INFO {{'authorization': 'bearer  {MASK}'}}"
    )


def test_short_secrets_are_not_redacted() -> None:
    secret = Secret("a")
    assert redact("a plain sentence") == "a plain sentence"
    assert secret


@pytest.mark.parametrize(
    "hide",
    [
        lambda text: f"{text[:20]}\n  {text[20:]}",
        lambda text: "\u200b".join(text),
        lambda text: "".join(f"%{ord(each):02X}" for each in text),
        lambda text: "".join(f"\\u{ord(each):04x}" for each in text),
        lambda text: "".join(f"&#x{ord(each):02x};" for each in text),
        lambda text: text.encode().hex(),
        lambda text: text.encode().hex(":").upper(),
        lambda text: base64.b64encode(f"Bearer {text}!".encode()).decode(),
        lambda text: base64.b64encode(f"x={text}".encode()).decode(),
        lambda text: base64.urlsafe_b64encode(f"{text}".encode()).decode(),
    ],
)
def test_a_secret_in_another_form_is_found(hide: Callable[[str], str]) -> None:
    secret = Secret("gR7bQ2/+v9LkPz4TnW8sxY1cV6aEoU3m")
    assert hides_secret(f"the token '{hide(secret.reveal())}' is wrong")
    assert hides_secret(hide(secret.reveal()))
    assert not hides_secret(hide(secret.reveal()[::-1]))
    assert not hides_secret("the token of gR7bQ2 is wrong")
    del secret


def test_a_word_is_not_a_hidden_secret() -> None:
    secret = Secret("is wrong")
    assert not hides_secret("the token is-wrong")
    del secret


def test_a_deleted_secret_is_no_longer_redacted() -> None:
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
    "inventory": "uses what the vault password opened, and compares it with tokens",
    "template": "inserts what the vault password opened into a text, which is sealed again",
    "idp": "sends tokens and credentials to identity providers, and to programs on stdin",
    "workers/wire.py": "sends them to a worker, sealed",
    "fleet/verify.py": "sends them to the public URL",
    "zulip/block.py": "writes them into the entry",
}


def _reveals(source: str) -> bool:
    """Return whether the source names `reveal`: in a call, as a reference, or as text."""
    names = {"reveal", "reveal_data", "_Secret__text", "_Sealed__data"}
    return any(
        (isinstance(node, ast.Attribute) and node.attr in names)
        or (isinstance(node, ast.Constant) and node.value in names)
        for node in ast.walk(ast.parse(source))
    )


@pytest.mark.parametrize(
    "source", ["a.reveal()", "map(Secret.reveal, b)", "getattr(a, 'reveal')", "a._Secret__text"]
)
def test_every_use_of_reveal_is_found(source: str) -> None:
    assert _reveals(source)
    assert not _reveals("reveal = 'revealed'")


def test_only_the_listed_modules_reveal_a_secret() -> None:
    package = Path(scimconf.__file__).parent
    found = {
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        if _reveals(path.read_text(encoding="utf-8"))
    }
    rooms = {next((r for r in MAY_REVEAL if f"{p}/".startswith(f"{r}/")), p) for p in found}
    assert rooms == set(MAY_REVEAL)
