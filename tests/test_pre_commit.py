"""Run the hooks of .pre-commit-hooks.yaml with the real pre-commit, in a user's repository.

pre-commit clones this project and installs it into a new environment, as it does everywhere. The
dependencies come from the environment of the tests, so nothing is downloaded.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import jinja2
import pytest
from ruamel.yaml import YAML

from tests.matrix import sample

PROJECT = Path(__file__).parents[1]
PACKAGED = (
    *("pyproject.toml", "README.md", "LICENSE", ".pre-commit-hooks.yaml"),
    *("scimconf", "templates", "docs"),
)
TOKEN = "q7ZkW2mB9xTfR4vYc1LsD8hNpJ3gKaEu5oQiXwMtVbr"
INVENTORY = (
    "all: {{hosts: {{chat1.example.com: {{scim_idp: {idp}, scim_realms: {{acme: {{}}}}}}}}}}\n"
)


class Repository:
    """A git repository, and a user who commits to it."""

    def __init__(self, folder: Path, cache: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self._env = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "PRE_COMMIT_HOME": str(cache),
            "PYTHONPATH": str(Path(jinja2.__file__).parents[1]),
            "PIP_NO_INDEX": "1",
            "PIP_NO_BUILD_ISOLATION": "0",  # in pip, 0 turns the isolation off
            **{
                f"GIT_{who}_{what}": "x@example.com"
                for who in ("AUTHOR", "COMMITTER")
                for what in ("NAME", "EMAIL")
            },
        }
        self.git("init", "--quiet", "--initial-branch=main")

    def run(self, *argv: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            argv,
            cwd=self.folder,
            env=self._env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    def git(self, *words: str) -> str:
        done = self.run("git", *words)
        assert done.returncode == 0, done
        return done.stdout

    def write(self, **files: str) -> None:
        for name, text in files.items():
            path = self.folder / name.replace("__", ".")
            path.write_text(text)
        self.git("add", ".")

    def commit(self) -> subprocess.CompletedProcess[str]:
        return self.run("git", "commit", "-m", "x")


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """Return a repository whose commits are checked by both hooks."""
    folder = tmp_path_factory.mktemp("pre-commit")
    cache = folder / "cache"
    project = Repository(folder / "project", cache)
    for name in PACKAGED:
        source, target = PROJECT / name, project.folder / name
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)
    project.git("add", ".")
    project.git("commit", "--quiet", "-m", "x")
    rev = project.git("rev-parse", "HEAD").strip()
    user = Repository(folder / "user", cache)
    user.write(
        **{
            "__pre-commit-config__yaml": f"repos:\n- repo: {project.folder}\n  rev: {rev}\n"
            "  hooks: [{id: scimconf-inventory}, {id: scimconf-leaks}]\n"
        },
        inventory__yaml=INVENTORY.format(idp="okta"),
    )
    installed = user.run(sys.executable, "-m", "pre_commit", "install", "--install-hooks")
    assert installed.returncode == 0, installed.stdout + installed.stderr
    return user


IN_CLEAR = [
    (
        "inventory.yaml",
        INVENTORY.format(idp="okta").replace("acme: {}", f"acme: {{token: {TOKEN}}}"),
        "1:79",
    ),
    (
        "tokens.yaml",
        f"scimconf_tokens:\n  chat1.example.com:\n    acme:\n      token: {TOKEN}\n",
        "4:14",
    ),
    ("acme.txt", f"      API token                       Bearer {TOKEN}\n", "1:46"),
    ("acme.md", f"    - `Secret Token`: `{TOKEN}`\n", "1:24"),
    ("acme.html", f"<dt>Bearer token</dt><dd><code>{TOKEN}</code></dd>\n", "1:32"),
    (
        "hosts.ini",
        f"[zulip]\nchat1.test scim_realms=\"{{'acme': {{'token': '{TOKEN}'}}}}\"\n",
        "2:24",
    ),
    ("hosts", f'[zulip:vars]\nscim_realms={{"acme": {{"token": "{TOKEN}"}}}}\n', "2:13"),
    ("settings.py", f'SCIM_CONFIG = {{"": {{"bearer_token": "{TOKEN}"}}}}\n', "1:38"),
]
NAMES = [
    ("hosts.yml", "[-i, hosts.yml]"),
    ("production.yaml", "[-i, production.yaml]"),
    ("inventories/production/hosts.yaml", "[-i, inventories/production]"),
    ("host_vars/chat1.example.com", "[-i, inventory.yaml]"),
    ("tokens.yaml", "[]"),
]


def test_a_valid_inventory_is_committed(repository: Repository) -> None:
    repository.write(inventory__yaml=INVENTORY.format(idp="okta"))
    done = repository.commit()
    assert done.returncode == 0, done
    said = done.stdout + done.stderr
    assert said.count("Passed") == 2


def test_an_invalid_inventory_is_not_committed(repository: Repository) -> None:
    repository.write(inventory__yaml=INVENTORY.format(idp="okto"))
    done = repository.commit()
    assert done.returncode != 0
    assert re.search(r"inventory\.yaml:1:\d+: error: .*\n  -> did you mean okta\?", done.stderr), (
        done
    )
    repository.write(inventory__yaml=INVENTORY.format(idp="okta"))


@pytest.mark.parametrize(("file", "text", "place"), sample(IN_CLEAR, *IN_CLEAR[::3]))
def test_a_token_in_plain_text_is_not_committed(
    repository: Repository, file: str, text: str, place: str
) -> None:
    before = (repository.folder / file).read_text() if file == "inventory.yaml" else None
    repository.write(**{file.replace(".", "__"): text})
    done = repository.commit()
    said = done.stdout + done.stderr
    assert done.returncode != 0
    assert f"{file}:{place}: " in said
    assert TOKEN not in said
    if before is None:
        repository.git("rm", "--quiet", "--force", file)
    else:
        repository.write(inventory__yaml=before)


@pytest.mark.parametrize(("file", "args"), sample(NAMES, NAMES[2]))
def test_the_inventory_may_have_another_name(repository: Repository, file: str, args: str) -> None:
    """`args:` names it. A change of a file beside it is checked, too."""
    config = repository.folder / ".pre-commit-config.yaml"
    usual = config.read_text()
    inventory = repository.folder / "inventory.yaml"
    path = repository.folder / file
    path.parent.mkdir(parents=True, exist_ok=True)
    texts = {
        "tokens.yaml": ("version: 2\nscimconf_tokens:\n...\n", "version: 2\n"),
        "host_vars/chat1.example.com": ("scim_idp: okta\n", "scim_idp: okto\n"),
    }
    good, bad = texts.get(file, (INVENTORY.format(idp="okta"), INVENTORY.format(idp="okto")))
    config.write_text(
        usual.replace("{id: scimconf-inventory}", f"{{id: scimconf-inventory, args: {args}}}")
    )
    try:
        path.write_text(bad)
        repository.git("add", ".")
        refused = repository.commit()
        assert refused.returncode != 0
        assert f"{file}:" in refused.stdout + refused.stderr
        path.write_text(good)
        repository.git("add", ".")
        done = repository.commit()
        assert done.returncode == 0, done
        assert (done.stdout + done.stderr).count("Passed") == 2
    finally:
        repository.git("rm", "--quiet", "--force", file)
        config.write_text(usual)
        inventory.write_text(INVENTORY.format(idp="okta"))
        repository.git("add", ".")
        assert repository.run("git", "commit", "--no-verify", "-qm", "x").returncode == 0


@pytest.mark.parametrize(
    ("file", "inventory", "leaks"),
    [
        *((name, True, True) for name in ("hosts.yml", "production.yaml", "tokens.yaml")),
        *((name, True, True) for name in ("hosts", "hosts.ini", "inventory/production")),
        *((name, True, True) for name in ("group_vars/all", "ansible.cfg", "Hosts.YML")),
        ("group_vars/all.d/chat.example.com", True, False),
        *((name, False, True) for name in ("settings.py", ".env", "scim.conf", "acme.html")),
        *((name, False, False) for name in ("logo.png", "zulip.py", "main.rs")),
    ],
)
def test_the_files_that_start_the_hooks(file: str, inventory: bool, leaks: bool) -> None:
    hooks = YAML(typ="safe", pure=True).load(PROJECT / ".pre-commit-hooks.yaml")
    found = {each["id"]: re.search(each["files"], file) is not None for each in hooks}
    assert found == {"scimconf-inventory": inventory, "scimconf-leaks": leaks}
