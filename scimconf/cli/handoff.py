"""`scimconf handoff`: print what to enter into the identity provider."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import click

from scimconf import files
from scimconf.cli import options
from scimconf.cli.help import OUTPUT
from scimconf.cli.options import VaultOptions
from scimconf.cli.person import Terminal
from scimconf.cli.streams import err, out
from scimconf.errors import UsageError
from scimconf.model import Server
from scimconf.plan.commands import as_typed
from scimconf.report.handoff import Form, handoff
from scimconf.report.sheet import sheet
from scimconf.run.options import SourceOptions
from scimconf.run.start import start
from scimconf.sanitize import sanitize
from scimconf.tokens.keyring import Keyring
from scimconf.tokens.rotation import activated


@options.verb("handoff")
@options.pattern
@options.source
@options.realm
@options.show_tokens
@options.option(
    "--next",
    "staged",
    variable=False,
    is_flag=True,
    help="Use the tokens that rotate --stage has created.",
)
@options.option(
    "--format",
    "form",
    section=OUTPUT,
    variable=False,
    type=click.Choice(["text", "markdown", "html"]),
    metavar="FORMAT",
    default="text",
    help="Print text, a markdown check list, or html to print on paper.  [default: text]",
)
@options.option(
    "--out",
    "file",
    section=OUTPUT,
    variable=False,
    type=options.NEW_FILE,
    help="Write to FILE (mode 0600) instead of printing. An existing file is replaced.",
)
@options.vault
def command(
    pattern: tuple[str, ...],
    source: SourceOptions,
    realms: tuple[str, ...],
    show_tokens: bool,
    staged: bool,
    form: Form,
    file: Path | None,
    vault: VaultOptions,
) -> None:
    """Print a hand-off sheet for the identity provider of each realm.

    Contacts no server. Masks tokens unless --show-tokens is given.
    """
    begun = start(source, pattern, Terminal(vault), writes=(file,) if file else (), changes=False)
    servers, keyring = begun.servers, begun.keyring()
    if staged:
        keyring, servers = _staged(keyring, servers)
    elif show_tokens:
        keyring.fetch(servers)
    tokens = keyring.tokens(servers) if show_tokens else {}
    sheets = [
        sheet(server, realm, tokens.get(server.name, {}).get(realm.string_id), staged=staged)
        for server in servers
        for realm in server.realms
        if realm.present and (not realms or realm.string_id in realms)
    ]
    if not sheets and staged:
        raise UsageError(
            "no token is staged for the selected realms",
            "stage one first: "
            + as_typed("rotate --stage", pattern, source.limit, realms, begun.words),
        )
    if not sheets:
        raise click.UsageError("no realm to hand off: the selected servers have no such realm")
    text = handoff(sheets, form)
    text = sanitize(text, len(text))
    if file:
        files.write_output(file, text)
        err(f"wrote {file}: {len(sheets)} sheet{'' if len(sheets) == 1 else 's'}")
    else:
        out(text, end="\n" if form == "text" else "")


def _staged(keyring: Keyring, servers: Sequence[Server]) -> tuple[Keyring, list[Server]]:
    """Return the realms that have a staged token, and a keyring with that token in force."""
    narrowed, keys = [], set()
    for server in servers:
        ours = tuple(
            realm
            for realm in server.realms
            if realm.present
            and realm.token is None
            and (entry := keyring.file.entry(server.deployment, realm.string_id))
            and entry.next
        )
        narrowed.append(replace(server, realms=ours))
        keys |= {(server.deployment, realm.string_id) for realm in ours}
    return keyring.turned(keys, activated), narrowed
