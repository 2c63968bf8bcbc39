"""Fixed point: what comes back is within half a quantum, missing where missing, and clipping is counted."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from kinesphere.errors import InvalidInput
from kinesphere.trajectory import (
    ARRAYS,
    BASIC_ARRAYS,
    MISSING,
    REQUIRED,
    Trajectory,
    from_stored,
    standard_specs,
    to_stored,
)
from tests.support.generated_trajectories import make_trajectory
from tests.support.own_arrays import ELBOWS, own_trajectory

NEEDED = {name: BASIC_ARRAYS[name] for name in REQUIRED}

SCALED = [spec for spec in BASIC_ARRAYS.values() if spec.scale_factor is not None]
FLOATS = st.floats(-10, 10, width=32) | st.just(float("nan"))


@pytest.mark.parametrize("spec", SCALED, ids=lambda spec: spec.name)
@settings(max_examples=30)
@given(data=st.data())
def test_values_in_range_come_back_within_half_a_quantum(spec: Any, data: st.DataObject) -> None:
    values: NDArray[np.float32] = data.draw(arrays(np.float32, (3, *spec.shape), elements=FLOATS))
    stored, clipped = to_stored(spec, values)
    back = from_stored(spec, stored)
    low, high = (-3.2767, 3.2767) if spec.is_fixed_point else (0.0, 1.0)
    missing = np.isnan(values)
    outside = (np.rint(values / spec.scale_factor) * spec.scale_factor < low - 1e-9) | (
        np.rint(values / spec.scale_factor) * spec.scale_factor > high + 1e-9
    )
    assert clipped == np.count_nonzero(outside & ~missing)
    inside = ~outside & ~missing
    np.testing.assert_allclose(back[inside], values[inside], atol=spec.scale_factor / 2 + 1e-6, rtol=0)
    if spec.is_fixed_point:
        np.testing.assert_array_equal(np.isnan(back), missing)
        np.testing.assert_array_equal(stored == MISSING, missing)
    else:
        assert (stored[missing] == 0).all()


def test_infinity_is_clipped_and_never_becomes_missing() -> None:
    spec = BASIC_ARRAYS["body_world"]
    values = np.full((1, *spec.shape), np.inf, np.float32)
    values[0, 0] = -np.inf
    stored, clipped = to_stored(spec, values)
    assert clipped == values.size
    assert stored.max() == 32767
    assert stored.min() == -32767


def test_fixed_point_survives_a_second_round_trip_unchanged() -> None:
    spec = BASIC_ARRAYS["hands_image"]
    stored = np.arange(-32768, 32768, dtype=np.int32).astype(np.int16)[: 2 * 21 * 3 * 500].reshape(-1, *spec.shape)
    again, clipped = to_stored(spec, from_stored(spec, stored))
    assert clipped == 0
    np.testing.assert_array_equal(again, stored)


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        ("grip", (4, 3), r"array 'grip' should have shape \(4, 2\), got \(4, 3\)"),
        ("body_world", (5, 33, 3), r"array 'body_world' should have shape \(4, 33, 3\), got \(5, 33, 3\)"),
    ],
)
def test_an_array_of_another_shape_is_refused_with_both_shapes(name: str, shape: tuple[int, ...], message: str) -> None:
    good = make_trajectory(4)
    with pytest.raises(InvalidInput, match=message):
        _changed(good, {**good.arrays, name: np.zeros(shape, np.float32)})


def test_a_missing_array_and_an_empty_trajectory_are_refused() -> None:
    good = make_trajectory(4)
    with pytest.raises(InvalidInput, match=r"these differ: \['grip'\]"):
        _changed(good, {name: values for name, values in good.arrays.items() if name != "grip"})
    with pytest.raises(InvalidInput, match="has no frames"):
        _changed(good, {name: values[:0] for name, values in good.arrays.items()})


def test_a_trajectory_has_the_basic_arrays_and_those_additional_ones_that_it_is_given() -> None:
    plain, rich = make_trajectory(4), make_trajectory(4, with_sd=True)
    assert list(plain.specs) == list(BASIC_ARRAYS) and list(rich.specs) == list(ARRAYS)
    some = {**plain.arrays, "grip_sd": rich.arrays["grip_sd"]}
    with pytest.raises(InvalidInput, match=r"these differ: \['grip_sd'\]"):
        _changed(plain, some)
    found = replace(plain, arrays=some, specs=standard_specs(some))
    assert list(found.specs) == [*BASIC_ARRAYS, "grip_sd"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"specs": {"valid": BASIC_ARRAYS["valid"]}},
            "a trajectory has the arrays timestamp and valid; missing: timestamp",
        ),
        ({"specs": NEEDED | {"other": ELBOWS}}, "array 'elbow_angle' is listed under the name 'other'"),
        ({"specs": NEEDED | {"video": replace(ELBOWS, name="video")}}, "no array can be named 'video'"),
        (
            {"specs": NEEDED | {"grip": replace(ELBOWS, name="grip")}},
            r"'grip' names a standard array, float32 \[2\], of",
        ),
        (
            {"specs": NEEDED | {"valid": replace(BASIC_ARRAYS["valid"], dtype="int64")}},
            "'valid' names a standard array",
        ),
        ({"arrays": {}}, r"these differ: \['elbow_angle', 'timestamp', 'tool_world', 'touches', 'valid'\]"),
        ({"touches": np.zeros(4, np.float32)}, "array 'touches' should be int64, got float32"),
        ({"elbow_angle": np.zeros((4, 3), np.float32)}, r"'elbow_angle' should have shape \(4, 2\), got \(4, 3\)"),
    ],
)
def test_arrays_and_what_is_said_of_them_have_to_agree(changes: dict[str, Any], message: str) -> None:
    good = vars(own_trajectory(4))
    arrays = {"arrays": {**good["arrays"], **changes}} if not changes.keys() <= good.keys() else changes
    with pytest.raises(InvalidInput, match=message):
        Trajectory(**{**good, **arrays})


def _changed(trajectory: Trajectory, changed: dict[str, Any]) -> Trajectory:
    return Trajectory(**{**vars(trajectory), "arrays": changed})
