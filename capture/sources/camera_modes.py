"""What a camera can do (sizes, rates, pixel formats), asked of the platform's device layer, and which suits a task."""

from __future__ import annotations

import errno
import re
import struct
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from kinesphere.errors import needs_extra
from storage.tasks.criteria import Criteria

USUAL_RATE = 30.0
"""Frames a second that a camera is asked for, unless the task wants more: hands move too fast for fewer."""
USUAL_SIDE = 720
"""Pixels of the shorter side, unless the task wants more: more costs time and disk and finds few more hands."""

_V4L2_FORMATS = {b"MJPG": "mjpeg", b"YUYV": "yuyv422", b"UYVY": "uyvy422", b"NV12": "nv12", b"YU12": "yuv420p"}
"""FFmpeg's names of the formats that webcams have, by V4L2's four letters."""
_ENUM_FORMATS, _ENUM_SIZES, _ENUM_INTERVALS = 0xC0405602, 0xC02C564A, 0xC034564B
"""VIDIOC_ENUM_FMT, VIDIOC_ENUM_FRAMESIZES and VIDIOC_ENUM_FRAMEINTERVALS of linux/videodev2.h."""
_CAPTURE, _DISCRETE = 1, 1
_MOST = 512
"""No camera has so many formats, sizes or rates: a driver that never says stop is not asked further."""

_DSHOW = re.compile(
    r"(?:vcodec|pixel_format)=(?P<format>\w+)\s+min s=\d+x\d+ fps=[\d.]+ "
    r"max s=(?P<width>\d+)x(?P<height>\d+) fps=(?P<rate>[\d.]+)"
)
_AVFOUNDATION = re.compile(r"(?P<width>\d+)x(?P<height>\d+)@\[(?P<slowest>[\d.]+) (?P<rate>[\d.]+)\]fps")


@dataclass(frozen=True, order=True)
class Mode:
    """One way in which a camera can give pictures."""

    width: int
    height: int
    frame_rate: float
    """The most frames a second."""
    pixel_format: str
    """FFmpeg's name: "mjpeg", or a raw one such as "yuyv422"; empty where the platform does not say."""

    def __str__(self) -> str:
        return f"{self.width}x{self.height} at {self.frame_rate:g} frames/s" + (
            f", {self.pixel_format}" if self.pixel_format else ""
        )

    def options(self, platform: str, rate: float = USUAL_RATE) -> dict[str, str]:
        """How FFmpeg's device layer of a platform is asked for this mode, at `rate` if it can be so fast."""
        options = {"video_size": f"{self.width}x{self.height}", "framerate": f"{min(rate, self.frame_rate):g}"}
        if platform == "linux":
            return options | {"input_format": self.pixel_format}
        if platform == "win32":
            key = "vcodec" if self.pixel_format == "mjpeg" else "pixel_format"
            return options | {key: self.pixel_format, "rtbufsize": "256M"}
        return options


def list_modes(path: str) -> tuple[Mode, ...]:
    """The modes of a camera.

    Args:
        path: by which the system opens it.

    Returns:
        The largest first; none where the platform does not say.
    """
    if sys.platform == "linux":
        return _unique(_v4l2_modes(Path(path)))
    if sys.platform == "win32":
        return dshow_modes(_ffmpeg_log("dshow", f"video={path}", {"list_options": "true"}))
    if sys.platform == "darwin":
        # no size is 1x1: FFmpeg answers with those that there are
        return avfoundation_modes(_ffmpeg_log("avfoundation", path, {"video_size": "1x1"}))
    return ()


def best_mode(modes: Iterable[Mode], criteria: Criteria) -> Mode | None:
    """The mode that suits a task: fast enough first, then large enough, then the smallest such, raw before compressed.

    A picture larger than it need be costs frames on a slow computer; one that was compressed by the camera is a
    little worse, but more of them go through a cable.

    Args:
        modes: of the camera.
        criteria: the task's, whose thresholds of doubt for frame rate and size count.

    Returns:
        The mode; None if there are none.
    """
    rate = max(USUAL_RATE, criteria.doubt("frame_rate"))
    side = max(USUAL_SIDE, criteria.doubt("shorter_side_pixels"))

    def worth(mode: Mode) -> tuple[float, ...]:
        shorter = min(mode.width, mode.height)
        widescreen = -abs(mode.width / mode.height - 16 / 9)
        return (
            min(mode.frame_rate, rate - 0.5),  # 29.97 is 30
            min(shorter, side),
            -shorter,
            widescreen,
            mode.pixel_format != "mjpeg",
            -mode.frame_rate,
        )

    return max(modes, key=worth, default=None)


