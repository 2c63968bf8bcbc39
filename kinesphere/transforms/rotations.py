"""Rotations in the three forms that policies use, each turned into the others."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from kinesphere.errors import InvalidInput
from kinesphere.transforms.quaternions import rotation_matrix

Form = Literal["6d", "quaternion", "matrix"]
"""The first two columns of the matrix, one after the other; w x y z; or the matrix row by row."""
NUMBERS = {"6d": 6, "quaternion": 4, "matrix": 9}


def checked_form(form: str) -> Form:
    """Return the form of a rotation.

    Args:
        form: its name.

    Returns:
        The same.

    Raises:
        InvalidInput: there is none of this name.
    """
    for known in get_args(Form):
        if form == known:
            found: Form = known
            return found
    raise InvalidInput(f"rotations come as {', '.join(get_args(Form))}, got {form!r}")


def convert_rotation(values: NDArray[np.floating], source: Form, target: Form) -> NDArray[np.float32]:
    """The same rotations in another form.

    "6d" is the representation without jumps of Zhou et al. ("On the Continuity of Rotation Representations in Neural
    Networks", CVPR 2019): what a network gives for it need be no rotation yet and is made one, by Gram and Schmidt.
    Quaternions need not be of unit length; those that come out have w of at least 0. Matrices are taken for rotations.

    Args:
        values: `(..., 6)`, `(..., 4)` or `(..., 9)`: the first two columns of the matrix, one after the other; a
            quaternion w x y z; or the matrix row by row. NaN where missing.
        source: what they are.
        target: what they become.

    Returns:
        float32 `(..., n)`, n as above; NaN where a number of the rotation is missing, or where it tells no rotation.

    Raises:
        InvalidInput: there is no such form, or the last axis has another length.
    """
    source, target = checked_form(source), checked_form(target)
    if values.shape[-1:] != (NUMBERS[source],):
        raise InvalidInput(f"a rotation as {source} has {NUMBERS[source]} numbers, got an array {list(values.shape)}")
    matrix = _matrix_of(values.astype(np.float64), source)
    matrix[np.isnan(matrix).any(axis=(-2, -1))] = np.nan
    return rotation_numbers(matrix, target).astype(np.float32)


def rotation_numbers(matrix: NDArray[np.float64], target: Form) -> NDArray[np.float64]:
    """Rotation matrices in another form.

    Args:
        matrix: `(..., 3, 3)`.
        target: the form.

    Returns:
        float64 `(..., n)`.
    """
    if target == "quaternion":
        return _quaternion(matrix)
    if target == "matrix":
        return matrix.reshape(*matrix.shape[:-2], 9)
    return np.concatenate([matrix[..., 0], matrix[..., 1]], axis=-1)


def _matrix_of(values: NDArray[np.float64], source: Form) -> NDArray[np.float64]:
    if source == "matrix":
        return values.reshape(*values.shape[:-1], 3, 3).copy()
    if source == "quaternion":
        return rotation_matrix(_unit(values))
    first = _unit(values[..., :3])
    second = values[..., 3:]
    second = _unit(second - (first * second).sum(axis=-1, keepdims=True) * first)
    return np.stack([first, second, np.cross(first, second)], axis=-1)


def _unit(vector: NDArray[np.float64]) -> NDArray[np.float64]:
    length = np.linalg.norm(vector, axis=-1, keepdims=True)
    unit: NDArray[np.float64] = np.divide(vector, length, out=np.full_like(vector, np.nan), where=length > 1e-12)
    return unit


def _quaternion(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """S. W. Shepperd, "Quaternion from Rotation Matrix", 1978: from whichever number is largest, so none is lost."""
    diagonal = np.diagonal(matrix, axis1=-2, axis2=-1)
    trace = diagonal.sum(axis=-1)
    squares = np.stack([1 + trace, *(1 + 2 * diagonal[..., axis] - trace for axis in range(3))], axis=-1)
    largest = np.argmax(squares, axis=-1)
    m = matrix
    # four times the products of w, x, y, z with each other
    wx, wy, wz = (m[..., 2, 1] - m[..., 1, 2], m[..., 0, 2] - m[..., 2, 0], m[..., 1, 0] - m[..., 0, 1])
    xy, xz, yz = (m[..., 1, 0] + m[..., 0, 1], m[..., 2, 0] + m[..., 0, 2], m[..., 2, 1] + m[..., 1, 2])
    ww, xx, yy, zz = (squares[..., place] for place in range(4))
    products = np.stack(
        [
            np.stack([ww, wx, wy, wz], -1),
            np.stack([wx, xx, xy, xz], -1),
            np.stack([wy, xy, yy, yz], -1),
            np.stack([wz, xz, yz, zz], -1),
        ],
        axis=-2,
    )
    found = _unit(np.take_along_axis(products, largest[..., None, None], axis=-2)[..., 0, :])
    return found * np.where(found[..., :1] < 0, -1.0, 1.0)
