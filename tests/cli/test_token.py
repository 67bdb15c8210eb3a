from __future__ import annotations

import json
import re
import shlex
from datetime import datetime, timezone
from pathlib import Path

import pytest
from passlib.hash import pbkdf2_sha256  # type: ignore[import-untyped]

from scimconf import vault
from scimconf.secret import Secret
from scimconf.tokens.store import TokenFile
from tests.cli.conftest import Run
from tests.tokens.aging import age


@pytest.mark.parametrize(
    ("arguments", "pattern"),
    [
        ((), r"[A-Za-z0-9]{43}"),
        (("--entropy", "128"), r"[A-Za-z0-9]{22}"),
        (("--length", "60"), r"[A-Za-z0-9]{60}"),
        (("--charset", "hex"), r"[0-9a-f]{64}"),
        (("--charset", "ascii_50"), r"[A-Za-z0-9]{46}"),
        (("--phrase",), r"[a-z]+(-[a-z]+){9,}"),
        (("--phrase", "--entropy", "200"), r"[a-z]+(-[a-z]+){15,}"),
    ],
    ids=" ".join,
)
def test_only_the_token_is_printed(arguments: tuple[str, ...], pattern: str, scimconf: Run) -> None:
    done = scimconf("token", "--count", "3", *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    tokens = done.stdout.splitlines()
    assert len(set(tokens)) == 3
    for token in tokens:
        assert re.fullmatch(pattern, token), token


@pytest.mark.parametrize("arguments", [("--length", "19"), ("--entropy", "118")], ids=" ".join)
def test_weak_tokens_are_refused(arguments: tuple[str, ...], scimconf: Run) -> None:
    done = scimconf("token", *arguments)
    assert (done.returncode, done.stdout) == (64, "")
    assert "119" in done.stderr
    assert "\n  -> " in done.stderr


def test_a_variable_sets_an_option(scimconf: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCIMCONF_COUNT", "2")
    assert scimconf("token").stdout.count("\n") == 2
    assert scimconf("token", "--count", "1").stdout.count("\n") == 1


def test_a_token_file_of_format_1_is_converted_once(scimconf: Run, tmp_path: Path) -> None:
    password = ("--vault-password-file", "password")
    assert scimconf("token", "migrate", "tokens.yaml", *password).returncode == 64
    assert not list(tmp_path.glob(".tokens.yaml*"))
    assert (
        scimconf("render", "chat1*", "--create-tokens", "--show-tokens", *password).returncode == 0
    )
    file = TokenFile.load(tmp_path / "tokens.yaml")
    token = file.token("chat1.example.com", "acme", {"default": Secret("correct horse")})
    assert token
    unbound = pbkdf2_sha256.using(rounds=10).hash(token.reveal())
    entry = file.entries["chat1.example.com", "acme"]
    text = (tmp_path / "tokens.yaml").read_text().replace(entry.fingerprint, unbound)
    old = text.replace("version: 2\n", "").replace("\n...\n", "\n")
    (tmp_path / "tokens.yaml").write_text(old)

    refused = scimconf("plan")
    assert refused.returncode == 64
    assert "scimconf token migrate" in refused.stderr
    assert scimconf("token", "migrate", "tokens.yaml").returncode == 64, "without the password"
    assert (tmp_path / "tokens.yaml").read_text() == old
    done = scimconf("token", "migrate", "tokens.yaml", *password)
    assert (done.returncode, done.stdout) == (0, "tokens.yaml now has format 2\n")
    after = TokenFile.load(tmp_path / "tokens.yaml")
    assert after.token("chat1.example.com", "acme", {"default": Secret("correct horse")}) == token
    again = scimconf("token", "migrate", "tokens.yaml", *password)
    assert again.returncode == 64
    assert "already has format 2" in again.stderr


# --- token new, list, rekey, move -----------------------------------------------------------------

PASSWORD = ("--vault-password-file", "password")


@pytest.fixture
def made(scimconf: Run, tmp_path: Path) -> Path:
    """A token file with the tokens of chat1 and chat2."""
    for host in ("chat1*", "chat2*"):
        render = ("render", host, "--create-tokens", "--show-tokens", *PASSWORD)
        assert scimconf(*render).returncode == 0
    return tmp_path / "tokens.yaml"


def _token(path: Path, deployment: str, realm: str, password: str = "correct horse") -> str:
    token = TokenFile.load(path).token(deployment, realm, {"default": Secret(password)})
    assert token
    return token.reveal()


def test_token_new_is_token(scimconf: Run) -> None:
    done = scimconf("token", "new", "--count", "3", "--length", "60")
    assert (done.returncode, done.stderr) == (0, "")
    assert [len(line) for line in done.stdout.splitlines()] == [60] * 3
    misplaced = scimconf("token", "--count", "3", "list")
    assert misplaced.returncode == 64
    assert "--count belongs to token new, not to token list" in misplaced.stderr


def test_the_list_has_a_line_for_each_realm_and_no_secret(scimconf: Run, made: Path) -> None:
    assert scimconf("rotate", "--stage", "chat1*", *PASSWORD).returncode == 0
    listed = scimconf("token", "list")
    assert (listed.returncode, listed.stderr) == (0, "")
    head, first, second = listed.stdout.splitlines()
    assert re.split(r" {2,}", head) == [
        *("deployment", "realm", "age", "rotated", "staged", "previous until", "strength", "kept")
    ]
    today = datetime.now(timezone.utc).strftime("%Y-%m-%d")
    assert re.split(r" {2,}", first) == [
        *("chat1.example.com", "acme", "0d", "-", today, "-", "256 bits", "token file")
    ]
    assert re.split(r" {2,}", second)[:2] == ["chat2.example.com", "(root)"]
    one = scimconf("token", "list", "chat2*", "--limit", "all").stdout
    assert "chat1" not in one
    assert "(root)" in one
    (made.parent / "password").unlink()
    assert scimconf("token", "list").stdout == listed.stdout, "needs no password"


def test_a_nightly_job_fails_if_a_token_is_too_old(scimconf: Run, made: Path) -> None:
    nothing = scimconf("token", "list", "--older-than", "90d")
    assert (nothing.returncode, nothing.stdout) == (0, "")
    age(made, made.parent / "password", "2020-01-01T00:00:00Z", [("chat1.example.com", "acme")])
    old = scimconf("token", "list", "--older-than", "52w")
    assert old.returncode == 2
    assert [line.split()[0] for line in old.stdout.splitlines()] == [
        "deployment",
        "chat1.example.com",
    ]
    assert scimconf("token", "list").returncode == 0, "only with --older-than"
    wrong = scimconf("token", "list", "--older-than", "90")
    assert (wrong.returncode, "not an age" in wrong.stderr) == (64, True)


def test_the_json_of_the_list_is_documented(scimconf: Run, made: Path) -> None:
    done = scimconf("token", "list", "--format", "json", "--older-than", "0d")
    document = json.loads(done.stdout)
    assert document["exit_code"] == done.returncode == 2
    assert [each["realm"] for each in document["tokens"]] == ["acme", ""]
    page = (Path(__file__).parents[2] / "docs/json.md").read_text()
    section = page.partition("## The JSON of `token list`")[2]
    listed = set(re.findall(r"^\| `(\w+)`", section, re.M))
    assert listed == set(document["tokens"][0])


def test_entries_that_the_inventory_does_not_name_are_listed(scimconf: Run, made: Path) -> None:
    inventory = made.parent / "inventory.yaml"
    inventory.write_text(inventory.read_text().replace("chat2.example.com", "chat9.example.com"))
    listed = scimconf("token", "list").stdout.splitlines()
    assert [line.split()[0] for line in listed[1:]] == [f"chat{n}.example.com" for n in (1, 2, 9)]
    assert listed[2].endswith("token file (not in the inventory)")
    assert listed[3].endswith("- (missing)")
    assert "chat2" not in scimconf("token", "list", "chat9*").stdout


def test_no_name_of_a_token_file_controls_the_terminal(scimconf: Run, made: Path) -> None:
    made.write_text(made.read_text().replace('"acme"', r'"ac\u001b[31mme"'))
    listed = scimconf("token", "list").stdout
    assert "\x1b" not in listed
    assert r"ac\x1b[31mme" in listed


def test_rekey_changes_the_password_of_the_whole_file(scimconf: Run, made: Path) -> None:
    token = _token(made, "chat1.example.com", "acme")
    (made.parent / "new").write_text("battery staple\n")
    done = scimconf("token", "rekey", *PASSWORD, "--new-vault-password-file", "new")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        "tokens.yaml: 2 tokens encrypted with the new password (vault id default)\n"
    )
    assert _token(made, "chat1.example.com", "acme", "battery staple") == token
    back = scimconf(
        *("token", "rekey", "--tokens", "tokens.yaml"),
        *("--vault-password-file", "new", "--new-vault-id", "2026@password"),
    )
    assert "(vault id 2026)" in back.stdout
    assert made.read_text().count(";AES256;2026\n") == 2


def _sealed_inventory(made: Path) -> None:
    """The layout of docs/from-ansible.md, and a single encrypted value."""
    folder = made.parent / "group_vars/all"
    folder.mkdir(parents=True)
    password = Secret((made.parent / "password").read_text().strip())
    text = vault.encrypt(Secret("vault_sudo: x\n"), password)
    (folder / "vault.yml").write_text(text)
    (folder / "theirs.yml").write_text(vault.encrypt(Secret("x: y\n"), Secret("other"), "theirs"))
    single = vault.encrypt(Secret("secret"), password).replace("\n", "\n  ")
    (folder / "vars.yml").write_text(
        f"ansible_become_password: '{{{{ vault_sudo }}}}'\nansible_password: !vault |\n  {single}\n"
    )


def test_rekey_names_what_of_the_inventory_keeps_the_old_password(
    scimconf: Run, made: Path
) -> None:
    _sealed_inventory(made)
    (made.parent / "new").write_text("battery staple\n")
    done = scimconf("token", "rekey", *PASSWORD, "--new-vault-password-file", "new")
    assert done.returncode == 0, done
    options = f"{shlex.join(PASSWORD)} --new-vault-password-file new"
    assert done.stderr == (
        "these files keep the old password: group_vars/all/vault.yml\n"
        f"  -> now run: ansible-vault rekey {options} group_vars/all/vault.yml\n"
        "these values keep the old password: group_vars/all/vars.yml:2:19\n"
        "  -> encrypt each of them again with the new password: ansible-vault encrypt_string\n"
    )
    (made.parent / "group_vars/all/theirs.yml").unlink()
    old = scimconf("rotate", "--stage", "chat1*", *PASSWORD)
    assert (old.returncode, "this password does not decrypt the token file" in old.stderr) == (
        64,
        True,
    )
    assert "if the token file was rekeyed, give the new password; if you want a new" in old.stderr


def test_rekey_without_an_inventory_says_it_in_general(scimconf: Run, made: Path) -> None:
    (made.parent / "inventory.yaml").unlink()
    (made.parent / "new").write_text("battery staple\n")
    new = ("--new-vault-password-file", "new", "--tokens", "tokens.yaml")
    done = scimconf("token", "rekey", *PASSWORD, *new)
    assert done.returncode == 0, done
    assert "inventory that are encrypted with the old password keep it" in done.stderr
    assert "--new-vault-password-file new FILE...; encrypt single values again" in done.stderr


def test_rekey_to_the_same_password_is_refused(scimconf: Run, made: Path) -> None:
    before = made.read_bytes()
    done = scimconf("token", "rekey", *PASSWORD, "--new-vault-password-file", "password")
    assert (done.returncode, made.read_bytes() == before) == (64, True)
    assert "have this password already, so nothing was changed" in done.stderr


def test_rekey_asks_twice_for_the_new_password(
    scimconf: Run, made: Path, typed: list[tuple[str, bool]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A password file in the environment names the present password only: see ansible#18247."""
    monkeypatch.setenv("ANSIBLE_VAULT_PASSWORD_FILE", "password")
    assert scimconf("token", "rekey").returncode == 0
    assert typed == [("New vault password", True)]
    assert _token(made, "chat2.example.com", "", "typed")


def test_rekey_takes_the_present_password_from_a_prompt(
    scimconf: Run, made: Path, typed: list[tuple[str, bool]]
) -> None:
    """The same id may come from a file here and from a prompt there: see ansible#72261."""
    (made.parent / "typed").write_text("typed\n")
    first = ("token", "rekey", *PASSWORD, "--new-vault-id", "prod@typed")
    assert scimconf(*first).returncode == 0
    done = scimconf("token", "rekey", "--vault-id", "prod@prompt", "--new-vault-id", "a@password")
    assert done.returncode == 0, done
    assert typed == [("Vault password (prod)", False)]
    assert made.read_text().count(";AES256;a\n") == 2


def test_rekey_of_a_link_keeps_the_link(scimconf: Run, made: Path) -> None:
    real = made.rename(made.parent / "real.yaml")
    made.symlink_to(real)
    rekey = ("token", "rekey", *PASSWORD, "--new-vault-id", "a@password")
    refused = scimconf(*rekey)
    assert (refused.returncode, "is a link" in refused.stderr) == (64, True)
    assert scimconf(*rekey, "--tokens", "tokens.yaml").returncode == 0
    assert made.is_symlink()
    assert real.read_text().count(";AES256;a\n") == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "new vault password is needed, and there is no terminal"),
        (
            ("--new-vault-id", "prod"),
            "write ID@FILE",
        ),  # a label without a source: see ansible#86359
        (("--new-vault-id", "prod@"), "has no source"),
        (("--new-vault-id", "a@new", "--new-vault-password-file", "new"), "exclude each other"),
        (("--new-vault-id", "a b@new"), "not a valid vault id"),
        (("--new-vault-password-file", "empty"), "contains no password"),
        (("--tokens", "nothing.yaml", "--new-vault-password-file", "new"), "there is no token"),
    ],
)
def test_a_refused_rekey_leaves_the_file_unchanged(
    scimconf: Run, made: Path, arguments: tuple[str, ...], words: str
) -> None:
    (made.parent / "new").write_text("battery staple\n")
    (made.parent / "empty").write_text("\n")
    before = made.read_bytes()
    done = scimconf("token", "rekey", *PASSWORD, *arguments)
    assert (done.returncode, done.stdout) == (64, "")
    assert words in done.stderr
    assert made.read_bytes() == before


