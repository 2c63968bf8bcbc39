"""A clip that plays the camera."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from capture.sources.paced_source import PacedSource
from kinesphere.errors import InvalidInput
from storage.footage.video_reader import open_video
from storage.tasks.task import Criteria

if TYPE_CHECKING:
    from av.video.frame import VideoFrame


_READY_BYTES = 128 * 2**20
_MOST_READY = 60
"""Pictures that are decoded before a clip begins: a busy computer is behind now and then, where a camera never is."""


def open_clip(address: str, criteria: Criteria | None = None) -> ClipSource:
    """Open a clip by its path; it has but one mode.

    Raises:
        InvalidInput: no path is given.
        InvalidVideo: there is no such clip, or it cannot be read.
    """
    if not address:
        raise InvalidInput("say which clip plays the camera: file:CLIP")
    return ClipSource(Path(address))


class ClipSource(PacedSource):
    """A clip played at its own pace, upright."""

    def __init__(self, path: Path) -> None:
        self._reader = open_video(path)
        info = self._reader.info
        # the folder may name a person, and names of sources are kept with recordings
        super().__init__(
            f"file:{path.name}",
            info.width,
            info.height,
            info.frame_rate or 30.0,
            ready_first=min(_MOST_READY, _READY_BYTES * 2 // (3 * info.width * info.height)),
        )

    def pictures(self) -> Iterator[tuple[VideoFrame, int]]:
        for shown in self._reader.pictures():
            yield shown.picture, shown.timestamp_ns
        self.lost = len(self._reader.damaged)
