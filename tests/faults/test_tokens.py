"""No accepted token is lost: two runs at once, kills, full disks, undo, a lost token file.

Real scimconf processes run on the lab. `Scene.judge` and `Scene.converge` check the result.
"""

from __future__ import annotations

import json
import shutil
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import pytest
from passlib.hash import pbkdf2_sha256  # type: ignore[import-untyped]

from scimconf.secret import Secret
from scimconf.tokens.store import TokenFile
from tests.faults.matrix import ALL, FORWARD
from tests.faults.process import until
from tests.faults.scene import APPLY, BASE, REALMS, ROTATE, Scene, ended, held
from tests.lab import Lab, Server
from tests.lab.operator import VAULT, Operator

pytestmark = pytest.mark.needs_sshd

Begin = Callable[..., Scene]

not_in_the_sample = pytest.mark.skipif(not ALL, reason="a case of make faults")


@pytest.fixture
def begin(lab: Lab, lab_server: Callable[..., Server], tmp_path: Path) -> Iterator[Begin]:
    """Return a function that starts a scene on a server of a given version."""
    begun = []

    def begin(version: str = "9.0") -> Scene:
        operator = Operator(lab, tmp_path / "operator")
        scene = Scene(operator, lab_server(version=version, realms=REALMS))
        begun.append(scene)
        return scene

    yield begin
    for scene in begun:
        scene.close()


@pytest.fixture
def scene(begin: Begin) -> Scene:
    return begin()


# --- two runs at once -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Run:
    """A run of scimconf."""

    words: tuple[str, ...]
    inventory: str = BASE


FIRSTS = {
    "apply": Run(APPLY, "replaced.yaml"),
    "rotate": Run(ROTATE),
}
POINTS = {
    "apply": FORWARD,
    "rotate": tuple(
        name
        for name in FORWARD
        if name not in ("register client", "write settings", "remove secrets", "remove client")
    ),
}
"""Where the first run waits. The apply runs on 5.6, where it needs every step."""
SECONDS = {
    "same": Run(APPLY, "replaced.yaml"),
    "absent": Run(APPLY, "absent.yaml"),
    "added": Run(APPLY, "added.yaml"),
    "rotate": Run(ROTATE),
    "stage": Run((*ROTATE, "--stage")),
}
BUSY = (0, 1, 3)
"""Exit codes of a run that finds another run at work, or that another run has overtaken."""


def _pick(cases: list[tuple[str, ...]], sample: tuple[str, ...]) -> list[tuple[str, ...]]:
    return cases if ALL else [sample]


AT_ONCE = [
    (first, point, answer)
    for first, points in POINTS.items()
    for point in points
    for answer in (("go", "fail") if first == "apply" else ("fail",))
    if point != "lock"
]


@pytest.mark.parametrize(("first", "point", "answer"), _pick(AT_ONCE, ("rotate", "gate", "fail")))
def test_other_runs_while_one_run_is_held_at_a_step(
    begin: Begin, first: str, point: str, answer: str
) -> None:
    """Each of the others is checked while the first is held, and all of them at the end."""
    scene = begin("5.6" if first == "apply" else "9.0")
    hold, told = scene.holding(point)
    process = scene.start(*FIRSTS[first].words, inventory=FIRSTS[first].inventory, **told)
    held(process, hold)
    for name in SECONDS if ALL else ("absent",):
        done = scene.run(*SECONDS[name].words, inventory=SECONDS[name].inventory)
        assert done.returncode in BUSY, done
        scene.judge()
    hold.go(answer)
    done = ended(process)
    assert done.returncode in ((0, 1) if answer == "go" else (1, 4)), done
    scene.judge()
    scene.converge()


BETWEEN = [
    (place, first, second)
    for place in ("before the lock", "before the token file")
    for first in FIRSTS
    for second in SECONDS
]


@pytest.mark.parametrize(
    ("place", "first", "second"), _pick(BETWEEN, ("before the lock", "rotate", "stage"))
)
def test_another_run_happens_between_two_steps(
    begin: Begin, place: str, first: str, second: str
) -> None:
    """Between observation and transaction, or between the commit and the token file."""
    scene = begin()
    if place == "before the lock":
        hold, told = scene.holding("lock")
    else:
        hold, told = scene.holding_before_save(
            2
        )  # the first one comes before the server is changed
    process = scene.start(*FIRSTS[first].words, inventory=FIRSTS[first].inventory, **told)
    held(process, hold)
    scene.judge()
    done = scene.run(*SECONDS[second].words, inventory=SECONDS[second].inventory)
    assert done.returncode in (0, 1), done
    scene.judge()
    hold.go()
    done = ended(process)
    assert done.returncode in (0, 1), done
    # It records what it saw at its commit, and the other run may have restored a realm since.
    scene.judge(undone=place == "before the token file")
    scene.converge()


