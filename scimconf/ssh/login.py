"""Logging in: which keys and passwords are tried, in which order, and what to say if none fits."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import paramiko  # type: ignore[import-untyped]

from scimconf.errors import Unreachable
from scimconf.foreign import one_line
from scimconf.ssh import keys
from scimconf.ssh.keys import UnusableKeyError
from scimconf.ssh.options import Credentials
from scimconf.ssh.route import Route


class Login:
    """One attempt to be let in by a server, method after method."""

    def __init__(self, transport: paramiko.Transport, route: Route) -> None:
        self._transport = transport
        self._route = route
        self._tried: list[str] = []
        self._left_out: list[str] = []
        self._offered: Sequence[str] = ()
        self._half_in = False

    def run(self, credentials: Credentials) -> None:
        """Log in with keys, then with the password. Raises Unreachable if nothing fits."""
        with keys.agent_keys(self._route.ssh_agent) as held:
            for name, key in self._keys(held, credentials):
                if self._offered and "publickey" not in self._offered:
                    break
                if self._try(name, partial(self._transport.auth_publickey, self._route.user, key)):
                    return
                if self._half_in:
                    break
        password = credentials.password
        if password is not None and self._try(
            "password",
            # Where a server has no "password" but "keyboard-interactive" (PAM), paramiko answers
            # its one question with the password.
            lambda: self._transport.auth_password(self._route.user, password.reveal()),
        ):
            return
        # paramiko tells what a server takes only where what was tried is not among it.
        if not self._offered and self._try(
            "", partial(self._transport.auth_none, self._route.user)
        ):
            return
        raise self._refused(password is not None)

    def _keys(
        self, held: Sequence[paramiko.PKey], credentials: Credentials
    ) -> Iterator[tuple[str, paramiko.PKey]]:
        route = self._route
        named = route.identity_file is not None
        files = (route.identity_file,) if route.identity_file else route.identity_files
        by_blob = {key.asbytes(): key for key in held}
        # A key file that the agent holds too is signed for by the agent: no passphrase needed.
        by_file = {file: by_blob.pop(keys.public_blob(file) or b"", None) for file in files}
        if not named and not route.identities_only:
            for key in by_blob.values():
                yield f"ssh agent's key {key.comment or key.fingerprint}", key
        for file, in_agent in by_file.items():
            if not named and in_agent is None and not os.path.exists(file):
                continue
            try:
                yield f"key {file}", in_agent or keys.load(file, credentials.passphrase)
            except UnusableKeyError as problem:
                if named and credentials.password is None:
                    raise self._no_key(file, problem) from problem
                self._left_out.append(f"{file}: {problem}")

    def _try(self, name: str, attempt: Callable[[], Sequence[str]]) -> bool:
        self._tried += [name] if name else []
        try:
            wanted_too = attempt()
        except paramiko.BadAuthenticationType as error:
            self._offered = error.allowed_types
        except paramiko.AuthenticationException as error:
            if not self._transport.is_active():
                raise self._cut_off() from error
        except (paramiko.SSHException, EOFError, OSError) as error:
            if not self._transport.is_active():
                raise self._cut_off() from error
            self._left_out.append(f"{name}: {one_line(str(error), 120)}")
        else:
            self._offered = wanted_too
            self._half_in = bool(wanted_too)
            return not wanted_too
        return False

    @property
    def _who(self) -> str:
        return f"{self._route.user} at {self._route.name}"

    def _no_key(self, file: str, problem: UnusableKeyError) -> Unreachable:
        return Unreachable(
            "log in",
            f"the private key {file} cannot be used: {problem}",
            "check ansible_ssh_private_key_file or --private-key; a key with a passphrase can be "
            "held by ssh-agent (ssh-add)",
        )

    def _cut_off(self) -> Unreachable:
        return Unreachable(
            "log in",
            f"the server closed the connection while {self._who} was logging in, after "
            f"{_listed(self._tried)}",
            "too many keys tried (MaxAuthTries)? Name the right one: ansible_ssh_private_key_file",
        )

    def _refused(self, had_password: bool) -> Unreachable:
        tried = f"tried: {_listed(self._tried)}" if self._tried else "there was no key to try"
        offered = one_line(", ".join(self._offered), 120)
        if self._half_in:
            message = f"{self._who} is half in: the server asks for {offered} too ({tried})"
        else:
            message = f"{self._who} was not let in; {tried}"
            message += f"; the server takes {offered}" if self._offered else ""
        if self._left_out:
            message += f"; not used: {'; '.join(self._left_out)}"
        return Unreachable(
            "log in",
            message,
            f"is the key in ~{self._route.user}/.ssh/authorized_keys there? Name another key "
            "with --private-key, or " + ("check the password" if had_password else "use -k"),
        )


def _listed(names: Sequence[str]) -> str:
    shown = list(names[:6])
    return ", ".join(shown) + (f" and {len(names) - 6} more" if len(names) > 6 else "")
