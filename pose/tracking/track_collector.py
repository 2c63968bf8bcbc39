"""Collects what is found, frame after frame, into the arrays of a trajectory."""

from __future__ import annotations

from array import array
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinesphere.trajectory import BASIC_ARRAYS, HANDS, Valid
from pose.networks.sightings import Body
from pose.tracking.followed_person import NOBODY, unsure
from pose.tracking.sides import Sides

CHUNK_FRAMES = 4096
"""Frames for which memory is taken at a time: eight megabytes."""
_EMPTY = {"timestamp": 0, "valid": 0, "body_visibility": 0, "hand_score": 0}
"""What an array holds where nothing was found; the others hold NaN."""


class TrackBuilder:
    """The body and the hands of one person, as they are found: two kilobytes a frame, and no Python objects."""

    def __init__(self) -> None:
        self._arrays = _empty_arrays(0)
        self._person, self._sure = array("i"), bytearray()
        self._handedness = array("f")
        self._frames = 0

    def __len__(self) -> int:
        return self._frames

    def add(self, timestamp_ns: int, body: Body | None, hands: Sides) -> None:
        """Append one frame; timestamps increase."""
        arrays, row = self._arrays, self._frames
        if row == len(arrays["timestamp"]):
            self._resize(row + CHUNK_FRAMES)
        self._frames += 1
        arrays["timestamp"][row] = timestamp_ns
        self._person.append(NOBODY if body is None else body.person)
        self._sure.append(body is not None and body.sure)
        self._handedness.extend(np.nan if hand is None else hand.right for hand in hands)
        if body is not None:
            arrays["body_image"][row] = body.image
            arrays["body_world"][row] = body.world
            arrays["body_visibility"][row] = body.visibility
            arrays["valid"][row] |= Valid.BODY
        for side, (hand, flag) in enumerate(zip(hands, (Valid.LEFT_HAND, Valid.RIGHT_HAND), strict=True)):
            if hand is not None:
                arrays["hands_image"][row, side] = hand.image
                arrays["hands_world"][row, side] = hand.world
                arrays["hand_score"][row, side] = hand.score
                arrays["valid"][row] |= flag

    @property
    def handedness(self) -> NDArray[np.float32]:
        """(frames, 2): how sure the network is that the hand on each side is a right one, NaN where there is none.

        Known until `finish`.
        """
        return np.array(self._handedness, np.float32).reshape(-1, len(HANDS))

    def finish(self) -> dict[str, NDArray[Any]]:
        """The arrays of a trajectory, NaN where nothing was found, scores 0; gives up what was collected.

        Nothing is known yet of `wrist_pose` and `grip`.
        """
        self._resize(self._frames)
        arrays = self._arrays
        doubted = unsure(np.array(self._person, np.int32), np.frombuffer(self._sure, np.bool_))
        arrays["valid"][doubted] |= np.uint8(Valid.UNSURE)
        self._arrays, self._frames = _empty_arrays(0), 0
        self._person, self._sure = array("i"), bytearray()
        self._handedness = array("f")
        return arrays

    def _resize(self, frames: int) -> None:
        """Make room, or give back what is left over: in place, where a list of pieces would be there twice."""
        for name, values in self._arrays.items():
            known = len(values)
            values.resize((frames, *values.shape[1:]), refcheck=False)
            values[known:] = _EMPTY.get(name, np.nan)


def _empty_arrays(frames: int) -> dict[str, NDArray[Any]]:
    whole = {"timestamp": np.int64, "valid": np.uint8}
    return {
        name: np.full((frames, *spec.shape), _EMPTY.get(name, np.nan), whole.get(name, np.float32))
        for name, spec in BASIC_ARRAYS.items()
    }
