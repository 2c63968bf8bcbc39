"""Where frames come from: a camera, a clip that plays the camera, or a generated test picture."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from capture.recorder.worker_thread import Worker
from capture.sources.test_pattern import Pattern
from kinesphere.errors import InvalidInput
from storage.footage.video_reader import open_video

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

    from storage.tasks.criteria import Criteria

_AHEAD = 12
"""How many pictures are decoded before their time, so that a slow one does not come late."""


@dataclass(frozen=True)
class CapturedFrame:
    """A picture and the moment it was taken."""

    frame: VideoFrame
    captured_ns: int
    """On the clock of `time.monotonic_ns`."""
    arrived_ns: int = 0
    """When the source handed it over, on the same clock."""
    device_ns: int | None = None
    """The device's own time of it, where the source has a clock of its own."""
    in_use: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)
    """Held by whoever converts or encodes `frame`: PyAV keeps the converter within the picture and writes the
    picture's colours while it converts, so that two threads at once crash the process."""


class Source(Protocol):
    """Something that gives frames in real time. `frames` runs in one thread; `close` may be called from another."""

    name: str
    width: int
    height: int
    frame_rate: float
    """Frames a second that the source means to give."""

    @property
    def lost(self) -> int:
        """Frames that the source itself could not read, so far."""

    def frames(self) -> Iterator[CapturedFrame]:
        """Frames as they are taken, until there are no more.

        Raises:
            InvalidInput: the source failed, for instance because a cable came off.
        """

    def close(self) -> None:
        """Let go of the device or file; `frames` ends soon after."""


def open_source(text: str, criteria: Criteria | None = None) -> Source:
    """Open a source by what a user types: `test`, `file:CLIP`, a camera's id, name or path, or `opencv:NUMBER`.

    A camera is opened in the mode that suits the task's criteria best.

    Raises:
        InvalidInput: there is no such camera or clip, or it cannot be used; the message lists the cameras there are.
        InvalidVideo: the clip cannot be read.
    """
    if text == "test":
        return PatternSource()
    if text.startswith("file:"):
        return FileSource(Path(text.removeprefix("file:")))
    from capture.sources.cameras import OpenCVSource, open_camera

    if text.startswith("opencv:"):
        return OpenCVSource(text.removeprefix("opencv:"))
    return open_camera(text, criteria)


class PacedSource:
    """Base of sources that are not live: each picture is held back until its time has come.

    A picture counts as taken when it was due, as if a camera had exposed it then, or when it was ready, whichever is
    later: a machine too slow to prepare pictures in time shows in the times.
    """

    def __init__(self, name: str, width: int, height: int, frame_rate: float) -> None:
        self.name, self.width, self.height, self.frame_rate = name, width, height, frame_rate
        self.lost = 0
        self._closed = threading.Event()

    def pictures(self) -> Iterator[tuple[VideoFrame, int]]:
        """Each picture and its time in nanoseconds since the first, as fast as they can be made."""
        raise NotImplementedError

    def frames(self) -> Iterator[CapturedFrame]:
        ready: queue.Queue[tuple[VideoFrame, int, int]] = queue.Queue(_AHEAD)
        worker = Worker("pictures", lambda: self._prepare(ready.put))
        worker.start()
        start_ns = None
        try:
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


class FileSource(PacedSource):
    """A clip played at its own pace, upright."""

    def __init__(self, path: Path) -> None:
        self._reader = open_video(path)
        info = self._reader.info
        # the folder may name a person, and names of sources are kept with recordings
        super().__init__(f"file:{path.name}", info.width, info.height, info.frame_rate or 30.0)

    def pictures(self) -> Iterator[tuple[VideoFrame, int]]:
        for shown in self._reader.pictures():
            yield shown.picture, shown.timestamp_ns
        self.lost = len(self._reader.damaged)


class PatternSource(PacedSource):
    """The generated test picture; it ends after `frames_in_total`, or never."""

    def __init__(
        self, width: int = 1280, height: int = 720, frame_rate: float = 30.0, frames_in_total: int | None = None
    ) -> None:
        if min(width, height) < 96 or frame_rate <= 0:
            raise InvalidInput(f"a test picture is at least 96x96 at more than 0 frames/s, not {width}x{height}")
        self._pattern = Pattern(width, height)
        self._frames_in_total = frames_in_total
        super().__init__("test", self._pattern.width, self._pattern.height, frame_rate)

    def pictures(self) -> Iterator[tuple[VideoFrame, int]]:
        number = 0
        while self._frames_in_total is None or number < self._frames_in_total:
            yield self._pattern.frame(number), round(number * 1e9 / self.frame_rate)
            number += 1


def _drain(pictures: queue.Queue[tuple[VideoFrame, int, int]]) -> None:
    try:
        while True:
            pictures.get_nowait()
    except queue.Empty:
        return
