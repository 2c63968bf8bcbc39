"""Hidden heads: in a clip whose pixels are known, over gaps of a made-up track, and where nobody was found."""

from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from kinesphere.errors import InvalidInput
from kinesphere.trajectory import BASIC_ARRAYS, BODY_LANDMARKS, Valid
from pose.drawing.blur import (
    FILL,
    HOLD_NS,
    BlurReport,
    Cover,
    HeadTrack,
    blur_video,
    cover_at,
    head_track,
    hidden_pixels,
    others_at,
)
from pose.drawing.bystanders import SeenBodies, look_for_people
from pose.networks.models import pose_model
from storage.footage.video_reader import open_video
from tests.support.video_clips import make_clip, uneven_times

SIZE = (192, 144)
FRAMES = 60
HEAD = (0.4, 0.3)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("blur") / "clip.mp4"
    return make_clip(path, times=uneven_times(FRAMES), size=SIZE, metadata={"title": "Anna"}, crf="10", bf="0")


def walk(clip: Path, lost: slice = slice(0, 0)) -> dict[str, NDArray[Any]]:
    """A trajectory for the clip's frames: a head that goes to the right, over shoulders and hips; lost in some."""
    times = np.array(open_video(clip).times, np.int64)
    arrays: dict[str, NDArray[Any]] = {"timestamp": times}
    arrays["body_image"] = np.full((len(times), *BASIC_ARRAYS["body_image"].shape), np.nan, np.float32)
    right = HEAD[0] + np.linspace(0, 0.2, len(times))
    for name, x, y in (
        ("shoulder", 0.05, 0.15), ("hip", 0.04, 0.5), ("ear", 0.02, 0.0), ("eye", 0.01, -0.01)
    ):  # fmt: skip
        for side, sign in (("left", 1), ("right", -1)):
            arrays["body_image"][:, BODY_LANDMARKS.index(f"{side}_{name}"), 0] = right + sign * x
            arrays["body_image"][:, BODY_LANDMARKS.index(f"{side}_{name}"), 1] = HEAD[1] + y
    for landmark in range(11):
        if np.isnan(arrays["body_image"][0, landmark, 0]):
            arrays["body_image"][:, landmark] = np.stack([right, np.full_like(right, HEAD[1]), 0 * right], -1)
    arrays["valid"] = np.full(len(times), int(Valid.BODY), np.uint8)
    arrays["valid"][lost] = 0
    arrays["body_image"][lost] = np.nan
    return arrays


def test_the_head_is_grey_in_every_frame_and_the_rest_as_it_was(clip: Path, tmp_path: Path) -> None:
    arrays, output, done = walk(clip), tmp_path / "blurred.mp4", list[int]()
    with open_video(clip) as video:
        assert blur_video(video, arrays, output, on_progress=done.append) == BlurReport(FRAMES, FRAMES, 0, 0)
        before = [frame.image.astype(int) for frame in video.frames()]
    assert done == list(range(1, FRAMES + 1))
    track = head_track(arrays, SIZE)
    with open_video(output) as video:
        for frame, original in zip(video.frames(), before, strict=True):
            mask = hidden_pixels(cover_at(track, int(arrays["timestamp"][frame.index]))[0], *SIZE)
            x, y = track.centres[frame.index]
            assert mask[round(y), round(x)] and 0.02 < mask.mean() < 0.4
            grey = frame.image[mask].astype(int)
            assert np.abs(grey - round((FILL - 16) * 255 / 219)).max() < 40
            assert np.abs(grey - round((FILL - 16) * 255 / 219)).mean() < 3
            assert np.abs(grey - original[mask]).mean() > 10
            error = ((frame.image.astype(int) - original)[~mask] ** 2).mean()
            assert 10 * np.log10(255**2 / error) > 32


def test_every_frame_keeps_its_time_and_nothing_tells_who_it_is(clip: Path, tmp_path: Path) -> None:
    with open_video(clip) as video:
        blur_video(video, walk(clip), tmp_path / "blurred.mp4")
        expected = video.times, video.info.duration_ns, video.ticks_per_second
    with open_video(tmp_path / "blurred.mp4") as video:
        assert (video.times, video.info.duration_ns, video.ticks_per_second) == expected
        assert (video.info.codec, video.info.pixel_format) == ("h264", "yuv420p")
    assert b"Anna" in clip.read_bytes()
    assert b"Anna" not in (tmp_path / "blurred.mp4").read_bytes()
    assert [path.name for path in tmp_path.iterdir()] == ["blurred.mp4"]


def test_frames_that_say_nothing_of_the_head_are_hidden_whole(clip: Path, tmp_path: Path) -> None:
    arrays = walk(clip, lost=slice(0, FRAMES - 5))
    with open_video(clip) as video:
        report = blur_video(video, arrays, tmp_path / "blurred.mp4")
        assert (report.located, report.frames) == (5, FRAMES)
        assert report.held > 0 and report.whole == FRAMES - 5 - report.held
        assert blur_video(video, arrays, tmp_path / "strict.mp4", strict=True) == BlurReport(FRAMES, 5, 0, FRAMES - 5)
    first = next(iter(open_video(tmp_path / "blurred.mp4").frames())).image.astype(int)
    assert np.ptp(first) < 12


