"""H.264 into MP4, with true frame times: the encoder's settings and the file it writes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from capture.recorder.mp4_file import TICKS_PER_SECOND, writing
from capture.recorder.write_behind import WriteBehind
from kinesphere.errors import StorageFailed, needs_extra

if TYPE_CHECKING:
    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

_KEYFRAME_TICKS = TICKS_PER_SECOND * 9 // 10
"""A keyframe is due after this much time, so that no second is without one."""

_FRAGMENTS = {
    "movflags": "empty_moov+default_base_moof",
    "frag_duration": "500000",
    "flush_packets": "1",
}
_INDEX_FIRST = {"movflags": "faststart"}


@dataclass(frozen=True)
class EncoderSettings:
    """FFmpeg's name of an H.264 encoder, what it is told, and how to say so in a few words."""

    codec: str
    options: tuple[tuple[str, str], ...]
    words: str
    bit_rate: int | None = None
    """Bits a second, for encoders that have no setting of constant quality in common."""

    @classmethod
    def software(cls, preset: str, crf: int) -> EncoderSettings:
        """libx264: how hard it works (`preset`), how good the picture is (`crf`: 0 lossless, 18 visually lossless)."""
        options = (("preset", preset), ("crf", str(crf)), ("forced-idr", "1"))
        return cls("libx264", options, f"libx264 {preset} crf {crf}")

    @classmethod
    def hardware(cls, codec: str, width: int, height: int, frame_rate: float) -> EncoderSettings:
        """An encoder in a chip, with 0.15 bits a pixel: 4 Mbit/s at 1280x720x30, about what libx264 takes at crf 20."""
        forced = (("forced-idr", "1"),) if codec.endswith(("nvenc", "qsv")) else ()
        return cls(codec, forced, codec, bit_rate=round(0.15 * width * height * frame_rate))

    def __str__(self) -> str:
        return self.words


def live_settings(width: int, height: int, frame_rate: float, cores: int | None = None) -> EncoderSettings:
    """Settings with which this machine keeps up with a camera, with cores to spare for everything else.

    Measured at 1280x720x30 (27.6 million pixels/s) on one core: ultrafast takes 0.08 of it, veryfast 0.31.
    """
    pixels_per_core = width * height * frame_rate / (cores or os.cpu_count() or 1)
    if pixels_per_core < 20e6:
        return EncoderSettings.software("veryfast", 20)
    return (
        EncoderSettings.software("superfast", 20)
        if pixels_per_core < 50e6
        else EncoderSettings.software("ultrafast", 20)
    )


class H264File:
    """An MP4 file being written: upright yuv420p pictures of one even size, no B-frames, times in 1/90000 s.

    With `fragmented`, what has been written can be played at any moment up to about the last half second, even if
    the program is killed, and nobody who adds pictures waits for the disk. Otherwise the file is an ordinary one with
    its index first, playable once closed.

    Raises (all methods):
        StorageFailed: the disk refused.
    """

    def __init__(self, path: Path, width: int, height: int, frame_rate: float, settings: EncoderSettings, *,
                 fragmented: bool) -> None:  # fmt: skip
        with needs_extra("capture"):
            import av
            from av.video.reformatter import VideoReformatter
        self.path = path
        self.frames = 0
        self._size = (width, height)
        # A picture's own converter would be set up anew for each, with a thread for every core.
        self._converter = VideoReformatter()
        self._last_keyframe: int | None = None
        self._pending: Packet[VideoStream] | None = None
        self._frame_ticks = round(TICKS_PER_SECOND / frame_rate)
        with ExitStack() as undo:
            with writing(path):
                self._behind = WriteBehind(path) if fragmented else None
                if self._behind is not None:
                    undo.callback(self._behind.close)
                self._container = av.open(
                    str(path) if self._behind is None else self._behind,
                    "w",
                    format="mp4",
                    options={
                        **(_FRAGMENTS if fragmented else _INDEX_FIRST),
                        "video_track_timescale": str(TICKS_PER_SECOND),
                    },
                )
            undo.callback(self._container.close)
            self._stream = self._set_up(settings, frame_rate, fragmented=fragmented)
            undo.pop_all()  # it is what `__exit__` does from now on

    def _set_up(self, settings: EncoderSettings, frame_rate: float, *, fragmented: bool) -> VideoStream:
        """The stream of the pictures; fails where the encoder is not there."""
        stream = self._added(settings.codec, Fraction(frame_rate).limit_denominator(1001))
        stream.width, stream.height = self._size
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = Fraction(1, TICKS_PER_SECOND)
        stream.codec_context.max_b_frames = 0
        stream.codec_context.gop_size = max(1, round(frame_rate))
        # the encoder's look-ahead would hold back pictures that a crash then loses
        stream.options = dict(settings.options)
        if fragmented and settings.codec == "libx264":
            stream.options |= {"rc-lookahead": "0"}
        if settings.bit_rate is not None:
            stream.codec_context.bit_rate = settings.bit_rate
        return stream

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            with suppress(StorageFailed), self._ended():
                pass
            return
        with self._ended():
            self._mux(self._stream.encode(None) if self.frames else [])
            self._release(self._frame_ticks)

    @contextmanager
    def _ended(self) -> Iterator[None]:
        """Close the file at the end of the block, however that ends."""
        with writing(self.path), ExitStack() as last:
            if self._behind is not None:
                last.callback(self._behind.close)
            last.callback(self._container.close)
            yield

    def write(self, picture: VideoFrame, ticks: int) -> None:
        """Add a picture at a time in 1/90000 s, later than the one before."""
        with writing(self.path):
            ready = self._converted(picture)
            ready.pts, ready.time_base = ticks, Fraction(1, TICKS_PER_SECOND)
            ready.pict_type = self._picture_type(ticks)
            self._mux(self._stream.encode(ready))
            self.frames += 1

    def _added(self, codec: str, rate: Fraction) -> VideoStream:
        from av.video.stream import VideoStream

        stream = self._container.add_stream(codec, rate=rate)
        assert isinstance(stream, VideoStream)
        return stream

    def _picture_type(self, ticks: int) -> int:
        """A keyframe when one is due, else the encoder's choice: the source's own picture types mean nothing here."""
        from av.video.frame import PictureType

        if self._last_keyframe is None or ticks - self._last_keyframe >= _KEYFRAME_TICKS:
            self._last_keyframe = ticks
            return PictureType.I
        return PictureType.NONE

    def _converted(self, picture: VideoFrame) -> VideoFrame:
        """The picture in yuv420p of limited range, its colours kept or, from RGB, as BT.709."""
        from av.video.reformatter import ColorRange, Colorspace

        colours = Colorspace.ITU709 if picture.format.is_rgb else None
        ready = self._converter.reformat(
            picture, *self._size, "yuv420p", dst_colorspace=colours, dst_color_range=ColorRange.MPEG, threads=1
        )
        if self.frames == 0:
            encoder = self._stream.codec_context
            encoder.color_range = ColorRange.MPEG
            encoder.colorspace = ready.colorspace
            encoder.color_primaries, encoder.color_trc = ready.color_primaries, ready.color_trc
        return ready

    def _mux(self, packets: list[Packet[VideoStream]]) -> None:
        """Write packets one late, when it is known how long each lasts."""
        for packet in packets:
            if self._pending is not None and packet.pts is not None and self._pending.pts is not None:
                self._release(packet.pts - self._pending.pts)
            self._pending = packet

    def _release(self, ticks: int) -> None:
        if self._pending is not None:
            self._pending.duration = ticks
            self._container.mux(self._pending)
            self._pending = None
