"""What proposals are worth and what they cost: edges found, keys saved, time. `python -m benchmarks.proposals`.

The labelled clips are few: two real ones of 28 seconds with 35 edges, labelled once by one pair of eyes, and
performances made from a seed (tests/support/labelled_clips.py says how). Beside ours are edges at even distances, which
hit some by chance, minima of motion, and other methods of ruptures on the same postures.

Keys are counted by a model, not by people:

* to accept a proposal takes 1 key, to drop one 1, to give a label 1;
* to move an edge that is more than the tolerance off takes 3: choose it, and two to bring it there;
* to make a segment from nothing takes 7: for either edge two keys to find it and one to mark it, and the label. Where
  edges are marked while the video plays, it is 3.

The annotator goes from left to right, and whatever they have done so far is learned from. Of the proposals that
overlap a segment they take the best, if it overlaps by half (IoU) and mending it takes fewer keys than the segment from
nothing; they drop those that come before it.
"""

from __future__ import annotations

import argparse
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from annotate.proposals.change_points import LEAST_SECONDS, PENALTY
from annotate.proposals.motion_minima import motion_minima
from annotate.proposals.neighbours import Neighbours, examples_in, joined
from annotate.proposals.postures import RATE, postures
from annotate.proposals.proposals import Proposal, proposals_of
from annotate.signals.signals import signals_of
from annotate.signals.trajectory_reader import TrajectoryReader
from kinesphere.objects.store import open_objects
from kinesphere.shards.shard import Shard
from kinesphere.trajectory import BASIC_ARRAYS, Trajectory, from_stored
from storage.recordings.segment import Segment
from storage.shards.shard_writer import write_shard
from studio.commands.output import print_table
from tests.support.generated_trajectories import EXTRACTOR
from tests.support.labelled_clips import REAL, LabelledClip, performed_clip, real_clip

TOLERANCES = (0.1, 0.25, 0.5)
ACCEPT, DROP, LABEL, MOVE, CREATE, CREATE_PLAYING = 1, 1, 1, 3, 7, 3
Method = Callable[[LabelledClip], NDArray[np.int64]]
"""Gives the times of a clip's edges in nanoseconds."""


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--performances", type=int, default=6, help="of either kind (default: %(default)s)")
    parser.add_argument("--minutes", type=int, nargs="*", default=[1, 10, 60], help="lengths that are timed")
    options = parser.parse_args()
    seeds = range(options.performances)
    groups = {name: [real_clip(name)] for name in REAL}
    groups["performed"] = [performed_clip(seed) for seed in seeds]
    groups["with pauses"] = [performed_clip(100 + seed, pauses=True) for seed in seeds]
    _edges(groups)
    _labels(groups)
    _keys(groups)
    _costs(options.minutes)


def boundary_f1(found: NDArray[np.int64], true: NDArray[np.int64], tolerance_ns: float) -> float:
    """Harmonic mean of precision and recall of edges, matched one to one, nearest first, within a tolerance."""
    if not len(found) and not len(true):
        return 1.0
    distance = np.abs(found[:, None] - true[None, :]).astype(np.float64)
    matched = 0
    while distance.size and distance.min() <= tolerance_ns:
        row, column = np.unravel_index(distance.argmin(), distance.shape)
        distance[row], distance[:, column] = np.inf, np.inf
        matched += 1
    return 2 * matched / (len(found) + len(true))


def _edges(groups: dict[str, list[LabelledClip]]) -> None:
    methods: dict[str, Method] = {
        f"proposals, penalty x{factor:g}": _by_proposals(PENALTY * factor) for factor in (0.5, 1, 2)
    }
    methods["minima of motion"] = _by_minima
    for name in ("rbf", "BottomUp", "Window"):
        for penalty in (0.25, 0.5, 1.0):
            methods[f"{name}, penalty {penalty:g}"] = _by_ruptures(name, penalty)
    rows: list[list[str]] = []
    for name, method in methods.items():
        began = time.process_time()
        found = {group: [(clip, method(clip)) for clip in clips] for group, clips in groups.items()}
        seconds = time.process_time() - began
        rows.append([name, *(_scores(pairs) for pairs in found.values()), f"{seconds:.2f} s"])
    even = {group: _even_scores(clips) for group, clips in groups.items()}
    rows.append(["as many at even distances", *even.values(), ""])
    counts = {group: sum(len(clip.edges_ns) for clip in clips) for group, clips in groups.items()}
    columns = ["", *(f"{group} ({count})" for group, count in counts.items()), "processor"]
    within = ", ".join(f"{tolerance:g}" for tolerance in TOLERANCES)
    print_table(f"F1 of edges within {within} s (number of true edges)", columns, rows)


