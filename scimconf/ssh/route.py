"""The route to a server: the inventory's settings, then those of the user's ssh_config."""

from __future__ import annotations

import getpass
import os
import re
import shutil
import socket
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from scimconf import consent
from scimconf.errors import HostError
from scimconf.model import Connection, WayFact
from scimconf.ssh import arguments, ssh_config
from scimconf.ssh.algorithms import ALL, Algorithms, narrowed, without_defaults
from scimconf.ssh.ssh_config import (
    Question,
    Settings,
    Tokens,
    file_names,
    file_option,
    hash_in,
    hash_question,
)

_MOST_JUMPS = 8
_LONGEST_TIMEOUT = 3600.0
"""Seconds. The limit of ansible_timeout holds for ConnectTimeout too."""
_FAMILIES = {"inet": socket.AF_INET, "inet6": socket.AF_INET6}
_METHODS = {
    "publickey": "pubkeyauthentication",
    "keyboard-interactive": "kbdinteractiveauthentication",
    "password": "passwordauthentication",
}

_BY_SSH = "as ssh -G has it"
_ARGUMENTS = "ansible_ssh_common_args (or ansible_ssh_args, ansible_ssh_extra_args)"

Ask = Callable[[Question], Settings]


@dataclass(frozen=True, slots=True)
class ProxyCommand:
    """A command whose stdin and stdout are the connection to a server."""

    command: str
    """For the user's shell."""
    source: str
    """Where it is configured, for messages."""


@dataclass(frozen=True, slots=True)
class Route:
    """The address of a server, and all settings for the connection to it."""

    host: str
    port: int
    user: str
    name: str
    """The name of the server in known_hosts: its host, `[host]:port`, or an alias."""
    known_hosts: tuple[str, ...]
    """Files in the order in which they are searched. A new key is added to the first."""
    identity_file: str | None
    """The private key that the inventory names. Only this key is tried."""
    identity_files: tuple[str, ...]
    """Files that may contain keys, if the inventory names none."""
    identities_only: bool
    """Whether keys that are only in the ssh agent are not used."""
    ssh_agent: str | None
    """The socket of the ssh agent."""
    timeout: float
    """Seconds for the connection, and again for the login."""
    principal: str = ""
    """The name that a host certificate must contain."""
    certificate_files: tuple[str, ...] = ()
    methods: frozenset[str] = frozenset(_METHODS)
    """The login methods that may be tried, by their names in SSH."""
    alive_interval: float = 0.0
    """Seconds between keepalive messages; 0 for none."""
    alive_count: int = 3
    """How many keepalive messages may stay without an answer."""
    family: int = socket.AF_UNSPEC
    bind_address: str | None = None
    jump: Route | None = None
    """The host that the connection goes through."""
    proxy_command: ProxyCommand | None = None
    is_jump: bool = False
    """Whether the host is a jump host on the way to the server."""
    algorithms: Algorithms = ALL
    revoked_host_keys: str | None = None
    """A file of host keys that are never accepted."""
    warnings: tuple[str, ...] = ()
    """Warnings about options of ssh_config that ssh follows and scimconf does not."""
    own_keys: bool = False
    """Whether ssh_config sets the identity files. Otherwise they are ssh's default files."""
    alias: str = field(default="", compare=False)
    """The host as the inventory or a ProxyJump names it, for messages."""
    config: str = field(default="your ssh_config", compare=False)
    """The file with the settings, for messages."""

    @property
    def shown(self) -> str:
        """The name for messages: for a jump host, the one that ssh_config has for it."""
        return self.alias if self.is_jump and self.alias else self.name

    @property
    def sets_host(self) -> str:
        """What sets the host, for hints. The inventory's variables are for the server only."""
        return self._in_config("HostName") if self.is_jump else "ansible_host"

    @property
    def sets_port(self) -> str:
        """What sets the port, for hints."""
        return f"ProxyJump, or {self._in_config('Port')}" if self.is_jump else "ansible_port"

    def _in_config(self, keyword: str) -> str:
        return f"{keyword} for {self.shown} in {self.config}"


def find_route(connection: Connection, *, allow_exec: bool = False) -> Route:
    """Return the route to a server. Raises HostError if its settings cannot be used.

    `allow_exec`: whether the inventory may name programs (a ProxyCommand, or an ssh_config).
    """
    return resolve(connection, _ask, allow_exec=allow_exec)


def _ask(question: Question) -> Settings:
    ssh_config.check(question)
    ssh = shutil.which("ssh")
    if ssh is not None:
        settings = ssh_config.ask(ssh, question)
        usual = ssh_config.defaults(ssh)
        ssh_config.check_followed(settings, usual, question)
        warnings = tuple(ssh_config.warnings(settings, usual, question))
        own_keys = settings.all("identityfile") != usual.all("identityfile")
        return replace(without_defaults(settings, usual), warnings=warnings, own_keys=own_keys)
    if question.words:
        raise HostError(
            "connect",
            "the inventory has options for ssh, but this machine has no ssh program",
            f"install the OpenSSH client, or remove {_ARGUMENTS}",
        )
    return Settings()


def resolve(connection: Connection, ask: Ask, *, allow_exec: bool = False) -> Route:
    """Combine the inventory's settings with those of ssh_config, which `ask` returns."""
    try:
        given = arguments.parse(connection.ssh_arguments)
    except arguments.ArgumentsError as error:
        raise HostError("connect", f"{_ARGUMENTS}: {error}") from error
    if given.programs and not allow_exec:
        raise HostError(
            "connect",
            f"{_ARGUMENTS} contains {' '.join(given.programs)!r}, which can run programs on this "
            "machine",
            f"use ProxyJump, or move the option to your ssh_config; or add "
            f"{consent.option('proxy')} if you trust the inventory",
        )
    question = Question(
        connection.host, connection.port, connection.user, (*given.options, *given.programs)
    )
    resolver = _Resolver(ask, given.programs)
    return resolver.route(question, connection.timeout, connection.private_key)


