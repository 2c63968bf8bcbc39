"""Frames between the thread that takes them and the one that encodes, bounded in time and in memory."""

from __future__ import annotations

import threading
from collections import deque

from capture.sources.source import CapturedFrame, Source

_SECONDS = 4
_BYTES = 256 * 2**20


class FrameQueue:
    """Frames between the thread that takes them and the one that encodes; full means that a frame is refused."""

    def __init__(self, source: Source) -> None:
        in_memory = _BYTES // (source.width * source.height * 3 // 2)
        self._limit = max(4, min(round(_SECONDS * source.frame_rate), in_memory))
        self._frames: deque[CapturedFrame] = deque()
        self._changed = threading.Condition()
        self._closed = False

    def __len__(self) -> int:
        return len(self._frames)

    def put(self, captured: CapturedFrame) -> bool:
        """Add a frame without waiting; False when there is no room for it."""
        with self._changed:
            if self._closed or len(self._frames) >= self._limit:
                return False
            self._frames.append(captured)
            self._changed.notify()
            return True

    def get(self) -> CapturedFrame | None:
        """The next frame, as soon as there is one; None once the queue is closed and empty."""
        with self._changed:
            while not self._frames and not self._closed:
                self._changed.wait()
            return self._frames.popleft() if self._frames else None

    def close(self) -> None:
        """Take no more frames."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
