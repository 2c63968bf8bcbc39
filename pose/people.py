"""One person of a video, chosen and held: who the contributor is among the people in view, frame after frame."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .appearance import Appearance, alike, appearance_of, blended
from .body_network import BodyNetwork, BodySighting
from .body_regions import BodyRegion
from .landmarkers import Body
from .models import Model
from .person_detection import PersonDetector
from .tracks import Track, standing

PROBATION_MS = 2000.0
"""How long the first choice may be revised for somebody who was there as well."""
CLEARLY = 1.3
"""Somebody is the contributor rather than another if their standing is this many times the other's."""
CLOSE = 0.35
"""Two people whose regions are nearer than this, in sides, may be taken for each other."""
NEAR = 1.2
"""A bystander within this many sides may soon be close."""
SAME_PLACE = 0.3
"""A detection this near to the landmarks' own region, in sides, is the same person."""
PATIENCE_MS, PERSISTENT_MS = 3000.0, 1000.0
"""How long the contributor is waited for before another may be taken for them, who must have been there this long."""
PLAINLY_OTHER, PLAINLY_SAME = 0.6, 0.85
"""Likeness of clothes below which it is somebody else, and from which it is the same one. In one light, a man on the
demo's clip stays above 0.89; from backlight into the sun he falls to 0.63, so that likeness alone decides little."""
LEARN = 0.05
"""Share by which a sure look moves what is known of the clothes: about a second's worth at 30 frames a second."""
LOOK_AGAIN_MS = 500.0
"""How long the landmarks are tried where the contributor should be, after they were lost."""
IDLE_MS, IDLE_STEP_MS = 1000.0, 95.0
"""After so long without anybody in view the detector looks only this often: every third frame at 30 a second."""
FORGET_MS, GLIMPSE_MS = 2000.0, 450.0
"""How long a bystander is remembered unseen: at most; and at least, though no longer than they were watched, since
the detector now and then takes a shadow for somebody."""


@dataclass
class _Contributor:
    """Whom we follow."""

    track: Track
    clothes: Appearance
    number: int
    established: float
    """Standing that makes up for the one held before."""
    doubtful: bool = False


