"""Where the frames of chosen episodes lie in shards."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from kinesphere.streaming.window_index import Integers


@dataclass(frozen=True)
class Spans:
    """Where chosen episodes lie; one entry an episode."""

    row: Integers
    """Row in the dataset's episode table."""
    shard: Integers
    """Place of its shard in `shard_ids`."""
    shard_ids: pa.Array
    first_frame: Integers
    """In the shard."""
    length: Integers
    """In frames."""

    @classmethod
    def of(cls, episodes: pa.Table, rows: Integers) -> Spans:
        """The spans of some rows of an episode table.

        Args:
            episodes: a table with the columns "shard", "first_frame" and "length".
            rows: int64 `[n]`, in any order.

        Returns:
            One entry a row, in their order.
        """
        chosen = episodes.select(["shard", "first_frame", "length"]).take(pa.array(rows)).combine_chunks()
        shards = chosen["shard"].combine_chunks().dictionary_encode()
        return cls(
            row=rows,
            shard=shards.indices.to_numpy().astype(np.int64),
            shard_ids=shards.dictionary,
            first_frame=chosen["first_frame"].to_numpy(),
            length=chosen["length"].to_numpy(),
        )

    @property
    def nbytes(self) -> int:
        """Memory of the arrays."""
        return int(self.shard_ids.nbytes) + sum(a.nbytes for a in (self.row, self.shard, self.first_frame, self.length))
