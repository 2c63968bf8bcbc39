"""How a wrist is turned, over time: rotations smoothed as quaternions, with the speed at which they turn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pose.geometry.wrist import continuous, quaternions
from pose.motion.bias_smoother import Sources, smooth_sources

Floats = NDArray[np.float64]

ANGULAR_ACCELERATION = 20.0
"""rad^2/s^3, spectral density: a wrist that turns by a radian within half a second."""


@dataclass(frozen=True)
class Turns:
    """Rotations over time; NaN where there is none."""

    quaternion: Floats
    """(frames, 4): w x y z, whose sign is kept from frame to frame; the first has w >= 0."""
    velocity: Floats
    """(frames, 3): radians a second about the camera's axes."""
    variance: Floats
    """(frames,): rad^2 about any axis, if the errors of frames are independent."""
    velocity_variance: Floats
    """(frames,): (rad/s)^2."""


def steady_turns(times: Floats, rotations: Floats, variances: Floats) -> Turns:
    """Smooth rotations, forth and back in time.

    Near a rotation a quaternion's components differ from it by half the turn's, all with the same noise, so that
    each is smoothed for itself and all are brought back to unit length.

    Args:
        times: (frames,) seconds.
        rotations: (frames, 3, 3), to the camera's axes; NaN where there is none.
        variances: (frames,) of a turn about any axis, rad^2.

    Returns:
        The rotations of the frames that have one.
    """
    found = np.isfinite(rotations).all(axis=(1, 2)) & np.isfinite(variances)
    nothing = Turns(*(np.full((len(times), *shape), np.nan) for shape in ((4,), (3,), (), ())))
    if not found.any():
        return nothing
    samples = np.full((len(times), 4, 1), np.nan)
    samples[found, :, 0] = continuous(quaternions(rotations[found]))
    noise = np.broadcast_to(variances[:, None, None] / 4, samples.shape)
    acceleration = np.full((len(times), 4), ANGULAR_ACCELERATION / 4)
    smoothed = smooth_sources(Sources(times, samples, noise, acceleration))
    length = np.linalg.norm(smoothed.value, axis=1, keepdims=True)
    unit = smoothed.value / np.maximum(length, 1e-9)
    # a change along the quaternion itself is no turn
    rate = smoothed.rate / np.maximum(length, 1e-9)
    rate -= unit * (unit * rate).sum(axis=1, keepdims=True)
    nothing.quaternion[found] = continuous(unit[found])
    nothing.velocity[found] = _turning(unit, rate)[found]
    nothing.variance[found] = 4 * smoothed.variance.mean(axis=1)[found]
    nothing.velocity_variance[found] = 4 * smoothed.rate_variance.mean(axis=1)[found]
    return nothing


def _turning(unit: Floats, rate: Floats) -> Floats:
    """(frames, 3): angular velocity about the fixed axes, twice the vector part of q' q*."""
    w, vector = unit[:, :1], unit[:, 1:]
    return 2 * (w * rate[:, 1:] - rate[:, :1] * vector - np.cross(rate[:, 1:], vector))
