"""Fixtures of the tests that drive the real command."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import pytest

from storage.footage.video_reader import open_video


@pytest.fixture(scope="session")
def short_clip(body_clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds out of the middle of the real clip, at half its size, with uneven frame times."""
    file = tmp_path_factory.mktemp("clips") / "short.mp4"
    with open_video(body_clip) as video, av.open(str(file), "w") as output:
        stream = output.add_stream("libx264", rate=30, options={"crf": "20", "preset": "ultrafast", "bf": "0"})
        stream.width, stream.height, stream.pix_fmt = 884, 496, "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, 90_000)
        for frame in video.frames():
            if not 60 <= frame.index < 120:
                continue
            picture = av.VideoFrame.from_ndarray(frame.image, format="rgb24").reformat(884, 496, "yuv420p")
            picture.pts = frame.timestamp_ns * 9 // 100_000 + (300 if frame.index % 3 else 0)
            picture.time_base = Fraction(1, 90_000)
            output.mux(stream.encode(picture))
        output.mux(stream.encode(None))
    return file
