"""Cameras, as far as they can be tested without one: FFmpeg's own generator is a device like any other."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.frame import VideoFrame
from hypothesis import given
from hypothesis import strategies as st

from capture.recorder.recorder import record
from capture.sources.camera_source import CameraSource
from capture.sources.cameras import Camera, list_cameras
from capture.sources.device_clock import DeviceClock
from capture.sources.numbered_pattern import Pattern, read_counter
from capture.sources.pattern_source import PatternSource
from capture.sources.source_by_name import open_source
from kinesphere.errors import InvalidInput
from storage.footage.video_reader import open_video
from tests.support.video_clips import make_clip

GENERATOR = Camera("generator", "testsrc2=size=320x180:rate=50,realtime", True)


def test_listing_cameras_works_with_and_without_one(capfd: pytest.CaptureFixture[str]) -> None:
    cameras = list_cameras()
    assert all(camera.name and camera.path for camera in cameras)
    if sys.platform == "linux" and not list(Path("/dev").glob("video*")):
        assert cameras == []
    assert capfd.readouterr() == ("", "")


def test_an_unknown_camera_is_an_error_that_lists_those_there_are() -> None:
    with pytest.raises(InvalidInput) as caught:
        open_source("HD Webcam")
    message = str(caught.value)
    assert "'HD Webcam'" in message
    assert all(camera.path in message for camera in list_cameras()) or "no camera was found" in message
    assert "\n" not in message


@pytest.mark.skipif(sys.platform != "linux", reason="device files are Linux's")
def test_a_device_that_is_no_camera_is_an_error_that_names_it(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(InvalidInput, match=r"camera '/dev/null' cannot be opened .*another program"):
        open_source("/dev/null")
    assert capfd.readouterr() == ("", "")


def test_a_device_gives_frames_with_the_times_of_its_own_clock() -> None:
    source = CameraSource(GENERATOR, "lavfi", GENERATOR.path, ({"no_such_mode": "1", "graph": "!"}, {}))
    assert (source.width, source.height, source.frame_rate) == (320, 180, 50)
    taken = []
    for captured in source.frames():
        taken.append(captured.captured_ns)
        if len(taken) == 20:
            source.close()
    assert len(taken) == 20
    np.testing.assert_allclose(np.diff(taken)[5:], 20e6, rtol=0, atol=5e6)


def test_a_device_that_stops_sending_is_an_error_and_not_the_end() -> None:
    source = CameraSource(GENERATOR, "lavfi", GENERATOR.path.replace("rate=50", "rate=50:duration=0.2"), ({},))
    with pytest.raises(InvalidInput, match="camera 'generator' stopped sending"):
        for _ in source.frames():
            pass
    source.close()


def test_the_device_clock_is_mapped_by_the_frame_that_arrived_fastest() -> None:
    clock = DeviceClock()
    delays = [9, 3, 7, 0, 5]
    mapped = [clock.to_monotonic(1_000 + 100 * i, 5_000 + 100 * i + delay) for i, delay in enumerate(delays)]
    assert mapped == [5_009, 5_103, 5_203, 5_300, 5_400]


@given(
    jumps=st.lists(st.tuples(st.integers(1, 60), st.integers(-(10**15), 10**15)), max_size=4),
    delays=st.lists(st.integers(0, 300_000_000), min_size=90, max_size=90),
)
def test_whatever_a_devices_clock_does_times_rise_and_stay_close_to_the_truth(
    jumps: list[tuple[int, int]], delays: list[int]
) -> None:
    clock, shift, latest, arrived = DeviceClock(), 0, -1, 0
    for number, delay in enumerate(delays):
        shift += sum(by for at, by in jumps if at == number)
        taken = number * 33_333_333
        arrived = max(arrived + 1, taken + delay)  # one frame after the other
        found = clock.to_monotonic(taken + shift, arrived)
        assert latest < found <= arrived
        assert found >= taken - DeviceClock.JUMP_NS
        latest = found


class Shrinking(PatternSource):
    """A camera that changes its resolution in the middle, as some do when the light changes."""

    def pictures(self) -> Iterator[tuple[VideoFrame, int]]:
        for count, (picture, time_ns) in enumerate(super().pictures()):
            yield picture if count < 10 else picture.reformat(320, 240), time_ns


def test_a_camera_that_changes_its_resolution_is_recorded_at_the_first_one(tmp_path: Path) -> None:
    report = record(Shrinking(640, 480, frames_in_total=20), tmp_path / "take.mp4")
    assert (report.frames, report.width, report.height) == (20, 640, 480)
    frames = list(open_video(tmp_path / "take.mp4").frames())
    assert {frame.image.shape for frame in frames} == {(480, 640, 3)}
    assert [read_counter(frame.image) for frame in frames] == list(range(20))


def test_opencv_is_the_way_out(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", frames=15)
    source = open_source(f"opencv:{clip}")
    report = record(source, tmp_path / "take.mp4")
    assert (report.frames, report.ended, report.device) == (15, "source failed", "opencv:clip.mp4")
    assert [read_counter(frame.image) for frame in open_video(tmp_path / "take.mp4").frames()] == list(range(15))
    with pytest.raises(InvalidInput, match="OpenCV cannot open camera"):
        open_source(f"opencv:{tmp_path}/none.mp4")


def test_a_camera_that_sends_garbage_loses_those_pictures_and_says_how_many(tmp_path: Path) -> None:
    random, pattern = np.random.default_rng(0), Pattern(320, 240)
    sent = tmp_path / "camera.avi"
    with av.open(str(sent), "w") as container:
        stream = container.add_stream("mjpeg", rate=30)
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuvj420p"
        for number in range(30):
            for packet in stream.encode(pattern.frame(number)):
                if number in (7, 8, 20):
                    noise = av.Packet(bytes(random.integers(0, 255, 3000, dtype=np.uint8)))
                    noise.stream, noise.time_base = stream, packet.time_base
                    noise.pts, noise.dts = packet.pts, packet.dts
                    packet = noise
                container.mux(packet)
    source = CameraSource(Camera("cheap", str(sent), True), "avi", str(sent), ({},))
    report = record(source, tmp_path / "take.mp4")
    kept = [read_counter(frame.image) for frame in open_video(tmp_path / "take.mp4").frames()]
    assert kept == [number for number in range(30) if number not in (7, 8, 20)]
    assert report.dropped == 3
