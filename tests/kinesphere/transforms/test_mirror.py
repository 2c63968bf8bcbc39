"""Mirrored batches are what a mirrored person would have given."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from kinesphere import Mirror, RelativeActions, Valid
from kinesphere.errors import InvalidInput
from kinesphere.trajectory import BASIC_ARRAYS, BODY_LANDMARKS, from_stored, to_stored
from kinesphere.transforms.transform import Batch
from pose.geometry.intrinsics import assumed_intrinsics
from pose.geometry.wrist import grip, wrist_pose
from tests.support.expected_windows import same_batches
from tests.support.transform_inputs import unchanged

ALWAYS = Mirror(probability=1.0)


def test_mirrored_twice_is_the_same_to_the_last_bit(batches: list[Batch]) -> None:
    for batch in batches:
        video = np.random.default_rng(0).integers(0, 255, (*batch["mask"].shape, 4, 6, 3), np.uint8)
        batch = RelativeActions(3)(batch) | {"video": video}
        once = unchanged(ALWAYS, batch)
        for name in batch.keys() - {"timestamp", "mask", "episode", "frame"}:
            assert not np.array_equal(once[name], batch[name], equal_nan=batch[name].dtype == np.float32), name
        np.testing.assert_array_equal(once["video"][..., 1, :], video[..., -2, :])
        twice = ALWAYS(once)
        for name, values in batch.items():
            np.testing.assert_array_equal(twice[name], values, err_msg=name)


def test_every_stored_image_coordinate_is_mirrored_to_a_stored_one() -> None:
    spec = BASIC_ARRAYS["body_image"]
    stored = np.arange(-22767, 32768, dtype=np.int16)
    values = np.zeros((1, len(stored), 33, 3), np.float32)
    values[0, :, 0, 0] = from_stored(spec, stored)
    batch: Batch = {"body_image": values, "episode": np.zeros(1, np.int64), "frame": np.zeros(1, np.int64)}
    mirrored = ALWAYS(batch)["body_image"][0, :, 0, 0]
    np.testing.assert_array_equal(mirrored, from_stored(spec, (10_000 - stored.astype(np.int32)).astype(np.int16)))
    between = values.copy()
    between[0, :, 0, 0] = np.random.default_rng(0).uniform(-2, 3, len(stored))
    mirrored = ALWAYS(batch | {"body_image": between})["body_image"]
    np.testing.assert_allclose(mirrored[0, :, 0, 0], 1 - between[0, :, 0, 0], atol=3e-7)


angle = st.floats(-3, 3)


@settings(max_examples=40)
@given(
    st.tuples(angle, angle, angle), st.floats(-0.2, 0.2), st.floats(-0.15, 0.15), st.floats(0.4, 2), st.integers(0, 9)
)
def test_the_pose_of_a_mirrored_hand_is_the_mirrored_pose(
    turn: tuple[float, float, float], x: float, y: float, z: float, seed: int
) -> None:
    """The code that finds poses sees in a mirrored picture what mirroring makes of what it sees in the picture."""
    from scipy.spatial.transform import Rotation

    hand = np.random.default_rng(seed).normal(0, 0.004, (21, 3)) + REFERENCE_HAND
    world = (hand - hand.mean(axis=0)) @ Rotation.from_rotvec(turn).as_matrix().T
    place = np.array([x * z, y * z, z])
    camera = assumed_intrinsics(1280, 720)
    seen = (world + place)[:, :2] / (world + place)[:, 2:] * [camera["fx"] / 1280, camera["fy"] / 720] + 0.5
    right = wrist_pose(world[None], seen[None], 1, (1280, 720), camera)
    left = wrist_pose(world[None] * [-1, 1, 1], seen[None] * [-1, 1] + [1, 0], 0, (1280, 720), camera)
    poses = np.stack([np.full((1, 7), np.nan, np.float32), right], axis=1)
    mirrored = ALWAYS({"wrist_pose": poses[None], "episode": np.zeros(1, np.int64), "frame": np.zeros(1, np.int64)})
    found = mirrored["wrist_pose"][0, 0, 0]
    np.testing.assert_allclose(found[:3], left[0, :3], atol=2e-4 * z)
    assert abs(found[3:] @ left[0, 3:]) > 1 - 1e-5
    assert np.isnan(mirrored["wrist_pose"][0, 0, 1]).all()
    assert grip(world) == pytest.approx(grip(world * [-1, 1, 1]))


def test_actions_of_a_mirrored_motion_are_the_mirrored_actions(batch: Batch) -> None:
    poses = batch["wrist_pose"].copy()
    poses[..., 3:] /= np.linalg.norm(poses[..., 3:], axis=-1, keepdims=True)
    batch = batch | {"wrist_pose": poses}
    mirrored_first = RelativeActions(5)(ALWAYS(batch))["action"]
    mirrored_last = ALWAYS(RelativeActions(5)(batch))["action"]
    assert np.isfinite(mirrored_first).any()
    np.testing.assert_allclose(mirrored_first, mirrored_last, atol=1e-5)


def test_left_and_right_change_places_everywhere(batch: Batch) -> None:
    found = ALWAYS(batch)
    left, right = (BODY_LANDMARKS.index(name) for name in ("left_wrist", "right_wrist"))
    np.testing.assert_array_equal(found["body_visibility"][..., left], batch["body_visibility"][..., right])
    np.testing.assert_array_equal(found["body_world"][..., left, 1:], batch["body_world"][..., right, 1:])
    np.testing.assert_array_equal(found["body_world"][..., left, 0], -batch["body_world"][..., right, 0])
    nose = BODY_LANDMARKS.index("nose")
    np.testing.assert_allclose(found["body_image"][..., nose, 0], 1 - batch["body_image"][..., nose, 0], atol=1e-7)
    mouth = [BODY_LANDMARKS.index(name) for name in ("mouth_left", "mouth_right")]
    np.testing.assert_array_equal(found["body_image"][..., mouth, 1:], batch["body_image"][..., mouth[::-1], 1:])
    np.testing.assert_array_equal(found["hands_world"][..., 0, :, 0], -batch["hands_world"][..., 1, :, 0])
    np.testing.assert_array_equal(found["hands_image"][..., 0, :, 1:], batch["hands_image"][..., 1, :, 1:])
    for name in ("grip", "hand_score"):
        np.testing.assert_array_equal(found[name][..., 0], batch[name][..., 1])
    all_bits = np.arange(256, dtype=np.uint8).reshape(1, 256)
    bits = ALWAYS({"valid": all_bits, "episode": np.zeros(1, np.int64), "frame": np.zeros(1, np.int64)})["valid"]
    np.testing.assert_array_equal((bits & Valid.LEFT_HAND) > 0, (all_bits & Valid.RIGHT_HAND) > 0)
    np.testing.assert_array_equal((bits & Valid.RIGHT_HAND) > 0, (all_bits & Valid.LEFT_HAND) > 0)
    np.testing.assert_array_equal(bits & 0b11111001, all_bits & 0b11111001)


def test_which_windows_are_mirrored_depends_on_the_window_and_the_seed_alone(batches: list[Batch]) -> None:
    def fates(mirror: Mirror, of: list[Batch]) -> dict[tuple[int, int], bool]:
        return {
            (int(episode), int(frame)): bool(fate)
            for batch in of
            for episode, frame, fate in zip(
                batch["episode"], batch["frame"], mirror.chosen(batch["episode"], batch["frame"]), strict=True
            )
        }

    halves = [{name: values[part] for name, values in batch.items()}
              for batch in reversed(batches) for part in (slice(1), slice(1, None))]  # fmt: skip
    mirror = Mirror(probability=0.5, seed=7)
    assert fates(mirror, batches) == fates(mirror, halves)
    assert fates(mirror, batches) != fates(Mirror(probability=0.5, seed=8), batches)
    batch = batches[0]
    once, chosen = mirror(batch), mirror.chosen(batch["episode"], batch["frame"])
    assert 0 < chosen.sum() < len(chosen)
    always = ALWAYS(batch)
    for name in ("wrist_pose", "valid", "body_image"):
        np.testing.assert_array_equal(once[name][chosen], always[name][chosen])
        np.testing.assert_array_equal(once[name][~chosen], batch[name][~chosen])
    assert same_batches([Mirror(probability=0)(batch)], [batch])


@given(st.integers(0, 2**70), st.floats(0, 1))
def test_as_many_windows_are_mirrored_as_asked(seed: int, probability: float) -> None:
    episode, frame = (grid.ravel() for grid in np.meshgrid(np.arange(40), np.arange(0, 6400, 64)))
    chosen = Mirror(probability, seed).chosen(episode, frame)
    assert chosen.mean() == pytest.approx(probability, abs=0.045)  # more than five standard deviations
    more = Mirror(min(1.0, probability + 0.1), seed).chosen(episode, frame)
    assert (more | ~chosen).all()


def test_mirror_refuses_what_it_does_not_know(batch: Batch) -> None:
    with pytest.raises(InvalidInput, match="how to mirror reward"):
        ALWAYS(batch | {"reward": batch["grip"]})
    with pytest.raises(InvalidInput, match="body_image as float32"):
        stored, _ = to_stored(BASIC_ARRAYS["body_image"], batch["body_image"])
        ALWAYS(batch | {"body_image": stored})
    for wrong in ({"probability": 1.1}, {"probability": float("nan")}, {"seed": -1}):
        with pytest.raises(InvalidInput):
            Mirror(**wrong)


def _reference_hand() -> NDArray[np.float64]:
    """A right hand with its palm to the camera and its fingers up, in metres."""
    hand = np.zeros((21, 3))
    for first, x in {1: 0.05, 5: 0.03, 9: 0.005, 13: -0.015, 17: -0.035}.items():
        for joint in range(4):
            reach = (0.03 if first == 1 else 0.08) + 0.025 * joint
            hand[first + joint] = x * (1 + 0.2 * joint), -reach, -0.004 * joint**2
    return hand


REFERENCE_HAND = _reference_hand()
