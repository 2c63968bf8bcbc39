"""Leases: who labels a recording now, until when, and whether it needs another annotation."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import select
from sqlalchemy.orm import Session

from storage.catalog.labels.annotation_rows import annotations_of
from storage.catalog.labels.label_records import Purpose
from storage.catalog.reviews.review_requests import lies_within
from storage.catalog.tables import AnnotationTable, RecordingTable, TaskTable
from storage.tasks.task import LabellingRules

LEASE = timedelta(minutes=30)
"""How long a recording is kept for an annotator who is not heard of."""


def keep_lease(session: Session, row: AnnotationTable, now: datetime, duration: timedelta) -> bool:
    """Keep the recording for whoever labels it, unless others have it by now; says whether they have it."""
    if row.state != "open":
        return False
    if row.leased_until is None or row.leased_until <= now:
        purpose = cast("Purpose", row.purpose)
        others = busy(annotations_of(session, row.recording), row.annotator, purpose, now)
        if len(others) >= row.opinions:
            return False
    row.leased_until = now + duration
    return True


def has_room(
    session: Session,
    row: RecordingTable,
    rows: Sequence[AnnotationTable],
    annotator: str,
    purpose: Purpose,
    now: datetime,
) -> bool:
    """Whether a recording needs another annotation, besides those that are done or being made."""
    return len(busy(rows, annotator, purpose, now)) < annotations_needed(session, row, purpose)


def busy(rows: Sequence[AnnotationTable], annotator: str, purpose: Purpose, now: datetime) -> list[AnnotationTable]:
    """The annotations of others that are done, or being made."""
    return [
        row
        for row in rows
        if row.purpose == purpose
        and row.annotator != annotator
        and (row.state == "done" or (row.state == "open" and row.leased_until is not None and row.leased_until > now))
    ]


def annotations_needed(session: Session, row: RecordingTable, purpose: Purpose) -> int:
    """How many annotations a recording is to have: its id draws the lot for a second one."""
    if purpose == "adjudicate":
        return 1
    content: dict[str, Any] = session.scalars(
        select(TaskTable.content).where(TaskTable.name == row.task, TaskTable.version == row.task_version)
    ).one()
    rules = LabellingRules.model_validate(content.get("labelling", {}))
    return 2 if lies_within(f"double annotation:{row.recording}", rules.double_share) else 1
