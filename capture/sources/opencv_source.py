"""Frames from a camera through OpenCV, where FFmpeg's device layer fails."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from capture.sources.camera_modes import USUAL_RATE
from capture.sources.source import CapturedFrame
from kinesphere.errors import InvalidInput, needs_extra
from storage.tasks.task import Criteria


def open_opencv(address: str, criteria: Criteria | None = None) -> OpenCVSource:
    """Open a camera by OpenCV's number or path of it, in whatever mode it is."""
    return OpenCVSource(address)


class OpenCVSource:
    """The way out: a camera through OpenCV, where FFmpeg's device layer fails. Frames are timed when they arrive."""

    def __init__(self, text: str) -> None:
        with needs_extra("capture"):
            import cv2
        self.name = f"opencv:{Path(text).name}"
        self.lost = 0
        self._closed = threading.Event()
        self._device = cv2.VideoCapture(int(text) if text.isdigit() else text)
        if not self._device.isOpened():
            raise InvalidInput(f"OpenCV cannot open camera '{text}'; is another program using it?")
        self.width = int(self._device.get(cv2.CAP_PROP_FRAME_WIDTH))
        self.height = int(self._device.get(cv2.CAP_PROP_FRAME_HEIGHT))
        self.frame_rate = self._device.get(cv2.CAP_PROP_FPS) or USUAL_RATE

    def frames(self) -> Iterator[CapturedFrame]:
        from av.video.frame import VideoFrame

        try:
            while not self._closed.is_set():
                there, image = self._device.read()
                arrived_ns = time.monotonic_ns()
                if not there:
                    raise InvalidInput(f"camera '{self.name}' stopped sending; was it unplugged?")
                yield CapturedFrame(
                    VideoFrame.from_ndarray(np.asarray(image, np.uint8), format="bgr24"), arrived_ns, arrived_ns
                )
        finally:
            self._device.release()

    def close(self) -> None:
        """Let go of the device after the frame that it is giving now."""
        self._closed.set()
