"""One person of a video, chosen and held: who the contributor is among the people in view, frame after frame."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pose.networks.detectors import PersonDetector
from pose.networks.landmark_networks import BodyNetwork, BodySighting
from pose.networks.models import Model
from pose.networks.regions import Region
from pose.networks.sightings import Body
from pose.tracking.appearance import Appearance, alike, appearance_of, blended
from pose.tracking.person_tracks import COAST_MS, Track, prominence

NOBODY = -1
"""In place of `Body.person` where there is no body."""
CONFIRM_MS = 300.0
"""Somebody who is lost before this was a shadow: the search begins anew."""
PROBATION_MS = 2000.0
"""How long the first choice may be revised for somebody who was there as well."""
CLEARLY = 1.3
"""Somebody is the contributor rather than another if their standing is this many times the other's."""
CLOSE = 0.35
"""Two people whose regions are nearer than this, in sides, may be taken for each other."""
SEPARATE = 2
"""Looks that show somebody beside the contributor before they are taken for a person of their own."""
NEAR = 0.7
"""A bystander within this many sides may soon be close: half a second away for two who walk towards each other."""
LOOK_CLOSELY_MS, LOOK_MS, LOOK_RARELY_MS = 95.0, 195.0, 995.0
"""How often the detector looks at everybody: near a bystander, with one in view or in probation, and alone. Just under
3, 6 and 30 frames at 30 a second, so that uneven timestamps do not skip a turn."""
SAME_PLACE = 0.3
"""A detection this near to the landmarks' own region, in sides, is the same person."""
RETURN_MS = 1500.0
"""After so long an absence the contributor may come back from anywhere, in the same clothes."""
PATIENCE_MS, PERSISTENT_MS = 3000.0, 1000.0
"""How long the contributor is waited for before another may be taken for them, who must have been there this long."""
OTHER, SAME = 0.35, 0.5
"""Likeness of clothes below which it is somebody else, and from which it is the same one, which must be reached beside
somebody or after a gap. On the demo's clip a person is 0.68 or more like a moment ago in 98 of 100 frames and 0.44 or
less like the other person. In another light one is as unlike oneself as another is: clothes tell little then."""
GAP_MS = 200.0
"""How long the contributor may have been unseen for the look before to be a moment ago."""
DOUBT_MS = 3000.0
"""How long somebody who came back in other clothes, or in another light, is followed before they are believed."""
LEARN, LEARN_NOW = 0.05, 0.2
"""Share by which a look moves what is known of the clothes in the long run, and of late."""
LOOK_AGAIN_MS = 1000.0
"""How long the landmarks are tried where the contributor should be, after they were lost."""
IDLE_MS, IDLE_STEP_MS = 1000.0, 95.0
"""After so long without anybody in view the detector looks only this often: every third frame at 30 a second. In a
close-up of hands, which look like people to the networks, both do."""
FORGET_MS, GLIMPSE_MS = 2000.0, 450.0
"""How long a bystander is remembered unseen: at most; and at least, though no longer than they were watched, since
the detector now and then takes a shadow for somebody."""


