"""Other processes: whether they run, and waiting for what they write and for their end."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterable
from pathlib import Path

_SECONDS = 120
"""A busy machine takes its time."""


def is_running(process: int) -> bool:
    """Whether there is such a process that has not ended."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_until_gone(processes: Iterable[int]) -> None:
    """Fail if any of them runs for long."""
    until, left = time.monotonic() + _SECONDS, list(processes)
    while any(map(is_running, left)):
        assert time.monotonic() < until, f"still running: {[one for one in left if is_running(one)]}"
        time.sleep(0.05)


def noted_processes(note: Path, parent: subprocess.Popen[bytes] | subprocess.Popen[str]) -> list[int]:
    """The processes whose numbers somebody writes into a file, once they are there; fails if the parent ends before."""
    until = time.monotonic() + _SECONDS
    while not note.exists() or not note.read_text():
        assert parent.poll() is None, "it ended early"
        assert time.monotonic() < until, "nothing was written"
        time.sleep(0.05)
    return [int(number) for number in note.read_text().split()]
