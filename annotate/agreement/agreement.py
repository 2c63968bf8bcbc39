"""How well annotators agree, by task, by track and by pair of them: from their segments, with intervals.

What is compared: recordings of a task that at least two people labelled. An annotation without segments counts: its
annotator looked and found nothing. On a track that nobody labelled in a recording there is nothing to score there, and
the scores leave it out; for the alphas all have left a gap, and so agree. The label of a segment is its `label` alone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annotate.agreement.agreement_estimates import CONFIDENCE, Measures, Tally, compare, estimates, resampled, together
from annotate.agreement.segment_matching import Intervals, intervals_of, sorted_segments
from annotate.agreement.unitizing_alpha import coincidences
from kinesphere.errors import InvalidInput
from storage.catalog import FinishedAnnotation


@dataclass(frozen=True)
class TrackAgreement:
    """How well some annotators agree on one track."""

    track: str
    recordings: int
    """That at least two of them labelled."""
    comparisons: int
    """How often two of them labelled the same recording."""
    segments: int
    """Of all who are compared."""
    overlapping: int
    """Recordings in which somebody's segments overlap each other, which the alphas leave out."""
    measures: Measures


@dataclass(frozen=True)
class PairAgreement:
    """How well two annotators agree."""

    annotators: tuple[str, str]
    tracks: tuple[TrackAgreement, ...]


@dataclass(frozen=True)
class TaskAgreement:
    """How well the annotators of a task agree: all together, and each two of them."""

    task: str
    annotators: int
    """Who labelled a recording that another labelled too."""
    recordings: int
    tracks: tuple[TrackAgreement, ...]
    pairs: tuple[PairAgreement, ...]


@dataclass(frozen=True)
class AgreementReport:
    """How well annotators agree, by task."""

    tasks: tuple[TaskAgreement, ...]
    resamples: int
    """Of recordings, from which intervals are."""
    seed: int
    confidence: float = CONFIDENCE


