"""Wrists are found where they are, though a hand says its distance badly, and the arrays agree with each other."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from kinesphere.trajectory import ADDITIONAL_ARRAYS
from kinesphere.transforms.quaternions import rotation_matrix
from pose.geometry.wrist import grip, palm_axes
from pose.landmarks import BODY_ELBOWS, BODY_SHOULDERS, BODY_WRISTS, HAND_BONES
from pose.motion import wrist_motion as module
from pose.motion.placement import Floats
from pose.motion.wrist_motion import wrist_motion
from tests.support.made_up_hands import CAMERA, SIZE, KnownMotion, person_before_camera

NORMAL_90 = 1.645
Arrays = dict[str, NDArray[Any]]


def _missed(arrays: Arrays, true: KnownMotion) -> Floats:
    return np.asarray(np.linalg.norm(arrays["wrist_pose"][..., :3] - true.wrists, axis=2), np.float64)


def _angles(arrays: Arrays, true: KnownMotion) -> Floats:
    turns = rotation_matrix(arrays["wrist_pose"][..., 3:].reshape(-1, 4).astype(np.float64)).reshape(true.turns.shape)
    cosines = (np.einsum("...ij,...ij->...", turns, true.turns) - 1) / 2
    return np.asarray(np.degrees(np.arccos(np.clip(cosines, -1, 1))), np.float64)


def test_without_faults_of_the_networks_all_is_as_it_was() -> None:
    arrays, true = person_before_camera(90)
    assert wrist_motion(arrays, SIZE, CAMERA).all()
    assert np.median(_missed(arrays, true)) < 0.02
    inner = slice(5, -5)
    assert np.abs(arrays["wrist_velocity"][inner, :, :3] - true.speeds[inner]).max() < 0.15
    assert np.median(_angles(arrays, true)) < 3


def test_hands_of_changing_size_do_not_swing_to_and_fro() -> None:
    """A network's hand differs by a seventh from pose to pose, and so does its distance, frame by frame."""
    arrays, true = person_before_camera(90, pixel_noise=1.5)
    arrays["hands_world"] *= np.random.default_rng(0).normal(1, 0.15, (90, 2, 1, 1)).astype(np.float32)
    wrist_motion(arrays, SIZE, CAMERA)
    assert np.percentile(_missed(arrays, true), 90) < 0.06
    moved = np.linalg.norm(arrays["wrist_velocity"][..., :3] - true.speeds, axis=2)
    assert np.median(moved) < 0.12


def test_a_person_has_one_size_for_the_whole_recording() -> None:
    arrays, _ = person_before_camera(40)
    random = np.random.default_rng(0)
    arrays["hands_world"] *= random.normal(1, 0.15, (40, 2, 1, 1)).astype(np.float32)
    arrays["body_world"] += random.normal(0, 0.02, arrays["body_world"].shape).astype(np.float32)
    wrist_motion(arrays, SIZE, CAMERA)
    fingers = np.array(HAND_BONES[:20]).T
    bones = np.linalg.norm(np.diff(arrays["hands_world"][:, :, fingers], axis=2)[:, :, 0], axis=3)
    assert np.ptp(bones, axis=(0, 1)).max() < 1e-4
    for near, far in zip(BODY_ELBOWS, BODY_WRISTS, strict=True):
        forearm = np.linalg.norm(arrays["body_world"][:, far] - arrays["body_world"][:, near], axis=1)
        assert np.ptp(forearm) < 1e-4


def test_a_body_that_cannot_own_the_hands_does_not_place_them() -> None:
    """In a close-up the network takes something else for a person."""
    arrays, true = person_before_camera(60, away=0.9, aside=0)
    elsewhere, _ = person_before_camera(60, away=4.0)
    for name in ("body_image", "body_world"):
        arrays[name] = elsewhere[name]
    assert not wrist_motion(arrays, SIZE, CAMERA).any()
    assert np.median(_missed(arrays, true)) < 0.12


def test_the_body_places_a_hand_whose_size_is_wrong() -> None:
    arrays, true = person_before_camera(60, away=3.5)
    arrays["hands_image"][..., :2] += 0.3 * (arrays["hands_image"][..., :2] - arrays["hands_image"][:, :, :1, :2])
    wrist_motion(arrays, SIZE, CAMERA)
    assert np.median(_missed(arrays, true)) < 0.3  # the hand alone says 0.8 m


def test_deviations_grow_with_the_distance_and_hold_the_truth() -> None:
    found = {}
    for away in (1.0, 3.0):
        arrays, true = person_before_camera(120, away=away, pixel_noise=1.0)
        wrist_motion(arrays, SIZE, CAMERA)
        found[away] = arrays
        inside = np.abs(arrays["wrist_pose"][..., :3] - true.wrists) < NORMAL_90 * arrays["wrist_pose_sd"][..., :3]
        assert inside.mean() > 0.85
    near, far = (np.nanmedian(found[away]["wrist_pose_sd"], axis=(0, 1)) for away in (1.0, 3.0))
    assert (far[2:] > 1.2 * near[2:]).all()
    assert near[2] > near[0]  # distances are less sure than directions


