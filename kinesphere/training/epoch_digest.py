"""One hash of an epoch: which windows come, in which order and batch, of which data; found without reading these.

What a batch holds follows from its windows' places and from the version, whose table names every shard by the hash of
its content. So the places are hashed, a batch at a time, and the hashes are added up: a sum is the same in whatever
order, by whichever ranks, workers and processes, batches were given.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from kinesphere.streaming.epoch import Epoch
from kinesphere.streaming.sampling import Sampling
from kinesphere.streaming.window_index import Integers, WindowIndex

_BITS = 256
DIGEST_VERSION = 1


def batch_hash(number: int, episode: Integers, frame: Integers) -> int:
    """The hash of one batch of an epoch.

    Args:
        number: of the batch in the epoch, of all ranks together.
        episode: int64 `[B]`, as batches have it.
        frame: int64 `[B]`, as batches have it.

    Returns:
        A number of 256 bits.
    """
    found = hashlib.blake2b(number.to_bytes(8, "little"), digest_size=_BITS // 8)
    found.update(np.ascontiguousarray(episode, "<i8").data)
    found.update(np.ascontiguousarray(frame, "<i8").data)
    return int.from_bytes(found.digest(), "little")


def epoch_hash(identity: Mapping[str, Any], hashes: Iterable[int]) -> str:
    """The hash of an epoch.

    Args:
        identity: what decides what batches hold, besides their windows' places, as plain JSON values.
        hashes: of all of its batches, in any order.

    Returns:
        64 hexadecimal digits.
    """
    total = sum(hashes) % 2**_BITS
    content = json.dumps({"digest": DIGEST_VERSION, **identity, "batches": f"{total:064x}"}, sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()


RANDOM_STRIDE = 64
"""Of windows drawn at random from the whole epoch one batch in so many is hashed: most of the time goes to drawing."""


def planned_hashes(epoch: Epoch, rows: Integers, batch_size: int, sampling: Sampling) -> Iterator[int]:
    """The hashes of the batches of an epoch, as it is planned.

    Args:
        epoch: its order.
        rows: int64, the row in `episodes` of each chosen episode.
        batch_size: windows in a batch.
        sampling: how the order was drawn.

    Yields:
        One hash a batch; with random sampling of one in `RANDOM_STRIDE`.
    """
    index, total = epoch.index, int(epoch.first_draw[-1])
    if sampling == "random":
        for number in range(0, -(-total // batch_size), RANDOM_STRIDE):
            places = np.arange(number * batch_size, min((number + 1) * batch_size, total), dtype=np.int64)
            yield batch_hash(number, *_places(index, rows, *epoch.drawn_at_random(places)))
        return
    number, waiting = 0, np.empty((2, 0), np.int64)
    for pool in range(len(epoch.first_entry) - 1):
        draws = epoch.draws(pool)
        episode, frame = _places(index, rows, draws.blocks[draws.slot], draws.window)
        waiting = np.concatenate([waiting, [episode, frame]], axis=1)
        whole = waiting.shape[1] // batch_size
        for batch in range(whole):
            yield batch_hash(number + batch, *waiting[:, batch * batch_size :][:, :batch_size])
        number, waiting = number + whole, waiting[:, whole * batch_size :]
    if waiting.shape[1]:
        yield batch_hash(number, *waiting)


def _places(index: WindowIndex, rows: Integers, block: Integers, window: Integers) -> tuple[Integers, Integers]:
    """What batches call "episode" and "frame"."""
    return rows[index.episode[block]], index.first_frame[block] + window * index.stride
