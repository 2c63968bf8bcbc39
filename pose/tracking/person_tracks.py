"""Where one person is, was and will be: a region that moves on, and how far a person can have come."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from pose.networks.regions import Region

STEP, VEER, PUSH = 0.12, 0.5, 2.0
"""How far a region may lie from where it should be, in its own sides: by the network's noise; for each second, by what
is not known of the speed; and for each second squared. A region is about 2.4 m wide around a person who stands, so the
last is an acceleration of 10 m/s2, a sprinter's start."""
RESIZE, RESIZING = 1.35, 3.0
"""By what factor a region may grow or shrink: at once (someone who ducks), and each second (who runs up or rolls)."""
FARTHEST = 1.0
"""Sides beyond which nobody is expected, however long they were away: position says nothing then."""
WALK, FARTHEST_BYSTANDER = 0.5, 0.5
"""The same for bystanders: for each second, and at most."""
COAST_MS = 700.0
"""How long someone unseen is expected to go on as before; then they may have turned or stopped."""
_STEADY_MS = 200.0
"""Time over which the speed is averaged: long against the network's noise, short against a step."""


@dataclass(frozen=True)
class Track:
    """One person's region when it was last seen, with the speed at which it moves."""

    region: Region
    seen_ms: float
    speed: tuple[float, float] = (0.0, 0.0)
    """Pixels a millisecond, right and down."""
    since_ms: float = 0.0
    """When the person was first seen."""
    sightings: int = 1
    prominence: float = 0.0
    """How much this person looks like the one whom the video is about, times the seconds that they were seen."""
    separate: int = 0
    """How often this person was seen beside the contributor, so that they are not one."""

    @property
    def watched_ms(self) -> float:
        """From the first sighting to the last one."""
        return self.seen_ms - self.since_ms

    def at(self, now_ms: float) -> Region:
        """Where the region should be now, at constant speed."""
        ahead = min(max(now_ms - self.seen_ms, 0.0), COAST_MS)
        return replace(self.region, x=self.region.x + self.speed[0] * ahead, y=self.region.y + self.speed[1] * ahead)

    def reaches(self, region: Region, now_ms: float) -> bool:
        """Whether a person can have come from the last region to this one."""
        seconds = max(now_ms - self.seen_ms, 0.0) / 1000
        resized = abs(math.log(region.side / self.region.side))
        return self.near(region, now_ms) and resized <= math.log(RESIZE) + math.log(RESIZING) * seconds

    def near(self, region: Region, now_ms: float) -> bool:
        """The same by place alone: the detector is vague about sizes."""
        seconds = max(now_ms - self.seen_ms, 0.0) / 1000
        return self.at(now_ms).distance(region) <= min(STEP + VEER * seconds + PUSH * seconds**2, FARTHEST)

    def near_vaguely(self, region: Region, now_ms: float) -> bool:
        """Whether a bystander is probably there, who is seen less often and by the detector alone."""
        seconds = max(now_ms - self.seen_ms, 0.0) / 1000
        return self.at(now_ms).distance(region) <= min(2 * STEP + WALK * seconds, FARTHEST_BYSTANDER)

    def seen(self, region: Region, now_ms: float, *, clear: bool = True) -> Track:
        """The track with one more sighting of the same person; one that is not clear teaches nothing of the speed."""
        elapsed = max(now_ms - self.seen_ms, 1.0)
        share = 1 - math.exp(-elapsed / _STEADY_MS) if clear else 0.0
        old_x, old_y = self.speed
        speed_x = old_x + share * ((region.x - self.region.x) / elapsed - old_x)
        speed_y = old_y + share * ((region.y - self.region.y) / elapsed - old_y)
        return replace(self, region=region, seen_ms=now_ms, speed=(speed_x, speed_y), sightings=self.sightings + 1)


def prominence(region: Region, size: tuple[int, int]) -> float:
    """How much somebody looks like the contributor in one frame: large and central; 0..1.

    Args:
        region: the person's.
        size: width and height of the picture in pixels.
    """
    width, height = size
    diagonal = math.hypot(width, height)
    off_centre = math.hypot(region.x - width / 2, region.y - height / 2) / (diagonal / 2)
    return min(region.side / diagonal, 1.0) * max(1 - off_centre / 2, 0.0)
