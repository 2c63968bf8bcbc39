"""Segments: labelled time intervals of a recording, and what one may say. The studio and the demo label by it."""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from annotate.labels.frame_times import frame_edges
from kinesphere.errors import InvalidInput
from storage.catalog.labels.label_records import VersionedSegment
from storage.recordings.segment import HANDS, TRACKS, Segment
from storage.tasks.task import Labels
from storage.workspace import Workspace

_LABEL_LENGTH, _NOTE_LENGTH = 100, 1000
_TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Characters that turn round the text after them, too; a right-to-left text needs none."""


def add_segment(
    workspace: Workspace,
    recording: str,
    *,
    start_ns: int,
    end_ns: int,
    label: str,
    author: str,
    track: str = "task phase",
    object: str | None = None,  # noqa: A002  the taxonomy's word
    outcome: str | None = None,
    hand: str | None = None,
    note: str = "",
) -> VersionedSegment:
    """Label the interval `[start_ns, end_ns)` of an extracted recording in code; edges move to the nearest frames.

    Args:
        workspace: that has the recording.
        recording: its id.
        start_ns, end_ns: int64 nanoseconds since the recording began.
        label, object, outcome: from the task's taxonomy; a task without such a list takes any text.
        author: who made it, a person or a program.
        track: of the task, e.g. "task phase".
        hand: "left", "right" or "both"; None where it is of no hand.
        note: free text, of 1000 characters at most.

    Returns:
        The segment with its new id, its edges on frames.

    Raises:
        InvalidInput: the interval lies outside the recording or holds no frame, or a label is not in the taxonomy.
        Conflict: the recording has no trajectory yet.
        NotFound: there is no such recording.
    """
    row = workspace.catalog.recording(recording)
    edges = frame_edges(workspace, recording)
    labels = workspace.catalog.task(row.task, row.task_version).task.labels
    drawn = Segment(start_ns, end_ns, label, track, object, hand, outcome, note)
    return workspace.catalog.add_segment(recording, checked_segment(drawn, recording, edges, labels), author=author)


def checked_segment(draft: Segment, recording: str, edges: NDArray[np.int64], labels: Labels) -> Segment:
    """The segment with its edges at the nearest frames, if its words are of the taxonomy.

    Args:
        draft: what somebody drew: its edges lie anywhere, its words may be wrong, its frames are not looked at.
        edges: of the recording's frames, int64 [frames + 1], ns; see `frame_edges`.

    Raises:
        InvalidInput: it lies outside the recording or holds no frame, or says something that it may not.
    """
    _check_choice("track", draft.track, TRACKS)
    _check_choice("label", draft.label, labels.verbs)
    _check_choice("object", draft.object, labels.objects)
    _check_choice("outcome", draft.outcome, labels.outcomes)
    _check_choice("hand", draft.hand, HANDS)
    if draft.note and not is_text(draft.note.replace("\n", " "), _NOTE_LENGTH):
        raise InvalidInput(f"a note has at most {_NOTE_LENGTH} characters, and none that only control")
    start_ns, end_ns, end = draft.start_ns, draft.end_ns, int(edges[-1])
    if not 0 <= start_ns < end_ns <= end:
        raise InvalidInput(
            f"segment {start_ns / 1e9:.3f} s to {end_ns / 1e9:.3f} s does not lie in recording {recording}, "
            f"which goes from 0 s to {end / 1e9:.3f} s"
        )
    start_frame, end_frame = _nearest(edges, start_ns), _nearest(edges, end_ns)
    if start_frame == end_frame:
        raise InvalidInput(f"segment {start_ns / 1e9:.3f} s to {end_ns / 1e9:.3f} s holds no frame of {recording}")
    return replace(
        draft,
        start_ns=int(edges[start_frame]),
        end_ns=int(edges[end_frame]),
        start_frame=start_frame,
        end_frame=end_frame,
    )


def is_text(text: str, length: int = _LABEL_LENGTH) -> bool:
    """Whether a line can be shown: any script and emoji, but nothing that only controls, or turns other text round."""
    return len(text) <= length and bool(text.strip()) and _is_shown(text)


@lru_cache(maxsize=4096)
def _is_shown(text: str) -> bool:
    return not any(
        character in _TURNING or unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in text
    )


def _nearest(edges: NDArray[np.int64], moment: int) -> int:
    """The edge that is nearest to a moment; of two as near, the earlier."""
    after = int(np.searchsorted(edges, moment))
    if after == 0:
        return 0
    if after == len(edges):
        return after - 1
    return after if edges[after] - moment < moment - edges[after - 1] else after - 1


def _check_choice(kind: str, value: str | None, choices: Sequence[str]) -> None:
    if value is None or value in choices:
        return
    if not choices and is_text(value):
        return
    close = difflib.get_close_matches(value[:_LABEL_LENGTH], choices, n=1)
    advice = f"did you mean '{close[0]}'?" if close else f"choose from: {', '.join(choices)}" if choices else ""
    raise InvalidInput(f"'{value[:100]}' is no {kind} of this task; {advice or 'give 1 to 100 printable characters'}")
