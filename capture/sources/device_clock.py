"""A device's own clock: when its frames were taken on ours, and how fast it runs against ours."""

from __future__ import annotations

import numpy as np

_SECOND_NS = 1_000_000_000
_LEAST_SECONDS = 5
"""Over less time the jitter of arrivals, some milliseconds, is larger than any camera's drift."""


class DeviceClock:
    """Maps a device's own times to the monotonic clock.

    A frame arrives some time after it was taken, never before, so the smallest difference seen between arrival and
    the device's time is the closest to the difference of the two clocks. A device whose clock jumps, because it was
    reset or because it follows a wall clock that was set, is mapped anew.
    """

    JUMP_NS = 2_000_000_000
    """No camera takes so long to hand a frame over: more is a jump of its clock."""

    def __init__(self) -> None:
        self._offset_ns: int | None = None
        self._latest_ns: int | None = None

    def to_monotonic(self, taken_ns: int, arrived_ns: int) -> int:
        """When a frame was taken, on the monotonic clock, from the device's time and that of its arrival."""
        offset = arrived_ns - taken_ns
        if self._offset_ns is None or abs(offset - self._offset_ns) > self.JUMP_NS:
            self._offset_ns = offset
        self._offset_ns = min(self._offset_ns, offset)
        moment = taken_ns + self._offset_ns
        if self._latest_ns is not None and moment <= self._latest_ns:
            # after a jump, or because the offset was found to be smaller: time does not go back
            moment = min(arrived_ns, self._latest_ns + 1)
        self._latest_ns = moment
        return moment


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
