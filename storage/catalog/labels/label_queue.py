"""The queue of labelling: which recording an annotator is given next, what waits, and how much was done."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, delete, exists, func, or_, select
from sqlalchemy.orm import aliased

from storage.catalog.labels.annotation_leases import LEASE, has_room, keep_lease
from storage.catalog.labels.annotation_rows import annotation_record, annotations_of
from storage.catalog.labels.annotations import Annotations
from storage.catalog.labels.label_records import AnnotationRecord, Annotator, Progress, Purpose, Skip, WaitingLabelling
from storage.catalog.records import RecordingRecord
from storage.catalog.state_machine import locked
from storage.catalog.tables import AnnotationTable, LabelPriorityTable, RecordingTable, SegmentTable, TrajectoryTable
from storage.catalog.work_filter import WorkFilter
from storage.recordings.recording import State

_TRIES, _ROUNDS = 20, 3
"""How many recordings are looked at that others may take meanwhile, and how often."""
_PURPOSES: tuple[Purpose, ...] = ("adjudicate", "label")
"""In this order: for an adjudication two people have worked already."""
_ACTIVE = timedelta(days=30)


@dataclass(frozen=True)
class LabelQueue:
    """The queue of a catalog's annotations. Every method is one transaction."""

    annotations: Annotations

    def next(
        self, annotator: Annotator, *, task: str | None = None, language: str | None = None, past: Collection[str] = ()
    ) -> AnnotationRecord | None:
        """Give an annotator the recording to label, for themselves alone until the lease ends.

        What they have begun comes first, then what is to be adjudicated, then the rest: by priority, oldest first.

        Args:
            annotator: who labels.
            task: only of this one; by default of all.
            language: of the task, e.g. "pt"; "pt" also means "pt-BR".
            past: recordings to pass over.

        Returns:
            None if nothing waits for them.

        Raises:
            NotFound: there is no such task.
        """
        now = self.annotations.clock()
        with self.annotations.catalog.writing() as session:
            work = WorkFilter.of(session, task, language, past)
            for row in session.scalars(_in_progress(annotator, work)).all():
                locked(session, row.recording)
                if keep_lease(session, row, now, LEASE):
                    return annotation_record(row)
        for _ in range(_ROUNDS):
            found = self._candidates(annotator, now, work)
            for purpose, recording in found:
                made = self._take(annotator, purpose, recording, now)
                if made is not None:
                    return made
            if len(found) < _TRIES:
                break
        return None

    def waiting(
        self, *, task: str | None = None, language: str | None = None, limit: int = 500
    ) -> list[WaitingLabelling]:
        """What is not labelled yet, or being labelled, in the order in which it is given out.

        Args:
            task: only of this one; by default of all.
            language: of the task, e.g. "pt"; "pt" also means "pt-BR".
            limit: at most so many.

        Returns:
            Adjudications first.
        """
        now = self.annotations.clock()
        found = list[WaitingLabelling]()
        with self.annotations.catalog.reading() as session:
            work = WorkFilter.of(session, task, language, ())
            active = select(AnnotationTable.annotator).where(AnnotationTable.changed_at > now - _ACTIVE).distinct()
            people = set(session.scalars(active))
            for purpose in _PURPOSES:
                query = _needing(purpose, None, work).add_columns(_priority()).limit(limit - len(found))
                for row, priority in session.execute(query).all():
                    rows = annotations_of(session, row.recording)
                    found.append(_waiting(row, rows, purpose, priority, people, now))
        return found

    def counts(self, annotator: Annotator) -> dict[str, int]:
        """How many recordings of each task this annotator could be given now.

        Args:
            annotator: who labels.

        Returns:
            By name of the task; tasks with none are left out.
        """
        now, found = self.annotations.clock(), dict[str, int]()
        with self.annotations.catalog.reading() as session:
            for purpose in _PURPOSES:
                query = _needing(purpose, now, WorkFilter(None, ())).where(*_for(annotator)).order_by(None)
                counting = query.with_only_columns(RecordingTable.task, func.count()).group_by(RecordingTable.task)
                for task, count in session.execute(counting):
                    found[task] = found.get(task, 0) + count
        return found

    def to_adjudicate(self, annotator: Annotator, *, limit: int = 100) -> list[RecordingRecord]:
        """What two people have labelled differently and this annotator could decide now, first things first.

        An operator may decide even where they are one of the two.

        Args:
            annotator: who labels.
            limit: at most so many.

        Returns:
            Recordings that are accepted and not with somebody else.
        """
        not_own, not_seen = _for(annotator)
        restricted = [not_own] if annotator.is_operator else [not_own, not_seen]
        query = _needing("adjudicate", self.annotations.clock(), WorkFilter(None, ())).where(*restricted).limit(limit)
        with self.annotations.catalog.reading() as session:
            return [_recording(row) for row in session.scalars(query)]

    def progress(self, annotator: str, *, since: datetime) -> Progress:
        """What an annotator has done since a moment.

        Args:
            annotator: name of their account.
            since: with a time zone.

        Returns:
            Counts, and the length of what was done.
        """
        table = AnnotationTable
        done = (
            select(func.count(), func.sum(RecordingTable.duration_ns))
            .select_from(table)
            .join(RecordingTable, RecordingTable.recording == table.recording)
            .where(table.annotator == annotator, table.changed_at >= since, table.done_at >= since)
        )
        made = (
            select(func.count())
            .select_from(SegmentTable)
            .join(table, table.annotation == SegmentTable.annotation)
            .where(table.annotator == annotator, table.changed_at >= since)
            .where(SegmentTable.created_at >= since, SegmentTable.author == annotator)
        )
        with self.annotations.catalog.reading() as session:
            annotations, labelled_ns = session.execute(done).one()
            return Progress(annotations, session.scalar(made) or 0, int(labelled_ns or 0))

    def set_priority(self, priority: int, *, task: str | None = None, recording: str | None = None) -> None:
        """Say that a task's recordings, or one recording, are to be labelled before those of a lower priority.

        A recording's own priority counts instead of its task's.

        Args:
            priority: the higher, the earlier, and below 0 after all others; 0 forgets what was set.
            task: name of a task.
            recording: id of a recording, in place of a task.

        Raises:
            NotFound: there is no such recording.
        """
        table = LabelPriorityTable
        with self.annotations.catalog.writing() as session:
            if recording is not None:
                locked(session, recording)
                session.execute(delete(table).where(table.recording == recording))
            else:
                session.execute(delete(table).where(table.task == task))
            if priority:
                session.add(LabelPriorityTable(task=task, recording=recording, priority=priority))

    def _candidates(self, annotator: Annotator, now: datetime, work: WorkFilter) -> list[tuple[Purpose, str]]:
        """What an annotator could be given, first things first. It takes a while, and nobody waits for it."""
        found = list[tuple[Purpose, str]]()
        with self.annotations.catalog.reading() as session:
            for purpose in _PURPOSES:
                query = _needing(purpose, now, work).where(*_for(annotator)).limit(_TRIES)
                names = session.scalars(query.with_only_columns(RecordingTable.recording))
                found += [(purpose, recording) for recording in names]
        return found

    def _take(self, annotator: Annotator, purpose: Purpose, recording: str, now: datetime) -> AnnotationRecord | None:
        """Give a recording to an annotator, unless others were faster."""
        with self.annotations.catalog.writing() as session:
            row = locked(session, recording)
            rows = annotations_of(session, recording)
            seen = annotator.name in {other.annotator for other in rows}
            if (
                row.state is not State.ACCEPTED
                or seen
                or not has_room(session, row, rows, annotator.name, purpose, now)
            ):
                return None
            return annotation_record(self.annotations.new(session, row, rows, annotator.name, purpose))


