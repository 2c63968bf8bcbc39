"""From light to a webcam's picture: exposure, softness, noise, and the encoder."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.rendered_people.scene import Quality, Scene

MEAN_LIGHT, BRIGHTEST = 0.17, 0.9
"""What automatic exposure aims at, of 1 for white: the mean, and the most that a fiftieth of the picture may exceed."""
_LEVELS = 4096
_SHIFTS = 64
CLOCK = 90_000
"""Ticks a second of the video's time stamps."""


class Sensor:
    """One camera's sensor."""

    def __init__(self, quality: Quality, seed: int, size: tuple[int, int]) -> None:
        self._quality, self._random = quality, np.random.default_rng([seed, 9])
        width, height = size
        # A picture's noise is a random part of this: drawing it anew for each takes longer than all else.
        self._grain = self._random.standard_normal((height + _SHIFTS, width + _SHIFTS, 3), np.float32) * quality.noise
        light = np.linspace(0, 1.6, _LEVELS)
        rolled = np.where(light < 0.7, light, 0.7 + 0.3 * np.tanh((light - 0.7) / 0.3))
        self._curve = (255 * rolled ** (1 / 2.2)).astype(np.float32)
        self._gain: float | None = None

    def picture(self, light: NDArray[np.float32]) -> NDArray[np.uint8]:
        """What the sensor makes of linear light; the first picture sets the exposure.

        Args:
            light: (height, width, 3).

        Returns:
            uint8 (height, width, 3) RGB.
        """
        if self._gain is None:
            mean, bright = float(light.mean()), float(np.quantile(light[::4, ::4], 0.98))
            gain = min(MEAN_LIGHT / max(mean, 1e-3), BRIGHTEST / max(bright, 1e-3))
            self._gain = gain * 2**self._quality.exposure
        steps = np.clip(light * np.float32(self._gain * (_LEVELS - 1) / 1.6), 0, _LEVELS - 1).astype(np.int16)
        picture = cv2.GaussianBlur(self._curve[steps], (0, 0), self._quality.softness)
        down, right = self._random.integers(0, _SHIFTS, 2)
        height, width = light.shape[:2]
        grain = self._grain[down : down + height, right : right + width]
        picture += grain * (1.4 - picture * np.float32(1 / 255))  # the dark is noisier
        return np.asarray(np.clip(picture + 0.5, 0, 255), np.uint8)


class ClipWriter:
    """Encodes a clip frame by frame."""

    def __init__(self, path: Path, scene: Scene) -> None:
        self._rate = scene.rate
        self._container = av.open(str(path), "w")
        self._stream = self._container.add_stream("libx264", rate=Fraction(scene.rate).limit_denominator(1000))
        self._stream.width, self._stream.height, self._stream.pix_fmt = scene.width, scene.height, "yuv420p"
        self._stream.options = {"crf": str(scene.quality.crf), "preset": "veryfast", "threads": "1"}
        self._stream.time_base = self._stream.codec_context.time_base = Fraction(1, CLOCK)

    def add(self, picture: NDArray[np.uint8], frame: int) -> None:
        """Encode the picture of one frame."""
        shown = av.VideoFrame.from_ndarray(picture, format="rgb24")
        shown.pts, shown.time_base = round(frame / self._rate * CLOCK), Fraction(1, CLOCK)
        self._container.mux(self._stream.encode(shown))

    def close(self) -> None:
        """Write what the encoder still holds."""
        self._container.mux(self._stream.encode(None))
        self._container.close()
