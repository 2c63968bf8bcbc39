"""Videos from the field: what a file says wrongly is put right or said; no picture made from missing ones passes."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from capture.drafts.video_import import ImportReport, import_video
from capture.recorder.mp4_file import copy_stream
from capture.sources.numbered_pattern import read_counter
from kinesphere.errors import InvalidVideo
from storage.footage.video_reader import open_video
from tests.support.video_clips import join, make_clip, rewrite

FRAMES = 90
STEP_NS = 1e9 / 30
MJPEG: dict[str, Any] = {"codec": "mjpeg", "pixel_format": "yuvj420p", "full_range": True, "strict": "unofficial"}
H264: dict[str, Any] = {"bf": "0", "g": "30"}
WRONG_TIMES: dict[str, tuple[Callable[[int, int], int], float]] = {
    "two frames with one time": (lambda number, time: 1467 if number == 45 else time, 0.6),
    "one frame is 1 ms back": (lambda number, time: 1466 if number == 45 else time, 0.6),
    "times step back by 400 ms": (lambda number, time: time - 400 if number >= 45 else time, 0.1),
    "times leap by 10^7 s": (lambda number, time: time + 10**10 if number >= 45 else time, 0.1),
    "one frame is 20 s early": (lambda number, time: time + 20_000 if number != 45 else time, 0.1),
    "five frames are 2 h late": (lambda number, time: time + 7_200_000 if 45 <= number < 50 else time, 0.1),
}


def imported(source: Path) -> tuple[ImportReport, list[int], np.ndarray]:
    """What a video becomes: the report, the numbers that its frames show, and their times in steps of 1/30 s."""
    stored = source.with_name("stored.mp4")
    report = import_video(source, stored)
    frames = list(open_video(stored).frames())
    return report, [read_counter(f.image) for f in frames], np.array([f.timestamp_ns for f in frames]) / STEP_NS


@pytest.mark.parametrize("options", [H264, MJPEG], ids=["h264", "mjpeg"])
@pytest.mark.parametrize("wrong", WRONG_TIMES)
def test_every_frame_is_kept_in_order_where_times_cannot_be_true(
    wrong: str, options: dict[str, Any], tmp_path: Path
) -> None:
    changed, tolerance = WRONG_TIMES[wrong]
    clip = make_clip(tmp_path / "a.mkv", FRAMES, **options)
    report, numbers, times = imported(rewrite(clip, tmp_path / "wrong.mkv", times=changed))
    assert numbers == list(range(FRAMES))
    np.testing.assert_allclose(times, np.arange(FRAMES), rtol=0, atol=tolerance)
    assert 1 <= len(report.retimed) <= 2
    assert all(44 < time / STEP_NS < 51 for time in report.retimed)
    assert "could not be true" in report.losses
    assert report.damaged == ()


def test_times_of_decoding_are_given_to_frames_in_the_order_shown(tmp_path: Path) -> None:
    """FFmpeg copies raw H.264 with B-frames so: every packet's time is that of decoding."""
    clip = make_clip(tmp_path / "a.mkv", FRAMES, bf="2")
    source = rewrite(clip, tmp_path / "wrong.mkv", times=lambda number, time: round(number * 100 / 3))
    report, numbers, times = imported(source)
    assert numbers == list(range(FRAMES))
    np.testing.assert_allclose(times, np.arange(FRAMES), rtol=0, atol=0.1)
    assert report.transcoded


@pytest.mark.parametrize("b_frames", ["0", "3"])
@pytest.mark.parametrize("name", ["lost.mp4", "lost.mkv", "lost.ts"])
def test_frames_made_from_packets_that_are_missing_are_damaged(name: str, b_frames: str, tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "a.mp4", FRAMES, g="50", keyint_min="50", sc_threshold="0", bf=b_frames)
    report, numbers, _ = imported(rewrite(clip, tmp_path / name, without=range(10, 16)))
    whole = [*range(11 if b_frames == "3" else 10), *range(50, FRAMES)]
    assert set(numbers) <= set(whole)
    assert len(numbers) >= len(whole) - 3
    assert len(numbers) + len(report.damaged) == FRAMES - 6
    assert report.transcoded
    assert all(8 * STEP_NS < time < 50 * STEP_NS for time in report.damaged)
    assert "could not be decoded and are left out" in report.losses


@pytest.mark.parametrize("without", [range(12), range(40, 46)], ids=["joined in the middle", "with a hole"])
def test_pictures_that_are_refreshed_bit_by_bit_are_used_once_they_are_whole(without: range, tmp_path: Path) -> None:
    options: dict[str, Any] = {"size": (320, 240), "bf": "0", "x264-params": "intra-refresh=1:keyint=30"}
    clip = make_clip(tmp_path / "a.mp4", FRAMES, **options)
    report, numbers, _ = imported(rewrite(clip, tmp_path / "joined.mkv", without=without))
    assert len(numbers) + len(report.damaged) == FRAMES - len(without)
    assert numbers[-1] == FRAMES - 1
    assert numbers == [n for n in range(FRAMES) if n in set(numbers)]
    if without == range(12):
        assert len(numbers) == 42
        assert max(report.damaged) < 0
        assert "before the first that is shown" in report.losses
    else:
        assert set(range(40)) <= set(numbers)
        assert len(numbers) > 50


