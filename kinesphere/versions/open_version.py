"""A version opened for reading: its episodes, and where their frames and videos are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property, partial
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from kinesphere.errors import InvalidInput
from kinesphere.objects.store import Objects
from kinesphere.shards.shard import OpenShards
from kinesphere.splits import splits_of
from kinesphere.streaming.window_index import Integers
from kinesphere.trajectory import BASIC_ARRAYS, ArraySpec
from kinesphere.versions.episode_table import EPISODE_SCHEMA
from kinesphere.versions.manifests import Version, read_manifest, refuse_withdrawn
from kinesphere.versions.table_parts import matching_rows, parts_of, read_matching, read_part, read_table
from kinesphere.video.video_windows import VideoSource
from kinesphere.where import where_columns, where_expression


class OpenVersion:
    """One version of a dataset, as streams and statistics read it. It can be pickled, and used after a fork."""

    def __init__(self, objects: Objects, version: Version, *, verify: bool = False) -> None:
        self.name = version.dataset
        self.version = version.number
        self.manifest: Mapping[str, Any] = version.manifest
        """What the version says about itself: counts, labels, parent, when and by whom it was made."""
        self.shards = OpenShards(objects, verify, partial(_refuse_withdrawn, objects, self.name, self.version))
        self.objects = objects
        """Where it lies."""
        self._parts = parts_of(version.manifest)
        if len(self._parts) == 1:
            _ = self.episodes  # takes no longer than to ask for a part of it, and is there after a fork

    @cached_property
    def episodes(self) -> pa.Table:
        """One row an episode, by `EPISODE_SCHEMA`; a large table is read when it is first asked for.

        Raises:
            CorruptObject: the table is missing or damaged.
        """
        return read_table(self.objects, self._parts, EPISODE_SCHEMA.names)

    @cached_property
    def arrays(self) -> Mapping[str, ArraySpec]:
        """The arrays of the first episode by name: types, shapes of a frame, units, scales, landmarks.

        Episodes of one extractor have the same arrays; `episode` gives those that its own episode has. It reads the
        metadata of one shard, and is `BASIC_ARRAYS` where there are no episodes.

        Raises:
            CorruptObject: the table, or the metadata of the shard, is missing or damaged.
        """
        if len(self) == 0:
            return BASIC_ARRAYS
        first = (
            self.episodes if "episodes" in self.__dict__ else read_part(self.objects, self._parts[0]).read(["shard"])
        )
        return self.shards.specs(str(first["shard"][0].as_py()))

    def select(self, columns: Sequence[str], where: str | None = None) -> tuple[Integers, pa.Table]:
        """Some columns of the episodes that fulfil a condition, without reading what is not needed for it.

        Args:
            columns: names of columns of `episodes`.
            where: a condition on the columns of `episodes`, e.g. `"label = 'pour'"`; see `kinesphere.where`.

        Returns:
            The rows of these episodes in `episodes`, int64, ascending, and the columns, one row each.

        Raises:
            InvalidInput: there is no such column, or the condition cannot be read.
            CorruptObject: the table is missing or damaged.
        """
        unknown = sorted(set(columns) - set(EPISODE_SCHEMA.names))
        if unknown:
            known = ", ".join(EPISODE_SCHEMA.names)
            raise InvalidInput(f"an episode has no column '{unknown[0]}'; the columns are {known}")
        if "episodes" in self.__dict__:
            rows = matching_rows(self.episodes, where_expression(where)) if where else np.arange(len(self.episodes))
            return rows, self.episodes.select(list(columns)).take(pa.array(rows)).combine_chunks()
        if where is None:
            return np.arange(len(self)), read_table(self.objects, self._parts, columns)
        return read_matching(self.objects, self._parts, columns, where_expression(where), where_columns(where))

    def __len__(self) -> int:
        return int(self.manifest["counts"]["episodes"])

    @property
    def requests(self) -> int:
        """How often this process has read objects so far: on an object store, how many requests it made."""
        return self.objects.requests.total

    def rows_of_split(self, name: str) -> NDArray[np.int64]:
        """The rows of `episodes` that belong to a split; whole people, see `kinesphere.splits`.

        Args:
            name: the split, such as "train".

        Returns:
            int64 `[n]`, ascending.

        Raises:
            InvalidInput: the version was published without splits, or has none of this name.
        """
        _, people = self.select(["contributor"])
        return splits_of(self.manifest).rows(people, name)

    def videos(self, rows: Integers, size: tuple[int, int] | None) -> VideoSource:
        """The videos of some rows of `episodes`.

        Args:
            rows: int64 `[n]`.
            size: height and width to scale to; None leaves them as they are.

        Returns:
            Where the videos are.

        Raises:
            InvalidInput: the version has no video, its sizes differ and none is asked for, or `size` is no size.
        """
        _, columns = self.select(["recording", "image_height", "image_width"])
        return VideoSource.of(self.objects, self.manifest, columns, rows, size)


def _refuse_withdrawn(objects: Objects, dataset: str, number: int) -> None:
    refuse_withdrawn(objects, read_manifest(objects, dataset, number))
