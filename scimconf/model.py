"""The values that the program works with. Nothing here reads, writes or decides.

An inventory is read into `Server`s. With the token file, each becomes a `Desired`. The agent's
facts become an `Observed`. `plan` compares the two and returns a `Plan` of `Action`s. The result of
a verb on one server is an `Outcome`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Literal, TypeVar, cast

from scimconf.activity import Activity
from scimconf.sanitize import visible
from scimconf.secret import Sealed, Secret
from scimconf.server_warning import ServerWarning

NOTHING: Mapping[Any, Any] = MappingProxyType({})
"""An empty mapping. Many values of each server are empty, so one object saves memory."""

T = TypeVar("T")


def shared(value: T) -> T:
    """Return an equal value that exists already, if there is one among the latest 4096.

    Servers have many equal values, so this saves memory.
    """
    return cast(T, _shared(value))


@lru_cache(4096)
def _shared(value: object) -> object:
    return value


# --- positions and problems -------------------------------------------------------------------


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
    id: str = ""
    """Of a warning that `scim_silence` can name (`scimconf.server_warning`); else ""."""
    follows: bool = False
    """Whether the likely cause is a vault password that was not given."""

    def __str__(self) -> str:
        return self.text("error")

    def text(self, severity: Literal["error", "warning"]) -> str:
        """Return `file:line:col: severity: path: message`, the form that editors and CI parse.

        The hint follows on an indented line.
        """
        where = f"{self.position}: " if self.position else ""
        # The keys are not trusted: a line break in one could forge a line of the output.
        path = f"{visible(self.path)}: " if self.path else ""
        hint = f"\n  -> {self.hint}" if self.hint else ""
        name = f" [{self.id}]" if self.id else ""
        return f"{where}{severity}: {path}{self.message}{name}{hint}"


# --- the inventory ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Reference:
    """A token that is kept outside the token file: `env:NAME`, `file:PATH`, `command:` words."""

    kind: str
    """A key of `scimconf.tokens.references.SOURCES`."""
    words: tuple[str, ...]
    folder: str
    """The start of relative paths: the folder of the inventory file with the reference."""

    def __str__(self) -> str:
        return f"{self.kind}:{' '.join(self.words)}"


@dataclass(frozen=True, slots=True)
class VaultValue:
    """An Ansible Vault value (`!vault`), not decrypted."""

    ciphertext: str
    position: Position | None = None

    def __str__(self) -> str:
        return "<vault value>"


class Unsafe(str):
    """A text tagged `!unsafe`: it is never expanded as a template."""

    __slots__ = ()


TokenSource = Reference | Secret | VaultValue | None
"""Where a token comes from: a reference, clear text in the inventory, or a `!vault` value. None
(the usual case): scimconf generates it and keeps it in its token file."""


@dataclass(frozen=True, slots=True)
class Deliver:
    """How scimconf delivers a realm's token to its identity provider (`scimconf.idp.kinds`)."""

    kind: str
    """A key of `scimconf.idp.kinds.KINDS`."""
    settings: Mapping[str, str | int | Reference | tuple[str, ...]]
    """The settings that the inventory has, by their names. A command has `words`."""
    folder: str
    """The start of relative paths: the folder of the inventory file."""


@dataclass(frozen=True, slots=True)
class Realm:
    """The SCIM entry of one organisation, as the inventory wants it."""

    string_id: str
    """Zulip's subdomain; "" for the root realm."""
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
    moved_from: str | None = None
    """The string_id that the realm had before; None: it was not renamed."""
    deliver: Deliver | None = None
    """Where its token is delivered; None: a person enters it at the identity provider."""

    @property
    def label(self) -> str:
        """The realm's name for people: its string_id, or "(root)"."""
        return self.string_id or "(root)"


@dataclass(frozen=True, slots=True)
class Connection:
    """How to connect to a server, in Ansible's terms."""

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
    """Seconds until the connection must be open."""
    passphrase: Secret | VaultValue | None = None
    """For the private key."""
    ssh_arguments: tuple[str, ...] = ()
    """The inventory's options for ssh; `scimconf.ssh.arguments` reads them."""
    become_exe: str | None = None
    """The words that call sudo or su; `scimconf.ssh.become_words` reads them."""
    become_flags: str | None = None
    """Options for sudo or su."""
    said: frozenset[str] = frozenset()
    """Ansible's names of the variables that the inventory sets. All other values are defaults or
    come from the command line."""
    encrypted: Mapping[str, Sealed] = field(default_factory=dict)
    """Ansible's name of a variable -> its encrypted value, which must never be shown."""
    unknown: Mapping[str, Problem] = field(default_factory=dict)
    """Ansible's name of a variable that could not be read without a vault password -> why. Without
    it, no connection is possible."""


