"""Render the block offline, without a server, with the entries and the editor that apply uses."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from scimconf.agent import durable, files, secrets_edit, settings_edit
from scimconf.agent.errors import AgentError, Refusal
from scimconf.errors import UsageError
from scimconf.model import Desired, Server
from scimconf.secret import Secret
from scimconf.tokens.fingerprint import short
from scimconf.zulip import block, docker
from scimconf.zulip.bearer import secret_name
from scimconf.zulip.versions import Feature, available


@dataclass(frozen=True, slots=True, repr=False)
class Rendered:
    """The content for the two files of one server. It may contain tokens, so it has no repr."""

    entries: Mapping[str, str | None]
    """Realm -> its entry of SCIM_CONFIG; None: remove it."""
    secrets: Mapping[str, str | None]
    """Name in zulip-secrets.conf -> its value; None: remove it."""
    warnings: tuple[str, ...]

    def text(self) -> str:
        """Return the block, and below it the lines for zulip-secrets.conf if there are any."""
        written = {name: entry for name, entry in self.entries.items() if entry is not None}
        text = settings_edit.edit(b"", written).decode()
        lines = [f"{name} = {value}\n" for name, value in self.secrets.items() if value]
        if lines:
            text += "\n# In zulip-secrets.conf, below [secrets]:\n" + "".join(lines)
        return text

    def environment(self, *, masked: bool) -> str:
        """Return the content as variables of docker-zulip; all tokens must be secrets."""
        written = {name: entry for name, entry in self.entries.items() if entry is not None}
        line = docker.variable if masked else docker.secret
        secrets = (line(name, value) for name, value in self.secrets.items() if value)
        return "".join((docker.environment(written), *secrets))


def in_container(server: Server) -> Server:
    """Return the server with the settings for a container: tokens in zulip-secrets.conf."""
    return replace(server, token_store="secrets")  # noqa: S106


def container_warnings(server: Server, version: str | None) -> Iterator[str]:
    """Yield warnings about what the user must do besides setting the environment variables."""
    if server.token_store != "secrets":  # noqa: S105
        yield (
            f"set scim_token_store: secrets for {server.name}: these variables set the tokens as "
            "secrets, and a plan would move them back to settings.py"
        )
    if version is None or not available(Feature.ADD_SCIM_CLIENT, version):
        return
    for realm in server.realms:
        if realm.present:
            # manage.py reads digits as an id and never as a name.
            name = "ID" if realm.string_id.isdigit() else shlex.quote(realm.string_id)
            yield (
                f"on Zulip {version}, also register the client: docker compose exec -u zulip "
                "zulip /home/zulip/deployments/current/manage.py add_scim_client "
                f"{shlex.quote(realm.client)} -r {name}"
            )


def masked(desired: Desired, version: str | None) -> Rendered:
    """Return the content for the server with a mask in place of each token."""
    places = {}
    for realm in desired.server.realms:
        known = desired.fingerprints.get(realm.string_id)
        places[realm.string_id] = block.mask(realm, short=short(known) if known else "")
    return _rendered(desired.server, places, version)


def clear(server: Server, tokens: Mapping[str, Secret], version: str | None) -> Rendered:
    """Return the content for the server with tokens. Raises UsageError if one is missing."""
    for realm in server.realms:
        if realm.present and realm.string_id not in tokens:
            raise UsageError(
                f"there is no token yet for realm {realm.label} of {server.name}",
                "apply makes it; to make it without a server, add --create-tokens to this command",
            )
    return _rendered(server, tokens, version)


def _rendered(
    server: Server, places: Mapping[str, Secret | block.Mask], version: str | None
) -> Rendered:
    in_secrets = server.token_store == "secrets"  # noqa: S105
    entries: dict[str, str | None] = {}
    secrets: dict[str, str | None] = {}
    warnings: list[str] = []
    for realm in server.realms:
        name = secret_name(realm.string_id)
        if not realm.present:
            entries[realm.string_id] = secrets[name] = None
            continue
        place = places[realm.string_id]
        entry, unknown = block.entry(
            realm, block.SecretName(name) if in_secrets else place, version
        )
        entries[realm.string_id] = entry
        secrets[name] = _text(place) if in_secrets else None
        warnings += unknown
    return Rendered(entries, secrets, tuple(warnings))


def _text(place: Secret | block.Mask) -> str:
    return place.reveal() if isinstance(place, Secret) else place.text


def edit(rendered: Rendered, settings: Path, secrets: Path | None) -> list[Path]:
    """Update the files; return those that changed.

    The order of the writes ensures that every secret that settings.py refers to exists. Raises
    UsageError if a file cannot be edited safely; both files are then unchanged.
    """
    wanted = {name: value for name, value in rendered.secrets.items() if value is not None}
    removed = [name for name, value in rendered.secrets.items() if value is None]
    if wanted and secrets is None:
        raise UsageError(
            "the tokens of this server are in zulip-secrets.conf (scim_token_store: secrets)",
            "name the file: --secrets FILE",
        )
    steps = []
    if secrets:
        with _refusals_in(secrets):
            with_new = secrets_edit.edit(_replaceable(secrets), wanted)
            without_old = secrets_edit.edit(with_new, {}, removed)
        steps = [(secrets, with_new), (secrets, without_old)]
    with _refusals_in(settings):
        steps.insert(1, (settings, settings_edit.edit(_replaceable(settings), rendered.entries)))
    return list(dict.fromkeys(path for path, data in steps if _replace(path, data)))


@contextmanager
def _refusals_in(path: Path) -> Iterator[None]:
    """Turn a Refusal into a UsageError that names the file and the place in it."""
    try:
        yield
    except Refusal as refusal:
        raise UsageError(refusal.at(str(path))) from None


def _replaceable(path: Path) -> bytes:
    """Return the file's bytes. Raises UsageError if its owner and group could not be kept."""
    data = _read(path)
    if reason := files.obstacle(str(path)):
        raise UsageError(reason, "run this as the owner of the file")
    return data


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None


def _replace(path: Path, data: bytes) -> bool:
    if _read(path) == data:
        return False
    try:
        durable.replace(str(path), data)
    except AgentError as trouble:
        raise UsageError(trouble.message, trouble.hint) from None
    return True
