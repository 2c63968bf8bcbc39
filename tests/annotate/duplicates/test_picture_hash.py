"""PDQ: the very bits of Facebook's own code, and what it is for."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from annotate.duplicates.picture_hash import picture_hashes


def waves(height: int, width: int) -> NDArray[np.uint8]:
    y, x = np.mgrid[0:height, 0:width]
    light = [128 + 100 * np.sin(x / 17 + colour) * np.cos(y / (11 + colour)) for colour in range(3)]
    return np.stack(light, axis=-1).astype(np.uint8)


@pytest.mark.parametrize(
    ("height", "width", "expected", "quality"),
    [
        (128, 228, "f0000ffff000f0000ffff0000ffff0000ffff0000ffff0080ffff00f0ffff023", 100),
        (300, 200, "1fffe0001fffe0001fffe0001fffb555e0001fffe0001fffe0001ffae0001ff0", 100),
        (64, 64, "800080007fff80007ffe80007fff80227fd681517fff831c7fbe82f07dce8b1f", 48),
        (70, 500, "aad5ff80552aaad5552aaad5552aaad5552aff80552aaad5552a007f192eaad5", 100),
    ],
)
def test_the_bits_are_those_of_the_package_pdqhash(height: int, width: int, expected: str, quality: int) -> None:
    """As `pdqhash` 0.2.8 gave them, which binds Facebook's C++; its last bit is our first."""
    found, _, how_good = picture_hashes(waves(height, width))
    assert (found.tobytes().hex(), how_good) == (expected, quality)


def test_both_ways_are_the_hashes_of_the_picture_and_of_the_picture_turned_over() -> None:
    light = np.random.default_rng(0).integers(0, 256, (9, 16), dtype=np.uint8).repeat(20, 0).repeat(20, 1)
    bits, turned, quality = picture_hashes(light)
    expected_turned, expected, how_good = picture_hashes(np.ascontiguousarray(light[:, ::-1]))
    assert quality == how_good
    assert np.bitwise_count(bits ^ expected).sum() <= 2, "sums in another order"
    assert np.bitwise_count(turned ^ expected_turned).sum() <= 2, "sums in another order"
    assert np.bitwise_count(bits ^ turned).sum() > 60


@given(st.integers(0, 255))
def test_a_picture_without_structure_has_no_quality(level: int) -> None:
    assert picture_hashes(np.full((128, 200, 3), level, np.uint8))[2] == 0


def test_a_darker_picture_keeps_most_bits_and_another_half_of_them() -> None:
    picture = waves(128, 228)
    dark, other = (picture * 0.6).astype(np.uint8), np.ascontiguousarray(picture.swapaxes(0, 1))
    bits = [np.unpackbits(picture_hashes(image)[0]) for image in (picture, dark, other)]
    assert (bits[0] != bits[1]).sum() <= 20
    assert 80 < (bits[0] != bits[2]).sum() < 180