@dataclass(frozen=True, slots=True)
class Paths:
    """The paths of Zulip on the server, and its user."""

    settings: str
    secrets: str
    deployment: str
    user: str


@dataclass(frozen=True, slots=True)
class Scope:
    """What a run selects, all of its shards together. Equal for the shards of one run."""

    fleet: str = ""
    """A fingerprint of the selected servers and their realms."""
    realms: tuple[str, ...] = ()
    """The realms of --realm, sorted; empty: all."""

    @property
    def note(self) -> str:
        """A sentence for reports; "" if the run is about all realms."""
        if not self.realms:
            return ""
        names = ", ".join(realm or "(root)" for realm in self.realms)
        return f"only realm {names}: no other realm is checked or changed"


UNKNOWN_SCOPE = Scope()


@dataclass(frozen=True, slots=True)
class RunWords:
    """The options of a run that a command in a hint needs, too, to reach the same servers."""

    files: tuple[str, ...] = ()
    """-i and --tokens."""
    variables: tuple[str, ...] = ()
    """-e and --allow-exec."""
    passwords: tuple[str, ...] = ()
    """Where the vault passwords come from."""
    connection: tuple[str, ...] = ()
    """How to log in."""
    delivery: tuple[str, ...] = ()
    """--idp-host."""
    workers: tuple[str, ...] = ()
    """Which workers do the work (`--scheduler`)."""


@dataclass(frozen=True, slots=True)
class Server:
    """One Zulip server of the inventory. Everything is resolved except secrets."""

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
    """The key of its tokens in the token file. All servers of one Zulip have the same."""
    restart: Literal["server", "django", "none"] | tuple[str, ...]
    restart_timeout: int
    """Seconds."""
    gate_timeout: int
    """Seconds that a restarted Zulip has to pass the gate."""
    probe: str | None
    """The URL of the local web server, for the gate; None: https on 443, then http on 80."""
    verify: bool
    ca: str | None
    """A file of CA certificates for the public URLs; None: the system's."""
    position: Position | None = None
    left_alone: frozenset[str] = frozenset()
    """Realms of the inventory that this run must not change."""
    silence: tuple[str, ...] = ()
    """The ids of the warnings that are not shown (`scimconf.server_warning`), sorted."""
    silenced: tuple[str, ...] = ()
    """The ids of the inventory's own warnings that are not shown, one for each warning."""
    is_partial: bool = False
    """Whether this run is only about `realms` (--realm): it neither changes nor reports others."""
    moved_from: str = ""
    """The name that its deployment had before; "" if it was not renamed."""
    zone: str = "default"
    """The zone of the workers that can reach it, for `--scheduler` (docs/scale.md)."""
    peers: tuple[str, ...] = ()
    """The names of all servers of its deployment. Hints name them."""
    words: RunWords = field(default=RunWords(), compare=False)
    """The options that hints about the server repeat."""


Place = tuple[str, str]
"""The place of a token in the token file: deployment and realm."""


@dataclass(frozen=True, slots=True)
class Places:
    """The places of tokens that an inventory names, and their former names."""

    named: frozenset[Place] = frozenset()
    renamed: Mapping[Place, tuple[Place, ...]] = field(default_factory=dict)
    """New place -> the places where its token may still be."""


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """The salted hash of a token and of the place that the token belongs to: no secret."""

    hash: str
    """passlib's pbkdf2_sha256 text `$pbkdf2-sha256$rounds$salt$checksum`."""
    place: str
    """Hashed after the token: its deployment, realm and date of creation, as a JSON list."""
    created: str
    """When the token was made or first seen, UTC: `2026-06-01T10:00:00Z`."""


