"""Labels and instructions in batches."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kinesphere import DropInvalid, Mirror, Valid
from kinesphere.dataset import Dataset, open_dataset
from kinesphere.errors import InvalidInput
from kinesphere.objects.store import open_objects
from storage.publishing.version_writer import write_version
from storage.shards.shard_writer import write_shard
from tests.support.generated_trajectories import make_row, make_table, make_trajectory

TASKS = {
    "pour-water@1": {"title": "Pour", "instructions": "Pour it half full."},
    "wave@2": {"title": "Wave", "instructions": "Grüße mit der Hand."},
}


@pytest.fixture
def told(tmp_path: Path) -> Dataset:
    """A dataset of two tasks whose manifest says what they are."""
    objects = open_objects(tmp_path)
    shard = write_shard(objects, [make_trajectory(60, seed=1), make_trajectory(50, seed=2)])
    rows = [make_row(shard, 0, label="reach"), make_row(shard, 1, task="wave", task_version=2, label=None)]
    write_version(objects, "told", make_table(rows), tasks=TASKS)
    return open_dataset(tmp_path / "datasets/told")


def test_each_window_has_the_texts_of_its_episode(told: Dataset) -> None:
    names = ["label", "instructions", "title", "task"]
    stream = told.stream(16, 20, ["valid"], text=names, shuffle=True)
    rows = told.episodes.to_pylist()
    for batch in stream:
        for place, row in enumerate(batch["episode"]):
            said = TASKS[f"{rows[row]['task']}@{rows[row]['task_version']}"]
            assert batch["label"][place] == (rows[row]["label"] or "")
            assert (batch["title"][place], batch["instructions"][place]) == (said["title"], said["instructions"])
            assert batch["task"][place] == rows[row]["task"]
    assert stream.digest() != told.stream(16, 20, ["valid"], shuffle=True).digest()


def test_transforms_leave_them_to_their_windows(told: Dataset) -> None:
    transform: list[Any] = [DropInvalid(Valid.BODY, 0.95), Mirror(1.0)]
    plain = next(iter(told.stream(16, 90, ["valid"], text=["label"])))
    batch = next(iter(told.stream(16, 90, ["valid"], text=["label"], transform=transform)))
    assert 0 < len(batch["label"]) < len(plain["label"])
    np.testing.assert_array_equal(batch["label"] == "reach", batch["episode"] == 0)


@pytest.mark.torch
def test_loaders_give_them_as_lists(told: Dataset) -> None:
    from torch.utils.data import DataLoader

    loader = DataLoader(told.torch(16, 20, ["valid"], text=["instructions"]), batch_size=None)
    batch = next(iter(loader))
    assert batch["instructions"] == ["Pour it half full."] * 20


@pytest.mark.parametrize(
    ("text", "says"), [("label", "should be a list"), (["labels"], "'?labels"), (["label", "label"], "each once")]
)
def test_what_is_no_text_is_refused(kitchen: Dataset, text: Any, says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        kitchen.stream(16, 20, ["valid"], text=text)


def test_versions_without_instructions_say_what_to_do(kitchen: Dataset) -> None:
    with pytest.raises(InvalidInput, match="publish it again"):
        kitchen.stream(16, 20, ["valid"], text=["instructions"])
