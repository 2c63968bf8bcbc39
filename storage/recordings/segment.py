"""The segment: a labelled time interval of a recording, the same from the page's request to the published episode."""

from __future__ import annotations

from dataclasses import dataclass

TRACKS = ("task phase", "whole body", "left hand", "right hand")
"""What of the person a segment may be about: what they do in the task, or how all of them or one hand moves."""
HANDS = ("left", "right", "both")
"""With which hand something is done."""


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
    track: str = TRACKS[0]
    """One of `TRACKS`."""
    object: str | None = None
    """With what."""
    hand: str | None = None
    """One of `HANDS`, or not said."""
    outcome: str | None = None
    """How it ends."""
    note: str = ""
    start_frame: int = 0
    """Its first frame."""
    end_frame: int = 0
    """The frame after its last."""
