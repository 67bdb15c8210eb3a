"""Do one job on a worker: text in, text out."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import cache

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from scimconf import __version__
from scimconf.errors import ScimconfError, UsageError, bug
from scimconf.fleet.connections import Connections
from scimconf.model import Server
from scimconf.ssh import session
from scimconf.workers import message
from scimconf.workers.message import Label, MessageError, Order
from scimconf.workers.zone_key import Channel, private_key

KEY = "SCIMCONF_WORKER_KEY"
"""The environment variable of a worker with the file of its zone's private key."""

Tell = Callable[[str], None]
"""Sends a text to the controller at once."""


def work(text: str, tell: Tell, worker: str = "", obstacle: str = "") -> str:
    """Do the job of a message and return the message with its answer. Never raises.

    `worker`: the name of this worker, for messages. `obstacle`: why it must not work. An exception
    would show the text of the job in the logs of the engine.
    """
    label = None
    try:
        label = message.label_of(text)
        if label.scimconf != __version__:
            raise MessageError(
                f"worker {worker} has scimconf {__version__}, and the controller has scimconf "
                f"{label.scimconf}: install the same version on both"
            )
        if obstacle:
            raise MessageError(f"worker {worker} {obstacle}")
        order, channel = message.open_order(text, label, _zone_key(worker, label.zone))
        return _do(order, label, channel, tell, worker)
    except MessageError as error:
        return message.refusal(label, str(error))
    except Exception as error:
        known = error if isinstance(error, ScimconfError) else bug(error)
        return message.refusal(label, known.message)


def _do(order: Order, label: Label, channel: Channel, tell: Tell, worker: str) -> str:
    reporter = _Reporter(label, channel, tell)
    # A second attempt has another number. The controller must know that there was a first one.
    reporter.tell("begin", secrets.token_hex(8), worker)

    def open_agent(server: Server) -> AbstractContextManager[session.Conversation]:
        credentials = order.logins[server.name].credentials
        return session.open_agent(server.connection, server.paths, credentials, order.options)

    try:
        with Connections(open_agent) as connections:
            answer = order.job.do(connections, reporter)
    except Exception as error:  # a change may have begun, so this is no refusal
        answer = order.job.failed(error)
    return message.seal_answer(answer, label, channel)


class _Reporter:
    """Sends the steps of a job to the controller. It is the Watcher of the job."""

    def __init__(self, label: Label, channel: Channel, tell: Tell) -> None:
        self._label = label
        self._channel = channel
        self._tell = tell

    def tell(self, *step: object) -> None:
        self._tell(message.seal_step(step, self._label, self._channel))

    def step(self, server: str, name: str, doing: bool) -> None:
        """See Watcher."""
        self.tell("step", server, name, doing)

    def done(self, server: str) -> None:
        """See Watcher."""
        self.tell("done", server)


def _zone_key(worker: str, zone: str) -> X25519PrivateKey:
    file = os.environ.get(KEY, "")
    if not file:
        raise MessageError(f"worker {worker} has no private key: set {KEY} in its service")
    try:
        return _read(file)
    except UsageError as error:
        where = f"the private key of zone {zone} on worker {worker}"
        raise MessageError(f"{where} cannot be used: {error.message}") from None


@cache
def _read(file: str) -> X25519PrivateKey:
    """Read the key once: it does not change while a worker runs."""
    return private_key(file)