class BodyFinder:
    """Finds the contributor's body in the frames of one video. One thread at a time may use it.

    The landmark network follows the contributor from frame to frame; the detector looks at all people now and then,
    often while a bystander is near, and whenever the contributor is lost. A region that moves or grows more than a
    person can, that lies where a bystander should be, or that wears other clothes is a loss, not the contributor.
    """

    def __init__(self, model: Model, confidence: float) -> None:
        self._network = BodyNetwork(model)
        self._detector = PersonDetector(model)
        self._confidence = confidence
        self._held: _Contributor | None = None
        self._others: list[Track] = []
        self._detected_ms = -np.inf
        self._somebody_ms = -np.inf

    def find(self, image: NDArray[np.uint8], timestamp_ms: int) -> Body | None:
        """The contributor's body in the next frame, if they are there.

        Args:
            image: uint8 (height, width, 3), RGB.
            timestamp_ms: time of the frame, larger than at the call before.
        """
        now = float(timestamp_ms)
        if not np.isfinite(self._somebody_ms):
            self._somebody_ms = now
        sighting = self._follow(image, now)
        if self._detection_due(now, sighting is not None):
            sighting = self._look_around(image, now, sighting)
        if sighting is None or self._held is None:
            return None
        self._somebody_ms = now
        return replace(sighting.body, sure=self._is_sure(now), person=self._held.number)

    def close(self) -> None:
        """Free the networks."""
        del self._network, self._detector

    def _follow(self, image: NDArray[np.uint8], now: float) -> BodySighting | None:
        """The contributor where they should be, by their landmarks alone."""
        held = self._held
        if held is None or now - held.track.seen_ms > LOOK_AGAIN_MS:
            return None
        sighting = self._network.look(image, held.track.at(now))
        return sighting if self._take(sighting, now) else None

    def _take(self, sighting: BodySighting, now: float) -> bool:
        """Go on with the contributor from what was seen, unless it cannot be them."""
        held, region = self._held, sighting.region
        if held is None or region is None or sighting.presence < self._confidence:
            return False
        if not held.track.reaches(region, now) or self._is_other(region, now):
            return False
        clothes = appearance_of(sighting)
        likeness = alike(held.clothes, clothes)
        if likeness < PLAINLY_OTHER:
            return False
        held.track = held.track.seen(region, now)
        if likeness >= PLAINLY_SAME:
            held.doubtful = False
        if not held.doubtful and not self._is_crossed(now):
            held.clothes = blended(held.clothes, clothes, LEARN)
        return True

    def _is_other(self, region: BodyRegion, now: float) -> bool:
        """Whether a bystander is rather there than the contributor."""
        if self._held is None:
            return False
        own = self._held.track.at(now).distance(region)
        others = [other.at(now).distance(region) for other in self._others if other.apart > 1]
        return own > CLOSE / 4 and any(distance < own / 2 for distance in others)

    def _is_crossed(self, now: float) -> bool:
        held = self._held
        return held is not None and any(
            other.at(now).distance(held.track.region) < CLOSE for other in self._others if other.apart > 1
        )

    def _is_sure(self, now: float) -> bool:
        held = self._held
        if held is None or held.doubtful or held.track.standing < held.established or self._is_crossed(now):
            return False
        in_probation = now - held.track.since_ms < PROBATION_MS
        return not (in_probation and any(other.standing * CLEARLY > held.track.standing for other in self._others))

    def _detection_due(self, now: float, following: bool) -> bool:
        elapsed = now - self._detected_ms
        held = self._held
        if held is None or not following:
            return now - self._somebody_ms < IDLE_MS or elapsed >= IDLE_STEP_MS
        distances = [other.at(now).distance(held.track.region) for other in self._others]
        if any(distance < NEAR for distance in distances):
            return elapsed >= 95
        if self._others or now - held.track.since_ms < PROBATION_MS:
            return elapsed >= 195
        return elapsed >= 1000

    def _look_around(self, image: NDArray[np.uint8], now: float, sighting: BodySighting | None) -> BodySighting | None:
        """Look at everybody in the picture; the contributor among them, unless they are known already."""
        self._detected_ms = now
        regions = [person.region for person in self._detector.find(image, self._confidence)]
        size = (image.shape[1], image.shape[0])
        held = self._held
        if sighting is not None and held is not None:
            held.track = replace(held.track, standing=held.track.standing + standing(held.track.region, size))
            regions = [region for region in regions if region.distance(held.track.region) > SAME_PLACE]
        seen = self._remember(regions, now, size, beside=sighting is not None)
        if sighting is not None and held is not None:
            rival = max(self._others, key=lambda other: other.standing, default=None)
            if now - held.track.since_ms > PROBATION_MS or rival is None or rival not in seen:
                return sighting
            if rival.standing <= CLEARLY * held.track.standing:
                return sighting
            return self._begin(image, rival, now, 0.0) or sighting
        return self._return_of(image, seen, now) if held is not None else self._first(image, seen, now)

    def _remember(self, regions: list[BodyRegion], now: float, size: tuple[int, int], beside: bool) -> list[Track]:
        """Bring the tracks of the others up to date; those that were seen now."""
        seen = []
        waiting = [
            other for other in self._others if now - other.seen_ms <= min(FORGET_MS, max(other.watched_ms, GLIMPSE_MS))
        ]
        for region in regions:
            near = [other for other in waiting if other.near(region, now)]
            if near:
                before = min(near, key=lambda other: other.at(now).distance(region))
                waiting.remove(before)
                track = before.seen(region, now)
            else:
                track = Track(region, now, since_ms=now)
            track = replace(track, standing=track.standing + standing(region, size), apart=track.apart + beside)
            seen.append(track)
        self._others = seen + waiting
        return seen

    def _first(self, image: NDArray[np.uint8], seen: list[Track], now: float) -> BodySighting | None:
        for other in sorted(seen, key=lambda other: -other.standing)[:2]:
            found = self._begin(image, other, now, 0.0)
            if found is not None:
                return found
        return None

    def _return_of(self, image: NDArray[np.uint8], seen: list[Track], now: float) -> BodySighting | None:
        """The contributor, come back; or, after a long absence, somebody who is clearly the one instead."""
        held = self._held
        assert held is not None
        strangers = [other for other in seen if other.apart < 2]
        strangers.sort(key=lambda other: other.region.distance(held.track.at(now)))
        for other in strangers[:2]:
            sighting = self._settled(image, other.region)
            if sighting is None or sighting.region is None:
                continue
            likeness = alike(held.clothes, appearance_of(sighting))
            if self._is_other(sighting.region, now):
                continue
            in_reach = held.track.reaches(sighting.region, now) and likeness >= PLAINLY_OTHER
            if in_reach or (likeness >= PLAINLY_SAME and now - held.track.seen_ms >= PATIENCE_MS):
                self._others.remove(other)
                held.track = replace(held.track, region=sighting.region, seen_ms=now, speed=other.speed)
                held.doubtful = likeness < PLAINLY_SAME
                return sighting
        if now - held.track.seen_ms < PATIENCE_MS:
            return None
        for other in sorted(seen, key=lambda other: -other.standing)[:1]:
            if now - other.since_ms >= PERSISTENT_MS and other.region.side >= held.track.region.side / 2:
                return self._begin(image, other, now, held.track.standing)
        return None

    def _begin(self, image: NDArray[np.uint8], other: Track, now: float, established: float) -> BodySighting | None:
        """Follow somebody else from now on, if the landmark network sees a person there."""
        sighting = self._settled(image, other.region)
        if sighting is None or sighting.region is None:
            return None
        self._others.remove(other)
        number = 0
        if self._held is not None:
            number = self._held.number + 1
            self._others.append(self._held.track)
        track = replace(other, region=sighting.region, seen_ms=now, since_ms=now)
        self._held = _Contributor(track, appearance_of(sighting), number, established)
        return sighting

    def _settled(self, image: NDArray[np.uint8], region: BodyRegion) -> BodySighting | None:
        """The person in a region of the detector's, which is vague: seen again in the region of their landmarks."""
        first = self._network.look(image, region)
        if first.region is None or first.presence < self._confidence:
            return None
        second = self._network.look(image, first.region)
        return second if second.region is not None and second.presence >= self._confidence else None
