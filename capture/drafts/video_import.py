"""Imports finished videos: upright, with their true frame times, as H.264 that plays everywhere."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median

from capture.recorder.h264_encoder import EncoderSettings, H264File
from capture.recorder.mp4_file import TICKS_PER_SECOND, copy_stream, put_in_place, refuse_to_replace
from kinesphere.errors import InvalidVideo, StorageFailed
from kinesphere.objects.store import file_sha256
from kinesphere.shards.shard import MAX_FRAMES
from storage.footage.lens_metadata import focal_length_35mm
from storage.footage.video_reader import VideoInfo, VideoPicture, VideoReader, open_video

_SETTINGS = EncoderSettings.software("veryfast", 18)
_TICK_NS = math.ceil(1e9 / TICKS_PER_SECOND)
_SMALLEST = 16
_LOWEST_RATE, _USUAL_RATE, _HIGHEST_RATE = 1.0, 30.0, 1000.0
_TIMED_CONTAINERS = ("mov", "matroska")

Progress = Callable[[int, int], None]
"""Called with the frames read so far and the frames in all."""


@dataclass(frozen=True)
class ImportReport:
    """What an imported video became."""

    info: VideoInfo
    """Of the video as stored."""
    transcoded: bool
    """Whether it was encoded again; otherwise its pictures are the very ones of the source."""
    reason: str
    """Why it was encoded again; empty when it was not."""
    source_codec: str
    source_sha256: str
    damaged: tuple[int, ...]
    """Times, in nanoseconds since the first frame, of the frames that could not be decoded and are left out."""
    retimed: tuple[int, ...] = ()
    """Times of the frames whose stated times could not be true."""
    reshaped: tuple[int, ...] = ()
    """Times of the frames at which the source's picture changes its size; from there on it has borders."""
    focal_length_35mm: float | None = None
    """Of the lens, as the source states it; see `storage.footage.lens_metadata`."""

    @property
    def losses(self) -> str:
        """What the source lacks or stated wrongly, and what was done about it, in a sentence; empty if nothing."""
        parts = []
        if self.damaged:
            parts.append(f"{_counted(self.damaged)} could not be decoded and {_are(self.damaged)} left out")
        if self.retimed:
            are = _are(self.retimed)
            parts.append(f"{_counted(self.retimed)} had stated times that could not be true and {are} put in order")
        if self.reshaped:
            parts.append(f"the picture changes its shape {_at(self.reshaped)} and is fitted into the first frame's")
        return "; ".join(parts)


def import_video(source: Path, destination: Path, *, on_progress: Progress | None = None) -> ImportReport:
    """Bring a video of any kind that FFmpeg opens into the form that recordings have.

    Upright 8-bit H.264 of even size is copied as it is; everything else is encoded again, nearly without loss. Sound
    and metadata are left behind; the report keeps the lens's focal length. Every frame keeps its true time within
    1/90000 s. `destination` exists only once it is whole.

    Args:
        source: the video.
        destination: where the recording's video will be.
        on_progress: told the frames read so far, and the frames in all.

    Returns:
        What the video became.

    Raises:
        InvalidVideo: `source` is no video, is cut off, empty, without frames, too large or too long.
        InvalidInput: there is no such file.
        StorageFailed: the disk refused, for instance because it is full.
        Conflict: `destination` exists already.
    """
    refuse_to_replace(destination)
    reader = open_video(source)
    if min(reader.width, reader.height) < _SMALLEST:
        raise InvalidVideo(
            f"{source} is {reader.width}x{reader.height}; give one of at least {_SMALLEST} pixels a side"
        )
    if reader.info.frames > MAX_FRAMES:
        raise InvalidVideo(
            f"{source} has {reader.info.frames} frames and can have at most {MAX_FRAMES}; cut it and import the parts: "
            f"ffmpeg -i {source} -c copy -f segment -segment_time 1800 -reset_timestamps 1 part-%02d.mp4"
        )
    reason = _why_encode(reader)
    unfinished = destination.with_name(destination.name + ".importing.mp4")
    try:
        if not reason:
            reason = _copied(reader, source, unfinished, on_progress)
        if reason:
            _encode(reader, unfinished, on_progress)
        info = open_video(unfinished).info
        put_in_place(unfinished, destination)
    finally:
        unfinished.unlink(missing_ok=True)
    return ImportReport(
        info,
        bool(reason),
        reason,
        reader.codec,
        file_sha256(source),
        reader.damaged,
        reader.retimed,
        reader.reshaped,
        focal_length_35mm(source),
    )


