"""The rows of annotations: read, locked, and those between which an adjudication decides."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import cast

from sqlalchemy import Table, bindparam, select
from sqlalchemy.orm import Session

from kinesphere.errors import Conflict, NotFound, Withdrawn
from storage.catalog.labels.label_records import AnnotationRecord
from storage.catalog.tables import AnnotationTable, RecordingTable
from storage.catalog.transactions import record_of
from storage.recordings.recording import State

# Made once, as an annotator's key waits for them.
_ANNOTATIONS, _RECORDINGS = cast("Table", AnnotationTable.__table__), cast("Table", RecordingTable.__table__)
_RECORDING_OF = select(_RECORDINGS.c.recording, _RECORDINGS.c.state).where(
    _RECORDINGS.c.recording
    == select(_ANNOTATIONS.c.recording).where(_ANNOTATIONS.c.annotation == bindparam("annotation")).scalar_subquery()
)
_LOCK, _LOCK_EXCLUSIVE = _RECORDING_OF.with_for_update(read=True), _RECORDING_OF.with_for_update()


def annotation_record(row: AnnotationTable) -> AnnotationRecord:
    """What an annotation's row says."""
    return record_of(AnnotationRecord, row)


def annotations_of(session: Session, recording: str) -> Sequence[AnnotationTable]:
    """All annotations of a recording, oldest first."""
    query = select(AnnotationTable).where(AnnotationTable.recording == recording)
    return session.scalars(query.order_by(AnnotationTable.created_at, AnnotationTable.annotation)).all()


def locked_annotation(session: Session, annotation: str, *, exclusive: bool = False) -> AnnotationTable:
    """The row of an annotation that may be changed, which nobody else changes until the transaction ends.

    The recording is locked before it, so that it is not withdrawn meanwhile.

    Args:
        exclusive: whether other annotations of the recording must not change either.

    Raises:
        NotFound: there is no such annotation.
        Withdrawn: its recording was taken back.
        Conflict: its recording is neither accepted nor doubted.
    """
    locking = _LOCK_EXCLUSIVE if exclusive else _LOCK
    found = session.connection().execute(locking, {"annotation": annotation}).one_or_none()
    if found is None:
        raise NotFound("annotation", annotation)
    recording, state = found
    if state in (State.WITHDRAWN, State.ERASED):
        raise taken_back(recording)
    if state not in (State.ACCEPTED, State.FLAGGED):
        raise Conflict(f"recording {recording} is {state}; it is not labelled any more")
    row = session.get(AnnotationTable, annotation, with_for_update=True)
    if row is None:
        raise NotFound("annotation", annotation)
    return row


def finished(rows: Sequence[AnnotationTable]) -> list[AnnotationTable]:
    """The labellings that are done, the one that was done first in front."""
    done = [row for row in rows if row.purpose == "label" and row.state == "done"]
    return sorted(done, key=lambda row: (cast("datetime", row.done_at), row.annotation))


def disputed_pair(rows: Sequence[AnnotationTable], recording: str) -> tuple[AnnotationTable, AnnotationTable]:
    """The two annotations that differ, the one that was done first in front.

    Raises:
        Conflict: no two differ.
    """
    done = finished(rows)
    second = next((row for row in done if row.disputed), None)
    if second is None:
        raise Conflict(f"no two annotations of recording {recording} differ; there is nothing to adjudicate")
    return done[0], second


def taken_back(recording: str) -> Withdrawn:
    """The error for a recording that was taken back."""
    return Withdrawn(f"recording {recording} was taken back by its contributor; it is not labelled any more")
