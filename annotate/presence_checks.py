"""Checks of who is in view: a person, their whole upper body, their hands, and nobody else."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pose.landmarks import BODY_ELBOWS, BODY_HIPS, BODY_SHOULDERS, BODY_WRISTS
from storage.criteria import AtLeast, AtMost, Limit
from storage.trajectory import BODY_LANDMARKS, Valid

from .evidence import SEEN, Evidence
from .findings import Check, Finding, ranges_of

HANDS = Valid.LEFT_HAND | Valid.RIGHT_HAND
UPPER_BODY = (BODY_LANDMARKS.index("nose"), *BODY_SHOULDERS, *BODY_ELBOWS, *BODY_WRISTS, *BODY_HIPS)


def _person(evidence: Evidence, limit: Limit) -> Finding | None:
    if evidence.trajectory is None:
        return None
    found = evidence.in_view(Valid.BODY | HANDS)
    share = float(found.mean())
    return Finding(share, f"a person is found in {share:.0%} of the frames", _where(evidence, ~found))


def _upper_body(evidence: Evidence, limit: Limit) -> Finding | None:
    if evidence.trajectory is None:
        return None
    arrays = evidence.trajectory.arrays
    places = arrays["body_image"][:, UPPER_BODY, :2]
    inside = ((places >= 0) & (places <= 1)).all(axis=2)
    whole = evidence.in_view(Valid.BODY) & (inside & (arrays["body_visibility"][:, UPPER_BODY] >= SEEN)).all(axis=1)
    share = float(whole.mean())
    return Finding(share, f"your whole upper body is seen in {share:.0%} of the frames", _where(evidence, ~whole))


def _hands(evidence: Evidence, limit: Limit) -> Finding | None:
    if evidence.trajectory is None:
        return None
    found = evidence.in_view(HANDS)
    share = float(found.mean())
    return Finding(share, f"a hand is found in {share:.0%} of the frames", _where(evidence, ~found))


def _longest_absence(evidence: Evidence, limit: Limit) -> Finding | None:
    if evidence.trajectory is None:
        return None
    times = evidence.footage.times_ns
    elapsed = np.concatenate(([0], np.cumsum(evidence.footage.steps_ns)))  # pauses left out
    longest, ranges = 0.0, []
    for start, end in _where(evidence, ~evidence.in_view(HANDS)):
        first, after = np.searchsorted(times, (start, end))
        seconds = float(elapsed[min(after, len(times) - 1)] - elapsed[first]) / 1e9
        longest = max(longest, seconds)
        if seconds > limit.doubt:
            ranges.append((start, end))
    words = f"no hand is found for {longest:.1f} s on end" if longest else "a hand is found all the time"
    return Finding(longest, words, tuple(ranges))


def _others(evidence: Evidence, limit: Limit) -> Finding | None:
    if evidence.trajectory is None:
        return None
    somebody = evidence.in_view(Valid.UNSURE)
    if evidence.report is not None and len(evidence.report.others) == len(somebody):
        somebody = somebody | (evidence.report.others > 0)
    share = float(somebody.mean())
    words = f"somebody else is seen, or may have been taken for you, in {share:.0%} of the frames"
    return Finding(share, words if share else "nobody else was seen", _where(evidence, somebody))


def _where(evidence: Evidence, bad: NDArray[np.bool_]) -> tuple[tuple[int, int], ...]:
    return ranges_of(bad, evidence.footage.times_ns, evidence.footage.end_ns)


PRESENCE_CHECKS = (
    Check("person_visible_share", AtLeast, _person, "frames in which a body or a hand of the contributor is found",
          "stay where the camera sees you"),
    Check("upper_body_visible_share", AtLeast, _upper_body,
          "frames in which nose, shoulders, elbows, wrists and hips all lie inside the picture with a visibility of at "
          "least 0.5", "move back until head, arms and hips are in the picture"),
    Check("hands_visible_share", AtLeast, _hands, "frames in which at least one of the contributor's hands is found",
          "hold your hands where the camera sees them"),
    Check("hands_longest_absence_seconds", AtMost, _longest_absence,
          "longest time in which neither hand is found, pauses left out",
          "hold your hands where the camera sees them"),
    Check("other_people_share", AtMost, _others,
          "frames in which somebody else was seen beside the contributor within the last 0.7 s, or the body followed "
          "may be somebody else's", "record alone, or turn the camera away from others"),
)  # fmt: skip
