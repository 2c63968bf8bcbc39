"""Standard deviations leave with the numbers that they are of, as float32 in units, in every format."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from kinesphere.dataset import open_dataset
from kinesphere.errors import InvalidInput
from kinesphere.trajectory import ADDITIONAL_ARRAYS, ARRAYS
from storage.exports import export_version
from storage.publishing.publish import publish
from storage.workspace import Workspace
from tests.support.populated_workspaces import populate


@pytest.fixture
def sure(workspace: Workspace) -> Workspace:
    populate(workspace, {"anna": 1, "ben": 1}, with_sd=("anna", "ben"))
    publish(workspace, "kitchen")
    return workspace


@pytest.fixture
def mixed(workspace: Workspace) -> Workspace:
    populate(workspace, {"anna": 1, "ben": 1}, with_sd=("anna",))
    publish(workspace, "kitchen")
    return workspace


@pytest.mark.parametrize("rate", [None, 20.0])
def test_tables_have_them_in_units_with_the_name_of_every_number(
    sure: Workspace, tmp_path: Path, rate: float | None
) -> None:
    export_version(sure, "kitchen", None, tmp_path / "out", format_name="parquet", rate=rate)
    dataset = open_dataset(sure.dataset_location("kitchen"))
    whole = [dataset.episode(row, rate=rate) for row in range(2)]
    table = pq.read_table(tmp_path / "out/frames")
    assert set(table.column_names) == {"episode", "frame", *ARRAYS}
    for name, spec in ADDITIONAL_ARRAYS.items():
        column = table[name].combine_chunks()
        assert str(column.type) == f"fixed_size_list<element: float>[{spec.numbers}]"
        want = np.concatenate([arrays[name] for arrays in whole]).reshape(len(table), -1)
        np.testing.assert_array_equal(column.flatten().to_numpy().reshape(want.shape), want)
    said = table.schema.field("wrist_pose_sd").metadata
    assert json.loads(said[b"names"])[6:] == [f"right.{each}" for each in ("x", "y", "z", "rx", "ry", "rz")]
    assert said[b"units"] == b"m (x y z), rad (rotation vector x y z)"


def test_lerobot_has_them_as_features_with_statistics(sure: Workspace, tmp_path: Path) -> None:
    export_version(sure, "kitchen", None, tmp_path / "out", format_name="lerobot", rate=20.0)
    features = json.loads((tmp_path / "out/meta/info.json").read_text())["features"]
    statistics = json.loads((tmp_path / "out/meta/stats.json").read_text())
    data = pq.read_table(tmp_path / "out/data")
    for name, spec in ADDITIONAL_ARRAYS.items():
        feature = features[f"observation.{name}"]
        assert (feature["dtype"], feature["shape"]) == ("float32", [spec.numbers])
        values = data[f"observation.{name}"].combine_chunks().flatten().to_numpy().reshape(len(data), -1)
        assert values.dtype == np.float32 and (name == "wrist_velocity" or np.nanmin(values) > 0)
        np.testing.assert_allclose(statistics[f"observation.{name}"]["mean"], np.nanmean(values, axis=0), rtol=1e-4)


@pytest.mark.parametrize(("format_name", "rate"), [("parquet", None), ("lerobot", 20.0)])
def test_a_version_of_old_and_new_trajectories_is_refused_before_anything_is_written(
    mixed: Workspace, tmp_path: Path, format_name: str, rate: float | None
) -> None:
    with pytest.raises(InvalidInput, match=r"of kitchen@1 has no wrist_velocity, body_image_sd, .* with --keys"):
        export_version(mixed, "kitchen", None, tmp_path / "out", format_name=format_name, rate=rate)
    assert not (tmp_path / "out").exists()
    keys = ["wrist_pose", "grip"]
    export_version(mixed, "kitchen", None, tmp_path / "out", format_name=format_name, rate=rate, keys=keys)
    with pytest.raises(InvalidInput, match="has no grip_sd, as trajectories of earlier releases"):
        export_version(
            mixed, "kitchen", None, tmp_path / "more", format_name=format_name, rate=rate, keys=["grip", "grip_sd"]
        )


def test_a_copy_takes_every_shard_as_it_is(mixed: Workspace, tmp_path: Path) -> None:
    export_version(mixed, "kitchen", None, tmp_path / "copy", format_name="kinesphere")
    original = open_dataset(mixed.dataset_location("kitchen"))
    copy = open_dataset(tmp_path / "copy/datasets/kitchen", verify=True)
    for row in range(2):
        ours, theirs = original.episode(row), copy.episode(row)
        assert ours.keys() == theirs.keys()
        assert all(np.array_equal(ours[name], theirs[name], equal_nan=ours[name].dtype.kind == "f") for name in ours)
