"""The other facts of docs/zulip.md, checked on the lab: releases, manage.py, files, restart."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.lab import Lab, Server
from tests.lab.accounts import ZULIP
from tests.lab.profiles import PROFILES
from tests.matrix import sample

VERSIONS = tuple(PROFILES)
REALMS = ("", "acme", "4711")


def scim_config(token: str, realm: str = "acme") -> str:
    """Return a block with one realm."""
    values = {"bearer_token": token, "scim_client_name": "okta", "name_formatted_included": True}
    return f"\nSCIM_CONFIG = {{{realm!r}: {values!r}}}\n"


@pytest.fixture(scope="module")
def servers() -> Iterator[Mapping[str, Server]]:
    """One server of each version. Every test must leave them running."""

    def start(version: str) -> Server:
        name = f"chat{version.replace('.', '')}.test"
        config = scim_config("token-at-first")
        return lab.server(name, version=version, realms=REALMS, extra_settings=config)

    with Lab() as lab, ThreadPoolExecutor() as pool:
        yield dict(zip(VERSIONS, pool.map(start, VERSIONS), strict=True))


@pytest.fixture(params=VERSIONS)
def zulip(servers: Mapping[str, Server], request: pytest.FixtureRequest) -> Server:
    """Run the test once for each version."""
    return servers[request.param]


def manage(
    server: Server, *words: str, user: str = "zulip", code: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Run manage.py."""
    return server.run([f"{server.paths.deployment}/manage.py", *words], user=user, input=code)


def restart(server: Server, *flags: str, user: str = "zulip") -> subprocess.CompletedProcess[str]:
    """Run restart-server."""
    return server.run([f"{server.paths.deployment}/scripts/restart-server", *flags], user=user)


def status(server: Server, token: str, realm: str = "acme") -> int:
    """Request the users with a token. Return the status."""
    return server.request("GET", "/scim/v2/Users?count=1", realm, token)[0]


# --- Versions -------------------------------------------------------------------------------------


def test_the_version_is_in_version_py_and_in_the_api(zulip: Server) -> None:
    text = (zulip.deployment / "version.py").read_text()
    assert f'ZULIP_VERSION = "{zulip.version}"' in text.splitlines()
    answer = json.loads(zulip.request("GET", "/api/v1/server_settings")[2])
    assert answer["zulip_version"] == zulip.version
    levels = {"5.6": 122, "8.4": 237, "9.0": 277}
    assert answer["zulip_feature_level"] == levels.get(zulip.version, answer["zulip_feature_level"])


def test_a_git_deployment_overrides_the_version(lab_server: Callable[..., Server]) -> None:
    server = lab_server(version="9.0")
    (server.deployment / "zulip-git-version").write_text("9.0-12-gabc123\n")
    server.restart()
    answer = json.loads(server.request("GET", "/api/v1/server_settings")[2])
    assert answer["zulip_version"] == "9.0-12-gabc123"


def test_only_zulip_5_has_add_scim_client(zulip: Server) -> None:
    command = zulip.deployment / "zerver/management/commands/add_scim_client.py"
    assert command.exists() is zulip.version.startswith("5.")


def test_the_place_of_the_virtual_environment_depends_on_the_version(zulip: Server) -> None:
    old, new = zulip.deployment / "zulip-py3-venv", zulip.deployment / ".venv"
    assert old.exists() is (zulip.version not in ("11.0", "12.1"))
    assert new.exists() is (zulip.version in ("11.0", "12.1"))


def test_check_replaces_checkconfig_in_12(servers: Mapping[str, Server]) -> None:
    assert manage(servers["11.0"], "checkconfig").returncode == 0
    assert "Unknown command" in manage(servers["12.1"], "checkconfig").stderr
    assert manage(servers["12.1"], "check").returncode == 0


# --- manage.py add_scim_client --------------------------------------------------------------------


