"""Find the inventory if no `-i` is given: as Ansible does, else by its usual names.

Ansible takes ANSIBLE_INVENTORY, then the setting `inventory` of the first ansible.cfg in this
order: ANSIBLE_CONFIG, the current folder (unless everybody can write to it), the home folder,
/etc/ansible (ansible's config/manager.py, find_ini_config_file).

An ansible.cfg in the current folder, or the one of ANSIBLE_CONFIG, may come from an unread merge
request. It can name only files in its own folder.
"""

from __future__ import annotations

import os
import shlex
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from scimconf.errors import UsageError
from scimconf.inventory import ansible_cfg

NAMES = (
    *("inventory.yaml", "inventory.yml", "hosts.yml", "hosts.yaml"),
    *("hosts.ini", "hosts", "inventory"),
)
"""The usual names of an inventory: files, and the folder inventory/."""
SYSTEM = Path("/etc/ansible/ansible.cfg")


@dataclass(frozen=True, slots=True)
class Found:
    """The sources of the inventory, and what names them."""

    sources: tuple[Path, ...]
    elsewhere: str = ""
    """The ansible.cfg of this user or machine that names them. Empty: anything else."""
    warning: str = ""


def find(folder: Path = Path(), environment: Mapping[str, str] = os.environ) -> Found:
    """Return the inventory of a folder (default: the current one), user or machine.

    Raises UsageError if there is none, if there are two, or if an ansible.cfg names a file that it
    must not name.
    """
    if given := environment.get("ANSIBLE_INVENTORY"):
        return Found(_listed(os.path.expandvars(given), Path(), "ANSIBLE_INVENTORY"))
    if named := environment.get("ANSIBLE_CONFIG"):
        config = Path(os.path.expanduser(named))
        config = config / "ansible.cfg" if config.is_dir() else config
        if os.access(config, os.R_OK):
            return Found(_named_by(config) or _usual(folder))
    own = folder / "ansible.cfg"
    if _is_read(own):
        return Found(_named_by(own) or _usual(folder))
    ignored = _ignored(own)
    for config in (Path(os.path.expanduser("~/.ansible.cfg")), SYSTEM):
        if os.access(config, os.R_OK):
            there = _named_by(config, trusted=True)
            if there:
                _refuse_another(folder, there, config)
                return Found(there, str(config), ignored)
            break
    return Found(_usual(folder, ignored), warning=ignored)


def in_folder(folder: Path) -> tuple[Path, ...]:
    """Return the inventory that a folder has: of its ansible.cfg, or by name. () if it has none.

    Raises UsageError as `find` does.
    """
    config = folder / "ansible.cfg"
    return (_named_by(config) if _is_read(config) else ()) or _one_of(folder)


def _usual(folder: Path, hint: str = "") -> tuple[Path, ...]:
    if there := _one_of(folder):
        return there
    raise UsageError(
        f"no inventory: this folder has no {', '.join(NAMES[:-1])} and no {NAMES[-1]}/",
        hint or "name one with -i, or create one: scimconf init",
    )


def _one_of(folder: Path) -> tuple[Path, ...]:
    there = _present(folder)
    if there[1:]:
        raise _two(there[0], there[1])
    return tuple(there)


def _present(folder: Path) -> list[Path]:
    return [folder / name for name in NAMES if os.path.lexists(folder / name)]


def _refuse_another(folder: Path, named: Sequence[Path], config: Path) -> None:
    """Raise UsageError if the folder has an inventory that this ansible.cfg does not name."""
    known = {path.resolve() for path in named}
    for each in _present(folder):
        if each.resolve() not in known:
            raise _two(each, named[0], f" ({config} names it)")


def _two(one: Path, other: Path, why: str = "") -> UsageError:
    return UsageError(
        f"there are two inventories: {one} and {other}{why}",
        f"name the one to use: -i {shlex.quote(str(one))} or -i {shlex.quote(str(other))}",
    )


def _is_read(config: Path) -> bool:
    """Return True if Ansible would read the ansible.cfg of a folder."""
    return os.access(config, os.R_OK) and not config.parent.stat().st_mode & stat.S_IWOTH


def _ignored(config: Path) -> str:
    """Return a warning about an ansible.cfg that names an inventory and is not read."""
    if os.access(config, os.R_OK) and ansible_cfg.inventory(config):
        return (
            f"{config} was not read, as in Ansible, because everybody can write to its folder; "
            "run chmod o-w ., or name the inventory with -i"
        )
    return ""


def _named_by(config: Path, *, trusted: bool = False) -> tuple[Path, ...]:
    """Return the inventory that an ansible.cfg names; () if it names none.

    Raises UsageError if it does not exist, or if it is outside of the folder of a file that is not
    trusted.
    """
    text = ansible_cfg.inventory(config) or ""
    if trusted:
        return _listed(os.path.expandvars(text), config.parent, str(config))
    top = os.path.realpath(config.parent)
    for word in _words(text):
        path = config.parent / word
        if word.startswith("~") or not Path(os.path.realpath(path)).is_relative_to(top):
            raise UsageError(
                f"{config} names an inventory outside of its folder: {word}",
                "if you trust it, name the inventory yourself with -i: this file may come from "
                "a merge request",
            )
    return _listed(text, config.parent, str(config))


def _listed(text: str, folder: Path, what: str) -> tuple[Path, ...]:
    """Return the paths of a list with commas. Relative paths start in `folder`."""
    words = _words(text)
    for word in words:
        if word == "-" or not os.path.lexists(folder / os.path.expanduser(word)):
            raise UsageError(
                f"the inventory {word} does not exist; {what} names it",
                "correct it, or name the inventory with -i",
            )
    return tuple(folder / os.path.expanduser(word) for word in words)


def _words(text: str) -> list[str]:
    return [word for part in text.split(",") if (word := part.strip())]
