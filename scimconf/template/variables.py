"""Expand the variables of one host as Ansible does: only when a variable is used.

A single `{{ expression }}` keeps its type. Any other template becomes text.

Encrypted values keep their masks. A template in plain text can only insert them. A template of an
encrypted file can do everything with the values of encrypted files: who wrote it has the password.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from scimconf.errors import UsageError
from scimconf.model import Unsafe, VaultValue
from scimconf.secret import Sealed, Secret
from scimconf.template.sandbox import OMIT, Described, compiled, compiled_once, held

_NAME = re.compile(r"\{\{-?\s*([A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*)\s*-?\}\}")
_MARKS = ("{{", "{%", "{#")

Open = Callable[[VaultValue | Secret], Sealed]
"""Decrypts a value, to insert it into a text. Raises UsageError."""


def is_template(value: object) -> bool:
    """Return True for a text that Ansible would expand."""
    return (
        isinstance(value, str)
        and not isinstance(value, Unsafe)
        and any(mark in value for mark in _MARKS)
    )


def expand(
    value: object, variables: Mapping[str, object], facts: Mapping[str, object] | None = None
) -> object:
    """Return `value` with its templates expanded; see `Variables`."""
    return Variables(variables, facts or {}).expand(value)


class Variables:
    """The variables of one host. Each is expanded once, when it is first used.

    `facts` (inventory_hostname, groups, ...) are not expanded and cannot be overridden. `others`
    returns the variables of another host, for hostvars.
    """

    def __init__(
        self,
        raw: Mapping[str, object],
        facts: Mapping[str, object],
        open_: Open | None = None,
        others: Callable[[str], Variables | None] = lambda _: None,
    ) -> None:
        self._raw = raw
        self._facts = facts
        self._open_value = open_
        self._others = others
        self._done: dict[str, object] = {}
        self._failed: dict[str, UsageError] = {}
        self._open: list[str] = []

    def __contains__(self, name: str) -> bool:
        return name in self._facts or name in self._raw

    def __getitem__(self, name: str) -> object:
        """Return the expanded value of a variable, or OMIT. Raises UsageError and KeyError."""
        if name in self._facts:
            return self._facts[name]
        if name in self._done:
            return self._done[name]
        if name in self._open:
            circle = " -> ".join([*self._open[self._open.index(name) :], name])
            raise UsageError(f"the variable depends on itself: {circle}")
        if name in self._failed:
            raise self._failed[name]
        self._open.append(name)
        try:
            self._done[name] = self.expand(self._raw[name])
        except UsageError as error:
            self._failed[name] = error.with_traceback(None)
            raise
        finally:
            self._open.pop()
        return self._done[name]

    def open(self, value: VaultValue | Secret) -> Sealed:
        """Decrypt a value. Raises UsageError."""
        if self._open_value is None:
            raise UsageError("encrypted values are not supported here")
        return self._open_value(value)

    def other(self, host: str) -> Variables | None:
        """Return the variables of another host, None if there is no such host."""
        return self._others(host)

    def expand(self, value: object) -> object:
        """Return `value` with every template in it expanded, except in keys of mappings.

        Encrypted values stay encrypted or sealed; one without a template is returned itself.
        Raises UsageError for a template that fails. The message never quotes a value.
        """
        if isinstance(value, Sealed):
            return self._sealed(value)
        if isinstance(value, str):
            return _referenced(_Asking(self).text(value)) if is_template(value) else value
        if isinstance(value, list):
            return [item for each in value if (item := self.expand(each)) is not OMIT]
        if isinstance(value, dict):
            expanded = ((key, self.expand(item)) for key, item in value.items())
            return {key: item for key, item in expanded if item is not OMIT}
        return value

    def _sealed(self, value: Sealed) -> object:
        """Expand a template of an encrypted file. Its result is sealed, too."""
        source = value.reveal_data()
        if not isinstance(source, str) or not is_template(source):
            return value
        asking = _Asking(self, free=True)
        try:
            result = asking.text(source)
        except UsageError as error:
            # The template's error may quote it, so it is replaced. An undefined variable may be in
            # a file that was not read.
            missing = "undefined" in error.message or "has no" in error.message
            why = "a variable is undefined" if missing else "it is not valid, or fails"
            hint = "" if "{{" in error.hint else error.hint
            raise UsageError(f"the template in an encrypted file: {why}", hint) from None
        return _sealed_like(value, asking.used, result)


class _Asking:
    """The variables as one template sees them (see `scimconf.template.sandbox.Lookup`)."""

    def __init__(self, variables: Variables, *, free: bool = False) -> None:
        self._variables = variables
        self.free = free
        self.used: list[Sealed] = []

    def __contains__(self, name: str) -> bool:
        return name in self._variables

    def __getitem__(self, name: str) -> object:
        return self._variables[name]

    def open(self, value: VaultValue | Secret) -> Sealed:
        return self._variables.open(value)

    def hostvars(self) -> object:
        return _HostVars(self._variables, self)

    def text(self, source: str) -> object:
        """Expand one text."""
        # YAML's `|` and `>` add a line break after a single expression.
        body = source.removesuffix("\n")
        if single := _NAME.fullmatch(body):
            found = self._look_up(single[1].split("."))
            if found is not None:
                return _with_line_breaks(found, source)
        template = compiled_once(body) if self.free else compiled(body)
        return _with_line_breaks(template(self), source)

    def _look_up(self, steps: list[str]) -> object:
        """Return a variable (or a key in it) by its name, with its own type."""
        if steps[0] not in self:
            return None
        value = self[steps[0]]
        for step in steps[1:]:
            value = value.get(step) if isinstance(value, dict) else None
        return value


class _HostVars(Described):
    """Ansible's `hostvars`: the variables of each host. They are expanded when they are read."""

    __slots__ = ("_asking", "_variables")

    def __init__(self, variables: Variables, asking: _Asking) -> None:
        self._shown = "hostvars"
        self._variables = variables
        self._asking = asking

    def __contains__(self, host: object) -> bool:
        return isinstance(host, str) and self._variables.other(host) is not None

    def __getitem__(self, host: object) -> _OtherHost:
        other = self._variables.other(host) if isinstance(host, str) else None
        if other is None:
            raise KeyError(host)
        return _OtherHost(f"hostvars[{host!r}]", other, self._asking)


