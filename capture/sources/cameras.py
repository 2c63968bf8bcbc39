"""Cameras: which there are, and frames from one of them, through the platform's own device layer in FFmpeg."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from capture.sources.camera_modes import WANTED_RATE, best_mode, list_modes, stable_id
from capture.sources.source import CapturedFrame
from kinesphere.errors import InvalidInput, needs_extra
from storage.tasks.criteria import Criteria

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

_RAW = {"video_size": "1280x720", "framerate": "30"}
_DEVICE_LAYERS: Mapping[str, tuple[str, str, tuple[dict[str, str], ...]]] = {
    # MJPEG first where it can be asked for: raw 720p over USB 2 stays below 30 frames/s
    "linux": ("v4l2", "", ({"input_format": "mjpeg", **_RAW}, _RAW, {})),
    "darwin": ("avfoundation", "", (_RAW, {"framerate": "30"}, {})),
    "win32": ("dshow", "video=", ({"vcodec": "mjpeg", "rtbufsize": "256M", **_RAW}, {"rtbufsize": "256M"})),
}
"""By `sys.platform`: FFmpeg's name for the layer, what goes before a device's path, the modes to try in order."""


@dataclass(frozen=True)
class Camera:
    """A camera of this machine."""

    name: str
    """What its maker calls it."""
    path: str
    """What the system opens it by."""
    is_default: bool
    id: str = ""
    """What it can be named by whatever else is plugged in."""


def list_cameras() -> list[Camera]:
    """The cameras of this machine; none where there is none, or where the platform has no device layer."""
    with needs_extra("capture"):
        import av.device
        from av.error import FFmpegError
    if sys.platform not in _DEVICE_LAYERS:
        return []
    layer, _, _ = _DEVICE_LAYERS[sys.platform]
    try:
        devices = av.device.enumerate_input_devices(layer)
    except (FFmpegError, ValueError, RuntimeError):
        return []
    seen = [device for device in devices if not device.media_types or "video" in device.media_types]
    return [
        Camera(device.description or device.name, device.name, device.is_default, stable_id(device.name))
        for device in seen
    ]


def open_camera(text: str, criteria: Criteria | None = None) -> CameraSource:
    """Open a camera by its id, name or path, in the mode that suits a task best.

    Raises:
        InvalidInput: there is no such camera, or it is in use, or it may not be opened.
    """
    cameras = list_cameras()
    chosen = next((camera for camera in cameras if text in (camera.id, camera.path, camera.name)), None)
    if chosen is None and text.startswith("/dev/") and Path(text).exists():
        chosen = Camera(text, text, False, text)
    if chosen is None or sys.platform not in _DEVICE_LAYERS:
        raise InvalidInput(f"there is no camera '{text}' ({_listing(cameras)}); 'test' and 'file:CLIP' need none")
    layer, prefix, usual = _DEVICE_LAYERS[sys.platform]
    criteria = criteria or Criteria()
    best = best_mode(list_modes(chosen.path), criteria)
    first = () if best is None else (best.options(sys.platform, max(WANTED_RATE, criteria.doubt("frame_rate"))),)
    return CameraSource(chosen, layer, prefix + chosen.path, (*first, *usual))


class OpenCVSource:
    """The way out: a camera through OpenCV, where FFmpeg's device layer fails. Frames are timed when they arrive."""

    def __init__(self, text: str) -> None:
        with needs_extra("capture"):
            import cv2
        self.name = f"opencv:{Path(text).name}"
        self.lost = 0
        self._closed = threading.Event()
        self._device = cv2.VideoCapture(int(text) if text.isdigit() else text)
        if not self._device.isOpened():
            raise InvalidInput(f"OpenCV cannot open camera '{text}'; is another program using it?")
        self.width = int(self._device.get(cv2.CAP_PROP_FRAME_WIDTH))
        self.height = int(self._device.get(cv2.CAP_PROP_FRAME_HEIGHT))
        self.frame_rate = self._device.get(cv2.CAP_PROP_FPS) or WANTED_RATE

    def frames(self) -> Iterator[CapturedFrame]:
        from av.video.frame import VideoFrame

        try:
            while not self._closed.is_set():
                there, image = self._device.read()
                arrived_ns = time.monotonic_ns()
                if not there:
                    raise InvalidInput(f"camera '{self.name}' stopped sending; was it unplugged?")
                yield CapturedFrame(
                    VideoFrame.from_ndarray(np.asarray(image, np.uint8), format="bgr24"), arrived_ns, arrived_ns
                )
        finally:
            self._device.release()

    def close(self) -> None:
        """Let go of the device after the frame that it is giving now."""
        self._closed.set()


