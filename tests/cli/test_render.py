from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.cli.conftest import Run

PASSWORD = ("--vault-password-file", "password")
SETTINGS = "from zproject.config import get_secret\n\nEXTERNAL_HOST = 'chat2.example.com'\n"
SECRETS = "[secrets]\nsecret_key = x\n"


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """A settings.py and a zulip-secrets.conf."""
    settings, secrets = tmp_path / "settings.py", tmp_path / "secrets.conf"
    settings.write_text(SETTINGS)
    settings.chmod(0o644)
    secrets.write_text(SECRETS)
    secrets.chmod(0o640)
    return settings, secrets


def test_the_block_masked(scimconf: Run) -> None:
    done = scimconf("render", "chat1.example.com")
    assert (done.returncode, done.stderr) == (0, "")
    assert '"acme": {\n        "bearer_token": "<token acme>",\n' in done.stdout
    assert not Path("tokens.yaml").exists()


def test_lines_for_the_secrets_file_follow_the_block(scimconf: Run) -> None:
    done = scimconf("render", "chat2.example.com")
    assert '"bearer_token": get_secret("scim_bearer_token"),' in done.stdout
    assert done.stdout.endswith(
        "\n# In zulip-secrets.conf, below [secrets]:\nscim_bearer_token = <token (root)>\n"
    )


def test_keys_that_a_version_does_not_know_are_left_out_with_a_warning(scimconf: Run) -> None:
    assert "custom_profile_field_map" in scimconf("render", "chat2*").stdout
    done = scimconf("render", "chat2*", "--zulip-version", "9.0")
    assert (done.returncode, "custom_profile_field_map" in done.stdout) == (0, False)
    assert done.stderr.startswith("warning: realm (root): custom_profile_field_map is left out")


def test_an_invalid_version(scimconf: Run) -> None:
    done = scimconf("render", "chat2*", "--zulip-version", "nine")
    assert (done.returncode, done.stdout) == (64, "")
    assert "'nine' is not a Zulip version" in done.stderr


def test_tokens_are_created_only_on_demand(scimconf: Run) -> None:
    refused = scimconf("render", "chat1*", "--show-tokens", *PASSWORD)
    assert (refused.returncode, refused.stdout) == (64, "")
    assert "--create-tokens" in refused.stderr
    made = scimconf("render", "chat1*", "--show-tokens", "--create-tokens", *PASSWORD)
    again = scimconf("render", "chat1*", "--show-tokens", *PASSWORD)
    assert re.search(r'"bearer_token": "\w{43}"', made.stdout)
    assert again.stdout == made.stdout
    assert re.search(r"<token acme, fingerprint \w{4}\.\.\.>", scimconf("render", "chat1*").stdout)


def test_files_are_edited_in_place(scimconf: Run, files: tuple[Path, Path]) -> None:
    settings, secrets = files
    arguments = ("--settings", "settings.py", "--secrets", "secrets.conf", "--create-tokens")
    done = scimconf("render", "chat2*", *arguments, *PASSWORD)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "changed secrets.conf\nchanged settings.py\n"
    token = secrets.read_text().removeprefix(f"{SECRETS}scim_bearer_token = ").strip()
    assert re.fullmatch(r"\w{43}", token)
    assert settings.read_text().startswith(SETTINGS)
    assert token not in settings.read_text() + done.stdout
    assert [path.stat().st_mode & 0o777 for path in files] == [0o644, 0o640]

    before = [(path.read_bytes(), path.stat().st_mtime_ns) for path in files]
    again = scimconf("render", "chat2*", *arguments, *PASSWORD)
    assert (again.returncode, again.stdout) == (0, "")
    assert [(path.read_bytes(), path.stat().st_mtime_ns) for path in files] == before


