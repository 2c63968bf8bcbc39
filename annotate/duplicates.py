"""Duplicates: whether a recording is another one again, by how its pictures look and by how the person moves."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal, Self
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from storage.catalog import CheckRecord
from storage.criteria import AtMost
from storage.errors import CorruptObject, NotFound
from storage.objects import Objects
from storage.recording import State
from storage.workspace import Workspace

from .alignment import SPEEDS, Alignment, align
from .duplicate_check import DUPLICATE_CHECK
from .findings import Finding
from .hamming_index import HammingIndex, Neighbours
from .hamming_segment import RADIUS
from .judging import judge
from .motion_fingerprint import MotionFingerprint
from .video_fingerprint import VideoFingerprint

CANDIDATES = 20
"""Recordings that the index finds nearest are compared in full."""
SHARP = 0.5
"""Pictures of two takes in one room are near each other at any time; those of one take are twice as near when the
times fit. Measured: 0.6 to 1 for the same take (letterboxed 0.46), at most 0.4 for others in the same room."""
STILL_BITS = 6
"""Where no two moments of either recording differ by more, nothing moves, and times cannot fit or not fit."""
MOTION_BITS = 64
"""Windows of one motion that was extracted twice differ by fewer of 256 bits: by 3 to 48 where it was found again;
other parts of the same clip came no nearer than 63 to 72."""
MOTION_SHARE = 0.5
"""Of the windows in the shorter recording, so many must fit: single gestures are alike in many takes."""
MOTION_SPEEDS = (1.0, 0.8, 1.25, 2 / 3, 1.5)
MOTION_QUERIES = 240
"""Windows that are looked up in the index: phases of a fifth of a second, both ways round, at each speed."""

Evidence = Literal["video", "motion", "both"]


@dataclass(frozen=True)
class Fingerprint:
    """What is kept of a recording to know it again."""

    video: VideoFingerprint
    motion: MotionFingerprint

    def to_bytes(self) -> bytes:
        """As an npz file."""
        content = io.BytesIO()
        np.savez_compressed(
            content,
            times_ns=self.video.times_ns,
            hashes=self.video.hashes,
            mirrored=self.video.mirrored,
            signal=self.motion.signal,
        )
        return content.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes, key: str) -> Fingerprint:
        """Read the object `key`.

        Raises:
            CorruptObject: it is not a fingerprint.
        """
        try:
            with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
                video = VideoFingerprint(arrays["times_ns"], arrays["hashes"], arrays["mirrored"])
                return cls(video, MotionFingerprint(arrays["signal"]))
        except (ValueError, KeyError, OSError, EOFError, BadZipFile) as error:
            raise CorruptObject(f"object '{key}' is no fingerprint; process the recording again") from error


@dataclass(frozen=True)
class Match:
    """Another recording that shows the same take, or a part of it."""

    recording: str
    evidence: Evidence
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


def fingerprint_key(recording: str) -> str:
    """Key of a recording's fingerprint, beside its video, so that what erases the one erases the other."""
    return f"recordings/{recording}/fingerprint.npz"


def compare(ours: Fingerprint, other: Fingerprint, recording: str = "") -> Match | None:
    """Whether two recordings, or parts of them, show the same take; `recording` is the other's name."""
    by_video, by_motion = compare_video(ours.video, other.video), compare_motion(ours.motion, other.motion)
    if by_video is not None:
        return _match(recording, "both" if by_motion else "video", *by_video)
    return _match(recording, "motion", *by_motion) if by_motion is not None else None


def compare_video(ours: VideoFingerprint, other: VideoFingerprint) -> tuple[Alignment, bool] | None:
    """How the same pictures come in the same order, and whether they are mirrored."""
    found = []
    for is_mirrored, hashes in ((False, ours.hashes), (True, ours.mirrored)):
        alignment = align(ours.times_ns, hashes, other.times_ns, other.hashes, limit=RADIUS)
        if alignment is not None and (alignment.sharpness >= SHARP or _is_still(alignment)):
            found.append((alignment, is_mirrored))
    return max(found, key=lambda pair: pair[0].matched, default=None)


