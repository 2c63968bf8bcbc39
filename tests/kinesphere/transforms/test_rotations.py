"""Rotations in three forms, compared with SciPy's."""

import itertools
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from kinesphere import convert_rotation
from kinesphere.errors import InvalidInput
from kinesphere.transforms.rotations import NUMBERS, Form

FORMS: tuple[Form, ...] = ("6d", "quaternion", "matrix")


def in_form(rotations: Rotation, form: Form) -> NDArray[Any]:
    if form == "quaternion":
        found = rotations.as_quat(scalar_first=True)
        return np.asarray(found * np.where(found[:, :1] < 0, -1, 1))
    matrix = rotations.as_matrix()
    return matrix.reshape(-1, 9) if form == "matrix" else np.concatenate([matrix[..., 0], matrix[..., 1]], axis=-1)


@pytest.mark.parametrize(("source", "target"), [*itertools.product(FORMS, FORMS)])
def test_every_form_becomes_every_other(source: Form, target: Form) -> None:
    half_turns = Rotation.from_rotvec(np.pi * np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [0.6, 0, 0.8], [0, 0, 0]]))
    rotations = Rotation.concatenate([Rotation.random(200, random_state=1), half_turns])
    found = convert_rotation(in_form(rotations, source), source, target)
    assert found.dtype == np.float32
    assert found.shape == (205, NUMBERS[target])
    back = convert_rotation(found, target, "matrix").reshape(-1, 3, 3)
    np.testing.assert_allclose(back, rotations.as_matrix(), atol=1e-6)
    np.testing.assert_allclose(found[:200], in_form(rotations, target)[:200], atol=1e-6)


def test_what_a_network_gives_is_made_a_rotation() -> None:
    given = np.random.default_rng(0).normal(size=(50, 6))
    matrix = convert_rotation(given, "6d", "matrix").reshape(-1, 3, 3).astype(np.float64)
    np.testing.assert_allclose(matrix @ matrix.transpose(0, 2, 1), np.tile(np.eye(3), (50, 1, 1)), atol=1e-6)
    np.testing.assert_allclose(np.linalg.det(matrix), 1, atol=1e-6)
    np.testing.assert_allclose(matrix[:, :, 0], given[:, :3] / np.linalg.norm(given[:, :3], axis=1)[:, None], atol=1e-6)


def test_what_is_missing_or_tells_no_rotation_stays_missing() -> None:
    assert np.isnan(convert_rotation(np.array([[np.nan, 0, 0, 1.0], [0, 0, 0, 0]]), "quaternion", "6d")).all()
    assert np.isnan(convert_rotation(np.array([1.0, 0, 0, 2, 0, 0]), "6d", "quaternion")).all()


def test_odd_shapes_and_names_are_refused() -> None:
    with pytest.raises(InvalidInput, match="has 4 numbers"):
        convert_rotation(np.zeros((3, 6)), "quaternion", "6d")
    with pytest.raises(InvalidInput, match="rotations come as 6d, quaternion, matrix"):
        convert_rotation(np.zeros((3, 6)), "euler", "6d")  # type: ignore[arg-type]
