"""Statistics are those of NumPy on the whole data, in bounded memory, and lie beside the version."""

from __future__ import annotations

import hashlib
import json
import shutil
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from kinesphere.dataset import Dataset, open_dataset
from kinesphere.errors import CorruptObject, InvalidInput, NewerFormat, NotFound
from kinesphere.objects.store import Objects, open_objects
from kinesphere.statistics.column_counts import PERCENTILES, ColumnCounts
from kinesphere.statistics.frame_passes import FrameRuns
from kinesphere.statistics.statistics import ArrayStatistics, Statistics
from kinesphere.trajectory import BASIC_ARRAYS, MISSING, Valid
from kinesphere.transforms.relative_actions import relative_actions
from kinesphere.transforms.wrist_velocity import wrist_velocity
from storage.publishing.version_writer import write_version
from storage.shards.shard_writer import ShardRecord, write_shard
from tests.support.expected_windows import dataset_of
from tests.support.generated_trajectories import make_dataset, make_row, make_table, make_trajectory

FILE = "versions/000001.statistics.json"


def counted(values: NDArray[Any], blocks: int) -> ColumnCounts:
    """Counts of `(rows, columns)`, given in some blocks."""
    counts = ColumnCounts(str(values.dtype), values.shape[1])
    for _ in range(counts.passes):
        counts.begin_pass()
        for block in np.array_split(values, blocks):
            counts.count(block)
        counts.end_pass()
    return counts


def agree(found: ArrayStatistics, values: NDArray[Any]) -> None:
    """Hold statistics to NumPy's, number by number, on all frames at once."""
    for place in np.ndindex(values.shape[1:]):
        column = values[(slice(None), *place)]
        column = column[~np.isnan(column)]
        assert found.count[place] == len(column)
        if not len(column):
            assert np.isnan(
                [found.mean[place], found.std[place], found.minimum[place], found.percentiles[50][place]]
            ).all()
            continue
        assert (found.minimum[place], found.maximum[place]) == (column.min(), column.max())
        for percent in PERCENTILES:
            expected = np.quantile(column, percent / 100, method="inverted_cdf")
            assert found.percentiles[percent][place] == expected, (place, percent)
        exact = column.astype(np.float64)
        assert found.mean[place] == pytest.approx(exact.mean(), rel=1e-6, abs=1e-7)
        assert found.std[place] == pytest.approx(exact.std(), rel=1e-6, abs=1e-7)


def frames_of(dataset: Dataset, name: str) -> NDArray[Any]:
    return np.concatenate([dataset.episode(row, [name])[name] for row in range(len(dataset))])


@pytest.fixture
def fresh(tmp_path: Path, kitchen: Dataset) -> Path:
    """A copy of `kitchen` that a test may write to: its location."""
    make_dataset(open_objects(tmp_path), "kitchen", {"anna": [700, 9, 64, 400], "ben": [65, 300]}, seed=3)
    return tmp_path / "datasets/kitchen"


def test_every_number_has_the_statistics_that_numpy_finds_on_all_frames(fresh: Path) -> None:
    dataset = open_dataset(fresh)
    found = dataset.statistics()
    assert set(found.arrays) == set(BASIC_ARRAYS) - {"timestamp", "valid"}
    for name, values in found.arrays.items():
        assert values.mean.shape == BASIC_ARRAYS[name].shape
        agree(values, frames_of(dataset, name))
    valid = frames_of(dataset, "valid")
    assert found.valid == {str(flag.name).lower(): np.count_nonzero(valid & flag) for flag in Valid}
    assert found.frames == len(valid) == 1538


def test_actions_and_velocities_have_those_of_what_motion_derives(kitchen: Dataset) -> None:
    found = kitchen.action_statistics(horizon=5)
    assert found.horizon == 5
    derived = [kitchen.episode(row, ["timestamp", "wrist_pose"]) for row in range(len(kitchen))]
    actions = np.concatenate([relative_actions(arrays["wrist_pose"], 5).reshape(-1, 2, 9) for arrays in derived])
    velocities = np.concatenate([wrist_velocity(arrays["timestamp"], arrays["wrist_pose"]) for arrays in derived])
    agree(found.arrays["action"], actions)
    agree(found.arrays["wrist_velocity"], velocities)
    with pytest.raises(InvalidInput, match="horizon should be at least 1"):
        kitchen.action_statistics(0)


