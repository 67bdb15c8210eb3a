"""The server's notes that a delivery to an identity provider has begun."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from scimconf.agent import deliveries, durable, lock, observe, transaction
from scimconf.agent.deliveries import Changed
from scimconf.agent.files import state_folder
from tests.agent.fake import Zulip

BEGUN = "2026-06-01T10:00:00Z"


@pytest.fixture
def folder(tmp_path: Path) -> str:
    durable.make_private(str(tmp_path / "state"))
    return str(tmp_path / "state")


def test_a_note_is_written_and_deleted(folder: str) -> None:
    assert deliveries.read(folder) == {}
    deliveries.change(folder, {"acme": ("", BEGUN), "wiki": ("", BEGUN)})
    assert deliveries.read(folder) == {"acme": BEGUN, "wiki": BEGUN}
    assert Path(folder, "deliveries.json").stat().st_mode & 0o777 == 0o600
    deliveries.change(folder, {"acme": (BEGUN, "")})
    assert deliveries.read(folder) == {"wiki": BEGUN}


def test_the_note_of_another_run_stays(folder: str) -> None:
    deliveries.change(folder, {"acme": ("", BEGUN)})
    for turn in (("", "2026-06-02T10:00:00Z"), ("2026-06-02T10:00:00Z", "")):
        with pytest.raises(Changed, match="another run"):
            deliveries.change(folder, {"wiki": ("", BEGUN), "acme": turn})
        assert deliveries.read(folder) == {"acme": BEGUN}, "all notes or none"


def test_a_request_that_is_sent_twice_does_no_harm(folder: str) -> None:
    for turn in (("", BEGUN), (BEGUN, "")):
        deliveries.change(folder, {"acme": turn})
        deliveries.change(folder, {"acme": turn})
    assert deliveries.read(folder) == {}


@pytest.mark.parametrize("text", ["", "[]", "3", "\x00", "[" * 100_000])
def test_a_broken_file_counts_as_empty(folder: str, text: str) -> None:
    Path(folder, "deliveries.json").write_text(text)
    assert deliveries.read(folder) == {}
    deliveries.change(folder, {"acme": ("", BEGUN)})
    assert deliveries.read(folder) == {"acme": BEGUN}


def test_a_request_changes_the_notes_under_the_lock(zulip: Zulip) -> None:
    def note(old: str, new: str) -> Any:
        asked = {**zulip.observe(), "do": "note", "deliveries": {"acme": [old, new]}}
        return transaction.note(asked, lambda message: None, "a test")

    assert note("", BEGUN)["result"] == "committed"
    assert observe.observe(zulip.observe())["deliveries"] == {"acme": BEGUN}
    refused = note("", "2026-06-02T10:00:00Z")
    assert (refused["result"], "another run" in refused["message"]) == ("failed", True)
    with lock.held(state_folder(zulip.observe()["paths"]["deployment"]), "ops", 0):
        assert note(BEGUN, "")["result"] == "busy"
    assert note(BEGUN, "")["result"] == "committed"
    assert observe.observe(zulip.observe())["deliveries"] == {}
