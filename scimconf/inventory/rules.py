"""Check single values of the inventory.

Each function takes a value of the right type and returns it, normalized, or raises Invalid.
"""

from __future__ import annotations

import ipaddress
import os.path
import re
import shlex
from collections.abc import Callable, Iterable, Mapping
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import SplitResult, urlsplit

from scimconf.idp.kinds import KINDS, SIGN_INS
from scimconf.inventory.encrypted import UNTAGGED, is_untagged
from scimconf.inventory.place import nearest
from scimconf.model import Reference, TokenSource, VaultValue
from scimconf.secret import Sealed, Secret
from scimconf.server_warning import ALWAYS_SHOWN, SILENCEABLE
from scimconf.ssh import login_name
from scimconf.tokens.references import SOURCES, InvalidReference
from scimconf.tokens.strength import UNUSABLE, UNUSABLE_HINT, weakness
from scimconf.zulip.presets import PRESETS

_STRING_ID = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?")
_CLIENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._@-]*")
_HOST = re.compile(
    r"(?=.{1,253}(?:\Z|:))[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?(?::[0-9]{1,5})?"
)
_ZONE = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}", re.ASCII)
_USER = re.compile(r"[A-Za-z_][A-Za-z0-9_.@-]*\$?")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9_+.-]{0,30}):")


class Invalid(ValueError):
    """The value is not valid. The message gives the reason and never quotes a secret."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


def string_id(key: object) -> str:
    """Check the name of a realm: Zulip's subdomain, or "" for the root realm."""
    if not isinstance(key, str):
        raise Invalid(f"YAML reads this realm name as {_as_read(key)}", "quote it")
    if key == "" or _STRING_ID.fullmatch(key):
        if key == "www":
            raise Invalid("Zulip uses www for the root realm", 'use ""')
        return str(key)
    if _STRING_ID.fullmatch(key.lower()):
        raise Invalid(
            "a realm name must be lower-case; Zulip would never match this one",
            f"use {key.lower()}",
        )
    raise Invalid(
        "a realm name has only lower-case letters, digits and inner hyphens",
        '"" is the root realm',
    )


def _as_read(key: object) -> str:
    if isinstance(key, bool):
        return f"the value {str(key).lower()}"
    if isinstance(key, (int, float)):
        return f"the number {key}"
    return "nothing" if key is None else "a date"


def idp(name: str) -> str:
    """Check the name of an identity provider's preset."""
    if name not in PRESETS:
        message = f"unknown identity provider, expected one of: {', '.join(sorted(PRESETS))}"
        raise Invalid(message, nearest(name, PRESETS))
    return name


def client(name: str) -> str:
    """Check the name of a SCIM client."""
    if not _CLIENT.fullmatch(name):
        raise Invalid(
            "the name of a SCIM client starts with a letter or digit; spaces and . _ @ - may follow"
        )
    return name


def external_host(name: str) -> str:
    """Check Zulip's EXTERNAL_HOST: a host name with an optional port."""
    if not _HOST.fullmatch(name):
        raise Invalid("expected a host name with an optional port: chat.example.com:8443")
    return name


def url(text: str) -> str:
    """Check the URL of a realm and return it in lower case. http is allowed for loopback only."""
    parts = _split(text)
    if parts.scheme == "http" and not _loopback(parts.hostname or ""):
        raise Invalid("expected https://, because the token must be sent encrypted")
    return f"{parts.scheme}://{parts.netloc}".lower()


def probe(text: str) -> str:
    """Check the URL of the local web server for the gate: `https://127.0.0.1:8443`."""
    return url(text)


def _split(text: str) -> SplitResult:
    wrong = Invalid("expected https:// and a host name with an optional port, and nothing else")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise wrong from None
    if parts.scheme not in ("https", "http") or not parts.hostname or port == 0:
        raise wrong
    if parts.path not in ("", "/") or "?" in text or "#" in text or "@" in parts.netloc:
        raise wrong
    if not _HOST.fullmatch(parts.netloc) and not _ip(parts.hostname):
        raise wrong
    return parts


