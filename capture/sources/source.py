"""What a source of frames is: a camera, a clip that plays the camera, or a generated test picture."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

    from storage.tasks.criteria import Criteria


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

        Yields:
            Each frame with the moment at which it was taken; moments rise.

        Raises:
            InvalidInput: the source failed, for instance because a cable came off.
        """

    def close(self) -> None:
        """Let go of the device or file; `frames` ends soon after."""


OpenSource = Callable[[str, "Criteria | None"], Source]
"""Opens a source of one kind by what follows `SCHEME:`; the task's criteria say which mode would suit.

It raises `InvalidInput` if there is no such thing, or if it cannot be used.
"""
