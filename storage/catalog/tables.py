"""The catalog's tables. A change here needs a migration beside it; a test compares the two."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    DateTime,
    Dialect,
    Double,
    Enum,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    String,
    Text,
    TypeDecorator,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from storage.recordings.consent import Scope, checked_scopes
from storage.recordings.recording import State


class UtcDateTime(TypeDecorator[datetime]):
    """A moment with its time zone; SQLite forgets the zone, so UTC is put back when reading."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value.astimezone(UTC) if value is not None else None

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class RangesType(TypeDecorator[tuple[tuple[int, int], ...]]):
    """Time ranges as a JSON list of pairs."""

    impl = JSON
    cache_ok = True

    def process_bind_param(self, value: tuple[tuple[int, int], ...] | None, dialect: Dialect) -> Any:
        return [list(pair) for pair in value] if value is not None else None

    def process_result_value(self, value: Any, dialect: Dialect) -> tuple[tuple[int, int], ...] | None:
        return tuple((start, end) for start, end in value) if value is not None else None


class ScopesType(TypeDecorator[tuple[Scope, ...]]):
    """Scopes of a consent, with commas between."""

    impl = String(100)
    cache_ok = True

    def process_bind_param(self, value: tuple[Scope, ...] | None, dialect: Dialect) -> str | None:
        return ",".join(value) if value is not None else None

    def process_result_value(self, value: str | None, dialect: Dialect) -> tuple[Scope, ...] | None:
        return checked_scopes(name for name in value.split(",") if name) if value is not None else None


NOBODY = "(erased)"
"""Stands for a person who was erased. Nobody can be enrolled under it."""

_STATE = Enum(State, native_enum=False, length=16, values_callable=lambda states: [state.value for state in states])


class Table(DeclarativeBase):
    """Base of all tables."""

    type_annotation_map = {datetime: UtcDateTime, State: _STATE, float: Double()}  # noqa: RUF012  SQLAlchemy's own idiom


class TaskTable(Table):
    __tablename__ = "task"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    content: Mapped[dict[str, Any]] = mapped_column(JSON)
    content_sha256: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime]


class ContributorTable(Table):
    __tablename__ = "contributor"

    contributor: Mapped[str] = mapped_column(String(64), primary_key=True)
    created_at: Mapped[datetime]


class AttributeTable(Table):
    __tablename__ = "contributor_attribute"

    contributor: Mapped[str] = mapped_column(ForeignKey("contributor.contributor"), primary_key=True)
    attribute: Mapped[str] = mapped_column(String(32), primary_key=True)
    value: Mapped[str] = mapped_column(String(32))
    agreed_at: Mapped[datetime]


class RecordingTable(Table):
    __tablename__ = "recording"
    __table_args__ = (
        ForeignKeyConstraint(["task", "task_version"], ["task.name", "task.version"]),
        Index("recording_by_state", "state", "created_at"),
        Index("recording_by_source", "source_sha256"),
        Index("recording_by_replaced", "replaces"),
    )

    recording: Mapped[str] = mapped_column(String(40), primary_key=True)
    task: Mapped[str] = mapped_column(String(64))
    task_version: Mapped[int]
    contributor: Mapped[str] = mapped_column(ForeignKey("contributor.contributor"), index=True)
    state: Mapped[State]
    created_at: Mapped[datetime]
    duration_ns: Mapped[int] = mapped_column(BigInteger)
    frames: Mapped[int] = mapped_column(BigInteger)
    width: Mapped[int]
    height: Mapped[int]
    frame_rate: Mapped[float]
    video_sha256: Mapped[str] = mapped_column(String(64))
    source_sha256: Mapped[str] = mapped_column(String(64))
    replaces: Mapped[str | None] = mapped_column(ForeignKey("recording.recording"))
    sent_to: Mapped[str | None] = mapped_column(Text)
    scopes: Mapped[tuple[Scope, ...]] = mapped_column(ScopesType)
    consent_expires_at: Mapped[datetime | None]


