"""Local connections, and agents that send invalid responses."""

from __future__ import annotations

import shlex
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from scimconf.consent import EVERYTHING
from scimconf.errors import HostError
from scimconf.secret import Sealed
from scimconf.ssh import process as process_module
from scimconf.ssh.process import LocalProcess
from scimconf.ssh.session import Credentials, Options, open_agent
from tests.factories import connection
from tests.ssh.server import HERE, PYTHON, wait_for
from tests.ssh.server import PATHS_HERE as PATHS

LOCAL = connection(kind="local", host="localhost", user=None)
NOTHING = Credentials()
OPTIONS = Options(start_timeout=20, allow_exec=frozenset({"local"}))


def ask(request: dict[str, object]) -> list[object]:
    with open_agent(LOCAL, PATHS, NOTHING, OPTIONS) as agent:
        return list(agent.ask(request))


def breach(request: dict[str, object], seconds: float = 20) -> HostError:
    with open_agent(LOCAL, PATHS, NOTHING, OPTIONS) as agent, pytest.raises(HostError) as caught:
        list(agent.ask(request, seconds))
    assert caught.value.step == "agent"
    return caught.value


def raw(*lines: str) -> dict[str, object]:
    return {"do": "raw", "text": "".join(lines)}


def test_a_local_agent_runs_without_ssh() -> None:
    (answer,) = ask({"do": "who", "word": "é"})
    assert answer["user"] == HERE
    assert answer["echo"] == {"do": "who", "word": "é"}


def test_a_local_agent_needs_permission() -> None:
    with (
        pytest.raises(HostError, match="on this machine") as caught,
        open_agent(LOCAL, PATHS, NOTHING, Options(allow_exec=EVERYTHING - {"local"})),
    ):
        pass
    assert "--allow-exec=local" in caught.value.hint


@pytest.mark.parametrize("word", ["hunter2", "abc"])
def test_errors_mask_each_word_of_an_encrypted_variable(word: str) -> None:
    """Quotes and spaces change, and a short word is not masked elsewhere."""
    sealed = Sealed(f"-o 'ProxyCommand={word.upper()}  x'", b"key", owned=True)
    to = connection(
        ssh_arguments=("-o", f"ProxyCommand={word}  x"),
        encrypted={"ansible_ssh_common_args": sealed},
    )
    with (
        pytest.raises(HostError, match="run programs") as caught,
        open_agent(to, PATHS, NOTHING, OPTIONS),
    ):
        pass
    assert word not in caught.value.message + str(caught.value)
    assert "<secret>" in caught.value.message


@pytest.mark.needs_root
def test_a_local_agent_never_runs_as_root(tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    python = stand_in(tmp_path / ".venv/bin/python3", "x")
    python.write_text(f"#!/bin/sh\ntouch {ran}\n")
    paths = replace(PATHS, user="root", deployment=str(tmp_path))
    with (
        pytest.raises(HostError, match="never runs as root"),
        open_agent(LOCAL, paths, NOTHING, OPTIONS),
    ):
        pass
    assert not ran.exists()


def test_a_local_agent_gets_no_environment_with_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OKTA_TOKEN", "canary")
    (answer,) = ask({"do": "who"})
    assert "canary" not in answer["environment"].values()


def test_the_python_of_the_deployment_comes_first(shared: Path) -> None:
    inventory = stand_in(shared / "python3", "inventory")
    connection = replace(LOCAL, python=str(inventory))
    chosen = []
    for folder in "none", "zulip-py3-venv", ".venv":
        if folder != "none":
            stand_in(shared / folder / "bin" / "python3", folder)
        with open_agent(connection, replace(PATHS, deployment=str(shared)), NOTHING, OPTIONS) as a:
            chosen.append(next(iter(a.ask({"do": "who"})))["environment"]["CHOSEN"])
    assert chosen == ["inventory", "zulip-py3-venv", ".venv"]


def stand_in(python: Path, name: str) -> Path:
    python.parent.mkdir(parents=True, exist_ok=True)
    python.write_text(f'#!/bin/sh\nCHOSEN={name} exec {shlex.quote(PYTHON)} "$@"\n')
    python.chmod(0o755)
    return python


def pretend(shared: Path, script: str, seconds: float = 20) -> HostError:
    """Start an agent; its Python is the given shell script."""
    python = stand_in(shared / ".venv" / "bin" / "python3", "x")
    python.write_text(f"#!/bin/sh\n{script}\n")
    paths = replace(PATHS, deployment=str(shared))
    with (
        pytest.raises(HostError) as caught,
        open_agent(LOCAL, paths, NOTHING, replace(OPTIONS, start_timeout=seconds)),
    ):
        pass
    assert caught.value.step == "start"
    return caught.value


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ('echo "$7 ready 3.6.15"; cat', "the Python on the server is 3.6.15"),
        ('echo "Unknown option: -I" >&2; exit 2', "the Python on the server is 2;"),
        ('echo "$7 none"; exit 127', "has no python3 on the server"),
        ("echo out; echo oops >&2; exit 4", "exited with status 4: oops"),
        ("exit 4", "exited with status 4 and printed nothing"),
        ("yes", "sent over 1 MiB before the agent's ready line"),
    ],
)
def test_a_python_that_does_not_start_the_agent(shared: Path, script: str, message: str) -> None:
    assert message in pretend(shared, script).message


