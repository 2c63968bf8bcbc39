"""What people do: trajectories of wrists, fingers, trunk and feet, smooth and drawn from a seed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.rendered_people.limbs import ArmMotion
from benchmarks.rendered_people.scene import Actor

Array = NDArray[np.float64]
Generator = np.random.Generator


@dataclass(frozen=True)
class BodyMotion:
    """What a whole body does."""

    arms: tuple[ArmMotion, ArmMotion]
    yaw: Array
    """(frames,) turn about the vertical in radians."""
    lean: Array
    """(frames, 3) of the trunk: forwards, to its left, twisted to its left, in radians."""
    head: Array
    """(frames, 2) of the head against the trunk: to its left, down, in radians."""
    sway: Array
    """(frames, 3) of the pelvis in metres in the world."""


HAND_SHAPES: dict[str, tuple[Sequence[tuple[float, float]], float, float]] = {
    # thumb to little finger, at the base and beyond; spread; opposition of the thumb
    "flat": (((0.0, 0.0), (-0.15, -0.1), (-0.15, -0.1), (-0.15, -0.1), (-0.15, -0.1)), 0.02, 0.0),
    "open": (((-0.15, -0.1), (-0.2, -0.15), (-0.2, -0.15), (-0.2, -0.15), (-0.2, -0.15)), 0.16, -0.1),
    "relaxed": (((0.1, 0.1), (0.1, 0.2), (0.15, 0.25), (0.2, 0.3), (0.25, 0.3)), 0.04, 0.2),
    "fist": (((0.3, 0.6), (1.2, 1.4), (1.25, 1.45), (1.25, 1.45), (1.3, 1.4)), 0.0, 0.5),
    "point": (((0.3, 0.6), (-0.1, 0.0), (1.2, 1.4), (1.25, 1.4), (1.25, 1.4)), 0.0, 0.5),
    "pinch": (((0.15, 0.3), (0.75, 0.65), (0.5, 0.5), (0.35, 0.4), (0.25, 0.35)), 0.03, 0.75),
    "grasp": (((0.1, 0.25), (0.55, 0.7), (0.6, 0.75), (0.65, 0.75), (0.7, 0.75)), 0.04, 0.7),
    "spread grasp": (((-0.1, 0.1), (0.2, 0.4), (0.2, 0.45), (0.25, 0.45), (0.3, 0.45)), 0.12, 0.45),
}


def smooth_step(share: Array) -> Array:
    """From 0 to 1 with the least jerk."""
    share = np.clip(share, 0, 1)
    return share**3 * (10 - 15 * share + 6 * share**2)


def through(times: Array, knots: Sequence[float], values: Array) -> Array:
    """From value to value with the least jerk: still at every knot.

    Args:
        times: (frames,) in seconds.
        knots: when each value is reached; ascending.
        values: (knots, ...).

    Returns:
        (frames, ...).
    """
    values = np.asarray(values, np.float64)
    found = np.broadcast_to(values[0], (len(times), *values.shape[1:])).copy()
    for before, after, start, end in zip(values, values[1:], knots, knots[1:], strict=False):
        share = smooth_step((times - start) / (end - start))
        found += share.reshape(-1, *[1] * before.ndim) * (after - before)
    return found


def wander(generator: Generator, times: Array, size: int, slowest: float = 0.15, fastest: float = 1.6) -> Array:
    """(frames, size) slow, small, endless movement around 0, of standard deviation about 1."""
    frequencies = generator.uniform(slowest, fastest, (size, 5))
    phases = generator.uniform(0, 2 * np.pi, (size, 5))
    strengths = 1 / (0.4 + frequencies)
    strengths /= np.sqrt((strengths**2).sum(axis=1, keepdims=True) / 2)
    return np.asarray((strengths * np.sin(2 * np.pi * frequencies * times[:, None, None] + phases)).sum(axis=2))


@dataclass(frozen=True)
class ArmKey:
    """Where an arm is at a moment; see `ArmMotion`."""

    wrist: tuple[float, float, float]
    hand: str = "relaxed"
    pronation: float = 0.7
    flexion: float = 0.0
    deviation: float = 0.0
    elbow: tuple[float, float, float] = (0.55, -0.35, -0.75)


def _fingers(hand: str) -> Array:
    curls, spread, opposition = HAND_SHAPES[hand]
    return np.array([*[angle for pair in curls for angle in pair], spread, opposition])


def arm_through(generator: Generator, times: Array, knots: Sequence[float], keys: Sequence[ArmKey]) -> ArmMotion:
    """An arm that goes from key to key, never quite still."""
    count = len(times)
    tremble = wander(generator, times, 6)
    fingers = through(times, knots, np.array([_fingers(key.hand) for key in keys]))
    fingers = fingers + wander(generator, times, 12) * 0.03
    turns = through(times, knots, np.array([(key.pronation, key.flexion, key.deviation) for key in keys]))
    turns = turns + tremble[:, 3:] * np.array([0.06, 0.06, 0.03])
    wrist = through(times, knots, np.array([key.wrist for key in keys])) + tremble[:, :3] * 0.012
    elbow = through(times, knots, np.array([key.elbow for key in keys])) + wander(generator, times, 3) * 0.05
    return ArmMotion(
        wrist, elbow, turns[:, 0], turns[:, 1], turns[:, 2],
        fingers[:, :10].reshape(count, 5, 2), fingers[:, 10], fingers[:, 11],
    )  # fmt: skip


def _moments(generator: Generator, end: float, shortest: float, longest: float) -> list[float]:
    knots = [float(generator.uniform(-longest, 0))]
    while knots[-1] < end:
        knots.append(knots[-1] + float(generator.uniform(shortest, longest)))
    return knots


def _hanging(generator: Generator) -> ArmKey:
    x, y = generator.uniform(0.1, 0.25), generator.uniform(0.05, 0.2)
    return ArmKey((x, y, -0.93), "relaxed", float(generator.uniform(-0.2, 0.7)), 0.05)


def _in_front(generator: Generator, actor: Actor) -> ArmKey:
    low, high = ((-0.35, 0.4, -0.6), (0.1, 0.8, -0.25)) if actor.near else ((-0.35, 0.3, -0.55), (0.35, 0.8, 0.15))
    wrist = generator.uniform(low, high)
    hand = str(generator.choice(list(HAND_SHAPES)))
    return ArmKey(
        (wrist[0], wrist[1], wrist[2]), hand, float(generator.uniform(-0.9, 1.2)),
        float(generator.uniform(-0.5, 0.5)), float(generator.uniform(-0.2, 0.2)),
    )  # fmt: skip


def _gesturing(generator: Generator, times: Array, actor: Actor) -> tuple[ArmMotion, ArmMotion]:
    def arm(often: float) -> ArmMotion:
        knots = _moments(generator, times[-1], 0.4, 1.0)
        keys = [_in_front(generator, actor) if generator.random() < often else _rest(generator, actor) for _ in knots]
        return arm_through(generator, times, knots, keys)

    busy, idle = arm(0.9), arm(0.6)
    return (busy, idle) if actor.person.left_handed else (idle, busy)


def _rest(generator: Generator, actor: Actor) -> ArmKey:
    if not actor.seated:
        return _hanging(generator)
    x, y = generator.uniform(-0.1, 0.15), generator.uniform(0.5, 0.65)
    return ArmKey((x, y, -0.55), "relaxed", float(generator.uniform(0.9, 1.3)), -0.1)


def _waving(generator: Generator, times: Array, actor: Actor) -> tuple[ArmMotion, ArmMotion]:
    knots = _moments(generator, times[-1], 0.25, 0.4)
    out = float(generator.uniform(0.2, 0.4))
    up = float(generator.uniform(0.1, 0.45))
    keys = [
        ArmKey((out + (0.22 if index % 2 else -0.12), 0.45, up), "open", 1.1, -0.2, 0.0, (0.8, -0.1, -0.6))
        for index in range(len(knots))
    ]
    waving = arm_through(generator, times, knots, keys)
    slow = _moments(generator, times[-1], 0.8, 1.6)
    other = arm_through(generator, times, slow, [_rest(generator, actor) for _ in slow])
    return (waving, other) if actor.person.left_handed else (other, waving)


def _clapping(generator: Generator, times: Array, actor: Actor) -> tuple[ArmMotion, ArmMotion]:
    half = float(generator.uniform(0.14, 0.26))
    low, high = (-0.5, -0.35) if actor.near else (-0.4, 0.0)
    up, ahead = float(generator.uniform(low, high)), float(generator.uniform(0.45, 0.65))
    knots = [-half + half * index for index in range(int(times[-1] / half) + 3)]
    wide = generator.uniform(0.05, 0.3, len(knots))

    def arm() -> ArmMotion:
        keys = [
            ArmKey((-0.27 if index % 2 else wide[index] - 0.22, ahead, up), "flat", 0.1, -0.5, 0.1, (0.35, -0.5, -0.75))
            for index in range(len(knots))
        ]
        return arm_through(generator, times, knots, keys)

    return arm(), arm()


def _crossing(generator: Generator, times: Array, actor: Actor) -> tuple[ArmMotion, ArmMotion]:
    knots = [0.0, float(generator.uniform(0.6, 0.9)), float(generator.uniform(1.6, 2.0)), 2.7]
    in_front = int(generator.integers(2))

    def arm(side: int) -> ArmMotion:
        ahead = 0.52 if side == in_front else 0.42
        up = -0.3 if side == in_front else -0.38
        crossed = ArmKey((-0.62, ahead, up), "relaxed", 0.9, 0.1, 0.0, (0.85, 0.15, -0.5))
        again = ArmKey((-0.56, ahead + 0.02, up + 0.03), "grasp", 0.9, 0.15, 0.0, (0.85, 0.15, -0.5))
        return arm_through(
            generator, times, knots, [_in_front(generator, actor), crossed, again, _in_front(generator, actor)]
        )

    return arm(0), arm(1)


def _reaching(generator: Generator, times: Array, actor: Actor) -> tuple[ArmMotion, ArmMotion]:
    def arm(often: float) -> ArmMotion:
        knots = _moments(generator, times[-1], 0.5, 0.9)
        keys = []
        for index, _ in enumerate(knots):
            if index % 2 and generator.random() < often:
                out, up = generator.uniform(-0.3, 0.1), generator.uniform(-0.25, 0.2) - 0.25 * actor.near
                hand = str(generator.choice(["open", "spread grasp", "point", "flat"]))
                keys.append(ArmKey((out, 0.95, up), hand, float(generator.uniform(0.2, 1.2)), -0.2))
            else:
                keys.append(ArmKey((0.05, 0.4, -0.35), "relaxed", 0.6))
        return arm_through(generator, times, knots, keys)

    busy, idle = arm(1.0), arm(0.5)
    return (busy, idle) if actor.person.left_handed else (idle, busy)


def _manipulating(generator: Generator, times: Array, actor: Actor) -> tuple[ArmMotion, ArmMotion]:
    height = float(generator.uniform(-0.52, -0.4))
    knots = _moments(generator, times[-1], 0.35, 0.8)
    works = []
    for index in range(len(knots)):
        x, y = generator.uniform(-0.4, 0.2), generator.uniform(0.45, 0.75)
        lifted = height + (0.12 if index % 2 else 0.0) + float(generator.uniform(0, 0.06))
        hand = str(generator.choice(["pinch", "grasp", "spread grasp", "point"]))
        pronation = float(generator.uniform(0.2, 1.2))
        works.append(ArmKey((x, y, lifted), hand, pronation, float(generator.uniform(-0.2, 0.4))))
    slow = _moments(generator, times[-1], 0.9, 1.6)
    holds = []
    for _ in slow:
        x, y = generator.uniform(-0.25, 0.05), generator.uniform(0.5, 0.62)
        holds.append(ArmKey((x, y, height + 0.05), "grasp", float(generator.uniform(-0.2, 0.5)), 0.1))
    working, holding = arm_through(generator, times, knots, works), arm_through(generator, times, slow, holds)
    return (working, holding) if actor.person.left_handed else (holding, working)


_ARMS: dict[str, Callable[[Generator, Array, Actor], tuple[ArmMotion, ArmMotion]]] = {
    "gestures": _gesturing,
    "turning": _gesturing,
    "crossing": _crossing,
    "clapping": _clapping,
    "reaching": _reaching,
    "manipulating": _manipulating,
    "waving": _waving,
}


def body_motion(generator: Generator, times: Array, actor: Actor) -> BodyMotion:
    """What an actor does, from a generator of random numbers.

    Args:
        generator: decides.
        times: (frames,) in seconds from 0, at any rate; the motion is the same at each time.
        actor: who, and what.

    Returns:
        The motion.
    """
    end = max(float(times[-1]), 0.1)
    arms = _ARMS[actor.motion](generator, times, actor)
    lean = wander(generator, times, 3, 0.1, 0.6) * np.array([0.05, 0.03, 0.06])
    lean[:, 0] += float(generator.uniform(0.0, 0.15))
    head = wander(generator, times, 2, 0.1, 0.8) * np.array([0.18, 0.08])
    if actor.motion == "manipulating" or actor.near:
        head[:, 1] += 0.35
    sway = wander(generator, times, 3, 0.1, 0.5) * np.array([0.02, 0.012, 0.004])
    sway[:, :2] += wander(generator, times, 2, 0.12, 0.35) * 0.5 * actor.strolls
    yaw = actor.facing + wander(generator, times, 1, 0.1, 0.4)[:, 0] * (0.03 if actor.seated else 0.1)
    if actor.motion == "turning":
        speed = float(generator.uniform(1.6, 2.6)) * float(generator.choice([-1, 1]))
        begin = float(generator.uniform(0.0, 0.3))
        whole = float(generator.choice([np.pi, 2 * np.pi, 2 * np.pi]))
        yaw = yaw + np.sign(speed) * whole * smooth_step((times - begin) / min(whole / abs(speed), end - begin))
    return BodyMotion(arms, yaw, lean, head, sway)
