"""The messages between the controller and the workers, as JSON text.

In clear are only the version of scimconf, the run, the number of the job and its zone. Everything
else is sealed, and bound to these four: the engine cannot exchange the jobs or the answers.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NoReturn, TypeVar

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from scimconf import __version__
from scimconf.fleet.job import (
    Apply,
    Changed,
    CheckPublic,
    Job,
    Note,
    Observe,
    Recover,
    RollBackOne,
    UndoOrRecover,
)
from scimconf.fleet.look import Looked
from scimconf.model import Observed as ObservedServer
from scimconf.model import Outcome, Server, WayFact
from scimconf.sanitize import one_line
from scimconf.secret import Secret
from scimconf.ssh.session import Credentials, Options
from scimconf.workers.wire import WireError, from_data, to_data
from scimconf.workers.zone_key import Channel, NotOpenedError, open_box, seal

Answer = TypeVar("Answer")

LARGEST = 32 << 20
"""Characters of a message. The largest answer of an agent has 4 MiB."""

_JOBS: Mapping[str, type[Job[Any]]] = {
    "observe": Observe,
    "recover": Recover,
    "apply": Apply,
    "roll back": RollBackOne,
    "note": Note,
    "undo or recover": UndoOrRecover,
    "check": CheckPublic,
}


class MessageError(Exception):
    """The message cannot be used. str() is the reason, safe to print."""


class RefusedError(MessageError):
    """A worker has not done the job. str() is its reason."""


@dataclass(frozen=True, slots=True)
class Label:
    """What a message shows in clear."""

    run: str
    """A random name for the run."""
    job: int
    zone: str
    scimconf: str = __version__

    @property
    def bound(self) -> bytes:
        """What the sealed content is bound to."""
        return json.dumps([self.scimconf, self.run, self.job, self.zone]).encode()

    def as_data(self) -> dict[str, object]:
        """Return the label as JSON data."""
        return {"scimconf": self.scimconf, "run": self.run, "job": self.job, "zone": self.zone}


@dataclass(frozen=True, slots=True)
class Login:
    """The secrets of one server, decrypted (`scimconf.ssh.options.Credentials`)."""

    password: Secret | None = None
    become_password: Secret | None = None
    passphrase: Secret | None = None

    @classmethod
    def of(cls, known: Credentials) -> Login:
        """Return what can be sent."""
        return cls(known.password, known.become_password, known.passphrase)

    @property
    def credentials(self) -> Credentials:
        """The secrets for ssh. No person can be asked on a worker."""
        return Credentials(self.password, self.become_password, self.passphrase)


@dataclass(frozen=True, slots=True)
class Order:
    """A job, and what a worker needs to connect to its servers."""

    job: Job[Any]
    logins: Mapping[str, Login] = field(repr=False)
    options: Options


@dataclass(frozen=True, slots=True)
class _Seen:
    """A Looked without its Desired, which the controller has."""

    outcome: Outcome
    observed: ObservedServer | None
    retryable: bool
    reached: tuple[WayFact, ...]


# --- a job --------------------------------------------------------------------------------------


def seal_order(order: Order, label: Label, zone: X25519PublicKey) -> tuple[str, Channel]:
    """Return the message for a worker, and the channel for its answers."""
    kind = next(name for name, each in _JOBS.items() if isinstance(order.job, each))
    data = {
        "kind": kind,
        "job": to_data(_without_secrets(order.job), _JOBS[kind]),
        "logins": to_data(order.logins, Mapping[str, Login]),  # type: ignore[type-abstract]
        "options": to_data(order.options, Options),
    }
    box, channel = seal(json.dumps(data).encode(), zone, label.bound)
    return _text(label.as_data(), box), channel


def label_of(text: object) -> Label:
    """Return the label of a message. Raises MessageError."""
    top = _object(text)
    try:
        return from_data({name: top[name] for name in ("run", "job", "zone", "scimconf")}, Label)
    except (KeyError, WireError):
        raise MessageError("the message has no label of scimconf") from None


def open_order(text: str, label: Label, zone: X25519PrivateKey) -> tuple[Order, Channel]:
    """Return the job of a message, and the channel for its answers. Raises MessageError."""
    try:
        data, channel = open_box(_box(_object(text)), zone, label.bound)
        top = json.loads(data)
        order = Order(
            from_data(top["job"], _JOBS[top["kind"]]),
            from_data(top["logins"], Mapping[str, Login]),  # type: ignore[type-abstract]
            from_data(top["options"], Options),
        )
    except NotOpenedError:
        raise MessageError("the job was sealed for another key") from None
    except (KeyError, TypeError, WireError) as error:
        raise MessageError(f"the job is not valid ({type(error).__name__})") from None
    return order, channel


def _without_secrets(job: Job[Any]) -> Job[Any]:
    """Return the job without the tokens and passwords that the inventory has for its servers.

    A worker gets the passwords with the `logins`, and tokens only if the job needs them.
    """
    if isinstance(job, Observe):
        return replace(job, desired=replace(job.desired, server=_blank(job.desired.server)))
    if isinstance(job, Apply | UndoOrRecover):
        return replace(job, looked=tuple(_blank_looked(each) for each in job.looked))
    if isinstance(job, Recover | RollBackOne | Note | CheckPublic):
        return replace(job, looked=_blank_looked(job.looked))
    raise TypeError(type(job))


def _blank_looked(each: Looked) -> Looked:
    return replace(each, desired=replace(each.desired, server=_blank(each.server)))


def _blank(server: Server) -> Server:
    how = replace(server.connection, password=None, become_password=None, passphrase=None)
    realms = tuple(
        replace(realm, token=Secret("")) if isinstance(realm.token, Secret) else realm
        for realm in server.realms
    )
    return replace(server, connection=how, realms=realms)


# --- an answer ----------------------------------------------------------------------------------


def seal_answer(answer: object, label: Label, channel: Channel) -> str:
    """Return the message with the answer to a job."""
    data = _answer_data(answer)
    box = channel.seal(json.dumps(data).encode(), b"answer:" + label.bound)
    return _text(label.as_data(), box)


def refusal(label: Label | None, reason: str) -> str:
    """Return the message of a worker that cannot do a job. It is not sealed."""
    return json.dumps({**(label.as_data() if label else {}), "refused": reason})


def open_answer(text: object, job: Job[Answer], label: Label, channel: Channel) -> Answer:
    """Return the answer to a job. Raises MessageError if there is none, RefusedError for a no."""
    top = _object(text)
    if isinstance(refused := top.get("refused"), str):
        raise RefusedError(one_line(refused))
    try:
        data = json.loads(channel.open(_box(top), b"answer:" + label.bound), parse_constant=_no)
        answer = _answer(data, job)
    except (NotOpenedError, WireError, ValueError, TypeError, RecursionError):
        raise MessageError("the answer of the worker is not valid, and was ignored") from None
    return answer  # type: ignore[no-any-return]


def _answer_data(answer: object) -> Any:
    if isinstance(answer, Looked):
        seen = _Seen(answer.outcome, answer.observed, answer.retryable, answer.reached)
        return to_data(seen, _Seen)
    return to_data(answer, type(answer))


def _answer(data: Any, job: Job[Any]) -> Any:
    names = [server.name for server in job.servers]
    if isinstance(job, Observe | Recover):
        seen = from_data(data, _Seen)
        _check([seen.outcome], names)
        desired = job.desired if isinstance(job, Observe) else job.looked.desired
        return Looked(desired, seen.outcome, seen.observed, seen.retryable, seen.reached)
    if isinstance(job, Apply | UndoOrRecover):
        changed = from_data(data, Changed)
        _check(changed.outcomes, names)
        return changed
    outcome = from_data(data, Outcome)
    _check([outcome], names)
    return outcome


def _check(outcomes: Sequence[Outcome], names: Sequence[str]) -> None:
    """Raise WireError unless the outcomes are those of these servers."""
    found = [(each.server, each.plan.server if each.plan else each.server) for each in outcomes]
    if found != [(name, name) for name in names]:
        raise WireError("the outcomes of other servers")


# --- the progress of a job ----------------------------------------------------------------------


def seal_step(step: Sequence[object], label: Label, channel: Channel) -> str:
    """Return the message that tells the controller about a step."""
    box = channel.seal(json.dumps(step).encode(), b"step:" + label.bound)
    return _text(label.as_data(), box)


def open_step(text: object, label: Label, channel: Channel) -> list[Any]:
    """Return the step. Raises MessageError."""
    try:
        step = json.loads(channel.open(_box(_object(text)), b"step:" + label.bound))
    except (NotOpenedError, ValueError, RecursionError):
        raise MessageError("the step is not valid") from None
    if not isinstance(step, list):
        raise MessageError("the step is not valid")
    return step


# --- text ---------------------------------------------------------------------------------------


def _text(label: Mapping[str, object], box: bytes) -> str:
    return json.dumps({**label, "box": base64.b64encode(box).decode()})


def _object(text: object) -> Mapping[str, Any]:
    if not isinstance(text, str) or len(text) > LARGEST:
        raise MessageError("the message is not text, or it is too long")
    try:
        top = json.loads(text)
    except (ValueError, RecursionError):
        raise MessageError("the message is not JSON") from None
    if not isinstance(top, dict):
        raise MessageError("the message is not a JSON object")
    return top


def _box(top: Mapping[str, Any]) -> bytes:
    box = top.get("box")
    if not isinstance(box, str):
        raise MessageError("the message has no content")
    try:
        return base64.b64decode(box, validate=True)
    except (ValueError, binascii.Error):
        raise MessageError("the content of the message is not valid") from None


def _no(name: str) -> NoReturn:
    raise ValueError(name)  # NaN and Infinity are not JSON
