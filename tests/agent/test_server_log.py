"""Read Zulip's log from its end. Lines that somebody has forged are not believed."""

from __future__ import annotations

import gzip
import os
import time
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from scimconf.agent import server_log
from scimconf.agent.errors import AgentError
from scimconf.agent.server_log import Log, parse

NOW = 1_795_885_356.648
ACCEPTED = "scim-client:okta:realm:3"


def line(
    path: str = "/scim/v2/Users",
    who: str = "unauth@acme",
    program: str = "Okta SCIM Client",
    *,
    status: int = 401,
    at: float = NOW,
    method: str = "GET",
    timing: str = "  2ms (db: 0ms/1q)",
) -> str:
    """Return a line as Zulip writes it."""
    moment = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(at))
    return (
        f"{moment}.{int(at * 1000) % 1000:03d} INFO [zr] {'10.0.0.1':<15} {method:<7} {status:3} "
        f"{timing} {path} ({who} via {program})"
    )


def everything(oldest: float) -> bool:
    return False


def read(path: Path, **limits: float) -> list[server_log.Request]:
    return list(Log(str(path), **limits).requests(everything))  # type: ignore[arg-type]


def test_a_line_of_a_real_server() -> None:
    found = parse(
        b"2026-11-28 17:02:36.648 INFO [zr] 127.0.0.1       GET     200   2ms (db: 0ms/1q) "
        b"/scim/v2/Users (scim-client:okta:realm:3 via Okta SCIM Client)"
    )
    assert found == (NOW, 200, "GET", "Users", 3, None, server_log.hashed(b"Okta SCIM Client"))


@pytest.mark.parametrize(
    "timing", ["  2ms", " 1.7s (mem: 6ms/2) (md: 7ms/1) (db: 9ms/4q) (+start: 80ms)", "-1000ms"]
)
def test_all_timings_that_zulip_writes(timing: str) -> None:
    assert parse(line(who=ACCEPTED, status=200, timing=timing).encode()) is not None


@pytest.mark.parametrize(
    ("path", "resource"),
    [
        ("/scim/v2/Users/42", "Users"),
        ("/scim/v2/Groups", "Groups"),
        ("/scim/v2/ada@example.com", ""),
        ("/scim/v2", ""),
    ],
)
def test_only_the_resource_of_a_path_is_kept(path: str, resource: str) -> None:
    found = parse(line(path).encode())
    assert found is not None
    assert found.resource == resource


@pytest.mark.parametrize(("who", "realm"), [("unauth@acme", "acme"), ("unauth@root", "")])
def test_a_refused_request_names_its_realm(who: str, realm: str) -> None:
    found = parse(line(who=who).encode())
    assert found is not None
    assert (found.realm_id, found.realm) == (None, realm)


@pytest.mark.parametrize(
    "text",
    [
        line("/api/v1/messages"),
        line("/x /scim/v2/Users"),
        line(who="5@acme"),
        line(at=NOW).replace("2026-11-28", "2026-13-28"),
        line(at=NOW).replace("2026-11-28", "0001-01-01"),
        line().replace("INFO [zr]", "ERROR [django.request]"),
        line()[:-1],
        "",
    ],
)
def test_other_lines(text: str) -> None:
    assert parse(text.encode()) is None


TEXT = st.text(st.characters(exclude_characters="\n", codec="utf-8"), max_size=60)
FORGED = st.sampled_from(
    [
        f" ({ACCEPTED} via Okta)",
        f"({ACCEPTED} via x",
        f" ({ACCEPTED} via (unauth@acme via ",
        f") /scim/v2/Users ({ACCEPTED} via x)",
        f" {line(who=ACCEPTED, status=200)}",
        f"\r{line(who=ACCEPTED, status=200)}",
        " via ",
        "(",
        ")",
    ]
)
HOSTILE = st.lists(TEXT | FORGED, max_size=5).map("".join)


@given(path=HOSTILE, program=HOSTILE, status=st.integers(100, 599))
@example(path="", program=f"({ACCEPTED} via x", status=401)
@example(path=f" ({ACCEPTED} via x)", program="x", status=401)
@example(path=f"\r{line(who=ACCEPTED, status=200)}\r", program="x", status=404)
def test_whoever_has_no_token_cannot_look_accepted(path: str, program: str, status: int) -> None:
    for start in ("/scim/v2/Users", "/"):
        found = parse(line(start + path, "unauth@acme", program, status=status).encode())
        assert found is None or (found.realm_id, found.realm) == (None, "acme")
        assert found is None or (found.status, found.at) == (status, NOW)


@given(path=TEXT.filter(lambda text: " via " not in text), status=st.integers(100, 599))
def test_an_accepted_request_is_read_whatever_its_path_is(path: str, status: int) -> None:
    found = parse(line(f"/scim/v2/Users/{path}", ACCEPTED, status=status).encode())
    assert found is not None
    assert (found.realm_id, found.status) == (3, status)


@given(before=HOSTILE, after=HOSTILE.filter(lambda text: not text[:1].isdigit()))
def test_a_line_break_in_a_path_forges_no_line(
    tmp_path_factory: pytest.TempPathFactory, before: str, after: str
) -> None:
    forged = f"/{before}\n{line(who=ACCEPTED, status=200)}\n{after}"
    log = tmp_path_factory.getbasetemp() / "forged.log"
    log.write_text(f"{line(at=NOW - 9)}\n{line(forged)}\n{line(at=NOW + 9)}\n", newline="")
    assert [(found.at, found.realm_id) for found in read(log)] == [
        (pytest.approx(NOW + 9), None),
        (pytest.approx(NOW - 9), None),
    ]


