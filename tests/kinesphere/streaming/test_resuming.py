"""A stream goes on from a state at the exact next batch: elsewhere, later, on another number of ranks."""

import json
import multiprocessing
from itertools import islice
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kinesphere.dataset import Dataset
from kinesphere.errors import InvalidInput, NewerFormat
from kinesphere.objects.store import Objects
from kinesphere.streaming.stream import WindowStream
from kinesphere.transforms.transform import Batch
from storage.shards.shard_writer import ShardRecord
from tests.support.expected_windows import dataset_of, same_batches, take


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    batch_size=st.integers(20, 200),
    share=st.floats(0, 1),
    before=st.integers(1, 4),
    after=st.integers(1, 4),
    balance=st.sampled_from([None, "contributor"]),
)
def test_a_stream_resumes_at_the_next_batch_on_any_number_of_ranks(
    kitchen: Dataset, batch_size: int, share: float, before: int, after: int, balance: str | None
) -> None:
    options: dict[str, Any] = {"shuffle": True, "stride": 3, "seed": 1, "pool_frames": 1000, "balance": balance}

    def ranks(world_size: int) -> list[WindowStream]:
        return [
            kitchen.stream(16, batch_size, ["grip"], rank=rank, world_size=world_size, **options)
            for rank in range(world_size)
        ]

    (alone,) = ranks(1)
    epochs = [list(alone), list(alone), list(alone)]
    taken = round(share * (alone.batches // before))
    states = [json.loads(json.dumps(take(stream, taken))) for stream in ranks(before)]
    assert all(state == states[0] for state in states), "ranks in step agree on where they are"

    resumed = ranks(after)
    for stream in resumed:
        stream.load_state_dict(states[0])
    rest = epochs[states[0]["epoch"]][states[0]["batch"] :]
    assert states[0]["epoch"] * alone.batches + states[0]["batch"] == taken * before
    for first, stream in enumerate(resumed):
        assert same_batches(list(stream), rest[first::after])
        assert same_batches(list(stream), epochs[states[0]["epoch"] + 1][first::after]), "the next epoch is whole again"


def test_a_state_goes_over_the_end_of_epochs(kitchen: Dataset) -> None:
    stream = kitchen.stream(16, 100, ["grip"], shuffle=True, stride=5)
    batches = [*stream, *stream, *stream]
    for taken in range(2 * len(stream) + 1):
        state = take(kitchen.stream(16, 100, ["grip"], shuffle=True, stride=5), taken)
        resumed = kitchen.stream(16, 100, ["grip"], shuffle=True, stride=5)
        assert resumed.advanced(taken).state_dict() == state
        resumed.load_state_dict(state)
        assert same_batches([next(iter(resumed))], [batches[taken]])


def test_a_stream_resumes_in_another_process(kitchen: Dataset) -> None:
    stream = kitchen.stream(24, 30, ["body_world"], shuffle=True, seed=2, pool_frames=500)
    iterator = iter(stream)
    for _ in range(7):
        next(iterator)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        rest = pool.apply(rest_of_epoch, (kitchen, stream.state_dict()))
    assert same_batches(rest, list(iterator))
    assert len(rest) > 5


def rest_of_epoch(dataset: Dataset, state: dict[str, Any]) -> list[Batch]:
    stream = dataset.stream(24, 30, ["body_world"], shuffle=True, seed=2, pool_frames=500)
    stream.load_state_dict(state)
    return list(stream)


def test_leaving_a_loop_early_loses_no_window(kitchen: Dataset) -> None:
    whole = list(kitchen.stream(16, 100, ["grip"], shuffle=True))
    stream = kitchen.stream(16, 100, ["grip"], shuffle=True)
    begun = list(islice(stream, 3))
    assert same_batches([*begun, *stream], whole)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"window": 17}, "window was 16 and is 17"),
        ({"batch_size": 9}, "batch_size was 8 and is 9"),
        ({"stride": 2}, "stride was 1 and is 2"),
        ({"shuffle": False, "seed": 3}, "shuffle was True and is False; seed was 0 and is 3"),
        ({"where": "length > 100"}, "where was None and is 'length > 100'"),
        ({"balance": "contributor"}, "balance was None and is 'contributor'"),
        ({"pool_frames": 999}, "pool_frames was 131072 and is 999"),
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


def test_a_state_of_another_version_is_refused(store: Objects, two_shards: list[ShardRecord]) -> None:
    first = dataset_of(store, two_shards, [100, 200])
    second = dataset_of(store, two_shards, [100, 201])
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