def test_add_scim_client_fails_for_a_registered_client(lab_server: Callable[..., Server]) -> None:
    server = lab_server(version="5.6", realms=["", "acme"])
    for realm in ("", "acme"):
        done = manage(server, "add_scim_client", "okta", "-r", realm)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    again = manage(server, "add_scim_client", "okta", "-r", "acme")
    assert (again.returncode, again.stdout) == (1, "")
    assert again.stderr.startswith("Traceback")
    assert re.search(
        r"IntegrityError: duplicate key value violates unique constraint "
        r'"zerver_scimclient_realm_id_name_\w+"\n'
        r"DETAIL:  Key \(realm_id, name\)=\(3, okta\) already exists\.\s*$",
        again.stderr,
    )
    code = """
from zerver.models import SCIMClient
SCIMClient.objects.filter(realm__string_id="", name="okta").delete()
print(list(SCIMClient.objects.values_list("realm__string_id", "name")))
"""
    listed = manage(server, "shell", code=code)
    assert (listed.returncode, listed.stdout) == (0, "[('acme', 'okta')]\n")
    inline = manage(server, "shell", "-c", code)
    assert (inline.returncode, inline.stdout) == (0, "[('acme', 'okta')]\n")


@pytest.mark.parametrize("realm", sample(["nosuch", "ACME", "4711"], "ACME"))
def test_add_scim_client_fails_for_an_unknown_realm(
    servers: Mapping[str, Server], realm: str
) -> None:
    done = manage(servers["5.6"], "add_scim_client", "okta", "-r", realm)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"There is no realm with id '{realm}'. Aborting.\n"


def test_add_scim_client_treats_digits_as_an_id(servers: Mapping[str, Server]) -> None:
    server = servers["5.6"]
    assert manage(server, "add_scim_client", "by-id", "-r", "3").returncode == 0
    code = """
from zerver.models import SCIMClient
print(SCIMClient.objects.get(name="by-id").realm.string_id)
"""
    assert manage(server, "shell", code=code).stdout == "acme\n"


def test_add_scim_client_needs_a_realm_and_a_name(servers: Mapping[str, Server]) -> None:
    no_realm = manage(servers["5.6"], "add_scim_client", "okta")
    assert no_realm.returncode == 1
    assert no_realm.stderr.rstrip().endswith("AssertionError")
    no_name = manage(servers["5.6"], "add_scim_client", "-r", "acme")
    assert no_name.returncode == 2
    assert "usage:" in no_name.stderr


@pytest.mark.parametrize(
    "words",
    sample(
        [["--no-traceback", "okta", "-r", "acme"], ["-r", "acme", "--", "okta"]],
        ["-r", "acme", "--", "okta"],
    ),
)
def test_add_scim_client_refuses_no_traceback_and_a_double_dash(
    servers: Mapping[str, Server], words: list[str]
) -> None:
    done = manage(servers["5.6"], "add_scim_client", *words)
    assert done.returncode == 2
    assert "unrecognized arguments" in done.stderr


@pytest.mark.parametrize("name", ["", "with space \N{LATIN SMALL LETTER E WITH ACUTE}"])
def test_add_scim_client_accepts_any_name(servers: Mapping[str, Server], name: str) -> None:
    assert manage(servers["5.6"], "add_scim_client", name, "-r", "acme").returncode == 0


@pytest.mark.needs_root
@pytest.mark.needs_sshd
def test_manage_py_refuses_root_and_other_users(zulip: Server) -> None:
    as_root = manage(zulip, "check", user="root")
    assert (as_root.returncode, as_root.stderr) == (1, "")
    assert as_root.stdout.startswith("manage.py should not be run as root. ")
    as_stranger = manage(zulip, "check", user="ops")
    assert (as_stranger.returncode, as_stranger.stderr) == (1, "")
    assert as_stranger.stdout.startswith("Error accessing Zulip secrets; ")


@pytest.mark.parametrize("version", sample(["6.2", "12.1"], "6.2"))
def test_add_scim_client_is_unknown_from_6_on(servers: Mapping[str, Server], version: str) -> None:
    done = manage(servers[version], "add_scim_client", "okta", "-r", "acme")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == ("Unknown command: 'add_scim_client'\nType 'manage.py help' for usage.\n")


def test_manage_log_contains_the_whole_argv_and_is_readable_by_all(
    servers: Mapping[str, Server],
) -> None:
    server = servers["9.0"]
    assert manage(server, "shell", "-c", "print('a token in argv')").returncode == 0
    log = server.logs / "manage.log"
    assert "a token in argv" in log.read_text()
    assert log.stat().st_mode & 0o777 == 0o644


