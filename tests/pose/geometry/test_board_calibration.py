"""Cameras found from rendered boards: with the truth known, with noise and blur, and where they cannot be found."""

import re
from collections.abc import Callable

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from kinesphere.errors import InvalidInput
from pose.geometry.board import COLUMNS, MARKER_MM, PAPERS_MM, ROWS, SQUARE_MM, board_pdf, charuco_board
from pose.geometry.board_calibration import find_views, sharp_views, solve_camera
from tests.support.calibration_boards import CENTRE, DISTORTION, FOCAL, PIXELS_PER_MM, SIZE, draw_board, shown


@pytest.fixture(scope="module")
def pictures() -> list[NDArray[np.uint8]]:
    return shown(30)


def noisy(picture: NDArray[np.uint8], seed: int) -> NDArray[np.uint8]:
    noise = np.random.default_rng(seed).normal(0, 6, picture.shape)
    return np.clip(picture + noise, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("spoilt", [lambda picture, seed: picture, noisy], ids=["clean", "noisy"])
def test_the_camera_that_rendered_the_board_is_found_within_its_own_uncertainty(
    pictures: list[NDArray[np.uint8]], spoilt: Callable[[NDArray[np.uint8], int], NDArray[np.uint8]]
) -> None:
    found = solve_camera(find_views(spoilt(picture, seed) for seed, picture in enumerate(pictures)))
    assert found.size == SIZE
    assert found.focal == pytest.approx(FOCAL, rel=0.01)
    assert found.centre == pytest.approx(CENTRE, abs=3)
    for value, sd, truth in zip(
        (*found.focal, *found.centre), (*found.focal_sd, *found.centre_sd), (*FOCAL, *CENTRE), strict=True
    ):
        assert 0 < sd < 5
        assert abs(value - truth) < 3 * sd
    assert found.distortion[:2] == pytest.approx(DISTORTION[:2], abs=0.04)
    assert found.distortion[4] == 0
    assert found.reprojection_error < 0.5


def test_blurred_views_are_left_out(pictures: list[NDArray[np.uint8]]) -> None:
    near = shown(20, nearest=0.28, tilt=0.4)
    views = find_views([np.asarray(cv2.GaussianBlur(picture, (0, 0), 1.5), np.uint8) for picture in near[:12]])
    sharp = find_views(near[12:] + pictures)
    assert len(views) > 3
    assert {id(view) for view in sharp_views(views + sharp)} <= {id(view) for view in sharp}
    assert len(sharp_views(views + sharp)) > 0.8 * len(sharp)


def test_what_was_wrong_with_the_views_is_said_in_one_line(pictures: list[NDArray[np.uint8]]) -> None:
    close = shown(1, nearest=0.35)[0]
    empty = np.full(SIZE[::-1], 120, np.uint8)
    with pytest.raises(InvalidInput, match="the board was not seen; print it with"):
        solve_camera(find_views([empty] * 3))
    with pytest.raises(InvalidInput, match=r"seen sharply \d times and blurred \d times, 8 sharp views are needed"):
        solve_camera(find_views(pictures[:6]))
    with pytest.raises(InvalidInput, match="all alike"):
        solve_camera(find_views([noisy(close, seed) for seed in range(12)]))
    with pytest.raises(InvalidInput, match="shown at 640x480 and at 320x240"):
        find_views([pictures[0], np.ascontiguousarray(pictures[0][::2, ::2])])


def test_a_board_that_is_never_tilted_does_not_give_a_focal_length() -> None:
    with pytest.raises(InvalidInput, match="hardly tilted"):
        solve_camera(find_views(shown(12, tilt=0.01)))


def test_the_drawn_board_is_the_one_that_opencv_draws() -> None:
    drawn = draw_board(PIXELS_PER_MM)
    size = (round(COLUMNS * SQUARE_MM * PIXELS_PER_MM), round(ROWS * SQUARE_MM * PIXELS_PER_MM))
    assert (drawn == charuco_board().generateImage(size, marginSize=0, borderBits=1)).all()


@pytest.mark.parametrize("paper", ["a4", "letter"])
def test_the_printed_board_has_its_true_size_and_can_be_found(paper: str) -> None:
    document = board_pdf("a4" if paper == "a4" else "letter").decode("ascii")
    sides = re.search(r"/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", document)
    assert sides is not None
    width, height = (float(side) * 25.4 / 72 for side in sides.groups())
    assert (width, height) == pytest.approx(PAPERS_MM["a4" if paper == "a4" else "letter"], abs=0.01)
    page = np.full((round(height * 4), round(width * 4)), 255, np.uint8)
    for box in re.findall(r"([\d.]+) ([\d.]+) ([\d.]+) ([\d.]+) re", document):
        x, y, w, h = (float(value) * 25.4 / 72 * 4 for value in box)
        bottom = page.shape[0] - y
        page[round(bottom - h) : round(bottom), round(x) : round(x + w)] = 0
    (view,) = find_views([page])
    assert len(view.numbers) == (COLUMNS - 1) * (ROWS - 1)
    across = view.places[:, 0].max() - view.places[:, 0].min()
    assert across / 4 == pytest.approx((COLUMNS - 2) * SQUARE_MM, abs=0.2)
    assert f"{SQUARE_MM:g} mm" in document and f"{MARKER_MM:g} mm" in document and "150 mm" in document


def test_the_pdf_says_where_its_objects_begin() -> None:
    document = board_pdf("a4")
    for number, offset in enumerate(re.findall(rb"(\d{10}) 00000 n", document), 1):
        assert document[int(offset) :].startswith(b"%d 0 obj" % number)
    begin = int(document.split(b"startxref\n")[1].split()[0])
    assert document[begin:].startswith(b"xref")
