"""Each landmark says how wrong it may be: more if it is hidden, and in pixels more the larger its part is."""

from __future__ import annotations

import numpy as np
import pytest

from kinesphere.trajectory import ADDITIONAL_ARRAYS, BODY_LANDMARKS
from pose.motion import landmark_errors
from pose.motion.landmark_errors import landmark_deviations
from tests.support.made_up_hands import SIZE, person_before_camera

OWNER = np.ones(12, np.bool_)
NAMES = ("body_image", "body_world", "hands_image", "hands_world")


def test_every_landmark_has_a_deviation_and_nothing_else_has() -> None:
    arrays, _ = person_before_camera(12)
    arrays["hands_image"][3:5, 1] = arrays["hands_world"][3:5, 1] = np.nan
    arrays["body_image"][7] = arrays["body_world"][7] = np.nan
    landmark_deviations(arrays, SIZE, OWNER[: len(arrays["timestamp"])])
    for name in NAMES:
        deviations = arrays[f"{name}_sd"]
        assert deviations.shape[1:] == ADDITIONAL_ARRAYS[f"{name}_sd"].shape
        assert (np.isfinite(deviations) == np.isfinite(arrays[name])).all()
        assert (deviations[np.isfinite(deviations)] > 0).all()


def test_what_is_hidden_is_less_sure() -> None:
    arrays, _ = person_before_camera(2)
    wrist = BODY_LANDMARKS.index("left_wrist")
    arrays["body_visibility"][1, wrist], arrays["hand_score"][1] = 0.3, 0.6
    landmark_deviations(arrays, SIZE, OWNER[: len(arrays["timestamp"])])
    assert arrays["body_image_sd"][1, wrist, 0] > 5 * arrays["body_image_sd"][0, wrist, 0]
    assert arrays["body_world_sd"][1, wrist, 0] > 2 * arrays["body_world_sd"][0, wrist, 0]
    assert (arrays["hands_image_sd"][1] > 2 * arrays["hands_image_sd"][0]).all()


def test_a_body_that_does_not_own_the_hands_may_be_anywhere() -> None:
    arrays, _ = person_before_camera(2)
    landmark_deviations(arrays, SIZE, np.array([True, False]))
    for name in ("body_image_sd", "body_world_sd"):
        assert (arrays[name][1] > 5 * arrays[name][0]).all()
    assert arrays["hands_world_sd"][1] == pytest.approx(arrays["hands_world_sd"][0], rel=0.1)


def test_who_is_near_is_less_sure_in_pixels_and_a_far_hand_in_metres() -> None:
    near, _ = person_before_camera(3, away=1.0)
    far, _ = person_before_camera(3, away=6.0)
    for arrays in (near, far):
        landmark_deviations(arrays, SIZE, OWNER[: len(arrays["timestamp"])])
    assert (near["body_image_sd"][..., :2] > 2 * far["body_image_sd"][..., :2]).all()
    assert near["body_world_sd"] == pytest.approx(far["body_world_sd"], rel=0.1)
    assert (far["hands_world_sd"] > near["hands_world_sd"]).all()


def test_pixels_are_as_large_upright_as_across() -> None:
    arrays, _ = person_before_camera(1)
    landmark_deviations(arrays, SIZE, OWNER[: len(arrays["timestamp"])])
    for name in ("body_image_sd", "hands_image_sd"):
        assert arrays[name][..., 0] * SIZE[0] == pytest.approx(arrays[name][..., 1] * SIZE[1], rel=1e-5)


def test_blocks_leave_no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    whole, _ = person_before_camera(9)
    parts, _ = person_before_camera(9)
    landmark_deviations(whole, SIZE, OWNER[:9])
    monkeypatch.setattr(landmark_errors, "_BLOCK_FRAMES", 2)
    landmark_deviations(parts, SIZE, OWNER[:9])
    assert all((parts[f"{name}_sd"] == whole[f"{name}_sd"]).all() for name in NAMES)
