"""A file for those who must not wait for the disk: memory takes what is written, and a thread of its own writes it."""

from __future__ import annotations

import threading
from collections import deque
from pathlib import Path

from capture.worker_thread import Worker

MOST_BYTES = 64 << 20
"""Kept in memory before a writer has to wait: a minute or more of video."""


class WriteBehind:
    """Appends to a new file in the order of the calls of `write`, which return at once however slow the disk is.

    While a disk flushes a file it may hold up whoever writes to it, for seconds where it is slow. What it has not taken
    when the program is killed is lost; a disk that keeps up has taken it milliseconds later.
    """

    def __init__(self, path: Path) -> None:
        """
        Args:
            path: of the file; what was there is replaced.

        Raises:
            OSError: it cannot be opened.
        """
        self._file = path.open("wb", buffering=0)
        self._changed = threading.Condition()
        self._waiting: deque[bytes] = deque()
        self._bytes = 0
        self._closed = False
        self._worker = Worker("disk", self._drain)
        self._worker.start()

    def write(self, data: bytes) -> int:
        """Append bytes; waits only where `MOST_BYTES` wait already.

        Args:
            data: the bytes, which the caller may reuse afterwards.

        Returns:
            How many there are.

        Raises:
            OSError: the disk has refused these or earlier ones.
        """
        with self._changed:
            while self._bytes > MOST_BYTES and self._worker.is_alive():
                self._changed.wait(0.1)
            self._worker.raise_error()
            self._waiting.append(bytes(data))
            self._bytes += len(data)
            self._changed.notify_all()
        return len(data)

    def close(self) -> None:
        """Wait until the disk has taken everything, and close the file. Repeated it does nothing more.

        Raises:
            OSError: the disk has refused something.
        """
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._worker.join()
        self._file.close()
        self._worker.raise_error()

    def _drain(self) -> None:
        while True:
            with self._changed:
                while not self._waiting and not self._closed:
                    self._changed.wait()
                if not self._waiting:
                    return
                data = self._waiting.popleft()
            rest = memoryview(data)
            while rest:
                rest = rest[self._file.write(rest) :]
            with self._changed:
                self._bytes -= len(data)
                self._changed.notify_all()
