"""Find tokens that an inventory uses for something else, which would send them to a server.

This module compares values with the tokens in the inventory. `Vault.open` has compared them with
those in the token file before. Both happen before anything is sent.
"""

from __future__ import annotations

from collections.abc import Iterable

from scimconf import vault
from scimconf.inventory.place import Problems
from scimconf.model import Problem, Server, VaultValue
from scimconf.secret import Sealed

_MESSAGE = "this encrypted value is a SCIM token, so it must not be used for anything else"
_HINT = "encrypt another value for the other variable: ansible-vault encrypt_string"


def find_misused(servers: Iterable[Server], opened: frozenset[bytes], problems: Problems) -> None:
    """Report tokens that were opened for a text, and tokens in connection variables.

    `opened` are the identities of the single values that were opened.
    """
    servers = list(servers)
    tokens = [
        (realm.token, realm.position or server.position)
        for server in servers
        for realm in server.realms
        if realm.token is not None
    ]
    for token, position in tokens:
        if isinstance(token, VaultValue) and vault.identity(token.ciphertext) in opened:
            problems.error(Problem(_MESSAGE, token.position or position, hint=_HINT))
    used = {each.reveal() for server in servers for each in _encrypted(server)}
    for token, position in tokens:
        if isinstance(token, Sealed) and any(token.reveal() in text for text in used):
            problems.error(Problem(_MESSAGE, position, hint=_HINT))


def _encrypted(server: Server) -> Iterable[Sealed]:
    """Yield the encrypted values of the variables that say how to connect."""
    how = server.connection
    yield from how.encrypted.values()
    for each in (how.password, how.become_password, how.passphrase):
        if isinstance(each, Sealed):
            yield each
