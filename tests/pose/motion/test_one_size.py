"""A person's hands and limbs get one size each; how they are bent and turned stays."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from kinesphere.trajectory import BODY_LANDMARKS, HAND_LANDMARKS
from pose.landmarks import BODY_SIDES, HAND_BONES, MIDDLE_FINGER
from pose.motion.one_size import HAND_LENGTH, Floats, even_limbs, hand_shape, of_one_shape
from tests.support.made_up_hands import bent_hands

_NEAR, _FAR = np.array(HAND_BONES[:20]).T


def _lengths(hands: Floats) -> Floats:
    return np.asarray(np.linalg.norm(hands[..., _FAR, :] - hands[..., _NEAR, :], axis=-1), np.float64)


def _both(frames: int, seed: int = 0) -> NDArray[np.float64]:
    return np.stack([bent_hands(frames, side, seed=seed + side) for side in (0, 1)], axis=1)


def test_hands_of_any_size_get_one_length_and_keep_their_fingers_directions() -> None:
    world = _both(40)
    sizes = np.random.default_rng(1).uniform(0.7, 1.3, (40, 2, 1, 1))
    shape = hand_shape(world * sizes)
    assert shape is not None
    for side in (0, 1):
        even = of_one_shape((world * sizes)[:, side], side, shape)
        assert np.ptp(_lengths(even), axis=0).max() < 1e-9
        chain = np.linalg.norm(np.diff(even[:, list(MIDDLE_FINGER)], axis=1), axis=2).sum(axis=1)
        assert chain == pytest.approx(HAND_LENGTH)
        tip, before = (HAND_LANDMARKS.index(f"index_{joint}") for joint in ("tip", "dip"))
        bone, true = even[:, tip] - even[:, before], world[:, side, tip] - world[:, side, before]
        cosines = (bone * true).sum(axis=1) / np.linalg.norm(bone, axis=1) / np.linalg.norm(true, axis=1)
        assert cosines == pytest.approx(1)
        assert even.mean(axis=1) == pytest.approx((world * sizes)[:, side].mean(axis=1))


def test_a_hand_that_is_of_one_shape_stays_as_it_is() -> None:
    world = _both(20)
    shape = hand_shape(world)
    assert shape is not None
    even = of_one_shape(world[:, 0], 0, shape)
    assert of_one_shape(even, 0, shape) == pytest.approx(even, abs=1e-9)
    assert even == pytest.approx(world[:, 0], abs=2e-3)


def test_noise_in_a_palm_is_taken_out() -> None:
    world = _both(60)
    noisy = world + np.random.default_rng(3).normal(0, 0.008, world.shape)
    shape = hand_shape(noisy)
    assert shape is not None
    palm = [0, 1, 5, 9, 13, 17]

    def missed(hands: Floats) -> float:
        centred, true = (h[:, palm] - h[:, palm].mean(axis=1, keepdims=True) for h in (hands, world[:, 1]))
        return float(np.linalg.norm(centred - true, axis=2).mean())

    assert missed(of_one_shape(noisy[:, 1], 1, shape)) < 0.75 * missed(noisy[:, 1])


def test_left_and_right_have_mirrored_palms() -> None:
    world = _both(10)
    only_left = world.copy()
    only_left[:, 1] = np.nan
    shape, left = hand_shape(world), hand_shape(only_left)
    assert shape is not None and left is not None
    assert left.palm == pytest.approx(shape.palm, abs=1e-6)
    assert shape.of_side(0) == pytest.approx(shape.of_side(1) * [1, -1, 1])


def test_where_there_is_no_hand_there_is_none_after() -> None:
    nothing = np.full((4, 2, 21, 3), np.nan)
    assert hand_shape(nothing) is None
    shape = hand_shape(_both(4))
    assert shape is not None
    assert np.isnan(of_one_shape(nothing[:, 0], 0, shape)).all()


def test_limbs_get_one_length_left_and_right() -> None:
    random = np.random.default_rng(0)
    body = random.normal(0, 0.3, (1, len(BODY_LANDMARKS), 3)) + random.normal(0, 0.03, (50, len(BODY_LANDMARKS), 3))
    world = body.astype(np.float32)
    before = world.copy()
    even_limbs(world, np.ones(world.shape[:2], np.float32))
    for left, right in list(zip(*BODY_SIDES, strict=True))[:4]:
        lengths = [np.linalg.norm(world[:, far] - world[:, near], axis=1) for near, far in (left, right)]
        assert np.concatenate(lengths) == pytest.approx(lengths[0][0], rel=1e-5)
    trunk = [BODY_LANDMARKS.index(f"{side}_{joint}") for side in ("left", "right") for joint in ("shoulder", "hip")]
    assert (world[:, trunk] == before[:, trunk]).all()
    wrist, index = BODY_LANDMARKS.index("left_wrist"), BODY_LANDMARKS.index("left_index")
    assert world[:, index] - world[:, wrist] == pytest.approx(before[:, index] - before[:, wrist], abs=1e-6)


def test_a_limb_that_is_hardly_seen_is_left_alone() -> None:
    random = np.random.default_rng(0)
    world = random.normal(0, 0.3, (50, len(BODY_LANDMARKS), 3)).astype(np.float32)
    before = world.copy()
    even_limbs(world, np.full(world.shape[:2], 0.2, np.float32))
    assert (world == before).all()
