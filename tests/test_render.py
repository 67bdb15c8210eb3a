from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scimconf import render
from scimconf.agent import durable, files
from scimconf.agent.errors import AgentError
from scimconf.errors import UsageError
from scimconf.secret import Secret
from tests.factories import desired, known, realm, server

TOKEN, OTHER = Secret("gR7bQ2mXv9LkPz4TnW8s"), Secret("hS8cR3nYw0MlQa5UoX9t")
SECRETS = "# Generated\n[secrets]\nsecret_key = x\n"


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def write_(name: str, text: str, mode: int = 0o644) -> Path:
        path = tmp_path / name
        path.write_text(text)
        path.chmod(mode)
        return path

    return write_


def _clear(*realms: str, store: str = "settings") -> render.Rendered:
    wanted = server(*map(realm, realms), token_store=store)
    return render.clear(wanted, dict(zip(realms, (TOKEN, OTHER), strict=False)), None)


def test_a_masked_block_shows_the_fingerprints_of_tokens() -> None:
    text = render.masked(desired(realm(), realm(""), fingerprints={"acme": known()}), None).text()
    block = ast.literal_eval(text.partition("SCIM_CONFIG = ")[2].rpartition("#")[0])
    assert block["acme"]["bearer_token"] == "<token acme, fingerprint 45a9...>"
    assert block[""]["bearer_token"] == "<token (root)>"


def test_a_clear_block_needs_the_token_of_every_present_realm() -> None:
    wanted = server(realm(), realm("old", present=False))
    assert TOKEN.reveal() in render.clear(wanted, {"acme": TOKEN}, None).text()
    with pytest.raises(UsageError, match="no token yet for realm acme of chat1") as error:
        render.clear(wanted, {}, None)
    assert "--create-tokens" in error.value.hint


def test_the_repr_shows_no_token() -> None:
    assert TOKEN.reveal() not in repr(_clear("acme"))


# --- in place ---------------------------------------------------------------------------------


@given(
    before=st.lists(st.sampled_from(["# x", "A = 1", "", "B = '''", "'''", "é = 'ü'"]), max_size=6),
    newline=st.sampled_from(["\n", "\r\n"]),
    end=st.booleans(),
)
def test_an_edit_changes_only_the_block_and_is_idempotent(
    before: list[str], newline: str, end: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("render") / "settings.py"
    old = (newline.join(before) + newline * end).encode()
    path.write_bytes(old)
    try:
        ast.parse(old)
    except SyntaxError:
        with pytest.raises(UsageError, match=r"settings\.py:\d+:\d+: "):
            render.edit(_clear("acme"), path, None)
        assert path.read_bytes() == old
        return
    assert render.edit(_clear("acme"), path, None) == [path]
    new = path.read_bytes()
    assert new.startswith(old)
    assert new[len(old) :].lstrip().startswith(b"# SCIM_CONFIG is managed by scimconf")
    assert render.edit(_clear("acme"), path, None) == []
    assert path.read_bytes() == new
    gone = render.clear(server(realm(present=False)), {}, None)
    assert render.edit(gone, path, None) == [path]
    assert path.read_bytes() == old


def test_modes_and_links_are_kept(write: Callable[..., Path], tmp_path: Path) -> None:
    settings = write("real.py", "", 0o604)
    secrets = write("secrets.conf", SECRETS, 0o640)
    link = tmp_path / "settings.py"
    link.symlink_to("real.py")
    assert render.edit(_clear("acme", store="secrets"), link, secrets) == [secrets, link]
    assert link.is_symlink()
    assert settings.stat().st_mode & 0o777 == 0o604
    assert secrets.stat().st_mode & 0o777 == 0o640
    assert secrets.read_text() == f"{SECRETS}scim_bearer_token_acme = {TOKEN.reveal()}\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        *("real.py", "secrets.conf", "settings.py"),
    ]


def test_a_token_can_move_to_the_secrets_file_and_back(write: Callable[..., Path]) -> None:
    settings, secrets = write("settings.py", ""), write("secrets.conf", SECRETS)
    render.edit(_clear("acme"), settings, secrets)
    in_settings = settings.read_text()
    assert TOKEN.reveal() in in_settings
    assert secrets.read_text() == SECRETS
    render.edit(_clear("acme", store="secrets"), settings, secrets)
    assert TOKEN.reveal() not in settings.read_text()
    assert render.edit(_clear("acme"), settings, secrets) == [settings, secrets]
    assert settings.read_text() == in_settings
    assert secrets.read_text() == SECRETS


