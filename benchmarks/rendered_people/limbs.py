"""Arms, hands and legs: from where a wrist or a foot should be to the rotations of the bones."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from benchmarks.rendered_people.body_shape import BodyShape
from benchmarks.rendered_people.skeleton import frame, rotation
from pose.geometry.wrist import palm_axes

Array = NDArray[np.float64]
SIDES = ("L", "R")
STRETCH = 0.985
"""How far a limb reaches, as a share of its bones' length."""


def two_bones(start: Array, goal: Array, bend: Array, first: float, second: float) -> tuple[Array, Array, Array]:
    """Where the middle joint of a limb is that reaches for a goal.

    Args:
        start: (frames, 3) shoulder or hip.
        goal: (frames, 3) where wrist or ankle should be.
        bend: (frames, 3) the way in which elbow or knee points.
        first: length of the upper bone in metres.
        second: of the lower one.

    Returns:
        Directions of both bones and the normal of the plane in which they bend, all (frames, 3) of length 1.
    """
    way = goal - start
    distance = np.linalg.norm(way, axis=1, keepdims=True)
    along = way / distance
    # Softly limited at both ends: a hand slows down where the arm is stretched.
    longest, shortest = STRETCH * (first + second), 1.15 * abs(first - second) + 0.25 * min(first, second)
    distance = longest - _softplus(longest - np.maximum(distance, shortest), 0.01)
    normal = np.cross(along, bend)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    outward = np.cross(normal, along)
    cosine = np.clip((first**2 + distance**2 - second**2) / (2 * first * distance), -1, 1)
    middle = first * (cosine * along + np.sqrt(1 - cosine**2) * outward)
    upper = middle / first
    lower = along * distance - middle
    return upper, lower / np.linalg.norm(lower, axis=1, keepdims=True), normal


def _softplus(value: Array, width: float) -> Array:
    return np.asarray(np.logaddexp(0, value / width) * width, np.float64)


@dataclass(frozen=True)
class ArmMotion:
    """What one arm does.

    Directions are (out, ahead, up), as the trunk has them: away from the midline, to the front, up.
    """

    wrist: Array
    """(frames, 3) from the shoulder, in lengths of the arm."""
    elbow: Array
    """(frames, 3) the way in which the elbow points."""
    pronation: Array
    """(frames,) radians: 0 the thumb is up when the forearm is ahead, positive the palm goes down."""
    flexion: Array
    """(frames,) radians: of the wrist towards the palm."""
    deviation: Array
    """(frames,) radians: of the wrist towards the thumb."""
    curl: Array
    """(frames, 5, 2) radians: thumb to little finger, bent at the base and at the joints beyond."""
    spread: Array
    """(frames,) radians between the fingers."""
    opposition: Array
    """(frames,) radians: of the thumb across the palm."""


