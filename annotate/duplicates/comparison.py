"""Comparison of two recordings' fingerprints in full: whether they show the same take, and which part of it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from annotate.duplicates.alignment import SPEEDS, Alignment, align
from annotate.duplicates.change_fingerprint import RATE, WINDOW, ChangeFingerprint, agreement
from annotate.duplicates.fingerprint import Fingerprint
from annotate.duplicates.hamming_segment import RADIUS
from annotate.duplicates.motion_fingerprint import MotionFingerprint
from annotate.duplicates.video_fingerprint import VideoFingerprint

SHARP = 0.5
"""Pictures of two takes in one room are near each other at any time; those of one take are twice as near when the
times fit. Measured: 0.6 to 1 for the same take (letterboxed 0.46), at most 0.4 for others in the same room."""
STILL_BITS = 6
"""Where no two moments of either recording differ by more, nothing moves, and times cannot fit or not fit."""
MOTION_BITS = 64
"""Windows of one motion that was extracted twice differ by fewer of 256 bits: by 3 to 48 where it was found again;
other parts of the same clip came no nearer than 63 to 72."""
CHANGE_BITS = 64
CHANGE_SHARP = 0.7
CHANGE_AGREEMENT = 0.85
"""Of crops by up to a fifth, wherever, windows were 7 to 38 bits apart on the line (sharpness from 0.73) and places
agreed by 0.86 to 1; other parts of a clip came no nearer than 64 bits. Generated takes, of one thing that swings to
and fro, came to 0.84 in places and 0.77 in sharpness, but never to both limits."""
WINDOW_SHARE = 0.5
"""Of the windows in the shorter recording, so many must fit: single gestures are alike in many takes."""
WINDOW_SPEEDS = (1.0, 0.8, 1.25, 2 / 3, 1.5)
EVERY = 0.2
"""Seconds from one window to the next, so that some window of one begins within a tenth of a second of the other's."""

Evidence = Literal["video", "change", "motion"]
EVIDENCE: tuple[Evidence, ...] = ("video", "change", "motion")
"""The strongest first."""
Times = NDArray[np.int64]
Hashes = NDArray[np.uint8]


@dataclass(frozen=True)
class Match:
    """Another recording that shows the same take, or a part of it."""

    recording: str
    evidence: tuple[Evidence, ...]
    """All that tells so, the strongest first; the rest of the fields are by that one."""
    share: float
    """Of this recording, 0 to 1, that is in the other."""
    other_share: float
    """Of the other, that is in this one."""
    speed: float
    """Seconds of the other in one second of this."""
    is_mirrored: bool
    range_ns: tuple[int, int]
    other_range_ns: tuple[int, int]

    @property
    def value(self) -> float:
        """The larger share: a part cut from a longer recording is as much a duplicate as the longer one is of it."""
        return max(self.share, self.other_share)

    @property
    def is_another_view_perhaps(self) -> bool:
        """Whether the person moves the same, but no picture tells that it is the same footage."""
        return self.evidence == ("motion",)


@dataclass(frozen=True)
class Views:
    """The windows of a recording's signal at each speed and both ways round: made once, compared with many."""

    windows: tuple[tuple[float, bool, Times, Hashes], ...]
    """Seconds of the other in one second of this, whether turned over, and the windows."""

    @classmethod
    def from_signal(cls, signal: MotionFingerprint | ChangeFingerprint) -> Views:
        """Of a motion or of changes."""
        ways = ((speed, is_mirrored) for speed in WINDOW_SPEEDS for is_mirrored in (False, True))
        return cls(
            tuple(
                (speed, turned, *signal.hashes(speed=1 / speed, every=EVERY, is_mirrored=turned))
                for speed, turned in ways
            )
        )


