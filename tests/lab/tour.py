"""The tour of the README, taken: `python -m tests.lab.tour` puts its real output there.

Two lab servers under names that an operator would give them; what differs from run to run
(fingerprints, times) is what `settled` makes alike for the test.
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
    """Take the tour; gives it as Markdown."""
    operator = Operator(lab, folder)
    old = lab.server("chat1.test", version="5.6", realms=["acme"])
    new = lab.server("chat2.test", version="12.1", realms=[""])
    operator.inventory.write_text(INVENTORY)
    for server in (old, new):
        _reach(operator, server)
    said = [
        "An inventory is Ansible's, with its groups, `group_vars/` and `host_vars/`. Two servers, "
        "one on\nZulip 5.6, one on 12.1:\n",
        f"```yaml\n{INVENTORY}```\n",
        "What would be done, and why? No secret is needed to ask:\n",
        _run(operator, "plan", code=2),
        "Then do it. Each server checks itself before it commits, and is asked from outside "
        "afterwards:\n",
        _run(operator, "apply", "--yes", "--create-tokens", *VAULT, code=0),
        "Somebody edits a server by hand. `plan`, in a nightly job without any secret, exits 2:\n",
    ]
    text = new.settings.read_text()
    edited = text.replace('"name_formatted_included": True', '"name_formatted_included": False')
    new.settings.write_text(edited)
    said += [
        _run(operator, "plan", "--diff", "america", code=2),
        "And this is what the identity provider's administrator gets (with `--show-tokens`, the "
        "token too):\n",
        _run(operator, "handoff", "chat2.test", code=0),
    ]
    return "\n".join(said)


def _reach(operator: Operator, server: Server) -> None:
    """Say in host_vars how to reach it here; the tour's inventory is what one would write."""
    folder = operator.folder / "host_vars"
    folder.mkdir(exist_ok=True)
    (folder / f"{server.name}.json").write_text(json.dumps(server.inventory_vars()))


def _run(operator: Operator, *arguments: str, code: int) -> str:
    done = operator.run(*arguments)
    if done.returncode != code:
        raise SystemExit(f"scimconf {arguments}: exit {done.returncode}\n{done}")
    # Progress (stderr) is on the screen while it lasts; the report stays. Ports and places are
    # the lab's own.
    said = re.sub(r":\d{4,5}\b", "", done.stdout)
    said = re.sub(
        r"^(.*)\n=+$", lambda title: f"{title[1]}\n{'=' * len(title[1])}", said, flags=re.M
    )
    said = re.sub(r"/\S*/(settings\.py|zulip-secrets\.conf)", r"/etc/zulip/\1", said)
    return f"```console\n$ scimconf {shlex.join(arguments)}\n{said.rstrip()}\n```\n"


def settled(text: str) -> str:
    """Make what differs from run to run alike."""
    return re.sub(r"\b\d+\.\d+ s\b", "0.0 s", re.sub(r"[0-9a-f]{4}\.\.\.", "ab12...", text))


def shown() -> str:
    """Give the tour as the README has it."""
    return README.read_text().partition(BEGIN)[2].partition(END)[0]


def main() -> None:
    """Put the tour into the README."""
    with Lab() as lab:
        text = take(lab, lab.folder / "tour")
    before, _, rest = README.read_text().partition(BEGIN)
    README.write_text(before + BEGIN + text + END + rest.partition(END)[2])


if __name__ == "__main__":
    sys.exit(main())