class ArmRig:
    """The bones of one arm and hand."""

    def __init__(self, shape: BodyShape, side: int) -> None:
        self.shape, self.side, letter = shape, side, SIDES[side]
        self.clavicle, self.shoulder = shape.bone(f"clavicle.{letter}"), shape.bone(f"shoulder01.{letter}")
        self.upper = [shape.bone(f"upperarm0{part}.{letter}") for part in (1, 2)]
        self.lower = [shape.bone(f"lowerarm0{part}.{letter}") for part in (1, 2)]
        self.wrist = shape.bone(f"wrist.{letter}")
        self.palm = [shape.bone(f"metacarpal{number}.{letter}") for number in (1, 2, 3, 4)]
        self.fingers = [[shape.bone(f"finger{n}-{part}.{letter}") for part in (1, 2, 3)] for n in range(1, 6)]
        shoulder, elbow, wrist = shape.heads[[self.upper[0], self.lower[0], self.wrist]]
        self.rest = elbow - shoulder, wrist - elbow
        self.lengths = float(np.linalg.norm(self.rest[0])), float(np.linalg.norm(self.rest[1]))
        self.rest_normal = np.cross(wrist - shoulder, elbow - shoulder)
        self.out = 1.0 if side == 0 else -1.0

    @property
    def bones(self) -> list[int]:
        """All of them."""
        fingers = [bone for finger in self.fingers for bone in finger]
        return [self.clavicle, self.shoulder, *self.upper, *self.lower, self.wrist, *self.palm, *fingers]

    @property
    def reach(self) -> float:
        """Length of the arm from shoulder to wrist in metres."""
        return sum(self.lengths)

    def to_trunk(self, directions: Array) -> Array:
        """(..., 3) out, ahead, up as x, y, z of the body at rest."""
        return np.asarray(directions * np.array([self.out, -1.0, 1.0]), np.float64)

    @cached_property
    def tips(self) -> list[int]:
        """The vertex at each finger's tip: the one farthest along its last bone."""
        found = []
        for _, middle, last in self.fingers:
            along = self.shape.heads[last] - self.shape.heads[middle]
            own = np.flatnonzero(self.shape.weights[:, last] > 0.5)
            found.append(int(own[((self.shape.vertices[own] - self.shape.heads[last]) @ along).argmax()]))
        return found

    @cached_property
    def landmarks(self) -> Array:
        """(21, 3) the hand's landmarks at rest."""
        chains = [
            np.vstack([self.shape.heads[bones], self.shape.vertices[tip]])
            for bones, tip in zip(self.fingers, self.tips, strict=True)
        ]
        return np.vstack([self.shape.heads[self.wrist][None], *chains])

    @cached_property
    def axes(self) -> Array:
        """(3, 3) the palm's axes at rest."""
        return np.asarray(palm_axes(self.landmarks[None], self.side)[0])

    def _pronation_at_rest(self) -> float:
        lower = self.rest[1] / np.linalg.norm(self.rest[1])
        medial = -self.out * self.rest_normal / np.linalg.norm(self.rest_normal)
        down = self.out * np.cross(lower, medial)
        return float(np.arctan2(self.axes[:, 2] @ down, self.axes[:, 2] @ medial))

    def turn(self, turns: Array, motion: ArmMotion) -> None:
        """Set the rotations of all bones of the arm, in the frame of a trunk at rest.

        Args:
            turns: (frames, bones, 3, 3), written to.
            motion: what the arm does.
        """
        raised = 0.35 * np.clip(motion.wrist[:, 2] + 0.1, 0, 0.7) + 0.1 * np.clip(motion.wrist[:, 1] - 0.6, 0, 0.4)
        lifted = rotation(np.array([0.0, -self.out, 0.0]), raised)
        turns[:, self.clavicle] = turns[:, self.shoulder] = lifted
        moved = self.shape.heads[self.upper[0]] - self.shape.heads[self.clavicle]
        shoulder = lifted @ moved - moved  # how far the raised shoulder is from where it rests
        goal = self.to_trunk(motion.wrist * self.reach)
        upper, lower, normal = two_bones(shoulder, goal, self.to_trunk(motion.elbow), *self.lengths)
        at_rest = [frame(direction, self.rest_normal).T for direction in self.rest]
        arm, forearm = frame(upper, normal) @ at_rest[0], frame(lower, normal) @ at_rest[1]
        twist = _twist(arm, self.rest[0])
        turns[:, self.upper[0]] = arm @ rotation(self.rest[0], -twist / 2)
        turns[:, self.upper[1]] = arm
        turns[:, self.lower[0]] = forearm
        medial = -self.out * normal
        down = self.out * np.cross(lower, medial)
        cosine, sine = np.cos(motion.pronation)[:, None], np.sin(motion.pronation)[:, None]
        palm = frame(lower, cosine * medial + sine * down) @ frame(self.axes[:, 0], self.axes[:, 2]).T
        rolled = (motion.pronation - self._pronation_at_rest()) * self.out
        turns[:, self.lower[1]] = rotation(lower, rolled * 0.55) @ forearm
        bent = rotation(np.cross(self.axes[:, 0], self.axes[:, 2]), motion.flexion)
        hand = palm @ bent @ rotation(self.axes[:, 2] * self.out, -motion.deviation)
        turns[:, self.wrist] = hand
        for bone in self.palm:
            turns[:, bone] = hand
        self._turn_fingers(turns, hand, motion)

    def _turn_fingers(self, turns: Array, hand: Array, motion: ArmMotion) -> None:
        out_of_palm = self.axes[:, 2]
        for finger, (bones, tip) in enumerate(zip(self.fingers, self.tips, strict=True)):
            ends = np.vstack([self.shape.heads[bones], self.shape.vertices[tip]])
            along = ends[2] - ends[0]
            bend = np.cross(along, self._thumb_bends(along) if finger == 0 else out_of_palm)
            first = rotation(bend, motion.curl[:, finger, 0])
            if finger == 0:
                first = rotation(self.axes[:, 0] * -self.out, motion.opposition) @ first
            else:
                first = rotation(out_of_palm * -self.out, (2.5 - finger) * -motion.spread) @ first
            turns[:, bones[0]] = hand @ first
            turns[:, bones[1]] = turns[:, bones[0]] @ rotation(bend, motion.curl[:, finger, 1])
            share = 0.9 if finger == 0 else 0.65
            turns[:, bones[2]] = turns[:, bones[1]] @ rotation(bend, motion.curl[:, finger, 1] * share)

    def _thumb_bends(self, along: Array) -> Array:
        """The thumb bends towards the base of the little finger, and a little out of the palm."""
        across = self.landmarks[17] - self.landmarks[1]
        across = across / np.linalg.norm(across) + 0.45 * self.axes[:, 2]
        return np.asarray(across - along * (across @ along) / (along @ along), np.float64)


