"""A shard with standard deviations, written when they were added, is read by every later release to the last bit.

`python -m tests.kinesphere.versions.test_reading_uncertainty` writes the data again; do that only for a new format,
beside the old.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import zarr

from kinesphere.dataset import open_dataset
from kinesphere.objects.store import open_objects
from kinesphere.trajectory import ADDITIONAL_ARRAYS, ARRAYS
from storage.publishing.version_writer import write_version
from storage.shards.shard_writer import write_shard
from tests.kinesphere.versions.test_reading_format_1 import content_of
from tests.support.generated_trajectories import make_row, make_table, make_trajectory

FOLDER = Path(__file__).parents[2] / "data/format_1_uncertainty"
CONTENT = "d4575d081c49e5048c4cbe17d14f57fcd29d0f487dbbed5fd2e8d37340d3c22e"


def write() -> None:
    shutil.rmtree(FOLDER, ignore_errors=True)
    objects = open_objects(FOLDER, create=True)
    shard = write_shard(objects, [make_trajectory(40, seed=3, with_sd=True), make_trajectory(9, seed=4, with_sd=True)])
    write_version(objects, "kitchen", make_table([make_row(shard, 0), make_row(shard, 1)]), created_by="anna")


def test_every_number_is_what_it_was() -> None:
    dataset = open_dataset(FOLDER / "datasets/kitchen", verify=True)
    assert list(dataset.arrays) == list(ARRAYS)
    assert content_of(dataset) == CONTENT


def test_the_codes_are_anyones_zarr() -> None:
    (shard,) = (FOLDER / "shards").iterdir()
    group = zarr.open_group(str(shard), mode="r")
    dataset = open_dataset(FOLDER / "datasets/kitchen")
    for name, spec in ADDITIONAL_ARRAYS.items():
        array = group[name]
        assert isinstance(array, zarr.Array)
        part, ours = np.asarray(array[40:49]), dataset.episode(1, [name])[name]
        if spec.log_scale is not None:
            part = np.where(part == 0, np.nan, 1e-5 * 1.056 ** (part.astype(float) - 1))
        np.testing.assert_allclose(ours, part, rtol=1e-6)


if __name__ == "__main__":
    write()
    print(content_of(open_dataset(FOLDER / "datasets/kitchen")))
