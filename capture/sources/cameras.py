"""Which cameras this machine has, as the platform's own device layer in FFmpeg lists them."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from capture.sources.camera_modes import stable_id
from kinesphere.errors import needs_extra

_RAW = {"video_size": "1280x720", "framerate": "30"}
DEVICE_LAYERS: Mapping[str, tuple[str, str, tuple[dict[str, str], ...]]] = {
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
    """The cameras of this machine.

    Returns:
        Each camera, as the platform orders them; none where there is none, or where the platform has no device layer.
    """
    with needs_extra("capture"):
        import av.device
        from av.error import FFmpegError
    if sys.platform not in DEVICE_LAYERS:
        return []
    layer, _, _ = DEVICE_LAYERS[sys.platform]
    try:
        devices = av.device.enumerate_input_devices(layer)
    except (FFmpegError, ValueError, RuntimeError):
        return []
    seen = [device for device in devices if not device.media_types or "video" in device.media_types]
    return [
        Camera(device.description or device.name, device.name, device.is_default, stable_id(device.name))
        for device in seen
    ]


def find_camera(text: str) -> Camera | None:
    """The camera of an id, name or path, or None where there is none.

    On Linux the path of any device will do, listed or not.
    """
    if sys.platform not in DEVICE_LAYERS:
        return None
    chosen = next((camera for camera in list_cameras() if text in (camera.id, camera.path, camera.name)), None)
    if chosen is None and text.startswith("/dev/") and Path(text).exists():
        return Camera(text, text, False, text)
    return chosen


def listing(cameras: list[Camera]) -> str:
    """The cameras of this machine in words, for an error that should say which there are."""
    if not cameras:
        return "no camera was found on this machine"
    return "there is: " + ", ".join(f"'{camera.name}' at {camera.path}" for camera in cameras)