def _why_encode(reader: VideoReader) -> str:
    """Why a video cannot be stored as it is; empty if it can, as far as its first frame tells."""
    if not reader.container.startswith(_TIMED_CONTAINERS):
        return f"its container ({reader.container}) does not keep frame times that can be copied"
    if reader.codec != "h264":
        return f"it is {reader.codec}, not h264"
    if reader.pixel_format != "yuv420p":
        return f"its pixels are {reader.pixel_format}, not yuv420p"
    if not reader.is_shown_as_stored:
        return "its pictures are stored turned, mirrored or stretched"
    if reader.width % 2 or reader.height % 2:
        return f"its size {reader.width}x{reader.height} is odd"
    return ""


def _copied(reader: VideoReader, source: Path, copy: Path, on_progress: Progress | None) -> str:
    """Copy the pictures as they are; say why that is not good enough, if it is not."""
    times = [shown.timestamp_ns for shown in _reported(reader, reader.pictures(doubtful=True), on_progress)]
    if reader.damaged:
        return f"{len(reader.damaged)} frames are damaged and left out"
    if reader.retimed:
        return f"{len(reader.retimed)} frames have times that cannot be true"
    if reader.states_times_of_decoding:
        return "it states when its frames are decoded, not when they are shown"
    if reader.reshaped:
        return "its pictures change their form"
    ticks = reader.ticks_per_second or 0
    try:
        copy_stream(source, copy, ticks_per_second=ticks if 1000 <= ticks <= 1_000_000 else TICKS_PER_SECOND)
        agree = _agree(open_video(copy).times, times)
    except InvalidVideo:
        agree = False
    return "" if agree else "a copy does not show the same frames at the same times"


def _encode(reader: VideoReader, file: Path, on_progress: Progress | None) -> None:
    """Encode all frames that decode, at their true times."""
    width, height = reader.width - reader.width % 2, reader.height - reader.height % 2
    times: list[int] = []
    latest = -1
    with H264File(file, width, height, _frame_rate(reader), _SETTINGS, fragmented=False) as output:
        for shown in _reported(reader, reader.pictures(even=True, doubtful=True), on_progress):
            latest = max(latest + 1, round(shown.timestamp_ns * TICKS_PER_SECOND / 1e9))
            output.write(shown.picture, latest)
            times.append(shown.timestamp_ns)
    if not _agree(open_video(file).times, times):
        raise StorageFailed(f"{file} does not hold the {len(times)} frames that were written to it; check the disk")


def _frame_rate(reader: VideoReader) -> float:
    """Frames a second for the encoder: the mean, unless a few wrong times spoil it, then that of the usual step."""
    rate = reader.info.frame_rate
    if not _LOWEST_RATE <= rate <= _HIGHEST_RATE:
        steps = [after - before for before, after in pairwise(reader.times)]
        rate = 1e9 / max(median(steps), 1) if steps else _USUAL_RATE
    return min(max(rate, _LOWEST_RATE), _HIGHEST_RATE)


def _reported(
    reader: VideoReader, pictures: Iterator[VideoPicture], on_progress: Progress | None
) -> Iterator[VideoPicture]:
    total = reader.info.frames
    for shown in pictures:
        if on_progress is not None:
            on_progress(shown.index + 1, total)
        yield shown


def _agree(found: Sequence[int], expected: Sequence[int]) -> bool:
    """Whether two lists of frame times, in nanoseconds, are the same within a tick."""
    return len(found) == len(expected) and all(abs(a - b) <= _TICK_NS for a, b in zip(found, expected, strict=True))


def _counted(times: Sequence[int]) -> str:
    return f"{len(times)} frame{'s' * (len(times) > 1)} {_at(times)}"


def _at(times: Sequence[int]) -> str:
    """When, counted from the first frame that is shown."""
    first, last = min(times) / 1e9, max(times) / 1e9
    if last < 0:
        return "before the first that is shown"
    return f"at {last:.2f} s" if len(times) == 1 else f"from {first:.2f} s to {last:.2f} s"


def _are(times: Sequence[int]) -> str:
    return "is" if len(times) == 1 else "are"
