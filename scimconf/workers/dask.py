"""Do the jobs of a run on the workers of a Dask cluster.

Dask gets one function of this module and text. It returns text. Nobody unpickles a value of ours.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import secrets
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

from dask import config
from distributed import Client, Future, KilledWorker, Security, get_worker

from scimconf import __version__
from scimconf.errors import HostError, ScimconfError, Unreachable, UsageError, bug
from scimconf.fleet.job import Apply, Changed, CheckPublic, Job, RollBackOne, UndoOrRecover
from scimconf.fleet.look import Looked
from scimconf.fleet.observe import Agent
from scimconf.fleet.watcher import Watcher
from scimconf.model import Server
from scimconf.plan.commands import for_server
from scimconf.sanitize import one_line
from scimconf.ssh.session import Credentials, Options
from scimconf.workers import limits, message
from scimconf.workers.attempts import settle
from scimconf.workers.message import Label, Login, MessageError, Order, RefusedError
from scimconf.workers.scheduler import Scheduler
from scimconf.workers.work import work
from scimconf.workers.zone_key import Channel, public_key

Answer = TypeVar("Answer")

_TOPIC = "scimconf"
"""The topic of the steps of all runs, sealed. The scheduler keeps some of the last ones."""
_CONNECT = 10.0
"""Seconds to reach the scheduler."""
_TURN = 1.0
"""Seconds between two looks at a job in progress."""
_NOBODY = 30.0
"""Seconds after which a zone that has lost its last worker has none."""
_SHARE = 2.0**-20
"""What a job takes of a worker's resource `zone-NAME`: the threads limit how many jobs it does."""

_LOGGERS = ("distributed", "distributed.client", "tornado", "tornado.application", "asyncio")
"""Their messages, with tracebacks, repeat what a run reports."""

PROFILER = "DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED"
"""The environment variable that switches Dask's profiler off."""


def remote(text: str) -> str:
    """Do one job. Workers call this."""
    worker = get_worker()
    address = str(worker.address)
    return work(text, lambda step: worker.log_event(_TOPIC, step), address, _obstacle())


def _obstacle() -> str:
    """Return why this worker must not work; "" if it may.

    The profiler asks for the stacks of all threads. With Python < 3.12, that can stop a process
    forever if a thread starts or ends at the same time (CPython issue 106883). Each SSH connection
    starts threads: two of 141 runs on a busy machine hung.
    """
    if sys.version_info >= (3, 12) or not config.get("distributed.worker.profile.enabled", True):
        return ""
    return f"may hang, because Dask's profiler is on: set {PROFILER}=False in its service"


@dataclass(slots=True)
class _InProgress:
    """A job that a worker does."""

    label: Label
    channel: Channel
    watcher: Watcher
    ended: threading.Event = field(default_factory=threading.Event)
    attempts: set[str] = field(default_factory=set)
    """Random names of the attempts that began."""
    begun: float | None = None
    """When the last attempt began, on the monotonic clock."""
    worker: str = ""


