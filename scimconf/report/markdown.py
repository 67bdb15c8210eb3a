"""Report outcomes as Markdown, for a comment on a merge request and GitHub's step summary.

Text from inventories and servers is in code spans and blocks, so that it cannot be markup, a
mention or a link.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from scimconf.errors import ExitCode
from scimconf.model import Outcome
from scimconf.report.commonmark import code_block, code_span
from scimconf.report.lines import Line, alike, way_text
from scimconf.report.words import ATTENTION, phrase, totals
from scimconf.sanitize import sanitize, visible

LARGEST = 60_000
"""Characters. GitHub accepts comments of 65,536, GitLab of a million."""
_MOST_NAMES = 40
_LONGEST_DIFF = 20_000
_SIGN = {"-> ": "→ ", "* ": "", "! ": "⚠ "}


def markdown(
    verb: str,
    outcomes: Sequence[Outcome],
    code: ExitCode,
    *,
    diff: bool = False,
    notes: Sequence[str] = (),
) -> str:
    """Return the whole run, servers that need attention first, cut off at `LARGEST`."""
    parts = [f"## scimconf {verb}\n\n{totals(verb, outcomes)} (exit code {int(code)})\n"]
    parts += [f"{code_span(visible(note, 1000))}\n" for note in notes]
    room = LARGEST - sum(map(len, parts)) - 200
    by_attention = sorted(outcomes, key=lambda each: ATTENTION.index(each.status))
    groups = alike(by_attention, diff=diff)
    for number, (servers, about) in enumerate(groups):
        said = "\n".join(_group(verb, servers, about)) + "\n"
        part = said + _way(servers)
        if len(part) >= room:
            part = f"{said}\nToo long for a comment: `-v` and the JSON show what runs and where.\n"
        room -= len(part) + 1
        if room < 0:
            left = sum(len(servers) for servers, _ in groups[number:])
            parts.append(f"Too long for a comment: {left} more servers are in the log.\n")
            break
        parts.append(part)
    return "\n".join(parts)


def _group(verb: str, servers: Sequence[Outcome], about: Sequence[Line]) -> Iterator[str]:
    names = [code_span(visible(outcome.server)) for outcome in servers]
    if len(names) > _MOST_NAMES:
        names[_MOST_NAMES:] = [f"and {len(names) - _MOST_NAMES} more"]
    yield f"### {phrase(verb, servers[0])}: {', '.join(names)}"
    said = [line for line in about if not line.verbatim]
    if said:
        yield ""
    for line in said:
        yield f"- {_SIGN.get(line.mark, line.mark)}{code_span(sanitize(line.text))}"
    if change := "\n".join(line.text for line in about if line.verbatim):
        block = code_block(sanitize(change, _LONGEST_DIFF), "diff")
        yield f"\n<details><summary>the change</summary>\n\n{block}\n\n</details>"


def _way(servers: Sequence[Outcome]) -> str:
    """Return the ways to the servers with actions and what runs there; "" if there is none.

    List common facts once.
    """
    ways = {
        outcome.server: [way_text(fact) for fact in outcome.way]
        for outcome in servers
        if outcome.way and outcome.plan and outcome.plan.pending
    }
    if not ways:
        return ""
    common = set.intersection(*map(set, ways.values()))
    first = next(iter(ways.values()))
    lines = ["", "<details><summary>where it goes, and what runs</summary>", ""]
    lines += (f"- {code_span(text)}" for text in first if text in common)
    for server, texts in ways.items():
        if own := [text for text in texts if text not in common]:
            lines += ["", f"{code_span(visible(server))}:", ""]
            lines += (f"- {code_span(text)}" for text in own)
    return "\n".join([*lines, "", "</details>", ""])
