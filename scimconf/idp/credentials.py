"""Read the credentials of identity providers: from variables SCIMCONF_IDP_*, or from files.

They are read when a delivery begins, never by `plan`.
"""

from __future__ import annotations

from scimconf.errors import UsageError
from scimconf.model import Reference
from scimconf.secret import Secret
from scimconf.tokens.references import LARGEST, SOURCES

_SECONDS = 10.0


def read(reference: Reference) -> Secret:
    """Return a credential without white space around it. Raises UsageError."""
    data = SOURCES[reference.kind].read(reference, _SECONDS, LARGEST)
    if len(data) > LARGEST:
        raise UsageError(f"{reference}: more than {LARGEST} bytes, so it is not a credential")
    try:
        text = data.decode("ascii").strip()
    except UnicodeDecodeError:
        raise UsageError(f"{reference}: the credential is not ASCII text") from None
    if not text:
        raise UsageError(f"{reference}: the credential is empty")
    return Secret(text)
