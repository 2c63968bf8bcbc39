"""Automated checks: one criterion each, applied to what was measured while a recording was extracted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from storage.catalog import CheckRecord, Verdict
from storage.recording import State
from storage.task import AtLeast, AtMost, Criteria
from storage.trajectory import Trajectory, Valid

if TYPE_CHECKING:
    from capture.image_measurements import ImageMeasurement
    from storage.video import VideoFrame

SAMPLE_EVERY_NS = 500_000_000
"""Image measurements are taken twice a second: light and focus do not change faster than a person can move."""


@dataclass
class ImageSampler:
    """Measures two frames a second of a video as it passes by. Give it every frame, in order."""

    times_ns: list[int] = field(default_factory=list)
    measurements: list[ImageMeasurement] = field(default_factory=list)

    def __call__(self, frame: VideoFrame) -> None:
        """Look at one frame."""
        from capture.image_measurements import measure

        if not self.times_ns or frame.timestamp_ns - self.times_ns[-1] >= SAMPLE_EVERY_NS:
            self.times_ns.append(frame.timestamp_ns)
            self.measurements.append(measure(frame.image))


@dataclass(frozen=True)
class _Finding:
    """What a check measured: one value, where it is concerned, and how to say it to a person."""

    value: float
    words: str
    ranges: tuple[tuple[int, int], ...] = ()


def run_checks(
    criteria: Criteria, trajectory: Trajectory, samples: ImageSampler, damaged_ns: Sequence[int]
) -> list[CheckRecord]:
    """Apply the task's criteria.

    `samples` has watched the same frames that `trajectory` was extracted from; `damaged_ns` are the times of
    frames that could not be decoded. Returns one record a criterion, in the order of `Criteria`.
    """
    findings = {
        **_time_findings(criteria, trajectory, damaged_ns),
        **_image_findings(criteria, samples, trajectory),
        **_presence_findings(trajectory),
    }
    return [_judge(name, getattr(criteria, name), findings[name]) for name in Criteria.model_fields]


def next_state(checks: Sequence[CheckRecord]) -> tuple[State, str]:
    """The state that follows from the checks, and why: a certain failure rejects, a doubt asks for a person."""
    failed = [check.message for check in checks if check.verdict == "fail"]
    doubted = [check.message for check in checks if check.verdict == "doubt"]
    if failed:
        return State.REJECTED, "; ".join(failed)
    if doubted:
        return State.FLAGGED, "; ".join(doubted)
    return State.ACCEPTED, f"all {len(checks)} checks passed"


def _judge(name: str, limit: AtLeast | AtMost, finding: _Finding) -> CheckRecord:
    is_lower_limit = isinstance(limit, AtLeast)

    def beyond(threshold: float) -> bool:
        return finding.value < threshold if is_lower_limit else finding.value > threshold

    verdict: Verdict = "fail" if beyond(limit.fail) else "doubt" if beyond(limit.doubt) else "pass"
    wanted = f"at {'least' if is_lower_limit else 'most'} {limit.doubt:g}"
    message = f"{finding.words} (should be {wanted})" if verdict != "pass" else finding.words
    ranges = finding.ranges if verdict != "pass" else ()
    return CheckRecord(name, float(finding.value), limit.doubt, limit.fail, verdict, message, ranges)


def _time_findings(criteria: Criteria, trajectory: Trajectory, damaged_ns: Sequence[int]) -> dict[str, _Finding]:
    times = trajectory.arrays["timestamp"]
    seconds = float(times[-1] - times[0]) / 1e9
    steps = np.diff(times)
    rate = float(len(steps)) / seconds if seconds > 0 else 0.0
    longest = float(steps.max()) / 1e9 if len(steps) else 0.0
    gaps = tuple(
        (int(times[at]), int(times[at + 1])) for at in np.flatnonzero(steps > criteria.longest_gap_seconds.doubt * 1e9)
    )
    shorter = min(trajectory.image_width, trajectory.image_height)
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


def _image_findings(criteria: Criteria, samples: ImageSampler, trajectory: Trajectory) -> dict[str, _Finding]:
    """Medians over the recording, with the ranges of the samples that are beyond the threshold of doubt."""
    brightness = np.array([m.brightness for m in samples.measurements])
    clipped = np.array([m.clipped_dark + m.clipped_bright for m in samples.measurements])
    sharpness = np.array([m.sharpness for m in samples.measurements])

    starts, end = np.array(samples.times_ns, dtype=np.int64), int(trajectory.arrays["timestamp"][-1]) + 1

    def where(bad: NDArray[np.bool_]) -> tuple[tuple[int, int], ...]:
        return _ranges(bad, starts, end)

    light, lost, sharp = (float(np.median(values)) for values in (brightness, clipped, sharpness))
    return {
        "brightness": _Finding(
            light, f"mean brightness is {light:.0f} of 255", where(brightness < criteria.brightness.doubt)
        ),
        "clipped_share": _Finding(
            lost, f"{lost:.0%} of the picture is pure black or white", where(clipped > criteria.clipped_share.doubt)
        ),
        "sharpness": _Finding(sharp, f"sharpness is {sharp:.0f}", where(sharpness < criteria.sharpness.doubt)),
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
