"""Checks of who is in view: a person, their whole upper body, their hands, and nobody else."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from annotate.checks.evidence import SEEN, Evidence, LiveView
from annotate.checks.findings import Check, Finding, Needs, ranges_of
from annotate.checks.limits import Limit, Unit
from kinesphere.trajectory import BODY_LANDMARKS, Valid
from pose.landmarks import BODY_ELBOWS, BODY_SHOULDERS, BODY_WRISTS

HANDS = Valid.LEFT_HAND | Valid.RIGHT_HAND
UPPER_BODY = (BODY_LANDMARKS.index("nose"), *BODY_SHOULDERS, *BODY_ELBOWS, *BODY_WRISTS)
"""Without the hips: a table hides those of all who sit at one."""


def _person(evidence: Evidence, limit: Limit) -> Finding:
    return _share(evidence, _person_seen(evidence), "a person is found")


def _person_absence(evidence: Evidence, limit: Limit) -> Finding:
    return _absence(evidence, limit, _person_seen(evidence), "a person is found")


def _upper_body(evidence: Evidence, limit: Limit) -> Finding:
    return _share(evidence, _upper_body_seen(evidence), "your whole upper body is seen")


def _upper_body_absence(evidence: Evidence, limit: Limit) -> Finding:
    return _absence(evidence, limit, _upper_body_seen(evidence), "your whole upper body is seen")


def _hands(evidence: Evidence, limit: Limit) -> Finding:
    return _share(evidence, _hands_seen(evidence), "a hand is found")


def _hands_absence(evidence: Evidence, limit: Limit) -> Finding:
    return _absence(evidence, limit, _hands_seen(evidence), "a hand is found")


def _person_seen(evidence: Evidence) -> NDArray[np.bool_]:
    return evidence.in_view(Valid.BODY | HANDS)


def _upper_body_seen(evidence: Evidence) -> NDArray[np.bool_]:
    places = evidence.array("body_image")[:, UPPER_BODY, :2]
    inside = ((places >= 0) & (places <= 1)).all(axis=2)
    visible = evidence.array("body_visibility")[:, UPPER_BODY] >= SEEN
    return np.asarray(evidence.in_view(Valid.BODY) & (inside & visible).all(axis=1), np.bool_)


def _hands_seen(evidence: Evidence) -> NDArray[np.bool_]:
    return evidence.in_view(HANDS)


def _share(evidence: Evidence, seen: NDArray[np.bool_], words: str) -> Finding:
    share = float(seen.mean())
    return Finding(share, f"{words} in {share:.0%} of the frames", _where(evidence, ~seen))


def _absence(evidence: Evidence, limit: Limit, seen: NDArray[np.bool_], words: str) -> Finding:
    """The longest stretch without, and all that are too long."""
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
    sentence = f"{words}, but not for {longest:.1f} s from {at / 1e9:.1f} s on" if longest else f"{words} all the time"
    return Finding(longest, sentence, tuple(ranges))


def _others(evidence: Evidence, limit: Limit) -> Finding:
    somebody = evidence.in_view(Valid.UNSURE)
    if evidence.report is not None and len(evidence.report.others) == len(somebody):
        somebody = somebody | (evidence.report.others > 0)
    share = float(somebody.mean())
    words = f"somebody else is seen, or may have been taken for you, in {share:.0%} of the frames"
    return Finding(share, words if share else "nobody else was seen", _where(evidence, somebody))


def _where(evidence: Evidence, bad: NDArray[np.bool_]) -> tuple[tuple[int, int], ...]:
    return ranges_of(bad, evidence.footage.times_ns, evidence.footage.end_ns)


def _live_nobody(view: LiveView, limit: Limit) -> str | None:
    return "Nobody is in view" if view.person is False else None


def _live_no_hands(view: LiveView, limit: Limit) -> str | None:
    is_missing = view.person is True and view.hands == 0 and limit.doubt > 0
    return "Your hands are not in view" if is_missing else None


_STAY = "stay where the camera sees you until you are done"
_BACK = "move back until your head and both arms are in the picture"
_HOLD = "hold your hands where the camera sees them"

CHECKS = (
    Check(
        name="person_visible_share",
        direction="at least", doubt=0.8, fail=0.05, unit=Unit.SHARE,
        needs=Needs.TRAJECTORY,
        find=_person,
        live=_live_nobody,
        meaning="frames in which a body or a hand of the contributor is found",
        advice=_STAY,
    ),
    Check(
        name="person_longest_absence_seconds",
        direction="at most", doubt=5, fail=3600, unit=Unit.SECONDS,
        needs=Needs.TRAJECTORY,
        find=_person_absence,
        meaning="longest time in which neither body nor hand is found, pauses left out",
        advice=_STAY,
    ),
    Check(
        name="upper_body_visible_share",
        direction="at least", doubt=0.3, fail=0, unit=Unit.SHARE,
        needs=Needs.TRAJECTORY,
        find=_upper_body,
        meaning="frames in which nose, shoulders, elbows and wrists all lie inside the picture with a visibility of at "
        "least 0.5",
        advice=_BACK,
    ),
    Check(
        name="upper_body_longest_absence_seconds",
        direction="at most", doubt=10, fail=3600, unit=Unit.SECONDS,
        needs=Needs.TRAJECTORY,
        find=_upper_body_absence,
        meaning="longest time in which one of them does not, pauses left out",
        advice=_BACK,
    ),
    Check(
        name="hands_visible_share",
        direction="at least", doubt=0.3, fail=0, unit=Unit.SHARE,
        needs=Needs.TRAJECTORY,
        find=_hands,
        live=_live_no_hands,
        meaning="frames in which at least one of the contributor's hands is found",
        advice=_HOLD,
    ),
    Check(
        name="hands_longest_absence_seconds",
        direction="at most", doubt=10, fail=3600, unit=Unit.SECONDS,
        needs=Needs.TRAJECTORY,
        find=_hands_absence,
        meaning="longest time in which neither hand is found, pauses left out",
        advice=_HOLD,
    ),
    Check(
        name="other_people_share",
        direction="at most", doubt=0.3, fail=1, unit=Unit.SHARE,
        needs=Needs.TRAJECTORY,
        find=_others,
        meaning="frames in which somebody else was seen beside the contributor within the last 0.7 s, or the body "
        "followed may be somebody else's",
        advice="record alone, or turn the camera away from others",
    ),
)  # fmt: skip
