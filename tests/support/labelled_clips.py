"""Clips whose segments are known: two real ones that were labelled by eye, and performances made from a seed.

The real ones are 28 seconds together. `data/labelled/NAME.json` says how each was labelled; `NAME.npz` is its
trajectory as the extractor of that day gave it, in the shard's own numbers.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from annotate.signals.trajectory_reader import TrajectoryReader, in_memory
from kinesphere.trajectory import BASIC_ARRAYS, HAND_LANDMARKS, Trajectory, Valid, from_stored
from storage.recordings.segment import Segment
from tests.support.generated_trajectories import EXTRACTOR, make_trajectory

FOLDER = Path(__file__).parents[1] / "data" / "labelled"
REAL = ("hand", "sports2d")
GESTURES = ("reach", "grasp", "pour", "lift", "place", "rest")


@dataclass(frozen=True)
class LabelledClip:
    """A trajectory and the segments of one of its tracks."""

    name: str
    track: str
    trajectory: TrajectoryReader
    segments: tuple[Segment, ...]

    @property
    def edges_ns(self) -> NDArray[np.int64]:
        """Where segments begin or end, without the beginning and the end of the recording."""
        times = self.trajectory.times_ns()
        edges = {edge for segment in self.segments for edge in (segment.start_ns, segment.end_ns)}
        return np.array(sorted(edge for edge in edges if times[0] < edge <= times[-1]), np.int64)


@cache
def real_clip(name: str) -> LabelledClip:
    """One of the `REAL` clips."""
    said = json.loads((FOLDER / f"{name}.json").read_text())
    with np.load(FOLDER / f"{name}.npz") as stored:
        arrays = {key: from_stored(BASIC_ARRAYS[key], stored[key]) for key in BASIC_ARRAYS}
    size = said["width"], said["height"]
    trajectory = Trajectory(name, "anna", EXTRACTOR, *size, "relative", {}, arrays)
    segments = tuple(Segment(track=said["track"], **row) for row in said["segments"])
    return LabelledClip(name, said["track"], in_memory(trajectory), segments)


@cache
def performed_clip(seed: int, *, gestures: int = 20, pauses: bool = False, noise_m: float = 0.002) -> LabelledClip:
    """A right hand that goes from one gesture's posture to the next: known to the frame, far tidier than people are.

    Each seed is another person: size, place, pace, and how they hold their hand for each gesture. A segment begins with
    the first frame of the way to its posture.

    Args:
        pauses: the hand rests between gestures, and what lies between is no segment.
        noise_m: standard deviation of the jitter of every landmark, in metres.
    """
    random = np.random.default_rng(seed)
    habit = {name: _POSTURES[name] + random.normal(0, 0.06, 10) for name in GESTURES}
    steps: list[tuple[str | None, int]] = []
    for name in (GESTURES[place] for place in _never_twice(random, gestures)):
        steps.append((name, int(random.integers(24, 75))))
        if pauses:
            steps.append((None, int(random.integers(18, 45))))
    targets = np.stack([habit[name or "rest"] + random.normal(0, 0.03, 10) for name, _ in steps])
    lengths = [length for _, length in steps]
    ways = [min(int(random.integers(8, 16)), length) for length in lengths]
    posture = _eased(targets, lengths, ways)
    trajectory = _with_hand(posture, random, seed=seed, noise_m=noise_m)
    times = np.append(trajectory.arrays["timestamp"], trajectory.arrays["timestamp"][-1] + 33_333_333)
    ends = np.cumsum(lengths)
    segments = tuple(
        Segment(int(times[end - length]), int(times[end]), name, "right hand",
                start_frame=int(end - length), end_frame=int(end))
        for (name, length), end in zip(steps, ends, strict=True) if name is not None
    )  # fmt: skip
    return LabelledClip(f"performed-{seed}", "right hand", in_memory(trajectory), segments)


# how far thumb and fingers are bent (5), the turn about three axes in radians (3), the place in image heights (2)
_POSTURES = {
    "reach": np.array([0.1, 0.1, 0.1, 0.1, 0.1, 0.0, 0.0, 0.0, 0.7, 0.5]),
    "grasp": np.array([0.6, 0.7, 0.7, 0.7, 0.7, 0.0, 0.0, 0.0, 0.7, 0.5]),
    "pour": np.array([0.6, 0.7, 0.7, 0.7, 0.7, 0.0, 0.0, 1.2, 1.0, 0.4]),
    "lift": np.array([0.6, 0.7, 0.7, 0.7, 0.7, 0.3, 0.2, 0.0, 0.9, 0.3]),
    "place": np.array([0.3, 0.3, 0.3, 0.3, 0.3, 0.5, 0.0, 0.0, 1.1, 0.6]),
    "rest": np.array([0.3, 0.4, 0.5, 0.5, 0.6, 0.9, 0.0, 0.4, 0.5, 0.8]),
}  # fmt: skip


def _never_twice(random: np.random.Generator, number: int) -> list[int]:
    """So many choices of a gesture, none the same as the one before; rest is no gesture that begins."""
    chosen: list[int] = []
    while len(chosen) < number:
        choice = int(random.integers(0, len(GESTURES) - 1))
        if not chosen or choice != chosen[-1]:
            chosen.append(choice)
    return chosen


def _eased(targets: NDArray[np.float64], lengths: Sequence[int], ways: Sequence[int]) -> NDArray[np.float64]:
    """From target to target by minimum jerk (Flash and Hogan 1985) in the first frames of each step, then held."""
    parts, before = [], targets[0]
    for target, length, way in zip(targets, lengths, ways, strict=True):
        s = np.clip(np.arange(length) / way, 0, 1)[:, None]
        parts.append(before + (target - before) * (10 * s**3 - 15 * s**4 + 6 * s**5))
        before = target
    return np.concatenate(parts)


def _with_hand(posture: NDArray[np.float64], random: np.random.Generator, *, seed: int, noise_m: float) -> Trajectory:
    """A trajectory with this right hand, and nothing else in view."""
    frames = len(posture)
    size = random.uniform(0.85, 1.15)
    world = _landmarks(posture[:, :5], posture[:, 5:8]) * size
    world += random.normal(0, noise_m, world.shape)
    like = make_trajectory(frames, seed=seed)
    arrays = {name: np.full((frames, *spec.shape), np.nan, np.float32) for name, spec in BASIC_ARRAYS.items()}
    image = (world[..., :2] * 1.5 + posture[:, None, 8:]) / [like.image_width / like.image_height, 1]
    arrays["hands_world"][:, 1] = world
    arrays["hands_image"][:, 1] = np.concatenate([image, world[..., 2:]], axis=-1)
    arrays["body_visibility"][:], arrays["hand_score"][:] = 0, [0, 0.95]
    arrays["timestamp"] = like.arrays["timestamp"]
    arrays["valid"] = np.full(frames, Valid.RIGHT_HAND, np.uint8)
    return Trajectory(like.recording, "anna", EXTRACTOR, like.image_width, like.image_height, "relative", {}, arrays)


def _landmarks(bent: NDArray[np.float64], turned: NDArray[np.float64]) -> NDArray[np.float64]:
    """A hand of 18 cm: `(frames, 21, 3)` metres from its wrist, fingers up, bending towards the viewer."""
    points = np.zeros((len(bent), len(HAND_LANDMARKS), 3))
    for finger in range(5):
        spread = (finger - 2) * 0.2
        ahead = np.array([np.sin(spread), -np.cos(spread), 0])
        at = np.broadcast_to(ahead * (0.05 if finger == 0 else 0.09), (len(bent), 3))
        angle = np.zeros(len(bent))
        for joint in range(4):
            points[:, 1 + 4 * finger + joint] = at
            angle = angle + bent[:, finger] * 1.2
            at = at + 0.027 * (np.cos(angle)[:, None] * ahead - np.sin(angle)[:, None] * np.array([0, 0, 1]))
    for axis in range(3):
        first, second = (axis + 1) % 3, (axis + 2) % 3
        cosine, sine = np.cos(turned[:, axis])[:, None], np.sin(turned[:, axis])[:, None]
        x, y = points[..., first].copy(), points[..., second].copy()
        points[..., first], points[..., second] = cosine * x - sine * y, sine * x + cosine * y
    return points
