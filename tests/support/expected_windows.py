"""What a stream should give, by its definition, and what it gave."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kinesphere.dataset import Dataset
from kinesphere.objects.store import Objects
from kinesphere.streaming.stream import WindowStream
from kinesphere.transforms.transform import Batch
from storage.publishing.version_writer import write_version
from storage.shards.shard_writer import ShardRecord
from tests.support.generated_trajectories import make_row, make_table


def dataset_of(objects: Objects, shards: Sequence[ShardRecord], lengths: Sequence[int]) -> Dataset:
    """A dataset of episodes of these lengths, which overlap in the shards."""
    rows = [
        make_row(
            shards[place % len(shards)],
            episode=f"e{place}",
            first_frame=(37 * place) % (shards[place % len(shards)].frames - length + 1),
            length=length,
        )
        for place, length in enumerate(lengths)
    ]
    return Dataset(objects, write_version(objects, "any", make_table(rows)))


def expected_windows(lengths: Sequence[int], window: int, stride: int) -> list[tuple[int, int]]:
    """What the stream should give, by its definition, one window after the other."""
    return [
        (episode, start)
        for episode, length in enumerate(lengths)
        for start in (range(0, length - window + 1, stride) if length >= window else (0,))
    ]


def windows_of(batches: Sequence[Batch]) -> list[tuple[int, int]]:
    return [
        (int(episode), int(frame))
        for batch in batches
        for episode, frame in zip(batch["episode"], batch["frame"], strict=True)
    ]


def same_batches(left: Sequence[Batch], right: Sequence[Batch]) -> bool:
    """Whether two streams gave the same batches, to the last bit."""
    return len(left) == len(right) and all(
        a.keys() == b.keys() and all(a[name].tobytes() == b[name].tobytes() for name in a)
        for a, b in zip(left, right, strict=True)
    )


def take(stream: WindowStream, batches: int) -> dict[str, Any]:
    """Take some batches, over ends of epochs, and return the state."""
    taken = 0
    while taken < batches:
        for _ in stream:
            taken += 1
            if taken == batches:
                break
    return stream.state_dict()
