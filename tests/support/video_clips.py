"""Makes small video clips of every kind, each frame with its number burnt in, for tests of reading and importing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from capture.sources.numbered_pattern import draw_counter

TICKS = 90_000
"""Clips are timed in 1/90000 s."""


def uneven_times(frames: int, seed: int = 0) -> list[int]:
    """Frame times in ticks that no constant frame rate explains: gaps of 10 to 100 ms, on whole milliseconds."""
    gaps = np.random.default_rng(seed).integers(10, 100, frames)
    return [int(t) for t in 90 * (np.cumsum(gaps) - gaps[0])]


def numbered_picture(number: int, width: int, height: int) -> NDArray[np.uint8]:
    """A grey picture with its number burnt in, uint8 `(height, width, 3)`; bright below left, so up can be told."""
    luma = np.full((height, width), 110, dtype=np.uint8)
    luma[height // 2 :, : width // 2] = 180
    luma[height // 2 :, 3 * number % (width // 2) :][:, : width // 16] = 60
    draw_counter(luma, number)
    return np.repeat(luma[..., None], 3, axis=2)


def make_clip(
    path: Path,
    frames: int = 20,
    *,
    times: Sequence[int] | None = None,
    size: tuple[int, int] = (192, 144),
    codec: str = "libx264",
    pixel_format: str = "yuv420p",
    turned: int = 0,
    mirrored: bool = False,
    start: int = 0,
    muxer: dict[str, str] | None = None,
    shift_packets: int = 0,
    rate: int | None = None,
    sample_aspect: Fraction | None = None,
    full_range: bool = False,
    metadata: dict[str, str] | None = None,
    **options: str,
) -> Path:
    """Write a clip whose frame `i` carries the number `i` and is shown at `times[i]` ticks.

    Args:
        frames: how many, at 30 frames/s.
        times: instead, the time of every frame in ticks.
        size: width and height of the upright picture.
        turned: degrees clockwise by which a player has to turn the stored picture (display matrix).
        mirrored: a player has to mirror it left to right, after turning.
        start: added to all times.
        shift_packets: added to the encoded packets' times: a negative shift cuts their beginning with an edit list.
        rate: write whole frame intervals of this rate, for containers that know no times.
        metadata: of the file, such as its title.
        options: of the encoder.
    """
    stamps = [3000 * i for i in range(frames)] if times is None else times
    base = Fraction(1, rate or TICKS)
    with av.open(str(path), "w", options=muxer or {}) as container:
        container.metadata.update(metadata or {})
        stream: Any = container.add_stream(codec, rate=rate or 30, options=options)
        stream.width, stream.height = size if turned % 180 == 0 else size[::-1]
        stream.pix_fmt = pixel_format
        stream.codec_context.time_base = base
        if sample_aspect:
            stream.codec_context.sample_aspect_ratio = sample_aspect
        if turned or mirrored:
            stream.set_display_rotation(-turned, hflip=mirrored)
        for number, stamp in enumerate(stamps):
            picture = numbered_picture(number, *size)
            if mirrored:
                picture = picture[:, ::-1]
            stored = np.ascontiguousarray(np.rot90(picture, turned // 90))
            frame = av.VideoFrame.from_ndarray(stored, format="rgb24")
            frame = frame.reformat(format=pixel_format, dst_color_range="JPEG" if full_range else "MPEG")
            frame.pts, frame.time_base = (number if rate else start + stamp), base
            _mux(container, stream.encode(frame), shift_packets)
        _mux(container, stream.encode(None), shift_packets)
    return path


def make_sound(path: Path) -> Path:
    """Write a file with sound and no pictures."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=48000)
        for i in range(20):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 48000, 1024 * i
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def cut_off(source: Path, path: Path, share: float = 0.6) -> Path:
    """Write the beginning of a file, as a copy that was broken off."""
    content = source.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    return path


def damage_frames(path: Path, frames: Sequence[int]) -> Path:
    """Overwrite the data of some frames, counted in the order of decoding, in place."""
    with av.open(str(path)) as container:
        entries = [(e.pos, e.size) for e in container.streams.video[0].index_entries]
    content = bytearray(path.read_bytes())
    for frame in frames:
        position, size = entries[frame]
        content[position : position + size] = b"\xff" * size
    path.write_bytes(content)
    return path


def rewrite(
    source: Path, path: Path, *, without: Iterable[int] = (), times: Callable[[int, int], int] | None = None
) -> Path:
    """Copy a clip packet by packet, as a faulty muxer or a bad line would.

    Args:
        source: a clip.
        path: where to, in a container that takes any times, such as Matroska.
        without: packets that are lost, counted in the order of decoding.
        times: gives the time of a packet from its number and its time, in 1/1000 s.
    """
    lost = set(without)
    millisecond = Fraction(1, 1000)
    with av.open(str(source)) as given, av.open(str(path), "w") as container:
        stream = container.add_stream_from_template(given.streams.video[0])
        for number, packet in enumerate(given.demux(video=0)):
            if packet.size and number not in lost:
                assert packet.pts is not None
                assert packet.time_base is not None
                if times is not None:
                    packet.pts = times(number, round(packet.pts * packet.time_base / millisecond))
                    packet.time_base, packet.dts = millisecond, number
                packet.stream = stream
                container.mux(packet)
    return path


def join(clips: Sequence[Path], path: Path) -> Path:
    """Put the packets of clips of one codec into one stream, as a phone that is turned while it records does."""
    with av.open(str(path), "w") as container, av.open(str(clips[0])) as first:
        stream = container.add_stream_from_template(first.streams.video[0])
        for number, clip in enumerate(clips):
            with av.open(str(clip)) as given:
                for packet in given.demux(video=0):
                    if packet.size:
                        assert packet.pts is not None
                        assert packet.time_base is not None
                        packet.pts = packet.dts = packet.pts + round(number / packet.time_base)
                        packet.stream = stream
                        container.mux(packet)
    return path


def _mux(container: Any, packets: Any, shift: int) -> None:
    for packet in packets:
        if shift:
            packet.pts += shift
            packet.dts += shift
        container.mux(packet)
