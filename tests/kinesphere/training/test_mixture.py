"""Mixing: fixed shares in every batch, one order for any ranks and workers, exact on resume."""

import json
from collections import Counter
from itertools import islice
from typing import Any

import numpy as np
import pytest

from kinesphere import MixedStream, TorchDataset, mix
from kinesphere.dataset import Dataset
from kinesphere.errors import InvalidInput

KEYS = ["grip", "valid"]
OPTIONS: dict[str, Any] = {"shuffle": True, "seed": 2, "stride": 3, "pool_frames": 700}


def mixed(kitchen: Dataset, shares: Any = None, **options: Any) -> MixedStream:
    streams = {
        "pour": kitchen.stream(16, 1, KEYS, where="label = 'pour'", **OPTIONS),
        "rest": kitchen.stream(16, 1, KEYS, where="label = 'reach'", **OPTIONS),
    }
    return mix(streams, shares, **{"batch_size": 12} | options)


def windows(batch: Any) -> list[tuple[int, int, int]]:
    return list(zip(*(np.asarray(batch[name]).tolist() for name in ("source", "episode", "frame")), strict=True))


def test_every_batch_has_the_shares_and_every_window_comes(kitchen: Dataset) -> None:
    stream = mixed(kitchen, {"pour": 1, "rest": 3})
    batches = [windows(batch) for batch in stream]
    assert len(batches) == len(stream)
    assert {tuple(Counter(source for source, _, _ in batch).items()) for batch in batches} == {((0, 3), (1, 9))}
    for place, name in enumerate(("pour", "rest")):
        of_this = stream.streams[name]
        seen = Counter(window for batch in batches for window in batch if window[0] == place)
        assert len(seen) >= of_this.windows - of_this.settings.batch_size + 1
        assert max(seen.values()) - min(seen.values()) <= 2
    assert windows(next(iter(stream))) != batches[0], "the next epoch has another order"


def test_parts_are_batches_of_their_streams(kitchen: Dataset) -> None:
    stream = mixed(kitchen, {"pour": 1, "rest": 3})
    alone = kitchen.stream(16, 3, KEYS, where="label = 'pour'", drop_last=True, **OPTIONS)
    expected = [batch for _ in range(4) for batch in [each["grip"].copy() for each in alone]]
    for batch, part in zip(stream, expected, strict=False):
        np.testing.assert_array_equal(batch["grip"][:3], part)


@pytest.mark.parametrize("world", [1, 2, 3])
def test_ranks_share_it_and_go_on_as_others(kitchen: Dataset, world: int) -> None:
    whole = mixed(kitchen)
    order = [windows(batch) for _ in range(3) for batch in whole]
    ranks = [mixed(kitchen, rank=rank, world_size=world) for rank in range(world)]
    assert len({len(rank) for rank in ranks}) == 1
    for epoch in range(2):
        taken = [[windows(batch) for batch in rank] for rank in ranks]
        together = [batch for each in zip(*taken, strict=True) for batch in each]
        assert together == order[epoch * len(whole) :][: len(together)]
        assert len(whole) <= len(together) < len(whole) + world
    third = [[windows(batch) for batch in islice(rank, 4)] for rank in ranks]
    states = [json.loads(json.dumps(rank.state_dict())) for rank in ranks]
    assert all(state == states[0] for state in states)
    others = [mixed(kitchen, rank=rank, world_size=2) for rank in range(2)]
    for other in others:
        other.load_state_dict(states[0])
    rest = [[windows(batch) for batch in other] for other in others]
    together = [batch for each in zip(*third, strict=True) for batch in each]
    together += [batch for each in zip(*rest, strict=True) for batch in each]
    assert together[: len(whole)] == order[2 * len(whole) :]
    assert mixed(kitchen).advanced(2 * len(whole) + 3).position == (2, 3)
    assert {rank.digest(0) for rank in ranks} == {whole.digest(0)} != {whole.digest(1)}


@pytest.mark.torch
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.parametrize("workers", [0, 2])
def test_loaders_take_it(kitchen: Dataset, workers: int) -> None:
    from torch.utils.data import DataLoader

    whole = mixed(kitchen)
    order = [[windows(batch) for batch in whole] for _ in range(2)]
    dataset = TorchDataset(mixed(kitchen))
    loader = DataLoader(dataset, batch_size=None, num_workers=workers)
    assert [windows(batch) for batch in loader] == order[0]
    assert [windows(batch) for batch in islice(loader, 5)] == order[1][:5]
    resumed = TorchDataset(mixed(kitchen))
    resumed.load_state_dict(dataset.state_dict() if workers == 0 else dataset.state_after(len(dataset) + 5))
    assert [windows(batch) for batch in DataLoader(resumed, batch_size=None, num_workers=2)] == order[1][5:]


def test_what_does_not_fit_is_refused(kitchen: Dataset) -> None:
    one = kitchen.stream(16, 1, KEYS, **OPTIONS)
    for streams, options, says in (
        ({}, {}, "takes streams by name"),
        ({"a": one, "b": kitchen.stream(16, 1, ["grip"], **OPTIONS)}, {}, "'a' has keys"),
        ({"a": one, "b": kitchen.stream(17, 1, KEYS, **OPTIONS)}, {}, "'a' has shape"),
        ({"a": one, "b": one}, {"shares": {"a": 1}}, "a positive number for each of a, b"),
        ({"a": one, "b": one}, {"shares": {"a": 1, "b": 1000}}, "'a' has no window in a batch of 12"),
        ({"a": one}, {"batch_size": 10**6}, "no batch of 1000000"),
        ({"a": one}, {"rank": 1}, "rank from 0"),
    ):
        with pytest.raises(InvalidInput, match=says):
            mix(streams, **{"batch_size": 12} | options)
    state = mixed(kitchen).state_dict()
    with pytest.raises(InvalidInput, match="batch_size was"):
        mixed(kitchen, batch_size=24).load_state_dict(state)
    with pytest.raises(InvalidInput, match="a mixture of"):
        mix({"a": one}, batch_size=12).load_state_dict(state)
    with pytest.raises(InvalidInput, match="began with epoch 0, and now with 3"):
        later = {name: kitchen.stream(16, 1, KEYS, where=f"label = '{label}'", epoch=3, **OPTIONS)
                 for name, label in (("pour", "pour"), ("rest", "reach"))}  # fmt: skip
        mix(later, batch_size=12).load_state_dict(state)
    with pytest.raises(InvalidInput, match="no state of a mixture"):
        mixed(kitchen).load_state_dict(one.state_dict())
