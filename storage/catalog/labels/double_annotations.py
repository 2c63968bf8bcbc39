"""What several people have labelled of the same recording, each by themselves: for telling how well they agree."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import func, select

from storage.catalog.catalog import Catalog
from storage.catalog.labels.label_records import FinishedAnnotation
from storage.catalog.tables import AnnotationTable, RecordingTable, SegmentTable, TrajectoryTable
from storage.recordings.recording import State
from storage.recordings.segment import Segment

_AT_ONCE = 500
"""Annotations whose segments are asked for at once; SQLite takes so many parameters, and more."""


def double_annotations(
    catalog: Catalog, *, task: str | None = None, recordings: Collection[str] | None = None
) -> list[FinishedAnnotation]:
    """The labellings that are done of recordings that at least two people have labelled, by recording and annotator.

    Adjudications do not count, nor do recordings that are not accepted, or doubted again.

    Args:
        catalog: an open catalog.
        task: only of this one.
        recordings: only of these.

    Returns:
        At least two of each recording.
    """
    table = AnnotationTable
    done = (table.purpose == "label", table.state == "done")
    several = select(table.recording).where(*done).group_by(table.recording).having(func.count() > 1)
    frames = (
        select(TrajectoryTable.recording, func.max(TrajectoryTable.length).label("frames"))
        .group_by(TrajectoryTable.recording)
        .subquery()
    )
    query = (
        select(table.annotation, RecordingTable.task, table.recording, table.annotator, frames.c.frames)
        .select_from(table)
        .join(RecordingTable, RecordingTable.recording == table.recording)
        .join(frames, frames.c.recording == table.recording)
        .where(*done, table.recording.in_(several), RecordingTable.state.in_((State.ACCEPTED, State.FLAGGED)))
        .order_by(table.recording, table.annotator)
    )
    if task is not None:
        query = query.where(RecordingTable.task == task)
    chosen = None if recordings is None else set(recordings)
    with catalog.reading() as session:
        rows = [row for row in session.execute(query).all() if chosen is None or row.recording in chosen]
        found: dict[str, list[Segment]] = {row.annotation: [] for row in rows}
        names = list(found)
        for first in range(0, len(names), _AT_ONCE):
            of_these = SegmentTable.annotation.in_(names[first : first + _AT_ONCE])
            segments = select(SegmentTable).where(of_these).order_by(SegmentTable.start_ns, SegmentTable.segment)
            for segment in session.scalars(segments):
                content = {name: getattr(segment, name) for name in Segment.__dataclass_fields__}
                found[str(segment.annotation)].append(Segment(**content))
    return [FinishedAnnotation(row[1], row[2], row[3], int(row[4]), found[row[0]]) for row in rows]