def test_a_picture_that_changes_its_size_gets_borders_and_is_said(tmp_path: Path) -> None:
    sizes = [(320, 240), (240, 320), (640, 480), (320, 240)]
    clips = [make_clip(tmp_path / f"{i}.ts", 30, size=size, bf="0", tune="zerolatency") for i, size in enumerate(sizes)]
    source = join(clips, tmp_path / "turned.ts")
    report = import_video(source, tmp_path / "stored.mp4")
    assert (report.info.width, report.info.height, report.info.frames) == (320, 240, 120)
    assert [round(time / STEP_NS) for time in report.reshaped] == [30, 60, 90]
    assert "shape from 1.00 s to 3.00 s" in report.losses
    images = [frame.image for frame in open_video(tmp_path / "stored.mp4").frames()]
    assert images[45][:, :60].max() < 30
    assert images[45][:, 260:].max() < 30
    numbers = [read_counter(image[:, 70:250] if 30 <= i < 60 else image) for i, image in enumerate(images)]
    assert numbers == 4 * list(range(30))


def test_transport_streams_put_together_are_read_to_the_end(tmp_path: Path) -> None:
    part = make_clip(tmp_path / "part.ts", 60, bf="0", g="30")
    (tmp_path / "all.ts").write_bytes(2 * part.read_bytes())
    report, numbers, times = imported(tmp_path / "all.ts")
    assert len(numbers) + len(report.damaged) == 120
    assert len(report.damaged) <= 2, "the demuxer takes the last packet of the first part for one that was cut"
    assert numbers[-60:] == list(range(60))
    np.testing.assert_allclose(np.diff(times), 1, rtol=0, atol=0.1)
    assert "had stated times that could not be true" in report.losses


@pytest.mark.parametrize("codec", ["libx264", "libx265", "mjpeg"])
def test_pictures_without_a_container_are_named_with_how_to_wrap_them(codec: str, tmp_path: Path) -> None:
    kind = {"libx264": "h264", "libx265": "hevc", "mjpeg": "mjpeg"}[codec]
    options = {**MJPEG, "codec": codec} if codec == "mjpeg" else {"codec": codec, "x265-params": "log-level=none"}
    source = make_clip(tmp_path / f"raw.{kind}", 10, rate=30, **options)
    with pytest.raises(InvalidVideo, match=re.escape(f"ffmpeg -f {kind} -framerate 30 -i {source}")) as caught:
        import_video(source, tmp_path / "stored.mp4")
    assert "states no frame times" in str(caught.value)


def test_a_title_in_another_encoding_is_no_hindrance(tmp_path: Path) -> None:
    for name in ("a.mkv", "a.mp4"):
        source = make_clip(tmp_path / name, 20, metadata={"title": "Kuche mit Herd"})
        source.write_bytes(source.read_bytes().replace(b"Kuche", b"K\xfcche"))
        report = import_video(source, tmp_path / f"stored-{name}.mp4")
        assert (report.info.frames, report.losses) == (20, "")


def test_what_a_muxer_refuses_is_no_error_of_the_disk(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "a.mkv", FRAMES, **H264)
    source = rewrite(clip, tmp_path / "wrong.mkv", times=lambda number, time: 1467 if number == 45 else time)
    with pytest.raises(InvalidVideo, match=r"packets of .*wrong\.mkv cannot be copied"):
        copy_stream(source, tmp_path / "copy.mp4")


def test_good_videos_have_no_losses(tmp_path: Path) -> None:
    kinds: list[dict[str, Any]] = [
        {"bf": "3"},
        {"bf": "2", "g": "10", "x264-params": "open-gop=1"},
        {"refs": "5", "x264-params": "b-pyramid=strict:bframes=5:interlaced=1"},
        {"x264-params": "intra-refresh=1"},
    ]
    for number, options in enumerate(kinds):
        source = make_clip(tmp_path / f"{number}.mp4", FRAMES, **options)
        report = import_video(source, tmp_path / f"stored-{number}.mp4")
        assert (report.transcoded, report.losses, report.info.frames) == (False, "", FRAMES)


def test_pictures_that_are_too_large_are_refused_before_they_are_decoded(tmp_path: Path) -> None:
    for name in ("a.mp4", "a.mkv", "a.ts"):
        source = blank_clip(tmp_path / name, 6400)
        code = f"""
import resource, sys
from pathlib import Path
from capture.drafts.video_import import import_video
from kinesphere.errors import InvalidVideo
import av, numpy
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    import_video(Path({str(source)!r}), Path({str(tmp_path / "stored.mp4")!r}))
except InvalidVideo as error:
    print(error)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        said, taken = done.stdout.splitlines()
        assert "has pictures of 6400x6400 and can have at most 40 million pixels" in said
        assert int(taken) < 40_000, "kilobytes: one picture takes 61,000"


def test_a_video_of_too_many_frames_is_refused_before_it_is_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("capture.drafts.video_import.MAX_FRAMES", 10)
    with pytest.raises(InvalidVideo, match="has 12 frames and can have at most 10"):
        import_video(make_clip(tmp_path / "a.mp4", 12), tmp_path / "stored.mp4")


def blank_clip(path: Path, side: int) -> Path:
    """Write two square pictures in one colour, in a few kilobytes."""
    options = {"preset": "ultrafast", "threads": "1", "rc-lookahead": "0"}
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30, options=options)
        stream.width, stream.height, stream.pix_fmt = side, side, "yuv420p"
        stream.codec_context.max_b_frames = 0
        picture = av.VideoFrame(side, side, "yuv420p")
        for plane in picture.planes:
            plane.update(bytes(plane.buffer_size))
        for number in range(2):
            picture.pts, picture.time_base = number, Fraction(1, 30)
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return path