@dataclass(frozen=True)
class Query:
    """A recording that is compared with many others."""

    fingerprint: Fingerprint
    motion: Views
    change: Views

    @classmethod
    def of(cls, fingerprint: Fingerprint) -> Query:
        """From its fingerprint."""
        return cls(fingerprint, Views.from_signal(fingerprint.motion), Views.from_signal(fingerprint.change))

    def compare(
        self, other: Fingerprint, recording: str = "", *, first: Collection[Evidence] = EVIDENCE
    ) -> Match | None:
        """Whether two recordings, or parts of them, show the same take.

        Args:
            recording: the other's name.
            first: in what they are compared first. The rest only counts where one of these tells that they are the
                same, and is not looked at otherwise, as each takes some milliseconds.
        """
        found = {evidence: self._compared(evidence, other) for evidence in first}
        if any(found.values()):
            found |= {evidence: self._compared(evidence, other) for evidence in EVIDENCE if evidence not in found}
        found_by = [(evidence, *line) for evidence in EVIDENCE if (line := found.get(evidence)) is not None]
        if not found_by:
            return None
        _, best, is_mirrored = found_by[0]
        return Match(
            recording,
            tuple(evidence for evidence, *_ in found_by),
            best.matched,
            best.other_matched,
            best.speed,
            is_mirrored,
            best.range_ns,
            best.other_range_ns,
        )

    def _compared(self, evidence: Evidence, other: Fingerprint) -> tuple[Alignment, bool] | None:
        if evidence == "video":
            return compare_video(self.fingerprint.video, other.video)
        if evidence == "change":
            return compare_change(self.fingerprint.change, other.change, self.change)
        return compare_motion(self.fingerprint.motion, other.motion, self.motion)


def compare(one: Fingerprint, other: Fingerprint, recording: str = "") -> Match | None:
    """Whether two recordings, or parts of them, show the same take; `recording` is the other's name."""
    return Query.of(one).compare(other, recording)


def compare_video(one: VideoFingerprint, other: VideoFingerprint) -> tuple[Alignment, bool] | None:
    """How the same pictures come in the same order, and whether they are mirrored."""
    found = []
    for is_mirrored, hashes in ((False, one.hashes), (True, one.mirrored)):
        alignment = align(one.times_ns, hashes, other.times_ns, other.hashes, limit=RADIUS)
        if alignment is not None and (alignment.sharpness >= SHARP or _is_still(alignment)):
            found.append((alignment, is_mirrored))
    return max(found, key=lambda pair: pair[0].matched, default=None)


def compare_motion(
    one: MotionFingerprint, other: MotionFingerprint, views: Views | None = None
) -> tuple[Alignment, bool] | None:
    """How the same motion comes in the same order, and whether it is mirrored; `views` are those of the first."""
    found = _lines(views or Views.from_signal(one), other.hashes(every=EVERY), MOTION_BITS)
    return max(found, key=lambda pair: pair[0].matched * (MOTION_BITS - pair[0].distance), default=None)


def compare_change(
    one: ChangeFingerprint, other: ChangeFingerprint, views: Views | None = None
) -> tuple[Alignment, bool] | None:
    """How pictures change in the same places in the same order, and whether they are mirrored."""
    found = []
    for line, is_mirrored in _lines(views or Views.from_signal(one), other.hashes(every=EVERY), CHANGE_BITS):
        if line.sharpness < CHANGE_SHARP:
            continue
        begin, end = line.range_ns
        agrees = agreement(
            one,
            other,
            range_ns=(begin, end + round(WINDOW / RATE / line.speed * 1e9)),  # the last window begins where it ends
            other_begin_ns=line.other_range_ns[0],
            speed=line.speed,
            is_mirrored=is_mirrored,
        )
        if agrees >= CHANGE_AGREEMENT:
            found.append((agrees, line, is_mirrored))
    return max(found, key=lambda one: one[0])[1:] if found else None


def _lines(one: Views, other: tuple[Times, Hashes], limit: int) -> list[tuple[Alignment, bool]]:
    """The lines on which enough windows are near, at each speed and both ways round."""
    found = []
    for speed, is_mirrored, times, hashes in one.windows:
        near = [near for near in SPEEDS if abs(near / speed - 1) < 0.13]
        line = align(times, hashes, *other, limit=limit, least_share=WINDOW_SHARE, speeds=near)
        if line is not None:
            found.append((line, is_mirrored))
    return found


def _is_still(alignment: Alignment) -> bool:
    return alignment.elsewhere <= STILL_BITS and alignment.distance <= STILL_BITS
