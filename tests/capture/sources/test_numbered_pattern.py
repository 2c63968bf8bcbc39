"""The burnt-in frame number survives what videos do to pictures, and nothing else is taken for one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capture.sources.numbered_pattern import Pattern, draw_counter, read_counter
from kinesphere.errors import InvalidInput


@settings(max_examples=50)
@given(number=st.integers(0, 2**24 - 1), width=st.integers(96, 400), height=st.integers(96, 300))
def test_any_number_can_be_read_back_at_any_size(number: int, width: int, height: int) -> None:
    luma = np.full((height, width), 128, dtype=np.uint8)
    draw_counter(luma, number)
    assert read_counter(luma) == number


@pytest.mark.parametrize("turn", [1, 2, 3])
@pytest.mark.parametrize("number", [0, 1, 77, 65_535])
def test_a_turned_or_mirrored_picture_is_not_read(number: int, turn: int) -> None:
    luma = np.full((256, 256), 128, dtype=np.uint8)
    draw_counter(luma, number)
    for wrong in (np.rot90(luma, turn), luma[:, ::-1], luma[::-1]):
        with pytest.raises(InvalidInput, match="no frame number"):
            read_counter(np.ascontiguousarray(wrong))


def test_pictures_move_and_carry_their_number() -> None:
    pattern = Pattern(320, 240)
    first, second = (pattern.frame(number).to_ndarray(format="rgb24") for number in (41, 42))
    assert (read_counter(np.asarray(first)), read_counter(np.asarray(second))) == (41, 42)
    moved = np.abs(first.astype(int) - second.astype(int)).mean()
    assert moved > 1


def test_a_picture_keeps_its_pixels_when_the_next_is_drawn() -> None:
    pattern = Pattern(320, 240)
    first = pattern.frame(1)
    pattern.frame(2)
    assert read_counter(np.asarray(first.to_ndarray(format="rgb24"))) == 1
