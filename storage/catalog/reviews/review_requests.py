"""Requests for review: which recordings people are asked to look at, from the moment their state calls for it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from storage.catalog.records import Reason
from storage.catalog.tables import AnnotationTable, RecordingTable, ReviewLeaseTable, ReviewRequestTable, TaskTable
from storage.recordings.recording import State
from storage.tasks.task import ReviewRules


def follow(session: Session, row: RecordingTable, before: State, to: State) -> None:
    """Ask for the reviews that a new state calls for; those that it makes needless are over."""
    if before not in (State.DRAFT, State.SUBMITTED):
        close_all(session, row.recording)
    if to not in (State.FLAGGED, State.ACCEPTED):
        end_labelling(session, row.recording)
        return
    rules = review_rules(session, row)
    if to is State.FLAGGED:
        number = 1 + (session.scalar(_last_round(row.recording)) or 0)
        ask(session, row.recording, "doubt", round=number, at=datetime.now(UTC))
        if rules.opinions > 1:
            ask(session, row.recording, "second opinion", round=number, at=datetime.now(UTC))
    elif before is State.SUBMITTED and is_spot_checked(row.recording, rules.spot_check_share):
        ask(session, row.recording, "spot check", round=1, at=datetime.now(UTC))


def review_rules(session: Session, row: RecordingTable) -> ReviewRules:
    """The rules of the version of the task that a recording was made for."""
    content: dict[str, Any] = session.scalars(
        select(TaskTable.content).where(TaskTable.name == row.task, TaskTable.version == row.task_version)
    ).one()
    return ReviewRules.model_validate(content.get("review", {}))


def ask(session: Session, recording: str, reason: Reason, *, round: int, at: datetime) -> None:  # noqa: A002
    """Ask for one opinion. All of a round say `at` when the first of them was asked for: so long somebody waits."""
    session.add(ReviewRequestTable(recording=recording, reason=reason, round=round, asked_at=at))
    session.flush()


def open_requests(session: Session, recording: str) -> Sequence[ReviewRequestTable]:
    """The opinions on a recording that are asked for and not given, in the order in which they were asked for."""
    query = select(ReviewRequestTable).where(
        ReviewRequestTable.recording == recording, ReviewRequestTable.closed_at.is_(None)
    )
    return session.scalars(query.order_by(ReviewRequestTable.request)).all()


def close_all(session: Session, recording: str) -> None:
    """Ask nobody any more."""
    session.execute(delete(ReviewLeaseTable).where(ReviewLeaseTable.recording == recording))
    session.execute(
        update(ReviewRequestTable)
        .where(ReviewRequestTable.recording == recording, ReviewRequestTable.closed_at.is_(None))
        .values(closed_at=datetime.now(UTC))
    )


def end_labelling(session: Session, recording: str) -> None:
    """Keep a recording for no annotator any more. What they have made of it stays."""
    session.execute(update(AnnotationTable).where(AnnotationTable.recording == recording).values(leased_until=None))


def is_spot_checked(recording: str, share: float) -> bool:
    """Whether a recording is among the share that is looked at: its id decides, and asking again changes nothing."""
    return lies_within(f"spot check:{recording}", share)


def lies_within(text: str, share: float) -> bool:
    """Draws a lot by a text's hash: the same text always has the same luck, and `share` of all texts win."""
    number = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
    return number < share * 2**64


def _last_round(recording: str) -> Any:
    return select(func.max(ReviewRequestTable.round)).where(ReviewRequestTable.recording == recording)
