"""Checks of who is in view: a person, their whole upper body, their hands, and nobody else."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from annotate.checks.evidence import SEEN, Evidence
from annotate.checks.findings import Check, Finding, ranges_of
from kinesphere.trajectory import BODY_LANDMARKS, Valid
from pose.landmarks import BODY_ELBOWS, BODY_SHOULDERS, BODY_WRISTS
from storage.tasks.criteria import AtLeast, AtMost, Limit

HANDS = Valid.LEFT_HAND | Valid.RIGHT_HAND
UPPER_BODY = (BODY_LANDMARKS.index("nose"), *BODY_SHOULDERS, *BODY_ELBOWS, *BODY_WRISTS)
"""Without the hips: a table hides those of all who sit at one."""


def _person(evidence: Evidence, limit: Limit) -> Finding | None:
    return _share(evidence, _person_seen(evidence), "a person is found")


def _person_absence(evidence: Evidence, limit: Limit) -> Finding | None:
    return _absence(evidence, limit, _person_seen(evidence), "a person is found")


def _upper_body(evidence: Evidence, limit: Limit) -> Finding | None:
    return _share(evidence, _upper_body_seen(evidence), "your whole upper body is seen")


def _upper_body_absence(evidence: Evidence, limit: Limit) -> Finding | None:
    return _absence(evidence, limit, _upper_body_seen(evidence), "your whole upper body is seen")


def _hands(evidence: Evidence, limit: Limit) -> Finding | None:
    return _share(evidence, _hands_seen(evidence), "a hand is found")


def _hands_absence(evidence: Evidence, limit: Limit) -> Finding | None:
    return _absence(evidence, limit, _hands_seen(evidence), "a hand is found")


def _person_seen(evidence: Evidence) -> NDArray[np.bool_] | None:
    return None if evidence.trajectory is None else evidence.in_view(Valid.BODY | HANDS)


def _upper_body_seen(evidence: Evidence) -> NDArray[np.bool_] | None:
    if evidence.trajectory is None:
        return None
    arrays = evidence.trajectory.arrays
    places = arrays["body_image"][:, UPPER_BODY, :2]
    inside = ((places >= 0) & (places <= 1)).all(axis=2)
    visible = arrays["body_visibility"][:, UPPER_BODY] >= SEEN
    return np.asarray(evidence.in_view(Valid.BODY) & (inside & visible).all(axis=1), np.bool_)


def _hands_seen(evidence: Evidence) -> NDArray[np.bool_] | None:
    return None if evidence.trajectory is None else evidence.in_view(HANDS)


def _share(evidence: Evidence, seen: NDArray[np.bool_] | None, words: str) -> Finding | None:
    if seen is None:
        return None
    share = float(seen.mean())
    return Finding(share, f"{words} in {share:.0%} of the frames", _where(evidence, ~seen))


def _absence(evidence: Evidence, limit: Limit, seen: NDArray[np.bool_] | None, words: str) -> Finding | None:
    """The longest stretch without, and all that are too long."""
    if seen is None:
        return None
    times = evidence.footage.times_ns
    elapsed = np.concatenate(([0], np.cumsum(evidence.footage.steps_ns)))  # pauses left out
    longest, at, ranges = 0.0, 0, []
    for start, end in _where(evidence, ~seen):
        first, after = np.searchsorted(times, (start, end))
        seconds = float(elapsed[min(after, len(times) - 1)] - elapsed[first]) / 1e9
        if seconds > longest:
            longest, at = seconds, start
        if seconds > limit.doubt:
            ranges.append((start, end))
    said = f"{words}, but not for {longest:.1f} s from {at / 1e9:.1f} s on" if longest else f"{words} all the time"
    return Finding(longest, said, tuple(ranges))


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


_STAY = "stay where the camera sees you"
_BACK = "move back until your head and both arms are in the picture"
_HOLD = "hold your hands where the camera sees them"

PRESENCE_CHECKS = (
    Check("person_visible_share", AtLeast, _person,
          "frames in which a body or a hand of the contributor is found", _STAY),
    Check("person_longest_absence_seconds", AtMost, _person_absence,
          "longest time in which neither body nor hand is found, pauses left out", _STAY),
    Check("upper_body_visible_share", AtLeast, _upper_body,
          "frames in which nose, shoulders, elbows and wrists all lie inside the picture with a visibility of at "
          "least 0.5", _BACK),
    Check("upper_body_longest_absence_seconds", AtMost, _upper_body_absence,
          "longest time in which one of them does not, pauses left out", _BACK),
    Check("hands_visible_share", AtLeast, _hands,
          "frames in which at least one of the contributor's hands is found", _HOLD),
    Check("hands_longest_absence_seconds", AtMost, _hands_absence,
          "longest time in which neither hand is found, pauses left out", _HOLD),
    Check("other_people_share", AtMost, _others,
          "frames in which somebody else was seen beside the contributor within the last 0.7 s, or the body followed "
          "may be somebody else's", "record alone, or turn the camera away from others"),
)  # fmt: skip
