"""Invented servers with every status, for tests of the reports."""

from __future__ import annotations

from datetime import datetime, timezone

from scimconf.model import Action, ActionKind, Check, Outcome, Plan, Status, Step, WayFact
from scimconf.server_warning import ServerWarning

WHEN = datetime(2026, 11, 24, 10, 0, tzinfo=timezone.utc)
DIFF = """\
--- /etc/zulip/settings.py
+++ /etc/zulip/settings.py
@@ -3,7 +3,7 @@
     "": {
         "bearer_token": get_secret("scim_bearer_token"),
         "scim_client_name": "entra",
-        "name_formatted_included": False,
+        "name_formatted_included": True,
     }
 }
"""
ACTIONS = (
    Action(ActionKind.SET_REALM, "", "change realm (root) in SCIM_CONFIG: name_formatted_included"),
    Action(ActionKind.RESTART, None, "restart Zulip"),
)
STEPS = (
    Step("lock", True, 0.01),
    Step("look again", True, 0.02),
    Step("journal", True, 0.03),
    Step("back up", True, 0.02),
    Step("check candidate", True, 0.8),
    Step("write settings", True, 0.05),
    Step("restart", True, 14.2),
)
CHECKS = (
    Check("", "wrong token", "ok", "a wrong token is refused", 401),
    Check("", "connection test", "ok", "Microsoft Entra ID's connection test is answered", 200),
    Check("acme", "connection test", "warning", "not reached: timed out", None, "a firewall?"),
)
WAY = (
    WayFact("connects to", "chat1.example.com", "ansible_host"),
    WayFact("logs in as", "ops", "from the command line", bound=False),
    WayFact("restarts with", "server", "scim_restart"),
)
TROUBLE = 19
"""How many servers need attention."""


def fleet(size: int = 40) -> list[Outcome]:
    """Return the outcomes of `size` servers, at least 20."""
    outcomes = [
        Outcome(
            "chat1.example.com",
            Status.CHANGED,
            plan=_plan("9.0"),
            steps=(*STEPS, Step("gate", True, 1.4), Step("commit", True, 0.02)),
            checks=CHECKS,
            seconds=17.3,
            way=WAY,
            warnings=(
                ServerWarning(
                    "unmanaged-realm",
                    "realm wiki at /etc/zulip/settings.py:812:5: unmanaged, left unchanged",
                ),
            ),
        ),
        Outcome(
            "chat2.example.com",
            Status.ROLLED_BACK,
            "gate: realm acme answers 500 to the right token",
            "look at /var/log/zulip/errors.log on that server",
            plan=_plan("5.6"),
            steps=(*STEPS, Step("gate", False, 8.1, "HTTP 500"), Step("put back", True, 12.6)),
            seconds=36.1,
        ),
        Outcome(
            "chat3.example.com",
            Status.FAILED,
            "settings.py:812:5: SCIM_CONFIG is assigned twice",
            "leave one of them, then plan again",
            seconds=1.2,
        ),
    ]
    outcomes += (
        Outcome(
            f"eu{number}.chat.example.com",
            Status.UNREACHABLE,
            "connect: no answer from port 22 within 10 seconds",
            "is the server up, and is port 22 open from here?",
            seconds=10.0,
        )
        for number in range(1, 13)
    )
    outcomes += (
        Outcome(
            f"chat{number}.example.com",
            Status.SKIPPED,
            "not started: chat2.example.com is rolled back",
            "put that right and apply again; --max-fail says how many may fail",
            plan=_plan("9.0"),
        )
        for number in range(4, 9)
    )
    outcomes += (
        Outcome(f"us{number}.chat.example.com", Status.OK, plan=Plan("us", "12.1"), seconds=0.4)
        for number in range(1, size - len(outcomes) + 1)
    )
    return outcomes


def _plan(version: str) -> Plan:
    return Plan("chat", version, ACTIONS, diff=DIFF)
