"""Steadier tracks: outliers are refused, short gaps filled and jitter smoothed, off-line and without lag.

Every coordinate of every landmark goes through `kalman.py` on the true times of the frames. Two constants of nature
decide how, none of them taken from a clip:

* Voluntary motion of the hand has little power above 6 to 10 Hz, and Winter ("Biomechanics and Motor Control of Human
  Movement", 2009, 3.4.4) chooses cut-offs from 4 Hz for gait to 8 Hz for quick arms: 8 Hz, where half the power passes.
  5 Hz then keeps 98 per cent of its amplitude; with less than 16 frames/s there is nothing to smooth.
* How a track jitters is measured on itself, by its third differences, which no smooth motion has (Gasser, Sroka and
  Jennen-Steinmetz, Biometrika 73(3), 1986). It decides what is an outlier, and not how much is smoothed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from kinesphere.trajectory import HAND_LANDMARKS, HANDS, Valid
from pose.landmarks import BODY_HIPS, BODY_SHOULDERS, BODY_SIDES, HAND_BONES, KNUCKLES, WRIST, Bone
from pose.tracking.kalman import Block, Flags, Floats, Model, find_jumps, smooth

TRUNK = (BODY_SHOULDERS, BODY_HIPS)

Filter = Literal["smooth", "none"]
"""Tracks smoothed, or as the networks gave them."""

LEAST_VISIBLE = 0.1
"""Noise grows as one over a landmark's visibility (or its hand's score), but not beyond ten times."""
FINEST = 5e-4
"""Noise is not taken for less: a hand of 20 cm is 224 pixels wide for its network, and half of one is 0.5 mm."""
SMALLEST = 1e-4
"""The step of stored coordinates: nothing is smaller."""
FASTEST = 10.0
"""m/s: the fists of Olympic boxers reach 9 (Walilko, Viano and Bir, Br. J. Sports Medicine 39, 2005)."""
FAST_JERK = 600.0
"""m/s^3 (RMS) of a reach of 60 cm in 0.3 s, sqrt(720) D / T^3 (Flash and Hogan, J. Neuroscience 5(7), 1985)."""
FASTEST_TURN = 40.0
"""rad/s: a quarter turn of the hand in 40 ms; only who throws is faster."""
MOST = 0.5
"""Share of a part's landmarks from which on what happens to them happens to the part."""
BLOCK_FRAMES = 512
"""Frames smoothed at a time, so that covariances of two hours need not be in memory at once."""
NORMAL_QUARTILE = 0.6745
"""Median absolute value of a standard normal number: medians do not see the outliers."""
SAMPLES = 5_000
"""Frames that noise, sizes and bone lengths are measured on, spread over the recording: enough for any median."""


@dataclass(frozen=True)
class FilterSettings:
    """How tracks are smoothed; part of the extractor's identity."""

    cutoff_hz: float = 8.0
    """Where half the power of a motion passes; see the module's opening lines."""
    longest_gap_seconds: float = 0.2
    """Gaps are filled up to this time from the sample before to the sample after: a hand may turn in longer ones."""
    gate: float = 16.27
    """Squared distance from what was predicted beyond which a sample is an outlier: 99.9 % of chi-square (3)."""
    bone_factor: float = 2.0
    """By how much a bone may differ from its median length before its far end is an outlier."""


@dataclass(frozen=True)
class _Part:
    """A body or a hand over time: views into the arrays of a trajectory."""

    image: NDArray[np.float32]
    world: NDArray[np.float32]
    seen: NDArray[np.float32]
    """(frames, landmarks) or (frames, 1): visibility or score."""
    bones: tuple[Bone, ...]

    def rows(self, rows: slice | NDArray[np.intp]) -> Floats:
        """(rows, 2 * landmarks, 3): image landmarks, then world landmarks."""
        return np.concatenate([self.image[rows], self.world[rows]], axis=1, dtype=np.float64)

    def write(self, rows: slice, values: Floats) -> None:
        self.image[rows], self.world[rows] = np.split(values, 2, axis=1)


def smooth_tracks(arrays: Mapping[str, NDArray[Any]], settings: FilterSettings) -> None:
    """Smooth the landmarks of a trajectory in place: they are too many for two copies of two hours.

    A body or a hand that is missing for a short time is filled, and the frame marked `Valid.INTERPOLATED`; so is a
    frame in which most landmarks of one were outliers and replaced. Frames with landmarks are marked
    `Valid.SMOOTHED`. What says who was found (the other bits, `hand_score`, `body_visibility`, `timestamp`) is left
    alone: a filled hand has coordinates, score 0 and no bit of its own, a filled body has visibility 0. Nothing is
    filled across a jump, or where `Valid.UNSURE` changes.

    Args:
        arrays: `timestamp`, `valid` and the image and world landmarks, visibilities and scores of a trajectory.
    """
    times = arrays["timestamp"] / 1e9
    valid = arrays["valid"]
    breaks = np.diff(valid & Valid.UNSURE, prepend=valid[:1] & Valid.UNSURE) != 0
    typical_step = float(np.median(np.diff(times))) if len(times) > 1 else 1.0
    model = Model(settings.cutoff_hz, typical_step, settings.longest_gap_seconds, FASTEST, settings.gate)
    for part in _parts(arrays):
        replaced = _smooth_part(part, times, breaks, model, settings.bone_factor)
        valid |= np.where(replaced, Valid.INTERPOLATED, 0).astype(np.uint8)
        valid |= np.where(_is_whole(part.image), Valid.SMOOTHED, 0).astype(np.uint8)


