"""Proposals: where segments may begin and end, by motion, and their likely labels, by what was labelled before."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from annotate.proposals.change_points import LEAST_SECONDS, PENALTY, Edge, edges
from annotate.proposals.neighbours import Examples, Likely, Neighbours, examples_in, joined, learn, segment_features
from annotate.proposals.postures import RATE, Postures, postures
from annotate.signals.trajectory_reader import TrajectoryReader, open_trajectory
from kinesphere.errors import InvalidInput
from storage.recordings.segment import TRACKS, Segment
from storage.workspace import Workspace

_NEAREST_NS = 1_000
"""Moments come back from floating point: so much early is still the frame."""


@dataclass(frozen=True)
class Proposal:
    """A segment that there may be: frames `[start_frame, end_frame)`, times `[start_ns, end_ns)`."""

    track: str
    start_frame: int
    end_frame: int
    start_ns: int
    end_ns: int
    label: str | None
    """None: nothing like it was labelled yet."""
    confidence: float
    """0 to 1, to be compared with others of the recording: the less sure edge's strength, times the label's share of
    the nearest neighbours' votes where there is a label. It is no probability."""
    why: str
    """For the annotator, in half a line."""


_Span = tuple[Edge, Edge]


def propose(
    workspace: Workspace,
    recording: str,
    *,
    tracks: Sequence[str] = TRACKS,
    neighbours: Neighbours | None = None,
) -> tuple[Proposal, ...]:
    """Propose segments where a recording has none yet, by track and in order of time. Nothing in it is random.

    Args:
        neighbours: what `learn` gave for the recording's task, if it is at hand. The recording's own segments are
            always learned from.

    Raises:
        InvalidInput: there is no such track.
        NotFound: there is no such recording.
        Conflict: it is not extracted yet.
        CorruptObject: a shard is missing or damaged.
        MissingDependency: ruptures is not installed.
    """
    trajectory = open_trajectory(workspace, recording)
    if neighbours is None:
        neighbours = learn(workspace, workspace.catalog.recording(recording).task, without=recording)
    return proposals_of(trajectory, workspace.catalog.segments(recording), neighbours, tracks=tracks)


def proposals_of(
    trajectory: TrajectoryReader,
    segments: Sequence[Segment] = (),
    neighbours: Neighbours | None = None,
    *,
    tracks: Sequence[str] = TRACKS,
    penalty: float = PENALTY,
) -> tuple[Proposal, ...]:
    """Like `propose`, of a trajectory and what is labelled in it already.

    Args:
        trajectory: of the recording.
        segments: what is labelled in it already.
        neighbours: the labelled segments that labels are proposed by; None proposes no labels.
        tracks: those that segments are proposed for.
        penalty: what one more edge costs; larger gives fewer segments.

    Returns:
        The segments that are proposed, in order of time.

    Raises:
        InvalidInput: there is no such track.
    """
    if strange := set(tracks) - set(TRACKS):
        raise InvalidInput(f"there is no track '{min(strange)}' (there is: {', '.join(TRACKS)})")
    found = postures(trajectory)
    known = joined([examples_in(segments, found), neighbours or {}])
    times = trajectory.times_ns()
    proposals: list[Proposal] = []
    for track in tracks:
        covered = _covered(found[track], [segment for segment in segments if segment.track == track])
        examples = known.get(track, Examples())
        runs = _moved(found[track], edges(found[track], penalty=penalty), examples)
        spans = [free for run in runs for span in pairwise(run) for free in _free(span, covered)]
        votes = examples.likely(_features(found[track], spans))
        for span, likely in zip(spans, votes, strict=True):
            proposal = _proposal(track, found[track], span, likely, times)
            # what annotators left without a label is nothing to propose
            if proposal.start_frame < proposal.end_frame and (likely is None or likely.label is not None):
                proposals.append(proposal)
    return tuple(proposals)


def _moved(track: Postures, runs: Sequence[Sequence[Edge]], examples: Examples) -> list[list[Edge]]:
    """Edges where annotators would set them, by what they did with segments like those on either side.

    Some have a segment begin when the hand sets out, others when it has arrived; changes lie between the two.
    """
    moved = []
    for run in runs:
        votes = examples.likely(_features(track, list(pairwise(run))))
        result = [run[0]]
        for place in range(1, len(run) - 1):
            sides = votes[place - 1], votes[place]
            offsets = [likely.offsets[1 - side] for side, likely in enumerate(sides) if likely is not None]
            known = [offset for offset in offsets if np.isfinite(offset)]
            moment = run[place].moment + (RATE * sum(known) / len(known) if known else 0)
            # no farther than half the way to the next
            least, most = ((run[place].moment + run[other].moment) / 2 for other in (place - 1, place + 1))
            result.append(replace(run[place], moment=min(max(moment, least), most)))
        moved.append([*result, run[-1]])
    return moved


def _features(track: Postures, spans: Sequence[_Span]) -> NDArray[np.float64]:
    """The features of every span, one a row."""
    found = [segment_features(track, *(track.time_of(edge.moment) for edge in span)) for span in spans]
    return np.stack(found) if found else np.empty((0, 0))


def _covered(track: Postures, labelled: Sequence[Segment]) -> list[tuple[float, float]]:
    """The moments that segments cover, in order and apart from each other."""
    covered: list[tuple[float, float]] = []
    for segment in sorted(labelled, key=lambda segment: segment.start_ns):
        begins, ends = track.moment_of(segment.start_ns), track.moment_of(segment.end_ns)
        if covered and begins <= covered[-1][1]:
            covered[-1] = covered[-1][0], max(covered[-1][1], ends)
        else:
            covered.append((begins, ends))
    return covered


def _free(span: _Span, covered: Sequence[tuple[float, float]]) -> Iterator[_Span]:
    """The parts of a span that no segment covers and that are long enough to be one."""
    start, end = span
    first = bisect_right(covered, start.moment, key=lambda interval: interval[1])
    for begins, ends in covered[first:]:
        if begins >= end.moment:
            break
        if _is_long_enough(start.moment, begins):
            yield start, _beside_segment(begins)
        start = _beside_segment(ends)
    if _is_long_enough(start.moment, end.moment):
        yield start, end


def _beside_segment(moment: float) -> Edge:
    return Edge(moment, 1.0, "a labelled segment")


def _is_long_enough(start: float, end: float) -> bool:
    # half a moment less, as edges come to lie on frames
    return end - start >= LEAST_SECONDS * RATE - 0.5


def _proposal(name: str, track: Postures, span: _Span, likely: Likely | None, times_ns: NDArray[np.int64]) -> Proposal:
    last_step = int(times_ns[-1] - times_ns[-2]) if len(times_ns) > 1 else 1
    moments_ns = np.array([track.time_of(edge.moment) for edge in span])
    start, end = np.searchsorted(times_ns, moments_ns - _NEAREST_NS).tolist()
    start_ns, end_ns = int(times_ns[start]), int(times_ns[end] if end < len(times_ns) else times_ns[-1] + last_step)
    confidence = min(edge.strength for edge in span) * (likely.confidence if likely else 1.0)
    label = likely.label if likely else None
    return Proposal(name, start, end, start_ns, end_ns, label, round(confidence, 4), _why(span, likely))


def _why(span: _Span, likely: Likely | None) -> str:
    begins, ends = (edge.border for edge in span)
    why = "between two changes of posture"
    if begins or ends:
        why = f"from {begins or 'a change of posture'} to {ends or 'a change of posture'}"
    if likely is not None:
        why += f"; {likely.agreeing} of the {likely.asked} most alike are '{likely.label}'"
    return why
