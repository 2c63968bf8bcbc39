"""Metres from a known length: synthetic people of known height, and hands of known size that hold rendered sheets."""

import math
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from kinesphere.trajectory import BODY_LANDMARKS, Trajectory
from pose.geometry.focal_length import find_intrinsics
from pose.geometry.intrinsics import assumed_intrinsics
from pose.geometry.metric import to_metric
from pose.geometry.sheet import SheetFinder, Sighting
from pose.geometry.wrist import wrist_pose
from pose.motion.error_model import ErrorModel
from storage.footage.video_reader import VideoFrame
from storage.recordings.camera_calibration import KnownLength
from tests.support import calibration_boards as boards
from tests.support.generated_trajectories import make_trajectory
from tests.support.own_arrays import TOOL, own_trajectory

FRAMES = 40
SIZE = (1280, 720)
CAMERA: dict[str, Any] = assumed_intrinsics(*SIZE) | {"source": "calibrated", "fx_sd": 5.0, "fy_sd": 5.0}
HEIGHT = KnownLength(kind="height", metres=1.80)
A4 = KnownLength(kind="sheet", paper="a4")
NO_TURN = (0.0, 0.0, 0.0)
LANDMARK_HEIGHTS = {"eye": 0.936, "shoulder": 0.818, "hip": 0.530, "knee": 0.285, "ankle": 0.039}


def standing(model_height: float, bent: float = 0.0, noise: float = 0.005) -> NDArray[np.float32]:
    """(frames, 33, 3) a person of a model height by published proportions; `bent` moves the knees forward."""
    random = np.random.default_rng(3)
    world = np.zeros((FRAMES, 33, 3))
    for name, share in LANDMARK_HEIGHTS.items():
        for side, sign in (("left", 1), ("right", -1)):
            place = (0.1 * sign, -(share - 0.53) * model_height, -bent if name == "knee" else 0)
            world[:, BODY_LANDMARKS.index(f"{side}_{name}")] = place
    return (world + random.normal(0, noise, world.shape)).astype(np.float32)


def person(world: NDArray[np.float32], camera: dict[str, Any] = CAMERA, visibility: float = 1.0) -> Trajectory:
    made = make_trajectory(FRAMES, gaps=0)
    arrays = dict(made.arrays) | {"body_world": world}
    arrays["body_visibility"] = np.full((FRAMES, 33), visibility, np.float32)
    return replace(made, intrinsics=camera, arrays=arrays)


def test_a_height_makes_every_length_metric_and_nothing_else() -> None:
    before = person(standing(1.50))
    after, why_not = to_metric(before, HEIGHT)
    assert (after.scale, why_not) == ("metric", "")
    scale = after.intrinsics["scale"]
    assert scale["factor"] == pytest.approx(1.2, rel=0.01)
    assert scale["from"] == "height" and scale["frames"] == FRAMES
    assert abs(scale["factor"] / 1.2 - 1) < 3 * scale["body_sd"]
    assert 0.05 <= scale["body_sd"] < 0.055 < scale["wrist_sd"] < 0.07
    for name in ("body_world", "hands_world"):
        np.testing.assert_allclose(after.arrays[name], before.arrays[name] * scale["factor"], rtol=1e-5)
    poses, scaled = before.arrays["wrist_pose"], after.arrays["wrist_pose"]
    np.testing.assert_allclose(scaled[..., :3], poses[..., :3] * scale["factor"], rtol=1e-5)
    for name in set(before.arrays) - {"body_world", "hands_world", "wrist_pose"}:
        np.testing.assert_array_equal(after.arrays[name], before.arrays[name])
    np.testing.assert_array_equal(scaled[..., 3:], poses[..., 3:])
    assert 1.8 not in scale.values()


def test_an_assumed_camera_leaves_distances_uncertain() -> None:
    scale = to_metric(person(standing(1.50), assumed_intrinsics(*SIZE)), HEIGHT)[0].intrinsics["scale"]
    assert scale["body_sd"] < 0.055 and scale["wrist_sd"] > 0.2
    silent = {name: value for name, value in assumed_intrinsics(*SIZE).items() if not name.endswith("_sd")}
    assert to_metric(person(standing(1.50), silent), HEIGHT)[0].intrinsics["scale"] == scale


def test_an_estimated_camera_leaves_distances_as_uncertain_as_it_is() -> None:
    camera = find_intrinsics(*SIZE, None, "HD Pro Webcam C920")
    scale = to_metric(person(standing(1.50), camera), HEIGHT)[0].intrinsics["scale"]
    assert scale["wrist_sd"] == pytest.approx(math.hypot(scale["body_sd"], 0.04, 0.05))


@pytest.mark.parametrize(
    "trajectory", [person(standing(1.5, bent=0.25)), person(standing(1.5), visibility=0.3)], ids=["sitting", "unseen"]
)
def test_a_person_who_never_stands_upright_in_view_stays_relative_and_it_says_why(trajectory: Trajectory) -> None:
    after, why_not = to_metric(trajectory, HEIGHT)
    assert (after.scale, why_not) == ("relative", "nobody stood upright in view")
    assert after.intrinsics["scale"] == {"from": "height", "not_used": why_not}
    np.testing.assert_array_equal(after.arrays["body_world"], trajectory.arrays["body_world"])


