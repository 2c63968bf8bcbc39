"""A recording's life: the states it may go through. It changes here and nowhere else, each time with an event."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import cast

from sqlalchemy import CursorResult, update
from sqlalchemy.orm import Session

from kinesphere.errors import Conflict, NotFound
from storage.catalog.reviews.review_requests import follow
from storage.catalog.tables import EventTable, RecordingTable
from storage.recordings.recording import State

ALLOWED: Mapping[State, frozenset[State]] = {
    State.DRAFT: frozenset({State.SUBMITTED, State.WITHDRAWN}),
    State.SUBMITTED: frozenset({State.ACCEPTED, State.FLAGGED, State.REJECTED, State.WITHDRAWN}),
    State.FLAGGED: frozenset({State.ACCEPTED, State.RETURNED, State.REJECTED, State.WITHDRAWN}),
    State.ACCEPTED: frozenset({State.FLAGGED, State.WITHDRAWN}),  # a reviewer's spot check found something
    State.REJECTED: frozenset({State.WITHDRAWN}),
    State.RETURNED: frozenset({State.WITHDRAWN}),
    State.WITHDRAWN: frozenset({State.ERASED}),
    State.ERASED: frozenset(),
}
"""From each state, the states it may go to."""


def move(session: Session, recording: str, to: State, *, who: str, why: str) -> None:
    """Change a recording's state, if its life allows it, write the event, and ask reviewers for what follows from it.

    Raises:
        NotFound: there is no such recording.
        Conflict: its state does not allow this, or somebody changed it at the same time.
    """
    row = locked(session, recording)
    before = row.state
    change_state(session, row, to, who=who, why=why)
    follow(session, row, before, to)


def locked(session: Session, recording: str) -> RecordingTable:
    """A recording's row, which nobody else changes until the transaction ends.

    Raises:
        NotFound: there is no such recording.
    """
    row = session.get(RecordingTable, recording, with_for_update=True)
    if row is None:
        raise NotFound("recording", recording, hint="see: kinesphere status")
    return row


def change_state(session: Session, row: RecordingTable, to: State, *, who: str, why: str) -> None:
    """Change the state of a recording that is locked, and write the event; errors as in `move`."""
    recording, now = row.recording, row.state
    if to not in ALLOWED[now]:
        raise Conflict(f"recording {recording} is {now}; it cannot become {to} (see: kinesphere status {recording})")
    changed = session.execute(
        update(RecordingTable)
        .where(RecordingTable.recording == recording, RecordingTable.state == now)
        .values(state=to)
    )
    if cast("CursorResult[object]", changed).rowcount != 1:
        raise Conflict(f"recording {recording} was changed by someone else at the same time; try again")
    session.add(new_event(recording, who, now, to, why))


def new_event(recording: str, who: str, now: State | None, to: State, why: str) -> EventTable:
    """The row that says who changed a recording's state, when and why."""
    return EventTable(recording=recording, at=datetime.now(UTC), who=who, from_state=now, to_state=to, why=why)
