"""Datasets that several tests of the stream read; none of them changes what is there."""

import pytest

from storage.dataset import Dataset, open_dataset
from storage.objects import Objects, open_objects
from storage.shards import ShardRecord, write_shard
from tests.generated import make_dataset, make_trajectory


@pytest.fixture(scope="session")
def kitchen(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Six recordings of two contributors, from 9 to 700 frames."""
    folder = tmp_path_factory.mktemp("kitchen")
    make_dataset(open_objects(folder), "kitchen", {"anna": [700, 9, 64, 400], "ben": [65, 300]}, seed=3)
    return open_dataset(folder / "datasets/kitchen")


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Objects:
    """Where `two_shards` are, to which tests add versions."""
    return open_objects(tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="session")
def two_shards(store: Objects) -> list[ShardRecord]:
    """Two shards of 1,500 frames, of which tests make episodes of any length."""
    return [
        write_shard(store, [make_trajectory(1500, seed=seed, contributor=contributor)])
        for seed, contributor in ((1, "anna"), (2, "ben"))
    ]
