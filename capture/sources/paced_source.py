"""Base of sources that are not live: pictures that exist already, or are made, come as a camera would give them."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from capture.sources.source import CapturedFrame
from capture.worker_thread import Worker

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

_AHEAD = 12
"""How many pictures are decoded before their time, so that a slow one does not come late."""


class PacedSource:
    """Base of sources that are not live: each picture is held back until its time has come.

    A picture counts as taken when it was due, as if a camera had exposed it then, or when it was ready, whichever is
    later: a machine too slow to prepare pictures in time shows in the times.
    """

    def __init__(self, name: str, width: int, height: int, frame_rate: float, *, ready_first: int = 0) -> None:
        """Say what the source gives.

        Args:
            name: what the contributor called it.
            width: of its pictures, in pixels.
            height: of its pictures, in pixels.
            frame_rate: frames a second that it means to give.
            ready_first: so many pictures are ready before the first one counts as taken.
        """
        self._ready_first = ready_first
        self.name, self.width, self.height, self.frame_rate = name, width, height, frame_rate
        self.lost = 0
        self._closed = threading.Event()

    def pictures(self) -> Iterator[tuple[VideoFrame, int]]:
        """Each picture and its time in nanoseconds since the first, as fast as they can be made."""
        raise NotImplementedError

    def frames(self) -> Iterator[CapturedFrame]:
        ready: queue.Queue[tuple[VideoFrame, int, int]] = queue.Queue(max(_AHEAD, self._ready_first))
        worker = Worker("pictures", lambda: self._prepare(ready.put))
        worker.start()
        start_ns = None
        try:
            while ready.qsize() < self._ready_first and worker.is_alive() and not self._closed.wait(0.005):
                pass
            while not self._closed.is_set():
                try:
                    frame, timestamp_ns, ready_ns = ready.get(timeout=0.05)
                except queue.Empty:
                    if worker.is_alive() or not ready.empty():
                        continue
                    break
                if start_ns is None:
                    start_ns = time.monotonic_ns() - timestamp_ns
                due_ns = start_ns + timestamp_ns
                if self._closed.wait(max(0, due_ns - time.monotonic_ns()) / 1e9):
                    break
                yield CapturedFrame(frame, max(due_ns, ready_ns))
        finally:
            self._closed.set()
            while worker.is_alive():
                _drain(ready)
                worker.join(0.01)
        worker.raise_error()

    def close(self) -> None:
        self._closed.set()

    def _prepare(self, hand_over: Callable[[tuple[VideoFrame, int, int]], None]) -> None:
        for frame, timestamp_ns in self.pictures():
            if self._closed.is_set():
                return
            hand_over((frame, timestamp_ns, time.monotonic_ns()))


def _drain(pictures: queue.Queue[tuple[VideoFrame, int, int]]) -> None:
    try:
        while True:
            pictures.get_nowait()
    except queue.Empty:
        return
