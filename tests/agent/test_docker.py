"""The files of a docker-zulip container that the agent reads."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from scimconf.agent.docker import Container

ENTRYPOINT = '#!/bin/bash\nif [ "$MANUAL_CONFIGURATION" = "False" ]; then\n'


class _Root:
    """A container's root folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.settings = folder / "etc/zulip/settings.py"
        for name in ("sbin", "proc/1", "proc/self", "etc/zulip", "run"):
            (folder / name).mkdir(parents=True)
        (folder / "proc/1/environ").mkdir()  # unreadable, even for root
        (folder / "sbin/entrypoint.sh").write_text(ENTRYPOINT)
        self.settings.touch()

    def process(self, number: int, **environment: str) -> None:
        folder = self.folder / f"proc/{number}"
        folder.mkdir()
        text = "".join(f"{name}={value}\0" for name, value in environment.items())
        (folder / "environ").write_text(text)

    def lost(self) -> str | None:
        return Container(str(self.folder)).loses(str(self.settings))

    def given(self) -> list[str]:
        return Container(str(self.folder)).given_secrets()


@pytest.fixture
def root(tmp_path: Path) -> _Root:
    return _Root(tmp_path)


@pytest.fixture
def volume(tmp_path: Path) -> Iterator[Path]:
    """Yield a folder on another file system than the test's folder."""
    places = [each for each in ("/dev/shm", "/run", "/tmp") if os.access(each, os.W_OK)]
    here = tmp_path.stat().st_dev
    other = next((each for each in places if os.stat(each).st_dev != here), None)
    if other is None:
        pytest.skip("no second file system that can be written to")
    folder = Path(tempfile.mkdtemp(dir=other))
    yield folder
    shutil.rmtree(folder)


def test_a_server_without_the_entrypoint_is_no_container(root: _Root) -> None:
    root.process(20, DATA_DIR="/data")
    (root.folder / "sbin/entrypoint.sh").unlink()
    assert (root.lost(), root.given()) == (None, [])


def test_another_entrypoint_is_no_docker_zulip(root: _Root) -> None:
    root.process(20, DATA_DIR="/data", SECRETS_x="y")
    (root.folder / "sbin/entrypoint.sh").write_text("#!/bin/sh\nexec nginx\n")
    assert (root.lost(), root.given()) == (None, [])


@pytest.mark.parametrize(
    "environment", [{}, {"MANUAL_CONFIGURATION": "False"}, {"LINK_SETTINGS_TO_DATA": "True"}]
)
def test_settings_are_lost_at_every_start(
    root: _Root, environment: dict[str, str], volume: Path
) -> None:
    """This is also true on a volume: LINK_SETTINGS_TO_DATA alone does not keep the settings."""
    root.process(15, HOME="/root", MANUAL_CONFIGURATION="True")  # a login, not the container
    root.process(20, DATA_DIR="/data", **environment)
    root.settings = volume / "settings.py"
    root.settings.touch()
    assert root.lost() == "docker-zulip writes settings.py again at every start of the container"


def test_a_file_in_the_containers_own_layer_is_lost(root: _Root) -> None:
    root.process(20, DATA_DIR="/data", MANUAL_CONFIGURATION="True")
    assert root.lost() == (
        f"{root.settings} is part of the docker-zulip container, and is lost with it"
    )


@pytest.mark.parametrize("value", ["True", "true", "1", "YES"])
def test_manual_configuration_on_a_volume_stays(root: _Root, value: str, volume: Path) -> None:
    """With LINK_SETTINGS_TO_DATA, the folder is a link into the volume."""
    root.process(20, DATA_DIR="/data", MANUAL_CONFIGURATION=value)
    shutil.rmtree(root.settings.parent)
    root.settings.parent.symlink_to(volume)
    root.settings.touch()
    assert root.lost() is None


def test_without_a_running_zulip_the_edit_counts_as_lost(root: _Root) -> None:
    root.process(15, HOME="/root")
    assert root.lost().endswith("the agent cannot check this")


def test_secrets_that_are_given_by_name(root: _Root) -> None:
    given = {"SECRETS_scim_bearer_token": "t", "SECRETS_scim_bearer_token_a_FILE": "/token"}
    root.process(20, DATA_DIR="/data", SETTING_SECRETS_x="y", **given)
    (root.folder / "run/secrets").mkdir()
    (root.folder / "run/secrets/zulip__scim_bearer_token_acme").touch()
    (root.folder / "run/secrets/other").touch()
    assert root.given() == [
        "scim_bearer_token",
        "scim_bearer_token_a",
        "scim_bearer_token_acme",
    ]
    assert "t" not in Container(str(root.folder))._variables.values()