def test_a_start_that_hangs(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process_module, "_GRACE", 0.1)
    error = pretend(shared, "echo one moment; exec sleep 30", seconds=0.5)
    assert error.message.startswith("the agent did not start within 0.5 s")


def test_megabytes_both_ways() -> None:
    with open_agent(LOCAL, PATHS, NOTHING, OPTIONS) as agent:
        text = "x" * 3_000_000
        assert next(iter(agent.ask({"do": "echo", "text": text})))["echo"]["text"] == text
        assert [message["final"] for message in agent.ask({"do": "complain"})] == [True]


@pytest.mark.parametrize(
    "line",
    [
        "not json\n",
        "[1, 2]\n",
        '"text"\n',
        "[" * 100_000 + "\n",
        "1" * 10_000 + "\n",
        '{"final": true, "text": "\\ud800"}\n',
        '{"final": false, "final": true}\n',
        '{"final": true, "realms": {"a": 1, "a": 2}}\n',
        '{"final": true, "number": NaN}\n',
        '{"final": true, "number": -Infinity}\n',
        "\n",
    ],
)
def test_an_invalid_message_is_refused(line: str) -> None:
    assert "sent an invalid response" in breach(raw(line)).message


def test_a_second_answer_is_refused() -> None:
    final = '{"final": true}\n'
    assert "more than one request" in breach(raw(final, final)).message


def test_an_endless_line_is_cut_off() -> None:
    assert "over 4 MiB" in breach({"do": "fill"}).message


def test_too_many_lines_are_cut_off() -> None:
    lines = '{"step": "%s"}\n' % ("x" * 100_000)
    assert "over 4 MiB" in breach(raw(lines * 100)).message


def test_terminal_escapes_of_a_server_are_not_shown() -> None:
    error = breach(raw("\x1b]0;title\x07\x1b[31mred\u202e\n"))
    assert "(not JSON: red)" in error.message


def test_an_answer_that_comes_too_late() -> None:
    assert "did not finish in time" in breach({"do": "hang"}, seconds=0.2).message


def test_an_agent_that_is_at_work_is_left_to_finish(shared: Path) -> None:
    done = shared / "done"
    with open_agent(LOCAL, PATHS, NOTHING, OPTIONS) as agent:
        assert next(iter(agent.ask({"do": "mark", "file": str(done)})))["step"] == "begun"
    wait_for(lambda: done.exists() and done.read_text() == "finished")


def test_a_program_that_does_not_exist() -> None:
    with pytest.raises(HostError, match="cannot start /no/such/program: No such file"):
        LocalProcess(("/no/such/program",))


def test_a_process_that_does_not_end_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process_module, "_GRACE", 0.2)
    process = LocalProcess(
        ("/bin/sh", "-c", "trap '' TERM HUP; echo up; while :; do sleep 9; done")
    )
    while not process.exchange(b"", 1).out:
        pass
    process.close(at_work=False)
    assert process.exit_status() == -signal.SIGKILL
