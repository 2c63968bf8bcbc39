from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from annotate.proposals.motion_minima import motion_minima
from annotate.signals.signals import signals_of
from kinesphere.errors import InvalidInput
from tests.support.labelled_clips import real_clip

STEP = 33_333_333


def times(frames: int) -> np.ndarray:
    return np.arange(frames, dtype=np.int64) * STEP


def test_the_pauses_of_a_motion_are_found_where_they_are() -> None:
    seconds = np.arange(300) / 30
    speed = 0.5 + 0.5 * np.cos(2 * np.pi * seconds / 2)  # pauses at 1, 3, 5, 7 and 9 s
    found = motion_minima(times(300), speed)
    assert np.abs(found.frames - [30, 90, 150, 210, 270]).max() <= 1
    assert (found.times_ns == found.frames * STEP).all()


def test_jitter_at_rest_and_an_even_motion_have_no_pauses() -> None:
    jitter = np.abs(np.random.default_rng(0).normal(0, 0.005, 600))
    assert not len(motion_minima(times(600), jitter).frames)
    assert not len(motion_minima(times(600), np.full(600, 0.4)).frames)
    assert not len(motion_minima(times(600), np.linspace(0, 3, 600)).frames)


def test_gaps_are_no_pauses_and_hide_none() -> None:
    seconds = np.arange(300) / 30
    speed = 0.5 + 0.5 * np.cos(2 * np.pi * seconds / 2)
    speed[45:75] = np.nan
    found = motion_minima(times(300), speed)
    assert np.abs(found.frames - [30, 90, 150, 210, 270]).max() <= 2


@pytest.mark.parametrize("speed", [[], [0.3], [np.nan], [np.nan] * 50, [0.3, 0.1]])
def test_too_little_has_no_pauses(speed: list[float]) -> None:
    assert not len(motion_minima(times(len(speed)), np.array(speed)).frames)


def test_every_gesture_of_the_real_hand_has_a_pause_in_it() -> None:
    clip = real_clip("hand")
    energy = signals_of(clip.trajectory).values("motion energy")
    pauses = motion_minima(clip.trajectory.times_ns(), energy).frames
    held = [row for row in clip.segments if row.start_frame > 0 and row.end_frame < 600]
    without = [row.label for row in held if not ((pauses >= row.start_frame) & (pauses < row.end_frame)).any()]
    assert len(without) <= 1


@given(arrays(np.float32, st.integers(0, 200), elements=st.floats(0, 5, width=32) | st.just(np.nan)))
def test_minima_are_in_order_and_where_something_is_known(speed: np.ndarray) -> None:
    found = motion_minima(times(len(speed)), speed)
    assert (np.diff(found.frames) > 0).all()
    assert np.isfinite(speed[found.frames]).all()


def test_times_and_speeds_must_belong_together() -> None:
    with pytest.raises(InvalidInput, match="one shape"):
        motion_minima(times(3), np.zeros(4))
