"""Small files that would take minutes or gigabytes end with an error that names the limit."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from scimconf.errors import InventoryError
from scimconf.inventory import Inventory, layout, read
from scimconf.inventory.place import Problems

pytestmark = pytest.mark.timeout(60)


def _chain(count: int, *, backwards: bool = False) -> str:
    numbers = reversed(range(count)) if backwards else range(count)
    sections = "".join(f"[g{each}:children]\ng{each + 1}\n" for each in numbers)
    return f"{sections}[g{count}]\nh\n"


def _dense(count: int) -> str:
    below = ("".join(f"g{other}\n" for other in range(each + 1, count)) for each in range(count))
    return "".join(f"[g{each}:children]\n{lines}" for each, lines in enumerate(below))


def _read(folder: Path, text: str) -> Inventory:
    (folder / "hosts.ini").write_text(text)
    return read([folder / "hosts.ini"])


SLOW = pytest.mark.matrix


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("h[1:99999] a=1\n" * 300, "names hosts more than 300000 times", id="lines"),
        pytest.param(f"x[1:99999]{'a' * 20000}\n", "the names of the host range", id="long"),
        pytest.param(
            "".join(f"x{each}[1:9999]{'a' * 800}\n" for each in range(9)),
            "characters in all names",
            id="many long",
        ),
        pytest.param("a[1:90000]\nb[1:90000]\n", "has more than 100000 hosts", id="hosts"),
        pytest.param(
            "h " + '"a=1" ' * 600_000,
            "500000 names and values",
            id="words",
            marks=SLOW,
        ),
        pytest.param(_chain(6000), "too many parents", id="chain"),
        pytest.param(
            _chain(6000, backwards=True),
            "too many child groups",
            id="backwards",
            marks=SLOW,
        ),
        pytest.param(_dense(600), "too many parents", id="dense", marks=SLOW),
    ],
)
def test_a_limit_is_named(text: str, expected: str, tmp_path: Path) -> None:
    with pytest.raises(InventoryError) as caught:
        _read(tmp_path, text)
    assert len(caught.value.problems) == 1
    assert expected in caught.value.problems[0].message


def test_only_the_first_undeclared_groups_get_the_nearest_name(tmp_path: Path) -> None:
    sections = "".join(f"[web{each}]\n" for each in range(100))
    text = f"{sections}[p:children]\n" + "".join(f"wbe{each}\n" for each in range(3000))
    with pytest.raises(InventoryError) as caught:
        _read(tmp_path, text)
    hints = [each.hint.startswith("did you mean web") for each in caught.value.problems]
    assert (len(hints), sum(hints), all(hints[:20])) == (3000, 20, True)


def test_ten_thousand_servers_are_no_problem(tmp_path: Path) -> None:
    text = "[z]\nh[1:10000]\n[z:vars]\nscim_realms={'a': {}}\n"
    assert len(_read(tmp_path, text).servers) == 10_000


def test_templates_that_read_all_hosts_for_each_host(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layout, "MAX_LOOKUPS", 100)
    loop = "{% for h in groups.all %}{{ hostvars[h].y }}{% endfor %}"
    found = _read(tmp_path, f"h[1:20]\n[all:vars]\ny=1\nscim_realms={{}}\nansible_host={loop}\n")
    messages = [each.message for each in found.errors_of(["h20"])]
    assert any("read hostvars more than 100 times" in each for each in messages)


def test_a_long_chain_of_hostvars_fails_once_for_each_host(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layout, "MAX_LOOKUPS", 5000)  # without the failures it would be 100,000
    lines = "".join(f"h{each} y='{{{{ hostvars.h{each + 1}.y }}}}'\n" for each in range(1000))
    text = f"{lines}h1000\n[all:vars]\nscim_realms={{}}\nansible_host={{{{ y }}}}\n"
    found = _read(tmp_path, text)
    assert not any("more than 5000 times" in each.message for each in found.errors_of(["h999"]))


def test_a_pipe_as_the_source_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "hosts.ini")
    with pytest.raises(InventoryError, match="is not a regular file"):
        read([tmp_path / "hosts.ini"])


def test_an_address_has_no_short_name(tmp_path: Path) -> None:
    (tmp_path / "hosts.ini").write_text("10.0.0.7\n::ffff:10.0.0.8\nchat.example.com\n")
    found = layout.read([tmp_path / "hosts.ini"], Problems())
    names = [found.variables(each)["inventory_hostname_short"] for each in found.tree.hosts]
    assert names == ["10.0.0.7", "::ffff:10.0.0.8", "chat"]


def test_a_current_folder_that_was_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(InventoryError, match="cannot use the current folder"):
        read([Path("hosts.ini")])
