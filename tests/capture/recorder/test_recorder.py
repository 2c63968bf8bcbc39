"""Recording: no frame lost when the machine keeps up, none lost in silence when it does not, nothing half-written."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.frame import VideoFrame

from capture.recorder.controls import Controls
from capture.recorder.h264_encoder import H264File, live_settings
from capture.recorder.recorder import MOST_FRAMES, RecordingProgress, finish, journal_path, partial_path, record
from capture.sources.clip_source import ClipSource
from capture.sources.numbered_pattern import Pattern, read_counter
from capture.sources.paced_source import PacedSource
from capture.sources.pattern_source import PatternSource
from kinesphere.errors import Conflict, InvalidInput, InvalidVideo, StorageFailed
from kinesphere.shards.shard import MAX_FRAMES
from storage.footage.video_reader import open_video
from storage.recordings.recording import Origin
from tests.support.video_clips import TICKS, make_clip, uneven_times

pytestmark = pytest.mark.real_time


def numbers_in(path: Path) -> list[int]:
    return [read_counter(frame.image) for frame in open_video(path).frames()]


def test_every_frame_of_the_test_source_is_recorded_at_its_time(tmp_path: Path) -> None:
    before = datetime.now(UTC)
    report = record(PatternSource(), tmp_path / "take.mp4", seconds=2)
    assert numbers_in(tmp_path / "take.mp4") == list(range(60))
    times = np.array(open_video(tmp_path / "take.mp4").times)
    np.testing.assert_allclose(times, np.arange(60) * 1e9 / 30, rtol=0, atol=10e6)
    assert (report.frames, report.dropped, report.ended, report.failure) == (60, 0, "asked", "")
    assert (report.width, report.height) == (1280, 720)
    assert report.duration_ns == pytest.approx(2e9, rel=0.02)
    assert before <= report.started_at <= before + timedelta(seconds=2)
    assert report.encoder.startswith("libx264 ")
    assert [path.name for path in tmp_path.iterdir()] == ["take.mp4"]


def test_the_real_clip_is_recorded_without_loss(body_clip: Path, tmp_path: Path) -> None:
    for _ in range(3):  # a machine that does other things as well may be too slow now and then
        (tmp_path / "take.mp4").unlink(missing_ok=True)
        report = record(ClipSource(body_clip), tmp_path / "take.mp4")
        assert (report.frames + report.dropped, report.ended) == (230, "source ended")
        if not report.dropped:
            break
    assert (report.frames, report.dropped) == (230, 0)
    error = np.subtract(open_video(tmp_path / "take.mp4").times, open_video(body_clip).times)
    # a busy machine decodes some pictures of the clip too late, perhaps the first one
    assert np.quantile(np.abs(error - np.median(error)), 0.75) < 10e6


def test_uneven_times_turned_pictures_and_odd_sizes_are_recorded_true(tmp_path: Path) -> None:
    times = uneven_times(30)
    clip = make_clip(tmp_path / "phone.mp4", times=times, turned=90, size=(191, 145), pixel_format="yuv444p")
    report = record(ClipSource(clip), tmp_path / "take.mp4")
    assert numbers_in(tmp_path / "take.mp4") == list(range(30))
    found = np.array(open_video(tmp_path / "take.mp4").times)
    np.testing.assert_allclose(found, np.array(times) * 1e9 / TICKS, rtol=0, atol=10e6)
    assert (report.width, report.height) == (190, 144)
    assert report.longest_gap_ns == pytest.approx(np.diff(times).max() * 1e9 / TICKS, abs=10e6)
    interval = open_video(clip).info.frame_rate ** -1 * TICKS
    assert len(report.late_at_ns) == pytest.approx((np.diff(times) >= 1.5 * interval).sum(), abs=1)


def test_the_file_is_ordinary_plays_everywhere_and_can_be_entered_at_every_second(tmp_path: Path) -> None:
    record(PatternSource(320, 240, 30), tmp_path / "take.mp4", seconds=3)
    content = (tmp_path / "take.mp4").read_bytes()
    assert b"moof" not in content
    assert 0 < content.index(b"moov") < content.index(b"mdat"), "the index comes first"
    with av.open(str(tmp_path / "take.mp4")) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.pix_fmt, stream.frames) == ("h264", "yuv420p", 90)
        assert not stream.codec_context.has_b_frames
        packets = [packet for packet in container.demux(stream) if packet.size]
        assert all(packet.pts == packet.dts for packet in packets)
        keyframes = [float((packet.pts or 0) * packet.time_base) for packet in packets if packet.is_keyframe]
    assert keyframes[0] == 0
    assert np.diff([*keyframes, 3.0]).max() <= 1


class DarkRoom(PacedSource):
    """A camera that means to give 30 frames/s and, for lack of light, gives 5."""

    def __init__(self) -> None:
        super().__init__("dark", 320, 240, 30)

    def pictures(self) -> Iterator[tuple[VideoFrame, int]]:
        pattern = Pattern(320, 240)
        for number in range(16):
            yield pattern.frame(number), number * 200_000_000


def test_a_slow_camera_still_gives_a_keyframe_every_second(tmp_path: Path) -> None:
    report = record(DarkRoom(), tmp_path / "take.mp4")
    with av.open(str(tmp_path / "take.mp4")) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
        keyframes = [float((packet.pts or 0) * packet.time_base) for packet in packets if packet.is_keyframe]
    assert np.diff([*keyframes, 3.2]).max() <= 1.001
    assert len(report.late_at_ns) == 15


class Flood(PacedSource):
    """A camera that gives far more than any machine can encode."""

    def __init__(self) -> None:
        super().__init__("flood", 1920, 1080, 900)
        pattern = Pattern(1920, 1080)
        self._frames = [pattern.frame(number) for number in range(6)]

    def pictures(self) -> Iterator[tuple[VideoFrame, int]]:
        for number in range(900):
            yield self._frames[number % 6], round(number * 1e9 / 900)


def test_what_the_encoder_cannot_take_is_dropped_counted_and_timed(tmp_path: Path) -> None:
    waiting: list[int] = []
    report = record(Flood(), tmp_path / "take.mp4", on_progress=lambda p: waiting.append(p.waiting))
    assert report.dropped > 100
    assert report.frames + report.dropped == 900
    kept = set(open_video(tmp_path / "take.mp4").times)
    assert len(kept) == report.frames
    assert len(report.dropped_at_ns) == report.dropped
    # A tick of the video is 11 microseconds; a source that is late gives pictures less than the usual 1.1 ms apart.
    for lost_ns in report.dropped_at_ns:
        assert min(abs(lost_ns - kept_ns) for kept_ns in kept) > 0.1e6, "dropped and yet in the video"
    assert 0 < max(waiting) * 1920 * 1080 * 1.5 <= 256 * 2**20, "memory stays bounded"


def test_a_stop_ends_the_take_properly_and_progress_is_told(tmp_path: Path) -> None:
    controls = Controls()
    seen: list[RecordingProgress] = []

    def on_progress(progress: RecordingProgress) -> None:
        seen.append(progress)
        if progress.frames >= 20:
            controls.stop()

    report = record(PatternSource(320, 240), tmp_path / "take.mp4", controls=controls, on_progress=on_progress)
    assert report.ended == "asked"
    assert report.frames >= 20
    assert numbers_in(tmp_path / "take.mp4") == list(range(report.frames))
    assert [p.frames for p in seen] == sorted(p.frames for p in seen)


def test_a_take_ends_before_it_is_too_long_to_be_processed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert MOST_FRAMES == MAX_FRAMES
    monkeypatch.setattr("capture.recorder.recorder.MOST_FRAMES", 20)
    report = record(PatternSource(), tmp_path / "take.mp4", seconds=10)
    assert (report.frames, report.ended, report.failure) == (20, "full", "")
    assert len(numbers_in(tmp_path / "take.mp4")) == 20 and report.origin().ended == "full"


def test_a_pause_leaves_frames_out_and_is_told_and_a_moment_can_be_marked(tmp_path: Path) -> None:
    controls = Controls()

    def on_progress(progress: RecordingProgress) -> None:
        if progress.frames >= 20 and not controls.paused and not controls.marks_ns:
            controls.mark()
            controls.pause()
            threading.Timer(1, controls.resume).start()
        if progress.frames >= 50:
            controls.stop()

    report = record(PatternSource(320, 240), tmp_path / "take.mp4", controls=controls, on_progress=on_progress)
    ((paused_ns, resumed_ns),) = report.pauses_ns
    assert 0.8e9 < resumed_ns - paused_ns < 1.3e9
    numbers = np.array(numbers_in(tmp_path / "take.mp4"))
    (gap,) = np.flatnonzero(np.diff(numbers) > 1)
    assert numbers[gap] + 1 == pytest.approx(paused_ns * 30 / 1e9, abs=0.5)
    assert numbers[gap + 1] == pytest.approx(resumed_ns * 30 / 1e9, abs=0.5)
    times = np.array(open_video(tmp_path / "take.mp4").times)
    np.testing.assert_allclose(times, numbers * 1e9 / 30, rtol=0, atol=10e6)
    assert report.longest_gap_ns < 0.2e9
    assert report.dropped == 0
    (mark_ns,) = report.marks_ns
    assert mark_ns == pytest.approx(paused_ns, abs=0.2e9)
    assert report.origin().pauses_ns == report.pauses_ns


class Unplugged(PatternSource):
    """A camera whose cable comes off after some frames."""

    def pictures(self) -> Iterator[tuple[VideoFrame, int]]:
        for count, item in enumerate(super().pictures()):
            if count == self.lasts:
                raise InvalidInput("camera 'webcam' stopped sending; was it unplugged?")
            yield item

    lasts = 15


def test_a_camera_lost_midway_leaves_what_there_is_and_says_so(tmp_path: Path) -> None:
    report = record(Unplugged(320, 240), tmp_path / "take.mp4")
    assert (report.frames, report.ended) == (15, "source failed")
    assert "unplugged" in report.failure
    assert numbers_in(tmp_path / "take.mp4") == list(range(15))


def test_a_camera_lost_before_its_first_frame_leaves_nothing(tmp_path: Path) -> None:
    source = Unplugged(320, 240)
    source.lasts = 0
    with pytest.raises(InvalidInput, match="unplugged"):
        record(source, tmp_path / "take.mp4")
    with pytest.raises(InvalidInput, match="gave no frame"):
        record(PatternSource(320, 240, frames_in_total=0), tmp_path / "take.mp4")
    assert list(tmp_path.iterdir()) == []


class Hanging(PatternSource):
    """A camera that stops answering after some frames."""

    def frames(self) -> Iterator[object]:  # type: ignore[override]
        for count, captured in enumerate(super().frames()):
            if count == 10:
                time.sleep(60)
            yield captured


def test_a_camera_that_hangs_does_not_keep_the_take_from_being_finished(tmp_path: Path) -> None:
    controls = Controls()
    threading.Timer(1, controls.stop).start()
    report = record(Hanging(320, 240), tmp_path / "take.mp4", controls=controls)  # type: ignore[arg-type]
    assert (report.frames, report.ended) == (10, "asked")


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    for taken in (tmp_path / "take.mp4", partial_path(tmp_path / "take.mp4")):
        taken.write_text("precious")
        with pytest.raises(Conflict, match=taken.name):
            record(PatternSource(320, 240), tmp_path / "take.mp4", seconds=1)
        assert taken.read_text() == "precious"
        taken.unlink()


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(StorageFailed, match="no such file or directory"):
        record(PatternSource(320, 240), tmp_path / "nowhere" / "take.mp4", seconds=1)


SCRIPT = """
import resource, sys
from pathlib import Path
from capture.recorder.recorder import record
from capture.sources.pattern_source import PatternSource
from kinesphere.errors import StorageFailed
if sys.argv[2] != "0":
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), int(sys.argv[2])))
try:
    report = record(PatternSource(320, 240), Path(sys.argv[1]), on_progress=lambda p: print(p.frames, flush=True))
    print(report.ended)
