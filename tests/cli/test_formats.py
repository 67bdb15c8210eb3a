"""Every verb that has --format, with every format."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
import xmlschema

from scimconf.cli import VERBS, scimconf
from tests.cli.conftest import Run
from tests.lab import Lab, Server
from tests.lab.operator import VAULT, Operator
from tests.report import published

XSD = xmlschema.XMLSchema10(str(Path(__file__).parents[1] / "report/junit.xsd"))
PASSWORD = ("--vault-password-file", "password")
AWAY = {
    "plan": (),
    "apply": ("--yes", *PASSWORD),
    "verify": PASSWORD,
    "undo": ("--yes",),
    "recover": ("--yes",),
    "import": ("-i", "bare.yaml", *PASSWORD),
    "rotate": ("--yes", *PASSWORD),
    "deliver": ("--yes", "-i", "deliver.yaml", "--idp-host", "sso.test", *PASSWORD),
    "status": (),
}
"""Verb -> its options, for an unreachable server."""


@pytest.fixture
def away(scimconf: Run, tmp_path: Path) -> Run:
    """Run a verb on an unreachable server that has a token."""
    (tmp_path / "bare.yaml").write_text(
        "all:\n  hosts:\n    chat1.example.com: {ansible_host: 127.0.0.1, ansible_port: 1}\n"
    )
    (tmp_path / "deliver.yaml").write_text(
        "all:\n  hosts:\n    chat1.example.com:\n"
        "      ansible_host: 127.0.0.1\n      ansible_port: 1\n"
        "      scim_realms: {acme: {idp: authentik, deliver: {authentik: {url: 'https://sso.test', "
        "provider: 1}}}}\n"
    )
    made = scimconf("render", "chat1.example.com", "--create-tokens", "--show-tokens", *PASSWORD)
    assert made.returncode == 0, made.stderr
    return lambda verb, *words: scimconf(verb, *AWAY[verb], *words, "chat1*")


def test_every_verb_with_a_format_is_tested() -> None:
    """handoff is left out: its --format is the format of a sheet."""
    context = click.Context(scimconf)
    having = {
        verb
        for verb in VERBS
        if (command := scimconf.get_command(context, verb))
        and any("--format" in parameter.opts for parameter in command.params)
    }
    assert having - {"handoff"} == set(AWAY) == set(published.SCHEMA["properties"]["verb"]["enum"])


@pytest.mark.parametrize("verb", AWAY)
def test_json(verb: str, away: Run) -> None:
    done = away(verb, "--format", "json")
    said = json.loads(done.stdout)
    published.check(said)
    assert (said["verb"], said["exit_code"], said["summary"]) == (verb, 3, {"unreachable": 1})
    assert done.returncode == 3


@pytest.mark.parametrize("verb", AWAY)
def test_junit(verb: str, away: Run, tmp_path: Path) -> None:
    done = away(verb, "--format", "junit", "--report", "run.xml")
    assert done.returncode == 3
    XSD.validate(done.stdout)
    assert '<testcase name="' + verb in done.stdout
    times = re.compile(r'time(stamp)?="[^"]*"')
    written = (tmp_path / "run.xml").read_text()
    assert times.sub("", written) == times.sub("", done.stdout)


@pytest.mark.parametrize("verb", AWAY)
def test_github(verb: str, away: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    monkeypatch.setenv("GITHUB_WORKSPACE", str(tmp_path.parent))
    (tmp_path / "summary.md").write_text("# before\n")
    done = away(verb, "--format", "github", "--report", "run.md")
    assert done.returncode == 3
    stop, *text, go, annotation = done.stdout.splitlines()
    assert re.fullmatch(r"::stop-commands::[0-9a-f]{32}", stop)
    assert go == f"::{stop.rpartition('::')[2]}::"
    assert text == away(verb).stdout.splitlines()
    own = {"import": ("bare.yaml", 3, 5), "deliver": ("deliver.yaml", 3, 5)}
    file, line, column = own.get(verb, ("inventory.yaml", 4, 5))
    place = f"file={tmp_path.name}/{file},line={line},col={column}"
    assert annotation.startswith(f"::error {place},title=chat1.example.com%3A unreachable::")
    markdown = (tmp_path / "run.md").read_text()
    assert markdown.startswith(f"## scimconf {verb}\n\n1 server: 1 unreachable (exit code 3)\n")
    assert (tmp_path / "summary.md").read_text() == f"# before\n{markdown}\n"


def test_without_a_summary_file_there_is_none(
    away: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    before = set(tmp_path.iterdir())
    assert away("plan", "--format", "github").returncode == 3
    assert set(tmp_path.iterdir()) == before


def test_a_summary_that_cannot_be_written_is_a_failure(
    away: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", "nowhere/summary.md")
    done = away("plan", "--format", "github")
    assert done.returncode == 1
    assert "error: cannot write nowhere/summary.md: No such file or directory" in done.stderr


@pytest.mark.parametrize("file", ["run.txt", "run", ".md"])
def test_a_report_of_an_unknown_format(file: str, away: Run) -> None:
    done = away("plan", "--report", file)
    assert (done.returncode, done.stdout) == (64, "")
    assert f"{file!r} must end in" in done.stderr


def test_nothing_to_rotate_is_a_result(away: Run) -> None:
    for words in (("--older-than", "90d"), ("--stage",)):
        done = away("rotate", *words, "--format", "json")
        assert done.returncode == 0, done.stderr
        said = json.loads(done.stdout)
        published.check(said)
        assert (said["servers"], said["exit_code"]) == ([], 0)


def test_no_document_without_a_run(away: Run) -> None:
    done = away("plan", "--format", "json", "-i", "nope.yaml")
    assert (done.returncode, done.stdout) == (64, "")


# --- on servers -------------------------------------------------------------------------------


def _said(done: subprocess.CompletedProcess[str], code: int, status: str) -> Any:
    assert done.returncode == code, done
    said = json.loads(done.stdout)
    published.check(said)
    assert (said["exit_code"], said["summary"]) == (code, {status: 1})
    return said["servers"][0]


@pytest.mark.needs_sshd
def test_json_through_the_life_of_a_server(
    operator: Operator, lab: Lab, lab_server: Callable[..., Server], tmp_path: Path
) -> None:
    server = lab_server(version="9.0")
    realms: dict[str, Any] = {"scim_realms": {"": {}}}
    operator.write_inventory({server.name: realms})

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        secrets = () if words[0] in ("plan", "undo", "recover") else VAULT
        return operator.run(*words, *secrets, "--format", "json")

    planned = _said(run("plan"), 2, "changes pending")
    assert planned["actions"]
    assert planned["diff"]
    applied = _said(run("apply", "--yes", "--create-tokens"), 0, "changed")
    assert {step["ok"] for step in applied["steps"]} == {True}
    verified = _said(run("verify"), 0, "ok")
    assert {check["result"] for check in verified["checks"]} == {"ok"}
    _said(run("rotate", "--yes"), 0, "changed")
    _said(run("recover", "--yes"), 0, "ok")
    _said(run("undo", "--yes"), 0, "changed")

    stays = {**realms, "scim_restart": ["/bin/true"], "scim_gate_timeout": 1}
    operator.write_inventory({server.name: stays})
    back = _said(run("apply", "--yes", "--create-tokens"), 4, "rolled back")
    assert False in {step["ok"] for step in back["steps"]}

    successor = Operator(lab, tmp_path / "successor")
    ways = ("ansible_", "zulip_", "scim_probe", "scim_ca")
    way = {name: value for name, value in server.inventory_vars().items() if name.startswith(ways)}
    successor.inventory.write_text(json.dumps({"all": {"hosts": {server.name: way}}}))
    _said(successor.run("import", *VAULT, "--format", "json"), 0, "ok")
