"""How fast a device's clock runs against ours: the drift that pulls two cameras apart in a long take."""

from __future__ import annotations

import numpy as np

_SECOND_NS = 1_000_000_000
_LEAST_SECONDS = 5
"""Over less time the jitter of arrivals, some milliseconds, is larger than any camera's drift."""


class DriftMeter:
    """Measures how a device's times move against those at which its frames arrive.

    A frame may arrive late but never early, so the smallest delay within each second is the one without jitter; a
    straight line through these by the median of all slopes (Theil and Sen) does not mind a bad second.
    """

    def __init__(self) -> None:
        self._delay_ns: dict[int, int] = {}
        """The smallest delay, by the second in which its frames arrived."""

    def add(self, taken_ns: int, arrived_ns: int) -> None:
        """Look at one frame: when the device says it took it, and when it came."""
        second = arrived_ns // _SECOND_NS
        self._delay_ns[second] = min(self._delay_ns.get(second, arrived_ns - taken_ns), arrived_ns - taken_ns)

    @property
    def parts_per_million(self) -> float | None:
        """How much faster than ours the device's clock runs; None before it was watched for five seconds."""
        if len(self._delay_ns) <= _LEAST_SECONDS:
            return None
        seconds = np.array(sorted(self._delay_ns))[1:-1]  # the first and the last are not whole
        delays = np.array([self._delay_ns[second] for second in seconds.tolist()])
        first, second = np.triu_indices(len(seconds), 1)
        slopes = (delays[second] - delays[first]) / ((seconds[second] - seconds[first]) * _SECOND_NS)
        return float(-np.median(slopes) * 1e6)