@pytest.mark.parametrize(
    ("second", "answer"),
    list(product(["same", "absent", "added", "rotate"], ["fail", "go"]))
    if ALL
    else [("same", "go")],
)
def test_one_run_ends_while_another_observes(scene: Scene, second: str, answer: str) -> None:
    """What the other run has read of settings.py may be outdated."""
    hold, told = scene.holding("gate")
    first = scene.start(*APPLY, inventory="absent.yaml", **told)
    held(first, hold)
    looks, told = scene.holding("settings.py was read")
    other = scene.start(*SECONDS[second].words, inventory=SECONDS[second].inventory, **told)
    held(other, looks)
    hold.go(answer)
    assert ended(first).returncode in ((0, 1) if answer == "go" else (1, 4))
    looks.go()
    done = ended(other)
    assert done.returncode in (*BUSY, 64), done  # 64: the realm was removed
    scene.judge()
    scene.converge()


def test_a_realm_is_not_recorded_as_removed_while_another_run_is_at_work(scene: Scene) -> None:
    """The other run may roll the removal back, and then the token is still in force."""
    before = scene.records()
    hold, told = scene.holding("gate")
    first = scene.start(*APPLY, inventory="absent.yaml", **told)
    held(first, hold)
    done = scene.run(*APPLY, inventory="absent.yaml")
    assert done.returncode in BUSY, done
    assert scene.records() == before
    hold.go("fail")
    assert ended(first).returncode == 4
    assert scene.records() == before
    scene.judge()
    scene.converge()


# --- undo -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("killed", ["", "before", "after"] if ALL else ["before"])
@pytest.mark.parametrize("undo_killed", [False, True] if ALL else [True])
def test_an_undo_restores_a_removed_realm(scene: Scene, killed: str, undo_killed: bool) -> None:
    token = scene.in_force("wiki")
    struck = {"write": (1, killed)} if killed else {}
    done = scene.run(*APPLY, inventory="absent.yaml", **struck)
    assert done.returncode == (-9 if killed else 0), done
    assert not scene.lets_in("wiki", token)
    scene.judge()
    if undo_killed:
        hold, told = scene.holding("restart")
        process = scene.start("undo", "--yes", inventory="absent.yaml", **told)
        held(process, hold)
        process.kill()
        ended(process)
        hold.go()
        until(lambda: _journal(scene) == "committed", "the server finishes")
    else:
        scene.must("undo", "--yes", inventory="absent.yaml")
    assert scene.lets_in("wiki", token)
    scene.judge(undone=True)
    scene.converge()
    assert scene.in_force("wiki") == token


def _journal(scene: Scene) -> str:
    path = scene.server.layout.outside("home", ".scimconf", "journal.json")
    return str(json.loads(path.read_text())["state"])


@not_in_the_sample
def test_an_undo_after_an_interrupted_rotation(scene: Scene) -> None:
    """The server has the next token, which was never in force by the token file."""
    done = scene.run(*ROTATE, write=(2, "before"))
    assert done.returncode == -9, done
    scene.must(*APPLY, inventory="absent.yaml")
    scene.must("undo", "--yes", inventory="absent.yaml")
    scene.judge(undone=True)


# --- a token file that is lost --------------------------------------------------------------------


def _whole_file(tokens: Path) -> None:
    tokens.unlink()


def _one_entry(tokens: Path) -> None:
    before, _, _ = tokens.read_text().partition('    "wiki"')
    tokens.write_text(f"{before}...\n")


@not_in_the_sample
@pytest.mark.parametrize("lose", [_whole_file, _one_entry])
@pytest.mark.parametrize("at_work", [False, True])
def test_the_token_file_is_lost(scene: Scene, lose: Callable[[Path], None], at_work: bool) -> None:
    """With `at_work`, another run is at work that removes none of these tokens."""
    tokens = {realm: scene.in_force(realm) for realm in ("acme", "wiki")}
    if at_work:
        hold, told = scene.holding("gate")
        process = scene.start(*APPLY, inventory="added.yaml", **told)
        held(process, hold)
        lose(scene.operator.tokens)
        hold.go()
        assert ended(process).returncode in (0, 1)
    else:
        lose(scene.operator.tokens)
    before = scene.server.secrets.read_bytes(), scene.records()
    inventory = "added.yaml" if at_work else BASE
    refused = scene.run("apply", "--yes", *VAULT, inventory=inventory)
    assert refused.returncode == 64, refused
    assert "scimconf import" in refused.stdout
    assert (scene.server.secrets.read_bytes(), scene.records()) == before
    scene.must("import", *VAULT, inventory=inventory)
    scene.judge()
    scene.converge(inventory)
    assert {realm: scene.in_force(realm) for realm in tokens} == tokens


# --- a write that is cut off, or fails ------------------------------------------------------------


