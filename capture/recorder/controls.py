"""What a person does while a recording runs: stop it, pause it, mark a moment."""

from __future__ import annotations

import threading
import time


class Controls:
    """The buttons of one recording. Any thread may press them."""

    def __init__(self) -> None:
        self._stopped = threading.Event()
        self._paused = threading.Event()
        self._marks_ns: list[int] = []

    def stop(self) -> None:
        """End the recording."""
        self._stopped.set()

    def pause(self) -> None:
        """Leave frames out until `resume`. Time goes on: the video has a gap, and the recording says why."""
        self._paused.set()

    def resume(self) -> None:
        """Take frames again."""
        self._paused.clear()

    def mark(self) -> None:
        """Remember this moment, to be found again when the recording is labelled."""
        self._marks_ns.append(time.monotonic_ns())

    @property
    def paused(self) -> bool:
        """Whether frames are left out."""
        return self._paused.is_set()

    @property
    def marks_ns(self) -> tuple[int, ...]:
        """The moments marked, on the clock of `time.monotonic_ns`."""
        return tuple(self._marks_ns)

    def wait_for_stop(self, seconds: float) -> bool:
        """Wait a while, or until the recording is to end.

        Args:
            seconds: how long at most.

        Returns:
            Whether it is to end.
        """
        return self._stopped.wait(seconds)
