"""The pipelines of docs/ci: parsed, and each of their scripts is run on a server of the lab."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from scimconf.secret import Secret
from scimconf.vault import encrypt
from tests.lab import Lab, Server
from tests.lab.operator import VAULT, Operator
from tests.test_workflows import PINNED

DOCS = Path(__file__).parents[1] / "docs/ci"
APPLY = "gitlab-apply.yml"
FILES = sorted(DOCS.glob("*.yml"))
REALMS: dict[str, Any] = {"scim_realms": {"": {}}, "scim_token_store": "secrets"}
CHANGED: dict[str, Any] = {**REALMS, "scim_realms": {"": {"name_formatted_included": True}}}
PIPELINE = "4711"
SECRET = re.compile(r"\$\{\{ secrets\.(\w+) \}\}")


def _read(name: str | Path) -> Any:
    """Read a file as YAML 1.2, as GitHub and GitLab do: `on` is a word, not a boolean."""
    return YAML(typ="safe", pure=True).load(DOCS / name)


def _scripts(name: str) -> Iterator[tuple[str, str]]:
    """Yield each script of a pipeline with the name of its job."""
    pipeline = _read(name)
    if pipeline.get("kind") == "Job":
        for container in pipeline["spec"]["template"]["spec"]["containers"]:
            yield from ((container["name"], script) for script in container["args"])
        return
    for job, said in pipeline.get("jobs", pipeline).items():
        if isinstance(said, dict):
            yield from ((job, step["run"]) for step in said.get("steps", ()) if "run" in step)
            yield from ((job, line) for line in said.get("script", ()))


class Runner:
    """A CI machine: a checkout, the secrets, and substitutes for pip and gh."""

    def __init__(
        self, operator: Operator, secrets: Mapping[str, str], users: Mapping[str, str]
    ) -> None:
        """`users` maps the users in the pipelines to users of the lab."""
        self._operator = operator
        self.folder = operator.folder
        self.secrets = secrets
        self._users = users
        self._bin = self.folder / "bin"
        self._bin.mkdir()
        self.temp = operator.folder.parent / "runner-temp"
        self.temp.mkdir()
        self._program("scimconf", f'exec {shlex.quote(sys.executable)} -m scimconf "$@"')
        self._program("pip", 'test "$*" = "install scimconf"')
        self._program("gh", 'echo "$@" > gh-said; for file; do :; done; cat "$file" >> gh-said')

    def _program(self, name: str, text: str) -> None:
        (self._bin / name).write_text(f"#!/bin/sh\n{text}\n")
        (self._bin / name).chmod(0o755)

    def github(
        self, name: str, job: str, known: Mapping[str, str] | None = None
    ) -> list[subprocess.CompletedProcess[str]]:
        """Run the steps of a job until one fails, then those that run after a failure too.

        `known`: the values of more expressions, such as `matrix.index`.
        """
        workflow = _read(name)
        said = workflow["jobs"][job]
        done = []
        kept = self.folder / "GITHUB_ENV"
        kept.write_text("")
        for step in said["steps"]:
            failed = any(each.returncode != 0 for each in done)
            if "run" in step and (not failed or "!cancelled()" in step.get("if", "")):
                given = [each.get("env", {}) for each in (workflow, said, step)]
                given.append(dict(each.split("=", 1) for each in kept.read_text().splitlines()))
                env = {key: value for each in given for key, value in each.items()}
                done.append(self.bash(step["run"], env, known or {}))
        return done

    def gitlab(
        self, job: str, name: str = "gitlab-ci.yml", **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """Run the script of a job."""
        pipeline = _read(name)
        known = {**pipeline.get("variables", {}), "CI_PIPELINE_ID": PIPELINE}
        env = {**known, **pipeline[job].get("variables", {}), **variables}
        return self.bash("\n".join(pipeline[job]["script"]), env)

    def bash(
        self, script: str, env: Mapping[str, str], more: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a script with the variables of its job."""
        known = {
            **(more or {}),
            "github.token": "t",
            "github.event.pull_request.number": "7",
            "vars.SCIM_KNOWN_HOSTS": self._operator.lab.known_hosts.read_text(),
        }
        filled = {
            name: re.sub(
                r"\$\{\{ (.*?) \}\}", lambda each: known[each[1]], SECRET.sub(self._secret, value)
            )
            for name, value in env.items()
        }
        filled["SCIMCONF_USER"] = self._users[filled["SCIMCONF_USER"]]
        own = self._operator.bare_environment()
        del own["SCIMCONF_KNOWN_HOSTS"]
        own["PATH"] = f"{self._bin}{os.pathsep}{own['PATH']}"
        own["RUNNER_TEMP"] = str(self.temp)
        files = ("GITHUB_ENV", "GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")
        return subprocess.run(
            ["bash", "-e", "-o", "pipefail", "-c", script],
            cwd=self.folder,
            env={**own, **filled, **{name: str(self.folder / name) for name in files}},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    def _secret(self, found: re.Match[str]) -> str:
        return self.secrets[found[1]]


@pytest.fixture
def server(operator: Operator, lab_server: Any) -> Server:
    """Return a server after its first apply."""
    server: Server = lab_server(version="9.0")
    operator.write_inventory({server.name: REALMS})
    assert operator.apply().returncode == 0
    return server


@pytest.fixture
def operator(lab: Lab, tmp_path: Path) -> Operator:
    return Operator(lab, tmp_path / "operator")


@pytest.fixture
def runner(operator: Operator, lab: Lab, server: Server) -> Runner:
    """Return a CI machine whose checkout has a change of the inventory."""
    password = operator.folder / VAULT[1]
    key = lab.client_key.read_text()
    secrets = {
        "SCIM_PLAN_KEY": key,
        "SCIM_APPLY_KEY": key,
        "SCIM_VAULT_PASSWORD": password.read_text().strip(),
    }
    password.unlink()
    _write(operator, server, CHANGED)
    return Runner(operator, secrets, {"zulip": server.user, "scim-reader": _reader(server)})


def _reader(server: Server) -> str:
    """Return a user who can read zulip's files; the login itself if the server has no other."""
    if not server.layout.isolated:
        return server.user
    members = "all=$(sed 's/^zulip:.*/&ops/' /etc/group); printf '%s\\n' \"$all\" > /etc/group"
    done = server.run(["sh", "-c", members], user="root")
    assert done.returncode == 0, done
    return "ops"


def _write(operator: Operator, server: Server, realms: Mapping[str, Any]) -> None:
    """Write an inventory without a user and a key: the pipeline chooses them."""
    operator.write_inventory({server.name: realms})
    tree = json.loads(operator.inventory.read_text())
    for name in ("ansible_ssh_private_key_file", "ansible_user"):
        tree["all"]["hosts"][server.name].pop(name)
    operator.inventory.write_text(json.dumps(tree, indent=2))


def _drift(server: Server) -> None:
    text = server.settings.read_text()
    assert '"name_formatted_included": True' in text
    server.settings.write_text(
        text.replace('"name_formatted_included": True', '"name_formatted_included": False')
    )


def _add_by_hand(server: Server) -> None:
    """Add a realm that the inventory does not name."""
    text = server.settings.read_text()
    added = text.replace("SCIM_CONFIG = {", 'SCIM_CONFIG = {"wiki": {"bearer_token": "t" * 40},')
    assert added != text
    server.settings.write_text(added)


def _actions(runner: Runner) -> str:
    """Return the last output of the job, which decides whether the job that applies starts."""
    return (runner.folder / "GITHUB_OUTPUT").read_text().splitlines()[-1]


@pytest.mark.needs_sshd
@pytest.mark.parametrize("good", [True, False])
def test_a_link_in_the_checkout_does_not_publish_the_key(runner: Runner, good: bool) -> None:
    for name, target in (
        (".ssh-key", "plan.md"),
        ("plan.md", os.path.relpath(runner.temp / "ssh-key", runner.folder)),
    ):
        (runner.folder / name).symlink_to(target)
    if not good:
        (runner.folder / "inventory.yaml").write_text("all: [\n")
    done = runner.github("github-plan.yml", "plan")
    assert (done[-2].returncode == 0, done[-1].returncode) == (good, 0)
    said = runner.folder / "gh-said"
    assert said.exists() is good
    everything = [each.stdout + each.stderr for each in done]
    everything += [said.read_text()] if good else []
    assert not any("PRIVATE KEY" in text for text in everything)


@pytest.mark.needs_sshd
def test_github(runner: Runner, server: Server) -> None:
    before = server.settings.read_bytes()
    *_, planned, commented = runner.github("github-plan.yml", "plan")
    assert (planned.returncode, commented.returncode) == (0, 0), planned
    assert planned.stdout.rstrip().rpartition("\n")[2].startswith("::notice file=inventory.yaml,")
    argv, markdown = (runner.folder / "gh-said").read_text().split("\n", 1)
    place = runner.temp / "plan.md"
    assert argv == f"pr comment 7 --edit-last --create-if-none --body-file {place}"
    assert f"### to change: `{server.name}`" in markdown
    assert '+        "name_formatted_included": True' in markdown
    assert (runner.folder / "GITHUB_STEP_SUMMARY").read_text().strip() == markdown.strip()
    assert server.settings.read_bytes() == before

    saved = runner.github("github-apply.yml", "plan")[-1]
    assert saved.returncode == 0, saved
    assert _actions(runner) == "actions=2"
    applied = runner.github("github-apply.yml", "apply")[-1]
    assert applied.returncode == 0, applied
    assert '"name_formatted_included": True' in server.settings.read_text()
    assert "scimconf apply" in (runner.folder / "applied.html").read_text()
    again = runner.github("github-apply.yml", "apply")[-1]
    assert again.returncode == 1, "the approved plan has been applied, so it is out of date"

    assert runner.github("github-drift.yml", "drift")[-1].returncode == 0
    _add_by_hand(server)
    saved = runner.github("github-apply.yml", "plan")[-1]
    assert (saved.returncode, _actions(runner)) == (0, "actions=0"), saved
    assert "unmanaged realm wiki" in saved.stdout
    assert runner.github("github-drift.yml", "drift")[-1].returncode == 2
    _drift(server)
    assert runner.github("github-drift.yml", "drift")[-1].returncode == 2


@pytest.mark.needs_sshd
def test_gitlab(runner: Runner, server: Server, lab: Lab) -> None:
    key = runner.temp / "SCIMCONF_PRIVATE_KEY"
    key.write_text(runner.secrets["SCIM_PLAN_KEY"])
    known_hosts = runner.temp / "SCIMCONF_KNOWN_HOSTS"  # as GitLab does for the type File
    known_hosts.write_text(lab.known_hosts.read_text())
    way = {"SCIMCONF_PRIVATE_KEY": str(key), "SCIMCONF_KNOWN_HOSTS": str(known_hosts)}
    planned = runner.gitlab("plan", **way)
    assert planned.returncode == 2, planned
    assert f"### to change: `{server.name}`" in (runner.folder / "plan.md").read_text()
    assert 'failures="1"' in (runner.folder / "plan.xml").read_text()

    child = runner.folder / "apply.yml"
    (runner.folder / ".gitlab").mkdir()
    shutil.copy(DOCS / APPLY, runner.folder / ".gitlab/scim-apply.yml")
    child.symlink_to(key)  # must not be followed
    saved = runner.gitlab("plan-main", **way)
    assert saved.returncode == 0, "GitLab gives the child no artifacts of a failed job"
    assert "PRIVATE KEY" in key.read_text()
    started = _read(child)
    assert started.pop("apply") == {
        **_read(APPLY)["apply"],
        "needs": [{"pipeline": PIPELINE, "job": "plan-main"}],
    }
    assert set(started) == {"default"}

    secret = {"SCIMCONF_VAULT_PASSWORD": runner.secrets["SCIM_VAULT_PASSWORD"]}
    refused = runner.gitlab("apply", APPLY, **way)
    assert (refused.returncode, "vault password" in refused.stderr) == (64, True)
    if server.layout.isolated:
        before = server.settings.read_bytes()
        reader = runner.gitlab("apply", APPLY, **way, **secret, SCIMCONF_USER="scim-reader")
        assert (reader.returncode, "cannot be replaced by ops" in reader.stdout) == (1, True), (
            reader
        )
        assert server.settings.read_bytes() == before
    applied = runner.gitlab("apply", APPLY, **way, **secret)
    assert applied.returncode == 0, applied
    assert '"name_formatted_included": True' in server.settings.read_text()
    assert 'failures="0"' in (runner.folder / "applied.xml").read_text()

    _nothing_waits(runner, way, child)
    _add_by_hand(server)
    _nothing_waits(runner, way, child)
    unmanaged = server.settings.read_text()
    server.settings.write_text(unmanaged.replace('"wiki": {"bearer_token": "t" * 40},', ""))

    assert runner.gitlab("drift", **way).returncode == 0
    _drift(server)
    assert runner.gitlab("drift", **way).returncode == 2


def _nothing_waits(runner: Runner, way: Mapping[str, str], child: Path) -> None:
    """Check that the child pipeline ends by itself if the plan has no action."""
    assert runner.gitlab("plan-main", **way).returncode == 0
    assert _read(child) == {"nothing-to-apply": {"script": ["echo The plan has no actions"]}}


def test_the_pipeline_of_gitlab_waits_only_for_a_plan_with_actions() -> None:
    """A manual job of .gitlab-ci.yml would block every pipeline, or hide its own failure."""
    pipeline = _read("gitlab-ci.yml")
    assert "manual" not in json.dumps(pipeline)
    trigger = pipeline["apply"]
    assert trigger["trigger"] == {
        "include": [{"artifact": "apply.yml", "job": "plan-main"}],
        "strategy": "depend",
    }
    assert trigger["inherit"] == {"variables": False}, "they would override those of the child"
    assert {"plan.json", "apply.yml"} == set(pipeline["plan-main"]["artifacts"]["paths"])
    assert "allow_failure" not in pipeline["plan-main"]
    job = _read(APPLY)["apply"]
    assert (job["when"], job["allow_failure"], "rules" in job) == ("manual", False, False)
    assert (job["environment"], job["resource_group"]) == ("production", "production")


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_actions_are_pinned_by_commit(file: Path) -> None:
    used = re.findall(r"^.*\buses:(.*)$", file.read_text(), re.M)
    assert bool(used) is file.name.startswith("github-")
    assert [each for each in used if not PINNED.fullmatch(each)] == []


def test_every_job_is_tested() -> None:
    found = {
        (file.name, job)
        for file in FILES
        for job, script in _scripts(file.name)
        if re.search(r"^\s*scimconf ", script, re.M)
    }
    assert found == {
        ("github-plan.yml", "plan"),
        ("github-apply.yml", "plan"),
        ("github-apply.yml", "apply"),
        ("github-drift.yml", "drift"),
        ("github-shards.yml", "shard"),
        ("github-shards.yml", "report"),
        *(("gitlab-ci.yml", job) for job in ("plan", "plan-main", "drift")),
        *(("gitlab-shards.yml", job) for job in ("shard", "report")),
        (APPLY, "apply"),
        ("kubernetes-shards.yml", "scimconf"),
    }


def test_jobs_that_plan_have_no_secret_except_their_key() -> None:
    for name in ("github-plan.yml", "github-drift.yml", "github-shards.yml"):
        assert set(SECRET.findall((DOCS / name).read_text())) == {"SCIM_PLAN_KEY"}
    jobs = _read("github-apply.yml")["jobs"]
    assert set(SECRET.findall(json.dumps(jobs["plan"]))) == {"SCIM_PLAN_KEY"}
    assert set(SECRET.findall(json.dumps(jobs["apply"]))) == {
        *("SCIM_APPLY_KEY", "SCIM_VAULT_PASSWORD")
    }
    assert jobs["apply"]["environment"] == "production"


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_scripts_read_values_from_variables(file: Path) -> None:
    """GitHub pastes an expression into the script, and the shell would run it. Use env."""
    scripts = list(_scripts(file.name))
    assert scripts
    assert not [script for _, script in scripts if "${{" in script]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_jobs_keep_host_keys_and_files_outside_the_checkout(file: Path) -> None:
    """A merge request must not choose the host keys, nor place a link that a job follows."""
    text = file.read_text()
    assert "KNOWN_HOSTS" in text
    assert "in the repository" not in text
    written = re.findall(r">>? *(\S+)", "\n".join(script for _, script in _scripts(file.name)))
    ours = {f'"${name}"' for name in ("GITHUB_OUTPUT", "GITHUB_ENV")}
    if "rm -f apply.yml\n" in text:
        ours.add("apply.yml")  # an artifact is always in the checkout
    if '- rm -f "shard-$CI_NODE_INDEX.json"' in text:
        ours.add('"shard-$CI_NODE_INDEX.json"')
    if "kind: Job\n" in text:
        ours.add('"$report"')  # in a volume of its own
    assert [each for each in written if each not in ours and "$RUNNER_TEMP/" not in each] == []


@pytest.mark.needs_sshd
def test_the_login_password_is_enough_to_plan_and_not_to_apply(
    operator: Operator, server: Server
) -> None:
    """The commands in the section "Login passwords" work as they stand."""
    page = (DOCS / "README.md").read_text()
    section = page.partition("## Login passwords")[2].partition("\n## ")[0]
    plan, apply = (shlex.split(line) for line in re.findall("^scimconf (.+)$", section, re.M))
    (operator.folder / VAULT[1]).rename(operator.folder.parent / "tokens-password")
    login = operator.folder.parent / "login-password"
    login.touch(0o600)
    login.write_text("correct horse\n")
    sudo = encrypt(Secret("never asked for"), Secret("correct horse"), "login")
    operator.write_inventory({server.name: CHANGED})
    indented = "".join(f"\n    {line}" for line in sudo.splitlines())
    vars_file = operator.folder / "host_vars" / f"{server.name}.yaml"
    vars_file.parent.mkdir()
    vars_file.write_text(f"ansible_become_password: !vault |{indented}\n")

    assert operator.run("plan").returncode == 64, "the login password is needed"
    planned = operator.run(*plan)
    assert planned.returncode == 2, planned
    without = [each for each in apply if "tokens-password" not in each]
    without.remove("--vault-id")
    refused = operator.run(*without)
    assert (refused.returncode, "vault" in refused.stderr) == (64, True), refused
    assert '"name_formatted_included": True' not in server.settings.read_text()
    applied = operator.run(*apply)
    assert applied.returncode == 0, applied
    assert '"name_formatted_included": True' in server.settings.read_text()


# --- shards ---------------------------------------------------------------------------------------


@pytest.fixture
def fleet(operator: Operator, lab_server: Any) -> list[Server]:
    """Return two servers after their first apply."""
    servers = [lab_server(version="12.1") for _ in range(2)]
    operator.write_inventory({server.name: REALMS for server in servers})
    assert operator.apply().returncode == 0
    return servers


def _way(operator: Operator, lab: Lab) -> dict[str, str]:
    return {
        "SCIMCONF_PRIVATE_KEY": str(lab.client_key),
        "SCIMCONF_KNOWN_HOSTS": str(lab.known_hosts),
    }


@pytest.mark.needs_sshd
def test_shards_on_github(operator: Operator, lab: Lab, fleet: list[Server]) -> None:
    runner = _plain_runner(operator, lab, fleet)
    matrix = _read("github-shards.yml")["jobs"]["shard"]["strategy"]["matrix"]["index"]
    for index in matrix:
        known = {"matrix.index": str(index), "strategy.job-total": str(len(matrix))}
        done = runner.github("github-shards.yml", "shard", known)
        assert [each.returncode for each in done] == [0, 0, 0], done
    merged = runner.github("github-shards.yml", "report")[-1]
    assert merged.returncode == 0, merged
    page = (runner.temp / "fleet.html").read_text()
    assert all(server.name in page for server in fleet)

    _break(fleet[0])
    for index in matrix:
        known = {"matrix.index": str(index), "strategy.job-total": str(len(matrix))}
        runner.github("github-shards.yml", "shard", known)
    assert runner.github("github-shards.yml", "report")[-1].returncode == 2
    (runner.temp / "shard-2.json").unlink()
    missing = runner.github("github-shards.yml", "report")[-1]
    assert (missing.returncode, "shard 2 of 3 is missing" in missing.stderr) == (64, True)


@pytest.mark.needs_sshd
def test_shards_on_gitlab(operator: Operator, lab: Lab, fleet: list[Server]) -> None:
    runner = _plain_runner(operator, lab, fleet)
    total = _read("gitlab-shards.yml")["shard"]["parallel"]
    for index in range(1, total + 1):
        node = {"CI_NODE_INDEX": str(index), "CI_NODE_TOTAL": str(total)}
        done = runner.gitlab("shard", "gitlab-shards.yml", **_way(operator, lab), **node)
        assert done.returncode == 0, done
    merged = runner.gitlab("report", "gitlab-shards.yml")
    assert merged.returncode == 0, merged
    text = (runner.folder / "fleet.xml").read_text()
    assert all(f'name="{server.name}"' in text for server in fleet)


@pytest.mark.needs_sshd
def test_shards_on_kubernetes(
    operator: Operator, lab: Lab, fleet: list[Server], tmp_path: Path
) -> None:
    runner = _plain_runner(operator, lab, fleet)
    job = _read("kubernetes-shards.yml")["spec"]
    (container,) = job["template"]["spec"]["containers"]
    mounts = {"/inventory": tmp_path / "inventory", "/reports": tmp_path / "reports"}
    for folder in mounts.values():
        folder.mkdir()
    for file in ("inventory.yaml", "tokens.yaml"):  # as Kubernetes mounts a ConfigMap
        (mounts["/inventory"] / file).symlink_to(runner.folder / file)
    env = {each["name"]: str(mounts.get(each["value"], each["value"])) for each in container["env"]}
    assert container["command"] == ["sh", "-ec"]
    (script,) = container["args"]
    for index in range(job["completions"]):
        own = {**env, **_way(operator, lab), "JOB_COMPLETION_INDEX": str(index)}
        done = runner.bash(script, own)
        assert done.returncode == 0, done
    reports = sorted(map(str, mounts["/reports"].iterdir()))
    assert len(reports) == job["completions"]
    merged = operator.run("report", "merge", *reports, "--format", "json")
    assert json.loads(merged.stdout)["summary"] == {"ok": 2}, merged


def _plain_runner(operator: Operator, lab: Lab, fleet: list[Server]) -> Runner:
    """Return a CI machine whose checkout is what the servers have."""
    operator.write_inventory({server.name: REALMS for server in fleet})
    tree = json.loads(operator.inventory.read_text())
    for variables in tree["all"]["hosts"].values():
        for name in ("ansible_ssh_private_key_file", "ansible_user"):
            variables.pop(name)
    operator.inventory.write_text(json.dumps(tree, indent=2))
    secrets = {"SCIM_PLAN_KEY": lab.client_key.read_text()}
    return Runner(operator, secrets, {"scim-reader": fleet[0].user})


def _break(server: Server) -> None:
    text = server.settings.read_text()
    assert '"name_formatted_included": False' in text
    server.settings.write_text(
        text.replace('"name_formatted_included": False', '"name_formatted_included": True')
    )