except StorageFailed as error:
    print(error)
"""


def recorder_process(path: Path, size_limit: int = 0) -> subprocess.Popen[str]:
    """A recorder in a process of its own; it prints how many frames it has recorded."""
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(path), str(size_limit)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for_frames(process: subprocess.Popen[str], frames: int) -> int:
    assert process.stdout is not None
    return next(int(line) for line in process.stdout if int(line) >= frames)


def test_recorders_killed_at_random_moments_lose_no_more_than_the_last_second(tmp_path: Path) -> None:
    moments = random.Random(7).sample(range(31, 110), 6)
    paths = [tmp_path / f"{moment}.mp4" for moment in moments]
    with ExitStack() as stack:
        processes = [stack.enter_context(recorder_process(path)) for path in paths]
        for moment, path, process in sorted(zip(moments, paths, processes, strict=True)):
            recorded = wait_for_frames(process, moment)
            process.kill()
            process.wait()
            assert not path.exists()
            partial = numbers_in(partial_path(path))
            assert partial == list(range(len(partial)))
            assert len(partial) >= recorded - 30

            journal = Origin.model_validate_json(journal_path(path).read_bytes())
            assert (journal.device, journal.ended, journal.dropped_frames) == ("test", "interrupted", 0)
            finish(path)
            assert numbers_in(path) == partial
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(path.name for path in paths)


def test_ctrl_c_ends_the_take_properly(tmp_path: Path) -> None:
    with recorder_process(tmp_path / "take.mp4") as process:
        recorded = wait_for_frames(process, 20)
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=30)
    assert output.splitlines()[-1] == "asked"
    assert errors == ""
    assert len(numbers_in(tmp_path / "take.mp4")) >= recorded
    assert [path.name for path in tmp_path.iterdir()] == ["take.mp4"]


def test_a_full_disk_is_said_and_keeps_what_was_recorded(tmp_path: Path) -> None:
    with recorder_process(tmp_path / "take.mp4", 100_000) as process:
        output, errors = process.communicate(timeout=60)
    last = output.splitlines()[-1]
    assert "take.mp4" in last
    assert "no space left on device; free some space" in last
    assert errors == ""
    assert not (tmp_path / "take.mp4").exists()
    finish(tmp_path / "take.mp4")
    numbers = numbers_in(tmp_path / "take.mp4")
    assert len(numbers) > 10
    assert numbers == list(range(len(numbers)))
    assert [path.name for path in tmp_path.iterdir()] == ["take.mp4"]


def test_what_holds_no_frame_cannot_be_finished(tmp_path: Path) -> None:
    partial = partial_path(tmp_path / "take.mp4")
    settings = live_settings(320, 240, 30)
    with H264File(partial, 320, 240, 30, settings, fragmented=True) as file:
        file.write(Pattern(320, 240).frame(0), 0)
    begun = partial.read_bytes()
    for content in (b"\0" * 100, begun[: begun.index(b"moof") - 4]):
        partial.write_bytes(content)
        with pytest.raises(InvalidVideo):
            finish(tmp_path / "take.mp4")
        assert [path.name for path in tmp_path.iterdir()] == [partial.name]


def test_the_preset_is_chosen_so_that_the_machine_keeps_up() -> None:
    assert "veryfast" in str(live_settings(1280, 720, 30, cores=2))
    assert "superfast" in str(live_settings(1920, 1080, 30, cores=2))
    assert "ultrafast" in str(live_settings(3840, 2160, 30, cores=2))
    assert "veryfast" in str(live_settings(1920, 1080, 30, cores=8))