def agreement(
    annotations: Iterable[FinishedAnnotation],
    *,
    tracks: Sequence[str] | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> AgreementReport:
    """Compare all who labelled the same recordings; tasks of which nobody did are left out.

    Intervals are those of the bootstrap over recordings (see `agreement_estimates`). The same annotations and the
    same seed give the same numbers. Few recordings give an interval that is too narrow, and one gives none.

    Args:
        tracks: the tracks to compare; by default those on which somebody has a segment in that task.

    Raises:
        InvalidInput: somebody labelled a recording twice, two annotations do not agree on how long it is, or a segment
            does not lie in it.
    """
    by_task: dict[str, dict[str, list[FinishedAnnotation]]] = defaultdict(lambda: defaultdict(list))
    for annotation in annotations:
        by_task[annotation.task][annotation.recording].append(annotation)
    found = []
    for task in sorted(by_task):
        shared = {name: by_task[task][name] for name in sorted(by_task[task]) if len(by_task[task][name]) > 1}
        for name, several in shared.items():
            _check(name, several)
        if shared:
            found.append(_task_agreement(task, shared, tracks, resamples, seed))
    return AgreementReport(tuple(found), resamples, seed)


def to_manifest(report: AgreementReport) -> dict[str, Any]:
    """The report as plain JSON for the manifest of a version, in which annotators have numbers and no names.

    A version is read by others, and how well a person labels is theirs: numbers go from who labelled most that was
    compared. What is not defined is null.
    """
    content = asdict(report)
    for task, plain in zip(report.tasks, content["tasks"], strict=True):
        done: dict[str, int] = defaultdict(int)
        for pair in task.pairs:
            for name in pair.annotators:
                done[name] += sum(track.recordings for track in pair.tracks)
        order = sorted(done, key=lambda name: (-done[name], name))
        number = {name: place for place, name in enumerate(order, 1)}
        for pair in plain["pairs"]:
            pair["annotators"] = sorted(number[name] for name in pair["annotators"])
        plain["pairs"] = sorted(plain["pairs"], key=lambda pair: pair["annotators"])
    rounded: dict[str, Any] = _plain(content)
    return rounded


def _plain(value: Any) -> Any:
    """Lists in place of tuples, and numbers with as many digits as mean something."""
    if isinstance(value, Mapping):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return round(value, 4) if isinstance(value, float) else value


def _check(recording: str, several: Sequence[FinishedAnnotation]) -> None:
    names = [annotation.annotator for annotation in several]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InvalidInput(
            f"'{twice[0]}' labelled recording {recording} twice; hand over one annotation of each person"
        )
    lengths = sorted({annotation.frames for annotation in several})
    if len(lengths) > 1 or lengths[0] < 1:
        raise InvalidInput(
            f"annotations of recording {recording} say that it has {' and '.join(map(str, lengths))} frames; "
            "they must be of one trajectory, which has a frame at least"
        )
    for annotation in several:
        last = max((segment.end_frame for segment in annotation.segments), default=0)
        if last > annotation.frames:
            raise InvalidInput(
                f"a segment of '{annotation.annotator}' in recording {recording} ends at frame {last}, and it has "
                f"{annotation.frames}"
            )


@dataclass(frozen=True, eq=False)
class _Compared:
    """One track of one recording: everybody's segments, and each two of them compared."""

    annotators: Mapping[str, Intervals]
    comparisons: Mapping[tuple[str, str], Tally]
    frames: int

    def coincidences(self, names: Iterable[str], labels: int) -> NDArray[np.float64] | None:
        """Of some annotators together, unless somebody's segments overlap."""
        present = [self.annotators[name] for name in names if name in self.annotators]
        if not all(side.is_disjoint for side in present):
            return None
        return coincidences(present, self.frames, labels)


def _task_agreement(
    task: str,
    shared: Mapping[str, Sequence[FinishedAnnotation]],
    tracks: Sequence[str] | None,
    resamples: int,
    seed: int,
) -> TaskAgreement:
    everything = [annotation for several in shared.values() for annotation in several]
    used = {segment.track for annotation in everything for segment in annotation.segments}
    of_tracks = []
    of_pairs: dict[tuple[str, str], list[TrackAgreement]] = {}
    for track in sorted(used) if tracks is None else dict.fromkeys(tracks):
        codes: dict[str, int] = {}
        compared = [_compared(track, several, codes) for several in shared.values()]
        people = sorted({name for one in compared for name in one.annotators})
        of_tracks.append(_track_agreement(track, compared, people, len(codes), resamples, seed))
        for pair in sorted({pair for one in compared for pair in one.comparisons}):
            of_pair = [one for one in compared if pair in one.comparisons]
            found = _track_agreement(track, of_pair, pair, len(codes), resamples, seed)
            of_pairs.setdefault(pair, []).append(found)
    return TaskAgreement(
        task=task,
        annotators=len({annotation.annotator for annotation in everything}),
        recordings=len(shared),
        tracks=tuple(of_tracks),
        pairs=tuple(PairAgreement(pair, tuple(found)) for pair, found in of_pairs.items()),
    )


def _compared(track: str, several: Sequence[FinishedAnnotation], codes: dict[str, int]) -> _Compared:
    annotators = {
        one.annotator: intervals_of(sorted_segments(part for part in one.segments if part.track == track), codes)
        for one in sorted(several, key=lambda one: one.annotator)
    }
    pairs = {(a, b): compare(annotators[a], annotators[b]) for a, b in combinations(annotators, 2)}
    return _Compared(annotators, pairs, several[0].frames)


def _track_agreement(
    track: str, compared: Sequence[_Compared], names: Sequence[str], labels: int, resamples: int, seed: int
) -> TrackAgreement:
    tallies = [
        [tally for pair, tally in one.comparisons.items() if pair[0] in names and pair[1] in names] for one in compared
    ]
    counts = [one.coincidences(names, labels) for one in compared]
    weights = resampled(len(compared), resamples, seed)
    return TrackAgreement(
        track=track,
        recordings=len(compared),
        comparisons=sum(len(several) for several in tallies),
        segments=sum(len(one.annotators[name]) for one in compared for name in names if name in one.annotators),
        overlapping=sum(one is None for one in counts),
        measures=estimates([together(several) for several in tallies], counts, weights),
    )
