"""Duplicates: whether a recording is another one again, by how its pictures look and by how the person moves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from annotate.checks.built_in_checks import BUILT_IN
from annotate.checks.findings import Finding, judge
from annotate.checks.limits import Limit
from annotate.duplicates.comparison import Evidence, Match, Query, Views
from annotate.duplicates.fingerprint import Fingerprint, fingerprint_key
from annotate.duplicates.hamming_index import HammingIndex, Neighbours
from annotate.duplicates.hamming_segment import FLIPS, RADIUS
from kinesphere.errors import CorruptObject, NotFound
from kinesphere.objects.store import Objects
from storage.catalog import CheckRecord
from storage.erasure.late_writes import remove_empty_folder
from storage.recordings.recording import State
from storage.workspace import Workspace

CANDIDATES = 20
"""Recordings that each index finds nearest are compared in full."""
WINDOW_QUERIES = 480
"""Windows that are looked up in an index: phases of a fifth of a second, both ways round, at each speed."""
WINDOW_FLIPS = 0
"""Bits by which a band of a window may differ: see `HammingIndex.neighbours`. Windows of smooth signals crowd:
with two, 240 of them took 4 s of processor time among 10^5 recordings. Twice as many make up for most of the loss."""


class DuplicateIndex:
    """The fingerprints of a workspace's recordings, in indexes on the local disk. Close it, or use it with `with`.

    The indexes only tell whom to compare with; what is compared are the fingerprints in the object store.
    """

    def __init__(self, folder: Path, objects: Objects) -> None:
        self._objects = objects
        with ExitStack() as opened:
            self._video, self._motion, self._change = (
                opened.enter_context(HammingIndex(folder / name)) for name in ("video", "motion", "change")
            )
            self._opened = opened.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __contains__(self, recording: str) -> bool:
        return any(recording in index for index in (self._video, self._motion, self._change))

    def close(self) -> None:
        """Let others open it."""
        self._opened.close()

    def add(self, recording: str, fingerprint: Fingerprint) -> None:
        """Store a fingerprint and enter it, in place of what was known of the recording."""
        self._objects.put(fingerprint_key(recording), fingerprint.to_bytes())
        for index, times_ns, hashes in self._entries(fingerprint):
            index.add(recording, times_ns // 1_000_000, hashes)

    def catch_up(self, recordings: Iterable[str]) -> int:
        """Enter those of some recordings that are not in all indexes but whose fingerprint is stored.

        Other computers have processed them, or the folder of an index was lost, or an earlier release had fewer of
        them. Returns how many were entered.
        """
        indexes = (self._video, self._motion, self._change)
        missing = sorted(name for name in recordings if not all(name in index for index in indexes))
        if not missing:
            return 0
        stored = set(self._objects.keys("recordings"))
        found = [name for name in missing if fingerprint_key(name) in stored]
        entered = 0
        for name in found:
            fingerprint = self._stored(name)
            if fingerprint is None:
                continue
            entered += 1
            for index, times_ns, hashes in self._entries(fingerprint):
                if name not in index:
                    index.add(name, times_ns // 1_000_000, hashes)
        return entered

    def names(self) -> set[str]:
        """The recordings of which any index knows something."""
        return self._video.names() | self._motion.names() | self._change.names()

    def _stored(self, recording: str) -> Fingerprint | None:
        """The fingerprint of a recording; None where there is none (any more: it may be erased at any moment)."""
        key = fingerprint_key(recording)
        try:
            content = self._objects.get(key)
        except CorruptObject:
            return None
        return Fingerprint.from_bytes(content, key)

    def _entries(
        self, fingerprint: Fingerprint
    ) -> tuple[tuple[HammingIndex, NDArray[np.int64], NDArray[np.uint8]], ...]:
        """What each index holds of a recording: one hash a second."""
        each = fingerprint.video.each_second()
        return (
            (self._motion, *fingerprint.motion.hashes()),
            (self._change, *fingerprint.change.hashes()),
            (self._video, each.times_ns, each.hashes),
        )

    def remove(self, recording: str) -> None:
        """Delete all that is known of a recording: from the indexes and from the object store."""
        for index in (self._video, self._motion, self._change):
            index.remove(recording)
        self._objects.delete(fingerprint_key(recording))
        remove_empty_folder(self._objects, f"recordings/{recording}")

    def candidates(self, query: Query, but: str = "") -> dict[str, list[Evidence]]:
        """The recordings most like this one, `CANDIDATES` by each index, and the indexes that name them."""
        each = query.fingerprint.video.each_second()
        asked: tuple[tuple[Evidence, HammingIndex, NDArray[np.uint8], int], ...] = (
            ("video", self._video, np.concatenate([_some(each.hashes, 60), _some(each.mirrored, 60)]), FLIPS),
            ("change", self._change, _window_queries(query.change), WINDOW_FLIPS),
            ("motion", self._motion, _window_queries(query.motion), WINDOW_FLIPS),
        )
        found: dict[str, list[Evidence]] = {}
        for evidence, index, hashes, flips in asked:
            for name in _nearest(index.neighbours(hashes, flips=flips), but)[:CANDIDATES]:
                found.setdefault(name, []).append(evidence)
        return found

    def find(self, recording: str, fingerprint: Fingerprint) -> list[Match]:
        """The recordings in the index that show the same take as this one, largest share first."""
        found, query = [], Query.of(fingerprint)
        for name, evidence in self.candidates(query, but=recording).items():
            known = self._stored(name)
            if known is None:  # erased with its recording: the index forgets it too
                self.remove(name)
                continue
            match = query.compare(known, name, first=evidence)
            if match is not None:
                found.append(match)
        return sorted(found, key=lambda match: -match.value)


def _some(hashes: NDArray[np.uint8], most: int) -> NDArray[np.uint8]:
    at = np.linspace(0, len(hashes) - 1, min(len(hashes), most)).astype(np.int64)
    return np.asarray(hashes[at], np.uint8)


def _window_queries(views: Views) -> NDArray[np.uint8]:
    most = WINDOW_QUERIES // len(views.windows)
    return np.asarray(np.concatenate([_some(hashes, most) for *_, hashes in views.windows]), np.uint8)


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
    """Open the workspace's index, in its folder `duplicates`, which is made if it is not there.

    Args:
        workspace: whose recordings it holds.

    Returns:
        The index, to be closed or used with `with`.
    """
    return DuplicateIndex(workspace.folder / "duplicates", workspace.objects)


def catch_up(workspace: Workspace) -> int:
    """Enter what other computers have processed in this computer's index.

    Args:
        workspace: whose catalog lists them.

    Returns:
        How many recordings were entered.
    """
    processed = (State.ACCEPTED, State.FLAGGED, State.RETURNED, State.REJECTED)
    rows = workspace.catalog.recordings(*processed)
    with open_duplicate_index(workspace) as index:
        return index.catch_up(row.recording for row in rows if row.sent_to is None)


def find_duplicates(
    workspace: Workspace, recording: str, contributor: str, fingerprint: Fingerprint, limit: Limit
) -> CheckRecord:
    """Look for a recording among all that were processed before, and enter it there.

    Recordings that were withdrawn or erased since are removed from the index and not named.

    Args:
        workspace: that the recording is in.
        recording: its id.
        contributor: who recorded it.
        fingerprint: its own.
        limit: of the check `duplicate`, as the task has it.

    Returns:
        The check `duplicate`: its value is the largest share, its ranges are where this recording is the other.
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
    """Delete all that the workspace knows to find a recording again: when it is withdrawn or erased.

    Args:
        workspace: that the recording was in.
        recording: its id.
    """
    with open_duplicate_index(workspace) as index:
        index.remove(recording)


