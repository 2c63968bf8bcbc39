"""How far a person can have come, and who looks like the one whom the video is about."""

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pose.networks.regions import Region
from pose.tracking.appearance import alike, blended
from pose.tracking.person_tracks import FARTHEST, Track, prominence

REGION = Region(500.0, 400.0, 300.0, 0.0)
places = st.builds(
    Region, x=st.floats(-1000, 3000), y=st.floats(-1000, 2000), side=st.floats(20, 2000), angle=st.floats(-3, 3)
)


@given(place=places, waited=st.floats(0, 10_000))
def test_who_stands_still_is_within_reach_for_ever_and_nobody_beyond_the_farthest(place: Region, waited: float) -> None:
    track = Track(REGION, seen_ms=0.0)
    assert track.reaches(REGION, waited)
    if place.distance(REGION) > FARTHEST:
        assert not track.reaches(place, waited)


@given(place=places, waited=st.floats(0, 5000))
def test_what_is_in_reach_now_is_in_reach_later(place: Region, waited: float) -> None:
    track = Track(REGION, seen_ms=0.0)
    if track.reaches(place, waited):
        assert track.reaches(place, waited + 100)


def test_a_jump_from_frame_to_frame_and_a_sudden_giant_are_out_of_reach() -> None:
    track = Track(REGION, seen_ms=0.0)
    assert track.reaches(replace(REGION, x=530), 33)
    assert not track.reaches(replace(REGION, x=560), 33)
    assert not track.reaches(replace(REGION, side=450), 33)


def test_who_walks_is_expected_further_on() -> None:
    track = Track(REGION, seen_ms=0.0)
    for index in range(1, 31):
        track = track.seen(replace(REGION, x=500 + 5 * index), index * 33.0)
    assert abs(track.at(30 * 33 + 330).x - 700) < 5
    unclear = track.seen(replace(REGION, x=0), 31 * 33.0, clear=False)
    assert unclear.speed == track.speed and unclear.region.x == 0


def test_large_and_central_stands_out() -> None:
    size = (1000, 800)
    middle = prominence(REGION, size)
    assert middle > prominence(replace(REGION, side=200), size)
    assert middle > prominence(replace(REGION, x=50), size)
    assert 0 <= prominence(replace(REGION, x=-5000), size) <= middle <= 1


def test_the_same_colours_are_alike_others_are_not_and_hidden_parts_say_nothing() -> None:
    red, blue = np.zeros((2, 512)), np.zeros((2, 512))
    red[:, 7], blue[:, 100] = 1, 1
    assert alike(red, red) == 1 and alike(red, blue) == 0
    only_trunk = red.copy()
    only_trunk[1] = np.nan
    assert alike(only_trunk, red) == 1
    assert np.isnan(alike(np.full((2, 512), np.nan), red))
    np.testing.assert_array_equal(blended(only_trunk, blue, 0.5)[1], blue[1])
    np.testing.assert_array_equal(blended(red, only_trunk, 0.5), red)
