"""Several streams as one: every batch has windows of each, in fixed shares, and the order can be entered anywhere."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Generator, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import numpy as np

from kinesphere.errors import InvalidInput, NewerFormat
from kinesphere.streaming.stream import WindowStream
from kinesphere.transforms.transform import Batch, Transform, checked_transforms

STATE_VERSION = 1
SOURCE = "source"
"""The name under which batches say which stream each window is of."""


class MixedStream:
    """Batches of several streams side by side; made with `mix`.

    Batch number b of all epochs together takes batch number b of each stream, over the ends of their epochs. An epoch
    is over when every stream has given all its windows at least once. So the order depends on the streams alone, and a
    position is one number.
    """

    def __init__(
        self,
        streams: Mapping[str, WindowStream],
        transforms: Sequence[Transform] = (),
        *,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        """
        Args:
            streams: by name; each gives full batches, as many windows of each batch as it has a share in it.
            transforms: what is done to each batch when it is put together.
            rank: which of the training processes this is.
            world_size: how many there are.
        """
        self.streams, self._transforms = dict(streams), tuple(transforms)
        self._rank, self._world_size, self._ranks = rank, world_size, world_size
        self._epoch, self._batch = 0, 0

    @property
    def batches(self) -> int:
        """Batches in an epoch, of all ranks together, which have equally many; those that come twice count twice."""
        return self._end(0)

    @property
    def _length(self) -> int:
        """Batches until the stream that takes longest has given all of its windows."""
        return max(stream.batches for stream in self.streams.values())

    def _end(self, batch: int) -> int:
        """The number after the last batch of an epoch of which ranks have taken `batch`, or any rounds more.

        Where some ranks would have one less, the first batches of the next epoch come once more.
        """
        return batch + -(-(self._length - batch) // self._ranks) * self._ranks

    def __len__(self) -> int:
        """Batches in an epoch of this rank, or share of it."""
        return self._left(0)

    @property
    def position(self) -> tuple[int, int]:
        """The epoch, and how many of its batches all ranks together have taken, as if in step."""
        return self._epoch, self._batch

    @property
    def step(self) -> int:
        """How far a batch moves the position."""
        return self._world_size

    @property
    def left(self) -> int:
        """Batches of this rank, or share of it, that are left of the epoch."""
        return self._left(self._batch)

    @property
    def memory_bound_bytes(self) -> int:
        """The most memory that streaming takes: that of all streams, and a batch once more when it is put together."""
        parts = [stream.memory_parts for stream in self.streams.values()]
        return sum(sum(part.values()) + part["batches"] for part in parts)

    def _left(self, batch: int) -> int:
        return max(0, -(-(self._end(batch) - batch - self._rank) // self._world_size))

    def __iter__(self) -> Iterator[Batch]:
        number, first = self._epoch, self._epoch * self._length + self._batch + self._rank
        parts = [_every(stream, first, self._world_size) for stream in self.streams.values()]
        try:
            while self._epoch == number and self.left:
                end = self._end(self._batch)
                batch = _joined(list(self.streams), [next(part) for part in parts])
                for transform in self._transforms:
                    batch = transform(batch)
                self._batch += self._world_size
                if self._batch >= end:
                    self.skip_epoch()
                yield batch
                del batch
        finally:
            for part in parts:
                part.close()
        if self._epoch == number:
            self.skip_epoch()

    def skip_epoch(self) -> None:
        """Move to the beginning of the next epoch."""
        self._epoch, self._batch = self._epoch + 1, 0

    def go_to(self, epoch: int, batch: int) -> None:
        """Move to a position.

        Args:
            epoch: number of the epoch.
            batch: how many of its batches are taken, as `position` counts them.
        """
        self._epoch, self._batch = epoch, batch

    def at(self, epoch: int, batch: int) -> MixedStream:
        """The same stream at a position.

        Args:
            epoch: number of the epoch.
            batch: how many of its batches are taken, as `position` counts them.

        Returns:
            Another stream; this one stays where it is.
        """
        moved = copy.copy(self)
        moved.go_to(epoch, batch)
        return moved

    def advanced(self, batches: int) -> MixedStream:
        """A stream that has given `batches` more of its rank's batches than this one, over ends of epochs.

        Args:
            batches: at least 0.

        Returns:
            Another stream; this one stays where it is.
        """
        ahead = copy.copy(self)
        while batches:
            taken, end = min(batches, ahead.left), ahead._end(ahead._batch)
            ahead._batch += taken * self._world_size
            batches -= taken
            if ahead._batch >= end:
                ahead.skip_epoch()
        return ahead

    def split(self, part: int, parts: int) -> MixedStream:
        """The stream of every `parts`-th batch that this one would give, beginning with number `part`.

        Args:
            part: from 0 to `parts` - 1.
            parts: among how many the batches are shared.

        Returns:
            Another stream; this one stays as it is.
        """
        share = copy.copy(self)
        share._rank, share._world_size = self._rank + part * self._world_size, self._world_size * parts
        return share

    def digest(self, epoch: int | None = None) -> str:
        """One hash of an epoch, as `WindowStream.digest`: of the epochs of all streams that it takes batches from.

        Args:
            epoch: number of the epoch; by default the one in which the stream is.

        Returns:
            64 hexadecimal digits.
        """
        number = self._epoch if epoch is None else epoch
        digests = {
            name: [
                stream.digest(stream.settings.epoch + one)
                for one in range(
                    number * self._length // stream.batches, -(-(number + 1) * self._length // stream.batches)
                )
            ]
            for name, stream in self.streams.items()
        }
        content = json.dumps({"digests": digests, "epoch": number}, sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()

    def state_dict(self) -> dict[str, Any]:
        """Where the stream is, as plain JSON values, taken between two batches.

        Returns:
            The position, and what it is a position in.
        """
        of = {name: stream.at(stream.settings.epoch, 0).state_dict() for name, stream in self.streams.items()}
        return {"format_version": STATE_VERSION, "mix": of, "epoch": self._epoch, "batch": self._batch}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go to where a stream was when `state` was taken.

        Args:
            state: of `state_dict`, perhaps by way of JSON.

        Raises:
            InvalidInput: the state is of another mixture.
            NewerFormat: a later release made it.
        """
        epoch, batch = self.check_state(state)
        if epoch < 0 or not 0 <= batch < self._length:
            raise InvalidInput(f"the state points at batch {batch} of epoch {epoch}; an epoch has {self._length}")
        self.go_to(epoch, batch)

    def check_state(self, state: Mapping[str, Any]) -> tuple[int, int]:
        """Make sure that a state is one of this mixture.

        Args:
            state: of `state_dict`.

        Returns:
            The epoch and the batch that it points at.

        Raises:
            InvalidInput: the state is of another mixture.
            NewerFormat: a later release made it.
        """
        try:
            version, epoch, batch = (int(state[name]) for name in ("format_version", "epoch", "batch"))
            mixed: Mapping[str, Mapping[str, Any]] = dict(state["mix"])
        except (KeyError, TypeError, ValueError) as error:
            raise InvalidInput(f"this is no state of a mixture: {error!r} in {state!r:.200}") from error
        if version > STATE_VERSION:
            raise NewerFormat("the state", version, STATE_VERSION)
        if mixed.keys() != self.streams.keys():
            raise InvalidInput(f"the state is of a mixture of {sorted(mixed)}, this one of {sorted(self.streams)}")
        for name, stream in self.streams.items():
            begun, _ = stream.check_state(mixed[name])
            if begun != stream.settings.epoch:
                raise InvalidInput(f"stream '{name}' began with epoch {begun}, and now with {stream.settings.epoch}")
        return epoch, batch


