"""A source that runs before, between and during takes, so that a person can be shown and advised all the while."""

from __future__ import annotations

import queue
import time
from collections import deque
from collections.abc import Iterator

from capture.sources.source import CapturedFrame, Source
from capture.worker_thread import Worker

_RATE_SECONDS = 2.0
"""The real frame rate is that of the last two seconds."""


class LiveSource:
    """Runs a source in a thread of its own; whoever iterates `frames` gets those that come from then on.

    A take that begins and ends does not stop the camera. Frames are handed on as they are: nothing here waits for a
    recorder or an adviser.
    """

    def __init__(self, source: Source) -> None:
        import av.error  # noqa: F401  (two threads that import it first, at the same time, both fail)

        self.name, self.width, self.height, self.frame_rate = (
            source.name,
            source.width,
            source.height,
            source.frame_rate,
        )
        self._source = source
        self._latest: CapturedFrame | None = None
        self._times_ns: deque[int] = deque(maxlen=round(_RATE_SECONDS * 240))
        self._subscribers: set[queue.SimpleQueue[CapturedFrame]] = set()
        self._worker = Worker("camera", self._run)
        self._worker.start()

    @property
    def lost(self) -> int:
        """Frames that the source itself could not read, so far."""
        return self._source.lost

    @property
    def latest(self) -> CapturedFrame | None:
        """The last frame that came, or None before the first."""
        return self._latest

    @property
    def has_ended(self) -> bool:
        """Whether no more frames will come."""
        return not self._worker.is_alive()

    @property
    def real_frame_rate(self) -> float:
        """Frames a second over the last two seconds; 0 before there are two frames."""
        times = [moment for moment in self._times_ns.copy() if moment > time.monotonic_ns() - _RATE_SECONDS * 1e9]
        return (len(times) - 1) * 1e9 / (times[-1] - times[0]) if len(times) > 1 else 0.0

    def frames(self) -> Iterator[CapturedFrame]:
        """The frames that come from this call on, until the source ends.

        Returns:
            The frames, as they come; each caller gets all of them.

        Raises:
            InvalidInput: the source failed.
        """
        frames: queue.SimpleQueue[CapturedFrame] = queue.SimpleQueue()
        self._subscribers.add(frames)
        return self._until_end(frames)

    def _until_end(self, frames: queue.SimpleQueue[CapturedFrame]) -> Iterator[CapturedFrame]:
        try:
            while True:
                try:
                    yield frames.get(timeout=0.05)
                except queue.Empty:
                    if self.has_ended and frames.empty():
                        break
        finally:
            self._subscribers.discard(frames)
        self._worker.raise_error()

    def raise_error(self) -> None:
        """Raise the error that ended the source, if one did."""
        self._worker.raise_error()

    def close(self) -> None:
        """Let go of the source."""
        self._source.close()
        self._worker.join(timeout=3)

    def _run(self) -> None:
        for captured in self._source.frames():
            self._latest = captured
            self._times_ns.append(captured.captured_ns)
            for subscriber in self._subscribers.copy():
                subscriber.put(captured)
