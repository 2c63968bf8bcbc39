"""Reads a stranger's video in a process of its own, with limits on time and memory.

`python -m studio.web.uploads.video_probe FILE` is that process; it prints what the video holds, or why
it cannot be read, as JSON.
"""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

from kinesphere.errors import InvalidVideo
from storage.footage.video_reader import VideoInfo, open_video
from studio.web.uploads.limited_process import Limits, answer, container_of, run_limited

LIMITS = Limits(cpu_seconds=120, wall_seconds=300)


def probe(video: Path) -> VideoInfo:
    """What an MP4 video holds.

    Raises:
        InvalidVideo: it is no MP4, cannot be read, or takes more than the limits.
        StorageFailed: no process could be started.
    """
    if container_of(video) != "MP4":
        raise InvalidVideo("what was sent is no MP4 video; send takes with: kinesphere submit")
    return VideoInfo(**run_limited("studio.web.uploads.video_probe", str(video), limits=LIMITS))


def _main() -> None:
    LIMITS.apply()
    try:
        with open_video(Path(sys.argv[1]), name="the video") as reader:
            answer(dataclasses.asdict(reader.info))
    except InvalidVideo as error:
        answer({"error": str(error)})


if __name__ == "__main__":
    _main()
