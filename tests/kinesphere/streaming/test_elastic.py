"""Training that is stopped and goes on with more or fewer ranks and workers sees every window as often as promised."""

import json
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kinesphere.dataset import Dataset
from kinesphere.errors import InvalidInput
from kinesphere.objects.store import Objects
from kinesphere.streaming.stream import WindowStream
from storage.shards.shard_writer import ShardRecord
from tests.support.expected_windows import dataset_of, expected_windows, same_batches, windows_of

PROPERTY = settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])


def ranks(dataset: Dataset, world_size: int, state: dict[str, Any] | None, **options: Any) -> list[WindowStream]:
    """The streams of all ranks, at a state."""
    streams = [
        dataset.stream(keys=["valid"], rank=rank, world_size=world_size, **options) for rank in range(world_size)
    ]
    for stream in streams:
        if state is not None:
            stream.load_state_dict(state)
    return streams


def in_step(streams: list[WindowStream], steps: int) -> tuple[list[tuple[int, int]], dict[str, Any]]:
    """What all ranks see in some steps at most, of one epoch, and the state they then agree on."""
    seen = []
    iterators = [iter(stream) for stream in streams]
    for _ in range(steps):
        batches = [batch for iterator in iterators if (batch := next(iterator, None)) is not None]
        seen += windows_of(batches)
        if len(batches) < len(streams):
            break
    states = [json.loads(json.dumps(stream.state_dict())) for stream in streams]
    if all(state["epoch"] == states[0]["epoch"] for state in states):
        assert all(state == states[0] for state in states), "ranks in step agree on where they are"
    return seen, max(states, key=lambda state: (state["epoch"], state["batch"]))


@PROPERTY
@given(
    lengths=st.lists(st.integers(1, 200), min_size=1, max_size=6),
    window=st.integers(1, 60),
    stride=st.integers(1, 40),
    batch_size=st.integers(1, 60),
    pool=st.sampled_from([0, 200, 10**6]),
    seed=st.integers(0, 1000),
    sampling=st.sampled_from(["pool", "random"]),
    shares=st.sampled_from(["none", "balance", "weight"]),
    stops=st.lists(st.tuples(st.integers(1, 5), st.integers(0, 8)), min_size=1, max_size=5),
)
def test_what_is_left_is_exactly_what_was_not_seen_whatever_the_ranks(
    store: Objects, two_shards: list[ShardRecord], lengths: list[int], window: int, stride: int, batch_size: int,
    pool: int, seed: int, sampling: Any, shares: str, stops: list[tuple[int, int]],
) -> None:  # fmt: skip
    dataset = dataset_of(store, two_shards, lengths)
    options: dict[str, Any] = {
        "window": window, "batch_size": batch_size, "stride": stride, "shuffle": True, "seed": seed,
        "sampling": sampling, "pool_frames": window + pool,
    }  # fmt: skip
    if shares != "none":
        options[shares] = "contributor" if shares == "balance" else np.arange(len(lengths)) + 0.5
    (alone,) = ranks(dataset, 1, None, **options)
    epochs = [windows_of(list(alone)) for _ in range(len(stops) + 1)]
    if shares == "none":
        assert all(Counter(epoch) == Counter(expected_windows(lengths, window, stride)) for epoch in epochs)
    seen: list[list[tuple[int, int]]] = [[] for _ in epochs]
    state = ranks(dataset, 1, None, **options)[0].state_dict()
    for world_size, steps in stops:
        number = state["epoch"]
        found, state = in_step(ranks(dataset, world_size, state, **options), steps)
        seen[number] += found
        rest = epochs[number][len(seen[number]) :]
        left = [] if state["epoch"] > number else windows_of(list(ranks(dataset, 1, state, **options)[0]))
        assert sorted(left) == sorted(rest)
        assert Counter(seen[number]) + Counter(left) == Counter(epochs[number])
    for number, windows in enumerate(seen[: state["epoch"]]):
        assert sorted(windows) == sorted(epochs[number]), f"epoch {number} was seen wholly"


