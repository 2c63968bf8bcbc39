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
from storage.tasks.task import Criteria

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


def advise(view: View, frame_rate: float, criteria: Criteria) -> tuple[str, ...]:
    """What a check would later doubt in the picture as it is now, most important first; empty when all is well.

    Args:
        view: what the camera sees.
        frame_rate: frames a second that really come; 0 where it is not known yet.
        criteria: the task's.

    Returns:
        Sentences to show.
    """
    measured, seen = view.measured, view.seen
    advice = []
    if seen is not None and not seen.person:
        advice.append("Nobody is in view: step into the picture.")
    elif seen is not None and seen.hands == 0 and criteria.hands_visible_share.doubt > 0:
        advice.append("Your hands are not in view: hold them where the camera sees them.")
    if measured.brightness < criteria.brightness.doubt:
        advice.append("It is dark: turn on a light, or sit facing the window.")
    clipped = measured.clipped_dark + measured.clipped_bright
    if clipped > criteria.clipped_share.doubt and measured.clipped_bright > measured.clipped_dark:
        advice.append("Much of the picture is pure white: turn the camera away from the window or lamp.")
    elif clipped > criteria.clipped_share.doubt:
        advice.append("Much of the picture is pure black: give it more light.")
    if measured.blur > criteria.blur.doubt or measured.sharpness < criteria.sharpness.doubt:
        advice.append("The picture is blurred: wipe the lens, move back a little, or give it more light.")
    if 0 < frame_rate < criteria.frame_rate.doubt:
        advice.append(f"Only {frame_rate:.0f} frames a second come: more light helps, or closing other programs.")
    return tuple(advice)