def mix(
    streams: Mapping[str, WindowStream],
    shares: Mapping[str, float] | None = None,
    *,
    batch_size: int,
    transform: Transform | Sequence[Transform] | None = None,
    rank: int = 0,
    world_size: int = 1,
) -> MixedStream:
    """Mix streams of several datasets, or versions, or choices of one: every batch has the same share of each.

    >>> demos, play = kitchen.stream(64, 1, keys, shuffle=True), street.stream(64, 1, keys, shuffle=True)
    >>> mixed = ks.mix({"kitchen": demos, "street": play}, {"kitchen": 3, "street": 1}, batch_size=256)

    Batches have "source" besides, int64 `[B]`: the place of each window's stream in `streams`, whose `episodes` its
    "episode" is a row of. An epoch ends when the stream that takes longest has given all its windows; the others have
    begun anew, each time in another order. Windows that do not fill a batch at the end of a stream's epoch are left
    out of that epoch. All streams need the same keys, lengths of windows, dtype and rate.

    Args:
        streams: by name; their own batch sizes, ranks and world sizes do not count, and their transforms are applied
            to their part of each batch.
        shares: of each name, in proportion to one another; by default by the number of their windows, so that each
            window comes about equally often. Whole windows of a batch are given by the largest remainder.
        batch_size: windows in a batch.
        transform: a function, or several, that gets each batch when it is put together.
        rank: which of the training processes this is, from 0.
        world_size: how many training processes share the batches; all have equally many.

    Returns:
        A stream that is iterated, resumed, and shared among ranks and workers as `Dataset.stream` is; for PyTorch
        give it to `ks.TorchDataset`.

    Raises:
        InvalidInput: there is no stream, a share is none or too small for a window in each batch, a stream has no full
            batch, or the streams do not fit together.
    """
    if not streams or not all(isinstance(stream, WindowStream) for stream in streams.values()):
        raise InvalidInput(
            "mix takes streams by name, as {'kitchen': kitchen.stream(...), 'street': street.stream(...)}"
        )
    if batch_size < 1 or not 0 <= rank < world_size:
        raise InvalidInput(
            "batch_size should be at least 1 and rank from 0 to world_size - 1; "
            f"got {batch_size}, {rank} of {world_size}"
        )
    _check_alike(streams)
    counts = _counts(streams, shares, batch_size)
    sized = {name: stream.resized(counts[name]) for name, stream in streams.items()}
    return MixedStream(sized, checked_transforms(transform, None), rank=rank, world_size=world_size)