def compare_motion(ours: MotionFingerprint, other: MotionFingerprint) -> tuple[Alignment, bool] | None:
    """How the same motion comes in the same order, and whether it is mirrored."""
    found = []
    other_times, other_hashes = other.hashes(every=0.2)
    for speed in MOTION_SPEEDS:
        near = [near for near in SPEEDS if abs(near / speed - 1) < 0.13]
        for is_mirrored in (False, True):
            times, hashes = ours.hashes(speed=1 / speed, every=0.2, is_mirrored=is_mirrored)
            alignment = align(times, hashes, other_times, other_hashes, limit=MOTION_BITS, speeds=near)
            if alignment is not None and max(alignment.matched, alignment.other_matched) >= MOTION_SHARE:
                found.append((alignment, is_mirrored))
    return max(found, key=lambda pair: pair[0].matched * (MOTION_BITS - pair[0].distance), default=None)


def _is_still(alignment: Alignment) -> bool:
    return alignment.elsewhere <= STILL_BITS and alignment.distance <= STILL_BITS


def _match(recording: str, evidence: Evidence, found: Alignment, is_mirrored: bool) -> Match:
    return Match(
        recording,
        evidence,
        found.matched,
        found.other_matched,
        found.speed,
        is_mirrored,
        found.range_ns,
        found.other_range_ns,
    )


