"""The stream as PyTorch's `DataLoader` wants it. Importing it needs no PyTorch, using it does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, cast

from kinesphere.errors import InvalidInput, needs_extra
from kinesphere.streaming.stream import WindowStream


class _WithoutTorch:
    """Stands in for the base class where PyTorch is not installed."""

    def __class_getitem__(cls, item: object) -> type[_WithoutTorch]:
        return cls


if TYPE_CHECKING:
    from torch.utils.data import IterableDataset
else:
    try:
        from torch.utils.data import IterableDataset
    except (ImportError, OSError):  # `TorchDataset.__init__` says what to install
        IterableDataset = _WithoutTorch

_MOST_WORKERS = 4096


class TorchDataset(IterableDataset[dict[str, Any]]):
    """Batches of a `WindowStream` as dicts of tensors.

    Give it to `DataLoader(dataset, batch_size=None, num_workers=W)`: the batches come in the same order for any W,
    each pass over the loader is the next epoch, and tensors share memory with NumPy, so nothing is copied twice.

    Without workers its position is the stream's. With workers they run ahead of the training, and this
    object cannot see how far the training is: `state_after(batches)` gives the state for what it has taken. Leaving
    a loop over workers early ends that epoch.
    """

    def __init__(self, stream: WindowStream) -> None:
        """
        Args:
            stream: what gives the batches.

        Raises:
            MissingDependency: PyTorch is not installed.
        """
        with needs_extra("torch"):
            import torch
        self._stream = stream
        # How often each worker has begun an epoch, in memory shared with workers, which may live for one epoch only.
        self._begun = cast(Any, torch.zeros(_MOST_WORKERS, dtype=torch.int64)).share_memory_()

    @property
    def stream(self) -> WindowStream:
        """The stream that is iterated without workers."""
        return self._stream

    def __len__(self) -> int:
        return len(self._stream)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        import torch
        from torch.utils.data import get_worker_info

        worker = get_worker_info()
        stream = self._stream if worker is None else self._share(worker.id, worker.num_workers)
        for batch in stream:
            yield {name: torch.from_numpy(values) for name, values in batch.items()}

    def state_dict(self) -> dict[str, Any]:
        """The state for all batches taken from this object in this process.

        Returns:
            See `WindowStream.state_dict`.
        """
        return self._stream.state_dict()

    def state_after(self, batches: int) -> dict[str, Any]:
        """The state for `batches` batches taken from loaders with workers since this object was made or given a state.

        Args:
            batches: how many, whole epochs counted in: the second epoch's first batch is number `len(dataset) + 1`.

        Returns:
            See `WindowStream.state_dict`.
        """
        return self._stream.advanced(batches).state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a state, of this or of any other rank, world size and number of workers.

        Make a new `DataLoader` afterwards if it keeps its workers (`persistent_workers=True`).

        Args:
            state: of `state_dict` or `state_after`.

        Raises:
            InvalidInput: the state is of another version of the dataset, or of a stream with another order.
            NewerFormat: a later release made it.
        """
        self._stream.load_state_dict(state)
        self._begun.zero_()

    def _share(self, worker: int, workers: int) -> WindowStream:
        if workers > _MOST_WORKERS:
            raise InvalidInput(f"at most {_MOST_WORKERS} workers can share a stream, got {workers}")
        share = self._stream.split(worker, workers)
        for _ in range(int(self._begun[worker])):
            share.skip_epoch()
        self._begun[worker] += 1
        return share
