"""List the custom profile fields of realms, by the names that custom_profile_field_map uses."""

from __future__ import annotations

from typing import Dict, List, Sequence

from scimconf.agent import shell

_LIST = """
from zerver.models import CustomProfileField
found = CustomProfileField.objects.filter(realm__string_id__in=argument)
answer = list(found.values_list("realm__string_id", "name"))
"""


def listed(deployment: str, realms: Sequence[str]) -> Dict[str, List[str]]:
    """Return the variable names of the fields of each realm. Raises AgentError."""
    found: Dict[str, List[str]] = {realm: [] for realm in realms}
    for realm, name in shell.ask(deployment, _LIST, list(realms)):
        found[realm].append(variable_name(name))
    return found


def variable_name(name: str) -> str:
    """Return the variable name of a field, as Zulip makes it: "Phone number" is phone_number.

    Zulip has the same rule in sync_user_profile_custom_fields (zproject/backends.py).
    """
    return "_".join(name.lower().split(" "))