@pytest.mark.parametrize(
    ("settings", "secrets", "said"),
    [
        (SETTINGS, None, "cannot read secrets.conf: No such file"),
        (None, SECRETS, "cannot read settings.py: No such file"),
        ("SCIM_CONFIG = {\n", SECRETS, r"settings\.py:1:15: "),
        (f"{SETTINGS}if x:\n    SCIM_CONFIG = {{}}\n", SECRETS, r"settings\.py:5:5: "),
        (SETTINGS, "secret_key = x\n", r"secrets\.conf:1:1: there is a line before"),
        (SETTINGS, "[other]\n", r"secrets\.conf: it has no section \[secrets\]"),
        (SETTINGS, f"{SECRETS}secret_key = y\n", r"secrets\.conf:3:1: a name appears twice"),
    ],
)
def test_a_file_that_cannot_be_edited_leaves_both_unchanged(
    settings: str | None,
    secrets: str | None,
    said: str,
    scimconf: Run,
    files: tuple[Path, Path],
) -> None:
    for path, text in zip(files, (settings, secrets), strict=True):
        path.unlink() if text is None else path.write_text(text)
    before = [path.read_bytes() if path.exists() else None for path in files]
    arguments = ("--settings", "settings.py", "--secrets", "secrets.conf", "--create-tokens")
    done = scimconf("render", "chat2*", *arguments, *PASSWORD)
    assert (done.returncode, done.stdout) == (64, "")
    assert re.match(f"error: {said}", done.stderr), done
    assert [path.read_bytes() if path.exists() else None for path in files] == before


def test_the_secrets_file_has_to_be_named(scimconf: Run, files: tuple[Path, Path]) -> None:
    done = scimconf("render", "chat2*", "--settings", "settings.py", "--create-tokens", *PASSWORD)
    assert done.returncode == 64
    assert "--secrets FILE" in done.stderr
    assert files[0].read_text() == SETTINGS


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_a_file_of_another_owner_is_left_unchanged(scimconf: Run, files: tuple[Path, Path]) -> None:
    os.chown(files[1], 12345, -1)
    arguments = ("--settings", "settings.py", "--secrets", "secrets.conf", "--create-tokens")
    done = scimconf("render", "chat2*", *arguments, *PASSWORD)
    assert done.returncode == 64
    assert "secrets.conf cannot be replaced by root: it belongs to 12345" in done.stderr
    assert [path.read_text() for path in files] == [SETTINGS, SECRETS]


class TestDockerEnv:
    def test_masked(self, scimconf: Run) -> None:
        done = scimconf("render", "chat2.example.com", "--for", "docker-env")
        assert (done.returncode, done.stderr) == (0, "")
        first, second = done.stdout.splitlines()
        assert first.startswith(
            'SETTING_SCIM_CONFIG=({"": {"bearer_token": get_secret("scim_bearer_token"), '
        )
        assert second == "SECRETS_scim_bearer_token=<token (root)>"

    def test_with_the_token(self, scimconf: Run) -> None:
        arguments = ("chat2*", "--for", "docker-env", "--show-tokens", *PASSWORD)
        made = scimconf("render", *arguments, "--create-tokens")
        token = re.search(r"^SECRETS_scim_bearer_token=([A-Za-z0-9]{43})$", made.stdout, re.M)
        assert token
        assert scimconf("render", *arguments).stdout == made.stdout

    def test_tokens_are_always_in_the_secrets_file(self, scimconf: Run) -> None:
        done = scimconf("render", "chat1*", "--for", "docker-env")
        assert "SECRETS_scim_bearer_token_acme=<token acme>" in done.stdout
        assert "warning: set scim_token_store: secrets for chat1.example.com" in done.stderr

    def test_on_5x_it_says_how_the_client_is_registered(self, scimconf: Run) -> None:
        done = scimconf("render", "chat2*", "--for", "docker-env", "--zulip-version", "5.6")
        assert "manage.py add_scim_client entra -r ''" in done.stderr
        done = scimconf("render", "chat2*", "--for", "docker-env", "--zulip-version", "9.0")
        assert "add_scim_client" not in done.stderr

    def test_docker_env_edits_no_file(self, scimconf: Run, files: tuple[Path, Path]) -> None:
        done = scimconf("render", "chat1*", "--for", "docker-env", "--settings", str(files[0]))
        assert (done.returncode, done.stdout) == (64, "")
        assert files[0].read_text() == SETTINGS
