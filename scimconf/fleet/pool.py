"""Run work in threads. After Ctrl-C, work in progress finishes and no new work starts."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, contextmanager
from types import FrameType
from typing import TypeVar

_log = logging.getLogger(__name__)

Item = TypeVar("Item")
Result = TypeVar("Result")


class Pool:
    """The threads of one run, at most `forks` at a time."""

    def __init__(self, forks: int) -> None:
        self._forks = max(1, forks)
        self._interrupted = threading.Event()

    @property
    def interrupted(self) -> bool:
        """Whether Ctrl-C was pressed."""
        return self._interrupted.is_set()

    def pause(self, seconds: float) -> bool:
        """Wait; return False if Ctrl-C ended the wait."""
        return not self._interrupted.wait(seconds)

    def interruptible(self) -> AbstractContextManager[None]:
        """Let the first Ctrl-C during `with` only set `interrupted`, also between two steps."""
        return _first_ctrl_c_sets(self._interrupted)

    def each(
        self,
        items: Sequence[Item],
        work: Callable[[Item], Result],
        skipped: Callable[[Item], Result],
    ) -> list[Result]:
        """Call `work` for each item in threads; after Ctrl-C, call `skipped` for the other items.

        A second Ctrl-C raises KeyboardInterrupt at once, while threads may still be running.
        """

        def one(item: Item) -> Result:
            return skipped(item) if self.interrupted else work(item)

        pool = ThreadPoolExecutor(self._forks)
        try:
            with _first_ctrl_c_sets(self._interrupted):
                futures = [pool.submit(one, item) for item in items]
                wait(futures)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
        return [future.result() for future in futures]


@contextmanager
def _first_ctrl_c_sets(interrupted: threading.Event) -> Iterator[None]:
    """Set the event at the first Ctrl-C. The second one raises KeyboardInterrupt as usual."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may handle signals
        return

    def note(number: int, frame: FrameType | None) -> None:
        if interrupted.is_set():
            raise KeyboardInterrupt
        interrupted.set()
        signal.signal(signal.SIGINT, before)
        _log.warning(
            "interrupted: waiting for the servers in progress; press Ctrl-C again to exit at once"
        )

    before = signal.getsignal(signal.SIGINT)  # first, because Ctrl-C may call `note` at once
    signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
