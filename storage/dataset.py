"""Datasets: what a training run opens. Needs the object store alone, no catalog and no server."""

from __future__ import annotations

import math
import operator
import os
from collections.abc import Mapping, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from .cached_objects import with_cache
from .errors import InvalidInput, NotFound, needs_extra
from .names import checked_name
from .objects import Objects, open_objects
from .shards import OpenShards
from .splits import splits_of
from .stream import POOL_FRAMES, DType, StreamSettings, WindowStream, checked_keys
from .trajectory import ARRAYS, from_stored
from .versions import Version, read_episodes, read_version
from .video_windows import VIDEO, VideoSource, VideoWindows
from .windows import Integers

if TYPE_CHECKING:
    from .torch_dataset import TorchDataset


MOST_EPISODE_VIDEO_BYTES = 2**31
"""The most that `episode` decodes at once: about what a laptop has to spare."""


def open_dataset(
    location: str | Path,
    version: int | None = None,
    *,
    verify: bool = False,
    cache: str | Path | None = None,
    cache_bytes: int | None = None,
) -> Dataset:
    """Open a version of a dataset, by default the newest.

    Args:
        location: `<workspace>/datasets/<name>`, a folder or a URL such as `s3://bucket/prefix/datasets/<name>`.
        verify: compare the hash of every object when it is first read. Without it, checksums inside the objects
            still find accidental damage; with it, also a deliberate change.
        cache: a local folder in which shards and videos that were read are kept; see `storage.disk_cache`. By
            default what `KINESPHERE_DATA_CACHE` names for data in an object store, and none for local folders.
        cache_bytes: how much it may hold, at least 64 MiB; 50 GiB by default. What was read longest ago goes first.

    Manifests are never cached. An erasure cannot reach a cache: run `clear_cache(folder)` where the data was read.

    Raises:
        InvalidInput: the location is not of this form, there is no such folder, or the cache cannot be used.
        NotFound: there is no such dataset or version.
        Withdrawn: people in it took their recordings back; the error names the version that replaces it.
        NewerFormat: a later release wrote it.
        CorruptObject: its manifest or table is damaged.
    """
    place, _, name = os.fspath(location).rstrip("/").rpartition("/")
    root, _, folder = place.rpartition("/")
    if folder != "datasets":
        raise InvalidInput(f"'{location}' is no dataset; give <workspace>/datasets/<name>")
    objects = open_objects(root or ("/" if place.startswith("/") else "."))
    found = read_version(objects, checked_name("dataset", name), version)
    return Dataset(with_cache(objects, cache, cache_bytes), found, verify=verify)


