"""Left and right of people who are known: what was exchanged is exchanged back, and nothing else is touched."""

import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from kinesphere.trajectory import BODY_LANDMARKS, HAND_LANDMARKS, Valid
from pose.tracking.held_sides import hold_sides

Arrays = dict[str, NDArray[Any]]
Floats = NDArray[np.float64]
SIZE = (1280, 720)
SCALE = 0.4
"""Image widths a metre."""
BITS = int(Valid.LEFT_HAND | Valid.RIGHT_HAND)
OTHER = [
    BODY_LANDMARKS.index(name.replace("left", "right") if "left" in name else name.replace("right", "left"))
    for name in BODY_LANDMARKS
]
FACE = [row for row, name in enumerate(BODY_LANDMARKS) if "eye" in name or "mouth" in name or name == "nose"]
PLACES = {
    "ear": (0.08, -0.6, 0), "eye_inner": (0.02, -0.62, -0.1), "eye": (0.03, -0.62, -0.1),
    "eye_outer": (0.04, -0.62, -0.09),
    "shoulder": (0.18, -0.45, 0), "elbow": (0.24, -0.2, 0.02), "wrist": (0.26, 0, -0.1), "pinky": (0.27, 0.05, -0.1),
    "index": (0.25, 0.06, -0.1), "thumb": (0.23, 0.03, -0.1), "hip": (0.1, 0, 0), "knee": (0.11, 0.4, -0.03),
    "ankle": (0.11, 0.8, 0), "heel": (0.11, 0.84, 0.04), "foot_index": (0.12, 0.85, -0.12),
    "mouth": (0.03, -0.56, -0.1),
}  # fmt: skip
"""Of a person who faces the camera: the left landmark of each pair, in metres."""


def standing() -> Floats:
    """(33, 3) of somebody who faces the camera, whose left is on the right of the picture."""
    body = np.zeros((len(BODY_LANDMARKS), 3))
    for row, name in enumerate(BODY_LANDMARKS):
        if name == "nose":
            body[row] = 0, -0.6, -0.13
            continue
        side = -1 if "right" in name else 1
        x, y, z = PLACES[name.replace("left_", "").replace("right_", "").replace("_left", "").replace("_right", "")]
        body[row] = side * x, y, z
    return body


def hand_shape(side: int) -> Floats:
    """(21, 3) of a hand of 18 cm that points down, its thumb towards the body."""
    shape = np.zeros((len(HAND_LANDMARKS), 3))
    for finger in range(5):
        for joint in range(4):
            shape[1 + 4 * finger + joint] = (finger - 2) * 0.02, 0.06 + 0.035 * joint - (0.05 if finger == 0 else 0), 0
    return shape * (1 if side == 0 else -1, 1, 1)


def film(
    turn: Floats,
    *,
    hands: bool = True,
    bend: Callable[[Floats], None] | None = None,
    jitter: float = 0.004,
    zoom: float = 1.0,
) -> tuple[Arrays, NDArray[np.float32]]:
    """A person who turns by so many radians, at 30 frames a second, as perfect networks would see them.

    Args:
        turn: (frames,) radians about the vertical.
        hands: whether hands are found; those that are turned away from the camera too.
        bend: changes the (frames, 33, 3) pose before it is turned.
        jitter: m, of every landmark.
        zoom: how large hands are shown, over what they are.
    """
    frames, random = len(turn), np.random.default_rng(1)
    pose = np.repeat(standing()[None], frames, axis=0)
    if bend is not None:
        bend(pose)
    cos, sin = np.cos(turn)[:, None], np.sin(turn)[:, None]
    world = np.stack(
        [cos * pose[..., 0] + sin * pose[..., 2], pose[..., 1], cos * pose[..., 2] - sin * pose[..., 0]], axis=-1
    ) + jitter * random.standard_normal(pose.shape)
    arrays: Arrays = {
        "timestamp": np.asarray(np.round(np.arange(frames) * 1e9 / 30), np.int64),
        "valid": np.full(frames, int(Valid.BODY) | (BITS if hands else 0), np.uint8),
        "body_world": world.astype(np.float32),
        "body_visibility": np.full((frames, 33), 0.9, np.float32),
        "hand_score": np.full((frames, 2), 0.9 if hands else 0, np.float32),
        "hands_world": np.full((frames, 2, 21, 3), np.nan, np.float32),
        "hands_image": np.full((frames, 2, 21, 3), np.nan, np.float32),
    }
    arrays["body_image"] = in_picture(world)
    if hands:
        for side in range(2):
            shape = hand_shape(side) + 0.001 * random.standard_normal((frames, 21, 3))
            arrays["hands_world"][:, side] = shape
            arrays["hands_image"][:, side] = in_picture(world[:, 15 + side, None] + zoom * shape)
    handedness = np.tile(np.array([0.05, 0.95], np.float32), (frames, 1))
    return arrays, handedness if hands else np.full_like(handedness, np.nan)


