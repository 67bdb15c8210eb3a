"""List the custom profile fields of realms, by the names that custom_profile_field_map uses."""

from __future__ import annotations

from typing import Dict, Sequence

from scimconf.agent import shell

_LIST = """
from zerver.models import CustomProfileField
found = CustomProfileField.objects.filter(realm__string_id__in=argument)
answer = list(found.values_list("realm__string_id", "name", "field_type"))
"""


def listed(deployment: str, realms: Sequence[str]) -> Dict[str, Dict[str, int]]:
    """Return the variable names of the fields of each realm, with their types. Raises AgentError.

    The types are the numbers of Zulip (CustomProfileField.FIELD_TYPE...).
    """
    found: Dict[str, Dict[str, int]] = {realm: {} for realm in realms}
    for realm, name, kind in shell.ask(deployment, _LIST, list(realms)):
        found[realm][variable_name(name)] = kind
    return found


def variable_name(name: str) -> str:
    """Return the variable name of a field, as Zulip makes it: "Phone number" is phone_number.

    Zulip has the same rule in sync_user_profile_custom_fields (zproject/backends.py).
    """
    return "_".join(name.lower().split(" "))