def _check_alike(streams: Mapping[str, WindowStream]) -> None:
    (first_name, first), *others = streams.items()
    if SOURCE in first.handed_over["keys"]:
        raise InvalidInput(f"mix adds '{SOURCE}', and an array has this name; leave it out of keys")
    for name, stream in others:
        for what in ("keys", "shape", "dtype", "rate", "text"):
            left, right = first.handed_over[what], stream.handed_over[what]
            if left != right:
                raise InvalidInput(f"'{first_name}' has {what} {left} and '{name}' {right}; mix streams that are alike")


def _counts(streams: Mapping[str, WindowStream], shares: Mapping[str, float] | None, size: int) -> dict[str, int]:
    """How many windows of a batch are of each stream."""
    given = {name: float(stream.windows) for name, stream in streams.items()} if shares is None else dict(shares)
    if given.keys() != streams.keys() or not all(0 < share < float("inf") for share in given.values()):
        raise InvalidInput(f"shares should be a positive number for each of {', '.join(streams)}; got {shares!r}")
    total = sum(given.values())
    exact = {name: given[name] / total * size for name in streams}
    counts = {name: int(part) for name, part in exact.items()}
    by_rest = sorted(streams, key=lambda name: counts[name] - exact[name])
    for name in islice(by_rest, size - sum(counts.values())):
        counts[name] += 1
    none = [name for name, count in counts.items() if count == 0]
    if none:
        raise InvalidInput(f"'{none[0]}' has no window in a batch of {size}; choose a larger batch or share")
    return counts


def _every(stream: WindowStream, first: int, step: int) -> Generator[Batch]:
    """Batches number `first`, `first + step` and so on, of all epochs of a stream together."""
    while True:
        epoch, place = divmod(first, stream.batches)
        share = stream.at(stream.settings.epoch + epoch, place).split(0, step)
        given = 0
        for batch in share:
            yield batch
            del batch
            given += 1
        first += given * step


def _joined(names: Sequence[str], parts: Sequence[Batch]) -> Batch:
    """One batch of several, whose windows follow each other by stream."""
    joined = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
    sizes = [len(part["episode"]) for part in parts]
    joined[SOURCE] = np.repeat(np.arange(len(names), dtype=np.int64), sizes)
    return joined
