"""The stream in PyTorch's `DataLoader`: one order for any number of workers, every epoch its own, resumable."""

import subprocess
import sys
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.data import DataLoader

from kinesphere.dataset import Dataset, open_dataset
from kinesphere.errors import CorruptObject, InvalidInput
from kinesphere.objects.store import open_objects
from kinesphere.training.torch_dataset import TorchDataset
from tests.support.generated_trajectories import make_dataset

pytestmark = [
    pytest.mark.torch,
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:This DataLoader will create .* worker processes:UserWarning"),
]

Tensors = dict[str, torch.Tensor]
OPTIONS: dict[str, Any] = {"shuffle": True, "seed": 6, "stride": 4, "pool_frames": 2048}


def torch_dataset(kitchen: Dataset, **changes: Any) -> TorchDataset:
    return kitchen.torch(16, 20, ["body_world", "valid", "timestamp"], **OPTIONS | changes)


def loader(dataset: TorchDataset, workers: int, **options: Any) -> DataLoader[Tensors]:
    return DataLoader(dataset, batch_size=None, num_workers=workers, **options)


def same(left: Sequence[Tensors], right: Sequence[Tensors]) -> bool:
    return len(left) == len(right) and all(
        a.keys() == b.keys() and all(torch.equal(torch.nan_to_num(a[name]), torch.nan_to_num(b[name])) for name in a)
        for a, b in zip(left, right, strict=True)
    )


@pytest.fixture(scope="module")
def epochs(kitchen: Dataset) -> list[list[Tensors]]:
    """Three epochs as one process gives them."""
    dataset = torch_dataset(kitchen)
    return [list(dataset) for _ in range(3)]


def test_batches_are_the_streams_as_tensors(kitchen: Dataset, epochs: list[list[Tensors]]) -> None:
    stream = kitchen.stream(16, 20, ["body_world", "valid", "timestamp"], **OPTIONS)
    arrays = list(stream)
    assert same(epochs[0], [{name: torch.from_numpy(a) for name, a in batch.items()} for batch in arrays])
    assert epochs[0][0]["body_world"].dtype == torch.float32
    assert (epochs[0][0]["mask"].dtype, epochs[0][0]["episode"].dtype) == (torch.bool, torch.int64)
    assert len(torch_dataset(kitchen)) == len(epochs[0]) == len(loader(torch_dataset(kitchen), 2))
    assert not same(epochs[0], epochs[1])


@pytest.mark.parametrize(
    ("workers", "options"),
    [
        (0, {}),
        (1, {}),
        (3, {"multiprocessing_context": "fork"}),
        (2, {"multiprocessing_context": "spawn"}),
        (2, {"persistent_workers": True}),
    ],
    ids=["none", "one", "forked", "spawned", "persistent"],
)
def test_every_epoch_is_the_same_with_any_workers(
    kitchen: Dataset, epochs: list[list[Tensors]], workers: int, options: dict[str, Any]
) -> None:
    batches = loader(torch_dataset(kitchen), workers, **options)
    for epoch in epochs[:2]:
        assert same(list(batches), epoch)


def test_more_workers_than_batches_change_nothing(kitchen: Dataset) -> None:
    alone = list(kitchen.torch(64, 400, ["valid"], **OPTIONS))
    assert len(alone) < 4
    assert same(list(loader(kitchen.torch(64, 400, ["valid"], **OPTIONS), 4)), alone)


def test_ranks_with_workers_share_an_epoch(kitchen: Dataset, epochs: list[list[Tensors]]) -> None:
    shares = [list(loader(torch_dataset(kitchen, rank=rank, world_size=2), 2)) for rank in range(2)]
    assert same([shares[place % 2][place // 2] for place in range(len(epochs[0]))], epochs[0])


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("epoch", [0, 1])
def test_training_resumes_at_the_next_batch(
    kitchen: Dataset, epochs: list[list[Tensors]], workers: int, epoch: int
) -> None:
    dataset = torch_dataset(kitchen)
    batches = loader(dataset, workers)
    for _ in range(epoch):
        assert len(list(batches)) == len(dataset)
    assert same(list(islice(batches, 5)), epochs[epoch][:5])
    state = dataset.state_dict() if workers == 0 else dataset.state_after(epoch * len(dataset) + 5)

    resumed = torch_dataset(kitchen)
    resumed.load_state_dict(state)
    again = loader(resumed, 2 - workers)
    assert same(list(again), epochs[epoch][5:])
    assert same(list(again), epochs[epoch + 1])

    dataset.load_state_dict(state)
    assert same(list(batches), epochs[epoch][5:]), "the same object can go back, too"


@pytest.mark.parametrize("context", ["fork", "spawn"])
def test_workers_read_from_an_object_store(s3_url: str, context: str) -> None:
    make_dataset(open_objects(f"{s3_url}/{context}"), "kitchen", {"anna": [300, 90], "ben": [200]})
    dataset = open_dataset(f"{s3_url}/{context}/datasets/kitchen")
    alone = list(dataset.torch(16, 20, ["wrist_pose"], **OPTIONS))
    batches = loader(dataset.torch(16, 20, ["wrist_pose"], **OPTIONS), 2, multiprocessing_context=context)
    assert same(list(batches), alone)


def test_the_dataset_does_not_guess_how_far_workers_are(kitchen: Dataset) -> None:
    dataset = torch_dataset(kitchen)
    start = dataset.state_dict()
    next(iter(loader(dataset, 2)))
    with pytest.raises(InvalidInput, match="state_after"):
        dataset.state_dict()
    dataset.load_state_dict(start)
    assert dataset.state_dict() == start
    assert dataset.state_after(1)["batch"] == 1


def test_a_damaged_object_ends_the_loader_with_its_name(tmp_path: Path) -> None:
    make_dataset(open_objects(tmp_path), "kitchen", {"anna": [300]})
    dataset = open_dataset(tmp_path / "datasets/kitchen")
    (chunk,) = (path for path in tmp_path.glob("shards/*/valid/c/0"))
    chunk.unlink()
    with pytest.raises(CorruptObject, match="valid/c/0' is missing"):
        list(loader(dataset.torch(16, 20, ["valid"]), 1))


def test_without_torch_the_error_says_what_to_install(tmp_path: Path) -> None:
    make_dataset(open_objects(tmp_path), "kitchen", {"anna": [30]})
    code = (
        "import sys; sys.modules['torch'] = None; import kinesphere.dataset; "
        f"dataset = kinesphere.dataset.open_dataset({str(tmp_path / 'datasets/kitchen')!r}); "
        "print(len(list(dataset.stream(8, 8)))); dataset.torch(8, 8)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.stdout == "3\n"
    assert "MissingDependency" in run.stderr
    assert "pip install 'kinesphere-studio[torch]'" in run.stderr
