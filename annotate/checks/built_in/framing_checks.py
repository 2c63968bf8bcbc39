"""Checks of where the contributor is in the picture: how far away, how far aside, and whether with the whole head."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from annotate.checks.evidence import Evidence
from annotate.checks.findings import Check, Finding, Needs, ranges_of
from annotate.checks.limits import Limit, Unit
from kinesphere.trajectory import Valid
from pose.landmarks import BODY_SHOULDERS

MOSTLY = 0.2
"""A body that is found in a smaller share of the frames says nothing of the framing: the hands are what is filmed."""
HEAD = slice(0, 11)
"""Nose, eyes, ears and mouth."""


def _framed(evidence: Evidence) -> bool:
    """Whether there is a body to judge the framing by."""
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
    offset = np.abs((left + right) / 2 - 0.5)
    off = float(np.nanmedian(offset))
    words = f"your shoulders are {off:.0%} of the picture's width beside its middle"
    return Finding(off, words, _where(evidence, offset > limit.doubt))


def _head(evidence: Evidence, limit: Limit) -> Finding | None:
    if not _framed(evidence):
        return None
    places = evidence.array("body_image")[:, HEAD, :2]
    cut = np.asarray(((places < 0) | (places > 1)).any(axis=(1, 2)), np.bool_)
    share = float(cut[evidence.in_view(Valid.BODY)].mean())
    words = f"your head is cut off in {share:.0%} of the frames" if share else "your head is never cut off"
    return Finding(share, words, _where(evidence, cut))


def _where(evidence: Evidence, bad: NDArray[np.bool_]) -> tuple[tuple[int, int], ...]:
    return ranges_of(bad, evidence.footage.times_ns, evidence.footage.end_ns)


_SHOULDERS = (
    "distance of the shoulder joints over the picture's width, or 0.7 of the trunk's length where that is more, as who "
    "turns aside looks narrower; the 90th percentile over time. Not judged where a body is found in fewer than a fifth "
    "of the frames"
)

CHECKS = (
    Check(
        name="too_far",
        direction="at least", doubt=0.03, fail=0, unit=Unit.WIDTHS,
        upper="too_near",
        needs=Needs.TRAJECTORY,
        find=_far,
        meaning=_SHOULDERS,
        advice="come closer to the camera",
    ),
    Check(
        name="too_near",
        direction="at most", doubt=0.6, fail=1, unit=Unit.WIDTHS,
        needs=Needs.TRAJECTORY,
        find=_near,
        meaning=_SHOULDERS,
        advice="move back from the camera",
    ),
    Check(
        name="off_centre",
        direction="at most", doubt=0.25, fail=0.5, unit=Unit.WIDTHS,
        needs=Needs.TRAJECTORY,
        find=_off_centre,
        meaning="distance of the middle of the shoulders from the picture's vertical centre line, the median over time",
        advice="turn the camera towards you, or step to the middle",
    ),
    Check(
        name="head_cut_off_share",
        direction="at most", doubt=0.2, fail=1, unit=Unit.SHARE,
        needs=Needs.TRAJECTORY,
        find=_head,
        meaning="of the frames with a body, those in which nose, an eye, an ear or the mouth lies outside the picture",
        advice="tilt the camera up, or move back, until your whole head is in the picture",
    ),
)  # fmt: skip
