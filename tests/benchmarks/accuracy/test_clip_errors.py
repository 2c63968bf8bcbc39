"""Errors that are made on purpose are measured as what they are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from benchmarks.accuracy.clip_errors import best_scale, clip_errors, hands_seen, joint_angles
from benchmarks.accuracy.estimate import Estimate, rotation_vectors
from benchmarks.accuracy.measures import MEASURES
from benchmarks.rendered_people.truth import Truth
from kinesphere.transforms.quaternions import rotation_matrix
from pose.geometry.wrist import quaternions
from tests.support.made_up_truth import RATE, WIDTH, found_exactly, made_up_truth, pixels_of

TRUTH = made_up_truth()
EXACT = found_exactly(TRUTH)
OFF = np.array([3, 4])
PERFECT = {"scale": 1.0, "hands_found": 100.0, "wrists_given": 100.0, "cost": 40.0}


def errors_of(found: Estimate, known: Estimate | None = None, truth: Truth = TRUTH) -> dict[str, float]:
    return clip_errors(truth, found, known, WIDTH)


def moved(by: tuple[float, float, float]) -> Estimate:
    pose = EXACT.wrist_pose.copy()
    pose[..., :3] += by
    return replace(EXACT, wrist_pose=pose)


def test_who_makes_no_mistake_has_no_errors() -> None:
    errors = errors_of(EXACT, EXACT)
    assert errors.keys() == {measure.name for measure in MEASURES}
    for name, value in errors.items():
        if name != "wrist_hidden":  # no hand is hidden
            assert value == pytest.approx(PERFECT.get(name, 0.0), abs=1e-5), name
    assert np.isnan(errors["wrist_hidden"])


def test_a_shift_of_5_cm_is_measured_as_5_cm_and_is_no_speed() -> None:
    errors = errors_of(moved((0.03, 0.0, 0.04)), EXACT)
    assert errors["wrist"] == pytest.approx(0.05) and errors["wrist_p90"] == pytest.approx(0.05)
    assert errors["wrist_known"] == pytest.approx(0, abs=1e-9)
    assert errors["speed"] == pytest.approx(0, abs=1e-9)
    assert errors["drift"] < 0.01 and errors["jitter"] < 1e-3
    assert errors_of(EXACT, moved((0.05, 0, 0)))["wrist_known"] == pytest.approx(0.05)


def test_the_best_scale_is_found_in_spite_of_outliers() -> None:
    pose = EXACT.wrist_pose.copy()
    pose[..., :3] /= 1.25
    pose[::5, 0, :3] = 9.0
    errors = errors_of(replace(EXACT, wrist_pose=pose))
    assert errors["scale"] == pytest.approx(1.25, rel=1e-4)
    assert errors["wrist_scaled"] == pytest.approx(0, abs=1e-3) and errors["wrist"] > 0.25
    assert np.isnan(best_scale(np.zeros((0, 3)), np.zeros((0, 3))))


def test_a_velocity_is_taken_from_the_estimate_where_it_states_one() -> None:
    velocity = np.zeros((len(TRUTH), 2, 6))
    velocity[1:-1, :, :3] = (TRUTH.hands_camera[2:, :, 0] - TRUTH.hands_camera[:-2, :, 0]) * RATE / 2
    velocity[..., :3] += (0.0, 0.3, 0.4)
    assert errors_of(replace(EXACT, velocity=velocity))["speed"] == pytest.approx(0.5)
    drifting = EXACT.wrist_pose.copy()
    drifting[..., 0] += 0.2 * TRUTH.timestamps[:, None]
    assert errors_of(replace(EXACT, wrist_pose=drifting))["speed"] == pytest.approx(0.2)


def test_swapped_hands_are_counted_as_swaps_and_not_as_wrong() -> None:
    pixels = EXACT.hands_pixels.copy()
    pixels[:30] = pixels[:30, ::-1]
    errors = errors_of(replace(EXACT, hands_pixels=pixels))
    assert errors["hand_swaps"] == pytest.approx(25)
    assert errors["hands_wrong"] == 0 and errors["hands_found"] == pytest.approx(75)


def test_hands_that_touch_are_told_apart_by_their_landmarks() -> None:
    hands = TRUTH.hands_camera - TRUTH.hands_camera[:, :, :1] + TRUTH.hands_camera[:, :1, :1]
    hands[:, 1] += (0.02, 0.0, 0.0)
    touching = replace(TRUTH, hands_camera=hands, hands_pixels=pixels_of(hands))
    exact = found_exactly(touching)
    assert errors_of(exact, truth=touching)["hand_swaps"] == 0
    exchanged = errors_of(replace(exact, hands_pixels=exact.hands_pixels[:, ::-1]), truth=touching)
    assert exchanged["hand_swaps"] == 100 and exchanged["hands_found"] == 0


def test_hands_in_the_air_and_hands_that_are_missed_are_counted() -> None:
    pixels, found = EXACT.hands_pixels.copy(), EXACT.hand_found.copy()
    pixels[:12, 0] += 500
    pixels[:24, 1], found[:24, 1] = np.nan, False
    errors = errors_of(replace(EXACT, hands_pixels=pixels, hand_found=found))
    claimed = 2 * len(TRUTH) - 24
    assert errors["hands_wrong"] == pytest.approx(12 / claimed * 100)
    assert errors["hands_found"] == pytest.approx((claimed - 12) / (2 * len(TRUTH)) * 100)
    assert errors["hand_swaps"] == 0


def test_hidden_hands_count_only_where_they_are_asked_for() -> None:
    seen = TRUTH.hands_seen.copy()
    seen[:90, :, :11] = False
    hidden = replace(TRUTH, hands_seen=seen)
    assert not hands_seen(hidden)[:90].any() and hands_seen(hidden)[90:].all()
    pose = EXACT.wrist_pose.copy()
    pose[:90, :, 2] += 0.3
    errors = errors_of(replace(EXACT, wrist_pose=pose), truth=hidden)
    assert errors["wrist"] == pytest.approx(0, abs=1e-9) and errors["wrist_hidden"] == pytest.approx(0.3)


def test_a_body_whose_sides_are_exchanged_is_counted_unless_nobody_could_tell() -> None:
    order = [0, 4, 5, 6, 1, 2, 3, 8, 7, 10, 9, *[i + (1 if i % 2 else -1) for i in range(11, 33)]]
    pixels = EXACT.body_pixels.copy()
    pixels[:40] = pixels[:40, order]
    exchanged = replace(EXACT, body_pixels=pixels)
    assert errors_of(exchanged)["body_swaps"] == pytest.approx(100 / 3)
    from_the_side = TRUTH.body_pixels.copy()
    from_the_side[:, 12::2] = from_the_side[:, 11::2]
    assert np.isnan(errors_of(EXACT, truth=replace(TRUTH, body_pixels=from_the_side))["body_swaps"])


def test_a_body_counts_where_there_is_one_to_find() -> None:
    seen = TRUTH.body_seen.copy()
    seen[:90, [11, 12, 23]] = False  # of the trunk one hip is left
    found = EXACT.body_pixels.copy()
    found[:90] += 300
    errors = errors_of(replace(EXACT, body_pixels=found), truth=replace(TRUTH, body_seen=seen))
    assert errors["body"] == 0
    seen[:90, 11] = True
    assert errors_of(replace(EXACT, body_pixels=found), truth=replace(TRUTH, body_seen=seen))["body"] > 300


def test_rotation_grip_and_pixels_are_measured_in_their_units() -> None:
    axis = Rotation.from_rotvec([0, 0, np.radians(10)]).as_matrix()
    turned = quaternions((axis @ TRUTH.wrist_rotation).reshape(-1, 3, 3)).reshape(-1, 2, 4)
    pose = np.concatenate([EXACT.wrist_pose[..., :3], turned], axis=-1)
    errors = errors_of(replace(EXACT, wrist_pose=pose, grip=EXACT.grip + 0.07, body_pixels=EXACT.body_pixels + OFF))
    assert errors["rotation"] == pytest.approx(10)
    assert errors["grip"] == pytest.approx(0.07)
    assert errors["body"] == pytest.approx(5)
    half = clip_errors(TRUTH, replace(EXACT, body_pixels=EXACT.body_pixels + OFF), None, WIDTH // 2)
    assert half["body"] == pytest.approx(10), "pixels are those of a picture 1280 wide"


def test_bent_fingers_are_measured_in_degrees() -> None:
    straight = np.array([[0.0, 0, 0], *[[0, 0.01 * joint, 0] for joint in range(1, 21)]])
    assert joint_angles(straight) == pytest.approx(np.zeros(15), abs=1e-6)
    bent = straight.copy()
    bent[8] = bent[7] + np.array([0.01, 0, 0])  # the index's last bone, at a right angle
    assert np.degrees(joint_angles(bent))[5] == pytest.approx(90)
    assert joint_angles(bent)[[0, 1, 2, 3, 4]] == pytest.approx(np.zeros(5), abs=1e-6)


def test_jitter_is_the_noise_and_drift_the_slow_part() -> None:
    generator = np.random.default_rng(3)
    pose = EXACT.wrist_pose.copy()
    pose[..., :3] += generator.normal(0, 0.004, pose[..., :3].shape)
    errors = errors_of(replace(EXACT, wrist_pose=pose))
    assert errors["jitter"] == pytest.approx(0.004, rel=0.12) and errors["drift"] < 0.003
    pose = EXACT.wrist_pose.copy()
    pose[..., 1] += 0.1 * np.sin(TRUTH.timestamps * 1.5)[:, None]
    errors = errors_of(replace(EXACT, wrist_pose=pose))
    assert errors["drift"] > 0.03 and errors["jitter"] < 0.001


def test_rotations_go_to_vectors_and_back_at_every_angle() -> None:
    generator = np.random.default_rng(5)
    for angle in (0.0, 1e-7, 0.5, 2.0, 3.0, np.pi - 1e-4, np.pi):
        axes = generator.normal(size=(50, 3))
        vectors = axes / np.linalg.norm(axes, axis=1, keepdims=True) * angle
        given = Rotation.from_rotvec(vectors)
        found = rotation_vectors(given.as_matrix())
        assert Rotation.from_rotvec(found).as_matrix() == pytest.approx(given.as_matrix(), abs=1e-6)
        x, y, z, w = given.as_quat().T
        assert rotation_matrix(np.stack([w, x, y, z], axis=1)) == pytest.approx(given.as_matrix(), abs=1e-9)
    assert np.isnan(rotation_vectors(np.full((2, 3, 3), np.nan))).all()