def duplicate_check(
    matches: Sequence[Match], contributor: str, contributors: Mapping[str, str], limit: Limit
) -> CheckRecord:
    """The check `duplicate`, from what was found and who recorded it, by the thresholds of the task.

    What is found by the person's motion alone may be what another camera saw of the same take, which is no duplicate:
    that is a doubt at most, and one that is found by pictures goes before it.
    """
    if not matches:
        return judge("duplicate", limit, Finding(0.0, "no other recording shows this take"))
    best = min(matches, key=lambda match: (match.is_another_view_perhaps, -match.value))
    whose = "the same contributor" if contributors[best.recording] == contributor else "another contributor"
    words = f"{best.share:.0%} of it shows what recording {best.recording} by {whose} shows, {_how(best)}"
    if len(matches) > 1:
        words += f"; and {len(matches) - 1} more recordings do"
    check = judge("duplicate", limit, Finding(best.value, words, (best.range_ns,)), BUILT_IN["duplicate"].advice)
    return replace(check, verdict="doubt") if best.is_another_view_perhaps and check.verdict == "fail" else check


_EVIDENCE = {
    "video": "its pictures",
    "change": "where its pictures change",
    "motion": "how the person moves",
}


def _how(match: Match) -> str:
    start, end = (time / 1e9 for time in match.range_ns)
    other_start, other_end = (time / 1e9 for time in match.other_range_ns)
    words = f"{start:.1f} s to {end:.1f} s being its {other_start:.1f} s to {other_end:.1f} s"
    if match.is_mirrored:
        words += ", mirrored"
    if abs(match.speed - 1) > 0.08:
        words += f", at {match.speed:.2g} times its speed"
    if match.is_another_view_perhaps:
        return words + " (by how the person moves alone: perhaps another camera's view of it)"
    return words + f" (by {' and '.join(_EVIDENCE[evidence] for evidence in match.evidence)})"
