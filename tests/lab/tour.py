"""Run the tour of the README: `python -m tests.lab.tour` writes the real output into the page.

The tour runs on two lab servers. Fingerprints and times differ in each run; `settled` replaces them
for the test.
"""

from __future__ import annotations

import json
import re
import shlex
import sys
from pathlib import Path

from tests.lab import Lab, Server
from tests.lab.operator import VAULT, Operator

README = Path(__file__).resolve().parents[2] / "README.md"
BEGIN, END = "<!-- tour: begin -->\n", "<!-- tour: end -->\n"

INVENTORY = """\
all:
  vars:
    ansible_user: zulip
    scim_idp: okta
  children:
    europe:
      hosts:
        chat1.test:
          scim_realms:
            acme: {}
    america:
      vars:
        scim_token_store: secrets
      hosts:
        chat2.test:
          scim_realms:
            "": {idp: entra}
"""


def take(lab: Lab, folder: Path) -> str:
    """Run the tour. Return it as Markdown."""
    operator = Operator(lab, folder)
    old = lab.server("chat1.test", version="5.6", realms=["acme"])
    new = lab.server("chat2.test", version="12.1", realms=[""])
    operator.inventory.write_text(INVENTORY)
    for server in (old, new):
        _reach(operator, server)
    said = [
        "This inventory has two servers, one with Zulip 5.6 and one with 12.1. A realm is a Zulip "
        'organisation: `acme`\nis its subdomain, and `""` is the organisation without a '
        "subdomain.\n",
        f"```yaml\n{INVENTORY}```\n",
        "Show what would change. This needs no token, and no vault password unless an SSH or sudo "
        "password is encrypted:\n",
        _run(operator, "plan", code=2),
        "Change the servers. Each server tests the new token before it keeps the change. Then your "
        "machine tests\nthe public URL:\n",
        _run(operator, "apply", "--yes", "--create-tokens", *VAULT, code=0),
        "Later, somebody edits a server by hand. `plan` finds it and exits with 2:\n",
    ]
    text = new.settings.read_text()
    edited = text.replace('"name_formatted_included": True', '"name_formatted_included": False')
    new.settings.write_text(edited)
    said += [
        _run(operator, "plan", "--diff", "america", code=2),
        "Show what the administrator of the identity provider must enter (`--show-tokens` adds the "
        "token):\n",
        _run(operator, "handoff", "chat2.test", code=0),
    ]
    return "\n".join(said)


def _reach(operator: Operator, server: Server) -> None:
    """Write into host_vars how to reach a lab server, so that the inventory stays realistic."""
    folder = operator.folder / "host_vars"
    folder.mkdir(exist_ok=True)
    (folder / f"{server.name}.json").write_text(json.dumps(server.inventory_vars()))


def _run(operator: Operator, *arguments: str, code: int) -> str:
    done = operator.run(*arguments)
    if done.returncode != code:
        raise SystemExit(f"scimconf {arguments}: exit {done.returncode}\n{done}")
    # stdout has the report without the progress. Ports and paths of the lab are replaced.
    said = re.sub(r":\d{4,5}\b", "", done.stdout)
    said = re.sub(
        r"^(.*)\n=+$", lambda title: f"{title[1]}\n{'=' * len(title[1])}", said, flags=re.M
    )
    said = re.sub(r"/\S*/(settings\.py|zulip-secrets\.conf)", r"/etc/zulip/\1", said)
    return f"```console\n$ scimconf {shlex.join(arguments)}\n{said.rstrip()}\n```\n"


def settled(text: str) -> str:
    """Replace fingerprints and times, which differ in each run."""
    return re.sub(r"\b\d+\.\d+ s\b", "0.0 s", re.sub(r"[0-9a-f]{4}\.\.\.", "ab12...", text))


def shown() -> str:
    """Return the tour that the README has now."""
    return README.read_text().partition(BEGIN)[2].partition(END)[0]


def main() -> None:
    """Write the tour into the README."""
    with Lab() as lab:
        text = take(lab, lab.folder / "tour")
    before, _, rest = README.read_text().partition(BEGIN)
    README.write_text(before + BEGIN + text + END + rest.partition(END)[2])


if __name__ == "__main__":
    sys.exit(main())
