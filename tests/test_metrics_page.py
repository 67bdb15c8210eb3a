"""The units, rules and scripts of docs/how-to/metrics.md."""

from __future__ import annotations

import configparser
import http.server
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from ruamel.yaml import YAML

from scimconf.activity import Activity, Seen, SeenRequest, State
from scimconf.errors import ExitCode
from scimconf.model import Outcome, Status, TokenDate
from scimconf.report.prometheus import metrics

PAGE = (Path(__file__).parents[1] / "docs/how-to/metrics.md").read_text(encoding="utf-8")
NOW = datetime(2026, 11, 29, tzinfo=timezone.utc)


def _blocks(language: str) -> list[str]:
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    return [text for name, text in blocks if name == language]


def _written() -> dict[str, set[str]]:
    """Return the metrics that scimconf writes, each with the names of its labels."""
    seen = Seen(accepted=SeenRequest(1.0, 200, "GET Users"), hour={200: 1}, day={200: 1})
    text = metrics(
        "plan",
        [Outcome("chat1", Status.OK, activity=(Activity("acme", State.OK, "", seen=seen),))],
        ExitCode.OK,
        NOW,
        report="scimconf",
        tokens=[TokenDate("chat1", "", "2026-06-01T10:00:00Z")],
        earlier={},
    )
    samples = re.findall(r"^(\w+)\{(.*)\} ", text, re.MULTILINE)
    return {name: set(re.findall(r'(\w+)="', labels)) for name, labels in samples}


def test_the_page_lists_all_metrics_and_labels() -> None:
    rows = re.findall(r"^\| `(scimconf_\w+)` \| (.*?) \|", PAGE, re.MULTILINE)
    listed = {name: {"report", *re.findall(r"`(\w+)`", labels)} for name, labels in rows}
    assert listed == _written()


def test_the_alerts_use_metrics_and_labels_that_exist() -> None:
    rules, receivers = (YAML(typ="safe", pure=True).load(block) for block in _blocks("yaml"))
    written = _written()
    alerts = rules["groups"][0]["rules"]
    assert len({each["alert"] for each in alerts}) == len(alerts) == 5
    for alert in alerts:
        for name, labels in re.findall(r"(scimconf_\w+)(?:\{(.*?)\})?", alert["expr"]):
            assert set(re.findall(r"(\w+)=", labels)) <= written[name]
        (first, *_) = re.findall(r"scimconf_\w+", alert["expr"])
        used = set(re.findall(r"\$labels\.(\w+)", alert["annotations"]["summary"]))
        assert used <= written[first]
    (receiver,) = receivers["receivers"]
    assert "name=alertname&desc=summary" in receiver["webhook_configs"][0]["url"]


def test_the_units_run_a_plan_and_accept_its_exit_codes(tmp_path: Path) -> None:
    service, timer = _blocks("ini")
    read = configparser.ConfigParser(interpolation=None)
    read.optionxform = str  # type: ignore[method-assign,assignment]
    read.read_string(service)
    words = read["Service"]["ExecStart"].split()
    assert words[1:3] == ["plan", "--report"]
    assert Path(words[3]).name == "scimconf.prom"  # the label of the alerts
    assert read["Service"]["SuccessExitStatus"] == str(int(ExitCode.PENDING))
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    program = tmp_path / "scimconf"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    (tmp_path / "scimconf-plan.service").write_text(
        service.replace(words[0], str(program))
        .replace("/srv/scim", "/")
        .replace("User=scimconf", "User=root")
    )
    (tmp_path / "scimconf-plan.timer").write_text(timer)
    done = subprocess.run(
        ["systemd-analyze", "verify", "scimconf-plan.service", "scimconf-plan.timer"],
        cwd=tmp_path,
        env={**os.environ, "SYSTEMD_UNIT_PATH": f"{tmp_path}:"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "scimconf-plan" not in done.stderr, done.stderr


class _Zulip(http.server.BaseHTTPRequestHandler):
    """Takes the messages of a bot."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.server.taken.append((self.path, self.headers["Authorization"], parse_qs(body)))  # type: ignore[attr-defined]
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps({"result": "success"}).encode())

    def log_message(self, *_: Any) -> None:
        """Print nothing."""


@pytest.fixture
def zulip() -> Iterator[Any]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Zulip)
    server.taken = []  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_script_posts_a_notice_unless_all_is_well(zulip: Any, tmp_path: Path) -> None:
    """The fleet has one server, which is unreachable and has a hostile name."""
    address = f"127.0.0.1:{zulip.server_port}"
    host = "{ansible_host: 127.0.0.1, ansible_port: 1, scim_realms: {}}"
    (tmp_path / "inventory.yaml").write_text(f"all: {{hosts: {{chat1.example.com: {host}}}}}\n")
    (netrc,) = [block for block in _blocks("") if block.startswith("machine ")]
    (tmp_path / "bot").write_text(netrc.replace("chat.example.com login", "127.0.0.1 login"))
    (script,) = _blocks("sh")
    for old, new in (
        ("/srv/scim", str(tmp_path)),
        ("/etc/scimconf/zulip-bot", str(tmp_path / "bot")),
        ("https://chat.example.com", f"http://{address}"),
    ):
        assert old in script
        script = script.replace(old, new)
    program = tmp_path / "bin/scimconf"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m scimconf "$@"\n')
    program.chmod(0o755)
    env = {"PATH": f"{program.parent}:{os.environ['PATH']}", "HOME": str(tmp_path)}

    def run() -> None:
        done = subprocess.run(
            ["/bin/sh", "-c", script], env=env, capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")

    run()
    ((path, authorization, said),) = zulip.taken
    assert (path, authorization[:6]) == ("/api/v1/messages", "Basic ")
    assert (said["type"], said["to"], said["topic"]) == (["stream"], ["ops"], ["SCIM"])
    (content,) = said["content"]
    assert content.startswith("scimconf plan: exit code 3\n~~~~~~~~\nchat1.example.com  ")
    assert content.endswith("\n~~~~~~~~\n")
    program.write_text("#!/bin/sh\nexit 0\n")
    run()
    assert len(zulip.taken) == 1
