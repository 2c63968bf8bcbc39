"""Signals of a trajectory for drawing under a timeline, at every zoom: motion, hands, grip, visibility."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from annotate.signals.trajectory_reader import TrajectoryReader, open_trajectory
from kinesphere.errors import InvalidInput
from kinesphere.trajectory import ARRAYS, BODY_LANDMARKS, HANDS, MISSING
from storage.workspace import Workspace

Floats = NDArray[np.float32]

UNITS = {
    "motion energy": "image heights/s",
    "left hand speed": "image heights/s",
    "right hand speed": "image heights/s",
    "left grip": "1",
    "right grip": "1",
    "body visibility": "1",
    "left hand visibility": "1",
    "right hand visibility": "1",
}
REVISION = 1
"""Raised when the same trajectory gives other signals, so that what was cached is not shown any more."""
_ARMS = [BODY_LANDMARKS.index(f"{side}_{part}") for part in ("shoulder", "elbow", "wrist") for side in HANDS]
_WRISTS = [BODY_LANDMARKS.index(f"{side}_wrist") for side in HANDS]
_PALM = [0, 5, 9, 13, 17]
"""The wrist and the four knuckles: where a hand is, whatever its fingers do."""


def signal_names() -> tuple[str, ...]:
    """The names of all signals, in the order in which they come."""
    return tuple(UNITS)


@dataclass(frozen=True)
class Signals:
    """The signals of a trajectory and, for drawing them from afar, the least and greatest value of runs of frames."""

    key: str
    """Changes if and only if the signals may: the shard, the frames in it, and how signals are computed."""
    frames: int
    names: tuple[str, ...]
    units: tuple[str, ...]
    levels: tuple[Floats, ...]
    """Level k is `(signals, ceil(frames / 2**k), 2)`: minimum and maximum of 2**k frames, NaN where all are missing.
    Level 0 holds each frame's value twice (without taking the memory twice); the last level has one run."""

    def values(self, name: str) -> Floats:
        """A signal frame by frame.

        Args:
            name: of the signal.

        Returns:
            float32 `(frames,)`, NaN where missing.

        Raises:
            InvalidInput: there is no such signal.
        """
        found: Floats = self.levels[0][self._row(name), :, 0]
        return found

    def part(self, level: int, start_frame: int, end_frame: int, names: Sequence[str] | None = None) -> Floats:
        """The runs of a level that hold any of the frames `[start_frame, end_frame)`.

        Args:
            level: of the pyramid, 0 for single frames.
            start_frame: the first.
            end_frame: after the last.
            names: of the signals; None is all.

        Returns:
            `(names, runs, 2)`, minimum and maximum. The first run begins at frame `start_frame >> level << level`.

        Raises:
            InvalidInput: there is no such level, frame or signal, or no frame in the range.
        """
        if not 0 <= level < len(self.levels):
            raise InvalidInput(f"level should be 0 to {len(self.levels) - 1}, got {level}")
        if not 0 <= start_frame < end_frame <= self.frames:
            raise InvalidInput(f"frames {start_frame} to {end_frame} do not lie in 0 to {self.frames}")
        rows = [self._row(name) for name in (self.names if names is None else names)]
        found: Floats = self.levels[level][rows, start_frame >> level : ((end_frame - 1) >> level) + 1]
        return found

    def to_bytes(self, level: int, start_frame: int, end_frame: int, names: Sequence[str] | None = None) -> bytes:
        """A `part` as a browser's `Float32Array` takes it. Errors as in `part`.

        Args:
            level: of the pyramid, 0 for single frames.
            start_frame: the first.
            end_frame: after the last.
            names: of the signals; None is all.

        Returns:
            float32, little endian, signal after signal, each minimum before its maximum, NaN where missing.
        """
        return self.part(level, start_frame, end_frame, names).astype("<f4").tobytes()

    def at_frames(self, rows: NDArray[np.int64]) -> Signals:
        """The same signals by other frames, such as those of a video of which some do not decode.

        Args:
            rows: of each frame, int64 `(frames,)`; -1 gives NaN.

        Returns:
            The signals, of as many frames as there are rows.
        """
        values = self.levels[0][:, rows, 0]
        values[:, rows < 0] = np.nan
        return Signals(self.key, len(rows), self.names, self.units, _pyramid(values))

    def _row(self, name: str) -> int:
        if name not in self.names:
            raise InvalidInput(f"there is no signal '{name}' (there is: {', '.join(self.names)})")
        return self.names.index(name)


def signals(workspace: Workspace, recording: str) -> Signals:
    """The signals of a recording, from its newest trajectory.

    Raises:
        NotFound: there is no such recording.
        Conflict: it is not extracted yet.
        CorruptObject: its shard is missing or damaged.
    """
    return signals_of(open_trajectory(workspace, recording))


def signals_key(trajectory: TrajectoryReader) -> str:
    """The `key` that the signals of a trajectory will have, without reading it.

    Args:
        trajectory: that they are made of.

    Returns:
        The key.
    """
    return f"{trajectory.key}-signals-{REVISION}"


