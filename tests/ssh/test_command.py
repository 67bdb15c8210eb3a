from __future__ import annotations

import ast
import json
import platform
import shutil
import subprocess
import sys
import zlib
from dataclasses import replace
from importlib import resources
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scimconf import agent
from scimconf.errors import HostError
from scimconf.ssh import command, fixed_path, program
from scimconf.ssh.session import find_become
from scimconf.ssh.su import Su
from scimconf.ssh.sudo import Sudo
from tests.ssh.server import PATHS
from tests.ssh.test_local import LOCAL

SHELLS = [
    path for name in ("sh", "dash", "bash", "zsh", "ksh", "fish", "csh", "tcsh")
    if (path := shutil.which(name))
]  # fmt: skip
NONCE = "aa11"


def words(marker: str | None = None, **changes: object) -> tuple[str, ...]:
    connection = replace(LOCAL, become=marker is not None, **changes)
    become = find_become(connection, PATHS, "deploy", marker or "")
    return command.words(connection, PATHS, NONCE, become)


@pytest.mark.parametrize("shell", SHELLS)
def test_every_login_shell_splits_the_line_into_the_same_words(shell: str) -> None:
    line = command.line(
        (sys.executable, "-c", SHOW, *words("[bb22]", python="/opt/my python/bin/python3"))
    )
    done = subprocess.run([shell, "-c", line], stdout=subprocess.PIPE, check=True)
    assert tuple(json.loads(done.stdout)) == words("[bb22]", python="/opt/my python/bin/python3")


SHOW = "import json, sys; print(json.dumps(sys.argv[1:]))"
WORD = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="'\\!\r\n\0"))


@pytest.mark.parametrize("shell", SHELLS)
@settings(max_examples=20, deadline=None)
@given(given=st.lists(WORD, min_size=1, max_size=20))
def test_quoted_words_are_unchanged(shell: str, given: list[str]) -> None:
    line = command.line((sys.executable, "-c", SHOW, *given))
    done = subprocess.run([shell, "-c", line], stdout=subprocess.PIPE, check=True)
    assert json.loads(done.stdout) == given


@pytest.mark.parametrize("word", ["it's", "a\\b", "wow!", "two\nlines", "nul\0", "cr\r"])
def test_words_that_cannot_be_quoted_are_refused(word: str) -> None:
    with pytest.raises(HostError, match="not every login shell passes on unchanged"):
        command.quote(word)


def test_sudo_asks_with_our_marker_and_remembers_nothing() -> None:
    assert words("[bb22]", become_user="zu")[:15] == (
        "/usr/bin/env", f"PATH={fixed_path.USUAL}", "LC_ALL=", "LC_MESSAGES=C",
        "sudo", "-H", "-S", "-k", "-p", "[bb22]",
        "-u", "zu", "--",
        "/bin/sh", "-c",
    )  # fmt: skip
    assert words()[:2] == ("/bin/sh", "-c")


@pytest.mark.parametrize("python", [None, "auto", "auto_silent", "auto_legacy"])
def test_automatic_python_is_not_a_path(python: str | None) -> None:
    assert words(python=python)[-4] == ""


@pytest.mark.parametrize(
    ("login", "changes", "expected"),
    [
        ("deploy", {}, Sudo("[m]", "deploy", "zulip")),
        ("deploy", {"become_method": "su"}, Su("[m]", "deploy", "zulip")),
        ("deploy", {"become": False}, None),
        ("zulip", {}, None),
        ("zulip", {"become_user": "root"}, None),
        ("root", {}, None),
        ("root", {"become_method": "su"}, None),
        ("other", {"become_user": "other"}, None),
    ],
)
def test_the_words_before_the_agent(
    login: str, changes: dict[str, object], expected: object
) -> None:
    connection = replace(LOCAL, **{"become": True, **changes})
    assert find_become(connection, PATHS, login, "[m]") == expected