def _scores(pairs: Sequence[tuple[LabelledClip, NDArray[np.int64]]]) -> str:
    means = [np.mean([boundary_f1(found, clip.edges_ns, seconds * 1e9) for clip, found in pairs])
             for seconds in TOLERANCES]  # fmt: skip
    return " ".join(f"{mean:.2f}" for mean in means)


def _even_scores(clips: Sequence[LabelledClip]) -> str:
    """The mean over ten places of the first edge."""
    pairs = []
    for clip in clips:
        times = clip.trajectory.times_ns()
        number = len(clip.edges_ns)
        for shift in np.linspace(0, 1, 10, endpoint=False):
            pairs.append((clip, (times[0] + (np.arange(number) + shift) / number * np.ptp(times)).astype(np.int64)))
    return _scores(pairs)


def _inside(clip: LabelledClip, edges_ns: set[int]) -> NDArray[np.int64]:
    times = clip.trajectory.times_ns()
    return np.array(sorted(edge for edge in edges_ns if times[0] < edge <= times[-1]), np.int64)


def _by_proposals(penalty: float) -> Method:
    def method(clip: LabelledClip) -> NDArray[np.int64]:
        found = proposals_of(clip.trajectory, tracks=[clip.track], penalty=penalty)
        return _inside(clip, {edge for proposal in found for edge in (proposal.start_ns, proposal.end_ns)})

    return method


def _by_minima(clip: LabelledClip) -> NDArray[np.int64]:
    energy = signals_of(clip.trajectory).values("motion energy")
    return motion_minima(clip.trajectory.times_ns(), energy).times_ns


def _by_ruptures(name: str, penalty: float) -> Method:
    """Another method of ruptures on the same postures."""
    import ruptures

    def method(clip: LabelledClip) -> NDArray[np.int64]:
        values = postures(clip.trajectory)[clip.track].values
        shortest = round(LEAST_SECONDS * RATE)
        search = {
            "rbf": lambda: ruptures.KernelCPD(kernel="rbf", min_size=shortest, params={"gamma": 1.0}),
            "BottomUp": lambda: ruptures.BottomUp(model="l2", min_size=shortest, jump=1),
            "Window": lambda: ruptures.Window(width=2 * round(RATE / 2), model="l2", min_size=shortest, jump=1),
        }[name]()
        moments = search.fit(values).predict(pen=penalty)[:-1]
        return _inside(clip, {int(moment / RATE * 1e9) for moment in moments})

    return method


def _labels(groups: dict[str, list[LabelledClip]]) -> None:
    """Labels of true segments, by what other performers did: how many get one, how many of those are right."""
    rows = []
    for group in ("performed", "with pauses"):
        clips = groups[group]
        for number in (1, 2, len(clips) - 1):
            given = right = total = 0
            for place, clip in enumerate(clips):
                others = [other for at, other in enumerate(clips) if at != place][:number]
                given_here, right_here = _labelled(clip, _learned(others))
                given, right, total = given + given_here, right + right_here, total + len(clip.segments)
            rows.append([group, str(number), f"{given / total:.0%}", f"{right / max(given, 1):.0%}", str(total)])
    columns = ["", "performers learned from", "given a label", "of those right", "segments"]
    print_table("Labels of segments whose edges are known", columns, rows)


def _learned(clips: Sequence[LabelledClip]) -> Neighbours:
    return joined([examples_in(clip.segments, postures(clip.trajectory)) for clip in clips])


def _labelled(clip: LabelledClip, known: Neighbours) -> tuple[int, int]:
    asked = examples_in(clip.segments, postures(clip.trajectory))[clip.track]
    given = right = 0
    for likely, label in zip(known[clip.track].likely(asked.features), asked.labels, strict=True):
        if label is None:
            continue
        given += likely is not None
        right += likely is not None and likely.label == label
    return given, right


@dataclass
class Keys:
    """What it took to label clips."""

    segments: int = 0
    accepted: int = 0
    moved: int = 0
    labelled: int = 0
    created: int = 0
    dropped: int = 0

    def total(self, create: int) -> int:
        """All keys, if a segment from nothing takes so many."""
        return (ACCEPT * self.accepted + MOVE * self.moved + LABEL * self.labelled + create * self.created
                + DROP * self.dropped)  # fmt: skip


