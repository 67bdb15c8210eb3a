"""What operators of a running fleet need: a limit on changes, silenced warnings, metrics, hints."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from tests.lab import Server
from tests.lab.operator import VAULT, Operator

One = Callable[..., Server]
NAMES = [f"r{number}" for number in range(6)]
REALMS: dict[str, Any] = {name: {} for name in NAMES}
CHANGED: dict[str, Any] = {name: {"name_formatted_included": True} for name in NAMES}


def _next(stderr: str) -> list[str]:
    """Return the words of the command after `next: scimconf`."""
    (line,) = [each for each in stderr.splitlines() if each.startswith("next: scimconf ")]
    return shlex.split(line.removeprefix("next: scimconf "))


def test_too_many_changes_need_allow_many(operator: Operator, one: One) -> None:
    server = one({"scim_realms": REALMS}, version="9.0", realms=NAMES)
    assert operator.apply().returncode == 0  # new realms do not count
    before = server.settings.read_bytes()
    operator.write_inventory({server.name: {"scim_realms": CHANGED}})

    plan = operator.run("plan", "--report", "plan.md", "--format", "json")
    note = "apply will need --allow-many: 6 of 6 existing realms would change"
    assert (plan.returncode, json.loads(plan.stdout)["notes"]) == (2, [note])
    assert f"`{note}`" in (operator.folder / "plan.md").read_text()
    assert note in operator.run("plan").stdout

    refused = operator.run("apply", "--yes", *VAULT)
    assert (refused.returncode, refused.stdout) == (64, "")
    assert "6 of 6 existing realms would change. That is more than a third" in refused.stderr
    assert "to see the changes: scimconf plan " in refused.stderr
    assert "if all of them are intended, add --allow-many to this command" in refused.stderr
    assert server.settings.read_bytes() == before

    saved = operator.run("plan", "--out", "plan.json")
    assert saved.returncode == 2
    assert "6 of 6 existing realms would change" in saved.stdout
    assert "--allow-many" not in saved.stdout
    assert operator.run("apply", "--yes", "--plan", "plan.json", *VAULT).returncode == 0

    assert operator.run("rotate", "--yes", *VAULT).returncode == 0
    operator.write_inventory({server.name: {"scim_realms": REALMS}})
    done = operator.run("apply", "--yes", "--allow-many", *VAULT)
    assert (done.returncode, "allow-many" in done.stdout) == (0, False)


def test_removing_most_realms_is_refused_and_few_are_not(operator: Operator, one: One) -> None:
    server = one({"scim_realms": REALMS}, version="9.0", realms=NAMES)
    assert operator.apply().returncode == 0
    absent = {name: {"state": "absent"} for name in NAMES}
    operator.write_inventory({server.name: {"scim_realms": {**absent, "r0": {}}}})
    assert operator.run("apply", "--yes", *VAULT).returncode == 64
    few = {**REALMS, **{name: {"state": "absent"} for name in NAMES[:4]}}
    operator.write_inventory({server.name: {"scim_realms": few}})
    assert operator.run("apply", "--yes", *VAULT).returncode == 0


BOTH = ["CVE-2022-41914", "case-sensitive-username"]
"""The warnings about Zulip 5.6."""


def test_a_silenced_warning_is_counted_and_a_failed_check_is_not_silent(
    operator: Operator, one: One
) -> None:
    server = one({"scim_realms": {"": {}}}, version="5.6")
    assert "[CVE-2022-41914]" in operator.run("plan").stdout
    quiet = {"scim_realms": {"": {}}, "scim_silence": BOTH}
    operator.write_inventory({server.name: quiet})
    plan = operator.run("plan", "--report", "plan.html")
    assert (plan.returncode, "timing" in plan.stdout) == (2, False)
    assert plan.stdout.endswith("2 warnings silenced\n")
    assert "2 warnings silenced" in (operator.folder / "plan.html").read_text()
    assert operator.apply().returncode == 0
    told = json.loads(operator.run("plan", "--format", "json").stdout)["servers"][0]
    assert (told["warnings"], told["silenced"]) == ([], BOTH)

    operator.write_inventory({server.name: {**quiet, "scim_silence": ["no-answer"]}})
    refused = operator.run("plan")
    assert refused.returncode == 64
    assert "no-answer cannot be silenced" in refused.stderr


def test_metrics_keep_the_last_success(operator: Operator, one: One) -> None:
    server = one({"scim_realms": {"": {}}}, version="9.0")
    file = operator.folder / "nightly.prom"

    def read() -> dict[str, float]:
        text = file.read_text()
        found = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                assert sample.labels["report"] == "nightly"
                found[sample.name.removeprefix("scimconf_")] = sample.value
        assert "pbkdf2" not in text
        return found

    report = ("--report", "nightly.prom")
    assert operator.run("plan", *report).returncode == 2
    assert "last_success_timestamp_seconds" not in read()
    assert operator.apply(*report).returncode == 0
    good = read()
    token = operator.token(server.name, "")
    assert token not in file.read_text()
    assert good["token_created_timestamp_seconds"] <= good["run_timestamp_seconds"]
    server.stop()
    assert operator.run("verify", *VAULT, *report).returncode == 3
    bad = read()
    assert (bad["server_failed"], bad["run_exit_code"]) == (1, 3)
    for name in ("last_success_timestamp_seconds", "server_last_success_timestamp_seconds"):
        assert bad[name] == good[name] == good["run_timestamp_seconds"]
    assert bad["run_timestamp_seconds"] > good["run_timestamp_seconds"]
    assert bad["token_created_timestamp_seconds"] == good["token_created_timestamp_seconds"]


def test_the_metrics_can_be_read_by_another_user_whatever_the_umask(
    operator: Operator, one: One
) -> None:
    """node_exporter's own user must read them; it reads all names that end in .prom."""
    one({"scim_realms": {"": {}}}, version="9.0")
    folder = operator.folder / "textfile_collector"
    folder.mkdir()
    words = [sys.executable, "-m", "scimconf", "plan", "--report", str(folder / "m.prom")]
    subprocess.run(
        ["/bin/sh", "-c", f"umask 077; exec {shlex.join(words)}"],
        cwd=operator.folder,
        env=operator.lab.environment(),
        capture_output=True,
        check=False,
    )
    assert [path.name for path in folder.iterdir()] == ["m.prom"]
    assert (folder / "m.prom").stat().st_mode & 0o777 == 0o644
    (folder / "m.prom").unlink()
    (folder / "m.prom").symlink_to(operator.folder / "elsewhere")
    refused = operator.run("plan", "--report", str(folder / "m.prom"))
    assert (refused.returncode, "it is a link" in refused.stderr) == (64, True)


