"""Hardware encoders: which of them work here at the size and rate wanted. Listed is not working: each is tried."""

from __future__ import annotations

import sys
import tempfile
import time
from functools import lru_cache
from pathlib import Path

from capture.recorder.h264_encoder import EncoderSettings, H264File, live_settings
from capture.recorder.mp4_file import TICKS_PER_SECOND
from capture.sources.numbered_pattern import Pattern
from kinesphere.errors import KinesphereError
from storage.footage.video_reader import open_video

_BY_PLATFORM = {
    "darwin": ("h264_videotoolbox",),
    "win32": ("h264_nvenc", "h264_qsv", "h264_amf", "h264_mf"),
    "linux": ("h264_nvenc", "h264_qsv", "h264_v4l2m2m"),
}
"""FFmpeg's names, by `sys.platform`, most capable first."""
_TRIED_FRAMES = 30
_FASTER_THAN_CAMERA = 1.5
"""An encoder is used if it is this many times as fast as the camera: cores and chips get slower as they warm up."""


@lru_cache(maxsize=8)
def encoder_for(width: int, height: int, frame_rate: float) -> EncoderSettings:
    """The encoder to record with: hardware that was seen to work here, else libx264 with a preset that keeps up."""
    for codec in _BY_PLATFORM.get(sys.platform, ()):
        settings = EncoderSettings.hardware(codec, width, height, frame_rate)
        if works(settings, width, height, frame_rate):
            return settings
    return live_settings(width, height, frame_rate)


def works(settings: EncoderSettings, width: int, height: int, frame_rate: float) -> bool:
    """Whether an encoder makes a video of a second or so that reads back frame for frame, and fast enough."""
    from av.error import FFmpegError

    pattern = Pattern(width, height)
    times = [round(number * TICKS_PER_SECOND / frame_rate) for number in range(_TRIED_FRAMES)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trial.mp4"
        took = 0.0
        try:
            with H264File(path, pattern.width, pattern.height, frame_rate, settings, fragmented=True) as file:
                for number, ticks in enumerate(times):
                    picture = pattern.frame(number)
                    began = time.perf_counter()
                    file.write(picture, ticks)
                    took += time.perf_counter() - began
            with open_video(path) as video:
                found = [round(time_ns * TICKS_PER_SECOND / 1e9) for time_ns in video.times]
                is_h264 = video.info.codec == "h264"
        except (KinesphereError, FFmpegError, ValueError):
            return False
    return is_h264 and found == times and took * _FASTER_THAN_CAMERA < _TRIED_FRAMES / frame_rate
