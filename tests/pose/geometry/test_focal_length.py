"""Which focal length a camera has that nobody calibrated: what its file or its name says, else the assumed one."""

import math

import pytest

from pose.geometry.focal_length import find_intrinsics
from pose.geometry.intrinsics import ASSUMED_SD, assumed_intrinsics
from pose.geometry.known_cameras import KNOWN_CAMERAS, known_camera


def width_of_view(focal: float, pixels: int) -> float:
    return math.degrees(2 * math.atan(pixels / 2 / focal))


def test_nothing_known_is_assumed_with_its_uncertainty() -> None:
    for name in ("", "Integrated Webcam", "FaceTime HD Camera", "Logitech BRIO", "C9200", "XC270"):
        camera = find_intrinsics(1280, 720, None, name)
        assert camera == assumed_intrinsics(1280, 720)
        assert camera["source"] == "assumed" and camera["fx_sd"] == ASSUMED_SD * camera["fx"]


def test_a_phone_states_the_focal_length_of_its_lens() -> None:
    camera = find_intrinsics(1920, 1080, 27, "HD Pro Webcam C920")
    assert (camera["source"], camera["from"]) == ("estimated", "container")
    assert camera["fx"] == camera["fy"] == pytest.approx(0.78 * 1920, rel=0.001)
    assert camera["fx"] > 0.745 * 1920, "the lens of an iPhone 13 before its whole sensor sees no more than that"
    assert camera["fx_sd"] == camera["fy_sd"] == pytest.approx(0.1 * camera["fx"])
    assert (camera["cx"], camera["cy"]) == (960, 540)
    upright = find_intrinsics(1080, 1920, 27)
    assert upright["fx"] == camera["fx"] and (upright["cx"], upright["cy"]) == (540, 960)
    assert find_intrinsics(1920, 1080, 13)["fx"] == pytest.approx(camera["fx"] * 13 / 27)


@pytest.mark.parametrize(
    ("name", "width", "height", "across"),
    [
        ("HD Pro Webcam C920 (046d:082d)", 1920, 1080, 67.26),
        ("HD Pro Webcam C920", 1280, 720, 67.26),
        ("Logitech HD Pro Webcam C920", 640, 480, 53.0),
        ("C922 Pro Stream Webcam", 1280, 720, 67.26),
        ("Logitech HD Webcam C270", 1280, 960, 50.69),
        ("HD Webcam C270", 1280, 720, 50.69),
        ("Microsoft\N{REGISTERED SIGN} LifeCam HD-3000", 1280, 720, 53),
        ("/base/soc/i2c0mux/i2c@1/imx708_wide@1a", 2304, 1296, 102),
        ("imx708", 1536, 864, 66),
    ],
)
def test_a_camera_is_known_by_its_name(name: str, width: int, height: int, across: float) -> None:
    camera = find_intrinsics(width, height, None, name)
    assert (camera["source"], camera["from"]) == ("estimated", "camera name")
    assert width_of_view(camera["fx"], width) == pytest.approx(across, abs=0.2)
    assert camera["fx"] == camera["fy"]


def test_a_picture_of_another_shape_is_less_certain_and_a_turned_one_is_not() -> None:
    whole, cropped = find_intrinsics(1920, 1080, None, "c920"), find_intrinsics(1440, 1080, None, "c920")
    assert cropped["fx"] == pytest.approx(whole["fx"]) and cropped["fx_sd"] > 2 * whole["fx_sd"]
    assert find_intrinsics(1080, 1920, None, "c920")["fx_sd"] == whole["fx_sd"]


def test_every_row_of_the_table_can_be_checked_and_is_surer_than_nothing() -> None:
    for camera in KNOWN_CAMERAS:
        assert known_camera(f"Some {camera.model.upper()} (1234:5678)") == camera
        assert camera.source and camera.model == camera.model.lower()
        assert 45 < width_of_view(camera.focal, 1) < 103
        assert 0 < camera.sd < ASSUMED_SD
        assert camera.shape in (pytest.approx(16 / 9), pytest.approx(4 / 3))
