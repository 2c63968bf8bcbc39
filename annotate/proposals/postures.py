"""What a track of the timeline shows over time: the posture of a hand or a body, ten times a second."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from annotate.signals.trajectory_reader import TrajectoryReader
from kinesphere.errors import InvalidInput
from kinesphere.trajectory import BODY_LANDMARKS, HAND_LANDMARKS, HANDS

Floats = NDArray[np.float64]

RATE = 10.0
"""Postures a second: arms and hands move with little power above half of it."""
BODY_WEIGHT = 1 / 4
"""A body's posture in torso lengths times this weighs as much as a hand's in hand lengths."""
LEAST_VISIBLE = 0.5
"""Landmarks of the body that are less likely to be visible are guesses, such as legs under a table."""
LONGEST_GAP = 0.5
"""Seconds; who is gone for longer is absent, and a segment ends."""
LONGEST_SECONDS = 4 * 3600
"""Memory grows with the duration, a tenth of a gigabyte an hour, however few frames there are."""
_LEAST_SIZE = 0.01
"""Image heights; what seems smaller is no hand."""
_TIPS = [HAND_LANDMARKS.index(f"{finger}_tip") for finger in ("thumb", "index", "middle", "ring", "pinky")]
_WRIST, _MIDDLE, _INDEX, _PINKY = (
    HAND_LANDMARKS.index(name) for name in ("wrist", "middle_mcp", "index_mcp", "pinky_mcp")
)
_SHOULDERS, _ELBOWS, _WRISTS, _HIPS, _KNEES, _ANKLES = (
    [BODY_LANDMARKS.index(f"{side}_{part}") for side in HANDS]
    for part in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
)
_HAND_NUMBERS = len(_TIPS) + len(_TIPS[1:]) + 2 * 3
_BODY_NUMBERS = 3 * (len(_ELBOWS + _WRISTS + _KNEES + _ANKLES) + 2)


@dataclass(frozen=True)
class Postures:
    """One track at even times, `RATE` a second, from the first frame on."""

    values: Floats
    """`(moments, numbers)`, in hand lengths, or torso lengths times `BODY_WEIGHT`; what is missing is as it was last
    seen, or first. The last two numbers of every part are its place in the picture."""
    places: tuple[int, ...]
    """Which of the numbers are places: they tell movements, not postures."""
    is_there: NDArray[np.bool_]
    """`(moments,)`: whether the track has anything to show, short gaps included."""
    began_ns: int
    """The time of the first frame."""

    def moment_of(self, time_ns: float) -> float:
        """The moment, with its fraction, of a time in nanoseconds since the recording began."""
        return (time_ns - self.began_ns) / 1e9 * RATE

    def time_of(self, moment: float) -> int:
        """The inverse of `moment_of`, to the nanosecond."""
        return self.began_ns + round(moment / RATE * 1e9)


def postures(trajectory: TrajectoryReader) -> dict[str, Postures]:
    """The postures of all tracks, by the names of `TRACKS`; read in blocks of frames.

    * a hand: how far the fingertips are from wrist and thumb tip, which way it points and turns, and where it is.
    * whole body: elbows and wrists from the shoulders, knees and ankles from the hips, how it leans and turns, and
      where it is. Landmarks that are not visible do not count.
    * task phase: all of them.

    Raises:
        InvalidInput: the recording lasts longer than `LONGEST_SECONDS`.
        CorruptObject: the shard is damaged.
    """
    moments = _Moments(trajectory)
    parts = {side: _Part(moments.number, _HAND_NUMBERS) for side in (0, 1)}
    body = _Part(moments.number, _BODY_NUMBERS)
    for start, stop in trajectory.blocks():
        at = moments.of[start:stop]
        world, image = trajectory.read("hands_world", start, stop), _in_heights(trajectory, "hands_image", start, stop)
        for side, part in parts.items():
            part.add(at, *_hand(world[:, side], image[:, side]))
        seen = trajectory.read("body_visibility", start, stop)
        world, image = trajectory.read("body_world", start, stop), _in_heights(trajectory, "body_image", start, stop)
        body.add(at, *_body(world, image, seen))
    left, right = (parts[side].finished(1.0, moments.began_ns) for side in (0, 1))
    whole = body.finished(BODY_WEIGHT, moments.began_ns)
    return {"task phase": _together(left, right, whole), "whole body": whole, "left hand": left, "right hand": right}


class _Moments:
    """Which moment each frame belongs to."""

    def __init__(self, trajectory: TrajectoryReader) -> None:
        times = trajectory.times_ns()
        self.began_ns = int(times[0])
        seconds = (int(times[-1]) - self.began_ns) / 1e9
        if seconds > LONGEST_SECONDS:
            raise InvalidInput(
                f"recording {trajectory.recording} lasts {seconds / 3600:.1f} h; its motion is looked at in up to "
                f"{LONGEST_SECONDS / 3600:.0f} h: cut it in parts"
            )
        self.of = np.maximum(((times - times[0]) / 1e9 * RATE).astype(np.int64), 0)
        self.number = int(self.of.max()) + 1


class _Part:
    """The mean posture, place and size of a hand or the body at each moment: sums of what was seen, and counts."""

    def __init__(self, moments: int, numbers: int) -> None:
        self._sums = np.zeros((moments, numbers + 3))
        self._counts = np.zeros((moments, numbers + 3), np.int32)

    def add(self, at: NDArray[np.int64], posture: Floats, place: Floats, size: Floats) -> None:
        """Frames at these moments: postures `(frames, numbers)`, places `(frames, 2)` and sizes in image heights."""
        values = np.concatenate([posture, place, size[:, None]], axis=1)
        there = np.isfinite(values)
        firsts = np.flatnonzero(np.diff(at, prepend=-1))
        self._sums[at[firsts]] += np.add.reduceat(np.where(there, values, 0), firsts)
        self._counts[at[firsts]] += np.add.reduceat(there.astype(np.int32), firsts)

    def finished(self, weight: float, began_ns: int) -> Postures:
        """The postures, with places in lengths of this hand or torso as the picture shows them."""
        found = self._counts > 0
        values = np.divide(self._sums, self._counts, out=np.full(self._sums.shape, np.nan), where=found)
        sizes = values[:, -1]
        size = float(np.median(sizes[found[:, -1]])) if found[:, -1].any() else 1.0
        values = values[:, :-1]
        values[:, -2:] /= max(size, _LEAST_SIZE)
        numbers = values.shape[1]
        is_there = _without_short_gaps(found[:, -2])
        return Postures(_forward_filled(values) * weight, (numbers - 2, numbers - 1), is_there, began_ns)


def _together(*parts: Postures) -> Postures:
    places: list[int] = []
    offset = 0
    for part in parts:
        places += [offset + place for place in part.places]
        offset += part.values.shape[1]
    values = np.concatenate([part.values for part in parts], axis=1)
    is_there = np.logical_or.reduce([part.is_there for part in parts])
    return Postures(values, tuple(places), is_there, parts[0].began_ns)


def _in_heights(trajectory: TrajectoryReader, name: str, start: int, stop: int) -> Floats:
    aspect = trajectory.image_width / trajectory.image_height
    found: Floats = trajectory.read(name, start, stop)[..., :2] * np.array([aspect, 1])
    return found


def _hand(world: Floats, image: Floats) -> tuple[Floats, Floats, Floats]:
    """Posture, place and size of a hand: landmarks `(frames, 21, 3)` in metres and `(frames, 21, 2)` in heights."""
    wrist, tips = world[:, _WRIST], world[:, _TIPS]
    ahead, across = world[:, _MIDDLE] - wrist, world[:, _INDEX] - world[:, _PINKY]
    length = 2 * np.linalg.norm(ahead, axis=-1, keepdims=True)
    from_wrist = np.linalg.norm(tips - wrist[:, None], axis=-1)
    from_thumb = np.linalg.norm(tips[:, 1:] - tips[:, :1], axis=-1)
    shape = np.concatenate([from_wrist, from_thumb], axis=1) / np.maximum(length, 1e-6)
    posture = np.concatenate([shape, _direction(ahead), _direction(across)], axis=1)
    return posture, image[:, _WRIST], 2 * np.linalg.norm(image[:, _MIDDLE] - image[:, _WRIST], axis=-1)


def _body(world: Floats, image: Floats, visibility: Floats) -> tuple[Floats, Floats, Floats]:
    """Posture, place and size of a body: landmarks `(frames, 33, 3)` in metres and `(frames, 33, 2)` in heights."""
    shoulders, hips = world[:, _SHOULDERS].mean(axis=1), world[:, _HIPS].mean(axis=1)
    torso = np.maximum(np.linalg.norm(shoulders - hips, axis=-1), 1e-6)[:, None]
    limbs = []
    for landmarks, origin in ((_ELBOWS + _WRISTS, shoulders), (_KNEES + _ANKLES, hips)):
        from_origin = world[:, landmarks] - origin[:, None]
        from_origin = np.where(visibility[:, landmarks, None] < LEAST_VISIBLE, np.nan, from_origin)
        limbs.append(from_origin.reshape(len(world), -1) / torso)
    across = world[:, _SHOULDERS[0]] - world[:, _SHOULDERS[1]]
    posture = np.concatenate([*limbs, (shoulders - hips) / torso, _direction(across)], axis=1)
    middle = image[:, _HIPS].mean(axis=1)
    return posture, middle, np.linalg.norm(image[:, _SHOULDERS].mean(axis=1) - middle, axis=-1)


def _direction(vectors: Floats) -> Floats:
    found: Floats = vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-6)
    return found


def _forward_filled(values: Floats) -> Floats:
    """Each number as it was last seen; before that as it is first seen; 0 if it never is."""
    there = np.isfinite(values)
    last = np.maximum.accumulate(np.where(there, np.arange(len(values))[:, None], -1), axis=0)
    last = np.where(last < 0, there.argmax(axis=0), last)
    return np.nan_to_num(np.take_along_axis(values, last, axis=0))


def _without_short_gaps(is_there: NDArray[np.bool_]) -> NDArray[np.bool_]:
    places = np.flatnonzero(is_there)
    closed = is_there.copy()
    for before, after in pairwise(places.tolist()):
        if 1 < after - before <= LONGEST_GAP * RATE + 1:
            closed[before:after] = True
    return closed
