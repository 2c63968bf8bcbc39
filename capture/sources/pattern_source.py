"""The generated test picture as a source, for tests and rehearsals without a camera."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from capture.sources.numbered_pattern import Pattern
from capture.sources.paced_source import PacedSource
from kinesphere.errors import InvalidInput
from storage.tasks.task import Criteria

if TYPE_CHECKING:
    from av.video.frame import VideoFrame


def open_pattern(address: str, criteria: Criteria | None = None) -> PatternSource:
    """Open the test picture, 1280x720 at 30 frames a second.

    Raises:
        InvalidInput: something follows `test:`.
    """
    if address:
        raise InvalidInput(f"the test picture is named 'test' and takes nothing more, not '{address}'")
    return PatternSource()


class PatternSource(PacedSource):
    """The generated test picture; it ends after `frames_in_total`, or never."""

    def __init__(
        self, width: int = 1280, height: int = 720, frame_rate: float = 30.0, frames_in_total: int | None = None
    ) -> None:
        if min(width, height) < 96 or frame_rate <= 0:
            raise InvalidInput(f"a test picture is at least 96x96 at more than 0 frames/s, not {width}x{height}")
        self._pattern = Pattern(width, height)
        self._frames_in_total = frames_in_total
        super().__init__("test", self._pattern.width, self._pattern.height, frame_rate)

    def pictures(self) -> Iterator[tuple[VideoFrame, int]]:
        number = 0
        while self._frames_in_total is None or number < self._frames_in_total:
            yield self._pattern.frame(number), round(number * 1e9 / self.frame_rate)
            number += 1
