from __future__ import annotations

import signal
from typing import Any

import pytest

from scimconf.fleet.pool import Pool


def test_ctrl_c_counts_from_the_moment_that_it_is_handled(monkeypatch: pytest.MonkeyPatch) -> None:
    pool, install = Pool(1), signal.signal

    def pressed_at_once(number: int, handler: Any) -> Any:
        before = install(number, handler)
        if not pool.interrupted and handler is not signal.default_int_handler:
            signal.raise_signal(signal.SIGINT)
        return before

    monkeypatch.setattr("scimconf.fleet.pool.signal.signal", pressed_at_once)
    done = pool.each([1, 2], lambda item: f"did {item}", lambda item: f"left out {item}")
    assert (done, pool.interrupted) == (["left out 1", "left out 2"], True)
