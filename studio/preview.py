"""A window that shows a person what the camera sees of them, mirrored, in a process of its own.

A display that is broken ends a Qt program on the spot: it may end this process, never the recording.
"""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from typing import IO

TITLE = "kinesphere (mirrored; the file is not)"


class Preview:
    """The window. A picture that comes before the last one was drawn is left out, so nobody waits for it."""

    def __init__(self, *, wanted: bool) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        if wanted and has_display():
            self._process = subprocess.Popen(
                [sys.executable, "-m", "studio.preview"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
            assert self._process.stdout is not None
            os.set_blocking(self._process.stdout.fileno(), False)
        self._is_free = True

    @property
    def is_open(self) -> bool:
        """Whether there is a window."""
        return self._process is not None and self._process.poll() is None

    def show(self, image: NDArray[np.uint8]) -> None:
        """Show a picture, uint8 (height, width, 3), RGB, if the window is ready for it."""
        process = self._process
        if process is None or not self.is_open:
            return
        assert process.stdin is not None and process.stdout is not None
        self._is_free = self._is_free or bool(process.stdout.read())
        if not self._is_free:
            return
        height, width = image.shape[:2]
        try:
            process.stdin.write(f"{width} {height}\n".encode() + image.tobytes())
            process.stdin.flush()
        except BrokenPipeError:
            return  # the window was closed
        self._is_free = False

    def close(self) -> None:
        """Close the window."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()


def has_display() -> bool:
    """Whether this computer has a screen that a window can be shown on."""
    return sys.platform in ("darwin", "win32") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _show_all(pictures: IO[bytes]) -> None:
    """Show the pictures that come through the pipe until it ends or the window is closed."""
    import cv2

    cv2.namedWindow(TITLE, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO)
    while head := pictures.readline():
        width, height = map(int, head.split())
        image = np.frombuffer(pictures.read(width * height * 3), np.uint8).reshape(height, width, 3)
        cv2.imshow(TITLE, np.ascontiguousarray(image[:, ::-1, ::-1]))
        cv2.waitKey(1)
        if cv2.getWindowProperty(TITLE, cv2.WND_PROP_VISIBLE) < 1:
            return
        sys.stdout.buffer.write(b".")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    _show_all(sys.stdin.buffer)