@dataclass(frozen=True)
class Verb:
    """A run that writes, and the runs before and after it."""

    words: tuple[str, ...]
    writes: int = 1
    """How many files of this machine it writes."""
    inventory: str = BASE
    first: Callable[[Scene], None] = lambda scene: None
    then: tuple[str, ...] = ()
    """The next run; empty: the same again."""
    again: tuple[int, ...] = ()
    """Exit codes of the next run; empty: there is none."""
    loses: bool = False
    """Return whether the token file is lost before the run."""
    locks_out: bool = False
    """Return whether going back to BASE gives a realm another token."""
    after: Callable[[Scene], None] = lambda scene: None
    """What the operator does after each run."""


def _stage(scene: Scene) -> None:
    scene.must(*ROTATE, "--stage")


def _rotate(scene: Scene) -> None:
    scene.must(*ROTATE)


def _lose(scene: Scene) -> None:
    scene.operator.tokens.unlink()


def _bare(scene: Scene) -> None:
    scene.operator.tokens.unlink()
    shutil.rmtree(scene.operator.folder / "host_vars", ignore_errors=True)
    scene.write_inventory("bare.yaml", {})


def _format_1(scene: Scene) -> None:
    """Write the token file in its first format, where a token is not bound to its place."""
    text = scene.operator.tokens.read_text().replace("version: 2\n", "").replace("\n...\n", "\n")
    for hashed, token in scene.fingerprints():
        text = text.replace(hashed, pbkdf2_sha256.using(rounds=10).hash(token))
    scene.operator.tokens.write_text(text)


def _another_password(scene: Scene) -> None:
    file = scene.operator.folder / "new-password"
    file.touch(0o600)
    file.write_text(f"{uuid.uuid4()}\n")
    for each in (file, scene.operator.folder / ".vault-password"):
        scene.remember_password(each)


def _take_new_password(scene: Scene) -> None:
    """Use the new password from now on, if the token file has it."""
    new = (scene.operator.folder / "new-password").read_text()
    if TokenFile.load(scene.operator.tokens).is_opened_by(Secret(new.strip())):
        (scene.operator.folder / ".vault-password").write_text(new)


NEW_PASSWORD = ("--new-vault-password-file", "new-password")
VERBS = {
    "apply, a new token": Verb(APPLY, inventory="added.yaml", again=(0,)),
    "apply, a realm goes": Verb(APPLY, inventory="absent.yaml", again=(0,)),
    "apply, a token elsewhere": Verb(APPLY, inventory="elsewhere.yaml", again=(0,), locks_out=True),
    "rotate": Verb(ROTATE, writes=2),
    "rotate, and --stage": Verb(ROTATE, writes=2, then=(*ROTATE, "--stage"), again=(0,)),
    "rotate --stage": Verb((*ROTATE, "--stage")),
    "rotate --activate": Verb((*ROTATE, "--activate"), first=_stage),
    "rotate --back": Verb((*ROTATE, "--back"), first=_rotate, again=(0, 64)),
    "import": Verb(
        ("import", *VAULT), writes=2, inventory="bare.yaml", first=_bare, loses=True, again=(0, 64)
    ),
    "import, tokens alone": Verb(("import", *VAULT), first=_lose, loses=True, again=(0, 64)),
    "token migrate": Verb(
        ("token", "migrate", "tokens.yaml", *VAULT), first=_format_1, again=(0, 64)
    ),
    "token rekey": Verb(
        (*("token", "rekey", "--tokens", "tokens.yaml"), *VAULT, *NEW_PASSWORD),
        first=_another_password,
        after=_take_new_password,
        again=(0, 64),
    ),
}
MOMENTS = ("before", "written", "renamed", "after", "full")
WRITES = [(name, number) for name, verb in VERBS.items() for number in range(1, verb.writes + 1)]


@pytest.mark.parametrize(("name", "number"), WRITES if ALL else [("rotate, and --stage", 2)])
def test_a_write_is_interrupted_or_fails(scene: Scene, name: str, number: int) -> None:
    """SIGKILL of the controller at its n-th write, and a full disk.

    The table has every write of a verb. A verb that gets another write needs another row.
    """
    verb = VERBS[name]
    for moment in MOMENTS if ALL else ("before",):
        verb.first(scene)
        done = scene.run(*verb.words, inventory=verb.inventory, write=(number, moment))
        assert done.returncode in ((1, 64) if moment == "full" else (-9,)), (moment, done)
        verb.after(scene)
        if not verb.loses:
            scene.judge()
        if verb.again:
            done = scene.run(*(verb.then or verb.words), inventory=verb.inventory)
            assert done.returncode in verb.again, (moment, done)
            verb.after(scene)
        scene.judge()
        scene.converge(locks_out=verb.locks_out)
    if ALL and number == verb.writes:
        verb.first(scene)
        done = scene.run(*verb.words, inventory=verb.inventory, write=(number + 1, "before"))
        assert done.returncode == 0, done
        scene.judge()