class _OtherHost(Described):
    """The variables of one host in `hostvars`."""

    __slots__ = ("_asking", "_variables")

    def __init__(self, shown: str, variables: Variables, asking: _Asking) -> None:
        self._shown = shown
        self._variables = variables
        self._asking = asking

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name in self._variables

    def __getitem__(self, name: object) -> object:
        if not isinstance(name, str) or name not in self._variables:
            raise KeyError(name)
        try:
            value = self._variables[name]
        except UsageError as error:
            raise UsageError(f"{self._shown}.{name}: {error.message}", error.hint) from None
        if value is OMIT:
            raise KeyError(name)
        return held(value, f"{self._shown}.{name}", self._asking)


def _referenced(value: object) -> object:
    """Mark the sealed values in a result: it refers to them, and does not own them."""
    if isinstance(value, Sealed):
        return value.referenced()
    if isinstance(value, list):
        return [_referenced(item) for item in value]
    if isinstance(value, dict):
        return {key: _referenced(item) for key, item in value.items()}
    return value


def _sealed_like(template: Sealed, used: list[Sealed], result: object) -> object:
    """Seal the result of an encrypted template that has read the values in `used`."""
    owned = template.owned and all(each.owned for each in used)
    if isinstance(result, list):
        return [_sealed_like(template, used, item) for item in result]
    if isinstance(result, dict):
        return {key: _sealed_like(template, used, item) for key, item in result.items()}
    if isinstance(result, Sealed):
        return result if owned else result.referenced()
    if result is None or result is OMIT or isinstance(result, VaultValue):
        return result
    # Only the author of an encrypted file may know everything about the result.
    read = repr(result) if owned else " ".join(each.mark for each in used)
    return template.joined(used, result, owned=owned, bound=f"{template.mark} {read}")


def _with_line_breaks(found: object, source: str) -> object:
    """Add the line breaks at the end of the template, as ansible's template() does."""
    if not isinstance(found, str):
        return found
    missing = _line_breaks(source) - _line_breaks(found)
    return found + "\n" * missing if missing > 0 else found


def _line_breaks(text: str) -> int:
    return len(text) - len(text.rstrip("\n"))
