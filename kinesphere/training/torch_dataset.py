"""The stream as PyTorch's `DataLoader` wants it. Importing it needs no PyTorch, using it does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from kinesphere.errors import InvalidInput, needs_extra
from kinesphere.streaming.stream import WindowStream
from kinesphere.training.mixture import MixedStream
from kinesphere.training.torch_epochs import TensorBatch, TorchEpoch, refuse_collating

if TYPE_CHECKING:
    from torch.utils.data import IterableDataset
else:

    class _WithoutTorch:
        """Stands in for the base class where PyTorch is not installed."""

        def __class_getitem__(cls, item: object) -> type[_WithoutTorch]:
            return cls

    try:
        from torch.utils.data import IterableDataset
    except (ImportError, OSError):  # `TorchDataset.__init__` says what to install
        IterableDataset = _WithoutTorch

Stream = WindowStream | MixedStream
_MOST_WORKERS = 4096
_FROM_POSITION = -1


class TorchDataset(IterableDataset[TensorBatch]):
    """Batches of a `WindowStream` as dicts of tensors.

    Give it to `DataLoader(dataset, batch_size=None, num_workers=W)`: the batches come in the same order for any W,
    each pass over the loader is the next epoch, and tensors share memory with NumPy, so nothing is copied twice.

    torchdata's `StatefulDataLoader`, called the same way, has a `state_dict` that resumes at the next batch with
    workers and without. In PyTorch's own, without workers the position is the stream's. With workers they run ahead of
    the training, and this object cannot see how far the training is: `state_dict` says so, and `state_after(batches)`
    gives the state for what it has taken. Leaving a loop over workers early ends that epoch.
    """

    def __init__(self, stream: Stream) -> None:
        """
        Args:
            stream: what gives the batches: of `Dataset.stream`, or of `mix`.

        Raises:
            MissingDependency: PyTorch is not installed.
        """
        with needs_extra("torch"):
            import torch
        refuse_collating()
        self._stream = stream
        # Which epoch each worker begins next, in memory shared with workers, which may live for one epoch only.
        next_epoch = torch.full((_MOST_WORKERS,), _FROM_POSITION, dtype=torch.int64)
        self._next_epoch = cast(Any, next_epoch).share_memory_()

    @property
    def stream(self) -> Stream:
        """The stream that is iterated without workers."""
        return self._stream

    def __len__(self) -> int:
        return len(self._stream)

    def __iter__(self) -> TorchEpoch:
        from torch.utils.data import get_worker_info

        worker = get_worker_info()
        if worker is None:
            self._next_epoch.fill_(_FROM_POSITION)
            return TorchEpoch(self._stream, 0, 1, self._go_to)
        if worker.num_workers > _MOST_WORKERS:
            raise InvalidInput(f"at most {_MOST_WORKERS} workers can share a stream, got {worker.num_workers}")
        share = self._stream.split(worker.id, worker.num_workers)
        epoch = int(self._next_epoch[worker.id])
        if epoch != _FROM_POSITION:
            share = share.at(epoch, 0)
        return TorchEpoch(share, worker.id, worker.num_workers, self._begin)

    def state_dict(self) -> dict[str, Any]:
        """The state for all batches taken from this object in this process.

        Returns:
            See `WindowStream.state_dict`.

        Raises:
            InvalidInput: it is workers that have read, and only who takes their batches knows how many it took.
        """
        from torch.utils.data import get_worker_info

        if get_worker_info() is None and bool((self._next_epoch != _FROM_POSITION).any()):
            raise InvalidInput(
                "workers have read ahead, so the dataset does not know how far the training is; keep "
                "dataset.state_after(batches taken), or the state_dict() of a torchdata StatefulDataLoader"
            )
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
        from torch.utils.data import get_worker_info

        self._stream.load_state_dict(state)
        worker = get_worker_info()
        places = slice(None) if worker is None else slice(worker.id, worker.id + 1)  # others have theirs
        self._next_epoch[places] = _FROM_POSITION

    def _go_to(self, part: int, epoch: int, batch: int) -> None:
        """Without workers: the pass is over the stream itself, which is now there."""
        self._stream.go_to(epoch, batch)

    def _begin(self, worker: int, epoch: int, batch: int) -> None:
        """A worker has begun an epoch: its next one is the one after."""
        self._next_epoch[worker] = epoch + 1