@dataclass(frozen=True, slots=True)
class Desired:
    """The wanted state of a server, without secrets: all that a plan needs."""

    server: Server
    fingerprints: Mapping[str, Fingerprint]
    """Realm -> fingerprint of the wanted token. If a realm is missing, it has no token yet, or its
    token is kept elsewhere and was not fetched."""
    unrecorded: Mapping[str, str] = field(default_factory=dict)
    """Realms whose fingerprint is not in the token file yet. The value is the date when the realm
    was removed, or ""."""
    others: Mapping[str, tuple[Fingerprint, ...]] = field(default_factory=dict)
    """Realm -> fingerprints of its staged and replaced tokens, to recognize them on the server."""
    turned: bool = False
    """Whether this run replaces the tokens in force on purpose."""
    staged: Mapping[str, str] = field(default_factory=dict)
    """Realm -> when its staged token was made, if it has one."""
    delivering: Mapping[str, str] = field(default_factory=dict)
    """Realm -> since when a delivery has been under way, if no run has ended it."""
    undelivered: frozenset[str] = frozenset()
    """Realms with `deliver` whose token in force no run has delivered."""
    moved: Mapping[str, Place] = field(default_factory=dict)
    """Realm -> the place in the token file where its token still is (`moved_from`)."""
    strays: Mapping[str, tuple[Fingerprint, ...]] = field(default_factory=dict)
    """Realm without a token -> fingerprints of tokens whose places the inventory does not name any
    more. If the server has one of them, the realm was probably renamed."""


# --- the server -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ObservedToken:
    """A token found on a server: never the token itself."""

    length: int
    short: str
    """The first four hex digits of the fingerprint that it matches; "" if it matches none."""
    matches: bool | None
    """Whether it matches the fingerprint in the request; None: the request had none."""
    created: str = ""
    """When a token that does not match was created; "" if neither the server nor the token file
    knows it."""
    stray: Place | None = None
    """The place in the token file that this token belongs to, if it is one of `Desired.strays`."""


@dataclass(frozen=True, slots=True)
class ObservedRealm:
    """One entry of the server's SCIM_CONFIG."""

    string_id: str
    values: Mapping[str, object]
    """The literal values, without `bearer_token`."""
    token: ObservedToken | None
    """None: no token, or one that could not be read."""
    secret_name: str | None
    """The name in zulip-secrets.conf, if the entry contains get_secret(name)."""
    line: int
    column: int
    unreadable: str | None
    """Why the entry cannot be read as data; None if it can. Line and column say where it is."""

    @property
    def label(self) -> str:
        """The realm's name for people: its string_id, or "(root)"."""
        return self.string_id or "(root)"


@dataclass(frozen=True, slots=True)
class Site:
    """The local web server's answer to the request for a realm's login page."""

    status: int | None
    """The HTTP status; None: no answer."""
    location: str = ""
    """The Location header of a redirect; not sanitized."""


@dataclass(frozen=True, slots=True)
class Observed:
    """The present state of a server. `observe` builds it from the agent's facts and checks them."""

    version: str
    has_client_command: bool
    """Whether this deployment has `manage.py add_scim_client` (5.x)."""
    external_host: str | None
    realm_hosts: Mapping[str, str]
    settings_sha256: str
    secrets_sha256: str | None
    """None: there is no such file, or it cannot be read (see `unknown_secrets`)."""
    unknown_secrets: str | None
    """Why zulip-secrets.conf could not be read; None if it was read or does not exist."""
    block: str | None
    """The text of the assignment to SCIM_CONFIG, tokens masked; None if there is none."""
    has_get_secret: bool
    """Whether settings.py imports get_secret (one first made on Zulip 4.x may not)."""
    realms: Mapping[str, ObservedRealm]
    secret_names: frozenset[str]
    """The names in [secrets] that begin with scim_bearer_token."""
    clients: frozenset[tuple[str, str]] | None
    """(realm, client name) as registered on 5.x; None: they could not be listed, or this version
    has no clients."""
    running: Mapping[str, int | None]
    """Realm -> HTTP status of SCIM on the local web server with the token in the file; None: no
    answer. A realm without a token is missing."""
    blocked: str | None
    """Why this server cannot be changed (a computed block, ...); None if it can."""
    interrupted: str | None
    """The run that died before its transaction ended (when, by whom, where); None: no run did."""
    at_work: str | None
    """Who is changing this server now, from where and since when; None: no run is."""
    finished_alone: FinishedAlone | None
    """The last run, if its controller did not acknowledge how it ended."""
    lost: str | None
    """Why docker-zulip would undo an edit of settings.py at its next start; None if it keeps it."""
    given_secrets: frozenset[str]
    """The names in [secrets] that docker-zulip writes at every start."""
    sites: Mapping[str, Site] = field(default_factory=dict)
    """Realm -> answer of its login page, which shows whether the realm exists."""
    right_secrets: frozenset[str] = frozenset()
    """The realms whose secret in zulip-secrets.conf is the wanted token, whether the realm's entry
    refers to it or not."""
    own_clients: frozenset[tuple[str, str]] = frozenset()
    """The `clients` that scimconf has registered."""
    fields: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """Realm -> the variable names of its custom profile fields, with Zulip's numbers of their
    types, if `custom_profile_field_map` is set."""
    unknown_fields: str | None = None
    """Why `fields` could not be listed; None if they were, or are not needed."""
    unseen: str | None = None
    """What a read-only user could not check; None if everything was checked."""
    deliveries: Mapping[str, str] = field(default_factory=dict)
    """Realm -> since when a delivery has been under way, by the note on the server."""