def _in_progress(annotator: Annotator, work: WorkFilter) -> Select[Any]:
    """What an annotator has begun and can go on with, the latest first."""
    query = (
        select(AnnotationTable)
        .join(RecordingTable, RecordingTable.recording == AnnotationTable.recording)
        .where(AnnotationTable.annotator == annotator.name, AnnotationTable.state == "open")
        .where(RecordingTable.state == State.ACCEPTED)
        .order_by(AnnotationTable.changed_at.desc(), AnnotationTable.annotation)
    )
    return work.restricted(query)


def _needing(purpose: Purpose, now: datetime | None, work: WorkFilter) -> Select[Any]:
    """Recordings that need an annotation, in the order in which they are given out.

    Args:
        now: counts those that are being made, too; None counts only those that are done.
    """
    table, recording = AnnotationTable, RecordingTable.recording
    counted: ColumnElement[bool] = table.state == "done"
    if now is not None:
        counted = or_(counted, and_(table.state == "open", table.leased_until > now))
    query = select(RecordingTable).where(
        RecordingTable.state == State.ACCEPTED, exists().where(TrajectoryTable.recording == recording)
    )
    if purpose == "adjudicate":
        query = query.where(
            exists().where(table.recording == recording, table.disputed),
            ~exists().where(table.recording == recording, table.purpose == "adjudicate", counted),
        )
    else:
        busy = (
            select(table.recording, func.count().label("busy"), func.max(table.opinions).label("opinions"))
            .where(table.purpose == "label", counted)
            .group_by(table.recording)
            .subquery()
        )
        query = query.outerjoin(busy, busy.c.recording == recording).where(
            func.coalesce(busy.c.busy, 0) < func.coalesce(busy.c.opinions, 1),
            ~exists().where(SegmentTable.recording == recording, SegmentTable.annotation.is_(None)),
        )
    of_task, of_recording = _PRIORITIES
    query = query.outerjoin(of_task, of_task.task == RecordingTable.task)
    query = query.outerjoin(of_recording, of_recording.recording == recording)
    ordered = query.order_by(_priority().desc(), RecordingTable.created_at, recording)
    return work.restricted(ordered)


