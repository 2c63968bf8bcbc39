from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from annotate.proposals.change_points import PENALTY, change_points
from annotate.proposals.neighbours import examples_in, joined, learn
from annotate.proposals.postures import RATE, postures
from annotate.proposals.proposals import Proposal, proposals_of, propose
from annotate.signals.trajectory_reader import TrajectoryReader, in_memory, open_trajectory
from benchmarks.proposals import boundary_f1
from kinesphere.errors import Conflict, InvalidInput, MissingDependency, NotFound
from kinesphere.trajectory import BASIC_ARRAYS, Trajectory
from storage.recordings.segment import TRACKS, Segment
from storage.workspace import Workspace
from tests.support.generated_trajectories import EXTRACTOR, make_trajectory
from tests.support.labelled_clips import LabelledClip, performed_clip, real_clip
from tests.support.populated_workspaces import add_recording, populate


def found_edges(clip: LabelledClip, proposals: Sequence[Proposal]) -> NDArray[np.int64]:
    """Where proposals begin or end inside the clip."""
    times = clip.trajectory.times_ns()
    edges = {edge for proposal in proposals for edge in (proposal.start_ns, proposal.end_ns)}
    return np.array(sorted(edge for edge in edges if times[0] < edge <= times[-1]), np.int64)


def of_track(
    clip: LabelledClip, segments: Sequence[Segment] = (), *, like: Sequence[LabelledClip] = ()
) -> tuple[Proposal, ...]:
    """Proposals for the labelled track, when these segments of it, and these clips, are labelled."""
    known = joined([examples_in(other.segments, postures(other.trajectory)) for other in like])
    return proposals_of(clip.trajectory, segments, known, tracks=[clip.track])


def still(frames: int, *, found: bool = True) -> TrajectoryReader:
    """A trajectory in which nothing moves, or nothing was found."""
    value = 0.3 if found else np.nan
    arrays: dict[str, NDArray[Any]] = {}
    for name, spec in BASIC_ARRAYS.items():
        arrays[name] = np.full((frames, *spec.shape), value, np.float32)
    arrays["timestamp"] = np.arange(frames, dtype=np.int64) * 33_333_333
    arrays["valid"] = np.zeros(frames, np.uint8)
    return in_memory(Trajectory("r", "anna", EXTRACTOR, 1280, 720, "relative", {}, arrays))


def test_the_gestures_of_the_real_hand_are_found() -> None:
    clip = real_clip("hand")
    edges = found_edges(clip, of_track(clip))
    assert boundary_f1(edges, clip.edges_ns, 0.25e9) >= 0.85
    assert boundary_f1(edges, clip.edges_ns, 0.5e9) >= 0.93


def test_performances_are_cut_where_they_change() -> None:
    for seed in range(3):
        clip = performed_clip(seed)
        assert boundary_f1(found_edges(clip, of_track(clip)), clip.edges_ns, 0.5e9) >= 0.95


def test_labels_come_from_others_who_did_the_same() -> None:
    clip = performed_clip(7)
    proposals = of_track(clip, like=[performed_clip(8), performed_clip(9)])
    right = 0
    for segment in clip.segments:
        best = max(proposals, key=lambda each: min(each.end_ns, segment.end_ns) - max(each.start_ns, segment.start_ns))
        right += best.label == segment.label
    assert right >= 0.85 * len(clip.segments)
    assert all(f"most alike are '{each.label}'" in each.why for each in proposals if each.label is not None)


def test_nothing_is_labelled_before_anything_is() -> None:
    proposals = of_track(performed_clip(7))
    assert proposals
    assert {each.label for each in proposals} == {None}
    assert "between two changes of posture" in {each.why for each in proposals}


def test_what_is_unlike_all_examples_gets_no_label() -> None:
    clip = performed_clip(1)
    examples = examples_in(clip.segments, postures(clip.trajectory))[clip.track]
    assert examples.likely(examples.features + 5) == [None] * len(examples.labels)
    alike = examples.likely(examples.features)
    assert [likely.label for likely in alike if likely is not None] == list(examples.labels)


def test_edges_are_set_where_annotators_set_them() -> None:
    """The performer's segments begin when the hand sets out; changes lie when it is half way."""
    clip, others = performed_clip(3), [performed_clip(4), performed_clip(5)]
    before = boundary_f1(found_edges(clip, of_track(clip)), clip.edges_ns, 0.1e9)
    after = boundary_f1(found_edges(clip, of_track(clip, like=others)), clip.edges_ns, 0.1e9)
    assert before < 0.3
    assert after > 0.7


def test_what_annotators_leave_without_a_label_is_not_proposed() -> None:
    clip, other = performed_clip(20, pauses=True), performed_clip(21, pauses=True)
    without, learned = of_track(clip), of_track(clip, like=[other])
    assert len(without) > 1.7 * len(clip.segments)
    assert len(clip.segments) <= len(learned) < 1.3 * len(clip.segments)


