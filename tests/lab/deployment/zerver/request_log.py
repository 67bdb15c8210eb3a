"""Write server.log: a line for each request, in the form of Zulip (docs/zulip.md, "Logs")."""

import logging
import time

from zerver.middleware import subdomain_of

_log = logging.getLogger("zulip.requests")


class LogRequests:
    """The outermost middleware: log the path without its query, decoded and not escaped."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        begun = time.monotonic()
        response = self.get_response(request)
        milliseconds = (time.monotonic() - begun) * 1000
        client = getattr(request, "scim_client", None)
        # With an unknown host, Zulip takes the root domain.
        who = client or f"unauth@{subdomain_of(request.META.get('HTTP_HOST', '')) or 'root'}"
        _log.info(
            "%-15s %-7s %3d %5s (db: 0ms/1q) %s (%s via %s)",
            request.META["REMOTE_ADDR"],
            request.method,
            response.status_code,
            f"{milliseconds:.0f}ms",
            request.path,
            who,
            _program(request.headers.get("User-Agent")),
        )
        return response


def _program(agent):
    """Return the name at the beginning of a User-Agent, without its version."""
    if agent is None:
        return "Unspecified"
    name = agent.partition("/")[0]
    words = name.split(" ")
    return " ".join(words[:1] + [word for word in words[1:] if not word[:1].isdigit()])
