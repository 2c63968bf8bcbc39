"""One hash of an epoch: what it is of, and that it is the same whoever gave the batches."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from kinesphere.dataset import Dataset, open_dataset
from kinesphere.objects.store import open_objects
from kinesphere.streaming.stream import WindowStream
from kinesphere.training.epoch_digest import RANDOM_STRIDE, batch_hash, epoch_hash
from tests.support.generated_trajectories import make_dataset

OPTIONS: dict[str, Any] = {"shuffle": True, "seed": 4, "stride": 2, "pool_frames": 700}


def of_batches(stream: WindowStream, batches: list[tuple[int, Any]], every: int = 1) -> str:
    """The digest, made of what was given."""
    hashes = [batch_hash(n, batch["episode"], batch["frame"]) for n, batch in batches if n % every == 0]
    return epoch_hash(stream._identity | stream.settings.content | {"epoch": 0}, hashes)


@pytest.mark.parametrize("options", [{}, {"balance": "contributor"}, {"shuffle": False}, {"rate": 20.0, "history": 3}])
@pytest.mark.parametrize("world", [1, 3])
def test_it_is_of_the_batches_that_come(kitchen: Dataset, options: dict[str, Any], world: int) -> None:
    ranks = [kitchen.stream(16, 20, ["grip"], rank=r, world_size=world, **OPTIONS | options) for r in range(world)]
    given = [(place * world + rank.settings.rank, batch) for rank in ranks for place, batch in enumerate(rank)]
    assert len(given) > 10
    assert {rank.digest(0) for rank in ranks} == {of_batches(ranks[0], given)}
    assert of_batches(ranks[0], given[1:]) != ranks[0].digest(0)


def test_of_random_sampling_some_batches_are_hashed(kitchen: Dataset) -> None:
    stream = kitchen.stream(16, 2, ["grip"], **OPTIONS | {"sampling": "random"})
    assert stream.batches > 2 * RANDOM_STRIDE
    assert of_batches(stream, list(enumerate(stream)), RANDOM_STRIDE) == stream.digest(0)


def test_whatever_changes_the_batches_changes_it(kitchen: Dataset, tmp_path: Path) -> None:
    make_dataset(open_objects(tmp_path), "kitchen", {"anna": [700, 9, 64, 400], "ben": [65, 300]}, seed=4)
    other = open_dataset(tmp_path / "datasets/kitchen")
    changes: list[dict[str, Any]] = [
        {}, {"seed": 5}, {"stride": 3}, {"pool_frames": 600}, {"history": 1}, {"future": 1}, {"dtype": "int16"},
        {"where": "label = 'pour'"}, {"balance": "contributor"}, {"rate": 30.0}, {"shuffle": False}, {"epoch": 1},
        {"sampling": "random"},
    ]  # fmt: skip
    digests = [kitchen.stream(16, 20, ["grip"], **OPTIONS | change).digest() for change in changes]
    digests += [
        kitchen.stream(16, 20, ["valid"], **OPTIONS).digest(),
        kitchen.stream(17, 20, ["grip"], **OPTIONS).digest(),
        kitchen.stream(16, 21, ["grip"], **OPTIONS).digest(),
        other.stream(16, 20, ["grip"], **OPTIONS).digest(),
    ]
    assert len({*digests}) == len(digests)


KILLED = """
import json, os, signal, sys
from kinesphere.dataset import open_dataset
stream = open_dataset(sys.argv[1]).stream(16, 20, ["grip"], rank=1, world_size=2, **json.loads(sys.argv[2]))
for number, batch in enumerate(stream):
    if number == 3:
        print(json.dumps([stream.digest(), stream.state_dict()]), flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
"""


def test_it_survives_a_kill_and_goes_to_other_processes(tmp_path: Path) -> None:
    make_dataset(open_objects(tmp_path), "kitchen", {"anna": [700, 90], "ben": [300]})
    location = str(tmp_path / "datasets/kitchen")
    alone = open_dataset(location).stream(16, 20, ["grip"], **OPTIONS)
    run = subprocess.run(
        [sys.executable, "-c", KILLED, location, json.dumps(OPTIONS)], capture_output=True, text=True, check=False,
        env=os.environ | {"PYTHONPATH": ":".join(sys.path)},
    )  # fmt: skip
    assert run.returncode == -9
    digest, state = json.loads(run.stdout)
    alone.load_state_dict(state)
    assert digest == alone.digest()
    assert alone.digest() == open_dataset(location).stream(16, 20, ["grip"], **OPTIONS).digest()
