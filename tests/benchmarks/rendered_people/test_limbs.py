"""Limbs reach where they should, bend the way they should, and hide what is behind them; no renderer is needed."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from benchmarks.rendered_people.camera_views import Lens
from benchmarks.rendered_people.limbs import STRETCH, two_bones
from benchmarks.rendered_people.motions import smooth_step, through
from benchmarks.rendered_people.skeleton import frame, rotation
from benchmarks.rendered_people.truth import seen
from kinesphere.trajectory import BODY_LANDMARKS

UPPER, LOWER = 0.3, 0.25


def test_a_limb_reaches_its_goal_and_bends_the_way_it_should() -> None:
    generator = np.random.default_rng(0)
    ways = generator.normal(size=(200, 3))
    goals = ways / np.linalg.norm(ways, axis=1, keepdims=True) * generator.uniform(0.2, 0.45, (200, 1))
    bend = generator.normal(size=(200, 3))
    upper, lower, normal = two_bones(np.zeros((200, 3)), goals, bend, UPPER, LOWER)
    assert upper * UPPER + lower * LOWER == pytest.approx(goals, abs=1e-4)
    assert np.linalg.norm(upper, axis=1) == pytest.approx(1) and np.linalg.norm(lower, axis=1) == pytest.approx(1)
    assert (upper * normal).sum(axis=1) == pytest.approx(0, abs=1e-9)
    aside = upper - (upper * goals).sum(axis=1, keepdims=True) * goals / (goals**2).sum(axis=1, keepdims=True)
    assert ((aside * bend).sum(axis=1) >= -1e-9).all()


def test_a_limb_is_never_stretched_further_than_it_is_long() -> None:
    far = np.array([[2.0, 0, 0], [0.56, 0, 0]])
    upper, lower, _ = two_bones(np.zeros((2, 3)), far, np.array([[0.0, 0, 1]] * 2), UPPER, LOWER)
    reached = np.linalg.norm(upper * UPPER + lower * LOWER, axis=1)
    assert reached == pytest.approx(STRETCH * (UPPER + LOWER), rel=0.02)


def test_rotations_are_those_of_scipy() -> None:
    generator = np.random.default_rng(1)
    axes, angles = generator.normal(size=(50, 3)), generator.uniform(-3, 3, 50)
    unit = axes / np.linalg.norm(axes, axis=1, keepdims=True)
    assert rotation(axes, angles) == pytest.approx(Rotation.from_rotvec(unit * angles[:, None]).as_matrix())
    made = frame(axes, generator.normal(size=(50, 3)))
    assert np.linalg.det(made) == pytest.approx(1) and made[:, :, 0] == pytest.approx(unit)


def test_motion_is_still_at_its_knots_and_smooth_between() -> None:
    times = np.linspace(0, 2, 2001)
    track = through(times, [0, 1, 2], np.array([0.0, 1.0, 0.5]))
    assert track[[0, 1000, 2000]] == pytest.approx([0, 1, 0.5])
    speed = np.gradient(track, times)
    assert np.abs(speed[[0, 1000, -1]]).max() < 0.01 and np.abs(np.diff(speed)).max() < 0.01
    assert smooth_step(np.array([-1.0, 0, 0.5, 1, 2])) == pytest.approx([0, 0, 0.5, 1, 1])


def test_a_landmark_is_seen_unless_it_is_outside_or_something_is_before_it() -> None:
    lens = Lens(np.eye(3), np.zeros(3), 100.0, (50.0, 40.0))
    camera = np.tile([0.0, 0.0, 2.0], (75, 1))
    wrist, hip, finger, outside, left, behind = 15, BODY_LANDMARKS.index("left_hip"), 40, 50, 51, 60
    camera[outside] = (5.0, 0.0, 2.0)
    camera[left] = (-1.5, 0.0, 2.0)
    camera[behind] = (0.0, 0.0, -1.0)
    pixels = lens.to_pixels(camera)
    assert pixels[wrist] == pytest.approx([50, 40]) and np.isnan(pixels[behind]).all()
    own_flesh = np.full((80, 100), 1.985, np.float32)
    shown = seen(camera, pixels, own_flesh)
    assert shown[[wrist, hip, finger]].all() and not shown[[outside, left, behind]].any()
    clothes = seen(camera, pixels, np.full((80, 100), 1.9, np.float32))
    assert clothes[hip] and not clothes[[wrist, finger]].any()
    assert not seen(camera, pixels, np.full((80, 100), 1.0, np.float32)).any()