class Workers(AbstractContextManager["Workers"]):
    """The workers of a Dask cluster, as a Runner."""

    def __init__(
        self,
        scheduler: Scheduler,
        servers: Sequence[Server],
        login: Callable[[Server], Credentials],
        options: Options,
    ) -> None:
        """Connect to the scheduler. Raises UsageError, also for a zone without a worker or a key.

        `login`: returns the secrets of a server; raises ScimconfError.
        """
        zones = dict.fromkeys(each.zone for each in servers)
        self._zones = {zone: public_key(scheduler.zone_keys, zone) for zone in zones}
        self._login = login
        self._options = options
        self._address = scheduler.address
        self._run = secrets.token_hex(8)
        self._numbers = itertools.count(1)
        self._jobs: dict[int, _InProgress] = {}
        self._lost = False
        self._sign = time.monotonic()
        self._serving = frozenset(zones)
        self._asked = time.monotonic()
        self._asking = threading.Lock()
        self._client = _connect(scheduler)
        self._connection = self._client.scheduler_comm
        try:
            self._check_zones()
            self._client.subscribe_topic(_TOPIC, self._hear)
        except BaseException:
            self._close()
            raise

    def __exit__(self, *_: object) -> None:
        self._close()

    def _close(self) -> None:
        with suppress(Exception):
            self._client.close(timeout=2)

    def ask(self, server: Server, question: Callable[[Agent, Server], Answer]) -> Answer:
        """See Runner. A question is no job: it cannot be sent to a worker."""
        raise HostError(
            "worker",
            "a worker does not answer this question",
            "run the command without --scheduler, on a machine that reaches the server",
        )

    def hang_up(self, servers: Iterable[Server]) -> None:
        """See Runner. Workers keep no conversation open."""

    # --- one job --------------------------------------------------------------------------------

    def do(self, job: Job[Answer], watcher: Watcher) -> Answer:
        """See Runner. If a worker dies during the job, another one does it."""
        answer, unsure = self._once(job, watcher)
        if not unsure or self._is_lost():
            return answer
        if isinstance(job, Apply) and isinstance(answer, Changed):
            return cast(Answer, self._settle(job, answer, watcher))
        return answer

    def _settle(self, job: Apply, answer: Changed, watcher: Watcher) -> Changed:
        """Return what is true about servers whose change another attempt may have begun."""

        def look(asked: Job[Looked]) -> Looked:
            return self._once(asked, watcher)[0]

        changed, left = settle(job, answer, look, limits.seconds(job, self._options))
        return changed if left is None else self._once(left, watcher)[0]

    def _once(self, job: Job[Answer], watcher: Watcher) -> tuple[Answer, bool]:
        """Return the answer, and whether an attempt may have begun that did not give it."""
        number = next(self._numbers)
        running: _InProgress | None = None
        try:
            if self._is_lost():
                raise self._gone()
            label = Label(self._run, number, job.servers[0].zone)
            order = Order(job, self._logins(job), self._options)
            text, channel = message.seal_order(order, label, self._zones[label.zone])
            running = self._jobs[number] = _InProgress(label, channel, watcher)
            answer = self._answer(job, text, running)
        except Exception as error:
            known = error if isinstance(error, ScimconfError) else bug(error)
            return job.failed(known), running is not None and bool(running.attempts)
        finally:
            self._jobs.pop(number, None)
            for server in job.servers:
                watcher.done(server.name)
        return answer, len(running.attempts) > 1

    def _is_lost(self) -> bool:
        """Whether the connection to the scheduler was lost. It is not used again then.

        Dask connects again by itself, but a new scheduler would not pass on the steps of workers.
        """
        if self._client.status != "running" or self._client.scheduler_comm is not self._connection:
            self._lost = True
        return self._lost

    def _logins(self, job: Job[Any]) -> Mapping[str, Login]:
        if isinstance(job, CheckPublic):
            return {}
        return {server.name: Login.of(self._login(server)) for server in job.servers}

    def _answer(self, job: Job[Answer], text: str, running: _InProgress) -> Answer:
        """Send the job, wait, and return its answer. Raises HostError."""
        future = None
        try:
            future = self._client.submit(
                remote,
                text,
                key=f"scimconf-{self._run}-{running.label.job}",
                pure=False,
                resources={_resource(running.label.zone): _SHARE},
            )
            future.add_done_callback(lambda _: running.ended.set())
            self._wait(job, running, future)
            if future.status == "cancelled" or self._client.status != "running":
                self._lost = True
                raise self._unknown(job, running, "the connection to the scheduler was lost")
            if future.status == "error":
                raise self._died(future, job, running)
            # If the worker died before its answer was fetched, Dask does the job once more.
            found = future.result(timeout=limits.SLACK)
        except HostError:
            raise
        except Exception as error:
            why = f"the answer of the worker was lost ({type(error).__name__})"
            raise self._unknown(job, running, why) from None
        finally:
            if future is not None:
                future.release()  # a job that has not begun will not begin
        try:
            return message.open_answer(found, job, running.label, running.channel)
        except RefusedError as error:
            if running.attempts:  # of a worker that did not refuse, and died
                raise self._unknown(job, running, str(error)) from None
            raise Unreachable("worker", str(error), "see: scimconf help scale") from None
        except MessageError as error:
            raise self._unknown(job, running, str(error)) from None

    def _wait(self, job: Job[Any], running: _InProgress, future: Future) -> None:
        """Wait until the job has ended, or the connection to the scheduler is lost.

        Raises HostError if its worker hangs, or there is none.
        """
        limit = limits.seconds(job, self._options)
        sent = time.monotonic()
        alone = 0.0
        while not (running.ended.wait(_TURN) or future.done()):
            if self._client.status != "running":
                return
            now = time.monotonic()
            since = running.begun if running.begun is not None else max(sent, self._sign)
            if now - since > limit:
                who = f"worker {running.worker}" if running.worker else "the workers"
                raise self._unknown(job, running, f"no answer of {who} within {limit:.0f} s")
            if running.begun is None and not self._is_served(running.label.zone):
                alone = alone or now
                if now - alone > _NOBODY:
                    raise Unreachable("worker", *_no_worker(running.label.zone))
            else:
                alone = 0.0

    # --- what can go wrong ----------------------------------------------------------------------

    def _unknown(self, job: Job[Any], running: _InProgress, why: str) -> HostError:
        """Return the error for a job whose end is not known."""
        if not isinstance(job, Apply | RollBackOne | UndoOrRecover):
            return Unreachable("worker", why, "check the workers, then run the command again")
        shown = "; ".join(for_server("plan", server) for server in job.servers)
        return HostError(
            "worker",
            f"{why} during the change",
            f"the server commits or rolls back by itself; to see the result: {shown}",
        )

    def _died(self, future: Future, job: Job[Any], running: _InProgress) -> HostError:
        error = future.exception(timeout=limits.SLACK)
        if isinstance(error, KilledWorker):
            return self._unknown(job, running, "several workers died, one after the other")
        name, text = type(error).__name__, one_line(str(error), 120)
        if running.attempts:  # of another worker, which died
            return self._unknown(job, running, f"the next worker cannot run scimconf ({name})")
        return Unreachable(
            "worker",
            f"the worker cannot run scimconf ({name}: {text})",
            f"install the same version on it: pip install 'scimconf[dask]=={__version__}'",
        )

    def _gone(self) -> Unreachable:
        return Unreachable(
            "worker",
            f"not started, because the connection to the scheduler {self._address} was lost",
            "check the scheduler, then run the command again",
        )

    # --- the cluster ----------------------------------------------------------------------------

    def _check_zones(self) -> None:
        """Raise UsageError if a zone has no worker."""
        try:
            serving = self._zones_now()
        except (OSError, asyncio.TimeoutError) as error:
            raise _unreachable(self._address, error) from None
        for zone in sorted(self._zones):
            if zone not in serving:
                raise UsageError(*_no_worker(zone))

    def _is_served(self, zone: str) -> bool:
        """Whether a worker serves the zone; True if that is not known.

        One thread asks the scheduler. The others use the last answer, so that they never wait.
        """
        due = time.monotonic() - self._asked > _NOBODY / 4
        if due and self._asking.acquire(blocking=False):
            try:
                self._serving = self._zones_now()
            except Exception:  # the scheduler does not answer: the time limit counts
                self._serving = frozenset(self._zones)
            finally:
                self._asked = time.monotonic()
                self._asking.release()
        return zone in self._serving

    def _zones_now(self) -> frozenset[str]:
        client = self._client
        known = client.sync(client.scheduler.identity, n_workers=-1, callback_timeout=_CONNECT)
        return frozenset(
            zone
            for worker in known["workers"].values()
            for zone in self._zones
            if worker.get("resources", {}).get(_resource(zone), 0) >= _SHARE
        )

    def _hear(self, event: tuple[float, Any]) -> None:
        """Read a step that a worker tells. It must not raise: Dask would log the event."""
        with suppress(Exception):
            self._sign = time.monotonic()
            told = event[1]
            text = told.get("msg") if isinstance(told, dict) else told
            label = message.label_of(text)
            running = self._jobs.get(label.job)
            if label.run == self._run and running is not None:
                _follow(running, message.open_step(text, running.label, running.channel))