def in_picture(world: Floats) -> NDArray[np.float32]:
    image = world * (SCALE, SCALE * SIZE[0] / SIZE[1], SCALE) + (0.5, 0.5, 0)
    return np.asarray(image, np.float32)


def exchange(arrays: Arrays, handedness: NDArray[np.float32], rows: slice | NDArray[Any]) -> None:
    """As the network does that takes a back for a front: hands are found at the wrists of the wrong names."""
    for name in ("body_image", "body_world", "body_visibility"):
        values = arrays[name][rows][:, OTHER]
        if values.ndim == 3:
            values[:, FACE, 2] = 2 * values[:, [7, 8], 2].mean(axis=1, keepdims=True) - values[:, FACE, 2]
        arrays[name][rows] = values
    exchange_hands(arrays, handedness, rows)


def exchange_hands(arrays: Arrays, handedness: NDArray[np.float32], rows: slice | NDArray[Any]) -> None:
    for values in (arrays["hands_image"], arrays["hands_world"], arrays["hand_score"], handedness):
        values[rows] = values[rows][:, ::-1]
    there = np.isfinite(arrays["hands_image"][rows, :, 0, 0])
    bits = there[:, 0] * int(Valid.LEFT_HAND) + there[:, 1] * int(Valid.RIGHT_HAND)
    arrays["valid"][rows] = (arrays["valid"][rows] & (0xFF ^ BITS)) | bits.astype(np.uint8)


def lose(arrays: Arrays, handedness: NDArray[np.float32], rows: slice, *, side: int) -> None:
    """Take a hand away, as the extractor leaves it."""
    for values in (arrays["hands_image"], arrays["hands_world"], handedness):
        values[rows, side] = np.nan
    arrays["hand_score"][rows, side] = 0
    arrays["valid"][rows] &= np.uint8(0xFF ^ (Valid.LEFT_HAND, Valid.RIGHT_HAND)[side])


def without_body(arrays: Arrays) -> None:
    arrays["body_image"][:] = arrays["body_world"][:] = np.nan
    arrays["body_visibility"][:] = 0
    arrays["valid"] &= np.uint8(BITS)


def held(arrays: Arrays, handedness: NDArray[np.float32]) -> Arrays:
    out = {name: values.copy() for name, values in arrays.items()}
    hold_sides(out, handedness.copy(), SIZE)
    return out


def assert_same(found: Arrays, true: Arrays, *, but: int = 0, sure: bool = True) -> None:
    """Same to a rounding error, in all but a few frames, and, if they should be sure, nothing is said to be unsure."""
    wrong = np.zeros(len(true["timestamp"]), bool)
    for name, values in true.items():
        values_found = (
            found[name] & (0xFF if sure else 0xFF ^ int(Valid.SIDES_UNSURE)) if name == "valid" else found[name]
        )
        close = np.isclose(values_found, values, atol=1e-5, equal_nan=True)
        wrong |= ~close.reshape(len(close), -1).all(axis=1)
    assert wrong.sum() <= but, np.flatnonzero(wrong).tolist()


def swaying(frames: int = 120) -> Floats:
    return np.asarray(0.4 * np.sin(np.arange(frames) / 15), np.float64)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 119), st.integers(1, 40), st.booleans())
@example(0, 40, False)
@example(80, 40, False)
@example(50, 15, True)
def test_a_stretch_that_was_exchanged_is_exchanged_back(first: int, frames: int, hands: bool) -> None:
    true, handedness = film(swaying(), hands=hands)
    seen = {name: values.copy() for name, values in true.items()}
    told = handedness.copy()
    exchange(seen, told, slice(first, min(first + frames, 120)))
    is_clear = first >= 5 and first + frames <= 115 and frames <= 30
    assert_same(held(seen, told), true, sure=is_clear)