def test_labels_of_the_recording_itself_are_learned_from() -> None:
    clip = real_clip("hand")
    later = [each for each in of_track(clip, clip.segments[:8]) if each.start_ns >= clip.segments[7].end_ns]
    open_hands = [row for row in clip.segments[8:] if row.label == "open"]
    starts = [each.start_ns for each in later if each.label == "open"]
    hits = [row for row in open_hands if any(abs(start - row.start_ns) < 0.3e9 for start in starts)]
    assert len(hits) >= len(open_hands) - 2


@settings(max_examples=15)
@given(
    st.lists(st.tuples(st.integers(0, 600), st.integers(1, 100)), max_size=6),
    st.sampled_from(["right hand", "task phase"]),
)
def test_proposals_lie_in_order_in_what_is_not_labelled_yet(spans: list[tuple[int, int]], track: str) -> None:
    clip = real_clip("hand")
    times = np.append(clip.trajectory.times_ns(), clip.trajectory.times_ns()[-1] + 33_333_333)
    segments = []
    for number, (start, length) in enumerate(spans):
        frames = start, min(start + length, 621)
        moments = int(times[frames[0]]), int(times[frames[1]])
        name = f"l{number % 2}"
        segments.append(Segment(*moments, name, track))
    proposals = proposals_of(clip.trajectory, segments, tracks=[track])
    assert proposals == proposals_of(clip.trajectory, segments, tracks=[track])
    last_end = 0
    for each in proposals:
        assert last_end <= each.start_frame < each.end_frame <= 621
        assert each.start_ns == times[each.start_frame]
        assert abs(each.end_ns - times[each.end_frame]) <= 1
        assert 0 <= each.confidence <= 1
        assert each.end_ns - each.start_ns >= 0.2e9
        for segment in segments:
            assert each.end_frame <= segment.start_frame or each.start_frame >= segment.end_frame
        last_end = each.end_frame


@pytest.mark.parametrize("frames", [1, 2, 5, 700])
def test_where_nothing_was_found_nothing_is_proposed(frames: int) -> None:
    assert proposals_of(still(frames, found=False)) == ()


def test_where_nothing_moves_there_is_one_proposal_a_track_from_end_to_end() -> None:
    proposals = proposals_of(still(2000))
    assert {each.track for each in proposals} == set(TRACKS)
    assert {(each.start_frame, each.end_frame) for each in proposals} == {(0, 2000)}
    assert {each.why for each in proposals} == {"from the beginning to the end"}


@pytest.mark.parametrize("frames", [1, 2, 5])
def test_a_few_frames_are_too_short_for_a_segment(frames: int) -> None:
    assert proposals_of(still(frames)) == ()


def test_a_hand_that_comes_and_goes_is_proposed_while_it_is_there() -> None:
    clip = real_clip("hand")
    stored = {name: clip.trajectory.read(name, 0, 621) for name in BASIC_ARRAYS}
    hands = stored["hands_world"].copy(), stored["hands_image"].copy()
    for values in hands:
        values[200:260] = np.nan
    arrays = {**stored, "hands_world": hands[0], "hands_image": hands[1]}
    gone = in_memory(Trajectory("r", "anna", EXTRACTOR, 1280, 720, "relative", {}, arrays))
    proposals = proposals_of(gone, tracks=["right hand"])
    assert not [each for each in proposals if each.start_frame < 255 and each.end_frame > 205]
    assert {each.why.split(" to ")[-1] for each in proposals if each.end_frame in range(199, 204)} == {
        "going out of view"
    }


def test_frames_far_apart_do_not_make_empty_proposals() -> None:
    trajectory = make_trajectory(60, seed=2, gaps=0)
    arrays = {**trajectory.arrays, "timestamp": np.arange(60, dtype=np.int64) * 900_000_000}
    slow = in_memory(Trajectory("r", "anna", EXTRACTOR, 1280, 720, "relative", {}, arrays))
    for each in proposals_of(slow):
        assert each.start_frame < each.end_frame


def test_ten_thousand_segments_are_borne() -> None:
    trajectory = make_trajectory(1800, seed=5)
    times = trajectory.arrays["timestamp"]
    segments = [
        Segment(int(times[place % 900]), int(times[place % 900 + 1]), f"l{place % 7}", "whole body")
        for place in range(10_000)
    ]
    began = time.process_time()
    proposals = proposals_of(in_memory(trajectory), segments, tracks=["whole body"])
    assert time.process_time() - began < 10
    assert min(each.start_frame for each in proposals) >= 900


def test_times_count_from_the_beginning_of_the_recording_not_from_its_first_frame() -> None:
    clip = performed_clip(3)
    later = {name: clip.trajectory.read(name, 0, clip.trajectory.length) for name in BASIC_ARRAYS}
    later["timestamp"] = later["timestamp"] + 7_000_000_000
    moved = in_memory(Trajectory("r", "anna", EXTRACTOR, 1280, 720, "relative", {}, later))
    segments = [
        replace(segment, start_ns=segment.start_ns + 7_000_000_000, end_ns=segment.end_ns + 7_000_000_000)
        for segment in clip.segments[:10]
    ]
    expected = proposals_of(clip.trajectory, clip.segments[:10], tracks=[clip.track])
    found = proposals_of(moved, segments, tracks=[clip.track])
    assert [(each.start_frame, each.end_frame, each.label) for each in found] == [
        (each.start_frame, each.end_frame, each.label) for each in expected
    ]
    assert [each.start_ns - 7_000_000_000 for each in found] == [each.start_ns for each in expected]


