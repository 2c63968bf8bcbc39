"""A model is placed where it was, its errors are as large as stated, and what lies far off has no say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pose.motion import placement
from pose.motion.placement import Floats, place, rays_of, turned_to

NORMAL_90 = 1.645


def _seen(seed: int, frames: int, noise: float, turn: float = 0.0) -> tuple[Floats, Floats, Floats, Floats]:
    """Models, their rays, and the rotation and the translation that were put into them."""
    random = np.random.default_rng(seed)
    model = random.normal(0, 0.06, (frames, 21, 3))
    translation = np.column_stack([random.uniform(-0.6, 0.6, (frames, 2)), random.uniform(0.4, 3, frames)])
    rotation = turned_to(translation[:, :2] / translation[:, 2:])
    if turn:
        rotation = placement._rotation(random.normal(0, turn, (frames, 3))) @ rotation
    at = model @ rotation.swapaxes(1, 2) + translation[:, None]
    rays = at[..., :2] / at[..., 2:] + random.normal(0, noise, (frames, 21, 2))
    return model, rays, rotation, translation


@given(st.integers(0, 1000))
def test_a_model_is_found_where_it_was(seed: int) -> None:
    model, rays, rotation, translation = _seen(seed, 4, noise=0)
    placed = place(model, rays, np.full(rays.shape[:2], 1e-3), turn_deviation=0.1)
    assert placed.translation == pytest.approx(translation, abs=1e-4)
    assert placed.rotation == pytest.approx(rotation, abs=1e-3)
    assert placed.of(model) == pytest.approx(model @ rotation.swapaxes(1, 2) + translation[:, None], abs=1e-3)


def test_its_errors_are_as_large_as_stated() -> None:
    noise = 2e-3
    model, rays, _, translation = _seen(1, 2000, noise, turn=0.1)
    placed = place(model, rays, np.full(rays.shape[:2], noise), turn_deviation=0.1)
    deviations = np.sqrt(np.diagonal(placed.covariance, axis1=1, axis2=2)[:, 3:])
    inside = np.abs(placed.translation - translation) < NORMAL_90 * deviations
    assert 0.85 < inside.mean() < 0.95
    assert np.median(placed.misfit) == pytest.approx(1, abs=0.1)


def test_a_landmark_far_off_has_hardly_a_say() -> None:
    model, rays, _, translation = _seen(2, 50, noise=1e-3)
    rays[:, 4] += 0.3
    placed = place(model, rays, np.full(rays.shape[:2], 1e-3), turn_deviation=0.1)
    assert np.abs(placed.translation[:, 2] / translation[:, 2] - 1).max() < 0.05


def test_landmarks_without_a_say_may_be_anywhere() -> None:
    model, rays, _, translation = _seen(3, 5, noise=0)
    deviations = np.full(rays.shape[:2], 1e-3)
    deviations[:, 10:], rays[:, 10:15], rays[:, 15:] = np.inf, 9.0, np.nan
    placed = place(model, rays, deviations, turn_deviation=0.1)
    assert placed.translation == pytest.approx(translation, abs=1e-3)


def test_nothing_is_placed_by_three_landmarks_or_by_a_point() -> None:
    model, rays, _, _ = _seen(4, 3, noise=0)
    rays[0, 3:] = np.nan
    rays[1] = rays[1, 0]
    placed = place(model, rays, np.full(rays.shape[:2], 1e-3), turn_deviation=0.1)
    assert np.isnan(placed.translation[:2]).all()
    assert np.isnan(placed.covariance[:2]).all()
    assert np.isfinite(placed.translation[2]).all()


def test_blocks_leave_no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    model, rays, _, _ = _seen(5, 37, noise=1e-3)
    deviations = np.full(rays.shape[:2], 1e-3)
    whole = place(model, rays, deviations, turn_deviation=0.1)
    monkeypatch.setattr(placement, "BLOCK_FRAMES", 10)
    assert place(model, rays, deviations, turn_deviation=0.1).translation == pytest.approx(whole.translation, abs=1e-5)


def test_the_camera_s_axis_is_turned_to_a_ray_by_the_shortest_way() -> None:
    rays = np.array([[0.0, 0.0], [0.5, 0.0], [-0.3, 0.8]])
    turned = turned_to(rays)[:, :, 2]
    assert turned[:, :2] / turned[:, 2:] == pytest.approx(rays)
    assert np.linalg.det(turned_to(rays)) == pytest.approx(1)
    assert turned_to(rays)[0] == pytest.approx(np.eye(3))


def test_pixels_become_rays() -> None:
    camera = {"fx": 1000.0, "fy": 900.0, "cx": 640.0, "cy": 360.0}
    assert rays_of(np.array([640.0, 360.0]), camera) == pytest.approx([0, 0])
    assert rays_of(np.array([1140.0, 810.0]), camera) == pytest.approx([0.5, 0.5])