def frame(grey: NDArray[np.uint8], number: int) -> VideoFrame:
    return VideoFrame(number, number * 100_000_000, np.ascontiguousarray(np.repeat(grey[..., None], 3, axis=2)))


def paper(place: tuple[float, float, float], turn: tuple[float, float, float], seed: int) -> NDArray[np.uint8]:
    """A noisy, slightly blurred picture of an A4 sheet on grey, its centre at a place in metres."""
    corners = np.array([[-0.105, -0.1485, 0], [0.105, -0.1485, 0], [0.105, 0.1485, 0], [-0.105, 0.1485, 0]])
    seen = corners @ np.asarray(cv2.Rodrigues(np.array(turn, np.float64))[0], np.float64).T + place
    pixels = seen[:, :2] / seen[:, 2:] * CAMERA["fx"] + (CAMERA["cx"], CAMERA["cy"])
    picture = np.full(SIZE[::-1], 90, np.uint8)
    cv2.fillConvexPoly(picture, np.rint((pixels - 0.5) * 16).astype(np.int32), 235, cv2.LINE_AA, 4)
    noise = np.random.default_rng(seed).normal(0, 5, picture.shape)
    return np.asarray(np.clip(cv2.GaussianBlur(picture, (0, 0), 0.8) + noise, 0, 255), np.uint8)


@pytest.mark.parametrize("turn", [(0.0, 0.0, 0.0), (0.2, -0.3, 0.1), (0.1, 0.4, 1.4)])
def test_a_sheet_of_paper_is_found_at_its_true_depth(turn: tuple[float, float, float]) -> None:
    finder = SheetFinder(A4, CAMERA)
    for number in range(6):
        finder(frame(paper((0.05, 0.02, 0.9), turn, number), number))
    assert len(finder.sightings) == 6
    for sighting in finder.sightings:
        ray = np.array([0.05 / 0.9, 0.02 / 0.9, 1])
        assert sighting.depth_along(ray) == pytest.approx(0.9, rel=0.01)
        assert sighting.reaches(ray[:2] * CAMERA["fx"] + (CAMERA["cx"], CAMERA["cy"]), 0)
        assert not sighting.reaches(np.array([20.0, 20.0]), 0.15)


def test_what_is_no_such_sheet_is_not_taken_for_one() -> None:
    finder = SheetFinder(KnownLength(kind="sheet", paper="letter"), CAMERA)
    window = np.full(SIZE[::-1], 90, np.uint8)
    window[100:500, 200:800] = 240
    for number, grey in enumerate((window, np.full(SIZE[::-1], 90, np.uint8), paper((0, 0, 0.9), NO_TURN, 1))):
        finder(frame(grey, number))
    late = SheetFinder(A4, CAMERA)
    late(frame(paper((0, 0, 0.9), NO_TURN, 1), 101))
    assert finder.sightings == late.sightings == []


def test_the_board_is_found_through_a_lens_that_bends() -> None:
    camera = {"fx": boards.FOCAL[0], "fy": boards.FOCAL[1], "cx": boards.CENTRE[0], "cy": boards.CENTRE[1]}
    finder = SheetFinder(KnownLength(kind="board"), camera | {"distortion": boards.DISTORTION.tolist()})
    finder(frame(boards.rendered((0.2, 0.3, 0.1), (0.08, -0.03, 0.6)), 0))
    (sighting,) = finder.sightings
    assert sighting.depth_along(np.array([0.08 / 0.6, -0.05, 1])) == pytest.approx(0.6, rel=0.01)


def hand_on_a_plane(true_scale: float, depth: float) -> Trajectory:
    """A right hand, `true_scale` times the model's, whose thumb and index tips lie at a depth in metres."""
    model = np.zeros((21, 3))
    for finger, x in enumerate((0.05, 0.03, 0.005, -0.015, -0.035)):
        for joint in range(4):
            model[1 + 4 * finger + joint] = (
                x * (1 + 0.2 * joint),
                -0.03 - 0.025 * joint - 0.02 * (finger > 0),
                -0.004 * joint**2,
            )
    true = model * true_scale
    true += np.array([0, 0, depth]) - [*true[[4, 8]].mean(axis=0)[:2], true[[4, 8], 2].mean()]
    image = true[:, :2] / true[:, 2:] * CAMERA["fx"] + (CAMERA["cx"], CAMERA["cy"])
    made = make_trajectory(FRAMES, gaps=0)
    arrays = {name: values.copy() for name, values in made.arrays.items()}
    arrays["hands_world"][:] = np.nan
    arrays["hands_image"][:] = np.nan
    arrays["hands_world"][:, 1] = model
    arrays["hands_image"][:, 1, :, :2] = image / SIZE
    for side in range(2):
        hand = arrays["hands_world"][:, side], arrays["hands_image"][:, side]
        arrays["wrist_pose"][:, side] = wrist_pose(*hand, side, SIZE, CAMERA)
    return replace(made, image_width=SIZE[0], image_height=SIZE[1], intrinsics=CAMERA, arrays=arrays)