class CameraSource:
    """Frames from a device, each with the time at which the device took it."""

    def __init__(self, camera: Camera, layer: str, address: str, modes: tuple[dict[str, str], ...]) -> None:
        self.name = camera.name
        self.lost = 0
        self._container = _opened(camera, layer, address, modes)
        self._in_use = threading.Lock()
        self._closing = threading.Event()
        stream = self._container.streams.video[0]
        self.width, self.height = stream.width, stream.height
        self.frame_rate = float(stream.average_rate or stream.guessed_rate or 30)

    def frames(self) -> Iterator[CapturedFrame]:
        from av.error import BlockingIOError as NothingYet
        from av.error import FFmpegError

        clock = DeviceClock()
        with self._in_use:
            while not self._closing.is_set():
                try:
                    for packet in self._container.demux(video=0):
                        arrived_ns = time.monotonic_ns()
                        if self._closing.is_set():
                            return
                        for frame in self._decoded(packet):
                            device_ns = round(frame.time * 1e9)
                            yield CapturedFrame(frame, clock.to_monotonic(device_ns, arrived_ns), arrived_ns, device_ns)
                    raise InvalidInput(f"camera '{self.name}' stopped sending; was it unplugged?")
                except NothingYet:
                    # avfoundation says so instead of waiting
                    time.sleep(0.002)
                except FFmpegError as error:
                    raise InvalidInput(f"camera '{self.name}' stopped sending ({error.strerror})") from error

    def _decoded(self, packet: Packet[VideoStream]) -> list[VideoFrame]:
        """The picture of a packet. One that cannot be read is counted; an empty one is how v4l2 tells of such a one."""
        from av.error import InvalidDataError

        try:
            frames = packet.decode()
        except InvalidDataError:
            frames = []
        each_packet_is_a_picture = packet.stream.codec_context.name in ("mjpeg", "rawvideo")
        if not frames and each_packet_is_a_picture and packet.pts is not None:
            self.lost += 1
        return frames

    def close(self) -> None:
        """Let go of the device. One that hangs inside a read is left to the end of the program."""
        self._closing.set()
        if self._in_use.acquire(timeout=2):
            self._container.close()
            self._in_use.release()


class DeviceClock:
    """Maps a device's own times to the monotonic clock.

    A frame arrives some time after it was taken, never before, so the smallest difference seen between arrival and
    the device's time is the closest to the difference of the two clocks. A device whose clock jumps, because it was
    reset or because it follows a wall clock that was set, is mapped anew.
    """

    JUMP_NS = 2_000_000_000
    """No camera takes so long to hand a frame over: more is a jump of its clock."""

    def __init__(self) -> None:
        self._offset_ns: int | None = None
        self._latest_ns: int | None = None

    def to_monotonic(self, taken_ns: int, arrived_ns: int) -> int:
        """When a frame was taken, on the monotonic clock, from the device's time and that of its arrival."""
        offset = arrived_ns - taken_ns
        if self._offset_ns is None or abs(offset - self._offset_ns) > self.JUMP_NS:
            self._offset_ns = offset
        self._offset_ns = min(self._offset_ns, offset)
        moment = taken_ns + self._offset_ns
        if self._latest_ns is not None and moment <= self._latest_ns:
            # after a jump, or because the offset was found to be smaller: time does not go back
            moment = min(arrived_ns, self._latest_ns + 1)
        self._latest_ns = moment
        return moment


def _opened(camera: Camera, layer: str, address: str, modes: tuple[dict[str, str], ...]) -> InputContainer:
    """Open a device in the first mode that it accepts."""
    with needs_extra("capture"):
        import av
        from av.error import FFmpegError
    reason = ""
    for mode in modes:
        try:
            return av.open(address, "r", format=layer, options=mode)
        except PermissionError as error:
            raise InvalidInput(
                f"camera '{camera.name}' may not be opened: allow this program to use the camera "
                "(on Linux: add yourself to the group 'video')"
            ) from error
        except FFmpegError as error:
            reason = error.strerror or str(error)
    raise InvalidInput(
        f"camera '{camera.name}' cannot be opened ({reason}): is another program using it? "
        f"({_listing(list_cameras())}; if it is free, try OpenCV's way: --source opencv:0)"
    )


def _listing(cameras: list[Camera]) -> str:
    if not cameras:
        return "no camera was found on this machine"
    return "there is: " + ", ".join(f"'{camera.name}' at {camera.path}" for camera in cameras)