def test_pieces_of_an_episode_give_the_actions_of_the_whole(kitchen: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    # pieces of 256 frames, less than 400 and 700
    monkeypatch.setattr("kinesphere.statistics.frame_passes.ACTION_PIECE", 1)
    test_actions_and_velocities_have_those_of_what_motion_derives(kitchen)


numbers = {
    "uint8": st.integers(0, 255),
    "int16": st.integers(MISSING, 32767),
    "float32": st.floats(width=32),
}


@settings(max_examples=80)
@given(st.data(), st.sampled_from(list(numbers)), st.integers(1, 60), st.integers(1, 4))
def test_any_values_have_their_exact_ranks(data: st.DataObject, dtype: str, rows: int, blocks: int) -> None:
    values = data.draw(arrays(dtype, (rows, 2), elements=numbers[dtype]))
    found = counted(values, blocks).result
    assert found is not None
    for column in range(2):
        there = values[:, column]
        there = np.sort(there[there != MISSING] if dtype == "int16" else there[np.isfinite(there)])
        assert found.count[column] == len(there)
        if len(there):
            ranks = [0, *(-(-len(there) * percent // 100) - 1 for percent in PERCENTILES), len(there) - 1]
            assert (found.ordered[column] == there[ranks]).all()
            np.testing.assert_allclose(found.mean[column], there.mean(dtype=np.float64), rtol=1e-9, atol=1e-30)
            np.testing.assert_allclose(
                found.std[column], there.std(dtype=np.float64), rtol=1e-6, atol=1e-7 * np.abs(there.astype(float)).max()
            )
        else:
            assert np.isnan(found.ordered[column]).all() and np.isnan(found.mean[column])


def test_floats_that_share_their_upper_half_are_told_apart() -> None:
    values = np.float32(1) + np.arange(1000, dtype=np.float32)[::-1, None] * np.float32(2**-23)
    found = counted(np.hstack([values, -values]), 3).result
    assert found is not None
    assert found.ordered[0, 4] == np.float32(1) + 499 * np.float32(2**-23)
    assert found.ordered[1, 1] == -found.ordered[0, -2] - 2**-23  # of an even number there are two in the middle


intervals = st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 50), st.integers(1, 20)), min_size=1, max_size=12)


@given(intervals)
def test_runs_hold_each_frame_of_the_episodes_once(episodes: list[tuple[str, int, int]]) -> None:
    rows = [{"shard": shard, "first_frame": first, "length": length} for shard, first, length in episodes]
    runs = FrameRuns.of(pa.Table.from_pylist(rows))
    found = [(shard, frame) for shard, start, stop in runs.pieces() for frame in range(start, stop)]
    expected = {(shard, frame) for shard, first, length in episodes for frame in range(first, first + length)}
    assert sorted(found) == sorted(expected)
    assert runs.frames == len(expected)
    assert len(runs.start) <= len(episodes)


def test_overlapping_episodes_count_their_frames_once(store: Objects, two_shards: list[ShardRecord]) -> None:
    dataset = dataset_of(store, two_shards, (400, 500, 450))
    assert sum(dataset.episodes["length"].to_pylist()) == 1350
    runs = FrameRuns.of(dataset.episodes)
    arrays = [dataset.shards.read(shard, "grip", start, stop) for shard, start, stop in runs.pieces()]
    found = dataset.statistics()
    assert found.frames == runs.frames < 1350
    agree(found.arrays["grip"], np.concatenate(arrays))


def test_they_are_kept_beside_the_version_with_the_same_bytes_each_time(fresh: Path) -> None:
    dataset = open_dataset(fresh)
    with pytest.raises(NotFound, match=r"no statistics named 'kitchen@1'.*info"):
        dataset.statistics(compute=False)
    asked: list[tuple[int, int]] = []
    first = dataset.statistics(on_progress=lambda done, total: asked.append((done, total)))
    assert asked[-1] == (5 * 1538, 5 * 1538) and asked == sorted(asked)
    content = (fresh / FILE).read_bytes()
    stated = json.loads(content)
    assert stated["episodes_sha256"] == hashlib.sha256((fresh / "versions/000001.parquet").read_bytes()).hexdigest()
    requests = dataset.requests
    kept = open_dataset(fresh).statistics(compute=False)
    assert kept.is_stored and kept.to_json() == first.to_json() == stated
    assert dataset.requests == requests
    (fresh / FILE).unlink()
    assert dataset.statistics().is_stored
    assert (fresh / FILE).read_bytes() == content
    assert open_dataset(fresh).version == 1, "it is not taken for a version"
    assert np.array_equal(kept.arrays["grip"].percentiles[50], first.arrays["grip"].percentiles[50])


def test_two_at_once_both_have_them_and_one_file_is_left(fresh: Path) -> None:
    datasets = [open_dataset(fresh) for _ in range(2)]
    with ThreadPoolExecutor(2) as threads:
        first, second = threads.map(Dataset.statistics, datasets)
    assert first.is_stored and second.is_stored
    assert first.to_json() == second.to_json() == json.loads((fresh / FILE).read_bytes())
    assert [file.name for file in sorted((fresh / "versions").iterdir())] == [
        "000001.json", "000001.parquet", "000001.statistics.json",
    ]  # fmt: skip


def test_they_lie_in_an_object_store_as_in_a_folder(s3_url: str, fresh: Path) -> None:
    objects = open_objects(s3_url)
    make_dataset(objects, "kitchen", {"anna": [700, 9, 64, 400], "ben": [65, 300]}, seed=3)
    found = open_dataset(f"{s3_url}/datasets/kitchen").statistics()
    assert found.is_stored
    assert found.to_json() == open_dataset(fresh).statistics().to_json()
    assert objects.get("datasets/kitchen/versions/000001.statistics.json") == (fresh / FILE).read_bytes()


def test_a_version_that_was_erased_meanwhile_leaves_no_statistics(fresh: Path) -> None:
    def erase(done: int, total: int) -> None:
        for file in (fresh / "versions").iterdir():
            file.unlink()

    with pytest.raises(NotFound, match="removed while its frames were being read"):
        open_dataset(fresh).statistics(on_progress=erase)
    assert not list((fresh / "versions").iterdir())


def test_what_was_changed_or_is_of_another_table_is_refused(fresh: Path) -> None:
    dataset = open_dataset(fresh)
    content = dataset.statistics().to_json()
    file = fresh / FILE
    file.write_text(json.dumps(content).replace('"frames": 1538', '"frames": 1539'))
    with pytest.raises(CorruptObject, match=r"statistics\.json' is damaged or was changed; delete it"):
        dataset.statistics()
    for text in ("", "[]", "{}", '{"kind": 1}'):
        file.write_text(text)
        with pytest.raises(CorruptObject, match="delete it"):
            dataset.statistics()
    file.write_text(json.dumps(content | {"format_version": 2}))
    with pytest.raises(NewerFormat):
        dataset.statistics()
    write_version(open_objects(fresh.parent.parent), "kitchen", dataset.episodes.slice(0, 2))
    file.write_text(json.dumps(content))
    file.rename(fresh / "versions/000002.statistics.json")
    with pytest.raises(CorruptObject, match="another table of episodes; delete it"):
        open_dataset(fresh).statistics()


def test_whoever_cannot_write_gets_them_with_a_warning(fresh: Path, small_disk: Path) -> None:
    shutil.copytree(fresh, small_disk / "datasets/kitchen")
    shutil.copytree(fresh.parent.parent / "shards", small_disk / "shards")
    with (small_disk / "rest").open("wb", buffering=0) as rest, pytest.raises(OSError, match="No space"):
        while True:
            rest.write(bytes(4096))
    dataset = open_dataset(small_disk / "datasets/kitchen")
    with pytest.warns(UserWarning, match="could not be kept: .*no space left"):
        found = dataset.statistics()
    assert not found.is_stored
    assert found.to_json() == open_dataset(fresh).statistics().to_json()


def test_a_lost_object_is_an_error(fresh: Path) -> None:
    next(fresh.parent.parent.glob("shards/*/grip/c/0/0")).unlink()
    with pytest.raises(CorruptObject, match="grip/c/0/0' is missing"):
        open_dataset(fresh).statistics()
    assert not (fresh / FILE).exists()


def test_a_number_that_is_never_there_has_no_statistics(tmp_path: Path) -> None:
    objects = open_objects(tmp_path)
    shard = write_shard(objects, [make_trajectory(40, gaps=1.0)])
    found = Dataset(objects, write_version(objects, "empty", make_table([make_row(shard)]))).statistics()
    for name, values in found.arrays.items():
        never = name not in ("body_visibility", "hand_score")
        assert (values.count == 0).all() == never
        assert np.isnan(values.percentiles[99]).all() == never
    again = Statistics.from_json(json.loads(json.dumps(found.to_json(), allow_nan=False)))
    assert again.to_json() == found.to_json()
    none = Dataset(objects, write_version(objects, "none", make_table([]))).statistics()
    assert none.frames == 0 and set(none.valid.values()) == {0}


def test_memory_stays_where_it_was_said(tmp_path: Path) -> None:
    make_dataset(open_objects(tmp_path), "long", {"anna": [15_000], "ben": [10_000]})
    dataset = open_dataset(tmp_path / "datasets/long")
    tracemalloc.start()
    dataset.statistics()
    statistics = tracemalloc.get_traced_memory()[1]
    tracemalloc.reset_peak()
    dataset.action_statistics(8)
    actions = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert statistics < 128 * 2**20 and actions < 256 * 2**20, (statistics, actions)