def _ip(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    if "%" in host:  # a scope can be any text, and is valid on one machine only
        return None
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def is_ip(host: str) -> bool:
    """Return whether a text is an IP address and nothing else."""
    return _ip(host) is not None


def _loopback(host: str) -> bool:
    address = _ip(host)
    return address.is_loopback if address else host == "localhost" or host.endswith(".localhost")


def absolute(path: str) -> str:
    """Check a path on the server."""
    if not PurePosixPath(path).is_absolute() or "\0" in path:
        raise Invalid("expected an absolute path on the server, such as /etc/zulip/settings.py")
    return path


def user(name: str) -> str:
    """Check a user name. It must not look like an option of a program."""
    if not _USER.fullmatch(name):
        raise Invalid("expected a user name")
    return name


def login(name: str) -> str:
    """Check the name of a login user: a name that ssh accepts, such as CORP\\alice."""
    if not login_name.is_valid(name):
        raise Invalid(
            "expected a login name",
            "letters, digits and . _ + @ , = ~ - are allowed, a backslash inside, and $ at the end",
        )
    return name


def zulip_user(name: str) -> str:
    """Check the name of Zulip's user. The server refuses other names of uid 0."""
    if user(name) == "root":
        raise Invalid(
            "the agent never runs as root",
            "use the user that Zulip runs as; to log in as root, set ansible_user",
        )
    return name


def address(host: str) -> str:
    """Check a host to connect to. It must not look like an option of a program."""
    if not host or host.startswith("-") or re.search(r"[\s\x00-\x20/@]", host):
        raise Invalid("expected a host name or an address")
    return host


def word(text: str) -> str:
    """Check a name that is only compared: any printable text."""
    if not text or not text.isprintable():
        raise Invalid("expected a name")
    return text


def zone(name: str) -> str:
    """Check the name of a zone of workers, which is also the name of a key file."""
    if not _ZONE.fullmatch(name):
        raise Invalid("not the name of a zone: up to 63 lowercase letters, digits, - and _")
    return name


def restart(value: object) -> str | tuple[str, ...]:
    """Check scim_restart: one of three words, or a command as a list of words."""
    words = ("server", "django", "none")
    if isinstance(value, str) and value in words:
        return value
    if isinstance(value, (list, tuple)) and value and all(isinstance(item, str) for item in value):
        if not value[0] or any("\0" in item for item in value):
            raise Invalid("this list is not a command")
        return tuple(value)
    hint = nearest(value, words) if isinstance(value, str) else ""
    raise Invalid(f"expected {', '.join(words)} or a command as a list of words", hint)


def warning_id(name: str) -> str:
    """Check the id of a warning that may be silenced."""
    if name in ALWAYS_SHOWN:
        raise Invalid(f"{name} cannot be silenced: it reports a failed check or a change")
    if name not in SILENCEABLE:
        hint = nearest(name, SILENCEABLE) or nearest(name.lower(), SILENCEABLE)
        raise Invalid("unknown warning", hint or f"the ids are: {', '.join(SILENCEABLE)}")
    return name


def printable(found: dict[str, str]) -> dict[str, str]:
    """Check a mapping of texts for settings.py: no control or other invisible characters."""
    for name, value in found.items():
        if not (name.isprintable() and value.isprintable()):
            where = f"the value of {name}" if name.isprintable() else f"the key {name!a}"
            raise Invalid(
                f"{where} contains a line break or another control character",
                "remove it; in YAML, text after | or > ends with a line break: write |- or >-",
            )
    return found


# --- deliver: where the token of a realm goes -----------------------------------------------------

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_IDP_VARIABLE = re.compile(r"SCIMCONF_IDP_[A-Za-z0-9_]+")
_NOT_CREDENTIALS = ("SCIMCONF_IDP_HOST",)
"""Variables of options."""


def identifier(text: str) -> str:
    """Check an id that becomes part of a URL: it has no character with a meaning there."""
    if not _ID.fullmatch(text):
        raise Invalid("expected an id: letters, digits and . _ -, at most 128")
    return text


def https(text: str) -> str:
    """Check the URL of an identity provider and return it in lower case: never http."""
    if not text.lower().startswith("https://"):
        raise Invalid("expected https://, because the token must be sent encrypted")
    return url(text)


def credential(value: object, folder: str) -> Reference:
    """Return the reference of a credential. It may name only our variables, or a file."""
    hint = "write env:SCIMCONF_IDP_NAME or file:PATH"
    if isinstance(value, Reference):
        return value
    found = _SCHEME.match(value) if isinstance(value, str) else None
    if not isinstance(value, str) or not found or found[1] not in ("env", "file"):
        # The value may be the secret itself: it is not shown.
        raise Invalid("a credential is named in the inventory, never written into it", hint)
    reference = _reference(found[1], value[found.end() :].strip(), folder)
    name = reference.words[0]
    if found[1] == "env" and (not _IDP_VARIABLE.fullmatch(name) or name in _NOT_CREDENTIALS):
        raise Invalid("the variable of a credential must begin with SCIMCONF_IDP_", hint)
    return reference


def local_file(path: str, folder: str) -> str:
    """Check a path on this machine, and return it with the folder of the inventory file."""
    if not path or "\0" in path:
        raise Invalid("expected the path of a file")
    return os.path.join(folder, os.path.expanduser(path))


def command_words(value: object) -> tuple[str, ...]:
    """Check a command: text that is split as a shell does, or a list of words."""
    if isinstance(value, str):
        try:
            value = shlex.split(value)
        except ValueError:
            raise Invalid("a quote in this command is not closed") from None
    if not isinstance(value, (list, tuple)) or not all(isinstance(each, str) for each in value):
        raise Invalid("expected a command: text or a list of words")
    if not value or not value[0] or any("\0" in each for each in value):
        raise Invalid("expected a command: text or a list of words")
    return tuple(value)


def one_kind(given: Any) -> Any:
    """Check that `deliver` has exactly one kind."""
    if len([name for name in KINDS if getattr(given, name) is not None]) != 1:
        raise Invalid(f"expected exactly one of {and_list(KINDS)}")
    return given


def one_sign_in(given: Any) -> Any:
    """Check that an identity provider has at most one credential."""
    named = [name for name in SIGN_INS if getattr(given, name, None) is not None]
    if len(named) > 1:
        raise Invalid(f"{and_list(named)} exclude each other", "keep one of them")
    return given


OF_KEYS: Mapping[str, Callable[[Any], Any]] = {"custom_profile_field_map": printable}
"""Checks of optional keys of SCIM_CONFIG (`scimconf.zulip.keys`), by name, beyond their types."""


def token(value: object, folder: str) -> TokenSource:
    """Return the source of a token. A plaintext token is wrapped in a Secret."""
    if isinstance(value, Sealed):
        return _sealed_token(value, folder)
    if isinstance(value, (VaultValue, Secret)):
        return value
    if isinstance(value, dict):
        return _reference_in(value, folder)
    if not isinstance(value, str):
        raise Invalid(f"expected {', '.join(_EXAMPLES)}, or a !vault value")
    found = _SCHEME.match(value)
    if is_untagged(value):
        raise Invalid(*UNTAGGED)
    if not found:
        return _in_clear(value)
    if found[1] not in SOURCES:
        # What is before the colon may be the beginning of a token: it is not shown.
        known = and_list(f"{kind}:" for kind in SOURCES)
        hint = nearest(found[1].lower(), SOURCES)
        raise Invalid(f"unknown kind of token reference, known are {known}", hint)
    return _source(found[1], value[found.end() :].strip(), folder)


def _sealed_token(value: Sealed, folder: str) -> TokenSource:
    """Return the source that an encrypted text names, or the text itself as the token.

    A value that is only referred to may be somebody's password. Reports show references to token
    sources, so such a value does not count as one, and the error does not describe it.
    """
    is_own = value.owned and not value.composed
    try:
        read = token(value.reveal_data(), folder)
    except Invalid:
        if is_own:
            raise
        read = None
    if is_own:
        return read if isinstance(read, Reference) else value
    if not isinstance(read, Secret):
        raise Invalid(UNUSABLE, UNUSABLE_HINT)
    return value


_EXAMPLES = tuple(source.example for source in SOURCES.values())


def _reference_in(value: dict[object, object], folder: str) -> Reference:
    kind = next(iter(value), None)
    if len(value) != 1 or not isinstance(kind, str) or kind not in SOURCES:
        raise Invalid(f"expected one of {and_list(SOURCES)}", nearest(kind, SOURCES))
    return _source(kind, value[kind], folder)


def _source(kind: str, value: object, folder: str) -> Reference:
    """Return the reference of a token. It may not name the credential of an identity provider."""
    found = _reference(kind, value, folder)
    if kind == "env" and _IDP_VARIABLE.match(found.words[0]):
        raise Invalid(
            "a variable SCIMCONF_IDP_* is a credential, which is never sent to a server as a token",
            "keep the token in another variable",
        )
    return found


def _reference(kind: str, value: object, folder: str) -> Reference:
    try:
        return SOURCES[kind].reference(value, folder)
    except InvalidReference as error:
        raise Invalid(str(error)) from None


def and_list(words: Iterable[str]) -> str:
    """Return the words as "a, b and c"."""
    *most, last = words
    return f"{', '.join(most)} and {last}" if most else last


def _in_clear(value: str) -> Secret:
    if reason := weakness(value):
        raise Invalid(
            f"this token cannot be used: {reason}",
            "remove it and scimconf generates one, or use one from: scimconf token",
        )
    return Secret(value)
