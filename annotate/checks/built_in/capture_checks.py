"""Checks of the capture itself: how long it is, how large its picture is, and which frames are missing or late."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from annotate.checks.evidence import Evidence, LiveView
from annotate.checks.findings import Check, Finding
from annotate.checks.limits import Limit, Unit


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
    source, stated_ns = max(footage.lengths_ns.items(), key=lambda item: abs(item[1] / 1e9 - seconds))
    words = f"the frames last {seconds:.1f} s, and {source} says {stated_ns / 1e9:.1f} s"
    return Finding(abs(stated_ns / 1e9 - seconds), words, ((0, footage.end_ns),))


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


def _live_frame_rate(view: LiveView, limit: Limit) -> str | None:
    """What a camera gives before its rate is known is no reason to say anything."""
    is_slow = 0 < view.frame_rate < limit.doubt
    return f"Only {view.frame_rate:.0f} frames a second are coming in" if is_slow else None


CHECKS = (
    Check(
        name="duration_seconds",
        direction="at least", doubt=3, fail=1, unit=Unit.SECONDS,
        find=_duration,
        meaning="time from the first frame to the last, pauses left out",
        advice="keep recording until the whole task is done",
    ),
    Check(
        name="length_mismatch_seconds",
        direction="at most", doubt=0.5, fail=5, unit=Unit.SECONDS,
        find=_length_mismatch,
        meaning="largest difference between the time that the frames last, pauses included, and the length that the "
        "container, or the recording's description, states",
        advice="record it again, or import the original file",
    ),
    Check(
        name="frame_rate",
        direction="at least", doubt=20, fail=8, unit=Unit.RATE,
        find=_frame_rate,
        live=_live_frame_rate,
        meaning="frames over time, pauses left out",
        advice="turn on more light, and close other programs",
    ),
    Check(
        name="shorter_side_pixels",
        direction="at least", doubt=480, fail=96, unit=Unit.PIXELS,
        find=_shorter_side,
        meaning="width or height of the upright picture, whichever is less",
        advice="choose a larger picture, or another camera",
    ),
    Check(
        name="longest_gap_seconds",
        direction="at most", doubt=0.5, fail=5, unit=Unit.SECONDS,
        find=_longest_gap,
        meaning="longest time between two frames, pauses left out",
        advice="close other programs, and plug the camera in directly",
    ),
    Check(
        name="damaged_frames",
        direction="at most", doubt=0, fail=100, unit=Unit.FRAMES,
        find=_damaged,
        meaning="frames of the container that cannot be decoded, with those made from them",
        advice="send the original file, or check the camera's cable and record it again",
    ),
    Check(
        name="dropped_share",
        direction="at most", doubt=0.02, fail=0.5, unit=Unit.SHARE,
        find=_dropped,
        meaning="frames lost while recording, by the recorder's own count, over all that the camera gave; 0 for "
        "imports",
        advice="close other programs, or record a smaller picture",
    ),
    Check(
        name="late_share",
        direction="at most", doubt=0.1, fail=1, unit=Unit.SHARE,
        find=_late,
        meaning="frames that came 1.5 frame intervals after the one before, or more, by the recorder's own count, over "
        "all; 0 for imports",
        advice="turn on more light, or plug the camera directly into another USB port",
    ),
)  # fmt: skip
