"""Read the inventory that ansible.cfg names, and warn about settings that scimconf does not use."""

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
    ("defaults", "remote_user"): "-u",
    ("defaults", "private_key_file"): "--private-key",
    ("defaults", "ask_pass"): "-k",
    ("defaults", "host_key_checking"): "--accept-new-host-keys",
    ("defaults", "vault_password_file"): "--vault-password-file",
    ("defaults", "vault_identity_list"): "--vault-id",
    ("privilege_escalation", "become"): "-b",
    ("privilege_escalation", "become_user"): "--become-user",
    ("privilege_escalation", "become_ask_pass"): "-K",
    ("privilege_escalation", "become_method"): "ansible_become_method",
    ("privilege_escalation", "become_exe"): "ansible_become_exe",
    ("privilege_escalation", "become_flags"): "ansible_become_flags",
}


def warnings(folders: Iterable[Path]) -> list[Problem]:
    """Return a warning for each ansible.cfg in these folders with settings that matter here."""
    files = {(folder / "ansible.cfg").absolute(): folder / "ansible.cfg" for folder in folders}
    found = []
    for path in files.values():
        settings = _settings(path) if path.is_file() else []
        if settings:
            message = f"scimconf does not read {path}, which sets {', '.join(settings)}"
            options = dict.fromkeys(_INSTEAD[key] for key in _INSTEAD if key[1] in settings)
            hint = f"use {', '.join(options)}, or variables of the inventory"
            found.append(Problem(message, hint=hint))
    return found


def inventory(path: Path) -> str | None:
    """Return the setting `inventory` as it is written in this ansible.cfg."""
    return _parsed(path).get("defaults", "inventory", fallback=None) if path.is_file() else None


def _settings(path: Path) -> list[str]:
    parser = _parsed(path)
    return [name for section, name in _INSTEAD if parser.has_option(section, name)]


def _parsed(path: Path) -> RawConfigParser:
    """Return the parsed file; a file that cannot be read counts as empty."""
    parser = RawConfigParser(strict=False, allow_no_value=True, inline_comment_prefixes=(";",))
    with suppress(ConfigError, InventoryError):
        parser.read_string(read_text(path))
    return parser
