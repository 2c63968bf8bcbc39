"""Our reader of shards and zarr-python return the same bytes, whatever is stored and wherever a read begins."""

from itertools import product
from pathlib import Path

import numpy as np
import pytest
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kinesphere.errors import CorruptObject
from kinesphere.objects.store import open_objects
from kinesphere.shards.array_layout import CHUNK_FRAMES
from kinesphere.shards.shard import Shard
from kinesphere.trajectory import BASIC_ARRAYS
from storage.shards.shard_writer import write_shard
from tests.support.generated_trajectories import make_trajectory

EDGES = (0, 1, CHUNK_FRAMES - 1, CHUNK_FRAMES, CHUNK_FRAMES + 1)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(chunks=st.lists(st.booleans(), min_size=1, max_size=5), rest=st.sampled_from(EDGES), seed=st.integers(0, 99))
def test_every_read_at_a_boundary_equals_zarrs(tmp_path: Path, chunks: list[bool], rest: int, seed: int) -> None:
    """`chunks` tells which whole chunks hold anything; the others are not stored."""
    frames = len(chunks) * CHUNK_FRAMES + rest
    trajectory = make_trajectory(frames, seed=seed)
    for name, spec in BASIC_ARRAYS.items():
        for chunk, there in enumerate(chunks):
            if not there:
                nothing = np.nan if spec.is_fixed_point or spec.dtype == "float32" else 0
                trajectory.arrays[name][chunk * CHUNK_FRAMES : (chunk + 1) * CHUNK_FRAMES] = nothing
    objects = open_objects(tmp_path)
    record = write_shard(objects, [trajectory])
    shard = Shard(objects, record.shard_id)
    oracle = zarr.open_group(str(objects.local_path(record.key)), mode="r")
    places = sorted({chunk * CHUNK_FRAMES + edge for chunk in range(len(chunks)) for edge in EDGES} | {frames})
    for name in BASIC_ARRAYS:
        array = oracle[name]
        assert isinstance(array, zarr.Array)
        whole = np.asarray(array[:])
        for start, stop in product(places, places):
            if start < stop <= frames:
                assert shard.read(name, start, stop).tobytes() == whole[start:stop].tobytes()


def test_a_run_of_chunks_is_one_read_of_the_object(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    objects = open_objects(tmp_path)
    shard = Shard(objects, write_shard(objects, [make_trajectory(4000)]).shard_id)
    shard.read("grip", 0, 1)
    asked: list[tuple[int, int] | None] = []
    real = type(objects).get

    def counted(self: object, key: str, byte_range: tuple[int, int] | None = None) -> bytes:
        asked.append(byte_range)
        return real(objects, key, byte_range)

    monkeypatch.setattr(type(objects), "get", counted)
    shard.read("grip", 300, 3500)
    assert len(asked) == 1


def test_an_index_that_points_elsewhere_is_noticed(tmp_path: Path) -> None:
    """Two indexes exchanged, each with a good checksum of its own."""
    objects = open_objects(tmp_path)
    record, longer = (write_shard(objects, [make_trajectory(1000, seed=seed)]) for seed in (1, 2))
    key = "body_world/c/0/0/0"
    good, other = objects.get(f"{record.key}/{key}"), objects.get(f"{longer.key}/{key}")
    index_bytes = 4 * 16 + 4
    objects.put(f"{record.key}/{key}", good[:-index_bytes] + other[-index_bytes:])
    with pytest.raises(CorruptObject, match=f"object '{record.key}/{key}' is damaged"):
        Shard(objects, record.shard_id).read("body_world", 0, 1000)
