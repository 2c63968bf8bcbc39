"""What the labelling page sends, held to limits, and what it gets."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, TypeVar, cast

from fastapi import Request
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from annotate.labels.label_comparison import Difference
from annotate.labels.labelling import ChangeDraft, OperationDraft
from kinesphere.errors import InvalidInput, NotFound
from kinesphere.names import is_recording_id
from storage.catalog import (
    AnnotationRecord,
    Annotator,
    Applied,
    InvalidOperation,
    LabelConflict,
    OperationRecord,
    Role,
    VersionedSegment,
    WaitingLabelling,
)
from storage.recordings.segment import Segment
from studio.web.access.auth import Person
from studio.web.http.request_bodies import json_object

OPERATIONS_LIMIT = 8 << 20
"""Bytes of a request with operations: 10,000 segments and their words in two bytes a letter take less."""
MOST_OPERATIONS, MOST_CHANGES = 1000, 20_000
"""In one request."""
LARGEST = 2**31 - 1
"""Of a revision: what a database keeps in four bytes."""
_ANNOTATION, _OPERATION = re.compile(r"[0-9a-f]{16}"), re.compile(r"[0-9a-f]{32}")

Revision = Annotated[int, Field(ge=0, le=LARGEST)]
Word = Annotated[str, Field(max_length=100)]
SegmentId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16}$")]
OperationId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
Moment = Annotated[int, Field(ge=-(2**63), le=2**63 - 1)]

Model = TypeVar("Model", bound=BaseModel)


class _Sent(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class SentSegment(_Sent):
    """A segment; what the server makes of it (its id, version and frames) may be there, and is not looked at."""

    track: Word
    start_ns: Moment
    end_ns: Moment
    label: Word
    object: Word | None = None
    hand: Literal["left", "right", "both"] | None = None
    outcome: Word | None = None
    note: Annotated[str, Field(max_length=1000)] = ""
    segment: Annotated[Any, Field(exclude=True)] = None
    version: Annotated[Any, Field(exclude=True)] = None
    start_frame: Annotated[Any, Field(exclude=True)] = None
    end_frame: Annotated[Any, Field(exclude=True)] = None

    def drawn(self) -> Segment:
        """The segment that it asks for, not checked yet."""
        return Segment(**self.model_dump())


class SentChange(_Sent):
    segment: SegmentId
    before: Revision | None
    after: SentSegment | None


class SentOperation(_Sent):
    operation: OperationId
    changes: Annotated[list[SentChange], Field(min_length=1, max_length=MOST_CHANGES)]

    def draft(self) -> OperationDraft:
        """What it wants."""
        digest = hashlib.sha256(self.model_dump_json(exclude_defaults=True).encode()).hexdigest()
        return OperationDraft(self.operation, [_change_draft(change) for change in self.changes], digest)


class SentOperations(_Sent):
    operations: Annotated[list[SentOperation], Field(min_length=1, max_length=MOST_OPERATIONS)]


class SentRestore(_Sent):
    revision: Revision
    operation: OperationId | None = None


class SentDone(_Sent):
    revision: Revision | None = None


class SentSkip(_Sent):
    reason: Annotated[str, Field(max_length=500)]


class SentNext(_Sent):
    task: Annotated[str, Field(max_length=64)] | None = None
    language: Annotated[str, Field(max_length=35)] | None = None
    past: Annotated[list[Annotated[str, Field(max_length=40)]], Field(max_length=1000)] = []


class SentBegin(_Sent):
    purpose: Literal["label", "adjudicate"] = "label"


class SentPriority(_Sent):
    priority: Annotated[int, Field(ge=-1000, le=1000)]
    task: Annotated[str, Field(max_length=64)] | None = None
    recording: Annotated[str, Field(max_length=40)] | None = None


async def sent(request: Request, model: type[Model]) -> Model:
    """What a request holds; one without a body counts as an empty object.

    Raises:
        TooLarge, InvalidInput: it is too large, no JSON, or not what it should be.
    """
    length = request.headers.get("content-length", "0" if "transfer-encoding" not in request.headers else "")
    found = await json_object(request) if length != "0" else {}
    try:
        return model.model_validate(found)
    except ValidationError as error:
        raise InvalidInput(_problem(error)) from error


async def sent_operations(request: Request) -> list[SentOperation]:
    """The operations that a request holds; errors as in `sent`.

    Raises:
        InvalidOperation: one of them is not what it should be, and can be named.
    """
    found = await json_object(request, OPERATIONS_LIMIT)
    try:
        operations = SentOperations.model_validate(found).operations
    except ValidationError as error:
        match error.errors(include_url=False, include_input=False)[0]["loc"]:
            case ("operations", int(place), *_):
                operation = cast("list[object]", found["operations"])[place]
                name = operation.get("operation") if isinstance(operation, dict) else None
                if isinstance(name, str) and _OPERATION.fullmatch(name):
                    raise InvalidOperation(name, _problem(error)) from error
        raise InvalidInput(_problem(error)) from error
    if sum(len(operation.changes) for operation in operations) > MOST_CHANGES:
        raise InvalidInput(f"a request changes at most {MOST_CHANGES} segments; send the rest in another one")
    return operations


def _problem(error: ValidationError) -> str:
    problem = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part)[:40] for part in problem["loc"])
    return f"{where}: {problem['msg']}" if where else str(problem["msg"])


def checked_annotation(annotation: str) -> str:
    """The id of an annotation, if it can be one."""
    if not _ANNOTATION.fullmatch(annotation):
        raise NotFound("annotation", annotation[:40] if annotation.isprintable() else "?")
    return annotation


def checked_recording(recording: str) -> str:
    """The id of a recording, if it can be one."""
    if not is_recording_id(recording):
        raise NotFound("recording", recording[:40] if recording.isprintable() else "?")
    return recording


def shown_annotation(record: AnnotationRecord) -> dict[str, object]:
    """An annotation for its page. It does not tell whether others label the recording, too."""
    until = record.leased_until
    return {
        "annotation": record.annotation,
        "recording": record.recording,
        "annotator": record.annotator,
        "purpose": record.purpose,
        "state": record.state,
        "revision": record.revision,
        "segment_count": record.segments,
        "created_at": record.created_at.isoformat(),
        "changed_at": record.changed_at.isoformat(),
        "done_at": record.done_at.isoformat() if record.done_at is not None else None,
        "lease": {"until": until.isoformat()} if until is not None and until > datetime.now(UTC) else None,
        "reason": record.reason,
    }


def shown_segment(segment: VersionedSegment) -> dict[str, object]:
    """A segment for the page."""
    return {"segment": segment.segment, "version": segment.version, **vars(segment.content)}


def shown_applied(applied: Applied) -> dict[str, object]:
    """What came of operations."""
    return {
        "revision": applied.revision,
        "applied": applied.operations,
        "segments": [shown_segment(segment) for segment in applied.segments],
        "deleted": applied.deleted,
    }


def shown_conflict(conflict: LabelConflict) -> dict[str, object]:
    """What stands against an operation."""
    return {
        "error": str(conflict),
        "kind": "LabelConflict",
        "operation": conflict.operation,
        "conflicts": [
            {"segment": name, "current": shown_segment(current) if current is not None else None}
            for name, current in conflict.conflicts.items()
        ],
        "revision": conflict.revision,
        "applied": conflict.applied,
    }


def shown_refusal(refused: InvalidOperation) -> dict[str, object]:
    """Which operation cannot be, and why."""
    return {"error": str(refused), "kind": "InvalidInput", "operation": refused.operation, "applied": []}


def shown_operation(operation: OperationRecord) -> dict[str, object]:
    """An operation of the history, without its changes."""
    return {
        "revision": operation.revision,
        "operation": operation.operation,
        "kind": operation.kind,
        "who": operation.who,
        "at": operation.at.isoformat(),
        "changed": operation.changed,
        "restored": operation.restored,
    }


def shown_changes(operations: Sequence[OperationRecord]) -> list[dict[str, object]]:
    """Operations with what they changed."""

    def after(operation: OperationRecord, segment: str, content: Segment | None) -> object:
        if content is None:
            return None
        return shown_segment(VersionedSegment(segment, operation.revision, content))

    return [
        {
            **shown_operation(operation),
            "changes": [
                {
                    "segment": change.segment,
                    "before": change.before,
                    "after": after(operation, change.segment, change.after),
                }
                for change in operation.changes
            ],
        }
        for operation in operations
    ]


def shown_difference(difference: Difference, *, is_decided: bool) -> dict[str, object]:
    """A place where two annotators differ: what each has there, and the segment that decides it."""
    between = difference.between
    return {
        "segment": difference.segment,
        "track": between.track,
        "start_ns": difference.start_ns,
        "end_ns": difference.end_ns,
        "differs": between.differs,
        "first": vars(between.first) if between.first is not None else None,
        "second": vars(between.second) if between.second is not None else None,
        "decided": is_decided,
    }


def shown_waiting(waiting: WaitingLabelling) -> dict[str, object]:
    """A recording of the queue, for an operator."""
    row = waiting.recording
    return {
        "recording": row.recording,
        "task": row.task,
        "created_at": row.created_at.isoformat(),
        "duration_ns": row.duration_ns,
        "purpose": waiting.purpose,
        "priority": waiting.priority,
        "opinions": waiting.opinions,
        "done": waiting.done,
        "held_by": waiting.leased_to,
        "skips": [{"annotator": s.annotator, "reason": s.reason, "at": s.at.isoformat()} for s in waiting.skips],
        "skipped_by_all": waiting.skipped_by_all,
    }


def _change_draft(change: SentChange) -> ChangeDraft:
    after = change.after
    return ChangeDraft(change.segment, change.before, after.drawn() if after is not None else None)


def annotator_of(person: Person) -> Annotator:
    """The person as labelling knows them."""
    return Annotator(person.account, person.contributor, person.may(Role.OPERATOR))
