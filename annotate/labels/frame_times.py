"""The times of a recording's frames, kept for the recordings that people label now."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from kinesphere.errors import Conflict
from kinesphere.shards.shard import Shard
from storage.workspace import Workspace

_CACHED = 64
"""Recordings whose times are kept; an hour at 30 frames per second takes 0.9 MB."""


def frame_edges(workspace: Workspace, recording: str) -> NDArray[np.int64]:
    """When each frame of an extracted recording begins, and when the last one ends: int64 [frames + 1], ns.

    The last frame is as long as the one before it.

    Raises:
        Conflict: the recording has no trajectory yet.
    """
    trajectory = workspace.catalog.trajectory(recording)
    if trajectory is None:
        raise Conflict(f"recording {recording} is not extracted yet; run: kinesphere process {recording}")
    first = trajectory.first_frame
    times = Shard(workspace.objects, trajectory.shard).read("timestamp", first, first + trajectory.length)
    end = times[-1] + (times[-1] - times[-2] if len(times) > 1 else 1)
    return np.append(times, end).astype(np.int64)


@dataclass(frozen=True)
class FrameTables:
    """The frame tables of a workspace, the latest of them in memory. A recording's never changes."""

    workspace: Workspace
    _cache: OrderedDict[str, NDArray[np.int64]] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def edges(self, recording: str) -> NDArray[np.int64]:
        """When each frame of a recording's video begins and the last one ends; see `frame_edges`.

        Args:
            recording: its id.

        Returns:
            As `frame_edges` gives it.
        """
        with self._lock:
            found = self._cache.get(recording)
            if found is not None:
                self._cache.move_to_end(recording)
                return found
        found = frame_edges(self.workspace, recording)
        with self._lock:
            self._cache[recording] = found
            while len(self._cache) > _CACHED:
                self._cache.popitem(last=False)
        return found
