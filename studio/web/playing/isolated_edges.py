"""When each frame of a video is played, where its file has no index and FFmpeg has to read it: not in the server."""

from __future__ import annotations

from contextlib import closing

from kinesphere.errors import InvalidVideo
from kinesphere.objects.store import Objects, open_objects
from pose.engines.engine import OnFrame
from pose.engines.isolation import WorkFailed, WorkProcess
from storage.footage.frame_edges import Edges, read_through

_MEMORY_BYTES = 1 << 30
_SECONDS = 120
"""A person waits for it; two hours take a second."""


def read_through_apart(objects: Objects, key: str) -> Edges:
    """As `storage.footage.frame_edges.read_through`, in a process of its own with limits.

    Raises:
        InvalidVideo: it is no video, shows no frame, or takes more than the limits.
        CorruptObject: there is no such object.
        StorageFailed: no process could be started.
    """
    with closing(WorkProcess()) as process:
        try:
            return process.run(_read, (objects.url, key), _uncounted, memory_bytes=_MEMORY_BYTES, seconds=_SECONDS)
        except WorkFailed as failed:
            raise InvalidVideo(f"{key} cannot be read: {failed}") from failed


def _read(place: tuple[str, str], _on_frame: OnFrame) -> Edges:
    objects, key = place
    return read_through(open_objects(objects), key)


def _uncounted(_frames: int = 1, /) -> None:
    """Nobody waits for single frames."""
