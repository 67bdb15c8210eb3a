"""The values that the program works with. Nothing here reads, writes or decides.

An inventory is read into `Server`s. With the token file, each becomes a `Desired`. The agent's
facts become an `Observed`. `plan` compares the two and returns a `Plan` of `Action`s. What came of
it is an `Outcome`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Literal

from scimconf.sanitize import visible
from scimconf.secret import Secret

# --- where something stands -------------------------------------------------------------------


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place in a text file; line and column count from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Problem:
    """An error or a warning about a file, with its position."""

    message: str
    position: Position | None = None
    path: str = ""
    """The keys that lead to the value: `all.hosts.chat1.scim_realms.acme.idp`."""
    hint: str = ""

    def __str__(self) -> str:
        return self.text("error")

    def text(self, severity: Literal["error", "warning"]) -> str:
        """Return `file:line:col: severity: path: message`, the form that editors and CI parse.

        The hint follows on an indented line.
        """
        where = f"{self.position}: " if self.position else ""
        # Anybody may write the keys: a line break in one would forge a line of the output.
        path = f"{visible(self.path)}: " if self.path else ""
        hint = f"\n  -> {self.hint}" if self.hint else ""
        return f"{where}{severity}: {path}{self.message}{hint}"


# --- what the inventory says ------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Reference:
    """A token that is kept outside the token file: `env:NAME`, `file:PATH`, `command:` words."""

    kind: str
    """A key of `scimconf.tokens.references.SOURCES`."""
    words: tuple[str, ...]
    folder: str
    """The folder that a relative path in it starts from: that of the file that names it."""

    def __str__(self) -> str:
        return f"{self.kind}:{' '.join(self.words)}"


@dataclass(frozen=True, slots=True)
class VaultValue:
    """An Ansible Vault value (`!vault`), still closed."""

    ciphertext: str
    position: Position | None = None

    def __str__(self) -> str:
        return "<vault value>"


class Unsafe(str):
    """A text tagged `!unsafe`: it is never taken for a template."""

    __slots__ = ()


TokenSource = Reference | Secret | VaultValue | None
"""A reference, a token in clear in the inventory, one in a `!vault` value, or (None, the usual)
one that scimconf makes and keeps in its token file."""


@dataclass(frozen=True, slots=True)
class Realm:
    """One organisation's SCIM entry as the inventory wants it."""

    string_id: str
    """Zulip's subdomain; the empty text is the root domain."""
    present: bool
    idp: str
    client: str
    name_formatted_included: bool
    options: Mapping[str, object]
    """The optional keys of SCIM_CONFIG that the inventory sets (`scimconf.zulip.keys`)."""
    token: TokenSource
    url: str
    """`https://host`, no trailing slash; the SCIM base URL is this and `/scim/v2`."""
    position: Position | None = None

    @property
    def label(self) -> str:
        """The realm's name for people: its string_id, or "(root)"."""
        return self.string_id or "(root)"


@dataclass(frozen=True, slots=True)
class Connection:
    """How to get to a server; the words are Ansible's."""

    kind: Literal["ssh", "local"]
    host: str
    port: int | None
    user: str | None
    password: Secret | VaultValue | None
    private_key: str | None
    become: bool
    become_method: Literal["sudo", "su"]
    become_user: str
    become_password: Secret | VaultValue | None
    python: str | None
    timeout: float
    """Seconds for the connection to stand."""
    passphrase: Secret | VaultValue | None = None
    """For the private key."""
    ssh_arguments: tuple[str, ...] = ()
    """What the inventory would put on ssh's command line; `scimconf.ssh.arguments` reads it."""
    said: frozenset[str] = frozenset()
    """Ansible's names of the variables that the inventory itself sets; the rest of the values are
    defaults, or the command line's."""


@dataclass(frozen=True, slots=True)
class Paths:
    """Where Zulip lives on the server."""

    settings: str
    secrets: str
    deployment: str
    user: str


