"""`scimconf deliver`: set the tokens in force at their identity providers, or test them there."""

from __future__ import annotations

from scimconf.cli import options
from scimconf.cli.log import start_log
from scimconf.cli.options import OutputOptions, VaultOptions
from scimconf.cli.output import results
from scimconf.cli.person import Terminal
from scimconf.run.deliver import DeliverOptions, deliver
from scimconf.run.options import ConnectionOptions, DeliveryOptions, SourceOptions


@options.verb("deliver")
@options.pattern
@options.sharded_source
@options.realm
@options.option(
    "--test",
    "only_test",
    variable=False,
    is_flag=True,
    help="Ask the identity providers to test the token that they have. Set nothing.",
)
@options.yes
@options.delivery
@options.connection
@options.vault
@options.output
def command(
    pattern: tuple[str, ...],
    source: SourceOptions,
    realms: tuple[str, ...],
    only_test: bool,
    yes: bool,
    delivery: DeliveryOptions,
    connection: ConnectionOptions,
    vault: VaultOptions,
    output: OutputOptions,
) -> int:
    """Deliver tokens to identity providers that have an API.

    Works on the realms with deliver in the inventory, and delivers the tokens in force again, for a
    new app or if the identity provider has lost its token. The identity provider then tests the
    token. Changes no server, and makes no token.
    """
    person = Terminal(vault, output, changes=not only_test)
    if not yes:
        person.must_answer("deliver")
    start_log(output)
    result = deliver(
        DeliverOptions(
            source,
            pattern,
            connection,
            delivery,
            yes=yes,
            only_test=only_test,
            realms=realms,
            writes=output.files,
        ),
        person,
    )
    return results(result, output, shard=source.shard)