def test_scim_log_contains_bodies_but_no_headers(servers: Mapping[str, Server]) -> None:
    server = servers["9.0"]
    user = {"userName": "logged@example.com", "name": {"formatted": "L."}, "active": True}
    answer = server.request(
        "POST", "/scim/v2/Users", "acme", "token-at-first", body=json.dumps(user)
    )
    assert answer[0] == 201
    text = (server.logs / "scim.log").read_text()
    assert "logged@example.com" in text
    assert "token-at-first" not in text


def test_shell_prints_a_greeting_from_django_5_2_on(servers: Mapping[str, Server]) -> None:
    assert manage(servers["5.6"], "shell", "-c", "print(1)").stdout == "1\n"
    assert "imported automatically" in manage(servers["11.0"], "shell", "-c", "print(1)").stdout


@pytest.mark.needs_root
@pytest.mark.needs_sshd
def test_root_becomes_zulip_with_runuser_or_su(servers: Mapping[str, Server]) -> None:
    server = servers["9.0"]
    check = f"{server.paths.deployment}/manage.py"
    for argv in (
        ["runuser", "-u", "zulip", "--", check, "check"],
        ["su", "zulip", "-c", f"{check} check"],
    ):
        assert server.run(argv, user="root").returncode == 0


@pytest.mark.needs_sudo
@pytest.mark.needs_sshd
def test_sudo_without_a_password(servers: Mapping[str, Server]) -> None:
    server = servers["9.0"]
    check = f"{server.paths.deployment}/manage.py"
    done = server.run(["sudo", "-n", "-u", "zulip", check, "check"], user="ops")
    assert (done.returncode, done.stderr) == (0, "")


# --- /etc/zulip/settings.py -----------------------------------------------------------------------


def test_settings_py_is_like_the_one_of_zulip(servers: Mapping[str, Server]) -> None:
    server = servers["9.0"]
    text = server.settings.read_text("ascii").removesuffix(scim_config("token-at-first"))
    assert 30_000 < len(text) < 40_000
    assert "scim" not in text.lower()
    lines = text.splitlines()
    assert "from .config import get_secret" in lines
    assert "import ldap" in lines[100:]
    assert f'EXTERNAL_HOST = "{server.external_host}"' in lines
    link = server.deployment / "zproject/prod_settings.py"
    assert os.readlink(link) == server.paths.settings
    with pytest.raises(ImportError, match="relative import"):
        exec(text, {"__name__": "settings", "__package__": ""})


@pytest.mark.needs_root
@pytest.mark.needs_sshd
def test_owners_and_modes(servers: Mapping[str, Server]) -> None:
    server = servers["9.0"]
    assert server.paths.settings == "/etc/zulip/settings.py"
    for path, mode in (
        (server.settings, 0o644),
        (server.secrets, 0o640),
        (server.settings.parent, 0o755),
        (server.logs, 0o750),
    ):
        found = path.stat()
        assert found.st_mode & 0o777 == mode
        assert (found.st_uid, found.st_gid) == (ZULIP.number, ZULIP.number)


def test_ldap_values_do_not_compare_equal(servers: Mapping[str, Server]) -> None:
    code = """
import ldap
from django_auth_ldap.config import LDAPSearch
from django.conf import settings
assert isinstance(settings.AUTH_LDAP_USER_SEARCH, LDAPSearch)
print(LDAPSearch("dc=x", ldap.SCOPE_SUBTREE) == LDAPSearch("dc=x", ldap.SCOPE_SUBTREE))
"""
    assert manage(servers["9.0"], "shell", code=code).stdout == "False\n"


