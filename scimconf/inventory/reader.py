"""Expand and check the variables of one host, and report problems with their positions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from scimconf.errors import UsageError
from scimconf.inventory import wording
from scimconf.inventory.place import Place, Problems
from scimconf.inventory.precedence import HostVariables
from scimconf.template import Variables

M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Reader:
    """The variables of one host. Its methods add errors to `problems`."""

    name: str
    written: HostVariables
    variables: Variables
    problems: Problems

    def expanded(self, names: Iterable[str]) -> dict[str, object]:
        """Return the variables that the host has, except those with a wrong template."""
        values = {}
        for name in names:
            if name not in self.written.values:
                continue
            try:
                values[name] = self.variables[name]
            except UsageError as error:
                self.problems.error(self.written.origin(name).problem(str(error), error.hint))
        return values

    def checked(
        self, model: type[M], values: Mapping[str, object], names: Mapping[str, str] | None = None
    ) -> M | None:
        """Return the model of these values, or None if a value is wrong.

        `names` maps the keys of `values` to the names of variables, if they differ.
        """
        try:
            return model.model_validate(values)
        except ValidationError as error:

            def place_of(path: tuple[object, ...]) -> Place:
                field = str(path[0])
                name = names.get(field, field) if names else field
                return self.written.origin(name).inside(*path[1:])

            for problem in wording.problems(error, values, place_of):
                self.problems.error(problem)
            return None