def test_undo_and_plan_show_the_same_fingerprint(operator: Operator, one: One) -> None:
    for store in ("settings", "secrets"):
        variables = {"scim_realms": {"a-b": {}}, "scim_token_store": store}
        server = one(variables, version="9.0", realms=["a-b"])
        operator.tokens.unlink(missing_ok=True)
        assert operator.apply().returncode == 0
        operator.write_inventory({server.name: {**variables, "scim_client": "entra"}})
        plan = operator.run("plan", "--diff")
        assert operator.run("apply", "--yes", *VAULT).returncode == 0
        assert operator.run("rotate", "--yes", *VAULT).returncode == 0
        undo = operator.run("undo", "--yes")
        assert undo.returncode == 0, undo
        digits = re.findall(r"fingerprint ([0-9a-f]{4})\.\.\.", undo.stdout)
        assert len(set(digits)) == 2, undo.stdout
        if store == "settings":
            (shown,) = set(re.findall(r"fingerprint ([0-9a-f]{4})\.\.\.", plan.stdout))
            assert shown == digits[1]  # the undo restores the token that the plan showed


def test_the_next_step_after_new_tokens_can_be_pasted(operator: Operator, one: One) -> None:
    server = one({"scim_realms": {"": {}}}, version="9.0")
    operator.inventory.rename(operator.folder / "my fleet.yaml")
    source = ("-i", "my fleet.yaml", "--tokens", "keys.yaml")
    done = operator.apply(*source, server.name)
    assert done.returncode == 0, done
    words = _next(done.stderr)
    assert words == ["handoff", *source, *VAULT, "--show-tokens", server.name]
    assert operator.run(*words).returncode == 0
    again = operator.run("apply", "--yes", *source, *VAULT)
    assert (again.returncode, "next:" in again.stderr) == (0, False)

    staged = operator.run("rotate", "--stage", "--realm", "", *source, *VAULT)
    words = _next(staged.stderr)
    shown = ["handoff", *source, *VAULT, "--next", "--show-tokens"]
    assert words == [*shown, server.name, "--realm", ""]
    assert operator.run(*words).returncode == 0
    (later,) = [each for each in staged.stderr.splitlines() if each.startswith("then, at")]
    words = shlex.split(later.partition(": scimconf ")[2])
    assert "--activate" in words
    more = ("-e", "scim_idp=entra", *VAULT)
    planned = operator.run("plan", *source, *more, server.name)
    shown = planned.stdout.partition("to put it in force: scimconf ")[2].splitlines()[0]
    pasted = shlex.split(shown)
    assert pasted[: len(source) + len(more) + 1] == ["rotate", *source, *more], planned
    assert pasted[-4:] == ["--activate", server.name, "--realm", ""]
    assert operator.run(*pasted, "--yes").returncode == 0


def test_the_next_step_after_an_import(operator: Operator, one: One) -> None:
    server = one({"scim_realms": {"": {}}}, version="9.0")
    assert operator.apply().returncode == 0
    operator.tokens.unlink()
    operator.write_inventory({server.name: {}})
    done = operator.run("import", *VAULT)
    assert done.returncode == 0, done
    assert _next(done.stderr)[:3] == ["verify", *VAULT]
    assert operator.run(*_next(done.stderr)).returncode == 0
    operator.tokens.unlink()
    again = operator.run("import", "--realm", "", *VAULT)
    words = _next(again.stderr)
    assert (words[:3], words[-2:]) == (["verify", *VAULT], ["--realm", ""]), again


def test_a_log_has_one_line_of_progress_for_each_changed_server(
    operator: Operator, one: One
) -> None:
    server = one({"scim_realms": {"": {}}}, version="9.0")
    done = operator.apply()
    progress, following = done.stderr.splitlines()
    assert re.fullmatch(rf"{server.name}: \d+ steps in \d+\.\d s", progress)
    assert following.startswith("next: ")
    operator.write_inventory({server.name: {"scim_realms": {"": {"client": "x"}}}})
    verbose = operator.run("apply", "--yes", "-v", *VAULT)
    assert f"{server.name}: restart " in verbose.stderr


def test_quiet_prints_results_and_errors_only(operator: Operator, one: One) -> None:
    server = one({"scim_realms": {"": {}}}, version="5.6")
    done = operator.apply("-q")
    assert (done.returncode, done.stderr) == (0, "")
    assert "timing" not in done.stdout
    assert done.stdout.startswith(f"{server.name}  Zulip 5.6  changed\n")
    plan = operator.run("plan", "-q")
    assert (plan.stdout, plan.stderr) == (f"{server.name}  Zulip 5.6  nothing to do\n", "")
    server.stop()
    lost = operator.run("plan", "-q")
    assert (lost.returncode, "unreachable" in lost.stdout) == (3, True)