@dataclass(frozen=True, slots=True)
class FinishedAlone:
    """A run that ended after its connection was lost."""

    run: str
    """The agent's name for the run."""
    text: str
    """A sentence: which run it was, and how it ended."""


# --- plans and results ------------------------------------------------------------------------


class ActionKind(Enum):
    """The kinds of actions, in the order in which they are carried out."""

    RECOVER = "recover"
    UNDO = "undo"
    MOVE_TOKEN = "move token"  # noqa: S105
    MAKE_TOKEN = "make token"  # noqa: S105
    RECORD_TOKEN = "record token"  # noqa: S105
    SET_SECRET = "set secret"  # noqa: S105
    SET_REALM = "set realm"
    REMOVE_REALM = "remove realm"
    REMOVE_SECRET = "remove secret"  # noqa: S105
    REGISTER_CLIENT = "register client"
    REMOVE_CLIENT = "remove client"
    RESTART = "restart"
    DELIVER = "deliver"


NOT_ON_SERVER = (
    ActionKind.MOVE_TOKEN,
    ActionKind.MAKE_TOKEN,
    ActionKind.RECORD_TOKEN,
    ActionKind.DELIVER,
)
"""The actions in the token file and at the identity provider, which do not change the server."""


@dataclass(frozen=True, slots=True)
class Action:
    """One action of apply: on a server, in the token file, or at the identity provider."""

    kind: ActionKind
    realm: str | None
    text: str
    """The sentence that people read: "change realm acme: scim_client_name"."""
    client: str = ""
    """The SCIM client that is registered or removed."""
    locks_out: bool = False
    """Whether it replaces the token in force with one that the identity provider may not have."""


class Status(Enum):
    """The state of a server after a verb."""

    OK = "ok"  # nothing to do
    CHANGED = "changed"
    PENDING = "changes pending"  # or an unmanaged realm was found
    ATTENTION = "needs attention"  # an identity provider is failing or silent
    BUSY = "busy"  # another run holds the server's lock
    UNREACHABLE = "unreachable"
    FAILED = "failed"
    ROLLED_BACK = "rolled back"
    ROLL_BACK_FAILED = "roll-back failed"
    SPLIT = "split"  # Zulip and the identity provider may have different tokens
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Unmanaged:
    """A realm on the server that the inventory does not name, and its place in settings.py."""

    realm: str
    position: Position

    @property
    def text(self) -> str:
        """The sentence that people read."""
        label = self.realm or "(root)"
        return f"unmanaged realm {label} at {self.position}: the inventory does not name it"