@dataclass(frozen=True, slots=True)
class Server:
    """One Zulip server of the inventory, with everything resolved but its secrets."""

    name: str
    """Ansible's inventory_hostname."""
    connection: Connection
    paths: Paths
    external_host: str
    realms: tuple[Realm, ...]
    token_store: Literal["settings", "secrets"]
    unmanaged: Literal["report", "keep", "remove"]
    """What happens to realms of the server that the inventory does not name."""
    deployment: str
    """The name under which the token file keeps its tokens: servers of one Zulip share it."""
    restart: Literal["server", "django", "none"] | tuple[str, ...]
    restart_timeout: int
    """Seconds."""
    gate_timeout: int
    """Seconds that a restarted Zulip has to pass the gate."""
    probe: str | None
    """Where the gate finds the local web server; None: https on 443, then http on 80."""
    verify: bool
    ca: str | None
    """A file of CA certificates for the public side; None: the system's."""
    position: Position | None = None
    left_alone: frozenset[str] = frozenset()
    """Realms that the inventory names, and this run is not about."""


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """The salted hash of a token and of the place that the token belongs to: no secret."""

    hash: str
    """passlib's pbkdf2_sha256 text `$pbkdf2-sha256$rounds$salt$checksum`."""
    place: str
    """Hashed behind the token: its deployment, realm and date of creation, as a JSON list."""
    created: str
    """When the token was made or first seen, UTC: `2026-06-01T10:00:00Z`."""


@dataclass(frozen=True, slots=True)
class Desired:
    """A server as it should be, as far as a plan needs to know: no secret in it."""

    server: Server
    fingerprints: Mapping[str, Fingerprint]
    """By realm, of the token that it should have. A realm that is missing here has no token yet, or
    one that is kept elsewhere and was not fetched."""
    unrecorded: Mapping[str, str] = field(default_factory=dict)
    """Realms whose fingerprint has yet to be written into the token file, and why."""
    others: Mapping[str, tuple[Fingerprint, ...]] = field(default_factory=dict)
    """By realm, of the staged and the replaced tokens, to recognize them on the server. A realm is
    missing here where another token than the server's is no surprise."""


# --- what the server says ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ObservedToken:
    """A token found on a server: never the token itself."""

    length: int
    short: str
    """The first four hex digits of the fingerprint that it matches; "" if it matches none."""
    matches: bool | None
    """Whether it is the one whose fingerprint was asked about; None: none was."""
    created: str = ""
    """When it was made, as far as the server or the token file knows a token that does not match;
    "" if neither does."""


@dataclass(frozen=True, slots=True)
class ObservedRealm:
    """One entry of the server's SCIM_CONFIG, as far as it is data."""

    string_id: str
    values: Mapping[str, object]
    """The literal values but `bearer_token`."""
    token: ObservedToken | None
    """None: no token, or one that could not be read."""
    secret_name: str | None
    """The name in zulip-secrets.conf, where the entry says get_secret(name)."""
    line: int
    column: int
    unreadable: str | None
    """Why the entry cannot be read as data; None if it can. Line and column say where it is."""

    @property
    def label(self) -> str:
        """The realm's name for people, as Realm has it."""
        return self.string_id or "(root)"


@dataclass(frozen=True, slots=True)
class Site:
    """What a realm's login page answered on the local web server."""

    status: int | None
    """The HTTP status; None: no answer."""
    location: str = ""
    """Where it redirects to, as the server says it."""


