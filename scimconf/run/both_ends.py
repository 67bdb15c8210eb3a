"""Change tokens in Zulip and at their identity providers as one change (`rotate`).

For each deployment: check, note in the token file and on the servers, pause, change Zulip, set,
test, resume. It ends in one of three ways: the new tokens at both ends, the old ones at both ends,
or `split`. The notes stay until the first or the second is certain.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from functools import partial

from scimconf.errors import UsageError
from scimconf.fleet.deployment import RollBack
from scimconf.fleet.look import Looked
from scimconf.fleet.watcher import Watcher
from scimconf.idp.base import IdpError, NotSupportedError
from scimconf.model import Outcome, Status
from scimconf.run.delivery import Delivery, Note, begun, forget
from scimconf.run.end import (
    End,
    all_in_force,
    gap,
    is_open,
    is_undecided,
    is_undone,
    not_begun,
    rolled_back,
    split,
    with_checks,
)
from scimconf.tokens import rotation
from scimconf.tokens.entries import Entry
from scimconf.tokens.keyring import Keyring, Tokens
from scimconf.tokens.store import Key


@dataclass
class BothEnds:
    """The deliveries of a rotation. `around` may run in several threads, for other deployments."""

    found: Sequence[Delivery]
    keyring: Keyring
    new: Tokens
    """The tokens that the rotation puts in force, by server and realm."""
    old: Tokens
    """The tokens in force before."""
    note: Note
    """Changes the notes on a server."""
    fallback: bool = True
    """Whether the old token may come back."""
    by_hand: bool = False
    """Whether a person may enter the token, because it was staged or in force before."""
    left: set[Key] = field(default_factory=set)
    """The realms whose providers take no token, so that a person enters it there."""
    notes: dict[Key, Callable[[Entry], Entry]] = field(default_factory=dict)
    """What the token file will say about each delivery."""

    def around(
        self,
        servers: Sequence[Looked],
        change: Callable[[], list[Outcome]],
        undo: RollBack,
        watcher: Watcher,
    ) -> list[Outcome]:
        """Change a deployment at both ends."""
        deployment = servers[0].server.deployment
        ends = [End(each, each.idp()) for each in self.found if each.key[0] == deployment]
        if not ends or not all(each.seen for each in servers):
            return change()  # of a deployment that was not seen as a whole, nothing is changed
        doing = _Doing(ends[0].delivery.server.name, watcher)
        if not self._checked(servers, ends, doing):
            return with_checks(not_begun(servers), ends)
        able = [end for end in ends if end.delivery.key not in self.left]
        outcomes = self._both(servers, change, undo, able, doing) if able else change()
        return with_checks(outcomes, [end for end in ends if end.delivery.key in self.left])

    def _both(
        self,
        servers: Sequence[Looked],
        change: Callable[[], list[Outcome]],
        undo: RollBack,
        ends: Sequence[End],
        doing: _Doing,
    ) -> list[Outcome]:
        """Note the delivery on the servers, then change Zulip and the providers."""
        noted = self._noted(servers, ends, doing)
        servers = noted or servers
        if not (noted and self._paused(servers, ends, doing)):
            return with_checks(not_begun(servers), ends)
        begun = time.monotonic()
        outcomes = change()
        if any(is_undecided(each, ends) for each in outcomes):
            return with_checks([is_open(each, ends) for each in outcomes], ends)
        if not all_in_force(servers, outcomes):
            return self._stayed_old(servers, outcomes, ends, doing)
        if all(self._delivered(end, begun, doing) for end in ends):
            self._resume(servers, ends, doing)
            return with_checks([gap(each, ends) for each in outcomes], ends)
        if not (self.fallback and all(self._had_old(end, servers) for end in ends)):
            return with_checks([split(each, ends, "new") for each in outcomes], ends)
        undone = [
            undo(each, outcome) if outcome.status is Status.CHANGED else outcome
            for each, outcome in zip(servers, outcomes, strict=True)
        ]
        pairs = list(zip(outcomes, undone, strict=True))
        if any(not is_undone(*each) for each in pairs):
            steps = [replace(b, steps=(*b.steps, *a.steps)) for b, a in pairs]
            return with_checks([split(each, ends, "new") for each in steps], ends)
        undone = [rolled_back(*each) for each in pairs]
        return self._stayed_old(servers, undone, ends, doing)

    def finish(self, looked: Looked, outcome: Outcome, watcher: Watcher) -> Outcome:
        """Deliver the new tokens of a server that has them already: an earlier run ended early."""
        mine = [each for each in self.found if each.server.name == looked.server.name]
        if outcome.status is not Status.OK or not mine:
            return outcome
        outcome = replace(outcome, in_force=True)  # the token file follows, whatever fails here
        doing = _Doing(looked.server.name, watcher)
        ends = [End(each, each.idp()) for each in mine]
        checked = all(self._check(end, doing) for end in ends)
        able = [end for end in ends if end.delivery.key not in self.left]
        for end in able:
            note = begun(end.delivery, self.keyring, [looked])
            end.was_paused, end.is_paused = rotation.was_paused(note), bool(note)
            self.notes[end.delivery.key] = _open(end)
        if checked and all(self._delivered(end, time.monotonic(), doing) for end in able):
            self._resume([looked], able, doing)
        else:
            outcome = split(outcome, able, "new")
        watcher.done(looked.server.name)
        return with_checks([outcome], ends)[0]

    # --- the steps ----------------------------------------------------------------------------

    def _checked(self, servers: Sequence[Looked], ends: Sequence[End], doing: _Doing) -> bool:
        """Check all providers. Then note in the token file that a delivery begins."""
        if not all(self._check(end, doing) for end in ends):
            return False
        ends = [end for end in ends if end.delivery.key not in self.left]
        for end in ends:
            note = begun(end.delivery, self.keyring, servers)
            if note:  # only the run that died knows who had paused it
                end.was_paused = rotation.was_paused(note)
                end.has = "unknown"
        try:
            self.keyring.note({each.delivery.key: _open(each) for each in ends})
        except UsageError as error:  # another run has changed the token file
            ends[0].checks.append(ends[0].delivery.failed("note", error))
            return False
        self.notes |= {each.delivery.key: _open(each) for each in ends}
        return True

    def _check(self, end: End, doing: _Doing) -> bool:
        """Check a provider. Leave out one that takes no token, if a person may enter it there."""
        try:
            doing("check")
            end.was_paused = end.idp.check()
        except NotSupportedError as error:
            failed = end.delivery.failed("check", error)
            if not self.by_hand:
                end.checks.append(replace(failed, hint=end.delivery.in_steps))
                return False
            self.left.add(end.delivery.key)
            message = f"not delivered: {failed.message}"
            end.checks.append(replace(failed, result="warning", message=message, hint=""))
        except Exception as error:
            end.checks.append(end.delivery.failed("check", error))
            return False
        return True

    def _noted(self, servers: Sequence[Looked], ends: Sequence[End], doing: _Doing) -> list[Looked]:
        """Note on all servers that a delivery begins. Return the servers as they are now.

        If a server does not take the note, return an empty list.
        """
        file = self.keyring.file
        keys = [end.delivery.key for end in ends]
        new = {key[1]: entry.delivering for key in keys if (entry := file.entry(*key))}
        noted: list[Looked] = []
        for each in servers:
            if each.observed is None:
                continue
            known = each.observed.deliveries
            doing("note")
            turns = {realm: (known.get(realm, ""), note) for realm, note in new.items()}
            done = self.note(each, turns, doing.watcher)
            if done.status is not Status.CHANGED:
                failed = ends[0].delivery.check("note", "failed", done.message, done.hint)
                ends[0].checks.append(failed)
                self._resume(noted, ends, doing)
                return []
            observed = replace(each.observed, deliveries={**known, **new})
            noted.append(replace(each, observed=observed))
        return noted

    def _paused(self, servers: Sequence[Looked], ends: Sequence[End], doing: _Doing) -> bool:
        """Pause all providers. If one fails, start all again."""
        for end in ends:
            try:
                doing("pause")
                end.is_paused = True  # also if the answer is lost
                said = end.idp.pause()
                end.checks.append(end.delivery.check("pause", "ok", said))
            except NotSupportedError:
                end.is_paused = False
            except Exception as error:
                end.checks.append(end.delivery.failed("pause", error))
                self._resume(servers, ends, doing)
                return False
        return True

    def _delivered(self, end: End, begun: float, doing: _Doing) -> bool:
        """Set and test the new token. Return whether that succeeded."""
        token = self.new[end.delivery.server.name][end.delivery.key[1]]
        try:
            doing("set")
            before, end.has = end.has, "unknown"
            end.checks.append(end.delivery.check("set", "ok", end.idp.set(token)))
            end.has = "new"
            end.seconds = time.monotonic() - begun
        except Exception as error:
            if isinstance(error, IdpError) and not error.unknown:
                end.has = before
            end.checks.append(end.delivery.failed("set", error))
            return False
        try:
            doing("test")
            end.checks.append(end.delivery.check("test", "ok", end.idp.test()))
        except NotSupportedError as error:
            message = f"not tested: {error.message}"
            end.checks.append(end.delivery.check("test", "warning", message))
        except Exception as error:
            end.checks.append(end.delivery.failed("test", error))
            return False
        return True

    def _resume(self, servers: Sequence[Looked], ends: Sequence[End], doing: _Doing) -> None:
        """Start the providers that a run has paused. Delete the notes on the servers.

        What the token file will say is planned only: it is written at the end of the run.
        """
        now = datetime.now(timezone.utc)
        for end in ends:
            if end.is_paused and not end.was_paused:
                try:
                    doing("resume")
                    said = end.idp.resume()
                    end.checks.append(end.delivery.check("resume", "ok", said))
                except Exception as error:
                    failed = end.delivery.failed("resume", error)
                    hint = f"it may be paused still; to start it: {end.delivery.again}"
                    end.checks.append(replace(failed, hint=hint))
                    continue
            if end.has == "new":
                self.notes[end.delivery.key] = partial(rotation.delivered, now=now)
            elif end.has == "old":
                self.notes[end.delivery.key] = rotation.ended
            else:
                continue
            end.checks += forget(end.delivery, servers, self.note, doing.watcher)

    def _stayed_old(
        self,
        servers: Sequence[Looked],
        outcomes: Sequence[Outcome],
        ends: Sequence[End],
        doing: _Doing,
    ) -> list[Outcome]:
        """Zulip has the old tokens: make sure that the providers have them, too, and start them."""
        for end in ends:
            if end.has != "old" and not self._set_old(end, servers, doing):
                return with_checks([split(each, ends, "old") for each in outcomes], ends)
        self._resume(servers, ends, doing)
        return with_checks(outcomes, ends)

    def _set_old(self, end: End, servers: Sequence[Looked], doing: _Doing) -> bool:
        step = "set the old token"
        if not self._had_old(end, servers):
            message = "it is not known which token Zulip had before"
            end.checks.append(end.delivery.check(step, "failed", message))
            return False
        token = self.old[end.delivery.server.name][end.delivery.key[1]]
        try:
            doing(step)
            end.idp.set(token)
        except Exception as error:
            end.checks.append(end.delivery.failed(step, error))
            return False
        end.has = "old"
        end.checks.append(end.delivery.check(step, "ok", "the old token is set"))
        return True

    def _had_old(self, end: End, servers: Sequence[Looked]) -> bool:
        """Return whether the servers had the token of the token file before the change.

        Else an earlier run has changed them, and an undo would not bring that token back.
        """
        entry = self.keyring.file.entry(*end.delivery.key)
        for each in servers:
            found = each.observed.realms.get(end.delivery.key[1]) if each.observed else None
            token = found.token if found else None
            if not (entry and token and token.created == entry.created):
                return False
        return True


@dataclass(frozen=True)
class _Doing:
    """Shows the present step of a delivery."""

    server: str
    watcher: Watcher

    def __call__(self, step: str) -> None:
        self.watcher.step(self.server, f"deliver: {step}", True)


def _open(end: End) -> Callable[[Entry], Entry]:
    """Return the note that a delivery is under way."""
    now = datetime.now(timezone.utc)
    return partial(rotation.begun, now=now, was_paused=end.was_paused)