@dataclass
class _Contributor:
    """Whom we follow."""

    track: Track
    clothes: Appearance
    """In the long run, while sure."""
    of_late: Appearance
    established: float
    """Standing that makes up for the one held before."""
    doubtful_until: float = 0.0
    """Time at which doubts end if nothing more speaks against them."""
    hidden: bool = False
    """Somebody came by while they were lost, and may have been taken for them: see `_return_of`."""


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
        self._contributor: _Contributor | None = None
        self._number = 0
        self._abandoned: Appearance | None = None
        """What somebody wore who was rather a hand: whoever comes next is another, unless they wear the same."""
        self._others: list[Track] = []
        self._looked_ms = self._detected_ms = -np.inf
        self._somebody_ms = -np.inf

    def find(self, image: NDArray[np.uint8], timestamp_ms: int, *, close_up: bool = False) -> Body | None:
        """The contributor's body in the next frame, if they are there.

        Args:
            image: uint8 (height, width, 3), RGB.
            timestamp_ms: time of the frame, larger than at the call before.
            close_up: what was found of late were hands (`HandFinder.is_close_up`): not every frame is looked at, and
                whoever was followed is not waited for.
        """
        now = float(timestamp_ms)
        if close_up and now - self._looked_ms < IDLE_STEP_MS:
            return None
        self._looked_ms = now
        if not np.isfinite(self._somebody_ms):
            self._somebody_ms = now
        sighting = self._follow(image, now)
        if sighting is None and self._contributor is not None and self._contributor.track.watched_ms < CONFIRM_MS:
            self._contributor = None
        elif sighting is None and self._contributor is not None and close_up:
            self._abandoned, self._contributor = self._contributor.clothes, None
        if self._detection_due(now, sighting is not None):
            sighting = self._look_around(image, now, sighting)
        if sighting is None or self._contributor is None:
            return None
        self._somebody_ms = now
        others = sum(other.separate >= SEPARATE and now - other.seen_ms <= COAST_MS for other in self._others)
        return replace(sighting.body, sure=self._is_sure(now), person=self._number, others=others)

    def close(self) -> None:
        """Free the networks."""
        del self._network, self._detector

    def _follow(self, image: NDArray[np.uint8], now: float) -> BodySighting | None:
        """The contributor where they should be, by their landmarks alone."""
        contributor = self._contributor
        if contributor is None or now - contributor.track.seen_ms > LOOK_AGAIN_MS:
            return None
        sighting = self._network.look(image, contributor.track.at(now))
        return sighting if self._accept(sighting, now) else None

    def _accept(self, sighting: BodySighting, now: float) -> bool:
        """Go on with the contributor from what was seen, unless it cannot be them."""
        contributor, region = self._contributor, sighting.region
        if contributor is None or region is None or sighting.presence < self._confidence:
            return False
        if not contributor.track.reaches(region, now) or self._is_other(region, now):
            return False
        clothes, crossed = appearance_of(sighting), self._is_crossed(now)
        if alike(contributor.of_late, clothes) < (
            SAME if crossed or now - contributor.track.seen_ms > GAP_MS else OTHER
        ):
            return False
        contributor.track, contributor.hidden = contributor.track.seen(region, now, clear=not crossed), False
        if not crossed:
            contributor.of_late = blended(contributor.of_late, clothes, LEARN_NOW)
            if now >= contributor.doubtful_until:
                contributor.clothes = blended(contributor.clothes, clothes, LEARN)
            elif alike(contributor.clothes, clothes) >= SAME:
                contributor.doubtful_until = now
        return True

    def _is_other(self, region: Region, now: float) -> bool:
        """Whether a bystander is rather there than the contributor."""
        if self._contributor is None:
            return False
        own = self._contributor.track.at(now).distance(region)
        others = [other.at(now).distance(region) for other in self._others if other.separate >= SEPARATE]
        return own > CLOSE / 4 and any(distance < own for distance in others)

    def _is_crossed(self, now: float) -> bool:
        contributor = self._contributor
        return contributor is not None and any(
            other.at(now).distance(contributor.track.at(now)) < CLOSE
            for other in self._others
            if other.separate >= SEPARATE
        )

    def _is_sure(self, now: float) -> bool:
        contributor = self._contributor
        if (
            contributor is None
            or now < contributor.doubtful_until
            or contributor.track.prominence < contributor.established
            or self._is_crossed(now)
        ):
            return False
        in_probation = now - contributor.track.since_ms < PROBATION_MS
        return not (
            in_probation and any(other.prominence * CLEARLY > contributor.track.prominence for other in self._others)
        )

    def _detection_due(self, now: float, following: bool) -> bool:
        elapsed = now - self._detected_ms
        contributor = self._contributor
        if contributor is None or not following:
            return now - self._somebody_ms < IDLE_MS or elapsed >= IDLE_STEP_MS
        nearest = min((other.at(now).distance(contributor.track.region) for other in self._others), default=np.inf)
        if nearest < NEAR:
            return elapsed >= LOOK_CLOSELY_MS
        in_company = bool(self._others) or now - contributor.track.since_ms < PROBATION_MS
        return elapsed >= (LOOK_MS if in_company else LOOK_RARELY_MS)

    def _look_around(self, image: NDArray[np.uint8], now: float, sighting: BodySighting | None) -> BodySighting | None:
        """Look at everybody in the picture; the contributor among them, unless they are known already."""
        seconds = min(now - self._detected_ms, LOOK_RARELY_MS) / 1000
        self._detected_ms = now
        regions = [person.region for person in self._detector.find(image, self._confidence)]
        size = (image.shape[1], image.shape[0])
        contributor = self._contributor
        if sighting is not None and contributor is not None:
            contributor.track = replace(
                contributor.track,
                prominence=contributor.track.prominence + seconds * prominence(contributor.track.region, size),
            )
            regions = [region for region in regions if region.distance(contributor.track.region) > SAME_PLACE]
        seen = self._update_others(regions, now, seconds, size, with_contributor=sighting is not None)
        if sighting is not None and contributor is not None:
            rival = max(self._others, key=lambda other: other.prominence, default=None)
            if now - contributor.track.since_ms > PROBATION_MS or rival is None or rival not in seen:
                return sighting
            if rival.prominence <= CLEARLY * contributor.track.prominence:
                return sighting
            return self._begin(image, rival, now, 0.0) or sighting
        return (
            self._return_of(contributor, image, seen, now) if contributor is not None else self._first(image, seen, now)
        )

    def _update_others(
        self, regions: list[Region], now: float, seconds: float, size: tuple[int, int], with_contributor: bool
    ) -> list[Track]:
        """Bring the tracks of the others up to date; those that were seen now."""
        seen = []
        waiting = [
            other for other in self._others if now - other.seen_ms <= min(FORGET_MS, max(other.watched_ms, GLIMPSE_MS))
        ]
        for region in regions:
            own = self._contributor.track.at(now).distance(region) if self._contributor is not None else np.inf
            near = [
                other for other in waiting if other.near_vaguely(region, now) and other.at(now).distance(region) < own
            ]
            if near:
                before = min(near, key=lambda other: other.at(now).distance(region))
                waiting.remove(before)
                track = before.seen(region, now, clear=own > CLOSE)
            else:
                track = Track(
                    region, now, since_ms=now, separate=SEPARATE if self._came_from_elsewhere(region, now) else 0
                )
            track = replace(
                track,
                prominence=track.prominence + seconds * prominence(region, size),
                separate=track.separate + with_contributor,
            )
            seen.append(track)
        self._others = seen + waiting
        return seen

    def _came_from_elsewhere(self, region: Region, now: float) -> bool:
        """Whether somebody new cannot be the contributor, who was lost a moment ago and too far away."""
        contributor = self._contributor
        return (
            contributor is not None
            and now - contributor.track.seen_ms < COAST_MS
            and not contributor.track.near(region, now)
        )

    def _first(self, image: NDArray[np.uint8], seen: list[Track], now: float) -> BodySighting | None:
        for other in sorted(seen, key=lambda other: -other.prominence)[:2]:
            found = self._begin(image, other, now, 0.0)
            if found is not None:
                return found
        return None

    def _return_of(
        self, contributor: _Contributor, image: NDArray[np.uint8], seen: list[Track], now: float
    ) -> BodySighting | None:
        """The contributor, come back; or, after a long absence, somebody who is clearly the one instead."""
        strangers = [other for other in seen if other.separate < SEPARATE]
        bystanders = [other for other in self._others if other.separate >= SEPARATE and now - other.seen_ms <= COAST_MS]
        all_in_view = bool(bystanders) and all(other in seen for other in bystanders)
        contributor.hidden |= self._is_crossed(now)
        strangers.sort(key=lambda other: other.region.distance(contributor.track.at(now)))
        for other in strangers[:2]:
            sighting = self._settled(image, other.region)
            if sighting is None or sighting.region is None or self._is_other(sighting.region, now):
                continue
            clothes = appearance_of(sighting)
            same = alike(contributor.clothes, clothes) >= SAME
            absent = now - contributor.track.seen_ms
            in_reach = contributor.track.reaches(sighting.region, now)
            # nobody else is known who could be in their place: none came by, or those who did are seen elsewhere
            is_alone = (absent <= COAST_MS and not contributor.hidden) or (absent <= RETURN_MS and all_in_view)
            if (in_reach and (same or is_alone)) or (same and absent >= RETURN_MS):
                self._others.remove(other)
                contributor.track = replace(contributor.track, region=sighting.region, seen_ms=now, speed=other.speed)
                contributor.of_late, contributor.hidden = clothes, False
                contributor.doubtful_until = now if same and in_reach else now + DOUBT_MS
                return sighting
            if self._came_from_elsewhere(sighting.region, now):
                self._others[self._others.index(other)] = replace(other, region=sighting.region, separate=SEPARATE)
                contributor.hidden |= self._is_crossed(now)
        if now - contributor.track.seen_ms < PATIENCE_MS:
            return None
        for other in sorted(seen, key=lambda other: -other.prominence)[:1]:
            if now - other.since_ms >= PERSISTENT_MS and other.region.side >= contributor.track.region.side / 2:
                return self._begin(image, other, now, contributor.track.prominence)
        return None

    def _begin(self, image: NDArray[np.uint8], other: Track, now: float, established: float) -> BodySighting | None:
        """Follow somebody else from now on, if the landmark network sees a person there."""
        sighting = self._settled(image, other.region)
        if sighting is None or sighting.region is None:
            return None
        self._others.remove(other)
        clothes = appearance_of(sighting)
        is_known = self._abandoned is None or alike(self._abandoned, clothes) >= SAME
        if self._contributor is not None:
            self._others.append(self._contributor.track)
        if self._contributor is not None or not is_known:
            self._number += 1
        self._abandoned = None
        track = replace(other, region=sighting.region, seen_ms=now, since_ms=now)
        self._contributor = _Contributor(track, clothes, clothes, established)
        return sighting

    def _settled(self, image: NDArray[np.uint8], region: Region) -> BodySighting | None:
        """The person in a region of the detector's, which is vague: seen again in the region of their landmarks."""
        first = self._network.look(image, region)
        if first.region is None or first.presence < self._confidence:
            return None
        second = self._network.look(image, first.region)
        return second if second.region is not None and second.presence >= self._confidence else first


def unsure(person: NDArray[np.int32], sure: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Where a video's body may be somebody else's: the finder said so, or it is not the person of most frames.

    The finder does not see the end of the video while it looks at its beginning; this does, so that a passer-by who
    was followed before the contributor came is told from them.

    Args:
        person: int32 (frames,), `Body.person`, or `NOBODY` where there is no body.
        sure: bool (frames,), `Body.sure`.
    """
    somebody = person != NOBODY
    if not somebody.any():
        return np.zeros(len(person), np.bool_)
    persons, frames = np.unique(person[somebody], return_counts=True)
    contributor = persons[np.argmax(frames)]
    return np.asarray(somebody & ~(sure & (person == contributor)), np.bool_)
