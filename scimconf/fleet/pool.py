"""Work in threads that Ctrl-C does not tear: what is under way ends, nothing new is begun."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from types import FrameType
from typing import TypeVar

_log = logging.getLogger(__name__)

Item = TypeVar("Item")
Result = TypeVar("Result")


class Pool:
    """One run's threads, at most `forks` at a time. After Ctrl-C it begins nothing any more."""

    def __init__(self, forks: int) -> None:
        self._forks = max(1, forks)
        self._interrupted = threading.Event()

    @property
    def interrupted(self) -> bool:
        """Whether somebody pressed Ctrl-C."""
        return self._interrupted.is_set()

    def pause(self, seconds: float) -> bool:
        """Wait so long; gives whether to go on: Ctrl-C ends the wait, and the answer is no."""
        return not self._interrupted.wait(seconds)

    def each(
        self,
        items: Sequence[Item],
        work: Callable[[Item], Result],
        skipped: Callable[[Item], Result],
    ) -> list[Result]:
        """Do `work` on each item in threads; after Ctrl-C what has not begun is `skipped`.

        A second Ctrl-C raises KeyboardInterrupt at once; threads may still be at work then.
        """

        def one(item: Item) -> Result:
            return skipped(item) if self.interrupted else work(item)

        pool = ThreadPoolExecutor(self._forks)
        try:
            with _noting_ctrl_c(self._interrupted):
                futures = [pool.submit(one, item) for item in items]
                wait(futures)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
        return [future.result() for future in futures]


@contextmanager
def _noting_ctrl_c(interrupted: threading.Event) -> Iterator[None]:
    """Turn the first Ctrl-C into the event; the second is a KeyboardInterrupt as usual."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may handle signals
        return

    def note(number: int, frame: FrameType | None) -> None:
        interrupted.set()
        signal.signal(signal.SIGINT, before)
        _log.warning("interrupted: no new server is begun, those under way finish; again: at once")

    before = signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
