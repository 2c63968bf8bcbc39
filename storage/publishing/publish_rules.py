"""What a version must satisfy: consent to what it is for, limits on how much is by one person, splits by person."""

from __future__ import annotations

import hashlib
import heapq
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kinesphere.errors import Conflict, InvalidInput
from kinesphere.splits import Splits
from storage.publishing.hill_numbers import contributors_needed, effective_number, seconds_by, shares_of
from storage.recordings.consent import IMPLIED, Coverage, Scope, checked_scopes

VideoShown = Literal["raw", "blurred", "none"]
EpisodesFrom = Literal["segments", "recordings"]
Tracks = Literal["smooth", "raw"]


@dataclass(frozen=True)
class PublishRules:
    """What the publisher of a version asks of it."""

    needs: tuple[Scope, ...] = IMPLIED
    """A recording enters only if its contributor consented to all of these, and the consent has not expired."""
    max_share: float | None = None
    """The most of the hours that may be by one contributor, above 0 and up to 1."""
    min_effective: float | None = None
    """The least effective number of contributors (inverse Simpson), by hours."""
    trim: bool = False
    """Leave episodes of those with most hours out until `max_share` holds, rather than refuse."""
    splits: Splits | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "needs", checked_scopes(self.needs))
        if not self.needs:
            raise InvalidInput("a version needs consent to something; name at least one scope")
        if self.max_share is not None and not 0 < self.max_share <= 1:
            raise InvalidInput(f"the largest share of a contributor lies above 0 and up to 1; got {self.max_share}")
        if self.min_effective is not None and not self.min_effective >= 1:
            raise InvalidInput(f"the least effective number of contributors is at least 1; got {self.min_effective}")
        if self.trim and self.max_share is None:
            raise InvalidInput("trimming needs a largest share to trim to")

    def to_manifest(self) -> dict[str, Any]:
        """What the manifest of the version says of them.

        Returns:
            Plain JSON; limits and splits only where they are asked for.
        """
        limits = {"max_share": self.max_share, "min_effective": self.min_effective, "trim": self.trim or None}
        asked = {name: value for name, value in limits.items() if value is not None}
        found: dict[str, Any] = {"needs": list(self.needs)}
        if asked:
            found["limits"] = asked
        if self.splits is not None:
            found["splits"] = self.splits.to_json()
        return found

    def applied(self, dataset: str, episodes: pa.Table) -> pa.Table:
        """The episodes that the limits leave: all of them, unless `trim`.

        Args:
            dataset: its name, for the messages.
            episodes: the table of those that may enter.

        Returns:
            Rows of `episodes`.

        Raises:
            Conflict: a limit does not hold; the text has the numbers and what would help.
        """
        remaining = episodes
        if self.max_share is not None:
            remaining = trimmed(dataset, episodes, self.max_share) if self.trim else episodes
            _check_share(dataset, seconds_by(remaining, "contributor"), self.max_share)
        if self.min_effective is not None:
            _check_effective(dataset, seconds_by(remaining, "contributor"), self.min_effective)
        return remaining


@dataclass(frozen=True)
class PublishSettings:
    """What the next version of a dataset is to be."""

    where: str | None = None
    """An expression over the episode columns, e.g. `label = 'pour' and body_share > 0.9`."""
    episodes: EpisodesFrom = "segments"
    """With "segments", a labelled recording gives one episode a segment and an unlabelled one enters whole; with
    "recordings", every recording enters whole, without labels."""
    tracks: Tracks | None = None
    """Only trajectories that were smoothed, or that were not; else the newest of each recording."""
    video: VideoShown | None = None
    """Which video readers of the version may be shown; it needs consent to that. By default raw if `rules.needs` names
    `share_video`, else none."""
    rules: PublishRules = PublishRules()

    def with_video_settled(self) -> PublishSettings:
        """The same with the video named, and consent to it among what is needed.

        Returns:
            Settings whose `video` is not None.
        """
        if "share_video" in self.rules.needs:
            return replace(self, video=self.video or "raw")
        if self.video in (None, "none"):
            return replace(self, video="none")
        return replace(self, rules=replace(self.rules, needs=(*self.rules.needs, "share_video")))


