"""A live source goes on between takes, and looking at it costs no take a frame."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from capture.live.live_source import LiveSource
from capture.live.live_view import Seen, Viewer
from capture.recorder.controls import Controls
from capture.recorder.recorder import record
from capture.sources.numbered_pattern import read_counter
from capture.sources.pattern_source import PatternSource
from kinesphere.errors import InvalidInput
from storage.footage.video_reader import open_video

pytestmark = pytest.mark.real_time


def wait_until(condition: Callable[[], object], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_two_takes_of_one_running_camera_are_whole_and_start_at_zero(tmp_path: Path) -> None:
    with closing(LiveSource(PatternSource(320, 240))) as camera:
        wait_until(lambda: camera.latest)
        takes = [record(camera, tmp_path / f"{number}.mp4", seconds=1) for number in range(2)]
        wait_until(lambda: camera.real_frame_rate)
        assert camera.real_frame_rate == pytest.approx(30, abs=3)
    begun = []
    for number, report in enumerate(takes):
        video = open_video(tmp_path / f"{number}.mp4")
        numbers = [read_counter(frame.image) for frame in video.frames()]
        assert numbers == list(range(numbers[0], numbers[0] + 30))
        assert (report.dropped, video.times[0]) == (0, 0)
        begun.append(numbers[0])
    assert begun[0] > 0 and begun[0] + 30 < begun[1], "the camera ran before and between the takes"


def slow_watch(image: NDArray[np.uint8]) -> Seen:
    assert image.shape == (360, 640, 3)
    time.sleep(1)
    return Seen(person=True, hands=2)


def test_looking_takes_its_time_without_a_frame_being_lost_or_late(tmp_path: Path) -> None:
    with closing(LiveSource(PatternSource())) as camera, closing(Viewer(camera, slow_watch)) as viewer:
        report = record(camera, tmp_path / "take.mp4", seconds=3)
        wait_until(lambda: viewer.view)
        view = viewer.view
    assert (report.frames, report.dropped, report.late_at_ns) == (90, 0, ())
    assert view is not None
    assert view.seen == Seen(person=True, hands=2)
    assert 0 < view.measured.brightness < 255


class Failing(PatternSource):
    """A camera that fails after ten frames."""

    def pictures(self) -> Iterator[tuple[VideoFrame, int]]:
        for count, item in enumerate(super().pictures()):
            if count == 10:
                raise InvalidInput("camera 'webcam' stopped sending; was it unplugged?")
            yield item


def test_a_camera_that_fails_ends_the_take_and_says_so(tmp_path: Path) -> None:
    with closing(LiveSource(Failing(320, 240))) as camera:
        report = record(camera, tmp_path / "take.mp4", controls=Controls())
        assert (report.ended, "unplugged" in report.failure) == ("source failed", True)
        assert camera.has_ended
        with pytest.raises(InvalidInput, match="unplugged"):
            camera.raise_error()


def test_an_error_of_the_watch_is_not_lost() -> None:
    def failing(image: NDArray[np.uint8]) -> Seen:
        raise InvalidInput("the model cannot be used")

    def looked(viewer: Viewer) -> bool:
        try:
            return viewer.view is not None
        except InvalidInput:
            return True

    with closing(LiveSource(PatternSource(320, 240))) as camera, closing(Viewer(camera, failing)) as viewer:
        wait_until(lambda: looked(viewer))
        with pytest.raises(InvalidInput, match="the model"):
            _ = viewer.view


SHARE_EVERY_PICTURE = """
import sys
from contextlib import closing
from pathlib import Path

import capture.live.live_view
from capture.recorder.recorder import record
from capture.sources.pattern_source import PatternSource


class Webcam(PatternSource):
    def pictures(self):
        return ((picture.reformat(format="bgr24"), moment) for picture, moment in super().pictures())


capture.live.live_view.LOOK_EVERY_SECONDS = 0
from capture.live.live_source import LiveSource
from capture.live.live_view import Viewer
with closing(LiveSource(Webcam(1920, 1080, 60))) as camera, closing(Viewer(camera)):
    print(record(camera, Path(sys.argv[1]), seconds=3).frames)
"""


def test_a_picture_is_looked_at_while_it_is_encoded(tmp_path: Path) -> None:
    """PyAV crashes the process when two threads convert the same picture, which a child may do without harm."""
    child = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", SHARE_EVERY_PICTURE, str(tmp_path / "take.mp4")],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert child.returncode == 0, child.stderr[:500]
    assert int(child.stdout) > 20, "fewer come on a busy computer, but enough for two threads to meet"
