"""What an annotator has labelled: their own annotations with the recordings that these are of."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select

from storage.catalog.catalog import Catalog
from storage.catalog.labels.annotation_rows import annotation_record
from storage.catalog.labels.label_records import AnnotationRecord, Purpose
from storage.catalog.tables import AnnotationTable, RecordingTable
from storage.recordings.recording import State


@dataclass(frozen=True)
class LabelledRecording:
    """An annotation, with what its recording is."""

    annotation: AnnotationRecord
    task: str
    duration_ns: int


def annotations_by(
    catalog: Catalog, annotator: str, *, purpose: Purpose | None = None, limit: int = 50
) -> list[LabelledRecording]:
    """The annotations of somebody whose recordings are still there, those changed last in front.

    Args:
        catalog: an open catalog.
        annotator: name of their account.
        purpose: only labellings, or adjudications.
        limit: at most so many.

    Returns:
        Each with the task and the length of its recording.
    """
    query = (
        select(AnnotationTable, RecordingTable.task, RecordingTable.duration_ns)
        .select_from(AnnotationTable)
        .join(RecordingTable, RecordingTable.recording == AnnotationTable.recording)
        .where(AnnotationTable.annotator == annotator)
        .where(RecordingTable.state.not_in((State.WITHDRAWN, State.ERASED)))
        .order_by(AnnotationTable.changed_at.desc(), AnnotationTable.annotation)
        .limit(limit)
    )
    if purpose is not None:
        query = query.where(AnnotationTable.purpose == purpose)
    with catalog.reading() as session:
        rows = session.execute(query).all()
        return [LabelledRecording(annotation_record(row), task, duration) for row, task, duration in rows]
