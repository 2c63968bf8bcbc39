"""torchdata's `StatefulDataLoader`: its states resume exactly, in other processes, with workers and without."""

import json
import subprocess
import sys
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.data import DataLoader

from kinesphere import mix
from kinesphere.dataset import Dataset, open_dataset
from kinesphere.errors import InvalidInput
from kinesphere.objects.store import open_objects
from kinesphere.training.torch_dataset import TorchDataset
from tests.support.generated_trajectories import make_dataset

stateful = pytest.importorskip("torchdata.stateful_dataloader", reason="`make test` installs torchdata beside PyTorch")

pytestmark = [
    pytest.mark.torch,
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:This DataLoader will create .* worker processes:UserWarning"),
    pytest.mark.filterwarnings("ignore:'set_vital' is deprecated"),  # torchdata 0.11 on PyTorch 2.13
]

OPTIONS: dict[str, Any] = {"shuffle": True, "seed": 6, "stride": 4, "pool_frames": 2048}
LABELS = ("pour", "reach")
Places = list[tuple[list[int], list[int]]]


def dataset_of(kitchen: Dataset, **changes: Any) -> TorchDataset:
    return kitchen.torch(16, 20, ["valid"], **OPTIONS | changes)


def loader(dataset: TorchDataset, workers: int, **options: Any) -> Any:
    return stateful.StatefulDataLoader(dataset, batch_size=None, num_workers=workers, **options)


def places(batches: Any) -> Places:
    """Which windows came, in which order."""
    return [(batch["episode"].tolist(), batch["frame"].tolist()) for batch in batches]


@pytest.fixture(scope="module")
def epochs(kitchen: Dataset) -> list[Places]:
    """Four epochs as one process gives them."""
    dataset = dataset_of(kitchen)
    return [places(dataset) for _ in range(4)]


@pytest.mark.parametrize(("workers", "persistent"), [(0, False), (2, False), (2, True), (5, False)])
@pytest.mark.parametrize("epoch", [0, 1])
@pytest.mark.parametrize("taken", ["none", "some", "all but one", "all", "to the end"])
def test_a_state_resumes_exactly(
    kitchen: Dataset, epochs: list[Places], workers: int, persistent: bool, epoch: int, taken: str
) -> None:
    options = {"persistent_workers": True} if persistent else {}
    length = len(epochs[epoch])
    count = {"none": 0, "some": 7, "all but one": length - 1, "all": length, "to the end": length}[taken]
    dataset = dataset_of(kitchen)
    first = loader(dataset, workers, **options)
    for number in range(epoch):
        assert places(first) == epochs[number]
    running = iter(first)
    assert places(islice(running, count)) == epochs[epoch][:count]
    if taken == "to the end":
        assert next(running, None) is None
    state = first.state_dict()

    again = loader(dataset_of(kitchen), workers, **options)
    again.load_state_dict(state)
    if taken != "to the end":  # then the loader has that epoch behind it
        assert places(again) == epochs[epoch][count:]
    assert places(again) == epochs[epoch + 1]
    assert places(again) == epochs[epoch + 2]


@pytest.mark.parametrize("workers", [0, 2])
def test_a_state_resumes_twice_and_among_ranks(kitchen: Dataset, workers: int) -> None:
    options = {"rank": 1, "world_size": 3, "drop_last": True}
    whole = places(dataset_of(kitchen, **options))
    state = None
    seen: Places = []
    for count in (3, 2, 4):
        batches = loader(dataset_of(kitchen, **options), workers)
        if state is not None:
            batches.load_state_dict(state)
        seen += places(islice(batches, count))
        state = batches.state_dict()
    assert seen == whole[:9]


@pytest.mark.parametrize("workers", [0, 2])
def test_a_mixture_resumes_too(kitchen: Dataset, workers: int) -> None:
    def mixture() -> TorchDataset:
        parts = {label: kitchen.stream(16, 1, ["valid"], where=f"label = '{label}'", **OPTIONS) for label in LABELS}
        return TorchDataset(mix(parts, batch_size=9))

    alone = mixture()
    whole = [places(alone), places(alone)]
    first = loader(mixture(), workers)
    assert places(islice(first, 5)) == whole[0][:5]
    again = loader(mixture(), workers)
    again.load_state_dict(first.state_dict())
    assert [places(again), places(again)] == [whole[0][5:], whole[1]]


def test_a_state_goes_to_another_process(tmp_path: Path) -> None:
    make_dataset(open_objects(tmp_path), "kitchen", {"anna": [700, 90], "ben": [300]})
    dataset = open_dataset(tmp_path / "datasets/kitchen")
    whole = places(dataset.torch(16, 20, ["valid"], **OPTIONS))
    first = loader(dataset.torch(16, 20, ["valid"], **OPTIONS), 2)
    running = iter(first)
    places(islice(running, 5))
    torch.save(first.state_dict(), tmp_path / "state.pt")
    code = f"""
import json, torch
from torchdata.stateful_dataloader import StatefulDataLoader
from kinesphere.dataset import open_dataset
dataset = open_dataset({str(tmp_path / "datasets/kitchen")!r})
loader = StatefulDataLoader(dataset.torch(16, 20, ["valid"], **{OPTIONS!r}), batch_size=None, num_workers=2)
loader.load_state_dict(torch.load({str(tmp_path / "state.pt")!r}))
print(json.dumps([[batch["episode"].tolist(), batch["frame"].tolist()] for batch in loader]))
"""
    run = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True,
                         env={"PYTHONPATH": ":".join(sys.path)})  # fmt: skip
    assert [tuple(place) for place in json.loads(run.stdout)] == whole[5:]


def test_a_state_of_another_stream_is_refused(kitchen: Dataset) -> None:
    first = loader(dataset_of(kitchen), 2)
    places(islice(first, 3))
    other = loader(dataset_of(kitchen, seed=7), 2)
    other.load_state_dict(first.state_dict())
    with pytest.raises(InvalidInput, match="seed was 6 and is 7"):
        next(iter(other))


@pytest.mark.parametrize("loaders", [DataLoader, stateful.StatefulDataLoader])
@pytest.mark.parametrize("workers", [0, 2])
def test_batches_are_not_batched(kitchen: Dataset, loaders: Any, workers: int) -> None:
    with pytest.raises(InvalidInput, match="batch_size=None"):
        list(loaders(dataset_of(kitchen), batch_size=4, num_workers=workers))
    with pytest.raises(InvalidInput, match="batch_size=None"):
        list(loaders(dataset_of(kitchen), num_workers=workers))
