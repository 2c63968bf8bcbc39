"""Videos as people have them: each gives a trajectory, or one line that says why not."""

from __future__ import annotations

import itertools
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from kinesphere.errors import InvalidVideo
from kinesphere.trajectory import Trajectory, Valid
from pose.extractors.mediapipe_extractor import MediaPipeExtractor
from pose.networks.models import hand_model, pose_model
from storage.footage.video_reader import open_video
from tests.support.video_clips import cut_off, make_sound


@pytest.fixture(scope="module")
def extractor() -> MediaPipeExtractor:
    return MediaPipeExtractor(pose_model(), hand_model())


@pytest.fixture(scope="module")
def pictures(body_clip: Path) -> list[NDArray[np.uint8]]:
    """Ten frames in which a man stands, uint8 (994, 1768, 3)."""
    return [frame.image for frame in itertools.islice(open_video(body_clip).frames(), 10)]


def written(path: Path, pictures: list[NDArray[np.uint8]], rate: int = 30, pixel_format: str = "yuv420p") -> Path:
    with av.open(str(path), "w") as file:
        stream = file.add_stream("libx264", rate=rate, options={"preset": "ultrafast", "bf": "0"})
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = pixel_format
        stream.codec_context.time_base = Fraction(1, rate)
        for number, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts = number
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    return path


def extracted(extractor: MediaPipeExtractor, clip: Path) -> Trajectory:
    with open_video(clip) as video:
        return extractor.extract(video, recording="r", contributor="c")


def bodies(found: Trajectory) -> int:
    return int(np.count_nonzero(found.arrays["valid"] & Valid.BODY))


def scaled(picture: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    import cv2

    return np.ascontiguousarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


@pytest.mark.parametrize("rate", [8, 120])
def test_slow_and_fast_cameras_keep_their_own_times(
    rate: int, extractor: MediaPipeExtractor, pictures: list[NDArray[np.uint8]], tmp_path: Path
) -> None:
    small = [scaled(picture, 884, 496) for picture in pictures]
    found = extracted(extractor, written(tmp_path / "clip.mp4", small, rate))
    np.testing.assert_allclose(np.diff(found.arrays["timestamp"]), 1e9 / rate, rtol=1e-3)
    assert bodies(found) >= 5


def test_a_body_in_4k_grey_or_upside_down_is_a_body(
    extractor: MediaPipeExtractor, pictures: list[NDArray[np.uint8]], tmp_path: Path
) -> None:
    large = [scaled(picture, 3840, 2160) for picture in pictures[:3]]
    assert bodies(extracted(extractor, written(tmp_path / "4k.mp4", large))) >= 2
    close = [np.ascontiguousarray(picture[:480, 400:880]) for picture in pictures]
    assert bodies(extracted(extractor, written(tmp_path / "grey.mp4", close, pixel_format="gray"))) >= 5
    over = [np.ascontiguousarray(picture[::-1, ::-1]) for picture in close]
    found = extracted(extractor, written(tmp_path / "over.mp4", over))
    assert bodies(found) >= 5
    nose, hips = found.arrays["body_image"][5, 0, 1], found.arrays["body_image"][5, 23:25, 1].mean()
    assert nose > hips, "nobody turned the picture, so the head is below"


def test_a_stamp_of_96_by_96_is_a_trajectory(
    extractor: MediaPipeExtractor, pictures: list[NDArray[np.uint8]], tmp_path: Path
) -> None:
    tiny = written(tmp_path / "tiny.mp4", [scaled(picture, 96, 96) for picture in pictures])
    found = extracted(extractor, tiny)
    assert (len(found), found.image_width, found.image_height) == (10, 96, 96)


def test_three_people_are_one_trajectory_of_one_of_them(
    extractor: MediaPipeExtractor, pictures: list[NDArray[np.uint8]], tmp_path: Path
) -> None:
    man = [picture[:480, 500:790] for picture in pictures]
    three = [np.ascontiguousarray(np.concatenate([one[:, ::-1], one, one[:, ::-1]], axis=1)) for one in man]
    found = extracted(extractor, written(tmp_path / "three.mp4", three))
    hips = found.arrays["body_image"][:, 23:25, 0].mean(axis=1)
    hips = hips[np.isfinite(hips)]
    assert len(hips) >= 5
    assert np.ptp(hips) < 0.1, "and never of two in turn"


def test_what_is_no_video_or_lies_about_its_length_is_one_line(
    pictures: list[NDArray[np.uint8]], tmp_path: Path
) -> None:
    whole = written(tmp_path / "whole.mp4", [scaled(picture, 320, 240) for picture in pictures])
    for clip in (make_sound(tmp_path / "sound.mp4"), cut_off(whole, tmp_path / "cut.mp4")):
        with pytest.raises(InvalidVideo) as raised, open_video(clip) as video:
            assert video.info.frames
        assert clip.name in str(raised.value) and "\n" not in str(raised.value)