@dataclass(frozen=True, slots=True)
class Unproved:
    """Why it is not proved that a server without pending changes accepts the right tokens."""

    message: str
    hint: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What apply would do on one server. Equal plans do equal things."""

    server: str
    version: str
    actions: tuple[Action, ...] = ()
    warnings: tuple[ServerWarning, ...] = ()
    blocked: str | None = None
    """Why the server cannot be changed; None if it can."""
    diff: str = ""
    """Unified diff of the block, tokens masked."""
    settings_sha256: str = ""
    secrets_sha256: str | None = None
    busy: str | None = None
    """The other run that is changing the server now, so nothing was planned; None: no run is."""
    unmanaged: tuple[Unmanaged, ...] = ()
    """Realms to report (`scim_unmanaged: report`): apply neither changes nor removes them."""
    unproved: Unproved | None = None
    """None: the local web server accepts the right tokens, or is not asked."""

    @property
    def pending(self) -> bool:
        """Whether the plan has any action."""
        return bool(self.actions)

    @property
    def recovers(self) -> bool:
        """Whether an interrupted run must be rolled back first."""
        return any(action.kind is ActionKind.RECOVER for action in self.actions)

    @property
    def makes_tokens(self) -> bool:
        """Whether a new token must be generated."""
        return any(action.kind is ActionKind.MAKE_TOKEN for action in self.actions)

    @property
    def locks_out(self) -> tuple[str, ...]:
        """The realms whose identity provider is locked out until it gets the new token."""
        return tuple(
            dict.fromkeys(action.realm or "" for action in self.actions if action.locks_out)
        )

    @property
    def touches_server(self) -> bool:
        """Whether the plan changes the server."""
        return any(action.kind not in NOT_ON_SERVER for action in self.actions)


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a verb on one server."""

    name: str
    ok: bool
    seconds: float
    detail: str = ""


@dataclass(frozen=True, slots=True)
class WayFact:
    """One fact about the connection to a server, or about what this run executes or reads."""

    what: str
    """What the fact is about, in words: "connects to", "runs on the server"."""
    value: str
    """The exact value for the comparison; not sanitized, and never a secret."""
    source: str
    """The variable that decides it, or words such as "from the command line"."""
    bound: bool = True
    """Whether a saved plan becomes invalid if this value changes."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of one verb on one server; every report is derived from it."""

    server: str
    status: Status
    message: str = ""
    hint: str = ""
    plan: Plan | None = None
    steps: tuple[Step, ...] = ()
    warnings: tuple[ServerWarning, ...] = ()
    checks: tuple[Check, ...] = field(default=())
    seconds: float = 0.0
    run: str = ""
    """The agent's name for the transaction, "" if there was none."""
    way: tuple[WayFact, ...] = ()
    """Where the token goes and what runs for it (`scimconf.run.binding`)."""
    position: Position | None = None
    """Where the inventory names the server."""
    in_force: bool = False
    """Whether a transaction of this run was committed, even if a later check failed."""
    outage: float | None = None
    """Seconds that SCIM was unavailable at most, measured on the server; None: not measured."""
    unknown: bool = False
    """Whether the end of the change is not known, for example because the connection was lost."""
    unproved: str = ""
    """What the gate could not prove about a change that is in force; "" if nothing."""
    silenced: tuple[str, ...] = ()
    """The ids of the warnings that `scim_silence` hides, one for each warning."""
    activity: tuple[Activity, ...] = ()
    """How the identity providers of its realms are doing (`status`, --wait)."""

    @property
    def only_unmanaged(self) -> bool:
        """Whether an unmanaged realm was found, and apply has nothing else to do."""
        plan = self.plan
        pending = self.status is Status.PENDING
        return pending and plan is not None and bool(plan.unmanaged) and not plan.pending

    @property
    def verified(self) -> Literal["yes", "no", "not asked"]:
        """Whether the public URLs of all realms accepted the right tokens from this machine."""
        asked = [check for check in self.checks if not check.is_delivery]
        if not asked:
            return "not asked"
        return "yes" if all(check.result == "ok" for check in asked) else "no"


@dataclass(frozen=True, slots=True)
class TokenDate:
    """When the token of a realm was created, or first seen."""

    deployment: str
    realm: str
    created: str
    """UTC: `2026-06-01T10:00:00Z`."""


@dataclass(frozen=True, slots=True)
class Check:
    """One check of a realm's public URL, or one step at its identity provider, and its result."""

    realm: str
    name: str
    result: Literal["ok", "warning", "failed"]
    message: str
    status: int | None = None
    hint: str = ""

    @property
    def is_delivery(self) -> bool:
        """Whether it is a step at the identity provider."""
        return self.name.startswith("deliver: ")