def test_settings_never_refer_to_a_missing_secret(
    write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, secrets = write("settings.py", ""), write("secrets.conf", SECRETS)
    seen: list[tuple[str, bool]] = []
    replace = durable.replace

    def note(path: str, data: bytes) -> None:
        replace(path, data)
        refers = b"get_secret(" in settings.read_bytes()
        there = b"scim_bearer_token" in secrets.read_bytes()
        assert there or not refers
        seen.append((Path(path).name, there))

    monkeypatch.setattr(durable, "replace", note)
    render.edit(_clear("acme", store="secrets"), settings, secrets)
    render.edit(_clear("acme"), settings, secrets)
    assert seen == [
        ("secrets.conf", True),
        ("settings.py", True),
        ("settings.py", True),
        ("secrets.conf", False),
    ]


def test_the_secrets_file_must_be_named(write: Callable[..., Path]) -> None:
    settings = write("settings.py", "")
    with pytest.raises(UsageError, match="are in zulip-secrets") as error:
        render.edit(_clear("acme", store="secrets"), settings, None)
    assert error.value.hint == "name the file: --secrets FILE"
    assert settings.read_text() == ""


@pytest.mark.parametrize(
    ("settings", "secrets", "said"),
    [
        ("SCIM_CONFIG = x\n", SECRETS, r"^/\S+/settings\.py:1:15: "),
        ("A = 1\nSCIM_CONFIG = {}\nSCIM_CONFIG = {}\n", SECRETS, r"^/\S+/settings\.py:3:1: "),
        ("", "a = b\n", r"^/\S+/secrets\.conf:1:1: "),
        ("", "[other]\n", r"^/\S+/secrets\.conf: it has no section"),
    ],
)
def test_a_refusal_names_the_position_and_changes_neither_file(
    settings: str, secrets: str, said: str, write: Callable[..., Path]
) -> None:
    paths = write("settings.py", settings), write("secrets.conf", secrets)
    with pytest.raises(UsageError, match=said):
        render.edit(_clear("acme", store="secrets"), *paths)
    assert [path.read_text() for path in paths] == [settings, secrets]


@pytest.mark.parametrize("missing", ["settings.py", "secrets.conf"])
def test_a_missing_file_is_named(missing: str, write: Callable[..., Path]) -> None:
    paths = {
        "settings.py": write("settings.py", ""),
        "secrets.conf": write("secrets.conf", SECRETS),
    }
    paths[missing].unlink()
    with pytest.raises(UsageError, match=f"cannot read .*{missing}: No such file"):
        render.edit(_clear("acme", store="secrets"), *paths.values())


def test_a_file_that_cannot_be_replaced_is_not_changed(
    write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, secrets = write("settings.py", ""), write("secrets.conf", SECRETS)
    wanted = _clear("acme", store="secrets")

    monkeypatch.setattr(files, "obstacle", lambda path: f"{path} belongs to zulip")
    with pytest.raises(UsageError, match="belongs to zulip") as error:
        render.edit(wanted, settings, secrets)
    assert error.value.hint == "run this as the owner of the file"
    monkeypatch.undo()

    def full(path: str, data: bytes) -> None:
        raise AgentError(f"{path} cannot be replaced: No space left on device")

    monkeypatch.setattr(durable, "replace", full)
    with pytest.raises(UsageError, match=r"secrets\.conf cannot be replaced: No space"):
        render.edit(wanted, settings, secrets)
    assert (settings.read_text(), secrets.read_text()) == ("", SECRETS)


def test_absent_realms_are_removed(write: Callable[..., Path]) -> None:
    settings, secrets = write("settings.py", ""), write("secrets.conf", SECRETS)
    render.edit(_clear("acme", "old", store="secrets"), settings, secrets)
    wanted = server(realm(), realm("old", present=False), token_store="secrets")
    rendered = render.clear(wanted, {"acme": TOKEN}, None)
    assert "old" not in rendered.text()
    render.edit(rendered, settings, secrets)
    assert '"old"' not in settings.read_text()
    assert secrets.read_text() == f"{SECRETS}scim_bearer_token_acme = {TOKEN.reveal()}\n"