@dataclass(frozen=True, slots=True)
class Observed:
    """A server as it is. Built by `observe` out of what the agent sent, and checked there."""

    version: str
    has_client_command: bool
    """Whether this deployment has `manage.py add_scim_client` (5.x)."""
    external_host: str | None
    realm_hosts: Mapping[str, str]
    settings_sha256: str
    secrets_sha256: str | None
    """None: there is no such file, or it cannot be read (see `unknown_secrets`)."""
    unknown_secrets: str | None
    """Why zulip-secrets.conf could not be read; None if it could, or is not there."""
    block: str | None
    """The text of the assignment to SCIM_CONFIG, tokens masked; None if there is none."""
    has_get_secret: bool
    """Whether settings.py imports get_secret (one first made on Zulip 4.x may not)."""
    realms: Mapping[str, ObservedRealm]
    secret_names: frozenset[str]
    """The names in [secrets] that begin with scim_bearer_token."""
    clients: frozenset[tuple[str, str]] | None
    """(realm, client name) as registered on 5.x; None: they could not be listed, or there are no
    clients in this version."""
    running: Mapping[str, int | None]
    """Realm -> HTTP status the local web server gives to the token in the file; None: no answer.
    A realm without a token is not asked about."""
    blocked: str | None
    """Why this server cannot be changed (a computed block, ...); None if it can."""
    interrupted: str | None
    """Which run died and left its transaction open (when, by whom, where); None if none did."""
    at_work: str | None
    """Who is changing this server now, from where and since when; None if nobody is."""
    finished_alone: FinishedAlone | None
    """The last run, if its controller did not acknowledge how it ended."""
    lost: str | None
    """Why docker-zulip would undo an edit of settings.py at its next start; None if it keeps it."""
    given_secrets: frozenset[str]
    """The names in [secrets] that docker-zulip writes anew at every start."""
    sites: Mapping[str, Site] = field(default_factory=dict)
    """Realm -> what its login page answers, which tells whether the realm is there."""
    right_secrets: frozenset[str] = frozenset()
    """The realms whose secret in zulip-secrets.conf is the wanted token, whether the realm's entry
    refers to it or not."""
    own_clients: frozenset[tuple[str, str]] = frozenset()
    """Those of `clients` that scimconf has registered itself."""
    unseen: str | None = None
    """What a user who may only read could not look at; None if all was seen."""


@dataclass(frozen=True, slots=True)
class FinishedAlone:
    """A run that ended after its connection was lost."""

    run: str
    """The agent's name for it."""
    text: str
    """The sentence that says which run it was, and how it ended."""


# --- what to do, and what came of it ----------------------------------------------------------


class ActionKind(Enum):
    """What a plan can hold, in the order in which it is carried out."""

    RECOVER = "recover"
    UNDO = "undo"
    MAKE_TOKEN = "make token"  # noqa: S105
    RECORD_TOKEN = "record token"  # noqa: S105
    SET_SECRET = "set secret"  # noqa: S105
    SET_REALM = "set realm"
    REMOVE_REALM = "remove realm"
    REMOVE_SECRET = "remove secret"  # noqa: S105
    REGISTER_CLIENT = "register client"
    REMOVE_CLIENT = "remove client"
    RESTART = "restart"


@dataclass(frozen=True, slots=True)
class Action:
    """One thing that apply will do on (or, for a token, for) one server."""

    kind: ActionKind
    realm: str | None
    text: str
    """The sentence that people read: "change realm acme: scim_client_name"."""
    client: str = ""
    """The SCIM client that is registered or removed."""
    locks_out: bool = False
    """Whether it replaces the token in force by one that the identity provider may not have."""


class Status(Enum):
    """How a server stands after a verb has dealt with it."""

    OK = "ok"  # nothing to do
    CHANGED = "changed"
    PENDING = "changes pending"  # or an unmanaged realm was found
    BUSY = "busy"  # another run holds the server's lock
    UNREACHABLE = "unreachable"
    FAILED = "failed"
    ROLLED_BACK = "rolled back"
    ROLL_BACK_FAILED = "roll-back failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Unmanaged:
    """A realm on the server that the inventory does not name, and its place in settings.py."""

    realm: str
    position: Position

    @property
    def text(self) -> str:
        """Return the sentence that people read."""
        label = self.realm or "(root)"
        return f"unmanaged realm {label} at {self.position}: the inventory does not name it"


