"""How well annotators agree: what is pooled, its intervals, and what is not defined."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotate.agreement.agreement import AgreementReport, TrackAgreement, agreement, to_manifest
from annotate.agreement.agreement_estimates import Estimate, Measures, compare, estimates, resampled
from annotate.agreement.unitizing_alpha import coincidences
from kinesphere.errors import InvalidInput
from storage.catalog import FinishedAnnotation
from storage.recordings.segment import Segment
from tests.support.written_segments import arrays, disjoint, drawn, on_frames, overlapping_segments, stretched

PROPERTY = settings(max_examples=60)

SHARES = ("matched_iou", "frame_iou", "f1_10", "f1_25", "f1_50", "edit")
ALPHAS = ("alpha", "alpha_units", "alpha_labels")
EDGES = ("boundary_median", "boundary_p90")


def labelled(recordings: Mapping[str, Mapping[str, str]], *, task: str = "pour") -> list[FinishedAnnotation]:
    """Annotations of recordings by name and annotator, drawn as text."""
    return [
        FinishedAnnotation(task, recording, annotator, len(frames), drawn(frames))
        for recording, by_annotator in recordings.items()
        for annotator, frames in by_annotator.items()
    ]


def only_track(report: AgreementReport) -> TrackAgreement:
    ((track,),) = [task.tracks for task in report.tasks]
    return track


def values(measures: Measures) -> dict[str, float | None]:
    return {name: None if one is None else one["value"] for name, one in asdict(measures).items()}


def measured(*annotators: Sequence[Segment], frames: int = 100) -> dict[str, float | None]:
    """The values of one recording, in which somebody has a segment on the track "task phase"."""
    found = [FinishedAnnotation("t", "r", f"a{place}", frames, segments) for place, segments in enumerate(annotators)]
    return values(only_track(agreement(found, tracks=["task phase"])).measures)


ANY = st.one_of(disjoint(), overlapping_segments())


@PROPERTY
@given(ANY, ANY)
def test_values_are_bounded(a: list[Segment], b: list[Segment]) -> None:
    found = measured(a, b)
    for name in SHARES:
        value = found[name]
        assert value is None or 0 <= value <= 1
    for name in ALPHAS:
        value = found[name]
        assert value is None or value <= 1 + 1e-12
    median, ninth = (found[name] for name in EDGES)
    assert (median is None) == (ninth is None) == (found["matched_iou"] is None)
    assert median is None or ninth is None or 0 <= median <= ninth
    assert found["f1_10"] is None or found["f1_10"] >= found["f1_25"] >= found["f1_50"]  # type: ignore[operator]


@PROPERTY
@given(disjoint(), disjoint())
def test_it_does_not_matter_who_is_first(a: list[Segment], b: list[Segment]) -> None:
    assert measured(a, b) == pytest.approx(measured(b, a))


@PROPERTY
@given(disjoint())
def test_of_two_who_agree_all_is_one_where_it_is_defined(a: list[Segment]) -> None:
    found = measured(a, a)
    for name in SHARES:
        assert found[name] == (1 if a else None)
    assert [found[name] for name in EDGES] == ([0, 0] if a else [None, None])
    assert all(found[name] is None or found[name] == pytest.approx(1) for name in ALPHAS)


@PROPERTY
@given(disjoint(), disjoint(), st.integers(2, 30))
def test_in_slow_motion_all_is_the_same_and_edges_are_further_apart(
    a: list[Segment], b: list[Segment], factor: int
) -> None:
    before, after = measured(a, b), measured(stretched(a, factor), stretched(b, factor), frames=100 * factor)
    for name in (*SHARES, "alpha_labels"):
        assert after[name] == pytest.approx(before[name])
    for name in EDGES:
        assert (after[name] is None and before[name] is None) or after[name] == before[name] * factor  # type: ignore[operator]


def test_what_is_compared_is_counted() -> None:
    report = agreement(
        [
            *labelled({"r1": {"ben": "aabb", "anna": "aabb", "carla": "abbb"}, "r2": {"anna": "aa..", "ben": "...."}}),
            *labelled({"r3": {"anna": "cccc"}}),
            *labelled({"r4": {"anna": "cccc"}}, task="alone"),
        ]
    )
    (task,) = report.tasks
    assert (task.task, task.annotators, task.recordings) == ("pour", 3, 2), "r3 was labelled by one only"
    (track,) = task.tracks
    assert (track.track, track.recordings, track.comparisons, track.segments, track.overlapping) == (
        "task phase", 2, 4, 7, 0,
    )  # fmt: skip
    assert [pair.annotators for pair in task.pairs] == [("anna", "ben"), ("anna", "carla"), ("ben", "carla")]
    assert [pair.tracks[0].recordings for pair in task.pairs] == [2, 1, 1]
    anna_ben = task.pairs[0].tracks[0].measures
    assert anna_ben.f1_50 is not None and anna_ben.f1_50.value == pytest.approx(2 * 2 / 5), "pooled, not averaged"
    assert anna_ben.edit is not None and anna_ben.edit.value == pytest.approx(0.5), "the mean of 1 and 0"
    assert anna_ben.matched_iou is not None and anna_ben.matched_iou.recordings == 1, "nothing is matched in r2"
    alike = task.pairs[1].tracks[0].measures
    assert alike.frame_iou == Estimate(3 / 5, None, None, 1)
    assert agreement([]).tasks == () == agreement(labelled({"r": {"anna": "aa"}})).tasks


def test_the_mean_of_both_ways_round_is_the_f1_of_two_annotators() -> None:
    """One way round it is 0.5, the other 1: see the tests of the published score."""
    found = measured([on_frames(0, 10, "a"), on_frames(10, 20, "a")], [on_frames(4, 16, "a"), on_frames(16, 30, "a")])
    assert found["f1_10"] == pytest.approx(0.75)


def test_tracks_are_compared_each_by_itself_and_labels_only_within_one() -> None:
    ours = [*drawn("aa.."), *drawn("bb..", track="left hand")]
    theirs = [*drawn("aa.."), *drawn("..bb", track="left hand")]
    both = [FinishedAnnotation("t", "r", "anna", 4, ours), FinishedAnnotation("t", "r", "ben", 4, theirs)]
    (task,) = agreement(both).tasks
    assert {track.track: values(track.measures)["frame_iou"] for track in task.tracks} == {
        "left hand": 0, "task phase": 1,
    }  # fmt: skip
    (chosen,) = agreement(both, tracks=["right hand"]).tasks
    assert [track.track for track in chosen.tracks] == ["right hand"]
    assert set(values(chosen.tracks[0].measures).values()) == {None}, "nobody labelled anything there"


def test_what_is_not_defined_is_none_and_never_a_number() -> None:
    nobody = measured([], [])
    assert set(nobody.values()) == {None}
    one = measured([], drawn("aa"))
    assert {name: one[name] for name in (*SHARES, *EDGES)} == {
        "matched_iou": None, "frame_iou": 0, "f1_10": 0, "f1_25": 0, "f1_50": 0, "edit": 0,
        "boundary_median": None, "boundary_p90": None,
    }  # fmt: skip
    overlapping = [on_frames(0, 6, "a"), on_frames(4, 10, "b")]
    found = measured(overlapping, overlapping)
    assert [found[name] for name in ALPHAS] == [None] * 3 and found["frame_iou"] == found["f1_50"] == 1


def test_recordings_whose_segments_overlap_are_left_out_of_alpha_alone() -> None:
    plain = {f"r{place}": {"anna": "aab.b", "ben": "aabb."} for place in range(3)}
    heap = [on_frames(0, 4, "a"), on_frames(2, 5, "b")]
    together = [*labelled(plain), *(FinishedAnnotation("pour", "r9", name, 5, heap) for name in ("anna", "ben"))]
    without, found = (only_track(agreement(some)) for some in (labelled(plain), together))
    assert (found.overlapping, found.recordings) == (1, 4)
    alpha = found.measures.alpha
    assert alpha is not None and alpha.recordings == 3 and without.measures.alpha is not None
    assert alpha.value == pytest.approx(without.measures.alpha.value)
    assert found.measures.f1_50 is not None and found.measures.f1_50.recordings == 4


@PROPERTY
@given(st.lists(st.tuples(disjoint(), disjoint()), min_size=1, max_size=5), st.data())
def test_a_recording_that_is_drawn_twice_counts_as_two(
    pairs: list[tuple[list[Segment], list[Segment]]], data: st.DataObject
) -> None:
    weights = [data.draw(st.integers(0, 3)) for _ in pairs]
    if not any(weights):
        weights[0] = 1
    sides, labels = arrays(*(side for pair in pairs for side in pair))
    both = list(zip(sides[::2], sides[1::2], strict=True))
    tallies = [compare(a, b) for a, b in both]
    counts = [coincidences(pair, 100, labels) for pair in both]
    often = [place for place, weight in enumerate(weights) for _ in range(weight)]
    repeated = estimates([tallies[one] for one in often], [counts[one] for one in often], np.ones((1, len(often)), int))
    assert values(estimates(tallies, counts, np.array([weights]))) == pytest.approx(values(repeated))


def noisy(seed: int, recordings: int) -> list[FinishedAnnotation]:
    """Two annotators, of whom the second shifts edges and now and then takes another label."""
    random = np.random.default_rng(seed)
    found = []
    for number in range(recordings):
        edges = np.cumsum(random.integers(20, 60, random.integers(4, 12)))
        labels = random.choice(list("abcd"), len(edges))
        for name in ("anna", "ben"):
            moved = np.maximum.accumulate(edges + random.integers(-6, 7, len(edges)))
            segments = [
                on_frames(int(start), int(end), str(label) if random.random() < 0.9 else "x")
                for start, end, label in zip(moved, moved[1:], labels, strict=False)
                if start < end
            ]
            found.append(FinishedAnnotation("pour", f"r{number:04d}", name, int(edges[-1]) + 20, segments))
    return found


def test_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    some = noisy(0, 800)
    sides, labels = arrays(*(one.segments for one in some))
    both = list(zip(sides[::2], sides[1::2], strict=True))
    tallies = [compare(a, b) for a, b in both]
    counts = [coincidences(pair, one.frames, labels) for pair, one in zip(both, some[::2], strict=True)]
    truth = values(estimates(tallies, counts, np.ones((1, len(both)), np.int64)))
    held = dict.fromkeys(("f1_50", "frame_iou", "edit", "alpha"), 0)
    for seed in range(100):
        drawn_ones = np.random.default_rng(seed).choice(len(both), 25, replace=False)
        few = estimates(
            [tallies[one] for one in drawn_ones], [counts[one] for one in drawn_ones], resampled(25, 300, seed)
        )
        for name in held:
            estimate = asdict(few)[name]
            held[name] += estimate["low"] <= truth[name] <= estimate["high"]
    assert all(86 <= times <= 99 for times in held.values()), held


def test_the_same_annotations_in_any_order_give_the_same_numbers() -> None:
    some = noisy(1, 12)
    report = agreement(some)
    assert agreement(some[::-1]) == report
    other = agreement(some, seed=1)
    assert values(only_track(other).measures) == values(only_track(report).measures), "only intervals are drawn"
    assert other != report
    assert resampled(3, 500, 0)[1:].sum(axis=1).tolist() == [3] * 500 and resampled(1, 500, 0).tolist() == [[1]]


def test_a_manifest_has_plain_numbers_and_no_names() -> None:
    some = [*noisy(1, 5), *labelled({"r9": {"carla": "....", "anna": "...."}})]
    report = agreement(some)
    content = to_manifest(report)
    text = json.dumps(content, allow_nan=False)
    assert json.loads(text) == content and not any(name in text for name in ("anna", "ben", "carla", "r0001"))
    (task,) = content["tasks"]
    assert [pair["annotators"] for pair in task["pairs"]] == [[1, 2], [1, 3]], "anna labelled most, carla least"
    assert task["pairs"][1]["tracks"][0]["measures"]["edit"] is None
    (track,) = report.tasks[0].tracks
    assert track.measures.alpha is not None
    assert task["tracks"][0]["measures"]["alpha"]["value"] == round(track.measures.alpha.value, 4)
    assert (content["resamples"], content["seed"], content["confidence"]) == (1000, 0, 0.95)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"annotator": "anna"}, "'anna' labelled recording r twice; hand over one annotation of each person"),
        ({"frames": 5}, "annotations of recording r say that it has 4 and 5 frames"),
        ({"segments": [on_frames(2, 5, "a")]}, "a segment of 'ben' in recording r ends at frame 5, and it has 4"),
        ({"segments": [on_frames(2, 2, "a")]}, "goes from frame 2 to 2; it must begin at 0 or later and hold a frame"),
    ],
)
def test_annotations_that_cannot_be_compared_are_refused(change: dict[str, Any], words: str) -> None:
    one, other = labelled({"r": {"anna": "aabb", "ben": "abbb"}})
    with pytest.raises(InvalidInput, match=words):
        agreement([one, replace(other, **change)])


def test_ten_thousand_segments_take_seconds() -> None:
    random = np.random.default_rng(3)
    edges = np.cumsum(random.integers(12, 40, 10_001))
    labels = [str(label) for label in random.integers(0, 8, 10_000)]
    both = []
    for name in ("anna", "ben"):
        moved = edges + random.integers(-5, 6, len(edges))
        segments = [
            on_frames(start, end, label)
            for start, end, label in zip(moved.tolist(), moved[1:].tolist(), labels, strict=False)
        ]
        both.append(FinishedAnnotation("t", "r", name, int(edges[-1]) + 6, segments))
    began = time.process_time()
    found = only_track(agreement(both))
    assert time.process_time() - began < 5
    assert found.segments == 20_000 and found.measures.edit is not None and found.measures.edit.value == 1
