"""What each contributor's frames get: counted as they are, each frame once, and of large versions from a sample."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotate.diversity import received_quality
from annotate.diversity.received_quality import BLOCK_FRAMES, MOST_FRAMES, blocks_of, measure_quality
from kinesphere.dataset import open_dataset
from kinesphere.errors import CorruptObject, InvalidInput
from kinesphere.objects.store import open_objects
from kinesphere.trajectory import Valid
from storage.publishing.version_writer import write_version
from storage.shards.shard_writer import write_shard
from tests.support.generated_trajectories import make_dataset, make_row, make_table, make_trajectory
from tests.support.unequal_people import Gets


def test_each_frame_of_a_version_counts_once_for_its_contributor(tmp_path: Path) -> None:
    objects = open_objects(tmp_path)
    made = [make_trajectory(300, seed=seed, contributor="anna", with_sd=True) for seed in range(2)]
    anna = write_shard(objects, made)
    ben = write_shard(objects, [make_trajectory(200, seed=9, contributor="ben")])
    rows = [
        make_row(anna, 0, episode="a/1", first_frame=20, length=100),
        make_row(anna, 0, episode="a/2", first_frame=80, length=120),  # 40 frames of the one before
        make_row(anna, 1, episode="a/3"),
        make_row(ben, 0, first_frame=50, length=10),
    ]
    write_version(objects, "kitchen", make_table(rows), created_by="eve")
    found = measure_quality(open_dataset(tmp_path / "datasets/kitchen"))
    assert (found.recordings, found.recordings_in_all, found.frames, found.extractors) == (3, 3, 490, 1)
    first, second = found.people
    valid = np.concatenate([made[0].arrays["valid"][20:200], made[1].arrays["valid"]])
    assert (first.contributor, first.frames) == ("anna", 480)
    for flag in (Valid.BODY, Valid.LEFT_HAND, Valid.RIGHT_HAND, Valid.UNSURE):
        share = getattr(first, str(flag.name).lower())
        assert share == pytest.approx(((valid & flag) > 0).mean()), flag
    sd = np.concatenate([made[0].arrays["wrist_pose_sd"][20:200], made[1].arrays["wrist_pose_sd"]])[..., :3]
    distance = np.linalg.norm(sd.astype(np.float64), axis=-1)
    assert first.wrist_sd == pytest.approx(np.nanmedian(distance), rel=0.035), "a byte on a log scale, then bins"
    assert (second.contributor, second.frames, second.wrist_sd) == ("ben", 10, None)


def test_the_uncertainty_is_that_of_the_place_and_of_what_states_it(tmp_path: Path) -> None:
    objects = open_objects(tmp_path)
    generated = [make_trajectory(90, seed=seed, with_sd=seed > 0, gaps=0.3) for seed in range(3)]
    gets = [Gets(wrist_sd=None), Gets(wrist_sd=0.05, unsure=0.5), Gets(wrist_sd=0.05)]
    shards = [write_shard(objects, [one.changed(trajectory)]) for one, trajectory in zip(gets, generated, strict=True)]
    write_version(objects, "kitchen", make_table([make_row(shard) for shard in shards]), created_by="eve")
    (anna,) = measure_quality(open_dataset(tmp_path / "datasets/kitchen")).people
    assert anna.wrist_sd == pytest.approx(0.05, rel=0.03)
    assert (anna.frames, anna.body) == (270, 1.0) and anna.unsure == pytest.approx(1 / 6)


def test_of_a_large_version_everybody_is_looked_at_before_anybody_twice(tmp_path: Path) -> None:
    objects = open_objects(tmp_path)
    lengths = {"anna": [30] * 9, "ben": [30] * 2, "carla": [30]}
    make_dataset(objects, "kitchen", lengths, with_sd=["anna"])
    dataset = open_dataset(tmp_path / "datasets/kitchen")
    for most, frames in ((12, (270, 60, 30)), (7, (120, 60, 30)), (5, (60, 60, 30)), (3, (30, 30, 30))):
        found = measure_quality(dataset, most_recordings=most)
        assert tuple(one.frames for one in found.people) == frames, most
        assert (found.recordings, found.recordings_in_all, found.frames) == (most, 12, sum(frames))
        assert measure_quality(dataset, most_recordings=most) == found
    assert len(measure_quality(dataset, most_recordings=2).people) == 2
    with pytest.raises(InvalidInput, match="at least one recording"):
        measure_quality(dataset, most_recordings=0)


@given(st.integers(0, 10_000), st.integers(1, 1_000_000))
def test_of_a_long_stretch_blocks_are_read_from_its_first_frame_to_its_last(start: int, length: int) -> None:
    blocks = blocks_of(start, start + length)
    assert blocks[0][0] == start and blocks[-1][1] == start + length
    assert all(one[1] <= other[0] for one, other in pairwise(blocks))
    assert sum(stop - first for first, stop in blocks) == min(length, MOST_FRAMES)
    assert len(blocks) == 1 or {stop - first for first, stop in blocks} == {BLOCK_FRAMES}


def test_blocks_of_long_recordings_are_what_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(received_quality, "MOST_FRAMES", 64)
    monkeypatch.setattr(received_quality, "BLOCK_FRAMES", 16)
    monkeypatch.setattr(received_quality, "_PIECES_AT_A_TIME", 3)
    objects = open_objects(tmp_path)
    shard = write_shard(objects, [Gets(body=0.5).changed(make_trajectory(400, with_sd=True))])
    write_version(objects, "kitchen", make_table([make_row(shard)]), created_by="eve")
    (anna,) = measure_quality(open_dataset(tmp_path / "datasets/kitchen")).people
    assert (anna.frames, anna.body) == (64, 0.5)


def test_a_missing_shard_is_an_error(tmp_path: Path) -> None:
    make_dataset(open_objects(tmp_path), "kitchen", {"anna": [30]})
    dataset = open_dataset(tmp_path / "datasets/kitchen")
    for file in (tmp_path / "shards").rglob("zarr.json"):
        file.unlink()
    with pytest.raises(CorruptObject):
        measure_quality(dataset)
