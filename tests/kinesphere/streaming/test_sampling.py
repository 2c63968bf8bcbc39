"""Sampling at random and by weight: every window as often as promised, in an order that is uniformly random."""

import gc
import hashlib
import math
import tracemalloc
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from copy import copy
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kinesphere.dataset import Dataset, open_dataset
from kinesphere.errors import CorruptObject, InvalidInput
from kinesphere.objects.store import Objects, open_objects
from kinesphere.streaming.episode_spans import Spans
from kinesphere.streaming.epoch import plan_epoch
from kinesphere.streaming.pools import Pool, PoolLoader
from kinesphere.streaming.random_windows import RandomPools
from kinesphere.streaming.sampling import RandomPermutation, Shares
from kinesphere.streaming.window_index import Integers, WindowIndex, index_windows
from kinesphere.trajectory import BASIC_ARRAYS
from storage.publishing.version_writer import write_version
from storage.shards.shard_writer import ShardRecord, write_shard
from tests.support.expected_windows import dataset_of, expected_windows, same_batches, take, windows_of
from tests.support.generated_trajectories import make_dataset, make_row, make_table, make_trajectory

PROPERTY = settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
KEYS = ["grip", "valid", "timestamp"]


def shares_by_definition(lengths: list[int], weights: list[float], window: int, stride: int) -> list[float]:
    """How many windows each episode should get, before rounding."""
    counts = Counter(episode for episode, _ in expected_windows(lengths, window, stride))
    parts = [weight * counts[episode] for episode, weight in enumerate(weights)]
    return [counts.total() * part / math.fsum(parts) for part in parts]


