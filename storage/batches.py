"""Batches: windows of one epoch, in its order, cut out of one pool after another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .epoch import Draws, Epoch
from .pools import Pool, Spans, load_pool
from .shards import OpenShards
from .trajectory import ARRAYS, MISSING, from_stored
from .windows import WindowIndex

if TYPE_CHECKING:
    from .stream import StreamSettings

Batch = dict[str, NDArray[Any]]


class BatchCutter:
    """Cuts the batches of one epoch, holding one pool at a time."""

    def __init__(
        self, settings: StreamSettings, shards: OpenShards, spans: Spans, index: WindowIndex, epoch: Epoch
    ) -> None:
        self._settings = settings
        self._shards, self._spans, self._index = shards, spans, index
        self._epoch = epoch
        self._number = -1
        self._draws: Draws | None = None
        self._pool: Pool | None = None

    def batch(self, number: int) -> Batch:
        """Batch `number` of the epoch, which may take windows from several pools."""
        first = number * self._settings.batch_size
        stop = min(first + self._settings.batch_size, int(self._epoch.first_draw[-1]))
        parts = []
        while first < stop:
            pool_number = int(np.searchsorted(self._epoch.first_draw, first, side="right")) - 1
            pool_first, pool_stop = (int(bound) for bound in self._epoch.first_draw[pool_number : pool_number + 2])
            until = min(stop, pool_stop)
            parts.append(self._part(pool_number, first - pool_first, until - pool_first))
            first = until
        stored = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        mask = stored["mask"]
        values = {key: self._finished(key, stored.pop(key), mask) for key in self._settings.keys}
        return values | stored

    def _part(self, number: int, first: int, stop: int) -> Batch:
        draws, pool = self._loaded(number)
        slot, window = draws.slot[first:stop], draws.window[first:stop]
        frame = window * self._settings.stride
        stored, mask = pool.cut(slot, frame, self._settings.window)
        block = draws.blocks[slot]
        return stored | {
            "mask": mask,
            "episode": self._spans.row[self._index.episode[block]],
            "frame": self._index.first_frame[block] + frame,
        }

    def _loaded(self, number: int) -> tuple[Draws, Pool]:
        if self._draws is None or self._pool is None or number != self._number:
            self._draws = self._pool = None  # let go of one pool before the next is decoded
            self._draws = self._epoch.draws(number)
            self._pool = load_pool(
                self._shards,
                self._spans,
                self._index,
                self._draws.blocks,
                self._settings.keys,
                self._settings.block_frames,
            )
            self._number = number
        return self._draws, self._pool

    def _finished(self, key: str, stored: NDArray[Any], mask: NDArray[np.bool_]) -> NDArray[Any]:
        """Values as the stream hands them over, missing where the window is padded."""
        spec = ARRAYS[key]
        values = from_stored(spec, stored) if self._settings.dtype == "float32" else stored
        if not mask.all():
            missing = np.nan if values.dtype == np.float32 else MISSING if spec.is_fixed_point else 0
            values[~mask] = missing
        return values
