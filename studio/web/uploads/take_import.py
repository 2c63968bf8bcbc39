"""Makes what a browser recorded into the form that recordings have, in a process of its own with limits.

`python -m studio.web.uploads.take_import SOURCE DESTINATION BYTES` is that process.
"""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

from capture.drafts.video_import import ImportReport, import_video
from kinesphere.errors import InvalidVideo, KinesphereError
from storage.footage.video_reader import VideoInfo
from studio.web.uploads.limited_process import Limits, answer, container_of, run_limited

GROWTH = 4
"""How much larger than what came a video may become when it is encoded again."""


def import_take(source: Path, destination: Path, *, most_bytes: int) -> ImportReport:
    """As `capture.drafts.video_import.import_video`, for a video that nobody vouches for.

    Raises:
        InvalidVideo: it is neither MP4 nor WebM, cannot be read, or takes more than the limits.
        StorageFailed: no process could be started.
    """
    if container_of(source) is None:
        raise InvalidVideo("what was recorded is neither MP4 nor WebM; use another browser, or: kinesphere record")
    limits = _limits(most_bytes)
    found = run_limited("studio.web.uploads.take_import", str(source), str(destination), str(most_bytes), limits=limits)
    moments = {name: tuple(found[name]) for name in ("damaged", "retimed", "reshaped")}
    return ImportReport(**found | moments | {"info": VideoInfo(**found["info"])})


def _limits(most_bytes: int) -> Limits:
    return Limits(cpu_seconds=3 * 3600, wall_seconds=4 * 3600, written_bytes=GROWTH * most_bytes)


def _main() -> None:
    source, destination, most_bytes = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    _limits(most_bytes).apply()
    try:
        answer(dataclasses.asdict(import_video(source, destination)))
    except InvalidVideo as error:
        answer({"error": str(error).replace(str(source), "the video")})
    except KinesphereError as error:
        answer({"error": f"the video could not be taken in: {type(error).__name__}"})


if __name__ == "__main__":
    _main()
