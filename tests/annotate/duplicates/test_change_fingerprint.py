"""Where a picture changes: the same whatever is cut off or put around it, and another for another take."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from annotate.duplicates.change_fingerprint import RATE, ChangeFingerprint, ChangeHasher
from annotate.duplicates.comparison import compare_change
from storage.footage.video_reader import VideoFrame

SECONDS = 12
HEIGHT, WIDTH = 60, 100


def take(seed: int) -> NDArray[np.uint8]:
    """Pictures of one room in which something bright moves about, (pictures, height, width, 3), ten a second."""
    room = np.random.default_rng(0).integers(60, 120, (HEIGHT // 5, WIDTH // 5)).repeat(5, 0).repeat(5, 1)
    random = np.random.default_rng(seed)
    times = np.arange(SECONDS * RATE) / RATE
    waves = random.uniform(0.5, 3, (2, 4)), random.uniform(0, 6, (2, 4))
    ways = np.sin(times[:, None, None] * waves[0] + waves[1]).mean(2)  # (pictures, xy), around 0
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    pictures = []
    for right, down in ways:
        blob = np.hypot(x - WIDTH / 2 - 30 * right, y - HEIGHT / 2 - 17.5 * down) < 6
        pictures.append(np.where(blob, 220, room) + random.normal(0, 2, room.shape))
    return np.clip(pictures, 0, 255).astype(np.uint8)[..., None].repeat(3, 3)


def fingerprint(pictures: NDArray[np.uint8], rate: float = RATE) -> ChangeFingerprint:
    hasher = ChangeHasher()
    for index, picture in enumerate(pictures):
        hasher(VideoFrame(index, round(index * 1e9 / rate), picture))
    return hasher.fingerprint


FILMED = take(1)
KNOWN = fingerprint(FILMED)


@given(
    share=st.floats(0, 0.25), left=st.floats(0, 1), above=st.floats(0, 1), mirrored=st.booleans(), border=st.booleans()
)
@settings(max_examples=8)
def test_what_is_cut_off_or_put_around_it_changes_nothing(
    share: float, left: float, above: float, mirrored: bool, border: bool
) -> None:
    height, width = (round(side * (1 - share)) for side in (HEIGHT, WIDTH))
    top, start = round(above * (HEIGHT - height)), round(left * (WIDTH - width))
    changed = FILMED[:, top : top + height, start : start + width]
    changed = changed[:, :, ::-1] if mirrored else changed
    changed = np.pad(changed, ((0, 0), (10, 10), (0, 0), (0, 0)), constant_values=200) if border else changed
    found = compare_change(fingerprint(changed), KNOWN)
    assert found is not None
    assert found[1] == mirrored
    assert found[0].matched > 0.8
    assert found[0].speed == pytest.approx(1, abs=0.06)


def test_another_take_in_the_same_room_is_another() -> None:
    takes = [fingerprint(take(seed)) for seed in range(2, 6)]
    assert [compare_change(one, KNOWN) for one in takes] == [None] * 4


@pytest.mark.parametrize("speed", [0.8, 1.25])
def test_it_is_known_at_another_speed(speed: float) -> None:
    found = compare_change(fingerprint(FILMED, RATE * speed), KNOWN)
    assert found is not None
    assert found[0].speed == pytest.approx(speed, rel=0.1)


def test_noise_and_a_lamp_that_is_switched_are_no_movement() -> None:
    random = np.random.default_rng(0)
    still = np.clip(random.normal(100, 3, (60, 120, 200, 1)), 0, 255).astype(np.uint8).repeat(3, 3)
    still[30:] += 40
    assert len(fingerprint(still).hashes()[0]) == 0


def test_a_recording_too_short_for_a_window_has_none() -> None:
    for pictures in (0, 1, 3, 28):
        assert fingerprint(FILMED[:pictures]).hashes()[1].shape == (0, 32)
    assert ChangeFingerprint.none().hashes()[1].shape == (0, 32)
