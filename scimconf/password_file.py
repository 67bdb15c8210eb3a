"""Read a password from a file, or from the output of a program, by Ansible's rules.

The rules are those of ansible-core 2.19: parsing/vault/__init__.py (FileVaultSecret,
ScriptVaultSecret, ClientScriptVaultSecret) and cli/__init__.py (get_password_from_file). A file
with an executable bit is a program. White space around the password in a file is not part of it; of
the output of a program, only line breaks at both ends are left out.
"""

from __future__ import annotations

import errno
import os
import shlex
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from scimconf import git_index
from scimconf.errors import UsageError
from scimconf.secret import Secret

_MOST = 64 * 1024
"""Bytes."""
_UNKNOWN_ID_STATUS = 2
"""Ansible's ClientScriptVaultSecret.VAULT_ID_UNKNOWN_RC."""
_EXECUTABLE = stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH
_TRACKED = "git may track it, so somebody else may have written it"
_LINE_BREAKS = b"\r\n"
_NO_PROGRAM = (errno.ENOEXEC, errno.EACCES, errno.EPERM)


def read_vault_password(path: Path, vault_id: str | None = None) -> Secret:
    """Return the vault password that a file contains or a program prints.

    `vault_id`: the argument for a program whose name ends in -client. A password need not be UTF-8:
    other bytes become surrogates, which `vault` turns back. Raises UsageError.
    """
    what = "vault password"
    password = _checked(_content(path, what, vault_id), path, what)
    if password.startswith(b"$ANSIBLE_VAULT;"):
        raise UsageError(f"the {what} file {path} is itself encrypted")
    return Secret(password.decode(errors="surrogateescape"))


def read_login_password(path: Path, what: str) -> Secret:
    """Return the SSH or sudo password that a file contains or a program prints. "-" is stdin.

    `what` names the password in errors. Raises UsageError.
    """
    content = _stdin(what) if str(path) == "-" else _content(path, what)
    try:
        return Secret(_checked(content, path, what).decode())
    except UnicodeDecodeError:
        raise UsageError(f"the {what} file {path} is not UTF-8 text") from None


def read_own_vault_password(path: Path) -> Secret:
    """Return the password in a file that nobody named; never run it.

    Only a regular file of this user is accepted that no other user can read or write and that git
    does not track: a branch of somebody else may contain one. Raises UsageError with the reason.
    """
    content = _own_content(path, _not_used)
    password = _checked(content.strip(), path, "vault password")
    return Secret(password.decode(errors="surrogateescape"))


def read_own_list(path: Path) -> str:
    """Return the text of a list of the operator's. Raises UsageError as `read_own_vault_password`.

    The mode alone proves nothing: with umask 077, git makes files with mode 0600, too. An archive
    of somebody else can still contain such a file (docs/security.md).
    """

    def not_used(path: Path, reason: str) -> UsageError:
        fix = f"chmod 600 {shlex.quote(str(path))}" if "mode" in reason else "write it yourself"
        if reason == _TRACKED:
            fix = f"git rm --cached {shlex.quote(str(path))}; or list the hosts with --idp-host"
        return UsageError(f"{path} is not used: {reason}", f"if you know its content: {fix}")

    content = _own_content(path, not_used)
    if len(content) > _MOST:
        raise UsageError(f"{path} is larger than {_MOST // 1024} KiB")
    return content.decode(errors="replace")


def _own_content(path: Path, not_used: Callable[[Path, str], UsageError]) -> bytes:
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        with open(os.open(path, flags), "rb") as file:
            reason = _why_not_own(os.fstat(file.fileno()))
            if reason := reason or (_TRACKED if git_index.has(path) else ""):
                raise not_used(path, reason)
            return file.read(_MOST + 1)
    except OSError as error:
        is_link = error.errno == errno.ELOOP
        raise not_used(path, "it is a link" if is_link else str(error.strerror)) from None


def _why_not_own(status: os.stat_result) -> str:
    if not stat.S_ISREG(status.st_mode):
        return "it is not a regular file"
    if status.st_uid != os.geteuid():
        return "it belongs to another user"
    if status.st_mode & 0o7177:
        return f"its mode is {stat.S_IMODE(status.st_mode):04o}, not 0600"
    return ""


def _not_used(path: Path, reason: str) -> UsageError:
    quoted = shlex.quote(str(path))
    return UsageError(
        f"a vault password is needed, and {path} is not used without an option: {reason}",
        f"if it is yours: chmod 600 {quoted}; or name it: --vault-password-file {quoted}"
        if "mode" in reason
        else f"if it is yours, name it: --vault-password-file {quoted}",
    )


def _checked(password: bytes, path: Path, what: str) -> bytes:
    if len(password) > _MOST:
        raise UsageError(f"the {what} file {path} is larger than {_MOST // 1024} KiB")
    if not password:
        raise UsageError(f"the {what} file {path} contains no password")
    return password


def _content(path: Path, what: str, vault_id: str | None = None) -> bytes:
    try:
        status = path.stat()
        if stat.S_ISREG(status.st_mode) and status.st_mode & _EXECUTABLE:
            return _output(path, what, vault_id).strip(_LINE_BREAKS)
        with path.open("rb") as file:
            return file.read(_MOST + 1).strip()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a valid file name"
        raise UsageError(f"cannot read the {what} file {path}: {reason}") from None


def _output(path: Path, what: str, vault_id: str | None) -> bytes:
    is_client = vault_id is not None and path.stem.endswith("-client")
    words = [str(path.absolute()), *(("--vault-id", vault_id) if is_client and vault_id else ())]
    try:
        # stderr and stdin stay connected to the terminal, for programs that say "touch your key".
        done = subprocess.run(words, stdout=subprocess.PIPE, check=False, env=_environment())
    except OSError as error:
        raise _not_started(path, what, error) from None
    if is_client and done.returncode == _UNKNOWN_ID_STATUS:
        raise UsageError(f"the {what} program {path} does not know the vault id {vault_id}")
    if done.returncode:
        raise UsageError(f"the {what} program {path} exited with status {done.returncode}")
    return done.stdout


def _environment() -> dict[str, str]:
    """Return this process's environment without the credentials of identity providers.

    `run.start` takes them out for the verbs that read an inventory. `token rekey` does not.
    """
    return {name: os.environ[name] for name in os.environ if not name.startswith("SCIMCONF_IDP_")}


def _not_started(path: Path, what: str, error: OSError) -> UsageError:
    quoted = shlex.quote(str(path))
    if error.errno == errno.ENOENT:
        return UsageError(
            f"the {what} file {path} is executable, and the program in its #! line does not exist",
            f"correct the first line (a carriage return may end it), or: chmod -x {quoted}",
        )
    return UsageError(
        f"the {what} file {path} is executable, but it cannot be run: {error.strerror}",
        f"if it contains the password: chmod -x {quoted}; if it is a program, give it a #! line"
        if error.errno in _NO_PROGRAM
        else f"if it contains the password: chmod -x {quoted}",
    )


def _stdin(what: str) -> bytes:
    if sys.stdin.isatty():
        raise UsageError(
            f"the {what} would be visible while you type it",
            "to type it, use the option that asks: -k for SSH, -K for sudo",
        )
    return sys.stdin.buffer.read(_MOST + 1).strip(_LINE_BREAKS)