def _keys(groups: dict[str, list[LabelledClip]]) -> None:
    rows = []
    for group, clips in groups.items():
        for learned in [0] if group in REAL else [0, len(clips) - 1]:
            shown = []
            for place, clip in enumerate(clips):
                others = [other for at, other in enumerate(clips) if at != place][:learned]
                shown.append((clip, _shown(clip, _learned(others))))
            for tolerance, create in product((0.1, 0.25), (CREATE, CREATE_PLAYING)):
                keys = Keys()
                for clip, proposals in shown:
                    _annotate(clip, proposals, tolerance * 1e9, create, keys)
                counts = (keys.segments, keys.accepted, keys.moved, keys.labelled, keys.created, keys.dropped)
                each = keys.total(create) / keys.segments
                rows.append(
                    [group, learned, f"{tolerance:g} s", create, *counts, f"{each:.2f}", f"{1 - each / create:.0%}"]
                )
    columns = ["", "recordings learned from", "tolerance", "keys from nothing", "segments", "accepted", "edges moved",
               "labels given", "made", "dropped", "keys a segment", "saved"]  # fmt: skip
    print_table("Keys, by the model above", columns, [list(map(str, row)) for row in rows])


def _shown(clip: LabelledClip, known: Neighbours) -> list[tuple[Proposal, ...]]:
    """The proposals before each segment is labelled, when all before it are."""
    return [
        proposals_of(clip.trajectory, clip.segments[:number], known, tracks=[clip.track])
        for number in range(len(clip.segments))
    ]


def _annotate(
    clip: LabelledClip, shown: Sequence[Sequence[Proposal]], tolerance_ns: float, create: int, keys: Keys
) -> None:
    """Label a clip from left to right."""
    done_until = int(clip.trajectory.times_ns()[0])
    for segment, proposals in zip(clip.segments, shown, strict=True):
        keys.segments += 1
        keys.dropped += sum(done_until <= each.start_ns and each.end_ns <= segment.start_ns for each in proposals)
        done_until = segment.end_ns
        best = max(proposals, key=lambda proposal: _overlap(proposal, segment), default=None)
        if best is not None and _overlap(best, segment) >= 0.5:
            off = (best.start_ns - segment.start_ns, best.end_ns - segment.end_ns)
            moved = sum(abs(distance) > tolerance_ns for distance in off)
            labelled = int(best.label != segment.label)
            if ACCEPT + MOVE * moved + LABEL * labelled < create:
                keys.accepted += 1
                keys.moved += moved
                keys.labelled += labelled
                continue
        keys.created += 1


def _overlap(proposal: Proposal, segment: Segment) -> float:
    """Intersection over union of two intervals."""
    shared = min(proposal.end_ns, segment.end_ns) - max(proposal.start_ns, segment.start_ns)
    return max(shared, 0) / (max(proposal.end_ns, segment.end_ns) - min(proposal.start_ns, segment.start_ns))


def _costs(minutes: Sequence[int]) -> None:
    """The real hand over and over, and the same where nothing moves, which is the slowest search for changes."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for length in minutes:
            for what, speed in (("moving", 1), ("still", 0)):
                trajectory = _long(Path(folder), length, speed)
                for name, work in (("signals", signals_of), ("proposals, 4 tracks", proposals_of)):
                    began, clock = time.process_time(), time.perf_counter()
                    work(trajectory)
                    used, waited = time.process_time() - began, time.perf_counter() - clock
                    tracemalloc.start()
                    work(trajectory)
                    peak = tracemalloc.get_traced_memory()[1] / 1e6
                    tracemalloc.stop()
                    share = f"{used / length * 1000:.0f} ms"
                    rows.append(
                        [f"{length} min, {what}", name, f"{used:.2f} s", f"{waited:.2f} s", share, f"{peak:.0f} MB"]
                    )
    print_table("Time and memory", ["", "", "processor", "clock", "a minute of video", "most memory"], rows)


def _long(folder: Path, minutes: int, speed: int) -> TrajectoryReader:
    clip = real_clip("hand").trajectory
    frames = minutes * 60 * 30
    at = np.arange(frames) % clip.length * speed
    arrays = {
        name: from_stored(spec, clip.read_stored(name, 0, clip.length))[at] for name, spec in BASIC_ARRAYS.items()
    }
    arrays["timestamp"] = np.arange(frames, dtype=np.int64) * 33_333_333
    objects = open_objects(str(folder), create=True)
    made = write_shard(objects, [Trajectory("long", "anna", EXTRACTOR, 1280, 720, "relative", {}, arrays)])
    return TrajectoryReader("long", "long", frames, 1280, 720, Shard(objects, made.shard_id).read)


if __name__ == "__main__":
    main()
