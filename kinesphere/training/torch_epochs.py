"""One pass over a stream in PyTorch's terms: an iterator with a state, as torchdata's `StatefulDataLoader` wants it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from kinesphere.errors import InvalidInput
from kinesphere.streaming.stream import WindowStream
from kinesphere.training.mixture import MixedStream
from kinesphere.transforms.transform import Batch


class TensorBatch(dict[str, Any]):
    """A batch as tensors by key, texts as lists. A class of its own, so that PyTorch does not take it for a sample."""


class TorchEpoch(Iterator[TensorBatch]):
    """The batches of one epoch that one worker gives, or the process itself.

    Its state says which epoch it is and how many of its batches were given, also where that is all of them: a loader
    that was stopped at the end of an epoch has none left to give, and then the next epoch.
    """

    def __init__(
        self, stream: WindowStream | MixedStream, part: int, parts: int, on_begin: Callable[[int, int, int], object]
    ) -> None:
        """
        Args:
            stream: what gives the batches, from where it stands.
            part: which of the workers this is, 0 without.
            parts: how many workers there are, 1 without.
            on_begin: told of the part, and of the epoch and position from which batches are given.
        """
        self._stream, self._part, self._parts = stream, part, parts
        self._on_begin = on_begin
        self._epoch, self._batch = stream.position
        self._is_over = False
        self._batches: Iterator[Batch] | None = None

    def __iter__(self) -> TorchEpoch:
        return self

    def __next__(self) -> TensorBatch:
        import torch

        if self._is_over:
            raise StopIteration
        if self._batches is None:
            self._on_begin(self._part, self._epoch, self._batch)
            self._batches = iter(self._stream)
        try:
            batch = next(self._batches)
        except StopIteration:
            self._is_over = True
            raise
        self._batch += self._stream.step
        return TensorBatch(
            (name, values.tolist() if values.dtype.kind == "U" else torch.from_numpy(values))
            for name, values in batch.items()
        )

    def state_dict(self) -> dict[str, Any]:
        """Where this pass is.

        Returns:
            The position in its epoch, which may be the end, and which part of the stream it is.
        """
        position = {"epoch": self._epoch, "batch": self._batch}
        return self._stream.state_dict() | position | {"part": self._part, "parts": self._parts}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a state.

        Args:
            state: of `state_dict`, of a pass by the same of as many workers.

        Raises:
            InvalidInput: it is of another stream, or of another part.
            NewerFormat: a later release made it.
        """
        self._stream.check_state(state)
        part = state.get("part"), state.get("parts")
        if part != (self._part, self._parts):
            raise InvalidInput(
                f"the state is of worker {part[0]} of {part[1]}, and this is worker {self._part} of {self._parts}; "
                "resume with as many workers, or keep TorchDataset.state_after(batches), which fits any number"
            )
        self._epoch, self._batch = int(state["epoch"]), int(state["batch"])
        self._stream.go_to(self._epoch, self._batch)
        self._is_over = not self._stream.left
        self._batches = None
        self._on_begin(self._part, self._epoch, self._batch)
        if self._is_over:
            self._stream.skip_epoch()


def refuse_collating() -> None:
    """Make PyTorch's default collating refuse batches: `DataLoader(dataset, batch_size=4)` would batch batches."""
    from torch.utils.data._utils.collate import default_collate_fn_map

    default_collate_fn_map[TensorBatch] = _refuse


def _refuse(*_: object, **__: object) -> None:
    raise InvalidInput(
        "the dataset gives whole batches already: use DataLoader(dataset, batch_size=None), and choose the size of a "
        "batch where the dataset is made, as in dataset.torch(window=64, batch_size=256)"
    )
