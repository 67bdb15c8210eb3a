"""Open encrypted values and files with the vault passwords (see `encrypted.py`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from scimconf import vault
from scimconf.errors import UsageError
from scimconf.inventory.encrypted import NO_PASSWORD, ClosedFileError, Vault, is_encrypted
from scimconf.model import Position, VaultValue
from scimconf.secret import Sealed, Secret
from scimconf.tokens.generate import looks_generated
from scimconf.tokens.keyring import Passwords


class Opener(Vault):
    """Opens each value once. Gets the passwords when the first value or file is opened."""

    def __init__(
        self,
        passwords: Passwords | None = None,
        refuse: Callable[[VaultValue], None] = lambda _: None,
        note: Callable[[], str] = lambda: "",
        *,
        trusted: bool = False,
    ) -> None:
        """`refuse` raises UsageError for a value that is a token of the token file.

        `note` returns a sentence for the hint if there is no password.
        """
        self._passwords = passwords
        self._refuse = refuse
        self._note = note
        self.trusted = trusted
        self._known: Mapping[str, Secret] | None = None
        self._opened: dict[str, Sealed] = {}
        self._files: set[str] = set()

    @property
    def opened(self) -> frozenset[bytes]:
        """The identities (`vault.identity`) of the values and files that were opened."""
        found = (vault.identity(ciphertext) for ciphertext in (*self._opened, *self._files))
        return frozenset(each for each in found if each)

    def text(self, file: str, text: str) -> tuple[str, bytes | None]:
        """See `Vault.text`."""
        if not is_encrypted(text):
            return text, None
        self._refuse(VaultValue(text, Position(file, 1, 1)))
        passwords = self._get_passwords()
        try:
            secret, key = vault.decrypt_with_key(text, passwords)
        except vault.NoPasswordError as error:
            raise ClosedFileError(file, NO_PASSWORD, self._hint(error)) from None
        except vault.WrongPasswordError as error:
            # Not wrong if no password was given for its vault id: then it is only missing.
            wrong = vault.id_of(text) in passwords
            raise ClosedFileError(file, error.message, error.hint, wrong=wrong) from None
        except UsageError as error:
            raise ClosedFileError(file, error.message, error.hint, wrong=True) from None
        self._files.add(text)
        if looks_generated(vault.trimmed(secret)):
            raise ClosedFileError(file, "it looks like a SCIM token", wrong=True)
        return secret.reveal(), key

    def open(self, value: VaultValue | Secret) -> Sealed:
        """See `Vault.open`."""
        opened = self._decrypted(value) if isinstance(value, VaultValue) else value
        if looks_generated(opened):
            raise UsageError(
                "this encrypted value looks like a SCIM token, so it is used only as a token",
                "for a token, make {{ NAME }} the whole value; for anything else, choose another "
                "value: 43 letters and digits look like a token",
            )
        if isinstance(opened, Sealed):
            return opened
        return Sealed(opened.reveal(), b"", owned=False)

    def _decrypted(self, value: VaultValue) -> Sealed:
        if value.ciphertext not in self._opened:
            self._refuse(value)
            try:
                secret, key = vault.decrypt_with_key(value.ciphertext, self._get_passwords())
            except vault.NoPasswordError as error:
                message = f"this value is encrypted, and {NO_PASSWORD}"
                raise UsageError(message, self._hint(error)) from None
            # `echo` leaves a line break at the end. No variable that is opened here has one.
            line = vault.trimmed(secret).reveal()
            self._opened[value.ciphertext] = Sealed(line, key, owned=False)
        return self._opened[value.ciphertext]

    def _hint(self, error: vault.NoPasswordError) -> str:
        note = self._note()
        return f"{error.hint} ({note})" if note else error.hint

    def _get_passwords(self) -> Mapping[str, Secret]:
        if self._known is None:
            try:
                self._known = self._passwords() if self._passwords else {}
            except vault.NoPasswordError:
                self._known = {}
        return self._known
