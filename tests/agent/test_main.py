"""The protocol, with the agent in its own process."""

from __future__ import annotations

import getpass
import json
import os
import select
import signal
import socket
import stat
import struct
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from scimconf.agent import child, files, main
from scimconf.agent.errors import AgentError
from tests.agent import program
from tests.agent.fake import Zulip

TOKEN = "hunter2hunter2hunter2hunter2"

# The agent refuses to run as root, and other users cannot enter the folders of a test as root.
AS_ROOT = os.geteuid() == 0


def answer(*lines: bytes, user: str = "nobody", env: dict[str, str] | None = None) -> list[Any]:
    done = subprocess.run(
        program.argv(user), input=program.stdin([]) + b"".join(lines), capture_output=True,
        check=False, timeout=60, env=env or {"PATH": os.environ["PATH"]},
    )  # fmt: skip
    assert done.stderr == b""
    return program.answers(done.stdout)


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the user of the agent: nobody if the test runs as root, otherwise the current user."""
    return "nobody" if AS_ROOT else getpass.getuser()


def test_an_invalid_request_is_answered_and_so_is_the_next_one(here: str) -> None:
    lines = (b"nonsense\n", b"[]\n", b'{"do": "dance"}\n', b'{"do": "apply"}\n', b"{}\n")
    found = answer(*lines, user=here)
    assert [each["result"] for each in found] == ["error"] * 5
    assert [each["step"] for each in found] == ["request", "request", "dance", "apply", "request"]
    assert found[0]["message"].startswith("JSONDecodeError (agent, ")
    assert found[2]["message"] == "the request is unknown"
    assert all(each["final"] for each in found)


def test_an_unexpected_error_shows_its_place_but_no_value(here: str) -> None:
    request = {"do": "observe", "paths": {}, "realms": TOKEN}
    found = answer(json.dumps(request).encode() + b"\n", user=here)
    assert TOKEN not in json.dumps(found)
    assert found[0]["step"] == "observe"


def test_an_endless_request_is_refused(here: str) -> None:
    assert answer(b'{"do": "observe"}', user=here) == []


def test_a_connection_reset_ends_the_agent_silently(here: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        near = socket.create_connection(listener.getsockname())
        far, _ = listener.accept()
    # Without the variables of coverage, which would print errors if it may not write its data.
    env = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    with far, subprocess.Popen(
        program.argv(here), stdin=far, stdout=far, stderr=subprocess.PIPE, env=env
    ) as agent:  # fmt: skip
        near.sendall(program.stdin([{}]))
        with near.makefile("rb") as answers:
            assert answers.readline().startswith(b"NONCE ready")
            assert b'"error"' in answers.readline()
        near.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        near.close()
        assert agent.communicate(timeout=30)[1] == b""


@pytest.mark.needs_root
def test_root_and_unknown_users_are_refused() -> None:
    found = answer(b"{}\n", user="no-such-user")
    assert found == [
        {
            "final": True,
            "result": "error",
            "step": "start",
            "message": "the server has no user no-such-user",
            "hint": "set zulip_user to the user that owns Zulip (usually zulip)",
        }
    ]
    assert "has uid 0" in answer(b"{}\n", user="root")[0]["message"]


def test_the_agent_becomes_the_user_with_its_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    """Check the calls and their order without root."""
    calls: list[tuple[object, ...]] = []
    now = [0]

    def setresuid(*ids: int) -> None:
        calls.append(("uid", *ids))
        now[0] = ids[0]

    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(os, "getresuid", lambda: (now[0],) * 3)
    monkeypatch.setattr(os, "initgroups", lambda *ids: calls.append(("groups", *ids)))
    monkeypatch.setattr(os, "setresgid", lambda *ids: calls.append(("gid", *ids)))
    monkeypatch.setattr(os, "setresuid", setresuid)
    main._drop_root("nobody")
    assert [call[0] for call in calls] == ["groups", "gid", "uid"]
    assert calls[2][1] == calls[2][2] == calls[2][3] != 0
    now[0] = 0
    with pytest.raises(AgentError, match="root has uid 0"):
        main._drop_root("root")


def test_the_user_and_address_of_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUDO_USER", "ops")
    monkeypatch.setenv("SSH_CONNECTION", "192.0.2.1 5000 192.0.2.2 22")
    assert main._who() == "ops from 192.0.2.1"
    monkeypatch.delenv("SSH_CONNECTION")
    assert main._who() == "ops"
    monkeypatch.setenv("SSH_CONNECTION", "192.0.2.1\x1b[31m 5000 192.0.2.2 22")
    monkeypatch.setenv("SUDO_USER", "ops\nroot")
    assert main._who() == files.user()


# --- a transaction without a controller -------------------------------------------------------


@pytest.fixture
def agent(zulip: Zulip, tmp_path: Path) -> tuple[Zulip, list[str]]:
    """Return a server and the argv of an agent on it that may run as root."""
    script = tmp_path / "agent.py"
    root = str(Path(__file__).parents[2])
    script.write_text(
        f"import sys\nsys.path.insert(0, {root!r})\nfrom scimconf.agent import gate, main\n"
        "gate._PAUSE = 0.01\nmain._drop_root = lambda name: None\nsys.exit(main.main('zulip'))\n"
    )
    return zulip, [sys.executable, "-B", "-u", str(script)]


def _until(condition: Any) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _idle(zulip: Zulip) -> bool:
    journal = zulip.state / "journal.json"
    return journal.exists() and json.loads(journal.read_text())["state"] != "open"


def test_the_agent_observes_and_applies(agent: tuple[Zulip, list[str]]) -> None:
    zulip, argv = agent
    requests = [zulip.observe(acme=None), zulip.apply(acme=TOKEN), zulip.observe(acme=None)]
    lines = b"".join(json.dumps(each).encode() + b"\n" for each in requests)
    done = subprocess.run(argv, input=lines, capture_output=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, b"")
    finals = [each for each in map(json.loads, done.stdout.splitlines()) if each.get("final")]
    assert [each["result"] for each in finals] == ["observed", "committed", "observed"]
    assert finals[2]["running"] == {"acme": 200}
    assert TOKEN.encode() not in done.stdout


@pytest.mark.parametrize("restart_exit", [0, 1])
def test_a_closed_connection_or_a_signal_does_not_stop_a_transaction(
    agent: tuple[Zulip, list[str]], restart_exit: int
) -> None:
    zulip, argv = agent
    zulip.behave(restart_exit=restart_exit)
    before = zulip.pair()
    request = zulip.apply(acme=TOKEN)
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(request).encode() + b"\n")
        process.stdin.flush()
        assert select.select([process.stdout], [], [], 30)[0]
        process.stdout.readline()
        process.stdin.close()
        process.stdout.close()
        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGPIPE):
            process.send_signal(number)
        _until(lambda: _idle(zulip))
        process.wait(30)
    if restart_exit:
        assert zulip.pair() == before
    else:
        assert zulip.running() == {"acme": TOKEN}


def test_children_get_a_clean_environment_and_default_signals(
    agent: tuple[Zulip, list[str]], tmp_path: Path
) -> None:
    zulip, argv = agent
    seen = tmp_path / "seen"
    script = tmp_path / "restart"
    script.write_text(
        f"#!/bin/sh\n(env; grep SigIgn /proc/$$/status; umask) > '{seen}'\n"
        f"exec '{zulip.deployment}/scripts/restart-server'\n"
    )
    script.chmod(0o755)
    request = {**zulip.apply(acme=TOKEN), "restart": [str(script)]}
    env = {"PATH": "/opt/bin:/usr/bin:/bin", "API_KEY": "of somebody", "LD_LIBRARY_PATH": "/x"}
    lines = json.dumps(request).encode() + b"\n"
    done = subprocess.run(argv, input=lines, capture_output=True, check=False, env=env, timeout=60)
    assert b'"committed"' in done.stdout
    text = seen.read_text()
    assert "API_KEY" not in text
    assert "LD_LIBRARY_PATH" not in text
    assert TOKEN not in text
    assert "PATH=/opt/bin:/usr/bin:/bin:/usr/local/sbin" in text
    # Not the agent's umask 077: other users may read the files that Zulip makes.
    assert text.splitlines()[-1] == f"{child.login_umask():04o}"
    ignored = int(text.partition("SigIgn:")[2].split()[0], 16)
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGPIPE):
        assert not ignored & 1 << (number - 1)


def test_files_of_a_restart_have_the_mode_of_a_login(
    agent: tuple[Zulip, list[str]], tmp_path: Path
) -> None:
    zulip, argv = agent
    script = tmp_path / "restart"
    script.write_text(
        f"#!/bin/sh\n> '{tmp_path}/made'\nexec '{zulip.deployment}/scripts/restart-server'\n"
    )
    script.chmod(0o755)
    request = {**zulip.apply(acme=TOKEN), "restart": [str(script)]}
    lines = json.dumps(request).encode() + b"\n"
    done = subprocess.run(
        argv, input=lines, capture_output=True, check=False, timeout=60, umask=0o077
    )
    assert b'"committed"' in done.stdout
    mode = stat.S_IMODE((tmp_path / "made").stat().st_mode)
    assert mode == 0o666 & ~child.login_umask()
    # The agent's own files stay private.
    folder = Path(files.state_folder(str(zulip.deployment)))
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (folder, *folder.rglob("*"))}
    assert modes <= {0o600, 0o700}


@pytest.mark.parametrize("request_", ['{"do": "apply", "gate": null}', '{"do": "recover"}'])
def test_a_change_loads_all_modules_before_it_begins(request_: str) -> None:
    """A rollback must not depend on a module that is not loaded yet."""
    program = f"""
import json, sys
from scimconf.agent import files, main
needed = {{"encodings.idna", "http.client", "ssl", "subprocess", "unicodedata"}}
assert not needed & set(sys.modules)
main._answer({request_.encode()!r}, "somebody")
print(json.dumps(sorted(needed - set(sys.modules))))
"""
    root = Path(__file__).parents[2]
    said = subprocess.check_output([sys.executable, "-c", program], cwd=root, timeout=60)
    assert json.loads(said) == []
