"""Motion coverage: the same motion is one way however it is seen, others are others, and nothing is left to chance."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from annotate.diversity import motion_coverage
from annotate.diversity.motion_coverage import (
    RADIUS,
    cluster,
    expected_in_sample,
    measure_coverage,
    piece_features,
    pieces,
)
from kinesphere.dataset import open_dataset
from kinesphere.errors import InvalidInput
from kinesphere.objects.store import open_objects
from tests.support.generated_trajectories import make_dataset

FRAMES = 60
TIMES = (np.arange(FRAMES) * 33_333_333).astype(np.int64)


def body(
    *, reach: float = 0.3, hertz: float = 0.5, size: float = 1.0, turned: float = 0.0, moved: float = 0.0
) -> NDArray[np.float32]:
    """A person whose wrists swing before them; `turned` about the vertical in radians, `moved` away in metres."""
    points = np.zeros((FRAMES, 33, 3))
    points[:, 11], points[:, 12] = (0.2, -0.4, 0), (-0.2, -0.4, 0)
    swing = reach * np.sin(2 * np.pi * hertz * TIMES / 1e9)
    points[:, 15] = np.stack([0.25 + swing, np.full(FRAMES, 0.1), np.full(FRAMES, -0.3)], axis=1)
    points[:, 16] = np.stack([-0.25 + 0 * swing, 0.1 + swing, np.full(FRAMES, -0.3)], axis=1)
    cosine, sine = np.cos(turned), np.sin(turned)
    around = np.array([[cosine, 0, sine], [0, 1, 0], [-sine, 0, cosine]])
    made: NDArray[np.float32] = (size * points @ around.T + moved).astype(np.float32)
    return made


def features(**changes: float) -> NDArray[np.float64]:
    found = piece_features(TIMES, body(**changes))
    assert found is not None
    return found


@given(st.floats(0.5, 2), st.floats(-3, 3), st.floats(-5, 5))
def test_size_place_and_heading_of_a_person_do_not_matter(size: float, turned: float, moved: float) -> None:
    assert np.linalg.norm(features(size=size, turned=turned, moved=moved) - features()) < 1e-3


def test_the_distance_is_that_of_the_wrists_in_shoulder_widths() -> None:
    plain = features()
    raised = body()
    raised[:, 15:17, 1] -= 0.4  # one shoulder width up
    found = piece_features(TIMES, raised)
    assert found is not None and np.linalg.norm(found - plain) == pytest.approx(1, abs=1e-3)
    assert np.linalg.norm(features(hertz=2) - plain) > RADIUS > np.linalg.norm(features(reach=0.32) - plain)


def test_gaps_are_bridged_and_too_many_are_refused() -> None:
    gappy = body()
    gappy[10:20] = np.nan
    found = piece_features(TIMES, gappy)
    assert found is not None and np.linalg.norm(found - features()) < 0.1
    gappy[20:45] = np.nan
    assert piece_features(TIMES, gappy) is None
    assert piece_features(TIMES[:3], body()[:3]) is None
    flat = body()
    flat[:, 11] = flat[:, 12]
    assert piece_features(TIMES, flat) is None, "a body without width has no scale"


@given(st.integers(1, 400))
def test_pieces_are_all_of_the_episode_and_at_most_two_seconds(frames: int) -> None:
    times = (np.arange(frames) * 33_333_333).astype(np.int64)
    cut = list(pieces(times, np.arange(frames)[:, None, None] * np.ones((1, 33, 3))))
    assert np.concatenate([part[0] for part in cut]).tolist() == times.tolist()
    for part_times, part_body in cut:
        assert len(part_times) == len(part_body) > 0
        assert part_times[-1] - part_times[0] <= 2e9
        assert (part_body[:, 0, 0] * 33_333_333 == part_times).all()


def test_as_many_ways_are_found_as_there_are_whatever_their_order() -> None:
    random = np.random.default_rng(1)
    middles = np.eye(7) * 3
    points = np.repeat(middles, [50, 40, 30, 20, 10, 5, 1], axis=0) + random.normal(0, 0.03, (156, 7))
    labels, is_limited = cluster(points)
    assert sorted(np.bincount(labels)) == [1, 5, 10, 20, 30, 40, 50] and not is_limited
    shuffled = random.permutation(156)
    again, _ = cluster(points[shuffled])
    assert sorted(np.bincount(again)) == [1, 5, 10, 20, 30, 40, 50]
    assert cluster(points, most=3)[1]
    assert len(np.unique(cluster(np.zeros((5, 7)))[0])) == 1


@given(st.lists(st.integers(1, 30), min_size=1, max_size=8), st.integers(1, 40))
def test_a_sample_holds_as_many_ways_as_draws_do_on_average(sizes: list[int], sample: int) -> None:
    found = expected_in_sample(np.array(sizes), sample)
    total = sum(sizes)
    if total < sample:
        assert found is None
        return
    exact = sum(1 - math.comb(total - size, sample) / math.comb(total, sample) for size in sizes)
    assert found == pytest.approx(exact)


def test_a_dataset_is_measured_alike_each_time_and_in_a_sample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    objects = open_objects(tmp_path)
    make_dataset(objects, "kitchen", {"anna": [200, 130], "ben": [64] * 6})
    dataset = open_dataset(tmp_path / "datasets/kitchen")
    found = measure_coverage(dataset)
    assert found == measure_coverage(dataset)
    assert found.episodes == 8 and found.pieces + found.skipped == 4 + 3 + 6 * 2
    assert sum(found.sizes) == found.pieces and len(found.sizes) == found.clusters
    assert 1 <= found.effective_simpson <= found.effective_shannon <= found.clusters
    some: Any = measure_coverage(dataset, most_episodes=3)
    assert some.episodes == 3 and some == measure_coverage(dataset, most_episodes=3)
    monkeypatch.setattr(motion_coverage, "MOST_PIECES", 4)
    assert measure_coverage(dataset).pieces == 4
    with pytest.raises(InvalidInput):
        measure_coverage(dataset, most_episodes=0)
