"""`scimconf help`: print a page of the documentation, which the package contains."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from importlib import resources
from pathlib import Path

import click

from scimconf.cli import options
from scimconf.cli.help import Argument
from scimconf.cli.streams import out
from scimconf.errors import UsageError

PAGES: Mapping[str, tuple[str, str]] = {
    "tutorial": ("tutorial.md", "Two servers, from nothing to working SCIM"),
    "from-ansible": ("from-ansible.md", "Use your Ansible inventory"),
    "inventory": ("inventory.md", "Every variable of the inventory"),
    "ssh": ("ssh.md", "Jump hosts, keys, certificates, sudo and su"),
    "applying": ("applying.md", "How a change is applied, and undone"),
    "rollouts": ("rollouts.md", "Batches, canaries, limits on changes and failures"),
    "tokens": ("tokens.md", "Rotate tokens, keep them elsewhere, import servers"),
    "status": ("status.md", "Does the identity provider get in?"),
    "lost-tokens": ("how-to/lost-tokens.md", "Recover from a lost or leaked token file"),
    "handoff": ("handoff.md", "The sheet for the identity provider's administrator"),
    "delivery": ("delivery.md", "Deliver tokens to the API of the identity provider"),
    "entra": ("idp/entra.md", "Delivery to Microsoft Entra ID"),
    "authentik": ("idp/authentik.md", "Delivery to authentik"),
    "okta": ("idp/okta.md", "Delivery to Okta"),
    "deliver-command": ("idp/command.md", "Delivery with a program of yours"),
    "scale": ("scale.md", "More than one machine: shards, and workers of a Dask cluster"),
    "exit-codes": ("exit-codes.md", "What each exit code means and proves"),
    "warnings": ("warnings.md", "The warnings, and how to silence one"),
    "options": ("options.md", "All options and their environment variables"),
    "json": ("json.md", "The JSON of --format json"),
    "report": ("report.md", "The HTML report"),
    "metrics": ("how-to/metrics.md", "Prometheus, a nightly check and a notice to Zulip"),
    "ci": ("ci/README.md", "GitHub Actions, GitLab CI and pre-commit"),
    "docker": ("docker.md", "docker-zulip"),
    "completion": ("how-to/completion.md", "Complete names with the Tab key"),
    "editor": ("how-to/editor.md", "Check the inventory in an editor"),
    "security": ("security.md", "Who is trusted with what"),
    "agent": ("agent.md", "What runs on the server"),
    "zulip": ("zulip.md", "The facts about Zulip that scimconf relies on"),
}
"""The topics: file below docs/, and summary. pyproject.toml names the files for the wheel."""

_COMMENT = re.compile(r"^<!--.*?-->\n", re.MULTILINE | re.DOTALL)
_INDEX = "README.md"
_LINK = re.compile(r"\[([^][]+)\]\(([^)\s]+)\)")


@options.verb("help")
@click.argument(
    "topic",
    cls=Argument,
    required=False,
    shell_complete=lambda _context, _argument, typed: [
        topic for topic in PAGES if topic.startswith(typed)
    ],
    text="Print this page. Without it, list the topics.",
)
def command(topic: str | None) -> None:
    """Print a page of the documentation.

    The options of a verb: scimconf VERB --help
    """
    out(page(topic) if topic else "\n".join(_listed()))


def page(topic: str) -> str:
    """Return the text of a page, in Markdown. Raises UsageError for an unknown topic."""
    if topic not in PAGES:
        near = get_close_matches(topic, PAGES, 1)
        hint = "to list them: scimconf help"
        if near := near or _about(topic):
            hint = f"did you mean: scimconf help {near[0]}; {hint}"
        raise UsageError(f"there is no page about {topic!r}", hint)
    file = PAGES[topic][0]
    text = _COMMENT.sub("", _text(file))
    return _with_topics(text, posixpath.dirname(file)).strip("\n")


def _about(word: str) -> list[str]:
    """Return the topic whose page contains the word most often; [] if none contains it."""
    counts = {topic: _text(file).lower().count(word.lower()) for topic, (file, _) in PAGES.items()}
    best = max(counts, key=lambda topic: counts[topic])
    return [best] if counts[best] else []


def _listed() -> Iterator[str]:
    width = max(map(len, PAGES))
    for topic, (_, summary) in PAGES.items():
        yield f"  {topic:{width}}  {summary}"
    yield ""
    yield "To read one: scimconf help TOPIC. The options of a verb: scimconf VERB --help"


def _text(file: str) -> str:
    """Return a page. In a wheel it is inside the package, in a checkout beside it."""
    packaged = resources.files("scimconf") / "docs" / file
    if packaged.is_file():
        return packaged.read_text(encoding="utf-8")
    return (Path(__file__).parents[2] / "docs" / file).read_text(encoding="utf-8")


def _with_topics(text: str, folder: str) -> str:
    """Replace links between pages by commands: `[JSON](json.md)` by "JSON (scimconf help json)"."""
    topics = {file: topic for topic, (file, _) in PAGES.items()}

    def replaced(link: re.Match[str]) -> str:
        words, target = link.groups()
        file = posixpath.normpath(posixpath.join(folder, target.partition("#")[0]))
        if file == _INDEX:
            return f"{words} (scimconf help)"
        topic = topics.get(file)
        return f"{words} (scimconf help {topic})" if topic else link[0]

    return _LINK.sub(replaced, text)
