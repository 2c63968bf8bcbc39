"""What checks judge by: the footage as it was measured, the trajectory, and what is written of the recording."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kinesphere.trajectory import Valid
from pose.landmarks import BODY_HIPS, BODY_SHOULDERS, BODY_WRISTS, KNUCKLES, WRIST
from storage.recordings.recording import Origin

if TYPE_CHECKING:
    from capture.image_measurements import ImageMeasurement, MotionMeasurement
    from kinesphere.trajectory import Trajectory
    from pose.extractors.extractor import ExtractionReport
    from storage.footage.video_reader import VideoFrame
    from storage.recordings.recording import RecordingFile
    from storage.tasks.task import Task

SAMPLE_EVERY_NS = 500_000_000
"""Light, sharpness and blur are measured twice a second: they do not change faster than a person can move."""
CLOCK_NS = 100_000
"""Times in a container are this close to those that the recorder told: it counts in 1/90000 s."""
SEEN = 0.5
"""Visibility from which a landmark counts as seen."""
WIDEST = 0.9
"""Sizes are taken at this quantile over time: who turns aside or bends looks smaller and is not farther away."""
SHOULDERS_A_TRUNK = 0.7
"""From shoulder joint to shoulder joint, over from their middle to the hips': 0.34 m and 0.48 m in the networks' model
human."""
PALMS_A_SHOULDER_WIDTH = 4.0
"""From wrist to middle knuckle it is a quarter of the way from shoulder joint to shoulder joint, about 9 of 35 cm."""


@dataclass
class ImageSampler:
    """Measures a video as it passes by: its motion in every frame, its light twice a second. Give it all, in order."""

    times_ns: list[int] = field(default_factory=list)
    """When `measurements` were taken."""
    measurements: list[ImageMeasurement] = field(default_factory=list)
    motion_times_ns: list[int] = field(default_factory=list)
    """When `motions` ended: the time of the later frame."""
    motions: list[MotionMeasurement] = field(default_factory=list)
    _before: NDArray[np.uint8] | None = None

    def __call__(self, frame: VideoFrame) -> None:
        """Look at one frame."""
        from capture.image_measurements import coarse, compare, measure

        now = coarse(frame.image)
        if self._before is not None:
            self.motion_times_ns.append(frame.timestamp_ns)
            self.motions.append(compare(self._before, now))
        self._before = now
        if not self.times_ns or frame.timestamp_ns - self.times_ns[-1] >= SAMPLE_EVERY_NS:
            self.times_ns.append(frame.timestamp_ns)
            self.measurements.append(measure(frame.image))


@dataclass(frozen=True)
class Footage:
    """What is known of a video without looking for people in it."""

    times_ns: NDArray[np.int64]
    """(frames,): when each was taken, since the first."""
    width: int
    height: int
    samples: ImageSampler
    """Has watched the same frames."""
    damaged_ns: Sequence[int] = ()
    """When frames were that could not be decoded."""
    origin: Origin = field(default_factory=lambda: Origin(kind="import"))
    """Where it came from: pauses, and what was lost on the way."""
    lengths_ns: Mapping[str, int] = field(default_factory=dict)
    """How long the video is, pauses included, by the word of others: who says so, and what."""

    @cached_property
    def steps_ns(self) -> NDArray[np.int64]:
        """(frames - 1,): from each frame to the next, pauses left out."""
        times, steps = self.times_ns, np.diff(self.times_ns)
        for start, end in self.origin.pauses_ns:
            # the frame before a pause is followed by the one that ends it, within what the container's clock rounds
            spans = (times[:-1] <= start + CLOCK_NS) & (times[1:] >= end - CLOCK_NS)
            steps = np.where(spans, np.maximum(steps - (end - start), 0), steps)
        return steps

    @property
    def end_ns(self) -> int:
        """Just after the last frame was taken."""
        return int(self.times_ns[-1]) + 1


@dataclass(frozen=True)
class LiveView:
    """What a camera sees before a take, or during it."""

    measured: ImageMeasurement
    frame_rate: float = 0.0
    """Frames a second that really come; 0 where it is not known yet."""
    person: bool | None = None
    """Whether somebody is in view; None where nobody looks for people."""
    hands: int | None = None
    """How many hands are, likewise."""


@dataclass(frozen=True)
class Wrists:
    """The wrists in the picture, by whichever network saw them more often, in shoulder widths of the contributor."""

    tracks: NDArray[np.float64]
    """(frames, 2, 2): left and right, x right and y down, from the trajectory; NaN where not found."""
    raw: NDArray[np.float64]
    """The same as the networks gave it, or `tracks` where that is not known."""


class NotMeasurable(Exception):
    """The evidence lacks what a check measures; the text says what."""


@dataclass(frozen=True)
class Evidence:
    """All that a check may look at. What is None is not known: right after a take there is nothing but footage."""

    footage: Footage
    trajectory: Trajectory | None = None
    """Its `arrays` are what its `specs` say; which there are depends on the extractor, see `array`."""
    report: ExtractionReport | None = None
    """What the extraction saw besides."""
    recording: RecordingFile | None = None
    """The recording's description, with its consent and its origin."""
    task: Task | None = None
    """The task, in the version that the recording was made under."""
    task_version: int = 0

    @cached_property
    def shoulder_widths(self) -> NDArray[np.float64]:
        """(frames,): how wide the contributor's shoulders would be if they faced the camera, in picture widths.

        As wide as they look, or as the trunk's length says, where the hips are seen: who turns aside keeps that. NaN
        without a body; needs a trajectory.
        """
        places = self.upright("body_image")
        shoulders, hips = places[:, list(BODY_SHOULDERS)], places[:, list(BODY_HIPS)]
        trunk = np.hypot(*(shoulders.mean(axis=1) - hips.mean(axis=1)).T)
        is_seen = (self.array("body_visibility")[:, BODY_HIPS] >= SEEN).all(axis=1)
        by_trunk = np.where(is_seen, SHOULDERS_A_TRUNK * trunk, 0.0)
        return np.asarray(np.maximum(np.hypot(*(shoulders[:, 0] - shoulders[:, 1]).T), by_trunk), np.float64)

    @cached_property
    def shoulder_width(self) -> float | None:
        """The contributor's size in the picture: the 90th percentile of `shoulder_widths`.

        None where there is no trajectory or no body in it.
        """
        return None if self.trajectory is None else _widest(self.shoulder_widths)

    @cached_property
    def wrists(self) -> Wrists | None:
        """None where no wrist was ever found, or nothing tells its scale."""
        if self.trajectory is None:
            return None
        by_hand = self.in_view(Valid.LEFT_HAND | Valid.RIGHT_HAND)
        if self.in_view(Valid.BODY).sum() >= by_hand.sum():
            which, size, tracks = 0, self.shoulder_width, self.upright("body_image")[:, list(BODY_WRISTS)]
        else:
            which, size, tracks = 1, self._palms, self.upright("hands_image")[:, :, WRIST]
        if not size:
            return None
        raw = tracks
        if self.report is not None and len(self.report.raw_wrists) == len(tracks):
            raw = self._scaled(self.report.raw_wrists[:, which])
        return Wrists(tracks / size, raw / size)

    def array(self, name: str) -> NDArray[Any]:
        """An array of the trajectory; needs one.

        Args:
            name: of the array, such as "body_image".

        Returns:
            `(frames, ...)`, in units.

        Raises:
            NotMeasurable: the extractor gives no such array. The check that asks for it need not catch this.
        """
        assert self.trajectory is not None
        if name not in self.trajectory.arrays:
            raise NotMeasurable(f"extractor '{self.trajectory.extractor.name}' gives no array '{name}'")
        return self.trajectory.arrays[name]

    def in_view(self, flags: Valid) -> NDArray[np.bool_]:
        """Where any of these parts was found; needs a trajectory.

        Args:
            flags: parts of the contributor.

        Returns:
            bool (frames,).
        """
        return np.asarray((self.array("valid") & flags) > 0)

    def upright(self, name: str) -> NDArray[np.float64]:
        """Landmarks in the picture, x and y both in picture widths; needs a trajectory.

        Args:
            name: of the array, such as "body_image".

        Returns:
            float64 (frames, ..., 2), NaN where missing.
        """
        return self._scaled(self.array(name)[..., :2])

    def _scaled(self, places: NDArray[np.float32]) -> NDArray[np.float64]:
        return np.asarray(places * np.array([1.0, self.footage.height / self.footage.width]), np.float64)

    @property
    def _palms(self) -> float | None:
        hands = self.upright("hands_image")
        lengths = np.hypot(*np.moveaxis(hands[:, :, KNUCKLES[1]] - hands[:, :, WRIST], -1, 0))
        widest = _widest(lengths)
        return None if widest is None else PALMS_A_SHOULDER_WIDTH * widest


def _widest(lengths: NDArray[np.float64]) -> float | None:
    known = lengths[np.isfinite(lengths)]
    return float(np.quantile(known, WIDEST)) if len(known) else None
