"""Expand and check the variables of one host, and report problems with their positions."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from scimconf.errors import InventoryError, UsageError
from scimconf.inventory import wording
from scimconf.inventory.encrypted import NO_PASSWORD, UNTAGGED, is_untagged
from scimconf.inventory.place import Place, Problems
from scimconf.inventory.precedence import HostVariables
from scimconf.model import VaultValue
from scimconf.secret import Sealed, Secret
from scimconf.template import OMIT, Variables

M = TypeVar("M", bound=BaseModel)

Keys = tuple[Hashable, ...]


class _EncryptedError(Exception):
    """An encrypted value is used where its content would be shown."""

    def __init__(self, keys: Keys) -> None:
        super().__init__()
        self.keys = keys


@dataclass(frozen=True, slots=True)
class Reader:
    """The variables of one host. Its methods add errors to `problems`."""

    name: str
    written: HostVariables
    variables: Variables
    problems: Problems = field(default_factory=Problems)
    closed_files: frozenset[str] = frozenset()
    """The encrypted files of all hosts that could not be read."""
    trusted: bool = False
    """Whether the inventory is trusted like a program."""

    def expanded(self, names: Iterable[str]) -> dict[str, object]:
        """Return the variables that the host has, except those with a wrong template.

        Encrypted values are VaultValues or Sealed.
        """
        values = {}
        for name in names:
            if name not in self.written.values:
                continue
            try:
                value = self.variables[name]
            except InventoryError:  # the token file, with which encrypted values are compared
                raise
            except UsageError as error:
                self._report(name, error)
            else:
                if isinstance(value, str) and is_untagged(value):
                    self.problems.error(self.written.origin(name).problem(*UNTAGGED, quotes=False))
                elif value is not OMIT:
                    values[name] = value
        return values

    def shown(
        self, names: Iterable[str], is_token: Callable[[Keys], bool] = lambda _: False
    ) -> dict[str, object]:
        """Return variables as `expanded` does, for settings that plans and reports show.

        Report an encrypted value, unless it stands in an encrypted file itself, or is a token.
        """
        values = {}
        for name, value in self.expanded(names).items():
            try:
                values[name] = _shown(value, (), is_token)
            except _EncryptedError as error:
                place = self.written.origin(name).inside(*error.keys)
                message = "this value is encrypted, and plans and reports would show it"
                hint = (
                    f"write it in clear, or set {name} in a file that is encrypted as a whole "
                    "(ansible-vault encrypt FILE)"
                )
                self.problems.error(place.problem(message, hint, quotes=False))
        return values

    def opened(self, name: str, value: VaultValue | Secret) -> Sealed | None:
        """Decrypt the value of a variable that nothing shows; None if that fails."""
        try:
            return self.variables.open(value)
        except InventoryError:
            raise
        except UsageError as error:
            self._report(name, error)
            return None

    def _report(self, name: str, error: UsageError) -> None:
        message = error.message
        files = {layer.place.document.file for layer in self.written.closed}
        if "hostvars[" in message:
            files |= self.closed_files
        hint, follows = error.hint, NO_PASSWORD in message
        if files and ("undefined" in message or "has no" in message):
            names = ", ".join(sorted(files))
            message += f"; {names}, which may set it, is encrypted and was not read"
            hint, follows = hint or self._how_to_open(), True
        problem = self.written.origin(name).problem(message, hint, quotes=False)
        self.problems.error(replace(problem, follows=follows))

    def _how_to_open(self) -> str:
        return next((layer.closed.hint for layer in self.written.closed if layer.closed), "")

    def checked(
        self,
        model: type[M],
        values: Mapping[str, object],
        names: Mapping[str, str] | None = None,
        hidden: Collection[str] = (),
    ) -> M | None:
        """Return the model of these values, or None if a value is wrong.

        `names` maps the keys of `values` to the names of variables, if they differ. `hidden` are
        keys with encrypted values, about which no message says anything.
        """
        try:
            return model.model_validate(values)
        except ValidationError as error:

            def place_of(path: tuple[object, ...]) -> Place:
                field = str(path[0])
                name = names.get(field, field) if names else field
                return self.written.origin(name).inside(*path[1:])

            for problem in wording.problems(error, values, place_of, hidden=hidden):
                self.problems.error(problem)
            return None


def _shown(value: object, keys: Keys, is_token: Callable[[Keys], bool]) -> object:
    """Return a value without seals. Raises _EncryptedError where it must not be shown."""
    if isinstance(value, dict):
        return {key: _shown(item, (*keys, key), is_token) for key, item in value.items()}
    if isinstance(value, list):
        return [_shown(item, (*keys, index), is_token) for index, item in enumerate(value)]
    if isinstance(value, (VaultValue, Secret)) and not is_token(keys):
        if isinstance(value, Sealed) and value.owned:
            return value.reveal_data()
        raise _EncryptedError(keys)
    return value