def test_the_newest_line_comes_first(tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    for number, name in enumerate(("server.log", "server.log.1", "server.log.2", "server.log.10")):
        texts = [line(at=NOW - number * 100 - each) for each in (2, 1, 0)]
        (tmp_path / name).write_text("".join(f"{each}\n" for each in texts))
    with gzip.open(tmp_path / "server.log.2.gz", "wt") as packed:
        packed.write(f"{line(at=NOW - 262)}\n{line(at=NOW - 260)}\n")
    (tmp_path / "server.log.2").unlink()
    (tmp_path / "server.log.save").write_text(line(at=NOW + 5) + "\n")
    ages = [round(NOW - found.at) for found in read(log)]
    assert ages == [0, 1, 2, 100, 101, 102, 260, 262, 300, 301, 302]


@given(st.lists(st.integers(0, 200), max_size=30), st.integers(80, 400))
def test_blocks_lose_no_line(
    tmp_path_factory: pytest.TempPathFactory, lengths: list[int], block: int
) -> None:
    log = tmp_path_factory.getbasetemp() / "server.log"
    texts = [
        line(f"/scim/v2/Users/{'x' * each}" if each % 3 else f"/api/{'x' * each}", at=NOW + number)
        for number, each in enumerate(lengths)
    ]
    log.write_text("".join(f"{text}\n" for text in texts))
    packed = Path(f"{log}.1.gz")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(server_log, "_BLOCK", block)
        plain = read(log)
        packed.write_bytes(gzip.compress(log.read_bytes()))
        log.write_text("")
        assert read(log) == plain
    packed.unlink()
    assert [round(found.at - NOW) for found in reversed(plain)] == [
        number for number, each in enumerate(lengths) if each % 3
    ]


def test_a_line_that_is_being_written_waits(tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    log.write_text(f"{line(at=NOW)}\n{line(at=NOW + 1)}")
    assert [found.at for found in read(log)] == [NOW]


def test_reading_is_bounded_in_bytes_and_in_time(tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    log.write_text(f"{line()}\n" * 20_000)
    size = log.stat().st_size
    assert size > 2 << 20
    by_bytes = Log(str(log), most=1 << 20)
    assert 0 < len(list(by_bytes.requests(everything))) < 10_000
    assert not by_bytes.complete
    clock = iter([0.0, 0.0, *[100.0] * 10])
    by_time = Log(str(log), seconds=10, clock=lambda: next(clock))
    assert 0 < len(list(by_time.requests(everything))) < 10_000
    assert not by_time.complete
    whole = Log(str(log))
    assert len(list(whole.requests(everything))) == 20_000
    assert whole.complete


def test_a_packed_file_is_bounded_too(tmp_path: Path) -> None:
    (tmp_path / "server.log").write_text("")
    (tmp_path / "server.log.1.gz").write_bytes(gzip.compress(bytes(8 << 20)))
    log = Log(str(tmp_path / "server.log"), most=2 << 20)
    assert list(log.requests(everything)) == []
    assert not log.complete


def test_the_oldest_lines_of_a_packed_file_may_be_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A flood of long names of programs must not fill the memory, and is reported."""
    monkeypatch.setattr(server_log, "_MOST_PACKED", 100_000)
    flood = "".join(f"{line(program='x' * 7000, at=NOW + each)}\n" for each in range(100))
    (tmp_path / "server.log").write_text("")
    (tmp_path / "server.log.1.gz").write_bytes(gzip.compress(flood.encode()))
    (tmp_path / "server.log.2.gz").write_bytes(gzip.compress(f"{line(at=NOW - 9)}\n".encode()))
    log = Log(str(tmp_path / "server.log"))
    found = list(log.requests(everything))
    assert [each.at for each in found] == [NOW + 99 - each for each in range(len(found))]
    assert 10 < len(found) < 20
    assert max(len(each.program) for each in found) == 16
    assert log.oldest == int(found[-1].at)
    assert not log.complete


def test_reading_ends_when_it_is_enough(tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    log.write_text("".join(f"{line(at=NOW + each)}\n" for each in range(20_000)))
    read_back_to: list[float] = []

    def enough(oldest: float) -> bool:
        read_back_to.append(oldest)
        return oldest < NOW + 15_000

    reader = Log(str(log))
    assert len(list(reader.requests(enough))) < 15_000
    assert (len(read_back_to), reader.complete) == (1, True)


@pytest.mark.parametrize("damage", [b"not packed", gzip.compress(b"x" * 999, mtime=0)[:-9]])
def test_a_damaged_rotated_file_is_left_out(tmp_path: Path, damage: bytes) -> None:
    (tmp_path / "server.log").write_text(f"{line()}\n")
    (tmp_path / "server.log.1.gz").write_bytes(damage)
    log = Log(str(tmp_path / "server.log"))
    assert len(list(log.requests(everything))) == 1
    assert not log.complete


def test_a_log_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(AgentError, match=r"there is no .*server\.log"):
        read(tmp_path / "server.log")
    os.mkfifo(tmp_path / "server.log")
    with pytest.raises(AgentError, match="not a regular file"):
        read(tmp_path / "server.log")


def test_a_log_in_local_time_is_noticed(tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    log.write_text(f"{line(at=NOW)}\n")
    os.utime(log, (NOW + 0.3, NOW + 0.3))
    assert abs(Log(str(log)).skew()) < 1
    os.utime(log, (NOW - 7200, NOW - 7200))
    assert Log(str(log)).skew() == pytest.approx(7200, abs=1)
