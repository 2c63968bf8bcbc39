"""Reads a stranger's video in a process of its own, with limits on time and memory.

`python -m studio.web.probe FILE` is that process; it prints what the video holds, or why it cannot be read, as JSON.
"""

from __future__ import annotations

import dataclasses
import json
import os
import resource
import subprocess
import sys
from pathlib import Path

from storage.errors import InvalidVideo, StorageFailed
from storage.video import VideoInfo, open_video

CPU_SECONDS = 120
WALL_SECONDS = 300
MEMORY_BYTES = 4 << 30
"""Of addresses, which libraries reserve far more of than they use."""

_PASSED_ON = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "HOME", "LANG")
"""Of the environment: neither our token nor the object store's keys."""


def probe(video: Path) -> VideoInfo:
    """What a video holds, without trusting it.

    Raises:
        InvalidVideo: it is no MP4, cannot be read, or takes more than the limits.
        StorageFailed: no process could be started.
    """
    with video.open("rb") as file:
        start = file.read(12)
    # FFmpeg knows formats that name other files and addresses to open; it is not shown anything but MP4.
    if start[4:8] != b"ftyp":
        raise InvalidVideo("what was sent is no MP4 video; send takes with: kinesphere submit")
    environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    words = [sys.executable, "-m", "studio.web.probe", str(video)]
    try:
        done = subprocess.run(words, env=environment, capture_output=True, timeout=WALL_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise InvalidVideo("the video takes too long to read; record it again") from error
    except OSError as error:
        raise StorageFailed(f"no process could be started to look at the video: {error.strerror}") from error
    try:
        found = json.loads(done.stdout)
    except ValueError as error:
        raise InvalidVideo("the video cannot be read within the limits of time and memory") from error
    if "error" in found:
        raise InvalidVideo(str(found["error"]))
    return VideoInfo(**found)


def _limit() -> None:
    for kind, limit in (
        (resource.RLIMIT_CPU, CPU_SECONDS),
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        hard = resource.getrlimit(kind)[1]
        allowed = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
        resource.setrlimit(kind, (allowed, allowed))


def _main() -> None:
    _limit()
    try:
        with open_video(Path(sys.argv[1]), name="the video") as reader:
            found = dataclasses.asdict(reader.info)
    except InvalidVideo as error:
        found = {"error": str(error)}
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    _main()