def test_a_focal_length_that_is_not_known_makes_distances_less_sure_and_nothing_else() -> None:
    found = []
    for focal_sd in (0.0, 0.2 * CAMERA["fx"]):
        arrays, _ = person_before_camera(30)
        wrist_motion(arrays, SIZE, {**CAMERA, "fx_sd": focal_sd})
        found.append(arrays["wrist_pose_sd"])
    assert found[1][..., [0, 1, 3, 4, 5]] == pytest.approx(found[0][..., [0, 1, 3, 4, 5]])
    assert found[1][..., 2] == pytest.approx(np.hypot(found[0][..., 2], 0.2 * 1.7), rel=0.1)


def test_where_there_is_no_hand_there_is_no_number() -> None:
    arrays, _ = person_before_camera(40)
    arrays["hands_image"][10:20, 0] = arrays["hands_world"][10:20, 0] = np.nan
    wrist_motion(arrays, SIZE, CAMERA)
    for name in ("wrist_pose", "wrist_velocity", "wrist_pose_sd", "wrist_velocity_sd", "grip", "grip_sd"):
        assert np.isnan(arrays[name][10:20, 0]).all()
        assert np.isfinite(arrays[name][:10, 0]).all()
        assert np.isfinite(arrays[name][:, 1]).all()


def test_a_recording_without_hands_has_no_wrists() -> None:
    arrays, _ = person_before_camera(10, aside=1.0)
    shoulders = arrays["body_world"][:, list(BODY_SHOULDERS)].copy()
    arrays["hands_image"][:] = arrays["hands_world"][:] = np.nan
    assert wrist_motion(arrays, SIZE, CAMERA).all()
    across = arrays["body_world"][:, BODY_SHOULDERS[0]] - arrays["body_world"][:, BODY_SHOULDERS[1]]
    assert np.abs(across[:, 2]).max() < 0.03 < np.abs(shoulders[:, 0, 2] - shoulders[:, 1, 2]).min()  # in camera's axes
    assert all(np.isnan(arrays[name]).all() for name in ("wrist_pose", "grip", "wrist_velocity", "wrist_pose_sd"))


def test_hands_without_a_body_are_placed_by_their_own_size() -> None:
    arrays, true = person_before_camera(60, away=0.8, aside=0)
    arrays["body_image"][:] = arrays["body_world"][:] = np.nan
    arrays["body_visibility"][:] = 0
    wrist_motion(arrays, SIZE, CAMERA)
    assert np.median(_missed(arrays, true)) < 0.03


def test_hands_have_the_turn_of_their_wrists_and_the_grip_of_their_fingers() -> None:
    arrays, _ = person_before_camera(30, pixel_noise=1.0)
    wrist_motion(arrays, SIZE, CAMERA)
    for side in (0, 1):
        turns = rotation_matrix(arrays["wrist_pose"][:, side, 3:].astype(np.float64))
        axes = palm_axes(arrays["hands_world"][:, side].astype(np.float64), side)
        assert axes == pytest.approx(turns, abs=1e-4)
    assert arrays["grip"] == pytest.approx(grip(arrays["hands_world"]), abs=1e-6)


def test_speeds_add_up_to_the_way() -> None:
    arrays, true = person_before_camera(90, pixel_noise=1.0)
    wrist_motion(arrays, SIZE, CAMERA)
    way = np.cumsum(arrays["wrist_velocity"][1:, :, :3] / 30, axis=0)
    places = arrays["wrist_pose"][1:, :, :3] - arrays["wrist_pose"][:1, :, :3]
    assert np.abs(way - places).max() < 0.03
    assert np.ptp(true.wrists, axis=0).min() > 0.08


def test_a_single_frame_will_do() -> None:
    arrays, true = person_before_camera(1)
    wrist_motion(arrays, SIZE, CAMERA)
    assert _missed(arrays, true).max() < 0.05


def test_blocks_leave_no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    arrays, _ = person_before_camera(50, pixel_noise=1.0)
    parts, _ = person_before_camera(50, pixel_noise=1.0)
    wrist_motion(arrays, SIZE, CAMERA)
    monkeypatch.setattr(module, "_BLOCK_FRAMES", 7)
    wrist_motion(parts, SIZE, CAMERA)
    for name in (*ADDITIONAL_ARRAYS, "wrist_pose", "grip", "hands_world", "body_world"):
        assert parts[name] == pytest.approx(arrays[name], abs=1e-4, nan_ok=True)
