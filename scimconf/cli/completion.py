"""Shell completion for hosts, groups and realms of the inventory.

click's own completion calls these functions (docs/how-to/completion.md). They run while a person
types: they print nothing, run no program of the inventory, and ignore what they cannot read.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

from scimconf.consent import KINDS
from scimconf.errors import ScimconfError

if TYPE_CHECKING:
    from scimconf.inventory.layout import Layout

_SECONDS = 1.0
"""Processor time for reading the inventory. After that, nothing is offered."""
_SEPARATORS = ",:&!"
"""The characters between the parts of a pattern."""


def patterns(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Return groups and hosts, also for the last part of `web,db` or `web:!db`."""
    layout = _layout(context)
    if layout is None:
        return []
    kinds = dict.fromkeys(layout.tree.hosts, "host")
    kinds |= {name: "group" for name, members in layout.groups.items() if members}
    before = ""
    if not any(name.startswith(incomplete) for name in kinds):  # IPv6 addresses contain colons
        before = incomplete[: 1 + max(map(incomplete.rfind, _SEPARATORS))]
    return [
        CompletionItem(before + name, help=kind)
        for name, kind in kinds.items()
        if (before + name).startswith(incomplete)
    ]


def consent_or_patterns(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Return the kinds of consent, and hosts.

    click cannot tell `--allow-exec=x` from `--allow-exec x`, in which x is a host.
    """
    kinds = [CompletionItem(kind) for kind in KINDS if kind.startswith(incomplete)]
    return [*kinds, *patterns(context, parameter, incomplete)]


def hosts(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Return hosts."""
    layout = _layout(context)
    names = layout.tree.hosts if layout else ()
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]


def realms(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Return the names of realms, except the root realm, whose name is empty."""
    layout = _layout(context)
    names: set[object] = set()
    for written in layout.written.values() if layout else ():
        own = written.values.get("scim_realms")
        names.update(own if isinstance(own, Mapping) else ())
    known = sorted(name for name in names if isinstance(name, str) and name)
    return [CompletionItem(name) for name in known if name.startswith(incomplete)]


def places(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Return the places of tokens: deployments, and after a `/` their realms.

    OLD comes from the token file, NEW from the inventory. Which word is completed decides.
    """
    names = _old_places(context) if parameter.name == "old" else _new_places(context)
    whole = {place.partition("/")[0] for place in names}
    known = names if "/" in incomplete else whole
    return [CompletionItem(name) for name in sorted(known) if name.startswith(incomplete)]


def _new_places(context: click.Context) -> set[str]:
    layout = _layout(context)
    found = set()
    for host, written in layout.written.items() if layout else ():
        own = written.values.get("scim_realms")
        deployment = written.values.get("scim_deployment", host)
        for realm in own if isinstance(own, Mapping) else ():
            if isinstance(deployment, str) and isinstance(realm, str):
                found.add(f"{deployment}/{realm}")
    return found


def _old_places(context: click.Context) -> set[str]:
    from scimconf.run.options import SourceOptions
    from scimconf.run.start import token_file

    given = tuple(path.expanduser() for path in context.params.get("inventory") or ())
    with suppress(ScimconfError, OSError, RuntimeError), _limited():
        file = token_file(SourceOptions(given, (), context.params.get("tokens")))
        return {"/".join(key) for key in file.records}
    return set()


def _layout(context: click.Context) -> Layout | None:
    """Read the groups, hosts and variables of the inventory, and ignore errors in it.

    Return None if it cannot be read.
    """
    from scimconf.inventory import layout
    from scimconf.inventory.place import Problems
    from scimconf.run.options import SourceOptions
    from scimconf.run.start import sources

    # The shell has not expanded the words yet.
    given = tuple(path.expanduser() for path in context.params.get("inventory") or ())
    with suppress(ScimconfError, OSError, RuntimeError), _limited():
        files = sources(SourceOptions(given, (), None))
        # Do not read stdin or a pipe: that could block, or take data from another program.
        ready = [path for path in files if path.is_file() or path.is_dir()]
        return layout.read(ready, Problems(), allow_exec=False)
    return None


@contextmanager
def _limited() -> Iterator[None]:
    """Raise TimeoutError if the `with` block uses more than `_SECONDS` of processor time."""

    def stop(*_: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, _SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
