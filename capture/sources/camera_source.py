"""Frames from a camera, through the platform's own device layer in FFmpeg."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from capture.sources.camera_modes import USUAL_RATE, best_mode, list_modes
from capture.sources.cameras import DEVICE_LAYERS, Camera, list_cameras, listing
from capture.sources.device_clock import DeviceClock
from capture.sources.source import CapturedFrame
from kinesphere.errors import InvalidInput, needs_extra
from storage.tasks.task import Criteria

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream


def open_camera(camera: Camera, criteria: Criteria | None = None) -> CameraSource:
    """Open a camera in the mode that suits a task best.

    Args:
        camera: as `find_camera` gives it.
        criteria: the task's; by default those of a task that says nothing.

    Returns:
        The camera, running.

    Raises:
        InvalidInput: it is in use, or it may not be opened.
    """
    layer, prefix, usual = DEVICE_LAYERS[sys.platform]
    criteria = criteria or Criteria()
    best = best_mode(list_modes(camera.path), criteria)
    first = () if best is None else (best.options(sys.platform, max(USUAL_RATE, criteria.doubt("frame_rate"))),)
    return CameraSource(camera, layer, prefix + camera.path, (*first, *usual))


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
        f"({listing(list_cameras())}; if it is free, try OpenCV's way: --source opencv:0)"
    )
