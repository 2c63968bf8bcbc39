"""Object stores in forked processes, such as the workers of a `DataLoader`: read by a process beside each."""

import multiprocessing
import os
import signal
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from kinesphere.dataset import Dataset, open_dataset
from kinesphere.errors import CorruptObject, InvalidInput, StorageFailed
from kinesphere.objects.store import Objects, open_objects
from tests.support.generated_trajectories import make_dataset

pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
FORK: Any = multiprocessing.get_context("fork")


@pytest.fixture
def objects(s3_url: str) -> Iterator[Objects]:
    found = open_objects(f"{s3_url}/kitchen")
    make_dataset(found, "kitchen", {"anna": [700, 9, 64], "ben": [300]})
    yield found


def _epoch(dataset: Dataset) -> list[Any]:
    return [batch["wrist_pose"].copy() for batch in dataset.stream(16, 20, ["wrist_pose"], shuffle=True)]


def _random(dataset: Dataset) -> int:
    stream = dataset.stream(16, 20, ["wrist_pose", "grip"], shuffle=True, sampling="random")
    return sum(len(batch["frame"]) for batch in stream)


def _reads(objects: Objects) -> tuple[Any, ...]:
    key = "datasets/kitchen/versions/000001.json"
    whole = objects.get(key)
    part, size = objects.get_part(key, 3, 9)
    listed = objects.keys("datasets"), objects.folders("datasets"), objects.exists(key), objects.exists("no")
    return whole, part, size, objects.get(key, (3, 9)), objects.size(key), *listed


def test_a_forked_process_streams_from_an_object_store(s3_url: str, objects: Objects) -> None:
    dataset = open_dataset(f"{s3_url}/kitchen/datasets/kitchen")
    here = _epoch(dataset)
    with FORK.Pool(2) as pool:
        for there in pool.map_async(_epoch, [dataset] * 2).get(60):
            assert len(here) == len(there)
            for left, right in zip(here, there, strict=True):
                np.testing.assert_array_equal(left, right)
        assert pool.apply_async(_random, [dataset]).get(60) == dataset.stream(16, 20).windows
        assert pool.apply_async(open_dataset, [f"{s3_url}/kitchen/datasets/kitchen"]).get(60).version == 1


def test_it_reads_all_that_can_be_read_and_writes_nothing(objects: Objects) -> None:
    with FORK.Pool(1) as pool:
        assert pool.apply_async(_reads, [objects]).get(60) == _reads(objects)
        with pytest.raises(CorruptObject, match="'none' is missing in s3://"):
            pool.apply_async(objects.get, ["none"]).get(60)
        with pytest.raises(InvalidInput, match="with 'spawn'"):
            pool.apply_async(objects.put, ["b", b"2"]).get(60)


def _killed(objects: Objects) -> list[str]:
    objects.get("datasets/kitchen/versions/000001.json")
    reader = objects.forked._reader
    assert reader is not None
    reader.process.kill()
    reader.process.wait(20)
    try:
        objects.get("datasets/kitchen/versions/000001.json")
    except StorageFailed as error:
        return [str(error)]
    return []


def test_a_reader_that_was_killed_is_told(objects: Objects) -> None:
    with FORK.Pool(1) as pool:
        (error,) = pool.apply_async(_killed, [objects]).get(60)
    assert "start workers with DataLoader(..., multiprocessing_context='spawn')" in error


def _wait(objects: Objects, sending: Any) -> None:
    objects.get("datasets/kitchen/versions/000001.json")
    assert objects.forked._reader is not None
    sending.send(objects.forked._reader.process.pid)
    signal.pause()


def test_the_reader_ends_with_the_process_it_reads_for(objects: Objects) -> None:
    receiving, sending = FORK.Pipe(duplex=False)
    worker = FORK.Process(target=_wait, args=(objects, sending))
    worker.start()
    assert receiving.poll(60)
    pid = receiving.recv()
    watched = os.pidfd_open(pid)
    worker.kill()
    worker.join(20)
    ended = multiprocessing.connection.wait([watched], timeout=60)
    os.close(watched)
    assert ended
