"""The segment: a labelled time interval of a recording, the same from the page's request to the published episode."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Segment:
    """A labelled interval: times `[start_ns, end_ns)`, int64 ns since the recording began, and what is done in it.

    Somebody who draws one says only when; `annotate.labels.segments.checked_segment` puts its edges at frames. Until
    then it holds none of them.
    """

    start_ns: int
    end_ns: int
    label: str
    """What is done."""
    track: str = "task phase"
    """What of the person it is about, such as "left hand"."""
    object: str | None = None
    """With what."""
    hand: str | None = None
    """With which hand: "left", "right", "both", or not said."""
    outcome: str | None = None
    """How it ends."""
    note: str = ""
    start_frame: int = 0
    """Its first frame."""
    end_frame: int = 0
    """The frame after its last."""