class EventTable(Table):
    __tablename__ = "event"

    event: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    recording: Mapped[str] = mapped_column(ForeignKey("recording.recording"), index=True)
    at: Mapped[datetime]
    who: Mapped[str] = mapped_column(String(64))
    from_state: Mapped[State | None]
    to_state: Mapped[State]
    why: Mapped[str] = mapped_column(Text)


class CheckTable(Table):
    __tablename__ = "check_result"

    recording: Mapped[str] = mapped_column(ForeignKey("recording.recording"), primary_key=True)
    check: Mapped[str] = mapped_column(String(64), primary_key=True)
    value: Mapped[float]
    doubt: Mapped[float]
    fail: Mapped[float]
    verdict: Mapped[str] = mapped_column(String(8))
    message: Mapped[str] = mapped_column(Text)
    ranges: Mapped[tuple[tuple[int, int], ...]] = mapped_column(RangesType)


class TrajectoryTable(Table):
    __tablename__ = "trajectory"

    recording: Mapped[str] = mapped_column(ForeignKey("recording.recording"), primary_key=True)
    extractor: Mapped[str] = mapped_column(String(16), primary_key=True)
    shard: Mapped[str] = mapped_column(String(40), index=True)
    first_frame: Mapped[int] = mapped_column(BigInteger)
    length: Mapped[int] = mapped_column(BigInteger)
    scale: Mapped[str] = mapped_column(String(16))
    body_share: Mapped[float]
    left_hand_share: Mapped[float]
    right_hand_share: Mapped[float]
    core_seconds: Mapped[float | None]
    created_at: Mapped[datetime]


class SegmentTable(Table):
    __tablename__ = "segment"

    segment: Mapped[str] = mapped_column(String(32), primary_key=True)
    recording: Mapped[str] = mapped_column(ForeignKey("recording.recording"), index=True)
    track: Mapped[str] = mapped_column(String(64))
    start_frame: Mapped[int] = mapped_column(BigInteger)
    end_frame: Mapped[int] = mapped_column(BigInteger)
    start_ns: Mapped[int] = mapped_column(BigInteger)
    end_ns: Mapped[int] = mapped_column(BigInteger)
    label: Mapped[str] = mapped_column(String(100))
    object: Mapped[str | None] = mapped_column(String(100))
    outcome: Mapped[str | None] = mapped_column(String(100))
    author: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime]
    annotation: Mapped[str | None] = mapped_column(ForeignKey("annotation.annotation"), index=True)
    hand: Mapped[str | None] = mapped_column(String(8))
    note: Mapped[str] = mapped_column(Text, server_default="")
    version: Mapped[int] = mapped_column(server_default="0")


class AnnotationTable(Table):
    """One person's labelling of one recording; whoever labels it holds it until `leased_until`."""

    __tablename__ = "annotation"
    __table_args__ = (
        Index("annotation_by_recording", "recording", "annotator"),
        Index("annotation_by_annotator", "annotator", "changed_at"),
    )

    annotation: Mapped[str] = mapped_column(String(32), primary_key=True)
    recording: Mapped[str] = mapped_column(ForeignKey("recording.recording"))
    annotator: Mapped[str] = mapped_column(String(64))
    purpose: Mapped[str] = mapped_column(String(16))
    state: Mapped[str] = mapped_column(String(16))
    revision: Mapped[int]
    segments: Mapped[int]
    opinions: Mapped[int]
    disputed: Mapped[bool]
    created_at: Mapped[datetime]
    changed_at: Mapped[datetime]
    done_at: Mapped[datetime | None]
    leased_until: Mapped[datetime | None]
    reason: Mapped[str] = mapped_column(Text)


