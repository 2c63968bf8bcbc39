"""Shards written as trajectories come: the bytes that zarr-python writes, cut by one rule, in bounded memory."""

import gc
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from zarr.codecs import BloscCodec, BytesCodec, Crc32cCodec

from kinesphere.errors import InvalidInput, StorageFailed
from kinesphere.objects.store import Objects, open_objects
from kinesphere.shards.array_layout import CHUNK_FRAMES, FILL_VALUES
from kinesphere.shards.shard import MAX_FRAMES, Shard
from kinesphere.trajectory import ARRAYS, ArraySpec, ExtractorIdentity, Trajectory, to_stored
from storage.shards import shard_writer
from storage.shards.array_encoder import ArrayEncoder
from storage.shards.shard_writer import MAX_SHARD_BYTES, write_shard, write_shards
from tests.support.generated_trajectories import make_trajectory
from tests.support.own_arrays import ELBOWS, TOOL, TOUCHES, own_trajectory


@pytest.fixture
def objects(tmp_path: Path) -> Objects:
    return open_objects(tmp_path)


def written_by_zarr(spec: ArraySpec, stored: Any) -> dict[str, bytes]:
    """What zarr-python makes of a whole array, by the description of `docs/format.md`."""
    kept: dict[str, Any] = {}
    whole = -(-len(stored) // CHUNK_FRAMES) * CHUNK_FRAMES
    array = zarr.create_array(
        zarr.storage.MemoryStore(kept),
        name=spec.name,
        shape=stored.shape,
        dtype=stored.dtype,
        chunks=(CHUNK_FRAMES, *spec.shape),
        shards=(whole, *spec.shape),
        serializer=BytesCodec(endian="little" if stored.dtype.itemsize > 1 else None),
        compressors=[BloscCodec(typesize=stored.dtype.itemsize, cname="lz4hc", clevel=9, shuffle="shuffle"),
                     Crc32cCodec()],
        fill_value=FILL_VALUES[spec.dtype],
        dimension_names=spec.dimensions,
    )  # fmt: skip
    array[:] = stored
    return {key: data.to_bytes() for key, data in kept.items() if "/c/" in key}


@settings(max_examples=25)
@given(
    name=st.sampled_from(list(ARRAYS)),
    parts=st.lists(st.integers(1, 700), min_size=1, max_size=4),
    missing=st.lists(st.integers(0, 8), max_size=4),
    noise=st.booleans(),
    seed=st.integers(0, 99),
)
def test_frames_that_come_in_parts_are_the_bytes_that_zarr_writes_of_the_whole(
    name: str, parts: list[int], missing: list[int], noise: bool, seed: int
) -> None:
    """`missing` are chunks with nothing in them; noise is what Blosc cannot compress."""
    spec, frames = ARRAYS[name], sum(parts)
    stored, _ = to_stored(spec, make_trajectory(frames, seed=seed, with_sd=True).arrays[name])
    if noise:
        stored = np.frombuffer(np.random.default_rng(seed).bytes(stored.nbytes), stored.dtype).reshape(stored.shape)
        stored = stored.copy()
    for chunk in missing:
        stored[chunk * CHUNK_FRAMES : (chunk + 1) * CHUNK_FRAMES] = FILL_VALUES[spec.dtype]
    encoder = ArrayEncoder(spec)
    for part in np.split(stored, np.cumsum(parts)[:-1]):
        encoder.add(part)
    found = encoder.finish()
    del found[f"{name}/zarr.json"]
    assert found == written_by_zarr(spec, stored)


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lengths=st.lists(st.integers(1, 500), min_size=1, max_size=9), most=st.integers(500, 1200))
def test_each_shard_is_the_one_that_is_written_of_as_many_trajectories_as_fit(
    tmp_path_factory: pytest.TempPathFactory, lengths: list[int], most: int
) -> None:
    streamed, alone = (open_objects(tmp_path_factory.mktemp(name)) for name in ("streamed", "alone"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shard_writer, "MAX_FRAMES", most)
        found = list(write_shards(streamed, made(lengths), software={"tool": "1"}))
        groups: list[list[Trajectory]] = [[]]
        for trajectory in made(lengths):
            if sum(map(len, groups[-1])) + len(trajectory) > most:
                groups.append([])
            groups[-1].append(trajectory)
        assert found == [write_shard(alone, group, software={"tool": "1"}) for group in groups]
        assert list(write_shards(streamed, made(lengths), software={"tool": "1"})) == found
    assert contents(streamed) == contents(alone)


def test_memory_is_one_trajectory_and_the_encoded_shard(objects: Objects, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shard_writer, "MAX_FRAMES", 9000)
    frames = 4000
    list(write_shards(objects, made([300])))  # what is imported and kept by libraries is not counted
    one = sum(array.nbytes for array in make_trajectory(frames).arrays.values())
    gc.collect()
    tracemalloc.start()
    began = tracemalloc.get_traced_memory()[0]
    found = list(write_shards(objects, copies(make_trajectory(frames), 12)))
    peak = tracemalloc.get_traced_memory()[1] - began
    tracemalloc.stop()
    assert [record.frames for record in found] == [8000] * 6
    encoded = max(record.size_bytes for record in found)
    largest = max(objects.size(key) for key in objects.keys(found[0].key))
    # the original of the copies and the copy, the shard with an eighth of room to grow in, its largest array, a block
    assert peak < 2 * one + encoded * 9 / 8 + largest + 3 * 2**20
    assert 2**20 < one < 2 * encoded, "else the bound would not tell a trajectory that is held too long"


def test_numbers_that_cannot_be_compressed_stay_within_the_bound(objects: Objects) -> None:
    frames = 2048
    random = np.random.default_rng(0)
    plain = make_trajectory(frames, gaps=0, with_sd=True)
    arrays = {}
    for name, spec in ARRAYS.items():
        if spec.log_scale is not None:
            codes = np.frombuffer(random.bytes(plain.arrays[name].size), np.uint8).reshape(plain.arrays[name].shape)
            arrays[name] = spec.log_scale.decode(codes)
        elif spec.scale_factor is None:
            noise = np.frombuffer(random.bytes(plain.arrays[name].nbytes), plain.arrays[name].dtype)
            arrays[name] = noise.reshape(plain.arrays[name].shape)
        else:
            low = -3.2 if spec.is_fixed_point else 0
            arrays[name] = random.uniform(low, -low or 1, (frames, *spec.shape)).astype(np.float32)
    record = write_shard(objects, [replace(plain, arrays=arrays)])
    data = sum(objects.size(key) for key in objects.keys(record.key) if "/c/" in key)
    assert 0.9 * MAX_SHARD_BYTES < data * (MAX_FRAMES // frames) < MAX_SHARD_BYTES


def test_nothing_given_is_nothing_written(objects: Objects) -> None:
    assert list(write_shards(objects, iter(()))) == []
    assert objects.keys("") == []


OTHER = ExtractorIdentity(name="other", revision=1, models={}, settings={})


@pytest.mark.parametrize(
    ("last", "message"),
    [
        (make_trajectory(9, contributor="ben"), "one contributor, got .'anna', 'ben'"),
        (replace(make_trajectory(9), extractor=OTHER), "one extractor, got"),
        (make_trajectory(1001, recording="long"), "recording long has 1001 frames and a shard at most 1000; cut"),
    ],
    ids=["contributor", "extractor", "too long"],
)
def test_what_does_not_belong_is_refused_and_only_whole_shards_are_there(
    objects: Objects, monkeypatch: pytest.MonkeyPatch, last: Trajectory, message: str
) -> None:
    monkeypatch.setattr(shard_writer, "MAX_FRAMES", 1000)
    found = []
    with pytest.raises(InvalidInput, match=message):
        for record in write_shards(objects, [*made([600, 500, 400]), last]):
            found.append(record)
    assert [record.frames for record in found] == [600]
    assert {key.split("/")[1] for key in objects.keys("shards")} == {f"{record.shard_id}.zarr" for record in found}


def test_a_full_disk_leaves_only_whole_shards_and_the_rest_can_be_written_later(
    small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shard_writer, "MAX_FRAMES", 1000)
    objects = open_objects(small_disk)
    lengths = [900] * 12
    found = []
    with pytest.raises(StorageFailed, match="no space left on device"):
        for record in write_shards(objects, made(lengths)):
            found.append(record)
    assert 0 < len(found) < 12
    there = {key.split("/")[1] for key in objects.keys("shards")}
    assert there == {f"{record.shard_id}.zarr" for record in found}


def made(lengths: list[int]) -> Iterator[Trajectory]:
    """Trajectories of these lengths, none of which is kept."""
    for seed, length in enumerate(lengths):
        yield make_trajectory(length, seed=seed)


def copies(original: Trajectory, count: int) -> Iterator[Trajectory]:
    """Recordings of the same content in memory of their own."""
    for number in range(count):
        arrays = {name: values.copy() for name, values in original.arrays.items()}
        trajectory = replace(original, recording=f"20261123-094500-{number:08x}", arrays=arrays)
        del arrays
        yield trajectory
        del trajectory


def contents(objects: Objects) -> dict[str, bytes]:
    return {key: objects.get(key) for key in objects.keys("")}


def test_a_shard_has_one_set_of_arrays(objects: Objects) -> None:
    own = own_trajectory(20, seed=1)
    record = write_shard(objects, [own, own_trajectory(5, seed=2)])
    assert (record.frames, Shard(objects, record.shard_id).specs) == (25, own.specs)
    reworded = [replace(ELBOWS, description="other words"), TOOL, TOUCHES]
    fewer = own_trajectory(5, seed=2, extra=[replace(ELBOWS, shape=(3,)), TOOL])
    with pytest.raises(
        InvalidInput,
        match=r"in that of recording 20261124-094500-00000002 these differ: "
        r"elbow_angle \(float32 \[2\] before, float32 \[3\] now\), "
        r"touches \(int64 \[\] before, not there now\)",
    ):
        write_shard(objects, [own, fewer])
    with pytest.raises(InvalidInput, match="these differ: elbow_angle"):
        list(write_shards(objects, [own, own_trajectory(5, seed=2, extra=reworded)]))
