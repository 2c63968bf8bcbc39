"""A thread whose error is not lost: it is kept for the thread that waits for it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType


class Worker(threading.Thread):
    """Runs `work` in the background. It does not keep the program alive, so a device that hangs cannot either."""

    def __init__(self, name: str, work: Callable[[], None]) -> None:
        """
        Args:
            name: of the thread, for those who look at a stack trace.
            work: what to do; it ends by itself.
        """
        super().__init__(name=name, daemon=True)
        self.error: BaseException | None = None
        self._work = work

    def run(self) -> None:
        """Do the work, keeping any error in `error`."""
        with self:
            self._work()

    def raise_error(self) -> None:
        """Raise the error that ended the work, if one did."""
        if self.error is not None:
            raise self.error

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        self.error = error
        return True