CANDIDATE = """
import sys, types
sys.dont_write_bytecode = True
sys.path.insert(0, sys.argv[1])
def names(text):
    for name in [name for name in sys.modules if name.split(".")[0] == "zproject"]:
        del sys.modules[name]
    import zproject
    module = types.ModuleType("zproject.prod_settings")
    module.__package__ = "zproject"
    sys.modules["zproject.prod_settings"] = module
    exec(compile(text, "candidate", "exec"), module.__dict__)
    import zproject.settings as settings
    return {name for name in vars(settings) if name.isupper()}
old = names(open(sys.argv[2]).read())
print(sorted(names(sys.stdin.read()) ^ old))
"""


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        ("SCIM_CONFIG = {}\n", "[]"),
        ("OTHER = 1\n", "['OTHER']"),
        ("SCIM_CONFIG = nonsense\n", "NameError"),
        ("SCIM_CONFIG = {\n", "SyntaxError"),
    ],
)
@pytest.mark.parametrize("version", ["5.6", "12.1"])
def test_a_candidate_can_be_checked_without_changing_files(
    servers: Mapping[str, Server], version: str, edit: str, says: str
) -> None:
    zulip = servers[version]
    deployment = zulip.paths.deployment
    venv = PROFILES[zulip.version].virtualenv
    python = f"{deployment}/{venv}/bin/python3"
    text = zulip.settings.read_text() + edit
    done = zulip.run([python, "-c", CANDIDATE, deployment, zulip.paths.settings], input=text)
    assert says in done.stdout + done.stderr


def test_secrets_are_read_without_interpolation(lab_server: Callable[..., Server]) -> None:
    config = scim_config("@").replace("'@'", 'get_secret("scim_bearer_token_acme")')
    server = lab_server(
        realms=["acme"], extra_settings=config, secrets={"scim_bearer_token_acme": "100%(x)s"}
    )
    assert status(server, "100%(x)s") == 200


def test_with_a_missing_secret_every_request_is_500(lab_server: Callable[..., Server]) -> None:
    absolute = "\nfrom zproject.config import get_secret as also\n"
    config = absolute + scim_config("@").replace("'@'", 'also("missing")')
    server = lab_server(realms=["acme"], extra_settings=config)
    assert status(server, "any") == 500


def test_a_duplicate_secret_prevents_the_start(lab_server: Callable[..., Server]) -> None:
    server = lab_server(realms=["acme"])
    with server.secrets.open("a") as file:
        file.write("shared_secret = again\n")
    done = restart(server)
    assert done.returncode == 1
    assert "DuplicateOptionError" in done.stderr


def test_the_last_assignment_wins(lab_server: Callable[..., Server]) -> None:
    server = lab_server(realms=["acme"], extra_settings=scim_config("one") + scim_config("two"))
    assert (status(server, "one"), status(server, "two")) == (401, 200)


def test_within_one_second_stale_bytecode_is_used(lab_server: Callable[..., Server]) -> None:
    server = lab_server(realms=["acme"], extra_settings=scim_config("old-token"))
    before = server.settings.stat()
    text = server.settings.read_text().replace("old-token", "new-token")
    server.settings.write_text(text)
    os.utime(server.settings, (before.st_atime, int(before.st_mtime) + 0.5))
    server.restart()
    assert (status(server, "old-token"), status(server, "new-token")) == (200, 401)
    os.utime(server.settings, (before.st_atime, int(before.st_mtime) + 1))
    server.restart()
    assert (status(server, "old-token"), status(server, "new-token")) == (401, 200)


def test_get_django_setting_prints_tokens(servers: Mapping[str, Server]) -> None:
    server = servers["9.0"]
    script = f"{server.paths.deployment}/scripts/get-django-setting"
    assert "token-at-first" in server.run([script, "SCIM_CONFIG"]).stdout


def test_the_checks_do_not_read_scim_config(lab_server: Callable[..., Server]) -> None:
    server = lab_server(realms=["acme"], extra_settings='\nSCIM_CONFIG = ["nonsense"]\n')
    assert manage(server, "check").returncode == 0
    assert manage(server, "checkconfig").returncode == 0


# --- Restart --------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", sample(["5.6", "9.0", "12.1"], "12.1"))
def test_a_change_takes_effect_only_after_a_restart(
    lab_server: Callable[..., Server], version: str
) -> None:
    server = lab_server(version=version, realms=["acme"], extra_settings=scim_config("first"))
    if version == "5.6":
        assert manage(server, "add_scim_client", "okta", "-r", "acme").returncode == 0
    text = server.settings.read_text().replace("first", "second")
    server.settings.write_text(text)
    assert (status(server, "first"), status(server, "second")) == (200, 401)
    server.restart()
    assert (status(server, "first"), status(server, "second")) == (401, 200)


