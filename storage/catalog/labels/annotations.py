"""Annotations: who labels which recording, from when they begin until they are done or skip it."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from sqlalchemy import Table, bindparam, delete, select
from sqlalchemy.orm import Session

from kinesphere.errors import Conflict, InvalidInput, NotFound, Withdrawn
from storage.catalog.catalog import Catalog
from storage.catalog.labels.label_log import Editing, segments_of
from storage.catalog.labels.label_records import (
    AnnotationRecord,
    Annotator,
    Change,
    Operation,
    Purpose,
    VersionedSegment,
)
from storage.catalog.reviews.review_requests import lies_within
from storage.catalog.state_machine import locked
from storage.catalog.tables import AnnotationTable, LabelPriorityTable, RecordingTable, TaskTable, TrajectoryTable
from storage.recordings.recording import State
from storage.recordings.segment import Segment
from storage.tasks.task import LabellingRules

LEASE = timedelta(minutes=30)
"""How long a recording is kept for an annotator who is not heard of."""

# Made once, as an annotator's key waits for them.
_ANNOTATIONS, _RECORDINGS = cast("Table", AnnotationTable.__table__), cast("Table", RecordingTable.__table__)
_ONE = (
    select(_RECORDINGS.c.state, *(_ANNOTATIONS.c[column.name] for column in fields(AnnotationRecord)))
    .join(_ANNOTATIONS, _ANNOTATIONS.c.recording == _RECORDINGS.c.recording)
    .where(_ANNOTATIONS.c.annotation == bindparam("annotation"))
)
_RECORDING_OF = select(_RECORDINGS.c.recording, _RECORDINGS.c.state).where(
    _RECORDINGS.c.recording
    == select(_ANNOTATIONS.c.recording).where(_ANNOTATIONS.c.annotation == bindparam("annotation")).scalar_subquery()
)
_LOCK, _LOCK_EXCLUSIVE = _RECORDING_OF.with_for_update(read=True), _RECORDING_OF.with_for_update()

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
                raise _taken_back(record.recording)
            return record

    def of_recording(self, recording: str) -> list[AnnotationRecord]:
        """All annotations of a recording, oldest first."""
        with self.catalog.reading() as session:
            return [annotation_record(row) for row in annotations_of(session, recording)]

    def sides(self, recording: str) -> tuple[AnnotationRecord, AnnotationRecord]:
        """The two annotations that an adjudication decides between, the one that was done first in front.

        Raises:
            Conflict: no two differ.
        """
        with self.catalog.reading() as session:
            first, second = _sides(annotations_of(session, recording), recording)
            return annotation_record(first), annotation_record(second)

    def begin(self, recording: str, annotator: Annotator, purpose: Purpose = "label") -> tuple[AnnotationRecord, bool]:
        """Let somebody label a recording that they name, or go on with it; says whether it is a new annotation.

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
            others = [other for other in _busy(rows, annotator.name, purpose, now) if other.state == "open"]
            if len(others) >= _annotations_needed(session, row, purpose):
                until = max(cast("datetime", other.leased_until) for other in others)
                raise Conflict(f"recording {recording} is with another annotator until {until:%H:%M} UTC; take another")
            if own is not None:
                own.state, own.reason, own.leased_until = "open", "", now + LEASE
                return annotation_record(own), False
            if purpose == "adjudicate":
                _check_adjudicator(rows, recording, annotator)
            return annotation_record(self.new(session, row, rows, annotator.name, purpose)), True

    def renew(self, annotation: str, *, duration: timedelta = LEASE) -> AnnotationRecord:
        """Keep the recording of an open annotation for its annotator, unless others have it; errors as in `done`."""
        with self.catalog.writing() as session:
            row = locked_annotation(session, annotation)
            keep_lease(session, row, self.clock(), duration)
            return annotation_record(row)

    def done(self, annotation: str, *, revision: int | None = None) -> AnnotationRecord:
        """Enter that an annotation is complete: what `publish` uses may change by it.

        Args:
            revision: which its annotator has seen; None does not ask.

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

        Raises:
            NotFound, Withdrawn: as in `done`.
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
        """Pass a recording over, so that it goes to others; errors as in `done`."""
        if not reason.strip() or len(reason) > 500 or not reason.isprintable():
            raise InvalidInput("say why in a line of 1 to 500 characters")
        with self.catalog.writing() as session:
            row = locked_annotation(session, annotation)
            if row.state == "done":
                raise Conflict(f"annotation {annotation} is done; reopen it first")
            row.state, row.reason, row.leased_until, row.changed_at = "skipped", reason, None, self.clock()
            return annotation_record(row)

    def set_priority(self, priority: int, *, task: str | None = None, recording: str | None = None) -> None:
        """Say that a task's recordings, or one recording, are to be labelled before those of a lower priority.

        A recording's own priority holds instead of its task's; 0 forgets it.
        """
        table = LabelPriorityTable
        with self.catalog.writing() as session:
            if recording is not None:
                locked(session, recording)
                session.execute(delete(table).where(table.recording == recording))
            else:
                session.execute(delete(table).where(table.task == task))
            if priority:
                session.add(LabelPriorityTable(task=task, recording=recording, priority=priority))

    def new(
        self, session: Session, row: RecordingTable, rows: Sequence[AnnotationTable], annotator: str, purpose: Purpose
    ) -> AnnotationTable:
        """Begin an annotation of a locked recording; an adjudication begins with what those before it agree on."""
        now = self.clock()
        made = AnnotationTable(
            annotation=secrets.token_hex(8),
            recording=row.recording,
            annotator=annotator,
            purpose=purpose,
            state="open",
            revision=0,
            segments=0,
            opinions=_annotations_needed(session, row, purpose),
            disputed=False,
            created_at=now,
            changed_at=now,
            done_at=None,
            leased_until=now + LEASE,
            reason="",
        )
        session.add(made)
        session.flush()
        if purpose == "adjudicate":
            first, second = (segments_of(session, other.annotation) for other in _sides(rows, row.recording))
            changes = [Change(secrets.token_hex(8), None, content) for content in self.agreed(first, second)]
            begin = Operation(secrets.token_hex(16), changes)
            editing = Editing.of(session, made, [begin], who=annotator, at=now)
            editing.do(begin, kind="begin")
            editing.write()
        return made

    def _differs(self, session: Session, row: AnnotationTable) -> bool:
        """Whether an annotation differs from the first that was done before."""
        before = [other for other in _done(annotations_of(session, row.recording)) if other is not row]
        if not before:
            return False
        first, second = (segments_of(session, side.annotation) for side in (before[0], row))
        return not len(first) == len(second) == len(self.agreed(first, second))


def annotation_record(row: AnnotationTable) -> AnnotationRecord:
    """What an annotation's row says."""
    return AnnotationRecord(**{column.name: getattr(row, column.name) for column in fields(AnnotationRecord)})


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
        raise _taken_back(recording)
    if state not in (State.ACCEPTED, State.FLAGGED):
        raise Conflict(f"recording {recording} is {state}; it is not labelled any more")
    row = session.get(AnnotationTable, annotation, with_for_update=True)
    if row is None:
        raise NotFound("annotation", annotation)
    return row