@settings(max_examples=10, deadline=None)
@given(st.floats(-3.1, 3.1), st.floats(-4, 4), st.booleans(), st.floats(0.001, 0.02))
def test_nothing_changes_where_nothing_is_exchanged(start: float, speed: float, hands: bool, jitter: float) -> None:
    """However somebody is turned, and turns, to the side and back too."""

    def strides(pose: Floats) -> None:
        phase = np.sin(np.arange(len(pose)) / 30 * 6)[:, None, None]
        pose[:, [25, 27, 29, 31]] += phase * (0, 0, 0.25)
        pose[:, [26, 28, 30, 32]] -= phase * (0, 0, 0.25)

    turn = start + speed * np.minimum(np.arange(120), 100) / 30
    true, handedness = film(turn, hands=hands, bend=strides, jitter=jitter)
    found = held(true, handedness)
    for name, values in true.items():
        if name != "valid":
            np.testing.assert_array_equal(found[name], values)
    np.testing.assert_array_equal(found["valid"] & 0x3F, true["valid"])


@pytest.mark.parametrize("direction", [-1, 1])
@pytest.mark.parametrize("zoom", [0.7, 1.0])
def test_who_turns_round_is_not_seen_to_turn_back_half_way(direction: int, zoom: float) -> None:
    """The network never sees a back: all the time that one is shown, a third of it, it names a front."""
    turn = direction * np.clip((np.arange(180) - 30) / 30, 0, 4) * np.pi / 2
    true, handedness = film(np.asarray(turn, np.float64), zoom=zoom)
    back = np.flatnonzero(np.cos(turn) < 0)
    assert 55 <= len(back) <= 65
    seen, told = {name: values.copy() for name, values in true.items()}, handedness.copy()
    exchange(seen, told, back)
    assert_same(held(seen, told), true, but=6)  # where left and right coincide


def test_it_is_seen_by_the_turn_itself_where_there_are_no_hands() -> None:
    turn = np.asarray(np.clip((np.arange(180) - 30) / 30, 0, 4) * np.pi / 2, np.float64)
    true, handedness = film(turn, hands=False)
    seen, told = {name: values.copy() for name, values in true.items()}, handedness.copy()
    exchange(seen, told, np.flatnonzero(np.cos(turn) < 0))
    assert_same(held(seen, told), true, but=6, sure=False)


def test_legs_that_are_exchanged_alone_keep_their_depths() -> None:
    def step(pose: Floats) -> None:
        pose[:, [25, 27, 29, 31], 2] += 0.3
        pose[:, [26, 28, 30, 32], 2] -= 0.3

    true, handedness = film(np.full(90, 1.4), bend=step)
    seen = {name: values.copy() for name, values in true.items()}
    legs, other = [25, 27, 29, 31, 26, 28, 30, 32], [26, 28, 30, 32, 25, 27, 29, 31]
    for rows in (slice(20, 23), slice(50, 51)):
        for name in ("body_image", "body_world"):
            seen[name][rows, legs, :2] = seen[name][rows][:, other, :2]
    assert_same(held(seen, handedness), true)


def test_hands_that_a_whole_clip_names_wrongly_are_the_other_ones_and_so_is_their_body() -> None:
    true, handedness = film(swaying())
    seen, told = {name: values.copy() for name, values in true.items()}, handedness.copy()
    exchange(seen, told, slice(None))
    assert_same(held(seen, told), true)


def crossing(frames: int = 150) -> tuple[Arrays, NDArray[np.float32]]:
    """Two hands without a body that cross and cross back, clapping half way."""

    def cross(pose: Floats) -> None:
        way = 0.26 * np.cos(np.arange(len(pose)) / 30 * 2)
        pose[:, 15, 0], pose[:, 16, 0] = way, -way
        pose[:, 15, 1] += 0.05 * np.sin(np.arange(len(pose)) / 30 * 2)

    arrays, handedness = film(np.zeros(frames), bend=cross)
    without_body(arrays)
    return arrays, handedness


def test_hands_that_cross_stay_the_hands_that_they_were() -> None:
    true, handedness = crossing()
    assert_same(held(true, handedness), true)
    seen, told = {name: values.copy() for name, values in true.items()}, handedness.copy()
    exchange_hands(seen, told, slice(47, 94))  # by where they are
    assert_same(held(seen, told), true)