@pytest.mark.parametrize("version", sample(["5.6", "6.2", "12.1"], "5.6"))
def test_restart_with_a_broken_settings_py(lab_server: Callable[..., Server], version: str) -> None:
    server = lab_server(version=version, realms=["acme"])
    good = server.settings.read_text()
    before = server.request("GET", "/api/v1/server_settings")[0]
    server.settings.write_text(good + "SCIM_CONFIG = {\n")
    assert restart(server).returncode == 1
    after = server.request("GET", "/api/v1/server_settings")[0]
    assert (before, after) == (200, 502 if version == "5.6" else 200)
    server.settings.write_text(good)
    server.restart()
    assert server.request("GET", "/api/v1/server_settings")[0] == 200


@pytest.mark.needs_root
@pytest.mark.needs_sshd
@pytest.mark.parametrize("version", sample(["5.6", "8.4", "9.0", "12.1"], "8.4", "12.1"))
def test_restart_as_root(servers: Mapping[str, Server], version: str) -> None:
    done = restart(servers[version], user="root")
    if version in ("5.6", "8.4"):
        assert done.returncode == 1
        assert "Must be run as user 'zulip'." in done.stderr
    else:
        assert done.returncode == 0
        processes = servers[version].run(["ps", "-eo", "user,args"]).stdout.splitlines()
        assert [line.split()[0] for line in processes if "serve.py" in line] == ["zulip"]
    assert servers[version].request("GET", "/api/v1/server_settings")[0] == 200


@pytest.mark.parametrize(
    ("flag", "without", "first"),
    [
        ("--skip-checks", "5.6", "6.2"),
        ("--skip-client-reloads", "8.4", "9.0"),
        ("--only-django", "9.0", "11.0"),
    ],
)
def test_each_restart_flag_has_a_first_version(
    servers: Mapping[str, Server], flag: str, without: str, first: str
) -> None:
    refused = restart(servers[without], flag)
    assert refused.returncode == 2
    assert f"unrecognized arguments: {flag}" in refused.stderr
    assert restart(servers[first], flag).returncode == 0


def test_supervisorctl_can_restart_only_django(lab_server: Callable[..., Server]) -> None:
    server = lab_server(version="9.0", realms=["acme"], extra_settings=scim_config("first"))
    server.settings.write_text(server.settings.read_text().replace("first", "second"))
    done = server.run(["supervisorctl", "restart", "zulip-django"])
    assert (done.returncode, done.stdout) == (0, "zulip-django: stopped\nzulip-django: started\n")
    assert status(server, "second") == 200
    assert server.run(["supervisorctl", "stop", "zulip-django"]).returncode == 0
    assert server.run(["supervisorctl", "status", "zulip-django"]).returncode == 3
    assert status(server, "second") == 502
    server.settings.write_text("broken(")
    assert server.run(["supervisorctl", "start", "zulip-django"]).returncode == 7
    assert status(server, "second") == 502


def test_a_running_program_cannot_be_started_again(lab_server: Callable[..., Server]) -> None:
    """This happens if a second restart-server runs beside the first one."""
    server = lab_server(version="9.0")
    done = server.run(["supervisorctl", "start", "zulip-django"])
    assert (done.returncode, "already started" in done.stdout) == (7, True)


@pytest.mark.parametrize("version", sample(["5.6", "9.0"], "5.6"))
def test_restart_without_supervisor(lab_server: Callable[..., Server], version: str) -> None:
    server = lab_server(version=version)
    with server.without_supervisor():
        done = restart(server)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("FileNotFoundError: [Errno 2]")
    server.restart()


@pytest.mark.parametrize("version", sample(["5.6", "9.0"], "9.0"))
def test_restart_without_postgresql(lab_server: Callable[..., Server], version: str) -> None:
    server = lab_server(version=version)
    with server.without_database():
        done = restart(server)
        assert server.request("GET", "/login/")[0] == 500
    if version == "5.6":
        assert done.returncode == 0, "it looks at nothing beforehand"
    else:
        assert done.returncode == 1
        last = done.stderr.splitlines()[-1]
        assert "manage.py" in last
        assert "returned non-zero" in last
    assert server.request("GET", "/login/")[0] == 200
