"""What labelling gives and takes: annotations, versions of their segments, and the operations that made them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from kinesphere.errors import Conflict, InvalidInput
from storage.catalog.records import RecordingRecord
from storage.recordings.segment import Segment

Purpose = Literal["label", "adjudicate"]
AnnotationState = Literal["open", "done", "skipped"]
OperationKind = Literal["edit", "restore", "begin"]


@dataclass(frozen=True)
class Annotator:
    """Who labels."""

    name: str
    contributor: str | None = None
    """The id under which they record: nobody labels their own recordings."""
    is_operator: bool = False

    def recorded(self, contributor: str) -> bool:
        """Whether the recordings of a contributor are this person's own.

        Args:
            contributor: pseudonymous id of who recorded.

        Returns:
            Then they may not label them.
        """
        return contributor in (self.name, self.contributor)


@dataclass(frozen=True)
class AnnotationRecord:
    """One person's labelling of one recording."""

    annotation: str
    recording: str
    annotator: str
    purpose: Purpose
    state: AnnotationState
    revision: int
    """How many operations have made it what it is."""
    segments: int
    """How many segments it has now."""
    opinions: int
    """By how many people the recording is to be labelled; 2 where a second opinion is asked for."""
    disputed: bool
    """Whether, when it was done, it differed from another one that was done before."""
    created_at: datetime
    changed_at: datetime
    done_at: datetime | None
    leased_until: datetime | None
    """Until when nobody else is given the recording; None or past where anybody may have it."""
    reason: str
    """Why it was skipped."""


@dataclass(frozen=True)
class VersionedSegment:
    """A segment, with the revision of its annotation that changed it last."""

    segment: str
    version: int
    content: Segment


@dataclass(frozen=True)
class FinishedAnnotation:
    """What one person has labelled in one recording and called done."""

    task: str
    recording: str
    annotator: str
    frames: int
    """How many the recording has."""
    segments: Sequence[Segment]
    """In order of time, perhaps none."""


@dataclass(frozen=True)
class Change:
    """What an operation does to one segment."""

    segment: str
    before: int | None
    """The version that it was made upon; None makes a new segment."""
    after: Segment | None
    """None deletes it."""


@dataclass(frozen=True)
class Operation:
    """One or more changes that happen together or not at all."""

    operation: str
    """An id that whoever made it chose: applied once, however often it is sent."""
    changes: Sequence[Change]
    sent_sha256: str = ""
    """Hash of it as it was sent, so that another one with the same id is noticed."""


@dataclass(frozen=True)
class OperationRecord:
    """An operation that was applied."""

    revision: int
    operation: str
    kind: OperationKind
    who: str
    at: datetime
    changed: int
    """How many segments it changed."""
    restored: int | None
    """The revision that it brought back."""
    changes: Sequence[Change]
    """Empty where only the list of operations was asked for."""


@dataclass(frozen=True)
class Applied:
    """What came of a list of operations."""

    revision: int
    """Of the last one applied; all later ones are other people's, or other tabs'."""
    operations: Sequence[str]
    """The ids of those that are applied, now or before."""
    segments: Sequence[VersionedSegment]
    """What they changed, as they left it."""
    deleted: Sequence[str]
    log: Sequence[OperationRecord] = field(default=(), compare=False)
    """What the history has more by it, oldest first: nothing where all of it was applied before."""


class LabelConflict(Conflict):
    """An operation was made upon versions of segments that are not the present ones. It and later ones did nothing."""

    def __init__(
        self,
        operation: str,
        conflicts: Mapping[str, VersionedSegment | None],
        revision: int,
        applied: Sequence[str],
    ) -> None:
        some = ", ".join(list(conflicts)[:3]) + (", ..." if len(conflicts) > 3 else "")
        super().__init__(f"segment {some} was changed meanwhile; choose which of the two is to stay")
        self.operation = operation
        self.conflicts = conflicts
        """The segments concerned as they are now; None for one that is deleted."""
        self.revision = revision
        self.applied = applied
        """The ids of the operations before it, which are applied."""


class InvalidOperation(InvalidInput):
    """An operation makes a segment that cannot be. Nothing of what was sent with it is applied."""

    def __init__(self, operation: str, why: str) -> None:
        super().__init__(why)
        self.operation = operation


@dataclass(frozen=True)
class Skip:
    """Somebody passed a recording over."""

    annotator: str
    reason: str
    at: datetime


@dataclass(frozen=True)
class WaitingLabelling:
    """A recording in the queue of labelling."""

    recording: RecordingRecord
    purpose: Purpose
    priority: int
    opinions: int
    done: int
    leased_to: Sequence[str]
    """Who labels it now."""
    skips: Sequence[Skip]
    skipped_by_all: bool
    """Everybody who has labelled or skipped anything in the last 30 days has skipped this, or cannot have it."""


@dataclass(frozen=True)
class Progress:
    """What an annotator has done since a moment."""

    annotations: int
    segments: int
    labelled_ns: int
    """Length of the recordings whose annotations were done."""
