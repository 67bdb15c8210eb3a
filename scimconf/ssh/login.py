"""Log in: try keys and passwords in order, and report what was tried."""

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
    """The server closed the connection after several keys, and there are more to try."""


class Login:
    """The login at one server.

    A server closes the connection after a few wrong keys (sshd's MaxAuthTries). `run` then raises
    CutOffError. Call it again with a new connection; it continues with the next key.
    """

    def __init__(self, route: Route, credentials: Credentials) -> None:
        self._route = route
        self._credentials = credentials
        self._answers = Answers(self._who, credentials.password, credentials.ask)
        self._had_password = self._answers.has_any
        self._tried: list[str] = []
        self._shown: set[bytes] = set()
        self._not_used: dict[str, str] = {}
        self._offered: Sequence[str] = ()
        self._is_incomplete = False
        self._cut_offs = 0
        self._keys_done = False

    def run(self, transport: paramiko.Transport) -> None:
        """Log in with keys, then with the password. Raises Unreachable if both are rejected."""
        if not self._keys_done and self._with_keys(transport):
            return
        if self._answers.has_any and self._with_answers(transport):
            return
        # paramiko returns the accepted methods only if the tried method is not one of them.
        if not self._offered and self._ask_for_methods(transport):
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
                if weakness := self._weakness(shown):
                    self._not_used[name] = weakness
                    continue
                if self._try(transport, name, partial(self._offer, transport, key)):
                    return True
                if self._is_incomplete:
                    break
        self._keys_done = True
        return False

    def _weakness(self, shown: bytes) -> str | None:
        bits = certificate.rsa_bits(shown)
        least = self._route.algorithms.least_rsa
        if bits is None or bits >= least:
            return None
        return f"it is an RSA key of {bits} bits, and {least} are required"

    def _offer(self, transport: paramiko.Transport, key: Key) -> Sequence[str]:
        return list(transport.auth_publickey(self._route.user, key))

    def _load(self, file: str) -> paramiko.PKey | None:
        named = self._route.identity_file is not None
        if not named and not os.path.exists(file):
            if self._route.own_keys:
                self._not_used[file] = "this file does not exist"
            return None
        try:
            return keys.load(file, self._credentials.passphrase)
        except UnusableKeyError as problem:
            if named and not self._answers.has_any:
                raise self._no_key(file, problem) from problem
            self._not_used[file] = str(problem)
            return None

    def _with_answers(self, transport: paramiko.Transport) -> bool:
        if not self._offered and self._ask_for_methods(transport):
            return True
        for method in self._question_methods():
            if self._try(transport, method, partial(self._answer_questions, transport, method)):
                return True
            if not (self._answers.has_any or (self._is_incomplete and self._answers.has_more)):
                return False
        return False

    def _question_methods(self) -> Iterator[str]:
        """Return the methods one by one; after a success, the server's new list counts.

        keyboard-interactive comes first if a person is there to answer, as in ssh: a server uses it
        for a second question (a code).
        """
        order = ["keyboard-interactive", "password"]
        if self._credentials.ask is None:
            order.reverse()
        done: set[str] = set()
        while True:
            possible = self._route.methods.intersection(self._offered).difference(done)
            method = next((each for each in order if each in possible), None)
            if method is None:
                return
            done.add(method)
            yield method

    def _answer_questions(self, transport: paramiko.Transport, method: str) -> Sequence[str]:
        user = self._route.user
        if method == "keyboard-interactive":
            return list(transport.auth_interactive(user, self._answers.reply))
        password = self._answers.password()
        if password is None:
            return self._offered
        # paramiko's fallback would answer every question with the password.
        return list(transport.auth_password(user, password.reveal(), fallback=False))

    def _ask_for_methods(self, transport: paramiko.Transport) -> bool:
        return self._try(transport, "", partial(transport.auth_none, self._route.user))

    def _try(
        self, transport: paramiko.Transport, name: str, attempt: Callable[[], Sequence[str]]
    ) -> bool:
        self._tried += [name] if name else []
        try:
            further_methods = attempt()
        except UnansweredError as question:
            raise self._unanswered(str(question)) from question
        except paramiko.BadAuthenticationType as error:
            self._offered = error.allowed_types
        except (paramiko.SSHException, EOFError, OSError) as error:
            if not transport.is_active():
                raise self._closed() from error
            if not isinstance(error, paramiko.AuthenticationException):
                self._not_used[name] = one_line(str(error), 120)
        else:
            self._offered = further_methods
            self._is_incomplete = bool(further_methods)
            return not further_methods
        return False

    @property
    def _who(self) -> str:
        return f"{self._route.user} at {self._route.shown}"

    def _no_key(self, file: str, problem: UnusableKeyError) -> Unreachable:
        return Unreachable(
            "log in",
            f"the private key {file} cannot be used: {problem}",
            "check ansible_ssh_private_key_file or --private-key; a key with a passphrase can be "
            "loaded into the ssh agent (ssh-add)",
        )

    def _closed(self) -> Unreachable:
        self._cut_offs += 1
        may_continue = (
            self._tried and not self._is_incomplete and self._cut_offs < _MOST_CONNECTIONS
        )
        kind = CutOffError if may_continue else Unreachable
        return kind(
            "log in",
            f"the server closed the connection during the login of {self._who}, after "
            f"{_listed(self._tried)}",
            "if too many keys were tried (MaxAuthTries), name the right one with "
            + _how_to_name_a_key(self._route),
        )

    def _unanswered(self, question: str) -> Unreachable:
        return Unreachable(
            "log in",
            f"the server asks {self._who} for more than a password: {question}",
            "run on a terminal with -k to answer it, or log in with a key alone",
        )

    def _refused(self) -> Unreachable:
        tried = f"tried: {_listed(self._tried)}" if self._tried else "there was no key to try"
        offered = one_line(", ".join(self._offered), 120)
        if self._is_incomplete:
            message = f"the login of {self._who} is incomplete: the server also asks for {offered}"
            message += f" ({tried})"
        else:
            message = f"the server rejected the login of {self._who}; {tried}"
            message += f"; the server accepts {offered}" if self._offered else ""
        if self._not_used:
            why = (f"{name}: {reason}" for name, reason in self._not_used.items())
            message += f"; not used: {'; '.join(why)}"
        return Unreachable(
            "log in",
            message,
            f"on the server, check ~{self._route.user}/.ssh/authorized_keys; or name another key "
            f"with {_how_to_name_a_key(self._route)}, or "
            + ("check the password" if self._had_password else "use -k for a password"),
        )


def _how_to_name_a_key(route: Route) -> str:
    # The inventory's key options are for the server only, as -i of ssh is.
    if route.is_jump:
        return f"IdentityFile and IdentitiesOnly for {route.shown} in {route.config}"
    return "--private-key (ansible_ssh_private_key_file)"


def _listed(names: Sequence[str]) -> str:
    shown = list(names[:6])
    return ", ".join(shown) + (f" and {len(names) - 6} more" if len(names) > 6 else "")