@pytest.mark.parametrize("side", [0, 1])
def test_a_hand_that_comes_back_on_the_wrong_side_is_known_again(side: int) -> None:
    true, handedness = crossing()
    lose(true, handedness, slice(30, 150), side=1 - side)
    lose(true, handedness, slice(40, 60), side=side)
    seen, told = {name: values.copy() for name, values in true.items()}, handedness.copy()
    exchange_hands(seen, told, slice(60, 100))
    found = held(seen, told)
    assert_same(found, true, sure=False)
    assert (found["valid"][60:100] & BITS == (Valid.LEFT_HAND, Valid.RIGHT_HAND)[side]).all()


def test_where_it_cannot_be_told_it_says_so() -> None:
    """Two hands that come back after they may have traded places, of which the network says nothing."""
    true, handedness = crossing(300)
    for side in range(2):
        lose(true, handedness, slice(100, 160), side=side)
    handedness[160:] = 0.5
    found = held(true, handedness)
    assert not (found["valid"][:100] & Valid.SIDES_UNSURE).any(), "the network knew these"
    assert not found["valid"][100:160].any(), "there is nothing to be unsure of"
    slightly = handedness.copy()
    slightly[160:] = (0.55, 0.45)
    assert (held(true, slightly)["valid"][160:] & Valid.SIDES_UNSURE).all()
    clear, told = crossing(300)
    assert not (held(clear, told)["valid"] & Valid.SIDES_UNSURE).any()


def test_a_body_and_its_hands_that_contradict_each_other_are_unsure() -> None:
    true, handedness = film(swaying(90))
    told = handedness.copy()
    told[:] = (0.55, 0.45)  # the hands say that it is the other way round, and not loudly
    assert (held(true, told)["valid"] & Valid.SIDES_UNSURE).all()
    assert not (held(true, handedness)["valid"] & Valid.SIDES_UNSURE).any()


def test_the_mirror_of_a_clip_is_the_mirror_of_its_tracks() -> None:
    turn = np.asarray(np.arange(180) / 30 * 1.3, np.float64)
    arrays, handedness = film(turn)
    exchange(arrays, handedness, slice(60, 100))
    handedness[20:50] = 1 - handedness[20:50]
    mirrored, told = mirror(arrays, handedness)
    found, from_mirror = held(arrays, handedness), held(mirrored, told)
    again, _ = mirror(from_mirror, told)
    for name, values in found.items():
        np.testing.assert_allclose(again[name], values, atol=1e-5, err_msg=name)


def mirror(arrays: Arrays, handedness: NDArray[np.float32]) -> tuple[Arrays, NDArray[np.float32]]:
    out = {name: values.copy() for name, values in arrays.items()}
    for name in ("body_image", "body_world", "body_visibility"):
        out[name] = out[name][:, OTHER]
    for name in ("hands_image", "hands_world", "hand_score"):
        out[name] = out[name][:, ::-1].copy()
    for name in ("body_world", "hands_world"):
        out[name][..., 0] *= -1
    for name in ("body_image", "hands_image"):
        out[name][..., 0] = 1 - out[name][..., 0]
    left, right = (out["valid"] & int(bit) > 0 for bit in (Valid.LEFT_HAND, Valid.RIGHT_HAND))
    out["valid"] = (out["valid"] & (0xFF ^ BITS)) | (left * 4 + right * 2).astype(np.uint8)
    return out, 1 - handedness[:, ::-1]


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_few_frames_and_none_with_anybody_are_left_as_they_are(frames: int) -> None:
    true, handedness = film(np.zeros(frames))
    assert_same(held(true, handedness), true)
    nobody = {name: values.copy() for name, values in true.items()}
    without_body(nobody)
    for side in range(2):
        lose(nobody, handedness, slice(None), side=side)
    assert_same(held(nobody, handedness), nobody)


def test_a_long_recording_takes_little_memory_beside_its_tracks() -> None:
    arrays, handedness = film(np.asarray(np.arange(12_000) / 40, np.float64))
    exchange(arrays, handedness, slice(3000, 9000))
    size = sum(values.nbytes for values in arrays.values())
    tracemalloc.start()
    try:
        hold_sides(arrays, handedness, SIZE)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 0.45 * size, f"{peak / size:.2f} of the tracks"
