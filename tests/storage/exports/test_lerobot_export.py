"""The format `lerobot`, read back as LeRobot 0.4 reads it: by the positions that its readers rely on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from kinesphere.dataset import Dataset, open_dataset
from kinesphere.splits import Splits
from kinesphere.trajectory import BASIC_ARRAYS
from storage.exports import export_version
from storage.exports.export_content import number_names
from storage.exports.feature_statistics import FeatureStatistics
from storage.publishing.publish import publish
from storage.publishing.publish_rules import PublishRules, PublishSettings
from storage.workspace import Workspace
from tests.support.generated_trajectories import make_dataset
from tests.support.populated_workspaces import populate

STANDARD = ["timestamp", "frame_index", "episode_index", "index", "task_index"]
RATE = 20


@pytest.fixture
def kitchen(workspace: Workspace) -> Dataset:
    """Six uneven recordings of two people, some labelled."""
    make_dataset(workspace.objects, "kitchen", {"anna": [130, 9, 64], "ben": [65, 100, 1]}, seed=3)
    return open_dataset(workspace.dataset_location("kitchen"))


def exported(workspace: Workspace, folder: Path, **options: Any) -> dict[str, Any]:
    export_version(workspace, "kitchen", None, folder, format_name="lerobot", **({"rate": RATE} | options))
    info: dict[str, Any] = json.loads((folder / "meta/info.json").read_text())
    return info


def episodes_of(folder: Path) -> pa.Table:
    """The rows of all tables of episodes, in the order of their files."""
    return pa.concat_tables([pq.read_table(file) for file in sorted((folder / "meta/episodes").glob("*/*.parquet"))])


def data_of(folder: Path, row: dict[str, Any], info: dict[str, Any]) -> pa.Table:
    """The frames of an episode, found as its row says, which count from the first file on."""
    file = info["data_path"].format(chunk_index=row["data/chunk_index"], file_index=row["data/file_index"])
    first = pq.read_table(folder / file, columns=["index"])["index"][0].as_py()
    begin = row["dataset_from_index"] - first
    return pq.read_table(folder / file).slice(begin, row["length"])


def values_of(table: pa.Table, name: str) -> NDArray[Any]:
    column = table[name].combine_chunks()
    if pa.types.is_fixed_size_list(column.type):
        return np.asarray(column.flatten().to_numpy().reshape(len(table), -1))
    return np.asarray(column.to_numpy())


def test_every_position_is_where_readers_look(workspace: Workspace, kitchen: Dataset, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    info = exported(workspace, folder)
    episodes = episodes_of(folder)
    rows = episodes.to_pylist()
    tasks = pq.read_table(folder / "meta/tasks.parquet")
    texts = tasks["__index_level_0__"].to_pylist()
    assert [row["episode_index"] for row in rows] == list(range(6))
    assert tasks["task_index"].to_pylist() == list(range(3))
    assert sorted(texts) == ["pour", "pour-water", "reach"]
    total = 0
    for place, row in enumerate(rows):
        assert (row["dataset_from_index"], row["dataset_to_index"]) == (total, total + row["length"])
        data = data_of(folder, row, info)
        frames = np.arange(row["length"])
        assert values_of(data, "frame_index").tolist() == frames.tolist()
        assert values_of(data, "index").tolist() == (total + frames).tolist()
        assert set(values_of(data, "episode_index").tolist()) == {place}
        assert np.array_equal(values_of(data, "timestamp"), (frames / RATE).astype(np.float32))
        assert {texts[task] for task in values_of(data, "task_index")} == set(row["tasks"])
        expected = kitchen.episode(row["episode"], rate=RATE)
        assert values_of(data, "recording_time_ns").tolist() == expected.pop("timestamp").tolist()
        for name, values in expected.items():
            found = values_of(data, f"observation.{name}")
            assert np.array_equal(found, values.reshape(found.shape), equal_nan=values.dtype.kind == "f"), name
        total += row["length"]
    assert (info["total_frames"], info["total_episodes"], info["total_tasks"]) == (total, 6, 3)


def test_pandas_finds_the_texts_of_tasks_in_the_index(workspace: Workspace, kitchen: Dataset, tmp_path: Path) -> None:
    pytest.importorskip("pandas")
    exported(workspace, tmp_path / "out", keys=["grip"])
    tasks = pq.read_table(tmp_path / "out/meta/tasks.parquet").to_pandas()
    assert list(tasks.columns) == ["task_index"]
    assert tasks.loc["pour", "task_index"] == tasks.index.tolist().index("pour")


def test_its_description_is_that_of_version_3(workspace: Workspace, kitchen: Dataset, tmp_path: Path) -> None:
    info = exported(workspace, tmp_path / "out", keys=["wrist_pose", "grip", "valid"])
    assert (info["codebase_version"], info["fps"], info["splits"]) == ("v3.0", RATE, {"train": "0:6"})
    assert (info["chunks_size"], info["data_files_size_in_mb"], info["video_path"]) == (1000, 100, None)
    features = info["features"]
    assert list(features) == ["observation.wrist_pose", "observation.grip", "observation.valid", "recording_time_ns",
                              *STANDARD]  # fmt: skip
    assert features["observation.wrist_pose"]["names"][6:8] == ["left.qz", "right.x"]
    assert features["observation.wrist_pose"]["info"]["units"].startswith("m")
    file = pq.ParquetFile(tmp_path / "out/data/chunk-000/file-000.parquet")
    assert file.schema_arrow.names == list(features)
    assert file.num_row_groups == 6 and file.metadata.row_group(0).column(0).compression == "SNAPPY"
    for name, feature in features.items():
        kind = file.schema_arrow.field(name).type
        shape = [kind.list_size] if pa.types.is_fixed_size_list(kind) else [1]
        number = kind.value_type if pa.types.is_fixed_size_list(kind) else kind
        assert (feature["dtype"], feature["shape"]) == (str(np.dtype(number.to_pandas_dtype())), shape), name
        assert "/" not in name and (feature["names"] is None or len(feature["names"]) == shape[0])


def test_large_data_goes_on_in_further_files(
    workspace: Workspace, kitchen: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage.exports.lerobot.FILE_MEGABYTES", 0.05)
    monkeypatch.setattr("storage.exports.lerobot.FILES_A_CHUNK", 2)
    monkeypatch.setattr("storage.exports.lerobot._EPISODES_AT_ONCE", 2)
    folder = tmp_path / "out"
    info = exported(workspace, folder)
    rows = episodes_of(folder).to_pylist()
    places = [(row["data/chunk_index"], row["data/file_index"]) for row in rows]
    assert (0, 1) in places and (1, 0) in places and places == sorted(places)
    for place, row in enumerate(rows):
        data = data_of(folder, row, info)
        assert set(values_of(data, "episode_index").tolist()) == {place} and len(data) == row["length"]


def test_it_says_whose_episodes_these_are_and_how_good(workspace: Workspace, tmp_path: Path) -> None:
    populate(workspace, {"anna": 2, "ben": 1})
    publish(workspace, "kitchen")
    exported(workspace, tmp_path / "out")
    rows = episodes_of(tmp_path / "out").to_pylist()
    assert [row["contributor"] for row in rows] == ["anna", "anna", "ben"]
    for row in rows:
        assert (row["consent_scopes"], row["consent_expires_at"]) == (["train", "share_keypoints"], None)
        assert row["body_share"] == pytest.approx(0.9) and row["scale"] == "relative"
        assert row["tasks"] == ["move"]


def test_splits_are_ranges_of_episodes(workspace: Workspace, tmp_path: Path) -> None:
    populate(workspace, {f"c{number}": 1 for number in range(12)}, frames=8)
    splits = Splits((("train", 0.6), ("test", 0.4)), "kitchen")
    publish(workspace, "kitchen", PublishSettings(rules=PublishRules(splits=splits)))
    info = exported(workspace, tmp_path / "out")
    rows = episodes_of(tmp_path / "out").to_pylist()
    assert list(info["splits"]) == ["train", "test"]
    for name, part in info["splits"].items():
        begin, end = map(int, part.split(":"))
        assert {splits.split_of(row["contributor"]) for row in rows[begin:end]} == {name}
    assert info["splits"]["test"].endswith(":12")


def test_statistics_are_those_of_the_frames_that_are_written(
    workspace: Workspace, kitchen: Dataset, tmp_path: Path
) -> None:
    exported(workspace, tmp_path / "out", keys=["wrist_pose", "valid"])
    data = pq.read_table(tmp_path / "out/data")
    found = json.loads((tmp_path / "out/meta/stats.json").read_text())
    assert set(found) == {"observation.wrist_pose", "observation.valid", "recording_time_ns", *STANDARD}
    values = values_of(data, "observation.wrist_pose").astype(np.float64)
    stats = found["observation.wrist_pose"]
    assert stats["count"] == [len(data)]
    for name, expected in (
        ("min", np.nanmin(values, axis=0)),
        ("max", np.nanmax(values, axis=0)),
        ("mean", np.nanmean(values, axis=0)),
        ("std", np.nanstd(values, axis=0)),
        ("q01", np.nanquantile(values, 0.01, axis=0)),
        ("q90", np.nanquantile(values, 0.9, axis=0)),
    ):
        assert np.allclose(stats[name], expected, rtol=1e-9), name


NUMBERS = st.one_of(st.floats(-1e3, 1e3), st.just(float("nan")))


FRAMES = st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=20)


@given(st.lists(FRAMES, min_size=1, max_size=6), st.integers(1, 5))
def test_statistics_do_not_depend_on_where_frames_are_cut(parts: list[list[tuple[float, float]]], step: int) -> None:
    statistics = FeatureStatistics(2, step)
    for part in parts:
        statistics.add(np.array(part))
    whole = np.array([pair for part in parts for pair in part])
    found = statistics.to_json()
    for column in range(2):
        there = whole[~np.isnan(whole[:, column]), column]
        some = whole[::step, column]
        some = some[~np.isnan(some)]
        if len(there) == 0:
            assert all(np.isnan(found[name][column]) for name in found if name != "count")
            continue
        assert found["mean"][column] == pytest.approx(there.mean(), abs=1e-6)
        assert found["std"][column] == pytest.approx(there.std(), abs=1e-6)
        assert (found["min"][column], found["max"][column]) == (there.min(), there.max())
        if len(some):
            assert found["q50"][column] == pytest.approx(np.quantile(some, 0.5), abs=1e-9)


def test_every_array_has_as_many_names_as_numbers() -> None:
    for spec in BASIC_ARRAYS.values():
        if spec.shape:
            names = number_names(spec)
            assert len(set(names)) == len(names) == int(np.prod(spec.shape)), spec.name
