"""Modes of cameras: what drivers answer is understood, and the mode that suits a task is chosen.

No camera is here: the texts are in the form of FFmpeg 8's own sources (libavdevice/dshow.c, avfoundation.m), the
answers in that of linux/videodev2.h.
"""

from __future__ import annotations

import struct
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capture.sources import camera_modes as modes
from capture.sources.camera_modes import Mode, avfoundation_modes, best_mode, dshow_modes, list_modes
from storage.tasks.criteria import Criteria, Thresholds

DSHOW = """DirectShow video device options (from video devices)
 Pin "Capture" (alternative pin name "0")
  pixel_format=yuyv422  min s=640x480 fps=5 max s=640x480 fps=30
  pixel_format=yuyv422  min s=1280x720 fps=5 max s=1280x720 fps=10 (pc, bt470bg/bt709/unknown, topleft)
  vcodec=mjpeg  min s=1280x720 fps=5 max s=1280x720 fps=30
  vcodec=mjpeg  min s=1280x720 fps=5 max s=1280x720 fps=30
  vcodec=mjpeg  min s=1920x1080 fps=5 max s=1920x1080 fps=30.0003
"""
AVFOUNDATION = """Selected video size (1x1) is not supported by the device.
Supported modes:
  640x480@[15.000000 30.000000]fps
  1280x720@[1.000000 30.000030]fps
"""


def test_what_directshow_lists_is_understood() -> None:
    found = dshow_modes(DSHOW)
    assert Mode(1280, 720, 10, "yuyv422") in found and Mode(1280, 720, 30, "mjpeg") in found
    assert len(found) == 4, "each once"
    assert dshow_modes("Could not find video device") == ()


def test_what_avfoundation_lists_is_understood() -> None:
    assert avfoundation_modes(AVFOUNDATION) == (Mode(1280, 720, 30.00003, ""), Mode(640, 480, 30, ""))


def test_what_a_v4l2_driver_answers_is_understood(monkeypatch: pytest.MonkeyPatch) -> None:
    """A driver with two formats, two sizes each, and rates that depend on them."""
    rates = {(b"YUYV", 640): [30, 15], (b"YUYV", 1280): [10], (b"MJPG", 640): [30], (b"MJPG", 1280): [30]}
    sizes = [(640, 480), (1280, 720)]

    def answer(_descriptor: int, request: int, content: bytes, size: int) -> bytes | None:
        (number,) = struct.unpack_from("<I", content)
        if request == 0xC0405602:
            formats = [b"YUYV", b"MJPG"]
            filled = content + b"\0" * 4 + b"a description".ljust(32, b"\0") + formats[number] if number < 2 else b""
        elif request == 0xC02C564A:
            filled = content + struct.pack("<III", 1, *sizes[number]) if number < 2 else b""
        else:
            letters, (width,) = content[4:8], struct.unpack_from("<I", content, 8)
            known = rates[letters, width]
            filled = content + struct.pack("<III", 1, 1, known[number]) if number < len(known) else b""
        return filled.ljust(size, b"\0") if filled else None

    monkeypatch.setattr(modes, "_ioctl", answer)
    assert set(modes._v4l2_modes(Path("/dev/null"))) == {
        Mode(640, 480, 30, "yuyv422"),
        Mode(640, 480, 15, "yuyv422"),
        Mode(1280, 720, 10, "yuyv422"),
        Mode(640, 480, 30, "mjpeg"),
        Mode(1280, 720, 30, "mjpeg"),
    }


@pytest.mark.skipif(sys.platform != "linux", reason="device files are Linux's")
def test_what_is_no_camera_has_no_modes() -> None:
    assert list_modes("/dev/null") == list_modes("/dev/no-such-camera") == ()


WEBCAM = (*dshow_modes(DSHOW), Mode(640, 480, 60, "mjpeg"), Mode(3840, 2160, 30, "mjpeg"))


def test_the_mode_that_suits_the_task_is_chosen() -> None:
    assert best_mode(WEBCAM, Criteria()) == Mode(1280, 720, 30, "mjpeg")
    large = Criteria.of({"shorter_side_pixels": Thresholds(doubt=1080, fail=480)})
    assert best_mode(WEBCAM, large) == Mode(1920, 1080, 30.0003, "mjpeg")
    fast = Criteria.of({"frame_rate": Thresholds(doubt=60, fail=30)})
    assert best_mode(WEBCAM, fast) == Mode(640, 480, 60, "mjpeg")
    raw = Mode(1280, 720, 30, "yuyv422")
    assert best_mode((*WEBCAM, raw), Criteria()) == raw, "what the camera did not compress is better"
    assert best_mode((), Criteria()) is None


SIDES = st.integers(96, 4000)
SOME_MODES = st.builds(Mode, SIDES, SIDES, st.sampled_from([5.0, 30.0, 60.0]), st.just("mjpeg"))


@given(st.lists(SOME_MODES, min_size=1))
def test_no_mode_is_chosen_over_one_that_is_faster_where_both_are_too_slow(found: list[Mode]) -> None:
    chosen = best_mode(found, Criteria())
    assert chosen is not None
    assert min(chosen.frame_rate, 30) == min(max(mode.frame_rate for mode in found), 30)


def test_a_camera_is_named_by_the_link_that_stays(tmp_path: Path) -> None:
    device, folder = tmp_path / "video3", tmp_path / "by-id"
    device.touch()
    folder.mkdir()
    (folder / "usb-Maker_Webcam_0001-video-index0").symlink_to(device)
    assert modes._links(folder, device) == [folder / "usb-Maker_Webcam_0001-video-index0"]
    assert modes._links(folder, tmp_path / "video4") == modes._links(tmp_path / "nowhere", device) == []


def test_each_platform_is_asked_in_its_own_words() -> None:
    mode = Mode(1280, 720, 60, "mjpeg")
    assert mode.options("linux") == {"video_size": "1280x720", "framerate": "30", "input_format": "mjpeg"}
    assert mode.options("linux", 60)["framerate"] == "60"
    assert mode.options("win32")["vcodec"] == "mjpeg"
    assert mode.options("darwin") == {"video_size": "1280x720", "framerate": "30"}