@dataclass
class ConsentFilter:
    """Says of recordings whether they are consented to as needed at this moment, and counts those that are not."""

    needs: tuple[Scope, ...]
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    left_out: Counter[str] = field(default_factory=Counter)
    """Recordings that may not enter, by the reason."""

    def refused(self, consents: Mapping[str, Coverage], recordings: Iterable[str]) -> list[str]:
        """Those of some recordings that may not enter.

        Args:
            consents: by recording, what its contributor's consent covers.
            recordings: ids of recordings.

        Returns:
            Their ids, in the order given.
        """
        found = []
        for recording in recordings:
            why = consents[recording].lack(self.needs, self.now)
            if why is not None:
                self.left_out[why] += 1
                found.append(recording)
        return found

    @property
    def summary(self) -> str:
        """How many recordings were left out and why, in words."""
        return ", ".join(f"{count} ({why})" for why, count in sorted(self.left_out.items()))


def trimmed(dataset: str, episodes: pa.Table, max_share: float) -> pa.Table:
    """Leave out episodes, each time one of whoever has most, until nobody has more than `max_share` of the hours.

    Of a person the episodes with the highest hash of their ids go first: the same table gives the same result, and
    no time of day or task is preferred.

    Raises:
        Conflict: it cannot be reached without leaving somebody out wholly.
    """
    names = episodes["contributor"].to_pylist()
    seconds = (pc.subtract(episodes["end_ns"], episodes["start_ns"]).to_numpy() / 1e9).tolist()
    order = [hashlib.sha256(episode.encode()).digest() for episode in episodes["episode"].to_pylist()]
    queues: dict[str, list[int]] = {}
    for row in sorted(range(len(names)), key=order.__getitem__):
        queues.setdefault(names[row], []).append(row)
    totals: dict[str, float] = seconds_by(episodes, "contributor")
    total = sum(totals.values())
    keep = np.ones(len(names), np.bool_)
    largest = [(-amount, name) for name, amount in totals.items()]
    heapq.heapify(largest)
    while largest and -largest[0][0] > max_share * total * (1 + 1e-9):
        amount, name = -largest[0][0], largest[0][1]
        if len(queues[name]) == 1:
            raise Conflict(
                f"{dataset}: leaving episodes out cannot bring every contributor to at most {max_share:.1%} of the "
                f"hours: {len(totals)} contributors are too few or too uneven; record more people"
            )
        row = queues[name].pop()
        keep[row] = False
        total -= seconds[row]
        heapq.heapreplace(largest, (-(amount - seconds[row]), name))
    return episodes.filter(pa.array(keep))


def _check_share(dataset: str, seconds: Mapping[str, float], max_share: float) -> None:
    amounts = list(seconds.values())
    largest = float(shares_of(amounts)[0]) if any(amounts) else 0.0
    if largest <= max_share * (1 + 1e-9):
        return
    name = max(seconds, key=lambda person: (seconds[person], person))
    more = seconds[name] / max_share - sum(amounts)
    raise Conflict(
        f"{dataset} was not published: {largest:.1%} of its hours are by contributor '{name}', and {max_share:.1%} is "
        f"the limit; {more / 3600:.3g} more hours by others would help, or --trim to leave out some of theirs"
    )


def _check_effective(dataset: str, seconds: Mapping[str, float], least: float) -> None:
    amounts = list(seconds.values())
    found = effective_number(amounts, 2)
    if found >= least * (1 - 1e-9):
        return
    more = contributors_needed(amounts, least)
    mean = sum(amounts) / len(amounts) / 3600
    raise Conflict(
        f"{dataset} was not published: its {len(amounts)} contributors are as diverse as {found:.2f} equal ones "
        f"(inverse Simpson), and {least:g} is the least; {more} more with {mean:.3g} hours each would help"
    )