class Dataset:
    """One version of a dataset. Opened with `open_dataset`; it can be pickled, and used after a fork."""

    def __init__(self, objects: Objects, version: Version, *, verify: bool = False) -> None:
        self.name = version.dataset
        self.version = version.number
        self.manifest: Mapping[str, Any] = version.manifest
        """What the version says about itself: counts, labels, parent, when and by whom it was made."""
        self.episodes: pa.Table = read_episodes(objects, version)
        """One row an episode, by `storage.episodes.EPISODE_SCHEMA`."""
        self.shards = OpenShards(objects, verify, partial(read_version, objects, self.name, self.version))
        self._objects = objects

    def __len__(self) -> int:
        return int(self.episodes.num_rows)

    def __repr__(self) -> str:
        counts = self.manifest["counts"]
        return f"<Dataset {self.name}@{self.version}: {counts['episodes']} episodes, {counts['frames']} frames>"

    @property
    def requests(self) -> int:
        """How often this process has read objects so far: on an object store, how many requests it made."""
        return self._objects.requests.total

    def rows_of_split(self, name: str) -> NDArray[np.int64]:
        """The rows of `episodes` that belong to a split, int64 `[n]`; whole people, see `storage.splits`.

        Raises:
            InvalidInput: the version was published without splits, or has none of this name.
        """
        return splits_of(self.manifest).rows(self.episodes, name)

    def videos(self, rows: Integers, size: tuple[int, int] | None) -> VideoSource:
        """The videos of some rows of `episodes`, to be scaled to a height and width; see `VideoSource.of`."""
        return VideoSource.of(self._objects, self.manifest, self.episodes, rows, size)

    def episode(
        self, which: int | str, keys: Sequence[str] | None = None, *, video_size: tuple[int, int] | None = None
    ) -> dict[str, NDArray[Any]]:
        """All frames of an episode, by its row in `episodes` or by its id.

        Returns:
            One array a key, shape `(frames, ...)`: float32 in the units of `storage.trajectory.ARRAYS` with NaN
            where missing; `timestamp` is int64 nanoseconds since the recording began, `valid` uint8 bit flags.
            With the key "video", which is not among the default ones, uint8 `(frames, height, width, 3)`, RGB,
            upright, scaled if `video_size` gives a height and width.

        Raises:
            NotFound: there is no such episode.
            InvalidInput: the version has no video, or the episode's takes more than 2 GiB at this size.
            CorruptObject: an object of its shard is missing or damaged.
            Withdrawn: the version was withdrawn since it was opened.
        """
        names = tuple(ARRAYS) if keys is None else checked_keys(keys)
        place = self._row(which)
        row = self.episodes.slice(place, 1).to_pylist()[0]
        start, stop = row["first_frame"], row["first_frame"] + row["length"]
        arrays = {
            name: from_stored(ARRAYS[name], self.shards.read(row["shard"], name, start, stop))
            for name in names
            if name != VIDEO
        }
        return arrays if VIDEO not in names else arrays | {VIDEO: self._episode_video(place, row, video_size)}

    def _episode_video(self, place: int, row: Mapping[str, Any], size: tuple[int, int] | None) -> NDArray[np.uint8]:
        source = self.videos(np.array([place]), size)
        shape = (row["length"], *source.shape)
        if math.prod(shape) > MOST_EPISODE_VIDEO_BYTES:
            raise InvalidInput(
                f"the video of episode '{row['episode']}' takes {math.prod(shape) / 2**30:.1f} GiB decoded "
                f"({shape[0]} frames of {source.width}x{source.height}); give a smaller video_size=(height, width), "
                "or stream windows of it"
            )
        times = self.shards.read(row["shard"], "timestamp", row["first_frame"], row["first_frame"] + row["length"])
        frames = np.empty(shape, np.uint8)
        with closing(VideoWindows(source)) as windows:
            windows.read(np.array([place]), times[None], np.ones((1, len(times)), np.bool_), frames[None])
        return frames

    def stream(
        self,
        window: int,
        batch_size: int,
        keys: Sequence[str] | None = None,
        *,
        stride: int = 1,
        shuffle: bool = False,
        seed: int = 0,
        epoch: int = 0,
        rank: int = 0,
        world_size: int = 1,
        balance: str | None = None,
        where: str | None = None,
        split: str | None = None,
        dtype: DType = "float32",
        pool_frames: int = POOL_FRAMES,
        video_size: tuple[int, int] | None = None,
    ) -> WindowStream:
        """Stream windows of `window` frames in batches.

        Each batch is a dict. Every key gives `[B, window, ...]`: float32 in its units, NaN where missing or padded
        (`timestamp` stays int64 and `valid` uint8, 0 where padded). `mask` is bool `[B, window]`, False where an
        episode shorter than the window is padded; `episode` int64 `[B]` the row in `episodes`; `frame` int64 `[B]`
        the window's first frame in its episode. B is `batch_size`, less in the last batch of an epoch.

        The key "video" gives uint8 `[B, window, height, width, 3]`: RGB, upright, 0 where padded; the frames from which
        the arrays were extracted, or their blurred copies where the version says so. It is read besides
        the arrays if `keys` names it, and needs `pip install 'kinesphere[video]'`.

        What it promises: every window exactly once an epoch (see `balance`), equal to the slice of `episode()`; the
        order depends on the version and these arguments only, not on the number of ranks or workers; it resumes
        from `state_dict()` at the next batch; memory stays under `memory_bound_bytes`; an object that cannot be
        read is an error.

        How random it is: blocks of up to 4,096 frames of an episode are put in random order and grouped into pools of
        `pool_frames` frames; windows are in random order within their pool. A batch mixes the blocks of one pool
        (32 long ones with the default, thousands of short episodes), not the whole dataset; a larger pool mixes more.

        Batch b of an epoch is rank b % world_size's. Every rank reads the pools that its batches draw from, which is
        nearly all of them.

        Args:
            keys: names of arrays, and "video"; all arrays by default.
            stride: frames between the beginnings of successive windows of an episode.
            seed: with the epoch's number it decides the order. Not used without `shuffle`.
            epoch: number of the first epoch; each further one has an order of its own.
            balance: a column of `episodes`. An epoch has as many windows as without, but every value of the column
                gets an equal share of them, to within one window; those of its windows are drawn equally often, to
                within once. A missing value counts as a value.
            where: a condition on the columns of `episodes`, e.g. `"label = 'pour'"`; see `storage.where`.
            split: only episodes of this split, such as "train", where the version was published with splits.
            dtype: "int16" hands over the fixed-point numbers as stored, -32768 where missing, and
                visibilities and scores as uint8, to be scaled with `stream.scales`: half the bytes.
            pool_frames: how many decoded frames are held in memory at once.
            video_size: height and width to scale the video to; needed where recordings have several sizes.

        Raises:
            InvalidInput: an argument is out of range, or `where` matches nothing.
        """
        settings = StreamSettings(
            window=window,
            batch_size=batch_size,
            keys=tuple(ARRAYS) if keys is None else checked_keys(keys),
            stride=stride,
            shuffle=shuffle,
            seed=seed,
            balance=balance,
            where=where,
            split=split,
            dtype=dtype,
            pool_frames=pool_frames,
            video_size=video_size,
        )
        return WindowStream(self, settings, epoch=epoch, rank=rank, world_size=world_size)

    def torch(self, window: int, batch_size: int, keys: Sequence[str] | None = None, **options: Any) -> TorchDataset:
        """The same stream as a `torch.utils.data.IterableDataset` of batches; takes what `stream` takes.

        >>> loader = DataLoader(dataset.torch(window=64, batch_size=256), batch_size=None, num_workers=4)

        Raises:
            MissingDependency: PyTorch is not installed.
        """
        with needs_extra("torch"):
            from .torch_dataset import TorchDataset
        return TorchDataset(self.stream(window, batch_size, keys, **options))

    def _row(self, which: int | str) -> int:
        if isinstance(which, str):
            row = int(pc.index(self.episodes["episode"], which).as_py())
            if row < 0:
                raise NotFound("episode", which, self.episodes["episode"].slice(0, 11).to_pylist())
            return row
        row = operator.index(which)
        if not 0 <= row < len(self):
            raise NotFound("episode", str(row), hint=f"{self.name}@{self.version} has rows 0 to {len(self) - 1}")
        return row
