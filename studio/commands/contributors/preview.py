"""A window that shows a person what the camera sees of them, mirrored, in a process of its own.

A display that is broken may end this process, or hold it up for as long as it likes; never the recording.
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

    def __init__(self, *, is_shown: bool) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        if is_shown and has_display():
            self._process = subprocess.Popen(
                [sys.executable, "-m", "studio.commands.contributors.preview"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=os.environ | {"PYGAME_HIDE_SUPPORT_PROMPT": "1"},  # it would be read as "drawn"
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
    import pygame  # not OpenCV's window: on a busy machine some of those stay black (decision 18)

    pygame.display.init()
    if pygame.display.get_driver() in ("offscreen", "dummy"):
        return  # what SDL draws on where no display answers
    pygame.display.set_caption(TITLE)
    while head := pictures.readline():
        width, height = map(int, head.split())
        picture = pygame.image.frombuffer(pictures.read(width * height * 3), (width, height), "RGB")
        window = pygame.display.get_surface() or pygame.display.set_mode((width, height), pygame.RESIZABLE)
        if any(event.type == pygame.QUIT for event in pygame.event.get()):
            return
        scale = min(window.get_width() / width, window.get_height() / height)
        mirrored = pygame.transform.flip(picture, flip_x=True, flip_y=False)
        fitting = pygame.transform.smoothscale_by(mirrored, scale) if scale != 1 else mirrored
        window.fill("black")
        window.blit(fitting, fitting.get_rect(center=window.get_rect().center))
        pygame.display.flip()
        sys.stdout.buffer.write(b".")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    _show_all(sys.stdin.buffer)
