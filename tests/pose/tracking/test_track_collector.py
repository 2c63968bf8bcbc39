"""Collecting of frames: what was found, where, and how much memory it takes."""

import tracemalloc

import numpy as np

from kinesphere.trajectory import BASIC_ARRAYS, Valid
from pose.networks.sightings import Body, Hand
from pose.tracking.track_collector import CHUNK_FRAMES, TrackBuilder

BODY = Body(np.full((33, 3), 0.5, np.float32), np.full((33, 3), 0.1, np.float32), np.full(33, 0.8, np.float32))
RIGHT = Hand(np.full((21, 3), 0.25, np.float32), np.full((21, 3), 0.05, np.float32), 0.9, 1.0)


def test_what_is_found_comes_out_and_the_rest_is_missing() -> None:
    tracks = TrackBuilder()
    tracks.add(0, BODY, (None, None))
    tracks.add(40, None, (None, RIGHT))
    assert len(tracks) == 2
    np.testing.assert_array_equal(tracks.handedness, np.array([[np.nan, np.nan], [np.nan, 1]], np.float32))
    arrays = tracks.finish()
    assert set(arrays) == set(BASIC_ARRAYS)
    assert all(values.shape == (2, *BASIC_ARRAYS[name].shape) for name, values in arrays.items())
    assert arrays["timestamp"].tolist() == [0, 40]
    assert arrays["valid"].tolist() == [Valid.BODY, Valid.RIGHT_HAND]
    assert (arrays["body_image"][0] == 0.5).all() and np.isnan(arrays["body_image"][1]).all()
    assert (arrays["hands_world"][1, 1] == np.float32(0.05)).all() and np.isnan(arrays["hands_world"][:, 0]).all()
    np.testing.assert_array_equal(arrays["hand_score"], np.array([[0, 0], [0, 0.9]], np.float32))
    assert (arrays["body_visibility"][1] == 0).all()


def test_frames_beyond_the_first_memory_taken_are_kept_apart() -> None:
    tracks = TrackBuilder()
    frames = CHUNK_FRAMES + 3
    for index in range(frames):
        tracks.add(index, BODY if index % 2 else None, (None, RIGHT if index % 3 else None))
    arrays = tracks.finish()
    assert arrays["timestamp"].tolist() == list(range(frames))
    assert np.flatnonzero(np.isfinite(arrays["body_image"][:, 0, 0])).tolist() == list(range(1, frames, 2))
    assert np.flatnonzero(arrays["hand_score"][:, 1] == 0).tolist() == list(range(0, frames, 3))
    assert len(tracks.finish()["valid"]) == 0 and not len(tracks.handedness), "what was collected is given up"


def test_a_frame_takes_two_kilobytes_whatever_was_found() -> None:
    tracemalloc.start()
    try:
        tracks = TrackBuilder()
        for index in range(2 * CHUNK_FRAMES):
            tracks.add(index, BODY, (None, None))
        tracks.finish()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak / (2 * CHUNK_FRAMES) < 2300
