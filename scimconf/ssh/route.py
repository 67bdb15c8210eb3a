"""Where a connection goes, and with what: the inventory first, then the user's ssh_config."""

from __future__ import annotations

import getpass
import os
import re
import shutil
import socket
from collections.abc import Callable
from dataclasses import dataclass, replace

from scimconf import consent
from scimconf.errors import HostError
from scimconf.model import Connection, WayFact
from scimconf.ssh import arguments, ssh_config
from scimconf.ssh.algorithms import ALL, Algorithms, narrowed, without_defaults
from scimconf.ssh.arguments import Arguments
from scimconf.ssh.inference import Inference
from scimconf.ssh.ssh_config import Question, Settings, Tokens

_MOST_JUMPS = 8
_LONGEST_TIMEOUT = 3600.0
"""Seconds, as ansible_timeout has it: an inventory may say ConnectTimeout, too."""
_FAMILIES = {"inet": socket.AF_INET, "inet6": socket.AF_INET6}
_METHODS = {
    "publickey": "pubkeyauthentication",
    "keyboard-interactive": "kbdinteractiveauthentication",
    "password": "passwordauthentication",
}

_BY_SSH = "as ssh -G has it"

Ask = Callable[[Question], Settings]
_inference = Inference(ssh_config.run)


@dataclass(frozen=True, slots=True)
class Route:
    """A server's address, and what the user's configuration says about it."""

    host: str
    port: int
    user: str
    name: str
    """Under which known_hosts files know the server: its host, `[host]:port`, or an alias."""
    known_hosts: tuple[str, ...]
    """Files in the order in which they are searched; a new key goes into the first."""
    identity_file: str | None
    """The private key that the inventory names: only this one is tried."""
    identity_files: tuple[str, ...]
    """Where keys may be, if the inventory names none."""
    identities_only: bool
    """Whether keys that only the ssh agent has are left out."""
    ssh_agent: str | None
    """The socket of the ssh agent."""
    timeout: float
    """Seconds for the connection to stand, and again for logging in."""
    principal: str = ""
    """The name that a host certificate has to hold."""
    certificate_files: tuple[str, ...] = ()
    methods: frozenset[str] = frozenset(_METHODS)
    """The ways to log in that may be tried, by their names in SSH."""
    alive_interval: float = 0.0
    """Seconds between messages that keep the connection alive; 0: none."""
    alive_count: int = 3
    """How many of them may stay without an answer."""
    family: int = socket.AF_UNSPEC
    bind_address: str | None = None
    jump: Route | None = None
    """The host that the connection goes through."""
    proxy_command: str | None = None
    """The command whose stdin and stdout are the connection, for the user's shell."""
    is_jump: bool = False
    """Whether it is only passed through."""
    algorithms: Algorithms = ALL
    revoked_host_keys: str | None = None
    """A file of host keys that are never accepted."""


def find_route(connection: Connection, *, allow_exec: bool = False) -> Route:
    """Give the way to a server. Raises HostError if ssh_config cannot be used for it.

    `allow_exec` lets the inventory name programs (its own ProxyCommand or ssh_config).
    """
    return resolve(connection, _ask, allow_exec=allow_exec)


def _ask(question: Question) -> Settings:
    ssh_config.check(question)
    ssh = shutil.which("ssh")
    if ssh is not None:
        settings = _inference.ask(ssh, question)
        usual = ssh_config.defaults(ssh)
        ssh_config.check_followed(settings, usual, question.host)
        return without_defaults(settings, usual)
    if question.words:
        raise HostError(
            "connect",
            "the inventory has options for ssh, and there is no ssh here to read them",
            "install OpenSSH's client, or leave out ansible_ssh_common_args",
        )
    return Settings()


def resolve(connection: Connection, ask: Ask, *, allow_exec: bool = False) -> Route:
    """Put the inventory's words over those of ssh_config, which `ask` tells."""
    try:
        given = arguments.parse(connection.ssh_arguments)
    except arguments.ArgumentsError as error:
        raise HostError("connect", f"ansible_ssh_common_args (or the like): {error}") from error
    if given.programs and not allow_exec:
        raise HostError(
            "connect",
            f"ansible_ssh_common_args (or the like) has {' '.join(given.programs)!r}, which can "
            "run programs on this machine",
            f"if you trust the inventory with that, add {consent.option('proxy')}; or put it into "
            "your ssh_config, or use ProxyJump",
        )
    question = Question(
        connection.host, connection.port, connection.user, (*given.options, *given.programs)
    )
    route = _Resolver(ask).route(question, given, connection.timeout)
    if connection.private_key is None:
        return route
    tokens = Tokens(route.host, connection.host, route.port, route.user, route.principal)
    return replace(route, identity_file=tokens.path(connection.private_key))


