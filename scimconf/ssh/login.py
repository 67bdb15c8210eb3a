"""Logging in: which keys and passwords are tried, in which order, and what to say if none fits."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import paramiko  # type: ignore[import-untyped]

from scimconf.errors import Unreachable
from scimconf.sanitize import one_line
from scimconf.ssh import certificate, keys
from scimconf.ssh.answers import Answers, UnansweredError
from scimconf.ssh.candidates import Key, candidates
from scimconf.ssh.keys import UnusableKeyError
from scimconf.ssh.options import Credentials
from scimconf.ssh.route import Route

_MOST_CONNECTIONS = 5


class CutOffError(Unreachable):
    """The server closed the connection over the keys that were tried; there are more."""


class Login:
    """The attempt to be let in by a server, method after method.

    A server that has seen enough wrong keys closes the connection (sshd's MaxAuthTries). Then
    `run` raises CutOffError, and may be called again with a new connection: it goes on with the
    next key.
    """

    def __init__(self, route: Route, credentials: Credentials) -> None:
        self._route = route
        self._credentials = credentials
        self._answers = Answers(self._who, credentials.password, credentials.ask)
        self._had_password = self._answers.has_any
        self._tried: list[str] = []
        self._shown: set[bytes] = set()
        self._left_out: dict[str, str] = {}
        self._offered: Sequence[str] = ()
        self._half_in = False
        self._cut_off = 0
        self._keys_done = False

    def run(self, transport: paramiko.Transport) -> None:
        """Log in with keys, then with the password. Raises Unreachable if nothing fits."""
        if not self._keys_done and self._with_keys(transport):
            return
        if self._answers.has_any and self._with_answers(transport):
            return
        # paramiko tells what a server takes only where what was tried is not among it.
        if not self._offered and self._ask_what_it_takes(transport):
            return
        raise self._refused()

    def _with_keys(self, transport: paramiko.Transport) -> bool:
        if "publickey" not in self._route.methods:
            return False
        with keys.agent_keys(self._route.ssh_agent) as held:
            for name, shown, key in candidates(self._route, held, self._load):
                if shown in self._shown:
                    continue
                if self._offered and "publickey" not in self._offered:
                    break
                self._shown.add(shown)
                if weak := self._too_weak(shown):
                    self._left_out[name] = weak
                    continue
                if self._try(transport, name, partial(self._offer, transport, key)):
                    return True
                if self._half_in:
                    break
        self._keys_done = True
        return False

    def _too_weak(self, shown: bytes) -> str:
        bits = certificate.rsa_bits(shown)
        least = self._route.algorithms.least_rsa
        if bits is None or bits >= least:
            return ""
        return f"it is an RSA key of {bits} bits, and {least} are the least"

    def _offer(self, transport: paramiko.Transport, key: Key) -> Sequence[str]:
        return list(transport.auth_publickey(self._route.user, key))

    def _load(self, file: str) -> paramiko.PKey | None:
        named = self._route.identity_file is not None
        if not named and not os.path.exists(file):
            return None
        try:
            return keys.load(file, self._credentials.passphrase)
        except UnusableKeyError as problem:
            if named and not self._answers.has_any:
                raise self._no_key(file, problem) from problem
            self._left_out[file] = str(problem)
            return None

    def _with_answers(self, transport: paramiko.Transport) -> bool:
        if not self._offered and self._ask_what_it_takes(transport):
            return True
        for method in self._ways_to_be_asked():
            if self._try(transport, method, partial(self._be_asked, transport, method)):
                return True
            if not (self._answers.has_any or (self._half_in and self._answers.has_more)):
                return False
        return False

    def _ways_to_be_asked(self) -> Iterator[str]:
        """Give the methods one by one: after a success, what the server wants next counts.

        A server with a second question (a code) asks it by keyboard-interactive; that comes
        first, as ssh has it, where somebody is there to answer.
        """
        order = ["keyboard-interactive", "password"]
        if self._credentials.ask is None:
            order.reverse()
        done: set[str] = set()
        while True:
            able = self._route.methods.intersection(self._offered).difference(done)
            method = next((each for each in order if each in able), None)
            if method is None:
                return
            done.add(method)
            yield method

    def _be_asked(self, transport: paramiko.Transport, method: str) -> Sequence[str]:
        user = self._route.user
        if method == "keyboard-interactive":
            return list(transport.auth_interactive(user, self._answers.reply))
        password = self._answers.password()
        if password is None:
            return self._offered
        # The fallback would answer every question with the password.
        return list(transport.auth_password(user, password.reveal(), fallback=False))

    def _ask_what_it_takes(self, transport: paramiko.Transport) -> bool:
        return self._try(transport, "", partial(transport.auth_none, self._route.user))

    def _try(
        self, transport: paramiko.Transport, name: str, attempt: Callable[[], Sequence[str]]
    ) -> bool:
        self._tried += [name] if name else []
        try:
            wanted_too = attempt()
        except UnansweredError as question:
            raise self._unanswered(str(question)) from question
        except paramiko.BadAuthenticationType as error:
            self._offered = error.allowed_types
        except (paramiko.SSHException, EOFError, OSError) as error:
            if not transport.is_active():
                raise self._closed() from error
            if not isinstance(error, paramiko.AuthenticationException):
                self._left_out[name] = one_line(str(error), 120)
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

    def _closed(self) -> Unreachable:
        self._cut_off += 1
        go_on = self._tried and not self._half_in and self._cut_off < _MOST_CONNECTIONS
        kind = CutOffError if go_on else Unreachable
        return kind(
            "log in",
            f"the server closed the connection while {self._who} was logging in, after "
            f"{_listed(self._tried)}",
            "too many keys tried (MaxAuthTries)? Name the right one: "
            + _how_to_name_a_key(self._route),
        )

    def _unanswered(self, question: str) -> Unreachable:
        return Unreachable(
            "log in",
            f"the server asks {self._who} for more than a password: {question}",
            "run it on a terminal with -k, which asks you, or log in with a key alone",
        )

    def _refused(self) -> Unreachable:
        tried = f"tried: {_listed(self._tried)}" if self._tried else "there was no key to try"
        offered = one_line(", ".join(self._offered), 120)
        if self._half_in:
            message = f"{self._who} is half in: the server asks for {offered} too ({tried})"
        else:
            message = f"{self._who} was not let in; {tried}"
            message += f"; the server takes {offered}" if self._offered else ""
        if self._left_out:
            why = (f"{name}: {reason}" for name, reason in self._left_out.items())
            message += f"; not used: {'; '.join(why)}"
        return Unreachable(
            "log in",
            message,
            f"is the key in ~{self._route.user}/.ssh/authorized_keys there? Name another key "
            f"with {_how_to_name_a_key(self._route)}, or "
            + ("check the password" if self._had_password else "use -k"),
        )


def _how_to_name_a_key(route: Route) -> str:
    # A jump host's key is no business of the inventory's options, as it is none of ssh's -i.
    if route.is_jump:
        return f"IdentityFile and IdentitiesOnly for {route.name} in your ssh_config"
    return "--private-key (ansible_ssh_private_key_file)"


def _listed(names: Sequence[str]) -> str:
    shown = list(names[:6])
    return ", ".join(shown) + (f" and {len(names) - 6} more" if len(names) > 6 else "")
