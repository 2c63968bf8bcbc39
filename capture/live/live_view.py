"""The live picture as it is shown to a contributor: small, measured, searched for a person, and what to do about it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from capture.image_measurements import ImageMeasurement, luma, measure_luma
from capture.live.live_source import LiveSource
from capture.sources.source import CapturedFrame
from capture.worker_thread import Worker
from kinesphere.video.upright import RgbConverter

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

VIEW_WIDTH = 640
"""Width of the picture that is measured, shown and searched for a person."""
LOOK_EVERY_SECONDS = 0.25


@dataclass(frozen=True)
class Seen:
    """Who is in view."""

    person: bool
    hands: int


Watch = Callable[[NDArray[np.uint8]], Seen]
"""Looks for a person in a picture, uint8 (height, 640, 3), RGB."""


@dataclass(frozen=True)
class View:
    """What the camera sees now."""

    image: NDArray[np.uint8]
    """uint8 (height, 640, 3), RGB, as the camera sees it (not mirrored)."""
    measured: ImageMeasurement
    seen: Seen | None
    """None where nobody looks for people."""


class Viewer:
    """Looks at a live source a few times a second, in a thread of its own, and never makes it wait."""

    def __init__(self, source: LiveSource, watch: Watch | None = None) -> None:
        self._source = source
        self._watch = watch
        self._view: View | None = None
        self._closed = threading.Event()
        self._worker = Worker("viewer", self._run)
        self._worker.start()

    @property
    def view(self) -> View | None:
        """The last look; None before the first.

        Raises:
            KinesphereError: looking for people failed.
        """
        if not self._worker.is_alive():
            self._worker.raise_error()
        return self._view

    def close(self) -> None:
        """Stop looking."""
        self._closed.set()
        self._worker.join()

    def _run(self) -> None:
        before: CapturedFrame | None = None
        while not self._closed.wait(LOOK_EVERY_SECONDS):
            now = self._source.latest
            if now is None or now is before:
                continue
            before = now
            with now.in_use:
                image = small(now.frame)
            seen = None if self._watch is None else self._watch(image)
            self._view = View(image, measure_luma(luma(image)), seen)


def small(frame: VideoFrame) -> NDArray[np.uint8]:
    """A frame as uint8 (height, 640, 3), RGB, contiguous; a smaller frame keeps its size."""
    width = min(VIEW_WIDTH, frame.width)
    height = max(2, round(frame.height * width / frame.width))
    return np.ascontiguousarray(RgbConverter()(frame, (height, width)))
