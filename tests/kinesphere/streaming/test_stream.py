"""The promises of the stream: every window once, equal to its episode, in one order, in bounded memory."""

import gc
import hashlib
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kinesphere.dataset import Dataset, open_dataset
from kinesphere.errors import CorruptObject, InvalidInput
from kinesphere.objects.store import Objects, open_objects
from kinesphere.streaming.batches import BatchCutter
from kinesphere.trajectory import BASIC_ARRAYS, MISSING
from kinesphere.transforms.transform import Batch
from storage.publishing.version_writer import write_version
from storage.shards.shard_writer import ShardRecord, write_shard
from tests.support.expected_windows import dataset_of, expected_windows, same_batches, take, windows_of
from tests.support.generated_trajectories import make_dataset, make_row, make_table, make_trajectory

KEYS = ["grip", "valid", "timestamp"]
PROPERTY = settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])


@PROPERTY
@given(
    lengths=st.lists(st.integers(1, 200), min_size=1, max_size=5),
    window=st.integers(1, 80),
    stride=st.integers(1, 90),
    batch_size=st.integers(1, 70),
    world_size=st.integers(1, 4),
    shuffle=st.booleans(),
    pool=st.sampled_from([100, 400, 10**6]),
    dtype=st.sampled_from(["float32", "int16"]),
)
def test_every_window_comes_once_an_epoch_and_equals_its_episode(
    store: Objects, two_shards: list[ShardRecord], lengths: list[int], window: int, stride: int, batch_size: int,
    world_size: int, shuffle: bool, pool: int, dtype: Any,
) -> None:  # fmt: skip
    dataset = dataset_of(store, two_shards, lengths)
    options: dict[str, Any] = {
        "stride": stride, "shuffle": shuffle, "seed": 4, "dtype": dtype, "pool_frames": window + pool
    }  # fmt: skip
    alone = list(dataset.stream(window, batch_size, KEYS, **options))
    expected = expected_windows(lengths, window, stride)
    assert sorted(windows_of(alone)) == expected
    if not shuffle:
        assert windows_of(alone) == expected
    assert [len(batch["mask"]) for batch in alone[:-1]] == [batch_size] * (len(alone) - 1)

    ranks = [
        dataset.stream(window, batch_size, KEYS, rank=rank, world_size=world_size, **options)
        for rank in range(world_size)
    ]
    shares = [list(stream) for stream in ranks]
    assert [len(share) for share in shares] == [len(stream) for stream in ranks]
    assert same_batches([shares[place % world_size][place // world_size] for place in range(len(alone))], alone)

    episodes = [dataset.episode(row, KEYS) for row in range(len(lengths))]
    for batch in alone:
        check_batch(batch, episodes, window)


def check_batch(batch: Batch, episodes: list[dict[str, Any]], window: int) -> None:
    for place, (row, first) in enumerate(zip(batch["episode"], batch["frame"], strict=True)):
        there = min(window, len(episodes[row]["valid"]) - first)
        assert batch["mask"][place].tolist() == [True] * there + [False] * (window - there)
        for key in KEYS:
            want = episodes[row][key][first : first + there]
            assert batch[key][place, :there].tobytes() == want.tobytes()
            padded = batch[key][place, there:]
            assert np.isnan(padded).all() if key == "grip" else (padded == 0).all()


def test_all_arrays_come_in_the_types_and_shapes_that_are_promised(kitchen: Dataset) -> None:
    episodes = [kitchen.episode(row) for row in range(len(kitchen))]
    floats = kitchen.stream(64, 50, shuffle=True, stride=7, pool_frames=2048)
    integers = kitchen.stream(64, 50, shuffle=True, stride=7, pool_frames=2048, dtype="int16")
    assert integers.scales == {
        name: spec.scale_factor for name, spec in BASIC_ARRAYS.items() if spec.scale_factor is not None
    }
    seen_padding = False
    for batch, stored in zip(floats, integers, strict=True):
        assert set(batch) == {*BASIC_ARRAYS, "mask", "episode", "frame"}
        assert [batch[name].dtype.name for name in ("mask", "episode", "frame")] == ["bool", "int64", "int64"]
        mask = batch["mask"]
        seen_padding |= not mask.all()
        for name, spec in BASIC_ARRAYS.items():
            assert batch[name].shape == (len(mask), 64, *spec.shape)
            kept = name in ("timestamp", "valid")
            assert batch[name].dtype == (spec.dtype if kept else "float32")
            assert stored[name].dtype == spec.dtype
            want = np.concatenate(
                [
                    episodes[row][name][first : first + 64]
                    for row, first in zip(batch["episode"], batch["frame"], strict=True)
                ]
            )
            np.testing.assert_array_equal(batch[name][mask], want)
            if not kept:
                assert np.isnan(batch[name][~mask]).all()
            if spec.is_fixed_point:
                missing = np.isnan(batch[name])
                assert (stored[name][missing] == MISSING).all()
                scaled = stored[name][~missing].astype(np.float32) * np.float32(integers.scales[name])
                np.testing.assert_array_equal(scaled, batch[name][~missing])
    assert seen_padding


def test_each_epoch_has_an_order_of_its_own_that_only_the_seed_decides(kitchen: Dataset) -> None:
    stream = kitchen.stream(32, 40, ["grip"], shuffle=True, seed=9)
    first, second = windows_of(list(stream)), windows_of(list(stream))
    assert sorted(first) == sorted(second)
    assert first != second
    again = kitchen.stream(32, 40, ["valid"], shuffle=True, seed=9)
    assert [windows_of(list(again)), windows_of(list(again))] == [first, second]
    assert windows_of(list(kitchen.stream(32, 40, ["grip"], shuffle=True, seed=9, epoch=1))) == second
    assert windows_of(list(kitchen.stream(32, 40, ["grip"], shuffle=True, seed=10))) != first


def test_a_batch_mixes_episodes(kitchen: Dataset) -> None:
    batches = list(kitchen.stream(32, 40, ["grip"], shuffle=True, seed=9))
    assert all(len(set(batch["episode"].tolist())) >= 3 for batch in batches[:-1])


@pytest.mark.parametrize(
    ("balance", "digest"),
    [(None, "42e365cc545a594a"), ("contributor", "c7809690ffbe7cef")],
)
def test_the_order_is_that_of_earlier_releases(kitchen: Dataset, balance: str | None, digest: str) -> None:
    # A change of the order breaks the states that people have stored: it needs a new STATE_VERSION.
    stream = kitchen.stream(16, 40, ["valid"], shuffle=True, seed=9, epoch=1, balance=balance, pool_frames=640)
    order = [windows_of(list(stream)), windows_of(list(stream))]
    assert hashlib.sha256(repr(order).encode()).hexdigest()[:16] == digest


def test_where_chooses_episodes_and_rows_keep_their_number_and_order(kitchen: Dataset) -> None:
    columns = zip(kitchen.episodes["contributor"].to_pylist(), kitchen.episodes["length"].to_pylist(), strict=True)
    chosen = [(row, length) for row, (who, length) in enumerate(columns) if who == "ben" or length == 400]
    assert len(chosen) == 3
    stream = kitchen.stream(32, 64, ["grip"], where="contributor = 'ben' or length = 400")
    assert windows_of(list(stream)) == [(row, frame) for row, length in chosen for frame in range(length - 32 + 1)]


def test_a_filter_that_matches_nothing_and_an_empty_version_are_errors(kitchen: Dataset, store: Objects) -> None:
    with pytest.raises(InvalidInput, match="matches none of the 6 episodes of kitchen@1"):
        kitchen.stream(32, 64, where="length > 1000")
    empty = Dataset(store, write_version(store, "empty", make_table([])))
    with pytest.raises(InvalidInput, match="empty@1 holds no episodes"):
        empty.stream(32, 64)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"window": 0}, "window should be a whole number, at least 1, got 0"),
        ({"window": 6.5}, "window should be a whole number"),
        ({"batch_size": 0}, "batch_size should be a whole number, at least 1"),
        ({"stride": 0}, "stride should be a whole number, at least 1"),
        ({"seed": -1}, "seed should be a whole number, at least 0"),
        ({"pool_frames": 7}, "pool_frames should be a whole number, at least 8"),
        ({"keys": "grip"}, "keys should be a list"),
        ({"keys": ["grips"]}, "keys should be a list of some of timestamp, body_image"),
        ({"dtype": "float16"}, "dtype should be 'float32' or 'int16'"),
        ({"rank": 2, "world_size": 2}, "rank from 0 to world_size - 1; got epoch 0, rank 2 and world_size 2"),
        ({"world_size": 0}, "rank from 0 to world_size - 1"),
        ({"balance": "contributor"}, "needs shuffle=True"),
        ({"balance": "height", "shuffle": True}, "cannot balance by 'height'; the columns are episode,"),
        ({"where": "lable = 'x'"}, "no column 'lable'"),
    ],
)
def test_an_argument_out_of_range_is_refused_by_name(kitchen: Dataset, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        kitchen.stream(**{"window": 8, "batch_size": 4, **arguments})


def test_a_thousand_ranks_share_an_epoch_and_some_get_nothing(kitchen: Dataset) -> None:
    shares = [list(kitchen.stream(64, 200, ["valid"], rank=rank, world_size=1000)) for rank in range(0, 1000, 111)]
    assert same_batches(shares[0], list(kitchen.stream(64, 200, ["valid"]))[:1])
    assert all(share == [] for share in shares[1:])


@pytest.mark.parametrize("damage", ["deleted", "emptied", "truncated", "flipped"])
@pytest.mark.parametrize("part", ["grip/c/0/0", "zarr.json"])
def test_an_object_that_cannot_be_read_is_an_error_and_never_a_shorter_epoch(
    tmp_path: Path, damage: str, part: str
) -> None:
    objects = open_objects(tmp_path)
    make_dataset(objects, "kitchen", {"anna": [400], "ben": [400]})
    dataset = open_dataset(tmp_path / "datasets/kitchen")
    path = tmp_path / "shards" / f"{dataset.episodes['shard'][1].as_py()}.zarr" / part
    good = path.read_bytes()
    flipped = bytearray(good)
    flipped[len(good) // 3] ^= 4
    contents = {"emptied": b"", "truncated": good[: len(good) // 2], "flipped": bytes(flipped)}
    if damage == "deleted":
        path.unlink()
    else:
        path.write_bytes(contents[damage])
    with pytest.raises(CorruptObject, match=f"object '{path.relative_to(tmp_path)}'"):
        for _ in dataset.stream(32, 16, ["grip"], shuffle=True, pool_frames=300):
            pass


@pytest.mark.parametrize("options", [{}, {"balance": "contributor"}], ids=str)
def test_memory_stays_under_the_stated_bound(tmp_path: Path, options: dict[str, Any]) -> None:
    objects = open_objects(tmp_path)
    shard = write_shard(objects, [make_trajectory(10_000, seed=1)])
    other = write_shard(objects, [make_trajectory(1_000, seed=2, contributor="ben")])
    # The same frames under several names: a dataset of many pools, quickly made.
    rows = [make_row(shard, episode=f"e{place}") for place in range(16)] + [make_row(other)]
    dataset = Dataset(objects, write_version(objects, "large", make_table(rows)))
    keys = ["body_world", "hands_world", "grip"]
    bytes_a_frame = 33 * 3 * 2 + 2 * 21 * 3 * 2 + 2 * 4
    stream = dataset.stream(64, 16, keys, stride=64, shuffle=True, pool_frames=16384, **options)
    assert stream.memory_bound_bytes < 161_000 * bytes_a_frame, "less than all frames take"
    take(stream, 3)  # what is imported and cached on first use is not the stream's
    gc.collect()
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    batches = sum(1 for _ in stream)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert batches > 150
    assert peak - before < stream.memory_bound_bytes


def test_the_stated_bound_follows_from_the_arguments(kitchen: Dataset) -> None:
    def bound(**changes: Any) -> int:
        arguments: dict[str, Any] = {"window": 64, "batch_size": 64, "keys": ["grip"], "pool_frames": 8192}
        return kitchen.stream(**arguments | changes).memory_bound_bytes

    assert bound() < 20 * 2**20
    assert bound(pool_frames=81920) - bound() >= 73728 * 8
    assert bound(keys=["grip", "body_world"]) - bound() >= 8192 * 198
    assert bound(batch_size=640) > bound()


@pytest.mark.parametrize(
    ("options", "bound"),
    [
        ({}, 14_498_696),
        ({"sampling": "random"}, 16_873_992),
        ({"rate": 20.0}, 24_623_824),
        ({"history": 8, "future": 8, "dtype": "int16", "balance": "contributor"}, 14_492_290),
    ],
    ids=str,
)
def test_the_stated_bound_is_the_sum_of_what_each_part_states(
    kitchen: Dataset, options: dict[str, Any], bound: int
) -> None:
    stream = kitchen.stream(64, 64, ["grip", "valid"], shuffle=True, pool_frames=8192, **options)
    parts = stream.memory_parts
    assert stream.memory_bound_bytes == sum(parts.values()) == bound
    assert parts.pop("video") == 0
    assert min(parts.values()) > 0
    assert parts["shards"] == kitchen.shards.memory_bound_bytes(arrays=2)
    assert parts["batches"] == BatchCutter.memory_bound_bytes(
        stream.settings, stream.settings.layout(BASIC_ARRAYS), None
    )


def test_a_million_episodes_take_no_object_each(store: Objects, two_shards: list[ShardRecord]) -> None:
    dataset = dataset_of(store, two_shards, [100])
    dataset.episodes = make_table([make_row(two_shards[0], length=100)]).take([0] * 1_000_000)
    stream = dataset.stream(64, 256, ["valid"], shuffle=True)
    assert stream.windows == 37_000_000
    assert stream.memory_bound_bytes < 2**30
    assert len(next(iter(stream))["mask"]) == 256
