"""Reading videos: true times, upright pixels, and one clear line for files that cannot be read."""

from __future__ import annotations

import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from capture.sources.numbered_pattern import read_counter
from kinesphere.errors import InvalidInput, InvalidVideo
from kinesphere.objects.store import open_objects
from storage.footage.video_reader import open_video
from tests.support.video_clips import TICKS, cut_off, damage_frames, make_clip, make_sound, uneven_times

QUIET = {"x265-params": "log-level=none"}
KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "h264 with B-frames": ("a.mp4", {"bf": "3"}),
    "h264 without B-frames": ("a.mp4", {"bf": "0"}),
    "h264 in matroska": ("a.mkv", {}),
    "h264 in a transport stream": ("a.ts", {}),
    "h264 fragmented": ("a.mp4", {"muxer": {"movflags": "frag_keyframe+empty_moov+default_base_moof"}, "g": "5"}),
    "starts late": ("a.mp4", {"start": 123_456}),
    "starts late in matroska": ("a.mkv", {"start": 900_000}),
    "vp9": ("a.webm", {"codec": "libvpx-vp9", "deadline": "realtime", "cpu-used": "8"}),
    "vp8": ("a.webm", {"codec": "libvpx", "deadline": "realtime", "cpu-used": "8", "b": "2M"}),
    "hevc": ("a.mp4", {"codec": "libx265", "preset": "ultrafast", **QUIET}),
    "hevc 10 bit": ("a.mp4", {"codec": "libx265", "preset": "ultrafast", "pixel_format": "yuv420p10le", **QUIET}),
    "h264 10 bit": ("a.mp4", {"pixel_format": "yuv420p10le"}),
    "grey": ("a.mp4", {"pixel_format": "gray"}),
    "odd size": ("a.mp4", {"pixel_format": "yuv444p", "size": (1081, 719), "preset": "ultrafast"}),
    "width of no alignment": ("a.mp4", {"size": (1768 // 4, 250)}),
}


@pytest.mark.parametrize("kind", KINDS)
def test_each_frame_shows_its_number_at_its_true_time(kind: str, tmp_path: Path) -> None:
    name, options = KINDS[kind]
    times = uneven_times(25)
    video = open_video(make_clip(tmp_path / name, times=times, **options))
    frames = list(video.frames())
    assert [read_counter(frame.image) for frame in frames] == list(range(25))
    assert [frame.index for frame in frames] == list(range(25))
    found = np.array([frame.timestamp_ns for frame in frames])
    np.testing.assert_allclose(found, np.array(times) * 1e9 / TICKS, rtol=0, atol=1e9 / TICKS)
    assert video.times == tuple(found)
    assert (video.info.frames, video.damaged) == (25, ())
    size = options.get("size", (192, 144))
    assert all(frame.image.shape == (size[1], size[0], 3) for frame in frames)
    assert all(frame.image.flags.c_contiguous for frame in frames)


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("turned", [0, 90, 180, 270])
def test_pictures_are_upright_however_they_are_stored(turned: int, mirrored: bool, tmp_path: Path) -> None:
    video = open_video(make_clip(tmp_path / "phone.mp4", 5, size=(256, 144), turned=turned, mirrored=mirrored))
    assert [read_counter(frame.image) for frame in video.frames()] == list(range(5))
    for frame in video.frames():
        assert frame.image.shape == (144, 256, 3)
        below_left, below_right = frame.image[-40:, 50:120], frame.image[-40:, 136:]
        assert below_left.mean() > 150 > below_right.mean()
    assert (video.info.width, video.info.height) == (256, 144)
    assert video.is_shown_as_stored == (turned == 0 and not mirrored)
    if not mirrored:
        assert video.info.rotation == turned


def test_turning_agrees_with_opencv(tmp_path: Path) -> None:
    """The clips are made with our own reading of display matrices; OpenCV has another."""
    import cv2

    for turned in (90, 180, 270):
        capture = cv2.VideoCapture(str(make_clip(tmp_path / f"{turned}.mp4", 3, turned=turned)))
        found, picture = capture.read()
        capture.release()
        assert found
        assert read_counter(np.asarray(picture, dtype=np.uint8)) == 0


def test_avi_without_times_is_read_in_the_order_shown(tmp_path: Path) -> None:
    video = open_video(make_clip(tmp_path / "old.avi", 20, rate=25, bf="2"))
    frames = list(video.frames())
    assert [read_counter(frame.image) for frame in frames] == list(range(20))
    assert [frame.timestamp_ns for frame in frames] == [i * 40_000_000 for i in range(20)]


def test_frames_that_an_edit_list_cuts_away_are_no_frames(tmp_path: Path) -> None:
    times = uneven_times(30)
    clip = make_clip(tmp_path / "trimmed.mp4", times=times, shift_packets=-times[10])
    video = open_video(clip)
    frames = list(video.frames())
    assert [read_counter(frame.image) for frame in frames] == list(range(10, 30))
    wanted = (np.array(times[10:]) - times[10]) * 1e9 / TICKS
    np.testing.assert_allclose([frame.timestamp_ns for frame in frames], wanted, rtol=0, atol=1e9 / TICKS)
    assert (video.info.frames, video.damaged) == (20, ())


def test_pixels_that_are_not_square_are_stretched(tmp_path: Path) -> None:
    video = open_video(make_clip(tmp_path / "camcorder.mp4", 3, sample_aspect=Fraction(4, 3)))
    assert (video.info.width, video.info.height) == (256, 144)
    assert [frame.image.shape for frame in video.frames()] == [(144, 256, 3)] * 3
    assert not video.is_shown_as_stored


def test_info_measures_what_is_in_the_file(tmp_path: Path) -> None:
    times = [0, 3000, 6000, 18000]
    info = open_video(make_clip(tmp_path / "a.mp4", times=times, bf="0")).info
    assert info.frame_rate == pytest.approx(3 / 0.2)
    assert info.duration_ns >= 200_000_000
    assert (info.codec, info.pixel_format) == ("h264", "yuv420p")


def test_an_open_file_reads_like_a_path_even_twice_at_once(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "a.mp4", 12)
    objects = open_objects(tmp_path)
    from_path = [frame.image for frame in open_video(clip).frames()]
    with objects.open("a.mp4") as file:
        video = open_video(file, "a.mp4")
        both = list(zip(video.frames(), video.frames(), strict=True))
        assert video.info == open_video(clip).info
    for image, (first, second) in zip(from_path, both, strict=True):
        assert np.array_equal(image, first.image)
        assert np.array_equal(image, second.image)


def test_frames_that_do_not_decode_are_left_out_and_told(tmp_path: Path) -> None:
    times = uneven_times(40)
    clip = damage_frames(make_clip(tmp_path / "a.mp4", times=times, g="10", bf="0"), [14, 25])
    video = open_video(clip)
    shown = {read_counter(frame.image): frame.timestamp_ns for frame in video.frames()}
    lost = [i for i in range(40) if i not in shown]
    assert {14, 25} <= set(lost)
    assert len(lost) <= 12, "only frames up to the next keyframe may be lost"
    assert video.damaged == tuple(round(times[i] * 1e9 / TICKS) for i in lost)
    assert all(timestamp == round(times[i] * 1e9 / TICKS) for i, timestamp in shown.items())
    assert video.info.frames == 40


def bad_files(folder: Path) -> dict[str, Path]:
    """Files that are no video, by what is wrong with them."""
    make_clip(folder / "whole.mp4", 40)
    make_clip(folder / "index_first.mp4", 40, muxer={"movflags": "faststart"})
    make_clip(folder / "whole.webm", 60, codec="libvpx-vp9", deadline="realtime")
    (folder / "text.mp4").write_text("this is not a video\n" * 200)
    (folder / "text.txt").write_text("this is not a video\n" * 200)
    (folder / "empty.mp4").touch()
    (folder / "playlist.mp4").write_text(f"ffconcat version 1.0\nfile '{folder / 'whole.mp4'}'\n")
    (folder / "playlist.m3u8").write_text(f"#EXTM3U\n#EXTINF:1,\n{folder / 'whole.mp4'}\n#EXT-X-ENDLIST\n")
    with av.open(str(folder / "no_frames.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=30)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        container.start_encoding()
    return {
        "text": folder / "text.mp4",
        "text of another name": folder / "text.txt",
        "0 bytes": folder / "empty.mp4",
        "list of files": folder / "playlist.mp4",
        "playlist": folder / "playlist.m3u8",
        "sound only": make_sound(folder / "song.m4a"),
        "no frames": folder / "no_frames.mp4",
        "cut off, index last": cut_off(folder / "whole.mp4", folder / "cut1.mp4"),
        "cut off, index first": cut_off(folder / "index_first.mp4", folder / "cut2.mp4"),
        "cut off by a little": cut_off(folder / "index_first.mp4", folder / "cut3.mp4", 0.995),
        "cut off webm": cut_off(folder / "whole.webm", folder / "cut.webm"),
    }


def test_a_file_that_is_no_video_is_refused_in_one_line_that_names_it(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for kind, path in bad_files(tmp_path).items():
        for source in (path, path.open("rb")):
            with pytest.raises(InvalidVideo) as caught:
                open_video(source, path.name).info  # noqa: B018
            message = str(caught.value)
            assert path.name in message, kind
            assert "\n" not in message, kind
            assert ("cut off" in message) == ("cut off" in kind), f"{kind}: {message}"
            if not isinstance(source, Path):
                source.close()
    assert capfd.readouterr() == ("", ""), "FFmpeg's own messages must not reach the terminal"


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    for path in (tmp_path / "nowhere.mp4", tmp_path):
        with pytest.raises(InvalidInput, match=path.name):
            open_video(path)


def test_a_fragmented_file_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    options = {"movflags": "frag_keyframe+empty_moov+default_base_moof"}
    whole = make_clip(tmp_path / "whole.mp4", 60, muxer=options, g="5", bf="0")
    video = open_video(cut_off(whole, tmp_path / "crashed.mp4", 0.7))
    numbers = [read_counter(frame.image) for frame in video.frames()]
    assert numbers == list(range(len(numbers)))
    assert 30 <= len(numbers) < 60


def test_importing_the_reader_loads_no_ffmpeg() -> None:
    code = "import sys, storage.footage.video_reader; sys.exit('av' in sys.modules or 'cv2' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
