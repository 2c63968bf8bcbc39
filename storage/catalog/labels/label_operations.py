"""The operations on an annotation's segments: applied in order, each once, whole or not at all, and kept for ever."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import cast

from sqlalchemy import Table, bindparam, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from kinesphere.errors import InvalidInput, NotFound
from storage.catalog.catalog import Catalog
from storage.catalog.labels.annotation_leases import LEASE, keep_lease
from storage.catalog.labels.annotation_rows import locked_annotation
from storage.catalog.labels.label_log import Editing, operation_record, segments_at, segments_of
from storage.catalog.labels.label_records import (
    Applied,
    Change,
    LabelConflict,
    Operation,
    OperationRecord,
    VersionedSegment,
)
from storage.catalog.tables import AnnotationTable, LabelOperationTable

# Made once, and below the ORM: every open label page asks after every operation.
_LOG = cast("Table", LabelOperationTable.__table__)
_LATER = (_LOG.c.annotation == bindparam("annotation"), _LOG.c.revision > bindparam("after"))
_SIZES = select(_LOG.c.revision, _LOG.c.changed).where(*_LATER).order_by(_LOG.c.revision).limit(bindparam("operations"))
_CHANGES = select(_LOG).where(*_LATER, _LOG.c.revision <= bindparam("last")).order_by(_LOG.c.revision)


@dataclass(frozen=True)
class LabelOperations:
    """The operations of a catalog's annotations. Every method is one transaction."""

    catalog: Catalog
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    _turn: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    def apply(
        self, annotation: str, operations: Sequence[Operation], *, who: str, duration: timedelta = LEASE
    ) -> Applied:
        """Apply operations in order. One that was applied before does nothing, and is answered as the first time.

        Whoever edits holds the recording for `duration` more, unless others have it.

        Args:
            annotation: id of the annotation.
            operations: in order; ids of their own make it safe to send them again.
            who: who does it, for the log.
            duration: of the annotator's lease, from now.

        Returns:
            The revision, and what the operations have changed.

        Raises:
            LabelConflict: one was made upon versions that are not the present ones. Those before it are applied.
            NotFound: there is no such annotation.
            Withdrawn: the contributor has taken the recording back.
            Conflict: the annotation is not open, or the recording is not accepted any more. Nothing is applied.
            InvalidInput: an id was used for something else, or there would be too many segments. Nothing is applied.
        """
        conflict: LabelConflict | None = None
        with self._writing() as session:
            row = locked_annotation(session, annotation)
            editing = Editing.of(session, row, operations, who=who, at=self.clock())
            for operation in operations:
                clashes = editing.clashes(operation)
                if clashes:
                    conflict = LabelConflict(operation.operation, clashes, row.revision, tuple(editing.applied))
                    break
                editing.do(operation)
            if editing.write():
                keep_lease(session, row, self.clock(), duration)
        if conflict is not None:
            raise conflict
        return editing.result()

    def restore(
        self, annotation: str, revision: int, *, operation: str, who: str, duration: timedelta = LEASE
    ) -> Applied:
        """Bring back the segments of a revision, by an operation like any other: nothing of the history goes.

        Args:
            annotation: id of the annotation.
            revision: which segments to bring back; 0 is none.
            operation: an id for the new operation; by default a new one.
            who: who does it, for the log.
            duration: of the annotator's lease, from now.

        Returns:
            The new revision, and what it has changed.

        Raises:
            InvalidInput: there is no such revision, or the id was used for something else.
            NotFound, Withdrawn, Conflict: as in `apply`.
        """
        with self._writing() as session:
            row = locked_annotation(session, annotation)
            _check_revision(row, revision)
            then = segments_at(session, annotation, revision)
            now = {segment.segment: segment for segment in segments_of(session, annotation)}
            restoring = Operation(operation, _way_back(now, then), f"restore {revision}")
            editing = Editing.of(session, row, [restoring], who=who, at=self.clock())
            editing.do(restoring, restored=revision)
            if editing.write():
                keep_lease(session, row, self.clock(), duration)
        return editing.result()

    def segments(self, annotation: str, revision: int | None = None) -> list[VersionedSegment]:
        """The segments of an annotation in order of time, as they are now or were at a revision.

        Args:
            annotation: id of the annotation.
            revision: as they were then; by default as they are now.

        Returns:
            Each with its id and version.

        Raises:
            NotFound: there is no such annotation.
            InvalidInput: there is no such revision.
        """
        with self.catalog.reading() as session:
            if revision is None:
                return segments_of(session, annotation)
            row = session.get(AnnotationTable, annotation)
            if row is None:
                raise NotFound("annotation", annotation)
            _check_revision(row, revision)
            found = segments_at(session, annotation, revision).values()
            return sorted(found, key=lambda segment: (segment.content.start_ns, segment.segment))

    def changes(
        self, annotation: str, *, after: int, operations: int = 1000, segments: int = 20_000
    ) -> list[OperationRecord]:
        """The operations after a revision, oldest first: at most so many, with so many changes (but at least one).

        Args:
            annotation: id of the annotation.
            after: the last revision that is known.
            operations: at most so many.
            segments: at most so many changes, all together.

        Returns:
            Empty where nothing came after.
        """
        later, last = {"annotation": annotation, "after": after}, after
        with self.catalog.reading() as session:
            connection = session.connection()
            for revision, changed in connection.execute(_SIZES, {**later, "operations": operations}).all():
                segments -= changed
                if last > after and segments < 0:
                    break
                last = revision
            if last == after:
                return []
            rows = connection.execute(_CHANGES, {**later, "last": last})
            return [operation_record(row, row.content) for row in rows]

    def history(self, annotation: str, *, before: int | None = None, limit: int = 1000) -> list[OperationRecord]:
        """Who did what when, newest first, without the changes themselves.

        Args:
            annotation: id of the annotation.
            before: only earlier revisions than this.
            limit: at most so many.

        Returns:
            Operations with empty `changes`.
        """
        columns = [column for column in LabelOperationTable.__table__.columns if column.name != "content"]
        query = select(*columns).where(LabelOperationTable.annotation == annotation)
        if before is not None:
            query = query.where(LabelOperationTable.revision < before)
        with self.catalog.reading() as session:
            rows = session.execute(query.order_by(LabelOperationTable.revision.desc()).limit(limit))
            return [operation_record(row, ()) for row in rows]

    @contextmanager
    def _writing(self) -> Iterator[Session]:
        # SQLite lets writers wait by sleeping longer and longer: in a process, taking turns is quicker and fair.
        in_turn = self._turn if self.catalog.engine.dialect.name == "sqlite" else nullcontext()
        try:
            with in_turn, self.catalog.writing() as session:
                yield session
        except IntegrityError as error:
            raise InvalidInput("the id of a new segment is taken; make another one") from error


def _check_revision(row: AnnotationTable, revision: int) -> None:
    if not 0 <= revision <= row.revision:
        raise InvalidInput(f"annotation {row.annotation} has the revisions 0 to {row.revision}, not {revision}")


def _way_back(now: dict[str, VersionedSegment], then: dict[str, VersionedSegment]) -> list[Change]:
    """The changes that make the segments of now what they were then."""
    found = [Change(name, segment.version, None) for name, segment in now.items() if name not in then]
    for name, past in then.items():
        present = now.get(name)
        if present is None or present.content != past.content:
            found.append(Change(name, present.version if present is not None else None, past.content))
    return found
