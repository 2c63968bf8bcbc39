"""Runs what looks at a stranger's video in a process of its own, with limits on time, memory and what it may write.

The process is a module of ours with a `main` that ends in `answer`; it prints one JSON object.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kinesphere.errors import InvalidVideo, StorageFailed
from pose.engines.lifeline import end_with_parent, lifeline

MEMORY_BYTES = 4 << 30
"""Of addresses, which libraries reserve far more of than they use."""
_PASSED_ON = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "HOME", "LANG")
"""Of the environment: neither our token nor the object store's keys."""
_KINDS: Mapping[bytes, str] = {b"ftyp": "MP4", b"\x1aE\xdf\xa3": "WebM"}


@dataclass(frozen=True)
class Limits:
    """What a process may use."""

    cpu_seconds: int
    wall_seconds: int
    written_bytes: int = 0

    def apply(self) -> None:
        """Hold this very process to them, and to the life of the one that has started it."""
        end_with_parent()
        for kind, limit in (
            (resource.RLIMIT_CPU, self.cpu_seconds),
            (resource.RLIMIT_AS, MEMORY_BYTES),
            (resource.RLIMIT_FSIZE, self.written_bytes),
            (resource.RLIMIT_CORE, 0),
        ):
            hard = resource.getrlimit(kind)[1]
            allowed = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
            resource.setrlimit(kind, (allowed, allowed))


def container_of(video: Path) -> str | None:
    """`MP4` or `WebM` by a file's first bytes; None for anything else.

    FFmpeg knows formats that name other files and addresses to open; it is not shown anything but these two.
    """
    with video.open("rb") as file:
        start = file.read(12)
    return _KINDS.get(start[4:8]) or _KINDS.get(start[:4])


def run_limited(module: str, *words: str, limits: Limits) -> dict[str, Any]:
    """Run a module of ours; gives what it answers.

    Raises:
        InvalidVideo: it says so, or takes more than the limits.
        StorageFailed: no process could be started.
    """
    environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    command = [sys.executable, "-m", module, *words]
    try:
        with lifeline() as stdin:
            done = subprocess.run(
                command, env=environment, stdin=stdin, capture_output=True, timeout=limits.wall_seconds
            )
    except subprocess.TimeoutExpired as error:
        raise InvalidVideo("the video takes too long to read; record it again") from error
    except OSError as error:
        raise StorageFailed(f"no process could be started to look at the video: {error.strerror}") from error
    try:
        found: dict[str, Any] = json.loads(done.stdout)
    except ValueError as error:
        raise InvalidVideo("the video cannot be read within the limits of time and memory") from error
    if "error" in found:
        raise InvalidVideo(str(found["error"]))
    return found


def answer(found: Mapping[str, Any]) -> None:
    """Print what was found, for `run_limited` in the other process."""
    sys.stdout.write(json.dumps(found))
