"""The check of which hand does the work, for tasks that say so: a person in a mirror is a person."""

from __future__ import annotations

import numpy as np

from annotate.checks.built_in.movement_checks import STRIDE_SECONDS, wrist_strides
from annotate.checks.evidence import Evidence
from annotate.checks.findings import Check, Finding, Needs
from annotate.checks.limits import Limit, Unit

STILL = 0.03
"""Shoulder widths a second that both wrists together move at least: less is no work of either."""


def _right_hand(evidence: Evidence, limit: Limit) -> Finding | None:
    strides = wrist_strides(evidence)
    if strides is None:
        return None
    moved, _ = strides
    left, right = np.nansum(moved, axis=0) / max(len(moved), 1) / STRIDE_SECONDS
    if left + right < STILL:
        return None
    share = float(right / (left + right))
    return Finding(share, f"your right hand makes {share:.0%} of the movement", ((0, evidence.footage.end_ns),))


CHECKS = (
    Check(
        name="right_hand_share",
        direction="at least", doubt=0, fail=0, unit=Unit.SHARE,
        needs=Needs.TRAJECTORY,
        find=_right_hand,
        meaning="what the right wrist moves over what both do, by their places half a second apart. For tasks that say "
        "that the right hand does the work: in a video that is mirrored the left one does",
        advice="use your right hand; if you did, the video is mirrored: turn mirroring off in your camera's program",
    ),
)  # fmt: skip