def signals_of(trajectory: TrajectoryReader) -> Signals:
    """The signals of a trajectory, read in blocks of frames.

    * motion energy: root mean square speed in the picture of all landmarks of body and hands, those of the body
      weighted by their visibility. Missing where nothing is followed from one frame to the next.
    * hand speed: that of the palm (the mean of wrist and knuckles) in the picture; where no hand was found, that of
      the body's wrist.
    * grip: as stored.
    * visibility: the mean of shoulders, elbows and wrists; the hands' scores. 0 where nothing was found.

    A speed is the mean of those from the frame before and to the frame after, on their true times; beside a gap or an
    end, the one that there is. They are in the picture's plane: depth is what a single camera sees least of all.

    Args:
        trajectory: of the whole recording.

    Returns:
        The signals, with the pyramid that a timeline draws.
    """
    values = np.full((len(UNITS), trajectory.length), np.nan, np.float32)
    times = trajectory.times_ns()
    for start, stop in trajectory.blocks():
        # one frame more on either side, for the speed
        first, after = max(start - 1, 0), min(stop + 1, trajectory.length)
        values[:, start:stop] = _block(trajectory, times, first, after)[:, start - first : stop - first]
    return Signals(signals_key(trajectory), trajectory.length, signal_names(), tuple(UNITS.values()), _pyramid(values))


def _block(trajectory: TrajectoryReader, times_ns: NDArray[np.int64], first: int, after: int) -> Floats:
    """All signals of the frames `[first, after)`, `(signals, frames)`."""
    steps = (np.diff(times_ns[first:after]) / 1e9).astype(np.float32)
    steps[steps <= 0] = np.nan
    body = _points(trajectory, "body_image", first, after)
    hands = _points(trajectory, "hands_image", first, after)
    visibility = trajectory.read("body_visibility", first, after)
    rows = [_energy(steps, body, hands.reshape(2, after - first, -1), visibility)]
    for side in range(2):
        speed = _speed(steps, hands[:, :, side, _PALM].mean(axis=2))
        by_body = _speed(steps, body[:, :, _WRISTS[side]])
        rows.append(np.where(np.isnan(speed), by_body, speed))
    rows.extend(trajectory.read("grip", first, after).T)
    rows.append(visibility[:, _ARMS].mean(axis=1))
    rows.extend(trajectory.read("hand_score", first, after).T)
    return np.stack(rows)


def _points(trajectory: TrajectoryReader, name: str, first: int, after: int) -> Floats:
    """x and y of landmarks in the picture, `(2, frames, ...)` in image heights, NaN where missing."""
    stored = np.moveaxis(trajectory.read_stored(name, first, after)[..., :2], -1, 0)
    scale = np.float32(ARRAYS[name].scale_factor or 1)
    points = np.empty(stored.shape, np.float32)
    for axis, lengths in enumerate((trajectory.image_width / trajectory.image_height, 1)):
        np.multiply(stored[axis], scale * np.float32(lengths), out=points[axis])
    np.copyto(points, np.nan, where=stored == MISSING)
    return points


def _squared_steps(steps: Floats, points: Floats) -> Floats:
    """Squared speeds between frames, `(frames - 1, ...)`, of points `(2, frames, ...)`; `steps` are in seconds."""
    moved = np.diff(points, axis=1)
    moved *= moved
    squares: Floats = moved[0]
    squares += moved[1]
    squares /= np.square(steps).reshape(-1, *(1,) * (squares.ndim - 1))
    return squares


def _speed(steps: Floats, points: Floats) -> Floats:
    return _at_frames(np.sqrt(_squared_steps(steps, points)))


def _energy(steps: Floats, body: Floats, hands: Floats, visibility: Floats) -> Floats:
    body_squares, hand_squares = _squared_steps(steps, body), _squared_steps(steps, hands)
    weights = np.minimum(visibility[1:], visibility[:-1])
    total, weight = np.zeros(len(steps), np.float32), np.zeros(len(steps), np.float32)
    for squares, weighing in ((body_squares, weights), (hand_squares, None)):
        there = ~np.isnan(squares)
        np.copyto(squares, 0, where=~there)
        total += (squares if weighing is None else squares * weighing).sum(axis=1)
        weight += (there if weighing is None else there * weighing).sum(axis=1)
    nothing = np.full(len(steps), np.nan, np.float32)
    return np.sqrt(_at_frames(np.divide(total, weight, out=nothing, where=weight > 0)))


def _at_frames(between: Floats) -> Floats:
    """What was measured between frames, at the frames: the mean of the two sides, or the one that is there."""
    missing = np.full(1, np.nan, np.float32)
    before, after = np.concatenate([missing, between]), np.concatenate([between, missing])
    mean: Floats = (before + after) / 2
    np.copyto(mean, before, where=np.isnan(after))
    np.copyto(mean, after, where=np.isnan(before))
    return mean


def _pyramid(values: Floats) -> tuple[Floats, ...]:
    """Minimum and maximum of pairs, pairs of pairs and so on, until one is left; see `Signals.levels`."""
    levels: list[Floats] = [np.broadcast_to(values[..., None], (*values.shape, 2))]
    while levels[-1].shape[1] > 1:
        finer = levels[-1]
        if finer.shape[1] % 2:
            finer = np.concatenate([finer, finer[:, -1:]], axis=1)
        coarser = np.empty((len(finer), finer.shape[1] // 2, 2), np.float32)
        # fmin and fmax give NaN only where both are
        np.fmin(finer[:, ::2, 0], finer[:, 1::2, 0], out=coarser[..., 0])
        np.fmax(finer[:, ::2, 1], finer[:, 1::2, 1], out=coarser[..., 1])
        levels.append(coarser)
    return tuple(levels)