def _parts(arrays: Mapping[str, NDArray[Any]]) -> Iterator[_Part]:
    bones = tuple(bone for side in BODY_SIDES for bone in side)
    yield _Part(arrays["body_image"], arrays["body_world"], arrays["body_visibility"], bones)
    for side in range(len(HANDS)):
        image, world = arrays["hands_image"][:, side], arrays["hands_world"][:, side]
        yield _Part(image, world, arrays["hand_score"][:, side : side + 1], HAND_BONES)


def _smooth_part(part: _Part, times: Floats, breaks: Flags, model: Model, bone_factor: float) -> Flags:
    """Smooth one body or hand in place; gives the frames in which a sample was filled or replaced."""
    replaced = np.zeros(len(times), bool)
    found = _is_whole(part.image)
    if not found.any():
        return replaced
    per_metre = _per_metre(part, found)
    noise = _noise(part, found, model.typical_step, per_metre)
    lengths = _sampled_bones(part, found)
    waiting: tuple[slice, Floats] | None = None  # a block is written when the next has read what it needs of it
    for lead, core, tail in _blocks(times, 2 * model.longest_gap + 60 / model.radians):
        rows = slice(lead, tail)
        raw = part.rows(rows)
        if waiting is not None:
            part.write(*waiting)
        inside = slice(core.start - lead, core.stop - lead)
        values, changed = raw, np.zeros(len(raw), bool)
        if found[rows].any():
            seen = np.clip(part.seen[rows], LEAST_VISIBLE, 1, dtype=np.float64)
            shape = raw.shape[:2]
            wrong, stays = _turned_over(raw, times[rows], part, model.longest_gap)
            block = Block(
                times=times[rows],
                values=raw / per_metre,
                noise=noise,
                variance=np.broadcast_to(np.tile(seen**-2, (1, shape[1] // seen.shape[1])), shape),
                doubted=_impossible_bones(raw, part.bones, lengths, bone_factor) | wrong[:, None],
                breaks=np.broadcast_to((breaks[rows] | stays)[:, None], shape),
            )
            values, changed = _smooth_block(block, model)
            values = np.where(np.isnan(values) & found[rows, None, None], raw, values * per_metre)
        replaced[core] = changed[inside]
        waiting = core, values[inside]
    if waiting is not None:
        part.write(*waiting)
    return replaced


def _smooth_block(block: Block, model: Model) -> tuple[Floats, Flags]:
    """Smoothed values of a block, and the frames in which most are not measured; a frame is filled whole or not."""
    used, jumps = find_jumps(block, model)
    landmarks = used.shape[1] // 2
    together = jumps[:, :landmarks].mean(axis=1) >= MOST
    if together.any():  # it is another body or hand, whose model may lie nearby
        block = replace(block, breaks=block.breaks | together[:, None])
        used, jumps = find_jumps(block, model)
    values, used = smooth(block, model, used, jumps)
    found = _is_whole(block.values)
    filled = _is_whole(values) & ~found
    values[~found & ~filled] = np.nan
    replaced = ~used & np.isfinite(values[..., 0])
    return values, filled | (replaced.mean(axis=1) >= MOST)


def _blocks(times: Floats, lead_seconds: float) -> Iterator[tuple[int, slice, int]]:
    """Slices that cover all frames, each with the frames before and after it that have a say in its own.

    By `lead_seconds` away a sample counts for nothing. No block reaches back beyond the one before it.
    """
    start = 0
    while start < len(times):
        stop = max(start + BLOCK_FRAMES, int(np.searchsorted(times, times[start] + lead_seconds)))
        stop = min(stop, len(times))
        lead = int(np.searchsorted(times, times[start] - lead_seconds))
        tail = int(np.searchsorted(times, times[stop - 1] + lead_seconds, side="right"))
        yield lead, slice(start, stop), tail
        start = stop


def _per_metre(part: _Part, found: Flags) -> Floats:
    """(2 * landmarks, 3): units of each coordinate that make a metre of the model, where the part is."""
    rows = part.rows(spread_over(np.flatnonzero(found)))
    in_picture, in_metres = np.median(rows.reshape(len(rows), 2, -1, 3).std(axis=2), axis=0)
    scale: Floats = np.maximum(in_picture, SMALLEST) / np.maximum(in_metres, SMALLEST)
    scale[2] = scale[0]  # depth is in image widths, like x
    return np.repeat([scale, np.ones(3)], rows.shape[1] // 2, axis=0)


def _noise(part: _Part, found: Flags, step: float, per_metre: Floats) -> Floats:
    """(2 * landmarks, 3): standard deviation, in metres, of what cannot be foreseen: jitter, and fast motion."""
    first = spread_over(np.flatnonzero(found[:-3] & found[1:-2] & found[2:-1] & found[3:]))
    jitter = np.zeros_like(per_metre)
    if len(first):
        thirds = part.rows(first + 3) - 3 * part.rows(first + 2) + 3 * part.rows(first + 1) - part.rows(first)
        jitter = np.median(np.abs(thirds), axis=0) / NORMAL_QUARTILE / per_metre
    unforeseen: Floats = np.hypot(jitter, FAST_JERK * step**3) / np.sqrt(20)  # 20 = 1 + 9 + 9 + 1
    return np.maximum(unforeseen, FINEST)


def _sampled_bones(part: _Part, found: Flags) -> Floats:
    """(bones,): median lengths."""
    world = part.world[spread_over(np.flatnonzero(found))]
    return np.asarray(np.median(_lengths(world.astype(np.float64), part.bones), axis=0), np.float64)


def _impossible_bones(raw: Floats, bones: tuple[Bone, ...], lengths: Floats, factor: float) -> Flags:
    """(frames, 2 * landmarks): world landmarks at the far end of a bone of an impossible length."""
    landmarks = raw.shape[1] // 2
    now = _lengths(raw[:, landmarks:], bones)
    impossible = (now > factor * lengths) | (now < lengths / factor)
    doubted = np.zeros(raw.shape[:2], bool)
    for bone, (_, far_end) in enumerate(bones):
        doubted[:, landmarks + far_end] |= impossible[:, bone]
    return doubted


def _turned_over(raw: Floats, times: Floats, part: _Part, longest_gap: float) -> tuple[Flags, Flags]:
    """(frames,): which are the wrong way round for a moment, and with which a part stays so, in the network alone."""
    once, twice = np.zeros(len(raw), bool), np.ones(len(raw), bool)
    once[1:] = _is_over(raw[1:], raw[:-1], part, np.diff(times))
    twice[1:-1] = _is_over(raw[2:], raw[:-2], part, np.zeros(1))
    wrong, stays = np.zeros(len(raw), bool), np.zeros(len(raw), bool)
    whole = _is_whole(raw)
    frames = list(np.flatnonzero(once))
    while frames:
        first = frames.pop(0)
        if first >= 2 and whole[first - 2] and twice[first] and not twice[first - 1]:
            wrong[first - 1] = True  # it is as before that one, which came just short of being over
        elif not twice[first]:
            wrong[first] = True
            frames = frames[1:] if frames[:1] == [first + 1] else frames
        elif frames and times[frames[0]] - times[first] < longest_gap:
            wrong[first : frames.pop(0)] = True
        else:
            stays[first] = True
    return wrong, stays


def _is_over(now: Floats, before: Floats, part: _Part, seconds: Floats) -> Flags:
    """(frames,): whether a part is the other way round. Smoothed, it would fold up.

    A body is, if its left and right lie nearer by half to where the other was than to themselves; a hand, if its palm
    has turned away, and faster than a hand can.
    """
    if part.bones is HAND_BONES:
        palms = _palms(now[:, len(HAND_LANDMARKS) :]), _palms(before[:, len(HAND_LANDMARKS) :])
        turned = np.arccos(np.clip((palms[0] * palms[1]).sum(axis=1), -1, 1))
        return np.asarray((turned > np.pi / 2) & (turned > FASTEST_TURN * seconds), np.bool_)
    own, other = np.array(TRUNK).T, np.array(TRUNK).T[::-1]
    unturned = ((now[:, own, :2] - before[:, own, :2]) ** 2).sum(axis=(1, 2, 3))
    crossed = ((now[:, own, :2] - before[:, other, :2]) ** 2).sum(axis=(1, 2, 3))
    return np.asarray(4 * crossed < unturned, np.bool_)


def _palms(world: Floats) -> Floats:
    """(frames, 3): unit vectors across the palm."""
    across: Floats = np.cross(world[:, KNUCKLES[0]] - world[:, WRIST], world[:, KNUCKLES[-1]] - world[:, WRIST])
    return np.asarray(across / np.maximum(np.linalg.norm(across, axis=1, keepdims=True), SMALLEST**2), np.float64)


def _lengths(world: Floats, bones: tuple[Bone, ...]) -> Floats:
    near, far = np.array(bones).T
    return np.asarray(np.linalg.norm(world[:, far] - world[:, near], axis=2), np.float64)


def _is_whole(landmarks: NDArray[np.floating[Any]]) -> Flags:
    """(frames,): whether no coordinate is missing."""
    return np.asarray(np.isfinite(landmarks).all(axis=(1, 2)), np.bool_)


def spread_over(frames: NDArray[np.intp]) -> NDArray[np.intp]:
    """At most `SAMPLES` of some frames, evenly spread over them."""
    return frames[:: max(1, -(-len(frames) // SAMPLES))]
