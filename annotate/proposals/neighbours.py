"""What labelled segments say of one without a label: the labels of those whose motion is most alike."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from annotate.proposals.change_points import LEAST_SECONDS, edges
from annotate.proposals.postures import LONGEST_SECONDS, Postures, postures
from annotate.signals.trajectory_reader import open_trajectory
from storage.recordings.recording import State
from storage.recordings.segment import TRACKS, Segment
from storage.workspace import Workspace

Floats = NDArray[np.float64]

POINTS = 8
"""Moments of a segment, first to last, at which its postures are compared: how long it takes counts little."""
DURATION_WEIGHT = 0.2
"""How much twice (more precisely e times) the duration is worth, in units of a posture."""
NEAREST = 5
RADIUS = 0.5
"""Segments that differ by this, root mean square in units of a posture, are still much alike ..."""
UNLIKE = 2.0
"""... and at this many times the radius a single neighbour is as likely to be wrong as right."""
_ROWS = 256
"""Segments that are compared with all examples at a time."""
LARGEST_OFFSET = 0.5
"""Seconds; an edge that an annotator set farther from any change has nothing to do with it."""
MOST_FRAMES = 216_000
"""Of the newest labelled recordings of a task: two hours at 30 frames a second."""


@dataclass(frozen=True)
class Likely:
    """What the nearest neighbours of a segment say."""

    label: str | None
    """None: they are stretches between segments, which annotators left without a label."""
    confidence: float
    """The label's share of the neighbours' votes, with one for "like none of them"; near ones count more."""
    agreeing: int
    asked: int
    offsets: tuple[float, float]
    """Seconds from the nearest changes to where annotators had those that agree begin and end; NaN if unknown."""


@dataclass(frozen=True)
class Examples:
    """Labelled segments of one track, and the gaps between them."""

    features: Floats = field(default_factory=lambda: np.empty((0, 0)))
    """`(examples, POINTS * numbers + 1)`, see `segment_features`."""
    labels: tuple[str | None, ...] = ()
    offsets: Floats = field(default_factory=lambda: np.empty((0, 2)))
    """`(examples, 2)`: seconds from the nearest change of posture to beginning and end; NaN where none is near."""

    def likely(self, features: Floats) -> list[Likely | None]:
        """What those nearest to each row of `features` are; None where there are none, or none that is alike."""
        if not self.labels or not len(features):
            return [None] * len(features)
        lengths = np.square(self.features).sum(axis=1)
        found: list[Likely | None] = []
        for first in range(0, len(features), _ROWS):
            rows = features[first : first + _ROWS]
            # |a - b|² without the differences, which would take far more memory
            squares = np.square(rows).sum(axis=1)[:, None] + lengths - 2 * rows @ self.features.T
            squares = np.maximum(squares, 0)
            nearest = np.argsort(squares, axis=1, kind="stable")[:, :NEAREST]
            found.extend(self._vote(places, squares[row, places]) for row, places in enumerate(nearest))
        return found

    def _vote(self, places: NDArray[np.int64], squares: Floats) -> Likely | None:
        votes = np.exp(-squares / RADIUS**2)
        names = [self.labels[place] for place in places]
        # the first named of equals: dictionaries keep the order, nearest first
        shares: dict[str | None, float] = dict.fromkeys(names, 0.0)
        for name, vote in zip(names, votes, strict=True):
            shares[name] += float(vote)
        label = max(shares, key=lambda name: shares[name])
        confidence = shares[label] / (sum(shares.values()) + np.exp(-(UNLIKE**2)))
        if confidence < 0.5:
            return None
        agreeing = [place for place, name in zip(places, names, strict=True) if name == label]
        starts, ends = (_median(self.offsets[agreeing, side]) for side in (0, 1))
        return Likely(label, float(confidence), len(agreeing), len(names), (starts, ends))


def _median(values: Floats) -> float:
    known = values[np.isfinite(values)]
    return float(np.median(known)) if len(known) else float("nan")


Neighbours = Mapping[str, Examples]
"""The examples of each track."""


def learn(workspace: Workspace, task: str, *, without: str | None = None) -> Neighbours:
    """The labelled segments of the newest recordings of a task, up to `MOST_FRAMES` frames of them.

    Recordings that are withdrawn, or last longer than `postures.LONGEST_SECONDS`, are left out. It takes about as long
    as reading the others: keep the result while an annotator works.

    Args:
        workspace: that holds the recordings.
        task: its name.
        without: a recording that is left out, as it is the one being labelled.

    Returns:
        What labels are proposed by.

    Raises:
        CorruptObject: a shard is missing or damaged.
    """
    found: list[Neighbours] = []
    frames = 0
    for row in reversed(workspace.catalog.recordings(State.ACCEPTED, State.FLAGGED)):
        if row.task != task or row.recording == without or row.duration_ns > LONGEST_SECONDS * 1e9:
            continue
        segments = workspace.catalog.segments(row.recording)
        if not segments:
            continue
        trajectory = open_trajectory(workspace, row.recording)
        frames += trajectory.length
        if frames > MOST_FRAMES and found:
            break
        found.append(examples_in(segments, postures(trajectory)))
    return joined(found)


def joined(several: Sequence[Neighbours]) -> Neighbours:
    """The examples of several recordings, the first named first."""
    tracks = dict.fromkeys(track for neighbours in several for track in neighbours)
    together = {}
    for track in tracks:
        parts = [neighbours[track] for neighbours in several if track in neighbours]
        labels = tuple(label for part in parts for label in part.labels)
        features, offsets = (
            np.concatenate([getattr(part, name) for part in parts]) for name in ("features", "offsets")
        )
        together[track] = Examples(features, labels, offsets)
    return together


def examples_in(segments: Iterable[Segment], found: Mapping[str, Postures]) -> Neighbours:
    """The examples in one recording: its segments, and the gaps between neighbouring segments of a track.

    Before the first and after the last segment there may just be work left to do.
    """
    neighbours: dict[str, Examples] = {}
    ordered = sorted(segments, key=lambda segment: (segment.start_ns, segment.end_ns))
    for track in TRACKS:
        intervals = _with_gaps([segment for segment in ordered if segment.track == track])
        if not intervals:
            continue
        track_edges = (edge for run in edges(found[track]) for edge in run)
        changes = np.array([found[track].time_of(edge.moment) / 1e9 for edge in track_edges if edge.border is None])
        spans = [(start_ns, end_ns) for start_ns, end_ns, _ in intervals]
        features = np.stack([segment_features(found[track], *span) for span in spans])
        offsets = np.array([[_offset(changes, moment / 1e9) for moment in span] for span in spans])
        neighbours[track] = Examples(features, tuple(label for *_, label in intervals), offsets)
    return neighbours


def _with_gaps(segments: Sequence[Segment]) -> list[tuple[int, int, str | None]]:
    """Beginning, end and label of the segments of a track, in order, and of the gaps between them, without a label."""
    found: list[tuple[int, int, str | None]] = []
    last_end: int | None = None
    for segment in segments:
        if last_end is not None and segment.start_ns - last_end >= LEAST_SECONDS * 1e9:
            found.append((last_end, segment.start_ns, None))
        found.append((segment.start_ns, segment.end_ns, segment.label))
        last_end = max(last_end or 0, segment.end_ns)
    return found


def _offset(changes: Floats, second: float) -> float:
    """How much later than the nearest change this is; NaN if none is near."""
    if not len(changes):
        return float("nan")
    offset = second - float(changes[np.abs(changes - second).argmin()])
    return offset if abs(offset) <= LARGEST_OFFSET else float("nan")


def segment_features(track: Postures, start_ns: int, end_ns: int) -> Floats:
    """What tells one motion from another, float64 `(POINTS * numbers + 1,)`.

    The postures at `POINTS` equal steps from beginning to end, places from their mean, and the logarithm of the
    duration. Scaled so that the Euclidean distance of two is the root mean square distance of their postures.
    """
    duration = (end_ns - start_ns) / 1e9
    at = np.linspace(track.moment_of(start_ns), track.moment_of(end_ns), 2 * POINTS + 1)[1::2] - 0.5
    at = np.clip(at, 0, len(track.values) - 1)
    lower = at.astype(np.int64)
    share = (at - lower)[:, None]
    values = track.values[lower] * (1 - share) + track.values[np.minimum(lower + 1, len(track.values) - 1)] * share
    places = list(track.places)
    values[:, places] -= values[:, places].mean(axis=0)
    return np.append(values.ravel() / np.sqrt(POINTS), DURATION_WEIGHT * np.log(max(duration, 1e-3)))
