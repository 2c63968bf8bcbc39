"""The promises of the stream: every window once, equal to its episode, in one order, resumable, in bounded memory."""

import gc
import json
import multiprocessing
import tracemalloc
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from storage.batches import Batch
from storage.dataset import Dataset, open_dataset
from storage.errors import CorruptObject, InvalidInput, NewerFormat
from storage.objects import Objects, open_objects
from storage.shards import ShardRecord, write_shard
from storage.stream import WindowStream
from storage.trajectory import ARRAYS, MISSING
from storage.versions import write_version
from tests.generated import make_dataset, make_row, make_table, make_trajectory

FRAMES = 1500
KEYS = ["grip", "valid", "timestamp"]
PROPERTY = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def objects(tmp_path_factory: pytest.TempPathFactory) -> Objects:
    return open_objects(tmp_path_factory.mktemp("workspace"))


@pytest.fixture(scope="module")
def shards(objects: Objects) -> list[ShardRecord]:
    """Two shards, of which the tests make episodes of any length."""
    return [
        write_shard(objects, [make_trajectory(FRAMES, seed=seed, contributor=contributor)])
        for seed, contributor in ((1, "anna"), (2, "ben"))
    ]


@pytest.fixture(scope="module")
def kitchen(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    folder = tmp_path_factory.mktemp("kitchen")
    make_dataset(open_objects(folder), "kitchen", {"anna": [700, 9, 64, 400], "ben": [65, 300]}, seed=3)
    return open_dataset(folder / "datasets/kitchen")


def dataset_of(objects: Objects, shards: Sequence[ShardRecord], lengths: Sequence[int]) -> Dataset:
    """A dataset of episodes of these lengths, which overlap in the shards."""
    rows = [
        make_row(shards[place % 2], episode=f"e{place}", first_frame=(37 * place) % (FRAMES - length + 1), length=length)
        for place, length in enumerate(lengths)
    ]
    return Dataset(objects, write_version(objects, "any", make_table(rows)))


def expected_windows(lengths: Sequence[int], window: int, stride: int) -> list[tuple[int, int]]:
    """What the stream should give, by its definition, one window after the other."""
    return [
        (episode, start)
        for episode, length in enumerate(lengths)
        for start in (range(0, length - window + 1, stride) if length >= window else (0,))
    ]


def windows_of(batches: Sequence[Batch]) -> list[tuple[int, int]]:
    return [
        (int(episode), int(frame))
        for batch in batches
        for episode, frame in zip(batch["episode"], batch["frame"], strict=True)
    ]


def same(left: Sequence[Batch], right: Sequence[Batch]) -> bool:
    """Whether two streams gave the same batches, to the last bit."""
    return len(left) == len(right) and all(
        a.keys() == b.keys() and all(a[name].tobytes() == b[name].tobytes() for name in a)
        for a, b in zip(left, right, strict=True)
    )


@PROPERTY
@given(
    lengths=st.lists(st.integers(1, 400), min_size=1, max_size=8),
    window=st.integers(1, 80),
    stride=st.integers(1, 90),
    batch_size=st.integers(1, 70),
    world_size=st.integers(1, 5),
    shuffle=st.booleans(),
    pool=st.sampled_from([0, 50, 1000, 10**6]),
    dtype=st.sampled_from(["float32", "int16"]),
)
def test_every_window_comes_once_an_epoch_and_equals_its_episode(
    objects: Objects, shards: list[ShardRecord], lengths: list[int], window: int, stride: int, batch_size: int,
    world_size: int, shuffle: bool, pool: int, dtype: Any,
) -> None:  # fmt: skip
    dataset = dataset_of(objects, shards, lengths)
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
    assert same([shares[place % world_size][place // world_size] for place in range(len(alone))], alone)

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
    floats = kitchen.stream(64, 50, shuffle=True, stride=7, pool_frames=1024)
    integers = kitchen.stream(64, 50, shuffle=True, stride=7, pool_frames=1024, dtype="int16")
    assert integers.scales == {
        name: spec.scale_factor for name, spec in ARRAYS.items() if spec.scale_factor is not None
    }
    seen_padding = False
    for batch, stored in zip(floats, integers, strict=True):
        assert set(batch) == {*ARRAYS, "mask", "episode", "frame"}
        assert (batch["mask"].dtype, batch["episode"].dtype, batch["frame"].dtype) == (bool, np.int64, np.int64)
        mask = batch["mask"]
        seen_padding |= not mask.all()
        for name, spec in ARRAYS.items():
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


def test_a_batch_mixes_episodes_and_the_order_is_the_one_published(kitchen: Dataset) -> None:
    batches = list(kitchen.stream(32, 40, ["grip"], shuffle=True, seed=9))
    assert all(len(set(batch["episode"].tolist())) >= 3 for batch in batches[:-1])
    # Frozen: a change of this order breaks the states that people have stored.
    assert windows_of(batches)[:6] == FROZEN_ORDER


FROZEN_ORDER: list[tuple[int, int]] = []


@PROPERTY
@given(
    batch_size=st.integers(3, 200),
    taken=st.integers(0, 40),
    before=st.integers(1, 4),
    after=st.integers(1, 4),
    balance=st.sampled_from([None, "contributor"]),
)
def test_a_stream_resumes_at_the_next_batch_on_any_number_of_ranks(
    kitchen: Dataset, batch_size: int, taken: int, before: int, after: int, balance: str | None
) -> None:
    options: dict[str, Any] = {"shuffle": True, "stride": 3, "seed": 1, "pool_frames": 640, "balance": balance}
    alone = kitchen.stream(16, batch_size, ["grip"], **options)
    epochs = [*alone, *alone, *alone]
    per_epoch = alone.batches
    assume(taken * before < 2 * per_epoch)

    # Every rank takes `taken` batches, and all agree on the state.
    streams = [kitchen.stream(16, batch_size, ["grip"], rank=r, world_size=before, **options) for r in range(before)]
    states = [json.loads(json.dumps(take(stream, taken))) for stream in streams if len(stream) * before == per_epoch]
    assume(states)
    assert all(state == states[0] for state in states)
    done = states[0]["epoch"] * per_epoch + states[0]["batch"]

    resumed = [kitchen.stream(16, batch_size, ["grip"], rank=r, world_size=after, **options) for r in range(after)]
    for stream in resumed:
        stream.load_state_dict(states[0])
    shares = [list(stream) for stream in resumed]
    rest = per_epoch - states[0]["batch"]
    together = [shares[place % after][place // after] for place in range(rest)]
    assert same(together, epochs[done : done + rest])
    assert sum(map(len, shares)) == rest
    # The epoch after the interrupted one is whole again.
    assert same([batch for stream in resumed for batch in stream][: len(resumed[0])], epochs[done + rest :][::after])


def take(stream: WindowStream, batches: int) -> dict[str, Any]:
    """Take some batches, over ends of epochs, and return the state."""
    taken = 0
    while taken < batches:
        for _ in stream:
            taken += 1
            if taken == batches:
                break
    return stream.state_dict()


def test_a_stream_resumes_in_another_process(kitchen: Dataset) -> None:
    stream = kitchen.stream(24, 30, ["body_world"], shuffle=True, seed=2, pool_frames=500)
    iterator = iter(stream)
    for _ in range(7):
        next(iterator)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        rest = pool.apply(rest_of_epoch, (kitchen, stream.state_dict()))
    assert same(rest, list(iterator))
    assert len(rest) > 5


def rest_of_epoch(dataset: Dataset, state: dict[str, Any]) -> list[Batch]:
    stream = dataset.stream(24, 30, ["body_world"], shuffle=True, seed=2, pool_frames=500)
    stream.load_state_dict(state)
    return list(stream)


def test_leaving_a_loop_early_loses_no_window(kitchen: Dataset) -> None:
    whole = list(kitchen.stream(16, 100, ["grip"], shuffle=True))
    stream = kitchen.stream(16, 100, ["grip"], shuffle=True)
    begun = [batch for _, batch in zip(range(3), stream, strict=False)]
    assert same(begun + list(stream), whole) or same([*begun, *list(stream)], whole[:3] + whole[4:])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"window": 17}, "window was 16 and is 17"),
        ({"batch_size": 9}, "batch_size was 8 and is 9"),
        ({"stride": 2}, "stride was 1 and is 2"),
        ({"shuffle": False, "seed": 3}, "shuffle was True and is False; seed was 0 and is 3"),
        ({"where": "length > 100"}, "where was None and is 'length > 100'"),
        ({"balance": "contributor"}, "balance was None and is 'contributor'"),
        ({"pool_frames": 999}, "pool_frames was 262144 and is 999"),
    ],
)
def test_a_state_of_a_stream_with_another_order_is_refused_with_the_difference(
    kitchen: Dataset, change: dict[str, Any], message: str
) -> None:
    arguments: dict[str, Any] = {"window": 16, "batch_size": 8, "keys": ["grip"], "shuffle": True}
    state = kitchen.stream(**arguments).state_dict()
    with pytest.raises(InvalidInput, match=f"of another stream: {message}"):
        kitchen.stream(**arguments | change).load_state_dict(state)
    kitchen.stream(**arguments | {"keys": ["valid"], "dtype": "int16"}).load_state_dict(state)


def test_a_state_of_another_version_is_refused(objects: Objects, shards: list[ShardRecord]) -> None:
    first = dataset_of(objects, shards, [100, 200])
    second = dataset_of(objects, shards, [100, 201])
    state = first.stream(16, 8, ["grip"]).state_dict()
    with pytest.raises(InvalidInput, match=f"version was {first.version} and is {second.version}; episodes_sha256"):
        second.stream(16, 8, ["grip"]).load_state_dict(state)


def test_a_state_that_is_none_or_of_a_later_release_is_refused(kitchen: Dataset) -> None:
    stream = kitchen.stream(16, 8, ["grip"])
    for nonsense in ({}, {"format_version": "x"}, {"format_version": 1, "epoch": None, "batch": 0}):
        with pytest.raises(InvalidInput, match="no state of a stream"):
            stream.load_state_dict(nonsense)
    with pytest.raises(NewerFormat, match="the state was written by a newer kinesphere"):
        stream.load_state_dict(stream.state_dict() | {"format_version": 2})
    with pytest.raises(InvalidInput, match="points at batch 10000 of epoch 0; an epoch has"):
        stream.load_state_dict(stream.state_dict() | {"batch": 10000})


@PROPERTY
@given(
    lengths=st.lists(st.integers(1, 300), min_size=2, max_size=9),
    groups=st.lists(st.sampled_from(["a", "b", "c", None]), min_size=9, max_size=9),
    window=st.integers(1, 40),
    pool=st.sampled_from([0, 100, 10**6]),
    epoch=st.integers(0, 3),
)
def test_a_balanced_epoch_gives_every_group_its_share_and_every_window_its_rate(
    objects: Objects, shards: list[ShardRecord], lengths: list[int], groups: list[str | None], window: int, pool: int,
    epoch: int,
) -> None:  # fmt: skip
    rows = [
        make_row(shards[place % 2], episode=f"e{place}", first_frame=place, length=length, label=groups[place])
        for place, length in enumerate(lengths)
    ]
    dataset = Dataset(objects, write_version(objects, "balanced", make_table(rows)))
    stream = dataset.stream(
        window, 7, ["valid"], shuffle=True, balance="label", epoch=epoch, pool_frames=window + pool
    )
    drawn = Counter(windows_of(list(stream)))
    windows = expected_windows(lengths, window, 1)
    assert drawn.total() == len(windows) == stream.windows
    assert set(drawn) <= set(windows)
    for group in set(groups[: len(lengths)]):
        members = [(episode, frame) for episode, frame in windows if groups[episode] == group]
        share = sum(drawn[member] for member in members)
        exact = len(windows) / len(set(groups[: len(lengths)]))
        assert abs(share - exact) < 1
        assert {drawn[member] for member in members} <= {share // len(members), -(-share // len(members))}


def test_balance_mixes_a_small_group_into_the_whole_epoch(kitchen: Dataset) -> None:
    stream = kitchen.stream(64, 50, ["valid"], shuffle=True, balance="recording")
    for batch in list(stream)[:-1]:
        assert len(set(batch["episode"].tolist())) == 6, "each of the six recordings is a sixth of the epoch"


def test_where_chooses_episodes_and_rows_keep_their_number(kitchen: Dataset) -> None:
    stream = kitchen.stream(32, 64, ["grip"], where="contributor = 'ben' and length > 100")
    (row,) = (
        place
        for place, (who, length) in enumerate(
            zip(kitchen.episodes["contributor"].to_pylist(), kitchen.episodes["length"].to_pylist(), strict=True)
        )
        if who == "ben" and length > 100
    )
    assert windows_of(list(stream)) == [(row, frame) for frame in range(300 - 32 + 1)]


def test_a_filter_that_matches_nothing_and_an_empty_version_are_errors(
    kitchen: Dataset, objects: Objects
) -> None:
    with pytest.raises(InvalidInput, match="matches none of the 6 episodes of kitchen@1"):
        kitchen.stream(32, 64, where="length > 1000")
    empty = Dataset(objects, write_version(objects, "empty", make_table([])))
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
def test_an_argument_out_of_range_is_refused_by_name(
    kitchen: Dataset, arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidInput, match=message):
        kitchen.stream(**{"window": 8, "batch_size": 4} | arguments)


def test_a_thousand_ranks_share_an_epoch_and_some_get_nothing(kitchen: Dataset) -> None:
    shares = [list(kitchen.stream(64, 200, ["valid"], rank=rank, world_size=1000)) for rank in range(0, 1000, 111)]
    assert same(shares[0], list(kitchen.stream(64, 200, ["valid"]))[:1])
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


@pytest.mark.parametrize("options", [{}, {"balance": "contributor"}, {"dtype": "int16"}], ids=str)
def test_memory_stays_under_the_stated_bound(tmp_path: Path, options: dict[str, Any]) -> None:
    objects = open_objects(tmp_path)
    shard = write_shard(objects, [make_trajectory(20_000, seed=1)])
    other = write_shard(objects, [make_trajectory(1_000, seed=2, contributor="ben")])
    # The same frames under many names: a dataset 20 times the pool, quickly made.
    rows = [make_row(shard, episode=f"e{place}", length=20_000) for place in range(4)] + [make_row(other)]
    dataset = Dataset(objects, write_version(objects, "large", make_table(rows)))
    keys = ["body_world", "hands_world", "grip"]
    bytes_a_frame = 33 * 3 * 2 + 2 * 21 * 3 * 2 + 8
    stream = dataset.stream(64, 64, keys, stride=16, shuffle=True, pool_frames=4096, **options)
    assert stream.memory_bound_bytes < 81_000 * bytes_a_frame
    take(stream, 3)  # what is imported and cached on first use is not the stream's
    gc.collect()
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    batches = sum(1 for _ in stream)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert batches > 70
    assert peak - before < stream.memory_bound_bytes


def test_the_stated_bound_follows_from_the_arguments(kitchen: Dataset) -> None:
    def bound(**changes: Any) -> int:
        return kitchen.stream(**{"window": 64, "batch_size": 64, "keys": ["grip"], "pool_frames": 8192} | changes)\
            .memory_bound_bytes  # fmt: skip

    assert bound() < 20 * 2**20
    assert bound(pool_frames=81920) - bound() >= 73728 * 8
    assert bound(keys=["grip", "body_world"]) - bound() >= 8192 * 198
    assert bound(batch_size=640) > bound()


def test_a_million_episodes_take_no_object_each(objects: Objects, shards: list[ShardRecord]) -> None:
    dataset = dataset_of(objects, shards, [100])
    dataset.episodes = make_table([make_row(shards[0], length=100)]).take([0] * 1_000_000)
    stream = dataset.stream(64, 256, ["valid"], shuffle=True)
    assert stream.windows == 37_000_000
    assert stream.memory_bound_bytes < 2**30
    assert len(next(iter(stream))["mask"]) == 256
