"""Generate inventories and patterns with hypothesis.

An inventory is a mapping of file names to texts, and the sources in order. Groups have no cycle,
because both programs refuse one with different messages. There are few names and values, so that
they often collide.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from scimconf import vault
from scimconf.secret import Secret
from tests.oracle.client import PASSWORD

GROUPS = ("web", "db", "prod", "g1", "g2", "Zulip")
HOSTS = ("a", "b", "web1.x", "web2.x", "db-a", "10.0.0.7", "2001:db8::1")
RANGES = ("web[1:3].x", "db-[a:c]", "n[01:05:2]", "a:2222", "m[1:2]:2200")
VALUES = (
    "yes", "No", "0022", "1_000", "12:30:45", "~", "''", "'x'", "\"y\\t\"", "1.5", "1e3", ".5",
    "2024-02-29", "[1, no]", "{k: 0x1F}", "!unsafe '{{ v }}'", "!!str 12", "plain text",
    '"{{ inventory_hostname }}"', '"{{ w }}-{{ w }}"', '"{{ u }}"', '"{{ group_names }}"',
    "\"{{ groups['web'] | default([]) | length }}\"", '"{{ nosuch | default(7) }}"',
)  # fmt: skip
CONNECTION = {
    "ansible_host": ("h1", "h2.example.com", '"{{ inventory_hostname }}.vpn"'),
    "ansible_ssh_host": ("old1", "10.9.9.9"),
    "ansible_port": ("22", "'2222'", '"{{ 2200 + 1 }}"'),
    "ansible_ssh_port": ("2022",),
    "ansible_user": ("root", "zulip"),
    "ansible_ssh_user": ("admin",),
    "ansible_password": ("pw",),
    "ansible_ssh_pass": ("oldpw",),
    "ansible_ssh_private_key_file": ("/keys/one",),
    "ansible_private_key_file": ("/keys/two",),
    "ansible_become": ("yes", "'no'", "true"),
    "ansible_become_user": ("zulip",),
    "ansible_sudo_user": ("root",),
    "ansible_become_pass": ("pw2",),
    "ansible_become_method": ("sudo", "su"),
    "scim_client": ("okta", "'{{ v }}'"),
    "scim_verify": ("yes", "no"),
}


@dataclass(frozen=True)
class Files:
    """An inventory: file name -> text, and the sources in order."""

    texts: dict[str, str]
    sources: tuple[str, ...]

    def write(self, folder: Path, encrypted: Collection[str] = ()) -> list[Path]:
        """Write the files, some of them encrypted as a whole. Return the sources."""
        for name, text in self.texts.items():
            if name in encrypted and not text.startswith("#!"):
                text = vault.encrypt(Secret(text), Secret(PASSWORD))
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            if text.startswith("#!"):
                path.chmod(0o755)
        return [folder / source for source in self.sources]


@st.composite
def _variables(draw: DrawFn) -> dict[str, str]:
    names = draw(st.lists(st.sampled_from(["u", "v", "w", *CONNECTION]), max_size=3, unique=True))
    return {name: draw(st.sampled_from(CONNECTION.get(name, VALUES))) for name in names}


def _mapping(items: dict[str, str]) -> str:
    return "{" + ", ".join(f"{key}: {value}" for key, value in items.items()) + "}"


@st.composite
def _group(draw: DrawFn, above: int) -> str:
    """Write a group whose children come later in the list, so that there is no cycle."""
    sections = {}
    hosts = draw(st.lists(st.sampled_from(HOSTS + RANGES), max_size=3, unique=True))
    if hosts:
        sections["hosts"] = _mapping({f"'{h}'": _mapping(draw(_variables())) for h in hosts})
    below = range(above + 1, len(GROUPS))
    children = draw(st.lists(st.sampled_from(below), max_size=2, unique=True)) if below else []
    if children:
        deep = draw(st.booleans())
        sections["children"] = _mapping(
            {GROUPS[n]: draw(_group(n)) if deep else "" for n in children}
        )
    values = draw(_variables())
    if draw(st.integers(0, 4)) == 0:
        values["ansible_group_priority"] = draw(st.sampled_from(["5", "'10'", "0"]))
    if values:
        sections["vars"] = _mapping(values)
    return _mapping(sections)


@st.composite
def _yaml(draw: DrawFn) -> str:
    top = draw(st.lists(st.integers(-2, len(GROUPS) - 1), min_size=1, max_size=3, unique=True))
    groups = {}
    for n in top:
        if n >= 0:
            groups[GROUPS[n]] = draw(_group(n))
        elif n == -1:  # without children: Ansible forgets some of them
            groups["ungrouped"] = draw(_group(len(GROUPS)))
        else:
            groups["all"] = draw(_group(2))
    if draw(st.booleans()):
        return "".join(f"{name}:\n  {text}\n" for name, text in groups.items())
    return _mapping(groups)


@st.composite
def _program(draw: DrawFn) -> str:
    """Write a program that prints JSON."""
    value = st.sampled_from([None, True, 7, 1.5, "x", "{{ w }}", [1, "y"], {"k": "z"}])
    values = st.dictionaries(st.sampled_from(["u", "v", "w", "ansible_host"]), value, max_size=2)
    hosts = st.lists(st.sampled_from(HOSTS), max_size=3)
    answer: dict[str, object] = {}
    for n in draw(st.lists(st.integers(0, len(GROUPS) - 1), max_size=3, unique=True)):
        group: dict[str, object] = {"hosts": draw(hosts), "vars": draw(values)}
        if n + 1 < len(GROUPS) and draw(st.booleans()):
            group["children"] = [GROUPS[n + 1]]
        answer[GROUPS[n]] = group
    answer["_meta"] = {"hostvars": draw(st.dictionaries(st.sampled_from(HOSTS), values))}
    return f"#!/bin/sh\ncat <<'END'\n{json.dumps(answer)}\nEND\n"


@st.composite
def inventories(draw: DrawFn) -> Files:
    """Generate one to three sources with variable files beside them."""
    texts: dict[str, str] = {}
    sources = []
    for number in range(draw(st.integers(1, 3))):
        folder = draw(st.sampled_from(["one", "two"]))
        as_folder = draw(st.integers(0, 3)) == 0
        program = draw(st.integers(0, 4)) == 0
        file = f"{folder}/{number}" + ("" if program else ".yml")
        texts[file] = draw(_program() if program else _yaml())
        sources.append(folder if as_folder else file)
        for kind, names in (("group_vars", ("all", *GROUPS)), ("host_vars", HOSTS)):
            for name in draw(st.lists(st.sampled_from(names), max_size=2, unique=True)):
                end = draw(st.sampled_from([".yml", ".yaml", "", ".json", "/x.yml", "/y.yaml"]))
                beside = {each for each in texts if each.startswith(f"{folder}/{kind}/{name}")}
                if not any(each.partition(name)[2] in ("", ".yml") for each in beside) or end:
                    values = draw(_variables())
                    texts[f"{folder}/{kind}/{name}{end}"] = _mapping(values)
    # A file without extension and a folder of its name cannot both be.
    for name in [each for each in texts if any(other.startswith(f"{each}/") for other in texts)]:
        del texts[name]
    return Files(texts, tuple(dict.fromkeys(sources)))


# --- patterns -------------------------------------------------------------------------------------


def patterns(
    groups: Sequence[str], hosts: Sequence[str]
) -> SearchStrategy[tuple[list[str], list[str]]]:
    """Generate pairs of patterns and limits."""
    names = st.sampled_from([*groups, *hosts])
    globs = st.sampled_from(
        ["*", "web*", "*.x", "w?b*", "[wd]b*", "[!w]*", "*b*", "db-[ab]", "a*", "1*", "al*", "nix*"]
    )
    regexes = st.sampled_from(["~web[12]", "~(a|b)$", "~.*x", "~^d", "~[a-c]", "~nix", "~("])
    subscripts = st.sampled_from(
        ["[0]", "[1]", "[-1]", "[-2]", "[0:1]", "[1:]", "[1:2]", "[0:0]", "[9]", "[1-2]", "[2:]"]
    )
    sliced = st.builds(str.__add__, names | st.sampled_from(["*", "web*"]), subscripts)
    one = names | globs | regexes | sliced | st.sampled_from(["typo", "web1", "localhostt"])
    signed = st.builds(str.__add__, st.sampled_from(["", "", "", "&", "!"]), one)
    between = st.sampled_from([":", ",", ", "])
    joined = st.builds(lambda parts, sep: sep.join(parts), st.lists(signed, min_size=1), between)
    asked = st.lists(joined, min_size=1, max_size=2)
    limit = st.just([]) | st.lists(joined, min_size=1, max_size=1)
    return st.tuples(asked, limit)
