"""Checks of the footage itself: its length and timing, its picture, its motion."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from annotate.checks.evidence import Evidence
from annotate.checks.findings import Check, Finding, ranges_of
from capture.image_measurements import ImageMeasurement
from storage.tasks.criteria import AtLeast, AtMost, Limit

FROZEN_CHANGE = 1.0
"""Levels of luma by which no part of a frozen picture changes: what rounding and encoding it again can do."""


def _duration(evidence: Evidence, limit: Limit) -> Finding:
    seconds = _seconds(evidence)
    return Finding(seconds, f"the recording is {seconds:.1f} s long")


def _length_mismatch(evidence: Evidence, limit: Limit) -> Finding | None:
    """All lengths run to the last frame's end, which decoding alone does not know: it is taken to last as others do."""
    footage = evidence.footage
    if not footage.lengths_ns:
        return None
    last = int(np.median(footage.steps_ns)) if len(footage.steps_ns) else 0
    times = [
        0,
        int(footage.times_ns[-1]),
        *footage.damaged_ns,
    ]  # frames before the first that decodes have times below 0
    seconds = (max(times) - min(times) + last) / 1e9
    who, told = max(footage.lengths_ns.items(), key=lambda item: abs(item[1] / 1e9 - seconds))
    words = f"the frames last {seconds:.1f} s, and {who} says {told / 1e9:.1f} s"
    return Finding(abs(told / 1e9 - seconds), words, ((0, footage.end_ns),))


def _frame_rate(evidence: Evidence, limit: Limit) -> Finding:
    seconds = _seconds(evidence)
    rate = len(evidence.footage.steps_ns) / seconds if seconds > 0 else 0.0
    return Finding(rate, f"the camera gave {rate:.1f} frames a second")


def _seconds(evidence: Evidence) -> float:
    return float(evidence.footage.steps_ns.sum()) / 1e9


def _longest_gap(evidence: Evidence, limit: Limit) -> Finding:
    times, steps = evidence.footage.times_ns, evidence.footage.steps_ns
    longest = float(steps.max()) / 1e9 if len(steps) else 0.0
    gaps = np.flatnonzero(steps > limit.doubt * 1e9)
    ranges = tuple((int(times[at]), int(times[at + 1])) for at in gaps)
    return Finding(longest, f"the longest gap between two frames is {longest:.2f} s", ranges)


def _shorter_side(evidence: Evidence, limit: Limit) -> Finding:
    shorter = min(evidence.footage.width, evidence.footage.height)
    return Finding(shorter, f"the picture's shorter side has {shorter} pixels")


def _damaged(evidence: Evidence, limit: Limit) -> Finding:
    damaged = evidence.footage.damaged_ns
    words = f"{len(damaged)} frames could not be decoded"
    if damaged:
        words += f", from {min(damaged) / 1e9:.2f} s to {max(damaged) / 1e9:.2f} s"
    return Finding(len(damaged), words, tuple((time, time + 1) for time in damaged))


def _dropped(evidence: Evidence, limit: Limit) -> Finding:
    origin = evidence.footage.origin
    share = origin.dropped_frames / (origin.dropped_frames + len(evidence.footage.times_ns))
    words = f"{origin.dropped_frames} frames ({share:.1%}) were lost, because the computer was busy"
    return Finding(share, words if origin.dropped_frames else "no frame was lost", _moments(origin.dropped_at_ns))


def _late(evidence: Evidence, limit: Limit) -> Finding:
    origin = evidence.footage.origin
    share = min(origin.late_frames / len(evidence.footage.times_ns), 1.0)
    words = f"{origin.late_frames} frames ({share:.1%}) came late from the camera"
    return Finding(share, words if origin.late_frames else "no frame came late", _moments(origin.late_at_ns))


def _moments(times_ns: Sequence[int]) -> tuple[tuple[int, int], ...]:
    return tuple((time, time + 1) for time in times_ns)


def _median(
    evidence: Evidence, measured: Callable[[ImageMeasurement], float], is_bad: Callable[[NDArray[np.float64]], object]
) -> tuple[float, tuple[tuple[int, int], ...]]:
    """The median over the recording, and the ranges of the samples that are beyond the threshold of doubt."""
    samples = evidence.footage.samples
    values = np.array([measured(sample) for sample in samples.measurements])
    starts = np.array(samples.times_ns, dtype=np.int64)
    return float(np.median(values)), ranges_of(np.asarray(is_bad(values), np.bool_), starts, evidence.footage.end_ns)