@PROPERTY
@given(
    lengths=st.lists(st.integers(1, 300), min_size=1, max_size=6),
    window=st.integers(1, 80),
    stride=st.integers(1, 60),
    batch_size=st.integers(1, 70),
    pool=st.sampled_from([0, 300, 10**6]),
    seed=st.integers(0, 2**40),
    world_size=st.integers(1, 4),
    workers=st.integers(1, 3),
    dtype=st.sampled_from(["float32", "int16"]),
)
def test_every_window_comes_once_at_random_and_equals_its_episode(
    store: Objects, two_shards: list[ShardRecord], lengths: list[int], window: int, stride: int, batch_size: int,
    pool: int, seed: int, world_size: int, workers: int, dtype: Any,
) -> None:  # fmt: skip
    dataset = dataset_of(store, two_shards, lengths)
    options: dict[str, Any] = {"stride": stride, "shuffle": True, "seed": seed, "dtype": dtype, "sampling": "random"}
    alone = list(dataset.stream(window, batch_size, KEYS, pool_frames=window + pool, **options))
    assert sorted(windows_of(alone)) == expected_windows(lengths, window, stride)
    assert [len(batch["mask"]) for batch in alone[:-1]] == [batch_size] * (len(alone) - 1)
    parts = [
        list(dataset.stream(window, batch_size, KEYS, rank=rank, world_size=world_size, **options).split(part, workers))
        for part in range(workers)
        for rank in range(world_size)
    ]
    everyone = len(parts)
    assert same_batches([parts[place % everyone][place // everyone] for place in range(len(alone))], alone)
    episodes = [dataset.episode(row, KEYS) for row in range(len(lengths))]
    for batch in alone:
        for place, (row, first) in enumerate(zip(batch["episode"], batch["frame"], strict=True)):
            there = min(window, len(episodes[row]["valid"]) - first)
            assert batch["mask"][place].tolist() == [True] * there + [False] * (window - there)
            for key in KEYS:
                want = episodes[row][key][first : first + there]
                assert batch[key][place, :there].tobytes() == want.tobytes()
                padded = batch[key][place, there:]
                assert np.isnan(padded).all() if key == "grip" else (padded == 0).all()


@PROPERTY
@given(
    lengths=st.lists(st.integers(1, 150), min_size=1, max_size=8),
    weights=st.lists(st.sampled_from([0.0, 0.1, 1 / 3, 1.0, 2.0, 50.0]), min_size=8, max_size=8),
    window=st.integers(1, 40),
    stride=st.integers(1, 20),
    pool=st.sampled_from([20, 100, 10**6]),
    sampling=st.sampled_from(["pool", "random"]),
    epoch=st.integers(0, 3),
)
def test_weights_give_every_episode_its_share_and_every_window_its_rate(
    store: Objects, two_shards: list[ShardRecord], lengths: list[int], weights: list[float], window: int, stride: int,
    pool: int, sampling: Any, epoch: int,
) -> None:  # fmt: skip
    weights = [*weights[: len(lengths) - 1], 1.0]
    dataset = dataset_of(store, two_shards, lengths)
    options: dict[str, Any] = {"stride": stride, "shuffle": True, "epoch": epoch, "pool_frames": window + pool}
    stream = dataset.stream(window, 7, ["valid"], sampling=sampling, weight=np.array(weights), **options)
    drawn = Counter(windows_of(list(stream)))
    windows = expected_windows(lengths, window, stride)
    assert drawn.total() == len(windows) == stream.windows
    assert set(drawn) <= set(windows)
    for row, exact in enumerate(shares_by_definition(lengths, weights, window, stride)):
        members = [member for member in windows if member[0] == row]
        share = sum(drawn[member] for member in members)
        assert abs(share - exact) < 1 + 1e-9
        assert {drawn[member] for member in members} <= {share // len(members), -(-share // len(members))}
        assert share == 0 or weights[row] > 0


@PROPERTY
@given(
    lengths=st.lists(st.integers(1, 120), min_size=2, max_size=9),
    groups=st.lists(st.sampled_from(["a", "b", None]), min_size=9, max_size=9),
    window=st.integers(1, 40),
    epoch=st.integers(0, 3),
)
def test_random_sampling_keeps_the_promise_of_balance(
    store: Objects, two_shards: list[ShardRecord], lengths: list[int], groups: list[str | None], window: int, epoch: int
) -> None:
    rows = [
        make_row(two_shards[place % 2], episode=f"e{place}", first_frame=place, length=length, label=groups[place])
        for place, length in enumerate(lengths)
    ]
    dataset = Dataset(store, write_version(store, "balanced", make_table(rows)))
    stream = dataset.stream(window, 7, ["valid"], shuffle=True, balance="label", epoch=epoch, sampling="random")
    drawn = Counter(windows_of(list(stream)))
    windows = expected_windows(lengths, window, 1)
    assert drawn.total() == len(windows)
    for group in set(groups[: len(lengths)]):
        members = [(episode, frame) for episode, frame in windows if groups[episode] == group]
        share = sum(drawn[member] for member in members)
        assert abs(share - len(windows) / len(set(groups[: len(lengths)]))) < 1
        assert {drawn[member] for member in members} <= {share // len(members), -(-share // len(members))}


def test_what_is_drawn_once_more_is_spread_over_the_episode_and_is_another_each_epoch(kitchen: Dataset) -> None:
    weights = np.array([1.0, 1.0, 1.0, 3.0, 1.0, 1.0])
    stream = kitchen.stream(16, 50, ["valid"], shuffle=True, sampling="random", weight=weights)
    epochs = [sorted(frame for row, frame in windows_of(list(stream)) if row == 0) for _ in range(2)]
    for frames in epochs:
        assert len(frames) == len(set(frames)) < 600
        assert np.diff(frames).max() <= 3
    assert epochs[0] != epochs[1]


def test_shares_are_rounded_by_the_largest_remainder() -> None:
    index = index_windows(np.array([10, 10, 10, 10], np.int64), 10, 1, 100)
    # Four windows; exact shares are 2.2, 1.0, 0.2, 0.6.
    assert Shares.weighted(index, np.array([11.0, 5.0, 1.0, 3.0])).draws.tolist() == [2, 1, 0, 1]
    assert Shares.weighted(index, np.array([0.3, 0.3, 0.3, 0.3])).draws.tolist() == [1, 1, 1, 1]
    assert Shares.weighted(index, np.array([1.0, 1.0, 1.0, 0.0])).draws.tolist() == [2, 1, 1, 0], "of equals the first"
    assert Shares.weighted(index, np.array([1e308, 1e308, 0.0, 5e-324])).draws.tolist() == [2, 2, 0, 0]


def test_a_column_weighs_like_an_array_of_its_numbers(kitchen: Dataset) -> None:
    for column in ("length", "body_share"):
        numbers = kitchen.episodes[column].to_numpy()
        by_column = kitchen.stream(16, 50, ["valid"], shuffle=True, weight=column)
        by_array = kitchen.stream(16, 50, ["valid"], shuffle=True, weight=numbers)
        assert same_batches(list(by_column), list(by_array))
    once, weighted = (
        Counter(row for row, _ in windows_of(list(kitchen.stream(16, 50, ["valid"], shuffle=True, weight=weight))))
        for weight in (None, "length")
    )
    assert weighted[0] > 1.3 * once[0], "the longest episode"


def test_weights_of_episodes_that_are_not_chosen_do_not_matter(kitchen: Dataset) -> None:
    weights = np.array([np.nan, -1.0, 1.0, 2.0, 1.0, np.inf])
    where = "length in (64, 65, 400)"
    stream = kitchen.stream(16, 50, ["valid"], shuffle=True, weight=weights, where=where)
    assert {row for row, _ in windows_of(list(stream))} == {2, 3, 4}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sampling": "uniform"}, "sampling should be 'pool' or 'random', got 'uniform'"),
        ({"sampling": "random", "shuffle": False}, "sampling='random' needs shuffle=True"),
        ({"weight": "length", "shuffle": False}, "weight draws at random, so it needs shuffle=True"),
        ({"weight": "length", "balance": "label"}, "give one of them"),
        ({"weight": "height"}, "cannot weight by 'height'; the columns are episode,"),
        ({"weight": "label"}, "cannot weight by 'label', which holds string"),
        ({"weight": np.ones(5)}, r"array of 6 numbers, one a row, got float64 \(5,\)"),
        ({"weight": np.ones((6, 1))}, r"got float64 \(6, 1\)"),
        ({"weight": np.ones(6, bool)}, "got bool"),
        ({"weight": [1, 2, 3, 4, 5, 6]}, r"got \[1, 2"),
        ({"weight": np.zeros(6)}, "all 6 chosen episodes have the weight 0"),
        ({"weight": np.array([1, 1, -1, 1, 1, 1])}, "episode '20261123-094500-00000005' has the weight -1.0"),
        ({"weight": np.array([1, 1, 1, 1, 1, np.nan])}, "episode '20261123-094500-000003ec' has the weight nan"),
        ({"weight": np.array([np.inf, 1, 1, 1, 1, 1])}, "episode '20261123-094500-00000003' has the weight inf"),
    ],
)
def test_what_cannot_be_sampled_is_refused(kitchen: Dataset, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        kitchen.stream(**{"window": 8, "batch_size": 4, "shuffle": True} | arguments)


def test_an_episode_without_a_weight_is_refused_by_name(kitchen: Dataset) -> None:
    dataset = copy(kitchen)
    dataset.episodes = kitchen.episodes.append_column("quality", pa.array([1, 2, None, 4, 5, 6]))
    with pytest.raises(InvalidInput, match="episode '20261123-094500-00000005' has the weight nan"):
        dataset.stream(8, 4, shuffle=True, weight="quality")


def test_an_episode_shorter_than_the_window_an_empty_filter_and_an_empty_version(
    kitchen: Dataset, store: Objects
) -> None:
    (batch,) = kitchen.stream(80, 9, ["valid"], shuffle=True, sampling="random", where="length < 10")
    assert batch["mask"].sum(axis=1).tolist() == [9]
    with pytest.raises(InvalidInput, match="matches none of the 6 episodes"):
        kitchen.stream(8, 4, shuffle=True, sampling="random", weight="length", where="length > 1000")
    empty = Dataset(store, write_version(store, "empty", make_table([])))
    with pytest.raises(InvalidInput, match="holds no episodes"):
        empty.stream(8, 4, shuffle=True, sampling="random")


@pytest.mark.parametrize("options", [{}, {"balance": "contributor"}, {"weight": "length"}], ids=str)
def test_the_random_order_is_that_of_earlier_releases(kitchen: Dataset, options: dict[str, Any]) -> None:
    # A change of the order breaks the states that people have stored: it needs a new STATE_VERSION.
    stream = kitchen.stream(16, 40, ["valid"], shuffle=True, seed=9, epoch=1, sampling="random", **options)
    order = [windows_of(list(stream)), windows_of(list(stream))]
    digests = {"": "3e2151b4f84ff8ad", "balance": "81360c0044a73d04", "weight": "a8819b0580d0f1ba"}
    assert hashlib.sha256(repr(order).encode()).hexdigest()[:16] == digests["".join(options)]


def test_each_random_epoch_has_an_order_of_its_own_that_only_the_seed_decides(kitchen: Dataset) -> None:
    options: dict[str, Any] = {"shuffle": True, "sampling": "random"}
    stream = kitchen.stream(16, 40, ["grip"], seed=9, **options)
    first, second = windows_of(list(stream)), windows_of(list(stream))
    place = {window: number for number, window in enumerate(first)}
    assert abs(np.corrcoef([place[window] for window in second], np.arange(len(second)))[0, 1]) < 0.1
    assert windows_of(list(kitchen.stream(16, 40, ["valid"], seed=9, epoch=1, **options))) == second
    assert windows_of(list(kitchen.stream(16, 40, ["valid"], seed=10, **options))) != first


class CountingLoader(PoolLoader):
    """A loader that notes how many windows were asked of it at a time."""

    asked: tuple[int, ...] = ()

    def begin(self, blocks: Integers, index: WindowIndex | None = None) -> Callable[[], Pool]:
        """Begin, and note how many."""
        self.asked += (len(blocks),)
        return super().begin(blocks, index)


def test_a_rank_reads_its_own_windows_only_more_at_a_time_up_to_the_pool(kitchen: Dataset) -> None:
    rows = np.arange(len(kitchen), dtype=np.int64)
    spans = Spans.of(kitchen.episodes, rows)
    index = index_windows(spans.length, 16, 1, 4096)
    stream = kitchen.stream(16, 10, ["valid"], shuffle=True, sampling="random", pool_frames=700)
    epoch = plan_epoch(index, 0, 0, shuffle=True, pool_frames=700, shares=None, sampling="random")
    with closing(CountingLoader(kitchen.shards, spans, index, stream.settings.layout(BASIC_ARRAYS), 4096)) as loader:
        pools = RandomPools(stream.settings, index, epoch, loader, step=3)
        for number in range(1, stream.batches, 3):
            pools.drawn(10 * number, 10)
    assert loader.asked[:4] == (10, 20, 40, 40), "16 frames a window: 4 batches fit into 700 frames"
    assert max(loader.asked) == 40
    assert sum(loader.asked) == sum(min(10, stream.windows - 10 * number) for number in range(1, stream.batches, 3))


def test_the_size_of_the_pool_does_not_change_the_random_order(kitchen: Dataset) -> None:
    small, large = (
        kitchen.stream(16, 40, ["valid"], shuffle=True, sampling="random", balance="contributor", pool_frames=frames)
        for frames in (16, 10**6)
    )
    large.load_state_dict(small.state_dict())
    assert same_batches(list(small), list(large))


@given(length=st.integers(1, 5000), seed=st.integers(0, 2**60))
@settings(max_examples=40)
def test_a_random_permutation_has_every_number_once_wherever_it_is_entered(length: int, seed: int) -> None:
    permutation = RandomPermutation(length, [seed])
    whole = permutation.at(np.arange(length, dtype=np.int64))
    assert sorted(whole.tolist()) == list(range(length))
    some = np.array([length - 1, 0, length // 2], np.int64)
    assert permutation.at(some).tolist() == whole[some].tolist()


def test_a_random_permutation_of_more_than_memory_holds_is_entered_at_once() -> None:
    permutation = RandomPermutation(2**60 + 7, [1])
    found = permutation.at(np.arange(2**59, 2**59 + 100_000))
    assert len(np.unique(found)) == 100_000
    assert abs(found.mean() / 2**59 - 1) < 0.02
    assert 0 <= found.min() < found.max() < 2**60 + 7


def test_every_order_of_a_few_is_equally_likely() -> None:
    orders = Counter(
        tuple(RandomPermutation(3, [seed, 3]).at(np.arange(3, dtype=np.int64)).tolist()) for seed in range(600)
    )
    assert len(orders) == 6, "odd ones too"
    assert sum((count - 100) ** 2 / 100 for count in orders.values()) < 20.5, "chi-squared, 5 degrees, p = 0.001"


def test_what_stands_where_and_side_by_side_is_uniformly_random() -> None:
    cells, repeats, length = 16, 60, 4096
    where = np.zeros((cells, cells))
    steps = np.zeros(cells)
    for seed in range(repeats):
        found = RandomPermutation(length, [7, seed]).at(np.arange(length, dtype=np.int64))
        np.add.at(where, (np.arange(length) * cells // length, found * cells // length), 1)
        steps += np.bincount((found[1::2] - found[::2]) % length * cells // length, minlength=cells)
    expected = repeats * length / cells**2
    # A cell of a permutation's table varies a little less than one of independent numbers, by (1 - 1/16)^2 in all.
    assert 140 < ((where - expected) ** 2 / expected).sum() < 310, "chi-squared of 225 degrees"
    expected = repeats * length / 2 / cells
    assert 3 < ((steps - expected) ** 2 / expected).sum() < 37.7, "chi-squared of 15 degrees, p = 0.001"
    rank = np.corrcoef(np.arange(length), found)[0, 1]
    assert abs(rank) < 0.06


def test_what_cannot_be_read_ends_a_random_epoch_with_an_error(tmp_path: Path) -> None:
    make_dataset(open_objects(tmp_path), "kitchen", {"anna": [400], "ben": [400]})
    dataset = open_dataset(tmp_path / "datasets/kitchen")
    path = tmp_path / "shards" / f"{dataset.episodes['shard'][1].as_py()}.zarr/grip/c/0/0"
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(CorruptObject, match=f"object '{path.relative_to(tmp_path)}'"):
        list(dataset.stream(32, 16, ["grip"], shuffle=True, sampling="random"))


@pytest.mark.parametrize("options", [{}, {"weight": "length"}], ids=str)
def test_memory_of_random_sampling_stays_under_the_stated_bound(tmp_path: Path, options: dict[str, Any]) -> None:
    objects = open_objects(tmp_path)
    shard = write_shard(objects, [make_trajectory(10_000, seed=1)])
    dataset = Dataset(
        objects,
        write_version(objects, "large", make_table([make_row(shard, episode=f"e{place}") for place in range(16)])),
    )
    keys = ["body_world", "hands_world", "grip"]
    bytes_a_frame = 33 * 3 * 4 + 2 * 21 * 3 * 4 + 2 * 4
    stream = dataset.stream(
        64, 16, keys, stride=64, shuffle=True, pool_frames=16384, dtype="int16", sampling="random", **options
    )
    assert stream.memory_bound_bytes < 161_000 * bytes_a_frame, "less than all frames take"
    take(stream, 3)
    gc.collect()
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    assert sum(1 for _ in stream) > 150
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak - before < stream.memory_bound_bytes


def test_a_million_episodes_at_random_take_no_object_each(store: Objects, two_shards: list[ShardRecord]) -> None:
    dataset = dataset_of(store, two_shards, [100])
    dataset.episodes = make_table([make_row(two_shards[0], length=100)]).take([0] * 1_000_000)
    stream = dataset.stream(64, 256, ["valid"], shuffle=True, sampling="random")
    assert stream.windows == 37_000_000
    assert stream.memory_bound_bytes < 2**29
    stream.load_state_dict(stream.state_dict() | {"batch": stream.batches - 1})
    assert len(next(iter(stream))["mask"]) == 37_000_000 % 256
