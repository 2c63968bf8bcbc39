"""Importing: true times, upright pictures, copies without loss, and nothing half-written."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from capture.drafts.video_import import import_video
from capture.sources.numbered_pattern import read_counter
from kinesphere.errors import Conflict, InvalidInput, InvalidVideo, StorageFailed
from storage.footage.video_reader import open_video
from tests.support.video_clips import TICKS, cut_off, damage_frames, make_clip, make_sound, uneven_times

QUIET = {"x265-params": "log-level=none"}
ENCODED: dict[str, tuple[str, dict[str, Any], str]] = {
    "vp9": ("a.webm", {"codec": "libvpx-vp9", "deadline": "realtime", "cpu-used": "8"}, "vp9"),
    "hevc": ("a.mp4", {"codec": "libx265", "preset": "ultrafast", **QUIET}, "hevc"),
    "10 bit": ("a.mp4", {"pixel_format": "yuv420p10le"}, "yuv420p10le"),
    "grey": ("a.mkv", {"codec": "ffv1", "pixel_format": "gray"}, "ffv1"),
    "turned by 90": ("a.mp4", {"turned": 90}, "turned"),
    "turned by 180": ("a.mp4", {"turned": 180}, "turned"),
    "turned by 270": ("a.mp4", {"turned": 270}, "turned"),
    "mirrored": ("a.mp4", {"mirrored": True}, "mirrored"),
    "odd size": ("a.mp4", {"pixel_format": "yuv444p", "size": (1081, 719), "preset": "ultrafast"}, "yuv444p"),
    "full range": ("a.mp4", {"pixel_format": "yuvj420p", "full_range": True}, "yuvj420p"),
}
COPIED: dict[str, tuple[str, dict[str, Any]]] = {
    "B-frames": ("a.mp4", {"bf": "3"}),
    "starts late": ("a.mp4", {"start": 123_456}),
    "matroska": ("a.mkv", {"start": 90_000}),
    "fragmented": ("a.mp4", {"muxer": {"movflags": "frag_keyframe+empty_moov+default_base_moof"}, "g": "5"}),
}


def numbers_and_times(path: Path) -> tuple[list[int], list[int]]:
    frames = list(open_video(path).frames())
    return [read_counter(frame.image) for frame in frames], [frame.timestamp_ns for frame in frames]


@pytest.mark.parametrize("kind", ENCODED)
def test_other_videos_are_encoded_again_with_every_frame_at_its_time(kind: str, tmp_path: Path) -> None:
    name, options, why = ENCODED[kind]
    times = uneven_times(25)
    source = make_clip(tmp_path / name, times=times, **options)
    report = import_video(source, tmp_path / "stored.mp4")
    numbers, found = numbers_and_times(tmp_path / "stored.mp4")
    assert numbers == list(range(25))
    np.testing.assert_allclose(found, np.array(times) * 1e9 / TICKS, rtol=0, atol=1e9 / TICKS)
    assert report.transcoded
    assert why in report.reason
    assert (report.info.codec, report.info.pixel_format, report.info.rotation) == ("h264", "yuv420p", 0)
    width, height = options.get("size", (192, 144))
    assert (report.info.width, report.info.height) == (width - width % 2, height - height % 2)
    assert report.source_sha256 == hashlib.sha256(source.read_bytes()).hexdigest()


@pytest.mark.parametrize("kind", COPIED)
def test_upright_h264_is_copied_without_loss(kind: str, tmp_path: Path) -> None:
    name, options = COPIED[kind]
    times = uneven_times(25)
    source = make_clip(tmp_path / name, times=times, **options)
    report = import_video(source, tmp_path / "stored.mp4")
    numbers, found = numbers_and_times(tmp_path / "stored.mp4")
    assert (report.transcoded, report.reason) == (False, "")
    assert numbers == list(range(25))
    np.testing.assert_allclose(found, np.array(times) * 1e9 / TICKS, rtol=0, atol=1e9 / TICKS)
    pairs = zip(open_video(source).frames(), open_video(tmp_path / "stored.mp4").frames(), strict=True)
    assert all(np.array_equal(before.image, after.image) for before, after in pairs)


def test_an_edit_list_is_made_true_by_encoding(tmp_path: Path) -> None:
    times = uneven_times(30)
    source = make_clip(tmp_path / "trimmed.mp4", times=times, shift_packets=-times[10])
    report = import_video(source, tmp_path / "stored.mp4")
    numbers, found = numbers_and_times(tmp_path / "stored.mp4")
    assert numbers == list(range(10, 30))
    wanted = (np.array(times[10:]) - times[10]) * 1e9 / TICKS
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e9 / TICKS)
    assert report.transcoded


def test_avi_gets_the_order_in_which_frames_are_shown(tmp_path: Path) -> None:
    import_video(make_clip(tmp_path / "old.avi", 20, rate=25, bf="2"), tmp_path / "stored.mp4")
    numbers, found = numbers_and_times(tmp_path / "stored.mp4")
    assert numbers == list(range(20))
    np.testing.assert_allclose(found, np.arange(20) * 40e6, rtol=0, atol=1e9 / TICKS)


def test_damaged_frames_are_left_out_and_reported(tmp_path: Path) -> None:
    times = uneven_times(40)
    source = damage_frames(make_clip(tmp_path / "a.mp4", times=times, g="10", bf="0"), [14])
    report = import_video(source, tmp_path / "stored.mp4")
    numbers, found = numbers_and_times(tmp_path / "stored.mp4")
    assert report.transcoded
    assert 14 not in numbers
    assert len(numbers) + len(report.damaged) == 40
    np.testing.assert_allclose(found, np.array([times[n] for n in numbers]) * 1e9 / TICKS, rtol=0, atol=1e9 / TICKS)


def test_the_last_frame_keeps_its_length(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "a.webm", 30, codec="libvpx-vp9", deadline="realtime")
    report = import_video(source, tmp_path / "stored.mp4")
    assert report.info.duration_ns == pytest.approx(1e9, abs=2e6)
    assert report.info.frame_rate == pytest.approx(30, abs=0.05)


FULL_RANGE = {"codec": "mjpeg", "pixel_format": "yuvj420p", "full_range": True, "strict": "unofficial"}
LIMITED_RANGE = {"codec": "ffv1"}


@pytest.mark.parametrize("options", [FULL_RANGE, LIMITED_RANGE], ids=["full range", "limited range"])
def test_black_and_white_stay_black_and_white(options: dict[str, Any], tmp_path: Path) -> None:
    source = make_clip(tmp_path / "a.mkv", 3, **options)
    import_video(source, tmp_path / "stored.mp4")
    before = [frame.image.astype(int) for frame in open_video(source).frames()]
    after = [frame.image.astype(int) for frame in open_video(tmp_path / "stored.mp4").frames()]
    for one, other in zip(before, after, strict=True):
        assert abs(one.mean() - other.mean()) < 1.5
        for share in (2, 98):
            assert abs(np.percentile(one, share) - np.percentile(other, share)) < 6


def test_sound_and_metadata_stay_behind(tmp_path: Path) -> None:
    for name, options in {"copied.mp4": {}, "encoded.mp4": {"turned": 90}}.items():
        source = tmp_path / name
        make_clip(source, 5, metadata={"location": "+52.5+13.4/", "title": "my kitchen"}, **options)  # type: ignore[arg-type]
        import_video(source, tmp_path / f"stored_{name}")
        with av.open(str(tmp_path / f"stored_{name}")) as container:
            assert [stream.type for stream in container.streams] == ["video"]
        content = (tmp_path / f"stored_{name}").read_bytes()
        assert b"my kitchen" in source.read_bytes()
        assert b"my kitchen" not in content
        assert b"+52.5" not in content


def test_bad_files_give_one_line_and_leave_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "text.mp4").write_text("no video\n" * 100)
    (tmp_path / "empty.mp4").touch()
    make_sound(tmp_path / "song.m4a")
    cut_off(make_clip(tmp_path / "a.mp4", 40), tmp_path / "cut1.mp4")
    cut_off(make_clip(tmp_path / "b.mp4", 40, muxer={"movflags": "faststart"}), tmp_path / "cut2.mp4")
    before = set(tmp_path.iterdir())
    for name in ("text.mp4", "empty.mp4", "song.m4a", "cut1.mp4", "cut2.mp4"):
        with pytest.raises(InvalidVideo, match=name) as caught:
            import_video(tmp_path / name, tmp_path / "stored.mp4")
        assert "\n" not in str(caught.value)
    with pytest.raises(InvalidInput, match=r"nowhere\.mp4"):
        import_video(tmp_path / "nowhere.mp4", tmp_path / "stored.mp4")
    assert set(tmp_path.iterdir()) == before
    assert capfd.readouterr() == ("", "")


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "stored.mp4").write_text("precious")
    with pytest.raises(Conflict, match=r"stored\.mp4"):
        import_video(make_clip(tmp_path / "a.mp4"), tmp_path / "stored.mp4")
    assert (tmp_path / "stored.mp4").read_text() == "precious"


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(StorageFailed, match="no such file or directory"):
        import_video(make_clip(tmp_path / "a.mp4"), tmp_path / "nowhere" / "stored.mp4")


@pytest.mark.parametrize("turned", [0, 180], ids=["copying", "encoding"])
def test_a_full_disk_is_said_and_leaves_nothing(turned: int, tmp_path: Path) -> None:
    source = make_clip(tmp_path / "a.mp4", 200, turned=turned, g="1")
    code = f"""
import resource, sys
from pathlib import Path
from capture.drafts.video_import import import_video
from kinesphere.errors import StorageFailed
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    import_video(Path({str(source)!r}), Path({str(tmp_path / "stored.mp4")!r}))
except StorageFailed as error:
    print(error)
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "no space left on device; free some space" in result.stdout
    assert result.stdout.count("\n") == 1
    assert result.stderr == ""
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


def test_progress_counts_up_to_all_frames(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    source = make_clip(tmp_path / "a.webm", 12, codec="libvpx-vp9", deadline="realtime")
    import_video(source, tmp_path / "stored.mp4", on_progress=lambda done, total: seen.append((done, total)))
    assert seen == [(i + 1, 12) for i in range(12)]
