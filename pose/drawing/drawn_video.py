"""Videos that this room writes: H.264 that browsers play, with true frame times, there whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from kinesphere.errors import StorageFailed, needs_extra

if TYPE_CHECKING:
    from av.packet import Packet
    from av.video.frame import VideoFrame as Picture
    from av.video.stream import VideoStream

CLOCK = 90_000
"""Ticks in a second, where nothing asks for another number."""


class H264Writer:
    """An MP4 being written: yuv420p, no B-frames, index in front, no metadata, times in ticks. Made by `writing_h264`.

    A packet is written once it is known how long it lasts.
    """

    def __init__(self, path: Path, size: tuple[int, int], ticks_per_second: int, crf: int) -> None:
        with needs_extra("pose"):
            import av
        options = {"movflags": "faststart", "video_track_timescale": str(ticks_per_second)}
        self._base = Fraction(1, ticks_per_second)
        self._file = av.open(str(path), "w", "mp4", options=options)
        self._stream = self._file.add_stream("libx264", rate=30, options={"preset": "veryfast", "crf": str(crf)})
        self._stream.width, self._stream.height = size
        self._stream.pix_fmt = "yuv420p"
        self._stream.codec_context.time_base = self._base
        self._stream.codec_context.max_b_frames = 0
        self._pending: Packet[VideoStream] | None = None
        self._frames = 0

    def write(self, picture: Picture, ticks: int) -> None:
        """Add a picture at a time later than the one before; its colour space is the video's."""
        if self._frames == 0 and not picture.format.is_rgb:
            encoder = self._stream.codec_context
            encoder.color_range, encoder.colorspace = picture.color_range, picture.colorspace
            encoder.color_primaries, encoder.color_trc = picture.color_primaries, picture.color_trc
        picture.pts, picture.time_base = ticks, self._base
        self._frames += 1
        self._mux(self._stream.encode(picture))

    def close(self, last_ticks: int | None = None) -> None:
        """Finish the file; `last_ticks` is how long the last picture lasts, by default what the encoder thinks."""
        if self._frames:
            self._mux(self._stream.encode(None))
        if self._pending is not None:
            if last_ticks is not None:
                self._pending.duration = last_ticks
            self._file.mux(self._pending)
        self._file.close()

    def _mux(self, packets: list[Packet[VideoStream]]) -> None:
        for packet in packets:
            if self._pending is not None and packet.pts is not None and self._pending.pts is not None:
                self._pending.duration = packet.pts - self._pending.pts
                self._file.mux(self._pending)
            self._pending = packet


@contextmanager
def written_whole(output: Path) -> Iterator[Path]:
    """A path beside `output` to write to, which takes its place if all goes well and vanishes otherwise.

    Raises:
        StorageFailed: the disk refused.
    """
    partial = output.with_name(f".{output.name}.partial")
    try:
        yield partial
        partial.replace(output)
    except OSError as error:
        if isinstance(error, StorageFailed):
            raise
        raise StorageFailed(f"cannot write {output}: {error.strerror or error}") from error
    finally:
        partial.unlink(missing_ok=True)