def dshow_modes(log: str) -> tuple[Mode, ...]:
    """Modes from what FFmpeg's `dshow` prints with `list_options`."""
    return _unique(
        Mode(int(found["width"]), int(found["height"]), float(found["rate"]), found["format"])
        for found in _DSHOW.finditer(log)
    )


def avfoundation_modes(log: str) -> tuple[Mode, ...]:
    """Modes from what FFmpeg's `avfoundation` prints when it is asked for one that there is not."""
    return _unique(
        Mode(int(found["width"]), int(found["height"]), float(found["rate"]), "")
        for found in _AVFOUNDATION.finditer(log)
    )


def _unique(modes: Iterable[Mode]) -> tuple[Mode, ...]:
    return tuple(sorted(set(modes), reverse=True))


def _ffmpeg_log(layer: str, address: str, options: dict[str, str]) -> str:
    """What FFmpeg logs when it opens a device in order to list what it can do, which always fails."""
    with needs_extra("capture"):
        import av
        import av.logging
        from av.error import FFmpegError

    before = av.logging.get_level()
    av.logging.set_level(av.logging.INFO)
    try:
        with av.logging.Capture() as lines, suppress(FFmpegError, OSError):  # to list is not to open
            av.open(address, "r", format=layer, options=options).close()
        return "".join(line for _, _, line in lines)
    finally:
        av.logging.set_level(before)


def _v4l2_modes(device: Path) -> Iterator[Mode]:
    """Ask the driver, by the structures of linux/videodev2.h. FFmpeg lists sizes, but no rates."""
    try:
        file = device.open("rb", buffering=0)
    except OSError:
        return
    with file:
        for number in range(_MOST):
            found = _ioctl(file.fileno(), _ENUM_FORMATS, struct.pack("<II", number, _CAPTURE), 64)
            if found is None:
                return
            letters = found[44:48]
            for width, height in _v4l2_sizes(file.fileno(), letters):
                for rate in _v4l2_rates(file.fileno(), letters, width, height):
                    yield Mode(width, height, rate, _V4L2_FORMATS.get(letters, letters.decode("ascii", "replace")))


def _v4l2_sizes(descriptor: int, letters: bytes) -> Iterator[tuple[int, int]]:
    for number in range(_MOST):
        found = _ioctl(descriptor, _ENUM_SIZES, struct.pack("<I", number) + letters, 44)
        if found is None:
            return
        kind, *sizes = struct.unpack_from("<7I", found, 8)
        if kind == _DISCRETE:
            yield sizes[0], sizes[1]
        else:  # any size from (0) to (1) wide and (3) to (4) high
            usual = ((1920, 1080), (1280, 720), (640, 480))
            yield from (s for s in usual if sizes[0] <= s[0] <= sizes[1] and sizes[3] <= s[1] <= sizes[4])
            return


def _v4l2_rates(descriptor: int, letters: bytes, width: int, height: int) -> Iterator[float]:
    for number in range(_MOST):
        request = struct.pack("<I", number) + letters + struct.pack("<II", width, height)
        found = _ioctl(descriptor, _ENUM_INTERVALS, request, 52)
        if found is None:
            return
        kind, numerator, denominator = struct.unpack_from("<3I", found, 16)
        if numerator:
            yield denominator / numerator
        if kind != _DISCRETE:  # the shortest interval of a range comes first
            return


def _ioctl(descriptor: int, request: int, content: bytes, size: int) -> bytes | None:
    """What the driver answers, or None when there is no more, or when it is no camera."""
    import fcntl

    answer = bytearray(content.ljust(size, b"\0"))
    try:
        fcntl.ioctl(descriptor, request, answer)
    except OSError as error:
        if error.errno in (errno.EINVAL, errno.ENOTTY):
            return None
        raise
    return bytes(answer)


def stable_id(path: str) -> str:
    """A name for a camera that stays when others are plugged in: on Linux its link in /dev/v4l/by-id, else its path."""
    return next((str(link) for link in _links(Path("/dev/v4l/by-id"), Path(path))), path)


def _links(folder: Path, device: Path) -> Sequence[Path]:
    """The links in a folder that lead to a device."""
    if not folder.is_dir():
        return []
    return [link for link in sorted(folder.iterdir()) if link.resolve() == device.resolve()]