def test_a_time_lapse_of_a_day_is_refused_with_what_to_do() -> None:
    trajectory = make_trajectory(60, seed=2)
    arrays = {**trajectory.arrays, "timestamp": np.arange(60, dtype=np.int64) * 1_440_000_000_000}
    day = in_memory(Trajectory("r", "anna", EXTRACTOR, 1280, 720, "relative", {}, arrays))
    with pytest.raises(InvalidInput, match=r"recording r lasts 23.6 h; .* up to 4 h: cut it in parts"):
        proposals_of(day)


def test_a_minute_of_all_tracks_takes_well_under_half_a_second() -> None:
    trajectory = in_memory(make_trajectory(1800, seed=5))
    proposals_of(trajectory)  # loads the library
    began = time.process_time()
    proposals_of(trajectory)
    assert time.process_time() - began < 0.5


def test_only_tracks_that_exist_can_be_asked_for() -> None:
    with pytest.raises(InvalidInput, match=r"no track 'feet' \(there is: task phase, "):
        proposals_of(still(10), tracks=["left hand", "feet"])


def test_without_ruptures_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ruptures", None)
    with pytest.raises(MissingDependency, match=r"kinesphere-studio\[annotate\]"):
        proposals_of(still(100))


@given(st.lists(st.tuples(st.integers(5, 40), st.sampled_from([-1.0, 0.0, 1.0])), min_size=1, max_size=30))
def test_changes_are_exactly_where_the_posture_jumps(steps: list[tuple[int, float]]) -> None:
    values = np.concatenate([np.full((length, 3), value) for length, value in steps])
    jumps = np.flatnonzero(np.diff(values[:, 0])) + 1
    changes = change_points(values)
    assert [change.moment for change in changes] == jumps.tolist()
    assert all(0.5 <= change.strength < 1 for change in changes)


def test_changes_do_not_depend_on_where_a_long_recording_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    values = np.repeat(random.normal(0, 0.6, (150, 5)), random.integers(4, 40, 150), axis=0)
    values += random.normal(0, 0.05, values.shape)
    monkeypatch.setattr("annotate.proposals.change_points._PIECE", 25)
    in_pieces = [change.moment for change in change_points(values)]
    monkeypatch.setattr("annotate.proposals.change_points._PIECE", 10**6)
    assert in_pieces == [change.moment for change in change_points(values)]
    assert len(in_pieces) > 100


def test_a_change_counts_from_its_price_on() -> None:
    values = np.zeros((40, 1))
    values[20:] = 1.0  # takes away an error of 40 * 0.25
    gain = 40 * 0.25 / RATE
    assert len(change_points(values, penalty=gain * 0.99)) == 1
    assert change_points(values, penalty=gain * 1.01) == []
    assert gain > PENALTY


def test_a_recording_is_proposed_for_and_learned_from_by_its_task(workspace: Workspace) -> None:
    populate(workspace, {"anna": 2, "berta": 1}, frames=400)
    first, second, third = (row.recording for row in workspace.catalog.recordings())
    learned = learn(workspace, "move", without=first)
    assert learned["whole body"].labels == ("move", "move")
    assert learn(workspace, "another task") == {}
    workspace.catalog.withdraw(third, who="berta", why="asked")
    assert learn(workspace, "move", without=first)["whole body"].labels == ("move",)
    proposals = propose(workspace, second, tracks=["right hand"])
    assert proposals
    assert proposals == proposals_of(open_trajectory(workspace, second), tracks=["right hand"])
    # its whole body is labelled from beginning to end
    assert propose(workspace, second, tracks=["whole body"]) == ()


def test_a_recording_without_a_trajectory_has_no_proposals(workspace: Workspace) -> None:
    populate(workspace, {"anna": 1})
    waiting = add_recording(workspace, "anna", seed=9, accept=False).recording
    with pytest.raises(Conflict, match=f"kinesphere process {waiting}"):
        propose(workspace, waiting)
    with pytest.raises(NotFound, match="no recording named 'nothing'"):
        propose(workspace, "nothing")


@pytest.mark.parametrize(
    ("found", "true", "tolerance", "expected"),
    [
        ([], [], 1, 1.0),
        ([], [5], 1, 0.0),
        ([5], [], 1, 0.0),
        ([5, 20], [6, 30], 1, 0.5),
        ([5, 6], [6], 1, 2 / 3),  # an edge counts once
        ([4, 6], [5, 7], 1, 1.0),
    ],
)
def test_edges_are_matched_one_to_one(found: list[int], true: list[int], tolerance: float, expected: float) -> None:
    assert boundary_f1(np.array(found, np.int64), np.array(true, np.int64), tolerance) == pytest.approx(expected)
