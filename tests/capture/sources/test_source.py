"""Sources give frames in real time and stamp them with the time at which they were taken."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from av.video.frame import VideoFrame

from capture.sources.clip_source import ClipSource
from capture.sources.numbered_pattern import read_counter
from capture.sources.paced_source import PacedSource
from capture.sources.pattern_source import PatternSource
from capture.sources.source_by_name import open_source
from kinesphere.errors import InvalidInput, InvalidVideo
from tests.support.video_clips import TICKS, cut_off, make_clip, uneven_times

pytestmark = pytest.mark.real_time


def test_a_clip_plays_at_its_own_pace_upright(tmp_path: Path) -> None:
    times = uneven_times(15)
    source = open_source(f"file:{make_clip(tmp_path / 'phone.mp4', times=times, turned=90)}")
    began = time.monotonic_ns()
    captured = [(read_counter(np.asarray(c.frame.to_ndarray(format="rgb24"))), c.captured_ns) for c in source.frames()]
    took = time.monotonic_ns() - began
    assert [number for number, _ in captured] == list(range(15))
    since = np.array([taken - captured[0][1] for _, taken in captured])
    np.testing.assert_allclose(since, np.array(times) * 1e9 / TICKS, rtol=0, atol=30e6)
    assert took >= times[-1] * 1e9 / TICKS - 1e6
    assert (source.width, source.height) == (192, 144)


class SlowPictures(PacedSource):
    """Pictures that are due every 20 ms and take a while to make."""

    def __init__(self, seconds_to_make: list[float]) -> None:
        super().__init__("slow", 96, 96, 50)
        self._seconds_to_make = seconds_to_make

    def pictures(self) -> Iterator[tuple[VideoFrame, int]]:
        for number, seconds in enumerate(self._seconds_to_make):
            time.sleep(seconds)
            yield VideoFrame(96, 96, "yuv420p"), number * 20_000_000


def test_one_slow_picture_is_prepared_ahead_and_does_not_come_late() -> None:
    taken = [c.captured_ns for c in SlowPictures([0.0] * 12 + [0.15] + [0.0] * 8).frames()]
    assert np.diff(taken).max() < 30e6


def test_a_machine_that_is_always_too_slow_shows_in_the_times() -> None:
    taken = [c.captured_ns for c in SlowPictures([0.06] * 10).frames()]
    assert np.diff(taken).min() > 40e6


class FailingPictures(SlowPictures):
    """Fails after its pictures, as a broken file does."""

    def pictures(self) -> Iterator[tuple[VideoFrame, int]]:
        yield from super().pictures()
        raise InvalidInput("the pictures are gone")


def test_an_error_while_preparing_reaches_who_takes_the_frames() -> None:
    count = 0
    with pytest.raises(InvalidInput, match="gone"):
        for _ in FailingPictures([0.0] * 3).frames():
            count += 1
    assert count == 3


def test_closing_ends_an_endless_source_and_its_threads() -> None:
    before = threading.active_count()
    source = PatternSource(96, 96, 100)
    count = 0
    for _ in source.frames():
        count += 1
        if count == 10:
            source.close()
    assert count == 10
    assert threading.active_count() == before


def test_leaving_early_ends_the_threads(tmp_path: Path) -> None:
    before = threading.active_count()
    for source in (PatternSource(96, 96, 100), ClipSource(make_clip(tmp_path / "a.mp4", 60))):
        frames = source.frames()
        next(frames)
        frames.close()  # type: ignore[attr-defined]
    assert threading.active_count() == before


def test_the_test_source_takes_less_than_a_tenth_of_a_core() -> None:
    frames = PatternSource(frames_in_total=45).frames()
    next(frames)
    began = time.process_time()
    assert sum(1 for _ in frames) == 44
    assert time.process_time() - began < 0.1 * 44 / 30 * 1.5, "with half as much again for a noisy machine"


def test_what_cannot_be_opened_is_said_in_one_line(tmp_path: Path) -> None:
    text = tmp_path / "text.mp4"
    text.write_text("no video")
    broken = cut_off(make_clip(tmp_path / "a.mp4"), tmp_path / "cut.mp4")
    for path in (text, broken):
        with pytest.raises(InvalidVideo, match=path.name):
            open_source(f"file:{path}")
    with pytest.raises(InvalidInput, match=r"there is no camera 'kitchen' .*'test' and 'file:CLIP' need none"):
        open_source("kitchen")