@PROPERTY
@given(
    batch_size=st.integers(30, 300),
    taken=st.integers(0, 30),
    before=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    after=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    sampling=st.sampled_from(["pool", "random"]),
)
def test_ranks_with_workers_go_on_as_other_ranks_with_other_workers(
    kitchen: Dataset, batch_size: int, taken: int, before: tuple[int, int], after: tuple[int, int], sampling: Any
) -> None:
    options: dict[str, Any] = {"shuffle": True, "sampling": sampling, "pool_frames": 2000, "stride": 3}

    def streams(world_size: int) -> list[WindowStream]:
        return [
            kitchen.stream(16, batch_size, ["grip"], rank=rank, world_size=world_size, **options)
            for rank in range(world_size)
        ]

    (alone,) = streams(1)
    epochs = [list(alone) for _ in range(2)]
    taken = min(taken, alone.batches // before[0])
    # Whoever uses workers counts the batches it took; the workers themselves have run ahead.
    states = [stream.advanced(taken).state_dict() for stream in streams(before[0])]
    state = states[0]
    assert all(other == state for other in states)
    resumed = streams(after[0])
    for stream in resumed:
        stream.load_state_dict(state)
    shares = [list(stream.split(part, after[1])) for part in range(after[1]) for stream in resumed]
    rest = epochs[state["epoch"]][state["batch"] :]
    assert same_batches([shares[place % len(shares)][place // len(shares)] for place in range(len(rest))], rest)
    assert sum(map(len, shares)) == len(rest)


@pytest.mark.parametrize("sampling", ["pool", "random"])
def test_a_thousand_workers_share_every_batch_once(kitchen: Dataset, sampling: Any) -> None:
    stream = kitchen.stream(64, 200, ["valid"], shuffle=True, sampling=sampling)
    alone = list(kitchen.stream(64, 200, ["valid"], shuffle=True, sampling=sampling))
    lengths = [len(stream.split(part, 1000)) for part in range(1000)]
    assert lengths == [1] * len(alone) + [0] * (1000 - len(alone))
    shares = [list(stream.split(part, 1000)) for part in [*range(len(alone)), 500, 999]]
    assert shares[-2:] == [[], []]
    assert same_batches([share[0] for share in shares[:-2]], alone)
    far = kitchen.stream(64, 200, ["valid"], shuffle=True, sampling=sampling, rank=999, world_size=1000)
    assert (len(far), list(far)) == (0, [])


@pytest.mark.parametrize("numbers", [(0, 0), (-1, 2), (2, 2), (5, 2)])
def test_a_rank_outside_the_world_is_refused(kitchen: Dataset, numbers: tuple[int, int]) -> None:
    with pytest.raises(InvalidInput, match="rank from 0 to world_size - 1"):
        kitchen.stream(64, 200, rank=numbers[0], world_size=numbers[1])


@pytest.mark.parametrize(("part", "parts"), [(0, 0), (-1, 2), (2, 2)])
def test_a_part_outside_the_split_is_refused(kitchen: Dataset, part: int, parts: int) -> None:
    with pytest.raises(InvalidInput, match=f"part should be from 0 to parts - 1, got part {part} of {parts}"):
        kitchen.stream(64, 200).split(part, parts)


@pytest.mark.torch
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:This DataLoader will create .* worker processes:UserWarning")
@pytest.mark.parametrize("workers", [0, 3])
def test_loaders_with_more_workers_than_random_batches_give_each_once(kitchen: Dataset, workers: int) -> None:
    loading = pytest.importorskip("torch.utils.data")
    options: dict[str, Any] = {"shuffle": True, "sampling": "random", "stride": 4}
    alone = list(kitchen.stream(64, 160, ["valid"], **options))
    assert len(alone) == 2
    loader = loading.DataLoader(kitchen.torch(64, 160, ["valid"], **options), batch_size=None, num_workers=workers)
    batches = [{name: values.numpy() for name, values in batch.items()} for batch in loader]
    assert same_batches(batches, alone)


WEIGHTS = np.arange(1.0, 7.0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sampling": "pool"}, "pool_frames was None and is 131072; sampling was 'random' and is 'pool'"),
        ({"weight": "length"}, "weight was 'sha256:.*' and is 'length'"),
        ({"weight": None}, "weight was 'sha256:.*' and is None"),
        ({"weight": WEIGHTS + 1}, "weight was 'sha256:.*' and is 'sha256:"),
        ({"seed": 1}, "seed was 0 and is 1"),
    ],
)
def test_a_state_of_another_sampling_is_refused(kitchen: Dataset, change: dict[str, Any], message: str) -> None:
    options: dict[str, Any] = {"shuffle": True, "sampling": "random", "weight": WEIGHTS}
    state = json.loads(json.dumps(kitchen.stream(16, 8, **options).state_dict()))
    with pytest.raises(InvalidInput, match=message):
        kitchen.stream(16, 8, **options | change).load_state_dict(state)
    kitchen.stream(16, 8, **options | {"weight": WEIGHTS.astype(np.int32), "pool_frames": 99}).load_state_dict(state)


def test_a_state_of_another_version_is_refused_when_sampling_at_random(
    store: Objects, two_shards: list[ShardRecord]
) -> None:
    first, second = (dataset_of(store, two_shards, lengths) for lengths in ([100, 200], [100, 201]))
    state = first.stream(16, 8, shuffle=True, sampling="random").state_dict()
    with pytest.raises(InvalidInput, match=f"version was {first.version} and is {second.version}"):
        second.stream(16, 8, shuffle=True, sampling="random").load_state_dict(state)


def test_a_state_from_before_there_was_random_sampling_is_one_of_pools(kitchen: Dataset) -> None:
    stream = kitchen.stream(16, 8, shuffle=True)
    old = {name: value for name, value in stream.state_dict().items() if name not in ("sampling", "weight")}
    stream.load_state_dict(old | {"batch": 3})
    assert stream.state_dict()["batch"] == 3
    with pytest.raises(InvalidInput, match="sampling was 'pool' and is 'random'"):
        kitchen.stream(16, 8, shuffle=True, sampling="random").load_state_dict(old)
