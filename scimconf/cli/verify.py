"""`scimconf verify`: check the public SCIM URLs."""

from __future__ import annotations

from scimconf.cli import options
from scimconf.cli.log import start_log
from scimconf.cli.options import OutputOptions, VaultOptions
from scimconf.cli.output import results
from scimconf.cli.person import Terminal
from scimconf.errors import UsageError
from scimconf.run.options import ConnectionOptions, SourceOptions
from scimconf.run.verify import verify


@options.verb("verify")
@options.pattern
@options.sharded_source
@options.realm
@options.wait
@options.test_user
@options.yes
@options.spread_connection
@options.vault
@options.output
def command(
    pattern: tuple[str, ...],
    source: SourceOptions,
    realms: tuple[str, ...],
    minutes: int | None,
    test_user: str | None,
    yes: bool,
    connection: ConnectionOptions,
    vault: VaultOptions,
    output: OutputOptions,
) -> int:
    """Check the public SCIM URLs as the identity provider would.

    Changes nothing, except with --test-user. Reads each server's settings first: a token is sent
    only to a host name that these settings contain. Needs the vault password.
    """
    if yes and not test_user:
        raise UsageError("--yes needs --test-user", "verify changes nothing otherwise")
    person = Terminal(vault, output)
    if test_user and not yes:
        person.must_answer("verify --test-user")
    start_log(output)
    asked = (source, pattern, connection, person, output.files, realms, minutes, test_user)
    result = verify(*asked, yes=yes)
    return results(result, output, shard=source.shard)
