"""Automated checks: one criterion each, applied to what was measured while a recording was extracted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from storage.catalog import CheckRecord, Verdict
from storage.recording import State
from storage.task import AtLeast, AtMost, Criteria
from storage.trajectory import Trajectory, Valid

if TYPE_CHECKING:
    from capture.image_measurements import ImageMeasurement, MotionMeasurement
    from storage.video import VideoFrame

SAMPLE_EVERY_NS = 500_000_000
"""Light, sharpness and blur are measured twice a second: they do not change faster than a person can move."""
CLOCK_NS = 100_000
"""Times in a container are this close to those that the recorder told: it counts in 1/90000 s."""
FROZEN_CHANGE = 1.0
"""Levels of luma by which no part of a frozen picture changes: what rounding and encoding it again can do."""


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
        from capture.image_measurements import compare, luma, measure_luma

        now = luma(frame.image)
        if self._before is not None:
            self.motion_times_ns.append(frame.timestamp_ns)
            self.motions.append(compare(self._before, now))
        self._before = now
        if not self.times_ns or frame.timestamp_ns - self.times_ns[-1] >= SAMPLE_EVERY_NS:
            self.times_ns.append(frame.timestamp_ns)
            self.measurements.append(measure_luma(now))


@dataclass(frozen=True)
class _Finding:
    """What a check measured: one value, where it is concerned, and how to say it to a person."""

    value: float
    words: str
    ranges: tuple[tuple[int, int], ...] = ()


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
    pauses_ns: Sequence[tuple[int, int]] = ()
    """From when until when the contributor had paused."""


def run_checks(
    criteria: Criteria,
    trajectory: Trajectory,
    samples: ImageSampler,
    damaged_ns: Sequence[int],
    pauses_ns: Sequence[tuple[int, int]] = (),
) -> list[CheckRecord]:
    """Apply the task's criteria to a trajectory and the footage it was extracted from.

    Returns one record a criterion, in the order of `Criteria`.
    """
    times = trajectory.arrays["timestamp"]
    footage = Footage(times, trajectory.image_width, trajectory.image_height, samples, damaged_ns, pauses_ns)
    return _judged(criteria, _footage_findings(criteria, footage) | _presence_findings(trajectory))


def check_footage(criteria: Criteria, footage: Footage) -> list[CheckRecord]:
    """Apply the criteria that need no trajectory: what can be said of a take right after it was made."""
    return _judged(criteria, _footage_findings(criteria, footage))


def next_state(checks: Sequence[CheckRecord]) -> tuple[State, str]:
    """The state that follows from the checks, and why: a certain failure rejects, a doubt asks for a person."""
    failed = [check.message for check in checks if check.verdict == "fail"]
    doubted = [check.message for check in checks if check.verdict == "doubt"]
    if failed:
        return State.REJECTED, "; ".join(failed)
    if doubted:
        return State.FLAGGED, "; ".join(doubted)
    return State.ACCEPTED, f"all {len(checks)} checks passed"


def _judged(criteria: Criteria, findings: Mapping[str, _Finding]) -> list[CheckRecord]:
    return [_judge(name, getattr(criteria, name), findings[name]) for name in Criteria.model_fields if name in findings]


def _judge(name: str, limit: AtLeast | AtMost, finding: _Finding) -> CheckRecord:
    is_lower_limit = isinstance(limit, AtLeast)

    def beyond(threshold: float) -> bool:
        return finding.value < threshold if is_lower_limit else finding.value > threshold

    verdict: Verdict = "fail" if beyond(limit.fail) else "doubt" if beyond(limit.doubt) else "pass"
    wanted = f"at {'least' if is_lower_limit else 'most'} {limit.doubt:g}"
    message = f"{finding.words} (should be {wanted})" if verdict != "pass" else finding.words
    ranges = finding.ranges if verdict != "pass" else ()
    return CheckRecord(name, float(finding.value), limit.doubt, limit.fail, verdict, message, ranges)


def _footage_findings(criteria: Criteria, footage: Footage) -> dict[str, _Finding]:
    return {
        **_time_findings(criteria, footage),
        **_image_findings(criteria, footage),
        **_motion_findings(criteria, footage.samples),
    }


def _time_findings(criteria: Criteria, footage: Footage) -> dict[str, _Finding]:
    times, damaged_ns = footage.times_ns, footage.damaged_ns
    steps = np.diff(times)
    for start, end in footage.pauses_ns:
        # the frame before a pause is followed by the one that ends it, within what the container's clock rounds
        spans = (times[:-1] <= start + CLOCK_NS) & (times[1:] >= end - CLOCK_NS)
        steps = np.where(spans, np.maximum(steps - (end - start), 0), steps)
    seconds = float(steps.sum()) / 1e9
    rate = float(len(steps)) / seconds if seconds > 0 else 0.0
    longest = float(steps.max()) / 1e9 if len(steps) else 0.0
    gaps = tuple(
        (int(times[at]), int(times[at + 1])) for at in np.flatnonzero(steps > criteria.longest_gap_seconds.doubt * 1e9)
    )
    shorter = min(footage.width, footage.height)
    return {
        "duration_seconds": _Finding(seconds, f"the recording is {seconds:.1f} s long"),
        "frame_rate": _Finding(rate, f"the camera gave {rate:.1f} frames a second"),
        "longest_gap_seconds": _Finding(longest, f"the longest gap between two frames is {longest:.2f} s", gaps),
        "shorter_side_pixels": _Finding(shorter, f"the picture's shorter side has {shorter} pixels"),
        "damaged_frames": _Finding(
            len(damaged_ns),
            _damaged_words(damaged_ns),
            tuple((time, time + 1) for time in damaged_ns),
        ),
    }


def _damaged_words(damaged_ns: Sequence[int]) -> str:
    """How many frames could not be decoded, and when the first and the last were."""
    words = f"{len(damaged_ns)} frames could not be decoded"
    if not damaged_ns:
        return words
    return f"{words}, from {min(damaged_ns) / 1e9:.2f} s to {max(damaged_ns) / 1e9:.2f} s"


def _image_findings(criteria: Criteria, footage: Footage) -> dict[str, _Finding]:
    """Medians over the recording, with the ranges of the samples that are beyond the threshold of doubt."""
    samples = footage.samples
    brightness = np.array([m.brightness for m in samples.measurements])
    clipped = np.array([m.clipped_dark + m.clipped_bright for m in samples.measurements])
    sharpness = np.array([m.sharpness for m in samples.measurements])
    blur = np.array([m.blur for m in samples.measurements])

    starts, end = np.array(samples.times_ns, dtype=np.int64), int(footage.times_ns[-1]) + 1

    def where(bad: NDArray[np.bool_]) -> tuple[tuple[int, int], ...]:
        return _ranges(bad, starts, end)

    light, lost, sharp, soft = (float(np.median(values)) for values in (brightness, clipped, sharpness, blur))
    return {
        "brightness": _Finding(
            light, f"mean brightness is {light:.0f} of 255", where(brightness < criteria.brightness.doubt)
        ),
        "clipped_share": _Finding(
            lost, f"{lost:.0%} of the picture is pure black or white", where(clipped > criteria.clipped_share.doubt)
        ),
        "sharpness": _Finding(sharp, f"sharpness is {sharp:.0f}", where(sharpness < criteria.sharpness.doubt)),
        "blur": _Finding(soft, f"blur is {soft:.2f} of 1", where(blur > criteria.blur.doubt)),
    }


def _motion_findings(criteria: Criteria, samples: ImageSampler) -> dict[str, _Finding]:
    """Frames that repeat the one before, and the picture's motion as a whole."""
    frozen = np.array([m.largest_change <= FROZEN_CHANGE for m in samples.motions])
    shift = np.array([m.shift for m in samples.motions])
    times = np.array(samples.motion_times_ns, dtype=np.int64)
    end = int(times[-1]) + 1 if len(times) else 0
    share = float(frozen.mean()) if len(frozen) else 0.0
    shake = float(np.sqrt(np.mean(shift**2))) if len(shift) else 0.0
    return {
        "frozen_share": _Finding(
            share, f"{share:.0%} of the frames repeat the one before", _ranges(frozen, times, end)
        ),
        "camera_shake": _Finding(
            shake,
            f"the picture as a whole moves by {shake:.3f} of its width from frame to frame",
            _ranges(shift > criteria.camera_shake.doubt, times, end),
        ),
    }


def _presence_findings(trajectory: Trajectory) -> dict[str, _Finding]:
    valid = trajectory.arrays["valid"]
    hands = (valid & (Valid.LEFT_HAND | Valid.RIGHT_HAND)) > 0
    person = hands | ((valid & Valid.BODY) > 0)
    times = trajectory.arrays["timestamp"]
    end = int(times[-1]) + 1
    person_share, hands_share = float(person.mean()), float(hands.mean())
    return {
        "person_visible_share": _Finding(
            person_share, f"a person is found in {person_share:.0%} of the frames", _ranges(~person, times, end)
        ),
        "hands_visible_share": _Finding(
            hands_share, f"a hand is found in {hands_share:.0%} of the frames", _ranges(~hands, times, end)
        ),
    }


def _ranges(bad: NDArray[np.bool_], starts_ns: NDArray[np.int64], end_ns: int) -> tuple[tuple[int, int], ...]:
    """The half-open time ranges covered by runs of bad items, each of which lasts until the next one starts."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], bad, [False])).astype(np.int8)))
    bounds = np.append(starts_ns, end_ns)
    return tuple((int(bounds[first]), int(bounds[after])) for first, after in edges.reshape(-1, 2))