def _follow(running: _InProgress, step: list[Any]) -> None:
    match step:
        case ["begin", str() as attempt, str() as worker] if attempt not in running.attempts:
            running.attempts.add(attempt)  # a step that is told again prolongs no limit
            running.begun = time.monotonic()
            running.worker = one_line(worker, 80)
        case ["step", str() as server, str() as name, bool() as doing]:
            running.watcher.step(server, one_line(name, 200), doing)
        case ["done", str() as server]:
            running.watcher.done(server)


def _connect(scheduler: Scheduler) -> Client:
    for name in _LOGGERS:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    security = None
    if scheduler.uses_tls:
        security = Security(
            tls_ca_file=str(scheduler.ca),
            tls_client_cert=str(scheduler.cert),
            tls_client_key=str(scheduler.key),
            require_encryption=True,
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about other versions of Python packages
            return Client(
                scheduler.address,
                security=security,
                timeout=_CONNECT,
                set_as_default=False,
                name="scimconf",
            )
    except (OSError, ValueError, TypeError, asyncio.TimeoutError) as error:
        raise _unreachable(scheduler.address, error) from None


def _unreachable(address: str, error: Exception) -> UsageError:
    return UsageError(
        f"cannot connect to the scheduler {address}: {one_line(str(error), 200) or 'no answer'}",
        "check the address, that the scheduler is running, and the certificates",
    )


def _resource(zone: str) -> str:
    return f"zone-{zone}"


def _no_worker(zone: str) -> tuple[str, str]:
    return (
        f"no worker serves zone {zone}",
        f"start one: dask worker ... --resources zone-{zone}=1 (scimconf help scale)",
    )