_PRIORITIES = aliased(LabelPriorityTable), aliased(LabelPriorityTable)
"""Of tasks, and of recordings."""


def _priority() -> ColumnElement[int]:
    of_task, of_recording = _PRIORITIES
    return func.coalesce(of_recording.priority, of_task.priority, 0)


def _for(annotator: Annotator) -> list[ColumnElement[bool]]:
    """What a recording must be for an annotator to get it: not by them, and not seen by them before."""
    table = AnnotationTable
    names = {annotator.name, annotator.contributor or annotator.name}
    seen = exists().where(table.recording == RecordingTable.recording, table.annotator == annotator.name)
    return [RecordingTable.contributor.not_in(names), ~seen]


def _waiting(
    row: RecordingTable,
    rows: Collection[AnnotationTable],
    purpose: Purpose,
    priority: int,
    people: set[str],
    now: datetime,
) -> WaitingLabelling:
    same = [other for other in rows if other.purpose == purpose]
    skips = [Skip(other.annotator, other.reason, other.changed_at) for other in same if other.state == "skipped"]
    leased_to = [
        other.annotator for other in same if other.state == "open" and other.leased_until and other.leased_until > now
    ]
    candidates = people - {other.annotator for other in rows if other.state != "open"} - {row.contributor}
    return WaitingLabelling(
        recording=_recording(row),
        purpose=purpose,
        priority=priority,
        opinions=max((other.opinions for other in same), default=1),
        done=sum(other.state == "done" for other in same),
        leased_to=leased_to,
        skips=skips,
        skipped_by_all=bool(skips) and not candidates,
    )


def _recording(row: RecordingTable) -> RecordingRecord:
    return RecordingRecord(**{column.name: getattr(row, column.name) for column in fields(RecordingRecord)})