class DuplicateIndex:
    """The fingerprints of a workspace's recordings, in two indexes on the local disk. Close it, or use it with `with`.

    The indexes only tell whom to compare with; what is compared are the fingerprints in the object store.
    """

    def __init__(self, folder: Path, objects: Objects) -> None:
        self._objects = objects
        self._video = HammingIndex(folder / "video")
        try:
            self._motion = HammingIndex(folder / "motion")
        except BaseException:
            self._video.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __contains__(self, recording: str) -> bool:
        return recording in self._video

    def close(self) -> None:
        """Let others open it."""
        self._video.close()
        self._motion.close()

    def add(self, recording: str, fingerprint: Fingerprint) -> None:
        """Store a fingerprint and enter it, in place of what was known of the recording."""
        self._objects.put(fingerprint_key(recording), fingerprint.to_bytes())
        self._enter(recording, fingerprint)

    def catch_up(self, recordings: Iterable[str]) -> int:
        """Enter those of some recordings that are not in this index but whose fingerprint is stored.

        Other computers have processed them, or the folder of the index was lost. Returns how many were entered.
        """
        missing = sorted(name for name in recordings if name not in self)
        if not missing:
            return 0
        stored = set(self._objects.keys("recordings"))
        found = [name for name in missing if fingerprint_key(name) in stored]
        for name in found:
            key = fingerprint_key(name)
            self._enter(name, Fingerprint.from_bytes(self._objects.get(key), key))
        return len(found)

    def _enter(self, recording: str, fingerprint: Fingerprint) -> None:
        times, hashes = fingerprint.motion.hashes()
        self._motion.add(recording, times // 1_000_000, hashes)
        each = fingerprint.video.each_second()
        self._video.add(recording, each.times_ns // 1_000_000, each.hashes)

    def remove(self, recording: str) -> None:
        """Delete all that is known of a recording: from both indexes and from the object store."""
        self._video.remove(recording)
        self._motion.remove(recording)
        self._objects.delete(fingerprint_key(recording))

    def candidates(self, fingerprint: Fingerprint, but: str = "") -> list[str]:
        """The recordings most like this one, nearest first, `CANDIDATES` by video and as many by motion."""
        each = fingerprint.video.each_second()
        queries = np.concatenate([_some(each.hashes, 60), _some(each.mirrored, 60)])
        by_video = _nearest(self._video.neighbours(queries), but)
        by_motion = _nearest(self._motion.neighbours(_motion_queries(fingerprint.motion)), but)
        return list(dict.fromkeys([*by_video[:CANDIDATES], *by_motion[:CANDIDATES]]))

    def find(self, recording: str, fingerprint: Fingerprint) -> list[Match]:
        """The recordings in the index that show the same take as this one, largest share first."""
        found = []
        for name in self.candidates(fingerprint, but=recording):
            key = fingerprint_key(name)
            if not self._objects.exists(key):  # erased with its recording: the index forgets it too
                self.remove(name)
                continue
            match = compare(fingerprint, Fingerprint.from_bytes(self._objects.get(key), key), name)
            if match is not None:
                found.append(match)
        return sorted(found, key=lambda match: -match.value)


def _some(hashes: NDArray[np.uint8], most: int) -> NDArray[np.uint8]:
    at = np.linspace(0, len(hashes) - 1, min(len(hashes), most)).astype(np.int64)
    return np.asarray(hashes[at], np.uint8)


def _motion_queries(motion: MotionFingerprint) -> NDArray[np.uint8]:
    queries = [
        _some(motion.hashes(speed=1 / speed, every=0.2, is_mirrored=is_mirrored)[1], MOTION_QUERIES // 10)
        for speed in MOTION_SPEEDS
        for is_mirrored in (False, True)
    ]
    return np.asarray(np.concatenate(queries), np.uint8)


def _nearest(found: Neighbours, but: str) -> list[str]:
    """Recordings by the sum of what their nearest hash to each query is under the limit."""
    if not len(found.owner):
        return []
    width = int(found.query.max()) + 1
    closeness = np.zeros(len(found.recordings) * width, np.int64)
    np.maximum.at(closeness, found.owner * width + found.query, RADIUS + 1 - found.distance)
    order = np.argsort(-closeness.reshape(-1, width).sum(axis=1), kind="stable")
    return [found.recordings[at] for at in order if found.recordings[at] != but]


def open_duplicate_index(workspace: Workspace) -> DuplicateIndex:
    """The workspace's index, in its folder `duplicates`, which is made if it is not there."""
    return DuplicateIndex(workspace.folder / "duplicates", workspace.objects)


def catch_up(workspace: Workspace) -> int:
    """Enter what other computers have processed in this computer's index; returns how many recordings."""
    processed = (State.ACCEPTED, State.FLAGGED, State.RETURNED, State.REJECTED)
    rows = workspace.catalog.recordings(*processed)
    with open_duplicate_index(workspace) as index:
        return index.catch_up(row.recording for row in rows if row.sent_to is None)


def find_duplicates(
    workspace: Workspace, recording: str, contributor: str, fingerprint: Fingerprint, limit: AtMost
) -> CheckRecord:
    """Look for a recording among all that were processed before, and enter it there.

    Recordings that were withdrawn or erased since are removed from the index and not named.

    Returns the check `duplicate`: its value is the largest share, its ranges are where this recording is the other.
    """
    with open_duplicate_index(workspace) as index:
        contributors: dict[str, str] = {}
        matches = []
        for match in index.find(recording, fingerprint):
            try:
                row = workspace.catalog.recording(match.recording)
            except NotFound:
                row = None
            if row is None or row.state in (State.WITHDRAWN, State.ERASED):
                index.remove(match.recording)
            else:
                contributors[match.recording] = row.contributor
                matches.append(match)
        index.add(recording, fingerprint)
    return duplicate_check(matches, contributor, contributors, limit)


def forget_fingerprint(workspace: Workspace, recording: str) -> None:
    """Delete all that the workspace knows to find a recording again: when it is withdrawn or erased."""
    with open_duplicate_index(workspace) as index:
        index.remove(recording)


def duplicate_check(
    matches: Sequence[Match], contributor: str, contributors: Mapping[str, str], limit: AtMost
) -> CheckRecord:
    """The check `duplicate`, from what was found and who recorded it, by the thresholds of the task."""
    if not matches:
        return judge("duplicate", limit, Finding(0.0, "no other recording shows this take"))
    best = matches[0]
    whose = "the same contributor" if contributors[best.recording] == contributor else "another contributor"
    words = f"{best.share:.0%} of it shows what recording {best.recording} by {whose} shows, {_how(best)}"
    if len(matches) > 1:
        words += f"; and {len(matches) - 1} more recordings do"
    return judge("duplicate", limit, Finding(best.value, words, (best.range_ns,)), DUPLICATE_CHECK.advice)


def _how(match: Match) -> str:
    start, end = (time / 1e9 for time in match.range_ns)
    other_start, other_end = (time / 1e9 for time in match.other_range_ns)
    words = f"{start:.1f} s to {end:.1f} s being its {other_start:.1f} s to {other_end:.1f} s"
    if match.is_mirrored:
        words += ", mirrored"
    if abs(match.speed - 1) > 0.08:
        words += f", at {match.speed:.2g} times its speed"
    return words + {"video": " (by its pictures)", "motion": " (by its motion)", "both": ""}[match.evidence]
