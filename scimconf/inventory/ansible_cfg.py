"""Settings of an ansible.cfg that somebody may count on: we read none, and say so."""

from __future__ import annotations

from collections.abc import Iterable
from configparser import Error as ConfigError
from configparser import RawConfigParser
from contextlib import suppress
from pathlib import Path

from scimconf.errors import InventoryError
from scimconf.model import Problem
from scimconf.yamlfile import read_text

_INSTEAD = {
    ("defaults", "inventory"): "-i",
    ("defaults", "remote_user"): "-u",
    ("defaults", "private_key_file"): "--private-key",
    ("defaults", "ask_pass"): "-k",
    ("defaults", "host_key_checking"): "--accept-new-host-keys",
    ("defaults", "vault_password_file"): "--vault-password-file",
    ("defaults", "vault_identity_list"): "--vault-id",
    ("privilege_escalation", "become"): "-b",
    ("privilege_escalation", "become_user"): "--become-user",
    ("privilege_escalation", "become_ask_pass"): "-K",
}


def warnings(folders: Iterable[Path]) -> list[Problem]:
    """Give one warning for each ansible.cfg in these folders that sets what we would need."""
    files = {(folder / "ansible.cfg").absolute(): folder / "ansible.cfg" for folder in folders}
    found = []
    for path in files.values():
        settings = _settings(path) if path.is_file() else []
        if settings:
            message = f"{path} is not read by scimconf, and it sets {', '.join(settings)}"
            options = dict.fromkeys(_INSTEAD[key] for key in _INSTEAD if key[1] in settings)
            hint = f"use {', '.join(options)} or the inventory's variables"
            found.append(Problem(message, hint=hint))
    return found


def inventory(folder: Path) -> str | None:
    """Give what the folder's ansible.cfg says is the inventory, as it is written there."""
    path = folder / "ansible.cfg"
    return _parsed(path).get("defaults", "inventory", fallback=None) if path.is_file() else None


def _settings(path: Path) -> list[str]:
    parser = _parsed(path)
    return [name for section, name in _INSTEAD if parser.has_option(section, name)]


def _parsed(path: Path) -> RawConfigParser:
    """Read the file; where it cannot be read, nothing of it is ours to judge."""
    parser = RawConfigParser(strict=False, allow_no_value=True)
    with suppress(ConfigError, InventoryError):
        parser.read_string(read_text(path))
    return parser