def test_rekey_names_what_it_leaves(scimconf: Run, made: Path) -> None:
    (made.parent / "other").write_text("another team\n")
    inventory = made.parent / "inventory.yaml"
    inventory.write_text(inventory.read_text() + "    chat3.example.com: {scim_realms: {x: {}}}\n")
    render = ("render", "chat3*", "--create-tokens", "--show-tokens")
    assert scimconf(*render, "--vault-id", "team-b@other", *PASSWORD).returncode == 0
    done = scimconf("token", "rekey", *PASSWORD, "--new-vault-id", "2026@password")
    assert done.returncode == 0
    assert "left unchanged: 1 with the vault id team-b" in done.stderr
    assert "add --vault-id team-b@FILE" in done.stderr


@pytest.mark.parametrize(
    ("variables", "near", "name"),
    [
        ({"scim_moved_from": "caht1.example.com"}, "chat1.example.com", "caht1.example.com"),
        ({"scim_realms": {"docs": {"moved_from": "amce"}}}, "acme", "realm amce of new.test"),
    ],
)
def test_a_former_name_without_a_token_is_a_warning(
    scimconf: Run, made: Path, variables: dict[str, object], near: str, name: str
) -> None:
    host = {"scim_realms": {"acme": {}}} | variables
    (made.parent / "inventory.yaml").write_text(json.dumps({"all": {"hosts": {"new.test": host}}}))
    for words in (("inventory", "check"), ("plan", "--connection-timeout", "1")):
        done = scimconf(*words[:2]) if words[0] == "inventory" else scimconf("plan", "--retries=0")
        assert f"tokens.yaml has no token of {name}, so apply moves nothing" in done.stderr, done
        assert f"  -> did you mean {near}?" in done.stderr
    right = json.dumps(host).replace("caht1", "chat1").replace("amce", "acme")
    if "scim_moved_from" in variables:
        text = f'{{"all": {{"hosts": {{"new.test": {right}}}}}}}'
        (made.parent / "inventory.yaml").write_text(text)
        assert scimconf("inventory", "check").stderr == ""


