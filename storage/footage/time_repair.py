"""Puts right the times that a file states for its frames, where they cannot be true: they stand, step back or leap."""

from __future__ import annotations

from collections import deque
from statistics import median

_SHORTEST_NS = 500_000
"""Frames closer than this have one time: no camera gives 2,000 frames a second, and readers take them for one."""
_LONGEST_NS = 3600 * 1_000_000_000
"""A longer gap between two frames is no gap but another clock."""
_USUAL_NS = 33_333_333
"""Between two frames, before it is known what is usual."""
_OF_ONE_CLOCK = 1.5
"""Frames that step back by less than this many usual steps are out of step; else the clock was set anew."""


class FrameTimes:
    """Gives each frame, in the order in which they are shown, a time later than the one before.

    True times stay to the nanosecond. A frame that has the time of the one before, or a little less, is put half a
    usual step after it. Where the clock was set anew, what follows is moved to go on after a usual step.
    """

    def __init__(self) -> None:
        self._steps: deque[int] = deque(maxlen=33)
        self._latest: int | None = None
        self._offset = 0
        self._offset_before: int | None = None
        self.retimed: list[int] = []
        """Times of the frames before which the stated times did not go on as time does, in nanoseconds."""

    def of(self, stated: int) -> int:
        """The time of the next frame.

        Args:
            stated: what the file says, in nanoseconds since its first frame.

        Returns:
            Nanoseconds since the first frame.
        """
        if self._latest is None:
            self._latest = stated
            return stated
        step = self._step(stated)
        if _SHORTEST_NS <= step <= _LONGEST_NS:
            self._steps.append(step)
        else:
            usual = self._usual
            if -_OF_ONE_CLOCK * usual <= step < _SHORTEST_NS:
                step = max(usual // 2, _SHORTEST_NS)
            else:
                self._offset_before = self._offset
                self._offset += usual - step
                step = usual
            self.retimed.append(self._latest + step)
        self._latest += step
        return self._latest

    def lost(self, stated: int) -> int:
        """The time of a frame that is left out: as stated, on the clock of the frame before.

        Args:
            stated: what the file says, in nanoseconds since its first frame.

        Returns:
            Nanoseconds since the first frame.
        """
        return stated + self._offset

    @property
    def _usual(self) -> int:
        return int(median(self._steps)) if self._steps else _USUAL_NS

    def _step(self, stated: int) -> int:
        """From the frame before; where only that one was off the clock, the clock from before it is taken up again."""
        latest = self._latest or 0
        step = stated + self._offset - latest
        if self._offset_before is not None:
            resumed = stated + self._offset_before - latest
            if resumed >= _SHORTEST_NS and abs(resumed - self._usual) < abs(step - self._usual):
                self._offset, step = self._offset_before, resumed
            self._offset_before = None
        return step
