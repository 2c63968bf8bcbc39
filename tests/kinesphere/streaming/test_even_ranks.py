"""Ranks with equally many batches: what is left out or repeated, on resume too, and real processes in lockstep."""

import subprocess
import sys
from collections import Counter
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kinesphere.dataset import Dataset, open_dataset
from kinesphere.errors import InvalidInput
from kinesphere.objects.store import Objects, open_objects
from storage.shards.shard_writer import ShardRecord
from tests.support.expected_windows import dataset_of, windows_of
from tests.support.generated_trajectories import make_dataset

PROPERTY = settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])


@PROPERTY
@given(
    lengths=st.lists(st.integers(1, 120), min_size=1, max_size=4),
    batch_size=st.integers(1, 30),
    worlds=st.lists(st.integers(1, 5), min_size=1, max_size=3),
    steps=st.integers(0, 6),
    sampling=st.sampled_from(["pool", "random"]),
    even=st.sampled_from(["drop_last", "even_ranks"]),
)
def test_every_rank_has_as_many_also_after_going_on_as_others(
    store: Objects,
    two_shards: list[ShardRecord],
    lengths: list[int],
    batch_size: int,
    worlds: list[int],
    steps: int,
    sampling: str,
    even: str,
) -> None:
    dataset = dataset_of(store, two_shards, lengths)
    options: dict[str, Any] = {"stride": 3, "shuffle": True, "sampling": sampling}
    evenly: dict[str, Any] = {even: True}
    alone = dataset.stream(9, batch_size, ["valid"], **options)
    order = windows_of(list(alone))
    full = len(order) // batch_size
    if even == "drop_last" and full < max(worlds):
        with pytest.raises(InvalidInput, match="drop_last leaves nothing"):
            dataset.stream(9, batch_size, ["valid"], world_size=max(worlds), drop_last=True, **options)
        return
    state, seen = None, []
    for world in worlds:
        ranks = [
            dataset.stream(9, batch_size, ["valid"], rank=rank, world_size=world, **options, **evenly)
            for rank in range(world)
        ]
        if state is not None:
            for rank in ranks:
                rank.load_state_dict(state)
        taken = [list(islice(rank, steps)) if rank.position[0] == 0 else [] for rank in ranks]
        assert len({len(batches) for batches in taken}) == 1
        for together in zip(*taken, strict=True):
            seen += windows_of(list(together))
        states = [rank.state_dict() for rank in ranks]
        assert all(each == states[0] for each in states)
        state = states[0]
    rest = [list(rank) if rank.position[0] == 0 else [] for rank in ranks]
    assert len({len(batches) for batches in rest}) == 1
    for together in zip(*rest, strict=True):
        if even == "drop_last":
            assert {len(batch["frame"]) for batch in together} == {batch_size}
        seen += windows_of(list(together))
    assert all(rank.position == (1, 0) for rank in ranks)
    if even == "drop_last":
        assert seen == order[: len(seen)]
        assert len(order) - len(seen) < max(worlds) * batch_size
    else:
        assert seen[: len(order)] == order
        assert not Counter(seen[len(order) :]) - Counter(order * max(worlds))


def test_both_cannot_be_asked_for(kitchen: Dataset) -> None:
    with pytest.raises(InvalidInput, match="give one of them"):
        kitchen.stream(16, 20, drop_last=True, even_ranks=True)


@pytest.mark.parametrize("even", ["drop_last", "even_ranks"])
def test_lengths_say_so(kitchen: Dataset, even: str) -> None:
    for world in (1, 2, 3, 7):
        ranks = [kitchen.stream(16, 20, ["valid"], rank=r, world_size=world, **{even: True}) for r in range(world)]  # type: ignore[arg-type]
        assert len({len(rank) for rank in ranks}) == 1
        assert ranks[0].batches == world * len(ranks[0])
        assert len(list(ranks[-1])) == len(ranks[-1]) == len(list(ranks[-1].advanced(3))) + 3
        shares = [len(list(ranks[-1].at(0, 0).split(part, 3))) for part in range(3)]
        assert sum(shares) == len(ranks[-1])


TRAINING = """
import sys, torch, torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader
from kinesphere.dataset import open_dataset
location, rank, world, workers, rendezvous = sys.argv[1], *map(int, sys.argv[2:5]), sys.argv[5]
dist.init_process_group("gloo", init_method=f"file://{rendezvous}", rank=rank, world_size=world)
dataset = open_dataset(location).torch(16, SIZE, ["grip"], shuffle=True, rank=rank, world_size=world, EVEN=True)
model = DistributedDataParallel(torch.nn.Linear(32, 1))
steps = 0
for _ in range(2):
    for batch in DataLoader(dataset, batch_size=None, num_workers=workers):
        model(torch.nan_to_num(batch["grip"]).flatten(1)).sum().backward()
        steps += 1
dist.barrier()
print("steps", steps)
dist.destroy_process_group()
"""


@pytest.mark.torch
@pytest.mark.parametrize(("even", "world", "workers", "size"), [("drop_last", 3, 0, 20), ("even_ranks", 2, 2, 19)])
def test_real_ranks_end_their_epochs_together(tmp_path: Path, even: str, world: int, workers: int, size: int) -> None:
    make_dataset(open_objects(tmp_path / "store", create=True), "kitchen", {"anna": [300, 41], "ben": [95]})
    location = str(tmp_path / "store/datasets/kitchen")
    assert open_dataset(location).stream(16, size).batches % world, "else there is nothing to see"
    code = TRAINING.replace("EVEN", even).replace("SIZE", str(size))
    command = [sys.executable, "-W", "ignore", "-c", code, location]
    ranks = [
        subprocess.Popen(
            [*command, str(rank), str(world), str(workers), str(tmp_path / "rendezvous")],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for rank in range(world)
    ]  # fmt: skip
    try:
        ended = [rank.communicate(timeout=200) for rank in ranks]
    finally:
        for rank in ranks:
            rank.kill()
    assert [rank.returncode for rank in ranks] == [0] * world, ended[0][1]
    assert len({out for out, _ in ended}) == 1
    assert int(ended[0][0].split()[-1]) > 4