def _rename(made: Path, new: str, old: str = "chat1.example.com") -> None:
    """Rename a server in the inventory, but not in the token file."""
    inventory = made.parent / "inventory.yaml"
    inventory.write_text(inventory.read_text().replace(old, new))


def test_a_token_moves_to_the_new_name_of_a_server(scimconf: Run, made: Path) -> None:
    token = _token(made, "chat1.example.com", "acme")
    before = made.read_bytes()
    move = ("token", "move", "chat1.example.com", "new.example.com", *PASSWORD)
    early = scimconf(*move)
    assert (early.returncode, made.read_bytes()) == (64, before)
    assert "still has realm acme of chat1.example.com, and does not have realm acme" in early.stderr
    assert "  -> rename it in the inventory first" in early.stderr
    _rename(made, "new.example.com")
    done = scimconf(*move)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        "moved the token of realm acme of chat1.example.com to realm acme of new.example.com\n"
    )
    assert _token(made, "new.example.com", "acme") == token
    _rename(made, "renamed.test", "new.example.com")
    one = ("token", "move", "new.example.com/acme", "new.example.com/", *PASSWORD)
    assert scimconf(*one).returncode == 0
    assert _token(made, "new.example.com", "") == token
    root = ("token", "move", "new.example.com/(root)", "new.example.com/wiki", *PASSWORD)
    assert scimconf(*root).returncode == 0
    assert _token(made, "new.example.com", "wiki") == token


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("chat1.exmple.com", "b", "did you mean chat1.example.com?"),
        ("chat1.example.com/wiki", "b/wiki", "has no token of chat1.example.com/wiki"),
        ("chat1.example.com", "b/acme", "is a deployment, but b/acme is a realm"),
        ("chat1.example.com/acme", "b", "name a realm: b/acme"),
        ("chat1.example.com/acme", "b/Acme", "must be lower-case"),
        ("chat1.example.com", "chat1.example.com", "the same place"),
        ("chat1.example.com/acme", "chat2.example.com/", "has a token already"),
        ("chat1.example.com", "b\x07", "control characters"),
    ],
)
def test_a_refused_move_leaves_the_file_unchanged(
    scimconf: Run, made: Path, old: str, new: str, words: str
) -> None:
    _rename(made, "renamed.test")
    before = made.read_bytes()
    done = scimconf("token", "move", old, new, *PASSWORD)
    assert (done.returncode, done.stdout) == (64, "")
    assert words in done.stderr
    assert made.read_bytes() == before


def test_a_move_needs_the_password(scimconf: Run, made: Path) -> None:
    _rename(made, "renamed.test")
    before = made.read_bytes()
    done = scimconf("token", "move", "chat1.example.com", "b")
    assert (done.returncode, "a vault password is needed" in done.stderr) == (64, True)
    assert made.read_bytes() == before
