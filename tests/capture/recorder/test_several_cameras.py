"""Several cameras at once: what is told of their offset and drift is what the patterns in the pictures show."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from capture.drafts.outbox import take_together
from capture.recorder.controls import Controls
from capture.recorder.recorder import CaptureReport, RecordingProgress
from capture.recorder.several_cameras import record_together
from capture.sources.device_clock import DriftMeter
from capture.sources.numbered_pattern import read_counter
from capture.sources.pattern_source import PatternSource
from capture.sources.source import CapturedFrame
from kinesphere.errors import InvalidInput
from storage.footage.video_reader import open_video
from storage.recordings.consent import Agreement
from storage.recordings.recording import RecordingFile
from storage.workspace import Workspace
from tests.support.submitted_takes import make_workspace

pytestmark = pytest.mark.real_time

SECOND = 1_000_000_000


class Clocked(PatternSource):
    """A camera with a clock of its own, which runs too fast and began at another time."""

    def __init__(self, ppm: float) -> None:
        super().__init__(320, 240)
        self._rate = 1 + ppm / 1e6

    def frames(self) -> Iterator[CapturedFrame]:
        for captured in super().frames():
            yield replace(
                captured, arrived_ns=captured.captured_ns, device_ns=round(captured.captured_ns * self._rate) - 10**12
            )


def frames_at(path: Path, first_ns: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    video = open_video(path)
    numbers = np.array([read_counter(frame.image) for frame in video.frames()])
    return numbers, np.array(video.times) + first_ns


def test_two_patterns_are_recorded_on_one_clock(tmp_path: Path) -> None:
    paths = [tmp_path / "a.mp4", tmp_path / "b.mp4"]
    sources = [PatternSource(320, 240, 30), PatternSource(320, 240, 25)]
    reports = record_together(sources, paths, seconds=2)
    offset_ns = reports[1].first_ns - reports[0].first_ns
    assert abs(offset_ns) <= SECOND / 25, "both begin with the first frame after one moment"
    (a, a_ns), (b, b_ns) = (frames_at(path, report.first_ns) for path, report in zip(paths, reports, strict=True))
    for numbers in (a, b):
        assert {after - before for before, after in pairwise(numbers.tolist())} == {1}
    # each pattern says when its source began: the same moment, whichever frame it is told from
    began_a, began_b = a_ns - a * SECOND / 30, b_ns - b * SECOND / 25
    assert np.ptp(began_a) < 15e6 and np.ptp(began_b) < 15e6
    assert reports[0].drift_ppm is None, "the patterns have no clock of their own"


def test_drafts_name_each_other_with_offset_and_drift(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path / "workspace")
    try:

        def capture(videos: Sequence[Path]) -> list[CaptureReport]:
            return record_together([Clocked(0), Clocked(800), PatternSource(320, 240)], videos, seconds=9)

        first, second, third = together(workspace, capture, 3)
    finally:
        workspace.catalog.close()
    assert [beside.recording for beside in first.origin.beside] == [second.recording, third.recording]
    (to_second, to_third), (to_first, _) = first.origin.beside, second.origin.beside
    assert to_second.offset_ns == -to_first.offset_ns
    assert abs(to_second.offset_ns) <= SECOND / 30
    assert to_second.drift_ppm == pytest.approx(800, abs=100)
    assert to_first.drift_ppm == pytest.approx(-800, abs=100)
    assert to_third.drift_ppm is None
    assert {path.name for path in workspace.drafts.iterdir()} == {
        first.recording, second.recording, third.recording
    }  # fmt: skip


def together(
    workspace: Workspace, capture: Callable[[Sequence[Path]], Sequence[CaptureReport]], cameras: int
) -> list[RecordingFile]:
    return take_together(
        workspace, task="move", contributor="c001", agreement=Agreement("flag"), capture=capture, cameras=cameras
    )


class Silent(PatternSource):
    """A camera that opens and fails at once."""

    def frames(self) -> Iterator[CapturedFrame]:
        raise InvalidInput("camera 'second' stopped sending; was it unplugged?")
        yield


def test_a_camera_that_gives_nothing_is_told_and_no_draft_is_made(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path / "workspace")
    try:
        with pytest.raises(InvalidInput, match="camera 'second'"):
            together(workspace, lambda videos: record_together([PatternSource(320, 240), Silent()], videos), 2)
        assert list(workspace.drafts.iterdir()) == []
        assert workspace.catalog.recordings() == []
    finally:
        workspace.catalog.close()


def test_stop_ends_both(tmp_path: Path) -> None:
    controls = Controls()

    def tell(now: Sequence[RecordingProgress]) -> None:
        if len(now) == 2 and min(one.frames for one in now) > 5:
            controls.stop()

    sources = [PatternSource(320, 240), PatternSource(320, 240)]
    reports = record_together(sources, [tmp_path / "a.mp4", tmp_path / "b.mp4"], controls=controls, on_progress=tell)
    assert [report.ended for report in reports] == ["asked", "asked"]


@pytest.mark.parametrize("ppm", [-200, 0, 35, 2_000])
def test_drift_is_found_through_the_jitter_of_arrivals(ppm: float) -> None:
    random = np.random.default_rng(0)
    meter = DriftMeter()
    for number in range(1800):
        true_ns = number * SECOND // 30
        arrived_ns = true_ns + int(random.exponential(8e6))
        meter.add(round(true_ns * (1 + ppm / 1e6)), arrived_ns)
    found = meter.parts_per_million
    assert found == pytest.approx(ppm, abs=10)


def test_drift_is_not_told_of_a_short_take() -> None:
    meter = DriftMeter()
    for number in range(90):
        meter.add(number * SECOND // 30, number * SECOND // 30)
    assert meter.parts_per_million is None