def _twist(turns: Array, axis: Array) -> Array:
    """(frames,) how far rotations turn about an axis given at rest, in radians."""
    axis = axis / np.linalg.norm(axis)
    swung = turns @ axis
    # The rotation that takes the axis there the shortest way; what is left over is twist.
    cross, cosine = np.cross(axis, swung), swung @ axis
    angle = np.arctan2(np.linalg.norm(cross, axis=-1), cosine)
    swing = rotation(cross + 1e-12, angle)
    left = np.swapaxes(swing, -1, -2) @ turns
    vector = np.stack(
        [left[:, 2, 1] - left[:, 1, 2], left[:, 0, 2] - left[:, 2, 0], left[:, 1, 0] - left[:, 0, 1]], axis=-1
    )
    return np.asarray(np.arctan2(vector @ axis / 2, (np.trace(left, axis1=1, axis2=2) - 1) / 2), np.float64)


def turn_leg(shape: BodyShape, side: int, turns: Array, hip: Array, ankle: Array, yaw: Array, knees_out: float) -> None:
    """Set the rotations of a leg, all in the world.

    Args:
        shape: the body.
        side: 0 left, 1 right.
        turns: (frames, bones, 3, 3), written to.
        hip: (frames, 3) where the hip is.
        ankle: (frames, 3) where the ankle should be.
        yaw: (frames,) how the foot is turned about the vertical, in radians.
        knees_out: radians by which the knee points outwards of that.
    """
    letter, out = SIDES[side], 1.0 if side == 0 else -1.0
    bones = [shape.bone(f"{name}.{letter}") for name in ("upperleg01", "lowerleg01", "foot")]
    ends = shape.heads[bones]
    rest = ends[1] - ends[0], ends[2] - ends[1]
    ahead = np.array([0.0, -1.0, 0.0])
    towards = rotation(np.array([0.0, 0.0, 1.0]), yaw + out * knees_out) @ ahead
    lengths = float(np.linalg.norm(rest[0])), float(np.linalg.norm(rest[1]))
    upper, lower, normal = two_bones(hip, ankle, towards, *lengths)
    normal_at_rest = np.cross(ends[2] - ends[0], ahead)
    thigh = frame(upper, normal) @ frame(rest[0], normal_at_rest).T
    shank = frame(lower, normal) @ frame(rest[1], normal_at_rest).T
    for part in ("01", "02"):
        turns[:, shape.bone(f"upperleg{part}.{letter}")] = thigh
        turns[:, shape.bone(f"lowerleg{part}.{letter}")] = shank
    foot = rotation(np.array([0.0, 0.0, 1.0]), yaw)
    turns[:, bones[2]] = foot
    for bone, name in enumerate(shape.bones):
        if name.startswith("toe") and name.endswith(letter):
            turns[:, bone] = foot