@pytest.mark.parametrize("true_scale", [0.85, 1.0, 1.15])
def test_a_hand_that_holds_the_sheet_has_the_sheets_depth(true_scale: float) -> None:
    finder = SheetFinder(A4, CAMERA)
    for number in range(12):
        finder(frame(paper((0.02, 0.03, 0.7), NO_TURN, number), number))
    after, why_not = to_metric(hand_on_a_plane(true_scale, 0.7), A4, finder.sightings)
    assert why_not == ""
    scale = after.intrinsics["scale"]
    assert scale["factor"] == pytest.approx(true_scale, rel=0.02)
    assert scale["from"] == "sheet" and scale["frames"] == 12
    assert scale["body_sd"] > scale["wrist_sd"] >= 0.03
    again, _ = to_metric(hand_on_a_plane(true_scale, 0.7), A4, finder.sightings)
    np.testing.assert_array_equal(after.arrays["wrist_pose"], again.arrays["wrist_pose"])


def test_a_sheet_that_nobody_holds_says_nothing() -> None:
    away = np.array([[10.0, 10], [60, 10], [60, 80], [10, 80]])
    sightings = [Sighting(number * 100_000_000, away, np.array([0, 0, 1.0]), 0.7) for number in range(12)]
    for known, some in ((A4, sightings), (KnownLength(kind="board"), [])):
        after, why_not = to_metric(hand_on_a_plane(1.0, 0.7), known, some)
        assert after.scale == "relative" and why_not.startswith("no hand was seen holding the")


def test_what_is_said_of_lengths_is_scaled_with_them_and_rotations_are_left_alone() -> None:
    made = make_trajectory(FRAMES, gaps=0, with_sd=True)
    before = replace(person(standing(1.50)), arrays={**made.arrays, **_standing_arrays()}, specs=made.specs)
    after, _ = to_metric(before, HEIGHT)
    factor = after.intrinsics["scale"]["factor"]
    moved = after.arrays["wrist_velocity"][..., :3], before.arrays["wrist_velocity"][..., :3] * factor
    np.testing.assert_allclose(*moved, rtol=1e-5)
    for name in ("wrist_pose_sd", "wrist_velocity", "wrist_velocity_sd"):
        np.testing.assert_array_equal(after.arrays[name][..., 3:], before.arrays[name][..., 3:])
    for name in ("body_image_sd", "hands_image_sd", "grip_sd"):
        np.testing.assert_array_equal(after.arrays[name], before.arrays[name])


def test_a_known_size_takes_the_place_of_an_unknown_stature() -> None:
    made = make_trajectory(FRAMES, gaps=0, with_sd=True)
    arrays = {**made.arrays, **_standing_arrays()}
    names = ("body_world", "hands_world", "wrist_pose", "wrist_velocity")
    for name in names:
        arrays[f"{name}_sd"] = arrays[f"{name}_sd"].copy()
        arrays[f"{name}_sd"][..., :3] = np.hypot(0.02, ErrorModel.STATURE * arrays[name][..., :3])
    after, _ = to_metric(replace(person(standing(1.50)), arrays=arrays, specs=made.specs), HEIGHT)
    scale = after.intrinsics["scale"]
    for name in names:
        expected = np.hypot(0.02 * scale["factor"], scale["body_sd"] * after.arrays[name][..., :3])
        np.testing.assert_allclose(after.arrays[f"{name}_sd"][..., :3], expected, rtol=1e-4)


def _standing_arrays() -> dict[str, NDArray[np.float32]]:
    return {"body_world": standing(1.50), "body_visibility": np.ones((FRAMES, 33), np.float32)}


def test_an_extractor_without_the_arrays_that_show_it_leaves_lengths_relative() -> None:
    after, why_not = to_metric(own_trajectory(20), HEIGHT)
    assert (after.scale, why_not) == ("relative", "extractor 'elbows' gives no body_world, body_visibility")
    _, why_not = to_metric(own_trajectory(20), A4)
    assert why_not == "extractor 'elbows' gives no hands_image, hands_world, wrist_pose"


def test_arrays_in_metres_are_scaled_whatever_they_are_called() -> None:
    standing_up = person(standing(1.50))
    frames = len(standing_up)
    tool = np.ones((frames, *TOOL.shape), np.float32)
    both = replace(
        standing_up, arrays={**standing_up.arrays, TOOL.name: tool}, specs={**standing_up.specs, TOOL.name: TOOL}
    )
    after, _ = to_metric(both, HEIGHT)
    assert after.scale == "metric"
    np.testing.assert_allclose(after.arrays[TOOL.name], after.intrinsics["scale"]["factor"], rtol=1e-6)