def way_facts(connection: Connection, route: Route, address: str | None) -> tuple[WayFact, ...]:
    """Return the facts about a route that are not in the inventory, for reports.

    `address`: the IP address of the connection, if it is known.
    """
    facts = []
    if route.host != connection.host:
        facts.append(("connects to", route.host, _BY_SSH))
    if connection.port is None:
        facts.append(("connects to", f"port {route.port}", _BY_SSH))
    if address and address != route.host:
        facts.append(("connects to", address, "from the name server"))
    if connection.user is None:
        facts.append(("logs in as", route.user, _BY_SSH))
    jump = route.jump
    while jump:
        facts.append(("through", f"{jump.user}@{jump.host} port {jump.port}", _BY_SSH))
        jump = jump.jump
    if route.proxy_command:
        facts.append(("runs on this machine", route.proxy_command.command, _BY_SSH))
    return tuple(WayFact(*fact, bound=False) for fact in facts)


def all_warnings(route: Route) -> tuple[str, ...]:
    """Return the warnings about a server and about the jump hosts before it."""
    before = all_warnings(route.jump) if route.jump else ()
    return tuple(dict.fromkeys((*route.warnings, *before)))


class _Resolver:
    """Find the route of a server and of each jump host before it, up to _MOST_JUMPS."""

    def __init__(self, ask: Ask, programs: tuple[str, ...]) -> None:
        self._ask = ask
        self._programs = programs
        self._passed: list[str] = []

    def route(self, question: Question, timeout: float, private_key: str | None = None) -> Route:
        settings = self._ask(question)
        one = settings.one
        host = one("hostname") or question.host
        port = question.port or int(one("port") or 22)
        user = question.user or one("user") or getpass.getuser()
        alias = (one("hostkeyalias") or host).lower()
        jump = one("proxyjump")
        tokens = Tokens(
            host,
            question.host,
            port,
            user,
            one("hostkeyalias") or question.host,
            _spec(jump.rpartition(",")[2])[1] if jump else "",
            lambda: hash_in(self._ask(hash_question(question))),
        )
        revoked = one("revokedhostkeys")
        files = [
            name
            for key in ("userknownhostsfile", "globalknownhostsfile")
            for value in settings.all(key)
            for name in file_names(value)
        ]
        route = Route(
            host=host,
            port=port,
            user=user,
            name=alias if port == 22 or one("hostkeyalias") else f"[{alias}]:{port}",
            principal=alias,
            known_hosts=tuple(map(os.path.expanduser, files)),
            identity_file=tokens.path(private_key) if private_key is not None else None,
            identity_files=tuple(
                tokens.own_path(file)
                for file in settings.all("identityfile")
                if file.lower() != "none"
            ),
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
            revoked_host_keys=os.path.expanduser(revoked) if revoked else None,
            warnings=settings.warnings,
            own_keys=settings.own_keys,
            alias=question.host,
            config=question.config,
        )
        return self._with_proxy(route, tokens, settings, question)

    def _with_proxy(
        self, route: Route, tokens: Tokens, settings: Settings, question: Question
    ) -> Route:
        """Add the jump host or the ProxyCommand of the connection, if it has one."""
        if hops := settings.one("proxyjump"):
            before, _, last = tokens.expand(hops).rpartition(",")
            user, host, port = _spec(last)
            # As in ssh: the connection goes to the last jump host, through the other ones. Of the
            # options on the command line, only -F applies to it.
            words = ("-o", f"ProxyJump={before}") if before else ()
            return self._with_jump_host(
                route, Question(host, port, user, (*words, *file_option(self._programs)))
            )
        if command := settings.one("proxycommand"):
            source = _source(question)
            return replace(route, proxy_command=ProxyCommand(tokens.command(command), source))
        return route

    def _with_jump_host(self, route: Route, question: Question) -> Route:
        self._passed.append(question.host)
        if len(self._passed) > _MOST_JUMPS:
            raise HostError(
                "connect",
                f"the route to the server has more than {_MOST_JUMPS} jump hosts: "
                + ", ".join(self._passed[-3:]),
                "if `Host *` of your ssh_config sets ProxyJump, the jump host leads to itself: set "
                "`ProxyJump none` for the jump host",
            )
        return replace(route, jump=replace(self.route(question, route.timeout), is_jump=True))


def _source(question: Question) -> str:
    """Name the place that sets the ProxyCommand of a connection."""
    if any(word.startswith("ProxyCommand=") for word in question.words):
        return _ARGUMENTS
    if question.file:
        return f"{question.file} (-F in {_ARGUMENTS})"
    return f"your ssh_config, for {question.host}"


def _spec(text: str) -> tuple[str | None, str, int | None]:
    """Return user, host and port of a jump host: `[user@]host[:port]` or `ssh://...`."""
    user, _, place = text.removeprefix("ssh://").removesuffix("/").rpartition("@")
    found = re.fullmatch(r"(?:\[(.+)\]|([^:\[\]]+))(?::(\d+))?", place)
    if not found:
        raise HostError("connect", f"{text!r} is not a valid jump host (ProxyJump)")
    return user or None, found[1] or found[2], int(found[3]) if found[3] else None


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
    path = os.path.expanduser(value)
    # Before OpenSSH 8.4, `ssh -G` did not expand the tokens.
    return path if "%" not in path or os.path.exists(path) else tokens.own_path(value)