def reached(connection: Connection, route: Route, address: str) -> tuple[WayFact, ...]:
    """Return what is on the route and not in the inventory's own words, for people to read.

    `address`: the IP address that the connection ended at, "" if nobody knows.
    """
    facts = []
    if route.host != connection.host:
        facts.append(("goes to", route.host, _BY_SSH))
    if connection.port is None:
        facts.append(("goes to", f"port {route.port}", _BY_SSH))
    if address and address != route.host:
        facts.append(("goes to", address, "from the name server"))
    if connection.user is None:
        facts.append(("logs in as", route.user, _BY_SSH))
    jump = route.jump
    while jump:
        facts.append(("through", f"{jump.user}@{jump.host} port {jump.port}", _BY_SSH))
        jump = jump.jump
    if route.proxy_command:
        facts.append(("runs here", route.proxy_command, _BY_SSH))
    return tuple(WayFact(*fact, bound=False) for fact in facts)


class _Resolver:
    """Follows the way from host to host, and notices a circle."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._passed: list[str] = []

    def route(self, question: Question, given: Arguments, timeout: float) -> Route:
        settings = self._ask(question)
        one = settings.one
        host = one("hostname") or question.host
        port = question.port or int(one("port") or 22)
        user = question.user or one("user") or getpass.getuser()
        alias = (one("hostkeyalias") or host).lower()
        tokens = Tokens(host, question.host, port, user, alias)
        revoked = one("revokedhostkeys")
        files = [
            word
            for key in ("userknownhostsfile", "globalknownhostsfile")
            for value in settings.all(key)
            for word in value.split()
        ]
        here = Route(
            host=host,
            port=port,
            user=user,
            name=alias if port == 22 or one("hostkeyalias") else f"[{alias}]:{port}",
            principal=alias,
            known_hosts=tuple(tokens.own_path(word) for word in files if word != "none"),
            identity_file=None,
            identity_files=tuple(map(tokens.own_path, settings.all("identityfile"))),
            certificate_files=tuple(map(tokens.own_path, settings.all("certificatefile"))),
            identities_only=one("identitiesonly") == "yes",
            ssh_agent=_ssh_agent(next(iter(settings.all("identityagent")), ""), tokens),
            methods=_methods(settings),
            timeout=max(timeout, min(settings.seconds("connecttimeout"), _LONGEST_TIMEOUT)),
            alive_interval=settings.seconds("serveraliveinterval"),
            alive_count=int(one("serveralivecountmax") or 3),
            family=_FAMILIES.get(one("addressfamily") or "", socket.AF_UNSPEC),
            bind_address=one("bindaddress"),
            algorithms=narrowed(settings, question.host),
            revoked_host_keys=tokens.own_path(revoked) if revoked else None,
        )
        return self._around(here, tokens, settings, given)

    def _around(self, here: Route, tokens: Tokens, settings: Settings, given: Arguments) -> Route:
        """Add the jump host or the command that the connection goes through, if there is one."""
        if given.jump:
            user, _, host = tokens.expand(given.jump.host).rpartition("@")
            return self._through(here, host, user, given.jump.arguments)
        if hops := settings.one("proxyjump"):
            before, _, last = hops.rpartition(",")
            user, host, port = _spec(last)
            # As ssh does it: the last is asked for by the name that is given here, with the
            # others before it; the options of the connection itself are not its own.
            words = ("-o", f"ProxyJump={before}") if before else ()
            return self._through(here, host, user, Arguments(words, _file(given.programs)), port)
        if command := settings.one("proxycommand"):
            return replace(here, proxy_command=tokens.command(command))
        return here

    def _through(
        self, here: Route, host: str, user: str, given: Arguments, port: int | None = None
    ) -> Route:
        self._passed.append(host)
        if len(self._passed) > _MOST_JUMPS:
            raise HostError(
                "connect",
                f"the way to the server goes through over {_MOST_JUMPS} jump hosts: "
                + ", ".join(self._passed[-3:]),
                "does a jump host of your ssh_config lead to itself (Host *)? Give it "
                "`ProxyJump none`",
            )
        question = Question(host, port, user or None, (*given.options, *given.programs))
        jump = self.route(question, given, here.timeout)
        return replace(here, jump=replace(jump, is_jump=True))


def _file(programs: tuple[str, ...]) -> tuple[str, ...]:
    """Give the -F of a command line: ssh hands it on to its jump hosts."""
    where = programs.index("-F") if "-F" in programs else len(programs)
    return programs[where : where + 2]


def _spec(text: str) -> tuple[str, str, int | None]:
    """Give user, host and port of a jump host: `[user@]host[:port]` or `ssh://...`."""
    user, _, place = text.removeprefix("ssh://").removesuffix("/").rpartition("@")
    found = re.fullmatch(r"(?:\[(.+)\]|([^:\[\]]+))(?::(\d+))?", place)
    if not found:
        raise HostError("connect", f"{text!r} is no jump host (ProxyJump)")
    return user, found[1] or found[2], int(found[3]) if found[3] else None


def _methods(settings: Settings) -> frozenset[str]:
    preferred = settings.one("preferredauthentications")
    among = preferred.split(",") if preferred else _METHODS
    return frozenset(
        method
        for method, keyword in _METHODS.items()
        if method in among and settings.one(keyword) not in ("no", "false")
    )


def _ssh_agent(value: str, tokens: Tokens) -> str | None:
    if value == "none":
        return None
    if value in ("", "SSH_AUTH_SOCK"):
        return os.environ.get("SSH_AUTH_SOCK")
    if value.startswith("$"):
        return os.environ.get(value[1:].strip("{}"))
    return tokens.own_path(value)