class LabelOperationTable(Table):
    """What was done to the segments of an annotation, in order. Rows are only ever added."""

    __tablename__ = "label_operation"
    __table_args__ = (Index("label_operation_by_id", "annotation", "operation", unique=True),)

    annotation: Mapped[str] = mapped_column(ForeignKey("annotation.annotation"), primary_key=True)
    revision: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    operation: Mapped[str] = mapped_column(String(32))
    kind: Mapped[str] = mapped_column(String(16))
    who: Mapped[str] = mapped_column(String(64))
    at: Mapped[datetime]
    changed: Mapped[int]
    restored: Mapped[int | None]
    sent_sha256: Mapped[str] = mapped_column(String(64))
    content: Mapped[list[dict[str, Any]]] = mapped_column(JSON)


class LabelPriorityTable(Table):
    """What is to be labelled before the rest: a task, or a recording."""

    __tablename__ = "label_priority"

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    task: Mapped[str | None] = mapped_column(String(64), unique=True)
    recording: Mapped[str | None] = mapped_column(ForeignKey("recording.recording"), unique=True)
    priority: Mapped[int]


class ReviewTable(Table):
    __tablename__ = "review"

    review: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    recording: Mapped[str] = mapped_column(ForeignKey("recording.recording"), index=True)
    reviewer: Mapped[str] = mapped_column(String(64))
    decision: Mapped[str] = mapped_column(String(16))
    feedback: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime]
    reason: Mapped[str] = mapped_column(String(16), server_default="doubt")
    round: Mapped[int] = mapped_column(server_default="1")
    named: Mapped[list[str]] = mapped_column(JSON, server_default="[]")
    ranges: Mapped[tuple[tuple[int, int], ...]] = mapped_column(RangesType, server_default="[]")
    asked_at: Mapped[datetime | None]
    begun_at: Mapped[datetime | None]


class ReviewRequestTable(Table):
    """One opinion that is asked for. Those of a round lead to one decision."""

    __tablename__ = "review_request"
    __table_args__ = (Index("review_request_by_age", "closed_at", "asked_at"),)

    request: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    recording: Mapped[str] = mapped_column(ForeignKey("recording.recording"), index=True)
    reason: Mapped[str] = mapped_column(String(16))
    round: Mapped[int]
    asked_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]


class ReviewLeaseTable(Table):
    """Who looks at a recording now. The keys allow one reviewer a recording, and one recording a reviewer."""

    __tablename__ = "review_lease"

    recording: Mapped[str] = mapped_column(ForeignKey("recording.recording"), primary_key=True)
    reviewer: Mapped[str] = mapped_column(String(64), unique=True)
    reason: Mapped[str] = mapped_column(String(16))
    begun_at: Mapped[datetime]
    until: Mapped[datetime]


class GoldTable(Table):
    """Recordings whose right decision is known, to measure reviewers."""

    __tablename__ = "gold"

    recording: Mapped[str] = mapped_column(ForeignKey("recording.recording"), primary_key=True)
    decision: Mapped[str] = mapped_column(String(16))
    marked_by: Mapped[str] = mapped_column(String(64))
    marked_at: Mapped[datetime]


class ErasureTable(Table):
    __tablename__ = "erasure"

    receipt: Mapped[str] = mapped_column(String(32), primary_key=True)
    contributor: Mapped[str | None] = mapped_column(String(64))
    who: Mapped[str] = mapped_column(String(64))
    begun_at: Mapped[datetime]
    done_at: Mapped[datetime | None]
    tombstone: Mapped[dict[str, Any] | None] = mapped_column(JSON)


class ExportTable(Table):
    """Copies of versions outside the workspace, that an erasure has to find."""

    __tablename__ = "export"

    export: Mapped[str] = mapped_column(String(16), primary_key=True)
    dataset: Mapped[str] = mapped_column(String(64))
    version: Mapped[int]
    format: Mapped[str] = mapped_column(String(32))
    location: Mapped[str] = mapped_column(Text)
    made_on: Mapped[str] = mapped_column(String(255))
    made_by: Mapped[str] = mapped_column(String(64))
    made_at: Mapped[datetime]
    state: Mapped[str] = mapped_column(String(16))
    receipt: Mapped[str | None] = mapped_column(String(32))
    held_before: Mapped[int | None]
