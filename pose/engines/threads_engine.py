"""The engine of one machine: threads, since the networks give up the interpreter's lock while they compute."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed

from pose.engines.engine import CORES_PER_RECORDING, Item, OnFrame, Result, Work


class _Stopped(BaseException):
    """Ends work at its next frame, or when it asks. No error: nobody but the engine may catch it."""


class Threads:
    """Works on some recordings at a time, each in a thread."""

    runs_here = True

    def __init__(self, workers: int | None = None) -> None:
        self._workers = workers or max(1, (os.cpu_count() or CORES_PER_RECORDING) // CORES_PER_RECORDING)

    def run(self, work: Work[Item, Result], items: Sequence[Item], on_frame: OnFrame) -> Iterator[Result]:
        """Do all items. Leaving the loop early, or Ctrl-C, ends all work at its next frame.

        Args:
            work: what to do with each. What it raises, this raises, once the rest has stopped.
            items: what to do it with.
            on_frame: called with the frames that were done, from any thread.

        Yields:
            Results as they become ready, in any order.
        """
        stopping = threading.Event()

        def count(frames: int = 1, /) -> None:
            if stopping.is_set():
                raise _Stopped
            if frames:
                on_frame(frames)

        with ThreadPoolExecutor(self._workers, "recording") as pool:
            futures = [pool.submit(work, item, count) for item in items]
            try:
                for future in as_completed(futures):
                    yield future.result()
            finally:
                stopping.set()
                pool.shutdown(cancel_futures=True)