def keep_lease(session: Session, row: AnnotationTable, now: datetime, duration: timedelta) -> bool:
    """Keep the recording for whoever labels it, unless others have it by now; says whether they have it."""
    if row.state != "open":
        return False
    if row.leased_until is None or row.leased_until <= now:
        purpose = cast("Purpose", row.purpose)
        others = _busy(annotations_of(session, row.recording), row.annotator, purpose, now)
        if len(others) >= row.opinions:
            return False
    row.leased_until = now + duration
    return True


def has_room(
    session: Session, row: RecordingTable, rows: Sequence[AnnotationTable], annotator: str, purpose: Purpose, now: Any
) -> bool:
    """Whether a recording needs another annotation, besides those that are done or being made."""
    return len(_busy(rows, annotator, purpose, now)) < _annotations_needed(session, row, purpose)


def _busy(rows: Sequence[AnnotationTable], annotator: str, purpose: Purpose, now: datetime) -> list[AnnotationTable]:
    """The annotations of others that are done, or being made."""
    return [
        row
        for row in rows
        if row.purpose == purpose
        and row.annotator != annotator
        and (row.state == "done" or (row.state == "open" and row.leased_until is not None and row.leased_until > now))
    ]


def _own(rows: Sequence[AnnotationTable], annotator: str, purpose: Purpose) -> AnnotationTable | None:
    return next((row for row in rows if row.annotator == annotator and row.purpose == purpose), None)


def _done(rows: Sequence[AnnotationTable]) -> list[AnnotationTable]:
    done = [row for row in rows if row.purpose == "label" and row.state == "done"]
    return sorted(done, key=lambda row: (cast("datetime", row.done_at), row.annotation))


def _sides(rows: Sequence[AnnotationTable], recording: str) -> tuple[AnnotationTable, AnnotationTable]:
    done = _done(rows)
    second = next((row for row in done if row.disputed), None)
    if second is None:
        raise Conflict(f"no two annotations of recording {recording} differ; there is nothing to adjudicate")
    return done[0], second


def _annotations_needed(session: Session, row: RecordingTable, purpose: Purpose) -> int:
    """How many annotations a recording is to have: its id draws the lot for a second one."""
    if purpose == "adjudicate":
        return 1
    content: dict[str, Any] = session.scalars(
        select(TaskTable.content).where(TaskTable.name == row.task, TaskTable.version == row.task_version)
    ).one()
    rules = LabellingRules.model_validate(content.get("labelling", {}))
    return 2 if lies_within(f"double annotation:{row.recording}", rules.double_share) else 1


def _check_recording(session: Session, row: RecordingTable, annotator: Annotator) -> None:
    if row.state in (State.WITHDRAWN, State.ERASED):
        raise _taken_back(row.recording)
    if row.state is not State.ACCEPTED:
        raise Conflict(f"recording {row.recording} is {row.state}; only accepted recordings are labelled")
    if annotator.recorded(row.contributor):
        raise Conflict(f"recording {row.recording} is by {annotator.name}; nobody labels their own recording")
    found = select(TrajectoryTable.recording).where(TrajectoryTable.recording == row.recording)
    if session.scalars(found).first() is None:
        raise Conflict(f"recording {row.recording} is not extracted yet; run: kinesphere process {row.recording}")


def _check_adjudicator(rows: Sequence[AnnotationTable], recording: str, annotator: Annotator) -> None:
    _sides(rows, recording)
    if not annotator.is_operator and annotator.name in {row.annotator for row in rows}:
        raise Conflict(f"{annotator.name} has labelled recording {recording}; somebody else adjudicates it")


def _taken_back(recording: str) -> Withdrawn:
    return Withdrawn(f"recording {recording} was taken back by its contributor; it is not labelled any more")
