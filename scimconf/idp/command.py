"""Any program of the operator: it gets one JSON object on stdin, and answers with its exit status.

The contract is the page docs/idp/command.md.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Literal

from scimconf import child
from scimconf.idp.base import Idp, IdpError, NotSupportedError, Target, shown
from scimconf.idp.kinds import destination, words
from scimconf.model import Deliver
from scimconf.secret import Secret

Event = Literal["pause", "set", "test", "resume"]

NOT_SUPPORTED = 10
"""The exit status for an event that the program does not handle."""
TIMEOUT = 300.0
"""Seconds for one event."""
_MOST = 64 * 1024
"""Bytes of stdout."""
_STARTS = (
    "check that the program exists, is executable (chmod +x) and begins with a line such as "
    "#!/bin/sh; or correct deliver in the inventory"
)
_HANDLES_SET = "change the program: every program must handle set (scimconf help deliver-command)"
_BY_HAND = (
    "to see its stderr, run it by hand with the event on stdin (scimconf help deliver-command)"
)


class Command(Idp):
    """A program that delivers the token."""

    def __init__(
        self,
        deliver: Deliver,
        target: Target,
        *,
        timeout: float = TIMEOUT,
    ) -> None:
        self._words = words(deliver)
        self._folder = deliver.folder
        self._target = target
        self._name = destination(deliver).text
        self._timeout = timeout

    def check(self) -> bool:
        """Make sure that the program can be started. It is first asked to pause."""
        program = self._words[0]
        # As the system does it: a name with a slash starts at the program's folder.
        path = str(Path(self._folder).absolute() / program) if "/" in program else program
        if shutil.which(path) is None:
            message = f"{self._name} does not exist, or is not executable"
            raise IdpError(message, _STARTS)
        return False

    def pause(self) -> str:
        return self._run("pause")

    def set(self, token: Secret) -> str:
        return self._run("set", token)

    def test(self) -> str:
        return self._run("test")

    def resume(self) -> str:
        """Ask the program to resume. One that cannot pause has nothing to resume."""
        try:
            return self._run("resume")
        except NotSupportedError:
            return "provisioning is running"

    def _run(self, event: Event, token: Secret | None = None) -> str:
        """Run the program for one event, and return its first line."""
        message = {
            "version": 1,
            "event": event,
            "deployment": self._target.deployment,
            "realm": self._target.realm,
            "scim_url": self._target.base_url,
        }
        if token is not None:
            message["token"] = token.reveal()
        try:
            ended = child.run(
                self._words,
                seconds=self._timeout,
                most=_MOST,
                folder=self._folder,
                given=json.dumps(message).encode() + b"\n",
            )
        except child.NotStartedError as error:
            raise IdpError(f"{self._name} {error}", _STARTS) from None
        except child.ChildError as error:
            raise IdpError(f"{self._name} {error}", unknown=True) from None
        # The answer may repeat what the program got.
        said = shown(ended.out.decode("utf-8", "replace").partition("\n")[0])
        if ended.status == NOT_SUPPORTED:
            what = f"{self._name} does not handle {event} (exit status {NOT_SUPPORTED})"
            raise NotSupportedError(said or what, _HANDLES_SET if event == "set" else "")
        if ended.status:
            more = f": {said}" if said else ""
            failed = f"{self._name} {ended.how} for {event}{more}"
            raise IdpError(failed, _BY_HAND, unknown=event == "set")
        return said or f"{event}: done"