def test_a_video_in_which_nobody_was_found_is_refused(clip: Path, tmp_path: Path) -> None:
    with open_video(clip) as video, pytest.raises(InvalidInput, match=r"no person was found in .*clip\.mp4"):
        blur_video(video, walk(clip, lost=slice(None)), tmp_path / "blurred.mp4")
    assert list(tmp_path.iterdir()) == []


def made_track(found: NDArray[np.bool_], x: NDArray[np.float64]) -> HeadTrack:
    times = np.arange(len(found), dtype=np.int64) * 33_333_333
    centres = np.column_stack([x, np.full(len(x), 100.0)])
    return HeadTrack(times, np.where(found[:, None], centres, np.nan), np.where(found, 20.0, np.nan))


def test_a_gap_is_covered_from_both_sides_and_the_way_between() -> None:
    found = np.ones(40, bool)
    found[10:25] = False
    x = np.linspace(50, 250, 40)
    track = made_track(found, x)
    for frame in range(10, 25):
        cover, located = cover_at(track, int(track.times[frame]))
        assert not located and not cover.whole
        mask = hidden_pixels(cover, 320, 200)
        assert mask[80:120, round(x[9]) : round(x[25])].all()
        assert mask[100, round(x[frame])]


def test_a_held_place_grows_with_the_time_and_then_everything_is_hidden() -> None:
    found = np.zeros(90, bool)
    found[:5] = True
    track = made_track(found, np.full(90, 160.0))
    covers = [cover_at(track, int(time))[0] for time in track.times]
    assert all(not cover.whole for cover, time in zip(covers, track.times, strict=True) if time < HOLD_NS)
    assert all(cover.whole for cover, time in zip(covers, track.times - track.times[4], strict=True) if time > HOLD_NS)
    sizes = [hidden_pixels(cover, 320, 200).sum() for cover in covers[4:]]
    assert (np.diff(sizes) >= 0).all() and sizes[20] > 2 * sizes[0]


def test_what_a_filter_filled_in_does_not_count_as_seen(clip: Path) -> None:
    arrays = walk(clip)
    arrays["valid"][10:20] |= int(Valid.INTERPOLATED)
    assert np.flatnonzero(np.isnan(head_track(arrays, SIZE).radii)).tolist() == list(range(10, 20))


@given(st.lists(st.booleans(), min_size=1, max_size=60), st.integers(0, 2_100_000_000), st.booleans())
def test_no_moment_is_without_a_cover(found: list[bool], time: int, strict: bool) -> None:
    track = made_track(np.array(found), np.linspace(0, 300, len(found)))
    cover, located = cover_at(track, time, strict=strict)
    assert cover.whole or cover.ellipses
    assert not (located and cover.whole)


def test_people_seen_around_a_moment_are_hidden_in_it_and_no_longer(clip: Path, tmp_path: Path) -> None:
    body = walk(clip)["body_image"][:1, :, :2].astype(np.float64) * SIZE
    seen = [SeenBodies(1_000_000_000, body + np.array([40, 20])), SeenBodies(1_200_000_000, np.zeros((0, 33, 2)))]
    (near,) = others_at(seen, 1_000_000_000)
    (later,) = others_at(seen, 1_400_000_000)
    assert near[:2] == later[:2] == pytest.approx((HEAD[0] * SIZE[0] + 40, HEAD[1] * SIZE[1] + 20), abs=2)
    assert later[2] == pytest.approx(near[2] * 1.6)
    assert others_at(seen, 1_600_000_000) == others_at(seen, 400_000_000) == ()
    with open_video(clip) as video:
        blur_video(video, walk(clip), tmp_path / "blurred.mp4", others=seen)
    frames = {frame.timestamp_ns: frame.image for frame in open_video(tmp_path / "blurred.mp4").frames()}
    at = min(frames, key=lambda time: abs(time - 1_000_000_000))
    assert np.ptp(frames[at][round(near[1]) - 3 : round(near[1]) + 3, round(near[0])].astype(int)) < 25


def test_the_woman_who_walks_past_is_seen_and_her_head_is_hidden(body_clip: Path, tmp_path: Path) -> None:
    """In the middle of the clip she walks across the lawn, while the contributor is on the roof."""
    first, last = 96, 108
    path = tmp_path / "past.mp4"
    with av.open(str(path), "w") as file:
        for frame in open_video(body_clip).frames():
            if frame.index == last:
                break
            if frame.index >= first:
                if frame.index == first:
                    stream = file.add_stream("libx264", rate=30, options={"preset": "ultrafast", "crf": "18"})
                    stream.height, stream.width = frame.image.shape[:2]
                file.mux(stream.encode(av.VideoFrame.from_ndarray(frame.image, format="rgb24")))
        file.mux(stream.encode(None))
    with open_video(path) as video:
        seen = look_for_people(video, pose_model())
        assert [look.timestamp_ns // 1_000_000 for look in seen] == [0, 200]
        middle = hidden_pixels(Cover(others_at(seen, 100_000_000)), video.width, video.height)
    assert middle[round(0.57 * 994), round(0.585 * 1768)]
    assert middle.mean() < 0.05
