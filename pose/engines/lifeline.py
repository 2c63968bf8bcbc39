"""Ends a process with the one that started it, however that one ends and however busy this one is.

The one that starts it holds the other end of the pipe that is its stdin, and writes nothing. When it ends, even by
`kill -9`, that end is closed. The kernel is asked to kill by then, since a decoder or a network that hangs lets nothing
else of this interpreter run.
"""

from __future__ import annotations

import os
import select
import signal
import stat
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_STDIN = 0


@contextmanager
def lifeline() -> Iterator[int]:
    """A pipe to start a process with that calls `end_with_parent`: it may live as long as the block.

    Yields:
        What to give `subprocess` as its `stdin`.
    """
    theirs, ours = os.pipe()
    try:
        yield theirs
    finally:
        os.close(theirs)
        os.close(ours)


def end_with_parent(pipe: int = _STDIN) -> None:
    """End this process, and all of its group where it leads one, once the other end of the pipe is closed.

    Args:
        pipe: on which nothing comes; anything else than a pipe, such as a terminal, ends nothing.
    """
    if not stat.S_ISFIFO(os.fstat(pipe).st_mode):
        return
    if sys.platform == "linux":
        import fcntl

        fcntl.fcntl(pipe, fcntl.F_SETOWN, -os.getpid() if _leads_its_group() else os.getpid())
        fcntl.fcntl(pipe, fcntl.F_SETSIG, signal.SIGKILL)
        fcntl.fcntl(pipe, fcntl.F_SETFL, fcntl.fcntl(pipe, fcntl.F_GETFL) | os.O_ASYNC)
        if _is_closed(pipe, 0):  # before the kernel was asked
            _end()
    else:
        threading.Thread(target=lambda: _is_closed(pipe, None) and _end(), daemon=True).start()


def _is_closed(pipe: int, milliseconds: int | None) -> bool:
    """Wait until the other end is closed, or for so long."""
    waiting = select.poll()
    waiting.register(pipe, 0)  # that it is closed is told unasked
    return any(event & (select.POLLHUP | select.POLLERR) for _, event in waiting.poll(milliseconds))


def _end() -> None:
    if _leads_its_group():
        os.killpg(os.getpid(), signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)


def _leads_its_group() -> bool:
    return os.getpgrp() == os.getpid()
