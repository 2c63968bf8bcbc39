"""A version and its shard, written when format 1 was frozen, are read by every later release to the last bit.

`python -m tests.kinesphere.versions.test_reading_format_1` writes the data again; do that only for a new
format, beside the old.
"""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import numpy as np
import pytest
import zarr

from kinesphere.dataset import Dataset, open_dataset
from kinesphere.objects.store import open_objects
from kinesphere.trajectory import BASIC_ARRAYS
from storage.publishing.version_writer import write_version
from storage.shards.shard_writer import write_shard
from tests.support.generated_trajectories import make_row, make_table, make_trajectory

FOLDER = Path(__file__).parents[2] / "data/format_1"
LENGTHS = (256, 40, 1)
CONTENT = "78859171e968d31cb98d89d626b917128e056b8c4f593ac0851e895d09f9c032"


def write() -> None:
    """Three short recordings; of the first, nothing is there in its one whole chunk."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    objects = open_objects(FOLDER, create=True)
    trajectories = [
        make_trajectory(length, seed=place, gaps=0.2 if place else 1.0, contributor="anna")
        for place, length in enumerate(LENGTHS)
    ]
    shard = write_shard(objects, trajectories)
    rows = [make_row(shard, span, label=label) for span, label in enumerate((None, "pour", "reach"))]
    rows.append(make_row(shard, 1, episode=f"{shard.spans[1].recording}/s1", label="grasp", object="cup", length=7))
    write_version(objects, "kitchen", make_table(rows), where="length > 0", created_by="anna")


def content_of(dataset: Dataset) -> str:
    """Hash of every number of every episode, as the reader gives it."""
    digest = hashlib.sha256()
    for row in range(len(dataset)):
        for name, values in dataset.episode(row).items():
            digest.update(f"{name} {values.dtype.str} {values.shape}".encode())
            digest.update(np.where(np.isnan(values), np.float32(-1), values).tobytes())
    return digest.hexdigest()


@pytest.mark.parametrize("verify", [False, True])
def test_every_number_of_format_1_is_what_it_was(verify: bool) -> None:
    dataset = open_dataset(FOLDER / "datasets/kitchen", version=1, verify=verify)
    assert dataset.episodes["length"].to_pylist() == [256, 40, 1, 7]
    assert dataset.episodes["label"].to_pylist() == [None, "pour", "reach", "grasp"]
    assert dataset.manifest["counts"]["frames"] == 304
    assert content_of(dataset) == CONTENT


def test_format_1_is_anyones_zarr() -> None:
    (shard,) = (FOLDER / "shards").iterdir()
    group = zarr.open_group(str(shard), mode="r")
    dataset = open_dataset(FOLDER / "datasets/kitchen")
    for name, spec in BASIC_ARRAYS.items():
        stored = group[name]
        assert isinstance(stored, zarr.Array)
        part = np.asarray(stored[256:296])
        ours = dataset.episode(1, [name])[name]
        if spec.is_fixed_point:
            there = ~np.isnan(ours)
            assert spec.scale_factor is not None
            np.testing.assert_allclose(part[there] * spec.scale_factor, ours[there], rtol=1e-6)
            assert (part[~there] == group[name].attrs["_FillValue"]).all()
        elif spec.scale_factor is None:
            np.testing.assert_array_equal(part, ours)


if __name__ == "__main__":
    write()
    print(content_of(open_dataset(FOLDER / "datasets/kitchen")))
