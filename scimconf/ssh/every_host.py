"""Whether the answer of `ssh -G` for one host holds for every other host, too.

Asking ssh takes 5 ms of processor time, nearly half of what a server costs the controller. Most
ssh_configs say the same of all hosts: they have no `Match`, no `HostName`, no `Host` but `Host *`,
and no token such as %h. Then ssh is asked once for many hosts. What is not certain counts as a no.
"""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path

_READING = re.compile(r"^debug1: Reading configuration data (.+?)\r?$", re.MULTILINE)
"""A line of `ssh -v` for each file that it reads, the included ones among them."""
_USUAL = "/etc/ssh/ssh_config"
_NAME = re.compile(r"(?=.*[a-z])[a-z0-9]([a-z0-9.-]*[a-z0-9])?")
"""The hosts that ssh prints as they are. It writes others in another way, such as in lower case."""
_MOST = 1 << 20
_KEYWORD = re.compile(r"\s*([A-Za-z]+)[\s=]+(.*?)\s*")
_HARMLESS = re.compile(r"\s*(#.*)?")


def is_plain(host: str) -> bool:
    """Return True for a host that ssh prints as it is."""
    try:
        return str(ipaddress.IPv4Address(host)) == host
    except ValueError:
        return _NAME.fullmatch(host) is not None


def holds(said: str) -> bool:
    """Return whether the files that ssh has read say the same of every host.

    `said`: the complete stderr of `ssh -v -G`.
    """
    files = _READING.findall(said)
    if "OpenSSH_" not in said or (not files and Path(_USUAL).exists()):
        return False  # this is not OpenSSH, or it does not tell what it reads
    return all(map(_says_the_same, files))


def _says_the_same(file: str) -> bool:
    try:
        with open(file, "rb") as stream:
            data = stream.read(_MOST + 1)
        lines = data.decode().split("\n")  # not at a form feed, which ends no line for ssh
    except (OSError, UnicodeDecodeError):
        return False
    return len(data) <= _MOST and all(map(_is_general, lines))


def _is_general(line: str) -> bool:
    if _HARMLESS.fullmatch(line):
        return True
    found = _KEYWORD.fullmatch(line)
    if not found or "%" in line:
        return False
    keyword = found[1].lower()
    if keyword == "host":
        return found[2] == "*"
    return keyword not in ("match", "hostname") and not keyword.startswith("canonical")
