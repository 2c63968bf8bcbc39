"""Agreement as a table, for the command and the dashboard: which measures are shown, and its rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from annotate.agreement.agreement import TaskAgreement, TrackAgreement
    from annotate.agreement.agreement_estimates import Estimate

SHOWN = {
    "f1_10": "F1@10",
    "f1_25": "F1@25",
    "f1_50": "F1@50",
    "frame_iou": "IoU",
    "edit": "edit",
    "boundary_median": "edges",
    "alpha": "alpha",
}
"""The measures that tables show, with their headings; all are in --json and in the manifest of a version."""


def agreement_rows(found: TaskAgreement) -> Iterator[tuple[str, str, int, list[Estimate | None]]]:
    """A task line by line: each track of all annotators together, then of each two of them.

    Args:
        found: how well the annotators of one task agree.

    Yields:
        The track, the annotators, the number of recordings, and the measures that `SHOWN` names, in its order.
    """
    for track in found.tracks:
        yield track.track, "all", track.recordings, _measures(track)
    for pair in found.pairs:
        for track in pair.tracks:
            yield track.track, " and ".join(pair.annotators), track.recordings, _measures(track)


def _measures(track: TrackAgreement) -> list[Estimate | None]:
    return [getattr(track.measures, name) for name in SHOWN]
