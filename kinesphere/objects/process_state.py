"""What belongs to one process that reads objects: how often it has read, and whether it may use obstore."""

from __future__ import annotations

import itertools
import os
from typing import Any

from kinesphere.errors import InvalidInput

_obstore_process: int | None = None


class Requests:
    """Counts how often this process has read objects, from all its threads."""

    def __init__(self) -> None:
        # The next number of a counter is taken in one step, so no lock is needed that a fork could catch closed.
        self._counter = itertools.count()
        self._looked = 0

    def add(self) -> None:
        """Count one more."""
        next(self._counter)

    @property
    def total(self) -> int:
        """How many there were; to be asked by one thread at a time."""
        self._looked += 1
        return next(self._counter) + 1 - self._looked

    def __reduce__(self) -> tuple[Any, ...]:
        return Requests, ()


def is_forked() -> bool:
    """Whether obstore would hang: in a process forked from one in which its threads were running.

    Returns:
        True in such a process.
    """
    return _obstore_process is not None and _obstore_process != os.getpid()


def check_not_forked() -> None:
    """Refuse what cannot be done in a forked process; any other is from now on one that uses obstore.

    Reading is done beside a forked process (`forked_reads.py`) and is not refused.

    Raises:
        InvalidInput: this process was forked from one that had used obstore.
    """
    global _obstore_process
    if is_forked():
        raise InvalidInput(
            "an object store can only be read in a process forked after its first use; start worker processes "
            "with 'spawn', e.g. DataLoader(..., multiprocessing_context='spawn')"
        )
    _obstore_process = os.getpid()
