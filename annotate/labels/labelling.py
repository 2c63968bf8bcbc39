"""Labelling: what annotators are given, and what they may do to it. The studio's routes ask here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from annotate.labels.frame_times import FrameTables
from annotate.labels.label_comparison import Difference, agreed_segments, decided, differences
from annotate.labels.segments import checked_segment
from kinesphere.errors import Conflict, InvalidInput
from storage.catalog import (
    AnnotationRecord,
    Annotations,
    Annotator,
    Applied,
    Change,
    InvalidOperation,
    LabelOperations,
    LabelQueue,
    Operation,
    OperationRecord,
    VersionedSegment,
)
from storage.recordings.segment import Segment
from storage.tasks.task import Labels
from storage.workspace import Workspace


@dataclass(frozen=True)
class ChangeDraft:
    """What somebody wants done to one segment, made upon the version `before`; None makes, or deletes it."""

    segment: str
    before: int | None
    after: Segment | None


@dataclass(frozen=True)
class OperationDraft:
    """Changes that are to happen together; `sent_sha256` tells whether it is what was sent before by this id."""

    operation: str
    changes: Sequence[ChangeDraft]
    sent_sha256: str


class Labelling:
    """The labelling of a workspace."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.annotations = Annotations(workspace.catalog, agreed_segments)
        self.queue = LabelQueue(self.annotations)
        self.operations = LabelOperations(workspace.catalog)
        self.frames = FrameTables(workspace)
        self._labels = lru_cache(maxsize=256)(self._read_labels)

    def may_read(self, record: AnnotationRecord, annotator: Annotator) -> bool:
        """Whether somebody may see an annotation.

        Args:
            record: the annotation.
            annotator: who asks.

        Returns:
            Their own, those that they adjudicate, and for operators all.
        """
        if annotator.is_operator or record.annotator == annotator.name:
            return True
        return any(
            other.purpose == "adjudicate" and other.annotator == annotator.name and other.state != "skipped"
            for other in self.annotations.of_recording(record.recording)
        )

    def may_change(self, record: AnnotationRecord, annotator: Annotator) -> bool:
        """Whether somebody may change an annotation.

        Args:
            record: the annotation.
            annotator: who asks.

        Returns:
            Their own, and for operators all.
        """
        return annotator.is_operator or record.annotator == annotator.name

    def apply(self, record: AnnotationRecord, drafts: Sequence[OperationDraft], *, who: str) -> Applied:
        """Check operations against the recording's frames and the task's taxonomy, and apply them in order.

        Args:
            record: the annotation that is changed.
            drafts: the operations, in order.
            who: the account that changes it.

        Returns:
            What became of them, as `LabelOperations.apply` says it.

        Raises:
            InvalidOperation: one makes a segment that cannot be. Nothing is applied.
            LabelConflict, Conflict, Withdrawn, NotFound, InvalidInput: as in `LabelOperations.apply`.
        """
        return self.operations.apply(record.annotation, [self._checked(record, draft) for draft in drafts], who=who)

    def sides(self, record: AnnotationRecord) -> list[tuple[AnnotationRecord, list[VersionedSegment]]]:
        """The annotations that an adjudication decides between.

        Args:
            record: the adjudication.

        Returns:
            Both annotations with their segments, the one that was done first in front.

        Raises:
            Conflict: it is no adjudication.
        """
        if record.purpose != "adjudicate":
            raise Conflict(f"annotation {record.annotation} adjudicates nothing")
        sides = self.annotations.sides(record.recording)
        return [(side, self.operations.segments(side.annotation)) for side in sides]

    def differences(self, record: AnnotationRecord) -> tuple[list[Difference], frozenset[str]]:
        """What an adjudication has to decide.

        Args:
            record: the adjudication.

        Returns:
            The differences in order of time, and the ids of the segments that it has decided already.

        Raises:
            Conflict: it is no adjudication.
        """
        (_, first), (_, second) = self.sides(record)
        found = differences(record.annotation, first, second)
        return found, decided(self._log(record.annotation), {one.segment for one in found})

    def _log(self, annotation: str) -> Iterator[OperationRecord]:
        revision = 0
        while some := self.operations.changes(annotation, after=revision):
            yield from some
            revision = some[-1].revision

    def _checked(self, record: AnnotationRecord, draft: OperationDraft) -> Operation:
        edges, labels = self.frames.edges(record.recording), self._labels(record.recording)
        changes, named = list[Change](), set[str]()
        try:
            for change in draft.changes:
                if change.segment in named:
                    raise InvalidInput(f"one operation changes segment {change.segment} once")
                named.add(change.segment)
                # In an adjudication this says that a place is decided: neither side's segment is to be there.
                if change.after is None and change.before is None and record.purpose != "adjudicate":
                    raise InvalidInput(f"segment {change.segment} is neither made, nor changed, nor deleted")
                after = change.after
                content = checked_segment(after, record.recording, edges, labels) if after is not None else None
                changes.append(Change(change.segment, change.before, content))
        except InvalidInput as error:
            raise InvalidOperation(draft.operation, str(error)) from error
        return Operation(draft.operation, changes, draft.sent_sha256)

    def _read_labels(self, recording: str) -> Labels:
        row = self.workspace.catalog.recording(recording)
        return self.workspace.catalog.task(row.task, row.task_version).task.labels
