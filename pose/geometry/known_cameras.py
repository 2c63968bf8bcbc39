"""How wide some webcams look, by the names that they give themselves."""

from __future__ import annotations

import math
from dataclasses import dataclass

CALIBRATED_SD = 0.05
"""Relative standard deviation of the focal length of a camera of which somebody else calibrated another copy: copies
differ, and an autofocus changes it by some per cent between near and far."""
STATED_SD = 0.08
"""The same where only the maker's angle is known; see `TOO_WIDE`."""
TOO_WIDE = 1.08
"""Makers state fields of view that are too wide. Focal lengths that were measured, over those that follow from what is
stated: C270 0.98, C920 1.06, C910 (its twin B910) 1.10, LifeCam HD-3000 1.19."""

_AUTODARTS = "calibrated: regalleuchte/autodarts on GitHub, calibration/readme.md"
_LISTED = "maker's angle: Buntworthy, Webcam Field of Views (2015)"
_PI = "maker's angles: Raspberry Pi documentation, camera_hardware.adoc"


@dataclass(frozen=True)
class KnownCamera:
    """A model of cameras, and the focal length that its full picture has."""

    model: str
    """Part of the name that the device gives itself, in lower case."""
    focal: float
    """Over the longer side of the full picture."""
    shape: float
    """Longer over shorter side of the full picture."""
    sd: float
    """Relative standard deviation of `focal`."""
    source: str


def _calibrated(model: str, focal: float, width: int, height: int, source: str = _AUTODARTS) -> KnownCamera:
    return KnownCamera(model, focal / width, width / height, CALIBRATED_SD, source)


def _diagonal(model: str, degrees: float, shape: float = 16 / 9, source: str = _LISTED) -> KnownCamera:
    across = math.hypot(1, 1 / shape)
    focal = TOO_WIDE * across / 2 / math.tan(math.radians(degrees) / 2)
    return KnownCamera(model, focal, shape, STATED_SD, source)


def _horizontal(model: str, degrees: float, source: str, shape: float = 16 / 9) -> KnownCamera:
    return KnownCamera(model, 0.5 / math.tan(math.radians(degrees) / 2), shape, STATED_SD, source)


KNOWN_CAMERAS = (
    _calibrated("c920", 1443.4, 1920, 1080),
    _calibrated("c270", 1351.1, 1280, 960),
    _calibrated("quickcam pro 9000", 1332.6, 1600, 1200),
    _calibrated("asus webcam c3", 1045.1, 1920, 1080),
    _calibrated("aukey pc-lm1e", 978.6, 1920, 1080),
    _calibrated("hama c-400", 1491.5, 1920, 1080),
    # its sensor and lens are the C920's: the same angle is stated, and found
    _calibrated(
        "c922", 1443.4, 1920, 1080, "maker's angle as of the C920: nunogrl, Logitech C922 (2021); " + _AUTODARTS
    ),
    _horizontal("b910", 70, "measured: Android Open Source Project, device/generic/goldfish, change 4211948"),
    _horizontal("c910", 70, "measured on its twin B910: Android Open Source Project, change 4211948"),
    _horizontal("lifecam hd-3000", 53, "measured: Chief Delphi, Horizontal FOV of Microsoft LifeCam (2017)"),
    _diagonal("c310", 60, 4 / 3),
    _diagonal("c510", 60),
    _diagonal("c525", 69),
    _diagonal("c615", 74),
    _diagonal("lifecam cinema", 73),
    _diagonal("lifecam studio", 75),
    _diagonal("live! cam sync hd", 66),
    _diagonal("live! cam chat hd", 62),
    _diagonal("live! cam connect hd 1080", 64),
    _diagonal("live! cam connect hd", 61),
    _diagonal("live! cam socialize hd 1080", 75),
    _horizontal("imx708_wide", 102, _PI),
    _horizontal("imx708", 66, _PI),
)
"""The first whose model is in a name counts. Left out are cameras that let people choose between fields of view
(Logitech Brio, Razer Kiyo Pro, Anker PowerConf C300), those that show only a part of the sensor in some video modes
(Raspberry Pi cameras 1 and 2), those whose name does not tell the model (FaceTime HD Camera, Integrated Webcam), and
all for which we found no source."""


def known_camera(name: str) -> KnownCamera | None:
    """The model of a camera.

    Args:
        name: as the device gives it, with whatever else is in it (maker, numbers).

    Returns:
        None if it is none that we know.
    """
    words = " ".join(name.lower().replace("\N{REGISTERED SIGN}", " ").replace("\N{TRADE MARK SIGN}", " ").split())
    return next((camera for camera in KNOWN_CAMERAS if _is_in(camera.model, words)), None)


def _is_in(model: str, words: str) -> bool:
    """Whether a name has a model's words in it, and not only the beginning or end of one."""
    start = words.find(model)
    before, after = words[start - 1 : start], words[start + len(model) : start + len(model) + 1]
    return start >= 0 and not before.isalnum() and not after.isalnum()