@pytest.mark.parametrize(
    ("uid", "user", "after", "expected"),
    [
        ("1000", "zulip", "", (0, "python")),
        ("0", "zulip", "61001", (0, "python")),
        ("0", "zulip", "0", (126, f"{NONCE} root")),
        ("0", "zulip", "", (126, f"{NONCE} root")),
        ("0", "toor", "61001", (126, f"{NONCE} root")),
        ("0", "stranger", "61001", (126, f"{NONCE} nobody")),
        ("", "zulip", "61001", (126, f"{NONCE} root")),
    ],
)
def test_python_starts_only_if_the_user_is_not_root(
    tmp_path: Path, uid: str, user: str, after: str, expected: tuple[int, str]
) -> None:
    """With stubs of `id` and `runuser`; `after` is the uid that `id` tells after runuser."""
    stubs = {
        "id": 'case "$3" in "") echo "$NOW";; zulip) echo 61001;; toor) echo 0;; esac',
        "runuser": 'shift 3; NOW="$AFTER" exec "$@"',
    }
    for name, script in stubs.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)
    scripts = words()[-3:]
    done = subprocess.run(
        ["/bin/sh", "-c", scripts[0], "sh",
         "print('python')", NONCE, user, "/nowhere", sys.executable, *scripts],
        env={"PATH": str(tmp_path), "NOW": uid, "AFTER": after},
        stdout=subprocess.PIPE, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout.strip()) == expected


class TestBootstrap:
    """The text in the command line."""

    def test_it_contains_no_character_that_needs_quoting(self) -> None:
        assert command.quote(program.bootstrap())
        assert program.bootstrap().isascii()
        assert len(program.bootstrap()) < 1000

    def test_it_is_the_file_without_its_comments(self) -> None:
        call = ast.parse(program.bootstrap(), mode="eval").body
        assert isinstance(call, ast.Call)
        packed = call.args[0].func.value.value
        source = packed.replace("|", "\n")
        compile(source, "bootstrap", "exec")
        assert "#" not in source

    def test_it_parses_on_old_pythons(self) -> None:
        ast.parse(
            resources.files("scimconf.agent").joinpath("bootstrap.py").read_text(),
            feature_version=(3, 4),
        )

    def test_an_incomplete_program_is_not_run(self) -> None:
        for sent in b"", b"100\n", b"100\nhalf":
            assert run_bootstrap(sent) == (1, b"aa11 ready")

    def test_modules_can_import_each_other(self) -> None:
        sent = program.framed([
            ("one", "VALUE = 1"),
            ("main", "from __future__ import annotations\n"
                     "from scimconf.agent import one\n"
                     "from scimconf.agent.one import VALUE\n"
                     "import scimconf.agent.one as same\n"
                     "def main(user):\n"
                     "    print(user, one.VALUE, VALUE, same is one, __name__)\n"
                     "    return 7\n"),
        ])  # fmt: skip
        code, out = run_bootstrap(sent)
        assert (code, out) == (7, b"aa11 ready\nzulip 1 1 True scimconf.agent.main")


def run_bootstrap(sent: bytes) -> tuple[int, bytes]:
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-B", "-u", "-c", program.bootstrap(), "aa11", "zulip"],
        input=sent, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False,
    )  # fmt: skip
    first, _, rest = done.stdout.strip().partition(b"\n")
    assert first.rpartition(b" ")[2].decode() == platform.python_version()
    return done.returncode, b"\n".join(filter(None, (first.rpartition(b" ")[0], rest)))


def test_the_program_holds_the_agents_modules_and_nothing_else() -> None:
    size, _, data = program.payload().partition(b"\n")
    assert int(size) == len(data)
    pairs = json.loads(zlib.decompress(data))
    assert [name for name, _ in pairs] == list(agent.MODULES)
    assert pairs[-1][0] == "main"


def test_shell_functions_cannot_replace_programs() -> None:
    """On some systems sh is bash, which imports functions from the environment."""
    bash = shutil.which("bash")
    assert bash
    names = ("exec", "env", "id", "case", "/usr/bin/env", "command", "echo", "cd", "[")
    stolen = {f"BASH_FUNC_{name}%%": "() { /bin/echo stolen; }" for name in names}
    done = subprocess.run(
        ["sh", *words()[1:]],
        executable=bash, env={"PATH": "/usr/bin:/bin", **stolen},
        stdin=subprocess.DEVNULL, capture_output=True, check=False,
    )  # fmt: skip
    assert b"stolen" not in (done.stdout + done.stderr).splitlines()
