"""Segments: labelled time intervals of a recording. The studio and the demo both label through `add_segment`."""

from __future__ import annotations

import difflib
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np

from storage.catalog import SegmentRecord
from storage.errors import Conflict, InvalidInput
from storage.shards import Shard
from storage.workspace import Workspace

TRACKS = ("task phase", "whole body", "left hand", "right hand")


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
) -> SegmentRecord:
    """Label the interval `[start_ns, end_ns)` of an extracted recording; edges move to the nearest frames.

    Args:
        start_ns, end_ns: int64 nanoseconds since the recording began.
        label, object, outcome: from the task's taxonomy; a task without such a list takes any text.

    Raises:
        InvalidInput: the interval lies outside the recording or holds no frame, or a label is not in the taxonomy.
        Conflict: the recording has no trajectory yet.
        NotFound: there is no such recording.
    """
    row = workspace.catalog.recording(recording)
    trajectory = workspace.catalog.trajectory(recording)
    if trajectory is None:
        raise Conflict(f"recording {recording} is not extracted yet; run: kinesphere process {recording}")
    labels = workspace.catalog.task(row.task, row.task_version).task.labels
    _check_choice("track", track, TRACKS)
    _check_choice("label", label, labels.verbs)
    _check_choice("object", object, labels.objects)
    _check_choice("outcome", outcome, labels.outcomes)

    shard = Shard(workspace.objects, trajectory.shard)
    first = trajectory.first_frame
    times = shard.read("timestamp", first, first + trajectory.length)
    # The end of the last frame: as long as the one before it.
    end_of_recording = int(times[-1] + (times[-1] - times[-2] if len(times) > 1 else 1))
    if not 0 <= start_ns < end_ns <= end_of_recording:
        raise InvalidInput(
            f"segment {start_ns / 1e9:.3f} s to {end_ns / 1e9:.3f} s does not lie in recording {recording}, "
            f"which goes from 0 s to {end_of_recording / 1e9:.3f} s"
        )
    edges = np.append(times, end_of_recording)
    start_frame, end_frame = (int(np.abs(edges - moment).argmin()) for moment in (start_ns, end_ns))
    if start_frame == end_frame:
        raise InvalidInput(f"segment {start_ns / 1e9:.3f} s to {end_ns / 1e9:.3f} s holds no frame of {recording}")
    segment = SegmentRecord(
        segment=secrets.token_hex(8),
        recording=recording,
        track=track,
        start_frame=start_frame,
        end_frame=end_frame,
        start_ns=int(edges[start_frame]),
        end_ns=int(edges[end_frame]),
        label=label,
        object=object,
        outcome=outcome,
        author=author,
        created_at=datetime.now(UTC),
    )
    workspace.catalog.add_segment(segment)
    return segment


def _check_choice(kind: str, value: str | None, choices: Sequence[str]) -> None:
    if value is None or value in choices:
        return
    if not choices and 0 < len(value) <= 100 and value.isprintable():
        return
    close = difflib.get_close_matches(value, choices, n=1)
    advice = f"did you mean '{close[0]}'?" if close else f"choose from: {', '.join(choices)}" if choices else ""
    raise InvalidInput(f"'{value[:100]}' is no {kind} of this task; {advice or 'give 1 to 100 printable characters'}")
