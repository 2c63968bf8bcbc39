"""Intervals of known noise hold as many truths as they should."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.accuracy.coverage import BODY_GROUPS, HAND_GROUPS, coverage
from benchmarks.accuracy.estimate import SPREADS, Estimate
from kinesphere.trajectory import BODY_LANDMARKS, HAND_LANDMARKS
from pose.geometry.wrist import quaternions
from tests.support.made_up_truth import found_exactly, made_up_truth

TRUTH = made_up_truth(frames=400)


def noisy(stated: float = 1.0) -> Estimate:
    """With noise of known standard deviations, which it states times a factor."""
    generator, exact = np.random.default_rng(1), found_exactly(TRUTH)

    def noise(like: NDArray[np.float64], sd: float) -> NDArray[np.float64]:
        return generator.normal(0, sd, like.shape)

    turned = np.eye(3) + np.cross(np.eye(3)[None, None], noise(np.empty((len(TRUTH), 2, 1, 3)), 0.01), axis=-1)
    quaternion = quaternions((turned @ TRUTH.wrist_rotation).reshape(-1, 3, 3)).reshape(-1, 2, 4)
    place = exact.wrist_pose[..., :3] + noise(exact.wrist_pose[..., :3], 0.02)
    hands = exact.hands_world + noise(exact.hands_world, 0.005)
    spreads = {
        "body_image_sd": np.full(exact.body_pixels.shape, 4.0),
        "hands_image_sd": np.full(exact.hands_pixels.shape, 3.0),
        "hands_world_sd": np.full(hands.shape, 0.005 * (20 / 21) ** 0.5),  # of points from their middle
        "wrist_pose_sd": np.concatenate([np.full((*place.shape,), 0.02), np.full((*place.shape,), 0.01)], axis=-1),
        "grip_sd": np.full(exact.grip.shape, 0.03),
    }
    return replace(
        exact,
        body_pixels=exact.body_pixels + noise(exact.body_pixels, 4),
        hands_pixels=exact.hands_pixels + noise(exact.hands_pixels, 3),
        hands_world=hands,
        wrist_pose=np.concatenate([place, quaternion], axis=-1),
        grip=exact.grip + noise(exact.grip, 0.03),
        spreads={name: values * stated for name, values in spreads.items()},
    )


@pytest.mark.parametrize(("stated", "held"), [(1.0, 0.9), (0.5, 0.589), (2.0, 0.999)])
def test_intervals_of_known_noise_hold_their_share(stated: float, held: float) -> None:
    counts = coverage(TRUTH, noisy(stated))
    assert {count.array for count in counts} == {"body_image", "hands_image", "hands_world", "wrist_pose", "grip"}
    for count in counts:
        assert count.held / count.stated == pytest.approx(held, abs=0.04), count


def test_distances_are_told_apart() -> None:
    counts = Counter((count.array, count.distance) for count in coverage(TRUTH, noisy()))
    assert counts["wrist_pose", "1 to 2 m"] == 2 and not counts["wrist_pose", "2 m and more"]
    far = replace(TRUTH, hands_camera=TRUTH.hands_camera + np.array([0, 0, 2]))
    assert {c.distance for c in coverage(far, noisy()) if c.array == "grip"} == {"2 m and more"}


def test_nothing_is_counted_where_nothing_is_stated() -> None:
    assert coverage(TRUTH, found_exactly(TRUTH)) == []
    missing = noisy()
    spreads = {"grip_sd": np.where(np.arange(len(TRUTH))[:, None] < 100, 0.03, np.nan) * np.ones((1, 2))}
    (count,) = coverage(TRUTH, replace(missing, spreads=spreads))
    assert count.stated == 200


def test_every_landmark_is_in_one_group() -> None:
    for groups, landmarks in ((BODY_GROUPS, BODY_LANDMARKS), (HAND_GROUPS, HAND_LANDMARKS)):
        rows = sorted(row for group in groups.values() for row in group)
        assert rows == list(range(len(landmarks)))
    assert len(set(SPREADS)) == 7
