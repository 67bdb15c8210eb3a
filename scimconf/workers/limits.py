"""How long a worker may take for a job."""

from __future__ import annotations

from typing import Any

from scimconf.fleet.job import Apply, CheckPublic, Job, Note, Observe, Recover, RollBackOne
from scimconf.fleet.transact import patience
from scimconf.model import Server
from scimconf.ssh.session import Options

SLACK = 60.0
"""Seconds beyond the limits that the worker itself keeps."""
_JUMPS = 3
"""Connections, one through the other, that a server may need."""
_REQUEST = 15.0
"""Seconds for a request to a public URL."""

_OF_A_TEST_USER = 20
"""Requests for a test user in one realm, at most."""


def seconds(job: Job[Any], options: Options) -> float:
    """Return the seconds after which a worker that does this job hangs."""
    if isinstance(job, CheckPublic):
        each = 1 + job.answers + (_OF_A_TEST_USER if job.test_user else 0)
        requests = sum(each for realm in job.looked.server.realms if realm.present)
        return SLACK + requests * _REQUEST
    limit = SLACK + sum(_look(server, options) for server in job.servers)
    if isinstance(job, Observe):
        return limit
    lock = job.lock_timeout if isinstance(job, Apply | Note | Recover | RollBackOne) else 0
    # The result is acknowledged, or the server is observed again.
    changes = [patience(server, lock) + _look(server, options) for server in job.servers]
    # If the last server of the deployment fails, the ones before it are rolled back.
    undone = changes[:-1] if isinstance(job, Apply) else []
    return limit + sum(changes) + sum(undone)


def _look(server: Server, options: Options) -> float:
    to_connect = _JUMPS * server.connection.timeout
    return to_connect + options.start_timeout + options.look_timeout
