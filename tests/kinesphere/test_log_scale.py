"""One byte a number: what is stored comes back to within half a step, and what is missing stays missing."""

from __future__ import annotations

import math
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinesphere.errors import InvalidInput
from kinesphere.log_scale import LogScale
from kinesphere.trajectory import ADDITIONAL_ARRAYS, SD_SCALE, from_stored, to_stored

SCALES = st.builds(LogScale, st.floats(1e-9, 1e3), st.floats(1.001, 1.2))


@given(scale=SCALES, shares=st.lists(st.floats(0, 1) | st.none(), min_size=1, max_size=20))
def test_numbers_within_the_range_come_back_to_within_half_a_step(scale: LogScale, shares: list[float | None]) -> None:
    span = math.log(scale.largest / scale.smallest)
    numbers = [math.nan if share is None else scale.smallest * math.exp(share * span) for share in shares]
    values = np.array(numbers, np.float64)
    codes, clipped = scale.encode(values)
    found = scale.decode(codes)
    assert codes.dtype == np.uint8 and found.dtype == np.float32 and clipped == 0
    np.testing.assert_array_equal(np.isnan(found), np.isnan(values))
    there = ~np.isnan(values)
    assert (np.abs(found[there] / values[there] - 1) <= scale.largest_error + 1e-6).all()


@given(scale=SCALES)
def test_every_code_comes_back_from_what_it_stands_for(scale: LogScale) -> None:
    codes = np.arange(256, dtype=np.uint8)
    numbers = scale.decode(codes)
    assert np.isnan(numbers[0]) and (np.diff(numbers[1:]) > 0).all()
    np.testing.assert_allclose(numbers[1:], scale.smallest * scale.ratio ** np.arange(255.0), rtol=1e-6)
    again, clipped = scale.encode(numbers)
    np.testing.assert_array_equal(again, codes)
    assert clipped == 0
    out = np.empty(256, np.float32)
    assert scale.decode(codes, out) is out
    np.testing.assert_array_equal(out, numbers)


def test_the_scale_of_standard_deviations_reaches_from_micrometres_to_metres() -> None:
    assert SD_SCALE.smallest == 1e-5 and 10 < SD_SCALE.largest < 11
    assert SD_SCALE.largest_error < 0.03
    assert {spec.log_scale for name, spec in ADDITIONAL_ARRAYS.items() if name.endswith("_sd")} == {SD_SCALE}
    assert pickle.loads(pickle.dumps(SD_SCALE)) == SD_SCALE


def test_what_lies_beyond_the_range_gets_its_end_and_is_counted() -> None:
    spec = ADDITIONAL_ARRAYS["grip_sd"]
    values = np.array([[0, 1e-9], [np.nan, np.inf], [500, 0.01]], np.float32)
    codes, clipped = to_stored(spec, values)
    assert codes.tolist()[:2] == [[1, 1], [0, 255]] and codes[2, 0] == 255
    assert clipped == 4
    np.testing.assert_allclose(from_stored(spec, codes)[2], [SD_SCALE.largest, 0.01], rtol=0.03)


def test_a_negative_standard_deviation_is_refused_by_the_name_of_its_array() -> None:
    with pytest.raises(InvalidInput, match=r"array 'grip_sd': a log scale holds no negative numbers, got -0\.5"):
        to_stored(ADDITIONAL_ARRAYS["grip_sd"], np.array([[-0.5, 1]], np.float32))


@pytest.mark.parametrize(
    ("smallest", "ratio"), [(0, 1.1), (-1, 1.1), (math.nan, 1.1), (1e-5, 1), (1e-5, math.nan), (1, 1.9), (1e-40, 1.1)]
)
def test_a_scale_that_cannot_be_is_refused(smallest: float, ratio: float) -> None:
    with pytest.raises(InvalidInput, match="a log scale has a positive smallest number"):
        LogScale(smallest, ratio)
