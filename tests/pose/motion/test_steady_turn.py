"""Rotations over time: steadier, with the speed at which they turn."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from kinesphere.transforms.quaternions import rotation_matrix
from pose.motion.steady_turn import steady_turns

TIMES = np.arange(90) / 30


def test_a_steady_turn_is_kept_and_its_speed_found() -> None:
    speed = np.array([0.5, -1.0, 0.8])
    true = Rotation.from_rotvec(TIMES[:, None] * speed) * Rotation.from_rotvec([1.0, 0.5, -0.3])
    turns = steady_turns(TIMES, true.as_matrix(), np.full(90, 0.1**2))
    between = Rotation.from_matrix(rotation_matrix(turns.quaternion)) * true.inv()
    assert np.degrees(between.magnitude()).max() < 1
    assert turns.velocity[5:-5] == pytest.approx(np.tile(speed, (80, 1)), abs=0.05)
    assert np.linalg.norm(turns.quaternion, axis=1) == pytest.approx(1)


def test_noise_becomes_less_and_is_stated() -> None:
    random = np.random.default_rng(0)
    true = Rotation.from_rotvec(np.sin(2 * TIMES)[:, None] * [0.3, 0.2, 0.6])
    noisy = Rotation.from_rotvec(random.normal(0, 0.2, (90, 3))) * true
    turns = steady_turns(TIMES, noisy.as_matrix(), np.full(90, 0.2**2))
    errors = (Rotation.from_matrix(rotation_matrix(turns.quaternion)) * true.inv()).as_rotvec()
    assert np.abs(errors).mean() < 0.5 * np.abs((noisy * true.inv()).as_rotvec()).mean()
    assert 0.8 < (np.abs(errors) < 1.645 * np.sqrt(turns.variance)[:, None]).mean() < 0.99


def test_what_is_missing_stays_missing_and_signs_are_kept_across() -> None:
    rotations = Rotation.from_rotvec(TIMES[:, None] * [0.0, 0.0, 4.0]).as_matrix()
    rotations[20:30] = np.nan
    turns = steady_turns(TIMES, rotations, np.full(90, 0.1**2))
    assert np.isnan(turns.quaternion[20:30]).all()
    found = turns.quaternion[np.isfinite(turns.quaternion[:, 0])]
    assert ((found[1:] * found[:-1]).sum(axis=1) > 0).all()
    assert found[0, 0] >= 0


def test_nothing_comes_of_nothing() -> None:
    turns = steady_turns(TIMES, np.full((90, 3, 3), np.nan), np.full(90, 0.1))
    assert np.isnan(turns.quaternion).all()
    assert np.isnan(turns.velocity).all()
