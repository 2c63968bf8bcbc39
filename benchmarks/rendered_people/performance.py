"""A body does what its motion says: every bone's rotation and place in the world, feet on the floor."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.rendered_people.body_shape import BodyShape
from benchmarks.rendered_people.limbs import SIDES, ArmRig, turn_leg
from benchmarks.rendered_people.motions import BodyMotion, smooth_step
from benchmarks.rendered_people.scene import Actor
from benchmarks.rendered_people.skeleton import place_bones, rotation

Array = NDArray[np.float64]
UP = np.array([0.0, 0.0, 1.0])
LEFT = np.array([1.0, 0.0, 0.0])
AHEAD = np.array([0.0, -1.0, 0.0])
SPINE = {"spine05": 0.15, "spine04": 0.35, "spine03": 0.6, "spine02": 0.8, "spine01": 1.0}
"""The share of the trunk's lean that each bone has, from the pelvis up."""
HEAD = {"neck01": 0.25, "neck02": 0.5, "neck03": 0.75, "head": 1.0, "eye.L": 1.0, "eye.R": 1.0}
"""The share of the head's turn."""
STANDING = 0.98
"""How high the pelvis is, of its height at rest: knees are not quite straight."""
STEP_EVERY = 0.5
"""Seconds in which each foot makes a step where the body turns."""
STEP_HEIGHT = 0.07
"""Metres by which a foot is lifted."""
STAYS = 0.25
"""Metres, or radians, that a body may move before its feet have to."""
TOES_OUT = 0.12
"""Radians by which each foot points outwards."""


@dataclass(frozen=True)
class Performance:
    """A body over time."""

    shape: BodyShape
    turns: Array
    """(frames, bones, 3, 3) rotation of each bone in the world from its direction at rest."""
    heads: Array
    """(frames, bones, 3) where each begins, in metres in the world: z is up and the floor at 0."""


def seat_height(shape: BodyShape) -> float:
    """How high the middle of the pelvis is on a chair, in metres."""
    return -shape.floor * 0.56 + 0.06


def perform(shape: BodyShape, actor: Actor, motion: BodyMotion, times: Array) -> Performance:
    """Turn a motion into bones.

    Args:
        shape: the body.
        actor: where it is, and whether it sits.
        motion: what it does.
        times: (frames,) in seconds, ascending.

    Returns:
        The bones over time.
    """
    turns = np.broadcast_to(np.eye(3), (len(times), len(shape.bones), 3, 3)).copy()
    _turn_upper_body(shape, motion, turns)
    yaw = rotation(UP, motion.yaw)
    turns = yaw[:, None] @ turns
    height = seat_height(shape) if actor.seated else -shape.floor * STANDING
    root = np.array([*actor.place, height]) + motion.sway
    for side in range(len(SIDES)):
        hip = root + np.einsum("fij,j->fi", yaw, shape.heads[shape.bone(f"upperleg01.{SIDES[side]}")])
        ankle, foot_yaw = _foot(shape, actor, motion, times, side)
        turn_leg(shape, side, turns, hip, ankle, foot_yaw, 0.25 if actor.seated else 0.1)
    return Performance(shape, turns, place_bones(shape, turns, root))


def _turn_upper_body(shape: BodyShape, motion: BodyMotion, turns: Array) -> None:
    """Set the rotations of spine, arms and head of somebody who faces ahead."""
    for name, share in SPINE.items():
        forwards, aside = rotation(LEFT, motion.lean[:, 0] * share), rotation(AHEAD, -motion.lean[:, 1] * share)
        turns[:, shape.bone(name)] = rotation(UP, motion.lean[:, 2] * share) @ forwards @ aside
    trunk = turns[:, shape.bone("spine01")]
    for side in range(len(SIDES)):
        rig = ArmRig(shape, side)
        rig.turn(turns, motion.arms[side])
        turns[:, rig.bones] = trunk[:, None] @ turns[:, rig.bones]
    for name, share in HEAD.items():
        nod = rotation(UP, motion.head[:, 0] * share) @ rotation(LEFT, motion.head[:, 1] * share)
        turns[:, shape.bone(name)] = trunk @ nod


def _foot(shape: BodyShape, actor: Actor, motion: BodyMotion, times: Array, side: int) -> tuple[Array, Array]:
    """(frames, 3) where an ankle is, and (frames,) how the foot is turned: still, but for steps."""
    ankle = shape.heads[shape.bone(f"foot.{SIDES[side]}")]
    out = 1.0 if side == 0 else -1.0
    offset = np.array([ankle[0] * 0.9, 0.0, ankle[2] - shape.floor])
    if actor.seated:
        thigh = np.linalg.norm(shape.heads[shape.bone("lowerleg01.L")] - shape.heads[shape.bone("upperleg01.L")])
        offset[1] = -float(thigh) * 0.95
    # Where the body stands and how it faces; a foot that steps goes to what that will be while it then stands.
    wanted = np.column_stack([motion.yaw, np.array(actor.place) + motion.sway[:, :2]])
    if np.ptp(wanted, axis=0).max() < STAYS:
        standing, lifted = np.broadcast_to(np.median(wanted, axis=0), wanted.shape), np.zeros(len(times))
    else:
        starts = np.arange(times[0] - STEP_EVERY * (1 if side else 1.5), times[-1] + STEP_EVERY, STEP_EVERY)
        later = starts + STEP_EVERY * 0.85
        places = np.column_stack([np.interp(later, times, column) for column in wanted.T])
        standing, lifted = np.broadcast_to(places[0], wanted.shape).copy(), np.zeros(len(times))
        for before, after, start in zip(places[:-1], places[1:], starts[1:], strict=True):
            share = (times - start) / (STEP_EVERY * 0.6)
            standing += smooth_step(share)[:, None] * (after - before)
            moving = (share > 0) & (share < 1)
            high = STEP_HEIGHT * min(1.0, float(np.abs(after - before).max()) * 4)
            lifted[moving] = high * np.sin(np.pi * share[moving]) ** 2
    ankles = np.column_stack([standing[:, 1:], lifted]) + np.einsum("fij,j->fi", rotation(UP, standing[:, 0]), offset)
    return ankles, standing[:, 0] + out * TOES_OUT
