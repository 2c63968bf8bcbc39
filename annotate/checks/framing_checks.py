"""Checks of where the contributor is in the picture and how they move: distance, framing, movement, jitter."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from annotate.checks.evidence import Evidence
from annotate.checks.findings import Check, Finding, ranges_of
from kinesphere.trajectory import Valid
from pose.landmarks import BODY_SHOULDERS
from storage.tasks.criteria import AtLeast, AtMost, Limit

MOSTLY = 0.2
"""A body that is found in a smaller share of the frames says nothing of the framing: the hands are what is filmed."""
HEAD = slice(0, 11)
"""Nose, eyes, ears and mouth."""
STRIDE_SECONDS = 0.5
"""Movement is measured over half a second: jitter goes nowhere in so long."""
BRISK = 0.9
"""Of the speeds, this quantile: who rests most of the time moves all the same."""
NOISE_GAIN = 20.0
"""The variance of the third difference of white noise of variance 1: 1 + 9 + 9 + 1."""
UNEVEN = 1.5
"""Frames further apart than so many usual steps are no neighbours."""


def _framed(evidence: Evidence) -> bool:
    """Whether there is a body to judge the framing by."""
    if evidence.trajectory is None:
        return False
    return float(np.isfinite(evidence.shoulder_widths).mean()) >= MOSTLY


def _far(evidence: Evidence, limit: Limit) -> Finding | None:
    return _distance(evidence)


def _near(evidence: Evidence, limit: Limit) -> Finding | None:
    found = _distance(evidence)
    if found is None:
        return None
    too_wide = evidence.shoulder_widths > limit.doubt
    return Finding(found.value, found.words, _where(evidence, too_wide))


def _distance(evidence: Evidence) -> Finding | None:
    width = evidence.shoulder_width if _framed(evidence) else None
    if width is None:
        return None
    words = f"your shoulders, seen from the front, take up {width:.1%} of the picture's width"
    return Finding(width, words, ((0, evidence.footage.end_ns),))


def _off_centre(evidence: Evidence, limit: Limit) -> Finding | None:
    if not _framed(evidence):
        return None
    left, right = (evidence.upright("body_image")[:, joint, 0] for joint in BODY_SHOULDERS)
    aside = np.abs((left + right) / 2 - 0.5)
    off = float(np.nanmedian(aside))
    words = f"your shoulders are {off:.0%} of the picture's width beside its middle"
    return Finding(off, words, _where(evidence, aside > limit.doubt))


def _head(evidence: Evidence, limit: Limit) -> Finding | None:
    if not _framed(evidence):
        return None
    assert evidence.trajectory is not None
    places = evidence.trajectory.arrays["body_image"][:, HEAD, :2]
    cut = np.asarray(((places < 0) | (places > 1)).any(axis=(1, 2)), np.bool_)
    share = float(cut[evidence.in_view(Valid.BODY)].mean())
    words = f"your head is cut off in {share:.0%} of the frames" if share else "your head is never cut off"
    return Finding(share, words, _where(evidence, cut))


def _speed(evidence: Evidence, limit: Limit) -> Finding | None:
    wrists, steps = evidence.wrists, evidence.footage.steps_ns
    if wrists is None or not len(steps):
        return None
    elapsed = np.concatenate(([0], np.cumsum(steps))) / 1e9
    until = np.searchsorted(elapsed, elapsed + STRIDE_SECONDS)
    start = np.flatnonzero(until < len(elapsed))
    until = until[start]
    moved = np.hypot(*np.moveaxis(wrists.tracks[until] - wrists.tracks[start], -1, 0))
    speeds = np.fmax(moved[:, 0], moved[:, 1]) / (elapsed[until] - elapsed[start])  # of the wrist that is faster
    known = speeds[np.isfinite(speeds)]
    if not len(known):
        return None
    speed = float(np.quantile(known, BRISK))
    words = f"your wrists move at up to {speed:.2f} shoulder widths a second"
    return Finding(speed, words, ((0, evidence.footage.end_ns),))


def _jitter(evidence: Evidence, limit: Limit) -> Finding | None:
    wrists, times = evidence.wrists, evidence.footage.times_ns
    if wrists is None or len(times) < 4:
        return None
    steps = np.diff(times)
    even = steps <= UNEVEN * np.median(steps)
    squared = np.square(np.diff(wrists.raw, 3, axis=0)).reshape(len(times) - 3, -1) / NOISE_GAIN
    squared[~(even[:-2] & even[1:-1] & even[2:])] = np.nan
    second = times[: len(squared)] // 1_000_000_000
    counts = np.bincount(second, np.isfinite(squared).sum(axis=1))
    with np.errstate(invalid="ignore", divide="ignore"):
        jitters = np.sqrt(np.bincount(second, np.nansum(squared, axis=1)) / counts)
    if not counts.any():
        return None
    jitter = float(np.median(jitters[counts > 0]))
    words = f"the wrists as they were found tremble by {jitter:.1%} of your shoulder width"
    starts = np.arange(len(jitters), dtype=np.int64) * 1_000_000_000
    return Finding(jitter, words, ranges_of(jitters > limit.doubt, starts, evidence.footage.end_ns))


def _where(evidence: Evidence, bad: NDArray[np.bool_]) -> tuple[tuple[int, int], ...]:
    return ranges_of(bad, evidence.footage.times_ns, evidence.footage.end_ns)


_SHOULDERS = (
    "distance of the shoulder joints over the picture's width, or 0.7 of the trunk's length where that is more, as who "
    "turns aside looks narrower; the 90th percentile over time. Not judged where a body is found in fewer than a fifth "
    "of the frames"
)

FRAMING_CHECKS = (
    Check("too_far", AtLeast, _far, _SHOULDERS, "come closer to the camera"),
    Check("too_near", AtMost, _near, _SHOULDERS, "move back from the camera"),
    Check("off_centre", AtMost, _off_centre,
          "distance of the middle of the shoulders from the picture's vertical centre line, the median over time",
          "turn the camera towards you, or step to the middle"),
    Check("head_cut_off_share", AtMost, _head,
          "of the frames with a body, those in which nose, an eye, an ear or the mouth lies outside the picture",
          "tilt the camera up, or move back"),
    Check("wrist_speed", AtLeast, _speed,
          "distance between a wrist's places half a second apart, over that time; of the faster wrist, the 90th "
          "percentile over time. By the body's wrists, or the hands' where these are found in more frames (four "
          "palms, from wrist to middle knuckle, are then a shoulder width)", "do what the task says while you record"),
    Check("track_jitter", AtMost, _jitter,
          "standard deviation of the noise in the wrists as the networks gave them, before smoothing: root mean square "
          "of the third difference over the square root of 20 (difference-based estimation, Gasser, Sroka and "
          "Jennen-Steinmetz 1986) within each second; the median over the seconds. Quick movement raises it a little",
          "give the room more light, and come closer to the camera"),
)  # fmt: skip
