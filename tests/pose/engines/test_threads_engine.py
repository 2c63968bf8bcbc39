"""The engine of one machine: every item once, errors told, work stopped. Ray is tested in `tests/e2e`."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from pose.engines.threads_engine import Threads


def test_threads_do_every_item_once_and_count_its_frames() -> None:
    counted = []

    def work(item: int, on_frame: Callable[[], None]) -> int:
        for _ in range(item):
            on_frame()
        return item * item

    results = list(Threads(3).run(work, range(10), lambda frames=1: counted.append(frames)))
    assert sorted(results) == [item * item for item in range(10)]
    assert counted == [1] * sum(range(10))


def test_an_error_in_one_item_stops_the_others_at_their_next_frame() -> None:
    frames = []

    def work(item: int, on_frame: Callable[[], None]) -> None:
        if item == 0:
            time.sleep(0.2)
            raise ValueError("a bug")
        while True:
            time.sleep(0.01)
            frames.append(item)
            on_frame()

    with pytest.raises(ValueError, match="a bug"):
        list(Threads(2).run(work, [0, 1], lambda _frames=1: None))
    assert threading.active_count() == 1 or all("recording" not in thread.name for thread in threading.enumerate())
    assert frames


def test_leaving_the_loop_early_stops_the_work() -> None:
    began = []

    def work(item: int, on_frame: Callable[[], None]) -> int:
        began.append(item)
        for _ in range(item * 1000):
            time.sleep(0.01)
            on_frame()
        return item

    results: Iterator[int] = iter(Threads(2).run(work, range(20), lambda _frames=1: None))
    assert next(results) == 0
    results.close()  # type: ignore[attr-defined]  # a generator
    assert len(began) < 5
