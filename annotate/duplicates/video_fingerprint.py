"""The fingerprint of a video: what its pictures look like, four times a second, as hashes that survive encoding."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from annotate.duplicates.picture_hash import picture_hashes

if TYPE_CHECKING:
    from storage.footage.video_reader import VideoFrame

EVERY_NS = 250_000_000
"""Pictures are hashed this often: however the same take is cut, some hash is of a picture an eighth second away."""
SECOND_NS = 1_000_000_000
LOWEST_QUALITY = 50
"""Of PDQ, 0 to 100. Pictures with less structure give hashes that match anything: vPDQ leaves them out too."""
SHORTER_SIDE = 128
"""Pixels: pictures are halved before they are hashed, as long as so many are left. PDQ itself goes down to 64."""
BLACK = 24
"""The brightest that a black bar is, of 255, once it was encoded."""


@dataclass(frozen=True)
class VideoFingerprint:
    """PDQ hashes of pictures at real times, without those that have too little structure."""

    times_ns: NDArray[np.int64]
    """(pictures,): since the first frame, about `EVERY_NS` apart."""
    hashes: NDArray[np.uint8]
    """(pictures, 32): 256 bits each."""
    mirrored: NDArray[np.uint8]
    """(pictures, 32): the same of the pictures turned over, left to right."""

    def __len__(self) -> int:
        return len(self.times_ns)

    def each_second(self) -> VideoFingerprint:
        """The first picture of every second: what the index holds."""
        _, first = np.unique(self.times_ns // SECOND_NS, return_index=True)
        return VideoFingerprint(self.times_ns[first], self.hashes[first], self.mirrored[first])


@dataclass
class VideoHasher:
    """Fingerprints a video as it passes by. Give it all frames, in order.

    One hash a second and the limit on quality are those of vPDQ (ThreatExchange); four a second are for the comparison
    of two videos, where a hash should be of the very picture.
    """

    _times: list[int] = field(default_factory=list)
    _hashes: list[NDArray[np.uint8]] = field(default_factory=list)
    _mirrored: list[NDArray[np.uint8]] = field(default_factory=list)
    _latest_tick: int = -1

    def __call__(self, frame: VideoFrame) -> None:
        """Look at one frame."""
        tick = frame.timestamp_ns // EVERY_NS
        if tick <= self._latest_tick:
            return
        self._latest_tick = tick
        bits, turned, quality = picture_hashes(_shrunk(_without_bars(frame.image)))
        if quality < LOWEST_QUALITY:
            return
        self._times.append(frame.timestamp_ns)
        self._hashes.append(bits)
        self._mirrored.append(turned)

    @property
    def fingerprint(self) -> VideoFingerprint:
        """Of all that was seen so far."""
        none = np.empty((0, 32), np.uint8)
        return VideoFingerprint(
            np.array(self._times, np.int64),
            np.stack(self._hashes) if self._hashes else none,
            np.stack(self._mirrored) if self._mirrored else none,
        )


def _shrunk(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The light of a picture, uint8 (height, width), less than two `SHORTER_SIDE` the shorter way."""
    import cv2

    light = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    # Means of squares of four are quick, means of any other rectangle take three times as long as all the rest.
    while min(light.shape) >= 2 * SHORTER_SIDE:
        height, width = light.shape[0] // 2, light.shape[1] // 2
        light = cv2.resize(light[: 2 * height, : 2 * width], (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(light, np.uint8)


def _without_bars(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The picture without black bars around it, if at least half of each side is left."""
    parts = []
    for lines in (image[:, ::16], image[::16].swapaxes(0, 1)):
        size = len(lines)
        if _lit(lines[:: max(1, size - 1)]).all():  # as nearly always: no bar, and no other line to look at
            parts.append(slice(None))
            continue
        lit = np.flatnonzero(_lit(lines))
        first, last = (int(lit[0]), int(lit[-1])) if len(lit) else (0, size - 1)
        # two lines more: where a bar ends, encoding mixes both
        inner = slice(first + 2 * (first > 0), last + 1 - 2 * (last < size - 1))
        parts.append(inner if inner.stop - inner.start >= size / 2 else slice(None))
    return image[parts[0], parts[1]]


def _lit(lines: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """(lines,): in which of some lines of a picture, (lines, pixels, 3), a tenth of the pixels is not black."""
    brightest = np.maximum(np.maximum(lines[..., 0], lines[..., 1]), lines[..., 2])
    return np.asarray((brightest > BLACK).mean(axis=1) > 0.1)
