"""Answer the questions of the oracle with scimconf, in the format of ansible_side.py."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from scimconf import vault
from scimconf.errors import UsageError
from scimconf.inventory import extra_vars, layout
from scimconf.inventory.connection import connection
from scimconf.inventory.layout import Layout
from scimconf.inventory.opener import Opener
from scimconf.inventory.patterns import matching
from scimconf.inventory.place import Problems
from scimconf.inventory.reader import Reader
from scimconf.model import VaultValue
from scimconf.secret import Sealed, Secret
from scimconf.template import OMIT
from tests.oracle.client import PASSWORD

Result = dict[str, object]


def encoded(value: object) -> object:
    """Return a value as JSON that keeps the types that plain JSON loses."""
    if isinstance(value, VaultValue):
        plain = vault.decrypt(value.ciphertext, {"default": Secret(PASSWORD)})
        return {"vault": value.ciphertext, "plain": plain.reveal()}
    if isinstance(value, Sealed):
        return encoded(value.reveal_data())
    if isinstance(value, Secret):
        return value.reveal()
    if isinstance(value, dict):
        return {"map": [[encoded(key), encoded(item)] for key, item in value.items()]}
    if isinstance(value, (list, tuple)):
        return [encoded(item) for item in value]
    if isinstance(value, date):
        return {"date": value.isoformat()}
    return str(value) if isinstance(value, str) else value


_USUAL_FLAGS = {"sudo": "-H -S -n", "su": ""}
"""Ansible's defaults."""


@dataclass(frozen=True)
class Ours:
    """An inventory that scimconf has read."""

    layout: Layout
    problems: Problems

    @classmethod
    def read(
        cls, sources: Sequence[Path], *, allow_exec: bool = False, extra: Sequence[str] = ()
    ) -> Ours:
        problems = Problems()
        vault = Opener(lambda: {"default": Secret(PASSWORD)})
        layers = extra_vars.layers(extra, vault, problems)
        found = layout.read(sources, problems, allow_exec=allow_exec, vault=vault, extra=layers)
        return cls(found, problems)

    @property
    def errors(self) -> list[str]:
        return [str(problem) for problem in self.problems.errors]

    def names(self) -> list[str]:
        """Return the names of all variables, except the one that Ansible reserves."""
        named = {str(name) for layer in self.layout.layers() for name in layer.values}
        return sorted(named - {"ansible_group_priority"})

    def variables(self, host: str, names: Sequence[str]) -> dict[str, Result]:
        known = self.layout.variables(host)
        found: dict[str, Result] = {}
        for name in names:
            if name in self.layout.written[host].values:
                try:
                    value = known[name]
                    found[name] = {"omitted": True} if value is OMIT else {"value": encoded(value)}
                except UsageError as error:
                    found[name] = {"error": str(error)}
        return found

    def connection(self, host: str) -> Result:
        """Return the connection of a host; the `become` fields only if the inventory sets them."""
        problems = Problems()
        written = self.layout.written[host]
        reader = Reader(host, written, self.layout.variables(host), problems)
        how = connection(reader, {}, "root")
        if how is None:
            return {"error": "; ".join(map(str, problems.errors))}
        return {
            "host": how.host,
            "port": how.port,
            "user": how.user,
            "password": how.password and encoded(how.password),
            "private_key": how.private_key,
            "timeout": how.timeout,
            "become": how.become if "ansible_become" in written.values else None,
            "become_user": how.become_user,
            "become_password": how.become_password and encoded(how.become_password),
            "become_exe": how.become_exe or how.become_method,
            "become_flags": how.become_flags or _USUAL_FLAGS[how.become_method],
        }

    def hosts(self, patterns: Sequence[str], limit: Sequence[str]) -> Result:
        try:
            groups = self.layout.groups
            return {"hosts": matching(patterns, limit, groups, self.layout.tree.hosts)}
        except UsageError as error:
            return {"error": str(error)}