def _brightness(evidence: Evidence, limit: Limit) -> Finding:
    light, ranges = _median(evidence, lambda sample: sample.brightness, lambda values: values < limit.doubt)
    return Finding(light, f"mean brightness is {light:.0f} of 255", ranges)


def _clipped(evidence: Evidence, limit: Limit) -> Finding:
    lost, ranges = _median(
        evidence, lambda sample: sample.clipped_dark + sample.clipped_bright, lambda values: values > limit.doubt
    )
    return Finding(lost, f"{lost:.0%} of the picture is pure black or white", ranges)


def _sharpness(evidence: Evidence, limit: Limit) -> Finding:
    sharp, ranges = _median(evidence, lambda sample: sample.sharpness, lambda values: values < limit.doubt)
    return Finding(sharp, f"sharpness is {sharp:.0f}", ranges)


def _blur(evidence: Evidence, limit: Limit) -> Finding:
    soft, ranges = _median(evidence, lambda sample: sample.blur, lambda values: values > limit.doubt)
    return Finding(soft, f"blur is {soft:.2f} of 1", ranges)


def _frozen(evidence: Evidence, limit: Limit) -> Finding:
    frozen = np.array([motion.largest_change <= FROZEN_CHANGE for motion in evidence.footage.samples.motions], np.bool_)
    share = float(frozen.mean()) if len(frozen) else 0.0
    return Finding(share, f"{share:.0%} of the frames repeat the one before", _moving_ranges(evidence, frozen))


def _shake(evidence: Evidence, limit: Limit) -> Finding:
    shift = np.array([motion.shift for motion in evidence.footage.samples.motions])
    shake = float(np.sqrt(np.mean(shift**2))) if len(shift) else 0.0
    words = f"the picture as a whole moves by {shake:.3f} of its width from frame to frame"
    return Finding(shake, words, _moving_ranges(evidence, shift > limit.doubt))


def _moving_ranges(evidence: Evidence, bad: NDArray[np.bool_]) -> tuple[tuple[int, int], ...]:
    times = np.array(evidence.footage.samples.motion_times_ns, dtype=np.int64)
    return ranges_of(bad, times, int(times[-1]) + 1) if len(times) else ()


FOOTAGE_CHECKS = (
    Check("duration_seconds", AtLeast, _duration, "time from the first frame to the last, pauses left out",
          "record for longer"),
    Check("length_mismatch_seconds", AtMost, _length_mismatch,
          "largest difference between the time that the frames last, pauses included, and the length that the "
          "container, or the recording's description, states", "record it again, or import the original file"),
    Check("frame_rate", AtLeast, _frame_rate, "frames over time, pauses left out",
          "more light helps, or closing other programs"),
    Check("shorter_side_pixels", AtLeast, _shorter_side, "width or height of the upright picture, whichever is less",
          "choose a larger picture"),
    Check("longest_gap_seconds", AtMost, _longest_gap, "longest time between two frames, pauses left out",
          "close other programs"),
    Check("damaged_frames", AtMost, _damaged,
          "frames of the container that cannot be decoded, with those made from them", "send the original file"),
    Check("dropped_share", AtMost, _dropped,
          "frames lost while recording, by the recorder's own count, over all that the camera gave; 0 for imports",
          "close other programs, or record a smaller picture"),
    Check("late_share", AtMost, _late,
          "frames that came 1.5 frame intervals after the one before, or more, by the recorder's own count, over all; "
          "0 for imports", "more light helps, or another USB port"),
    Check("brightness", AtLeast, _brightness,
          "mean luma (ITU-R BT.601) of a picture, twice a second; the median over time",
          "turn on a light, or sit facing the window"),
    Check("clipped_share", AtMost, _clipped,
          "pixels whose luma is at most 5 or at least 250, twice a second; the median over time",
          "turn the camera away from windows and lamps, or give a dark room more light"),
    Check("sharpness", AtLeast, _sharpness,
          "variance of the Laplacian (Pech-Pacheco et al. 2000) at 640 pixels of width, twice a second; the median "
          "over time", "wipe the lens, or move back a little"),
    Check("blur", AtMost, _blur,
          "no-reference blur (Crété-Roffet et al. 2007) in the worse direction, so of focus or motion, twice a second; "
          "the median over time", "wipe the lens, move back a little, or give it more light"),
    Check("frozen_share", AtMost, _frozen,
          "frames in which no square of 4x4 measured pixels changes by more than 1 level of luma",
          "close other programs that use the camera"),
    Check("camera_shake", AtMost, _shake,
          "how far the whole picture moves from frame to frame (phase correlation, Kuglin and Hines 1975), "
          "root mean square", "put the camera on something firm"),
)  # fmt: skip
