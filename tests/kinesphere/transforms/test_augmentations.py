"""Augmentations of motions whose answers are known: another side, another speed, and noise as large as stated."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from kinesphere import MeasurementNoise, RelativeActions, TimeWarp, Viewpoint
from kinesphere.errors import InvalidInput
from kinesphere.transforms.quaternions import inverse, product, rotation_vector
from kinesphere.transforms.transform import Batch
from kinesphere.transforms.wrist_velocity import wrist_velocity
from tests.support.transform_inputs import SECOND, moving, unchanged

WINDOWS, FRAMES = 12, 20
TIMES = np.arange(FRAMES, dtype=np.int64) * SECOND // 20


@pytest.fixture
def batch() -> Batch:
    random = np.random.default_rng(3)
    poses = np.stack([moving(TIMES, (0.5, -0.3, 0.2), (1, 0.5, -0.7), seed=seed) for seed in range(WINDOWS)])
    poses[2, 5, 1] = np.nan
    body = random.normal(size=(WINDOWS, FRAMES, 33, 3)).astype(np.float32)
    return {
        "timestamp": np.tile(TIMES, (WINDOWS, 1)),
        "wrist_pose": poses,
        "wrist_velocity": wrist_velocity(np.tile(TIMES, (WINDOWS, 1)), poses),
        "body_world": body,
        "grip": random.random((WINDOWS, FRAMES, 2)).astype(np.float32),
        "valid": random.integers(0, 63, (WINDOWS, FRAMES)).astype(np.uint8),
        "mask": np.ones((WINDOWS, FRAMES), np.bool_),
        "episode": np.arange(WINDOWS, dtype=np.int64),
        "frame": np.arange(WINDOWS, dtype=np.int64) * 7,
    }


def turn_between(before: NDArray[Any], after: NDArray[Any]) -> NDArray[np.float64]:
    return rotation_vector(product(after.astype(np.float64), inverse(before.astype(np.float64))))


def test_another_side_is_a_rotation_of_everything(batch: Batch) -> None:
    viewpoint = Viewpoint(30.0, seed=5)
    found = unchanged(viewpoint, batch)
    rotations = Rotation.from_quat(viewpoint.rotations(batch), scalar_first=True)
    angles = np.degrees(rotations.magnitude())
    assert 10 < angles.max() <= 30
    assert angles.min() < 10
    for window, rotation in enumerate(rotations):
        there = ~np.isnan(batch["wrist_pose"][window]).any(axis=-1)
        places, turned = (each["wrist_pose"][window][there] for each in (batch, found))
        middle = places[:, :3].mean(axis=0)
        np.testing.assert_allclose(turned[:, :3], rotation.apply(places[:, :3] - middle) + middle, atol=1e-5)
        np.testing.assert_allclose(
            Rotation.from_quat(turned[:, 3:], scalar_first=True).as_matrix(),
            (rotation * Rotation.from_quat(places[:, 3:], scalar_first=True)).as_matrix(),
            atol=1e-5,
        )
        body = batch["body_world"][window].reshape(-1, 3)
        np.testing.assert_allclose(found["body_world"][window].reshape(-1, 3), rotation.apply(body), atol=1e-5)
    actions = RelativeActions(3)
    np.testing.assert_allclose(actions(found)["action"], actions(batch)["action"], atol=1e-5)
    again = wrist_velocity(found["timestamp"], found["wrist_pose"])
    np.testing.assert_allclose(found["wrist_velocity"], again, atol=1e-3)
    np.testing.assert_array_equal(found["grip"], batch["grip"])


def test_deviations_turn_with_their_numbers(batch: Batch) -> None:
    deviations = np.full((WINDOWS, FRAMES, 2, 6), 0.1, np.float32)
    same = Viewpoint(90.0)(batch | {"wrist_pose_sd": deviations})["wrist_pose_sd"]
    np.testing.assert_allclose(same, deviations, atol=1e-6)
    deviations[..., 2] = 0.9
    turned = Viewpoint(90.0)(batch | {"wrist_pose_sd": deviations})["wrist_pose_sd"]
    np.testing.assert_allclose((turned[..., :3] ** 2).sum(axis=-1), 0.83, atol=1e-4)
    assert turned[..., 0].max() > 0.3


def test_a_picture_cannot_be_turned(batch: Batch) -> None:
    with pytest.raises(InvalidInput, match="how to turn body_image"):
        Viewpoint()(batch | {"body_image": batch["body_world"]})


@pytest.mark.parametrize("at", [0, 8, -1])
def test_another_speed_is_that_of_the_motion(batch: Batch, at: int) -> None:
    warp = TimeWarp(0.5, at=at, seed=2)
    found = unchanged(warp, batch)
    speeds = warp.speeds(batch)
    assert speeds.min() < 0.9 < 1.1 < speeds.max()
    centre = at % FRAMES
    for window, speed in enumerate(speeds):
        place = centre + speed * (np.arange(FRAMES) - centre)
        inside = (place >= 0) & (place <= FRAMES - 1)
        np.testing.assert_array_equal(found["mask"][window], inside)
        times = np.rint(place[inside] * SECOND / 20).astype(np.int64)
        expected = moving(times, (0.5, -0.3, 0.2), (1, 0.5, -0.7), seed=window)
        poses = found["wrist_pose"][window][inside]
        there = ~np.isnan(poses).any(axis=-1)
        assert there.mean() > 0.8
        np.testing.assert_allclose(poses[there][:, :3], expected[there][:, :3], atol=1e-5)
        assert np.abs(turn_between(poses[there][:, 3:], expected[there][:, 3:])).max() < 1e-3
        assert np.isnan(found["wrist_pose"][window][~inside]).all()
        speeds_found = found["wrist_velocity"][window][inside][..., :3]
        faster = speeds_found[~np.isnan(speeds_found).any(axis=-1)] / np.array([0.5, -0.3, 0.2])
        np.testing.assert_allclose(faster, speed, rtol=1e-3)
    np.testing.assert_array_equal(found["wrist_pose"][:, centre], batch["wrist_pose"][:, centre])
    np.testing.assert_array_equal(found["valid"][:, centre], batch["valid"][:, centre])
    np.testing.assert_array_equal(found["timestamp"], batch["timestamp"])


def test_noise_is_as_large_as_stated(batch: Batch) -> None:
    deviations = np.random.default_rng(0).uniform(0.01, 0.05, (WINDOWS, FRAMES, 2, 6)).astype(np.float32)
    deviations[np.isnan(batch["wrist_pose"]).any(axis=-1)] = np.nan
    stated = batch | {"wrist_pose_sd": deviations, "grip_sd": np.full_like(batch["grip"], 0.2)}
    found = unchanged(MeasurementNoise(2.0, seed=1), stated)
    places = (found["wrist_pose"] - batch["wrist_pose"])[..., :3] / deviations[..., :3]
    turns = turn_between(batch["wrist_pose"][..., 3:], found["wrist_pose"][..., 3:]) / deviations[..., 3:]
    grips = (found["grip"] - batch["grip"]) / 0.2
    for residual in (places, turns, grips):
        there = residual[~np.isnan(residual)]
        assert there.std() == pytest.approx(2.0, rel=0.08)
        assert abs(there.mean()) < 0.2
    np.testing.assert_array_equal(np.isnan(found["wrist_pose"]), np.isnan(batch["wrist_pose"]))
    norm = np.linalg.norm(found["wrist_pose"][..., 3:], axis=-1)
    np.testing.assert_allclose(norm[~np.isnan(norm)], 1, atol=1e-5)
    np.testing.assert_array_equal(found["body_world"], batch["body_world"])


@pytest.mark.parametrize("transform", [Viewpoint(40.0), TimeWarp(0.3), MeasurementNoise()])
def test_a_window_meets_the_same_fate_in_any_batch_and_another_with_another_seed(transform: Any, batch: Batch) -> None:
    batch = batch | {"grip_sd": np.full_like(batch["grip"], 0.2)}
    order = np.random.default_rng(1).permutation(WINDOWS)
    whole = transform(batch)
    shuffled = transform({name: values[order] for name, values in batch.items()})
    other = type(transform)(seed=9)(batch)
    for name in batch:
        np.testing.assert_array_equal(shuffled[name], whole[name][order])
    assert any((other[name] != whole[name]).any() for name in ("grip", "body_world"))


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Viewpoint(181), "from 0 to 180"),
        (lambda: Viewpoint(seed=-1), "seed"),
        (lambda: TimeWarp(1.0), "less than 1"),
        (lambda: MeasurementNoise(-1), "at least 0"),
    ],
)
def test_odd_options_are_refused(make: Any, says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        make()


def test_what_cannot_be_done_is_said(batch: Batch) -> None:
    with pytest.raises(InvalidInput, match="needs standard deviations"):
        MeasurementNoise()(batch)
    with pytest.raises(InvalidInput, match="no frame 20"):
        TimeWarp(at=20)(batch)
    with pytest.raises(InvalidInput, match="before RelativeActions"):
        TimeWarp()(RelativeActions(2)(batch))
