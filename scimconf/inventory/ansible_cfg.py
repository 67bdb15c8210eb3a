"""Read the inventory that ansible.cfg names, and warn about settings that scimconf does not use."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from configparser import Error as ConfigError
from configparser import RawConfigParser
from contextlib import suppress
from pathlib import Path

from scimconf.errors import InventoryError
from scimconf.model import Problem
from scimconf.ssh import arguments
from scimconf.yamlfile import read_text

_OFF = frozenset({"", "no", "off", "0", "false", "n", "f", "none"})
_ON = frozenset({"yes", "on", "1", "true", "y", "t"})
_SSH_WORDS = ("ssh_args", "ssh_common_args", "ssh_extra_args")
_MAIN = ("defaults", "privilege_escalation", "ssh_connection")
"""The sections whose settings are named without their section."""
_BECOME_PLUGINS = ("sudo_become_plugin", "su_become_plugin")

_INSTEAD = {
    ("defaults", "remote_user"): "-u",
    ("defaults", "remote_port"): "ansible_port",
    ("defaults", "private_key_file"): "--private-key",
    ("defaults", "timeout"): "ansible_timeout",
    ("defaults", "transport"): "ansible_connection",
    ("defaults", "interpreter_python"): "ansible_python_interpreter",
    ("defaults", "ask_pass"): "-k",
    ("defaults", "host_key_checking"): "--accept-new-host-keys",
    ("defaults", "connection_password_file"): "--connection-password-file",
    ("defaults", "become_password_file"): "--become-password-file",
    ("defaults", "ask_vault_pass"): "--ask-vault-pass",
    ("defaults", "vault_password_file"): "--vault-password-file",
    ("defaults", "vault_identity_list"): "--vault-id",
    ("privilege_escalation", "become"): "-b",
    ("privilege_escalation", "become_user"): "--become-user",
    ("privilege_escalation", "become_ask_pass"): "-K",
    ("privilege_escalation", "become_method"): "ansible_become_method",
    ("privilege_escalation", "become_exe"): "ansible_become_exe",
    ("privilege_escalation", "become_flags"): "ansible_become_flags",
    ("connection", "retries"): "--retries",
    ("ssh_connection", "ssh_args"): "ansible_ssh_args",
    ("ssh_connection", "ssh_common_args"): "ansible_ssh_common_args",
    ("ssh_connection", "ssh_extra_args"): "ansible_ssh_extra_args",
    ("ssh_connection", "ssh_executable"): "the environment variable PATH",
    ("ssh_connection", "retries"): "--retries",
    ("ssh_connection", "timeout"): "ansible_timeout",
    ("ssh_connection", "host_key_checking"): "--accept-new-host-keys",
    ("ssh_connection", "pkcs11_provider"): "an ssh agent",
    ("paramiko_connection", "remote_user"): "-u",
    ("paramiko_connection", "remote_port"): "ansible_port",
    ("paramiko_connection", "private_key_file"): "--private-key",
    ("paramiko_connection", "proxy_command"): "ansible_ssh_common_args",
    ("paramiko_connection", "timeout"): "ansible_timeout",
    ("paramiko_connection", "host_key_checking"): "--accept-new-host-keys",
    ("paramiko_connection", "host_key_auto_add"): "--accept-new-host-keys",
    **{(section, "user"): "--become-user" for section in _BECOME_PLUGINS},
    **{(section, "executable"): "ansible_become_exe" for section in _BECOME_PLUGINS},
    **{(section, "flags"): "ansible_become_flags" for section in _BECOME_PLUGINS},
    **{(section, "password"): "-K" for section in _BECOME_PLUGINS},
}
"""Ansible's settings for connections, sudo and passwords, and what scimconf has instead."""

_USUAL = {
    "timeout": {"10"},
    "transport": {"ssh", "smart", "paramiko", "paramiko_ssh"},
    "interpreter_python": {"auto", "auto_silent", "auto_legacy", "auto_legacy_silent"},
    "become_user": {"root"},
    "become_method": {"sudo"},
    "become_exe": {"sudo"},
    "become_flags": {"-h -s -n"},
    "ssh_executable": {"ssh"},
    "remote_port": {"22"},
    "host_key_checking": _ON,
}
"""Values, in lower case, that change nothing; for the other settings, those in _OFF."""

_OF_VAULT = ("vault_password_file", "vault_identity_list", "ask_vault_pass")


def warnings(folders: Iterable[Path]) -> list[Problem]:
    """Return a warning for each ansible.cfg in these folders with settings that matter here."""
    return [_warning(path, settings) for path, settings in _all_settings(folders)]


def _warning(path: Path, settings: list[tuple[str, str]]) -> Problem:
    named = ", ".join(dict.fromkeys(map(_shown, settings)))
    others = dict.fromkeys(_INSTEAD[each] for each in settings)
    options = [each for each in others if not each.startswith("ansible_")]
    variables = [each for each in others if each not in options]
    if options and not variables:
        hint = f"use {', '.join(options)}, or variables of the inventory"
    else:
        hint = f"in the inventory, use {', '.join(variables)}"
        hint = f"use {', '.join(options)}; {hint}" if options else hint
    return Problem(f"scimconf reads only `inventory` from {path}; it ignores {named}", hint=hint)


def _shown(setting: tuple[str, str]) -> str:
    section, name = setting
    return name if section in _MAIN else f"{name} of [{section}]"


def vault_note(folders: Iterable[Path]) -> str:
    """Return a sentence about settings for vault passwords in ansible.cfg; "" without any."""
    for path, settings in _all_settings(folders):
        if found := [name for _, name in settings if name in _OF_VAULT]:
            return f"scimconf ignores {', '.join(found)} of {path}"
    return ""


def inventory(path: Path) -> str | None:
    """Return the setting `inventory` as it is written in this ansible.cfg."""
    return _parsed(path).get("defaults", "inventory", fallback=None) if path.is_file() else None


def _all_settings(folders: Iterable[Path]) -> list[tuple[Path, list[tuple[str, str]]]]:
    """Return each ansible.cfg in these folders, with its settings that matter here."""
    files = {(folder / "ansible.cfg").absolute(): folder / "ansible.cfg" for folder in folders}
    found = [(path, _settings(path)) for path in files.values() if path.is_file()]
    return [(path, settings) for path, settings in found if settings]


def _settings(path: Path) -> list[tuple[str, str]]:
    parser = _parsed(path)
    return [
        (section, name)
        for section, name in _INSTEAD
        if parser.has_option(section, name)
        and _matters(name, (parser.get(section, name) or "").strip().strip("\"'"))
    ]


def _matters(name: str, value: str) -> bool:
    if name in _SSH_WORDS:
        return _changes_ssh(value)
    if name not in _USUAL:
        return value.lower() not in _OFF
    return bool(value) and value.lower() not in _USUAL[name]


def _changes_ssh(text: str) -> bool:
    """Return True if options for ssh contain more than such as have no effect in scimconf."""
    try:
        return arguments.parse(shlex.split(text)) != arguments.Arguments()
    except ValueError:
        return True


def _parsed(path: Path) -> RawConfigParser:
    """Return the parsed file; a file that cannot be read counts as empty."""
    parser = RawConfigParser(strict=False, allow_no_value=True, inline_comment_prefixes=(";",))
    with suppress(ConfigError, InventoryError):
        parser.read_string(read_text(path))
    return parser
