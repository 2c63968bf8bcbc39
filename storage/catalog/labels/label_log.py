"""The log of an annotation's operations, and the segments that follow from it, inside a transaction."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, cast

from sqlalchemy import Table, bindparam, delete, insert, select, update
from sqlalchemy.orm import Session

from kinesphere.errors import Conflict, InvalidInput
from storage.catalog.labels.label_records import (
    Applied,
    Change,
    Operation,
    OperationKind,
    OperationRecord,
    VersionedSegment,
)
from storage.catalog.tables import AnnotationTable, LabelOperationTable, SegmentTable
from storage.recordings.segment import Segment

MOST_SEGMENTS = 20_000
"""Segments of one annotation."""
_AT_ONCE = 500
"""Databases limit how many values a statement may have."""
_CONTENT = tuple(column.name for column in fields(Segment))
_LOGGED = tuple(column.name for column in fields(OperationRecord) if column.name != "changes")
# Made once, and below the ORM: an annotator's key waits for these, and making them takes as long as running them.
_SEGMENTS, _LOG = cast("Table", SegmentTable.__table__), cast("Table", LabelOperationTable.__table__)
_COLUMNS = tuple(_SEGMENTS.c[name] for name in ("segment", "version", *_CONTENT))
_NAMED = select(*_COLUMNS, _SEGMENTS.c.annotation).where(_SEGMENTS.c.segment.in_(bindparam("names", expanding=True)))
_KNOWN = select(_LOG.c.operation, _LOG.c.revision, _LOG.c.sent_sha256, _LOG.c.content).where(
    _LOG.c.annotation == bindparam("annotation"), _LOG.c.operation.in_(bindparam("names", expanding=True))
)
_ADD_OPERATION, _ADD_SEGMENT = insert(_LOG), insert(_SEGMENTS)
_CHANGE_SEGMENT = (
    update(_SEGMENTS)
    .where(_SEGMENTS.c.segment == bindparam("changed_segment"))
    .values({name: bindparam(name) for name in ("version", *_CONTENT)})
)
_DELETE_SEGMENTS = delete(_SEGMENTS).where(_SEGMENTS.c.segment.in_(bindparam("names", expanding=True)))


@dataclass
class Editing:
    """Operations on a locked annotation, done in memory first, and written all together."""

    session: Session
    row: AnnotationTable
    who: str
    at: datetime
    before: Mapping[str, VersionedSegment]
    """The segments that they touch, as they were."""
    known: dict[str, tuple[int, str, Sequence[Change]]]
    """Those operations that are applied: their revisions, hashes and changes."""
    present: dict[str, VersionedSegment | None] = field(init=False)
    """As they are now; None where one is deleted."""
    applied: list[str] = field(default_factory=list)
    last: int = 0
    outcome: dict[str, VersionedSegment | None] = field(default_factory=dict)
    log: list[OperationRecord] = field(default_factory=list)
    """What is new."""

    def __post_init__(self) -> None:
        self.present = dict(self.before)

    @classmethod
    def of(
        cls, session: Session, row: AnnotationTable, operations: Sequence[Operation], *, who: str, at: datetime
    ) -> Editing:
        """Read what the operations need.

        Raises:
            InvalidInput: an id of an operation or of a segment was used for something else.
            Conflict: the annotation is not open, and not all of the operations were applied before.
        """
        known = _known(session, row.annotation, operations)
        for operation in operations:
            if operation.operation in known and known[operation.operation][1] != operation.sent_sha256:
                raise InvalidInput(f"operation {operation.operation} was sent before with other changes")
        new = [operation for operation in operations if operation.operation not in known]
        if new and row.state != "open":
            raise Conflict(f"annotation {row.annotation} is {row.state}; reopen it to change its segments")
        touched = {change.segment for operation in new for change in operation.changes}
        return cls(session, row, who, at, _present(session, row.annotation, touched), known)

    def clashes(self, operation: Operation) -> dict[str, VersionedSegment | None]:
        """The segments whose present version is not the one that the operation was made upon, as they are now."""
        if operation.operation in self.known:
            return {}
        found = dict[str, VersionedSegment | None]()
        for change in operation.changes:
            current = self.present.get(change.segment)
            if (current.version if current is not None else None) != change.before:
                found[change.segment] = current
        return found

    def do(self, operation: Operation, *, kind: OperationKind = "edit", restored: int | None = None) -> None:
        """Do an operation without clashes; one that was done before only counts for the result."""
        if operation.operation not in self.known:
            self.row.revision += 1
            self.known[operation.operation] = (self.row.revision, operation.sent_sha256, operation.changes)
            made: OperationKind = "restore" if restored is not None else kind
            self.log.append(
                OperationRecord(
                    self.row.revision,
                    operation.operation,
                    made,
                    self.who,
                    self.at,
                    len(operation.changes),
                    restored,
                    operation.changes,
                )
            )
            _follow(self.present, operation.changes, self.row.revision)
        self.last, _, changes = self.known[operation.operation]
        _follow(self.outcome, changes, self.last)
        self.applied.append(operation.operation)

    def write(self) -> bool:
        """Write what was done; says whether that is anything.

        Raises:
            InvalidInput: there would be too many segments.
        """
        if not self.log:
            return False
        new, changed, removed = list[dict[str, Any]](), list[dict[str, Any]](), list[str]()
        for name, segment in self.present.items():
            if segment is None:
                removed += [name] if name in self.before else []
            elif name not in self.before:
                new.append(self._row(segment))
            elif segment != self.before[name]:
                changed.append({"changed_segment": name, "version": segment.version, **vars(segment.content)})
        self.row.segments += len(new) - len(removed)
        self.row.changed_at = self.at
        if new and self.row.segments > MOST_SEGMENTS:
            raise InvalidInput(
                f"an annotation has at most {MOST_SEGMENTS} segments; these would be {self.row.segments}"
            )
        connection = self.session.connection()
        connection.execute(_ADD_OPERATION, [self._log_row(operation) for operation in self.log])
        for some in _parts(removed):
            connection.execute(_DELETE_SEGMENTS, {"names": some})
        if new:
            connection.execute(_ADD_SEGMENT, new)
        if changed:
            connection.execute(_CHANGE_SEGMENT, changed)
        return True

    def result(self) -> Applied:
        """What came of it."""
        segments = [segment for segment in self.outcome.values() if segment is not None]
        deleted = [name for name, segment in self.outcome.items() if segment is None]
        return Applied(self.last, tuple(self.applied), segments, deleted, tuple(self.log))

    def _log_row(self, operation: OperationRecord) -> dict[str, Any]:
        _, sent_sha256, changes = self.known[operation.operation]
        return {
            **{name: getattr(operation, name) for name in _LOGGED},
            "annotation": self.row.annotation,
            "sent_sha256": sent_sha256,
            "content": [_stored(change) for change in changes],
        }

    def _row(self, segment: VersionedSegment) -> dict[str, Any]:
        return {
            "segment": segment.segment,
            "version": segment.version,
            "annotation": self.row.annotation,
            "recording": self.row.recording,
            "author": self.who,
            "created_at": self.at,
            **vars(segment.content),
        }


def segments_of(session: Session, annotation: str) -> list[VersionedSegment]:
    """The segments of an annotation in order of time."""
    query = select(*_COLUMNS).where(_SEGMENTS.c.annotation == annotation)
    rows = session.execute(query.order_by(_SEGMENTS.c.start_ns, _SEGMENTS.c.segment))
    return [VersionedSegment(row[0], row[1], Segment(*row[2:])) for row in rows]


def segments_at(session: Session, annotation: str, revision: int) -> dict[str, VersionedSegment]:
    """The segments that an annotation had at a revision, by id."""
    query = select(LabelOperationTable.revision, LabelOperationTable.content).where(
        LabelOperationTable.annotation == annotation, LabelOperationTable.revision <= revision
    )
    found = dict[str, VersionedSegment | None]()
    for number, content in session.execute(query.order_by(LabelOperationTable.revision)):
        _follow(found, _changes(content), number)
    return {name: segment for name, segment in found.items() if segment is not None}


def operation_record(row: Any, content: Sequence[dict[str, Any]]) -> OperationRecord:
    """What a row of the log tells, with the changes that its content holds."""
    kind = cast("OperationKind", row.kind)
    return OperationRecord(
        row.revision, row.operation, kind, row.who, row.at, row.changed, row.restored, _changes(content)
    )


def _known(
    session: Session, annotation: str, operations: Sequence[Operation]
) -> dict[str, tuple[int, str, Sequence[Change]]]:
    found = dict[str, tuple[int, str, Sequence[Change]]]()
    for some in _parts([operation.operation for operation in operations]):
        for row in session.connection().execute(_KNOWN, {"annotation": annotation, "names": some}):
            found[row.operation] = (row.revision, row.sent_sha256, _changes(row.content))
    return found


def _present(session: Session, annotation: str, names: Collection[str]) -> dict[str, VersionedSegment]:
    """Those of the segments named that there are."""
    found = dict[str, VersionedSegment]()
    for some in _parts(sorted(names)):
        for row in session.connection().execute(_NAMED, {"names": some}):
            if row[-1] != annotation:
                raise InvalidInput(f"the id {row[0]} is taken by a segment of another annotation; make another one")
            found[row[0]] = VersionedSegment(row[0], row[1], Segment(*row[2:-1]))
    return found


def _follow(segments: dict[str, VersionedSegment | None], changes: Sequence[Change], revision: int) -> None:
    for change in changes:
        made = VersionedSegment(change.segment, revision, change.after) if change.after is not None else None
        segments[change.segment] = made


def _stored(change: Change) -> dict[str, Any]:
    after = vars(change.after) if change.after is not None else None
    return {"segment": change.segment, "before": change.before, "after": after}


def _changes(content: Sequence[dict[str, Any]]) -> list[Change]:
    return [
        Change(item["segment"], item["before"], Segment(**item["after"]) if item["after"] is not None else None)
        for item in content
    ]


def _parts(values: Sequence[str]) -> Iterator[Sequence[str]]:
    for first in range(0, len(values), _AT_ONCE):
        yield values[first : first + _AT_ONCE]
