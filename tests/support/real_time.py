"""Real time on a busy machine: tests that record at a camera's pace go one at a time, before other work.

A recorder that gets no processor loses frames, as it must, and its test would say so of a recorder without a fault.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_BEFORE_OTHERS = -15
"""As `nice` counts: about thirty times as much of a processor as a process that asks for nothing."""
_SESSION = Path("/proc/self/autogroup")
"""Linux shares processors out among sessions first, and by priority only within one: see sched(7)."""


@contextmanager
def in_real_time() -> Iterator[None]:
    """Hold what runs meanwhile in this thread, and what it starts, before other work.

    Yields:
        When no other test of this user runs in real time. Without the right to a higher priority (root's, or
        CAP_SYS_NICE) the test runs all the same, and needs a machine that is not too busy.
    """
    with (Path(tempfile.gettempdir()) / f"kinesphere-real-time-{os.getuid()}").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        before, share = priority(), _share()
        set_priority(min(before, _BEFORE_OTHERS))
        try:
            yield
        finally:
            set_priority(before, share)


def priority() -> int:
    """How much of a processor this thread gets: 19 is least, -20 most."""
    return os.getpriority(os.PRIO_PROCESS, 0)


def set_priority(nice: int, share: int | None = None) -> None:
    """Let this thread have more or less of a processor, and its session as well, as far as this machine allows it.

    Args:
        nice: of the thread.
        share: of the session, where that is another: `nice pytest` has its priority within a session like any.
    """
    with suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, nice)
    wanted = nice if share is None else share
    if _share() not in (None, wanted):
        with suppress(OSError):  # not its user's, or on a read-only system; pytest itself would end at it
            _write_share(wanted)


def _share() -> int | None:
    """How much of a processor the session gets, as `nice` counts; None where there are no such shares."""
    session = _SESSION.read_text().split() if _SESSION.exists() else []
    # empty for what was started before any session, as in a container: such a process has a share by itself
    return int(session[-1]) if session else None


def _write_share(nice: int) -> None:
    try:
        _SESSION.write_text(str(nice))
    except BlockingIOError:  # without CAP_SYS_ADMIN only ten of these a second, of all sessions together
        time.sleep(0.2)
        _SESSION.write_text(str(nice))
