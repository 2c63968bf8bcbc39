"""Video of windows: the frames of a batch, found by their times and decoded side by side into its memory."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from threading import Lock
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from kinesphere.errors import CorruptObject, InvalidInput, InvalidVideo
from kinesphere.objects.cached_objects import open_file
from kinesphere.objects.disk_cache import PIECE_BYTES
from kinesphere.objects.store import Objects
from kinesphere.streaming.window_index import Integers
from kinesphere.video.seeking import SeekingVideo
from kinesphere.video.video_keys import VIDEO_KEYS

_PICTURES_OF_A_DECODER = 20
"""H.264 refers to at most 16 pictures; the others are at hand, being converted or being shown."""
_BUFFERS_OF_A_DECODER = 8 * PIECE_BYTES


@dataclass(frozen=True)
class VideoSource:
    """Where the videos of a dataset's episodes are, and how large their frames are handed over."""

    objects: Objects
    key_of: Callable[[str], str]
    """Gives the key of a recording's video."""
    recordings: pa.Array
    """The recording of each row of the episode table."""
    height: int
    width: int
    resized: bool
    stored_pixels: int
    """Pixels of the largest picture before scaling."""

    @classmethod
    def of(
        cls,
        objects: Objects,
        manifest: Mapping[str, Any],
        episodes: pa.Table,
        rows: Integers,
        size: tuple[int, int] | None,
    ) -> VideoSource:
        """The videos of some rows of a version's episode table.

        Args:
            objects: where they lie.
            episodes: the episode table, with "recording", "image_height" and "image_width".
            rows: int64, the rows whose sizes count.
            manifest: its "video" tells what may be seen: "raw" (so too if absent), "blurred", or "none".
            size: height and width to scale to.

        Returns:
            The videos of all rows of the table.

        Raises:
            InvalidInput: the version has no video, its sizes differ and none is asked for, or `size` is no size.
        """
        name = f"{manifest['dataset']}@{manifest['number']}"
        kind = manifest.get("video", "raw")
        if kind not in VIDEO_KEYS:
            raise InvalidInput(f"{name} was published without video; choose other keys, or a version with video")
        if size is not None and min(size) < 1:
            raise InvalidInput(f"video_size should be (height, width) in pixels, got {size!r}")
        columns = episodes.select(["image_height", "image_width"]).take(pa.array(rows))
        found = columns.group_by(columns.column_names).aggregate([]).to_pylist()
        stored = sorted((pair["image_height"], pair["image_width"]) for pair in found)
        if size is None and len(stored) > 1:
            shown = ", ".join(f"{width}x{height}" for height, width in stored[:5])
            raise InvalidInput(
                f"the videos of {name} have {len(stored)} sizes ({shown}{', ...' if len(stored) > 5 else ''}); "
                "give video_size=(height, width) to scale them to one, or choose by image_width with where"
            )
        height, width = stored[0] if size is None else size
        recordings = episodes["recording"].combine_chunks()
        largest = max(high * wide for high, wide in stored)
        return cls(objects, VIDEO_KEYS[kind], recordings, height, width, size is not None, largest)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels of a frame."""
        return self.height, self.width, 3

    @property
    def memory_bound_bytes(self) -> int:
        """The most memory that decoders take, besides what they decode into: pictures in YUV, one in RGB, buffers."""
        pictures = self.stored_pixels * _PICTURES_OF_A_DECODER * 3 // 2 + 6 * self.stored_pixels
        decoders = VideoWindows.OPEN_VIDEOS + VideoWindows.THREADS
        return decoders * (pictures + _BUFFERS_OF_A_DECODER) + int(self.recordings.nbytes)

    def open(self, recording: str) -> SeekingVideo:
        """Open the video of a recording.

        Args:
            recording: id of the recording.

        Returns:
            The video, to be closed.

        Raises:
            CorruptObject: it is missing or damaged, or its frames are not of the size that the version states.
        """
        key = self.key_of(recording)
        name = f"object '{key}'"
        local = self.objects.local_path(key)
        if local is not None and not local.is_file():
            raise CorruptObject(f"{name} is missing in {self.objects.url}; restore it from a copy")
        video = SeekingVideo(open_file(self.objects, key) if local is None else local, name)
        if not self.resized and (video.height, video.width) != (self.height, self.width):
            video.close()
            raise CorruptObject(
                f"{name} has frames of {video.width}x{video.height} where its episode states "
                f"{self.width}x{self.height}; give video_size=(height, width) to scale them"
            )
        return video


class VideoWindows:
    """Reads the frames of windows, a recording a thread. A few videos stay open between batches. To be closed."""

    OPEN_VIDEOS = 8
    """Videos that stay open: opening one again costs about as much as decoding a window of it."""
    THREADS = min(8, os.cpu_count() or 1)

    def __init__(self, source: VideoSource) -> None:
        self._source = source
        self._open: dict[str, tuple[int, SeekingVideo]] = {}
        self._batch = 0
        self._lock = Lock()

    @cached_property
    def _threads(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(self.THREADS, "kinesphere-video")

    def read(
        self,
        rows: Integers,
        timestamps: Integers,
        mask: NDArray[np.bool_],
        out: NDArray[np.uint8],
        *,
        exact: bool = True,
    ) -> None:
        """Read the frames of windows. Frames that several windows hold are decoded once.

        Args:
            rows: int64 `[B]`, row of the episode table of each window.
            timestamps: int64 `[B, W]`, nanoseconds since the recording's first frame, in any order.
            mask: bool `[B, W]`, False where there is no frame: it becomes 0.
            out: uint8 `[B, W, height, width, 3]`, contiguous; RGB, upright.
            exact: timestamps are those of frames, as trajectories have them. Otherwise, as after resampling, each
                gives the last frame that begins at or before it.

        Raises:
            CorruptObject: a video is missing or damaged, or with `exact` has no frame of such a time.
            StorageFailed: the disk or the store refused.
            MissingDependency: PyAV is not installed.
        """
        if not mask.all():
            out[~mask] = 0
        frames = out.reshape(-1, *self._source.shape)
        self._batch += 1
        recordings = self._source.recordings.take(pa.array(rows)).dictionary_encode()
        which = recordings.indices.to_numpy()
        for recording in recordings.dictionary.to_pylist():
            if recording in self._open:
                self._open[recording] = self._batch, self._open[recording][1]
        reads = []
        for number, recording in enumerate(recordings.dictionary.to_pylist()):
            of_this = mask & (which == number)[:, None]
            times, order = np.unique(timestamps[of_this], return_inverse=True)
            places = np.flatnonzero(of_this)
            by_time = np.argsort(order, kind="stable")
            ends = np.cumsum(np.bincount(order))[:-1]
            reads.append(
                self._threads.submit(self._fill, recording, times, np.split(places[by_time], ends), frames, exact)
            )
        failed = [error for read in reads if (error := read.exception()) is not None]
        if failed:
            raise failed[0]

    def close(self) -> None:
        """Close the videos."""
        self._threads.shutdown(wait=True, cancel_futures=True)
        for _, video in self._open.values():
            video.close()
        self._open.clear()

    def _fill(
        self, recording: str, times: Integers, places: list[Integers], out: NDArray[np.uint8], exact: bool
    ) -> None:
        """Put the frames at some ascending times into their places of `out` `[B * W, height, width, 3]`."""
        size = (self._source.height, self._source.width) if self._source.resized else None
        try:
            with self._lock:
                _, video = self._open.pop(recording, (0, None))
            video = video or self._source.open(recording)
            for image, at in zip(video.images(times.tolist(), size=size, exact=exact), places, strict=True):
                out[at] = image
        except InvalidVideo as error:
            raise CorruptObject(f"{error}; restore it from a copy") from error
        with self._lock:
            surplus = self._leave_open(recording, video)
        if surplus is not None:
            surplus.close()

    def _leave_open(self, recording: str, video: SeekingVideo) -> SeekingVideo | None:
        """Leave a video open; gives the one that has to go for it: one that this batch did not use, or else this one.

        Shuffled batches of one pool use the same recordings, more than stay open. If the one used longest ago went, it
        would be the one that the next batch asks for first, and none would ever be found open.
        """
        if len(self._open) < self.OPEN_VIDEOS:
            self._open[recording] = self._batch, video
            return None
        idle = next((name for name, (batch, _) in self._open.items() if batch != self._batch), None)
        if idle is None:
            return video
        self._open[recording] = self._batch, video
        return self._open.pop(idle)[1]
