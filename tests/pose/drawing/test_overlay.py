"""Overlay video and contact sheet of a made-up episode."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from kinesphere.errors import InvalidInput, StorageFailed
from kinesphere.trajectory import BASIC_ARRAYS, BODY_LANDMARKS
from pose.drawing.overlay import contact_sheet, draw_overlay
from pose.drawing.skeleton_drawing import LEFT, RIGHT, draw_skeleton, scaled
from storage.footage.video_reader import open_video

SIZE = (322, 242)
PACE = [0, 33, 66, 120, 150, 190, 220, 250, 290, 320]
LEFT_WRIST, LEFT_ELBOW = BODY_LANDMARKS.index("left_wrist"), BODY_LANDMARKS.index("left_elbow")


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "grey.mp4"
    with av.open(str(path), "w") as file:
        stream = file.add_stream("libx264", rate=30)
        stream.width, stream.height = SIZE
        stream.codec_context.time_base = Fraction(1, 90_000)
        for milliseconds in PACE:
            picture = av.VideoFrame.from_ndarray(np.full((SIZE[1], SIZE[0], 3), 90, np.uint8), format="rgb24")
            picture.pts, picture.time_base = milliseconds * 90, Fraction(1, 90_000)
            file.mux(stream.encode(picture))
        file.mux(stream.encode(None))
    return path


def episode(first: int = 0, last: int = len(PACE)) -> dict[str, NDArray[Any]]:
    """A left arm along one line and a right hand on one spot; the rest of the body in a corner, unseen."""
    count = last - first
    arrays: dict[str, NDArray[Any]] = {
        name: np.full((count, *spec.shape), np.nan, np.float32) for name, spec in BASIC_ARRAYS.items()
    }
    arrays["timestamp"] = np.array(PACE[first:last], np.int64) * 1_000_000
    arrays["body_image"][:] = (0.9, 0.1, 0)
    arrays["body_image"][:, LEFT_ELBOW] = (0.2, 0.5, 0)
    arrays["body_image"][:, LEFT_WRIST] = (0.6, 0.5, 0)
    arrays["body_visibility"][:] = 0
    arrays["body_visibility"][:, [LEFT_ELBOW, LEFT_WRIST]] = 1
    arrays["hands_image"][:, 1, :, 0] = np.linspace(0.5, 0.8, 21)
    arrays["hands_image"][:, 1, :, 1] = 0.8
    return arrays


def near(pixel: NDArray[np.uint8], colour: tuple[int, int, int], within: int = 60) -> bool:
    return bool(np.abs(pixel.astype(int) - colour).max() < within)


def test_bones_have_the_colour_of_their_side_and_missing_ones_are_not_drawn() -> None:
    image = np.full((SIZE[1] * 3, SIZE[0] * 3, 3), 90, np.uint8)
    draw_skeleton(image, episode(), 0)
    assert near(image[363, 290], LEFT)
    assert near(image[581, 490], RIGHT)
    empty = {name: np.full_like(values, np.nan, np.float32) for name, values in episode().items()}
    untouched = np.full_like(image, 90)
    draw_skeleton(untouched, empty, 0)
    assert (untouched == 90).all()


def test_a_bone_that_is_not_seen_is_faded() -> None:
    image = np.full((SIZE[1] * 3, SIZE[0] * 3, 3), 90, np.uint8)
    hidden = episode()
    hidden["body_visibility"][:] = 0
    draw_skeleton(image, hidden, 0)
    assert not near(image[363, 290], LEFT)
    assert not near(image[363, 290], (90, 90, 90), within=10)


def test_the_overlay_is_a_browser_video_with_the_episodes_frames_at_their_times(clip: Path, tmp_path: Path) -> None:
    output, done = tmp_path / "overlay.mp4", list[int]()
    draw_overlay(clip, episode(2, 7), output, done.append)
    with open_video(output) as reader:
        assert (reader.info.codec, reader.info.pixel_format) == ("h264", "yuv420p")
        frames = list(reader.frames())
    assert [frame.timestamp_ns // 1_000_000 for frame in frames] == [time - PACE[2] for time in PACE[2:7]]
    assert done == [1, 2, 3, 4, 5]
    content = output.read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")
    assert near(frames[2].image[121, 97], LEFT, within=110)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["grey.mp4", "overlay.mp4"]


def test_frames_that_the_episode_leaves_out_are_shown_without_a_skeleton(clip: Path, tmp_path: Path) -> None:
    gappy = {name: np.delete(values, [4, 5], axis=0) for name, values in episode().items()}
    draw_overlay(clip, gappy, tmp_path / "overlay.mp4")
    drawn = [frame.image[121, 97] for frame in open_video(tmp_path / "overlay.mp4").frames()]
    assert [near(pixel, (90, 90, 90), within=25) for pixel in drawn] == [place in (4, 5) for place in range(len(PACE))]


def test_the_contact_sheet_has_its_tiles_in_rows(clip: Path, tmp_path: Path) -> None:
    contact_sheet(clip, episode(), tmp_path / "sheet.png", columns=3, rows=2)
    sheet = cv2.imread(str(tmp_path / "sheet.png"))
    assert sheet is not None
    height, width = sheet.shape[:2]
    assert width == 3 * (SIZE[0] + 8) + 8
    assert 2 * (SIZE[1] + 8) < height < 3 * (SIZE[1] + 8)
    for row in range(2):
        for column in range(3):
            top, left = 8 + row * (SIZE[1] + 8), 8 + column * (SIZE[0] + 8)
            assert near(sheet[top + 121, left + 97], LEFT[::-1]), (row, column)


def test_a_short_episode_makes_a_smaller_sheet(clip: Path, tmp_path: Path) -> None:
    contact_sheet(clip, episode(0, 2), tmp_path / "sheet.png")
    sheet = cv2.imread(str(tmp_path / "sheet.png"))
    assert sheet is not None and sheet.shape[1] == 2 * (SIZE[0] + 8) + 8


def test_an_episode_of_another_time_is_refused_and_leaves_no_file(clip: Path, tmp_path: Path) -> None:
    later = episode()
    later["timestamp"] = later["timestamp"] + 10**12
    for draw in (draw_overlay, contact_sheet):
        with pytest.raises(InvalidInput, match="no frame in the episode's time"):
            draw(clip, later, tmp_path / "output")
    assert [path.name for path in tmp_path.iterdir()] == ["grey.mp4"]


def test_a_folder_that_does_not_exist_is_named(clip: Path, tmp_path: Path) -> None:
    for draw in (draw_overlay, contact_sheet):
        with pytest.raises(StorageFailed, match=r"cannot write .*absent/output"):
            draw(clip, episode(), tmp_path / "absent" / "output")


def test_a_full_disk_leaves_no_file(clip: Path, small_disk: Path) -> None:
    (small_disk / "filler").write_bytes(bytes(2 * 1024 * 1024))
    for draw in (draw_overlay, contact_sheet):
        with pytest.raises(StorageFailed, match="cannot write"):
            draw(clip, episode(), small_disk / "output")
        assert [path.name for path in small_disk.iterdir()] == ["filler"]


@pytest.mark.parametrize(("width", "height"), [(4000, 1000), (1000, 4001), (33, 21)])
def test_pictures_are_made_smaller_and_even_but_never_larger(width: int, height: int) -> None:
    image = scaled(np.zeros((height, width, 3), np.uint8), 1920, even=True)
    assert max(image.shape) <= min(1920, max(width, height))
    assert image.shape[0] % 2 == image.shape[1] % 2 == 0
    assert image.shape[1] / image.shape[0] == pytest.approx(width / height, rel=0.05)