@dataclass(frozen=True, slots=True)
class Unproved:
    """Why a server with nothing left to change is not known to let the right tokens in."""

    message: str
    hint: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What apply would do on one server. Equal plans do equal things."""

    server: str
    version: str
    actions: tuple[Action, ...] = ()
    warnings: tuple[str, ...] = ()
    blocked: str | None = None
    """Why nothing can be done here; None if it can."""
    diff: str = ""
    """Unified diff of the block, tokens masked."""
    settings_sha256: str = ""
    secrets_sha256: str | None = None
    busy: str | None = None
    """Which other run is at work here: what was seen may be different a moment later."""
    unmanaged: tuple[Unmanaged, ...] = ()
    """Realms to report (`scim_unmanaged: report`): apply neither changes nor removes them."""
    unproved: Unproved | None = None
    """None: the local web server lets the right tokens in, or is not asked."""

    @property
    def pending(self) -> bool:
        """Whether there is anything that apply can do."""
        return bool(self.actions)

    @property
    def recovers(self) -> bool:
        """Whether an interrupted run has to be rolled back first."""
        return any(action.kind is ActionKind.RECOVER for action in self.actions)

    @property
    def makes_tokens(self) -> bool:
        """Whether a new token has to be made for it."""
        return any(action.kind is ActionKind.MAKE_TOKEN for action in self.actions)

    @property
    def locks_out(self) -> tuple[str, ...]:
        """The realms whose identity provider is locked out until it has the other token."""
        return tuple(
            dict.fromkeys(action.realm or "" for action in self.actions if action.locks_out)
        )

    @property
    def touches_server(self) -> bool:
        """Whether the server is changed at all, and not the token file alone."""
        here = (ActionKind.MAKE_TOKEN, ActionKind.RECORD_TOKEN)
        return any(action.kind not in here for action in self.actions)


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a verb on one server."""

    name: str
    ok: bool
    seconds: float
    detail: str = ""


@dataclass(frozen=True, slots=True)
class WayFact:
    """One fact about the way to a server, or about what runs and is read on the way."""

    what: str
    """What the fact is about, in words: "connects to", "runs on the server"."""
    value: str
    """As exact as it is compared; not sanitized, and never a secret."""
    source: str
    """The variable that decides it, or "from the command line" and the like."""
    bound: bool = True
    """Whether a saved plan holds only as long as this is the same."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one verb on one server; every report is derived from this."""

    server: str
    status: Status
    message: str = ""
    hint: str = ""
    plan: Plan | None = None
    steps: tuple[Step, ...] = ()
    warnings: tuple[str, ...] = ()
    checks: tuple[Check, ...] = field(default=())
    seconds: float = 0.0
    run: str = ""
    """The agent's name for the transaction that was made, "" if none was."""
    way: tuple[WayFact, ...] = ()
    """Where the token goes and what runs for it (`scimconf.run.binding`)."""
    position: Position | None = None
    """Where the inventory names the server."""
    in_force: bool = False
    """Whether a transaction of this run was committed, whatever was found out after it."""
    outage: float | None = None
    """Seconds that SCIM was unavailable at most, as the server measured it; None: not measured."""
    unproved: str = ""
    """What the server itself could not prove of a change that is in force; "" if all is."""

    @property
    def only_unmanaged(self) -> bool:
        """Whether an unmanaged realm was found, and apply has nothing else to do."""
        plan = self.plan
        pending = self.status is Status.PENDING
        return pending and plan is not None and bool(plan.unmanaged) and not plan.pending

    @property
    def verified(self) -> Literal["yes", "no", "not asked"]:
        """Whether the public URLs of all realms let the right tokens in, as seen from here."""
        if not self.checks:
            return "not asked"
        return "yes" if all(check.result == "ok" for check in self.checks) else "no"


@dataclass(frozen=True, slots=True)
class Check:
    """One question that verify asked of a realm's public URL, and the answer in words."""

    realm: str
    name: str
    result: Literal["ok", "warning", "failed"]
    message: str
    status: int | None = None
    hint: str = ""
