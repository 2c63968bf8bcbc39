"""Annotations: who labels which recording, from when they begin until they are done or skip it."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import cast

from sqlalchemy import Table, bindparam, select
from sqlalchemy.orm import Session

from kinesphere.errors import Conflict, InvalidInput, NotFound
from storage.catalog.catalog import Catalog
from storage.catalog.labels.annotation_leases import LEASE, annotations_needed, busy, keep_lease
from storage.catalog.labels.annotation_rows import (
    annotation_record,
    annotations_of,
    disputed_pair,
    finished,
    locked_annotation,
    taken_back,
)
from storage.catalog.labels.label_log import Editing, segments_of
from storage.catalog.labels.label_records import (
    AnnotationRecord,
    Annotator,
    Change,
    Operation,
    Purpose,
    VersionedSegment,
)
from storage.catalog.state_machine import locked
from storage.catalog.tables import AnnotationTable, RecordingTable, TrajectoryTable
from storage.recordings.recording import State
from storage.recordings.segment import Segment

_ANNOTATIONS, _RECORDINGS = cast("Table", AnnotationTable.__table__), cast("Table", RecordingTable.__table__)
_ONE = (
    select(_RECORDINGS.c.state, *(_ANNOTATIONS.c[column.name] for column in fields(AnnotationRecord)))
    .join(_ANNOTATIONS, _ANNOTATIONS.c.recording == _RECORDINGS.c.recording)
    .where(_ANNOTATIONS.c.annotation == bindparam("annotation"))
)

SegmentAgreement = Callable[[Sequence[VersionedSegment], Sequence[VersionedSegment]], Sequence[Segment]]
"""Says on which segments two annotations of a recording agree."""


@dataclass(frozen=True)
class Annotations:
    """The annotations of a catalog. Every method is one transaction."""

    catalog: Catalog
    agreed: SegmentAgreement
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)

    def get(self, annotation: str) -> AnnotationRecord:
        """An annotation.

        Args:
            annotation: its id.

        Returns:
            Its entry.

        Raises:
            NotFound: there is none of this id.
            Withdrawn: its recording was taken back.
        """
        with self.catalog.reading() as session:
            found = session.connection().execute(_ONE, {"annotation": annotation}).one_or_none()
            if found is None:
                raise NotFound("annotation", annotation)
            record = AnnotationRecord(*found[1:])
            if found[0] in (State.WITHDRAWN, State.ERASED):
                raise taken_back(record.recording)
            return record

    def of_recording(self, recording: str) -> list[AnnotationRecord]:
        """All annotations of a recording.

        Args:
            recording: its id.

        Returns:
            Oldest first.
        """
        with self.catalog.reading() as session:
            return [annotation_record(row) for row in annotations_of(session, recording)]

    def sides(self, recording: str) -> tuple[AnnotationRecord, AnnotationRecord]:
        """The two annotations that an adjudication decides between.

        Args:
            recording: id of the one that both are of.

        Returns:
            The one that was done first in front.

        Raises:
            Conflict: no two differ.
        """
        with self.catalog.reading() as session:
            first, second = disputed_pair(annotations_of(session, recording), recording)
            return annotation_record(first), annotation_record(second)

    def begin(self, recording: str, annotator: Annotator, purpose: Purpose = "label") -> tuple[AnnotationRecord, bool]:
        """Let somebody label a recording that they name, or go on with it.

        Args:
            recording: its id.
            annotator: who labels.
            purpose: to label it, or to decide between two annotations that differ.

        Returns:
            The annotation, and whether it is a new one.

        Raises:
            NotFound: there is no such recording.
            Withdrawn: it was taken back.
            Conflict: it is not accepted, not extracted, their own, with somebody else now, or nothing is to adjudicate.
        """
        with self.catalog.writing() as session:
            row = locked(session, recording)
            _check_recording(session, row, annotator)
            rows = annotations_of(session, recording)
            own = _own(rows, annotator.name, purpose)
            now = self.clock()
            if own is not None and own.state != "skipped":
                keep_lease(session, own, now, LEASE)
                return annotation_record(own), False
            others = [other for other in busy(rows, annotator.name, purpose, now) if other.state == "open"]
            if len(others) >= annotations_needed(session, row, purpose):
                until = max(cast("datetime", other.leased_until) for other in others)
                raise Conflict(f"recording {recording} is with another annotator until {until:%H:%M} UTC; take another")
            if own is not None:
                own.state, own.reason, own.leased_until = "open", "", now + LEASE
                return annotation_record(own), False
            if purpose == "adjudicate":
                _check_adjudicator(rows, recording, annotator)
            return annotation_record(self.new(session, row, rows, annotator.name, purpose)), True

    def renew(self, annotation: str, *, duration: timedelta = LEASE) -> AnnotationRecord:
        """Keep the recording of an open annotation for its annotator, unless others have it.

        Args:
            annotation: its id.
            duration: of the lease, from now.

        Returns:
            The annotation, from which one sees until when.

        Raises:
            NotFound: there is no such annotation.
            Withdrawn: its recording was taken back.
            Conflict: its recording is not accepted any more.
        """
        with self.catalog.writing() as session:
            row = locked_annotation(session, annotation)
            keep_lease(session, row, self.clock(), duration)
            return annotation_record(row)

    def done(self, annotation: str, *, revision: int | None = None) -> AnnotationRecord:
        """Enter that an annotation is complete: what `publish` uses may change by it.

        Args:
            annotation: its id.
            revision: which its annotator has seen; None does not ask.

        Returns:
            The annotation, disputed if it differs from one that was done before.

        Raises:
            NotFound: there is no such annotation.
            Withdrawn: its recording was taken back.
            Conflict: it was skipped, has another revision, or its recording is not accepted any more.
        """
        with self.catalog.writing() as session:
            row = locked_annotation(session, annotation, exclusive=True)
            if row.state == "done":
                return annotation_record(row)
            if row.state != "open":
                raise Conflict(f"annotation {annotation} was skipped; reopen it first")
            if revision not in (None, row.revision):
                raise Conflict(
                    f"annotation {annotation} has revision {row.revision} by now, not {revision}; look again"
                )
            now = self.clock()
            row.state, row.done_at, row.changed_at, row.leased_until = "done", now, now, None
            row.disputed = row.purpose == "label" and row.opinions > 1 and self._differs(session, row)
            return annotation_record(row)

    def reopen(self, annotation: str) -> AnnotationRecord:
        """Go on with an annotation that was done or skipped; until it is done again it does not count.

        Args:
            annotation: its id.

        Returns:
            The annotation.

        Raises:
            NotFound: there is no such annotation.
            Withdrawn: its recording was taken back.
            Conflict: others decide by it already, or its recording is not accepted any more.
        """
        with self.catalog.writing() as session:
            row = locked_annotation(session, annotation, exclusive=True)
            if row.state == "open":
                return annotation_record(row)
            rows = annotations_of(session, row.recording)
            if row.purpose == "label" and any(other.purpose == "adjudicate" for other in rows):
                raise Conflict(f"annotation {annotation} is adjudicated; ask who adjudicates, or your operator")
            for other in rows:
                other.disputed = False
            row.state, row.done_at, row.reason, row.changed_at = "open", None, "", self.clock()
            keep_lease(session, row, self.clock(), LEASE)
            return annotation_record(row)

    def skip(self, annotation: str, *, reason: str) -> AnnotationRecord:
        """Pass a recording over, so that it goes to others.

        Args:
            annotation: its id.
            reason: in a line of 1 to 500 characters.

        Returns:
            The annotation.

        Raises:
            InvalidInput: the reason is no such line.
            NotFound: there is no such annotation.
            Withdrawn: its recording was taken back.
            Conflict: it is done, or its recording is not accepted any more.
        """
        if not reason.strip() or len(reason) > 500 or not reason.isprintable():
            raise InvalidInput("say why in a line of 1 to 500 characters")
        with self.catalog.writing() as session:
            row = locked_annotation(session, annotation)
            if row.state == "done":
                raise Conflict(f"annotation {annotation} is done; reopen it first")
            row.state, row.reason, row.leased_until, row.changed_at = "skipped", reason, None, self.clock()
            return annotation_record(row)

    def new(
        self, session: Session, row: RecordingTable, rows: Sequence[AnnotationTable], annotator: str, purpose: Purpose
    ) -> AnnotationTable:
        """Begin an annotation of a locked recording; an adjudication begins with what those before it agree on.

        Args:
            session: a transaction that writes.
            row: of the recording.
            rows: all annotations of the recording.
            annotator: name of who labels.
            purpose: to label it, or to decide between two annotations that differ.

        Returns:
            The row of the annotation, with a lease.

        Raises:
            Conflict: it is to be an adjudication, and no two annotations differ.
        """
        now = self.clock()
        added = AnnotationTable(
            annotation=secrets.token_hex(8),
            recording=row.recording,
            annotator=annotator,
            purpose=purpose,
            state="open",
            revision=0,
            segments=0,
            opinions=annotations_needed(session, row, purpose),
            disputed=False,
            created_at=now,
            changed_at=now,
            done_at=None,
            leased_until=now + LEASE,
            reason="",
        )
        session.add(added)
        session.flush()
        if purpose == "adjudicate":
            first, second = (segments_of(session, other.annotation) for other in disputed_pair(rows, row.recording))
            changes = [Change(secrets.token_hex(8), None, content) for content in self.agreed(first, second)]
            begin = Operation(secrets.token_hex(16), changes)
            editing = Editing.of(session, added, [begin], who=annotator, at=now)
            editing.do(begin, kind="begin")
            editing.write()
        return added

    def _differs(self, session: Session, row: AnnotationTable) -> bool:
        """Whether an annotation differs from the first that was done before."""
        before = [other for other in finished(annotations_of(session, row.recording)) if other is not row]
        if not before:
            return False
        first, second = (segments_of(session, side.annotation) for side in (before[0], row))
        return not len(first) == len(second) == len(self.agreed(first, second))


def _own(rows: Sequence[AnnotationTable], annotator: str, purpose: Purpose) -> AnnotationTable | None:
    return next((row for row in rows if row.annotator == annotator and row.purpose == purpose), None)


def _check_recording(session: Session, row: RecordingTable, annotator: Annotator) -> None:
    if row.state in (State.WITHDRAWN, State.ERASED):
        raise taken_back(row.recording)
    if row.state is not State.ACCEPTED:
        raise Conflict(f"recording {row.recording} is {row.state}; only accepted recordings are labelled")
    if annotator.recorded(row.contributor):
        raise Conflict(f"recording {row.recording} is by {annotator.name}; nobody labels their own recording")
    found = select(TrajectoryTable.recording).where(TrajectoryTable.recording == row.recording)
    if session.scalars(found).first() is None:
        raise Conflict(f"recording {row.recording} is not extracted yet; run: kinesphere process {row.recording}")


def _check_adjudicator(rows: Sequence[AnnotationTable], recording: str, annotator: Annotator) -> None:
    disputed_pair(rows, recording)
    if not annotator.is_operator and annotator.name in {row.annotator for row in rows}:
        raise Conflict(f"{annotator.name} has labelled recording {recording}; somebody else adjudicates it")
