"""What is encrypted in an inventory: single values, and files that are encrypted as a whole.

Whoever knows the vault password may see everything. But an author of the inventory may be a
stranger, who can copy or name an encrypted value of somebody else. These rules follow from that:

- A token, or a value that looks like one, is decrypted only for its own realm (`misuse.py`).
- A value that does not stand under its own name in an encrypted file is used for passwords, for
  tokens, and for an IP address. Any other use needs `--allow-exec=inventory` (`connection.py`).
- The text of an encrypted file is read only if it is a mapping, and no message quotes it: any value
  can be copied into a file of its own (`sources.document`).
- A value is shown only if it stands in an encrypted file itself (`Sealed.owned`).
- A template in plain text can insert an encrypted value into a text, and nothing else.

`opener.Opener` opens them. This module imports no cryptography, because shell completion uses it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from scimconf.errors import UsageError
from scimconf.inventory.place import Layer
from scimconf.model import Position, Problem, VaultValue
from scimconf.secret import Sealed, Secret

_HEADER = "$ANSIBLE_VAULT;"
UNTAGGED = (
    "this is the text of an encrypted value, without its tag",
    'write !vault before it, outside of quotes; in JSON: {"__ansible_vault": ...}',
)
"""Message and hint for a text that `is_untagged`."""
NO_PASSWORD = "no vault password was given"  # noqa: S105


class ClosedFileError(UsageError):
    """A file that is encrypted as a whole could not be read.

    `wrong` is True if the password of its vault id was given, and does not open it.
    """

    def __init__(self, file: str, why: str, hint: str = "", *, wrong: bool = False) -> None:
        super().__init__(f"{file}: {why}", hint)
        self._file = file
        self._why = why
        self.wrong = wrong

    def problem(self, unknown: str) -> Problem:
        """Return the problem; `unknown` says what is not known now."""
        message = f"this file is encrypted as a whole and was not read, because {self._why}"
        return Problem(f"{message}; {unknown}", Position(self._file, 1, 1), hint=self.hint)


class Vault:
    """Opens nothing."""

    trusted = False
    """Whether the inventory is trusted like a program (`--allow-exec=inventory`)."""

    def text(self, file: str, text: str) -> tuple[str, bytes | None]:
        """Return the text of a file, decrypted if needed, and its key if it was.

        Raises ClosedFileError, and UsageError for a password that cannot be read.
        """
        if is_encrypted(text):
            raise ClosedFileError(file, NO_PASSWORD)
        return text, None

    def open(self, value: VaultValue | Secret) -> Sealed:
        """Decrypt a value that is not used as a token. Raises UsageError."""
        raise UsageError(f"this value is encrypted, and {NO_PASSWORD}")


def is_encrypted(text: str) -> bool:
    """Return True for the text of a file that is encrypted as a whole."""
    return text.startswith(_HEADER)


def is_untagged(text: str) -> bool:
    """Return True for the text of a `!vault` value that lost its tag, for example by quotes."""
    return text.lstrip().startswith((_HEADER, "!vault"))


def values_of(layer: Layer) -> Mapping[str, object]:
    """Return the variables of a layer; those of an encrypted file are sealed."""
    key = layer.place.document.key
    return layer.values if key is None else {n: _sealed(v, key) for n, v in layer.values.items()}


def _sealed(value: object, key: bytes) -> object:
    if isinstance(value, dict):
        return {name: _sealed(item, key) for name, item in value.items()}
    if isinstance(value, list):
        return [_sealed(item, key) for item in value]
    if isinstance(value, (str, int, float, date)):
        return Sealed(value, key, owned=True)
    return value  # null, or a value that is encrypted once more
