"""Find the files and values of an inventory that a new vault password does not decrypt."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from scimconf import vault
from scimconf.errors import UsageError
from scimconf.inventory import layout
from scimconf.inventory.opener import Opener
from scimconf.inventory.place import Problems
from scimconf.model import Position, VaultValue
from scimconf.secret import Secret


@dataclass(frozen=True, slots=True)
class StillEncrypted:
    """The files and values that the old password decrypts, and the new one does not."""

    files: tuple[str, ...]
    """Those that are encrypted as a whole."""
    values: tuple[Position, ...]
    """The single values."""


class _Recorder(Opener):
    """Opens files with the old password, and remembers those that the new one does not open."""

    def __init__(self, old: Mapping[str, Secret], new: Mapping[str, Secret]) -> None:
        super().__init__(lambda: old, trusted=True)
        self._new = new
        self.files: dict[str, None] = {}

    def text(self, file: str, text: str) -> tuple[str, bytes | None]:
        """See `Vault.text`."""
        opened, key = super().text(file, text)
        if key is not None and not _opens(text, self._new):
            self.files[file] = None
        return opened, key


def still_encrypted(
    sources: Sequence[Path], old: Mapping[str, Secret], new: Mapping[str, Secret]
) -> StillEncrypted:
    """Return the files and values of these sources that only the old passwords decrypt.

    Programs are not run, and unreadable files are left out. Raises UsageError.
    """
    recorder = _Recorder(old, new)
    found = layout.read(sources, Problems(), vault=recorder)
    values = {
        each.ciphertext: each.position
        for layer in found.layers()
        for each in _vault_values(layer.values)
        if each.position
    }
    ours = (at for text, at in values.items() if _opens(text, old) and not _opens(text, new))
    return StillEncrypted(tuple(sorted(recorder.files)), tuple(sorted(ours)))


def _opens(text: str, passwords: Mapping[str, Secret]) -> bool:
    try:
        vault.decrypt(text, passwords)
    except UsageError:
        return False
    return True


def _vault_values(value: object) -> Iterator[VaultValue]:
    if isinstance(value, VaultValue):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _vault_values(item)
    elif isinstance(value, list):
        for item in value:
            yield from _vault_values(item)
